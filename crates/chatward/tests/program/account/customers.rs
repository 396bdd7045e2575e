//! Customers: an account of their own, and what they can do with it.

use serde_json::json;

use super::super::harness::{Bot, Home, log_events, new_caller, until};
use super::{SESSION, Visitor, code, refused, three};

#[tokio::test]
async fn an_account_is_made_used_left_and_come_back_to() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    assert_eq!(ann.look("sign-in").await.status, 200);
    let made = ann.post("account", json!({ "name": "Ann" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let set = made.header("set-cookie");
    assert!(set.starts_with("__Host-chatward-session=cwu_"), "{set}");
    assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"), "{set}");
    assert_eq!(made.header("cache-control"), "no-store");

    let mut phone = ann.phone();
    let added = ann.add_passkey(&mut phone).await;
    assert_eq!((added.status, added.json()["label"].as_str()), (201, Some("phone")), "{}", added.text());
    let before = ann.cookies[SESSION].clone();
    assert_eq!(ann.post("session/sign-out", json!({})).await.status, 204);
    assert!(!ann.cookies.contains_key(SESSION));
    let mut left = ann.clone();
    left.cookies.insert(SESSION.to_owned(), before);
    assert_eq!(refused(&left.get("session").await), three(401, "sign-in-needed", "session-unknown"));

    let entered = ann.sign_in(&mut phone).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    let who = ann.get("session").await.json();
    assert_eq!((who["name"].as_str(), who["fresh"].as_bool()), (Some("Ann"), Some(true)));
    assert_eq!(who["step_up"], json!([]), "whoever came in with a passkey is asked for nothing else");

    // A second factor is a new session's token, under the same account.
    let before = ann.cookies[SESSION].clone();
    let stepped = ann.step_up(&mut phone).await;
    assert_eq!(stepped.status, 200, "{}", stepped.text());
    assert_ne!(ann.cookies[SESSION], before);
    assert!(ann.is_signed_in().await);
    left.cookies.insert(SESSION.to_owned(), before);
    assert!(!left.is_signed_in().await, "the token from before the step-up still counts");

    until("the log", async || {
        let events = log_events(&home.data());
        let has = |action: &str| events.iter().any(|event| event["action"] == action);
        has("account-opened")
            && has("signed-in")
            && has("factor-added")
            && has("stepped-up")
            && has("signed-out")
    })
    .await;
    let printed = gateway.printed();
    assert!(!printed.contains("cwu_") && !printed.contains("Ann"), "{printed}");
}

#[tokio::test]
async fn an_app_is_set_up_shown_once_and_removed() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    // The passkey is set up: without showing it nothing more is.
    assert_eq!(refused(&ann.post("app/begin", json!({})).await).1, "second-factor-needed");
    ann.step_up(&mut phone).await;
    let app = ann.add_app().await;
    let again = ann.post("step-up/app", json!({ "code": code(&app, 0) })).await;
    assert_eq!(refused(&again).2, "code-used", "the code that set it up counts again");
    let next = code(&app, 1);
    let shown = ann.post("step-up/app", json!({ "code": next })).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let replayed = ann.post("step-up/app", json!({ "code": next })).await;
    assert_eq!(refused(&replayed).2, "code-used");
    assert_eq!(ann.get("session").await.json()["set_up"]["app"], true);
    assert_eq!(ann.delete("app").await.status, 204);
    assert_eq!(ann.get("session").await.json()["set_up"]["app"], false);
    assert_eq!(refused(&ann.delete("app").await), three(404, "not-found", "not-set-up"));
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_and_is_no_second_factor() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    assert_eq!(refused(&ann.post("recovery-codes", json!({})).await).1, "second-factor-needed");
    ann.step_up(&mut phone).await;
    let codes = ann.make_codes().await;
    assert_eq!(codes.len(), 10);
    ann.post("session/sign-out", json!({})).await;

    let mut back = Visitor::customer(&gateway);
    let typed = json!({ "name": " ANN ", "code": codes[0].to_uppercase().replace('-', " ") });
    let entered = back.post("sign-in/recovery-code", typed.clone()).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert_eq!(back.get("session").await.json()["fresh"], false);
    assert_eq!(refused(&back.post("recovery-codes", json!({})).await).1, "second-factor-needed");
    // A new passkey may be set up, and waits three days.
    let mut other = back.phone();
    let added = back.add_passkey(&mut other).await.json();
    assert_eq!(added["counts"], "from");
    let stepped = back.step_up(&mut other).await;
    assert_eq!((stepped.status, stepped.json()["fresh"].as_bool()), (200, Some(false)));
    let refusal = back.post("recovery-codes", json!({})).await;
    assert_eq!(refused(&refusal), three(403, "second-factor-needed", "factor-waits"));
    assert_eq!(refusal.json()["next"]["do"], "wait");
    let mut thief = Visitor::customer(&gateway);
    assert_eq!(refused(&thief.post("sign-in/recovery-code", typed).await).1, "sign-in-failed");
}

#[tokio::test]
async fn browsers_are_listed_and_signed_out() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    let (mut second, mut third) = (Visitor::customer(&gateway), Visitor::customer(&gateway));
    assert_eq!(second.sign_in(&mut phone).await.status, 200);
    assert_eq!(third.sign_in(&mut phone).await.status, 200);
    let devices = ann.get("devices").await.json();
    let items = devices["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(items.iter().filter(|device| device["this"] == true).count(), 1);
    let other = items.iter().find(|device| device["this"] == false).unwrap()["id"].as_str().unwrap();
    assert_eq!(ann.delete(&format!("devices/{other}")).await.status, 204);
    assert_ne!(second.is_signed_in().await, third.is_signed_in().await, "one of the two, and only one");
    assert_eq!(ann.delete(&format!("devices/{other}")).await.status, 404);
    assert_eq!(ann.delete("devices/nothing").await.status, 404);
    assert_eq!(ann.post("session/sign-out-everywhere", json!({})).await.status, 204);
    for visitor in [&mut ann, &mut second, &mut third] {
        assert!(!visitor.is_signed_in().await);
    }
}

#[tokio::test]
async fn what_was_written_without_a_name_is_its_customers_and_nobody_elses() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let page = gateway.get("/chat", &[]).await;
    let cookie = page.header("set-cookie").split(';').next().unwrap().to_owned();
    let (name, value) = cookie.split_once('=').unwrap();
    let said = gateway
        .send(
            http::Method::POST,
            "/chat/v1/messages",
            &[("cookie", &cookie), ("content-type", "application/json")],
            json!({ "text": "My card is 4111 1111 1111 1111" }).to_string(),
        )
        .await;
    assert_eq!(said.status, 200, "{}", said.text());
    let turn = format!("turns/{}/received", said.turn());

    // Somebody else, signed in, without the cookie, or with one of their own.
    let mut bob = Visitor::customer(&gateway);
    bob.sign_up("bob").await;
    assert_eq!(
        refused(&bob.post("claim", json!({})).await),
        three(404, "not-found", "not-your-conversation")
    );
    bob.cookies.insert(name.to_owned(), format!("{value}A"));
    assert_eq!(bob.post("claim", json!({})).await.status, 404);
    bob.cookies.remove(name);
    assert_eq!(bob.get(&turn).await.status, 404);

    let mut ann = Visitor::customer(&gateway);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    ann.cookies.insert(name.to_owned(), value.to_owned());
    let claimed = ann.post("claim", json!({})).await;
    assert_eq!(claimed.status, 204, "{}", claimed.text());
    assert_ne!(ann.cookies[name], value, "whoever sits there next reads on");
    let set = claimed.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let received = ann.get(&turn).await;
    assert_eq!(received.status, 200, "{}", received.text());

    // The old cookie is worth nothing any more: not to read, and not to claim with.
    bob.cookies.insert(name.to_owned(), value.to_owned());
    assert_eq!(
        refused(&bob.post("claim", json!({})).await),
        three(404, "not-found", "not-your-conversation")
    );
    assert_eq!(bob.get(&turn).await.status, 404);

    // What she writes while she is signed in is hers: in her browser after signing out, whoever sits there does not read on.
    let later = format!("turns/{}/received", ann.chats("My card is 5555 5555 5555 4444").await.turn());
    assert_eq!(ann.get(&later).await.status, 200);
    ann.cookies.retain(|known, _| known == name);
    assert_eq!(ann.get(&later).await.status, 404);
}

#[tokio::test]
async fn the_host_site_names_its_customers() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (_key, entry) = new_caller(&home, "shop", true).await;
    let secret = "a secret of the host site, 32 bytes at least";
    std::fs::write(home.path("secrets"), format!("{secret}\n")).unwrap();
    let file = home.path("secrets");
    home.configure(&format!(
        "[identity.host]\ncaller = \"shop\"\nsecrets_file = \"{}\"\n{entry}",
        file.display()
    ));
    let gateway = home.serve(&bot).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = |customer: &str, secret: &str, time: u64| {
        let signed = format!("{customer}.{time}");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let mac = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        let mac: String = mac.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        json!({ "token": format!("{signed}.{mac}") })
    };
    // A stranger has taken the id that the host site's customer has as a name: that keeps nobody out.
    let mut squatter = Visitor::customer(&gateway);
    squatter.sign_up("ann@shop.example").await;

    let mut ann = Visitor::customer(&gateway);
    let entered = ann.post("sign-in/host", token("ann@shop.example", secret, now)).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    let account = entered.json()["account"].clone();
    assert_ne!(account, squatter.get("session").await.json()["account"]);
    let mut again = Visitor::customer(&gateway);
    let entered = again.post("sign-in/host", token("ann@shop.example", secret, now)).await;
    assert_eq!(entered.json()["account"], account, "{}", entered.text());

    let mut thief = Visitor::customer(&gateway);
    let wrong = "another secret of the same length, 32 bytes and more";
    for (token, reason) in [
        (token("ann@shop.example", wrong, now), "token-signature"),
        (token("ann@shop.example", secret, now - 400), "token-expired"),
        (json!({ "token": "ann" }), "token-form"),
    ] {
        let refusal = thief.post("sign-in/host", token).await;
        assert_eq!(refused(&refusal), three(401, "sign-in-failed", reason));
        assert_eq!(refusal.json()["next"]["do"], "ask-host-site");
        assert!(!thief.cookies.contains_key(SESSION));
    }
}

#[tokio::test]
async fn without_a_host_site_nobody_vouches_for_anybody() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    assert_eq!(refused(&ann.post("sign-in/host", json!({ "token": "x" })).await).0, 404);
    assert_eq!(gateway.stop().await, 0);
    home.configure("[identity.host]\ncaller = \"shop\"\nsecrets_file = \"missing\"\n[[callers]]\nname = \"shop\"\nkey_hash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n");
    let done = home.fails_to_start(&["--upstream", &bot.url()]).await;
    assert!(done.err.contains("identity.host"), "{}", done.err);
}

#[tokio::test]
async fn pages_work_without_javascript_and_never_end_in_a_dead_end() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut ann = Visitor::customer(&gateway);
    for page in ["security", "step-up", "set-up"] {
        let away = ann.look(page).await;
        assert_eq!((away.status, away.header("location")), (303, "/account/sign-in"), "{page}");
    }
    let empty = ann.form("sign-up", &[("name", " ")]).await;
    assert_eq!(empty.status, 422);
    assert!(empty.text().contains("role=\"alert\" id=\"error\">Choose a name"), "{}", empty.text());
    let made = ann.form("sign-up", &[("name", "ann")]).await;
    assert_eq!((made.status, made.header("location")), (303, "/account/set-up"), "{}", made.text());
    let mut other = Visitor::customer(&gateway);
    let taken = other.form("sign-up", &[("name", "Ann ")]).await;
    assert!(taken.status == 422 && taken.text().contains("has this name already"), "{}", taken.text());

    let page = ann.look("set-up").await;
    assert!(page.text().contains("data-passkey=\"set-up\""), "{}", page.text());
    // Without a passkey: an app, then recovery codes.
    let shown = ann.form("app", &[]).await.text();
    let uri = shown.split("href=\"otpauth").nth(1).unwrap().split('"').next().unwrap();
    let uri = format!("otpauth{}", uri.replace("&amp;", "&").replace("&#38;", "&"));
    let app = totp_rs::Totp::from_url(&uri).unwrap();
    let wrong = ann.form("app/confirm", &[("code", "12")]).await;
    assert!(wrong.status == 422 && wrong.text().contains("not the code of this moment"), "{}", wrong.text());
    let done = ann.form("app/confirm", &[("code", &code(&app, 0))]).await;
    assert_eq!((done.status, done.header("location")), (303, "/account/security"), "{}", done.text());
    let blocked = ann.form("recovery-codes", &[]).await;
    assert_eq!((blocked.status, blocked.header("location")), (303, "/account/step-up"));
    let page = ann.look("step-up").await.text();
    assert!(
        page.contains("step-up/app") && !page.contains("step-up/recovery-code"),
        "only what is set up: {page}"
    );
    let stepped = ann.form("step-up/app", &[("code", &code(&app, 1))]).await;
    assert_eq!(stepped.header("location"), "/account/done", "{}", stepped.text());
    ann.look("security").await;
    let codes = ann.form("recovery-codes", &[]).await.text();
    let code = codes.split("<code>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let out = ann.form("sign-out", &[]).await;
    assert_eq!((out.status, out.header("location")), (303, "/account/sign-in"));
    assert!(!ann.cookies.contains_key(SESSION));

    let mut back = Visitor::customer(&gateway);
    let wrong = back.form("help", &[("name", "ann"), ("code", "0000-0000-0000-0000")]).await;
    assert!(wrong.status == 422 && wrong.text().contains("That did not sign in"), "{}", wrong.text());
    let entered = back.form("help", &[("name", "ann"), ("code", &code)]).await;
    assert_eq!(
        (entered.status, entered.header("location")),
        (303, "/account/security"),
        "{}",
        entered.text()
    );
    let page = back.look("security").await;
    assert!(page.status == 200 && page.text().contains("data-passkey=\"set-up\""), "{}", page.text());
}
