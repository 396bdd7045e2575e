//! Attacks in a text: its forms, models over them, rules.
//!
//! [`Reader`] looks at every form of a text ([`forms`]) as a whole and through windows, so that a few words hidden in a long
//! message are seen, and says how likely it is an attack on the bot or on people, in which form, and where.

mod bare;
mod decode;
pub mod forms;
pub mod grams;
pub mod linear;
pub mod own;
pub mod rules;
pub mod training;
mod words;

use std::cell::RefCell;

use chatward_message::{Channel, Span, Threat, View};

use crate::tagger::Families;
use forms::{Form, Limits};
use grams::{Seen, Source};
pub use linear::{Damaged, Head, Linear};
use linear::{MAIN, ORDER, weighed};
pub use words::Words;

/// The trained models that come with the program.
static MODELS: &[u8] = include_bytes!("../../../../models/threats.bin");

/// Characters of a window, and how far the next one begins.
pub const WINDOW: usize = 220;
/// How far apart windows begin.
pub const STEP: usize = WINDOW / 2;
/// Shorter texts are scored as if they had so many features: few words prove little.
pub const FEW: f32 = 400.0;
/// A window has to be this much more suspicious than a whole text: it lacks what explains it.
const MARGIN: f32 = 0.6;
/// And this much more for each doubling of their number.
const PER_DOUBLING: f32 = 0.05;
/// Texts with fewer characters have no windows.
const WINDOWED: usize = WINDOW * 13 / 10;

/// How suspicious a text is for one head.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suspicion {
    /// The sum of the model, before it is made a [`Scale::risk`](linear::Scale::risk).
    pub sum: f32,
    /// In which form of the text.
    pub view: View,
    /// Where, in bytes of the original.
    pub span: Span,
}

/// What the models say of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Attacks on the bot's instructions.
    pub prompt: Suspicion,
    /// Attacks on people.
    pub people: Suspicion,
}

impl Default for Reading {
    fn default() -> Self {
        let nothing = Suspicion { sum: f32::MIN, view: View::Plain, span: Span::new(0, 0) };
        Self { prompt: nothing, people: nothing }
    }
}

/// From this risk on a verdict says which kind of threat it is; below, only which of the two sorts.
const NAMED: f32 = 0.5;

/// What the models say, as numbers that can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// What it most likely is, if it is an attack.
    pub threat: Threat,
    /// From 0 to 1: 0.5 is what one in a hundred harmless texts reaches, 0.9 what one in a thousand does.
    pub risk: f32,
    /// In which form of the text.
    pub view: View,
    /// Where, in bytes of the original.
    pub span: Span,
}

/// The models with what they need.
#[derive(Debug)]
pub struct Reader {
    linear: Linear,
    words: Words,
    families: Families,
    limits: Limits,
}

/// A feature and how much it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The characters it stands on, as the model saw them.
    pub seen: String,
    /// Where, in bytes of the original.
    pub span: Span,
    /// How much it added to the sum.
    pub weight: f32,
}

thread_local! {
    static SEEN: RefCell<Seen> = RefCell::default();
}

/// Sums for the main heads, in units, and those of the places in the text.
struct Sums {
    whole: [f32; MAIN],
    features: usize,
    // For each character, what features that begin there add, and how many there are.
    starts: Vec<([f32; MAIN], u32)>,
}

impl Reader {
    /// The models of the house.
    pub fn new() -> Result<Self, Damaged> {
        Self::of(Linear::new(MODELS)?)
    }

    /// Other models.
    pub fn of(linear: Linear) -> Result<Self, Damaged> {
        let words = Words::new(linear.words());
        Ok(Self { linear, words, families: Families::of_the_house(), limits: Limits::default() })
    }

    /// The name of the models, for events.
    pub fn name(&self) -> String {
        self.linear.name()
    }

    /// The models themselves, to go on learning from.
    pub const fn linear(&self) -> &Linear {
        &self.linear
    }

    /// How likely it is, by what was read, that a text of this channel attacks the bot, and people.
    pub fn risks(&self, reading: &Reading, channel: Channel) -> [f32; MAIN] {
        [(0, reading.prompt), (1, reading.people)]
            .map(|(head, found)| self.linear.scale(head).risk(found.sum, channel))
    }

    /// The words it tells disguises by, for rules.
    pub const fn words(&self) -> &Words {
        &self.words
    }

    /// Shows each form of a text: made once for the models and for rules.
    pub fn forms(&self, text: &str, see: &mut impl FnMut(&Form)) {
        forms::each(text, &self.words, &self.limits, see);
    }

    /// What the models say of a text.
    pub fn read(&self, text: &str) -> Reading {
        let mut reading = Reading::default();
        self.forms(text, &mut |form| self.add(form, &mut reading));
        reading
    }

    /// The verdict on a text of this channel.
    pub fn verdict(&self, text: &str, channel: Channel) -> Verdict {
        self.judge(text, &self.read(text), channel)
    }

    /// The verdict of what was read.
    pub fn judge(&self, text: &str, reading: &Reading, channel: Channel) -> Verdict {
        let [prompt, people] = self.risks(reading, channel);
        let (risk, found, heads) =
            if people > prompt { (people, reading.people, 4..7) } else { (prompt, reading.prompt, 2..4) };
        let threat = if risk < NAMED {
            if people > prompt { Threat::Phishing } else { Threat::PromptInjection }
        } else {
            self.which(text, heads)
        };
        Verdict { threat, risk, view: found.view, span: found.span }
    }

    /// Which of these heads is the surest.
    fn which(&self, text: &str, heads: std::ops::Range<usize>) -> Threat {
        let source = self.source();
        let mut best = (f32::MIN, Threat::PromptInjection);
        self.forms(text, &mut |form| {
            let (mut sums, mut features) = ([0; linear::KINDS], 0);
            grams::each(&form.text, &source, &mut |_, feature| {
                features += 1;
                for (sum, byte) in sums.iter_mut().zip(self.linear.kinds(feature)) {
                    *sum += weighed(byte);
                }
            });
            for head in heads.clone() {
                let (Some(Head::Of(threat)), Some(sum)) = (ORDER.get(head), sums.get(head - MAIN)) else {
                    continue;
                };
                let scale = self.linear.scale(head);
                let sum = scale.offset + *sum as f32 * scale.unit / norm(features);
                if sum > best.0 {
                    best = (sum, *threat);
                }
            }
        });
        best.1
    }

    const fn source(&self) -> Source<'_> {
        Source { words: &self.words, families: self.families }
    }

    /// Adds to a reading what the models say of a form.
    pub fn add(&self, form: &Form, reading: &mut Reading) {
        let windows = form.text.len() >= WINDOWED;
        let sums = self.sums(form, windows);
        let few = norm(sums.features);
        let whole = form.span(0, form.text.len());
        for (head, found) in [&mut reading.prompt, &mut reading.people].into_iter().enumerate() {
            let scale = self.linear.scale(head);
            let sum = scale.offset + sums.whole.get(head).copied().unwrap_or(0.0) * scale.unit / few;
            take(found, sum, form.view, whole);
            if windows {
                let (sum, at) = best_window(&sums, head, scale.offset, scale.unit);
                let span = form.span(at, (at + WINDOW).min(form.text.len()));
                take(found, sum, form.view, span);
            }
        }
    }

    fn sums(&self, form: &Form, windows: bool) -> Sums {
        let source = self.source();
        let expected = form.text.len() * 6;
        SEEN.with_borrow_mut(|seen| {
            seen.begin(expected);
            let mut sums = Sums {
                whole: [0.0; MAIN],
                features: 0,
                starts: vec![([0.0; MAIN], 0); if windows { form.text.len() } else { 0 }],
            };
            grams::each(&form.text, &source, &mut |at, feature| {
                sums.features += 1;
                let row = self.linear.main(feature);
                let place = u32::try_from(at).unwrap_or(u32::MAX);
                let (count, last) = seen.see(feature, place);
                let weight = root(count + 1) - root(count);
                for (sum, byte) in sums.whole.iter_mut().zip(row) {
                    *sum += weight * weighed(byte) as f32;
                }
                if let Some((adds, count)) = sums.starts.get_mut(at) {
                    *count += 1;
                    // Within one window a feature counts once. Words come after runs: one that shares its feature with a run
                    // further on counts.
                    if last.is_none_or(|last| place.wrapping_sub(last) >= WINDOW as u32) {
                        for (sum, byte) in adds.iter_mut().zip(row) {
                            *sum += weighed(byte) as f32;
                        }
                    }
                }
            });
            sums
        })
    }

    /// The features that say most for an attack of this head, the strongest first.
    pub fn reasons(&self, text: &str, head: Head, most: usize) -> Vec<Reason> {
        let Some(place) = ORDER.iter().position(|h| *h == head) else { return Vec::new() };
        let scale = self.linear.scale(place);
        let source = self.source();
        let mut reasons: Vec<Reason> = Vec::new();
        self.forms(text, &mut |form| {
            let mut features = 0;
            let mut found = Vec::new();
            grams::each(&form.text, &source, &mut |at, feature| {
                features += 1;
                let byte = match place.checked_sub(MAIN) {
                    None => self.linear.main(feature).get(place).copied(),
                    Some(kind) => self.linear.kinds(feature).get(kind).copied(),
                }
                .unwrap_or(0);
                if byte > 0 {
                    found.push((at, weighed(byte)));
                }
            });
            let few = norm(features);
            // What begins at one word belongs together.
            let mut words: std::collections::BTreeMap<usize, i32> = std::collections::BTreeMap::new();
            for (at, weight) in found {
                *words.entry(word_start(&form.text, at)).or_default() += weight;
            }
            for (at, weight) in words {
                let end = at + form.text.iter().skip(at).take_while(|c| **c != ' ').count();
                let seen: String = form.text.get(at..end).unwrap_or_default().iter().collect();
                if !seen.is_empty() {
                    reasons.push(Reason {
                        seen,
                        span: form.span(at, end),
                        weight: weight as f32 * scale.unit / few,
                    });
                }
            }
        });
        reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        reasons.truncate(most);
        reasons
    }
}

fn word_start(text: &[char], at: usize) -> usize {
    let at = if text.get(at) == Some(&' ') { at + 1 } else { at };
    (0..at).rev().find(|i| text.get(*i) == Some(&' ')).map_or(0, |blank| blank + 1)
}

fn take(found: &mut Suspicion, sum: f32, view: View, span: Span) {
    if sum > found.sum {
        *found = Suspicion { sum, view, span };
    }
}

/// The square root of a number of times.
fn root(count: u32) -> f32 {
    match count {
        0 => 0.0,
        1 => 1.0,
        2 => std::f32::consts::SQRT_2,
        _ => (count as f32).sqrt(),
    }
}

/// What sums are divided by.
pub fn norm(features: usize) -> f32 {
    (features as f32).max(FEW).sqrt()
}

/// The most suspicious window and where it begins.
fn best_window(sums: &Sums, head: usize, offset: f32, unit: f32) -> (f32, usize) {
    let add = |part: &([f32; MAIN], u32)| (part.0.get(head).copied().unwrap_or(0.0), part.1 as usize);
    let steps: Vec<(f32, usize)> = sums
        .starts
        .chunks(STEP)
        .map(|chunk| chunk.iter().map(add).fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1)))
        .collect();
    let mut best = (f32::MIN, 0);
    for (n, pair) in steps.windows(2).enumerate() {
        let (sum, count) = pair.iter().fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let sum = offset + sum * unit / norm(count);
        if sum > best.0 {
            best = (sum, n * STEP);
        }
    }
    (best.0 - MARGIN - PER_DOUBLING * (steps.len() as f32).log2(), best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_share_a_feature_with_a_later_run_are_no_fault() {
        let mut chance = 7_u32;
        let mut letter = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from(chance >> 24).unwrap_or_default() % 26)
        };
        let text: String = (0..24_000).map(|n| if n % 6 == 5 { ' ' } else { letter() }).collect();
        let reading = Reader::new().unwrap().read(&text);
        assert!(reading.prompt.sum.is_finite() && reading.people.sum.is_finite());
    }
}
