//! The configuration: raw, then checked.
//!
//! [`Loaded::read`] puts defaults, `chatward.toml`, the environment and the flags together (the later wins) and refuses
//! unknown keys; [`Loaded::check`] makes a [`Config`], in which nothing is optional by accident. Both name every fault
//! at once, each with its path. A new one replaces the one in force whole, or not at all.
//!
//! Secrets never stand in the file: it names a file or an environment variable that holds them.

pub(crate) mod access;
mod alerts;
mod channel;
mod check;
mod files;
mod identity;
pub(crate) mod intel;
mod keys;
mod load;
pub(crate) mod numbers;
mod purposes;
mod raw;
mod recipients;
mod threats;
mod widget;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chatward_message::Class;
use chatward_policy::access::Rules;
use chatward_policy::{Basis, HandlingTable, Register};
use zeroize::Zeroizing;

use crate::caller::{CallerEntry, Quota};

pub use alerts::{Address, Alerts, Mail, Sink, SinkKind, Way};
pub use files::{FileResponse, Files};
pub use load::{Explained, Flags, Loaded, Origin};
pub use numbers::{Controller, Numbers};
pub use raw::{Raw, RawFormat as LogFormat, RawLevel as LogLevel, RawRefusalStyle as RefusalStyle};
pub use recipients::{Recipient, Tell};
pub use threats::{ThreatModel, Threats};
pub use widget::Widget;

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `upstreams.main.url`. Empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
    /// What stands in the way.
    pub sort: FaultSort,
}

/// What stands in the way of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultSort {
    /// It says something wrong.
    Wrong,
    /// It is refused only because it would be unsafe.
    Unsafe,
    /// A file cannot be read.
    Unreadable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Everything that is wrong with the configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// One fault that whoever uses the configuration found.
    pub(crate) fn one(path: &str, message: impl Into<String>, sort: FaultSort) -> Self {
        Self(vec![Fault { path: path.to_owned(), message: message.into(), sort }])
    }

    /// The faults, in the order of the sections.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Whether all that stands in the way is of this sort.
    pub fn only(&self, sort: FaultSort) -> bool {
        self.0.iter().all(|fault| fault.sort == sort)
    }
}

/// A secret from a file or the environment: hidden from Debug, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A text that was read and checked.
    fn of(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The secret itself. Never for a log, an error or a metric.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("Secret(..)")
    }
}

/// `[server]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Public address.
    pub listen: SocketAddr,
    /// Private address; loopback.
    pub private_listen: SocketAddr,
    /// Data folder, absolute.
    pub data: PathBuf,
    /// Keys folder, absolute, outside the data folder.
    pub keys: PathBuf,
    /// A public address may be served without TLS.
    pub unsafe_plain_http: bool,
    /// Largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// Most messages in one request.
    pub max_messages: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// How long the head of a request may take.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub read_timeout: Duration,
    /// Whether `/metrics` answers without the admin token.
    pub metrics_without_token: bool,
}

/// `[store]` or `[keyring]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The role that serves.
    pub url: Secret,
    /// The owner of the tables.
    pub owner_url: Option<Secret>,
    /// Certificates the server's must come from.
    pub ca: Option<PathBuf>,
}

/// The databases on a server, if the data and the keys are not in their folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Databases {
    /// The data.
    pub store: Database,
    /// The customers' keys.
    pub keyring: Database,
}

/// `[tls]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// None. The public address is loopback, or plain HTTP was asked for by its dangerous name.
    Off,
    /// From files.
    Files {
        /// The chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
    /// From an ACME authority.
    Acme {
        /// The names to certify; at least one.
        domains: Vec<String>,
        /// Addresses the authority may write to, as `mailto:` URLs.
        contact: Vec<String>,
        /// The authority's directory.
        directory: String,
    },
    /// Self-signed, for localhost.
    Development,
}

impl Tls {
    /// Whether the public address speaks TLS.
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }
}

/// One bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    /// Base URL, `http` or `https`, with a host, without user, query or fragment.
    pub url: http::Uri,
    /// The house's key for it; without one the caller's credential is passed on (or none, if callers have own keys).
    pub key: Option<Secret>,
    /// On which basis it is asked.
    pub basis: Basis,
    /// How long the connection may take.
    pub connect_timeout: Duration,
    /// How long the first byte of the answer may take.
    pub first_byte_timeout: Duration,
    /// How long the answer may pause.
    pub idle_timeout: Duration,
    /// How long the whole answer may take.
    pub total_timeout: Duration,
    /// Largest answer, in bytes.
    pub max_reply_bytes: usize,
}

/// The bots, and which model is whose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstreams {
    all: Vec<Arc<Upstream>>,
    /// Longest first.
    patterns: Vec<(Box<str>, usize)>,
    default: Option<usize>,
}

impl Upstreams {
    /// Every bot, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.all.iter()
    }

    /// Whether there is none: the built-in demonstration bot answers.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Who serves this model.
    pub fn for_model(&self, model: &str) -> Option<&Arc<Upstream>> {
        let named = self.patterns.iter().find(|(pattern, _)| glob(pattern, model)).map(|(_, at)| *at);
        self.all.get(named.or(self.default)?)
    }
}

/// Whether the whole of `text` fits `pattern`, in which `*` stands for anything. Takes the shortest fit for each piece
/// from the left, which is enough with `*` alone, so the time is linear in pattern times text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut rest = rest;
    while let Some((piece, after)) = rest.split_once('*') {
        let Some((_, tail)) = text.split_once(piece) else { return false };
        text = tail;
        rest = after;
    }
    text.ends_with(rest)
}

/// `[detection]`, checked. The rules themselves are checked by whoever compiles them.
#[derive(Debug, Clone, PartialEq)]
pub struct Detection {
    /// Whether the tagger looks for names.
    pub names: bool,
    /// Built-in recognisers that are not used, by id.
    pub disabled: Vec<String>,
    /// Folder of further recognisers.
    pub rules: Option<PathBuf>,
    /// Texts that are never a finding.
    pub allow: Vec<String>,
    /// Values that are never a finding of one kind.
    pub allowed: Vec<Listed>,
    /// Values that are always a finding.
    pub denied: Vec<Listed>,
    /// Least score by kind or class, 0 to 1.
    pub thresholds: Vec<(String, f32)>,
    /// How long a streamed answer may pause before what need not wait for more is sent.
    pub hold_back_time: Duration,
    /// The larger model that reads along, if one is wanted.
    pub model: Option<Model>,
}

/// `[detection.model]`, checked as far as that goes without its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The ONNX file.
    pub path: PathBuf,
    /// `tokenizer.json` or `vocab.txt`.
    pub tokenizer: PathBuf,
    /// `config.json`.
    pub config: PathBuf,
    /// Which kind each label stands for.
    pub labels: BTreeMap<String, String>,
    /// Least score, 0 to 1.
    pub threshold: f32,
    /// Most stretches read at once.
    pub batch: usize,
    /// Longest stretch, in tokens.
    pub max_tokens: usize,
    /// How long it may read for one request.
    pub time_limit: Duration,
    /// Whether the house is served by rules and tagger alone if it cannot be used.
    pub or_rules: bool,
}

/// Values of one kind that are always or never a finding. The file is read by whoever compiles the rules.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    /// The kind; nothing for every kind.
    pub kind: Option<String>,
    /// The values.
    pub values: Vec<String>,
    /// Patterns of values (only of those that are never a finding).
    pub patterns: Vec<String>,
    /// A file with one value a line.
    pub file: Option<PathBuf>,
}

/// `[access]`, checked.
#[derive(Debug, Clone)]
pub struct Access {
    /// Folder of the house's own policies.
    pub policies: Option<PathBuf>,
    /// The policies in force.
    pub rules: Arc<Rules>,
    /// The house's own files, name and text, as they were read.
    pub own: Vec<(String, String)>,
    /// What is odd about them, one line each.
    pub warnings: Vec<String>,
}

/// `[pages]`, checked; the guides themselves are read by whoever shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// Folder of the house's own guides.
    pub guides: Option<PathBuf>,
}

/// `[identity]`, checked as far as that goes without its files and the listeners' ports.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The house's name in dialogs.
    pub name: String,
    /// Of the public listener.
    pub customers: Place,
    /// Of the private listener.
    pub staff: Place,
    /// How long things last.
    pub rules: crate::identity::Rules,
    /// Breached passwords.
    pub breached_passwords: Option<PathBuf>,
    /// The host site.
    pub host: Option<Host>,
    /// The identity provider.
    pub provider: Option<Provider>,
}

/// Where browsers find a listener; what is not said is told by its address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// `https://chat.shop.example`.
    pub origin: Option<String>,
    /// `shop.example`.
    pub site: Option<String>,
}

/// `[identity.host]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Which caller the site is.
    pub caller: String,
    /// How its tokens are signed.
    pub signed: Signed,
    /// How long a token may count, in seconds.
    pub lifetime: u64,
}

/// How a host site signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// JSON Web Tokens, checked with the public keys in a file.
    Keys {
        /// The key set.
        file: PathBuf,
        /// `iss`.
        issuer: String,
        /// `aud`.
        audience: String,
    },
    /// An HMAC of the customer's id under a shared secret.
    Secrets {
        /// One secret a line.
        file: PathBuf,
    },
}

/// `[identity.provider]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its address.
    pub issuer: String,
    /// What it knows us as.
    pub client_id: String,
    /// By what it knows us.
    pub client_secret_file: Option<PathBuf>,
    /// What it says when it asked for a second factor.
    pub second_factor: Vec<String>,
}

/// `[limits]`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one caller.
    pub per_caller: Option<Quota>,
    /// From one address, on `/chat`.
    pub per_address: Option<Quota>,
}

/// `[log]`, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// In what form.
    pub format: LogFormat,
}

/// `[metadata]`, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Keys that may hold the conversation's id, in order.
    pub conversation: Vec<String>,
    /// Keys that may hold the customer's id, in order.
    pub customer: Vec<String>,
}

/// `[keys]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Folder with a live copy of keyring and seal file.
    pub mirror: Option<PathBuf>,
    /// `[seal]`: what opens them.
    pub seal: Sealing,
}

/// Where the operator's key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SealKind {
    /// In a file.
    File,
    /// Under a passphrase.
    Passphrase,
    /// Wrapped by Vault or OpenBao.
    Transit,
    /// Wrapped by AWS KMS.
    AwsKms,
    /// Wrapped by hardware.
    Pkcs11,
}

impl SealKind {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Passphrase => "passphrase",
            Self::Transit => "transit",
            Self::AwsKms => "aws-kms",
            Self::Pkcs11 => "pkcs11",
        }
    }

    /// The feature that this build lacks for it.
    pub const fn lacking(self) -> Option<&'static str> {
        match self {
            Self::File | Self::Passphrase => None,
            Self::Pkcs11 if cfg!(feature = "seal-pkcs11") => None,
            Self::Pkcs11 => Some("seal-pkcs11"),
            Self::Transit if cfg!(feature = "seal-transit") => None,
            Self::Transit => Some("seal-transit"),
            Self::AwsKms if cfg!(feature = "seal-kms") => None,
            Self::AwsKms => Some("seal-kms"),
        }
    }
}

/// Where a secret is that is read when it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// A key in hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11 {
    /// The maker's library.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The key's label.
    pub key: String,
}

/// A key of a transit engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transit {
    /// Where the service is.
    pub url: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// The key's name.
    pub key: String,
}

/// A key in AWS KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKms {
    /// The region.
    pub region: String,
    /// The key's id, ARN or alias.
    pub key: String,
    /// Where the service is, if not at the region's own address.
    pub endpoint: Option<String>,
}

/// An access key of AWS, as far as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAccess {
    /// Its id; `AWS_ACCESS_KEY_ID` if it is not said.
    pub id: Option<String>,
    /// Where its secret is; `AWS_SECRET_ACCESS_KEY` if nowhere, with `AWS_SESSION_TOKEN`.
    pub secret: Option<Told>,
    /// Where the session token is of one that is lent.
    pub session_token: Option<Told>,
}

/// `[seal]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// Which one.
    pub kind: SealKind,
    /// Where a passphrase is; asked for at the terminal if nowhere.
    pub passphrase: Option<Told>,
    /// Where a token's PIN is; asked for at the terminal if nowhere.
    pub pin: Option<Told>,
    /// A key in hardware.
    pub pkcs11: Option<Pkcs11>,
    /// Where the token for a transit engine is; asked for at the terminal if nowhere.
    pub vault_token: Option<Told>,
    /// A key of a transit engine.
    pub transit: Option<Transit>,
    /// A key in AWS KMS.
    pub aws_kms: Option<AwsKms>,
    /// Who may use it.
    pub aws_access: AwsAccess,
}

/// The checked configuration. Only [`Loaded::check`] makes it.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses, folders, bounds.
    pub server: Server,
    /// Databases on a server.
    pub databases: Option<Databases>,
    /// What is done for the keys.
    pub keys: Keys,
    /// Encryption of the public listener.
    pub tls: Tls,
    /// The house's own callers.
    pub callers: Vec<CallerEntry>,
    /// The bots.
    pub upstreams: Upstreams,
    /// Who is told what became of a customer's data.
    pub recipients: Vec<Recipient>,
    /// How signs of attacks are put together, and who is told.
    pub alerts: Alerts,
    /// What is done with findings.
    pub handling: HandlingTable,
    /// What is looked for.
    pub detection: Detection,
    /// What is done about attacks.
    pub threats: Threats,
    /// Who may look at what is stored.
    pub access: Access,
    /// What data is used for, and how long it is kept.
    pub purposes: Arc<Register>,
    /// Who people are.
    pub identity: Identity,
    /// How often one may ask.
    pub limits: Limits,
    /// Logs.
    pub log: Log,
    /// How a refused message is answered.
    pub refusal: RefusalStyle,
    /// Where ids stand in `metadata`.
    pub metadata: Metadata,
    /// How numbers about customers are made.
    pub numbers: Numbers,
    /// Who answers for the processing.
    pub controller: Controller,
    /// How the encrypted channel makes streams even.
    pub channel: crate::channel::Pace,
    /// The chat page.
    pub widget: Widget,
    /// Feeds of threat intelligence.
    pub intel: intel::Intel,
    /// How files are looked into.
    pub files: Files,
    /// What customers read.
    pub pages: Pages,
    deviations: Vec<String>,
    hash: Arc<str>,
}

impl Config {
    /// First 12 hex digits of SHA-256 over every effective value (secrets by reference only): names this configuration
    /// in audit events.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// What of a new configuration only the next start will change.
    pub fn differing(&self, new: &Self) -> Vec<&'static str> {
        let differing = [
            ("server.listen", self.server.listen != new.server.listen),
            ("server.private_listen", self.server.private_listen != new.server.private_listen),
            ("server.data", self.server.data != new.server.data),
            ("server.keys", self.server.keys != new.server.keys),
            ("server.max_connections", self.server.max_connections != new.server.max_connections),
            ("store", self.databases.as_ref().map(|d| &d.store) != new.databases.as_ref().map(|d| &d.store)),
            (
                "keyring",
                self.databases.as_ref().map(|d| &d.keyring) != new.databases.as_ref().map(|d| &d.keyring),
            ),
            ("keys", self.keys != new.keys),
            ("tls", self.tls != new.tls),
            ("identity", self.identity != new.identity),
            ("widget", self.widget != new.widget),
            ("pages", self.pages != new.pages),
            ("log.format", self.log.format != new.log.format),
        ];
        differing.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }

    /// What differs from the safe defaults, one line each: handling rows, recognisers switched off, unsafe choices.
    pub fn deviations(&self) -> &[String] {
        &self.deviations
    }
}

/// What the checker must know of recognisers: the class of a kind, or nothing if no recogniser finds that kind.
pub type ClassOf<'a> = &'a dyn Fn(&str) -> Option<Class>;

/// The JSON schema of `chatward.toml` (draft 2020-12), for editors; `docs/config.schema.json`.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Raw);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Where the keys are if nobody says: beside the data folder.
pub fn keys_beside(data: &Path) -> PathBuf {
    let name = data.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    data.with_file_name(format!("{}-keys", name.strip_suffix("-data").unwrap_or(&name)))
}

#[cfg(test)]
mod tests;
