//! Addresses in a text: found however they are written, judged without ever being opened.
//!
//! [`find`] takes the addresses out of a text; [`Parsed`] is one of them, taken apart as a browser takes it apart;
//! [`Judge`] says what speaks against each, with the names, domains and hosts of the house; [`model`] how likely it is an
//! attacker's by how it is written. [`LinkWindow`] does both in a text that arrives in
//! pieces. What the lists hold and whose they are: `lists/README.md`.

mod brand;
mod carried;
mod features;
mod find;
mod further;
mod judge;
mod markup;
pub mod model;
mod nest;
mod open;
mod parsed;
mod seen;
mod window;

pub use brand::Likeness;
pub use find::{How, Link, Links, MOST, find};
pub use judge::{Brand, Fault, Judge, Judged, JudgedLink, Settings, signs};
pub use parsed::{HostKind, Parsed};
pub use window::{Known, LINK_HOLD, LinkOut, LinkWindow};
