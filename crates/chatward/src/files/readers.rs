//! What of the house reads along in files: its feeds know hashes and addresses, its models and rules read the texts, as documents.

use std::sync::Arc;

use chatward_attach::{Hashes, Verdict};
use chatward_detect::indicator::{FileHash, Value};
use chatward_message::{Response, Severity, Sign, SignInfo, Threat, UnixMillis, View};

use super::Readers;
use crate::intel::Intel;
use crate::threats::Look;
use crate::turn::{Force, Gate};

/// The house, at one moment.
pub(super) struct House {
    force: Arc<Force>,
    intel: Arc<Intel>,
    now: UnixMillis,
}

impl House {
    pub(super) fn of(gate: &Gate, force: &Arc<Force>) -> Arc<Self> {
        Arc::new(Self { force: Arc::clone(force), intel: Arc::clone(&gate.intel), now: gate.clock.now() })
    }
}

impl Readers for House {
    fn listed(&self, hashes: &Hashes) -> Option<Sign> {
        if self.intel.is_empty() {
            return None;
        }
        let Hashes { md5, sha1, sha256 } = *hashes;
        let all = [FileHash::Sha256(sha256), FileHash::Sha1(sha1), FileHash::Md5(md5)];
        let (value, listed) = all.into_iter().map(Value::File).find_map(|value| {
            let listed = self.intel.lookup(&value, self.now)?;
            Some((value, listed))
        })?;
        self.intel.saw(&value, &listed);
        let info = SignInfo {
            id: "intel.listed".into(),
            threat: listed.record.threat.unwrap_or(Threat::Malware),
            severity: Severity::Critical,
            tags: Box::new([]),
        };
        Some(Sign { info: Arc::new(info), score: listed.score(), span: None, view: View::Plain })
    }

    fn read(&self, verdict: &Verdict) -> Vec<(Sign, Response)> {
        let look = Look { wish: &self.force.config.threats, intel: &self.intel, now: self.now };
        let texts = verdict.texts.iter().chain(&verdict.links);
        let signs = texts.flat_map(|passage| self.force.threats.document(look, passage.text.expose()));
        signs.map(|(sign, response)| (sign, of_file(response))).collect()
    }

    fn version(&self) -> u64 {
        self.intel.edition()
    }
}

/// What is done about a file for a sign in its texts. Nothing can be taken out of a file, and nobody lets one go later: where that is
/// what is wished for documents, the file goes no further.
const fn of_file(response: Response) -> Response {
    match response {
        Response::Mask | Response::Hold | Response::HandOver => Response::Block,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_have_to_wait_goes_no_further() {
        for response in [Response::Mask, Response::Hold, Response::HandOver, Response::Block] {
            assert_eq!(of_file(response), Response::Block);
        }
        for response in [Response::Observe, Response::Flag, Response::Warn] {
            assert_eq!(of_file(response), response);
        }
    }
}
