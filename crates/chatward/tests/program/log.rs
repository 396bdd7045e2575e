//! `chatward log verify`: what is whole is found whole, what was changed is found and located.

use super::harness::{Bot, Home, ask, copy_folder, files, until};

#[tokio::test]
async fn the_log_verifies_and_changes_are_located() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut turn = String::new();
    for n in 0..6 {
        turn = gateway.chat("sk", &[], &ask("echo", &format!("mail n{n}@mail.example"))).await.turn();
    }
    super::harness::log_says(&gateway, &turn, "turn-closed").await;
    // While it runs, from another process; the first checkpoint comes within a second.
    until("a checkpoint", async || home.data().join("log/checkpoint").exists()).await;
    let running = home.run(&["log", "verify", "--data", "data"]).await;
    assert_eq!(running.code, 0, "{running:?}");
    // What the public listener serves is the log in the folder, once nothing more is published.
    let mut checkpoint = gateway.get("/log/checkpoint", &[]).await;
    until("the last checkpoint", async || {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let before = std::mem::replace(&mut checkpoint, gateway.get("/log/checkpoint", &[]).await);
        before.body == checkpoint.body
    })
    .await;
    assert_eq!(checkpoint.status, 200);
    let held = home.path("held.checkpoint");
    std::fs::write(&held, &checkpoint.body).unwrap();
    for file in files(&home.data().join("log/tile")) {
        let path = file.strip_prefix(home.data()).unwrap().to_str().unwrap().to_owned();
        let served = gateway.get(&format!("/{path}"), &[]).await;
        assert_eq!(served.body, std::fs::read(&file).unwrap(), "{path}");
    }
    for path in [
        "/log/tile/../checkpoint",
        "/log/tile/%2e%2e/%2e%2e/chatward.db",
        "/log/vkey",
        "/log/tile/0/../../lock",
    ] {
        assert_eq!(gateway.get(path, &[]).await.status, 404, "{path}");
    }
    let older = home.path("older");
    copy_folder(&home.data().join("log"), &older.join("log"));
    gateway.chat("sk", &[], &ask("echo", "one more")).await;
    assert_eq!(gateway.stop().await, 0);

    let verify = async |data: &str, held: Option<&str>| {
        let mut args = vec!["log", "verify", "--data", data];
        args.extend(held.into_iter().flat_map(|held| ["--checkpoint", held]));
        home.run(&args).await
    };
    let held = held.to_str().unwrap();
    let clean = verify("data", Some(held)).await;
    assert_eq!(clean.code, 0, "{clean:?}");
    assert!(clean.out.contains("entries") && clean.out.contains("0 not yet"), "{clean:?}");

    // A flipped byte in each of the entry bundles' events, and in hashes.
    let bundles = files(&home.data().join("log/tile/entries"));
    let newest = bundles.iter().max_by_key(|file| std::fs::metadata(file).unwrap().len()).unwrap();
    let whole = std::fs::read(newest).unwrap();
    for at in [10, whole.len() / 2, whole.len() - 2] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(newest, &changed).unwrap();
        let found = verify("data", Some(held)).await;
        assert_eq!(found.code, 1, "byte {at}: {found:?}");
        // The line names the entry: count the events before the byte.
        let entry = entry_at(&whole, at);
        assert!(found.out.contains(&format!("{entry}")), "byte {at} is in entry {entry}: {}", found.out);
    }
    std::fs::write(newest, &whole).unwrap();
    assert_eq!(verify("data", Some(held)).await.code, 0);

    // Rolled back to an older state, which is right in itself: only who holds a newer checkpoint can know.
    let now = home.data().join("log/checkpoint");
    std::fs::copy(&now, home.path("newest.checkpoint")).unwrap();
    let newest = home.path("newest.checkpoint");
    assert_eq!(verify("older", None).await.code, 0);
    let rolled_back = verify("older", Some(newest.to_str().unwrap())).await;
    assert_eq!(rolled_back.code, 1, "{rolled_back:?}");
    // No log at all is a file that cannot be used.
    assert_eq!(verify("nothing", None).await.code, 3);
    // The program itself sees at its start that the log it published is not the one there.
    std::fs::remove_dir_all(home.data().join("log")).unwrap();
    copy_folder(&older.join("log"), &home.data().join("log"));
    let gateway = home.serve(&bot).await;
    until("the log to be mended from the database", async || {
        verify("data", Some(newest.to_str().unwrap())).await.code == 0
    })
    .await;
    gateway.stop().await;
}

fn entry_at(bundle: &[u8], at: usize) -> usize {
    let (mut entry, mut start) = (0, 0);
    loop {
        let end = start + 2 + usize::from(u16::from_be_bytes([bundle[start], bundle[start + 1]]));
        if at < end {
            return entry;
        }
        (entry, start) = (entry + 1, end);
    }
}
