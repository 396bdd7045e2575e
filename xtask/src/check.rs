//! `cargo xtask check`: everything that can be said without running the product.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::process::{build_checked, cargo, command, must, root, target};
use crate::{arrows, mutants, source, tools};

/// Files of `docs/` that the program writes itself.
const GENERATED: &[&str] = &["errors.md", "config.schema.json", "access.md", "openapi.json"];

/// Runs all checks, says every fault, fails if there is one.
pub(crate) fn run() -> Result<()> {
    let mut failed = Vec::new();
    let mut last = Instant::now();
    let mut step = |name: &str, result: Result<()>| {
        let seconds = std::mem::replace(&mut last, Instant::now()).elapsed().as_secs();
        println!("check {name}: {} ({seconds} s)", if result.is_ok() { "ok" } else { "FAILED" });
        if let Err(e) = result {
            eprintln!("{e:#}");
            failed.push(name.to_owned());
        }
    };
    step("arrows", none("the rooms do not fit the drawing", arrows::faults()));
    step("source", none("tracked files", source::faults()));
    step("tests named in documents", none("documents name tests that do not exist", source::unknown_tests()));
    step("mutants", none("patches that no longer apply (write them anew)", mutants::stale()));
    step("format", must(cargo().args(["fmt", "--all", "--check"])));
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    step("clippy", must(cargo().args(clippy)));
    step("licences, bans, sources", deny());
    step("generated files", generated());
    step("rules", build_checked().and_then(|program| must(command(program).args(["rules", "check"]))));
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn none(what: &str, faults: Result<Vec<String>>) -> Result<()> {
    let faults = faults?;
    if faults.is_empty() { Ok(()) } else { bail!("{what}:\n  {}", faults.join("\n  ")) }
}

fn deny() -> Result<()> {
    let program = tools::cargo_deny()?;
    // Called by its own name it wants the word that cargo would pass on.
    must(command(program).args(["--log-level", "error", "--locked", "check", "bans", "licenses", "sources"]))
}

/// Has the program write its documents into a scratch folder and compares.
fn generated() -> Result<()> {
    let scratch = target().join("xtask").join("docs");
    std::fs::create_dir_all(&scratch)?;
    must(command(build_checked()?).args(["internal", "generate-docs"]).arg(&scratch))?;
    let old: Vec<&str> = GENERATED.iter().copied().filter(|file| !same(&scratch, file)).collect();
    if old.is_empty() {
        return Ok(());
    }
    bail!("not what the program writes: docs/{} (chatward internal generate-docs docs)", old.join(", docs/"))
}

fn same(scratch: &Path, file: &str) -> bool {
    let read = |folder: &Path| std::fs::read(folder.join(file)).ok();
    let wanted = read(scratch);
    wanted.is_some() && wanted == read(&root().join("docs"))
}
