//! Lists `rules/*.toml` and `rules/threats/*.yaml` and writes tables that embed them, sorted by name, so that adding a rule touches nothing else.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let var = |name: &str| env::var_os(name).ok_or_else(|| Error::new(ErrorKind::NotFound, name.to_owned()));
    let rules = PathBuf::from(var("CARGO_MANIFEST_DIR")?).join("../../rules");
    let out = PathBuf::from(var("OUT_DIR")?);
    embed(&rules, "toml", &out.join("rules.rs"))?;
    embed(&rules.join("threats"), "yaml", &out.join("threat_rules.rs"))
}

/// Writes a table of the files with this ending.
fn embed(rules: &Path, ending: &str, to: &Path) -> Result<()> {
    println!("cargo::rerun-if-changed={}", rules.display());

    let mut files = Vec::new();
    for entry in fs::read_dir(rules)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == ending) {
            files.push(path.canonicalize()?);
        }
    }
    files.sort();

    let mut table = String::from("&[\n");
    for path in &files {
        println!("cargo::rerun-if-changed={}", path.display());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(table, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    table.push_str("]\n");
    fs::write(to, table)
}
