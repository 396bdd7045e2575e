//! From the bytes of a request to its text, and what seals the answer to it (draft-ietf-ohai-chunked-ohttp, 3).
//!
//! Everything happens in memory: a browser sends a request whole. Whatever is wrong with it, from its length to the tag of its
//! last chunk, there is one answer.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use aws_lc_rs::digest;
use bytes::Bytes;
use chatward_message::UnixMillis;
use futures_util::io::{AsyncRead, AsyncWrite};
use zeroize::Zeroizing;

use super::Refused;
use super::keys::{Key, Keys, SUITE};

/// Key id, KEM, KDF, AEAD.
pub(super) const HEADER: usize = 7;
/// The KEM's ciphertext of X-Wing.
pub(super) const ENC: usize = 1120;
/// The longest text of a chunk (draft, 3.1), and the tag behind it.
const CHUNK: usize = 1 << 14;
const TAG: usize = 16;
/// Chunks of one answer at most: the bound of AES-128-GCM for one key, with room.
const MOST_CHUNKS: u32 = 1 << 20;

/// A request that opened.
pub(super) struct Open {
    /// Binary HTTP.
    pub(super) text: Zeroizing<Vec<u8>>,
    /// SHA-256 over header and KEM ciphertext: what tells this request from any other.
    pub(super) tag: [u8; 32],
    /// Under which key.
    pub(super) key: Arc<Key>,
    /// Seals the answer.
    pub(super) sealer: Sealer,
}

/// Opens a request.
pub(super) fn open(keys: &Keys, body: &[u8], now: UnixMillis) -> Result<Open, Refused> {
    let (head, chunks) = body.split_at_checked(HEADER + ENC).ok_or(Refused::Bad)?;
    let (id, suite) = head.split_first().ok_or(Refused::Bad)?;
    // The library would take any suite that it knows, whether or not the key offers it.
    if suite.get(..SUITE.len()) != Some(&SUITE[..]) {
        return Err(Refused::Bad);
    }
    if !framed(chunks) {
        return Err(Refused::Bad);
    }
    let key = keys.find(*id, now).ok_or(Refused::Key)?;
    let left = Cell::new(body.len());
    let mut request = key.server().decapsulate_stream(Tape { rest: body, left: &left });
    let text = read(&mut request, body.len())?;
    if left.get() != 0 {
        return Err(Refused::Bad);
    }
    let tag = digest::digest(&digest::SHA256, head).as_ref().try_into().map_err(|_| Refused::Bad)?;
    let sink = Sink::default();
    let writer = request.response(sink.clone()).map_err(|_| Refused::Bad)?;
    Ok(Open { text, tag, key, sealer: Sealer { writer: Box::new(writer), sink, chunks: 0 } })
}

/// Whether these are chunks with a final one behind them, none but that one empty (draft, 3.1). Looked at first: it costs nothing,
/// and the library takes an empty chunk in the middle for the end.
fn framed(mut chunks: &[u8]) -> bool {
    loop {
        let Some(&first) = chunks.first() else { return false };
        let Some((number, rest)) = chunks.split_at_checked(1 << (first >> 6)) else { return false };
        let length = number.iter().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
        // The two upper bits say how long the number is.
        let length = length & (usize::MAX >> (usize::BITS as usize - 8 * number.len() + 2));
        match length {
            0 => return (TAG..=CHUNK + TAG).contains(&rest.len()),
            1..=TAG => return false,
            _ if length > CHUNK + TAG => return false,
            _ => match rest.split_at_checked(length) {
                Some((_, later)) => chunks = later,
                None => return false,
            },
        }
    }
}

/// Reads to the end of the final chunk.
fn read(request: &mut (impl AsyncRead + Unpin), most: usize) -> Result<Zeroizing<Vec<u8>>, Refused> {
    // As large as it can get, so that no growing leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(most));
    let mut piece = Zeroizing::new(vec![0; CHUNK + TAG]);
    while let n @ 1.. = at_once(|context| Pin::new(&mut *request).poll_read(context, &mut piece))? {
        text.extend_from_slice(piece.get(..n).unwrap_or_default());
    }
    // An empty chunk that is not the last reads like the end. The true end stays the end.
    match at_once(|context| Pin::new(&mut *request).poll_read(context, &mut piece))? {
        0 => Ok(text),
        _ => Err(Refused::Bad),
    }
}

/// What never waits: both ends are in memory.
pub(super) fn at_once<T>(
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>,
) -> Result<T, Refused> {
    match poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(done)) => Ok(done),
        Poll::Ready(Err(_)) | Poll::Pending => Err(Refused::Bad),
    }
}

/// Bytes in memory, and how many are left.
struct Tape<'a> {
    rest: &'a [u8],
    left: &'a Cell<usize>,
}

impl AsyncRead for Tape<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut [u8]) -> Poll<io::Result<usize>> {
        let n = to.len().min(self.rest.len());
        let (now, later) = self.rest.split_at_checked(n).unwrap_or_default();
        if let Some(to) = to.get_mut(..n) {
            to.copy_from_slice(now);
        }
        self.rest = later;
        self.left.set(later.len());
        Poll::Ready(Ok(n))
    }
}

/// Collects what is written.
#[derive(Clone, Default)]
pub(super) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(super) fn take(&self) -> Bytes {
        Bytes::from(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(from);
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes all of it, or closes if there is nothing: the final chunk.
pub(super) fn write(writer: &mut (impl AsyncWrite + Unpin), mut text: &[u8]) -> Result<(), Refused> {
    while !text.is_empty() {
        let n = at_once(|context| Pin::new(&mut *writer).poll_write(context, text))?;
        text = text.get(n..).unwrap_or_default();
    }
    at_once(|context| Pin::new(&mut *writer).poll_flush(context))
}

/// Closes with the final chunk.
pub(super) fn close(writer: &mut (impl AsyncWrite + Unpin)) -> Result<(), Refused> {
    at_once(|context| Pin::new(&mut *writer).poll_close(context))
}

/// Seals one answer, chunk by chunk.
pub(super) struct Sealer {
    // The library does not name the type of what it gives.
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    sink: Sink,
    chunks: u32,
}

impl Sealer {
    /// These bytes as chunks, none longer than the draft allows.
    pub(super) fn chunk(&mut self, text: &[u8]) -> Result<Bytes, Refused> {
        let more = u32::try_from(text.len().div_ceil(CHUNK)).map_err(|_| Refused::Bad)?;
        self.chunks = self.chunks.saturating_add(more);
        if self.chunks >= MOST_CHUNKS {
            return Err(Refused::Bad);
        }
        write(&mut self.writer, text)?;
        Ok(self.sink.take())
    }

    /// The final chunk, by which a reader knows that nothing was cut off.
    pub(super) fn finish(mut self) -> Result<Bytes, Refused> {
        close(&mut self.writer)?;
        Ok(self.sink.take())
    }
}
