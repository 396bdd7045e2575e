//! Facts to decisions.
//!
//! This room never sees text and does no I/O: it is told kinds, classes, counts and destinations, and answers with
//! operators and verdicts that can be replayed years later. Two things are decided here: how each finding is handled
//! ([`HandlingTable`] → [`Handling`]), and whether a turn may go on ([`Policy::admit`] → [`Admitted`] or [`Refused`]).

mod admit;
mod handling;

pub use admit::{Admitted, Basis, Policy, Purpose, Reason, Refused, TurnFacts};
pub use handling::{Deviation, Handling, HandlingTable, TableError};
