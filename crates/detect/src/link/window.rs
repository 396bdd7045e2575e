//! Addresses in a text that arrives in pieces.
//!
//! The text is settled word by word: what stands between spaces is looked at once it is whole, together with what is open
//! around it (brackets of Markdown, a tag of HTML). So the outcome does not depend on how the text was cut. A word that does not
//! end is settled by its length alone; an address that does not end is judged stretch by stretch ([`Further`]).

use std::fmt;
use std::sync::Arc;

use chatward_message::{Channel, Sign, Span};
use zeroize::Zeroize;

use super::find::{How, Link, find_within};
use super::further::Further;
use super::judge::{Judge, JudgedLink};
use super::open::{Context, Open};
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
    /// What is open behind all that came, where a tag may be.
    ahead: Option<Open>,
    /// What is not settled, where it begins in the stream, and how much of it was given out.
    word: String,
    at: usize,
    given: usize,
    /// Settled text that is given out with the next event.
    ready: String,
    /// The address that goes on; what of it is held stands in `word`.
    further: Option<Further>,
}

/// An address that one way or another to read a word gives.
struct Read {
    link: Link,
    /// Whether the word alone gives it.
    plain: bool,
    known: Option<Sign>,
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
            ahead: None,
            word: String::new(),
            at: 0,
            given: 0,
            ready: String::new(),
            further: None,
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
            if self.further.is_some() && self.ends(c) {
                self.end_further(sink);
            }
            if self.further.is_some() {
                self.word.push(c);
                if self.word.len() > LINK_HOLD - 4 {
                    self.stretch(sink);
                }
            } else if self.breaks(c) {
                self.settle(sink);
                self.open.step(c);
                self.look_ahead();
                self.ready.push(c);
                self.at += c.len_utf8();
            } else {
                self.word.push(c);
                self.go_on(c);
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
        let plain = self.further.is_none() && self.word.chars().all(char::is_alphanumeric);
        if plain && self.given < self.word.len() {
            self.ready.push_str(self.word.get(self.given..).unwrap_or_default());
            self.given = self.word.len();
            self.flush(sink);
        }
    }

    /// The stream ends: everything is settled and given out. Then the window is as new, for the next stream.
    pub fn finish(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        self.end_further(sink);
        self.settle(sink);
        self.flush(sink);
        (self.open, self.ahead) = (Open::default(), None);
        self.at = 0;
    }

    /// Bytes of original text held back now; never above [`LINK_HOLD`].
    pub fn held(&self) -> usize {
        self.word.len() - self.given
    }

    fn is_long(&self) -> bool {
        self.further.as_ref().is_some_and(|further| further.long)
    }

    fn flush(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        if !self.ready.is_empty() {
            sink(if self.is_long() { LinkOut::LongMore(&self.ready) } else { LinkOut::Text(&self.ready) });
            self.ready.zeroize();
        }
    }

    /// A word begins.
    fn look_ahead(&mut self) {
        self.ahead = self.open.has_tags().then(|| self.open.clone());
    }

    /// One character further.
    fn go_on(&mut self, c: char) {
        if let Some(ahead) = &mut self.ahead {
            ahead.step(c);
        } else if c == '<' {
            let mut ahead = self.open.clone();
            self.word.chars().for_each(|c| ahead.step(c));
            self.ahead = Some(ahead);
        }
    }

    /// Whether a character is no part of a word that may hold an address.
    fn breaks(&self, c: char) -> bool {
        if matches!(c, '\t' | '\n' | '\r')
            && !self.word.is_empty()
            && self.ahead.as_ref().is_some_and(Open::quotes)
        {
            return false;
        }
        let apart = |b: u8| b <= b' ' || b == super::seen::OTHER;
        see(c).is_some_and(|b| apart(b) || (is_spaceless(b) && !self.word.contains("://")))
    }

    /// Whether the address that goes on ends before this character. Where readers do not agree it goes on.
    fn ends(&mut self, c: char) -> bool {
        self.further.as_mut().is_some_and(|further| further.ends(c))
            || matches!(c, '<' | '>' | '"' | '`')
            || see(c).is_some_and(|b| b <= b' ' || b == super::seen::OTHER)
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
        // What may end a sentence may as well stand within an address that goes on.
        let ends = ['.', ',', ';', ':', '!', '?', '\'', '*', '(', '[', '{', '_', '~', '|'];
        let end = self.at + self.word.trim_end_matches(ends).len();
        if judged.last().is_some_and(|(last, _)| last.link.target.end >= end) {
            let Some((last, against)) = judged.pop() else { return };
            self.give(judged, last.link.target.start - self.at, sink);
            self.flush(sink);
            let bracketed = self.open.is_bracketed();
            let further = Further::new(&self.judge, &last, &self.word, against, bracketed);
            let cut = Further::cut(&self.word);
            if against {
                sink(LinkOut::LongStart(&last, self.word.get(self.given.min(cut)..cut).unwrap_or_default()));
                self.given = cut;
            }
            self.further = Some(further);
            self.pass(cut, sink);
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

    /// So much of the address that goes on was judged, and is given out.
    fn pass(&mut self, length: usize, sink: &mut impl FnMut(LinkOut<'_>)) {
        self.ready.push_str(self.word.get(self.given..length).unwrap_or_default());
        self.flush(sink);
        if let (Some(further), Some(text)) = (&mut self.further, self.word.get(..length)) {
            further.pass(text);
        }
        self.drop_front(length);
    }

    /// What is new against what is held of the address that goes on.
    fn judged_further(&self) -> Option<JudgedLink> {
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let at = Span::new(self.at, self.at + self.word.len());
        let further = self.further.as_ref()?;
        let mut judged = further.judged(&self.judge, self.channel, &values, &self.word, at);
        // What begins in it may be one of its own for some readers: an image, the next attribute.
        let mut all = Vec::new();
        if self.word.contains(['(', '=']) {
            self.open.contexts().iter().for_each(|context| self.read(context, &mut all));
        }
        let begins = |read: &&Read| {
            matches!(read.link.how, How::Image | How::Html | How::Css) && read.link.target.start > self.at
        };
        for read in all.iter().filter(begins) {
            let group = std::slice::from_ref(read);
            judged
                .signs
                .extend(self.verdict(group, at, &values).into_iter().flat_map(|(image, _)| image.signs));
        }
        judged.signs.retain(|sign| !further.is_told(sign));
        (!judged.signs.is_empty()).then_some(judged)
    }

    /// As much of the address that goes on is held as may be.
    fn stretch(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        let cut = Further::cut(&self.word);
        if let Some(judged) = self.judged_further() {
            self.flush(sink);
            if self.is_long() {
                sink(LinkOut::LongEnd);
            }
            if let Some(further) = &mut self.further {
                further.tell(&judged.signs);
                further.long = true;
            }
            sink(LinkOut::LongStart(&judged, self.word.get(self.given.min(cut)..cut).unwrap_or_default()));
            self.given = cut;
        }
        self.pass(cut, sink);
    }

    /// The address that went on is over, if there is one.
    fn end_further(&mut self, sink: &mut impl FnMut(LinkOut<'_>)) {
        let judged = self.judged_further();
        self.flush(sink);
        let Some(further) = &mut self.further else { return };
        let was = std::mem::replace(&mut further.long, judged.is_some());
        if let Some(judged) = judged {
            if was {
                sink(LinkOut::LongEnd);
            }
            sink(LinkOut::LongStart(&judged, ""));
        } else {
            further.long = was;
        }
        self.pass(self.word.len(), sink);
        if self.is_long() {
            sink(LinkOut::LongEnd);
        }
        self.further = None;
        self.look_ahead();
    }

    /// The addresses in the word, in their order, with what is open around it, and whether something is against them.
    fn judged(&mut self) -> Vec<(JudgedLink, bool)> {
        if !self.word.contains([
            '.', ':', '/', '\\', '%', '&', '\u{3002}', '\u{FF0E}', '\u{FF61}', '\u{FF1A}', '\u{FF0F}',
            '\u{2024}',
        ]) {
            return Vec::new();
        }
        let mut all: Vec<Read> = Vec::new();
        for context in self.open.contexts() {
            self.read(&context, &mut all);
        }
        let shown = all.iter().find(|read| read.plain && is_text(&read.link));
        if let Some(host) = shown.map(|read| read.link.url.host().to_owned()) {
            self.open.shows(&host);
        }
        all.sort_by_key(|read| (read.link.target.start, read.plain));
        let values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let mut judged: Vec<(JudgedLink, bool)> = Vec::new();
        let mut rest = all.as_slice();
        while let Some(first) = rest.first() {
            // What overlaps is one address, read in more than one way.
            let (start, mut end) = (first.link.target.start, first.link.target.end);
            let mut count = 1;
            for read in rest.iter().skip(1) {
                if read.link.target.start >= end {
                    break;
                }
                // In plain text an address may seem longer than in its quotes.
                if !read.plain || read.link.target.start > start || first.plain {
                    end = end.max(read.link.target.end);
                }
                count += 1;
            }
            let (group, behind) = rest.split_at(count.min(rest.len()));
            rest = behind;
            judged.extend(self.verdict(group, Span::new(start, end), &values));
        }
        judged
    }

    /// The addresses in the word, with this before it.
    fn read(&self, context: &Context, all: &mut Vec<Read>) {
        let mut text = context.before.clone();
        let before = text.len();
        text.push_str(&self.word);
        for mut link in find_within(&text, before, self.open.nest()).links {
            if link.target.is_empty() || link.target.start < before {
                continue;
            }
            // Which reference uses a definition may only come later: it is taken for an image.
            link.loads |= link.how == How::Reference;
            let place = Span::new(self.at + link.target.start - before, self.at + link.target.end - before);
            let same = |read: &&mut Read| read.link.target == place && read.link.url == link.url;
            if let Some(read) = all.iter_mut().find(same) {
                read.link.loads |= link.loads;
                if link.shown.is_some() || (read.plain && !context.plain) {
                    let loads = read.link.loads;
                    read.link = Link { span: place, target: place, loads, ..link };
                }
                read.plain &= context.plain;
                continue;
            }
            let known = self.known.as_ref().and_then(|known| known(&link, &text));
            let plain = context.plain && is_text(&link);
            all.push(Read { link: Link { span: place, target: place, ..link }, plain, known });
        }
        text.zeroize();
    }

    /// What speaks against an address, in all ways to read it.
    fn verdict(&self, group: &[Read], place: Span, values: &[&str]) -> Option<(JudgedLink, bool)> {
        let loads = group.iter().any(|read| read.link.loads);
        let mut signs: Vec<Sign> = Vec::new();
        let mut allowed = true;
        for read in group {
            let link = Link { loads, span: place, target: place, ..read.link.clone() };
            allowed &= self.judge.is_allowed(&link.url);
            let known = read.known.clone().map(|sign| Sign { span: Some(place), ..sign });
            for sign in self.judge.link(&link, self.channel, values).into_iter().chain(known) {
                match signs.iter_mut().find(|said| said.info.id == sign.info.id) {
                    Some(said) => said.score = said.score.max(sign.score),
                    None => signs.push(sign),
                }
            }
        }
        let against = !signs.is_empty();
        let link = Link { loads, span: place, target: place, ..group.first()?.link.clone() };
        Some((JudgedLink { link, signs, allowed }, against))
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

/// Whether an address is the text itself.
fn is_text(link: &Link) -> bool {
    matches!(link.how, How::Bare | How::Defanged | How::Split)
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
            .field("long", &self.is_long())
            .finish_non_exhaustive()
    }
}
