//! Facts to decisions.
//!
//! This room never sees text and does no I/O: it is told kinds, classes, counts and destinations, and answers with
//! operators and verdicts that can be replayed years later. Decided here are: how each finding is handled
//! ([`HandlingTable`] → [`Handling`]), whether a turn may go on ([`Policy::admit`] → [`Admitted`] or [`Refused`]), who
//! may look at what is stored ([`access`]), and how numbers about customers say nothing of one of them ([`numbers`]). What a
//! message may be used for is told by [`Register::in_force`].

pub mod access;
mod admit;
mod consent;
mod handling;
pub mod numbers;

pub use admit::{Admitted, Basis, Policy, Reason, Refused, TurnFacts};
pub use consent::{InForce, Register, RegisterError, SpecialGround, Terms};
pub use handling::{Deviation, Handling, HandlingTable, TableError};
