//! Who speaks: every way in, and everything that somebody might try who has no business here.

mod codes;
mod common;
mod document;
mod forms;
mod host;
mod passkeys;
mod provider;
mod rules;
mod sessions;
mod staff;
mod tries;
