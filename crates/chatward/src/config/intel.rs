//! `[intel]`: feeds of threat intelligence, and what none of them may list.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatward_detect::indicator::{Record, Tlp};
use chatward_intel::{Acceptance, Form};
use chatward_message::Threat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::check::{plain_name, secret, secret_file, url};
use super::load::fault;
use super::raw::Span;
use super::{Fault, Secret};

/// The name of the house's own list, which no feed may have.
pub(crate) const OWN: &str = "own";
/// So many feeds are followed.
const MOST: usize = 500;
/// The least time between two looks at a server.
const LEAST: Duration = Duration::from_secs(10);

/// `intel.feeds.form`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeedForm {
    /// A STIX 2.1 bundle.
    Stix,
    /// A collection of a TAXII 2.1 server; `url` is that of the collection.
    Taxii,
    /// MISP JSON: an event, or what a search answers.
    Misp,
    /// A MISP feed: `url` is the folder in which its manifest.json is.
    MispFeed,
    /// The search of a MISP server: `url` is the server.
    MispRest,
    /// CSV as abuse.ch exports it.
    AbuseCsv,
    /// A CSAF 2.0 advisory.
    Csaf,
    /// One domain, URL, address, hash or e-mail address a line.
    Lines,
    /// A hosts file.
    Hosts,
    /// A list for ad blockers.
    Adblock,
}

impl FeedForm {
    /// The form of what is read in the end.
    pub(crate) const fn read(self) -> Form {
        match self {
            Self::Stix | Self::Taxii => Form::Stix,
            Self::Misp | Self::MispFeed | Self::MispRest => Form::Misp,
            Self::AbuseCsv => Form::AbuseCsv,
            Self::Csaf => Form::Csaf,
            Self::Lines => Form::Lines,
            Self::Hosts => Form::Hosts,
            Self::Adblock => Form::Adblock,
        }
    }
}

/// `[intel]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawIntel {
    /// Domains of the house: nothing on or below them is ever taken from a feed.
    pub own_domains: Vec<String>,
    /// Files with more warning lists, in the form of MISP. What they name is never taken from a feed.
    pub warning_lists: Vec<PathBuf>,
    /// The feeds.
    pub feeds: Vec<RawFeed>,
    /// Who is given the house's own indicators and its sightings.
    pub share: Vec<RawShare>,
}

/// `[[intel.share]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawShare {
    /// Its name here: 1 to 63 of `a-z 0-9 -`.
    #[schemars(required)]
    pub name: Option<String>,
    /// Where it is: a collection of a TAXII 2.1 server that takes objects, or a MISP server.
    #[schemars(required)]
    pub url: Option<String>,
    /// Which of them.
    pub form: RawPlace,
    /// How often it is given what there is. Without this only `chatward intel share --to NAME` does.
    #[schemars(with = "Option<String>")]
    pub every: Option<Span>,
    /// The strictest marking that goes there: clear, green, amber, amber+strict, red. What feeds say goes out up to green,
    /// whatever stands here.
    pub tlp: String,
    /// File with its key, token or password.
    pub key_file: Option<PathBuf>,
    /// Environment variable with it.
    pub key_env: Option<String>,
    /// With whose name the key is sent as a password (HTTP Basic).
    pub user: Option<String>,
    /// The header that carries the key. Default: `Authorization: Bearer KEY`; for MISP servers `Authorization: KEY`.
    pub header: Option<String>,
    /// The HTTP proxy on the way: `http://proxy.example:3128`.
    pub proxy: Option<String>,
    /// How long all of it may take.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// Danger: give it to another machine without TLS. Everybody on the way can read it.
    pub unsafe_plain_http: bool,
}

impl Default for RawShare {
    fn default() -> Self {
        let (name, url, every, key_file, key_env) = (None, None, None, None, None);
        let (user, header, proxy) = (None, None, None);
        let time_limit = RawFeed::default().time_limit;
        let (form, tlp, unsafe_plain_http) = (RawPlace::default(), "green".to_owned(), false);
        Self {
            name,
            url,
            form,
            every,
            tlp,
            key_file,
            key_env,
            user,
            header,
            proxy,
            time_limit,
            unsafe_plain_http,
        }
    }
}

/// `intel.share.form`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawPlace {
    /// A collection of a TAXII 2.1 server; `url` is that of the collection.
    #[default]
    Taxii,
    /// A MISP server; `url` is the server.
    MispRest,
}

impl RawPlace {
    const fn form(self) -> FeedForm {
        match self {
            Self::Taxii => FeedForm::Taxii,
            Self::MispRest => FeedForm::MispRest,
        }
    }
}

/// `[[intel.feeds]]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawFeed {
    /// Its name here: 1 to 63 of `a-z 0-9 -`.
    #[schemars(required)]
    pub name: Option<String>,
    /// Where it is. Either this or `file`.
    pub url: Option<String>,
    /// A file that somebody else brings up to date; it is read within seconds of a change.
    pub file: Option<PathBuf>,
    /// Its form.
    #[schemars(required)]
    pub form: Option<FeedForm>,
    /// How often it is asked for.
    #[schemars(with = "String")]
    pub every: Span,
    /// After how long without an answer it counts as stale.
    #[schemars(with = "String")]
    pub stale_after: Span,
    /// File with its key, token or password.
    pub key_file: Option<PathBuf>,
    /// Environment variable with it.
    pub key_env: Option<String>,
    /// With whose name the key is sent as a password (HTTP Basic).
    pub user: Option<String>,
    /// The header that carries the key. Default: `Authorization: Bearer KEY`; for MISP servers `Authorization: KEY`.
    pub header: Option<String>,
    /// The HTTP proxy on the way: `http://proxy.example:3128`.
    pub proxy: Option<String>,
    /// Largest answer, in bytes.
    pub max_bytes: u64,
    /// How long all of one look may take.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// How sure it is, from 0 to 100, where it does not say itself.
    pub confidence: Option<u8>,
    /// Its marking where it does not say itself: clear, green, amber, amber+strict, red.
    pub tlp: Option<String>,
    /// What its indicators are a sign of where it does not say itself.
    pub threat: Option<RawThreat>,
    /// Most malformed entries of 100, before all of it is refused.
    pub max_malformed: u8,
    /// Most indicators of 100 that warning lists stop.
    pub max_stopped: u8,
    /// Most indicators of 100 that may be gone at once.
    pub max_lost: u8,
    /// Danger: ask another machine without TLS. Everybody on the way can change what it says.
    pub unsafe_plain_http: bool,
}

/// `intel.feeds.threat`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawThreat {
    /// Getting at credentials or payment data in somebody else's name.
    Phishing,
    /// Harmful software.
    Malware,
    /// Fraud that wants money.
    Scam,
    /// Working on people.
    SocialEngineering,
}

impl RawThreat {
    const fn threat(self) -> Threat {
        match self {
            Self::Phishing => Threat::Phishing,
            Self::Malware => Threat::Malware,
            Self::Scam => Threat::Scam,
            Self::SocialEngineering => Threat::SocialEngineering,
        }
    }
}

impl Default for RawFeed {
    fn default() -> Self {
        let Acceptance { malformed, stopped, lost, .. } = Acceptance::default();
        let (name, url, file, form, key_file, key_env) = (None, None, None, None, None, None);
        let (user, header, proxy, confidence, tlp, threat) = (None, None, None, None, None, None);
        Self {
            name,
            url,
            file,
            form,
            every: Span(Duration::from_secs(3600)),
            stale_after: Span(Duration::from_secs(24 * 3600)),
            key_file,
            key_env,
            user,
            header,
            proxy,
            max_bytes: 256 << 20,
            time_limit: Span(Duration::from_secs(120)),
            confidence,
            tlp,
            threat,
            max_malformed: malformed,
            max_stopped: stopped,
            max_lost: lost,
            unsafe_plain_http: false,
        }
    }
}

/// `[intel]`, checked as far as that goes without its files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intel {
    /// Domains of the house.
    pub own_domains: Vec<String>,
    /// Files with warning lists.
    pub warning_lists: Vec<PathBuf>,
    /// The feeds.
    pub feeds: Vec<Feed>,
    /// Who is given what the house knows.
    pub shares: Vec<Share>,
}

/// Who is given the house's own indicators and its sightings.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Where it is, and how it is asked.
    pub place: Feed,
    /// How often; nothing: when somebody says so.
    pub every: Option<Duration>,
    /// The strictest marking that goes there.
    pub upto: Tlp,
}

/// A feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Feed {
    /// Its name here.
    pub name: Arc<str>,
    /// Where it is.
    pub from: From,
    /// Its form.
    pub form: FeedForm,
    /// How often it is asked for.
    pub every: Duration,
    /// After how long without an answer it counts as stale.
    pub stale_after: Duration,
    /// The header with its key, and that header's value.
    pub key: Option<(http::HeaderName, Secret)>,
    /// The proxy on the way.
    pub proxy: Option<http::Uri>,
    /// Largest answer, in bytes.
    pub max_bytes: u64,
    /// How long all of one look may take.
    pub time_limit: Duration,
    /// What counts where an entry does not say itself.
    pub defaults: Record,
    /// What it must be like to be taken.
    pub acceptance: Acceptance,
}

/// Where a feed is.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// On a server.
    Url(http::Uri),
    /// In a file.
    File(PathBuf),
}

pub(super) fn intel(raw: &RawIntel, faults: &mut Vec<Fault>) -> Intel {
    for (at, name) in raw.own_domains.iter().enumerate() {
        if chatward_detect::indicator::Value::domain(name).is_err() {
            faults.push(fault(&format!("intel.own_domains[{at}]"), "not a domain name"));
        }
    }
    if raw.feeds.len() > MOST {
        faults.push(fault("intel.feeds", format!("more than {MOST} feeds")));
    }
    let mut feeds: Vec<Feed> = Vec::new();
    for (at, feed) in raw.feeds.iter().enumerate() {
        let path = format!("intel.feeds[{at}]");
        let Some(feed) = checked(&path, feed, faults) else { continue };
        if feeds.iter().any(|other| other.name == feed.name) {
            faults.push(fault(&format!("{path}.name"), format!("`{}` is there twice", feed.name)));
        }
        feeds.push(feed);
    }
    let mut shares: Vec<Share> = Vec::new();
    for (at, share) in raw.share.iter().enumerate() {
        let path = format!("intel.share[{at}]");
        let Some(share) = checked_share(&path, share, faults) else { continue };
        if shares.iter().any(|other| other.place.name == share.place.name) {
            faults.push(fault(&format!("{path}.name"), format!("`{}` is there twice", share.place.name)));
        }
        shares.push(share);
    }
    let (own_domains, warning_lists) = (raw.own_domains.clone(), raw.warning_lists.clone());
    Intel { own_domains, warning_lists, feeds, shares }
}

fn checked_share(path: &str, raw: &RawShare, faults: &mut Vec<Fault>) -> Option<Share> {
    if raw.every.as_ref().is_some_and(|every| every.0 < LEAST) {
        faults.push(fault(&format!("{path}.every"), format!("at least {} s", LEAST.as_secs())));
    }
    let upto = Tlp::read(&raw.tlp).unwrap_or_else(|| {
        faults.push(fault(&format!("{path}.tlp"), "must be clear, green, amber, amber+strict or red"));
        Tlp::Clear
    });
    // It is asked as a feed is.
    let as_feed = RawFeed {
        name: raw.name.clone(),
        url: raw.url.clone(),
        form: Some(raw.form.form()),
        key_file: raw.key_file.clone(),
        key_env: raw.key_env.clone(),
        user: raw.user.clone(),
        header: raw.header.clone(),
        proxy: raw.proxy.clone(),
        time_limit: Span(raw.time_limit.0),
        unsafe_plain_http: raw.unsafe_plain_http,
        ..RawFeed::default()
    };
    let place = checked(path, &as_feed, faults)?;
    Some(Share { place, every: raw.every.as_ref().map(|every| every.0), upto })
}

/// The same for tests of those who follow feeds.
#[cfg(test)]
pub(crate) fn checked_for_tests(raw: &RawIntel, faults: &mut Vec<Fault>) -> Intel {
    intel(raw, faults)
}

fn checked(path: &str, raw: &RawFeed, faults: &mut Vec<Fault>) -> Option<Feed> {
    let at = |key: &str| format!("{path}.{key}");
    let name = raw.name.as_deref().unwrap_or_default();
    if !plain_name(name) || name == OWN {
        faults.push(fault(&at("name"), "missing, or not 1 to 63 of a-z 0-9 -, or `own`"));
    }
    let Some(form) = raw.form else {
        faults.push(fault(&at("form"), "missing: say what the feed is, for example \"lines\""));
        return None;
    };
    let from = match (&raw.url, &raw.file) {
        (Some(_), None) => {
            let example = "https://feeds.example/list.txt";
            let plain = raw.unsafe_plain_http;
            From::Url(url(&at("url"), (raw.url.as_deref(), example), plain, faults)?)
        }
        (None, Some(file)) => From::File(file.clone()),
        _ => {
            faults.push(fault(&at("url"), "missing or twice: either `url` or `file` says where it is"));
            return None;
        }
    };
    let served = matches!(form, FeedForm::Taxii | FeedForm::MispFeed | FeedForm::MispRest);
    if served && matches!(from, From::File(_)) {
        faults.push(fault(&at("file"), "this form is asked of a server: give its `url`"));
    }
    bounds(path, raw, faults);
    let proxy = match &raw.proxy {
        Some(text) => Some(url(&at("proxy"), (Some(text), "http://proxy.example:3128"), true, faults)?),
        None => None,
    };
    let tlp = match raw.tlp.as_deref() {
        None => Tlp::Unmarked,
        Some(text) => Tlp::read(text).unwrap_or_else(|| {
            faults.push(fault(&at("tlp"), "must be clear, green, amber, amber+strict or red"));
            Tlp::Red
        }),
    };
    let threat = raw.threat.map(RawThreat::threat);
    Some(Feed {
        name: name.into(),
        from,
        form,
        every: raw.every.0,
        stale_after: raw.stale_after.0,
        key: key(path, raw, form, faults),
        proxy,
        max_bytes: raw.max_bytes,
        time_limit: raw.time_limit.0,
        defaults: Record { confidence: raw.confidence, tlp, threat, ..Record::default() },
        acceptance: Acceptance {
            malformed: raw.max_malformed,
            stopped: raw.max_stopped,
            lost: raw.max_lost,
            ..Acceptance::default()
        },
    })
}

fn bounds(path: &str, raw: &RawFeed, faults: &mut Vec<Fault>) {
    let at = |key: &str| format!("{path}.{key}");
    if raw.every.0 < LEAST {
        faults.push(fault(&at("every"), format!("at least {} s", LEAST.as_secs())));
    }
    if raw.stale_after.0 < raw.every.0 {
        faults.push(fault(&at("stale_after"), "shorter than `every`: it would always be stale"));
    }
    if raw.max_bytes == 0 || raw.time_limit.0.is_zero() {
        faults.push(fault(&at("max_bytes"), "neither the bytes nor the time may be 0"));
    }
    let shares = [raw.max_malformed, raw.max_stopped, raw.max_lost, raw.confidence.unwrap_or(0)];
    if shares.into_iter().any(|share| share > 100) {
        faults.push(fault(path, "shares and confidence are of 100"));
    }
}

/// The header that carries the key, with its value.
fn key(
    path: &str,
    raw: &RawFeed,
    form: FeedForm,
    faults: &mut Vec<Fault>,
) -> Option<(http::HeaderName, Secret)> {
    let at = |key: &str| format!("{path}.{key}");
    let found = match (&raw.key_file, &raw.key_env) {
        (None, None) => return None,
        (Some(file), None) => secret_file(&at("key_file"), file, faults)?,
        (None, Some(variable)) => match std::env::var(variable) {
            Ok(value) => secret(&at("key_env"), Zeroizing::new(value), faults)?,
            Err(_) => {
                faults.push(fault(&at("key_env"), format!("the variable {variable} is not set")));
                return None;
            }
        },
        (Some(_), Some(_)) => {
            faults.push(fault(&at("key_file"), "twice: either a file or a variable holds the key"));
            return None;
        }
    };
    let value = match (&raw.user, &raw.header, form) {
        (Some(user), None, _) => {
            let pair = Zeroizing::new(format!("{user}:{}", found.expose()));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
        (None, None, form) if form != FeedForm::MispRest => {
            Zeroizing::new(format!("Bearer {}", found.expose()))
        }
        (None, _, _) => Zeroizing::new(found.expose().to_owned()),
        (Some(_), Some(_), _) => {
            faults.push(fault(&at("header"), "a user's password stands in the header Authorization"));
            return None;
        }
    };
    let header = raw.header.as_deref().unwrap_or("authorization").to_ascii_lowercase();
    match header.parse() {
        Ok(header) => Some((header, Secret(value))),
        Err(_) => {
            faults.push(fault(&at("header"), "not the name of a header"));
            None
        }
    }
}
