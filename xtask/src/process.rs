//! Running other programs, and the folders of the project.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where tools and results of slow steps are kept.
pub(crate) fn cache() -> PathBuf {
    std::env::var_os("CHATWARD_CACHE").map_or_else(|| target().join("xtask"), PathBuf::from)
}

/// The folder of shared tools and data, or one line that says what is missing.
pub(crate) fn shared() -> Result<PathBuf> {
    let path = std::env::var_os("CHATWARD_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    path.join("tools").canonicalize().ok().and_then(|tools| tools.parent().map(PathBuf::from)).with_context(
        || format!("needs the shared tools and data: set CHATWARD_SHARED (nothing at {})", path.display()),
    )
}

/// A program in the repository's root.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs it with our output; it must succeed.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if status.success() { Ok(()) } else { bail!("{} failed ({status})", shown(command)) }
}

/// Runs it and gives what it printed; it must succeed.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} did not print text", shown(command)))
}

/// Whether a program can be found.
pub(crate) fn exists(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// How it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A process that ends with the value: also when a check fails half way.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it, with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let out = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let err = out.try_clone()?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Ok(Self(command.spawn().with_context(|| format!("cannot start {}", shown(command)))?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds the program with optimisation and says where it is. `CHATWARD_PROGRAM` names one that is measured instead.
pub(crate) fn build_chatward() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("CHATWARD_PROGRAM") {
        eprintln!("not built: measuring {}", program.to_string_lossy());
        return Ok(PathBuf::from(program));
    }
    must(cargo().args(["build", "--release", "--locked", "--package", "chatward"]))?;
    Ok(target().join("release").join("chatward"))
}

/// Builds one of the shared tools, outside the shared folder, and says where it is.
pub(crate) fn build_shared(folder: &str, program: &str) -> Result<PathBuf> {
    let source = shared()?.join(folder);
    // One folder for all of them: they have most of their dependencies in common.
    let target = cache().join("shared-tools");
    std::fs::create_dir_all(&target)?;
    let mut build = cargo();
    build
        .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
        .arg(source.join("Cargo.toml"));
    must(build.arg("--target-dir").arg(&target))?;
    Ok(target.join("release").join(program))
}

/// Builds the program as the tests use it (with debug assertions) and says where it is. All targets, so that nothing
/// is built a second time for the tests with other features of the same libraries.
pub(crate) fn build_checked() -> Result<PathBuf> {
    must(cargo().args(["build", "--workspace", "--all-targets", "--locked", "--quiet"]))?;
    Ok(target().join("debug").join("chatward"))
}
