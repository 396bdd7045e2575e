//! `prove mutants`: patches that each take one control away. A test has to fail for every one of them.
//!
//! A patch (`tests/mutants/*.patch`) says in its first lines, before the diff, which control it removes and which tests find
//! it out:
//!
//! ```text
//! control: the second factor
//! test: -p chatward --test program -- doors
//! ```
//!
//! It is applied to a copy of the sources, which is built in a folder of its own. A patch that does not apply or a copy that
//! does not build proves nothing and fails.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{capture, cargo, command, must, root, target};
use crate::results;

/// What a patch says of itself.
struct Mutant {
    name: String,
    control: String,
    test: Vec<String>,
    patch: PathBuf,
}

pub(crate) fn run() -> Result<()> {
    let patches = patches()?;
    let copy = target().join("mutants/sources");
    let mut report = String::from("| control that is taken away | tests that fail then |\n| --- | --- |\n");
    let mut alive = Vec::new();
    for patch in &patches {
        let mutant = read(patch)?;
        println!("mutant {}: without {}", mutant.name, mutant.control);
        sources(&copy)?;
        must(command("git").current_dir(&copy).args(["apply", "--whitespace=nowarn"]).arg(&mutant.patch))
            .with_context(|| format!("{} no longer applies: write it anew", mutant.name))?;
        match killed_by(&mutant, &copy)? {
            tests if tests.is_empty() => alive.push(mutant.name),
            tests => {
                let _ = writeln!(report, "| {} | {} |", mutant.control, tests.join(", "));
            }
        }
    }
    if !alive.is_empty() {
        bail!("no test notices what these take away: {}", alive.join(", "));
    }
    let _ = writeln!(
        report,
        "\n{} patches (`tests/mutants`), each applied to a copy of the sources.",
        patches.len()
    );
    results::write("mutants", "prove mutants", &report)
}

/// All of them.
fn patches() -> Result<Vec<PathBuf>> {
    let folder = root().join("tests/mutants");
    let mut patches: Vec<PathBuf> = std::fs::read_dir(&folder)
        .with_context(|| format!("no mutants in {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    patches.retain(|path| path.extension().is_some_and(|e| e == "patch"));
    patches.sort();
    if patches.is_empty() {
        bail!("no mutants in {}", folder.display());
    }
    Ok(patches)
}

/// Those that no longer fit the sources.
pub(crate) fn stale() -> Result<Vec<String>> {
    let fits = |patch: &PathBuf| {
        let checked = command("git").current_dir(root()).args(["apply", "--check"]).arg(patch).output();
        checked.is_ok_and(|output| output.status.success())
    };
    Ok(patches()?.iter().filter(|patch| !fits(patch)).map(|patch| patch.display().to_string()).collect())
}

fn read(patch: &Path) -> Result<Mutant> {
    let text = std::fs::read_to_string(patch)?;
    let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let said = |word: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(word));
        line.map(|line| line.trim().to_owned()).with_context(|| format!("{name}: no line `{word} …`"))
    };
    let (control, test) = (said("control:")?, said("test:")?);
    let test = test.split_whitespace().map(str::to_owned).collect();
    Ok(Mutant { name, control, test, patch: patch.to_owned() })
}

/// A fresh copy of what git knows, as it lies in the working folder. Files that did not change keep their times, so that the
/// build does not begin anew.
fn sources(copy: &Path) -> Result<()> {
    let listed = capture(command("git").args(["ls-files", "-z"]))?;
    let mut known = std::collections::BTreeSet::new();
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root().join(name), copy.join(name));
        // A file that was deleted and not committed yet.
        let Ok(bytes) = std::fs::read(&from) else { continue };
        known.insert(to.clone());
        if std::fs::read(&to).is_ok_and(|found| found == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
        std::fs::write(&to, bytes)?;
    }
    // `git apply` wants a folder that is no part of another repository.
    if !copy.join(".git").exists() {
        must(command("git").current_dir(copy).args(["init", "--quiet"]))?;
    }
    Ok(())
}

/// The tests that fail.
fn killed_by(mutant: &Mutant, copy: &Path) -> Result<Vec<String>> {
    let split = mutant.test.iter().position(|word| word == "--").unwrap_or(mutant.test.len());
    let (build, _) = mutant.test.split_at(split);
    let folder = target().join("mutants/target");
    let at = |mut cargo: std::process::Command| {
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", &folder);
        cargo
    };
    must(at(cargo()).args(["test", "--quiet", "--locked", "--no-run"]).args(build))
        .with_context(|| format!("{} does not build: it proves nothing", mutant.name))?;
    let ran = at(cargo()).args(["test", "--locked"]).args(&mutant.test).output()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let failed = said.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    let failed: Vec<String> = failed.map(|name| format!("`{name}`")).collect();
    if failed.is_empty() != ran.status.success() {
        bail!(
            "{}: the tests ended oddly ({}): {}",
            mutant.name,
            ran.status,
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    println!("  {}", if failed.is_empty() { "NOT NOTICED".to_owned() } else { failed.join(", ") });
    Ok(failed)
}
