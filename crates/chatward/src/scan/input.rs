//! What is read: files, folders walked in name order, stdin; and in which format each is written.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::InputFormat;
use super::report::Reporter;

/// One file or stdin.
#[derive(Debug)]
pub(super) struct Source {
    /// How people know it: the path as given, or joined from the folder given; `-` for stdin.
    pub(super) name: String,
    /// Where it lies; nothing for stdin.
    pub(super) path: Option<PathBuf>,
    /// Below the folder it was found in; the file's name if it was named itself.
    pub(super) relative: PathBuf,
    pub(super) format: InputFormat,
    /// Separator of cells, for CSV.
    pub(super) delimiter: u8,
    /// Size in bytes when it was listed (0 for stdin and what is no regular file).
    pub(super) size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub(super) changed: u128,
}

impl Source {
    /// Opens it for reading.
    pub(super) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin()),
        })
    }
}

/// Everything that is to be read, in order.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) sources: Vec<Source>,
    /// Whether a folder was among what was named: then there may be any number of files.
    pub(super) folder: bool,
}

impl Inputs {
    /// Walks what was named. What cannot be listed is reported, and the rest is still done.
    pub(super) fn collect(
        paths: &[PathBuf],
        format: Option<InputFormat>,
        delimiter: Option<u8>,
        output: Option<&Path>,
        reporter: &mut Reporter,
    ) -> Self {
        let output = output.and_then(|o| fs::canonicalize(o).ok());
        let mut walk = Walk { format, delimiter, output, sources: Vec::new(), reporter };
        let mut folder = false;
        if paths.is_empty() {
            walk.stdin();
        }
        for path in paths {
            if path.as_os_str() == "-" {
                walk.stdin();
            } else if path.is_dir() {
                folder = true;
                walk.folder(path, path);
            } else {
                walk.named(path);
            }
        }
        Self { sources: walk.sources, folder }
    }

    /// Whether the output has to hold more than one file.
    pub(super) fn several(&self) -> bool {
        self.folder || self.sources.len() > 1
    }

    /// Bytes in all, as far as known.
    pub(super) fn bytes(&self) -> u64 {
        self.sources.iter().map(|s| s.size).sum()
    }
}

struct Walk<'a> {
    format: Option<InputFormat>,
    delimiter: Option<u8>,
    /// The output is never an input, though it may lie in a folder that is walked.
    output: Option<PathBuf>,
    sources: Vec<Source>,
    reporter: &'a mut Reporter,
}

impl Walk<'_> {
    fn stdin(&mut self) {
        self.sources.push(Source {
            name: "-".to_owned(),
            path: None,
            relative: PathBuf::from("stdin"),
            format: self.format.unwrap_or(InputFormat::Text),
            delimiter: self.delimiter.unwrap_or(b','),
            size: 0,
            changed: 0,
        });
    }

    fn named(&mut self, path: &Path) {
        let relative = path.file_name().map_or_else(|| path.to_owned(), PathBuf::from);
        self.file(path, relative, self.format.or_else(|| by_ending(path)).unwrap_or(InputFormat::Text));
    }

    fn folder(&mut self, top: &Path, folder: &Path) {
        let listed = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut entries = match listed {
            Ok(entries) => entries,
            Err(e) => return self.reporter.problem(&folder.display().to_string(), &e.to_string()),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            // A link to a folder is not followed: it may lead in a circle.
            let linked_folder = entry.file_type().is_ok_and(|t| t.is_symlink()) && path.is_dir();
            if linked_folder || self.is_output(&path) || super::journal::is_journal(&path) {
                continue;
            }
            if path.is_dir() {
                self.folder(top, &path);
                continue;
            }
            let format = match self.format.or_else(|| by_ending(&path)) {
                Some(format) => format,
                None if looks_binary(&path) => {
                    self.reporter.skipped_binary();
                    continue;
                }
                None => InputFormat::Text,
            };
            let relative = path.strip_prefix(top).unwrap_or(&path).to_owned();
            self.file(&path, relative, format);
        }
    }

    fn is_output(&self, path: &Path) -> bool {
        self.output.is_some() && fs::canonicalize(path).ok() == self.output
    }

    fn file(&mut self, path: &Path, relative: PathBuf, format: InputFormat) {
        let about = fs::metadata(path).ok();
        let changed =
            about.as_ref().and_then(|m| m.modified().ok()).and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        self.sources.push(Source {
            name: path.display().to_string(),
            path: Some(path.to_owned()),
            relative,
            format,
            delimiter: self.delimiter.unwrap_or(if tabs { b'\t' } else { b',' }),
            size: about.as_ref().filter(|m| m.is_file()).map_or(0, fs::Metadata::len),
            changed: changed.map_or(0, |t| t.as_nanos()),
        });
    }
}

/// The format a file's ending stands for.
fn by_ending(path: &Path) -> Option<InputFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "jsonl" | "ndjson" => Some(InputFormat::Jsonl),
        "csv" | "tsv" => Some(InputFormat::Csv),
        "txt" | "text" | "log" | "md" => Some(InputFormat::Text),
        _ => None,
    }
}

/// A zero byte among the first 8 KiB: pictures, archives, programs.
fn looks_binary(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|f| f.take(8192).read_to_end(&mut start));
    read.is_ok() && start.contains(&0)
}
