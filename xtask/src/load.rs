//! The load suite: nginx, the hyper pass-through and ours in the same run, one core for the gateway, another one for
//! client and upstream.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{Running, build_chatward, build_shared, capture, command, must, shared};
use crate::server::{Gateway, Mock, Scratch, pinned, wait_for};
use crate::{results, tools};

/// The ports that the shared nginx configuration names.
const MOCK: u16 = 9900;
const NGINX: u16 = 9901;
const HYPER: u16 = 9902;
/// Cores: client and upstream, gateway.
const CLIENT_CORE: &str = "0";
const GATEWAY_CORE: &str = "1";

/// One gateway's line of the results: its name, a case, connections, a figure.
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

pub(crate) fn run(rounds: u64) -> Result<()> {
    let shared = shared()?;
    tools::system_package("nginx", "nginx")?;
    tools::system_package("taskset", "util-linux")?;
    let client = build_shared("tools/load", "gwload")?;
    let mock = build_shared("tools/mock-upstream", "mock-upstream")?;
    let hyper = build_shared("tools/load/reference/hyper-pass", "hyper-pass")?;
    let ours = build_chatward()?;
    let scratch = Scratch::new("load")?;
    let out = scratch.path().join("results.jsonl");

    let mock = Mock::start(&mock, MOCK, &[], Some(CLIENT_CORE))?;
    let fsync = disk_fsync(scratch.path())?;
    let mut commit = Vec::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        let suite = Suite { shared: &shared, client: &client, mock: &mock, out: &out };
        suite.run("direct", MOCK, None)?;
        {
            let mut command = pinned(GATEWAY_CORE, Path::new("nginx"));
            command.arg("-p").arg(scratch.path()).arg("-c").arg(shared.join("tools/load/nginx.conf"));
            let nginx = Running::start(&mut command, &scratch.path().join("nginx.log"))?;
            wait_for(NGINX, "nginx")?;
            suite.run("nginx", NGINX, Some(nginx.0.id()))?;
            // Killed, the master would leave its worker behind.
            must(std::process::Command::new("kill").arg("-QUIT").arg(nginx.0.id().to_string()))?;
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        {
            let mut command = pinned(GATEWAY_CORE, &hyper);
            command.args([format!("127.0.0.1:{HYPER}"), format!("127.0.0.1:{MOCK}")]);
            let hyper = Running::start(&mut command, &scratch.path().join("hyper.log"))?;
            wait_for(HYPER, "the hyper pass-through")?;
            suite.run("hyper-pass", HYPER, Some(hyper.0.id()))?;
        }
        let upstream = format!("http://127.0.0.1:{MOCK}/v1");
        let gateway = Gateway::start(&ours, "load-ours", Some(&upstream), Some(GATEWAY_CORE))?;
        suite.run("chatward", gateway.public, Some(gateway.process.0.id()))?;
        commit.extend(commit_median(&gateway));
    }
    let commit = commit.into_iter().reduce(f64::min);
    report(&out, fsync, commit, rounds, &shared)
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
}

/// Median of 200 small writes that are forced to the disk, in microseconds.
fn disk_fsync(folder: &Path) -> Result<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("fsync"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        let start = std::time::Instant::now();
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

fn report(out: &Path, fsync: f64, commit: Option<f64>, rounds: u64, shared: &Path) -> Result<()> {
    let lines = std::fs::read_to_string(out)?;
    let cases = Cases(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?);
    let mut text = capture(command("python3").arg(shared.join("tools/load/table.py")).arg(out))?;
    let known = |f: Option<f64>| f.map_or("not measured".to_owned(), |f| format!("{f:.1}"));
    writeln!(
        text,
        "\nfsync median of the disk {fsync:.0} µs; durable commit median {} µs; {rounds} rounds\n",
        known(commit)
    )?;
    writeln!(text, "| bar | figure | wanted | |\n| --- | --: | --: | --- |")?;
    let mut missed = 0;
    let mut row = |bar: &str, figure: Option<f64>, wanted: f64, at_most: bool| {
        let good = figure.is_some_and(|f| if at_most { f <= wanted } else { f >= wanted });
        missed += usize::from(!good);
        let sign = if at_most { "≤" } else { "≥" };
        let verdict = if good { "pass" } else { "**FAIL**" };
        // Writing into memory cannot fail.
        let _ = writeln!(text, "| {bar} | {} | {sign} {wanted:.1} | {verdict} |", known(figure));
    };
    for (case, cpu, rate) in [("short200", 100.0, 8_000.0), ("conv4k", 200.0, 4_500.0)] {
        let used = cases.of("chatward", case, 32, "gw_cpu_us_per_req", true);
        row(&format!("{case}: µs CPU a request, 32 connections"), used, cpu, true);
        let best = [32, 256]
            .into_iter()
            .filter_map(|n| cases.of("chatward", case, n, "rps", false))
            .reduce(f64::max);
        row(&format!("{case}: requests/s, 32 or 256 connections"), best, rate, false);
    }
    for conns in [1, 32] {
        let later = cases.ttfc("chatward", conns).zip(cases.ttfc("hyper-pass", conns)).map(|(a, b)| a - b);
        let wanted = 1000.0 + commit.unwrap_or(fsync);
        row(&format!("first chunk later than hyper, {conns} streams, µs"), later, wanted, true);
    }
    let token = |name: &str, case: &str, conns| cases.of(name, case, conns, "gw_cpu_us_per_event", true);
    let ratio =
        token("chatward", "sse64-20ms", 32).zip(token("hyper-pass", "sse64-20ms", 32)).map(|(a, b)| a / b);
    row("CPU a token at 20 ms, times hyper, 32 streams", ratio, 1.4, true);
    row("µs CPU a token without delay, 32 streams", token("chatward", "sse64-0ms", 32), 6.0, true);
    let ours = || cases.0.iter().filter(|v| v["name"] == "chatward");
    let rss = ours().filter_map(|v| v["gw_rss_mib"].as_f64()).reduce(f64::max);
    row("resident memory, MiB", rss, 64.0, true);
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let wrong = ours().filter_map(|v| v["wrong"].as_u64()).sum::<u64>() as f64;
    row("wrong replies", Some(wrong), 0.0, true);
    println!("{text}");
    results::write("load", &format!("load {rounds}"), &text)?;
    if missed == 0 { Ok(()) } else { bail!("{missed} bars missed") }
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
