//! Measures detection on one core: `cargo run --release -p chatward-detect --example speed -- FILE.jsonl…`
//!
//! Each line's `text` is one text. Prints characters per second of `find` over all texts, and over those without a
//! finding; time of a small push into a window; memory of the compiled rules. `--only texts|window|repeats` runs
//! one part, `--rules-alone` after it leaves the names out.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chatward_detect::{Context, Detector, Options};

/// Time this thread spent on a processor, so that a busy machine does not blur the figures.
struct Instant(u64);

impl Instant {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Self(text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_default())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(Self::now().0.saturating_sub(self.0))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut texts = Vec::new();
    let mut args = std::env::args().skip(1).peekable();
    let only = args.next_if_eq("--only").and_then(|_| args.next());
    let without_names = args.next_if_eq("--rules-alone").is_some();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    for path in args {
        for line in std::fs::read_to_string(path)?.lines() {
            texts.extend(text_of(line));
        }
    }
    let begin = Instant::now();
    let options = Options { without_names, ..Options::default() };
    let detector = Arc::new(Detector::compile(&Detector::builtin_sources(), &options)?);
    print(&format!(
        "{} rules compiled in {:?}, {} KiB",
        detector.rules().len(),
        begin.elapsed(),
        detector.memory() / 1024
    ));

    let find =
        |texts: &[&String]| texts.iter().map(|t| detector.find(t, Context::default()).len()).sum::<usize>();
    let all: Vec<&String> = texts.iter().collect();
    let begin = Instant::now();
    let findings = find(&all);
    print(&format!("cold: {findings} findings in {} texts, {:?}", all.len(), begin.elapsed()));
    let clean: Vec<&String> =
        all.iter().copied().filter(|t| detector.find(t, Context::default()).is_empty()).collect();
    for (name, texts) in [("all texts", &all), ("texts without a finding", &clean)] {
        if !wanted("texts") {
            break;
        }
        let characters: usize = texts.iter().map(|t| t.chars().count()).sum();
        let (mut rounds, begin) = (0, Instant::now());
        while begin.elapsed() < Duration::from_secs(2) {
            black_box(find(black_box(texts)));
            rounds += 1;
        }
        let per = begin.elapsed().as_secs_f64() * 1e9 / (characters * rounds).max(1) as f64;
        print(&format!(
            "{name}: {:.1} M characters/s, {per:.1} ns each, {:.0} ns a text",
            1e3 / per,
            per * characters as f64 / texts.len().max(1) as f64
        ));
    }

    let stream: String = texts.iter().take(2000).map(|t| format!("{t} ")).collect();
    for size in [1, 4, 18, 200] {
        if !wanted("window") {
            break;
        }
        let pieces: Vec<String> =
            stream.chars().collect::<Vec<_>>().chunks(size).map(|c| c.iter().collect()).collect();
        let (mut pushes, begin) = (0, Instant::now());
        while begin.elapsed() < Duration::from_secs(1) {
            let mut window = detector.window(Context::default());
            for piece in &pieces {
                window.push(piece, &mut |out| {
                    black_box(out);
                });
            }
            window.finish(&mut |out| {
                black_box(out);
            });
            pushes += pieces.len();
        }
        let per = begin.elapsed().as_secs_f64() * 1e9 / pushes.max(1) as f64;
        print(&format!("window, pieces of {size}: {per:.0} ns a push"));
    }
    for bit in [
        "1 ",
        "1",
        "4-",
        "a.",
        "a@",
        "aA1",
        "4111 1111 1111 1111 ",
        "é1",
        "12.",
        "+1 2",
        "a:",
        "a ",
        "name is ",
    ] {
        if !wanted("repeats") {
            break;
        }
        let text = bit.repeat(1_000_000 / bit.len());
        let begin = Instant::now();
        let n = detector.find(&text, Context::default()).len();
        print(&format!("1 MB of {bit:?}: {:?}, {n} findings", begin.elapsed()));
    }
    let rss = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    rss.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).for_each(print);
    Ok(())
}

/// The string after `"text":`, with the escapes that chat texts have.
fn text_of(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("\"text\":")?;
    let mut chars = rest.trim_start().strip_prefix('"')?.chars();
    let mut text = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let hex: String = chars.by_ref().take(4).collect();
                    text.push(u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).unwrap_or(' '));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}

#[expect(clippy::print_stdout, reason = "a measuring program prints")]
fn print(line: &str) {
    println!("{line}");
}
