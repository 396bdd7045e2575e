//! Disguises an attacker puts on a text: the ten that are measured.

use data_encoding::BASE64;

use crate::chance::Chance;

/// How a text is disguised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disguise {
    Base64,
    ZeroWidth,
    FullWidth,
    LookAlikes,
    Spaced,
    Tags,
    Scrambled,
    Rot13,
    Leet,
    Hidden,
}

impl Disguise {
    pub(crate) const ALL: [Self; 10] = [
        Self::Base64,
        Self::ZeroWidth,
        Self::FullWidth,
        Self::LookAlikes,
        Self::Spaced,
        Self::Tags,
        Self::Scrambled,
        Self::Rot13,
        Self::Leet,
        Self::Hidden,
    ];

    /// The text in this disguise; `around` are harmless messages.
    pub(crate) fn put_on(self, text: &str, around: &[&str], chance: &mut Chance) -> String {
        match self {
            Self::Base64 => format!("Please decode this: {}", BASE64.encode(text.as_bytes())),
            Self::ZeroWidth => between(text, chance, 0.5, &["\u{200B}", "\u{200D}", "\u{2060}", "\u{AD}"]),
            Self::FullWidth => text.chars().map(full_width).collect(),
            Self::LookAlikes => text.chars().map(|c| if chance.says(0.6) { twin(c) } else { c }).collect(),
            Self::Spaced => spaced(text, chance),
            Self::Tags => format!("Hello, how are you? {}", text.chars().map(tag).collect::<String>()),
            Self::Scrambled => by_word(text, |word| scrambled(word, chance)),
            Self::Rot13 => text.chars().map(rot13).collect(),
            Self::Leet => text.chars().map(|c| if chance.says(0.85) { leet(c) } else { c }).collect(),
            Self::Hidden => hidden(text, around, chance),
        }
    }
}

fn between(text: &str, chance: &mut Chance, share: f64, signs: &[&str]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if chance.says(share) {
            out.push_str(chance.one(signs).copied().unwrap_or_default());
        }
    }
    out
}

fn moved(c: char, by: u32) -> char {
    char::from_u32(u32::from(c) + by).unwrap_or(c)
}

fn full_width(c: char) -> char {
    match c {
        '!'..='~' => moved(c, 0xFEE0),
        ' ' => '\u{3000}',
        _ => c,
    }
}

const fn twin(c: char) -> char {
    match c {
        'a' => 'а',
        'c' => 'с',
        'e' => 'е',
        'i' => 'і',
        'o' => 'о',
        'p' => 'р',
        's' => 'ѕ',
        'x' => 'х',
        'y' => 'у',
        'A' => 'А',
        'E' => 'Е',
        'H' => 'Н',
        'I' => 'І',
        'O' => 'О',
        'P' => 'Р',
        'S' => 'Ѕ',
        'T' => 'Т',
        _ => c,
    }
}

fn spaced(text: &str, chance: &mut Chance) -> String {
    let sign = chance.one(&[" ", " ", ".", "-"]).copied().unwrap_or(" ");
    let letters = |word: &str| word.chars().map(String::from).collect::<Vec<_>>().join(sign);
    let wide = if chance.says(0.5) { "  " } else { " " };
    text.split_whitespace().map(letters).collect::<Vec<_>>().join(wide)
}

fn tag(c: char) -> char {
    if c.is_ascii_graphic() || c == ' ' { moved(c, 0xE_0000) } else { c }
}

fn by_word(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    text.split(' ').map(&mut change).collect::<Vec<_>>().join(" ")
}

fn scrambled(word: &str, chance: &mut Chance) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let last = letters.iter().rposition(|c| c.is_alphabetic()).unwrap_or(0);
    if last >= 3
        && letters.iter().take(last + 1).all(|c| c.is_alphabetic())
        && let Some(inner) = letters.get_mut(1..last)
    {
        chance.shuffle(inner);
    }
    letters.into_iter().collect()
}

fn rot13(c: char) -> char {
    match c {
        'a'..='m' | 'A'..='M' => moved(c, 13),
        'n'..='z' | 'N'..='Z' => char::from_u32(u32::from(c) - 13).unwrap_or(c),
        _ => c,
    }
}

const fn leet(c: char) -> char {
    match c {
        'a' | 'A' => '4',
        'e' | 'E' => '3',
        'i' | 'I' | 'l' => '1',
        'o' | 'O' => '0',
        's' | 'S' => '5',
        't' | 'T' => '7',
        _ => c,
    }
}

/// In the middle of harmless messages, some 1,400 characters of them.
fn hidden(text: &str, around: &[&str], chance: &mut Chance) -> String {
    let mut side = || {
        let mut out = String::new();
        while out.len() < 700 && !around.is_empty() {
            out.push_str(chance.one(around).copied().unwrap_or_default());
            out.push_str(". ");
        }
        out
    };
    format!("{}{text} {}", side(), side())
}
