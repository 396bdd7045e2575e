//! `[threats]`: what is done about attacks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use chatward_detect::behaviour::Incident;
use chatward_detect::larger::second::Aim;
use chatward_detect::link::{Brand, Judge, Settings};
use chatward_detect::threat::leak::{CANARY, Canaries};
use chatward_message::{Channel, Response, Sign, Threat, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{model_files, size, time};
use super::load::fault;
use super::raw::Span;
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
    /// Words that stand in the bot's instructions and nowhere else, 6 to 64 bytes: an answer that holds one gives its instructions
    /// away, and is stopped.
    pub canaries: Vec<String>,
    /// Hosts, with all names under them, or `host/path`, to which answers may lead and from which they may show pictures, beside
    /// `intel.own_domains`.
    pub links: Vec<String>,
    /// Names that attackers may borrow, beside those that are built in and the own domains.
    pub brands: Vec<RawBrand>,
    /// Folder of the models that `chatward train` makes of the house's cases. Default: `models` in the data folder, if it is there.
    pub models: Option<PathBuf>,
    /// Folder of rules of the house's own (`*.yaml`), in our form or in Sigma.
    pub rules: Option<PathBuf>,
    /// A larger model, in ONNX form, that is asked about texts of requests where the built-in models leave room for doubt.
    pub model: Option<RawThreatModel>,
}

/// `[threats.model]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawThreatModel {
    /// The model, an ONNX file: a text classifier, or a sentence model with a head. It is read as a whole; nothing is fetched.
    #[schemars(required)]
    pub path: Option<PathBuf>,
    /// Its tokenizer: `tokenizer.json`, or `vocab.txt` of a BERT model.
    #[schemars(required)]
    pub tokenizer: Option<PathBuf>,
    /// Its `config.json`. Default: the one beside the tokenizer.
    pub config: Option<PathBuf>,
    /// A head: what makes scores of the numbers that a sentence model gives (`models/threats-minilm.json`). Without one the
    /// model has to be a classifier with labels of its own.
    pub head: Option<PathBuf>,
    /// What each label stands for: `prompt` (an attack on the bot's instructions) or `people`. A label that is not named is
    /// ignored. Default with a head: both of its labels.
    pub labels: BTreeMap<String, AimName>,
    /// For a classifier: the scores that one in a hundred and one in a thousand harmless texts reach, as measured by the house.
    /// Without them a score is taken as it is: from 0.5 on it counts as much as what one in a hundred reaches.
    pub reached: Option<[f32; 2]>,
    /// From which risk on, and below which, it is asked.
    pub band: [f32; 2],
    /// How much its word weighs beside that of the built-in models, up to 1: then its own alone counts.
    pub weight: f32,
    /// Most stretches of text that are read at once.
    pub batch: u32,
    /// Longest stretch, in tokens; longer texts are read in stretches that overlap. Never more than the model can take.
    pub max_tokens: u32,
    /// How long it may read for one request. Of what it has not read then, the verdict of the built-in models stands.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// What happens if it cannot be used at the start.
    pub on_failure: RawWithout,
}

/// `threats.model.on_failure`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawWithout {
    /// A model that cannot be used is a fault of the configuration: the program does not start.
    #[default]
    Stop,
    /// The program starts with the built-in models alone, and says so.
    Without,
}

/// Where it is asked unless the house says otherwise.
const BAND: [f32; 2] = [0.2, chatward_detect::threat::own::NOTED];

impl Default for RawThreatModel {
    fn default() -> Self {
        Self {
            path: None,
            tokenizer: None,
            config: None,
            head: None,
            labels: BTreeMap::new(),
            reached: None,
            band: BAND,
            weight: 0.5,
            batch: 8,
            max_tokens: 256,
            time_limit: Span(Duration::from_millis(200)),
            on_failure: RawWithout::Stop,
        }
    }
}

/// `[[threats.brands]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawBrand {
    /// The name as it would stand in a host: `examplebank`.
    pub name: String,
    /// The domains of its owner.
    pub domains: Vec<String>,
}

impl Default for RawThreats {
    fn default() -> Self {
        Self {
            enabled: true,
            responses: Vec::new(),
            allow: Vec::new(),
            canaries: Vec::new(),
            links: Vec::new(),
            brands: Vec::new(),
            models: None,
            rules: None,
            model: None,
        }
    }
}

/// `[[threats.responses]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawResponse {
    /// Which threat: `prompt-injection`, `jailbreak`, `phishing`, `social-engineering`, `scam`, `exfiltration`, `malware`, `leak`,
    /// `takeover`, `enumeration`, `flooding`.
    /// Default: any.
    pub threat: Option<ThreatName>,
    /// Where it was found. Default: anywhere.
    pub channel: Option<ChannelName>,
    /// From which score on, 0.5 to 1: one in a hundred harmless messages reaches 0.5, one in a thousand 0.9. Default: 0.9; what several
    /// messages show together counts whatever its score, unless one is named.
    pub at: Option<f32>,
    /// What is done: `observe` (noted), `flag` (the staff see it, and the program that calls), `warn` (the same, and that program
    /// is asked to tell the customer; the chat page itself does not show it), `mask` (what was found is taken out of the message before the bot sees it; of an answer, an address is), `hold`
    /// (the message waits until one of the staff lets it go on), `hand-over` (a person answers from here on; only in the chat page,
    /// elsewhere it is `block`), `block` (the message goes no further, the answer ends there). Words of an answer can neither be taken
    /// out nor wait: `mask` and `hold` end it, too.
    pub response: ResponseName,
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
words!(ThreatName of Threat: PromptInjection Jailbreak Phishing SocialEngineering Scam Exfiltration Malware Leak
    Takeover Enumeration Flooding);
words!(ChannelName of Channel: Customer Document Bot);
words!(ResponseName of Response: Observe Flag Warn Mask Hold HandOver Block);
words!(AimName of Aim: Prompt People);

/// One row of what is done.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    threat: Option<Threat>,
    channel: Option<Channel>,
    at: Option<f32>,
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
    /// Words that must not stand in an answer.
    pub canaries: Canaries,
    /// Where answers may lead.
    pub links: Vec<String>,
    /// Names that attackers may borrow.
    pub brands: Vec<Brand>,
    /// Folder of models of the house's own, if one is named.
    pub models: Option<PathBuf>,
    /// Folder of rules of the house's own.
    pub rules: Option<PathBuf>,
    /// The larger model that is asked where there is doubt, if one is wanted.
    pub model: Option<ThreatModel>,
}

/// `[threats.model]`, checked as far as that goes without its files.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreatModel {
    /// The ONNX file.
    pub path: PathBuf,
    /// `tokenizer.json` or `vocab.txt`.
    pub tokenizer: PathBuf,
    /// `config.json`.
    pub config: PathBuf,
    /// The file of its head, if it needs one.
    pub head: Option<PathBuf>,
    /// What each label stands for.
    pub labels: BTreeMap<String, Aim>,
    /// The scores of a classifier that one in a hundred and one in a thousand harmless texts reach, if they were measured.
    pub reached: Option<[f32; 2]>,
    /// Risks at which it is asked.
    pub band: Range<f32>,
    /// How much its word weighs, of 1.
    pub weight: f32,
    /// Most stretches read at once.
    pub batch: usize,
    /// Longest stretch, in tokens.
    pub max_tokens: usize,
    /// How long it may read for one request.
    pub time_limit: Duration,
    /// Whether the built-in models judge alone if it cannot be used.
    pub or_without: bool,
}

impl Threats {
    /// Whether anything is taken out of what customers write or documents say: then it is taken out of what a client repeats of
    /// them, too.
    pub fn masks(&self) -> bool {
        self.rows.iter().any(|row| row.response == Response::Mask && row.channel != Some(Channel::Bot))
    }

    /// Whether messages may have to wait for one of the staff.
    pub fn holds(&self) -> bool {
        self.rows.iter().any(|row| row.response == Response::Hold && row.channel != Some(Channel::Bot))
    }

    /// What is done about a sign; nothing where it is not even noted. Without a row that fits, answers lose addresses that carry
    /// data out, and end at a canary word; all else is noted.
    pub fn response_to(&self, sign: &Sign, channel: Channel) -> Option<Response> {
        let told = self.told(sign.info.threat, channel, sign.score, USUAL);
        told.or_else(|| match (channel, sign.info.threat) {
            (Channel::Bot, Threat::Exfiltration) if sign.score >= LEAST => Some(Response::Mask),
            (Channel::Bot, Threat::Leak) if &*sign.info.id == crate::threats::CANARY => Some(Response::Block),
            _ => (sign.score >= USUAL).then_some(Response::Observe),
        })
    }

    /// What is done about what several messages show together. Without a row that fits, the staff see it. It does not count by a score
    /// that few harmless messages reach, but holds or not: a row that names no score fits. An answer was given when it is counted:
    /// there the staff see it, at most.
    pub fn response_to_behaviour(&self, incident: &Incident, channel: Channel) -> Response {
        let told = self.told(incident.info.threat, channel, incident.score, 0.0).unwrap_or(Response::Flag);
        if channel == Channel::Bot { told.min(Response::Flag) } else { told }
    }

    /// What the rows say about a threat of this score; rows that name none count from `usual` on.
    fn told(&self, threat: Threat, channel: Channel, risk: f32, usual: f32) -> Option<Response> {
        let fits = |row: &&Row| {
            row.threat.is_none_or(|t| t == threat)
                && row.channel.is_none_or(|c| c == channel)
                && risk >= row.at.unwrap_or(usual)
        };
        self.rows.iter().filter(fits).map(|row| row.response).max()
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
        if row.at.is_some_and(|at| !(LEAST..=1.0).contains(&at)) {
            let what = format!(
                "must be between {LEAST} and 1: below, one harmless message in a hundred is concerned"
            );
            faults.push(fault(&format!("threats.responses[{index}].at"), what));
        }
        if matches!(row.response, ResponseName::Block | ResponseName::Hold) && !raw.enabled {
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
    for (index, word) in raw.canaries.iter().enumerate() {
        if !CANARY.contains(&word.len()) || !word.chars().any(char::is_alphanumeric) {
            let what = format!("must have {} to {} bytes, not only signs", CANARY.start(), CANARY.end());
            faults.push(fault(&format!("threats.canaries[{index}]"), what));
        }
    }
    let brand = |raw: &RawBrand| Brand { name: raw.name.clone(), domains: raw.domains.clone() };
    let brands: Vec<Brand> = raw.brands.iter().map(brand).collect();
    let alone = |settings: Settings| Judge::new(&settings).err();
    for (index, entry) in raw.links.iter().enumerate() {
        let settings = Settings { allowed: vec![entry.clone()], ..Settings::default() };
        faults
            .extend(alone(settings).map(|what| fault(&format!("threats.links[{index}]"), what.to_string())));
    }
    for (index, brand) in brands.iter().enumerate() {
        let settings = Settings { brands: vec![brand.clone()], ..Settings::default() };
        faults
            .extend(alone(settings).map(|what| fault(&format!("threats.brands[{index}]"), what.to_string())));
    }
    let (canaries, links) = (Canaries::new(&raw.canaries), raw.links.clone());
    Threats {
        enabled: raw.enabled,
        rows,
        allow,
        canaries,
        links,
        brands,
        models: raw.models.clone(),
        rules: raw.rules.clone(),
        model: raw.model.as_ref().and_then(|raw| model(raw, faults)),
    }
}

fn model(raw: &RawThreatModel, faults: &mut Vec<Fault>) -> Option<ThreatModel> {
    let at = |key: &str| format!("threats.model.{key}");
    let [path, tokenizer] = model_files("threats.model", [&raw.path, &raw.tokenizer], faults);
    let mut labels: BTreeMap<String, Aim> =
        raw.labels.iter().map(|(label, aim)| (label.clone(), (*aim).into())).collect();
    if labels.is_empty() && raw.head.is_some() {
        labels = HEAD_LABELS.map(|(label, aim)| (label.to_owned(), aim)).into();
    }
    if labels.is_empty() {
        let what = "missing: say what a label of the classifier stands for, like INJECTION = \"prompt\"; or name the head \
                    of a sentence model";
        faults.push(fault(&at("labels"), what));
    }
    let [from, to] = raw.band;
    if !(0.0..1.0).contains(&from) || !(from..=1.0).contains(&to) || from >= to {
        faults.push(fault(&at("band"), "must be two risks between 0 and 1, the lower one first"));
    }
    if !(raw.weight > 0.0 && raw.weight <= 1.0) {
        faults.push(fault(&at("weight"), "must be more than 0 and at most 1"));
    }
    if let Some([hundred, thousand]) = raw.reached {
        if raw.head.is_some() {
            faults.push(fault(&at("reached"), "stands in the head: leave it out"));
        } else if !(0.0 < hundred && hundred < thousand && thousand < 1.0) {
            faults.push(fault(&at("reached"), "must be two scores between 0 and 1, the lower one first"));
        }
    }
    let batch = size(&at("batch"), raw.batch.into(), 1, 256, faults);
    let max_tokens = size(&at("max_tokens"), raw.max_tokens.into(), 16, 1 << 16, faults);
    let time_limit = time(&at("time_limit"), raw.time_limit, faults);
    let (path, tokenizer) = (path?, tokenizer?);
    Some(ThreatModel {
        config: raw.config.clone().unwrap_or_else(|| tokenizer.with_file_name("config.json")),
        path,
        tokenizer,
        head: raw.head.clone(),
        labels,
        reached: raw.reached,
        // What is as sure as can be is in a band that ends at 1.
        band: from..if to < 1.0 { to } else { f32::MAX },
        weight: raw.weight,
        batch,
        max_tokens,
        time_limit,
        or_without: raw.on_failure == RawWithout::Without,
    })
}

/// What the labels of our own heads stand for.
const HEAD_LABELS: [(&str, Aim); 2] = [("prompt-attack", Aim::Prompt), ("people-attack", Aim::People)];

/// The end of a day in UTC.
fn end_of(day: &str) -> Option<UnixMillis> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let date = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let start = date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis();
    u64::try_from(start + DAY).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatward_message::{Severity, SignInfo, View};

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
        let on = |threat, channel, risk| threats.told(threat, channel, risk, USUAL);
        assert_eq!(on(Threat::Jailbreak, Channel::Customer, 0.96), Some(Response::Block));
        assert_eq!(on(Threat::Jailbreak, Channel::Customer, 0.94), Some(Response::Flag));
        assert_eq!(on(Threat::Jailbreak, Channel::Document, 0.99), Some(Response::Flag));
        assert_eq!(on(Threat::Scam, Channel::Bot, 0.59), None);
    }

    #[test]
    fn without_a_row_it_is_noted_only() {
        let threats = checked("").unwrap();
        let on = |id: &str, threat, channel, score| {
            let (severity, tags) = (Severity::High, Box::default());
            let info = Arc::new(SignInfo { id: id.into(), threat, severity, tags });
            threats.response_to(&Sign { info, score, span: None, view: View::Plain }, channel)
        };
        assert_eq!(on("x", Threat::Scam, Channel::Customer, 0.99), Some(Response::Observe));
        assert_eq!(on("x", Threat::Scam, Channel::Customer, 0.89), None);
        assert_eq!(on("x", Threat::Exfiltration, Channel::Bot, 0.8), Some(Response::Mask));
        assert_eq!(on("x", Threat::Exfiltration, Channel::Customer, 0.8), None);
        assert_eq!(on("leak.canary", Threat::Leak, Channel::Bot, 1.0), Some(Response::Block));
        assert_eq!(on("leak.data", Threat::Leak, Channel::Bot, 0.95), Some(Response::Observe));
    }

    #[test]
    fn wishes_that_cannot_be_meant_are_faults() {
        for text in [
            "[[responses]]\nresponse = \"block\"\nat = 0.2",
            "enabled = false\n[[responses]]\nresponse = \"block\"",
            "[[allow]]\nphrase = \"a\"",
            "canaries = [\"short\"]",
            "links = [\"no host\"]",
            "[[brands]]\nname = \"ab\"\ndomains = []",
            "[[allow]]\nphrase = \"good phrase\"\nuntil = \"tomorrow\"",
            "[model]\npath = \"m.onnx\"\nhead = \"h.json\"",
            "[model]\npath = \"m.onnx\"\ntokenizer = \"t.json\"",
            "[model]\npath = \"m.onnx\"\ntokenizer = \"t.json\"\nhead = \"h.json\"\nband = [0.9, 0.2]",
            "[model]\npath = \"m.onnx\"\ntokenizer = \"t.json\"\nhead = \"h.json\"\nreached = [0.5, 0.9]",
            "[model]\npath = \"m.onnx\"\ntokenizer = \"t.json\"\nhead = \"h.json\"\nweight = 0",
            "[model]\npath = \"m.onnx\"\ntokenizer = \"t.json\"\nreached = [0.9, 0.5]\n[model.labels]\nX = \"prompt\"",
        ] {
            assert!(checked(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_head_says_itself_what_its_labels_stand_for() {
        let files = "[model]\npath = \"m.onnx\"\ntokenizer = \"a/t.json\"\n";
        let model = checked(&format!("{files}head = \"h.json\"")).unwrap().model.unwrap();
        assert_eq!(model.labels.values().copied().collect::<Vec<_>>(), [Aim::People, Aim::Prompt]);
        assert_eq!((model.config, model.or_without), (PathBuf::from("a/config.json"), false));
        let own = checked(&format!("{files}[model.labels]\nINJECTION = \"prompt\"")).unwrap().model.unwrap();
        assert_eq!(own.labels, BTreeMap::from([("INJECTION".to_owned(), Aim::Prompt)]));
    }

    #[test]
    fn a_phrase_counts_to_the_end_of_its_day() {
        let threats = checked("[[allow]]\nphrase = \"our phrase\"\nuntil = \"1970-01-01\"").unwrap();
        assert_eq!(threats.allow.get("our phrase"), Some(&Some(UnixMillis(86_400_000))));
    }
}
