//! The configuration's commands, its reload, and the limits it sets.

use http::Method;
use serde_json::json;

use super::harness::{Bot, Home, ask, log_events, new_caller, until};

#[tokio::test]
async fn the_configuration_can_be_checked_explained_and_described() {
    let home = Home::new();
    home.configure("[limits]\nper_caller = 7\n[upstreams.bot]\nurl = \"https://bot.example/v1\"\nkey_env = \"BOT_KEY\"\n");
    let missing = home.run(&["config", "check"]).await;
    assert_eq!(missing.code, 1);
    assert!((missing.out + &missing.err).contains("upstreams.bot.key_env"));
    std::fs::write(home.path("bot.key"), "sk-very-secret\n").unwrap();
    home.configure("[limits]\nper_caller = 7\n[upstreams.bot]\nurl = \"https://bot.example/v1\"\nkey_file = \"bot.key\"\n");
    let good = home.run(&["config", "check"]).await;
    assert_eq!(good.code, 0, "{good:?}");
    let explained = home.run(&["config", "explain"]).await;
    assert_eq!(explained.code, 0);
    assert!(explained.out.contains("limits.per_caller = 7  # file"), "{}", explained.out);
    assert!(explained.out.contains("limits.burst = 60  # default"), "{}", explained.out);
    assert!(!explained.out.contains("very-secret"), "{}", explained.out);
    let schema = home.run(&["config", "schema"]).await;
    let schema: serde_json::Value = serde_json::from_str(&schema.out).unwrap();
    assert!(schema["properties"]["upstreams"].is_object());
    home.configure("[server]\nread_timeout = \"soon\"\n[[handling]]\nkind = \"card_code\"\nto = \"bot\"\noperator = \"pass\"\n");
    let bad = home.run(&["config", "check"]).await;
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!((bad.out + &bad.err).contains("server.read_timeout"));
}

#[tokio::test]
async fn a_good_new_configuration_is_taken_and_a_bad_one_is_not() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let with = |more: &str| format!("[upstreams.bot]\nurl = \"{}\"\n{more}", bot.url());
    home.configure(&with(""));
    let gateway = home.start(&[]).await;
    let mail = "mail ann@mail.example";
    gateway.chat("sk", &[], &ask("echo", mail)).await.content();
    assert_eq!(bot.last().asked(), "mail [EMAIL_1]");

    home.configure(&with("[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"sing\"\n"));
    gateway.signal("HUP");
    until("the refusal", async || gateway.printed().contains("the old one stays")).await;
    assert!(gateway.admin("/readyz").await.text().contains("config"), "nobody is told");
    gateway.chat("sk", &[], &ask("echo", mail)).await.content();
    assert_eq!(bot.last().asked(), "mail [EMAIL_1]");

    home.configure(&with("[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"drop\"\n"));
    gateway.signal("HUP");
    until("the new one", async || {
        log_events(&home.data()).iter().any(|event| event["action"] == "config-changed")
    })
    .await;
    assert_eq!(gateway.admin("/readyz").await.status, 200);
    let answer = gateway.chat("sk", &[], &ask("echo", mail)).await;
    assert!(
        !bot.last().text().contains("ann@") && !bot.last().text().contains("EMAIL_1"),
        "{}",
        bot.last().text()
    );
    assert!(!answer.content().contains("ann@"), "{}", answer.content());

    // Blocking is a refusal in the protocol's own words, and it is written down.
    home.configure(&with(
        "[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"block\"\n[refusal]\nstyle = \"error\"\n",
    ));
    gateway.signal("HUP");
    let asked = bot.seen().len();
    until("the third one", async || {
        log_events(&home.data()).iter().filter(|event| event["action"] == "config-changed").count() == 2
    })
    .await;
    let refused = gateway.chat("sk", &[], &ask("echo", mail)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "content_policy_violation"),
        "{}",
        refused.text()
    );
    super::harness::log_says(&gateway, &refused.turn(), "turn-refused").await;
    assert_eq!(bot.seen().len(), asked, "a blocked message reached the bot");
}

#[tokio::test]
async fn rates_are_limited_for_each_caller() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure("[limits]\nper_caller = 2\nburst = 3\nper_address = 1\n");
    let gateway = home.serve(&bot).await;
    for _ in 0..3 {
        assert_eq!(gateway.chat("sk-1", &[], &ask("echo", "hello")).await.status, 200);
    }
    let limited = gateway.chat("sk-1", &[], &ask("echo", "hello")).await;
    assert_eq!((limited.status, limited.code().as_str()), (429, "rate-limited"));
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(gateway.chat("sk-2", &[], &ask("echo", "hello")).await.status, 200);
    assert_eq!(bot.seen().len(), 4);
}

#[tokio::test]
async fn requests_have_bounds_and_errors_have_shapes() {
    let (home, bot) = (Home::new(), Bot::new().await);
    home.configure("[server]\nmax_body_bytes = 2000\nmax_messages = 3\nread_timeout = \"300ms\"\n");
    let gateway = home.serve(&bot).await;
    let long = gateway.chat("sk", &[], &ask("echo", &"long ".repeat(500))).await;
    assert_eq!((long.status, long.code().as_str()), (413, "body-too-large"), "{}", long.text());
    let message = json!({"role": "user", "content": "x"});
    let many = gateway.chat("sk", &[], &json!({"model": "echo", "messages": vec![message; 4]})).await;
    assert_eq!((many.status, many.code().as_str()), (413, "too-many-messages"));
    let post = async |body: Vec<u8>| {
        gateway.send(Method::POST, "/v1/chat/completions", &[("authorization", "Bearer sk")], body).await
    };
    for body in [
        &b"{"[..],
        b"",
        b"[]",
        b"null",
        b"{\"messages\":1}",
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
        b"{\"messages\":[],\"messages\":[]}",
    ] {
        let answer = post(body.to_vec()).await;
        assert_eq!(answer.status, 400, "{}: {}", String::from_utf8_lossy(body), answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        let error = &answer.json()["error"];
        for member in ["message", "type", "param", "code"] {
            assert!(error.get(member).is_some(), "{error}");
        }
        assert_eq!(error["type"], "invalid_request_error");
    }
    // A body that announces more than it sends.
    let mut slow = tokio::net::TcpStream::connect(gateway.public).await.unwrap();
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    slow.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\n{")
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    super::harness::soon("an answer", slow.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    drop(slow);
    // Who writes all of a request before they read hears that it is too long, on each sort of route.
    for path in ["/v1/chat/completions", "/me/v1/requests"] {
        let mut eager = tokio::net::TcpStream::connect(gateway.public).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk\r\ncontent-length: {}\r\n\r\n",
            12 << 20
        );
        eager.write_all(head.as_bytes()).await.unwrap();
        super::harness::soon("the body", eager.write_all(&vec![b' '; 12 << 20])).await.unwrap();
        super::harness::soon("an answer", eager.read_exact(&mut answer)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413", "{path}");
    }

    for (method, path, status) in [
        (Method::GET, "/v1/embeddings", 404),
        (Method::POST, "/v1/chat/completion", 404),
        (Method::GET, "/v1/chat/completions", 405),
    ] {
        let answer = gateway.send(method, path, &[("authorization", "Bearer sk")], "").await;
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
    }
    for (method, path, status) in [
        (Method::GET, "/nothing", 404),
        (Method::DELETE, "/log/checkpoint", 405),
        (Method::GET, "/me/v1/turns/x/received", 404),
        (Method::GET, "/admin/v1/turns/x/received", 404),
        (Method::GET, "/metrics", 404),
        // The page is there only with the built-in bot.
        (Method::GET, "/chat", 404),
    ] {
        let answer = gateway.send(method, path, &[("authorization", "Bearer sk")], "").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert!(answer.json()["type"].as_str().unwrap().starts_with("urn:chatward:problem:"));
    }
    assert_eq!(bot.seen().len(), 0, "something reached the bot");
    assert_eq!(
        gateway.get("/v1/models", &[("authorization", "Bearer sk")]).await.json()["data"][0]["id"],
        "echo"
    );
}

#[tokio::test]
async fn each_upstream_gets_its_own_models_key_and_callers() {
    let (home, main, small) = (Home::new(), Bot::new().await, Bot::new().await);
    let (key, shop) = new_caller(&home, "shop", false).await;
    let (other, site) = new_caller(&home, "site", false).await;
    std::fs::write(home.path("small.key"), "sk-small\n").unwrap();
    home.configure(&format!(
        "[upstreams.main]\nurl = \"{}\"\ndefault = true\n[upstreams.small]\nurl = \"{}\"\nkey_file = \"small.key\"\n\
         models = [\"small-*\"]\n{shop}\n{site}upstreams = [\"main\"]\n",
        main.url(),
        small.url()
    ));
    let gateway = home.start(&[]).await;
    assert_eq!(gateway.chat(&key, &[], &ask("anything", "one")).await.content(), "one");
    assert_eq!(gateway.chat(&key, &[], &ask("small-1", "two")).await.content(), "two");
    assert_eq!((main.seen().len(), small.seen().len()), (1, 1));
    let head = small.last().head.to_lowercase();
    assert!(head.contains("authorization: bearer sk-small"), "{head}");
    assert!(!main.last().head.to_lowercase().contains("authorization"), "an own key went out");
    let refused = gateway.chat(&other, &[], &ask("small-1", "two")).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "upstream-not-allowed"));
    assert_eq!(small.seen().len(), 1);
}

/// A rule with a list, as an operator would write it.
const STAFF: &str = r#"
id = "staff"
kind = "staff_name"
entity = "PERSON"
class = "identity"
label = "STAFF"
description = "Who works here"
source = "the house"
words_file = "staff.txt"
[[example]]
text = "ask «Quux Frobnitz» now"
[[near_miss]]
text = "Quux Frobnitzer"
"#;

#[tokio::test]
async fn the_houses_own_rules_are_checked_timed_and_explained() {
    let home = Home::new();
    let rules = home.path("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("staff.toml"), STAFF).unwrap();
    let missing = home.run(&["rules", "check", "rules"]).await;
    assert_eq!(missing.code, 3, "{missing:?}");
    std::fs::write(rules.join("staff.txt"), "Quux Frobnitz\nAnn Lee\n").unwrap();
    let good = home.run(&["rules", "check", "rules"]).await;
    assert_eq!(good.code, 0, "{good:?}");
    assert!(good.out.contains("staff.toml: at most 14 steps a byte"), "{}", good.out);
    assert!(good.out.contains("ns a byte"), "{}", good.out);

    let explain = |more: &[&'static str]| {
        let args: Vec<&str> = ["rules", "explain"].iter().chain(more).copied().collect();
        let home = &home;
        async move { home.run(&args).await }
    };
    let found = explain(&["--rules", "rules", "ask quux frobnitz about 4111 1111 1111 1112"]).await;
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.out.contains("\"quux frobnitz\"  PERSON staff_name  reported"), "{}", found.out);
    assert!(found.out.contains("list of phrases"), "{}", found.out);
    assert!(found.out.contains("not reported"), "{}", found.out);
    let answer = explain(&["--previous", "What is your PIN?", "4471"]).await;
    assert!(answer.out.contains("answers the question before it"), "{}", answer.out);

    // A value that cannot be looked for, and a kind that nobody finds, are named at the start.
    std::fs::write(rules.join("staff.txt"), "Quux Frobnitz\n\u{200B}\n").unwrap();
    let bad = home.run(&["rules", "check", "rules"]).await;
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.err.contains("line 2: holds nothing that can be seen"), "{}", bad.err);
    home.configure("[[detection.denied]]\nkind = \"no_such_kind\"\nvalues = [\"x\"]\n");
    let bad = home.run(&["config", "check"]).await;
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!((bad.out + &bad.err).contains("there is no kind no_such_kind"));
    home.configure("[[detection.allowed]]\nkind = \"card\"\nvalues = [\"4111 1111 1111 1111\"]\n[detection.thresholds]\nidentity = 1.0\n");
    let allowed = explain(&["card 4111 1111 1111 1111, mail ann@mail.example"]).await;
    assert_eq!(allowed.code, 0, "{allowed:?}");
    assert!(!allowed.out.contains(" reported with"), "{}", allowed.out);
}
