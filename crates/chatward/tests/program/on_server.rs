//! Several gateways on one PostgreSQL server, and a server that goes away.

use std::sync::Arc;

use serde_json::json;

use super::erasing::{admin_received, erase, says};
use super::harness::{Bot, Gateway, Home, ask, log_events, new_caller, psql, until};

/// Two gateways with the same databases and keys.
async fn two(home: &Home, bot: &Bot) -> [Gateway; 2] {
    [home.serve(bot).await, home.beside().serve(bot).await]
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn two_gateways_serve_one_conversation_in_turn() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&entry);
    let both = two(&home, &bot).await;
    let mut turns = Vec::new();
    for n in 0..12 {
        // What is new, and something that the other gateway saw first.
        let text = format!("my mail n{n}@mail.example, before it was n{}@mail.example", n / 2);
        turns.push(says(&both[n % 2], &key, "ann", &text).await.turn());
        let asked = format!("my mail [EMAIL_{}], before it was [EMAIL_{}]", n + 1, n / 2 + 1);
        assert_eq!(bot.last().asked(), asked, "turn {n}");
    }
    // Each shows what the other's bot received.
    for turn in &turns {
        for gateway in &both {
            assert_eq!(gateway.received(&key, turn).await.status, 200);
        }
    }
    // Another customer's placeholder of the same name is another value, on both.
    for (n, gateway) in both.iter().enumerate() {
        let text = format!("ben{n}@mail.example");
        says(gateway, &key, "ben", &text).await;
        assert_eq!(bot.last().asked(), format!("[EMAIL_{}]", n + 1));
    }
    // By its history alone: begun on one, continued on the other.
    let first = json!({"model": "echo", "messages": [{"role": "user", "content": "I am cal@mail.example"}]});
    let said = both[0].chat(&key, &[], &first).await.content();
    let next = json!({"model": "echo", "messages": [
        {"role": "user", "content": "I am cal@mail.example"}, {"role": "assistant", "content": said},
        {"role": "user", "content": "and dan@mail.example, cal@mail.example"}]});
    assert_eq!(both[1].chat(&key, &[], &next).await.content(), "and dan@mail.example, cal@mail.example");
    assert_eq!(bot.last().asked(), "and [EMAIL_2], [EMAIL_1]");

    // Erased through one: the other knows nothing any more, neither the rows nor the key nor the value.
    let done = erase(&home, "ann").await;
    assert_eq!(done.code, 0, "{done:?}");
    for turn in &turns {
        for gateway in &both {
            assert_eq!(gateway.received(&key, turn).await.status, 404);
            assert_eq!(admin_received(gateway, turn).await.status, 404);
        }
    }
    for gateway in both.iter().rev() {
        // The bot names a placeholder of before: it stays what it is.
        let named = [("chatward-customer", "ann"), ("chatward-conversation", "c")];
        bot.play("old", super::harness::Play::Say("was it [EMAIL_9]?".into(), 100));
        let answer = gateway.chat(&key, &named, &ask("old", "new@mail.example")).await;
        assert_eq!(answer.content(), "was it [EMAIL_9]?");
        assert_eq!(bot.last().asked(), "[EMAIL_1]");
    }
    let erased = || log_events(&home.data()).iter().filter(|e| e["action"] == "customer-erased").count();
    // One gateway signs, the other follows a little later.
    until("the erasure in the first one's log", async || erased() == 1).await;
    for gateway in &both {
        assert_eq!(gateway.stop().await, 0);
    }
    for data in ["data", "data-beside"] {
        let verified = home.run(&["log", "verify", "--data", data]).await;
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    assert_eq!(erased(), 1);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn two_gateways_at_once_give_no_label_twice() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&entry);
    let both = Arc::new(two(&home, &bot).await);
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let (both, key) = (Arc::clone(&both), key.clone());
            tokio::spawn(async move {
                for n in 0..8 {
                    let text = format!("c{client}n{n}@mail.example");
                    // All in one conversation of one customer, whose first turns run at once.
                    let named = [("chatward-customer", "eve"), ("chatward-conversation", "c")];
                    let answer = both[(client + n) % 2].chat(&key, &named, &ask("echo", &text)).await;
                    if answer.status == 503 {
                        // Overtaken too often: told so, and nothing was restored wrongly.
                        continue;
                    }
                    assert_eq!(answer.content(), text, "a wrong value was restored");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let asked: Vec<String> = bot.seen().iter().map(|seen| seen.asked()).collect();
    let different: std::collections::HashSet<&String> = asked.iter().collect();
    assert!(asked.len() >= 24, "only {} of 48 went through", asked.len());
    assert_eq!(different.len(), asked.len(), "two values had one label: {asked:?}");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_gateway_is_not_ready_while_its_database_is_away_and_comes_back() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    assert_eq!(gateway.admin("/readyz").await.status, 200);
    let turn = gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await.turn();
    for (database, need) in [(home.store(), "store"), (home.keyring(), "keys")] {
        let (server, name) = database.superuser.rsplit_once('/').unwrap();
        let maintenance = format!("{server}/postgres");
        let away = |away: bool| {
            psql(&maintenance, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !away)).unwrap();
            let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname =";
            psql(&maintenance, &format!("{cut} '{name}'")).unwrap();
        };
        away(true);
        until("it to notice", async || gateway.admin("/readyz").await.status == 503).await;
        assert!(gateway.admin("/readyz").await.text().contains(need));
        assert_eq!(gateway.admin("/livez").await.status, 200);
        let seen = bot.seen().len();
        let named = [("chatward-conversation", "one")];
        let refused = gateway.chat("sk", &named, &ask("echo", "mail bob@mail.example")).await;
        if need == "store" {
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (503, "store-unavailable"),
                "{}",
                refused.text()
            );
            assert_eq!(bot.seen().len(), seen, "something reached the bot");
        }
        assert!(!refused.text().contains("postgres"), "{}", refused.text());
        away(false);
        until("it to come back", async || gateway.admin("/readyz").await.status == 200).await;
        let answer = gateway.chat("sk", &named, &ask("echo", "mail cid@mail.example")).await;
        assert_eq!(answer.content(), "mail cid@mail.example");
        assert_eq!(gateway.received("sk", &turn).await.status, 200, "what was acknowledged is there");
    }
    assert_eq!(gateway.stop().await, 0);
    assert_eq!(home.run(&["log", "verify", "--data", "data"]).await.code, 0);
    for secret in ["chatward_owner@", "chatward@127"] {
        assert!(!gateway.printed().contains(secret), "{}", gateway.printed());
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn databases_that_cannot_be_used_are_named() {
    let home = Home::new();
    let (store, keyring) = (home.store(), home.keyring());
    let told = async |env: &[(&str, &str)], code: i32, word: &str| {
        let mut command = home.command(&["config", "check"]);
        command.envs(env.iter().copied());
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{text}");
        assert!(text.contains(word) && !text.contains("hunter2"), "{text}");
    };
    told(&[], 0, "good").await;
    told(
        &[("CHATWARD__KEYRING__URL", &store.serving), ("CHATWARD__KEYRING__OWNER_URL", &store.owner)],
        4,
        "keyring",
    )
    .await;
    told(&[("CHATWARD__STORE__URL", "postgres://a:hunter2@localhost/d")], 1, "password").await;
    told(&[("CHATWARD__STORE__URL", "mysql://localhost/d")], 1, "store.url").await;
    told(&[("CHATWARD__STORE__OWNER_URL", &keyring.owner)], 1, "another database").await;
    told(
        &[("CHATWARD__STORE__URL_ENV", "OTHER"), ("OTHER", "postgres://x@localhost/d")],
        1,
        "more than once",
    )
    .await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_data_folder_moves_to_a_server_and_its_conversations_go_on() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&entry);
    let before = home.embedded();
    let gateway = before.serve(&bot).await;
    let turn = says(&gateway, &key, "ann", "I am ann@mail.example").await.turn();
    let erased = says(&gateway, &key, "ben", "I am ben@mail.example").await.turn();
    assert_eq!(erase(&before, "ben").await.code, 0);
    let copy = ["store", "copy", "--from", "data", "--keys", "keys"];
    let busy = home.run(&copy).await;
    assert_eq!(busy.code, 5, "it is in use: {busy:?}");
    assert_eq!(gateway.stop().await, 0);

    let done = home.run(&copy).await;
    assert!(done.code == 0 && done.out.contains("same root hash"), "{done:?}");
    // That of whoever is left, and that of the certificate.
    assert!(done.out.contains("copied 2 keys"), "{done:?}");
    let again = home.run(&copy).await;
    assert!(again.code == 4 && again.err.contains("not empty"), "{again:?}");
    let open =
        home.run(&["store", "copy", "--from", "data", "--to", "postgres://a:hunter2@localhost/d"]).await;
    assert!(open.code == 3 && open.err.contains("password") && !open.err.contains("hunter2"), "{open:?}");

    let gateway = home.beside().serve(&bot).await;
    assert_eq!(gateway.received(&key, &turn).await.status, 200);
    assert_eq!(gateway.received(&key, &erased).await.status, 404);
    says(&gateway, &key, "ann", "again ann@mail.example and bob@mail.example").await;
    assert_eq!(bot.last().asked(), "again [EMAIL_1] and [EMAIL_2]");
    assert_eq!(gateway.stop().await, 0);
    // The checkpoint of before is one of the log that goes on.
    let held = ["log", "verify", "--data", "data-beside", "--checkpoint", "data/log/checkpoint"];
    let verified = home.run(&held).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    // Back is nothing but the folder, which is as it was.
    let gateway = before.serve(&bot).await;
    assert_eq!(gateway.received(&key, &turn).await.status, 200);
}
