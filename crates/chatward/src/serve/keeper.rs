//! What the operator can have done to the running process: over the control socket, or by the command line itself when no
//! process runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chatward_message::{Action, CustomerId, Event, Facts, KeySlot, TurnId};
use chatward_vault::VaultError;

use super::start;
use crate::caller::GivenId;
use crate::cli::{self, Ready};
use crate::config::Flags;
use crate::control::{Answer, Handler, Request};
use crate::problem::Code;
use crate::seeing::{Logs, Need};
use crate::turn::{Gate, TurnError};

/// Does the operator's commands on a gate.
pub(crate) struct Keeper {
    gate: Arc<Gate>,
    file: Option<PathBuf>,
    flags: Flags,
    logs: Option<Logs>,
}

impl Keeper {
    pub(super) fn new(gate: Arc<Gate>, file: Option<PathBuf>, flags: Flags, logs: Option<Logs>) -> Self {
        Self { gate, file, flags, logs }
    }

    /// Reads the configuration again. A bad one changes nothing.
    pub(super) async fn reload(&self) -> anyhow::Result<(String, Vec<String>)> {
        let made = cli::load(self.file.as_deref(), &self.flags)
            .and_then(|Ready { config, detector, unusable }| Ok((start::force(config, detector)?, unusable)));
        let (force, unusable) = match made {
            Ok(made) => made,
            Err(error) => {
                self.gate.health.set(Need::Config, false);
                return Err(error);
            }
        };
        let old = self.gate.force.load_full();
        let later = old.config.differing(&force.config).into_iter().map(str::to_owned).collect();
        let facts = Facts {
            rules: Some(Arc::clone(force.detector.hash())),
            config: Some(Arc::clone(force.config.hash())),
            ..Facts::default()
        };
        self.gate.store.append(vec![self.event(Action::ConfigChanged, facts)]).await?;
        if let Some(logs) = &self.logs {
            logs.set_level(force.config.log.level);
        }
        let kinds: Vec<_> = force.detector.rules().iter().map(|rule| rule.kind.clone()).collect();
        self.gate.metrics.know(kinds.iter());
        self.gate.metrics.set_rules(force.detector.hash());
        let hash = force.config.hash().to_string();
        self.gate.force.store(Arc::new(force));
        self.gate.health.set(Need::Config, true);
        start::tell_of_model(&self.gate, unusable.as_ref());
        Ok((hash, later))
    }

    async fn rotate(&self) -> Result<Answer, TurnError> {
        let rotation = self.gate.vault.rotate().await?;
        let rows = u32::try_from(rotation.rewrapped).unwrap_or(u32::MAX);
        self.gate
            .store
            .append(vec![self.event(Action::KeysRotated, Facts { rows, ..Facts::default() })])
            .await?;
        Ok(Answer::Rotated { epoch: rotation.to, keys: rotation.rewrapped })
    }

    /// Destroys the keys, then deletes the rows: if the process dies in between, what is left cannot be opened, and
    /// the same command finishes the work.
    async fn erase(&self, id: &str) -> Result<Answer, TurnError> {
        let gate = &self.gate;
        let mut rows = 0;
        let found = self.customers(id).await?;
        if found.is_empty() {
            return Err(TurnError::Told(Code::CustomerNotFound));
        }
        for (customer, slot) in found {
            let (subject, key) = match gate.vault.customer_key(slot).await {
                Ok(key) => (Some(gate.vault.subject(&key)?), Some(gate.vault.fingerprint(&key)?)),
                // Erased halfway before: the key is gone already.
                Err(VaultError::NoKey { .. }) => (None, None),
                Err(error) => return Err(error.into()),
            };
            gate.conversations.forget(customer).await;
            let slots = gate.store.slots_of(&gate.tenant, customer).await?;
            gate.vault.forget(&slots).await?;
            let event =
                Event { subject, ..self.event(Action::CustomerErased, Facts { key, ..Facts::default() }) };
            let deleted = gate.store.delete_customer(&gate.tenant, customer, event).await?;
            // What came to be the customer's in between.
            let late: Vec<KeySlot> =
                deleted.slots.iter().filter(|slot| !slots.contains(slot)).copied().collect();
            if !late.is_empty() {
                gate.vault.forget(&late).await?;
            }
            // A turn that was under way may have come back in between: its key no longer seals anything.
            gate.conversations.forget(customer).await;
            rows += deleted.rows.iter().map(|(_, n)| n).sum::<u64>();
        }
        Ok(Answer::Erased { rows })
    }

    /// The customers meant by `cust_…`, by one of their turns (`turn_…`), or by an id that own callers gave.
    async fn customers(&self, id: &str) -> Result<Vec<(CustomerId, KeySlot)>, TurnError> {
        let gate = &self.gate;
        let mut candidates = Vec::new();
        if let Ok(customer) = id.parse::<CustomerId>() {
            candidates.push(customer);
        } else if let Ok(turn) = id.parse::<TurnId>() {
            let row = gate.store.turn(&gate.tenant, turn).await?;
            candidates.extend(row.map(|row| row.customer));
        } else {
            let given = GivenId::named(id).map_err(TurnError::Told)?;
            let force = gate.force.load_full();
            for caller in force.callers.iter() {
                for given in &given {
                    candidates.extend(caller.customer(given, gate.keyed()).ok());
                }
            }
        }
        let mut found = Vec::new();
        for customer in candidates {
            if let Some(slot) = gate.store.customer(&gate.tenant, customer).await? {
                found.push((customer, slot));
            }
        }
        Ok(found)
    }

    fn event(&self, action: Action, facts: Facts) -> Event {
        Event {
            at: self.gate.clock.now(),
            tenant: self.gate.tenant.clone(),
            action,
            turn: None,
            subject: None,
            facts,
        }
    }
}

impl Handler for Keeper {
    async fn handle(&self, request: Request) -> Answer {
        let done = match request {
            Request::KeysRotate => self.rotate().await,
            Request::CustomerErase { id } => self.erase(&id).await,
            Request::ConfigReload => {
                return match self.reload().await {
                    Ok((hash, at_next_start)) => Answer::Reloaded { hash, at_next_start },
                    Err(error) => Answer::refused(Code::ConfigRefused, format!("{error:#}")),
                };
            }
            Request::Status => {
                let force = self.gate.force.load();
                return Answer::Status {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    uptime: self.gate.started.elapsed().as_secs(),
                    config: force.config.hash().to_string(),
                    rules: force.detector.hash().to_string(),
                    missing: self.gate.health.missing().into_iter().map(str::to_owned).collect(),
                    degraded: self.gate.health.degraded(),
                };
            }
        };
        done.unwrap_or_else(|error| Answer::refused(error.code(), error.to_string()))
    }
}

/// Does a command on a data folder on which no process runs, under its lock.
pub(crate) async fn without_process(
    file: Option<&Path>,
    data: &Path,
    keys: &Path,
    request: Request,
) -> anyhow::Result<Answer> {
    let flags = Flags { data: Some(data.to_owned()), keys: Some(keys.to_owned()), ..Flags::default() };
    let (config, detector) = cli::load_without_model(file, &flags)?;
    let kept = if config.databases.is_some() { data.is_dir() } else { data.join("chatward.db").exists() };
    if !kept {
        return Err(crate::control::ControlError::NobodyThere)
            .with_context(|| format!("{} holds no data", data.display()));
    }
    let rooms = start::open_rooms(&config, &mut Vec::new()).await?;
    let gate = Arc::new(rooms.gate(start::force(config, detector)?));
    let keeper = Keeper::new(Arc::clone(&gate), file.map(Path::to_owned), flags, None);
    let answer = keeper.handle(request).await;
    gate.vault.close().await?;
    gate.store.clone().close().await;
    Ok(answer)
}
