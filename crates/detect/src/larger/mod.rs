//! A larger model that reads along.
//!
//! [`Reader`] is any model that says of stretches of a text what they are. What it finds is added to what the rules and the
//! tagger found and takes nothing of it away: where the two overlap, theirs stays and only what is left beside it becomes a
//! finding of the model. Each kind that the house asks for is a rule of its own (`model-person-name`), so that thresholds, allow
//! lists, `disabled`, handling and `explain` hold for it. It reads whole texts only; a [`Window`](crate::Window) is watched by
//! rules and tagger alone. What could not be read, because time ran out or the model failed, is said with the result: the
//! findings of rules and tagger stand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chatward_message::{Evidence, Finding, Kind, RuleInfo, Span};

use crate::engine::Core;
use crate::explain::{Because, By, Explained, Outcome, Why};
use crate::rule::Rule;
use crate::{RulesError, normal, tagger};

#[cfg(feature = "onnx")]
mod onnx;
pub mod second;

#[cfg(feature = "onnx")]
pub use onnx::{Embedder, Head, HeadLabel, Onnx, OnnxError, OnnxFiles, OnnxOptions, OnnxWhole, Probe, Sort};

/// How the ids of its rules begin.
const PREFIX: &str = "model-";
/// What may stand between two parts of one value, in bytes at most.
const GAP: usize = 3;

/// Reads texts and says what stands where.
pub trait Reader: Send + Sync + fmt::Debug {
    /// The labels it gives, without the letter that says whether a stretch begins or goes on: `GIVEN_NAME`.
    fn labels(&self) -> &[Box<str>];

    /// SHA-256 over all that makes it what it is.
    fn hash(&self) -> [u8; 32];

    /// Reads the texts, the first ones first, for as long as `go_on` says so. One result for each text.
    fn read(&self, texts: &[&str], go_on: &dyn Fn() -> bool) -> Vec<Read>;
}

/// What came of reading a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// What stands in it, as far as it was read.
    pub mentions: Vec<Mention>,
    /// Why it was not read to its end; nothing if it was.
    pub unread: Option<Unread>,
}

impl Read {
    /// Nothing was read, because the reader failed.
    pub fn failed(cause: impl Into<Box<str>>) -> Self {
        Self { mentions: Vec::new(), unread: Some(Unread::Failed(cause.into())) }
    }
}

/// A stretch of a text that a [`Reader`] knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mention {
    /// Where, in bytes.
    pub span: Span,
    /// What, as an index into [`Reader::labels`].
    pub label: usize,
    /// How sure: 0 to 1.
    pub score: f32,
}

/// Why a text was not read, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Time ran out.
    #[error("time ran out")]
    Late,
    /// The model failed. The cause has no words of the text.
    #[error("the model failed: {0}")]
    Failed(Box<str>),
}

/// A reader, and what the house wants of it.
#[derive(Debug, Clone)]
pub struct Larger {
    /// Who reads.
    pub reader: Arc<dyn Reader>,
    /// Which kind each label stands for, with or without the letter before it (`B-GIVEN_NAME`); a label that is not named is
    /// ignored. Each must be a kind of some rule.
    pub kinds: BTreeMap<String, String>,
    /// Score from which something is reported.
    pub threshold: f32,
}

/// A label without the letter that says whether a stretch begins or goes on.
pub fn bare_label(label: &str) -> &str {
    match label.split_once('-') {
        Some(("B" | "I" | "E" | "S" | "L" | "U" | "M", bare)) => bare,
        _ => label,
    }
}

impl Larger {
    /// The rules by which its findings are reported, one a kind.
    pub(crate) fn rules(&self, known: &[Rule]) -> Result<Vec<Rule>, RulesError> {
        let mut made: Vec<Rule> = Vec::new();
        // What the tagger finds is known also where the tagger is left out.
        let taught: Vec<Rule> = tagger::rules().collect();
        for (label, kind) in &self.kinds {
            let wrong = |what: String| RulesError::Label { label: label.as_str().into(), what: what.into() };
            if !self.reader.labels().iter().any(|l| **l == *bare_label(label)) {
                let all = self.reader.labels().join(", ");
                return Err(wrong(format!("the model has no such label; it has {all}")));
            }
            let id = id_of(kind);
            if made.iter().any(|rule| rule.info.id == id) {
                continue;
            }
            let Some(like) = known.iter().chain(&taught).find(|rule| rule.info.kind.as_str() == kind) else {
                return Err(wrong(format!("no recogniser finds a kind `{kind}`")));
            };
            if known.iter().any(|rule| rule.info.id == id) {
                return Err(wrong(format!("a recogniser has the id {id}, which the model needs")));
            }
            let info = RuleInfo { id, kind: Kind::new(kind), ..RuleInfo::clone(&like.info) };
            made.push(Rule::bare(Arc::new(info), self.threshold));
        }
        Ok(made)
    }

    /// What names it in the hash of a rule set: the model and what is wanted of it.
    pub(crate) fn name(&self) -> Vec<u8> {
        let mut name = self.reader.hash().to_vec();
        name.extend_from_slice(format!("{:?} {:?}", self.kinds, self.threshold).as_bytes());
        name
    }
}

/// Whether an id is that of a rule by which a larger model reports.
pub fn is_of_larger(id: &str) -> bool {
    id.starts_with(PREFIX)
}

fn id_of(kind: &str) -> Box<str> {
    format!("{PREFIX}{}", kind.replace('_', "-")).into()
}

/// The reader of a compiled rule set, and by which of its rules each label is reported.
#[derive(Debug)]
pub(crate) struct Beside {
    reader: Arc<dyn Reader>,
    /// By label.
    rules: Box<[Option<usize>]>,
}

impl Beside {
    /// A label whose rule is switched off is ignored like one that nobody named.
    pub(crate) fn new(larger: &Larger, rules: &[Rule]) -> Self {
        let of = |label: &str| {
            let kind = larger.kinds.iter().find(|(named, _)| bare_label(named) == label)?.1;
            let id = id_of(kind);
            rules.iter().position(|rule| rule.info.id == id)
        };
        Self {
            reader: Arc::clone(&larger.reader),
            rules: larger.reader.labels().iter().map(|label| of(label)).collect(),
        }
    }

    /// Has the texts read: one answer for each, whatever the reader does.
    pub(crate) fn read(&self, texts: &[&str], go_on: &dyn Fn() -> bool) -> Vec<Read> {
        if texts.is_empty() {
            return Vec::new();
        }
        let mut read = self.reader.read(texts, go_on);
        read.resize_with(texts.len(), || Read::failed("it gave no answer"));
        read
    }

    /// Has one text read, however long that takes.
    pub(crate) fn read_one(&self, text: &str) -> Read {
        self.read(&[text], &|| true).pop().unwrap_or_default()
    }

    /// Adds to the findings what the model mentions beside them.
    pub(crate) fn add(&self, core: &Core, text: &str, mentions: &[Mention], found: &mut Vec<Finding>) {
        let mut more = Vec::new();
        for (span, rule, score) in self.joined(text, mentions) {
            if let Some(Verdict { known, outcome: Outcome::Reported }) =
                verdict(core, text, span, rule, score)
            {
                more.extend(beside(text, span, found).map(|part| finding(known, part, score)));
            }
        }
        if !more.is_empty() {
            found.extend(more);
            found.sort_by_key(|f| f.span.start);
        }
    }

    /// What became of each of its mentions beside these findings.
    pub(crate) fn explain(
        &self,
        core: &Core,
        text: &str,
        mentions: &[Mention],
        found: &[Finding],
    ) -> Vec<Explained> {
        let mut all = Vec::new();
        for (span, rule, score) in self.joined(text, mentions) {
            let Some(Verdict { known, outcome }) = verdict(core, text, span, rule, score) else { continue };
            let tell = |span, outcome| Explained {
                finding: finding(known, span, score),
                threshold: known.threshold,
                outcome,
                why: Why { by: By::Larger, ..Why::default() },
            };
            if outcome != Outcome::Reported {
                all.push(tell(span, outcome));
                continue;
            }
            if let Some(winner) = found.iter().find(|f| f.span.overlaps(span)) {
                all.push(tell(span, Outcome::LostTo(winner.rule.id.clone(), Because::Priority)));
            }
            all.extend(beside(text, span, found).map(|part| tell(part, Outcome::Reported)));
        }
        all
    }

    /// The mentions that anybody wants, parts of one value joined: a model that tells given names from family names means
    /// one person by both.
    fn joined(&self, text: &str, mentions: &[Mention]) -> Vec<(Span, usize, f32)> {
        let wanted = mentions.iter().filter_map(|mention| {
            let rule = self.rules.get(mention.label).copied().flatten()?;
            let span = trimmed(text, mention.span)?;
            Some((span, rule, mention.score.clamp(0.0, 1.0)))
        });
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort_by_key(|(span, ..)| (span.start, span.end));
        let mut joined: Vec<(Span, usize, f32)> = Vec::new();
        for (span, rule, score) in wanted {
            match joined.last_mut() {
                // What overlaps what came before has been said.
                Some((last, ..)) if span.start < last.end => {}
                Some((last, same, so_far)) if *same == rule && is_gap(text, last.end, span.start) => {
                    let (a, b) = (weight(*last), weight(span));
                    *so_far = (*so_far * a + score * b) / (a + b);
                    last.end = span.end;
                }
                _ => joined.push((span, rule, score)),
            }
        }
        joined
    }
}

#[expect(clippy::cast_precision_loss, reason = "a weight among weights")]
fn weight(span: Span) -> f32 {
    span.len() as f32
}

/// Whether no more stands between two places than between two parts of one value.
fn is_gap(text: &str, from: usize, to: usize) -> bool {
    to - from <= GAP
        && text
            .get(from..to)
            .is_some_and(|gap| gap.chars().all(|c| matches!(c, ' ' | '\u{A0}' | '-' | '.' | '\'' | '’')))
}

/// The stretch without spaces at its ends; nothing if it is none of this text or holds no letter or digit.
fn trimmed(text: &str, span: Span) -> Option<Span> {
    let words = span.of(text)?;
    let start = span.start + (words.len() - words.trim_start().len());
    let trimmed = Span::new(start, start + words.trim().len());
    words.chars().any(char::is_alphanumeric).then_some(trimmed)
}

/// A mention by itself.
struct Verdict<'a> {
    known: &'a Rule,
    /// [`Outcome::Reported`] if nothing but other findings stands against it.
    outcome: Outcome,
}

fn verdict<'a>(core: &'a Core, text: &str, span: Span, rule: usize, score: f32) -> Option<Verdict<'a>> {
    let known = core.rules.get(rule)?;
    let allowed = || {
        let value = normal::folded_lower(span.of(text).unwrap_or_default());
        core.allow.holds(known.info.kind.as_str(), &value)
    };
    let outcome = if !core.allow.is_empty() && allowed() {
        Outcome::Allowed
    } else if score < known.threshold {
        Outcome::BelowThreshold
    } else {
        Outcome::Reported
    };
    Some(Verdict { known, outcome })
}

fn finding(rule: &Rule, span: Span, score: f32) -> Finding {
    let evidence = Evidence { pattern: score, checked: false, context: 0.0 };
    Finding { span, rule: Arc::clone(&rule.info), score, evidence }
}

/// What of the stretch lies beside the findings (which are sorted), in whole words.
fn beside<'a>(text: &'a str, span: Span, found: &'a [Finding]) -> impl Iterator<Item = Span> + 'a {
    let inside = found.iter().map(|f| f.span).filter(move |other| other.overlaps(span));
    let mut from = span.start;
    let mut parts = Vec::new();
    for other in inside {
        parts.push(Span::new(from, other.start));
        from = from.max(other.end);
    }
    parts.push(Span::new(from.min(span.end), span.end));
    parts.into_iter().filter_map(move |part| whole_words(text, part, span))
}

/// The part of `of` without the rests of words that a finding cut at its ends.
fn whole_words(text: &str, part: Span, of: Span) -> Option<Span> {
    let before = |at: usize| text.get(..at).and_then(|t| t.chars().next_back());
    let after = |at: usize| text.get(at..).and_then(|t| t.chars().next());
    let cuts = |at: usize| {
        before(at).is_some_and(char::is_alphanumeric) && after(at).is_some_and(char::is_alphanumeric)
    };
    let words = part.of(text)?;
    let not_word = |c: char| !c.is_alphanumeric();
    let start = if part.start > of.start && cuts(part.start) {
        part.start + words.find(not_word)?
    } else {
        part.start
    };
    let end =
        if part.end < of.end && cuts(part.end) { part.start + words.rfind(not_word)? } else { part.end };
    // Marks between the finding and what is left belong to neither.
    let words = text.get(start..end)?;
    let open = |c: char| !c.is_alphanumeric();
    let start = if part.start > of.start { start + words.find(char::is_alphanumeric)? } else { start };
    let end = if part.end < of.end { end - (words.len() - words.trim_end_matches(open).len()) } else { end };
    trimmed(text, Span::new(start, end))
}
