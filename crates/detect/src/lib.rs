//! Text to findings.
//!
//! [`Detector`] is a compiled set of recognisers (`rules/*.toml`): it looks at a whole text ([`Detector::find`]) or,
//! through a [`Window`], at a text that arrives in pieces, with the same result for every way of cutting it.
//! How it works and why: `docs/decisions/0002-detection-engine.md`.
//!
//! No runtime, no sockets, no files, no clock: rule texts come as arguments, the built-in ones are embedded.

mod allow;
mod answer;
mod automaton;
pub mod behaviour;
mod calibration;
pub mod check;
mod cost;
mod detector;
mod engine;
mod error;
mod explain;
pub mod indicator;
mod language;
pub mod larger;
pub mod link;
mod memory;
mod normal;
mod pause;
mod phrases;
mod rule;
mod sieve;
pub mod tagger;
pub mod threat;
mod window;
mod words;

pub use allow::Allowed;
pub use cost::Bound;
pub use detector::{
    Before, Context, Denied, Detector, Inspected, Lang, Options, RuleReport, RuleSource, Text, Unreads,
    rules_check, rules_check_with, words_file,
};
pub use error::{RuleFault, RulesError};
pub use explain::{Because, By, Explained, Heard, Outcome, Place, Why};
pub use language::guess as guess_language;
pub use pause::Heeded;
pub use phrases::{Lists, PhraseCollector, PhraseFault, Phrases};
pub use window::{HOLD, Out, Window};
