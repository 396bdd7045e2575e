//! The file about an incident (GDPR articles 33(3) and 34): who is concerned, with which classes of data, since when, and who looked.
//!
//! It is made from the audit log alone: what was kept in the time in question, whatever became of it since. Customers are the
//! pseudonyms of the log; who may know them as people finds them through the staff's routes, one look at a time. What a thief really
//! read the log does not know: it says what there was, and who used the program to look.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chatward_message::{Class, UnixMillis};
use chatward_policy::numbers::coarse::moment;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Page, Record, RecordError};
use crate::dpv::{self, Term};
use crate::turn::Gate;

/// So many customers are listed; the rest is counted.
const LISTED: usize = 10_000;

/// What is read of an event.
#[derive(Deserialize)]
struct Event {
    at: u64,
    action: Box<str>,
    subject: Option<Box<str>>,
    #[serde(default)]
    found: Vec<Found>,
    access: Option<Access>,
}

#[derive(Deserialize)]
struct Found {
    class: Class,
    n: u64,
}

#[derive(Deserialize)]
struct Access {
    action: Box<str>,
    by: Box<str>,
    class: Option<Class>,
}

/// What there was of one customer.
#[derive(Default)]
struct Customer {
    turns: u64,
    found: BTreeMap<Class, u64>,
    first: u64,
    last: u64,
    looks: u64,
    erased: bool,
}

/// What sort of actor looked, what they did, at which class of data.
type Look = (Box<str>, Box<str>, Box<str>);

#[derive(Default)]
struct Facts {
    customers: BTreeMap<Box<str>, Customer>,
    /// Turns of nobody who is known by a pseudonym.
    nameless: u64,
    looks: BTreeMap<Look, u64>,
    refused: u64,
    sign_ins_failed: u64,
    exports: u64,
}

/// Makes it.
pub(super) async fn record(gate: &Gate, time: Range<u64>) -> Result<Record, RecordError> {
    let mut facts = Facts::default();
    super::walk(gate, &time, |text| {
        if let Ok(event) = serde_json::from_str::<Event>(text) {
            facts.add(event);
        }
    })
    .await?;
    let now = gate.clock.now();
    let controller = &gate.force.load().config.controller;
    let contact = controller.dpo.clone().or_else(|| controller.contact.clone());
    let contact = contact.unwrap_or_else(|| super::processing::UNKNOWN.to_owned());
    Ok(Record { page: facts.page(&time, now, &contact), json: facts.json(&time, now, &contact) })
}

impl Facts {
    fn add(&mut self, event: Event) {
        match &*event.action {
            "turn-opened" => match event.subject {
                Some(subject) => {
                    let customer = self.customers.entry(subject).or_default();
                    customer.turns += 1;
                    for Found { class, n } in event.found {
                        *customer.found.entry(class).or_default() += n;
                    }
                    customer.seen(event.at);
                }
                None => self.nameless += 1,
            },
            "access-allowed" => {
                if let Some(access) = event.access {
                    let class = access.class.map_or("", Class::name);
                    *self.looks.entry((access.by, access.action, class.into())).or_default() += 1;
                }
                if let Some(customer) = event.subject.and_then(|subject| self.customers.get_mut(&subject)) {
                    customer.looks += 1;
                }
            }
            "access-refused" => self.refused += 1,
            "sign-in-failed" => self.sign_ins_failed += 1,
            "analytics-exported" => self.exports += 1,
            "customer-erased" => {
                if let Some(subject) = event.subject {
                    let customer = self.customers.entry(subject).or_default();
                    customer.erased = true;
                    customer.seen(event.at);
                }
            }
            _ => {}
        }
    }

    fn classes(&self) -> BTreeMap<Class, (u64, u64)> {
        let mut all: BTreeMap<Class, (u64, u64)> = BTreeMap::new();
        for customer in self.customers.values() {
            for (class, n) in &customer.found {
                let (customers, values) = all.entry(*class).or_default();
                *customers += 1;
                *values += n;
            }
        }
        all
    }

    fn page(&self, time: &Range<u64>, now: UnixMillis, contact: &str) -> Page {
        let day = |at: u64| moment(UnixMillis(at));
        let classes = (self.classes().iter())
            .map(|(class, (customers, values))| {
                vec![
                    class.name().into(),
                    format!("{:?}", class.risk()).to_lowercase(),
                    customers.to_string(),
                    values.to_string(),
                ]
            })
            .collect();
        let looks = (self.looks.iter())
            .map(|((by, action, class), n)| {
                vec![by.to_string(), action.to_string(), class.to_string(), n.to_string()]
            })
            .collect();
        let customers = (self.customers.iter().take(LISTED))
            .map(|(subject, of)| {
                let found: Vec<String> =
                    of.found.iter().map(|(class, n)| format!("{}: {n}", class.name())).collect();
                let erased = if of.erased { "yes" } else { "" };
                vec![
                    subject.to_string(),
                    of.turns.to_string(),
                    found.join(", "),
                    day(of.first),
                    day(of.last),
                    of.looks.to_string(),
                    erased.into(),
                ]
            })
            .collect();
        Page::new("File about an incident")
            .text(format!("GDPR articles 33 and 34. From {} to {}, made on {}.", day(time.start), day(time.end), moment(now)))
            .text("What was kept in this time, from the audit log. What somebody really read outside of the program the log does not know: the cause, the likely consequences and the measures taken (33(3)(c) and (d)) are for people to write. The authority is told within 72 hours of when it became known.")
            .text(format!("Contact: {contact}"))
            .heading("Who is concerned")
            .text(format!("{} customers, and {} turns of nobody who can be told apart.", self.customers.len(), self.nameless))
            .heading("Which data")
            .text("Values that were found in what customers wrote. The text itself is data of the class interaction in every turn. Stored values are sealed under each customer's own key (34(3)(a)).")
            .table(&["class", "risk", "customers", "values"], classes)
            .heading("Who looked, through the program")
            .table(&["who", "what", "class", "times"], looks)
            .text(format!("Refused: {}. Failed sign-ins: {}. Tables for analytics given out: {}.", self.refused, self.sign_ins_failed, self.exports))
            .heading("Customers, as the log names them")
            .text(format!("The first {LISTED} at most."))
            .table(&["pseudonym", "turns", "values found", "first", "last", "looks", "erased in this time"], customers)
    }

    fn json(&self, time: &Range<u64>, now: UnixMillis, contact: &str) -> Value {
        let day = |at: u64| moment(UnixMillis(at));
        let data: Vec<Value> = (self.classes().iter())
            .map(|(class, (customers, values))| {
                json!({
                    "@type": Term::of_class(*class).compact(),
                    "chatward:class": class.name(),
                    "chatward:customers": customers,
                    "chatward:values": values,
                })
            })
            .collect();
        let customers: Vec<Value> = (self.customers.iter().take(LISTED))
            .map(|(subject, of)| {
                let classes: BTreeSet<&str> = of.found.keys().map(|class| class.name()).collect();
                json!({
                    "dct:identifier": subject,
                    "chatward:turns": of.turns,
                    "chatward:classes": classes,
                    "chatward:first": day(of.first),
                    "chatward:last": day(of.last),
                    "chatward:looks": of.looks,
                    "chatward:erased": of.erased,
                })
            })
            .collect();
        let looks: Vec<Value> = (self.looks.iter())
            .map(|((by, action, class), n)| {
                json!({ "chatward:by": by, "chatward:action": action, "chatward:class": class, "chatward:times": n })
            })
            .collect();
        json!({
            "@context": dpv::context(),
            "@type": Term::DataBreachReport.compact(),
            "dct:title": "File about an incident",
            "dct:created": moment(now),
            "dct:conformsTo": "GDPR articles 33 and 34",
            "chatward:from": day(time.start),
            "chatward:before": day(time.end),
            "dpv:hasContact": contact,
            "chatward:customers": self.customers.len(),
            "chatward:namelessTurns": self.nameless,
            "dpv:hasPersonalData": data,
            "dpv:hasDataSubject": customers,
            "chatward:looks": looks,
            "chatward:accessRefused": self.refused,
            "chatward:signInsFailed": self.sign_ins_failed,
            "chatward:analyticsExported": self.exports,
        })
    }
}

impl Customer {
    fn seen(&mut self, at: u64) {
        self.first = if self.first == 0 { at } else { self.first.min(at) };
        self.last = self.last.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: &str = include_str!("../../../../vectors/dpv/terms.tsv");

    fn facts(events: &[Value]) -> Facts {
        let mut facts = Facts::default();
        for event in events {
            facts.add(serde_json::from_value(event.clone()).unwrap());
        }
        facts
    }

    #[test]
    fn who_is_concerned_is_told_by_what_the_log_says() {
        let found = json!([{ "kind": "email", "class": "identity", "operator": "token", "n": 2 }]);
        let turn = |subject: &str, at: u64| json!({ "at": at, "tenant": "t", "action": "turn-opened", "subject": subject, "found": found });
        let facts = facts(&[
            turn("a", 5),
            turn("a", 3),
            turn("b", 4),
            json!({ "at": 6, "tenant": "t", "action": "access-allowed", "subject": "a",
                "access": { "action": "reveal", "by": "staff", "class": "identity" } }),
            json!({ "at": 7, "tenant": "t", "action": "customer-erased", "subject": "b" }),
            json!({ "at": 8, "tenant": "t", "action": "turn-opened" }),
        ]);
        let json = facts.json(&(0..10), UnixMillis(11), "dpo@example.com");
        assert_eq!(dpv::faults(&json, TERMS), Vec::<String>::new());
        assert_eq!(json["chatward:customers"], 2);
        assert_eq!(json["chatward:namelessTurns"], 1);
        assert_eq!(json["dpv:hasPersonalData"][0]["chatward:values"], 6);
        assert_eq!(json["dpv:hasDataSubject"][0]["chatward:looks"], 1);
        assert_eq!(json["dpv:hasDataSubject"][0]["chatward:first"], "1970-01-01T00:00:00Z");
        assert_eq!(json["dpv:hasDataSubject"][1]["chatward:erased"], true);
        let text = facts.page(&(0..10), UnixMillis(11), "dpo@example.com").to_markdown();
        assert!(
            text.contains("2 customers, and 1 turns") && text.contains("| identity | high | 2 | 6 |"),
            "{text}"
        );
    }
}
