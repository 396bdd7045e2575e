//! A set as bytes, so that the last good one is there after a restart.
//!
//! All numbers are little-endian: 8 bytes of magic and version, 8 of the key's check, 32 of the lengths of blocks, then for
//! each of the 256 shards the number of its entries (4) with their hashes (8 each) and records (10 each), then the SHA-256
//! of all before. Filters are made anew. The bytes name nothing that is listed.

use std::io::{Read, Write};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use super::IndicatorSet;
use super::record::Packed;
use super::set::{Key, Lengths, Shard};

const MAGIC: &[u8; 8] = b"CWINDIC\x01";
/// So many entries are read at once: what a file says of its length is believed piece by piece.
const PIECE: usize = 16 * 1024;
/// The longest file that is read, in bytes: 200 million indicators.
pub const LONGEST_FILE: u64 = 200_000_000 * 18 + 4096;

/// A file of a set cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It is not such a file, or of another version.
    #[error("is not a file of indicators that this version reads")]
    Form,
    /// It was made under another key.
    #[error("was made under another key")]
    Key,
    /// It is damaged: its hash does not fit, it is cut, or something follows.
    #[error("is damaged")]
    Damaged,
    /// It cannot be read or written at all.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl IndicatorSet {
    /// Writes the set, in many small pieces.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, to: &mut dyn Write) -> Result<(), FileFault> {
        let mut to = Hashed { inner: to, hash: Context::new(&SHA256) };
        to.put(MAGIC)?;
        to.put(&self.key.check().to_le_bytes())?;
        for word in [self.lengths.v4].into_iter().chain(self.lengths.v6) {
            to.put(&word.to_le_bytes())?;
        }
        let mut bytes = Vec::with_capacity(PIECE * 10);
        for shard in &self.shards {
            let many = u32::try_from(shard.hashes.len()).map_err(|_| FileFault::Form)?;
            to.put(&many.to_le_bytes())?;
            for piece in shard.hashes.chunks(PIECE) {
                bytes.clear();
                piece.iter().for_each(|hash| bytes.extend(hash.to_le_bytes()));
                to.put(&bytes)?;
            }
            for piece in shard.records.chunks(PIECE) {
                to.put(piece.as_flattened())?;
            }
        }
        let Hashed { inner, hash } = to;
        Ok(inner.write_all(hash.finish().as_ref())?)
    }

    /// Reads a set that [`IndicatorSet::write`] wrote under this key. Nothing of damaged bytes is ever used.
    ///
    /// # Errors
    /// See [`FileFault`].
    pub fn read(from: &mut dyn Read, key: Key) -> Result<Self, FileFault> {
        let mut from = Hashed { inner: from.take(LONGEST_FILE), hash: Context::new(&SHA256) };
        let mut magic = [0; 8];
        from.get(&mut magic)?;
        if magic != *MAGIC {
            return Err(FileFault::Form);
        }
        if from.number()? != key.check() {
            return Err(FileFault::Key);
        }
        let v4 = from.number()?;
        let lengths = Lengths { v4, v6: [from.number()?, from.number()?, from.number()?] };
        let mut shards = Vec::with_capacity(Shard::COUNT);
        for at in 0..Shard::COUNT {
            shards.push(Arc::new(from.shard(at)?));
        }
        let Hashed { mut inner, hash } = from;
        let mut said = [0; 32];
        inner.read_exact(&mut said).map_err(cut)?;
        let more = inner.read(&mut [0])?;
        if hash.finish().as_ref() != said || more > 0 {
            return Err(FileFault::Damaged);
        }
        Ok(Self::from_shards(key, lengths, shards))
    }
}

/// A file that ends too early is damaged; everything else is the reader's.
fn cut(error: std::io::Error) -> FileFault {
    if error.kind() == std::io::ErrorKind::UnexpectedEof { FileFault::Damaged } else { FileFault::Io(error) }
}

struct Hashed<T> {
    inner: T,
    hash: Context,
}

impl Hashed<&mut dyn Write> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), FileFault> {
        self.hash.update(bytes);
        Ok(self.inner.write_all(bytes)?)
    }
}

impl<R: Read> Hashed<R> {
    fn get(&mut self, bytes: &mut [u8]) -> Result<(), FileFault> {
        self.inner.read_exact(bytes).map_err(cut)?;
        self.hash.update(bytes);
        Ok(())
    }

    fn number(&mut self) -> Result<u64, FileFault> {
        let mut bytes = [0; 8];
        self.get(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn shard(&mut self, at: usize) -> Result<Shard, FileFault> {
        let mut many = [0; 4];
        self.get(&mut many)?;
        let many = usize::try_from(u32::from_le_bytes(many)).map_err(|_| FileFault::Damaged)?;
        let (mut hashes, mut records): (Vec<u64>, Vec<Packed>) = (Vec::new(), Vec::new());
        let mut bytes = vec![0; PIECE.min(many) * 10];
        while hashes.len() < many {
            let piece = PIECE.min(many - hashes.len());
            let bytes = bytes.get_mut(..piece * 8).ok_or(FileFault::Damaged)?;
            self.get(bytes)?;
            hashes.reserve_exact(piece);
            hashes.extend(bytes.as_chunks::<8>().0.iter().map(|hash| u64::from_le_bytes(*hash)));
        }
        while records.len() < many {
            let piece = PIECE.min(many - records.len());
            let bytes = bytes.get_mut(..piece * 10).ok_or(FileFault::Damaged)?;
            self.get(bytes)?;
            records.reserve_exact(piece);
            records.extend_from_slice(bytes.as_chunks::<10>().0);
        }
        let sorted = hashes.is_sorted() && hashes.iter().all(|hash| Shard::of(*hash) == at);
        if sorted { Ok(Shard::new(&hashes, &records)) } else { Err(FileFault::Damaged) }
    }
}
