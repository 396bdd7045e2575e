//! Files inside a notebook of OneNote (MS-ONESTORE 2.6.13, FileDataStoreObject).

use crate::signs::Mark;
use crate::walk::{Member, Place, Walk};

/// What stands before each file: `BDE316E7-2665-4511-A4C4-8D4D0B7A9EAC`.
const BEFORE: &[u8] = b"\xe7\x16\xe3\xbd\x65\x26\x11\x45\xa4\xc4\x8d\x4d\x0b\x7a\x9e\xac";
/// The mark, the length, and what is reserved.
const HEAD: usize = 16 + 8 + 4 + 8;

/// Looks into the files of a notebook.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let most = walk.limits.entries;
    for at in memchr::memmem::find_iter(bytes, BEFORE).take(most) {
        let len =
            bytes.get(at + 16..at + 24).and_then(|len| <[u8; 8]>::try_from(len).ok()).map(u64::from_le_bytes);
        let Some(len) = len.and_then(|len| usize::try_from(len).ok()) else { continue };
        let Some(rest) = bytes.get(at + HEAD..) else { continue };
        let file = rest.get(..len).unwrap_or(rest);
        walk.sign(place, Mark::EmbeddedObject);
        walk.file(&Member {
            path: format!("{path}/file"),
            media_type: None,
            bytes: file,
            depth: place.depth + 1,
        });
    }
}
