//! The one record of which all forms are made. It has no room for text: ids, keyed hashes, counts, times and words of rules.

use std::fmt;

use chatward_detect::behaviour;
use chatward_message::{Channel, Response, Severity, Sign, SignInfo, Threat, TurnId, UnixMillis, View};
use serde::{Deserialize, Serialize};

/// The longest word.
const LONGEST: usize = 64;
/// Tags, counts and rules of one record at most.
pub(crate) const MOST: usize = 16;

/// A word of a closed or a configured list: letters, digits and `._:-`, at most 64. No sentence fits in.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct Word(Box<str>);

impl Word {
    /// The word, if it is one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let part = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        ((1..=LONGEST).contains(&text.len()) && text.bytes().all(part)).then(|| Self(text.into()))
    }

    /// The word; what is no part of one becomes `-`, and the rest is cut off.
    #[must_use]
    pub fn forced(text: &str) -> Self {
        let part = |c: char| if c.is_ascii_alphanumeric() || "._:-".contains(c) { c } else { '-' };
        let word: String = text.chars().map(part).take(LONGEST).collect();
        Self(if word.is_empty() { "-".into() } else { word.into() })
    }

    /// Its letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Box<str>> for Word {
    type Error = &'static str;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("not a word")
    }
}

impl From<Word> for Box<str> {
    fn from(word: Word) -> Self {
        word.0
    }
}

/// What an alert is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "AlertScope")]
pub enum Scope {
    /// A conversation.
    Conversation,
    /// An account: a customer.
    Account,
    /// A network: a prefix of addresses.
    Network,
    /// A text, whoever sends it.
    Text,
    /// The house itself: a list that is old, a receiver that is full.
    House,
}

impl Scope {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversation => "conversation",
            Self::Account => "account",
            Self::Network => "network",
            Self::Text => "text",
            Self::House => "house",
        }
    }
}

impl From<behaviour::Scope> for Scope {
    fn from(scope: behaviour::Scope) -> Self {
        match scope {
            behaviour::Scope::Conversation => Self::Conversation,
            behaviour::Scope::Account => Self::Account,
            behaviour::Scope::Network => Self::Network,
            behaviour::Scope::Text => Self::Text,
        }
    }
}

/// Something that was seen once: what a turn hands in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// When.
    pub at: UnixMillis,
    /// The id of the sign: `behaviour.order-enumeration`.
    pub rule: Word,
    /// What it is a sign of.
    pub threat: Threat,
    /// How bad that is.
    pub severity: Severity,
    /// Techniques of MITRE ATLAS and risks of the OWASP list.
    pub tags: Vec<Word>,
    /// How sure, from 0 to 1.
    pub score: f32,
    /// What it is about.
    pub scope: Scope,
    /// Its keyed hash; 0 for the house.
    pub subject: u64,
    /// What was done about it.
    pub response: Response,
    /// Who wrote it.
    pub channel: Option<Channel>,
    /// In which form of the text it was seen.
    pub view: Option<View>,
    /// In which turn.
    pub turn: Option<TurnId>,
    /// Which bot, by its name in the configuration.
    pub bot: Option<Word>,
    /// What was counted.
    pub counts: Vec<(Word, u32)>,
    /// When the earliest of it was seen.
    pub since: UnixMillis,
}

impl Alert {
    /// A sign in a text, about a conversation or whatever else it is counted for.
    #[must_use]
    pub fn of_sign(
        sign: &Sign,
        at: UnixMillis,
        about: (Scope, u64),
        channel: Channel,
        response: Response,
    ) -> Self {
        let mut alert = Self::bare(&sign.info, at, about, response);
        alert.score = sign.score.clamp(0.0, 1.0);
        alert.channel = Some(channel);
        alert.view = Some(sign.view);
        alert
    }

    /// A pattern of behaviour.
    #[must_use]
    pub fn of_behaviour(incident: &behaviour::Incident, response: Response) -> Self {
        let about = (incident.scope.into(), incident.subject);
        let mut alert = Self::bare(&incident.info, incident.at, about, response);
        alert.score = incident.score.clamp(0.0, 1.0);
        alert.since = incident.evidence.since;
        let counts = incident.evidence.counts.iter().take(MOST);
        alert.counts = counts.map(|(name, count)| (Word::forced(name), *count)).collect();
        alert
    }

    /// What the house itself reports: an old list, a receiver that takes nothing any more.
    #[must_use]
    pub fn of_house(info: &SignInfo, at: UnixMillis) -> Self {
        Self::bare(info, at, (Scope::House, 0), Response::Flag)
    }

    /// The same, seen in this turn.
    #[must_use]
    pub fn in_turn(mut self, turn: TurnId) -> Self {
        self.turn = Some(turn);
        self
    }

    /// The same, towards the bot of this name in the configuration.
    #[must_use]
    pub fn with_bot(mut self, name: &str) -> Self {
        self.bot = Some(Word::forced(name));
        self
    }

    fn bare(info: &SignInfo, at: UnixMillis, (scope, subject): (Scope, u64), response: Response) -> Self {
        Self {
            at,
            rule: Word::forced(&info.id),
            threat: info.threat,
            severity: info.severity,
            tags: info.tags.iter().take(MOST).map(|tag| Word::forced(tag)).collect(),
            score: 1.0,
            scope,
            subject,
            response,
            channel: None,
            view: None,
            turn: None,
            bot: None,
            counts: Vec::new(),
            since: at,
        }
    }

    /// By what alerts belong together: the family of the rule (`behaviour`, `model`, `rule`, `link`, …), what it is a sign of,
    /// and what it is about.
    pub(crate) fn family(&self) -> (&str, Threat, Scope, u64) {
        let family = self.rule.as_str().split('.').next().unwrap_or_default();
        (family, self.threat, self.scope, self.subject)
    }
}

/// What became of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// It is new.
    Opened,
    /// It became worse, or went on.
    Updated,
    /// Somebody of the staff looks after it.
    Acknowledged,
    /// It is over.
    Closed,
    /// None: somebody wants to know whether alerts arrive.
    Test,
}

impl Activity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
            Self::Test => "test",
        }
    }
}

/// What receivers are told: an incident as it stands, and the alert that moved it. The form is versioned: [`Report::VERSION`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form.
    pub v: u8,
    /// What happened with the incident.
    pub activity: Activity,
    /// Its id, 32 hexadecimal digits.
    pub incident: Word,
    /// The id of this report: receivers that get it twice know it by that.
    pub id: Word,
    /// In which house.
    pub tenant: Word,
    /// When.
    pub at: UnixMillis,
    /// When the first alert came.
    pub first: UnixMillis,
    /// When the last alert came.
    pub last: UnixMillis,
    /// How many alerts came.
    pub count: u64,
    /// The worst of them.
    pub severity: Severity,
    /// Which rules, and how often.
    pub rules: Vec<(Word, u64)>,
    /// The newest alert.
    pub alert: Alert,
}

impl Report {
    /// The version of the form.
    pub const VERSION: u8 = 1;

    /// A report that says nothing but that reports arrive.
    pub(crate) fn test(tenant: &str, at: UnixMillis, id: &[u8; 16]) -> Self {
        let info = SignInfo {
            id: "alerts.test".into(),
            threat: Threat::Flooding,
            severity: Severity::Info,
            tags: Box::new([]),
        };
        let id = Word::forced(&crate::rights::consent::hex(id));
        Self {
            v: Self::VERSION,
            activity: Activity::Test,
            incident: id.clone(),
            id,
            tenant: Word::forced(tenant),
            at,
            first: at,
            last: at,
            count: 1,
            severity: Severity::Info,
            rules: vec![(Word::forced("alerts.test"), 1)],
            alert: Alert::of_house(&info, at),
        }
    }

    /// One line for people, of words alone.
    pub(crate) fn title(&self) -> String {
        let Alert { threat, rule, scope, .. } = &self.alert;
        format!(
            "{} {}: {threat} ({rule}) of one {}",
            self.severity.name(),
            self.activity.name(),
            scope.name()
        )
    }

    /// The subject, as far as outsiders may know it.
    pub(crate) fn subject(&self) -> Option<String> {
        (self.alert.scope != Scope::House).then(|| format!("{:016x}", self.alert.subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_is_a_word() {
        assert!(Word::new("behaviour.order-enumeration").is_some());
        for text in ["", "my card is 4111", "a\nb", "ü", &"x".repeat(65)] {
            assert!(Word::new(text).is_none(), "{text}");
            assert!(Word::new(Word::forced(text).as_str()).is_some());
        }
        assert!(serde_json::from_str::<Word>("\"two words\"").is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_is_forced_is_a_word(text in ".*") {
            proptest::prop_assert!(Word::new(Word::forced(&text).as_str()).is_some());
        }
    }
}
