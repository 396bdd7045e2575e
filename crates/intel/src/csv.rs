//! CSV as abuse.ch exports it (URLhaus, ThreatFox, MalwareBazaar, Feodo Tracker).
//!
//! Comments stand first, the last of them with the names of the columns. Fields are quoted, quotes in them doubled, with or
//! without a space after the comma. A record is a line: a quote that never ends spoils that line only.

use std::io::Read;

use chatward_detect::indicator::{Record, Value, ValueFault};

use crate::fault::{FormFault, Skipped, What};
use crate::feed::{self, Taker};
use crate::loose::time;
use crate::source::Source;
use crate::stix::threat;

/// Columns beyond this are not looked at.
const COLUMNS: usize = 64;

/// Where what counts stands.
#[derive(Debug, Default, PartialEq)]
struct Columns {
    many: usize,
    url: Option<usize>,
    value: Option<usize>,
    sort: Option<usize>,
    address: Option<usize>,
    hashes: Vec<usize>,
    since: Option<usize>,
    confidence: Option<usize>,
    threat: Option<usize>,
}

impl Columns {
    /// Nothing if no column is known that has indicators.
    fn of(head: &[String]) -> Option<Self> {
        let mut columns = Self { many: head.len(), ..Self::default() };
        for (at, name) in head.iter().enumerate() {
            match name.trim() {
                "url" => columns.url = Some(at),
                "ioc_value" => columns.value = Some(at),
                "ioc_type" => columns.sort = Some(at),
                "dst_ip" | "ip_address" => columns.address = Some(at),
                "sha256_hash" | "md5_hash" | "sha1_hash" => columns.hashes.push(at),
                "dateadded" | "first_seen_utc" | "first_seen" => columns.since = Some(at),
                "confidence_level" => columns.confidence = Some(at),
                "threat" | "threat_type" => columns.threat = Some(at),
                _ => {}
            }
        }
        let pair = columns.value.is_some() && columns.sort.is_some();
        let any = columns.url.is_some() || pair || columns.address.is_some() || !columns.hashes.is_empty();
        any.then_some(columns)
    }
}

pub(crate) fn read(from: &mut dyn Read, taker: &mut Taker<'_>) -> Result<(), FormFault> {
    let limits = taker.limits();
    let mut source = Source::new(from, limits.bytes);
    let mut columns: Option<Columns> = None;
    let (mut line, mut fields) = (Vec::new(), Vec::new());
    loop {
        let at = source.at();
        let Some(whole) = source.line(&mut line, limits.line)? else { break };
        let text = std::str::from_utf8(&line).ok().map(|text| text.trim_start_matches('\u{feff}').trim());
        if text == Some("") {
            continue;
        }
        let comment = text.and_then(|text| text.strip_prefix('#'));
        if let Some(comment) = comment {
            if split(comment.trim(), &mut fields) {
                columns = Columns::of(&fields).or(columns);
            }
            continue;
        }
        // Some exports have the names of the columns in an ordinary line.
        if columns.is_none() {
            columns = text.filter(|text| split(text, &mut fields)).and_then(|_| Columns::of(&fields));
            if columns.is_none() {
                return Err(FormFault::Form("no line names known columns"));
            }
            continue;
        }
        taker.entry()?;
        let Some(columns) = &columns else { continue };
        match text {
            _ if !whole => taker.fault(at, What::Long),
            None => taker.fault(at, What::Utf8),
            Some(text) if !split(text, &mut fields) || fields.len() != columns.many => {
                taker.fault(at, What::Columns);
            }
            Some(_) => {
                if let Err(what) = record(columns, &fields, taker) {
                    taker.fault(at, what);
                }
            }
        }
    }
    taker.summary.bytes = source.at();
    if columns.is_none() { Err(FormFault::Form("no line names known columns")) } else { Ok(()) }
}

/// Fields of a line; whether its quotes fit.
fn split(line: &str, fields: &mut Vec<String>) -> bool {
    fields.clear();
    let mut rest = line;
    while fields.len() < COLUMNS {
        rest = rest.trim_start_matches([' ', '\t']);
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut left = quoted;
            loop {
                let Some((text, after)) = left.split_once('"') else { return false };
                field.push_str(text);
                left = after;
                match left.strip_prefix('"') {
                    Some(after) => {
                        field.push('"');
                        left = after;
                    }
                    None => break,
                }
            }
            rest = left.trim_start_matches([' ', '\t']);
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if text.contains('"') {
                return false;
            }
            field.push_str(text.trim_end());
            rest = after;
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return rest.is_empty(),
        }
    }
    false
}

fn record(columns: &Columns, fields: &[String], taker: &mut Taker<'_>) -> Result<(), What> {
    let field = |at: Option<usize>| at.and_then(|at| fields.get(at)).map_or("", |text| text.trim());
    let known = |text: &str| !text.is_empty() && text != "None" && text != "n/a";
    let since = field(columns.since).trim_end_matches(" UTC");
    let from = match known(since) {
        // `2026-09-01 00:00:00`, in UTC.
        true => Some(time(&format!("{}Z", since.replacen(' ', "T", 1))).ok_or(What::Field("date"))?),
        false => None,
    };
    let confidence = match field(columns.confidence) {
        "" => None,
        text => Some(text.parse().ok().filter(|c| *c <= 100).ok_or(What::Field("confidence_level"))?),
    };
    let record = Record { from, confidence, threat: threat(field(columns.threat)), ..Record::default() };
    if columns.url.is_some() {
        taker.indicator(feed::url(field(columns.url))?, record);
    } else if columns.sort.is_some() {
        match typed(field(columns.sort), field(columns.value)) {
            Some(value) => taker.indicator(value?, record),
            None => taker.skip(Skipped::OtherType),
        }
    } else if columns.address.is_some() {
        taker.indicator(Value::network(field(columns.address))?, record);
    }
    for hash in columns.hashes.iter().map(|at| field(Some(*at))).filter(|hash| known(hash)) {
        taker.indicator(Value::file(hash)?, record);
    }
    Ok(())
}

fn typed(sort: &str, text: &str) -> Option<Result<Value, ValueFault>> {
    Some(match sort {
        "domain" => Value::domain(text),
        "url" => feed::url(text),
        "ip:port" => Value::network(match text.rsplit_once(':') {
            Some((address, port)) if port.bytes().all(|b| b.is_ascii_digit()) => address,
            _ => text,
        }),
        "ip" => Value::network(text),
        "md5_hash" | "sha1_hash" | "sha256_hash" => Value::file(text),
        "email" => Value::email(text),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_are_read_as_abuse_ch_writes_them() {
        let mut fields = Vec::new();
        assert!(split(r#""a","b, ""c""",  "" , d"#, &mut fields));
        assert_eq!(fields, ["a", "b, \"c\"", "", "d"]);
        for bad in [r#""a"#, r#""a"b"#, r#"a"b,c"#, &"\"\",".repeat(200), &"\"".repeat(4097)] {
            assert!(!split(bad, &mut fields), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(wanted in proptest::collection::vec("[a-z\", ]{0,10}", 1..8)) {
            let quoted: Vec<String> = wanted.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            for comma in [",", ", "] {
                let mut fields = Vec::new();
                prop_assert!(split(&quoted.join(comma), &mut fields));
                prop_assert_eq!(&fields, &wanted);
            }
        }
    }
}
