//! What is counted of one conversation, account, network or text: a value of fixed size.

use super::signal::{Persona, Signal, Signals, ValueKind};
use super::sketch::{Sketch, mix};

/// Values remembered of each subject, of all kinds together: the newest.
pub(crate) const RECENT: usize = 32;
/// Requests remembered that were refused: the newest.
pub(crate) const REFUSED: usize = 4;
/// Rules there can be.
pub(crate) const RULES: usize = 48;
/// One, in the fixed point of counters.
pub(crate) const ONE: u32 = 1 << 16;
/// For how long a refused request can come again, in seconds.
const REFUSED_FOR: u32 = 3600;

/// Seconds since 1970.
pub(crate) type Seconds = u32;

/// A value that was seen, by 28 bits of its keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Recent {
    /// When last; 0 for an empty place.
    pub at: Seconds,
    /// Hash and kind: `hash << 4 | kind`.
    pub print: u32,
}

impl Recent {
    pub(crate) const fn new(kind: ValueKind, key: u64, at: Seconds) -> Self {
        // 28 bits of the hash are kept.
        let hash = (mix(key) >> 36) as u32;
        Self { at, print: (hash << 4) | kind as u32 }
    }

    /// The number of its kind.
    pub(crate) const fn kind(self) -> usize {
        (self.print & 15) as usize
    }

    const fn is_kind(self, kind: ValueKind) -> bool {
        self.print & 15 == kind as u32
    }
}

/// A request: its likeness and what it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Asked {
    /// When; 0 for none.
    pub at: Seconds,
    pub bits: u64,
    pub words: u16,
    /// The sensitive signals in it, as bits.
    pub wanted: u32,
}

impl Asked {
    fn sketch(self) -> Sketch {
        Sketch { bits: self.bits, words: self.words }
    }
}

/// The counts of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject {
    pub key: u64,
    /// When it was touched last.
    pub seen: Seconds,
    /// Decaying counts in 65,536ths, as they were at `seen`.
    pub counts: [u32; Signal::COUNT],
    /// When each signal was seen last; 0 for never.
    pub last: [Seconds; Signal::COUNT],
    /// Values seen, not in order; empty places are at the end.
    pub recent: [Recent; RECENT],
    /// When each rule held last; 0 for never.
    pub raised: [Seconds; RULES],
    /// The newest request of the customer.
    pub asked: Asked,
    /// Requests that were refused.
    pub refused: [Asked; REFUSED],
    pub persona: Persona,
    /// The most records in one answer.
    pub records: u16,
}

impl Subject {
    pub(crate) const fn new(key: u64, seen: Seconds) -> Self {
        const NONE: Asked = Asked { at: 0, bits: 0, words: 0, wanted: 0 };
        Self {
            key,
            seen,
            counts: [0; Signal::COUNT],
            last: [0; Signal::COUNT],
            recent: [Recent { at: 0, print: 0 }; RECENT],
            raised: [0; RULES],
            asked: NONE,
            refused: [NONE; REFUSED],
            persona: Persona::None,
            records: 0,
        }
    }

    /// Lets the counts decay up to `now`. A time that was already passed changes nothing.
    pub(crate) fn decay(&mut self, now: Seconds, half_life: HalfLife) {
        let passed = now.saturating_sub(self.seen);
        if passed == 0 {
            return;
        }
        self.seen = now;
        let (slow, quick) = (half_life.left(passed, half_life.slow), half_life.left(passed, half_life.quick));
        for (signal, count) in Signal::ALL.iter().zip(&mut self.counts) {
            if *count != 0 {
                let left = if signal.is_quick() { quick } else { slow };
                // Rounded down, so that a count ends at zero.
                *count = u32::try_from((u64::from(*count) * left) >> 32).unwrap_or(*count);
            }
        }
    }

    /// Adds so many 65,536ths.
    pub(crate) fn add(&mut self, signal: Signal, much: u32, now: Seconds) {
        if let Some(count) = self.counts.get_mut(signal as usize) {
            *count = count.saturating_add(much);
        }
        if let Some(last) = self.last.get_mut(signal as usize) {
            *last = now.max(*last);
        }
    }

    /// Whether a value was seen before.
    pub(crate) fn knows(&self, value: Recent) -> bool {
        self.recent.iter().any(|known| known.at != 0 && known.print == value.print)
    }

    /// A value was seen; the oldest makes room for it.
    pub(crate) fn remember(&mut self, value: Recent) {
        if let Some(known) = self.recent.iter_mut().find(|r| r.at != 0 && r.print == value.print) {
            known.at = known.at.max(value.at);
        } else if let Some(oldest) = self.recent.iter_mut().min()
            && *oldest < value
        {
            *oldest = value;
        }
    }

    /// Forgets the values that were seen before.
    pub(crate) fn forget_values(&mut self, before: Seconds) {
        for value in self.recent.iter_mut().filter(|value| value.at < before) {
            *value = Recent { at: 0, print: 0 };
        }
        // Empty places are at the end.
        self.recent.sort_unstable_by_key(|value| std::cmp::Reverse(value.at));
    }

    /// How many different values of these kinds were seen within so many seconds, and since when.
    pub(crate) fn distinct(&self, kinds: &[ValueKind], within: Seconds, now: Seconds) -> (u32, Seconds) {
        let from = now.saturating_sub(within).max(1);
        self.recent
            .iter()
            .filter(|r| r.at >= from && kinds.iter().any(|kind| r.is_kind(*kind)))
            .fold((0, now), |(count, since), r| (count + 1, since.min(r.at)))
    }

    /// The decayed count of these signals, in 65,536ths.
    pub(crate) fn count(&self, signals: Signals) -> u32 {
        signals.iter().fold(0, |sum: u32, signal| {
            sum.saturating_add(self.counts.get(signal as usize).copied().unwrap_or_default())
        })
    }

    /// When one of these signals was seen last, if that is within so many seconds.
    pub(crate) fn last(&self, signals: Signals, within: Seconds, now: Seconds) -> Option<Seconds> {
        let last = signals.iter().filter_map(|signal| self.last.get(signal as usize)).max()?;
        (*last != 0 && now.saturating_sub(*last) <= within).then_some(*last)
    }

    /// The newest request was refused.
    pub(crate) fn refuse(&mut self) {
        if self.asked.at == 0 {
            return;
        }
        if let Some(oldest) = self.refused.iter_mut().min() {
            *oldest = self.asked;
        }
        self.asked = Asked::default();
    }

    /// Whether this was refused already: the same sensitive thing, or much the same words.
    pub(crate) fn was_refused(&self, asked: &Asked) -> bool {
        self.refused.iter().any(|before| {
            before.at != 0
                && asked.at.saturating_sub(before.at) <= REFUSED_FOR
                && (before.wanted & asked.wanted != 0 || before.sketch().is_like(asked.sketch()))
        })
    }

    /// How much would be lost with it: the time of the last touch, put off by what is suspicious in it, in seconds.
    pub(crate) fn worth(&self) -> Seconds {
        const EACH: u32 = 600;
        const MOST: u32 = 6 * 3600;
        let ordinary = Signals::NONE
            .with(Signal::Message)
            .with(Signal::Kibibyte)
            .with(Signal::Record)
            .with(Signal::VerificationAsked)
            .with(Signal::VerificationPassed);
        let marked = Signal::ALL
            .iter()
            .zip(&self.counts)
            .filter(|(signal, count)| **count >= ONE / 2 && !ordinary.contains(**signal))
            .count();
        let values = self.recent.iter().filter(|r| r.at != 0).count();
        let marks = u32::try_from(marked + values / 4).unwrap_or(u32::MAX);
        self.seen.saturating_add(marks.saturating_mul(EACH).min(MOST))
    }

    /// Puts in what another gateway counted of the same subject. Counts are added, times and values joined.
    pub(crate) fn merge(&mut self, other: &Self, half_life: HalfLife) {
        let mut other = other.clone();
        let now = self.seen.max(other.seen);
        self.decay(now, half_life);
        other.decay(now, half_life);
        for (mine, its) in self.counts.iter_mut().zip(other.counts) {
            *mine = mine.saturating_add(its);
        }
        for (mine, its) in self.last.iter_mut().zip(other.last) {
            *mine = its.max(*mine);
        }
        for (mine, its) in self.raised.iter_mut().zip(other.raised) {
            *mine = its.max(*mine);
        }
        for value in other.recent.into_iter().filter(|r| r.at != 0) {
            self.remember(value);
        }
        for its in other.refused.into_iter().filter(|asked| asked.at != 0) {
            if self.refused.contains(&its) {
                continue;
            }
            if let Some(oldest) = self.refused.iter_mut().min()
                && *oldest < its
            {
                *oldest = its;
            }
        }
        self.asked = self.asked.max(other.asked);
        self.persona = self.persona.max(other.persona);
        self.records = self.records.max(other.records);
    }
}

/// After how many seconds half of a count is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HalfLife {
    pub slow: Seconds,
    /// For what is a matter of rate.
    pub quick: Seconds,
}

impl HalfLife {
    /// What is left after so many seconds, in 2^-32.
    fn left(self, passed: Seconds, half: Seconds) -> u64 {
        const WHOLE: f64 = 4_294_967_296.0;
        let left = WHOLE * (-f64::from(passed) / f64::from(half.max(1))).exp2();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^32")]
        let left = left as u64;
        left
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HALF: HalfLife = HalfLife { slow: 3600, quick: 60 };

    #[test]
    fn half_is_left_after_a_half_life() {
        let mut subject = Subject::new(1, 1000);
        subject.add(Signal::Refusal, 8 * ONE, 1000);
        subject.add(Signal::Message, 8 * ONE, 1000);
        subject.decay(1060, HALF);
        assert_eq!(subject.count(Signals::NONE.with(Signal::Message)), 4 * ONE);
        subject.decay(4600, HALF);
        let left = subject.count(Signals::NONE.with(Signal::Refusal));
        assert!(left.abs_diff(4 * ONE) < 8, "{left}");
    }

    #[test]
    fn values_count_once_and_only_for_a_time() {
        let mut subject = Subject::new(1, 1000);
        for (key, at) in [(1, 1000), (2, 1000), (1, 1100), (3, 1200)] {
            subject.remember(Recent::new(ValueKind::Email, key, at));
        }
        subject.remember(Recent::new(ValueKind::Phone, 1, 1200));
        assert_eq!(subject.distinct(&[ValueKind::Email], 3600, 1200), (3, 1000));
        assert_eq!(subject.distinct(&[ValueKind::Email], 150, 1200), (2, 1100));
        assert_eq!(subject.distinct(&[ValueKind::Email, ValueKind::Phone], 150, 1200).0, 3);
    }

    proptest! {
        #[test]
        fn decay_only_takes_and_takes_more_with_time(
            much in 0u32..u32::MAX,
            first in 0u32..100_000,
            second in 0u32..100_000,
        ) {
            let at = |passed: u32| {
                let mut subject = Subject::new(1, 1000);
                subject.add(Signal::Refusal, much, 1000);
                subject.decay(1000 + passed, HALF);
                subject.count(Signals::NONE.with(Signal::Refusal))
            };
            prop_assert!(at(first) <= much);
            prop_assert!(at(first + second) <= at(first));
            // In two steps the same, but for what is rounded.
            let mut subject = Subject::new(1, 1000);
            subject.add(Signal::Refusal, much, 1000);
            subject.decay(1000 + first, HALF);
            subject.decay(1000 + first + second, HALF);
            prop_assert!(subject.count(Signals::NONE.with(Signal::Refusal)).abs_diff(at(first + second)) <= 3);
        }

        #[test]
        fn joining_does_not_depend_on_who_joins(
            values in prop::collection::vec((0u64..50, 1u32..2000, any::<bool>()), 0..120),
        ) {
            let (mut one, mut other) = (Subject::new(1, 2000), Subject::new(1, 2000));
            for (key, at, first) in values {
                let subject = if first { &mut one } else { &mut other };
                subject.remember(Recent::new(ValueKind::Order, key, at));
                subject.add(Signal::NotFound, ONE, at);
            }
            let (mut left, mut right) = (one.clone(), other.clone());
            left.merge(&other, HALF);
            right.merge(&one, HALF);
            left.recent.sort();
            right.recent.sort();
            prop_assert_eq!(left, right);
        }
    }
}
