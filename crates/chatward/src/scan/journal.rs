//! Where results go, and the journal beside them that lets a stopped run go on.
//!
//! `scan` appends to one file. The journal says after each input how long the output was, so a later run with
//! `--resume` keeps the longest beginning that still holds (same inputs, unchanged, same rules), cuts the output there
//! and goes on: the result is the one a fresh run would give. `redact` of a folder writes a file for each input, under
//! another name until it is whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::input::{Inputs, Source};
use super::report::Counts;
use super::{Mode, OutputFormat, ScanArgs};

const JOURNAL: &str = "chatward-journal";
const PART: &str = "chatward-part";

/// Whether a path is a file of ours that is never an input.
pub(super) fn is_journal(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == JOURNAL || e == PART)
}

/// Why there is no output.
#[derive(Debug)]
pub(super) enum OpenError {
    /// What was asked for makes no sense.
    Usage(String),
    /// What could not be done, and why.
    Io(String, io::Error),
}

/// What an input came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileResult {
    pub(super) documents: u64,
    pub(super) problems: u64,
    /// Public type, own kind, how often.
    found: Vec<(String, String, u64)>,
    /// Language, messages, findings.
    #[serde(default)]
    pub(super) languages: Vec<(String, u64, u64)>,
}

impl FileResult {
    pub(super) fn count(&mut self, entity: &str, kind: &str, n: u64) {
        match self.found.iter_mut().find(|(e, k, _)| e == entity && k == kind) {
            Some((_, _, sum)) => *sum += n,
            None => self.found.push((entity.to_owned(), kind.to_owned(), n)),
        }
    }

    pub(super) fn count_language(&mut self, language: &str, messages: u64, findings: u64) {
        if messages == 0 && findings == 0 {
            return;
        }
        match self.languages.iter_mut().find(|(known, ..)| known == language) {
            Some((_, of_messages, of_findings)) => {
                *of_messages += messages;
                *of_findings += findings;
            }
            None => self.languages.push((language.to_owned(), messages, findings)),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.found.iter().map(|(entity, kind, n)| ((entity.clone(), kind.clone()), *n)).collect()
    }
}

/// First line of a journal: another one, and nothing of it counts.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    journal: u32,
    what: String,
    rules: String,
}

/// One finished input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    file: String,
    size: u64,
    changed: u128,
    /// Length of the output after it (of its own output, for `redact` of a folder).
    end: u64,
    #[serde(flatten)]
    result: FileResult,
}

impl Entry {
    fn is_of(&self, source: &Source) -> bool {
        (&self.file, self.size, self.changed) == (&source.name, source.size, source.changed)
    }
}

enum Place {
    Stdout(io::Stdout),
    /// One file that grows; where its end is.
    Growing(File, u64),
    /// A file, or a file for each input below a folder, renamed when whole.
    Whole {
        target: PathBuf,
        folder: bool,
        part: Option<(File, u64)>,
    },
}

/// Where results go.
pub(super) struct Output {
    place: Place,
    journal: Option<File>,
    /// Finished by an earlier run, by name.
    finished: BTreeMap<String, Entry>,
}

impl Output {
    pub(super) fn open(args: &ScanArgs, mode: Mode, inputs: &Inputs, rules: &str) -> Result<Self, OpenError> {
        let Some(path) = &args.output else {
            if mode == Mode::Redact && inputs.several() {
                return Err(OpenError::Usage("redact of several files wants --output FOLDER".to_owned()));
            }
            return Self { place: Place::Stdout(io::stdout()), journal: None, finished: BTreeMap::new() }
                .headed(mode);
        };
        let failed = |what: &str| {
            let what = format!("{what} {}", path.display());
            move |e| OpenError::Io(what, e)
        };
        if let Ok(real) = fs::canonicalize(path) {
            let same =
                |s: &Source| s.path.as_ref().and_then(|p| fs::canonicalize(p).ok()).as_ref() == Some(&real);
            if let Some(source) = inputs.sources.iter().find(|s| same(s)) {
                return Err(OpenError::Usage(format!("{} is both input and output", source.name)));
            }
        }
        let what = match mode {
            Mode::Scan(OutputFormat::Jsonl) if args.explain => "scan jsonl explained",
            Mode::Scan(OutputFormat::Table) if args.explain => "scan table explained",
            Mode::Scan(OutputFormat::Jsonl) => "scan jsonl",
            Mode::Scan(OutputFormat::Table) => "scan table",
            Mode::Redact => "redact",
        };
        let head = Head { journal: 1, what: what.to_owned(), rules: rules.to_owned() };
        if mode == Mode::Redact {
            let folder = inputs.several();
            if folder {
                one_name_each(inputs)?;
                fs::create_dir_all(path).map_err(failed("cannot make"))?;
            }
            let regular = fs::metadata(path).map_or(true, |m| m.is_file());
            if !folder && !regular {
                let file = OpenOptions::new().write(true).open(path).map_err(failed("cannot write"))?;
                return Ok(Self { place: Place::Growing(file, 0), journal: None, finished: BTreeMap::new() });
            }
            let place = Place::Whole { target: path.clone(), folder, part: None };
            if !folder {
                return Ok(Self { place, journal: None, finished: BTreeMap::new() });
            }
            let beside = path.join(format!(".{JOURNAL}"));
            let mut kept = if args.resume { entries(&beside, &head) } else { Vec::new() };
            kept.retain(|entry| {
                inputs
                    .sources
                    .iter()
                    .find(|s| entry.is_of(s))
                    .is_some_and(|s| fs::metadata(path.join(&s.relative)).is_ok_and(|m| m.len() == entry.end))
            });
            let journal = begin(&beside, &head, &kept).map_err(failed("cannot write the journal in"))?;
            return Ok(Self { place, journal: Some(journal), finished: by_name(kept) });
        }
        let keeps_journal = inputs.several();
        let beside = path.with_file_name(format!(
            "{}.{JOURNAL}",
            path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default()
        ));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("cannot write"))?;
        let regular = file.metadata().is_ok_and(|m| m.is_file());
        let mut kept =
            if args.resume && keeps_journal && regular { entries(&beside, &head) } else { Vec::new() };
        let length = file.metadata().map_or(0, |m| m.len());
        // The output is one file: only a beginning of it can be kept.
        let same =
            kept.iter().zip(&inputs.sources).take_while(|(e, s)| e.is_of(s) && e.end <= length).count();
        kept.truncate(same);
        let end = kept.last().map_or(0, |entry| entry.end);
        if regular {
            file.set_len(end)
                .and_then(|()| file.seek(SeekFrom::Start(end)))
                .map_err(failed("cannot write"))?;
        }
        let journal = match keeps_journal && regular {
            true => Some(begin(&beside, &head, &kept).map_err(failed("cannot write the journal beside"))?),
            false => None,
        };
        let output = Self { place: Place::Growing(file, end), journal, finished: by_name(kept) };
        if end == 0 { output.headed(mode) } else { Ok(output) }
    }

    /// Writes the heading of a table.
    fn headed(mut self, mode: Mode) -> Result<Self, OpenError> {
        if mode == Mode::Scan(OutputFormat::Table) {
            let heading = format!("{:<32} {:<16} {:<24} SCORE\n", "PLACE", "TYPE", "KIND");
            let failed = |e| OpenError::Io("cannot write the output".to_owned(), e);
            match &mut self.place {
                Place::Stdout(out) => out.write_all(heading.as_bytes()).map_err(failed)?,
                Place::Growing(file, end) => {
                    file.write_all(heading.as_bytes()).map_err(failed)?;
                    *end += heading.len() as u64;
                }
                Place::Whole { .. } => {}
            }
        }
        Ok(self)
    }

    /// What an earlier run made of this input, if it need not be read again.
    pub(super) fn finished(&self, source: &Source) -> Option<&FileResult> {
        self.finished.get(&source.name).map(|entry| &entry.result)
    }

    /// Writes the next bytes of an input's result.
    pub(super) fn write(&mut self, source: &Source, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Stdout(out) => out.write_all(bytes),
            Place::Growing(file, end) => {
                file.write_all(bytes)?;
                *end += bytes.len() as u64;
                Ok(())
            }
            Place::Whole { target, folder, part } => {
                let (file, end) = match part {
                    Some(open) => open,
                    None => part.insert((create(&part_of(&own(target, *folder, source)))?, 0)),
                };
                file.write_all(bytes)?;
                *end += bytes.len() as u64;
                Ok(())
            }
        }
    }

    /// An input is finished.
    pub(super) fn end(&mut self, source: &Source, result: FileResult) -> io::Result<()> {
        let end = match &mut self.place {
            Place::Stdout(out) => return out.flush(),
            Place::Growing(_, end) => *end,
            Place::Whole { target, folder, part } => {
                let own = own(target, *folder, source);
                let (file, end) = match part.take() {
                    Some(open) => open,
                    None => (create(&part_of(&own))?, 0),
                };
                drop(file);
                fs::rename(part_of(&own), own)?;
                end
            }
        };
        if let Some(journal) = &mut self.journal {
            let entry =
                Entry { file: source.name.clone(), size: source.size, changed: source.changed, end, result };
            append(journal, &entry)?;
        }
        Ok(())
    }

    /// Everything is written.
    pub(super) fn close(self) -> io::Result<()> {
        match self.place {
            Place::Stdout(mut out) => out.flush(),
            Place::Growing(..) | Place::Whole { .. } => Ok(()),
        }
    }
}

fn own(target: &Path, folder: bool, source: &Source) -> PathBuf {
    if folder { target.join(&source.relative) } else { target.to_owned() }
}

fn part_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(
        "{}.{PART}",
        path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default()
    ))
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create(path)
}

/// Two inputs must not write the same file.
fn one_name_each(inputs: &Inputs) -> Result<(), OpenError> {
    let mut names = HashSet::new();
    match inputs.sources.iter().find(|s| !names.insert(&s.relative)) {
        Some(twice) => Err(OpenError::Usage(format!("two inputs would become {}", twice.relative.display()))),
        None => Ok(()),
    }
}

/// The entries of a journal that was begun with the same head, up to the first line that is not whole.
fn entries(path: &Path, head: &Head) -> Vec<Entry> {
    let Ok(text) = fs::read_to_string(path) else { return Vec::new() };
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    if lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok()).as_ref() != Some(head) {
        return Vec::new();
    }
    lines.map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// A journal with what still holds.
fn begin(path: &Path, head: &Head, kept: &[Entry]) -> io::Result<File> {
    let part = part_of(path);
    let mut file = File::create(&part)?;
    append(&mut file, head)?;
    for entry in kept {
        append(&mut file, entry)?;
    }
    fs::rename(part, path)?;
    Ok(file)
}

fn append(journal: &mut File, line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    journal.write_all(&text)
}

fn by_name(entries: Vec<Entry>) -> BTreeMap<String, Entry> {
    entries.into_iter().map(|entry| (entry.file.clone(), entry)).collect()
}
