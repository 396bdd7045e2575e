//! Makes the models of threats: texts and addresses.

pub(crate) mod address;
mod boost;
mod disguise;
mod grammar;
mod linear;
mod text;

pub(crate) use text::text;
