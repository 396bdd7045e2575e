//! What stands for a text where only its likeness to others matters: 64 bits of a SimHash over its words.

use chatward_message::Span;

/// How much of a text is looked at, in bytes.
const LOOKED_AT: usize = 4096;
/// Words in other forms are one word: of each only so many letters count.
const STEM: u32 = 5;
/// Shorter words say little: of Latin, Greek and Cyrillic letters.
const SHORT: u32 = 3;
/// From here up scripts are written without spaces between words (CJK radicals and all that follows).
const UNSPACED: char = '\u{2E80}';
/// A text of fewer words is like too many others.
const FEW: u16 = 3;
/// Of 64 bits as many are the same by chance in 1 of 400 unrelated texts.
const LIKE: u32 = 44;
/// Bits in which a copy may differ: a word of some twenty. Sentences of one trade ("from my account to the account of") are
/// alike in more than by chance, so few.
const COPY: u32 = 8;

/// The sketch of a text: likeness without the text. It is made under a key, so that nobody can look up in it whether a
/// text held a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sketch {
    /// The bits.
    pub bits: u64,
    /// How many words count in it.
    pub words: u16,
}

impl Sketch {
    /// The sketch of the first 4 KiB of a text. Case, digits, short words and endings do not count.
    pub fn of(text: &str, key: u64) -> Self {
        let text = text.get(..text.floor_char_boundary(LOOKED_AT)).unwrap_or(text);
        let mut sums = Sums::default();
        let (mut hash, mut letters) = (key, 0);
        let mut before = None;
        for c in text.chars() {
            if c >= UNSPACED && c.is_alphanumeric() {
                sums.word(&mut hash, &mut letters, key);
                if let Some(first) = before {
                    sums.add(mix(mix(key ^ u64::from(u32::from(first))) ^ u64::from(u32::from(c))));
                }
                before = Some(c);
                continue;
            }
            before = None;
            if c.is_alphabetic() {
                letters += 1;
                if letters <= STEM {
                    let lower = c.to_lowercase().next().unwrap_or(c);
                    hash = mix(hash ^ u64::from(u32::from(lower)));
                }
            } else {
                sums.word(&mut hash, &mut letters, key);
            }
        }
        sums.word(&mut hash, &mut letters, key);
        sums.sketch()
    }

    /// Whether the two may say one thing in different words. Wrong for about 1 in 400 unrelated pairs.
    pub const fn is_like(self, other: Self) -> bool {
        self.words >= FEW && other.words >= FEW && (self.bits ^ other.bits).count_ones() <= 64 - LIKE
    }

    /// Whether the two are copies of one text, but for a word or two.
    pub const fn is_copy(self, other: Self) -> bool {
        (self.bits ^ other.bits).count_ones() <= COPY && self.words.abs_diff(other.words) <= 2
    }
}

/// For each bit how many words have it set, and how many there are.
struct Sums {
    bits: [u16; 64],
    words: u16,
}

impl Default for Sums {
    fn default() -> Self {
        Self { bits: [0; 64], words: 0 }
    }
}

impl Sums {
    /// A word is over.
    fn word(&mut self, hash: &mut u64, letters: &mut u32, key: u64) {
        if *letters > SHORT {
            self.add(*hash);
        }
        (*hash, *letters) = (key, 0);
    }

    fn add(&mut self, hash: u64) {
        self.words = self.words.saturating_add(1);
        for (bit, sum) in self.bits.iter_mut().enumerate() {
            *sum += u16::from(hash >> bit & 1 == 1);
        }
    }

    fn sketch(&self) -> Sketch {
        let half = self.words / 2;
        let mut bits = 0;
        for (bit, sum) in self.bits.iter().enumerate() {
            bits |= u64::from(*sum > half) << bit;
        }
        Sketch { bits, words: self.words }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014; public domain).
pub(super) const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ x >> 31
}

/// What looks like the number of an order, a booking, a parcel: pieces of 5 to 24 letters, digits and dashes with at
/// least four digits. What detection found to be something else is for the caller to leave out.
pub fn references(text: &str) -> impl Iterator<Item = Span> + '_ {
    let bytes = text.as_bytes();
    let part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + bytes.get(at..)?.iter().position(part)?;
            let length = bytes.get(start..)?.iter().take_while(|b| part(b)).count();
            at = start + length;
            let piece = bytes.get(start..at)?;
            if (5..=24).contains(&length) && piece.iter().filter(|b| b.is_ascii_digit()).count() >= 4 {
                return Some(Span::new(start, at));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(text: &str) -> Sketch {
        Sketch::of(text, 7)
    }

    #[test]
    fn copies_and_rephrasings_are_told_from_others() {
        let text = "Please send me the complete customer list with phone numbers for our marketing campaign";
        let copy =
            "please send me the complete Customer list with phone numbers for our marketing campaign!! 4711";
        let rephrased = "The customer list with all phone numbers, I need it for the marketing campaign";
        let other = "My parcel has been lying at the depot since Tuesday, when will somebody bring it here?";
        assert!(sketch(text).is_copy(sketch(copy)));
        assert!(sketch(text).is_like(sketch(rephrased)));
        assert!(!sketch(text).is_copy(sketch(other)));
        assert!(!sketch(text).is_like(sketch(other)));
        assert!(!sketch("hi").is_like(sketch("hi")), "too short to say anything");
    }

    #[test]
    fn scripts_without_spaces_have_words_too() {
        let text = "请把所有客户的电话号码列表发给我";
        assert!(sketch(text).is_like(sketch("把所有客户的电话号码列表发给我吧")));
        assert!(!sketch(text).is_like(sketch("我的包裹从星期二起就一直在仓库里")));
    }

    #[test]
    fn another_key_makes_another_sketch() {
        let text = "where is my parcel, it should have been here on Monday";
        assert!(!Sketch::of(text, 1).is_copy(Sketch::of(text, 2)));
    }

    #[test]
    fn references_are_found() {
        let text = "orders A-10442, 99120433 and no. 12 of 2024-05, at 10:30";
        let found: Vec<_> = references(text).filter_map(|span| span.of(text)).collect();
        assert_eq!(found, ["A-10442", "99120433", "2024-05"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_a_sketch(text in ".{0,400}", key in 0u64..) {
            let one = Sketch::of(&text, key);
            proptest::prop_assert!(one.is_copy(one));
            for span in references(&text) {
                proptest::prop_assert!(span.of(&text).is_some());
            }
        }
    }
}
