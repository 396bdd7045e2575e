//! From a rule's own score to the probability that a finding is right.
//!
//! Rules are written by hand, and so are their scores: 0.6 says "surer than 0.5", not "right six times in ten". For each
//! kind that was measured, `models/calibration.toml` (`cargo xtask calibrate` makes it) holds a line in log odds:
//! probability = logistic(slope × logit(score) + offset). The slope is above zero, so the order of scores inside a kind
//! stays. Kinds that were not measured keep their own score. It is the last step: thresholds and overlaps go by the rule's
//! own score.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::RulesError;
use crate::rule::Rule;

/// What was measured.
pub(crate) const MEASURED: &str = include_str!("../../../models/calibration.toml");
/// Scores nearer to 0 and 1 than this are taken for this near: log odds have no end.
const EDGE: f32 = 0.001;

/// A straight line in log odds; by default the one that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    slope: f32,
    offset: f32,
}

impl Default for Line {
    fn default() -> Self {
        Self { slope: 1.0, offset: 0.0 }
    }
}

impl Line {
    /// The probability for a rule's own score.
    pub(crate) fn of(self, score: f32) -> f32 {
        if self == Self::default() {
            return score;
        }
        let score = score.clamp(EDGE, 1.0 - EDGE);
        let odds = self.slope * (score / (1.0 - score)).ln() + self.offset;
        1.0 / (1.0 + (-odds).exp())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// By kind: slope, offset, findings they were measured on.
    kinds: BTreeMap<String, (f32, f32, u32)>,
}

/// Gives each rule its kind's line.
pub(crate) fn apply(measured: &str, rules: &mut [Rule]) -> Result<(), RulesError> {
    let damaged =
        |what: String| RulesError::Together(format!("the calibration cannot be used: {what}").into());
    let raw: Raw = toml::from_str(measured).map_err(|e| damaged(e.message().to_owned()))?;
    for (kind, (slope, offset, _)) in &raw.kinds {
        if !(slope.is_finite() && *slope > 0.0 && offset.is_finite()) {
            return Err(damaged(format!("{kind}: the slope must be above zero")));
        }
    }
    for rule in rules {
        if let Some((slope, offset, _)) = raw.kinds.get(rule.info.kind.as_str()) {
            rule.calibration = Line { slope: *slope, offset: *offset };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_keeps_the_order_and_stays_a_probability() {
        assert_eq!(Line::default().of(0.37), 0.37);
        let line = Line { slope: 0.4, offset: 1.5 };
        let all: Vec<f32> = (0..=100_u8).map(|n| line.of(f32::from(n) / 100.0)).collect();
        assert!(all.windows(2).all(|w| w[0] < w[1]), "{all:?}");
        assert!(all.iter().all(|p| (0.0..=1.0).contains(p)));
        assert!((line.of(0.5) - 0.817_57).abs() < 1e-4);
    }

    #[test]
    fn what_was_measured_can_be_used_and_what_turns_the_order_round_cannot() {
        assert!(apply(MEASURED, &mut []).is_ok());
        for bad in ["[kinds]\nemail = [0.0, 1.0, 3]", "[kinds]\nemail = [1.0, nan, 3]", "[other]\n"] {
            assert!(apply(bad, &mut []).is_err(), "{bad}");
        }
    }
}
