//! What a stream that pauses may let go of.
//!
//! A [`Window`](crate::Window) holds back whatever may still become part of any finding: in most texts that is the word
//! that was begun last, because an e-mail address can begin with any word. While pieces come fast nobody sees that. When the
//! stream pauses, the reader waits for a word that hides nothing. So in a pause only that is held back which may still be
//! part of a finding *by which the text would change*; findings that pass as they are may begin in words that were given
//! out already. This is decided by a second automaton, of the patterns of those rules alone, which is run again from each
//! place where a match of any rule may have begun; a comparison with a list of phrases knows its rule. Nothing in the search itself changes, so findings are the same with
//! pauses and without.

use std::fmt;
use std::sync::{Arc, OnceLock};

use chatward_message::RuleInfo;
use regex_automata::util::pool::Pool;
use regex_syntax::hir::Hir;

use crate::automaton::{Automaton, Match, Run, States};
use crate::engine::View;
use crate::rule::Rule;
use crate::{Detector, HOLD, RulesError, tagger};

type MakeScratch = Box<dyn Fn() -> (States, Vec<Match>) + Send + Sync>;

/// The rules whose findings change a text: what may be one of theirs is held back in a pause too.
pub struct Heeded {
    detector: Arc<Detector>,
    /// By the number of the rule.
    rules: Box<[bool]>,
    names: bool,
    /// Made when a stream pauses for the first time. Nothing if it cannot be made: then all that is held stays held.
    search: OnceLock<Option<Again>>,
}

/// The patterns of those rules, to be run again.
struct Again {
    automaton: Arc<Automaton>,
    pool: Pool<(States, Vec<Match>), MakeScratch>,
}

impl Heeded {
    /// Of the detector's rules those for which `changes` says so. A rule for values without a known end counts always:
    /// of such a value nothing but its head is known.
    pub fn new(detector: Arc<Detector>, changes: impl Fn(&RuleInfo) -> bool) -> Self {
        let all = &detector.core().rules;
        let rules: Box<[bool]> = all.iter().map(|rule| rule.long.is_some() || changes(&rule.info)).collect();
        let names = all.iter().zip(&rules).any(|(rule, heeded)| *heeded && tagger::is_taken(&rule.info.id));
        Self { detector, rules, names, search: OnceLock::new() }
    }

    /// Whether these are rules of this detector.
    pub(crate) fn is_of(&self, detector: &Arc<Detector>) -> bool {
        Arc::ptr_eq(&self.detector, detector)
    }

    /// Whether this rule is one of them.
    pub(crate) fn rule(&self, rule: usize) -> bool {
        self.rules.get(rule).is_none_or(|heeded| *heeded)
    }

    /// Whether this list of phrases is of one of them.
    pub(crate) fn list(&self, list: usize) -> bool {
        self.detector.core().rule_of_list(list).is_none_or(|rule| self.rule(rule))
    }

    /// Whether the tagger finds what changes a text.
    pub(crate) const fn names(&self) -> bool {
        self.names
    }

    /// Whether one of them matches from `start` (which is `original` in the text as it came), or may when more has come.
    pub(crate) fn may_begin(&self, view: &View<'_>, (start, original): (usize, usize)) -> bool {
        let Some(again) = self.search.get_or_init(|| self.again().ok()) else { return true };
        let mut scratch = again.pool.get();
        let (states, matches) = &mut *scratch;
        matches.clear();
        let limit = view.upto(start, original + HOLD);
        let run = again.automaton.run(states, view.seen, start, limit, matches);
        matches!(run, Run::Alive(_)) || !matches.is_empty()
    }

    fn again(&self) -> Result<Again, RulesError> {
        let heeded = self.detector.core().rules.iter().zip(&self.rules).filter(|(_, heeded)| **heeded);
        let patterns = heeded.flat_map(|(rule, _): (&Rule, _)| rule.patterns.iter());
        let patterns = patterns.filter(|pattern| pattern.list.is_none());
        let trees: Vec<Hir> = patterns
            .map(|pattern| pattern.tree().map_err(|e| RulesError::Together(e.to_string().into())))
            .collect::<Result<_, _>>()?;
        let automaton = Arc::new(Automaton::to_run(&(0..).zip(&trees).collect::<Vec<_>>())?);
        let make: MakeScratch = {
            let automaton = Arc::clone(&automaton);
            Box::new(move || (automaton.states(), Vec::new()))
        };
        Ok(Again { automaton, pool: Pool::new(make) })
    }
}

impl fmt::Debug for Heeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heeded = self.rules.iter().filter(|heeded| **heeded).count();
        write!(f, "Heeded({heeded} of {} rules)", self.rules.len())
    }
}
