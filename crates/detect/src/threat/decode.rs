//! What is hidden in a text by an encoding: base64, base32, hexadecimal, character codes, Morse, letters moved by thirteen,
//! letters written backwards, Unicode tags. Each is found where it stands, decoded within limits, and may hide another.

use chatward_message::{Span, View};
use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, Encoding};

use super::forms::{Form, Mark, Signs, Text};
use super::words::{self, Token, Words};
use crate::normal;

/// Something decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) view: View,
    /// Where it stood.
    pub(super) span: Span,
    pub(super) text: String,
}

/// So many hidden texts are read each by itself.
const SINGLE: usize = 6;
/// Shortest text that is worth a look.
const SHORTEST: usize = 6;

/// Everything hidden in a text, whose plain form is this one.
pub(super) fn hidden(all: &Text<'_>, (signs, form): (&Signs, &Form), words: &Words) -> Vec<Hidden> {
    let (text, mut found) = (all.text, Vec::new());
    if signs.wide {
        tags(text, &mut found);
    }
    encoded(text, &mut found);
    if signs.digits >= DIGITS {
        codes(text, &mut found);
    }
    if signs.strokes >= STROKES {
        morse(text, &mut found);
    }
    if may_be_moved(form, words) {
        moved(all.marks(), words, &mut found);
    }
    found
}

/// The longest of what is hidden, each by itself, and all others together as one text: whoever hides something among a lot of other
/// things shall not have it unread.
pub(super) fn gathered(found: Vec<Hidden>) -> Vec<Hidden> {
    if found.len() <= SINGLE {
        return found;
    }
    let mut lengths: Vec<usize> = found.iter().map(|hidden| hidden.text.len()).collect();
    lengths.sort_unstable_by(|one, other| other.cmp(one));
    let least = lengths.get(SINGLE).copied().unwrap_or_default();
    let (mut single, rest): (Vec<Hidden>, Vec<Hidden>) =
        found.into_iter().partition(|hidden| hidden.text.len() > least);
    let joined = rest.into_iter().reduce(|mut all, next| {
        all.text.push('\n');
        all.text.push_str(&next.text);
        let (start, end) = (all.span.start.min(next.span.start), all.span.end.max(next.span.end));
        Hidden { span: Span::new(start, end), ..all }
    });
    single.extend(joined);
    single
}

fn add(found: &mut Vec<Hidden>, view: View, span: Span, text: String) {
    if text.chars().count() >= SHORTEST {
        found.push(Hidden { view, span, text });
    }
}

/// Letters that nobody sees: U+E0020 to U+E007E are ASCII.
fn tags(text: &str, found: &mut Vec<Hidden>) {
    // All of them begin with these bytes.
    if !text.as_bytes().contains(&0xF3) {
        return;
    }
    let tag = |c: char| {
        let code = u32::from(c).checked_sub(0xE_0000)?;
        u8::try_from(code).ok().filter(|b| (0x20..0x7F).contains(b)).map(char::from)
    };
    let hidden: String = text.chars().filter_map(tag).collect();
    let first = text.char_indices().find(|(_, c)| tag(*c).is_some()).map_or(0, |(at, _)| at);
    let last = text.char_indices().rfind(|(_, c)| tag(*c).is_some()).map_or(0, |(at, c)| at + c.len_utf8());
    add(found, View::Tags, Span::new(first, last), hidden);
}

/// Shortest run of encoded characters.
const RUN: usize = 12;
/// Codes of letters have at least so many digits: also in hexadecimal one each.
const DIGITS: usize = SHORTEST;
/// Morse letters have at least so many strokes: a few have one alone.
const STROKES: usize = 10;

/// Which bytes are in such a run.
static IN_RUN: [bool; 256] = {
    let mut all = [false; 256];
    let mut n = 0;
    while n < 256 {
        let b = n as u8;
        all[n] = b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        n += 1;
    }
    all
};

/// Runs of one alphabet: hexadecimal, base32, base64.
fn encoded(text: &str, found: &mut Vec<Hidden>) {
    let bytes = text.as_bytes();
    let in_run = |b: &u8| IN_RUN[usize::from(*b)];
    let mut i = 0;
    while let Some(head) = bytes.get(i..i + RUN) {
        // Behind the last that is none a run may begin.
        if let Some(last) = head.iter().rposition(|b| !in_run(b)) {
            i += last + 1;
            continue;
        }
        let (run, end) = run_from(bytes, i, in_run);
        if let Some((view, text)) = decoded(&run) {
            add(found, view, Span::new(i, end), text);
        }
        i = end.max(i + 1);
    }
}

/// The run that begins here; it goes on over a line end if its line was full of it.
fn run_from(bytes: &[u8], from: usize, in_run: impl Fn(&u8) -> bool) -> (Vec<u8>, usize) {
    let mut run = Vec::new();
    let mut i = from;
    loop {
        let start = i;
        while let Some(b) = bytes.get(i).filter(|b| in_run(b)) {
            run.push(*b);
            i += 1;
        }
        let folds = i - start >= 32 && bytes.get(i) == Some(&b'\n') && bytes.get(i + 1).is_some_and(&in_run);
        if !folds {
            return (run, i);
        }
        i += 1;
    }
}

fn decoded(run: &[u8]) -> Option<(View, String)> {
    if run.iter().all(u8::is_ascii_hexdigit) {
        let text = run
            .len()
            .is_multiple_of(2)
            .then(|| data_encoding::HEXLOWER_PERMISSIVE.decode(run).ok())
            .flatten();
        if let Some(text) = text.and_then(readable) {
            return Some((View::Hex, text));
        }
    }
    let upper = run.iter().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(b));
    if upper && let Some(text) = whole_groups(&BASE32_NOPAD, run, 8).and_then(readable) {
        return Some((View::Base32, text));
    }
    // An ordinary long word is no base64: that has capitals, small letters and mostly digits.
    let mixed = run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase);
    if !mixed {
        return None;
    }
    let url = run.iter().any(|b| matches!(b, b'-' | b'_'));
    let alphabet = if url { &BASE64URL_NOPAD } else { &BASE64_NOPAD };
    whole_groups(alphabet, run, 4).and_then(readable).map(|text| (View::Base64, text))
}

/// Decodes as much as makes whole groups; a rest that fits no group is left out.
fn whole_groups(alphabet: &Encoding, run: &[u8], group: usize) -> Option<Vec<u8>> {
    let rest = run.len() % group;
    (0..=rest).find_map(|cut| alphabet.decode(run.get(..run.len() - cut)?).ok())
}

/// The bytes as a text, if people could read it.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(wide) => utf16(wide.as_bytes())?,
    };
    let all = text.chars().count();
    let odd = text.chars().filter(|c| c.is_control() && !c.is_whitespace() || *c == '\u{FFFD}').count();
    let letters = text.chars().filter(|c| normal::is_alphabetic(*c) || *c == ' ').count();
    (odd == 0 && all >= SHORTEST && letters * 10 >= all * 6).then_some(text)
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.first_chunk::<2>())
        .map(|pair| u16::from_le_bytes(*pair))
        .collect();
    String::from_utf16(&units).ok()
}

/// Characters written as numbers, `105 103 110` or `01101001 01100111` or `\x69\x67` or `69 67 6e`.
fn codes(text: &str, found: &mut Vec<Hidden>) {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        let starts = i == 0 || bytes.get(i - 1).is_none_or(|b| !b.is_ascii_alphanumeric());
        if !starts || !bytes.get(i).is_some_and(u8::is_ascii_hexdigit) {
            i += 1;
            continue;
        }
        let (count, end) = groups(bytes, i, &mut |_| ());
        let first = bytes.get(i..).unwrap_or_default();
        let first = first.get(..first.iter().take_while(|b| b.is_ascii_hexdigit()).count());
        if count >= SHORTEST {
            let mut all = Vec::with_capacity(count);
            groups(bytes, i, &mut |group| all.push(group));
            if let Some((view, text)) = as_codes(&all) {
                add(found, view, Span::new(i, end), text);
            }
        } else if let Some(group) = first.filter(|g| g.len() >= 48 && g.len() % 8 == 0) {
            let octets: Vec<&[u8]> = group.chunks(8).collect();
            if let Some(text) = in_base(&octets, 2, 8) {
                add(found, View::Codes, Span::new(i, end), text);
            }
        }
        i = end.max(i + 1);
    }
}

/// Shows the groups of digits from here on. Gives how many there are, and where they end.
fn groups<'a>(bytes: &'a [u8], from: usize, see: &mut impl FnMut(&'a [u8])) -> (usize, usize) {
    let mut count = 0;
    let (mut i, mut end) = (from, from);
    loop {
        let start = i;
        while bytes.get(i).is_some_and(u8::is_ascii_hexdigit) {
            i += 1;
        }
        let Some(group) = bytes.get(start..i).filter(|g| !g.is_empty()) else { break };
        see(group);
        count += 1;
        end = i;
        let gap = bytes.get(i..).map_or(0, |rest| {
            rest.iter().take(3).take_while(|b| matches!(b, b' ' | b',' | b'\n' | b':' | b';' | b'-')).count()
        });
        i += gap;
        if gap == 0 {
            break;
        }
    }
    (count, end)
}

fn as_codes(groups: &[&[u8]]) -> Option<(View, String)> {
    let digits = |g: &&[u8]| g.iter().all(u8::is_ascii_digit);
    if groups.iter().all(|g| g.len() == 8 && g.iter().all(|b| matches!(b, b'0' | b'1'))) {
        return in_base(groups, 2, 8).map(|text| (View::Codes, text));
    }
    let decimal = groups.iter().all(|g| (2..=3).contains(&g.len()) && digits(g));
    if decimal && let Some(text) = in_base(groups, 10, 3) {
        return Some((View::Codes, text));
    }
    if groups.iter().all(|g| g.len() == 2) {
        return in_base(groups, 16, 2).map(|text| (View::Hex, text));
    }
    None
}

fn in_base(groups: &[&[u8]], base: u32, longest: usize) -> Option<String> {
    let bytes: Option<Vec<u8>> = groups
        .iter()
        .map(|g| {
            let digits = std::str::from_utf8(g).ok().filter(|g| g.len() <= longest)?;
            u8::from_str_radix(digits, base).ok()
        })
        .collect();
    readable(bytes?)
}

/// Morse letters in the order of the alphabet, then the digits.
const MORSE: [&str; 36] = [
    ".-", "-...", "-.-.", "-..", ".", "..-.", "--.", "....", "..", ".---", "-.-", ".-..", "--", "-.", "---",
    ".--.", "--.-", ".-.", "...", "-", "..-", "...-", ".--", "-..-", "-.--", "--..", "-----", ".----",
    "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----.",
];

fn morse(text: &str, found: &mut Vec<Hidden>) {
    let in_run = |c: char| matches!(c, '.' | '-' | '·' | '–' | '−' | '_' | ' ' | '/' | '|' | '\n');
    let mut start = None;
    let ends = text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]);
    for (at, c) in ends {
        if c.is_some_and(in_run) {
            start.get_or_insert(at);
            continue;
        }
        let Some(from) = start.take().filter(|from| at - from >= 12) else { continue };
        if let Some(said) = text.get(from..at).and_then(morse_text) {
            add(found, View::Morse, Span::new(from, at), said);
        }
    }
}

fn morse_text(run: &str) -> Option<String> {
    let mut said = String::new();
    let mut letters = 0;
    for word in run.split(['/', '|', '\n']).flat_map(|part| part.split("  ")) {
        for sign in word.split_whitespace() {
            let sign: String = sign.chars().map(|c| if matches!(c, '.' | '·') { '.' } else { '-' }).collect();
            let place = MORSE.iter().position(|m| *m == sign)?;
            said.extend("abcdefghijklmnopqrstuvwxyz0123456789".chars().nth(place));
            letters += 1;
        }
        if !said.is_empty() && !said.ends_with(' ') {
            said.push(' ');
        }
    }
    (letters >= SHORTEST).then_some(said)
}

/// Shortest run of words, and how many of them have to be known.
const WORDS: usize = 3;

/// Whether there are so many words in a form that are none as they stand, but are with their letters moved by thirteen, or
/// backwards.
fn may_be_moved(form: &Form, words: &Words) -> bool {
    let strange = |token: &&Token| !token.known && token.length < 25;
    if form.tokens.iter().filter(strange).nth(WORDS - 1).is_none() {
        return false;
    }
    let mut counts = [0; 2];
    for token in form.tokens.iter().filter(strange) {
        let known = words.knows_moved(token.of(&form.bytes));
        counts.iter_mut().zip(known).for_each(|(count, known)| *count += usize::from(known));
    }
    counts.iter().any(|count| *count >= WORDS)
}

/// Runs of words that are none as they stand, but are with their letters moved by thirteen, or backwards.
fn moved(marks: &[Mark], words: &Words, found: &mut Vec<Hidden>) {
    // Each word: from where to where, and whether it is known as it stands.
    let mut all = Vec::with_capacity(marks.len() / 4);
    let (mut i, mut strange) = (0, 0);
    while let Some(rest) = marks.get(i..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().take_while(|m| m.c.is_ascii_alphabetic()).count();
        if length > 0 {
            let known = words.knows(letters(rest.get(..length).unwrap_or_default()));
            strange += usize::from(!known);
            all.push((i, i + length, known));
        }
        i += length + 1;
    }
    if strange < WORDS {
        return;
    }
    for view in [View::Rot13, View::Reversed] {
        let mut run = Run::default();
        for (from, to, known) in all.iter().copied() {
            // Outside of a run a word that is known changes nothing.
            if known && run.hits == 0 {
                continue;
            }
            let word = letters(marks.get(from..to).unwrap_or_default());
            let other = match view {
                View::Rot13 => words.knows(word.map(rot13)),
                _ => words.knows(word.rev()),
            };
            let moved = (known != other).then_some(other);
            run.take(from, to, moved, &mut |from, to| moved_text(marks, from, to, view, found));
        }
        run.end(&mut |from, to| moved_text(marks, from, to, view, found));
    }
}

fn letters(word: &[Mark]) -> impl DoubleEndedIterator<Item = char> {
    word.iter().map(|m| m.c)
}

fn rot13(c: char) -> char {
    u8::try_from(c).map_or(c, |b| char::from(words::rot13(b)))
}

/// A run of moved words, with at most two unknown ones in a row.
#[derive(Default)]
struct Run {
    from: usize,
    to: usize,
    hits: usize,
    unknown: usize,
}

impl Run {
    fn take(&mut self, from: usize, to: usize, moved: Option<bool>, done: &mut dyn FnMut(usize, usize)) {
        match moved {
            Some(true) => {
                if self.hits == 0 {
                    self.from = from;
                }
                (self.to, self.hits, self.unknown) = (to, self.hits + 1, 0);
            }
            Some(false) => self.end(done),
            None => {
                self.unknown += 1;
                if self.unknown > 2 {
                    self.end(done);
                }
            }
        }
    }

    fn end(&mut self, done: &mut dyn FnMut(usize, usize)) {
        if self.hits >= WORDS {
            done(self.from, self.to);
        }
        *self = Self::default();
    }
}

/// The run, widened to words beside it that nobody knows, decoded.
fn moved_text(marks: &[Mark], from: usize, to: usize, view: View, found: &mut Vec<Hidden>) {
    let (from, to) = (widened(marks, from, -1), widened(marks, to, 1));
    let run = marks.get(from..to).unwrap_or_default();
    let text: String = match view {
        View::Rot13 => run.iter().map(|m| rot13(m.c)).collect(),
        _ => run.iter().rev().map(|m| m.c).collect(),
    };
    let place = |i: usize| marks.get(i).or(marks.last()).map_or(0, |m| m.at as usize);
    add(found, view, Span::new(place(from), place(to)), text);
}

/// One more word on this side, if a blank is all that is between.
fn widened(marks: &[Mark], edge: usize, step: isize) -> usize {
    let c = |i: usize| marks.get(i).map(|m| m.c);
    let mut i = edge;
    let next = |i: usize| if step < 0 { i.checked_sub(1) } else { Some(i) };
    let go = |i: usize| if step < 0 { i - 1 } else { i + 1 };
    let Some(' ') = next(i).and_then(c) else { return edge };
    i = go(i);
    let start = i;
    while next(i).and_then(c).is_some_and(|c| c.is_ascii_alphabetic()) {
        i = go(i);
    }
    if i == start { edge } else { i }
}
