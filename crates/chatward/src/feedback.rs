//! Feedback: what customers and analysts flag becomes a case after review, and cases become the house's own models.
//!
//! A *flag* is somebody's word that a message was taken for the wrong thing: a customer's ([`crate::chat::flag`], sealed under
//! their key) or an analyst's. A *case* is a text of which a person said what it is, without anybody's data: what the house's
//! recognisers find is replaced before it is kept ([`anonymous`]). Cases lie in `DIR/feedback/cases.jsonl`, run in `chatward rules
//! check` ([`check`]), and `chatward train` learns from them ([`train`], [`models`]).

pub(crate) mod anonymous;
pub(crate) mod book;
pub(crate) mod check;
pub(crate) mod desk;
pub(crate) mod models;
pub(crate) mod train;

use chatward_detect::threat::own;
use chatward_message::{Channel, Threat};
use serde::{Deserialize, Serialize};

use crate::chat::flag::Status;

/// The longest text of a case, in characters.
pub(crate) const LONGEST: usize = 8_000;
/// The longest note, in characters.
pub(crate) const LONGEST_NOTE: usize = 1_000;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Label {
    /// Nothing.
    Harmless,
    /// An attack that models know.
    Attack(Threat),
}

impl Label {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Harmless).chain(own::known().map(Self::Attack))
    }

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Attack(threat) => threat.name(),
        }
    }

    /// The label of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::all().find(|label| label.name() == word)
    }

    /// Which attack it is.
    pub const fn attack(self) -> Option<Threat> {
        match self {
            Self::Harmless => None,
            Self::Attack(threat) => Some(threat),
        }
    }
}

impl TryFrom<String> for Label {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        Self::named(&word).ok_or("not a label")
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.name().to_owned()
    }
}

/// Where a case came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// A customer's flag.
    Customer,
    /// An analyst's.
    Analyst,
}

/// A text of which somebody said what it is. Nobody's data is in it, and nothing that leads to whoever flagged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// First bytes of the hash of channel and text, in hexadecimal: the same text is one case.
    pub(crate) id: String,
    /// What it is.
    pub(crate) label: Label,
    /// Where it was said.
    pub(crate) channel: Channel,
    /// By whose flag.
    pub(crate) from: Source,
    /// The day on which it was confirmed.
    pub(crate) day: String,
    /// What the reviewer wrote about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// The text.
    pub(crate) text: String,
}

impl Case {
    /// The id of a text.
    pub(crate) fn id_of(channel: Channel, text: &str) -> String {
        short_hash(&[channel.name().as_bytes(), b"\n", text.as_bytes()].concat())
    }

    /// One that an analyst told of a customer's text, for tests.
    #[cfg(test)]
    pub(crate) fn told(text: &str, label: Label) -> Self {
        let (channel, text) = (Channel::Customer, text.to_owned());
        let (day, note) = ("2026-11-26".to_owned(), String::new());
        Self { id: Self::id_of(channel, &text), label, channel, from: Source::Analyst, day, note, text }
    }

    /// For the models.
    pub(crate) fn lesson(&self) -> own::Lesson {
        own::Lesson { text: self.text.clone(), attack: self.label.attack(), channel: self.channel }
    }
}

/// An analyst's flag. Its text was made anonymous when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noticed {
    /// Random.
    pub(crate) id: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// What the analyst takes it for.
    pub(crate) label: Label,
    /// Where it was said.
    pub(crate) channel: Channel,
    /// What became of it.
    pub(crate) status: Status,
    /// When that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decided: Option<u64>,
    /// Why, if it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// The text; it goes when it is decided.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
}

/// First bytes of the SHA-256 of something, in hexadecimal.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().iter().take(8).map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_attacks_that_models_know_and_harmless() {
        let all: Vec<&str> = Label::all().map(Label::name).collect();
        assert_eq!(
            all,
            ["harmless", "prompt-injection", "jailbreak", "phishing", "social-engineering", "scam"]
        );
        assert_eq!(Label::named("scam"), Some(Label::Attack(Threat::Scam)));
        assert_eq!(Label::named("malware"), None, "no model of texts tells it");
        assert!(serde_json::from_str::<Label>("\"rain\"").is_err());
    }

    #[test]
    fn the_same_text_of_the_same_channel_is_one_case() {
        let id = Case::id_of(Channel::Customer, "wire it");
        assert_eq!(id, Case::id_of(Channel::Customer, "wire it"));
        assert!(id != Case::id_of(Channel::Bot, "wire it") && id.len() == 16);
    }
}
