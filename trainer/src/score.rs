//! How much was learnt, on sentences that were not learnt from.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use chatward_detect::tagger::Asked;
use chatward_detect::tagger::training::{Tagger, What};

use crate::corpus::{Corpus, Sentence, TYPES};

#[derive(Default, Clone, Copy)]
struct Tally {
    gold: usize,
    found: usize,
    right: usize,
}

impl Tally {
    /// Harmonic mean of precision and recall, in hundredths.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn f1(self) -> String {
        let all = self.gold + self.found;
        if self.gold == 0 { "-".into() } else { format!("{:.1}", 200.0 * self.right as f64 / all as f64) }
    }
}

/// A table for people: exact spans, F1 by type, as written and in lower case. What was held back is scored, and all of the
/// corpus that was left out.
pub(crate) fn report(tagger: &Tagger, corpora: &[Corpus], whole: Option<&str>) -> String {
    let mut out = String::from("| corpus | sentences | PER | LOC | ORG | ADDR | all | lower case |\n");
    out.push_str("| --- | --: | --: | --: | --: | --: | --: | --: |\n");
    let mut sums = [[Tally::default(); 5]; 2];
    for corpus in corpora {
        let all = whole.is_some_and(|whole| corpus.name.starts_with(whole));
        let held: Vec<&Sentence> = corpus.sentences.iter().filter(|s| all || s.held).collect();
        let mut tallies = [[Tally::default(); 5]; 2];
        for sentence in &held {
            count(tagger, sentence, &mut tallies[0]);
            let lower = Sentence { text: sentence.text.to_lowercase(), ..(*sentence).clone() };
            if lower.text.len() == sentence.text.len() {
                count(tagger, &lower, &mut tallies[1]);
            }
        }
        for (sums, tallies) in sums.iter_mut().zip(&tallies) {
            for (sum, tally) in sums.iter_mut().zip(tallies) {
                sum.gold += tally.gold;
                sum.found += tally.found;
                sum.right += tally.right;
            }
        }
        row(&mut out, corpus.name, held.len(), &tallies);
    }
    row(&mut out, "all", 0, &sums);
    out
}

/// The same counts for programs: for each corpus what was there, what was found and what of it was right, over the
/// four types that are reported.
pub(crate) fn counts(tagger: &Tagger, corpora: &[Corpus], file: &Path) -> Result<()> {
    let mut all = serde_json::Map::new();
    for corpus in corpora {
        let mut tallies = [Tally::default(); 5];
        corpus.sentences.iter().filter(|s| s.held).for_each(|s| count(tagger, s, &mut tallies));
        let sum = |of: fn(&Tally) -> usize| tallies.iter().take(4).map(of).sum::<usize>();
        let counts = serde_json::json!({
            "sentences": corpus.sentences.len(),
            "gold": sum(|t| t.gold), "found": sum(|t| t.found), "right": sum(|t| t.right),
        });
        all.insert(corpus.name.to_owned(), counts);
    }
    let text = serde_json::Value::Object(all).to_string();
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn row(out: &mut String, name: &str, count: usize, tallies: &[[Tally; 5]; 2]) {
    let total = |of: &[Tally; 5]| {
        of.iter().take(4).fold(Tally::default(), |sum, t| Tally {
            gold: sum.gold + t.gold,
            found: sum.found + t.found,
            right: sum.right + t.right,
        })
    };
    let types: Vec<String> = tallies[0].iter().take(4).map(|t| t.f1()).collect();
    let (all, lower) = (total(&tallies[0]).f1(), total(&tallies[1]).f1());
    let _ = writeln!(out, "| {name} | {count} | {} | {all} | {lower} |", types.join(" | "));
}

fn count(tagger: &Tagger, sentence: &Sentence, tallies: &mut [Tally; 5]) {
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    for (what, start, end, _) in tagger.find(&sentence.text, Asked::Nothing) {
        let kind = match what {
            What::Person => 0,
            What::Place => 1,
            What::Firm => 2,
            What::Address | What::Postcode => 3,
        };
        found.push((start, end, kind));
    }
    for (kind, tally) in tallies.iter_mut().enumerate().take(TYPES.len()) {
        tally.gold += sentence.spans.iter().filter(|s| s.2 == kind).count();
        tally.found += found.iter().filter(|s| s.2 == kind).count();
        tally.right += found.iter().filter(|s| s.2 == kind && sentence.spans.contains(s)).count();
    }
}
