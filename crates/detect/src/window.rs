//! Text that arrives in pieces.

use std::fmt;
use std::sync::Arc;

use chatward_message::Finding;
use zeroize::Zeroize;

use crate::automaton::States;
use crate::engine::{Core, Mark, Search, Settled, View};
use crate::normal;
use crate::{Context, Detector, Heeded};

/// No more bytes of original text than this are ever held back.
pub const HOLD: usize = 192;
/// Normalised text that is not needed any more is dropped when it is at least this long.
const TRIM: usize = 2048;
/// How much of the previous turn is kept, in characters.
const PREVIOUS: usize = 1024;

/// What a [`Window`] gives out, in the order of the text. Joined, the texts give the original, byte by byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Out<'a> {
    /// Words in which nothing was found; they are settled.
    Text(&'a str),
    /// A finding (span in bytes from the start of the stream) and its text; after a [`Window::pause`] what of its text was
    /// not given out yet.
    Found(&'a Finding, &'a str),
    /// A value without a known end begins; the finding's span and the text are those of its head.
    LongStart(&'a Finding, &'a str),
    /// More of that value.
    LongMore(&'a str),
    /// It ended; the finding's span is now the whole value.
    LongEnd(&'a Finding),
}

/// Text in pieces goes in, settled text and findings come out: the same whatever the cutting.
///
/// A byte is given out as soon as it can be part of no finding that is still open; never more than [`HOLD`] bytes are
/// held. A value whose end may be far away is given out as [`Out::LongStart`] … [`Out::LongEnd`] while it runs.
pub struct Window {
    detector: Arc<Detector>,
    stream: Stream,
    rules_alone: bool,
    previous: Option<String>,
    /// Original text from `given` on.
    held: String,
    given: usize,
    long: bool,
}

impl Window {
    /// A window over one stream of text.
    pub fn new(detector: Arc<Detector>, context: Context<'_>) -> Self {
        Self::over(detector, context, false)
    }

    /// A window in which the rules alone look: the tagger finds no names there, and nothing is held back for them.
    pub fn of_rules(detector: Arc<Detector>, context: Context<'_>) -> Self {
        Self::over(detector, context, true)
    }

    fn over(detector: Arc<Detector>, context: Context<'_>, rules_alone: bool) -> Self {
        let previous = context.previous.map(|text| {
            let from = text.char_indices().rev().nth(PREVIOUS - 1).map_or(0, |(at, _)| at);
            text.get(from..).unwrap_or_default().to_owned()
        });
        let stream = Stream::looked_at_by(rules_alone);
        Self { detector, stream, rules_alone, previous, held: String::new(), given: 0, long: false }
    }

    /// Takes the next piece and gives out what is settled.
    pub fn push(&mut self, piece: &str, sink: &mut impl FnMut(Out<'_>)) {
        if piece.is_empty() {
            return;
        }
        self.held.push_str(piece);
        let core = self.detector.core();
        core.with(|s| self.stream.push(core, &mut s.states, piece, self.previous.as_deref()));
        self.give(sink);
    }

    /// Nothing came for a while: gives out what can be part of no finding by a rule that is heeded. What may become one of
    /// theirs stays held; the search goes on as if nothing had been. Another detector's rules let nothing go.
    pub fn pause(&mut self, heeded: &Heeded, sink: &mut impl FnMut(Out<'_>)) {
        if self.held.is_empty() || !heeded.is_of(&self.detector) {
            return;
        }
        let free = self.stream.heeded_from(heeded);
        let by = free.saturating_sub(self.given);
        let Some(words) = self.held.get(..by).filter(|words| !words.is_empty()) else { return };
        sink(if self.long { Out::LongMore(words) } else { Out::Text(words) });
        self.held.drain(..by);
        self.given = free;
    }

    /// What came so far never joins what comes after (a placeholder stands here): all of it is settled and given out.
    /// Words before still count as context of what comes after.
    pub fn barrier(&mut self, sink: &mut impl FnMut(Out<'_>)) {
        let core = self.detector.core();
        core.with(|s| self.stream.end(core, &mut s.states, self.previous.as_deref()));
        self.give(sink);
    }

    /// The stream ends: everything is settled and given out. Then the window is as new, for the next stream.
    pub fn finish(&mut self, sink: &mut impl FnMut(Out<'_>)) {
        self.barrier(sink);
        self.wipe();
        self.stream = Stream::looked_at_by(self.rules_alone);
        self.given = 0;
        self.long = false;
    }

    /// Bytes of original text held back now; never above [`HOLD`].
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn give(&mut self, sink: &mut impl FnMut(Out<'_>)) {
        let (held, base) = (self.held.as_str(), self.given);
        let text = |from: usize, to: usize| {
            held.get(from.saturating_sub(base)..to.saturating_sub(base)).unwrap_or_default()
        };
        let mut given = base;
        for settled in self.stream.search.settled.drain(..) {
            match settled {
                Settled::Found(f) => {
                    if given < f.span.start {
                        sink(Out::Text(text(given, f.span.start)));
                    }
                    sink(Out::Found(&f, text(f.span.start.max(given), f.span.end)));
                    given = given.max(f.span.end);
                }
                Settled::LongStart(f) => {
                    if given < f.span.start {
                        sink(Out::Text(text(given, f.span.start)));
                    }
                    sink(Out::LongStart(&f, text(f.span.start.max(given), f.span.end)));
                    given = given.max(f.span.end);
                    self.long = true;
                }
                Settled::LongEnd(f) => {
                    if given < f.span.end {
                        sink(Out::LongMore(text(given, f.span.end)));
                    }
                    sink(Out::LongEnd(&f));
                    given = given.max(f.span.end);
                    self.long = false;
                }
            }
        }
        let free = self.stream.search.hold_from(self.stream.at).max(given);
        if given < free {
            let words = text(given, free);
            sink(if self.long { Out::LongMore(words) } else { Out::Text(words) });
        }
        self.held.drain(..free.saturating_sub(base).min(self.held.len()));
        self.given = free;
    }

    fn wipe(&mut self) {
        self.held.zeroize();
        self.stream.seen.zeroize();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.wipe();
        self.previous.zeroize();
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { detector: _, stream, rules_alone: _, previous: _, held, given: _, long } = self;
        f.debug_struct("Window")
            .field("at", &stream.at)
            .field("held", &held.len())
            .field("long", long)
            .finish_non_exhaustive()
    }
}

/// The search in a text that comes in pieces, without the text.
#[derive(Default)]
pub(crate) struct Stream {
    pub search: Search,
    seen: Vec<u8>,
    marks: Vec<Mark>,
    at: usize,
}

impl Stream {
    fn looked_at_by(rules_alone: bool) -> Self {
        if rules_alone { Self::new(Search::of_rules_alone()) } else { Self::default() }
    }

    /// A stream in which this search looks.
    pub(crate) fn new(search: Search) -> Self {
        Self { search, ..Self::default() }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, core: &Core, states: &mut States, piece: &str, previous: Option<&str>) {
        if piece.is_ascii() {
            self.seen.extend_from_slice(piece.as_bytes());
            self.marks.extend((self.at..self.at + piece.len()).map(|i| Mark { start: i, end: i + 1 }));
        } else {
            for (i, c) in piece.char_indices() {
                if let Some(byte) = normal::fold(c) {
                    self.seen.push(byte);
                    let start = self.at + i;
                    self.marks.push(Mark { start, end: start + c.len_utf8() });
                }
            }
        }
        self.at += piece.len();
        self.advance(core, states, previous, false);
        self.trim();
    }

    /// Nothing joins across this point.
    pub(crate) fn end(&mut self, core: &Core, states: &mut States, previous: Option<&str>) {
        self.advance(core, states, previous, true);
        self.seen.push(normal::OTHER);
        self.marks.push(Mark { start: self.at, end: self.at });
        self.search.skip(self.seen.len());
    }

    /// The original position from which text may be part of a finding by one of these rules.
    fn heeded_from(&self, heeded: &Heeded) -> usize {
        let view = View { seen: &self.seen, marks: Some(&self.marks), at: self.at, ends: false };
        self.search.heeded_from(&view, heeded)
    }

    fn advance(&mut self, core: &Core, states: &mut States, previous: Option<&str>, ends: bool) {
        let view = View { seen: &self.seen, marks: Some(&self.marks), at: self.at, ends };
        self.search.advance(core, states, &view, previous);
    }

    fn trim(&mut self) {
        if self.seen.len() < 2 * TRIM {
            return;
        }
        let by = self.search.needs();
        if by >= TRIM {
            self.seen.drain(..by);
            self.marks.drain(..by);
            self.search.shift(by);
        }
    }
}
