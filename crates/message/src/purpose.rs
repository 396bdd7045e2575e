//! What something may be used for, and where a customer stands with that.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::UnixMillis;

/// Something that data is used for (GDPR article 5(1)(b)). Five have names of ours; a house may have more of its own,
/// numbered from [`Purpose::FIRST_OWN`]. The numbers are part of what is stored and never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Purpose(u8);

impl Purpose {
    /// Answering the customer.
    pub const SERVICE: Self = Self(0);
    /// Making answers better: people read conversations.
    pub const QUALITY: Self = Self(1);
    /// Statistics and anonymised exports.
    pub const ANALYTICS: Self = Self(2);
    /// Teaching models or people.
    pub const TRAINING: Self = Self(3);
    /// Offers.
    pub const MARKETING: Self = Self(4);
    /// Those with names of ours.
    pub const BUILT_IN: [Self; 5] =
        [Self::SERVICE, Self::QUALITY, Self::ANALYTICS, Self::TRAINING, Self::MARKETING];
    /// The least number of a house's own purpose.
    pub const FIRST_OWN: u8 = 8;
    /// The greatest number of any.
    pub const LAST: u8 = 30;

    /// A house's own purpose of this number, if it is in range.
    pub const fn own(number: u8) -> Option<Self> {
        if number >= Self::FIRST_OWN && number <= Self::LAST { Some(Self(number)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The word for it in events: a name of ours, or `own-8`.
    pub fn word(self) -> &'static str {
        const OWN: [&str; 23] = [
            "own-8", "own-9", "own-10", "own-11", "own-12", "own-13", "own-14", "own-15", "own-16", "own-17",
            "own-18", "own-19", "own-20", "own-21", "own-22", "own-23", "own-24", "own-25", "own-26",
            "own-27", "own-28", "own-29", "own-30",
        ];
        const NAMED: [&str; 5] = ["service", "quality", "analytics", "training", "marketing"];
        let own = self.0.checked_sub(Self::FIRST_OWN).and_then(|n| OWN.get(usize::from(n)));
        NAMED.get(usize::from(self.0)).or(own).copied().unwrap_or("unknown")
    }

    /// The one with this name of ours.
    pub fn built_in(name: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|purpose| purpose.word() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Not the word of a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a purpose")]
pub struct NotAPurpose;

impl FromStr for Purpose {
    type Err = NotAPurpose;

    fn from_str(word: &str) -> Result<Self, NotAPurpose> {
        if let Some(purpose) = Self::built_in(word) {
            return Ok(purpose);
        }
        let number = word.strip_prefix("own-").and_then(|number| number.parse().ok());
        number.and_then(Self::own).filter(|own| own.word() == word).ok_or(NotAPurpose)
    }
}

/// A set of purposes: what a stored item is kept for. An item without any is not kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Purposes(u32);

impl Purposes {
    /// None.
    pub const NONE: Self = Self(0);
    /// Answering the customer, nothing else.
    pub const SERVICE: Self = Self(1);

    /// Those whose bits are set; bits that are no purpose's are ignored.
    pub const fn from_bits(bits: u32) -> Self {
        const KNOWN: u32 = 0b1_1111 | (((1 << (Purpose::LAST + 1)) - 1) & !((1 << Purpose::FIRST_OWN) - 1));
        Self(bits & KNOWN)
    }

    /// A bit for each, by number.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// With this one too.
    #[must_use]
    pub const fn with(self, purpose: Purpose) -> Self {
        Self(self.0 | 1 << purpose.0)
    }

    /// Without these.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those in either.
    #[must_use]
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether this one is among them.
    pub const fn contains(self, purpose: Purpose) -> bool {
        self.0 & 1 << purpose.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Each, by number.
    pub fn iter(self) -> impl Iterator<Item = Purpose> {
        (0..=Purpose::LAST).map(Purpose).filter(move |purpose| self.contains(*purpose))
    }
}

impl FromIterator<Purpose> for Purposes {
    fn from_iter<T: IntoIterator<Item = Purpose>>(all: T) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Purpose> for Purposes {
    fn from(one: Purpose) -> Self {
        Self::NONE.with(one)
    }
}

impl fmt::Debug for Purposes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Purpose::word)).finish()
    }
}

impl Serialize for Purposes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().map(Purpose::word))
    }
}

/// Which text a customer agreed to: the first bytes of a hash over purpose, version and wording. Another text needs to be
/// agreed to anew.
pub type Wording = [u8; 8];

/// Where a customer stands: what they agreed and objected to, and whether their data is frozen or held. `Default` is that
/// of somebody who never said anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Standing {
    /// How often it changed. A message is taken under the standing of one revision, and its event names that.
    pub revision: u64,
    /// What they agreed to, and in which words; each purpose once, by number.
    pub given: Vec<(Purpose, Wording)>,
    /// What they refused or objected to.
    pub refused: Purposes,
    /// Whether the data may only be kept and not be looked at (GDPR article 18).
    pub restricted: bool,
    /// Until when nothing of it may be deleted, by anybody, for a legal reason.
    pub held_until: Option<UnixMillis>,
}

impl Standing {
    /// Whether they agreed to this purpose in these words.
    pub fn agreed(&self, purpose: Purpose, wording: &Wording) -> bool {
        self.given.iter().any(|(of, words)| *of == purpose && words == wording)
    }

    /// Notes that they agree.
    pub fn give(&mut self, purpose: Purpose, wording: Wording) {
        self.given.retain(|(of, _)| *of != purpose);
        let at = self.given.partition_point(|(of, _)| *of < purpose);
        self.given.insert(at, (purpose, wording));
        self.refused = self.refused.without(purpose.into());
    }

    /// Notes that they do not, or not any more.
    pub fn refuse(&mut self, purpose: Purpose) {
        self.given.retain(|(of, _)| *of != purpose);
        self.refused = self.refused.with(purpose);
    }

    /// Whether a legal reason forbids to delete anything now.
    pub fn is_held(&self, now: UnixMillis) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_belong_together() {
        for number in 0..=u8::MAX {
            let known = number < 5 || (Purpose::FIRST_OWN..=Purpose::LAST).contains(&number);
            let all = Purposes::from_bits(1_u32.checked_shl(number.into()).unwrap_or(0));
            assert_eq!(!all.is_empty(), known, "{number}");
            for purpose in all.iter() {
                assert_eq!(purpose.number(), number);
                assert_eq!(purpose.word().parse(), Ok(purpose));
            }
        }
        for word in ["own-7", "own-31", "own-08", "own-", "", "Service", "unknown"] {
            assert_eq!(word.parse::<Purpose>(), Err(NotAPurpose), "{word}");
        }
    }

    #[test]
    fn sets_are_sets() {
        let own = Purpose::own(9).unwrap();
        let two: Purposes = [own, Purpose::SERVICE].into_iter().collect();
        assert_eq!(format!("{two:?}"), r#"{"service", "own-9"}"#);
        assert!(two.contains(own) && !two.contains(Purpose::QUALITY));
        assert_eq!(two.without(own.into()), Purposes::SERVICE);
        assert_eq!(two.and(own.into()).or(Purposes::SERVICE), two);
        assert_eq!(Purposes::from_bits(two.bits()), two);
    }

    #[test]
    fn the_last_word_counts() {
        let mut standing = Standing::default();
        standing.give(Purpose::TRAINING, [1; 8]);
        standing.give(Purpose::QUALITY, [2; 8]);
        standing.give(Purpose::TRAINING, [3; 8]);
        assert_eq!(standing.given, [(Purpose::QUALITY, [2; 8]), (Purpose::TRAINING, [3; 8])]);
        assert!(standing.agreed(Purpose::TRAINING, &[3; 8]) && !standing.agreed(Purpose::TRAINING, &[1; 8]));
        standing.refuse(Purpose::QUALITY);
        assert!(!standing.agreed(Purpose::QUALITY, &[2; 8]) && standing.refused.contains(Purpose::QUALITY));
        standing.give(Purpose::QUALITY, [2; 8]);
        assert!(standing.refused.is_empty());
    }
}
