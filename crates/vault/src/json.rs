//! JSON that arrives in pieces: what its strings say, and how it was written.
//!
//! Detection and restoring must see the words (`Anna`), not their written form (`\u0041nna`), and yet not one byte beside
//! a replacement may change. [`Decoder`] gives out the words, and a [`Mark`] for every place where the written form
//! differs or a string begins or ends. It is lenient: what is no JSON passes as it is.

/// A place where the written form differs from the words, or a string begins or ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Where, in bytes of the words.
    pub(crate) at: u64,
    /// How many bytes of words stand for it.
    pub(crate) len: usize,
    /// How it was written.
    pub(crate) raw: String,
    /// A quotation mark that begins or ends a string.
    pub(crate) quote: bool,
}

/// Reads JSON in pieces.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    in_string: bool,
    /// An escape that is not complete yet: at most 12 bytes.
    escape: String,
    at: u64,
}

/// What comes out of the decoder.
pub(crate) enum Piece<'a> {
    /// Words as they are written.
    Words(&'a str),
    /// Words that are written differently; the mark comes before them.
    Marked(Mark, &'a str),
}

impl Decoder {
    pub(crate) fn push(&mut self, piece: &str, sink: &mut impl FnMut(Piece<'_>)) {
        let mut rest = piece;
        while let Some(next) = rest.chars().next() {
            if self.escape.is_empty() {
                let stop = |c: char| c == '"' || (self.in_string && c == '\\');
                let plain = rest.find(stop).unwrap_or(rest.len());
                let (words, after) = rest.split_at(plain);
                self.words(words, sink);
                rest = after;
                match after.chars().next() {
                    Some('"') => {
                        self.in_string = !self.in_string;
                        self.marked("\"".to_owned(), "\"", true, sink);
                        rest = after.get(1..).unwrap_or_default();
                    }
                    Some(backslash) => {
                        self.escape.push(backslash);
                        rest = after.get(1..).unwrap_or_default();
                    }
                    None => {}
                }
            } else if self.continues(next) {
                self.escape.push(next);
                rest = rest.get(next.len_utf8()..).unwrap_or_default();
                self.complete(sink);
            } else {
                self.give_up(sink);
            }
        }
    }

    /// The text ends: an unfinished escape passes as it is.
    pub(crate) fn finish(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        while !self.escape.is_empty() {
            self.give_up(sink);
        }
    }

    /// Bytes held back.
    pub(crate) fn held(&self) -> usize {
        self.escape.len()
    }

    fn words(&mut self, words: &str, sink: &mut impl FnMut(Piece<'_>)) {
        if !words.is_empty() {
            self.at += words.len() as u64;
            sink(Piece::Words(words));
        }
    }

    fn marked(&mut self, raw: String, words: &str, quote: bool, sink: &mut impl FnMut(Piece<'_>)) {
        let mark = Mark { at: self.at, len: words.len(), raw, quote };
        self.at += words.len() as u64;
        sink(Piece::Marked(mark, words));
    }

    /// Whether this character belongs to the escape that was begun.
    fn continues(&self, next: char) -> bool {
        let digit = |place: usize| (2..6).contains(&place) || (8..12).contains(&place);
        match self.escape.len() {
            1 => matches!(next, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u'),
            6 => next == '\\',
            7 => next == 'u',
            place => digit(place) && next.is_ascii_hexdigit(),
        }
    }

    /// Gives the escape out if it is complete.
    fn complete(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        let short = match self.escape.as_bytes() {
            [_, b'b'] => '\u{8}',
            [_, b'f'] => '\u{c}',
            [_, b'n'] => '\n',
            [_, b'r'] => '\r',
            [_, b't'] => '\t',
            [_, other] if *other != b'u' => char::from(*other),
            _ => {
                let Some(first) = unit(&self.escape, 2) else { return };
                match (char::from_u32(first), unit(&self.escape, 8)) {
                    (Some(c), _) => c,
                    (None, Some(second)) => pair(first, second),
                    // Half of a pair: wait for the other one, if there may be one.
                    (None, None) if (0xd800..0xdc00).contains(&first) => return,
                    (None, None) => char::REPLACEMENT_CHARACTER,
                }
            }
        };
        let raw = std::mem::take(&mut self.escape);
        self.marked(raw, short.encode_utf8(&mut [0; 4]), false, sink);
    }

    /// What was begun is no escape after all.
    fn give_up(&mut self, sink: &mut impl FnMut(Piece<'_>)) {
        let raw = std::mem::take(&mut self.escape);
        match raw.get(..6) {
            // Half of a pair stands alone; what was taken of a second one is looked at anew.
            Some(first) if unit(first, 2).is_some() => {
                self.marked(first.to_owned(), "\u{fffd}", false, sink);
                // What was taken of a second half begins an escape of its own.
                raw.get(6..).unwrap_or_default().clone_into(&mut self.escape);
            }
            _ => self.words(&raw, sink),
        }
    }
}

/// The four hexadecimal digits at this place of an escape.
fn unit(escape: &str, at: usize) -> Option<u32> {
    u32::from_str_radix(escape.get(at..at + 4)?, 16).ok()
}

fn pair(first: u32, second: u32) -> char {
    let fits = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
    let code = fits.then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
    code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Writes words into a JSON string (RFC 8259, 7).
pub(crate) fn escape(words: &str, to: &mut String) {
    for c in words.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            control if u32::from(control) < 0x20 => to.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => to.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words, and what the marks and the words give when they are put together again.
    fn decode(pieces: &[&str]) -> (String, String) {
        let mut decoder = Decoder::default();
        let (mut words, mut raw) = (String::new(), String::new());
        let mut sink = |piece: Piece<'_>| match piece {
            Piece::Words(w) => {
                words.push_str(w);
                raw.push_str(w);
            }
            Piece::Marked(mark, w) => {
                assert_eq!((mark.at, mark.len), (words.len() as u64, w.len()));
                words.push_str(w);
                raw.push_str(&mark.raw);
            }
        };
        for piece in pieces {
            decoder.push(piece, &mut sink);
        }
        decoder.finish(&mut sink);
        (words, raw)
    }

    #[test]
    fn words_are_read_and_the_written_form_is_kept_for_every_cutting() {
        let texts = [
            r#"{"a":"x\ny \u0041nna \ud83d\ude00 \/ \" \\ é","b":12}"#,
            r#"{"a":"\ud83d alone","b":"\ud83dA","c":"\q \u12"#,
            r#"{"a":"\ude00 \ud83d\n \ud83d\"}"#,
            "no json \\ at all \\u0041 \"open",
            "\"\\ud83d\\u00",
        ];
        for text in texts {
            let whole = decode(&[text]);
            assert_eq!(whole.1, text);
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            assert_eq!(decode(&letters), whole, "{text}");
        }
        assert_eq!(decode(&[texts[0]]).0, "{\"a\":\"x\ny Anna 😀 / \" \\ é\",\"b\":12}");
    }
}
