//! The filters of a stream (ISO 32000-2, 7.3.8.2), by the value of `Filter` in its head and nothing else: any other name may stand
//! there without meaning anything.

use super::is_end;

/// Most filters that are read.
const FILTERS: usize = 17;

/// The filters in the order in which they are undone. None if there are none, or if they stand somewhere else.
pub(super) fn filters(head: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = Tokens { rest: head };
    let mut depth = 0_usize;
    while let Some(token) = tokens.next() {
        match token {
            Token::Opens => depth += 1,
            Token::Closes => depth = depth.saturating_sub(1),
            // The dictionary itself is the first level.
            Token::Name(name) if depth == 1 => {
                if name == b"Filter" {
                    return tokens.filters();
                }
                // A name behind a key is its value, and no key.
                if tokens.name_is_next() {
                    tokens.next();
                }
            }
            Token::Name(_) | Token::Other => {}
        }
    }
    Vec::new()
}

enum Token {
    /// `<<` or `[`.
    Opens,
    /// `>>` or `]`.
    Closes,
    Name(Vec<u8>),
    Other,
}

struct Tokens<'b> {
    rest: &'b [u8],
}

impl Tokens<'_> {
    /// What a filter's value names: one, or several in brackets.
    fn filters(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        self.blanks();
        let many = self.rest.starts_with(b"[");
        if many {
            self.next();
        }
        while let Some(Token::Name(name)) = self.next() {
            all.push(name);
            if !many || all.len() >= FILTERS {
                break;
            }
        }
        all
    }

    fn name_is_next(&mut self) -> bool {
        self.blanks();
        self.rest.starts_with(b"/")
    }

    /// White space and comments (7.2.4).
    fn blanks(&mut self) {
        loop {
            let from =
                self.rest.iter().position(|byte| !matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' '));
            self.rest = self.rest.get(from.unwrap_or(self.rest.len())..).unwrap_or_default();
            if !self.rest.starts_with(b"%") {
                return;
            }
            let end = self.rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            self.rest = self.rest.get(end.unwrap_or(self.rest.len())..).unwrap_or_default();
        }
    }

    fn next(&mut self) -> Option<Token> {
        self.blanks();
        let (first, rest) = self.rest.split_first()?;
        let (token, rest) = match (first, rest) {
            (b'<', [b'<', rest @ ..]) | (b'[', rest) => (Token::Opens, rest),
            (b'>', [b'>', rest @ ..]) | (b']', rest) => (Token::Closes, rest),
            (b'/', rest) => {
                let (name, rest) = super::name_at(rest);
                (Token::Name(name), rest)
            }
            (b'(', rest) => (Token::Other, behind_string(rest)),
            (b'<', rest) => {
                let end = memchr::memchr(b'>', rest).map_or(rest.len(), |end| end + 1);
                (Token::Other, rest.get(end..).unwrap_or_default())
            }
            (byte, rest) if is_end(*byte) => (Token::Other, rest),
            (_, rest) => {
                let end = rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len());
                (Token::Other, rest.get(end..).unwrap_or_default())
            }
        };
        self.rest = rest;
        Some(token)
    }
}

/// What stands behind a string, whose opening bracket was read.
fn behind_string(bytes: &[u8]) -> &[u8] {
    let (mut depth, mut escaped) = (1_usize, false);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'(' => depth += 1,
            b')' if depth == 1 => return bytes.get(at + 1..).unwrap_or_default(),
            b')' => depth -= 1,
            _ => {}
        }
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_filter_says_what_is_undone() {
        for (head, expected) in [
            (&b"<</Filter/FlateDecode>>"[..], &["FlateDecode"][..]),
            (b"obj << /X /DCTDecode /Filter /FlateDecode /Length 5 0 R >>", &["FlateDecode"]),
            (b"<</X[/DCTDecode]/Filter[ /ASCIIHexDecode/Fl ]/Y/DCT>>", &["ASCIIHexDecode", "Fl"]),
            (b"<</P<</Filter/DCTDecode>>/#46ilter/Fl#61teDecode>>", &["FlateDecode"]),
            (b"<</X(/Filter/DCTDecode \\) ()/Y )/Filter/Fl>>", &["Fl"]),
            (b"<<%/Filter/DCTDecode\n/Length 5 0 R/Filter %x\n/Fl>>", &["Fl"]),
            (b"<</X/Filter/Filter/Fl>>", &["Fl"]),
            (b"<</X<2F>/Y true/Filter/Fl>>", &["Fl"]),
            (b"<</Filter 5 0 R/X/DCTDecode>>", &[]),
            (b"<</Length 5>>", &[]),
            (b"<</X(((", &[]),
            (b"", &[]),
        ] {
            assert_eq!(
                filters(head),
                expected.iter().map(|one| one.as_bytes()).collect::<Vec<_>>(),
                "{head:?}"
            );
        }
    }
}
