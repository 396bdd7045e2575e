//! Addresses in a text that arrives in pieces.
//!
//! The text is settled word by word: what stands between spaces is looked at once it is whole, together with what is open
//! around it (brackets of Markdown, a tag of HTML). So the outcome does not depend on how the text was cut. A word that does not
//! end is settled by its length alone.

use std::fmt;
use std::sync::Arc;

use chatward_message::{Channel, Sign, Span};
use zeroize::Zeroize;

use super::find::{How, Link, find};
use super::judge::{Judge, JudgedLink};
use super::open::Open;
use super::seen::{is_spaceless, see};

/// No more bytes of original text than this are ever held back.
pub const LINK_HOLD: usize = 192;
/// So much of a word that goes on is kept when the rest is given out: a label of a name is no longer.
const KEPT: usize = 80;

/// What a [`LinkWindow`] gives out, in the order of the text. Joined, the texts give the original, byte by byte.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkOut<'a> {
    /// Text without an address that has anything against it.
    Text(&'a str),
    /// An address with something against it, and its text; after a [`LinkWindow::pause`] what of it was not given out yet.
    /// Spans count from the start of the stream.
    Found(&'a JudgedLink, &'a str),
    /// Such an address whose end has not come; the text so far.
    LongStart(&'a JudgedLink, &'a str),
    /// More of it.
    LongMore(&'a str),
    /// It ended.
    LongEnd,
}

/// What somebody else knows of an address: they are given each, and the text it stands in.
pub type Known = Box<dyn Fn(&Link, &str) -> Option<Sign> + Send>;

/// Text in pieces goes in, settled text and judged addresses come out: the same whatever the cutting.
///
/// At most [`LINK_HOLD`] bytes are held. An address that is longer is given out as [`LinkOut::LongStart`] … [`LinkOut::LongEnd`].
/// What a link shows and what it leads to may be far apart: only the address is given out as found. Names that are written with
/// spaces between are not looked for: nobody can click them, and the whole text tells them ([`Judge::text`]).
pub struct LinkWindow {
    judge: Arc<Judge>,
    channel: Channel,
    values: Vec<String>,
    known: Option<Known>,
    open: Open,
    /// What is not settled, where it begins in the stream, and how much of it was given out.
    word: String,
    at: usize,
    given: usize,
    /// Settled text that is given out with the next event.
    ready: String,
    long: bool,
}

impl LinkWindow {
    /// A window over one stream of text from this channel. `values` must not leave in an address.
    pub fn new(judge: Arc<Judge>, channel: Channel, values: &[&str]) -> Self {
        Self {
            judge,
            channel,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            known: None,
            open: Open::default(),
            word: String::new(),
            at: 0,
            given: 0,
            ready: String::new(),
            long: false,
        }
    }

    /// The same, asking somebody else about each address as well.
    #[must_use]
    pub fn asking(mut self, known: Known) -> Self {
        self.known = Some(known);
        self
    }

    /// Takes the next piece and gives out what is settled.
    pub fn push(&mut self, piece: &str, sink: &mut impl FnMut(LinkOut<'_>)) {
        for c in piece.chars() {
            if self.long && self.ends(c) {
                self.end_long(sink);
            }
            if self.long {
                self.open.step(c);
                self.ready.push(c);
                self.at += c.len_utf8();
            } else if self.breaks(c) {
                self.settle(sink);
                self.open.step(c);
                self.ready.push(c);
                self.at += c.len_utf8();
            } else {
                self.word.push(c);
                if self.word.len() > LINK_HOLD - 4 {
                    self.overflow(sink);
                }
            }
        }
        self.flush(sink);
    }

    /// Nothing came for a while: gives out a word that has nothing of an address so far. The search goes on as if nothing
    /// had been.
    pub fn pause(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        if self.word.chars().all(char::is_alphanumeric) && self.given < self.word.len() {
            self.ready.push_str(self.word.get(self.given..).unwrap_or_default());
            self.given = self.word.len();
            self.flush(sink);
        }
    }

    /// The stream ends: everything is settled and given out. Then the window is as new, for the next stream.
    pub fn finish(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        if self.long {
            self.end_long(sink);
        }
        self.settle(sink);
        self.flush(sink);
        self.open = Open::default();
        self.at = 0;
    }

    /// Bytes of original text held back now; never above [`LINK_HOLD`].
    pub fn held(&self) -> usize {
        self.word.len() - self.given
    }

    fn flush(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        if !self.ready.is_empty() {
            sink(if self.long { LinkOut::LongMore(&self.ready) } else { LinkOut::Text(&self.ready) });
            self.ready.zeroize();
        }
    }

    fn end_long(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        self.flush(sink);
        self.long = false;
        sink(LinkOut::LongEnd);
    }

    /// Whether a character is no part of a word that may hold an address.
    fn breaks(&self, c: char) -> bool {
        let apart = |b: u8| b <= b' ' || b == super::seen::OTHER;
        see(c).is_some_and(|b| apart(b) || (is_spaceless(b) && !self.word.contains("://")))
    }

    /// Whether a long address ends before this character.
    fn ends(&self, c: char) -> bool {
        matches!(c, '<' | '>' | '"' | '`')
            || see(c).is_some_and(|b| b <= b' ' || b == super::seen::OTHER)
            || (c == ')' && self.open.closes())
    }

    /// The word is whole.
    fn settle(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        let length = self.word.len();
        let judged = self.judged();
        self.give(judged, length, sink);
    }

    /// The word is as long as may be held, and goes on.
    fn overflow(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        let length = self.word.len();
        let mut judged = self.judged();
        let end = self.at + length;
        if judged.last().is_some_and(|(last, _)| last.link.target.end >= end) {
            let Some((last, against)) = judged.pop() else { return };
            let start = last.link.target.start - self.at;
            self.give(judged, start, sink);
            self.flush(sink);
            let from = self.given.min(self.word.len());
            if against {
                sink(LinkOut::LongStart(&last, self.word.get(from..).unwrap_or_default()));
                self.long = true;
            } else {
                // Nothing is against it, however long it gets: the rest is settled as a word of its own.
                self.ready.push_str(self.word.get(from..).unwrap_or_default());
            }
            self.drop_front(self.word.len());
            return;
        }
        let mut cut = length - KEPT;
        if let Some((over, _)) = judged
            .iter()
            .find(|(j, _)| j.link.target.start < self.at + cut && self.at + cut < j.link.target.end)
        {
            cut = over.link.target.end - self.at;
        }
        while !self.word.is_char_boundary(cut) {
            cut += 1;
        }
        judged.retain(|(j, _)| j.link.target.end <= self.at + cut);
        self.give(judged, cut, sink);
    }

    /// The addresses in the word, in their order, with what is open around it, and whether something is against them.
    fn judged(&mut self) -> Vec<(JudgedLink, bool)> {
        if !self.word.contains([
            '.', ':', '/', '\\', '%', '&', '\u{3002}', '\u{FF0E}', '\u{FF61}', '\u{FF1A}', '\u{FF0F}',
            '\u{2024}',
        ]) {
            return Vec::new();
        }
        let mut text = self.open.before();
        let before = text.len();
        text.push_str(&self.word);
        let mut after = self.open.clone();
        self.word.chars().for_each(|c| after.step(c));
        after.close(&mut text);
        let found = find(&text);
        let (from, to) = (before, before + self.word.len());
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let mut all: Vec<(JudgedLink, bool)> = Vec::new();
        for mut link in found.links {
            let target = Span::new(link.target.start.max(from), link.target.end.min(to));
            if target.is_empty() || link.target.start < from {
                continue;
            }
            if matches!(link.how, How::Bare | How::Defanged | How::Split) {
                self.open.shows(link.url.host());
            }
            // Which reference uses a definition may only come later: it is taken for an image.
            // So is what stands in a `url(` that has not ended.
            let head = text_before(&self.word, target.start - before);
            link.loads |= link.how == How::Reference || head.ends_with("url(");
            let known = self.known.as_ref().and_then(|known| known(&link, &text));
            let place = Span::new(self.at + target.start - before, self.at + target.end - before);
            all.push(self.verdict(Link { span: place, target: place, ..link }, &values, known));
        }
        text.zeroize();
        all.sort_by_key(|(judged, _)| judged.link.target.start);
        let mut end = 0;
        all.retain(|(judged, _)| {
            let apart = judged.link.target.start >= end;
            end = end.max(judged.link.target.end);
            apart
        });
        all
    }

    fn verdict(&self, link: Link, values: &[&str], known: Option<Sign>) -> (JudgedLink, bool) {
        let mut signs = self.judge.link(&link, self.channel, values);
        signs.extend(known.map(|sign| Sign { span: Some(link.span), ..sign }));
        let allowed = self.judge.is_allowed(&link.url);
        let against = !signs.is_empty();
        (JudgedLink { link, signs, allowed }, against)
    }

    /// Gives out so much of the word, with what was found in it.
    fn give(&mut self, judged: Vec<(JudgedLink, bool)>, length: usize, sink: &mut impl FnMut(LinkOut<'_>)) {
        let mut at = self.given;
        for (found, _) in judged.iter().filter(|(_, against)| *against) {
            let (start, end) = (found.link.target.start - self.at, found.link.target.end - self.at);
            if at < start {
                self.ready.push_str(self.word.get(at..start).unwrap_or_default());
            }
            self.flush(sink);
            sink(LinkOut::Found(found, self.word.get(start.max(at)..end).unwrap_or_default()));
            at = at.max(end);
        }
        if at < length {
            self.ready.push_str(self.word.get(at..length).unwrap_or_default());
        }
        self.drop_front(length);
    }

    /// The first bytes of the word are settled.
    fn drop_front(&mut self, length: usize) {
        let Some(front) = self.word.get(..length) else { return };
        front.chars().for_each(|c| self.open.step(c));
        self.at += length;
        self.given = self.given.saturating_sub(length);
        let rest = self.word.get(length..).unwrap_or_default().to_owned();
        self.word.zeroize();
        self.word = rest;
    }
}

/// What stands before an address, without a quote.
fn text_before(word: &str, at: usize) -> String {
    let head = word.get(..at).unwrap_or_default().trim_end_matches(['"', '\'']);
    let mut start = head.len().saturating_sub(4);
    while !head.is_char_boundary(start) {
        start += 1;
    }
    head.get(start..).unwrap_or_default().to_ascii_lowercase()
}

impl Drop for LinkWindow {
    fn drop(&mut self) {
        self.word.zeroize();
        self.ready.zeroize();
        self.values.zeroize();
    }
}

impl fmt::Debug for LinkWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkWindow")
            .field("at", &self.at)
            .field("held", &self.held())
            .field("long", &self.long)
            .finish_non_exhaustive()
    }
}
