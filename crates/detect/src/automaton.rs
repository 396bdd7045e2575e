//! All patterns of all rules in one lazily built automaton, and the tables that say where it need not be asked.
//!
//! The automaton is anchored: it is started at every position at which something can start and run until it dies, which
//! on ordinary text is after a few bytes. It is lazy because the full one is too large (bounded repeats); its states live
//! in [`States`] of fixed capacity, one per thread. Everything here is a pure function of the rules
//! and the bytes: a cache that was emptied in between changes the time, never the result.

use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use crate::RulesError;
use crate::normal::is_word;

/// States of the lazy automaton that one thread keeps at most, in bytes. Mixed texts need 9 MiB with the built-in rules; with
/// less the states are built over and over, at a tenth of the speed.
const CACHE_BYTES: usize = 12 << 20;
/// How large the automaton's source (its NFA) may be, in bytes: stops a user's rule that is too much.
const NFA_BYTES: usize = 24 << 20;

/// The compiled patterns.
pub(crate) struct Automaton {
    dfa: DFA,
    numbers: Box<[u32]>,
    starts: Box<Starts>,
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Automaton").field("bytes", &self.dfa.memory_usage()).finish_non_exhaustive()
    }
}

/// The states a thread has met so far.
#[derive(Debug)]
pub(crate) struct States {
    id: u64,
    cache: Cache,
}

impl States {
    fn new(dfa: &DFA) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), cache: dfa.create_cache() }
    }

    /// A state is valid as long as this stays the same.
    fn stamp(&self) -> Stamp {
        Stamp { scratch: self.id, cleared: self.cache.clear_count() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    scratch: u64,
    cleared: usize,
}

/// A match: of which pattern, and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Match {
    pub pattern: u32,
    pub end: usize,
}

/// Where a run stands when the bytes at hand are used up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paused {
    state: LazyStateID,
    stamp: Stamp,
    at: usize,
}

impl Paused {
    /// How far it came.
    pub(crate) const fn at(self) -> usize {
        self.at
    }

    /// The first `by` bytes of the text were dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.at = self.at.saturating_sub(by);
    }
}

/// What became of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Run {
    /// Nothing more can match; the byte that showed it is the one before this position.
    Dead(usize),
    /// More bytes may bring more matches.
    Alive(Paused),
}

impl Automaton {
    /// All patterns in one, each with the number it is reported by.
    pub(crate) fn new(patterns: &[(u32, &Hir)]) -> Result<Self, RulesError> {
        let automaton = Self::to_run(patterns)?;
        let starts = Starts::new(&automaton.dfa).map_err(|e| RulesError::Together(e.to_string().into()))?;
        Ok(Self { starts, ..automaton })
    }

    /// The same, sooner made, for starts that are known otherwise: asked where something can start it says everywhere.
    pub(crate) fn to_run(patterns: &[(u32, &Hir)]) -> Result<Self, RulesError> {
        let together = |e: &dyn std::fmt::Display| RulesError::Together(e.to_string().into());
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(NFA_BYTES)),
            )
            .build_many_from_hir(&patterns.iter().map(|(_, hir)| *hir).collect::<Vec<_>>())
            .map_err(|e| together(&e))?;
        let dfa = DFA::builder()
            .configure(
                Config::new()
                    .match_kind(MatchKind::All)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true),
            )
            .build_from_nfa(nfa)
            .map_err(|e| together(&e))?;
        let numbers = patterns.iter().map(|(number, _)| *number).collect();
        Ok(Self { dfa, numbers, starts: Starts::everywhere() })
    }

    /// No states yet.
    pub(crate) fn states(&self) -> States {
        States::new(&self.dfa)
    }

    /// Which three bytes can begin a match, by [`third`]: a bit is set if any three bytes of that number can.
    pub(crate) fn thirds(&self) -> Result<Box<Thirds>, RulesError> {
        let together = |e: &dyn std::fmt::Display| RulesError::Together(e.to_string().into());
        let mut states = self.states();
        let cache = &mut states.cache;
        let mut thirds = Box::new([0; THIRDS]);
        let classes: Vec<u8> =
            self.dfa.byte_classes().representatives(..).filter_map(|unit| unit.as_u8()).collect();
        let mut members: Vec<Vec<u8>> = vec![Vec::new(); classes.len()];
        for b in 0..=u8::MAX {
            let class = self.dfa.byte_classes().get(b);
            if let Some(members) = members.get_mut(usize::from(class)) {
                members.push(b);
            }
        }
        for before in [None, Some(b'a')] {
            let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
            for (a, b) in classes.iter().flat_map(|a| classes.iter().map(move |b| (*a, *b))) {
                let (after_none, after_word) = self.can_start(a, Some(b));
                if !(if before.is_some() { after_word } else { after_none }) {
                    continue;
                }
                for &c in &classes {
                    // From the root each time: what the cache dropped in between is not a state any more.
                    let Ok(mut state) = self.dfa.start_state(cache, &config) else { continue };
                    for byte in [a, b, c] {
                        state = self.dfa.next_state(cache, state, byte).map_err(|e| together(&e))?;
                    }
                    if state.is_dead() {
                        continue;
                    }
                    let of = |b: u8| {
                        members.get(usize::from(self.dfa.byte_classes().get(b))).map_or(&[][..], |m| m)
                    };
                    for (x, y) in of(a).iter().flat_map(|x| of(b).iter().map(move |y| (*x, *y))) {
                        for z in of(c) {
                            let (word, bit) = third(x, y, *z);
                            thirds[word] |= bit;
                        }
                    }
                }
            }
        }
        Ok(thirds)
    }

    /// Whether a match can begin with these bytes after no word character, and after one.
    pub(crate) fn can_start(&self, a: u8, b: Option<u8>) -> (bool, bool) {
        let (a, starts) = (usize::from(a), &self.starts);
        let of = b.map_or(starts.first[a], |b| starts.pair[a][usize::from(b)]);
        (of & 1 != 0, of & 2 != 0)
    }

    /// The first position from `at` on at which something can start. A position whose next byte is not at hand counts.
    #[inline]
    pub(crate) fn next_start(&self, text: &[u8], at: usize) -> Option<usize> {
        self.starts.next(text, at)
    }

    /// Runs from `start` over `text[..limit]`, noting every match.
    #[inline]
    pub(crate) fn run(
        &self,
        states: &mut States,
        text: &[u8],
        start: usize,
        limit: usize,
        matches: &mut Vec<Match>,
    ) -> Run {
        let before = start.checked_sub(1).and_then(|i| text.get(i)).copied();
        let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
        match self.dfa.start_state(&mut states.cache, &config) {
            Ok(state) => self.walk(states, text, state, start, limit, matches),
            Err(_) => Run::Dead(start),
        }
    }

    /// Goes on with a paused run that began at `start`.
    pub(crate) fn resume(
        &self,
        states: &mut States,
        text: &[u8],
        (start, paused): (usize, Paused),
        limit: usize,
        matches: &mut Vec<Match>,
    ) -> Run {
        if paused.stamp == states.stamp() {
            self.walk(states, text, paused.state, paused.at, limit, matches)
        } else {
            matches.clear();
            self.run(states, text, start, limit, matches)
        }
    }

    /// The text ends where the run stands: notes the matches that this completes.
    pub(crate) fn end(
        &self,
        states: &mut States,
        text: &[u8],
        (start, paused): (usize, Paused),
        matches: &mut Vec<Match>,
    ) {
        let Run::Alive(paused) = self.resume(states, text, (start, paused), paused.at, matches) else {
            return;
        };
        if let Ok(state) = self.dfa.next_eoi_state(&mut states.cache, paused.state) {
            self.note(states, state, paused.at, matches);
        }
    }

    #[inline]
    fn walk(
        &self,
        states: &mut States,
        text: &[u8],
        mut state: LazyStateID,
        from: usize,
        limit: usize,
        matches: &mut Vec<Match>,
    ) -> Run {
        let mut at = from;
        for &byte in text.get(from..limit).unwrap_or_default() {
            let mut next = if state.is_tagged() {
                LazyStateID::default()
            } else {
                self.dfa.next_state_untagged(&states.cache, state, byte)
            };
            if state.is_tagged() || next.is_unknown() {
                next = match self.dfa.next_state(&mut states.cache, state, byte) {
                    Ok(next) => next,
                    Err(_) => return Run::Dead(at + 1),
                };
            }
            if next.is_tagged() {
                if next.is_dead() || next.is_quit() {
                    return Run::Dead(at + 1);
                }
                // The automaton reports a match one byte late.
                self.note(states, next, at, matches);
            }
            state = next;
            at += 1;
        }
        Run::Alive(Paused { state, stamp: states.stamp(), at })
    }

    #[inline]
    fn note(&self, states: &States, state: LazyStateID, end: usize, matches: &mut Vec<Match>) {
        if state.is_match() {
            for i in 0..self.dfa.match_len(&states.cache, state) {
                let pattern = self.dfa.match_pattern(&states.cache, state, i);
                if let Some(pattern) = self.numbers.get(pattern.as_usize()).copied() {
                    matches.push(Match { pattern, end });
                }
            }
        }
    }

    /// Bytes of the compiled patterns, the scratches not counted.
    pub(crate) fn memory(&self) -> usize {
        self.dfa.memory_usage() + self.dfa.get_nfa().memory_usage() + size_of::<Starts>()
    }
}

/// One bit for three bytes, which are told apart as [`FIFTH`] does.
pub(crate) type Thirds = [u64; THIRDS];
pub(crate) const THIRDS: usize = 1 << 9;

/// Letters whatever their case, digits, space, and three sorts of others, in five bits.
const FIFTH: [u8; 256] = {
    let mut table = [31; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            letter @ b'a'..=b'z' => letter - b'a',
            letter @ b'A'..=b'Z' => letter - b'A',
            b'0'..=b'9' => 26,
            b' ' => 27,
            b'.' | b'-' | b':' => 28,
            b'_' | 0x80.. => 29,
            _ => 30,
        };
        b += 1;
    }
    table
};

/// Where the bit of three bytes is.
#[inline]
pub(crate) const fn third(a: u8, b: u8, c: u8) -> (usize, u64) {
    let (a, b, c) = (FIFTH[a as usize], FIFTH[b as usize], FIFTH[c as usize]);
    let number = (a as usize) << 10 | (b as usize) << 5 | c as usize;
    (number >> 6, 1 << (number & 63))
}

/// Which pairs of bytes can begin a match, after a word character and after none.
struct Starts {
    /// Bit 0: can begin after no word character; bit 1: after one; by the first byte.
    first: [u8; 256],
    /// The same by the first two bytes.
    pair: [[u8; 256]; 256],
}

impl Starts {
    fn everywhere() -> Box<Self> {
        Box::new(Self { first: [3; 256], pair: [[3; 256]; 256] })
    }

    fn new(dfa: &DFA) -> Result<Box<Self>, regex_automata::hybrid::CacheError> {
        let mut cache = dfa.create_cache();
        let mut starts = Box::new(Self { first: [0; 256], pair: [[0; 256]; 256] });
        for before in [None, Some(b' '), Some(b'\n'), Some(b'\r'), Some(b'a')] {
            let bit = if before.is_some_and(is_word) { 2 } else { 1 };
            let config = start::Config::new().anchored(Anchored::Yes).look_behind(before);
            for (a, (first, pairs)) in (0..=u8::MAX).zip(starts.first.iter_mut().zip(&mut starts.pair)) {
                let Ok(root) = dfa.start_state(&mut cache, &config) else { continue };
                if dfa.next_state(&mut cache, root, a)?.is_dead() {
                    continue;
                }
                *first |= bit;
                for (b, pair) in (0..=u8::MAX).zip(pairs) {
                    // From the root each time: what the cache dropped in between is not a state any more.
                    let Ok(root) = dfa.start_state(&mut cache, &config) else { continue };
                    let one = dfa.next_state(&mut cache, root, a)?;
                    if !dfa.next_state(&mut cache, one, b)?.is_dead() {
                        *pair |= bit;
                    }
                }
            }
        }
        Ok(starts)
    }

    #[inline]
    fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        let before = at.checked_sub(1).and_then(|i| text.get(i)).copied();
        let mut bit = if before.is_some_and(is_word) { 2 } else { 1 };
        let rest = text.get(at..).unwrap_or_default();
        for (i, pair) in rest.windows(2).enumerate() {
            let &[a, b] = pair else { break };
            if self.pair[usize::from(a)][usize::from(b)] & bit != 0 {
                return Some(at + i);
            }
            bit = 1 + u8::from(is_word(a));
        }
        let last = *rest.last()?;
        if rest.len() > 1 {
            bit = 1 + u8::from(rest.get(rest.len() - 2).copied().is_some_and(is_word));
        }
        (self.first[usize::from(last)] & bit != 0).then(|| at + rest.len() - 1)
    }
}
