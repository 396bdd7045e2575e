//! Walking JSON by position.
//!
//! Every text is first checked whole by `serde_json`; only then a [`Cursor`] walks it. So the cursor never has to
//! judge what is JSON and what is not, and there is no second opinion for anyone to exploit. It is still total: on
//! a text that was not checked it stops early, it never panics and never runs forever.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

/// Whether the text is one JSON value and nothing else. Nesting costs no stack.
pub(super) fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop)
}

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    String,
    Number,
    Bool(bool),
    Null,
}

/// A place in a checked JSON text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self::starting(text, 0)
    }

    pub(super) fn starting(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, also: u8) {
        while let Some(byte) = self.peek() {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') && byte != also {
                break;
            }
            self.at += 1;
        }
    }

    /// What stands here, after white space. At the end of the text that is nothing.
    pub(super) fn shape(&mut self) -> Shape {
        self.skip(b' ');
        match self.peek() {
            Some(b'{') => Shape::Object,
            Some(b'[') => Shape::Array,
            Some(b'"') => Shape::String,
            Some(b't') => Shape::Bool(true),
            Some(b'f') => Shape::Bool(false),
            Some(b'n') | None => Shape::Null,
            Some(_) => Shape::Number,
        }
    }

    /// Steps inside the object or array that stands here.
    pub(super) fn enter(&mut self) {
        self.skip(b' ');
        self.at += 1;
    }

    /// The next key of the object we are in, its escapes undone; nothing (and past the brace) when it ends.
    pub(super) fn key(&mut self) -> Option<Cow<'a, str>> {
        self.skip(b',');
        if self.peek() != Some(b'"') {
            self.at += 1;
            return None;
        }
        let raw = self.string();
        self.skip(b':');
        self.text.get(raw).and_then(quoted).map(unescape_lossy)
    }

    /// Whether the array we are in has another element; if not, we are past its bracket.
    pub(super) fn element(&mut self) -> bool {
        self.skip(b',');
        match self.peek() {
            None => false,
            Some(b']') => {
                self.at += 1;
                false
            }
            Some(_) => true,
        }
    }

    /// Passes over any value.
    pub(super) fn pass(&mut self) {
        self.value();
    }

    /// Steps over one value and says where it stood, quotes and braces included.
    pub(super) fn value(&mut self) -> Range<usize> {
        self.skip(b' ');
        let start = self.at;
        match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{' | b'[') => {
                let mut depth = 0usize;
                while let Some(byte) = self.peek() {
                    match byte {
                        b'"' => {
                            self.string();
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                while let Some(byte) = self.peek() {
                    if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
                        break;
                    }
                    self.at += 1;
                }
                if self.at == start {
                    self.at += 1; // only in a text nobody checked
                }
            }
        }
        start..self.at.min(self.text.len())
    }

    /// Steps over the string that begins here.
    fn string(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            match memchr2(b'"', b'\\', rest) {
                None => {
                    self.at = self.text.len();
                    break;
                }
                Some(found) if rest.get(found) == Some(&b'"') => {
                    self.at += found + 1;
                    break;
                }
                Some(found) => self.at += found + 2,
            }
        }
        start..self.at
    }

    /// The next string or number at or after this place, at any depth: in checked JSON a quote outside a string
    /// always begins one.
    pub(super) fn leaf(&mut self) -> Option<(Shape, Range<usize>)> {
        loop {
            match self.peek()? {
                b'"' => return Some((Shape::String, self.string())),
                b'-' | b'0'..=b'9' => return Some((Shape::Number, self.value())),
                _ => self.at += 1,
            }
        }
    }
}

/// What stands between the quotes of a raw string.
pub(super) fn quoted(raw: &str) -> Option<&str> {
    raw.strip_prefix('"')?.strip_suffix('"')
}

/// Undoes a string's escapes; nothing if half a surrogate pair stands alone, which no text can hold.
pub(super) fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    let (text, sound) = decode(raw);
    sound.then_some(text)
}

/// Undoes a string's escapes, with U+FFFD for half a surrogate pair.
pub(super) fn unescape_lossy(raw: &str) -> Cow<'_, str> {
    decode(raw).0
}

fn decode(raw: &str) -> (Cow<'_, str>, bool) {
    let Some((head, mut rest)) = raw.split_once('\\') else { return (Cow::Borrowed(raw), true) };
    let mut text = String::with_capacity(raw.len());
    let mut sound = true;
    text.push_str(head);
    // `rest` always begins just behind a backslash.
    loop {
        let mut chars = rest.chars();
        match chars.next() {
            None => sound = false,
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let (decoded, after) = unicode(chars.as_str());
                sound &= decoded.is_some();
                text.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
                chars = after.chars();
            }
            Some(other) => text.push(other),
        }
        match chars.as_str().split_once('\\') {
            None => {
                text.push_str(chars.as_str());
                return (Cow::Owned(text), sound);
            }
            Some((run, next)) => {
                text.push_str(run);
                rest = next;
            }
        }
    }
}

/// The character behind `\u`, and what follows it; of a broken pair only the first half is consumed.
fn unicode(rest: &str) -> (Option<char>, &str) {
    let Some((first, after)) = hex(rest) else { return (None, rest) };
    if let Some(c) = char::from_u32(first) {
        return (Some(c), after);
    }
    if first < 0xDC00
        && let Some((second, after)) = after.strip_prefix("\\u").and_then(hex)
        && (0xDC00..0xE000).contains(&second)
    {
        return (char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)), after);
    }
    (None, after)
}

fn hex(text: &str) -> Option<(u32, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok().map(|value| (value, after))
}

/// Writes the text as the inside of a JSON string (RFC 8259 §7), escaping only what must be.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}

/// The same into a text.
pub(super) fn escape_str(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_stand_where_the_cursor_says() {
        let text = r#" { "a" : [ 1 , "x\"]}" , { } ] , "b\u0063":-1.5e3,"d":null } "#;
        let mut cursor = Cursor::new(text);
        assert_eq!(cursor.shape(), Shape::Object);
        cursor.enter();
        assert_eq!(cursor.key().as_deref(), Some("a"));
        let at = cursor.value();
        assert_eq!(&text[at], r#"[ 1 , "x\"]}" , { } ]"#);
        assert_eq!(cursor.key().as_deref(), Some("bc"));
        assert_eq!(cursor.shape(), Shape::Number);
        let at = cursor.value();
        assert_eq!(&text[at], "-1.5e3");
        assert_eq!(cursor.key().as_deref(), Some("d"));
        assert_eq!(cursor.shape(), Shape::Null);
        cursor.value();
        assert_eq!(cursor.key(), None);
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text() {
        assert_eq!(unescape(r"a\ud83d\ude00b").as_deref(), Some("a😀b"));
        for broken in [r"\ud800", r"\ude00", r"\ud83dx", r"\ud83d\n", r"\ud83d\u0041"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
        assert_eq!(unescape_lossy(r"\ud83d\u0041"), "\u{FFFD}A");
    }

    proptest! {
        #[test]
        fn escaping_and_undoing_agree_with_serde(text in any::<String>()) {
            let mut ours = Vec::new();
            escape(&text, &mut ours);
            let ours = String::from_utf8(ours).unwrap();
            let mut second = String::new();
            escape_str(&text, &mut second);
            prop_assert_eq!(&second, &ours);
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{ours}\"")).unwrap(), text.clone());
            let theirs = serde_json::to_string(&text).unwrap();
            let undone = unescape(quoted(&theirs).unwrap()).unwrap();
            prop_assert_eq!(undone.as_ref(), text.as_str());
        }

        #[test]
        fn strings_read_as_serde_reads_them(raw in r#"([a-z"\\/bfnrtu0-9]|\\u[0-9a-fA-F]{4}|\\n){0,12}"#) {
            let whole = format!("\"{raw}\"");
            match serde_json::from_str::<String>(&whole) {
                Ok(theirs) => {
                    let ours = unescape(&raw);
                    prop_assert_eq!(ours.as_deref(), Some(theirs.as_str()));
                }
                Err(_) if check(&whole).is_ok() => prop_assert!(unescape(&raw).is_none()),
                Err(_) => {}
            }
        }

        #[test]
        fn the_cursor_is_total(text in r#"[\[\]{}",:a\\0 ]{0,24}"#) {
            let mut cursor = Cursor::new(&text);
            for _ in 0..64 {
                cursor.shape();
                cursor.enter();
                if cursor.key().is_some() { text.get(cursor.value()); }
                if cursor.element() { text.get(cursor.value()); }
            }
            let mut cursor = Cursor::new(&text);
            while let Some((_, at)) = cursor.leaf() { text.get(at); }
        }
    }
}
