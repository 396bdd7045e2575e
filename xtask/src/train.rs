//! `train`: makes `models/names.bin` and its card out of the shared texts.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, must, root, shared};

/// Makes the model of the house; what else is wished goes to the trainer as it is.
pub(crate) fn run(wishes: &[String]) -> Result<()> {
    into(&root().join("models"), wishes)
}

/// Builds the trainer with optimisation and has it write into this folder.
pub(crate) fn into(models: &Path, wishes: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let mut train = cargo();
    train.args(["run", "--release", "--locked", "--quiet", "--package", "trainer", "--"]);
    std::fs::create_dir_all(models)?;
    must(train.arg("--shared").arg(shared()?).arg("--models").arg(models).args(wishes))
}
