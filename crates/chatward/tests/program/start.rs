//! Starts that must fail: each with its exit code, and words that say what to do.

use std::os::unix::fs::PermissionsExt as _;

use super::harness::{Bot, Done, Home, ask};

/// It ended with this code and said all of this; nothing of a panic.
fn told(done: &Done, code: i32, words: &[&str]) {
    assert_eq!(done.code, code, "{done:?}");
    for word in words {
        assert!(done.err.contains(word), "`{word}` is missing: {done:?}");
    }
    assert!(!done.err.contains("panicked"), "{done:?}");
}

/// A home that was used once.
async fn used() -> (Home, Bot) {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await.content();
    assert_eq!(gateway.stop().await, 0);
    (home, bot)
}

#[tokio::test]
async fn operator_keys_that_cannot_be_used() {
    let (home, bot) = used().await;
    let key = home.keys().join("operator.key");
    let right = std::fs::read(&key).unwrap();
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();

    mode(0o640);
    told(&home.fails_to_start(&[]).await, 4, &["operator.key", "chmod 600"]);
    mode(0o600);
    std::fs::write(&key, "not a key").unwrap();
    told(&home.fails_to_start(&[]).await, 3, &["operator.key", "not an operator key"]);
    std::fs::remove_file(&key).unwrap();
    told(&home.fails_to_start(&[]).await, 3, &["operator.key", "put it back"]);
    assert!(!key.exists(), "a new key was made over sealed data");
    // A right key, but another house's.
    let other = Home::new();
    other.serve(&bot).await.stop().await;
    std::fs::copy(other.keys().join("operator.key"), &key).unwrap();
    told(&home.fails_to_start(&[]).await, 3, &["another operator key"]);
    // Without its seal, and with a damaged one.
    std::fs::write(&key, &right).unwrap();
    mode(0o600);
    let seal = home.keys().join("seal");
    let sealed = std::fs::read(&seal).unwrap();
    std::fs::write(&seal, &sealed[..sealed.len() - 3]).unwrap();
    told(&home.fails_to_start(&[]).await, 3, &["seal", "damaged"]);
    std::fs::remove_file(&seal).unwrap();
    told(&home.fails_to_start(&[]).await, 3, &["seal", "missing"]);
    std::fs::write(&seal, &sealed).unwrap();
    std::fs::set_permissions(&seal, std::fs::Permissions::from_mode(0o600)).unwrap();
    // With everything back in its place it starts.
    let gateway = home.serve(&bot).await;
    assert_eq!(gateway.chat("sk", &[], &ask("echo", "hello")).await.status, 200);
}

#[tokio::test]
async fn folders_that_cannot_be_used() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let inside = home.data().join("keys");
    told(
        &home.fails_to_start(&["--keys", inside.to_str().unwrap()]).await,
        4,
        &["server.keys", "data folder"],
    );
    let around = home.path("keys/data");
    told(&home.fails_to_start(&["--data", around.to_str().unwrap()]).await, 4, &["keys", "data"]);
    assert!(!inside.join("operator.key").exists() && !around.exists());

    let gateway = home.serve(&bot).await;
    told(&home.fails_to_start(&[]).await, 5, &["another running process"]);
    // The first one is not disturbed.
    assert_eq!(gateway.chat("sk", &[], &ask("echo", "hello")).await.status, 200);
    // Another's port.
    let other = Home::new();
    let taken = gateway.public.to_string();
    told(&other.fails_to_start(&["--listen", &taken]).await, 3, &["cannot listen", &taken]);
    gateway.kill().await;
    // A killed process holds nothing.
    home.serve(&bot).await.stop().await;
}

#[tokio::test]
async fn configurations_that_are_refused() {
    let home = Home::new();
    home.configure("[server]\nlisten = \"nowhere\"\nmax_body_bytes = 1\n[upstreams.bot]\nurl = \"ftp://x\"\n[[callers]]\nname = \"A b\"\n");
    let done = home.fails_to_start(&[]).await;
    told(&done, 1, &["server.max_body_bytes", "upstreams.bot.url", "callers[0].name", "callers[0].key_hash"]);
    home.configure("[server]\nlissten = \"127.0.0.1:1\"\n[limitz]\nburst = 1\n");
    told(&home.fails_to_start(&[]).await, 1, &["server.lissten", "limitz", "unknown field"]);
    home.configure("this is not toml");
    told(&home.fails_to_start(&[]).await, 1, &["line 1"]);
    home.configure("[upstreams.bot]\nurl = \"http://bot.example/v1\"\n");
    told(&home.fails_to_start(&[]).await, 4, &["upstreams.bot.url", "unsafe_plain_http"]);
    std::fs::remove_file(home.path("chatward.toml")).unwrap();
    told(&home.fails_to_start(&["--config", "gone.toml"]).await, 3, &["gone.toml", "No such file"]);
    told(
        &home.fails_to_start(&["--listen", "0.0.0.0:0"]).await,
        4,
        &["server.listen", "--unsafe-plain-http"],
    );
    assert!(!home.data().exists() && !home.keys().exists(), "a refused start left something behind");
    // Named as unsafe it is done.
    let gateway = home.start(&["--listen", "0.0.0.0:0", "--unsafe-plain-http"]).await;
    assert!(gateway.said.iter().any(|line| line.starts_with("Note:")), "{:?}", gateway.said);
    told(&home.run(&["serve", "--nonsense"]).await, 2, &["--nonsense"]);
    told(&home.run(&["status", "--data", "elsewhere"]).await, 5, &["holds no data"]);
}

/// What looks into the files of the embedded store.
mod embedded {
    use super::*;

    #[tokio::test]
    async fn databases_that_cannot_be_used() {
        let (home, _bot) = used().await;
        let file = home.data().join("chatward.db");
        let whole = std::fs::read(&file).unwrap();
        let write = |bytes: &[u8]| std::fs::write(&file, bytes).unwrap();

        let mut damaged = whole.clone();
        damaged[0..16].copy_from_slice(b"Not a database!!");
        write(&damaged);
        told(&home.fails_to_start(&[]).await, 3, &["chatward.db", "damaged", "backup"]);
        let mut damaged = whole.clone();
        let half = damaged.len() / 2;
        damaged[half..].fill(0x5a);
        write(&damaged);
        told(&home.fails_to_start(&[]).await, 3, &["chatward.db", "damaged", "backup"]);
        // An older database than the published log: refused, and both are left as they are.
        write(&whole);
        let gateway = home.start(&[]).await;
        assert_eq!(gateway.stop().await, 0);
        write(&whole);
        told(&home.fails_to_start(&[]).await, 3, &["disagree", "older copy"]);
    }
}
