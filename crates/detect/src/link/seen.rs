//! What looking for addresses sees of a text: invisible characters gone, full-width forms and HTML entities as what they
//! stand for, letters that are spaced out together again; each with its place in the original.

use std::borrow::Cow;

use chatward_message::Span;

use crate::normal;

/// What is no part of any address.
pub(super) const OTHER: u8 = 0x1A;
/// A letter or mark of another script, which a name may hold.
pub(super) const LETTER: u8 = 0x80;
/// So many single letters with spaces between are read as one word.
const SPACED: usize = 7;

/// A text as it is looked at.
pub(super) struct Seen<'a> {
    text: Cow<'a, [u8]>,
    /// The character and its place behind each byte; nothing if all are ASCII and stand where they are.
    wide: Option<Vec<Item>>,
}

#[derive(Clone, Copy)]
struct Item {
    c: char,
    start: u32,
    end: u32,
}

impl<'a> Seen<'a> {
    /// Looks at a text. Of a text above 4 GiB nothing is seen.
    pub(super) fn of(text: &'a str) -> Self {
        if u32::try_from(text.len()).is_err() {
            return Self { text: Cow::Borrowed(&[]), wide: None };
        }
        if text.is_ascii() && !text.contains('&') && !has_spaced(text.as_bytes()) {
            return Self { text: Cow::Borrowed(text.as_bytes()), wide: None };
        }
        let mut this = Self { text: Cow::Owned(Vec::new()), wide: None };
        let (mut bytes, mut items) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
            let entity = if c == '&' { text.get(at..).and_then(entity) } else { None };
            let (c, length) = entity.unwrap_or((c, c.len_utf8()));
            if let Some(byte) = see(c) {
                bytes.push(byte);
                items.push(item(c, at, at + length));
            }
            at += length;
        }
        if has_spaced(&bytes) {
            join_spaced(&mut bytes, &mut items);
        }
        this.text = Cow::Owned(bytes);
        this.wide = Some(items);
        this
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    pub(super) fn at(&self, i: usize) -> u8 {
        self.text.get(i).copied().unwrap_or(0)
    }

    /// What Markdown sees there: only what was written as it is opens or closes anything.
    pub(super) fn mark(&self, i: usize) -> char {
        match self.wide.as_ref().and_then(|items| items.get(i)) {
            Some(item) if item.end - item.start == 1 || !item.c.is_ascii() => item.c,
            Some(_) => char::REPLACEMENT_CHARACTER,
            None => char::from(self.at(i)),
        }
    }

    pub(super) fn before(&self, i: usize) -> u8 {
        i.checked_sub(1).map_or(0, |i| self.at(i))
    }

    /// Where these bytes stand in the original.
    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        match &self.wide {
            None => Span::new(from, to),
            Some(items) => {
                let end = to.checked_sub(1).and_then(|i| items.get(i)).map_or(0, |item| item.end as usize);
                Span::new(items.get(from).map_or(end, |item| item.start as usize), end)
            }
        }
    }

    /// Adds the characters behind these bytes: letters of other scripts as they are, all else as it is seen.
    pub(super) fn push_to(&self, out: &mut String, from: usize, to: usize) {
        for i in from..to.min(self.len()) {
            let byte = self.at(i);
            let c = self.wide.as_ref().and_then(|items| items.get(i)).map_or(char::from(byte), |item| item.c);
            let seen_otherwise =
                !c.is_ascii() && byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b'_';
            out.push(if seen_otherwise { char::from(byte) } else { c });
        }
    }

    /// The characters behind these bytes.
    pub(super) fn string(&self, from: usize, to: usize) -> String {
        let mut out = String::with_capacity(to.saturating_sub(from));
        self.push_to(&mut out, from, to);
        out
    }

    /// Whether something between these bytes is not seen: invisible characters, spaces between letters.
    pub(super) fn hides(&self, from: usize, to: usize) -> bool {
        let Some(items) = self.wide.as_ref().and_then(|items| items.get(from..to)) else { return false };
        items.windows(2).any(|pair| matches!(pair, [a, b] if a.end != b.start))
            || items.iter().any(|item| item.end - item.start != u32::try_from(item.c.len_utf8()).unwrap_or(0))
    }
}

fn item(c: char, start: usize, end: usize) -> Item {
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Item { c, start: place(start), end: place(end) }
}

/// What is seen of a character; nothing if it is invisible.
pub(super) fn see(c: char) -> Option<u8> {
    if let Ok(byte) = u8::try_from(c)
        && byte < 0x80
    {
        return Some(byte);
    }
    match u32::from(c) {
        0xAD
        | 0x034F
        | 0x061C
        | 0x180B..=0x180F
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xE0000..=0xE0FFF => None,
        // Dots that are no full stops, and the punctuation of texts in wide letters.
        0xB7 | 0x2022 | 0x2219 | 0x22C5 | 0x30FB | 0xFF65 | 0xFF01 | 0xFF02 | 0xFF07 | 0xFF08 | 0xFF09
        | 0xFF0C | 0xFF1B | 0xFF1C | 0xFF1E | 0xFF1F | 0x60C | 0x201A | 0x3001 | 0xFE50 => Some(OTHER),
        // Quotes end an address as ASCII ones do.
        0x2018..=0x201F | 0xAB | 0xBB => Some(b'"'),
        _ => Some(normal::fold(c).map_or(LETTER, |byte| match byte {
            b'_' => LETTER,
            0x80.. => 0x81,
            byte => byte,
        })),
    }
}

/// Whether a byte may be part of a label of a name.
pub(super) const fn is_label(b: u8) -> bool {
    LABEL[b as usize]
}

static LABEL: [bool; 256] = {
    let mut all = [false; 256];
    let mut n = 0;
    while n < 256 {
        let b = n as u8;
        all[n] = b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b >= LETTER;
        n += 1;
    }
    all
};

/// Whether it is a letter of a script that is written without spaces.
pub(super) const fn is_spaceless(b: u8) -> bool {
    b > LETTER
}

/// A numeric character reference, or one of the named ones that addresses are hidden with; its length.
fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.get(1..)?;
    if let Some(number) = body.strip_prefix('#') {
        let (digits, radix, lead) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 3),
            None => (number, 10, 2),
        };
        let count = digits.bytes().take(9).take_while(|b| char::from(*b).is_digit(radix)).count();
        let value = u32::from_str_radix(digits.get(..count)?, radix).ok()?;
        let semicolon = usize::from(digits.as_bytes().get(count) == Some(&b';'));
        // What opens a tag or ends a value does not when it is written as a reference.
        let c = char::from_u32(value).filter(|c| !matches!(c, '<' | '>' | '"' | '\'' | '&'))?;
        return Some((c, lead + count + semicolon));
    }
    let named = [
        ("amp;", '&'),
        ("period;", '.'),
        ("colon;", ':'),
        ("sol;", '/'),
        ("commat;", '@'),
        ("bsol;", '\\'),
        ("lowbar;", '_'),
        ("hyphen;", '-'),
        ("percnt;", '%'),
        ("quest;", '?'),
        ("equals;", '='),
        ("Tab;", '\t'),
        ("NewLine;", '\n'),
        ("ZeroWidthSpace;", '\u{200B}'),
        ("shy;", '\u{AD}'),
        ("nbsp;", '\u{A0}'),
    ];
    named.iter().find(|(name, _)| body.starts_with(name)).map(|(name, c)| (*c, 1 + name.len()))
}

/// Whether single letters stand in a row with spaces between.
fn has_spaced(bytes: &[u8]) -> bool {
    // Most texts have not so many blanks two apart.
    let apart = bytes.iter().zip(bytes.iter().skip(2)).map(|(a, b)| u32::from(*a == b' ' && *b == b' '));
    if apart.sum::<u32>() as usize + 2 < SPACED {
        return false;
    }
    // Single letters in the row that ends here, and the length of the word that does.
    let (mut row, mut length) = (0, 0_usize);
    for b in bytes {
        if is_single(*b) {
            length += 1;
            row = if length == 1 { row + 1 } else { 0 };
            continue;
        }
        if row >= SPACED {
            return true;
        }
        // One blank keeps a row together, nothing else.
        if length == 0 || *b != b' ' {
            row = 0;
        }
        length = 0;
    }
    row >= SPACED
}

const fn is_single(b: u8) -> bool {
    b != b' ' && b != b'\n' && b != b'\t' && b != b'\r'
}

/// Takes the spaces out between single letters of which one is a dot.
fn join_spaced(bytes: &mut Vec<u8>, items: &mut Vec<Item>) {
    let mut keep = vec![true; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let single = |i: usize| {
            bytes.get(i).is_some_and(|b| is_single(*b))
                && (i == 0 || bytes.get(i - 1).is_some_and(|b| !is_single(*b)))
                && bytes.get(i + 1).is_none_or(|b| !is_single(*b))
        };
        if !single(at) {
            at += 1;
            continue;
        }
        let mut end = at;
        while bytes.get(end + 1) == Some(&b' ') && single(end + 2) {
            end += 2;
        }
        let row = bytes.get(at..=end).unwrap_or_default();
        if end - at >= 2 * (SPACED - 1) && row.contains(&b'.') {
            (at + 1..end).step_by(2).for_each(|i| {
                if let Some(kept) = keep.get_mut(i) {
                    *kept = false;
                }
            });
        }
        at = end + 1;
    }
    let mut kept = keep.iter();
    bytes.retain(|_| *kept.next().unwrap_or(&true));
    let mut kept = keep.iter();
    items.retain(|_| *kept.next().unwrap_or(&true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        let seen = Seen::of(text);
        seen.string(0, seen.len())
    }

    #[test]
    fn what_hides_an_address_is_seen_through() {
        assert_eq!(seen("evil\u{200B}.c\u{AD}om"), "evil.com");
        assert_eq!(seen("evil&#46;com&#x2F;a &amp; b &lt;"), "evil.com/a & b &lt;");
        assert_eq!(seen("see e v i l . c o m / a now"), "see evil.com/a now");
        assert_eq!(seen("I a m a b i g o"), "I a m a b i g o");
        assert_eq!(seen("http：／／evil．com"), "http://evil.com");
        assert_eq!(seen("a。b"), "a.b");
    }

    #[test]
    fn places_are_those_of_the_original() {
        let text = "é e\u{200B}vil&#46;com ü";
        let seen = Seen::of(text);
        assert_eq!(seen.span(2, 10), Span::new(3, text.len() - 3));
        assert!(seen.hides(2, 10));
        assert!(!Seen::of("é evil.com").hides(2, 10));
    }
}
