//! PDF (ISO 32000-2): what in it acts, what lies in it, where it leads.
//!
//! It is read twice. Once as it stands, object by object, whatever its tables say: so nothing hides where only lenient readers look.
//! And once by the library, which follows the tables and opens what is locked with an empty password.

use std::collections::BTreeMap;

use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId, Stream};

use crate::kind::{self, Kind};
use crate::name;
use crate::signs::Mark;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Member, Place, Walk};

mod head;

/// Most that one stream may unpack to, in bytes.
const STREAM: usize = 8 << 20;
/// Largest file that the library reads, in bytes.
const READ: usize = 32 << 20;
/// Most pages whose text is taken.
const PAGES: usize = 500;
/// Deepest objects that are walked through.
const NESTED: usize = 24;
/// Longest name and longest address that are read, in bytes.
const NAME: usize = 127;
const ADDRESS: usize = 4096;
/// Most names of files that are kept.
const NAMES: usize = 400;

/// Filters whose output is a picture.
const PICTURES: &[&[u8]] = &[b"DCTDecode", b"DCT", b"JPXDecode", b"CCITTFaxDecode", b"CCF", b"JBIG2Decode"];
/// Filters that can be undone, by their long and short names.
const FILTERS: &[(&[u8], &str)] = &[
    (b"FlateDecode", "FlateDecode"),
    (b"Fl", "FlateDecode"),
    (b"LZWDecode", "LZWDecode"),
    (b"LZW", "LZWDecode"),
    (b"ASCIIHexDecode", "ASCIIHexDecode"),
    (b"AHx", "ASCIIHexDecode"),
    (b"ASCII85Decode", "ASCII85Decode"),
    (b"A85", "ASCII85Decode"),
    (b"RunLengthDecode", "RunLengthDecode"),
    (b"RL", "RunLengthDecode"),
];

/// The names that were met which mean something.
#[derive(Debug, Default)]
struct Met {
    script: bool,
    at_once: bool,
    launch: bool,
    embedded: bool,
    sends: bool,
    media: bool,
    encrypted: bool,
    addresses: Vec<String>,
}

impl Met {
    fn name(&mut self, name: &[u8]) {
        match name {
            b"JavaScript" | b"JS" => self.script = true,
            b"OpenAction" | b"AA" => self.at_once = true,
            b"Launch" => self.launch = true,
            b"EmbeddedFile" | b"EmbeddedFiles" => self.embedded = true,
            b"SubmitForm" | b"ImportData" => self.sends = true,
            b"RichMedia" | b"Movie" | b"3D" | b"Screen" => self.media = true,
            b"Encrypt" => self.encrypted = true,
            _ => {}
        }
    }

    fn address(&mut self, address: &[u8]) {
        if self.addresses.len() < NAMES * 4 {
            self.addresses.push(String::from_utf8_lossy(address).into_owned());
        }
    }

    /// Scripts that a reader runs may start what lies in the file.
    fn script(&mut self, text: &[u8]) {
        let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
        if has(b"exportDataObject") && has(b"nLaunch") {
            self.launch = true;
        }
    }
}

/// Looks into a PDF file.
pub(crate) fn open(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8]) {
    let mut met = Met::default();
    as_it_stands(walk, place, path, bytes, &mut met);
    if bytes.len() <= READ {
        by_library(walk, place, path, bytes, &mut met);
    } else {
        walk.not_looked(place, Why::TooLarge);
    }
    for (wrong, mark) in [
        (met.launch, Mark::PdfLaunch),
        (met.script && met.at_once, Mark::PdfScriptRuns),
        (met.script && !met.at_once, Mark::PdfScript),
        (met.embedded, Mark::EmbeddedObject),
        (met.sends, Mark::PdfSends),
        (met.media, Mark::PdfMedia),
    ] {
        if wrong {
            walk.sign(place, mark);
        }
    }
    for address in &met.addresses {
        walk.link(place, address);
    }
}

/// Streams and what stands between them, from the first byte to the last.
fn as_it_stands(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8], met: &mut Met) {
    let word = memchr::memmem::Finder::new(b"stream");
    let (mut at, mut last) = (0, 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| word.find(rest)) {
        let (here, behind) = (at + found, at + found + b"stream".len());
        let before = bytes.get(at..here).unwrap_or_default();
        names(before, met);
        let data = match bytes.get(behind..) {
            Some([b'\r', b'\n', ..]) => behind + 2,
            Some([b'\r' | b'\n', ..]) => behind + 1,
            _ => {
                at = behind;
                continue;
            }
        };
        if before.ends_with(b"end") {
            at = behind;
            continue;
        }
        let rest = bytes.get(data..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"endstream").unwrap_or(rest.len());
        let head = bytes.get(last..here).unwrap_or_default();
        let head = memchr::memmem::rfind(head, b"obj").and_then(|at| head.get(at..)).unwrap_or(head);
        stream(walk, place, path, head, rest.get(..end).unwrap_or_default(), met);
        at = data + end;
        last = at;
    }
    names(bytes.get(at..).unwrap_or_default(), met);
}

/// One stream, by its head.
fn stream(walk: &mut Walk<'_>, place: Place, path: &str, head: &[u8], data: &[u8], met: &mut Met) {
    let mut embedded = false;
    each_name(head, |name, _| embedded |= name == b"EmbeddedFile");
    let filters = head::filters(head);
    let known: Option<Vec<&str>> = filters.iter().map(|name| undone(name)).collect();
    let zlib = matches!(data, [head, ..] if head & 0x0f == 8 && head >> 4 <= 7);
    let content = match known.as_deref() {
        Some([]) if zlib => walk.unpack(place, data.len(), flate2::read::ZlibDecoder::new(data)).bytes,
        Some(["FlateDecode"]) => walk.unpack(place, data.len(), flate2::read::ZlibDecoder::new(data)).bytes,
        // A picture, says its head. What is none is looked at as it is.
        Some([]) | None => return content(walk, place, path, data, embedded, met),
        Some(filters) => filtered(walk, place, filters, data),
    };
    self::content(walk, place, path, &content, embedded, met);
}

/// The long name of a filter that can be undone.
fn undone(name: &[u8]) -> Option<&'static str> {
    FILTERS.iter().find(|(one, _)| *one == name).map(|(_, filter)| *filter)
}

/// What several filters, or rarer ones, make of a stream.
fn filtered(walk: &mut Walk<'_>, place: Place, filters: &[&str], data: &[u8]) -> Vec<u8> {
    let names =
        filters.iter().take(Stream::MAX_FILTERS).map(|filter| Object::Name(filter.as_bytes().to_vec()));
    let mut head = Dictionary::new();
    head.set("Filter", Object::Array(names.collect()));
    let stream = Stream::new(head, data.to_vec());
    unfiltered(walk, place, &stream)
}

fn unfiltered(walk: &mut Walk<'_>, place: Place, stream: &Stream) -> Vec<u8> {
    let most = walk.left().min(STREAM);
    if !walk.work(place, stream.content.len(), 1) {
        return Vec::new();
    }
    match walk.guarded(place, || stream.get_plain_content_with_limit(most)) {
        Some(Ok(content)) => {
            walk.took(content.len());
            if walk.work(place, content.len(), 1) { content } else { Vec::new() }
        }
        Some(Err(_)) => {
            walk.not_looked(place, Why::Broken);
            Vec::new()
        }
        None => Vec::new(),
    }
}

/// What a stream holds: a file, or more of the document.
fn content(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8], embedded: bool, met: &mut Met) {
    if bytes.is_empty() {
        return;
    }
    let kind = kind::sniff(bytes);
    let innocent = matches!(
        kind,
        Kind::Text
            | Kind::Xml
            | Kind::Html
            | Kind::Picture
            | Kind::Font
            | Kind::Sound
            | Kind::Video
            | Kind::Other
    );
    if embedded || !innocent || crate::eicar::is_test_file(bytes) {
        walk.file(&Member { path: format!("{path}/file"), media_type: None, bytes, depth: place.depth + 1 });
    } else if kind == Kind::Text {
        names(bytes, met);
        met.script(bytes);
        if crate::eicar::is_quoted(bytes) {
            walk.sign(place, Mark::TestVirusQuoted);
        }
    }
}

fn names(bytes: &[u8], met: &mut Met) {
    each_name(bytes, |name, behind| {
        met.name(name);
        if name == b"URI"
            && let Some(address) = string(behind)
        {
            met.address(&address);
        }
    });
}

/// Each name (7.3.5), with its `#` escapes undone, and what stands behind it.
fn each_name(bytes: &[u8], mut each: impl FnMut(&[u8], &[u8])) {
    for at in memchr::memchr_iter(b'/', bytes) {
        let (name, rest) = name_at(bytes.get(at + 1..).unwrap_or_default());
        each(&name, rest);
    }
}

/// The name whose slash was read, and what stands behind it.
fn name_at(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut name, mut rest) = (Vec::new(), bytes);
    while let [byte, behind @ ..] = rest {
        if is_end(*byte) || name.len() >= NAME {
            break;
        }
        match (byte, hex(behind)) {
            (b'#', Some((value, behind))) => {
                name.push(value);
                rest = behind;
            }
            _ => {
                name.push(*byte);
                rest = behind;
            }
        }
    }
    (name, rest)
}

fn hex(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = bytes.split_first_chunk::<2>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u8::from_str_radix(digits, 16).ok()?, rest))
}

/// White space and delimiters (7.2.3).
const fn is_end(byte: u8) -> bool {
    matches!(
        byte,
        0 | b'\t'
            | b'\n'
            | 0x0c
            | b'\r'
            | b' '
            | b'('
            | b')'
            | b'<'
            | b'>'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'/'
            | b'%'
    )
}

/// The string (7.3.4) that stands at the beginning, if one does.
fn string(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = bytes.get(..bytes.len().min(ADDRESS))?.trim_ascii_start();
    match bytes {
        [b'(', rest @ ..] => {
            let (mut out, mut depth, mut escaped) = (Vec::new(), 1_usize, false);
            for byte in rest {
                match byte {
                    _ if escaped => {
                        out.push(*byte);
                        escaped = false;
                    }
                    b'\\' => escaped = true,
                    b')' if depth == 1 => break,
                    other => {
                        depth = depth + usize::from(*other == b'(') - usize::from(*other == b')');
                        out.push(*other);
                    }
                }
            }
            Some(out)
        }
        [b'<', rest @ ..] if !rest.starts_with(b"<") => {
            let digits: Vec<u8> =
                rest.iter().copied().take_while(|byte| *byte != b'>').filter(u8::is_ascii_hexdigit).collect();
            Some(digits.chunks_exact(2).filter_map(|pair| Some(hex(pair)?.0)).collect())
        }
        _ => None,
    }
}

fn by_library(walk: &mut Walk<'_>, place: Place, path: &str, bytes: &[u8], met: &mut Met) {
    let options =
        LoadOptions { max_decompressed_size: Some(walk.left().min(STREAM)), ..LoadOptions::default() };
    if !walk.work(place, bytes.len(), 2) {
        return;
    }
    let loaded = walk.guarded(place, || Document::load_mem_with_options(bytes, options));
    let document = match loaded {
        Some(Ok(document)) => Some(document),
        Some(Err(_)) => None,
        None => return,
    };
    let opened = document.as_ref().is_some_and(|document| !document.is_encrypted());
    if met.encrypted && !document.as_ref().is_some_and(|document| opened && document.was_encrypted()) {
        walk.sign(place, Mark::Encrypted);
        walk.not_looked(place, Why::Encrypted);
    }
    let Some(document) = document.filter(|_| opened) else {
        walk.not_looked(place, Why::Broken);
        return;
    };
    // What was locked was not to be read as it stands.
    let locked = document.was_encrypted();
    let attached = Attached::of(&document);
    if attached.more {
        walk.not_looked(place, Why::TooMany);
    }
    for (id, object) in &document.objects {
        visit(object, met, 0);
        if let Object::Stream(stream) = object {
            let names = attached.names.get(id);
            if names.is_some() || locked || stream.dict.has_type(b"EmbeddedFile") {
                from_library(walk, place, path, (&document, stream), names, met);
            }
        }
    }
    page_texts(walk, place, &document);
}

/// A stream of a locked file, or of a file that lies in this one, under each of the names that it is given.
fn from_library(
    walk: &mut Walk<'_>,
    place: Place,
    path: &str,
    (document, stream): (&Document, &Stream),
    names: Option<&Vec<String>>,
    met: &mut Met,
) {
    let embedded = names.is_some() || stream.dict.has_type(b"EmbeddedFile");
    let filter = stream.dict.get(b"Filter").ok().map(|filter| resolved(document, filter));
    let filters: Vec<&[u8]> = match filter {
        Some(Object::Name(name)) => vec![name],
        Some(Object::Array(all)) => {
            all.iter().filter_map(|one| resolved(document, one).as_name().ok()).collect()
        }
        _ => Vec::new(),
    };
    // What a picture's filter makes is points. Whether the stream is a picture shows before that.
    let undo: Vec<&str> = filters.iter().map_while(|name| undone(name)).take(Stream::MAX_FILTERS).collect();
    let rest = filters.get(undo.len()..).unwrap_or_default();
    if !embedded && !rest.is_empty() {
        return;
    }
    if rest.iter().any(|name| !PICTURES.contains(name)) {
        walk.not_looked(place, Why::Unsupported);
    }
    let mut plain = Stream::new(stream.dict.clone(), stream.content.clone());
    if undo.is_empty() {
        plain.dict.remove(b"Filter");
    } else {
        let undo = undo.iter().map(|filter| Object::Name(filter.as_bytes().to_vec()));
        plain.dict.set("Filter", Object::Array(undo.collect()));
    }
    let content = unfiltered(walk, place, &plain);
    let Some(names) = names else { return self::content(walk, place, path, &content, embedded, met) };
    met.embedded = true;
    for name in names.iter().filter(|_| !content.is_empty()) {
        let path = format!("{path}/{name}");
        walk.file(&Member { path, media_type: None, bytes: &content, depth: place.depth + 1 });
    }
}

/// What a reference leads to; everything else as it is.
fn resolved<'d>(document: &'d Document, object: &'d Object) -> &'d Object {
    document.dereference(object).map_or(object, |(_, object)| object)
}

/// Streams that are files, and what each is called (7.11.3): whatever they say of themselves, readers hand them out.
#[derive(Default)]
struct Attached {
    names: BTreeMap<ObjectId, Vec<String>>,
    /// Whether there were more names than are kept.
    more: bool,
    kept: usize,
}

impl Attached {
    fn of(document: &Document) -> Self {
        let mut attached = Self::default();
        document.objects.values().for_each(|object| attached.visit(document, object, 0));
        attached
    }

    fn visit(&mut self, document: &Document, object: &Object, depth: usize) {
        if depth > NESTED {
            return;
        }
        let dictionary = match object {
            Object::Array(all) => return all.iter().for_each(|one| self.visit(document, one, depth + 1)),
            Object::Dictionary(dictionary) => dictionary,
            Object::Stream(stream) => &stream.dict,
            _ => return,
        };
        if let Ok(files) = dictionary.get(b"EF") {
            self.files(document, dictionary, resolved(document, files));
        }
        dictionary.iter().for_each(|(_, value)| self.visit(document, value, depth + 1));
    }

    fn files(&mut self, document: &Document, dictionary: &Dictionary, files: &Object) {
        let Ok(files) = files.as_dict() else { return };
        let mut names: Vec<String> = [b"UF".as_slice(), b"F", b"DOS", b"Mac", b"Unix"]
            .into_iter()
            .filter_map(|key| match resolved(document, dictionary.get(key).ok()?) {
                Object::String(name, _) => Some(file_name(name)),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            names.push("file".to_owned());
        }
        for (_, file) in files {
            let Ok(id) = file.as_reference() else { continue };
            let there = self.names.entry(id).or_default();
            for name in &names {
                if self.kept >= NAMES {
                    self.more = true;
                } else if !there.contains(name) {
                    there.push(name.clone());
                    self.kept += 1;
                }
            }
        }
    }
}

/// The name of a file (7.9.2.2): UTF-16 if its mark stands first.
fn file_name(name: &[u8]) -> String {
    let name = text::decoded(name);
    if name.is_empty() { "file".to_owned() } else { name::cut(&name).to_owned() }
}

fn visit(object: &Object, met: &mut Met, depth: usize) {
    if depth > NESTED {
        return;
    }
    match object {
        Object::Name(name) => met.name(name),
        Object::Array(all) => all.iter().for_each(|one| visit(one, met, depth + 1)),
        Object::Dictionary(dictionary) => dictionary_of(dictionary, met, depth),
        Object::Stream(stream) => dictionary_of(&stream.dict, met, depth),
        _ => {}
    }
}

fn dictionary_of(dictionary: &Dictionary, met: &mut Met, depth: usize) {
    for (key, value) in dictionary {
        met.name(key);
        match value {
            Object::String(address, _) if key == b"URI" => met.address(address),
            Object::String(script, _) if key == b"JS" => met.script(script),
            _ => visit(value, met, depth + 1),
        }
    }
}

fn page_texts(walk: &mut Walk<'_>, place: Place, document: &Document) {
    let pages: Vec<u32> = document.page_iter().take(PAGES + 1).zip(1..).map(|(_, number)| number).collect();
    if pages.len() > PAGES {
        walk.not_looked(place, Why::TooMany);
    }
    for page in pages.into_iter().take(PAGES) {
        let most = walk.left().min(STREAM);
        let text = walk.guarded(place, || document.extract_text_with_limit(&[page], most));
        match text {
            Some(Ok(text)) if walk.work(place, text.len(), 4) => walk.text(place, &text),
            Some(Ok(_)) | None => return,
            Some(Err(_)) => walk.not_looked(place, Why::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(bytes: &[u8]) -> Met {
        let mut met = Met::default();
        names(bytes, &mut met);
        met
    }

    #[test]
    fn names_are_read_however_they_are_written() {
        assert!(met(b"<</S/#4Aava#53cript/JS(x)>>").script);
        assert!(met(b"/#4a#53 (x)").script);
        assert!(met(b"/Launch/").launch && met(b"[/OpenAction]").at_once);
        let none = met(b"/JSX /JavaScripts /Launcher /aa (JS) #4AS /J");
        assert!(!none.script && !none.launch && !none.at_once);
    }

    #[test]
    fn addresses_are_read_in_both_forms() {
        assert_eq!(met(b"/S/URI/URI(http://a/\\(b\\)(c))").addresses, ["http://a/(b)(c)"]);
        assert_eq!(met(b"/URI <687474703A2F2F61>").addresses, ["http://a"]);
    }
}
