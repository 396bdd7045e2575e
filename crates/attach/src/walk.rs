//! The walk through a file and all that is in it: each file once, within the limits.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chatward_message::{Plain, Sign, View};

use crate::hash::Hashes;
use crate::kind::{self, Kind, Used};
use crate::limits::{DEEPEST, LINK, Limits, NOT_LOOKED, PATH, RATIO_FROM, SIGNS};
use crate::page::{self, Page};
use crate::signs::{self, Mark};
use crate::verdict::{Found, Inside, NotLooked, Passage, Verdict, Why};
use crate::{Known, archive, eicar, flat, mail, mismatch, name, ole, onenote, pdf, rtf, text, web};

/// Bytes that are unpacked at once.
const PIECE: usize = 64 << 10;
/// What it costs to begin with anything packed, as so many bytes: small ones are not for nothing.
const BEGIN: usize = 8 << 10;
/// How many times the bytes of a file are looked at, about: by its hashes, for its type, by its reader.
const PASSES: u64 = 4;

/// Where something is seen: at which file, and how deep that lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) at: usize,
    pub(crate) depth: usize,
}

/// A file that is to be looked into.
pub(crate) struct Member<'b> {
    /// Its name, behind those of what it lies in.
    pub(crate) path: String,
    /// The type that was declared for it.
    pub(crate) media_type: Option<&'b str>,
    pub(crate) bytes: &'b [u8],
    pub(crate) depth: usize,
}

/// What came out of something packed.
pub(crate) struct Unpacked {
    pub(crate) bytes: Vec<u8>,
    /// Whether that is all of it.
    pub(crate) whole: bool,
}

pub(crate) struct Walk<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) verdict: Verdict,
    known: Known<'a>,
    #[cfg(feature = "yara")]
    rules: Option<&'a crate::yara::Rules>,
    /// How much more may be unpacked, and handed out as text.
    left: usize,
    text_left: usize,
    /// Bytes of the file that was sent: what all of it unpacks to is held against them.
    sent: usize,
    /// Room into which is unpacked, made once.
    piece: Vec<u8>,
    /// How much longer rules may take.
    #[cfg(feature = "yara")]
    rules_left: std::time::Duration,
    /// What rules were run over.
    ruled: HashSet<[u8; 32]>,
    /// What was looked into, for which use, and what it was: a file that holds itself, or one file a thousand times, is looked into once.
    seen: HashMap<([u8; 32], Used), Kind>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(limits: &'a Limits, known: Known<'a>, sent: usize) -> Self {
        Self {
            limits,
            verdict: Verdict::default(),
            known,
            #[cfg(feature = "yara")]
            rules: None,
            left: limits.unpacked,
            text_left: limits.text,
            sent,
            piece: Vec::new(),
            #[cfg(feature = "yara")]
            rules_left: std::time::Duration::from_millis(limits.rules_ms),
            ruled: HashSet::new(),
            seen: HashMap::new(),
        }
    }

    #[cfg(feature = "yara")]
    pub(crate) fn with_rules(mut self, rules: Option<&'a crate::yara::Rules>) -> Self {
        self.rules = rules;
        self
    }

    /// Looks into a file and all that is in it. Says where it stands in the verdict, if there was room for it.
    pub(crate) fn file(&mut self, member: &Member<'_>) -> Option<Place> {
        let place = self.enter(member)?;
        let kind = kind::sniff(member.bytes);
        let Some(sha256) = self.looked_up(place, member, kind) else { return Some(place) };
        let used = Used::of(&member.path, member.media_type);
        match self.seen.get(&(sha256, used)).copied() {
            Some(kind) => self.set_kind(place, kind),
            None => {
                self.seen.insert((sha256, used), kind);
                self.open(place, member, kind, used);
                self.seen.insert((sha256, used), self.kind_at(place));
            }
        }
        let kind = self.kind_at(place);
        for mark in mismatch::marks(&member.path, member.media_type, kind) {
            self.sign(place, mark);
        }
        Some(place)
    }

    /// Notes a file that its document reads, or that nothing reads: it is known by its name, its hashes and rules alone.
    pub(crate) fn part(&mut self, member: &Member<'_>) {
        let Some(place) = self.enter(member) else { return };
        // XML needs no declaration; as a part it is nothing that people write.
        let kind = match kind::sniff(member.bytes) {
            Kind::Text => Kind::Xml,
            kind => kind,
        };
        self.looked_up(place, member, kind);
    }

    /// What holds for each file, whoever reads it. Gives its SHA-256, if there was room for all that.
    fn looked_up(&mut self, place: Place, member: &Member<'_>, kind: Kind) -> Option<[u8; 32]> {
        let bytes = member.bytes;
        if !self.work(place, bytes.len(), PASSES) {
            return None;
        }
        self.named(place, &member.path);
        let hashes = Hashes::of(bytes);
        if let Some(inside) = self.verdict.inside.get_mut(place.at) {
            inside.hashes = hashes;
            inside.kind = kind;
        }
        if let Some(sign) = (self.known)(&hashes) {
            self.found(place, sign);
        }
        self.test_virus(place, kind, bytes);
        if self.ruled.insert(hashes.sha256) {
            self.apply_rules(place, bytes);
        }
        Some(hashes.sha256)
    }

    fn enter(&mut self, member: &Member<'_>) -> Option<Place> {
        let parent = Place { at: self.verdict.inside.len().saturating_sub(1), depth: member.depth };
        if self.verdict.inside.len() > self.limits.entries {
            self.not_looked(Place { at: 0, depth: 0 }, Why::TooMany);
            return None;
        }
        if member.depth > self.limits.depth.min(DEEPEST) {
            self.sign(parent, Mark::TooDeep);
            self.not_looked(parent, Why::TooDeep);
            return None;
        }
        let cut = member.path.floor_char_boundary(PATH);
        let path = Plain::new(member.path.get(..cut).unwrap_or_default().to_owned());
        let nothing = Hashes { md5: [0; 16], sha1: [0; 20], sha256: [0; 32] };
        self.verdict.inside.push(Inside {
            path,
            kind: Kind::Other,
            hashes: nothing,
            size: member.bytes.len(),
        });
        Some(Place { at: self.verdict.inside.len() - 1, depth: member.depth })
    }

    fn named(&mut self, place: Place, path: &str) {
        for mark in name::marks(path) {
            self.sign(place, mark);
        }
    }

    fn test_virus(&mut self, place: Place, kind: Kind, bytes: &[u8]) {
        if eicar::is_test_file(bytes) {
            self.sign(place, Mark::TestVirus);
        } else if !kind.is_text() && eicar::is_quoted(bytes) {
            // A text that names the string is none by its rules; nothing else has a reason to hold it.
            self.sign(place, Mark::TestVirusQuoted);
        }
    }

    #[cfg(not(feature = "yara"))]
    #[expect(clippy::unused_self, reason = "it is used in a build with rules")]
    fn apply_rules(&mut self, _place: Place, _bytes: &[u8]) {}

    #[cfg(feature = "yara")]
    fn apply_rules(&mut self, place: Place, bytes: &[u8]) {
        let Some(rules) = self.rules else { return };
        if self.rules_left.is_zero() {
            self.not_looked(place, crate::verdict::Why::RulesTooSlow);
            return;
        }
        let start = std::time::Instant::now();
        match rules.scan(bytes, self.rules_left) {
            Ok(found) => found.into_iter().for_each(|sign| self.found(place, sign)),
            Err(why) => self.not_looked(place, why),
        }
        self.rules_left = self.rules_left.saturating_sub(start.elapsed());
    }

    fn open(&mut self, place: Place, member: &Member<'_>, kind: Kind, used: Used) {
        let (path, bytes) = (member.path.as_str(), member.bytes);
        match kind {
            Kind::Zip => archive::zip(self, place, path, bytes),
            Kind::Gzip => archive::gzip(self, place, path, bytes),
            Kind::Bzip2 => archive::bzip2(self, place, path, bytes),
            Kind::Xz => archive::xz(self, place, path, bytes),
            Kind::Tar => archive::tar(self, place, path, bytes),
            Kind::OldOffice => ole::open(self, place, path, bytes),
            Kind::OneNote => onenote::open(self, place, path, bytes),
            Kind::Rtf => rtf::open(self, place, path, bytes),
            Kind::Pdf => pdf::open(self, place, path, bytes),
            Kind::Html | Kind::Svg | Kind::Xml => web::open(self, place, kind, bytes),
            Kind::Text if matches!(used, Used::Page | Used::Mail) => {}
            Kind::Mail => {
                mail::open(self, place, path, bytes);
                // Under another name, another program reads it as it stands.
                if !matches!(used, Used::Mail | Used::Any) {
                    text::open(self, place, path, kind, bytes);
                }
            }
            Kind::Other if bytes.starts_with(flat::ACTIVE_MIME) => {
                flat::active_mime(self, place, path, bytes)
            }
            Kind::OtherArchive if kind::is_lzma(bytes) => archive::lzma(self, place, path, bytes),
            Kind::Text | Kind::Script | Kind::InternetShortcut => text::open(self, place, path, kind, bytes),
            Kind::SevenZip | Kind::Rar | Kind::OtherArchive | Kind::DiskImage | Kind::Help => {
                self.not_looked(place, Why::Unsupported);
            }
            _ => {}
        }
        if !matches!(kind, Kind::Html | Kind::Svg | Kind::Xml | Kind::Empty) {
            self.as_page(place, kind, used, bytes);
        }
        let letters = matches!(kind, Kind::Text | Kind::Html | Kind::Svg | Kind::Xml | Kind::Script);
        if letters {
            flat::open(self, place, path, bytes);
        }
        let is_mail =
            used == Used::Mail && (letters || kind == Kind::Other) && mail::open(self, place, path, bytes);
        if is_mail && kind == Kind::Text {
            self.set_kind(place, Kind::Mail);
        }
        // Nobody knows what it is, so nobody can say that nothing is in it.
        if self.kind_at(place) == Kind::Other && !is_mail && !bytes.starts_with(flat::ACTIVE_MIME) {
            self.not_looked(place, Why::Unsupported);
        }
        self.second_kind(place, path, kind, bytes);
    }

    /// What is no page by its first bytes: a browser that gets it takes it for one all the same.
    fn as_page(&mut self, place: Place, kind: Kind, used: Used, bytes: &[u8]) {
        let text = matches!(kind, Kind::Text | Kind::Script | Kind::InternetShortcut | Kind::Mail);
        if !(text || used == Used::Page) || !self.work(place, bytes.len(), 2) {
            return;
        }
        let decoded = match web::decoded(bytes) {
            decoded if used == Used::Markdown => page::without_code(&decoded).into(),
            decoded => decoded,
        };
        // How much of a page it takes: an editor shows tags as they are, one for Markdown does what they say.
        let enough = match used {
            Used::Page => Page::No,
            Used::Markdown => Page::Named,
            Used::Mail | Used::Any => Page::Holds,
            Used::Text | Used::Table => Page::Begins,
        };
        let page = page::of(&decoded);
        if page < enough {
            return;
        }
        let between = web::signs(self, place, Kind::Html, &decoded);
        // The text of all others was handed out as it is.
        let unread = used == Used::Page && matches!(kind, Kind::Text | Kind::Other);
        if unread {
            self.text(place, &text::unescaped(&between));
        }
        if page == Page::Begins && used == Used::Any && text || page > Page::No && unread {
            self.set_kind(place, Kind::Html);
        }
    }

    /// Files that are something else as well, for another reader.
    fn second_kind(&mut self, place: Place, path: &str, kind: Kind, bytes: &[u8]) {
        if kind != Kind::Zip && archive::has_zip_at_its_end(bytes) {
            self.sign(place, Mark::Polyglot);
            archive::zip(self, place, path, bytes);
            self.set_kind(place, kind);
        }
        if kind != Kind::Pdf && !kind.is_text() && kind != Kind::Html && kind::pdf_at(bytes).is_some() {
            self.sign(place, Mark::Polyglot);
            pdf::open(self, place, path, bytes);
        }
        let picture = matches!(kind, Kind::Picture | Kind::Sound | Kind::Video | Kind::Font);
        if picture && web::holds_script(bytes) {
            self.sign(place, Mark::Polyglot);
        }
    }

    /// Notes a sign at a file, once.
    pub(crate) fn sign(&mut self, place: Place, mark: Mark) {
        if let Some(info) = signs::info(mark) {
            self.found(place, Sign { info, score: 1.0, span: None, view: View::Plain });
        }
    }

    pub(crate) fn found(&mut self, place: Place, sign: Sign) {
        let there = |found: &Found| found.at == place.at && found.sign.info.id == sign.info.id;
        if self.verdict.signs.len() < SIGNS && !self.verdict.signs.iter().any(there) {
            self.verdict.signs.push(Found { sign, at: place.at });
        }
    }

    /// Notes that something was not looked into, once for each reason and file.
    pub(crate) fn not_looked(&mut self, place: Place, why: Why) {
        let one = NotLooked { why, at: place.at };
        if self.verdict.not_looked.len() < NOT_LOOKED && !self.verdict.not_looked.contains(&one) {
            self.verdict.not_looked.push(one);
        }
    }

    /// Hands out a text, as far as there is room.
    pub(crate) fn text(&mut self, place: Place, text: &str) {
        let text = text.trim();
        let cut = text.floor_char_boundary(self.text_left);
        if cut < text.len() {
            self.not_looked(place, Why::TooLarge);
        }
        let Some(text) = text.get(..cut).filter(|text| !text.is_empty()) else { return };
        self.text_left -= text.len();
        if eicar::is_quoted(text.as_bytes()) && !self.kind_at(place).is_text() {
            self.sign(place, Mark::TestVirusQuoted);
        }
        self.verdict.texts.push(Passage { at: place.at, text: Plain::new(text.to_owned()) });
    }

    /// Hands out an address, as far as there is room.
    pub(crate) fn link(&mut self, place: Place, address: &str) {
        let address = address.trim();
        if self.verdict.links.len() >= self.limits.links {
            self.not_looked(place, Why::TooMany);
            return;
        }
        let there = |link: &Passage| link.at == place.at && link.text.expose() == address;
        if address.is_empty() || self.verdict.links.iter().any(there) {
            return;
        }
        let cut = address.floor_char_boundary(LINK);
        let address = address.get(..cut).unwrap_or_default().to_owned();
        self.verdict.links.push(Passage { at: place.at, text: Plain::new(address) });
    }

    pub(crate) fn kind_at(&self, place: Place) -> Kind {
        self.verdict.inside.get(place.at).map_or(Kind::Other, |inside| inside.kind)
    }

    /// What a file is, when more is known than its first bytes tell.
    pub(crate) fn set_kind(&mut self, place: Place, kind: Kind) {
        if let Some(inside) = self.verdict.inside.get_mut(place.at) {
            inside.kind = kind;
        }
    }

    /// Counts bytes that are looked at so many times. Says whether there was still room for it.
    pub(crate) fn work(&mut self, place: Place, bytes: usize, times: u64) -> bool {
        let more = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(times);
        let after = self.verdict.work.saturating_add(more);
        if after > self.limits.work {
            self.not_looked(place, Why::TooMuchWork);
            return false;
        }
        self.verdict.work = after;
        true
    }

    /// How much may still be unpacked, in bytes.
    pub(crate) fn left(&self) -> usize {
        self.left.min(self.limits.entry)
    }

    /// Reads what something packed of so many bytes unpacks to, as far as the limits let it; what was read until then is given.
    pub(crate) fn unpack(&mut self, place: Place, packed: usize, reader: impl Read) -> Unpacked {
        if !self.work(place, BEGIN, 1) {
            return Unpacked { bytes: Vec::new(), whole: false };
        }
        let mut piece = std::mem::take(&mut self.piece);
        piece.resize(PIECE, 0);
        let unpacked = self.unpack_through(&mut piece, place, packed, reader);
        self.piece = piece;
        unpacked
    }

    fn unpack_through(
        &mut self,
        piece: &mut [u8],
        place: Place,
        packed: usize,
        mut reader: impl Read,
    ) -> Unpacked {
        let mut bytes = Vec::new();
        let most = self.left();
        let bomb_from = packed.saturating_mul(self.limits.ratio).max(RATIO_FROM);
        loop {
            let got = match catch_unwind(AssertUnwindSafe(|| reader.read(piece))) {
                Ok(Ok(got)) => got,
                Ok(Err(e)) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                Ok(Err(_)) => {
                    self.not_looked(place, Why::Broken);
                    return self.spent(bytes, false);
                }
                Err(_) => {
                    self.not_looked(place, Why::ReaderFailed);
                    return self.spent(bytes, false);
                }
            };
            if got == 0 {
                return self.spent(bytes, true);
            }
            let all = bytes.len() + got;
            let together = self.limits.unpacked - self.left + all;
            if all > bomb_from || together > self.sent.saturating_mul(self.limits.ratio).max(RATIO_FROM) {
                self.sign(place, Mark::Bomb);
            }
            if all > bomb_from || all > most || !self.work(place, got, 1) {
                self.not_looked(place, Why::TooLarge);
                return self.spent(bytes, false);
            }
            bytes.extend_from_slice(piece.get(..got).unwrap_or_default());
        }
    }

    fn spent(&mut self, bytes: Vec<u8>, whole: bool) -> Unpacked {
        self.left = self.left.saturating_sub(bytes.len());
        Unpacked { bytes, whole }
    }

    /// Counts bytes that a reader of its own unpacked.
    pub(crate) fn took(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Calls a reader of others, which may fall over a hostile file. Nothing comes of one that fell.
    pub(crate) fn guarded<T>(&mut self, place: Place, read: impl FnOnce() -> T) -> Option<T> {
        // What it worked on is thrown away with it.
        match catch_unwind(AssertUnwindSafe(read)) {
            Ok(value) => Some(value),
            Err(_) => {
                self.not_looked(place, Why::ReaderFailed);
                None
            }
        }
    }
}
