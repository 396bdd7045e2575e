//! An old keyring put back together with the seal file of its time: nothing in the two says that there were newer ones, but the data
//! does.

use super::erasing::{admin_received, erase, says};
use super::harness::{Bot, Gateway, Home, log_events, new_caller, psql, until};

const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];

/// A house with two customers and a turn of each, serving.
async fn with_two(bot: &Bot, settings: &str) -> (Home, Gateway, String, [String; 2]) {
    let home = Home::new();
    let (key, entry) = new_caller(&home, "shop", true).await;
    home.configure(&format!("{settings}{entry}"));
    let gateway = home.serve(bot).await;
    let ann = says(&gateway, &key, "ann", "I am ann@mail.example").await.turn();
    let ben = says(&gateway, &key, "ben", "I am ben@mail.example").await.turn();
    (home, gateway, key, [ann, ben])
}

async fn does(home: &Home, args: &[&str]) -> super::harness::Done {
    home.run(&[args, &PLACES].concat()).await
}

/// The epoch of each event of a sort.
fn epochs(home: &Home, action: &str) -> Vec<u64> {
    let events = log_events(&home.data());
    events.iter().filter(|e| e["action"] == action).filter_map(|e| e["epoch"].as_u64()).collect()
}

mod embedded {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::harness::{Done, copy_folder, files};

    /// The pair of a folder of keys, and nothing else of it.
    const PAIR: [&str; 2] = ["keyring.db", "seal"];

    fn save(home: &Home, to: &str) {
        std::fs::create_dir_all(home.path(to)).unwrap();
        for file in PAIR {
            std::fs::copy(home.keys().join(file), home.path(to).join(file)).unwrap();
        }
    }

    fn put_back(home: &Home, from: &Path) {
        for file in files(&home.keys()) {
            if file.file_name().unwrap().to_str().unwrap().starts_with("keyring.db") {
                std::fs::remove_file(file).unwrap();
            }
        }
        for file in PAIR {
            std::fs::copy(from.join(file), home.keys().join(file)).unwrap();
        }
    }

    fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        files(folder).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
    }

    async fn refused(home: &Home, bot: &Bot) -> Done {
        home.fails_to_start(&["--upstream", &bot.url()]).await
    }

    #[tokio::test]
    async fn an_older_keyring_with_its_own_seal_is_refused() {
        let bot = Bot::new().await;
        let (home, gateway, key, [ann, ben]) = with_two(&bot, "[keys]\nmirror = \"mirror\"\n").await;
        assert_eq!(gateway.stop().await, 0);
        save(&home, "old");
        let gateway = home.serve(&bot).await;
        assert_eq!(erase(&home, "ann").await.code, 0);
        // An erasure is answered when it is done; nothing of what comes later is needed for the refusal.
        gateway.kill().await;
        save(&home, "new");

        put_back(&home, &home.path("old"));
        let (seal, mirror) =
            (std::fs::read(home.keys().join("seal")).unwrap(), contents(&home.path("mirror")));
        for done in [
            refused(&home, &bot).await,
            does(&home, &["keys", "rotate"]).await,
            does(&home, &["customer", "erase", "ben"]).await,
        ] {
            assert_eq!(done.code, 3, "{done:?}");
            let mirror = home.path("mirror");
            let mirror = mirror.file_name().unwrap().to_str().unwrap();
            for word in
                ["older than this data", "epoch 1", "epoch 2", mirror, "restore --keyring", "accept-older"]
            {
                assert!(done.err.contains(word), "{word}: {done:?}");
            }
        }
        assert_eq!(std::fs::read(home.keys().join("seal")).unwrap(), seal);
        assert!(contents(&home.path("mirror")) == mirror, "the mirror is what the operator needs now");

        // What the text says to do helps.
        let from = home.path("mirror");
        let args = ["restore", "--keyring", "--from", from.to_str().unwrap(), "--keys", "back"];
        assert_eq!(home.run(&args).await.code, 0);
        put_back(&home, &home.path("back"));
        let gateway = home.serve(&bot).await;
        assert_eq!(admin_received(&gateway, &ann).await.status, 404);
        assert_eq!(admin_received(&gateway, &ben).await.status, 200);
        says(&gateway, &key, "ben", "again ben@mail.example").await;
        assert_eq!(gateway.stop().await, 0);
        assert_eq!(epochs(&home, "customer-erased"), [2]);
        assert_eq!(epochs(&home, "started"), [1, 1, 2]);
    }

    #[tokio::test]
    async fn a_renewal_alone_makes_copies_of_before_old() {
        let bot = Bot::new().await;
        let (home, gateway, _, [_, ben]) = with_two(&bot, "").await;
        assert_eq!(gateway.stop().await, 0);
        save(&home, "old");
        // While nothing runs, and while something does.
        assert_eq!(does(&home, &["keys", "rotate"]).await.code, 0);
        save(&home, "between");
        put_back(&home, &home.path("old"));
        assert_eq!(refused(&home, &bot).await.code, 3);
        put_back(&home, &home.path("between"));
        let gateway = home.serve(&bot).await;
        assert_eq!(does(&home, &["keys", "rotate"]).await.code, 0);
        gateway.kill().await;
        save(&home, "new");
        for (from, opens) in [("old", false), ("between", false), ("new", true)] {
            put_back(&home, &home.path(from));
            if opens {
                let gateway = home.serve(&bot).await;
                assert_eq!(admin_received(&gateway, &ben).await.status, 200);
                gateway.kill().await;
            } else {
                assert_eq!(refused(&home, &bot).await.code, 3, "{from}");
            }
        }
        until("both in the log", async || epochs(&home, "keys-rotated") == [2, 3]).await;
    }

    #[tokio::test]
    async fn older_data_opens_with_the_newest_keys_and_goes_on_from_there() {
        let bot = Bot::new().await;
        let (home, gateway, _, [ann, ben]) = with_two(&bot, "").await;
        assert_eq!(gateway.stop().await, 0);
        save(&home, "old");
        copy_folder(&home.data(), &home.path("old-data"));
        let gateway = home.serve(&bot).await;
        assert_eq!(erase(&home, "ann").await.code, 0);
        assert_eq!(gateway.stop().await, 0);
        save(&home, "new");
        std::fs::rename(home.data(), home.path("new-data")).unwrap();
        std::fs::rename(home.path("old-data"), home.data()).unwrap();
        let gateway = home.serve(&bot).await;
        assert_ne!(admin_received(&gateway, &ann).await.status, 200, "the key is gone");
        assert_eq!(admin_received(&gateway, &ben).await.status, 200);
        gateway.kill().await;
        // From its first start with them on, it knows these keys.
        put_back(&home, &home.path("old"));
        assert_eq!(refused(&home, &bot).await.code, 3);
    }

    #[tokio::test]
    async fn keys_that_went_another_way_are_refused() {
        let bot = Bot::new().await;
        let (home, gateway, ..) = with_two(&bot, "").await;
        assert_eq!(gateway.stop().await, 0);
        // A house of that time as a whole: nothing in it can know better.
        let twin = Home::new();
        for folder in ["data", "keys"] {
            copy_folder(&home.path(folder), &twin.path(folder));
        }
        for house in [&home, &twin] {
            assert_eq!(does(house, &["keys", "rotate"]).await.code, 0);
        }
        put_back(&home, &twin.keys());
        let done = refused(&home, &bot).await;
        assert!(done.code == 3 && done.err.contains("apart from each other"), "{done:?}");
    }

    #[tokio::test]
    async fn where_there_are_no_newer_keys_older_ones_can_be_accepted() {
        let bot = Bot::new().await;
        let (home, gateway, key, [_, ben]) = with_two(&bot, "").await;
        let running = does(&home, &["keys", "accept-older"]).await;
        assert!(running.code == 0 && running.out.contains("nothing to accept"), "{running:?}");
        assert_eq!(gateway.stop().await, 0);
        save(&home, "old");
        for _ in 0..3 {
            assert_eq!(does(&home, &["keys", "rotate"]).await.code, 0);
        }
        save(&home, "new");
        let needless = does(&home, &["keys", "accept-older"]).await;
        assert!(needless.code == 0 && needless.out.contains("nothing to accept"), "{needless:?}");
        put_back(&home, &home.path("old"));
        assert_eq!(refused(&home, &bot).await.code, 3);
        let accepted = does(&home, &["keys", "accept-older"]).await;
        assert!(accepted.code == 0 && accepted.out.contains("epoch 5"), "{accepted:?}");
        let gateway = home.serve(&bot).await;
        assert_eq!(admin_received(&gateway, &ben).await.status, 200);
        says(&gateway, &key, "ben", "again ben@mail.example").await;
        assert_eq!(gateway.stop().await, 0);
        assert_eq!(epochs(&home, "older-keys-accepted"), [5]);
        assert_eq!(home.run(&["log", "verify", "--data", "data"]).await.code, 0);
        // Those that were the newest are older now.
        put_back(&home, &home.path("new"));
        assert_eq!(refused(&home, &bot).await.code, 3);
        // Nothing is made where there is nothing.
        let nothing = home.run(&["keys", "accept-older", "--data", "none", "--keys", "keys"]).await;
        assert!(nothing.code != 0 && !home.path("none").exists(), "{nothing:?}");
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn an_older_keyring_on_a_server_with_its_own_seal_is_refused() {
    let bot = Bot::new().await;
    let (home, gateway, key, [_, ben]) = with_two(&bot, "").await;
    assert_eq!(gateway.stop().await, 0);
    let keyring = home.keyring();
    let (server, name) = keyring.superuser.rsplit_once('/').unwrap();
    let maintenance = format!("{server}/postgres");
    let copy = |from: &str, to: &str| {
        psql(&maintenance, &format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)")).unwrap();
        psql(&maintenance, &format!("CREATE DATABASE {to} TEMPLATE {from} OWNER chatward_owner")).unwrap();
    };
    let [old, new] = ["old", "new"].map(|age| format!("{name}_{age}"));
    let seal = home.keys().join("seal");
    copy(name, &old);
    let old_seal = std::fs::read(&seal).unwrap();
    // Two gateways: each starts while the other renews.
    let gateway = home.serve(&bot).await;
    assert_eq!(erase(&home, "ann").await.code, 0);
    let beside = home.beside().serve(&bot).await;
    assert_eq!(does(&home, &["keys", "rotate"]).await.code, 0);
    for gateway in [gateway, beside] {
        assert_eq!(gateway.stop().await, 0);
    }
    copy(name, &new);
    let new_seal = std::fs::read(&seal).unwrap();

    copy(&old, name);
    std::fs::write(&seal, &old_seal).unwrap();
    for home in [home.clone(), home.beside()] {
        let done = home.fails_to_start(&["--upstream", &bot.url()]).await;
        assert!(
            done.code == 3 && done.err.contains("epoch 3") && done.err.contains("accept-older"),
            "{done:?}"
        );
    }
    // With the newest seal they are not of one pair.
    std::fs::write(&seal, &new_seal).unwrap();
    let done = home.fails_to_start(&["--upstream", &bot.url()]).await;
    assert!(done.code == 3 && done.err.contains("not of one pair"), "{done:?}");
    copy(&new, name);
    let gateway = home.serve(&bot).await;
    assert_eq!(admin_received(&gateway, &ben).await.status, 200);
    says(&gateway, &key, "ben", "again ben@mail.example").await;
    assert_eq!(gateway.stop().await, 0);
    until("both in the log", async || epochs(&home, "keys-rotated") == [3]).await;
    for copied in [old, new] {
        psql(&maintenance, &format!("DROP DATABASE {copied} WITH (FORCE)")).unwrap();
    }
}
