//! What each command does.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chatward_detect::larger::second::Second;
use chatward_detect::{Detector, PhraseFault, RulesError};
use chatward_message::Class;
use chatward_policy::access;
use chatward_store::log::verify;
use chatward_store::{KeyringError, StoreError};
use chatward_vault::{SealError, VaultError};
use zeroize::Zeroizing;

use super::{
    CallersCommand, Command, ConfigArgs, ConfigCommand, DataArgs, DoctorArgs, InternalCommand, KeysCommand,
    LogCommand, ServeArgs, exit, policy, recovery, rules,
};
use crate::config::{FaultSort, Faults, Flags, Loaded};
use crate::control::{self, Answer, ControlError, Request};
use crate::larger::{self, Unusable};
use crate::seeing::PrivateError;
use crate::tls::TlsError;
use crate::witness::WitnessError;
use crate::{api, caller, config, problem, scan, serve};

/// Does one command.
pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Chat(args) => super::chat::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Redact(args) => scan::redact(&args),
        Command::Classify(args) => crate::classify::run(&args),
        Command::Rules { command } => rules::run(command),
        Command::Config { command } => configuration(command),
        Command::Alerts { command: super::AlertsCommand::Test(args) } => super::alerts::test(args),
        Command::Policy { command } => policy::run(command),
        Command::Keys { command } => match command {
            KeysCommand::Rotate(at) => tell(&at, Request::KeysRotate),
            KeysCommand::AcceptOlder(at) => recovery::accept_older(&at),
            KeysCommand::RecoveryKit(args) => recovery::kit(&args),
            KeysCommand::Recover(args) => recovery::recover(&args),
            KeysCommand::Reseal(args) => recovery::reseal(&args),
        },
        Command::Doctor(DoctorArgs { recovery: _, at }) => recovery::doctor(&at),
        Command::Customer { command } => super::rights::customer(command),
        Command::Retention { command } => super::rights::retention(command),
        Command::Certificate { command } => super::rights::certificate(command),
        Command::Staff { command } => super::staff::people(command),
        Command::Programs { command } => super::staff::programs(command),
        Command::Callers { command: CallersCommand::New { name } } => new_caller(&name),
        Command::Log { command: LogCommand::Verify { data, checkpoint, key } } => {
            verify_log(&data, &checkpoint, key.as_deref())
        }
        Command::Store { command } => super::stores::run(command),
        Command::Backup(args) => super::backup::backup(&args),
        Command::Restore(args) => super::backup::restored(&args),
        Command::Statistics(args) => super::numbers::statistics(args),
        Command::Export { command: super::numbers::ExportCommand::Analytics(args) } => {
            super::numbers::export(args)
        }
        Command::Intel { command } => super::intel::run(command),
        Command::Feedback { command } => super::feedback::run(command),
        Command::Train(args) => crate::feedback::train::run(&args),
        Command::Records(args) => super::numbers::records(args),
        Command::Status(at) => tell(&at, Request::Status),
        Command::Internal { command: InternalCommand::GenerateDocs { dir } } => generate_docs(&dir),
        Command::Internal { command: InternalCommand::Pages } => pages(),
    }
}

/// Turns the outcome into the exit code and says what went wrong.
pub(super) fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match outcome {
        Ok(code) => return code,
        Err(error) => error,
    };
    // Whoever closed the pipe has read enough.
    if error
        .chain()
        .any(|e| e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
    {
        return ExitCode::from(exit::OK);
    }
    say_error(format_args!("chatward: {error:#}"));
    ExitCode::from(code_of(&error))
}

fn code_of(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if let Some(faults) = cause.downcast_ref::<Faults>() {
            return code_of_faults(faults);
        }
        if cause.is::<ControlError>() {
            return exit::BUSY;
        }
        if let Some(error) = cause.downcast_ref::<StoreError>() {
            return code_of_store(error);
        }
        if let Some(KeyringError::Store(error)) = cause.downcast_ref::<KeyringError>() {
            return code_of_store(error);
        }
        if let Some(error) = cause.downcast_ref::<SealError>() {
            return code_of_seal(error);
        }
        // What is transparent is no cause of its own: it is asked for by name.
        match cause.downcast_ref::<VaultError>() {
            Some(VaultError::Seal(error)) => return code_of_seal(error),
            Some(VaultError::Keyring(KeyringError::Store(error))) => return code_of_store(error),
            Some(VaultError::OtherEpoch { .. } | VaultError::OtherPair { .. }) => return exit::IO,
            Some(VaultError::BadPair { .. }) => return exit::FOUND,
            _ => {}
        }
        match cause.downcast_ref::<WitnessError>() {
            Some(WitnessError::Store(error)) => return code_of_store(error),
            Some(_) => return exit::IO,
            None => {}
        }
        if cause.is::<PrivateError>() || cause.is::<TlsError>() {
            return exit::IO;
        }
        if cause.is::<io::Error>() || cause.is::<verify::VerifyError>() {
            return exit::IO;
        }
        if cause.is::<RulesError>() || cause.is::<PhraseFault>() {
            return exit::FOUND;
        }
    }
    exit::INTERNAL
}

/// Another's lock is busy; a mistake of ours is ours; everything else is a folder or disk that cannot be used.
fn code_of_faults(faults: &Faults) -> u8 {
    if faults.only(FaultSort::Unsafe) {
        exit::REFUSED
    } else if faults.only(FaultSort::Unreadable) {
        exit::IO
    } else {
        exit::FOUND
    }
}

fn code_of_store(error: &StoreError) -> u8 {
    match error {
        StoreError::InUse { .. } => exit::BUSY,
        StoreError::RoleTooStrong { .. }
        | StoreError::WouldLose { .. }
        | StoreError::TargetNotEmpty { .. }
        | StoreError::BackupPlace { .. }
        | StoreError::BackupOnServer => exit::REFUSED,
        StoreError::CopyDiffers { .. } | StoreError::BackupDamaged { .. } => exit::FOUND,
        StoreError::Inside { .. } => exit::INTERNAL,
        _ => exit::IO,
    }
}

/// A key file that others can read is refused; any other key that does not fit is a file that cannot be used.
fn code_of_seal(error: &SealError) -> u8 {
    match error {
        SealError::TooOpen { .. } => exit::REFUSED,
        SealError::Cipher(_) => exit::INTERNAL,
        _ => exit::IO,
    }
}

/// One line to standard output.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// One line to standard error; if nobody reads it there is nobody to tell.
pub(crate) fn say_error(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

impl From<&ServeArgs> for Flags {
    fn from(args: &ServeArgs) -> Self {
        let ServeArgs { data, keys, listen, private, upstream, config: _, unsafe_plain_http } = args.clone();
        Self {
            data,
            keys,
            listen,
            private_listen: private,
            upstream,
            unsafe_plain_http,
            built_in_model: None,
        }
    }
}

/// The variables of this process that are text.
pub(crate) fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A configuration and the detector it asks for.
pub(crate) struct Ready {
    pub(crate) config: config::Config,
    pub(crate) detector: Detector,
    /// Who is asked where the models of attacks leave room for doubt, if anybody.
    pub(crate) second: Option<Second>,
    /// Why larger models that it asks for cannot be used, where it allows that.
    pub(crate) unusable: Unusable,
}

/// The configuration with the rules and the model it asks for: `serve` and every reload begin here.
pub(crate) fn load(file: Option<&Path>, flags: &Flags) -> anyhow::Result<Ready> {
    let loaded = Loaded::read(file, &environment(), flags)?;
    let (detector, detection) = rules::detector(&loaded.detection()?, true)?;
    let config = loaded.check(&class_of(&detector))?;
    let (second, threats) = larger::second(config.threats.model.as_ref())?;
    Ok(Ready { config, detector, second, unusable: Unusable { detection, threats } })
}

/// The same without the larger model, for work on data in which nothing is detected.
pub(crate) fn load_without_model(
    file: Option<&Path>,
    flags: &Flags,
) -> anyhow::Result<(config::Config, Detector)> {
    let loaded = Loaded::read(file, &environment(), flags)?;
    let (detector, _) = rules::detector(&loaded.detection()?, false)?;
    let config = loaded.check(&class_of(&detector))?;
    Ok((config, detector))
}

pub(super) fn class_of(detector: &Detector) -> impl Fn(&str) -> Option<Class> + '_ {
    |kind| detector.rules().iter().find(|rule| rule.kind.as_str() == kind).map(|rule| rule.class)
}

fn configuration(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    let file = |args: ConfigArgs| args.config.or(args.file);
    match command {
        ConfigCommand::Check(args) => match load(file(args).as_deref(), &Flags::default()) {
            Ok(Ready { config, unusable, .. }) => {
                for deviation in config.deviations() {
                    say(format_args!("note: {deviation}"))?;
                }
                for fault in unusable.detection.iter().flat_map(Faults::iter) {
                    say(format_args!("note: rules and tagger look alone: {fault}"))?;
                }
                for fault in unusable.threats.iter().flat_map(Faults::iter) {
                    say(format_args!("note: the small models of attacks judge alone: {fault}"))?;
                }
                say(format_args!("the configuration is good (hash {})", config.hash()))?;
                Ok(ExitCode::from(exit::OK))
            }
            Err(error) => {
                let Some(faults) = error.downcast_ref::<Faults>() else { return Err(error) };
                for fault in faults.iter() {
                    say(fault)?;
                }
                Ok(ExitCode::from(code_of_faults(faults)))
            }
        },
        ConfigCommand::Explain(args) => {
            let loaded = Loaded::read(file(args).as_deref(), &environment(), &Flags::default())?;
            for line in loaded.explain() {
                say(format_args!("{} = {}  # {}", line.path, line.value, line.origin))?;
            }
            Ok(ExitCode::from(exit::OK))
        }
        ConfigCommand::Schema => {
            io::stdout().write_all(config::schema().as_bytes())?;
            Ok(ExitCode::from(exit::OK))
        }
    }
}

/// Lets the running process do it; with none running, does it itself under the data folder's lock.
pub(super) fn tell(at: &DataArgs, request: Request) -> anyhow::Result<ExitCode> {
    match answered(at, request)? {
        Answer::Refused { code, message } => {
            say_error(format_args!("chatward: {code}: {message}"));
            Ok(ExitCode::from(exit::BUSY))
        }
        answer => {
            shown(answer)?;
            Ok(ExitCode::from(exit::OK))
        }
    }
}

/// What the running process answers; with none running, what came of doing it here.
pub(super) fn answered(at: &DataArgs, request: Request) -> anyhow::Result<Answer> {
    let flags = Flags { data: at.data.clone(), keys: at.keys.clone(), ..Flags::default() };
    let loaded = Loaded::read(at.config.as_deref(), &environment(), &flags)?;
    let (data, keys) = loaded.folders()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match control::ask(&data, &request).await {
            Err(ControlError::NobodyThere) => {
                serve::keeper::without_process(at.config.as_deref(), &data, &keys, request).await
            }
            answer => Ok(answer?),
        }
    })
}

fn shown(answer: Answer) -> io::Result<()> {
    match answer {
        Answer::Rotated { epoch, keys } => {
            say(format_args!("epoch {epoch}: {keys} customer keys wrapped anew"))?
        }
        Answer::Erased { rows, certificates } => {
            say(format_args!("erased: key destroyed, {rows} rows deleted"))?;
            for id in certificates {
                say(format_args!("certificate: {id} (`GET /me/v1/certificates/{id}`)"))?;
            }
        }
        Answer::Reloaded { hash, at_next_start } => {
            say(format_args!("configuration {hash} is in force"))?;
            for path in at_next_start {
                say(format_args!("only at the next start: {path}"))?;
            }
        }
        Answer::Status { version, uptime, config, rules, missing, degraded } => {
            let all =
                |words: Vec<String>| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
            let (missing, degraded) = (all(missing), all(degraded));
            say(format_args!(
                "chatward {version}, up {uptime} s, configuration {config}, rules {rules}, missing: {missing}, degraded: {degraded}"
            ))?;
        }
        Answer::Noted => say("it is written down")?,
        Answer::Refused { code, message } => say_error(format_args!("chatward: {code}: {message}")),
        answer => super::staff::shown(&answer)?,
    }
    Ok(())
}

/// Whoever holds something against every page asks for them here.
fn pages() -> anyhow::Result<ExitCode> {
    let [public, _] = crate::api::tables();
    let of_routes = public.iter().filter(|entry| entry.page && entry.method == http::Method::GET);
    for path in crate::pages::PATHS.into_iter().chain(of_routes.map(|entry| entry.path)) {
        say(path)?;
    }
    Ok(ExitCode::from(exit::OK))
}

fn new_caller(name: &str) -> anyhow::Result<ExitCode> {
    let fits = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        say_error("chatward: the name must be 1 to 63 of a-z 0-9 -");
        return Ok(ExitCode::from(exit::USAGE));
    }
    let (key, hash) = caller::new_key()?;
    let text = Zeroizing::new(format!("# The key, shown only now: {}\n", *key));
    io::stdout().write_all(text.as_bytes())?;
    say(format_args!(
        "# For chatward.toml:\n[[callers]]\nname = \"{name}\"\nkey_hash = \"{hash}\"\ntrusted = false"
    ))?;
    Ok(ExitCode::from(exit::OK))
}

fn verify_log(data: &Path, checkpoints: &[PathBuf], key: Option<&str>) -> anyhow::Result<ExitCode> {
    let key = match key.map(str::parse::<verify::Vkey>).transpose() {
        Ok(key) => key,
        Err(error) => {
            say_error(format_args!("chatward: --key: {error}"));
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    let held = checkpoints.iter().map(|file| {
        let name = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| name.clone())?;
        Ok(verify::Held { name, bytes })
    });
    let held: Vec<_> = held.collect::<anyhow::Result<_>>()?;
    let report = verify::verify(&data.join("log"), key.as_ref(), &held)?;
    for fault in &report.faults {
        say(fault)?;
    }
    if report.more > 0 {
        say(format_args!("and {} more", report.more))?;
    }
    let unproven = report.unproven.end.saturating_sub(report.unproven.start);
    say(format_args!(
        "{} entries, {} proven by a checkpoint, {unproven} not yet",
        report.entries, report.proven
    ))?;
    Ok(ExitCode::from(if report.is_clean() { exit::OK } else { exit::FOUND }))
}

/// The description of our own routes.
pub(super) fn openapi() -> anyhow::Result<String> {
    let [public, private] = api::tables();
    let document = api::openapi::document(&[&public, &private]);
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

fn generate_docs(dir: &Path) -> anyhow::Result<ExitCode> {
    let rules = config::access::shipped().context("the shipped policies do not fit this program")?;
    let documents = [
        ("errors.md", problem::document()),
        ("config.schema.json", config::schema()),
        ("access.md", access::document(&rules)),
        ("openapi.json", openapi()?),
    ];
    for (name, text) in documents {
        let file = dir.join(name);
        std::fs::write(&file, text).with_context(|| format!("{}", file.display()))?;
    }
    Ok(ExitCode::from(exit::OK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_exit_code() {
        let code = |error: anyhow::Error| code_of(&error.context("more"));
        assert_eq!(code(io::Error::from(io::ErrorKind::NotFound).into()), exit::IO);
        assert_eq!(code(ControlError::NobodyThere.into()), exit::BUSY);
        assert_eq!(code(anyhow::anyhow!("x")), exit::INTERNAL);
        let newer = StoreError::NewerSchema { path: "db".into(), found: 9, known: 1 };
        assert_eq!(code(newer.clone().into()), exit::IO);
        assert_eq!(code(VaultError::Keyring(newer.into()).into()), exit::IO);
        let in_use = StoreError::InUse { path: "lock".into(), holder: String::new() };
        assert_eq!(code(VaultError::Keyring(in_use.into()).into()), exit::BUSY);
        let open = SealError::TooOpen { path: "key".into(), mode: 0o644 };
        assert_eq!(code(VaultError::Seal(open).into()), exit::REFUSED);
        let flags = Flags { listen: Some("0.0.0.0:1".parse().unwrap()), ..Flags::default() };
        let unsafe_one = Loaded::from_text("", &[], &flags).unwrap().check(&|_| None).unwrap_err();
        assert_eq!(code(unsafe_one.into()), exit::REFUSED);
        let wrong = Loaded::from_text("x = 1", &[], &flags).unwrap_err();
        assert_eq!(code(wrong.into()), exit::FOUND);
        let missing = Loaded::read(Some("no/such/file".as_ref()), &[], &flags).unwrap_err();
        assert_eq!(code(missing.into()), exit::IO);
    }

    #[test]
    fn the_description_in_the_repository_is_that_of_the_routes() {
        let text = openapi().unwrap();
        assert_eq!(include_str!("../../../../docs/openapi.json"), text, "run `cargo xtask docs`");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let outcome =
            finish(Err(anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing")));
        assert_eq!(format!("{outcome:?}"), format!("{:?}", ExitCode::from(exit::OK)));
    }
}
