//! The house's own list and what turned up, given to others.

use super::*;
use crate::config::intel::{RawIntel, RawPlace, RawShare, Share, checked_for_tests};

/// Names what was seen, with `anna` in it, of the feeds `open` (green), `closed` (amber) and the house's own list.
async fn seen() -> (House, Arc<Intel>) {
    let url = server(|_| answer("evil.example\n")).await;
    let mut open = feed("open", &url, FeedForm::Lines);
    open.defaults.tlp = Tlp::Green;
    let url = server(|_| answer("secret.example\n")).await;
    let mut closed = feed("closed", &url, FeedForm::Lines);
    closed.defaults.tlp = Tlp::Amber;
    let house = House::new(vec![open, closed]);
    let intel = house.start();
    intel.pull(None).await.unwrap();
    intel.change_own(vec![own("kit.example/login", "green"), own("inner.example", "red")], false).unwrap();
    for text in [
        "http://www.evil.example/anna?mail=anna",
        "http://evil.example/",
        "http://kit.example/login/anna",
        "http://inner.example/anna",
        "http://secret.example/anna",
    ] {
        let value = Value::guess(text).unwrap();
        let listed = intel.lookup(&value, START).unwrap();
        intel.saw(&value, &listed);
    }
    (house, intel)
}

fn named(intel: &Intel, upto: Tlp) -> Vec<(String, u32)> {
    let all = intel.sightings(upto).unwrap();
    all.iter().map(|sighting| (sighting.of.value().to_string(), sighting.count)).collect()
}

#[tokio::test]
async fn sightings_name_what_is_listed_and_last_over_a_start() {
    let (house, intel) = seen().await;
    let green = vec![("evil.example".to_owned(), 2), ("http://kit.example/login".to_owned(), 1)];
    assert_eq!(named(&intel, Tlp::Green), green);
    // What a feed keeps within the house does not leave it, whatever the place may have.
    let with_own = [&green[..], &[("inner.example".to_owned(), 1)]].concat();
    assert_eq!(named(&intel, Tlp::Red), with_own);
    let file = house.folder.path().join("intel/sightings.jsonl");
    assert!(!file.exists());
    intel.keep_sightings();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("anna") && text.lines().count() == 4, "{text}");
    let again = house.start();
    assert_eq!(named(&again, Tlp::Red), with_own);
    // Nothing new: the file stays as it is. After ninety days all is forgotten.
    std::fs::remove_file(&file).unwrap();
    again.keep_sightings();
    assert!(!file.exists());
    house.clock.set(UnixMillis(START.0 + 91 * 24 * 3_600_000));
    again.keep_sightings();
    assert_eq!(
        (named(&again, Tlp::Red), std::fs::read_to_string(&file).unwrap()),
        (Vec::new(), String::new())
    );
}

#[tokio::test]
async fn what_a_server_does_not_take_is_told() {
    let (house, intel) = seen().await;
    let status = |failed: u32| {
        let text = format!(
            "{{\"id\":\"x\",\"status\":\"complete\",\"total_count\":4,\"success_count\":{},\"failure_count\":{failed},\"pending_count\":0}}",
            4 - failed
        );
        Play::Answer(202, Vec::new(), text.into_bytes())
    };
    let mut plays =
        [status(0), status(1), answer("what?"), Play::Answer(403, Vec::new(), Vec::new())].into_iter();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&heads);
    let url = server(move |head| {
        noted.lock().unwrap().push(head.to_ascii_lowercase());
        plays.next().unwrap()
    })
    .await;
    let mut config = house.config.clone();
    let place = feed("center", &format!("{url}/api1/collections/x/"), FeedForm::Taxii);
    config.shares = vec![Share { place, every: None, upto: Tlp::Green }];
    intel.configure(&config);
    let us = share::House { id: [1; 16], name: "Shop".into() };
    let to = &intel.places()[0];
    // The house, one indicator of its own, one of a feed, and two sightings.
    assert_eq!(intel.give(to, &us).await.unwrap(), 5);
    assert_eq!(heads.lock().unwrap().len(), 1);
    // Nothing new: nobody is asked.
    assert_eq!(intel.give(to, &us).await.unwrap(), 0);
    assert_eq!(heads.lock().unwrap().len(), 1);
    // An hour later the sighting of the feed's has a new version. What a server did not take is given again.
    house.clock.set(UnixMillis(START.0 + 3_600_000));
    let value = Value::guess("http://evil.example/").unwrap();
    intel.saw(&value, &intel.lookup(&value, START).unwrap());
    let errors = [
        "the server took 0 of 1 objects",
        "the server does not say what became of it",
        "the server answers with status 403 Forbidden",
    ];
    for wanted in errors {
        assert_eq!(intel.give(to, &us).await.unwrap_err().to_string(), wanted);
        assert_eq!(intel.given()[0].error.as_deref(), Some(wanted));
    }
    let again = house.start();
    assert!(again.books().shares["center"].error.is_some());
    house.clock.set(START);
    again.books().shares.get_mut("center").unwrap().tried = START.0;
    // What was not taken is tried again after ten minutes, what was taken after its time, and nothing without one.
    let hourly = Share { every: Some(Duration::from_secs(3600)), ..to.clone() };
    for (after, due) in [(0, false), (599, false), (600, true)] {
        house.clock.set(UnixMillis(START.0 + after * 1000));
        assert_eq!((again.is_due(&hourly), again.is_due(to)), (due, false), "{after} s");
    }
    again.books().shares.get_mut("center").unwrap().error = None;
    assert!(!again.is_due(&hourly));
    house.clock.set(UnixMillis(START.0 + 3_600_000));
    assert!(again.is_due(&hourly));
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("post /api1/collections/x/objects/ "), "{head}");
    assert_eq!(head.matches("content-type: application/taxii+json;version=2.1").count(), 1, "{head}");
}

/// The attributes of an event by their ids: value, time, and whether it is deleted.
type Attributes = std::collections::BTreeMap<String, (String, u64, bool)>;

/// A MISP server, as far as its documents say what it does with events and sightings.
#[derive(Default)]
struct Misp {
    event: Option<(String, Attributes)>,
    sightings: Vec<String>,
    asked: Vec<String>,
    refused: Option<&'static str>,
    /// It knows nobody's key any more.
    shut: bool,
}

impl Misp {
    fn answer(&mut self, request: &str) -> Play {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let path = head.split(' ').nth(1).unwrap().to_owned();
        self.asked.push(path.clone());
        assert!(head.to_ascii_lowercase().contains("authorization: the-key"), "{head}");
        let said: serde_json::Value = serde_json::from_str(body).unwrap();
        let refused = |status| Play::Answer(status, Vec::new(), b"{}".to_vec());
        match path.as_str() {
            _ if self.shut => refused(403),
            "/attributes/restSearch" => refused(200),
            "/sightings/add" if self.refused == said["values"][0].as_str() => refused(500),
            "/sightings/add" => {
                let value = said["values"][0].as_str().unwrap();
                let known = self
                    .event
                    .iter()
                    .flat_map(|(_, all)| all.values())
                    .any(|(of, _, gone)| of == value && !gone);
                if known {
                    self.sightings.push(value.to_owned());
                }
                refused(if known { 200 } else { 403 })
            }
            "/events/add" if self.event.is_some() => refused(403),
            "/events/add" => {
                self.event = Some((said["Event"]["uuid"].as_str().unwrap().to_owned(), Attributes::new()));
                self.keep(&said)
            }
            edit if self.event.as_ref().is_some_and(|(uuid, _)| edit == format!("/events/edit/{uuid}")) => {
                self.keep(&said)
            }
            _ => refused(404),
        }
    }

    fn keep(&mut self, said: &serde_json::Value) -> Play {
        let refused = self.refused;
        let (uuid, all) = self.event.as_mut().unwrap();
        for attribute in said["Event"]["Attribute"].as_array().unwrap() {
            let text = |name: &str| attribute[name].as_str().unwrap().to_owned();
            let (at, gone) = (text("timestamp").parse().unwrap(), attribute["deleted"].as_bool().unwrap());
            let takes = match all.get(&text("uuid")) {
                Some((_, known, _)) => at > *known,
                None => !all.values().any(|(value, _, gone)| *value == text("value") && !gone),
            };
            if takes && refused != Some(text("value").as_str()) {
                all.insert(text("uuid"), (text("value"), at, gone));
            }
        }
        let kept: Vec<_> = all
            .iter()
            .filter(|(_, (.., gone))| !gone)
            .map(|(uuid, (_, at, _))| serde_json::json!({ "uuid": uuid, "timestamp": at.to_string() }))
            .collect();
        answer(serde_json::json!({ "Event": { "uuid": uuid, "Attribute": kept } }).to_string())
    }

    fn values(&self) -> Vec<&str> {
        let all = self.event.iter().flat_map(|(_, all)| all.values());
        all.filter(|(.., gone)| !gone).map(|(value, ..)| value.as_str()).collect()
    }
}

#[tokio::test]
async fn a_misp_server_is_given_one_event_and_told_of_sightings() {
    let misp = Arc::new(Mutex::new(Misp::default()));
    let state = Arc::clone(&misp);
    let url = server(move |request| state.lock().unwrap().answer(request)).await;
    let (house, intel) = seen().await;
    let key = house.folder.path().join("key");
    std::fs::write(&key, "the-key").unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let raw = RawShare {
        name: Some("misp".to_owned()),
        url: Some(url),
        form: RawPlace::MispRest,
        key_file: Some(key),
        ..RawShare::default()
    };
    let raw = RawIntel { share: vec![raw], ..RawIntel::default() };
    let mut faults = Vec::new();
    let shares = checked_for_tests(&raw, &mut faults).shares;
    assert!(faults.is_empty(), "{faults:?}");
    intel.configure(&Config { shares, ..house.config.clone() });
    let (us, to) = (share::House { id: [1; 16], name: "Shop".into() }, intel.places().remove(0));
    // The own indicator that may go there, and two sightings: that of a feed's, which this server does not know, and of our own.
    assert_eq!(intel.give(&to, &us).await.unwrap(), 3);
    assert_eq!(intel.give(&to, &us).await.unwrap(), 0);
    {
        let misp = misp.lock().unwrap();
        assert_eq!(misp.values(), ["http://kit.example/login"]);
        assert_eq!(misp.sightings, ["http://kit.example/login"]);
        let paths: Vec<&str> = misp.asked.iter().map(|path| path.rsplit_once('/').unwrap().0).collect();
        assert_eq!(paths, ["/events/edit", "/events", "/sightings", "/sightings"]);
    }
    // One more, of which the server takes nothing: told, tried again, and what else there is goes on.
    misp.lock().unwrap().refused = Some("two.example");
    intel.change_own(vec![own("one.example", "clear"), own("two.example", "green")], false).unwrap();
    for wanted in ["the server took 1 of 2 objects", "the server took 0 of 1 objects"] {
        assert_eq!(intel.give(&to, &us).await.unwrap_err().to_string(), wanted);
    }
    misp.lock().unwrap().refused = None;
    assert_eq!(intel.give(&to, &us).await.unwrap(), 1);
    // Off the list, off the event; on it again, there again.
    for (remove, there) in [(true, 2), (false, 3)] {
        intel.change_own(vec![own("http://kit.example/login", "green")], remove).unwrap();
        assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (1, 0));
        assert_eq!(misp.lock().unwrap().values().len(), there);
    }
    assert!(!misp.lock().unwrap().values().contains(&"inner.example"));
    // Off and on again between two gives: the one goes before the other comes, and what was changed is there as it is now.
    intel.change_own(vec![own("one.example", "green")], true).unwrap();
    intel.change_own(vec![own("one.example", "green")], false).unwrap();
    intel.change_own(vec![own("two.example", "clear")], false).unwrap();
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (3, 0));
    assert_eq!(misp.lock().unwrap().values().len(), 3);
    // A sighting that the server cannot take holds up no other; a key that counts no more is told, and nothing is lost.
    let saw = |text: &str| {
        let value = Value::guess(text).unwrap();
        intel.saw(&value, &intel.lookup(&value, START).unwrap());
    };
    saw("one.example");
    saw("two.example");
    misp.lock().unwrap().refused = Some("one.example");
    let error = intel.give(&to, &us).await.unwrap_err().to_string();
    assert!(
        error.contains("500") && misp.lock().unwrap().sightings.contains(&"two.example".to_owned()),
        "{error}"
    );
    misp.lock().unwrap().refused = None;
    misp.lock().unwrap().shut = true;
    assert!(intel.give(&to, &us).await.unwrap_err().to_string().contains("403"));
    misp.lock().unwrap().shut = false;
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (1, 0));
    // Seen of a feed's list and of our own, it is one sighting.
    house.clock.set(UnixMillis(START.0 + 2 * 3_600_000));
    intel.change_own(vec![own("evil.example", "green")], false).unwrap();
    saw("evil.example");
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (2, 0));
    // Somebody there changed it since: it is not gone, and that is said.
    misp.lock().unwrap().event.as_mut().unwrap().1.values_mut().for_each(|(_, at, _)| *at = u64::MAX);
    intel.change_own(vec![own("two.example", "green")], true).unwrap();
    assert_eq!(intel.give(&to, &us).await.unwrap_err().to_string(), "the server took 0 of 1 objects");
    // What is no event is no receipt.
    let (url, mut other) = (server(|_| answer("{}")).await, to);
    other.place.from = From::Url(url.parse().unwrap());
    assert_eq!(
        intel.give(&other, &us).await.unwrap_err().to_string(),
        "the server does not say what became of it"
    );
}

#[tokio::test]
async fn only_who_was_given_something_hears_that_it_is_taken_back() {
    let house = House::new(Vec::new());
    let intel = house.start();
    let bodies = Arc::new(AtomicU64::new(0));
    let asked = Arc::clone(&bodies);
    let url = server(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Play::Answer(202, Vec::new(), br#"{"status":"complete"}"#.to_vec())
    })
    .await;
    let mut config = house.config.clone();
    let place = feed("center", &format!("{url}/x/"), FeedForm::Taxii);
    config.shares = vec![Share { place, every: None, upto: Tlp::Green }];
    intel.configure(&config);
    let (us, to) = (share::House { id: [1; 16], name: "Shop".into() }, intel.places().remove(0));
    // Off the list before anybody was given it: there is nothing to take back.
    let (first, second) = (own("one.example", "green"), own("two.example", "green"));
    intel.change_own(vec![first.clone(), second.clone()], false).unwrap();
    intel.change_own(vec![first], true).unwrap();
    assert_eq!(intel.give(&to, &us).await.unwrap(), 2);
    intel.change_own(vec![second.clone()], true).unwrap();
    let indicators = |intel: &Intel| {
        let bundle = share::stix(&us, &intel.shared(Tlp::Green).unwrap(), &[], START);
        let objects = bundle["objects"].as_array().unwrap().iter().skip(1);
        objects
            .map(|one| (one["id"].to_string(), one["modified"].to_string(), one["revoked"] == true))
            .collect::<Vec<_>>()
    };
    let gone = indicators(&intel);
    assert!(
        gone.iter().all(|(_, modified, revoked)| *revoked && modified.contains(":00:01.000Z")),
        "{gone:?}"
    );
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (1, 0));
    assert!(
        !share::misp(&us, "x", &intel.shared(Tlp::Green).unwrap(), &[], START)
            .to_string()
            .contains("two.example")
    );
    // Once more on the list it has another id, and the one that was taken back stays so.
    intel.change_own(vec![second], false).unwrap();
    let again = indicators(&intel);
    let live: Vec<_> = again.iter().filter(|(_, _, revoked)| !revoked).collect();
    assert!(live.len() == 1 && gone.iter().all(|one| again.contains(one) && one.0 != live[0].0), "{again:?}");
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (1, 0));
    // Marked more strictly than the place may have, it is taken back there; and no sighting gives it away.
    intel.change_own(vec![own("two.example", "red")], false).unwrap();
    let value = Value::guess("two.example").unwrap();
    intel.saw(&value, &intel.lookup(&value, START).unwrap());
    assert!(named(&intel, Tlp::Green).is_empty());
    assert_eq!((intel.give(&to, &us).await.unwrap(), intel.give(&to, &us).await.unwrap()), (1, 0));
    assert!(indicators(&intel).iter().all(|(_, _, revoked)| *revoked));
    // A list that cannot be read is not an empty one.
    let list = house.folder.path().join("intel/own.jsonl");
    let kept = std::fs::read(&list).unwrap();
    std::fs::remove_file(&list).unwrap();
    std::fs::create_dir(&list).unwrap();
    assert!(intel.change_own(vec![own("three.example", "green")], false).is_err());
    assert!(intel.give(&to, &us).await.is_err());
    intel.load_own();
    assert_eq!(listed(&intel, "two.example").as_deref(), Some("own"));
    std::fs::remove_dir(&list).unwrap();
    std::fs::write(&list, kept).unwrap();
    assert_eq!(intel.give(&to, &us).await.unwrap(), 0);
}

#[tokio::test]
async fn what_one_request_does_not_take_does_not_hold_up_the_rest() {
    let house = House::new(Vec::new());
    let intel = house.start();
    intel.change_own((0..600).map(|n| own(&format!("n{n}.evil.example"), "green")).collect(), false).unwrap();
    let bodies = Arc::new(AtomicU64::new(0));
    let asked = Arc::clone(&bodies);
    let script = move |_: &str| {
        // Only the very first request has something that is not taken, and it is not said what.
        let failed = u64::from(asked.fetch_add(1, Ordering::SeqCst) == 0);
        let said = serde_json::json!({ "status": "complete", "failure_count": failed });
        Play::Answer(202, Vec::new(), said.to_string().into_bytes())
    };
    let mut config = house.config.clone();
    let at = async |script| feed("center", &format!("{}/x/", server(script).await), FeedForm::Taxii);
    let share = |place| Share { place, every: None, upto: Tlp::Green };
    config.shares = vec![share(at(script.clone()).await)];
    intel.configure(&config);
    let us = share::House { id: [1; 16], name: "Shop".into() };
    let to = intel.places().remove(0);
    let error = intel.give(&to, &us).await.unwrap_err().to_string();
    assert_eq!((error.as_str(), bodies.load(Ordering::SeqCst)), ("the server took 499 of 500 objects", 2));
    assert_eq!(intel.give(&to, &us).await.unwrap(), 500);
    assert_eq!(intel.give(&to, &us).await.unwrap(), 0);
    // Another server under the same name has taken nothing yet; of two at once the second has nothing to give.
    let other = share(at(script).await);
    let (first, second) = tokio::join!(intel.give(&other, &us), intel.give(&other, &us));
    let mut given = [first.unwrap(), second.unwrap()];
    given.sort_unstable();
    assert_eq!(given, [0, 601]);
}
