//! What is shared is read again as what it was.
#![expect(clippy::unwrap_used, reason = "tests")]

use chatward_detect::indicator::{Indicator, Record, Tlp, Value};
use chatward_intel::share::{House, Shared, Sighting, misp, misp_sighting, stix};
use chatward_intel::{Form, Item, Options, read};
use chatward_message::{Threat, UnixMillis};

const NOW: UnixMillis = UnixMillis(1_790_812_834_567);
const MADE: UnixMillis = UnixMillis(NOW.0 - 86_400_000);

fn house() -> House {
    House { id: *b"sixteen bytes id", name: "Sample shop".into() }
}

fn own() -> Vec<Shared> {
    let record = Record {
        until: Some(UnixMillis(NOW.0 + 30 * 86_400_000)),
        confidence: Some(80),
        tlp: Tlp::Green,
        threat: Some(Threat::Phishing),
        ..Record::default()
    };
    let texts = [
        "evil.example",
        "http://evil.example/kit'\\x?a=1",
        "198.51.100.0/24",
        "2001:db8::7",
        "44d88612fea8a8f36de82e1278abb02f",
        "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f",
        "billing@evil.example",
    ];
    texts.iter().map(|text| Shared::of_analyst(text, record, (MADE, NOW)).unwrap()).collect()
}

fn read_back(form: Form, json: &serde_json::Value) -> Vec<Indicator> {
    let mut found = Vec::new();
    let text = json.to_string();
    let summary = read(form, &mut text.as_bytes(), &Options::default(), &mut |item| {
        if let Item::Indicator(indicator) = item {
            found.push(indicator);
        }
    });
    assert_eq!(summary.unwrap().malformed, 0, "{text}");
    found
}

#[test]
fn own_indicators_come_back_from_stix_and_from_misp() {
    let own = own();
    for (form, json) in [
        (Form::Stix, stix(&house(), &own, &[], NOW)),
        (Form::Misp, misp(&house(), "Seen in chats", &own, &[], NOW)),
    ] {
        let back = read_back(form, &json);
        let wanted: Vec<&Value> = own.iter().map(Shared::value).collect();
        // A hash of 64 digits is one of a file, an address one of a network: the kind is told by the form.
        assert_eq!(back.iter().map(|i| &i.value).collect::<Vec<_>>(), wanted);
        assert!(back.iter().all(|i| i.record.tlp == Tlp::Green), "{form:?}");
    }
    let back = read_back(Form::Stix, &stix(&house(), &own, &[], NOW));
    assert!(
        back.iter().all(|i| i.record.confidence == Some(80) && i.record.threat == Some(Threat::Phishing))
    );
}

#[test]
fn sightings_name_their_indicator_and_times_by_the_hour() {
    let sighting =
        Sighting { of: own()[0].clone(), count: 3, first: UnixMillis(NOW.0 - 7_200_000), last: NOW };
    let bundle = stix(&house(), &[], &[sighting.clone(), sighting.clone()], NOW);
    let objects = bundle["objects"].as_array().unwrap();
    assert_eq!(objects.len(), 4, "one identity, one indicator, two sightings");
    let seen = &objects[2];
    assert_eq!(seen["sighting_of_ref"], objects[1]["id"]);
    assert_eq!(seen["created_by_ref"], objects[0]["id"]);
    assert_eq!(
        (seen["count"].as_u64(), seen["last_seen"].as_str()),
        (Some(3), Some("2026-10-01T00:00:00.000Z"))
    );
    // The same thing shared twice is one thing, and an hour later still the same version of it.
    assert_eq!(seen["id"], objects[3]["id"]);
    let later = UnixMillis(NOW.0 + 7_200_000);
    assert_eq!(
        stix(&house(), &own(), std::slice::from_ref(&sighting), later)["objects"],
        stix(&house(), &own(), std::slice::from_ref(&sighting), NOW)["objects"]
    );
    let event = misp(&house(), "Seen in chats", &[], std::slice::from_ref(&sighting), NOW);
    assert_eq!(event["Event"]["Attribute"][0]["Sighting"][0]["date_sighting"], "1790812800");
    assert_eq!(misp_sighting(&sighting)["values"][0], "evil.example");
    // The event has the strictest marking of all that is in it.
    let red = Record { tlp: Tlp::Red, ..Record::default() };
    let red = Sighting { of: Shared::of_analyst("inner.example", red, (MADE, MADE)).unwrap(), ..sighting };
    let event = misp(&house(), "Seen in chats", &own(), &[red], NOW);
    assert_eq!(event["Event"]["Tag"][0]["name"], "tlp:red");
}

#[test]
fn what_a_feed_keeps_within_the_house_is_not_shared() {
    let of = |tlp| {
        let record = Record { tlp, ..Record::default() };
        Shared::of_feed(&Indicator { value: Value::guess("evil.example").unwrap(), record }, MADE).is_some()
    };
    assert_eq!(Tlp::ALL.map(of), [false, true, true, false, false, false]);
}

#[test]
fn what_was_taken_back_stays_so_and_has_no_sightings() {
    let live = own()[0].clone();
    let gone = live.clone().taken_back(NOW);
    let sighting = Sighting { of: live.clone(), count: 3, first: MADE, last: NOW };
    let objects = |own: &[Shared], seen: &[Sighting]| match &stix(&house(), own, seen, NOW)["objects"] {
        serde_json::Value::Array(all) => all[1..].to_vec(),
        _ => Vec::new(),
    };
    let alone = objects(std::slice::from_ref(&gone), &[]);
    assert_eq!((alone.len(), &alone[0]["revoked"]), (1, &serde_json::json!(true)));
    assert!(
        alone[0]["modified"].as_str() > objects(std::slice::from_ref(&live), &[])[0]["modified"].as_str()
    );
    assert!(read_back(Form::Stix, &stix(&house(), std::slice::from_ref(&gone), &[], NOW)).is_empty());
    // Made anew it has an id of its own, and sightings are of that one; also where only a feed lists it now.
    let again = live.clone().of_generation(1);
    for own in [&[gone.clone(), again.clone()][..], std::slice::from_ref(&gone)] {
        let all = objects(own, std::slice::from_ref(&sighting));
        let ids: Vec<&serde_json::Value> = all.iter().map(|object| &object["id"]).collect();
        assert_eq!((all.len(), ids[0], &all[2]["sighting_of_ref"]), (3, &alone[0]["id"], ids[1]), "{all:?}");
        assert_ne!(ids[0], ids[1]);
    }
    // A stricter marking takes back what those were given who may not have it.
    let strict = |most| objects(&[live.clone().revised(1).upto(most)], &[]).remove(0);
    assert!(strict(Tlp::Green).get("revoked").is_none());
    assert_eq!(
        (&strict(Tlp::Clear)["revoked"], &strict(Tlp::Clear)["id"]),
        (&serde_json::json!(true), &alone[0]["id"])
    );
    // Each change is another version, within the hour too.
    let modified = |n| objects(&[live.clone().revised(n)], &[])[0]["modified"].to_string();
    assert!(modified(0) < modified(1) && modified(1) < modified(2));
}
