//! Bytes of a feed, a buffer at a time, up to a limit.

use std::io::Read;

use memchr::memchr;

use crate::fault::FormFault;

const BUFFER: usize = 64 * 1024;

/// What is read from, and how far.
pub(crate) struct Source<R> {
    inner: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    at: u64,
    limit: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(inner: R, limit: u64) -> Self {
        Self { inner, buffer: vec![0; BUFFER].into(), start: 0, end: 0, at: 0, limit }
    }

    /// How many bytes were taken.
    pub(crate) const fn at(&self) -> u64 {
        self.at
    }

    /// What comes next, at least one byte of it; empty at the end.
    pub(crate) fn ahead(&mut self) -> Result<&[u8], FormFault> {
        if self.start == self.end {
            self.start = 0;
            self.end = loop {
                match self.inner.read(&mut self.buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    read => break read?.min(BUFFER),
                }
            };
            if self.at + self.end as u64 > self.limit {
                return Err(FormFault::Long(self.limit));
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// Takes so many of what is ahead.
    pub(crate) fn take(&mut self, many: usize) {
        let many = many.min(self.end - self.start);
        self.start += many;
        self.at += many as u64;
    }

    /// The next line into `line`, without its end and at most `most` bytes of it. Nothing at the end of the feed,
    /// otherwise whether all of the line is there.
    pub(crate) fn line(&mut self, line: &mut Vec<u8>, most: usize) -> Result<Option<bool>, FormFault> {
        line.clear();
        let (mut whole, mut any) = (true, false);
        loop {
            let ahead = self.ahead()?;
            if ahead.is_empty() {
                return Ok(any.then_some(whole));
            }
            any = true;
            let end = memchr(b'\n', ahead);
            let piece = ahead.get(..end.unwrap_or(ahead.len())).unwrap_or_default();
            let room = most - line.len();
            whole &= piece.len() <= room;
            line.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            let taken = piece.len() + usize::from(end.is_some());
            self.take(taken);
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(Some(whole));
            }
        }
    }
}
