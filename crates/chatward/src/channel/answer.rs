//! The answer inside: Binary HTTP of indeterminate length, in sealed chunks whose sizes and times tell little.
//!
//! A stream of events goes out at a fixed beat. What came since the last beat leaves as one chunk, filled up to a multiple of the
//! bucket with comments, which readers of events skip; where nothing came, a chunk of comments leaves all the same, so that pauses
//! are not seen either. Any other answer is filled up with zeros behind the message. What still shows is in docs/channel.md.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body as _, Frame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Refused;
use super::open::Sealer;

/// What waits for the next beat at most; a faster stream waits itself.
const WAITING: usize = 1 << 16;
/// The longest plain answer that is held until it is whole. Longer ones leave as they come, filled up at their end.
const WHOLE: usize = 1 << 16;
/// The longest message inside (the draft's bound).
const LONGEST: u64 = 1 << 30;

/// How streams are made even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time between two chunks.
    pub beat: Duration,
    /// What the length of a chunk is a multiple of, in bytes: 256 to 16384.
    pub bucket: usize,
    /// Whether a chunk leaves at a beat where nothing came.
    pub fill: bool,
}

/// An answer on its way out.
pub(super) struct Answer {
    body: Body,
    /// Gone after the final chunk.
    sealer: Option<Sealer>,
    /// Plain text that did not leave yet: the head first, then what the body gave.
    head: Vec<u8>,
    waiting: Vec<u8>,
    /// Of the message inside, so far.
    sent: u64,
    ended: bool,
    pace: Pace,
    beat: Option<Interval>,
}

impl Answer {
    /// Of this response. Its cookies are not in it: scripts could not set them.
    pub(super) fn new(response: Response<Body>, sealer: Sealer, pace: Pace) -> Self {
        let (head, body) = response.into_parts();
        let events = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let beat = events.then(|| {
            let mut beat = interval_at(Instant::now() + pace.beat, pace.beat);
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        });
        Self {
            head: head_of(head.status, &head.headers),
            body,
            sealer: Some(sealer),
            waiting: Vec::new(),
            sent: 0,
            ended: false,
            pace,
            beat,
        }
    }

    /// Takes what the body has, up to a bound.
    fn gather(&mut self, context: &mut Context<'_>, most: usize) -> Result<(), axum::Error> {
        while !self.ended && self.waiting.len() < most {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => break,
                Poll::Ready(None) => self.ended = true,
                Poll::Ready(Some(frame)) => {
                    if let Ok(data) = frame?.into_data() {
                        self.waiting.extend_from_slice(&data);
                    }
                }
            }
        }
        Ok(())
    }

    /// Seals what waits as one piece, and the end of the message if it has come.
    fn piece(&mut self, events: bool) -> Result<Bytes, Refused> {
        let bucket = self.pace.bucket;
        let mut text = std::mem::take(&mut self.head);
        if self.ended {
            content(&mut text, &self.waiting);
            self.waiting.clear();
            // The end of the content, and no trailers.
            text.extend_from_slice(&[0, 0]);
            let whole = self.sent + u64::try_from(text.len()).unwrap_or(u64::MAX);
            let padded = if events {
                text.len().next_multiple_of(bucket)
            } else {
                text.len() + padding(whole, bucket)
            };
            text.resize(padded, 0);
        } else if events {
            let line = self.waiting.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let rest = self.waiting.split_off(line);
            let lines = std::mem::replace(&mut self.waiting, rest);
            let piece = commented(text.len(), lines, bucket);
            content(&mut text, &piece);
        } else {
            content(&mut text, &self.waiting);
            self.waiting.clear();
        }
        self.sent += u64::try_from(text.len()).unwrap_or(u64::MAX);
        let sealer = self.sealer.as_mut().filter(|_| self.sent <= LONGEST).ok_or(Refused::Bad)?;
        let sealed = sealer.chunk(&text)?;
        match self.sealer.take_if(|_| self.ended) {
            Some(sealer) => Ok([sealed, sealer.finish()?].concat().into()),
            None => Ok(sealed),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        if self.sealer.is_none() {
            return Poll::Ready(None);
        }
        // An answer that breaks off inside breaks off outside: without its final chunk it is no answer.
        let Some(mut beat) = self.beat.take() else {
            self.gather(context, WHOLE)?;
            if !self.ended && self.waiting.len() < WHOLE {
                return Poll::Pending;
            }
            return Poll::Ready(Some(self.piece(false).map_err(axum::Error::new)));
        };
        loop {
            self.gather(context, WAITING)?;
            if beat.poll_tick(context).is_pending() {
                self.beat = Some(beat);
                return Poll::Pending;
            }
            if self.ended || self.pace.fill || !self.waiting.is_empty() || !self.head.is_empty() {
                self.beat = Some(beat);
                return Poll::Ready(Some(self.piece(true).map_err(axum::Error::new)));
            }
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let piece = ready!(self.poll(context));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Framing indicator, status and fields (RFC 9292, 3.2).
fn head_of(status: StatusCode, headers: &HeaderMap) -> Vec<u8> {
    let mut text = vec![3];
    varint(&mut text, usize::from(status.as_u16()));
    for (name, value) in headers.iter().filter(|(name, _)| goes_inside(name)) {
        for part in [name.as_str().as_bytes(), value.as_bytes()] {
            varint(&mut text, part.len());
            text.extend_from_slice(part);
        }
    }
    text.push(0);
    text
}

/// Whether a field is the answer's and not the connection's or the browser's.
fn goes_inside(name: &header::HeaderName) -> bool {
    ![
        header::SET_COOKIE,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
        header::UPGRADE,
    ]
    .contains(name)
        && name.as_str() != "keep-alive"
}

/// A piece of content with its length before it. Nothing, if it is empty: that would be the end.
fn content(text: &mut Vec<u8>, piece: &[u8]) {
    if !piece.is_empty() {
        varint(text, piece.len());
        text.extend_from_slice(piece);
    }
}

/// These lines with a comment of spaces behind them, so that `before` and all of it are a multiple of the bucket.
fn commented(before: usize, mut lines: Vec<u8>, bucket: usize) -> Vec<u8> {
    // A length below 64 or from 16384 on takes one or four bytes instead of two; a bucket is never that small.
    let least = before + lines.len() + 2 + 2;
    let mut whole = least.next_multiple_of(bucket);
    let mut long = length_of(whole - before);
    if before + lines.len() + long + 2 > whole {
        whole += bucket;
        long = length_of(whole - before);
    }
    let fill = whole - before - long - lines.len();
    lines.push(b':');
    lines.resize(lines.len() + fill - 2, b' ');
    lines.push(b'\n');
    lines
}

/// Bytes of the number that says the length of a piece which, with that number, is `whole` long.
const fn length_of(whole: usize) -> usize {
    match whole {
        0..=64 => 1,
        65..=16_385 => 2,
        _ => 4,
    }
}

/// How much is put behind a message of this length: to a multiple of the bucket, and of an eighth of the length for long ones.
fn padding(whole: u64, bucket: usize) -> usize {
    let step = u64::try_from(bucket).unwrap_or(256).max(whole.next_power_of_two() / 16);
    usize::try_from(whole.next_multiple_of(step) - whole).unwrap_or(0)
}

/// A number as RFC 9000 writes it (16).
fn varint(text: &mut Vec<u8>, number: usize) {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    let (bytes, mark) = match number {
        0..0x40 => (1, 0),
        0x40..0x4000 => (2, 1 << 6),
        0x4000..0x4000_0000 => (4, 2 << 6),
        _ => (8, 3 << 6),
    };
    let from = text.len();
    text.extend_from_slice(number.to_be_bytes().get(8 - bytes..).unwrap_or_default());
    if let Some(first) = text.get_mut(from) {
        *first |= mark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_at_a_beat_is_a_multiple_of_the_bucket() {
        for bucket in [256, 1024, 16_384] {
            for before in [0, 1, 63, 200, 1023] {
                for length in (0..700).chain(16_000..16_500).chain([40_000]) {
                    let lines = commented(before, vec![b'x'; length], bucket);
                    let mut text = vec![0; before];
                    content(&mut text, &lines);
                    assert_eq!(text.len() % bucket, 0, "{bucket} {before} {length}");
                    assert!(text.len() <= (before + length).next_multiple_of(bucket) + bucket);
                    assert!(lines[..length].iter().all(|byte| *byte == b'x'));
                    assert!(lines[length] == b':' && lines.ends_with(b"\n"));
                }
            }
        }
    }

    #[test]
    fn plain_answers_have_few_lengths() {
        let lengths: std::collections::BTreeSet<u64> =
            (0..100_000u64).map(|n| n + padding(n, 1024) as u64).collect();
        assert!(lengths.len() < 60, "{}", lengths.len());
        assert!((0..100_000u64).all(|n| padding(n, 1024) as u64 <= 1024.max(n / 4)));
    }
}
