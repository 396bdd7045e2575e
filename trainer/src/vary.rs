//! The same sentence as other people would type it.

use crate::chance::Chance;
use crate::corpus::{Sentence, Span};
use crate::lists::Lists;

/// How a sentence is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    AsIs,
    Lower,
    Upper,
    /// Lower case but for the first letter.
    FirstOnly,
    /// Lower case, few marks, slips of the finger.
    Hasty,
    /// Slips of the finger only.
    Slips,
    /// Every Word With A Capital.
    Title,
}

fn manner(chance: &mut Chance, chat: bool) -> Manner {
    let shares: [(Manner, f64); 6] = if chat {
        [
            (Manner::Lower, 0.25),
            (Manner::Upper, 0.05),
            (Manner::FirstOnly, 0.10),
            (Manner::Hasty, 0.17),
            (Manner::Slips, 0.05),
            (Manner::Title, 0.03),
        ]
    } else {
        [
            (Manner::Lower, 0.23),
            (Manner::Upper, 0.05),
            (Manner::FirstOnly, 0.03),
            (Manner::Hasty, 0.10),
            (Manner::Slips, 0.04),
            (Manner::Title, 0.02),
        ]
    };
    let mut left = chance.share();
    for (manner, share) in shares {
        if left < share {
            return manner;
        }
        left -= share;
    }
    Manner::AsIs
}

/// A text written anew, with its spans.
struct Rewrite {
    text: String,
    /// New place of each byte of the old text.
    places: Vec<usize>,
}

impl Rewrite {
    fn of(old: &str, mut write: impl FnMut(usize, char, &mut String)) -> Self {
        let mut text = String::with_capacity(old.len() + 8);
        let mut places = Vec::with_capacity(old.len() + 1);
        for (at, c) in old.char_indices() {
            places.resize(at + 1, text.len());
            write(at, c, &mut text);
            places.resize(at + c.len_utf8(), text.len());
        }
        places.push(text.len());
        Self { text, places }
    }

    fn sentence(self, spans: &[Span]) -> Sentence {
        let place = |at: usize| self.places.get(at).copied().unwrap_or(self.text.len());
        let spans = spans
            .iter()
            .map(|(start, end, kind)| (place(*start), place(*end), *kind))
            .filter(|(start, end, _)| start < end)
            .collect();
        Sentence { text: self.text, spans, held: false }
    }
}

/// The sentence in some manner.
pub(crate) fn vary(sentence: &Sentence, chat: bool, chance: &mut Chance) -> Sentence {
    let manner = manner(chance, chat);
    let bare = chance.says(if chat { 0.4 } else { 0.15 });
    let old = &sentence.text;
    let slips = matches!(manner, Manner::Hasty | Manner::Slips);
    let last = old.trim_end().len();
    let mut begins = true;
    let mut swallow = false;
    let rewrite = Rewrite::of(old, |at, c, out| {
        if std::mem::take(&mut swallow) {
            return;
        }
        let final_mark = at + c.len_utf8() >= last && matches!(c, '.' | '!' | '?');
        if final_mark && (bare || manner == Manner::Hasty) {
            return;
        }
        if manner == Manner::Hasty
            && matches!(c, ',' | '.' | '!' | '?' | '\'' | '"' | ';' | ':')
            && chance.says(0.7)
        {
            // A mark between digits or letters is kept apart, else two words would become one.
            let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = old.get(..at).and_then(|t| t.chars().next_back());
            let after = old.get(at + c.len_utf8()..).and_then(|t| t.chars().next());
            if c != '\'' && inside(before) && inside(after) {
                out.push(c);
            }
            return;
        }
        let letter = c.is_alphabetic();
        if slips && letter && chance.says(0.012) {
            match chance.below(4) {
                0 => return,
                1 => out.push(c.to_ascii_lowercase()),
                2 => out.push(char::from(b'a' + u8::try_from(chance.below(26)).unwrap_or_default())),
                _ => {
                    swallow = old.get(at + c.len_utf8()..).is_some_and(|t| t.starts_with(char::is_alphabetic))
                }
            }
        }
        match manner {
            Manner::AsIs | Manner::Slips => out.push(c),
            Manner::Lower | Manner::Hasty => out.extend(c.to_lowercase()),
            Manner::Upper => out.extend(c.to_uppercase()),
            Manner::FirstOnly if at == 0 => out.push(c),
            Manner::FirstOnly => out.extend(c.to_lowercase()),
            Manner::Title if begins => out.extend(c.to_uppercase()),
            Manner::Title => out.push(c),
        }
        begins = !letter && c != '\'' && !c.is_ascii_digit();
    });
    rewrite.sentence(&sentence.spans)
}

/// The sentence with other people in it.
pub(crate) fn renamed(sentence: &Sentence, lists: &Lists, chance: &mut Chance) -> Sentence {
    let mut out = Sentence::default();
    let mut at = 0;
    for (start, end, kind) in &sentence.spans {
        out.text.push_str(sentence.text.get(at..*start).unwrap_or_default());
        let begin = out.text.len();
        let old = sentence.text.get(*start..*end).unwrap_or_default();
        let words = old.split(' ').count();
        match kind {
            0 if words <= 3 => {
                let whole = name(lists, chance, words);
                let lower = !old.contains(char::is_uppercase);
                out.text.push_str(&if lower { whole.to_lowercase() } else { whole });
            }
            _ => out.text.push_str(old),
        }
        out.spans.push((begin, out.text.len(), *kind));
        at = *end;
    }
    out.text.push_str(sentence.text.get(at..).unwrap_or_default());
    out
}

pub(crate) fn name(lists: &Lists, chance: &mut Chance, words: usize) -> String {
    let given = |chance: &mut Chance| capital(chance.one(&lists.given).map_or("", |s| s));
    let family = |chance: &mut Chance| capital(chance.one(&lists.family).map_or("", |s| s));
    match words {
        1 if chance.says(0.7) => given(chance),
        1 => family(chance),
        2 if chance.says(0.05) => format!("{} {}", family(chance), given(chance)),
        2 => format!("{} {}", given(chance), family(chance)),
        _ => match chance.below(3) {
            0 => format!("{} {} {}", given(chance), given(chance), family(chance)),
            1 => format!("{} {} {}", given(chance), family(chance), family(chance)),
            _ => {
                let middle = given(chance);
                let letter = middle.chars().next().unwrap_or('J');
                format!("{} {letter}. {}", given(chance), family(chance))
            }
        },
    }
}

pub(crate) fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let Some(first) = chars.next() else { return String::new() };
    first.to_uppercase().chain(chars).collect()
}

/// What stands before and after a name that answers a question.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("", ""),
    ("", ""),
    ("", "."),
    ("it's ", ""),
    ("its ", ""),
    ("sure, ", ""),
    ("yes, ", ""),
    ("sure ", ""),
    ("ok ", ""),
    ("hi, ", " here"),
    ("", " here"),
    ("", " please"),
    ("", ", thanks"),
    ("i am ", ""),
    ("I'm ", ""),
    ("this is ", ""),
    ("ja, ", ""),
    ("si, ", ""),
    ("oui ", ""),
    ("sim, ", ""),
];

/// An answer that is only a name: of a person, or of this type from the sentences.
pub(crate) fn answer(kind: usize, text: &str, lists: &Lists, chance: &mut Chance) -> Sentence {
    let words = 1 + chance.below(2) + usize::from(chance.says(0.1));
    let value = if kind == 0 && chance.says(0.7) { name(lists, chance, words) } else { text.to_owned() };
    let (before, after) = chance.one(AROUND).copied().unwrap_or_default();
    let start = before.len();
    let spans = vec![(start, start + value.len(), kind)];
    Sentence { text: format!("{before}{value}{after}"), spans, held: false }
}
