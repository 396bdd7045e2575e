//! What detection found, and the arithmetic of spans.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::Class;

/// A stretch of a text, in bytes, end exclusive. Both ends lie on character boundaries of the text it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// From `start` up to, not including, `end`. An end before the start gives the empty span at `start`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// Length in bytes.
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether the span holds nothing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether the two have at least one byte in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Whether `other` lies inside.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The same stretch, `by` bytes later.
    pub const fn shifted(self, by: usize) -> Self {
        Self { start: self.start + by, end: self.end + by }
    }

    /// The stretch as a range.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The words under the span, or nothing if it does not fit the text.
    pub fn of(self, text: &str) -> Option<&str> {
        text.get(self.range())
    }
}

/// The kind of a value: `credit_card`, `de_tax_id`, … Lower case, one per meaning; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(Arc<str>);

impl Kind {
    /// The kind with this name.
    pub fn new(name: &str) -> Self {
        Self(Arc::from(name))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from).map(|name| Self::new(&name))
    }
}

/// What is known of a recogniser by everybody who handles its findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// The recogniser's id, the name of its file: `card-number`.
    pub id: Box<str>,
    /// What it finds.
    pub kind: Kind,
    /// The same in the coarse public vocabulary (`CREDIT_CARD`, `NATIONAL_ID`, …, `OTHER`).
    pub entity: Box<str>,
    /// Its risk class.
    pub class: Class,
    /// The word a placeholder carries: upper case letters and underscores (`CARD`, `EMAIL`).
    pub label: Box<str>,
    /// Whether the last four characters may be shown (in a placeholder, in a mask).
    pub last_four: bool,
}

/// Why a finding has its score.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// The recogniser's own score for its pattern.
    pub pattern: f32,
    /// Whether a check (Luhn, mod-97, …) was run and held.
    pub checked: bool,
    /// What context words added (or took away, if negative).
    pub context: f32,
}

impl Evidence {
    /// The recogniser's own score, with context: what thresholds are compared with and what settles overlaps.
    pub fn raw(self) -> f32 {
        (self.pattern + self.context).clamp(0.0, 1.0)
    }
}

/// One value found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Where, in bytes of the original text.
    pub span: Span,
    /// By which recogniser.
    pub rule: Arc<RuleInfo>,
    /// How sure: the measured probability that it is right, where the kind was measured; else the recogniser's own score.
    pub score: f32,
    /// What the score is made of.
    pub evidence: Evidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_overlap_only_with_a_common_byte() {
        let a = Span::new(2, 5);
        assert!(a.overlaps(Span::new(4, 9)) && !a.overlaps(Span::new(5, 9)) && !a.overlaps(Span::new(0, 2)));
        assert!(a.contains(Span::new(2, 5)) && !a.contains(Span::new(2, 6)));
        assert_eq!(Span::new(5, 2).len(), 0);
    }

    #[test]
    fn a_span_that_does_not_fit_gives_nothing() {
        assert_eq!(Span::new(0, 1).of("é"), None);
        assert_eq!(Span::new(0, 9).of("abc"), None);
        assert_eq!(Span::new(1, 2).of("abc"), Some("b"));
    }
}
