//! Where card data goes, and where it does not: the statement of scope for PCI DSS 4.0.1 (12.5.2).

use chatward_message::{Class, Destination, Kind, UnixMillis};
use chatward_policy::numbers::coarse::moment;
use serde_json::{Value, json};

use super::{Page, Record, processing};
use crate::dpv::{self, Term};
use crate::turn::Force;

/// Makes it.
pub(super) fn record(force: &Force, now: UnixMillis) -> Record {
    let mut rows = Vec::new();
    let mut data: Vec<Value> = Vec::new();
    for class in [Class::Payment, Class::PaymentNeverKept] {
        for kind in kinds(force, class) {
            let done = |to| processing::handled(force, class, std::slice::from_ref(&kind), to);
            let (bot, customer, staff) =
                (done(Destination::Bot), done(Destination::Customer), done(Destination::Staff));
            let kept =
                if class == Class::PaymentNeverKept { "never".to_owned() } else { done(Destination::Kept) };
            data.push(json!({
                "@type": Term::of_kind(kind.as_str(), class).compact(),
                "chatward:kind": kind.as_str(),
                "chatward:toTheBot": bot,
                "chatward:toTheCustomer": customer,
                "chatward:kept": kept,
                "chatward:toStaff": staff,
            }));
            rows.push(vec![kind.as_str().to_owned(), class.name().to_owned(), bot, customer, kept, staff]);
        }
    }
    let bots: Vec<String> = force.config.upstreams.iter().map(|bot| bot.name.to_string()).collect();
    let clear = rows.iter().any(|row| row.get(2).is_some_and(|done| done == "pass"));
    let in_scope = if clear {
        "The table lets a kind of payment data pass to the bot in clear: the bots are in scope."
    } else {
        "The table lets no payment data pass to the bot in clear. What a detector does not recognise as such is not covered by \
         this sentence."
    };
    let page = Page::new("Scope of PCI DSS")
        .text(format!(
            "PCI DSS 4.0.1, 3.2 to 3.7 and 12.5.2. Made on {} from the configuration in force ({}).",
            moment(now),
            force.config.hash()
        ))
        .heading("Where card data goes")
        .table(&["kind", "class", "to the bot", "to the customer", "kept", "to staff"], rows)
        .text(in_scope)
        .text(format!("Bots: {}.", bots.join(", ")))
        .heading("What holds whatever is configured")
        .text("Card codes, PINs and track data are removed before anything is stored, sent or logged (3.3.1); no setting lets them through.")
        .text("Card numbers are stored sealed under the customer's own key, which is kept apart from them (3.5.1, 3.6.1); staff see the last four digits (3.4.1), and one in clear only when two people agree.")
        .text("In scope are this program, the machine it runs on, its data folder or database, the keys folder or the keyring's database, and whoever can read its memory. What in front ends TLS is in scope too.");
    let json = json!({
        "@context": dpv::context(),
        "@type": Term::RecordsOfActivities.compact(),
        "dct:title": "Scope of PCI DSS",
        "dct:created": moment(now),
        "dct:conformsTo": "PCI DSS 4.0.1",
        "chatward:configuration": &**force.config.hash(),
        "chatward:bots": bots,
        "chatward:botsInScope": clear,
        "dpv:hasPersonalData": data,
    });
    Record { page, json }
}

fn kinds(force: &Force, class: Class) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = force
        .detector
        .rules()
        .iter()
        .filter(|rule| rule.class == class)
        .map(|rule| rule.kind.clone())
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds
}
