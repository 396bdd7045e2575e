//! The seal file: epoch keys, the pepper and the log's signing key, sealed under the root key.
//!
//! The file is replaced as a whole and never appended to, so that a destroyed epoch key leaves nothing behind in it. It
//! is three lines of text: a header, the check value of the operator key, and base64 of one AES-256-GCM message whose
//! associated data are the two lines above.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chatward_message::UnixMillis;
use zeroize::Zeroizing;

use crate::EpochMark;
use crate::key::{CipherError, Secret, open_under, seal_under};
use crate::seal::{RootKey, SealError, read_private, replace};

/// Name of the seal file in the folder of keys.
pub(crate) const FILE: &str = "seal";
const HEADER: &str = "chatward-seal v1";

/// A numbered epoch key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) number: u64,
    pub(crate) since: UnixMillis,
    pub(crate) key: Secret,
}

impl Epoch {
    /// The epoch after this one and after the one with that number, with a fresh key.
    pub(crate) fn next(&self, since: UnixMillis, past: u64) -> Result<Self, SealError> {
        Ok(Self { number: self.number.max(past).saturating_add(1), since, key: Secret::random()? })
    }

    /// What tells it from all others, and says nothing of its key.
    pub(crate) fn mark(&self) -> Result<EpochMark, CipherError> {
        let derived = self.key.derive(&[b"epoch mark", b"v1"])?;
        let mut hash = [0; 16];
        hash.iter_mut().zip(derived.bytes()).for_each(|(to, from)| *to = *from);
        Ok(EpochMark { number: self.number, hash })
    }
}

/// What the seal file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) current: Epoch,
    /// While keys are renewed: the epoch that comes.
    pub(crate) next: Option<Epoch>,
    /// The root of all tenants' peppers.
    pub(crate) pepper: Secret,
    /// Seed of the log's Ed25519 key.
    pub(crate) signer: Secret,
}

impl Kept {
    pub(crate) fn fresh(since: UnixMillis) -> Result<Self, SealError> {
        Ok(Self {
            current: Epoch { number: 1, since, key: Secret::random()? },
            next: None,
            pepper: Secret::random()?,
            signer: Secret::random()?,
        })
    }

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        // The capacity is exact: growing would leave copies of keys behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(48 + 1 + 48 + 32 + 32));
        let epoch = |bytes: &mut Vec<u8>, e: &Epoch| {
            bytes.extend_from_slice(&e.number.to_be_bytes());
            bytes.extend_from_slice(&e.since.0.to_be_bytes());
            bytes.extend_from_slice(e.key.bytes());
        };
        epoch(&mut bytes, &self.current);
        bytes.push(u8::from(self.next.is_some()));
        if let Some(next) = &self.next {
            epoch(&mut bytes, next);
        }
        bytes.extend_from_slice(self.pepper.bytes());
        bytes.extend_from_slice(self.signer.bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let secret = |bytes: &mut &[u8]| {
            let (head, rest) = bytes.split_first_chunk::<32>()?;
            *bytes = rest;
            Some(Secret::copy_of(head))
        };
        let number = |bytes: &mut &[u8]| {
            let (head, rest) = bytes.split_first_chunk::<8>()?;
            *bytes = rest;
            Some(u64::from_be_bytes(*head))
        };
        let epoch = |bytes: &mut &[u8]| {
            Some(Epoch { number: number(bytes)?, since: UnixMillis(number(bytes)?), key: secret(bytes)? })
        };
        let mut rest = bytes;
        let current = epoch(&mut rest)?;
        let (&renewing, after) = rest.split_first()?;
        rest = after;
        let next = match renewing {
            0 => None,
            1 => Some(epoch(&mut rest)?),
            _ => return None,
        };
        let kept = Self { current, next, pepper: secret(&mut rest)?, signer: secret(&mut rest)? };
        rest.is_empty().then_some(kept)
    }
}

/// Where the seal file is, and the key that opens it.
#[derive(Debug)]
pub(crate) struct SealFile {
    path: PathBuf,
    check_value: String,
    key: Secret,
}

impl SealFile {
    pub(crate) fn new(keys_dir: &Path, root: &RootKey) -> Result<Self, SealError> {
        Ok(Self { path: keys_dir.join(FILE), check_value: root.check_value()?, key: root.file_key()? })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; nothing if there is none.
    pub(crate) fn read(&self) -> Result<Option<Kept>, SealError> {
        let Some(text) = read_private(&self.path)? else { return Ok(None) };
        let damaged = |why| SealError::Damaged { path: self.path.clone(), why };
        let text = std::str::from_utf8(&text).map_err(|_| damaged("it is not text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err(damaged("its first line is not that of a seal file"));
        }
        let wanted = lines.next().and_then(|l| l.strip_prefix("operator-key ")).unwrap_or_default();
        if wanted.len() != 16 {
            return Err(damaged("it does not say which operator key it needs"));
        }
        if wanted != self.check_value {
            let (path, wanted) = (self.path.clone(), wanted.to_owned());
            return Err(SealError::WrongKey { path, wanted, given: self.check_value.clone() });
        }
        let line = lines.next().ok_or_else(|| damaged("it ends too early"))?;
        if lines.any(|l| !l.trim().is_empty()) {
            return Err(damaged("something stands after its contents"));
        }
        let sealed = STANDARD.decode(line).map_err(|_| damaged("it is not base64"))?;
        let plain = open_under(&self.key, self.head().as_bytes(), &sealed)
            .map_err(|_| damaged("it was altered or cut"))?;
        Kept::decode(&plain).map(Some).ok_or_else(|| damaged("its contents are of another version"))
    }

    /// Replaces the file; durable on return.
    pub(crate) fn write(&self, kept: &Kept) -> Result<(), SealError> {
        let head = self.head();
        let sealed = seal_under(&self.key, head.as_bytes(), &kept.encode())?;
        replace(&self.path, format!("{head}{}\n", STANDARD.encode(sealed)).as_bytes())
    }

    fn head(&self) -> String {
        format!("{HEADER}\noperator-key {}\n", self.check_value)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(dir: &Path, n: u8) -> SealFile {
        SealFile::new(dir, &RootKey::from_operator_key(&[n; 32]).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 1);
        assert_eq!(file.read().unwrap(), None);
        let mut kept = Kept::fresh(UnixMillis(5)).unwrap();
        file.write(&kept).unwrap();
        assert_eq!(file.read().unwrap().as_ref(), Some(&kept));
        kept.next = Some(kept.current.next(UnixMillis(6), 0).unwrap());
        file.write(&kept).unwrap();
        assert_eq!(file.read().unwrap(), Some(kept));
    }

    #[test]
    fn a_wrong_key_and_a_damaged_file_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let right = file(dir.path(), 1);
        right.write(&Kept::fresh(UnixMillis(5)).unwrap()).unwrap();
        assert!(matches!(file(dir.path(), 2).read(), Err(SealError::WrongKey { .. })));
        let good = fs::read(right.path()).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            fs::write(right.path(), &bad).unwrap();
            // A check value of another key is believed, the rest is noticed; the last line's end does not matter.
            assert!(right.read().is_err() || i == good.len() - 1, "byte {i}");
            fs::write(right.path(), &good[..i]).unwrap();
            assert!(right.read().is_err() || i == good.len() - 1, "cut at {i}");
        }
        fs::write(right.path(), [&good[..], b"\0"].concat()).unwrap();
        assert!(right.read().is_err(), "a tail");
    }

    #[test]
    fn nothing_of_an_epoch_key_stays_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path(), 1);
        let kept = Kept::fresh(UnixMillis(5)).unwrap();
        file.write(&kept).unwrap();
        let size = fs::metadata(file.path()).unwrap().len();
        for _ in 0..5 {
            file.write(&Kept { current: kept.current.next(UnixMillis(6), 0).unwrap(), ..kept.clone() })
                .unwrap();
        }
        assert_eq!(fs::metadata(file.path()).unwrap().len(), size);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", Kept::fresh(UnixMillis(5)).unwrap());
        assert_eq!(
            shown,
            "Kept { current: Epoch { number: 1, since: UnixMillis(5), key: Secret }, next: None, \
             pepper: Secret, signer: Secret }"
        );
    }
}
