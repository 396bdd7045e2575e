//! Text to findings.
//!
//! [`Detector`] is a compiled set of recognisers (`rules/*.toml`): it looks at a whole text ([`Detector::find`]) or,
//! through a [`Window`], at a text that arrives in pieces, with the same result for every way of cutting it.
//! How it works and why: `docs/decisions/0002-detection-engine.md`.
//!
//! No runtime, no sockets, no files, no clock: rule texts come as arguments, the built-in ones are embedded.

mod answer;
mod automaton;
pub mod check;
mod detector;
mod engine;
mod error;
pub mod larger;
mod memory;
mod normal;
mod pause;
mod rule;
mod sieve;
pub mod tagger;
mod window;
mod words;

pub use detector::{
    Before, Context, Denied, Detector, Explained, Inspected, Lang, Options, Outcome, RuleReport, RuleSource,
    Text, Unreads, rules_check,
};
pub use error::{RuleFault, RulesError};
pub use pause::Heeded;
pub use window::{HOLD, Out, Window};
