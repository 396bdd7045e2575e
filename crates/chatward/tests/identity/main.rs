//! Who speaks: every way in, and everything that somebody might try who has no business here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail as tests do; the lints know only functions marked as tests"
)]

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
