//! The record of processing activities (GDPR article 30(1)).

use std::collections::BTreeMap;

use chatward_message::{Class, Destination, Kind, Operator, UnixMillis};
use chatward_policy::numbers::coarse::moment;
use chatward_policy::{HandlingTable, Terms};
use serde_json::{Value, json};

use super::{Page, Record};
use crate::config::{Config, Recipient, Tls};
use crate::dpv::{self, Term};
use crate::turn::Force;

/// What the program does not know is said to be unknown, never left out.
pub(super) const UNKNOWN: &str = "not stated (set it in `[controller]`)";

/// Makes it.
pub(super) fn record(force: &Force, now: UnixMillis) -> Record {
    let facts = Facts::of(force);
    Record { page: facts.page(now), json: facts.json(now) }
}

/// A bot that personal data may go to.
struct Bot {
    name: String,
    host: String,
    basis: Term,
    basis_word: &'static str,
}

/// Something that data is used for.
struct For {
    name: String,
    basis: Term,
    basis_word: &'static str,
    term: Term,
    sold_or_shared: bool,
    special: Option<String>,
    keep: Vec<(Class, u64)>,
}

/// What is found of a class, and what is done with it.
struct Sort {
    class: Class,
    kinds: Vec<Kind>,
    to_bot: String,
    kept: String,
}

/// What allows special categories for a purpose that keeps them.
fn special_by(terms: &Terms) -> Option<String> {
    terms.kept(Class::Special)?;
    Some(terms.special.map_or_else(
        || "explicit consent, article 9(2)(a)".to_owned(),
        |ground| format!("{}, article 9(2)({})", ground.name(), ground.letter()),
    ))
}

struct Facts<'a> {
    config: &'a Config,
    bots: Vec<Bot>,
    purposes: Vec<For>,
    sorts: Vec<Sort>,
    measures: Vec<(Term, String)>,
}

impl<'a> Facts<'a> {
    fn of(force: &'a Force) -> Self {
        let config: &Config = &force.config;
        let bots = (config.upstreams.iter())
            .map(|bot| Bot {
                name: bot.name.to_string(),
                host: bot.url.host().unwrap_or_default().to_owned(),
                basis: Term::of_basis(bot.basis),
                basis_word: bot.basis.for_service(),
            })
            .collect();
        let purposes = (config.purposes.iter())
            .map(|terms| For {
                name: terms.name.to_string(),
                basis: Term::of_basis(terms.basis),
                basis_word: terms.basis.for_service().trim_start_matches("service/"),
                term: Term::of_purpose(&terms.name),
                sold_or_shared: terms.sold_or_shared,
                special: special_by(terms),
                keep: terms.keep.clone(),
            })
            .collect();
        let mut kinds: BTreeMap<Class, Vec<Kind>> = BTreeMap::new();
        for rule in force.detector.rules() {
            let of = kinds.entry(rule.class).or_default();
            if !of.contains(&rule.kind) {
                of.push(rule.kind.clone());
            }
        }
        let sorts = Class::ALL
            .into_iter()
            .map(|class| {
                let mut kinds = kinds.remove(&class).unwrap_or_default();
                kinds.sort();
                let done = |to| handled(force, class, &kinds, to);
                Sort { class, to_bot: done(Destination::Bot), kept: done(Destination::Kept), kinds }
            })
            .collect();
        Self { config, bots, purposes, sorts, measures: measures(config) }
    }

    fn page(&self, now: UnixMillis) -> Page {
        let controller = &self.config.controller;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        let who = vec![
            vec!["controller".into(), known(&controller.name)],
            vec!["address".into(), known(&controller.address)],
            vec!["contact".into(), known(&controller.contact)],
            vec!["representative in the Union".into(), known(&controller.representative)],
            vec!["data protection officer".into(), known(&controller.dpo)],
        ];
        let bots = (self.bots.iter())
            .map(|bot| {
                vec![
                    bot.name.clone(),
                    bot.host.clone(),
                    bot.basis_word.to_owned(),
                    bot.basis.compact().to_owned(),
                ]
            })
            .collect();
        let sorts = (self.sorts.iter())
            .map(|sort| {
                let kinds: Vec<&str> = sort.kinds.iter().map(Kind::as_str).collect();
                vec![sort.class.name().into(), kinds.join(", "), sort.to_bot.clone(), sort.kept.clone()]
            })
            .collect();
        let purposes = (self.purposes.iter())
            .map(|one| {
                let basis = if one.name == "service" { "that of each bot" } else { one.basis_word };
                let shared = if one.sold_or_shared { "yes" } else { "no" };
                vec![
                    one.name.clone(),
                    basis.to_owned(),
                    one.term.compact().to_owned(),
                    shared.to_owned(),
                    one.special.clone().unwrap_or_else(|| "no".to_owned()),
                    kept(&one.keep),
                ]
            })
            .collect();
        let measures =
            self.measures.iter().map(|(term, text)| vec![term.compact().to_owned(), text.clone()]).collect();
        Page::new("Record of processing activities")
            .text(format!(
                "GDPR article 30(1). Made on {} from the configuration in force ({}).",
                moment(now),
                self.config.hash()
            ))
            .heading("Who answers for it")
            .table(&["", ""], who)
            .heading("What for, and on which basis")
            .table(&["purpose", "basis", "in the vocabulary", "sold or shared", "special categories", "kept, at most"], purposes)
            .text(
                "Customers are answered through each of these bots, and they are the recipients: what goes to them is in the table \
                 of data below. Whether a host is in a third country, and what covers that transfer, the program does not know.",
            )
            .table(&["bot", "host", "purpose and basis", "basis in the vocabulary"], bots)
            .text("These are told when a customer's data is erased, corrected or frozen.")
            .table(&["recipient", "host", "told of"], told(self.config))
            .heading("Whose data, and which")
            .text("Customers who write to the bots, and people whom they write about.")
            .table(&["class", "kinds that are looked for", "to the bot", "kept"], sorts)
            .heading("How long")
            .text(super::inventory::HOW_LONG)
            .heading("How it is guarded")
            .table(&["measure", "how"], measures)
    }

    fn json(&self, now: UnixMillis) -> Value {
        let controller = &self.config.controller;
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        let data: Vec<Value> = (self.sorts.iter())
            .filter(|sort| !sort.kinds.is_empty())
            .map(|sort| {
                let mut terms: Vec<&str> = sort
                    .kinds
                    .iter()
                    .map(|kind| Term::of_kind(kind.as_str(), sort.class).compact())
                    .collect();
                terms.sort_unstable();
                terms.dedup();
                let kinds: Vec<&str> = sort.kinds.iter().map(Kind::as_str).collect();
                json!({
                    "@type": Term::of_class(sort.class).compact(),
                    "chatward:class": sort.class.name(),
                    "chatward:kinds": kinds,
                    "dct:subject": terms.iter().map(|term| json!({ "@id": term })).collect::<Vec<_>>(),
                    "chatward:toTheBot": sort.to_bot,
                    "chatward:kept": sort.kept,
                })
            })
            .collect();
        let purposes: Vec<Value> = (self.purposes.iter())
            .map(|one| {
                let keep: Vec<Value> = (one.keep.iter())
                    .map(|(class, time)| {
                        json!({
                            "@type": Term::StorageDuration.compact(),
                            "dct:subject": Term::of_class(*class).node(),
                            "chatward:class": class.name(),
                            "dpv:hasDuration": { "@type": "xsd:duration", "@value": format!("PT{}S", time / 1000) },
                        })
                    })
                    .collect();
                json!({
                    "@type": Term::PersonalDataProcess.compact(),
                    "dct:title": one.name,
                    "dpv:hasPurpose": [one.term.node()],
                    "dpv:hasLegalBasis": [one.basis.node()],
                    "chatward:soldOrShared": one.sold_or_shared,
                    "chatward:specialCategories": one.special,
                    "dpv:hasStorageCondition": keep,
                })
            })
            .collect();
        let processes: Vec<Value> = (self.bots.iter())
            .map(|bot| {
                json!({
                    "@type": Term::PersonalDataProcess.compact(),
                    "dct:title": bot.name,
                    "dpv:hasPurpose": [Term::of_purpose("service").node()],
                    "dpv:hasLegalBasis": [bot.basis.node()],
                    "dpv:hasRecipient": { "@type": Term::Recipient.compact(), "dpv:hasName": bot.name, "dpv:hasAddress": bot.host },
                    "dpv:hasProcessing": [Term::Collect.node(), Term::Store.node(), Term::Pseudonymise.node(), Term::Transmit.node()],
                })
            })
            .collect();
        let measures: Vec<Value> = (self.measures.iter())
            .map(|(term, text)| json!({ "@type": term.compact(), "dct:description": text }))
            .collect();
        json!({
            "@context": dpv::context(),
            "@type": Term::RecordOfProcessing.compact(),
            "dct:title": "Record of processing activities",
            "dct:created": moment(now),
            "dct:conformsTo": "GDPR article 30(1)",
            "chatward:configuration": &**self.config.hash(),
            "dpv:hasDataController": {
                "@type": Term::DataController.compact(),
                "dpv:hasName": known(&controller.name),
                "dpv:hasAddress": known(&controller.address),
                "dpv:hasContact": known(&controller.contact),
                "dpv:hasRepresentative": {
                    "@type": Term::Representative.compact(), "dpv:hasContact": known(&controller.representative),
                },
                "dpv:hasDataProtectionOfficer": {
                    "@type": Term::DataProtectionOfficer.compact(), "dpv:hasContact": known(&controller.dpo),
                },
            },
            "dpv:hasDataSubject": [Term::Customer.node(), Term::DataSubject.node()],
            "dpv:hasPersonalDataProcess": purposes,
            "dpv:hasProcess": processes,
            "dpv:hasRecipient": told(self.config).into_iter().map(|row| json!({
                "@type": Term::Recipient.compact(), "dpv:hasName": row[0], "dpv:hasAddress": row[1], "chatward:toldOf": row[2],
            })).collect::<Vec<_>>(),
            "dpv:hasPersonalData": data,
            "dpv:hasStorageCondition": {
                "@type": Term::StorageDuration.compact(), "dct:description": super::inventory::HOW_LONG,
            },
            "dpv:hasTechnicalMeasure": measures,
        })
    }
}

/// Who is told of what became of a customer's data, where, and of what.
fn told(config: &Config) -> Vec<Vec<String>> {
    let row = |one: &Recipient| {
        let of: Vec<&str> = one.tell.iter().map(|tell| tell.name()).collect();
        vec![one.name.to_string(), one.url.host().unwrap_or_default().to_owned(), of.join(", ")]
    };
    config.recipients.iter().map(row).collect()
}

/// For how long, by class.
fn kept(keep: &[(Class, u64)]) -> String {
    const HOUR: u64 = 3_600_000;
    let time = |time: u64| match time {
        time if time % (24 * HOUR) == 0 => format!("{} days", time / (24 * HOUR)),
        time if time % HOUR == 0 => format!("{} hours", time / HOUR),
        time => format!("{} seconds", time / 1000),
    };
    keep.iter()
        .map(|(class, until)| format!("{}: {}", class.name(), time(*until)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is done with a class on its way: one word, or the usual one with the exceptions.
pub(super) fn handled(force: &Force, class: Class, kinds: &[Kind], to: Destination) -> String {
    let special = force.config.purposes.iter().any(|terms| terms.kept(Class::Special).is_some());
    if class == Class::Special && special && matches!(to, Destination::Bot | Destination::Kept) {
        let allowed = handled_by(&force.table, class, kinds, to);
        return format!("{allowed} for who allowed it, else {}", Operator::Drop.name());
    }
    handled_by(force.table_for(special), class, kinds, to)
}

fn handled_by(table: &HandlingTable, class: Class, kinds: &[Kind], to: Destination) -> String {
    let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for kind in kinds {
        by.entry(table.operator(kind, class, to).name()).or_default().push(kind.as_str());
    }
    let Some(usual) = by.iter().max_by_key(|(_, kinds)| kinds.len()).map(|(word, _)| *word) else {
        return "–".to_owned();
    };
    let others: Vec<String> = (by.iter())
        .filter(|(word, _)| **word != usual)
        .map(|(word, kinds)| format!("{word}: {}", kinds.join(", ")))
        .collect();
    if others.is_empty() { usual.to_owned() } else { format!("{usual} ({})", others.join("; ")) }
}

/// What guards the data, as it is configured.
fn measures(config: &Config) -> Vec<(Term, String)> {
    let way = match &config.tls {
        Tls::Off => "none of its own: the address is this machine's alone, or something in front encrypts",
        Tls::Files { .. } => "TLS 1.3 with X25519MLKEM768, certificate from files",
        Tls::Acme { .. } => "TLS 1.3 with X25519MLKEM768, certificate from an ACME authority",
        Tls::Development => "TLS 1.3 with a certificate of this machine's own, for development",
    };
    let place = if config.databases.is_some() {
        "rows and wrapped keys in two databases on a server"
    } else {
        "rows in the data folder, wrapped keys in the keys folder"
    };
    vec![
        (Term::EncryptionInTransfer, way.to_owned()),
        (
            Term::EncryptionAtRest,
            format!("AES-256-GCM under a key of each customer's own; {place}, never in one backup"),
        ),
        (
            Term::CryptographicKeyManagement,
            "customer keys wrapped under an epoch key that every erasure replaces; erasing a customer destroys the key".to_owned(),
        ),
        (Term::Pseudonymisation, "bots receive placeholders instead of values; the log names customers by keyed hashes".to_owned()),
        (Term::AccessControl, format!("policies decide every look, with a purpose and a reason (set {})", config.access.rules.hash())),
        (Term::MultiFactorAuthentication, "staff reach nothing with less than two factors".to_owned()),
        (Term::ActivityMonitoring, "every look, decision and change is in a log that nobody can quietly change (Merkle tree, signed checkpoints)".to_owned()),
        (
            Term::DifferentialPrivacy,
            format!(
                "counts over all customers carry noise; epsilon {} in {} days at most",
                config.numbers.limit.epsilon, config.numbers.limit.days
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{inventory, pci};
    use super::*;
    use crate::config::Flags;

    const TERMS: &str = include_str!("../../../../vectors/dpv/terms.tsv");
    const NOW: UnixMillis = UnixMillis(1_795_651_200_000);

    fn force(text: &str) -> Force {
        let flags = Flags { upstream: Some("http://127.0.0.1:9/v1".into()), ..Flags::default() };
        let loaded = crate::config::Loaded::from_text(text, &[], &flags).unwrap();
        let detector = chatward_detect::Detector::builtin().unwrap();
        let class_of = |kind: &str| {
            detector.rules().iter().find(|rule| rule.kind.as_str() == kind).map(|rule| rule.class)
        };
        let config = loaded.check(&class_of).unwrap();
        crate::serve::force(config, detector, None).unwrap()
    }

    /// What was made from the defaults is in the repository, for people to see: `CHATWARD_WRITE_RECORDS=1` writes it anew.
    #[test]
    fn the_records_of_the_defaults_are_as_committed() {
        let force = force("");
        for (name, record) in [
            ("processing", record(&force, NOW)),
            ("inventory", inventory::record(&force, NOW)),
            ("pci-scope", pci::record(&force, NOW)),
        ] {
            assert_eq!(dpv::faults(&record.json, TERMS), Vec::<String>::new(), "{name}");
            let file = format!("{}/tests/fixtures/records/{name}.md", env!("CARGO_MANIFEST_DIR"));
            // Each change of any default, and of any policy, gives another hash.
            let text = record.page.to_markdown().replace(&**force.config.hash(), "HASH");
            let text = text.replace(&**force.config.access.rules.hash(), "POLICIES");
            if std::env::var_os("CHATWARD_WRITE_RECORDS").is_some() {
                std::fs::write(&file, &text).unwrap();
            }
            assert_eq!(text, std::fs::read_to_string(&file).unwrap(), "{file}");
        }
    }

    #[test]
    fn another_configuration_makes_another_record() {
        let before = record(&force(""), NOW);
        let told = |text: &str| {
            let after = record(&force(text), NOW);
            assert_ne!(after.json, before.json);
            assert_eq!(dpv::faults(&after.json, TERMS), Vec::<String>::new());
            after.page.to_markdown() + &after.json.to_string()
        };
        assert!(told("[controller]\nname = \"Ada | Co\"\ndpo = \"dpo@example.com\"").contains("Ada \\| Co"));
        let quality = "[purposes.quality]\nversion = \"1\"\nbasis = \"legitimate-interest\"\nkeep = { interaction = \"48h\" }";
        let told_quality = told(quality);
        assert!(
            told_quality.contains("legitimate-interest") && told_quality.contains("interaction: 2 days"),
            "{told_quality}"
        );
        assert!(told_quality.contains("eu-gdpr:A6-1-f") && told_quality.contains("PT172800S"));
        let email = "[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"pass\"";
        assert!(told(email).contains("pass: email"));
        let bot = "[upstreams.second]\nurl = \"https://bot.example.com/v1\"\nbasis = \"legitimate-interest\"";
        assert!(told(bot).contains("bot.example.com"));
    }

    #[test]
    fn a_bot_that_is_given_cards_in_clear_is_in_scope() {
        let told = |text: &str| pci::record(&force(text), NOW).json["chatward:botsInScope"].clone();
        assert_eq!(told(""), false);
        assert_eq!(told("[[handling]]\nkind = \"iban\"\nto = \"bot\"\noperator = \"pass\""), true);
    }
}
