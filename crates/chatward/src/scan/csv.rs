//! CSV (RFC 4180): every cell is a document of its own.
//!
//! Cells are found here rather than with a CSV library because a redacted copy must keep every byte of what it does not
//! replace: the quoting, the line ends, the cells that are written oddly.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use chatward_detect::{Context, Detector};

use super::pipeline::{Batch, Work};
use super::report::{Problem, json_string, spans, table_row};
use super::{Mode, OutputFormat};

/// The byte order mark some programs put in front.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// The first record's cells: what stands above a cell says what it is.
pub(super) type Header = Arc<[Box<str>]>;

/// Where a cell reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotes around it; a quote in there means itself.
    Bare,
    /// Between the quotes.
    Quoted,
    /// After a quote that ends the cell, unless another one follows.
    Closing,
}

impl At {
    /// The state after `byte`, and what `byte` ended, if anything.
    fn step(self, byte: u8, delimiter: u8) -> (Self, Option<End>) {
        match (self, byte) {
            (Self::Quoted, b'"') => (Self::Closing, None),
            (Self::Quoted, _) | (Self::Closing, b'"') => (Self::Quoted, None),
            (_, b'\n') => (Self::Start, Some(End::Record)),
            (_, b) if b == delimiter => (Self::Start, Some(End::Cell)),
            (Self::Start, b'"') => (Self::Quoted, None),
            (Self::Closing, _) => (Self::Closing, None),
            (Self::Start | Self::Bare, _) => (Self::Bare, None),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cell,
    Record,
}

/// How many bytes of `data` are whole records, and how many records these are. At the end of the input everything is.
pub(super) fn whole_records(data: &[u8], delimiter: u8, ended: bool) -> (usize, u64) {
    let (mut at, mut cut, mut records) = (At::Start, 0, 0);
    for (i, byte) in data.iter().enumerate() {
        let end;
        (at, end) = at.step(*byte, delimiter);
        if end == Some(End::Record) {
            cut = i + 1;
            records += 1;
        }
    }
    if ended && cut < data.len() { (data.len(), records + 1) } else { (cut, records) }
}

/// One cell as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    /// Its bytes, quotes included, line end and separator left out.
    raw: Range<usize>,
    /// Whether it is the last one of its record.
    last: bool,
}

/// The cells of whole records.
fn cells(data: &[u8], delimiter: u8) -> impl Iterator<Item = Cell> {
    let (mut at, mut start, mut i) = (At::Start, 0, 0);
    // After a separator another cell follows, though nothing may stand in it.
    let mut open = false;
    std::iter::from_fn(move || {
        while let Some(byte) = data.get(i) {
            let end;
            (at, end) = at.step(*byte, delimiter);
            i += 1;
            let Some(end) = end else { continue };
            let last = end == End::Record;
            let mut stop = i - 1;
            if last && stop > start && data.get(stop - 1) == Some(&b'\r') {
                stop -= 1;
            }
            let raw = start..stop;
            (start, open) = (i, !last);
            return Some(Cell { raw, last });
        }
        // The last record may lack its line end.
        (open || start < data.len()).then(|| {
            let raw = start..data.len();
            (start, open) = (data.len(), false);
            Cell { raw, last: true }
        })
    })
}

/// What a cell says: without its quotes, doubled quotes made single.
fn decode(raw: &str) -> Cow<'_, str> {
    let Some(inner) = raw.strip_prefix('"') else { return Cow::Borrowed(raw) };
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if inner.contains("\"\"") { Cow::Owned(inner.replace("\"\"", "\"")) } else { Cow::Borrowed(inner) }
}

/// The header of an input: the cells of its first record.
pub(super) fn header(data: &[u8], delimiter: u8) -> Header {
    let data = data.strip_prefix(MARK).unwrap_or(data);
    let mut names = Vec::new();
    for cell in cells(data, delimiter) {
        let raw =
            data.get(cell.raw.clone()).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        names.push(decode(raw).trim().into());
        if cell.last {
            break;
        }
    }
    names.into()
}

/// Looks at a batch of whole records.
pub(super) fn work(batch: &mut Batch, detector: &Detector, mode: Mode) {
    let Batch { data, work, piece, source, header, .. } = batch;
    let mark = data.strip_prefix(MARK).filter(|_| piece.byte == 0);
    if mark.is_some() && mode == Mode::Redact {
        work.out.extend_from_slice(MARK);
    }
    let data = mark.unwrap_or(data);
    let (mut row, mut column) = (piece.line, 0);
    let mut record = Record { written: 0, out_start: work.out.len() };
    for cell in cells(data, source.delimiter) {
        column += 1;
        let end = if cell.last {
            data.get(cell.raw.end..).map_or(data.len(), |rest| cell.raw.end + line_end(rest))
        } else {
            0
        };
        match std::str::from_utf8(data.get(cell.raw.clone()).unwrap_or_default()) {
            Ok(raw) => {
                let name = header.get(column - 1).map(|name| &**name);
                let place = Place { file: &source.name, row, column, name, several: work.several };
                look(work, detector, mode, &place, raw, |work, redacted| {
                    if record.spoilt() {
                        return;
                    }
                    work.out.extend_from_slice(data.get(record.written..cell.raw.start).unwrap_or_default());
                    work.out.extend_from_slice(redacted.as_bytes());
                    record.written = cell.raw.end;
                });
            }
            Err(_) => record.spoil(work, row, column),
        }
        if cell.last {
            if mode == Mode::Redact && !record.spoilt() {
                work.out.extend_from_slice(data.get(record.written..end).unwrap_or_default());
            }
            record = Record { written: end, out_start: work.out.len() };
            (row, column) = (row + 1, 0);
        }
    }
}

/// The record that is being copied.
struct Record {
    /// Up to where its bytes are in the output. `usize::MAX` when it is left out.
    written: usize,
    out_start: usize,
}

impl Record {
    /// A record that cannot be read is reported and left out of a redacted copy: nobody can say what it holds.
    fn spoil(&mut self, work: &mut Work, row: u64, column: usize) {
        if !self.spoilt() {
            work.problems
                .push(Problem { line: row, what: format!("column {column} is not UTF-8; record left out") });
            work.out.truncate(self.out_start);
            self.written = usize::MAX;
        }
    }

    fn spoilt(&self) -> bool {
        self.written == usize::MAX
    }
}

fn line_end(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)
}

struct Place<'a> {
    file: &'a str,
    row: u64,
    column: usize,
    name: Option<&'a str>,
    several: bool,
}

fn look(
    work: &mut Work,
    detector: &Detector,
    mode: Mode,
    place: &Place<'_>,
    raw: &str,
    replace: impl FnOnce(&mut Work, &str),
) {
    let text = decode(raw);
    let previous = place.name.filter(|_| place.row > 1);
    let context = Context { previous, ..Context::default() };
    let (found, reasons) = work.look(detector, &text, context, place.row);
    let reasons = reasons.as_ref();
    work.documents += 1;
    work.count_language(None, &text, 1, found.len());
    if found.is_empty() {
        return;
    }
    match mode {
        Mode::Scan(OutputFormat::Jsonl) => {
            let out = &mut work.out;
            out.push(b'{');
            if place.several {
                out.extend_from_slice(b"\"file\":");
                json_string(out, place.file);
                out.push(b',');
            }
            out.extend_from_slice(format!("\"row\":{},\"column\":{}", place.row, place.column).as_bytes());
            if let Some(name) = place.name {
                out.extend_from_slice(b",\"name\":");
                json_string(out, name);
            }
            out.extend_from_slice(b",\"spans\":");
            spans(out, &text, &found, reasons);
            out.extend_from_slice(b"}\n");
        }
        Mode::Scan(OutputFormat::Table) => {
            for finding in &found {
                let at = format!("{}:{}:{}", place.file, place.row, place.column);
                table_row(&mut work.out, &at, finding, reasons);
            }
        }
        Mode::Redact => {
            let mut redacted = String::with_capacity(raw.len() + 16);
            let mut done = 0;
            for finding in &found {
                redacted.push_str(text.get(done..finding.span.start).unwrap_or_default());
                redacted.push('[');
                redacted.push_str(&finding.rule.label);
                redacted.push(']');
                done = finding.span.end;
            }
            redacted.push_str(text.get(done..).unwrap_or_default());
            if raw.starts_with('"') {
                redacted = format!("\"{}\"", redacted.replace('"', "\"\""));
            }
            replace(work, &redacted);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(data: &str) -> Vec<Vec<String>> {
        let mut rows = vec![Vec::new()];
        for cell in cells(data.as_bytes(), b',') {
            rows.last_mut().unwrap().push(decode(&data[cell.raw.clone()]).into_owned());
            if cell.last {
                rows.push(Vec::new());
            }
        }
        rows.pop();
        rows
    }

    #[test]
    fn cells_are_read_as_rfc_4180_says() {
        let data = "a,\"b,1\",\"say \"\"hi\"\"\"\r\n1,\"two\nlines\",5\" pipe\nlast,,";
        assert_eq!(
            decoded(data),
            [vec!["a", "b,1", "say \"hi\""], vec!["1", "two\nlines", "5\" pipe"], vec!["last", "", ""]]
                .map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>())[..]
        );
    }

    #[test]
    fn a_record_with_a_line_end_inside_quotes_is_not_cut() {
        let data = b"a,b\n1,\"x\ny";
        assert_eq!(whole_records(data, b',', false), (4, 1));
        assert_eq!(whole_records(data, b',', true), (data.len(), 2));
    }

    proptest! {
        /// The cells we see are the cells a CSV library sees in what a CSV library wrote.
        #[test]
        fn cells_agree_with_a_csv_library(rows in proptest::collection::vec(proptest::collection::vec("[a-c\", \n\r0-9é]{0,6}", 2..4), 1..5)) {
            let width = rows[0].len();
            let rows: Vec<Vec<String>> = rows.into_iter().map(|mut r| { r.resize(width, String::new()); r }).collect();
            let mut writer = ::csv::Writer::from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let written = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(decoded(&written), rows);
        }
    }
}
