//! Cutting a stream of text at the placeholders in it.

use std::sync::Arc;

use crate::form::{MAX_FORM, Seen, bare, bracketed};
use crate::table::{Meaning, Restorer};

/// What comes out of the splitter.
pub(crate) enum Cut<'a> {
    /// Words beside placeholders.
    Words(&'a str),
    /// A placeholder as it was written, the number of its value, and whether an `s` belongs behind it.
    Placeholder { raw: &'a str, at: usize, plural: bool },
    /// Something that looks like a placeholder but stays as it is; its words come as [`Cut::Words`].
    Missed,
}

/// Cuts text that arrives in pieces. Holds back only what may begin a placeholder, at most [`MAX_FORM`] bytes.
pub(crate) struct Splitter {
    restorer: Arc<Restorer>,
    held: String,
    before: Option<char>,
}

enum Next {
    /// Text up to here, nothing begins here.
    Step(usize),
    /// What begins here depends on what comes.
    Wait,
    Cut {
        len: usize,
        at: usize,
        plural: bool,
    },
    Missed(usize),
}

impl Splitter {
    pub(crate) fn new(restorer: Arc<Restorer>) -> Self {
        Self { restorer, held: String::new(), before: None }
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn push(&mut self, piece: &str, sink: &mut impl FnMut(Cut<'_>, &Restorer)) {
        if self.held.is_empty() {
            self.cut(piece, false, sink);
            return;
        }
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        self.cut(&text, false, sink);
    }

    pub(crate) fn finish(&mut self, sink: &mut impl FnMut(Cut<'_>, &Restorer)) {
        let text = std::mem::take(&mut self.held);
        self.cut(&text, true, sink);
        self.before = None;
    }

    fn cut(&mut self, text: &str, end: bool, sink: &mut impl FnMut(Cut<'_>, &Restorer)) {
        let restorer = Arc::clone(&self.restorer);
        let words = |from: usize, to: usize, sink: &mut dyn FnMut(Cut<'_>, &Restorer)| {
            if let Some(words) = text.get(from..to).filter(|w| !w.is_empty()) {
                sink(Cut::Words(words), &restorer);
            }
        };
        let (mut from, mut at) = (0, 0);
        while let Some(byte) = text.as_bytes().get(at) {
            if !restorer.may_start(*byte) {
                at += 1;
                continue;
            }
            match self.begins(text, at, end) {
                Next::Step(by) => at += by,
                Next::Wait => {
                    words(from, at, sink);
                    text.get(at..).unwrap_or_default().clone_into(&mut self.held);
                    self.remember(text, at);
                    return;
                }
                Next::Missed(len) => {
                    sink(Cut::Missed, &restorer);
                    at += len;
                }
                Next::Cut { len, at: value, plural } => {
                    words(from, at, sink);
                    if let Some(raw) = text.get(at..at + len) {
                        sink(Cut::Placeholder { raw, at: value, plural }, &restorer);
                    }
                    at += len;
                    from = at;
                }
            }
        }
        words(from, text.len(), sink);
        self.remember(text, text.len());
    }

    fn begins(&self, text: &str, at: usize, end: bool) -> Next {
        let Some(rest) = text.get(at..) else { return Next::Step(1) };
        let seen = if rest.starts_with('[') {
            bracketed(rest, end)
        } else {
            let before = text.get(..at).and_then(|t| t.chars().next_back()).or(self.before);
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                return Next::Step(1);
            }
            match self.surrogate(rest, end) {
                Next::Step(_) => bare(rest, end, |word| self.restorer.begins_word(word)),
                found => return found,
            }
        };
        match seen {
            Seen::No => Next::Step(1),
            Seen::Partial => Next::Wait,
            Seen::Form(form) => match self.restorer.meaning(&form) {
                Meaning::Value { at, plural } => Next::Cut { len: form.len, at, plural },
                Meaning::Missed => Next::Missed(form.len),
                Meaning::Text => Next::Step(form.len),
            },
        }
    }

    /// A surrogate that stands here on word boundaries, the longest that may.
    fn surrogate(&self, rest: &str, end: bool) -> Next {
        for (surrogate, value) in self.restorer.surrogates() {
            if surrogate.len() > MAX_FORM {
                continue;
            }
            if let Some(after) = rest.strip_prefix(&**surrogate) {
                match after.chars().next() {
                    Some(next) if next.is_alphanumeric() => {}
                    None if !end && surrogate.len() < MAX_FORM => return Next::Wait,
                    _ => return Next::Cut { len: surrogate.len(), at: *value, plural: false },
                }
            } else if !end && surrogate.starts_with(rest) {
                return Next::Wait;
            }
        }
        Next::Step(1)
    }

    fn remember(&mut self, text: &str, upto: usize) {
        if let Some(last) = text.get(..upto).and_then(|t| t.chars().next_back()) {
            self.before = Some(last);
        }
    }
}

impl std::fmt::Debug for Splitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Splitter({} bytes held)", self.held.len())
    }
}
