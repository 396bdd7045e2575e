//! The list of what a backup holds.

use std::path::Path;

use chatward_message::UnixMillis;
use serde_json::{Value, json};

use super::{CHUNK, hash};
use crate::StoreError;

const FORMAT: u64 = 1;
/// A manifest names some files and the hashes of their chunks: 80 bytes for 4 MiB.
const LONGEST: u64 = 1 << 30;

/// A file, cut into chunks of [`CHUNK`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Relative to the backup.
    pub(crate) path: String,
    pub(crate) size: u64,
    /// SHA-256 of each chunk.
    pub(crate) chunks: Vec<[u8; 32]>,
}

impl Entry {
    pub(crate) fn of_bytes(path: &str, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            size: bytes.len() as u64,
            chunks: bytes.chunks(CHUNK).map(hash).collect(),
        }
    }
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) made: UnixMillis,
    /// Events under the checkpoint.
    pub(crate) events: u64,
    pub(crate) checkpoint: String,
    pub(crate) entries: Vec<Entry>,
}

impl Manifest {
    /// As it is written: JSON, and the hash of it in a line of its own.
    pub(crate) fn text(&self) -> String {
        let files: Vec<Value> = (self.entries.iter())
            .map(|entry| {
                let chunks: Vec<String> = entry.chunks.iter().map(|hash| hex(hash)).collect();
                json!({ "path": entry.path, "size": entry.size, "chunks": chunks })
            })
            .collect();
        let body = json!({
            "format": FORMAT,
            "made": self.made.0,
            "events": self.events,
            "checkpoint": self.checkpoint,
            "chunk": CHUNK,
            "files": files,
        });
        let body = format!("{body:#}\n");
        format!("{body}sha256 {}\n", hex(&hash(body.as_bytes())))
    }

    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Self, StoreError> {
        let damaged =
            |detail: &str| StoreError::BackupDamaged { path: path.to_owned(), detail: detail.into() };
        let fail = |e: std::io::Error| StoreError::io(path, &e);
        if std::fs::metadata(path).map_err(fail)?.len() > LONGEST {
            return Err(damaged("it is too long"));
        }
        let bytes = std::fs::read(path).map_err(fail)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        let (body, last) = text.rsplit_once("sha256 ").ok_or_else(|| damaged("its hash is missing"))?;
        if last != format!("{}\n", hex(&hash(body.as_bytes()))) {
            return Err(damaged("it is not what its hash says"));
        }
        let value: Value = serde_json::from_str(body).map_err(|_| damaged("it is not JSON"))?;
        if value.get("format").and_then(Value::as_u64) != Some(FORMAT)
            || value.get("chunk").and_then(Value::as_u64) != Some(CHUNK as u64)
        {
            return Err(damaged("it is of another version of this program"));
        }
        Self::of(&value).ok_or_else(|| damaged("something is missing in it"))
    }

    fn of(value: &Value) -> Option<Self> {
        let number = |name: &str| value.get(name)?.as_u64();
        let mut entries = Vec::new();
        for file in value.get("files")?.as_array()? {
            let path = file.get("path")?.as_str()?.to_owned();
            let size = file.get("size")?.as_u64()?;
            let chunks = file.get("chunks")?.as_array()?.iter();
            let chunks: Vec<[u8; 32]> = chunks.map(|hash| unhex(hash.as_str()?)).collect::<Option<_>>()?;
            // Nothing outside of the folder, whatever it says.
            let inside = path.split('/').all(|part| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
            });
            if !inside || chunks.len() as u64 != size.div_ceil(CHUNK as u64) {
                return None;
            }
            entries.push(Entry { path, size, chunks });
        }
        Some(Self {
            made: UnixMillis(number("made")?),
            events: number("events")?,
            checkpoint: value.get("checkpoint")?.as_str()?.to_owned(),
            entries,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entries =
            vec![Entry::of_bytes("log/tile/0/x001/067", b"abc"), Entry::of_bytes("chatward.db", &[])];
        Manifest { made: UnixMillis(7), events: 3, checkpoint: "name\n3\nroot\n".into(), entries }
    }

    #[test]
    fn what_is_written_is_read_and_any_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let text = manifest().text();
        std::fs::write(&path, &text).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), manifest());
        for at in 0..text.len() {
            let mut bad = text.clone().into_bytes();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(Manifest::read(&path).is_err(), "byte {at}");
            std::fs::write(&path, &text.as_bytes()[..at]).unwrap();
            assert!(Manifest::read(&path).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn nothing_outside_of_the_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        for name in ["../x", "/etc/passwd", "log//x", "log/../../x", ".x"] {
            let mut bad = manifest();
            bad.entries[0].path = name.to_owned();
            std::fs::write(&path, bad.text()).unwrap();
            assert!(Manifest::read(&path).is_err(), "{name}");
        }
    }
}
