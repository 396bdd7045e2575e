//! An answer on its way to the customer.

use std::sync::Arc;

use chatward_detect::Window;
use chatward_message::Count;
use chatward_policy::HandlingTable;

use crate::Restorer;

/// What kind of text a channel carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Words.
    Text,
    /// JSON (the arguments of a tool call): values are put in JSON-escaped.
    Json,
}

/// What happened in a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyReport {
    /// Placeholders restored.
    pub restored: u32,
    /// Things that looked like placeholders but were not issued here, or may not be seen.
    pub missed: u32,
    /// What was found in the bot's own words, and done with it.
    pub counts: Vec<Count>,
}

/// One text channel of an answer: pieces in, text for the customer out.
#[derive(Debug)]
pub struct ReplyText {
    report: ReplyReport,
    kept: String,
}

impl ReplyText {
    /// A channel. `window` is fresh from the detector; `table` says what is done with what the bot invents or leaks.
    pub fn new(restorer: Arc<Restorer>, window: Window, table: Arc<HandlingTable>, mode: Mode) -> Self {
        let _ = (restorer, window, table, mode);
        Self { report: ReplyReport::default(), kept: String::new() }
    }

    /// Takes the next piece; appends to `out` what may be sent now.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        out.push_str(piece);
    }

    /// The channel ends (also on errors): appends the rest.
    pub fn finish(&mut self, out: &mut String) {
        let _ = out;
    }

    /// Bytes of original text held back now; never above 256.
    pub fn held(&self) -> usize {
        0
    }

    /// What happened so far.
    pub fn report(&self) -> &ReplyReport {
        &self.report
    }

    /// The text to keep: the bot's own words with placeholders, findings handled for the store. Complete after `finish`.
    pub fn kept(&self) -> &str {
        &self.kept
    }
}
