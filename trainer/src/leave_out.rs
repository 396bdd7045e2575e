//! Leaving out what stands in scored texts.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::corpus::{Corpus, unpacked};

/// Sentences of fewer words are left out only if they are a whole scored text or a line of one.
const SHORT: usize = 4;

/// Drops every sentence whose normalised text occurs in a scored text; how many.
pub(crate) fn leave_out(corpora: &mut [Corpus], scored: &Path) -> Result<usize> {
    let scored = Scored::read(scored)?;
    let mut left = 0;
    for corpus in corpora {
        let before = corpus.sentences.len();
        corpus.sentences.retain(|sentence| !scored.has(&sentence.text));
        left += before - corpus.sentences.len();
    }
    Ok(left)
}

/// Scored texts: their words one after the other, and where each run of a few begins.
#[derive(Default)]
struct Scored {
    words: Vec<String>,
    runs: HashMap<[String; SHORT], Vec<usize>>,
    lines: HashSet<Vec<String>>,
}

fn normalised(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

impl Scored {
    fn read(folder: &Path) -> Result<Self> {
        let mut scored = Self::default();
        let listed =
            std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut files: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|file| file.to_string_lossy().ends_with(".jsonl.gz"));
        files.sort();
        for file in files {
            for line in unpacked(&file)?.lines() {
                let document: Value = serde_json::from_str(line)?;
                scored.add(document["text"].as_str().unwrap_or_default());
            }
        }
        Ok(scored)
    }

    fn add(&mut self, text: &str) {
        for line in text.lines() {
            self.lines.insert(normalised(line));
        }
        let words = normalised(text);
        let start = self.words.len();
        for (i, run) in words.windows(SHORT).enumerate() {
            if let Ok(run) = <[String; SHORT]>::try_from(run.to_vec()) {
                self.runs.entry(run).or_default().push(start + i);
            }
        }
        self.words.extend(words);
        // No sentence runs over the end of a text.
        self.words.push(String::new());
    }

    fn has(&self, sentence: &str) -> bool {
        let words = normalised(sentence);
        if words.is_empty() {
            return false;
        }
        if self.lines.contains(&words) {
            return true;
        }
        let Some(run) = words.get(..SHORT).and_then(|r| <[String; SHORT]>::try_from(r.to_vec()).ok()) else {
            return false;
        };
        self.runs
            .get(&run)
            .into_iter()
            .flatten()
            .any(|at| self.words.get(*at..at + words.len()).is_some_and(|there| there == words.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_inside_a_scored_text_is_seen_and_a_short_one_only_as_a_line() {
        let mut scored = Scored::default();
        scored.add("Hello! My name is  ANNA, and I moved.\nThank you");
        assert!(scored.has("my name is anna"));
        assert!(scored.has("thank you ."));
        assert!(!scored.has("my name"));
        assert!(!scored.has("my name is bert"));
        assert!(!scored.has("and i moved thank you all"));
    }
}
