//! The engine: candidates out of runs of the automaton, scored in their context, and overlaps settled once.
//!
//! The same [`Search`] serves a whole text (everything at hand at once) and a stream (more at hand with every piece).
//! Nothing it decides depends on where the pieces end; each decision is a function of positions in the text:
//!
//! - A run of the automaton begins at every possible start and takes bytes up to [`HOLD`] original bytes from there.
//! - A candidate is *ready* at the byte that ended its run, or, where words after it may decide about it, after those.
//! - The leftmost candidate A is settled once nothing can overlap it any more, at the latest [`HOLD`] bytes after its
//!   start. Its rivals are the candidates that overlap it and are ready by then. If one of them is better, A is dropped;
//!   else A is a finding, and every candidate that begins inside it is dropped.
//! - Better: higher score; then a check that held; then the rule's priority; then longer; then further left; then the
//!   rule whose file name comes first.
//! - A long value goes on after its head as far as its rule says; candidates that begin inside are dropped.

// long: how a candidate becomes a finding is one subject, told from the run of the automaton to the last settled overlap.
use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use chatward_message::{Evidence, Finding, Span};
use regex_automata::util::pool::Pool;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Anchored, Input, MatchKind, meta};
use regex_syntax::hir::Hir;

use crate::allow::Allow;
use crate::automaton::{Automaton, Match, Paused, Run, States};
use crate::check::Verdict;
use crate::cost::ENDS;
use crate::explain::{Because, By, Explained, Heard, Outcome, Place, Why};
use crate::normal::is_word;
use crate::phrases::{List, Reading};
use crate::rule::{Long, Pattern, Rule, Tail};
use crate::sieve::{self, BLOCK, Block, Level, Sieve};
use crate::tagger::{self, Asked, Course, Name, Names};
use crate::words::{Hits, LEFT, RIGHT, Voices, Words};
use crate::{HOLD, Heeded, RulesError};

/// Group borders asked for without allocating: those of the whole and of one group.
const SLOTS: usize = 4;

/// Texts that go on at most so far after a candidate are asked at once whether they name it.
const NEAR: usize = 256;

type MakeScratch = Box<dyn Fn() -> Scratch + Send + Sync>;

/// Everything compiled.
#[derive(Debug)]
pub(crate) struct Core {
    pub rules: Box<[Rule]>,
    pub patterns: Box<[PatternRef]>,
    pub automaton: Arc<Automaton>,
    /// For whole texts; made when first needed.
    whole: OnceLock<Option<Whole>>,
    pool: Pool<Scratch, MakeScratch>,
    pub words: Words,
    /// Whether any rule knows what its value looks like as a bare answer.
    pub answers: bool,
    /// Values that are never reported.
    pub allow: Allow,
    /// Lists of phrases; their patterns stand behind those of the automaton.
    pub lists: Box<[List]>,
    /// Finds names, where they are wanted.
    pub names: Option<Names>,
}

/// Which rule a pattern of the automaton belongs to.
#[derive(Debug)]
pub(crate) struct PatternRef {
    rule: usize,
    index: usize,
    /// Finds the group `value`; compiled when first needed.
    value: OnceLock<Option<meta::Regex>>,
}

impl Scratch {
    /// Searches a text that is known as a whole; the pieces of the view grow to the end.
    pub(crate) fn advance(&mut self, known: (&Core, &Whole), view: &View<'_>, previous: Option<&str>) {
        let Self { states, few, most, search, blocks } = self;
        search.advance_whole(known, (states, few, most), blocks, view, previous);
    }
}

impl Core {
    /// Compiles the rules together.
    pub(crate) fn new(rules: Vec<Rule>, allow: Allow, names: Option<Names>) -> Result<Self, RulesError> {
        let mut patterns = Vec::new();
        let mut trees = Vec::new();
        let all = || {
            rules.iter().enumerate().flat_map(|(at, r)| r.patterns.iter().enumerate().map(move |p| (at, p)))
        };
        for (rule, (index, p)) in all().filter(|(_, (_, p))| p.list.is_none()) {
            patterns.push(PatternRef { rule, index, value: OnceLock::new() });
            trees.push(tree(p)?);
        }
        let mut lists = Vec::new();
        for (rule, (index, p)) in all() {
            let (Some(phrases), Ok(pattern)) = (&p.list, u32::try_from(patterns.len())) else { continue };
            patterns.push(PatternRef { rule, index, value: OnceLock::new() });
            lists.push(List { pattern, phrases: Arc::clone(phrases) });
        }
        let automaton = Arc::new(Automaton::new(&(0..).zip(&trees).collect::<Vec<_>>())?);
        drop(trees);
        let words = Words::new(&rules)?;
        let make: MakeScratch = {
            let automaton = automaton.clone();
            Box::new(move || Scratch {
                states: automaton.states(),
                few: None,
                most: None,
                search: Search::default(),
                blocks: Vec::new(),
            })
        };
        Ok(Self {
            answers: rules.iter().any(|r| r.answer.is_some()),
            rules: rules.into(),
            patterns: patterns.into(),
            automaton,
            whole: OnceLock::new(),
            pool: Pool::new(make),
            words,
            allow,
            lists: lists.into(),
            names,
        })
    }

    /// The rule that a list of phrases belongs to.
    pub(crate) fn rule_of_list(&self, list: usize) -> Option<usize> {
        let pattern = usize::try_from(self.lists.get(list)?.pattern).ok()?;
        self.patterns.get(pattern).map(|known| known.rule)
    }

    /// Runs `work` with what this thread keeps.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Scratch) -> R) -> R {
        work(&mut self.pool.get())
    }

    /// What whole texts are searched with besides; nothing if it cannot be made.
    #[inline]
    pub(crate) fn whole(&self) -> Option<&Whole> {
        self.whole.get_or_init(|| self.make_whole().ok()).as_ref()
    }

    fn make_whole(&self) -> Result<Whole, RulesError> {
        let patterns = self.patterns.iter().filter_map(|p| self.rules.get(p.rule)?.patterns.get(p.index));
        let trees = patterns.filter(|p| p.list.is_none()).map(tree).collect::<Result<Vec<_>, _>>()?;
        let trees: Vec<(u32, &Hir)> = (0..).zip(&trees).collect();
        let sorted = sieve::sorted(trees.iter().map(|(_, hir)| *hir));
        let upto = |level: Level| {
            let levels = trees.iter().zip(&sorted.levels);
            let trees: Vec<_> = levels.filter(|(_, of)| **of <= level).map(|(tree, _)| *tree).collect();
            Automaton::new(&trees)
        };
        let (few, most) = (upto(Level::Few)?, upto(Level::Most)?);
        let sieve = Sieve::new([&few, &most, &self.automaton], sorted)?;
        Ok(Whole { few, most, sieve })
    }

    fn of(&self, pattern: u32) -> Option<(&PatternRef, &Rule, &Pattern)> {
        let known = self.patterns.get(usize::try_from(pattern).ok()?)?;
        let rule = self.rules.get(known.rule)?;
        Some((known, rule, rule.patterns.get(known.index)?))
    }
}

/// Lesser automata for whole texts and the tables that choose between them.
#[derive(Debug)]
pub(crate) struct Whole {
    few: Automaton,
    most: Automaton,
    pub sieve: Sieve,
}

/// What a thread keeps from text to text.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub states: States,
    few: Option<States>,
    most: Option<States>,
    /// A search that is over, for its memory.
    pub search: Search,
    pub blocks: Vec<Block>,
}

/// The tree of a pattern that was read without fault before.
fn tree(pattern: &Pattern) -> Result<Hir, RulesError> {
    pattern.tree().map_err(|e| RulesError::Together(e.to_string().into()))
}

fn value_regex(pattern: &Pattern) -> Option<meta::Regex> {
    meta::Regex::builder()
        .configure(
            meta::Config::new()
                .match_kind(MatchKind::LeftmostFirst)
                .utf8_empty(false)
                .auto_prefilter(false)
                .hybrid(false)
                .dfa(false),
        )
        .build_from_hir(&pattern.tree().ok()?)
        .ok()
}

/// Where a normalised byte stands in the original text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub start: usize,
    pub end: usize,
}

/// The text at hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// What matching sees.
    pub seen: &'a [u8],
    /// Where each byte of it stands; nothing if it is the original text itself.
    pub marks: Option<&'a [Mark]>,
    /// Bytes of original text up to now.
    pub at: usize,
    /// Whether the text ends here.
    pub ends: bool,
}

impl View<'_> {
    #[inline]
    pub(crate) fn start_of(&self, i: usize) -> usize {
        self.marks.map_or(i, |m| m.get(i).map_or(self.at, |m| m.start))
    }

    #[inline]
    pub(crate) fn end_of(&self, i: usize) -> usize {
        self.marks.map_or(i + 1, |m| m.get(i).map_or(self.at, |m| m.end))
    }

    /// How many normalised bytes, counted from the first at hand, end at or before this original position.
    #[inline]
    pub(crate) fn upto(&self, from: usize, original: usize) -> usize {
        match self.marks {
            None => original.clamp(from, self.seen.len().max(from)),
            Some(marks) if marks.last().is_none_or(|m| m.end <= original) => marks.len().max(from),
            Some(marks) => {
                from + marks.get(from..).unwrap_or_default().partition_point(|m| m.end <= original)
            }
        }
    }
}

/// Something that may become a finding.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    span: Span,
    rule: usize,
    score: f32,
    evidence: Evidence,
    priority: i32,
    /// Position in the original text from which it is fully known.
    ready: usize,
    /// One past its last normalised byte.
    seen_end: usize,
    /// Which of the reasons is its own, if somebody asked.
    why: u32,
}

/// Nobody asked.
const UNASKED: u32 = u32::MAX;

impl Candidate {
    /// The better one is the greater.
    fn rank(&self, other: &Self) -> Ordering {
        let key = |c: &Self| (c.evidence.checked, c.priority, c.span.len());
        self.score
            .total_cmp(&other.score)
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| other.span.start.cmp(&self.span.start))
            .then_with(|| other.rule.cmp(&self.rule))
    }

    /// What makes it better than the other one.
    fn beats(&self, other: &Self) -> Because {
        if self.score > other.score {
            Because::Score
        } else if self.evidence.checked != other.evidence.checked {
            Because::Check
        } else if self.priority != other.priority {
            Because::Priority
        } else if self.span.len() != other.span.len() {
            Because::Length
        } else {
            Because::Place
        }
    }
}

/// A candidate that waits for the words after it.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    candidate: Candidate,
    left: Voices,
    /// Original position up to which words count.
    upto: usize,
}

/// A run that needs more bytes.
#[derive(Debug)]
struct Live {
    start: usize,
    original: usize,
    paused: Paused,
    matches: Vec<Match>,
}

/// A long value whose end was not seen yet.
#[derive(Debug, Clone)]
struct Swallowing {
    finding: Finding,
    rule: usize,
    /// Normalised bytes looked at.
    seen: usize,
    /// One past the head's last normalised byte.
    head: usize,
    /// Original position it may reach at most.
    upto: usize,
}

/// What was settled, in the order of the text.
#[derive(Debug, Clone)]
pub(crate) enum Settled {
    /// A finding.
    Found(Finding),
    /// The head of a long value.
    LongStart(Finding),
    /// The long value, whole.
    LongEnd(Finding),
}

/// One text being searched.
#[derive(Debug, Default)]
pub(crate) struct Search {
    next: usize,
    live: Vec<Live>,
    resumed: Vec<Live>,
    /// Comparisons with lists of phrases that need more bytes, in order of their starts.
    readings: Vec<Reading>,
    matches: Vec<Match>,
    waiting: Vec<Waiting>,
    candidates: Vec<Candidate>,
    swallowing: Option<Swallowing>,
    settled_to: usize,
    /// The last finding, as the candidate it was.
    settled_by: Option<Candidate>,
    hits: Hits,
    previous: Option<Vec<u32>>,
    /// Names being found; nothing if none are wanted.
    names: Option<Course>,
    /// Whether the rules alone look.
    rules_alone: bool,
    /// What was asked before, as far as names go.
    asked: Option<Asked>,
    /// What became of each candidate, if somebody asked.
    pub trace: Option<Vec<Explained>>,
    /// Why, by [`Candidate::why`].
    whys: Vec<Why>,
    pub settled: Vec<Settled>,
}

impl Search {
    /// A search in which the tagger does not look for names.
    pub(crate) fn of_rules_alone() -> Self {
        Self { rules_alone: true, ..Self::default() }
    }

    /// Looks at what came new and settles what can be settled; it is appended to `settled`.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        core: &Core,
        states: &mut States,
        view: &View<'_>,
        previous: Option<&str>,
    ) {
        let text = Text { core, view, previous };
        if !self.live.is_empty() {
            self.resume(&text, states);
        }
        let mut at = self.next;
        while let Some(start) = core.automaton.next_start(view.seen, at) {
            at = start + 1;
            self.start(&text, states, start);
        }
        self.read_lists(&text);
        self.next = view.seen.len();
        self.find_names(&text);
        self.decide(&text);
    }

    /// The same for a text that is known as a whole (`blocks` is the look at all of it), of which the view has the first
    /// part. Gives what [`Search::advance`] gives.
    pub(crate) fn advance_whole(
        &mut self,
        (core, whole): (&Core, &Whole),
        scratch: (&mut States, &mut Option<States>, &mut Option<States>),
        blocks: &[Block],
        view: &View<'_>,
        previous: Option<&str>,
    ) {
        let (states, few, most) = scratch;
        let text = Text { core, view, previous };
        if !self.live.is_empty() {
            self.resume(&text, states);
        }
        // Where nothing is decided before the end, the length of a run that matched plays no part.
        let short = view.ends && view.at <= HOLD;
        let (from, to) = (self.next, view.seen.len());
        for i in from / BLOCK..to.div_ceil(BLOCK) {
            let (level, mut starts) = whole.sieve.starts(view.seen, blocks, i);
            while starts != 0 {
                let start = i * BLOCK + usize::try_from(starts.trailing_zeros()).unwrap_or_default();
                starts &= starts - 1;
                if start < from {
                    continue;
                }
                if start >= to {
                    break;
                }
                // A digit is likely to begin a match, which would be run again.
                let digit = || view.seen.get(start).is_some_and(u8::is_ascii_digit);
                let (automaton, lesser) = match level {
                    _ if !short && digit() => {
                        self.start(&text, states, start);
                        continue;
                    }
                    Level::All => {
                        self.start(&text, states, start);
                        continue;
                    }
                    Level::Most => (&whole.most, most.get_or_insert_with(|| whole.most.states())),
                    Level::Few => (&whole.few, few.get_or_insert_with(|| whole.few.states())),
                };
                let original = view.start_of(start);
                let limit = view.upto(start, original + HOLD);
                let mut run = automaton.run(lesser, view.seen, start, limit, &mut self.matches);
                if let (Run::Alive(paused), true) = (run, view.ends && view.at < original + HOLD) {
                    automaton.end(lesser, view.seen, (start, paused), &mut self.matches);
                    run = Run::Dead(to);
                }
                match run {
                    // The patterns left out cannot match here.
                    Run::Dead(_) if self.matches.is_empty() => {}
                    Run::Alive(_) if self.matches.is_empty() && view.at >= original + HOLD => {}
                    _ if short => self.weigh_all(&text, (start, original), view.at),
                    _ => {
                        self.matches.clear();
                        self.start(&text, states, start);
                    }
                }
            }
        }
        self.read_lists(&text);
        self.next = to;
        self.find_names(&text);
        self.decide(&text);
    }

    /// Compares what came new with the lists of phrases.
    fn read_lists(&mut self, text: &Text<'_>) {
        let core = text.core;
        if core.lists.is_empty() {
            return;
        }
        let open = std::mem::take(&mut self.readings);
        for reading in open {
            self.read(text, reading);
        }
        for start in self.next..text.view.seen.len() {
            for (list, of) in core.lists.iter().enumerate() {
                if let Some(reading) = of.begin(list, text.view, start) {
                    self.read(text, reading);
                }
            }
        }
    }

    /// Goes on with one comparison; what it found becomes a candidate when nothing more can come.
    fn read(&mut self, text: &Text<'_>, mut reading: Reading) {
        let view = text.view;
        let Some(list) = text.core.lists.get(reading.list) else { return };
        let limit = view.upto(reading.at, reading.original + HOLD);
        let ready = if list.walk(&mut reading, view.seen, limit) {
            view.end_of(reading.at - 1)
        } else if view.at >= reading.original + HOLD {
            reading.original + HOLD
        } else if view.ends {
            list.end(&mut reading);
            view.at
        } else {
            self.readings.push(reading);
            return;
        };
        if !reading.ends.is_empty() {
            let pattern = list.pattern;
            let ends: Vec<Match> =
                reading.ends.iter().rev().map(|end| Match { pattern, end: *end }).collect();
            self.weigh(text, (reading.start, reading.original), ready, &ends);
        }
    }

    /// Lets the tagger look at what came new.
    fn find_names(&mut self, text: &Text<'_>) {
        let Some(names) = text.core.names.as_ref().filter(|_| !self.rules_alone) else { return };
        let asked = *self.asked.get_or_insert_with(|| text.previous.map_or(Asked::Nothing, tagger::asked));
        let mut course = self.names.take().unwrap_or_default();
        for name in course.advance(&names.model, text.view, asked) {
            self.take_name(text, names, &name);
        }
        self.names = Some(course);
    }

    fn take_name(&mut self, text: &Text<'_>, names: &Names, name: &Name) {
        let core = text.core;
        let Some(rule) = names.rule(name.what) else { return };
        let Some(known) = core.rules.get(rule) else { return };
        let candidate = Candidate {
            span: Span::new(name.start, name.end),
            rule,
            score: name.score,
            evidence: Evidence { pattern: name.score, checked: false, context: 0.0 },
            priority: known.priority,
            ready: name.ready,
            seen_end: name.seen_end,
            why: self.reason(|| Why { by: name.by(), ..Why::default() }),
        };
        if text.allows(known, name.seen, name.seen_end) {
            self.note(core, &candidate, Outcome::Allowed);
            return;
        }
        self.judge(core, candidate, Voices::default());
    }

    /// Original position from which names may still be found.
    fn names_from(&self) -> usize {
        self.names.as_ref().map_or(usize::MAX, Course::open_from)
    }

    /// Runs from `start`.
    #[inline]
    fn start(&mut self, text: &Text<'_>, states: &mut States, start: usize) {
        let original = text.view.start_of(start);
        let limit = text.view.upto(start, original + HOLD);
        let run = text.core.automaton.run(states, text.view.seen, start, limit, &mut self.matches);
        self.after_run(text, states, (start, original), run);
    }

    #[inline]
    fn decide(&mut self, text: &Text<'_>) {
        if !self.waiting.is_empty() {
            self.hear(text);
        }
        if !self.candidates.is_empty() || self.swallowing.is_some() {
            self.settle(text.core, text.view);
        }
    }

    /// Makes it ready for another text; what it holds of this one is gone.
    pub(crate) fn clear(&mut self) {
        let Self { next, live, resumed, readings, matches, waiting, candidates, swallowing, .. } = self;
        *next = 0;
        live.clear();
        resumed.clear();
        readings.clear();
        matches.clear();
        waiting.clear();
        candidates.clear();
        *swallowing = None;
        let Self { settled_to, settled_by, hits, previous, names, asked, trace, whys, settled, .. } = self;
        (*settled_to, *settled_by) = (0, None);
        hits.clear();
        *previous = None;
        names.iter_mut().for_each(Course::clear);
        *asked = None;
        *trace = None;
        whys.clear();
        settled.clear();
    }

    /// The original position from which text must be held back.
    pub(crate) fn hold_from(&self, at: usize) -> usize {
        if self.swallowing.is_some() {
            return at;
        }
        let live = self.live.first().map(|l| l.original);
        let reading = self.readings.first().map(|r| r.original);
        let waiting = self.waiting.iter().map(|w| w.candidate.span.start).min();
        let candidate = self.candidates.iter().map(|c| c.span.start).min();
        [live, reading, waiting, candidate, Some(self.names_from())]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(at)
            .clamp(self.settled_to.min(at), at)
    }

    /// The original position from which text may be part of a finding by one of these rules: what stands before it may be
    /// part of others at most.
    pub(crate) fn heeded_from(&self, view: &View<'_>, heeded: &Heeded) -> usize {
        if self.swallowing.is_some() {
            return view.at;
        }
        let candidates = self.waiting.iter().map(|w| &w.candidate).chain(&self.candidates);
        let heeded_ones = candidates.filter(|c| heeded.rule(c.rule)).map(|c| c.span.start);
        let readings = self.readings.iter().filter(|r| heeded.list(r.list)).map(|r| r.original);
        let names = if heeded.names() { self.names_from() } else { usize::MAX };
        let known = heeded_ones.chain(readings).chain([names, view.at]).min().unwrap_or(view.at);
        // The live runs are in order of their starts.
        let before = self.live.iter().take_while(|live| live.original < known);
        let run = before.map(|live| (live.start, live.original)).find(|run| heeded.may_begin(view, *run));
        run.map_or(known, |(_, original)| original).clamp(self.settled_to.min(view.at), view.at)
    }

    /// Nothing starts before this normalised position any more.
    pub(crate) fn skip(&mut self, to: usize) {
        self.next = to;
        self.names.iter_mut().for_each(|names| names.skip(to));
    }

    /// What of the normalised text is still needed: everything from here on.
    pub(crate) fn needs(&self) -> usize {
        let live = self.live.iter().map(|l| l.start);
        let waiting = self.waiting.iter().map(|w| w.candidate.seen_end);
        let candidates = self.candidates.iter().map(|c| c.seen_end);
        let long = self.swallowing.iter().map(|s| s.seen);
        let names = self.names.iter().map(Course::needs);
        let readings = self.readings.iter().map(|r| r.start);
        let all = live.chain(readings).chain(waiting).chain(candidates).chain(long).chain(names);
        let least = all.min().unwrap_or(self.next).min(self.next);
        least.saturating_sub(LEFT + 2)
    }

    /// The first `by` normalised bytes were dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.next -= by.min(self.next);
        for live in &mut self.live {
            live.start = live.start.saturating_sub(by);
            live.paused.shift(by);
            for m in &mut live.matches {
                m.end = m.end.saturating_sub(by);
            }
        }
        for reading in &mut self.readings {
            reading.start = reading.start.saturating_sub(by);
            reading.at = reading.at.saturating_sub(by);
            reading.ends.iter_mut().for_each(|end| *end = end.saturating_sub(by));
        }
        for c in self.waiting.iter_mut().map(|w| &mut w.candidate).chain(&mut self.candidates) {
            c.seen_end = c.seen_end.saturating_sub(by);
        }
        if let Some(s) = &mut self.swallowing {
            s.seen = s.seen.saturating_sub(by);
            s.head = s.head.saturating_sub(by);
        }
        self.hits.shift(by);
        self.names.iter_mut().for_each(|names| names.shift(by));
    }

    fn resume(&mut self, text: &Text<'_>, states: &mut States) {
        let mut resumed = std::mem::take(&mut self.resumed);
        std::mem::swap(&mut resumed, &mut self.live);
        for mut live in resumed.drain(..) {
            let limit = text.view.upto(live.paused.at(), live.original + HOLD);
            std::mem::swap(&mut self.matches, &mut live.matches);
            let run = text.core.automaton.resume(
                states,
                text.view.seen,
                (live.start, live.paused),
                limit,
                &mut self.matches,
            );
            self.after_run(text, states, (live.start, live.original), run);
        }
        self.resumed = resumed;
    }

    /// The run that began at `start` came this far; its matches are in `self.matches`.
    #[inline]
    fn after_run(
        &mut self,
        text: &Text<'_>,
        states: &mut States,
        (start, original): (usize, usize),
        run: Run,
    ) {
        let ready = match run {
            Run::Dead(at) => {
                if self.matches.is_empty() {
                    return;
                }
                text.view.end_of(at.saturating_sub(1))
            }
            Run::Alive(_) if text.view.at >= original + HOLD => original + HOLD,
            Run::Alive(paused) if text.view.ends => {
                text.core.automaton.end(states, text.view.seen, (start, paused), &mut self.matches);
                text.view.at
            }
            Run::Alive(paused) => {
                let matches = std::mem::take(&mut self.matches);
                self.live.push(Live { start, original, paused, matches });
                return;
            }
        };
        if !self.matches.is_empty() {
            self.weigh_all(text, (start, original), ready);
        }
    }

    /// Looks at the matches of one run, pattern by pattern.
    fn weigh_all(&mut self, text: &Text<'_>, (start, original): (usize, usize), ready: usize) {
        let mut matches = std::mem::take(&mut self.matches);
        matches.sort_unstable_by(|a, b| a.pattern.cmp(&b.pattern).then(b.end.cmp(&a.end)));
        for of_one in matches.chunk_by(|a, b| a.pattern == b.pattern) {
            self.weigh(text, (start, original), ready, of_one);
        }
        matches.clear();
        self.matches = matches;
    }

    /// One pattern matched from `start` to each of these ends, longest first: which one is it, if any?
    fn weigh(&mut self, text: &Text<'_>, (start, original): (usize, usize), ready: usize, ends: &[Match]) {
        let Some((known, rule, pattern)) = ends.first().and_then(|m| text.core.of(m.pattern)) else { return };
        if !pattern.not_after.allows(text.view.seen, start) {
            return;
        }
        if rule.required && self.trace.is_none() && !self.may_be_named(text, known.rule, start) {
            return;
        }
        let mut best: Option<((usize, usize), Verdict)> = None;
        let mut failed = None;
        let longest = ends.first().map_or(0, |m| m.end);
        // A shorter end counts only where it cuts no word.
        let whole = ends.iter().filter(|m| m.end == longest || !text.cuts_word(m.end));
        for m in whole.take(ENDS) {
            let Some((from, to)) = text.value(known, pattern, start, m.end) else { continue };
            if rule.checks.is_empty() {
                best = Some(((from, to), Verdict::Unsure));
                break;
            }
            let verdict = rule.verdict(&text.words(from, to));
            match verdict {
                Verdict::Holds => {
                    best = Some(((from, to), verdict));
                    break;
                }
                Verdict::Fails if rule.check_required => failed = failed.or(Some((from, to))),
                Verdict::Fails | Verdict::Unsure => best = best.or(Some(((from, to), verdict))),
            }
        }
        let why = self.reason(|| Why {
            by: if pattern.list.is_some() { By::List } else { By::Pattern(known.index) },
            checks: rule.check_names.clone(),
            verdict: (!rule.checks.is_empty()).then(|| best.map_or(Verdict::Fails, |(_, verdict)| verdict)),
            boost: rule.boost,
            penalty: rule.penalty,
            ..Why::default()
        });
        let make = |(from, to), verdict| {
            let checked = verdict == Verdict::Holds;
            let score = if checked { pattern.checked } else { pattern.score };
            Candidate {
                span: Span::new(text.view.start_of(from), text.view.end_of(to - 1)),
                rule: known.rule,
                score,
                evidence: Evidence { pattern: score, checked, context: 0.0 },
                priority: rule.priority,
                ready,
                seen_end: to,
                why,
            }
        };
        let Some((range, verdict)) = best else {
            if let Some(range) = failed {
                self.note(text.core, &make(range, Verdict::Fails), Outcome::CheckFailed);
            }
            return;
        };
        let candidate = make(range, verdict);
        if text.allows(rule, range.0, range.1) {
            self.note(text.core, &candidate, Outcome::Allowed);
            return;
        }
        self.listen(text, candidate, range.0, original);
    }

    /// Whether a word that the rule asks for stands anywhere near, or may come: spares the checks of numbers that nothing
    /// names.
    fn may_be_named(&mut self, text: &Text<'_>, rule: usize, start: usize) -> bool {
        let core = text.core;
        let seen = text.view.seen;
        if !text.view.ends || seen.len() > start + NEAR {
            return true;
        }
        if let (Some(previous), true) = (text.previous, core.rules.get(rule).is_some_and(|r| r.previous)) {
            let said = self.previous.get_or_insert_with(|| core.words.in_previous(previous));
            if core.words.ask_previous(rule, said).r#for {
                return true;
            }
        }
        let window = (start.saturating_sub(LEFT), seen.len());
        core.words.ask(rule, &mut self.hits, seen, window, true).r#for
    }

    /// What do the words before it say, and must the words after it be heard?
    fn listen(&mut self, text: &Text<'_>, candidate: Candidate, from: usize, original: usize) {
        let core = text.core;
        let Some(rule) = core.rules.get(candidate.rule) else { return };
        let has = core.words.has(candidate.rule);
        if !has.r#for && !has.against {
            self.judge(core, candidate, Voices::default());
            return;
        }
        let window = (from.saturating_sub(LEFT), from);
        let mut left = core.words.ask(candidate.rule, &mut self.hits, text.view.seen, window, true);
        self.heard(&candidate, rule, Place::Before, left, || (text.view.seen.into(), window, true));
        if rule.previous
            && let Some(previous) = text.previous
        {
            let said = self.previous.get_or_insert_with(|| core.words.in_previous(previous));
            let said = core.words.ask_previous(candidate.rule, said);
            // What the text itself says about its number counts more than what was talked about before.
            let against = left.against || (said.against && !left.r#for);
            let counts = Voices { r#for: said.r#for, against: said.against && !left.r#for };
            self.heard(&candidate, rule, Place::Previous, counts, || {
                let seen = crate::words::previous_seen(previous);
                let all = (0, seen.len());
                (seen.into(), all, true)
            });
            left = Voices { r#for: left.r#for || said.r#for, against };
        }
        let score = scored(rule, candidate.score, left);
        let waits = rule.after
            && if !left.r#for && rule.required {
                true
            } else if score >= rule.threshold {
                has.against && !left.against
            } else {
                has.r#for && !left.r#for && score + rule.boost >= rule.threshold
            };
        if waits {
            let upto = (candidate.span.end + RIGHT).min(original + HOLD).max(candidate.ready);
            self.waiting.push(Waiting { candidate: Candidate { ready: upto, ..candidate }, left, upto });
        } else {
            self.judge(core, candidate, left);
        }
    }

    /// Hears the words after waiting candidates where they are at hand.
    fn hear(&mut self, text: &Text<'_>) {
        let view = text.view;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|w| {
            if view.at < w.upto && !view.ends {
                return true;
            }
            let from = w.candidate.seen_end;
            let to = view.upto(from, w.upto.min(w.candidate.span.end + RIGHT));
            let closed = view.ends && to == view.seen.len() && view.at < w.upto;
            let right = text.core.words.ask(w.candidate.rule, &mut self.hits, view.seen, (from, to), closed);
            if let Some(rule) = text.core.rules.get(w.candidate.rule) {
                self.heard(&w.candidate, rule, Place::After, right, || {
                    (view.seen.into(), (from, to), closed)
                });
            }
            let candidate = Candidate { ready: w.upto.min(view.at), ..w.candidate };
            self.judge(text.core, candidate, w.left.or(right));
            false
        });
        self.waiting = waiting;
    }

    /// All words were heard: is it good enough to compete?
    fn judge(&mut self, core: &Core, mut candidate: Candidate, voices: Voices) {
        let Some(rule) = core.rules.get(candidate.rule) else { return };
        let score = scored(rule, candidate.score, voices);
        candidate.evidence.context = score - candidate.score;
        candidate.score = score;
        if rule.required && !voices.r#for {
            self.note(core, &candidate, Outcome::NoContext);
        } else if score < rule.threshold {
            self.note(core, &candidate, Outcome::BelowThreshold);
        } else if candidate.span.start < self.settled_to {
            self.note_too_late(core, &candidate);
        } else {
            self.candidates.push(candidate);
        }
    }

    /// Settles overlaps as far as nothing that comes later can change them.
    fn settle(&mut self, core: &Core, view: &View<'_>) {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_unstable_by(|a, b| a.span.start.cmp(&b.span.start).then_with(|| b.rank(a)));
        // The live runs are in order of their starts.
        let live = self.live.first().map_or(usize::MAX, |l| l.original).min(self.names_from());
        let live = live.min(self.readings.first().map_or(usize::MAX, |r| r.original));
        let mut done = 0;
        loop {
            if !self.swallow(core, view) {
                break;
            }
            let Some(a) = candidates.get(done).copied() else { break };
            if a.span.start < self.settled_to {
                self.note_too_late(core, &a);
                done += 1;
                continue;
            }
            let latest = a.span.start + HOLD;
            let open = live < a.span.end || self.waiting.iter().any(|w| w.candidate.span.start < a.span.end);
            if open && view.at < latest && !view.ends {
                break;
            }
            done += 1;
            let rivals = candidates.get(done..).unwrap_or_default().iter();
            let better = rivals
                .take_while(|r| r.span.start < a.span.end)
                .find(|r| r.ready <= latest && r.rank(&a).is_gt());
            if let Some(better) = better {
                self.note_loss(core, &a, better.rule, better.beats(&a));
                continue;
            }
            self.note(core, &a, Outcome::Reported);
            (self.settled_to, self.settled_by) = (a.span.end, Some(a));
            self.report(core, &a);
        }
        candidates.drain(..done);
        self.candidates = candidates;
    }

    fn report(&mut self, core: &Core, a: &Candidate) {
        let Some(rule) = core.rules.get(a.rule) else { return };
        let finding = found(rule, a);
        match &rule.long {
            None => self.settled.push(Settled::Found(finding)),
            Some(long) => {
                self.settled.push(Settled::LongStart(finding.clone()));
                self.swallowing = Some(Swallowing {
                    rule: a.rule,
                    seen: a.seen_end,
                    head: a.seen_end,
                    upto: a.span.end.saturating_add(long.max),
                    finding,
                });
            }
        }
    }

    /// Goes on with a long value. Whether it is over (or there is none).
    fn swallow(&mut self, core: &Core, view: &View<'_>) -> bool {
        let Some(s) = &mut self.swallowing else { return true };
        let long = core.rules.get(s.rule).and_then(|r| r.long.as_ref());
        let end = long.and_then(|long| s.end(long, view)).or_else(|| view.ends.then_some(view.at));
        let Some(end) = end else {
            s.seen = view.seen.len();
            self.settled_to = view.at;
            return false;
        };
        let mut finding = s.finding.clone();
        finding.span.end = end.max(finding.span.end);
        self.settled_to = finding.span.end;
        self.settled.push(Settled::LongEnd(finding));
        self.swallowing = None;
        true
    }

    /// It begins inside the last finding.
    fn note_too_late(&mut self, core: &Core, candidate: &Candidate) {
        let Some(by) = self.settled_by else { return };
        let better = by.span.overlaps(candidate.span) && by.rank(candidate).is_gt();
        let because = if better { by.beats(candidate) } else { Because::Inside };
        self.note_loss(core, candidate, by.rule, because);
    }

    fn note_loss(&mut self, core: &Core, candidate: &Candidate, to: usize, because: Because) {
        if self.trace.is_some() {
            let id = core.rules.get(to).map_or("", |r| &r.info.id);
            self.note(core, candidate, Outcome::LostTo(id.into(), because));
        }
    }

    fn note(&mut self, core: &Core, candidate: &Candidate, outcome: Outcome) {
        if let Some(trace) = &mut self.trace
            && let Some(rule) = core.rules.get(candidate.rule)
        {
            let why = usize::try_from(candidate.why).ok().and_then(|at| self.whys.get(at));
            let why = why.cloned().unwrap_or_default();
            trace.push(Explained {
                finding: found(rule, candidate),
                threshold: rule.threshold,
                outcome,
                why,
            });
        }
    }

    /// Keeps a reason, if somebody asked.
    #[inline]
    fn reason(&mut self, why: impl FnOnce() -> Why) -> u32 {
        if self.trace.is_none() {
            return UNASKED;
        }
        self.whys.push(why());
        u32::try_from(self.whys.len() - 1).unwrap_or(UNASKED)
    }

    /// Keeps which words were heard, if somebody asked: of those that `voices` say there are, in this stretch of a text.
    #[inline]
    fn heard<'t>(
        &mut self,
        candidate: &Candidate,
        rule: &Rule,
        place: Place,
        voices: Voices,
        stretch: impl FnOnce() -> (Cow<'t, [u8]>, (usize, usize), bool),
    ) {
        let at = usize::try_from(candidate.why).unwrap_or(usize::MAX);
        let Some(why) = self.whys.get_mut(at) else { return };
        let (text, within, closed) = stretch();
        for (words, speaks_for, are) in
            [(&rule.words, true, voices.r#for), (&rule.against, false, voices.against)]
        {
            for word in words.iter().filter(|_| are) {
                if crate::words::stands(word, &text, within, closed) {
                    let word = String::from_utf8_lossy(word).into();
                    why.words.push(Heard { word, place, speaks_for });
                }
            }
        }
    }
}

impl Swallowing {
    /// The original position at which the value ends, if it is at hand.
    fn end(&self, long: &Long, view: &View<'_>) -> Option<usize> {
        let by_length = || {
            let cut = view.upto(self.seen, self.upto);
            (cut < view.seen.len()).then(|| (cut, view.start_of(cut)))
        };
        let by_form = match &long.tail {
            Tail::Body(body) => view
                .seen
                .get(self.seen..)?
                .iter()
                .position(|b| !body.get(usize::from(*b)).copied().unwrap_or(false))
                .map(|i| (self.seen + i, view.start_of(self.seen + i))),
            Tail::Until(until) => {
                let from = self.seen.saturating_sub(until.len() - 1).max(self.head);
                view.seen.get(from..)?.windows(until.len()).position(|w| w == &**until).map(|i| {
                    let last = from + i + until.len() - 1;
                    (last, view.end_of(last))
                })
            }
        };
        match (by_form, by_length()) {
            (Some((form, end)), Some((length, cut))) => Some(if form < length { end } else { cut }),
            (form, length) => form.or(length).map(|(_, end)| end),
        }
    }
}

fn scored(rule: &Rule, score: f32, voices: Voices) -> f32 {
    let raised = if voices.r#for { score + rule.boost } else { score };
    let lowered = if voices.against { raised - rule.penalty } else { raised };
    lowered.clamp(0.0, 1.0)
}

fn found(rule: &Rule, candidate: &Candidate) -> Finding {
    Finding {
        span: candidate.span,
        rule: Arc::clone(&rule.info),
        score: rule.calibration.of(candidate.score),
        evidence: candidate.evidence,
    }
}

/// A text and what to look for in it.
struct Text<'a> {
    core: &'a Core,
    view: &'a View<'a>,
    previous: Option<&'a str>,
}

impl Text<'_> {
    /// The normalised range of the value in a match: the group `value`, or all of it.
    fn value(
        &self,
        known: &PatternRef,
        pattern: &Pattern,
        start: usize,
        end: usize,
    ) -> Option<(usize, usize)> {
        if end <= start {
            return None;
        }
        if !pattern.has_value {
            return Some((start, end));
        }
        let regex = known.value.get_or_init(|| value_regex(pattern)).as_ref()?;
        let input = Input::new(self.view.seen).range(start..end).anchored(Anchored::Yes);
        let group = regex.group_info().to_index(PatternID::ZERO, "value")?;
        let mut slots = [None; SLOTS];
        if 2 * group + 1 < SLOTS {
            regex.search_slots(&input, &mut slots);
            return match slots.get(2 * group..=2 * group + 1)? {
                [Some(from), Some(to)] if from < to => Some((from.get(), to.get())),
                _ => None,
            };
        }
        let mut groups = regex.create_captures();
        regex.search_captures(&input, &mut groups);
        groups.get_group_by_name("value").filter(|g| g.start < g.end).map(|g| (g.start, g.end))
    }

    /// Whether a word goes on over this place.
    fn cuts_word(&self, at: usize) -> bool {
        let word = |at: Option<usize>| at.and_then(|i| self.view.seen.get(i)).copied().is_some_and(is_word);
        word(at.checked_sub(1)) && word(Some(at))
    }

    /// The value as a check sees it.
    fn words(&self, from: usize, to: usize) -> Cow<'_, str> {
        let bytes = self.view.seen.get(from..to).unwrap_or_default();
        // Bytes from 0x80 up stand for characters of scripts without spaces; to a check they are just no ASCII.
        std::str::from_utf8(bytes)
            .map_or_else(|_| Cow::Owned(bytes.iter().copied().map(char::from).collect()), Cow::Borrowed)
    }

    /// Whether the house allows this value of the rule's kind.
    fn allows(&self, rule: &Rule, from: usize, to: usize) -> bool {
        let allow = &self.core.allow;
        !allow.is_empty()
            && allow.holds(
                rule.info.kind.as_str(),
                &self.view.seen.get(from..to).unwrap_or_default().to_ascii_lowercase(),
            )
    }
}
