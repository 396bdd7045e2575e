//! `calibrate`: from rules' own scores to probabilities, measured on the development data.
//!
//! For each public type a line in log odds is fitted, slope and offset, held to the line that changes nothing as by a few
//! findings that already fit it; for each kind its own offset, held to its type's. So a kind with few findings keeps near its
//! type, and a type with few findings near the rules' own scores. Kinds nobody labelled are left out. What a finding is
//! right about is counted as `score_pii.py` does, with the settings of the bars.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{build_chatward, command, must, root};
use crate::server::Scratch;
use crate::{results, score};

/// Scores nearer to 0 and 1 than this are taken for this near, as the product does.
const EDGE: f64 = 0.001;
/// How firmly a type's slope is held to 1 and its offset to 0, and a kind's offset to its type's: one over the variance.
const HOLD_SLOPE: f64 = 16.0;
const HOLD_OFFSET: f64 = 1.0;
const HOLD_KIND: f64 = 4.0;
/// A kind with fewer findings is not listed.
const FEWEST: usize = 5;
/// Types that a source says it labels and does not: the texts hold such values, none of them labelled (addresses of the range for
/// documentation, plates that are named as plates).
const UNLABELLED: [(&str, &str); 3] =
    [("pl_pii_bench", "IP_ADDRESS"), ("pl_pii_bench", "MAC_ADDRESS"), ("star", "VEHICLE")];
/// Bins of the expected calibration error.
const BINS: usize = 10;

/// One finding that was counted as right or wrong.
struct Sample {
    kind: String,
    family: String,
    /// The rule's own score.
    raw: f64,
    right: bool,
    source: String,
    /// Which half of the documents; a conversation is in one.
    half: usize,
}

#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    offset: f64,
}

/// Lines by kind, with how many findings each was measured on.
type Lines = BTreeMap<String, (Line, usize)>;

pub(crate) fn run() -> Result<()> {
    let samples = samples()?;
    let all: Vec<&Sample> = samples.iter().collect();
    let lines = fit(&all);
    std::fs::write(root().join("models/calibration.toml"), written(&lines))?;
    let report = report(&samples);
    println!("{report}");
    results::write("calibration", "calibrate", &report)
}

/// Every finding in a text where its type is labelled everywhere.
fn samples() -> Result<Vec<Sample>> {
    let program = build_chatward()?;
    let scratch = Scratch::new("calibrate")?;
    let (input, output) = (scratch.path().join("in.jsonl"), scratch.path().join("found.jsonl"));
    let documents = score::write_input(&input)?;
    let mut scan = command(program);
    scan.args(["scan", "--explain", "--quiet", "--input-format", "jsonl", "--output"]);
    must(scan.arg(&output).arg(&input))?;
    let text = std::fs::read_to_string(&output)?;
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for line in text.lines() {
        let mut line: Value = serde_json::from_str(line)?;
        found.insert(line["id"].as_str().context("a line without id")?.to_owned(), line["spans"].take());
    }
    let mut samples = Vec::new();
    for document in &documents {
        if document["needs_context"].as_bool() == Some(true) {
            continue;
        }
        let id = document["id"].as_str().unwrap_or_default();
        let group =
            if document["turn"].is_null() { id } else { id.rsplit_once('-').map_or(id, |(head, _)| head) };
        let half = usize::from(
            group
                .bytes()
                .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
                >> 40
                & 1
                == 1,
        );
        for span in found.get(id).and_then(Value::as_array).into_iter().flatten() {
            let name = span["type"].as_str().unwrap_or_default();
            let Some(right) = right(document, span, name) else { continue };
            samples.push(Sample {
                kind: span["kind"].as_str().unwrap_or_default().to_owned(),
                family: one_place(name).to_owned(),
                raw: span["explain"]["raw"].as_f64().context("a finding without its own score")?,
                right,
                source: document["source"].as_str().unwrap_or_default().to_owned(),
                half,
            });
        }
    }
    Ok(samples)
}

/// Addresses and places are one type, as in the bars.
fn one_place(name: &str) -> &str {
    if name == "ADDRESS" { "LOCATION" } else { name }
}

/// Whether a finding of this type is right, as the scorer counts; nothing where it does not count.
fn right(document: &Value, span: &Value, name: &str) -> Option<bool> {
    let names = |field: &str| -> BTreeSet<&str> {
        document[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let (full, part) = (names("scope"), names("recall_only"));
    let source = document["source"].as_str().unwrap_or_default();
    if !full.contains(name) || part.contains(name) || UNLABELLED.contains(&(source, name)) {
        return None;
    }
    let (start, end) = (span["start"].as_u64()?, span["end"].as_u64()?);
    let touched = document["spans"].as_array().into_iter().flatten().filter(|gold| {
        gold["start"].as_u64().is_some_and(|s| s < end) && gold["end"].as_u64().is_some_and(|e| start < e)
    });
    let touched: Vec<&str> = touched.filter_map(|gold| gold["type"].as_str()).collect();
    if touched.iter().any(|gold| one_place(gold) == one_place(name)) {
        return Some(true);
    }
    // What touches only regions nobody labelled for this is not counted.
    let labelled = |gold: &&str| *gold != "OTHER" && (full.contains(gold) || part.contains(gold));
    (touched.is_empty() || touched.iter().any(labelled)).then_some(false)
}

fn logit(score: f64) -> f64 {
    let score = score.clamp(EDGE, 1.0 - EDGE);
    (score / (1.0 - score)).ln()
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// The lines of these findings.
fn fit(samples: &[&Sample]) -> Lines {
    let mut families: BTreeMap<&str, BTreeMap<&str, Vec<&Sample>>> = BTreeMap::new();
    for sample in samples {
        families.entry(&sample.family).or_default().entry(&sample.kind).or_default().push(sample);
    }
    let mut lines = Lines::new();
    for kinds in families.values() {
        let all: Vec<&Sample> = kinds.values().flatten().copied().collect();
        let family = line(&all);
        for (kind, of) in kinds.iter().filter(|(_, of)| of.len() >= FEWEST) {
            let offset = offset(of, family);
            // A kind belongs to one type; if ever not, the larger part decides.
            let entry = lines.entry((*kind).to_owned()).or_insert((family, 0));
            if of.len() > entry.1 {
                *entry = (Line { slope: family.slope, offset }, of.len());
            }
        }
    }
    lines
}

/// Slope and offset of a type: Newton's method on the likelihood, held to the line that changes nothing.
fn line(samples: &[&Sample]) -> Line {
    let mut line = Line { slope: 1.0, offset: 0.0 };
    for _ in 0..100 {
        let (mut g, mut h) =
            ([HOLD_SLOPE * (line.slope - 1.0), HOLD_OFFSET * line.offset], [HOLD_SLOPE, 0.0, HOLD_OFFSET]);
        for sample in samples {
            let x = logit(sample.raw);
            let p = logistic(line.slope * x + line.offset);
            let (error, weight) = (p - f64::from(u8::from(sample.right)), p * (1.0 - p));
            g = [g[0] + error * x, g[1] + error];
            h = [h[0] + weight * x * x, h[1] + weight * x, h[2] + weight];
        }
        let det = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / det, (h[0] * g[1] - h[1] * g[0]) / det];
        // Small steps, so that nothing runs away where all are right.
        line.slope = (line.slope - step[0].clamp(-0.5, 0.5)).max(0.05);
        line.offset -= step[1].clamp(-0.5, 0.5);
    }
    line
}

/// The offset of a kind, held to its type's.
fn offset(samples: &[&Sample], family: Line) -> f64 {
    let mut offset = family.offset;
    for _ in 0..100 {
        let (mut g, mut h) = (HOLD_KIND * (offset - family.offset), HOLD_KIND);
        for sample in samples {
            let p = logistic(family.slope * logit(sample.raw) + offset);
            g += p - f64::from(u8::from(sample.right));
            h += p * (1.0 - p);
        }
        offset -= (g / h).clamp(-0.5, 0.5);
    }
    offset
}

fn probability(lines: &Lines, sample: &Sample) -> f64 {
    let Some((line, _)) = lines.get(&sample.kind) else { return sample.raw };
    logistic(line.slope * logit(sample.raw) + line.offset)
}

fn written(lines: &Lines) -> String {
    let mut text = String::from(
        "# Made by `cargo xtask calibrate`: by kind the slope, the offset and the findings they were measured on.\n\
         # probability = logistic(slope * logit(own score) + offset)\n\n[kinds]\n",
    );
    for (kind, (line, findings)) in lines {
        let _ = writeln!(text, "{kind} = [{:.3}, {:.3}, {findings}]", line.slope, line.offset);
    }
    text
}

/// How well probabilities fit what was right: mean squared error, and the mean distance between what was said and what came
/// true over bins.
#[derive(Default)]
struct Fit {
    count: f64,
    squares: f64,
    said: f64,
    right: f64,
    bins: [(f64, f64); BINS],
}

impl Fit {
    fn add(&mut self, p: f64, right: bool) {
        let right = f64::from(u8::from(right));
        self.count += 1.0;
        self.squares += (p - right) * (p - right);
        self.said += p;
        self.right += right;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
        let bin = ((p * 10.0) as usize).min(BINS - 1);
        if let Some((said, came)) = self.bins.get_mut(bin) {
            *said += p;
            *came += right;
        }
    }

    fn brier(&self) -> f64 {
        self.squares / self.count.max(1.0)
    }

    fn error(&self) -> f64 {
        self.bins.iter().map(|(said, came)| (said - came).abs()).sum::<f64>() / self.count.max(1.0)
    }
}

/// Before and after, each finding judged by lines that did not see it.
fn report(samples: &[Sample]) -> String {
    let halves = [0, 1].map(|half| fit(&samples.iter().filter(|s| s.half != half).collect::<Vec<_>>()));
    let by_half = |s: &Sample| halves.get(s.half).map_or(s.raw, |lines| probability(lines, s));
    let sources: BTreeSet<&str> = samples.iter().map(|s| s.source.as_str()).collect();
    let without: BTreeMap<&str, Lines> = sources
        .into_iter()
        .map(|source| (source, fit(&samples.iter().filter(|s| s.source != source).collect::<Vec<_>>())))
        .collect();
    let by_source = |s: &Sample| without.get(s.source.as_str()).map_or(s.raw, |lines| probability(lines, s));

    let mut text = String::from(
        "Lines fitted on the other half of the documents (no conversation is in both), and on all other sources:\n\n\
         | findings of | number | right | own score | probability | Brier before | after | error before | after | after, other sources |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    let mut families: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        families.entry(&sample.family).or_default().push(sample);
    }
    let all: Vec<&Sample> = samples.iter().collect();
    let mut rows: Vec<(&str, &Vec<&Sample>)> = vec![("all", &all)];
    rows.extend(families.iter().map(|(family, of)| (*family, of)));
    for (name, of) in rows {
        let (mut before, mut after, mut other) = (Fit::default(), Fit::default(), Fit::default());
        for sample in of {
            before.add(sample.raw, sample.right);
            after.add(by_half(sample), sample.right);
            other.add(by_source(sample), sample.right);
        }
        let n = before.count.max(1.0);
        let _ = writeln!(
            text,
            "| {name} | {n} | {:.3} | {:.3} | {:.3} | {:.4} | {:.4} | {:.3} | {:.3} | {:.3} |",
            before.right / n,
            before.said / n,
            after.said / n,
            before.brier(),
            after.brier(),
            before.error(),
            after.error(),
            other.error(),
        );
    }
    let (mut before, mut after) = (Fit::default(), Fit::default());
    for sample in samples {
        before.add(sample.raw, sample.right);
        after.add(by_half(sample), sample.right);
    }
    text.push_str("\n| said | came true, own score | findings | came true, probability | findings |\n| --- | --: | --: | --: | --: |\n");
    let count = |p: &dyn Fn(&Sample) -> f64, bin: usize| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10")]
        let inside = |s: &&Sample| ((p(s) * 10.0) as usize).min(BINS - 1) == bin;
        samples.iter().filter(inside).count()
    };
    for bin in 0..BINS {
        let numbers = [count(&|s| s.raw, bin), count(&by_half, bin)];
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let share = |fit: &Fit, n: usize| match fit.bins.get(bin) {
            Some((_, came)) if n > 0 => format!("{:.3}", came / n as f64),
            _ => "-".to_owned(),
        };
        let (low, high) = (bin, bin + 1);
        let _ = writeln!(
            text,
            "| 0.{low}–{}.{} | {} | {} | {} | {} |",
            high / 10,
            high % 10,
            share(&before, numbers[0]),
            numbers[0],
            share(&after, numbers[1]),
            numbers[1]
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: &str, raw: f64, right: bool) -> Sample {
        Sample { kind: kind.into(), family: "T".into(), raw, right, source: String::new(), half: 0 }
    }

    #[test]
    fn many_findings_decide_and_few_hardly_count() {
        let many: Vec<Sample> = (0..2000).map(|n| sample("many", 0.6, n % 10 != 0)).collect();
        let few: Vec<Sample> = (0..10).map(|_| sample("few", 0.6, false)).collect();
        let lines = fit(&many.iter().chain(&few).collect::<Vec<_>>());
        assert!((probability(&lines, &many[0]) - 0.9).abs() < 0.01);
        let few = probability(&lines, &few[0]);
        assert!((0.2..0.85).contains(&few), "{few}");
        assert_eq!(probability(&lines, &sample("unseen", 0.37, true)), 0.37);
    }

    #[test]
    fn the_order_stays_whatever_came_true() {
        let turned: Vec<Sample> =
            (0..500).map(|n| sample("x", if n % 2 == 0 { 0.9 } else { 0.4 }, n % 2 == 1)).collect();
        let lines = fit(&turned.iter().collect::<Vec<_>>());
        assert!(lines["x"].0.slope > 0.0);
    }

    #[test]
    fn only_labelled_regions_count() {
        let document = serde_json::json!({
            "scope": ["EMAIL", "PHONE", "ADDRESS"], "recall_only": ["PERSON"],
            "spans": [{"start": 0, "end": 5, "type": "EMAIL"}, {"start": 10, "end": 15, "type": "OTHER"},
                      {"start": 20, "end": 25, "type": "ADDRESS"}]
        });
        let of = |start: u64, end: u64, family: &str| {
            right(&document, &serde_json::json!({"start": start, "end": end}), family)
        };
        assert_eq!(of(3, 8, "EMAIL"), Some(true));
        assert_eq!(of(3, 8, "PHONE"), Some(false));
        assert_eq!(of(6, 8, "PHONE"), Some(false));
        assert_eq!(of(11, 12, "PHONE"), None);
        assert_eq!(of(6, 8, "PERSON"), None);
        assert_eq!(of(6, 8, "IBAN"), None);
        assert_eq!(of(21, 22, "ADDRESS"), Some(true));
        // Places are not labelled here: a place is not counted, right or wrong.
        assert_eq!(of(21, 22, "LOCATION"), None);
    }

    #[test]
    fn the_error_is_the_distance_between_said_and_came_true() {
        let mut fit = Fit::default();
        for n in 0..10 {
            fit.add(0.85, n < 6);
        }
        assert!((fit.error() - 0.25).abs() < 1e-9);
        assert!((fit.brier() - (0.6 * 0.0225 + 0.4 * 0.7225)).abs() < 1e-9);
    }
}
