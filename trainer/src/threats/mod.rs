//! Makes the models of threats: texts and addresses.

mod disguise;
mod grammar;
mod text;

pub(crate) use text::text;
