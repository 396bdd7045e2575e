//! `chatward backup` and `chatward restore`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chatward_store::{BackedUp, BackupKind, BackupProgress, fit_place, restore};
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::commands::{environment, say, say_error};
use super::{DataArgs, exit};
use crate::config::{Flags, Loaded};
use crate::control::{Answer, Request, Standing};
use crate::serve::backup::BESIDE;
use crate::serve::keeper::{Asking, asking};

/// Flags of `backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Folder for the backup, new or empty: one for the data, another one for the keyring
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Copy the keyring and its seal file, not the data
    #[arg(long)]
    pub keyring: bool,
    /// No progress bar
    #[arg(long, short)]
    pub quiet: bool,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// Flags of `restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup, or the mirror of the keys
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// New data folder
    #[arg(long, value_name = "DIR", required_unless_present = "keyring", conflicts_with = "keyring")]
    pub data: Option<PathBuf>,
    /// Restore a keyring and its seal file
    #[arg(long, requires = "keys")]
    pub keyring: bool,
    /// New keys folder
    #[arg(long, value_name = "DIR", requires = "keyring")]
    pub keys: Option<PathBuf>,
    /// No progress bar
    #[arg(long, short)]
    pub quiet: bool,
}

/// How often the one who works is asked how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// `chatward backup`
pub(super) fn backup(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let at = &args.at;
    let flags = Flags { data: at.data.clone(), keys: at.keys.clone(), ..Flags::default() };
    let loaded = Loaded::read(at.config.as_deref(), &environment(), &flags)?;
    if loaded.databases()?.is_some() {
        return Err(chatward_store::StoreError::BackupOnServer.into());
    }
    let (data, keys) = loaded.folders()?;
    let to = std::path::absolute(&args.to)?;
    let kind = if args.keyring { BackupKind::Keyring } else { BackupKind::Data(BESIDE) };
    // Here too, so that the exit code tells what is unsafe from what did not work.
    fit_place(&to, kind, &[&data, &keys])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asking = asking(at.config.as_deref(), &data, &keys).await?;
        let done = follow(&asking, &to, args.keyring, args.quiet).await;
        asking.close().await?;
        match done? {
            Answer::Backup { bytes: (_, all), found, count, .. } if !args.keyring => {
                let found = if found > 0 { format!(", {} of it were there", HumanBytes(found)) } else { String::new() };
                say(format_args!("backed up {} of data in {count} files to {}{found}", HumanBytes(all), to.display()))?;
                say("The keys are not in it: `chatward backup --keyring` copies them to another place.")?;
                Ok(ExitCode::from(exit::OK))
            }
            Answer::Backup { count, .. } => {
                say(format_args!("backed up {count} keys and their seal file to {}", to.display()))?;
                say("The operator's key is not in it. After an erasure or a renewal of keys this copy is of no use with the new \
                     seal file: make a new one and destroy this one.")?;
                Ok(ExitCode::from(exit::OK))
            }
            Answer::Refused { code, message } => {
                say_error(format_args!("chatward: {code}: {message}"));
                Ok(ExitCode::from(exit::BUSY))
            }
            other => anyhow::bail!("an answer that does not fit: {other:?}"),
        }
    })
}

/// Begins it and shows how far it is, until it is done or refused.
async fn follow(asking: &Asking, to: &Path, keyring: bool, quiet: bool) -> anyhow::Result<Answer> {
    let bar = bar(quiet);
    let mut answer = asking.ask(Request::BackupStart { to: to.to_owned(), keyring }).await?;
    while let Answer::Backup { standing: Standing::Working, bytes: (done, all), .. } = answer {
        bar.set_length(all);
        bar.set_position(done);
        tokio::time::sleep(LOOK).await;
        answer = asking.ask(Request::BackupLook).await?;
    }
    bar.finish_and_clear();
    Ok(answer)
}

/// `chatward restore`
pub(super) fn restored(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    if let (true, Some(keys)) = (args.keyring, &args.keys) {
        let count = chatward_vault::restore_keyring(&args.from, keys)?;
        say(format_args!("restored {count} keys and their seal file to {}", keys.display()))?;
        say("Put operator.key beside them (or `chatward keys recover`), and start with --keys.")?;
        return Ok(ExitCode::from(exit::OK));
    }
    let Some(data) = &args.data else {
        say_error("chatward: restore needs --data DIR, or --keyring and --keys DIR");
        return Ok(ExitCode::from(exit::USAGE));
    };
    let started = Instant::now();
    let BackedUp { bytes, events, .. } =
        with_bar(args.quiet, |progress| restore(&args.from, data, progress))?;
    say(format_args!(
        "restored {} to {} in {:.1} s: every piece is what was backed up, and the log of {events} events is sound",
        HumanBytes(bytes),
        data.display(),
        started.elapsed().as_secs_f64()
    ))?;
    say("Start with --data, and with --keys of the newest keyring.")?;
    Ok(ExitCode::from(exit::OK))
}

/// Does work that blocks, and shows how far it is.
fn with_bar<T: Send>(
    quiet: bool,
    work: impl FnOnce(&BackupProgress) -> Result<T, chatward_store::StoreError> + Send,
) -> anyhow::Result<T> {
    let (bar, progress) = (bar(quiet), Arc::new(BackupProgress::default()));
    let done = std::thread::scope(|scope| {
        let working = scope.spawn(|| work(&progress));
        while !working.is_finished() {
            let (done, all, _) = progress.bytes();
            bar.set_length(all);
            bar.set_position(done);
            std::thread::sleep(LOOK.min(Duration::from_millis(50)));
        }
        working.join()
    });
    bar.finish_and_clear();
    Ok(done.map_err(|_| anyhow::anyhow!("the restore panicked"))??)
}

fn bar(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let shape = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(shape) {
        bar.set_style(style);
    }
    bar
}
