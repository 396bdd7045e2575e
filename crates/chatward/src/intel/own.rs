//! The house's own indicators: `DIR/intel/own.jsonl`, one a line, as analysts wrote them. Each change stands in the audit log.

use std::io;
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
    /// When it was taken off the list: it counts no more, and is known only to tell those who were given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// How often it was taken off the list before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u32>,
    /// How often it was changed since it came on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
}

/// So much of what was taken off the list is known, to be taken back where it was given.
const MOST_KNOWN: usize = 20_000;

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
        let shared = Shared::of_analyst(&self.value, record, (at(self.added), at(self.changed)))?
            .of_generation(self.generation.unwrap_or(0))
            .revised(self.revision.unwrap_or(0));
        Ok(match self.removed {
            Some(removed) => shared.taken_back(UnixMillis(removed)),
            None => shared,
        })
    }

    /// Whether it counts.
    pub(super) const fn counts(&self) -> bool {
        self.removed.is_none()
    }
}

/// The list as it is; a line that cannot be read is left out.
///
/// # Errors
/// The disk's: what cannot be read now is no empty list.
pub(super) fn read(folder: &Path) -> io::Result<Vec<OwnEntry>> {
    let file = match std::fs::File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, LARGEST), &mut text)?;
    let entries = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    Ok(entries.take(MOST + MOST_KNOWN).collect())
}

/// The list as it is to be after a change, and what of the change was not taken. Made by [`Intel::prepare_own`].
#[derive(Debug)]
pub(crate) struct OwnChange {
    text: Vec<u8>,
    // What was taken off it, as sightings name it.
    gone: Vec<String>,
    /// How many came on the list, or were taken off it.
    pub(crate) done: usize,
    /// For each that was not taken why.
    pub(crate) refused: Vec<(String, String)>,
}

impl OwnChange {
    /// The list that follows, as it will stand.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Changes what the list says of one thing; whether that is something else now.
fn change_one(all: &mut Vec<OwnEntry>, (what, entry): (&Value, OwnEntry), remove: bool, now: u64) -> bool {
    let same = |other: &OwnEntry| Value::guess(&other.value).as_ref() == Ok(what);
    let live = all.iter().position(|other| other.counts() && same(other));
    let before = live.map(|at| all.remove(at));
    let revision = before.as_ref().map(|before| before.revision.unwrap_or(0).saturating_add(1));
    match before {
        Some(before) if remove => all.push(OwnEntry { removed: Some(now), ..before }),
        None if remove => return false,
        Some(OwnEntry { added, generation, .. }) => {
            all.push(OwnEntry {
                added: added.or(Some(now)),
                changed: Some(now),
                generation,
                revision,
                ..entry
            });
        }
        None => {
            // What others were told is gone stays gone: this is another one.
            let gone =
                all.iter().filter(|other| same(other)).map(|other| other.generation.unwrap_or(0)).max();
            let generation = gone.map(|gone| gone.saturating_add(1));
            all.push(OwnEntry { added: Some(now), changed: Some(now), generation, ..entry });
        }
    }
    true
}

impl Intel {
    /// Works out what the house's own list is once these are on it, in the place of what it says of the same, or are taken off it.
    /// Nothing is changed yet: whoever changes it holds [`own_turn`](Self::own_turn) from here until it is kept.
    pub(crate) fn prepare_own(&self, entries: Vec<OwnEntry>, remove: bool) -> io::Result<OwnChange> {
        self.load();
        let settings = self.settings.load_full();
        let (mut refused, mut gone, mut done) = (Vec::new(), Vec::new(), 0);
        let now = self.clock.now().0;
        let mut all = read(&self.folder)?;
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
                    if change_one(&mut all, (&indicator.value, entry), remove, now) {
                        gone.extend(remove.then(|| indicator.value.to_string()));
                        done += 1;
                    }
                }
            }
        }
        let mut off = all.iter().filter(|entry| !entry.counts()).count();
        // The oldest stand first.
        all.retain(|entry| {
            let goes = !entry.counts() && off > MOST_KNOWN;
            off -= usize::from(goes);
            !goes
        });
        if all.len() - off > MOST {
            return Err(io::Error::other(format!("the house's own list holds at most {MOST}")));
        }
        let mut text = Vec::new();
        for entry in &all {
            serde_json::to_writer(&mut text, entry)?;
            text.push(b'\n');
        }
        if text.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("the house's own list has at most {LARGEST} bytes")));
        }
        Ok(OwnChange { text, gone, done, refused })
    }

    /// Keeps what was worked out, and puts it in force.
    pub(crate) fn keep_own(&self, change: &OwnChange) -> io::Result<()> {
        self.folder_is_there()?;
        replace(&self.folder, FILE, |file| file.write_all(&change.text))?;
        self.load_own();
        self.forget_sightings(&change.gone);
        self.tell();
        self.keep(false);
        Ok(())
    }

    /// Who holds it alone changes the house's own list.
    pub(crate) fn own_turn(&self) -> std::sync::Arc<tokio::sync::Mutex<()>> {
        self.turn_of("own list")
    }

    /// Both at once, for tests that ask nobody else.
    #[cfg(test)]
    pub(super) fn change_own(
        &self,
        entries: Vec<OwnEntry>,
        remove: bool,
    ) -> io::Result<Vec<(String, String)>> {
        let change = self.prepare_own(entries, remove)?;
        self.keep_own(&change)?;
        Ok(change.refused)
    }

    /// Puts the house's own list in force. One that cannot be read leaves in force what was.
    pub(super) fn load_own(&self) {
        let own = match self.own_entries() {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(cause = %error, "the house's own indicators cannot be read: those from before count");
                return;
            }
        };
        let settings = self.settings.load_full();
        let source = self.source_of(OWN);
        let mut batch = Batch::whole(self.key(), source, &settings.warnings);
        for indicator in own.iter().filter(|entry| entry.counts()).filter_map(|entry| entry.indicator().ok())
        {
            // What a warning list protects since is not taken.
            let _ = batch.add(&indicator);
        }
        let _one = self.merging.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (next, _) = self.enforced.load_full().set.merged(batch);
        self.publish(next, None);
    }
}
