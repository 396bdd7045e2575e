//! Facts to decisions.
//!
//! This room never sees text and does no I/O: it is told kinds, classes, counts and destinations, and answers with
//! operators and verdicts that can be replayed years later. Decided here are: how each finding is handled
//! ([`HandlingTable`] → [`Handling`]), whether a turn may go on ([`Policy::admit`] → [`Admitted`] or [`Refused`]), who
//! may look at what is stored ([`access`]), and how numbers about customers say nothing of one of them ([`numbers`]).

pub mod access;
mod admit;
mod handling;
pub mod numbers;

pub use admit::{Admitted, Basis, Policy, Purpose, Reason, Refused, TurnFacts};
pub use handling::{Deviation, Handling, HandlingTable, TableError};
