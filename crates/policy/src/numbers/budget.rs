//! What was told already: the ε that the answers of a period add up to.
//!
//! Answers about the same customers add up (sequential composition): two with ε 1 tell as much as one with ε 2. A house has a limit a
//! period. It is spent before the answer is made, and an answer that fails afterwards has cost it all the same.
//!
//! Said plainly: at the end of a period the account begins anew, so over n periods a customer who wrote in all of them may be told
//! about with n times the limit. A limit for ever would end all statistics one day; the length of the period is the house's choice.

use chatward_message::UnixMillis;
use serde::{Deserialize, Serialize};

use super::Epsilon;

/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// How much may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In one period, in sum.
    pub epsilon: Epsilon,
    /// The length of a period in days; at least one.
    pub days: u32,
}

/// The account of a house, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The beginning of the period that this is the account of.
    since: UnixMillis,
    /// What was spent in it.
    spent: Epsilon,
    /// How many answers that was.
    answers: u32,
}

/// There is not enough left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an ε of {left} is left until the account begins anew")]
pub struct Exhausted {
    /// What is left.
    pub left: Epsilon,
    /// When the account begins anew.
    pub renews: UnixMillis,
}

impl Budget {
    /// What is left at this time.
    pub fn left(&self, limit: Limit, now: UnixMillis) -> Epsilon {
        limit.epsilon.minus(self.at(limit, now).spent).unwrap_or(Epsilon::ZERO)
    }

    /// How many answers were given in the period of this time.
    pub fn answers(&self, limit: Limit, now: UnixMillis) -> u32 {
        self.at(limit, now).answers
    }

    /// When the account begins anew.
    pub fn renews(&self, limit: Limit, now: UnixMillis) -> UnixMillis {
        let this = self.at(limit, now);
        UnixMillis(this.since.0.saturating_add(length(limit)))
    }

    /// The account after this much more was spent.
    ///
    /// # Errors
    /// [`Exhausted`] if that is more than is left. Nothing is spent then.
    pub fn spend(&self, limit: Limit, now: UnixMillis, epsilon: Epsilon) -> Result<Self, Exhausted> {
        let this = self.at(limit, now);
        let spent = this.spent.plus(epsilon).filter(|spent| *spent <= limit.epsilon);
        let Some(spent) = spent else {
            return Err(Exhausted { left: self.left(limit, now), renews: self.renews(limit, now) });
        };
        Ok(Self { since: this.since, spent, answers: this.answers.saturating_add(1) })
    }

    /// The account of the period of this time. Periods are counted from 1970, so that they begin alike in every process; a clock that is
    /// set back begins none.
    fn at(&self, limit: Limit, now: UnixMillis) -> Self {
        let begun = now.0 - now.0 % length(limit);
        if begun > self.since.0 { Self { since: UnixMillis(begun), ..Self::default() } } else { *self }
    }
}

fn length(limit: Limit) -> u64 {
    u64::from(limit.days.max(1)) * DAY
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(epsilon: u64) -> Limit {
        Limit { epsilon: Epsilon::from_millionths(epsilon).unwrap(), days: 30 }
    }

    #[test]
    fn an_account_begins_anew_and_not_by_setting_the_clock_back() {
        let (limit, one) = (limit(2_000_000), "1".parse().unwrap());
        let then = UnixMillis(100 * 30 * DAY + 5);
        let budget = Budget::default().spend(limit, then, one).unwrap().spend(limit, then, one).unwrap();
        let refused = budget.spend(limit, then, "0.000001".parse().unwrap()).unwrap_err();
        assert_eq!(refused, Exhausted { left: Epsilon::ZERO, renews: UnixMillis(101 * 30 * DAY) });
        // Just before the end, and with the clock a year back: no more.
        assert!(budget.spend(limit, UnixMillis(101 * 30 * DAY - 1), one).is_err());
        assert!(budget.spend(limit, UnixMillis(88 * 30 * DAY), one).is_err());
        let anew = budget.spend(limit, UnixMillis(101 * 30 * DAY), one).unwrap();
        assert_eq!(
            (anew.left(limit, UnixMillis(101 * 30 * DAY)), anew.answers(limit, UnixMillis(101 * 30 * DAY))),
            (one, 1)
        );
    }

    #[test]
    fn a_smaller_limit_counts_for_what_was_spent_before() {
        let now = UnixMillis(7);
        let budget = Budget::default().spend(limit(5_000_000), now, "4".parse().unwrap()).unwrap();
        assert_eq!(budget.left(limit(1_000_000), now), Epsilon::ZERO);
        assert!(budget.spend(limit(1_000_000), now, "0.1".parse().unwrap()).is_err());
    }

    proptest! {
        /// Whatever is asked for, when: what was granted in a period never adds up to more than the limit, and what was refused
        /// would have.
        #[test]
        fn never_more_than_the_limit(most in 0_u64..5_000_000, asked in prop::collection::vec((0_u64..2_000_000, 0_u64..40 * DAY), 1..60)) {
            let limit = limit(most);
            let (mut budget, mut now) = (Budget::default(), 1_000 * 30 * DAY);
            let mut granted: std::collections::BTreeMap<u64, u64> = Default::default();
            for (epsilon, later) in asked {
                now += later / 8;
                let sum = granted.entry(now / (30 * DAY)).or_default();
                match budget.spend(limit, UnixMillis(now), Epsilon::from_millionths(epsilon).unwrap()) {
                    Ok(after) => { *sum += epsilon; budget = after; }
                    Err(refused) => {
                        prop_assert!(*sum + epsilon > most);
                        prop_assert_eq!(refused.left.millionths(), most - *sum);
                    }
                }
                prop_assert!(*sum <= most);
                prop_assert_eq!(budget.left(limit, UnixMillis(now)).millionths(), most - *sum);
            }
        }
    }
}
