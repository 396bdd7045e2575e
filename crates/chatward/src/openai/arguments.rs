//! The arguments of a tool call: JSON inside a JSON string.
//!
//! Whole ([`leaves`], [`fill`]) or as it streams ([`Lexer`]): every string (keys and values) is a text of its own, with
//! its escapes undone, and so is every number of three and more digits; a number whose text changed becomes a string,
//! so that the JSON stays JSON.
//!
//! Limits. Arguments that are no JSON are one text when whole. In a stream nobody can know that yet: there each run
//! between structural characters is a text. A streamed string is written with only the escapes it needs (`\u00e9`
//! may become `é`): equal as JSON, not byte for byte.

use std::ops::Range;

use super::json::{self, Cursor, Shape};
use super::stream::{ChannelKey, Channels};

/// The longest bare token that can still be put in quotes when its text changes.
const LONGEST_BARE: usize = 64;

/// A string or number, and where it stands (a string with its quotes).
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) at: Range<usize>,
    pub(super) number: bool,
}

/// The leaves in order; nothing if the text is not JSON. Empty strings and short numbers are left out.
pub(super) fn leaves(inner: &str) -> Option<Vec<Leaf>> {
    json::check(inner).ok()?;
    let mut cursor = Cursor::new(inner);
    let mut leaves = Vec::new();
    while let Some((shape, at)) = cursor.leaf() {
        let number = shape == Shape::Number;
        let worth = if number {
            let digits = inner.get(at.clone()).unwrap_or_default();
            digits.bytes().filter(u8::is_ascii_digit).count() >= 3
        } else {
            at.len() > 2
        };
        if worth {
            leaves.push(Leaf { at, number });
        }
    }
    Some(leaves)
}

/// The arguments with the given texts in place; nothing if no text changed.
pub(super) fn fill<T: AsRef<str>>(inner: &str, leaves: &[Leaf], texts: &[T]) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (leaf, text) in leaves.iter().zip(texts) {
        let (raw, text) = (inner.get(leaf.at.clone()).unwrap_or_default(), text.as_ref());
        let same = if leaf.number {
            raw == text
        } else {
            json::quoted(raw).is_some_and(|raw| json::unescape_lossy(raw) == text)
        };
        if same {
            continue;
        }
        out.push_str(inner.get(done..leaf.at.start).unwrap_or_default());
        done = leaf.at.end;
        out.push('"');
        json::escape_str(text, &mut out);
        out.push('"');
    }
    if done == 0 {
        return None;
    }
    out.push_str(inner.get(done..).unwrap_or_default());
    Some(out)
}

#[derive(Debug, Default)]
enum State {
    /// Between tokens.
    #[default]
    Outside,
    /// In a bare token (number, literal, or no JSON at all), kept whole until its end.
    Bare(String),
    /// In a bare token too long for that.
    Long,
    /// In a string.
    Text,
    /// In a string, in an escape sequence of which this much came.
    Escape(String),
}

/// Reads arguments as they stream.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    state: State,
    scratch: String,
}

impl Lexer {
    /// Takes a fragment; writes what may go on.
    pub(super) fn push<C: Channels + ?Sized>(
        &mut self,
        key: ChannelKey,
        mut piece: &str,
        channels: &mut C,
        out: &mut String,
    ) -> Result<(), C::Error> {
        while !piece.is_empty() {
            match &mut self.state {
                State::Outside => {
                    let end = piece.find(|c| !structural(c)).unwrap_or(piece.len());
                    let (run, rest) = piece.split_at(end);
                    out.push_str(run);
                    piece = rest;
                    if let Some(rest) = piece.strip_prefix('"') {
                        out.push('"');
                        piece = rest;
                        self.state = State::Text;
                    } else if !piece.is_empty() {
                        self.state = State::Bare(String::new());
                    }
                }
                State::Bare(token) => {
                    let end = piece.find(ends_bare).unwrap_or(piece.len());
                    let (run, rest) = piece.split_at(end);
                    if token.len() + run.len() > LONGEST_BARE {
                        let token = std::mem::take(token);
                        channels.push(key, &token, out)?;
                        self.state = State::Long;
                        continue;
                    }
                    token.push_str(run);
                    piece = rest;
                    if !piece.is_empty() {
                        self.end_bare(key, channels, out)?;
                    }
                }
                State::Long => {
                    let end = piece.find(ends_bare).unwrap_or(piece.len());
                    let (run, rest) = piece.split_at(end);
                    if !run.is_empty() {
                        channels.push(key, run, out)?;
                    }
                    piece = rest;
                    if !piece.is_empty() {
                        channels.finish(key, out)?;
                        self.state = State::Outside;
                    }
                }
                State::Text => {
                    let end = piece.find(['"', '\\']).unwrap_or(piece.len());
                    let (run, rest) = piece.split_at(end);
                    if !run.is_empty() {
                        self.scratch.clear();
                        channels.push(key, run, &mut self.scratch)?;
                        json::escape_str(&self.scratch, out);
                    }
                    piece = rest;
                    if let Some(rest) = piece.strip_prefix('"') {
                        self.scratch.clear();
                        channels.finish(key, &mut self.scratch)?;
                        json::escape_str(&self.scratch, out);
                        out.push('"');
                        piece = rest;
                        self.state = State::Outside;
                    } else if !piece.is_empty() {
                        self.state = State::Escape(String::new());
                    }
                }
                State::Escape(sequence) => {
                    let Some(next) = piece.chars().next() else { break };
                    if belongs(sequence, next) {
                        sequence.push(next);
                        piece = piece.get(next.len_utf8()..).unwrap_or_default();
                        if !complete(sequence) {
                            continue;
                        }
                    }
                    let sequence = std::mem::take(sequence);
                    // The start of another escape may hang behind half a pair.
                    let (now, later) = match sequence.rfind('\\') {
                        Some(second) if second > 0 && !complete(&sequence) => sequence.split_at(second),
                        _ => (sequence.as_str(), ""),
                    };
                    self.scratch.clear();
                    channels.push(key, &json::unescape_lossy(now), &mut self.scratch)?;
                    json::escape_str(&self.scratch, out);
                    self.state = if later.is_empty() { State::Text } else { State::Escape(later.to_owned()) };
                }
            }
        }
        Ok(())
    }

    /// No more fragments: writes what is still held, even in the middle of a string.
    pub(super) fn finish<C: Channels + ?Sized>(
        &mut self,
        key: ChannelKey,
        channels: &mut C,
        out: &mut String,
    ) -> Result<(), C::Error> {
        match std::mem::take(&mut self.state) {
            State::Outside => {}
            State::Bare(token) => {
                self.state = State::Bare(token);
                self.end_bare(key, channels, out)?;
            }
            State::Long => channels.finish(key, out)?,
            State::Text => self.end_text(key, "", channels, out)?,
            State::Escape(sequence) => self.end_text(key, &sequence, channels, out)?,
        }
        Ok(())
    }

    fn end_text<C: Channels + ?Sized>(
        &mut self,
        key: ChannelKey,
        broken: &str,
        channels: &mut C,
        out: &mut String,
    ) -> Result<(), C::Error> {
        self.scratch.clear();
        channels.finish(key, &mut self.scratch)?;
        json::escape_str(&self.scratch, out);
        out.push_str(broken);
        Ok(())
    }

    fn end_bare<C: Channels + ?Sized>(
        &mut self,
        key: ChannelKey,
        channels: &mut C,
        out: &mut String,
    ) -> Result<(), C::Error> {
        let State::Bare(whole) = std::mem::take(&mut self.state) else { return Ok(()) };
        let token = whole.trim_end();
        if matches!(token, "true" | "false" | "null") {
            out.push_str(&whole);
            return Ok(());
        }
        self.scratch.clear();
        channels.push(key, token, &mut self.scratch)?;
        channels.finish(key, &mut self.scratch)?;
        if self.scratch == token {
            out.push_str(&whole);
        } else {
            out.push('"');
            json::escape_str(&self.scratch, out);
            out.push('"');
            out.push_str(whole.get(token.len()..).unwrap_or_default());
        }
        Ok(())
    }
}

fn structural(c: char) -> bool {
    matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | ' ' | '\n' | '\r' | '\t')
}

fn ends_bare(c: char) -> bool {
    matches!(c, '{' | '}' | '[' | ']' | ',' | ':' | '"')
}

/// Whether the next character still belongs to this escape (`\n`, `\u00e9`, `\ud83d\ude00`).
fn belongs(sequence: &str, next: char) -> bool {
    match sequence.len() {
        0 => next == '\\',
        1 => next.is_ascii(),
        6 => next == '\\',
        7 => next == 'u',
        _ => next.is_ascii_hexdigit(),
    }
}

fn complete(sequence: &str) -> bool {
    match sequence.len() {
        0 | 1 => false,
        2 => !sequence.ends_with('u'),
        6 => !matches!(sequence.get(2..4), Some(high) if is_high(high)),
        12 => true,
        _ => false,
    }
}

/// Whether `\uXX..` is the first half of a surrogate pair.
fn is_high(digits: &str) -> bool {
    u8::from_str_radix(digits, 16).is_ok_and(|byte| (0xD8..0xDC).contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::answer::Channel;
    use super::*;

    const KEY: ChannelKey = ChannelKey { choice: 0, channel: Channel::ToolArguments(0) };

    /// Holds each text back to its end, then writes it in capitals.
    #[derive(Default)]
    struct Capitals(String, Vec<String>);

    impl Channels for Capitals {
        type Error = std::convert::Infallible;
        fn push(&mut self, _: ChannelKey, piece: &str, _: &mut String) -> Result<(), Self::Error> {
            self.0.push_str(piece);
            Ok(())
        }
        fn finish(&mut self, _: ChannelKey, out: &mut String) -> Result<(), Self::Error> {
            let text = std::mem::take(&mut self.0);
            out.push_str(&text.to_uppercase().replace("4111", "<\"card\">"));
            self.1.push(text);
            Ok(())
        }
    }

    fn stream(pieces: &[&str]) -> (String, Vec<String>) {
        let (mut lexer, mut channels, mut out) = (Lexer::default(), Capitals::default(), String::new());
        for piece in pieces {
            lexer.push(KEY, piece, &mut channels, &mut out).unwrap();
        }
        lexer.finish(KEY, &mut channels, &mut out).unwrap();
        (out, channels.1)
    }

    #[test]
    fn strings_and_numbers_are_texts() {
        let (out, texts) = stream(&[r#"{"na"#, r#"me":"M\u00e4x \"Q\"","n": 4111 ,"ok":true}"#]);
        assert_eq!(out, r#"{"NAME":"MÄX \"Q\"","N": "<\"CARD\">" ,"OK":true}"#.replace("CARD", "card"));
        assert_eq!(texts, ["name", "Mäx \"Q\"", "n", "4111", "ok"]);
        let inner = r#"{"name":"M\u00e4x","n":41112,"s":7,"e":""}"#;
        let leaves = leaves(inner).unwrap();
        let texts: Vec<&str> = leaves.iter().map(|leaf| &inner[leaf.at.clone()]).collect();
        assert_eq!(texts, [r#""name""#, r#""M\u00e4x""#, r#""n""#, "41112", r#""s""#, r#""e""#]);
        assert_eq!(fill(inner, &leaves, &["name", "Mäx", "n", "41112", "s", "e"]), None);
        assert_eq!(
            fill(inner, &leaves, &["name", "A\n", "n", "[N]", "s", "e"]).unwrap(),
            r#"{"name":"A\n","n":"[N]","s":7,"e":""}"#
        );
    }

    #[test]
    fn what_is_cut_off_is_still_written() {
        assert_eq!(stream(&[r#"{"a":"bc"#]).0, r#"{"A":"BC"#);
        assert_eq!(stream(&[r#"{"a":"b\u00"#]).0, r#"{"A":"B\u00"#);
        assert_eq!(stream(&["{\"a\":12"]).0, "{\"A\":12");
        let long = "x".repeat(100);
        assert_eq!(stream(&[&long]).0, long.to_uppercase());
    }

    proptest! {
        #[test]
        fn streamed_arguments_stay_the_same_json(
            key in any::<String>(), value in any::<String>(), number in any::<i64>(), ascii in any::<bool>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            struct Same;
            impl Channels for Same {
                type Error = std::convert::Infallible;
                fn push(&mut self, _: ChannelKey, piece: &str, out: &mut String) -> Result<(), Self::Error> {
                    out.push_str(piece);
                    Ok(())
                }
                fn finish(&mut self, _: ChannelKey, _: &mut String) -> Result<(), Self::Error> { Ok(()) }
            }
            let value = serde_json::json!({ key: [value.clone(), number, null, true, value] });
            let mut text = value.to_string();
            if ascii {
                text = text.chars().flat_map(|c| {
                    let mut units = [0; 2];
                    if c.is_ascii() { vec![c] } else {
                        c.encode_utf16(&mut units).iter().flat_map(|u| format!("\\u{u:04X}").chars().collect::<Vec<_>>()).collect()
                    }
                }).collect();
            }
            let mut at: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len()))).collect();
            at.sort_unstable();
            let (mut lexer, mut out, mut done) = (Lexer::default(), String::new(), 0);
            for end in at.into_iter().chain([text.len()]) {
                lexer.push(KEY, &text[done..end], &mut Same, &mut out).unwrap();
                done = end;
            }
            lexer.finish(KEY, &mut Same, &mut out).unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), value);
        }

        #[test]
        fn any_cutting_gives_the_same(text in r#"([a-z"\\{}:, u0-9]|\\u[dD][8-9a-fA-F][0-9]{2}|\\n|é){0,40}"#) {
            let whole = stream(&[&text]);
            let singles: Vec<String> = text.chars().map(String::from).collect();
            let singles: Vec<&str> = singles.iter().map(String::as_str).collect();
            prop_assert_eq!(stream(&singles), whole);
        }
    }
}
