//! `kill -9` at random instants of erasures, renewals of keys, sweeps and changes of policies: after the next start each is finished
//! or undone, never half.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::harness::{Bot, Gateway, Home, Play, ask, log_events, new_caller, until};

const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];
const CUSTOMERS: usize = 3;

fn random(below: usize) -> usize {
    usize::try_from(RandomState::new().hash_one(0) % u64::try_from(below).unwrap()).unwrap()
}

async fn says(gateway: &Gateway, key: &str, who: &str, model: &str, text: &str) -> String {
    let named = [("chatward-customer", who), ("chatward-conversation", "c")];
    let answer = gateway.chat(key, &named, &ask(model, text)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.content()
}

fn count(home: &Home, action: &str) -> usize {
    log_events(&home.data()).iter().filter(|event| event["action"] == action).count()
}

#[tokio::test]
async fn prove_rights_survive_kills() {
    let rounds = std::env::var("CHATWARD_PROVE_RIGHTS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let (home, bot) = (Home::new(), Bot::new().await);
    bot.play("remind", Play::Say("[EMAIL_1]".into(), 4));
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&entry);
    let (mut erased, mut finished) = (0, 0);
    for round in 0..rounds {
        let gateway = Arc::new(home.serve(&bot).await);
        let mail = |n: usize| format!("r{round}n{n}@mail.example");
        let who = |n: usize| format!("r{round}n{n}");
        for n in 0..CUSTOMERS {
            says(&gateway, &key, &who(n), "echo", &mail(n)).await;
        }
        // One of them is erased while another thing is done, and everything ends at some instant.
        let (first, second) = (home.clone(), home.clone());
        let name = who(0);
        let erasing =
            tokio::spawn(
                async move { first.run(&[&["customer", "erase", &name][..], &PLACES].concat()).await },
            );
        let other: &[&str] = [&["keys", "rotate"][..], &["retention", "sweep"], &["status"]][random(3)];
        let doing = tokio::spawn(async move { second.run(&[other, &PLACES].concat()).await });
        if random(3) == 0 {
            gateway.signal("HUP");
        }
        tokio::time::sleep(Duration::from_millis(random(1500) as u64)).await;
        gateway.kill().await;
        let (erasing, _) = (erasing.await.unwrap(), doing.await.unwrap());

        let gateway = home.serve(&bot).await;
        until("what was begun to be finished", async || {
            count(&home, "customer-erased") == count(&home, "certificate-issued")
        })
        .await;
        let gone = says(&gateway, &key, &who(0), "remind", "?").await;
        if erasing.code == 0 {
            assert_eq!(gone, "[EMAIL_1]", "an erasure that was answered is done");
            finished += 1;
        }
        if gone == "[EMAIL_1]" {
            erased += 1;
        } else {
            assert_eq!(gone, mail(0), "undone as a whole");
        }
        assert_eq!(count(&home, "customer-erased"), erased, "{round}");
        for n in 1..CUSTOMERS {
            assert_eq!(says(&gateway, &key, &who(n), "remind", "?").await, mail(n), "others lose nothing");
        }
        let verified = home.run(&["log", "verify", "--data", "data"]).await;
        assert_eq!(verified.code, 0, "{}", verified.out);
        gateway.stop().await;
    }
    println!("{rounds} kills: {erased} erasures finished, {finished} of them answered before");
}
