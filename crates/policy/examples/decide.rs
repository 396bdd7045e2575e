//! Measures decisions on one core: `cargo run --release -p chatward-policy --example decide`
//!
//! The shipped set and sets with policies of a house, up to 50 and 200 in all, spread over actions or all about the one
//! that is asked; typed questions from facts to proof, allowed and refused. Times are those of this thread's processor.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use chatward_message::{AccountId, Class, CustomerId, TenantId};
use chatward_policy::access::{
    Actor, Ask, Given, Known, PolicySource, Purpose, Record, Role, Rules, Value, act,
};

/// Time this thread spent on a processor, so that a busy machine does not blur the figures.
fn now() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begin = now();
    let shipped = Rules::shipped().rules.ok_or("the shipped policies do not load")?;
    print(&format!("shipped: {} policies loaded in {:?}", shipped.count().0, now() - begin));
    measure("shipped", &shipped)?;
    for all in [50, 200] {
        let own = all - shipped.count().0;
        for (name, actions) in [
            ("spread", &["reveal", "search", "list", "export", "erase", "audit-read"][..]),
            ("one action", &["reveal"]),
        ] {
            let text = house(own, actions);
            let begin = now();
            let loading = Rules::load(&[PolicySource { name: "own.cedar", text: &text }], Known::default());
            let rules = loading.rules.ok_or_else(|| format!("{:?}", loading.faults.first()))?;
            print(&format!(
                "{name}: {} policies loaded and looked through in {:?}",
                rules.count().0,
                now() - begin
            ));
            measure(name, &rules)?;
        }
    }
    Ok(())
}

/// So many policies of a house, half of them permits, none of which fits the questions below.
fn house(count: usize, actions: &[&str]) -> String {
    let mut text = String::new();
    for n in 0..count {
        let action = actions.get(n % actions.len()).copied().unwrap_or_default();
        let head = format!("@id(\"own-{n}\")");
        let _ = if n % 2 == 0 {
            writeln!(
                text,
                "{head} @reason(\"house_rule\") forbid (principal in Role::\"analyst\", action == Action::\"{action}\", resource) when {{ context.purpose == Purpose::\"audit\" && !context.ticket }};"
            )
        } else {
            writeln!(
                text,
                "{head} permit (principal in Role::\"trainer\", action == Action::\"{action}\", resource) when {{ context.purpose == Purpose::\"audit\" && context.ticket && context.second_factor_age < {n} }};"
            )
        };
    }
    text
}

fn measure(name: &str, rules: &Rules) -> Result<(), Box<dyn std::error::Error>> {
    let tenant = TenantId::default_tenant();
    let actor =
        |role| Actor::Staff { id: AccountId::from_bytes([1; 16]), tenant: tenant.clone(), roles: vec![role] };
    let of = Record { tenant: tenant.clone(), customer: CustomerId::from_bytes([2; 16]), restricted: false };
    let given =
        Given { purpose: Some(Purpose::Support), second_factor: Some(20), reason: true, ..Given::default() };
    let reveal = |role, given| Ask::<act::Reveal> {
        actor: actor(role),
        target: Value { of: of.clone(), class: Class::Identity, kind: None },
        given,
    };
    let stale = Given { second_factor: Some(700), ..given };
    let training = Given { purpose: Some(Purpose::Training), ..given };
    for (what, ask, allowed) in [
        ("reveal, allowed", reveal(Role::Analyst, given), true),
        ("reveal, stale factor", reveal(Role::Analyst, stale), false),
        ("reveal, no role", reveal(Role::Auditor, given), false),
        ("reveal, wrong purpose", reveal(Role::Analyst, training), false),
    ] {
        if rules.decide(ask.clone()).is_ok() != allowed {
            return Err(format!("{what}: not the decision that was meant").into());
        }
        let (begin, mut rounds) = (now(), 0u32);
        let spent = loop {
            for _ in 0..1000 {
                let _ = black_box(rules.decide(black_box(ask.clone())));
            }
            rounds += 1000;
            let spent = now() - begin;
            if spent > Duration::from_millis(500) {
                break spent;
            }
        };
        print(&format!("  {name}, {what}: {:.2} µs", spent.as_secs_f64() * 1e6 / f64::from(rounds)));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn print(line: &str) {
    println!("{line}");
}
