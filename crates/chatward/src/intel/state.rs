//! What lies in `DIR/intel`: `set`, the last good indicators; `state.json`, what is known of each feed. Both are replaced whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use chatward_detect::indicator::{FileFault, IndicatorSet, Key, Source};
use serde::{Deserialize, Serialize};

use crate::seeing::create_private;

const SET: &str = "set";
const STATE: &str = "state.json";
/// The largest `state.json`, in bytes.
const LARGEST: u64 = 16 << 20;

/// What is known of all feeds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The numbers of sources, as the set has them.
    pub(super) sources: BTreeMap<String, u16>,
    pub(super) feeds: BTreeMap<String, FeedState>,
    /// What came of giving, by place.
    pub(super) shares: BTreeMap<String, GivenState>,
}

/// What came of giving something to a place. Times in milliseconds since 1970.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GivenState {
    pub(super) tried: u64,
    pub(super) good: u64,
    /// How many new objects it took then.
    pub(super) objects: u64,
    pub(super) error: Option<String>,
}

/// What is known of a feed. Times in milliseconds since 1970.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct FeedState {
    /// Since when it is followed.
    pub(super) known: u64,
    pub(super) asked: u64,
    pub(super) good: u64,
    pub(super) failures: u64,
    pub(super) error: Option<String>,
    pub(super) malformed: u64,
    pub(super) faults: Vec<String>,
    pub(super) stopped: u64,
    /// What of it is in force: how it was asked for, and which version answered.
    pub(super) version: Version,
}

/// By what a server tells whether there is something new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    /// Where it came from and in which form: another place has other versions.
    pub(super) of: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    /// TAXII: the time of the newest object.
    pub(super) added: Option<String>,
    /// When all of it was last asked for.
    pub(super) whole: u64,
    /// Whether it has patterns, which are not kept.
    pub(super) patterns: bool,
}

impl FeedState {
    pub(super) fn known_from(&mut self, now: u64) {
        if self.known == 0 {
            self.known = now;
        }
    }

    /// The next time all of it is asked for.
    pub(super) fn forget_version(&mut self) {
        self.version = Version::default();
        self.asked = 0;
    }
}

impl State {
    /// The number of a source; a new one gets the smallest that is free.
    pub(super) fn number(&mut self, name: &str) -> u16 {
        if let Some(number) = self.sources.get(name) {
            return *number;
        }
        let free =
            (0..chatward_detect::indicator::MAX_SOURCE).find(|n| !self.sources.values().any(|m| m == n));
        let number = free.unwrap_or_default();
        self.sources.insert(name.to_owned(), number);
        number
    }

    pub(super) fn source(&self, name: &str) -> Option<Source> {
        self.sources.get(name).and_then(|number| Source::new(*number))
    }

    pub(super) fn names(&self) -> BTreeMap<Source, Arc<str>> {
        let pairs =
            self.sources.iter().filter_map(|(name, n)| Some((Source::new(*n)?, Arc::from(name.as_str()))));
        pairs.collect()
    }
}

/// What lies in the folder. Without a set that can be read, all feeds are asked for all they have.
pub(super) fn load(folder: &Path, key: Key) -> (State, Option<IndicatorSet>) {
    let mut state = load_state(folder).unwrap_or_default();
    let set = match File::open(folder.join(SET)) {
        Ok(file) => IndicatorSet::read(&mut BufReader::with_capacity(1 << 18, file), key),
        Err(error) => Err(FileFault::Io(error)),
    };
    let set = match set {
        Ok(set) => Some(set),
        Err(FileFault::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::error!(cause = %error, "the last good set of indicators is not used: all feeds are asked anew");
            None
        }
    };
    // Patterns are not kept: all of a feed that has some is asked for.
    let anew = state.feeds.values_mut().filter(|feed| set.is_none() || feed.version.patterns);
    anew.for_each(FeedState::forget_version);
    (state, set)
}

/// Removes what a crash left.
pub(super) fn sweep(folder: &Path, ending: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(ending)) {
        // What stays is swept the next time.
        let _ = std::fs::remove_file(entry.path());
    }
}

fn load_state(folder: &Path) -> Option<State> {
    let file = File::open(folder.join(STATE)).ok()?;
    match serde_json::from_reader(std::io::Read::take(BufReader::new(file), LARGEST)) {
        Ok(state) => Some(state),
        Err(_) => {
            tracing::error!("what is known of feeds cannot be read: all of them are asked anew");
            None
        }
    }
}

/// Keeps the set first: a version that is noted is one whose indicators are kept.
pub(super) fn keep(folder: &Path, state: &State, set: Option<&IndicatorSet>) -> std::io::Result<()> {
    if let Some(set) = set {
        replace(folder, SET, |file| {
            set.write(file).map_err(|error| match error {
                FileFault::Io(error) => error,
                other => std::io::Error::other(other),
            })
        })?;
    }
    replace(folder, STATE, |file| serde_json::to_writer(file, state).map_err(Into::into))
}

/// A file is there whole or as it was.
pub(crate) fn replace(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let next = folder.join(format!("{name}.next"));
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = BufWriter::with_capacity(1 << 18, create_private(&next)?);
    write(&mut file)?;
    file.flush()?;
    file.get_ref().sync_all()?;
    std::fs::rename(&next, folder.join(name))?;
    File::open(folder)?.sync_all()
}
