//! What is known of an indicator, in ten bytes.

use chatward_message::{Threat, UnixMillis};

/// 2000-01-01T00:00:00Z in Unix seconds: times are counted from here.
const EPOCH: u64 = 946_684_800;
/// The step of times, in seconds.
const STEP: u64 = 15;
/// The last step that can be named (the year 2063): it stands for no end.
const OPEN: u32 = (1 << 27) - 1;
/// A confidence that nobody named.
const UNNAMED: u8 = 127;
/// The highest number of a source.
pub const MAX_SOURCE: u16 = (1 << 12) - 1;

/// Which feed said it, as a number that the caller gives (at most [`MAX_SOURCE`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Source(u16);

impl Source {
    /// The source of this number; nothing beyond [`MAX_SOURCE`].
    pub const fn new(number: u16) -> Option<Self> {
        if number <= MAX_SOURCE { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// With whom it may be shared (FIRST's Traffic Light Protocol 2.0). The order is that of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Tlp {
    /// Nobody said.
    #[default]
    Unmarked,
    /// With everybody (`WHITE` in TLP 1.0).
    Clear,
    /// Within the community.
    Green,
    /// Within the organisation and its clients.
    Amber,
    /// Within the organisation.
    AmberStrict,
    /// With those who were told.
    Red,
}

impl Tlp {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Unmarked, Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// As it is written, without `TLP:`; nothing if nobody said.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Unmarked => return None,
            Self::Clear => "clear",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::AmberStrict => "amber+strict",
            Self::Red => "red",
        })
    }

    /// The one that is written so, in any case, with or without `TLP:`.
    pub fn read(text: &str) -> Option<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let word = lower.strip_prefix("tlp:").unwrap_or(&lower);
        if word == "white" {
            return Some(Self::Clear);
        }
        Self::ALL.into_iter().find(|tlp| tlp.name() == Some(word))
    }
}

/// What is known of an indicator beside what it names. Times are kept to 15 seconds, in favour of it being valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Record {
    /// Valid from then on; nothing: always was.
    pub from: Option<UnixMillis>,
    /// Valid until then; nothing: without end.
    pub until: Option<UnixMillis>,
    /// How sure the source is, from 0 to 100.
    pub confidence: Option<u8>,
    /// With whom it may be shared.
    pub tlp: Tlp,
    /// What it is a sign of.
    pub threat: Option<Threat>,
}

impl Record {
    /// Whether it counts at this time.
    pub fn is_valid(&self, now: UnixMillis) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// Source and record in 80 bits, most significant byte first: source (12), until (27), confidence (7), from (27), TLP (3),
/// threat (4). So the order of the bytes is that of the source, then of how long and how surely it holds.
pub(super) type Packed = [u8; 10];

pub(super) fn pack(source: Source, record: &Record) -> Packed {
    let until = record.until.map_or(OPEN, |until| step(until.0.div_ceil(1000), true));
    let from = record.from.map_or(0, |from| step(from.0 / 1000, false));
    let confidence = record.confidence.map_or(UNNAMED, |c| c.min(100));
    let threat = record.threat.map_or(0, |threat| {
        Threat::ALL.iter().position(|t| *t == threat).map_or(0, |at| u8::try_from(at + 1).unwrap_or(0))
    });
    let mut bits = u128::from(source.0 & MAX_SOURCE);
    for (value, width) in [
        (until, 27),
        (u32::from(confidence), 7),
        (from, 27),
        (record.tlp as u32, 3),
        (u32::from(threat & 15), 4),
    ] {
        bits = bits << width | u128::from(value);
    }
    let mut packed = [0; 10];
    packed.iter_mut().zip(bits.to_be_bytes().into_iter().skip(6)).for_each(|(to, byte)| *to = byte);
    packed
}

pub(super) fn source_of(packed: &Packed) -> Source {
    let [first, second, ..] = packed;
    Source(u16::from(*first) << 4 | u16::from(*second) >> 4)
}

pub(super) fn unpack(packed: &Packed) -> (Source, Record) {
    let mut bits = packed.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut take = |width: u32| {
        let value = u32::try_from(bits & ((1 << width) - 1)).unwrap_or(0);
        bits >>= width;
        value
    };
    let threat = usize::try_from(take(4)).ok().and_then(|at| Threat::ALL.get(at.checked_sub(1)?).copied());
    let tlp = usize::try_from(take(3)).ok().and_then(|at| Tlp::ALL.get(at).copied()).unwrap_or_default();
    let from = take(27);
    let confidence = u8::try_from(take(7)).ok().filter(|c| *c <= 100);
    let until = take(27);
    let record = Record {
        from: (from > 0).then(|| time(from)),
        until: (until < OPEN).then(|| time(until)),
        confidence,
        tlp,
        threat,
    };
    (source_of(packed), record)
}

fn step(seconds: u64, up: bool) -> u32 {
    let since = seconds.saturating_sub(EPOCH);
    let steps = if up { since.div_ceil(STEP) } else { since / STEP };
    u32::try_from(steps).unwrap_or(OPEN).min(OPEN)
}

fn time(step: u32) -> UnixMillis {
    UnixMillis((EPOCH + u64::from(step) * STEP) * 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_comes_back(
            source in 0..=MAX_SOURCE,
            from in proptest::option::of(EPOCH + STEP..2_900_000_000u64),
            until in proptest::option::of(EPOCH..2_900_000_000u64),
            confidence in proptest::option::of(0u8..=100),
            tlp in 0usize..6,
            threat in proptest::option::of(0usize..Threat::ALL.len()),
        ) {
            let record = Record {
                from: from.map(|s| UnixMillis(s * 1000)),
                until: until.map(|s| UnixMillis(s * 1000)),
                confidence,
                tlp: Tlp::ALL[tlp],
                threat: threat.map(|at| Threat::ALL[at]),
            };
            let source = Source::new(source).unwrap();
            let (same, back) = unpack(&pack(source, &record));
            prop_assert_eq!(same, source);
            prop_assert_eq!((back.confidence, back.tlp, back.threat), (confidence, record.tlp, record.threat));
            let gap = |a: Option<UnixMillis>, b: Option<UnixMillis>| match (a, b) {
                (Some(a), Some(b)) => a.0.abs_diff(b.0) < STEP * 1000,
                (a, b) => a == b,
            };
            prop_assert!(gap(record.from, back.from) && gap(record.until, back.until));
            prop_assert!(back.from <= record.from);
            prop_assert!(back.until.is_none() || back.until >= record.until);
        }
    }

    #[test]
    fn an_end_beyond_all_steps_is_none() {
        let far = Record { until: Some(UnixMillis(u64::MAX)), ..Record::default() };
        assert_eq!(unpack(&pack(Source::new(1).unwrap(), &far)).1.until, None);
    }

    #[test]
    fn words_of_the_traffic_lights_are_read() {
        assert_eq!(Tlp::read("TLP:WHITE"), Some(Tlp::Clear));
        assert_eq!(Tlp::read("tlp:amber+strict"), Some(Tlp::AmberStrict));
        assert_eq!(Tlp::read("tlp:pink"), None);
    }
}
