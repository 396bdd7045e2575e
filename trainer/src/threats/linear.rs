//! Logistic regression over hashed features, one row after the other, with a step of its own for each weight (AdaGrad).

use chatward_detect::link::model::training::{Part, Sums};

use crate::chance::Chance;

/// One example.
pub(super) struct Lesson<'a> {
    pub hashes: &'a [(Part, u32)],
    pub attack: bool,
    pub weight: f32,
}

/// Weights while they are learnt.
#[derive(Clone)]
pub(super) struct Linear {
    pub weights: Vec<f32>,
    pub bias: f32,
}

/// How it is learnt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub bits: u32,
    pub passes: usize,
    pub rate: f32,
    /// How much weights are drawn to nought at each step.
    pub decay: f32,
    /// The share of features that is left out each time.
    pub hidden: f64,
}

impl Linear {
    pub(super) fn learn(lessons: &[Lesson<'_>], manner: Manner, seed: u64) -> Self {
        let rows = 1_usize << manner.bits;
        let mut this = Self { weights: vec![0.0; rows], bias: 0.0 };
        let mut squares = vec![1e-3_f32; rows];
        let mut bias_squares = 1e-3_f32;
        let mut chance = Chance::new(seed);
        let mut order: Vec<usize> = (0..lessons.len()).collect();
        let mut kept: Vec<(Part, u32)> = Vec::new();
        for _ in 0..manner.passes {
            chance.shuffle(&mut order);
            for lesson in order.iter().filter_map(|at| lessons.get(*at)) {
                kept.clear();
                kept.extend(
                    lesson.hashes.iter().filter(|_| manner.hidden <= 0.0 || !chance.says(manner.hidden)),
                );
                let (host, path) = this.sums(&kept).normal();
                let (hosts, paths) = counts(&kept);
                let wrong = logistic(this.bias + host + path) - f32::from(u8::from(lesson.attack));
                let pull = wrong * lesson.weight;
                bias_squares += pull * pull;
                this.bias -= manner.rate * pull / bias_squares.sqrt();
                for (part, hash) in &kept {
                    let value = if *part == Part::Host { hosts } else { paths };
                    let row = row(*hash, rows);
                    let (Some(weight), Some(square)) = (this.weights.get_mut(row), squares.get_mut(row))
                    else {
                        continue;
                    };
                    let pull = pull * value + manner.decay * *weight;
                    *square += pull * pull;
                    *weight -= manner.rate * pull / square.sqrt();
                }
            }
        }
        this
    }

    /// The middle of several that were learnt from the same examples.
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    pub(super) fn middle(all: &[Self]) -> Self {
        let share = 1.0 / all.len().max(1) as f32;
        let rows = all.first().map_or(0, |one| one.weights.len());
        let mut this = Self { weights: vec![0.0; rows], bias: 0.0 };
        for one in all {
            this.bias += share * one.bias;
            this.weights.iter_mut().zip(&one.weights).for_each(|(sum, weight)| *sum += share * weight);
        }
        this
    }

    pub(super) fn sums(&self, hashes: &[(Part, u32)]) -> Sums {
        let mut sums = Sums::default();
        for (part, hash) in hashes {
            sums.add(*part, self.weights.get(row(*hash, self.weights.len())).copied().unwrap_or_default());
        }
        sums
    }

    /// The weights in one byte each, and what a step is worth.
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and within the bounds")]
    pub(super) fn in_bytes(&self) -> (Vec<i8>, f32) {
        let mut sizes: Vec<f32> = self.weights.iter().map(|w| w.abs()).filter(|w| *w > 0.0).collect();
        sizes.sort_by(f32::total_cmp);
        // The few largest are cut, so that the many small ones keep their differences.
        let largest = sizes.get(sizes.len().saturating_sub(1 + sizes.len() / 2000)).copied().unwrap_or(1.0);
        let scale = largest / 127.0;
        (self.weights.iter().map(|w| (w / scale).round().clamp(-127.0, 127.0) as i8).collect(), scale)
    }
}

fn row(hash: u32, rows: usize) -> usize {
    usize::try_from(hash).unwrap_or_default() & (rows - 1)
}

/// One over the root of how many features there are of each part.
fn counts(hashes: &[(Part, u32)]) -> (f32, f32) {
    let hosts = hashes.iter().filter(|(part, _)| *part == Part::Host).count();
    #[expect(clippy::cast_precision_loss, reason = "hundreds")]
    let over = |n: usize| if n == 0 { 0.0 } else { 1.0 / (n as f32).sqrt() };
    (over(hosts), over(hashes.len() - hosts))
}

pub(super) fn logistic(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}
