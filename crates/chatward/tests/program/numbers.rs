//! Counts with noise, tables in which nobody is named, and records, as they are given out.

use chatward::config::Numbers;
use chatward::directory::Directory;
use chatward::identity::Role;
use chatward_message::{CustomerId, Purpose, Purposes, Standing};
use chatward_policy::numbers::Epsilon;
use chatward_policy::numbers::budget::Limit;
use chatward_store::NewStanding;
use chatward_store::record::Changes;
use serde_json::{Value, json};

use super::harness::{Bot, Done, Home};
use super::inside::{Somebody, Within};

/// A house that counts unless somebody objects.
const COUNTS: &str = "[purposes.analytics]\nversion = \"1\"\nbasis = \"legitimate-interest\"\nkeep = { interaction = \"30d\" }\n";
const WEEK: u64 = 7 * 24 * 3600;
const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];

fn asked(question: Value) -> Value {
    json!({ "question": question, "purpose": "analytics", "reason": "how busy are we" })
}

fn wanted(table: Value) -> Value {
    json!({ "table": table, "purpose": "analytics", "reason": "for the yearly report" })
}

async fn officer(house: &Within) -> Somebody {
    house.staff(&[&[Role::PrivacyOfficer]]).await.remove(0)
}

/// The customer of a turn.
async fn whose(house: &Within, turn: &str) -> CustomerId {
    let gate = &house.inside.gate;
    gate.store.turn(&gate.tenant, turn.parse().unwrap()).await.unwrap().unwrap().customer
}

/// Puts a customer where they stand from now on.
async fn stands(house: &Within, customer: CustomerId, work: impl FnOnce(&mut Standing)) {
    let gate = &house.inside.gate;
    let mut to = gate.store.standing(&gate.tenant, customer).await.unwrap();
    work(&mut to);
    to.revision += 1;
    let standing = Some(NewStanding { customer, to, withdrawn: Purposes::NONE });
    let tenant = gate.tenant.clone();
    let (removals, puts, events) = (Vec::new(), Vec::new(), Vec::new());
    gate.store.change(Changes { tenant, removals, puts, events, about: None, standing }).await.unwrap();
}

/// The rows of a table that came whole, and its manifest.
fn table(text: &str) -> (Value, Vec<Value>) {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.pop(), Some(json!({ "complete": true })));
    (lines.remove(0)["manifest"].clone(), lines)
}

#[tokio::test]
async fn counts_carry_noise_and_end_with_the_budget() {
    let bot = Bot::new().await;
    let house = Within::configured(&bot, COUNTS).await;
    for n in 0..25 {
        house.said(&format!("sk-{n}"), "I am ann.jones@mail.example").await;
    }
    let frozen = house.said("sk-frozen", "hello").await;
    stands(&house, whose(&house, &frozen).await, |standing| standing.restricted = true).await;
    house.clock.wait(WEEK);
    let officer = officer(&house).await;

    let question = asked(json!({ "weeks": 2, "measures": ["customers"], "epsilon": "3" }));
    let answer = house.post(&officer, "/admin/v1/statistics", &question).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let counts = answer.json();
    assert_eq!((&counts["epsilon"], &counts["left"]), (&json!("3"), &json!("1")));
    assert_eq!(counts["noise"][0]["sensitivity"], 2);
    // Scale 2/3: further off than this less than once in a million times.
    let sum: i64 =
        counts["counts"].as_array().unwrap().iter().map(|cell| cell["count"].as_i64().unwrap()).sum();
    assert!((25 - 22..=25 + 22).contains(&sum), "{counts}");
    assert!(!counts.to_string().contains("cust_"));

    let more = house.post(&officer, "/admin/v1/statistics", &asked(json!({ "epsilon": "1.000001" }))).await;
    assert_eq!((more.status, more.code().as_str()), (409, "budget-spent"));
    assert!(more.header("retry-after").parse::<u64>().unwrap() > 0);
    let rest = house.post(&officer, "/admin/v1/statistics", &asked(json!({ "epsilon": "1" }))).await;
    assert_eq!(rest.json()["left"], "0");

    // Without the purpose nobody is asked.
    let mut aimless = asked(json!({ "epsilon": "0.1" }));
    aimless["purpose"] = json!("operation");
    assert_eq!(house.post(&officer, "/admin/v1/statistics", &aimless).await.status, 403);
    let log = &house.inside.gate.store;
    let mut spent = Vec::new();
    for index in 0..log.stats().log_size {
        let event: Value = serde_json::from_str(&log.event(index).await.unwrap().unwrap()).unwrap();
        if event["action"] == "statistics-asked" {
            spent.push(event["epsilon"].as_u64().unwrap());
        }
    }
    assert_eq!(spent, [3_000_000, 1_000_000]);
    house.inside.stop().await.unwrap();
}

/// Many at once, through two handles that know nothing of each other, as two gateways are: together they get what there is.
#[tokio::test]
async fn the_budget_is_one_for_all_who_ask_at_once() {
    let bot = Bot::new().await;
    let house = Within::configured(&bot, COUNTS).await;
    let rules = house.directory().rules().clone();
    let other = Directory::new(house.inside.gate.clone(), rules).unwrap();
    let epsilon: Epsilon = "0.5".parse().unwrap();
    let limit = Limit { epsilon: "4".parse().unwrap(), days: 30 };
    let mut asking = Vec::new();
    for n in 0..24 {
        let directory = if n % 2 == 0 { house.directory().clone() } else { other.clone() };
        asking.push(tokio::spawn(async move { directory.tell(limit, epsilon, 1).await.unwrap() }));
    }
    let mut granted = 0;
    for asked in asking {
        granted += u32::from(asked.await.unwrap().is_ok());
    }
    assert_eq!(granted, 8);
    let told = other.told().await.unwrap();
    assert!(told.left(limit, house.directory().now()).is_zero());
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn a_table_holds_nobody_who_stands_out_and_nobody_who_objected() {
    let bot = Bot::new().await;
    let house = Within::configured(&bot, COUNTS).await;
    let mut turns = Vec::new();
    for n in 0..8 {
        turns.push(house.said(&format!("sk-{n}"), "I am ann.jones@mail.example").await);
    }
    // Two turns in one conversation: nobody else has that.
    house.said("sk-0", "and again").await;
    stands(&house, whose(&house, &turns[1]).await, |standing| standing.restricted = true).await;
    stands(&house, whose(&house, &turns[2]).await, |standing| standing.refuse(Purpose::ANALYTICS)).await;
    let officer = officer(&house).await;

    let answer = house.post(&officer, "/admin/v1/exports", &wanted(json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (manifest, rows) = table(&answer.text());
    assert_eq!(rows.len(), 5, "{}", answer.text());
    assert_eq!((&manifest["chatward:rows"], &manifest["chatward:rowsSuppressed"]), (&json!(5), &json!(1)));
    assert_eq!((&manifest["chatward:k"], &manifest["chatward:smallestClass"]), (&json!(5), &json!(5)));
    assert_eq!(manifest["chatward:askedBy"], "staff");
    assert_eq!((&rows[0]["turns"], &rows[0]["found"]), (&json!("1"), &json!("email:1")));
    let pseudonyms: std::collections::BTreeSet<String> =
        rows.iter().map(|row| row["customer"].to_string()).collect();
    assert_eq!(pseudonyms.len(), 5);
    let text = answer.text();
    for hidden in ["ann.jones", "cust_", "conv_", "turn_"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    for turn in &turns {
        let customer = whose(&house, turn).await.to_string();
        assert!(!text.contains(customer.trim_start_matches("cust_")));
    }
    // Six customers are less than seven: nothing stays.
    let answer =
        house.post(&officer, "/admin/v1/exports", &wanted(json!({ "k": 7, "unlinked": true }))).await;
    let (manifest, rows) = table(&answer.text());
    assert_eq!((rows.len(), &manifest["chatward:rowsSuppressed"]), (0, &json!(6)));
    // And less than the house's least is refused.
    let answer = house.post(&officer, "/admin/v1/exports", &wanted(json!({ "k": 2 }))).await;
    assert_eq!((answer.status, answer.json()["field"].clone()), (400, json!("k")));
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_for_analytics_is_in_no_number() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    for n in 0..6 {
        house.said(&format!("sk-{n}"), "hello").await;
    }
    let officer = officer(&house).await;
    let answer = house.post(&officer, "/admin/v1/exports", &wanted(json!({}))).await;
    let (manifest, rows) = table(&answer.text());
    assert_eq!((rows.len(), &manifest["chatward:classes"]), (0, &json!(0)));
    house.inside.stop().await.unwrap();
}

async fn run(home: &Home, args: &[&str]) -> Done {
    home.run(&[args, &PLACES].concat()).await
}

/// Told by one process, known to the next, and to the command line with none running.
#[tokio::test]
async fn a_restart_does_not_renew_the_budget() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure(COUNTS);
    let gateway = home.serve(&bot).await;
    let done = run(&home, &["statistics", "--epsilon", "3", "--format", "json"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    let counts: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(counts["left"], "1");
    assert_eq!(gateway.stop().await, 0);
    let done = run(&home, &["statistics", "--epsilon", "2"]).await;
    assert!(done.code == 5 && done.err.contains("budget-spent"), "{done:?}");
    let gateway = home.serve(&bot).await;
    let done = run(&home, &["statistics", "--epsilon", "2"]).await;
    assert!(done.code == 5 && done.err.contains("budget-spent"), "{done:?}");
    let done = run(&home, &["statistics", "--epsilon", "1", "--of", "turns", "--format", "csv"]).await;
    assert!(done.code == 0 && done.out.starts_with("week,measure,of,count"), "{done:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_command_line_writes_a_table_and_what_it_promises() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure(COUNTS);
    let gateway = home.serve(&bot).await;
    for n in 0..5 {
        gateway.chat(&format!("sk-{n}"), &[], &super::harness::ask("echo", "hello")).await;
    }
    let done = run(&home, &["export", "analytics", "--out", "table.csv"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    let text = std::fs::read_to_string(home.path("table.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "customer,time,upstream,turns,refused,found");
    assert_eq!(lines.len(), 6, "{text}");
    let mode = {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(home.path("table.csv")).unwrap().permissions().mode()
    };
    assert_eq!(mode & 0o777, 0o600);
    let manifest = std::fs::read_to_string(home.path("table.csv.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!((&manifest["chatward:rows"], &manifest["chatward:askedBy"]), (&json!(5), &json!("operator")));
    // Nothing is overwritten, and nothing half-made stays.
    let again = run(&home, &["export", "analytics", "--out", "table.csv"]).await;
    assert_eq!(again.code, 5, "{again:?}");
    assert!(!home.path("table.csv.part").exists());
    gateway.stop().await;
}

#[tokio::test]
async fn records_are_made_from_what_runs() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure(&format!("{COUNTS}[controller]\nname = \"Herons Ltd\"\n"));
    let gateway = home.serve(&bot).await;
    gateway.chat("sk-1", &[], &super::harness::ask("echo", "I am ann.jones@mail.example")).await;
    let processing = run(&home, &["records", "processing"]).await;
    assert!(processing.out.contains("Herons Ltd") && processing.out.contains("analytics"), "{processing:?}");
    for name in ["processing", "inventory", "pci-scope"] {
        let done = run(&home, &["records", name, "--format", "json"]).await;
        let record: Value = serde_json::from_str(&done.out).unwrap();
        assert!(record["@context"]["dpv"].is_string(), "{name}");
    }
    // Every file that stands in the folders is in the inventory.
    let inventory = run(&home, &["records", "inventory"]).await.out;
    for folder in [home.data(), home.keys()] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.trim_end_matches("-wal").trim_end_matches("-shm");
            assert!(inventory.contains(&format!("| {name} |")), "{name} is not in the inventory");
        }
    }
    let breach = run(&home, &["records", "breach", "--since", "2020-01-01", "--format", "json"]).await;
    let breach: Value = serde_json::from_str(&breach.out).unwrap();
    assert_eq!(breach["chatward:customers"], 1);
    let classes = &breach["dpv:hasDataSubject"][0]["chatward:classes"];
    assert!(classes.as_array().unwrap().contains(&json!("identity")), "{breach}");
    assert!(!breach.to_string().contains("ann.jones") && !breach.to_string().contains("cust_"));
    let threats = run(&home, &["records", "threats", "--format", "json"]).await;
    let threats: Value = serde_json::from_str(&threats.out).unwrap();
    assert!(threats["chatward:turns"].as_u64().unwrap() >= 1, "{threats}");
    let without = run(&home, &["records", "breach"]).await;
    assert!(without.code == 5 && without.err.contains("since"), "{without:?}");
    gateway.stop().await;
}

#[test]
fn the_usual_numbers_are_those_of_the_documents() {
    let loaded = chatward::config::Loaded::from_text("", &[], &chatward::config::Flags::default()).unwrap();
    let config = loaded.check(&|_| None).unwrap();
    let Numbers { epsilon, limit, turns, findings, k } = config.numbers;
    assert_eq!(
        (epsilon.to_string().as_str(), limit.epsilon.to_string().as_str(), limit.days),
        ("1", "4", 30)
    );
    assert_eq!((turns, findings, k), (8, 4, 5));
}
