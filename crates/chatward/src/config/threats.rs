//! `[threats]`: what is done about attacks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chatward_message::{Channel, Response, Threat, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::fault;
use super::{Fault, FaultSort};

/// `[threats]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawThreats {
    /// Whether attacks are looked for.
    pub enabled: bool,
    /// What is done, by threat and channel. Without a row that fits, what is found is noted and nothing else happens.
    pub responses: Vec<RawResponse>,
    /// Phrases that are no attack here, whatever they look like.
    pub allow: Vec<RawAllowedPhrase>,
    /// Folder of the models that `chatward train` makes of the house's cases. Default: `models` in the data folder, if it is there.
    pub models: Option<PathBuf>,
}

impl Default for RawThreats {
    fn default() -> Self {
        Self { enabled: true, responses: Vec::new(), allow: Vec::new(), models: None }
    }
}

/// `[[threats.responses]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawResponse {
    /// Which threat: `prompt-injection`, `jailbreak`, `phishing`, `social-engineering`, `scam`, `exfiltration`, `malware`. Default: any.
    pub threat: Option<ThreatName>,
    /// Where it was found. Default: anywhere.
    pub channel: Option<ChannelName>,
    /// From which score on, 0.5 to 1: one in a hundred harmless messages reaches 0.5, one in a thousand 0.9.
    #[serde(default = "usual")]
    pub at: f32,
    /// What is done: `observe` (noted), `flag` (the staff see it, and the program that calls), `warn` (the customer is told
    /// as well), `block` (the message goes no further).
    pub response: ResponseName,
}

const fn usual() -> f32 {
    USUAL
}

/// The score from which something is noted, and from which a row counts that names no other.
const USUAL: f32 = chatward_detect::threat::own::NOTED;
/// The lowest score a row may name: below, one message in a hundred would be concerned.
const LEAST: f32 = 0.5;

/// `[[threats.allow]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAllowedPhrase {
    /// The phrase, without regard to case, accents or spaces. A message that is no attack without it is none.
    pub phrase: String,
    /// The last day on which it counts: `2027-01-31`. Default: until it is taken out.
    pub until: Option<String>,
}

macro_rules! words {
    ($name:ident of $known:ident: $($word:ident)*) => {
        #[doc = concat!("A word for a [`", stringify!($known), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($word),* }

        impl From<$name> for $known {
            fn from(name: $name) -> Self {
                match name { $($name::$word => Self::$word),* }
            }
        }
    };
}
words!(ThreatName of Threat: PromptInjection Jailbreak Phishing SocialEngineering Scam Exfiltration Malware);
words!(ChannelName of Channel: Customer Document Bot);
words!(ResponseName of Response: Observe Flag Warn Block);

/// One row of what is done.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    threat: Option<Threat>,
    channel: Option<Channel>,
    at: f32,
    response: Response,
}

/// `[threats]`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Threats {
    /// Whether attacks are looked for.
    pub enabled: bool,
    rows: Vec<Row>,
    /// Phrases that are no attack, and the moment up to which they count.
    pub allow: BTreeMap<String, Option<UnixMillis>>,
    /// Folder of models of the house's own, if one is named.
    pub models: Option<PathBuf>,
}

impl Threats {
    /// What is done about a threat of this score; nothing where it is not even noted.
    pub fn response(&self, threat: Threat, channel: Channel, risk: f32) -> Option<Response> {
        let fits = |row: &&Row| {
            row.threat.is_none_or(|t| t == threat)
                && row.channel.is_none_or(|c| c == channel)
                && risk >= row.at
        };
        let told = self.rows.iter().filter(fits).map(|row| row.response).max();
        told.or_else(|| (risk >= USUAL).then_some(Response::Observe))
    }
}

#[cfg(test)]
impl Threats {
    /// What this text of a `[threats]` table wishes.
    pub(crate) fn of(text: &str) -> Self {
        let mut faults = Vec::new();
        let wished = threats(&toml::from_str(text).unwrap(), &mut faults);
        assert!(faults.is_empty(), "{faults:?}");
        wished
    }
}

pub(super) fn threats(raw: &RawThreats, faults: &mut Vec<Fault>) -> Threats {
    let mut rows = Vec::new();
    for (index, row) in raw.responses.iter().enumerate() {
        if !(LEAST..=1.0).contains(&row.at) {
            let what = format!(
                "must be between {LEAST} and 1: below, one harmless message in a hundred is concerned"
            );
            faults.push(fault(&format!("threats.responses[{index}].at"), what));
        }
        if row.response == ResponseName::Block && !raw.enabled {
            let what = "nothing is looked for while threats.enabled is false";
            faults.push(Fault {
                sort: FaultSort::Wrong,
                ..fault(&format!("threats.responses[{index}].response"), what)
            });
        }
        rows.push(Row {
            threat: row.threat.map(Into::into),
            channel: row.channel.map(Into::into),
            at: row.at,
            response: row.response.into(),
        });
    }
    let mut allow = BTreeMap::new();
    for (index, allowed) in raw.allow.iter().enumerate() {
        let at = |key: &str| format!("threats.allow[{index}].{key}");
        if allowed.phrase.trim().chars().count() < 4 {
            faults.push(fault(&at("phrase"), "must have at least four characters"));
        }
        let until = allowed.until.as_deref().map(|day| end_of(day).ok_or(day));
        match until {
            Some(Err(day)) => {
                faults.push(fault(&at("until"), format!("{day:?} is no day: write 2027-01-31")))
            }
            Some(Ok(end)) => {
                allow.insert(allowed.phrase.clone(), Some(end));
            }
            None => {
                allow.insert(allowed.phrase.clone(), None);
            }
        }
    }
    Threats { enabled: raw.enabled, rows, allow, models: raw.models.clone() }
}

/// The end of a day in UTC.
fn end_of(day: &str) -> Option<UnixMillis> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let date = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let start = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
    u64::try_from(start + DAY).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<Threats, Vec<Fault>> {
        let mut faults = Vec::new();
        let threats = threats(&toml::from_str(text).unwrap(), &mut faults);
        if faults.is_empty() { Ok(threats) } else { Err(faults) }
    }

    #[test]
    fn the_row_that_goes_furthest_counts() {
        let threats = checked(
            "[[responses]]\nresponse = \"flag\"\nat = 0.6\n[[responses]]\nthreat = \"jailbreak\"\nchannel = \"customer\"\n\
             at = 0.95\nresponse = \"block\"",
        )
        .unwrap();
        let on = |threat, channel, risk| threats.response(threat, channel, risk);
        assert_eq!(on(Threat::Jailbreak, Channel::Customer, 0.96), Some(Response::Block));
        assert_eq!(on(Threat::Jailbreak, Channel::Customer, 0.94), Some(Response::Flag));
        assert_eq!(on(Threat::Jailbreak, Channel::Document, 0.99), Some(Response::Flag));
        assert_eq!(on(Threat::Scam, Channel::Bot, 0.59), None);
    }

    #[test]
    fn without_a_row_it_is_noted_only() {
        let threats = checked("").unwrap();
        assert_eq!(threats.response(Threat::Scam, Channel::Customer, 0.99), Some(Response::Observe));
        assert_eq!(threats.response(Threat::Scam, Channel::Customer, 0.89), None);
    }

    #[test]
    fn wishes_that_cannot_be_meant_are_faults() {
        for text in [
            "[[responses]]\nresponse = \"block\"\nat = 0.2",
            "enabled = false\n[[responses]]\nresponse = \"block\"",
            "[[allow]]\nphrase = \"a\"",
            "[[allow]]\nphrase = \"good phrase\"\nuntil = \"tomorrow\"",
        ] {
            assert!(checked(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_phrase_counts_to_the_end_of_its_day() {
        let threats = checked("[[allow]]\nphrase = \"our phrase\"\nuntil = \"1970-01-01\"").unwrap();
        assert_eq!(threats.allow.get("our phrase"), Some(&Some(UnixMillis(86_400_000))));
    }
}
