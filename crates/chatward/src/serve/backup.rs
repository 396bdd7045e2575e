//! Backups while serving, and what the first start after a restore has to do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chatward_message::{Action, Event, Facts};
use chatward_store::{BackupKind, BackupProgress, StoreError, fit_place};

use crate::control::{Answer, Standing};
use crate::problem::Code;
use crate::turn::{Gate, TurnError};

/// What the house keeps in the data folder beside database and log: its own list of indicators, what was learnt from flags, and models
/// that were trained on it.
pub(crate) const BESIDE: &[&str] = &[
    "intel/own.jsonl",
    "feedback/cases.jsonl",
    "feedback/flags.jsonl",
    "models/threats.bin",
    "models/threats.json",
];

/// Customers looked at, and dropped, at once.
const AT_ONCE: usize = 64;

/// The backup that is being made, or was made last. One at a time.
#[derive(Default)]
pub(crate) struct Backups(Mutex<Option<Running>>);

struct Running {
    to: PathBuf,
    keyring: bool,
    progress: Arc<BackupProgress>,
    outcome: Option<Result<u64, (Code, String)>>,
}

impl Backups {
    fn lock(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; if the same is under way already, that one goes on.
    pub(crate) fn start(self: &Arc<Self>, gate: &Arc<Gate>, to: &Path, keyring: bool) -> Answer {
        let mut now = self.lock();
        if let Some(running) = &*now
            && running.outcome.is_none()
        {
            if running.to == to && running.keyring == keyring {
                return running.answer();
            }
            let message = format!("a backup to {} is under way", running.to.display());
            return Answer::refused(Code::Busy, message);
        }
        if gate.store.is_shared() {
            return Answer::refused(Code::NotNow, StoreError::BackupOnServer.to_string());
        }
        let force = gate.force.load();
        let server = &force.config.server;
        let mirror = force.config.keys.mirror.as_deref();
        let in_use: Vec<&Path> = [&*server.data, &*server.keys].into_iter().chain(mirror).collect();
        let kind = if keyring { BackupKind::Keyring } else { BackupKind::Data(BESIDE) };
        if let Err(error) = fit_place(to, kind, &in_use) {
            return Answer::refused(Code::NotNow, error.to_string());
        }
        let progress = Arc::new(BackupProgress::default());
        let running = Running { to: to.to_owned(), keyring, progress: Arc::clone(&progress), outcome: None };
        let answer = running.answer();
        *now = Some(running);
        let (backups, gate, to) = (Arc::clone(self), Arc::clone(gate), to.to_owned());
        tokio::spawn(async move {
            let made = make(&gate, &to, keyring, progress).await;
            if let Err(error) = &made {
                tracing::error!(cause = %error, "the backup was not finished");
            }
            if let Some(running) = &mut *backups.lock() {
                running.outcome = Some(made.map_err(|error| (error.code(), error.to_string())));
            }
        });
        answer
    }

    /// How far it is.
    pub(crate) fn look(&self) -> Answer {
        let none = || Answer::refused(Code::NotNow, "no backup is being made");
        self.lock().as_ref().map_or_else(none, Running::answer)
    }
}

impl Running {
    fn answer(&self) -> Answer {
        let (done, all, found) = self.progress.bytes();
        let (standing, count) = match &self.outcome {
            None => (Standing::Working, 0),
            Some(Ok(count)) => (Standing::Done, *count),
            Some(Err((code, message))) => return Answer::refused(*code, message.clone()),
        };
        Answer::Backup { to: self.to.clone(), standing, bytes: (done, all), found, count }
    }
}

/// Makes it. Both its beginning and its end are in the log.
async fn make(
    gate: &Gate,
    to: &Path,
    keyring: bool,
    progress: Arc<BackupProgress>,
) -> Result<u64, TurnError> {
    gate.store.append(vec![event(gate, Action::BackupBegun, 0)]).await?;
    let (action, rows, count) = if keyring {
        let keys = gate.vault.backup_keyring(to).await?;
        (Action::KeyringBackedUp, keys, keys)
    } else {
        let made = gate.store.backup(to, gate.clock.now(), BESIDE, progress).await?;
        (Action::DataBackedUp, made.chunks, made.files)
    };
    gate.store.append(vec![event(gate, action, rows)]).await?;
    Ok(count)
}

pub(crate) fn event(gate: &Gate, action: Action, rows: u64) -> Event {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    Event {
        at: gate.clock.now(),
        tenant: gate.tenant.clone(),
        action,
        turn: None,
        subject: None,
        facts: Facts { rows, ..Facts::default() },
    }
}

/// After a restore: an older copy of the data may hold customers who were erased since. Their keys are gone, so that nobody can
/// read what is there; now the rows go, too. Gives how many customers that were; nothing if this is no first start on restored
/// data. May be done again if it was interrupted.
pub(super) async fn settle_restored(gate: &Gate, data: &Path) -> anyhow::Result<Option<u64>> {
    if chatward_store::restored(data)?.is_none() {
        return Ok(None);
    }
    let (mut after, mut dropped) = (None, 0);
    loop {
        let page = gate.store.customers(&gate.tenant, after, AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let mut keyless = Vec::new();
        for customer in page {
            if !gate.vault.holds(customer.slot).await? {
                keyless.push(customer.id);
            }
        }
        // Together: they share commits and one emptying of the write-ahead log.
        let deletions = keyless
            .iter()
            .map(|id| gate.store.delete_customer(&gate.tenant, *id, event(gate, Action::CustomerErased, 0)));
        for deleted in futures_util::future::join_all(deletions).await {
            match deleted {
                Ok(_) => dropped += 1,
                // One whose conversation another of them had claimed went with that one.
                Err(StoreError::NoCustomer) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    gate.store.append(vec![event(gate, Action::DataRestored, dropped)]).await?;
    chatward_store::forget_restored(data)?;
    Ok(Some(dropped))
}
