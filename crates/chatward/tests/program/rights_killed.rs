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

fn rounds() -> usize {
    std::env::var("CHATWARD_PROVE_RIGHTS").ok().and_then(|n| n.parse().ok()).unwrap_or(3)
}

/// A house with one trusted program.
struct House {
    home: Home,
    bot: Bot,
    key: String,
    entry: String,
}

impl House {
    async fn new() -> Self {
        let (home, bot) = (Home::new(), Bot::new().await);
        bot.play("remind", Play::Say("[EMAIL_1]".into(), 4));
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&entry);
        Self { home, bot, key, entry }
    }

    async fn serve(&self) -> Gateway {
        self.home.serve(&self.bot).await
    }

    /// Everybody writes a mail address of their own.
    async fn everybody_writes(&self, gateway: &Gateway, round: usize) {
        for n in 0..CUSTOMERS {
            says(gateway, &self.key, &who(round, n), "echo", &mail(round, n)).await;
        }
    }

    /// Begins this at the command line, ends the process at some instant, and says whether it was answered with success.
    async fn killed_during(&self, gateway: Gateway, what: &[&str], within: usize) -> bool {
        let (home, args) = (self.home.clone(), [what, &PLACES].concat());
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let doing =
            tokio::spawn(async move { home.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await });
        tokio::time::sleep(Duration::from_millis(random(within) as u64)).await;
        gateway.kill().await;
        doing.await.unwrap().code == 0
    }

    async fn log_verifies(&self) {
        let verified = self.home.run(&["log", "verify", "--data", "data"]).await;
        assert_eq!(verified.code, 0, "{}", verified.out);
    }
}

fn mail(round: usize, n: usize) -> String {
    format!("r{round}n{n}@mail.example")
}

fn who(round: usize, n: usize) -> String {
    format!("r{round}n{n}")
}

#[tokio::test]
async fn prove_rights_erasures_survive_kills() {
    let house = House::new().await;
    let (mut erased, mut answered) = (0, 0);
    for round in 0..rounds() {
        let gateway = house.serve().await;
        house.everybody_writes(&gateway, round).await;
        let done = house.killed_during(gateway, &["customer", "erase", &who(round, 0)], 1000).await;

        let gateway = house.serve().await;
        until("what was begun to be finished", async || {
            count(&house.home, "customer-erased") == count(&house.home, "certificate-issued")
        })
        .await;
        let gone = says(&gateway, &house.key, &who(round, 0), "remind", "?").await;
        if done {
            assert_eq!(gone, "[EMAIL_1]", "an erasure that was answered is done");
            answered += 1;
        }
        if gone == "[EMAIL_1]" {
            erased += 1;
        } else {
            assert_eq!(gone, mail(round, 0), "undone as a whole");
        }
        assert_eq!(count(&house.home, "customer-erased"), erased, "{round}");
        for n in 1..CUSTOMERS {
            let told = says(&gateway, &house.key, &who(round, n), "remind", "?").await;
            assert_eq!(told, mail(round, n), "others lose nothing");
        }
        house.log_verifies().await;
        gateway.stop().await;
    }
    println!("{} kills: {erased} erasures finished, {answered} of them answered before", rounds());
}

#[tokio::test]
async fn prove_rights_renewed_keys_survive_kills() {
    let house = House::new().await;
    let mut answered = 0;
    for round in 0..rounds() {
        let gateway = house.serve().await;
        house.everybody_writes(&gateway, round).await;
        let before = count(&house.home, "keys-rotated");
        let done = house.killed_during(gateway, &["keys", "rotate"], 600).await;

        let gateway = house.serve().await;
        answered += usize::from(done);
        if done {
            until("the renewal in the log", async || count(&house.home, "keys-rotated") > before).await;
        }
        for old in 0..=round {
            for n in 0..CUSTOMERS {
                let told = says(&gateway, &house.key, &who(old, n), "remind", "?").await;
                assert_eq!(told, mail(old, n), "under the old keys or the new ones, all of it opens");
            }
            // All of them in the last round; the last ones in each.
            if round + 1 < rounds() && old == 0 && round > 2 {
                break;
            }
        }
        let again = house.home.run(&[&["keys", "rotate"][..], &PLACES].concat()).await;
        assert_eq!(again.code, 0, "the next renewal is not in the way of the one before: {again:?}");
        house.log_verifies().await;
        gateway.stop().await;
    }
    println!("{} kills during renewals of keys, {answered} answered before", rounds());
}

#[tokio::test]
async fn prove_rights_sweeps_survive_kills() {
    let house = House::new().await;
    let keep = "[purposes.service]\nkeep = { payment = \"1s\", identity = \"1s\", interaction = \"2s\" }\n";
    house.home.configure(&format!("{keep}{}", house.entry));
    let mut answered = 0;
    for round in 0..rounds() {
        let gateway = house.serve().await;
        house.everybody_writes(&gateway, round).await;
        // Long enough for the values to be due, and in half of the rounds for the conversations.
        tokio::time::sleep(Duration::from_millis(1100 + 1000 * random(2) as u64)).await;
        answered += usize::from(house.killed_during(gateway, &["retention", "sweep"], 350).await);

        let gateway = house.serve().await;
        for n in 0..CUSTOMERS {
            let told = says(&gateway, &house.key, &who(round, n), "remind", "?").await;
            assert!(told == mail(round, n) || told == "[EMAIL_1]", "there or gone: {told}");
        }
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let sweep = house.home.run(&[&["retention", "sweep"][..], &PLACES].concat()).await;
        assert_eq!(sweep.code, 0, "{sweep:?}");
        for n in 0..CUSTOMERS {
            assert_eq!(says(&gateway, &house.key, &who(round, n), "remind", "?").await, "[EMAIL_1]");
        }
        house.log_verifies().await;
        gateway.stop().await;
    }
    println!("{} kills during sweeps, {answered} answered before", rounds());
}

#[tokio::test]
async fn prove_rights_changed_policies_survive_kills() {
    let house = House::new().await;
    let mut changed = 0;
    for round in 0..rounds() {
        let gateway = Arc::new(house.serve().await);
        house.everybody_writes(&gateway, round).await;
        let drops = round % 2 == 0;
        let operator = if drops { "drop" } else { "token" };
        let row = format!("[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"{operator}\"\n");
        house.home.configure(&format!("{row}{}", house.entry));
        let before = count(&house.home, "config-changed");
        gateway.signal("HUP");
        // Somebody writes in that moment: by the old table or the new one.
        let (asking, key) = (Arc::clone(&gateway), house.key.clone());
        let meanwhile = tokio::spawn(async move {
            let named = [("chatward-customer", "meanwhile"), ("chatward-conversation", "c")];
            asking.try_chat(&key, &named, &ask("echo", "I am m@mail.example")).await.is_some()
        });
        tokio::time::sleep(Duration::from_millis(random(1200) as u64)).await;
        gateway.kill().await;
        let _ = meanwhile.await.unwrap();
        let seen = house.bot.last().asked();
        assert!(!seen.contains('@'), "{seen}");

        let gateway = house.serve().await;
        changed += usize::from(count(&house.home, "config-changed") > before);
        says(&gateway, &house.key, &who(round, 0), "remind", "new@mail.example").await;
        let seen = house.bot.last().asked();
        assert_eq!(seen.starts_with("[EMAIL"), !drops, "the table of the file is in force: {seen}");
        house.log_verifies().await;
        gateway.stop().await;
    }
    println!(
        "{} kills during changes of the policies, {changed} of them in the log before the end",
        rounds()
    );
}
