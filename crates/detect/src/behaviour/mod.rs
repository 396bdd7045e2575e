//! Behaviour over a conversation, an account, a network: what no single message shows.
//!
//! [`Reader`] tells by phrases in seven languages what a message does (asks to change an address, reads out a code,
//! refuses); together with the kinds and keyed hashes of values that stand in it this makes the [`Facts`] of an
//! [`Observation`]. [`Behaviour::observe`] counts them per subject in tables of fixed size, with counters that decay,
//! and gives an [`Incident`] for each rule of `rules/behaviour/patterns.toml` that holds.
//!
//! Pure: the time is an argument, subjects and values come as keyed 64-bit hashes, never as text. What is counted
//! survives a restart ([`Behaviour::save`], [`Behaviour::load`]), and the counts of several gateways can be put together
//! ([`Behaviour::merge`]). How it works and why: `docs/decisions/0025-behaviour.md`.

mod engine;
mod pattern;
mod phrase;
mod signal;
mod sketch;
mod state;
mod subject;
mod table;

pub use engine::{Behaviour, Evidence, Facts, Incident, Limits, Observation, Scope, Seen};
pub use pattern::Patterns;
pub use phrase::{Reader, Said, phrases_check};
pub use signal::{Persona, Signal, Signals, ValueKind};
pub use sketch::{Sketch, references};
pub use state::Damaged;
