//! `cross-validate`: what the tagger is worth on texts of a kind it never saw.
//!
//! One sentence in eight of every corpus is held back from all models. A model of all corpora says what is reached there
//! when the rest of the corpus was learnt from; one model for each larger corpus, without any of it, says what is left.
//! Each model that was made is noted under `target/cross-validation` with what it was made by, so that a stopped run goes on;
//! the table is written after each.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::{capture, command, target};
use crate::{results, train};

/// One sentence in so many is held back.
const HELD: usize = 8;
/// A corpus is larger from so many sentences on.
const LARGER: u64 = 5000;

#[derive(Default, Clone, Copy)]
struct Counts {
    sentences: u64,
    gold: u64,
    found: u64,
    right: u64,
}

impl Counts {
    /// Of all corpora whose name begins so.
    fn of(scores: &Value, corpus: &str) -> Self {
        let mut sum = Self::default();
        for (_, counts) in scores.as_object().into_iter().flatten().filter(|(name, _)| is_of(name, corpus)) {
            let count = |what: &str| counts[what].as_u64().unwrap_or_default();
            sum.sentences += count("sentences");
            sum.gold += count("gold");
            sum.found += count("found");
            sum.right += count("right");
        }
        sum
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn f1(self) -> f64 {
        200.0 * self.right as f64 / (self.gold + self.found).max(1) as f64
    }
}

pub(crate) fn run(passes: u32) -> Result<()> {
    let all = counts(None, passes)?;
    let mut corpora: Vec<&str> = Vec::new();
    for name in all.as_object().context("no counts")?.keys() {
        // Files of several languages are one corpus.
        let corpus = name.split('.').next().unwrap_or_default();
        if !corpora.contains(&corpus) && Counts::of(&all, corpus).sentences >= LARGER {
            corpora.push(corpus);
        }
    }
    let mut text = String::from(
        "| corpus | sentences | names scored | F1 with it | F1 without it | drop |\n\
         | --- | --: | --: | --: | --: | --: |\n",
    );
    let (mut with, mut without) = (Counts::default(), Counts::default());
    for (number, corpus) in corpora.iter().enumerate() {
        let (one, other) = (Counts::of(&all, corpus), Counts::of(&counts(Some(corpus), passes)?, corpus));
        row(&mut text, corpus, one, other);
        for (sum, counts) in [(&mut with, one), (&mut without, other)] {
            sum.sentences += counts.sentences;
            sum.gold += counts.gold;
            sum.found += counts.found;
            sum.right += counts.right;
        }
        let left = corpora.get(number + 1..).unwrap_or_default();
        write(&text, with, without, left, passes)?;
    }
    Ok(())
}

/// The table so far; `left` was not measured yet.
fn write(rows: &str, with: Counts, without: Counts, left: &[&str], passes: u32) -> Result<()> {
    let mut text = rows.to_owned();
    row(&mut text, "all of these", with, without);
    if !left.is_empty() {
        let _ = writeln!(text, "\n**Not run yet**: {}.", left.join(", "));
    }
    let _ = writeln!(
        text,
        "\nExact spans of people, places, organisations and addresses in the sentences held back (one in {HELD}), F1 in \
         hundredths; {passes} passes a model. \"Without it\": not a sentence of that corpus was learnt from, nor any word \
         counted in it. Guidelines differ (handles, titles, what an address is), so part of a drop is another opinion."
    );
    println!("\n{text}");
    results::write("cross-validation", &format!("cross-validate --passes {passes}"), &text)
}

fn row(text: &mut String, corpus: &str, with: Counts, without: Counts) {
    let (one, other) = (with.f1(), without.f1());
    let (sentences, gold) = (with.sentences, with.gold);
    let _ =
        writeln!(text, "| {corpus} | {sentences} | {gold} | {one:.1} | {other:.1} | {:.1} |", one - other);
}

/// What a model without this corpus (or of all) finds in what was held back; noted, or made now.
fn counts(without: Option<&str>, passes: u32) -> Result<Value> {
    let folder = target().join("cross-validation");
    let name = without.unwrap_or("all");
    let note = folder.join(format!("{name}.json"));
    // What is in these folders decides what a model is.
    let trees = ["HEAD:trainer", "HEAD:crates/detect/src/tagger"];
    let made_by = capture(command("git").arg("rev-parse").args(trees))?.trim().replace('\n', " ");
    if let Some(noted) = noted(&note).filter(|n| n["made_by"] == made_by && n["passes"] == passes) {
        return Ok(noted["counts"].clone());
    }
    println!("-- {name}");
    let (model, counts) = (folder.join("model"), folder.join("counts.json"));
    std::fs::create_dir_all(&model)?;
    let mut wishes = vec!["--passes".to_owned(), passes.to_string(), "--held".into(), HELD.to_string()];
    wishes.extend(["--counts".into(), counts.to_string_lossy().into_owned()]);
    wishes.extend(without.into_iter().flat_map(|corpus| ["--without".to_owned(), format!("{corpus}.")]));
    train::into(&model, &wishes)?;
    let counts: Value = serde_json::from_str(&std::fs::read_to_string(&counts)?)?;
    let noting = json!({ "made_by": made_by, "passes": passes, "counts": counts });
    std::fs::write(note, noting.to_string())?;
    Ok(counts)
}

fn noted(note: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(note).ok()?).ok()
}

fn is_of(name: &str, corpus: &str) -> bool {
    name.split('.').next() == Some(corpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_languages_of_a_corpus_are_counted_together() {
        let counts = |gold: u64| json!({ "sentences": 10, "gold": gold, "found": 3, "right": 2 });
        let scores = json!({ "a.de": counts(3), "a.fr": counts(1), "ab.de": counts(50) });
        let sum = Counts::of(&scores, "a");
        assert_eq!((sum.sentences, sum.gold, sum.found, sum.right), (20, 4, 6, 4));
        assert!((sum.f1() - 80.0).abs() < 1e-9);
    }
}
