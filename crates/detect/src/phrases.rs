//! Lists of phrases: staff, customers, products, up to millions of lines.
//!
//! A list is one sorted automaton (`fst`) over what matching sees of its phrases, so that five million names take tens of
//! megabytes and a text is compared with all of them at once. A phrase is looked for at every place where a word can
//! begin, byte by byte, until nothing in the list begins like the text: at most `HOLD` bytes, however long the list is.
//!
//! Any white space counts as one space. What matching cannot tell apart (`normal.rs` sees most letters of scripts other
//! than Latin as one) cannot be told apart in a list either: such phrases are refused.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{Context as Hash, SHA256};
use fst::raw::{CompiledAddr, Fst};
use fst::{Set, SetBuilder};

use crate::engine::View;
use crate::normal::{self, is_word};

/// The longest phrase, in bytes of what matching sees.
pub(crate) const LONGEST: usize = 128;

/// Lists of phrases by the name of the rule file that asks for one.
pub type Lists = BTreeMap<String, Arc<Phrases>>;

/// A list of phrases, ready to be looked for.
#[derive(Clone)]
pub struct Phrases {
    set: Set<Vec<u8>>,
    exact_case: bool,
    /// Bytes that begin a phrase.
    first: Box<[bool; 256]>,
    longest: usize,
    hash: [u8; 32],
}

/// A line of a list that cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PhraseFault {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it, without its words.
    pub what: &'static str,
}

impl fmt::Debug for Phrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { set, exact_case, first: _, longest: _, hash } = self;
        // Never the phrases; the hash stands for them.
        let hash = hash.iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        write!(f, "Phrases({} exact_case={exact_case} {hash})", set.len())
    }
}

impl PartialEq for Phrases {
    fn eq(&self, other: &Self) -> bool {
        (self.hash, self.exact_case) == (other.hash, other.exact_case)
    }
}

impl Phrases {
    /// A list of these phrases, in any case.
    ///
    /// # Errors
    /// Names the first one that cannot be looked for.
    pub fn of<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Result<Self, PhraseFault> {
        let mut collector = PhraseCollector::new(false);
        for phrase in phrases {
            collector.add(phrase)?;
        }
        collector.finish()
    }

    /// How many different phrases there are.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Bytes of memory the list takes.
    pub fn memory(&self) -> usize {
        self.set.as_fst().as_bytes().len()
    }

    /// The longest phrase, in bytes.
    pub(crate) const fn longest(&self) -> usize {
        self.longest
    }

    /// Whether what matching sees of a value is, as a whole, one of the phrases.
    pub(crate) fn holds(&self, seen: &[u8]) -> bool {
        self.set.contains(key(seen, self.exact_case))
    }

    /// A phrase of the list, for trying out: the `nth` that comes to hand.
    pub(crate) fn sample(&self, nth: u8) -> Vec<u8> {
        let fst = self.set.as_fst();
        let (mut node, mut phrase) = (fst.root(), Vec::new());
        while !node.is_empty() && phrase.len() < LONGEST {
            let t = node.transition(usize::from(nth) % node.len());
            phrase.push(t.inp);
            node = fst.node(t.addr);
        }
        phrase
    }

    fn fst(&self) -> &Fst<Vec<u8>> {
        self.set.as_fst()
    }
}

/// Collects the phrases of a list, line by line, without keeping the lines.
#[derive(Debug)]
pub struct PhraseCollector {
    exact_case: bool,
    /// Length and bytes of each phrase.
    all: Vec<u8>,
    starts: Vec<u32>,
    lines: usize,
}

impl PhraseCollector {
    /// An empty list.
    pub const fn new(exact_case: bool) -> Self {
        Self { exact_case, all: Vec::new(), starts: Vec::new(), lines: 0 }
    }

    /// Takes a line. Empty ones are passed over.
    ///
    /// # Errors
    /// Says why this line cannot be looked for.
    pub fn add(&mut self, line: &str) -> Result<(), PhraseFault> {
        self.lines += 1;
        let fault = |what| PhraseFault { line: self.lines, what };
        if line.trim().is_empty() {
            return Ok(());
        }
        // Letters without a mark keep their byte, all others of their script share one.
        let unclear = line.chars().filter(|c| *c != '_' && is_unclear(*c)).count();
        let phrase = key(&normal::folded(line), self.exact_case);
        let clear = phrase.iter().filter(|b| b.is_ascii_alphanumeric()).count();
        let wide = phrase.iter().filter(|b| **b >= 0x80).count();
        if phrase.is_empty() {
            return Err(fault("holds nothing that can be seen"));
        }
        if unclear > clear || (wide > 0 && wide + clear < 3) {
            return Err(fault("its characters cannot be told apart well enough"));
        }
        let length = u8::try_from(phrase.len()).ok().filter(|length| usize::from(*length) <= LONGEST);
        let length = length.ok_or(fault("is longer than 128 characters"))?;
        let start = u32::try_from(self.all.len()).map_err(|_| fault("the list is longer than 4 GiB"))?;
        self.all.push(length);
        self.all.extend_from_slice(&phrase);
        self.starts.push(start);
        Ok(())
    }

    /// Lines are counted anew from here on: another file begins.
    pub const fn next_file(&mut self) {
        self.lines = 0;
    }

    /// The list.
    ///
    /// # Errors
    /// If it holds no phrase.
    pub fn finish(self) -> Result<Phrases, PhraseFault> {
        let Self { exact_case, all, mut starts, lines } = self;
        let phrase = |start: &u32| -> &[u8] {
            let at = usize::try_from(*start).unwrap_or(usize::MAX);
            let length = all.get(at).copied().map_or(0, usize::from);
            all.get(at + 1..at + 1 + length).unwrap_or_default()
        };
        if starts.is_empty() {
            return Err(PhraseFault { line: lines, what: "the list is empty" });
        }
        starts.sort_unstable_by(|a, b| phrase(a).cmp(phrase(b)));
        starts.dedup_by(|a, b| phrase(a) == phrase(b));
        let mut hash = Hash::new(&SHA256);
        let mut first = Box::new([false; 256]);
        let mut longest = 0;
        let mut builder = SetBuilder::memory();
        for start in &starts {
            let phrase = phrase(start);
            hash.update(phrase);
            hash.update(b"\n");
            if let Some(slot) = phrase.first().and_then(|b| first.get_mut(usize::from(*b))) {
                *slot = true;
            }
            longest = longest.max(phrase.len());
            // They are sorted and written into memory.
            let damaged = |_| PhraseFault { line: lines, what: "the list cannot be sorted" };
            builder.insert(phrase).map_err(damaged)?;
        }
        drop((all, starts));
        let damaged = |_| PhraseFault { line: lines, what: "the list cannot be built" };
        let mut bytes = builder.into_inner().map_err(damaged)?;
        bytes.shrink_to_fit();
        let set = Set::new(bytes).map_err(damaged)?;
        let hash = hash.finish().as_ref().first_chunk().copied().unwrap_or_default();
        Ok(Phrases { set, exact_case, first, longest, hash })
    }
}

/// Whether a character shares what is seen of it with all others of its script.
fn is_unclear(c: char) -> bool {
    matches!(normal::fold(c), Some(b'_' | normal::OTHER))
}

/// How a phrase and a text are compared.
fn key(seen: &[u8], exact_case: bool) -> Vec<u8> {
    let mut key: Vec<u8> = Vec::with_capacity(seen.len());
    for byte in seen.trim_ascii() {
        match compared(*byte, exact_case) {
            b' ' if key.last() == Some(&b' ') => {}
            byte => key.push(byte),
        }
    }
    key
}

#[inline]
const fn compared(byte: u8, exact_case: bool) -> u8 {
    match byte {
        b'\t'..=b'\r' => b' ',
        _ if exact_case => byte,
        _ => byte.to_ascii_lowercase(),
    }
}

/// A phrase list at work in a rule: the number of the pattern it stands for.
#[derive(Debug)]
pub(crate) struct List {
    pub pattern: u32,
    pub phrases: Arc<Phrases>,
}

/// A place from which a text is compared with a list.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Which list.
    pub list: usize,
    pub start: usize,
    pub original: usize,
    pub at: usize,
    node: CompiledAddr,
    /// Whether the last byte was white space.
    space: bool,
    /// Where phrases end, first end first.
    pub ends: Vec<usize>,
}

impl List {
    /// Begins at this place, if a phrase can.
    #[inline]
    pub(crate) fn begin(&self, list: usize, view: &View<'_>, start: usize) -> Option<Reading> {
        let byte = compared(*view.seen.get(start)?, self.phrases.exact_case);
        if !self.phrases.first.get(usize::from(byte)).copied().unwrap_or(false) || cuts_word(view.seen, start)
        {
            return None;
        }
        Some(Reading {
            list,
            start,
            original: view.start_of(start),
            at: start,
            node: self.phrases.fst().root().addr(),
            space: false,
            ends: Vec::new(),
        })
    }

    /// Goes on up to `limit`. Whether nothing more can come; the byte that showed it is the one before `reading.at`.
    pub(crate) fn walk(&self, reading: &mut Reading, seen: &[u8], limit: usize) -> bool {
        let fst = self.phrases.fst();
        let mut node = fst.node(reading.node);
        while let Some(byte) = seen.get(reading.at).filter(|_| reading.at < limit) {
            if node.is_final() && reading.at > reading.start && !cuts_word(seen, reading.at) {
                reading.ends.push(reading.at);
            }
            let byte = compared(*byte, self.phrases.exact_case);
            if byte != b' ' || !reading.space {
                let Some(next) = node.find_input(byte) else {
                    reading.at += 1;
                    return true;
                };
                node = fst.node(node.transition_addr(next));
            }
            reading.space = byte == b' ';
            reading.at += 1;
        }
        reading.node = node.addr();
        false
    }

    /// The text ends where the reading stands.
    pub(crate) fn end(&self, reading: &mut Reading) {
        if reading.at > reading.start && !reading.space && self.phrases.fst().node(reading.node).is_final() {
            reading.ends.push(reading.at);
        }
    }
}

/// Whether a word goes on over this place.
fn cuts_word(seen: &[u8], at: usize) -> bool {
    let word = |at: Option<usize>| at.and_then(|i| seen.get(i)).copied().is_some_and(is_word);
    word(at.checked_sub(1)) && word(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_folded_sorted_and_known_by_their_hash() {
        let a = Phrases::of(["Zoë  Smith", "", "anna", "ANNA"]).unwrap();
        let b = Phrases::of(["anna", "zoe smith"]).unwrap();
        assert_eq!((a.len(), a.longest()), (2, 9));
        assert_eq!(a, b);
        assert_ne!(a, Phrases::of(["anna"]).unwrap());
        assert!(a.holds(b"ANNA") && a.holds(b" zoe\nsmith") && !a.holds(b"ann"));
        assert!(!format!("{a:?}").to_lowercase().contains("anna"));
    }

    #[test]
    fn what_cannot_be_looked_for_is_named_by_its_line() {
        let fault = |lines: &[&str]| Phrases::of(lines.iter().copied()).unwrap_err().to_string();
        assert_eq!(fault(&["ok", &"x".repeat(129)]), "line 2: is longer than 128 characters");
        assert_eq!(fault(&["\u{200B}"]), "line 1: holds nothing that can be seen");
        assert_eq!(fault(&["", " "]), "line 2: the list is empty");
        // Most Cyrillic letters are seen as one, so that any word of this length would be found.
        assert!(fault(&["жизнь"]).contains("told apart"));
        assert!(fault(&["王"]).contains("told apart"));
        assert!(Phrases::of(["Łukasz", "Müller GmbH", "東京都", "snake_case"]).is_ok());
    }
}
