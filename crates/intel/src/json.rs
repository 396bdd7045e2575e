//! A walk through a JSON text that may be larger than memory and may lie.
//!
//! Only brackets and strings are followed here; each entry is handed out as it stands, at most so many bytes of it, and
//! read by `serde_json`. So one bad entry spoils no other, and what nobody asks for is passed over without being kept.

use std::io::Read;

use memchr::memchr2;

use crate::fault::FormFault;
use crate::source::Source;

/// Longer keys are of no use: they come out empty.
const LONGEST_KEY: usize = 256;

pub(crate) struct Walk<R> {
    source: Source<R>,
    depth: usize,
    deepest: usize,
}

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    Object,
    Array,
    Other,
}

type Walked = Result<(), FormFault>;

impl<R: Read> Walk<R> {
    pub(crate) fn new(from: R, limit: u64, deepest: usize) -> Result<Self, FormFault> {
        let mut source = Source::new(from, limit);
        // A byte order mark, which some servers put in front.
        if source.ahead()?.starts_with(b"\xef\xbb\xbf") {
            source.take(3);
        }
        Ok(Self { source, depth: 0, deepest })
    }

    pub(crate) const fn at(&self) -> u64 {
        self.source.at()
    }

    /// What comes next, after white space.
    pub(crate) fn begins(&mut self) -> Result<Begins, FormFault> {
        Ok(match self.peek()? {
            b'{' => Begins::Object,
            b'[' => Begins::Array,
            _ => Begins::Other,
        })
    }

    /// Walks through an object. `each` is given every key and must take the value.
    pub(crate) fn object(&mut self, each: &mut dyn FnMut(&mut Self, &str) -> Walked) -> Walked {
        self.open(b'{')?;
        let mut key = Vec::new();
        if !self.closes(b'}')? {
            loop {
                if self.peek()? != b'"' {
                    return Err(self.wrong());
                }
                key.clear();
                let fits = self.copy(&mut key, LONGEST_KEY)?;
                let name: String =
                    if fits { serde_json::from_slice(&key).unwrap_or_default() } else { String::new() };
                if self.peek()? != b':' {
                    return Err(self.wrong());
                }
                self.source.take(1);
                each(self, &name)?;
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Walks through an array. `each` must take the value.
    pub(crate) fn array(&mut self, each: &mut dyn FnMut(&mut Self) -> Walked) -> Walked {
        self.open(b'[')?;
        if !self.closes(b']')? {
            loop {
                each(self)?;
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Passes over a value.
    pub(crate) fn skip(&mut self) -> Walked {
        self.copy(&mut Vec::new(), 0).map(drop)
    }

    /// A value as it stands, instead of what is in `out`; whether it is no longer than `most`.
    pub(crate) fn raw(&mut self, out: &mut Vec<u8>, most: usize) -> Result<bool, FormFault> {
        out.clear();
        self.copy(out, most)
    }

    /// Nothing but white space follows.
    pub(crate) fn end(&mut self) -> Walked {
        loop {
            let ahead = self.source.ahead()?;
            if ahead.is_empty() {
                return Ok(());
            }
            let blank = ahead.iter().take_while(|b| is_blank(**b)).count();
            let all = blank == ahead.len();
            self.source.take(blank);
            if !all {
                return Err(self.wrong());
            }
        }
    }

    fn wrong(&self) -> FormFault {
        FormFault::Json(self.source.at())
    }

    /// The next byte that is not white space; it stays.
    fn peek(&mut self) -> Result<u8, FormFault> {
        loop {
            let ahead = self.source.ahead()?;
            if ahead.is_empty() {
                return Err(FormFault::Cut(self.source.at()));
            }
            let blank = ahead.iter().take_while(|b| is_blank(**b)).count();
            if let Some(byte) = ahead.get(blank).copied() {
                self.source.take(blank);
                return Ok(byte);
            }
            self.source.take(blank);
        }
    }

    fn open(&mut self, bracket: u8) -> Walked {
        if self.peek()? != bracket {
            return Err(self.wrong());
        }
        self.source.take(1);
        self.depth += 1;
        if self.depth > self.deepest { Err(FormFault::Deep(self.source.at())) } else { Ok(()) }
    }

    fn closes(&mut self, bracket: u8) -> Result<bool, FormFault> {
        let closes = self.peek()? == bracket;
        if closes {
            self.source.take(1);
        }
        Ok(closes)
    }

    /// Whether a comma follows, and not the end.
    fn goes_on(&mut self, bracket: u8) -> Result<bool, FormFault> {
        let byte = self.peek()?;
        if byte != b',' && byte != bracket {
            return Err(self.wrong());
        }
        self.source.take(1);
        Ok(byte == b',')
    }

    /// Takes one value and appends it, as long as no more than `most` bytes come together.
    fn copy(&mut self, out: &mut Vec<u8>, most: usize) -> Result<bool, FormFault> {
        let mut copy = Copy { out, most, fits: true };
        let mut open = 0;
        loop {
            match self.peek()? {
                b'"' => self.string(&mut copy)?,
                byte @ (b'{' | b'[') => {
                    open += 1;
                    if self.depth + open > self.deepest {
                        return Err(FormFault::Deep(self.source.at()));
                    }
                    self.one(byte, &mut copy);
                    continue;
                }
                byte @ (b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.one(byte, &mut copy);
                }
                byte @ (b',' | b':') if open > 0 => {
                    self.one(byte, &mut copy);
                    continue;
                }
                _ => self.word(&mut copy)?,
            }
            if open == 0 {
                return Ok(copy.fits);
            }
        }
    }

    fn one(&mut self, byte: u8, copy: &mut Copy<'_>) {
        copy.put(&[byte]);
        self.source.take(1);
    }

    /// A number, `true`, `false`, `null`: up to what cannot belong to it.
    fn word(&mut self, copy: &mut Copy<'_>) -> Walked {
        let mut any = false;
        loop {
            let ahead = self.source.ahead()?;
            let many = ahead.iter().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
            let all = many == ahead.len() && many > 0;
            copy.put(ahead.get(..many).unwrap_or_default());
            self.source.take(many);
            any |= many > 0;
            match (all, any) {
                (true, _) => {}
                (false, true) => return Ok(()),
                (false, false) => return Err(self.wrong()),
            }
        }
    }

    fn string(&mut self, copy: &mut Copy<'_>) -> Walked {
        self.one(b'"', copy);
        let mut escaped = false;
        loop {
            let ahead = self.source.ahead()?;
            if ahead.is_empty() {
                return Err(FormFault::Cut(self.source.at()));
            }
            if escaped {
                copy.put(ahead.get(..1).unwrap_or_default());
                self.source.take(1);
                escaped = false;
                continue;
            }
            let found = memchr2(b'"', b'\\', ahead);
            let many = found.map_or(ahead.len(), |at| at + 1);
            let piece = ahead.get(..many).unwrap_or_default();
            escaped = piece.last() == Some(&b'\\');
            let ends = found.is_some() && !escaped;
            copy.put(piece);
            self.source.take(many);
            if ends {
                return Ok(());
            }
        }
    }
}

struct Copy<'a> {
    out: &'a mut Vec<u8>,
    most: usize,
    fits: bool,
}

impl Copy<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.fits &= self.out.len() + bytes.len() <= self.most;
        if self.fits {
            self.out.extend_from_slice(bytes);
        }
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A reader that gives a few bytes at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let many = self.0.len().min(3).min(to.len());
            to[..many].copy_from_slice(&self.0[..many]);
            self.0 = &self.0[many..];
            Ok(many)
        }
    }

    fn entries(text: &str) -> Result<Vec<serde_json::Value>, FormFault> {
        let mut walk = Walk::new(Drip(text.as_bytes()), 1 << 20, 16)?;
        let (mut out, mut raw) = (Vec::new(), Vec::new());
        walk.object(&mut |walk, key| {
            if key != "list" {
                return walk.skip();
            }
            walk.array(&mut |walk| {
                assert!(walk.raw(&mut raw, 1 << 20)?);
                out.push(serde_json::from_slice(&raw).unwrap_or_default());
                Ok(())
            })
        })?;
        walk.end()?;
        Ok(out)
    }

    #[test]
    fn entries_come_as_they_stand() {
        let text = r#" { "a\"]}" : [ {"x":"]\\\"}"} , 1.5e+3 ] , "list" : [ {"a" : [1, 2]} , "s\\", null,-1 ], "b":{} } "#;
        let found = entries(text).unwrap();
        assert_eq!(serde_json::json!(found), serde_json::json!([{"a": [1, 2]}, "s\\", null, -1]));
    }

    #[test]
    fn what_is_broken_is_said() {
        for (text, cut) in [
            ("{", true),
            (r#"{"list": ["#, true),
            (r#"{"list": ["a"#, true),
            ("[]", false),
            (r#"{"a":1}}"#, false),
        ] {
            match entries(text) {
                Err(FormFault::Cut(_)) => assert!(cut, "{text}"),
                Err(FormFault::Json(_)) => assert!(!cut, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
        assert!(matches!(entries(&deep), Err(FormFault::Deep(_))));
    }

    #[test]
    fn long_values_are_passed_over() {
        let text = format!(r#"{{"list":["{}", 2]}}"#, "x".repeat(300_000));
        let mut walk = Walk::new(text.as_bytes(), 1 << 20, 16).unwrap();
        let (mut fits, mut raw) = (Vec::new(), Vec::new());
        walk.object(&mut |walk, _| {
            walk.array(&mut |walk| {
                fits.push(walk.raw(&mut raw, 1000)?);
                assert!(raw.capacity() <= 2000);
                Ok(())
            })
        })
        .unwrap();
        assert_eq!(fits, [false, true]);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::btree_map(".{0,6}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_walk_sees_what_serde_json_sees(list in proptest::collection::vec(json(), 0..5), before in json()) {
            let text = serde_json::json!({"before": before, "list": list, "z": 1});
            for text in [text.to_string(), serde_json::to_string_pretty(&text).unwrap()] {
                prop_assert_eq!(entries(&text).unwrap(), list.clone());
            }
        }
    }
}
