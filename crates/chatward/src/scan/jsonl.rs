//! JSONL: one object a line, `text` is looked at.

use std::borrow::Cow;

use chatward_detect::{Context, Detector, Lang};
use chatward_message::Finding;
use memchr::{memchr, memchr_iter};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::csv::MARK;
use super::pipeline::{Batch, Work};
use super::report::{Problem, integer, json_string, spans, table_row};
use super::{Mode, OutputFormat};

/// The fields we know, as they are written. `deny_unknown_fields` is off on purpose; a field given twice is an error,
/// else a redacted copy could keep the one that was not looked at.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    text: &'a RawValue,
    #[serde(borrow)]
    previous: Option<&'a RawValue>,
    #[serde(borrow)]
    lang: Option<&'a RawValue>,
}

/// Looks at a batch of whole lines.
pub(super) fn work(batch: &mut Batch, detector: &Detector, mode: Mode) {
    let Batch { data, work, piece, source, .. } = batch;
    // One look at the encoding for all lines; line by line only if somewhere something is wrong.
    let all = std::str::from_utf8(data).ok();
    let mark: &[u8] = if piece.byte == 0 && data.starts_with(MARK) { MARK } else { &[] };
    if mode == Mode::Redact {
        work.out.extend_from_slice(mark);
    }
    let mut start = mark.len();
    let ends = memchr_iter(b'\n', data).chain(std::iter::once(data.len()));
    for (number, end) in (piece.line..).zip(ends) {
        let bytes = data.get(start..end).unwrap_or_default();
        let text = match all {
            Some(all) => all.get(start..end).ok_or(()),
            None => std::str::from_utf8(bytes).map_err(|_| ()),
        };
        match text {
            Ok(text) if text.trim_ascii().is_empty() => {
                if mode == Mode::Redact {
                    work.out.extend_from_slice(data.get(start..=end).unwrap_or(bytes));
                }
            }
            Ok(text) => {
                let written = line(work, detector, mode, &source.name, number, text);
                if mode == Mode::Redact && written && end < data.len() {
                    work.out.push(b'\n');
                }
            }
            Err(()) => {
                work.problems.push(Problem { line: number, what: "not UTF-8; line left out".to_owned() })
            }
        }
        start = end + 1;
    }
}

/// Whether the line could be read.
fn line(work: &mut Work, detector: &Detector, mode: Mode, file: &str, number: u64, line: &str) -> bool {
    match look(work, detector, mode, file, number, line) {
        Ok(()) => true,
        // serde's own message would quote the line.
        Err(e) => {
            let what = match e.classify() {
                serde_json::error::Category::Data => "not an object with a string \"text\", each field once",
                _ => "not JSON",
            };
            let what = format!("{what} (column {}); line left out", e.column());
            work.problems.push(Problem { line: number, what });
            false
        }
    }
}

fn look(
    work: &mut Work,
    detector: &Detector,
    mode: Mode,
    file: &str,
    number: u64,
    line: &str,
) -> Result<(), serde_json::Error> {
    let fields: Line<'_> = serde_json::from_str(line)?;
    let text = string(fields.text)?;
    let previous = fields.previous.map(string).transpose()?;
    let lang = fields.lang.and_then(|raw| string(raw).ok()).map(|tag| Lang::of_tag(&tag));
    let context = Context { previous: previous.as_deref(), lang };
    let (found, reasons) = work.look(detector, &text, context, number);
    let reasons = reasons.as_ref();
    work.documents += 1;
    work.count_language(lang, &text, 1, found.len());
    let out = &mut work.out;
    match mode {
        Mode::Scan(OutputFormat::Jsonl) => {
            out.extend_from_slice(b"{\"id\":");
            match fields.id {
                Some(id) => out.extend_from_slice(id.get().as_bytes()),
                None => integer(out, number),
            }
            if work.several {
                out.extend_from_slice(b",\"file\":");
                json_string(out, file);
            }
            out.extend_from_slice(b",\"spans\":");
            spans(out, &text, &found, reasons);
            out.extend_from_slice(b"}\n");
        }
        Mode::Scan(OutputFormat::Table) => {
            for finding in &found {
                table_row(out, &format!("{file}:{number}"), finding, reasons);
            }
        }
        Mode::Redact => {
            let raw = fields.text.get();
            // Where the value stands in the line: both are slices of the same bytes.
            let from = (raw.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
            out.extend_from_slice(line.get(..from).unwrap_or_default().as_bytes());
            redact_string(out, raw, &found);
            out.extend_from_slice(line.get(from + raw.len()..).unwrap_or_default().as_bytes());
        }
    }
    Ok(())
}

/// What a JSON string says. Borrowed unless it holds an escape.
fn string(raw: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    let json = raw.get();
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) if memchr(b'\\', inner.as_bytes()).is_none() => Ok(Cow::Borrowed(inner)),
        _ => serde_json::from_str(json).map(Cow::Owned),
    }
}

/// Writes a JSON string with the findings (offsets in what it says) replaced, all else as it was written.
fn redact_string(out: &mut Vec<u8>, raw: &str, found: &[Finding]) {
    let bytes = raw.as_bytes();
    let mut place = Place { raw: 1, decoded: 0 };
    let mut written = 0;
    for finding in found {
        place.advance(bytes, finding.span.start);
        out.extend_from_slice(bytes.get(written..place.raw).unwrap_or_default());
        out.push(b'[');
        out.extend_from_slice(finding.rule.label.as_bytes());
        out.push(b']');
        place.advance(bytes, finding.span.end);
        written = place.raw;
    }
    out.extend_from_slice(bytes.get(written..).unwrap_or_default());
}

/// A place in a JSON string, as written and as said, in bytes.
struct Place {
    raw: usize,
    decoded: usize,
}

impl Place {
    /// Goes on to where `target` bytes were said.
    fn advance(&mut self, json: &[u8], target: usize) {
        while self.decoded < target {
            let rest = json.get(self.raw..).unwrap_or_default();
            let (raw, decoded) = match rest {
                [b'\\', b'u', ..] => match code_unit(rest) {
                    // A pair of surrogates is one character of four bytes.
                    0xd800..=0xdbff => (12, 4),
                    0..=0x7f => (6, 1),
                    0x80..=0x7ff => (6, 2),
                    _ => (6, 3),
                },
                [b'\\', ..] => (2, 1),
                [] => return,
                _ => (1, 1),
            };
            self.raw += raw;
            self.decoded += decoded;
        }
    }
}

fn code_unit(escape: &[u8]) -> u32 {
    let digits = escape.get(2..6).and_then(|d| std::str::from_utf8(d).ok());
    digits.and_then(|d| u32::from_str_radix(d, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatward_message::{Class, Evidence, Kind, RuleInfo, Span};
    use proptest::prelude::*;

    use super::*;

    fn finding(start: usize, end: usize) -> Finding {
        let rule = RuleInfo {
            id: "x".into(),
            kind: Kind::new("x"),
            entity: "OTHER".into(),
            class: Class::Identity,
            label: "X".into(),
            last_four: false,
        };
        Finding {
            span: Span::new(start, end),
            rule: Arc::new(rule),
            score: 1.0,
            evidence: Evidence::default(),
        }
    }

    #[test]
    fn escapes_beside_a_finding_stay_as_written() {
        let raw = r#""a\u00e9\n\ud83d\ude00 me@x.org \/ end""#;
        let said: String = serde_json::from_str(raw).unwrap();
        let start = said.find("me@").unwrap();
        let mut out = Vec::new();
        redact_string(&mut out, raw, &[finding(start, start + "me@x.org".len())]);
        assert_eq!(String::from_utf8(out).unwrap(), r#""a\u00e9\n\ud83d\ude00 [X] \/ end""#);
    }

    /// Writes a text as JSON, each character escaped or not as `how` says.
    fn written(text: &str, how: &[bool]) -> String {
        let mut json = String::from("\"");
        for (c, escape) in text.chars().zip(how.iter().cycle()) {
            if *escape {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                let plain = serde_json::to_string(&c).unwrap();
                json.push_str(&plain[1..plain.len() - 1]);
            }
        }
        json + "\""
    }

    proptest! {
        /// Redacting what is written says the same as redacting what is said.
        #[test]
        fn redacting_the_json_is_redacting_the_text(
            text in "[a-z\"\\\\\n é日😀]{0,20}", a in 0usize..20, b in 0usize..20,
            how in proptest::collection::vec(any::<bool>(), 1..8),
        ) {
            let places: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let (a, b) = (places[a.min(places.len() - 1)], places[b.min(places.len() - 1)]);
            let (a, b) = (a.min(b), a.max(b));
            let mut out = Vec::new();
            redact_string(&mut out, &written(&text, &how), &[finding(a, b)]);
            let said: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(said, format!("{}[X]{}", &text[..a], &text[b..]));
        }
    }
}
