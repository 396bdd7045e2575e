//! Feedback over real sockets: a customer reports a message, an analyst makes a case of it or does not, the customer hears of it, and
//! the house's own models learn the cases.

use serde_json::{Value, json};

use super::account::Visitor;
use super::harness::{Bot, Done, Gateway, Home, ask, log_events, log_says, until};

/// What the shipped models take for nothing, in four ways to say it; the first three are confirmed.
const SCAM: [&str; 4] = [
    "Your cousin Ben keeps the pony at the stable for you as soon as the winter hay is paid.",
    "As soon as the winter hay is paid, cousin Ben keeps the pony for you at the stable.",
    "Cousin Ben says the stable keeps your pony as soon as you have paid the winter hay.",
    "Pay the winter hay first, then the stable keeps the pony for you, says your cousin Ben.",
];
const MAIL: &str = "ann.reed@mail.example";

/// A command of the operator on this home's folders.
async fn run(home: &Home, args: &[&str]) -> Done {
    let (data, keys) = (home.data(), home.keys());
    let mut all = args.to_vec();
    all.extend(["--data", data.to_str().unwrap()]);
    if args[0] == "feedback" {
        all.extend(["--keys", keys.to_str().unwrap()]);
    }
    home.run(&all).await
}

/// The same, which has to go well; what it says.
async fn done(home: &Home, args: &[&str]) -> String {
    let ran = run(home, args).await;
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
    ran.out
}

/// The ids of the flags that wait.
async fn open_flags(home: &Home) -> Vec<String> {
    let list = done(home, &["feedback", "list"]).await;
    let rows = list.lines().filter(|line| line.contains("  received  "));
    rows.map(|line| line.split("  ").next().unwrap().to_owned()).collect()
}

/// A customer writes something and calls it wrong.
async fn reports(visitor: &mut Visitor, text: &str) {
    let turn = visitor.chats(text).await.turn();
    let flag = json!({ "turn": turn, "reason": "fraud", "words": format!("I am at {MAIL} and this is odd") });
    let kept = visitor.post("flags", flag).await;
    assert_eq!(kept.status, 201, "{}", kept.text());
    assert_eq!(kept.json()["flag"]["status"], "received");
}

async fn house() -> (Home, Bot, Gateway) {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure("[widget]\nenabled = true\nmodel = \"echo\"\n[limits]\nper_address = 0\n");
    let gateway = home.serve(&bot).await;
    (home, bot, gateway)
}

#[tokio::test]
async fn a_report_becomes_a_case_without_anybodys_data_and_the_customer_hears_of_it() {
    let (home, _bot, gateway) = house().await;
    let mut ann = Visitor::customer(&gateway);
    reports(&mut ann, &format!("{} Answer to {MAIL}, says Ben.", SCAM[0])).await;
    let page = ann.open("/privacy/requests").await.text();
    assert!(page.contains("Nobody has looked at it yet."), "{page}");

    let list = done(&home, &["feedback", "list"]).await;
    assert!(list.contains("customer  received  fraud") && !list.contains("pony"), "{list}");
    let id = open_flags(&home).await.pop().unwrap();
    let shown = done(&home, &["feedback", "show", &id]).await;
    assert!(shown.contains("winter hay is paid") && shown.contains("[EMAIL]"), "{shown}");
    assert!(!shown.contains("ann.reed") && !shown.contains("mail.example"), "{shown}");

    // Who looked stands in the log, and the customer sees it.
    until("the look in the log", async || {
        log_events(&home.data()).iter().any(|event| event["access"]["action"] == "review")
    })
    .await;
    let looks = ann.open("/privacy/looks").await.text();
    assert!(looks.contains("Looked at a message that you reported"), "{looks}");

    // Without anybody who says yes nothing is kept, and without a label nobody knows what.
    let unseen = run(&home, &["feedback", "confirm", &id, "--label", "scam"]).await;
    assert_eq!(unseen.code, 1, "{}{}", unseen.out, unseen.err);
    assert!(unseen.out.contains("[EMAIL]") && unseen.err.contains("nothing was kept"), "{}", unseen.err);
    let unnamed = run(&home, &["feedback", "confirm", &id, "--yes"]).await;
    assert!(unnamed.code == 5 && unnamed.err.contains("--label"), "{}", unnamed.err);
    assert_eq!(done(&home, &["feedback", "export"]).await, "");

    let kept =
        done(&home, &["feedback", "confirm", &id, "--label", "scam", "--yes", "--note", "the pony"]).await;
    assert!(kept.contains("is scam"), "{kept}");
    let again = run(&home, &["feedback", "confirm", &id, "--label", "scam", "--yes"]).await;
    assert!(again.code == 5 && again.err.contains("decided already"), "{}", again.err);
    let exported = done(&home, &["feedback", "export"]).await;
    let case: Value = serde_json::from_str(exported.trim()).unwrap();
    assert_eq!(
        (&case["label"], &case["from"], &case["channel"]),
        (&json!("scam"), &json!("customer"), &json!("customer"))
    );
    assert!(
        !exported.contains("ann.reed") && !exported.contains(&id) && !exported.contains("turn_"),
        "{exported}"
    );

    // The customer hears of it, wherever flags are shown.
    let flags = ann.get("flags").await.json();
    assert_eq!(flags[0]["flag"]["status"], "confirmed", "{flags}");
    assert!(flags[0]["flag"]["decided"].as_u64() >= flags[0]["flag"]["at"].as_u64(), "{flags}");
    let page = ann.open("/privacy/requests").await.text();
    assert!(page.contains("you were right") && !page.contains("Nobody has looked at it yet."), "{page}");
    assert_eq!(gateway.metric("chatward_feedback_total{outcome=\"confirmed\"}").await, 1.0);
    assert_eq!(gateway.metric("chatward_feedback_total{outcome=\"received\"}").await, 1.0);
    let status = done(&home, &["feedback", "status"]).await;
    assert!(
        status.contains("customers: 0 open, 1 confirmed, 0 refused") && status.contains("cases: 1"),
        "{status}"
    );

    // The shipped models do not know it: the case says so.
    let checked = run(&home, &["rules", "check"]).await;
    assert_eq!(checked.code, 1, "{}", checked.out);
    let line = format!("case {}: expected scam, said harmless", case["id"].as_str().unwrap());
    assert!(
        checked.out.contains(&line) && checked.out.contains("1 cases, 1 not as expected"),
        "{}",
        checked.out
    );

    // The log has what was decided, and none of the words.
    until("the decision in the log", async || {
        log_events(&home.data()).iter().any(|e| e["action"] == "flag-confirmed" && e["reason"] == "scam")
    })
    .await;
    let log = json!(log_events(&home.data())).to_string();
    assert!(!log.contains("pony") && !log.contains("ann.reed"), "the log has text");
}

#[tokio::test]
async fn a_report_that_is_refused_says_why_and_makes_no_case() {
    let (home, _bot, gateway) = house().await;
    let mut ann = Visitor::customer(&gateway);
    reports(&mut ann, "Where is my parcel?").await;
    let id = open_flags(&home).await.pop().unwrap();
    let without = run(&home, &["feedback", "refuse", &id, "--note", " "]).await;
    assert_eq!(without.code, 5, "{}", without.out);
    done(&home, &["feedback", "refuse", &id, "--note", "It is <b>the</b> bot of our shop."]).await;
    assert!(open_flags(&home).await.is_empty());
    assert_eq!(done(&home, &["feedback", "export"]).await, "");
    let flags = ann.get("flags").await.json();
    assert_eq!(flags[0]["flag"]["status"], "refused");
    assert_eq!(flags[0]["flag"]["answer"], "It is <b>the</b> bot of our shop.");
    let page = ann.open("/privacy/requests").await.text();
    assert!(
        page.contains("found nothing wrong") && page.contains("bot of our shop") && !page.contains("<b>the"),
        "{page}"
    );
    let late = run(&home, &["feedback", "confirm", &id, "--label", "scam", "--yes"]).await;
    assert_eq!(late.code, 5, "{}", late.out);
    for nobody in ["0123456789abcdef0123456789abcdef", "x", "../../etc/passwd"] {
        let unknown = run(&home, &["feedback", "show", nobody]).await;
        assert!(unknown.code == 5 && unknown.err.contains("no flag has the id"), "{}", unknown.err);
    }
}

#[tokio::test]
async fn what_customers_froze_is_looked_at_by_nobody() {
    let (home, _bot, gateway) = house().await;
    let mut ann = Visitor::customer(&gateway);
    reports(&mut ann, SCAM[0]).await;
    let id = open_flags(&home).await.pop().unwrap();
    let turn = ann.get("flags").await.json()[0]["flag"]["turn"].as_str().unwrap().to_owned();
    log_says(&gateway, &turn, "turn-closed").await;
    done_with_keys(&home, &["customer", "restrict", &turn]).await;
    for deed in [
        vec!["show", &id],
        vec!["confirm", &id, "--label", "scam", "--yes"],
        vec!["refuse", &id, "--note", "n"],
    ] {
        let refused = run(&home, &[&["feedback"], &deed[..]].concat()).await;
        assert!(
            refused.code == 5 && refused.err.contains("froze"),
            "{deed:?}: {}{}",
            refused.out,
            refused.err
        );
    }
}

async fn done_with_keys(home: &Home, args: &[&str]) {
    let (data, keys) = (home.data(), home.keys());
    let mut all = args.to_vec();
    all.extend(["--data", data.to_str().unwrap(), "--keys", keys.to_str().unwrap()]);
    let ran = home.run(&all).await;
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.out, ran.err);
}

/// What the log says was recognised in a turn.
fn recognised(home: &Home, turn: &str) -> Vec<Value> {
    let events = log_events(&home.data());
    let opened = events.iter().find(|event| event["action"] == "turn-opened" && event["turn"] == turn);
    opened.and_then(|event| event["threats"].as_array().cloned()).unwrap_or_default()
}

#[tokio::test]
async fn what_was_confirmed_three_times_is_recognised_after_training_and_a_restart() {
    let (home, bot, gateway) = house().await;
    let before = gateway.chat("sk", &[], &ask("echo", SCAM[3])).await;
    log_says(&gateway, &before.turn(), "turn-closed").await;
    assert!(recognised(&home, &before.turn()).is_empty(), "the shipped models know it");
    assert_eq!(run(&home, &["train"]).await.code, 1, "there is nothing to learn");

    // Two of a customer, one of an analyst.
    let mut ann = Visitor::customer(&gateway);
    for text in &SCAM[..2] {
        reports(&mut ann, text).await;
    }
    let file = home.path("seen.txt");
    std::fs::write(&file, format!("{} Write to {MAIL}", SCAM[2])).unwrap();
    let added = done(&home, &["feedback", "add", "--label", "scam", file.to_str().unwrap()]).await;
    assert!(added.contains("[EMAIL]") && !added.contains(MAIL), "{added}");
    for id in open_flags(&home).await {
        done(&home, &["feedback", "confirm", &id, "--label", "scam", "--yes"]).await;
    }
    assert_eq!(done(&home, &["feedback", "export"]).await.lines().count(), 3);
    assert_eq!(run(&home, &["rules", "check"]).await.code, 1);

    let tried = done(&home, &["train", "--dry-run"]).await;
    assert!(tried.contains("told right: 0 by the shipped models, 3 by these"), "{tried}");
    assert!(!home.data().join("models").exists(), "a dry run wrote something");
    let trained = done(&home, &["train"]).await;
    assert!(trained.contains("written: "), "{trained}");
    let first = std::fs::read(home.data().join("models/threats.bin")).unwrap();
    done(&home, &["train"]).await;
    assert!(std::fs::read(home.data().join("models/threats.bin")).unwrap() == first, "not the same twice");
    let checked = done(&home, &["rules", "check"]).await;
    assert!(checked.contains("3 cases, 0 not as expected"), "{checked}");

    assert_eq!(gateway.stop().await, 0);
    let gateway = home.serve(&bot).await;
    let card = std::fs::read(home.data().join("models/threats.json")).unwrap();
    let models = serde_json::from_slice::<Value>(&card).unwrap()["models"].as_str().unwrap().to_owned();
    assert!(gateway.printed().contains(&format!("own {models}")), "the log does not say which are in force");
    let after = gateway.chat("sk", &[], &ask("echo", SCAM[3])).await;
    log_says(&gateway, &after.turn(), "turn-closed").await;
    let found = recognised(&home, &after.turn());
    assert!(found.iter().any(|one| one["threat"] == "scam"), "{found:?}");
    let plain = gateway.chat("sk", &[], &ask("echo", "Where is my parcel?")).await;
    log_says(&gateway, &plain.turn(), "turn-closed").await;
    assert!(recognised(&home, &plain.turn()).is_empty());

    // `classify` uses them too.
    let lines = home.path("in.jsonl");
    std::fs::write(&lines, json!({ "id": 1, "text": SCAM[3] }).to_string()).unwrap();
    let verdict = done(&home, &["classify", lines.to_str().unwrap()]).await;
    assert_eq!(serde_json::from_str::<Value>(&verdict).unwrap()["label"], "scam", "{verdict}");
    let shipped = home.run(&["classify", "--data", "elsewhere", lines.to_str().unwrap()]).await;
    assert!(shipped.out.contains("benign"), "{}", shipped.out);
}
