//! Counters and timings, in Prometheus' text form (0.0.4).
//!
//! Recording must cost next to nothing beside a turn of 100 µs: every series is a number made at the start, threads
//! write to shards of their own, and nothing is formatted before somebody asks. Labels come from closed lists only.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use chatward_message::{Kind, Response, Threat};

use crate::problem::Code;

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in logs and metrics.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

labels! {
    /// A route, as metrics and logs name it.
    Route {
        /// `/v1/chat/completions`
        ChatCompletions = "chat-completions",
        /// `/v1/models`
        Models = "models",
        /// `/chat` and what belongs to the page.
        Chat = "chat",
        /// `/me/v1/…`
        Me = "me",
        /// `/admin/v1/…`
        Admin = "admin",
        /// `/log/…`
        Log = "log",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// A step of a turn whose time is ours.
    Stage {
        /// Reading and parsing the request.
        Arrive = "arrive",
        /// Looking for attacks.
        Watch = "watch",
        /// Detection in the message.
        Inspect = "inspect",
        /// Replacing.
        Mask = "mask",
        /// Deciding.
        Policy = "policy",
        /// The first commit.
        Commit1 = "commit1",
        /// Our part in asking the bot.
        Bot = "bot",
        /// Detection in the answer and restoring.
        Restore = "restore",
        /// The second commit.
        Commit2 = "commit2",
    }
}

labels! {
    /// Which way a text goes.
    Direction {
        /// From the customer to the bot.
        ToBot = "to-bot",
        /// From the bot to the customer.
        ToCustomer = "to-customer",
    }
}

labels! {
    /// Which larger model.
    Part {
        /// The one that finds personal data.
        Detection = "detection",
        /// The one that is asked about attacks.
        Threats = "threats",
    }
}

impl Part {
    /// What it is called for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Detection => "larger model",
            Self::Threats => "larger model of attacks",
        }
    }
}

labels! {
    /// Why texts were left to the small models and rules that a larger model should have read.
    Fallback {
        /// The model could not be used at the start.
        Load = "load",
        /// Time ran out.
        Time = "time",
        /// It failed.
        Failed = "failed",
    }
}

labels! {
    /// What was done about a file.
    FileOutcome {
        /// Nothing was seen.
        Clean = "clean",
        /// Something was seen, and it went on.
        Observed = "observed",
        /// It went on, with an event.
        Flagged = "flagged",
        /// It went no further.
        Blocked = "blocked",
    }
}

labels! {
    /// What became of flags.
    FeedbackOutcome {
        /// Somebody flagged something.
        Received = "received",
        /// It became a case.
        Confirmed = "confirmed",
        /// It did not.
        Refused = "refused",
    }
}

labels! {
    /// What became of a request to the encrypted channel.
    ChannelOutcome {
        /// It opened and went on to a route.
        Opened = "opened",
        /// It did not open.
        Refused = "refused",
        /// Its key is not known, or not any more.
        UnknownKey = "unknown-key",
        /// It was here before.
        Repeated = "repeated",
        /// It opened, and does not prove that it belongs to a session.
        NoProof = "no-proof",
        /// It opened, and asks for what the channel does not lead to.
        Misled = "misled",
        /// It could not be noted.
        Store = "store",
    }
}

/// Enough for the cores a gateway runs on; more threads share.
const SHARDS: usize = 8;

thread_local! {
    static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}

/// A number on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(AtomicU64);

#[derive(Debug, Default)]
struct Counter([Padded; SHARDS]);

impl Counter {
    fn add(&self, n: u64) {
        if let Some(Padded(number)) = self.0.get(shard()) {
            number.fetch_add(n, Ordering::Relaxed);
        }
    }

    fn sum(&self) -> u64 {
        self.0.iter().map(|Padded(number)| number.load(Ordering::Relaxed)).sum()
    }
}

const BOUNDS: usize = 14;
/// Upper bounds of timings, nanoseconds.
const TIMES: [u64; BOUNDS] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    50_000_000,
    250_000_000,
    1_000_000_000,
];
/// Upper bounds of bytes held back.
const HELD: [u64; BOUNDS] = [0, 8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 1024];

#[derive(Debug, Default)]
#[repr(align(64))]
struct Buckets {
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

#[derive(Debug)]
struct Histogram {
    bounds: &'static [u64; BOUNDS],
    shards: [Buckets; SHARDS],
}

impl Histogram {
    fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self { bounds, shards: Default::default() }
    }

    fn record(&self, value: u64) {
        let at = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(BOUNDS);
        let Some(Buckets { counts, sum }) = self.shards.get(shard()) else { return };
        if let Some(count) = counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Writes the series; `unit` is how many recorded units make one shown unit.
    fn render(&self, text: &mut String, name: &str, labels: &str, unit: f64) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        let mut sum = 0;
        for at in 0..=BOUNDS {
            let count = |s: &Buckets| s.counts.get(at).map_or(0, |c| c.load(Ordering::Relaxed));
            total += self.shards.iter().map(count).sum::<u64>();
            let bound = self.bounds.get(at).map_or("+Inf".to_owned(), |b| shown(*b, unit));
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}");
        }
        for Buckets { counts: _, sum: part } in &self.shards {
            sum += part.load(Ordering::Relaxed);
        }
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}_sum{braces} {}\n{name}_count{braces} {total}", shown(sum, unit));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric of 2^53 nanoseconds may round")]
fn shown(value: u64, unit: f64) -> String {
    format!("{}", value as f64 / unit)
}

/// Statuses 100 to 599.
const STATUSES: usize = 500;

/// One counter per way a text goes.
type PerDirection = [Counter; 2];

/// What is only looked at when somebody asks.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Writes that wait for the store.
    pub audit_queue_length: u64,
    /// Turns under way.
    pub turns_open: u64,
    /// What others count, in the text form already.
    pub more: String,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    start: Instant,
    requests: Vec<Box<[AtomicU64]>>,
    overhead: Vec<Histogram>,
    findings: ArcSwap<BTreeMap<Kind, Arc<PerDirection>>>,
    other_findings: PerDirection,
    restored: Counter,
    missed: Counter,
    blocked: Vec<Counter>,
    // By threat, then by response.
    threats: Vec<Counter>,
    fallbacks: Vec<Counter>,
    doubted: Counter,
    doubt_fallbacks: Vec<Counter>,
    doubt_unread: Counter,
    unread: Counter,
    channel: Vec<Counter>,
    files: Vec<Counter>,
    feedback: Vec<Counter>,
    notice_differences: Counter,
    holdback: Histogram,
    commit: Histogram,
    rules: ArcSwap<String>,
    intel: ArcSwap<String>,
}

impl Metrics {
    /// With a series for every kind that can be found.
    pub fn new<'a>(kinds: impl IntoIterator<Item = &'a Kind>) -> Self {
        let metrics = Self {
            start: Instant::now(),
            requests: Route::ALL.iter().map(|_| (0..STATUSES).map(|_| AtomicU64::new(0)).collect()).collect(),
            overhead: Stage::ALL.iter().map(|_| Histogram::new(&TIMES)).collect(),
            findings: ArcSwap::default(),
            other_findings: PerDirection::default(),
            restored: Counter::default(),
            missed: Counter::default(),
            blocked: Code::ALL.iter().map(|_| Counter::default()).collect(),
            threats: Threat::ALL.iter().flat_map(|_| Response::ALL).map(|_| Counter::default()).collect(),
            fallbacks: Fallback::ALL.iter().map(|_| Counter::default()).collect(),
            doubted: Counter::default(),
            doubt_fallbacks: Fallback::ALL.iter().map(|_| Counter::default()).collect(),
            doubt_unread: Counter::default(),
            unread: Counter::default(),
            channel: ChannelOutcome::ALL.iter().map(|_| Counter::default()).collect(),
            files: FileOutcome::ALL.iter().map(|_| Counter::default()).collect(),
            feedback: FeedbackOutcome::ALL.iter().map(|_| Counter::default()).collect(),
            notice_differences: Counter::default(),
            holdback: Histogram::new(&HELD),
            commit: Histogram::new(&TIMES),
            rules: ArcSwap::default(),
            intel: ArcSwap::default(),
        };
        metrics.know(kinds);
        metrics
    }

    /// Adds series for kinds that a reload brought; those known keep their counts.
    pub fn know<'a>(&self, kinds: impl IntoIterator<Item = &'a Kind>) {
        let mut all = BTreeMap::clone(&self.findings.load());
        for kind in kinds {
            all.entry(kind.clone()).or_default();
        }
        self.findings.store(Arc::new(all));
    }

    /// Names the rule set in force (its short hash), for `chatward_build_info`.
    pub fn set_rules(&self, hash: &str) {
        self.rules.store(Arc::new(hash.chars().filter(char::is_ascii_alphanumeric).collect()));
    }

    /// What feeds of threat intelligence have to show, written out.
    pub fn set_intel(&self, text: String) {
        self.intel.store(Arc::new(text));
    }

    /// Counts an answered request.
    pub fn request(&self, route: Route, status: u16) {
        let number =
            self.requests.get(route as usize).and_then(|r| r.get(usize::from(status).checked_sub(100)?));
        if let Some(number) = number {
            number.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes how long a step took of our own.
    pub fn overhead(&self, stage: Stage, took: Duration) {
        if let Some(histogram) = self.overhead.get(stage as usize) {
            histogram.record(nanos(took));
        }
    }

    /// Counts findings of one kind.
    pub fn findings(&self, kind: &Kind, direction: Direction, n: u64) {
        let known = self.findings.load();
        let counters = known.get(kind).map_or(&self.other_findings, |counters| counters);
        if let Some(counter) = counters.get(direction as usize) {
            counter.add(n);
        }
    }

    /// Counts placeholders restored, and those that looked like ones but were not issued here.
    pub fn restored(&self, restored: u64, missed: u64) {
        self.restored.add(restored);
        self.missed.add(missed);
    }

    /// Counts a refused turn.
    pub fn blocked(&self, reason: Code) {
        if let Some(counter) = self.blocked.get(reason.index()) {
            counter.add(1);
        }
    }

    /// Counts an attack that was recognised.
    pub fn threat(&self, threat: Threat, response: Response) {
        let at = threat as usize * Response::ALL.len() + response as usize;
        if let Some(counter) = self.threats.get(at) {
            counter.add(1);
        }
    }

    /// Counts that a larger model did not read so many texts that it should have.
    pub fn fallback(&self, part: Part, why: Fallback, texts: usize) {
        let (fallbacks, unread) = match part {
            Part::Detection => (&self.fallbacks, &self.unread),
            Part::Threats => (&self.doubt_fallbacks, &self.doubt_unread),
        };
        if let Some(counter) = fallbacks.get(why as usize) {
            counter.add(1);
        }
        unread.add(u64::try_from(texts).unwrap_or(u64::MAX));
    }

    /// Counts texts about which the larger model of attacks was asked.
    pub fn doubted(&self, texts: usize) {
        self.doubted.add(u64::try_from(texts).unwrap_or(u64::MAX));
    }

    /// Counts a file that was looked into.
    pub fn file(&self, outcome: FileOutcome) {
        if let Some(counter) = self.files.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// Counts what became of a flag.
    pub fn feedback(&self, outcome: FeedbackOutcome) {
        if let Some(counter) = self.feedback.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// Counts a request to the encrypted channel.
    pub fn channel(&self, outcome: ChannelOutcome) {
        if let Some(counter) = self.channel.get(outcome as usize) {
            counter.add(1);
        }
    }

    /// Counts things that were done though the published privacy notice does not speak of them.
    pub fn notice_differs(&self, n: u64) {
        self.notice_differences.add(n);
    }

    /// Notes the most bytes of original text that a stream held back at any time.
    pub fn held_back(&self, bytes: usize) {
        self.holdback.record(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Notes how long a durable commit took, waiting included.
    pub fn commit(&self, took: Duration) {
        self.commit.record(nanos(took));
    }

    /// Everything as Prometheus reads it.
    pub fn render(&self, live: Live) -> String {
        let mut text = String::with_capacity(16 << 10);
        let t = &mut text;
        head(t, "chatward_build_info", "gauge", "The version and the rule set in force.");
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(t, "chatward_build_info{{version=\"{version}\",rules=\"{}\"}} 1", self.rules.load());
        head(t, "chatward_uptime_seconds", "gauge", "Since the start.");
        let _ = writeln!(t, "chatward_uptime_seconds {}", self.start.elapsed().as_secs());

        head(t, "chatward_requests_total", "counter", "Requests answered.");
        for (route, statuses) in Route::ALL.iter().zip(&self.requests) {
            for (at, number) in statuses.iter().enumerate() {
                let n = number.load(Ordering::Relaxed);
                if n > 0 {
                    let _ = writeln!(
                        t,
                        "chatward_requests_total{{route=\"{}\",code=\"{}\"}} {n}",
                        route.name(),
                        at + 100
                    );
                }
            }
        }
        head(t, "chatward_overhead_seconds", "histogram", "Time that is ours, by step of the turn.");
        for (stage, histogram) in Stage::ALL.iter().zip(&self.overhead) {
            let labels = format!("stage=\"{}\"", stage.name());
            histogram.render(t, "chatward_overhead_seconds", &labels, 1e9);
        }
        head(t, "chatward_findings_total", "counter", "Values found.");
        let known = self.findings.load();
        let rows = known.iter().map(|(kind, counters)| (kind.as_str(), &**counters));
        for (kind, counters) in rows.chain([("other", &self.other_findings)]) {
            for (direction, counter) in Direction::ALL.iter().zip(counters) {
                let n = counter.sum();
                if n > 0 {
                    let direction = direction.name();
                    let _ = writeln!(
                        t,
                        "chatward_findings_total{{kind=\"{kind}\",direction=\"{direction}\"}} {n}"
                    );
                }
            }
        }
        head(t, "chatward_restored_total", "counter", "Placeholders restored.");
        let _ = writeln!(t, "chatward_restored_total {}", self.restored.sum());
        head(
            t,
            "chatward_restore_misses_total",
            "counter",
            "Looked like placeholders, were not issued here.",
        );
        let _ = writeln!(t, "chatward_restore_misses_total {}", self.missed.sum());
        head(t, "chatward_blocked_total", "counter", "Turns refused.");
        for (code, counter) in Code::ALL.iter().zip(&self.blocked) {
            let n = counter.sum();
            if n > 0 {
                let _ = writeln!(t, "chatward_blocked_total{{reason=\"{code}\"}} {n}");
            }
        }
        head(t, "chatward_threats_total", "counter", "Attacks recognised, by what was done.");
        let pairs =
            Threat::ALL.into_iter().flat_map(|threat| Response::ALL.map(|response| (threat, response)));
        for ((threat, response), counter) in pairs.zip(&self.threats) {
            let n = counter.sum();
            if n > 0 {
                let response = response.name();
                let _ =
                    writeln!(t, "chatward_threats_total{{threat=\"{threat}\",response=\"{response}\"}} {n}");
            }
        }
        head(
            t,
            "chatward_model_fallbacks_total",
            "counter",
            "Times the larger model was not read to the end: rules and tagger alone.",
        );
        for (why, counter) in Fallback::ALL.iter().zip(&self.fallbacks) {
            let _ =
                writeln!(t, "chatward_model_fallbacks_total{{reason=\"{}\"}} {}", why.name(), counter.sum());
        }
        head(t, "chatward_model_unread_texts_total", "counter", "Texts that the larger model did not read.");
        let _ = writeln!(t, "chatward_model_unread_texts_total {}", self.unread.sum());
        self.write_doubts(t);
        head(t, "chatward_channel_requests_total", "counter", "Requests to the encrypted channel.");
        for (outcome, counter) in ChannelOutcome::ALL.iter().zip(&self.channel) {
            let (outcome, n) = (outcome.name(), counter.sum());
            let _ = writeln!(t, "chatward_channel_requests_total{{outcome=\"{outcome}\"}} {n}");
        }
        let names = FileOutcome::ALL.iter().map(|outcome| outcome.name());
        let help = "Files that were looked into, by what was done.";
        outcomes(t, ("chatward_files_total", help), names.zip(&self.files));
        let names = FeedbackOutcome::ALL.iter().map(|outcome| outcome.name());
        let help = "Flags of customers and analysts, and what became of them.";
        outcomes(t, ("chatward_feedback_total", help), names.zip(&self.feedback));
        head(
            t,
            "chatward_notice_differences_total",
            "counter",
            "Times that a class was kept or a bot asked of which the published privacy notice does not speak.",
        );
        let _ = writeln!(t, "chatward_notice_differences_total {}", self.notice_differences.sum());
        head(t, "chatward_stream_holdback_bytes", "histogram", "Most bytes a stream held back.");
        self.holdback.render(t, "chatward_stream_holdback_bytes", "", 1.0);
        head(t, "chatward_commit_seconds", "histogram", "Durable commits, waiting included.");
        self.commit.render(t, "chatward_commit_seconds", "", 1e9);
        head(t, "chatward_audit_queue_length", "gauge", "Writes that wait for the store.");
        let _ = writeln!(t, "chatward_audit_queue_length {}", live.audit_queue_length);
        head(t, "chatward_turns_open", "gauge", "Turns under way.");
        let _ = writeln!(t, "chatward_turns_open {}", live.turns_open);
        t.push_str(&self.intel.load());
        text
    }
}

/// A counter for each outcome.
fn outcomes<'a>(
    text: &mut String,
    (name, help): (&str, &str),
    counters: impl Iterator<Item = (&'static str, &'a Counter)>,
) {
    head(text, name, "counter", help);
    for (outcome, counter) in counters {
        let _ = writeln!(text, "{name}{{outcome=\"{outcome}\"}} {}", counter.sum());
    }
}

impl Metrics {
    /// What became of the texts that left room for doubt.
    fn write_doubts(&self, t: &mut String) {
        let (asked, unread) =
            ("chatward_threat_model_asked_texts_total", "chatward_threat_model_unread_texts_total");
        let fallbacks = "chatward_threat_model_fallbacks_total";
        head(t, asked, "counter", "Texts about which the larger model of attacks was asked.");
        let _ = writeln!(t, "{asked} {}", self.doubted.sum());
        head(
            t,
            fallbacks,
            "counter",
            "Times the larger model of attacks did not answer: the verdicts of the small ones stood.",
        );
        for (why, counter) in Fallback::ALL.iter().zip(&self.doubt_fallbacks) {
            let _ = writeln!(t, "{fallbacks}{{reason=\"{}\"}} {}", why.name(), counter.sum());
        }
        head(t, unread, "counter", "Texts that the larger model of attacks should have read and did not.");
        let _ = writeln!(t, "{unread} {}", self.doubt_unread.sum());
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_shown() {
        let email = Kind::new("email");
        let metrics = Metrics::new([&email]);
        metrics.request(Route::ChatCompletions, 200);
        metrics.request(Route::ChatCompletions, 200);
        metrics.request(Route::Other, 42);
        metrics.overhead(Stage::Mask, Duration::from_micros(7));
        metrics.findings(&email, Direction::ToBot, 3);
        metrics.findings(&Kind::new("made\"up"), Direction::ToCustomer, 1);
        metrics.restored(2, 1);
        metrics.blocked(Code::BlockedContent);
        metrics.held_back(40);
        metrics.fallback(Part::Detection, Fallback::Time, 3);
        metrics.doubted(4);
        metrics.fallback(Part::Threats, Fallback::Failed, 2);
        metrics.channel(ChannelOutcome::Repeated);
        metrics.set_rules("ab\"12");
        let text = metrics.render(Live { audit_queue_length: 9, turns_open: 1, more: String::new() });
        for line in [
            "chatward_requests_total{route=\"chat-completions\",code=\"200\"} 2",
            "chatward_overhead_seconds_bucket{stage=\"mask\",le=\"0.000005\"} 0",
            "chatward_overhead_seconds_bucket{stage=\"mask\",le=\"0.00001\"} 1",
            "chatward_overhead_seconds_bucket{stage=\"mask\",le=\"+Inf\"} 1",
            "chatward_overhead_seconds_sum{stage=\"mask\"} 0.000007",
            "chatward_overhead_seconds_count{stage=\"mask\"} 1",
            "chatward_findings_total{kind=\"email\",direction=\"to-bot\"} 3",
            "chatward_findings_total{kind=\"other\",direction=\"to-customer\"} 1",
            "chatward_restored_total 2",
            "chatward_restore_misses_total 1",
            "chatward_blocked_total{reason=\"blocked-content\"} 1",
            "chatward_model_fallbacks_total{reason=\"time\"} 1",
            "chatward_model_fallbacks_total{reason=\"load\"} 0",
            "chatward_threat_model_asked_texts_total 4",
            "chatward_threat_model_fallbacks_total{reason=\"failed\"} 1",
            "chatward_threat_model_unread_texts_total 2",
            "chatward_model_unread_texts_total 3",
            "chatward_channel_requests_total{outcome=\"repeated\"} 1",
            "chatward_stream_holdback_bytes_bucket{le=\"48\"} 1",
            "chatward_stream_holdback_bytes_count 1",
            "chatward_audit_queue_length 9",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(text.contains("rules=\"ab12\"") && !text.contains("made"));
    }

    #[test]
    fn a_reload_keeps_the_counts() {
        let email = Kind::new("email");
        let metrics = Metrics::new([&email]);
        metrics.findings(&email, Direction::ToBot, 1);
        metrics.know([&Kind::new("vin")]);
        metrics.findings(&email, Direction::ToBot, 1);
        assert!(metrics.render(Live::default()).contains("kind=\"email\",direction=\"to-bot\"} 2"));
    }

    #[test]
    fn threads_do_not_lose_counts() {
        let metrics = Metrics::new([]);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1000).for_each(|_| metrics.restored(1, 0)));
            }
        });
        assert!(metrics.render(Live::default()).contains("chatward_restored_total 20000\n"));
    }
}
