//! `[alerts]`: how signs of attacks are put together, and who is told of it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chatward_message::Severity;
use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{plain_name, secret_file, url};
use super::load::{fault, unreadable};
use super::raw::Span;
use super::{Fault, Secret};
use crate::alerts::Form;
use crate::webhook;

/// The least and the most that may wait for one receiver, in bytes.
const SPOOL: std::ops::RangeInclusive<u64> = (1 << 16)..=(1 << 34);
/// Receivers of a house at most.
const MOST: usize = 16;

/// `[alerts]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawAlerts {
    /// Alerts of one family about the same conversation, account or network are one incident while each comes within so long of the
    /// one before.
    #[schemars(with = "String")]
    pub group: Span,
    /// For how long an incident is kept after its last alert.
    #[schemars(with = "String")]
    pub keep: Span,
    /// Who is told. Changes count after a restart.
    pub sinks: Vec<RawSink>,
}

impl Default for RawAlerts {
    fn default() -> Self {
        let days = |n: u64| Span(Duration::from_secs(n * 24 * 3600));
        Self { group: Span(Duration::from_secs(2 * 3600)), keep: days(400), sinks: Vec::new() }
    }
}

/// How a receiver is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SinkKind {
    /// Syslog over TLS (RFC 5425).
    SyslogTls,
    /// Syslog over TCP (RFC 6587), in clear.
    SyslogTcp,
    /// Syslog over UDP (RFC 5426), in clear, and nobody knows what arrives.
    SyslogUdp,
    /// Lines by HTTP POST.
    Http,
    /// A webhook, signed as Standard Webhooks 1 has it.
    Webhook,
    /// OpenTelemetry logs over HTTP (OTLP, JSON).
    Otlp,
    /// Mail over SMTP.
    Email,
}

/// `[[alerts.sinks]]`
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawSink {
    /// Its name: 1 to 63 of a-z 0-9 -.
    #[schemars(required)]
    pub name: String,
    /// How it is reached.
    #[schemars(required)]
    pub kind: Option<SinkKind>,
    /// Where, for syslog and mail: `siem.example:6514`.
    pub address: Option<String>,
    /// Where, for HTTP, webhooks and OTLP: `https://siem.example/ingest`.
    pub url: Option<String>,
    /// How a report is written, for syslog and HTTP. Default: ocsf.
    pub form: Option<Form>,
    /// It is told of this and worse: info, low, medium, high, critical. Default: medium.
    #[schemars(with = "Option<String>")]
    pub from: Option<Severity>,
    /// So much may wait for it on disk, in bytes. What comes when it is full is lost, counted, and an alarm. Default: 16 MiB.
    pub spool: Option<u64>,
    /// File with the secret that signs a webhook: `whsec_` and 24 to 64 random bytes in base64.
    pub secret_file: Option<PathBuf>,
    /// File with the whole value of the header `Authorization`, for HTTP and OTLP: `Bearer …`, `Splunk …`, `ApiKey …`.
    pub authorization_file: Option<PathBuf>,
    /// File with the certificates (PEM) that vouch for it, for syslog over TLS and mail. Default: those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Who writes the mails: `chatward@example.org`.
    pub mail_from: Option<String>,
    /// Who gets them.
    pub mail_to: Vec<String>,
    /// Name to sign in with at the mail server.
    pub user: Option<String>,
    /// File with the password for that.
    pub password_file: Option<PathBuf>,
    /// Mail: begin in clear and change to TLS (port 587). Default: TLS from the start (port 465).
    pub starttls: bool,
    /// Danger: tell somebody on another machine without TLS.
    pub unsafe_plain: bool,
}

/// What is done with alerts.
#[derive(Debug, Clone)]
pub struct Alerts {
    /// How near alerts of one incident are.
    pub group: Duration,
    /// How long an incident is kept.
    pub keep: Duration,
    /// Who is told.
    pub sinks: Vec<Sink>,
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub struct Sink {
    /// The name here.
    pub name: Arc<str>,
    /// How bad something has to be.
    pub from: Severity,
    /// So much may wait, in bytes.
    pub spool: u64,
    /// The way there.
    pub way: Way,
}

/// How a receiver is reached, checked.
#[derive(Debug, Clone)]
pub enum Way {
    /// Syslog, TLS or not.
    Syslog {
        /// Host and port.
        address: Address,
        /// With TLS, and the certificates that vouch for it if not the platform's.
        tls: Option<Option<PathBuf>>,
        /// How a report is written.
        form: Form,
    },
    /// Syslog in datagrams.
    Datagrams {
        /// Host and port.
        address: Address,
        /// How a report is written.
        form: Form,
    },
    /// Lines by POST.
    Http {
        /// Where.
        url: Uri,
        /// The header `Authorization`.
        authorization: Option<Secret>,
        /// How a report is written.
        form: Form,
    },
    /// A signed webhook.
    Webhook {
        /// Where.
        url: Uri,
        /// What signs it.
        secret: Secret,
    },
    /// OTLP logs.
    Otlp {
        /// Where.
        url: Uri,
        /// The header `Authorization`.
        authorization: Option<Secret>,
    },
    /// Mail.
    Mail(Mail),
}

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host, as certificates name it.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

/// How mail is sent.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The server.
    pub server: Address,
    /// Begin in clear; nothing is sent before TLS.
    pub starttls: bool,
    /// No TLS at all.
    pub plain: bool,
    /// The certificates that vouch for it, if not the platform's.
    pub ca: Option<PathBuf>,
    /// Who writes.
    pub from: Arc<str>,
    /// Who gets it.
    pub to: Vec<Arc<str>>,
    /// Name and password.
    pub sign_in: Option<(Arc<str>, Secret)>,
}

/// The section, checked.
pub(super) fn alerts(raw: &RawAlerts, faults: &mut Vec<Fault>) -> Alerts {
    let minute = Duration::from_secs(60);
    if !(minute..=Duration::from_secs(30 * 24 * 3600)).contains(&raw.group.0) {
        faults.push(fault("alerts.group", "must be between 1m and 30d"));
    }
    if raw.keep.0 < raw.group.0 || raw.keep.0 < Duration::from_secs(24 * 3600) {
        faults.push(fault("alerts.keep", "must be 1d or more, and not less than alerts.group"));
    }
    if raw.sinks.len() > MOST {
        faults.push(fault("alerts.sinks", format!("must be {MOST} at most")));
    }
    let mut sinks: Vec<Sink> = Vec::new();
    for (index, raw) in raw.sinks.iter().enumerate() {
        let path = format!("alerts.sinks[{index}]");
        if !plain_name(&raw.name) {
            faults.push(fault(&format!("{path}.name"), "the name must be 1 to 63 of a-z 0-9 -"));
        } else if sinks.iter().any(|other| *other.name == *raw.name) {
            faults.push(fault(&format!("{path}.name"), "another has the same name"));
        }
        sinks.extend(sink(&path, raw, faults));
    }
    Alerts { group: raw.group.0, keep: raw.keep.0, sinks }
}

fn sink(path: &str, raw: &RawSink, faults: &mut Vec<Fault>) -> Option<Sink> {
    let Some(kind) = raw.kind else {
        faults.push(fault(&format!("{path}.kind"), "missing: syslog-tls, http, webhook, otlp, email, …"));
        return None;
    };
    unfit(path, kind, raw, faults);
    let spool = raw.spool.unwrap_or(16 << 20);
    if !SPOOL.contains(&spool) {
        let message = format!("must be between {} and {}", SPOOL.start(), SPOOL.end());
        faults.push(fault(&format!("{path}.spool"), message));
    }
    let form = raw.form.unwrap_or(Form::Ocsf);
    let way = match kind {
        SinkKind::SyslogTls => {
            Way::Syslog { address: address(path, raw, true, faults)?, tls: Some(raw.ca_file.clone()), form }
        }
        SinkKind::SyslogTcp => Way::Syslog { address: address(path, raw, false, faults)?, tls: None, form },
        SinkKind::SyslogUdp => Way::Datagrams { address: address(path, raw, false, faults)?, form },
        SinkKind::Http => {
            let authorization = secret_of(path, raw, faults);
            Way::Http { url: place(path, raw, faults)?, authorization, form }
        }
        SinkKind::Otlp => {
            let authorization = secret_of(path, raw, faults);
            Way::Otlp { url: place(path, raw, faults)?, authorization }
        }
        SinkKind::Webhook => {
            let secret = signs(path, raw, faults);
            Way::Webhook { url: place(path, raw, faults)?, secret: secret? }
        }
        SinkKind::Email => Way::Mail(mail(path, raw, faults)?),
    };
    let from = raw.from.unwrap_or(Severity::Medium);
    Some(Sink { name: raw.name.as_str().into(), from, spool, way })
}

/// Keys that mean nothing for this kind: a value that is not heeded is a mistake that nobody sees.
fn unfit(path: &str, kind: SinkKind, raw: &RawSink, faults: &mut Vec<Fault>) {
    use SinkKind::{Email, Http, Otlp, SyslogTcp, SyslogTls, SyslogUdp, Webhook};
    let syslog = matches!(kind, SyslogTls | SyslogTcp | SyslogUdp);
    let web = matches!(kind, Http | Otlp | Webhook);
    for (key, given, fits) in [
        ("address", raw.address.is_some(), !web),
        ("url", raw.url.is_some(), web),
        ("form", raw.form.is_some(), syslog || kind == Http),
        ("secret_file", raw.secret_file.is_some(), kind == Webhook),
        ("authorization_file", raw.authorization_file.is_some(), matches!(kind, Http | Otlp)),
        ("ca_file", raw.ca_file.is_some(), matches!(kind, SyslogTls | Email)),
        ("mail_from", raw.mail_from.is_some(), kind == Email),
        ("mail_to", !raw.mail_to.is_empty(), kind == Email),
        ("user", raw.user.is_some(), kind == Email),
        ("password_file", raw.password_file.is_some(), kind == Email),
        ("starttls", raw.starttls, kind == Email),
    ] {
        if given && !fits {
            faults.push(fault(&format!("{path}.{key}"), "means nothing for this kind: leave it out"));
        }
    }
}

fn place(path: &str, raw: &RawSink, faults: &mut Vec<Fault>) -> Option<Uri> {
    let example = "https://siem.example/ingest";
    url(&format!("{path}.url"), (raw.url.as_deref(), example), raw.unsafe_plain, faults)
}

fn secret_of(path: &str, raw: &RawSink, faults: &mut Vec<Fault>) -> Option<Secret> {
    let (file, path) = (raw.authorization_file.as_deref()?, format!("{path}.authorization_file"));
    let text = read(&path, file, faults)?;
    let line = text.trim();
    if line.is_empty() || http::HeaderValue::from_str(line).is_err() {
        faults.push(fault(&path, "it is empty or no value of a header"));
        return None;
    }
    Some(Secret::of(line))
}

fn read(path: &str, file: &Path, faults: &mut Vec<Fault>) -> Option<zeroize::Zeroizing<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Some(zeroize::Zeroizing::new(text)),
        Err(error) => {
            faults.push(unreadable(path, file, &error));
            None
        }
    }
}

fn signs(path: &str, raw: &RawSink, faults: &mut Vec<Fault>) -> Option<Secret> {
    let path = format!("{path}.secret_file");
    let Some(file) = &raw.secret_file else {
        faults.push(fault(&path, "missing: a file with the secret that signs"));
        return None;
    };
    let secret = secret_file(&path, file, faults)?;
    if webhook::secret(secret.expose()).is_none() {
        faults.push(fault(&path, "the secret is `whsec_` and 24 to 64 random bytes in base64"));
    }
    Some(secret)
}

fn address(path: &str, raw: &RawSink, tls: bool, faults: &mut Vec<Fault>) -> Option<Address> {
    let path = format!("{path}.address");
    let read = raw.address.as_deref().and_then(|text| {
        let (host, port) = text.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let fits = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
        let port = port.parse().ok().filter(|port| *port != 0)?;
        fits.then(|| Address { host: host.into(), port })
    });
    let Some(address) = read else {
        faults.push(fault(&path, "missing or no address: write it like siem.example:6514"));
        return None;
    };
    let here = address.host.parse::<IpAddr>().map_or(&*address.host == "localhost", |ip| ip.is_loopback());
    if !tls && !here && !raw.unsafe_plain {
        let message =
            "reports to another machine would go in clear: use syslog-tls, or set unsafe_plain = true";
        faults.push(fault(&path, message));
    }
    Some(address)
}

fn mail(path: &str, raw: &RawSink, faults: &mut Vec<Fault>) -> Option<Mail> {
    let server = address(path, raw, !raw.unsafe_plain, faults);
    let is_mailbox = |text: &str| {
        let parts = text.split_once('@');
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;\"".contains(&b))
        };
        parts.is_some_and(|(name, host)| plain(name) && plain(host) && !host.contains('@'))
    };
    let from = raw.mail_from.as_deref().filter(|from| is_mailbox(from));
    if from.is_none() {
        faults.push(fault(
            &format!("{path}.mail_from"),
            "missing or no address: write it like chatward@example.org",
        ));
    }
    if raw.mail_to.is_empty() || !raw.mail_to.iter().all(|to| is_mailbox(to)) {
        faults.push(fault(
            &format!("{path}.mail_to"),
            "missing or no addresses: write them like [\"security@example.org\"]",
        ));
    }
    let password_path = format!("{path}.password_file");
    let sign_in = match (&raw.user, &raw.password_file) {
        (Some(user), Some(file)) => {
            secret_file(&password_path, file, faults).map(|secret| (Arc::from(user.as_str()), secret))
        }
        (None, None) => None,
        _ => {
            faults.push(fault(&password_path, "`user` and `password_file` go together"));
            None
        }
    };
    if sign_in.is_some() && raw.unsafe_plain {
        faults.push(fault(&password_path, "a password never goes in clear: leave out unsafe_plain"));
    }
    Some(Mail {
        server: server?,
        starttls: raw.starttls,
        plain: raw.unsafe_plain,
        ca: raw.ca_file.clone(),
        from: from?.into(),
        to: raw.mail_to.iter().map(|to| to.as_str().into()).collect(),
        sign_in,
    })
}
