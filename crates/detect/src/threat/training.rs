//! Learning the linear models: support vector machines with squared hinge loss, by dual coordinate descent (Hsieh et al., "A
//! dual coordinate descent method for large-scale linear SVM", ICML 2008).
//!
//! Learning may begin at the weights of a model that is there; then what is minimised is the distance from it and the
//! loss on the new texts, so that a house's own few cases move it without the texts it was made of.

use std::ops::Range;

use super::forms::{self, Form, Limits};
use super::grams::{self, BITS};
use super::words::Words;
use super::{WINDOWED, norm};

/// The features of a text with their values, by feature.
pub type Features = Vec<(u32, f32)>;

/// One text to learn from.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// Its features.
    pub features: &'a Features,
    /// Whether it is an attack of this head.
    pub attack: bool,
    /// How much an error counts.
    pub weight: f32,
}

/// Weights and what is added to every sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Learnt {
    /// A weight for each feature.
    pub weights: Vec<f32>,
    /// Added to every sum.
    pub offset: f32,
}

impl Learnt {
    /// Nothing learnt yet, over so many bits of features.
    pub fn nothing(bits: u32) -> Self {
        Self { weights: vec![0.0; 1 << bits], offset: 0.0 }
    }

    /// The sum of a text.
    pub fn sum(&self, features: &Features) -> f32 {
        let weight = |feature: &u32| self.weights.get(*feature as usize).copied().unwrap_or(0.0);
        features.iter().fold(self.offset, |sum, (feature, value)| sum + value * weight(feature))
    }

    fn add(&mut self, features: &Features, step: f32) {
        for (feature, value) in features {
            if let Some(weight) = self.weights.get_mut(*feature as usize) {
                *weight += step * value;
            }
        }
    }
}

/// Makes features as the models see them.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    words: &'a Words,
}

impl<'a> Maker<'a> {
    /// With these words.
    pub const fn new(words: &'a Words) -> Self {
        Self { words }
    }

    /// The forms of a text.
    pub fn forms(&self, text: &str) -> Vec<Form> {
        forms::forms(text, self.words, &Limits::default())
    }

    /// The features of a form.
    pub fn features(&self, form: &Form) -> Features {
        self.of_steps(form, grams::steps(form))
    }

    /// The features of each window of a form, if it is long enough to have any.
    pub fn windows(&self, form: &Form) -> Vec<Features> {
        if form.text.len() < WINDOWED {
            return Vec::new();
        }
        let last = grams::steps(form).end - 1;
        (0..last).map(|step| self.of_steps(form, step..step + 2)).collect()
    }

    fn of_steps(&self, form: &Form, steps: Range<usize>) -> Features {
        let placed = grams::placed(form, steps);
        let mut all: Vec<u32> = placed.into_iter().map(|(_, feature)| feature).collect();
        let few = norm(all.len());
        all.sort_unstable();
        all.chunk_by(|a, b| a == b)
            .filter_map(|same| Some((*same.first()?, same.len() as f32 / few)))
            .collect()
    }
}

/// The same features as those heads know them that tell kinds apart.
pub fn short(features: &Features) -> Features {
    let mut all: Features =
        features.iter().filter_map(|(f, value)| Some((super::linear::short(*f)?, *value))).collect();
    all.sort_unstable_by_key(|(feature, _)| *feature);
    all.chunk_by(|a, b| a.0 == b.0)
        .filter_map(|same| Some((same.first()?.0, same.iter().map(|(_, value)| value).sum())))
        .collect()
}

/// Bits of those.
pub const SHORT_BITS: u32 = BITS - 3;

/// What a text's sum is to be.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    /// Its features.
    pub features: &'a Features,
    /// Whether it is to be at least the target; else it is to be at most that.
    pub attack: bool,
    /// The target.
    pub target: f32,
    /// How much it counts to miss it.
    pub weight: f32,
}

/// Goes through the examples until hardly anything changes, at most `passes` times. The same examples give the same weights.
pub fn learn(learnt: Learnt, examples: &[Example<'_>], passes: usize) -> Learnt {
    let aims: Vec<Aim<'_>> = examples
        .iter()
        .map(|e| {
            let target = if e.attack { 1.0 } else { -1.0 };
            Aim { features: e.features, attack: e.attack, target, weight: e.weight }
        })
        .collect();
    descend(learnt, &aims, passes, true)
}

/// Moves what is known as little as these aims allow, at most `passes` times through them. What is added to every sum stays:
/// a few cases of a house say nothing about texts that have none of their features.
pub fn adapt(known: Learnt, aims: &[Aim<'_>], passes: usize) -> Learnt {
    descend(known, aims, passes, false)
}

fn descend(mut learnt: Learnt, aims: &[Aim<'_>], passes: usize, with_offset: bool) -> Learnt {
    let own = if with_offset { 1.0 } else { 0.0 };
    let squares: Vec<f32> = aims
        .iter()
        .map(|e| e.features.iter().map(|(_, value)| value * value).sum::<f32>() + own + 0.5 / e.weight)
        .collect();
    let mut duals = vec![0.0_f32; aims.len()];
    let mut order: Vec<usize> = (0..aims.len()).collect();
    let mut random = 12_345_u64;
    for _ in 0..passes {
        for i in (1..order.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(i, (random >> 33) as usize % (i + 1));
        }
        let mut most = 0.0_f32;
        for i in &order {
            let (Some(aim), Some(dual), Some(square)) = (aims.get(*i), duals.get_mut(*i), squares.get(*i))
            else {
                continue;
            };
            let side = if aim.attack { 1.0 } else { -1.0 };
            let slope = side * (learnt.sum(aim.features) - aim.target) + *dual * 0.5 / aim.weight;
            let slope_inside = if *dual == 0.0 { slope.min(0.0) } else { slope };
            most = most.max(slope_inside.abs());
            if slope_inside.abs() < 1e-3 {
                continue;
            }
            let before = *dual;
            *dual = (before - slope / square).max(0.0);
            let step = (*dual - before) * side;
            learnt.add(aim.features, step);
            learnt.offset += step * own;
        }
        if most < 0.02 {
            break;
        }
    }
    learnt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(features: &Features, attack: bool) -> Example<'_> {
        Example { features, attack, weight: 4.0 }
    }

    #[test]
    fn what_tells_two_sides_apart_is_learnt() {
        let (bad, good): (Features, Features) = (vec![(1, 1.0), (3, 1.0)], vec![(2, 1.0), (3, 1.0)]);
        let learnt = learn(Learnt::nothing(4), &[example(&bad, true), example(&good, false)], 50);
        assert!(learnt.sum(&bad) > 0.5 && learnt.sum(&good) < -0.5);
        assert_eq!(learnt, learn(Learnt::nothing(4), &[example(&bad, true), example(&good, false)], 50));
    }

    #[test]
    fn learning_goes_on_from_what_is_known() {
        let (bad, new): (Features, Features) = (vec![(1, 1.0)], vec![(5, 1.0)]);
        let known = learn(Learnt::nothing(4), &[example(&bad, true)], 50);
        let more = learn(known.clone(), &[example(&new, false)], 50);
        assert!(more.sum(&new) < known.sum(&new));
        assert!(more.weights[1] == known.weights[1], "what the new case does not have stays as it was");
    }

    #[test]
    fn adapting_reaches_its_aims_and_moves_nothing_else() {
        let (bad, new, held): (Features, Features, Features) =
            (vec![(1, 1.0)], vec![(5, 1.0), (6, 1.0)], vec![(6, 1.0)]);
        let known = learn(Learnt::nothing(4), &[example(&bad, true)], 50);
        let aims = [
            Aim { features: &new, attack: true, target: 2.0, weight: 100.0 },
            Aim { features: &held, attack: false, target: known.sum(&held), weight: 100.0 },
        ];
        let more = adapt(known.clone(), &aims, 200);
        assert!((more.sum(&new) - 2.0).abs() < 0.1, "{}", more.sum(&new));
        assert!((more.sum(&held) - known.sum(&held)).abs() < 0.1, "what was held was moved");
        assert!(more.offset == known.offset && more.weights[1] == known.weights[1]);
    }
}
