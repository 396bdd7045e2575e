use std::sync::Arc;

use chatward_message::{Destination, Evidence};
use chatward_policy::HandlingTable;
use proptest::prelude::*;

use super::*;
use crate::table::Meaning;
use crate::{Labels, Scope};

fn rule(label: &str, kind: &str, class: Class, last_four: bool) -> Arc<RuleInfo> {
    Arc::new(RuleInfo {
        id: kind.into(),
        kind: Kind::new(kind),
        entity: match kind {
            "street_address" | "postcode" => "ADDRESS",
            "location" => "LOCATION",
            _ => "OTHER",
        }
        .into(),
        class,
        label: label.into(),
        last_four,
    })
}

/// Findings by their words: (words, label).
fn request(texts: &[(&str, &[(&str, &str)])]) -> Vec<(Plain, Vec<Finding>)> {
    let one = |(text, wanted): &(&str, &[(&str, &str)])| {
        let mut findings: Vec<Finding> = (wanted.iter())
            .map(|(words, label)| {
                let start = text.find(words).unwrap();
                let rule = match *label {
                    "CARD" => rule("CARD", "credit_card", Class::Payment, true),
                    "PERSON" => rule("PERSON", "person", Class::Identity, false),
                    "EMAIL" => rule("EMAIL", "email", Class::Identity, false),
                    "PASSWORD" => rule("PASSWORD", "password", Class::Secret, false),
                    "CODE" => rule("CODE", "card_code", Class::PaymentNeverKept, false),
                    "ADDRESS" => rule("ADDRESS", "street_address", Class::Identity, false),
                    "POSTCODE" => rule("POSTCODE", "postcode", Class::Identity, false),
                    "PLACE" => rule("PLACE", "location", Class::Interaction, false),
                    "IP" => rule("IP", "ip_address", Class::Interaction, false),
                    other => panic!("{other}"),
                };
                let span = Span::new(start, start + words.len());
                Finding { span, rule, score: 1.0, evidence: Evidence::default() }
            })
            .collect();
        findings.sort_by_key(|f| f.span);
        (Plain::from(*text), findings)
    };
    texts.iter().map(one).collect()
}

fn table() -> Placeholders {
    let labels = ["CARD", "PERSON", "EMAIL", "PASSWORD", "CODE", "IP", "ADDRESS", "POSTCODE", "PLACE"];
    Placeholders::new(Arc::new(Labels::from_iter(labels)))
}

fn run(rules: &HandlingTable, table: &mut Placeholders, texts: &[(&str, &[(&str, &str)])]) -> Masked {
    let parts = request(texts);
    let handling = rules.handle(parts.iter().map(|(_, f)| &f[..]), Destination::Bot);
    mask_parts(&parts, &handling, table, &|value| {
        let mut hash = [0; 16];
        hash[0] = u8::try_from(value.len()).unwrap();
        hash
    })
}

fn masked(texts: &[(&str, &[(&str, &str)])]) -> Vec<String> {
    run(&HandlingTable::new(), &mut table(), texts).texts
}

#[test]
fn values_become_placeholders_and_the_rest_stays() {
    let got = masked(&[(
        "  I'm Anna;\tcard 4111 1111 1111 1111, mail a@b.de — é",
        &[("Anna", "PERSON"), ("4111 1111 1111 1111", "CARD"), ("a@b.de", "EMAIL")],
    )]);
    assert_eq!(got, ["  I'm [PERSON_1];\tcard [CARD_1 ending 1111], mail [EMAIL_1] — é"]);
}

#[test]
fn the_parts_of_an_address_become_one_placeholder_and_a_town_alone_passes() {
    let parts = [("12 Oak St", "ADDRESS"), ("Springfield", "PLACE"), ("62701", "POSTCODE")];
    let got = masked(&[
        ("to 12 Oak St, Springfield 62701 please", &parts),
        ("from Springfield to Dover", &[("Springfield", "PLACE"), ("Dover", "PLACE")]),
        ("in Dover. 4 Mill Rd it is", &[("Dover", "PLACE"), ("4 Mill Rd", "ADDRESS")]),
        ("Anna, 4 Mill Rd", &[("Anna", "PERSON"), ("4 Mill Rd", "ADDRESS")]),
    ]);
    assert_eq!(
        got,
        [
            "to [ADDRESS_1] please",
            "from Springfield to Dover",
            "in Dover. [ADDRESS_2] it is",
            "[PERSON_1], [ADDRESS_2]"
        ]
    );
}

#[test]
fn one_value_has_one_placeholder_over_spellings_and_turns() {
    let mut table = table();
    let rules = HandlingTable::new();
    run(&rules, &mut table, &[("mail A@b.de", &[("A@b.de", "EMAIL")])]);
    let history: &[(&str, &[(&str, &str)])] = &[
        ("mail A@b.de", &[("A@b.de", "EMAIL")]),
        ("Thanks, A@b.de it is.", &[]),
        ("no: x@y.de, then a@b.de", &[("x@y.de", "EMAIL"), ("a@b.de", "EMAIL")]),
    ];
    let got = run(&rules, &mut table, history);
    assert_eq!(got.texts, ["mail [EMAIL_1]", "Thanks, [EMAIL_1] it is.", "no: [EMAIL_2], then [EMAIL_1]"]);
    assert_eq!(table.len(), 2);
    // What is put back is the way in which it was last written.
    let restorer = table.restorer(Scope::Conversation, |_| true);
    assert_eq!(restorer.value(0), "a@b.de");
}

#[test]
fn a_known_name_is_hidden_wherever_it_stands_alone() {
    let got = masked(&[("Hello Anna, Annabel and Anna's friend", &[]), ("I am Anna", &[("Anna", "PERSON")])]);
    assert_eq!(got, ["Hello [PERSON_1], Annabel and [PERSON_1]'s friend", "I am [PERSON_1]"]);
    let got = masked(&[("I will ask", &[]), ("my name is will", &[("will", "PERSON")])]);
    assert_eq!(got, ["I will ask", "my name is [PERSON_1]"], "an everyday word stays");
    let got = masked(&[
        ("Anna Schmidt and Anna", &[]),
        ("Anna or Anna Schmidt", &[("Anna Schmidt", "PERSON")]),
        ("Anna", &[("Anna", "PERSON")]),
    ]);
    assert_eq!(got[0], "[PERSON_1] and [PERSON_2]", "the longer name wins");
}

#[test]
fn very_many_values_give_the_same_as_few() {
    let mails: Vec<String> = (0..MANY * 2).map(|n| format!("user{n}@example.org")).collect();
    let all = mails.join(" ");
    let found: Vec<(&str, &str)> = mails.iter().map(|m| (m.as_str(), "EMAIL")).collect();
    let got = masked(&[(&all, &found), (&all, &[])]);
    assert_eq!(got[0], got[1]);
    assert!(!got[0].contains('@'));
}

#[test]
fn typed_placeholders_are_escaped_and_come_back_as_typed() {
    let mut table = table();
    let text =
        "I am Anna, not [PERSON_1] or [person 1] or PERSON_1 or [CARD_1 ending 1111], see [note] [XYZ_1]";
    let got = run(&HandlingTable::new(), &mut table, &[(text, &[("Anna", "PERSON")])]);
    assert_eq!(
        got.texts,
        ["I am [PERSON_1], not [TEXT_1] or [TEXT_2] or [TEXT_3] or [TEXT_4], see [note] [TEXT_5]"]
    );
    let restorer = table.restorer(Scope::Conversation, |_| true);
    assert_eq!(restorer.value(1), "[PERSON_1]");
    assert_eq!(restorer.value(2), "[person 1]");
    // And again in the next turn, with the history.
    let again = run(&HandlingTable::new(), &mut table, &[(text, &[("Anna", "PERSON")]), ("[TEXT_1]", &[])]);
    assert_eq!(again.texts[0], got.texts[0]);
    assert_eq!(again.texts[1], "[TEXT_6]");
}

#[test]
fn a_typed_placeholder_with_a_value_in_it_gives_way_as_a_whole() {
    let got = masked(&[("x [CARD_1 ending 1111] y", &[("1111", "CARD")])]);
    assert_eq!(got, ["x [TEXT_1] y"]);
    let got = masked(&[("x [CARD_1 ending 123] y", &[("123", "CODE")])]);
    assert_eq!(got, ["x [removed: card code] y"]);
    let got = masked(&[("x see[PERSON_1]@b.de y", &[("see[PERSON_1]@b.de", "EMAIL")])]);
    assert_eq!(got, ["x [EMAIL_1] y"]);
}

#[test]
fn secrets_are_dropped_everywhere_with_one_warning() {
    let mut table = table();
    let texts: &[(&str, &[(&str, &str)])] = &[
        ("password hunter22, code 123", &[("hunter22", "PASSWORD"), ("123", "CODE")]),
        ("hunter22 does not work; room 123", &[]),
    ];
    let got = run(&HandlingTable::new(), &mut table, texts);
    assert_eq!(
        got.texts,
        [
            "password [removed: password], code [removed: card code]",
            "[removed: password] does not work; room 123"
        ]
    );
    assert_eq!(got.warnings().len(), 1);
    assert!(table.is_empty(), "kept nowhere");
    assert_eq!(got.counts().len(), 2);
    assert_eq!(got.replaced(), 3);
}

#[test]
fn every_operator_does_what_it_says() {
    let with = |operator, text: &str, words: &str, label: &str| {
        let mut rules = HandlingTable::new();
        for class in [Class::Interaction, Class::Identity, Class::Payment] {
            rules.set_class(class, Destination::Bot, operator).unwrap();
        }
        run(&rules, &mut table(), &[(text, &[(words, label)])]).texts.remove(0)
    };
    assert_eq!(with(Operator::Pass, "I am Anna", "Anna", "PERSON"), "I am Anna");
    assert_eq!(
        with(Operator::Mask, "card 4111 1111 1111 1111", "4111 1111 1111 1111", "CARD"),
        "card **** **** **** 1111"
    );
    assert_eq!(with(Operator::Generalise, "from 10.1.2.3", "10.1.2.3", "IP"), "from 10.1.2.0/24");
    assert_eq!(with(Operator::Hash, "mail a@b.de", "a@b.de", "EMAIL"), "mail [EMAIL:060000000000]");
    assert_eq!(with(Operator::Drop, "mail a@b.de", "a@b.de", "EMAIL"), "mail [removed: email]");
    assert_eq!(with(Operator::Block, "mail a@b.de", "a@b.de", "EMAIL"), "mail [removed: email]");
    let surrogate = with(Operator::Surrogate, "mail a@b.de", "a@b.de", "EMAIL");
    assert!(surrogate.ends_with("@example.com") && surrogate.starts_with("mail "), "{surrogate}");
}

#[test]
fn a_surrogate_is_never_something_the_customer_wrote() {
    let mut rules = HandlingTable::new();
    rules.set_class(Class::Identity, Destination::Bot, Operator::Surrogate).unwrap();
    let first = run(&rules, &mut table(), &[("I am Anna", &[("Anna", "PERSON")])]).texts.remove(0);
    let taken = first.strip_prefix("I am ").unwrap();
    let text = format!("I am Anna, not {taken}");
    let got = run(&rules, &mut table(), &[(&text, &[("Anna", "PERSON")])]).texts.remove(0);
    assert!(got.ends_with(taken) && got.matches(taken).count() == 1, "{got}");
}

#[test]
fn findings_without_a_decision_are_removed() {
    let parts = request(&[("I am Anna", &[("Anna", "PERSON")])]);
    let nothing = HandlingTable::new().handle(std::iter::empty(), Destination::Bot);
    let got = mask_parts(&parts, &nothing, &mut table(), &|_| [0; 16]);
    assert_eq!(got.texts, ["I am [removed: person]"]);
}

#[test]
fn only_this_requests_values_are_shown_where_asked() {
    let mut table = table();
    let rules = HandlingTable::new();
    run(&rules, &mut table, &[("I am Anna", &[("Anna", "PERSON")])]);
    run(&rules, &mut table, &[("mail a@b.de", &[("a@b.de", "EMAIL")])]);
    let form =
        |label: &str| crate::form::Form { len: 0, label: label.into(), n: 1, plural: false, ending: None };
    let all = table.restorer(Scope::Conversation, |_| true);
    let this = table.restorer(Scope::ThisRequest, |_| true);
    let no_mail = table.restorer(Scope::Conversation, |kind| kind.as_str() != "email");
    assert!(matches!(all.meaning(&form("PERSON")), Meaning::Value { .. }));
    assert!(matches!(this.meaning(&form("PERSON")), Meaning::Missed));
    assert!(matches!(this.meaning(&form("EMAIL")), Meaning::Value { .. }));
    assert!(matches!(no_mail.meaning(&form("EMAIL")), Meaning::Missed));
}

#[test]
fn debug_shows_no_text() {
    let mut table = table();
    let got = run(&HandlingTable::new(), &mut table, &[("I am Anna", &[("Anna", "PERSON")])]);
    assert_eq!(format!("{got:?} {table:?}"), "Masked(1 texts, 1 replaced) Placeholders(1 entries)");
    assert_eq!(format!("{:?}", table.restorer(Scope::Conversation, |_| true)), "Restorer(1 values)");
}

proptest! {
    /// Whatever stands around: values are gone, the words beside them are the same bytes, and the only placeholders in
    /// the masked text are ours.
    #[test]
    fn masking_hides_values_and_touches_nothing_else(
        before in "[ -~é\\[\\]_]{0,30}",
        between in "[ a-zA-Z_\\[\\]1-9]{1,20}",
        after in "([ -~]|\\[PERSON_1\\]|CARD_1){0,10}",
    ) {
        let text = format!("{before} Annabella {between} 4111111111111111 {after}");
        let mut table = table();
        let wanted: &[(&str, &str)] = &[("Annabella", "PERSON"), ("4111111111111111", "CARD")];
        let got = run(&HandlingTable::new(), &mut table, &[(&text, wanted)]).texts.remove(0);
        prop_assert!(!got.contains("Annabella") && !got.contains("4111111111111111"));
        // Put back, it is what was written.
        let restorer = table.restorer(Scope::Conversation, |_| true);
        let mut splitter = crate::split::Splitter::new(restorer);
        let mut back = String::new();
        let mut sink = |cut: crate::split::Cut<'_>, from: &crate::Restorer| match cut {
            crate::split::Cut::Words(words) => back.push_str(words),
            crate::split::Cut::Placeholder { at, .. } => back.push_str(from.value(at)),
            crate::split::Cut::Missed => {}
        };
        splitter.push(&got, &mut sink);
        splitter.finish(&mut sink);
        prop_assert_eq!(back, text);
    }
}
