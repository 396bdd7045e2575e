//! Sightings: how often what is listed turned up, so that those who list it can be told. `DIR/intel/sightings.jsonl`.
//!
//! Kept is what the list names (never more of what somebody wrote), who lists it, a number, and two hours. Nothing says who
//! wrote it, or in which conversation. What was not seen for [`KEPT`] is forgotten; what a crash loses is what came since the
//! last tick.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::PoisonError;

use chatward_detect::indicator::{Indicator, Record, Tlp, Value};
use chatward_intel::share::{Shared, Sighting};
use chatward_message::{Threat, UnixMillis};
use serde::{Deserialize, Serialize};

use super::state::replace;
use super::{Intel, Listed, OwnEntry};
use crate::config::intel::OWN;

const FILE: &str = "sightings.jsonl";
/// The largest file, in bytes.
const LARGEST: u64 = 64 << 20;
/// So many are kept; of more, those that were not seen for longest go.
const MOST: usize = 20_000;
const HOUR: u64 = 3_600_000;
/// How long one is kept after it was last seen.
const KEPT: u64 = 90 * 24 * HOUR;

/// What is kept of one indicator that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    value: String,
    feed: String,
    count: u32,
    /// Hours, in milliseconds since 1970.
    first: u64,
    last: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tlp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threat: Option<Threat>,
}

/// All of them, by who lists what.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    all: BTreeMap<(String, String), Kept>,
    /// Whether the file says something else.
    changed: bool,
}

impl Kept {
    /// As it may be shared, with markings up to this one; nothing if it may not. What the house lists itself is as its list says now.
    fn sighting(&self, upto: Tlp, own: &BTreeMap<String, Shared>) -> Option<Sighting> {
        let (first, last) = (UnixMillis(self.first), UnixMillis(self.last));
        let of = if self.feed == OWN {
            own.get(&self.value).filter(|shared| shared.tlp() <= upto)?.clone()
        } else {
            let tlp = self.tlp.as_deref().and_then(Tlp::read).unwrap_or_default();
            let record =
                Record { confidence: self.confidence, tlp, threat: self.threat, ..Record::default() };
            Shared::of_feed(&Indicator { value: Value::guess(&self.value).ok()?, record }, first)?
        };
        Some(Sighting { of, count: self.count, first, last })
    }
}

/// Those of one value together, whoever lists it.
fn joined(all: impl Iterator<Item = Sighting>) -> Vec<Sighting> {
    let mut values: BTreeMap<String, Sighting> = BTreeMap::new();
    for sighting in all {
        match values.entry(sighting.of.value().to_string()) {
            Entry::Vacant(free) => _ = free.insert(sighting),
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.count = known.count.saturating_add(sighting.count);
                (known.first, known.last) = (known.first.min(sighting.first), known.last.max(sighting.last));
            }
        }
    }
    values.into_values().collect()
}

impl Sightings {
    /// What the file says; a line that cannot be read is left out.
    pub(super) fn read(folder: &Path) -> Self {
        let mut this = Self::default();
        let Ok(file) = std::fs::File::open(folder.join(FILE)) else { return this };
        let mut text = String::new();
        if std::io::Read::read_to_string(&mut std::io::Read::take(file, LARGEST), &mut text).is_err() {
            tracing::error!("sightings cannot be read: they are counted anew");
        }
        let kept = text.lines().filter_map(|line| serde_json::from_str::<Kept>(line).ok()).take(MOST);
        this.all = kept.map(|kept| ((kept.feed.clone(), kept.value.clone()), kept)).collect();
        this
    }

    fn note(&mut self, value: String, listed: &Listed, now: UnixMillis) {
        let hour = now.0 / HOUR * HOUR;
        let Record { confidence, tlp, threat, .. } = listed.record;
        let kept = self.all.entry((listed.feed.to_string(), value.clone())).or_insert_with(|| Kept {
            value,
            feed: listed.feed.to_string(),
            count: 0,
            first: hour,
            last: hour,
            confidence: None,
            tlp: None,
            threat: None,
        });
        kept.count = kept.count.saturating_add(1);
        kept.last = kept.last.max(hour);
        (kept.confidence, kept.tlp, kept.threat) = (confidence, tlp.name().map(str::to_owned), threat);
        self.changed = true;
        if self.all.len() > MOST {
            let oldest = self.all.iter().min_by_key(|(_, kept)| kept.last).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.all.remove(&key));
        }
    }

    /// Forgets what is too old, and gives what the file is to say, if that is something else.
    fn tidied(&mut self, now: UnixMillis) -> Option<Vec<Kept>> {
        let many = self.all.len();
        self.all.retain(|_, kept| now.0.saturating_sub(kept.last) <= KEPT);
        let changed = std::mem::take(&mut self.changed) || self.all.len() < many;
        changed.then(|| self.all.values().cloned().collect())
    }
}

impl Intel {
    /// Something listed turned up in a message, an answer or a file. Waits for nothing.
    pub(crate) fn saw(&self, observed: &Value, listed: &Listed) {
        let Some(named) = self.enforced.load().set.named(observed, listed.id) else { return };
        let mut sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        sightings.note(named.to_string(), listed, self.clock.now());
    }

    /// What turned up of these counts no more: the house lists them no longer, and would begin anew.
    pub(super) fn forget_sightings(&self, gone: &[String]) {
        let mut sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        for value in gone {
            let was = sightings.all.remove(&(OWN.to_owned(), value.clone()));
            sightings.changed |= was.is_some();
        }
    }

    /// What turned up of what is listed, as far as it may be shared with markings up to this one.
    ///
    /// # Errors
    /// If the house's own list cannot be read.
    pub fn sightings(&self, upto: Tlp) -> std::io::Result<Vec<Sighting>> {
        let own = self.own_entries()?.into_iter().filter(OwnEntry::counts);
        let own = own
            .filter_map(|entry| entry.shared().ok())
            .map(|shared| (shared.value().to_string(), shared))
            .collect();
        let sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(joined(sightings.all.values().filter_map(|kept| kept.sighting(upto, &own))))
    }

    /// Brings the file up to date.
    pub(super) fn keep_sightings(&self) {
        let now = self.clock.now();
        let mut sightings = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = sightings.tidied(now) else { return };
        drop(sightings);
        let written = self.folder_is_there().and_then(|()| {
            replace(&self.folder, FILE, |file| {
                all.iter().try_for_each(|kept| {
                    serde_json::to_writer(&mut *file, kept)?;
                    file.write_all(b"\n")
                })
            })
        });
        if let Err(error) = written {
            self.sightings.lock().unwrap_or_else(PoisonError::into_inner).changed = true;
            tracing::warn!(cause = %error, "sightings cannot be kept");
        }
    }
}
