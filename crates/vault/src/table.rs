//! One conversation's placeholders.

use std::sync::Arc;

use chatward_detect::Detector;
use chatward_message::Kind;

/// The words placeholders may carry: those of the rules, and `TEXT`.
#[derive(Debug, Clone, Default)]
pub struct Labels {}

impl Labels {
    /// The labels of a rule set. Make it once per rule set.
    pub fn of(detector: &Detector) -> Self {
        let _ = detector;
        Self {}
    }
}

/// Which values an answer may get back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of this conversation.
    Conversation,
    /// Only those that stand in this request's own messages (conversation recognised only by its history).
    ThisRequest,
}

/// One conversation's table: value ↔ placeholder.
#[derive(Debug, Default)]
pub struct Placeholders {}

impl Placeholders {
    /// An empty table.
    pub fn new(labels: Arc<Labels>) -> Self {
        let _ = labels;
        Self {}
    }

    /// How many values have a placeholder.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether no value has a placeholder.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// A fixed view of the table for restoring an answer; `allow` says which kinds this reader may see.
    pub fn restorer(&self, scope: Scope, allow: impl Fn(&Kind) -> bool) -> Arc<Restorer> {
        let _ = (scope, allow);
        Arc::new(Restorer {})
    }
}

/// What may be put back into an answer. Cheap to share by the channels of an answer.
#[derive(Debug)]
pub struct Restorer {}
