//! Plain text: one document, looked at block by block.

use chatward_detect::{Context, Detector};
use chatward_message::Finding;
use memchr::{memchr_iter, memrchr};

use super::pipeline::Batch;
use super::report::{Problem, ending, integer, json_string, table_row};
use super::{Mode, OutputFormat};
use crate::explain::Reasons;

/// Looks at one block of a text. Bytes that are not UTF-8 are reported and stay as they are; what stands between them
/// is looked at.
pub(super) fn work(batch: &mut Batch, detector: &Detector, mode: Mode) {
    let Batch { data, work, piece, source, .. } = batch;
    work.documents += u64::from(piece.last);
    let mut at = Position { line: piece.line, line_start: 0, counted: 0 };
    let mut start = 0;
    for chunk in data.utf8_chunks() {
        let text = chunk.valid();
        let (found, reasons) = work.look(detector, text, Context::default(), at.line);
        let reasons = reasons.as_ref();
        work.count_language(None, text, u64::from(piece.last && start == 0), found.len());
        let mut written = 0;
        for finding in &found {
            at.advance(data, start + finding.span.start);
            let column = at.column(data, start + finding.span.start);
            match mode {
                Mode::Scan(OutputFormat::Jsonl) => {
                    let name = work.several.then_some(source.name.as_str());
                    let base = piece.byte + start as u64;
                    json(&mut work.out, name, (finding, reasons), base, at.line, column);
                }
                Mode::Scan(OutputFormat::Table) => {
                    table_row(
                        &mut work.out,
                        &format!("{}:{}:{column}", source.name, at.line),
                        finding,
                        reasons,
                    );
                }
                Mode::Redact => {
                    let before = text.get(written..finding.span.start).unwrap_or_default();
                    work.out.extend_from_slice(before.as_bytes());
                    work.out.push(b'[');
                    work.out.extend_from_slice(finding.rule.label.as_bytes());
                    work.out.push(b']');
                    written = finding.span.end;
                }
            }
        }
        if mode == Mode::Redact {
            work.out.extend_from_slice(text.get(written..).unwrap_or_default().as_bytes());
            work.out.extend_from_slice(chunk.invalid());
        }
        if !chunk.invalid().is_empty() && !work.spoilt {
            work.spoilt = true;
            at.advance(data, start + text.len());
            work.problems.push(Problem {
                line: at.line,
                what: "not UTF-8; these bytes were not looked at".to_owned(),
            });
        }
        start += text.len() + chunk.invalid().len();
    }
}

/// Line and column of a place that only moves forward.
struct Position {
    line: u64,
    /// Where that line starts in the block.
    line_start: usize,
    /// Up to where line ends were counted.
    counted: usize,
}

impl Position {
    fn advance(&mut self, data: &[u8], to: usize) {
        let passed = data.get(self.counted..to).unwrap_or_default();
        if let Some(last) = memrchr(b'\n', passed) {
            self.line += memchr_iter(b'\n', passed).count() as u64;
            self.line_start = self.counted + last + 1;
        }
        self.counted = to;
    }

    /// The column in characters, from 1. Blocks begin at line starts, save in texts with lines of more than 1 MiB.
    fn column(&self, data: &[u8], to: usize) -> usize {
        String::from_utf8_lossy(data.get(self.line_start..to).unwrap_or_default()).chars().count() + 1
    }
}

fn json(
    out: &mut Vec<u8>,
    file: Option<&str>,
    (finding, reasons): (&Finding, Option<&Reasons>),
    base: u64,
    line: u64,
    column: usize,
) {
    out.push(b'{');
    if let Some(file) = file {
        out.extend_from_slice(b"\"file\":");
        json_string(out, file);
        out.push(b',');
    }
    for (name, value) in [
        ("\"line\":", line),
        (",\"column\":", column as u64),
        (",\"start_byte\":", base + finding.span.start as u64),
        (",\"end_byte\":", base + finding.span.end as u64),
    ] {
        out.extend_from_slice(name.as_bytes());
        integer(out, value);
    }
    ending(out, finding, reasons, |at| base + at as u64);
    out.push(b'\n');
}
