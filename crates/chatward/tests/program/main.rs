//! The real program, started as a process with a scripted bot behind it and looked at only from outside: what it answers,
//! what the bot received, what lies in its folders, what it prints, and how it ends.
//!
//! Each test has folders and ports of its own. Nothing waits for a length of time where it can wait for an event; every
//! wait has an end. With `CHATWARD_TEST_POSTGRES` set everything runs on databases of that server; what looks into the files
//! of the embedded store stands in modules named so.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the helpers of tests fail as tests do; the lints know only functions marked as tests"
)]

mod account;
mod admin;
mod alerts;
mod backup;
mod canary;
mod centre;
mod channel;
mod chat_page;
mod conduct;
mod configuration;
mod disk_embedded;
mod doors;
mod erasing;
mod feedback;
mod files;
mod harness;
mod inside;
mod intel;
mod isolation;
mod killing;
mod larger;
mod larger_threats;
mod log;
#[cfg(feature = "seal-kms")]
#[path = "../../../seal-kms/tests/moto/mod.rs"]
mod moto;
mod numbers;
mod older_keys;
mod on_server;
#[path = "../common/phone.rs"]
#[allow(dead_code, reason = "the tests of identity use the rest")]
mod phone;
mod recovery;
mod rights;
mod rights_killed;
mod start;
mod streams;
mod threats;
mod tls;
mod waiting;
mod widget;
