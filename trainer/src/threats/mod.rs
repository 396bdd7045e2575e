//! Makes the models of threats: texts and addresses.

pub(crate) mod address;
mod boost;
mod disguise;
mod grammar;
mod linear;
mod text;

#[cfg(feature = "larger")]
pub(crate) use text::larger::{Wish as Larger, larger};
pub(crate) use text::text;
