//! Statements about the whole set: the shipped one, and what houses may add to it.

use std::collections::BTreeSet;

use cedar_policy::{Entities, Request, Schema};
use chatward_message::{AccountId, Class, CustomerId, Kind, ServiceId, TenantId};
use proptest::prelude::*;
use proptest::sample::select;

use super::facts::{ActorFacts, BrokenGlass, Facts, TargetFacts};
use super::rules::{Known, Rules, load};
use super::source::{PolicySource, SCHEMA, shipped, shipped_cases};
use super::words::{About, Action, Purpose, Role, Scope};
use super::*;

pub(super) fn rules() -> Rules {
    let loading = Rules::shipped();
    assert_eq!(loading.faults, []);
    loading.rules.unwrap()
}

/// The shipped set with these policies of a house.
fn with(text: &str) -> Rules {
    let loading = Rules::load(&[PolicySource { name: "own.cedar", text }], Known::default());
    loading.rules.unwrap_or_else(|| panic!("{:?}", loading.faults))
}

// ── The shipped tables ───────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_shipped_tables_hold() {
    let cases = Cases::read(shipped_cases()).unwrap();
    let faults: Vec<String> = cases.run(&rules()).iter().map(ToString::to_string).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert!(cases.len() > 1500, "{}", cases.len());
}

/// Actor × action × age of the factor × tenant: none is left out.
#[test]
fn the_shipped_tables_leave_nothing_out() {
    let cases = Cases::read(shipped_cases()).unwrap();
    let asked: BTreeSet<String> = cases.facts().map(cell).collect();
    let roles = Role::ALL.iter().map(|role| role.name().to_owned());
    let scopes = ["service".to_owned(), "customer".to_owned(), "anonymous".to_owned(), String::new()];
    for who in roles.chain(scopes) {
        for action in Action::ALL {
            for factor in ["fresh", "stale", "none"] {
                for tenant in ["own", "foreign"] {
                    let cell = format!("{who} {} {factor} {tenant}", action.name());
                    assert!(asked.contains(&cell), "no test asks: {cell}");
                }
            }
        }
    }
}

fn cell(facts: &Facts) -> String {
    let who = match &facts.actor {
        ActorFacts::Staff { roles, .. } => roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+"),
        ActorFacts::Service { .. } => "service".to_owned(),
        ActorFacts::Customer { anonymous: false, .. } => "customer".to_owned(),
        ActorFacts::Customer { anonymous: true, .. } => "anonymous".to_owned(),
    };
    let factor = match facts.second_factor {
        None => "none",
        Some(..=600) => "fresh",
        Some(_) => "stale",
    };
    let tenant = if facts.actor.tenant() == facts.target.tenant() { "own" } else { "foreign" };
    format!("{who} {} {factor} {tenant}", facts.action.name())
}

/// Takes each shipped policy out in turn: the tables must notice.
#[test]
fn no_shipped_policy_can_be_taken_out_unnoticed() {
    let cases = Cases::read(shipped_cases()).unwrap();
    let whole = rules();
    // Only what a policy decided can change when it is gone.
    let decided: Vec<Vec<std::sync::Arc<str>>> = cases.facts().map(|facts| whole.judge(facts).by).collect();
    let mut tried = 0;
    for file in shipped() {
        let ids = file.text.lines().filter_map(|line| line.strip_prefix("@id(\"")?.strip_suffix("\")"));
        for id in ids {
            let less = without(file.text, id);
            let files: Vec<_> =
                shipped()
                    .iter()
                    .map(|other| {
                        if other.name == file.name { PolicySource { text: &less, ..*other } } else { *other }
                    })
                    .collect();
            let rules = load(SCHEMA, &files, &[], Known::default()).rules.unwrap();
            let some = cases.only(|at| decided[at].iter().any(|by| &**by == id));
            assert!(!some.run(&rules).is_empty(), "nobody misses `{id}`");
            tried += 1;
        }
    }
    assert_eq!(tried, whole.count().0);
}

/// The text without the policy of this name.
fn without(text: &str, id: &str) -> String {
    let start = text.find(&format!("@id(\"{id}\")")).unwrap();
    let end = start + text[start..].find(";\n").unwrap() + 2;
    format!("{}{}", &text[..start], &text[end..])
}

// ── What Cedar is given fits the schema ──────────────────────────────────────────────────────────────────────────────

/// The program makes requests without having Cedar check each; here Cedar checks them.
#[test]
fn every_question_fits_the_schema() {
    let rules = rules();
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let mut fitting = 0;
    for facts in Cases::read(shipped_cases()).unwrap().facts() {
        if !rules.asks(facts.action, facts.actor.sort()) {
            continue;
        }
        let (request, entities) = rules.words.question(facts, true).unwrap();
        let uid = |uid: Option<&cedar_policy::EntityUid>| uid.unwrap().clone();
        let (principal, action) = (uid(request.principal()), uid(request.action()));
        let context = request.context().unwrap().clone();
        Request::new(principal, action, uid(request.resource()), context, Some(&schema)).unwrap();
        let without_action = entities.iter().filter(|e| e.uid().type_name().to_string() != "Action").cloned();
        Entities::from_entities(without_action, Some(&schema)).unwrap();
        fitting += 1;
    }
    assert!(fitting > 1000, "{fitting}");
}

#[test]
fn the_words_of_the_program_are_those_of_the_schema() {
    let listed = |entity: &str| -> Vec<String> {
        let line = SCHEMA.lines().find(|line| line.starts_with(&format!("entity {entity} enum"))).unwrap();
        line.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    assert_eq!(listed("Role"), Role::ALL.iter().map(|r| r.name()).collect::<Vec<_>>());
    assert_eq!(listed("Scope"), Scope::ALL.iter().map(|s| s.name()).collect::<Vec<_>>());
    assert_eq!(listed("Class"), Class::ALL.map(|c| c.name()));
    assert_eq!(listed("Purpose")[0], "none");
    assert_eq!(listed("Purpose")[1..], Purpose::ALL.iter().map(|p| p.name()).collect::<Vec<_>>());
    let actions: Vec<&str> = SCHEMA
        .lines()
        .filter(|line| line.starts_with("action ") && line.ends_with('{'))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert_eq!(actions, Action::ALL.iter().map(|a| a.name()).collect::<Vec<_>>());
}

// ── Always ───────────────────────────────────────────────────────────────────────────────────────────────────────────

fn tenant() -> impl Strategy<Value = TenantId> {
    select(&["default", "another", "third"][..]).prop_map(|name| name.parse().unwrap())
}

fn subset<T: Copy + Ord + std::fmt::Debug + 'static>(
    all: &'static [T],
) -> impl Strategy<Value = BTreeSet<T>> {
    proptest::sample::subsequence(all, 0..=all.len()).prop_map(|some| some.into_iter().collect())
}

fn actor() -> impl Strategy<Value = ActorFacts> {
    let staff = (0..3u8, tenant(), subset(Role::ALL)).prop_map(|(n, tenant, roles)| ActorFacts::Staff {
        id: AccountId::from_bytes([n; 16]),
        tenant,
        roles,
    });
    let service = (tenant(), subset(Scope::ALL)).prop_map(|(tenant, scopes)| ActorFacts::Service {
        id: ServiceId::from_bytes([7; 16]),
        tenant,
        scopes,
    });
    let customer =
        (tenant(), any::<bool>()).prop_map(|(tenant, anonymous)| ActorFacts::Customer { tenant, anonymous });
    prop_oneof![4 => staff, 1 => service, 2 => customer]
}

fn target(action: Action) -> BoxedStrategy<TargetFacts> {
    let roles = subset(Role::ALL);
    match action.about() {
        About::House => tenant().prop_map(|tenant| TargetFacts::House { tenant }).boxed(),
        About::Account => (tenant(), any::<bool>(), roles, select(Role::ALL))
            .prop_map(move |(tenant, own, roles, role)| TargetFacts::Account {
                tenant,
                own,
                roles,
                granted: (action == Action::Grant).then_some(role),
            })
            .boxed(),
        About::Record => (tenant(), any::<bool>(), any::<bool>())
            .prop_map(|(tenant, own, restricted)| TargetFacts::Data {
                tenant,
                own,
                restricted,
                class: None,
                kind: None,
            })
            .boxed(),
        About::Value => (tenant(), any::<bool>(), any::<bool>(), select(&Class::ALL[..]), any::<bool>())
            .prop_map(|(tenant, own, restricted, class, kind)| TargetFacts::Data {
                tenant,
                own,
                restricted,
                class: Some(class),
                kind: kind.then(|| Kind::new("email")),
            })
            .boxed(),
    }
}

fn facts() -> impl Strategy<Value = Facts> {
    let age = prop_oneof![Just(None), (0..1300u32).prop_map(Some), any::<u32>().prop_map(Some)];
    let glass_age = prop_oneof![Just(None), (0..7200u32).prop_map(Some)];
    let glass = proptest::option::of((any::<bool>(), glass_age).prop_map(|(requested, age)| BrokenGlass {
        requested,
        approved: age.is_some(),
        age,
    }));
    let purpose = proptest::option::of(select(Purpose::ALL));
    select(Action::ALL).prop_flat_map(move |action| {
        (actor(), target(action), purpose.clone(), age.clone(), any::<(bool, bool)>(), glass.clone())
            .prop_map(move |(actor, target, purpose, second_factor, (reason, ticket), break_glass)| Facts {
                actor,
                action,
                target,
                purpose,
                second_factor,
                reason,
                ticket,
                break_glass,
            })
    })
}

/// The same, nearer to what is allowed: one tenant, and everything given.
pub(super) fn near() -> impl Strategy<Value = Facts> {
    (facts(), any::<u8>()).prop_map(|(mut facts, keep)| {
        let tenant = facts.actor.tenant().clone();
        if keep & 1 == 0 {
            match &mut facts.target {
                TargetFacts::Data { tenant: t, restricted, .. } => {
                    *t = tenant;
                    *restricted &= keep & 2 == 0;
                }
                TargetFacts::Account { tenant: t, .. } | TargetFacts::House { tenant: t } => *t = tenant,
            }
        }
        if keep & 4 == 0 {
            facts.second_factor = Some(30);
        }
        if keep & 8 == 0 {
            (facts.reason, facts.ticket) = (true, true);
        }
        facts
    })
}

/// Permits that a house could add, as wide as the lints let them be.
const WIDE: &str = r#"
@id("wide-staff")
permit (principal, action, resource is Data)
when { principal in Role::"analyst" || principal in Role::"trainer" || principal in Role::"admin" || principal in Role::"auditor" || principal in Role::"privacy-officer" };
@id("wide-house")
permit (principal, action, resource is House)
when { principal in Role::"analyst" || principal in Role::"trainer" || principal in Role::"admin" };
@id("wide-accounts")
permit (principal, action, resource is Account)
when { principal in Role::"analyst" || principal in Role::"trainer" || principal in Role::"admin" };
@id("wide-services")
permit (principal is Service, action, resource) when { principal in Scope::"list" };
@id("wide-customers")
permit (principal is Customer, action, resource);
"#;

thread_local! {
    static SHIPPED: Rules = rules();
    static WIDENED: Rules = with(WIDE);
}

fn step_up(action: Action) -> bool {
    !matches!(
        action,
        Action::List
            | Action::ReadReceived
            | Action::PolicyRead
            | Action::AuditRead
            | Action::AccessReview
            | Action::IncidentRead
            | Action::HandOver
            | Action::Consent
            | Action::Request
    )
}

proptest! {
    #[test]
    fn nothing_is_allowed_across_tenants(facts in facts()) {
        let outcome = WIDENED.with(|rules| rules.judge(&facts));
        if facts.actor.tenant() != facts.target.tenant() {
            prop_assert!(!outcome.allowed);
        }
    }

    #[test]
    fn nothing_is_opened_without_a_fresh_factor(facts in near()) {
        let outcome = WIDENED.with(|rules| rules.judge(&facts));
        if outcome.allowed {
            let staff = matches!(facts.actor, ActorFacts::Staff { .. });
            prop_assert!(!staff || facts.second_factor.is_some());
            // A program's key for numbers needs none: nothing is opened with it.
            let counts = matches!(facts.action, Action::Statistics | Action::ExportAnalytics);
            let needed = step_up(facts.action) && (staff || !counts);
            prop_assert!(!needed || facts.second_factor.is_some_and(|age| age <= 600));
        }
    }

    #[test]
    fn what_a_house_permits_never_lifts_a_guard(facts in near()) {
        let (before, after) = (SHIPPED.with(|rules| rules.judge(&facts)), WIDENED.with(|rules| rules.judge(&facts)));
        if before.allowed {
            prop_assert!(after.allowed, "a permit took something away");
        }
        let guards: Vec<_> = before.by.iter().filter(|_| !before.allowed).collect();
        if !guards.is_empty() {
            prop_assert!(!after.allowed);
            prop_assert!(guards.iter().all(|guard| after.by.contains(guard)));
        }
        if after.allowed {
            let TargetFacts::Data { own, restricted, class, .. } = &facts.target else { return Ok(()) };
            let customer = matches!(facts.actor, ActorFacts::Customer { .. });
            prop_assert!(!customer || *own);
            prop_assert!(!matches!(class, Some(Class::Secret | Class::PaymentNeverKept)));
            let reads = matches!(facts.action, Action::List | Action::ReadReceived | Action::Search | Action::Reveal | Action::Export);
            prop_assert!(customer || !restricted || !reads);
            prop_assert!(customer || facts.purpose.is_some() || facts.action == Action::ApproveBreakGlass);
        }
    }

    #[test]
    fn a_refusal_always_says_why_and_an_allowance_by_what(facts in near()) {
        let outcome = SHIPPED.with(|rules| rules.judge(&facts));
        prop_assert_eq!(outcome.allowed, outcome.reasons.is_empty());
        prop_assert!(!outcome.allowed || !outcome.by.is_empty());
        prop_assert!(outcome.failed.is_empty());
        prop_assert_eq!(outcome.allowed, SHIPPED.with(|rules| rules.allows(&facts)));
    }

    #[test]
    fn what_is_recorded_reads_back_and_decides_the_same(facts in near()) {
        let outcome = SHIPPED.with(|rules| rules.judge(&facts));
        let recorded = Recorded { facts, outcome };
        let line = serde_json::to_string(&recorded).unwrap();
        prop_assert!(!line.contains("cust_"));
        let read: Recorded = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read, &recorded);
        let again = SHIPPED.with(|rules| rules.judge(&read.facts));
        prop_assert_eq!(again, recorded.outcome);
    }

    /// What a refusal asks for is enough: whoever gives it is let in, or told of something that was not missing before.
    #[test]
    fn what_is_asked_for_helps(facts in near()) {
        let outcome = SHIPPED.with(|rules| rules.judge(&facts));
        let mut given = facts.clone();
        for code in &outcome.reasons {
            match code {
                Code::SecondFactorMissing | Code::SecondFactorStale => given.second_factor = Some(0),
                Code::ReasonMissing => given.reason = true,
                Code::TicketMissing => given.ticket = true,
                Code::NeedsSecondPerson if facts.action != Action::ApproveBreakGlass => {
                    given.break_glass = Some(BrokenGlass { requested: true, approved: true, age: Some(0) });
                }
                Code::PurposeMissing | Code::PurposeNotAllowed => {}
                _ => return Ok(()),
            }
        }
        let asks_purpose = outcome.reasons.iter().any(|c| matches!(c, Code::PurposeMissing | Code::PurposeNotAllowed));
        let purposes: Vec<Option<Purpose>> = if asks_purpose {
            Purpose::ALL.iter().copied().map(Some).collect()
        } else {
            vec![given.purpose]
        };
        let approve_own = facts.action == Action::ApproveBreakGlass && !outcome.allowed && outcome.reasons.contains(&Code::NeedsSecondPerson);
        let helped = purposes.into_iter().any(|purpose| {
            let given = Facts { purpose, ..given.clone() };
            SHIPPED.with(|rules| rules.judge(&given)).allowed
        });
        prop_assert!(approve_own || helped, "{facts}: {:?}", outcome.reasons);
    }
}

// ── Errors of evaluation ─────────────────────────────────────────────────────────────────────────────────────────────

pub(super) fn analyst_reveals() -> Facts {
    Facts {
        actor: ActorFacts::Staff {
            id: AccountId::from_bytes([1; 16]),
            tenant: TenantId::default_tenant(),
            roles: [Role::Analyst].into(),
        },
        action: Action::Reveal,
        target: TargetFacts::Data {
            tenant: TenantId::default_tenant(),
            own: false,
            restricted: false,
            class: Some(Class::Identity),
            kind: None,
        },
        purpose: Some(Purpose::Support),
        second_factor: Some(5),
        reason: true,
        ticket: false,
        break_glass: None,
    }
}

/// An age of "never" times two is more than a number holds: Cedar cannot evaluate it, and would skip the policy.
#[test]
fn a_forbid_that_cannot_be_evaluated_refuses() {
    assert!(rules().judge(&analyst_reveals()).allowed);
    let forbid = "@id(\"x\") @reason(\"house_rule\") forbid (principal in Role::\"analyst\", action == Action::\"reveal\", resource) when { context.break_glass.age * 2 < 0 };";
    let rules = with(forbid);
    let outcome = rules.judge(&analyst_reveals());
    assert_eq!((outcome.allowed, outcome.reasons), (false, vec![Code::PolicyError]));
    assert_eq!(outcome.failed, ["x".into()]);
    // Where it can be evaluated it does not refuse.
    let glass = BrokenGlass { requested: false, approved: true, age: Some(3) };
    assert!(rules.judge(&Facts { break_glass: Some(glass), ..analyst_reveals() }).allowed);
}

#[test]
fn a_permit_that_cannot_be_evaluated_does_not_count_and_is_named() {
    let permit = "@id(\"x\") permit (principal in Role::\"trainer\", action == Action::\"reveal\", resource in Class::\"identity\") when { context.break_glass.age * 2 >= 0 };";
    let rules = with(permit);
    let outcome = rules.judge(&analyst_reveals());
    assert!(outcome.allowed && outcome.failed.is_empty());
    let actor = ActorFacts::Staff {
        id: AccountId::from_bytes([1; 16]),
        tenant: TenantId::default_tenant(),
        roles: [Role::Trainer].into(),
    };
    let trainer = Facts { actor, ..analyst_reveals() };
    let outcome = rules.judge(&trainer);
    assert_eq!((outcome.allowed, outcome.failed), (false, vec!["x".into()]));
    assert_eq!(outcome.reasons, [Code::NeedsSecondPerson]);
}

// ── The rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_typed_question_gives_the_proof() {
    let (rules, tenant) = (rules(), TenantId::default_tenant());
    let customer = CustomerId::from_bytes([9; 16]);
    let of = Record { tenant: tenant.clone(), customer, restricted: false };
    let actor = Actor::Staff { id: AccountId::from_bytes([1; 16]), tenant, roles: vec![Role::Analyst] };
    let given =
        Given { purpose: Some(Purpose::Support), second_factor: Some(5), reason: true, ..Given::default() };
    let ask = |class, given| Ask::<act::Reveal> {
        actor: actor.clone(),
        target: Value { of: of.clone(), class, kind: None },
        given,
    };
    let allowed = rules.decide(ask(Class::Identity, given)).unwrap();
    assert_eq!((allowed.action(), allowed.purpose()), (Action::Reveal, Some(Purpose::Support)));
    assert_eq!((allowed.target().of.customer, allowed.target().class), (customer, Class::Identity));
    assert_eq!(allowed.policies(), rules.hash());
    assert!(!serde_json::to_string(allowed.recorded()).unwrap().contains(&customer.to_string()));
    let refused =
        rules.decide(ask(Class::Identity, Given { second_factor: Some(601), ..given })).unwrap_err();
    assert_eq!(
        (refused.code(), refused.to_string().as_str()),
        (Code::SecondFactorStale, "refused: second_factor_stale")
    );
    let refused = rules.decide(ask(Class::Payment, given)).unwrap_err();
    assert_eq!(refused.codes(), [Code::NeedsSecondPerson]);
}

#[test]
fn the_hash_names_texts_names_and_schema() {
    let own = |name, text| {
        let text = format!(
            "@id(\"x\") @reason(\"house_rule\") forbid (principal in Role::\"analyst\", action == Action::\"list\", resource); {text}"
        );
        Rules::load(&[PolicySource { name, text: &text }], Known::default()).rules.unwrap().hash().clone()
    };
    let hashes: BTreeSet<_> = [rules().hash().clone(), own("a", ""), own("b", ""), own("a", "// x")].into();
    assert_eq!(hashes.len(), 4);
    assert_eq!(own("a", ""), own("a", ""));
    let schema = load(&format!("{SCHEMA}\n// x\n"), shipped(), &[], Known::default()).rules.unwrap();
    assert!(!hashes.contains(schema.hash()));
    // The order in which a folder is listed does not count.
    let text = |id: &str| {
        format!(
            "@id(\"{id}\") @reason(\"house_rule\") forbid (principal in Role::\"analyst\", action == Action::\"list\", resource);"
        )
    };
    let (a, b) = (text("a"), text("b"));
    let (a, b) = (PolicySource { name: "a", text: &a }, PolicySource { name: "b", text: &b });
    let hash = |own: &[PolicySource<'_>]| Rules::load(own, Known::default()).rules.unwrap().hash().clone();
    assert_eq!(hash(&[a, b]), hash(&[b, a]));
}

#[test]
fn facts_that_do_not_fit_together_are_not_read() {
    let good = serde_json::to_value(analyst_reveals()).unwrap();
    assert!(serde_json::from_value::<Facts>(good.clone()).is_ok());
    for (path, value) in [
        ("/action", serde_json::json!("list")),
        ("/action", serde_json::json!("grant")),
        ("/action", serde_json::json!("peek")),
        ("/target/data/class", serde_json::Value::Null),
        ("/target/data/tenant", serde_json::json!("A b")),
        ("/second_factor", serde_json::json!(-1)),
        ("/actor/staff/roles", serde_json::json!(["boss"])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value.clone();
        assert!(serde_json::from_value::<Facts>(bad).is_err(), "{path} = {value}");
    }
    let mut more = good;
    more["text"] = "x".into();
    assert!(serde_json::from_value::<Facts>(more).is_err());
}

#[test]
fn a_replay_shows_what_a_change_would_change() {
    let (old, new) = (
        rules(),
        with(
            "@id(\"x\") @reason(\"ticket_missing\") forbid (principal in Role::\"analyst\", action == Action::\"reveal\", resource) unless { context.ticket };",
        ),
    );
    let ticket = Facts { ticket: true, ..analyst_reveals() };
    let stale = Facts { second_factor: Some(900), ..analyst_reveals() };
    let recorded: Vec<Recorded> = [analyst_reveals(), ticket, stale]
        .into_iter()
        .map(|facts| Recorded { outcome: old.judge(&facts), facts })
        .collect();
    assert_eq!(replay(recorded.clone(), None, &old), Replayed { asked: 3, ..Replayed::default() });
    for before in [None, Some(&old)] {
        let found = replay(recorded.clone(), before, &new);
        assert_eq!((found.asked, found.newly_refused, found.newly_allowed, found.other_reason), (3, 1, 0, 1));
        assert_eq!(found.changes.iter().map(|change| change.at).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(found.changes[0].after.reasons, [Code::TicketMissing]);
    }
    assert_eq!(replay(recorded, Some(&new), &old).newly_allowed, 1);
}

#[test]
fn tables_that_cannot_be_used_say_where() {
    let read = |name: &str, text: &str| Cases::read(&[PolicySource { name, text }]);
    let row = "[[case]]\nactor = [\"analyst\"]\naction = [\"list\"]\nexpect = \"allowed\"\n";
    let fault = read("a.toml", row).unwrap().run(&rules()).remove(0).to_string();
    assert!(fault.starts_with("a.toml, case 1: analyst of default: list data of default"), "{fault}");
    assert!(fault.ends_with("expected allowed, was refused (purpose_missing) by purpose"), "{fault}");
    let json =
        "{\"case\": [{\"actor\": [\"auditor\"], \"action\": [\"audit-read\"], \"expect\": \"allowed\"}]}";
    assert_eq!(read("a.json", json).unwrap().run(&rules()), []);
    for (bad, what) in [
        (row.replace("analyst", "boss"), "no actor `boss`"),
        (row.replace("\"list\"", "\"peek\""), "peek"),
        (row.replace("[\"list\"]", "[]"), "nothing is tried"),
        (format!("{row}because = \"role_missing\"\n"), "`because` belongs to `refused`"),
        (format!("{row}purpose = [\"fun\"]\n"), "no purpose `fun`"),
        (format!("{row}colour = 1\n"), "colour"),
    ] {
        let error = read("a.toml", &bad).unwrap_err().to_string();
        assert!(error.starts_with("a.toml: ") && error.contains(what), "{error}");
    }
}

#[test]
fn the_document_is_made_of_the_policies() {
    let text = document(&rules());
    assert!(Code::ALL.iter().all(|code| text.contains(&format!("| `{}` |", code.as_str()))));
    assert!(Lint::ALL.iter().all(|lint| text.contains(&format!("| `{}` |", lint.name()))));
    let own = with(
        "@id(\"x\") permit (principal in Role::\"trainer\", action == Action::\"search\", resource in Class::\"interaction\") when { context.ticket };",
    );
    assert_ne!(text, document(&own));
}

/// What is too deep for the parser's stack is told as a fault of a line, and what is not is read on a thread's usual one.
#[test]
fn a_policy_that_goes_too_deep_is_a_fault() {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        let when = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
        format!("// (((\n@id(\"house-((\\\"\")\npermit (principal, action, resource)\nwhen {{ {when} }};\n")
    };
    let forms = [
        ("(", "true", ")", 47),
        ("[", "", "].contains(1)", 47),
        ("{a: ", "1", "} == 1", 47),
        ("if true then true else ", "true", "", 47),
        ("true && ", "true", "", 200),
        ("context", "", ".a", 400),
    ];
    let load = |text: &str| {
        let loading = Rules::load(&[PolicySource { name: "deep.cedar", text }], Known::default());
        loading
            .faults
            .into_iter()
            .find(|fault| fault.message.contains("brackets deep"))
            .map(|fault| fault.line)
    };
    for (open, inner, close, most) in forms {
        assert_eq!(load(&nested(open, inner, close, most)), None, "{open}");
        assert_eq!(load(&nested(open, inner, close, 4000)), Some(4), "{open}");
    }
    let several = nested("(", "true", ")", 40).replace("house", "a") + &nested("(", "true", ")", 40);
    assert_eq!(load(&several), None);
}
