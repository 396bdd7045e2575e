//! The recovery kit, the drill, and seals other than the key file.

use std::io::Write as _;
use std::process::Stdio;

use super::harness::{Bot, Done, Home, ask, log_events, soon, until};
#[cfg(feature = "seal-kms")]
use super::moto::Moto;

const PLACES: [&str; 4] = ["--data", "data", "--keys", "keys"];

/// Runs a command with this typed in.
async fn typed(home: &Home, args: &[&str], text: &str) -> Done {
    let mut command = home.command(args);
    let text = text.to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // One that refuses at once reads nothing.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        child.wait_with_output().unwrap()
    });
    let output = soon("a command to end", ran).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

async fn at(home: &Home, args: &[&str], text: &str) -> Done {
    typed(home, &[args, &PLACES].concat(), text).await
}

/// The rows of groups of a kit, as they are printed.
fn rows(text: &str) -> String {
    let rows: Vec<&str> =
        text.lines().filter(|line| line.contains(":  ") && line.starts_with("  ")).collect();
    assert_eq!(rows.len(), 3, "{text}");
    rows.join("\n")
}

async fn kit(home: &Home) -> String {
    let shown = at(home, &["keys", "recovery-kit", "--yes"], "").await;
    assert_eq!(shown.code, 0, "{shown:?}");
    rows(&shown.out)
}

async fn used() -> (Home, Bot) {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    assert!(gateway.said.iter().any(|line| line.contains("keys recovery-kit")), "{:?}", gateway.said);
    gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await.content();
    assert_eq!(gateway.stop().await, 0);
    (home, bot)
}

#[tokio::test]
async fn the_kit_brings_the_operators_key_back() {
    let (home, bot) = used().await;
    let key = home.keys().join("operator.key");
    let right = std::fs::read(&key).unwrap();
    let asked = at(&home, &["keys", "recovery-kit"], "yes\n").await;
    assert!(asked.code == 4 && asked.out.is_empty(), "{asked:?}");
    let kit = kit(&home).await;
    let recover = ["keys", "recover", "--keys", "keys"];
    assert_eq!(typed(&home, &recover, &kit).await.code, 4, "never over a key that is there");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(home.fails_to_start(&[]).await.code, 3);

    // A slip is named with its group: the first letter of the second row is in group 6.
    let second = kit.lines().nth(1).unwrap();
    let (number, groups) = second.split_once(":  ").unwrap();
    let other = if groups.starts_with('7') { "8" } else { "7" };
    let slip = kit.replace(second, &format!("{number}:  {other}{}", &groups[1..]));
    let refused = typed(&home, &recover, &slip).await;
    assert!(refused.code == 1 && refused.err.contains("group 6:"), "{refused:?}");
    let refused = typed(&home, &recover, "").await;
    assert!(refused.code == 1 && refused.err.contains("13"), "{refused:?}");
    // Another house's.
    let (neighbour, _bot) = used().await;
    let refused = typed(&home, &recover, &self::kit(&neighbour).await).await;
    assert!(refused.code == 1 && refused.err.contains("another operator key"), "{refused:?}");
    assert!(!key.exists());
    // Lower case and without its numbers.
    let words: Vec<&str> = kit.lines().map(|line| line.split_once(":  ").unwrap().1).collect();
    let done = typed(&home, &recover, &words.join("\n").to_lowercase()).await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(std::fs::read(&key).unwrap(), right);
    assert_eq!(home.serve(&bot).await.stop().await, 0);
    // A folder without its seal file is no place for it.
    let nowhere = typed(&home, &["keys", "recover", "--keys", "elsewhere"], &kit).await;
    assert!(nowhere.code == 3 && !home.path("elsewhere/operator.key").exists(), "{nowhere:?}");
}

#[tokio::test]
async fn the_drill_proves_the_kit_and_is_written_down() {
    let (home, bot) = used().await;
    let kit = kit(&home).await;
    let (neighbour, _bot) = used().await;
    let wrong = self::kit(&neighbour).await;
    let drill = ["doctor", "--recovery"];
    let drilled = || log_events(&home.data()).iter().filter(|e| e["action"] == "recovery-drilled").count();
    let done = at(&home, &drill, &kit).await;
    assert_eq!(done.code, 0, "{done:?}");
    for word in ["opens the seal file", "no mirror", "all data is lost"] {
        assert!(done.out.contains(word), "{word}: {done:?}");
    }
    let refused = at(&home, &drill, &wrong).await;
    assert!(refused.code == 1 && refused.err.contains("does not recover this house"), "{refused:?}");
    assert_eq!(at(&home, &drill, "nonsense").await.code, 1);
    assert_eq!(drilled(), 1);
    let gateway = home.serve(&bot).await;
    let done = at(&home, &drill, &kit).await;
    assert_eq!(done.code, 0, "{done:?}");
    until("the drill in the log", async || drilled() == 2).await;
    assert_eq!(gateway.stop().await, 0);
}

/// The mirror is of files.
mod embedded {
    use super::*;

    #[tokio::test]
    async fn the_drill_looks_at_the_mirror() {
        let (home, bot) = (Home::new(), Bot::new().await);
        home.configure("[keys]\nmirror = \"mirror\"\n");
        assert_eq!(home.serve(&bot).await.stop().await, 0);
        let kit = kit(&home).await;
        let gateway = home.serve(&bot).await;
        gateway.chat("sk", &[], &ask("echo", "hello")).await.content();
        let done = at(&home, &["doctor", "--recovery"], &kit).await;
        assert!(
            done.code == 0 && done.out.contains("The mirror") && done.out.contains("keys was tried"),
            "{done:?}"
        );
        gateway.kill().await;
        // An older pair in the mirror.
        let pair = std::fs::read_dir(home.path("mirror"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.is_dir())
            .unwrap();
        let other = home.path("other-seal");
        std::fs::copy(pair.join("seal"), &other).unwrap();
        home.configure("");
        assert_eq!(home.run(&[&["keys", "rotate"][..], &PLACES].concat()).await.code, 0);
        home.configure("[keys]\nmirror = \"mirror\"\n");
        let refused = at(&home, &["doctor", "--recovery"], &kit).await;
        assert!(refused.code == 1 && refused.err.contains("mirror"), "{refused:?}");
    }
}

#[tokio::test]
async fn a_passphrase_seals_and_can_be_changed() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let seal = |file: &str| {
        home.configure(&format!("[seal]\nkind = \"passphrase\"\npassphrase_file = \"{file}\"\n"))
    };
    let write = |name: &str, text: &str| std::fs::write(home.path(name), text).unwrap();
    write("pass", "correct horse battery\n");
    write("wrong", "correct horse batterz\n");
    write("new", "staple of another kind\n");
    write("short", "short\n");
    seal("pass");
    let gateway = home.serve(&bot).await;
    let turn = gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await.turn();
    assert_eq!(gateway.stop().await, 0);
    assert!(home.keys().join("operator.wrapped").exists() && !home.keys().join("operator.key").exists());
    let kit = kit(&home).await;
    for (file, word) in [("wrong", "does not open"), ("short", "12 characters"), ("gone", "gone")] {
        seal(file);
        let refused = home.fails_to_start(&[]).await;
        assert!(refused.code == 3 && refused.err.contains(word), "{file}: {refused:?}");
    }
    // Another passphrase.
    seal("pass");
    let done = at(&home, &["keys", "reseal", "--to", "passphrase", "--new-passphrase-file", "new"], "").await;
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(home.fails_to_start(&[]).await.code, 3, "the old passphrase still opens");
    seal("new");
    assert_eq!(home.serve(&bot).await.stop().await, 0);
    // To the file and back.
    let done = at(&home, &["keys", "reseal", "--to", "file"], "").await;
    assert!(done.code == 0 && done.out.contains("seal.kind = \"file\""), "{done:?}");
    assert!(!home.keys().join("operator.wrapped").exists());
    let refused = home.fails_to_start(&[]).await;
    assert!(refused.err.contains("reseal --to passphrase"), "{refused:?}");
    home.configure("");
    assert_eq!(home.serve(&bot).await.stop().await, 0);
    seal("pass");
    let done = at(&home, &["keys", "reseal", "--to", "passphrase"], "").await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!home.keys().join("operator.key").exists());
    let gateway = home.serve(&bot).await;
    assert_eq!(gateway.admin(&format!("/admin/v1/turns/{turn}/received")).await.status, 200);
    assert_eq!(gateway.stop().await, 0);
    // The kit is the same all the while.
    assert_eq!(self::kit(&home).await, kit);
    assert_eq!(at(&home, &["doctor", "--recovery"], &kit).await.code, 0);
    let resealed = log_events(&home.data()).iter().filter(|e| e["action"] == "operator-key-resealed").count();
    assert!(resealed >= 1, "{resealed}");
}

#[tokio::test]
async fn a_seal_that_this_build_lacks_is_named_with_its_feature() {
    let home = Home::new();
    let transit = (!cfg!(feature = "seal-transit")).then_some(("transit", "seal-transit"));
    let pkcs11 = (!cfg!(feature = "seal-pkcs11")).then_some(("pkcs11", "seal-pkcs11"));
    let kms = (!cfg!(feature = "seal-kms")).then_some(("aws-kms", "seal-kms"));
    for (kind, feature) in transit.into_iter().chain(pkcs11).chain(kms) {
        home.configure(&format!("[seal]\nkind = \"{kind}\"\n"));
        let refused = home.fails_to_start(&[]).await;
        assert!(
            refused.code == 1 && refused.err.contains("seal.kind") && refused.err.contains(feature),
            "{refused:?}"
        );
    }
    assert!(!home.keys().exists());
}

/// The operator's key under a key of AWS KMS (`moto`), with the access key in variables and in a file.
#[cfg(feature = "seal-kms")]
#[tokio::test]
#[ignore = "needs moto: CHATWARD_TEST_MOTO"]
async fn kms_seals_the_program() {
    let (home, bot, mut kms) = (Home::new(), Bot::new().await, Moto::start());
    std::fs::write(home.path("secret"), format!("{}\n", kms.fact("right/secret"))).unwrap();
    std::fs::write(home.path("wrong"), "wrong\n").unwrap();
    let seal = |kind: &str, key: &str, secret: &str| {
        let (region, url, id) = (kms.fact("region"), kms.fact("url"), kms.fact("right/id"));
        format!(
            "[seal]\nkind = \"{kind}\"\nregion = \"{region}\"\nkey = \"{}\"\nendpoint = \"{url}\"\n\
             access_key_id = \"{id}\"\nsecret_key_file = \"{secret}\"\n",
            kms.fact(key)
        )
    };
    let (right, other, wrong) = (
        seal("aws-kms", "house", "secret"),
        seal("aws-kms", "other", "secret"),
        seal("aws-kms", "house", "wrong"),
    );
    let plain = seal("file", "house", "secret");
    home.configure(&right);
    let gateway = home.serve(&bot).await;
    let turn = gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await.turn();
    assert_eq!(gateway.stop().await, 0);
    assert!(home.keys().join("operator.wrapped").exists() && !home.keys().join("operator.key").exists());
    let gateway = home.serve(&bot).await;
    assert_eq!(gateway.admin(&format!("/admin/v1/turns/{turn}/received")).await.status, 200);
    assert_eq!(gateway.stop().await, 0);
    for (text, word) in [(&other, "the key that wrapped"), (&wrong, "look at the access key")] {
        home.configure(text);
        let refused = home.fails_to_start(&[]).await;
        assert!(refused.code == 3 && refused.err.contains(word), "{refused:?}");
    }
    home.configure(&right.replace("secret_key_file", "session_token_file"));
    let refused = home.fails_to_start(&[]).await;
    assert!(refused.code == 1 && refused.err.contains("seal.secret_key_file"), "{refused:?}");
    home.configure(&right);
    let kit = kit(&home).await;
    kms.tell("disable", "house");
    let refused = home.fails_to_start(&[]).await;
    assert!(refused.code == 3 && refused.err.contains("enable it in KMS"), "{refused:?}");
    kms.tell("enable", "house");
    // To the file and back; the kit is the same all the while.
    assert_eq!(at(&home, &["keys", "reseal", "--to", "file"], "").await.code, 0);
    home.configure(&plain);
    assert_eq!(self::kit(&home).await, kit);
    assert_eq!(at(&home, &["keys", "reseal", "--to", "aws-kms"], "").await.code, 0);
    assert!(!home.keys().join("operator.key").exists());
    home.configure(&right);
    assert_eq!(self::kit(&home).await, kit);
    // The variables of AWS's own programs, with an access key that is lent.
    let bare: String = right
        .lines()
        .filter(|line| !line.starts_with("access_key_id") && !line.starts_with("secret_key_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    home.configure(&bare);
    let shown = |variables: &[(&str, &str)]| {
        let mut command = home.command(&[&["keys", "recovery-kit", "--yes"], &PLACES[..]].concat());
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let (id, secret, token) = (kms.fact("lent/id"), kms.fact("lent/secret"), kms.fact("lent/token"));
    let lent = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", token)];
    let done = shown(&lent);
    assert_eq!(rows(&String::from_utf8_lossy(&done.stdout)), kit);
    for (some, word) in
        [(&lent[..2], "look at the access key"), (&lent[..1], "a secret is needed"), (&[], "no access key")]
    {
        let refused = shown(some);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && text.contains(word), "{refused:?}");
        assert!(!text.contains(secret) && !text.contains(token), "{text}");
    }
}

#[tokio::test]
async fn the_first_start_on_a_terminal_shows_the_kit() {
    let home = Home::new();
    let program = env!("CARGO_BIN_EXE_chatward");
    let line = format!("{program} serve --listen 127.0.0.1:0 --private 127.0.0.1:0 --data data --keys keys");
    // `script` (util-linux) gives it a terminal.
    let mut script = std::process::Command::new("script");
    script.args(["-qefc", &format!("timeout 5 {line}"), "/dev/null"]).current_dir(home.path("."));
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(child) = script.spawn() else { return };
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(shown.contains("RECOVERY KIT"), "{shown}");
    if server_is_used() {
        return;
    }
    assert_eq!(rows(&shown), kit(&home).await);
}

/// On a server the bare program above has no databases.
fn server_is_used() -> bool {
    super::harness::server().is_some()
}
