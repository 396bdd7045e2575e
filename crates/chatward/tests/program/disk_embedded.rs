//! A full disk: nothing is sent that cannot be written down, nothing acknowledged is lost, and it goes on by itself.

use std::path::PathBuf;
use std::process::Command;

use super::harness::{Bot, Home, ask, until};

/// A small file system of its own, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        let size = format!("size={size},mode=0700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output().unwrap();
        assert!(
            mounted.status.success(),
            "this test mounts a small tmpfs and has to run as root: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(at)
    }

    /// Fills it to the last byte.
    fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let file = self.0.join("filler");
        let mut out = std::fs::File::create(&file).unwrap();
        for size in [1 << 16, 1 << 12, 1 << 6, 1] {
            while out.write(&vec![0; size]).is_ok_and(|n| n == size) {}
        }
        file
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_turns_and_loses_nothing() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let small = Small::mount(home.data(), "6m");
    let gateway = home.serve(&bot).await;
    let mut turns = vec![gateway.chat("sk", &[], &ask("echo", "mail ann@mail.example")).await];
    let filler = small.fill();
    // What still fits into pages that are there already may pass; then it stops.
    let text = "mail ann@mail.example ".repeat(200);
    let mut refused = 0;
    for _ in 0..200 {
        let asked = bot.seen().len();
        let answer = gateway.chat("sk", &[], &ask("echo", &text)).await;
        if answer.status == 200 {
            turns.push(answer);
            continue;
        }
        assert_eq!((answer.status, answer.code().as_str()), (503, "disk-full"), "{}", answer.text());
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.json()["error"]["type"], "server_error");
        // Either nothing was sent, or the answer was not given because it could not be kept.
        assert!(bot.seen().len() <= asked + 1);
        refused += 1;
        if refused == 5 {
            break;
        }
    }
    assert_eq!(refused, 5, "the disk never became full");
    let asked = bot.seen().len();
    assert_eq!(gateway.chat("sk", &[], &ask("echo", &text)).await.status, 503);
    assert_eq!(bot.seen().len(), asked, "a message went out that is not written down");

    std::fs::remove_file(filler).unwrap();
    until("turns to go on", async || {
        let answer = gateway.chat("sk", &[], &ask("echo", "mail ben@mail.example")).await;
        let goes_on = answer.status == 200;
        if goes_on {
            turns.push(answer);
        }
        goes_on
    })
    .await;
    for answer in &turns {
        assert_eq!(gateway.received("sk", &answer.turn()).await.status, 200, "an acknowledged turn is lost");
    }
    assert_eq!(gateway.stop().await, 0);
    let verified = home.run(&["log", "verify", "--data", "data"]).await;
    assert_eq!(verified.code, 0, "{verified:?}");
    let gateway = home.serve(&bot).await;
    for answer in &turns {
        assert_eq!(gateway.received("sk", &answer.turn()).await.status, 200, "an acknowledged turn is lost");
    }
    gateway.stop().await;
}
