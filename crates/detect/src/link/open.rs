//! What is open at a place of a text that arrives in pieces: brackets of Markdown, a tag of HTML.
//!
//! Of what came before only this is remembered. It can be written down again in a few bytes ([`Open::before`]), so that a word is
//! looked at as if it stood in its place.

/// So many brackets may be open.
const BRACKETS: usize = 16;
/// A destination or tag that has not ended after so many characters is none.
const LONGEST: usize = 2048;

/// What is open.
#[derive(Debug, Clone, Default)]
pub(super) struct Open {
    brackets: Vec<Bracket>,
    /// The bracket that was closed by the last character.
    closed: Option<Bracket>,
    mode: Mode,
    last: char,
    line_begins: bool,
    begun: bool,
}

#[derive(Debug, Clone, Default)]
struct Bracket {
    image: bool,
    begins_line: bool,
    shown: Option<Box<str>>,
}

#[derive(Debug, Clone, Default)]
enum Mode {
    #[default]
    Text,
    /// Between `](` and `)`.
    Destination { bracket: Bracket, depth: usize, length: usize },
    /// Behind `[label]:`.
    Definition { begun: bool },
    /// Between `<` and `>`.
    Tag(Tag),
}

#[derive(Debug, Clone, Default)]
struct Tag {
    name: String,
    named: bool,
    attribute: String,
    /// A space came last, outside of quotes.
    spaced: bool,
    equals: bool,
    begun: bool,
    quote: Option<char>,
    length: usize,
}

impl Open {
    /// One character further.
    pub(super) fn step(&mut self, c: char) {
        let line_begins = !self.begun || self.line_begins;
        let closed = self.closed.take();
        let last = self.last;
        match &mut self.mode {
            Mode::Text => self.text(c, last, closed, line_begins),
            Mode::Destination { depth, length, .. } => {
                *length += 1;
                match c {
                    '(' => *depth += 1,
                    ')' if *depth > 0 => *depth -= 1,
                    ')' => self.mode = Mode::Text,
                    '\n' if last == '\n' => self.mode = Mode::Text,
                    _ if *length > LONGEST => self.mode = Mode::Text,
                    _ => {}
                }
            }
            Mode::Definition { begun } => {
                if !c.is_whitespace() {
                    *begun = true;
                } else if *begun || (c == '\n' && last == '\n') {
                    self.mode = Mode::Text;
                }
            }
            Mode::Tag(tag) => {
                if c == '<' && tag.quote.is_none() {
                    self.mode = Mode::Tag(Tag::default());
                } else if tag.step(c) {
                    self.mode = Mode::Text;
                }
            }
        }
        self.last = c;
        self.begun = true;
        self.line_begins = c == '\n' || (line_begins && matches!(c, ' ' | '>' | '\t'));
    }

    fn text(&mut self, c: char, last: char, closed: Option<Bracket>, begins_line: bool) {
        match (c, closed) {
            ('(', Some(bracket)) => self.mode = Mode::Destination { bracket, depth: 0, length: 0 },
            (':', Some(bracket)) if bracket.begins_line => self.mode = Mode::Definition { begun: false },
            ('[', _) => {
                if self.brackets.len() >= BRACKETS {
                    self.brackets.remove(0);
                }
                self.brackets.push(Bracket { image: last == '!', begins_line, shown: None });
            }
            (']', _) => self.closed = self.brackets.pop(),
            ('<', _) => self.mode = Mode::Tag(Tag::default()),
            _ => {}
        }
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

    /// Whether a `)` ends what is open.
    pub(super) const fn closes(&self) -> bool {
        matches!(self.mode, Mode::Destination { depth: 0, .. })
    }

    /// The shortest text that leaves this open.
    pub(super) fn before(&self) -> String {
        let mut out = String::new();
        let bracket = |out: &mut String, bracket: &Bracket| {
            out.push_str(if bracket.image { "![" } else { " [" });
            if let Some(shown) = &bracket.shown {
                out.push_str(shown);
                out.push(' ');
            }
        };
        match &self.mode {
            Mode::Text => {
                self.brackets.iter().for_each(|open| bracket(&mut out, open));
                if let Some(closed) = &self.closed {
                    bracket(&mut out, closed);
                    out.push(']');
                }
                if self.last == '!' && self.closed.is_none() {
                    out.push('!');
                }
            }
            Mode::Destination { bracket: open, .. } => {
                bracket(&mut out, open);
                out.push_str("](");
            }
            Mode::Definition { .. } => out.push_str("[r]: "),
            Mode::Tag(tag) => tag.before(&mut out),
        }
        out
    }

    /// Adds what closes what is open.
    pub(super) fn close(&self, out: &mut String) {
        match &self.mode {
            Mode::Destination { depth, .. } => (0..=(*depth).min(32)).for_each(|_| out.push(')')),
            Mode::Tag(tag) => {
                if tag.attribute.eq_ignore_ascii_case("style") {
                    // `url(` may be open as well.
                    out.push(')');
                }
                out.extend(tag.quote);
                out.push('>');
            }
            Mode::Text | Mode::Definition { .. } => {}
        }
    }
}

impl Tag {
    /// One character further; whether the tag is over.
    fn step(&mut self, c: char) -> bool {
        self.length += 1;
        if !self.named {
            if c.is_ascii_alphanumeric() && self.name.len() < 16 {
                self.name.push(c);
                return false;
            }
            self.named = true;
            if self.name.is_empty() {
                // `</a>`, `< b`, `<!--`: nothing with attributes.
                return true;
            }
        }
        if let Some(quote) = self.quote {
            if c == quote {
                self.quote = None;
                self.forget();
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
                    return self.length > LONGEST;
                }
                '/' if !self.equals => self.forget(),
                _ if self.equals => self.begun = true,
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
        self.length > LONGEST
    }

    fn forget(&mut self) {
        self.attribute.clear();
        (self.equals, self.begun) = (false, false);
    }

    fn before(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        if !self.named {
            return;
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
    }
}
