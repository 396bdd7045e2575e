//! From raw to checked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chatward_message::{Class, Destination, Operator};
use chatward_policy::{Basis, HandlingTable};
use zeroize::Zeroizing;

use super::access::access;
use super::load::{fault, unreadable};
use super::raw::{
    Raw, RawBasis, RawCaller, RawDatabase, RawHandling, RawModel, RawOnFailure, RawServer, RawTls,
    RawTlsMode, RawUpstream, Span,
};
use super::{
    Access, ClassOf, Config, Database, Databases, Detection, Fault, FaultSort, Faults, Limits, Listed,
    Loaded, Log, Metadata, Model, Secret, Server, Tls, Upstream, Upstreams, keys_beside,
};
use crate::caller::{CallerEntry, KeyHash, Quota};

/// Let's Encrypt's directory.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// A length of time above this is a mistake (and some would overflow).
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Loaded {
    /// What detection is asked to do; needed before [`Loaded::check`], which must know the kinds.
    pub fn detection(&self) -> Result<Detection, Faults> {
        let mut faults = Vec::new();
        let detection = detection(&self.raw, &mut faults);
        if faults.is_empty() { Ok(detection) } else { Err(Faults(faults)) }
    }

    /// Where the data and the keys are, for commands that need nothing else.
    pub fn folders(&self) -> Result<(PathBuf, PathBuf), Faults> {
        let mut faults = Vec::new();
        let found = folders(&self.raw.server, &mut faults);
        if faults.is_empty() { Ok(found) } else { Err(Faults(faults)) }
    }

    /// The databases on a server, for commands that need nothing else.
    pub fn databases(&self) -> Result<Option<Databases>, Faults> {
        let mut faults = Vec::new();
        let found = databases(&self.raw, &mut faults);
        if faults.is_empty() { Ok(found) } else { Err(Faults(faults)) }
    }

    /// The folder of the house's own policies, for commands that need nothing else.
    pub fn policies(&self) -> Option<PathBuf> {
        self.raw.access.policies.clone()
    }

    /// The folder that is named for models of attacks of the house's own, for commands that need nothing else.
    pub fn own_models(&self) -> Option<&Path> {
        self.raw.threats.models.as_deref()
    }

    /// The folder that is named for rules for attacks of the house's own.
    pub fn own_threat_rules(&self) -> Option<PathBuf> {
        self.raw.threats.rules.clone()
    }

    /// Checks everything and names every fault. Reads the files and variables that hold the bots' keys.
    pub fn check(&self, class_of: ClassOf<'_>) -> Result<Config, Faults> {
        let raw = &self.raw;
        let mut faults = Vec::new();
        let tls = tls(&raw.tls, &mut faults);
        let server = server(&raw.server, tls.is_on(), &mut faults);
        let databases = databases(raw, &mut faults);
        let at = folders(&raw.server, &mut Vec::new());
        let keys = super::keys::keys(raw, [&at.0, &at.1], databases.is_some(), &mut faults);
        let upstreams = upstreams(&raw.upstreams, &mut faults);
        let limits = Limits {
            per_caller: quota("limits", raw.limits.per_caller, raw.limits.burst, &mut faults),
            per_address: quota("limits", raw.limits.per_address, raw.limits.burst, &mut faults),
        };
        let callers = callers(raw, &upstreams, limits, &mut faults);
        let recipients = super::recipients::recipients(&raw.recipients, &mut faults);
        let alerts = super::alerts::alerts(&raw.alerts, &mut faults);
        let handling = handling(&raw.handling, class_of, &mut faults);
        let detection = detection(raw, &mut faults);
        let threats = super::threats::threats(&raw.threats, &mut faults);
        let purposes = super::purposes::purposes(raw, &handling, &mut faults);
        let access = access(raw, class_of, &mut faults);
        let identity = super::identity::identity(raw, &mut faults);
        let numbers = super::numbers::numbers(&raw.numbers, &mut faults);
        let controller = super::numbers::controller(&raw.controller, &mut faults);
        let channel = super::channel::channel(&raw.channel, &mut faults);
        let widget = super::widget::widget(&raw.widget, &upstreams, &mut faults);
        let intel = super::intel::intel(&raw.intel, &mut faults);
        let files = super::files::files(&raw.files, &mut faults);
        faults.sort_by(|a, b| a.path.cmp(&b.path));
        faults.dedup();
        let (Some(server), Some(keys), Some(access), Some(identity), Some(purposes), true) =
            (server, keys, access, identity, purposes, faults.is_empty())
        else {
            return Err(Faults(faults));
        };
        Ok(Config {
            deviations: deviations(raw, &handling, &access),
            hash: hash(raw),
            server,
            databases,
            keys,
            tls,
            callers,
            upstreams,
            recipients,
            alerts,
            handling,
            detection,
            threats,
            access,
            purposes,
            identity,
            limits,
            log: Log { level: raw.log.level, format: raw.log.format },
            refusal: raw.refusal.style,
            metadata: Metadata {
                conversation: raw.metadata.conversation.clone(),
                customer: raw.metadata.customer.clone(),
            },
            numbers,
            controller,
            channel,
            widget,
            intel,
            files,
            pages: super::Pages { guides: raw.pages.guides.clone() },
        })
    }
}

fn server(raw: &RawServer, tls: bool, faults: &mut Vec<Fault>) -> Option<Server> {
    let listen = address("server.listen", &raw.listen, faults);
    let private_listen = address("server.private_listen", &raw.private_listen, faults);
    if let Some(address) = listen
        && !address.ip().is_loopback()
        && !tls
        && !raw.unsafe_plain_http
    {
        faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(
                "server.listen",
                format!(
                    "{address} can be reached from outside, and there is no TLS: set `tls.mode` (files, acme), or say \
                     --unsafe-plain-http if something in front of this process encrypts"
                ),
            )
        });
    }
    if let Some(address) = private_listen
        && !address.ip().is_loopback()
    {
        faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(
                "server.private_listen",
                format!("{address} is not a loopback address: use 127.0.0.1 or ::1"),
            )
        });
    }
    if let (Some(a), Some(b)) = (listen, private_listen)
        && a == b
        && a.port() != 0
    {
        faults.push(fault("server.private_listen", "the same as server.listen: choose another port"));
    }
    let (data, keys) = folders(raw, faults);
    let read = |path, span: Span, faults: &mut Vec<Fault>| time(path, span, faults);
    let header_timeout = read("server.header_timeout", raw.header_timeout, faults);
    let read_timeout = read("server.read_timeout", raw.read_timeout, faults);
    let max_body_bytes = size("server.max_body_bytes", raw.max_body_bytes, 1024, 256 << 20, faults);
    let max_messages = size("server.max_messages", raw.max_messages.into(), 1, 100_000, faults);
    let max_connections = size("server.max_connections", raw.max_connections.into(), 1, 1 << 20, faults);
    Some(Server {
        listen: listen?,
        private_listen: private_listen?,
        data,
        keys,
        unsafe_plain_http: raw.unsafe_plain_http,
        max_body_bytes,
        max_messages,
        max_connections,
        header_timeout,
        read_timeout,
        metrics_without_token: raw.metrics_without_token,
    })
}

/// Both databases, or none: a keyring in a folder cannot be shared, and one beside rows in a folder has no use.
fn databases(raw: &Raw, faults: &mut Vec<Fault>) -> Option<Databases> {
    let store = database("store", &raw.store, faults);
    let keyring = database("keyring", &raw.keyring, faults);
    let (store, keyring) = match (store, keyring) {
        (None, None) => return None,
        (Some(store), Some(keyring)) => (store, keyring),
        (store, _) => {
            let missing = if store.is_none() { "store" } else { "keyring" };
            if faults.is_empty() {
                faults.push(fault(
                    missing,
                    "missing: data and keys are both on a server, or both in their folders",
                ));
            }
            return None;
        }
    };
    let at = |database: &Database| {
        chatward_store::Postgres::new(database.url.expose()).map(|place| place.server().to_owned()).ok()
    };
    if at(&store) == at(&keyring) {
        faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(
                "keyring",
                "the same database as `store`: one backup would hold data and keys; choose another one",
            )
        });
    }
    Some(Databases { store, keyring })
}

fn database(path: &str, raw: &RawDatabase, faults: &mut Vec<Fault>) -> Option<Database> {
    let RawDatabase { url, url_file, url_env, owner_url, owner_url_file, owner_url_env, ca } = raw;
    let serving = database_url(&format!("{path}.url"), (url, url_file, url_env), faults);
    let owner =
        database_url(&format!("{path}.owner_url"), (owner_url, owner_url_file, owner_url_env), faults);
    if serving.is_none() && (owner.is_some() || ca.is_some()) && faults.is_empty() {
        faults.push(fault(&format!("{path}.url"), "missing: name the database"));
    }
    let url = serving?;
    let place = chatward_store::Postgres::new(url.expose());
    let place = match &owner {
        Some(owner) => place.and_then(|place| place.with_owner(owner.expose())),
        None => place,
    };
    if let Err(error) = place {
        faults.push(fault(&format!("{path}.url"), error.to_string()));
    }
    Some(Database { url, owner_url: owner, ca: ca.clone() })
}

/// A URL that stands here, in a file or in the environment. One that stands here has no password.
fn database_url(
    path: &str,
    (url, file, variable): (&Option<String>, &Option<PathBuf>, &Option<String>),
    faults: &mut Vec<Fault>,
) -> Option<Secret> {
    let given =
        [url.is_some(), file.is_some(), variable.is_some()].into_iter().filter(|given| *given).count();
    if given > 1 {
        faults.push(fault(path, "given more than once: choose one of the URL, its file and its variable"));
        return None;
    }
    if let Some(url) = url {
        let user =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
        if user.contains(':') || url.contains("password=") {
            faults.push(fault(
                path,
                "holds a password: put the URL into a file or a variable of the environment",
            ));
            return None;
        }
        return secret(path, Zeroizing::new(url.clone()), faults);
    }
    if let Some(file) = file {
        return secret_file(&format!("{path}_file"), file, faults);
    }
    let variable = variable.as_ref()?;
    match std::env::var(variable) {
        Ok(value) => secret(&format!("{path}_env"), Zeroizing::new(value), faults),
        Err(_) => {
            faults.push(fault(&format!("{path}_env"), format!("the variable {variable} is not set")));
            None
        }
    }
}

fn folders(raw: &RawServer, faults: &mut Vec<Fault>) -> (PathBuf, PathBuf) {
    let mut absolute = |path: &str, folder: &Path| match std::path::absolute(folder) {
        Ok(folder) => tidy(&folder),
        Err(error) => {
            faults.push(fault(path, format!("not a folder that can be used: {error}")));
            PathBuf::new()
        }
    };
    let data = absolute("server.data", &raw.data);
    let keys = match &raw.keys {
        Some(keys) => absolute("server.keys", keys),
        None => keys_beside(&data),
    };
    if keys.starts_with(&data) {
        faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(
                "server.keys",
                "lies inside the data folder: one backup would hold data and keys; choose a folder beside it",
            )
        });
    } else if data.starts_with(&keys) {
        faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(
                "server.keys",
                "lies around the data folder: a backup of it would hold both; choose a folder beside the data folder",
            )
        });
    }
    (data, keys)
}

/// Without `.` and `..`, and through links where the folder is already there.
fn tidy(folder: &Path) -> PathBuf {
    if let Ok(real) = folder.canonicalize() {
        return real;
    }
    let mut clean = PathBuf::new();
    for part in folder.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

fn address(path: &str, text: &str, faults: &mut Vec<Fault>) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    if local.is_none() {
        faults.push(fault(path, format!("`{text}` is not an address: write IP:PORT, like 127.0.0.1:8080")));
    }
    local.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

pub(super) fn time(path: &str, Span(time): Span, faults: &mut Vec<Fault>) -> Duration {
    if time.is_zero() || time > LONGEST {
        faults.push(fault(path, "must be longer than nothing and at most 24h"));
    }
    time
}

pub(super) fn size(path: &str, n: u64, least: u64, most: u64, faults: &mut Vec<Fault>) -> usize {
    if !(least..=most).contains(&n) {
        faults.push(fault(path, format!("must be between {least} and {most}")));
    }
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn quota(path: &str, per_minute: u32, burst: u32, faults: &mut Vec<Fault>) -> Option<Quota> {
    if per_minute > 0 && burst == 0 {
        faults.push(fault(&format!("{path}.burst"), "must be at least 1"));
    }
    Quota::new(per_minute, burst)
}

fn tls(raw: &RawTls, faults: &mut Vec<Fault>) -> Tls {
    let RawTls { mode, cert, key, domains, contact, directory } = raw;
    let mut only = |path: &str, set: bool, with: RawTlsMode, word: &str| {
        if set && *mode != with {
            faults.push(fault(path, format!("only has a meaning with `tls.mode = \"{word}\"`")));
        }
    };
    only("tls.cert", cert.is_some(), RawTlsMode::Files, "files");
    only("tls.key", key.is_some(), RawTlsMode::Files, "files");
    only("tls.domains", !domains.is_empty(), RawTlsMode::Acme, "acme");
    only("tls.contact", !contact.is_empty(), RawTlsMode::Acme, "acme");
    only("tls.directory", directory.is_some(), RawTlsMode::Acme, "acme");
    match mode {
        RawTlsMode::OffLoopback => Tls::Off,
        RawTlsMode::Development => Tls::Development,
        RawTlsMode::Files => {
            let mut need = |path: &str, file: &Option<PathBuf>| {
                if file.is_none() {
                    faults.push(fault(path, "missing: name the PEM file"));
                }
                file.clone().unwrap_or_default()
            };
            Tls::Files { cert: need("tls.cert", cert), key: need("tls.key", key) }
        }
        RawTlsMode::Acme => {
            if domains.is_empty() {
                faults.push(fault("tls.domains", "missing: name at least one domain"));
            }
            for (index, domain) in domains.iter().enumerate() {
                if rustls::pki_types::DnsName::try_from(domain.as_str()).is_err() {
                    faults.push(fault(&format!("tls.domains[{index}]"), "not a domain name"));
                }
            }
            let directory = directory.clone().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
            if !directory.starts_with("https://") {
                faults.push(fault("tls.directory", "must begin with https://"));
            }
            let contact = contact.iter().map(|c| match c.strip_prefix("mailto:") {
                Some(_) => c.clone(),
                None => format!("mailto:{c}"),
            });
            Tls::Acme { domains: domains.clone(), contact: contact.collect(), directory }
        }
    }
}

fn upstreams(raw: &BTreeMap<String, RawUpstream>, faults: &mut Vec<Fault>) -> Upstreams {
    let mut all = Vec::new();
    let mut patterns: Vec<(Box<str>, usize)> = Vec::new();
    let mut default = None;
    for (at, (name, raw)) in raw.iter().enumerate() {
        let path = format!("upstreams.{name}");
        if !plain_name(name) {
            faults.push(fault(&path, "the name must be 1 to 63 of a-z 0-9 -"));
        }
        for model in &raw.models {
            if model.is_empty() || patterns.iter().any(|(known, _)| **known == **model) {
                faults.push(fault(&format!("{path}.models"), format!("`{model}` is empty or named twice")));
            }
            patterns.push((model.as_str().into(), at));
        }
        if raw.default && default.replace(at).is_some() {
            faults.push(fault(&format!("{path}.default"), "only one upstream can be the default"));
        }
        if let Some(upstream) = upstream(&path, name, raw, faults) {
            all.push(Arc::new(upstream));
        }
    }
    if raw.len() == 1 && patterns.is_empty() {
        default = Some(0);
    }
    patterns.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    Upstreams { all, patterns, default }
}

fn upstream(path: &str, name: &str, raw: &RawUpstream, faults: &mut Vec<Fault>) -> Option<Upstream> {
    let at = |key: &str| format!("{path}.{key}");
    let url =
        url(&at("url"), (raw.url.as_deref(), "https://api.example.com/v1"), raw.unsafe_plain_http, faults);
    let key = match (&raw.key_file, &raw.key_env) {
        (Some(_), Some(_)) => {
            faults.push(fault(&at("key_env"), "a key from a file and from the environment: choose one"));
            None
        }
        (Some(file), None) => secret_file(&at("key_file"), file, faults),
        (None, Some(variable)) => match std::env::var(variable) {
            Ok(value) => secret(&at("key_env"), Zeroizing::new(value), faults),
            Err(_) => {
                faults.push(fault(&at("key_env"), format!("the variable {variable} is not set")));
                None
            }
        },
        (None, None) => None,
    };
    let connect_timeout = time(&at("connect_timeout"), raw.connect_timeout, faults);
    let first_byte_timeout = time(&at("first_byte_timeout"), raw.first_byte_timeout, faults);
    let idle_timeout = time(&at("idle_timeout"), raw.idle_timeout, faults);
    let total_timeout = time(&at("total_timeout"), raw.total_timeout, faults);
    let max_reply_bytes = size(&at("max_reply_bytes"), raw.max_reply_bytes, 1024, 1 << 30, faults);
    Some(Upstream {
        name: name.into(),
        url: url?,
        key,
        basis: match raw.basis {
            RawBasis::Contract => Basis::Contract,
            RawBasis::Consent => Basis::Consent,
            RawBasis::LegitimateInterest => Basis::LegitimateInterest,
        },
        connect_timeout,
        first_byte_timeout,
        idle_timeout,
        total_timeout,
        max_reply_bytes,
    })
}

/// An address of somebody else, as written and as it should look; `plain` where they may be asked without TLS.
pub(super) fn url(
    path: &str,
    (text, example): (Option<&str>, &str),
    plain: bool,
    faults: &mut Vec<Fault>,
) -> Option<http::Uri> {
    let example = format!("write it like {example}");
    let Some(text) = text else {
        faults.push(fault(path, format!("missing: {example}")));
        return None;
    };
    // The text is not repeated: somebody may have put a password into it.
    let Ok(url) = text.parse::<http::Uri>() else {
        faults.push(fault(path, format!("not a URL: {example}")));
        return None;
    };
    let Some(host) = url.host().filter(|host| !host.is_empty()) else {
        faults.push(fault(path, format!("has no host: {example}")));
        return None;
    };
    let mut wrong = Vec::new();
    if url.authority().is_some_and(|a| a.as_str().contains('@')) {
        wrong.push("holds a user or password: a file or a variable is the place for it");
    }
    if url.query().is_some() {
        wrong.push("has a query: leave it out");
    }
    for message in &wrong {
        faults.push(fault(path, *message));
    }
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme_str() {
        Some("https") => {}
        Some("http") if local || plain => {}
        Some("http") => faults.push(Fault {
            sort: FaultSort::Unsafe,
            ..fault(path, "plain HTTP to another machine: use https, or set unsafe_plain_http = true")
        }),
        _ => faults.push(fault(path, format!("must begin with https:// or http://: {example}"))),
    }
    wrong.is_empty().then_some(url)
}

pub(super) fn secret_file(path: &str, file: &Path, faults: &mut Vec<Fault>) -> Option<Secret> {
    match std::fs::read_to_string(file) {
        Ok(text) => secret(path, Zeroizing::new(text), faults),
        Err(error) => {
            faults.push(unreadable(path, file, &error));
            None
        }
    }
}

pub(super) fn secret(path: &str, text: Zeroizing<String>, faults: &mut Vec<Fault>) -> Option<Secret> {
    let trimmed = text.trim();
    if trimmed.is_empty() || !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
        faults.push(fault(path, "it is empty or holds characters that have no place there"));
        return None;
    }
    Some(Secret(Zeroizing::new(trimmed.to_owned())))
}

fn callers(raw: &Raw, upstreams: &Upstreams, limits: Limits, faults: &mut Vec<Fault>) -> Vec<CallerEntry> {
    let mut all: Vec<CallerEntry> = Vec::new();
    for (index, caller) in raw.callers.iter().enumerate() {
        let RawCaller { name, key_hash, trusted, requests_per_minute, burst, upstreams: allowed } = caller;
        let path = format!("callers[{index}]");
        let name = name.as_deref().unwrap_or_default();
        if !plain_name(name) {
            faults.push(fault(&format!("{path}.name"), "missing or not 1 to 63 of a-z 0-9 -"));
        } else if all.iter().any(|other| &*other.name == name) {
            faults.push(fault(&format!("{path}.name"), format!("`{name}` is there twice")));
        }
        for (at, upstream) in allowed.iter().flatten().enumerate() {
            if !raw.upstreams.contains_key(upstream) && !upstreams.is_empty() {
                faults.push(fault(
                    &format!("{path}.upstreams[{at}]"),
                    format!("there is no upstream `{upstream}`"),
                ));
            }
        }
        let quota = match (requests_per_minute, burst) {
            (None, None) => limits.per_caller,
            (rate, burst) => {
                let burst = burst.unwrap_or(raw.limits.burst);
                quota(&path, rate.unwrap_or(raw.limits.per_caller), burst, faults)
            }
        };
        let Some(key_hash) = key_hash.as_deref().and_then(KeyHash::parse) else {
            let what = "missing or not `sha256:` and 64 hex digits: `chatward callers new NAME` makes a key and its hash";
            faults.push(fault(&format!("{path}.key_hash"), what));
            continue;
        };
        if all.iter().any(|other| other.key_hash == key_hash) {
            faults.push(fault(&format!("{path}.key_hash"), "two callers have the same key"));
        }
        let allowed = allowed.as_ref().map(|a| a.iter().map(|name| name.as_str().into()).collect());
        all.push(CallerEntry { name: name.into(), key_hash, trusted: *trusted, quota, upstreams: allowed });
    }
    all
}

pub(super) fn plain_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn handling(raw: &[RawHandling], class_of: ClassOf<'_>, faults: &mut Vec<Fault>) -> HandlingTable {
    let mut table = HandlingTable::new();
    let mut seen: Vec<(&RawHandling, Destination)> = Vec::new();
    let mut subjects: Vec<(String, Option<&str>, Class)> = Vec::new();
    for (index, row) in raw.iter().enumerate() {
        let path = format!("handling[{index}]");
        let (Some(to), Some(operator)) = (row.to, row.operator) else {
            faults.push(fault(&path, "`to` and `operator` must both be there"));
            continue;
        };
        if seen
            .iter()
            .any(|(other, there)| *there == to && other.kind == row.kind && other.class == row.class)
        {
            faults.push(fault(&path, "the same kind or class and destination is there twice"));
        }
        seen.push((row, to));
        if to == Destination::Kept {
            subjects.extend(
                row.kind.as_deref().and_then(|kind| Some((path.clone(), Some(kind), class_of(kind)?))),
            );
            subjects.extend(row.class.map(|class| (path.clone(), None, class)));
        }
        let set = match (&row.kind, row.class) {
            (None, Some(class)) => table.set_class(class, to, operator),
            (Some(kind), None) => match class_of(kind) {
                Some(class) => table.set_kind(&chatward_message::Kind::new(kind), class, to, operator),
                None => {
                    faults
                        .push(fault(&format!("{path}.kind"), format!("no recogniser finds a kind `{kind}`")));
                    continue;
                }
            },
            _ => {
                faults.push(fault(&path, "either `kind` or `class` must be there, not both"));
                continue;
            }
        };
        if let Err(error) = set {
            faults.push(fault(&format!("{path}.operator"), error.to_string()));
        }
    }
    for (path, kind, class) in subjects {
        let of = |to| match kind {
            Some(kind) => table.operator(&chatward_message::Kind::new(kind), class, to),
            None => table.class_operator(class, to),
        };
        let whole = matches!(of(Destination::Kept), Operator::Pass | Operator::Token | Operator::Surrogate);
        if of(Destination::Bot) == Operator::Pass && !whole {
            faults.push(fault(
                &path,
                "what the bot receives is kept word for word, so that customers can see it: let it be hidden from the bot too \
                 (`to = \"bot\"`)",
            ));
        }
    }
    table
}

fn detection(raw: &Raw, faults: &mut Vec<Fault>) -> Detection {
    let raw = &raw.detection;
    for (kind, score) in &raw.thresholds {
        if !(0.0..=1.0).contains(score) {
            faults.push(fault(&format!("detection.thresholds.{kind}"), "must be between 0 and 1"));
        }
    }
    for (index, text) in raw.allow.iter().enumerate() {
        if text.trim().is_empty() {
            faults.push(fault(&format!("detection.allow[{index}]"), "is empty"));
        }
    }
    let allowed = raw.allowed.iter().map(|raw| Listed {
        kind: raw.kind.clone(),
        values: raw.values.clone(),
        patterns: raw.patterns.clone(),
        file: raw.file.clone(),
    });
    let allowed = listed("allowed", allowed.collect(), faults);
    let denied = raw.denied.iter().map(|raw| Listed {
        kind: raw.kind.clone(),
        values: raw.values.clone(),
        patterns: Vec::new(),
        file: raw.file.clone(),
    });
    let denied = listed("denied", denied.collect(), faults);
    for index in (0..denied.len()).filter(|i| denied.get(*i).is_some_and(|list| list.kind.is_none())) {
        faults.push(fault(
            &format!("detection.denied[{index}].kind"),
            "is missing: as what are they reported?",
        ));
    }
    if let Some(folder) = raw.rules.as_ref().filter(|folder| !folder.is_dir()) {
        faults.push(fault("detection.rules", format!("{} is not a folder", folder.display())));
    }
    Detection {
        model: raw.model.as_ref().and_then(|raw| model(raw, faults)),
        hold_back_time: time("detection.hold_back_time", raw.hold_back_time, faults),
        names: raw.names,
        disabled: raw.disabled.clone(),
        rules: raw.rules.clone(),
        allow: raw.allow.clone(),
        allowed,
        denied,
        thresholds: raw.thresholds.iter().map(|(kind, score)| (kind.clone(), *score)).collect(),
    }
}

/// Lists of values: each holds something, and its file is there.
fn listed(which: &str, lists: Vec<Listed>, faults: &mut Vec<Fault>) -> Vec<Listed> {
    for (index, list) in lists.iter().enumerate() {
        let path = format!("detection.{which}[{index}]");
        if list.values.is_empty() && list.patterns.is_empty() && list.file.is_none() {
            faults.push(fault(&path, "names no values"));
        }
        for (place, _) in list.values.iter().enumerate().filter(|(_, value)| value.trim().is_empty()) {
            faults.push(fault(&format!("{path}.values[{place}]"), "is empty"));
        }
        if let Some(file) = list.file.as_ref().filter(|file| !file.is_file()) {
            faults.push(fault(&format!("{path}.file"), format!("{} is not a file", file.display())));
        }
    }
    lists
}

/// The ONNX file and the tokenizer of a model, which have to be named.
pub(super) fn model_files(
    section: &str,
    [path, tokenizer]: [&Option<PathBuf>; 2],
    faults: &mut Vec<Fault>,
) -> [Option<PathBuf>; 2] {
    let mut need = |key: &str, file: &Option<PathBuf>, what: &str| {
        if file.is_none() {
            faults.push(fault(&format!("{section}.{key}"), format!("missing: name {what}")));
        }
        file.clone()
    };
    [need("path", path, "the ONNX file"), need("tokenizer", tokenizer, "its tokenizer.json or vocab.txt")]
}

fn model(raw: &RawModel, faults: &mut Vec<Fault>) -> Option<Model> {
    let at = |key: &str| format!("detection.model.{key}");
    let [path, tokenizer] = model_files("detection.model", [&raw.path, &raw.tokenizer], faults);
    if raw.labels.is_empty() {
        faults.push(fault(
            &at("labels"),
            "missing: say which kind a label stands for, like GIVEN_NAME = \"person_name\"",
        ));
    }
    if !(0.0..=1.0).contains(&raw.threshold) {
        faults.push(fault(&at("threshold"), "must be between 0 and 1"));
    }
    let batch = size(&at("batch"), raw.batch.into(), 1, 256, faults);
    let max_tokens = size(&at("max_tokens"), raw.max_tokens.into(), 16, 1 << 16, faults);
    let time_limit = time(&at("time_limit"), raw.time_limit, faults);
    let (path, tokenizer) = (path?, tokenizer?);
    Some(Model {
        config: raw.config.clone().unwrap_or_else(|| tokenizer.with_file_name("config.json")),
        path,
        tokenizer,
        labels: raw.labels.clone(),
        threshold: raw.threshold,
        batch,
        max_tokens,
        time_limit,
        or_rules: raw.on_failure == RawOnFailure::Rules,
    })
}

fn deviations(raw: &Raw, handling: &HandlingTable, access: &Access) -> Vec<String> {
    let mut all: Vec<String> = handling
        .deviations()
        .into_iter()
        .map(|d| {
            format!("handling: {} to {}: {}", d.subject, d.destination.name(), Operator::name(d.operator))
        })
        .collect();
    all.extend(raw.detection.disabled.iter().map(|id| format!("detection: recogniser {id} is off")));
    all.extend(
        raw.detection.thresholds.iter().map(|(of, least)| format!("detection: threshold of {of} is {least}")),
    );
    if !raw.detection.names {
        all.push("detection: names are left to rules alone".to_owned());
    }
    if raw.server.unsafe_plain_http {
        all.push("server: unsafe_plain_http".to_owned());
    }
    if access.policies.is_some() {
        let (_, own) = access.rules.count();
        all.push(format!("access: {own} policies of the house (set {})", access.rules.hash()));
        all.extend(access.warnings.iter().map(|warning| format!("access: {warning}")));
    }
    let plain = raw.upstreams.iter().filter(|(_, upstream)| upstream.unsafe_plain_http);
    all.extend(plain.map(|(name, _)| format!("upstreams.{name}: unsafe_plain_http")));
    let plain = raw.intel.feeds.iter().filter(|feed| feed.unsafe_plain_http);
    all.extend(
        plain.filter_map(|feed| Some(format!("intel.feeds {}: unsafe_plain_http", feed.name.as_ref()?))),
    );
    all
}

fn hash(raw: &Raw) -> Arc<str> {
    let text = serde_json::to_vec(raw).unwrap_or_default();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}
