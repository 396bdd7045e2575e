//! Attacks in a text: its forms, models over them, rules.
//!
//! [`Reader`] looks at every form of a text ([`forms`]) as a whole and through windows, so that a few words hidden in a long
//! message are seen, and says how likely it is an attack on the bot or on people, in which form, and where.

mod bare;
mod decode;
pub mod forms;
pub mod grams;
pub mod leak;
pub mod linear;
pub mod own;
pub mod rules;
mod sigma;
pub mod training;
mod words;

use std::cell::RefCell;

use chatward_message::{Channel, Span, Threat, View};

use crate::tagger::Families;
use forms::{Form, Limits};
use grams::{Seen, Slot, Source};
pub use linear::{Damaged, Head, Linear};
use linear::{KINDS, MAIN, ORDER, Recent, weighed};
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
    // The most that each head that tells kinds apart found in a form; asked only from where a main head reached its mark on.
    kinds: [f32; KINDS],
    // Whether there were forms that those heads were not asked about.
    passed: bool,
}

impl Default for Reading {
    fn default() -> Self {
        let nothing = Suspicion { sum: f32::MIN, view: View::Plain, span: Span::new(0, 0) };
        Self { prompt: nothing, people: nothing, kinds: [f32::MIN; KINDS], passed: false }
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
    // Below these sums of the main heads no verdict on any channel names a kind.
    marks: [f32; MAIN],
    // What one more of a feature counts that came so often before.
    roots: [f32; 32],
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
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What is needed while a form is looked at, and used again for the next one.
#[derive(Default)]
struct Scratch {
    // Each feature with the character it begins at.
    features: Vec<(u32, u32)>,
    // What each of them weighs for the main heads.
    rows: Vec<[i8; MAIN]>,
    // What each of them weighs for the heads that tell kinds apart.
    kinds: Vec<[i8; KINDS]>,
    recent: Recent,
    seen: Seen,
    steps: Vec<Step>,
}

/// Sums for the main heads, in units.
#[derive(Default)]
struct Sums {
    // Features that came for the first time count in full, so that their sum is a whole number.
    first: [i64; MAIN],
    again: [f32; MAIN],
    features: usize,
}

/// What the features add that begin within one step of the windows, and how many they are.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    adds: [i32; MAIN],
    count: u32,
}

impl Reader {
    /// The models of the house.
    pub fn new() -> Result<Self, Damaged> {
        Self::of(Linear::new(MODELS)?)
    }

    /// Other models.
    pub fn of(linear: Linear) -> Result<Self, Damaged> {
        let words = Words::new(linear.words());
        let families = Families::of_the_house();
        let marks = std::array::from_fn(|head| linear.scale(head).mark());
        let roots = std::array::from_fn(|before| root_step(before as u32));
        Ok(Self { linear, words, families, limits: Limits::default(), marks, roots })
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
            self.which(text, reading, heads)
        };
        Verdict { threat, risk, view: found.view, span: found.span }
    }

    /// Which of these heads is the surest.
    fn which(&self, text: &str, reading: &Reading, heads: std::ops::Range<usize>) -> Threat {
        let mut kinds = reading.kinds;
        if reading.passed {
            self.forms(text, &mut |form| {
                SCRATCH.with_borrow_mut(|scratch| {
                    scratch.features.clear();
                    grams::each(&form.text, &self.source(), &mut scratch.features);
                    self.add_kinds(scratch, &mut kinds);
                });
            });
        }
        let mut best = (f32::MIN, Threat::PromptInjection);
        for head in heads {
            let (Some(Head::Of(threat)), Some(sum)) = (ORDER.get(head), kinds.get(head - MAIN)) else {
                continue;
            };
            if *sum > best.0 {
                best = (*sum, *threat);
            }
        }
        best.1
    }

    /// What the heads that tell kinds apart find in the form whose features stand in the scratch.
    fn add_kinds(&self, scratch: &mut Scratch, most: &mut [f32; KINDS]) {
        let Scratch { features, kinds, .. } = scratch;
        // By themselves, so that the processor waits for many at once.
        kinds.clear();
        kinds.extend(features.iter().map(|(_, feature)| self.linear.kinds(*feature)));
        let mut sums = [0_i64; KINDS];
        // So many fit 32 bits whatever they weigh.
        for part in kinds.chunks(1 << 16) {
            let mut some = [0_i32; KINDS];
            for row in part {
                some.iter_mut().zip(row).for_each(|(sum, byte)| *sum += weighed(*byte));
            }
            sums.iter_mut().zip(some).for_each(|(sum, some)| *sum += i64::from(some));
        }
        let few = norm(features.len());
        for (head, (most, sum)) in (MAIN..).zip(most.iter_mut().zip(sums)) {
            let scale = self.linear.scale(head);
            *most = most.max(scale.offset + sum as f32 * scale.unit / few);
        }
    }

    const fn source(&self) -> Source<'_> {
        Source { words: &self.words, families: self.families }
    }

    /// Adds to a reading what the models say of a form.
    pub fn add(&self, form: &Form, reading: &mut Reading) {
        SCRATCH.with_borrow_mut(|scratch| {
            let windows = form.text.len() >= WINDOWED;
            let sums = self.sums(form, windows, scratch);
            let few = norm(sums.features);
            let whole = form.span(0, form.text.len());
            for (head, found) in [&mut reading.prompt, &mut reading.people].into_iter().enumerate() {
                let scale = self.linear.scale(head);
                let sum = scale.offset + sums.of(head) * scale.unit / few;
                take(found, sum, form.view, whole);
                if windows {
                    let (sum, at) = best_window(&scratch.steps, head, scale.offset, scale.unit);
                    let span = form.span(at, (at + WINDOW).min(form.text.len()));
                    take(found, sum, form.view, span);
                }
            }
            if [&reading.prompt, &reading.people]
                .iter()
                .zip(&self.marks)
                .any(|(found, mark)| found.sum >= *mark)
            {
                self.add_kinds(scratch, &mut reading.kinds);
            } else {
                reading.passed = true;
            }
        });
    }

    /// The sums of a form; with windows, those of their steps stand in the scratch afterwards.
    fn sums(&self, form: &Form, windows: bool, scratch: &mut Scratch) -> Sums {
        let Scratch { features, rows, recent, seen, steps, .. } = scratch;
        features.clear();
        grams::each(&form.text, &self.source(), features);
        // By themselves, so that the processor waits for many at once.
        rows.clear();
        recent.of(&self.linear);
        rows.extend(features.iter().map(|(_, feature)| recent.main(&self.linear, *feature)));
        steps.clear();
        if windows {
            steps.resize(form.text.len().div_ceil(STEP), Step::default());
        }
        seen.begin(features.len());
        let mut sums = Sums { features: features.len(), ..Sums::default() };
        let mut rest = (features.as_slice(), rows.as_slice());
        while let Some((first, _)) = rest.0.first() {
            let step = *first as usize / STEP;
            let begins = |(at, _): &(u32, u32)| (*at as usize).wrapping_sub(step * STEP) < STEP;
            let count = rest.0.iter().take_while(|feature| begins(feature)).count();
            let (Some((part, features)), Some((part_rows, rows))) =
                (rest.0.split_at_checked(count), rest.1.split_at_checked(count))
            else {
                break;
            };
            rest = (features, rows);
            let adds = self.part(part, part_rows, seen, &mut sums);
            if let Some(step) = steps.get_mut(step) {
                step.adds.iter_mut().zip(adds).for_each(|(sum, adds)| *sum += adds);
                step.count += part.len() as u32;
            }
        }
        sums
    }

    /// Adds to the sums the features that begin within one step. Gives what they add to windows.
    fn part(
        &self,
        features: &[(u32, u32)],
        rows: &[[i8; MAIN]],
        seen: &mut Seen,
        sums: &mut Sums,
    ) -> [i32; MAIN] {
        let (mut first, mut far) = ([0_i32; MAIN], [0_i32; MAIN]);
        for ((at, feature), row) in features.iter().zip(rows) {
            let row = row.map(weighed);
            let Slot { before, last, .. } = seen.see(*feature, *at);
            if before == 0 {
                first.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
                continue;
            }
            // In the whole text what counts is the root of how often it comes.
            let more = self.roots.get(before as usize).copied().unwrap_or_else(|| root_step(before));
            sums.again.iter_mut().zip(row).for_each(|(sum, weight)| *sum += more * weight as f32);
            // Within one window a feature counts once. Two may share a hash, and words come behind all runs.
            if at.wrapping_sub(last) >= WINDOW as u32 {
                far.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
            }
        }
        sums.first.iter_mut().zip(first).for_each(|(sum, first)| *sum += i64::from(first));
        std::array::from_fn(|head| {
            first.get(head).copied().unwrap_or(0) + far.get(head).copied().unwrap_or(0)
        })
    }

    /// The features that say most for an attack of this head, the strongest first.
    pub fn reasons(&self, text: &str, head: Head, most: usize) -> Vec<Reason> {
        let Some(place) = ORDER.iter().position(|h| *h == head) else { return Vec::new() };
        let scale = self.linear.scale(place);
        let source = self.source();
        let mut reasons: Vec<Reason> = Vec::new();
        self.forms(text, &mut |form| {
            let mut features = Vec::new();
            grams::each(&form.text, &source, &mut features);
            let weight = |feature: u32| match place.checked_sub(MAIN) {
                None => self.linear.main(feature).get(place).copied(),
                Some(kind) => self.linear.kinds(feature).get(kind).copied(),
            };
            let few = norm(features.len());
            // What begins at one word belongs together.
            let mut words: std::collections::BTreeMap<usize, i32> = std::collections::BTreeMap::new();
            for (at, feature) in features {
                let byte = weight(feature).unwrap_or(0);
                if byte > 0 {
                    *words.entry(word_start(&form.text, at as usize)).or_default() += weighed(byte);
                }
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

impl Sums {
    /// The sum of a head.
    fn of(&self, head: usize) -> f32 {
        self.first.get(head).zip(self.again.get(head)).map_or(0.0, |(first, again)| *first as f32 + again)
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

/// How much larger the root of a number of times becomes with one more.
fn root_step(before: u32) -> f32 {
    ((before + 1) as f32).sqrt() - (before as f32).sqrt()
}

/// What sums are divided by.
pub fn norm(features: usize) -> f32 {
    (features as f32).max(FEW).sqrt()
}

/// The most suspicious window and where it begins.
fn best_window(steps: &[Step], head: usize, offset: f32, unit: f32) -> (f32, usize) {
    let mut best = (f32::MIN, 0);
    for (n, [a, b]) in steps.array_windows().enumerate() {
        let add = |step: &Step| step.adds.get(head).copied().unwrap_or(0) as f32;
        let sum = offset + (add(a) + add(b)) * unit / norm((a.count + b.count) as usize);
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
