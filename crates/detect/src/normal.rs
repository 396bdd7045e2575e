//! What matching sees of a character.
//!
//! Every character becomes one byte or nothing, by itself, so that it does not matter where a text is cut. Findings are
//! always given in the original text; the folding only decides what patterns and words match.
//!
//! | original | seen as |
//! | --- | --- |
//! | ASCII | itself |
//! | zero-width, soft hyphen, direction marks, variation selectors, combining marks | nothing |
//! | full-width, mathematical, circled, super- and subscript forms | the ASCII letter or digit |
//! | decimal digits of any script | the ASCII digit |
//! | Latin letters with marks | the letter without (`é` → `e`) |
//! | Cyrillic, Greek and Armenian letters that look like Latin ones | the Latin letter |
//! | Unicode spaces, line separators, dashes, dots, quotes | space, `\n`, `-`, `.`, `'` or `"` |
//! | letters of scripts written without spaces (Han, Kana, Hangul, Thai, …) | a byte from 0x80 up, no word character |
//! | other letters | `_`, a word character |
//! | anything else | [`OTHER`], no word character |
//!
//! The Unicode confusables data (UTS 39) was the guide for the look-alikes; only near-perfect ones are here.

use std::sync::LazyLock;

/// What a symbol without a meaning for matching is seen as.
pub(crate) const OTHER: u8 = 0x1A;

/// What matching sees of `c`; nothing if it is invisible.
pub(crate) fn fold(c: char) -> Option<u8> {
    match u8::try_from(c) {
        Ok(b) if b < 0x80 => Some(b),
        _ => fold_wide(u32::from(c), c),
    }
}

/// What is worked out once of the characters that most texts have that are not ASCII.
#[derive(Debug, Clone, Copy)]
struct Known {
    // What the text models see of it, if that is one character.
    plain: Option<char>,
    alphabetic: bool,
    alphanumeric: bool,
    twin: bool,
}

/// The first characters, up to those of East Asia, by their numbers.
static KNOWN: LazyLock<Box<[Known]>> = LazyLock::new(|| {
    (0..0x3000)
        .map(|cp| {
            let c = char::from_u32(cp).unwrap_or(' ');
            let (mut first, mut count) = (None, 0);
            work_out_plain(c, |plain| {
                first.get_or_insert(plain);
                count += 1;
            });
            Known {
                plain: first.filter(|_| count == 1),
                alphabetic: c.is_alphabetic(),
                alphanumeric: c.is_alphanumeric(),
                twin: latin_twin(c).is_some(),
            }
        })
        .collect()
});

/// Whether it is a letter.
pub(crate) fn is_alphabetic(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    KNOWN.get(c as usize).map_or_else(|| is_ideograph(c) || c.is_alphabetic(), |known| known.alphabetic)
}

/// Whether it is a letter or a digit.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    KNOWN.get(c as usize).map_or_else(|| is_ideograph(c) || c.is_alphanumeric(), |known| known.alphanumeric)
}

/// Whether it looks like a Latin letter.
pub(crate) fn has_latin_twin(c: char) -> bool {
    KNOWN.get(c as usize).map_or_else(|| latin_twin(c).is_some(), |known| known.twin)
}

const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FFF}')
}

/// What the text models see of `c`: as [`fold`], but letters of other scripts stay themselves, in lower case, and one
/// compatibility form may be several characters. Nothing if it is invisible.
pub(crate) fn each_plain(c: char, mut see: impl FnMut(char)) {
    match KNOWN.get(c as usize).and_then(|known| known.plain) {
        Some(plain) => see(plain),
        None => work_out_plain(c, see),
    }
}

fn work_out_plain(c: char, mut see: impl FnMut(char)) {
    let cp = u32::from(c);
    match cp {
        // Most of what is not ASCII, in texts that have much of it.
        0xC0..=0x17F => {
            if let Some(b) = latin(cp) {
                return see(char::from(b.to_ascii_lowercase()));
            }
        }
        0x4E00..=0x9FFF => return see(c),
        0xFF01..=0xFF5E => {
            if let Some(b) = form(cp) {
                return see(char::from(b.to_ascii_lowercase()));
            }
        }
        _ if is_invisible(cp) => return,
        _ => {}
    }
    let one = mark(cp).or_else(|| digit(cp)).or_else(|| form(cp)).or_else(|| latin(cp));
    if let Some(b) = one {
        return see(char::from(b.to_ascii_lowercase()));
    }
    unicode_normalization::char::decompose_compatible(c, |part| {
        if !is_invisible(u32::from(part)) {
            part.to_lowercase().for_each(&mut see);
        }
    });
}

/// The Latin letter that a letter of another script looks like, in lower case.
pub(crate) fn latin_twin(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    look_alike(c).or_else(|| capital_twin(c)).map(|b| char::from(b.to_ascii_lowercase()))
}

/// Letters of which only the capital looks like a Latin one.
fn capital_twin(c: char) -> Option<u8> {
    Some(match c {
        'в' => b'b',
        'м' => b'm',
        'н' => b'h',
        'т' => b't',
        'β' => b'b',
        'ε' => b'e',
        'ζ' => b'z',
        'η' => b'n',
        'μ' => b'm',
        'ѕ' => b's',
        _ => return None,
    })
}

/// What matching sees of a text.
pub(crate) fn folded(text: &str) -> Vec<u8> {
    text.chars().filter_map(fold).collect()
}

/// The same in lower case: how words and exact values are compared.
pub(crate) fn folded_lower(text: &str) -> Vec<u8> {
    let mut bytes = folded(text);
    bytes.make_ascii_lowercase();
    bytes
}

/// Whether patterns take the byte for a part of a word.
pub(crate) const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn fold_wide(cp: u32, c: char) -> Option<u8> {
    if is_invisible(cp) {
        return None;
    }
    let seen =
        mark(cp).or_else(|| digit(cp)).or_else(|| form(cp)).or_else(|| latin(cp)).or_else(|| look_alike(c));
    Some(seen.unwrap_or_else(|| other(cp, c)))
}

const fn is_invisible(cp: u32) -> bool {
    matches!(cp,
        0xAD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xE0000..=0xE0FFF
        // Combining marks.
        | 0x0300..=0x036F | 0x0483..=0x0489 | 0x0591..=0x05BD | 0x05BF | 0x05C1 | 0x05C2 | 0x05C4 | 0x05C5
        | 0x0610..=0x061A | 0x064B..=0x065F | 0x0670 | 0x06D6..=0x06DC | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF
        | 0x20D0..=0x20FF | 0xFE20..=0xFE2F | 0x3099 | 0x309A)
}

/// Spaces, line ends, punctuation.
const fn mark(cp: u32) -> Option<u8> {
    Some(match cp {
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => b' ',
        0x85 | 0x2028 | 0x2029 => b'\n',
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0xFE58 | 0xFE63 => b'-',
        0xB7 | 0x2022 | 0x2024 | 0x2219 | 0x22C5 | 0x3002 | 0x30FB | 0xFE52 | 0xFF61 | 0xFF65 => b'.',
        0x60C | 0x201A | 0x3001 | 0xFE50 => b',',
        0x2018 | 0x2019 | 0x201B | 0x2032 | 0x02BC | 0xB4 => b'\'',
        0x201C..=0x201F | 0x2033 | 0xAB | 0xBB => b'"',
        0x2044 | 0x2215 => b'/',
        0x2236 | 0xA789 | 0xFE55 => b':',
        0xFE6B => b'@',
        0xFE5F => b'#',
        0xFE62 => b'+',
        0x2217 | 0xFE61 => b'*',
        _ => return None,
    })
}

/// Zeros of the scripts that write decimal digits (Unicode category Nd, 16.0), in order.
const ZEROS: [u32; 41] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6,
    0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0,
    0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30,
    0x11066, 0x1E950, 0x1FBF0,
];

fn digit(cp: u32) -> Option<u8> {
    let value = match cp {
        0xB2 | 0xB3 => cp - 0xB0,
        0xB9 => 1,
        0x2070 | 0x24EA | 0x24FF => 0,
        0x2074..=0x2079 => cp - 0x2070,
        0x2080..=0x2089 => cp - 0x2080,
        0x2460..=0x2468 => cp - 0x245F,
        0x2474..=0x247C => cp - 0x2473,
        0x2488..=0x2490 => cp - 0x2487,
        0x24F5..=0x24FD => cp - 0x24F4,
        0x2776..=0x277E => cp - 0x2775,
        0x2780..=0x2788 => cp - 0x277F,
        0x278A..=0x2792 => cp - 0x2789,
        0x1D7CE..=0x1D7FF => (cp - 0x1D7CE) % 10,
        ..0x0660 => return None,
        _ => {
            let next = ZEROS.partition_point(|zero| *zero <= cp);
            let zero = ZEROS.get(next.checked_sub(1)?)?;
            if cp - zero > 9 {
                return None;
            }
            cp - zero
        }
    };
    u8::try_from(value).ok().map(|d| b'0' + d)
}

/// Full-width, mathematical, circled and other styled forms of ASCII.
fn form(cp: u32) -> Option<u8> {
    let upper = |n: u32| u8::try_from(n).ok().filter(|n| *n < 26).map(|n| b'A' + n);
    let lower = |n: u32| u8::try_from(n).ok().filter(|n| *n < 26).map(|n| b'a' + n);
    match cp {
        0xFF01..=0xFF5E => u8::try_from(cp - 0xFEE0).ok(),
        0x1D400..=0x1D6A3 => {
            let n = (cp - 0x1D400) % 52;
            if n < 26 { upper(n) } else { lower(n - 26) }
        }
        0x249C..=0x24B5 => lower(cp - 0x249C),
        0x24B6..=0x24CF => upper(cp - 0x24B6),
        0x24D0..=0x24E9 => lower(cp - 0x24D0),
        0x1F110..=0x1F129 => upper(cp - 0x1F110),
        0x1F130..=0x1F149 => upper(cp - 0x1F130),
        0x1F150..=0x1F169 => upper(cp - 0x1F150),
        0x1F170..=0x1F189 => upper(cp - 0x1F170),
        // Letter-like symbols, which fill the holes of the mathematical alphabets.
        0x2102 | 0x212D => Some(b'C'),
        0x210A => Some(b'g'),
        0x210B..=0x210D => Some(b'H'),
        0x210E => Some(b'h'),
        0x2110 | 0x2111 => Some(b'I'),
        0x2112 => Some(b'L'),
        0x2113 => Some(b'l'),
        0x2115 => Some(b'N'),
        0x2119 => Some(b'P'),
        0x211A => Some(b'Q'),
        0x211B..=0x211D => Some(b'R'),
        0x2124 | 0x2128 => Some(b'Z'),
        0x212A => Some(b'K'),
        0x212B => Some(b'A'),
        0x212C => Some(b'B'),
        0x212F => Some(b'e'),
        0x2130 => Some(b'E'),
        0x2131 => Some(b'F'),
        0x2133 => Some(b'M'),
        0x2134 => Some(b'o'),
        0x2139 => Some(b'i'),
        _ => None,
    }
}

/// U+00C0 to U+017F; `*` where there is no letter.
const LATIN: &[u8; 192] = b"AAAAAAACEEEEIIIIDNOOOOO*OUUUUYTsaaaaaaaceeeeiiiidnooooo*ouuuuyty\
AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiJjJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOo\
RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

/// Runs of letters with marks that alternate upper and lower case, upper first: first, last, letter.
const LATIN_RUNS: [(u32, u32, u8); 43] = [
    (0x01CD, 0x01CE, b'A'),
    (0x01CF, 0x01D0, b'I'),
    (0x01D1, 0x01D2, b'O'),
    (0x01D3, 0x01DC, b'U'),
    (0x0218, 0x0219, b'S'),
    (0x021A, 0x021B, b'T'),
    (0x1E00, 0x1E01, b'A'),
    (0x1E02, 0x1E07, b'B'),
    (0x1E08, 0x1E09, b'C'),
    (0x1E0A, 0x1E13, b'D'),
    (0x1E14, 0x1E1D, b'E'),
    (0x1E1E, 0x1E1F, b'F'),
    (0x1E20, 0x1E21, b'G'),
    (0x1E22, 0x1E2B, b'H'),
    (0x1E2C, 0x1E2F, b'I'),
    (0x1E30, 0x1E35, b'K'),
    (0x1E36, 0x1E3D, b'L'),
    (0x1E3E, 0x1E43, b'M'),
    (0x1E44, 0x1E4B, b'N'),
    (0x1E4C, 0x1E53, b'O'),
    (0x1E54, 0x1E57, b'P'),
    (0x1E58, 0x1E5F, b'R'),
    (0x1E60, 0x1E69, b'S'),
    (0x1E6A, 0x1E71, b'T'),
    (0x1E72, 0x1E7B, b'U'),
    (0x1E7C, 0x1E7F, b'V'),
    (0x1E80, 0x1E89, b'W'),
    (0x1E8A, 0x1E8D, b'X'),
    (0x1E8E, 0x1E8F, b'Y'),
    (0x1E90, 0x1E95, b'Z'),
    (0x1E96, 0x1E96, b'H'),
    (0x1E97, 0x1E97, b'T'),
    (0x1E98, 0x1E98, b'W'),
    (0x1E99, 0x1E99, b'Y'),
    (0x1E9E, 0x1E9E, b'S'),
    (0x1EA0, 0x1EB7, b'A'),
    (0x1EB8, 0x1EC7, b'E'),
    (0x1EC8, 0x1ECB, b'I'),
    (0x1ECC, 0x1EE3, b'O'),
    (0x1EE4, 0x1EF1, b'U'),
    (0x1EF2, 0x1EF9, b'Y'),
    (0x1EFA, 0x1EFB, b'L'),
    (0x1EFE, 0x1EFF, b'Y'),
];

fn latin(cp: u32) -> Option<u8> {
    match cp {
        0xAA => return Some(b'a'),
        0xBA => return Some(b'o'),
        0xC0..=0x17F => {
            let letter = LATIN.get(usize::try_from(cp - 0xC0).ok()?)?;
            return (*letter != b'*').then_some(*letter);
        }
        _ => {}
    }
    if !matches!(cp, 0x01CD..=0x021B | 0x1E00..=0x1EFF) {
        return None;
    }
    let (first, _, letter) = LATIN_RUNS.iter().find(|(first, last, _)| (*first..=*last).contains(&cp))?;
    // 1E96..1E99 are lower case without a partner.
    let lower = (cp - first) % 2 == 1 || (0x1E96..=0x1E99).contains(&cp);
    Some(if lower { letter.to_ascii_lowercase() } else { *letter })
}

fn look_alike(c: char) -> Option<u8> {
    Some(match c {
        // Cyrillic.
        'А' => b'A',
        'В' => b'B',
        'Е' | 'Ё' | 'Ѐ' => b'E',
        'Ѕ' => b'S',
        'І' | 'Ї' | 'Ӏ' => b'I',
        'Ј' => b'J',
        'К' | 'Ќ' => b'K',
        'М' => b'M',
        'Н' => b'H',
        'О' => b'O',
        'Р' => b'P',
        'С' => b'C',
        'Т' => b'T',
        'У' | 'Ү' => b'Y',
        'Х' => b'X',
        'Ԛ' => b'Q',
        'Ԝ' => b'W',
        'а' => b'a',
        'е' | 'ё' | 'ѐ' => b'e',
        'ѕ' => b's',
        'і' | 'ї' => b'i',
        'ј' => b'j',
        'к' | 'ќ' => b'k',
        'о' => b'o',
        'р' => b'p',
        'с' => b'c',
        'у' | 'ү' => b'y',
        'х' => b'x',
        'ѵ' => b'v',
        'һ' => b'h',
        'ԁ' => b'd',
        'ԛ' => b'q',
        'ԝ' => b'w',
        'ӏ' => b'l',
        // Greek.
        'Α' | 'Ά' => b'A',
        'Β' => b'B',
        'Ε' | 'Έ' => b'E',
        'Ζ' => b'Z',
        'Η' | 'Ή' => b'H',
        'Ι' | 'Ί' | 'Ϊ' => b'I',
        'Κ' => b'K',
        'Μ' => b'M',
        'Ν' => b'N',
        'Ο' | 'Ό' => b'O',
        'Ρ' => b'P',
        'Τ' => b'T',
        'Υ' | 'Ύ' | 'Ϋ' => b'Y',
        'Χ' => b'X',
        'Ϲ' => b'C',
        'Ϳ' => b'J',
        'α' | 'ά' => b'a',
        'ι' | 'ί' | 'ϊ' | 'ΐ' => b'i',
        'κ' => b'k',
        'ν' => b'v',
        'ο' | 'ό' => b'o',
        'ρ' => b'p',
        'τ' => b't',
        'υ' | 'ύ' | 'ϋ' | 'ΰ' => b'u',
        'χ' => b'x',
        'ϲ' => b'c',
        'ϳ' => b'j',
        // Armenian, and Latin letters outside the runs above.
        'օ' => b'o',
        'ս' => b'u',
        'հ' => b'h',
        'ո' => b'n',
        'Օ' => b'O',
        'Տ' => b'S',
        'ɑ' => b'a',
        'ɡ' => b'g',
        'ɩ' => b'i',
        'ʏ' => b'y',
        'ƿ' => b'p',
        _ => return None,
    })
}

fn other(cp: u32, c: char) -> u8 {
    let spaceless = matches!(cp,
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x2E80..=0x2FDF | 0x3005..=0x3007
        | 0x3041..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F | 0xAC00..=0xD7FF | 0xF900..=0xFAFF
        | 0xFF66..=0xFFDC | 0x20000..=0x3FFFF);
    if spaceless {
        // The low bits tell characters apart well enough for context words of two and more.
        0x80 | u8::try_from(cp & 0x7F).unwrap_or(0)
    } else if c.is_alphabetic() {
        b'_'
    } else {
        OTHER
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> String {
        folded(text).into_iter().map(char::from).collect()
    }

    #[test]
    fn hidden_values_are_seen() {
        assert_eq!(seen("4\u{200B}1\u{AD}1\u{FEFF}1"), "4111");
        assert_eq!(seen("４１１１　＠"), "4111 @");
        assert_eq!(seen("٤١١١ ४१ 𝟒𝟏𝟏𝟏 ①②⑨⓪ ²³¹⁰₄ 4️⃣"), "4111 41 4111 1290 23104 4");
        assert_eq!(seen("аpple Αpple раураl"), "apple Apple paypal");
        assert_eq!(seen("𝓳𝓸𝓮@𝔢𝔵"), "joe@ex");
        assert_eq!(seen("555\u{2011}12\u{2013}34\u{A0}5"), "555-12-34 5");
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(seen("Łukasz Müller Đặng Ÿ ß œ"), "Lukasz Muller Dang Y s o");
        assert_eq!(seen("жук"), "_yk");
        assert!(folded("电话番号").iter().all(|b| *b >= 0x80));
        assert_eq!(seen("😀€"), "\u{1A}\u{1A}");
        assert_eq!(seen("e\u{301}"), "e");
    }

    #[test]
    fn tables_are_in_order() {
        assert!(ZEROS.is_sorted());
        assert!(LATIN_RUNS.is_sorted());
        for zero in ZEROS {
            let c = char::from_u32(zero).unwrap();
            assert_eq!(digit(zero), Some(b'0'), "{c}");
            assert_eq!(digit(zero + 9), Some(b'9'), "{c}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_the_sum_of_its_characters(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            let mut sum = folded(&a);
            sum.extend(folded(&b));
            prop_assert_eq!(sum, folded(&format!("{a}{b}")));
        }
    }
}
