//! Threat intelligence, in and out.
//!
//! Feeds come in many forms ([`Form`]); [`read`] turns each of them, piece by piece, into [`Item`]s: indicators, indicators
//! that are taken back, and patterns that no single value says. What it reads is written by strangers, some of them
//! attackers: memory is bounded by [`Limits`], not by what the feed says of itself; an entry that is malformed is counted
//! and named by its place, and the rest goes on; [`Acceptance`] says of a whole feed whether it may take the place of the
//! last one. [`share`] is the way back: own indicators and sightings as STIX and MISP.
//!
//! No sockets, no clock: `chatward` fetches feeds and keeps the time. How it works and why: `docs/threat-intelligence.md`.

mod acceptance;
mod csaf;
mod csv;
mod fault;
mod feed;
mod json;
mod lines;
mod loose;
pub mod misp;
pub mod pattern;
pub mod share;
mod source;
mod stix;
mod warnings;

pub use acceptance::{Acceptance, Refusal};
pub use csaf::{Advisory, Vulnerability};
pub use fault::{Fault, FormFault, Limits, Skipped, What};
pub use feed::{Form, Item, Options, Summary, read};
pub use warnings::{add_list, shipped as shipped_warnings};
