//! What a file is by its content, and what its name and its declared type promise.

use infer::MatcherType;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing.
    Empty,
    /// Text that is none of the kinds below.
    Text,
    /// A page of the web.
    Html,
    /// A drawing as XML.
    Svg,
    /// Other XML.
    Xml,
    /// Rich text.
    Rtf,
    /// PDF.
    Pdf,
    /// Text document of OOXML.
    Word,
    /// Sheets of OOXML.
    Excel,
    /// Slides of OOXML.
    PowerPoint,
    /// OpenDocument.
    OpenDocument,
    /// An office file as it was before OOXML, or another compound file.
    OldOffice,
    /// A message of Outlook.
    OutlookMessage,
    /// An installer of Windows.
    Installer,
    /// A message as it is sent (RFC 5322), or a page that was saved as one file (MHTML).
    Mail,
    /// A notebook of OneNote.
    OneNote,
    /// Compiled help of Windows.
    Help,
    /// A zip that is none of the kinds above.
    Zip,
    /// gzip.
    Gzip,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// tar.
    Tar,
    /// 7-Zip.
    SevenZip,
    /// RAR.
    Rar,
    /// Another archive or way of packing.
    OtherArchive,
    /// A disk image.
    DiskImage,
    /// A program of Windows or DOS.
    WindowsProgram,
    /// A program of Linux and its like.
    ElfProgram,
    /// A program of macOS.
    MacProgram,
    /// A program of Java.
    JavaProgram,
    /// A program of Android.
    AndroidProgram,
    /// Another thing that runs: WebAssembly, Flash, an object file.
    OtherProgram,
    /// A shortcut of Windows.
    Shortcut,
    /// A shortcut to an address.
    InternetShortcut,
    /// A script, by its first line.
    Script,
    /// A picture of points.
    Picture,
    /// Sound.
    Sound,
    /// Moving pictures.
    Video,
    /// A font.
    Font,
    /// None of these.
    Other,
}

impl Kind {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Text => "text",
            Self::Html => "html",
            Self::Svg => "svg",
            Self::Xml => "xml",
            Self::Rtf => "rtf",
            Self::Pdf => "pdf",
            Self::Word => "word",
            Self::Excel => "excel",
            Self::PowerPoint => "powerpoint",
            Self::OpenDocument => "opendocument",
            Self::OldOffice => "old-office",
            Self::OutlookMessage => "outlook-message",
            Self::Installer => "installer",
            Self::Mail => "mail",
            Self::OneNote => "onenote",
            Self::Help => "help",
            Self::Zip => "zip",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Tar => "tar",
            Self::SevenZip => "7z",
            Self::Rar => "rar",
            Self::OtherArchive => "other-archive",
            Self::DiskImage => "disk-image",
            Self::WindowsProgram => "windows-program",
            Self::ElfProgram => "elf-program",
            Self::MacProgram => "mac-program",
            Self::JavaProgram => "java-program",
            Self::AndroidProgram => "android-program",
            Self::OtherProgram => "other-program",
            Self::Shortcut => "shortcut",
            Self::InternetShortcut => "internet-shortcut",
            Self::Script => "script",
            Self::Picture => "picture",
            Self::Sound => "sound",
            Self::Video => "video",
            Self::Font => "font",
            Self::Other => "other",
        }
    }

    /// Whether it is a program.
    pub const fn is_program(self) -> bool {
        matches!(
            self,
            Self::WindowsProgram
                | Self::ElfProgram
                | Self::MacProgram
                | Self::JavaProgram
                | Self::AndroidProgram
                | Self::OtherProgram
        )
    }

    /// Whether it is text that people read.
    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Empty)
    }

    /// Whether something in it may do something: what must not be called a picture or a text.
    pub(crate) const fn is_active(self) -> bool {
        matches!(
            self,
            Self::Html
                | Self::Svg
                | Self::Rtf
                | Self::Pdf
                | Self::Word
                | Self::Excel
                | Self::PowerPoint
                | Self::OpenDocument
                | Self::OldOffice
                | Self::OutlookMessage
                | Self::Mail
                | Self::Installer
                | Self::OneNote
                | Self::Help
                | Self::DiskImage
                | Self::Shortcut
                | Self::InternetShortcut
                | Self::Script
        )
    }
}

/// The first bytes that decide, where the library has no opinion or too quick a one.
const MAGICS: &[(&[u8], Kind)] = &[
    (b"PK\x03\x04", Kind::Zip),
    (b"PK\x05\x06", Kind::Zip),
    (b"PK\x07\x08", Kind::Zip),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::OldOffice),
    (b"{\\rt", Kind::Rtf),
    (b"\x4c\0\0\0\x01\x14\x02\0", Kind::Shortcut),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d\xae\xb1\x53\x78\xd0\x29\x96\xd3", Kind::OneNote),
    (b"ITSF", Kind::Help),
    (b"vhdxfile", Kind::DiskImage),
    (b"conectix", Kind::DiskImage),
    (b"KDMV", Kind::DiskImage),
    (b"QFI\xfb", Kind::DiskImage),
    (b"MSWIM\0\0\0", Kind::OtherArchive),
    (b"MSCF\0\0\0\0", Kind::OtherArchive),
    (b"\x60\xea", Kind::OtherArchive),
    // What compress, pack and LZH of old made.
    (b"\x1f\x9d", Kind::OtherArchive),
    (b"\x1f\xa0", Kind::OtherArchive),
    (b"\x1f\x1e", Kind::OtherArchive),
    // Drawings of Windows and of LibreOffice.
    (b"\xd7\xcd\xc6\x9a", Kind::Picture),
    (b"VCLMTF", Kind::Picture),
    (b"caff\0", Kind::Sound),
    (b"x\x01\x73\x0d", Kind::DiskImage),
    (b"\x1f\x8b", Kind::Gzip),
    (b"BZh", Kind::Bzip2),
    (b"\xfd7zXZ\0", Kind::Xz),
    (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    (b"Rar!\x1a\x07", Kind::Rar),
];

/// Bytes in which the signature of a PDF file may begin.
const PDF_HEAD: usize = 1024;

/// What a file is by its content alone. Zips and compound files are told apart once they are open.
pub(crate) fn sniff(bytes: &[u8]) -> Kind {
    if bytes.is_empty() {
        return Kind::Empty;
    }
    if let Some((_, kind)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return *kind;
    }
    if is_windows_program(bytes) {
        return Kind::WindowsProgram;
    }
    if is_disk_image(bytes) {
        return Kind::DiskImage;
    }
    if is_lzh(bytes) || is_lzma(bytes) {
        return Kind::OtherArchive;
    }
    if pdf_at(bytes) == Some(0) {
        return Kind::Pdf;
    }
    let known = known(bytes);
    if known != Kind::Other {
        return known;
    }
    if pdf_at(bytes).is_some() {
        return Kind::Pdf;
    }
    if is_text(bytes) { text_kind(bytes) } else { media(bytes) }
}

/// Pictures, sounds and moving pictures that the library does not know.
fn media(bytes: &[u8]) -> Kind {
    let at = |from: usize, sign: &[u8]| bytes.get(from..).is_some_and(|rest| rest.starts_with(sign));
    // An enhanced drawing of Windows has its mark at the end of its first record.
    if bytes.starts_with(b"\x01\0\0\0") && at(40, b" EMF") {
        return Kind::Picture;
    }
    if at(4, b"ftyp") {
        return Kind::Video;
    }
    match bytes {
        // A frame of MPEG audio (ISO/IEC 11172-3, 2.4.2.3): the bits that no frame has are reserved.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x18 != 0x08
                && second & 0x06 != 0
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Kind::Sound
        }
        _ => Kind::Other,
    }
}

/// An archive of LHA: the way in which its first entry is packed stands behind two bytes.
fn is_lzh(bytes: &[u8]) -> bool {
    matches!(bytes.get(2..7), Some([b'-', b'l', b'h' | b'z', way, b'-']) if way.is_ascii_alphanumeric())
}

/// A file of the old LZMA: its parameters, a window that is a power of two or three quarters of one, and a length that can be.
pub(crate) fn is_lzma(bytes: &[u8]) -> bool {
    let Some((&[0x5d, a, b, c, d, ref size @ ..], _)) = bytes.split_first_chunk::<13>() else { return false };
    let window = u32::from_le_bytes([a, b, c, d]);
    let size = u64::from_le_bytes(*size);
    let whole = window.is_power_of_two() || window.is_multiple_of(3) && (window / 3).is_power_of_two();
    whole && window >= 1 << 12 && (size == u64::MAX || size < 1 << 40)
}

/// Where the signature of a PDF file stands; readers take it anywhere near the beginning.
pub(crate) fn pdf_at(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes.get(..PDF_HEAD).unwrap_or(bytes), b"%PDF-")
}

fn known(bytes: &[u8]) -> Kind {
    let Some(found) = infer::get(bytes) else { return Kind::Other };
    match found.extension() {
        "elf" => return Kind::ElfProgram,
        "mach" => return Kind::MacProgram,
        "class" => return Kind::JavaProgram,
        "dex" | "dey" => return Kind::AndroidProgram,
        "wasm" | "swf" => return Kind::OtherProgram,
        // Two bytes that any text may begin with, or what was settled above.
        "obj" | "bc" | "exe" | "dll" | "Z" | "der" | "pem" | "html" | "xml" | "sh" | "pdf" => {
            return Kind::Other;
        }
        "tar" => return Kind::Tar,
        _ => {}
    }
    match found.matcher_type() {
        MatcherType::Image if is_text(bytes) => Kind::Other,
        MatcherType::Image => Kind::Picture,
        MatcherType::Audio => Kind::Sound,
        MatcherType::Video => Kind::Video,
        MatcherType::Font => Kind::Font,
        MatcherType::Archive if !is_text(bytes) => Kind::OtherArchive,
        _ => Kind::Other,
    }
}

/// The header of MS-DOS, and that of Windows where it says; or no text behind the first.
fn is_windows_program(bytes: &[u8]) -> bool {
    if !(bytes.starts_with(b"MZ") || bytes.starts_with(b"ZM")) {
        return false;
    }
    let at = bytes.get(0x3c..0x40).and_then(|at| <[u8; 4]>::try_from(at).ok()).map(u32::from_le_bytes);
    let header = at.and_then(|at| usize::try_from(at).ok()).and_then(|at| bytes.get(at..at.checked_add(2)?));
    matches!(header, Some(b"PE" | b"NE" | b"LE" | b"LX")) || !is_text(bytes)
}

fn is_disk_image(bytes: &[u8]) -> bool {
    let at = |from: usize, sign: &[u8]| bytes.get(from..).is_some_and(|rest| rest.starts_with(sign));
    let tail = bytes.len().saturating_sub(512);
    // ISO 9660 and UDF; VHD and the images of macOS have their mark at the end.
    at(0x8001, b"CD001")
        || at(0x8001, b"BEA01")
        || at(0x8801, b"CD001")
        || at(tail, b"conectix")
        || at(tail, b"koly")
}

/// Bytes that are looked at to tell whether a file is text.
const TEXT_HEAD: usize = 8 << 10;

fn is_text(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return true;
    }
    let head = bytes.get(..TEXT_HEAD).unwrap_or(bytes);
    !head.iter().any(|byte| matches!(byte, 0..=8 | 0x0e..=0x1a | 0x1c..=0x1f))
}

/// The beginning of a text behind its blanks: however many there are, nothing is hidden by them. In UTF-16 it is looked for later.
fn behind_blanks(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blanks = bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b).count();
    let text = bytes.get(blanks..).unwrap_or_default();
    text.get(..TEXT_HEAD).unwrap_or(text)
}

fn text_kind(bytes: &[u8]) -> Kind {
    let wide = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    // A mark of an encoding that stands behind blanks is none.
    let head = behind_blanks(bytes);
    let text = if wide { crate::text::decoded(head) } else { String::from_utf8_lossy(head) };
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let starts = |with: &str| text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    let holds = |what: &str| text.to_ascii_lowercase().contains(what);
    if starts("#!") {
        return Kind::Script;
    }
    if starts("[InternetShortcut]") || holds("[internetshortcut]\n") || holds("[internetshortcut]\r") {
        return Kind::InternetShortcut;
    }
    // What begins with a tag is read by a browser, whatever some line of it looks like.
    if !text.starts_with('<') && crate::mail::is_mail(bytes.trim_ascii_start()) {
        return Kind::Mail;
    }
    if starts("<svg")
        || (text.starts_with('<') && holds("<svg") && !holds("<html") && !holds("<!doctype html"))
    {
        return Kind::Svg;
    }
    if starts("<!doctype html") || text.starts_with('<') && has_page_tag(text) {
        return Kind::Html;
    }
    if starts("<?xml") {
        return Kind::Xml;
    }
    if starts("<%") || starts("<?php") || starts("@echo off") {
        return Kind::Script;
    }
    if has_page_tag(text) { Kind::Html } else { Kind::Text }
}

/// Tags with which a page begins; also behind other words, for browsers do not mind.
fn has_page_tag(text: &str) -> bool {
    const TAGS: &[&str] =
        &["<html", "<head", "<body", "<script", "<iframe", "<meta http-equiv", "<!doctype html", "<form "];
    let lower = text.to_ascii_lowercase();
    // Two of them in a text, or one at its beginning: who asks about a tag names one.
    let first = TAGS.iter().any(|tag| lower.starts_with(tag));
    first || TAGS.iter().filter(|tag| lower.contains(**tag)).count() >= 2
}

/// What files with such an ending, without its dot and in lower case, should be. Nothing for endings that promise nothing.
pub(crate) fn of_ending(ending: &str) -> Option<&'static [Kind]> {
    Some(match ending {
        "txt" | "text" | "md" | "csv" | "tsv" | "log" | "json" | "jsonl" | "yaml" | "yml" | "ini"
        | "toml" | "srt" => &[Kind::Text, Kind::Empty, Kind::Mail],
        "xml" | "xsd" | "xsl" => &[Kind::Xml, Kind::Svg, Kind::Text, Kind::Html],
        "html" | "htm" | "xhtml" => &[Kind::Html, Kind::Text, Kind::Xml, Kind::Svg],
        "mht" | "mhtml" => &[Kind::Mail, Kind::Html, Kind::Text, Kind::Xml],
        "eml" => &[Kind::Mail, Kind::Text],
        "svg" => &[Kind::Svg, Kind::Xml],
        "pdf" => &[Kind::Pdf],
        "docx" | "docm" | "dotx" | "dotm" => &[Kind::Word],
        "xlsx" | "xlsm" | "xltx" | "xltm" | "xlsb" | "xlam" => &[Kind::Excel],
        "pptx" | "pptm" | "ppsx" | "ppsm" | "potx" | "potm" => &[Kind::PowerPoint],
        "doc" | "dot" | "xls" | "xlt" | "ppt" | "pps" => &[Kind::OldOffice],
        "msg" => &[Kind::OutlookMessage],
        "rtf" => &[Kind::Rtf],
        "odt" | "ods" | "odp" | "odg" | "ott" | "ots" => &[Kind::OpenDocument],
        "zip" => &[Kind::Zip],
        "gz" | "tgz" => &[Kind::Gzip],
        "bz2" | "tbz2" => &[Kind::Bzip2],
        "xz" | "txz" => &[Kind::Xz],
        "tar" => &[Kind::Tar],
        "7z" => &[Kind::SevenZip],
        "rar" => &[Kind::Rar],
        "jpg" | "jpeg" | "png" | "gif" | "bmp" | "webp" | "tif" | "tiff" | "ico" | "heic" | "heif"
        | "avif" | "jxl" => &[Kind::Picture],
        "mp3" | "wav" | "ogg" | "oga" | "opus" | "m4a" | "flac" | "aac" | "amr" | "mid" | "midi" | "aiff" => {
            &[Kind::Sound, Kind::Video]
        }
        "mp4" | "m4v" | "mov" | "webm" | "mkv" | "avi" | "mpg" | "mpeg" | "wmv" => {
            &[Kind::Video, Kind::Sound]
        }
        "ttf" | "otf" | "woff" | "woff2" => &[Kind::Font],
        _ => return None,
    })
}

/// What a media type (RFC 9110, 8.3.1) promises. Nothing for those that promise nothing.
pub(crate) fn of_media_type(media_type: &str) -> Option<&'static [Kind]> {
    let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (family, rest) = bare.split_once('/')?;
    Some(match (family, rest) {
        ("image", "svg+xml") => of_ending("svg")?,
        ("image", _) => &[Kind::Picture],
        ("audio", _) => of_ending("mp3")?,
        ("video", _) => of_ending("mp4")?,
        ("text", "html" | "x-amp-html") => of_ending("html")?,
        ("message", "rfc822") => of_ending("eml")?,
        ("text", "xml") | ("application", "xml") => of_ending("xml")?,
        ("text", "rtf") | ("application", "rtf") => of_ending("rtf")?,
        ("text", _) | ("application", "json") => of_ending("txt")?,
        ("application", "pdf") => of_ending("pdf")?,
        ("application", "zip") => &[Kind::Zip, Kind::Word, Kind::Excel, Kind::PowerPoint, Kind::OpenDocument],
        ("application", "gzip") => of_ending("gz")?,
        ("application", other) if other.starts_with("vnd.openxmlformats-officedocument.wordprocessingml") => {
            of_ending("docx")?
        }
        ("application", other) if other.starts_with("vnd.openxmlformats-officedocument.spreadsheetml") => {
            of_ending("xlsx")?
        }
        ("application", other) if other.starts_with("vnd.openxmlformats-officedocument.presentationml") => {
            of_ending("pptx")?
        }
        ("application", other) if other.starts_with("vnd.oasis.opendocument") => of_ending("odt")?,
        ("application", "msword" | "vnd.ms-excel" | "vnd.ms-powerpoint") => of_ending("doc")?,
        _ => return None,
    })
}

/// What whoever gets a file opens it with, by its name and its declared type, whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Used {
    /// A browser.
    Page,
    /// A reader of messages.
    Mail,
    /// A table of cells.
    Table,
    /// An editor that shows some tags as what they mean.
    Markdown,
    /// An editor.
    Text,
    /// Nobody can say.
    Any,
}

impl Used {
    /// By a name and a declared type; the one that lets more happen counts.
    pub(crate) fn of(path: &str, media_type: Option<&str>) -> Self {
        let by_ending = crate::name::ending(path).map_or(Self::Any, |ending| Self::by_ending(&ending));
        let by_type = media_type.map_or(Self::Any, Self::by_media_type);
        [Self::Page, Self::Mail, Self::Table, Self::Markdown, Self::Text]
            .into_iter()
            .find(|used| by_ending == *used || by_type == *used)
            .unwrap_or(Self::Any)
    }

    fn by_ending(ending: &str) -> Self {
        match ending {
            "html" | "htm" | "xhtml" | "xht" | "shtml" | "shtm" | "hta" | "svg" | "svgz" => Self::Page,
            "eml" | "mht" | "mhtml" | "mbox" => Self::Mail,
            "csv" | "tsv" | "slk" | "iqy" | "dif" => Self::Table,
            "md" | "markdown" | "mdx" => Self::Markdown,
            _ if of_ending(ending).is_some_and(|promised| promised.contains(&Kind::Empty)) => Self::Text,
            _ => Self::Any,
        }
    }

    fn by_media_type(media_type: &str) -> Self {
        let bare = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match bare.as_str() {
            "text/html" | "text/x-amp-html" | "application/xhtml+xml" | "image/svg+xml" => Self::Page,
            "message/rfc822" | "application/x-mimearchive" => Self::Mail,
            "text/csv" | "text/tab-separated-values" => Self::Table,
            "text/markdown" => Self::Markdown,
            "text/xml" | "text/rtf" => Self::Any,
            "application/json" => Self::Text,
            other if other.starts_with("multipart/") => Self::Mail,
            other if other.starts_with("text/") => Self::Text,
            _ => Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_alone_says_what_a_file_is() {
        let mut program = vec![0; 0x80];
        program[..2].copy_from_slice(b"MZ");
        program[0x3c] = 0x60;
        program[0x60..0x64].copy_from_slice(b"PE\0\0");
        let mut iso = vec![0; 0x8001];
        iso.extend_from_slice(b"CD001");
        let mut vhd = vec![0; 600];
        vhd.extend_from_slice(b"conectix");
        vhd.resize(600 + 512, 0);
        let padded = [b"\xef\xbb\xbf", " \n".repeat(TEXT_HEAD).as_bytes(), b"<?php x"].concat();
        for (bytes, kind) in [
            (&b""[..], Kind::Empty),
            (b"hello there", Kind::Text),
            (b"MZ was here, he wrote", Kind::Text),
            (&program, Kind::WindowsProgram),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Kind::ElfProgram),
            (b"\xcf\xfa\xed\xfe\x07\0\0\x01", Kind::MacProgram),
            (b"%PDF-1.7\n", Kind::Pdf),
            (b"\n\n%PDF-1.7\n", Kind::Pdf),
            (b"{\\rtf1 a}", Kind::Rtf),
            (b"{\\rt0 a}", Kind::Rtf),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind::Picture),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind::Picture),
            (b"PK\x03\x04", Kind::Zip),
            (b"\x1f\x8b\x08", Kind::Gzip),
            (b"BZh9", Kind::Bzip2),
            (b"Rar!\x1a\x07\x01\0", Kind::Rar),
            (b"#!/bin/sh\necho", Kind::Script),
            (b"@ECHO OFF\r\ndel", Kind::Script),
            (b"<!DOCTYPE html><p>", Kind::Html),
            (b"  <HTML><body>", Kind::Html),
            (b"words <form action=x> <script>", Kind::Html),
            (&padded, Kind::Script),
            (b" \xff\xfe<html><body>", Kind::Html),
            (b"What does <script> do?", Kind::Text),
            (b"<?xml version=\"1.0\"?><svg xmlns=\"x\"/>", Kind::Svg),
            (b"<?xml version=\"1.0\"?><a/>", Kind::Xml),
            (b"[InternetShortcut]\r\nURL=http://a", Kind::InternetShortcut),
            (b"\xff\xfeh\0i\0", Kind::Text),
            (b"\x4c\0\0\0\x01\x14\x02\0", Kind::Shortcut),
            (&iso, Kind::DiskImage),
            (&vhd, Kind::DiskImage),
            (b"\x1f\x9d\x90abc", Kind::OtherArchive),
            (b"\x20\0-lh5-abc", Kind::OtherArchive),
            (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", Kind::OtherArchive),
            (b"\x5d\0\0\x81\0\xff\xff\xff\xff\xff\xff\xff\xff\0", Kind::Other),
            (b"]0; a text that begins so", Kind::Text),
            (b"\xff\xf3\x44\xc4\0\0\0\0", Kind::Sound),
            (b"\xff\xff\xff\xff\0\0\0\0", Kind::Other),
            (b"\0\0\0\x14ftyp3gp4\0\0\0\0", Kind::Video),
            (b"From: a\r\nMIME-Version: 1.0\r\n\r\n<html><body>", Kind::Mail),
            (b"\r\nContent-Type: multipart/x;\r\n\tboundary=a\r\n\r\n", Kind::Mail),
            (b"<?xml version=\"1.0\"?>\nMIME-Version: 1.0\n<a/>", Kind::Xml),
            (b"MIME-Version: 1.0\n[InternetShortcut]\nURL=http://a", Kind::InternetShortcut),
            (b"From: a\nTo: b\n\nMIME-Version: 1.0", Kind::Text),
            (b"Question: how do I set Content-Type: multipart/form-data; boundary=x?", Kind::Text),
            (b"\x01\x02\x03", Kind::Other),
        ] {
            assert_eq!(sniff(bytes), kind, "{:?}", bytes.get(..bytes.len().min(20)));
        }
    }

    #[test]
    fn types_and_endings_promise_kinds() {
        assert!(of_media_type("image/PNG; q=1").unwrap().contains(&Kind::Picture));
        assert!(of_media_type("application/octet-stream").is_none() && of_media_type("nonsense").is_none());
        assert!(of_ending("jpeg").unwrap().contains(&Kind::Picture) && of_ending("xyz").is_none());
    }
}
