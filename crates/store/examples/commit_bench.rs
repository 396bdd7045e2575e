//! What a turn costs: `cargo run --release -p chatward-store --example commit_bench -- [TURNS] [CLIENTS] [BYTES] [DIR]`.
//!
//! Closed loop: every client opens a turn, closes it, and begins the next. Prints turns per second, CPU per turn of the
//! whole process and of the writer thread, the mean batch, and the medians of the commit and of a bare `fsync` of one
//! page in the same folder. Each turn has a conversation of its own whose customer nobody named, as clients without ids cause
//! them, and ENTRIES placeholders (3). SCATTERED=1: ids do not begin with the time. NAMED=1: one customer and conversation a client.
//! UNSIGNED=1: the log is not published.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring tool")]

use std::io::{Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use chatward_message::*;
use chatward_store::log::Signer;
use chatward_store::{CloseTurn, IssuedRow, OpenTurn, Store, StoreOptions, TurnState};

struct NoSigner;
impl Signer for NoSigner {
    fn name(&self) -> &str {
        "bench"
    }
    fn public_key(&self) -> [u8; 32] {
        [7; 32]
    }
    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [9; 64]
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |or: usize| args.next().and_then(|a| a.parse().ok()).unwrap_or(or);
    let (turns, clients, bytes) = (number(20_000), number(32), number(300));
    let entries = std::env::var("ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let is_set = |name| std::env::var_os(name).is_some();
    let shape = Shape { bytes, entries, scattered: is_set("SCATTERED"), named: is_set("NAMED") };
    let base: PathBuf = args.next().map_or_else(|| PathBuf::from("."), PathBuf::from);
    let dir = tempfile::tempdir_in(base).unwrap();
    println!("bare fsync of 4 KiB: median {} us", fsync_median(dir.path()));
    let options = StoreOptions {
        signer: std::env::var_os("UNSIGNED").is_none().then(|| Arc::new(NoSigner) as _),
        ..StoreOptions::default()
    };
    let store = Store::open(&dir.path().join("data"), options).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let cpu = ticks(None);
    let writer = ticks(Some("store-writer"));
    let publisher = ticks(Some("store-publisher"));
    let started = Instant::now();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for client in 0..clients {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                for n in 0..turns / clients {
                    one(&store, client as u64, n as u64, shape).await;
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let took = started.elapsed();
    let per = |t: u64| t as f64 / turns as f64 / 1000.0;
    let stats = store.stats();
    println!(
        "{turns} turns, {clients} clients, {bytes} bytes: {:.0} turns/s; CPU per turn {:.1} us (writer {:.1}, publisher {:.1}); \
         mean batch {:.1}; commit median {} us, max of last 256 {} us",
        turns as f64 / took.as_secs_f64(),
        per(ticks(None) - cpu),
        per(ticks(Some("store-writer")) - writer),
        per(ticks(Some("store-publisher")) - publisher),
        stats.jobs as f64 / stats.commits as f64,
        stats.commit_median_us,
        stats.commit_max_us,
    );
    for file in std::fs::read_dir(dir.path().join("data")).unwrap().flatten() {
        println!("  {:?} {}", file.file_name(), file.metadata().unwrap().len());
    }
    runtime.block_on(store.close());
}

#[derive(Clone, Copy)]
struct Shape {
    bytes: usize,
    entries: u64,
    scattered: bool,
    named: bool,
}

/// About as long as that many e-mail addresses.
fn issued(entries: u64) -> Option<IssuedRow> {
    let length = 30 + 100 * usize::try_from(entries).unwrap();
    (entries > 0).then(|| IssuedRow {
        first: 0,
        classes: Classes::from_bits(63),
        sealed: Sealed::from_bytes(vec![7; length]),
    })
}

async fn one(store: &Store, client: u64, n: u64, shape: Shape) {
    let Shape { bytes, entries, scattered, named } = shape;
    let entries = if named && n > 0 { 0 } else { entries };
    let tenant = TenantId::default_tenant();
    let id = |what: u64, fresh: bool| {
        let mut id = [0; 16];
        let time = if fresh && !scattered { 1_700_000_000_000 + n } else { mix(n * 1000 + client + what) };
        id[..8].copy_from_slice(&(time << 16).to_be_bytes());
        id[8..].copy_from_slice(&mix(n * 4096 + client * 8 + what).to_be_bytes());
        id
    };
    let (conversation, customer) = if named { (mix(client), mix(client + 99)) } else { (0, 0) };
    let of = |named_id: u64, what| {
        if named {
            let mut id = [3; 16];
            id[..8].copy_from_slice(&named_id.to_be_bytes());
            id
        } else {
            id(what, true)
        }
    };
    let turn = TurnId::from_bytes(id(1, true));
    let at = UnixMillis(1_700_000_000_000 + n);
    let count = Count { kind: Kind::new("email"), class: Class::Identity, operator: Operator::Token, n: 1 };
    let event = |action| Event {
        at,
        tenant: tenant.clone(),
        action,
        turn: Some(turn),
        subject: Some(Subject::from_bytes([4; 16])),
        facts: Facts {
            upstream: Some("default".into()),
            basis: Some("service/contract"),
            rules: Some("abcdef123456".into()),
            found: (0..entries.min(3)).map(|_| count.clone()).collect(),
            ..Facts::default()
        },
    };
    store
        .open_turn(OpenTurn {
            tenant: tenant.clone(),
            turn,
            conversation: ConversationId::from_bytes(of(conversation, 2)),
            customer: CustomerId::from_bytes(of(customer, 2)),
            slot: KeySlot::from_bytes(of(customer, 4)),
            upstream: "default".into(),
            at,
            purposes: Purposes::SERVICE,
            standing: 0,
            issued: issued(entries),
            received: Sealed::from_bytes(vec![n as u8; bytes]),
            event: event(Action::TurnOpened),
        })
        .await
        .unwrap();
    store
        .close_turn(CloseTurn {
            tenant: tenant.clone(),
            turn,
            at,
            state: TurnState::Closed,
            reply: Some(Sealed::from_bytes(vec![n as u8; 300])),
            history_tags: if named { Vec::new() } else { vec![id(5, false)] },
            event: event(Action::TurnClosed),
        })
        .await
        .unwrap();
}

fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 4
}

fn fsync_median(dir: &std::path::Path) -> u128 {
    let mut file = std::fs::File::create(dir.join("probe")).unwrap();
    let mut times: Vec<u128> = (0..101)
        .map(|_| {
            file.rewind().unwrap();
            file.write_all(&[1; 4096]).unwrap();
            let started = Instant::now();
            file.sync_data().unwrap();
            started.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    times[50]
}

/// CPU time in nanoseconds of this process or of one of its threads (`/proc/…/schedstat`).
fn ticks(thread: Option<&str>) -> u64 {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter(|t| {
            thread.is_none_or(|name| {
                std::fs::read_to_string(t.path().join("comm")).is_ok_and(|c| c.trim() == name)
            })
        })
        .filter_map(|t| {
            std::fs::read_to_string(t.path().join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}
