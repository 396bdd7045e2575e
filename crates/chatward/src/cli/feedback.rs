//! `chatward feedback …`

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use chatward_message::Channel;
use clap::Subcommand;

use super::commands::{answered, say, say_error};
use super::{DataArgs, exit};
use crate::control::{Answer, FeedbackDeed, Request, Verdict};
use crate::feedback::Label;
use crate::identity::secret::SecretText;

/// A longer file is no message.
const LONGEST: u64 = 48 << 10;

/// `feedback …`
#[derive(Debug, Subcommand)]
pub enum FeedbackCommand {
    /// Which flags of customers and analysts wait for a review; without any text
    #[command(after_help = exit::HELP)]
    List {
        /// Also those that are decided.
        #[arg(long)]
        all: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Show one flag with its texts, personal data replaced. The look stands in the audit log, and the customer sees it
    #[command(after_help = exit::HELP)]
    Show {
        /// Its id.
        id: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Flag a text; personal data is replaced before it is kept
    #[command(after_help = exit::HELP)]
    Add {
        /// What it is: harmless, prompt-injection, jailbreak, phishing, social-engineering or scam.
        #[arg(long, value_name = "LABEL", value_parser = label)]
        label: Label,
        /// Where it was said: customer, document or bot.
        #[arg(long, value_parser = channel, default_value = "customer")]
        channel: Channel,
        /// The text; `-` or nothing is standard input.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Make a case of a flag: shows what will be kept, and asks
    #[command(after_help = exit::HELP)]
    Confirm {
        /// Its id.
        id: String,
        /// What it is: harmless, prompt-injection, jailbreak, phishing, social-engineering or scam [default: what the analyst said].
        #[arg(long, value_name = "LABEL", value_parser = label)]
        label: Option<Label>,
        /// Which side of the conversation is meant: customer, document or bot [default: customer, or what the analyst said].
        #[arg(long, value_parser = channel)]
        channel: Option<Channel>,
        /// Keep this text instead; personal data in it is replaced all the same, addresses of pages stay.
        #[arg(long, value_name = "FILE")]
        text: Option<PathBuf>,
        /// A note that is kept with the case.
        #[arg(long, default_value = "")]
        note: String,
        /// Do not ask: it was seen.
        #[arg(long)]
        yes: bool,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// Say that a flag is no case
    #[command(after_help = exit::HELP)]
    Refuse {
        /// Its id.
        id: String,
        /// Why: a customer who flagged it reads this.
        #[arg(long)]
        note: String,
        /// Where.
        #[command(flatten)]
        at: DataArgs,
    },
    /// How many flags are open, confirmed and refused, and how many cases there are
    #[command(after_help = exit::HELP)]
    Status(DataArgs),
    /// Write all cases to standard output, one JSON object a line
    #[command(after_help = exit::HELP)]
    Export(DataArgs),
}

fn label(word: &str) -> Result<Label, String> {
    let words: Vec<&str> = Label::all().map(Label::name).collect();
    Label::named(word).ok_or_else(|| format!("take one of {}", words.join(", ")))
}

fn channel(word: &str) -> Result<Channel, String> {
    let found = Channel::ALL.into_iter().find(|channel| channel.name() == word);
    found.ok_or_else(|| "take one of customer, document, bot".to_owned())
}

/// Does one of the commands.
pub(super) fn run(command: FeedbackCommand) -> anyhow::Result<ExitCode> {
    match command {
        FeedbackCommand::List { all, at } => told(&at, FeedbackDeed::List { all }),
        FeedbackCommand::Show { id, at } => told(&at, FeedbackDeed::Show { id }),
        FeedbackCommand::Add { label, channel, file, at } => {
            let text = read(file.as_deref())?;
            told(&at, FeedbackDeed::Add { text, label, channel })
        }
        FeedbackCommand::Confirm { id, label, channel, text, note, yes, at } => {
            let text = text.map(|file| read(Some(&file))).transpose()?;
            let verdict = Verdict { label, channel, text, note: SecretText::new(note), seen: None };
            confirm(&at, id, verdict, yes)
        }
        FeedbackCommand::Refuse { id, note, at } => {
            told(&at, FeedbackDeed::Refuse { id, note: SecretText::new(note) })
        }
        FeedbackCommand::Status(at) => told(&at, FeedbackDeed::Status),
        FeedbackCommand::Export(at) => told(&at, FeedbackDeed::Export),
    }
}

fn told(at: &DataArgs, deed: FeedbackDeed) -> anyhow::Result<ExitCode> {
    match answered(at, Request::Feedback { deed })? {
        Answer::Record { text } => {
            std::io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::from(exit::OK))
        }
        other => refused(other),
    }
}

/// Shows what would be kept, asks, and has exactly that kept.
fn confirm(at: &DataArgs, id: String, verdict: Verdict, yes: bool) -> anyhow::Result<ExitCode> {
    let deed = FeedbackDeed::Confirm { id: id.clone(), verdict: verdict.clone() };
    let seen = match answered(at, Request::Feedback { deed })? {
        Answer::Preview { text, seen } => {
            say(text)?;
            seen
        }
        other => return refused(other),
    };
    if !yes && !agreed()? {
        say_error("chatward: nothing was kept");
        return Ok(ExitCode::from(exit::FOUND));
    }
    told(at, FeedbackDeed::Confirm { id, verdict: Verdict { seen: Some(seen), ..verdict } })
}

/// Whether whoever sits there says yes. Without anybody it is a no.
fn agreed() -> std::io::Result<bool> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        say_error("chatward: nobody can be asked here; look at it with `feedback show`, then say --yes");
        return Ok(false);
    }
    let mut out = std::io::stdout();
    out.write_all(b"Keep this as a case? [y/N] ")?;
    out.flush()?;
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn refused(answer: Answer) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Refused { code, message } => say_error(format_args!("chatward: {code}: {message}")),
        _ => say_error("chatward: what was seen is not what would be kept now: look again"),
    }
    Ok(ExitCode::from(exit::BUSY))
}

fn read(file: Option<&Path>) -> anyhow::Result<SecretText> {
    let mut text = zeroize::Zeroizing::new(String::new());
    match file.filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            let named = || file.display().to_string();
            let opened = std::fs::File::open(file).with_context(named)?;
            opened.take(LONGEST).read_to_string(&mut text).with_context(named)?;
        }
        None => {
            std::io::stdin().take(LONGEST).read_to_string(&mut text).context("standard input")?;
        }
    }
    Ok(SecretText::new(text.as_str()))
}
