//! Chatward, a security and privacy gateway for chatbots: the journey of a turn and everything around it.
//!
//! This crate knows all rooms and holds no SQL and no at-rest ciphers. Start reading at [`turn`].

pub mod alerts;
pub mod api;
mod body;
pub mod bot;
pub mod caller;
pub mod channel;
mod chat;
pub mod classify;
pub mod cli;
pub mod conduct;
pub mod config;
pub mod control;
pub mod directory;
pub mod dpv;
mod explain;
pub mod feedback;
pub mod files;
pub mod identity;
pub mod intel;
mod larger;
pub mod notice;
pub mod numbers;
pub mod openai;
pub mod pages;
pub mod problem;
pub mod records;
pub mod rights;
pub mod scan;
mod seals;
pub mod seeing;
pub mod serve;
mod threats;
pub mod tls;
pub mod turn;
pub mod upstream;
mod webhook;
mod witness;
