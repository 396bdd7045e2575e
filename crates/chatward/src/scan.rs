//! `chatward scan` and `chatward redact`: years of chat logs in bulk.
//!
//! One reader cuts the inputs into batches of whole lines, records or paragraphs, all cores look at them, one writer
//! puts the results back into the order of the input. The number of batches is fixed, so memory is bounded on files of
//! any size; buffers go round and round, so a line costs no allocation unless something is found in it.
//!
//! | format | a document is | a finding is placed by |
//! | --- | --- | --- |
//! | `jsonl` | the `text` of a line `{"id","text"[,"lang"][,"previous"]}` | code points in `text`, end exclusive |
//! | `csv` | a cell; the first record's cell above it counts as what was said before | row, column, code points in the cell |
//! | `text` | the file, in blocks of 128 KiB and more that end at a blank line (a line, if there is none in 1 MiB) | line, column, bytes in the file |
//!
//! With `--explain` each finding says why it has its score and what it was chosen over: an object `explain` in JSON, indented
//! lines in a table. The summary counts messages and findings by language, the one given or the one a message shows.
//!
//! Exit codes: 0 done; 1 something was found (`scan --fail-on-findings` only); 2 wrong usage; 3 some input could not be
//! read (a missing file, a broken line), or the output could not be written: everything else was still done.

mod csv;
mod cut;
mod input;
mod journal;
mod jsonl;
mod pipeline;
mod report;
#[cfg(test)]
mod tests;
mod text;

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Instant;

use self::input::Inputs;
use self::journal::Output;
use self::report::Reporter;
use crate::cli::{InputFormat, OutputFormat, ScanArgs};

/// What is done with the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// They are listed.
    Scan(OutputFormat),
    /// They are replaced by `[LABEL]` in a copy.
    Redact,
}

/// `chatward scan`: lists what is found.
///
/// # Errors
/// When the output cannot be written. Inputs that cannot be read are reported on stderr and show in the exit code.
pub fn run(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let to_terminal = args.output.is_none() && io::IsTerminal::is_terminal(&io::stdout());
    let table = to_terminal && args.input_format != Some(InputFormat::Jsonl);
    let guessed = if table { OutputFormat::Table } else { OutputFormat::Jsonl };
    go(args, Mode::Scan(args.format.unwrap_or(guessed)))
}

/// `chatward redact`: writes a copy in which every finding is replaced by `[LABEL]`.
///
/// # Errors
/// When the output cannot be written. Inputs that cannot be read are reported on stderr and show in the exit code.
pub fn redact(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    go(args, Mode::Redact)
}

/// What `scan` (as JSONL) or `redact` writes for bytes in memory, and how many findings and problems there were. Hidden:
/// it is there for the fuzz targets, which must reach the readers of lines and records without files, threads and terminal.
///
/// # Errors
/// Never for bytes in memory.
#[doc(hidden)]
pub fn of_bytes(
    detector: &chatward_detect::Detector,
    format: InputFormat,
    redact: bool,
    bytes: &[u8],
) -> io::Result<(Vec<u8>, u64, usize)> {
    let mode = if redact { Mode::Redact } else { Mode::Scan(OutputFormat::Jsonl) };
    pipeline::of_bytes(detector, format, mode, bytes)
}

fn go(args: &ScanArgs, mode: Mode) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let mut reporter = Reporter::new(args.quiet);
    let delimiter = match args.delimiter.map(u8::try_from) {
        None => None,
        Some(Ok(byte)) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Some(byte),
        Some(_) => {
            return Ok(usage(
                &mut reporter,
                "--delimiter wants one ASCII character, not a quote or a line end",
            ));
        }
    };
    if args.explain && mode == Mode::Redact {
        return Ok(usage(&mut reporter, "--explain is for scan: a copy has no room for reasons"));
    }
    let (detector, unusable) = crate::cli::scan_detector(args.config.as_deref(), args.rules.as_deref())?;
    for fault in unusable.iter().flat_map(crate::config::Faults::iter) {
        reporter.note(&format!("rules and tagger look alone: {fault}"));
    }
    let inputs =
        Inputs::collect(&args.paths, args.input_format, delimiter, args.output.as_deref(), &mut reporter);
    let output = match Output::open(args, mode, &inputs, detector.hash()) {
        Ok(output) => output,
        Err(journal::OpenError::Usage(what)) => return Ok(usage(&mut reporter, &what)),
        Err(journal::OpenError::Io(what, source)) => {
            reporter.note(&format!("{what}: {source}"));
            return Ok(ExitCode::from(3));
        }
    };
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    reporter.start(&inputs);
    match pipeline::run(&detector, mode, (jobs, args.explain), inputs, output, &mut reporter) {
        Ok(()) => {}
        // Whoever reads our output has seen enough (`chatward scan … | head`).
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(e) => {
            reporter.note(&format!("cannot write the output: {e}"));
            return Ok(ExitCode::from(3));
        }
    }
    reporter.summary(started.elapsed(), mode);
    Ok(if reporter.problems() > 0 {
        ExitCode::from(3)
    } else if args.fail_on_findings && matches!(mode, Mode::Scan(_)) && reporter.findings() > 0 {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    })
}

fn usage(reporter: &mut Reporter, what: &str) -> ExitCode {
    reporter.note(what);
    ExitCode::from(2)
}
