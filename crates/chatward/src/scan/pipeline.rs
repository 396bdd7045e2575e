//! One reader, a worker a core, one writer; a fixed number of batches goes round between them.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use chatward_detect::{Context, Detector, Lang, guess_language};
use chatward_message::{Finding, RuleInfo};

use super::csv::{self, Header};
use super::cut::{Cutter, LINE_MAX, Piece, TARGET};
use super::input::{Inputs, Source};
use super::journal::{FileResult, Output};
use super::report::{Problem, Reporter};
use super::{InputFormat, Mode, jsonl, text};
use crate::explain::Reasons;

/// Part of an input, and what became of it. Made once, filled again and again.
pub(super) struct Batch {
    /// Its place among all batches of the run.
    seq: u64,
    pub(super) source: Arc<Source>,
    pub(super) piece: Piece,
    pub(super) data: Vec<u8>,
    /// First record of a CSV file; empty for other formats.
    pub(super) header: Header,
    pub(super) work: Work,
}

/// What a worker makes of a batch.
#[derive(Default)]
pub(super) struct Work {
    /// Bytes for the output.
    pub(super) out: Vec<u8>,
    pub(super) documents: u64,
    pub(super) problems: Vec<Problem>,
    counts: Vec<(Arc<RuleInfo>, u64)>,
    /// Messages and findings by language; of none that is clear under the last.
    languages: [(u64, u64); LANGUAGES],
    /// Whether each finding is explained.
    pub(super) explains: bool,
    /// Whether there is more than one input, so that findings must name theirs.
    pub(super) several: bool,
    /// Whether this batch's text was already said not to be UTF-8.
    pub(super) spoilt: bool,
}

/// The languages told apart, and none.
const LANGUAGES: usize = Lang::ALL.len() + 1;

impl Work {
    /// What is in a text, and why, where that is wanted. Counts it. That a larger model should have read it and did not is
    /// a problem of its line: what rules and tagger found stands.
    pub(super) fn look(
        &mut self,
        detector: &Detector,
        text: &str,
        context: Context<'_>,
        line: u64,
    ) -> (Vec<Finding>, Option<Reasons>) {
        let (found, unread) = detector.look(text, context);
        if let Some(why) = unread {
            self.problems.push(Problem { line, what: format!("left to rules and tagger: {why}") });
        }
        let reasons = (self.explains && !found.is_empty()).then(|| Reasons::of(detector, text, context));
        self.count(&found);
        (found, reasons)
    }

    /// Counts messages, and findings in them, under their language: the one given, else the one they show.
    pub(super) fn count_language(&mut self, lang: Option<Lang>, text: &str, messages: u64, findings: usize) {
        let lang = lang.or_else(|| guess_language(text));
        let at = lang.and_then(|lang| Lang::ALL.iter().position(|l| *l == lang)).unwrap_or(LANGUAGES - 1);
        if let Some((of_messages, of_findings)) = self.languages.get_mut(at) {
            *of_messages += messages;
            *of_findings += findings as u64;
        }
    }

    /// Counts findings per recogniser.
    fn count(&mut self, found: &[Finding]) {
        for finding in found {
            match self.counts.iter_mut().find(|(rule, _)| Arc::ptr_eq(rule, &finding.rule)) {
                Some((_, n)) => *n += 1,
                None => self.counts.push((Arc::clone(&finding.rule), 1)),
            }
        }
    }

    fn clear(&mut self) {
        self.out.clear();
        self.out.shrink_to(4 * TARGET);
        self.problems.clear();
        self.counts.clear();
        self.languages = Default::default();
        (self.documents, self.spoilt) = (0, false);
    }
}

/// Reads, looks and writes until all is done.
///
/// # Errors
/// Only when the output cannot be written.
pub(super) fn run(
    detector: &Detector,
    mode: Mode,
    (jobs, explains): (usize, bool),
    inputs: Inputs,
    mut output: Output,
    reporter: &mut Reporter,
) -> io::Result<()> {
    let several = inputs.several();
    let mut sources = Vec::with_capacity(inputs.sources.len());
    for source in inputs.sources {
        match output.finished(&source) {
            Some(done) => reporter.skipped(source.size, done),
            None => sources.push(Arc::new(source)),
        }
    }
    let Some(first) = sources.first().map(Arc::clone) else { return output.close() };
    let batches = 2 * jobs + 2;
    let (free_in, free) = sync_channel(batches);
    let (full_in, full) = sync_channel(batches);
    let (done_in, done) = sync_channel(batches);
    for _ in 0..batches {
        let work = Work { several, explains, ..Work::default() };
        let piece = Piece { line: 0, byte: 0, last: false, overlong: None };
        let batch = Batch {
            seq: 0,
            source: Arc::clone(&first),
            piece,
            data: Vec::new(),
            header: Header::default(),
            work,
        };
        // The channel has room for all of them.
        let _ = free_in.send(batch);
    }
    let full = Mutex::new(full);
    std::thread::scope(|scope| {
        scope.spawn(move || read(&sources, &free, &full_in));
        for _ in 0..jobs {
            let (full, done_in) = (&full, done_in.clone());
            scope.spawn(move || look(detector, mode, full, &done_in));
        }
        drop(done_in);
        // If writing fails both ends the writer holds are dropped, and everybody else stops.
        write(done, free_in, &mut output, reporter)?;
        output.close()
    })
}

/// Fills free batches from the inputs, in order.
fn read(sources: &[Arc<Source>], free: &Receiver<Batch>, full: &SyncSender<Batch>) {
    let mut seq = 0;
    for source in sources {
        let mut header = Header::default();
        let mut cutter = source.open().map(|input| Cutter::new(input, source.format, source.delimiter));
        loop {
            let Ok(mut batch) = free.recv() else { return };
            let read = match &mut cutter {
                Ok(cutter) => cutter.next(&mut batch.data),
                Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
            };
            batch.piece = read.unwrap_or_else(|e| {
                batch.data.clear();
                batch.work.problems.push(Problem { line: 0, what: e.to_string() });
                Piece { line: 0, byte: 0, last: true, overlong: None }
            });
            if let Some(line) = batch.piece.overlong {
                let what = format!("longer than {} MiB; left out", LINE_MAX >> 20);
                batch.work.problems.push(Problem { line, what });
            }
            if source.format == InputFormat::Csv && batch.piece.byte == 0 {
                header = csv::header(&batch.data, source.delimiter);
            }
            batch.header = Arc::clone(&header);
            batch.source = Arc::clone(source);
            batch.seq = seq;
            seq += 1;
            let last = batch.piece.last;
            if full.send(batch).is_err() {
                return;
            }
            if last {
                break;
            }
        }
    }
}

/// Looks at batches, whichever comes next.
fn look(detector: &Detector, mode: Mode, full: &Mutex<Receiver<Batch>>, done: &SyncSender<Batch>) {
    loop {
        let next = full.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut batch) = next else { return };
        work(&mut batch, detector, mode);
        if done.send(batch).is_err() {
            return;
        }
    }
}

fn work(batch: &mut Batch, detector: &Detector, mode: Mode) {
    match batch.source.format {
        InputFormat::Jsonl => jsonl::work(batch, detector, mode),
        InputFormat::Csv => csv::work(batch, detector, mode),
        InputFormat::Text => text::work(batch, detector, mode),
    }
}

/// The output for one input that is in memory, and how many findings and problems there were.
///
/// # Errors
/// Never for bytes in memory.
pub(super) fn of_bytes(
    detector: &Detector,
    format: InputFormat,
    mode: Mode,
    bytes: &[u8],
) -> io::Result<(Vec<u8>, u64, usize)> {
    let name = String::from("bytes");
    let (relative, size) = (name.clone().into(), bytes.len() as u64);
    let source = Source { name, path: None, relative, format, delimiter: b',', size, changed: 0 };
    let mut cutter = Cutter::new(Box::new(io::Cursor::new(bytes.to_vec())), format, source.delimiter);
    let header =
        if format == InputFormat::Csv { csv::header(bytes, source.delimiter) } else { Header::default() };
    let piece = Piece { line: 0, byte: 0, last: false, overlong: None };
    let source = Arc::new(source);
    let mut batch = Batch { seq: 0, source, piece, data: Vec::new(), header, work: Work::default() };
    while !batch.piece.last {
        batch.piece = cutter.next(&mut batch.data)?;
        work(&mut batch, detector, mode);
    }
    let Work { out, problems, counts, .. } = batch.work;
    Ok((out, counts.iter().map(|(_, n)| n).sum(), problems.len()))
}

/// Writes results in the order of the input and hands the batches back.
#[expect(clippy::needless_pass_by_value, reason = "both ends are closed when writing stops")]
fn write(
    done: Receiver<Batch>,
    free: SyncSender<Batch>,
    output: &mut Output,
    reporter: &mut Reporter,
) -> io::Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    let mut file = FileResult::default();
    for batch in &done {
        early.insert(batch.seq, batch);
        while let Some(mut batch) = early.remove(&next) {
            next += 1;
            output.write(&batch.source, &batch.work.out)?;
            for (rule, n) in &batch.work.counts {
                file.count(&rule.entity, rule.kind.as_str(), *n);
            }
            let languages = Lang::ALL.iter().map(|lang| lang.code()).chain(["unclear"]);
            for (language, (messages, findings)) in languages.zip(batch.work.languages) {
                file.count_language(language, messages, findings);
            }
            file.documents += batch.work.documents;
            file.problems += batch.work.problems.len() as u64;
            reporter.batch(&batch.source.name, batch.data.len() as u64, &mut batch.work);
            if batch.piece.last {
                reporter.file(&file);
                output.end(&batch.source, std::mem::take(&mut file))?;
            }
            batch.work.clear();
            batch.data.clear();
            batch.data.shrink_to(4 * TARGET);
            // The reader is gone when it has read everything.
            let _ = free.send(batch);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_under_the_language_given_or_shown() {
        let detector = Detector::builtin().unwrap();
        let lines = "{\"text\":\"where is my order? write to anna@example.org\"}\n{\"text\":\"ok\",\"lang\":\"de-AT\"}\n\
                     {\"text\":\"4471\"}\n{\"text\":\"ich habe meine karte verloren\"}\n{\"text\":\"ok\",\"lang\":\"sw\"}\n";
        let mut batch = Batch {
            seq: 0,
            source: Arc::new(Source {
                name: "x".into(),
                path: None,
                relative: "x".into(),
                format: InputFormat::Jsonl,
                delimiter: b',',
                size: 0,
                changed: 0,
            }),
            piece: Piece { line: 1, byte: 0, last: true, overlong: None },
            data: lines.into(),
            header: Header::default(),
            work: Work::default(),
        };
        work(&mut batch, &detector, Mode::Redact);
        let counted = batch.work.languages;
        let of = |code: &str| Lang::ALL.iter().position(|l| l.code() == code).map(|at| counted[at]);
        assert_eq!([of("en"), of("de"), of("other")], [Some((1, 1)), Some((2, 0)), Some((1, 0))]);
        assert_eq!(counted[LANGUAGES - 1], (1, 0));
    }
}
