//! Context words: all rules' words in one Aho-Corasick automaton, asked only near candidates.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::RulesError;
use crate::normal::{self, is_word};
use crate::rule::{MAX_WORD, Rule};

/// How far before a candidate words count, in normalised bytes.
pub(crate) const LEFT: usize = 96;
/// How far after it, in bytes of original text.
pub(crate) const RIGHT: usize = 32;
/// How much of the previous turn counts, from its end, in normalised bytes.
const PREVIOUS: usize = 512;

/// The words of all rules.
#[derive(Debug)]
pub(crate) struct Words {
    all: Option<AhoCorasick>,
    rules: Box<[RuleWords]>,
}

/// The numbers of one rule's words, sorted.
#[derive(Debug)]
struct RuleWords {
    words: Box<[u32]>,
    against: Box<[u32]>,
    /// Those of a question that the rule's value answers.
    asked: Box<[u32]>,
}

/// What words near a candidate say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Voices {
    pub r#for: bool,
    pub against: bool,
}

impl Voices {
    pub(crate) const fn or(self, other: Self) -> Self {
        Self { r#for: self.r#for || other.r#for, against: self.against || other.against }
    }
}

/// A word that stands in the text.
#[derive(Debug, Clone, Copy)]
struct Hit {
    start: usize,
    end: usize,
    word: u32,
}

/// Words found so far in one text, so that each stretch is searched once.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    list: Vec<Hit>,
    from: usize,
    to: usize,
}

impl Hits {
    /// Forgets the text.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        (self.from, self.to) = (0, 0);
    }

    /// The first `by` bytes of the text were dropped.
    pub(crate) fn shift(&mut self, by: usize) {
        self.list.retain_mut(|hit| {
            let stays = hit.start >= by;
            hit.start = hit.start.saturating_sub(by);
            hit.end = hit.end.saturating_sub(by);
            stays
        });
        self.from = self.from.saturating_sub(by);
        self.to = self.to.saturating_sub(by);
    }
}

/// Whether a word does not go on at either end.
fn stands_free(text: &[u8], start: usize, end: usize) -> bool {
    let word = |at: Option<usize>| at.and_then(|i| text.get(i)).copied().is_some_and(is_word);
    let goes_on_before = word(start.checked_sub(1)) && word(Some(start));
    let goes_on_after = word(end.checked_sub(1)) && word(Some(end));
    !goes_on_before && !goes_on_after
}

/// What counts of the previous turn, as matching sees it.
pub(crate) fn previous_seen(previous: &str) -> Vec<u8> {
    let mut text: Vec<u8> = previous.chars().rev().filter_map(normal::fold).take(PREVIOUS).collect();
    text.reverse();
    text
}

/// Whether a word stands in this stretch, by the same measure as [`Words::ask`]; slow, for those who want to know which.
pub(crate) fn stands(word: &[u8], text: &[u8], (from, to): (usize, usize), closed: bool) -> bool {
    let last = to.min(text.len()).saturating_sub(word.len());
    (from..=last).any(|start| {
        let end = start + word.len();
        end <= to
            && (closed || end < to)
            && text.get(start..end).is_some_and(|w| w.eq_ignore_ascii_case(word))
            && stands_free(text, start, end)
    })
}

/// The words of the question that a rule's value answers.
fn asked(rule: &Rule) -> &[Box<[u8]>] {
    rule.answer.as_ref().map_or(&[][..], |a| &a.asked)
}

impl Words {
    /// The words of these rules, in their order.
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, RulesError> {
        let mut list: Vec<&[u8]> = rules
            .iter()
            .flat_map(|r| r.words.iter().chain(&r.against).chain(asked(r)))
            .map(|w| &**w)
            .collect();
        list.sort_unstable();
        list.dedup();
        let number = |words: &[Box<[u8]>]| -> Box<[u32]> {
            let mut numbers: Vec<u32> = words
                .iter()
                .filter_map(|w| list.binary_search(&&**w).ok())
                .filter_map(|i| u32::try_from(i).ok())
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers.into()
        };
        let rules = rules
            .iter()
            .map(|r| RuleWords {
                words: number(&r.words),
                against: number(&r.against),
                asked: number(asked(r)),
            })
            .collect();
        let all = (!list.is_empty())
            .then(|| {
                AhoCorasick::builder()
                    .ascii_case_insensitive(true)
                    .match_kind(MatchKind::Standard)
                    .kind(Some(AhoCorasickKind::ContiguousNFA))
                    .build(&list)
            })
            .transpose()
            .map_err(|e| RulesError::Together(e.to_string().into()))?;
        Ok(Self { all, rules })
    }

    /// What the rule's words say that lie wholly in `from..to` of the text.
    /// A word that ends at `to` counts only if the text is known to end there (`closed`) or the byte after it may be seen.
    pub(crate) fn ask(
        &self,
        rule: usize,
        hits: &mut Hits,
        text: &[u8],
        (from, to): (usize, usize),
        closed: bool,
    ) -> Voices {
        let mut voices = Voices::default();
        let Some(words) = self.rules.get(rule) else { return voices };
        if words.words.is_empty() && words.against.is_empty() {
            return voices;
        }
        self.search(hits, text, from, to);
        let first = hits.list.partition_point(|h| h.end <= from);
        for hit in hits.list.get(first..).unwrap_or_default() {
            if hit.end > to {
                break;
            }
            if hit.start >= from && (closed || hit.end < to) && stands_free(text, hit.start, hit.end) {
                voices.r#for |= words.words.binary_search(&hit.word).is_ok();
                voices.against |= words.against.binary_search(&hit.word).is_ok();
            }
        }
        voices
    }

    fn search(&self, hits: &mut Hits, text: &[u8], from: usize, to: usize) {
        let Some(all) = &self.all else { return };
        if from < hits.from || from > hits.to {
            hits.list.clear();
            (hits.from, hits.to) = (from, from);
        }
        if to <= hits.to {
            return;
        }
        let begin = hits.to.saturating_sub(MAX_WORD).max(hits.from);
        let Some(stretch) = text.get(begin..to) else { return };
        for m in all.find_overlapping_iter(stretch) {
            let (start, end) = (begin + m.start(), begin + m.end());
            if end > hits.to {
                hits.list.push(Hit { start, end, word: m.pattern().as_u32() });
            }
        }
        hits.to = to;
    }

    /// The numbers of the words that stand in the previous turn, sorted.
    pub(crate) fn in_previous(&self, previous: &str) -> Vec<u32> {
        let Some(all) = &self.all else { return Vec::new() };
        let text = previous_seen(previous);
        let mut numbers: Vec<u32> = all
            .find_overlapping_iter(&text)
            .filter(|m| stands_free(&text, m.start(), m.end()))
            .map(|m| m.pattern().as_u32())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// What the words of the previous turn say to a rule.
    pub(crate) fn ask_previous(&self, rule: usize, previous: &[u32]) -> Voices {
        let Some(words) = self.rules.get(rule) else { return Voices::default() };
        let any = |of: &[u32]| previous.iter().any(|w| of.binary_search(w).is_ok());
        Voices { r#for: any(&words.words), against: any(&words.against) }
    }

    /// Whether the words of the previous turn ask for what the rule finds.
    pub(crate) fn asks(&self, rule: usize, previous: &[u32]) -> bool {
        self.rules.get(rule).is_some_and(|of| previous.iter().any(|w| of.asked.binary_search(w).is_ok()))
    }

    /// Whether the rule has words of any sort, and words against.
    pub(crate) fn has(&self, rule: usize) -> Voices {
        self.rules.get(rule).map_or_else(Voices::default, |w| Voices {
            r#for: !w.words.is_empty(),
            against: !w.against.is_empty(),
        })
    }

    /// Bytes it takes.
    pub(crate) fn memory(&self) -> usize {
        self.all.as_ref().map_or(0, AhoCorasick::memory_usage)
    }
}
