//! `kill -9` at random instants under load: nothing acknowledged is lost, and the log tells the whole story.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::harness::{Act, Bot, Home, Play, ask, ask_stream, log_events};

const CLIENTS: usize = 8;

/// A number below this one, another each time.
pub(crate) fn random(below: usize) -> usize {
    usize::try_from(RandomState::new().hash_one(0) % u64::try_from(below).unwrap()).unwrap()
}

/// How many rounds of kills: so many, or as `CHATWARD_PROVE_KILLS` says.
pub(crate) fn rounds(usual: usize) -> usize {
    std::env::var("CHATWARD_PROVE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[tokio::test]
async fn prove_kill_nothing_acknowledged_is_lost() {
    let rounds = rounds(3);
    let (home, bot) = (Home::new(), Bot::new().await);
    bot.play("hang", Play::Wire(vec![Act::Hang]));
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    let mut interrupted = 0;
    for round in 0..rounds {
        let gateway = Arc::new(home.serve(&bot).await);
        // Before the first checkpoint of all there is nothing to verify.
        super::harness::until("a checkpoint", async || home.data().join("log/checkpoint").exists()).await;
        let done = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::new(AtomicUsize::new(0));
        let stopping = Arc::new(AtomicBool::new(false));
        let enough = Arc::new(tokio::sync::Notify::new());
        let wanted = random(60);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (gateway, done, count) = (Arc::clone(&gateway), Arc::clone(&done), Arc::clone(&count));
                let (stopping, enough) = (Arc::clone(&stopping), Arc::clone(&enough));
                tokio::spawn(async move {
                    for n in 0.. {
                        if stopping.load(Ordering::Relaxed) {
                            return;
                        }
                        let text = format!("mail r{round}c{client}n{n}@mail.example");
                        let body = if n % 2 == 0 { ask("echo", &text) } else { ask_stream("echo", &text) };
                        let conversation = format!("r{round}c{client}");
                        let named = [("chatward-conversation", &*conversation)];
                        let headers: &[_] = if client % 2 == 0 { &named } else { &[] };
                        let Some(answer) = gateway.try_chat("sk", headers, &body).await else { return };
                        // Acknowledged is what came to its end.
                        if n % 2 == 1 && !answer.text().ends_with("data: [DONE]\n\n") {
                            return;
                        }
                        assert_eq!((answer.status, answer.content()), (200, text), "{}", answer.text());
                        done.lock().unwrap().push((answer.turn(), format!("c{client}n{n}")));
                        if count.fetch_add(1, Ordering::Relaxed) + 1 >= wanted {
                            enough.notify_one();
                        }
                    }
                })
            })
            .collect();
        let hanging = {
            let gateway = Arc::clone(&gateway);
            let before = bot.seen().iter().filter(|seen| seen.json()["model"] == "hang").count();
            let task =
                tokio::spawn(
                    async move { gateway.try_chat("sk", &[], &ask("hang", "never answered")).await },
                );
            super::harness::until("a turn to hang", async || {
                bot.seen().iter().filter(|seen| seen.json()["model"] == "hang").count() > before
            })
            .await;
            task
        };
        super::harness::soon("load", enough.notified()).await;
        // Somewhere inside a turn, not at its end.
        tokio::time::sleep(std::time::Duration::from_micros(u64::try_from(random(4000)).unwrap())).await;
        gateway.kill().await;
        stopping.store(true, Ordering::Relaxed);
        for client in clients {
            super::harness::soon("a client to end", client).await.unwrap();
        }
        assert!(super::harness::soon("the hanging one to end", hanging).await.unwrap().is_none());
        acknowledged.append(&mut done.lock().unwrap());

        // What lies there after the fall is a valid log, before anybody has mended anything.
        let verified = home.run(&["log", "verify", "--data", "data"]).await;
        assert_eq!(verified.code, 0, "round {round}: {verified:?}");
        let gateway = home.serve(&bot).await;
        let from = acknowledged.len().saturating_sub(80);
        let seen = bot.seen();
        let sent: HashSet<&[u8]> = seen.iter().map(|seen| &seen.body[..]).collect();
        for (turn, mark) in &acknowledged[from..] {
            let kept = gateway.admin(&format!("/admin/v1/turns/{turn}/received")).await;
            assert_eq!(kept.status, 200, "round {round}: {mark} is lost: {}", kept.text());
            assert!(sent.contains(&kept.body[..]), "not what the bot received: {}", kept.text());
        }
        assert_eq!(gateway.stop().await, 0);
        let verified = home.run(&["log", "verify", "--data", "data"]).await;
        assert_eq!(verified.code, 0, "round {round}: {verified:?}");
        interrupted += 1;
        whole_story(&log_events(&home.data()), &acknowledged, interrupted);
    }
}

/// Every turn was opened once and closed once; the acknowledged ones well; some were interrupted.
fn whole_story(events: &[Value], acknowledged: &[(String, String)], interrupted: usize) {
    let mut turns: HashMap<&str, Vec<&str>> = HashMap::new();
    for event in events {
        let action = event["action"].as_str().unwrap();
        if let (Some(turn), true) = (event["turn"].as_str(), action.starts_with("turn-")) {
            turns.entry(turn).or_default().push(action);
        }
    }
    for (turn, actions) in &turns {
        assert!(actions.len() == 2 && actions[0] == "turn-opened", "{turn}: {actions:?}");
    }
    for (turn, _) in acknowledged {
        assert_eq!(turns[&**turn], ["turn-opened", "turn-closed"]);
    }
    let found = turns.values().filter(|actions| actions[1] == "turn-interrupted").count();
    assert!(found >= interrupted, "{found} interrupted turns after {interrupted} kills");
}
