//! Counts by week, with noise: how many turns, refusals, findings and customers.
//!
//! The unit of privacy is one customer as the gateway knows them; somebody without a name counts anew in each conversation. What one
//! customer can change is bounded before anything is counted: their first turns of the whole time that is asked about, so many
//! (`numbers.turns_per_customer`) and no more, and of each turn so many findings. ε is shared out evenly among the measures asked
//! for, and each cell of a measure gets discrete Laplace noise for all that one customer can change in that measure. Weeks, measures
//! and kinds are those of the question, never those that happen to occur: a cell with nothing in it gets noise as well.
//!
//! Counts may come out negative. Whoever sets those to nothing makes sums wrong, and no more private.

use std::collections::{BTreeMap, BTreeSet};

use chatward_message::Class;
use chatward_policy::numbers::Epsilon;
use chatward_policy::numbers::coarse::Week;
use chatward_policy::numbers::noise::{Bits, Laplace, NoBits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::walk::{Told, Walk};
use super::{NumbersError, export};
use crate::config::Numbers;
use crate::directory::Directory;
use crate::turn::Gate;

/// Most weeks of one answer.
const MOST_WEEKS: u32 = 53;
/// Most kinds that are told apart in one answer.
const MOST_KINDS: usize = 50;
/// A week, in milliseconds.
const WEEK: u64 = 7 * 24 * 60 * 60 * 1000;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "StatisticsMeasure")]
pub enum Measure {
    /// Turns.
    Turns,
    /// Turns that were refused before anything went to the bot.
    Refused,
    /// Turns in which something was found, by class or by the kinds that are named.
    Found,
    /// Customers who wrote.
    Customers,
}

impl Measure {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Turns, Self::Refused, Self::Found, Self::Customers];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turns => "turns",
            Self::Refused => "refused",
            Self::Found => "found",
            Self::Customers => "customers",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == word)
    }
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "StatisticsQuestion")]
pub struct Question {
    /// So many whole weeks, up to the last one that is over: 1 to 53, by default 4.
    #[schemars(range(min = 1, max = 53))]
    pub weeks: Option<u32>,
    /// What is counted; everything if nothing is named. The fewer, the less noise.
    pub measures: Vec<Measure>,
    /// The kinds that `found` tells apart; by default the classes.
    pub kinds: Vec<String>,
    /// The ε of this answer, a decimal number; by default `numbers.epsilon`.
    #[schemars(with = "Option<String>")]
    pub epsilon: Option<Epsilon>,
}

/// How far off the counts of a measure may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StatisticsNoise")]
pub struct Spread {
    /// The measure.
    pub measure: Measure,
    /// Its part of ε.
    #[schemars(with = "String")]
    pub epsilon: Epsilon,
    /// How much one customer can change all its counts by, in sum.
    pub sensitivity: u32,
    /// In 95 of 100 cases a count is off by no more than this.
    pub within: u64,
}

/// One count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StatisticsCount")]
pub struct Cell {
    /// The week (ISO 8601, UTC): `2026-W48`.
    pub week: String,
    /// What was counted.
    pub measure: Measure,
    /// The kind or the class, of findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How many, with noise.
    pub count: i64,
}

/// Counts, and what they promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Statistics")]
pub struct Counts {
    /// `differentially private`, in words.
    pub promise: String,
    /// The ε of this answer.
    #[schemars(with = "String")]
    pub epsilon: Epsilon,
    /// What one customer is.
    pub unit: String,
    /// Turns of one customer that were counted at most.
    pub turns_per_customer: u32,
    /// Findings of one turn that were counted at most.
    pub findings_per_turn: u32,
    /// What is left of the budget after this answer.
    #[schemars(with = "String")]
    pub left: Epsilon,
    /// When the budget begins anew (milliseconds since 1970).
    pub renews: u64,
    /// How far off the counts may be.
    pub noise: Vec<Spread>,
    /// The counts.
    pub counts: Vec<Cell>,
}

const PROMISE: &str = "differentially private: whatever one customer wrote changes the chance of this answer by at most the factor \
                       e^epsilon; answers of one period add up, and those of several periods do too";
const UNIT: &str =
    "one customer as the gateway knows them; somebody without a name counts anew in each conversation";

/// A question that makes sense.
struct Plan {
    first: Week,
    weeks: u32,
    measures: BTreeSet<Measure>,
    kinds: Vec<Box<str>>,
    epsilon: Epsilon,
    numbers: Numbers,
}

/// What stands in a cell: week, measure, and of findings the kind or class.
type Key = (Week, Measure, Box<str>);

/// Answers. What the answer costs is spent first.
///
/// # Errors
/// [`NumbersError`]
pub async fn count(gate: &Gate, directory: &Directory, question: &Question) -> Result<Counts, NumbersError> {
    let force = gate.force.load_full();
    let known = |kind: &str| force.detector.rules().iter().any(|rule| rule.kind.as_str() == kind);
    let plan = Plan::of(question, force.config.numbers, gate.clock.now(), known)?;
    let mut counts = plan.empty();
    let rows = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let limit = plan.numbers.limit;
    let told = directory.tell(limit, plan.epsilon, rows).await?;
    let now = directory.now();
    let budget = told.map_err(|exhausted| NumbersError::Spent {
        exhausted,
        wait: std::time::Duration::from_millis(exhausted.renews.0.saturating_sub(now.0)),
    })?;
    let last = plan.first.begins().0 + u64::from(plan.weeks) * WEEK;
    let time = plan.first.begins()..chatward_message::UnixMillis(last);
    let mut walk = Walk::new(gate, time);
    while let Some((_, turns)) = walk.next().await? {
        plan.add(turns, &mut counts);
    }
    let (counts, noise) = plan.noisy(&counts, &mut system_bits())?;
    Ok(Counts {
        promise: PROMISE.to_owned(),
        epsilon: plan.epsilon,
        unit: UNIT.to_owned(),
        turns_per_customer: plan.numbers.turns,
        findings_per_turn: plan.numbers.findings,
        left: budget.left(limit, now),
        renews: budget.renews(limit, now).0,
        noise,
        counts,
    })
}

/// Bits of the system, drawn some at a time.
fn system_bits() -> impl Bits {
    let mut drawn = Vec::new();
    move || {
        if drawn.is_empty() {
            let bytes = crate::caller::random::<2048>().map_err(|_| NoBits)?;
            drawn.extend(bytes.as_chunks::<8>().0.iter().map(|eight| u64::from_le_bytes(*eight)));
        }
        drawn.pop().ok_or(NoBits)
    }
}

impl Plan {
    fn of(
        question: &Question,
        numbers: Numbers,
        now: chatward_message::UnixMillis,
        known: impl Fn(&str) -> bool,
    ) -> Result<Self, NumbersError> {
        let weeks = question.weeks.unwrap_or(4);
        if !(1..=MOST_WEEKS).contains(&weeks) {
            return Err(NumbersError::Question("weeks"));
        }
        let epsilon = question.epsilon.unwrap_or(numbers.epsilon);
        let measures: BTreeSet<Measure> = if question.measures.is_empty() {
            Measure::ALL.into()
        } else {
            question.measures.iter().copied().collect()
        };
        let kinds: BTreeSet<&str> = question.kinds.iter().map(String::as_str).collect();
        if kinds.len() > MOST_KINDS || !kinds.iter().all(|kind| known(kind)) {
            return Err(NumbersError::Question("kinds"));
        }
        // So little that a part of it is nothing is no ε.
        if epsilon.part_of(measures.len() as u64).is_zero() {
            return Err(NumbersError::Question("epsilon"));
        }
        let this = Week::of(now).begins().0;
        let first = this.checked_sub(u64::from(weeks) * WEEK).ok_or(NumbersError::Question("weeks"))?;
        let first = Week::of(chatward_message::UnixMillis(first));
        let kinds = kinds.into_iter().map(Box::from).collect();
        Ok(Self { first, weeks, measures, kinds, epsilon, numbers })
    }

    /// Every cell, with nothing in it.
    fn empty(&self) -> BTreeMap<Key, u64> {
        let mut all = BTreeMap::new();
        let mut week = self.first;
        for _ in 0..self.weeks {
            for measure in &self.measures {
                for of in self.parts(*measure) {
                    all.insert((week, *measure, of), 0);
                }
            }
            week = week.next();
        }
        all
    }

    fn parts(&self, measure: Measure) -> Vec<Box<str>> {
        match measure {
            Measure::Found if self.kinds.is_empty() => {
                Class::ALL.iter().map(|class| Box::from(class.name())).collect()
            }
            Measure::Found => self.kinds.clone(),
            _ => vec![Box::from("")],
        }
    }

    /// Adds one customer: all of their turns, of which the first are counted.
    fn add(&self, mut turns: Vec<Told>, counts: &mut BTreeMap<Key, u64>) {
        turns.sort_by_key(|turn| (turn.at, turn.conversation));
        turns.truncate(self.numbers.turns as usize);
        let mut add = |week, measure, of: &str| {
            if let Some(count) = counts.get_mut(&(week, measure, Box::from(of))) {
                *count += 1;
            }
        };
        let mut weeks = BTreeSet::new();
        for turn in &turns {
            let week = Week::of(turn.at);
            add(week, Measure::Turns, "");
            if turn.state == chatward_store::TurnState::Refused {
                add(week, Measure::Refused, "");
            }
            for of in self.found(turn) {
                add(week, Measure::Found, &of);
            }
            if weeks.insert(week) {
                add(week, Measure::Customers, "");
            }
        }
    }

    /// What was found in a turn, each kind or class once, and no more than are counted.
    fn found(&self, turn: &Told) -> BTreeSet<Box<str>> {
        let mut all: BTreeSet<Box<str>> = BTreeSet::new();
        for (kind, (class, _)) in &turn.found {
            if self.kinds.is_empty() {
                all.insert(class.name().into());
            } else if self.kinds.contains(kind) {
                all.insert(kind.clone());
            }
        }
        all.into_iter().take(self.numbers.findings as usize).collect()
    }

    /// How much one customer can change the counts of a measure by, in sum over all cells.
    fn sensitivity(&self, measure: Measure) -> u32 {
        let turns = self.numbers.turns;
        match measure {
            Measure::Turns | Measure::Refused => turns,
            Measure::Customers => turns.min(self.weeks),
            Measure::Found => {
                let parts = u32::try_from(self.parts(measure).len()).unwrap_or(u32::MAX);
                turns.saturating_mul(self.numbers.findings.min(parts))
            }
        }
    }

    fn noisy(
        &self,
        counts: &BTreeMap<Key, u64>,
        bits: &mut dyn Bits,
    ) -> Result<(Vec<Cell>, Vec<Spread>), NumbersError> {
        let epsilon = self.epsilon.part_of(self.measures.len() as u64);
        let mut noise = Vec::new();
        let mut laws = BTreeMap::new();
        for measure in &self.measures {
            let sensitivity = self.sensitivity(*measure);
            let law = Laplace::new(sensitivity, epsilon)?;
            laws.insert(*measure, law);
            noise.push(Spread { measure: *measure, epsilon, sensitivity, within: law.within(95) });
        }
        let mut cells = Vec::new();
        for ((week, measure, of), count) in counts {
            let Some(law) = laws.get(measure) else { continue };
            let count = i64::try_from(*count).unwrap_or(i64::MAX).saturating_add(law.draw(bits)?);
            let of = (!of.is_empty()).then(|| of.to_string());
            cells.push(Cell { week: week.to_string(), measure: *measure, of, count });
        }
        Ok((cells, noise))
    }
}

impl Counts {
    /// As CSV: a header, and one line a count.
    pub fn to_csv(&self) -> Vec<u8> {
        let mut lines = vec![export::csv_line(&["week", "measure", "of", "count"])];
        for Cell { week, measure, of, count } in &self.counts {
            lines.push(export::csv_line(&[
                week,
                measure.name(),
                of.as_deref().unwrap_or(""),
                &count.to_string(),
            ]));
        }
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use chatward_message::{ConversationId, UnixMillis};
    use chatward_policy::numbers::budget::Limit;
    use chatward_store::TurnState;
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_651_200_000;

    fn numbers() -> Numbers {
        let limit = Limit { epsilon: "4".parse().unwrap(), days: 30 };
        Numbers { epsilon: "1".parse().unwrap(), limit, turns: 3, findings: 2, k: 5 }
    }

    fn plan(question: &Question) -> Plan {
        let known = |kind: &str| ["email", "card", "phone"].contains(&kind);
        Plan::of(question, numbers(), UnixMillis(NOW), known).unwrap()
    }

    fn turn(days_ago: u64, state: TurnState, kinds: &[&str]) -> Told {
        let found = kinds.iter().map(|kind| (Box::from(*kind), (Class::Identity, 1))).collect();
        let at = UnixMillis(NOW - days_ago * 86_400_000);
        Told { conversation: ConversationId::from_bytes([1; 16]), at, upstream: "main".into(), state, found }
    }

    /// The L1 distance between the counts with and without this customer, by measure.
    fn change(plan: &Plan, turns: Vec<Told>) -> BTreeMap<Measure, u64> {
        let mut counts = plan.empty();
        plan.add(turns, &mut counts);
        let mut sums = BTreeMap::new();
        for ((_, measure, _), n) in counts {
            *sums.entry(measure).or_default() += n;
        }
        sums
    }

    #[test]
    fn only_whole_weeks_that_are_over_are_counted() {
        let plan = plan(&Question { weeks: Some(2), ..Question::default() });
        assert_eq!(plan.first.to_string(), "2026-W46");
        assert_eq!(plan.empty().len(), 2 * (1 + 1 + 6 + 1));
        // Three days ago is this week or the last day of the one before: the 26th is a Thursday.
        assert_eq!(change(&plan, vec![turn(0, TurnState::Closed, &[])])[&Measure::Turns], 0);
        assert_eq!(change(&plan, vec![turn(4, TurnState::Closed, &[])])[&Measure::Turns], 1);
    }

    #[test]
    fn questions_that_make_no_sense_are_told_by_their_field() {
        let ask = |question: Question| match Plan::of(&question, numbers(), UnixMillis(NOW), |kind| {
            kind == "email"
        }) {
            Err(NumbersError::Question(field)) => field,
            _ => "good",
        };
        assert_eq!(ask(Question { weeks: Some(0), ..Question::default() }), "weeks");
        assert_eq!(ask(Question { weeks: Some(54), ..Question::default() }), "weeks");
        assert_eq!(ask(Question { kinds: vec!["shoe_size".into()], ..Question::default() }), "kinds");
        assert_eq!(ask(Question { epsilon: Some(Epsilon::ZERO), ..Question::default() }), "epsilon");
        assert_eq!(ask(Question { epsilon: "0.000003".parse().ok(), ..Question::default() }), "epsilon");
        assert_eq!(ask(Question { kinds: vec!["email".into()], ..Question::default() }), "good");
    }

    proptest! {
        /// Whatever one customer wrote changes the counts by no more than the noise is made for.
        #[test]
        fn nobody_changes_more_than_is_stated(
            turns in prop::collection::vec((0_u64..60, any::<bool>(), prop::collection::vec(prop::sample::select(&["email", "card", "phone"][..]), 0..4)), 0..30),
            weeks in 1_u32..10,
            by_kind in any::<bool>(),
        ) {
            let kinds = if by_kind { vec!["email".to_owned(), "card".into(), "phone".into()] } else { vec![] };
            let plan = plan(&Question { weeks: Some(weeks), kinds, ..Question::default() });
            let turns: Vec<Told> = turns.iter().map(|(days, refused, kinds)| {
                turn(*days, if *refused { TurnState::Refused } else { TurnState::Closed }, kinds)
            }).collect();
            // The walk gives only turns of the time that is asked about.
            let (first, last) = (plan.first.begins(), plan.first.begins().0 + u64::from(weeks) * WEEK);
            let turns = turns.into_iter().filter(|turn| turn.at >= first && turn.at.0 < last).collect();
            for (measure, sum) in change(&plan, turns) {
                prop_assert!(sum <= u64::from(plan.sensitivity(measure)), "{measure:?}: {sum}");
            }
        }
    }
}
