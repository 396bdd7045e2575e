//! The data inventory: every table, record and file, what is in it, how it is sealed, and what becomes of it when its customer is
//! erased. The list is code: a test fails if a table, a record or a file is missing from it.

use chatward_message::{Class, UnixMillis};
use chatward_policy::numbers::coarse::moment;
use serde_json::{Value, json};

use super::{Page, Record};
use crate::dpv::{self, Term};
use crate::turn::Force;

/// What ends the keeping besides its time, and what does not.
pub(super) const HOW_LONG: &str = "Each thing of a customer is kept for as long as one of its purposes says, at most; it goes earlier when the customer withdraws the last of them or is erased, and later only while a legal hold stands. The audit log is never shortened; it holds no personal data.";

/// Where a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A table of the store.
    Table,
    /// A table of the keyring.
    KeyringTable,
    /// A record of this kind, in the table `records`.
    Record,
    /// In the data folder.
    DataFile,
    /// In the keys folder.
    KeysFile,
}

impl Place {
    const fn name(self) -> &'static str {
        match self {
            Self::Table => "table of the store",
            Self::KeyringTable => "table of the keyring",
            Self::Record => "record of the store",
            Self::DataFile => "data folder",
            Self::KeysFile => "keys folder",
        }
    }
}

/// How a thing is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealed {
    /// Under its customer's own key.
    Customer,
    /// Under a key of its own: an account of staff, a program.
    Own,
    /// Under the house's key.
    House,
    /// Keys, wrapped under a key above them.
    Wrapped,
    /// Not: it holds ids, keyed hashes, counts and times.
    NoNeed,
    /// Not: it is a secret of the machine, readable by its owner alone (0600).
    FileMode,
}

impl Sealed {
    const fn words(self) -> &'static str {
        match self {
            Self::Customer => "AES-256-GCM under the customer's own key",
            Self::Own => "AES-256-GCM under a key of its own",
            Self::House => "AES-256-GCM under the house's key",
            Self::Wrapped => "AES-KW under the epoch key",
            Self::NoNeed => "not sealed: random ids, keyed hashes, counts, times",
            Self::FileMode => "not sealed: readable by its owner alone (0600)",
        }
    }
}

/// One line of the inventory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thing {
    pub(crate) place: Place,
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// The classes of data that may be in it.
    pub(crate) classes: &'static [Class],
    pub(crate) sealed: Sealed,
    /// What becomes of it, and when.
    pub(crate) ends: &'static str,
}

const TEXTS: &[Class] = &[Class::Interaction, Class::Identity, Class::Special, Class::Payment];
const VALUES: &[Class] = &[Class::Identity, Class::Special, Class::Payment];
const PERSON: &[Class] = &[Class::Identity];
const NOTHING: &[Class] = &[];
const WITH_CUSTOMER: &str =
    "when the time of its last purpose is over, or with its customer: rows deleted, key destroyed";
const STAYS: &str = "stays: it names nobody, and its pseudonyms mean nothing once a customer's key is gone";
const TECHNICAL: &str = "stays: it is about the program, not about people";

const fn thing(
    place: Place,
    name: &'static str,
    what: &'static str,
    classes: &'static [Class],
    sealed: Sealed,
    ends: &'static str,
) -> Thing {
    Thing { place, name, what, classes, sealed, ends }
}

/// Everything there is.
pub(crate) const THINGS: &[Thing] = &[
    thing(
        Place::Table,
        "customers",
        "an id (keyed hash) and a key's number for each customer",
        NOTHING,
        Sealed::NoNeed,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Table,
        "conversations",
        "an id (keyed hash), whose it is, when it began",
        NOTHING,
        Sealed::NoNeed,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Table,
        "turns",
        "what the bot received, with placeholders for values",
        TEXTS,
        Sealed::Customer,
        WITH_CUSTOMER,
    ),
    thing(Place::Table, "closings", "what the customer was answered", TEXTS, Sealed::Customer, WITH_CUSTOMER),
    thing(
        Place::Table,
        "issued",
        "values that placeholders stand for",
        VALUES,
        Sealed::Customer,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Table,
        "entries",
        "values that placeholders stand for, of older versions",
        VALUES,
        Sealed::Customer,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Table,
        "history_tags",
        "keyed hashes by which a conversation is recognised",
        NOTHING,
        Sealed::NoNeed,
        WITH_CUSTOMER,
    ),
    thing(Place::Table, "records", "the records below", NOTHING, Sealed::NoNeed, "each as it says below"),
    thing(
        Place::Table,
        "handles",
        "keyed hashes under which records are found",
        NOTHING,
        Sealed::NoNeed,
        "with their records",
    ),
    thing(
        Place::Table,
        "trail",
        "which events of the log are about a customer",
        NOTHING,
        Sealed::NoNeed,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Table,
        "log_entries",
        "the audit log: ids, counts, words of closed lists",
        NOTHING,
        Sealed::NoNeed,
        STAYS,
    ),
    thing(Place::Table, "signed", "signed checkpoints of the log", NOTHING, Sealed::NoNeed, STAYS),
    thing(Place::Table, "head", "the size of the log", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(Place::Table, "meta", "the version and the place of the log", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(Place::Table, "schema_versions", "which tables there are", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(
        Place::Table,
        "open_turns",
        "turns under way, by id, on a server",
        NOTHING,
        Sealed::NoNeed,
        "when the turn ends",
    ),
    thing(
        Place::Table,
        "channel_seeds",
        "seeds of the encrypted channel's keys, sealed, on a server; never in its write-ahead log",
        NOTHING,
        Sealed::House,
        "two hours at most",
    ),
    thing(
        Place::Table,
        "channel_seen",
        "hashes of requests in the encrypted channel, on a server; never in its write-ahead log",
        NOTHING,
        Sealed::NoNeed,
        "two hours at most",
    ),
    thing(Place::Table, "tenants", "the names of houses, on a server", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(
        Place::Table,
        "erased",
        "numbers of keys that were destroyed, on a server",
        NOTHING,
        Sealed::NoNeed,
        STAYS,
    ),
    thing(
        Place::Table,
        "copying",
        "how far a copy from a file is, on a server",
        NOTHING,
        Sealed::NoNeed,
        "when the copy is whole",
    ),
    thing(
        Place::KeyringTable,
        "keys",
        "customers' keys",
        NOTHING,
        Sealed::Wrapped,
        "with its customer: the key is destroyed, and the epoch key renewed",
    ),
    thing(
        Place::KeyringTable,
        "destroyed",
        "numbers of keys that were destroyed, on a server",
        NOTHING,
        Sealed::NoNeed,
        STAYS,
    ),
    thing(
        Place::KeyringTable,
        "state",
        "which epoch the keys are wrapped under, on a server",
        NOTHING,
        Sealed::NoNeed,
        TECHNICAL,
    ),
    thing(Place::KeyringTable, "meta", "the version", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(
        Place::KeyringTable,
        "schema_versions",
        "which tables there are",
        NOTHING,
        Sealed::NoNeed,
        TECHNICAL,
    ),
    thing(
        Place::Record,
        "account",
        "how somebody signs in: name, hashes, public keys",
        PERSON,
        Sealed::Own,
        "a customer's with its customer; of staff: wiped when the person leaves",
    ),
    thing(
        Place::Record,
        "session",
        "a browser that is signed in",
        PERSON,
        Sealed::Own,
        "when it ends, or with its customer",
    ),
    thing(
        Place::Record,
        "service",
        "a program with keys, as hashes",
        NOTHING,
        Sealed::Own,
        "when its keys are withdrawn; the name stays",
    ),
    thing(
        Place::Record,
        "break-glass",
        "a request to see for once what a role does not show, with its reason",
        TEXTS,
        Sealed::House,
        "stays, as evidence",
    ),
    thing(
        Place::Record,
        "house",
        "who administers the house, and what accounts last did",
        NOTHING,
        Sealed::Own,
        "stays",
    ),
    thing(
        Place::Record,
        "answer",
        "an answer that is kept for a repeated request",
        PERSON,
        Sealed::House,
        "after a day",
    ),
    thing(
        Place::Record,
        "claim",
        "that a conversation without a name is a customer's now",
        NOTHING,
        Sealed::Customer,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Record,
        "look",
        "who looked at a customer's data, and why",
        TEXTS,
        Sealed::Customer,
        WITH_CUSTOMER,
    ),
    thing(
        Place::Record,
        "privacy-budget",
        "how much was told in counts with noise",
        NOTHING,
        Sealed::House,
        "begins anew each period",
    ),
    thing(
        Place::Table,
        "standings",
        "what a customer agreed to and refused, by numbers and hashes of words; whether the data is frozen or held",
        NOTHING,
        Sealed::NoNeed,
        "with its customer",
    ),
    thing(
        Place::Record,
        "consent",
        "each change of a customer's consents, in which words, and by which way",
        PERSON,
        Sealed::Customer,
        "with its customer",
    ),
    thing(
        Place::Record,
        "request",
        "what a customer asked for by right, and what became of it",
        TEXTS,
        Sealed::Customer,
        "with its customer",
    ),
    thing(
        Place::Record,
        "hold",
        "a legal reason to delete nothing of a customer's for a while",
        TEXTS,
        Sealed::Customer,
        "when it ends, and with its customer",
    ),
    thing(
        Place::Record,
        "flag",
        "that a customer called a message wrong, and why, in their words",
        TEXTS,
        Sealed::Customer,
        "with its conversation's time, and with its customer",
    ),
    thing(
        Place::Record,
        "handover",
        "whether the bot or a person answers in a conversation",
        NOTHING,
        Sealed::Customer,
        "with its conversation's time, and with its customer",
    ),
    thing(
        Place::Record,
        "written",
        "what people of the house wrote to a customer",
        TEXTS,
        Sealed::Customer,
        "with its conversation's time, and with its customer",
    ),
    thing(
        Place::Record,
        "waiting",
        "a message that waits for one of the staff, as the bot would have received it, and what they decided",
        TEXTS,
        Sealed::Customer,
        "a week after it was decided about, with its conversation's time, and with its customer",
    ),
    thing(
        Place::Record,
        "certificate",
        "proof of an erasure: pseudonym, counts, hashes",
        NOTHING,
        Sealed::House,
        "stays: it names nobody",
    ),
    thing(
        Place::Record,
        "erasing",
        "an erasure that was begun: pseudonym, place in the log, hash of the key, the hashes by which recipients know the customer",
        NOTHING,
        Sealed::NoNeed,
        "when the erasure is finished",
    ),
    thing(
        Place::Record,
        "notice",
        "what a recipient is to be told of customers: the names by which recipients know them",
        NOTHING,
        Sealed::NoNeed,
        "when it was taken, at the latest after thirty days",
    ),
    thing(
        Place::Record,
        "newest-keys",
        "which keys were used last: how often they were renewed, and a hash derived from the epoch key",
        NOTHING,
        Sealed::NoNeed,
        STAYS,
    ),
    thing(
        Place::Record,
        "published-notice",
        "the privacy notices that were in force, by their hashes",
        NOTHING,
        Sealed::NoNeed,
        "stays, as evidence",
    ),
    thing(
        Place::Record,
        "passage",
        "a way from the chat inside another site to the Privacy Centre, used once: which browser it is of",
        NOTHING,
        Sealed::House,
        "is of no use after a minute; goes with the next clean-up",
    ),
    thing(
        Place::Record,
        "incident",
        "alerts that belong together: rules, counts, times, keyed hashes; who looked after them, and why",
        PERSON,
        Sealed::House,
        "when `alerts.keep` is over after its last alert; customers stand in it as keyed hashes",
    ),
    thing(
        Place::DataFile,
        "alerts",
        "reports of incidents that wait for receivers: rules, counts, times, keyed hashes",
        NOTHING,
        Sealed::NoNeed,
        "each when its receiver took it",
    ),
    thing(
        Place::DataFile,
        "behaviour.sealed",
        "what was counted of behaviour: keyed hashes of conversations, customers, networks and values, with counts and times",
        PERSON,
        Sealed::House,
        "each when it was not touched for the time its pattern names; of a customer when they are erased",
    ),
    thing(
        Place::DataFile,
        "feedback",
        "texts of which a reviewer said what they are, and flags of analysts; what was found of people in them is replaced",
        NOTHING,
        Sealed::FileMode,
        "until the house takes them out",
    ),
    thing(
        Place::DataFile,
        "models",
        "models of attacks, learnt from the texts in `feedback`, and their card: numbers",
        NOTHING,
        Sealed::FileMode,
        TECHNICAL,
    ),
    thing(
        Place::DataFile,
        "intel",
        "what feeds list as attackers' addresses and files (keyed hashes), how each feed stands, and the house's own list",
        NOTHING,
        Sealed::NoNeed,
        "for as long as a feed or the house lists it",
    ),
    thing(
        Place::DataFile,
        "chatward.db",
        "the store, where it is not on a server",
        TEXTS,
        Sealed::Customer,
        "as its tables",
    ),
    thing(
        Place::DataFile,
        "log",
        "the audit log as anybody can check it (C2SP tlog-tiles)",
        NOTHING,
        Sealed::NoNeed,
        STAYS,
    ),
    thing(Place::DataFile, "lock", "that a process runs", NOTHING, Sealed::NoNeed, TECHNICAL),
    thing(
        Place::DataFile,
        "control.sock",
        "how the command line talks to the process",
        NOTHING,
        Sealed::NoNeed,
        TECHNICAL,
    ),
    thing(
        Place::KeysFile,
        "keyring.db",
        "the keyring, where it is not on a server",
        NOTHING,
        Sealed::Wrapped,
        "as its tables",
    ),
    thing(
        Place::KeysFile,
        "keyring.lock",
        "that a process uses the keys",
        NOTHING,
        Sealed::NoNeed,
        TECHNICAL,
    ),
    thing(
        Place::KeysFile,
        "seal",
        "root and epoch key",
        NOTHING,
        Sealed::Wrapped,
        "replaced at every renewal and erasure",
    ),
    thing(
        Place::KeysFile,
        "operator.key",
        "the operator's key",
        NOTHING,
        Sealed::FileMode,
        "the operator's to keep",
    ),
    thing(
        Place::KeysFile,
        "admin.token",
        "the token of the first start",
        NOTHING,
        Sealed::FileMode,
        "means nothing once there is an administrator",
    ),
    thing(
        Place::KeysFile,
        "tls",
        "certificates and their keys",
        NOTHING,
        Sealed::FileMode,
        "replaced when they are renewed",
    ),
];

/// Makes it.
pub(super) fn record(force: &Force, now: UnixMillis) -> Record {
    let classes =
        |thing: &Thing| thing.classes.iter().map(|class| class.name()).collect::<Vec<_>>().join(", ");
    let rows = (THINGS.iter())
        .map(|thing| {
            [thing.place.name(), thing.name, thing.what, &classes(thing), thing.sealed.words(), thing.ends]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    let things: Vec<Value> = (THINGS.iter())
        .map(|thing| {
            let data: Vec<Value> = thing.classes.iter().map(|class| Term::of_class(*class).node()).collect();
            json!({
                "chatward:place": thing.place.name(),
                "dct:title": thing.name,
                "dct:description": thing.what,
                "dpv:hasPersonalData": data,
                "dpv:hasTechnicalMeasure": { "@type": measure(thing.sealed).compact(), "dct:description": thing.sealed.words() },
                "dpv:hasStorageCondition": { "@type": Term::StorageCondition.compact(), "dct:description": thing.ends },
            })
        })
        .collect();
    let page = Page::new("Data inventory")
        .text(format!("Made on {} for the configuration in force ({}).", moment(now), force.config.hash()))
        .text("Card codes, PINs, track data and passwords are not in the list: they are kept nowhere.")
        .text(HOW_LONG)
        .table(&["where", "name", "what", "classes", "sealed", "until when"], rows);
    let json = json!({
        "@context": dpv::context(),
        "@type": Term::PersonalDataAudit.compact(),
        "dct:title": "Data inventory",
        "dct:created": moment(now),
        "chatward:configuration": &**force.config.hash(),
        "dct:hasPart": things,
    });
    Record { page, json }
}

const fn measure(sealed: Sealed) -> Term {
    match sealed {
        Sealed::Customer | Sealed::Own | Sealed::House | Sealed::Wrapped => Term::EncryptionAtRest,
        Sealed::NoNeed => Term::Pseudonymisation,
        Sealed::FileMode => Term::AccessControl,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chatward_store::{RecordKind, kept};

    use super::*;

    fn named(place: Place) -> BTreeSet<&'static str> {
        THINGS.iter().filter(|thing| thing.place == place).map(|thing| thing.name).collect()
    }

    #[test]
    fn no_table_and_no_record_is_missing() {
        assert_eq!(named(Place::Table), kept::TABLES.iter().copied().collect());
        assert_eq!(named(Place::KeyringTable), kept::KEYRING_TABLES.iter().copied().collect());
        assert_eq!(named(Place::Record), RecordKind::ALL.iter().map(|kind| kind.name()).collect());
    }

    #[test]
    fn what_may_hold_personal_data_is_sealed() {
        for thing in THINGS {
            let sealed = !matches!(thing.sealed, Sealed::NoNeed | Sealed::FileMode);
            assert!(thing.classes.is_empty() || sealed, "{}", thing.name);
            assert!(
                !thing.classes.contains(&Class::PaymentNeverKept) && !thing.classes.contains(&Class::Secret)
            );
        }
    }
}
