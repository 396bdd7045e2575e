//! Why a candidate was or was not reported, for people who wonder. No value of the text stands in here.

use chatward_message::Finding;

use crate::check::Verdict;

/// A candidate and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Where, by which rule, with what score.
    pub finding: Finding,
    /// The rule's own score that it needed.
    pub threshold: f32,
    /// What became of it.
    pub outcome: Outcome,
    /// What its score is made of.
    pub why: Why,
}

/// What became of a candidate.
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
    LostTo(Box<str>, Because),
}

/// Why one candidate is better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Its own score is higher.
    Score,
    /// Its check held.
    Check,
    /// Its rule has the higher priority.
    Priority,
    /// It is longer.
    Length,
    /// It begins further left, or its rule comes first.
    Place,
    /// The other one begins inside what was found already.
    Inside,
}

/// What the score of a candidate is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Why {
    /// What found it.
    pub by: By,
    /// The checks that the rule names.
    pub checks: Box<[Box<str>]>,
    /// What they said; nothing if there are none.
    pub verdict: Option<Verdict>,
    /// Words near it that the rule listens to.
    pub words: Vec<Heard>,
    /// What words for it add.
    pub boost: f32,
    /// What words against it take away.
    pub penalty: f32,
}

/// What found a candidate.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum By {
    /// A pattern of the rule, counted from 0.
    Pattern(usize),
    /// A list of phrases.
    #[default]
    List,
    /// The tagger.
    Tagger {
        /// What it takes it for.
        label: &'static str,
        /// How much worse the best reading is in which it is no name, in log odds.
        margin: f32,
        /// What is taken off, and why.
        doubts: Vec<(&'static str, f32)>,
    },
    /// It answers the question before the text.
    Answer,
    /// The larger model.
    Larger,
}

/// A word that stands near a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The word, as the rule has it.
    pub word: Box<str>,
    /// Where it stands.
    pub place: Place,
    /// Whether it speaks for the candidate; else against it.
    pub speaks_for: bool,
}

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the value.
    Before,
    /// After it.
    After,
    /// In the previous turn.
    Previous,
}

impl Outcome {
    /// A word for it, in files and on screens.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::CheckFailed => "check-failed",
            Self::NoContext => "no-context",
            Self::BelowThreshold => "below-threshold",
            Self::Allowed => "allowed",
            Self::LostTo(..) => "lost",
        }
    }
}

impl Because {
    /// A few words for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Score => "a higher score",
            Self::Check => "its check held",
            Self::Priority => "a higher priority",
            Self::Length => "it is longer",
            Self::Place => "it comes first",
            Self::Inside => "begins inside it",
        }
    }
}

impl Place {
    /// A word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Previous => "previous",
        }
    }
}
