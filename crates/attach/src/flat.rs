//! Office files that are one piece of XML: WordprocessingML of 2003, packages of OOXML in XML (ECMA-376 part 2, annex E), and flat
//! OpenDocument. Files in them are written as letters.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::coded;
use crate::name;
use crate::office;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

/// What such a file holds: names of elements, which cannot be written in another way, and its addresses of names, which can.
static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::new([
        "binaryData",
        "binData",
        "binary-data",
        "xmlData",
        "wordDocument",
        "library-embedded",
        "source-code",
        "schemas.microsoft.com/office/",
        "schemas-microsoft-com:office:",
        "urn:oasis:names:tc:opendocument",
    ])
    .ok()
});

/// Elements that hold a file.
const FILES: &[&str] = &["binaryData", "binData", "binary-data"];

/// Looks into XML, if it is an office file.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let xml = text::decoded(bytes);
    let begins = xml.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with('<');
    if !begins || !WORDS.as_ref().is_some_and(|words| words.is_match(xml.as_ref())) {
        return;
    }
    if !walk.work(place, bytes.len(), 3) {
        return;
    }
    office::flat(walk, place, &xml);
    let mut reader = Reader::from_str(&xml);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut part = String::new();
    let mut open: Option<(String, String)> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let called = named(&start);
                if start.local_name().as_ref() == "part" {
                    part = called.clone().unwrap_or_default();
                }
                if FILES.contains(&start.local_name().as_ref()) {
                    // One in another is not what it is for: what was read so far is a file.
                    file(walk, place, path, open.take());
                    open = Some((called.unwrap_or_else(|| part.clone()), String::new()));
                }
            }
            Ok(Event::End(end)) if FILES.contains(&end.local_name().as_ref()) => {
                file(walk, place, path, open.take());
            }
            Ok(Event::Text(text)) => {
                if let Some((_, letters)) = &mut open {
                    letters.push_str(&text.xml10_content());
                }
            }
            Ok(Event::CData(text)) => {
                if let Some((_, letters)) = &mut open {
                    letters.push_str(&text.xml10_content());
                }
            }
            Ok(Event::GeneralRef(of)) => {
                if let Some((_, letters)) = &mut open {
                    letters.push_str(&text::entity(&of.xml10_content()));
                }
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                walk.not_looked(place, Why::Broken);
                break;
            }
        }
    }
    file(walk, place, path, open);
}

fn named(start: &BytesStart<'_>) -> Option<String> {
    let name = office::attribute(start, "name")?;
    Some(name::cut(name.trim_start_matches('/')).to_owned()).filter(|name| !name.is_empty())
}

fn file(walk: &mut Walk<'_>, place: Place, path: &str, written: Option<(String, String)>) {
    let Some((name, letters)) = written else { return };
    if letters.len() / 4 * 3 > walk.left() {
        walk.not_looked(place, Why::TooLarge);
        return;
    }
    let bytes = coded::base64(letters.as_bytes());
    walk.took(bytes.len());
    if !bytes.is_empty() {
        let name = if name.is_empty() { "file".to_owned() } else { name };
        walk.file(&Member {
            path: format!("{path}/{name}"),
            media_type: None,
            bytes: &bytes,
            depth: place.depth + 1,
        });
    }
}

/// What stands before macros and objects in such files and in saved pages.
pub(crate) const ACTIVE_MIME: &[u8] = b"ActiveMime";
/// Where what is packed usually begins.
const USUAL: [usize; 2] = [0x32, 0x22a];

/// Looks into a file of macros or objects: a head, then a compound file, packed.
pub(crate) fn active_mime(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let said = bytes.get(0x1e..0x20).and_then(|at| <[u8; 2]>::try_from(at).ok()).map(u16::from_le_bytes);
    let begins = |at: &usize| match bytes.get(*at..) {
        Some([first, second, ..]) => {
            first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31)
        }
        _ => false,
    };
    let found = said.map(|at| usize::from(at) + 46).into_iter().chain(USUAL).find(begins);
    let Some(packed) = found.and_then(|at| bytes.get(at..)) else {
        walk.not_looked(place, Why::Broken);
        return;
    };
    let unpacked = walk.unpack(place, packed.len(), flate2::read::ZlibDecoder::new(packed));
    if !unpacked.bytes.is_empty() {
        let path = format!("{path}/content");
        walk.file(&Member { path, media_type: None, bytes: &unpacked.bytes, depth: place.depth + 1 });
    }
}
