//! `chatward intel`.

use std::process::ExitCode;

use chatward_detect::indicator::Tlp;
use chatward_message::{Clock as _, SystemClock, Threat, UnixMillis};
use clap::{Args, Subcommand};

use super::commands::{answered, say, say_error};
use super::numbers::day;
use super::{DataArgs, exit};
use crate::control::{Answer, Request, ShareForm};
use crate::intel::{FeedStatus, GivenStatus, OwnEntry};

/// `intel …`
#[derive(Debug, Subcommand)]
pub enum IntelCommand {
    /// Put indicators on the house's own list: domains, URLs, addresses, blocks of them, hashes, e-mail addresses
    #[command(after_help = exit::HELP)]
    Add(OwnArgs),
    /// Take indicators off the house's own list
    #[command(after_help = exit::HELP)]
    Remove {
        /// Which.
        #[arg(required = true, value_name = "INDICATOR")]
        values: Vec<String>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Look at feeds now
    #[command(after_help = exit::HELP)]
    Pull {
        /// The feed [default: all of them]
        feed: Option<String>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// How feeds stand, and what came of giving; with a stale feed, one that was not taken, or a place that did not take what it was given, the exit code is 1
    #[command(after_help = exit::HELP)]
    Status {
        /// One JSON object, for programs
        #[arg(long)]
        json: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Say who lists something; if anything is listed, the exit code is 1
    #[command(after_help = exit::HELP)]
    Test {
        /// What: domains, URLs, addresses, hashes, e-mail addresses
        #[arg(required = true, value_name = "INDICATOR")]
        values: Vec<String>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Print the house's own list and its sightings in a form that others read, or give them to a place of the configuration
    #[command(after_help = exit::HELP)]
    Share {
        /// A STIX 2.1 bundle or a MISP event
        #[arg(long, value_enum, default_value = "stix")]
        format: ShareForm,
        /// Give it to this place (`[[intel.share]]` in the configuration) instead of printing it
        #[arg(long, value_name = "NAME", conflicts_with = "format")]
        to: Option<String>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
}

/// Flags of `intel add`.
#[derive(Debug, Clone, Args)]
pub struct OwnArgs {
    /// The indicators
    #[arg(required = true, value_name = "INDICATOR")]
    pub values: Vec<String>,
    /// What they are a sign of: phishing, malware, scam, social-engineering
    #[arg(long, default_value = "phishing", value_parser = threat)]
    pub threat: Threat,
    /// How sure, from 0 to 100
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub confidence: u8,
    /// With whom they may be shared: clear, green, amber, amber+strict, red
    #[arg(long, default_value = "green", value_parser = tlp)]
    pub tlp: String,
    /// They count until this day (`2026-12-31`) [default: without end]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<UnixMillis>,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

fn threat(text: &str) -> Result<Threat, String> {
    Threat::ALL
        .into_iter()
        .find(|threat| threat.name() == text)
        .ok_or_else(|| "not the name of a threat".to_owned())
}

fn tlp(text: &str) -> Result<String, String> {
    let name = Tlp::read(text).and_then(Tlp::name);
    name.map(str::to_owned).ok_or_else(|| "must be clear, green, amber, amber+strict or red".to_owned())
}

pub(super) fn run(command: IntelCommand) -> anyhow::Result<ExitCode> {
    match command {
        IntelCommand::Add(OwnArgs { values, threat, confidence, tlp, until, at }) => {
            let entry = |value| OwnEntry {
                value,
                confidence: Some(confidence),
                tlp: Some(tlp.clone()),
                threat: Some(threat),
                until: until.map(|until| until.0),
                ..OwnEntry::default()
            };
            own(&at, values.into_iter().map(entry).collect(), false)
        }
        IntelCommand::Remove { values, at } => {
            let entry = |value| OwnEntry { value, ..OwnEntry::default() };
            own(&at, values.into_iter().map(entry).collect(), true)
        }
        IntelCommand::Pull { feed, at } => status(&at, Request::IntelPull { feed }, false),
        IntelCommand::Status { json, at } => status(&at, Request::IntelStatus, json),
        IntelCommand::Test { values, at } => test(&at, values),
        IntelCommand::Share { to: Some(to), at, .. } => match answered(&at, Request::IntelGive { to })? {
            Answer::IntelGiven { fault: Some(fault), .. } => {
                say_error(format_args!("chatward: nothing was given: {fault}"));
                Ok(ExitCode::from(exit::BUSY))
            }
            Answer::IntelGiven { objects, fault: None } => {
                say(format_args!("{objects} new objects given"))?;
                Ok(ExitCode::from(exit::OK))
            }
            other => not_done(other),
        },
        IntelCommand::Share { format, to: None, at } => {
            match answered(&at, Request::IntelShare { form: format })? {
                Answer::Record { text } => {
                    say(format_args!("{text}"))?;
                    Ok(ExitCode::from(exit::OK))
                }
                other => not_done(other),
            }
        }
    }
}

fn own(at: &DataArgs, entries: Vec<OwnEntry>, remove: bool) -> anyhow::Result<ExitCode> {
    match answered(at, Request::IntelOwn { entries, remove })? {
        Answer::IntelOwn { done, refused } => {
            say(format_args!("{done} {}", if remove { "taken off the list" } else { "on the list" }))?;
            for (value, why) in &refused {
                say_error(format_args!("chatward: {value}: {why}"));
            }
            Ok(ExitCode::from(if refused.is_empty() { exit::OK } else { exit::FOUND }))
        }
        other => not_done(other),
    }
}

fn status(at: &DataArgs, request: Request, json: bool) -> anyhow::Result<ExitCode> {
    let (feeds, shares) = match answered(at, request)? {
        Answer::Intel { feeds, shares } => (feeds, shares),
        other => return not_done(other),
    };
    if json {
        say(format_args!("{}", serde_json::json!({ "feeds": feeds, "shares": shares })))?;
    } else if feeds.is_empty() {
        say(format_args!("no feeds: `[[intel.feeds]]` in the configuration names them"))?;
    }
    let now = SystemClock.now().0;
    for feed in feeds.iter().filter(|_| !json) {
        shown(feed, now)?;
    }
    for GivenStatus { name, good, objects, error, .. } in shares.iter().filter(|_| !json) {
        match good {
            0 => say(format_args!("to {name}: nothing given yet"))?,
            good => say(format_args!(
                "to {name}: {objects} new objects, given {} s ago",
                now.saturating_sub(*good) / 1000
            ))?,
        }
        if let Some(error) = error {
            say(format_args!("  not given the last time: {error}"))?;
        }
    }
    let bad = feeds.iter().any(|feed| feed.stale || feed.error.is_some())
        || shares.iter().any(|share| share.error.is_some());
    Ok(ExitCode::from(if bad { exit::FOUND } else { exit::OK }))
}

fn shown(feed: &FeedStatus, now: u64) -> std::io::Result<()> {
    let FeedStatus {
        name,
        indicators,
        patterns,
        good,
        stale,
        failures,
        error,
        malformed,
        faults,
        stopped,
        ..
    } = feed;
    let age = match good {
        0 => String::new(),
        good => format!(", taken {} s ago", now.saturating_sub(*good) / 1000),
    };
    let old = if *stale { ", STALE" } else { "" };
    say(format_args!("{name}: {indicators} indicators, {patterns} patterns{age}{old}"))?;
    if *malformed > 0 || *stopped > 0 {
        say(format_args!("  {malformed} entries malformed, {stopped} stopped by warning lists"))?;
    }
    for fault in faults {
        say(format_args!("  {fault}"))?;
    }
    if let Some(error) = error {
        say(format_args!("  not taken, {failures} times in a row: {error}"))?;
    }
    Ok(())
}

fn test(at: &DataArgs, values: Vec<String>) -> anyhow::Result<ExitCode> {
    let tested = match answered(at, Request::IntelTest { values })? {
        Answer::IntelTested { tested } => tested,
        other => return not_done(other),
    };
    for one in &tested {
        match (&one.fault, one.by.as_slice()) {
            (Some(fault), _) => say(format_args!("{}: {fault}", one.value))?,
            (None, []) => say(format_args!("{}: not listed", one.value))?,
            (None, by) => say(format_args!("{}: listed: {}", one.value, by.join("; ")))?,
        }
    }
    Ok(ExitCode::from(if tested.iter().any(|one| !one.by.is_empty()) { exit::FOUND } else { exit::OK }))
}

fn not_done(answer: Answer) -> anyhow::Result<ExitCode> {
    if let Answer::Refused { code, message } = answer {
        say_error(format_args!("chatward: {code}: {message}"));
    }
    Ok(ExitCode::from(exit::BUSY))
}
