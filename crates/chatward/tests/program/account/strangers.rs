//! What strangers, other sites and other browsers try.

use http::Method;
use serde_json::json;

use super::super::harness::{Bot, Home, log_events, until};
use super::super::phone::Phone;
use super::{BEFORE, SESSION, STAFF_SESSION, Visitor, refused, three};

#[tokio::test]
async fn an_answer_counts_once_and_in_its_own_browser() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.post("session/sign-out", json!({})).await;
    ann.form.clear();

    let answered = ann.answered(&mut phone).await;
    // Another browser, which has a cookie of its own, or none.
    let mut other = Visitor::customer(&gateway);
    assert_eq!(refused(&other.post("sign-in/passkey", answered.clone()).await).1, "start-over");
    other.look("sign-in").await;
    assert_eq!(
        refused(&other.post("sign-in/passkey", answered.clone()).await),
        three(401, "sign-in-failed", "ceremony-of-another")
    );
    // Its own: once.
    assert_eq!(ann.post("sign-in/passkey", answered.clone()).await.status, 200);
    let mut replay = ann.clone();
    replay.cookies.remove(SESSION);
    assert_eq!(
        refused(&replay.post("sign-in/passkey", answered).await),
        three(401, "sign-in-failed", "ceremony-used")
    );
    assert!(!replay.cookies.contains_key(SESSION));

    // A challenge to sign in does not step up, and one to step up does not sign in.
    let answered = ann.answered(&mut phone).await;
    assert_eq!(refused(&ann.post("step-up/passkey", answered).await).2, "ceremony-of-another");
    let begun = ann.post("step-up/passkey/begin", json!({})).await.json();
    let answer = phone.show_json(&begun["options"]);
    let mut same = ann.clone();
    let tried = same.post("sign-in/passkey", json!({ "state": begun["state"], "answer": answer })).await;
    assert_eq!(refused(&tried).2, "ceremony-of-another");
}

#[tokio::test]
async fn a_phishing_page_and_an_unverified_device_are_refused() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    // The same site on another port: the passkey answers, the origin tells.
    let mut elsewhere = phone.copy();
    elsewhere.origin = format!("http://localhost:{}", gateway.private.port());
    let mut victim = Visitor::customer(&gateway);
    assert_eq!(
        refused(&victim.sign_in(&mut elsewhere).await),
        three(401, "sign-in-failed", "passkey-wrong-origin")
    );
    let mut unverified = Phone { verifies: false, ..phone.copy() };
    let begun = victim.post("sign-in/passkey/begin", json!({})).await.json();
    assert_eq!(begun["options"]["publicKey"]["userVerification"], "required");
    let mut options = begun["options"].clone();
    options["publicKey"]["userVerification"] = json!("discouraged");
    let answer = unverified.show_json(&options);
    let tried = victim.post("sign-in/passkey", json!({ "state": begun["state"], "answer": answer })).await;
    assert_eq!(refused(&tried), three(401, "sign-in-failed", "passkey-user-not-verified"));
    assert!(!victim.cookies.contains_key(SESSION));
}

#[tokio::test]
async fn a_planted_cookie_never_becomes_a_session() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    let mut victim = Visitor::customer(&gateway);
    let planted = "cwu_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    victim.cookies.insert(SESSION.to_owned(), planted.to_owned());
    assert_eq!(victim.sign_in(&mut phone).await.status, 200);
    assert_ne!(victim.cookies[SESSION], planted);
    let mut thief = Visitor::customer(&gateway);
    thief.cookies.insert(SESSION.to_owned(), planted.to_owned());
    assert!(!thief.is_signed_in().await);
    // The attacker's own session, planted: it ends instead of becoming the victim's.
    let mut attacker = Visitor::customer(&gateway);
    attacker.sign_up("mallory").await;
    let theirs = attacker.cookies[SESSION].clone();
    let mut victim = Visitor::customer(&gateway);
    victim.cookies.insert(SESSION.to_owned(), theirs.clone());
    assert_eq!(victim.sign_in(&mut phone).await.status, 200);
    assert_ne!(victim.cookies[SESSION], theirs);
    assert!(!attacker.is_signed_in().await);
    // A session's token is no pre-session, and the other way round.
    let mut mixed = Visitor::customer(&gateway);
    mixed.look("sign-in").await;
    let before = mixed.cookies[BEFORE].clone();
    assert!(before.starts_with("cwp_"));
    mixed.cookies.insert(SESSION.to_owned(), before);
    assert!(!mixed.is_signed_in().await);
}

#[tokio::test]
async fn other_sites_can_send_nothing_that_changes_something() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let (form, own) = (ann.form.clone(), ann.origin.clone());
    let other = format!("http://localhost:{}", gateway.private.port());
    let json_type = ("content-type", "application/json");
    for (headers, expected) in [
        (vec![("origin", "https://evil.example"), ("chatward-form", &*form)], "origin-not-allowed"),
        (vec![("origin", "null"), ("chatward-form", &*form)], "origin-not-allowed"),
        (vec![("origin", &*other), ("chatward-form", &*form)], "origin-not-allowed"),
        (
            vec![("sec-fetch-site", "cross-site"), ("origin", &*own), ("chatward-form", &*form)],
            "origin-not-allowed",
        ),
        (vec![("sec-fetch-site", "same-site"), ("chatward-form", &*form)], "origin-not-allowed"),
        (vec![("chatward-form", &*form)], "origin-not-allowed"),
        (vec![("origin", &*own)], "form-token"),
        (vec![("origin", &*own), ("chatward-form", "AAAA")], "form-token"),
    ] {
        let mut all = headers.clone();
        all.push(json_type);
        for path in ["/me/v1/session/sign-out-everywhere", "/me/v1/passkeys/begin"] {
            let answer = ann.raw(Method::POST, path, &all, "{}".to_owned()).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, expected), "{path} {headers:?}");
        }
    }
    // A form's token in the address, or another session's.
    let mut bob = Visitor::customer(&gateway);
    bob.sign_up("bob").await;
    let foreign = [("origin", &*own), ("chatward-form", &*bob.form), json_type];
    let answer = ann.raw(Method::POST, "/me/v1/session/sign-out", &foreign, "{}".to_owned()).await;
    assert_eq!(answer.code(), "form-token");
    // Forms of other sites are neither JSON nor ours; signing somebody in behind their back is not possible either.
    let as_form = [("origin", "https://evil.example"), ("content-type", "application/x-www-form-urlencoded")];
    for (path, fields) in [
        ("/account/sign-up", "name=mallory".to_owned()),
        ("/account/help", "name=mallory&code=1".to_owned()),
        ("/account/sign-out", format!("form={form}")),
        ("/account/security", format!("form={form}")),
    ] {
        let answer = ann.raw(Method::POST, path, &as_form, fields).await;
        assert!(matches!(answer.status, 403 | 405), "{path}: {}", answer.status);
    }
    let plain = [("origin", &*own), ("chatward-form", &*form), ("content-type", "text/plain")];
    let answer = ann.raw(Method::POST, "/me/v1/session/sign-out", &plain, "{}".to_owned()).await;
    assert_eq!(answer.code(), "unsupported-media-type");
    assert!(ann.is_signed_in().await, "something got through");
}

#[tokio::test]
async fn nobody_learns_whether_a_name_is_known() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    ann.make_codes().await;
    let mut stranger = Visitor::customer(&gateway);
    let mut answers = Vec::new();
    for name in ["ann", "nobody"] {
        let tried = json!({ "name": name, "code": "0000-0000-0000-0000" });
        let mut answer = stranger.post("sign-in/recovery-code", tried).await;
        answer.headers.remove("date");
        answers.push((answer.status, format!("{:?}", answer.headers), answer.text()));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 401);
    // A passkey of an account that there is not, and one of an account that there is.
    let mut gone = phone.copy();
    let stored = gone.stored.as_mut().unwrap();
    stored.user_handle = Some(vec![7; 16].into());
    let unknown = stranger.sign_in(&mut gone).await;
    let mut wrong = phone.copy();
    let stored = wrong.stored.as_mut().unwrap();
    stored.credential_id = vec![7; 32].into();
    let known = stranger.sign_in(&mut wrong).await;
    assert_eq!((unknown.status, unknown.text()), (known.status, known.text()));
    assert_eq!(refused(&known), three(401, "sign-in-failed", "sign-in-failed"));
    // The pages say the same.
    let mut pages = Vec::new();
    for name in ["ann", "nobody"] {
        pages.push(stranger.form("help", &[("name", name), ("code", "0000-0000-0000-0000")]).await.text());
    }
    assert_eq!(pages[0], pages[1]);
}

#[tokio::test]
async fn a_page_asked_for_by_number_goes_on_under_its_name() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    for (address, path) in [(gateway.public, "/account/sign-in"), (gateway.private, "/staff/sign-in")] {
        let mut visitor = Visitor::of(address, path.starts_with("/staff"));
        let named = visitor.origin.clone();
        visitor.origin = format!("http://127.0.0.1:{}", address.port());
        let answer = visitor.raw(Method::GET, path, &[], String::new()).await;
        assert_eq!((answer.status, answer.header("location")), (303, &*format!("{named}{path}")));
        visitor.origin = named;
        assert_eq!(visitor.raw(Method::GET, path, &[], String::new()).await.status, 200);
    }
}

#[tokio::test]
async fn a_session_counts_on_its_own_listener_alone() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut there = Visitor::staff(&gateway);
    there.cookies.insert(STAFF_SESSION.to_owned(), ann.cookies[SESSION].clone());
    assert_eq!(refused(&there.get("session").await).1, "sign-in-needed");
    // Nor does a customer's passkey sign in there, whatever its device says.
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    let mut phone = phone.copy();
    phone.origin = there.origin.clone();
    let mut fresh = Visitor::staff(&gateway);
    assert_eq!(refused(&fresh.sign_in(&mut phone).await), three(401, "sign-in-failed", "sign-in-failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stolen_words_tried_on_many_names_from_one_address_are_an_incident() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut stranger = Visitor::customer(&gateway);
    let begun = || log_events(&home.data()).iter().any(|event| event["action"] == "incident-opened");
    for name in ["ann", "ann", "ann", "ben", "ben", "ben", "cal", "cal", "cal", "cal"] {
        let tried = json!({ "name": name, "code": "0000-0000-0000-0000" });
        assert_eq!(stranger.post("sign-in/recovery-code", tried).await.status, 401);
    }
    assert!(!begun(), "three people who do not find their codes");
    for name in ["dan", "eve", "fay", "gus", "hal"] {
        let tried = json!({ "name": name, "code": "0000-0000-0000-0000" });
        assert_eq!(stranger.post("sign-in/recovery-code", tried).await.status, 401);
    }
    until("the incident", async || begun()).await;
    let opened = log_events(&home.data()).into_iter().find(|event| event["action"] == "incident-opened");
    assert_eq!(opened.unwrap()["reason"], "takeover");
}
