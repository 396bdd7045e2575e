//! Alerts: signs of attacks become incidents, and receivers are told of them.
//!
//! A turn calls [`Alerts::raise`], which only puts the alert into a queue of fixed size: no store, no disk, no socket. One task takes it
//! from there, puts it to its incident (a sealed record, with its entry in the audit log), and what is to be told into the spool
//! of each receiver, on disk ([`spool`]). One task for each receiver takes it from there, tries until it is taken, ever more
//! seldom, and goes on after a restart. What does not fit any more (queue or spool) is counted, logged as an error and an alert of its own.
//!
//! Nothing that anybody wrote is told: an alert is ids, keyed hashes, counts, times and words of rules, by type ([`record`]).

mod form;
mod incident;
mod record;
mod sink;
mod spool;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chatward_message::{ConversationId, Severity, SignInfo, Threat, UnixMillis};
use tokio::sync::{Notify, mpsc, watch};

use crate::caller::KeyedHash as _;
use crate::config;
use crate::directory::Directory;
use crate::turn::Gate;
pub use form::Form;
pub use incident::{Acknowledged, Closed, Incident, Outcome, State};
pub use record::{Activity, Alert, Report, Scope, Word};
use sink::{Sender, SinkError};
use spool::Spool;

/// Alerts that may wait to be put to their incidents.
const QUEUE: usize = 4096;
/// Alerts that are taken from the queue at once.
const AT_ONCE: usize = 256;
/// After a first try that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest time between two tries.
const SELDOM: Duration = Duration::from_secs(300);
/// So often a receiver may refuse one report because of what it is, before it is left out: for about a minute.
const REFUSALS: u32 = 6;
/// How long a stop waits for what is in the queue.
const GRACE: Duration = Duration::from_secs(5);
/// How often the log says that something is lost.
const SAY_AGAIN: u64 = 60_000;

/// Where alerts go. A handle: clones share everything.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

struct Inner {
    queue: mpsc::Sender<Alert>,
    waiting: Mutex<Option<mpsc::Receiver<Alert>>>,
    sinks: Vec<Arc<Sink>>,
    group: Duration,
    keep: Duration,
    raised: AtomicU64,
    /// Lost because the queue was full.
    lost: AtomicU64,
}

/// Why reports are lost.
#[derive(Debug, Clone, Copy)]
enum Lost {
    /// So much waits already.
    Full,
    /// The disk.
    Away,
}

/// One receiver.
struct Sink {
    config: config::Sink,
    folder: PathBuf,
    spool: Mutex<Option<Spool>>,
    more: Notify,
    told: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    /// When the log said last that something is lost, in milliseconds since 1970.
    said: AtomicU64,
}

/// How a receiver stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkStatus {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Reports that it took since the start.
    pub told: u64,
    /// Tries that failed since the start.
    pub failed: u64,
    /// Reports that were lost since the start: its spool was full or could not be used, or it refused one again and again.
    pub lost: u64,
    /// Bytes that wait, and are free to go.
    pub waiting: u64,
}

impl Alerts {
    /// What the configuration says, with spools in this folder. A spool that cannot be opened is said in the log and tried again
    /// when there is something for it.
    #[must_use]
    pub fn new(config: &config::Alerts, folder: &Path) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let sinks = config.sinks.iter().map(|sink| Arc::new(Sink::new(sink, folder))).collect();
        Self(Arc::new(Inner {
            queue,
            waiting: Mutex::new(Some(waiting)),
            sinks,
            group: config.group,
            keep: config.keep,
            raised: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }))
    }

    /// Takes an alert. Costs about as much as a push into a queue, never waits, never fails: what does not fit is counted.
    pub fn raise(&self, alert: Alert) {
        self.0.raised.fetch_add(1, Ordering::Relaxed);
        if self.0.queue.try_send(alert).is_err() {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How near alerts of one incident are, and how long one is kept.
    pub(crate) fn times(&self) -> (Duration, Duration) {
        (self.0.group, self.0.keep)
    }

    /// Alerts that were raised, and those lost because the queue was full, since the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.0.raised.load(Ordering::Relaxed), self.0.lost.load(Ordering::Relaxed))
    }

    /// How the receivers stand.
    #[must_use]
    pub fn status(&self) -> Vec<SinkStatus> {
        self.0.sinks.iter().map(|sink| sink.status()).collect()
    }

    /// Puts a report into the spools of those who want it.
    pub(crate) async fn report(&self, reports: Vec<Report>, now: UnixMillis) {
        for sink in &self.0.sinks {
            let fits = |report: &&Report| report.severity >= sink.config.from;
            let lines: Vec<String> =
                reports.iter().filter(fits).filter_map(|report| serde_json::to_string(report).ok()).collect();
            if !lines.is_empty() {
                let (lost, why) = sink.put(lines).await;
                if lost > 0 {
                    self.alarm(sink, (lost, why), now);
                }
                sink.more.notify_one();
            }
        }
    }

    /// Reports are lost: the log says so, and so does an alert, which other receivers get.
    fn alarm(&self, sink: &Sink, (lost, why): (usize, Lost), now: UnixMillis) {
        let total = sink.lost.fetch_add(lost as u64, Ordering::Relaxed) + lost as u64;
        let said = sink.said.load(Ordering::Relaxed);
        if now.0.saturating_sub(said) < SAY_AGAIN {
            return;
        }
        sink.said.store(now.0, Ordering::Relaxed);
        let name = &*sink.config.name;
        let sign = match why {
            Lost::Full => {
                let bound = sink.config.spool;
                tracing::error!(
                    sink = name,
                    lost = total,
                    bound,
                    "alerts are lost: what waits for this receiver is full"
                );
                "spool-full"
            }
            Lost::Away => {
                let folder = sink.folder.display();
                tracing::error!(
                    sink = name,
                    lost = total,
                    %folder,
                    "alerts are lost: the folder where they wait for this receiver cannot be used"
                );
                "spool-away"
            }
        };
        let info = SignInfo {
            id: format!("alerts.{sign}.{name}").into(),
            threat: Threat::Flooding,
            severity: Severity::High,
            tags: Box::new([]),
        };
        self.raise(Alert::of_house(&info, now));
    }

    /// Puts alerts to their incidents and tells receivers, until the stop; what is in the queue then is still put.
    pub(crate) async fn run(self, directory: Directory, host: Arc<str>, mut stop: watch::Receiver<bool>) {
        let Some(mut waiting) = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let mut tasks = tokio::task::JoinSet::new();
        for sink in &self.0.sinks {
            tasks.spawn(Arc::clone(sink).run(directory.clone(), Arc::clone(&host), stop.clone()));
        }
        let mut alerts = Vec::with_capacity(AT_ONCE);
        loop {
            let stopped = tokio::select! {
                _ = waiting.recv_many(&mut alerts, AT_ONCE) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            if stopped {
                break;
            }
            self.count(&directory, &mut alerts).await;
        }
        let rest = async {
            waiting.close();
            while waiting.recv_many(&mut alerts, AT_ONCE).await > 0 {
                self.count(&directory, &mut alerts).await;
            }
        };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            tracing::error!("some alerts could not be put to their incidents before the stop");
        }
        tasks.join_all().await;
        let lost = self.0.lost.load(Ordering::Relaxed);
        if lost > 0 {
            tracing::error!(lost, "alerts were lost since the start, because too many came at once");
        }
    }

    /// Puts alerts to their incidents: those of one family that came together in one go.
    async fn count(&self, directory: &Directory, alerts: &mut Vec<Alert>) {
        let mut families: Vec<Vec<Alert>> = Vec::new();
        for alert in alerts.drain(..) {
            let same = |family: &&mut Vec<Alert>| {
                family.first().is_some_and(|first| first.family() == alert.family())
            };
            match families.iter_mut().find(same) {
                Some(family) => family.push(alert),
                None => families.push(vec![alert]),
            }
        }
        let mut reports = Vec::new();
        for family in families {
            match directory.count_alerts(&family, self.times()).await {
                Ok(report) => reports.extend(report),
                Err(error) => {
                    tracing::error!(cause = %error, n = family.len(), "alerts were not put to an incident");
                    reports.extend(family.into_iter().next().and_then(|alert| alone(alert, directory)));
                }
            }
        }
        self.report(reports, directory.now()).await;
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerts").field("sinks", &self.0.sinks.len()).finish_non_exhaustive()
    }
}

/// An alert whose incident cannot be written, as receivers are told of it all the same.
fn alone(alert: Alert, directory: &Directory) -> Option<Report> {
    let id: [u8; 16] = chatward_vault::random_id().ok()?;
    let (tenant, now) = (directory.tenant().to_string(), directory.now());
    Some(Incident::begun(alert).report(Activity::Opened, (&id, &id), &tenant, now))
}

impl Sink {
    fn new(config: &config::Sink, folder: &Path) -> Self {
        let folder = folder.join(&*config.name);
        let spool = Self::open(config, &folder);
        Self {
            config: config.clone(),
            folder,
            spool: Mutex::new(spool),
            more: Notify::new(),
            told: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            said: AtomicU64::new(0),
        }
    }

    fn open(config: &config::Sink, folder: &Path) -> Option<Spool> {
        Spool::open(folder, config.spool)
            .inspect_err(|error| {
                tracing::error!(sink = &*config.name, cause = %error, "alerts for this receiver cannot wait on disk");
            })
            .ok()
    }

    fn status(&self) -> SinkStatus {
        let waiting = self.locked(|spool| if spool.is_empty() { 0 } else { spool.size() });
        SinkStatus {
            name: Arc::clone(&self.config.name),
            told: self.told.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            waiting: waiting.unwrap_or_default(),
        }
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Spool) -> T) -> Option<T> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
    }

    /// Puts lines into the spool; how many did not go in, and why. The disk is waited for by another thread, and a spool that could not be
    /// opened is tried again.
    async fn put(self: &Arc<Self>, lines: Vec<String>) -> (usize, Lost) {
        let (sink, all) = (Arc::clone(self), lines.len());
        let put = move || {
            let mut spool = sink.spool.lock().unwrap_or_else(PoisonError::into_inner);
            if spool.is_none() {
                *spool = Self::open(&sink.config, &sink.folder);
            }
            spool.as_mut().map(|spool| spool.put(&lines))
        };
        match tokio::task::spawn_blocking(put).await {
            Ok(Some(Ok(fitted))) => (all - fitted, Lost::Full),
            Ok(Some(Err(error))) => {
                tracing::error!(sink = &*self.config.name, cause = %error, "alerts cannot be written to disk");
                (all, Lost::Away)
            }
            _ => (all, Lost::Away),
        }
    }

    /// Tells the receiver what waits, until the stop.
    async fn run(self: Arc<Self>, directory: Directory, host: Arc<str>, mut stop: watch::Receiver<bool>) {
        let mut sender = None;
        let mut wait = AGAIN;
        // How many are told at once, and how often the same was not taken because of what it is.
        let (mut batch, mut refused) = (self.config.way.batch(), 0);
        loop {
            let told = tokio::select! {
                told = self.tell(&mut sender, &directory, (&host, batch)) => told,
                // A try that is cut off is made again after the next start.
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let pause = match told {
                Ok(true) => {
                    (wait, refused) = (AGAIN, 0);
                    batch = self.config.way.batch();
                    continue;
                }
                Ok(false) => None,
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    if error.is_of_what_was_told() {
                        // One of them is not taken: alone it does not keep the others back for ever.
                        (batch, refused) = (1, refused + 1);
                        if refused > REFUSALS && self.put_aside().await {
                            refused = 0;
                            continue;
                        }
                    }
                    tracing::warn!(sink = &*self.config.name, cause = %error, "a receiver of alerts; tried again later");
                    let pause = wait;
                    wait = (wait * 2).min(SELDOM);
                    Some(pause)
                }
            };
            let paused = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => self.more.notified().await,
                }
            };
            tokio::select! { () = paused => {}, _ = stop.wait_for(|stop| *stop) => return }
        }
    }

    /// Leaves out the oldest that waits: its receiver does not take it, and others wait behind it. Whether that could be done.
    async fn put_aside(self: &Arc<Self>) -> bool {
        let sink = Arc::clone(self);
        let aside = move || sink.locked(|spool| spool.oldest(1).and_then(|(_, mark)| spool.taken(mark)));
        let done = matches!(tokio::task::spawn_blocking(aside).await, Ok(Some(Ok(()))));
        if done {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(
                sink = &*self.config.name,
                lost,
                "a report is left out: its receiver refuses it again and again"
            );
        }
        done
    }

    /// Tells the oldest that wait; whether there were any.
    async fn tell(
        self: &Arc<Self>,
        sender: &mut Option<Sender>,
        directory: &Directory,
        (host, batch): (&str, usize),
    ) -> Result<bool, SinkError> {
        let sink = Arc::clone(self);
        let oldest = tokio::task::spawn_blocking(move || sink.locked(|spool| spool.oldest(batch))).await;
        let Ok(Some(oldest)) = oldest else { return Ok(false) };
        let (lines, mark) = oldest?;
        if lines.is_empty() {
            return Ok(false);
        }
        // What cannot be read is of another version, or damaged; it goes with the others.
        let reports: Vec<Report> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if reports.len() < lines.len() {
            let n = lines.len() - reports.len();
            tracing::error!(sink = &*self.config.name, n, "alerts that waited cannot be read");
            self.lost.fetch_add(n as u64, Ordering::Relaxed);
        }
        if !reports.is_empty() {
            let ready = match sender.take() {
                Some(ready) => ready,
                None => Sender::new(&self.config.way)?,
            };
            sender.insert(ready).tell(&reports, host, directory.now()).await?;
            self.told.fetch_add(reports.len() as u64, Ordering::Relaxed);
        }
        let sink = Arc::clone(self);
        let taken = tokio::task::spawn_blocking(move || sink.locked(|spool| spool.taken(mark))).await;
        if let Ok(Some(taken)) = taken {
            taken?;
        }
        Ok(true)
    }
}

/// Tells every receiver of a configuration a test, at once; what came of it. For `chatward alerts test`.
pub(crate) async fn test(
    config: &config::Alerts,
    (tenant, host): (&str, &str),
    now: UnixMillis,
) -> Vec<(Arc<str>, Result<(), SinkError>)> {
    let mut outcomes = Vec::new();
    for sink in &config.sinks {
        let told = async {
            let id: [u8; 16] = chatward_vault::random_id().unwrap_or_default();
            Sender::new(&sink.way)?.tell(&[Report::test(tenant, now, &id)], host, now).await
        };
        outcomes.push((Arc::clone(&sink.name), told.await));
    }
    outcomes
}

/// By what alerts know a conversation: a hash under a key of the house.
pub(crate) fn about(gate: &Gate, conversation: ConversationId) -> (Scope, u64) {
    let hash = gate.keyed().hash(&gate.tenant, "conversation", &[conversation.as_bytes()]);
    (Scope::Conversation, hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

/// The name of this machine, for receivers that want one.
pub(crate) fn host() -> Arc<str> {
    rustix::system::uname().nodename().to_string_lossy().into()
}

/// Name, sort and meaning of a series, and where its number stands.
type Series = (&'static str, &'static str, &'static str, fn(&SinkStatus) -> u64);

/// Numbers for `/metrics`, in Prometheus' text form.
pub(crate) fn metrics(alerts: &Alerts) -> String {
    use std::fmt::Write as _;
    let (raised, lost) = alerts.counts();
    let mut out = String::new();
    let head = |name: &str, kind: &str, what: &str| format!("# HELP {name} {what}\n# TYPE {name} {kind}\n");
    out.push_str(&head("chatward_alerts_raised_total", "counter", "Alerts that were raised."));
    let _ = writeln!(out, "chatward_alerts_raised_total {raised}");
    out.push_str(&head(
        "chatward_alerts_lost_total",
        "counter",
        "Alerts lost because too many came at once.",
    ));
    let _ = writeln!(out, "chatward_alerts_lost_total {lost}");
    let series: [Series; 4] = [
        ("chatward_alert_reports_told_total", "counter", "Reports that a receiver took.", |sink| sink.told),
        ("chatward_alert_tries_failed_total", "counter", "Tries that a receiver did not take.", |sink| {
            sink.failed
        }),
        (
            "chatward_alert_reports_lost_total",
            "counter",
            "Reports lost: the spool was full or could not be used, or the receiver refused one again and again.",
            |sink| sink.lost,
        ),
        ("chatward_alert_spool_bytes", "gauge", "Bytes that wait for a receiver.", |sink| sink.waiting),
    ];
    let status = alerts.status();
    for (name, kind, what, value) in series.iter().filter(|_| !status.is_empty()) {
        out.push_str(&head(name, kind, what));
        for sink in &status {
            let _ = writeln!(out, "{name}{{sink=\"{}\"}} {}", sink.name, value(sink));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_that_cannot_be_used_is_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let address = config::Address { host: "127.0.0.1".into(), port: 1 };
        let config = config::Sink {
            name: "siem".into(),
            from: Severity::Info,
            spool: 1 << 20,
            way: config::Way::Datagrams { address, form: Form::Ocsf },
        };
        std::fs::write(home.path().join("siem"), "no folder").unwrap();
        let sink = Arc::new(Sink::new(&config, home.path()));
        let (lost, why) = sink.put(vec!["one".to_owned()]).await;
        assert!(lost == 1 && matches!(why, Lost::Away));
        std::fs::remove_file(home.path().join("siem")).unwrap();
        assert_eq!(sink.put(vec!["two".to_owned()]).await.0, 0);
        assert!(sink.status().waiting > 0);
        // The receiver refuses it again and again.
        assert!(sink.put_aside().await);
        assert_eq!((sink.status().waiting, sink.status().lost), (0, 1));
    }
}
