//! Noise for counts: the discrete Laplace distribution, drawn exactly.
//!
//! Canonne, Kamath, Steinke: "The Discrete Gaussian for Differential Privacy" (2020), algorithms 1 and 2: Bernoulli trials whose
//! probability is exp(-γ) for a rational γ, and from them the discrete Laplace distribution, with whole numbers and random bits
//! alone. A count that changes by at most `sensitivity` through one customer, plus such noise of scale `sensitivity / ε`, is
//! ε-differentially private (Ghosh, Roughgarden, Sundararajan 2009).
//!
//! What is handled: no floating point, so no gaps between the values that could be told apart (Mironov 2012); uniform numbers by
//! rejection, so no bias of a remainder. What is not: the time a draw takes depends on its value (a known side channel of this
//! method: Jin and others 2022); whoever could measure it to the microsecond over the network would learn something of the noise.
//! Answers with noise are therefore given whole, with hundreds of draws in each, never one count at a time.

use super::Epsilon;

/// There are no random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are no random numbers")]
pub struct NoBits;

/// Why there is no noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// There are no random bits.
    #[error(transparent)]
    NoBits(#[from] NoBits),
    /// ε is nothing, or the count could change by more than 2^32 through one customer.
    #[error("there is no such noise")]
    Scale,
}

/// Where random bits come from: 64 at a time.
pub trait Bits {
    /// The next 64.
    ///
    /// # Errors
    /// [`NoBits`] if the system gives none.
    fn next(&mut self) -> Result<u64, NoBits>;
}

impl<F: FnMut() -> Result<u64, NoBits>> Bits for F {
    fn next(&mut self) -> Result<u64, NoBits> {
        self()
    }
}

/// The discrete Laplace distribution: P(x) is proportional to exp(-|x| · steps / scale).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laplace {
    scale: u64,
    steps: u64,
}

impl Laplace {
    /// For counts that one customer changes by at most `sensitivity` in sum, with this ε for all of them together.
    ///
    /// # Errors
    /// [`NoiseError::Scale`]
    pub fn new(sensitivity: u32, epsilon: Epsilon) -> Result<Self, NoiseError> {
        let steps = epsilon.millionths();
        let scale = u64::from(sensitivity) * 1_000_000;
        if steps == 0 {
            return Err(NoiseError::Scale);
        }
        let common = common_divisor(scale, steps).max(1);
        Ok(Self { scale: scale / common, steps: steps / common })
    }

    /// One draw. A count that nobody changes needs none, and gets none.
    ///
    /// # Errors
    /// [`NoiseError::NoBits`]
    pub fn draw(self, bits: &mut dyn Bits) -> Result<i64, NoBits> {
        if self.scale == 0 {
            return Ok(0);
        }
        loop {
            let fraction = below(u128::from(self.scale), bits)?;
            if !falls(fraction, u128::from(self.scale), bits)? {
                continue;
            }
            let mut whole: u128 = 0;
            while falls(1, 1, bits)? {
                whole += 1;
            }
            let at = fraction + u128::from(self.scale) * whole;
            let size = at / u128::from(self.steps);
            let negative = bits.next()? & 1 == 1;
            // Nothing must not count twice.
            if negative && size == 0 {
                continue;
            }
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            return Ok(if negative { -size } else { size });
        }
    }

    /// In how many of 100 draws, at least, the noise is at most this far off: the smallest such distance for `percent`.
    /// Whole numbers only, rounded up; for saying how far a count may be off.
    pub fn within(self, percent: u32) -> u64 {
        // P(|X| > m) = 2 q^(m+1) / (1 + q) with q = exp(-steps / scale). This is for reading, not for privacy.
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let q = (-(self.steps as f64) / (self.scale.max(1) as f64)).exp();
        let outside = 1.0 - f64::from(percent.min(99)) / 100.0;
        let mut tail = 2.0 * q / (1.0 + q);
        let mut distance = 0;
        while tail > outside && distance < 1 << 40 {
            tail *= q;
            distance += 1;
        }
        distance
    }
}

/// A whole number below `bound`, each equally likely. `bound` is at least 1.
fn below(bound: u128, bits: &mut dyn Bits) -> Result<u128, NoBits> {
    let width = 128 - bound.saturating_sub(1).leading_zeros();
    loop {
        let mut drawn = u128::from(bits.next()?);
        if width > 64 {
            drawn |= u128::from(bits.next()?) << 64;
        }
        let drawn = if width >= 128 { drawn } else { drawn & ((1 << width) - 1) };
        if drawn < bound {
            return Ok(drawn);
        }
    }
}

/// True with probability exp(-num / den), for num ≤ den and den ≥ 1 (algorithm 1).
fn falls(num: u128, den: u128, bits: &mut dyn Bits) -> Result<bool, NoBits> {
    let mut k: u128 = 1;
    loop {
        // True with probability num / (den · k). It does not go on for long: k reaches 40 less than once in 10^47 draws.
        if below(den.saturating_mul(k), bits)? >= num {
            return Ok(k % 2 == 1);
        }
        k += 1;
    }
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// SplitMix64 (Steele, Lea, Flood 2014): the same bits for the same seed, so that the tests below never flake.
    fn bits(seed: u64) -> impl Bits {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            Ok(z ^ (z >> 31))
        }
    }

    /// Chi-square against the exact probabilities. The draws of a seed are always the same: the bound is the quantile for one in a
    /// million, and the seeds were not chosen for it.
    #[test]
    fn the_noise_has_the_stated_distribution() {
        for (sensitivity, epsilon, seed) in
            [(1, "1", 1), (1, "0.5", 2), (3, "1", 3), (5, "0.7", 4), (1, "3", 5), (20, "2.5", 6)]
        {
            let epsilon: Epsilon = epsilon.parse().unwrap();
            let law = Laplace::new(sensitivity, epsilon).unwrap();
            let draws = 200_000;
            let mut seen: BTreeMap<i64, u32> = BTreeMap::new();
            let mut source = bits(seed);
            for _ in 0..draws {
                *seen.entry(law.draw(&mut source).unwrap()).or_default() += 1;
            }
            let rate = f64::from(u32::try_from(epsilon.millionths()).unwrap()) / 1e6 / f64::from(sensitivity);
            let norm = (rate.exp() - 1.0) / (rate.exp() + 1.0);
            let (mut chi, mut cells, mut inside) = (0.0, 0, 0.0);
            for x in -400..=400_i32 {
                let expected = norm * (-rate * f64::from(x.abs())).exp() * f64::from(draws);
                if expected < 10.0 {
                    continue;
                }
                let got = f64::from(seen.get(&i64::from(x)).copied().unwrap_or(0));
                chi += (got - expected).powi(2) / expected;
                cells += 1;
                inside += expected;
            }
            // All the far ones are one cell.
            let rest = f64::from(draws) - inside;
            let far: u32 = seen
                .iter()
                .filter(|(x, _)| norm * (-rate * x.unsigned_abs() as f64).exp() * f64::from(draws) < 10.0)
                .map(|(_, n)| n)
                .sum();
            if rest > 5.0 {
                chi += (f64::from(far) - rest).powi(2) / rest;
                cells += 1;
            }
            // Wilson and Hilferty: the quantile of chi-square for one in a million (z = 4.75).
            let free = f64::from(cells - 1);
            let bound = free * (1.0 - 2.0 / (9.0 * free) + 4.75 * (2.0 / (9.0 * free)).sqrt()).powi(3);
            assert!(
                chi < bound,
                "sensitivity {sensitivity}, ε {epsilon}: chi² {chi:.1} of {free} exceeds {bound:.1}"
            );
        }
    }

    #[test]
    fn the_mean_is_nothing_and_the_spread_is_as_stated() {
        let law = Laplace::new(2, "1".parse().unwrap()).unwrap();
        let mut source = bits(77);
        let draws: Vec<i64> = (0..100_000).map(|_| law.draw(&mut source).unwrap()).collect();
        let within = law.within(95);
        let inside = draws.iter().filter(|x| x.unsigned_abs() <= within).count();
        assert!((95_000..99_000).contains(&inside), "{inside} of 100,000 within {within}");
        let sum: i64 = draws.iter().sum();
        assert!(sum.abs() < 5_000, "{sum}");
    }

    #[test]
    fn trials_have_the_exact_probability() {
        for (num, den, seed) in [(0, 1, 1), (1, 1, 2), (1, 3, 3), (999, 1_000, 4), (1, 1 << 70, 5)] {
            let mut source = bits(seed);
            let hits = (0..50_000).filter(|_| falls(num, den, &mut source).unwrap()).count();
            #[expect(clippy::cast_precision_loss, reason = "a bound with a wide margin")]
            let expected = (-(num as f64) / den as f64).exp() * 50_000.0;
            #[expect(clippy::cast_precision_loss, reason = "a bound with a wide margin")]
            let off = (hits as f64 - expected).abs();
            assert!(
                off <= 5.0 * (expected * (1.0 - expected / 50_000.0)).sqrt() + 1e-6,
                "{num}/{den}: {hits} against {expected}"
            );
        }
    }

    #[test]
    fn numbers_below_a_bound_have_no_bias() {
        let mut source = bits(9);
        let mut seen = [0_u32; 7];
        for _ in 0..70_000 {
            seen[usize::try_from(below(7, &mut source).unwrap()).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| (9_600..10_400).contains(n)), "{seen:?}");
        assert_eq!(below(1, &mut source), Ok(0));
        assert!(below(1 << 100, &mut source).unwrap() < 1 << 100);
    }

    #[test]
    fn without_bits_there_is_no_noise_and_without_epsilon_none_either() {
        let law = Laplace::new(1, "1".parse().unwrap()).unwrap();
        let mut none = || Err(NoBits);
        assert_eq!(law.draw(&mut none), Err(NoBits));
        assert_eq!(Laplace::new(1, Epsilon::ZERO), Err(NoiseError::Scale));
        assert_eq!(Laplace::new(0, "1".parse().unwrap()).unwrap().draw(&mut none), Ok(0));
    }
}
