//! `[access]`: the policies of the house, read and held against the shipped ones.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use chatward_policy::access::{Known, Loading, PolicySource, Rules, Severity};

use super::load::{fault, unreadable};
use super::raw::Raw;
use super::{Access, ClassOf, Fault};

/// A file's name and text.
pub(crate) type File = (String, String);

/// The policies in force: the shipped ones, and those of the folder that the configuration names.
pub(super) fn access(raw: &Raw, class_of: ClassOf<'_>, faults: &mut Vec<Fault>) -> Option<Access> {
    const PATH: &str = "access.policies";
    let Some(folder) = &raw.access.policies else {
        let Some(rules) = shipped() else {
            faults.push(fault(PATH, "the shipped policies do not fit this program: please report it"));
            return None;
        };
        return Some(Access { policies: None, rules, own: Vec::new(), warnings: Vec::new() });
    };
    let files = match files(folder, &["cedar"]) {
        Ok(files) => files,
        Err((path, error)) => {
            faults.push(unreadable(PATH, &path, &error));
            return None;
        }
    };
    let Loading { rules, faults: found } = load(&files, class_of);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|found| found.lint.severity() == Severity::Error);
    faults.extend(errors.iter().map(|error| fault(PATH, error.to_string())));
    let warnings = warnings.iter().map(ToString::to_string).collect();
    Some(Access { policies: Some(folder.clone()), rules: Arc::new(rules?), own: files, warnings })
}

/// The shipped policies with these.
pub(crate) fn load(files: &[File], class_of: ClassOf<'_>) -> Loading {
    let kind = |kind: &str| class_of(kind).is_some();
    Rules::load(&sources(files), Known { kind: Some(&kind) })
}

pub(crate) fn sources(files: &[File]) -> Vec<PolicySource<'_>> {
    files.iter().map(|(name, text)| PolicySource { name, text }).collect()
}

/// The shipped policies alone; read once.
pub(crate) fn shipped() -> Option<Arc<Rules>> {
    static SHIPPED: OnceLock<Option<Arc<Rules>>> = OnceLock::new();
    SHIPPED.get_or_init(|| Rules::shipped().rules.map(Arc::new)).clone()
}

/// The texts of a folder whose names end so, by name. An error comes with its path.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<File>, (PathBuf, io::Error)> {
    let mut files = Vec::new();
    let at = |error| (folder.to_owned(), error);
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
            let text = std::fs::read_to_string(&path).map_err(|error| (path.clone(), error))?;
            files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
        }
    }
    files.sort();
    Ok(files)
}
