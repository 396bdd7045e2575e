//! Measures addresses on one core: `cargo run --profile proof -p chatward-detect --example links -- FILE.jsonl…`
//!
//! Lines with `url` are scored by the model; lines with `text` are searched for addresses and judged as answers. Prints how
//! many of each a second, of processor time; then the same for floods that are made to take time. Without files only those.

use std::hint::black_box;
use std::time::Duration;

use chatward_detect::link::{Judge, Settings, find, model};
use chatward_message::Channel;

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
    let (mut urls, mut texts) = (Vec::new(), Vec::new());
    for path in std::env::args().skip(1) {
        for line in std::fs::read_to_string(path)?.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let field = |name: &str| row.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
            urls.extend(field("url"));
            texts.extend(field("text"));
        }
    }
    let judge = Judge::new(&Settings { own: vec!["example.com".into()], ..Settings::default() })?;
    black_box(model::score("example.com"));
    rate("addresses scored by the model", &urls, |url| f64::from(model::score(url)));
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let count = |n: usize| n as f64;
    rate("texts searched", &texts, |text| count(find(text).links.len()));
    rate("texts searched and judged", &texts, |text| count(judge.text(text, Channel::Bot, &[]).links.len()));
    for unit in [
        ".",
        "a.",
        "[",
        "](",
        "![a](",
        "<a ",
        "<a href=\"",
        "a dot ",
        "http://",
        "a@",
        "[a]: ",
        "https://a.com/?u=",
    ] {
        let flood = [unit.repeat(1_000_000 / unit.len())];
        rate(&format!("1 MB of {unit:?}"), &flood, |text| {
            count(judge.text(text, Channel::Bot, &[]).links.len())
        });
    }
    Ok(())
}

fn rate(name: &str, all: &[String], mut one: impl FnMut(&str) -> f64) {
    if all.is_empty() {
        return;
    }
    let begin = Instant::now();
    let sum: f64 = all.iter().map(|text| one(text)).sum();
    let (time, bytes) = (begin.elapsed(), all.iter().map(String::len).sum::<usize>());
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (each, megabytes) = (all.len() as f64 / time.as_secs_f64(), bytes as f64 / 1e6 / time.as_secs_f64());
    print(&format!(
        "{name}: {} in {time:.1?}, {each:.0} a second, {megabytes:.1} MB/s (sum {sum:.1})",
        all.len()
    ));
}

#[expect(clippy::print_stdout, reason = "a measuring tool")]
fn print(line: &str) {
    println!("{line}");
}
