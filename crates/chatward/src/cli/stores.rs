//! `chatward store …`: where the data is kept, and how it gets from one place to another.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use chatward_store::{Keyring, Postgres, Progress, Store, StoreError};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::commands::environment;
use super::{CopyArgs, DataArgs, StoreCommand, exit};
use crate::config::{Database, Flags, Loaded};
use crate::serve::server_of;

/// Does one command.
pub(super) fn run(command: StoreCommand) -> anyhow::Result<ExitCode> {
    match command {
        StoreCommand::Copy(args) => copy(&args),
        StoreCommand::Migrate { to, at } => migrate(to, &at),
    }
}

fn copy(args: &CopyArgs) -> anyhow::Result<ExitCode> {
    let loaded = Loaded::read(args.config.as_deref(), &environment(), &Flags::default())?;
    let known = loaded.databases()?;
    let keys = match (&args.keys, &args.to) {
        (Some(keys), _) => Some(keys.clone()),
        (None, None) => Some(loaded.folders()?.1),
        (None, Some(_)) => None,
    };
    let target = |url: &Option<String>, owner: &Option<String>, known: Option<&Database>, name: &str| match (
        url, known,
    ) {
        (Some(url), _) => named(url, owner.as_deref()),
        (None, Some(known)) => server_of(known),
        (None, None) => anyhow::bail!("no database is named: give {name}, or name it in the configuration"),
    };
    let store = target(&args.to, &args.owner, known.as_ref().map(|known| &known.store), "--to")?;
    let bar = bar(args.quiet);
    let mut show = |progress: Progress| {
        bar.set_length(progress.all);
        bar.set_position(progress.done);
    };
    let copied = Store::copy(&args.from, &store, &mut show)?;
    bar.finish_and_clear();
    let root: String = copied.root.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(
        io::stdout(),
        "copied {} rows to {}: {} events under the same root hash {root}",
        copied.rows,
        store.server(),
        copied.events
    )?;
    if let Some(keys) = keys {
        let known = known.as_ref().map(|known| &known.keyring);
        let keyring = target(&args.keyring_to, &args.keyring_owner, known, "--keyring-to")?;
        if keyring.server() == store.server() {
            anyhow::bail!("the keyring needs a database of its own: one backup would hold data and keys");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let count = runtime.block_on(Keyring::copy(&keys, &keyring))?;
        writeln!(
            io::stdout(),
            "copied {count} keys to {}. The seal and the operator key stay in {}.",
            keyring.server(),
            keys.display()
        )?;
    }
    Ok(ExitCode::from(exit::OK))
}

/// A database named on the command line, where everybody can read it.
fn named(url: &str, owner: Option<&str>) -> anyhow::Result<Postgres> {
    for url in [Some(url), owner].into_iter().flatten() {
        let user =
            url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
        if user.contains(':') || url.contains("password=") {
            let detail = "a password on the command line can be read by others: name the database in the configuration";
            return Err(StoreError::BadAddress { detail: detail.into() }.into());
        }
    }
    let mut server = Postgres::new(url)?;
    if let Some(owner) = owner {
        server = server.with_owner(owner)?;
    }
    Ok(server.with_tls(std::sync::Arc::new(crate::tls::ToDatabase::new(None)?)))
}

fn bar(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} rows, {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn migrate(to: Option<usize>, at: &DataArgs) -> anyhow::Result<ExitCode> {
    let flags = Flags { data: at.data.clone(), keys: at.keys.clone(), ..Flags::default() };
    let loaded = Loaded::read(at.config.as_deref(), &environment(), &flags)?;
    let (data, _) = loaded.folders()?;
    let server = loaded.databases()?.map(|databases| server_of(&databases.store)).transpose()?;
    let whose = match &server {
        Some(server) => server.server().to_owned(),
        None => shown(&data),
    };
    Store::migrate(&data, server, to)?;
    match to {
        Some(to) => writeln!(io::stdout(), "{whose} is at version {to}")?,
        None => writeln!(io::stdout(), "{whose} is at the newest version")?,
    }
    Ok(ExitCode::from(exit::OK))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
