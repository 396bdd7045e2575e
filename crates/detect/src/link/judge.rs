//! What speaks against an address.

use std::net::Ipv6Addr;
use std::sync::{Arc, LazyLock};

use chatward_message::{Channel, Severity, Sign, SignInfo, Threat, View};
use unicode_security::{RestrictionLevel, RestrictionLevelDetection};

use super::brand::{Brands, Likeness, SHARED, look, stands_in};
use super::carried::{carried, written_at_length};
use super::find::{How, Link, find};
use super::model::Model;
use super::parsed::{HostKind, Parsed, is_under};

/// Addresses inside of addresses are judged down to this depth.
const DEPTH: usize = 3;
/// So many parameters of an address are looked at.
const PARAMETERS: usize = 16;
/// More entries in a list of the configuration are refused.
const MOST_ENTRIES: usize = 20_000;

/// What the house says about addresses.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Names to protect beside those that are built in.
    pub brands: Vec<Brand>,
    /// The house's own domains: their names are protected, and they are allowed.
    pub own: Vec<String>,
    /// Hosts that are allowed with all names under them, or `host/path` for what lies under that path.
    pub allowed: Vec<String>,
}

/// A name that attackers may borrow.
#[derive(Debug, Clone, PartialEq)]
pub struct Brand {
    /// The name, as it would stand in a host: `examplebank`.
    pub name: String,
    /// The domains of its owner.
    pub domains: Vec<String>,
}

/// Why settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not the name of a host, or not in the form `host/path`.
    #[error("not a host: {0}")]
    NotAHost(String),
    /// A name needs at least three letters or digits, and no dot.
    #[error("not a name that can be protected: {0}")]
    NotAName(String),
    /// Too many entries.
    #[error("more than {MOST_ENTRIES} entries")]
    TooMany,
}

/// Judges addresses: a fixed set of signs, settings, and the model.
#[derive(Debug)]
pub struct Judge {
    own: Option<Brands>,
    allowed: Box<[(Box<str>, Box<str>)]>,
    model: Option<&'static Model>,
}

/// A text's addresses, judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judged {
    /// Each address with what speaks against it.
    pub links: Vec<JudgedLink>,
    /// What speaks against the text as a whole: more addresses than are looked at.
    pub signs: Vec<Sign>,
}

/// An address, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedLink {
    /// The address.
    pub link: Link,
    /// What speaks against it. Spans are the whole link's.
    pub signs: Vec<Sign>,
    /// Whether its host is allowed by the settings.
    pub allowed: bool,
}

macro_rules! signs {
    ($($name:ident $id:literal $threat:ident $severity:ident [$($tag:literal),*];)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Is { $($name),* }
        static INFOS: LazyLock<Vec<Arc<SignInfo>>> = LazyLock::new(|| vec![$(Arc::new(SignInfo {
            id: $id.into(),
            threat: Threat::$threat,
            severity: Severity::$severity,
            tags: Box::new([$($tag.into()),*]),
        })),*]);
    };
}

signs! {
    WholeDomain "link.domain-of-another" Phishing High ["AML.T0052"];
    LookAlike "link.look-alike" Phishing High ["AML.T0052"];
    Misspelt "link.misspelt-brand" Phishing High ["AML.T0052"];
    Joined "link.brand-with-words" Phishing High ["AML.T0052"];
    InSubdomain "link.brand-in-subdomain" Phishing Medium ["AML.T0052"];
    Elsewhere "link.brand-under-other-suffix" Phishing Low ["AML.T0052"];
    Scripts "link.mixed-scripts" Phishing High ["AML.T0052"];
    Credentials "link.user-before-host" Phishing High ["AML.T0052"];
    Address "link.ip-address" Phishing Medium ["AML.T0052"];
    Disguised "link.disguised-ip-address" Phishing High ["AML.T0052"];
    Port "link.unusual-port" Phishing Low ["AML.T0052"];
    Script "link.script" Phishing High ["AML.T0052", "LLM05"];
    LocalFile "link.file" Phishing High ["AML.T0052"];
    Redirect "link.leads-on" Phishing Low ["AML.T0052"];
    Shortener "link.shortener" Phishing Low ["AML.T0052"];
    Shared "link.shared-host" Phishing Info ["AML.T0052"];
    Long "link.long" Phishing Info ["AML.T0052"];
    Encoded "link.needlessly-encoded" Phishing Low ["AML.T0052"];
    Hidden "link.hidden" Phishing Medium ["AML.T0052", "AML.T0068"];
    Shown "link.shows-another" Phishing High ["AML.T0052"];
    Modelled "model.address" Phishing Medium ["AML.T0052"];
    Loads "link.loads-from-elsewhere" Exfiltration High ["AML.T0077", "LLM05"];
    Carries "link.carries-data" Exfiltration Critical ["AML.T0077", "LLM02"];
    Flood "link.too-many" Flooding Medium [];
}

/// Every sign that a judge can give.
pub fn signs() -> impl Iterator<Item = &'static Arc<SignInfo>> {
    INFOS.iter()
}

static SHORTENERS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("lists/shorteners.txt").lines().collect());

/// Signs while they are gathered: each once, with its highest score.
#[derive(Default)]
struct Gathered(Vec<(Is, f32)>);

impl Gathered {
    fn add(&mut self, is: Is, score: f32) {
        match self.0.iter_mut().find(|(known, _)| *known == is) {
            Some((_, known)) => *known = known.max(score),
            None => self.0.push((is, score)),
        }
    }
}

impl Judge {
    /// A judge with these settings.
    ///
    /// # Errors
    ///
    /// [`Fault`] names the entry that cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, Fault> {
        let all = [settings.brands.len(), settings.own.len(), settings.allowed.len()];
        if all.iter().sum::<usize>() > MOST_ENTRIES {
            return Err(Fault::TooMany);
        }
        let mut names: Vec<(String, Vec<String>)> = Vec::new();
        for brand in &settings.brands {
            let name = brand.name.to_lowercase();
            if name.chars().filter(|c| c.is_alphanumeric()).count() < 3 || name.contains('.') {
                return Err(Fault::NotAName(brand.name.clone()));
            }
            names.push((name, brand.domains.iter().map(|d| host(d)).collect::<Result<_, _>>()?));
        }
        let mut allowed = Vec::new();
        for entry in &settings.own {
            let domain = host(entry)?;
            let label = Parsed::of(&domain).and_then(|p| p.label().map(str::to_owned));
            names.push((label.unwrap_or_else(|| domain.clone()), vec![domain.clone()]));
            allowed.push((domain.into(), "".into()));
        }
        for entry in &settings.allowed {
            let (name, path) = entry.split_once('/').unwrap_or((entry, ""));
            allowed.push((host(name)?.into(), path.into()));
        }
        let borrowed =
            names.iter().map(|(name, domains)| (name.as_str(), domains.iter().map(String::as_str).collect()));
        let own = (!names.is_empty()).then(|| Brands::new(borrowed));
        Ok(Self { own, allowed: allowed.into(), model: super::model::built_in() })
    }

    /// Finds and judges the addresses of a text. `values` are texts of the conversation that must not leave in an address of
    /// an answer.
    pub fn text(&self, text: &str, channel: Channel, values: &[&str]) -> Judged {
        let found = find(text);
        // What was not looked at may be anything; more pages of hosts that were looked at hide less.
        let score = if found.more { 0.95 } else { 0.5 };
        let flood = Sign { info: info(Is::Flood), score, span: None, view: View::Plain };
        Judged {
            signs: if found.more || found.thinned { vec![flood] } else { Vec::new() },
            links: found
                .links
                .into_iter()
                .map(|link| JudgedLink {
                    signs: self.link(&link, channel, values),
                    allowed: self.is_allowed(&link.url),
                    link,
                })
                .collect(),
        }
    }

    /// Whether the settings allow an address: its host, and where a path was named, that path.
    pub fn is_allowed(&self, url: &Parsed) -> bool {
        let path = url.path().trim_start_matches('/');
        let under = |allowed: &str| {
            path.strip_prefix(allowed.trim_end_matches('/'))
                .is_some_and(|rest| allowed.is_empty() || rest.is_empty() || rest.starts_with('/'))
        };
        self.allowed.iter().any(|(host, path)| url.is_under(host) && under(path))
    }

    /// What speaks against an address that stands in a text.
    pub fn link(&self, link: &Link, channel: Channel, values: &[&str]) -> Vec<Sign> {
        let mut signs = Gathered::default();
        let allowed = self.is_allowed(&link.url);
        if link.how == How::Mail {
            self.borrowing(&link.url, &mut signs);
        } else {
            self.address(&link.url, link.certain, 0, &mut signs);
        }
        if link.how == How::Split && !allowed {
            signs.add(Is::Hidden, 0.5);
        }
        if let Some(shown) = link.shown.as_deref().filter(|_| !allowed)
            && shows_another(shown, &link.url)
        {
            signs.add(Is::Shown, 0.8);
        }
        if channel == Channel::Bot && !allowed && link.how != How::Mail {
            if link.loads {
                signs.add(Is::Loads, 0.8);
            }
            let score = carried(&link.url, values, link.loads);
            if score >= 0.5 {
                signs.add(Is::Carries, score);
            }
        }
        let view = if matches!(link.how, How::Split | How::Defanged) { View::Unmasked } else { View::Plain };
        let sign = |(is, score): (Is, f32)| Sign { info: info(is), score, span: Some(link.span), view };
        signs.0.into_iter().map(sign).collect()
    }

    /// What speaks against more of an address that was judged by its beginning: what it carries and where it leads on. `url` has
    /// the beginning's host and the further part; `query` is how long the query is by now.
    pub(super) fn further(
        &self,
        link: &Link,
        channel: Channel,
        values: &[&str],
        allowed: bool,
        query: usize,
    ) -> Vec<Sign> {
        let mut signs = Gathered::default();
        for inner in inner(&link.url) {
            if inner.registrable() != link.url.registrable() || inner.registrable().is_none() {
                signs.add(Is::Redirect, 0.3);
                self.address(&inner, true, 1, &mut signs);
            }
        }
        if channel == Channel::Bot && !allowed && link.how != How::Mail {
            let score = carried(&link.url, values, link.loads).max(written_at_length(query, link.loads));
            if score >= 0.5 {
                signs.add(Is::Carries, score);
            }
        }
        let view = if matches!(link.how, How::Split | How::Defanged) { View::Unmasked } else { View::Plain };
        let sign = |(is, score): (Is, f32)| Sign { info: info(is), score, span: Some(link.span), view };
        signs.0.into_iter().map(sign).collect()
    }

    fn address(&self, url: &Parsed, certain: bool, depth: usize, signs: &mut Gathered) {
        match url.scheme() {
            "javascript" | "vbscript" => return signs.add(Is::Script, 0.9),
            "data" => {
                let active =
                    ["text/html", "image/svg", "application/xhtml", "text/xml", "application/javascript"];
                if active.iter().any(|kind| url.path().trim_start().to_ascii_lowercase().starts_with(kind)) {
                    signs.add(Is::Script, 0.8);
                }
                return;
            }
            "file" => return signs.add(Is::LocalFile, 0.7),
            _ => {}
        }
        if url.userinfo().is_some() {
            // A name that looks like a host is there to be taken for it.
            let named = url.userinfo().is_some_and(|user| user.contains('.'));
            signs.add(Is::Credentials, if named { 0.9 } else { 0.6 });
        }
        if !self.is_allowed(url) {
            self.host(url, certain, signs);
            written(url, signs);
        }
        if depth < DEPTH {
            for inner in inner(url) {
                if inner.registrable() != url.registrable() || inner.registrable().is_none() {
                    signs.add(Is::Redirect, 0.3);
                    self.address(&inner, true, depth + 1, signs);
                }
            }
        }
    }

    fn host(&self, url: &Parsed, certain: bool, signs: &mut Gathered) {
        match url.host_kind() {
            HostKind::V4(_) if url.is_disguised() => signs.add(Is::Disguised, 0.9),
            HostKind::V4(address) => {
                let inside = address.is_private() || address.is_loopback() || address.is_link_local();
                signs.add(Is::Address, if certain && !inside { 0.5 } else { 0.2 });
            }
            HostKind::V6(address) => {
                signs.add(Is::Address, if address == Ipv6Addr::LOCALHOST { 0.2 } else { 0.5 })
            }
            HostKind::Name | HostKind::None => {}
        }
        if url.port().is_some_and(|port| !matches!(port, 80 | 443 | 8080 | 8443 | 3000 | 5000 | 8000)) {
            signs.add(Is::Port, 0.3);
        }
        let host = url.host();
        if stands_in(&SHORTENERS, host) {
            signs.add(Is::Shortener, 0.3);
        }
        let shared = url.is_suffix_private() || stands_in(&SHARED, host);
        if shared {
            signs.add(Is::Shared, 0.2);
        }
        let known = self.borrowing(url, signs);
        if let Some(model) = self.model.filter(|_| certain && (!known || shared) && !host.is_empty()) {
            let risk = model.risk(url.as_str());
            if risk >= 0.5 {
                signs.add(Is::Modelled, risk);
            }
        }
    }

    /// Names of others in the host. Gives whether it is the owner's own.
    fn borrowing(&self, url: &Parsed, signs: &mut Gathered) -> bool {
        let host = url.host();
        let built_in: &Brands = &super::model::BRANDS;
        if built_in.is_official(host) || self.own.as_ref().is_some_and(|own| own.is_official(host)) {
            return true;
        }
        let (Some(label), before) = (url.label(), url.subdomain()) else { return false };
        let (label, before) = (in_unicode(label), in_unicode(before));
        let borrowed = [self.own.as_ref(), Some(built_in)].into_iter().flatten();
        for (likeness, _) in borrowed.filter_map(|brands| brands.borrowed(&label, &before)) {
            match likeness {
                Likeness::Whole => signs.add(Is::WholeDomain, 0.95),
                Likeness::LookAlike => signs.add(Is::LookAlike, 0.9),
                Likeness::Misspelt => signs.add(Is::Misspelt, 0.8),
                Likeness::Joined => signs.add(Is::Joined, 0.7),
                Likeness::Subdomain => signs.add(Is::InSubdomain, 0.5),
                Likeness::Elsewhere => signs.add(Is::Elsewhere, 0.3),
            }
        }
        for part in
            [&label, &before].into_iter().flat_map(|name| name.split('.')).filter(|part| !part.is_ascii())
        {
            let mixed = part.detect_restriction_level() > RestrictionLevel::HighlyRestrictive;
            // Letters of one other script that all look Latin.
            let passes = look(part).is_ascii() && !is_latin(part);
            if mixed || passes {
                signs.add(Is::Scripts, 0.8);
            }
        }
        false
    }
}

fn info(is: Is) -> Arc<SignInfo> {
    INFOS.get(is as usize).map_or_else(|| Arc::clone(&NO_INFO), Arc::clone)
}

/// Stands where the table has no entry, which cannot be: both are made of one list.
static NO_INFO: LazyLock<Arc<SignInfo>> = LazyLock::new(|| {
    Arc::new(SignInfo {
        id: "link".into(),
        threat: Threat::Phishing,
        severity: Severity::Info,
        tags: Box::new([]),
    })
});

/// A host of the configuration, in ASCII.
fn host(entry: &str) -> Result<String, Fault> {
    let fault = || Fault::NotAHost(entry.to_owned());
    let text = entry.trim().trim_start_matches("*.");
    if text.is_empty() || text.contains(['/', '@', '?', '#', ' ']) {
        return Err(fault());
    }
    let parsed = Parsed::of(&format!("http://{text}/")).ok_or_else(fault)?;
    if parsed.host().is_empty() || parsed.port().is_some() {
        Err(fault())
    } else {
        Ok(parsed.host().to_owned())
    }
}

fn in_unicode(name: &str) -> String {
    if name.contains("xn--") { idna::domain_to_unicode(name).0 } else { name.to_owned() }
}

fn is_latin(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_ascii() || matches!(c, '\u{AA}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}' | '\u{300}'..='\u{36F}')
    })
}

/// How the address is written behind its host.
fn written(url: &Parsed, signs: &mut Gathered) {
    let length = url.as_str().len();
    if length > 1000 {
        signs.add(Is::Long, 0.2);
    }
    let needless = |pair: &[u8]| {
        let digit = |b: &u8| char::from(*b).to_digit(16);
        match pair {
            [b'%', high, low] => digit(high).zip(digit(low)).is_some_and(|(high, low)| {
                u8::try_from(16 * high + low).is_ok_and(|b| b.is_ascii_alphanumeric())
            }),
            _ => false,
        }
    };
    if url.path().as_bytes().windows(3).filter(|w| needless(w)).take(4).count() >= 4 {
        signs.add(Is::Encoded, 0.4);
    }
}

/// Addresses that an address carries: in parameters, in its path, behind the `#`.
fn inner(url: &Parsed) -> Vec<Parsed> {
    let is_address = |text: &str| {
        let head: String = text.chars().take(10).collect::<String>().to_ascii_lowercase();
        ["http:/", "https:/", "//", "\\\\", "javascript:", "data:text", "www."]
            .iter()
            .any(|s| head.starts_with(s))
    };
    let mut texts: Vec<String> = url.pairs().take(PARAMETERS).map(|(_, value)| value).collect();
    texts.extend(url.query().filter(|query| !query.contains('=')).map(str::to_owned));
    texts.extend(url.fragment().map(str::to_owned));
    let path = url.path().to_ascii_lowercase();
    texts.extend(["https:/", "http:/", "https%3a", "http%3a"].iter().find_map(|scheme| {
        let at = path.find(scheme).filter(|at| *at > 0)?;
        Some(percent_encoding::percent_decode_str(url.path().get(at..)?).decode_utf8_lossy().into_owned())
    }));
    let read = |text: &String| {
        Parsed::of(text).filter(|inner| !inner.host().is_empty() || inner.scheme() == "javascript")
    };
    texts.iter().filter(|text| is_address(text)).filter_map(read).collect()
}

/// Whether the visible text names a host that is not the one the link leads to.
fn shows_another(shown: &str, url: &Parsed) -> bool {
    let Some(parsed) = Parsed::of(shown) else { return false };
    match (parsed.registrable(), url.registrable()) {
        (Some(shown), Some(real)) => shown != real,
        (Some(_), None) => true,
        _ => !is_under(url.host(), parsed.host()),
    }
}
