//! Numbers about customers that say nothing about one of them.
//!
//! Pure: what is random comes as an argument, and so do time and what was spent before. Four things stand here: exact noise for
//! counts ([`noise`]), the account of what was told already ([`budget`]), the check of a table for rows that stand out
//! ([`classes`]), and making values coarser ([`coarse`]).
//!
//! Words, and what they promise:
//!
//! - *pseudonymised*: ids are replaced by keyed hashes. It is still personal data.
//! - *k-anonymous for the columns named*: each combination of values in those columns belongs to at least k customers (Samarati and
//!   Sweeney 1998). It says nothing of other columns, and where all customers of a combination share a value elsewhere, that
//!   value is known (l-diversity is not claimed). It is not anonymity.
//! - *differentially private* with ε: whatever one customer wrote changes the chance of any answer by at most the factor e^ε
//!   (Dwork and others 2006; NIST SP 800-226). The unit is one customer as the gateway knows them: somebody without a name
//!   counts anew in each conversation.

pub mod budget;
pub mod classes;
pub mod coarse;
pub mod noise;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ε of differential privacy, in millionths: exact, so that sums are. Floating point would leak through its gaps (Mironov 2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epsilon(u64);

/// A text that is no ε.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number from 0 to 1000 with at most six digits after the point")]
pub struct NotEpsilon;

/// Millionths in one.
const ONE: u64 = 1_000_000;

impl Epsilon {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest that is taken: beyond it the word has no meaning left.
    pub const MAX: Self = Self(1_000 * ONE);

    /// So many millionths; none above [`Epsilon::MAX`].
    pub const fn from_millionths(millionths: u64) -> Option<Self> {
        if millionths <= Self::MAX.0 { Some(Self(millionths)) } else { None }
    }

    /// In millionths.
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// An even part of it, rounded down: the parts never add up to more than the whole.
    pub const fn part_of(self, parts: u64) -> Self {
        match self.0.checked_div(parts) {
            Some(part) => Self(part),
            None => Self::ZERO,
        }
    }

    /// Both; none above [`Epsilon::MAX`].
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_millionths)
    }

    /// What is left of it; none if `other` is more.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl FromStr for Epsilon {
    type Err = NotEpsilon;

    fn from_str(text: &str) -> Result<Self, NotEpsilon> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let dotted = text.contains('.');
        if whole.is_empty()
            || whole.len() > 4
            || rest.len() > 6
            || !digits(whole)
            || !digits(rest)
            || (dotted && rest.is_empty())
        {
            return Err(NotEpsilon);
        }
        let whole: u64 = whole.parse().map_err(|_| NotEpsilon)?;
        let rest: u64 = format!("{rest:0<6}").parse().map_err(|_| NotEpsilon)?;
        Self::from_millionths(whole * ONE + rest).ok_or(NotEpsilon)
    }
}

impl TryFrom<String> for Epsilon {
    type Error = NotEpsilon;

    fn try_from(text: String) -> Result<Self, NotEpsilon> {
        text.parse()
    }
}

impl From<Epsilon> for String {
    fn from(epsilon: Epsilon) -> Self {
        epsilon.to_string()
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / ONE, self.0 % ONE);
        if rest == 0 {
            write!(f, "{whole}")
        } else {
            f.write_str(format!("{whole}.{rest:06}").trim_end_matches('0'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epsilon_is_read_exactly_and_written_back() {
        for (text, millionths) in
            [("0", 0), ("1", 1_000_000), ("0.5", 500_000), ("0.000001", 1), ("12.25", 12_250_000)]
        {
            let epsilon: Epsilon = text.parse().unwrap();
            assert_eq!(epsilon.millionths(), millionths);
            assert_eq!(epsilon.to_string(), text);
        }
        for text in ["", ".", "1.", ".5", "-1", "1e3", "0.0000001", "1001", "1/3", " 1", "1000.000001"] {
            assert_eq!(text.parse::<Epsilon>(), Err(NotEpsilon), "{text}");
        }
    }

    #[test]
    fn parts_never_exceed_the_whole() {
        let whole: Epsilon = "1".parse().unwrap();
        assert_eq!(whole.part_of(3).millionths(), 333_333);
        assert!(whole.part_of(0).is_zero());
    }
}
