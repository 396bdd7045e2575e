//! Text that arrives in pieces.

use std::sync::Arc;

use chatward_message::Finding;

use crate::{Context, Detector};

/// No more bytes of original text than this are ever held back.
pub const HOLD: usize = 192;

/// What a [`Window`] gives out, in the order of the text. Joined, the texts give the original, byte by byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Out<'a> {
    /// Words in which nothing was found; they are settled.
    Text(&'a str),
    /// A finding (span in bytes from the start of the stream) and its text.
    Found(&'a Finding, &'a str),
    /// A value without a known end begins; the finding's span and the text are those of its head.
    LongStart(&'a Finding, &'a str),
    /// More of that value.
    LongMore(&'a str),
    /// It ended; the finding's span is now the whole value.
    LongEnd(&'a Finding),
}

/// Text in pieces goes in, settled text and findings come out. The same findings whatever the cutting.
#[derive(Debug)]
pub struct Window {
    detector: Arc<Detector>,
    held: String,
}

impl Window {
    /// A window over one stream of text.
    pub fn new(detector: Arc<Detector>, _context: Context<'_>) -> Self {
        Self { detector, held: String::new() }
    }

    /// Takes the next piece and gives out what is settled.
    pub fn push(&mut self, piece: &str, sink: &mut impl FnMut(Out<'_>)) {
        let _ = &self.detector;
        sink(Out::Text(piece));
    }

    /// What came so far never joins what comes after; everything is settled and given out.
    pub fn barrier(&mut self, sink: &mut impl FnMut(Out<'_>)) {
        let _ = sink;
    }

    /// The stream ends: everything is settled and given out. The window is then as new.
    pub fn finish(&mut self, sink: &mut impl FnMut(Out<'_>)) {
        let _ = sink;
    }

    /// Bytes of original text held back now; never above [`HOLD`].
    pub fn held(&self) -> usize {
        self.held.len()
    }
}
