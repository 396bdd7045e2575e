//! Erasing a customer, and renewing keys.

use std::sync::Arc;

use super::harness::{Answer, Bot, Gateway, Home, ask, copy_folder, log_events, new_caller, until};

const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];

pub(crate) async fn erase(home: &Home, id: &str) -> super::harness::Done {
    let mut args = vec!["customer", "erase", id];
    args.extend(PLACES);
    home.run(&args).await
}

pub(crate) async fn says(gateway: &Gateway, key: &str, customer: &str, text: &str) -> Answer {
    let named = [("chatward-customer", customer), ("chatward-conversation", "c")];
    let answer = gateway.chat(key, &named, &ask("echo", text)).await;
    assert_eq!(answer.content(), text);
    answer
}

pub(crate) async fn admin_received(gateway: &Gateway, turn: &str) -> Answer {
    gateway.admin(&format!("/admin/v1/turns/{turn}/received")).await
}

#[tokio::test]
async fn erasing_in_the_middle_of_a_turn_ends_it_cleanly() {
    use super::harness::{Act, Play, ask_stream};
    let (home, bot) = (Home::new(), Bot::new().await);
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&entry);
    let acts = vec![
        Act::head("200 OK", "text/event-stream"),
        Act::says("Good morning, dear customer. "),
        Act::says("How"),
        Act::Hang,
    ];
    bot.play("slow", Play::Wire(acts));
    let gateway = home.serve(&bot).await;
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer), ("chatward-customer", "ann"), ("chatward-conversation", "c")];
    let mut flow =
        gateway.open("/v1/chat/completions", &headers, &ask_stream("slow", "I am ann@mail.example")).await;
    flow.read_until("Good morning").await;
    let turn = flow.turn();
    let done = erase(&home, "ann").await;
    assert_eq!(done.code, 0, "{done:?}");
    drop(flow);
    bot.left().await;
    assert_eq!(admin_received(&gateway, &turn).await.status, 404);
    says(&gateway, &key, "ann", "I am new@mail.example").await;
    assert_eq!(gateway.stop().await, 0);
    let gateway = home.serve(&bot).await;
    assert_eq!(admin_received(&gateway, &turn).await.status, 404, "the turn came back");
    gateway.stop().await;
    assert_eq!(home.run(&["log", "verify", "--data", "data"]).await.code, 0);
}

#[tokio::test]
async fn keys_are_rotated_under_load() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = Arc::new(home.serve(&bot).await);
    let loads: Vec<_> = (0..4)
        .map(|client| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move {
                let mut turns = Vec::new();
                for n in 0..25 {
                    let text = format!("mail c{client}n{n}@mail.example");
                    let conversation = format!("c{client}-{}", n % 3);
                    let named = [("chatward-conversation", &*conversation)];
                    let answer = gateway.chat("sk", &named, &ask("echo", &text)).await;
                    assert_eq!(answer.content(), text);
                    turns.push(answer.turn());
                }
                turns
            })
        })
        .collect();
    bot.came(10).await;
    let mut args = vec!["keys", "rotate"];
    args.extend(PLACES);
    for epoch in 2..4 {
        let done = home.run(&args).await;
        assert!(done.code == 0 && done.out.starts_with(&format!("epoch {epoch}:")), "{done:?}");
    }
    let mut turns = Vec::new();
    for load in loads {
        turns.extend(load.await.unwrap());
    }
    for turn in turns.iter().step_by(5) {
        assert_eq!(admin_received(&gateway, turn).await.status, 200);
    }
    assert_eq!(gateway.stop().await, 0);
    let done = home.run(&args).await;
    assert!(done.code == 0 && done.out.starts_with("epoch 4:"), "{done:?}");
    let gateway = home.serve(&bot).await;
    for turn in turns.iter().step_by(5) {
        assert_eq!(admin_received(&gateway, turn).await.status, 200);
    }
    until("the rotations in the log", async || {
        log_events(&home.data()).iter().filter(|event| event["action"] == "keys-rotated").count() == 3
    })
    .await;
}

/// What looks into the files of the embedded store.
mod embedded {
    use super::*;

    #[tokio::test]
    async fn erased_is_gone_also_from_older_copies() {
        let (home, bot) = (Home::new(), Bot::new().await);
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&entry);
        let gateway = home.serve(&bot).await;
        let ann = says(&gateway, &key, "ann", "I am ann@mail.example").await.turn();
        let later = says(&gateway, &key, "ann", "again ann@mail.example").await.turn();
        let ben = says(&gateway, &key, "ben", "I am ben@mail.example").await.turn();
        let cal = says(&gateway, &key, "cal", "I am cal@mail.example").await.turn();
        // An older copy, taken when all was still there.
        let copy = Home::new();
        copy_folder(&home.data(), &copy.data());

        // By the id that the caller gave, through the running process.
        let done = erase(&home, "ann").await;
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.out.contains("erased"), "{done:?}");
        for turn in [&ann, &later] {
            assert_eq!(gateway.received(&key, turn).await.status, 404);
            assert_eq!(admin_received(&gateway, turn).await.status, 404);
        }
        let again = erase(&home, "ann").await;
        assert!(again.code == 5 && again.err.contains("customer-not-found"), "{again:?}");
        assert_eq!(admin_received(&gateway, &ben).await.status, 200);
        // The same name begins anew: the old value is not known any more.
        let named = [("chatward-customer", "ann"), ("chatward-conversation", "c")];
        let fresh = gateway.chat(&key, &named, &ask("echo", "new@mail.example")).await;
        assert_eq!(
            (fresh.content().as_str(), bot.last().asked().as_str()),
            ("new@mail.example", "[EMAIL_1]")
        );

        // By one of the customer's turns, through the running process.
        let done = erase(&home, &ben).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(admin_received(&gateway, &ben).await.status, 404);
        assert_eq!(admin_received(&gateway, &cal).await.status, 200);
        assert_eq!(gateway.stop().await, 0);

        // With no process running. Someone who is not there is told so, too.
        let done = erase(&home, &fresh.turn()).await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(erase(&home, "nobody").await.code, 5);
        let events = log_events(&home.data());
        assert_eq!(events.iter().filter(|event| event["action"] == "customer-erased").count(), 3);
        assert_eq!(home.run(&["log", "verify", "--data", "data"]).await.code, 0);

        // The older copy of the data with the newest keys opens everything but the erased.
        copy_folder(&home.keys(), &copy.keys());
        copy.configure(&entry);
        let gateway = copy.serve(&bot).await;
        for turn in [&ann, &later, &ben] {
            let shown = admin_received(&gateway, turn).await;
            assert!(shown.status >= 400 && !shown.text().contains("messages"), "{}", shown.text());
        }
        assert_eq!(admin_received(&gateway, &cal).await.status, 200);
        assert_eq!(gateway.chat(&key, &named, &ask("echo", "hello")).await.status, 503, "the key is gone");
    }
}
