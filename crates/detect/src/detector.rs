//! The compiled rule set and what it does with a text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chatward_message::{Evidence, Finding, Kind, Plain, RuleInfo, Span};

use crate::{RuleFault, RulesError, Window};

/// One rule file: its name (for errors) and its text.
#[derive(Debug, Clone, Copy)]
pub struct RuleSource<'a> {
    /// File name, `iban.toml`.
    pub name: &'a str,
    /// The TOML text.
    pub text: &'a str,
}

/// A value that is always reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The value, found regardless of case, between word boundaries. At most 160 bytes.
    pub value: String,
    /// The kind it is reported as; must be a kind of some rule in force.
    pub kind: String,
}

/// The house's own wishes about a rule set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Score from which a kind is reported, instead of the rule's own threshold.
    pub thresholds: BTreeMap<String, f32>,
    /// Ids of rules that are not used.
    pub disabled: BTreeSet<String>,
    /// Exact values (regardless of case) that are never reported.
    pub allow: Vec<String>,
    /// Exact values that are always reported.
    pub deny: Vec<Denied>,
}

/// Languages the house tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "ISO 639-1 codes")]
pub enum Lang {
    En,
    De,
    Fr,
    Es,
    It,
    Nl,
    Pt,
    Pl,
    /// Any other.
    Other,
}

/// What is known about a text before it is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// What the other side said just before: the last bot turn when a customer's text is read.
    pub previous: Option<&'a str>,
    /// The language, where known.
    pub lang: Option<Lang>,
}

/// Why a candidate was or was not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is a finding.
    Reported,
    /// The check failed.
    CheckFailed,
    /// The rule asks for a context word and there is none.
    NoContext,
    /// The score stayed below the threshold.
    BelowThreshold,
    /// The value stands on the allow list.
    Allowed,
    /// Overlaps a better candidate of this rule.
    LostTo(Box<str>),
}

/// A candidate and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Where, by which rule, with what score.
    pub finding: Finding,
    /// The score it needed.
    pub threshold: f32,
    /// What became of it.
    pub outcome: Outcome,
}

/// A compiled rule set: immutable, `Send` and `Sync`; keep it behind an `Arc`.
#[derive(Debug)]
pub struct Detector {
    rules: Vec<Arc<RuleInfo>>,
    hash: Arc<str>,
}

impl Detector {
    /// The rules that come with the program.
    pub fn builtin() -> Result<Self, RulesError> {
        Self::compile(&[], &Options::default())
    }

    /// The rules of these files, under these wishes.
    pub fn compile(files: &[RuleSource<'_>], options: &Options) -> Result<Self, RulesError> {
        let _ = (files, options);
        Ok(Self { rules: Vec::new(), hash: Arc::from("0000000000000000") })
    }

    /// The rule files that come with the program, for those who add their own.
    pub fn builtin_sources() -> Vec<RuleSource<'static>> {
        Vec::new()
    }

    /// What is known of each rule.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// First 16 hex digits of SHA-256 over all rule texts and options: names the set in logs and events.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// What is in the text: sorted, not overlapping, spans in bytes of the text on character boundaries.
    pub fn find(&self, text: &str, context: Context<'_>) -> Vec<Finding> {
        let _ = (text, context, Span::new(0, 0), Evidence::default(), Kind::new("x"));
        Vec::new()
    }

    /// Looks at every text. Each text is the left context of none other.
    pub fn inspect(&self, texts: Vec<Plain>, context: Context<'_>) -> Inspected {
        let texts = texts
            .into_iter()
            .map(|text| {
                let found = self.find(text.expose(), context);
                (text, found)
            })
            .collect();
        Inspected { texts, rules: Arc::clone(&self.hash) }
    }

    /// Every candidate and what became of it, for people who wonder.
    pub fn explain(&self, text: &str, context: Context<'_>) -> Vec<Explained> {
        let _ = (text, context);
        Vec::new()
    }

    /// A window over a stream of text.
    pub fn window(self: &Arc<Self>, context: Context<'_>) -> Window {
        Window::new(Arc::clone(self), context)
    }
}

/// Proof that every one of these texts was scanned by a named rule set. Made only by [`Detector::inspect`].
#[derive(Debug)]
pub struct Inspected {
    texts: Vec<(Plain, Vec<Finding>)>,
    rules: Arc<str>,
}

impl Inspected {
    /// The texts in the order they were given, with what was found in each.
    pub fn texts(&self) -> impl Iterator<Item = (&Plain, &[Finding])> {
        self.texts.iter().map(|(text, found)| (text, found.as_slice()))
    }

    /// The hash of the rule set that looked.
    pub fn rules(&self) -> &Arc<str> {
        &self.rules
    }

    /// Takes it apart; the proof is gone.
    pub fn into_parts(self) -> Vec<(Plain, Vec<Finding>)> {
        self.texts
    }
}

/// What is wrong with one rule file; nothing if all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleReport {
    /// The file's name.
    pub file: Box<str>,
    /// The rule's id, where it could be read.
    pub id: Option<Box<str>>,
    /// How many examples and near misses were tried.
    pub tried: usize,
    /// Everything wrong with it.
    pub faults: Vec<RuleFault>,
}

/// Looks at each rule file with the rigour of `chatward rules check`: form, names, patterns, lengths, examples, near misses.
pub fn rules_check(files: &[RuleSource<'_>]) -> Vec<RuleReport> {
    let _ = files;
    Vec::new()
}
