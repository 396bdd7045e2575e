//! Threat intelligence while the program runs: feeds are followed, and what they list is what turns are held against.
//!
//! Every feed is followed by a task of its own ([`follow`]): asked for when it is due ([`fetch`]), read on a thread of its own,
//! judged, and merged into the next [`IndicatorSet`], which takes the place of the last one in one step. Who asks never waits:
//! neither for a feed nor for the next set. A feed that cannot be had, read or believed changes nothing; it is told by
//! `chatward intel status`, the metrics, the log, and, once it is stale, by the health of the process.
//!
//! `DIR/intel` holds the last good set, as keyed hashes under a key that only the vault makes, what is known of each feed
//! ([`state`]), and the house's own indicators. What customers wrote is in none of them.

mod fetch;
mod follow;
mod give;
mod own;
mod sightings;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use arc_swap::ArcSwap;
use chatward_detect::indicator::{
    Batch, Difference, IndicatorSet, Key, Matched, Record, Source, Value, WarningLists,
};
use chatward_intel::pattern::{Observation, Pattern};
use chatward_intel::{Limits, Refusal, Summary, add_list, shipped_warnings};
use chatward_message::{Clock, UnixMillis};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::intel::{Feed, Intel as Config, OWN};
use crate::seeing::{Health, Metrics};
pub use own::OwnEntry;
use sightings::Sightings;
use state::State;
pub(crate) use state::replace;

/// Patterns of all feeds together that are asked of what is seen.
const MOST_PATTERNS: usize = 2000;
/// How names of files end that answers are written to.
const PART: &str = ".part";

/// What turns are held against, as it is now.
struct Enforced {
    // Which one it is since the start.
    edition: u64,
    set: IndicatorSet,
    patterns: BTreeMap<Source, Arc<[Arc<Pattern>]>>,
    names: BTreeMap<Source, Arc<str>>,
}

/// What is configured, with the warning lists read.
struct Settings {
    config: Config,
    warnings: WarningLists,
}

/// Feeds, and what they list.
pub struct Intel {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    settings: ArcSwap<Settings>,
    enforced: ArcSwap<Enforced>,
    books: Mutex<State>,
    loaded: Once,
    /// One set is made at a time.
    merging: Mutex<()>,
    /// One looks at a feed, or gives to a place, at a time.
    turns: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    scratched: AtomicU64,
    changed: Notify,
    sightings: Mutex<Sightings>,
}

/// Something that was seen is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The feed that lists it, by its name; `own` for the house's own list.
    pub feed: Arc<str>,
    /// By what it was recognised; nothing for a pattern.
    pub matched: Option<Matched>,
    /// What is known of it.
    pub record: Record,
    /// The keyed hash of the indicator: its name in stores and logs; 0 for a pattern.
    pub id: u64,
}

impl Listed {
    /// How sure the feed is, from 0 to 1; 0.95 where it does not say.
    pub fn score(&self) -> f32 {
        f32::from(self.record.confidence.unwrap_or(95)) / 100.0
    }
}

/// How a feed stands, for `chatward intel status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// How many indicators count.
    pub indicators: u64,
    /// How many patterns count.
    pub patterns: u64,
    /// When it was last asked, in milliseconds since 1970; 0: never.
    pub asked: u64,
    /// When it last answered something that was taken.
    pub good: u64,
    /// Whether that is too long ago.
    pub stale: bool,
    /// How often in a row it could not be taken.
    pub failures: u64,
    /// Why not, the last time.
    pub error: Option<String>,
    /// Entries of the last answer that are malformed.
    pub malformed: u64,
    /// The first of them, by place.
    pub faults: Vec<String>,
    /// Indicators of it that warning lists stopped.
    pub stopped: u64,
}

/// What came of giving indicators and sightings to a place, for `chatward intel status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenStatus {
    /// Its name.
    pub name: String,
    /// When it was last tried, in milliseconds since 1970; 0: never.
    pub tried: u64,
    /// When it last took what it was given.
    pub good: u64,
    /// How many new objects it took then.
    pub objects: u64,
    /// Why not, the last time.
    pub error: Option<String>,
}

impl Intel {
    /// Nothing is read yet: see [`Intel::load`].
    pub(crate) fn new(
        folder: PathBuf,
        key: [u8; 16],
        clock: Arc<dyn Clock>,
        (health, metrics): (Arc<Health>, Arc<Metrics>),
        config: &Config,
    ) -> Self {
        let set = IndicatorSet::empty(Key::new(key));
        Self {
            folder,
            clock,
            health,
            metrics,
            settings: ArcSwap::from_pointee(Settings {
                config: config.clone(),
                warnings: WarningLists::default(),
            }),
            enforced: ArcSwap::from_pointee(Enforced {
                edition: 0,
                set,
                patterns: BTreeMap::new(),
                names: BTreeMap::new(),
            }),
            books: Mutex::default(),
            loaded: Once::new(),
            merging: Mutex::new(()),
            turns: Mutex::default(),
            scratched: AtomicU64::new(0),
            changed: Notify::new(),
            sightings: Mutex::default(),
        }
    }

    /// Reads warning lists and the last good set, once. What is damaged is left out, with a line in the log; feeds are then
    /// asked for all of it.
    pub fn load(&self) {
        self.loaded.call_once(|| {
            let config = self.settings.load().config.clone();
            if let Err(error) = self.folder_is_there() {
                tracing::error!(cause = %error, "the folder of threat intelligence cannot be made: nothing of it is kept");
            }
            state::sweep(&self.folder, PART);
            let (state, set) = state::load(&self.folder, self.key());
            *self.books() = state;
            *self.sightings.lock().unwrap_or_else(PoisonError::into_inner) = Sightings::read(&self.folder);
            self.set_settings(config);
            if let Some(set) = set {
                self.publish(set, None);
            }
            self.load_own();
            self.drop_unknown();
            self.tell();
        });
    }

    /// Takes a new configuration: feeds that are gone are dropped, the others are followed as it says now.
    pub(crate) fn configure(&self, config: &Config) {
        if self.settings.load().config == *config {
            return;
        }
        self.set_settings(config.clone());
        if self.loaded.is_completed() {
            // What warning lists say now holds for what is listed already, too.
            self.books().feeds.values_mut().for_each(state::FeedState::forget_version);
            self.drop_unknown();
            self.tell();
        }
        self.changed.notify_waiters();
    }

    /// The surest of what lists this now. Waits for nothing, and takes about a microsecond.
    pub fn lookup(&self, what: &Value, now: UnixMillis) -> Option<Listed> {
        let enforced = self.enforced.load();
        let hit = enforced.set.find(what, now)?;
        let feed = enforced.names.get(&hit.source).cloned().unwrap_or_else(|| OWN.into());
        Some(Listed { feed, matched: Some(hit.matched), record: hit.record, id: hit.id })
    }

    /// Everybody who lists this now.
    pub fn lookup_all(&self, what: &Value, now: UnixMillis) -> Vec<Listed> {
        let enforced = self.enforced.load();
        let mut all = Vec::new();
        enforced.set.find_all(what, now, &mut |hit| {
            let feed = enforced.names.get(&hit.source).cloned().unwrap_or_else(|| OWN.into());
            all.push(Listed { feed, matched: Some(hit.matched), record: hit.record, id: hit.id });
        });
        all
    }

    /// The first pattern that what was seen fits, in the order of time, and that is valid now.
    pub fn matches(&self, seen: &[Observation<'_>], now: UnixMillis) -> Option<Listed> {
        let enforced = self.enforced.load();
        for (source, patterns) in &enforced.patterns {
            let mut valid = patterns.iter().filter(|pattern| pattern.record.is_valid(now));
            if let Some(pattern) = valid.find(|pattern| pattern.matches(seen)) {
                let feed = enforced.names.get(source).cloned().unwrap_or_else(|| OWN.into());
                return Some(Listed { feed, matched: None, record: pattern.record, id: 0 });
            }
        }
        None
    }

    /// Whether there is any pattern: what was seen need not be collected for none.
    pub fn has_patterns(&self) -> bool {
        !self.enforced.load().patterns.is_empty()
    }

    /// Another number whenever something else may be listed; it begins anew at the start.
    pub(crate) fn edition(&self) -> u64 {
        self.enforced.load().edition
    }

    /// How many indicators count.
    pub fn len(&self) -> u64 {
        self.enforced.load().set.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How every feed stands.
    pub fn status(&self) -> Vec<FeedStatus> {
        let (settings, enforced, now) = (self.settings.load(), self.enforced.load(), self.clock.now());
        let books = self.books();
        let of = |name: &str| {
            let source = books.source(name);
            let patterns = source.and_then(|source| enforced.patterns.get(&source)).map_or(0, |p| p.len());
            (source.map_or(0, |source| enforced.set.count(source)), patterns as u64)
        };
        let mut all: Vec<FeedStatus> = settings
            .config
            .feeds
            .iter()
            .map(|feed| {
                let (indicators, patterns) = of(&feed.name);
                let state = books.feeds.get(&*feed.name).cloned().unwrap_or_default();
                let since = if state.good > 0 { state.good } else { state.known };
                let limit = u64::try_from(feed.stale_after.as_millis()).unwrap_or(u64::MAX);
                FeedStatus {
                    name: feed.name.to_string(),
                    indicators,
                    patterns,
                    asked: state.asked,
                    good: state.good,
                    stale: since > 0 && now.0.saturating_sub(since) > limit,
                    failures: state.failures,
                    error: state.error,
                    malformed: state.malformed,
                    faults: state.faults,
                    stopped: state.stopped,
                }
            })
            .collect();
        let (indicators, _) = of(OWN);
        if indicators > 0 {
            all.push(FeedStatus { name: OWN.to_owned(), indicators, ..FeedStatus::nothing() });
        }
        all
    }

    /// The house's own list, and what was taken off it.
    pub(crate) fn own_entries(&self) -> std::io::Result<Vec<OwnEntry>> {
        own::read(&self.folder)
    }

    fn key(&self) -> Key {
        self.enforced.load().set.key()
    }

    fn books(&self) -> MutexGuard<'_, State> {
        // What a panic left is what it was before: each change is one assignment.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who holds it alone looks at a feed, or gives to a place.
    fn turn_of(&self, what: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(what.to_owned()).or_default())
    }

    fn set_settings(&self, config: Config) {
        let mut warnings = shipped_warnings();
        for name in &config.own_domains {
            warnings.own(name);
        }
        for file in &config.warning_lists {
            let read = std::fs::File::open(file)
                .map_err(Into::into)
                .and_then(|mut open| add_list(&mut open, &Limits::default(), &mut warnings));
            if let Err(error) = read {
                tracing::error!(file = %file.display(), cause = %error, "a warning list is not read");
            }
        }
        self.settings.store(Arc::new(Settings { config, warnings }));
    }

    /// Drops what feeds listed that are in the configuration no more.
    fn drop_unknown(&self) {
        let settings = self.settings.load_full();
        let named = |name: &str| name == OWN || settings.config.feeds.iter().any(|feed| &*feed.name == name);
        let gone: Vec<Source> = {
            let mut books = self.books();
            let gone = books.sources.iter().filter(|(name, _)| !named(name));
            let gone: Vec<_> = gone.filter_map(|(_, number)| Source::new(*number)).collect();
            books.feeds.retain(|name, _| named(name));
            // Their numbers are given to nobody else as long as something of theirs is listed.
            books.sources.retain(|name, _| named(name));
            let now = self.clock.now().0;
            for feed in &settings.config.feeds {
                books.number(&feed.name);
                books.feeds.entry(feed.name.to_string()).or_default().known_from(now);
            }
            books.number(OWN);
            gone
        };
        let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        for source in gone {
            let set = self.enforced.load_full();
            let (next, difference) = set.set.merged(Batch::whole(set.set.key(), source, &settings.warnings));
            if difference.removed > 0 || set.patterns.contains_key(&source) {
                self.publish(next, Some((source, Vec::new())));
            }
        }
        self.publish_names();
    }

    /// Puts the next set in the place of the last, with the patterns of one source.
    fn publish(&self, set: IndicatorSet, patterns: Option<(Source, Vec<Arc<Pattern>>)>) {
        let old = self.enforced.load_full();
        let mut all = old.patterns.clone();
        if let Some((source, patterns)) = patterns {
            all.remove(&source);
            let room = MOST_PATTERNS.saturating_sub(all.values().map(|patterns| patterns.len()).sum());
            let patterns: Arc<[Arc<Pattern>]> = patterns.into_iter().take(room).collect();
            if !patterns.is_empty() {
                all.insert(source, patterns);
            }
        }
        let names = self.books().names();
        let edition = old.edition + 1;
        self.enforced.store(Arc::new(Enforced { edition, set, patterns: all, names }));
    }

    fn publish_names(&self) {
        let set = self.enforced.load_full();
        // An empty batch of a source that nobody has: the same shards.
        let nobody = Source::new(chatward_detect::indicator::MAX_SOURCE).unwrap_or_default();
        let settings = self.settings.load();
        let (same, _) = set.set.merged(Batch::more(set.set.key(), nobody, &settings.warnings));
        self.publish(same, None);
    }

    /// Metrics and health say how feeds stand.
    fn tell(&self) {
        let status = self.status();
        let now = self.clock.now().0;
        let mut text = String::new();
        let mut part = |name: &str, kind: &str, help: &str, value: &dyn Fn(&FeedStatus) -> u64| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for feed in &status {
                let _ = writeln!(text, "{name}{{feed=\"{}\"}} {}", feed.name, value(feed));
            }
        };
        part("chatward_intel_indicators", "gauge", "Indicators that count.", &|feed| feed.indicators);
        part("chatward_intel_patterns", "gauge", "Patterns that count.", &|feed| feed.patterns);
        part("chatward_intel_stale", "gauge", "Whether a feed is stale.", &|feed| u64::from(feed.stale));
        part("chatward_intel_failures", "gauge", "How often in a row a feed was not taken.", &|feed| {
            feed.failures
        });
        part(
            "chatward_intel_age_seconds",
            "gauge",
            "Since a feed was last taken.",
            &|feed| match feed.good {
                0 => 0,
                good => now.saturating_sub(good) / 1000,
            },
        );
        self.metrics.set_intel(text);
        let stale = status.iter().filter(|feed| feed.stale);
        self.health
            .set_stale(stale.map(|feed| format!("threat intelligence ({} is stale)", feed.name)).collect());
    }

    fn folder_is_there(&self) -> std::io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(&self.folder)
    }
}

impl FeedStatus {
    fn nothing() -> Self {
        Self {
            name: String::new(),
            indicators: 0,
            patterns: 0,
            asked: 0,
            good: 0,
            stale: false,
            failures: 0,
            error: None,
            malformed: 0,
            faults: Vec::new(),
            stopped: 0,
        }
    }
}

/// Why a feed was not taken. The text is for the operator: it holds no entry of the feed and no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// It could not be had.
    #[error(transparent)]
    Fetch(#[from] fetch::FetchError),
    /// It could not be read.
    #[error("the feed {0}")]
    Form(#[from] chatward_intel::FormFault),
    /// It is not believed.
    #[error("the feed is refused, what it said before stays: {0}")]
    Refused(#[from] Refusal),
    /// A file of ours, or the file it is in.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// Ours: the thread that reads it ended.
    #[error("the feed could not be worked on")]
    Thread,
}

/// What was read of a feed.
struct Said<'a> {
    batch: Batch<'a>,
    patterns: Vec<Pattern>,
    summary: Summary,
}

impl Intel {
    /// Judges what a feed says and puts it in force.
    fn take(&self, feed: &Feed, said: Said<'_>) -> Result<Difference, FeedError> {
        let Said { batch, patterns, summary } = said;
        let stopped: u64 = batch.stopped().values().sum();
        let (source, whole) = (batch.source(), batch.is_whole());
        let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.enforced.load_full();
        let (next, difference) = old.set.merged(batch);
        let judged = if whole {
            feed.acceptance.judge(&summary, stopped, &difference)
        } else {
            // What comes beside the rest takes nothing away but what it names.
            feed.acceptance.judge(&summary, stopped, &Difference { removed: 0, ..difference })
        };
        {
            let mut books = self.books();
            let state = books.feeds.entry(feed.name.to_string()).or_default();
            state.malformed = summary.malformed;
            state.faults = summary.faults.iter().take(5).map(ToString::to_string).collect();
            state.stopped = stopped;
        }
        judged?;
        // What comes beside the rest comes to what is known.
        let known = old.patterns.get(&source).filter(|_| !whole).map(|known| known.to_vec());
        let patterns = (whole || !patterns.is_empty()).then(|| {
            (source, known.into_iter().flatten().chain(patterns.into_iter().map(Arc::new)).collect())
        });
        drop(old);
        self.publish(next, patterns);
        Ok(difference)
    }

    /// Keeps the set and what is known of feeds.
    fn keep(&self, with_set: bool) {
        let enforced = self.enforced.load_full();
        let set = with_set.then_some(&enforced.set);
        let state = self.books().clone();
        if let Err(error) = state::keep(&self.folder, &state, set) {
            tracing::warn!(cause = %error, "the last good threat intelligence cannot be kept");
        }
    }

    fn source_of(&self, name: &str) -> Source {
        Source::new(self.books().number(name)).unwrap_or_default()
    }
}
