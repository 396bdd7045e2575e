//! Reading the shared development data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{capture, command, shared};

/// The development files whose name starts with one of `sources`, in name order; all of them for an empty list.
pub(crate) fn files(sources: &[&str]) -> Result<Vec<PathBuf>> {
    let folder = shared()?.join("data/pii");
    let listed = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.ends_with(".dev.jsonl.gz")
                && (sources.is_empty() || sources.iter().any(|s| name.starts_with(s)))
        })
        .collect();
    files.sort();
    Ok(files)
}

/// The documents of a file.
pub(crate) fn documents(file: &Path) -> Result<Vec<Value>> {
    let text = capture(command("gzip").arg("-dc").arg(file))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
