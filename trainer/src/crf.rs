//! A linear chain over hashed features, trained by AdaGrad on the likelihood of whole texts.

use chatward_detect::tagger::training::{LABELS, Trained, may_follow, row};

/// Labels and padding.
const WIDE: usize = 16;
/// Units of a whole score in the file.
pub(crate) const UNIT: f32 = 32.0;
/// Taken from the score of "outside", with and without capitals in the text so far.
const OUTSIDE: [f32; 2] = [0.8, 1.6];
/// No weight grows beyond what the file can hold.
const LARGEST: f32 = 127.0 / UNIT;
/// Tokens that are right by so much teach nothing.
const SURE: f32 = 0.008;

/// Weights of a row and the squares of what changed them.
#[derive(Clone, Copy)]
struct Row {
    weights: [f32; WIDE],
    squares: [f32; WIDE],
}

/// A chain in training.
pub(crate) struct Chain {
    rows: Vec<Row>,
    moves: [[f32; LABELS]; LABELS],
    move_squares: [[f32; LABELS]; LABELS],
    rate: f32,
    work: Work,
    mean: Mean,
}

/// Sums of the weights at some moments: their mean has less of what the last texts happened to be.
#[derive(Default)]
struct Mean {
    rows: Vec<[f32; WIDE]>,
    moves: [[f32; LABELS]; LABELS],
    moments: f32,
}

#[derive(Default)]
struct Work {
    emit: Vec<[f32; WIDE]>,
    forward: Vec<[f32; LABELS]>,
    scale: Vec<f32>,
    gradient: Vec<[f32; WIDE]>,
}

/// A text to learn from: the features of its tokens, one after the other, and their labels.
#[derive(Default)]
pub(crate) struct Text {
    pub hashes: Vec<u32>,
    /// End of each token's features in `hashes`.
    pub ends: Vec<usize>,
    pub labels: Vec<u8>,
}

impl Text {
    pub(crate) fn clear(&mut self) {
        self.hashes.clear();
        self.ends.clear();
        self.labels.clear();
    }

    fn features(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or_default();
        self.hashes.get(start..self.ends.get(at).copied().unwrap_or_default()).unwrap_or_default()
    }
}

impl Chain {
    pub(crate) fn new(rows: usize) -> Self {
        let row = Row { weights: [0.0; WIDE], squares: [0.3; WIDE] };
        Self {
            rows: vec![row; rows],
            moves: [[0.0; LABELS]; LABELS],
            move_squares: [[1.0; LABELS]; LABELS],
            rate: 0.1,
            work: Work::default(),
            mean: Mean::default(),
        }
    }

    /// Adds the weights of this moment to the mean.
    pub(crate) fn remember(&mut self) {
        let Mean { rows, moves, moments } = &mut self.mean;
        rows.resize(self.rows.len(), [0.0; WIDE]);
        for (sum, row) in rows.iter_mut().zip(&self.rows) {
            sum.iter_mut().zip(&row.weights).for_each(|(sum, weight)| *sum += weight);
        }
        for (sum, weight) in moves.iter_mut().flatten().zip(self.moves.iter().flatten()) {
            *sum += weight;
        }
        *moments += 1.0;
    }

    /// Adds what another chain remembers of its weights.
    pub(crate) fn join(&mut self, other: &Self) {
        for (sum, more) in self.mean.rows.iter_mut().flatten().zip(other.mean.rows.iter().flatten()) {
            *sum += more;
        }
        for (sum, more) in self.mean.moves.iter_mut().flatten().zip(other.mean.moves.iter().flatten()) {
            *sum += more;
        }
        self.mean.moments += other.mean.moments;
    }

    pub(crate) const fn set_rate(&mut self, rate: f32) {
        self.rate = rate;
    }

    /// Learns from one text; gives how unlikely it was.
    pub(crate) fn learn(&mut self, text: &Text) -> f32 {
        let count = text.labels.len();
        if count == 0 {
            return 0.0;
        }
        let moves = self.expectations();
        let loss = self.forward_backward(text, &moves);
        let mut changes = [[0.0_f32; LABELS]; LABELS];
        self.pairs(text, &moves, &mut changes);
        for at in 0..count {
            self.update(text, at);
        }
        for ((weights, squares), changes) in self.moves.iter_mut().zip(&mut self.move_squares).zip(&changes) {
            for ((weight, square), change) in weights.iter_mut().zip(squares).zip(changes) {
                *square += change * change;
                *weight -= self.rate * change / square.sqrt();
                *weight = weight.clamp(-12.0, 12.0);
            }
        }
        loss
    }

    fn expectations(&self) -> [[f32; LABELS]; LABELS] {
        let mut moves = [[0.0; LABELS]; LABELS];
        for (from, (out, row)) in moves.iter_mut().zip(&self.moves).enumerate() {
            for (to, (out, weight)) in out.iter_mut().zip(row).enumerate() {
                *out = if may_follow(from, to) { weight.exp() } else { 0.0 };
            }
        }
        moves
    }

    /// Fills in `emit`, `forward`, `scale` and `gradient` (of the scores of each token).
    fn forward_backward(&mut self, text: &Text, moves: &[[f32; LABELS]; LABELS]) -> f32 {
        let count = text.labels.len();
        let Work { emit, forward, scale, gradient } = &mut self.work;
        emit.clear();
        forward.clear();
        scale.clear();
        let rows = self.rows.len() as u64;
        let mut loss = 0.0_f32;
        let mut before = [0.0; LABELS];
        before[0] = 1.0;
        let mut last = 0;
        for at in 0..count {
            let mut scores = [0.0_f32; WIDE];
            for hash in text.features(at) {
                if let Some(row) = self.rows.get(row(*hash, rows)) {
                    for (score, weight) in scores.iter_mut().zip(&row.weights) {
                        *score += weight;
                    }
                }
            }
            let gold = usize::from(text.labels.get(at).copied().unwrap_or_default());
            let top = scores.iter().take(LABELS).copied().fold(f32::MIN, f32::max);
            loss -= scores.get(gold).copied().unwrap_or_default() - top;
            loss -= self.moves.get(last).and_then(|m| m.get(gold)).copied().unwrap_or_default();
            last = gold;
            let mut likely = [0.0_f32; WIDE];
            for (likely, score) in likely.iter_mut().zip(&scores).take(LABELS) {
                *likely = (score - top).exp();
            }
            let mut now = [0.0_f32; LABELS];
            for (sofar, row) in before.iter().zip(moves) {
                for (now, step) in now.iter_mut().zip(row) {
                    *now += sofar * step;
                }
            }
            let mut sum = 0.0;
            for (now, likely) in now.iter_mut().zip(&likely) {
                *now *= likely;
                sum += *now;
            }
            let sum = sum.max(1e-30);
            now.iter_mut().for_each(|n| *n /= sum);
            loss += sum.ln();
            emit.push(likely);
            forward.push(now);
            scale.push(sum);
            before = now;
        }
        gradient.clear();
        gradient.resize(count, [0.0; WIDE]);
        let mut rest = [1.0_f32; LABELS];
        for at in (0..count).rev() {
            let gold = usize::from(text.labels.get(at).copied().unwrap_or_default());
            if let (Some(gradient), Some(forward)) = (gradient.get_mut(at), forward.get(at)) {
                for ((gradient, forward), rest) in gradient.iter_mut().zip(forward).zip(&rest) {
                    *gradient = forward * rest;
                }
                if let Some(gold) = gradient.get_mut(gold) {
                    *gold -= 1.0;
                }
            }
            let (Some(emit), Some(scale)) = (emit.get_mut(at), scale.get(at)) else { continue };
            let mut before = [0.0; LABELS];
            // From here on `emit` holds what comes after and with this token, as the pairs need it.
            for (emit, rest) in emit.iter_mut().zip(&rest) {
                *emit *= rest / scale;
            }
            for (before, row) in before.iter_mut().zip(moves) {
                *before = row.iter().zip(emit.iter()).map(|(step, emit)| step * emit).sum();
            }
            rest = before;
        }
        loss
    }

    /// Gradient of the transitions.
    fn pairs(&self, text: &Text, moves: &[[f32; LABELS]; LABELS], changes: &mut [[f32; LABELS]; LABELS]) {
        let mut start = [0.0; LABELS];
        start[0] = 1.0;
        let mut before = &start;
        let mut last = 0;
        for ((emit, forward), gold) in self.work.emit.iter().zip(&self.work.forward).zip(&text.labels) {
            for ((sofar, row), change) in before.iter().zip(moves).zip(changes.iter_mut()) {
                for ((step, emit), change) in row.iter().zip(emit).zip(change) {
                    *change += sofar * step * emit;
                }
            }
            if let Some(change) = changes.get_mut(last).and_then(|c| c.get_mut(usize::from(*gold))) {
                *change -= 1.0;
            }
            last = usize::from(*gold);
            before = forward;
        }
    }

    fn update(&mut self, text: &Text, at: usize) {
        let Some(gradient) = self.work.gradient.get(at) else { return };
        if gradient.iter().all(|g| g.abs() < SURE) {
            return;
        }
        let gradient = *gradient;
        let rows = self.rows.len() as u64;
        for hash in text.features(at) {
            let Some(row) = self.rows.get_mut(row(*hash, rows)) else { continue };
            for ((weight, square), change) in row.weights.iter_mut().zip(&mut row.squares).zip(&gradient) {
                *square += change * change;
                *weight = (*weight - self.rate * change / square.sqrt()).clamp(-LARGEST, LARGEST);
            }
        }
    }

    /// The mean of the weights, in units.
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    pub(crate) fn trained(&self, lists: Vec<u8>) -> Trained {
        let unit = UNIT / self.mean.moments.max(1.0);
        let rows = self.mean.rows.iter().map(|row| {
            let mut out = [0; LABELS];
            for (out, weight) in out.iter_mut().zip(row) {
                *out = (weight * unit).round().clamp(-127.0, 127.0) as i8;
            }
            out
        });
        let mut moves = [[0; LABELS]; LABELS];
        for (out, weight) in moves.iter_mut().flatten().zip(self.mean.moves.iter().flatten()) {
            *out = (weight * unit).round() as i16;
        }
        Trained {
            unit: UNIT as i16,
            outside: OUTSIDE.map(|score| (score * UNIT) as i16),
            moves,
            lists,
            rows: rows.collect(),
        }
    }
}
