//! `train`: makes `models/names.bin` and its card out of the shared texts.

use anyhow::Result;

use crate::process::{cargo, must, root, shared};

/// Builds the trainer with optimisation and runs it; what else is wished goes to it as it is.
pub(crate) fn run(wishes: &[String]) -> Result<()> {
    let mut train = cargo();
    train.args(["run", "--release", "--locked", "--quiet", "--package", "trainer", "--"]);
    train.arg("--shared").arg(shared()?).arg("--models").arg(root().join("models")).args(wishes);
    must(&mut train)
}
