//! Rules for attacks of the house's own: a folder of YAML files, in our form or in Sigma.

use std::path::Path;

use anyhow::Context as _;
use chatward_detect::threat::Words;
use chatward_detect::threat::rules::ThreatRules;

/// Larger files are no rules.
const LARGEST: u64 = 256 << 10;
/// More files are no folder of rules.
const MOST: usize = 2_000;

/// The rule files of a folder, name and text, by name.
///
/// # Errors
/// If the folder or a file cannot be read, or is too large.
pub(crate) fn files(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let named = || format!("{}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(named)? {
        let path = entry.with_context(named)?.path();
        if path.extension().is_none_or(|ending| ending != "yaml" && ending != "yml") {
            continue;
        }
        let named = || format!("{}", path.display());
        if std::fs::metadata(&path).with_context(named)?.len() > LARGEST {
            anyhow::bail!("{}: larger than {LARGEST} bytes", path.display());
        }
        let text = std::fs::read_to_string(&path).with_context(named)?;
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
        if files.len() > MOST {
            anyhow::bail!("{}: more than {MOST} rules", folder.display());
        }
    }
    files.sort();
    Ok(files)
}

/// The rules in force: those that come with the program, and those of the house's folder.
///
/// # Errors
/// All that is wrong with the rules.
pub(crate) fn rules(folder: Option<&Path>, words: &Words) -> anyhow::Result<ThreatRules> {
    let own = folder.map(files).transpose().context("threats.rules")?.unwrap_or_default();
    let own: Vec<(&str, &str)> = own.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    ThreatRules::new(&own, words).map_err(|faults| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("rules for threats: {}", told.join("; "))
    })
}
