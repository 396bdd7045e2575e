//! Staff: invited, set up, signed in.

use serde_json::json;

use super::super::harness::{Bot, Gateway, Home};
use super::{STAFF_SESSION, Visitor, code, refused, three};

/// An invitation, made by the operator on the machine.
async fn invitation(gateway: &Gateway, name: &str) -> String {
    let token = std::fs::read_to_string(gateway.home.keys().join("admin.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("authorization", &*bearer), ("content-type", "application/json")];
    let body = json!({ "name": name, "roles": ["admin"], "reason": "the first administrator" }).to_string();
    let made = Visitor::staff(gateway).raw(http::Method::POST, "/admin/v1/staff", &headers, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_is_invited_sets_up_a_passkey_and_is_in() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let token = invitation(&gateway, "robin").await;
    let mut robin = Visitor::staff(&gateway);
    let page = robin.look("invitation").await;
    assert_eq!((page.status, page.header("referrer-policy")), (200, "same-origin"));
    let entered = robin.form("invitation", &[("token", &token)]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/staff/set-up"), "{}", entered.text());
    robin.look("set-up").await;
    assert_eq!(robin.get("session").await.json()["state"], "invited");
    // Nothing but setting up.
    assert_ne!(robin.get("staff").await.status, 200);
    assert_eq!(robin.look("security").await.header("location"), "/staff/set-up");
    // The link is used up.
    let mut second = Visitor::staff(&gateway);
    assert_eq!(
        refused(&second.post("invitation", json!({ "token": token })).await),
        three(404, "invitation-over", "invitation-unknown")
    );
    assert_eq!(
        refused(&second.post("invitation", json!({ "token": "cwi_x" })).await).2,
        "invitation-unknown"
    );
    let page = second.form("invitation", &[("token", &token)]).await;
    assert!(page.status == 422 && page.text().contains("Ask for a new one"), "{}", page.text());

    let mut phone = robin.phone();
    let added = robin.add_passkey(&mut phone).await;
    assert_eq!(added.status, 201, "{}", added.text());
    let who = robin.get("session").await.json();
    assert_eq!(
        (who["state"].as_str(), who["complete"].as_bool(), who["fresh"].as_bool()),
        (Some("active"), Some(true), Some(false))
    );
    assert_eq!(refused(&robin.get("staff").await).1, "second-factor-needed");
    assert_eq!(robin.look("security").await.header("location"), "/staff/step-up");
    assert_eq!(robin.step_up(&mut phone).await.status, 200);
    assert_eq!(robin.get("staff").await.status, 200);
    assert_eq!(robin.look("security").await.status, 200);
    // The last passkey stays.
    let id = robin.get("passkeys").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        refused(&robin.delete(&format!("passkeys/{id}")).await),
        three(409, "not-now", "last-second-factor")
    );
    let mut again = Visitor::staff(&gateway);
    let entered = again.sign_in(&mut phone).await;
    assert_eq!((entered.status, entered.json()["fresh"].as_bool()), (200, Some(true)), "{}", entered.text());
}

#[tokio::test]
async fn a_password_is_a_first_factor_and_asks_for_the_app() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure("[identity]\npasswords = true\n");
    let gateway = home.serve(&bot).await;
    let token = invitation(&gateway, "robin").await;
    let mut robin = Visitor::staff(&gateway);
    assert_eq!(robin.post("invitation", json!({ "token": token })).await.status, 200);
    let password = "seven tall ships at dawn";
    for (wrong, reason) in [
        ("short", "password-short"),
        ("robin is my own name", "password-holds-name"),
        ("finalfantasy", "password-breached"),
    ] {
        let tried = robin.send(http::Method::PUT, "password", &json!({ "password": wrong })).await;
        assert_eq!(refused(&tried), three(422, "not-accepted", reason));
    }
    let set = robin.send(http::Method::PUT, "password", &json!({ "password": password })).await;
    assert_eq!(set.status, 204, "{}", set.text());
    assert_eq!(robin.get("session").await.json()["state"], "invited", "a password alone is not enough");
    let app = robin.add_app().await;
    assert_eq!(robin.get("session").await.json()["state"], "active");

    let mut again = Visitor::staff(&gateway);
    let entered = again.form("sign-in", &[("name", "Robin"), ("password", password)]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/staff/done"), "{}", entered.text());
    assert_eq!(refused(&again.get("staff").await).1, "second-factor-needed");
    let page = again.look("security").await;
    assert_eq!(page.header("location"), "/staff/step-up");
    let page = again.look("step-up").await.text();
    assert!(page.contains("step-up/app") && !page.contains("recovery-code\""), "{page}");
    let stepped = again.form("step-up/app", &[("code", &code(&app, 1))]).await;
    assert_eq!((stepped.status, stepped.header("location")), (303, "/staff/done"), "{}", stepped.text());
    assert_eq!(again.look("security").await.status, 200);
    assert_eq!(again.get("staff").await.status, 200);

    // Known and unknown names, right names with wrong passwords: one answer.
    let mut stranger = Visitor::staff(&gateway);
    let mut seen = Vec::new();
    for name in ["robin", "nobody"] {
        let tried = json!({ "name": name, "password": "not the password" });
        let answer = stranger.post("sign-in/password", tried).await;
        seen.push((refused(&answer), answer.text()));
        assert!(!stranger.cookies.contains_key(STAFF_SESSION));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, three(401, "sign-in-failed", "sign-in-failed"));
    let (one, other) = (
        stranger.form("sign-in", &[("name", "robin"), ("password", "x")]).await.text(),
        stranger.form("sign-in", &[("name", "nobody"), ("password", "x")]).await.text(),
    );
    assert_eq!(one, other);
    assert!(one.contains("That did not sign in"), "{one}");
}

#[tokio::test]
async fn without_passwords_nobody_learns_anything_from_one() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    invitation(&gateway, "robin").await;
    let mut stranger = Visitor::staff(&gateway);
    let mut seen = Vec::new();
    for name in ["robin", "nobody"] {
        let answer = stranger.post("sign-in/password", json!({ "name": name, "password": "x" })).await;
        seen.push(refused(&answer));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].2, "passwords-off");
    assert!(!stranger.look("sign-in").await.text().contains("type=\"password\""));
}

#[tokio::test]
async fn a_recovery_code_does_not_stand_for_the_second_factor_of_staff() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let token = invitation(&gateway, "robin").await;
    let mut robin = Visitor::staff(&gateway);
    robin.post("invitation", json!({ "token": token })).await;
    let mut phone = robin.phone();
    robin.add_passkey(&mut phone).await;
    robin.step_up(&mut phone).await;
    let codes = robin.make_codes().await;
    let mut lost = Visitor::staff(&gateway);
    let entered = lost.form("help", &[("name", "robin"), ("code", &codes[3])]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/staff/security"), "{}", entered.text());
    let page = lost.look("security").await;
    assert_eq!(page.status, 200);
    let mut new = lost.phone();
    assert_eq!(lost.add_passkey(&mut new).await.json()["counts"], "unconfirmed");
    lost.step_up(&mut new).await;
    let refusal = lost.get("staff").await;
    assert_eq!(refused(&refusal), three(403, "second-factor-needed", "factor-unconfirmed"));
    assert_eq!(refusal.json()["next"]["do"], "ask-administrator");
}

/// Cookies do not know ports: on one machine both listeners get all of them.
#[tokio::test]
async fn who_is_signed_in_to_both_listeners_of_a_machine_stays_so() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let token = invitation(&gateway, "robin").await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut robin = Visitor::staff(&gateway);
    robin.cookies = ann.cookies.clone();
    assert_eq!(robin.post("invitation", json!({ "token": token })).await.status, 200);
    ann.cookies = robin.cookies.clone();
    assert!(ann.is_signed_in().await && robin.is_signed_in().await);
    robin.post("session/sign-out", json!({})).await;
    ann.cookies = robin.cookies.clone();
    assert!(ann.is_signed_in().await && !robin.is_signed_in().await);
}
