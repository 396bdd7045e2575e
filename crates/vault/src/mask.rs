//! Masking a request: every finding becomes what the handling rules say.
//!
//! The texts of a request are handled together, because clients send the whole history with every turn: first all findings
//! and all typed placeholders get their place in the table, then the values known by then are looked for in all texts
//! (a name recognised once is hidden everywhere), then each text is written anew in one pass. What stands beside a
//! replacement is not touched.

use aho_corasick::{AhoCorasick, MatchKind};
use chatward_detect::Inspected;
use chatward_message::{Class, Count, Finding, Kind, Operator, Plain, RuleInfo, Span};
use chatward_policy::Handling;
use memchr::memmem;
use zeroize::Zeroizing;

use crate::{Placeholders, operate};

/// From this many known values on, they are looked for with one automaton instead of one by one.
const MANY: usize = 24;
/// A value that is not put back (a password, a code) is hidden elsewhere only if it is at least this long: a card code's
/// three digits stand in many numbers.
const MIN_REPEATED: usize = 6;

/// Parts of an address are no further apart, in bytes.
const GAP: usize = 4;

/// Something the customer should be told: a secret, or what nothing allows to use (special categories), was removed before the
/// bot could see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What was removed.
    pub kind: Kind,
    /// Its class.
    pub class: Class,
}

/// A request in which every finding became what the handling rules say, every known value is hidden wherever it stands,
/// and every typed placeholder is escaped. Only [`Vault::mask`](crate::Vault::mask) makes it.
///
/// ```
/// fn goes_out(masked: &chatward_vault::Masked) -> &[String] {
///     masked.texts()
/// }
/// ```
///
/// Nobody else can, and nobody can change what it holds:
///
/// ```compile_fail,E0451
/// let forged =
///     chatward_vault::Masked { texts: Vec::new(), counts: Vec::new(), warnings: Vec::new(), replaced: 0 };
/// ```
///
/// ```compile_fail,E0616
/// fn alter(masked: &mut chatward_vault::Masked) {
///     masked.texts.clear();
/// }
/// ```
pub struct Masked {
    texts: Vec<String>,
    counts: Vec<Count>,
    warnings: Vec<Warning>,
    replaced: usize,
}

impl Masked {
    /// The texts, in the order in which they were inspected.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// What was found and done, each kind and operator once.
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// What the customer should be told, each kind once.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// How many places of the texts were replaced.
    pub fn replaced(&self) -> usize {
        self.replaced
    }
}

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { texts, counts: _, warnings: _, replaced } = self;
        write!(f, "Masked({} texts, {replaced} replaced)", texts.len())
    }
}

/// One place of a text and what comes there.
struct Edit {
    span: Span,
    what: What,
}

#[derive(Clone)]
enum What {
    /// The placeholder (or surrogate) of an entry.
    Entry(usize),
    /// These words.
    Words(String),
}

/// A value that is hidden wherever it stands.
struct Known {
    value: Zeroizing<String>,
    what: What,
}

pub(crate) fn mask(
    inspected: Inspected,
    handling: &Handling,
    table: &mut Placeholders,
    hash: &dyn Fn(&[u8]) -> [u8; 16],
) -> Masked {
    mask_parts(&inspected.into_parts(), handling, table, hash)
}

fn mask_parts(
    parts: &[(Plain, Vec<Finding>)],
    handling: &Handling,
    table: &mut Placeholders,
    hash: &dyn Fn(&[u8]) -> [u8; 16],
) -> Masked {
    let mut job = Job { table, hash, known: Vec::new(), counts: Vec::new(), warnings: Vec::new() };
    job.table.begin_request();
    job.surrogates(parts, handling);
    let mut edits: Vec<Vec<Edit>> = Vec::with_capacity(parts.len());
    for (number, (text, findings)) in parts.iter().enumerate() {
        let found = job.findings(text.expose(), findings, handling.of_text(number));
        edits.push(job.escape_typed(text.expose(), found));
    }
    job.repeats(parts, &mut edits);
    let texts = parts.iter().zip(&edits).map(|((text, _), edits)| rewrite(text.expose(), edits, job.table));
    let texts = texts.collect();
    let replaced = edits.iter().map(Vec::len).sum();
    Masked { texts, counts: job.counts, warnings: job.warnings, replaced }
}

struct Job<'a> {
    table: &'a mut Placeholders,
    hash: &'a dyn Fn(&[u8]) -> [u8; 16],
    known: Vec<Known>,
    counts: Vec<Count>,
    warnings: Vec<Warning>,
}

impl Job<'_> {
    /// Surrogates are chosen with all texts in view: none may be a text that stands there already.
    fn surrogates(&mut self, parts: &[(Plain, Vec<Finding>)], handling: &Handling) {
        for (number, (text, findings)) in parts.iter().enumerate() {
            for (finding, operator) in findings.iter().zip(handling.of_text(number)) {
                if let (Operator::Surrogate, Some(value)) = (operator, finding.span.of(text.expose())) {
                    let at = self.table.issue(&finding.rule, value);
                    let taken = |s: &str| {
                        parts.iter().any(|(t, _)| memmem::find(t.expose().as_bytes(), s.as_bytes()).is_some())
                    };
                    self.table.make_surrogate(at, taken);
                }
            }
        }
    }

    /// What becomes of the findings of one text, in order.
    fn findings(&mut self, text: &str, findings: &[Finding], operators: &[Operator]) -> Vec<Edit> {
        let mut edits: Vec<Edit> = Vec::with_capacity(findings.len());
        let mut end = 0;
        let mut at = 0;
        while let Some(finding) = findings.get(at) {
            let (first, parts) = (at, address(text, findings, operators, at));
            at += parts.len().max(1);
            // An address in parts is one value; its street names it.
            let named = parts.iter().find(|part| is_address(part)).unwrap_or(finding);
            // A finding that nobody decided on is removed.
            let of = |at: usize| operators.get(at).copied().unwrap_or(Operator::Drop);
            let operator = if parts.is_empty() { of(first) } else { Operator::Token };
            let last = parts.last().unwrap_or(finding);
            let span = Span::new(finding.span.start, last.span.end);
            let Some(value) = span.of(text).filter(|_| span.start >= end) else { continue };
            for part in findings.iter().skip(first).take(at - first) {
                self.count(&part.rule, operator);
            }
            if operator == Operator::Pass {
                continue;
            }
            end = span.end;
            let what = self.replacement(&named.rule, operator, value);
            if matches!(what, What::Entry(_)) || value.len() >= MIN_REPEATED {
                self.know(value, what.clone());
            }
            edits.push(Edit { span, what });
        }
        edits
    }

    fn replacement(&mut self, rule: &RuleInfo, operator: Operator, value: &str) -> What {
        match operator {
            Operator::Token | Operator::Surrogate => What::Entry(self.table.issue(rule, value)),
            Operator::Mask => What::Words(operate::masked(value, rule.last_four)),
            Operator::Generalise => What::Words(operate::generalised(&rule.kind, value)),
            Operator::Hash => {
                let canonical = operate::canonical(&rule.kind, rule.class, value);
                What::Words(operate::hashed(&rule.label, (self.hash)(canonical.as_bytes())))
            }
            // A message that is blocked goes nowhere; were it to, the value is not in it.
            Operator::Drop | Operator::Block | Operator::Pass => {
                if matches!(rule.class, Class::Secret | Class::Special) {
                    self.warn(rule);
                }
                What::Words(operate::note(&rule.kind))
            }
        }
    }

    /// A typed placeholder becomes a value of its own, so that it is restored as the words it was, never as a value. If
    /// something was found in it, the whole of it gives way.
    fn escape_typed(&mut self, text: &str, found: Vec<Edit>) -> Vec<Edit> {
        let forms = self.table.typed_forms(text);
        if forms.is_empty() {
            return found;
        }
        let mut all: Vec<(Span, Option<What>)> = found.into_iter().map(|e| (e.span, Some(e.what))).collect();
        all.extend(forms.into_iter().map(|form| (form, None)));
        all.sort_by_key(|(span, _)| *span);
        let mut edits: Vec<Edit> = Vec::with_capacity(all.len());
        let mut rest = all.into_iter().peekable();
        while let Some((first, what)) = rest.next() {
            // Everything that hangs together becomes one.
            let (mut span, mut members) = (first, vec![(first, what)]);
            while let Some((next, what)) = rest.next_if(|(next, _)| next.overlaps(span)) {
                span = Span::new(span.start, span.end.max(next.end));
                members.push((next, what));
            }
            let of_findings = || members.iter().filter_map(|(span, what)| Some((*span, what.as_ref()?)));
            let whole = of_findings().find(|(member, _)| *member == span);
            let gone = of_findings().find(|(_, what)| matches!(what, What::Words(_)));
            let what = match (whole.or(gone), span.of(text)) {
                (Some((_, what)), _) => what.clone(),
                (None, Some(literal)) => What::Entry(self.table.issue_text(literal)),
                (None, None) => continue,
            };
            edits.push(Edit { span, what });
        }
        edits
    }

    /// Hides known values wherever they stand on word boundaries.
    fn repeats(&mut self, parts: &[(Plain, Vec<Finding>)], edits: &mut [Vec<Edit>]) {
        let stored: Vec<_> = (self.table.iter())
            .filter(|(_, entry)| !entry.is_text())
            .map(|(at, entry)| (entry.spelling().to_owned(), at))
            .collect();
        for (spelling, at) in stored {
            self.know(&spelling, What::Entry(at));
        }
        let search = Occurrences::of(&self.known);
        let mut seen = Vec::new();
        let mut places: Vec<(Span, usize)> = Vec::new();
        for ((text, _), edits) in parts.iter().zip(edits) {
            let text = text.expose();
            places.clear();
            search.find(text, |at, span| {
                if stands_alone(text, span) {
                    places.push((span, at));
                }
            });
            if places.is_empty() {
                continue;
            }
            places.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
            let mut merged: Vec<Edit> = Vec::with_capacity(edits.len() + places.len());
            let mut found = std::mem::take(edits).into_iter().peekable();
            for (span, at) in places.drain(..) {
                while let Some(edit) = found.next_if(|e| e.span.start < span.end) {
                    merged.push(edit);
                }
                if merged.last().is_some_and(|e| e.span.overlaps(span)) {
                    continue;
                }
                let Some(known) = self.known.get(at) else { continue };
                if let What::Entry(entry) = known.what {
                    seen.push(entry);
                }
                merged.push(Edit { span, what: known.what.clone() });
            }
            merged.extend(found);
            *edits = merged;
        }
        seen.into_iter().for_each(|at| self.table.mark_seen(at));
    }

    fn know(&mut self, value: &str, what: What) {
        if is_distinct(value) && !self.known.iter().rev().take(64).any(|k| *k.value == value) {
            self.known.push(Known { value: Zeroizing::new(value.to_owned()), what });
        }
    }

    fn count(&mut self, rule: &RuleInfo, operator: Operator) {
        count(&mut self.counts, rule, operator);
    }

    fn warn(&mut self, rule: &RuleInfo) {
        let warning = Warning { kind: rule.kind.clone(), class: rule.class };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Looks for known values; made once for all texts of a request.
enum Occurrences<'a> {
    /// Few values are looked for one by one.
    Few(Vec<(memmem::Finder<'a>, usize)>),
    /// Many at once.
    Many(AhoCorasick),
}

impl<'a> Occurrences<'a> {
    fn of(known: &'a [Known]) -> Self {
        let values = known.iter().map(|k| k.value.as_bytes());
        if known.len() >= MANY
            && let Ok(automaton) =
                AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(values.clone())
        {
            return Self::Many(automaton);
        }
        Self::Few(values.map(|value| (memmem::Finder::new(value), value.len())).collect())
    }

    /// Calls back for every place where a known value stands, with the value's number.
    fn find(&self, text: &str, mut found: impl FnMut(usize, Span)) {
        match self {
            Self::Few(values) => {
                for (at, (value, length)) in values.iter().enumerate() {
                    for start in value.find_iter(text.as_bytes()) {
                        found(at, Span::new(start, start + length));
                    }
                }
            }
            Self::Many(automaton) => {
                for hit in automaton.find_iter(text) {
                    found(hit.pattern().as_usize(), Span::new(hit.start(), hit.end()));
                }
            }
        }
    }
}

fn is_address(finding: &Finding) -> bool {
    &*finding.rule.entity == "ADDRESS"
}

/// The findings from this one on that make up one address: parts that nothing but spaces and commas parts, at least
/// one of which becomes a placeholder. A town by itself passes; as the end of an address it goes with it.
fn address<'f>(text: &str, findings: &'f [Finding], operators: &[Operator], at: usize) -> &'f [Finding] {
    let belongs = |i: usize| {
        let operator = operators.get(i).copied();
        let is_place = |f: &&Finding| &*f.rule.entity == "LOCATION" && operator == Some(Operator::Pass);
        findings.get(i).filter(|f| is_address(f) && operator == Some(Operator::Token) || is_place(f))
    };
    let mut upto = at;
    while let Some(part) = belongs(upto) {
        let gap = upto.checked_sub(1).and_then(|before| findings.get(before)).filter(|_| upto > at);
        let apart = |before: &Finding| {
            let between = text.get(before.span.end..part.span.start);
            between
                .is_none_or(|gap| gap.len() > GAP || gap.contains(|c: char| !c.is_whitespace() && c != ','))
        };
        if gap.is_some_and(apart) {
            break;
        }
        upto += 1;
    }
    let parts = findings.get(at..upto).unwrap_or_default();
    // Places that follow the last part of an address and a lone part change nothing.
    if parts.len() > 1 && parts.iter().any(is_address) { parts } else { &[] }
}

/// Adds one to a list of counts.
pub(crate) fn count(counts: &mut Vec<Count>, rule: &RuleInfo, operator: Operator) {
    match counts.iter_mut().find(|c| c.operator == operator && c.kind == rule.kind) {
        Some(count) => count.n = count.n.saturating_add(1),
        None => counts.push(Count { kind: rule.kind.clone(), class: rule.class, operator, n: 1 }),
    }
}

/// Whether a value can be told from an everyday word: `will` may be somebody's name, but not every `will` is.
fn is_distinct(value: &str) -> bool {
    value.len() >= 2 && (value.len() >= 6 || value.chars().any(|c| !c.is_lowercase()))
}

fn stands_alone(text: &str, span: Span) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let Some(value) = span.of(text) else { return false };
    let before = text.get(..span.start).and_then(|t| t.chars().next_back());
    let after = text.get(span.end..).and_then(|t| t.chars().next());
    let joined_before = word(value.chars().next()) && word(before);
    let joined_after = word(value.chars().next_back()) && word(after);
    !joined_before && !joined_after
}

fn rewrite(text: &str, edits: &[Edit], table: &Placeholders) -> String {
    let mut out = String::with_capacity(text.len() + edits.len() * 8);
    let mut at = 0;
    for Edit { span, what } in edits {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        match what {
            What::Entry(entry) => {
                if let Some(entry) = table.get(*entry) {
                    entry.write(&mut out);
                }
            }
            What::Words(words) => out.push_str(words),
        }
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests;
