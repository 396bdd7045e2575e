//! Models of threats: `cargo xtask train-threats`.

pub(crate) mod address;
mod boost;
mod linear;
