//! First start, second start, and the page with the built-in bot.

use std::os::unix::fs::PermissionsExt as _;

use http::Method;
use serde_json::json;

use super::harness::{Answer, Gateway, Home, delta, events};

const CARD: &str = "4111 1111 1111 1111";

async fn message(gateway: &Gateway, cookie: &str, more: &[(&str, &str)], text: &str) -> Answer {
    let mut headers = vec![("cookie", cookie), ("content-type", "application/json")];
    headers.extend(more);
    let body = json!({"text": text}).to_string();
    gateway.send(Method::POST, "/chat/v1/messages", &headers, body).await
}

#[tokio::test]
async fn the_page_works_from_the_first_start() {
    let home = Home::new();
    let gateway = home.start(&[]).await;
    let said = gateway.said.join("\n");
    for line in [
        "Made the data folder",
        "Made the operator's key",
        "built-in support bot",
        "Chat: ",
        "API: ",
        "Private: ",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    for (file, mode) in [("operator.key", 0o600), ("admin.token", 0o600), (".", 0o700), ("../data", 0o700)] {
        let file = home.keys().join(file);
        let found = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", file.display());
    }
    assert!(!std::fs::exists(home.data().join("operator.key")).unwrap());

    let page = gateway.get("/chat", &[]).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let set = page.header("set-cookie");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    // The page asks nobody else for anything.
    let html = page.text();
    assert!(!html.contains("<style") && !html.contains("onclick") && !html.contains("src=\"http"), "{html}");

    let first = message(&gateway, &cookie, &[], "Hi, I am Maria, my e-mail is maria@mail.example").await;
    assert_eq!(first.status, 200, "{}", first.text());
    let answer = first.content();
    assert!(answer.contains("maria@mail.example"), "{answer}");
    let second = message(&gateway, &cookie, &[], &format!("My card is {CARD}")).await;
    assert!(second.content().contains("1111") && !second.content().contains('['), "{}", second.content());

    // The second request brought the first one along, as the bot saw and said it.
    let shown = async |answer: &Answer, cookie: &str| {
        gateway.get(&format!("/me/v1/turns/{}/received", answer.turn()), &[("cookie", cookie)]).await
    };
    let received = shown(&second, &cookie).await;
    assert_eq!(received.status, 200, "{}", received.text());
    let body = received.json();
    let texts: Vec<_> =
        body["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].contains("[EMAIL_1]") && texts[1].contains("[EMAIL_1]"), "{texts:?}");
    assert!(texts[2].contains("[CARD_1 ending 1111]"), "{texts:?}");
    assert!(!received.text().contains("4111 1") && !received.text().contains("maria@"));
    assert_eq!(
        gateway.admin(&format!("/admin/v1/turns/{}/received", second.turn())).await.body,
        received.body
    );
    let whole: String = events(&second.body).iter().map(delta).collect();
    assert_eq!(whole, second.content());

    // Another browser: another conversation, and no look at this one.
    let other = gateway.get("/chat", &[]).await.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_ne!(other, cookie);
    assert_eq!(shown(&second, &other).await.status, 404);
    let alone = message(&gateway, &other, &[], "Hello").await;
    assert_eq!(shown(&alone, &other).await.json()["messages"].as_array().unwrap().len(), 1);

    // Only the page itself may talk to its route.
    for foreign in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")]
    {
        let refused = message(&gateway, &cookie, &[foreign], "Hello").await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "origin-not-allowed"), "{foreign:?}");
    }
    let own = [("origin", "http://localhost"), ("sec-fetch-site", "same-origin")];
    assert_eq!(message(&gateway, &cookie, &own, "Hello").await.status, 200);
    let forged = message(&gateway, &(cookie.clone() + "A"), &[], "Hello").await;
    assert_eq!(forged.status, 401);
    assert_eq!(gateway.stop().await, 0);

    // The second start makes nothing and knows the conversation.
    let gateway = home.start(&[]).await;
    let said = gateway.said.join("\n");
    assert!(!said.contains("Made"), "{said}");
    let third = message(&gateway, &cookie, &[], "Which e-mail did I give?").await;
    assert_eq!(third.status, 200);
    let body =
        gateway.get(&format!("/me/v1/turns/{}/received", third.turn()), &[("cookie", &cookie)]).await.json();
    assert_eq!(body["messages"].as_array().unwrap().len(), 7, "{body}");
}
