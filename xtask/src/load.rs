//! The load suite: nginx, the hyper pass-through and ours in the same run, one core for the gateway, another one for
//! client and upstream.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Running, build_chatward, build_shared, cache, capture, command, must, shared};
use crate::server::{Gateway, Mock, Scratch, pinned, wait_for};
use crate::{results, tools};

/// The ports that the shared nginx configuration names.
const MOCK: u16 = 9900;
const NGINX: u16 = 9901;
const HYPER: u16 = 9902;
/// Cores: client and upstream, gateway.
const CLIENT_CORE: &str = "0";
const GATEWAY_CORE: &str = "1";

/// Ours: with everything on, and with names left to rules, as the first bars have it.
const OURS: [(&str, &str); 2] = [("chatward", ""), (RULES_ALONE, "[detection]\nnames = false\n")];
const RULES_ALONE: &str = "chatward-rules";

/// The lines of the results: a gateway's name, a case, connections, figures.
struct Cases(Vec<Value>);

impl Cases {
    fn best(
        &self,
        name: &str,
        case: &str,
        conns: u64,
        figure: impl Fn(&Value) -> Option<f64>,
        low: bool,
    ) -> Option<f64> {
        let ours = self.0.iter().filter(|v| v["name"] == name && v["case"] == case && v["conns"] == conns);
        ours.filter_map(figure).filter(|f| *f > 0.0).reduce(if low { f64::min } else { f64::max })
    }

    fn of(&self, name: &str, case: &str, conns: u64, field: &'static str, low: bool) -> Option<f64> {
        self.best(name, case, conns, |v| v[field].as_f64(), low)
    }

    fn ttfc(&self, name: &str, conns: u64) -> Option<f64> {
        self.best(name, "sse64-20ms", conns, |v| v["ttfc_us"]["p50"].as_f64(), true)
    }
}

pub(crate) fn run(rounds: u64, minutes: u64) -> Result<()> {
    let shared = shared()?;
    tools::system_package("nginx", "nginx")?;
    tools::system_package("taskset", "util-linux")?;
    let client = build_shared("tools/load", "gwload")?;
    let mock = build_shared("tools/mock-upstream", "mock-upstream")?;
    let hyper = build_shared("tools/load/reference/hyper-pass", "hyper-pass")?;
    let ours = build_chatward()?;
    let scratch = Scratch::new("load")?;
    let out = scratch.path().join("results.jsonl");
    let _first = First::take();

    let mock = Mock::start(&mock, MOCK, &[], Some(CLIENT_CORE))?;
    let upstream = format!("http://127.0.0.1:{MOCK}/v1");
    let suite = Suite { shared: &shared, client: &client, mock: &mock, out: &out };
    let (mut fsync, mut commit) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        fsync.push(disk_fsync(scratch.path())?);
        suite.run("direct", MOCK, None)?;
        {
            let mut command = pinned(GATEWAY_CORE, Path::new("nginx"));
            command.arg("-p").arg(scratch.path()).arg("-c").arg(shared.join("tools/load/nginx.conf"));
            let mut nginx = Running::start(&mut command, &scratch.path().join("nginx.log"))?;
            wait_for(NGINX, "nginx")?;
            suite.run("nginx", NGINX, Some(nginx.0.id()))?;
            quit(&mut nginx)?;
        }
        {
            let mut command = pinned(GATEWAY_CORE, &hyper);
            command.args([format!("127.0.0.1:{HYPER}"), format!("127.0.0.1:{MOCK}")]);
            let hyper = Running::start(&mut command, &scratch.path().join("hyper.log"))?;
            wait_for(HYPER, "the hyper pass-through")?;
            suite.run("hyper-pass", HYPER, Some(hyper.0.id()))?;
        }
        for (name, config) in OURS {
            let file = scratch.path().join("chatward.toml");
            std::fs::write(&file, config)?;
            let arguments = ["--upstream", &upstream, "--config", &file.to_string_lossy()];
            let gateway = Gateway::start_with(&ours, "load-ours", &arguments, Some(GATEWAY_CORE))?;
            suite.run(name, gateway.public, Some(gateway.process.0.id()))?;
            commit.extend(commit_median(&gateway));
        }
    }
    let memory = match minutes {
        0 => None,
        _ => {
            let gateway = Gateway::start(&ours, "load-memory", Some(&upstream), Some(GATEWAY_CORE))?;
            Some(memory(&suite, &gateway, minutes)?)
        }
    };
    let least = |all: Vec<f64>| all.into_iter().reduce(f64::min);
    report(&out, least(fsync), least(commit), memory, rounds, &shared)
}

/// While it lives, the scheduler puts this session first, so that others on the machine disturb less. Needs root;
/// without it the run is only noisier.
struct First;

impl First {
    const PLACE: &str = "/proc/self/autogroup";

    fn take() -> Self {
        let _ = std::fs::write(Self::PLACE, "-20");
        Self
    }
}

impl Drop for First {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::PLACE, "0");
    }
}

/// Asks nginx to go: killed, its master would leave the worker behind.
fn quit(nginx: &mut Running) -> Result<()> {
    must(command("kill").arg("-QUIT").arg(nginx.0.id().to_string()))?;
    for _ in 0..100 {
        if nginx.0.try_wait()?.is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("nginx does not end")
}

struct Suite<'a> {
    shared: &'a Path,
    client: &'a PathBuf,
    mock: &'a Mock,
    out: &'a Path,
}

impl Suite<'_> {
    fn run(&self, name: &str, port: u16, pid: Option<u32>) -> Result<()> {
        let mut suite = command(self.shared.join("tools/load/run-suite.sh"));
        suite.args([
            name,
            &format!("http://127.0.0.1:{port}"),
            &pid.map_or("-".to_owned(), |p| p.to_string()),
        ]);
        suite.args(["-H", "authorization: Bearer load-test"]);
        suite.env("OUT", self.out).env("GWLOAD", self.client).env("CLIENT_CPU", CLIENT_CORE);
        must(suite.env("UP_PID", self.mock.process.0.id().to_string()))
    }

    /// One case of the client, at 32 connections for some seconds.
    fn once(&self, port: u16, body: &str, more: &[&str], seconds: u64) -> Result<()> {
        let mut client = command(self.shared.join("tools/load/prio.sh"));
        client.args(["--cpu", CLIENT_CORE]).arg(self.client);
        client.arg(format!("http://127.0.0.1:{port}/v1/chat/completions"));
        client.arg("--body").arg(self.shared.join("tools/load/bodies").join(body)).args(more);
        client.args(["-H", "authorization: Bearer load-test", "-c", "32", "-w", "1", "-d"]);
        capture(client.arg(seconds.to_string())).map(drop)
    }
}

/// Resident memory under load, in MiB.
struct Memory {
    minutes: u64,
    /// The most of the second quarter (the first one fills caches), and of the last one.
    early: f64,
    late: f64,
    most: f64,
}

/// Long bodies, short ones and streams in turn for some minutes.
fn memory(suite: &Suite<'_>, gateway: &Gateway, minutes: u64) -> Result<Memory> {
    println!("memory over {minutes} minutes");
    let pid = gateway.process.0.id();
    let done = std::sync::atomic::AtomicBool::new(false);
    let seen = std::thread::scope(|scope| -> Result<Vec<f64>> {
        let sampler = scope.spawn(|| {
            let mut seen = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                seen.extend(resident(pid));
                std::thread::sleep(Duration::from_secs(1));
            }
            seen
        });
        let start = Instant::now();
        let mut result = Ok(());
        while result.is_ok() && start.elapsed() < Duration::from_secs(minutes * 60) {
            result = suite
                .once(gateway.public, "conv4k.json", &["--model", "mock"], 7)
                .and_then(|()| suite.once(gateway.public, "short200.json", &["--model", "mock"], 7))
                .and_then(|()| {
                    suite.once(gateway.public, "short200.json", &["--sse", "--model", "mock-t64"], 5)
                });
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        let Ok(seen) = sampler.join() else { bail!("the memory was not read") };
        result.map(|()| seen)
    })?;
    let quarter = seen.len() / 4;
    let most = |part: Option<&[f64]>| part.unwrap_or_default().iter().copied().fold(0.0, f64::max);
    Ok(Memory {
        minutes,
        early: most(seen.get(quarter..2 * quarter)),
        late: most(seen.get(3 * quarter..)),
        most: most(seen.get(..)),
    })
}

/// What the kernel says a process holds in memory, in MiB.
fn resident(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// Median of 200 small writes that are forced to the disk, in microseconds.
fn disk_fsync(folder: &Path) -> Result<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("fsync"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    took.get(100).copied().context("no times")
}

/// The gateway's own median of a durable commit, in microseconds, from the histogram of its metrics.
fn commit_median(gateway: &Gateway) -> Option<f64> {
    histogram_median(&gateway.metrics().ok()?, "chatward_commit_seconds_bucket{").map(|seconds| seconds * 1e6)
}

/// The median of a Prometheus histogram, spread evenly inside its bucket.
fn histogram_median(metrics: &str, prefix: &str) -> Option<f64> {
    let bucket = |line: &str| -> Option<(f64, f64)> {
        let (bound, rest) = line.strip_prefix(prefix)?.split_once("le=\"")?.1.split_once('"')?;
        Some((bound.parse().unwrap_or(f64::INFINITY), rest.rsplit(' ').next()?.parse().ok()?))
    };
    let buckets: Vec<(f64, f64)> = metrics.lines().filter_map(bucket).collect();
    let half = buckets.last().map(|(_, all)| all / 2.0).filter(|half| *half > 0.0)?;
    let (mut low, mut below) = (0.0, 0.0);
    for (bound, up_to) in buckets {
        if up_to >= half {
            return bound.is_finite().then(|| low + (bound - low) * (half - below) / (up_to - below));
        }
        (low, below) = (bound, up_to);
    }
    None
}

fn report(
    out: &Path,
    fsync: Option<f64>,
    commit: Option<f64>,
    memory: Option<Memory>,
    rounds: u64,
    shared: &Path,
) -> Result<()> {
    let lines = std::fs::read_to_string(out)?;
    // Every line of the client, for whoever asks why.
    std::fs::write(cache().join("load.jsonl"), &lines)?;
    let cases = Cases(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?);
    let mut text = capture(command("python3").arg(shared.join("tools/load/table.py")).arg(out))?;
    let known = |f: Option<f64>| f.map_or("not measured".to_owned(), |f| format!("{f:.1}"));
    let short = std::env::var("DUR").map_or(String::new(), |dur| format!(", {dur} s a case"));
    writeln!(
        text,
        "\nfsync median of the disk {} µs; durable commit median {} µs; {rounds} rounds{short}; the gateway alone \
         on one core\n",
        known(fsync),
        known(commit)
    )?;
    text.push_str(&ratios(&cases));
    writeln!(text, "\n| bar | figure | wanted | |\n| --- | --: | --: | --- |")?;
    let mut missed = 0;
    let mut row = |bar: &str, figure: Option<f64>, wanted: f64, at_most: bool| {
        let good = figure.is_some_and(|f| if at_most { f <= wanted } else { f >= wanted });
        missed += usize::from(!good);
        let sign = if at_most { "≤" } else { "≥" };
        let verdict = if good { "pass" } else { "**FAIL**" };
        // Writing into memory cannot fail.
        let _ = writeln!(text, "| {bar} | {} | {sign} {wanted:.1} | {verdict} |", known(figure));
    };
    for (name, case, cpu) in [
        (RULES_ALONE, "short200", 100.0),
        (RULES_ALONE, "conv4k", 200.0),
        ("chatward", "short200", 150.0),
        ("chatward", "conv4k", 250.0),
    ] {
        let used = cases.of(name, case, 32, "gw_cpu_us_per_req", true);
        row(&format!("{name}, {case}: µs CPU a request, 32 connections"), used, cpu, true);
    }
    for (case, rate) in [("short200", 8_000.0), ("conv4k", 4_500.0)] {
        let best = [32, 256]
            .into_iter()
            .filter_map(|n| cases.of(RULES_ALONE, case, n, "rps", false))
            .reduce(f64::max);
        row(&format!("{RULES_ALONE}, {case}: requests/s, 32 or 256 connections"), best, rate, false);
    }
    for (name, _) in OURS {
        for conns in [1, 32] {
            let later = cases.ttfc(name, conns).zip(cases.ttfc("hyper-pass", conns)).map(|(a, b)| a - b);
            let wanted = 1000.0 + commit.or(fsync).unwrap_or(0.0);
            row(&format!("{name}: first chunk later than hyper, {conns} streams, µs"), later, wanted, true);
        }
    }
    let token = |name: &str, case: &str, conns| cases.of(name, case, conns, "gw_cpu_us_per_event", true);
    for (name, _) in OURS {
        let ratio =
            token(name, "sse64-20ms", 32).zip(token("hyper-pass", "sse64-20ms", 32)).map(|(a, b)| a / b);
        row(&format!("{name}: CPU a token at 20 ms, times hyper, 32 streams"), ratio, 1.4, true);
        let burst = token(name, "sse64-0ms", 32);
        row(&format!("{name}: µs CPU a token without delay, 32 streams"), burst, 6.0, true);
        let own = cases.0.iter().filter(|v| v["name"] == name);
        let rss = own.filter_map(|v| v["gw_rss_mib"].as_f64()).reduce(f64::max);
        row(&format!("{name}: resident memory, MiB"), rss, 64.0, true);
    }
    let ours = || cases.0.iter().filter(|v| OURS.iter().any(|(name, _)| v["name"] == *name));
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let wrong = ours().filter_map(|v| v["wrong"].as_u64()).sum::<u64>() as f64;
    row("wrong replies", Some(wrong), 0.0, true);
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let errors =
        ours().flat_map(|v| [v["errors"].as_u64(), v["bad_status"].as_u64()]).flatten().sum::<u64>() as f64;
    row("failed requests", Some(errors), 0.0, true);
    if let Some(m) = memory {
        row(&format!("resident memory over {} minutes, MiB", m.minutes), Some(m.most), 64.0, true);
        let bar = format!("the same, last quarter ({:.1} MiB) to second ({:.1} MiB)", m.late, m.early);
        row(&bar, (m.early > 0.0).then(|| m.late / m.early), 1.1, true);
    }
    println!("{text}");
    results::write("load", &format!("load {rounds}"), &text)?;
    if missed == 0 { Ok(()) } else { bail!("{missed} bars missed") }
}

/// Ours to the pass-throughs of the same run: they depend less on the machine than the figures do.
fn ratios(cases: &Cases) -> String {
    let mut text = String::from("| chatward-rules to | nginx | hyper-pass |\n| --- | --: | --: |\n");
    let mut row = |what: &str, figure: &dyn Fn(&str) -> Option<f64>| {
        let ratio = |other: &str| {
            let ratio = figure(RULES_ALONE).zip(figure(other)).map(|(ours, theirs)| ours / theirs);
            ratio.map_or("-".to_owned(), |r| format!("{r:.2}"))
        };
        let line = format!("| {what} | {} | {} |\n", ratio("nginx"), ratio("hyper-pass"));
        text.push_str(&line);
    };
    for case in ["short200", "conv4k"] {
        let cpu = |name: &str| cases.of(name, case, 32, "gw_cpu_us_per_req", true);
        row(&format!("{case}: CPU a request, 32 connections"), &cpu);
        for conns in [32, 256] {
            let rate = |name: &str| cases.of(name, case, conns, "rps", false);
            row(&format!("{case}: requests/s, {conns} connections"), &rate);
        }
    }
    for case in ["sse64-20ms", "sse64-0ms"] {
        let cpu = |name: &str| cases.of(name, case, 32, "gw_cpu_us_per_event", true);
        row(&format!("{case}: CPU a token, 32 streams"), &cpu);
    }
    for conns in [1, 32] {
        row(&format!("first chunk, {conns} streams"), &|name: &str| cases.ttfc(name, conns));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_its_bucket() {
        let text = "x_bucket{le=\"0.001\"} 2\nx_bucket{le=\"0.002\"} 8\nx_bucket{le=\"+Inf\"} 10\n";
        let median = histogram_median(text, "x_bucket{").unwrap();
        assert!((median - 0.0015).abs() < 1e-9, "{median}");
        assert_eq!(histogram_median("", "x_bucket{"), None);
    }
}
