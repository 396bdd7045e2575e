//! What may be open at a place of a text that arrives in pieces: brackets of Markdown, a destination, tags of HTML.
//!
//! Whether something is a tag or a destination is only known at its end, so each is followed beside the others. Of what came before
//! only this is remembered. It can be written down again in a few bytes ([`Open::contexts`]), so that a word is looked at as if it
//! stood in its place.

use super::nest::{Margin, Nest};
use super::seen::see;

/// So many brackets are remembered.
const BRACKETS: usize = 16;
/// A destination that has not ended after so many characters is none.
const LONGEST: usize = 2048;
/// So many tags are followed at once.
const TAGS: usize = 8;

/// What may be open.
#[derive(Debug, Clone, Default)]
pub(super) struct Open {
    nest: Nest,
    brackets: Vec<Bracket>,
    /// The bracket that was closed by the last character.
    closed: Option<Bracket>,
    /// Between `](` and `)`.
    destination: Option<Destination>,
    /// Behind `[label]:`; whether something stands there already.
    definition: Option<bool>,
    /// Between `<` and `>`.
    tags: Vec<Tag>,
    /// More tags were open than are followed: any attribute counts.
    lost: Option<Tag>,
    /// So many characters of `url(` came last; blanks and quotes behind it do not count.
    css: usize,
    last: char,
    margin: Margin,
}

#[derive(Debug, Clone, Default)]
struct Bracket {
    image: bool,
    begins_line: bool,
    shown: Option<Box<str>>,
}

#[derive(Debug, Clone, Default)]
struct Destination {
    bracket: Bracket,
    /// It began with `<`.
    angled: bool,
    begun: bool,
    depth: usize,
    length: usize,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Tag {
    name: String,
    named: bool,
    attribute: String,
    /// A space came last, outside of quotes.
    spaced: bool,
    equals: bool,
    begun: bool,
    /// The value began with a number, as where a page leads on after seconds.
    counts: bool,
    quote: Option<char>,
}

/// What a word is looked at with: the text before it, and whether only that makes it an address.
pub(super) struct Context {
    pub(super) before: String,
    pub(super) plain: bool,
}

impl Open {
    /// One character further.
    pub(super) fn step(&mut self, c: char) {
        if see(c).is_none() {
            return;
        }
        let begins_line = self.margin == Margin::Begin;
        let closed = self.closed.take();
        let place = self.nest.step(c);
        if let Some(open) = &mut self.destination
            && open.step(c, self.last, place.escaped)
        {
            self.destination = None;
        }
        if let Some(begun) = &mut self.definition {
            if !c.is_whitespace() {
                *begun = true;
            } else if *begun || (c == '\n' && self.last == '\n') {
                self.definition = None;
            }
        }
        self.tags.retain_mut(|tag| !tag.step(c));
        if let Some(tag) = &mut self.lost {
            tag.step(c);
            if c.is_whitespace() && tag.begun {
                (tag.quote, tag.spaced) = (None, true);
                tag.forget();
            }
        }
        match (c, closed) {
            ('(', Some(mut bracket)) => {
                bracket.image |=
                    self.destination.as_ref().is_some_and(|open| open.bracket.image && !open.begun);
                self.destination = Some(Destination { bracket, ..Destination::default() });
            }
            (':', Some(bracket)) if bracket.begins_line => self.definition = Some(false),
            ('[', _) if !place.escaped => {
                if self.brackets.len() >= BRACKETS {
                    self.brackets.remove(0);
                }
                self.brackets.push(Bracket { image: self.last == '!', begins_line, shown: None });
            }
            (']', _) if place.escaped => {
                self.closed = place.image.then(|| Bracket { image: true, ..Bracket::default() });
            }
            (']', _) => {
                let bracket = self.brackets.pop().unwrap_or_default();
                self.closed = Some(Bracket { image: bracket.image || place.image, ..bracket });
            }
            ('<', _) => self.open_tag(),
            _ => {}
        }
        self.css = match (self.css, c) {
            (4, ' ' | '\t' | '\n' | '\r' | '"' | '\'') => 4,
            (1, 'r' | 'R') => 2,
            (2, 'l' | 'L') => 3,
            (3, '(') => 4,
            (_, 'u' | 'U') => 1,
            _ => 0,
        };
        self.last = c;
        self.margin = self.margin.step(c);
    }

    fn open_tag(&mut self) {
        if self.tags.len() >= TAGS {
            self.tags.remove(0);
            self.lost.get_or_insert_with(|| Tag { name: "img".into(), named: true, ..Tag::default() });
        }
        self.tags.push(Tag::default());
    }

    /// The text in the innermost bracket names this host.
    pub(super) fn shows(&mut self, host: &str) {
        if let Some(bracket) = self.brackets.last_mut()
            && bracket.shown.is_none()
            && !host.is_empty()
        {
            bracket.shown = Some(host.into());
        }
    }

    /// What may be open of images.
    pub(super) fn nest(&self) -> Nest {
        self.nest.clone()
    }

    /// Whether an address that begins here ends at a `)`.
    pub(super) fn is_bracketed(&self) -> bool {
        self.destination.as_ref().is_some_and(|open| !open.begun && !open.angled)
    }

    /// Whether a tag may be open.
    pub(super) fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Whether the value of an attribute is open in quotes: a browser takes line ends and tabs out of it.
    pub(super) fn quotes(&self) -> bool {
        self.tags.iter().any(|tag| tag.quote.is_some() && tag.holds_address())
    }

    /// The text that leaves the brackets open.
    pub(super) fn plain(&self) -> Context {
        let mut before = String::new();
        self.brackets.iter().for_each(|open| open.write(&mut before));
        if let Some(closed) = &self.closed {
            if closed.begins_line {
                before.clear();
            }
            closed.write(&mut before);
            before.push(']');
        } else if self.last == '!' {
            before.push('!');
        }
        Context { before, plain: true }
    }

    /// The shortest texts that leave this open, one for each way to read it.
    pub(super) fn contexts(&self) -> Vec<Context> {
        let mut all = vec![self.plain()];
        let mut add = |before: String| all.push(Context { before, plain: false });
        if let Some(open) = &self.destination {
            let mut out = String::new();
            open.bracket.write(&mut out);
            out.push_str(if open.angled { "](<" } else { "](" });
            add(out);
        }
        if self.definition.is_some() {
            add("[r]: ".to_owned());
        }
        if self.css == 4 {
            add("url(".to_owned());
        }
        self.tags.iter().chain(&self.lost).filter(|tag| tag.named || !tag.name.is_empty()).for_each(|tag| {
            add(tag.before());
        });
        all
    }
}

impl Bracket {
    fn write(&self, out: &mut String) {
        out.push_str(if self.image { "![" } else { " [" });
        if let Some(shown) = &self.shown {
            out.push_str(shown);
            out.push(' ');
        }
    }
}

impl Destination {
    /// One character further; whether it is over.
    fn step(&mut self, c: char, last: char, escaped: bool) -> bool {
        self.length += usize::from(self.begun);
        match c {
            _ if self.length > LONGEST => return true,
            '\n' if self.angled || last == '\n' => return true,
            '<' if !self.begun => self.angled = true,
            _ if escaped => {}
            '>' => self.angled = false,
            _ if self.angled => {}
            '(' => self.depth += 1,
            ')' if self.depth == 0 => return true,
            ')' => self.depth -= 1,
            _ => {}
        }
        self.begun |= !c.is_whitespace();
        false
    }
}

impl Tag {
    /// One character further; whether the tag is over.
    fn step(&mut self, c: char) -> bool {
        if !self.named {
            let fits = c.is_ascii_alphabetic()
                || (!self.name.is_empty() && (c.is_ascii_digit() || matches!(c, '-' | ':' | '_' | '.')));
            if fits {
                if self.name.len() < 24 {
                    self.name.push(c);
                }
                return false;
            }
            self.named = true;
            if self.name.is_empty() || !(c.is_whitespace() || c == '/') {
                // `</a>`, `< b`, `<!--`, `<b>`: nothing with attributes.
                return true;
            }
        }
        if let Some(quote) = self.quote {
            if c == quote {
                self.quote = None;
                self.forget();
            } else {
                self.value(c);
            }
        } else {
            match c {
                '>' => return true,
                '"' | '\'' if self.equals && !self.begun => {
                    self.quote = Some(c);
                    self.begun = true;
                }
                '=' if !self.equals => self.equals = true,
                c if c.is_whitespace() => {
                    if self.begun {
                        self.forget();
                    }
                    self.spaced = true;
                    return false;
                }
                '/' if !self.equals => self.forget(),
                c if self.equals => {
                    self.value(c);
                    self.begun = true;
                }
                c => {
                    if self.spaced {
                        self.attribute.clear();
                    }
                    if self.attribute.len() < 32 {
                        self.attribute.push(c);
                    }
                }
            }
        }
        self.spaced = false;
        false
    }

    /// A character of the value.
    fn value(&mut self, c: char) {
        self.counts |= c.is_ascii_digit();
    }

    fn forget(&mut self) {
        self.attribute.clear();
        (self.equals, self.begun, self.counts) = (false, false, false);
    }

    fn holds_address(&self) -> bool {
        super::markup::holds_address(&self.attribute.to_ascii_lowercase())
    }

    fn before(&self) -> String {
        let mut out = format!("<{}", self.name);
        if !self.named {
            return out;
        }
        out.push(' ');
        out.push_str(&self.attribute);
        if self.spaced && !self.equals {
            out.push(' ');
        }
        if self.equals {
            out.push('=');
        }
        out.extend(self.quote);
        if self.counts && self.attribute.eq_ignore_ascii_case("content") {
            out.push_str("0;");
        }
        out
    }
}
