//! What people and programs are told: findings in writing, problems, progress, the summary. Never a value that was found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use chatward_message::Finding;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Mode;
use super::input::Inputs;
use super::journal::FileResult;
use super::pipeline::Work;
use crate::explain::Reasons;

/// So many problems are named; the rest are only counted.
const NAMED_PROBLEMS: u64 = 20;

/// Something in an input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// Line, or record of a CSV file, from 1; 0 for the whole file.
    pub(super) line: u64,
    /// What is wrong with it, without its words.
    pub(super) what: String,
}

/// What was found, by public type and own kind.
pub(super) type Counts = BTreeMap<(String, String), u64>;

/// Speaks to whoever started the program, on stderr.
pub(super) struct Reporter {
    quiet: bool,
    bar: ProgressBar,
    problems: u64,
    binary: u64,
    documents: u64,
    bytes: u64,
    files: u64,
    counts: Counts,
    /// Messages and findings by language.
    languages: BTreeMap<String, (u64, u64)>,
}

impl Reporter {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::hidden();
        let (counts, languages) = (Counts::new(), BTreeMap::new());
        Self { quiet, bar, problems: 0, binary: 0, documents: 0, bytes: 0, files: 0, counts, languages }
    }

    /// Shows the bar, on a terminal.
    pub(super) fn start(&mut self, inputs: &Inputs) {
        if self.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let known = inputs.sources.iter().all(|s| s.path.is_some());
        let form = "{wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}";
        let open_form = "{spinner} {bytes}  {bytes_per_sec}  {msg}";
        self.bar = if known { ProgressBar::new(inputs.bytes()) } else { ProgressBar::new_spinner() };
        self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template(if known { form } else { open_form }) {
            self.bar.set_style(style);
        }
    }

    /// A line for people, beside the bar.
    pub(super) fn note(&self, what: &str) {
        self.bar.suspend(|| {
            // Nobody is left to tell if even stderr is gone.
            let _ = writeln!(std::io::stderr(), "chatward: {what}");
        });
    }

    /// Something could not be read: said, counted, and the work goes on.
    pub(super) fn problem(&mut self, place: &str, what: &str) {
        self.problems += 1;
        if self.problems <= NAMED_PROBLEMS {
            self.note(&format!("{place}: {what}"));
        } else if self.problems == NAMED_PROBLEMS + 1 {
            self.note("more of these: only counted from here on");
        }
    }

    pub(super) fn skipped_binary(&mut self) {
        self.binary += 1;
    }

    /// Takes over what a batch came to.
    pub(super) fn batch(&mut self, file: &str, bytes: u64, work: &mut Work) {
        self.bytes += bytes;
        self.documents += work.documents;
        self.bar.inc(bytes);
        for Problem { line, what } in work.problems.drain(..) {
            if line == 0 { self.problem(file, &what) } else { self.problem(&format!("{file}:{line}"), &what) }
        }
    }

    /// Takes over a whole file: its findings, from this run or from the journal of an earlier one.
    pub(super) fn file(&mut self, result: &FileResult) {
        self.files += 1;
        for (kind, n) in result.counts() {
            *self.counts.entry(kind).or_default() += n;
        }
        for (language, messages, findings) in &result.languages {
            let of = self.languages.entry(language.clone()).or_default();
            *of = (of.0 + messages, of.1 + findings);
        }
    }

    /// A file that an earlier run finished.
    pub(super) fn skipped(&mut self, bytes: u64, result: &FileResult) {
        self.bar.inc(bytes);
        self.documents += result.documents;
        self.problems += result.problems;
        self.file(result);
    }

    pub(super) fn problems(&self) -> u64 {
        self.problems
    }

    pub(super) fn findings(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Counts per kind, most frequent first, and how fast it went.
    pub(super) fn summary(&self, took: Duration, mode: Mode) {
        self.bar.finish_and_clear();
        if !self.quiet {
            let _ = std::io::stderr().write_all(self.summary_text(took, mode).as_bytes());
        }
    }

    fn summary_text(&self, took: Duration, mode: Mode) -> String {
        let seconds = took.as_secs_f64().max(1e-9);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let megabytes = self.bytes as f64 / 1e6;
        let done = if mode == Mode::Redact { "replaced" } else { "found" };
        let mut text = format!(
            "{} documents in {} files, {megabytes:.1} MB in {seconds:.1} s ({:.1} MB/s): {} {done}\n",
            grouped(self.documents),
            grouped(self.files),
            megabytes / seconds,
            grouped(self.findings()),
        );
        let mut kinds: Vec<_> = self.counts.iter().collect();
        kinds.sort_by_key(|(kind, n)| (std::cmp::Reverse(**n), (*kind).clone()));
        for ((entity, kind), n) in kinds {
            let _ = writeln!(text, "  {:>12}  {entity:<16} {kind}", grouped(*n));
        }
        if !self.languages.is_empty() {
            let _ = writeln!(text, "  {:<12}  {:>12}  {:>12}", "language", "messages", done);
        }
        let mut languages: Vec<_> = self.languages.iter().collect();
        languages
            .sort_by_key(|(language, (messages, _))| (std::cmp::Reverse(*messages), (*language).clone()));
        for (language, (messages, findings)) in languages {
            let _ =
                writeln!(text, "  {language:<12}  {:>12}  {:>12}", grouped(*messages), grouped(*findings));
        }
        if self.binary > 0 {
            let _ = writeln!(text, "  {} binary files in folders were left out", grouped(self.binary));
        }
        if self.problems > 0 {
            let _ = writeln!(text, "  {} lines, records or files could not be read", grouped(self.problems));
        }
        text
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + 6);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `[{"start","end","type","score","kind"},…]`, offsets in code points of `text`. They are counted only here, where
/// there is something to place.
pub(super) fn spans(out: &mut Vec<u8>, text: &str, found: &[Finding], reasons: Option<&Reasons>) {
    out.push(b'[');
    let (mut byte, mut point) = (0, 0);
    for (i, finding) in found.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        let mut points_to = |to: usize| {
            point += text.get(byte..to).map_or(0, |t| t.chars().count());
            byte = to;
            point as u64
        };
        out.extend_from_slice(b"{\"start\":");
        integer(out, points_to(finding.span.start));
        out.extend_from_slice(b",\"end\":");
        integer(out, points_to(finding.span.end));
        let points = |at: usize| text.get(..at).map_or(0, |t| t.chars().count() as u64);
        ending(out, finding, reasons, points);
    }
    out.push(b']');
}

/// `,"type":…,"score":…,"kind":…[,"explain":…]}`: how every finding's object ends. `place` says where a byte of the text is,
/// in the measure of the output.
pub(super) fn ending(
    out: &mut Vec<u8>,
    finding: &Finding,
    reasons: Option<&Reasons>,
    place: impl Fn(usize) -> u64,
) {
    out.extend_from_slice(b",\"type\":");
    json_string(out, &finding.rule.entity);
    out.extend_from_slice(b",\"score\":");
    score(out, finding.score);
    out.extend_from_slice(b",\"kind\":");
    json_string(out, finding.rule.kind.as_str());
    if let Some(reasons) = reasons {
        out.extend_from_slice(b",\"explain\":");
        out.extend_from_slice(reasons.json(finding, place).to_string().as_bytes());
    }
    out.push(b'}');
}

/// A score with two digits after the point.
fn score(out: &mut Vec<u8>, score: f32) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held between 0 and 100")]
    let percent = (score * 100.0).round().clamp(0.0, 100.0) as u8;
    let digit = |n: u8| b'0' + n % 10;
    out.extend_from_slice(&[digit(percent / 100), b'.', digit(percent / 10), digit(percent)]);
}

/// A line of the table.
pub(super) fn table_row(out: &mut Vec<u8>, place: &str, finding: &Finding, reasons: Option<&Reasons>) {
    let rule = &finding.rule;
    let row = format!("{place:<32} {:<16} {:<24} {:.2}\n", rule.entity, rule.kind.as_str(), finding.score);
    out.extend_from_slice(row.as_bytes());
    for line in reasons.into_iter().flat_map(|reasons| reasons.lines(finding)) {
        out.extend_from_slice(format!("    {line}\n").as_bytes());
    }
}

/// A whole number, without going through `fmt`.
pub(super) fn integer(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (n % 10) as u8;
        n /= 10;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// A JSON string. Names of types and files hardly ever need an escape.
pub(super) fn json_string(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(out, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_by_language() {
        let mut reporter = Reporter::new(false);
        for (language, messages, findings) in
            [("en", 1200, 7), ("unclear", 3, 0), ("en", 34, 1), ("pl", 20, 9)]
        {
            let mut file = FileResult::default();
            file.count_language(language, messages, findings);
            reporter.file(&file);
        }
        let text = reporter.summary_text(Duration::from_secs(1), Mode::Redact);
        let rows: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            rows,
            [
                ["language", "messages", "replaced"],
                ["en", "1,234", "8"],
                ["pl", "20", "9"],
                ["unclear", "3", "0"]
            ]
        );
    }

    #[test]
    fn numbers_are_written_as_fmt_writes_them() {
        for n in [0, 7, 10, 999, 1_000, 18_446_744_073_709_551_615] {
            let mut out = Vec::new();
            integer(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(123), "123");
        for (n, text) in [(0.0, "0.00"), (0.857, "0.86"), (1.0, "1.00"), (f32::NAN, "0.00")] {
            let mut out = Vec::new();
            score(&mut out, n);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
