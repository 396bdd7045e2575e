//! A body with some of its strings taken out, to be put back in one pass.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use chatward_message::Plain;

use super::arguments::{self, Leaf};
use super::json;

/// The texts to put back are not as many as were taken out: a fault of the program, never of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{given} texts given for {taken} places")]
pub struct Mismatch {
    given: usize,
    taken: usize,
}

/// Half a surrogate pair stands alone in a string.
#[derive(Debug)]
pub(super) struct Broken;

/// What a lone surrogate does to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surrogates {
    /// The whole body is refused.
    Refuse,
    /// It reads as U+FFFD.
    Replace,
}

#[derive(Debug)]
enum What {
    /// A string: the text with this number.
    Text(usize),
    /// JSON inside a string: its own text, its leaves, and the number of the first leaf's text.
    Arguments { inner: String, leaves: Vec<Leaf>, first: usize },
    /// An identifier, forwarded only as what the hash makes of it.
    Id { key: String, value: String },
    /// Becomes `null`.
    Null,
}

/// The body and its cuts, in order of position.
pub(super) struct Cuts {
    body: Bytes,
    cuts: Vec<(Range<usize>, What)>,
    taken: usize,
}

impl Cuts {
    /// For a body that was checked to be UTF-8 JSON.
    pub(super) fn new(body: Bytes) -> Self {
        Self { body, cuts: Vec::new(), taken: 0 }
    }

    /// The body as it came.
    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The number of texts taken out so far.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Takes the raw string out; nothing if it is empty.
    pub(super) fn text(
        &mut self,
        raw: &str,
        at: Range<usize>,
        how: Surrogates,
    ) -> Result<Option<Plain>, Broken> {
        let text = decode(raw, how)?;
        if text.is_empty() {
            return Ok(None);
        }
        self.cuts.push((at, What::Text(self.taken)));
        self.taken += 1;
        Ok(Some(Plain::new(text.into_owned())))
    }

    /// Takes the leaves of the JSON inside the raw string out; if it is not JSON, the string itself.
    pub(super) fn arguments(
        &mut self,
        raw: &str,
        at: Range<usize>,
        how: Surrogates,
        mut each: impl FnMut(Plain),
    ) -> Result<(), Broken> {
        let inner = decode(raw, how)?;
        let Some(leaves) = arguments::leaves(&inner) else {
            if let Some(text) = self.text(raw, at, how)? {
                each(text);
            }
            return Ok(());
        };
        if leaves.is_empty() {
            return Ok(());
        }
        for leaf in &leaves {
            let raw = inner.get(leaf.at.clone()).unwrap_or_default();
            each(Plain::new(if leaf.number { raw.to_owned() } else { decode(raw, how)?.into_owned() }));
        }
        let first = self.taken;
        self.taken += leaves.len();
        self.cuts.push((at, What::Arguments { inner: inner.into_owned(), leaves, first }));
        Ok(())
    }

    /// Marks an identifier.
    pub(super) fn id(&mut self, at: Range<usize>, key: String, value: String) {
        self.cuts.push((at, What::Id { key, value }));
    }

    /// The identifier whose key answers this question.
    pub(super) fn find_id(&self, wanted: impl Fn(&str) -> bool) -> Option<&str> {
        self.cuts.iter().find_map(|(_, what)| match what {
            What::Id { key, value } if wanted(key) => Some(value.as_str()),
            _ => None,
        })
    }

    /// Marks a value that becomes `null`.
    pub(super) fn null(&mut self, at: Range<usize>) {
        self.cuts.push((at, What::Null));
    }

    /// Whether anything would be put back at all.
    pub(super) fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The body with the given texts in place of those taken out. A string whose text did not change keeps its very
    /// bytes, escapes and all.
    pub(super) fn fill<T: AsRef<str>>(
        &self,
        texts: &[T],
        hash: impl Fn(&str, &str) -> String,
    ) -> Result<Bytes, Mismatch> {
        let mismatch = Mismatch { given: texts.len(), taken: self.taken };
        if mismatch.given != mismatch.taken {
            return Err(mismatch);
        }
        if self.is_empty() {
            return Ok(self.body.clone());
        }
        let body: &[u8] = &self.body;
        let mut out = Vec::with_capacity(body.len() + body.len() / 8 + 64);
        let mut done = 0;
        for (at, what) in &self.cuts {
            out.extend_from_slice(body.get(done..at.start).unwrap_or_default());
            done = at.end;
            let raw = body.get(at.clone()).unwrap_or_default();
            match what {
                What::Null => out.extend_from_slice(b"null"),
                What::Id { key, value } => {
                    let hashed = hash(key, value);
                    put(&mut out, raw, value, &hashed);
                }
                What::Text(index) => {
                    let text = texts.get(*index).ok_or(mismatch)?.as_ref();
                    let was = std::str::from_utf8(raw).ok().and_then(json::quoted).map(json::unescape_lossy);
                    put(&mut out, raw, was.as_deref().unwrap_or_default(), text);
                }
                What::Arguments { inner, leaves, first } => {
                    let texts = texts.get(*first..*first + leaves.len()).ok_or(mismatch)?;
                    match arguments::fill(inner, leaves, texts) {
                        None => out.extend_from_slice(raw),
                        Some(filled) => quote(&mut out, &filled),
                    }
                }
            }
        }
        out.extend_from_slice(body.get(done..).unwrap_or_default());
        Ok(out.into())
    }
}

fn put(out: &mut Vec<u8>, raw: &[u8], was: &str, is: &str) {
    if was == is {
        out.extend_from_slice(raw);
    } else {
        quote(out, is);
    }
}

fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    json::escape(text, out);
    out.push(b'"');
}

fn decode(raw: &str, how: Surrogates) -> Result<Cow<'_, str>, Broken> {
    let inside = json::quoted(raw).unwrap_or_default();
    match how {
        Surrogates::Refuse => json::unescape(inside).ok_or(Broken),
        Surrogates::Replace => Ok(json::unescape_lossy(inside)),
    }
}
