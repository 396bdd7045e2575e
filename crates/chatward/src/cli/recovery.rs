//! The recovery kit, the drill, and other seals: `chatward keys recovery-kit|recover|reseal`, `chatward doctor --recovery`.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chatward_vault::{
    Drilled, FileSeal, OperatorKey, Passphrase, RecoveryKit, Seal as _, SealError, VaultError, WrappedSeal,
    drill, fits,
};
use clap::Args;
use zeroize::Zeroizing;

use super::commands::{answered, environment, say, say_error};
use super::{DataArgs, exit};
use crate::config::{Flags, Loaded, SealKind, Told};
use crate::control::{Answer, KeysDeed, Request};
use crate::seals::{self, OPERATOR_KEY, WRAPPED_KEY};
use crate::serve::older::{self, Accepted};

/// Flags of `keys recovery-kit`.
#[derive(Debug, Clone, Args)]
pub struct KitArgs {
    /// Do not ask whether somebody looks
    #[arg(long)]
    pub yes: bool,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// Flags of `keys recover`.
#[derive(Debug, Clone, Args)]
pub struct RecoverArgs {
    /// Keys folder with the seal file
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
}

/// Flags of `keys reseal`.
#[derive(Debug, Clone, Args)]
pub struct ResealArgs {
    /// Which seal; its settings are those of `[seal]` in the configuration
    #[arg(long, value_name = "KIND", value_enum)]
    pub to: SealKind,
    /// File with the new passphrase [default: it is asked for at the terminal]
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// The drill: prove that the recovery kit, read from standard input, opens the keys; nothing is changed
    #[arg(long, required = true)]
    pub recovery: bool,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// What a kit cannot do, wherever it is shown.
const LIMITS: &str = "It brings back the operator's key, and nothing else. The customers' keys are in the keyring: if the keys folder and \
every mirror or copy of it are lost, all data is lost, whatever is on this paper.";

fn loaded(at: &DataArgs) -> anyhow::Result<Loaded> {
    let flags = Flags { data: at.data.clone(), keys: at.keys.clone(), ..Flags::default() };
    Ok(Loaded::read(at.config.as_deref(), &environment(), &flags)?)
}

/// Shows a kit on standard output.
pub(crate) fn print(kit: &RecoveryKit) -> io::Result<()> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let day = chrono::DateTime::from_timestamp_millis(now()).map(|time| time.date_naive());
    let day = day.map_or_else(String::new, |day| day.to_string());
    text.push_str("\n----------------------------- RECOVERY KIT -----------------------------\n");
    text.push_str(&format!("Chatward, operator's key {}, printed {day}\n\n", kit.check_value()));
    for (n, row) in kit.groups().chunks(5).enumerate() {
        text.push_str(&format!("  {:>2}:  {}\n", n * 5 + 1, row.join("  ")));
    }
    text.push_str("\nPrint it or write it down now, and keep it apart from the machine and its backups. Who has it and\n");
    text.push_str(
        "a copy of keys and data can read everything. `chatward keys recover` takes it; try it once with\n",
    );
    text.push_str("`chatward doctor --recovery`.\n");
    text.push_str(LIMITS);
    text.push_str("\n------------------------------------------------------------------------\n\n");
    io::stdout().write_all(text.as_bytes())?;
    io::stdout().flush()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// `chatward keys recovery-kit`
pub(super) fn kit(args: &KitArgs) -> anyhow::Result<ExitCode> {
    let loaded = loaded(&args.at)?;
    let (_, keys) = loaded.folders()?;
    if !args.yes {
        if !io::stdin().is_terminal() {
            say_error(
                "chatward: this shows the operator's key; say --yes if nobody looks over your shoulder",
            );
            return Ok(ExitCode::from(exit::REFUSED));
        }
        write!(io::stderr(), "This shows the operator's key. Does nobody look over your shoulder? (yes) ")?;
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        if line.trim() != "yes" {
            return Ok(ExitCode::from(exit::REFUSED));
        }
    }
    print(&seals::open(&loaded.sealing()?, &keys)?.operator_key()?.kit()?)?;
    Ok(ExitCode::from(exit::OK))
}

/// The groups on standard input. A row may begin with its number, as on the paper.
fn typed() -> anyhow::Result<Result<OperatorKey, ExitCode>> {
    if io::stdin().is_terminal() {
        say_error("Type the 13 groups of the recovery kit, then Ctrl-D:");
    }
    let mut text = Zeroizing::new(String::with_capacity(4096));
    io::stdin().take(4000).read_to_string(&mut text)?;
    let rows = text.lines().map(|line| line.split_once(':').map_or(line, |(_, groups)| groups));
    let groups = Zeroizing::new(rows.collect::<Vec<_>>().join(" "));
    Ok(OperatorKey::from_groups(&groups).map_err(|error| {
        say_error(format_args!("chatward: {error}"));
        ExitCode::from(exit::FOUND)
    }))
}

/// `chatward keys recover`
pub(super) fn recover(args: &RecoverArgs) -> anyhow::Result<ExitCode> {
    let path = args.keys.join(OPERATOR_KEY);
    if path.exists() {
        say_error(format_args!("chatward: {} is there already, and is never written over", path.display()));
        return Ok(ExitCode::from(exit::REFUSED));
    }
    let key = match typed()? {
        Ok(key) => key,
        Err(code) => return Ok(code),
    };
    match fits(&args.keys, &key) {
        Err(error @ SealError::WrongKey { .. }) => {
            say_error(format_args!(
                "chatward: {error}: the kit is of another house, or older than the last change of the key"
            ));
            return Ok(ExitCode::from(exit::FOUND));
        }
        fitting => fitting?,
    }
    FileSeal::create_with(&path, &key)?;
    say(format_args!("{} is back: it opens the seal file beside it", path.display()))?;
    Ok(ExitCode::from(exit::OK))
}

/// `chatward doctor --recovery`
pub(super) fn doctor(at: &DataArgs) -> anyhow::Result<ExitCode> {
    let loaded = loaded(at)?;
    let (_, keys) = loaded.folders()?;
    let mirror = loaded.mirror();
    let key = match typed()? {
        Ok(key) => key,
        Err(code) => return Ok(code),
    };
    let drilled = match drill(&keys, &key, mirror.as_deref()) {
        Err(VaultError::Seal(error @ SealError::WrongKey { .. })) => {
            say_error(format_args!("chatward: {error}: this kit does not recover this house"));
            return Ok(ExitCode::from(exit::FOUND));
        }
        Err(error @ (VaultError::OtherEpoch { .. } | VaultError::BadPair { .. })) => {
            say_error(format_args!("chatward: {error}"));
            return Ok(ExitCode::from(exit::FOUND));
        }
        drilled => drilled?,
    };
    told(&drilled, &keys, mirror.as_ref())?;
    match answered(at, Request::KeysNote { what: KeysDeed::RecoveryDrilled })? {
        Answer::Noted => Ok(ExitCode::from(exit::OK)),
        other => {
            say_error(format_args!("chatward: the drill is not in the log: {other:?}"));
            Ok(ExitCode::from(exit::BUSY))
        }
    }
}

fn told(drilled: &Drilled, keys: &Path, mirror: Option<&PathBuf>) -> io::Result<()> {
    say(format_args!("The kit opens the seal file in {}.", keys.display()))?;
    match drilled.keys {
        Some(count) => say(format_args!("It opens the keyring: one of its {count} keys was tried."))?,
        None => say("The keyring is on a server: it was not looked at.")?,
    }
    match (drilled.mirrored, mirror) {
        (Some(count), Some(mirror)) => say(format_args!(
            "The mirror {} holds the same seal file and {count} keys, and opens.",
            mirror.display()
        ))?,
        _ => say(
            "There is no mirror of keyring and seal file (`keys.mirror`): a lost disk takes the keys along.",
        )?,
    }
    say(format_args!("What it cannot do: {LIMITS}"))
}

/// `chatward keys accept-older`
pub(super) fn accept_older(at: &DataArgs) -> anyhow::Result<ExitCode> {
    let (data, keys) = loaded(at)?.folders()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(older::accept(at.config.as_deref(), &data, &keys))? {
        Accepted::Needless => {
            say("These keys are not older than the data knows: there is nothing to accept.")?
        }
        Accepted::Renewed { epoch, keys } => say(format_args!(
            "epoch {epoch}: {keys} customer keys wrapped anew; these keys are the newest now.\n\
             Keys of customers who were erased since this copy was made are in it again. Their rows are not in the data: destroy \
             older backups of the data, in which they are."
        ))?,
    }
    Ok(ExitCode::from(exit::OK))
}

/// `chatward keys reseal`
pub(super) fn reseal(args: &ResealArgs) -> anyhow::Result<ExitCode> {
    let loaded = loaded(&args.at)?;
    let (_, keys) = loaded.folders()?;
    let sealing = loaded.sealing()?;
    let (plain, wrapped) = (keys.join(OPERATOR_KEY), keys.join(WRAPPED_KEY));
    // The key file counts where it is: after `keys recover`, and for whoever has changed the configuration already.
    let key = if plain.exists() && (args.to != SealKind::File || sealing.kind == SealKind::File) {
        FileSeal::open(&plain)?.operator_key()?
    } else {
        seals::open(&sealing, &keys)?.operator_key()?
    };
    fits(&keys, &key)?;
    match args.to {
        SealKind::File if plain.exists() => {
            say("The operator's key is in its file already.")?;
            return Ok(ExitCode::from(exit::OK));
        }
        SealKind::File => drop(FileSeal::create_with(&plain, &key)?),
        kind => {
            let new = args.new_passphrase_file.clone().map(Told::File);
            let wrapper = match (kind, new, wrapped.exists() && sealing.kind == kind) {
                (SealKind::Passphrase, Some(new), _) => passphrase(Some(&new))?,
                // A new one for an old one: it is asked for.
                (SealKind::Passphrase, None, true) => passphrase(None)?,
                _ => seals::wrapper(&sealing, kind)?,
            };
            let seal = WrappedSeal::new(&wrapped, wrapper);
            seal.store(&key)?;
            // Before the other form goes: it comes back out as it went in.
            let back = seal.operator_key()?;
            fits(&keys, &back)?;
        }
    }
    let noted = answered(&args.at, Request::KeysNote { what: KeysDeed::Resealed });
    let old = if args.to == SealKind::File { &wrapped } else { &plain };
    if old.exists() {
        std::fs::remove_file(old)?;
    }
    let kind = args.to.name();
    say(format_args!(
        "The operator's key is under the seal `{kind}` now. Before the next start, set `seal.kind = \"{kind}\"`."
    ))?;
    match noted {
        Ok(Answer::Noted) => {}
        _ => say_error(
            "chatward: note: the change could not be written into the audit log; the next start is in it",
        ),
    }
    Ok(ExitCode::from(exit::OK))
}

fn passphrase(from: Option<&Told>) -> anyhow::Result<Box<dyn chatward_vault::Wrapper>> {
    let text = seals::told(from, "New passphrase of the operator's key: ")?;
    if from.is_none() && *seals::told(None, "The same again: ")? != *text {
        anyhow::bail!("these are two different passphrases: nothing was changed");
    }
    Ok(Box::new(Passphrase::new(&text)?))
}
