//! `chatward statistics`, `chatward export` and `chatward records`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chatward_message::UnixMillis;
use chatward_policy::numbers::Epsilon;
use chatward_policy::numbers::coarse::{self, Span};
use clap::{Args, Subcommand, ValueEnum};

use super::commands::{answered, say, say_error};
use super::{DataArgs, exit};
use crate::control::{Answer, Request};
use crate::numbers::export::{Column, Form, Unit, Wanted};
use crate::numbers::statistics::{Counts, Measure, Question};
use crate::records::{self, Asked};

/// Flags of `statistics`.
#[derive(Debug, Clone, Args)]
pub struct StatisticsArgs {
    /// So many whole weeks, up to the last one that is over
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=53))]
    pub weeks: u32,
    /// turns, refused, found or customers; may be given several times [default: all; the fewer, the less noise]
    #[arg(long, value_name = "MEASURE", value_parser = measure)]
    pub of: Vec<Measure>,
    /// A kind that `found` tells apart; may be given several times [default: the classes]
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// The epsilon of this answer [default: numbers.epsilon]
    #[arg(long, value_name = "NUMBER")]
    pub epsilon: Option<Epsilon>,
    /// How the counts are shown
    #[arg(long, value_enum, default_value_t)]
    pub format: StatisticsForm,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// How counts are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatisticsForm {
    /// For people.
    #[default]
    Table,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object with all that the counts promise.
    Json,
}

/// `export …`
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// One row a conversation or turn that may be used for analytics; k-anonymous for the columns named
    #[command(after_help = exit::HELP)]
    Analytics(ExportArgs),
}

/// Flags of `export analytics`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The file to write; nothing may stand there. What it is and promises goes beside it, to FILE.manifest.json
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Each combination of values belongs to at least so many customers [default: numbers.k, and never less]
    #[arg(long, value_name = "N")]
    pub k: Option<u32>,
    /// What a row is
    #[arg(long, default_value = "conversation", value_parser = ["conversation", "turn"])]
    pub unit: String,
    /// How coarse times are: day, week, month or year
    #[arg(long, default_value = "week", value_parser = span)]
    pub span: Span,
    /// Only what began on this day or later (`2026-11-26`)
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub since: Option<UnixMillis>,
    /// Only what began before this day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<UnixMillis>,
    /// A column by which somebody could be recognised; may be given several times
    #[arg(long, value_name = "COLUMN", value_parser = column)]
    pub quasi: Vec<Column>,
    /// Leave the pseudonyms out
    #[arg(long)]
    pub unlinked: bool,
    /// The form of the rows [default: by the ending of the file, else jsonl]
    #[arg(long, value_enum)]
    pub format: Option<ExportForm>,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

/// The form of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportForm {
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Flags of `records`.
#[derive(Debug, Clone, Args)]
pub struct RecordsArgs {
    /// processing (GDPR 30), inventory, pci-scope, breach (GDPR 33 and 34) or threats (what was taken for attacks)
    #[arg(value_parser = record_name)]
    pub name: records::Name,
    /// breach, threats: since this day (`2026-11-26`) [threats: the last week]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub since: Option<UnixMillis>,
    /// breach, threats: before this day
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub until: Option<UnixMillis>,
    /// md for people, json for programs
    #[arg(long, default_value = "md", value_parser = record_form)]
    pub format: records::Form,
    /// Where.
    #[command(flatten)]
    pub at: DataArgs,
}

fn measure(word: &str) -> Result<Measure, String> {
    Measure::named(word).ok_or_else(|| "take one of turns, refused, found, customers".to_owned())
}

fn column(word: &str) -> Result<Column, String> {
    Column::named(word).ok_or_else(|| "take one of time, upstream, outcome, turns, refused, found".to_owned())
}

fn span(word: &str) -> Result<Span, String> {
    Span::named(word).ok_or_else(|| "take one of day, week, month, year".to_owned())
}

pub(super) fn day(text: &str) -> Result<UnixMillis, String> {
    coarse::day_named(text).ok_or_else(|| "write a day as 2026-11-26".to_owned())
}

fn record_name(word: &str) -> Result<records::Name, String> {
    records::Name::named(word)
        .ok_or_else(|| "take one of processing, inventory, pci-scope, breach, threats".to_owned())
}

fn record_form(word: &str) -> Result<records::Form, String> {
    records::Form::named(word).ok_or_else(|| "take md or json".to_owned())
}

/// `chatward statistics`
pub(super) fn statistics(args: StatisticsArgs) -> anyhow::Result<ExitCode> {
    let StatisticsArgs { weeks, of, kind, epsilon, format, at } = args;
    let question = Question { weeks: Some(weeks), measures: of, kinds: kind, epsilon };
    match answered(&at, Request::Statistics { question })? {
        Answer::Counted { counts } => match format {
            StatisticsForm::Table => table(&counts)?,
            StatisticsForm::Csv => io::stdout().write_all(&counts.to_csv())?,
            StatisticsForm::Json => say(serde_json::to_string_pretty(&counts)?)?,
        },
        answer => return refused(&answer),
    }
    Ok(ExitCode::from(exit::OK))
}

fn table(counts: &Counts) -> io::Result<()> {
    for cell in &counts.counts {
        let of = cell.of.as_deref().unwrap_or("");
        say(format_args!("{}  {:<10} {:<20} {:>8}", cell.week, cell.measure.name(), of, cell.count))?;
    }
    for spread in &counts.noise {
        say(format_args!(
            "{}: epsilon {}, in 95 of 100 cases off by {} at most",
            spread.measure.name(),
            spread.epsilon,
            spread.within
        ))?;
    }
    say(format_args!("{}", counts.promise))?;
    say(format_args!("unit: {}", counts.unit))?;
    say(format_args!(
        "epsilon of this answer {}, left until {} {}",
        counts.epsilon,
        coarse::moment(UnixMillis(counts.renews)),
        counts.left
    ))
}

/// `chatward export analytics`
pub(super) fn export(args: ExportArgs) -> anyhow::Result<ExitCode> {
    let ExportArgs { out, k, unit, span, since, until, quasi, unlinked, format, at } = args;
    let unit = if unit == "turn" { Unit::Turn } else { Unit::Conversation };
    let by_name = if ends_with(&out, "csv") { Form::Csv } else { Form::Jsonl };
    let form = match format {
        Some(ExportForm::Csv) => Form::Csv,
        Some(ExportForm::Jsonl) => Form::Jsonl,
        None => by_name,
    };
    let (since, until) = (since.map(|at| at.0), until.map(|at| at.0));
    let wanted = Wanted { unit, span: Some(span), k, since, until, quasi, unlinked, form };
    // The running process has another working folder.
    let file = std::path::absolute(&out)?.display().to_string();
    match answered(&at, Request::Export { file, wanted })? {
        Answer::Exported { rows, suppressed, smallest, manifest } => {
            say(format_args!(
                "{rows} rows, {suppressed} left out; what the table is and promises: {manifest}"
            ))?;
            if let Some(smallest) = smallest {
                say(format_args!("the smallest class has {smallest} customers"))?;
            }
            Ok(ExitCode::from(exit::OK))
        }
        answer => refused(&answer),
    }
}

fn ends_with(file: &Path, ending: &str) -> bool {
    file.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// `chatward records`
pub(super) fn records(args: RecordsArgs) -> anyhow::Result<ExitCode> {
    let RecordsArgs { name, since, until, format, at } = args;
    let asked = Asked { name, form: format, since: since.map(|at| at.0), until: until.map(|at| at.0) };
    match answered(&at, Request::Record { asked })? {
        Answer::Record { text } => {
            io::stdout().write_all(text.as_bytes())?;
            Ok(ExitCode::from(exit::OK))
        }
        answer => refused(&answer),
    }
}

fn refused(answer: &Answer) -> anyhow::Result<ExitCode> {
    if let Answer::Refused { code, message } = answer {
        say_error(format_args!("chatward: {code}: {message}"));
    }
    Ok(ExitCode::from(exit::BUSY))
}
