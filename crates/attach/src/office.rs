//! The parts of office files that are zips: OOXML (ECMA-376) and OpenDocument (ISO/IEC 26300).

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::kind::{self, Kind};
use crate::signs::Mark;
use crate::text;
use crate::verdict::Why;
use crate::walk::{Place, Walk};

/// Longest run of field instructions that is kept, in bytes.
const FIELDS: usize = 64 << 10;

/// Longest media type that an OpenDocument file may name.
const MEDIA_TYPE: usize = 100;

/// Relations whose target is fetched when the file is opened.
const FETCHED: &[&str] = &[
    "attachedtemplate",
    "oleobject",
    "frame",
    "subdocument",
    "control",
    "externallinkpath",
    "worksheetsource",
    "package",
];

/// Folders of the parts of OOXML.
const FOLDERS: &[&str] =
    &["word", "xl", "ppt", "docprops", "_rels", "customxml", "customui", "docmetadata", "_xmlsignatures"];
/// Folders of the parts of OpenDocument, and parts beside them.
const OPEN_FOLDERS: &[&str] =
    &["meta-inf", "basic", "scripts", "dialogs", "configurations2", "database", "forms", "reports"];
const OPEN_PARTS: &[&str] = &["content.xml", "styles.xml", "meta.xml", "settings.xml", "manifest.rdf"];

/// What names the tags of pages in other XML.
const PAGES: &str = "http://www.w3.org/1999/xhtml";

/// Longest address of names that is read, in bytes.
const ADDRESS: usize = 500;
/// How often such a name is looked for.
const PAGES_MAX: usize = 8;

/// Whether there are tags of a page in XML, by whatever name: a browser runs them wherever they stand.
fn holds_page(xml: &str) -> bool {
    // A grammar of its own may bind names where nobody sees it. No part has one.
    if xml.contains("<!DOCTYPE") {
        return true;
    }
    let mut met = 0_usize;
    // Where the next `=` stands, and whether such an address stands behind it: many names may stand before one.
    let mut next: Option<(usize, bool)> = None;
    for (at, word) in xml.match_indices("xmlns") {
        let from = at + word.len();
        let (equals, pages) = match next.filter(|(equals, _)| *equals >= from) {
            Some(known) => known,
            None => {
                let Some(to) = xml.get(from..).and_then(|rest| rest.find('=')) else { return false };
                let rest = xml.get(from + to + 1..).unwrap_or_default();
                *next.insert((from + to, names_pages(rest)))
            }
        };
        if !pages {
            continue;
        }
        met += 1;
        // OpenDocument binds a name to it, and does not use it.
        let name = xml.get(from..equals).unwrap_or_default();
        let unused = name.trim().strip_prefix(':').is_some_and(|name| !xml.contains(&format!("<{name}:")));
        if !unused || met >= PAGES_MAX {
            return true;
        }
    }
    false
}

/// Whether the value that stands here is the address that names the tags of pages.
fn names_pages(behind: &str) -> bool {
    let behind = behind.trim_start();
    let Some(quote) = behind.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
    let value = behind.get(1..).and_then(|rest| rest.split_once(quote)).map_or("", |(value, _)| value);
    text::unescaped(value.get(..ADDRESS).unwrap_or(value)).trim() == PAGES
}

/// Settings of printers, hidden fonts and the like: what nothing opens outside of a document, if it is nothing else.
fn is_inert(name: &str, bytes: &[u8]) -> bool {
    let by_name = name.contains("/printersettings/") && name.ends_with(".bin")
        || name.contains("/fonts/") && (name.ends_with(".odttf") || name.ends_with(".fntdata"))
        || name == "layout-cache";
    by_name && kind::sniff(bytes) == Kind::Other
}

/// What a zip is, by the names of its entries.
pub(crate) fn flavour(names: &[String]) -> Kind {
    let lower: Vec<String> = names.iter().map(|name| name.replace('\\', "/").to_ascii_lowercase()).collect();
    let has = |name: &str| lower.iter().any(|one| one == name);
    let any = |with: &dyn Fn(&str) -> bool| lower.iter().any(|one| with(one));
    if has("[content_types].xml") {
        return if any(&|name| name.starts_with("xl/")) {
            Kind::Excel
        } else if any(&|name| name.starts_with("ppt/")) {
            Kind::PowerPoint
        } else if any(&|name| name.starts_with("word/")) {
            Kind::Word
        } else {
            Kind::Zip
        };
    }
    if has("androidmanifest.xml") && has("classes.dex") {
        return Kind::AndroidProgram;
    }
    if any(&|name| name.ends_with(".class")) && has("meta-inf/manifest.mf") {
        return Kind::JavaProgram;
    }
    if has("content.xml") && (has("mimetype") || has("meta-inf/manifest.xml")) {
        return Kind::OpenDocument;
    }
    Kind::Zip
}

/// What is read of an office file, part by part.
pub(crate) struct Parts {
    flavour: Kind,
    /// Whether all parts are one piece of XML.
    flat: bool,
    macros: bool,
    /// Whether a macro is bound to an event of an OpenDocument file.
    bound: bool,
}

impl Parts {
    pub(crate) const fn new(flavour: Kind) -> Self {
        Self { flavour, flat: false, macros: false, bound: false }
    }

    const fn is_office(&self) -> bool {
        matches!(self.flavour, Kind::Word | Kind::Excel | Kind::PowerPoint | Kind::OpenDocument)
    }

    /// Reads a part, if it is one of those that make up the document. All others are files of their own, and so are those that
    /// another program takes for something else.
    pub(crate) fn part(&mut self, walk: &mut Walk<'_>, place: Place, name: &str, bytes: &[u8]) -> bool {
        if !self.is_office() {
            return false;
        }
        let name = name.replace('\\', "/").to_ascii_lowercase();
        if name == "mimetype" && bytes.len() <= MEDIA_TYPE && bytes.starts_with(b"application/") {
            return true;
        }
        self.by_name(walk, place, &name);
        if is_inert(&name, bytes) {
            return true;
        }
        if !self.is_part(&name) {
            return false;
        }
        let xml = text::decoded(bytes);
        // A part may be called what it likes: what is no XML is a file of its own.
        let is_xml = xml.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with('<');
        if !is_xml || !walk.work(place, bytes.len(), 1) {
            return false;
        }
        if name.ends_with(".rels") {
            relations(walk, place, &xml)
        } else {
            self.xml(walk, place, &name, &xml)
        }
        !matches!(kind::sniff(bytes), Kind::Html | Kind::Svg | Kind::Script) && !holds_page(&xml)
    }

    /// Whether a name, in lower case, is that of a part in XML. Two entries make an archive a document; they do not make the rest of
    /// it parts.
    fn is_part(&self, name: &str) -> bool {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let folder = name.split_once('/').map_or("", |(folder, _)| folder);
        if self.flavour == Kind::OpenDocument {
            return matches!(ending, "xml" | "rdf" | "xlb" | "xdl")
                && (OPEN_FOLDERS.contains(&folder)
                    || folder.starts_with("object ")
                    || OPEN_PARTS.contains(&name));
        }
        matches!(ending, "xml" | "rels" | "vml")
            && (FOLDERS.contains(&folder) || name == "[content_types].xml")
    }

    fn by_name(&mut self, walk: &mut Walk<'_>, place: Place, name: &str) {
        if name.starts_with("xl/macrosheets/") {
            walk.sign(place, Mark::OldMacro);
        }
        if name.contains("/embeddings/") || name.starts_with("object ") && name.ends_with("content.xml") {
            walk.sign(place, Mark::EmbeddedObject);
        }
        if name.contains("/activex/") {
            walk.sign(place, Mark::ActiveX);
        }
        if self.flavour == Kind::OpenDocument && (name.starts_with("basic/") || name.starts_with("scripts/"))
        {
            self.macros |= !name.ends_with("script-lc.xml") && !name.ends_with("script-lb.xml");
        }
    }

    fn xml(&mut self, walk: &mut Walk<'_>, place: Place, name: &str, xml: &str) {
        let mut reader = Reader::from_str(xml);
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        let mut read = Read { open: self.flavour == Kind::OpenDocument, ..Read::default() };
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    read.start(start.local_name().as_ref());
                    self.element(walk, place, &start, &mut read);
                }
                Ok(Event::Empty(start)) => self.element(walk, place, &start, &mut read),
                Ok(Event::End(end)) => read.end(end.local_name().as_ref()),
                Ok(Event::Text(text)) => read.push(&text.xml10_content()),
                Ok(Event::CData(text)) => read.push(&text.xml10_content()),
                Ok(Event::GeneralRef(of)) => read.push(&text::entity(&of.xml10_content())),
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(_) => {
                    walk.not_looked(place, Why::Broken);
                    break;
                }
            }
        }
        if is_dde(&read.fields) {
            walk.sign(place, Mark::Dde);
        }
        // Styles, fonts and settings hold no text of the document.
        if !name.starts_with("meta-inf/") {
            walk.text(place, &read.text);
        }
    }

    fn element(&mut self, walk: &mut Walk<'_>, place: Place, start: &BytesStart<'_>, read: &mut Read) {
        match start.local_name().as_ref() {
            "fldSimple" => {
                if let Some(instruction) = attribute(start, "instr") {
                    read.field(&instruction);
                }
            }
            "ddeLink" | "dde-source" | "dde-connection-decl" => walk.sign(place, Mark::Dde),
            "event-listener" if self.flavour == Kind::OpenDocument || self.flat => self.bound = true,
            "Relationship" if self.flat => relation(walk, place, start),
            "library-embedded" | "source-code" if self.flat => self.macros = true,
            "wordDocument" if attribute(start, "macrosPresent").is_some_and(|there| there == "yes") => {
                self.macros = true;
            }
            "Cell" if self.flat => {
                if let Some(formula) = attribute(start, "Formula") {
                    read.field(&formula);
                    read.field("\n");
                }
            }
            _ => {}
        }
        if let Some(address) = attribute(start, "href").filter(|address| text::is_remote(address)) {
            let fetched =
                matches!(start.local_name().as_ref(), "object" | "object-ole" | "section-source" | "plugin");
            if fetched && self.flavour == Kind::OpenDocument {
                walk.sign(place, Mark::RemoteTemplate);
            }
            walk.link(place, &address);
        }
    }

    /// What only all parts together tell.
    pub(crate) fn finish(self, walk: &mut Walk<'_>, place: Place) {
        if self.macros {
            walk.sign(place, if self.bound { Mark::MacroRuns } else { Mark::Macro });
        }
    }
}

/// Reads an office file that is one piece of XML.
pub(crate) fn flat(walk: &mut Walk<'_>, place: Place, xml: &str) {
    let open = xml.contains("urn:oasis:names:tc:opendocument");
    let mut parts = Parts::new(if open { Kind::OpenDocument } else { Kind::Word });
    parts.flat = true;
    parts.xml(walk, place, "", xml);
    parts.finish(walk, place);
}

/// The text of one part, and the instructions of its fields.
#[derive(Default)]
struct Read {
    /// Whether it is OpenDocument.
    open: bool,
    text: String,
    fields: String,
    /// How many elements are open in which text stands.
    inside: usize,
    instruction: usize,
}

impl Read {
    fn holds_text(&self, name: &str) -> bool {
        if self.open { matches!(name, "p" | "h") } else { matches!(name, "t" | "v" | "f" | "delText") }
    }

    fn start(&mut self, name: &str) {
        self.inside += usize::from(self.holds_text(name));
        self.instruction += usize::from(matches!(name, "instrText" | "delInstrText" | "f"));
    }

    fn end(&mut self, name: &str) {
        self.inside = self.inside.saturating_sub(usize::from(self.holds_text(name)));
        self.instruction =
            self.instruction.saturating_sub(usize::from(matches!(name, "instrText" | "delInstrText" | "f")));
        match name {
            "p" | "h" | "row" | "si" | "comment" => self.text.push('\n'),
            "c" | "tab" => self.text.push('\t'),
            // Each formula is an instruction of its own.
            "f" => self.field("\n"),
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.inside > 0 {
            self.text.push_str(text);
        }
        if self.instruction > 0 {
            self.field(text);
        }
    }

    fn field(&mut self, text: &str) {
        if self.fields.len() + text.len() <= FIELDS {
            self.fields.push_str(text);
        }
    }
}

/// Whether the instructions of fields, or formulas, start another program by dynamic data exchange.
pub(crate) fn is_dde(fields: &str) -> bool {
    let upper = fields.to_ascii_uppercase();
    let word = |word: &str| upper.split(|c: char| !c.is_ascii_alphanumeric()).any(|one| one == word);
    // In fields `DDE cmd.exe "…"`; in formulas `cmd|'/c …'!A1`.
    word("DDEAUTO") || word("DDE") || fields.lines().any(is_dde_formula)
}

/// Whether a formula asks another program: its name, a bar, a topic, an item.
pub(crate) fn is_dde_formula(formula: &str) -> bool {
    let Some((program, rest)) = formula.split_once('|') else { return false };
    let named = program.chars().next_back().is_some_and(|c| c.is_ascii_alphanumeric());
    named && rest.starts_with('\'') && rest.contains('!')
}

pub(crate) fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = start.attributes();
    attributes.with_checks(false);
    let found = attributes.flatten().find(|one| one.key.local_name().as_ref() == name)?;
    Some(text::unescaped(&found.value))
}

/// What a document is bound to (ECMA-376 part 2, 9.3).
fn relations(walk: &mut Walk<'_>, place: Place, xml: &str) {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start) | Event::Empty(start))
                if start.local_name().as_ref() == "Relationship" =>
            {
                relation(walk, place, &start);
            }
            Ok(Event::Eof) => return,
            Ok(_) => {}
            Err(_) => {
                walk.not_looked(place, Why::Broken);
                return;
            }
        }
    }
}

fn relation(walk: &mut Walk<'_>, place: Place, start: &BytesStart<'_>) {
    let kind = attribute(start, "Type").unwrap_or_default();
    let kind = kind.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let target = attribute(start, "Target").unwrap_or_default();
    let external = attribute(start, "TargetMode").is_some_and(|mode| mode.eq_ignore_ascii_case("external"));
    if !external || !text::is_remote(&target) {
        return;
    }
    walk.link(place, &target);
    // An address for another program inside an address is how one of them was used to run commands.
    let twisted = target.to_ascii_lowercase().starts_with("mhtml:") || target.contains("!x-usc:");
    if FETCHED.contains(&kind.as_str()) || twisted {
        walk.sign(place, Mark::RemoteTemplate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_or_a_formula_that_starts_a_program_is_seen() {
        for bad in [
            "DDEAUTO c:\\windows\\system32\\cmd.exe \"/k calc\"",
            " dde excel x",
            "=cmd|'/c calc'!A0",
            "1+cmd|' /C x'!'A1'",
        ] {
            assert!(is_dde(bad), "{bad}");
        }
        for good in ["HYPERLINK \"http://a\"", "PAGE \\* MERGEFORMAT", "A1|B1", "hidden", "=SUM('a|b'!A1)"] {
            assert!(!is_dde(good), "{good}");
        }
    }

    #[test]
    fn a_page_in_xml_is_told_by_the_address_of_its_names() {
        for page in [
            "<a xmlns='http://www.w3.org/1999/xhtml'/>",
            "<a xmlns:b = \"http://www.w3.org/1999/&#120;html\"><b:script/></a>",
            "<xmlns:xmlns:b='http://www.w3.org/1999/xhtml'><b:p/>",
            "<!DOCTYPE a>",
        ] {
            assert!(holds_page(page), "{page}");
        }
        for part in [
            "<a xmlns:b='http://www.w3.org/1999/xhtml'/>",
            "<a xmlns='x' b='http://www.w3.org/1999/xhtml'/>",
            "<xmlns",
        ] {
            assert!(!holds_page(part), "{part}");
        }
        // Not timed: looked for anew behind each, what follows would not be found within anybody's patience.
        let names = "xmlns:".repeat(1 << 20);
        for end in ["", "=", &format!("={}'x'", " ".repeat(4 << 20))] {
            assert!(!holds_page(&format!("<a {names}{end}")));
        }
    }
}
