//! The set itself: shards of sorted hashes, each behind a filter, and what is asked of them.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher as _;
use std::net::IpAddr;
use std::sync::Arc;

use chatward_message::UnixMillis;
use siphasher::sip::SipHasher13;
use xorf::{BinaryFuse8, Filter as _};

use super::Record;
use super::batch::{Batch, Difference, Entry, split};
use super::record::{Packed, Source, source_of, unpack};
use super::value::{FileHash, Host, Network, Place, Value};

/// So many names above an observed one are asked, and so many parts of a path.
const NAMES: usize = 7;
const PARTS: usize = 6;
/// So many are asked at a time.
const TOGETHER: usize = 16;

/// The key of the hashes. Sets under different keys have nothing in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    first: u64,
    second: u64,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// What a hash is of; part of the key, so that a domain is never taken for a file.
#[derive(Debug, Clone, Copy)]
enum Sort {
    Domain = 1,
    PlaceBelow,
    PlaceExact,
    Network4,
    Network6,
    Md5,
    Sha1,
    Sha256,
    Email,
    Check,
}

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        let number = |part: &[u8]| part.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let (first, second) = bytes.split_at(8);
        Self { first: number(first), second: number(second) }
    }

    /// A number by which a file of the set knows its key, and which does not tell it.
    pub(super) fn check(self) -> u64 {
        self.hash(Sort::Check, b"indicators")
    }

    fn hasher(self, sort: Sort) -> SipHasher13 {
        SipHasher13::new_with_keys(self.first ^ sort as u64, self.second)
    }

    fn hash(self, sort: Sort, bytes: &[u8]) -> u64 {
        self.hasher(sort).hash(bytes)
    }

    /// The hash of an indicator.
    pub(super) fn listed(self, value: &Value, exact: bool) -> u64 {
        match value {
            Value::Domain(name) => self.hash(Sort::Domain, name.as_bytes()),
            Value::Url(place) if exact => self.hash(Sort::PlaceExact, place.text().as_bytes()),
            Value::Url(place) => self.hash(Sort::PlaceBelow, place.text().as_bytes()),
            Value::Network(network) => self.network(*network),
            Value::File(hash) => self.file(hash),
            Value::Email(address) => self.hash(Sort::Email, address.as_bytes()),
        }
    }

    fn file(self, hash: &FileHash) -> u64 {
        let sort = match hash {
            FileHash::Md5(_) => Sort::Md5,
            FileHash::Sha1(_) => Sort::Sha1,
            FileHash::Sha256(_) => Sort::Sha256,
        };
        self.hash(sort, hash.bytes())
    }

    fn network(self, network: Network) -> u64 {
        let mut bytes = [0; 17];
        bytes[0] = network.length();
        match network.address() {
            IpAddr::V4(a) => {
                bytes.iter_mut().skip(1).zip(a.octets()).for_each(|(to, byte)| *to = byte);
                self.hash(Sort::Network4, bytes.get(..5).unwrap_or_default())
            }
            IpAddr::V6(a) => {
                bytes.iter_mut().skip(1).zip(a.octets()).for_each(|(to, byte)| *to = byte);
                self.hash(Sort::Network6, &bytes)
            }
        }
    }
}

/// Which lengths of blocks a set has: as many bits as there are lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lengths {
    pub(super) v4: u64,
    pub(super) v6: [u64; 3],
}

impl Lengths {
    pub(super) fn add(&mut self, network: Network) {
        let length = usize::from(network.length());
        if network.address().is_ipv4() {
            self.v4 |= 1 << (length & 63);
        } else if let Some(word) = self.v6.get_mut(length / 64) {
            *word |= 1 << (length & 63);
        }
    }

    fn join(&mut self, other: Self) {
        self.v4 |= other.v4;
        self.v6.iter_mut().zip(other.v6).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// The lengths there are, from the longest: what is nearest is asked first.
    fn of(&self, address: IpAddr) -> impl Iterator<Item = u8> {
        let words = if address.is_ipv4() { [self.v4, 0, 0] } else { self.v6 };
        [(words[2], 128), (words[1], 64), (words[0], 0)]
            .into_iter()
            .flat_map(|(word, first)| bits(word, first))
    }
}

/// The bits that are set, from the highest, as numbers from `first` on.
fn bits(mut word: u64, first: u8) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let bit = 63u32.checked_sub(word.leading_zeros())?;
        word &= !(1 << bit);
        u8::try_from(bit).ok().map(|bit| first.saturating_add(bit))
    })
}

/// Hashes that begin with the same byte.
pub(super) struct Shard {
    pub(super) hashes: Box<[u64]>,
    pub(super) records: Box<[Packed]>,
    /// Nothing for an empty shard, or for hashes that no filter could be made of (then all of them are searched).
    filter: Option<BinaryFuse8>,
}

impl Shard {
    pub(super) const COUNT: usize = 256;

    pub(super) fn of(hash: u64) -> usize {
        usize::from(hash.to_be_bytes()[0])
    }

    /// A shard of hashes in their order.
    pub(super) fn new(hashes: &[u64], records: &[Packed]) -> Self {
        let twice = hashes.iter().zip(hashes.iter().skip(1)).any(|(one, next)| one == next);
        let filter = if hashes.is_empty() {
            None
        } else if twice {
            let mut different = hashes.to_vec();
            different.dedup();
            BinaryFuse8::try_from(&different).ok()
        } else {
            BinaryFuse8::try_from(hashes).ok()
        };
        Self { hashes: hashes.into(), records: records.into(), filter }
    }

    /// Whether it can have this hash: what the filter says, which is right about what it has not.
    fn may_have(&self, hash: u64) -> bool {
        match &self.filter {
            Some(filter) => filter.contains(&hash),
            None => !self.hashes.is_empty(),
        }
    }

    fn records(&self, hash: u64) -> &[Packed] {
        let start = self.hashes.partition_point(|h| *h < hash);
        let rest = self.hashes.get(start..).unwrap_or_default();
        let many = rest.iter().take_while(|h| **h == hash).count();
        self.records.get(start..start + many).unwrap_or_default()
    }

    fn memory(&self) -> usize {
        let filter = self.filter.as_ref().map_or(0, |filter| filter.fingerprints.len());
        self.hashes.len() * size_of::<u64>() + self.records.len() * size_of::<Packed>() + filter
    }
}

/// By what something observed was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Matched {
    /// Its very address of the web, or one above it.
    Url,
    /// Its host, or one above it.
    Domain,
    /// Its IP address, or a block with it.
    Network,
    /// Its hash.
    File,
    /// Its e-mail address.
    Email,
}

impl Matched {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Domain => "domain",
            Self::Network => "network",
            Self::File => "file",
            Self::Email => "email",
        }
    }
}

/// Something observed is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// By what it was recognised.
    pub matched: Matched,
    /// Who lists it.
    pub source: Source,
    /// What is known of it.
    pub record: Record,
    /// The keyed hash of the indicator: its name in stores and logs, which tells nobody what it is.
    pub id: u64,
}

/// An unchanging set of indicators.
pub struct IndicatorSet {
    pub(super) key: Key,
    pub(super) shards: Box<[Arc<Shard>]>,
    pub(super) lengths: Lengths,
    counts: BTreeMap<Source, u64>,
}

impl fmt::Debug for IndicatorSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndicatorSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl IndicatorSet {
    /// A set of nothing.
    pub fn empty(key: Key) -> Self {
        let nothing = Arc::new(Shard::new(&[], &[]));
        let shards = vec![nothing; Shard::COUNT].into();
        Self { key, shards, lengths: Lengths::default(), counts: BTreeMap::new() }
    }

    pub(super) fn from_shards(key: Key, lengths: Lengths, shards: Vec<Arc<Shard>>) -> Self {
        let mut counts = BTreeMap::new();
        for packed in shards.iter().flat_map(|shard| shard.records.iter()) {
            *counts.entry(source_of(packed)).or_default() += 1;
        }
        Self { key, shards: shards.into(), lengths, counts }
    }

    /// The key of its hashes.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// How many indicators there are; one that several sources list counts once for each.
    pub fn len(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many this source lists.
    pub fn count(&self, source: Source) -> u64 {
        self.counts.get(&source).copied().unwrap_or(0)
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        self.shards.iter().map(|shard| shard.memory()).sum()
    }

    /// The surest of what lists this and is valid now, the most exact of several.
    pub fn find(&self, observed: &Value, now: UnixMillis) -> Option<Hit> {
        let mut best: Option<Hit> = None;
        self.find_all(observed, now, &mut |hit| {
            let surer = best.is_none_or(|best| hit.record.confidence > best.record.confidence);
            if surer {
                best = Some(hit);
            }
        });
        best
    }

    /// Everything that lists this and is valid now, the most exact first.
    pub fn find_all(&self, observed: &Value, now: UnixMillis, take: &mut dyn FnMut(Hit)) {
        let mut asked = [(Matched::Url, 0); TOGETHER];
        let mut many = 0;
        self.each(observed, &mut |matched, hash, _| {
            if let Some(slot) = asked.get_mut(many) {
                *slot = (matched, hash);
                many += 1;
            }
            if many == TOGETHER {
                self.ask(&asked, now, take);
                many = 0;
            }
        });
        self.ask(asked.get(..many).unwrap_or_default(), now, take);
    }

    /// The indicator with this id, of those that list what was observed: what the list names, which may be less than what was
    /// observed (a host of a longer address, a block of addresses).
    pub fn named(&self, observed: &Value, id: u64) -> Option<Value> {
        let mut named = None;
        self.each(observed, &mut |_, hash, part| {
            if hash == id && named.is_none() {
                named = part.value(observed);
            }
        });
        named
    }

    /// Everything that can list this, the most exact first: how, by which hash, and what it would name.
    fn each(&self, observed: &Value, ask: &mut dyn FnMut(Matched, u64, Part<'_>)) {
        match observed {
            Value::Domain(name) => self.names(name, ask),
            Value::Url(place) => {
                self.places(place, ask);
                match place.host() {
                    Host::Name(name) => self.names(name, ask),
                    Host::Address(address) => self.networks(Network::one(*address), ask),
                }
            }
            Value::Network(network) => self.networks(*network, ask),
            Value::File(hash) => ask(Matched::File, self.key.file(hash), Part::Whole),
            Value::Email(address) => {
                ask(Matched::Email, self.key.hash(Sort::Email, address.as_bytes()), Part::Whole);
                self.names(address.rsplit('@').next().unwrap_or_default(), ask);
            }
        }
    }

    /// Asks all filters first: memory answers several at a time, and nearly always there is nothing more to ask.
    fn ask(&self, asked: &[(Matched, u64)], now: UnixMillis, take: &mut dyn FnMut(Hit)) {
        let shard = |hash: u64| self.shards.get(Shard::of(hash));
        let mut some = 0_u32;
        for (at, (_, hash)) in asked.iter().enumerate() {
            some |= u32::from(shard(*hash).is_some_and(|shard| shard.may_have(*hash))) << at;
        }
        if some == 0 {
            return;
        }
        for (_, (matched, hash)) in asked.iter().enumerate().filter(|(at, _)| some >> at & 1 == 1) {
            for packed in shard(*hash).map(|shard| shard.records(*hash)).unwrap_or_default() {
                let (source, record) = unpack(packed);
                if record.is_valid(now) {
                    take(Hit { matched: *matched, source, record, id: *hash });
                }
            }
        }
    }

    /// The name and those above it that somebody can have registered.
    fn names(&self, name: &str, ask: &mut dyn FnMut(Matched, u64, Part<'_>)) {
        for start in starts(name) {
            let above = name.get(start..).unwrap_or_default();
            ask(Matched::Domain, self.key.hash(Sort::Domain, above.as_bytes()), Part::Name(above));
        }
    }

    fn places(&self, place: &Place, ask: &mut dyn FnMut(Matched, u64, Part<'_>)) {
        let (text, path) = (place.text(), place.without_query());
        ask(Matched::Url, self.key.hash(Sort::PlaceExact, text.as_bytes()), Part::Whole);
        if path.len() < text.len() && path.len() > place.host_ends() {
            let part = Part::Place(0, path.len());
            ask(Matched::Url, self.key.hash(Sort::PlaceExact, path.as_bytes()), part);
        }
        let tail = path.get(place.host_ends()..).unwrap_or_default();
        let slashes = tail.match_indices('/').map(|(at, _)| at).skip(1).take(PARTS);
        let ends = slashes.chain((!tail.is_empty()).then_some(tail.len()));
        let host = path.get(..place.host_ends()).unwrap_or_default();
        let starts: &mut dyn Iterator<Item = usize> = match place.host() {
            Host::Name(_) => &mut starts(host),
            Host::Address(_) => &mut std::iter::once(0),
        };
        for start in starts {
            // Each begins with the one before.
            let (mut hasher, mut from) = (self.key.hasher(Sort::PlaceBelow), start);
            for end in ends.clone() {
                let to = place.host_ends() + end;
                hasher.write(path.get(from..to).unwrap_or_default().as_bytes());
                from = to;
                ask(Matched::Url, hasher.finish(), Part::Place(start, to));
            }
        }
    }

    fn networks(&self, network: Network, ask: &mut dyn FnMut(Matched, u64, Part<'_>)) {
        for length in self.lengths.of(network.address()).filter(|length| *length <= network.length()) {
            if let Some(block) = network.block(length) {
                ask(Matched::Network, self.key.network(block), Part::Network(block));
            }
        }
    }

    /// The set after this batch, and how it differs. This one stays as it is; shards that do not change are shared.
    pub fn merged(&self, batch: Batch<'_>) -> (Self, Difference) {
        let mut difference = Difference::default();
        let Batch { source, replaces, shards: new, gone, lengths: more, .. } = batch;
        let shards = self.shards.iter().zip(new).zip(gone);
        let mut merged = (Vec::new(), Vec::new());
        let shards: Box<[Arc<Shard>]> = shards
            .map(|((old, mut new), mut gone)| {
                if new.is_empty() && gone.is_empty() && !replaces {
                    return Arc::clone(old);
                }
                new.sort_unstable();
                gone.sort_unstable();
                let change = Change { source, replaces, new: &new, gone: &gone };
                let before = (difference.added, difference.removed, difference.changed);
                change.merge(old, &mut difference, &mut merged);
                if before == (difference.added, difference.removed, difference.changed) {
                    return Arc::clone(old);
                }
                Arc::new(Shard::new(&merged.0, &merged.1))
            })
            .collect();
        let mut lengths = self.lengths;
        lengths.join(more);
        let mut counts = self.counts.clone();
        let count = counts.entry(source).or_default();
        *count = (*count + difference.added).saturating_sub(difference.removed);
        if !replaces {
            difference.kept = count.saturating_sub(difference.added + difference.changed);
        }
        counts.retain(|_, count| *count > 0);
        (Self { key: self.key, shards, lengths, counts }, difference)
    }
}

/// Where the parts of a name begin that are asked: the name itself, and its last labels, at least two of them.
fn starts(name: &str) -> impl Iterator<Item = usize> + '_ {
    let dots = name.bytes().filter(|b| *b == b'.').count();
    let mut left = dots;
    let inner = name.match_indices('.').map(|(at, _)| at + 1);
    std::iter::once(0).chain(inner.filter(move |_| {
        left -= 1;
        (1..NAMES).contains(&left)
    }))
}

/// What of something observed an indicator would name.
enum Part<'a> {
    /// All of it.
    Whole,
    /// A name.
    Name(&'a str),
    /// Of a place on a host, from here to there.
    Place(usize, usize),
    /// A block of addresses.
    Network(Network),
}

impl Part<'_> {
    fn value(&self, observed: &Value) -> Option<Value> {
        Some(match (self, observed) {
            (Self::Whole, whole) => whole.clone(),
            (Self::Name(name), _) => Value::Domain((*name).into()),
            (Self::Place(start, end), Value::Url(place)) => Value::Url(place.part(*start, *end)?),
            (Self::Place(..), _) => return None,
            (Self::Network(network), _) => Value::Network(*network),
        })
    }
}

/// What becomes of one shard.
struct Change<'a> {
    source: Source,
    replaces: bool,
    new: &'a [Entry],
    gone: &'a [u64],
}

impl Change<'_> {
    /// Fills `out` with what the shard will have: hashes and records.
    fn merge(&self, old: &Shard, difference: &mut Difference, out: &mut (Vec<u64>, Vec<Packed>)) {
        let (hashes, records) = out;
        hashes.clear();
        records.clear();
        let mut put = |hash: u64, packed: Packed| {
            hashes.push(hash);
            records.push(packed);
        };
        let mut new = self.news().peekable();
        let before = old.hashes.iter().copied().zip(old.records.iter().copied());
        for (hash, packed) in before {
            let place = (hash, source_of(&packed));
            // What is new and stands before.
            while let Some((hash, packed)) = new.next_if(|(hash, _)| (*hash, self.source) < place) {
                difference.added += 1;
                put(hash, packed);
            }
            if place.1 != self.source {
                put(hash, packed);
            } else if let Some((_, now)) = new.next_if(|(new, _)| *new == hash) {
                let same = now == packed;
                difference.kept += u64::from(same);
                difference.changed += u64::from(!same);
                put(hash, now);
            } else if self.replaces || self.gone.binary_search(&hash).is_ok() {
                difference.removed += 1;
            } else {
                difference.kept += 1;
                put(hash, packed);
            }
        }
        for (hash, packed) in new {
            difference.added += 1;
            put(hash, packed);
        }
    }

    /// The last of those that name the same: they are sorted by how long and how surely they hold.
    fn news(&self) -> impl Iterator<Item = (u64, Packed)> {
        let next = self.new.iter().skip(1).map(Some).chain(std::iter::once(None));
        self.new.iter().zip(next).filter_map(|(entry, next)| {
            let (hash, packed) = split(entry);
            next.is_none_or(|next| split(next).0 != hash).then_some((hash, packed))
        })
    }
}
