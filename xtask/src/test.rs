//! `cargo xtask test`: every test of the repository, at counts that fit a coffee (property tests 256 cases each, or as
//! `PROPTEST_CASES` says). What is missing is installed (root) or named; it never makes a run green. The last line is
//! `N passed, N failed`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{build_checked, capture, cargo, command, exists, must, root, shown, target};
use crate::server::Gateway;
use crate::{check, postgres, tools};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

impl Counts {
    const ONE_FAILED: Self = Self { passed: 0, failed: 1 };
}

/// A name, and what gives its counts.
type Step = (&'static str, fn() -> Result<Counts>);

/// All steps, or those whose names are given (`browser`, `single-sign-on`).
pub(crate) fn run(only: &[String]) -> Result<()> {
    let steps: [Step; 12] = [
        ("checks", || check::run().map(|()| Counts { passed: 1, failed: 0 })),
        ("unit and property tests", rust),
        ("the same on PostgreSQL", on_postgres),
        ("documentation examples", documentation),
        ("taxii server", taxii_server),
        ("all features", all_features),
        ("fuzz corpus", fuzz_frame),
        ("browser", browser),
        ("client libraries", client_libraries),
        ("encrypted channel", channel),
        ("single sign-on", provider),
        ("interface description", described),
    ];
    let mut all = Counts::default();
    let mut lines = Vec::new();
    let named = |name: &str| only.iter().any(|only| *only == name.replace(' ', "-"));
    if let Some(unknown) =
        only.iter().find(|only| !steps.iter().any(|(name, _)| **only == name.replace(' ', "-")))
    {
        let there: Vec<String> = steps.iter().map(|(name, _)| name.replace(' ', "-")).collect();
        bail!("no step `{unknown}`; there are: {}", there.join(" "));
    }
    for (name, step) in steps.into_iter().filter(|(name, _)| only.is_empty() || named(name)) {
        println!("== {name}");
        let start = Instant::now();
        let counts = step().unwrap_or_else(|e| {
            eprintln!("{name}: {e:#}");
            Counts::ONE_FAILED
        });
        let seconds = start.elapsed().as_secs();
        lines.push(format!("{name}: {} passed, {} failed in {seconds} s", counts.passed, counts.failed));
        all.passed += counts.passed;
        all.failed += counts.failed;
    }
    println!("\n{}\n{} passed, {} failed", lines.join("\n"), all.passed, all.failed);
    if all.failed == 0 { Ok(()) } else { bail!("tests failed") }
}

fn rust() -> Result<Counts> {
    if exists("cargo-nextest") {
        return watched(
            cargo().args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]),
            nextest_line,
        );
    }
    let tests = ["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"];
    watched(cargo().args(tests), cargo_line)
}

/// Every test of the store, the vault and the running program once more, on a server; and those that need one. What looks
/// into the files of the embedded store stands in modules `embedded`.
fn on_postgres() -> Result<Counts> {
    let server = postgres::Server::start()?;
    // Among the tests that are asked for here are those that need other servers.
    tools::system_package("clamd", "clamav-daemon")?;
    let mut tests = cargo();
    tests.env(postgres::SERVER, server.url()).env(MEDALLION, medallion()?);
    if exists("cargo-nextest") {
        // Of the workspace as it is built already: of some packages alone, with other features asked for, nearly all would
        // be compiled again.
        tests.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--run-ignored", "all"]);
        tests.args(KEEPING).args(["-E", ON_SERVER]);
        return watched(&mut tests, nextest_line);
    }
    tests.args(["test", "--locked", "--no-fail-fast"]);
    tests.args(["--package", "chatward-store", "--package", "chatward-vault", "--package", "chatward"]);
    tests.args(KEEPING).args(["--", "--include-ignored", "--skip", "embedded::"]);
    watched(&mut tests, cargo_line)
}

/// Where the tests are that keep something.
const KEEPING: [&str; 5] = ["--lib", "--test", "store", "--test", "program"];

/// Which of them there are for a server.
const ON_SERVER: &str =
    "(package(chatward-store) | package(chatward-vault) | package(chatward)) & not test(/embedded::/)";

fn documentation() -> Result<Counts> {
    watched(cargo().args(["test", "--workspace", "--doc", "--locked", "--no-fail-fast"]), cargo_line)
}

/// What only a build with all features has: an ONNX model, operator keys that are not in a file (a real token, AWS KMS as
/// `moto` has it), the rules of YARA; and ClamAV's own daemon with a signature of ours. One build for all of them: the
/// engines are large, and with other packages or features asked for each would be compiled again.
fn all_features() -> Result<Counts> {
    tools::system_package("clamd", "clamav-daemon")?;
    tools::system_package("softhsm2-util", "softhsm2")?;
    let moto = tools::python_venv("moto", &["moto[kms,server]==5.2.5"])?.join("bin/python");
    must(cargo().arg("clippy").args(ALL_FEATURES).args([
        "--all-targets",
        "--locked",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    let model = tools::larger_model()?;
    let sentences = tools::sentence_model()?;
    let with = |test: &mut Command, targets: &[&str]| {
        test.env("CHATWARD_TEST_MOTO", &moto).env("LARGER_MODEL", &model);
        test.env("SENTENCE_MODEL", &sentences);
        test.args(ALL_FEATURES).args(["--locked", "--no-fail-fast"]).args(targets);
    };
    if exists("cargo-nextest") {
        let mut tests = cargo();
        with(tests.args(["nextest", "run", "--run-ignored", "all"]), &ALONE);
        return watched(tests.args(["--lib", "--test", "program", "-E", ONLY_THERE]), nextest_line);
    }
    let (mut alone, mut inside) = (cargo(), cargo());
    with(alone.arg("test"), &ALONE);
    with(inside.arg("test"), &["--lib", "--test", "program"]);
    let alone = watched(alone.args(["--", "--include-ignored"]), cargo_line)?;
    inside.args(["--", "--include-ignored", "larger", "yara", "kms_seals", "files::"]);
    let inside = watched(&mut inside, cargo_line)?;
    Ok(Counts { passed: alone.passed + inside.passed, failed: alone.failed + inside.failed })
}

/// Everything that is left out of an everyday build.
const ALL_FEATURES: [&str; 12] = [
    "--package",
    "chatward-detect",
    "--package",
    "chatward-attach",
    "--package",
    "chatward-seal-pkcs11",
    "--package",
    "chatward-seal-kms",
    "--package",
    "chatward",
    "--features",
    "chatward/onnx,chatward/yara,chatward/seal-pkcs11,chatward/seal-transit,chatward/seal-kms",
];

/// Tests of the parts by themselves.
const ALONE: [&str; 6] = ["--test", "files", "--test", "kms", "--test", "softhsm"];

/// Which tests of such a build are worth a second run.
const ONLY_THERE: &str = "package(chatward-attach) | package(/^chatward-seal/) | test(/larger/) \
     | (package(chatward) & test(/kms_seals|files::/))";

/// A TAXII server that others wrote, in Python.
const MEDALLION: &str = "CHATWARD_TEST_MEDALLION";

fn medallion() -> Result<std::path::PathBuf> {
    let packages = ["medallion==3.0.0", "flask==3.1.3", "Flask-HTTPAuth==4.8.0", "pytz", "six"];
    Ok(tools::python_venv("medallion", &packages)?.join("bin/python"))
}

/// A feed followed on a real TAXII server.
fn taxii_server() -> Result<Counts> {
    let mut test = cargo();
    test.env(MEDALLION, medallion()?).args(["test", "--workspace", "--lib", "--locked"]);
    watched(test.args(["--", "real_taxii_server", "--include-ignored"]), cargo_line)
}

/// The corpus is replayed by an ordinary test of each crate (`fuzz/README.md`); here only that none of them is empty.
fn fuzz_frame() -> Result<Counts> {
    let mut counts = Counts::default();
    let targets = root().join("fuzz/fuzz_targets");
    for entry in std::fs::read_dir(&targets).with_context(|| format!("cannot list {}", targets.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|n| n.to_str()) else { continue };
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let corpus = root().join("fuzz/corpus").join(name);
        let seeds = std::fs::read_dir(&corpus).map_or(0, Iterator::count);
        if seeds > 0 {
            counts.passed += 1;
        } else {
            eprintln!("fuzz target {name} has no corpus (fuzz/corpus/{name})");
            counts.failed += 1;
        }
    }
    Ok(counts)
}

/// The pages in a real browser.
fn browser() -> Result<Counts> {
    let folder = root().join("tests/browser");
    tools::system_package("chromium", "chromium")?;
    tools::system_package("nginx", "nginx")?;
    tools::node_modules(&folder)?;
    let program = build_checked()?;
    let house = |name: &str| {
        let config = folder.join(format!("{name}.toml"));
        let config = config.to_str().context("the folder's name is not UTF-8")?;
        Gateway::start_with(&program, &format!("browser-{name}"), &["--config", config], None)
    };
    let (gateway, centre) = (house("plain")?, house("centre")?);
    let mut test = command("npm");
    test.current_dir(&folder).args(["test", "--silent"]).env("CHATWARD_URL", gateway.url());
    test.env("CHATWARD_PRIVATE", gateway.private_url()).env("CHATWARD_ADMIN", gateway.admin_token()?);
    test.env("CHATWARD_PAGES", capture(Command::new(&program).args(["internal", "pages"]))?);
    test.env("CHATWARD_LOG", gateway.folder.path().join("log"));
    test.env("CHATWARD_CENTRE", centre.url());
    // The widget's need TLS and other settings: they start gateways of their own.
    test.env("CHATWARD", &program);
    if let Some(chromium) = which("chromium") {
        test.env("CHATWARD_CHROMIUM", chromium);
    }
    watched(&mut test, node_line)
}

/// Takes pictures of the key pages of a gateway with the built-in bot.
pub(crate) fn pictures(to: Option<&str>) -> Result<()> {
    let folder = root().join("tests/browser");
    tools::system_package("chromium", "chromium")?;
    tools::node_modules(&folder)?;
    let to = to.map_or_else(|| target().join("pictures"), |to| root().join(to));
    let program = build_checked()?;
    let gateway = Gateway::start(&program, "pictures", None, None)?;
    let mut node = command("node");
    node.current_dir(&folder)
        .arg("pictures.mjs")
        .env("CHATWARD_URL", gateway.url())
        .env("CHATWARD_SHOTS", to);
    if let Some(chromium) = which("chromium") {
        node.env("CHATWARD_CHROMIUM", chromium);
    }
    must(&mut node)
}

/// The official Node and Python libraries, unmodified.
fn client_libraries() -> Result<Counts> {
    let folder = root().join("tests/sdk");
    let program = build_checked()?;
    // They start a gateway and a bot of their own.
    let told = |test: &mut Command| {
        test.current_dir(&folder).env("CHATWARD", &program);
    };
    tools::node_modules(&folder)?;
    let mut node = command("npm");
    told(node.args(["test", "--silent"]));
    let by_node = watched(&mut node, node_line)?;
    let wanted = std::fs::read_to_string(folder.join("requirements.txt"))?;
    let wanted: Vec<&str> =
        wanted.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let venv = tools::python_venv("sdk", &wanted)?;
    let mut python = command(venv.join("bin/python"));
    told(python.args(["-m", "unittest", "discover", "--verbose", "--pattern", "*test*.py"]));
    let by_python = watched(&mut python, python_line)?;
    Ok(Counts { passed: by_node.passed + by_python.passed, failed: by_node.failed + by_python.failed })
}

/// The modules of the encrypted channel in Node, and another implementation of it; the files of others against their packages.
fn channel() -> Result<Counts> {
    let folder = root().join("tests/channel");
    let program = build_checked()?;
    tools::node_modules(&folder)?;
    let mut test = command("npm");
    test.current_dir(&folder).args(["test", "--silent"]).env("CHATWARD", &program);
    let counts = watched(&mut test, node_line)?;
    crate::vendor::run(false)?;
    Ok(Counts { passed: counts.passed + 1, ..counts })
}

/// Single sign-on at a real OpenID provider.
fn provider() -> Result<Counts> {
    let folder = root().join("tests/provider");
    let program = build_checked()?;
    tools::node_modules(&folder)?;
    let mut test = command("npm");
    test.current_dir(&folder).args(["test", "--silent"]).env("CHATWARD", &program);
    watched(&mut test, node_line)
}

/// What our own routes answer is held against their description (`docs/openapi.json`), with requests made from it: no answer
/// is a fault of ours, and each is as described.
fn described() -> Result<Counts> {
    let program = build_checked()?;
    let venv = tools::python_venv("described", &["schemathesis==4.32.5"])?;
    // Requests made by the hundred come from one address.
    let config = root().join("tests/browser/plain.toml");
    let config = config.to_str().context("the folder's name is not UTF-8")?;
    let gateway = Gateway::start_with(&program, "described", &["--config", config], None)?;
    let cookie = gateway.page_cookie()?;
    let token = format!("authorization: Bearer {}", gateway.admin_token()?);
    let mut counts = Counts::default();
    let sides =
        [("^/admin/", gateway.private_url(), token), ("^/me/", gateway.url(), format!("cookie: {cookie}"))];
    for (paths, url, header) in sides {
        let mut test = command(venv.join("bin/st"));
        // It leaves a folder where it runs.
        test.current_dir(gateway.folder.path());
        test.arg("run").arg(root().join("docs/openapi.json")).args(["--url", &url, "--header", &header]);
        test.args(["--include-path-regex", paths, "--max-examples", "15", "--generation-database", "none"]);
        test.args(["--seed", "1", "--no-color", "--phases", "examples,coverage,fuzzing"]);
        test.args(["--checks", DESCRIBED]);
        match must(&mut test) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                eprintln!("{error:#}");
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}

/// What is looked at in each answer.
const DESCRIBED: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

fn which(program: &str) -> Option<std::path::PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Runs it, shows its output, and counts by `read`. A run that fails without saying so counts as one failure, and one
/// in which nothing ran too.
fn watched(command: &mut Command, read: fn(&str, &mut Counts)) -> Result<Counts> {
    let name = shown(command);
    // One pipe for both, so that summaries on stderr are seen.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    // Our copies of the writing end must close, or the reader never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut counts = Counts::default();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        let _ = writeln!(std::io::stdout(), "{line}");
        read(&plain(&line), &mut counts);
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        eprintln!("{name} failed ({status})");
        counts.failed = 1;
    }
    Ok(counts)
}

/// A line without its colours.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut inside = false;
    for c in line.chars() {
        match (inside, c) {
            (false, '\u{1b}') => inside = true,
            (false, c) => text.push(c),
            (true, c) => inside = !c.is_ascii_alphabetic(),
        }
    }
    text
}

/// The number before a word: `12 passed`.
fn before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split([' ', ',', ';', '(', ')']).filter(|w| !w.is_empty()).collect();
    let at = words.iter().position(|w| *w == word);
    at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok()).unwrap_or(0)
}

/// `Summary [ 1.2s] 45 tests run: 43 passed (1 slow), 2 failed, 1 skipped`
fn nextest_line(line: &str, counts: &mut Counts) {
    if line.trim_start().starts_with("Summary [") {
        counts.passed += before(line, "passed");
        counts.failed += before(line, "failed") + before(line, "timed") + before(line, "exec");
    }
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; …`
fn cargo_line(line: &str, counts: &mut Counts) {
    if line.starts_with("test result:") {
        counts.passed += before(line, "passed");
        counts.failed += before(line, "failed");
    }
}

/// `# pass 5` (TAP) or `ℹ pass 5` (the form for terminals).
fn node_line(line: &str, counts: &mut Counts) {
    let mut words = line.split_whitespace();
    if !matches!(words.next(), Some("#" | "ℹ")) {
        return;
    }
    let (word, number) = (words.next(), words.next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0));
    match word {
        Some("pass") => counts.passed += number,
        Some("fail" | "cancelled") => counts.failed += number,
        // A skipped test is a missing install step by another name.
        Some("skipped") => counts.failed += number,
        _ => {}
    }
}

/// `Ran 7 tests in 0.1s`, then `OK` or `FAILED (failures=1, errors=2, skipped=1)`.
fn python_line(line: &str, counts: &mut Counts) {
    if line.starts_with("Ran ") {
        counts.passed += before(line, "tests") + before(line, "test");
    }
    if line.starts_with("FAILED (") || line.starts_with("OK (") {
        let bad: u64 = line
            .split(['(', ',', ')', ' '])
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| matches!(*name, "failures" | "errors" | "skipped"))
            .filter_map(|(_, n)| n.parse::<u64>().ok())
            .sum();
        counts.passed = counts.passed.saturating_sub(bad);
        counts.failed += bad;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(read: fn(&str, &mut Counts), lines: &[&str]) -> (u64, u64) {
        let mut counts = Counts::default();
        for line in lines {
            read(&plain(line), &mut counts);
        }
        (counts.passed, counts.failed)
    }

    #[test]
    fn every_runner_is_counted() {
        let colours = "\u{1b}[32;1m     Summary\u{1b}[0m [   1.2s] 45 tests run: 43 passed (1 slow), 2 failed, 1 skipped";
        assert_eq!(counted(nextest_line, &[colours]), (43, 2));
        let cargo = [
            "test result: ok. 3 passed; 0 failed; 0 ignored",
            "test result: FAILED. 1 passed; 2 failed; 0 ig",
        ];
        assert_eq!(counted(cargo_line, &cargo), (4, 2));
        assert_eq!(counted(node_line, &["# pass 5", "ℹ fail 1", "# skipped 2", "# duration_ms 3"]), (5, 3));
        assert_eq!(counted(python_line, &["Ran 7 tests in 0.1s", "FAILED (failures=1, errors=2)"]), (4, 3));
        assert_eq!(counted(python_line, &["Ran 1 test in 0.1s", "OK"]), (1, 0));
    }
}
