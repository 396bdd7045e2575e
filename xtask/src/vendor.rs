//! `cargo xtask vendor`: the files of others under `static/vendor` against the packages they came from. That they are what
//! `vendor.lock` says is an ordinary test; here it is seen that the lock says the truth.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{command, must, root, target};
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
    rewrites: Vec<(String, String)>,
}

/// Fetches the packages and compares.
pub(crate) fn run() -> Result<()> {
    tools::system_package("npm", "npm")?;
    let vendor = root().join("crates/chatward/static");
    let lock: Lock = toml::from_str(&std::fs::read_to_string(vendor.join("vendor.lock"))?)?;
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
            let theirs = std::fs::read_to_string(&theirs).with_context(|| theirs.display().to_string())?;
            let mut ours = std::fs::read_to_string(vendor.join("vendor").join(&file.path))?;
            for (from, to) in &file.rewrites {
                ours = ours.replace(to, from);
            }
            if theirs != ours {
                differ.push(format!("{} of {wanted}", file.path));
            }
        }
    }
    if differ.is_empty() { Ok(()) } else { bail!("not what the packages have: {}", differ.join(", ")) }
}
