//! The compiled rule set and what it does with a text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::Arc;

use aws_lc_rs::digest::{Context as Context256, SHA256};
use chatward_message::{Class, Finding, Plain, RuleInfo, Span};

use crate::allow::{Allow, Allowed};
use crate::cost::Bound;
use crate::engine::{Core, Scratch, Search, Settled, View, Whole};
use crate::explain::{Explained, Outcome};
use crate::larger::{Beside, Larger, Unread};
use crate::memory::{Key, Memory};
use crate::phrases::{Lists, Phrases};
use crate::rule::{self, Pattern, Rule, Sample};
use crate::sieve::{BLOCK, Block};
use crate::tagger::{self, Names};
use crate::window::Stream;
use crate::{HOLD, RuleFault, RulesError, Window, answer, calibration};

/// The rule files that come with the program: name and text, sorted by name.
const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));
/// The trained model that comes with the program.
pub(crate) static NAMES: &[u8] = include_bytes!("../../../models/names.bin");
/// Longer texts are searched in pieces of this many bytes, so that memory stays small.
const PIECE: usize = 32 << 10;

/// One rule file: its name (for errors) and its text.
#[derive(Debug, Clone, Copy)]
pub struct RuleSource<'a> {
    /// File name, `iban.toml`.
    pub name: &'a str,
    /// The TOML text.
    pub text: &'a str,
}

/// Phrases that are always reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Denied {
    /// The kind they are reported as; must be a kind of some rule in force.
    pub kind: String,
    /// The phrases, found between word boundaries.
    pub words: Arc<Phrases>,
}

/// The house's own wishes about a rule set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Score from which a kind, or a class (`payment`), is reported, instead of the rule's own threshold. The kind wins. It
    /// is compared with the rule's own score ([`chatward_message::Evidence::raw`]).
    pub thresholds: BTreeMap<String, f32>,
    /// Ids of rules that are not used.
    pub disabled: BTreeSet<String>,
    /// Exact values (regardless of case) that are never reported.
    pub allow: Vec<String>,
    /// Values of one kind, or patterns, that are never reported.
    pub allowed: Vec<Allowed>,
    /// Phrases that are always reported.
    pub deny: Vec<Denied>,
    /// The lists that rules name as `words_file`, by the rule file's name.
    pub words: Lists,
    /// Whether names, places, addresses and firms are left to rules alone.
    pub without_names: bool,
}

/// Languages the house tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "ISO 639-1 codes")]
pub enum Lang {
    En,
    De,
    Fr,
    Es,
    It,
    Nl,
    Pt,
    Pl,
    /// Any other.
    Other,
}

impl Lang {
    /// All of them.
    pub const ALL: [Self; 9] =
        [Self::En, Self::De, Self::Fr, Self::Es, Self::It, Self::Nl, Self::Pt, Self::Pl, Self::Other];

    /// The language a BCP 47 tag (`de-AT`) names.
    pub fn of_tag(tag: &str) -> Self {
        let code = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|lang| lang.code().eq_ignore_ascii_case(code)).unwrap_or(Self::Other)
    }

    /// Its ISO 639-1 code, `other` for any other.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::It => "it",
            Self::Nl => "nl",
            Self::Pt => "pt",
            Self::Pl => "pl",
            Self::Other => "other",
        }
    }
}

/// What is known about a text before it is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// What the other side said just before: the last bot turn when a customer's text is read.
    pub previous: Option<&'a str>,
    /// The language, where known.
    pub lang: Option<Lang>,
}

/// A text to inspect and what stood before it.
#[derive(Debug)]
pub struct Text {
    /// The text.
    pub text: Plain,
    /// What answers the question "what was asked?" when the text is a bare value.
    pub before: Before,
}

/// What stood before a text: it counts as context like [`Context::previous`].
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing that counts.
    #[default]
    Nothing,
    /// An earlier text of the same list, by index: the last bot turn before a customer's text. One that is not earlier
    /// counts as nothing.
    Text(usize),
    /// Words of ours or of a form: the key of a JSON value.
    Words(Box<str>),
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text(earlier) => write!(f, "Text({earlier})"),
            Self::Words(_hidden) => f.write_str("Words(…)"),
        }
    }
}

/// A compiled rule set: immutable, `Send` and `Sync`; keep it behind an `Arc`.
#[derive(Debug)]
pub struct Detector {
    core: Core,
    rules: Vec<Arc<RuleInfo>>,
    hash: Arc<str>,
    /// Of texts inspected lately; a new rule set begins with none.
    memory: Memory,
    /// Reads along in whole texts.
    larger: Option<Beside>,
}

impl Detector {
    /// The rules that come with the program.
    pub fn builtin() -> Result<Self, RulesError> {
        Self::compile(&Self::builtin_sources(), &Options::default())
    }

    /// The rule files that come with the program, sorted by name, for those who add their own.
    pub fn builtin_sources() -> Vec<RuleSource<'static>> {
        BUILTIN.iter().map(|(name, text)| RuleSource { name, text }).collect()
    }

    /// The rules of these files, under these wishes. Ids must be unique; the order of the files does not matter.
    ///
    /// Form, names and patterns are checked here; the examples are not run (see [`rules_check`]).
    pub fn compile(files: &[RuleSource<'_>], options: &Options) -> Result<Self, RulesError> {
        Self::compile_all(files, options, NAMES, None)
    }

    /// The same with another model of names than the one that comes with the program.
    pub fn compile_with(
        files: &[RuleSource<'_>],
        options: &Options,
        model: &'static [u8],
    ) -> Result<Self, RulesError> {
        Self::compile_all(files, options, model, None)
    }

    /// The same with a larger model that reads along.
    pub fn compile_beside(
        files: &[RuleSource<'_>],
        options: &Options,
        larger: &Larger,
    ) -> Result<Self, RulesError> {
        Self::compile_all(files, options, NAMES, Some(larger))
    }

    fn compile_all(
        files: &[RuleSource<'_>],
        options: &Options,
        model: &'static [u8],
        larger: Option<&Larger>,
    ) -> Result<Self, RulesError> {
        let mut files = files.to_vec();
        files.sort_by_key(|f| f.name);
        let mut faults = Vec::new();
        let mut rules: Vec<Rule> = Vec::new();
        for file in &files {
            match rule::read(*file) {
                Ok(read) if rules.iter().any(|r| r.info.id == read.rule.info.id) => {
                    faults.push(rule::fault(file.name, "id", "another file has the same id"));
                }
                Ok(read) if tagger::is_taken(&read.rule.info.id) => {
                    faults.push(rule::fault(file.name, "id", "the tagger has this id"));
                }
                Ok(read) => match listed(read.rule, file, &options.words) {
                    Ok(rule) => match Bound::of(&rule) {
                        Ok(_) => rules.push(rule),
                        Err(what) => faults.push(rule::fault(file.name, "pattern", what)),
                    },
                    Err(fault) => faults.push(fault),
                },
                Err(more) => faults.extend(more),
            }
        }
        if !faults.is_empty() {
            return Err(RulesError::Faults(faults));
        }
        let model = if options.without_names { None } else { Some(tagger::Model::new(model)?) };
        if model.is_some() {
            rules.extend(tagger::rules());
        }
        calibration::apply(calibration::MEASURED, &mut rules)?;
        if let Some(larger) = larger {
            // The score of a model is its own probability: what was measured of rules and tagger says nothing of it.
            let more = larger.rules(&rules)?;
            rules.extend(more);
        }
        wished(&mut rules, options)?;
        let models = (model.as_ref().map(|m| m.hash).unwrap_or_default(), larger.map(Larger::name));
        let hash = hash(&files, options, models);
        let larger = larger.map(|larger| Beside::new(larger, &rules));
        let names = model.map(|model| Names::new(model, &rules));
        let allow = Allow::new(options, &rules)?;
        let infos = rules.iter().map(|r| Arc::clone(&r.info)).collect();
        let core = Core::new(rules, allow, names)?;
        Ok(Self { core, rules: infos, hash, memory: Memory::default(), larger })
    }

    /// What is known of each rule.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// The rules that stand for what the tagger finds; none if it is left out.
    pub fn names(&self) -> impl Iterator<Item = &Arc<RuleInfo>> {
        self.rules.iter().filter(|rule| tagger::is_taken(&rule.id))
    }

    /// Whether a larger model reads along: then a look may take a thousand times as long.
    pub fn has_larger(&self) -> bool {
        self.larger.is_some()
    }

    /// First 16 hex digits of SHA-256 over all rule texts, options and models: names the set in logs and events.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    /// What is in the text: sorted, not overlapping, spans in bytes of the text on character boundaries.
    ///
    /// With a question before it, a short text may be no more than the answer; a [`Window`] does not look for that. A larger
    /// model takes the time it needs; what it cannot read counts as holding nothing more.
    pub fn find(&self, text: &str, context: Context<'_>) -> Vec<Finding> {
        self.look(text, context).0
    }

    /// The same, and why a larger model did not read the text if it should have.
    pub fn look(&self, text: &str, context: Context<'_>) -> (Vec<Finding>, Option<Unread>) {
        let mut found = self.find_by_rules(text, context);
        let Some(larger) = &self.larger else { return (found, None) };
        let read = larger.read_one(text);
        larger.add(&self.core, text, &read.mentions, &mut found);
        (found, read.unread)
    }

    /// What the rules and the tagger find.
    fn find_by_rules(&self, text: &str, context: Context<'_>) -> Vec<Finding> {
        let mut found = self.find_within(text, context);
        if let Some(previous) = context.previous {
            answer::add(&self.core, text, previous, &mut found);
        }
        found
    }

    /// What the patterns find.
    fn find_within(&self, text: &str, context: Context<'_>) -> Vec<Finding> {
        let core = &self.core;
        if text.len() <= HOLD
            && text.is_ascii()
            && let Some(whole) = core.whole()
        {
            return find_short(core, whole, text, context.previous);
        }
        core.with(|scratch| {
            self.search(scratch, text, context, Search::default());
            findings(scratch)
        })
    }

    /// Looks at every text, all of them in the same context.
    pub fn inspect(&self, texts: Vec<Plain>, context: Context<'_>) -> Inspected {
        let mut unread = Unreads::default();
        let texts = texts
            .into_iter()
            .map(|text| {
                let (found, why) = self.look(text.expose(), context);
                why.into_iter().for_each(|why| unread.count(why));
                (text, found)
            })
            .collect();
        Inspected { texts, rules: Arc::clone(&self.hash), unread }
    }

    /// Looks at every text, each with what stood before it. Longer texts seen lately are remembered: a client sends its
    /// whole history with every request.
    pub fn inspect_each(&self, texts: Vec<Text>, lang: Option<Lang>) -> Inspected {
        self.inspect_while(texts, lang, &|| true)
    }

    /// The same; a larger model reads as long as `go_on` says so, the last text first: what came earlier was read, and
    /// remembered, when it was new. What it did not read is told by [`Inspected::unread`] and tried again next time.
    pub fn inspect_while(&self, texts: Vec<Text>, lang: Option<Lang>, go_on: &dyn Fn() -> bool) -> Inspected {
        let mut looked: Vec<(Plain, Vec<Finding>)> = Vec::with_capacity(texts.len());
        let mut new: Vec<(usize, Option<Key>)> = Vec::new();
        for Text { text, before } in texts {
            let previous = match &before {
                Before::Nothing => None,
                Before::Text(earlier) => looked.get(*earlier).map(|(text, _)| text.expose()),
                Before::Words(words) => Some(&**words),
            };
            let key = Memory::key(text.expose(), previous, self.larger.is_none());
            let found = key.and_then(|key| self.memory.recall(key)).unwrap_or_else(|| {
                new.push((looked.len(), key));
                self.find_by_rules(text.expose(), Context { previous, lang })
            });
            looked.push((text, found));
        }
        let mut unread = Unreads::default();
        if let Some(larger) = &self.larger {
            new.reverse();
            let texts: Vec<&str> =
                new.iter().filter_map(|(at, _)| Some(looked.get(*at)?.0.expose())).collect();
            let mut read = larger.read(&texts, go_on).into_iter();
            new.retain(|(at, _)| {
                let (Some(read), Some((text, found))) = (read.next(), looked.get_mut(*at)) else {
                    return false;
                };
                larger.add(&self.core, text.expose(), &read.mentions, found);
                let whole = read.unread.is_none();
                read.unread.into_iter().for_each(|why| unread.count(why));
                whole
            });
        }
        for (at, key) in new {
            if let (Some(key), Some((_, found))) = (key, looked.get(at)) {
                self.memory.keep(key, found);
            }
        }
        Inspected { texts: looked, rules: Arc::clone(&self.hash), unread }
    }

    /// Every candidate and what became of it, by place, for people who wonder.
    pub fn explain(&self, text: &str, context: Context<'_>) -> Vec<Explained> {
        let mut search = Search::default();
        search.trace = Some(Vec::new());
        let mut all = self.core.with(|scratch| {
            self.search(scratch, text, context, search);
            let mut all = scratch.search.trace.take().unwrap_or_default();
            // A long value is settled by its head; here it has its end.
            for finding in findings(scratch) {
                let long = all
                    .iter_mut()
                    .find(|e| e.outcome == Outcome::Reported && e.finding.span.start == finding.span.start);
                if let Some(long) = long {
                    long.finding.span = finding.span;
                }
            }
            all
        });
        if let Some(previous) = context.previous {
            answer::explain(&self.core, text, previous, &mut all);
        }
        if let Some(larger) = &self.larger {
            let (read, found) = (larger.read_one(text), self.find_by_rules(text, context));
            all.extend(larger.explain(&self.core, text, &read.mentions, &found));
        }
        all.sort_by_key(|e| (e.finding.span.start, e.finding.span.end));
        all
    }

    /// A window over a stream of text.
    pub fn window(self: &Arc<Self>, context: Context<'_>) -> Window {
        Window::new(Arc::clone(self), context)
    }

    /// Bytes of memory the compiled rules take, what threads keep beside them not counted.
    pub fn memory(&self) -> usize {
        self.core.automaton.memory() + self.core.words.memory()
    }

    pub(crate) const fn core(&self) -> &Core {
        &self.core
    }

    /// Searches the text; what was found is left in the scratch.
    fn search(&self, scratch: &mut Scratch, text: &str, context: Context<'_>, search: Search) {
        let core = &self.core;
        if text.is_ascii()
            && let Some(whole) = core.whole()
        {
            // What matching sees is the text itself.
            let bytes = text.as_bytes();
            scratch.search = search;
            scratch.blocks.clear();
            scratch.blocks.extend((0..bytes.len()).step_by(BLOCK).map(|at| whole.sieve.look(bytes, at)));
            let mut at = 0;
            loop {
                at = bytes.len().min(at + PIECE);
                let seen = bytes.get(..at).unwrap_or_default();
                let view = View { seen, marks: None, at, ends: at == bytes.len() };
                scratch.advance((core, whole), &view, context.previous);
                if view.ends {
                    return;
                }
            }
        }
        let mut stream = Stream::new(search);
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE));
            stream.push(core, &mut scratch.states, piece, context.previous);
            rest = more;
        }
        stream.end(core, &mut scratch.states, context.previous);
        scratch.search = std::mem::take(&mut stream.search);
    }
}

/// Searches an ASCII text of at most [`HOLD`] bytes: most chat messages, in most of which nothing can start.
fn find_short(core: &Core, whole: &Whole, text: &str, previous: Option<&str>) -> Vec<Finding> {
    let bytes = text.as_bytes();
    let mut blocks = [Block::default(); HOLD / BLOCK];
    let mut count = 0;
    for (block, at) in blocks.iter_mut().zip((0..bytes.len()).step_by(BLOCK)) {
        *block = whole.sieve.look(bytes, at);
        count += 1;
    }
    let blocks = blocks.get(..count).unwrap_or_default();
    if core.names.is_none()
        && core.lists.is_empty()
        && (0..count).all(|i| whole.sieve.starts(bytes, blocks, i).1 == 0)
    {
        return Vec::new();
    }
    core.with(|scratch| {
        scratch.blocks.clear();
        scratch.blocks.extend_from_slice(blocks);
        let view = View { seen: bytes, marks: None, at: bytes.len(), ends: true };
        scratch.advance((core, whole), &view, previous);
        findings(scratch)
    })
}

/// Takes what a search found and makes the scratch ready for another.
fn findings(scratch: &mut Scratch) -> Vec<Finding> {
    let found = scratch.search.settled.drain(..).filter_map(|s| match s {
        Settled::Found(f) | Settled::LongEnd(f) => Some(f),
        Settled::LongStart(_) => None,
    });
    let found = found.collect();
    scratch.search.clear();
    found
}

/// Applies the house's wishes to the rules.
fn wished(rules: &mut Vec<Rule>, options: &Options) -> Result<(), RulesError> {
    for id in &options.disabled {
        if !rules.iter().any(|r| *r.info.id == **id) {
            return Err(RulesError::Wish(format!("there is no rule {id} to disable").into()));
        }
    }
    for (of, threshold) in &options.thresholds {
        if class(of).is_none() && !rules.iter().any(|r| r.info.kind.as_str() == of) {
            let what = format!("there is no kind or class {of} to set a threshold for");
            return Err(RulesError::Wish(what.into()));
        }
        if !(0.0..=1.0).contains(threshold) {
            return Err(RulesError::Wish(format!("the threshold of {of} must be between 0 and 1").into()));
        }
    }
    let denied = options.deny.iter().map(|wish| denied(wish, rules)).collect::<Result<Vec<_>, _>>()?;
    rules.retain(|r| !options.disabled.contains(&*r.info.id));
    for rule in rules.iter_mut() {
        let of = |name: &str| options.thresholds.get(name);
        if let Some(threshold) = of(rule.info.kind.as_str()).or_else(|| of(rule.info.class.name())) {
            rule.threshold = *threshold;
        }
    }
    rules.extend(denied);
    Ok(())
}

/// The class with this name.
fn class(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.name() == name)
}

/// A rule for denied phrases.
fn denied(wish: &Denied, rules: &[Rule]) -> Result<Rule, RulesError> {
    let Some(like) = rules.iter().find(|r| r.info.kind.as_str() == wish.kind) else {
        return Err(RulesError::Wish(format!("there is no kind {} to deny values of", wish.kind).into()));
    };
    let info = RuleInfo { id: format!("denied-{}", wish.kind).into(), ..RuleInfo::clone(&like.info) };
    Ok(Rule::listed(Arc::new(info), Arc::clone(&wish.words)))
}

/// The rule with the list that it names.
fn listed(mut rule: Rule, file: &RuleSource<'_>, lists: &Lists) -> Result<Rule, RuleFault> {
    let Some(wish) = &rule.words_file else { return Ok(rule) };
    let fault = |what: &str| rule::fault(file.name, "words_file", format!("{}: {what}", wish.name));
    let words = lists.get(file.name).ok_or_else(|| fault("the list was not given"))?;
    let pattern = Pattern::of_words(Arc::clone(words), wish.score, wish.checked);
    let mut patterns = std::mem::take(&mut rule.patterns).into_vec();
    patterns.push(pattern);
    rule.patterns = patterns.into();
    Ok(rule)
}

/// The list of phrases that a rule file names, and whether case counts; nothing if it names none or cannot be read.
pub fn words_file(text: &str) -> Option<(String, bool)> {
    #[derive(serde::Deserialize)]
    struct Named {
        words_file: String,
        #[serde(default)]
        words_exact_case: bool,
    }
    toml::from_str::<Named>(text).ok().map(|named| (named.words_file, named.words_exact_case))
}

fn hash(files: &[RuleSource<'_>], options: &Options, (model, larger): (&[u8], Option<Vec<u8>>)) -> Arc<str> {
    let mut all = Context256::new(&SHA256);
    let mut add = |part: &[u8]| {
        all.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.update(part);
    };
    for file in files {
        add(file.name.as_bytes());
        add(file.text.as_bytes());
    }
    add(model);
    add(calibration::MEASURED.as_bytes());
    if let Some(larger) = larger {
        add(&larger);
    }
    if *options != Options::default() {
        // The derived form is complete and in a fixed order.
        add(format!("{options:?}").as_bytes());
    }
    let mut hex = String::with_capacity(16);
    for byte in all.finish().as_ref().iter().take(8) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}

/// Proof that every one of these texts was scanned by a named rule set. Made only by
/// [`Detector::inspect`] and [`Detector::inspect_each`].
#[derive(Debug)]
pub struct Inspected {
    texts: Vec<(Plain, Vec<Finding>)>,
    rules: Arc<str>,
    unread: Unreads,
}

/// How many texts a larger model should have read and did not. The findings of rules and tagger stand all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unreads {
    /// Because time ran out.
    pub late: usize,
    /// Because the model failed.
    pub failed: usize,
    /// How it failed first.
    pub cause: Option<Box<str>>,
}

impl Unreads {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.late == 0 && self.failed == 0
    }

    fn count(&mut self, why: Unread) {
        match why {
            Unread::Late => self.late += 1,
            Unread::Failed(cause) => {
                self.failed += 1;
                self.cause.get_or_insert(cause);
            }
        }
    }
}

impl Inspected {
    /// The texts in the order they were given, with what was found in each.
    pub fn texts(&self) -> impl Iterator<Item = (&Plain, &[Finding])> {
        self.texts.iter().map(|(text, found)| (text, found.as_slice()))
    }

    /// The hash of the rule set that looked.
    pub fn rules(&self) -> &Arc<str> {
        &self.rules
    }

    /// What a larger model should have read and did not.
    pub fn unread(&self) -> &Unreads {
        &self.unread
    }

    /// Takes it apart; the proof is gone.
    pub fn into_parts(self) -> Vec<(Plain, Vec<Finding>)> {
        self.texts
    }
}

/// What is wrong with one rule file; nothing if all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleReport {
    /// The file's name.
    pub file: Box<str>,
    /// The rule's id, where it could be read.
    pub id: Option<Box<str>>,
    /// How many examples and near misses were tried.
    pub tried: usize,
    /// Everything wrong with it.
    pub faults: Vec<RuleFault>,
    /// What it can cost; nothing if it could not be read.
    pub bound: Option<Bound>,
}

/// Looks at each rule file with the rigour of `chatward rules check`: form, names, patterns, lengths, examples, near
/// misses (each rule by itself), what it can cost, and last whether all compile together.
pub fn rules_check(files: &[RuleSource<'_>]) -> Vec<RuleReport> {
    rules_check_with(files, &Lists::new())
}

/// The same for rules that name lists of phrases.
pub fn rules_check_with(files: &[RuleSource<'_>], lists: &Lists) -> Vec<RuleReport> {
    let mut reports: Vec<RuleReport> = Vec::new();
    for file in files {
        let mut report =
            RuleReport { file: file.name.into(), id: None, tried: 0, faults: Vec::new(), bound: None };
        match rule::read(*file) {
            Err(faults) => report.faults = faults,
            Ok(read) => {
                if reports.iter().any(|r| r.id.as_deref() == Some(&*read.rule.info.id)) {
                    report.faults.push(rule::fault(file.name, "id", "another file has the same id"));
                }
                report.id = Some(read.rule.info.id.clone());
                report.tried = read.samples.len();
                report.faults.extend(tried(*file, &read.samples, lists));
                // A list that is missing was named already.
                if let Ok(rule) = listed(read.rule, file, lists) {
                    match Bound::with_texts(&rule) {
                        Ok(bound) => report.bound = Some(bound),
                        Err(what) => report.faults.push(rule::fault(file.name, "pattern", what)),
                    }
                }
            }
        }
        reports.push(report);
    }
    if reports.iter().all(|r| r.faults.is_empty())
        && let Err(e) = Detector::compile(files, &Options { words: lists.clone(), ..Options::default() })
        && let Some(last) = reports.last_mut()
    {
        last.faults.push(rule::fault("(all)", ".", e.to_string()));
    }
    reports
}

/// Runs one rule on its own examples and near misses.
fn tried(file: RuleSource<'_>, samples: &[Sample], lists: &Lists) -> Vec<RuleFault> {
    let options = Options { without_names: true, words: lists.clone(), ..Options::default() };
    let alone = match Detector::compile(&[file], &options) {
        Ok(detector) => detector,
        Err(e) => return vec![rule::fault(file.name, ".", e.to_string())],
    };
    let mut faults = Vec::new();
    for sample in samples {
        let context = Context { previous: sample.previous.as_deref(), lang: None };
        let found: Vec<Span> = alone.find(&sample.text, context).iter().map(|f| f.span).collect();
        let wanted: Vec<Span> = sample.spans.iter().map(|(start, end)| Span::new(*start, *end)).collect();
        if found == wanted {
            continue;
        }
        // The words of samples are the rule author's own; no customer wrote them.
        let show = |spans: &[Span]| {
            let words: Vec<_> =
                spans.iter().filter_map(|s| s.of(&sample.text)).map(|w| format!("{w:?}")).collect();
            if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
        };
        let why: Vec<String> = alone
            .explain(&sample.text, context)
            .iter()
            .filter(|e| e.outcome != Outcome::Reported)
            .map(|e| {
                let words = e.finding.span.of(&sample.text).unwrap_or_default();
                let score = e.finding.evidence.raw();
                format!("{words:?} {:?} (score {score:.2} of {:.2})", e.outcome, e.threshold)
            })
            .collect();
        let why = if why.is_empty() { String::new() } else { format!("; dropped: {}", why.join(", ")) };
        faults.push(rule::fault(
            file.name,
            sample.path.as_str(),
            format!("found {} instead of {}{why}", show(&found), show(&wanted)),
        ));
    }
    faults
}
