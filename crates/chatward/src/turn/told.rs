//! What the customer's side is told beside an answer: the headers of our own, and what a stream names at its end.

use chatward_message::Kind;
use chatward_vault::{Masked, Warning};
use http::{HeaderMap, HeaderValue};

use super::{PROTECTED_HEADER, REMOVED_HEADER, THREATS_HEADER};
use crate::threats::Watched;

/// What the customer's side is told beside the answer: of the message, and of the answer itself.
#[derive(Default)]
pub(super) struct Told {
    pub(super) threats: String,
    protected: usize,
    removed: Vec<Kind>,
}

impl Told {
    pub(super) fn of(masked: &Masked, watched: &Watched) -> Self {
        let removed = masked.warnings().iter().map(|Warning { kind, .. }| kind.clone()).collect();
        Self { threats: watched.told(), protected: masked.replaced(), removed }
    }

    /// Names the threats, beside what is named already.
    pub(super) fn name_threats(&self, headers: &mut HeaderMap) {
        if let Some(threats) = HeaderValue::from_str(&self.threats).ok().filter(|_| !self.threats.is_empty())
        {
            headers.append(THREATS_HEADER, threats);
        }
    }

    /// The threats as an event stream can still name them when its head is long gone: a comment, which every reader of such
    /// streams passes over (WHATWG HTML, "Server-sent events", 9.2.6).
    pub(super) fn comment(&self) -> Vec<u8> {
        if self.threats.is_empty() {
            return Vec::new();
        }
        format!(": {THREATS_HEADER}: {}\n\n", self.threats).into_bytes()
    }

    pub(super) fn write(self, headers: &mut HeaderMap) {
        if self.protected > 0 {
            headers.insert(PROTECTED_HEADER, HeaderValue::from(self.protected));
        }
        self.name_threats(headers);
        let mut kinds: Vec<&str> = self.removed.iter().map(|kind| kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        if !kinds.is_empty()
            && let Ok(value) = HeaderValue::from_str(&kinds.join(", "))
        {
            headers.insert(REMOVED_HEADER, value);
        }
    }
}
