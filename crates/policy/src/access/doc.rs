//! `docs/access.md`, made out of the policies themselves.

use std::fmt::Write as _;

use chatward_message::{Class, ServiceId, TenantId};

use super::facts::ActorFacts;
use super::lint::Lint;
use super::reason::Code;
use super::review::{Right, StaffList, rights};
use super::rules::Rules;
use super::words::{About, Action, Scope};

/// The document. Who may do what is found by asking the policies.
pub fn document(rules: &Rules) -> String {
    let mut text = String::from(HEAD);
    let tenant = TenantId::default_tenant;
    let mut actors: Vec<(String, ActorFacts)> = StaffList::one_of_each()
        .actors()
        .into_iter()
        .filter(|(_, actor)| matches!(actor, ActorFacts::Staff { .. }))
        .map(|(name, actor)| (name.split(['(', ')']).nth(1).unwrap_or_default().to_owned(), actor))
        .collect();
    let scopes = Scope::ALL.iter().copied().collect();
    let id = ServiceId::from_bytes([0; 16]);
    actors.push(("service account".to_owned(), ActorFacts::Service { id, tenant: tenant(), scopes }));
    for (name, anonymous) in [("customer", false), ("anonymous customer", true)] {
        actors.push((name.to_owned(), ActorFacts::Customer { tenant: tenant(), anonymous }));
    }
    let actors: Vec<(String, Vec<Right>)> =
        actors.into_iter().map(|(name, actor)| (name, rights(rules, &actor, None, None))).collect();
    for (name, rights) in &actors {
        let _ = write!(text, "\n### {name}\n\n| may | with | if |\n| --- | --- | --- |\n");
        for (action, classes, demands) in together(rights) {
            let _ = writeln!(text, "| {action} | {classes} | {demands} |");
        }
    }
    text.push_str(TABLE);
    let _ = writeln!(
        text,
        "| action | {} |",
        actors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" | ")
    );
    let _ = writeln!(text, "| --- |{}", " --- |".repeat(actors.len()));
    for action in Action::ALL {
        let _ = write!(text, "| `{}` |", action.name());
        for (_, rights) in &actors {
            let of: Vec<&Right> = rights.iter().filter(|right| right.action == *action).collect();
            let _ = write!(text, " {} |", cell(&of));
        }
        text.push('\n');
    }
    text.push_str(REASONS);
    for code in Code::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", code.as_str(), code.title(), code.advice());
    }
    text.push_str(LINTS);
    for lint in Lint::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", lint.name(), lint.severity().name(), lint.title());
    }
    text
}

/// Classes of the same action and conditions in one row.
fn together(rights: &[Right]) -> Vec<(String, String, String)> {
    let mut rows: Vec<(String, Vec<&'static str>, String)> = Vec::new();
    for Right { action, class, demands } in rights {
        let name = format!("`{}`", action.name());
        let demands: Vec<String> = demands.iter().map(ToString::to_string).collect();
        let demands = demands.join("; or: ");
        let about = match (class, action.about()) {
            (Some(class), _) => class.name(),
            (None, About::House) => "the house",
            (None, About::Account) => "another's account",
            (None, _) => "a customer",
        };
        match rows.iter_mut().find(|(known, _, same)| *known == name && *same == demands) {
            Some((_, abouts, _)) => abouts.push(about),
            None => rows.push((name, vec![about], demands)),
        }
    }
    rows.into_iter().map(|(action, abouts, demands)| (action, abouts.join(", "), demands)).collect()
}

fn cell(rights: &[&Right]) -> String {
    let alone = |right: &Right| right.demands.iter().any(|demand| !demand.second_person);
    let kept = Class::ALL.iter().filter(|c| !matches!(c, Class::Secret | Class::PaymentNeverKept)).count();
    let by_oneself = rights.iter().filter(|right| alone(right)).count();
    let classes: Vec<&str> =
        rights.iter().filter(|r| alone(r)).filter_map(|r| Some(r.class?.name())).collect();
    match (rights.len(), by_oneself) {
        (0, _) => "–".to_owned(),
        (_, 0) => "two people".to_owned(),
        (all, alone) => {
            let what = if classes.is_empty() || classes.len() == kept {
                "yes".to_owned()
            } else {
                classes.join(", ")
            };
            if all > alone { format!("{what}; rest two people") } else { what }
        }
    }
}

const HEAD: &str = "\
# Who may look

<!-- Made by `chatward internal generate-docs docs` out of policies/ and crates/policy; do not edit. -->

Every look at stored personal data is one question: who, to do what, with data of which class, of which tenant, for which
purpose, how fresh the second factor is, with a reason or a ticket or not. [Cedar](https://www.cedarpolicy.com) answers it
out of policies that are files. What is not permitted is refused; a forbid always wins; a forbid that cannot be evaluated
refuses.

- `policies/guards.cedar` holds what no other policy can lift: the tenant wall, the second factor, purpose and reason, what is
  never kept, what is frozen, two people for payment data, nobody grants to oneself.
- `policies/staff.cedar`, `customers.cedar`, `services.cedar` say what each role may do.
- A house adds policies of its own in a folder: `[access] policies = \"DIR\"`. They speak of what `policies/schema.cedarschema`
  names, are held against it strictly, and are looked through for mistakes; a set with an error is not used. To take away
  what a shipped policy permits, write a `forbid`.
- Every decision carries the hash of the whole set (schema and all texts).

```cedar
// own/lessons.cedar: trainers may open names for lessons.
@id(\"trainer-sees-identity\")
permit (
  principal in Role::\"trainer\",
  action == Action::\"reveal\",
  resource in Class::\"identity\"
)
when { context.purpose == Purpose::\"training\" };
```

| command | does |
| --- | --- |
| `chatward policy check [DIR]` | reads, validates and looks through the shipped policies and those of DIR |
| `chatward policy test [DIR]` | runs the table tests: the shipped ones, or `DIR/tests/*.toml` and `*.json` against the set with DIR |
| `chatward policy try --facts FILE [--policies DIR]` | asks recorded questions again and shows each decision that would differ |
| `chatward policy who [--class CLASS] [--action ACTION]` | who could do what, and under which conditions |

## What each role may do

The least that has to be given, found by asking: \"second factor\" is one of this session, \"fresh factor\" one of the last ten
minutes. \"Second person\" means that another person approved a request to break the glass within the last hour. Data is of
the own tenant and not frozen; a customer's is the customer's own.
";

const TABLE: &str = "
## In one table

\"yes\" and the classes stand for what one may do alone, under the conditions above.

";

const REASONS: &str = "
## Why a look is refused

A refusal carries every reason, the one to act on first. What an asker could add is found by asking the policies again with
more given, so it is never a guess.

| code | meaning | what to do |
| --- | --- | --- |
";

const LINTS: &str = "
## What `policy check` finds

| fault | severity | meaning |
| --- | --- | --- |
";
