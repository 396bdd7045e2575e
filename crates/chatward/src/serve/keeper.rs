//! What the operator can have done to the running process: over the control socket, or by the command line itself when no
//! process runs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use chatward_message::{AccountId, Action, CustomerId, Event, Facts, KeySlot, ServiceId, TurnId};

use super::backup::Backups;
use super::start;
use crate::caller::GivenId;
use crate::cli::{self, Ready};
use crate::config::{Config, Flags};
use crate::control::{self, Answer, ControlError, Deed, Handler, KeysDeed, Person, Program, Request};
use crate::directory::{Directory, Failed};
use crate::identity::secret::{SecretText, Token};
use crate::identity::{Account, Role};
use crate::numbers::{NumbersError, statistics};
use crate::problem::Code;
use crate::records;
use crate::seeing::{Logs, Need};
use crate::turn::{Gate, TurnError};

/// Does the operator's commands on a gate.
pub(crate) struct Keeper {
    gate: Arc<Gate>,
    directory: Directory,
    file: Option<PathBuf>,
    flags: Flags,
    logs: Option<Logs>,
    private: OnceLock<SocketAddr>,
    backups: Arc<Backups>,
}

impl Keeper {
    pub(super) fn new(
        directory: Directory,
        gate: Arc<Gate>,
        file: Option<PathBuf>,
        flags: Flags,
        logs: Option<Logs>,
    ) -> Self {
        Self { gate, directory, file, flags, logs, private: OnceLock::new(), backups: Arc::default() }
    }

    /// Where the private listener is.
    pub(super) fn listening(&self, private: SocketAddr) {
        let _ = self.private.set(private);
    }

    /// Reads the configuration again. A bad one changes nothing.
    pub(super) async fn reload(&self) -> anyhow::Result<(String, Vec<String>)> {
        let made = cli::load(self.file.as_deref(), &self.flags).and_then(
            |Ready { config, detector, second, unusable }| {
                Ok((start::force(config, detector, second)?, unusable))
            },
        );
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
        let (hash, rules) = (force.config.hash().to_string(), Arc::clone(force.detector.hash()));
        // First: no turn meets a bot of which the published notice does not speak yet.
        self.gate.publish_notice(&force).await?;
        let (intel, of) = (Arc::clone(&self.gate.intel), force.config.intel.clone());
        tokio::task::spawn_blocking(move || intel.configure(&of)).await?;
        self.gate.force.store(Arc::new(force));
        // Whoever reads there which rules are in force is right.
        self.gate.metrics.set_rules(&rules);
        self.gate.health.set(Need::Config, true);
        start::tell_of_models(&self.gate, &unusable);
        Ok((hash, later))
    }

    async fn rotate(&self) -> Result<Answer, TurnError> {
        let rotation = self.gate.renew_keys(0).await?;
        let rows = u32::try_from(rotation.rewrapped).unwrap_or(u32::MAX);
        self.gate
            .store
            .append(vec![
                self.event(Action::KeysRotated, Facts { rows, epoch: rotation.to, ..Facts::default() }),
            ])
            .await?;
        Ok(Answer::Rotated { epoch: rotation.to, keys: rotation.rewrapped })
    }

    async fn erase(&self, id: &str) -> Result<Answer, TurnError> {
        let gate = &self.gate;
        let (mut rows, mut certificates) = (0, Vec::new());
        let found = self.customers(id).await?;
        if found.is_empty() {
            return Err(TurnError::Told(Code::CustomerNotFound));
        }
        for (customer, slot) in found {
            let done = gate.erase_with_proof(customer, slot).await.map_err(|e| TurnError::Told(e.code()))?;
            rows += done.rows;
            certificates.push(done.id);
        }
        Ok(Answer::Erased { rows, certificates })
    }

    /// Everybody in a file. An id that nobody has stops it before anything is erased.
    async fn erase_all(&self, file: &Path) -> Result<Answer, TurnError> {
        let text = tokio::fs::read_to_string(file).await;
        let Ok(text) = text else {
            return Ok(Answer::refused(Code::BadRequest, format!("{} cannot be read", file.display())));
        };
        let mut all = Vec::new();
        for id in text.lines().map(str::trim).filter(|id| !id.is_empty()) {
            let found = self.customers(id).await?;
            if found.is_empty() {
                let message = format!("line {}: there is no such customer; nobody was erased", all.len() + 1);
                return Ok(Answer::refused(Code::CustomerNotFound, message));
            }
            all.extend(found);
        }
        all.sort_unstable();
        all.dedup();
        let done = self.gate.erase_many(&all).await.map_err(|error| TurnError::Told(error.code()))?;
        let rows = done.iter().map(|one| one.rows).sum();
        Ok(Answer::Erased { rows, certificates: done.into_iter().map(|one| one.id).collect() })
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
            if let Some(slot) = self.directory.slot_of(customer).await.map_err(turn_error)? {
                found.push((customer, slot));
            }
        }
        Ok(found)
    }

    async fn note(&self, what: KeysDeed) -> Result<Answer, TurnError> {
        let action = match what {
            KeysDeed::RecoveryDrilled => Action::RecoveryDrilled,
            KeysDeed::Resealed => Action::OperatorKeyResealed,
        };
        self.gate.store.append(vec![self.event(action, Facts::default())]).await?;
        Ok(Answer::Noted)
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

/// The operator's own way to accounts: for the first one of a house, and for a house whose last administrator lost
/// everything. Each act is an event, as it is when an administrator does it.
impl Keeper {
    async fn accounts(&self, request: Request) -> Result<Answer, Failed> {
        let (by, now) = (self.directory.operator()?, self.directory.now());
        match request {
            Request::StaffInvite { name, roles } => {
                let roles: BTreeSet<Role> = roles.into_iter().collect();
                if crate::api::fit_name(name.expose()).is_err() || !fit(&roles) {
                    let message = "a name has 1 to 100 characters, and an administrator no other role";
                    return Ok(Answer::refused(Code::BadRequest, message));
                }
                let (account, token) = self.directory.invite(&by, name.expose(), roles).await?;
                Ok(self.invited(&account, &token))
            }
            Request::StaffList { after } => {
                let after = after.map(|id| id.parse()).transpose().map_err(|_| Failed::Unknown)?;
                let held = self.directory.staff(after, LISTED).await?;
                let next = if held.len() < LISTED {
                    None
                } else {
                    held.last().map(|held| held.account.id().to_string())
                };
                let people = held.iter().map(|held| Person::of(&held.account)).collect();
                Ok(Answer::Staff { people, next })
            }
            Request::Staff { id, deed } => {
                let id: AccountId = id.parse().map_err(|_| Failed::Unknown)?;
                let known = self.directory.account(id).await?;
                known.filter(|held| held.account.is_staff()).ok_or(Failed::Unknown)?;
                if deed == Deed::InviteAgain {
                    let work = |account: Account, _, with: &mut crate::identity::With<'_>| {
                        account.invite_again(&by, with)
                    };
                    let (account, token) = self.directory.change(id, work).await?;
                    return Ok(self.invited(&account, &token));
                }
                let work = |account: Account, others, _: &mut crate::identity::With<'_>| match deed {
                    Deed::Lock => account.lock(&by, others, now),
                    Deed::Unlock | Deed::InviteAgain => account.unlock(&by, now),
                    Deed::Close => account.close(&by, others, now),
                };
                let (account, ()) = self.directory.change(id, work).await?;
                Ok(Answer::Staff { people: vec![Person::of(&account)], next: None })
            }
            request => self.programs(request).await,
        }
    }

    fn invited(&self, account: &Account, token: &Token) -> Answer {
        let force = self.gate.force.load();
        let (place, server) = (&force.config.identity.staff, &force.config.server);
        let port = self.private.get().copied().unwrap_or(server.private_listen).port();
        let here = (port > 0).then(|| format!("http://localhost:{port}"));
        let link = place.origin.clone().or(here).map(|origin| crate::api::invitation_link(&origin, token));
        Answer::Invited { id: account.id().to_string(), token: SecretText::new(token.expose()), link }
    }

    async fn programs(&self, request: Request) -> Result<Answer, Failed> {
        let by = self.directory.operator()?;
        let read = |id: &str| id.parse::<ServiceId>().map_err(|_| Failed::Unknown);
        match request {
            Request::ProgramMake { name } => {
                if crate::api::fit_name(name.expose()).is_err() {
                    return Ok(Answer::refused(Code::BadRequest, "a name has 1 to 100 characters"));
                }
                let made = self.directory.make_program(name.expose().trim(), &by).await?;
                Ok(Answer::Programs { programs: vec![Program::of(&made)] })
            }
            Request::ProgramKey { id, scopes, days } => {
                let (scopes, life) = (scopes.into_iter().collect::<BTreeSet<_>>(), u64::from(days) * DAY);
                let made = self.directory.change_program(read(&id)?, |service, with| {
                    service.make_key(scopes.clone(), life, &by, with)
                });
                let (service, token) = made.await?;
                Ok(Answer::Key { id: service.id().to_string(), key: SecretText::new(token.expose()) })
            }
            Request::ProgramRevoke { id } => {
                let revoked = self.directory.change_program(read(&id)?, |service, with| {
                    let (service, event) = service.revoke(None, &by, with.now)?;
                    Ok((service, (), event))
                });
                let (service, ()) = revoked.await?;
                Ok(Answer::Programs { programs: vec![Program::of(&service)] })
            }
            _ => {
                let all = self.directory.programs().await?;
                Ok(Answer::Programs { programs: all.iter().take(LISTED).map(Program::of).collect() })
            }
        }
    }
}

/// So many accounts are listed at once.
const LISTED: usize = 100;
/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60_000;

/// An administrator's account holds no other role: so say the policies (`admin-alone`), and the operator keeps to it.
fn fit(roles: &BTreeSet<Role>) -> bool {
    !roles.contains(&Role::Admin) || roles.len() == 1
}

/// Why there are no numbers.
pub(super) fn without_numbers(error: NumbersError) -> Answer {
    let message = error.to_string();
    Answer::refused(crate::problem::Problem::from(error).code(), message)
}

fn refused(failed: Failed) -> Answer {
    let message = match &failed {
        Failed::Refused(refused) => format!("{} ({})", refused.why.code(), refused.next.name()),
        other => other.to_string(),
    };
    Answer::refused(crate::problem::Problem::from(failed).code(), message)
}

/// What the directory cannot do, as what a turn cannot do.
fn turn_error(failed: Failed) -> TurnError {
    match failed {
        Failed::Store(error) => error.into(),
        Failed::Vault(error) => error.into(),
        _ => TurnError::Internal("an account cannot be read"),
    }
}

impl Handler for Keeper {
    async fn handle(&self, request: Request) -> Answer {
        let done = match request {
            Request::KeysRotate => self.rotate().await,
            Request::CustomerErase { id } => self.erase(&id).await,
            Request::BackupStart { to, keyring } => return self.backups.start(&self.gate, &to, keyring),
            Request::BackupLook => return self.backups.look(),
            Request::KeysNote { what } => self.note(what).await,
            Request::StaffInvite { .. }
            | Request::StaffList { .. }
            | Request::Staff { .. }
            | Request::ProgramMake { .. }
            | Request::ProgramList
            | Request::ProgramKey { .. }
            | Request::ProgramRevoke { .. } => return self.accounts(request).await.unwrap_or_else(refused),
            Request::Statistics { question } => {
                let counted = statistics::count(&self.gate, &self.directory, &question).await;
                return counted
                    .map_or_else(without_numbers, |counts| Answer::Counted { counts: counts.into() });
            }
            Request::Export { file, wanted } => {
                return super::table::export(&self.gate, Path::new(&file), &wanted).await;
            }
            Request::CustomersErase { file } => {
                return self
                    .erase_all(Path::new(&file))
                    .await
                    .unwrap_or_else(|error| Answer::refused(error.code(), error.to_string()));
            }
            Request::Customer { id, deed } => {
                return match self.customers(&id).await {
                    Ok(found) => match found.first() {
                        Some((customer, _)) => super::rights::customer(&self.gate, *customer, deed)
                            .await
                            .unwrap_or_else(|error| Answer::refused(error.code(), error.to_string())),
                        None => Answer::refused(Code::CustomerNotFound, Code::CustomerNotFound.title()),
                    },
                    Err(error) => Answer::refused(error.code(), error.to_string()),
                };
            }
            Request::Retention { due_in_days } => {
                return super::rights::retention(&self.gate, due_in_days)
                    .await
                    .unwrap_or_else(|error| Answer::refused(error.code(), error.to_string()));
            }
            Request::Record { asked } => {
                return match records::make(&self.gate, &asked).await {
                    Ok(text) => Answer::Record { text },
                    Err(error) => Answer::refused(error.code(), error.to_string()),
                };
            }
            Request::IntelStatus
            | Request::IntelPull { .. }
            | Request::IntelTest { .. }
            | Request::IntelOwn { .. }
            | Request::IntelShare { .. }
            | Request::IntelGive { .. } => return super::intel::answer(&self.gate, request).await,
            Request::Feedback { deed } => return super::feedback::answer(&self.gate, deed).await,
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
    let asking = Asking::here(file, data, keys).await?;
    let answer = asking.ask(request).await?;
    asking.close().await?;
    Ok(answer)
}

/// # Errors
/// There is nothing to work on in this folder: it is not made by a command.
pub(super) fn holds_data(config: &Config, data: &Path) -> anyhow::Result<()> {
    let kept = if config.databases.is_some() { data.is_dir() } else { data.join("chatward.db").exists() };
    if kept {
        return Ok(());
    }
    Err(ControlError::NobodyThere).with_context(|| format!("{} holds no data", data.display()))
}

/// Who is asked: the process that runs on a data folder, or this one, which holds the folder's lock as long.
pub(crate) enum Asking {
    /// Over its socket in this folder.
    Running(PathBuf),
    /// Ourselves.
    Here(Box<Keeper>),
}

/// Finds out who is to be asked.
pub(crate) async fn asking(file: Option<&Path>, data: &Path, keys: &Path) -> anyhow::Result<Asking> {
    match control::ask(data, &Request::Status).await {
        Err(ControlError::NobodyThere) => Asking::here(file, data, keys).await,
        answer => answer.map(|_| Asking::Running(data.to_owned())).map_err(Into::into),
    }
}

impl Asking {
    async fn here(file: Option<&Path>, data: &Path, keys: &Path) -> anyhow::Result<Self> {
        let flags = Flags { data: Some(data.to_owned()), keys: Some(keys.to_owned()), ..Flags::default() };
        let (config, detector) = cli::load_without_model(file, &flags)?;
        holds_data(&config, data)?;
        let rooms = start::open_rooms(&config, &start::Outside::default(), &mut Vec::new()).await?;
        let gate = Arc::new(rooms.gate(start::force(config, detector, None)?)?);
        let rules = gate.force.load().config.identity.rules.clone();
        let directory = Directory::new(Arc::clone(&gate), rules)?;
        // Who is erased is to be forgotten there, too.
        gate.conduct.load(&gate.vault);
        Ok(Self::Here(Box::new(Keeper::new(directory, gate, file.map(Path::to_owned), flags, None))))
    }

    /// Has it done.
    pub(crate) async fn ask(&self, request: Request) -> anyhow::Result<Answer> {
        match self {
            Self::Running(data) => Ok(control::ask(data, &request).await?),
            Self::Here(keeper) => Ok(keeper.handle(request).await),
        }
    }

    /// Frees the folders, if they were held here.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Self::Here(keeper) = self {
            keeper.gate.vault.close().await?;
            keeper.gate.store.clone().close().await;
        }
        Ok(())
    }
}
