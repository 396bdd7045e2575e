//! What operators see: logs, metrics, health, trace context, and the private listener that shows them.
//!
//! No content anywhere. Log lines and metric labels are made of closed lists of words, numbers and our own ids; nothing
//! a customer, a bot or a caller wrote has a way in. Other crates' log lines are let through from `warn` on only, at any
//! level, because their finer lines may hold what goes over the wire.

mod metrics;
mod private;
mod trace;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chatward_message::TurnId;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

pub use metrics::{
    ChannelOutcome, Direction, Fallback, FeedbackOutcome, FileOutcome, Live, Metrics, Part, Route, Stage,
};
pub(crate) use private::create_private;
pub use private::{AdminToken, PrivateError, private_router};
pub use trace::TraceContext;

use crate::config::{Log, LogFormat, LogLevel};
use crate::problem::Code;

/// The running log: its level can be changed.
#[derive(Debug, Clone)]
pub struct Logs {
    filter: reload::Handle<Targets, Registry>,
}

/// Logs were set up already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log was set up twice")]
pub struct LogsTwice;

impl Logs {
    /// Starts writing log lines to standard error. Once in a process.
    pub fn start(log: Log) -> Result<Self, LogsTwice> {
        let (filter, handle) = reload::Layer::new(targets(log.level));
        let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
        let lines = match log.format {
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
            LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        };
        Registry::default().with(lines.with_filter(filter)).try_init().map_err(|_| LogsTwice)?;
        Ok(Self { filter: handle })
    }

    /// Changes the level from now on.
    pub fn set_level(&self, level: LogLevel) {
        // Fails only when the subscriber is gone, and then nobody reads.
        let _ = self.filter.reload(targets(level));
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("chatward", level)
}

/// The log line of one request. There is no field for text.
#[derive(Debug, Clone, Copy)]
pub struct RequestLine<'a> {
    /// Which route.
    pub route: Route,
    /// The HTTP status.
    pub status: u16,
    /// The error, if it was one.
    pub code: Option<Code>,
    /// How long until the last byte.
    pub took: Duration,
    /// The turn.
    pub turn: Option<TurnId>,
    /// Its place in the trace.
    pub trace: &'a TraceContext,
}

impl RequestLine<'_> {
    /// Writes it: what went wrong from `info` on, what went well from `debug` on (the audit log has every turn anyway).
    pub fn write(&self) {
        let Self { route, status, code, took, turn, trace } = self;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    route = route.name(),
                    status,
                    code = code.map(Code::as_str),
                    us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    turn = turn.as_ref().map(tracing::field::display),
                    trace = %trace.trace_id(),
                    span = %trace.span_id(),
                    "request"
                )
            };
        }
        if *status < 400 { line!(debug) } else { line!(info) }
    }
}

/// What must hold for turns to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Need {
    /// The vault is open.
    Keys = 1,
    /// The store takes writes.
    Store = 2,
    /// The configuration in force is the one in the file.
    Config = 4,
    /// The mirror of the keys, if there is one, holds all of them.
    Mirror = 8,
}

/// Whether the process is fit for work.
#[derive(Debug, Default)]
pub struct Health {
    met: AtomicU8,
    /// Of each part 0, or one more than the number of the [`Fallback`].
    degraded: [AtomicU8; Part::ALL.len()],
    stale: Mutex<Vec<String>>,
    stopping: std::sync::atomic::AtomicBool,
}

impl Health {
    /// Every need with its name.
    const NEEDS: [(Need, &'static str); 4] = [
        (Need::Keys, "keys"),
        (Need::Store, "store"),
        (Need::Config, "config"),
        (Need::Mirror, "keys.mirror"),
    ];

    /// Notes that a need is met, or no longer.
    pub fn set(&self, need: Need, met: bool) {
        if met {
            self.met.fetch_or(need as u8, Ordering::Relaxed);
        } else {
            self.met.fetch_and(!(need as u8), Ordering::Relaxed);
        }
    }

    /// Notes that a larger model does not do its part, or that it does.
    pub fn set_degraded(&self, part: Part, why: Option<Fallback>) {
        if let Some(degraded) = self.degraded.get(part as usize) {
            degraded.store(why.map_or(0, |why| why as u8 + 1), Ordering::Relaxed);
        }
    }

    /// Notes which parts work with what they learnt too long ago, in words for operators.
    pub fn set_stale(&self, parts: Vec<String>) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    }

    /// What does not do its part although work goes on; empty when all is well.
    pub fn degraded(&self) -> Vec<String> {
        let model = |(part, degraded): (&Part, &AtomicU8)| {
            let number = usize::from(degraded.load(Ordering::Relaxed));
            let why = Fallback::ALL.get(number.checked_sub(1)?)?;
            Some(format!("{} ({})", part.words(), why.name()))
        };
        let models = Part::ALL.iter().zip(&self.degraded).filter_map(model);
        let stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
        models.chain(stale.iter().cloned()).collect()
    }

    /// Notes that the process is being stopped: no longer ready, still alive.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// What is missing for `/readyz`; empty when all is well.
    pub fn missing(&self) -> Vec<&'static str> {
        let met = self.met.load(Ordering::Relaxed);
        let unmet = Self::NEEDS.iter().filter(|(need, _)| met & (*need as u8) == 0).map(|(_, name)| *name);
        unmet.chain(self.stopping.load(Ordering::Relaxed).then_some("stopping")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_everything_is_met_and_nobody_stops() {
        let health = Health::default();
        assert_eq!(health.missing(), ["keys", "store", "config", "keys.mirror"]);
        for need in [Need::Keys, Need::Store, Need::Config, Need::Mirror] {
            health.set(need, true);
        }
        assert!(health.missing().is_empty());
        health.set(Need::Config, false);
        assert_eq!(health.missing(), ["config"]);
        health.set(Need::Store, false);
        assert_eq!(health.missing(), ["store", "config"]);
        health.set(Need::Store, true);
        health.stop();
        assert_eq!(health.missing(), ["config", "stopping"]);
        assert!(health.degraded().is_empty());
        health.set_degraded(Part::Detection, Some(Fallback::Time));
        assert_eq!(health.degraded(), ["larger model (time)"]);
        health.set_degraded(Part::Threats, Some(Fallback::Failed));
        assert_eq!(health.degraded(), ["larger model (time)", "larger model of attacks (failed)"]);
        health.set_degraded(Part::Detection, None);
        assert_eq!(health.degraded(), ["larger model of attacks (failed)"]);
        health.set_degraded(Part::Threats, None);
        assert!(health.degraded().is_empty());
    }

    #[test]
    fn other_crates_never_log_below_warn() {
        for level in [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug] {
            let targets = targets(level);
            assert!(!targets.would_enable("hyper::proto", &tracing::Level::INFO));
            assert!(targets.would_enable("chatward::turn", &tracing::Level::ERROR));
        }
        assert!(targets(LogLevel::Debug).would_enable("chatward_store", &tracing::Level::DEBUG));
    }
}
