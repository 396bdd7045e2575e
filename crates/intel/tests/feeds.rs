//! Small feeds of every form, and feeds that lie.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Read;
use std::sync::LazyLock;

use chatward_detect::indicator::{
    Batch, IndicatorSet, Key, Matched, Source, Stopped, Tlp, Value, WarningLists,
};
use chatward_intel::pattern::{Fact, Observation, Pattern, Property};
use chatward_intel::{
    Acceptance, Form, FormFault, Item, Limits, Options, Refusal, Skipped, Summary, read, shipped_warnings,
};
use chatward_message::{Threat, UnixMillis};
use proptest::prelude::*;

/// 2026-10-01T00:00:00Z.
const NOW: UnixMillis = UnixMillis(1_790_812_800_000);

fn fixture(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

struct Took {
    summary: Summary,
    set: IndicatorSet,
    values: Vec<String>,
    withdrawn: Vec<String>,
    patterns: Vec<Pattern>,
    stopped: Vec<Stopped>,
}

fn take(form: Form, mut bytes: &[u8], options: &Options) -> Result<Took, FormFault> {
    static WARNINGS: LazyLock<WarningLists> = LazyLock::new(shipped_warnings);
    let key = Key::new([3; 16]);
    let mut batch = Batch::whole(key, Source::default(), &WARNINGS);
    let (mut values, mut withdrawn, mut patterns, mut stopped) = (vec![], vec![], vec![], vec![]);
    let summary = read(form, &mut bytes, options, &mut |item| match item {
        Item::Indicator(indicator) => {
            values.push(indicator.value.to_string());
            stopped.extend(batch.add(&indicator).err());
        }
        Item::Withdrawn(value) => withdrawn.push(value.to_string()),
        Item::Pattern(pattern) => patterns.push(*pattern),
        Item::Advisory(_) => {}
    })?;
    let set = IndicatorSet::empty(key).merged(batch).0;
    Ok(Took { summary, set, values, withdrawn, patterns, stopped })
}

fn took(form: Form, name: &str) -> Took {
    take(form, &fixture(name), &Options::default()).unwrap()
}

fn matched(took: &Took, text: &str) -> Option<Matched> {
    took.set.find(&Value::guess(text).unwrap(), NOW).map(|hit| hit.matched)
}

#[test]
fn a_stix_bundle_is_enforced() {
    let took = took(Form::Stix, "bundle.json");
    let summary = &took.summary;
    assert_eq!((summary.entries, summary.malformed, summary.withdrawn, summary.patterns), (40, 0, 1, 2));
    assert_eq!(summary.skipped.get(&Skipped::OtherLanguage), Some(&1), "the YARA rule");
    assert_eq!(took.withdrawn, ["revoked-sample.example"]);
    assert_eq!(took.stopped, [Stopped::BusySite], "google.com");
    for (text, wanted) in [
        ("http://www-two-step-mobilee-manageer.ubpages.com/anything", Some(Matched::Domain)),
        ("198.51.100.200", Some(Matched::Network)),
        ("44d88612fea8a8f36de82e1278abb02f", Some(Matched::File)),
        ("275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f", Some(Matched::File)),
        ("billing@sample-kit.example", Some(Matched::Email)),
        ("revoked-sample.example", None),
        ("google.com", None),
        // Expired in February.
        ("http://5ggfhfgrg3f3f.blogspot.com.tr", None),
        ("http://001tr3nsf00.com/banks/cibc/ebm-mobile-app/index.html", Some(Matched::Url)),
        ("http://001tr3nsf00.com/", None),
    ] {
        assert_eq!(matched(&took, text), wanted, "{text}");
    }
    let hit =
        took.set.find(&Value::guess("www-two-step-mobilee-manageer.ubpages.com").unwrap(), NOW).unwrap();
    assert_eq!(
        (hit.record.confidence, hit.record.tlp, hit.record.threat),
        (Some(95), Tlp::Green, Some(Threat::Phishing))
    );
    let seen = |property, text| {
        let facts = [Fact::new(property, text), Fact::new(Property::Domain, "a.sample-kit.example")];
        let seen = [Observation { at: NOW, facts: &facts }];
        took.patterns.iter().filter(|pattern| pattern.matches(&seen)).count()
    };
    assert_eq!(seen(Property::Url, "http://b.sample-kit.example/login"), 1, "LIKE");
    assert_eq!(seen(Property::Url, "https://a.sample-kit.example/verify"), 1, "AND MATCHES");
    assert_eq!(seen(Property::Url, "https://other.example/verify"), 0);
}

#[test]
fn an_indicator_not_yet_valid_comes_into_force() {
    let bundle = r#"{"type":"bundle","objects":[{"type":"indicator","pattern":"[domain-name:value = 'later.example']",
        "pattern_type":"stix","valid_from":"2026-10-02T00:00:00Z","valid_until":"2026-10-03T00:00:00Z"}]}"#;
    let took = take(Form::Stix, bundle.as_bytes(), &Options::default()).unwrap();
    let at = |hours: u64| {
        took.set
            .find(&Value::guess("later.example").unwrap(), UnixMillis(NOW.0 + hours * 3_600_000))
            .is_some()
    };
    assert_eq!([at(0), at(23), at(25), at(47), at(49)], [false, false, true, true, false]);
}

#[test]
fn pages_of_taxii_say_whether_more_is_to_come() {
    let first = took(Form::Stix, "envelope-1.json");
    assert_eq!(
        (first.summary.more, first.summary.next.as_deref(), first.summary.indicators),
        (true, Some("page-2"), 5)
    );
    let mut all = first.summary;
    all.join(took(Form::Stix, "envelope-2.json").summary, 20);
    assert_eq!((all.more, all.entries), (false, 12));
    let empty = take(Form::Stix, b"{}", &Options::default()).unwrap();
    assert_eq!((empty.summary.entries, empty.summary.more), (0, false));
}

#[test]
fn a_misp_event_is_enforced() {
    let took = took(Form::Misp, "misp-event.json");
    assert_eq!((took.summary.entries, took.summary.malformed), (26, 0), "{:?}", took.summary.faults);
    assert_eq!(took.withdrawn, ["deleted.sample-kit.example"]);
    assert_eq!(took.summary.skipped.get(&Skipped::NotForDetection), Some(&1));
    assert_eq!(took.summary.skipped.get(&Skipped::OtherType), Some(&1), "regkey");
    for text in [
        "b.sample-kit.example",
        "198.51.100.7",
        "billing@sample-kit.example",
        "44d88612fea8a8f36de82e1278abb02f",
    ] {
        assert!(matched(&took, text).is_some(), "{text}");
    }
    assert!(matched(&took, "deleted.sample-kit.example").is_none());
    let hit = took.set.find(&Value::guess("y85i.xyz").unwrap(), NOW).unwrap();
    assert_eq!((hit.record.tlp, hit.record.threat), (Tlp::Clear, Some(Threat::Phishing)));
}

#[test]
fn answers_of_a_misp_server_are_read() {
    let attribute = r#"{"type":"domain","value":"evil.example","to_ids":"1","Tag":[{"name":"tlp:amber"},{"name":"misp:confidence-level=\"usually-confident\""}],"Event":{"info":"x"}}"#;
    for answer in [
        format!(r#"{{"response":{{"Attribute":[{attribute}]}}}}"#),
        format!(r#"{{"Attribute":[{attribute}]}}"#),
        format!(
            r#"{{"response":[{{"Event":{{"info":"x","Object":[{{"name":"url","Attribute":[{attribute}]}}]}}}}]}}"#
        ),
        format!(r#"[{{"Event":{{"Attribute":[{attribute}]}}}}]"#),
    ] {
        let took = take(Form::Misp, answer.as_bytes(), &Options::default()).unwrap();
        let hit = took.set.find(&Value::guess("evil.example").unwrap(), NOW).unwrap();
        assert_eq!((hit.record.tlp, hit.record.confidence), (Tlp::Amber, Some(75)), "{answer}");
    }
}

#[test]
fn a_manifest_names_events_and_no_paths() {
    let limits = Limits::default();
    let events = chatward_intel::misp::manifest(&mut &*fixture("misp-manifest.json"), &limits).unwrap();
    assert_eq!(
        (&*events[0].uuid, events[0].timestamp),
        ("fd45348a-6a44-5487-a76f-d21fba53ab23", 1_788_220_800)
    );
    assert_eq!(
        chatward_intel::misp::hashes(&mut &*fixture("misp-hashes.csv"), &events, &limits).unwrap(),
        (10, 0)
    );
    let tricks = br#"{"../../etc/passwd":{},"fd45348a-6a44-5487-a76f-d21fba53ab2/":{},"":{}}"#;
    assert_eq!(chatward_intel::misp::manifest(&mut &tricks[..], &limits).unwrap(), []);
}

#[test]
fn exports_of_abuse_ch_are_read() {
    let urls = took(Form::AbuseCsv, "urlhaus.csv");
    assert_eq!(
        (urls.summary.entries, urls.summary.indicators, urls.summary.malformed),
        (23, 17, 6),
        "{:?}",
        urls.summary
    );
    assert_eq!(matched(&urls, "http://20.243.212.181/x"), Some(Matched::Network));
    let threats = took(Form::AbuseCsv, "threatfox.csv");
    assert_eq!((threats.summary.entries, threats.summary.malformed), (24, 0));
    let hit = threats.set.find(&Value::guess("zimbra-mail-login.pages.dev").unwrap(), NOW).unwrap();
    assert_eq!((hit.record.confidence, hit.record.threat), (Some(25), Some(Threat::Malware)));
    // As the service itself writes it: a space after the comma, a port.
    let real = "# \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\"\r\n\"2026-09-01 00:00:00\", \"1\", \"198.51.100.9:443\", \"ip:port\"\r\n# Number of entries: 1\r\n";
    let real = take(Form::AbuseCsv, real.as_bytes(), &Options::default()).unwrap();
    assert_eq!((real.summary.malformed, matched(&real, "198.51.100.9")), (0, Some(Matched::Network)));
}

#[test]
fn lists_are_read() {
    for (form, name, entries, listed) in [
        (Form::Lines, "domains.txt", 18, "tap1525gm2.vip"),
        (Form::Lines, "openphish.txt", 19, "http://1chanel.tv-tovar.in.ua/db.zip"),
        (Form::Lines, "defanged.txt", 19, "http://185.219.220.226/Finance/tang/index.php"),
        (Form::Hosts, "hosts.txt", 18, "walletauthenticators.vercel.app"),
        (Form::Adblock, "adblock.txt", 18, "vxt-wswhatsapp.cc"),
    ] {
        let took = took(form, name);
        assert_eq!(
            (took.summary.entries, took.summary.malformed),
            (entries, 0),
            "{name}: {:?}",
            took.summary
        );
        assert!(matched(&took, listed).is_some(), "{name}: {listed}");
    }
    let rules = "[Adblock Plus 2.0]\n! x\n@@||good.example^\n||evil.example^$document,popup\n||other.example^$third-party\nexample.com##.ad\n||evil.example/kit^\n/ads[0-9]/\n";
    let took = take(Form::Adblock, rules.as_bytes(), &Options::default()).unwrap();
    assert_eq!(took.values, ["evil.example", "http://evil.example/kit"]);
    assert_eq!(took.summary.skipped.get(&Skipped::NotAListing), Some(&4));
    let hosts = "127.0.0.1 localhost localhost.localdomain\n0.0.0.0 0.0.0.0\n0.0.0.0 a.example b.example # both\nnothing here\n";
    let took = take(Form::Hosts, hosts.as_bytes(), &Options::default()).unwrap();
    assert_eq!((took.values.join(" ").as_str(), took.summary.malformed), ("a.example b.example", 1));
}

#[test]
fn an_advisory_is_summed_up() {
    let mut advisory = fixture("advisory.json");
    let mut found = None;
    let mut take = |item: Item| {
        if let Item::Advisory(advisory) = item {
            found = Some(*advisory);
        }
    };
    read(Form::Csaf, &mut &*advisory, &Options::default(), &mut take).unwrap();
    let found = found.unwrap();
    assert_eq!((&*found.id, found.tlp, found.products.len()), ("SAMPLE-2026-0001", Tlp::Clear, 1));
    assert_eq!(found.vulnerabilities[0].score, Some(7.5));
    // Files of products that are affected are indicators.
    let text = String::from_utf8(std::mem::take(&mut advisory)).unwrap();
    let hashed = text.replace(
        r#""purl":"#,
        r#""hashes": [{"filename": "x", "file_hashes": [{"algorithm": "md5", "value": "44d88612fea8a8f36de82e1278abb02f"}, {"algorithm": "sha512", "value": "00"}]}], "purl":"#,
    );
    let took = self::take(Form::Csaf, hashed.as_bytes(), &Options::default()).unwrap();
    assert_eq!(took.values, ["44d88612fea8a8f36de82e1278abb02f"]);
}

#[test]
fn bad_entries_are_named_and_the_rest_goes_on() {
    let good = r#"{"type":"indicator","pattern":"[domain-name:value = 'good.example']"}"#;
    let bad = [
        "7",
        "null",
        "[]",
        r#"{"type":"indicator"}"#,
        r#"{"type":"indicator","pattern":7}"#,
        r#"{"type":"indicator","pattern":"["}"#,
        r#"{"type":"indicator","pattern":"[domain-name:value = 'no domain']"}"#,
        r#"{"type":"indicator","pattern":"[domain-name:value = 'a.example']","valid_from":"soon"}"#,
        r#"{"type":"indicator","pattern":"[domain-name:value = 'a.example']","confidence":101}"#,
        r#"{"type":"indicator","pattern":"\ud800"}"#,
        r#"{"type":"indicator" "pattern":"x"}"#,
        r#"{"type":["indicator"]}"#,
        r#"{"type":"indicator","type":"indicator"}"#,
    ];
    let bundle = format!(r#"{{"type":"bundle","objects":[{good},{},{good}]}}"#, bad.join(","));
    let took = take(Form::Stix, bundle.as_bytes(), &Options::default()).unwrap();
    assert_eq!(took.summary.indicators, 2);
    assert_eq!(took.summary.malformed, bad.len() as u64, "{:#?}", took.summary.faults);
    let entries: Vec<u64> = took.summary.faults.iter().map(|fault| fault.entry).collect();
    assert_eq!(entries, (2..2 + bad.len() as u64).collect::<Vec<_>>());
    let refused = Acceptance::default().judge(&took.summary, 0, &Default::default());
    assert!(matches!(refused, Err(Refusal::Malformed { .. })));
}

/// Endless bytes, of which a reader may take so many before the test fails.
struct Endless<'a> {
    head: &'a [u8],
    again: &'a [u8],
    at: usize,
    left: u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        assert!(self.left > 0, "the limit of bytes does not hold");
        self.left = self.left.saturating_sub(to.len() as u64);
        for byte in to.iter_mut() {
            *byte = match self.head.split_first() {
                Some((first, rest)) => {
                    self.head = rest;
                    *first
                }
                None => {
                    self.at += 1;
                    self.again[(self.at - 1) % self.again.len()]
                }
            };
        }
        Ok(to.len())
    }
}

#[test]
fn feeds_without_end_are_bounded() {
    let options = Options {
        limits: Limits { bytes: 1 << 20, entries: 20_000, ..Limits::default() },
        ..Options::default()
    };
    let cases: &[(Form, &str, &str)] = &[
        (
            Form::Stix,
            r#"{"objects":["#,
            r#"{"type":"indicator","pattern":"[domain-name:value = 'a.example']"},"#,
        ),
        (Form::Stix, r#"{"objects":["#, "["),
        (Form::Stix, r#"{"objects":[{"type":""#, "a"),
        (Form::Stix, r#"{"objects":[{"labels":["#, r#""a","#),
        (Form::Stix, r#"{"objects":[{""#, "\\\""),
        (Form::Stix, "{", r#""a":{},"#),
        (Form::Stix, "", " "),
        (Form::Stix, r#"{"next":""#, "x"),
        (Form::Misp, r#"{"Event":{"Attribute":["#, r#"{"type":"domain","value":"a.example"},"#),
        (Form::Misp, r#"{"Event":"#, r#"{"Event":"#),
        (Form::Misp, r#"{"Event":{"Tag":["#, r#"{"name":"x"},"#),
        (Form::Csaf, r#"{"document":["#, "1,"),
        (Form::Lines, "", "a.example\n"),
        (Form::Lines, "", "a"),
        (Form::Hosts, "0.0.0.0 ", "a.example "),
        (Form::Adblock, "||", "^"),
        (Form::AbuseCsv, "# url\n", "\""),
        (Form::AbuseCsv, "# url\n", "\"\"\n"),
        (Form::AbuseCsv, "", "#\n"),
        (Form::Lines, "", "\0"),
    ];
    for (form, head, again) in cases {
        let mut feed = Endless { head: head.as_bytes(), again: again.as_bytes(), at: 0, left: 2 << 20 };
        let result = read(*form, &mut feed, &options, &mut |_| {});
        let bounded = matches!(result, Err(FormFault::Long(_) | FormFault::Entries(_) | FormFault::Deep(_)));
        assert!(bounded, "{form:?} {head} {again}: {result:?}");
    }
}

#[test]
fn other_forms_are_refused() {
    for (form, text) in [
        (Form::Stix, "[]"),
        (Form::Stix, r#"{"type":"report","objects":[]}"#),
        (Form::Stix, "<html>"),
        (Form::Stix, r#"{"Event":{}}"#),
        (Form::Stix, r#"{"objects":{}}"#),
        (Form::Stix, r#"{"objects":[]} {}"#),
        (Form::Misp, r#"{"objects":[]}"#),
        (Form::Misp, "[1,2"),
        (Form::Csaf, r#"{"document":{"csaf_version":"1.2"}}"#),
        (Form::Csaf, "7"),
        (Form::AbuseCsv, "a,b\n"),
        (Form::AbuseCsv, ""),
    ] {
        assert!(take(form, text.as_bytes(), &Options::default()).is_err(), "{form:?} {text}");
    }
}

#[test]
fn a_poisoned_feed_is_refused_and_its_top_sites_are_never_taken() {
    let list = "google.com\npaypal.com\nfacebook.com\nco.uk\n10.0.0.1\nevil.example\n";
    let took = take(Form::Lines, list.as_bytes(), &Options::default()).unwrap();
    assert_eq!((took.set.len(), took.stopped.len()), (1, 5));
    let refused = Acceptance::default().judge(&took.summary, 5, &Default::default());
    assert!(matches!(refused, Err(Refusal::Poisoned { .. })));
}

proptest! {
    #[test]
    fn a_damaged_feed_is_read_or_refused(
        which in 0usize..9,
        cut in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let feeds = [
            (Form::Stix, "bundle.json"), (Form::Misp, "misp-event.json"), (Form::AbuseCsv, "urlhaus.csv"),
            (Form::AbuseCsv, "threatfox.csv"), (Form::Csaf, "advisory.json"), (Form::Lines, "defanged.txt"),
            (Form::Hosts, "hosts.txt"), (Form::Adblock, "adblock.txt"), (Form::Stix, "envelope-1.json"),
        ];
        let (form, name) = feeds[which];
        let mut bytes = fixture(name);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(took) = take(form, &bytes, &Options::default()) {
            prop_assert!(took.summary.malformed <= took.summary.entries.max(1) * 64);
            for value in &took.values {
                prop_assert!(Value::guess(value).is_ok());
            }
        }
    }
}
