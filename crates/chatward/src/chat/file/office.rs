//! The text of office files: OOXML (ECMA-376) and OpenDocument (ISO/IEC 26300), which are XML in a zip. Entities of a file's own are
//! not expanded, and what it unpacks to is counted as it is read.

use std::collections::BTreeSet;
use std::io::{Cursor, Read as _};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;

use super::{Kind, Refusal, TEXT_MAX, UNPACKED_MAX};

/// Most parts that a file may have.
const PARTS_MAX: usize = 5_000;

/// Which elements of a part hold text, and what stands between.
struct Form {
    /// Elements whose text counts.
    text: &'static [&'static str],
    /// Elements after which a line ends.
    line: &'static [&'static str],
    /// Elements that stand for a tab.
    tab: &'static [&'static str],
    /// Elements that stand for the end of a line.
    newline: &'static [&'static str],
    /// Elements that are left out with all that is in them: what was deleted, and is not to be seen.
    without: &'static [&'static str],
}

const WORD: Form =
    Form { text: &["t"], line: &["p"], tab: &["tab"], newline: &["br", "cr"], without: &["del", "moveFrom"] };
const SLIDE: Form = Form { text: &["t"], line: &["p"], tab: &["tab"], newline: &["br"], without: &[] };
const OPEN: Form = Form {
    text: &["p", "h"],
    line: &["p", "h"],
    tab: &["tab", "s"],
    newline: &["line-break"],
    without: &["tracked-changes"],
};

/// An office file that is being unpacked.
struct Unpacked<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// How much more may come out of it, in bytes.
    left: usize,
}

/// The text of an office file.
pub(super) fn text(kind: Kind, file: &[u8]) -> Result<String, Refusal> {
    let zip = ZipArchive::new(Cursor::new(file)).map_err(|_| Refusal::Unreadable)?;
    if zip.len() > PARTS_MAX {
        return Err(Refusal::Large);
    }
    let mut file = Unpacked { zip, left: UNPACKED_MAX };
    let mut out = String::new();
    match kind {
        Kind::Word => {
            file.main("word/document.xml")?;
            let parts = ["document", "header", "footer", "footnotes", "endnotes", "comments"];
            for part in file.parts("word/", &parts) {
                read(&file.part(&part)?, &WORD, &mut out)?;
            }
        }
        Kind::PowerPoint => {
            file.main("ppt/presentation.xml")?;
            let slides = file.parts("ppt/slides/", &["slide"]);
            for part in slides.into_iter().chain(file.parts("ppt/notesSlides/", &["notesSlide"])) {
                read(&file.part(&part)?, &SLIDE, &mut out)?;
            }
        }
        Kind::OpenDocument => read(&file.main("content.xml")?, &OPEN, &mut out)?,
        Kind::Excel => excel(&mut file, &mut out)?,
        Kind::Text | Kind::Pdf => return Err(Refusal::Kind),
    }
    Ok(out)
}

impl Unpacked<'_> {
    /// The part without which it is no such file.
    fn main(&mut self, name: &str) -> Result<String, Refusal> {
        if self.zip.index_for_name(name).is_none() {
            return Err(Refusal::Kind);
        }
        self.part(name)
    }

    /// The names of the parts `FOLDER` `WORD` `NUMBER` `.xml`, word by word, the shorter numbers first.
    fn parts(&self, folder: &str, words: &[&str]) -> Vec<String> {
        let place = |name: &str| {
            let middle = name.strip_prefix(folder)?.strip_suffix(".xml")?;
            let word = middle.trim_end_matches(|c: char| c.is_ascii_digit());
            words.iter().position(|known| *known == word)
        };
        let names = self.zip.file_names().filter_map(Result::ok);
        let found: BTreeSet<(usize, usize, String)> =
            names.filter_map(|name| Some((place(&name)?, name.len(), name.into_owned()))).collect();
        found.into_iter().map(|(.., name)| name).collect()
    }

    fn part(&mut self, name: &str) -> Result<String, Refusal> {
        let part = self.zip.by_name(name).map_err(|_| Refusal::Unreadable)?;
        let mut text = String::new();
        // What the zip says of its sizes may be untrue.
        let most = u64::try_from(self.left).unwrap_or(u64::MAX);
        part.take(most.saturating_add(1)).read_to_string(&mut text).map_err(|_| Refusal::Unreadable)?;
        self.left = self.left.checked_sub(text.len()).ok_or(Refusal::Large)?;
        Ok(text)
    }
}

fn read(xml: &str, form: &Form, out: &mut String) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(xml);
    let (mut inside, mut hidden) = (0_usize, 0_usize);
    loop {
        match reader.read_event().map_err(|_| Refusal::Unreadable)? {
            Event::Start(start) => {
                let name = start.local_name();
                hidden += usize::from(form.without.contains(&name.as_ref()));
                inside += usize::from(form.text.contains(&name.as_ref()));
                mark(name.as_ref(), form, hidden, out);
            }
            Event::Empty(empty) => mark(empty.local_name().as_ref(), form, hidden, out),
            Event::End(end) => {
                let name = end.local_name();
                hidden = hidden.saturating_sub(usize::from(form.without.contains(&name.as_ref())));
                inside = inside.saturating_sub(usize::from(form.text.contains(&name.as_ref())));
                if hidden == 0 && form.line.contains(&name.as_ref()) {
                    out.push('\n');
                }
            }
            Event::Text(text) if inside > 0 && hidden == 0 => out.push_str(&text.xml10_content()),
            Event::CData(text) if inside > 0 && hidden == 0 => out.push_str(&text.xml10_content()),
            Event::GeneralRef(of) if inside > 0 && hidden == 0 => out.extend(sign(&of)),
            Event::Eof => return Ok(()),
            _ => {}
        }
        if out.len() > TEXT_MAX {
            return Err(Refusal::Large);
        }
    }
}

fn mark(name: &str, form: &Form, hidden: usize, out: &mut String) {
    if hidden > 0 {
        return;
    }
    if form.tab.contains(&name) {
        out.push('\t');
    } else if form.newline.contains(&name) {
        out.push('\n');
    }
}

/// What a reference stands for: a number's sign, or one of the five that XML has.
fn sign(of: &quick_xml::events::BytesRef<'_>) -> Option<char> {
    if let Ok(Some(sign)) = of.resolve_char_ref() {
        return Some(sign);
    }
    match of.xml10_content().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// Sheets: a line for each row, cells apart by tabs. Texts stand in a part of their own, and cells name them by number.
fn excel(file: &mut Unpacked<'_>, out: &mut String) -> Result<(), Refusal> {
    file.main("xl/workbook.xml")?;
    let shared = match file.zip.index_for_name("xl/sharedStrings.xml") {
        Some(_) => shared(&file.part("xl/sharedStrings.xml")?)?,
        None => Vec::new(),
    };
    for part in file.parts("xl/worksheets/", &["sheet"]) {
        sheet(&file.part(&part)?, &shared, out)?;
    }
    for part in file.parts("xl/", &["comments"]) {
        read(&file.part(&part)?, &SLIDE, out)?;
        out.push('\n');
    }
    Ok(())
}

fn shared(xml: &str) -> Result<Vec<String>, Refusal> {
    let mut reader = Reader::from_str(xml);
    let (mut all, mut one, mut inside, mut total) = (Vec::new(), String::new(), false, 0_usize);
    loop {
        match reader.read_event().map_err(|_| Refusal::Unreadable)? {
            Event::Start(start) => match start.local_name().as_ref() {
                "t" => inside = true,
                // How a word is pronounced.
                "rPh" => {
                    let _skipped = reader.read_to_end(start.name()).map_err(|_| Refusal::Unreadable)?;
                }
                _ => {}
            },
            Event::End(end) => match end.local_name().as_ref() {
                "t" => inside = false,
                "si" => all.push(std::mem::take(&mut one)),
                _ => {}
            },
            Event::Empty(empty) if empty.local_name().as_ref() == "si" => all.push(String::new()),
            Event::Text(text) if inside => one.push_str(&text.xml10_content()),
            Event::GeneralRef(of) if inside => one.extend(sign(&of)),
            Event::Eof => return Ok(all),
            _ => {}
        }
        total = total.max(one.len());
        if total > TEXT_MAX {
            return Err(Refusal::Large);
        }
    }
}

fn sheet(xml: &str, shared: &[String], out: &mut String) -> Result<(), Refusal> {
    let mut reader = Reader::from_str(xml);
    let (mut by_number, mut inside, mut value) = (false, false, String::new());
    loop {
        match reader.read_event().map_err(|_| Refusal::Unreadable)? {
            Event::Start(start) => match start.local_name().as_ref() {
                "c" => by_number = is_shared(&start),
                "v" | "t" => inside = true,
                _ => {}
            },
            Event::End(end) => match end.local_name().as_ref() {
                "v" | "t" => inside = false,
                "c" => {
                    let text = if by_number {
                        value.trim().parse().ok().and_then(|n: usize| shared.get(n))
                    } else {
                        None
                    };
                    out.push_str(text.map_or(value.as_str(), String::as_str));
                    out.push('\t');
                    value.clear();
                }
                "row" => out.push('\n'),
                _ => {}
            },
            Event::Text(text) if inside => value.push_str(&text.xml10_content()),
            Event::GeneralRef(of) if inside => value.extend(sign(&of)),
            Event::Eof => return Ok(()),
            _ => {}
        }
        if out.len() + value.len() > TEXT_MAX {
            return Err(Refusal::Large);
        }
    }
}

fn is_shared(cell: &BytesStart<'_>) -> bool {
    let kind = cell.try_get_attribute("t").ok().flatten();
    kind.is_some_and(|kind| kind.value == "s")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in parts {
            let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
            zip.start_file(*name, options).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn each_kind_gives_its_text_and_not_what_was_deleted() {
        let word = zipped(&[
            (
                "word/document.xml",
                "<w:document><w:p><w:r><w:t>Anna &amp; Bert</w:t><w:tab/><w:t>x&#233;</w:t></w:r></w:p>\
                <w:del><w:p><w:r><w:t>gone</w:t></w:r></w:p></w:del></w:document>",
            ),
            ("word/comments.xml", "<w:comments><w:p><w:t>noted</w:t></w:p></w:comments>"),
            ("word/theme/theme1.xml", "<a:t>theme</a:t>"),
        ]);
        assert_eq!(text(Kind::Word, &word).unwrap(), "Anna & Bert\txé\nnoted\n");
        let slides = zipped(&[
            ("ppt/presentation.xml", "<p/>"),
            ("ppt/slides/slide10.xml", "<a:p><a:t>ten</a:t></a:p>"),
            ("ppt/slides/slide2.xml", "<a:p><a:t>two</a:t></a:p>"),
        ]);
        assert_eq!(text(Kind::PowerPoint, &slides).unwrap(), "two\nten\n");
        let open = zipped(&[(
            "content.xml",
            "<o><text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Head</text:h>\
             <text:p>a<text:s/>b<text:line-break/>c<text:span>d</text:span></text:p></o>",
        )]);
        assert_eq!(text(Kind::OpenDocument, &open).unwrap(), "Head\na\tb\ncd\n");
        let sheets = zipped(&[
            ("xl/workbook.xml", "<w/>"),
            (
                "xl/sharedStrings.xml",
                "<sst><si><t>name</t></si><si><r><t>An</t></r><r><t>na</t></r></si></sst>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<s><row><c t=\"s\"><v>0</v></c><c t=\"s\"><v>1</v></c></row>\
                 <row><c><v>42</v></c><c t=\"inlineStr\"><is><t>in</t></is></c></row></s>",
            ),
        ]);
        assert_eq!(text(Kind::Excel, &sheets).unwrap(), "name\tAnna\t\n42\tin\t\n");
    }

    #[test]
    fn a_file_of_another_kind_a_bomb_and_a_broken_one_are_refused() {
        let other = zipped(&[("hello.txt", "hello")]);
        for kind in [Kind::Word, Kind::Excel, Kind::PowerPoint, Kind::OpenDocument] {
            assert_eq!(text(kind, &other), Err(Refusal::Kind), "{kind:?}");
        }
        let bomb = zipped(&[("content.xml", &format!("<o>{}</o>", " ".repeat(UNPACKED_MAX)))]);
        assert!(bomb.len() < UNPACKED_MAX / 100);
        assert_eq!(text(Kind::OpenDocument, &bomb), Err(Refusal::Large));
        let long = zipped(&[("content.xml", &format!("<o><p>{}</p></o>", "a".repeat(TEXT_MAX + 1)))]);
        assert_eq!(text(Kind::OpenDocument, &long), Err(Refusal::Large));
        let entities = "<!DOCTYPE o [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;\">]><o><p>x&b;y</p></o>";
        assert_eq!(text(Kind::OpenDocument, &zipped(&[("content.xml", entities)])).unwrap(), "xy\n");
        assert_eq!(text(Kind::Word, b"PK\x03\x04 and nothing more"), Err(Refusal::Unreadable));
        let broken = zipped(&[("content.xml", "<o><p>a</q></o>")]);
        assert_eq!(text(Kind::OpenDocument, &broken), Err(Refusal::Unreadable));
    }
}
