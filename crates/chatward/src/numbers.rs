//! Numbers about customers, given out without the customers: counts with noise ([`statistics`]) and tables for analytics
//! ([`export`]).
//!
//! Both go through the turns of those customers only who are not frozen, and of these turns only those that carry the purpose
//! `analytics`. What does not carry it is not in them, and not counted. They read what the audit log says of a turn (when, which bot,
//! how many findings of which kind) and open nothing: no text is read for a number.

pub mod export;
pub mod statistics;
mod walk;

use std::time::Duration;

use chatward_policy::numbers::budget::Exhausted;
use chatward_policy::numbers::classes::TooFine;
use chatward_policy::numbers::noise::{NoBits, NoiseError};

use crate::directory::Failed;
use crate::problem::{Code, Problem};

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub enum NumbersError {
    /// The question makes no sense; the field that is wrong.
    #[error("`{0}` does not fit")]
    Question(&'static str),
    /// Too much was told already.
    #[error("{exhausted}")]
    Spent {
        /// What is left, and when there is more.
        exhausted: Exhausted,
        /// How long that is from now.
        wait: Duration,
    },
    /// The columns make too many combinations.
    #[error(transparent)]
    TooFine(#[from] TooFine),
    /// What was counted is no longer so.
    #[error("the data changed while the table was made")]
    Changed,
    /// Whoever was to receive it is gone.
    #[error("nobody takes the table any more")]
    Gone,
    /// The data or its keys cannot be read.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// The noise cannot be made.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// What is kept cannot be read.
    #[error("what is kept of a turn cannot be read")]
    Unreadable,
}

impl From<NoBits> for NumbersError {
    fn from(error: NoBits) -> Self {
        Self::Noise(error.into())
    }
}

impl From<chatward_store::StoreError> for NumbersError {
    fn from(error: chatward_store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NumbersError> for Problem {
    fn from(error: NumbersError) -> Self {
        match error {
            NumbersError::Question(field) => Self::new(Code::BadRequest).at(field),
            NumbersError::Spent { wait, .. } => Self::new(Code::BudgetSpent).retry_after(wait),
            NumbersError::TooFine(_) => Code::TooFine.into(),
            NumbersError::Changed => Code::DataChanged.into(),
            NumbersError::Failed(failed) => failed.into(),
            error => {
                tracing::error!(cause = %error, "numbers cannot be made");
                Code::Internal.into()
            }
        }
    }
}
