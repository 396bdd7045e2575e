//! One conversation's placeholders.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use chatward_detect::Detector;
use chatward_message::{Class, Classes, Destination, Kind, Operator, RuleInfo, Span};
use chatward_policy::HandlingTable;
use zeroize::Zeroizing;

use crate::form::{Form, Seen, bare, bracketed};
use crate::operate;
use crate::vault::Revision;

/// The label under which a typed placeholder is kept.
pub(crate) const TEXT: &str = "TEXT";
/// How many values of a conversation get surrogates.
const MAX_SURROGATES: usize = 256;
/// First byte of a stored entry.
const ENTRY_V1: u8 = 1;
/// First byte of one whose value was corrected: the one before stands beside it.
const ENTRY_CORRECTED: u8 = 2;
/// First byte of one whose value went.
const ENTRY_GONE: u8 = 0;
/// First byte of entries stored together.
const ENTRIES_V1: u8 = 1;
/// Length of an entry's lasting token. It is nowhere used yet; with its label's word before it, it can stand for the value
/// outside of its conversation.
const TOKEN: usize = 16;

/// The words placeholders may carry: those of the rules, and `TEXT`. What a customer types in the form of a placeholder
/// with one of these words is escaped.
#[derive(Debug, Clone)]
pub struct Labels {
    words: HashSet<Box<str>>,
}

impl Labels {
    /// The labels of a rule set. Make it once per rule set.
    pub fn of(detector: &Detector) -> Self {
        detector.rules().iter().map(|rule| &*rule.label).collect()
    }

    /// The known word that a form's label means: the word itself, or its singular.
    fn known<'a>(&self, word: &'a str) -> Option<&'a str> {
        singulars(word).find(|w| self.words.contains(*w))
    }
}

impl<'a> FromIterator<&'a str> for Labels {
    fn from_iter<I: IntoIterator<Item = &'a str>>(words: I) -> Self {
        Self { words: words.into_iter().chain([TEXT]).map(Box::from).collect() }
    }
}

/// The word and what it may be the plural of.
fn singulars(word: &str) -> impl Iterator<Item = &str> {
    [Some(word), word.strip_suffix('S'), word.strip_suffix("ES")].into_iter().flatten()
}

/// Which values an answer may get back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of this conversation.
    Conversation,
    /// Only those that stand in this request's own messages (conversation recognised only by its history).
    ThisRequest,
}

/// One conversation's table: value ↔ placeholder. The same value (canonically: digits of a number, lower case of a name)
/// always has the same placeholder; what is restored is the way in which the value was last written.
pub struct Placeholders {
    labels: Arc<Labels>,
    entries: Vec<Entry>,
    by_value: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    last_n: HashMap<Arc<str>, u32>,
}

/// One value and its placeholder.
#[derive(Clone)]
pub(crate) struct Entry {
    label: Arc<str>,
    n: u32,
    kind: Kind,
    class: Class,
    last_four: Option<Box<str>>,
    surrogate: Option<Box<str>>,
    canonical: Zeroizing<String>,
    spelling: Zeroizing<String>,
    /// The value before it was corrected.
    before: Option<Zeroizing<String>>,
    /// The value was kept long enough: the placeholder stands for nothing any more.
    gone: bool,
    /// Stands in the request at hand.
    seen: bool,
    /// Not in the store yet.
    new: bool,
}

impl Placeholders {
    /// An empty table.
    pub fn new(labels: Arc<Labels>) -> Self {
        Self {
            labels,
            entries: Vec::new(),
            by_value: HashMap::new(),
            hasher: RandomState::new(),
            last_n: HashMap::new(),
        }
    }

    /// How many values have a placeholder.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no value has a placeholder.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the placeholders stand for, without the values: label, class and kind of each, in order of their making.
    pub fn listed(&self) -> impl Iterator<Item = (String, Class, &Kind)> {
        let there = self.entries.iter().filter(|entry| !entry.gone);
        there.map(|entry| (format!("{}_{}", entry.label, entry.n), entry.class, &entry.kind))
    }

    /// The same with the place of each: how many placeholders were made before it.
    pub fn placed(&self) -> impl Iterator<Item = (usize, String, Class, &Kind)> {
        let there = self.entries.iter().enumerate().filter(|(_, entry)| !entry.gone);
        there.map(|(place, entry)| (place, format!("{}_{}", entry.label, entry.n), entry.class, &entry.kind))
    }

    /// The value behind one label (`CARD_1`), as it was last written. Whoever calls this gives personal data out: it is for
    /// those who hold a decision that allows it.
    pub fn value(&self, label: &str) -> Option<Zeroizing<String>> {
        let (word, n) = label.rsplit_once('_')?;
        let n: u32 = n.parse().ok()?;
        self.entries
            .iter()
            .find(|entry| &*entry.label == word && entry.n == n && !entry.gone)
            .map(|entry| entry.spelling.clone())
    }

    /// A fixed view of the table for restoring an answer; `allow` says which kinds this reader may see.
    pub fn restorer(&self, scope: Scope, allow: impl Fn(&Kind) -> bool) -> Arc<Restorer> {
        let mut words: HashSet<Arc<str>> = HashSet::new();
        let mut values = HashMap::new();
        let mut surrogates: Vec<(Box<str>, usize)> = Vec::new();
        let mut shown = Vec::new();
        for entry in &self.entries {
            words.insert(Arc::clone(&entry.label));
            if entry.gone || (scope == Scope::ThisRequest && !entry.seen) || !allow(&entry.kind) {
                continue;
            }
            let at = shown.len();
            if let Some(surrogate) = &entry.surrogate {
                surrogates.push((surrogate.clone(), at));
            }
            values.insert((Arc::clone(&entry.label), entry.n), at);
            shown.push(Shown { value: entry.spelling.clone(), last_four: entry.last_four.clone() });
        }
        // Longest first, so that a name wins over its beginning.
        surrogates.sort_by_key(|(s, _)| std::cmp::Reverse(s.len()));
        let mut starts = [false; 256];
        let firsts = words.iter().map(|w| &**w).chain(surrogates.iter().map(|(s, _)| &**s));
        for first in firsts.filter_map(|w| w.bytes().next()).chain([b'[']) {
            if let Some(start) = starts.get_mut(usize::from(first)) {
                *start = true;
            }
        }
        let labels = Arc::clone(&self.labels);
        Arc::new(Restorer { labels, words: words.into_iter().collect(), values, surrogates, shown, starts })
    }

    /// A new request: nothing of the table has been seen in it yet.
    pub(crate) fn begin_request(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.seen = false);
    }

    /// The placeholder of a value that was found, issued now if it has none.
    pub(crate) fn issue(&mut self, rule: &RuleInfo, value: &str) -> usize {
        let canonical = operate::canonical(&rule.kind, rule.class, value);
        let last_four = rule.last_four.then(|| operate::last_four(value)).flatten();
        self.put(&rule.label, &rule.kind, rule.class, last_four, canonical, value)
    }

    /// The placeholder of a literal text that looks like a placeholder.
    pub(crate) fn issue_text(&mut self, text: &str) -> usize {
        let literal = Zeroizing::new(text.to_owned());
        self.put(TEXT, &Kind::new("typed_placeholder"), Class::Interaction, None, literal, text)
    }

    fn put(
        &mut self,
        label: &str,
        kind: &Kind,
        class: Class,
        last_four: Option<Box<str>>,
        canonical: Zeroizing<String>,
        value: &str,
    ) -> usize {
        let hash = self.hasher.hash_one((label, canonical.as_str()));
        if let Some(at) = self.position(hash, label, &canonical) {
            if let Some(entry) = self.entries.get_mut(at) {
                // What was corrected stays so, however often the old value is sent along with the history.
                if entry.before.is_none() {
                    entry.spelling = Zeroizing::new(value.to_owned());
                }
                entry.seen = true;
            }
            return at;
        }
        let label: Arc<str> = match self.last_n.get_key_value(label) {
            Some((word, _)) => Arc::clone(word),
            None => Arc::from(label),
        };
        let n = self.last_n.entry(Arc::clone(&label)).or_default();
        *n += 1;
        let entry = Entry {
            label,
            n: *n,
            kind: kind.clone(),
            class,
            last_four,
            surrogate: None,
            canonical,
            spelling: Zeroizing::new(value.to_owned()),
            before: None,
            gone: false,
            seen: true,
            new: true,
        };
        self.push(hash, entry)
    }

    fn position(&self, hash: u64, label: &str, canonical: &str) -> Option<usize> {
        let same = |at: &&usize| {
            self.entries.get(**at).is_some_and(|e| &*e.label == label && *e.canonical == canonical)
        };
        self.by_value.get(&hash)?.iter().find(same).copied()
    }

    fn push(&mut self, hash: u64, entry: Entry) -> usize {
        let at = self.entries.len();
        if !entry.gone {
            self.by_value.entry(hash).or_default().push(at);
        }
        self.entries.push(entry);
        at
    }

    /// Gives an entry a surrogate, unless it is stored without one, or has one. `taken` says which texts may not be used.
    /// A conversation with very many values gets placeholders for the later ones: looking for free surrogates is slow.
    pub(crate) fn make_surrogate(&mut self, at: usize, taken: impl Fn(&str) -> bool) {
        let Some(entry) = self.entries.get(at).filter(|e| e.new && e.surrogate.is_none()) else { return };
        if at >= MAX_SURROGATES {
            return;
        }
        let fresh =
            operate::surrogates(&entry.kind, &entry.label, entry.n, &entry.spelling).find(|candidate| {
                let used = self.entries.iter().any(|e| e.surrogate.as_deref() == Some(candidate.as_str()));
                !used && !taken(candidate)
            });
        if let (Some(fresh), Some(entry)) = (fresh, self.entries.get_mut(at)) {
            entry.surrogate = Some(fresh.into());
        }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate()
    }

    pub(crate) fn mark_seen(&mut self, at: usize) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.seen = true;
        }
    }

    /// The forms in a text which could be taken for placeholders, in order.
    pub(crate) fn typed_forms(&self, text: &str) -> Vec<Span> {
        let mut forms = Vec::new();
        let known = |word: &str| {
            self.labels.known(word).is_some() || singulars(word).any(|w| self.last_n.contains_key(w))
        };
        let mut at = 0;
        let bytes = text.as_bytes();
        while let Some(byte) = bytes.get(at) {
            let found = match byte {
                b'[' => text.get(at..).map(|rest| bracketed(rest, true)),
                b'A'..=b'Z' if boundary_before(text, at) => {
                    text.get(at..).map(|rest| bare(rest, true, |_| true))
                }
                _ => None,
            };
            match found {
                // Written exactly as we write: escaped whatever the word, in case it becomes a label one day.
                Some(Seen::Form(form)) if known(&form.label) || is_exact(text, at, &form) => {
                    forms.push(Span::new(at, at + form.len));
                    at += form.len;
                }
                _ => at += 1,
            }
        }
        forms
    }

    /// Everything counts as stored from now on.
    pub(crate) fn all_stored(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.new = false);
    }

    /// The new entries in their stored form: a version, then for each its label's word and number, its kind, its token and
    /// its own form, all with their lengths.
    ///
    /// What `handling` keeps less of is stored as that; beside the form stand the classes of the values in it.
    pub(crate) fn encode_new(
        &self,
        tokens: &[[u8; TOKEN]],
        handling: &HandlingTable,
    ) -> (Zeroizing<Vec<u8>>, Classes) {
        let new = || self.entries.iter().filter(|entry| entry.new).map(|entry| entry.kept(handling));
        let length = new().map(|entry| entry.stored_length()).sum::<usize>();
        // Never grown: a copy left behind would not be wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(1 + length));
        bytes.push(ENTRIES_V1);
        new().zip(tokens).for_each(|(entry, token)| entry.store(token, &mut bytes));
        (bytes, new().filter(|entry| !entry.gone).map(|entry| entry.class).collect())
    }

    /// Takes entries in that were stored together; whether they were such.
    pub(crate) fn load_all(&mut self, bytes: &[u8]) -> bool {
        let Some((&ENTRIES_V1, mut rest)) = bytes.split_first() else { return false };
        while !rest.is_empty() {
            let Some((entry, _)) = take_stored(&mut rest) else { return false };
            self.take_in(entry);
        }
        true
    }

    /// The stored form of entries with a change, and the classes of the values that are left; `Some(None)` if it changes
    /// nothing, `None` if they are no such form.
    pub(crate) fn revise(
        bytes: &[u8],
        change: &Revision<'_>,
    ) -> Option<Option<(Zeroizing<Vec<u8>>, Classes)>> {
        let Some((&ENTRIES_V1, mut rest)) = bytes.split_first() else { return None };
        let (mut all, mut changed) = (Vec::new(), false);
        while !rest.is_empty() {
            let (mut entry, token) = take_stored(&mut rest)?;
            changed |= entry.revise(change);
            all.push((entry, token));
        }
        if !changed {
            return Some(None);
        }
        let length = all.iter().map(|(entry, _)| entry.stored_length()).sum::<usize>();
        let mut fresh = Zeroizing::new(Vec::with_capacity(1 + length));
        fresh.push(ENTRIES_V1);
        all.iter().for_each(|(entry, token)| entry.store(token, &mut fresh));
        let left = all.iter().filter(|(entry, _)| !entry.gone).map(|(entry, _)| entry.class).collect();
        Some(Some((fresh, left)))
    }

    /// Takes in an entry that was stored alone; whether it was one.
    pub(crate) fn load(&mut self, label: &str, kind: &Kind, bytes: &[u8]) -> bool {
        let entry =
            label.rsplit_once('_').and_then(|(word, n)| Entry::decode(word, n.parse().ok()?, kind, bytes));
        entry.map(|entry| self.take_in(entry)).is_some()
    }

    fn take_in(&mut self, mut entry: Entry) {
        if let Some((word, _)) = self.last_n.get_key_value(&entry.label) {
            entry.label = Arc::clone(word);
        }
        let last = self.last_n.entry(Arc::clone(&entry.label)).or_default();
        *last = (*last).max(entry.n);
        let hash = self.hasher.hash_one((&*entry.label, entry.canonical.as_str()));
        self.push(hash, entry);
    }
}

/// The next of entries that were stored together, with its token.
fn take_stored(rest: &mut &[u8]) -> Option<(Entry, [u8; TOKEN])> {
    let label = str::from_utf8(take_part(rest)?).ok()?;
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    let kind = Kind::new(str::from_utf8(take_part(rest)?).ok()?);
    let (token, after) = rest.split_first_chunk::<TOKEN>()?;
    *rest = after;
    Some((Entry::decode(label, u32::from_be_bytes(*number), &kind, take_part(rest)?)?, *token))
}

/// A part of a stored form, with its length before it.
fn put_part(bytes: &mut Vec<u8>, part: &[u8]) {
    put_length(bytes, part.len());
    bytes.extend_from_slice(part);
}

fn put_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn take_part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (part, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(part)
}

fn is_exact(text: &str, at: usize, form: &Form) -> bool {
    let ours = format!("[{}_{}", form.label, form.n);
    text.get(at..).is_some_and(|rest| rest.starts_with(&ours))
}

/// Whether no word character stands before this place.
pub(crate) fn boundary_before(text: &str, at: usize) -> bool {
    let before = text.get(..at).and_then(|t| t.chars().next_back());
    before.is_none_or(|c| !(c.is_alphanumeric() || c == '_'))
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { labels: _, entries, by_value: _, hasher: _, last_n: _ } = self;
        write!(f, "Placeholders({} entries)", entries.len())
    }
}

impl Entry {
    #[cfg(test)]
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn spelling(&self) -> &str {
        &self.spelling
    }

    /// What is kept of it.
    fn kept(&self, handling: &HandlingTable) -> Cow<'_, Self> {
        let coarser = match handling.operator(&self.kind, self.class, Destination::Kept) {
            Operator::Pass | Operator::Token | Operator::Surrogate => return Cow::Borrowed(self),
            Operator::Drop | Operator::Block => {
                let mut nothing = self.clone();
                nothing.forget();
                return Cow::Owned(nothing);
            }
            Operator::Generalise => operate::generalised(&self.kind, &self.spelling),
            Operator::Mask | Operator::Hash => operate::masked(&self.spelling, self.last_four.is_some()),
        };
        let coarser = Zeroizing::new(coarser);
        Cow::Owned(Self { canonical: coarser.clone(), spelling: coarser, ..self.clone() })
    }

    fn forget(&mut self) {
        self.gone = true;
        (self.last_four, self.surrogate, self.before) = (None, None, None);
        (self.canonical, self.spelling) = (Zeroizing::default(), Zeroizing::default());
    }

    /// Whether this changed it.
    fn revise(&mut self, change: &Revision<'_>) -> bool {
        match change {
            Revision::Forget(classes) if classes.contains(self.class) && !self.gone => {
                self.forget();
                true
            }
            Revision::Correct { label, value } => {
                let meant = label.rsplit_once('_').is_some_and(|(word, n)| {
                    word == &*self.label
                        && n.parse() == Ok(self.n)
                        && !self.gone
                        && *value != &**self.spelling
                });
                if meant {
                    let wrong = std::mem::replace(&mut self.spelling, Zeroizing::new((*value).to_owned()));
                    self.before = Some(wrong);
                }
                meant
            }
            Revision::Forget(_) => false,
        }
    }

    /// Whether the store does not have it yet.
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    pub(crate) fn is_text(&self) -> bool {
        &*self.label == TEXT
    }

    /// Writes what the bot sees in place of the value.
    pub(crate) fn write(&self, to: &mut String) {
        use std::fmt::Write;
        let written = match (&self.surrogate, &self.last_four) {
            (Some(surrogate), _) => write!(to, "{surrogate}"),
            (None, Some(last)) => write!(to, "[{}_{} ending {last}]", self.label, self.n),
            (None, None) => write!(to, "[{}_{}]", self.label, self.n),
        };
        debug_assert!(written.is_ok(), "a String takes everything");
    }

    /// The stored form: version, class, then last four, surrogate and canonical value with their lengths, then the value.
    fn encode(&self, bytes: &mut Vec<u8>) {
        let class = Class::ALL.iter().position(|c| *c == self.class).and_then(|i| u8::try_from(i).ok());
        let form = match (self.gone, &self.before) {
            (true, _) => ENTRY_GONE,
            (false, Some(_)) => ENTRY_CORRECTED,
            (false, None) => ENTRY_V1,
        };
        bytes.extend_from_slice(&[form, class.unwrap_or(u8::MAX)]);
        if self.gone {
            return;
        }
        for part in self.parts() {
            put_part(bytes, part.as_bytes());
        }
        if let Some(before) = &self.before {
            put_part(bytes, before.as_bytes());
        }
        bytes.extend_from_slice(self.spelling.as_bytes());
    }

    /// Its label's word and number, its kind, its token and its own form, each with its length.
    fn store(&self, token: &[u8; TOKEN], bytes: &mut Vec<u8>) {
        put_part(bytes, self.label.as_bytes());
        bytes.extend_from_slice(&self.n.to_be_bytes());
        put_part(bytes, self.kind.as_str().as_bytes());
        bytes.extend_from_slice(token);
        put_length(bytes, self.length());
        self.encode(bytes);
    }

    fn stored_length(&self) -> usize {
        16 + TOKEN + self.label.len() + self.kind.as_str().len() + self.length()
    }

    /// How long the stored form is.
    fn length(&self) -> usize {
        if self.gone {
            return 2;
        }
        let before = self.before.as_ref().map_or(0, |before| 4 + before.len());
        2 + self.parts().iter().map(|p| p.len() + 4).sum::<usize>() + before + self.spelling.len()
    }

    fn parts(&self) -> [&str; 3] {
        [
            self.last_four.as_deref().unwrap_or_default(),
            self.surrogate.as_deref().unwrap_or_default(),
            self.canonical.as_str(),
        ]
    }

    fn decode(word: &str, n: u32, kind: &Kind, bytes: &[u8]) -> Option<Self> {
        let (&[form, class], mut rest) = bytes.split_first_chunk::<2>()?;
        let mut part = || str::from_utf8(take_part(&mut rest)?).ok();
        let (last_four, surrogate, canonical, before) = match form {
            ENTRY_V1 => (part()?, part()?, part()?, None),
            ENTRY_CORRECTED => (part()?, part()?, part()?, Some(Zeroizing::new(part()?.to_owned()))),
            ENTRY_GONE if bytes.len() == 2 => ("", "", "", None),
            _ => return None,
        };
        let present = |text: &str| (!text.is_empty()).then(|| Box::from(text));
        Some(Self {
            label: Arc::from(word),
            n: Some(n).filter(|n| *n > 0)?,
            kind: kind.clone(),
            class: *Class::ALL.get(usize::from(class))?,
            last_four: present(last_four),
            surrogate: present(surrogate),
            canonical: Zeroizing::new(canonical.to_owned()),
            spelling: Zeroizing::new(str::from_utf8(rest).ok()?.to_owned()),
            before,
            gone: form == ENTRY_GONE,
            seen: false,
            new: false,
        })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({}_{})", self.label, self.n)
    }
}

/// What may be put back into an answer. Cheap to share by the channels of an answer.
pub struct Restorer {
    labels: Arc<Labels>,
    /// Labels issued in this conversation.
    words: Vec<Arc<str>>,
    values: HashMap<(Arc<str>, u32), usize>,
    surrogates: Vec<(Box<str>, usize)>,
    shown: Vec<Shown>,
    /// Bytes with which something of interest may begin.
    starts: [bool; 256],
}

struct Shown {
    value: Zeroizing<String>,
    last_four: Option<Box<str>>,
}

/// What a form means in an answer.
pub(crate) enum Meaning {
    /// The value with this number, and an `s` if `plural`.
    Value { at: usize, plural: bool },
    /// Looks like ours, but was not issued here, or may not be seen.
    Missed,
    /// Just text.
    Text,
}

impl Restorer {
    /// The value with this number.
    pub(crate) fn value(&self, at: usize) -> &str {
        self.shown.get(at).map_or("", |s| s.value.as_str())
    }

    pub(crate) fn may_start(&self, byte: u8) -> bool {
        self.starts.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// Whether a text begins a label that was issued here.
    pub(crate) fn begins_word(&self, text: &str) -> bool {
        self.words.iter().any(|w| w.starts_with(text))
    }

    pub(crate) fn surrogates(&self) -> &[(Box<str>, usize)] {
        &self.surrogates
    }

    pub(crate) fn meaning(&self, form: &Form) -> Meaning {
        let issued = singulars(&form.label).find_map(|word| self.words.iter().find(|w| &***w == word));
        let Some(word) = issued else {
            return if self.labels.known(&form.label).is_some() { Meaning::Missed } else { Meaning::Text };
        };
        let Some(&at) = self.values.get(&(Arc::clone(word), form.n)) else { return Meaning::Missed };
        // An ending that is not the value's own: the model means something else.
        let last_four = self.shown.get(at).and_then(|s| s.last_four.as_deref());
        match &form.ending {
            Some(ending) if Some(ending.as_str()) != last_four => Meaning::Missed,
            _ => Meaning::Value { at, plural: form.plural },
        }
    }
}

impl fmt::Debug for Restorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Restorer({} values)", self.shown.len())
    }
}
