//! Linear models over hashed features, used where they lie in the program.
//!
//! The file: `CHWTHRT2`, SHA-256 of the rest, the number of ordinary words and their bytes (UTF-8, a line each), for each head
//! its offset, unit and thresholds; then for each feature a byte for each of the two main heads, and a row of bytes for the
//! heads that tell kinds apart for every two of those features that they know, which is one in four. A byte is the square root of a weight, with its sign, in units of the
//! head: that keeps small weights apart, of which there are most.

use std::borrow::Cow;
use std::ops::Range;

use chatward_message::{Channel, Threat};

use super::grams::BITS;
use super::training::Learnt;

/// First bytes of the file.
pub const MAGIC: &[u8; 8] = b"CHWTHRT2";
/// Heads that every text is scored by.
pub const MAIN: usize = 2;
/// Heads that tell kinds apart, with room for more.
pub const KINDS: usize = 8;
/// All of them.
pub const HEADS: usize = MAIN + KINDS;
/// Features of the main heads.
const FEATURES: usize = 1 << BITS;
/// Bits of a feature that the others do not know.
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

/// The models: where everything is in the bytes of their file.
#[derive(Debug, Clone)]
pub struct Linear {
    bytes: Cow<'static, [u8]>,
    scales: [Scale; HEADS],
    words: Range<usize>,
    main: Range<usize>,
    kinds: Range<usize>,
}

/// What a feature weighs for the main heads, as in the file.
pub(super) type Row = [u8; MAIN];

/// The rows of all features.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a>(&'a [Row; FEATURES]);

impl Rows<'_> {
    /// The row of a feature.
    #[inline(always)]
    pub(super) fn of(&self, feature: u32) -> Row {
        self.0[feature as usize % FEATURES]
    }
}

/// So many features are looked at together.
const TOGETHER: usize = 64;

/// Adds what a row weighs. Step by step, so that the processor does each for all heads at once.
fn add_row(row: &[u8; KINDS], sums: &mut [i32; KINDS]) {
    let mut weights = [0; KINDS];
    weights.iter_mut().zip(row).for_each(|(n, byte)| *n = i16::from(byte.cast_signed()));
    weights.iter_mut().for_each(|n| *n *= n.wrapping_abs());
    sums.iter_mut().zip(weights).for_each(|(sum, n)| *sum += i32::from(n));
}

/// What rows weigh together, in units.
pub(super) fn weighed_together(rows: &[Row]) -> [i32; MAIN] {
    // In lanes and in pairs, so that the processor adds several at once.
    let mut lanes = [[0_i32; LANES / 2]; MAIN];
    let mut add = |rows: &[Row; LANES]| {
        let both = rows.map(i16::from_le_bytes);
        for (lanes, head) in lanes.iter_mut().zip([both.map(|n| n << 8 >> 8), both.map(|n| n >> 8)]) {
            for (sum, [a, b]) in lanes.iter_mut().zip(head.as_chunks::<2>().0) {
                let weighed = |n: i16| i32::from(n) * i32::from(n.wrapping_abs());
                *sum += weighed(*a) + weighed(*b);
            }
        }
    };
    let (whole, rest) = rows.as_chunks::<LANES>();
    whole.iter().for_each(&mut add);
    let mut last = [Row::default(); LANES];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    add(&last);
    lanes.map(|lanes| lanes.iter().sum())
}

/// Where the hash stands in a file.
const HASH: Range<usize> = 8..40;

/// Why a file of models is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the models of threats are damaged: {0}")]
pub struct Damaged(&'static str);

impl Damaged {
    /// The hash in it is not its own.
    pub(super) const HASH: Self = Self("its hash");
}

/// The feature as the heads know it that tell kinds apart, if they do.
pub const fn short(feature: u32) -> Option<u32> {
    if feature.is_multiple_of(EVERY) { Some(feature >> SHARED) } else { None }
}

/// One in so many features counts for the heads that tell kinds apart: that is enough for them.
const EVERY: u32 = 4;

fn row<const N: usize>(rows: &[u8], place: u32) -> [i8; N] {
    let (rows, _) = rows.as_chunks::<N>();
    rows.get(place as usize).map_or([0; N], |row| row.map(u8::cast_signed))
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first))
}

impl Linear {
    /// The models in these bytes. The hash in them is held by whoever reads them from a file ([`hashed`]), the trainer and a test.
    pub fn new(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, Damaged> {
        let bytes = bytes.into();
        let rest = bytes.strip_prefix(MAGIC).ok_or(Damaged("its first bytes"))?;
        let mut rest = rest.get(HASH.len()..).ok_or(Damaged("its length"))?;
        let length = number(&mut rest).ok_or(Damaged("its length"))? as usize;
        let (words, mut rest) = rest.split_at_checked(length).ok_or(Damaged("its words"))?;
        std::str::from_utf8(words).map_err(|_| Damaged("its words"))?;
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
        if rest.len() != FEATURES * MAIN + SHORT * KINDS {
            return Err(Damaged("its rows"));
        }
        let start = HASH.end + size_of::<u32>();
        let main = bytes.len() - rest.len();
        let kinds = main + FEATURES * MAIN;
        let (words, main, kinds) = (start..start + length, main..kinds, kinds..bytes.len());
        Ok(Self { bytes, scales, words, main, kinds })
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// The ordinary words by which disguises are told.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.list().lines()
    }

    /// The same as they stand in the file, one a line.
    pub fn list(&self) -> &str {
        std::str::from_utf8(self.part(&self.words)).unwrap_or_default()
    }

    /// First bytes of the hash of the file, in hexadecimal: the name of these models.
    pub fn name(&self) -> String {
        self.part(&HASH).iter().take(6).map(|b| format!("{b:02x}")).collect()
    }

    /// What a head weighs, in full, to go on learning from. The number is its place in [`ORDER`].
    pub fn learnt(&self, head: usize) -> Learnt {
        let scale = self.scale(head);
        let (rows, width, at) = match head.checked_sub(MAIN) {
            None => (&self.main, MAIN, head),
            Some(kind) => (&self.kinds, KINDS, kind),
        };
        let weight = |row: &[u8]| row.get(at).map_or(0.0, |b| weighed(b.cast_signed()) as f32 * scale.unit);
        Learnt { weights: self.part(rows).chunks_exact(width).map(weight).collect(), offset: scale.offset }
    }

    /// What each feature weighs for the main heads.
    pub(super) fn rows(&self) -> Option<Rows<'_>> {
        self.part(&self.main).as_chunks().0.try_into().ok().map(Rows)
    }

    /// What features weigh together for the heads that tell kinds apart, in units.
    pub(super) fn add_kinds(&self, features: &[u32]) -> [i32; KINDS] {
        let (rows, _) = self.part(&self.kinds).as_chunks::<KINDS>();
        let mut sums = [0; KINDS];
        for some in features.chunks(TOGETHER) {
            // Those that count are put together first: which ones do is hard to guess.
            let (mut places, mut count) = ([0; TOGETHER], 0);
            for feature in some {
                places[count % TOGETHER] = feature >> SHARED;
                count += usize::from(short(*feature).is_some());
            }
            for place in places.get(..count).unwrap_or_default() {
                add_row(rows.get(*place as usize).unwrap_or(&[0; KINDS]), &mut sums);
            }
        }
        sums
    }

    /// What a feature weighs for the main heads.
    pub(super) fn main(&self, feature: u32) -> [i8; MAIN] {
        row(self.part(&self.main), feature)
    }

    /// What it weighs for those that tell kinds apart.
    pub(super) fn kinds(&self, feature: u32) -> [i8; KINDS] {
        short(feature).map_or([0; KINDS], |place| row(self.part(&self.kinds), place))
    }

    /// The scale of a head.
    pub fn scale(&self, head: usize) -> Scale {
        self.scales.get(head).copied().unwrap_or_default()
    }
}

/// The hash that a file of models names, and the bytes it has to be the hash of.
pub fn hashed(file: &[u8]) -> Option<(&[u8], &[u8])> {
    file.strip_prefix(MAGIC)?.split_at_checked(HASH.len())
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

/// Sums that are kept at once.
const LANES: usize = 8;

/// What a byte of a row weighs, in units.
pub const fn weighed(byte: i8) -> i32 {
    let n = byte as i16;
    (n * n.abs()) as i32
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
