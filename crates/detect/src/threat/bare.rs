//! Takes off what is put between letters or in their place: entities, percent and quoted-printable signs, escapes, spaces
//! between letters, digits for letters.

use super::forms::{Form, Mark, Signs, Text};
use super::words::Words;
use crate::normal;

/// The characters without disguise, whose plain form is this one; nothing where nothing was found.
pub(super) fn bare(text: &Text<'_>, (signs, form): (&Signs, &Form), words: &Words) -> Option<Vec<Mark>> {
    let row = singles(form);
    let spaced = row >= SPACED || row >= 2 && row + leet(signs, form) >= SPACED;
    let digits = signs.wide || signs.digits + signs.leet > 0;
    let digits = digits && may_read_digits(form, words);
    let escapes = signs.escapes >= ESCAPES;
    if !(escapes || spaced || digits) {
        return None;
    }
    let marks = text.marks();
    let escaped = if escapes { unescape(marks) } else { None };
    let base = escaped.as_deref().unwrap_or(marks);
    let closed = if spaced || escaped.is_some() { close_up(base, words) } else { None };
    let base = closed.as_deref().or(escaped.as_deref()).unwrap_or(marks);
    let read = if digits || escaped.is_some() || closed.is_some() { read_digits(base, words) } else { None };
    read.or(closed).or(escaped)
}

/// The longest row of letters and digits that stand alone, with no more between two of them than gaps and a sign.
fn singles(form: &Form) -> usize {
    let (mut row, mut longest, mut end) = (0, 0, 0);
    let mut tokens = form.tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        let next = token.at + token.length;
        if token.length == 1 && token.at != end && tokens.peek().is_none_or(|other| other.at != next) {
            row = if token.at - end <= 2 * GAP + 1 { row + 1 } else { 1 };
            longest = longest.max(row);
        } else {
            row = 0;
        }
        end = next;
    }
    longest
}

/// Signs that stand for letters.
fn leet(signs: &Signs, form: &Form) -> usize {
    if signs.wide { form.text.iter().filter(|c| is_leet(**c)).count() } else { signs.leet }
}

/// So many escapes are a disguise.
const ESCAPES: usize = 2;

/// Decodes `&#105;`, `&lt;`, `%69`, `=69`, `\u0069`, `\x69`; nothing if there are fewer than two.
fn unescape(marks: &[Mark]) -> Option<Vec<Mark>> {
    let mut out = Vec::with_capacity(marks.len());
    let (mut i, mut found) = (0, 0);
    while let Some(mark) = marks.get(i) {
        let rest = marks.get(i + 1..).unwrap_or_default();
        let escape = match mark.c {
            '&' => entity(rest),
            '%' | '=' => octets(rest, mark.c),
            '\\' => backslash(rest),
            _ => None,
        };
        let Some((c, used)) = escape else {
            out.push(*mark);
            i += 1;
            continue;
        };
        c.to_lowercase().for_each(|c| out.push(Mark { c, at: mark.at }));
        found += 1;
        i += 1 + used;
    }
    (found >= ESCAPES).then_some(out)
}

fn entity(rest: &[Mark]) -> Option<(char, usize)> {
    let length = rest.iter().take(10).position(|m| m.c == ';')?;
    let name: String = rest.get(..length)?.iter().map(|m| m.c).collect();
    let c = match name.as_str() {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = digits.strip_prefix('x').map_or_else(|| digits.parse().ok(), from_hex)?;
            char::from_u32(code)?
        }
    };
    Some((c, length + 1))
}

fn from_hex(digits: &str) -> Option<u32> {
    u32::from_str_radix(digits, 16).ok()
}

fn octet(rest: &[Mark]) -> Option<u8> {
    let digits: String = rest.get(..2)?.iter().map(|m| m.c).collect();
    u8::try_from(from_hex(&digits)?).ok()
}

/// One character written as octets, each after `sign`.
fn octets(rest: &[Mark], sign: char) -> Option<(char, usize)> {
    let mut bytes = [octet(rest)?, 0, 0, 0];
    let first = bytes.first().copied()?;
    let length = match first {
        0x20..=0x7E => 1,
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    for n in 1..length {
        let next = rest.get(n * 3 - 1..)?;
        if next.first()?.c != sign {
            return None;
        }
        *bytes.get_mut(n)? = octet(next.get(1..)?)?;
    }
    let c = std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    Some((c, length * 3 - 1))
}

fn backslash(rest: &[Mark]) -> Option<(char, usize)> {
    let (digits, before) = match rest.first()?.c {
        'x' => (2, 1),
        'u' => (4, 1),
        _ => return None,
    };
    let code: String = rest.get(before..before + digits)?.iter().map(|m| m.c).collect();
    Some((char::from_u32(from_hex(&code)?)?, before + digits))
}

/// Shortest run of single letters that is closed up.
const SPACED: usize = 4;
/// So many signs are looked at between two of them.
const GAP: u32 = 4;

/// Closes up `i g n o r e` and `i.g.n.o.r.e`: single letters with the same thing between them.
fn close_up(marks: &[Mark], words: &Words) -> Option<Vec<Mark>> {
    let mut out: Option<Vec<Mark>> = None;
    let mut done = 0;
    let mut i = 0;
    let mut in_word = false;
    while let Some(mark) = marks.get(i) {
        let before = std::mem::replace(&mut in_word, normal::is_alphanumeric(mark.c));
        let begins = in_word && !before;
        let Some((letters, next)) = begins.then(|| spaced(marks, i)).flatten() else {
            i += 1;
            continue;
        };
        // The last letter may be a sign that stands for one.
        in_word = marks.get(next - 1).is_some_and(|m| normal::is_alphanumeric(m.c));
        let to = out.get_or_insert_with(|| Vec::with_capacity(marks.len()));
        to.extend_from_slice(marks.get(done..i).unwrap_or_default());
        to.extend(cut_words(&letters, words));
        (done, i) = (next, next);
    }
    let mut out = out?;
    out.extend_from_slice(marks.get(done..).unwrap_or_default());
    Some(out)
}

/// The letters of a spaced run that begins here, blanks where its gaps are wider, and where it ends.
fn spaced(marks: &[Mark], from: usize) -> Option<(Vec<Mark>, usize)> {
    let first = marks.get(from).filter(|m| normal::is_alphanumeric(m.c))?;
    let between = marks.get(from + 1).filter(|m| !normal::is_alphanumeric(m.c))?.c;
    let mut letters = Vec::new();
    let (mut i, mut count) = (from + 1, 1);
    loop {
        let gap =
            marks.get(i..)?.iter().take(GAP as usize).take_while(|m| m.c == between || m.c == ' ').count();
        let exact = marks.get(i..i + gap)?.iter().filter(|m| m.c == between).count();
        let Some(next) = marks.get(i + gap).filter(|m| normal::is_alphanumeric(m.c) || is_leet(m.c)) else {
            break;
        };
        let alone = marks.get(i + gap + 1).is_none_or(|m| !normal::is_alphanumeric(m.c));
        if gap == 0 || exact == 0 || !alone {
            break;
        }
        if letters.is_empty() {
            letters.push(*first);
        }
        if gap >= 2 {
            letters.push(Mark { c: ' ', at: next.at });
        }
        letters.push(*next);
        count += 1;
        i += gap + 1;
    }
    (count >= SPACED).then_some((letters, i))
}

/// Longest word looked for in letters without gaps.
const LONGEST: usize = 16;

/// Puts blanks between the words of letters that have none, by the words that are known: as few strange letters as
/// possible, then as few words.
fn cut_words(letters: &[Mark], words: &Words) -> Vec<Mark> {
    if letters.iter().any(|m| m.c == ' ') || letters.len() > 2_000 {
        return letters.to_vec();
    }
    let chars: Vec<char> = letters.iter().map(|m| m.c).collect();
    // Least cost up to each place, and where its last word began.
    let mut best: Vec<(u32, usize)> = vec![(0, 0)];
    for end in 1..=chars.len() {
        let strange = best.get(end - 1).map_or(u32::MAX, |b| b.0.saturating_add(10));
        let mut least = (strange, end - 1);
        for start in end.saturating_sub(LONGEST)..end {
            let Some(word) = chars.get(start..end) else { continue };
            let short = u32::from(word.len() < 3) * 4;
            let cost = best.get(start).map_or(u32::MAX, |b| b.0.saturating_add(3 + short));
            if cost < least.0 && words.knows(word.iter().copied()) {
                least = (cost, start);
            }
        }
        best.push(least);
    }
    let mut starts = Vec::new();
    let mut end = chars.len();
    while end > 0 {
        let start = best.get(end).map_or(0, |b| b.1.min(end - 1));
        if end - start > 1 {
            starts.push(start);
            starts.push(end);
        }
        end = start;
    }
    let mut out = Vec::with_capacity(letters.len() * 2);
    for (i, mark) in letters.iter().enumerate() {
        if starts.contains(&i) && i > 0 {
            out.push(Mark { c: ' ', at: mark.at });
        }
        out.push(*mark);
    }
    out
}

/// Bytes of a form that may stand for a digit or such a sign.
static MAY_READ: [bool; 256] = {
    let mut all = [false; 256];
    let mut n = 0;
    while n < 256 {
        all[n] = matches!(n as u8, b'0' | b'@' | b'$' | b'!' | b'|' | b'+' | 0x80..);
        n += 1;
    }
    all
};

/// Signs that stand for letters beside digits: what [`letter`] knows.
const fn is_leet(c: char) -> bool {
    matches!(c, '@' | '$' | '!' | '|' | '+' | '€' | '£')
}

/// What a digit or a sign is read as in a word.
const fn letter(c: char) -> Option<char> {
    Some(match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '6' | '9' => 'g',
        '7' | '+' => 't',
        '8' => 'b',
        '2' => 'z',
        '£' => 'l',
        _ => return None,
    })
}

/// Reads digits as letters in words that have letters too, where that gives a word that is known or there are several.
fn read_digits(marks: &[Mark], words: &Words) -> Option<Vec<Mark>> {
    let mut out: Option<Vec<Mark>> = None;
    let find = |from: usize| {
        let may = |m: &Mark| m.c.is_ascii_digit() || is_leet(m.c);
        marks.get(from..)?.iter().position(may)
    };
    each_with_signs(marks, find, |m| m.c, &mut |place, word| {
        if let Some(read) = read_word(word, words) {
            let copy = out.get_or_insert_with(|| marks.to_vec());
            for (slot, c) in copy.iter_mut().skip(place).zip(read) {
                slot.c = c;
            }
        }
        false
    });
    out
}

/// Whether there is anything for [`read_digits`] to read.
fn may_read_digits(form: &Form, words: &Words) -> bool {
    let mut may = false;
    let find = |from: usize| {
        let bytes = form.bytes.get(from..)?;
        // What shouts at the end of a word is told by what else is in it.
        let shouts = |at: usize, b: u8| b == b'!' && bytes.get(at + 1) == Some(&b' ');
        (0..).zip(bytes).find(|(at, b)| MAY_READ[usize::from(**b)] && !shouts(*at, **b)).map(|(at, _)| at)
    };
    each_with_signs(&form.text, find, |c| *c, &mut |_, word| {
        may = read_word(word, words).is_some();
        may
    });
    may
}

/// Shows each word with digits or signs that stand for letters, until one is enough. `find` gives how far behind a place the
/// next such sign may stand. Most words have none.
fn each_with_signs<T>(
    text: &[T],
    find: impl Fn(usize) -> Option<usize>,
    c: impl Fn(&T) -> char,
    see: &mut impl FnMut(usize, &[char]) -> bool,
) {
    let in_word = |t: &&T| {
        let c = c(t);
        normal::is_alphanumeric(c) || is_leet(c)
    };
    let (mut from, mut word) = (0, Vec::new());
    while let Some(sign) = find(from) {
        let rest = text.get(from..).unwrap_or_default();
        let (before, behind) = rest.split_at_checked(sign).unwrap_or((rest, &[]));
        let start = sign - before.iter().rev().take_while(in_word).count();
        let end = sign + behind.iter().take_while(in_word).count();
        word.clear();
        word.extend(rest.get(start..end).unwrap_or_default().iter().map(&c));
        if see(from + start, &word) {
            return;
        }
        from += end.max(sign + 1);
    }
}

fn read_word(word: &[char], words: &Words) -> Option<Vec<char>> {
    let signs = word.iter().filter(|c| letter(**c).is_some()).count();
    if signs == 0 || word.len() < 2 || word.len() > 32 {
        return None;
    }
    let letters = word.iter().filter(|c| normal::is_alphabetic(**c)).count();
    if letters + signs < word.len() {
        return None;
    }
    // An exclamation mark at the end is one.
    let shouts = word.iter().rev().take_while(|c| **c == '!').count();
    if shouts == signs {
        return None;
    }
    let inner = word.len().saturating_sub(shouts);
    let read: Vec<char> =
        word.iter().enumerate().map(|(n, c)| if n < inner { letter(*c).unwrap_or(*c) } else { *c }).collect();
    let known = |read: &[char]| read.get(..inner).is_some_and(|word| words.knows(word.iter().copied()));
    if known(&read) {
        return (letters > 0 || word.len() >= 3).then_some(read);
    }
    if word.iter().any(|c| matches!(c, '1' | '|' | '!')) {
        let other: Vec<char> =
            word.iter().zip(&read).map(|(c, r)| if matches!(c, '1' | '|') { 'l' } else { *r }).collect();
        if known(&other) {
            return Some(other);
        }
    }
    // `3x4mpl3`: several signs between letters, beginning and ending anyhow.
    (letters >= 2 && signs >= 2 && changes(word) >= 2).then_some(read)
}

/// How often letters and signs take turns.
fn changes(word: &[char]) -> usize {
    word.windows(2)
        .filter(|pair| match pair {
            [a, b] => normal::is_alphabetic(*a) != normal::is_alphabetic(*b),
            _ => false,
        })
        .count()
}
