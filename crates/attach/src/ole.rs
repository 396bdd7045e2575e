//! Compound files (MS-CFB): office files as they were before OOXML, the macros of today's, messages of Outlook, installers.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use cfb::CompoundFile;

use crate::kind::Kind;
use crate::signs::Mark;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

type Compound<'b> = CompoundFile<Cursor<&'b [u8]>>;

/// Most source text of macros that is read, in bytes.
const SOURCE: usize = 2 << 20;
/// The class of Windows installers.
const INSTALLER: &str = "000c1084-0000-0000-c000-000000000046";

/// Names of macros that run by themselves, in lower case.
const RUNS: &[&str] = &[
    "autoopen",
    "auto_open",
    "autoexec",
    "autoexit",
    "autoclose",
    "auto_close",
    "autonew",
    "document_open",
    "document_close",
    "document_new",
    "document_beforeclose",
    "documentopen",
    "workbook_open",
    "workbook_activate",
    "workbook_close",
    "workbook_beforeclose",
    "auto_activate",
    "auto_deactivate",
    "app_documentopen",
    "_layout(",
    "_painted(",
    "_gotfocus(",
];

/// What macros do that start something or fetch something, in lower case.
const ACTS: &[&str] = &[
    "shell(",
    "shell ",
    "shellexecute",
    "wscript.",
    "createobject",
    "getobject",
    "urldownloadtofile",
    "xmlhttp",
    "winhttp",
    "powershell",
    "cmd.exe",
    "cmd /c",
    "mshta",
    "rundll32",
    "regsvr32",
    "certutil",
    "adodb.stream",
    "callbyname",
    "virtualalloc",
    "createthread",
    "win32_process",
    "bitsadmin",
];

/// What is gathered from the streams of one file.
#[derive(Default)]
struct Seen {
    macros: bool,
    source: String,
    kind: Option<Kind>,
}

struct Stream {
    path: PathBuf,
    name: String,
    /// Whether it lies in the storage of a VBA project.
    in_vba: bool,
}

/// Looks into a compound file.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let opened = walk.guarded(place, || CompoundFile::open(Cursor::new(bytes)));
    let Some(Ok(mut compound)) = opened else {
        walk.not_looked(place, Why::Broken);
        by_words(walk, place, bytes);
        return;
    };
    let mut seen = Seen::default();
    if compound.root_entry().clsid().to_string() == INSTALLER {
        seen.kind = Some(Kind::Installer);
    }
    for stream in streams(walk, place, &compound) {
        one(walk, place, path, &mut compound, &stream, &mut seen);
    }
    if seen.macros {
        walk.sign(place, judged(&seen.source));
        walk.text(place, &seen.source);
    }
    if let Some(kind) = seen.kind {
        walk.set_kind(place, kind);
    }
}

/// What can be said of a file that only other readers open.
fn by_words(walk: &mut Walk<'_>, place: Place, bytes: &[u8]) {
    let wide: Vec<u8> = "_VBA_PROJECT".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if memchr::memmem::find(bytes, &wide).is_some() {
        walk.sign(place, Mark::Macro);
    }
}

fn streams(walk: &mut Walk<'_>, place: Place, compound: &Compound<'_>) -> Vec<Stream> {
    let most = walk.limits.entries.saturating_mul(2);
    let all: Vec<Stream> = compound
        .walk()
        .take(most + 1)
        .filter(cfb::Entry::is_stream)
        .map(|entry| {
            let folder = entry.path().parent().and_then(Path::file_name).unwrap_or_default();
            Stream {
                name: entry.name().to_lowercase(),
                in_vba: folder.to_string_lossy().eq_ignore_ascii_case("vba"),
                path: entry.path().to_owned(),
            }
        })
        .collect();
    if all.len() > most {
        walk.not_looked(place, Why::TooMany);
    }
    all
}

fn one(
    walk: &mut Walk<'_>,
    place: Place,
    path: &str,
    compound: &mut Compound<'_>,
    stream: &Stream,
    seen: &mut Seen,
) {
    let name = stream.name.as_str();
    if stream.in_vba {
        seen.macros = true;
        if let Some(bytes) = read(walk, place, compound, stream) {
            source(&bytes, &mut seen.source);
        }
        return;
    }
    match name {
        "worddocument" => {
            seen.kind = Some(Kind::OldOffice);
            let head = read(walk, place, compound, stream).unwrap_or_default();
            // FibBase (MS-DOC 2.5.2): bit 8 of the flags is fEncrypted.
            if head.get(11).is_some_and(|flags| flags & 1 != 0) {
                encrypted(walk, place);
            }
        }
        "workbook" | "book" => {
            seen.kind = Some(Kind::OldOffice);
            let bytes = read(walk, place, compound, stream).unwrap_or_default();
            records(walk, place, &bytes);
        }
        "encryptedpackage" | "encryptedsummary" => encrypted(walk, place),
        "equation native" => walk.sign(place, Mark::EquationObject),
        "\u{1}ole" => {
            let bytes = read(walk, place, compound, stream).unwrap_or_default();
            linked(walk, place, &bytes);
        }
        "\u{1}ole10native" => {
            walk.sign(place, Mark::EmbeddedObject);
            let bytes = read(walk, place, compound, stream).unwrap_or_default();
            native(walk, place, path, &bytes);
        }
        "package" | "contents" => {
            walk.sign(place, Mark::EmbeddedObject);
            let bytes = read(walk, place, compound, stream).unwrap_or_default();
            embedded(walk, place, path, name, &bytes);
        }
        "__properties_version1.0" => seen.kind = seen.kind.or(Some(Kind::OutlookMessage)),
        _ if name.starts_with("__substg1.0_3701") => {
            let bytes = read(walk, place, compound, stream).unwrap_or_default();
            embedded(walk, place, path, "attachment", &bytes);
        }
        _ => {}
    }
}

fn encrypted(walk: &mut Walk<'_>, place: Place) {
    walk.sign(place, Mark::Encrypted);
    walk.not_looked(place, Why::Encrypted);
}

fn read(walk: &mut Walk<'_>, place: Place, compound: &mut Compound<'_>, stream: &Stream) -> Option<Vec<u8>> {
    let opened = walk.guarded(place, || compound.open_stream(&stream.path))?;
    let Ok(reader) = opened else {
        walk.not_looked(place, Why::Broken);
        return None;
    };
    let size = usize::try_from(reader.len()).unwrap_or(usize::MAX);
    Some(walk.unpack(place, size, reader).bytes)
}

fn embedded(walk: &mut Walk<'_>, place: Place, path: &str, name: &str, bytes: &[u8]) {
    if !bytes.is_empty() {
        walk.file(&Member {
            path: format!("{path}/{name}"),
            media_type: None,
            bytes,
            depth: place.depth + 1,
        });
    }
}

/// A link to an object elsewhere: the address stands in a moniker, in UTF-16.
fn linked(walk: &mut Walk<'_>, place: Place, bytes: &[u8]) {
    for scheme in ["http://", "https://", "ftp://"] {
        let wide: Vec<u8> = scheme.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let Some(rest) = memchr::memmem::find(bytes, &wide).and_then(|at| bytes.get(at..)) else { continue };
        let units =
            rest.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok().map(u16::from_le_bytes));
        let address: Vec<u16> = units.take_while(|unit| *unit > 0x20).collect();
        walk.sign(place, Mark::RemoteTemplate);
        walk.link(place, &String::from_utf16_lossy(&address));
    }
}

/// A file as the packager of Windows keeps it (MS-OLEDS 2.3.6): label, name, path, then the file.
pub(crate) fn native(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let parsed = package(bytes);
    match parsed {
        Some((name, file)) => embedded(walk, place, path, &name, file),
        // Some other object: its bytes are looked at as they are.
        None => embedded(walk, place, path, "object", bytes.get(4..).unwrap_or_default()),
    }
}

fn package(bytes: &[u8]) -> Option<(String, &[u8])> {
    // Size of all, then a flag that is 2 for a package.
    let rest = bytes.get(6..)?;
    let (label, rest) = zero_ended(rest)?;
    let (name, rest) = zero_ended(rest)?;
    // Two flags, then the length of the temporary path and the path.
    let (len, rest) = length(rest.get(4..)?)?;
    let (len, rest) = length(rest.get(len..)?)?;
    let file = rest.get(..len.min(rest.len()))?;
    let name = if label.is_empty() { name } else { label };
    Some((String::from_utf8_lossy(name).into_owned(), file))
}

fn zero_ended(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes.get(..bytes.len().min(1024))?)?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

/// The records of a workbook (MS-XLS 2.1.4): sheets of Excel 4 macros, and a password.
fn records(walk: &mut Walk<'_>, place: Place, bytes: &[u8]) {
    let mut rest = bytes;
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        let (id, len) =
            (u16::from_le_bytes([head[0], head[1]]), usize::from(u16::from_le_bytes([head[2], head[3]])));
        let data = behind.get(..len).unwrap_or(behind);
        match id {
            // BoundSheet8: the sixth byte is 1 for a sheet of macros.
            0x0085 if data.get(5) == Some(&1) => walk.sign(place, Mark::OldMacro),
            0x002f => encrypted(walk, place),
            _ => {}
        }
        rest = behind.get(len..).unwrap_or_default();
    }
}

/// How bad the source of macros is.
fn judged(source: &str) -> Mark {
    let lower = source.to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match (any(RUNS), any(ACTS)) {
        (true, true) => Mark::MacroActs,
        (true, false) => Mark::MacroRuns,
        (false, _) => Mark::Macro,
    }
}

/// Adds the source text of a module, if this stream is one. It stands at the end, compressed, behind what the machine made of it.
fn source(bytes: &[u8], out: &mut String) {
    // Each module begins with `Attribute VB_Name`; its first eight letters stand as they are behind the head of the container.
    let Some(word) = memchr::memmem::find(bytes, b"\0Attribut") else { return };
    let Some(container) = word.checked_sub(3).and_then(|at| bytes.get(at..)) else { return };
    if container.first() == Some(&1) {
        let text = decompressed(container, SOURCE.saturating_sub(out.len()));
        out.push_str(&text::decoded(&text));
        out.push('\n');
    }
}

/// Undoes the compression of MS-OVBA 2.4.1, as far as it goes.
fn decompressed(container: &[u8], most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = container.get(1..).unwrap_or_default();
    while let Some((head, behind)) = rest.split_first_chunk::<2>() {
        let head = u16::from_le_bytes(*head);
        // Bits 12 to 14 of the head of each chunk are 0b011.
        if (head >> 12) & 7 != 3 || out.len() >= most {
            break;
        }
        let size = usize::from(head & 0x0fff) + 1;
        let chunk = behind.get(..size).unwrap_or(behind);
        if head & 0x8000 == 0 {
            out.extend_from_slice(chunk)
        } else {
            chunk_into(chunk, &mut out)
        }
        rest = behind.get(size..).unwrap_or_default();
    }
    out
}

/// Bytes of one chunk, when it is undone.
const CHUNK: usize = 4096;

fn chunk_into(chunk: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut bytes = chunk.iter().copied();
    while let Some(flags) = bytes.next() {
        for bit in 0..8 {
            let Some(first) = bytes.next() else { return };
            if flags >> bit & 1 == 0 {
                out.push(first);
            } else {
                let Some(second) = bytes.next() else { return };
                copy(u16::from_le_bytes([first, second]), start, out);
            }
            if out.len() - start >= CHUNK {
                return;
            }
        }
    }
}

/// A copy of what came before: how far back, and how much, shares its bits by how much there is (MS-OVBA 2.4.1.3.19.1).
fn copy(token: u16, start: usize, out: &mut Vec<u8>) {
    let before = out.len() - start;
    let bits = usize::BITS - before.saturating_sub(1).leading_zeros();
    let bits = bits.clamp(4, 12);
    let (length, back) = (usize::from(token & (0xffff >> bits)) + 3, usize::from(token >> (16 - bits)) + 1);
    for _ in 0..length {
        let Some(byte) =
            out.len().checked_sub(back).filter(|at| *at >= start).and_then(|at| out.get(at).copied())
        else {
            return;
        };
        out.push(byte);
        if out.len() - start >= CHUNK {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of MS-OVBA 3.2.
    #[test]
    fn the_examples_of_the_format_come_out() {
        let normal: &[u8] = &[
            0x01, 0x2f, 0xb0, 0x00, 0x23, 0x61, 0x61, 0x61, 0x62, 0x63, 0x64, 0x65, 0x82, 0x66, 0x00, 0x70,
            0x61, 0x67, 0x68, 0x69, 0x6a, 0x01, 0x38, 0x08, 0x61, 0x6b, 0x6c, 0x00, 0x30, 0x6d, 0x6e, 0x6f,
            0x70, 0x06, 0x71, 0x02, 0x70, 0x04, 0x10, 0x72, 0x73, 0x74, 0x75, 0x76, 0x10, 0x77, 0x78, 0x79,
            0x7a, 0x00, 0x3c,
        ];
        assert_eq!(decompressed(normal, 1000), b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa");
        let longest: &[u8] = &[0x01, 0x03, 0xb0, 0x02, 0x61, 0x45, 0x00];
        assert_eq!(decompressed(longest, 1000), [b'a'; 73]);
        let none: &[u8] = &[
            0x01, 0x19, 0xb0, 0x00, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x00, 0x69, 0x6a, 0x6b,
            0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x00, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x2e,
        ];
        assert_eq!(decompressed(none, 1000), b"abcdefghijklmnopqrstuv.");
    }

    #[test]
    fn macros_are_worse_when_they_run_and_act() {
        assert_eq!(judged("Sub Tidy()\nEnd Sub"), Mark::Macro);
        assert_eq!(judged("Sub AutoOpen()\nEnd Sub"), Mark::MacroRuns);
        assert_eq!(judged("Private Sub Document_Open()\nShell(\"x\")\nEnd Sub"), Mark::MacroActs);
    }

    #[test]
    fn a_packed_file_is_found_in_its_object() {
        let mut bytes = vec![0, 0, 0, 0, 2, 0];
        bytes.extend_from_slice(b"note.txt\0C:\\note.txt\0\0\0\x03\0");
        bytes.extend_from_slice(&4_u32.to_le_bytes());
        bytes.extend_from_slice(b"C:\\\0");
        bytes.extend_from_slice(&5_u32.to_le_bytes());
        bytes.extend_from_slice(b"helloTAIL");
        assert_eq!(package(&bytes), Some(("note.txt".to_owned(), &b"hello"[..])));
    }
}
