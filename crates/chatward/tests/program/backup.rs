//! Backups and restores of the embedded store and its keyring, and the live mirror of the keys.

/// All of it works on files.
mod embedded {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use crate::erasing::{admin_received, erase, says};
    use crate::harness::{
        Bot, Done, Gateway, Home, ask, copy_folder, files, log_events, new_caller, soon, until,
    };
    use crate::killing::{random, rounds};

    const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];

    async fn run(home: &Home, args: &[&str]) -> Done {
        home.run(args).await
    }

    async fn done(home: &Home, args: &[&str]) -> String {
        let done = run(home, args).await;
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
        done.out
    }

    async fn backup(home: &Home, to: &str) -> Done {
        run(home, &[&["backup", "--to", to][..], &PLACES].concat()).await
    }

    async fn keyring(home: &Home, to: &str) -> Done {
        run(home, &[&["backup", "--keyring", "--to", to][..], &PLACES].concat()).await
    }

    /// A house made from these copies, with the operator's key of the first.
    async fn house_of(home: &Home, data: &str, keys: &str) -> Home {
        let made = Home::new();
        let (data, keys) = (home.path(data), home.path(keys));
        let (data, keys) = (data.to_str().unwrap(), keys.to_str().unwrap());
        done(&made, &["restore", "--from", data, "--data", "data"]).await;
        done(&made, &["restore", "--keyring", "--from", keys, "--keys", "keys"]).await;
        std::fs::copy(home.keys().join("operator.key"), made.keys().join("operator.key")).unwrap();
        made
    }

    /// A house with two customers and a turn of each, still serving.
    async fn with_two() -> (Home, Bot, Gateway, String, String, [String; 2]) {
        let (home, bot) = (Home::new(), Bot::new().await);
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&entry);
        let gateway = home.serve(&bot).await;
        let ann = says(&gateway, &key, "ann", "I am ann@mail.example").await.turn();
        let ben = says(&gateway, &key, "ben", "I am ben@mail.example").await.turn();
        (home, bot, gateway, key, entry, [ann, ben])
    }

    #[tokio::test]
    async fn data_and_keys_never_come_into_one_place() {
        let (home, _bot, gateway, ..) = with_two().await;
        for stopped in [false, true] {
            if stopped {
                assert_eq!(gateway.stop().await, 0);
            }
            let (data, keys) = if stopped { ("d2", "k2") } else { ("d1", "k1") };
            for to in ["data", "data/x", "keys", "keys/x", "."] {
                for made in [backup(&home, to).await, keyring(&home, to).await] {
                    assert_eq!(made.code, 4, "{to}: {made:?}");
                }
            }
            assert_eq!(backup(&home, data).await.code, 0);
            assert_eq!(keyring(&home, keys).await.code, 0);
            for to in [data, &format!("{data}/in"), &format!("{data}/log")] {
                let refused = keyring(&home, to).await;
                assert!(refused.code == 4 && refused.err.contains(data), "{to}: {refused:?}");
            }
            for to in [keys, &format!("{keys}/in/deep")] {
                let refused = backup(&home, to).await;
                assert!(refused.code == 4 && refused.err.contains(keys), "{to}: {refused:?}");
            }
            // A finished one is not written over.
            assert_eq!(backup(&home, data).await.code, 4);
            assert_eq!(keyring(&home, keys).await.code, 4);
        }
        let begun = || log_events(&home.data()).iter().filter(|e| e["action"] == "backup-begun").count();
        assert_eq!(begun(), 4);
    }

    #[tokio::test]
    async fn a_backup_while_turns_run_is_whole_and_reads_like_the_house() {
        let (home, bot, gateway, key, entry, [ann, ben]) = with_two().await;
        let gateway = Arc::new(gateway);
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..4)
            .map(|client| {
                let (gateway, stop) = (Arc::clone(&gateway), Arc::clone(&stop));
                let key = key.clone();
                tokio::spawn(async move {
                    let mut turns = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let who = format!("c{client}n{turns}");
                        let text = format!("mail {who}@mail.example");
                        let named = [("chatward-customer", &*who)];
                        let answer = gateway.chat(&key, &named, &ask("echo", &text)).await;
                        assert_eq!((answer.status, answer.content()), (200, text));
                        turns += 1;
                    }
                    turns
                })
            })
            .collect();
        bot.came(20).await;
        let made = backup(&home, "b").await;
        assert!(made.code == 0 && made.out.contains("backed up"), "{made:?}");
        let made = keyring(&home, "k").await;
        assert_eq!(made.code, 0, "{made:?}");
        stop.store(true, Ordering::Relaxed);
        let mut turns = 0;
        for load in loads {
            turns += soon("a client to end", load).await.unwrap();
        }
        assert!(turns > 20);
        until("the end of the backup in the log", async || {
            log_events(&home.data())
                .iter()
                .any(|e| e["action"] == "keyring-backed-up" && e["rows"].as_u64() > Some(500))
        })
        .await;

        // Nothing is readable in the copies, and no key lies with the data.
        let operator = std::fs::read_to_string(home.keys().join("operator.key")).unwrap();
        let canaries = ["mail.example", "ann@", operator.lines().nth(1).unwrap()];
        for file in files(&home.path("b")).into_iter().chain(files(&home.path("k"))) {
            let bytes = std::fs::read(&file).unwrap();
            for canary in canaries {
                assert!(memchr::memmem::find(&bytes, canary.as_bytes()).is_none(), "{canary} in {file:?}");
            }
        }
        assert_eq!(gateway.stop().await, 0);
        let again = house_of(&home, "b", "k").await;
        assert_eq!(run(&again, &["log", "verify", "--data", "data"]).await.code, 0);
        again.configure(&entry);
        let gateway = again.serve(&bot).await;
        assert!(
            gateway.said.iter().any(|line| line.contains("came from a backup: 0 customers")),
            "{:?}",
            gateway.said
        );
        for turn in [&ann, &ben] {
            assert_eq!(admin_received(&gateway, turn).await.status, 200);
        }
        says(&gateway, &key, "ann", "again ann@mail.example").await;
        assert_eq!(gateway.stop().await, 0);
        assert_eq!(run(&again, &["log", "verify", "--data", "data"]).await.code, 0);
        // Only the first start says so.
        let gateway = again.serve(&bot).await;
        assert!(!gateway.said.iter().any(|line| line.contains("came from a backup")), "{:?}", gateway.said);
    }

    #[tokio::test]
    async fn what_the_house_wrote_itself_comes_back() {
        let (home, _bot, gateway, ..) = with_two().await;
        done(&home, &[&["intel", "add", "kit.example"][..], &PLACES].concat()).await;
        assert_eq!(backup(&home, "b").await.code, 0);
        assert_eq!(keyring(&home, "k").await.code, 0);
        assert_eq!(gateway.stop().await, 0);
        let again = house_of(&home, "b", "k").await;
        let listed = run(&again, &[&["intel", "test", "www.kit.example"][..], &PLACES].concat()).await;
        assert!(listed.code == 1 && listed.out.contains("listed: own"), "{listed:?}");
    }

    #[tokio::test]
    async fn an_older_backup_with_the_newest_keyring_opens_all_but_the_erased() {
        let (home, bot, gateway, key, entry, [ann, ben]) = with_two().await;
        assert_eq!(backup(&home, "old").await.code, 0);
        assert_eq!(keyring(&home, "old-keys").await.code, 0);
        let erased = erase(&home, "ann").await;
        assert_eq!(erased.code, 0, "{erased:?}");
        assert_eq!(keyring(&home, "new-keys").await.code, 0);
        assert_eq!(gateway.stop().await, 0);

        let again = house_of(&home, "old", "new-keys").await;
        again.configure(&entry);
        let gateway = again.serve(&bot).await;
        assert!(
            gateway.said.iter().any(|line| line.contains("came from a backup: 1 customers")),
            "{:?}",
            gateway.said
        );
        assert_eq!(admin_received(&gateway, &ann).await.status, 404);
        assert_eq!(admin_received(&gateway, &ben).await.status, 200);
        says(&gateway, &key, "ben", "again ben@mail.example").await;
        until("the restore in the log", async || {
            log_events(&again.data()).iter().any(|e| e["action"] == "data-restored" && e["rows"] == 1)
        })
        .await;
        assert_eq!(gateway.stop().await, 0);

        // The keyring of before the erasure, with today's seal.
        let older = house_of(&home, "old", "old-keys").await;
        std::fs::copy(home.keys().join("seal"), older.keys().join("seal")).unwrap();
        older.configure(&entry);
        let refused = older.fails_to_start(&["--upstream", &bot.url()]).await;
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.err.contains("restore --keyring") && refused.err.contains("erasure"), "{refused:?}");
    }

    #[tokio::test]
    async fn a_changed_byte_in_any_file_of_a_copy_is_refused() {
        let (home, _bot, gateway, ..) = with_two().await;
        assert_eq!(backup(&home, "b").await.code, 0);
        assert_eq!(keyring(&home, "k").await.code, 0);
        assert_eq!(gateway.stop().await, 0);
        for (from, args) in [
            ("b", &["restore", "--from", "b", "--data", "new"][..]),
            ("k", &["restore", "--keyring", "--from", "k", "--keys", "new"]),
        ] {
            for file in files(&home.path(from)) {
                let whole = std::fs::read(&file).unwrap();
                let at = random(whole.len());
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << random(8);
                let longer = [&whole[..], b"x"].concat();
                for bad in [&flipped[..], &whole[..whole.len() - 1], &longer[..]] {
                    std::fs::write(&file, bad).unwrap();
                    let refused = run(&home, args).await;
                    assert_eq!(refused.code, 1, "{file:?} at {at}: {refused:?}");
                    assert!(!home.path("new").exists(), "{file:?} at {at}");
                }
                std::fs::remove_file(&file).unwrap();
                assert_ne!(run(&home, args).await.code, 0, "without {file:?}");
                std::fs::write(&file, &whole).unwrap();
            }
            assert_eq!(run(&home, args).await.code, 0);
            assert_eq!(run(&home, args).await.code, 4, "not over what is there");
            std::fs::remove_dir_all(home.path("new")).unwrap();
        }
    }

    /// Runs a command and kills it after this long; whether it had ended by itself.
    async fn killed(home: &Home, args: &[&str], after: Duration) -> bool {
        let mut command = home.command(args);
        tokio::task::spawn_blocking(move || {
            let mut child = command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(after);
            let ended = child.try_wait().unwrap().is_some();
            let _ = child.kill();
            child.wait().unwrap();
            ended
        })
        .await
        .unwrap()
    }

    fn some_of(whole: Duration) -> Duration {
        let micros = usize::try_from(whole.as_micros()).unwrap() * 11 / 10;
        Duration::from_micros(u64::try_from(random(micros.max(1))).unwrap())
    }

    /// A store of some size, in a house that is not running.
    async fn filled() -> (Home, Bot) {
        let (home, bot) = (Home::new(), Bot::new().await);
        let gateway = home.serve(&bot).await;
        let long = "nothing of interest here ".repeat(6000);
        for n in 0..40 {
            let text = format!("mail n{n}@mail.example {long}");
            assert_eq!(gateway.chat("sk", &[], &ask("echo", &text)).await.status, 200);
        }
        assert_eq!(gateway.stop().await, 0);
        (home, bot)
    }

    #[tokio::test]
    async fn prove_kill_backups_are_finished_or_not_there() {
        let (home, bot) = filled().await;
        let args = |to: &'static str| [&["backup", "--to", to][..], &PLACES].concat();
        let started = Instant::now();
        assert_eq!(run(&home, &args("first")).await.code, 0);
        let whole = started.elapsed();
        let mut unfinished = 0;
        for round in 0..rounds(10) {
            let _ = std::fs::remove_dir_all(home.path("b"));
            let _ = std::fs::remove_dir_all(home.path("new"));
            // Every other one is made by the running process, and that one is killed.
            if round % 2 == 0 {
                killed(&home, &args("b"), some_of(whole)).await;
            } else {
                let gateway = home.serve(&bot).await;
                let asked = tokio::spawn({
                    let home = home.clone();
                    async move { backup(&home, "b").await }
                });
                tokio::time::sleep(some_of(whole)).await;
                gateway.kill().await;
                let _ = soon("the asking one to end", asked).await.unwrap();
            }
            let restore = ["restore", "--from", "b", "--data", "new"];
            if home.path("b/data-backup").exists() {
                done(&home, &restore).await;
                continue;
            }
            unfinished += 1;
            assert_ne!(run(&home, &restore).await.code, 0, "round {round}: half a backup was restored");
            assert!(!home.path("new").exists());
            // The same again goes on, and is whole.
            let again = backup(&home, "b").await;
            assert_eq!(again.code, 0, "round {round}: {again:?}");
            done(&home, &restore).await;
            assert_eq!(run(&home, &["log", "verify", "--data", "new"]).await.code, 0);
        }
        assert!(unfinished > 0, "no round was cut short");
        // Nothing was left in the house.
        let left: Vec<PathBuf> =
            files(&home.data()).into_iter().filter(|f| f.to_string_lossy().contains("backup")).collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(home.serve(&bot).await.stop().await, 0);
    }

    #[tokio::test]
    async fn prove_kill_restores_are_finished_or_not_there() {
        let (home, bot) = filled().await;
        assert_eq!(backup(&home, "b").await.code, 0);
        assert_eq!(keyring(&home, "k").await.code, 0);
        for (to, args) in [
            ("new", &["restore", "--from", "b", "--data", "new"][..]),
            ("new-keys", &["restore", "--keyring", "--from", "k", "--keys", "new-keys"]),
        ] {
            let started = Instant::now();
            done(&home, args).await;
            let whole = started.elapsed();
            for round in 0..rounds(10) {
                std::fs::remove_dir_all(home.path(to)).unwrap();
                killed(&home, args, some_of(whole)).await;
                if !home.path(to).exists() {
                    let again = run(&home, args).await;
                    assert_eq!(again.code, 0, "round {round}: {again:?}");
                }
                assert!(!home.path(&format!("{to}.part")).exists());
            }
        }
        // What the last round left serves.
        std::fs::copy(home.keys().join("operator.key"), home.path("new-keys/operator.key")).unwrap();
        let again = Home::new();
        copy_folder(&home.path("new"), &again.data());
        copy_folder(&home.path("new-keys"), &again.keys());
        let gateway = again.serve(&bot).await;
        assert_eq!(gateway.chat("sk", &[], &ask("echo", "hello")).await.status, 200);
        assert_eq!(gateway.stop().await, 0);
    }

    fn mirrored(entry: &str) -> String {
        format!("[keys]\nmirror = \"mirror\"\n{entry}")
    }

    /// What the mirror holds, as a house with a copy of the data.
    async fn house_of_mirror(home: &Home) -> Home {
        let made = Home::new();
        copy_folder(&home.data(), &made.data());
        let _ = std::fs::remove_file(made.data().join("lock"));
        let mirror = home.path("mirror");
        done(&made, &["restore", "--keyring", "--from", mirror.to_str().unwrap(), "--keys", "keys"]).await;
        std::fs::copy(home.keys().join("operator.key"), made.keys().join("operator.key")).unwrap();
        made
    }

    fn holds(folder: &Path, canary: &[u8]) -> bool {
        files(folder).iter().any(|file| memchr::memmem::find(&std::fs::read(file).unwrap(), canary).is_some())
    }

    #[tokio::test]
    async fn the_mirror_holds_every_key_and_nothing_of_the_erased() {
        let (home, bot) = (Home::new(), Bot::new().await);
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&mirrored(&entry));
        let gateway = home.serve(&bot).await;
        let ann = says(&gateway, &key, "ann", "I am ann@mail.example").await.turn();
        let old_seal = std::fs::read(home.keys().join("seal")).unwrap();
        let line = old_seal.split(|b| *b == b'\n').nth(2).unwrap().to_vec();
        assert!(holds(&home.path("mirror"), &line));
        // More new customers than one reserve holds.
        let mut last = String::new();
        for n in 0..300 {
            last = says(&gateway, &key, &format!("c{n}"), "hello").await.turn();
        }
        let done = erase(&home, "ann").await;
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!holds(&home.path("mirror"), &line), "the mirror holds the old seal");
        let late = says(&gateway, &key, "late", "I am late@mail.example").await.turn();
        // As if the disk with the keys were lost now.
        gateway.kill().await;
        let again = house_of_mirror(&home).await;
        again.configure(&entry);
        let gateway = again.serve(&bot).await;
        for turn in [&last, &late] {
            assert_eq!(admin_received(&gateway, turn).await.status, 200);
        }
        assert_eq!(admin_received(&gateway, &ann).await.status, 404);
    }

    #[tokio::test]
    async fn a_mirror_that_cannot_be_written_stops_what_would_be_lost() {
        let (home, bot) = (Home::new(), Bot::new().await);
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&mirrored(&entry));
        let gateway = home.serve(&bot).await;
        says(&gateway, &key, "ann", "I am ann@mail.example").await;
        assert_eq!(gateway.admin("/readyz").await.status, 200);
        std::fs::rename(home.path("mirror"), home.path("away")).unwrap();
        std::fs::write(home.path("mirror"), "in the way").unwrap();
        let refused = erase(&home, "ann").await;
        assert_eq!(refused.code, 5, "{refused:?}");
        until("the gateway to say so", async || {
            let ready = gateway.admin("/readyz").await;
            ready.status == 503 && ready.text().contains("keys.mirror")
        })
        .await;
        // Back again: it mends itself, and the erasure goes through.
        std::fs::remove_file(home.path("mirror")).unwrap();
        until("the gateway to be ready", async || gateway.admin("/readyz").await.status == 200).await;
        let done = erase(&home, "ann").await;
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(gateway.stop().await, 0);
        for bad in ["data/mirror", "keys", "."] {
            home.configure(&mirrored(&entry).replace("\"mirror\"", &format!("{bad:?}")));
            let refused = home.fails_to_start(&["--upstream", &bot.url()]).await;
            assert!(refused.code == 4 && refused.err.contains("keys.mirror"), "{bad}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn prove_kill_the_mirror_is_always_one_whole_pair() {
        let (home, bot) = (Home::new(), Bot::new().await);
        let (key, entry) = new_caller(&home, "shop", true).await;
        home.configure(&mirrored(&entry));
        for round in 0..rounds(5) {
            let gateway = home.serve(&bot).await;
            let turn = says(&gateway, &key, &format!("r{round}"), "hello").await.turn();
            let stopping = Arc::new(AtomicBool::new(false));
            let rotating = tokio::spawn({
                let (home, stopping) = (home.clone(), Arc::clone(&stopping));
                async move {
                    while !stopping.load(Ordering::Relaxed) {
                        run(&home, &[&["keys", "rotate"][..], &PLACES].concat()).await;
                    }
                }
            });
            tokio::time::sleep(some_of(Duration::from_millis(400))).await;
            stopping.store(true, Ordering::Relaxed);
            gateway.kill().await;
            // One that was asked just now may find nobody, and renew by itself.
            soon("the last renewal to end", rotating).await.unwrap();
            // As it lies there, before any start mends it.
            let again = house_of_mirror(&home).await;
            again.configure(&entry);
            let gateway = again.serve(&bot).await;
            assert_eq!(admin_received(&gateway, &turn).await.status, 200, "round {round}");
            assert_eq!(gateway.stop().await, 0);
        }
    }

    /// `cargo test -p chatward --test program -- --ignored --nocapture measure_a_backup`
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "writes gigabytes; its figures are for docs/backup.md"]
    async fn measure_a_backup_of_a_gigabyte() {
        let (home, bot) = (Home::new(), Bot::new().await);
        assert_eq!(home.serve(&bot).await.stop().await, 0);
        fill(&home.data(), 1 << 30).await;
        let gateway = Arc::new(home.serve(&bot).await);
        let before = gateway.memory();
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..4)
            .map(|client| {
                let (gateway, stop) = (Arc::clone(&gateway), Arc::clone(&stop));
                tokio::spawn(async move {
                    let (mut good, mut bad, mut longest) = (0, 0, Duration::ZERO);
                    while !stop.load(Ordering::Relaxed) {
                        let started = Instant::now();
                        let text = format!("mail c{client}n{good}@mail.example");
                        let answer = gateway.chat("sk", &[], &ask("echo", &text)).await;
                        longest = longest.max(started.elapsed());
                        if answer.status == 200 { good += 1 } else { bad += 1 }
                    }
                    (good, bad, longest)
                })
            })
            .collect();
        let size = std::fs::metadata(home.data().join("chatward.db")).unwrap().len();
        let started = Instant::now();
        let made = backup(&home, "b").await;
        let took = started.elapsed();
        assert_eq!(made.code, 0, "{made:?}");
        let after = gateway.memory();
        stop.store(true, Ordering::Relaxed);
        let (mut good, mut bad, mut longest) = (0, 0, Duration::ZERO);
        for load in loads {
            let (g, b, l) = load.await.unwrap();
            (good, bad, longest) = (good + g, bad + b, longest.max(l));
        }
        assert_eq!(gateway.stop().await, 0);
        let started = Instant::now();
        done(&home, &["restore", "--from", "b", "--data", "new"]).await;
        println!(
            "{size} bytes backed up in {took:.1?}; {good} turns answered, {bad} failed, the slowest in {longest:.1?}; most memory of \
             the gateway {before} KiB before, {after} KiB after; restored in {:.1?}",
            started.elapsed()
        );
        assert_eq!(bad, 0);
    }

    /// Rows of so many bytes that nobody can read.
    async fn fill(data: &Path, bytes: u64) {
        use chatward_message::{
            Action, ConversationId, CustomerId, Event, Facts, KeySlot, Purposes, Sealed, TenantId, TurnId,
            UnixMillis,
        };
        use chatward_store::{OpenTurn, Store, StoreOptions};
        const EACH: u64 = 256 << 10;
        let store = Store::open(data, StoreOptions::default()).unwrap();
        for n in 0..bytes / EACH {
            let id = |what: u8| {
                let mut id = [what; 16];
                id[..8].copy_from_slice(&n.to_be_bytes());
                id
            };
            let turn = TurnId::from_bytes(id(1));
            let event = Event {
                at: UnixMillis(1_700_000_000_000),
                tenant: TenantId::default_tenant(),
                action: Action::TurnOpened,
                turn: Some(turn),
                subject: None,
                facts: Facts::default(),
            };
            let received = (0..EACH)
                .map(|at| u8::try_from((at * 2_654_435_761 + n) >> 7 & 0xff).unwrap())
                .collect::<Vec<_>>();
            let opened = store.open_turn(OpenTurn {
                tenant: TenantId::default_tenant(),
                turn,
                conversation: ConversationId::from_bytes(id(2)),
                customer: CustomerId::from_bytes(id(2)),
                slot: KeySlot::from_bytes(id(4)),
                upstream: "main".into(),
                at: event.at,
                purposes: Purposes::SERVICE,
                standing: 0,
                issued: None,
                received: Sealed::from_bytes(received),
                event,
            });
            opened.await.unwrap();
        }
        store.close().await;
    }
}
