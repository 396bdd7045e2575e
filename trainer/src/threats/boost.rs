//! Small trees, each learnt from what those before it got wrong (gradient boosting over histograms, logistic loss).

use chatward_detect::link::model::training::{ANSWERS, COLUMNS, DEPTH, QUESTIONS, Tree};

use super::linear::logistic;
use crate::chance::Chance;

/// Values of a column are sorted into so many bins.
const BINS: usize = 64;

/// How trees are learnt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub trees: usize,
    pub rate: f32,
    /// Weight that draws answers to nought.
    pub calm: f32,
    /// Least weight (second derivatives) on either side of a question.
    pub least: f32,
    /// Shares of rows and of columns that a tree sees.
    pub rows: f64,
    pub columns: f64,
}

/// One example: columns, truth, weight.
pub(super) struct Example {
    pub columns: [f32; COLUMNS],
    pub attack: bool,
    pub weight: f32,
}

/// Where the bins of each column begin.
fn edges(examples: &[Example]) -> Vec<Vec<f32>> {
    (0..COLUMNS)
        .map(|column| {
            let mut values: Vec<f32> =
                examples.iter().filter_map(|e| e.columns.get(column)).copied().collect();
            values.sort_by(f32::total_cmp);
            let mut edges: Vec<f32> =
                (1..BINS).filter_map(|i| values.get(i * values.len() / BINS)).copied().collect();
            values.dedup();
            if values.len() <= BINS {
                edges = values.split_off(1.min(values.len()));
            }
            edges.dedup();
            edges
        })
        .collect()
}

/// Learns trees.
pub(super) fn learn(examples: &[Example], manner: Manner, seed: u64) -> Vec<Tree> {
    let edges = edges(examples);
    let bins: Vec<[u8; COLUMNS]> = examples
        .iter()
        .map(|example| {
            let mut row = [0; COLUMNS];
            for ((bin, value), edges) in row.iter_mut().zip(example.columns).zip(&edges) {
                *bin = u8::try_from(edges.partition_point(|edge| *edge <= value)).unwrap_or(u8::MAX);
            }
            row
        })
        .collect();
    let mut sums = vec![0.0_f32; examples.len()];
    let mut chance = Chance::new(seed);
    let mut trees = Vec::with_capacity(manner.trees);
    for _ in 0..manner.trees {
        let pulls: Vec<(f32, f32)> = examples
            .iter()
            .zip(&sums)
            .map(|(e, sum)| {
                let p = logistic(*sum);
                (e.weight * (p - f32::from(u8::from(e.attack))), e.weight * (p * (1.0 - p)).max(1e-6))
            })
            .collect();
        let seen: Vec<bool> = examples.iter().map(|_| chance.says(manner.rows)).collect();
        let mut columns: Vec<usize> = (0..COLUMNS).filter(|_| chance.says(manner.columns)).collect();
        if columns.is_empty() {
            columns.push(2);
        }
        let tree = grow(&bins, &edges, &pulls, &seen, &columns, manner);
        for (sum, example) in sums.iter_mut().zip(examples) {
            *sum += tree.answer(&example.columns);
        }
        trees.push(tree);
    }
    trees
}

/// Sums of first and second derivatives.
type Pull = (f64, f64);

fn grow(
    bins: &[[u8; COLUMNS]],
    edges: &[Vec<f32>],
    pulls: &[(f32, f32)],
    seen: &[bool],
    columns: &[usize],
    manner: Manner,
) -> Tree {
    let mut places = vec![0_u16; bins.len()];
    let mut tree =
        Tree { columns: [0; QUESTIONS], from: [f32::INFINITY; QUESTIONS], answers: [0.0; ANSWERS] };
    for depth in 0..DEPTH {
        let (first, wide) = ((1_usize << depth) - 1, 1_usize << depth);
        let mut histogram = vec![(0.0_f64, 0.0_f64); wide * COLUMNS * BINS];
        for (((row, place), pull), seen) in bins.iter().zip(&places).zip(pulls).zip(seen) {
            if !seen {
                continue;
            }
            let begin = usize::from(*place) * COLUMNS * BINS;
            for column in columns {
                let bin = row.get(*column).copied().unwrap_or_default();
                if let Some(slot) = histogram.get_mut(begin + column * BINS + usize::from(bin)) {
                    slot.0 += f64::from(pull.0);
                    slot.1 += f64::from(pull.1);
                }
            }
        }
        let mut chosen: Vec<Option<(usize, usize)>> = Vec::with_capacity(wide);
        for place in 0..wide {
            let part =
                histogram.get(place * COLUMNS * BINS..(place + 1) * COLUMNS * BINS).unwrap_or_default();
            let best = best(part, columns, manner);
            let at = first + place;
            if let (Some((column, bin)), Some(asked), Some(from)) =
                (best, tree.columns.get_mut(at), tree.from.get_mut(at))
            {
                *asked = u8::try_from(column).unwrap_or_default();
                *from = edges.get(column).and_then(|e| e.get(bin)).copied().unwrap_or(f32::INFINITY);
            }
            chosen.push(best);
        }
        for (row, place) in bins.iter().zip(&mut places) {
            let right = chosen
                .get(usize::from(*place))
                .copied()
                .flatten()
                .is_some_and(|(column, bin)| row.get(column).is_some_and(|b| usize::from(*b) > bin));
            *place = 2 * *place + u16::from(right);
        }
    }
    let mut totals: [Pull; ANSWERS] = [(0.0, 0.0); ANSWERS];
    for ((place, pull), _) in places.iter().zip(pulls).zip(seen).filter(|(_, seen)| **seen) {
        if let Some(total) = totals.get_mut(usize::from(*place)) {
            total.0 += f64::from(pull.0);
            total.1 += f64::from(pull.1);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
    let answer = |(g, h): Pull| (-g / (h + f64::from(manner.calm))) as f32 * manner.rate;
    Tree { answers: totals.map(answer), ..tree }
}

/// The question that tells most: its column and the last bin of the left side.
fn best(part: &[Pull], columns: &[usize], manner: Manner) -> Option<(usize, usize)> {
    let (calm, least) = (f64::from(manner.calm), f64::from(manner.least));
    let worth = |(g, h): Pull| g * g / (h + calm);
    let mut best = (1e-6, None);
    for column in columns {
        let bins = part.get(column * BINS..(column + 1) * BINS).unwrap_or_default();
        let all = bins.iter().fold((0.0, 0.0), |sum: Pull, b| (sum.0 + b.0, sum.1 + b.1));
        let mut left = (0.0, 0.0);
        for (bin, pull) in bins.iter().enumerate().take(BINS - 1) {
            left = (left.0 + pull.0, left.1 + pull.1);
            let right = (all.0 - left.0, all.1 - left.1);
            if left.1 < least || right.1 < least {
                continue;
            }
            let gain = worth(left) + worth(right) - worth(all);
            if gain > best.0 {
                best = (gain, Some((*column, bin)));
            }
        }
    }
    best.1
}
