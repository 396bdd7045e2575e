//! Sets of indicators: tens of millions of names, addresses and hashes, asked in well under a microsecond.
//!
//! A set holds no texts. Each indicator is a keyed 64-bit hash of what it names (SipHash-1-3, so that nobody outside can
//! aim at a collision), and ten bytes of what is known of it. The hashes are spread over 256 shards, each sorted behind a
//! binary fuse filter, which tells most of what is not listed in one look. A set never changes: [`IndicatorSet::merged`]
//! makes the next one from it and from what a source says now, shard by shard, and shares the shards that stay. Whoever
//! asks the old set goes on asking it.
//!
//! What is compared with what:
//!
//! - A listed domain matches itself and everything below it; so does a listed URL that names a host only.
//! - A listed URL with a path matches that path, everything below it, and hosts below its host, whatever the query. With a
//!   query, or on a host that [`WarningLists`] name, it matches exactly what it names: it never makes its host match.
//! - An observed host is asked with its last labels, at most seven, an observed path with its first parts, at most six.
//! - Blocks of addresses are hashes too: an address is asked once for each length of a block that the set has.

mod batch;
mod file;
mod record;
mod set;
mod value;
mod warn;

#[cfg(test)]
mod tests;

pub use batch::{Batch, Difference};
pub use file::{FileFault, LONGEST_FILE};
pub use record::{MAX_SOURCE, Record, Source, Tlp};
pub use set::{Hit, IndicatorSet, Key, Matched};
pub use value::{FileHash, Host, LONGEST, Network, Place, Value, ValueFault};
pub use warn::{Stopped, WarningLists};

/// An indicator: what it names, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// What it names.
    pub value: Value,
    /// What is known of it.
    pub record: Record,
}
