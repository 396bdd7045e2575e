//! Addresses in a text: found however they are written, judged without ever being opened.
//!
//! [`find`] takes the addresses out of a text; [`Parsed`] is one of them, taken apart as a browser takes it apart.

mod find;
mod markup;
mod parsed;
mod seen;

pub use find::{How, Link, Links, MOST, find};
pub use parsed::{HostKind, Parsed};
