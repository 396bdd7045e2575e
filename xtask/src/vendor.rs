//! `cargo xtask vendor`: the files of others under `static/vendor` against the packages they came from. That they are what
//! `vendor.lock` says is an ordinary test; here it is seen that the lock says the truth.
//!
//! They are sent to browsers as they stand there, so they stand there without what only their readers need: lines of comments and
//! indentation. That they are the same programs is a test of `tests/channel`, over their syntax trees.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{capture, command, must, root, target};
use crate::tools;

#[derive(Deserialize)]
struct Lock {
    file: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    path: String,
    package: String,
    version: String,
    from: String,
    original: String,
    ours: String,
    rewrites: Vec<(String, String)>,
}

/// Fetches the packages, and compares; or writes the files anew, and their hashes into the lock.
pub(crate) fn run(write: bool) -> Result<()> {
    tools::system_package("npm", "npm")?;
    let vendor = root().join("crates/chatward/static");
    let mut text = std::fs::read_to_string(vendor.join("vendor.lock"))?;
    let lock: Lock = toml::from_str(&text)?;
    let folder = target().join("vendor");
    let mut versions = BTreeMap::new();
    for file in &lock.file {
        versions.insert(file.package.as_str(), file.version.as_str());
    }
    let mut differ = Vec::new();
    for (package, version) in versions {
        // Each by itself: what one wants of another is not what we serve.
        let at = folder.join(package.replace('/', "-"));
        std::fs::create_dir_all(&at)?;
        std::fs::write(at.join("package.json"), "{\"private\": true}")?;
        let wanted = format!("{package}@{version}");
        let install = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        must(command("npm").current_dir(&at).args(install).arg(&wanted))?;
        for file in lock.file.iter().filter(|file| file.package == package) {
            let theirs = at.join("node_modules").join(package).join(&file.from);
            let mut made = std::fs::read_to_string(&theirs).with_context(|| theirs.display().to_string())?;
            for (from, to) in &file.rewrites {
                made = made.replace(from, to);
            }
            let made = lean(&made);
            let ours = vendor.join("vendor").join(&file.path);
            if write {
                std::fs::write(&ours, &made)?;
                let line = |name: &str, hash: &str| format!("{name} = \"{hash}\"");
                text = text
                    .replace(&line("original", &file.original), &line("original", &hash(&theirs)?))
                    .replace(&line("ours", &file.ours), &line("ours", &hash(&ours)?));
            } else if hash(&theirs)? != file.original || std::fs::read_to_string(&ours)? != made {
                differ.push(format!("{} of {wanted}", file.path));
            }
        }
    }
    if write {
        std::fs::write(vendor.join("vendor.lock"), text)?;
    }
    if differ.is_empty() { Ok(()) } else { bail!("not what the packages have: {}", differ.join(", ")) }
}

/// The SHA-256 of a file, in hexadecimal digits.
fn hash(path: &Path) -> Result<String> {
    let told = capture(command("sha256sum").arg(path))?;
    Ok(told.split_whitespace().next().context("sha256sum said nothing")?.to_owned())
}

/// A script without lines that hold nothing but a comment, empty lines, and indentation. Notices of copyright (`/*!`) stay.
fn lean(script: &str) -> String {
    let mut made = String::with_capacity(script.len());
    let mut lines = script.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let comment = line.starts_with("/*") && !line.starts_with("/*!");
        let code = if comment { after_comment(line, &mut lines) } else { line };
        if !code.is_empty() && !code.starts_with("//") {
            made.push_str(code);
            made.push('\n');
        }
    }
    made
}

/// What stands behind a comment that begins a line, on the line where the comment ends.
fn after_comment<'a>(line: &'a str, lines: &mut impl Iterator<Item = &'a str>) -> &'a str {
    let mut last = line;
    while !last.contains("*/") {
        let Some(next) = lines.next() else { return "" };
        last = next;
    }
    last.split_once("*/").map_or("", |(_, code)| code.trim())
}
