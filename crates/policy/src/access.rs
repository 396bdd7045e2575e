//! Who may look at stored personal data.
//!
//! Every look is one question: [`Rules::decide`] takes an [`Ask`] (who, to do what, about whose data, for which purpose,
//! how fresh the second factor is) and gives an [`Allowed`] proof, which nothing else can make, or a [`Refused`] with
//! codes that say what to do next. Cedar decides, over policies that are files: the shipped ones (`policies/`), whose
//! guards no other policy can lift, and those of the house.
//!
//! What Cedar sees are [`Facts`]: no text, and nobody's id but the account's that asks. They are what is recorded, so a
//! decision can be taken again years later ([`replay`]).

mod ask;
mod case;
mod doc;
mod engine;
mod facts;
mod lean;
mod lint;
mod reason;
mod replay;
mod review;
mod rules;
mod slice;
mod source;
mod space;
#[cfg(test)]
mod tests;
mod words;

pub use ask::{
    Account, Act, Actor, Allowed, Ask, BreakGlass, Given, Grant, House, Record, Refused, Value, act,
};
pub use case::{CaseError, CaseFault, CaseFile, Cases};
pub use doc::document;
pub use engine::{Outcome, Recorded};
pub use facts::{ActorFacts, BrokenGlass, Facts, FactsError, TargetFacts};
pub use lint::{Lint, Severity};
pub use reason::Code;
pub use replay::{Change, Replayed, replay};
pub use review::{Demand, Right, StaffEntry, StaffList, rights};
pub use rules::{Fault, Known, Loading, Rules};
pub use source::{PolicySource, shipped, shipped_cases};
pub use words::{Action, Purpose, Role, Scope};
