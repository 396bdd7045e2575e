//! One rule file, read and checked (`docs/recognisers.md` describes the form).
//!
//! [`read`] goes raw → checked: serde gives the raw shape (unknown keys are refused), and everything that can be known of
//! one file alone is looked at here. What needs the compiled whole (examples, near misses) is in `detector`.

use std::sync::Arc;

use chatward_message::{Class, Kind, RuleInfo};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;
use serde::Deserialize;

use crate::answer::Answer;
use crate::calibration::Line;
use crate::check::{self, Check, Verdict};
use crate::cost::Size;
use crate::normal;
use crate::phrases::Phrases;
use crate::{HOLD, RuleFault, RuleSource};

/// The longest value a pattern may describe, in bytes: what can be held back, less the byte that shows the end.
pub(crate) const MAX_PATTERN: usize = HOLD - 1;
/// The longest context word.
pub(crate) const MAX_WORD: usize = 48;
/// A long value ends here at the latest, in bytes, unless its rule says otherwise.
const MAX_LONG: usize = 1 << 20;
/// The public vocabulary of entity types.
const ENTITIES: [&str; 25] = [
    "ADDRESS",
    "AGE",
    "API_KEY",
    "BANK_ACCOUNT",
    "CREDIT_CARD",
    "CRYPTO_WALLET",
    "DATE_TIME",
    "DRIVER_LICENSE",
    "EMAIL",
    "IBAN",
    "IP_ADDRESS",
    "LOCATION",
    "MAC_ADDRESS",
    "MEDICAL_ID",
    "NATIONAL_ID",
    "ORG",
    "OTHER",
    "PASSPORT",
    "PASSWORD",
    "PERSON",
    "PHONE",
    "URL",
    "USERNAME",
    "US_SSN",
    "VEHICLE",
];

/// A rule that passed every check that one file allows.
#[derive(Debug)]
pub(crate) struct Rule {
    pub info: Arc<RuleInfo>,
    pub checks: Box<[Check]>,
    /// How the rule file calls them.
    pub check_names: Box<[Box<str>]>,
    pub check_required: bool,
    pub threshold: f32,
    pub priority: i32,
    pub patterns: Box<[Pattern]>,
    /// A list of phrases that the rule asks for beside its patterns.
    pub words_file: Option<WordsFile>,
    pub words: Box<[Box<[u8]>]>,
    pub against: Box<[Box<[u8]>]>,
    pub boost: f32,
    pub penalty: f32,
    pub required: bool,
    pub previous: bool,
    pub after: bool,
    pub long: Option<Long>,
    pub answer: Option<Answer>,
    /// From its own score to a probability.
    pub calibration: Line,
}

/// Which list of phrases a rule asks for, and how its matches are scored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WordsFile {
    pub name: Box<str>,
    pub exact_case: bool,
    pub score: f32,
    pub checked: f32,
}

impl Rule {
    /// A rule that always reports the phrases of this list.
    pub(crate) fn listed(info: Arc<RuleInfo>, words: Arc<Phrases>) -> Self {
        let pattern = Pattern::of_words(words, 1.0, 1.0);
        Self { priority: i32::MAX, patterns: Box::new([pattern]), ..Self::bare(info, 0.0) }
    }

    /// A rule without patterns: something else finds its values.
    pub(crate) fn bare(info: Arc<RuleInfo>, threshold: f32) -> Self {
        Self {
            info,
            checks: Box::default(),
            check_names: Box::default(),
            check_required: false,
            threshold,
            priority: 0,
            patterns: Box::default(),
            words_file: None,
            words: Box::default(),
            against: Box::default(),
            boost: 0.0,
            penalty: 0.0,
            required: false,
            previous: false,
            after: false,
            long: None,
            answer: None,
            calibration: Line::default(),
        }
    }

    /// What the rule's checks say of a value: one failure fails, and it holds only if all hold.
    pub(crate) fn verdict(&self, value: &str) -> Verdict {
        let mut all = Verdict::Holds;
        for check in &self.checks {
            match check(value) {
                Verdict::Holds => {}
                Verdict::Fails => return Verdict::Fails,
                Verdict::Unsure => all = Verdict::Unsure,
            }
        }
        all
    }
}

/// One pattern of a rule.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Its text; the tree is made anew by whoever compiles it, because all trees together take megabytes.
    pub regex: Box<str>,
    pub score: f32,
    pub checked: f32,
    pub has_value: bool,
    pub not_after: NotAfter,
    pub size: Size,
    /// A list of phrases stands in place of the regular expression.
    pub list: Option<Arc<Phrases>>,
}

/// What must not stand right before a match; cheaper than a lead-in in the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NotAfter {
    /// A digit and a full stop: the match would be the digits after a decimal point.
    pub digit_dot: bool,
    /// A word character and a hyphen: the match would be the end of a code.
    pub word_hyphen: bool,
}

impl Pattern {
    /// Any phrase of a list.
    pub(crate) fn of_words(words: Arc<Phrases>, score: f32, checked: f32) -> Self {
        Self {
            regex: Box::default(),
            score,
            checked,
            has_value: false,
            not_after: NotAfter::default(),
            size: Size::of_list(&words),
            list: Some(words),
        }
    }

    /// The syntax tree.
    pub(crate) fn tree(&self) -> Result<Hir, Box<regex_syntax::Error>> {
        syntax(&self.regex)
    }
}

impl NotAfter {
    /// Whether a match may begin at this place of the (normalised) text.
    #[inline]
    pub(crate) fn allows(self, text: &[u8], start: usize) -> bool {
        if self == Self::default() {
            return true;
        }
        let back = |by: usize| start.checked_sub(by).and_then(|i| text.get(i)).copied();
        match back(1) {
            Some(b'.') => !(self.digit_dot && back(2).is_some_and(|b| b.is_ascii_digit())),
            Some(b'-') => !(self.word_hyphen && back(2).is_some_and(normal::is_word)),
            _ => true,
        }
    }
}

/// How a value goes on after its head.
#[derive(Debug)]
pub(crate) struct Long {
    pub tail: Tail,
    /// In bytes of original text, the head not counted.
    pub max: usize,
}

/// What belongs to a long value.
#[derive(Debug)]
pub(crate) enum Tail {
    /// Bytes of this class.
    Body(Box<[bool; 256]>),
    /// Everything up to and including this.
    Until(Box<[u8]>),
}

/// A text to try the rule on.
#[derive(Debug)]
pub(crate) struct Sample {
    pub path: String,
    pub text: String,
    pub previous: Option<String>,
    /// Spans that must be found, exactly these; empty for a near miss.
    pub spans: Vec<(usize, usize)>,
}

/// A rule and the texts it must pass.
#[derive(Debug)]
pub(crate) struct RuleFile {
    pub rule: Rule,
    pub samples: Vec<Sample>,
}

/// Reads one file; on faults gives all of them.
pub(crate) fn read(source: RuleSource<'_>) -> Result<RuleFile, Vec<RuleFault>> {
    let raw: RawRule = toml::from_str(source.text).map_err(|e| {
        let at = e.span().map_or_else(|| ".".into(), |s| format!("line {}", line_of(source.text, s.start)));
        vec![fault(source.name, at, e.message())]
    })?;
    let mut faults = Faults { file: source.name, list: Vec::new() };
    let file = checked(raw, &mut faults);
    if faults.list.is_empty() { Ok(file) } else { Err(faults.list) }
}

pub(crate) fn fault(file: &str, path: impl Into<Box<str>>, what: impl Into<Box<str>>) -> RuleFault {
    RuleFault { file: file.into(), path: path.into(), what: what.into() }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

struct Faults<'a> {
    file: &'a str,
    list: Vec<RuleFault>,
}

impl Faults<'_> {
    fn add(&mut self, path: impl Into<Box<str>>, what: impl Into<Box<str>>) {
        self.list.push(fault(self.file, path, what));
    }

    fn unless(&mut self, holds: bool, path: impl Into<Box<str>>, what: impl Into<Box<str>>) {
        if !holds {
            self.add(path, what);
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    kind: String,
    entity: String,
    class: Class,
    label: String,
    #[serde(default)]
    last_four: bool,
    description: String,
    source: String,
    #[serde(default)]
    check: Names,
    #[serde(default = "yes")]
    check_required: bool,
    #[serde(default = "half")]
    threshold: f32,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    pattern: Vec<RawPattern>,
    words_file: Option<String>,
    #[serde(default = "sure")]
    words_score: f32,
    words_checked: Option<f32>,
    #[serde(default)]
    words_exact_case: bool,
    #[serde(default)]
    context: RawContext,
    long: Option<RawLong>,
    answer: Option<RawAnswer>,
    #[serde(default)]
    example: Vec<RawSample>,
    #[serde(default)]
    near_miss: Vec<RawSample>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Names {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Names {
    fn list(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPattern {
    regex: String,
    score: f32,
    checked: Option<f32>,
    #[serde(default)]
    not_after: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawContext {
    words: Vec<String>,
    against: Vec<String>,
    boost: f32,
    penalty: f32,
    required: bool,
    previous: bool,
    after: bool,
}

impl Default for RawContext {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            against: Vec::new(),
            boost: 0.35,
            penalty: 0.4,
            required: false,
            previous: true,
            after: true,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLong {
    body: Option<String>,
    until: Option<String>,
    max: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    asked: Vec<String>,
    regex: String,
    score: f32,
    checked: Option<f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSample {
    text: String,
    previous: Option<String>,
}

const fn yes() -> bool {
    true
}

const fn half() -> f32 {
    0.5
}

const fn sure() -> f32 {
    0.9
}

fn checked(raw: RawRule, faults: &mut Faults<'_>) -> RuleFile {
    names(&raw, faults);
    let checks = checks(&raw.check, faults);
    score(raw.threshold, "threshold", faults);
    faults.unless(
        !raw.pattern.is_empty() || raw.words_file.is_some() || raw.answer.is_some(),
        "pattern",
        "a rule needs at least one pattern, a words_file, or an answer",
    );
    let words_file = words_file(&raw, faults);
    let patterns = raw.pattern.iter().enumerate().filter_map(|(i, p)| pattern(i, p, faults)).collect();
    let words = words(&raw.context.words, "context.words", faults);
    let against = words_against(&raw, faults);
    faults.unless(
        !raw.context.required || !raw.context.words.is_empty(),
        "context.required",
        "context is required but no words are given",
    );
    score(raw.context.boost, "context.boost", faults);
    score(raw.context.penalty, "context.penalty", faults);
    let long = raw.long.as_ref().and_then(|l| long(l, faults));
    let answer = raw.answer.as_ref().map(|a| answer(a, faults));
    let samples = samples(&raw, faults);
    RuleFile {
        rule: Rule {
            info: Arc::new(RuleInfo {
                id: raw.id.into(),
                kind: Kind::new(&raw.kind),
                entity: raw.entity.into(),
                class: raw.class,
                label: raw.label.into(),
                last_four: raw.last_four,
            }),
            checks,
            check_names: raw.check.list().iter().map(|name| name.as_str().into()).collect(),
            check_required: raw.check_required,
            threshold: raw.threshold,
            priority: raw.priority,
            patterns,
            words_file,
            words,
            against,
            boost: raw.context.boost,
            penalty: raw.context.penalty,
            required: raw.context.required,
            previous: raw.context.previous,
            after: raw.context.after,
            long,
            answer,
            calibration: Line::default(),
        },
        samples,
    }
}

fn names(raw: &RawRule, faults: &mut Faults<'_>) {
    let of = |text: &str, ok: fn(u8) -> bool| !text.is_empty() && text.bytes().all(ok);
    let stem = faults.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml").to_owned();
    faults.unless(raw.id == stem, "id", format!("must be the file's name without .toml: {stem}"));
    let kebab = of(&raw.id, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    faults.unless(kebab, "id", "use lower case letters, digits and hyphens");
    let snake = of(&raw.kind, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    faults.unless(snake, "kind", "use lower case letters, digits and underscores");
    // A threshold names a kind or a class.
    faults.unless(Class::ALL.iter().all(|c| c.name() != raw.kind), "kind", "is the name of a class");
    let label = of(&raw.label, |b| b.is_ascii_uppercase() || b == b'_') && raw.label.len() <= 24;
    faults.unless(label, "label", "use at most 24 upper case letters and underscores");
    faults.unless(
        ENTITIES.contains(&raw.entity.as_str()),
        "entity",
        format!("must be one of {}", ENTITIES.join(" ")),
    );
    faults.unless(!raw.description.trim().is_empty(), "description", "say what it finds");
    faults.unless(!raw.source.trim().is_empty(), "source", "say where the form is laid down");
}

fn checks(names: &Names, faults: &mut Faults<'_>) -> Box<[Check]> {
    let mut found = Vec::new();
    for name in names.list() {
        match check::lookup(name) {
            Some(check) => found.push(check),
            None => faults.add("check", format!("there is no check called {name}")),
        }
    }
    found.into()
}

fn score(value: f32, path: &str, faults: &mut Faults<'_>) {
    faults.unless((0.0..=1.0).contains(&value), path, "must be between 0 and 1");
}

/// The pattern's syntax tree under the engine's semantics: bytes, ASCII classes and boundaries.
pub(crate) fn syntax(regex: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).map_err(Box::new)
}

fn pattern(i: usize, raw: &RawPattern, faults: &mut Faults<'_>) -> Option<Pattern> {
    let path = format!("pattern[{i}]");
    score(raw.score, &format!("{path}.score"), faults);
    score(raw.checked.unwrap_or_default(), &format!("{path}.checked"), faults);
    let at = format!("{path}.regex");
    let hir = match syntax(&raw.regex) {
        Ok(hir) => hir,
        Err(e) => {
            faults.add(at, e.to_string());
            return None;
        }
    };
    let shape = hir.properties();
    match shape.maximum_len() {
        None => faults.add(at.as_str(), "may match without end; bound every repeat ({1,64} instead of +)"),
        Some(max) if max > MAX_PATTERN => {
            faults.add(at.as_str(), format!("may match {max} bytes, more than {MAX_PATTERN}"));
        }
        Some(_) => {}
    }
    faults.unless(shape.minimum_len().is_some_and(|min| min > 0), at.as_str(), "may match nothing at all");
    let groups = group_names(&hir);
    let has_value = groups.iter().any(|g| g == "value");
    faults.unless(
        groups.iter().all(|g| g == "value") && groups.len() <= 1,
        at,
        "the only named group is one (?P<value>…)",
    );
    let mut not_after = NotAfter::default();
    for name in &raw.not_after {
        match name.as_str() {
            "digit-dot" => not_after.digit_dot = true,
            "word-hyphen" => not_after.word_hyphen = true,
            _ => faults.add(format!("{path}.not_after"), "the only names are digit-dot and word-hyphen"),
        }
    }
    Some(Pattern {
        regex: raw.regex.as_str().into(),
        score: raw.score,
        checked: raw.checked.unwrap_or(raw.score),
        has_value,
        not_after,
        size: Size::of(&hir),
        list: None,
    })
}

/// The list of phrases a rule asks for; it lies beside the rule file.
fn words_file(raw: &RawRule, faults: &mut Faults<'_>) -> Option<WordsFile> {
    let name = raw.words_file.as_deref()?;
    score(raw.words_score, "words_score", faults);
    score(raw.words_checked.unwrap_or_default(), "words_checked", faults);
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    faults.unless(plain, "words_file", "must be the name of a file in the same folder");
    Some(WordsFile {
        name: name.into(),
        exact_case: raw.words_exact_case,
        score: raw.words_score,
        checked: raw.words_checked.unwrap_or(raw.words_score),
    })
}

fn group_names(hir: &Hir) -> Vec<String> {
    use regex_syntax::hir::HirKind;
    let mut names = Vec::new();
    let mut stack = vec![hir];
    while let Some(hir) = stack.pop() {
        match hir.kind() {
            HirKind::Capture(c) => {
                names.extend(c.name.as_deref().map(str::to_owned));
                stack.push(&c.sub);
            }
            HirKind::Repetition(r) => stack.push(&r.sub),
            HirKind::Concat(all) | HirKind::Alternation(all) => stack.extend(all),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
        }
    }
    names.sort();
    // An alternation may give the value in several branches only if the names differ, which the parser sees to.
    names
}

fn words(raw: &[String], path: &str, faults: &mut Faults<'_>) -> Box<[Box<[u8]>]> {
    let mut folded = Vec::new();
    for (i, word) in raw.iter().enumerate() {
        let bytes = normal::folded_lower(word.trim());
        if bytes.is_empty() || bytes.len() > MAX_WORD {
            faults.add(format!("{path}[{i}]"), format!("must have 1 to {MAX_WORD} characters"));
        } else {
            folded.push(bytes.into());
        }
    }
    folded.into()
}

fn words_against(raw: &RawRule, faults: &mut Faults<'_>) -> Box<[Box<[u8]>]> {
    for (i, word) in raw.context.against.iter().enumerate() {
        faults.unless(
            !raw.context.words.contains(word),
            format!("context.against[{i}]"),
            "also stands in context.words",
        );
    }
    words(&raw.context.against, "context.against", faults)
}

fn long(raw: &RawLong, faults: &mut Faults<'_>) -> Option<Long> {
    let max = raw.max.unwrap_or(MAX_LONG);
    let tail = match (&raw.body, &raw.until) {
        (Some(body), None) => Tail::Body(Box::new(byte_class(body, faults)?)),
        (None, Some(until)) => {
            let until = normal::folded(until);
            if until.is_empty() || until.len() > MAX_WORD {
                faults.add("long.until", format!("must have 1 to {MAX_WORD} characters"));
                return None;
            }
            Tail::Until(until.into())
        }
        _ => {
            faults.add("long", "give either body or until");
            return None;
        }
    };
    Some(Long { tail, max })
}

fn answer(raw: &RawAnswer, faults: &mut Faults<'_>) -> Answer {
    score(raw.score, "answer.score", faults);
    score(raw.checked.unwrap_or_default(), "answer.checked", faults);
    faults.unless(!raw.asked.is_empty(), "answer.asked", "give at least one word of the question");
    match syntax(&Answer::pattern(&raw.regex)) {
        Ok(hir) => {
            let bounded = hir.properties().maximum_len().is_some();
            faults.unless(bounded, "answer.regex", "may match without end; bound every repeat");
            faults.unless(group_names(&hir).len() == 1, "answer.regex", "must have no named group");
        }
        Err(e) => faults.add("answer.regex", e.to_string()),
    }
    let asked = words(&raw.asked, "answer.asked", faults);
    Answer::new(asked, &raw.regex, raw.score, raw.checked.unwrap_or(raw.score))
}

fn byte_class(regex: &str, faults: &mut Faults<'_>) -> Option<[bool; 256]> {
    use regex_syntax::hir::{Class, HirKind};
    let hir = match syntax(regex) {
        Ok(hir) => hir,
        Err(e) => {
            faults.add("long.body", e.to_string());
            return None;
        }
    };
    let mut table = [false; 256];
    let HirKind::Class(Class::Bytes(class)) = hir.kind() else {
        faults.add("long.body", "must be one byte class, [A-Za-z0-9]");
        return None;
    };
    for range in class.ranges() {
        for (b, slot) in table.iter_mut().enumerate() {
            *slot |= (usize::from(range.start())..=usize::from(range.end())).contains(&b);
        }
    }
    Some(table)
}

fn samples(raw: &RawRule, faults: &mut Faults<'_>) -> Vec<Sample> {
    let mut all = Vec::new();
    faults.unless(!raw.example.is_empty(), "example", "give at least one example");
    faults.unless(!raw.near_miss.is_empty(), "near_miss", "give at least one near miss");
    for (i, example) in raw.example.iter().enumerate() {
        let path = format!("example[{i}]");
        match marked(&example.text) {
            Some((text, spans)) => all.push(Sample { path, text, previous: example.previous.clone(), spans }),
            None => faults.add(path, "mark what must be found: «value»"),
        }
    }
    for (i, miss) in raw.near_miss.iter().enumerate() {
        all.push(Sample {
            path: format!("near_miss[{i}]"),
            text: miss.text.clone(),
            previous: miss.previous.clone(),
            spans: Vec::new(),
        });
    }
    all
}

/// Takes the marks out of an example and gives the spans they enclosed; nothing if they do not pair up.
fn marked(text: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let mut plain = String::with_capacity(text.len());
    let (mut spans, mut open) = (Vec::new(), None);
    for c in text.chars() {
        match (c, open) {
            ('«', None) => open = Some(plain.len()),
            ('»', Some(start)) if start < plain.len() => {
                spans.push((start, plain.len()));
                open = None;
            }
            ('«' | '»', _) => return None,
            _ => plain.push(c),
        }
    }
    (open.is_none() && !spans.is_empty()).then_some((plain, spans))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
id = "order"
kind = "order_number"
entity = "OTHER"
class = "interaction"
label = "ORDER"
description = "Order number"
source = "our shop"
[[pattern]]
regex = '''\bORD-\d{6}\b'''
score = 0.9
[[example]]
text = "where is «ORD-123456»?"
[[near_miss]]
text = "ORD-12345"
"#;

    fn faults_of(text: &str) -> String {
        match read(RuleSource { name: "order.toml", text }) {
            Ok(_) => String::new(),
            Err(all) => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        }
    }

    #[test]
    fn a_good_rule_has_no_faults() {
        assert_eq!(faults_of(GOOD), "");
    }

    #[test]
    fn each_fault_names_its_place() {
        let cases = [
            ("id = \"order\"", "id = \"orders\"", "id: must be the file's name"),
            ("interaction", "interactive", "unknown variant"),
            ("\"OTHER\"", "\"THING\"", "entity: must be one of"),
            (r"\d{6}\b", r"\d+\b", "pattern[0].regex: may match without end"),
            (r"\d{6}\b", r"\d{600}\b", "pattern[0].regex: may match 604 bytes"),
            (r"\bORD-\d{6}\b", r"(?:ORD)?", "pattern[0].regex: may match nothing"),
            (r"\d{6}\b", r"(?P<x>\d{6})\b", "only named group"),
            (r"\d{6}\b", r"\d{6\b", "pattern[0].regex"),
            ("score = 0.9", "score = 1.9", "pattern[0].score: must be between"),
            ("source = \"our shop\"", "source = \"our shop\"\ncheck = \"nope\"", "no check called nope"),
            ("«ORD-123456»", "ORD-123456", "example[0]: mark what must be found"),
            ("score = 0.9", "score = 0.9\nnot_after = [\"a\"]", "pattern[0].not_after: the only names"),
            ("label = \"ORDER\"", "label = \"order\"", "label: use at most"),
            ("label = \"ORDER\"", "label = \"ORDER\"\nextra = 1", "unknown field"),
            ("order_number", "payment", "kind: is the name of a class"),
            ("class =", "words_file = \"../x\"\nclass =", "words_file: must be the name of a file"),
            ("class =", "words_score = 2\nwords_file = \"x\"\nclass =", "words_score: must be between"),
        ];
        for (from, to, want) in cases {
            let got = faults_of(&GOOD.replacen(from, to, 1));
            assert!(got.contains(want), "{to}: {got:?} lacks {want:?}");
        }
    }

    #[test]
    fn marks_are_taken_out_and_must_pair() {
        assert_eq!(marked("a «b» «ç»"), Some(("a b ç".to_owned(), vec![(2, 3), (4, 6)])));
        for bad in ["a", "«a", "a»", "««a»»", "«»"] {
            assert_eq!(marked(bad), None, "{bad}");
        }
    }
}
