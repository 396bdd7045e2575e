//! What can be wrong with rules. The fault is always that of whoever wrote the rule file; no customer text is involved.

/// One thing wrong with one rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {path}: {what}")]
pub struct RuleFault {
    /// Name of the file.
    pub file: Box<str>,
    /// Where in it: `pattern[0].regex`, `example[2]`, or `.` for the whole.
    pub path: Box<str>,
    /// What is wrong and what was expected.
    pub what: Box<str>,
}

/// A set of rules that cannot be used. Nothing of it is in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Some files have faults; all that were found.
    #[error("{} fault(s) in rule files, first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Faults(Vec<RuleFault>),
    /// The options name something that is not there or cannot be.
    #[error("{0}")]
    Wish(Box<str>),
    /// A label of a larger model cannot stand for what it should.
    #[error("label {label}: {what}")]
    Label {
        /// The label as it was named.
        label: Box<str>,
        /// What is wrong with it.
        what: Box<str>,
    },
    /// Each rule is fine, but together they make no automaton.
    #[error("rules do not compile together: {0}")]
    Together(Box<str>),
    /// The model of names cannot be used.
    #[error(transparent)]
    Names(#[from] crate::tagger::Damaged),
}
