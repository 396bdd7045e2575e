//! The detection bars of the house on the development data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{build_chatward, capture, command, must, shared};
use crate::server::Scratch;
use crate::{data, results};

/// Types with a bar of their own, and whether values carry a check digit that decides what counts.
const TYPES: &[&str] =
    &["EMAIL", "CREDIT_CARD", "IBAN", "US_SSN", "IP_ADDRESS", "URL", "MAC_ADDRESS", "CRYPTO_WALLET"];
/// Fewer gold spans than this: one miss and one false finding are allowed instead.
const FEW: usize = 50;

/// One gold or predicted span: start, end, type.
type Spans = Vec<(u64, u64, String)>;

#[derive(Default)]
struct Tally {
    gold: usize,
    missed: usize,
    found: usize,
    wrong: usize,
    /// Each miss and each false finding, for people.
    faults: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let program = build_chatward()?;
    let scratch = Scratch::new("score")?;
    let (input, predictions) = (scratch.path().join("in.jsonl"), scratch.path().join("pred.jsonl"));
    let documents = write_input(&input)?;
    let mut scan = command(program);
    scan.args(["scan", "--quiet", "--input-format", "jsonl", "--output"]).arg(&predictions).arg(&input);
    must(&mut scan)?;
    let predicted = read_predictions(&predictions)?;

    let mut report = String::from("| bar | figure | wanted | |\n| --- | --: | --: | --- |\n");
    let mut failed = 0;
    let mut row = |bar: &str, figure: String, wanted: &str, good: bool| {
        failed += usize::from(!good);
        let _ =
            writeln!(report, "| {bar} | {figure} | {wanted} | {} |", if good { "pass" } else { "**FAIL**" });
    };
    let tallies = tally(&documents, &predicted);
    for name in TYPES {
        let none = Tally::default();
        let t = tallies.get(*name).unwrap_or(&none);
        let (recall, precision) = (share(t.gold - t.missed, t.gold), share(t.found - t.wrong, t.found));
        if t.gold < FEW {
            let figure = format!("{} missed, {} false of {}", t.missed, t.wrong, t.gold);
            row(name, figure, "≤ 1, ≤ 1", t.missed <= 1 && t.wrong <= 1);
        } else {
            row(
                &format!("{name} recall ({} spans)", t.gold),
                format!("{recall:.4}"),
                "≥ 0.97",
                recall >= 0.97,
            );
            row(&format!("{name} precision"), format!("{precision:.4}"), "≥ 0.97", precision >= 0.97);
        }
    }
    let scorer = scorer(&predictions, &scratch.path().join("score.json"))?;
    let phone = scorer["types"]["PHONE"]["F1"].as_f64().unwrap_or(0.0);
    row("PHONE F1 (scorer, overlap)", format!("{phone:.4}"), "≥ 0.88", phone >= 0.88);
    let (false_findings, characters) = negatives(&documents, &predicted);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = false_findings as f64 * 10_000.0 / characters.max(1) as f64;
    let figure = format!("{rate:.3} ({false_findings} in {characters} characters)");
    row("false findings on *_neg a 10,000 characters", figure, "≤ 1", rate <= 1.0);

    for line in tallies.values().flat_map(|tally| &tally.faults) {
        println!("  {line}");
    }
    println!("\n{report}");
    results::write("detection", "score", &report)?;
    if failed == 0 { Ok(()) } else { bail!("{failed} bars missed") }
}

/// All development documents in one file for `scan`; dialogue turns get no `previous`, as in the scorer's standard run.
pub(crate) fn write_input(input: &Path) -> Result<Vec<Value>> {
    let mut out = BufWriter::new(File::create(input)?);
    let mut all = Vec::new();
    for file in data::files(&[])? {
        for document in data::documents(&file)? {
            let line =
                serde_json::json!({"id": document["id"], "text": document["text"], "lang": document["lang"]});
            writeln!(out, "{line}")?;
            all.push(document);
        }
    }
    out.flush()?;
    Ok(all)
}

fn read_predictions(file: &Path) -> Result<BTreeMap<String, Spans>> {
    let text = std::fs::read_to_string(file)?;
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            Ok((line["id"].as_str().context("a prediction without id")?.to_owned(), spans(&line)))
        })
        .collect()
}

fn spans(document: &Value) -> Spans {
    let span = |s: &Value| Some((s["start"].as_u64()?, s["end"].as_u64()?, s["type"].as_str()?.to_owned()));
    document["spans"].as_array().into_iter().flatten().filter_map(span).collect()
}

/// Misses over gold values whose check digit holds, false findings over all, as the scorer counts them (English and
/// code, without messages that need context).
fn tally(documents: &[Value], predicted: &BTreeMap<String, Spans>) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let nothing = Spans::new();
    for document in documents {
        let lang = document["lang"].as_str().unwrap_or_default();
        if !matches!(lang, "en" | "code") || document["needs_context"].as_bool() == Some(true) {
            continue;
        }
        let text: Vec<char> = document["text"].as_str().unwrap_or_default().chars().collect();
        let gold = spans(document);
        let found = document["id"].as_str().and_then(|id| predicted.get(id)).unwrap_or(&nothing);
        let names = |field: &str| -> BTreeSet<&str> {
            document[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        };
        let (part, mut full) = (names("recall_only"), names("scope"));
        if document.get("scope").is_none() {
            full = TYPES.iter().copied().collect();
        }
        full.retain(|name| !part.contains(name));
        for (start, end, name) in &gold {
            let measured = full.contains(name.as_str()) || part.contains(name.as_str());
            let value: String = text.get(at(*start)..at(*end)).unwrap_or_default().iter().collect();
            if measured && TYPES.contains(&name.as_str()) && is_valid(name, &value) {
                let hit = found.iter().any(|(s, e, n)| n == name && s < end && start < e);
                let tally = tallies.entry(name.clone()).or_default();
                tally.gold += 1;
                if !hit {
                    tally.missed += 1;
                    tally.faults.push(format!("{name} missed: `{value}` in {}", document["text"]));
                }
            }
        }
        for (start, end, name) in found {
            if !TYPES.contains(&name.as_str()) {
                continue;
            }
            let touching = |g: &&(u64, u64, String)| g.0 < *end && *start < g.1;
            let right = gold.iter().filter(touching).any(|g| g.2 == *name);
            // As in the scorer: what touches only regions nobody labelled for this is not counted.
            let other = |g: &(u64, u64, String)| {
                g.2 == "OTHER" || !(full.contains(g.2.as_str()) || part.contains(g.2.as_str()))
            };
            let ignored = gold.iter().filter(touching).count() > 0 && gold.iter().filter(touching).all(other);
            if right || (full.contains(name.as_str()) && !ignored) {
                let tally = tallies.entry(name.clone()).or_default();
                tally.found += 1;
                if !right {
                    tally.wrong += 1;
                    let value: String = text.get(at(*start)..at(*end)).unwrap_or_default().iter().collect();
                    tally.faults.push(format!("{name} false: `{value}` in {}", document["text"]));
                }
            }
        }
    }
    tallies
}

/// Findings of the types with a bar (and phones) in texts that hold none.
fn negatives(documents: &[Value], predicted: &BTreeMap<String, Spans>) -> (usize, usize) {
    let (mut wrong, mut characters) = (0, 0);
    for document in documents.iter().filter(|d| d["source"].as_str().is_some_and(|s| s.ends_with("_neg"))) {
        characters += document["text"].as_str().unwrap_or_default().chars().count();
        let found = document["id"].as_str().and_then(|id| predicted.get(id));
        wrong +=
            found.into_iter().flatten().filter(|s| TYPES.contains(&s.2.as_str()) || s.2 == "PHONE").count();
    }
    (wrong, characters)
}

fn scorer(predictions: &Path, json: &Path) -> Result<Value> {
    let shared = shared()?;
    let mut score = command("python3");
    score.arg(shared.join("tools/score_pii.py")).args([
        "--lang",
        "en,code",
        "--types",
        "structured",
        "--gold",
    ]);
    score.args(data::files(&[])?).arg("--pred").arg(predictions).arg("--json").arg(json);
    println!("{}", capture(&mut score)?);
    Ok(serde_json::from_str(&std::fs::read_to_string(json)?)?)
}

/// Whether the check digit of a gold value holds (its structure, for kinds without one).
pub(crate) fn is_valid(name: &str, value: &str) -> bool {
    match name {
        "CREDIT_CARD" => luhn(value),
        "IBAN" => mod_97(value),
        "US_SSN" => issuable_ssn(value),
        _ => true,
    }
}

/// ISO/IEC 7812-1, annex B, over 12 to 19 digits.
pub(crate) fn luhn(value: &str) -> bool {
    let digits: Vec<u32> = value.chars().filter_map(|c| c.to_digit(10)).collect();
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { d * 2 % 10 + d / 5 } else { *d }).sum();
    (12..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// ISO 7064 mod 97-10 as ISO 13616 uses it.
pub(crate) fn mod_97(value: &str) -> bool {
    let all: Vec<char> = value.chars().filter(char::is_ascii_alphanumeric).collect();
    let Some((head, rest)) = all.split_at_checked(4) else { return false };
    let digits = rest.iter().chain(head).filter_map(|c| c.to_digit(36));
    (15..=34).contains(&all.len())
        && digits.fold(0, |sum, d| if d > 9 { (sum * 100 + d) % 97 } else { (sum * 10 + d) % 97 }) == 1
}

/// No area 000, 666 or 9xx, no group 00, no serial 0000.
pub(crate) fn issuable_ssn(value: &str) -> bool {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let part =
        |range: std::ops::Range<usize>| digits.get(range).and_then(|d| d.parse::<u32>().ok()).unwrap_or(0);
    digits.len() == 9 && !matches!(part(0..3), 0 | 666 | 900..) && part(3..5) != 0 && part(5..9) != 0
}

fn share(part: usize, of: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    if of == 0 { 1.0 } else { part as f64 / of as f64 }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_decide() {
        assert!(luhn("4111 1111 1111 1111") && !luhn("4111 1111 1111 1112") && !luhn("0"));
        assert!(
            mod_97("GB82 WEST 1234 5698 7654 32") && !mod_97("GB82 WEST 1234 5698 7654 33") && !mod_97("GB")
        );
        assert!(issuable_ssn("078-05-1120") && !issuable_ssn("666-12-3456") && !issuable_ssn("123-00-4567"));
    }
}
