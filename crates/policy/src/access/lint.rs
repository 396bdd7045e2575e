//! Mistakes in policies that a schema does not see.
//!
//! Some show in the text of one policy. Others show only when the whole set is asked: those are found by putting every
//! question that the policies can tell apart ([`Space`]) to Cedar itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::PolicySet;
use chatward_message::AccountId;
use serde_json::Value;

use super::rules::{Fault, Known, Rule, Rules};
use super::space::{Space, entity, walk};
use super::words::Action;

macro_rules! lints {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $severity:ident, $title:literal;)+) => {
        /// What is looked for in policies.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is documented by its title in the table, which `docs/access.md` is made of")]
        pub enum Lint { $($name,)+ }

        impl Lint {
            /// Every one, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// How bad it is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)+ }
            }

            /// What it means, in half a sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The set is not used.
    Error,
    /// The set is used; somebody should look.
    Warning,
}

impl Severity {
    /// The word used in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

lints! {
    Syntax, "syntax", Error, "The text is not Cedar";
    Schema, "schema", Error, "It speaks of something that is not in the schema, or compares unlike things";
    NoId, "no-id", Error, "The policy has no `@id`, or one that cannot be used";
    SameId, "same-id", Error, "Two policies have the same `@id`";
    Reason, "reason", Error, "A forbid without a known `@reason`, or a permit with one";
    Unscoped, "unscoped", Error, "A permit for everybody, every action and everything";
    NoRole, "no-role", Error, "A permit for all of the staff or all service accounts, whatever their role";
    LocksOut, "locks-out", Error, "A forbid for everybody, every action and everything, without a condition";
    UnknownId, "unknown-id", Error, "It names somebody or something that no question can name";
    UnknownKind, "unknown-kind", Error, "It names a kind that no recogniser finds";
    NeverApplies, "never-applies", Error, "No question fits it";
    Shadowed, "shadowed", Error, "Whatever it permits, another policy forbids";
    Redundant, "redundant", Warning, "Whatever it permits, other policies permit too";
    Odd, "odd", Warning, "Cedar finds something odd about it";
    Internal, "internal", Error, "The shipped schema does not fit the program";
}

/// Looks at one policy by itself.
pub(crate) fn look(rule: &Rule, known: Known<'_>, faults: &mut Vec<Fault>) {
    let mut say = |lint: Lint, message: String| {
        faults.push(Fault { file: Arc::clone(&rule.file), line: rule.line, lint, message });
    };
    let open = |part: &str| rule.head(part).get("op").and_then(Value::as_str) == Some("All");
    let everything = ["principal", "action", "resource"].into_iter().all(open);
    if rule.permit && everything {
        let todo = "it names neither who, nor what, nor with what: write at least `principal in Role::\"…\"` and `action == Action::\"…\"`";
        say(Lint::Unscoped, format!("`{}`: {todo}", rule.id));
    } else if rule.permit && !says_who(rule) {
        let todo = "it does not say whose role it is: write `principal in Role::\"…\"`, or `principal in Scope::\"…\"` for service accounts";
        say(Lint::NoRole, format!("`{}`: {todo}", rule.id));
    }
    let unconditional = rule.json.get("conditions").and_then(Value::as_array).is_none_or(Vec::is_empty);
    if !rule.permit && everything && unconditional {
        let todo = "it refuses everything to everybody: add a condition, or name who or what is meant";
        say(Lint::LocksOut, format!("`{}`: {todo}", rule.id));
    }
    for (kind, id) in named(rule) {
        if let Some(todo) = cannot_be_named(kind, id) {
            say(Lint::UnknownId, format!("`{}`: {kind}::\"{id}\": {todo}", rule.id));
        }
    }
    let unknown = |kind: &&str| known.kind.is_some_and(|is_known| !is_known(kind));
    for kind in kinds(rule).into_iter().filter(unknown) {
        let todo = "no recogniser finds this kind; kinds stand in the files of recognisers (`kind = …`)";
        say(Lint::UnknownKind, format!("`{}`: \"{kind}\": {todo}", rule.id));
    }
}

/// Whether a permit says for whom it is: a role, a scope, an account, or customers.
fn says_who(rule: &Rule) -> bool {
    let mut says = false;
    for part in ["principal", "conditions"] {
        walk(rule.head(part), &mut |value| {
            let of = value.get("entity_type").and_then(Value::as_str);
            says |= of == Some("Customer");
            says |= entity(value).iter().any(|(kind, _)| matches!(*kind, "Role" | "Scope" | "Staff"));
        });
    }
    says
}

fn named(rule: &Rule) -> BTreeSet<(&str, &str)> {
    let mut all = BTreeSet::new();
    walk(&rule.json, &mut |value| all.extend(entity(value)));
    all
}

/// Roles, scopes, classes, purposes and actions are closed lists that the schema holds; these are not.
fn cannot_be_named(kind: &str, id: &str) -> Option<&'static str> {
    match kind {
        "Staff" if id.parse::<AccountId>().is_err() => {
            Some("not the id of a staff account: those are `staff_` and 32 hex digits")
        }
        "Service" => {
            Some("service accounts are known by what their key is for: write `principal in Scope::\"…\"`")
        }
        "Customer" => {
            Some("no customer can be singled out: write `principal is Customer` and `resource.own`")
        }
        "Data" | "Account" | "House" => Some("a target is known by its attributes only, not by an id"),
        _ => None,
    }
}

/// The texts that `resource.kind` is compared with.
fn kinds(rule: &Rule) -> BTreeSet<&str> {
    let mut all = BTreeSet::new();
    walk(&rule.json, &mut |value| {
        let sides = ["==", "!=", "contains"].into_iter().find_map(|op| value.get(op));
        let Some((left, right)) = sides.and_then(|sides| Some((sides.get("left")?, sides.get("right")?)))
        else {
            return;
        };
        for (one, other) in [(left, right), (right, left)] {
            let is_kind =
                one.get(".").and_then(|dot| dot.get("attr")).and_then(Value::as_str) == Some("kind");
            if is_kind {
                walk(other, &mut |inner| all.extend(inner.get("Value").and_then(Value::as_str)));
            }
        }
    });
    all
}

/// How many questions are put for one policy at most. What is not found by then is not called a fault.
const MOST_QUESTIONS: usize = 50_000;

/// Asks the whole set, and looks at what the house's own permits bring about.
pub(crate) fn try_out(rules: &Rules, faults: &mut Vec<Fault>) {
    let own: Vec<&Rule> = rules.all.iter().filter(|rule| !rule.shipped).collect();
    let forbids: Vec<&Rule> = own.iter().copied().filter(|rule| !rule.permit).collect();
    for rule in own.iter().filter(|rule| rule.permit) {
        if let Some((lint, message)) = effect(rules, rule, &forbids) {
            let file = Arc::clone(&rule.file);
            faults.push(Fault { file, line: rule.line, lint, message: format!("`{}`: {message}", rule.id) });
        }
    }
}

fn effect(rules: &Rules, rule: &Rule, forbids: &[&Rule]) -> Option<(Lint, String)> {
    let alone = PolicySet::from_policies([rule.policy.clone()]).ok()?;
    let matter: Vec<&Rule> = forbids.iter().copied().chain([rule]).collect();
    let (mut fits, mut counts, mut asked) = (false, false, 0);
    let mut forbidden_by: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut permitted_by: BTreeSet<Arc<str>> = BTreeSet::new();
    for action in Action::ALL.iter().copied().filter(|action| rules.concerned(rule, *action)) {
        for facts in Space::of(action, &matter).questions() {
            asked += 1;
            if asked > MOST_QUESTIONS {
                return None;
            }
            if !rules.asks(action, facts.actor.sort()) || !rules.permits(&facts, &alone) {
                continue;
            }
            fits = true;
            let (permits, forbids, failed) = rules.fitting(&facts)?;
            if failed || !forbids.is_empty() {
                forbidden_by.extend(forbids);
                continue;
            }
            counts = true;
            if permits.iter().all(|id| *id == rule.id) {
                return None;
            }
            permitted_by.extend(permits.into_iter().filter(|id| *id != rule.id));
        }
    }
    let list =
        |ids: BTreeSet<Arc<str>>| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    if !fits {
        Some((
            Lint::NeverApplies,
            "no question fits its head and conditions together; mend it or take it out".to_owned(),
        ))
    } else if !counts {
        let by = list(forbidden_by);
        Some((
            Lint::Shadowed,
            format!(
                "whatever it permits is forbidden by {by}; a forbid cannot be lifted, so the policy does nothing"
            ),
        ))
    } else {
        let by = list(permitted_by);
        Some((Lint::Redundant, format!("whatever it permits is permitted by {by} already; take it out")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::load;
    use super::super::source::{PolicySource, SCHEMA, shipped};
    use super::*;

    fn found(text: &str) -> Vec<(usize, Lint)> {
        let known = |kind: &str| kind == "email";
        let loading = Rules::load(&[PolicySource { name: "own.cedar", text }], Known { kind: Some(&known) });
        let errors = loading.faults.iter().any(|fault| fault.lint.severity() == Severity::Error);
        assert_eq!(loading.rules.is_none(), errors, "{:?}", loading.faults);
        assert!(loading.faults.iter().all(|fault| &*fault.file == "own.cedar"), "{:?}", loading.faults);
        loading.faults.into_iter().map(|fault| (fault.line, fault.lint)).collect()
    }

    /// A permit that has nothing wrong with it.
    const GOOD: &str = r#"
@id("trainer-sees-identity")
permit (principal in Role::"trainer", action == Action::"reveal", resource in Class::"identity")
when { context.purpose == Purpose::"training" };
"#;

    #[test]
    fn a_good_policy_has_no_fault() {
        assert_eq!(found(GOOD), []);
        assert_eq!(found("// nothing but a comment\n"), []);
    }

    #[test]
    fn the_shipped_policies_have_no_fault() {
        let none = Known::default();
        // The role policies as if they were the house's own: every lint looks at them.
        let (guards, others): (Vec<_>, Vec<_>) =
            shipped().iter().partition(|file| file.name == "guards.cedar");
        let loading = load(SCHEMA, &guards, &others, none);
        assert_eq!(loading.faults, []);
        assert!(loading.rules.is_some());
        let loading = Rules::shipped();
        assert_eq!(loading.faults, []);
    }

    #[test]
    fn what_is_no_cedar_is_named_with_its_line() {
        assert_eq!(found("\n\npermit (principal, action resource);"), [(3, Lint::Syntax)]);
        let template = "@id(\"t\") permit (principal == ?principal, action, resource);";
        assert_eq!(found(template), [(1, Lint::Syntax)]);
    }

    #[test]
    fn what_the_schema_does_not_know_is_named_with_its_line() {
        for (from, to) in [
            ("Role::\"trainer\"", "Role::\"trainee\""),
            ("Action::\"reveal\"", "Action::\"unveil\""),
            ("Class::\"identity\"", "Class::\"identities\""),
            ("Purpose::\"training\"", "Purpose::\"fun\""),
            ("context.purpose", "context.why"),
            ("== Purpose::\"training\"", "== \"training\""),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD);
            let found = found(&text);
            assert!(found.contains(&(2, Lint::Schema)), "{to}: {found:?}");
        }
    }

    #[test]
    fn every_policy_has_a_name_of_its_own() {
        let unnamed = GOOD.replace("@id(\"trainer-sees-identity\")", "");
        assert_eq!(found(&unnamed), [(3, Lint::NoId)]);
        assert_eq!(found(&GOOD.replace("trainer-sees", "Trainer Sees")), [(2, Lint::NoId)]);
        assert_eq!(found(&GOOD.replace("trainer-sees-identity", "tenant-wall")), [(2, Lint::SameId)]);
        let found = found(&format!("{GOOD}{GOOD}"));
        assert!(found.contains(&(6, Lint::SameId)), "{found:?}");
    }

    #[test]
    fn a_forbid_says_why() {
        let forbid = |annotation: &str| {
            format!(
                "@id(\"x\") {annotation}\nforbid (principal in Role::\"analyst\", action == Action::\"list\", resource);"
            )
        };
        assert_eq!(found(&forbid("@reason(\"house_rule\")")), []);
        assert_eq!(found(&forbid("")), [(1, Lint::Reason)]);
        assert_eq!(found(&forbid("@reason(\"because\")")), [(1, Lint::Reason)]);
        assert_eq!(found(&GOOD.replace("permit", "@reason(\"house_rule\") permit")), [(2, Lint::Reason)]);
    }

    #[test]
    fn a_permit_names_who_and_what() {
        let bare = "@id(\"x\") permit (principal, action, resource) when { context.ticket };";
        assert_eq!(found(bare), [(1, Lint::Unscoped)]);
        for who in ["principal", "principal is Staff", "principal is Service"] {
            let text = format!("@id(\"x\") permit ({who}, action == Action::\"list\", resource);");
            assert_eq!(found(&text), [(1, Lint::NoRole)], "{who}");
        }
        let in_the_condition = "@id(\"x\") permit (principal, action == Action::\"search\", resource) when { principal in Role::\"trainer\" };";
        assert_eq!(found(in_the_condition), []);
    }

    #[test]
    fn a_forbid_does_not_lock_everybody_out() {
        let all = "@id(\"x\") @reason(\"house_rule\") forbid (principal, action, resource)";
        assert_eq!(found(&format!("{all};")), [(1, Lint::LocksOut)]);
        assert_eq!(found(&format!("{all} when {{ !context.ticket && !context.reason }};")), []);
    }

    #[test]
    fn names_that_no_question_has_are_seen() {
        let staff = "acct_00000000000000000000000000000001";
        let permit = |who: &str| {
            format!(
                "@id(\"x\") permit ({who}, action == Action::\"reveal\", resource) when {{ resource in Class::\"special\" }};"
            )
        };
        assert_eq!(found(&permit(&format!("principal == Staff::\"{staff}\""))), []);
        assert_eq!(found(&permit("principal == Staff::\"ada\"")), [(1, Lint::UnknownId)]);
        let customer = permit("principal == Customer::\"cust_1\"");
        assert!(found(&customer).contains(&(1, Lint::UnknownId)), "{:?}", found(&customer));
        let data = "@id(\"x\") permit (principal in Role::\"trainer\", action == Action::\"reveal\", resource == Data::\"7\");";
        assert!(found(data).contains(&(1, Lint::UnknownId)), "{:?}", found(data));
    }

    #[test]
    fn kinds_that_nothing_finds_are_seen() {
        let kind = |test: &str| GOOD.replace("when {", &format!("when {{ resource has kind && {test} &&"));
        assert_eq!(found(&kind("resource.kind == \"email\"")), []);
        assert_eq!(found(&kind("resource.kind == \"emial\"")), [(2, Lint::UnknownKind)]);
        assert_eq!(found(&kind("[\"email\", \"fone\"].contains(resource.kind)")), [(2, Lint::UnknownKind)]);
    }

    #[test]
    fn a_permit_that_no_question_fits_is_seen() {
        let never = GOOD
            .replace("when {", "when { context.second_factor_age < 60 && context.second_factor_age > 90 &&");
        assert_eq!(found(&never), [(2, Lint::NeverApplies)]);
        // A number that is named is tried from both sides.
        let narrow = GOOD.replace("when {", "when { context.second_factor_age == 77 &&");
        assert_eq!(found(&narrow), []);
        let impossible = GOOD.replace("when {", "when { principal is Customer &&");
        assert!(found(&impossible).contains(&(2, Lint::NeverApplies)));
    }

    #[test]
    fn a_permit_that_a_guard_forbids_is_seen() {
        for text in [
            GOOD.replace("Class::\"identity\"", "Class::\"secret\""),
            GOOD.replace("Role::\"trainer\"", "Role::\"admin\""),
            GOOD.replace("when {", "when { principal.tenant != resource.tenant &&"),
            GOOD.replace("when {", "when { context.second_factor_age > 600 &&"),
        ] {
            assert_eq!(found(&text), [(2, Lint::Shadowed)], "{text}");
        }
        let own_forbid =
            "@id(\"y\") @reason(\"house_rule\") forbid (principal in Role::\"trainer\", action, resource);";
        assert!(found(&format!("{GOOD}{own_forbid}")).contains(&(2, Lint::Shadowed)));
    }

    #[test]
    fn a_permit_that_adds_nothing_is_seen() {
        let text = "@id(\"x\") permit (principal in Role::\"analyst\", action == Action::\"reveal\", resource in Class::\"identity\") when { context.purpose == Purpose::\"support\" };";
        assert_eq!(found(text), [(1, Lint::Redundant)]);
    }
}
