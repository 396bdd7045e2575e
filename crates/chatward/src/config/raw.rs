//! The configuration as written, before any check: the shape of `chatward.toml`, with its defaults.
//!
//! Unknown keys are refused. Nothing is flattened or untagged, so that messages name the right place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use chatward_message::{Class, Destination, Operator};
use chatward_policy::SpecialGround;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alerts::RawAlerts;
use super::files::RawFiles;
use super::intel::RawIntel;
use super::keys::{RawKeys, RawSeal};
use super::recipients::RawRecipient;
use super::threats::RawThreats;
use super::widget::RawWidget;

/// Chatward's configuration file.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Addresses, folders and bounds of the server.
    pub server: RawServer,
    /// The PostgreSQL database that keeps the data, for several gateways. Without it the data folder does.
    pub store: RawDatabase,
    /// The PostgreSQL database that keeps the customers' keys, another one than `store`. Without it the keys folder does.
    pub keyring: RawDatabase,
    /// What is done for the keys.
    pub keys: RawKeys,
    /// What opens the keys at a start.
    pub seal: RawSeal,
    /// Encryption of the public listener.
    pub tls: RawTls,
    /// Programs that call with a key of the house's own. With none, any key is passed on to the bot.
    pub callers: Vec<RawCaller>,
    /// The bots, by name. With none, the built-in demonstration bot answers.
    pub upstreams: BTreeMap<String, RawUpstream>,
    /// Who is told by webhook when a customer's data was erased, corrected or frozen, by name.
    pub recipients: BTreeMap<String, RawRecipient>,
    /// How signs of attacks become incidents, and who is told of them.
    pub alerts: RawAlerts,
    /// Rows of the handling table that differ from the defaults.
    pub handling: Vec<RawHandling>,
    /// What is looked for.
    pub detection: RawDetection,
    /// What is done about attacks on the bot and on people.
    pub threats: RawThreats,
    /// Who may look at what is stored.
    pub access: RawAccess,
    /// What data is used for, by name: `service` (always there), `quality`, `analytics`, `training`, `marketing`, or one of the
    /// house's own.
    pub purposes: BTreeMap<String, RawPurpose>,
    /// Who people are, and how they show it.
    pub identity: RawIdentity,
    /// How often one may ask.
    pub limits: RawLimits,
    /// Logs.
    pub log: RawLog,
    /// How a refused message is answered.
    pub refusal: RawRefusal,
    /// Where conversation and customer are found in a request's `metadata`.
    pub metadata: RawMetadata,
    /// What customers read.
    pub pages: RawPages,
    /// Who answers for what is done with personal data: for the record of processing (GDPR article 30).
    pub controller: RawController,
    /// Counts and tables about all customers.
    pub numbers: RawNumbers,
    /// The encrypted channel between browsers and this gateway.
    pub channel: RawChannel,
    /// The chat page, and the same inside of other sites.
    pub widget: RawWidget,
    /// Feeds of threat intelligence.
    pub intel: RawIntel,
    /// How files are looked into before anybody gets them.
    pub files: RawFiles,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawServer {
    /// Public address.
    pub listen: String,
    /// Private address (admin, metrics, health): loopback only.
    pub private_listen: String,
    /// Data folder.
    pub data: PathBuf,
    /// Keys folder, never inside the data folder. Default: beside the data folder, `-keys` for `-data`.
    pub keys: Option<PathBuf>,
    /// Danger: serve a public address without TLS. Everybody on the way can read what customers write.
    pub unsafe_plain_http: bool,
    /// Largest body of a request, in bytes.
    pub max_body_bytes: u64,
    /// Most messages in one request.
    pub max_messages: u32,
    /// Most connections at once.
    pub max_connections: u32,
    /// How long the head of a request may take.
    #[schemars(with = "String")]
    pub header_timeout: Span,
    /// How long a request's body may take.
    #[schemars(with = "String")]
    pub read_timeout: Span,
    /// Whether `/metrics` answers without the admin token (on the private address).
    pub metrics_without_token: bool,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            private_listen: "127.0.0.1:8081".into(),
            data: "chatward-data".into(),
            keys: None,
            unsafe_plain_http: false,
            max_body_bytes: 1 << 20,
            max_messages: 1000,
            max_connections: 4096,
            header_timeout: Span::seconds(10),
            read_timeout: Span::seconds(30),
            metrics_without_token: false,
        }
    }
}

/// `[store]` and `[keyring]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDatabase {
    /// `postgres://ROLE@HOST:PORT/DATABASE` of the role that serves, without a password.
    pub url: Option<String>,
    /// File with that URL, which may hold a password.
    pub url_file: Option<PathBuf>,
    /// Environment variable with that URL.
    pub url_env: Option<String>,
    /// The URL of the owner of the tables, without a password. With it, a start brings the tables up to date.
    pub owner_url: Option<String>,
    /// File with the owner's URL.
    pub owner_url_file: Option<PathBuf>,
    /// Environment variable with the owner's URL.
    pub owner_url_env: Option<String>,
    /// Certificates (PEM) that the server's must come from. Default: those the system trusts.
    pub ca: Option<PathBuf>,
}

/// `tls.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawTlsMode {
    /// No TLS; only a loopback address is served.
    OffLoopback,
    /// A certificate and a key from files, read again when they change.
    Files,
    /// A certificate from an ACME authority (TLS-ALPN-01 on the public address).
    Acme,
    /// A self-signed certificate for localhost, kept in the keys folder.
    Development,
}

/// `[tls]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawTls {
    /// Where the certificate comes from.
    pub mode: RawTlsMode,
    /// With `files`: the certificate chain, PEM.
    pub cert: Option<PathBuf>,
    /// With `files`: the private key, PEM.
    pub key: Option<PathBuf>,
    /// With `acme`: the names to certify.
    pub domains: Vec<String>,
    /// With `acme`: e-mail addresses the authority may write to.
    pub contact: Vec<String>,
    /// With `acme`: the authority's directory.
    pub directory: Option<String>,
}

impl Default for RawTls {
    fn default() -> Self {
        let (cert, key, directory) = (None, None, None);
        Self { mode: RawTlsMode::OffLoopback, cert, key, domains: vec![], contact: vec![], directory }
    }
}

/// `[[callers]]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawCaller {
    /// Name: 1 to 63 of `a-z 0-9 -`. Its conversations belong to the name, not to the key.
    #[schemars(required)]
    pub name: Option<String>,
    /// `sha256:…`, as `chatward callers new` prints it.
    #[schemars(required)]
    pub key_hash: Option<String>,
    /// Whether it may name customers with `Chatward-Customer`.
    pub trusted: bool,
    /// Requests a minute; default: `limits.per_caller`.
    pub requests_per_minute: Option<u32>,
    /// Requests at once; default: `limits.burst`.
    pub burst: Option<u32>,
    /// The upstreams it may use; default: all.
    pub upstreams: Option<Vec<String>>,
}

/// The legal basis on which a bot is asked (GDPR, article 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawBasis {
    /// A contract with the customer needs it (6(1)(b)).
    #[default]
    Contract,
    /// The customer agreed (6(1)(a)).
    Consent,
    /// A legitimate interest (6(1)(f)).
    LegitimateInterest,
}

/// `[upstreams.NAME]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawUpstream {
    /// Base URL: what an OpenAI client would be given as `base_url`, with `/v1` where the bot has it.
    #[schemars(required)]
    pub url: Option<String>,
    /// File with the API key for this bot.
    pub key_file: Option<PathBuf>,
    /// Environment variable with the API key for this bot.
    pub key_env: Option<String>,
    /// Models it serves; `*` stands for anything. The longest pattern wins.
    pub models: Vec<String>,
    /// Serves every model that no other upstream names. With one upstream only, that is the default.
    pub default: bool,
    /// On which legal basis the bot is asked.
    pub basis: RawBasis,
    /// How long the connection may take.
    #[schemars(with = "String")]
    pub connect_timeout: Span,
    /// How long the first byte of the answer may take.
    #[schemars(with = "String")]
    pub first_byte_timeout: Span,
    /// How long the answer may pause.
    #[schemars(with = "String")]
    pub idle_timeout: Span,
    /// How long the whole answer may take.
    #[schemars(with = "String")]
    pub total_timeout: Span,
    /// Largest answer, in bytes.
    pub max_reply_bytes: u64,
    /// Danger: ask a bot on another machine without TLS.
    pub unsafe_plain_http: bool,
}

impl Default for RawUpstream {
    fn default() -> Self {
        Self {
            url: None,
            key_file: None,
            key_env: None,
            models: vec![],
            default: false,
            basis: RawBasis::Contract,
            connect_timeout: Span::seconds(5),
            first_byte_timeout: Span::seconds(60),
            idle_timeout: Span::seconds(60),
            total_timeout: Span::seconds(600),
            max_reply_bytes: 16 << 20,
            unsafe_plain_http: false,
        }
    }
}

/// `[purposes.NAME]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawPurpose {
    /// Of a purpose of the house's own: its number, 8 to 30. It stands beside what is kept and never means anything else.
    pub number: Option<u8>,
    /// On which legal basis. Default: consent; of `service` it is each bot's own.
    pub basis: Option<RawBasis>,
    /// The version of the texts. With another version or other words, customers are asked anew.
    pub version: String,
    /// What customers are told and asked, by language: `text.en = "…"`.
    pub text: BTreeMap<String, String>,
    /// Whether data is sold or shared for it, so that the browser's signal against that (`Sec-GPC: 1`) turns it off. Default:
    /// only `marketing`.
    pub sold_or_shared: Option<bool>,
    /// What lets special categories (health, religion, politics, sexuality, union membership) be kept for it without the
    /// customer's explicit consent (GDPR, article 9(2)). Where neither this nor a consent allows it, such data reaches neither
    /// the bot nor the store.
    #[schemars(with = "Option<SpecialGroundName>")]
    pub special: Option<SpecialGround>,
    /// For how long data of each class is kept for it: `keep.interaction = "30d"`. What is not named is not kept for it. No
    /// values are kept longer than the conversation itself (`interaction`).
    #[schemars(with = "Option<BTreeMap<ClassName, String>>")]
    pub keep: Option<BTreeMap<Class, Span>>,
}

impl Default for RawPurpose {
    fn default() -> Self {
        Self {
            number: None,
            basis: None,
            version: "1".into(),
            text: BTreeMap::new(),
            sold_or_shared: None,
            special: None,
            keep: None,
        }
    }
}

/// `[[handling]]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawHandling {
    /// The kind of data (`email`, `credit_card`, …). Either this or `class`.
    pub kind: Option<String>,
    /// The class of data.
    #[schemars(with = "Option<ClassName>")]
    pub class: Option<Class>,
    /// Towards whom.
    #[schemars(with = "DestinationName", required)]
    pub to: Option<Destination>,
    /// What is done.
    #[schemars(with = "OperatorName", required)]
    pub operator: Option<Operator>,
}

// The words of `message`, for the schema only; a test holds them against the originals.
macro_rules! names {
    ($name:ident: $($variant:ident)+) => {
        #[derive(JsonSchema, Serialize, PartialEq, Eq, PartialOrd, Ord)]
        #[schemars(rename_all = "kebab-case")]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum $name { $(#[cfg_attr(not(test), expect(dead_code, reason = "only its name is used"))] $variant,)+ }

        #[cfg(test)]
        impl $name {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}
names!(ClassName: Interaction Identity Special Payment Secret PaymentNeverKept);
names!(DestinationName: Bot Customer Kept Staff);
names!(SpecialGroundName: EmploymentLaw VitalInterests Membership MadePublic LegalClaims PublicInterest HealthCare
    PublicHealth Research);
names!(OperatorName: Pass Token Surrogate Mask Generalise Hash Drop Block);

/// `[detection]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDetection {
    /// Whether the trained tagger looks for names, places, addresses and organisations; rules alone find fewer.
    pub names: bool,
    /// Built-in recognisers that are not used, by id.
    pub disabled: Vec<String>,
    /// Folder of further recognisers.
    pub rules: Option<PathBuf>,
    /// Texts that are never a finding, whatever they look like (the house's own help line, its own addresses).
    pub allow: Vec<String>,
    /// Values that are never a finding of one kind, as lists, files and patterns.
    pub allowed: Vec<RawAllowed>,
    /// Values that are always a finding, as lists and files.
    pub denied: Vec<RawDenied>,
    /// Least score by kind or class (`payment`), 0 to 1: the rule's own score, before it becomes a probability. A kind's
    /// wins over its class's.
    pub thresholds: BTreeMap<String, f32>,
    /// When a streamed answer pauses for so long, what is held back is sent, save what may still become part of a value
    /// that is not shown or not kept as it is.
    #[schemars(with = "String")]
    pub hold_back_time: Span,
    /// A larger model that reads customers' texts along with rules and tagger: any token classifier in ONNX form.
    pub model: Option<RawModel>,
}

/// `[[detection.allowed]]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAllowed {
    /// The kind (`email`); default: every kind.
    pub kind: Option<String>,
    /// The values, in any case.
    pub values: Vec<String>,
    /// Regular expressions that must match the whole value, in any case.
    pub patterns: Vec<String>,
    /// A file with one value a line.
    pub file: Option<PathBuf>,
}

/// `[[detection.denied]]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawDenied {
    /// The kind as which they are reported (`person_name`).
    #[schemars(required)]
    pub kind: Option<String>,
    /// The values, in any case, found between word boundaries.
    pub values: Vec<String>,
    /// A file with one value a line, up to millions.
    pub file: Option<PathBuf>,
}

impl Default for RawDetection {
    fn default() -> Self {
        Self {
            names: true,
            disabled: Vec::new(),
            rules: None,
            allow: Vec::new(),
            allowed: Vec::new(),
            denied: Vec::new(),
            thresholds: BTreeMap::new(),
            hold_back_time: Span(Duration::from_millis(250)),
            model: None,
        }
    }
}

/// `detection.model.on_failure`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawOnFailure {
    /// A model that cannot be used is a fault of the configuration: the program does not start.
    #[default]
    Stop,
    /// The program starts with rules and tagger alone, and says so.
    Rules,
}

/// `[detection.model]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawModel {
    /// The model, an ONNX file. It is read as a whole; nothing is fetched.
    #[schemars(required)]
    pub path: Option<PathBuf>,
    /// Its tokenizer: `tokenizer.json`, or `vocab.txt` of a BERT model.
    #[schemars(required)]
    pub tokenizer: Option<PathBuf>,
    /// Its `config.json`, which names the labels. Default: the one beside the tokenizer.
    pub config: Option<PathBuf>,
    /// Which kind of data each label stands for: `GIVEN_NAME = "person_name"`. A label that is not named is ignored.
    #[schemars(required)]
    pub labels: BTreeMap<String, String>,
    /// Least score, 0 to 1.
    pub threshold: f32,
    /// Most stretches of text that are read at once.
    pub batch: u32,
    /// Longest stretch, in tokens; longer texts are read in stretches that overlap. Never more than the model can take.
    pub max_tokens: u32,
    /// How long it may read for one request. What it has not read then is left to rules and tagger.
    #[schemars(with = "String")]
    pub time_limit: Span,
    /// What happens if it cannot be used at the start.
    pub on_failure: RawOnFailure,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            path: None,
            tokenizer: None,
            config: None,
            labels: BTreeMap::new(),
            threshold: 0.5,
            batch: 8,
            max_tokens: 256,
            time_limit: Span(Duration::from_millis(200)),
            on_failure: RawOnFailure::Stop,
        }
    }
}

/// `[access]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAccess {
    /// Folder of the house's own policies (`*.cedar`); they come on top of the shipped ones.
    pub policies: Option<PathBuf>,
}

/// `[pages]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawPages {
    /// Folder of the house's own guides (`de/NAME.md`): they stand beside the shipped ones, or in their place.
    pub guides: Option<PathBuf>,
}

/// `[identity]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawIdentity {
    /// What browsers call this house in the dialog of a passkey.
    pub name: String,
    /// Where browsers find the public listener: `https://chat.shop.example`. Default: `localhost` and its port.
    pub origin: Option<String>,
    /// The site that customers' passkeys are made for: the host of `origin`, or a domain above it. It can never be changed:
    /// all passkeys would be lost.
    pub site: Option<String>,
    /// Where staff's browsers find the private listener. Default: `http://localhost` and its port.
    pub staff_origin: Option<String>,
    /// The site that staff's passkeys are made for.
    pub staff_site: Option<String>,
    /// When a customer's session ends without use: 5 to 60 minutes.
    #[schemars(with = "String")]
    pub customer_idle: Span,
    /// When a customer's session ends in any case: 1 to 24 hours.
    #[schemars(with = "String")]
    pub customer_absolute: Span,
    /// When a session of staff ends without use: 1 to 15 minutes.
    #[schemars(with = "String")]
    pub staff_idle: Span,
    /// When a session of staff ends in any case: 1 to 12 hours.
    #[schemars(with = "String")]
    pub staff_absolute: Span,
    /// How long a second factor is fresh: 1 to 10 minutes.
    #[schemars(with = "String")]
    pub fresh: Span,
    /// Whether staff may have passwords, beside an authenticator app.
    pub passwords: bool,
    /// A file of breached passwords' SHA-1 hashes, as "Have I Been Pwned" publishes it. Without it a short list counts.
    pub breached_passwords: Option<PathBuf>,
    /// The site whose signed tokens name its customers.
    pub host: Option<RawHost>,
    /// The identity provider that staff can sign in with.
    pub provider: Option<RawProvider>,
}

impl Default for RawIdentity {
    fn default() -> Self {
        let minutes = |n: u64| Span::seconds(60 * n);
        Self {
            name: "Chatward".to_owned(),
            origin: None,
            site: None,
            staff_origin: None,
            staff_site: None,
            customer_idle: minutes(30),
            customer_absolute: minutes(12 * 60),
            staff_idle: minutes(15),
            staff_absolute: minutes(8 * 60),
            fresh: minutes(10),
            passwords: false,
            breached_passwords: None,
            host: None,
            provider: None,
        }
    }
}

/// `[identity.host]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHost {
    /// The caller of `[[callers]]` that this site is: its customers are the same under its key and under its tokens.
    pub caller: String,
    /// Who signs (`iss`).
    #[serde(default)]
    pub issuer: Option<String>,
    /// Whom it is meant for (`aud`).
    #[serde(default)]
    pub audience: Option<String>,
    /// The site's public keys, a JSON Web Key Set. Read again when the configuration is.
    #[serde(default)]
    pub keys_file: Option<PathBuf>,
    /// Shared secrets instead of public keys, one a line, each of at least 32 bytes: the HMAC of the customer's id.
    #[serde(default)]
    pub secrets_file: Option<PathBuf>,
    /// How long a token may count.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub lifetime: Option<Span>,
}

/// `[identity.provider]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProvider {
    /// Its address (OpenID Connect Discovery): `https://login.house.example`.
    pub issuer: String,
    /// What it knows us as.
    pub client_id: String,
    /// A file with the secret that it knows us by.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// What it says (`acr`) when it asked for a second factor itself. Empty: that is asked for here.
    #[serde(default)]
    pub second_factor: Vec<String>,
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLimits {
    /// Requests a minute of one caller; 0 is no limit.
    pub per_caller: u32,
    /// Requests a minute from one address on `/chat`, on pages for anybody, and to change something without a name; 0 is no limit.
    pub per_address: u32,
    /// Requests at once.
    pub burst: u32,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self { per_caller: 0, per_address: 120, burst: 60 }
    }
}

/// How much is logged. Content never is, at no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawLevel {
    /// Only what needs somebody now.
    Error,
    /// And what may need somebody soon.
    Warn,
    /// And a line for each request.
    #[default]
    Info,
    /// And each step.
    Debug,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[controller]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawController {
    /// The organisation that decides why and how personal data is processed.
    pub name: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
    /// How it is reached: an e-mail address, a telephone number.
    pub contact: Option<String>,
    /// Its representative in the Union, where it has none of its own places there (article 27).
    pub representative: Option<String>,
    /// How its data protection officer is reached.
    pub dpo: Option<String>,
}

/// `[channel]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawChannel {
    /// The time between two pieces of a streamed answer, `10ms` to `2s`. What comes in between leaves together, so that the
    /// times at which a bot writes do not show.
    #[schemars(with = "String")]
    pub beat: Span,
    /// What the length of a piece is filled up to a multiple of, in bytes: a multiple of 256, up to 16384.
    pub bucket: u32,
    /// Whether a piece without text leaves where nothing came in a beat, so that pauses do not show.
    pub fill: bool,
}

impl Default for RawChannel {
    fn default() -> Self {
        Self { beat: Span(Duration::from_millis(100)), bucket: 1024, fill: true }
    }
}

/// `[numbers]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawNumbers {
    /// The ε of differential privacy of one answer to `statistics`, where none is asked for: a decimal number.
    pub epsilon: String,
    /// The ε that all answers of a period may add up to.
    pub budget: String,
    /// The length of a period in days. At its end the account begins anew.
    pub budget_days: u32,
    /// So many turns of one customer are counted in one answer; later ones are not. More turns need more noise.
    pub turns_per_customer: u32,
    /// So many findings of one turn are counted.
    pub findings_per_turn: u32,
    /// The least k of a table for analytics: each combination of its values belongs to at least so many customers.
    pub k: u32,
}

impl Default for RawNumbers {
    fn default() -> Self {
        Self {
            epsilon: "1".into(),
            budget: "4".into(),
            budget_days: 30,
            turns_per_customer: 8,
            findings_per_turn: 4,
            k: 5,
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    /// How much.
    pub level: RawLevel,
    /// In what form.
    pub format: RawFormat,
}

/// `refusal.style`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRefusalStyle {
    /// Status 200 with `finish_reason: content_filter`: chat clients survive it.
    #[default]
    ContentFilter,
    /// Status 400 with code `content_policy_violation`.
    Error,
}

/// `[refusal]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRefusal {
    /// How a refused message is answered on protocol routes.
    pub style: RawRefusalStyle,
}

/// `[metadata]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawMetadata {
    /// Keys of `metadata` that may hold the conversation's id; the first that is there counts.
    pub conversation: Vec<String>,
    /// Keys of `metadata` that may hold the customer's id; the first that is there counts.
    pub customer: Vec<String>,
}

impl Default for RawMetadata {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Self {
            conversation: owned(&["conversation_id", "conversation", "session_id", "thread_id"]),
            customer: owned(&["customer_id", "customer", "user_id"]),
        }
    }
}

/// A length of time: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// Reads `500ms`, `30s`, `10m`, `1h`, `90d`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let unit = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(number.checked_mul(unit)?)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms if ms % 1000 == 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "not a length of time: write a whole number and ms, s, m, h or d, like \"30s\"",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_read_back() {
        for (text, ms) in
            [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1h", 3_600_000), ("2d", 172_800_000)]
        {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_millis(ms))), "{text}");
        }
        for bad in ["", "30", "s", "-1s", "1.5s", "30 sec", "99999999999999999999s", "é"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_words_of_the_schema_are_those_of_message() {
        let classes: Vec<_> = ClassName::ALL.iter().map(word).collect();
        assert_eq!(classes, Class::ALL.map(|c| c.name()));
        let destinations: Vec<_> = DestinationName::ALL.iter().map(word).collect();
        assert_eq!(destinations, Destination::ALL.map(|c| c.name()));
        for operator in OperatorName::ALL {
            assert!(serde_json::from_value::<Operator>(word(operator).into()).is_ok());
        }
        for ground in SpecialGroundName::ALL.iter().map(word) {
            let read = serde_json::from_value::<SpecialGround>(ground.as_str().into()).unwrap();
            assert_eq!(read.name(), ground);
        }
    }

    fn word<T: Serialize>(value: &T) -> String {
        serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
    }
}
