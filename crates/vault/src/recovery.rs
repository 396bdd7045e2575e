//! The recovery kit: the operator's key as groups of letters and digits, for paper.
//!
//! 32 bytes are 52 characters of Crockford's base 32 (no I, L, O, U), in 13 groups of four, each with a fifth one that checks
//! it: a sum over GF(32) in which every place has a weight of its own and every group an offset, so that any one wrong character,
//! any two neighbours that changed places, and any two groups that did, are found, and it is said in which group. What three
//! mistakes hide in one group is found by the seal file, which opens under no other key.

use zeroize::Zeroizing;

use crate::key::Secret;
use crate::seal::{OperatorKey, SealError};

/// Crockford's alphabet.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Groups of a kit.
const GROUPS: usize = 13;
/// Characters of a group without its check.
const DATA: usize = 4;

/// What is wrong with a kit that was typed in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// Not as many groups as there should be.
    #[error("there are {found} groups of characters, and there should be {GROUPS}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// Groups hold a mistake; counted from 1.
    #[error("a mistake is in group {}: compare with the paper", .groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(", in group "))]
    Groups {
        /// Which.
        groups: Vec<usize>,
    },
}

/// The operator's key in a form for paper. Shown once, to its owner.
pub struct RecoveryKit {
    groups: Zeroizing<Vec<String>>,
    check_value: String,
}

impl std::fmt::Debug for RecoveryKit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { groups: _, check_value } = self;
        write!(f, "RecoveryKit({check_value})")
    }
}

impl RecoveryKit {
    /// The groups, five characters each.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Tells this key from another without saying anything of it: 16 hex digits, which also stand in the seal file.
    pub fn check_value(&self) -> &str {
        &self.check_value
    }
}

impl OperatorKey {
    /// The key in groups for paper.
    ///
    /// # Errors
    /// The cipher library's.
    pub fn kit(&self) -> Result<RecoveryKit, SealError> {
        let mut digits = Zeroizing::new(Vec::with_capacity(GROUPS * DATA));
        let (mut held, mut bits) = (Zeroizing::new(0u32), 0);
        for byte in self.secret().bytes() {
            *held = (*held << 8 | u32::from(*byte)) & 0xfff;
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                digits.push(low_five(*held >> bits));
            }
        }
        digits.push(low_five(*held << (5 - bits)));
        let mut groups = Zeroizing::new(Vec::with_capacity(GROUPS));
        for (n, data) in digits.chunks(DATA).enumerate() {
            let letters = data.iter().copied().chain([check(n, data)]);
            groups.push(letters.map(letter).collect());
        }
        Ok(RecoveryKit { groups, check_value: self.root()?.check_value()? })
    }

    /// The key that was written down as these groups. Case, and what stands between the groups, do not matter; `I` and `L` are read as 1, `O` as 0.
    ///
    /// # Errors
    /// [`KitError`] says in which groups the mistakes are.
    pub fn from_groups(text: &str) -> Result<Self, KitError> {
        let mut groups: Vec<Zeroizing<String>> = (text.split(|c: char| !c.is_ascii_alphanumeric()))
            .filter(|group| !group.is_empty())
            .map(|group| Zeroizing::new(group.to_owned()))
            .collect();
        // All in one, or in other pieces.
        let all = Zeroizing::new(groups.iter().map(|group| group.as_str()).collect::<String>());
        if groups.len() != GROUPS && all.len() == GROUPS * (DATA + 1) {
            let pieces = all.as_bytes().chunks(DATA + 1);
            groups =
                pieces.map(|piece| Zeroizing::new(String::from_utf8_lossy(piece).into_owned())).collect();
        }
        if groups.len() != GROUPS {
            return Err(KitError::Count { found: groups.len() });
        }
        let mut wrong = Vec::new();
        let mut digits = Zeroizing::new(Vec::with_capacity(GROUPS * DATA));
        for (n, group) in groups.iter().enumerate() {
            let read =
                Zeroizing::new(group.bytes().map(digit).collect::<Option<Vec<u8>>>().unwrap_or_default());
            match read.split_at_checked(DATA) {
                Some((data, [sum])) if check(n, data) == *sum => digits.extend_from_slice(data),
                _ => wrong.push(n + 1),
            }
        }
        if !wrong.is_empty() {
            return Err(KitError::Groups { groups: wrong });
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        let (mut held, mut bits, mut at) = (Zeroizing::new(0u32), 0, bytes.iter_mut());
        for digit in digits.iter() {
            *held = (*held << 5 | u32::from(*digit)) & 0xfff;
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                if let Some(byte) = at.next() {
                    *byte = u8::try_from(*held >> bits & 0xff).unwrap_or(0);
                }
            }
        }
        // The last four bits carry nothing.
        if *held & 0xf != 0 {
            return Err(KitError::Groups { groups: vec![GROUPS] });
        }
        Ok(Self::of(Secret::copy_of(&bytes)))
    }
}

fn low_five(n: u32) -> u8 {
    u8::try_from(n & 31).unwrap_or(0)
}

fn letter(digit: u8) -> char {
    ALPHABET.get(usize::from(digit)).map_or('?', |byte| char::from(*byte))
}

fn digit(letter: u8) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        b'I' | b'L' => b'1',
        b'O' => b'0',
        other => other,
    };
    ALPHABET.iter().position(|known| *known == letter).and_then(|n| u8::try_from(n).ok())
}

/// The check of group `n`: a sum with the weights 2, 4, 8, 16 of GF(32), and `n + 1`.
fn check(n: usize, data: &[u8]) -> u8 {
    let mut sum = u8::try_from(n + 1).unwrap_or(0);
    for (place, digit) in data.iter().enumerate() {
        let mut term = *digit;
        for _ in 0..=place {
            term = double(term);
        }
        sum ^= term;
    }
    sum
}

/// Twice a number in GF(32) modulo x^5 + x^2 + 1.
fn double(n: u8) -> u8 {
    let twice = n << 1;
    if twice & 32 == 0 { twice } else { (twice ^ 0b10_0101) & 31 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> OperatorKey {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(0u8..).for_each(|(byte, at)| *byte = at.wrapping_mul(37).wrapping_add(n));
        OperatorKey::from_bytes(&bytes)
    }

    fn value(key: &OperatorKey) -> String {
        key.root().unwrap().check_value().unwrap()
    }

    #[test]
    fn what_is_printed_is_read_however_it_is_typed() {
        for n in 0..=255 {
            let key = key(n);
            let kit = key.kit().unwrap();
            assert!(kit.groups().len() == GROUPS && kit.groups().iter().all(|group| group.len() == 5));
            assert_eq!(kit.check_value(), value(&key));
            for text in
                [kit.groups().join(" "), kit.groups().join("-\n").to_lowercase(), kit.groups().concat()]
            {
                assert_eq!(value(&OperatorKey::from_groups(&text).unwrap()), value(&key));
            }
            let alike = kit.groups().join(" ").replace('1', "l").replace('0', "o");
            assert_eq!(value(&OperatorKey::from_groups(&alike).unwrap()), value(&key));
        }
    }

    #[test]
    fn every_slip_is_found_in_its_group() {
        let kit = key(9).kit().unwrap();
        let text = kit.groups().join(" ").into_bytes();
        let wrong_in = |text: &[u8]| match OperatorKey::from_groups(std::str::from_utf8(text).unwrap()) {
            Err(KitError::Groups { groups }) => groups,
            other => panic!("{other:?}"),
        };
        for at in (0..text.len()).filter(|at| text[*at] != b' ') {
            for other in ALPHABET.iter().filter(|other| **other != text[at]) {
                let mut slip = text.clone();
                slip[at] = *other;
                assert_eq!(wrong_in(&slip), [at / 6 + 1], "{at}");
            }
            if at + 1 < text.len() && text[at + 1] != b' ' && text[at] != text[at + 1] {
                let mut slip = text.clone();
                slip.swap(at, at + 1);
                assert_eq!(wrong_in(&slip), [at / 6 + 1], "{at}");
            }
        }
        let mut groups = kit.groups().to_vec();
        groups.swap(2, 7);
        assert_eq!(wrong_in(groups.join(" ").as_bytes()), [3, 8]);
        groups.pop();
        assert!(matches!(OperatorKey::from_groups(&groups.join(" ")), Err(KitError::Count { found: 12 })));
        assert!(matches!(OperatorKey::from_groups(""), Err(KitError::Count { found: 0 })));
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", key(1)), "OperatorKey");
        assert!(!format!("{:?}", key(1).kit().unwrap()).contains(&key(1).kit().unwrap().groups()[0]));
    }
}
