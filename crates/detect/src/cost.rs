//! What a rule can cost at most, and texts that make it cost much.
//!
//! No rule can make matching grow faster than the text: patterns are bounded and run by a finite automaton, so that from
//! each byte at most the longest match and one byte more are read, and only so many ends of a match are tried with the
//! checks. A rule whose bound is far above what detection needs is refused before it is used.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::phrases::Phrases;
use crate::rule::Rule;

/// So many ends of one pattern are tried from one start.
pub(crate) const ENDS: usize = 32;
/// A rule's automaton may have so many states: what a byte costs at worst when they do not fit into memory.
const MOST_STATES: usize = 20_000;
/// Bytes that the checks of a rule may read from one start.
const MOST_CHECKED: usize = 60_000;

/// What a rule can cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Bytes read from one start at most: so many steps a byte of text.
    pub steps: usize,
    /// States of the automaton of its patterns, about.
    pub states: usize,
    /// Bytes that its checks read from one start at most.
    pub checked: usize,
    /// Short texts that, repeated, make it work hard.
    pub hostile: Vec<String>,
}

/// The size of a pattern.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    longest: usize,
    shortest: usize,
    states: usize,
}

impl Size {
    /// Of a pattern with this tree.
    pub(crate) fn of(tree: &Hir) -> Self {
        let lengths = tree.properties();
        Self {
            longest: lengths.maximum_len().unwrap_or_default(),
            shortest: lengths.minimum_len().unwrap_or_default(),
            states: states(tree),
        }
    }

    /// Of a list of phrases: it is read like a pattern, but its states are the list itself.
    pub(crate) fn of_list(phrases: &Phrases) -> Self {
        Self { longest: phrases.longest(), shortest: 1, states: 0 }
    }
}

impl Bound {
    /// The bound of a rule, or why it is refused.
    pub(crate) fn of(rule: &Rule) -> Result<Self, String> {
        let mut bound = Self { steps: 0, states: 0, checked: 0, hostile: Vec::new() };
        for Size { longest, shortest, states } in rule.patterns.iter().map(|p| p.size) {
            bound.states = bound.states.saturating_add(states);
            bound.steps = bound.steps.max(longest + 1);
            let tried = ENDS.min(longest.saturating_sub(shortest) + 1);
            bound.checked += rule.checks.len() * tried * longest;
        }
        if bound.states > MOST_STATES {
            let states = bound.states;
            return Err(format!(
                "its patterns need some {states} states, more than {MOST_STATES}: repeat less"
            ));
        }
        if bound.checked > MOST_CHECKED {
            let checked = bound.checked;
            return Err(format!(
                "its checks may read {checked} bytes from one place, more than {MOST_CHECKED}: shorten the patterns"
            ));
        }
        Ok(bound)
    }

    /// The same with texts that make the rule work hard.
    pub(crate) fn with_texts(rule: &Rule) -> Result<Self, String> {
        let mut bound = Self::of(rule)?;
        let texts = &mut bound.hostile;
        for pattern in &rule.patterns {
            if let Some(list) = &pattern.list {
                for nth in [0, 7, 255] {
                    let text = String::from_utf8_lossy(&list.sample(nth)).into_owned();
                    texts.push(text.chars().take(text.chars().count().saturating_sub(1)).collect());
                    texts.push(text);
                }
            } else if let Ok(tree) = pattern.tree() {
                texts.extend(hostile(&tree));
            }
            if let (Some(word), Some(value)) = (rule.words.first(), texts.last()) {
                let text = format!("{} {value} ", String::from_utf8_lossy(word));
                texts.push(text);
            }
        }
        texts.retain(|text| !text.is_empty());
        texts.sort();
        texts.dedup();
        Ok(bound)
    }
}

/// About how many states an automaton for it has: repeats are written out.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(_) => 1,
        HirKind::Repetition(r) => {
            let times = usize::try_from(r.max.unwrap_or(r.min)).unwrap_or(usize::MAX);
            states(&r.sub).saturating_mul(times.max(1)).saturating_add(times)
        }
        HirKind::Capture(c) => states(&c.sub),
        HirKind::Concat(all) => all.iter().map(states).fold(0, usize::saturating_add),
        HirKind::Alternation(all) => all.iter().map(states).fold(1, usize::saturating_add),
    }
}

/// Texts that come near to a match: the longest one, all but its last byte, the shortest one, its beginning.
fn hostile(hir: &Hir) -> Vec<String> {
    let mut texts = Vec::new();
    for (most, nth) in [(true, 0), (true, 1), (false, 0)] {
        let mut bytes = Vec::new();
        written(hir, most, nth, &mut bytes);
        let text: String = bytes.into_iter().map(|b| if b < 0x80 { char::from(b) } else { 'x' }).collect();
        let cut = |by: usize| text.chars().take(text.chars().count().saturating_sub(by)).collect::<String>();
        texts.extend([cut(1), text.chars().take(1).collect(), text.chars().take(2).collect(), text.clone()]);
    }
    texts
}

/// A text that matches, with as many or as few repeats as can be; `nth` chooses among the bytes of a class.
fn written(hir: &Hir, most: bool, nth: usize, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let known: Vec<(u8, u8)> = match class {
                Class::Bytes(bytes) => bytes.ranges().iter().map(|r| (r.start(), r.end())).collect(),
                Class::Unicode(chars) => {
                    let byte = |c: char| u8::try_from(u32::from(c).min(0x7F)).unwrap_or(b'x');
                    chars.ranges().iter().map(|r| (byte(r.start()), byte(r.end()))).collect()
                }
            };
            let all = known.iter().flat_map(|(from, to)| *from..=*to);
            let words: Vec<u8> = all.clone().filter(u8::is_ascii_alphanumeric).collect();
            let chosen = words.get(nth * 3 % words.len().max(1)).copied();
            text.extend(
                chosen.or_else(|| all.clone().find(u8::is_ascii_graphic)).or(known.first().map(|r| r.0)),
            );
        }
        HirKind::Repetition(r) => {
            let times = if most { r.max.unwrap_or(r.min) } else { r.min };
            for _ in 0..times.min(255) {
                written(&r.sub, most, nth, text);
            }
        }
        HirKind::Capture(c) => written(&c.sub, most, nth, text),
        HirKind::Concat(all) => all.iter().for_each(|part| written(part, most, nth, text)),
        HirKind::Alternation(all) => {
            let length = |hir: &&Hir| hir.properties().maximum_len().unwrap_or_default();
            let chosen = if most { all.iter().max_by_key(length) } else { all.iter().min_by_key(length) };
            if let Some(chosen) = chosen {
                written(chosen, most, nth, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleSource;

    fn bound(rest: &str) -> Result<Bound, String> {
        let text = format!(
            "id = \"x\"\nkind = \"x\"\nentity = \"OTHER\"\nclass = \"identity\"\nlabel = \"X\"\ndescription = \"x\"\nsource = \"x\"\n{rest}\n\
             [[example]]\ntext = \"«x»\"\n[[near_miss]]\ntext = \"y\"\n"
        );
        let read = crate::rule::read(RuleSource { name: "x.toml", text: &text });
        Bound::with_texts(&read.map_err(|faults| format!("{faults:?}"))?.rule)
    }

    #[test]
    fn a_bound_is_read_off_the_pattern() {
        let found =
            bound("check = \"luhn\"\n[[pattern]]\nregex = '''\\b\\d{4}(?:-\\d{2}){1,3}\\b'''\nscore = 0.5")
                .unwrap();
        assert_eq!(found.steps, 4 + 9 + 1);
        // Ends 7 to 13, each read as far as 13 bytes.
        assert_eq!(found.checked, 7 * 13);
        assert!(found.hostile.iter().any(|t| t == "0000-00-00-00"), "{:?}", found.hostile);
        assert!(found.hostile.iter().any(|t| t == "0000-00-00-0"), "{:?}", found.hostile);
    }

    #[test]
    fn a_rule_that_may_cost_too_much_is_refused() {
        let many = "(?:(?:a|b|cd){1,30}|(?:ef|g){1,60}x)";
        let wide = format!("[[pattern]]\nregex = '''{many}'''\nscore = 0.5\n").repeat(120);
        assert!(bound(&wide).unwrap_err().contains("states"));
        let checks = "check = [\"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\", \"luhn\"]";
        let long = format!("{checks}\n[[pattern]]\nregex = '''\\b\\d{{1,180}}\\b'''\nscore = 0.5");
        assert!(bound(&long).unwrap_err().contains("checks"));
    }
}
