//! Addresses in a text, with their places.
//!
//! One pass from left to right over what is seen of the text ([`Seen`]). Every step is bounded by a constant or paid for
//! out of a budget that grows with the text, so the time is linear whatever the text holds.

use std::collections::HashMap;

use chatward_message::Span;

use super::markup::Markup;
use super::nest::Nest;
use super::parsed::{Parsed, is_public_name};
use super::seen::{OTHER, Seen, is_label, is_spaceless};

/// No more addresses than this are taken out of one text.
pub const MOST: usize = 1024;
/// From so many on, of one host only [`FEW`] are taken: so many pages of one place do not keep others from being seen.
const MANY: usize = 256;
const FEW: u8 = 4;
/// A name in DNS has at most so many labels.
const LABELS: usize = 127;
/// What stands before an `@` is at most so long.
const USER: usize = 256;
/// An address goes on over at most so many line ends.
const JOINS: usize = 3;

/// An address is looked for among so many that were found last, so that none is given twice.
const AGAIN: usize = 64;

/// How an address stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum How {
    /// As it is, with or without a scheme.
    Bare,
    /// Made harmless to click: `hxxp`, `[.]`, `(dot)`, ` dot `.
    Defanged,
    /// With something between that is not part of it: spaces, line ends, invisible characters, character references.
    Split,
    /// As a link of Markdown.
    Markdown,
    /// As an image of Markdown.
    Image,
    /// As the definition of a reference of Markdown.
    Reference,
    /// In an attribute of an HTML tag.
    Html,
    /// In `url()` of a style sheet.
    Css,
    /// The domain of an e-mail address.
    Mail,
}

/// An address in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// All that makes the link, in bytes of the original text: with the brackets of Markdown, the whole tag of HTML.
    pub span: Span,
    /// The address alone.
    pub target: Span,
    /// How it stands there.
    pub how: How,
    /// Whether showing the text already asks for it: images, frames, scripts, styles.
    pub loads: bool,
    /// The address itself.
    pub url: Parsed,
    /// The host that the visible text of the link names.
    pub shown: Option<Box<str>>,
    /// Whether it cannot well be anything else. `readme.md` and `thanks.so` may be names and may not.
    pub certain: bool,
}

/// What was found in a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Links {
    /// The addresses, in the order of their ends. Those of an image inside of a link lie within the link.
    pub links: Vec<Link>,
    /// Whether there may be more: [`MOST`] were found, or the text is made to take time.
    pub more: bool,
    /// Whether more addresses of hosts that are there were left out.
    pub thinned: bool,
}

/// Finds the addresses in a text.
pub fn find(text: &str) -> Links {
    look(text, Markup::default(), false)
}

/// The same in a part of a text that goes on: what is not closed may be closed by what comes. The first `before` bytes write
/// down again what is open; `nest` is what is open of images.
pub(super) fn find_within(text: &str, before: usize, nest: Nest) -> Links {
    look(text, Markup::within(nest, before), true)
}

fn look(text: &str, markup: Markup, open_end: bool) -> Links {
    let seen = Seen::of(text);
    let work = 16 * seen.len() + 4096;
    let mut scan = Scan {
        seen: &seen,
        found: Vec::new(),
        more: false,
        hosts: HashMap::new(),
        thinned: false,
        work,
        markup,
        open_end,
    };
    scan.run();
    Links { links: scan.found, more: scan.more, thinned: scan.thinned }
}

pub(super) struct Scan<'a> {
    pub(super) seen: &'a Seen<'a>,
    pub(super) found: Vec<Link>,
    pub(super) more: bool,
    /// How many were taken of each host.
    hosts: HashMap<Box<str>, u8>,
    thinned: bool,
    /// Steps of looking ahead that are left.
    pub(super) work: usize,
    pub(super) markup: Markup,
    /// The text may go on.
    pub(super) open_end: bool,
}

/// An address while it is put together.
#[derive(Default)]
struct Piece {
    clean: String,
    defanged: bool,
    split: bool,
    joins: usize,
}

/// A dot between two labels, in whatever form: where it ends.
enum Dot {
    Plain(usize),
    Defanged(usize),
    Spaced(usize),
}

impl Scan<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.seen.len() && !self.more {
            let next = match self.seen.at(at) {
                b'[' | b']' | b'<' => self.marked(at),
                b'\\' if self.seen.at(at + 1) == b'\\' => self.share(at),
                b if is_label(b) => self.word(at),
                _ => at + 1,
            };
            // What looks like a part of an address may be a link of its own: readers do not agree.
            for inside in at + 1..next {
                if !self.more && matches!(self.seen.at(inside), b'[' | b']' | b'<') {
                    self.marked(inside);
                }
            }
            at = next;
        }
        self.end_of_markup();
    }

    /// What opens or closes something. Gives where to look on.
    fn marked(&mut self, at: usize) -> usize {
        match self.seen.at(at) {
            b'[' => self.open(at),
            b']' => self.close(at),
            _ => self.tag(at).unwrap_or(at + 1),
        }
    }

    /// Whether what stands behind a word may make it part of an address: most words are words.
    fn goes_on(&self, end: usize) -> bool {
        match self.seen.at(end) {
            b'.' | b':' | b'@' | b'[' | b'(' | b'{' | b'\\' => true,
            b' ' => matches!(self.seen.at(end + 1), b'.' | b'[' | b'(' | b'{' | b'd' | b'D'),
            _ => false,
        }
    }

    /// Keeps an address, unless it stands inside of one that is kept already, or is that in plain text.
    pub(super) fn keep(&mut self, mut link: Link) {
        if self.found.len() >= MOST {
            self.more = true;
            return;
        }
        link.loads |= self.markup.loads_at(link.target.start);
        let plain = matches!(link.how, How::Bare | How::Defanged | How::Split);
        let again = |kept: &Link| {
            let marked = !matches!(kept.how, How::Bare | How::Defanged | How::Split);
            kept.target.start <= link.target.start
                && (link.target.end <= kept.target.end
                    || (marked && plain && kept.target.start == link.target.start))
                && (kept.loads || !link.loads)
        };
        if self.found.iter().rev().take(AGAIN).any(again) {
            return;
        }
        if !link.url.host().is_empty() {
            let taken = self.hosts.entry(link.url.host().into()).or_default();
            if self.found.len() >= MANY && *taken >= FEW && !link.loads && link.shown.is_none() {
                self.thinned = true;
                return;
            }
            *taken = taken.saturating_add(1);
        }
        self.found.push(link);
    }

    /// Takes steps out of the budget; nothing is left of a text that is made to take time.
    pub(super) fn spend(&mut self, steps: usize) {
        match self.work.checked_sub(steps) {
            Some(left) => self.work = left,
            None => self.more = true,
        }
    }

    fn label_end(&self, at: usize) -> usize {
        let rest = self.seen.bytes().get(at..).unwrap_or_default();
        at + rest.iter().take_while(|b| is_label(**b)).count()
    }

    /// A run of letters begins here. Gives where to look on.
    fn word(&mut self, at: usize) -> usize {
        let end = self.label_end(at);
        if !self.goes_on(end) {
            return end;
        }
        if let Some((start, scheme)) = self.scheme(at, end) {
            if let Some(next) = self.with_scheme(start, end, scheme) {
                return next;
            }
            if let Some(next) = self.opaque(start, end, scheme) {
                return next;
            }
        }
        let bytes = self.seen.bytes();
        if end - at == 3
            && self.seen.at(end) == b'('
            && bytes.get(at..end).is_some_and(|b| b.eq_ignore_ascii_case(b"url"))
        {
            return self.css(at, end + 1).unwrap_or(end + 1);
        }
        self.name(at, end)
    }

    /// The scheme that these letters are, or end in.
    fn scheme(&self, at: usize, end: usize) -> Option<(usize, Scheme)> {
        if !matches!(self.seen.at(end), b':' | b'[' | b'(' | b'{') {
            return None;
        }
        let word = self.seen.bytes().get(at..end)?;
        let tail = word.get(word.len().saturating_sub(24)..)?.to_ascii_lowercase();
        for (name, scheme) in SCHEMES {
            if tail.ends_with(name.as_bytes()) {
                let start = end - name.len();
                // Only what people write without a space before is taken out of the end of a longer word.
                let whole = start == at || name.contains("ttp") || self.seen.at(start - 1) >= 0x80;
                return whole.then_some((start, *scheme));
            }
        }
        let plain = word.len() >= 2 && tail.len() == word.len() && tail.iter().all(u8::is_ascii_alphanumeric);
        (plain && tail.first().is_some_and(u8::is_ascii_alphabetic)).then_some((at, Scheme::Other))
    }

    /// `scheme://…`
    fn with_scheme(&mut self, start: usize, end: usize, scheme: Scheme) -> Option<usize> {
        let mut piece = Piece::default();
        let mut at = self.colon(end, &mut piece)?;
        let slash = |at: usize| matches!(self.seen.at(at), b'/' | b'\\');
        if self.bytes_at(end, b"[://]") || self.bytes_at(end, b"(://)") {
            at = end + 5;
            piece.defanged = true;
        } else if slash(at) && slash(at + 1) {
            at += 2;
        } else if self.bytes_at(at, b"[/][/]") || self.bytes_at(at, b"[//]") {
            at += if self.seen.at(at + 2) == b'/' { 4 } else { 6 };
            piece.defanged = true;
        } else {
            return None;
        }
        while slash(at) {
            at += 1;
        }
        match scheme {
            Scheme::As(name, defanged) => {
                piece.defanged |= defanged;
                piece.clean.push_str(name);
            }
            Scheme::Opaque(name) => piece.clean.push_str(name),
            Scheme::Other => self.seen.push_to(&mut piece.clean, start, end),
        }
        piece.clean.push_str("://");
        if matches!(scheme, Scheme::Opaque("file")) && slash(at - 1) && slash(at - 2) && slash(at - 3) {
            piece.clean.push('/');
        }
        let spaces = (0..3).take_while(|i| self.seen.at(at + i) == b' ').count();
        if (1..3).contains(&spaces) && is_label(self.seen.at(at + spaces)) && !matches!(scheme, Scheme::Other)
        {
            at += spaces;
            piece.split = true;
        }
        let host = self.authority(at, &mut piece);
        if host == at {
            return None;
        }
        piece.split |= self.seen.hides(start, host);
        let stop = self.tail(start, host, &mut piece);
        self.keep_text(start, stop, &piece, true);
        Some(stop)
    }

    /// A colon, also in brackets: where it ends.
    fn colon(&self, at: usize, piece: &mut Piece) -> Option<usize> {
        if self.seen.at(at) == b':' {
            return Some(at + 1);
        }
        let closed =
            matches!((self.seen.at(at), self.seen.at(at + 2)), (b'[', b']') | (b'(', b')') | (b'{', b'}'));
        if closed && self.seen.at(at + 1) == b':' {
            piece.defanged = true;
            return Some(at + 3);
        }
        (self.bytes_at(at, b"[://]") || self.bytes_at(at, b"(://)")).then_some(at + 2)
    }

    pub(super) fn bytes_at(&self, at: usize, what: &[u8]) -> bool {
        self.seen
            .bytes()
            .get(at..)
            .is_some_and(|rest| rest.get(..what.len()).is_some_and(|head| head.eq_ignore_ascii_case(what)))
    }

    /// `javascript:…`, `data:…`: schemes without a host.
    fn opaque(&mut self, start: usize, end: usize, scheme: Scheme) -> Option<usize> {
        let Scheme::Opaque(name) = scheme else { return None };
        if self.seen.at(end) != b':' {
            return None;
        }
        let rest = self.seen.bytes().get(end + 1..)?;
        let first = *rest.first()?;
        let fits = match name {
            // `data:` is also a word of everyday texts.
            "data" => {
                first == b';'
                    || first == b','
                    || rest.iter().take(24).position(|b| *b == b'/').is_some_and(|slash| {
                        slash > 0 && rest.iter().take(slash).all(u8::is_ascii_alphanumeric)
                    })
            }
            "file" => first == b'/' || first == b'\\',
            "mailto" => is_label(first),
            _ => first > b' ' && first != OTHER,
        };
        if !fits {
            return None;
        }
        if name == "mailto" {
            return Some(end + 1);
        }
        let mut piece = Piece { clean: format!("{name}:"), ..Piece::default() };
        let stop = self.run_of_path(start, end + 1, &mut piece);
        self.keep_text(start, stop, &piece, true);
        Some(stop.max(end + 1))
    }

    /// `\\host\share`, which Windows opens with the reader's name and a hash of the password.
    fn share(&mut self, at: usize) -> usize {
        let end = self.label_end(at + 2);
        let mut piece = Piece { clean: "file://".to_owned(), ..Piece::default() };
        let host = if end > at + 2 { self.authority(at + 2, &mut piece) } else { at };
        let before = self.seen.before(at);
        if host < at + 4
            || self.seen.at(host) != b'\\'
            || !(before <= b' ' || before == OTHER || before == b'(')
        {
            return at + 2;
        }
        let stop = self.run_of_path(at, host, &mut piece);
        self.keep_text(at, stop, &piece, true);
        stop
    }

    /// Puts user, host and port together. Gives where they end.
    fn authority(&mut self, mut at: usize, piece: &mut Piece) -> usize {
        if let Some(user) = self.user_end(at) {
            self.seen.push_to(&mut piece.clean, at, user);
            at = user;
        }
        if self.seen.at(at) == b'[' {
            let rest = self.seen.bytes().get(at..).unwrap_or_default();
            let inner = |b: &u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'[');
            let length = rest.iter().take(48).take_while(|b| inner(b)).count();
            if rest.get(length) == Some(&b']') && rest.contains(&b':') {
                self.seen.push_to(&mut piece.clean, at, at + length + 1);
                return self.port(at + length + 1, piece);
            }
        }
        let begin = at;
        let mut dots = 0;
        loop {
            let end = self.label_or_percent_end(at);
            self.seen.push_to(&mut piece.clean, at, end);
            at = end;
            match self.dot(at) {
                Some(Dot::Plain(next)) => at = next,
                Some(Dot::Defanged(next)) => {
                    piece.defanged = true;
                    at = next;
                }
                Some(Dot::Spaced(next)) if self.is_common_suffix(next) => {
                    piece.split = true;
                    at = next;
                }
                _ if dots == 0 && end > begin => match self.host_on_next_line(at, piece) {
                    Some(next) => {
                        at = next;
                        continue;
                    }
                    None => break,
                },
                _ => break,
            }
            dots += 1;
            if dots <= LABELS {
                piece.clean.push('.');
            }
        }
        self.port(at, piece)
    }

    fn label_or_percent_end(&self, at: usize) -> usize {
        let mut end = at;
        loop {
            let b = self.seen.at(end);
            if is_label(b) {
                end += 1;
            } else if b == b'%'
                && self.seen.at(end + 1).is_ascii_hexdigit()
                && self.seen.at(end + 2).is_ascii_hexdigit()
            {
                end += 3;
            } else {
                return end;
            }
        }
    }

    /// Where an `@` that ends the user's name stands, one behind it.
    fn user_end(&mut self, at: usize) -> Option<usize> {
        let rest = self.seen.bytes().get(at..)?;
        let may =
            |b: &u8| *b > b' ' && *b < 0x7F && !matches!(b, b'/' | b'\\' | b'?' | b'#' | b'<' | b'>' | b'"');
        let length = rest.iter().take(USER).take_while(|b| may(b)).count();
        let last = rest.get(..length)?.iter().rposition(|b| *b == b'@')?;
        self.spend(length);
        Some(at + last + 1)
    }

    fn port(&self, at: usize, piece: &mut Piece) -> usize {
        let mut before = Piece::default();
        let Some(digits) = self.colon(at, &mut before) else { return at };
        let count = (0..6).take_while(|i| self.seen.at(digits + i).is_ascii_digit()).count();
        if !(1..=5).contains(&count) {
            return at;
        }
        piece.defanged |= before.defanged;
        piece.clean.push(':');
        self.seen.push_to(&mut piece.clean, digits, digits + count);
        digits + count
    }

    /// Where the address goes on behind a line end that cut it.
    fn next_line(&self, at: usize, piece: &mut Piece) -> Option<usize> {
        let mut next = at + usize::from(self.seen.at(at) == b'\r');
        if self.seen.at(next) != b'\n' || piece.joins >= JOINS {
            return None;
        }
        next += 1;
        while matches!(self.seen.at(next), b' ' | b'\t' | b'>') && next < at + 8 {
            next += 1;
        }
        let goes_on =
            is_label(self.seen.at(next)) || matches!(self.seen.at(next), b'.' | b'/' | b'?' | b'&' | b'=');
        if !goes_on {
            return None;
        }
        piece.joins += 1;
        piece.split = true;
        Some(next)
    }

    /// Where a host without a dot so far goes on behind a line end.
    fn host_on_next_line(&self, at: usize, piece: &mut Piece) -> Option<usize> {
        let dotted = self.seen.at(at) == b'.';
        let mut joined = Piece { joins: piece.joins, ..Piece::default() };
        let next = self.next_line(at + usize::from(dotted), &mut joined)?;
        let end = self.label_end(next);
        let whole = matches!(self.dot(end), Some(Dot::Plain(_) | Dot::Defanged(_)));
        let closes = dotted && (self.seen.at(end) == b'/' || self.is_common_suffix(next));
        if end == next || !(whole || closes) {
            return None;
        }
        (piece.joins, piece.split) = (joined.joins, true);
        if dotted {
            piece.clean.push('.');
        }
        Some(next)
    }

    /// A dot at this place, in whatever form, with a label behind it.
    fn dot(&self, at: usize) -> Option<Dot> {
        let labelled = |next: usize| is_label(self.seen.at(next)).then_some(next);
        match self.seen.at(at) {
            b'.' => match labelled(at + 1) {
                Some(next) => Some(Dot::Plain(next)),
                None if self.seen.at(at + 1) == b' ' => labelled(at + 2).map(Dot::Spaced),
                None if matches!(self.seen.at(at + 1), b'[' | b'(') => None,
                None => None,
            },
            b'\\' if self.seen.at(at + 1) == b'.' => labelled(at + 2).map(Dot::Defanged),
            b'[' | b'(' | b'{' => self.dot_in_brackets(at).and_then(labelled).map(Dot::Defanged),
            b' ' if self.seen.at(at + 1) == b'.' => {
                let next = at + 2 + usize::from(self.seen.at(at + 2) == b' ');
                labelled(next).map(Dot::Spaced)
            }
            b' ' if self.bytes_at(at, b" dot ") => labelled(at + 5).map(Dot::Spaced),
            b' ' if matches!(self.seen.at(at + 1), b'[' | b'(' | b'{') => {
                let next = self.dot_in_brackets(at + 1)?;
                labelled(next + usize::from(self.seen.at(next) == b' ')).map(Dot::Defanged)
            }
            _ => None,
        }
    }

    fn dot_in_brackets(&self, at: usize) -> Option<usize> {
        let close = match self.seen.at(at) {
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            _ => return None,
        };
        let inner = at + 1 + usize::from(self.seen.at(at + 1) == b' ');
        let length = match self.seen.at(inner) {
            b'.' => 1,
            _ if self.bytes_at(inner, b"dot") || self.bytes_at(inner, b"d0t") => 3,
            _ => return None,
        };
        let end = inner + length + usize::from(self.seen.at(inner + length) == b' ');
        (self.seen.at(end) == close).then_some(end + 1)
    }

    /// Whether a suffix stands here that is no word of a sentence.
    fn is_common_suffix(&self, at: usize) -> bool {
        let end = self.label_end(at);
        let Some(label) = self.seen.bytes().get(at..end) else { return false };
        COMMON.iter().any(|suffix| label.eq_ignore_ascii_case(suffix.as_bytes()))
            || self
                .dot(end)
                .is_some_and(|dot| matches!(dot, Dot::Plain(next) | Dot::Defanged(next) if next > end))
                && end - at < 64
                && label.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    }

    /// Path, query and fragment. Gives where the address ends.
    fn tail(&mut self, start: usize, at: usize, piece: &mut Piece) -> usize {
        let starts = match self.seen.at(at) {
            b'/' | b'\\' => true,
            b'?' | b'#' => self.seen.at(at + 1) > b' ' && self.seen.at(at + 1) != OTHER,
            _ => false,
        };
        if starts { self.run_of_path(start, at, piece) } else { at }
    }

    fn run_of_path(&mut self, start: usize, mut at: usize, piece: &mut Piece) -> usize {
        let begin = at;
        let mut open: [i32; 3] = [0; 3];
        let around = self.seen.before(start);
        loop {
            let b = self.seen.at(at);
            let closes = |kind: usize, open: &[i32; 3]| open.get(kind).is_some_and(|n| *n > 0);
            let goes_on = match b {
                b')' => closes(0, &open),
                b']' => closes(1, &open),
                b'}' => closes(2, &open),
                b'<' | b'>' | b'"' | b'`' | 0x7F => false,
                _ => b > b' ' && b != OTHER,
            };
            if !goes_on {
                let cut = piece.clean.ends_with(['-', '_', '=', '&', '?', '%']);
                match if cut { self.next_line(at, piece) } else { None } {
                    Some(next) if at > begin => {
                        at = next;
                        continue;
                    }
                    _ => break,
                }
            }
            let (kind, step) = match b {
                b'(' => (0, 1),
                b')' => (0, -1),
                b'[' => (1, 1),
                b']' => (1, -1),
                b'{' => (2, 1),
                b'}' => (2, -1),
                _ => (0, 0),
            };
            if let Some(count) = open.get_mut(kind) {
                *count += step;
            }
            self.seen.push_to(&mut piece.clean, at, at + 1);
            at += 1;
        }
        while at > begin {
            let last = self.seen.before(at);
            let trims =
                matches!(last, b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\'' | b'*' | b'(' | b'[' | b'{')
                    || (last == around && matches!(last, b'_' | b'~' | b'|'));
            if !trims {
                break;
            }
            piece.clean.pop();
            at -= 1;
        }
        at
    }

    fn keep_text(&mut self, from: usize, to: usize, piece: &Piece, certain: bool) {
        let Some(url) = Parsed::of(&piece.clean) else { return };
        let how = match (piece.split, piece.defanged) {
            (true, _) => How::Split,
            (_, true) => How::Defanged,
            _ => How::Bare,
        };
        let span = self.seen.span(from, to);
        self.keep(Link { span, target: span, how, loads: false, url, shown: None, certain });
    }
}

/// What stands before a colon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// A scheme with a host, and whether it is written so that nobody can click it.
    As(&'static str, bool),
    /// A scheme that needs no host.
    Opaque(&'static str),
    /// Some other word: a scheme if `//` follows.
    Other,
}

/// The longer before those they end in.
const SCHEMES: &[(&str, Scheme)] = &[
    ("https", Scheme::As("https", false)),
    ("http", Scheme::As("http", false)),
    ("hxxps", Scheme::As("https", true)),
    ("hxxp", Scheme::As("http", true)),
    ("htxps", Scheme::As("https", true)),
    ("htxp", Scheme::As("http", true)),
    ("hxtps", Scheme::As("https", true)),
    ("hxtp", Scheme::As("http", true)),
    ("h__ps", Scheme::As("https", true)),
    ("h__p", Scheme::As("http", true)),
    ("httpx", Scheme::As("http", true)),
    ("fxp", Scheme::As("ftp", true)),
    ("ftp", Scheme::As("ftp", false)),
    ("javascript", Scheme::Opaque("javascript")),
    ("vbscript", Scheme::Opaque("vbscript")),
    ("mailto", Scheme::Opaque("mailto")),
    ("data", Scheme::Opaque("data")),
    ("file", Scheme::Opaque("file")),
    ("blob", Scheme::Opaque("blob")),
];

/// Suffixes under which most names stand and that are no words: behind a dot with spaces they end a name.
const COMMON: &[&str] = &[
    "com", "net", "org", "info", "biz", "xyz", "io", "ru", "cn", "de", "uk", "fr", "nl", "eu", "pl", "br",
    "tk", "ml", "ga", "cf", "gq", "app", "dev", "edu", "gov",
];

/// Suffixes that are endings of file names or words of sentences as well.
const DOUBTFUL: &[&str] = &[
    "ai", "all", "am", "are", "as", "at", "be", "best", "bin", "by", "call", "can", "cc", "do", "fail",
    "fast", "go", "gz", "help", "here", "how", "id", "in", "is", "it", "java", "la", "les", "man", "me",
    "md", "mk", "mov", "mp", "my", "name", "ne", "new", "no", "now", "one", "open", "pay", "pl", "post",
    "pro", "ps", "py", "read", "rs", "safe", "save", "sh", "so", "support", "to", "today", "us", "va", "we",
    "win", "work", "works", "you", "zip",
];

/// A label of a name: its place in what is seen, and how long the name is up to its end.
#[derive(Clone, Copy)]
struct Label {
    from: usize,
    end: usize,
    length: usize,
}

/// A name without a scheme while its labels are read.
struct Chain {
    piece: Piece,
    labels: Vec<Label>,
    /// How many labels stand before the first dot with spaces around.
    unspaced: Option<usize>,
    end: usize,
}

impl Scan<'_> {
    /// `example.com`, `user@example.com`, `192.0.2.1` without a scheme. Gives where to look on.
    fn name(&mut self, at: usize, first: usize) -> usize {
        if self.seen.at(first) != b'@' && self.dot(first).is_none() {
            return first;
        }
        let mut chain = self.chain(at, first);
        if self.seen.at(chain.end) == b'@' && is_label(self.seen.at(chain.end + 1)) {
            return self.behind_at(at, chain.end);
        }
        let from = self.seen.bytes().get(at..first).map_or(at, |label| at + leading(label));
        if let Some(unspaced) = chain.unspaced {
            let ends_well = chain
                .piece
                .clean
                .rsplit('.')
                .next()
                .is_some_and(|last| COMMON.contains(&last.to_ascii_lowercase().as_str()));
            if !ends_well {
                // A sentence with "dot" or a space too many: only what stands before.
                chain.cut(unspaced);
            } else {
                chain.piece.split = true;
            }
        }
        let next = chain.end;
        let Some(end) = self.shorten(&mut chain) else { return next };
        let (from, end) = (from.min(end), end);
        let mut piece = chain.piece;
        let cut = from - at;
        piece.clean.drain(..piece.clean.char_indices().nth(cut).map_or(piece.clean.len(), |(i, _)| i));
        piece.split |= self.seen.hides(from, end);
        let host = piece.clean.clone();
        let mut stop = end;
        if end == next {
            stop = self.port(end, &mut piece);
            stop = self.tail(from, stop, &mut piece);
        }
        let certain = stop > end || piece.defanged || !is_doubtful(&host);
        self.keep_text(from, stop, &piece, certain);
        stop.max(next)
    }

    /// The labels from here on, with dots between.
    fn chain(&mut self, at: usize, first: usize) -> Chain {
        let mut chain = Chain { piece: Piece::default(), labels: Vec::new(), unspaced: None, end: first };
        self.seen.push_to(&mut chain.piece.clean, at, first);
        chain.labels.push(Label { from: at, end: first, length: chain.piece.clean.len() });
        loop {
            let next = match self.dot(chain.end) {
                Some(Dot::Plain(next)) => next,
                Some(Dot::Defanged(next)) => {
                    chain.piece.defanged = true;
                    next
                }
                Some(Dot::Spaced(next)) if chain.labels.len() < 8 => {
                    chain.unspaced.get_or_insert(chain.labels.len());
                    next
                }
                _ => return chain,
            };
            let end = self.label_end(next);
            chain.end = end;
            if chain.labels.len() <= LABELS {
                chain.piece.clean.push('.');
                self.seen.push_to(&mut chain.piece.clean, next, end);
                chain.labels.push(Label { from: next, end, length: chain.piece.clean.len() });
            }
        }
    }

    /// Cuts a chain down to a name that can exist. Gives where it ends.
    fn shorten(&self, chain: &mut Chain) -> Option<usize> {
        if chain.labels.len() < 2 || chain.labels.len() > LABELS {
            return None;
        }
        if chain.labels.len() == 4 && chain.piece.clean.split('.').all(|part| part.parse::<u8>().is_ok()) {
            return Some(chain.end);
        }
        for _ in 0..3 {
            let Label { from, end, length } = chain.labels.pop()?;
            chain.labels.last()?;
            chain.piece.clean.truncate(length);
            let label = self.seen.bytes().get(from..end).unwrap_or_default();
            // A text without spaces goes on right behind a name in ASCII; a mark of Markdown may end it.
            let behind = if label.first().is_some_and(|b| b.is_ascii_alphanumeric()) {
                label.iter().rev().take_while(|b| is_spaceless(**b)).count()
            } else {
                0
            };
            let marks = label.iter().rev().skip(behind).take_while(|b| matches!(b, b'_' | b'-')).count();
            for _ in 0..behind + marks {
                chain.piece.clean.pop();
            }
            if is_name(&chain.piece.clean) {
                return Some(end - behind - marks);
            }
        }
        None
    }

    /// What stands before the `@` was a user's name.
    fn behind_at(&mut self, at: usize, sign: usize) -> usize {
        let end = self.label_end(sign + 1);
        let mut chain = self.chain(sign + 1, end);
        let next = chain.end;
        if let Some(unspaced) = chain.unspaced {
            chain.cut(unspaced);
        }
        let Some(stop) = self.shorten(&mut chain) else { return next };
        let rest = self.seen.at(stop);
        if rest == b'/' || (rest == b':' && self.seen.at(stop + 1).is_ascii_digit()) {
            let mut piece = Piece { clean: "http://".to_owned(), ..Piece::default() };
            self.seen.push_to(&mut piece.clean, at, sign + 1);
            piece.clean.push_str(&chain.piece.clean);
            let port = self.port(stop, &mut piece);
            let stop = self.tail(at, port, &mut piece);
            self.keep_text(at, stop, &piece, true);
            return stop;
        }
        let Some(url) = Parsed::of(&chain.piece.clean) else { return next };
        let (span, target) = (self.seen.span(at, stop), self.seen.span(sign + 1, stop));
        self.keep(Link { span, target, how: How::Mail, loads: false, url, shown: None, certain: true });
        next
    }
}

impl Chain {
    /// Leaves only so many labels.
    fn cut(&mut self, labels: usize) {
        self.labels.truncate(labels);
        if let Some(last) = self.labels.last() {
            self.end = last.end;
            self.piece.clean.truncate(last.length);
        }
        self.piece.defanged = false;
    }
}

/// How much of a first label is not part of the name: marks of Markdown, a text without spaces before it.
fn leading(label: &[u8]) -> usize {
    let spaceless = label.iter().rposition(|b| is_spaceless(*b)).map_or(0, |last| last + 1);
    let from = if spaceless < label.len() { spaceless } else { 0 };
    from + label.iter().skip(from).take_while(|b| matches!(b, b'_' | b'-')).count()
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.is_ascii() {
        return lower.len() <= 253 && is_public_name(&lower);
    }
    Parsed::of(name).is_some_and(|parsed| parsed.is_suffix_known() && parsed.registrable().is_some())
}

/// Whether a name without anything behind it may be a file's name or two sentences without a space between.
fn is_doubtful(host: &str) -> bool {
    if host.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("www.")) {
        return false;
    }
    let Some((before, last)) = host.rsplit_once('.') else { return true };
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return true;
    }
    let starts_sentence = last.starts_with(|c: char| c.is_ascii_uppercase())
        && last.bytes().skip(1).any(|b| b.is_ascii_lowercase());
    let plain = !before.bytes().any(|b| b == b'.' || b == b'-' || b.is_ascii_digit());
    starts_sentence || (plain && DOUBTFUL.contains(&last.to_ascii_lowercase().as_str()))
}
