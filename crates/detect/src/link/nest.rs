//! Which `]` may close an image of Markdown.
//!
//! Code, tags and escapes bind tighter than brackets, and whether a backtick or a `<` begins one is only known from what comes behind
//! it. So it is not decided: for each image that may be open stand the fewest and the most brackets that may be open inside of it.
//! Where nothing is in doubt the two are one number, and the answer is exact; else it errs to the side of an image.

/// So many images are told apart; more are taken together.
const IMAGES: usize = 16;
/// So many runs of backticks are told apart.
const CODES: usize = 8;

/// What may be open of images, code and tags.
#[derive(Debug, Clone, Default)]
pub(super) struct Nest {
    images: Vec<(u32, u32)>,
    /// Lengths of the runs of backticks that may have begun code, in their order.
    codes: Vec<u32>,
    /// What is code and what is not stays open until the paragraph ends.
    loose: bool,
    /// Backticks in a row that came last, and whether they began their line.
    run: u32,
    run_begins: bool,
    /// The last run may be the fence of a block, if no other follows in its line.
    fence: bool,
    escaped: bool,
    /// Something but blanks came in this line.
    written: bool,
    tag: Option<Tag>,
    /// The last two characters.
    last: [char; 2],
}

#[derive(Debug, Clone, Default)]
struct Tag {
    kind: Option<char>,
    equals: bool,
    quote: Option<char>,
}

/// What a character is in its place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// A `]` that may close an image.
    pub(super) image: bool,
    /// A backslash stands before it that is none itself.
    pub(super) escaped: bool,
}

impl Nest {
    /// One character further.
    pub(super) fn step(&mut self, c: char) -> Place {
        let escaped = std::mem::take(&mut self.escaped);
        let mut place = Place { image: false, escaped };
        if c == '`' && !escaped {
            if self.run == 0 {
                self.run_begins = !self.written;
            }
            self.run = self.run.saturating_add(1);
        } else {
            self.end_run();
            match c {
                '`' => self.loose |= !self.codes.is_empty(),
                '\\' => self.escaped = !escaped,
                '\n' => self.line(),
                '[' | ']' => place.image = self.bracket(c, escaped),
                _ => {}
            }
        }
        self.tag(c);
        self.written = c != '\n' && (self.written || !matches!(c, ' ' | '\t' | '\r'));
        self.last = [self.last[1], c];
        place
    }

    fn end_run(&mut self) {
        let length = std::mem::take(&mut self.run);
        if length == 0 {
            return;
        }
        self.fence = false;
        if let Some(at) = self.codes.iter().position(|open| *open == length) {
            // Code ends: nothing that began behind it was code of its own.
            self.codes.truncate(at);
        } else if self.codes.len() < CODES {
            self.codes.push(length);
            self.fence = self.run_begins && length >= 3;
        } else {
            self.loose = true;
        }
    }

    fn line(&mut self) {
        if !self.written {
            self.images.clear();
            self.codes.clear();
            self.tag = None;
            (self.loose, self.fence) = (false, false);
            return;
        }
        if std::mem::take(&mut self.fence) {
            self.codes.pop();
        }
        // The next line may be another block, where no code ends that began here.
        if !self.codes.is_empty() {
            self.codes.clear();
            self.loose = true;
        }
    }

    fn bracket(&mut self, c: char, escaped: bool) -> bool {
        let doubtful = escaped || self.loose || !self.codes.is_empty() || self.tag.is_some();
        if c == '[' {
            for (fewest, most) in &mut self.images {
                *most = most.saturating_add(1);
                *fewest = fewest.saturating_add(u32::from(!doubtful));
            }
            if self.last[1] == '!' {
                self.images.push((0, 0));
            }
            if self.images.len() > IMAGES {
                let outer = self.images.remove(0);
                if let Some(next) = self.images.first_mut() {
                    *next = (next.0.min(outer.0), next.1.max(outer.1));
                }
            }
            return false;
        }
        let image = self.images.iter().any(|(fewest, _)| *fewest == 0);
        self.images.retain(|(_, most)| doubtful || *most > 0);
        for (fewest, most) in &mut self.images {
            *fewest = fewest.saturating_sub(1);
            *most -= u32::from(!doubtful);
        }
        image
    }

    fn tag(&mut self, c: char) {
        if self.last[1] == '<' && (c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            // In the quotes of one that may never end: then this is one, else it is not.
            self.loose |= self.tag.as_ref().is_some_and(|tag| tag.quote.is_some());
            if !self.loose {
                self.tag = Some(Tag { kind: matches!(c, '!' | '?').then_some(c), ..Tag::default() });
            }
            return;
        }
        let [before, last] = self.last;
        let Some(tag) = &mut self.tag else { return };
        let over = match (tag.quote, tag.kind) {
            (Some(quote), _) => {
                if c == quote {
                    (tag.quote, tag.equals) = (None, false);
                }
                false
            }
            (None, Some('?')) => c == '>' && last == '?',
            // A comment, a `CDATA` or a declaration: which of them, the first character behind says.
            (None, Some(kind @ ('-' | '['))) => {
                let ends = if kind == '-' { '-' } else { ']' };
                c == '>' && last == ends && before == ends
            }
            (None, Some(_)) => {
                tag.kind = matches!(c, '-' | '[').then_some(c);
                c == '>'
            }
            (None, None) if c == '>' => true,
            (None, None) => {
                match c {
                    '"' | '\'' if tag.equals => tag.quote = Some(c),
                    '=' => tag.equals = true,
                    _ => tag.equals &= c.is_whitespace(),
                }
                false
            }
        };
        if over {
            self.tag = None;
        }
    }
}

/// Whether only marks of quotes and lists came in a line so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Margin {
    #[default]
    Begin,
    Marker,
    Digits(u8),
    Text,
}

impl Margin {
    pub(super) const fn step(self, c: char) -> Self {
        match (self, c) {
            (_, '\n') | (Self::Begin, ' ' | '\t' | '\r' | '>') | (Self::Marker, ' ' | '\t') => Self::Begin,
            (Self::Begin, '-' | '*' | '+') => Self::Marker,
            (Self::Begin, '0'..='9') => Self::Digits(1),
            (Self::Digits(n), '0'..='9') if n < 9 => Self::Digits(n + 1),
            (Self::Digits(_), '.' | ')') => Self::Marker,
            _ => Self::Text,
        }
    }
}

/// A destination of Markdown without its backslashes before punctuation.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && next.is_ascii_punctuation() => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the closing brackets may close an image.
    fn images(text: &str) -> Vec<bool> {
        let mut nest = Nest::default();
        text.chars().map(|c| (c, nest.step(c))).filter(|(c, _)| *c == ']').map(|(_, p)| p.image).collect()
    }

    #[test]
    fn brackets_are_told_exactly_where_nothing_is_in_doubt() {
        assert_eq!(images("![a](x) [b](y)"), [true, false]);
        assert_eq!(images("[![a](x)](y) [c](z)"), [true, false, false]);
        assert_eq!(images("![a [b] c](x)"), [false, true]);
        assert_eq!(images("`code` ![a](x) [b](y)"), [true, false]);
        assert_eq!(images("<b title='>'>![a](x)</b> [b](y)"), [true, false]);
        assert_eq!(images("```rust\n![a](x)\n```\n![a](x) [b](y)"), [true, true, false]);
        assert_eq!(
            images(&format!("![{}{}](x) [b](y)", "[".repeat(99), "]".repeat(99))).last(),
            Some(&false)
        );
    }

    #[test]
    fn an_image_is_closed_behind_brackets_that_are_none() {
        for text in [
            "![a\\]]",
            "![`]`]",
            "![`` ] ` ] ``]",
            "![<b x=\"]\">]",
            "![`]` ``]",
            "a ` b\n- ![`]`]",
            "![<!-- > ] -->]",
            "![`\\`]",
            "![a `\\` ]]",
            "![<b x='>' y=']'>]",
            "![<https://a/]>]",
        ] {
            assert_eq!(images(text).last(), Some(&true), "{text}");
        }
        assert_eq!(images(&format!("![{}{}]", "[".repeat(99), "]".repeat(99))).last(), Some(&true));
        assert_eq!(images(&format!("![{}a{}]", "![".repeat(99), "]".repeat(99))).last(), Some(&true));
        assert_eq!(images("a `\n\n![a](x) [b](y)"), [true, false]);
    }
}
