//! `chatward statistics`, `chatward export` and `chatward records`.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use chatward_message::UnixMillis;
use chatward_policy::numbers::coarse;

use super::commands::{answered, say, say_error};
use super::{ExportArgs, ExportForm, RecordsArgs, StatisticsArgs, StatisticsForm, exit};
use crate::control::{Answer, Request};
use crate::numbers::export::{Form, Unit, Wanted};
use crate::numbers::statistics::{Counts, Question};
use crate::records::Asked;

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
