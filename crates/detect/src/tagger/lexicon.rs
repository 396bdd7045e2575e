//! Lists of names, places and firms: which words and phrases stand in which list.
//!
//! One table of words known by their hash, used where it lies. A slot is four bytes: thirteen bits by which the word is
//! known again, eight bits for the family of words it belongs to, and eleven bits of lists. One word in some two thousand
//! is taken for another: all of this is hints.

use super::token::Token;

/// Bits of the lists. The last one marks a word with which a longer phrase begins.
pub mod list {
    /// Frequent given names.
    pub const GIVEN: u16 = 1;
    /// Any given name.
    pub const GIVEN_RARE: u16 = 1 << 1;
    /// Frequent family names.
    pub const FAMILY: u16 = 1 << 2;
    /// Any family name.
    pub const FAMILY_RARE: u16 = 1 << 3;
    /// Large towns.
    pub const TOWN: u16 = 1 << 4;
    /// Any town.
    pub const TOWN_RARE: u16 = 1 << 5;
    /// Countries, states, counties.
    pub const REGION: u16 = 1 << 6;
    /// Firms and brands.
    pub const FIRM: u16 = 1 << 7;
    /// Words for streets and parts of houses.
    pub const STREET: u16 = 1 << 8;
    /// Often used, hardly ever in a name.
    pub const COMMON: u16 = 1 << 9;
    /// A longer phrase begins with it.
    pub const BEGINS: u16 = 1 << 10;
}

/// Bytes of a slot.
pub(crate) const SLOT: usize = 4;
/// Bits of a slot that are lists; above them stands the family.
const LISTS: u32 = 11;
/// Bits of a slot below those by which the word is known again.
const BELOW: u32 = LISTS + 8;
/// So many slots are looked at.
const PROBES: usize = 24;

/// The table, where it lies.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lexicon<'a> {
    slots: &'a [u8],
}

/// Hash of a phrase that goes on with this word.
pub const fn phrase_hash(head: u32, next: u32) -> u32 {
    (head.rotate_left(7) ^ next).wrapping_mul(0x9E37_79B1).rotate_left(13)
}

#[expect(clippy::cast_possible_truncation, reason = "products of 32-bit numbers, shifted down")]
const fn place(hash: u32, slots: usize) -> (usize, u32) {
    let spread = (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let first = ((spread >> 32) * slots as u64) >> 32;
    // Never 0, so that a slot in use is never 0.
    (first as usize, 1 + (spread as u32 >> 4) % 0x1FFF)
}

impl<'a> Lexicon<'a> {
    /// A lexicon over these slots.
    pub(crate) const fn new(slots: &'a [u8]) -> Self {
        Self { slots }
    }

    /// The lists in which something with this hash stands, and the family of words it belongs to (0 for none).
    pub(crate) fn lists(&self, hash: u32) -> (u16, u8) {
        let count = self.slots.len() / SLOT;
        if count == 0 {
            return (0, 0);
        }
        let (mut at, known) = place(hash, count);
        for _ in 0..PROBES {
            let Some(slot) = self.slots.get(at * SLOT..).and_then(|s| s.first_chunk()).copied() else {
                return (0, 0);
            };
            let slot = u32::from_le_bytes(slot);
            if slot == 0 {
                return (0, 0);
            }
            if slot >> BELOW == known {
                let lists = u16::try_from(slot & 0x7FF).unwrap_or_default();
                return (lists, u8::try_from(slot >> LISTS & 0xFF).unwrap_or_default());
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        (0, 0)
    }

    /// Notes which phrases begin at the first of these tokens; each token learns of the phrases that cover it.
    pub(crate) fn phrases(&self, tokens: &mut [Token]) {
        let Some(first) = tokens.first() else { return };
        let (mut hash, lists) = (first.word, first.lists);
        if let Some(first) = tokens.first_mut() {
            first.phrase |= u32::from(lists & !list::BEGINS);
        }
        if lists & list::BEGINS == 0 {
            return;
        }
        for length in 2..=tokens.len().min(3) {
            let Some(next) = tokens.get(length - 1) else { return };
            hash = phrase_hash(hash, next.word);
            let lists = self.lists(hash).0 & !list::BEGINS;
            if lists == 0 {
                continue;
            }
            for (i, token) in tokens.iter_mut().take(length).enumerate() {
                // The first word of a phrase, or one that goes on with it.
                token.phrase |= u32::from(lists & !list::COMMON) << if i == 0 { 11 } else { 21 };
            }
        }
    }
}

/// Slots for these hashes: their lists (below 2048) and their families. Those that find no place are left out.
pub fn slots(entries: &[(u32, u16, u8)], count: usize) -> (Vec<u8>, usize) {
    let mut table = vec![0_u32; count];
    let mut lost = 0;
    for (hash, bits, family) in entries {
        let (mut at, known) = place(*hash, count.max(1));
        let mut placed = false;
        for _ in 0..PROBES {
            let Some(slot) = table.get_mut(at) else { break };
            if *slot == 0 {
                *slot = known << BELOW | u32::from(*family) << LISTS | u32::from(bits & 0x7FF);
                placed = true;
                break;
            }
            if *slot >> BELOW == known {
                // Two words that cannot be told apart: they share their lists.
                *slot |= u32::from(bits & 0x7FF);
                placed = true;
                break;
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        lost += usize::from(!placed);
    }
    (table.iter().flat_map(|slot| slot.to_le_bytes()).collect(), lost)
}
