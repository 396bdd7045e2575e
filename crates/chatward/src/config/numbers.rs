//! `[numbers]` and `[controller]`, checked.

use chatward_policy::numbers::Epsilon;
use chatward_policy::numbers::budget::Limit;

use super::Fault;
use super::load::fault;
use super::raw::{RawController, RawNumbers};

/// The longest text about the controller, in bytes.
const LONGEST: usize = 500;

/// How numbers about customers are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// The ε of an answer where none is asked for.
    pub epsilon: Epsilon,
    /// What all answers of a period may add up to.
    pub limit: Limit,
    /// Turns of one customer that are counted in one answer.
    pub turns: u32,
    /// Findings of one turn that are counted.
    pub findings: u32,
    /// The least k of a table.
    pub k: u32,
}

/// Who answers for the processing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controller {
    /// The organisation.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
    /// How it is reached.
    pub contact: Option<String>,
    /// Its representative in the Union.
    pub representative: Option<String>,
    /// Its data protection officer.
    pub dpo: Option<String>,
}

/// Checks `[numbers]`.
pub(super) fn numbers(raw: &RawNumbers, faults: &mut Vec<Fault>) -> Numbers {
    let mut read = |path: &str, text: &str| {
        text.parse::<Epsilon>().unwrap_or_else(|error| {
            faults.push(fault(path, format!("{text:?}: {error}")));
            Epsilon::ZERO
        })
    };
    let (epsilon, budget) = (read("numbers.epsilon", &raw.epsilon), read("numbers.budget", &raw.budget));
    let mut within = |path: &str, n: u32, least: u32, most: u32| {
        if !(least..=most).contains(&n) {
            faults.push(fault(path, format!("{n} is not from {least} to {most}")));
        }
        n
    };
    Numbers {
        epsilon,
        limit: Limit { epsilon: budget, days: within("numbers.budget_days", raw.budget_days, 1, 3660) },
        turns: within("numbers.turns_per_customer", raw.turns_per_customer, 1, 10_000),
        findings: within("numbers.findings_per_turn", raw.findings_per_turn, 1, 100),
        k: within("numbers.k", raw.k, 2, 10_000),
    }
}

/// Checks `[controller]`.
pub(super) fn controller(raw: &RawController, faults: &mut Vec<Fault>) -> Controller {
    let mut read = |field: &str, text: &Option<String>| {
        let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
        if text.len() > LONGEST || text.chars().any(|c| c.is_control() && c != '\n') {
            let message = format!("at most {LONGEST} bytes, and no control characters");
            faults.push(fault(&format!("controller.{field}"), message));
        }
        Some(text.to_owned())
    };
    Controller {
        name: read("name", &raw.name),
        address: read("address", &raw.address),
        contact: read("contact", &raw.contact),
        representative: read("representative", &raw.representative),
        dpo: read("dpo", &raw.dpo),
    }
}
