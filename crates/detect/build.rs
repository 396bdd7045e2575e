//! Lists `rules/*.toml` and writes a table that embeds them, sorted by name, so that adding a rule touches nothing else.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::PathBuf;

fn main() -> Result<()> {
    let var = |name: &str| env::var_os(name).ok_or_else(|| Error::new(ErrorKind::NotFound, name.to_owned()));
    let rules = PathBuf::from(var("CARGO_MANIFEST_DIR")?).join("../../rules");
    println!("cargo::rerun-if-changed={}", rules.display());

    let mut files = Vec::new();
    for entry in fs::read_dir(&rules)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
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
    fs::write(PathBuf::from(var("OUT_DIR")?).join("rules.rs"), table)
}
