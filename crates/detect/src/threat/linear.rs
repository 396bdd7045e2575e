//! Linear models over hashed features, used where they lie in the program.
//!
//! The file: `CHWTHRT1`, SHA-256 of the rest, the number of ordinary words and their bytes (UTF-8, a line each), for each head
//! its offset, unit and thresholds; then for each feature a byte for each of the two main heads, and for each eight features
//! a row of bytes for the heads that tell kinds apart. A byte is the square root of a weight, with its sign, in units of the
//! head: that keeps small weights apart, of which there are most.

use chatward_message::{Channel, Threat};

use super::grams::BITS;

/// First bytes of the file.
pub const MAGIC: &[u8; 8] = b"CHWTHRT1";
/// Heads that every text is scored by.
pub const MAIN: usize = 2;
/// Heads that tell kinds apart, with room for more.
pub const KINDS: usize = 8;
/// All of them.
pub const HEADS: usize = MAIN + KINDS;
/// Features of the main heads.
const FEATURES: usize = 1 << BITS;
/// So many features of the main heads are one for the others.
const SHARED: u32 = 3;
/// Features of the others.
const SHORT: usize = FEATURES >> SHARED;

/// What a head tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Head {
    /// Attacks on the bot's instructions, of either kind.
    Prompt,
    /// Attacks on people: phishing, social engineering, fraud.
    People,
    /// Which of them it is.
    Of(Threat),
}

/// The heads in their order, the main ones first.
pub const ORDER: [Head; 7] = [
    Head::Prompt,
    Head::People,
    Head::Of(Threat::PromptInjection),
    Head::Of(Threat::Jailbreak),
    Head::Of(Threat::Phishing),
    Head::Of(Threat::SocialEngineering),
    Head::Of(Threat::Scam),
];

/// What a head's sum is made a score with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scale {
    /// Added to every sum.
    pub offset: f32,
    /// Weight of one unit.
    pub unit: f32,
    /// The sums that one in a hundred and one in a thousand harmless texts of each channel reach.
    pub reached: [[f32; 2]; 3],
}

/// The models.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    scales: [Scale; HEADS],
    main: &'static [u8],
    kinds: &'static [u8],
    words: &'static str,
    hash: &'static [u8],
}

/// Why a file of models is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the models of threats are damaged: {0}")]
pub struct Damaged(&'static str);

/// The feature as the heads know it that tell kinds apart.
pub const fn short(feature: u32) -> u32 {
    feature >> SHARED
}

fn row<const N: usize>(rows: &[u8], place: u32) -> [i8; N] {
    let (rows, _) = rows.as_chunks::<N>();
    rows.get(place as usize).map_or([0; N], |row| row.map(u8::cast_signed))
}

fn number(bytes: &mut &'static [u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}

impl Linear {
    /// The models in these bytes. Their hash is held by the trainer and a test.
    pub fn new(bytes: &'static [u8]) -> Result<Self, Damaged> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Damaged("its first bytes"))?;
        let (hash, mut rest) = rest.split_at_checked(32).ok_or(Damaged("its length"))?;
        let length = number(&mut rest).ok_or(Damaged("its length"))? as usize;
        let (words, mut rest) = rest.split_at_checked(length).ok_or(Damaged("its words"))?;
        let mut scales = [Scale::default(); HEADS];
        for scale in &mut scales {
            let mut next =
                || number(&mut rest).map(f32::from_bits).filter(|n| n.is_finite()).ok_or(Damaged("a number"));
            *scale = Scale {
                offset: next()?,
                unit: next()?,
                reached: [[next()?, next()?], [next()?, next()?], [next()?, next()?]],
            };
        }
        let (main, kinds) = rest.split_at_checked(FEATURES * MAIN).ok_or(Damaged("its rows"))?;
        if kinds.len() != SHORT * KINDS {
            return Err(Damaged("its rows"));
        }
        let words = std::str::from_utf8(words).map_err(|_| Damaged("its words"))?;
        Ok(Self { scales, main, kinds, words, hash })
    }

    /// The ordinary words by which disguises are told.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.words.lines()
    }

    /// First bytes of the hash of the file, in hexadecimal: the name of these models.
    pub fn name(&self) -> String {
        self.hash.iter().take(6).map(|b| format!("{b:02x}")).collect()
    }

    /// What a feature weighs for the main heads.
    pub(super) fn main(&self, feature: u32) -> [i8; MAIN] {
        row(self.main, feature)
    }

    /// What it weighs for those that tell kinds apart.
    pub(super) fn kinds(&self, feature: u32) -> [i8; KINDS] {
        row(self.kinds, short(feature))
    }

    /// The scale of a head.
    pub(super) fn scale(&self, head: usize) -> Scale {
        self.scales.get(head).copied().unwrap_or_default()
    }
}

/// Writes a file of models: of each head its scale and its weights in full, which are rounded here.
pub fn file(words: &str, heads: &[(Scale, Vec<f32>)], hash: impl FnOnce(&[u8]) -> [u8; 32]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(FEATURES * MAIN + SHORT * KINDS + words.len() + 1024);
    rest.extend(u32::try_from(words.len()).unwrap_or(0).to_le_bytes());
    rest.extend(words.as_bytes());
    let units: Vec<f32> =
        (0..HEADS).map(|head| heads.get(head).map_or(0.0, |(_, weights)| unit(weights))).collect();
    for (head, unit) in units.iter().enumerate() {
        let scale = heads.get(head).map_or_else(Scale::default, |(scale, _)| *scale);
        let numbers = [scale.offset, *unit].into_iter().chain(scale.reached.into_iter().flatten());
        numbers.for_each(|n| rest.extend(n.to_le_bytes()));
    }
    let weight = |head: usize, at: usize| heads.get(head).and_then(|(_, weights)| weights.get(at)).copied();
    for (features, of) in [(FEATURES, 0..MAIN), (SHORT, MAIN..HEADS)] {
        for feature in 0..features {
            for (head, unit) in units.iter().enumerate().take(of.end).skip(of.start) {
                rest.push(rounded(weight(head, feature).unwrap_or(0.0), *unit).cast_unsigned());
            }
        }
    }
    let mut all = MAGIC.to_vec();
    all.extend(hash(&rest));
    all.extend(rest);
    all
}

/// The unit in which the largest weights just fit.
pub fn unit(weights: &[f32]) -> f32 {
    weights.iter().fold(0.0_f32, |most, w| most.max(w.abs())) / (127.0 * 127.0)
}

/// A weight as it stands in a row.
#[expect(clippy::cast_possible_truncation, reason = "between -127 and 127")]
pub fn rounded(weight: f32, unit: f32) -> i8 {
    if unit <= 0.0 {
        return 0;
    }
    let root = (weight.abs() / unit).sqrt().round().min(127.0);
    (root.copysign(weight)) as i8
}

/// What a byte of a row weighs, in units.
pub const fn weighed(byte: i8) -> i32 {
    let n = byte as i16;
    (n * n.abs()) as i32
}

/// Bits of a place among the rows that were asked for last.
const PLACE: u32 = 16;

/// The rows of the main heads that were asked for last. What texts often hold is spread over all of the models, hardly two rows
/// to a line of the processor's cache; here it stands close together.
#[derive(Debug, Default)]
pub(super) struct Recent {
    // What a feature has above the bits of its place, and its row.
    rows: Vec<(u16, [i8; MAIN])>,
    // Of which models they are.
    of: &'static [u8],
}

impl Recent {
    /// Forgets the rows of other models.
    pub(super) fn of(&mut self, linear: &Linear) {
        if self.rows.is_empty() || !std::ptr::eq(self.of, linear.main) {
            self.rows.clear();
            self.rows.resize(1 << PLACE, (u16::MAX, [0; MAIN]));
            self.of = linear.main;
        }
    }

    /// What a feature weighs for the main heads.
    #[inline]
    pub(super) fn main(&mut self, feature: u32) -> [i8; MAIN] {
        let above = u16::try_from(feature >> PLACE).unwrap_or(u16::MAX);
        match self.rows.get_mut(feature as usize & ((1 << PLACE) - 1)) {
            Some((known, row)) if *known == above => *row,
            Some(place) => {
                *place = (above, row(self.of, feature));
                place.1
            }
            None => row(self.of, feature),
        }
    }
}

impl Scale {
    /// A sum below which the [`risk`](Self::risk) is below a half, whatever the channel.
    pub(super) fn mark(&self) -> f32 {
        // A little less, for what rounding does.
        self.reached.iter().fold(f32::MAX, |least, [hundred, _]| least.min(*hundred)) - 0.01
    }

    /// A sum as a number from 0 to 1 that means the same for every head: 0.5 is what one in a hundred harmless texts of the
    /// channel reaches, 0.9 what one in a thousand does.
    pub fn risk(&self, sum: f32, channel: Channel) -> f32 {
        let [hundred, thousand] = self.reached[channel as usize];
        let steps = (sum - hundred) / (thousand - hundred).max(1e-3);
        // ln 9: from even odds to nine in ten.
        1.0 / (1.0 + (-2.197_224_6 * steps).exp())
    }
}
