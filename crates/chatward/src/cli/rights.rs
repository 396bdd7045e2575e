//! `chatward customer …`, `chatward retention …` and `chatward certificate …`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chatward_message::UnixMillis;
use chatward_store::log::verify::Vkey;
use clap::Subcommand;

use super::commands::{say, say_error, tell};
use super::{DataArgs, exit};
use crate::control::{CustomerDeed, Request};
use crate::identity::secret::SecretText;
use crate::rights::erasure;

/// `customer …`
#[derive(Debug, Subcommand)]
pub enum CustomerCommand {
    /// Destroy a customer's key and delete the customer's rows; there is no way back. The certificate can be fetched after
    #[command(after_help = exit::HELP)]
    Erase {
        /// The customer's id (`cust_…`).
        id: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Write everything that is kept of a customer to a zip, readable and for programs
    #[command(after_help = exit::HELP)]
    Export {
        /// The customer's id (`cust_…`).
        id: String,
        /// The zip to write; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Put the right value in place of a wrong one; it is read from standard input
    #[command(after_help = exit::HELP)]
    Correct {
        /// The customer's id (`cust_…`).
        id: String,
        /// The conversation (`conv_…`).
        conversation: String,
        /// The value's placeholder (`EMAIL_1`).
        label: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// The signed receipts of all a customer ever decided
    #[command(after_help = exit::HELP)]
    Consents {
        /// The customer's id (`cust_…`).
        id: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Write down that a customer agreed to a purpose, or no longer does
    #[command(after_help = exit::HELP)]
    Consent {
        /// The customer's id (`cust_…`).
        id: String,
        /// The purpose, by its name in the configuration.
        purpose: String,
        /// They do not, or no longer.
        #[arg(long)]
        no: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Freeze a customer's data, so that nobody of the house may look at it, or end that
    #[command(after_help = exit::HELP)]
    Restrict {
        /// The customer's id (`cust_…`).
        id: String,
        /// End it.
        #[arg(long)]
        end: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Forbid until a date that anything of a customer is deleted, for a legal reason, or end that
    #[command(after_help = exit::HELP)]
    Hold {
        /// The customer's id (`cust_…`).
        id: String,
        /// Until when: 2027-01-31.
        #[arg(long, value_name = "DATE", value_parser = super::day, required_unless_present = "end")]
        until: Option<UnixMillis>,
        /// The legal reason.
        #[arg(long, required_unless_present = "end")]
        reason: Option<String>,
        /// End it now.
        #[arg(long, conflicts_with_all = ["until", "reason"])]
        end: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
}

/// `retention …`
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// What will have been kept long enough, and goes then
    #[command(after_help = exit::HELP)]
    Due {
        /// In how many days.
        #[arg(long, default_value_t = 1)]
        days: u32,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Delete what was kept long enough now, and not at the next full hour of the program
    #[command(after_help = exit::HELP)]
    Sweep(DataArgs),
}

/// `certificate …`
#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Check the certificate of an erasure, offline: its signature, its event, and that the event stands under a signed checkpoint
    #[command(after_help = exit::HELP)]
    Verify {
        /// The certificate.
        file: PathBuf,
        /// The verifier key of the house's log [default: the one in DIR/log]
        #[arg(long, value_name = "VKEY")]
        key: Option<String>,
        /// Data folder.
        #[arg(long, value_name = "DIR", default_value = "chatward-data")]
        data: PathBuf,
    },
}

/// One customer's data.
pub(super) fn customer(command: CustomerCommand) -> anyhow::Result<ExitCode> {
    let deed = |at: &DataArgs, id: String, deed| tell(at, Request::Customer { id, deed });
    match command {
        CustomerCommand::Erase { id, at } => tell(&at, Request::CustomerErase { id }),
        CustomerCommand::Export { id, out, at } => {
            let file = std::path::absolute(&out)?.to_string_lossy().into_owned();
            deed(&at, id, CustomerDeed::Export { file })
        }
        CustomerCommand::Correct { id, conversation, label, at } => {
            let mut value = zeroize::Zeroizing::new(String::new());
            std::io::stdin().read_to_string(&mut value).context("standard input")?;
            let value = SecretText::new(value.trim());
            deed(&at, id, CustomerDeed::Correct { conversation, label, value })
        }
        CustomerCommand::Consents { id, at } => deed(&at, id, CustomerDeed::Consents),
        CustomerCommand::Consent { id, purpose, no, at } => {
            deed(&at, id, CustomerDeed::Consent { purpose, agreed: !no })
        }
        CustomerCommand::Restrict { id, end, at } => {
            deed(&at, id, CustomerDeed::Restrict { restricted: !end })
        }
        CustomerCommand::Hold { id, until, reason, end: _, at } => {
            let until = until.map(|until| until.0);
            deed(&at, id, CustomerDeed::Hold { until, reason: reason.unwrap_or_default() })
        }
    }
}

/// What goes by itself.
pub(super) fn retention(command: RetentionCommand) -> anyhow::Result<ExitCode> {
    match command {
        RetentionCommand::Due { days, at } => tell(&at, Request::Retention { due_in_days: Some(days) }),
        RetentionCommand::Sweep(at) => tell(&at, Request::Retention { due_in_days: None }),
    }
}

/// Proofs.
pub(super) fn certificate(command: CertificateCommand) -> anyhow::Result<ExitCode> {
    let CertificateCommand::Verify { file, key, data } = command;
    let key = match key {
        Some(key) => key,
        None => read(&data.join("log").join("vkey"))?,
    };
    let key: Vkey = match key.parse() {
        Ok(key) => key,
        Err(error) => {
            say_error(format_args!("chatward: --key: {error}"));
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    let document = serde_json::from_str(&read(&file)?).unwrap_or(serde_json::Value::Null);
    match erasure::check(&document, &key) {
        Ok(()) => {
            say(
                "the certificate holds: it is signed, and its event stands under a signed checkpoint of the log",
            )?;
            Ok(ExitCode::from(exit::OK))
        }
        Err(fault) => {
            say(format_args!("{fault}"))?;
            Ok(ExitCode::from(exit::FOUND))
        }
    }
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}
