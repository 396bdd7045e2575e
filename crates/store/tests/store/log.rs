//! The published log: what it proves, and every way of tampering with it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use chatward_message::{Action, UnixMillis};
use chatward_store::log::verify::{Checkpoint, Held, Report, Vkey, What, verify};
use chatward_store::{Store, StoreError, StoreOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{Key, event, open, options, signed};

/// A log of this many events, published in steps of uneven size.
pub(crate) async fn grown(dir: &Path, size: u64) -> Store {
    let store = open(dir);
    grow(&store, size).await;
    store
}

async fn grow(store: &Store, size: u64) {
    let mut now = store.stats().log_size;
    while now < size {
        let step = (now / 3 + 1).min(size - now);
        let events = (now..now + step).map(|n| {
            let mut event = event(Action::Started, None);
            event.at = UnixMillis(n);
            event
        });
        store.append(events.collect()).await.unwrap();
        now += step;
        signed(store).await;
    }
}

fn held(name: &str, dir: &Path) -> Held {
    Held { name: name.into(), bytes: fs::read(dir.join("log/checkpoint")).unwrap() }
}

fn vkey(dir: &Path) -> Vkey {
    fs::read_to_string(dir.join("log/vkey")).unwrap().parse().unwrap()
}

fn check(dir: &Path, held: &[Held]) -> Report {
    verify(&dir.join("log"), None, held).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grows_while_it_is_read_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let often = StoreOptions { publish_every: std::time::Duration::from_millis(1), ..options(dir.path()) };
    let store = std::sync::Arc::new(Store::open(dir.path(), often).unwrap());
    grow(&store, 1).await;
    let (growing, done) =
        (std::sync::Arc::clone(&store), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let until = std::sync::Arc::clone(&done);
    let writer = tokio::spawn(async move {
        while !until.load(std::sync::atomic::Ordering::Relaxed) {
            growing.append(vec![event(Action::Started, None)]).await.unwrap();
        }
    });
    let log = dir.path().to_owned();
    let faults = tokio::task::spawn_blocking(move || {
        let reports = (0..300).map(|_| check(&log, &[]));
        reports.flat_map(|report| report.faults).collect::<Vec<_>>()
    });
    let faults = faults.await.unwrap();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.await.unwrap();
    assert!(faults.is_empty(), "{faults:?}");
}

#[tokio::test]
async fn logs_of_all_awkward_sizes_verify_and_go_on_after_a_restart() {
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 700] {
        let dir = tempfile::tempdir().unwrap();
        let store = grown(dir.path(), size).await;
        let old = held("old", dir.path());
        let report = check(dir.path(), std::slice::from_ref(&old));
        assert!(report.is_clean(), "{size}: {:?}", report.faults);
        assert_eq!((report.entries, report.proven), (size, size));
        assert!(report.unproven.is_empty());
        store.close().await;
        let store = grown(dir.path(), size + 300).await;
        let report = check(dir.path(), &[old]);
        assert!(report.is_clean(), "{size} + 300: {:?}", report.faults);
        assert_eq!(report.proven, size + 300);
        store.close().await;
    }
}

#[tokio::test]
async fn a_log_with_three_levels_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let many = |from: u64, to: u64| {
        (from..to)
            .map(|n| {
                let mut e = event(Action::Started, None);
                e.at = UnixMillis(n);
                e
            })
            .collect()
    };
    store.append(many(0, 66_000)).await.unwrap();
    signed(&store).await;
    store.append(many(66_000, 66_010)).await.unwrap();
    signed(&store).await;
    assert!(dir.path().join("log/tile/1/000").exists() && dir.path().join("log/tile/2/000.p/1").exists());
    let report = check(dir.path(), &[]);
    assert!(report.is_clean(), "{:?}", report.faults);
    let tile = dir.path().join("log/tile/2/000.p/1");
    fs::write(&tile, [1; 32]).unwrap();
    let report = check(dir.path(), &[]);
    assert!(
        report.faults.iter().any(|f| f.entries == (0..65_536) && f.what == What::HashChanged),
        "{:?}",
        report.faults
    );
    assert_eq!(report.proven, 66_010);
}

#[tokio::test]
async fn every_event_has_a_proof_that_a_stranger_can_check() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path(), 600).await;
    let key = vkey(dir.path());
    let hash =
        |parts: &[&[u8]]| -> [u8; 32] { digest(&SHA256, &parts.concat()).as_ref().try_into().unwrap() };
    for index in [0, 1, 255, 256, 511, 512, 598, 599] {
        let proof = store.proof(index).await.unwrap().unwrap();
        let head = Checkpoint::open(&proof.checkpoint, &key).unwrap();
        // RFC 9162, 2.1.3.2.
        let leaf = store.event(index).await.unwrap().unwrap();
        let (mut node, mut last, mut r) = (index, head.size - 1, hash(&[&[0], leaf.as_bytes()]));
        for p in &proof.path {
            assert_ne!(last, 0);
            if node & 1 == 1 || node == last {
                r = hash(&[&[1], p, &r]);
                while node & 1 == 0 && node != 0 {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                r = hash(&[&[1], &r, p]);
            }
            node >>= 1;
            last >>= 1;
        }
        assert_eq!((last, r), (0, head.root), "entry {index}");
    }
    assert_eq!(store.proof(600).await.unwrap(), None);
}

#[tokio::test]
async fn old_partial_tiles_are_cut_from_newer_ones_and_nothing_else_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path(), 100).await;
    let (tile, bundle) = ("tile/0/000.p/100", "tile/entries/000.p/100");
    let before =
        (store.log_file(tile).await.unwrap().unwrap(), store.log_file(bundle).await.unwrap().unwrap());
    for size in [180, 256, 300] {
        grow(&store, size).await;
        assert!(!dir.path().join("log").join(tile).exists());
        let now =
            (store.log_file(tile).await.unwrap().unwrap(), store.log_file(bundle).await.unwrap().unwrap());
        assert!(now == before, "at {size}");
    }
    assert!(store.log_file("checkpoint").await.unwrap().is_some());
    for bad in [
        "../chatward.db",
        "tile/../../chatward.db",
        "tile/0/../../../lock",
        "/etc/passwd",
        "",
        "tile",
        "tile/0/000.p/999",
        "tile/0/000.p/x",
        "tile/0/001.p/200",
    ] {
        assert_eq!(store.log_file(bad).await.unwrap(), None, "{bad}");
    }
}

#[tokio::test]
async fn an_unsigned_tail_is_unproven_and_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path(), 300).await;
    let checkpoint = dir.path().join("log/checkpoint");
    let old = fs::read(&checkpoint).unwrap();
    let partials = tempfile::tempdir().unwrap();
    copy(&dir.path().join("log"), partials.path());
    grow(&store, 310).await;
    store.close().await;
    // As after a crash between new tiles and the new checkpoint: the old partial tiles are there still.
    copy(&partials.path().join("tile"), &dir.path().join("log/tile"));
    let newer = held("newer", dir.path());
    fs::write(&checkpoint, old).unwrap();
    let report = check(dir.path(), &[]);
    assert!(report.is_clean(), "{:?}", report.faults);
    assert_eq!((report.proven, report.unproven.clone()), (300, 300..310));
    // With a newer checkpoint in hand the same state is a rollback.
    let report = check(dir.path(), &[newer]);
    assert!(
        report.faults.iter().any(|f| f.what == What::RolledBack && f.entries == (300..310)),
        "{:?}",
        report.faults
    );
    // The next start goes on from the database.
    let store = open(dir.path());
    signed(&store).await;
    let report = check(dir.path(), &[]);
    assert!(report.is_clean() && report.proven == 310, "{:?}", report.faults);
}

/// One tampering and where it must be located.
#[derive(Debug)]
struct Done {
    file: PathBuf,
    touched: Range<u64>,
    how: String,
}

/// Parts of a file: where each entry (or hash) stands, with the number of entries it covers and the first of them.
fn parts(log: &Path, file: &Path) -> (Vec<Range<usize>>, u64, u64) {
    let bytes = fs::read(log.join(file)).unwrap();
    let name: Vec<String> = file.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let tile: u64 = name[2].trim_end_matches(".p").parse().unwrap();
    if name[1] == "entries" {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
            parts.push(at..end);
            at = end;
        }
        (parts, 1, tile * 256)
    } else {
        let each = 256u64.pow(name[1].parse().unwrap());
        ((0..bytes.len() / 32).map(|i| i * 32..i * 32 + 32).collect(), each, tile * 256 * each)
    }
}

fn tamper(log: &Path, file: &Path, how: u8, a: usize, b: usize, noise: u8) -> Option<Done> {
    let path = log.join(file);
    let mut bytes = fs::read(&path).unwrap();
    let (parts, each, first) = parts(log, file);
    let (i, j) = (a % parts.len(), b % parts.len());
    let span = |i: usize| first + i as u64 * each..first + (i as u64 + 1) * each;
    let (touched, how) = match how {
        0 => {
            let at = parts[i].start + b % parts[i].len();
            bytes[at] ^= noise.max(1);
            (span(i), "flip")
        }
        1 => {
            bytes.drain(parts[i].clone());
            (span(i), "drop")
        }
        2 => {
            let mut new = bytes[parts[i].clone()].to_vec();
            *new.last_mut().unwrap() ^= noise.max(1);
            bytes.splice(parts[i].start..parts[i].start, new);
            (span(i), "insert")
        }
        3 => {
            if i == j {
                return None;
            }
            let (i, j) = (i.min(j), i.max(j));
            let (x, y) = (bytes[parts[i].clone()].to_vec(), bytes[parts[j].clone()].to_vec());
            bytes.splice(parts[j].clone(), x);
            bytes.splice(parts[i].clone(), y);
            (span(i), "swap")
        }
        4 => {
            bytes.truncate(parts[i].start + b % parts[i].len());
            (span(i), "truncate")
        }
        _ => {
            fs::remove_file(&path).unwrap();
            return Some(Done { file: file.to_owned(), touched: span(i), how: "remove".into() });
        }
    };
    fs::write(&path, bytes).unwrap();
    Some(Done { file: file.to_owned(), touched, how: how.to_owned() })
}

fn files(log: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(log, &path, found)
        } else {
            found.push(path.strip_prefix(log).unwrap().to_owned())
        }
    }
}

#[test]
fn prove_tamper_random_changes_are_found_and_located() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (old, middle) = runtime.block_on(async {
        let store = grown(dir.path(), 300).await;
        let old = held("old", dir.path());
        grow(&store, 700).await;
        let middle = held("middle", dir.path());
        store.close().await;
        (old, middle)
    });
    let log = dir.path().join("log");
    let key = vkey(dir.path());
    let mut all = Vec::new();
    files(&log, &log.join("tile"), &mut all);
    all.sort();
    assert_eq!(all.len(), 7, "{all:?}");
    // `CHATWARD_PROVE_TAMPERS=500` for the full count.
    let cases = std::env::var("CHATWARD_PROVE_TAMPERS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let held = [old, middle];
    runner
        .run(
            &(0..all.len(), 0u8..6, any::<usize>(), any::<usize>(), any::<u8>()),
            |(file, how, a, b, noise)| {
                let place = log.join(&all[file]);
                let original = fs::read(&place).unwrap();
                let Some(done) = tamper(&log, &all[file], how, a, b, noise) else { return Ok(()) };
                let report = verify(&log, Some(&key), &held).unwrap();
                fs::write(&place, &original).unwrap();
                let name = done.file.to_string_lossy().into_owned();
                let located = report.faults.iter().any(|f| {
                    f.entries.start < done.touched.end
                    && done.touched.start < f.entries.end
                    // The file itself, not only something that follows from it.
                    && f.file == name
                });
                prop_assert!(located, "{} {done:?}: {:?}", done.how, report.faults);
                // Nothing else is blamed: no fault names another file of the log.
                prop_assert!(report.faults.iter().all(|f| f.file == name), "{done:?}: {:?}", report.faults);
                Ok(())
            },
        )
        .unwrap();
    assert!(verify(&log, Some(&key), &held).unwrap().is_clean());
}

#[test]
fn every_flipped_byte_of_the_checkpoint_is_noticed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(async { grown(dir.path(), 20).await.close().await });
    let path = dir.path().join("log/checkpoint");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        for bit in [1, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= bit;
            fs::write(&path, bad).unwrap();
            assert!(!check(dir.path(), &[]).is_clean(), "byte {at}");
        }
    }
    fs::remove_file(&path).unwrap();
    let report = check(dir.path(), &[]);
    assert!(report.faults.iter().any(|f| f.what == What::Missing && f.file == "checkpoint"));
    // Held elsewhere, the same bytes still prove the entries.
    let report = check(dir.path(), &[Held { name: "kept".into(), bytes: good }]);
    assert_eq!((report.proven, report.faults.len()), (20, 1), "{:?}", report.faults);
}

#[tokio::test]
async fn a_rewrite_with_all_hashes_made_anew_is_caught_by_signature_or_held_checkpoint() {
    let (honest, forged) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = grown(honest.path(), 300).await;
    let old = held("old", honest.path());
    grow(&store, 700).await;
    let new = held("new", honest.path());
    store.close().await;
    // The same 300 events, then other ones; same size, all hashes right.
    let store = grown(forged.path(), 300).await;
    store.append((300..700).map(|_| event(Action::KeysRotated, None)).collect()).await.unwrap();
    signed(&store).await;
    store.close().await;
    let honest_checkpoint = fs::read(honest.path().join("log/checkpoint")).unwrap();
    let forged_checkpoint = fs::read(forged.path().join("log/checkpoint")).unwrap();

    // Without the key: the signed root stands against it, and the old checkpoint says from where.
    fs::write(forged.path().join("log/checkpoint"), &honest_checkpoint).unwrap();
    let report = check(forged.path(), std::slice::from_ref(&old));
    assert_eq!(report.proven, 300);
    assert!(
        report.faults.iter().any(|f| f.what == What::Rewritten && f.entries == (300..700)),
        "{:?}",
        report.faults
    );
    // With the key stolen: only a held checkpoint knows.
    fs::write(forged.path().join("log/checkpoint"), &forged_checkpoint).unwrap();
    assert!(check(forged.path(), std::slice::from_ref(&old)).is_clean());
    let report = check(forged.path(), &[old, new.clone()]);
    assert!(
        report.faults.iter().any(|f| f.file == "new" && f.what == What::Rewritten && f.entries == (300..700)),
        "{:?}",
        report.faults
    );

    // Signed with another key, key file replaced: the held one does not fit that key, and the right key refuses.
    let other = tempfile::tempdir().unwrap();
    let store = Store::open(other.path(), StoreOptions { signer: Some(Key::of(2)), ..options(other.path()) })
        .unwrap();
    grow(&store, 10).await;
    store.close().await;
    assert!(check(other.path(), &[]).is_clean());
    assert!(!check(other.path(), &[new]).is_clean());
    assert!(!verify(&other.path().join("log"), Some(&vkey(honest.path())), &[]).unwrap().is_clean());
}

#[tokio::test]
async fn a_start_repairs_what_a_power_cut_left_and_refuses_what_somebody_changed() {
    let dir = tempfile::tempdir().unwrap();
    grown(dir.path(), 300).await.close().await;
    let tile = dir.path().join("log/tile/0/000");
    let bundle = dir.path().join("log/tile/entries/001.p/44");
    let whole = fs::read(&tile).unwrap();
    fs::write(&tile, &whole[..1000]).unwrap();
    fs::remove_file(&bundle).unwrap();
    fs::write(dir.path().join("log/tile/0/001.p/50"), b"left over").unwrap();
    open(dir.path()).close().await;
    let report = check(dir.path(), &[]);
    assert!(report.is_clean(), "{:?}", report.faults);

    let mut changed = whole;
    changed[77] ^= 1;
    fs::write(&tile, changed).unwrap();
    let refused = Store::open(dir.path(), options(dir.path())).unwrap_err();
    assert!(matches!(&refused, StoreError::LogUnusable { .. }), "{refused}");
    assert!(refused.to_string().contains("tile/0/000"), "{refused}");
}

#[tokio::test]
async fn a_checkpoint_follows_a_commit_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(
        dir.path(),
        StoreOptions {
            signer: Some(Key::of(1)),
            publish_every: StoreOptions::default().publish_every,
            ..options(dir.path())
        },
    )
    .unwrap();
    // A machine that is busy with something else may pause for longer; not every time.
    let mut soon = 0;
    for _ in 0..5 {
        let index = store.append(vec![event(Action::Started, None)]).await.unwrap().index();
        let started = std::time::Instant::now();
        while store.signed_size() <= index {
            assert!(started.elapsed() < std::time::Duration::from_secs(20), "no checkpoint came");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        soon += usize::from(started.elapsed() < std::time::Duration::from_secs(1));
    }
    assert!(soon > 0, "each checkpoint took longer than a second");
}
