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

pub use crate::tagger::Families;
use forms::{Form, Limits};
use grams::{Seen, Sink};
pub use linear::{Damaged, Head, Linear};
use linear::{KINDS, MAIN, ORDER, Row, Rows, weighed};
pub use words::Words;

/// The trained models that come with the program.
static MODELS: &[u8] = include_bytes!("../../../../models/threats.bin");

/// Characters of a window, and how far the next one begins.
pub const WINDOW: usize = 220;
/// How far apart windows begin.
pub const STEP: usize = WINDOW / 2;
/// Shorter texts are scored as if they had so many features: few words prove little.
pub const FEW: f32 = 300.0;
/// A window has to be this much more suspicious than a whole text: it lacks what explains it.
const MARGIN: f32 = 0.25;
/// And this much more for each doubling of their number.
const PER_DOUBLING: f32 = 0.02;
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
}

impl Default for Reading {
    fn default() -> Self {
        let nothing = Suspicion { sum: f32::MIN, view: View::Plain, span: Span::new(0, 0) };
        Self { prompt: nothing, people: nothing, kinds: [f32::MIN; KINDS] }
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
    limits: Limits,
    // Below these sums of the main heads no verdict on any channel names a kind.
    marks: [f32; MAIN],
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
    seen: Seen,
    room: Room,
    // The features of all steps, one behind the other.
    features: Vec<u32>,
    steps: Vec<Step>,
}

/// What the features add that begin within one step of the windows, and how many they are.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    adds: [i32; MAIN],
    count: usize,
}

/// The features of one step, and what each weighs.
struct Room {
    features: Box<[u32; ROOM]>,
    rows: Box<[Row; ROOM]>,
}

impl Default for Room {
    fn default() -> Self {
        Self { features: Box::new([0; ROOM]), rows: Box::new([Row::default(); ROOM]) }
    }
}

/// More features than begin in a step; a power of two, so that a place in it needs no check.
const ROOM: usize = 2048;
const _: () = assert!(ROOM.is_power_of_two() && grams::MOST < ROOM);

/// Takes the features of a form.
struct Taking<'a> {
    linear: Rows<'a>,
    seen: grams::Round<'a>,
    now: &'a mut [u32; ROOM],
    rows: &'a mut [Row; ROOM],
    count: usize,
    features: &'a mut Vec<u32>,
    steps: &'a mut Vec<Step>,
}

impl Sink for Taking<'_> {
    #[inline(always)]
    fn see(&mut self, _: usize, feature: u32) {
        // Written in any case: whether it is new is hard to guess. What it weighs is asked for at once: it comes while the next
        // ones are worked out.
        let at = self.count % ROOM;
        self.now[at] = feature;
        self.rows[at] = self.linear.of(feature);
        self.count += usize::from(self.seen.is_new(feature));
    }

    fn end_of_step(&mut self) {
        let count = std::mem::take(&mut self.count).min(ROOM);
        self.features.extend_from_slice(self.now.get(..count).unwrap_or_default());
        let rows = self.rows.get(..count).unwrap_or_default();
        self.steps.push(Step { adds: linear::weighed_together(rows), count });
        self.seen.next();
    }
}

impl Reader {
    /// The models of the house.
    pub fn new() -> Result<Self, Damaged> {
        Self::of(Linear::new(MODELS)?)
    }

    /// Other models.
    pub fn of(linear: Linear) -> Result<Self, Damaged> {
        let words = Words::with(linear.words(), Families::of_the_house());
        let marks = std::array::from_fn(|head| linear.scale(head).mark());
        Ok(Self { linear, words, limits: Limits::default(), marks })
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
        self.judge(&self.read(text), channel)
    }

    /// The verdict of what was read.
    pub fn judge(&self, reading: &Reading, channel: Channel) -> Verdict {
        let [prompt, people] = self.risks(reading, channel);
        let (risk, found, heads) =
            if people > prompt { (people, reading.people, 4..7) } else { (prompt, reading.prompt, 2..4) };
        let threat = if risk < NAMED {
            if people > prompt { Threat::Phishing } else { Threat::PromptInjection }
        } else {
            Self::which(reading, heads)
        };
        Verdict { threat, risk, view: found.view, span: found.span }
    }

    /// Which of these heads is the surest.
    fn which(reading: &Reading, heads: std::ops::Range<usize>) -> Threat {
        let mut best = (f32::MIN, Threat::PromptInjection);
        for head in heads {
            let (Some(Head::Of(threat)), Some(sum)) = (ORDER.get(head), reading.kinds.get(head - MAIN))
            else {
                continue;
            };
            if *sum > best.0 {
                best = (*sum, *threat);
            }
        }
        best.1
    }

    /// What the heads that tell kinds apart find in these features of a form.
    fn add_kinds(&self, features: &[u32], most: &mut [f32; KINDS]) {
        let mut sums = [0_i64; KINDS];
        // So many fit 32 bits whatever they weigh.
        for part in features.chunks(1 << 16) {
            let some = self.linear.add_kinds(part);
            sums.iter_mut().zip(some).for_each(|(sum, some)| *sum += i64::from(some));
        }
        let few = norm(features.len());
        for (head, (most, sum)) in (MAIN..).zip(most.iter_mut().zip(sums)) {
            let scale = self.linear.scale(head);
            *most = most.max(scale.offset + sum as f32 * scale.unit / few);
        }
    }

    /// Adds to a reading what the models say of a form.
    pub fn add(&self, form: &Form, reading: &mut Reading) {
        SCRATCH.with_borrow_mut(|scratch| {
            let windows = form.text.len() >= WINDOWED;
            let sums = self.sums(form, scratch);
            let few = norm(scratch.features.len());
            let whole = form.span(0, form.text.len());
            for ((head, found), sum) in
                [&mut reading.prompt, &mut reading.people].into_iter().enumerate().zip(sums)
            {
                let scale = self.linear.scale(head);
                take(found, scale.offset + sum as f32 * scale.unit / few, form.view, whole);
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
                self.add_kinds(&scratch.features, &mut reading.kinds);
            }
        });
    }

    /// The sums of a form; those of its steps stand in the scratch afterwards.
    fn sums(&self, form: &Form, scratch: &mut Scratch) -> [i64; MAIN] {
        let Scratch { seen, room, features, steps } = scratch;
        features.clear();
        steps.clear();
        let Some(linear) = self.linear.rows() else { return [0; MAIN] };
        let Room { features: now, rows } = room;
        let seen = seen.begin();
        let mut taking = Taking { linear, seen, now, rows, count: 0, features, steps };
        grams::each(form, grams::steps(form), &mut taking);
        std::array::from_fn(|head| {
            steps.iter().map(|step| i64::from(step.adds.get(head).copied().unwrap_or(0))).sum()
        })
    }

    /// The features that say most for an attack of this head, the strongest first.
    pub fn reasons(&self, text: &str, head: Head, most: usize) -> Vec<Reason> {
        let Some(place) = ORDER.iter().position(|h| *h == head) else { return Vec::new() };
        let scale = self.linear.scale(place);
        let mut reasons: Vec<Reason> = Vec::new();
        self.forms(text, &mut |form| {
            let features = grams::placed(form, grams::steps(form));
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
                    *words.entry(word_start(&form.text, at)).or_default() += weighed(byte);
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

fn word_start(text: &[char], at: usize) -> usize {
    let at = if text.get(at) == Some(&' ') { at + 1 } else { at };
    (0..at).rev().find(|i| text.get(*i) == Some(&' ')).map_or(0, |blank| blank + 1)
}

fn take(found: &mut Suspicion, sum: f32, view: View, span: Span) {
    if sum > found.sum {
        *found = Suspicion { sum, view, span };
    }
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
        let sum = offset + (add(a) + add(b)) * unit / norm(a.count + b.count);
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

    proptest::proptest! {
        #[test]
        fn what_a_form_adds_up_to_is_what_its_features_weigh(text in "([a-zé我 .!?\"'0-9]|ignore |your |rules ){0,400}") {
            static READER: std::sync::LazyLock<Reader> = std::sync::LazyLock::new(|| Reader::new().unwrap());
            let (reader, mut scratch) = (&*READER, Scratch::default());
            reader.forms(&text, &mut |form| {
                let features = grams::placed(form, grams::steps(form));
                let of_main = |head: usize| -> i64 {
                    features.iter().map(|(_, f)| i64::from(weighed(reader.linear.main(*f)[head]))).sum()
                };
                assert_eq!(reader.sums(form, &mut scratch), [of_main(0), of_main(1)], "{text:?}");
                assert_eq!(scratch.features, features.iter().map(|(_, f)| *f).collect::<Vec<_>>());
                let kinds: [i32; KINDS] = std::array::from_fn(|kind| {
                    features.iter().map(|(_, f)| weighed(reader.linear.kinds(*f)[kind])).sum()
                });
                assert_eq!(reader.linear.add_kinds(&scratch.features), kinds, "{text:?}");
            });
        }
    }
}
