use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use chatward_message::UnixMillis;

use super::*;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

fn key() -> Key {
    Key::new(*b"0123456789abcdef")
}

fn value(text: &str) -> Value {
    Value::guess(text).unwrap()
}

fn hit(set: &IndicatorSet, text: &str) -> Option<Matched> {
    set.find(&value(text), NOW).map(|hit| hit.matched)
}

fn source(number: u16) -> Source {
    Source::new(number).unwrap()
}

fn batch<'a>(warnings: &'a WarningLists, from: u16, texts: &[&str]) -> Batch<'a> {
    let mut batch = Batch::whole(key(), source(from), warnings);
    for text in texts {
        let _ = batch.add(&Indicator { value: value(text), record: Record::default() });
    }
    batch
}

#[test]
fn what_is_listed_is_found_and_nothing_else() {
    let set = IndicatorSet::of(
        key(),
        [
            "evil.example",
            "http://host.example/kit/login",
            "http://host.example/a.php?id=1",
            "198.51.100.0/24",
            "203.0.113.9",
            "2001:db8::/32",
            "44d88612fea8a8f36de82e1278abb02f",
            "billing@kit.example",
            "http://203.0.113.50/bank",
        ],
    )
    .unwrap();
    assert_eq!(set.len(), 9);
    for (text, matched) in [
        ("evil.example", Some(Matched::Domain)),
        ("https://www.evil.example:444/any?thing", Some(Matched::Domain)),
        ("a.b.c.d.e.f.g.h.i.evil.example", Some(Matched::Domain)),
        ("somebody@evil.example", Some(Matched::Domain)),
        ("notevil.example", None),
        ("evil.example.org", None),
        ("host.example", None),
        ("http://host.example/kit", None),
        ("http://host.example/kit/login", Some(Matched::Url)),
        ("http://host.example/kit/login/", Some(Matched::Url)),
        ("http://host.example/kit/./x/../login?user=1", Some(Matched::Url)),
        ("http://host.example/kit/login/next/step", Some(Matched::Url)),
        ("http://host.example/kit/login2", None),
        ("http://www.host.example/kit/%6Cogin", Some(Matched::Url)),
        ("http://host.example/a.php", None),
        ("http://host.example/a.php?id=2", None),
        ("http://host.example/a.php?id=1", Some(Matched::Url)),
        ("198.51.100.77", Some(Matched::Network)),
        ("http://198.51.100.77:8080/x", Some(Matched::Network)),
        ("198.51.101.77", None),
        ("203.0.113.9", Some(Matched::Network)),
        ("::ffff:203.0.113.9", Some(Matched::Network)),
        ("203.0.113.8", None),
        ("2001:db8:ffff::1", Some(Matched::Network)),
        ("2001:db9::1", None),
        ("44D88612FEA8A8F36DE82E1278ABB02F", Some(Matched::File)),
        ("Billing@KIT.example", Some(Matched::Email)),
        ("other@kit.example", None),
        ("http://203.0.113.50/bank/x", Some(Matched::Url)),
        ("http://203.0.113.50/", None),
    ] {
        assert_eq!(hit(&set, text), matched, "{text}");
    }
}

#[test]
fn a_place_on_a_shared_host_is_that_place_alone() {
    let mut warnings = WarningLists::default();
    warnings.shared("docs.google.com");
    let mut batch = Batch::whole(key(), source(1), &warnings);
    for text in ["https://docs.google.com/forms/d/evil", "https://docs.google.com/forms", "docs.google.com"] {
        let _ = batch.add(&Indicator { value: value(text), record: Record::default() });
    }
    assert_eq!(batch.stopped().get(&Stopped::SharedHost), Some(&1));
    let (set, _) = IndicatorSet::empty(key()).merged(batch);
    assert_eq!(hit(&set, "https://docs.google.com/forms/d/evil?usp=sharing"), Some(Matched::Url));
    assert_eq!(hit(&set, "https://docs.google.com/forms/d/innocent"), None);
    assert_eq!(hit(&set, "https://docs.google.com/"), None);
}

#[test]
fn what_is_not_valid_now_is_not_found() {
    let warnings = WarningLists::default();
    let mut batch = Batch::whole(key(), source(1), &warnings);
    let hour = 3_600_000;
    let record = |from: i64, until: i64| Record {
        from: Some(UnixMillis(NOW.0.saturating_add_signed(from))),
        until: Some(UnixMillis(NOW.0.saturating_add_signed(until))),
        ..Record::default()
    };
    for (text, record) in [
        ("past.example", record(-2 * hour, -hour)),
        ("now.example", record(-hour, hour)),
        ("next.example", record(hour, 2 * hour)),
    ] {
        batch.add(&Indicator { value: value(text), record }).unwrap();
    }
    let (set, _) = IndicatorSet::empty(key()).merged(batch);
    assert_eq!(hit(&set, "past.example"), None);
    assert_eq!(hit(&set, "now.example"), Some(Matched::Domain));
    assert_eq!(hit(&set, "next.example"), None);
}

#[test]
fn an_indicator_is_named_as_it_was_listed() {
    let listed = [
        "evil.example",
        "http://host.example/kit/login",
        "http://host.example/a.php?id=1",
        "http://203.0.113.50/bank",
        "198.51.100.0/24",
        "44d88612fea8a8f36de82e1278abb02f",
        "billing@kit.example",
    ];
    let set = IndicatorSet::of(key(), listed).unwrap();
    for (text, at) in [
        ("https://www.evil.example:444/account?name=anna", 0),
        ("somebody@mail.evil.example", 0),
        ("http://www.host.example/kit/login/anna?code=1", 1),
        ("http://host.example/a.php?id=1", 2),
        ("http://203.0.113.50/bank/anna", 3),
        ("http://198.51.100.7/anna", 4),
        ("44D88612FEA8A8F36DE82E1278ABB02F", 5),
        ("Billing@KIT.example", 6),
    ] {
        let hit = set.find(&value(text), NOW).unwrap();
        assert_eq!(set.named(&value(text), hit.id), Some(value(listed[at])), "{text}");
        assert_eq!(set.named(&value(text), hit.id ^ 1), None);
    }
}

#[test]
fn the_surest_of_several_sources_is_named_and_each_leaves_alone() {
    let warnings = WarningLists::default();
    let mut set = IndicatorSet::empty(key());
    for (from, confidence) in [(1, 20), (2, 90), (3, 50)] {
        let mut batch = Batch::whole(key(), source(from), &warnings);
        let record = Record { confidence: Some(confidence), tlp: Tlp::Amber, ..Record::default() };
        batch.add(&Indicator { value: value("evil.example"), record }).unwrap();
        set = set.merged(batch).0;
    }
    let found = |set: &IndicatorSet| set.find(&value("evil.example"), NOW).map(|h| h.source.number());
    assert_eq!(found(&set), Some(2));
    let (set, difference) = set.merged(batch(&warnings, 2, &[]));
    assert_eq!((difference.removed, found(&set), set.len()), (1, Some(3), 2));
    let mut taken_back = Batch::more(key(), source(3), &warnings);
    taken_back.remove(&value("evil.example"));
    taken_back.remove(&value("never.example"));
    let (set, difference) = set.merged(taken_back);
    assert_eq!((difference.removed, difference.kept, found(&set)), (1, 0, Some(1)));
}

#[test]
fn a_filter_holds_however_few_it_is_made_of() {
    for many in 0..200usize {
        let texts: Vec<String> = (0..many).map(|n| format!("n{n}.example")).collect();
        let set = IndicatorSet::of(key(), texts.iter().map(String::as_str)).unwrap();
        assert!(texts.iter().all(|text| hit(&set, text).is_some()), "{many}");
        assert_eq!(hit(&set, "other.example"), None);
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let set = IndicatorSet::of(key(), ["evil.example", "198.51.100.0/24"]).unwrap();
    let mut bytes = Vec::new();
    set.write(&mut bytes).unwrap();
    let read = |bytes: &[u8]| IndicatorSet::read(&mut &*bytes, key());
    let back = read(&bytes).unwrap();
    assert_eq!((back.len(), hit(&back, "198.51.100.3")), (2, Some(Matched::Network)));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(read(&changed).is_err(), "changed at {at}");
        assert!(read(&bytes[..at]).is_err(), "cut at {at}");
    }
    bytes.push(0);
    assert!(read(&bytes).is_err());
    bytes.pop();
    let other = IndicatorSet::read(&mut &*bytes, Key::new([7; 16]));
    assert!(matches!(other, Err(FileFault::Key)));
}

/// What sources say, told by whom: the set as it would be with texts.
type Model = BTreeMap<u16, BTreeSet<String>>;

proptest! {
    #[test]
    fn merging_step_by_step_is_what_was_said_last(
        steps in proptest::collection::vec((1u16..4, any::<bool>(), proptest::collection::vec(0u16..60, 0..40)), 1..8)
    ) {
        let warnings = WarningLists::default();
        let mut model = Model::new();
        let mut set = IndicatorSet::empty(key());
        let name = |n: &u16| format!("n{n}.example");
        for (from, whole, numbers) in steps {
            let said = model.entry(from).or_default();
            let before = said.clone();
            let mut batch = if whole {
                said.clear();
                Batch::whole(key(), source(from), &warnings)
            } else {
                Batch::more(key(), source(from), &warnings)
            };
            for (at, n) in numbers.iter().enumerate() {
                if !whole && at % 3 == 2 && !numbers[..at].contains(n) && !numbers[at + 1..].contains(n) {
                    batch.remove(&value(&name(n)));
                    said.remove(&name(n));
                } else {
                    batch.add(&Indicator { value: value(&name(n)), record: Record::default() }).unwrap();
                    said.insert(name(n));
                }
            }
            let (next, difference) = set.merged(batch);
            prop_assert_eq!(difference.added, said.difference(&before).count() as u64);
            prop_assert_eq!(difference.removed, before.difference(said).count() as u64);
            prop_assert_eq!(difference.kept, before.intersection(said).count() as u64);
            prop_assert_eq!(next.count(source(from)), said.len() as u64);
            set = next;
        }
        for n in 0u16..60 {
            let mut by = BTreeSet::new();
            set.find_all(&value(&name(&n)), NOW, &mut |hit| by.extend([hit.source.number()]));
            let said: BTreeSet<u16> = model.iter().filter(|(_, all)| all.contains(&name(&n))).map(|(s, _)| *s).collect();
            prop_assert_eq!(by, said);
        }
    }

    #[test]
    fn bytes_of_strangers_make_no_set(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(IndicatorSet::read(&mut &*bytes, key()).is_err());
    }
}
