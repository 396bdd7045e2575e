//! Archives and packed files. What a file says of its sizes is never believed: what comes out is counted.

use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::kind::Kind;
use crate::name;
use crate::office;
use crate::signs::Mark;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const END_OF_CENTRAL: &[u8] = b"PK\x05\x06";
/// How far from its end a zip may have its last record: the record, and the longest comment.
const END_WITHIN: usize = 22 + 65_535;
/// Most memory that an xz file may ask for, in KiB: its largest preset asks for 65 MiB.
const XZ_MEMORY_KIB: u32 = 66 << 10;

/// Most streams of one bzip2 file.
const STREAMS: usize = 500;
/// How often an xz reader may ask for bytes, beside once for each 4 KiB.
const XZ_READS: usize = 20_000;

type Zip<'b> = ZipArchive<Cursor<&'b [u8]>>;

/// What the directory of a zip says of one entry.
struct Entry {
    name: String,
    size: u64,
    packed: u64,
    encrypted: bool,
    symlink: bool,
}

/// Looks into a zip, and into what office files are made of.
pub(crate) fn zip(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    // The library makes room for all that the directory lists before anything can be asked.
    let listed =
        memchr::memmem::find_iter(bytes, CENTRAL_HEADER).take(walk.limits.entries.saturating_mul(2) + 1);
    if listed.count() > walk.limits.entries.saturating_mul(2) {
        walk.not_looked(place, Why::TooMany);
        return;
    }
    let opened = walk.guarded(place, || ZipArchive::new(Cursor::new(bytes)));
    let Some(Ok(mut zip)) = opened else {
        walk.not_looked(place, Why::Broken);
        return;
    };
    structure(walk, place, &mut zip);
    let names: Vec<String> =
        zip.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let flavour = office::flavour(&names);
    walk.set_kind(place, flavour);
    let mut parts = office::Parts::new(flavour);
    for index in 0..zip.len() {
        if walk.verdict.inside.len() > walk.limits.entries {
            walk.not_looked(place, Why::TooMany);
            break;
        }
        entry(walk, place, path, &mut zip, index, &mut parts);
    }
    parts.finish(walk, place);
}

/// Whether the archive is made so that readers see different things in it.
fn structure(walk: &mut Walk<'_>, place: Place, zip: &mut Zip<'_>) {
    let overlap = walk.guarded(place, || zip.has_overlapping_entries());
    if matches!(overlap, Some(Ok(true))) {
        walk.sign(place, Mark::Overlap);
    }
    let consistent = walk.guarded(place, || zip.validate_header_consistency());
    if !matches!(consistent, Some(Ok(()))) {
        walk.sign(place, Mark::LyingHeaders);
        // An entry that only some readers see was not looked at.
        walk.not_looked(place, Why::Broken);
    }
}

fn entry(
    walk: &mut Walk<'_>,
    place: Place,
    path: &str,
    zip: &mut Zip<'_>,
    index: usize,
    parts: &mut office::Parts,
) {
    let Some(listed) = listed(zip, index) else {
        walk.not_looked(place, Why::Broken);
        return;
    };
    if name::is_outside(&listed.name) {
        walk.sign(place, Mark::NameOutside);
    }
    if listed.encrypted {
        walk.sign(place, Mark::Encrypted);
        walk.not_looked(place, Why::Encrypted);
        for mark in name::marks(&listed.name).into_iter().chain(crate::mismatch::marks(
            &listed.name,
            None,
            Kind::Other,
        )) {
            // What it is cannot be seen; what it is called can.
            if !matches!(mark, Mark::TypeMismatch) {
                walk.sign(place, mark);
            }
        }
        return;
    }
    if listed.size == 0 && listed.packed == 0 {
        return;
    }
    let reader = match zip.by_index(index) {
        Ok(reader) => reader,
        Err(ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_)) => {
            walk.not_looked(place, Why::Unsupported);
            return;
        }
        Err(_) => {
            walk.not_looked(place, Why::Broken);
            return;
        }
    };
    let packed = usize::try_from(listed.packed).unwrap_or(usize::MAX);
    let unpacked = walk.unpack(place, packed, reader);
    if unpacked.whole && u64::try_from(unpacked.bytes.len()).ok() != Some(listed.size) {
        walk.sign(place, Mark::LyingHeaders);
    }
    if listed.symlink && name::is_outside(&String::from_utf8_lossy(&unpacked.bytes)) {
        walk.sign(place, Mark::LinkOutside);
    }
    let path = format!("{path}/{}", listed.name);
    let member = Member { path, media_type: None, bytes: &unpacked.bytes, depth: place.depth + 1 };
    if parts.part(walk, place, &listed.name, &unpacked.bytes) {
        // It lies no deeper than its document.
        walk.part(&Member { depth: place.depth, ..member });
    } else {
        walk.file(&member);
    }
}

fn listed(zip: &mut Zip<'_>, index: usize) -> Option<Entry> {
    let entry = zip.by_index_raw(index).ok()?;
    let name = match entry.name() {
        Ok(name) => name.into_owned(),
        Err(_) => String::from_utf8_lossy(entry.name_raw()).into_owned(),
    };
    Some(Entry {
        name,
        size: entry.size(),
        packed: entry.compressed_size(),
        encrypted: entry.encrypted(),
        symlink: entry.is_symlink(),
    })
}

/// Whether a zip ends where this file ends: readers of zips take it for one, whatever stands before.
pub(crate) fn has_zip_at_its_end(bytes: &[u8]) -> bool {
    let from = bytes.len().saturating_sub(END_WITHIN);
    let Some(tail) = bytes.get(from..) else { return false };
    let Some(end) = memchr::memmem::rfind(tail, END_OF_CENTRAL) else { return false };
    let number = |at: usize, len: usize| {
        let bytes = tail.get(end + at..end + at + len)?;
        Some(bytes.iter().rev().fold(0_usize, |all, byte| (all << 8) | usize::from(*byte)))
    };
    let (Some(entries), Some(size)) = (number(10, 2), number(12, 4)) else { return false };
    let directory = (from + end).checked_sub(size).and_then(|at| bytes.get(at..));
    entries > 0 && directory.is_some_and(|directory| directory.starts_with(CENTRAL_HEADER))
}

/// What a packed file is called when it is unpacked.
fn unpacked_name(path: &str, endings: &[(&str, &str)]) -> String {
    let name = name::last(path);
    let lower = name.to_ascii_lowercase();
    for (packed, plain) in endings {
        if let Some(stem) = lower.strip_suffix(packed).and_then(|stem| name.get(..stem.len())) {
            return format!("{stem}{plain}");
        }
    }
    "content".to_owned()
}

fn packed(
    walk: &mut Walk<'_>,
    place: Place,
    path: &str,
    name: &str,
    bytes: &[u8],
    reader: impl std::io::Read,
) {
    let unpacked = walk.unpack(place, bytes.len(), reader);
    let path = format!("{path}/{name}");
    walk.file(&Member { path, media_type: None, bytes: &unpacked.bytes, depth: place.depth + 1 });
}

/// Looks into a file packed by gzip (RFC 1952), all members of it.
pub(crate) fn gzip(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let reader = flate2::read::MultiGzDecoder::new(bytes);
    let named = reader
        .header()
        .and_then(|header| header.filename())
        .map(|name| String::from_utf8_lossy(name).into_owned());
    let by_path = || unpacked_name(path, &[(".tgz", ".tar"), (".svgz", ".svg"), (".gz", "")]);
    let name = named.filter(|name| !name.is_empty()).unwrap_or_else(by_path);
    if name::is_outside(&name) {
        walk.sign(place, Mark::NameOutside);
    }
    packed(walk, place, path, &name, bytes, reader);
}

/// The streams of a file packed by bzip2, one behind the other. Each takes megabytes to begin, and may hold nothing: a file is not
/// made of endlessly many.
struct Streams<'b> {
    rest: &'b [u8],
    open: Option<bzip2::bufread::BzDecoder<&'b [u8]>>,
    /// How many more may begin.
    left: usize,
}

impl std::io::Read for Streams<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let mut stream = match self.open.take() {
                Some(stream) => stream,
                None if self.rest.is_empty() => return Ok(0),
                None => {
                    self.left = self.left.checked_sub(1).ok_or(std::io::ErrorKind::QuotaExceeded)?;
                    bzip2::bufread::BzDecoder::new(self.rest)
                }
            };
            let got = stream.read(out)?;
            if got > 0 {
                self.open = Some(stream);
                return Ok(got);
            }
            self.rest = stream.into_inner();
        }
    }
}

/// Bytes for a reader that may ask for them only so often: it takes what a block needs, and a block may hold nothing.
struct Fed<'b> {
    rest: &'b [u8],
    reads: usize,
}

impl std::io::Read for Fed<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.reads = self.reads.checked_sub(1).ok_or(std::io::ErrorKind::QuotaExceeded)?;
        self.rest.read(out)
    }
}

/// Looks into a file packed by bzip2.
pub(crate) fn bzip2(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let name = unpacked_name(path, &[(".tbz2", ".tar"), (".bz2", "")]);
    packed(walk, place, path, &name, bytes, Streams { rest: bytes, open: None, left: STREAMS });
}

/// Looks into a file packed by xz.
pub(crate) fn xz(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let name = unpacked_name(path, &[(".txz", ".tar"), (".xz", "")]);
    let fed = Fed { rest: bytes, reads: XZ_READS + bytes.len() / 4096 };
    packed(walk, place, path, &name, bytes, lzma_rust2::XzReader::new_mem_limit(fed, true, XZ_MEMORY_KIB));
}

/// Looks into a file packed by the LZMA of old.
pub(crate) fn lzma(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let name = unpacked_name(path, &[(".tlz", ".tar"), (".lzma", "")]);
    let fed = Fed { rest: bytes, reads: XZ_READS + bytes.len() / 4096 };
    match walk.guarded(place, || lzma_rust2::LzmaReader::new_mem_limit(fed, XZ_MEMORY_KIB, None)) {
        Some(Ok(reader)) => packed(walk, place, path, &name, bytes, reader),
        Some(Err(_)) => walk.not_looked(place, Why::Broken),
        None => {}
    }
}

/// Looks into a tar.
pub(crate) fn tar(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let mut tar = tar::Archive::new(bytes);
    let Ok(mut entries) = tar.entries() else {
        walk.not_looked(place, Why::Broken);
        return;
    };
    for _ in 0..=walk.limits.entries {
        let entry = match walk.guarded(place, || entries.next()) {
            Some(Some(Ok(entry))) => entry,
            Some(None) => return,
            Some(Some(Err(_))) | None => {
                walk.not_looked(place, Why::Broken);
                return;
            }
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        if name::is_outside(&name) {
            walk.sign(place, Mark::NameOutside);
        }
        if link.is_some_and(|link| name::is_outside(&link)) {
            walk.sign(place, Mark::LinkOutside);
        }
        // What has no data is a folder, a link or a device. What has some is a file to one reader or another, whatever its type says:
        // unknown types are files, and who takes a link with data for one without reads the data as more headers.
        if entry.size() == 0 {
            continue;
        }
        if matches!(entry.header().as_bytes().get(156), Some(b'1'..=b'6')) {
            walk.sign(place, Mark::LyingHeaders);
            walk.not_looked(place, Why::Broken);
        }
        let packed = usize::try_from(entry.size()).unwrap_or(usize::MAX).min(bytes.len());
        let size = entry.size();
        let unpacked = walk.unpack(place, packed, entry.take(size));
        let path = format!("{path}/{name}");
        walk.file(&Member { path, media_type: None, bytes: &unpacked.bytes, depth: place.depth + 1 });
    }
    walk.not_looked(place, Why::TooMany);
}
