//! What staff and programs do over `/admin/v1`, and the operator on the command line.

use std::sync::atomic::Ordering;

use chatward::identity::Role;
use http::Method;
use serde_json::{Value, json};

use super::harness::{Answer, Bot, Home};
use super::inside::{At, Somebody, Within};

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "ann.jones@mail.example";

/// A customer who wrote a card number and an address: who it is, and in which conversation.
pub(crate) struct Wrote {
    pub(crate) customer: String,
    pub(crate) conversation: String,
    pub(crate) turn: String,
}

/// Somebody writes.
pub(crate) async fn wrote(house: &Within, key: &str) -> Wrote {
    let turn = house.said(key, &format!("card {CARD}, mail {MAIL}")).await;
    let gate = &house.inside.gate;
    let row = gate.store.turn(&gate.tenant, turn.parse().unwrap()).await.unwrap().unwrap();
    Wrote { customer: row.customer.to_string(), conversation: row.conversation.to_string(), turn }
}

fn wanted(of: &Wrote, label: &str, more: Value) -> Value {
    let mut body = json!({ "customer": of.customer, "conversation": of.conversation, "label": label });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn refused(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (answer.status, word("code"), word("reason"))
}

fn no(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}

/// The newest events of the log, as an auditor reads them.
async fn events(house: &Within, auditor: &Somebody) -> Vec<Value> {
    let page = house.get(auditor, "/admin/v1/audit?limit=100").await;
    assert_eq!(page.status, 200, "{}", page.text());
    page.json()["items"].as_array().unwrap().iter().map(|item| item["event"].clone()).collect()
}

#[tokio::test]
async fn one_value_is_shown_and_everybody_can_see_that_it_was() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let wrote = wrote(&house, "sk-ann").await;
    let people = house.staff(&[&[Role::Analyst], &[Role::Auditor], &[Role::Trainer]]).await;
    let [analyst, auditor, trainer] = &people[..] else { panic!() };

    let list = house.get(analyst, &format!("/admin/v1/customers/{}?purpose=support", wrote.customer)).await;
    assert_eq!(list.status, 200, "{}", list.text());
    assert!(!list.text().contains("ann.jones") && !list.text().contains("4111"), "{}", list.text());
    let labels: Vec<Value> =
        list.json()["items"][0]["values"].as_array().unwrap().iter().map(|v| v["label"].clone()).collect();
    assert_eq!(labels, ["CARD_1", "EMAIL_1"]);

    house.clock.wait(1);
    let body = wanted(&wrote, "EMAIL_1", json!({"purpose": "support", "reason": "cannot be reached"}));
    let shown = house.post(analyst, "/admin/v1/reveals", &body).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let shown = shown.json();
    assert_eq!((&shown["value"], &shown["class"]), (&json!(MAIL), &json!("identity")));
    let event = house.inside.gate.store.event(shown["event"].as_u64().unwrap()).await.unwrap().unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!((&event["action"], &event["access"]["action"]), (&json!("access-allowed"), &json!("reveal")));
    assert_eq!(event["access"]["class"], "identity");
    assert!(!event.to_string().contains("cannot be reached"), "the log has no room for texts");

    // "Who looked": the event, and for people who and why.
    let trail = house.get(auditor, &format!("/admin/v1/customers/{}/trail", wrote.customer)).await.json();
    assert!(trail["items"].as_array().unwrap().iter().any(|item| item["event"] == event), "{trail}");
    let look = &trail["looks"][0];
    assert_eq!((&look["action"], &look["reason"]), (&json!("reveal"), &json!("cannot be reached")));
    assert_eq!(look["by"], analyst.account.to_string());

    // The review knows when it was done last, and what could be done.
    let review = house.get(auditor, "/admin/v1/access-review").await.json();
    let of = |who: &Somebody| {
        let id = json!(who.account.to_string());
        review["staff"].as_array().unwrap().iter().find(|m| m["account"]["id"] == id).unwrap().clone()
    };
    let last = of(analyst)["last"].as_array().unwrap().clone();
    assert!(last.iter().any(|last| last["what"] == "reveal identity"), "{last:?}");
    assert!(of(analyst)["rights"].to_string().contains("reveal"));
    assert_eq!(of(trainer)["last"], json!([]));

    // Nobody else, and not without a reason.
    let refusal = house.post(trainer, "/admin/v1/reveals", &body).await;
    assert_eq!(refused(&refusal), no(403, "not-allowed", "role_missing"));
    let silent = wanted(&wrote, "EMAIL_1", json!({"purpose": "support", "reason": "  "}));
    let refusal = house.post(analyst, "/admin/v1/reveals", &silent).await;
    assert_eq!(refused(&refusal), no(403, "not-allowed", "reason_missing"));
    let none = wanted(&wrote, "EMAIL_9", json!({"purpose": "support", "reason": "x"}));
    assert_eq!(house.post(analyst, "/admin/v1/reveals", &none).await.status, 404);
    let found = events(&house, auditor).await;
    let refusals = found.iter().filter(|event| event["action"] == "access-refused").count();
    assert_eq!(refusals, 2);
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn a_value_is_not_shown_when_the_look_cannot_be_written_down() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let wrote = wrote(&house, "sk-ann").await;
    let people = house.staff(&[&[Role::Analyst]]).await;
    let body = wanted(&wrote, "EMAIL_1", json!({"purpose": "support", "reason": "r"}));
    house.failing.0.store(true, Ordering::SeqCst);
    let failed = house.post(&people[0], "/admin/v1/reveals", &body).await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "store-unavailable"));
    assert!(!failed.text().contains("ann.jones"));
    house.failing.0.store(false, Ordering::SeqCst);
    let shown = house.post(&people[0], "/admin/v1/reveals", &body).await;
    assert_eq!(shown.json()["value"], MAIL, "{}", shown.text());
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn payment_data_takes_two_people_and_a_request_that_names_the_customer() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let (ann, ben) = (wrote(&house, "sk-ann").await, wrote(&house, "sk-ben").await);
    let roles: &[&[Role]] =
        &[&[Role::Analyst], &[Role::Analyst], &[Role::Admin], &[Role::PrivacyOfficer], &[Role::Auditor]];
    let people = house.staff(roles).await;
    let [analyst, other, admin, officer, auditor] = &people[..] else { panic!() };
    let said = json!({"purpose": "security", "reason": "fraud", "ticket": "INC-7"});
    let alone = house.post(analyst, "/admin/v1/reveals", &wanted(&ann, "CARD_1", said.clone())).await;
    assert_eq!(refused(&alone), no(403, "not-allowed", "needs_second_person"));

    let mut ask = said.clone();
    ask["customer"] = json!(ann.customer);
    let asked = house.post(analyst, "/admin/v1/break-glass", &ask).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let with = |label: &str, of: &Wrote| {
        let mut body = wanted(of, label, said.clone());
        body["break_glass"] = json!(id);
        body
    };
    let early = house.post(analyst, "/admin/v1/reveals", &with("CARD_1", &ann)).await;
    assert_eq!(refused(&early), no(403, "not-allowed", "needs_second_person"));

    let approve = format!("/admin/v1/break-glass/{id}/approve");
    let own = house.post(analyst, &approve, &json!({})).await;
    assert_eq!(refused(&own).0, 403, "{}", own.text());
    assert_eq!(
        refused(&house.post(other, &approve, &json!({})).await),
        no(403, "not-allowed", "role_missing")
    );
    let bearer = house.bootstrap();
    let headers = [("authorization", bearer.as_str())];
    let file = house.plain(At::Private, Method::POST, &approve, &headers, Some(&json!({}))).await;
    assert_eq!(file.status, 401, "the token of the first start has ended");
    let approved = house.post(admin, &approve, &json!({})).await;
    assert_eq!(approved.json()["approved_by"], admin.account.to_string(), "{}", approved.text());
    assert_eq!(house.post(officer, &approve, &json!({})).await.status, 409, "once");

    let shown = house.post(analyst, "/admin/v1/reveals", &with("CARD_1", &ann)).await;
    assert_eq!(shown.json()["value"], CARD, "{}", shown.text());
    // Not by another, not of another customer, not for another purpose.
    let another = house.post(other, "/admin/v1/reveals", &with("CARD_1", &ann)).await;
    assert_eq!(refused(&another), no(403, "not-allowed", "needs_second_person"));
    assert_eq!(house.post(analyst, "/admin/v1/reveals", &with("CARD_1", &ben)).await.status, 404);
    let mut otherwise = with("CARD_1", &ann);
    otherwise["purpose"] = json!("support");
    assert_eq!(house.post(analyst, "/admin/v1/reveals", &otherwise).await.status, 400);

    // Both people are in the log, the customer's trail has it, and the list of requests.
    let trail = house.get(auditor, &format!("/admin/v1/customers/{}/trail", ann.customer)).await.text();
    assert!(trail.contains("break-glass-requested") && trail.contains("break-glass-approved"), "{trail}");
    let all = house.get(auditor, "/admin/v1/break-glass").await.json();
    assert_eq!((all["items"].as_array().unwrap().len(), &all["items"][0]["ticket"]), (1, &json!("INC-7")));
    let one = house.get(analyst, &format!("/admin/v1/break-glass/{id}")).await;
    assert_eq!(one.json()["approved_by"], admin.account.to_string(), "{}", one.text());

    // An hour later the glass is whole again.
    house.clock.wait(3600);
    let analyst = house.again(analyst).await;
    let late = house.post(&analyst, "/admin/v1/reveals", &with("CARD_1", &ann)).await;
    assert_eq!(refused(&late), no(403, "not-allowed", "needs_second_person"));
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn no_role_is_given_that_the_policies_did_not_grant() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let people = house.staff(&[&[Role::Admin], &[Role::Auditor], &[Role::Admin]]).await;
    let [admin, auditor, second] = &people[..] else { panic!() };
    let invite = |name: &str, roles: Value| json!({"name": name, "roles": roles, "reason": "new here"});
    let both = house.post(admin, "/admin/v1/staff", &invite("Both", json!(["admin", "analyst"]))).await;
    assert_eq!(refused(&both), no(403, "not-allowed", "duties_conflict"));
    let silent = json!({"name": "Silent", "roles": []});
    let silent = house.post(admin, "/admin/v1/staff", &silent).await;
    assert_eq!(refused(&silent), no(403, "not-allowed", "reason_missing"));
    let everybody = house.get(auditor, "/admin/v1/staff").await.json();
    assert_eq!(everybody["items"].as_array().unwrap().len(), 3, "nobody came of it");

    let invited = house.post(admin, "/admin/v1/staff", &invite("Cleo", json!(["analyst", "trainer"]))).await;
    assert_eq!(invited.status, 201, "{}", invited.text());
    assert!(invited.json()["token"].as_str().unwrap().starts_with("cwi_"));
    let id = invited.json()["account"]["id"].as_str().unwrap().to_owned();
    let found = events(&house, auditor).await;
    let granted: Vec<&Value> = found
        .iter()
        .filter(|e| e["access"]["action"] == "grant" && e["action"] == "access-allowed")
        .collect();
    let roles: Vec<&Value> = granted.iter().rev().map(|event| &event["roles"][0]).collect();
    // The refused request had asked about `analyst` first, or `admin`: whichever came first was allowed.
    assert!(roles.ends_with(&[&json!("analyst"), &json!("trainer")]), "{roles:?}");

    // Roles change only as they were read.
    let path = format!("/admin/v1/staff/{id}/roles");
    let one = house.get(auditor, &format!("/admin/v1/staff/{id}")).await;
    let tag = one.header("etag").to_owned();
    let body = json!({"roles": ["analyst"], "ticket": "T-1"});
    let put = async |more: &[(&str, &str)]| {
        house.by(admin, At::Private, Method::PUT, &path, more, Some(&body)).await
    };
    assert_eq!(put(&[]).await.status, 428);
    assert_eq!(put(&[("if-match", "\"77\"")]).await.status, 412);
    let changed = put(&[("if-match", &tag)]).await;
    assert_eq!((changed.status, &changed.json()["roles"]), (200, &json!(["analyst"])), "{}", changed.text());
    assert_eq!(put(&[("if-match", &tag)]).await.status, 412, "it has another tag now");

    // Nobody to oneself, and a member of staff's sessions end with new roles.
    let own = format!("/admin/v1/staff/{}/lock", admin.account);
    let own = house.post(admin, &own, &json!({"reason": "r"})).await;
    assert_eq!(refused(&own), no(403, "not-allowed", "to_oneself"));
    let lock = format!("/admin/v1/staff/{}/lock", second.account);
    assert_eq!(house.post(admin, &lock, &json!({"reason": "lost phone"})).await.json()["state"], "locked");
    assert_eq!(house.get(second, "/admin/v1/staff").await.status, 401);
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn the_same_key_invites_once() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let people = house.staff(&[&[Role::Admin]]).await;
    let body = json!({"name": "Dana", "roles": ["trainer"], "reason": "r"});
    let send = async |body: &Value| {
        let key = [("idempotency-key", "k-1")];
        house.by(&people[0], At::Private, Method::POST, "/admin/v1/staff", &key, Some(body)).await
    };
    let (first, again) = (send(&body).await, send(&body).await);
    assert_eq!((first.status, again.status), (201, 201), "{}", first.text());
    assert_eq!(first.text(), again.text());
    let other = send(&json!({"name": "Eve", "reason": "r"})).await;
    assert_eq!((other.status, other.code().as_str()), (422, "key-reused"));
    // A reveal is never given twice for one question.
    let key = [("idempotency-key", "k-2")];
    let body = json!({"customer": "", "conversation": "", "label": ""});
    let reveal =
        house.by(&people[0], At::Private, Method::POST, "/admin/v1/reveals", &key, Some(&body)).await;
    assert_eq!(reveal.status, 400);
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn a_program_does_what_its_key_was_made_for() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let people = house.staff(&[&[Role::Admin]]).await;
    let admin = &people[0];
    let made = house.post(admin, "/admin/v1/programs", &json!({"name": "reports", "reason": "r"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let keys = format!("/admin/v1/programs/{id}/keys");
    let body = json!({"scopes": ["audit-read"], "days": 30, "reason": "r"});
    let made = house.post(admin, &keys, &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let bearer = format!("Bearer {}", made.json()["key"].as_str().unwrap());
    let get = async |path: &str| {
        house.plain(At::Private, Method::GET, path, &[("authorization", &bearer)], None).await
    };
    assert_eq!(get("/admin/v1/audit").await.status, 200);
    assert_eq!(refused(&get("/admin/v1/policies").await), no(403, "not-allowed", "role_missing"));
    let key = made.json()["program"]["keys"][0]["id"].as_str().unwrap().to_owned();
    let delete = async |path: &str| {
        let why = json!({"reason": "over"});
        house.by(admin, At::Private, Method::DELETE, path, &[], Some(&why)).await
    };
    assert_eq!(delete(&format!("{keys}/0000000000000000")).await.status, 404);
    assert_eq!(delete(&format!("{keys}/{key}")).await.status, 200);
    assert_eq!(get("/admin/v1/audit").await.status, 401);
    assert_eq!(delete(&keys).await.status, 404, "none is left");
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn erasing_takes_everything_and_the_account_too() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let wrote = wrote(&house, "sk-ann").await;
    let customer = house.customers(1).await.remove(0);
    let people = house.staff(&[&[Role::PrivacyOfficer], &[Role::Analyst]]).await;
    let [officer, analyst] = &people[..] else { panic!() };
    let body = json!({"purpose": "privacy-request", "ticket": "REQ-1"});
    for id in [wrote.customer.clone(), customer.customer.unwrap().to_string()] {
        let path = format!("/admin/v1/customers/{id}/erase");
        assert_eq!(refused(&house.post(analyst, &path, &body).await), no(403, "not-allowed", "role_missing"));
        let erased = house.post(officer, &path, &body).await;
        assert_eq!(erased.status, 200, "{}", erased.text());
        assert!(erased.json()["rows"].as_u64().unwrap() > 0);
        assert_eq!(house.post(officer, &path, &body).await.status, 404);
        let list = format!("/admin/v1/customers/{id}?purpose=audit");
        assert_eq!(house.get(officer, &list).await.status, 404);
    }
    let turn = format!("/admin/v1/turns/{}/received?purpose=support", wrote.turn);
    assert_eq!(house.get(analyst, &turn).await.status, 404);
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn policies_can_be_read_and_tried() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let people = house.staff(&[&[Role::Auditor]]).await;
    let auditor = &people[0];
    let all = house.get(auditor, "/admin/v1/policies").await.json();
    let ids: usize =
        all["files"].as_array().unwrap().iter().map(|f| f["ids"].as_array().unwrap().len()).sum();
    assert_eq!((all["count"].as_u64().unwrap(), &all["own"]), (ids as u64, &json!(0)));
    let who = house.get(auditor, "/admin/v1/policies/who?class=payment&action=reveal").await.json();
    let with: Vec<&Value> = who
        .as_array()
        .unwrap()
        .iter()
        .filter(|could| could["rights"] != json!([]))
        .map(|could| &could["name"])
        .collect();
    assert_eq!(with, ["analyst", "privacy-officer"]);
    assert_eq!(house.get(auditor, "/admin/v1/policies/who?class=gold").await.status, 400);
    let found = events(&house, auditor).await;
    assert!(found.iter().all(|event| event["tenant"] == "default"));
    let nothing = house.post(auditor, "/admin/v1/policies/try", &json!({"recorded": []})).await;
    assert_eq!(nothing.json()["asked"], 0, "{}", nothing.text());
    let odd = house.post(auditor, "/admin/v1/policies/try", &json!({"recorded": [{}]})).await;
    assert_eq!(odd.status, 400);
    house.inside.stop().await.unwrap();
}

#[tokio::test]
async fn the_operator_invites_and_locks_from_the_command_line() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let (data, keys) = (home.data(), home.keys());
    let run = async |line: &[&str]| {
        let folders = ["--data", data.to_str().unwrap(), "--keys", keys.to_str().unwrap()];
        home.run(&[line, &folders].concat()).await
    };
    // The token of the first start opens the staff's routes, as long as nobody can administer the house.
    assert_eq!(gateway.admin("/admin/v1/staff").await.json(), json!({"items": []}));
    let done = run(&["staff", "invite", "--name", "Ada", "--role", "admin"]).await;
    assert_eq!(done.code, 0, "{}", done.err);
    let link = done.out.split_whitespace().find(|word| word.starts_with("http")).unwrap();
    let (page, token) = link.split_once('#').unwrap();
    assert_eq!(page, format!("http://localhost:{}/staff/invitation", gateway.private.port()));
    let token = token.to_owned();
    assert!(token.starts_with("cwi_"));
    let id = done.out.split_whitespace().find(|word| word.starts_with("acct_")).unwrap().to_owned();
    assert!(!gateway.printed().contains(&token), "never in the program's own log");
    let both = run(&["staff", "invite", "--name", "Bo", "--role", "admin", "--role", "analyst"]).await;
    assert_eq!(both.code, 5, "{}", both.out);
    assert_eq!(
        run(&["staff", "invite", "--name", "Ada", "--role", "trainer"]).await.code,
        5,
        "a name is one"
    );
    let list = run(&["staff", "list"]).await.out;
    assert!(list.contains(&id) && list.contains("invited") && list.contains("admin  Ada"), "{list}");
    // Invited is not able to sign in yet: the token of the first start still opens.
    assert_eq!(gateway.admin("/admin/v1/staff").await.status, 200);
    assert_eq!(run(&["staff", "lock", "acct_00000000000000000000000000000000"]).await.code, 5);

    let made = run(&["programs", "make", "--name", "reports"]).await.out;
    let program = made.split_whitespace().next().unwrap().to_owned();
    let key = run(&["programs", "key", &program, "--scope", "audit-read"]).await.out;
    assert!(key.contains("cws_"), "{key}");
    assert_eq!(gateway.stop().await, 0);

    // With no process running it is done all the same.
    let again = run(&["staff", "invite-again", &id]).await;
    assert!(again.out.contains("cwi_") && !again.out.contains(&token), "{}{}", again.out, again.err);
    assert_eq!(run(&["programs", "revoke", &program]).await.code, 0);
    let closed = run(&["staff", "close", &id]).await;
    assert!(closed.out.contains("closed"), "{}{}", closed.out, closed.err);
}
