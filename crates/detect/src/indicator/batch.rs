//! What a source says now, on its way into a set.

use std::collections::BTreeMap;

use super::record::{Packed, Source, pack};
use super::set::{IndicatorSet, Key, Shard};
use super::value::{Value, ValueFault};
use super::warn::{Stopped, WarningLists};
use super::{Indicator, Record};

/// Hash and record, most significant byte first: so they are sorted by hash, then by source.
pub(super) type Entry = [u8; 18];

/// What a source says now: collected one by one, without keeping the texts (18 bytes each).
#[derive(Debug)]
pub struct Batch<'a> {
    key: Key,
    warnings: &'a WarningLists,
    pub(super) source: Source,
    pub(super) replaces: bool,
    pub(super) shards: Vec<Vec<Entry>>,
    pub(super) gone: Vec<Vec<u64>>,
    pub(super) lengths: super::set::Lengths,
    taken: u64,
    stopped: BTreeMap<Stopped, u64>,
}

/// How a set differs from the one it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Indicators of the source that are new.
    pub added: u64,
    /// Those that are gone.
    pub removed: u64,
    /// Those of which something else is known now.
    pub changed: u64,
    /// Those that are as they were.
    pub kept: u64,
}

impl Difference {
    /// How many there were before.
    pub const fn before(&self) -> u64 {
        self.removed + self.changed + self.kept
    }

    /// How many there are now.
    pub const fn after(&self) -> u64 {
        self.added + self.changed + self.kept
    }
}

impl<'a> Batch<'a> {
    /// Everything that the source says: what it said before and says no longer is dropped.
    pub fn whole(key: Key, source: Source, warnings: &'a WarningLists) -> Self {
        Self::new(key, source, warnings, true)
    }

    /// What the source says beside what it said before.
    pub fn more(key: Key, source: Source, warnings: &'a WarningLists) -> Self {
        Self::new(key, source, warnings, false)
    }

    fn new(key: Key, source: Source, warnings: &'a WarningLists, replaces: bool) -> Self {
        Self {
            key,
            warnings,
            source,
            replaces,
            shards: vec![Vec::new(); Shard::COUNT],
            gone: vec![Vec::new(); Shard::COUNT],
            lengths: super::set::Lengths::default(),
            taken: 0,
            stopped: BTreeMap::new(),
        }
    }

    /// Takes an indicator. Of several that name the same, the one counts that holds longest, then the surest.
    ///
    /// # Errors
    /// Says which warning list stops it.
    pub fn add(&mut self, indicator: &Indicator) -> Result<(), Stopped> {
        let Indicator { value, record } = indicator;
        if let Err(stopped) = self.warnings.judge(value) {
            *self.stopped.entry(stopped).or_default() += 1;
            return Err(stopped);
        }
        if let Value::Network(network) = value {
            self.lengths.add(*network);
        }
        let hash = self.hash(value);
        self.put(hash, record);
        Ok(())
    }

    /// The source takes it back. Beside an addition of the same in this batch it counts for nothing.
    pub fn remove(&mut self, value: &Value) {
        let hash = self.hash(value);
        if let Some(gone) = self.gone.get_mut(Shard::of(hash)) {
            gone.push(hash);
        }
    }

    /// Whose it is.
    pub const fn source(&self) -> Source {
        self.source
    }

    /// Whether it is everything that the source says.
    pub const fn is_whole(&self) -> bool {
        self.replaces
    }

    /// How many were taken.
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// How many were stopped, and by what.
    pub const fn stopped(&self) -> &BTreeMap<Stopped, u64> {
        &self.stopped
    }

    fn put(&mut self, hash: u64, record: &Record) {
        let mut entry: Entry = [0; 18];
        let bytes = hash.to_be_bytes().into_iter().chain(pack(self.source, record));
        entry.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        if let Some(shard) = self.shards.get_mut(Shard::of(hash)) {
            if shard.len() == shard.capacity() {
                // By a quarter, not to twice: all shards grow at the same time.
                shard.reserve_exact((shard.len() / 4).max(4));
            }
            shard.push(entry);
            self.taken += 1;
        }
    }

    fn hash(&self, value: &Value) -> u64 {
        let exact =
            matches!(value, Value::Url(place) if place.has_query() || self.warnings.is_common(place.host()));
        self.key.listed(value, exact)
    }
}

pub(super) fn split(entry: &Entry) -> (u64, Packed) {
    let (mut hash, mut packed) = ([0; 8], [0; 10]);
    hash.iter_mut().zip(entry).for_each(|(to, byte)| *to = *byte);
    packed.iter_mut().zip(entry.iter().skip(8)).for_each(|(to, byte)| *to = *byte);
    (u64::from_be_bytes(hash), packed)
}

impl IndicatorSet {
    /// A set of what these texts name, for tests and small lists.
    ///
    /// # Errors
    /// The first text that names nothing.
    pub fn of<'t>(key: Key, texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ValueFault> {
        let warnings = WarningLists::default();
        let mut batch = Batch::whole(key, Source::default(), &warnings);
        for text in texts {
            let value = Value::guess(text)?;
            // Without lists only what is nobody's is stopped.
            let _ = batch.add(&Indicator { value, record: Record::default() });
        }
        Ok(Self::empty(key).merged(batch).0)
    }
}
