//! The house's own indicators: `DIR/intel/own.jsonl`, one a line, as analysts wrote them.

use std::path::Path;

use chatward_detect::indicator::{Batch, Indicator, Record, Tlp, Value, ValueFault};
use chatward_intel::share::{Shared, UNKNOWN};
use chatward_message::{Threat, UnixMillis};
use serde::{Deserialize, Serialize};

use super::Intel;
use super::state::replace;
use crate::config::intel::OWN;

const FILE: &str = "own.jsonl";
/// The largest list, in bytes, and the most entries.
const LARGEST: u64 = 64 << 20;
const MOST: usize = 200_000;

/// An indicator of the house.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnEntry {
    /// What it names: a domain, a URL, an address or a block of them, a hash, an e-mail address.
    pub value: String,
    /// How sure, from 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u8>,
    /// With whom it may be shared: clear, green, amber, amber+strict, red.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlp: Option<String>,
    /// What it is a sign of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threat: Option<Threat>,
    /// Until when it counts, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// When it came on the list, and when it was last changed: noted when it is put there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// See `added`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
}

impl OwnEntry {
    /// The indicator.
    pub(crate) fn indicator(&self) -> Result<Indicator, ValueFault> {
        let Self { value, confidence, tlp, threat, until, .. } = self;
        Ok(Indicator {
            value: Value::guess(value)?,
            record: Record {
                from: None,
                until: until.map(UnixMillis),
                confidence: *confidence,
                tlp: tlp.as_deref().and_then(Tlp::read).unwrap_or_default(),
                threat: *threat,
            },
        })
    }
}

impl OwnEntry {
    /// The indicator as others get it.
    pub(crate) fn shared(&self) -> Result<Shared, ValueFault> {
        let at = |time: Option<u64>| time.map_or(UNKNOWN, UnixMillis);
        let record = self.indicator()?.record;
        Shared::of_analyst(&self.value, record, (at(self.added), at(self.changed)))
    }
}

/// The list as it is; a line that cannot be read is left out.
pub(super) fn read(folder: &Path) -> Vec<OwnEntry> {
    let Ok(file) = std::fs::File::open(folder.join(FILE)) else { return Vec::new() };
    let mut text = String::new();
    if std::io::Read::read_to_string(&mut std::io::Read::take(file, LARGEST), &mut text).is_err() {
        tracing::error!("the house's own indicators cannot be read");
    }
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).take(MOST).collect()
}

impl Intel {
    /// Puts indicators on the house's own list, in the place of what it says of the same, or takes them off it. Gives for
    /// each that is not taken why.
    pub fn change_own(&self, entries: Vec<OwnEntry>, remove: bool) -> std::io::Result<Vec<(String, String)>> {
        self.load();
        let settings = self.settings.load_full();
        let mut refused = Vec::new();
        let now = Some(self.clock.now().0);
        let mut all = read(&self.folder);
        for entry in entries {
            let judged = entry.indicator().map_err(|fault| fault.to_string()).and_then(|indicator| {
                let stopped = |why: chatward_detect::indicator::Stopped| {
                    format!("a warning list protects it: {}", why.name())
                };
                if remove {
                    Ok(indicator)
                } else {
                    settings.warnings.judge(&indicator.value).map_err(stopped).map(|()| indicator)
                }
            });
            match judged {
                Err(why) => refused.push((entry.value, why)),
                Ok(indicator) => {
                    let same = |other: &OwnEntry| Value::guess(&other.value).as_ref() == Ok(&indicator.value);
                    let added = all.iter().find(|other| same(other)).and_then(|other| other.added);
                    all.retain(|other| !same(other));
                    if !remove {
                        all.push(OwnEntry { added: added.or(now), changed: now, ..entry });
                    }
                }
            }
        }
        if all.len() > MOST {
            return Err(std::io::Error::other(format!("the house's own list holds at most {MOST}")));
        }
        self.folder_is_there()?;
        replace(&self.folder, FILE, |file| {
            all.iter().try_for_each(|entry| {
                serde_json::to_writer(&mut *file, entry)?;
                file.write_all(b"\n")
            })
        })?;
        self.load_own();
        self.tell();
        self.keep(false);
        Ok(refused)
    }

    /// Puts the house's own list in force.
    pub(super) fn load_own(&self) {
        let settings = self.settings.load_full();
        let source = self.source_of(OWN);
        let mut batch = Batch::whole(self.key(), source, &settings.warnings);
        for indicator in read(&self.folder).iter().filter_map(|entry| entry.indicator().ok()) {
            // What a warning list protects since is not taken.
            let _ = batch.add(&indicator);
        }
        let _one = self.merging.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (next, _) = self.enforced.load_full().set.merged(batch);
        self.publish(next, None);
    }
}
