//! Backups of an embedded store.

mod embedded {
    use std::os::unix::fs::FileExt as _;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use chatward_message::{Action, CustomerId, Sealed, UnixMillis};
    use chatward_store::{BackedUp, BackupKind, BackupProgress, Store, StoreError, fit_place, restore};

    use crate::{closing, event, id, open, opening, options, signed, tenant};

    const BESIDE: &[&str] = &["intel/own.jsonl", "feedback/cases.jsonl"];

    /// 200 customers with a turn of a quarter of a megabyte each.
    async fn filled(dir: &Path) -> Store {
        let store = open(dir);
        for c in 0..200u64 {
            let mut turn = opening(c, c);
            turn.received = Sealed::from_bytes(vec![u8::try_from(c).unwrap(); 256 << 10]);
            store.open_turn(turn).await.unwrap();
            store.close_turn(closing(c)).await.unwrap();
        }
        signed(&store).await;
        store
    }

    async fn back_up(store: &Store, to: &Path) -> Result<(BackedUp, Arc<BackupProgress>), StoreError> {
        let progress = Arc::new(BackupProgress::default());
        let made = store.backup(to, UnixMillis(7), BESIDE, Arc::clone(&progress)).await?;
        Ok((made, progress))
    }

    fn is_sound(dir: &Path) {
        let db = rusqlite::Connection::open(dir.join("chatward.db")).unwrap();
        let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backup_under_load_and_erasures_is_of_one_moment() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let store = filled(&at("data")).await;
        let stop = Arc::new(AtomicBool::new(false));
        let load = tokio::spawn({
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            async move {
                let mut n = 1000;
                while !stop.load(Ordering::Relaxed) {
                    let mut turn = opening(n % 7 + 1000, n);
                    turn.received = Sealed::from_bytes(vec![1; 32 << 10]);
                    store.open_turn(turn).await.unwrap();
                    store.close_turn(closing(n)).await.unwrap();
                    n += 1;
                }
                n - 1000
            }
        });
        let erasing = tokio::spawn({
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            async move {
                let (mut c, mut longest) = (0, Duration::ZERO);
                while !stop.load(Ordering::Relaxed) && c < 100 {
                    let started = Instant::now();
                    let who = CustomerId::from_bytes(id(3, c));
                    store.delete_customer(&tenant(), who, event(Action::CustomerErased, None)).await.unwrap();
                    longest = longest.max(started.elapsed());
                    c += 1;
                }
                (c, longest)
            }
        });
        for round in 0..3 {
            let (to, new) = (at(&format!("b{round}")), at(&format!("r{round}")));
            let (made, progress) = back_up(&store, &to).await.unwrap();
            assert!(made.events >= 400 && progress.bytes().0 == progress.bytes().1, "{made:?} {progress:?}");
            // Whether the database is the one of the log is looked at here.
            restore(&to, &new, &BackupProgress::default()).unwrap();
            is_sound(&new);
            let again = Store::open(&new, options(&new)).unwrap();
            assert!(again.stats().log_size >= made.events);
            again.close().await;
        }
        stop.store(true, Ordering::Relaxed);
        let turns = load.await.unwrap();
        let (erased, longest) = erasing.await.unwrap();
        assert!(turns > 10 && erased > 2, "{turns} turns, {erased} erasures");
        assert!(longest < Duration::from_secs(8), "an erasure took {longest:?}");
        store.close().await;
        // Nothing of it stays in the house.
        let left = std::fs::read_dir(at("data")).unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>();
        assert!(
            left.iter().all(|name| ["chatward.db", "log", "lock"].contains(&name.to_str().unwrap())),
            "{left:?}"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_lies_beside_the_database_goes_along() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (data, kind) = (at("data"), BackupKind::Data(BESIDE));
        let store = open(&data);
        store.open_turn(opening(1, 1)).await.unwrap();
        signed(&store).await;
        // One of several chunks, one that is nobody's, and one that is gone when an interrupted backup goes on.
        let own: Vec<u8> = (0..9_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for (name, bytes) in
            [("intel/own.jsonl", &own[..]), ("intel/set", b"feeds"), ("feedback/cases.jsonl", b"")]
        {
            std::fs::create_dir_all(data.join(name).parent().unwrap()).unwrap();
            std::fs::write(data.join(name), bytes).unwrap();
        }
        back_up(&store, &at("b")).await.unwrap();
        std::fs::remove_file(at("b/data-backup")).unwrap();
        let origin = std::fs::read_to_string(at("b/log/checkpoint")).unwrap();
        std::fs::write(at("b/data-backup.begun"), origin.lines().next().unwrap()).unwrap();
        fit_place(&at("b"), kind, &[&data]).unwrap();
        assert!(fit_place(&at("b"), BackupKind::Data(&[]), &[&data]).is_err());
        // Where no backup was begun, a folder of such a name is somebody else's.
        std::fs::create_dir_all(at("other/intel")).unwrap();
        assert!(fit_place(&at("other"), kind, &[&data]).is_err());
        std::fs::remove_file(data.join("feedback/cases.jsonl")).unwrap();
        let (made, _) = back_up(&store, &at("b")).await.unwrap();
        restore(&at("b"), &at("r"), &BackupProgress::default()).unwrap();
        assert_eq!(std::fs::read(at("r/intel/own.jsonl")).unwrap(), own);
        assert!(made.chunks >= 5, "{made:?}");
        for name in ["intel/set", "feedback/cases.jsonl"] {
            assert!(!at("b").join(name).exists() && !at("r").join(name).exists(), "{name}");
        }
        // A changed byte of it is found.
        let file = std::fs::File::options().write(true).open(at("b/intel/own.jsonl")).unwrap();
        file.write_all_at(b"x", 5_000_000).unwrap();
        let refused = restore(&at("b"), &at("r2"), &BackupProgress::default());
        assert!(matches!(refused, Err(StoreError::BackupDamaged { .. })), "{refused:?}");
        store.close().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_interrupted_backup_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let store = filled(&at("data")).await;
        let (made, _) = back_up(&store, &at("b")).await.unwrap();
        assert_eq!(made.found, 0);
        // As if it had been killed half-way: no manifest, half of the database, one piece of rubbish in it.
        std::fs::remove_file(at("b/data-backup")).unwrap();
        let origin =
            std::fs::read_to_string(at("b/log/checkpoint")).unwrap().lines().next().unwrap().to_owned();
        std::fs::write(at("b/data-backup.begun"), &origin).unwrap();
        let file = std::fs::File::options().write(true).open(at("b/chatward.db")).unwrap();
        let size = file.metadata().unwrap().len();
        file.set_len(size / 2).unwrap();
        file.write_all_at(b"rubbish", 100_000).unwrap();
        store.open_turn(opening(1, 9000)).await.unwrap();
        let (again, _) = back_up(&store, &at("b")).await.unwrap();
        assert!(again.found > size / 4 && again.found < size / 2, "{again:?} of {size}");
        restore(&at("b"), &at("r"), &BackupProgress::default()).unwrap();
        is_sound(&at("r"));
        // Another house's backup is not gone on with.
        let mut other = options(&at("other"));
        other.signer = Some(crate::Key::of(77));
        let other = Store::open(&at("other"), other).unwrap();
        other.append(vec![event(Action::Started, None)]).await.unwrap();
        signed(&other).await;
        std::fs::create_dir(at("o")).unwrap();
        std::fs::write(at("o/data-backup.begun"), "somebody else").unwrap();
        assert!(matches!(back_up(&other, &at("o")).await, Err(StoreError::BackupPlace { .. })));
    }

    #[tokio::test]
    async fn a_reader_or_a_closed_store_ends_a_backup_with_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("data"));
        let early = back_up(&store, &dir.path().join("b")).await;
        assert!(
            matches!(early, Err(StoreError::BackupPlace { .. })),
            "before the first checkpoint: {early:?}"
        );
        store.append(vec![event(Action::Started, None)]).await.unwrap();
        signed(&store).await;
        store.clone().close().await;
        assert!(matches!(back_up(&store, &dir.path().join("c")).await, Err(StoreError::Closed)));
        assert!(!dir.path().join("c/data-backup").exists());
    }
}
