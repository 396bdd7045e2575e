//! `[files]`: how files are looked into before anybody gets them, and what is done about what is found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chatward_attach::{Inspector, Limits, all_signs};
use chatward_message::{Response, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fault;
use super::load::fault;
use super::raw::Span;
use crate::files::{Address, Clamd};

/// What is done about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileResponse {
    /// It is counted.
    Observe,
    /// It is counted, and an event in the audit log says so.
    Flag,
    /// Nobody gets it, and its sender is told why.
    Block,
}

impl From<FileResponse> for Response {
    fn from(response: FileResponse) -> Self {
        match response {
            FileResponse::Observe => Self::Observe,
            FileResponse::Flag => Self::Flag,
            FileResponse::Block => Self::Block,
        }
    }
}

/// `[files]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawFiles {
    /// Whether files are looked into: those of the chat page, and those inside of requests.
    pub inspect: bool,
    /// What is done by how bad a sign is.
    pub respond: RawRespond,
    /// What is done about single signs, by id: `"file.macro" = "block"`. It counts before `respond`.
    pub signs: BTreeMap<String, FileResponse>,
    /// What is done about files that cannot be looked into as a whole: locked, broken, too large, of a kind that is not opened.
    pub not_inspected: FileResponse,
    /// How long one file may take.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// Most bytes that a file may unpack to.
    pub max_unpacked_bytes: u64,
    /// Most files inside of one.
    pub max_entries: u32,
    /// How deep archives may lie in each other.
    pub max_depth: u32,
    /// Files with rules in YARA. They take a build with the feature `yara`.
    pub rules: Vec<PathBuf>,
    /// The virus scanner ClamAV, if one is to be asked.
    pub clamd: RawClamd,
}

impl Default for RawFiles {
    fn default() -> Self {
        Self {
            inspect: true,
            respond: RawRespond::default(),
            signs: BTreeMap::new(),
            not_inspected: FileResponse::Flag,
            time_limit: Span(Duration::from_secs(10)),
            max_unpacked_bytes: 64 << 20,
            max_entries: 4_000,
            max_depth: 6,
            rules: Vec::new(),
            clamd: RawClamd::default(),
        }
    }
}

/// `[files.respond]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRespond {
    /// Known harmful files, disguised programs, macros that act, what the virus scanner finds.
    pub critical: FileResponse,
    /// Programs, scripts, macros that run, bombs, pages that ask for passwords.
    pub high: FileResponse,
    /// Macros, scripts in documents, locked entries.
    pub medium: FileResponse,
    /// Files that are not what they are called.
    pub low: FileResponse,
    /// What is worth knowing.
    pub info: FileResponse,
}

impl Default for RawRespond {
    fn default() -> Self {
        Self {
            critical: FileResponse::Block,
            high: FileResponse::Block,
            medium: FileResponse::Flag,
            low: FileResponse::Observe,
            info: FileResponse::Observe,
        }
    }
}

/// `[files.clamd]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawClamd {
    /// Where `clamd` listens: `unix:/run/clamav/clamd.ctl`, or `tcp:127.0.0.1:3310`. Without it, it is not asked.
    pub address: Option<String>,
    /// How long it may take for one file.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// The largest file that it takes, in bytes: its own `StreamMaxLength`.
    pub max_bytes: u64,
    /// What is done about a file while it cannot be asked.
    pub away: FileResponse,
    /// Danger: send files over a network without encryption.
    pub unsafe_plain_tcp: bool,
}

impl Default for RawClamd {
    fn default() -> Self {
        Self {
            address: None,
            time_limit: Span(Duration::from_secs(10)),
            max_bytes: 25 << 20,
            away: FileResponse::Block,
            unsafe_plain_tcp: false,
        }
    }
}

/// `[files]`, checked, its rules compiled.
#[derive(Debug, Clone)]
pub struct Files {
    /// What looks into files; nothing if that is not wanted.
    pub inspector: Option<Inspector>,
    /// What is done by how bad a sign is, from the least to the worst.
    pub respond: [Response; 5],
    /// What is done about single signs.
    pub signs: BTreeMap<String, Response>,
    /// What is done about files that cannot be looked into.
    pub not_inspected: Response,
    /// How long one file may take.
    pub patience: Duration,
    /// The virus scanner.
    pub clamd: Option<Clamd>,
    /// What is done while it is away.
    pub away: Response,
}

impl Files {
    /// What is done about a sign.
    pub fn response_to(&self, id: &str, severity: Severity) -> Response {
        let [info, low, medium, high, critical] = self.respond;
        let by_severity = match severity {
            Severity::Info => info,
            Severity::Low => low,
            Severity::Medium => medium,
            Severity::High => high,
            Severity::Critical => critical,
        };
        self.signs.get(id).copied().unwrap_or(by_severity)
    }
}

/// Checks it, and compiles the rules.
pub(super) fn files(raw: &RawFiles, faults: &mut Vec<Fault>) -> Files {
    for id in raw.signs.keys() {
        let own = id.starts_with("yara.") || id.starts_with("clamd.") || !id.starts_with("file.");
        if !own && !all_signs().any(|(info, _)| *info.id == **id) {
            faults.push(fault(&format!("files.signs.{id}"), "no such sign: docs/files.md lists them"));
        }
    }
    let mut within = |path: &str, n: u64, least: u64, most: u64| {
        if !(least..=most).contains(&n) {
            faults.push(fault(path, format!("{n} is not from {least} to {most}")));
        }
        usize::try_from(n).unwrap_or(usize::MAX)
    };
    let unpacked = within("files.max_unpacked_bytes", raw.max_unpacked_bytes, 1 << 20, 1 << 30);
    let entries = within("files.max_entries", raw.max_entries.into(), 1, 100_000);
    let depth = within("files.max_depth", raw.max_depth.into(), 1, 16);
    let largest = within("files.clamd.max_bytes", raw.clamd.max_bytes, 1 << 10, 1 << 30);
    let defaults = Limits::default();
    let limits = Limits { unpacked, entry: defaults.entry.min(unpacked), entries, depth, ..defaults };
    let patience = time("files.time_limit", raw.time_limit, faults);
    let clamd = clamd(&raw.clamd, largest, faults);
    let inspector = rules(&raw.rules, Inspector::new(limits), faults);
    let RawRespond { critical, high, medium, low, info } = raw.respond;
    Files {
        inspector: inspector.filter(|_| raw.inspect),
        respond: [info, low, medium, high, critical].map(Response::from),
        signs: raw.signs.iter().map(|(id, response)| (id.clone(), Response::from(*response))).collect(),
        not_inspected: raw.not_inspected.into(),
        patience,
        clamd: clamd.filter(|_| raw.inspect),
        away: raw.clamd.away.into(),
    }
}

fn time(path: &str, Span(time): Span, faults: &mut Vec<Fault>) -> Duration {
    if !(Duration::from_millis(100)..=Duration::from_secs(120)).contains(&time) {
        faults.push(fault(path, "from 100ms to 2m"));
    }
    time
}

fn clamd(raw: &RawClamd, largest: usize, faults: &mut Vec<Fault>) -> Option<Clamd> {
    let patience = time("files.clamd.time_limit", raw.time_limit, faults);
    let text = raw.address.as_deref()?;
    let address = match text.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Some(Address::Unix(path.into())),
        Some(("tcp", address)) => address.parse().ok().map(Address::Tcp),
        _ => None,
    };
    match &address {
        None => faults.push(fault(
            "files.clamd.address",
            "write `unix:` and the whole path of a socket, or `tcp:` and IP:PORT",
        )),
        Some(Address::Tcp(address)) if !address.ip().is_loopback() && !raw.unsafe_plain_tcp => faults.push(Fault {
            sort: super::FaultSort::Unsafe,
            ..fault(
                "files.clamd.address",
                "files would be sent to another machine in clear: use a socket or a loopback address, or say \
                 `unsafe_plain_tcp = true` if something encrypts on the way",
            )
        }),
        Some(_) => {}
    }
    Some(Clamd { address: address?, patience, largest })
}

#[cfg(feature = "yara")]
fn rules(files: &[PathBuf], inspector: Inspector, faults: &mut Vec<Fault>) -> Option<Inspector> {
    use chatward_attach::yara::{Rules, Source};

    if files.is_empty() {
        return Some(inspector);
    }
    let mut texts = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match std::fs::read_to_string(file) {
            Ok(text) => texts.push((file.display().to_string(), text)),
            Err(error) => faults.push(super::load::unreadable(&format!("files.rules[{at}]"), file, &error)),
        }
    }
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    match Rules::compile(&sources) {
        Ok(rules) => Some(inspector.with_rules(rules)),
        Err(all) => {
            for one in all {
                let line = one.line.map(|line| format!(":{line}")).unwrap_or_default();
                faults.push(fault("files.rules", format!("{}{line}: {}", one.name, one.message)));
            }
            None
        }
    }
}

/// This program was built without what runs them.
#[cfg(not(feature = "yara"))]
fn rules(files: &[PathBuf], inspector: Inspector, faults: &mut Vec<Fault>) -> Option<Inspector> {
    if !files.is_empty() {
        let message = "this program was built without rules in YARA: build it with the feature `yara`";
        faults.push(fault("files.rules", message));
    }
    Some(inspector)
}
