//! A table of subjects with a fixed number of places: when it is full, the least useful of some goes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::subject::{HalfLife, Seconds, Subject};

/// Of how many neighbours the least useful makes room.
const LOOKED_AT: usize = 16;

/// Keys are keyed hashes already.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = super::sketch::mix(key);
    }
}

/// The subjects of one scope.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    places: usize,
    half_life: HalfLife,
    subjects: Vec<Subject>,
    /// The keys of the subjects, in their order, for who looks at all of them.
    keys: Vec<u64>,
    index: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    /// Where the next search for room begins.
    hand: usize,
}

impl Table {
    /// An empty table. At least one place.
    pub(crate) fn new(places: usize, half_life: HalfLife) -> Self {
        let places = places.clamp(1, 1 << 24);
        Self { places, half_life, subjects: Vec::new(), keys: Vec::new(), index: HashMap::default(), hand: 0 }
    }

    /// The most bytes that so many places take: the subjects, and an index that may be twice as large as it must be.
    pub(crate) const fn bound(places: usize) -> usize {
        // A hash map doubles at 7/8, and once more where much was removed; an entry is 16 bytes and one for its mark.
        places * (size_of::<Subject>() + size_of::<u64>())
            + (places * 8 / 7 + 16).next_power_of_two() * 2 * 17
    }

    /// The bytes that are taken now.
    pub(crate) fn memory(&self) -> usize {
        self.subjects.capacity() * size_of::<Subject>()
            + self.keys.capacity() * size_of::<u64>()
            + self.index.capacity() * 8 / 7 * 17
    }

    /// As many places, and nobody in them.
    pub(crate) fn emptied(&self) -> Self {
        Self::new(self.places, self.half_life)
    }

    pub(crate) fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    pub(crate) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The subject with this key, decayed up to now; a new one if it is not known.
    pub(crate) fn touch(&mut self, key: u64, now: Seconds) -> Option<&mut Subject> {
        let half_life = self.half_life;
        let at = match self.index.get(&key) {
            Some(at) => *at as usize,
            None => self.place(Subject::new(key, now)),
        };
        let subject = self.subjects.get_mut(at)?;
        subject.decay(now, half_life);
        Some(subject)
    }

    pub(crate) fn get(&self, key: u64) -> Option<&Subject> {
        self.subjects.get(*self.index.get(&key)? as usize)
    }

    /// Puts in a subject that is not there, and says where.
    pub(crate) fn place(&mut self, subject: Subject) -> usize {
        let at = if self.subjects.len() < self.places {
            self.grow();
            self.keys.push(subject.key);
            self.subjects.push(subject.clone());
            self.subjects.len() - 1
        } else {
            let at = self.least();
            if let (Some(old), Some(key)) = (self.subjects.get_mut(at), self.keys.get_mut(at)) {
                self.index.remove(&old.key);
                *key = subject.key;
                *old = subject.clone();
            }
            at
        };
        self.index.insert(subject.key, u32::try_from(at).unwrap_or(u32::MAX));
        at
    }

    /// Room for twice as many, but never for more than there may be.
    fn grow(&mut self) {
        let (has, room) = (self.subjects.len(), self.subjects.capacity());
        if has == room {
            let more = has.max(8).min(self.places - has);
            self.subjects.reserve_exact(more);
            self.keys.reserve_exact(more);
        }
    }

    /// Of the next few the one whose loss matters least.
    fn least(&mut self) -> usize {
        let start = self.hand;
        self.hand = (start + LOOKED_AT) % self.subjects.len().max(1);
        (start..start + LOOKED_AT)
            .map(|at| at % self.subjects.len().max(1))
            .min_by_key(|at| self.subjects.get(*at).map_or(Seconds::MAX, Subject::worth))
            .unwrap_or_default()
    }

    /// Removes a subject for good.
    pub(crate) fn forget(&mut self, key: u64) {
        let Some(at) = self.index.remove(&key) else { return };
        let at = at as usize;
        if at >= self.subjects.len() {
            return;
        }
        self.subjects.swap_remove(at);
        self.keys.swap_remove(at);
        if let Some(moved) = self.subjects.get(at) {
            self.index.insert(moved.key, u32::try_from(at).unwrap_or(u32::MAX));
        }
    }

    /// Removes subjects that were touched before, and of the others the values that were seen before.
    pub(crate) fn expire(&mut self, touched: Seconds, seen: Seconds) {
        let gone: Vec<u64> =
            self.subjects.iter().filter(|one| one.seen < touched).map(|one| one.key).collect();
        for key in gone {
            self.forget(key);
        }
        for subject in &mut self.subjects {
            subject.forget_values(seen);
        }
    }

    /// Puts in what another table counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for its in &other.subjects {
            let half_life = self.half_life;
            let at = self.index.get(&its.key).map(|at| *at as usize);
            match at.and_then(|at| self.subjects.get_mut(at)) {
                Some(mine) => mine.merge(its, half_life),
                None => {
                    self.place(its.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::signal::Signal;
    use super::super::subject::ONE;
    use super::*;

    const HALF: HalfLife = HalfLife { slow: 3600, quick: 60 };

    #[test]
    fn what_is_suspicious_outlives_a_flood_of_new_ones() {
        let mut table = Table::new(64, HALF);
        let bad = table.touch(7, 1000).unwrap();
        bad.add(Signal::Refusal, 3 * ONE, 1000);
        bad.add(Signal::VerificationSkipped, 2 * ONE, 1000);
        for key in 100..1100 {
            table.touch(key, 1001 + u32::try_from(key).unwrap() / 10).unwrap();
        }
        assert!(table.get(7).is_some());
        assert_eq!(table.subjects().len(), 64);
    }

    proptest! {
        #[test]
        fn no_stream_takes_more_than_the_bound(
            places in 1usize..200,
            stream in prop::collection::vec((0u64..400, 1u32..100_000, 0u8..8), 0..600),
        ) {
            let mut table = Table::new(places, HALF);
            for (key, at, act) in stream {
                if act == 0 {
                    table.forget(key);
                } else if let Some(subject) = table.touch(key, at) {
                    subject.add(Signal::Refusal, ONE * u32::from(act), at);
                }
                prop_assert!(table.memory() <= Table::bound(places));
                prop_assert!(table.subjects().len() <= places);
                for (place, subject) in table.subjects().iter().enumerate() {
                    prop_assert_eq!(table.index.get(&subject.key).copied(), u32::try_from(place).ok());
                }
                prop_assert_eq!(table.index.len(), table.subjects().len());
                prop_assert!(table.subjects().iter().map(|subject| &subject.key).eq(table.keys()));
            }
        }
    }
}
