//! Addresses that markup names: links, images and references of Markdown, attributes of HTML, styles.

use std::collections::HashSet;

use chatward_message::Span;

use super::find::{How, Link, Scan};
use super::nest::{Margin, Nest, Place, unescaped};
use super::parsed::Parsed;

/// So many brackets may be open at once; the outermost are forgotten first.
const OPEN: usize = 64;
/// So many uses of references are remembered.
const USES: usize = 256;
/// A label of a reference is at most so long (CommonMark allows 999).
const LABEL: usize = 300;
/// A line begins with at most so many bytes of marks.
const MARGIN: usize = 64;

/// What is open while a text is read.
#[derive(Default)]
pub(super) struct Markup {
    brackets: Vec<Bracket>,
    uses: Vec<Use>,
    /// More references are used than are remembered.
    uses_lost: bool,
    definitions: Vec<(u64, usize)>,
    anchor: Option<Anchor>,
    nest: Nest,
    /// Up to where the text went through it.
    nested: usize,
    /// What stands here is asked for, whatever it stands in: a style, a page inside of the page, a script.
    zone: Option<Span>,
}

impl Markup {
    /// With what was open before the text, of which so much only writes that down again.
    pub(super) fn within(nest: Nest, before: usize) -> Self {
        Self { nest, nested: before, ..Self::default() }
    }

    pub(super) fn loads_at(&self, start: usize) -> bool {
        self.zone.is_some_and(|zone| zone.start <= start && start < zone.end)
    }
}

struct Bracket {
    at: usize,
    /// How many addresses were found before it.
    found: usize,
}

/// `[text][label]`, `![alt][label]`, `[label]`.
struct Use {
    end: usize,
    label: u64,
    image: bool,
    shown: Option<Box<str>>,
}

/// An `<a href>` whose end has not come yet.
struct Anchor {
    link: usize,
    found: usize,
    /// Where its tag ends: what it shows stands behind that.
    end: usize,
}

/// The name of an attribute, and from where to where its value stands.
type Attribute = (String, usize, usize);

impl Scan<'_> {
    /// Goes on to this place with what may be open; says what stands there.
    fn place(&mut self, at: usize) -> Place {
        let mut place = Place::default();
        while self.markup.nested <= at {
            place = self.markup.nest.step(self.seen.mark(self.markup.nested));
            self.markup.nested += 1;
        }
        place
    }

    /// A `[`.
    pub(super) fn open(&mut self, at: usize) -> usize {
        if self.place(at).escaped {
            return at + 1;
        }
        if self.markup.brackets.len() >= OPEN {
            self.markup.brackets.remove(0);
        }
        let found = self.found.len();
        self.markup.brackets.push(Bracket { at, found });
        at + 1
    }

    /// A `]`: what stands behind it says what the brackets are. Gives where to look on: what is in a destination is looked at
    /// as well, since it may be none.
    pub(super) fn close(&mut self, at: usize) -> usize {
        let place = self.place(at);
        let open = if place.escaped { None } else { self.markup.brackets.pop() };
        if place.escaped && !place.image {
            return at + 1;
        }
        let marked = open.as_ref().is_some_and(|open| self.seen.before(open.at) == b'!');
        let image = place.image || marked;
        if self.seen.at(at + 1) == b'('
            && let Some((from, to, end)) = self.destination(at + 2)
            && let Some(url) = self.named(from, to)
        {
            let begin = open.as_ref().map_or(at, |open| open.at - usize::from(marked));
            let shown = open.and_then(|open| self.take_shown(open.found, 0));
            self.keep(Link {
                span: self.seen.span(begin, end),
                target: self.seen.span(from, to),
                how: if image { How::Image } else { How::Markdown },
                loads: image,
                url,
                shown,
                certain: true,
            });
            return at + 2;
        }
        let Some(open) = open else {
            if image {
                self.note_doubtful(at);
            }
            return at + 1;
        };
        let label = self.label(open.at + 1, at);
        if self.seen.at(at + 1) == b':' && self.begins_line(open.at) {
            if self.definition(open.at, at, label) {
                return at + 2;
            }
        } else if let Some(label) = label {
            self.note_use(&open, at, label, image);
        }
        at + 1
    }

    /// The address that a destination of Markdown names.
    fn named(&self, from: usize, to: usize) -> Option<Parsed> {
        let text = self.seen.string(from, to);
        Parsed::of_target(unescaped(text.trim()).trim()).or_else(|| self.bare_target(from, to))
    }

    /// An image whose label cannot be told.
    fn note_doubtful(&mut self, close: usize) {
        if self.seen.at(close + 1) == b'[' && self.markup.uses.len() < USES {
            self.markup.uses.push(Use { end: close + 1, label: 0, image: true, shown: None });
        } else {
            self.markup.uses_lost = true;
        }
    }

    /// A domain without a scheme: browsers take it for a path, other readers for an address.
    fn bare_target(&self, from: usize, to: usize) -> Option<Parsed> {
        let text = self.seen.string(from, to);
        let head = text.split(['/', '?', '#']).next()?;
        if !head.contains('.') || head.starts_with('.') {
            return None;
        }
        let url = Parsed::of(&text)?;
        (url.is_suffix_known() && url.registrable().is_some()).then_some(url)
    }

    /// The first address in the visible text: it is what the reader believes. It is no address of its own any more.
    fn take_shown(&mut self, found: usize, from: usize) -> Option<Box<str>> {
        let text = |link: &Link| {
            matches!(link.how, How::Bare | How::Defanged | How::Split)
                && !link.url.host().is_empty()
                && link.target.start >= from
        };
        let at = found + self.found.get(found..)?.iter().position(text)?;
        let shown = self.found.get(at)?.url.host().into();
        self.found.remove(at);
        Some(shown)
    }

    /// The destination behind `(`: where it begins and ends, and where the bracket ends.
    fn destination(&mut self, at: usize) -> Option<(usize, usize, usize)> {
        let from = self.skip_spaces(at);
        let mut escaped = false;
        let mut escapes = |b: u8| {
            let before = escaped;
            escaped = b == b'\\' && !before;
            before
        };
        let (from, to, mut next) = if self.seen.at(from) == b'<' {
            let to = self.until(from + 1, |b| !escapes(b) && matches!(b, b'>' | b'<' | b'\n'))?;
            if self.seen.at(to) != b'>' && !self.is_open_end(to) {
                return None;
            }
            (from + 1, to, to + 1)
        } else {
            let mut depth = 0_usize;
            let to = self.until(from, |b| {
                if escapes(b) {
                    return b <= b' ';
                }
                match b {
                    b'(' => depth += 1,
                    b')' if depth == 0 => return true,
                    b')' => depth -= 1,
                    _ => {}
                }
                b <= b' '
            })?;
            (from, to, to)
        };
        if from == to {
            return None;
        }
        next = self.skip_spaces(next);
        let close = match self.seen.at(next) {
            b'"' => b'"',
            b'\'' => b'\'',
            b'(' => b')',
            _ => 0,
        };
        if close != 0 {
            next = self.until(next + 1, |b| b == close)? + 1;
            next = self.skip_spaces(next);
        }
        if self.seen.at(next) == b')' || self.is_open_end(next) {
            return Some((from, to, (next + 1).min(self.seen.len())));
        }
        // Not every reader keeps to the standard: what has spaces in it ends with its line at the latest.
        let to = self.until(to, |b| b == b')' || b == b'\n')?;
        (self.seen.at(to) == b')').then_some((from, to, to + 1))
    }

    /// Whether the text ends here, and may go on.
    fn is_open_end(&self, at: usize) -> bool {
        self.open_end && at >= self.seen.len()
    }

    fn skip_spaces(&mut self, at: usize) -> usize {
        let rest = self.seen.bytes().get(at..).unwrap_or_default();
        let spaces = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.spend(spaces);
        at + spaces
    }

    /// The first byte from here on that ends something; nothing if the text ends before, unless it may go on. Paid for by the
    /// budget.
    fn until(&mut self, at: usize, mut ends: impl FnMut(u8) -> bool) -> Option<usize> {
        let bytes = self.seen.bytes().get(at..).filter(|_| !self.more)?;
        let found = bytes.iter().position(|b| ends(*b));
        let length = bytes.len();
        self.spend(found.unwrap_or(length));
        found.or(self.open_end.then_some(length)).map(|i| at + i)
    }

    /// Where a value without quotes ends. A blank that is written as a reference does not end it.
    fn unquoted(&mut self, from: usize) -> Option<usize> {
        let ends = |at: &usize| matches!(self.seen.mark(*at), '\0'..=' ' | '>');
        let found = (from..self.seen.len()).find(ends);
        self.spend(found.unwrap_or(self.seen.len()) - from);
        found.or(self.open_end.then_some(self.seen.len()))
    }

    fn begins_line(&self, at: usize) -> bool {
        let head = self.seen.bytes().get(at.saturating_sub(MARGIN)..at).unwrap_or_default();
        let line = head.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        if line == 0 && at > MARGIN {
            return false;
        }
        let marks = head.iter().skip(line).fold(Margin::Begin, |margin, b| margin.step(char::from(*b)));
        marks == Margin::Begin
    }

    /// `[label]: address "title"`; whether it is one.
    fn definition(&mut self, open: usize, close: usize, label: Option<u64>) -> bool {
        let from = self.skip_spaces(close + 2);
        let angled = self.seen.at(from) == b'<';
        let from = from + usize::from(angled);
        let bytes = self.seen.bytes().get(from..).unwrap_or_default();
        let length = bytes
            .iter()
            .position(|b| *b == b'\n' || if angled { *b == b'>' } else { *b <= b' ' })
            .unwrap_or(bytes.len());
        self.spend(length);
        let to = from + length;
        let Some(url) = self.named(from, to) else { return false };
        if url.host().is_empty() && !matches!(url.scheme(), "javascript" | "data" | "vbscript" | "file") {
            // `[note]: see below`: a word and a colon are no scheme.
            return false;
        }
        let end = (to + usize::from(angled)).min(self.seen.len());
        let before = self.found.len();
        self.keep(Link {
            span: self.seen.span(open, end),
            target: self.seen.span(from, to),
            how: How::Reference,
            loads: false,
            url,
            shown: None,
            certain: true,
        });
        if let Some(label) = label
            && self.found.len() > before
        {
            self.markup.definitions.push((label, before));
        }
        true
    }

    /// The label between brackets, by its hash (FNV-1a): case and spaces do not count.
    fn label(&self, from: usize, to: usize) -> Option<u64> {
        if to - from > LABEL {
            return None;
        }
        let words = self.seen.bytes().get(from..to)?.split(|b| *b <= b' ').filter(|word| !word.is_empty());
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for word in words {
            for b in word.iter().map(u8::to_ascii_lowercase).chain([b' ']) {
                hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Some(hash)
    }

    fn note_use(&mut self, open: &Bracket, close: usize, label: u64, image: bool) {
        if let Some(last) = self.markup.uses.last_mut()
            && last.end == open.at
        {
            // `[text][label]`; with nothing between the second brackets the first hold the label.
            if close > open.at + 1 {
                last.label = label;
            }
            last.end = close + 1;
            return;
        }
        if self.markup.uses.len() >= USES {
            self.markup.uses_lost = true;
            return;
        }
        let shown = self.found.get(open.found..).and_then(<[Link]>::first).map(|link| link.url.host().into());
        self.markup.uses.push(Use { end: close + 1, label, image, shown });
    }

    /// The text is over: definitions get what their uses show.
    pub(super) fn end_of_markup(&mut self) {
        for (label, at) in std::mem::take(&mut self.markup.definitions) {
            let Some(link) = self.found.get_mut(at) else { continue };
            link.loads = self.markup.uses_lost;
            for used in self.markup.uses.iter().filter(|used| used.label == label) {
                link.loads |= used.image;
                link.shown = link.shown.take().or_else(|| used.shown.clone());
            }
        }
    }

    /// `url(` of a style sheet. Gives where to look on.
    pub(super) fn css(&mut self, begin: usize, at: usize) -> Option<usize> {
        let from = self.skip_spaces(at);
        let quote = self.seen.at(from);
        let quoted = matches!(quote, b'"' | b'\'');
        let from = from + usize::from(quoted);
        let to =
            self.until(from, |b| if quoted { b == quote || b == b'\n' } else { b == b')' || b <= b' ' })?;
        let url = Parsed::of_target(&self.seen.string(from, to)).or_else(|| self.bare_target(from, to))?;
        let end = to + usize::from(quoted);
        self.keep(Link {
            span: self.seen.span(begin, end),
            target: self.seen.span(from, to),
            how: How::Css,
            loads: true,
            url,
            shown: None,
            certain: true,
        });
        Some(end)
    }

    /// A `<`: a tag of HTML with its attributes. Gives where to look on.
    pub(super) fn tag(&mut self, at: usize) -> Option<usize> {
        let closing = self.seen.at(at + 1) == b'/';
        let from = at + 1 + usize::from(closing);
        let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':' | b'_' | b'.');
        let rest = self.seen.bytes().get(from..)?;
        let length = rest.iter().take(128).take_while(|b| part(**b)).count();
        let name = rest.get(..length)?.to_ascii_lowercase();
        if !name.first()?.is_ascii_alphabetic()
            || name.ends_with(b":")
            || !matches!(self.seen.at(from + length), b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>')
        {
            return None;
        }
        if name == b"a" {
            self.end_anchor();
        }
        // What stands inside is looked at as well: a tag may be none.
        let inside = from + length;
        if closing {
            return Some(inside);
        }
        let Some((values, end)) = self.attributes(inside) else { return Some(inside) };
        let anchor = self.found.len();
        for (attribute, from, to) in values {
            self.value(&name, &attribute, (from, to), (at, end));
        }
        if name == b"a" && self.found.len() > anchor {
            let end = self.seen.span(at, end).end;
            self.markup.anchor = Some(Anchor { link: anchor, found: self.found.len(), end });
        }
        Some(inside)
    }

    fn end_anchor(&mut self) {
        let Some(anchor) = self.markup.anchor.take() else { return };
        let shown = self.take_shown(anchor.found, anchor.end);
        if let Some(link) = self.found.get_mut(anchor.link) {
            link.shown = shown;
        }
    }

    /// Names and places of the values of a tag's attributes, and where the tag ends.
    fn attributes(&mut self, mut at: usize) -> Option<(Vec<Attribute>, usize)> {
        let mut values: Vec<Attribute> = Vec::new();
        let mut names = HashSet::new();
        loop {
            at = self.until(at, |b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'/'))?;
            match self.seen.at(at) {
                _ if self.is_open_end(at) => return Some((values, at)),
                b'>' => return Some((values, at + 1)),
                b'<' => return None,
                _ => {}
            }
            let name = at;
            at = self
                .until(at + 1, |b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>' | b'=' | b'<'))?;
            let name = (at - name < 24).then(|| self.seen.string(name, at).to_ascii_lowercase());
            let sign = self.skip_spaces(at);
            if self.seen.at(sign) != b'=' {
                continue;
            }
            let from = self.skip_spaces(sign + 1);
            let quote = self.seen.at(from);
            let (from, to) = if matches!(quote, b'"' | b'\'') {
                (from + 1, self.until(from + 1, |b| b == quote)?)
            } else {
                (from, self.unquoted(from)?)
            };
            at = (to + usize::from(matches!(quote, b'"' | b'\''))).min(self.seen.len());
            // Of two with one name the first counts.
            if let Some(name) = name
                && holds_address(&name)
                && names.insert(name.clone())
            {
                values.push((name, from, to));
            }
        }
    }

    /// The addresses in the value of an attribute.
    fn value(&mut self, tag: &[u8], attribute: &str, (from, to): (usize, usize), whole: (usize, usize)) {
        match attribute {
            "srcset" | "imagesrcset" => self.sources(from, to, whole),
            "content" => {
                // `0;address`, `5; url=address`: after so many seconds the page leads on.
                let text = self.seen.string(from, to);
                let number = text.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '.');
                if tag == b"meta" && number {
                    self.zone(from, to);
                    let blank =
                        |c: char| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '.' | ';' | ',');
                    let rest = text.trim_start_matches(blank);
                    let rest = match rest.get(..3) {
                        Some(word) if word.eq_ignore_ascii_case("url") => {
                            rest.get(3..).unwrap_or_default().trim_start().trim_start_matches('=')
                        }
                        _ => rest,
                    };
                    let rest = rest.trim_start().trim_start_matches(['"', '\'']);
                    // As many characters are seen as bytes.
                    let from = to - rest.chars().count();
                    self.target(from, to, whole, true);
                }
            }
            _ if is_zone(attribute) => {
                self.zone(from, to);
                if attribute == "style" {
                    self.style(from, to);
                }
            }
            _ => {
                let clicked =
                    matches!(tag, b"a" | b"area" | b"form" | b"button" | b"base" | b"blockquote" | b"q");
                let loads = !clicked && !matches!(attribute, "action" | "formaction" | "cite" | "ping");
                self.target(from, to, whole, loads || attribute == "background");
            }
        }
    }

    /// What stands here is asked for.
    fn zone(&mut self, from: usize, to: usize) {
        let at = self.seen.span(from, to);
        let before = self.markup.zone.filter(|zone| zone.end >= at.start);
        self.markup.zone =
            Some(before.map_or(at, |zone| Span::new(zone.start.min(at.start), zone.end.max(at.end))));
    }

    fn target(&mut self, from: usize, to: usize, whole: (usize, usize), loads: bool) {
        let Some(url) = Parsed::of_target(&self.seen.string(from, to)).or_else(|| self.bare_target(from, to))
        else {
            return;
        };
        self.keep(Link {
            span: self.seen.span(whole.0, whole.1),
            target: self.seen.span(from, to),
            how: How::Html,
            loads,
            url,
            shown: None,
            certain: true,
        });
    }

    fn style(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            at = if self.bytes_at(at, b"url(") { self.css(at, at + 4).unwrap_or(at + 4) } else { at + 1 };
        }
    }

    /// `address 2x, address 640w`
    fn sources(&mut self, from: usize, to: usize, whole: (usize, usize)) {
        let mut at = from;
        while at < to {
            let space = |b: u8| b <= b' ' || b == b',';
            let rest = |at: usize| self.seen.bytes().get(at..to).unwrap_or_default();
            let begin = at + rest(at).iter().take_while(|b| space(**b)).count();
            let end = begin + rest(begin).iter().take_while(|b| **b > b' ').count();
            let comma = self.seen.before(end) == b',';
            if begin < end {
                self.target(begin, end - usize::from(comma), whole, true);
            }
            let descriptor = rest(end).iter().take_while(|b| **b != b',').count();
            at = if comma { end } else { end + descriptor };
            at = at.max(begin + 1);
        }
    }
}

/// Whether an attribute may hold an address that the page asks for or leads to. `name` is in lower case.
pub(super) fn holds_address(name: &str) -> bool {
    ADDRESSES.contains(&name) || is_zone(name)
}

/// Whether every address in an attribute is asked for: styles, pages and scripts that are written there.
fn is_zone(name: &str) -> bool {
    matches!(name, "style" | "srcdoc") || name.strip_prefix("on").is_some_and(|rest| rest.len() > 3)
}

/// Attributes that hold addresses.
const ADDRESSES: &[&str] = &[
    "href",
    "src",
    "srcset",
    "imagesrcset",
    "action",
    "formaction",
    "poster",
    "data",
    "background",
    "style",
    "xlink:href",
    "content",
    "ping",
    "manifest",
    "cite",
    "lowsrc",
    "dynsrc",
    "longdesc",
    "code",
    "archive",
];
