//! Words for attacks: what was recognised, where it came from, how bad it is, and what is done.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Span;

/// What an attacker tries. The names are part of the log's format and of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threat {
    /// Text that gives the bot orders that are not the house's (MITRE ATLAS AML.T0051, OWASP LLM01).
    PromptInjection,
    /// Talking a bot out of its rules (AML.T0054).
    Jailbreak,
    /// Getting at credentials or payment data in somebody else's name (AML.T0052).
    Phishing,
    /// Working on a person, or on a bot as if it were one, to be given what they should not have.
    SocialEngineering,
    /// Fraud that wants money.
    Scam,
    /// A file or an address that carries harmful software.
    Malware,
    /// The bot's own instructions, or data of others, in an answer (AML.T0057).
    Leak,
    /// Data carried out through a link or an image (AML.T0077).
    Exfiltration,
    /// An account that somebody else seems to have got into.
    Takeover,
    /// Many values tried one after the other: orders, e-mails, codes.
    Enumeration,
    /// The same thing from many places, or more than a person could write.
    Flooding,
}

impl Threat {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::PromptInjection,
        Self::Jailbreak,
        Self::Phishing,
        Self::SocialEngineering,
        Self::Scam,
        Self::Malware,
        Self::Leak,
        Self::Exfiltration,
        Self::Takeover,
        Self::Enumeration,
        Self::Flooding,
    ];

    /// Its name in the log and the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PromptInjection => "prompt-injection",
            Self::Jailbreak => "jailbreak",
            Self::Phishing => "phishing",
            Self::SocialEngineering => "social-engineering",
            Self::Scam => "scam",
            Self::Malware => "malware",
            Self::Leak => "leak",
            Self::Exfiltration => "exfiltration",
            Self::Takeover => "takeover",
            Self::Enumeration => "enumeration",
            Self::Flooding => "flooding",
        }
    }

    /// Whether it is aimed at the bot's instructions.
    pub const fn is_prompt_attack(self) -> bool {
        matches!(self, Self::PromptInjection | Self::Jailbreak)
    }
}

impl fmt::Display for Threat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a text comes from. It chooses thresholds and what is done; no model takes it as an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Typed by a person.
    Customer,
    /// A file, a passage that was looked up, the result of a tool.
    Document,
    /// An answer of the bot.
    Bot,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Customer, Self::Document, Self::Bot];

    /// Its name in the log and the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Document => "document",
            Self::Bot => "bot",
        }
    }
}

/// How bad it is if it is true. The order is that of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look some day.
    Low,
    /// Worth a look this week.
    Medium,
    /// Worth a look today.
    High,
    /// Somebody should be woken.
    Critical,
}

impl Severity {
    /// Its name in the log and the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What is done about it. The order is that of how far it goes: of several, the last counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Counted, and in the report of what would have happened. Nobody is told.
    Observe,
    /// The staff see it.
    Flag,
    /// The customer is told to be careful as well.
    Warn,
    /// What was found is taken out.
    Mask,
    /// The message waits until one of the staff lets it go on.
    Hold,
    /// A person answers from here on.
    HandOver,
    /// It goes no further.
    Block,
}

impl Response {
    /// All of them, from the least to the most.
    pub const ALL: [Self; 7] =
        [Self::Observe, Self::Flag, Self::Warn, Self::Mask, Self::Hold, Self::HandOver, Self::Block];

    /// Its name in the log and the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Flag => "flag",
            Self::Warn => "warn",
            Self::Mask => "mask",
            Self::Hold => "hold",
            Self::HandOver => "hand-over",
            Self::Block => "block",
        }
    }
}

/// In which form of the text something was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// As it is written, but for case and look-alike letters.
    Plain,
    /// Without what was put between letters or in their place: spaces, digits for letters, HTML entities, percent signs.
    Unmasked,
    /// Letters in their order again, where the inner ones of words were mixed.
    Unscrambled,
    /// Hidden in Unicode tag characters, which nobody sees.
    Tags,
    /// Base64.
    Base64,
    /// Base32.
    Base32,
    /// Hexadecimal.
    Hex,
    /// Letters moved by thirteen.
    Rot13,
    /// Morse code.
    Morse,
    /// Characters written as numbers: decimal, binary.
    Codes,
    /// Written backwards.
    Reversed,
}

impl View {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Unmasked => "unmasked",
            Self::Unscrambled => "unscrambled",
            Self::Tags => "tags",
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Rot13 => "rot13",
            Self::Morse => "morse",
            Self::Codes => "codes",
            Self::Reversed => "reversed",
        }
    }
}

/// What is known of a sign by everybody who handles it: a rule, a model, a list, a pattern of behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInfo {
    /// Its id, the same for as long as it means the same: `model.prompt-attack`, `rule.ignore-instructions`,
    /// `behaviour.order-enumeration`.
    pub id: Box<str>,
    /// What it is a sign of.
    pub threat: Threat,
    /// How bad that is.
    pub severity: Severity,
    /// Techniques of MITRE ATLAS (`AML.T0051`) and risks of the OWASP list for language models (`LLM01`).
    pub tags: Box<[Box<str>]>,
}

/// A sign of an attack, seen once.
#[derive(Debug, Clone, PartialEq)]
pub struct Sign {
    /// Which one.
    pub info: Arc<SignInfo>,
    /// How sure, from 0 to 1.
    pub score: f32,
    /// Where, in bytes of the original text; nothing for what is not at one place.
    pub span: Option<Span>,
    /// In which form of the text.
    pub view: View,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_is_serialised() {
        let said = |value: serde_json::Value| value.as_str().map(str::to_owned);
        for threat in Threat::ALL {
            assert_eq!(said(serde_json::json!(threat)).as_deref(), Some(threat.name()));
        }
        for response in Response::ALL {
            assert_eq!(said(serde_json::json!(response)).as_deref(), Some(response.name()));
        }
        for channel in Channel::ALL {
            assert_eq!(said(serde_json::json!(channel)).as_deref(), Some(channel.name()));
        }
    }

    #[test]
    fn what_goes_further_counts_more() {
        assert!(Response::ALL.is_sorted());
        assert!(Severity::Critical > Severity::High && Severity::Info < Severity::Low);
    }
}
