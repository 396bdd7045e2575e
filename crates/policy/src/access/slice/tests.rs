//! What is put aside, cut down and grouped decides as the whole set does, put to Cedar as it was written.

use std::cell::Cell;

use cedar_policy::{AuthorizationError, Authorizer, Decision, Entities, PolicySet, Response, Schema};
use chatward_message::Kind;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use super::super::engine::{Words, easier};
use super::super::facts::{Facts, TargetFacts};
use super::super::reason::Code;
use super::super::rules::{Rule, Rules, gather, read};
use super::super::source::{PolicySource, SCHEMA, shipped};
use super::super::tests::{analyst_reveals, near, rules};
use super::super::{Lint, Outcome};

/// A set that was neither held against the schema nor looked through, so that it may hold what never passes: with the
/// shipped policies or without.
fn unchecked(own: &str, with_shipped: bool) -> Rules {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for source in shipped().iter().filter(|_| with_shipped) {
        read(*source, true, &mut all, &mut faults);
    }
    read(PolicySource { name: "own.cedar", text: own }, false, &mut all, &mut faults);
    assert!(faults.iter().all(|fault| fault.lint != Lint::Syntax), "{faults:?}\n{own}");
    let (_, by_id) = gather(&all).unwrap();
    Rules::of(&schema, Words::new(&schema).unwrap(), all, by_id, "unchecked".into()).unwrap()
}

// ── The whole set, as it was written ─────────────────────────────────────────────────────────────────────────────────

struct Whole<'a> {
    rules: &'a Rules,
    all: PolicySet,
    permits: PolicySet,
    forbids: PolicySet,
}

impl<'a> Whole<'a> {
    fn of(rules: &'a Rules) -> Self {
        let set = |which: &dyn Fn(&Rule) -> bool| {
            let policies = rules.all.iter().filter(|rule| which(rule)).map(|rule| rule.policy.clone());
            PolicySet::from_policies(policies).unwrap()
        };
        Self {
            rules,
            all: set(&|_| true),
            permits: set(&|rule| rule.permit),
            forbids: set(&|rule| !rule.permit),
        }
    }

    fn ask(&self, facts: &Facts, set: &PolicySet) -> Response {
        let (request, entities) = self.rules.words.question(facts, true).unwrap();
        let entities = Entities::from_entities(entities.iter().cloned(), None).unwrap();
        Authorizer::new().is_authorized(&request, set, &entities)
    }

    fn judge(&self, facts: &Facts) -> Outcome {
        let rules = self.rules;
        let refused = |reasons| Outcome {
            allowed: false,
            reasons,
            by: vec![],
            failed: vec![],
            policies: rules.hash().clone(),
        };
        if !rules.asks(facts.action, facts.actor.sort()) {
            return refused(vec![Code::RoleMissing]);
        }
        let (whole, forbids) = (self.ask(facts, &self.all), self.ask(facts, &self.forbids));
        let by = |response: &Response| rules.ids(response.diagnostics().reason().cloned());
        let mut outcome = refused(vec![]);
        outcome.failed = failed(rules, &whole);
        outcome.reasons.extend(forbids.diagnostics().reason().map(|id| rules.code(id, facts)));
        if forbids.diagnostics().errors().next().is_some() {
            outcome.reasons.push(Code::PolicyError);
        }
        let permits = |facts: &Facts| self.ask(facts, &self.permits).decision() == Decision::Allow;
        if !permits(facts) {
            let more = easier(facts).find(|(more, _)| permits(more));
            outcome.reasons.extend(more.map_or_else(|| vec![Code::RoleMissing], |(_, codes)| codes));
        }
        outcome.reasons.sort();
        outcome.reasons.dedup();
        outcome.allowed = outcome.reasons.is_empty();
        // Cedar's own word on the whole set, but for a forbid that failed.
        let allowed = whole.decision() == Decision::Allow;
        assert_eq!(outcome.allowed, allowed && forbids.diagnostics().errors().next().is_none());
        outcome.by = by(if outcome.allowed { &whole } else { &forbids });
        outcome
    }
}

fn failed(rules: &Rules, response: &Response) -> Vec<std::sync::Arc<str>> {
    let id = |error: &AuthorizationError| {
        let AuthorizationError::PolicyEvaluationError(error) = error;
        error.policy_id().clone()
    };
    rules.ids(response.diagnostics().errors().map(id))
}

// ── Policies at random ───────────────────────────────────────────────────────────────────────────────────────────────

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal is Staff",
    "principal is Customer",
    "principal is Service",
    "principal is Data",
    r#"principal in Role::"analyst""#,
    r#"principal in Role::"trainer""#,
    r#"principal in Role::"admin""#,
    r#"principal in Role::"nobody""#,
    r#"principal in Scope::"list""#,
    r#"principal in Class::"identity""#,
    r#"principal is Staff in Role::"analyst""#,
    r#"principal is Service in Scope::"analytics""#,
    r#"principal == Role::"admin""#,
    r#"principal == Customer::"customer""#,
    r#"principal == Staff::"staff_01010101010101010101010101010101""#,
    r#"principal in Staff::"staff_01010101010101010101010101010101""#,
];

const ACTIONS: &[&str] = &[
    "action",
    "action in []",
    r#"action == Action::"list""#,
    r#"action == Action::"reveal""#,
    r#"action == Action::"grant""#,
    r#"action == Action::"personal""#,
    r#"action in Action::"list""#,
    r#"action in Action::"personal""#,
    r#"action in Action::"step-up""#,
    r#"action in Action::"explained""#,
    r#"action in [Action::"list", Action::"reveal", Action::"consent"]"#,
    r#"action in [Action::"read", Action::"rotate"]"#,
];

const RESOURCES: &[&str] = &[
    "resource",
    "resource is Data",
    "resource is House",
    "resource is Account",
    r#"resource in Class::"identity""#,
    r#"resource in Role::"admin""#,
    r#"resource is Data in Class::"payment""#,
    r#"resource == Data::"data""#,
    r#"resource == House::"other""#,
];

/// Some fail for some questions, and some for all.
const CONDITIONS: &[&str] = &[
    "true",
    "false",
    "context.reason",
    "context.ticket",
    "context.second_factor && context.second_factor_age <= 600",
    "principal.tenant == resource.tenant",
    "principal.anonymous",
    "resource.own",
    "resource.restricted",
    "context.break_glass.age * 2 < 0",
    "context.second_factor_age + 1 > 0",
    "context.second_factor_age",
    r#"resource.kind == "email""#,
    r#"resource has kind && ["email", "phone"].contains(resource.kind)"#,
    r#"["email", "phone"].contains(resource.kind)"#,
    r#"[Purpose::"support", Purpose::"audit"].contains(context.purpose)"#,
    "[].contains(context.purpose)",
    r#"[1, true, "x"].contains(context.reason)"#,
    r#"[ip("no address"), 1].contains(1)"#,
    "[true].contains([1, 2].contains(context.second_factor_age))",
    "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30].contains(context.second_factor_age)",
    r#"resource in [Class::"identity", Class::"special"]"#,
    r#"resource in [Class::"identity", resource]"#,
    r#"resource in [Class::"identity", "no entity"]"#,
    r#"context.purpose in [Purpose::"support", Purpose::"security"]"#,
    r#"context.reason in [Purpose::"support"]"#,
    r#"principal in [Role::"analyst", Role::"admin"]"#,
    r#"action in Action::"personal""#,
    r#"action == Action::"reveal""#,
    r#"[action].contains(Action::"reveal")"#,
    r#"Action::"reveal" in Action::"step-up""#,
    r#"if context.reason then action in [Action::"read"] else resource.own"#,
    r#"{"in": {"Value": resource}}["in"]["Value"] in [Class::"identity"]"#,
];

fn condition() -> impl Strategy<Value = String> {
    let one = || select(CONDITIONS);
    prop_oneof![
        3 => one().prop_map(str::to_owned),
        1 => one().prop_map(|one| format!("!({one})")),
        1 => (one(), one()).prop_map(|(one, other)| format!("({one}) && ({other})")),
        1 => (one(), one()).prop_map(|(one, other)| format!("({one}) || ({other})")),
    ]
}

fn policies() -> impl Strategy<Value = String> {
    let clause =
        (select(&["when", "unless"][..]), condition()).prop_map(|(word, of)| format!("{word} {{ {of} }}"));
    // Open heads more often than by chance: otherwise most policies concern nothing.
    let part = |all: &'static [&'static str]| prop_oneof![Just(all[0]), select(all)];
    let head = (part(PRINCIPALS), part(ACTIONS), part(RESOURCES));
    let policy = (any::<bool>(), head, prop::collection::vec(clause, 0..3));
    prop::collection::vec(policy, 1..14).prop_map(|all| {
        let text = |(n, (permit, (who, what, which), clauses)): (usize, (bool, _, Vec<String>))| {
            let (who, what, which): (&str, &str, &str) = (who, what, which);
            let effect = if permit { "permit" } else { "@reason(\"house_rule\") forbid" };
            format!("@id(\"own-{n}\") {effect} ({who}, {what}, {which}) {};\n", clauses.join(" "))
        };
        all.into_iter().enumerate().map(text).collect()
    })
}

/// What was met, so that a test can tell whether it saw enough.
#[derive(Default)]
struct Met {
    allowed: Cell<u32>,
    refused: Cell<u32>,
    failed: Cell<u32>,
}

impl Met {
    fn compare(&self, rules: &Rules, all: &[Facts]) -> Result<(), TestCaseError> {
        let whole = Whole::of(rules);
        for facts in all {
            let (found, expected) = (rules.judge(facts), whole.judge(facts));
            prop_assert_eq!(&found, &expected, "{}", facts);
            prop_assert_eq!(rules.allows(facts), expected.allowed, "{}", facts);
            let count = |of: &Cell<u32>, is: bool| of.set(of.get() + u32::from(is));
            count(&self.allowed, found.allowed);
            count(&self.refused, !found.allowed && !found.by.is_empty());
            count(&self.failed, !found.failed.is_empty());
        }
        Ok(())
    }

    fn at_least(&self, allowed: u32, refused: u32, failed: u32) {
        let met = (self.allowed.get(), self.refused.get(), self.failed.get());
        assert!(met.0 >= allowed && met.1 >= refused && met.2 >= failed, "too little was met: {met:?}");
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, source_file: Some(file!()), ..Config::default() })
}

#[test]
fn the_shipped_set_decides_as_if_nothing_were_put_aside() {
    let (rules, met) = (rules(), Met::default());
    runner(60).run(&prop::collection::vec(near(), 10), |all| met.compare(&rules, &all)).unwrap();
    met.at_least(5, 60, 0);
}

#[test]
fn policies_of_a_house_decide_as_if_nothing_were_put_aside() {
    let met = Met::default();
    let any_set = (policies(), prop::bool::weighted(0.25), prop::collection::vec(near(), 12));
    runner(200)
        .run(&any_set, |(own, with_shipped, all)| met.compare(&unchecked(&own, with_shipped), &all))
        .unwrap();
    met.at_least(20, 200, 200);
}

// ── One by one ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn without_a_policy_nothing_is_allowed() {
    let rules = unchecked("", false);
    runner(200)
        .run(&near(), |facts| {
            let outcome = rules.judge(&facts);
            prop_assert!(!outcome.allowed && !rules.allows(&facts));
            prop_assert_eq!(outcome.reasons, [Code::RoleMissing]);
            Ok(())
        })
        .unwrap();
}

/// Wherever in a group it stands, and whatever stands before it.
#[test]
fn a_forbid_that_fails_in_a_group_refuses_and_is_named_alone() {
    let forbid = |id: usize, when: &str| {
        format!(
            "@id(\"f{id}\") @reason(\"house_rule\") forbid (principal, action, resource) when {{ {when} }};\n"
        )
    };
    for at in 0..9 {
        let when = |n| if n == at { "context.break_glass.age * 2 < 0" } else { "context.ticket" };
        let own: String = (0..9).map(|n| forbid(n, when(n))).collect();
        let rules = unchecked(&own, true);
        let outcome = rules.judge(&analyst_reveals());
        assert_eq!((outcome.allowed, outcome.reasons), (false, vec![Code::PolicyError]));
        assert_eq!(outcome.failed, [format!("f{at}").into()]);
        let outcome = rules.judge(&Facts { ticket: true, ..analyst_reveals() });
        assert_eq!(outcome.reasons, [Code::PolicyError, Code::HouseRule]);
        assert_eq!((outcome.by.len(), outcome.failed.len()), (8, 1));
    }
}

/// Cedar goes down one level for each part of an `||`, and fails where it is too deep.
#[test]
fn a_large_set_is_not_taken_apart() {
    let many: Vec<String> = (0..20_000).map(|n| format!("\"kind-{n}\"")).collect();
    let own = format!(
        "@id(\"many\") @reason(\"house_rule\") forbid (principal, action, resource is Data) when {{ resource has kind && [{}].contains(resource.kind) }};",
        many.join(", ")
    );
    let rules = unchecked(&own, true);
    let of_kind = |name| {
        let mut facts = analyst_reveals();
        if let TargetFacts::Data { kind, .. } = &mut facts.target {
            *kind = Some(Kind::new(name));
        }
        rules.judge(&facts)
    };
    let outcome = of_kind("email");
    assert!(outcome.allowed, "{outcome:?}");
    assert_eq!(of_kind("kind-19999").by, ["many".into()]);
}
