//! `kill -9` at random instants under load: nothing acknowledged is lost, no turn stays half-made, the log verifies.
//!
//! Three rounds; `CHATWARD_PROVE_KILLS=200` for the full count. What this cannot show is a power cut: the kernel keeps
//! what a killed process wrote. That is what `synchronous=FULL` and the checks of the files are for.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chatward_message::TurnId;
use chatward_store::TurnState;
use chatward_store::log::verify::{Held, verify};

use crate::{closing, id, open, opening, tenant};

const DIR: &str = "CHATWARD_KILL_DIR";
const FIRST: &str = "CHATWARD_KILL_FIRST";

#[test]
fn prove_kill_at_any_instant_loses_nothing_acknowledged() {
    let rounds: u64 = std::env::var("CHATWARD_PROVE_KILLS").ok().and_then(|r| r.parse().ok()).unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    // A log that was never begun has no checkpoint to verify.
    runtime.block_on(async {
        let store = open(dir.path());
        store.append(vec![crate::event(chatward_message::Action::Started, None)]).await.unwrap();
        crate::signed(&store).await;
        store.close().await;
    });
    let mut held = Vec::new();
    let mut acknowledged: HashMap<u64, bool> = HashMap::new();
    for round in 0..rounds {
        let first = round * 1_000_000;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::load_until_killed", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(DIR, dir.path())
            .env(FIRST, first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (tell, opened) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut acks = Vec::new();
            let mut line = String::new();
            // A line without its end was never acknowledged.
            while lines.read_line(&mut line).unwrap() > 0 && line.ends_with('\n') {
                if line.trim_end().ends_with("ready") {
                    let _gone = tell.send(());
                }
                if let Some((what, n)) = line.trim().split_once(' ')
                    && let Ok(n) = n.parse::<u64>()
                {
                    acks.push((what == "closed", n));
                }
                line.clear();
            }
            acks
        });
        // From before the first commit to the middle of the load; every other time surely in the load.
        if round % 2 == 1 {
            opened.recv().unwrap();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
        std::thread::sleep(Duration::from_millis(u64::from(now / 1000 % 700) + 50));
        child.kill().unwrap();
        child.wait().unwrap();
        for (closed, n) in reader.join().unwrap() {
            *acknowledged.entry(n).or_default() |= closed;
        }
        // Before anything is repaired: what the log's files say may lag, but never lies.
        if dir.path().join("log/checkpoint").exists() {
            let report = verify(&dir.path().join("log"), None, &held).unwrap();
            assert!(report.is_clean(), "round {round}, before the start: {:?}", report.faults);
        }
        runtime.block_on(async {
            let store = open(dir.path());
            // All of this round, and some of those before: each of them was looked at in its own round.
            let step = 1 + acknowledged.len() / 2000;
            let looked_at = acknowledged.iter().enumerate();
            let looked_at =
                looked_at.filter(|(at, (n, _))| **n >= first || at % step == round as usize % step);
            for (_, (n, closed)) in looked_at {
                let row = store.turn(&tenant(), TurnId::from_bytes(id(1, *n))).await.unwrap();
                let row =
                    row.unwrap_or_else(|| panic!("round {round}: turn {n} was acknowledged and is lost"));
                assert!(
                    !closed || row.state == TurnState::Closed,
                    "round {round}: turn {n} is {:?}",
                    row.state
                );
                assert_ne!(row.state, TurnState::Open, "round {round}: turn {n}");
            }
            let size = crate::signed(&store).await;
            store.close().await;
            let report = verify(&dir.path().join("log"), None, &held).unwrap();
            assert!(report.is_clean(), "round {round}: {:?}", report.faults);
            assert_eq!(report.proven, size);
            if held.len() < 8 && dir.path().join("log/checkpoint").exists() {
                let bytes = std::fs::read(dir.path().join("log/checkpoint")).unwrap();
                held.push(Held { name: format!("round {round}"), bytes });
            }
        });
    }
    println!("{rounds} kills, {} turns acknowledged", acknowledged.len());
    assert!(!acknowledged.is_empty(), "the load never got going");
}

#[test]
#[ignore = "the child of the test above"]
fn load_until_killed() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else { return };
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(&dir);
        println!("ready");
        let mut tasks = Vec::new();
        for client in 0..16u64 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                let say = |what: &str, n: u64| {
                    std::io::stdout().write_all(format!("{what} {n}\n").as_bytes()).unwrap()
                };
                for n in (first + client..first + 900_000).step_by(16) {
                    store.open_turn(opening(n % 50, n)).await.unwrap();
                    say("opened", n);
                    store.close_turn(closing(n)).await.unwrap();
                    say("closed", n);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
}
