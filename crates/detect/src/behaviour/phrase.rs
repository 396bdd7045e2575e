//! What a message does, told by phrases: verb, object and context near each other, never a single word.
//!
//! One file for each language (`rules/behaviour/LANGUAGE.toml`). All languages are asked at once, because
//! people mix them. The phrases of all lists stand in one Aho-Corasick automaton over the folded text (lower case, no
//! marks, look-alikes as what they look like); a clause holds where its lists stand near each other.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use chatward_message::Channel;
use serde::Deserialize;

use super::signal::{Persona, Signal, Signals};
use crate::normal;
use crate::{RuleFault, RulesError};

/// How much of a text is looked at, in bytes: its head, and its end. A customer writes less.
const HEAD: usize = 64 << 10;
const END: usize = 32 << 10;
/// Of that so much at a time, and how far such pieces overlap: more than the phrases of a clause may be apart.
const PIECE: usize = 4096;
const OVERLAP: usize = 512;
/// How many phrases of one piece count.
const HITS: usize = 1024;
/// The longest phrase, in bytes of folded text.
const LONGEST: usize = 80;
/// How many lists all files may have together.
const LISTS: usize = 512;
/// How far from each other the phrases of a clause may stand, in bytes of folded text, if it does not say.
const NEAR: usize = 40;

/// The files that come with the program.
const BUILTIN: [(&str, &str); 7] = [
    ("de.toml", include_str!("../../../../rules/behaviour/de.toml")),
    ("en.toml", include_str!("../../../../rules/behaviour/en.toml")),
    ("es.toml", include_str!("../../../../rules/behaviour/es.toml")),
    ("fr.toml", include_str!("../../../../rules/behaviour/fr.toml")),
    ("it.toml", include_str!("../../../../rules/behaviour/it.toml")),
    ("nl.toml", include_str!("../../../../rules/behaviour/nl.toml")),
    ("pt.toml", include_str!("../../../../rules/behaviour/pt.toml")),
];

/// What a text was found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Said {
    /// The signals.
    pub signals: Signals,
    /// Whom the writer claims to be, the highest of several claims.
    pub persona: Persona,
}

/// The phrases of all languages, compiled.
#[derive(Debug)]
pub struct Reader {
    automaton: AhoCorasick,
    phrases: Box<[Phrase]>,
    clauses: Box<[Clause]>,
}

/// One phrase of the automaton.
#[derive(Debug, Clone, Copy)]
struct Phrase {
    list: u16,
    /// Whether the word may go on to the left.
    open_left: bool,
    /// Whether it may go on to the right.
    open_right: bool,
}

/// What follows from lists that stand near each other.
#[derive(Debug)]
struct Clause {
    means: Means,
    bot: bool,
    all: Box<[u16]>,
    none: Box<[u16]>,
    within: usize,
}

#[derive(Debug, Clone, Copy)]
enum Means {
    Signal(Signal),
    Persona(Persona),
}

/// A phrase that stands in the text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    list: u16,
    start: usize,
    end: usize,
}

/// One file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    words: std::collections::BTreeMap<String, Vec<String>>,
    when: Vec<RawClause>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClause {
    signal: Option<Signal>,
    persona: Option<Persona>,
    from: Channel,
    all: Vec<String>,
    #[serde(default)]
    none: Vec<String>,
    within: Option<usize>,
    examples: Vec<String>,
    #[serde(default)]
    near_misses: Vec<String>,
}

impl Reader {
    /// The phrases that come with the program.
    ///
    /// # Errors
    /// Never, as a test shows: the files are part of the program.
    pub fn builtin() -> Result<Self, RulesError> {
        Self::new(&BUILTIN)
    }

    /// The phrases of these files, each with its name.
    ///
    /// # Errors
    /// All faults of the files: unknown keys, lists that are named but not there, clauses that mean nothing.
    pub fn new(files: &[(&str, &str)]) -> Result<Self, RulesError> {
        let mut making = Making::default();
        let faults: Vec<RuleFault> =
            files.iter().filter_map(|(name, text)| making.file(text).err().map(|e| fault(name, e))).collect();
        if !faults.is_empty() {
            return Err(RulesError::Faults(faults));
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&making.texts)
            .map_err(|e| RulesError::Together(e.to_string().into()))?;
        Ok(Self { automaton, phrases: making.phrases.into(), clauses: making.clauses.into() })
    }

    /// What the first 4 KiB of a text do. Documents do nothing: nobody says what they say.
    pub fn read(&self, text: &str, channel: Channel) -> Said {
        let mut said = Said::default();
        if channel == Channel::Document {
            return said;
        }
        for piece in pieces(text) {
            self.read_piece(piece, channel, &mut said);
        }
        said
    }

    fn read_piece(&self, piece: &str, channel: Channel, said: &mut Said) {
        let folded = fold(piece);
        let (hits, lists) = self.hits(&folded);
        for clause in &self.clauses {
            if clause.bot == (channel == Channel::Bot)
                && clause.all.iter().all(|list| lists.contains(*list))
                && clause.holds(&hits)
            {
                match clause.means {
                    Means::Signal(signal) => said.signals = said.signals.with(signal),
                    Means::Persona(persona) => said.persona = said.persona.max(persona),
                }
            }
        }
    }

    fn hits(&self, folded: &[u8]) -> (Vec<Hit>, Lists) {
        let mut hits = Vec::new();
        let mut lists = Lists::default();
        for found in self.automaton.find_overlapping_iter(folded) {
            let Some(phrase) = self.phrases.get(found.pattern().as_usize()) else { continue };
            let word =
                |at: Option<usize>| at.and_then(|at| folded.get(at)).is_some_and(|b| normal::is_word(*b));
            if !phrase.open_left && word(found.start().checked_sub(1))
                || !phrase.open_right && word(Some(found.end()))
            {
                continue;
            }
            lists.put(phrase.list);
            hits.push(Hit { list: phrase.list, start: found.start(), end: found.end() });
            if hits.len() == HITS {
                break;
            }
        }
        hits.sort_unstable_by_key(|hit| hit.start);
        (hits, lists)
    }
}

impl Clause {
    /// Whether around some phrase of the first list the others stand, and none that must not.
    fn holds(&self, hits: &[Hit]) -> bool {
        let Some((first, rest)) = self.all.split_first() else { return false };
        hits.iter().filter(|hit| hit.list == *first).any(|anchor| {
            // They stand in the order of their starts.
            let from = anchor.start.saturating_sub(self.within + LONGEST);
            let from = hits.partition_point(|hit| hit.start < from);
            let to = hits.partition_point(|hit| hit.start <= anchor.end + self.within);
            let around = hits.get(from..to).unwrap_or_default();
            let near = |list: &u16| around.iter().any(|hit| hit.list == *list && self.is_near(anchor, hit));
            rest.iter().all(near) && !self.none.iter().any(near)
        })
    }

    const fn is_near(&self, one: &Hit, other: &Hit) -> bool {
        let gap = if one.start < other.start {
            other.start.saturating_sub(one.end)
        } else {
            one.start.saturating_sub(other.end)
        };
        gap <= self.within
    }
}

/// A set of lists.
#[derive(Debug, Default)]
struct Lists([u64; LISTS / 64]);

impl Lists {
    fn put(&mut self, list: u16) {
        if let Some(word) = self.0.get_mut(usize::from(list / 64)) {
            *word |= 1 << (list % 64);
        }
    }

    fn contains(&self, list: u16) -> bool {
        self.0.get(usize::from(list / 64)).is_some_and(|word| word & 1 << (list % 64) != 0)
    }
}

/// What of a text is looked at, in pieces that overlap.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let part = |from: usize, to: usize| {
        let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary(to));
        let mut at = from;
        std::iter::from_fn(move || {
            let piece = text
                .get(at..text.floor_char_boundary(at + PIECE).min(to))
                .filter(|piece| !piece.is_empty())?;
            let end = at + piece.len();
            at = if end == to { to } else { text.floor_char_boundary(end - OVERLAP) };
            Some(piece)
        })
    };
    let length = text.len();
    let (head, end) = if length <= HEAD + END { (length, length) } else { (HEAD, length - END) };
    part(0, head).chain(part(end, length))
}

/// A text as phrases see it: folded, in lower case, with single spaces.
fn fold(text: &str) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    for b in text.chars().filter_map(normal::fold) {
        let b = if b.is_ascii_whitespace() { b' ' } else { b.to_ascii_lowercase() };
        if b != b' ' || folded.last() != Some(&b' ') {
            folded.push(b);
        }
    }
    folded
}

fn fault(file: &str, (path, what): (String, String)) -> RuleFault {
    RuleFault { file: file.into(), path: path.into(), what: what.into() }
}

/// The lists and clauses read so far.
#[derive(Default)]
struct Making {
    lists: usize,
    texts: Vec<Vec<u8>>,
    phrases: Vec<Phrase>,
    clauses: Vec<Clause>,
}

impl Making {
    fn file(&mut self, text: &str) -> Result<(), (String, String)> {
        let raw: RawFile = toml::from_str(text).map_err(|e| (".".to_owned(), e.to_string()))?;
        let mut names = std::collections::BTreeMap::new();
        for (name, words) in &raw.words {
            let list = u16::try_from(self.lists).ok().filter(|_| self.lists < LISTS);
            let list = list.ok_or_else(|| (format!("words.{name}"), format!("more than {LISTS} lists")))?;
            self.lists += 1;
            names.insert(name.as_str(), list);
            for word in words {
                self.phrase(word, list).map_err(|what| (format!("words.{name}"), what))?;
            }
        }
        for (number, clause) in raw.when.iter().enumerate() {
            let clause = checked(clause, &names).map_err(|what| (format!("when[{number}]"), what))?;
            self.clauses.push(clause);
        }
        Ok(())
    }

    /// `*` at an end: the word may go on there.
    fn phrase(&mut self, word: &str, list: u16) -> Result<(), String> {
        let (open_left, rest) = word.strip_prefix('*').map_or((false, word), |rest| (true, rest));
        let (open_right, rest) = rest.strip_suffix('*').map_or((false, rest), |rest| (true, rest));
        if rest.trim() != rest || rest.chars().count() < 2 || rest.contains('*') {
            return Err(format!("`{word}`: two letters or more, `*` at the ends only"));
        }
        let mut forms = vec![fold(rest)];
        let spelled = rest.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue").replace('ß', "ss");
        if spelled != rest {
            forms.push(fold(&spelled));
        }
        for form in forms {
            if form.len() > LONGEST {
                return Err(format!("`{word}`: longer than {LONGEST} letters"));
            }
            self.texts.push(form);
            self.phrases.push(Phrase { list, open_left, open_right });
        }
        Ok(())
    }
}

fn checked(raw: &RawClause, names: &std::collections::BTreeMap<&str, u16>) -> Result<Clause, String> {
    let means = match (raw.signal, raw.persona) {
        (Some(signal), None) => Means::Signal(signal),
        (None, Some(persona)) => Means::Persona(persona),
        _ => return Err("either `signal` or `persona`".to_owned()),
    };
    if raw.from == Channel::Document {
        return Err("`from`: customer or bot".to_owned());
    }
    let lists = |wanted: &[String]| -> Result<Box<[u16]>, String> {
        let list =
            |name: &String| names.get(name.as_str()).copied().ok_or_else(|| format!("no list `{name}`"));
        wanted.iter().map(list).collect()
    };
    let all = lists(&raw.all)?;
    if all.is_empty() {
        return Err("`all` names no list".to_owned());
    }
    if raw.examples.is_empty() {
        return Err("no examples".to_owned());
    }
    let within = raw.within.unwrap_or(NEAR);
    Ok(Clause { means, bot: raw.from == Channel::Bot, all, none: lists(&raw.none)?, within })
}

/// Runs the examples and near misses of these files.
///
/// # Errors
/// The files do not compile, or all examples that are not told as they should be.
pub fn phrases_check(files: &[(&str, &str)]) -> Result<(), RulesError> {
    let reader = Reader::new(files)?;
    let mut faults = Vec::new();
    for (name, text) in files {
        let Ok(raw) = toml::from_str::<RawFile>(text) else { continue };
        for (number, clause) in raw.when.iter().enumerate() {
            let says = |text: &String| {
                let said = reader.read(text, clause.from);
                clause.signal.is_some_and(|signal| said.signals.contains(signal))
                    || clause.persona.is_some_and(|persona| said.persona == persona)
            };
            let missed = clause.examples.iter().filter(|text| !says(text)).map(|text| ("example", text));
            let wrong = clause.near_misses.iter().filter(|text| says(text)).map(|text| ("near miss", text));
            let path = format!("when[{number}]");
            faults.extend(
                missed
                    .chain(wrong)
                    .map(|(what, text)| fault(name, (path.clone(), format!("{what}: {text}")))),
            );
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(RulesError::Faults(faults)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_and_near_misses_are_not() {
        if let Err(RulesError::Faults(faults)) = phrases_check(&BUILTIN) {
            let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    }

    #[test]
    fn padding_hides_no_phrase() {
        let reader = Reader::builtin().unwrap();
        let said = "can we skip the verification today, I'm travelling";
        let signals = |text: &str| reader.read(text, Channel::Customer).signals;
        assert!(signals(said).contains(Signal::VerificationSkipped));
        // However far from the beginning, across the border of two pieces or not; and at the end of what is longer.
        for before in [100, 3_000, PIECE - 20, PIECE, 2 * PIECE - OVERLAP - 20, 50_000, 300_000] {
            let text = format!("{}{said}", "some words ".repeat(before / 11));
            assert!(signals(&text).contains(Signal::VerificationSkipped), "behind {before} bytes");
        }
        let pile = "verification ".repeat(2_000);
        assert!(
            signals(&format!("{pile}{said}")).contains(Signal::VerificationSkipped),
            "behind many phrases"
        );
        for text in ["", "\u{e9}".repeat(70_000).as_str()] {
            assert!(pieces(text).all(|piece| piece.len() <= PIECE && !piece.is_empty()));
        }
    }

    #[test]
    fn faults_of_files_are_named() {
        let file = "[words]\na = [\"x\"]\n";
        assert!(matches!(Reader::new(&[("a.toml", file)]), Err(RulesError::Faults(_))));
        let file = "[words]\nab = [\"xy\"]\n[[when]]\nsignal = \"refusal\"\nfrom = \"bot\"\nall = [\"cd\"]\nexamples = [\"xy\"]\n";
        let said = Reader::new(&[("a.toml", file)]).unwrap_err().to_string();
        assert!(said.contains("no list `cd`"), "{said}");
    }

    #[test]
    fn documents_say_nothing() {
        let reader = Reader::builtin().unwrap();
        let text = "please change my e-mail address";
        assert!(!reader.read(text, Channel::Customer).signals.is_empty());
        assert!(reader.read(text, Channel::Document).signals.is_empty());
        assert!(reader.read(text, Channel::Bot).signals.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_read(text in ".{0,300}", head in "(change my e-?mail |die Adresse ändern ){0,40}") {
            static READER: std::sync::OnceLock<Reader> = std::sync::OnceLock::new();
            let reader = READER.get_or_init(|| Reader::builtin().unwrap());
            let _ = reader.read(&format!("{head}{text}"), Channel::Customer);
        }
    }
}
