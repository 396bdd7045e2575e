//! Recorded questions, asked again: what a change of policies would have changed.

use super::engine::{Outcome, Recorded};
use super::rules::Rules;

/// One question that would be decided otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number among the recorded ones, from 0.
    pub at: usize,
    /// The question, and what was decided.
    pub recorded: Recorded,
    /// What the policies compared with say.
    pub before: Outcome,
    /// What the other policies say.
    pub after: Outcome,
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many questions were asked.
    pub asked: usize,
    /// How many of them would now be allowed.
    pub newly_allowed: usize,
    /// How many of them would now be refused.
    pub newly_refused: usize,
    /// How many would be refused as before, for another reason.
    pub other_reason: usize,
    /// Each question that would be decided otherwise.
    pub changes: Vec<Change>,
}

/// Asks every recorded question again. Without `before`, what was recorded is compared with.
pub fn replay(
    recorded: impl IntoIterator<Item = Recorded>,
    before: Option<&Rules>,
    after: &Rules,
) -> Replayed {
    let mut found = Replayed::default();
    for (at, recorded) in recorded.into_iter().enumerate() {
        found.asked += 1;
        let was = before.map_or_else(|| recorded.outcome.clone(), |rules| rules.judge(&recorded.facts));
        let is = after.judge(&recorded.facts);
        match (was.allowed, is.allowed) {
            (false, true) => found.newly_allowed += 1,
            (true, false) => found.newly_refused += 1,
            (false, false) if was.reasons != is.reasons => found.other_reason += 1,
            _ => continue,
        }
        found.changes.push(Change { at, recorded, before: was, after: is });
    }
    found
}
