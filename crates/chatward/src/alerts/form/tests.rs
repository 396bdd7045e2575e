//! Golden vectors of every form (`vectors/alerts`), and what standards ask of them. `CHATWARD_WRITE_VECTORS=1` writes them anew;
//! whoever does that reads the difference.

use std::path::PathBuf;

use chatward_message::{Channel, Response, SignInfo, Threat, TurnId, View};
use serde_json::Value;

use super::super::record::{Scope, Word};
use super::*;

fn report() -> Report {
    let info = SignInfo {
        id: "behaviour.order-enumeration".into(),
        threat: Threat::Enumeration,
        severity: Severity::High,
        tags: ["AML.T0052".into(), "LLM02".into()].into(),
    };
    let mut alert = Alert::of_house(&info, UnixMillis(1_790_000_000_123));
    (alert.scope, alert.subject, alert.response) =
        (Scope::Conversation, 0x00ab_cdef_0123_4567, Response::Hold);
    (alert.channel, alert.view, alert.score) = (Some(Channel::Customer), Some(View::Plain), 0.734);
    alert.counts = vec![(Word::forced("order"), 6), (Word::forced("not-found"), 4)];
    let alert = alert.in_turn(TurnId::from_bytes([0x11; 16])).with_bot("support");
    Report {
        v: Report::VERSION,
        activity: Activity::Opened,
        incident: Word::forced("00112233445566778899aabbccddeeff"),
        id: Word::forced("ffeeddccbbaa99887766554433221100"),
        tenant: Word::forced("default"),
        at: UnixMillis(1_790_000_001_000),
        first: UnixMillis(1_789_999_000_000),
        last: UnixMillis(1_790_000_000_123),
        count: 3,
        severity: Severity::High,
        rules: vec![
            (Word::forced("behaviour.order-enumeration"), 2),
            (Word::forced("behaviour.order-harvest"), 1),
        ],
        alert,
    }
}

/// What stands in this vector, or is written into it.
fn golden(name: &str, is: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../vectors/alerts").join(name);
    if std::env::var_os("CHATWARD_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("{}\n", is.trim_end_matches('\n'))).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(is.trim_end_matches('\n'), wanted.trim_end_matches('\n'), "{name}");
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// The process's number and our version are not the same everywhere.
fn steady(text: &str) -> String {
    text.replace(&format!(" chatward {} ", std::process::id()), " chatward 4711 ").replace(VERSION, "0.0.0")
}

#[test]
fn every_form_is_as_it_was() {
    let report = report();
    golden("record.json", &serde_json::to_string_pretty(&report).unwrap());
    golden("ocsf.json", &steady(&pretty(&ocsf(&report))));
    golden("ecs.json", &steady(&pretty(&ecs(&report))));
    golden("cef.txt", &steady(&cef(&report)));
    golden("syslog.txt", &steady(&syslog(&report, Form::Cef, "gateway-1")));
    golden(
        "otlp.json",
        &steady(&pretty(&otlp(std::slice::from_ref(&report), "gateway-1", UnixMillis(1_790_000_002_000)))),
    );
    golden("webhook.json", &webhook(&report));
    let (subject, text) = mail(&report);
    golden("mail.txt", &format!("Subject: {subject}\n\n{text}"));
}

#[test]
fn a_record_that_was_written_is_read_again() {
    let report = report();
    let line = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), report);
    assert!(!line.contains('\n'));
}

#[test]
fn hostile_characters_stay_in_their_fields() {
    assert_eq!(cef_head("a|b\\c\r\nd=e"), "a\\|b\\\\c  d=e");
    assert_eq!(cef_value("a=b\\c\r\nd|e\nf"), "a\\=b\\\\c\\nd|e\\nf");
    assert_eq!(sd_value(r#"a"b\c]d"#), r#"a\"b\\c\]d"#);
    assert_eq!(printable("host name\n\u{e9}", 255), "hostname");
    assert_eq!(printable("", 255), "-");
    assert_eq!(frame("\u{e9}a"), "3 \u{e9}a".as_bytes());
}

/// A head of CEF has seven bars that are not escaped, and a value ends where the next key begins.
#[test]
fn a_line_of_cef_is_read_as_it_was_meant() {
    let line = cef(&report());
    let mut bars = 0;
    let mut escaped = false;
    for c in line.chars() {
        bars += usize::from(c == '|' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    assert_eq!(bars, 7, "{line}");
    assert!(!line.contains('\n'));
    for (label, value) in
        [("cs1Label=scope", "cs1=conversation"), ("cs2Label=subject", "cs2=00abcdef01234567")]
    {
        assert!(line.contains(label) && line.contains(value), "{line}");
    }
}

/// `<PRI>1 TIME HOST APP PROCID MSGID [SD] MSG`: what RFC 5424 writes as its grammar, as far as it is ours.
#[test]
fn a_message_of_syslog_has_its_parts() {
    for severity in [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        let message = syslog(&Report { severity, ..report() }, Form::Ocsf, "h");
        let (priority, rest) = message.strip_prefix('<').unwrap().split_once(">1 ").unwrap();
        let priority: u8 = priority.parse().unwrap();
        assert_eq!(priority / 8, FACILITY);
        assert!((2..=6).contains(&(priority % 8)));
        let parts: Vec<&str> = rest.splitn(6, ' ').collect();
        assert!(parts[0].ends_with('Z') && parts[0].contains('T'), "{rest}");
        assert_eq!((parts[1], parts[2], parts[4]), ("h", "chatward", "opened"));
        let (data, text) = parts[5].split_once("] ").unwrap();
        assert!(data.starts_with("[chatward@32473 incident=\""), "{data}");
        assert!(serde_json::from_str::<Value>(text).is_ok());
    }
}

/// One attribute of the schema's cutting: its name, whether it must be there, its type.
fn check(object: &Value, table: &Value, path: &str, faults: &mut Vec<String>) {
    let attributes = table["attributes"].as_object().unwrap();
    let Some(fields) = object.as_object() else {
        faults.push(format!("{path}: no object"));
        return;
    };
    for (name, rule) in attributes {
        if rule["requirement"] == "required" && !fields.contains_key(name) {
            faults.push(format!("{path}.{name}: missing"));
        }
    }
    for (name, value) in fields {
        let Some(rule) = attributes.get(name) else {
            faults.push(format!("{path}.{name}: not in the schema"));
            continue;
        };
        let values = if rule["is_array"] == true {
            value.as_array().cloned().unwrap_or_default()
        } else {
            vec![value.clone()]
        };
        if rule["is_array"] == true && !value.is_array() {
            faults.push(format!("{path}.{name}: no array"));
        }
        for value in values {
            let fits = match rule["type"].as_str().unwrap() {
                "string_t" => value.is_string(),
                "boolean_t" => value.is_boolean(),
                "integer_t" | "long_t" => value.is_i64() || value.is_u64(),
                "timestamp_t" => value.as_u64().is_some_and(|ms| ms > 1_600_000_000_000),
                "json_t" => value.is_object(),
                nested => {
                    check(&value, &tables()["objects"][nested], &format!("{path}.{name}"), faults);
                    true
                }
            };
            let known = rule["enum"].as_array();
            if !fits || known.is_some_and(|known| !known.contains(&value)) {
                faults.push(format!("{path}.{name}: {value}"));
            }
        }
    }
}

fn tables() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/ocsf-1.7.0-detection-finding.json")).unwrap()
}

#[test]
fn ocsf_fits_the_schema() {
    let activities =
        [Activity::Opened, Activity::Updated, Activity::Acknowledged, Activity::Closed, Activity::Test];
    for activity in activities {
        for severity in [Severity::Info, Severity::Critical] {
            let finding = ocsf(&Report { activity, severity, ..report() });
            let mut faults = Vec::new();
            check(&finding, &tables()["class"], "", &mut faults);
            assert!(faults.is_empty(), "{faults:#?}");
            let (class, activity) =
                (finding["class_uid"].as_u64().unwrap(), finding["activity_id"].as_u64().unwrap());
            assert_eq!(finding["type_uid"].as_u64(), Some(class * 100 + activity));
        }
    }
    let mut broken = ocsf(&report());
    broken.as_object_mut().unwrap().remove("finding_info");
    broken["severity_id"] = "high".into();
    broken["customer_text"] = "x".into();
    let mut faults = Vec::new();
    check(&broken, &tables()["class"], "", &mut faults);
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn names_of_opentelemetry_are_those_of_the_conventions() {
    let body = otlp(&[report()], "h", UnixMillis(1));
    let record = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    let keys: Vec<&str> =
        record["attributes"].as_array().unwrap().iter().map(|a| a["key"].as_str().unwrap()).collect();
    let known = ["gen_ai.operation.name", "gen_ai.conversation.id", "gen_ai.agent.name"];
    for key in keys.iter().filter(|key| key.starts_with("gen_ai.")) {
        assert!(known.contains(key), "{key}");
    }
    assert!(known.iter().all(|key| keys.contains(key)));
    assert!(record["timeUnixNano"].is_string() && record["severityNumber"].is_u64());
    for attribute in record["attributes"].as_array().unwrap() {
        assert_eq!(attribute["value"].as_object().unwrap().len(), 1);
    }
}
