//! Measures sets of indicators: `cargo run --profile proof --example indicators -- [MILLIONS]` (10 if it is not said).
//!
//! Memory is that of the whole process (`VmRSS`). Nine of ten indicators are of one source, the others of a second one, whose
//! million lines are exchanged for a million others, while a reader goes on asking.
#![expect(clippy::print_stdout, reason = "what it says is what it is for")]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chatward_detect::indicator::{
    Batch, Indicator, IndicatorSet, Key, Record, Source, Tlp, Value, WarningLists,
};
use chatward_intel::{Form, Item, Options, read, shipped_warnings};
use chatward_message::{Threat, UnixMillis};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const SWAPPED: u64 = 1_000_000;

/// A number that looks like chance (splitmix64).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The `n`th made-up thing: mostly domains and URLs, then addresses, hashes, e-mail addresses.
fn text(n: u64) -> String {
    let r = mix(n);
    match n % 20 {
        0..10 => format!("d{r:x}.sample.example"),
        10..15 => format!("http://h{:x}.example/kit/{:x}/login.php", r >> 24, r & 0xff_ffff),
        15..17 => format!("{}.{}.{}.{}", 11 + (r & 63), r >> 8 & 255, r >> 16 & 255, r >> 24 & 255),
        17 | 18 => format!("{r:016x}{:016x}{:016x}{:016x}", mix(r), mix(r ^ 1), mix(r ^ 2)),
        _ => format!("user{r:x}@mail.example"),
    }
}

fn record(n: u64) -> Record {
    let r = mix(n ^ 0x5555);
    Record {
        from: Some(UnixMillis(NOW.0 - (r & 0xffff_ffff))),
        until: (r & 1 == 0).then(|| UnixMillis(NOW.0 + 86_400_000 + (r >> 32 & 0xffff_ffff))),
        confidence: Some((r % 101) as u8),
        tlp: Tlp::Green,
        threat: Some(Threat::Phishing),
    }
}

/// A list of lines, made while it is read.
struct Lines {
    next: u64,
    end: u64,
    line: Vec<u8>,
    at: usize,
}

impl Lines {
    fn new(start: u64, many: u64) -> Self {
        Self { next: start, end: start + many, line: Vec::new(), at: 0 }
    }
}

impl Read for Lines {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() && self.next < self.end {
            self.line = (self.next..self.end.min(self.next + 500))
                .flat_map(|n| (text(n) + "\n").into_bytes())
                .collect();
            self.next = self.end.min(self.next + 500);
            self.at = 0;
        }
        let rest = &self.line[self.at..];
        let many = rest.len().min(to.len());
        to[..many].copy_from_slice(&rest[..many]);
        self.at += many;
        Ok(many)
    }
}

fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0) / 1024
}

/// Time of the processor that this thread took.
fn taken() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn per(start: Duration, many: usize) -> f64 {
    (taken() - start).as_nanos() as f64 / many as f64
}

fn ask(set: &IndicatorSet, name: &str, texts: &[String]) {
    let start = taken();
    let values: Vec<Value> = texts.iter().filter_map(|text| Value::guess(text).ok()).collect();
    let read = per(start, texts.len());
    let start = taken();
    let found = values.iter().filter(|value| set.find(value, NOW).is_some()).count();
    println!(
        "{name:<24} {:>6.0} ns a look-up, {read:>5.0} ns to read, {found} of {} found",
        per(start, values.len()),
        values.len()
    );
}

fn swap(set: Arc<IndicatorSet>, key: Key, warnings: &WarningLists, first: u64) {
    let shared = ArcSwap::from(set);
    let (stop, asked, slowest, most) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let values: Vec<Value> = (0..10_000).filter_map(|n| Value::guess(&text(n * 997)).ok()).collect();
            for value in values.iter().cycle() {
                let start = Instant::now();
                std::hint::black_box(shared.load().find(value, NOW));
                slowest.fetch_max(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
                asked.fetch_add(1, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(memory("VmRSS"), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let (start, own) = (Instant::now(), taken());
        let mut batch = Batch::whole(key, Source::new(2).unwrap_or_default(), warnings);
        let _ = read(Form::Lines, &mut Lines::new(first, SWAPPED), &Options::default(), &mut |item| {
            if let Item::Indicator(indicator) = item {
                let _ = batch.add(&indicator);
            }
        });
        let collected = taken() - own;
        let (next, difference) = shared.load().merged(batch);
        shared.store(Arc::new(next));
        println!(
            "swap of {SWAPPED} lines: {:?}, of the processor {:?}, of that {collected:?} to read; {difference:?}",
            start.elapsed(),
            taken() - own
        );
        stop.store(true, Ordering::Relaxed);
    });
    println!(
        "while swapping: {} MiB at most, {} look-ups, the slowest {} us (with what the scheduler took)",
        most.into_inner(),
        asked.into_inner(),
        slowest.into_inner() / 1000
    );
}

fn misp_event() {
    let attributes: Vec<String> = (0..43_000u64)
        .map(|n| {
            let (sort, value) = match n % 3 {
                0 => ("domain", format!("d{:x}.sample.example", mix(n))),
                1 => ("url", format!("http://h{:x}.example/kit/{n}", mix(n))),
                _ => ("sha256", format!("{:016x}{:016x}{:016x}{:016x}", mix(n), mix(n + 1), mix(n + 2), mix(n + 3))),
            };
            format!(
                r#"{{"uuid":"836e5605-6bbc-5ed8-93ad-aa4bb05a2f58","type":"{sort}","category":"Network activity","value":"{value}","to_ids":true,"timestamp":"1788220800","comment":"","deleted":false,"disable_correlation":false}}"#
            )
        })
        .collect();
    let event = format!(r#"{{"Event":{{"info":"x","Attribute":[{}]}}}}"#, attributes.join(","));
    let (key, warnings) = (Key::new([1; 16]), shipped_warnings());
    let start = Instant::now();
    let mut batch = Batch::whole(key, Source::default(), &warnings);
    let summary = read(Form::Misp, &mut event.as_bytes(), &Options::default(), &mut |item| {
        if let Item::Indicator(indicator) = item {
            let _ = batch.add(&indicator);
        }
    });
    let (set, _) = IndicatorSet::empty(key).merged(batch);
    let entries = summary.map_or(0, |summary| summary.entries);
    println!(
        "MISP event of {entries} attributes ({} KiB): {} enforced in {:?}",
        event.len() / 1024,
        set.len(),
        start.elapsed()
    );
}

/// What was freed goes back to the system when a thread ends, some time later.
fn give_back() {
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(200));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20))));
        });
    }
}

fn build(key: Key, warnings: &WarningLists, many: u64) -> (IndicatorSet, Duration) {
    let start = taken();
    let mut set = IndicatorSet::empty(key);
    for (source, range) in [(1, 0..many - SWAPPED), (2, many - SWAPPED..many)] {
        let mut batch = Batch::whole(key, Source::new(source).unwrap_or_default(), warnings);
        for n in range {
            if let Ok(value) = Value::guess(&text(n)) {
                let _ = batch.add(&Indicator { value, record: record(n) });
            }
        }
        set = set.merged(batch).0;
    }
    (set, taken() - start)
}

fn main() {
    let millions: u64 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    let many = millions * 1_000_000;
    let (key, warnings) = (Key::new(*b"measures only..."), shipped_warnings());
    std::thread::scope(|scope| {
        scope.spawn(misp_event);
    });
    give_back();
    println!("at the start: {} MiB", memory("VmRSS"));
    let start = Instant::now();
    // On a thread of its own, as the program does: what it allocated on the way is given back with it.
    let built = std::thread::scope(|scope| scope.spawn(|| build(key, &warnings, many)).join());
    let Ok((set, took)) = built else { return };
    println!(
        "built {} indicators in {:?}, of the processor {took:?}, {} MiB at most",
        set.len(),
        start.elapsed(),
        memory("VmHWM")
    );
    give_back();
    println!("at rest: {} MiB, of which the set says {} MiB", memory("VmRSS"), set.memory() >> 20);
    let texts = |range: std::ops::Range<u64>, sort: u64| {
        (range.start..range.end).map(|n| text(n * 20 + sort)).collect::<Vec<_>>()
    };
    let step = many / 20;
    let missing = 100 * many / 20;
    for (name, sort) in [("domain", 0), ("URL", 10), ("address", 15), ("hash", 17), ("e-mail", 19)] {
        ask(&set, &format!("{name}, not listed"), &texts(missing..missing + 200_000, sort));
        ask(&set, &format!("{name}, listed"), &texts(0..step.min(200_000), sort));
    }
    give_back();
    let set = Arc::new(set);
    std::thread::scope(|scope| {
        scope.spawn(|| swap(set, key, &warnings, 1000 * many));
    });
    give_back();
    println!("afterwards: {} MiB", memory("VmRSS"));
}
