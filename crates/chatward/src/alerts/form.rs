//! The forms in which receivers want to have a report: OCSF, ECS, CEF, OpenTelemetry, syslog.
//!
//! | form | standard | pinned |
//! | --- | --- | --- |
//! | `ocsf` | Open Cybersecurity Schema Framework, Detection Finding (class 2004) | 1.7.0 |
//! | `ecs` | Elastic Common Schema | 8.17.0 |
//! | `cef` | ArcSight Common Event Format, implementation standard 26 | version 0 |
//! | `otlp` | OTLP logs as JSON; names of `gen_ai.*` of the OpenTelemetry semantic conventions | 1.41.0 |
//! | syslog | RFC 5424; frames over TCP and TLS by octet counting (RFC 6587 3.4.1, RFC 5425) | |

use std::fmt::Write as _;

use chatward_message::{Severity, UnixMillis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::record::{Activity, Alert, Report};
use crate::rights::moment;

/// The version of OCSF that [`ocsf`] follows.
const OCSF: &str = "1.7.0";
/// The version of ECS that [`ecs`] follows.
const ECS: &str = "8.17.0";
/// The schema of the names in [`otlp`].
const OTEL_SCHEMA: &str = "https://opentelemetry.io/schemas/1.41.0";
/// Names of structured data of syslog that are ours. 32473 is the number that RFC 5612 keeps for examples: we have none.
const SD_ID: &str = "chatward@32473";
/// Syslog's facility 13, log audit.
const FACILITY: u8 = 13;
const VENDOR: &str = "Chatward";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "AlertForm")]
pub enum Form {
    /// OCSF, Detection Finding (JSON).
    Ocsf,
    /// Elastic Common Schema (JSON).
    Ecs,
    /// ArcSight Common Event Format (one line).
    Cef,
}

impl Form {
    /// The report in this form, without a line's end.
    pub(crate) fn write(self, report: &Report) -> String {
        match self {
            Self::Ocsf => ocsf(report).to_string(),
            Self::Ecs => ecs(report).to_string(),
            Self::Cef => cef(report),
        }
    }

    /// The media type of it.
    pub(crate) const fn media(self) -> &'static str {
        match self {
            Self::Ocsf | Self::Ecs => "application/json",
            Self::Cef => "text/plain; charset=utf-8",
        }
    }
}

/// What stands beside the fields that a standard has.
fn rest(report: &Report) -> Value {
    let Alert { threat, scope, response, channel, view, turn, counts, .. } = &report.alert;
    let counts: serde_json::Map<String, Value> =
        counts.iter().map(|(name, count)| (name.to_string(), json!(count))).collect();
    let rules: serde_json::Map<String, Value> =
        report.rules.iter().map(|(name, count)| (name.to_string(), json!(count))).collect();
    let mut rest = json!({
        "activity": report.activity.name(),
        "threat": threat.name(),
        "scope": scope.name(),
        "response": response.name(),
        "rules": rules,
        "counts": counts,
    });
    let optional = [
        ("subject", report.subject()),
        ("channel", channel.map(|channel| channel.name().to_owned())),
        ("view", view.map(|view| view.name().to_owned())),
        ("turn", turn.map(|turn| turn.to_string())),
        ("bot", report.alert.bot.as_ref().map(ToString::to_string)),
    ];
    if let Some(rest) = rest.as_object_mut() {
        for (name, value) in optional {
            rest.extend(value.map(|value| (name.to_owned(), Value::from(value))));
        }
    }
    rest
}

/// Confidence in percent.
fn percent(score: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let percent = (score.clamp(0.0, 1.0) * 100.0).round() as u8;
    percent
}

/// A Detection Finding of OCSF.
pub(crate) fn ocsf(report: &Report) -> Value {
    let activity = match report.activity {
        Activity::Opened | Activity::Test => 1,
        Activity::Updated | Activity::Acknowledged => 2,
        Activity::Closed => 3,
    };
    let status = match report.activity {
        Activity::Opened | Activity::Updated | Activity::Test => 1,
        Activity::Acknowledged => 2,
        Activity::Closed => 4,
    };
    let (severity, caption) = match report.severity {
        Severity::Info => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    let alert = &report.alert;
    // Of analytics: a rule, behaviour, something learnt.
    let analytic = match alert.rule.as_str().split('.').next() {
        Some("behaviour") => 2,
        Some("model") => 4,
        _ => 1,
    };
    let attacks: Vec<Value> = techniques(alert)
        .map(|technique| json!({ "technique": { "uid": technique }, "version": "ATLAS 5.6" }))
        .collect();
    json!({
        "activity_id": activity,
        "category_uid": 2,
        "class_uid": 2004,
        "type_uid": 200_400 + activity,
        "time": report.at.0,
        "start_time": report.first.0,
        "end_time": report.last.0,
        "count": report.count,
        "severity_id": severity,
        "severity": caption,
        "status_id": status,
        "is_alert": matches!(report.activity, Activity::Opened | Activity::Updated),
        "confidence_score": percent(alert.score),
        "message": report.title(),
        "finding_info": {
            "uid": report.incident,
            "title": report.title(),
            "types": [alert.threat.name()],
            "analytic": { "type_id": analytic, "uid": alert.rule, "name": alert.rule },
            "attacks": attacks,
            "first_seen_time": report.first.0,
            "last_seen_time": report.last.0,
            "related_events_count": report.count,
        },
        "metadata": {
            "version": OCSF,
            "uid": report.id,
            "tenant_uid": report.tenant,
            "product": { "name": VENDOR, "vendor_name": VENDOR, "version": VERSION },
        },
        "unmapped": rest(report),
    })
}

fn techniques(alert: &Alert) -> impl Iterator<Item = &str> {
    alert.tags.iter().map(super::record::Word::as_str).filter(|tag| tag.starts_with("AML."))
}

/// A number from 0 to 100 for how bad it is.
const fn out_of_hundred(severity: Severity) -> u8 {
    match severity {
        Severity::Info => 10,
        Severity::Low => 30,
        Severity::Medium => 50,
        Severity::High => 75,
        Severity::Critical => 95,
    }
}

/// An alert of the Elastic Common Schema.
pub(crate) fn ecs(report: &Report) -> Value {
    let alert = &report.alert;
    let kind = if report.activity == Activity::Test { "event" } else { "alert" };
    let mut document = json!({
        "@timestamp": moment(report.at),
        "ecs": { "version": ECS },
        "message": report.title(),
        "event": {
            "kind": kind,
            "category": ["intrusion_detection"],
            "type": ["info"],
            "action": format!("incident-{}", report.activity.name()),
            "id": report.id,
            "code": alert.rule,
            "severity": out_of_hundred(report.severity),
            "risk_score": percent(alert.score),
            "start": moment(report.first),
            "end": moment(report.last),
            "dataset": "chatward.incident",
            "module": "chatward",
        },
        "rule": { "id": alert.rule, "name": alert.rule, "category": alert.threat.name() },
        "observer": { "vendor": VENDOR, "product": VENDOR, "version": VERSION, "type": "gateway" },
        "organization": { "id": report.tenant },
        "tags": alert.tags,
        "chatward": { "incident": { "id": report.incident, "count": report.count, "severity": report.severity.name() } },
    });
    let techniques: Vec<&str> = techniques(alert).collect();
    if let Some(fields) = document.as_object_mut() {
        if !techniques.is_empty() {
            let threat = json!({ "framework": "MITRE ATLAS", "technique": { "id": techniques } });
            fields.insert("threat".to_owned(), threat);
        }
        if let Some(own) = fields.get_mut("chatward").and_then(Value::as_object_mut) {
            own.insert("detail".to_owned(), rest(report));
        }
    }
    document
}

/// A line of CEF.
pub(crate) fn cef(report: &Report) -> String {
    let alert = &report.alert;
    let severity = match report.severity {
        Severity::Info => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let head = [VENDOR, VENDOR, VERSION, alert.rule.as_str(), &report.title()].map(cef_head).join("|");
    let mut line = format!("CEF:0|{head}|{severity}|");
    let mut put = |key: &str, value: &str| {
        let space = if line.ends_with('|') { "" } else { " " };
        let _ = write!(line, "{space}{key}={}", cef_value(value));
    };
    put("rt", &report.at.0.to_string());
    put("start", &report.first.0.to_string());
    put("end", &report.last.0.to_string());
    put("cnt", &report.count.to_string());
    put("act", alert.response.name());
    put("cat", alert.threat.name());
    put("externalId", report.incident.as_str());
    put("outcome", report.activity.name());
    for (number, label, value) in [
        (1, "scope", Some(alert.scope.name().to_owned())),
        (2, "subject", report.subject()),
        (3, "turn", alert.turn.map(|turn| turn.to_string())),
        (4, "tags", (!alert.tags.is_empty()).then(|| joined(&alert.tags))),
        (5, "tenant", Some(report.tenant.to_string())),
        (6, "report", Some(report.id.to_string())),
    ] {
        if let Some(value) = value {
            put(&format!("cs{number}Label"), label);
            put(&format!("cs{number}"), &value);
        }
    }
    put("cn1Label", "confidence");
    put("cn1", &percent(alert.score).to_string());
    line
}

fn joined(words: &[super::record::Word]) -> String {
    words.iter().map(super::record::Word::as_str).collect::<Vec<_>>().join(",")
}

/// In the head of CEF a bar and a backslash are escaped, and there are no lines.
pub(crate) fn cef_head(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

/// In a value an equals sign and a backslash are escaped, and lines are written as `\n`.
pub(crate) fn cef_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace("\r\n", "\\n").replace(['\r', '\n'], "\\n")
}

/// A message of syslog (RFC 5424), without a frame. Its text is the report in this form.
pub(crate) fn syslog(report: &Report, form: Form, host: &str) -> String {
    let alert = &report.alert;
    let severity = match report.severity {
        Severity::Info => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    };
    let mut data = String::new();
    for (name, value) in [
        ("incident", report.incident.as_str()),
        ("activity", report.activity.name()),
        ("rule", alert.rule.as_str()),
        ("threat", alert.threat.name()),
        ("scope", alert.scope.name()),
        ("severity", report.severity.name()),
        ("response", alert.response.name()),
    ] {
        let _ = write!(data, " {name}=\"{}\"", sd_value(value));
    }
    format!(
        "<{}>1 {} {} chatward {} {} [{SD_ID}{data}] {}",
        FACILITY * 8 + severity,
        moment(report.at),
        printable(host, 255),
        std::process::id(),
        printable(report.activity.name(), 32),
        form.write(report),
    )
}

/// In a value of structured data a quote, a backslash and a closing bracket are escaped (RFC 5424 6.3.3).
pub(crate) fn sd_value(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// A name of a header: printable ASCII without spaces; `-` for none.
fn printable(text: &str, most: usize) -> String {
    let name: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// A frame of TCP or TLS: the length in bytes, a space, the message.
pub(crate) fn frame(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}

/// A request of OTLP over HTTP with these reports as log records.
pub(crate) fn otlp(reports: &[Report], host: &str, now: UnixMillis) -> Value {
    let records: Vec<Value> = reports.iter().map(|report| log_record(report, now)).collect();
    json!({ "resourceLogs": [{
        "resource": { "attributes": [
            attribute("service.name", &"chatward".into()),
            attribute("service.version", &VERSION.into()),
            attribute("host.name", &host.into()),
        ] },
        "scopeLogs": [{
            "scope": { "name": "chatward.alerts", "version": VERSION },
            "logRecords": records,
            "schemaUrl": OTEL_SCHEMA,
        }],
    }] })
}

fn log_record(report: &Report, now: UnixMillis) -> Value {
    let alert = &report.alert;
    let severity = match report.severity {
        Severity::Info => (9, "INFO"),
        Severity::Low => (10, "INFO2"),
        Severity::Medium => (13, "WARN"),
        Severity::High => (17, "ERROR"),
        Severity::Critical => (21, "FATAL"),
    };
    let mut attributes = vec![
        attribute("gen_ai.operation.name", &"chat".into()),
        attribute("chatward.incident.id", &report.incident.as_str().into()),
        attribute("chatward.incident.activity", &report.activity.name().into()),
        attribute("chatward.incident.count", &report.count.into()),
        attribute("chatward.report.id", &report.id.as_str().into()),
        attribute("chatward.rule.id", &alert.rule.as_str().into()),
        attribute("chatward.threat", &alert.threat.name().into()),
        attribute("chatward.severity", &report.severity.name().into()),
        attribute("chatward.response", &alert.response.name().into()),
        attribute("chatward.scope", &alert.scope.name().into()),
        attribute("chatward.score", &f64::from(percent(alert.score)).into()),
        attribute("chatward.tenant", &report.tenant.as_str().into()),
    ];
    if let Some(subject) = report.subject() {
        // Of a conversation the conventions have a name for it.
        let name = match alert.scope {
            super::record::Scope::Conversation => "gen_ai.conversation.id",
            _ => "chatward.subject",
        };
        attributes.push(attribute(name, &subject.into()));
    }
    if let Some(bot) = &alert.bot {
        attributes.push(attribute("gen_ai.agent.name", &bot.as_str().into()));
    }
    if let Some(turn) = &alert.turn {
        attributes.push(attribute("chatward.turn", &turn.to_string().into()));
    }
    if !alert.tags.is_empty() {
        let tags: Vec<Value> = alert.tags.iter().map(|tag| json!({ "stringValue": tag })).collect();
        attributes.push(json!({ "key": "chatward.tags", "value": { "arrayValue": { "values": tags } } }));
    }
    json!({
        "timeUnixNano": nanos(report.at),
        "observedTimeUnixNano": nanos(now),
        "severityNumber": severity.0,
        "severityText": severity.1,
        "eventName": "chatward.incident",
        "body": { "stringValue": report.title() },
        "attributes": attributes,
    })
}

/// OTLP writes 64-bit numbers as strings.
fn nanos(at: UnixMillis) -> String {
    format!("{}000000", at.0)
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        other => json!({ "stringValue": other }),
    };
    json!({ "key": key, "value": value })
}

/// What a webhook is told: the record itself.
pub(crate) fn webhook(report: &Report) -> String {
    let name = format!("incident.{}", report.activity.name());
    json!({ "type": name, "timestamp": moment(report.at), "data": report }).to_string()
}

/// The subject line and the text of a mail.
pub(crate) fn mail(report: &Report) -> (String, String) {
    let alert = &report.alert;
    let mut text = format!("{}\n\n", report.title());
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("Incident", report.incident.as_str());
    line("First", &moment(report.first));
    line("Last", &moment(report.last));
    line("Alerts", &report.count.to_string());
    line("Severity", report.severity.name());
    line("Done", alert.response.name());
    line("About", alert.scope.name());
    if let Some(subject) = report.subject() {
        line("Subject", &subject);
    }
    if let Some(turn) = alert.turn {
        line("Turn", &turn.to_string());
    }
    for (rule, count) in &report.rules {
        line("Rule", &format!("{rule} ({count})"));
    }
    for (name, count) in &alert.counts {
        line("Counted", &format!("{name}: {count}"));
    }
    text.push_str("\nNo message is quoted here. Look at it in the console.\n");
    (format!("[chatward] {}", report.title()), text)
}

#[cfg(test)]
mod tests;
