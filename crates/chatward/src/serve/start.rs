//! From flags to a running house: what is missing is made, what is there is checked, and the operator is told.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use chatward_detect::larger::second::Second;
use chatward_detect::{Detector, Heeded};
use chatward_message::{Action, Clock, Event, Facts, SystemClock, TenantId};
use chatward_policy::Policy;
use chatward_store::{Faults as StoreFaults, Keyring, Postgres, Store, StoreOptions};
use chatward_vault::{Labels, Unlocked, Vault, changes_answers};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::keeper::Keeper;
use crate::alerts::Alerts;
use crate::caller::Callers;
use crate::channel::Channel;
use crate::cli::recovery;
use crate::cli::{Ready, ServeArgs};
use crate::conduct::Conduct;
use crate::config::{Config, Database, Flags};
use crate::control::Control;
use crate::directory::Directory;
use crate::files::Files;
use crate::intel::Intel;
use crate::larger::{self, Unusable};
use crate::notice::Notice;
use crate::rights::telling::Recipient;
use crate::seeing::{AdminToken, Fallback, Health, Logs, Metrics, Need, Part};
use crate::threats::Threats;
use crate::turn::{Conversations, Force, Gate};
use crate::upstream::Upstreams;
use crate::webhook::{self, Webhook};
use crate::witness::{self, Places, Witness};
use crate::{bot, chat, cli, config, seals, tls};

/// How often a changed certificate is looked for.
const CERTIFICATE_TICK: Duration = Duration::from_secs(60);
/// How often it is noted whether a database on a server can be reached.
const REACHABLE_TICK: Duration = Duration::from_millis(100);
/// How often it is looked whether the mirror of the keys holds all of them.
const MIRROR_TICK: Duration = Duration::from_secs(1);
/// How often what has ended of itself is dropped.
const TIDY_TICK: Duration = Duration::from_secs(600);

/// A running house.
pub struct House {
    pub(super) gate: Arc<Gate>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) listen: SocketAddr,
    pub(super) private: SocketAddr,
    pub(super) data: PathBuf,
    pub(super) tls: Option<Arc<tls::Acceptor>>,
    pub(super) token: AdminToken,
    pub(super) directory: Directory,
    notes: Vec<String>,
    demo: bool,
}

/// Told once, heard by everybody.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(super) async fn wait(&mut self) {
        // An error means that the sender is gone: also a reason to stop.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl Stop {
    /// A stop, and what gives it.
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (tell, hear) = watch::channel(false);
        (tell, Self(hear))
    }
}

/// `SIGTERM` or `SIGINT`.
pub(super) fn stop_signal() -> anyhow::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    let (tell, stop) = Stop::new();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let _ = tell.send(true);
    });
    Ok(stop)
}

/// As many threads as there are cores to use; `taskset` and container limits count.
pub(super) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// Opens everything, in the order in which it depends on each other.
pub(super) async fn open(args: &ServeArgs, outside: &Outside) -> anyhow::Result<House> {
    tls::install_default();
    let mut flags = Flags::from(args);
    let Ready { mut config, mut detector, mut second, mut unusable } =
        cli::load(args.config.as_deref(), &flags)?;
    let logs = Logs::start(config.log).ok();
    tls::harden();
    let mut notes = Vec::new();
    let demo = config.upstreams.is_empty();
    if demo {
        flags.upstream = Some(start_bot().await?);
        flags.built_in_model = Some(chat::MODEL);
        Ready { config, detector, second, unusable } = cli::load(args.config.as_deref(), &flags)?;
        notes.push(
            "The built-in support bot answers; `--upstream URL` puts your own in its place.".to_owned(),
        );
    }
    let opened = open_rooms(&config, outside, &mut notes).await?;
    let token = AdminToken::open(&config.server.keys)?;
    let tls = tls::Acceptor::new(&config.tls, &config.server.keys)?.map(Arc::new);
    let gate = Arc::new(opened.gate(force(config, detector, second)?)?);
    gate.health.set(Need::Config, true);
    tell_of_models(&gate, &unusable);
    let force = gate.force.load_full();
    let server = &force.config.server;
    let started = Event {
        at: gate.clock.now(),
        tenant: gate.tenant.clone(),
        action: Action::Started,
        turn: None,
        subject: None,
        facts: Facts {
            rules: Some(Arc::clone(force.detector.hash())),
            config: Some(Arc::clone(force.config.hash())),
            epoch: gate.vault.epoch().0,
            ..Facts::default()
        },
    };
    gate.store.append(vec![started]).await?;
    gate.publish_notice(&gate.force.load_full()).await?;
    // Before anybody is answered: what was listed last.
    let intel = Arc::clone(&gate.intel);
    tokio::task::spawn_blocking(move || intel.load()).await?;
    gate.conduct.load(&gate.vault);
    // Before anybody is answered: who is half erased is erased to the end.
    if let Err(error) = gate.finish_erasures(Duration::ZERO).await {
        tracing::warn!(cause = %error, "an erasure that was begun waits");
    }
    if let Some(dropped) = super::backup::settle_restored(&gate, &server.data).await? {
        notes.push(format!(
            "This data came from a backup: {dropped} customers whose keys were destroyed since were dropped from it."
        ));
    }
    notes.extend(force.config.deviations().iter().map(|deviation| format!("Note: {deviation}")));
    let directory = Directory::new(Arc::clone(&gate), force.config.identity.rules.clone())?;
    let keeper = Keeper::new(directory.clone(), Arc::clone(&gate), args.config.clone(), flags, logs);
    Ok(House {
        listen: server.listen,
        private: server.private_listen,
        data: server.data.clone(),
        keeper: Arc::new(keeper),
        gate,
        tls,
        token,
        directory,
        notes,
        demo,
    })
}

/// What a house takes from its surroundings: the program takes the system's clock and a store that does not fail of itself.
pub struct Outside {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What makes writes fail, in tests.
    pub faults: Option<Arc<dyn StoreFaults>>,
}

impl Default for Outside {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), faults: None }
    }
}

/// Store and vault, opened together.
pub(crate) struct Rooms {
    store: Store,
    vault: Vault,
    witness: Witness,
    clock: Arc<dyn Clock>,
}

/// Opens (or makes) the data and keys folders. Keys that are older than the data knows are refused, before they are changed.
pub(crate) async fn open_rooms(
    config: &Config,
    outside: &Outside,
    notes: &mut Vec<String>,
) -> anyhow::Result<Rooms> {
    let found = find_rooms(config, outside, notes).await?;
    if let Err(error) = found.judged().await {
        found.store.close().await;
        return Err(error);
    }
    found.open().await
}

/// Store and keys, open, but the keys as they were found.
pub(crate) struct Found {
    store: Store,
    keys: Unlocked,
    witness: Witness,
    places: Places,
    clock: Arc<dyn Clock>,
}

impl Found {
    /// # Errors
    /// The data knows of newer keys, or of others.
    pub(crate) async fn judged(&self) -> anyhow::Result<()> {
        // In this order: whoever renews the keys meanwhile notes it afterwards.
        let newest = self.witness.newest().await?;
        let found = self.keys.mark().await?;
        Ok(witness::judge(newest, found, &self.places)?)
    }

    /// How often the keys were renewed that the data knows as the newest.
    pub(crate) async fn newest(&self) -> anyhow::Result<u64> {
        Ok(self.witness.newest().await?.map_or(0, |mark| mark.number))
    }

    /// Opens the keys, whichever they are.
    pub(crate) async fn open(self) -> anyhow::Result<Rooms> {
        let Self { store, keys, witness, places: _, clock } = self;
        let vault = keys.open().await?;
        witness.note(vault.mark()?, clock.now()).await?;
        Ok(Rooms { store, vault, witness, clock })
    }

    /// Leaves everything as it is.
    pub(crate) async fn close(self) {
        self.store.close().await;
    }
}

/// Finds (or makes) the data and keys folders. The data folder's lock is taken first: nobody else works on either.
pub(crate) async fn find_rooms(
    config: &Config,
    outside: &Outside,
    notes: &mut Vec<String>,
) -> anyhow::Result<Found> {
    let (data, keys) = (&*config.server.data, &*config.server.keys);
    apart(data, keys)?;
    let clock = Arc::clone(&outside.clock);
    let new_data = private_folder(data)?;
    if new_data {
        notes.push(format!("Made the data folder {}.", data.display()));
    }
    private_folder(keys)?;
    let (seal, made) = seals::open_or_make(&config.keys.seal, keys)?;
    if made {
        notes.push(format!(
            "Made the operator's key in {}: without it nothing can be opened. `chatward keys recovery-kit` shows it for paper.",
            keys.display()
        ));
        if std::io::stdout().is_terminal() {
            recovery::print(&seal.operator_key()?.kit()?)?;
        }
    }
    let keyring = match &config.databases {
        Some(databases) => Keyring::open_postgres(server_of(&databases.keyring)?).await?,
        None => Keyring::open(keys)?,
    };
    let mirror = config.keys.mirror.clone();
    let unlocked = Vault::unlock(keys, seal, keyring, Arc::clone(&clock), mirror.clone()).await?;
    let options = StoreOptions {
        postgres: config.databases.as_ref().map(|databases| server_of(&databases.store)).transpose()?,
        signer: Some(unlocked.signer()),
        clock: Arc::clone(&clock),
        faults: outside.faults.clone(),
        ..StoreOptions::default()
    };
    let store = {
        let data = data.to_owned();
        tokio::task::spawn_blocking(move || Store::open(&data, options)).await??
    };
    let witness = Witness::new(store.clone(), TenantId::default_tenant());
    let places = Places { keys: keys.to_owned(), mirror };
    Ok(Found { store, keys: unlocked, witness, places, clock })
}

/// A database of the configuration, and the way to it.
pub(crate) fn server_of(database: &Database) -> anyhow::Result<Postgres> {
    let mut server = Postgres::new(database.url.expose())?;
    if let Some(owner) = &database.owner_url {
        server = server.with_owner(owner.expose())?;
    }
    Ok(server.with_tls(Arc::new(tls::ToDatabase::new(database.ca.as_deref())?)))
}

impl Rooms {
    /// The gate over these rooms.
    ///
    /// # Errors
    /// If the program was built with damaged rules.
    pub(crate) fn gate(self, force: Force) -> anyhow::Result<Gate> {
        let Self { store, vault, witness, clock } = self;
        let tenant = TenantId::default_tenant();
        let notice = Notice::of(&force.config, &force.detector);
        // Made of the vault's pepper: the same after every start, unknown to everybody else.
        let half = |which: &[u8]| vault.name_key(&tenant, "turn ids", &[which]).unwrap_or_default();
        let seed = [half(b"1"), half(b"2")].concat();
        let kinds: Vec<_> = force.detector.rules().iter().map(|rule| rule.kind.clone()).collect();
        let metrics = Metrics::new(kinds.iter());
        metrics.set_rules(force.detector.hash());
        let health = Health::default();
        health.set(Need::Keys, true);
        health.set(Need::Mirror, true);
        health.set(Need::Store, true);
        let (health, metrics) = (Arc::new(health), Arc::new(metrics));
        // Made of the vault's pepper: whoever steals the folder cannot tell what is listed.
        let key = vault.name_key(&tenant, "indicators", &[]).unwrap_or_default();
        let intel = Arc::new(Intel::new(
            force.config.server.data.join("intel"),
            key,
            Arc::clone(&clock),
            (Arc::clone(&health), Arc::clone(&metrics)),
            &force.config.intel,
        ));
        let sketches = vault.name_key(&tenant, "sketches", &[]).unwrap_or_default();
        let conduct = Conduct::new(&force.config.server.data, sketches)?;
        let alerts = Alerts::new(&force.config.alerts, &force.config.server.data.join("alerts"));
        Ok(Gate {
            tenant,
            force: ArcSwap::from_pointee(force),
            vault,
            store,
            policy: Policy::default(),
            published: ArcSwap::from_pointee(notice),
            metrics,
            health,
            clock,
            started: Instant::now(),
            open: AtomicU64::new(0),
            readers: larger::places(),
            turn_key: hmac::Key::new(hmac::HMAC_SHA256, &seed),
            conversations: Conversations::default(),
            running: chat::Running::default(),
            sweeper: Arc::default(),
            teller: Arc::default(),
            alerts,
            witness,
            intel,
            conduct,
        })
    }
}

/// What is in force, made of a checked configuration.
pub(crate) fn force(config: Config, detector: Detector, second: Option<Second>) -> anyhow::Result<Force> {
    let upstreams = Upstreams::new(&config.upstreams)?;
    let recipients = config.recipients.iter().map(recipient).collect::<anyhow::Result<_>>()?;
    let (detector, table) = (Arc::new(detector), Arc::new(config.handling.clone()));
    let strict = Arc::new(table.without_special());
    // Either table may be the one of an answer.
    let heeded = {
        let tables = [Arc::clone(&table), Arc::clone(&strict)];
        Heeded::new(Arc::clone(&detector), move |rule| {
            tables.iter().any(|table| changes_answers(table, rule))
        })
    };
    let names_in_answers = detector.names().any(|rule| changes_answers(&table, rule));
    Ok(Force {
        labels: Arc::new(Labels::of(&detector)),
        names_in_answers,
        heeded: Arc::new(heeded),
        detector,
        table,
        table_without_special: strict,
        callers: Callers::new(config.callers.iter().cloned()),
        upstreams,
        recipients,
        threats: Threats::new(&config, second)?,
        files: Arc::new(Files::new(config.files.clone())),
        config: Arc::new(config),
    })
}

fn recipient(config: &config::Recipient) -> anyhow::Result<Recipient> {
    let secret = webhook::secret(config.secret.expose()).context("a secret is none")?;
    let webhook = Webhook::new(&config.url, &secret)?;
    Ok(Recipient { name: Arc::clone(&config.name), tell: config.tell.clone(), webhook })
}

/// Says that a model which the configuration asks for cannot be used, where it allows that; with new ones in force, what
/// was said of the old ones counts no more.
pub(super) fn tell_of_models(gate: &Gate, unusable: &Unusable) {
    for (part, faults) in [(Part::Detection, &unusable.detection), (Part::Threats, &unusable.threats)] {
        gate.health.set_degraded(part, faults.as_ref().map(|_| Fallback::Load));
        let Some(faults) = faults else { continue };
        gate.metrics.fallback(part, Fallback::Load, 0);
        match part {
            Part::Detection => {
                tracing::error!(cause = %faults, "the larger model cannot be used: rules and tagger look alone");
            }
            Part::Threats => {
                tracing::error!(cause = %faults, "the larger model of attacks cannot be used: the small ones judge alone");
            }
        }
    }
}

/// Keys inside the data folder would be in its backup, and a data folder inside the keys folder would bring them along.
fn apart(data: &Path, keys: &Path) -> anyhow::Result<()> {
    let whole = |path: &Path| std::path::absolute(path).with_context(|| format!("{}", path.display()));
    let (data, keys) = (whole(data)?, whole(keys)?);
    if keys.starts_with(&data) || data.starts_with(&keys) {
        anyhow::bail!(
            "the keys folder {} and the data folder {} must lie apart: a backup of one must not hold the other",
            keys.display(),
            data.display()
        );
    }
    Ok(())
}

/// Makes a folder that only its owner may enter. True if it was not there.
fn private_folder(folder: &Path) -> anyhow::Result<bool> {
    let new = !folder.exists();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(new)
}

/// The built-in bot on a loopback port of its own, asked over HTTP like any other.
async fn start_bot() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("the built-in bot finds no port")?;
    let address = listener.local_addr()?;
    tokio::spawn(bot::serve(listener, bot::Bot::default()));
    Ok(format!("http://{address}/v1"))
}

/// Notes, until the stop, whether the mirror of the keys holds all of them, and mends it when it can be written to again.
async fn watch_mirror(gate: &Gate, mut stop: Stop) {
    let mut tick = tokio::time::interval(MIRROR_TICK);
    loop {
        tokio::select! { _ = tick.tick() => {}, () = stop.wait() => return }
        if !gate.vault.mirror_is_behind() {
            gate.health.set(Need::Mirror, true);
            continue;
        }
        let mended = gate.vault.mend_mirror().await;
        gate.health.set(Need::Mirror, mended.is_ok());
        if let Err(error) = mended {
            tracing::error!(cause = %error, "the mirror of the keys cannot be written: no new keys are made");
        }
    }
}

impl House {
    /// Says where everything is. If nobody reads it, serving goes on.
    pub(super) fn announce(&self, public: SocketAddr, private: SocketAddr) {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut out = std::io::stdout();
        let mut say = |line: String| {
            let _ = writeln!(out, "{line}");
        };
        for note in &self.notes {
            say(note.clone());
        }
        if self.shows_chat() {
            say(format!("Chat:     {scheme}://{public}/chat"));
        }
        if self.demo {
            say(format!("API:      {scheme}://{public}/v1 (model `{}`)", chat::MODEL));
        } else {
            say(format!("API:      {scheme}://{public}/v1"));
        }
        say(format!("Private:  http://{private} (token in the keys folder)"));
        let _ = out.flush();
    }

    /// Whether the built-in bot answers.
    pub(super) fn demo(&self) -> bool {
        self.demo
    }

    /// Whether there is a page to chat on: where the configuration says so, and to try the built-in bot.
    pub(super) fn shows_chat(&self) -> bool {
        self.gate.force.load().config.widget.enabled.unwrap_or(self.demo)
    }

    /// The control socket, served until the stop.
    pub(super) fn control(&self, mut stop: Stop) -> anyhow::Result<impl Future<Output = ()> + use<>> {
        let control = Control::bind(&self.data)?;
        let keeper = Arc::clone(&self.keeper);
        Ok(async move {
            tokio::select! { () = control.serve(keeper) => {}, () = stop.wait() => {} }
        })
    }

    /// `SIGHUP` reads the configuration again; a slow tick looks for a renewed certificate.
    pub(super) fn reloads(&self, mut stop: Stop) -> impl Future<Output = ()> + use<> {
        let (keeper, tls) = (Arc::clone(&self.keeper), self.tls.clone());
        async move {
            let hup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
            let Ok(mut hup) = hup else { return };
            let mut tick = tokio::time::interval(CERTIFICATE_TICK);
            loop {
                tokio::select! {
                    _ = hup.recv() => {
                        if let Err(error) = keeper.reload().await {
                            tracing::error!(cause = %format_args!("{error:#}"), "the new configuration is refused; the old one stays");
                        }
                    }
                    _ = tick.tick() => {}
                    () = stop.wait() => return,
                }
                if let Some(Err(error)) = tls.as_ref().map(|tls| tls.refresh()) {
                    tracing::error!(cause = %error, "the new certificate is refused; the old one stays");
                }
            }
        }
    }

    /// Notes, until the stop, whether databases on a server can be reached.
    pub(super) fn watch(&self, mut stop: Stop) -> impl Future<Output = ()> + use<> {
        let gate = Arc::clone(&self.gate);
        async move {
            if !gate.store.is_shared() {
                return watch_mirror(&gate, stop).await;
            }
            let mut tick = tokio::time::interval(REACHABLE_TICK);
            loop {
                tokio::select! { _ = tick.tick() => {}, () = stop.wait() => return }
                gate.health.set(Need::Store, gate.store.is_reachable());
                gate.health.set(Need::Keys, gate.vault.is_reachable());
            }
        }
    }

    /// Drops, now and then until the stop, what has ended of itself: sessions that are over, old answers.
    pub(super) fn tidy(&self, mut stop: Stop) -> impl Future<Output = ()> + use<> {
        let directory = self.directory.clone();
        async move {
            let mut tick = tokio::time::interval(TIDY_TICK);
            loop {
                tokio::select! { _ = tick.tick() => {}, () = stop.wait() => return }
                if let Err(error) = directory.tidy().await {
                    tracing::warn!(cause = %error, "old sessions stay for now");
                }
            }
        }
    }

    /// Deletes, until the stop, what was kept long enough, and finishes erasures that a crash left in their middle.
    pub(super) fn sweeps(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        let gate = Arc::clone(&self.gate);
        async move { gate.sweep_for_ever(stop.0).await }
    }

    /// Tells recipients, until the stop, what is to be told.
    pub(super) fn tells(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        let gate = Arc::clone(&self.gate);
        async move { gate.tell_for_ever(stop.0).await }
    }

    /// Follows feeds of threat intelligence until the stop.
    pub(super) fn follows(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        let intel = Arc::clone(&self.gate.intel);
        async move { intel.follow_for_ever(stop.0).await }
    }

    /// Gives to others what the house knows of threats, until the stop.
    pub(super) fn gives(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        super::intel::give_for_ever(Arc::clone(&self.gate), stop)
    }

    /// Puts alerts to their incidents and tells receivers, until the stop.
    pub(super) fn alerts(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        let (alerts, directory) = (self.gate.alerts.clone(), self.directory.clone());
        async move { alerts.run(directory, crate::alerts::host(), stop.0).await }
    }

    /// Writes down what was counted of behaviour, until the stop.
    pub(super) fn counts(&self, stop: Stop) -> impl Future<Output = ()> + use<> {
        Conduct::keep_for_ever(Arc::clone(&self.gate), stop.0)
    }

    /// Renews the keys of the encrypted channel until the stop.
    pub(super) fn turns(&self, channel: Arc<Channel>, stop: Stop) -> impl Future<Output = ()> + use<> {
        async move { channel.turn_for_ever(stop.0).await }
    }

    /// The last things: unused keys go, the log gets its final checkpoint.
    pub(super) async fn close(self) {
        self.gate.health.stop();
        self.gate.running.end().await;
        if let Err(error) = self.gate.vault.close().await {
            tracing::warn!(cause = %error, "closing the vault");
        }
        self.gate.store.clone().close().await;
    }
}
