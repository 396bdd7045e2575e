//! Addresses that markup names: links, images and references of Markdown, attributes of HTML, styles.

use super::find::{How, Link, Scan};
use super::parsed::Parsed;

/// So many brackets may be open at once; the outermost are forgotten first.
const OPEN: usize = 64;
/// So many uses of references are remembered.
const USES: usize = 256;
/// A label of a reference is at most so long (CommonMark allows 999).
const LABEL: usize = 300;
/// A tag has at most so many attributes that are looked at.
const ATTRIBUTES: usize = 64;

/// What is open while a text is read.
#[derive(Default)]
pub(super) struct Markup {
    brackets: Vec<Bracket>,
    uses: Vec<Use>,
    /// More references are used than are remembered.
    uses_lost: bool,
    definitions: Vec<(u64, usize)>,
    anchor: Option<Anchor>,
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
}

/// The name of an attribute, and from where to where its value stands.
type Attribute = (String, usize, usize);

impl Scan<'_> {
    /// A `[`.
    pub(super) fn open(&mut self, at: usize) -> usize {
        if self.markup.brackets.len() >= OPEN {
            self.markup.brackets.remove(0);
        }
        let found = self.found.len();
        self.markup.brackets.push(Bracket { at, found });
        at + 1
    }

    /// A `]`: what stands behind it says what the brackets are. Gives where to look on.
    pub(super) fn close(&mut self, at: usize) -> usize {
        let Some(open) = self.markup.brackets.pop() else { return at + 1 };
        let image = self.seen.before(open.at) == b'!';
        let begin = open.at - usize::from(image);
        if self.seen.at(at + 1) == b'('
            && let Some((from, to, end)) = self.destination(at + 2)
            && let Some(url) =
                Parsed::of_target(self.seen.string(from, to).trim()).or_else(|| self.bare_target(from, to))
        {
            let shown = self.take_shown(open.found);
            self.keep(Link {
                span: self.seen.span(begin, end),
                target: self.seen.span(from, to),
                how: if image { How::Image } else { How::Markdown },
                loads: image,
                url,
                shown,
                certain: true,
            });
            return end;
        }
        let label = self.label(open.at + 1, at);
        if self.seen.at(at + 1) == b':' && self.begins_line(open.at) {
            if let Some(end) = self.definition(open.at, at, label) {
                return end;
            }
        } else if let Some(label) = label {
            self.note_use(&open, at, label, image);
        }
        at + 1
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
    fn take_shown(&mut self, found: usize) -> Option<Box<str>> {
        let text = |link: &Link| {
            matches!(link.how, How::Bare | How::Defanged | How::Split) && !link.url.host().is_empty()
        };
        let at = found + self.found.get(found..)?.iter().position(text)?;
        let shown = self.found.get(at)?.url.host().into();
        self.found.remove(at);
        Some(shown)
    }

    /// The destination behind `(`: where it begins and ends, and where the bracket ends.
    fn destination(&mut self, at: usize) -> Option<(usize, usize, usize)> {
        let from = self.skip_spaces(at);
        let (from, to, mut next) = if self.seen.at(from) == b'<' {
            let to = self.until(from + 1, |b| matches!(b, b'>' | b'<' | b'\n'))?;
            if self.seen.at(to) != b'>' {
                return None;
            }
            (from + 1, to, to + 1)
        } else {
            let mut depth = 0_usize;
            let to = self.until(from, |b| {
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
        if self.seen.at(next) == b')' {
            return Some((from, to, next + 1));
        }
        // Not every reader keeps to the standard: what has spaces in it ends with its line at the latest.
        let to = self.until(to, |b| b == b')' || b == b'\n')?;
        (self.seen.at(to) == b')').then_some((from, to, to + 1))
    }

    fn skip_spaces(&self, at: usize) -> usize {
        at + (0..16).take_while(|i| matches!(self.seen.at(at + i), b' ' | b'\t' | b'\n' | b'\r')).count()
    }

    /// The first byte from here on that ends something; nothing if the text ends before. Paid for by the budget.
    fn until(&mut self, at: usize, mut ends: impl FnMut(u8) -> bool) -> Option<usize> {
        let bytes = self.seen.bytes().get(at..)?;
        let found = bytes.iter().position(|b| ends(*b));
        self.spend(found.unwrap_or(bytes.len()));
        found.map(|i| at + i)
    }

    fn begins_line(&self, at: usize) -> bool {
        let spaces = (1..=4).take_while(|i| at >= *i && self.seen.at(at - i) == b' ').count();
        spaces < 4 && (at == spaces || matches!(self.seen.before(at - spaces), b'\n' | b'>' | b' '))
    }

    /// `[label]: address "title"`
    fn definition(&mut self, open: usize, close: usize, label: Option<u64>) -> Option<usize> {
        let from = self.skip_spaces(close + 2);
        let angled = self.seen.at(from) == b'<';
        let from = from + usize::from(angled);
        let bytes = self.seen.bytes().get(from..)?;
        let length = bytes
            .iter()
            .position(|b| *b == b'\n' || if angled { *b == b'>' } else { *b <= b' ' })
            .unwrap_or(bytes.len());
        self.spend(length);
        let to = from + length;
        let text = self.seen.string(from, to);
        let url = Parsed::of_target(text.trim()).or_else(|| self.bare_target(from, to))?;
        if url.host().is_empty() && !matches!(url.scheme(), "javascript" | "data" | "vbscript" | "file") {
            // `[note]: see below`: a word and a colon are no scheme.
            return None;
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
        Some(end)
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
        let length = (0..24).take_while(|i| self.seen.at(from + i).is_ascii_alphanumeric()).count();
        let name = self.seen.bytes().get(from..from + length)?.to_ascii_lowercase();
        if !name.first()?.is_ascii_alphabetic()
            || !matches!(self.seen.at(from + length), b' ' | b'\t' | b'\n' | b'\r' | b'/' | b'>')
        {
            return None;
        }
        if name == b"a" {
            self.end_anchor();
        }
        if closing {
            return Some(from + length);
        }
        let (values, end) = self.attributes(from + length)?;
        let anchor = self.found.len();
        for (attribute, from, to) in values {
            self.value(&name, &attribute, (from, to), (at, end));
        }
        if name == b"a" && self.found.len() > anchor {
            self.markup.anchor = Some(Anchor { link: anchor, found: self.found.len() });
        }
        Some(end)
    }

    fn end_anchor(&mut self) {
        let Some(anchor) = self.markup.anchor.take() else { return };
        let shown = self.take_shown(anchor.found);
        if let Some(link) = self.found.get_mut(anchor.link) {
            link.shown = shown;
        }
    }

    /// Names and places of the values of a tag's attributes, and where the tag ends.
    fn attributes(&mut self, mut at: usize) -> Option<(Vec<Attribute>, usize)> {
        let mut values = Vec::new();
        loop {
            at = self.until(at, |b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'/'))?;
            match self.seen.at(at) {
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
                (from, self.until(from, |b| b <= b' ' || b == b'>')?)
            };
            at = to + usize::from(matches!(quote, b'"' | b'\''));
            if let Some(name) = name
                && values.len() < ATTRIBUTES
                && ADDRESSES.contains(&name.as_str())
            {
                values.push((name, from, to));
            }
        }
    }

    /// The addresses in the value of an attribute.
    fn value(&mut self, tag: &[u8], attribute: &str, (from, to): (usize, usize), whole: (usize, usize)) {
        match attribute {
            "style" => self.style(from, to),
            "srcset" | "imagesrcset" => self.sources(from, to, whole),
            "content" => {
                let text = self.seen.string(from, to).to_ascii_lowercase();
                // As many characters are seen as bytes, and this word is ASCII.
                if let Some(at) = text.find("url=").filter(|_| tag == b"meta") {
                    let before = text.get(..at).map_or(0, |before| before.chars().count());
                    let from = from + before + 4;
                    let from = from + usize::from(matches!(self.seen.at(from), b'"' | b'\''));
                    self.target(from, to, whole, true);
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
