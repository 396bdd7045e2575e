//! What waits for a receiver, on disk: a row of files of lines, of which the oldest goes first.
//!
//! The bound is that of all files together. What does not fit is not taken, so that the oldest stays: an attack shows best
//! where it began. What was taken is noted in the file `taken` (which file, and how far in), written beside and renamed; after a crash
//! a receiver may get the last ones twice, and knows them by their id. A line that a crash cut off is dropped at the next start.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file is done at this size, or at an eighth of the bound if that is less.
const FILE: u64 = 1 << 20;
/// Numbers of files are below this, so that a damaged note leads nowhere.
const MOST_FILES: u64 = 1_000_000_000_000_000;
/// The longest line that is read back.
const LINE: u64 = 1 << 16;

/// How far something was taken: in which file, and how many bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    file: u64,
    bytes: u64,
}

/// Lines that wait.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    bound: u64,
    /// Up to here everything was taken.
    taken: Mark,
    /// Where the next line goes.
    end: Mark,
    /// The bytes of all files.
    size: u64,
    /// The last file, once it is open.
    last: Option<File>,
}

impl Spool {
    /// Those in this folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path, bound: u64) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let files = files(folder)?;
        let marked = mark(folder)?.filter(|mark| mark.file < MOST_FILES);
        let last = files.last().copied().unwrap_or(0);
        // Where everything was taken there is no file, and the numbers go on.
        let end = match marked {
            Some(mark) if files.is_empty() || mark.file > last => Mark { file: mark.file, bytes: 0 },
            _ => Mark { file: last, bytes: whole(&path(folder, last))? },
        };
        let first = Mark { file: files.first().copied().unwrap_or(end.file), bytes: 0 };
        let taken = marked.filter(|taken| (first..=end).contains(taken)).unwrap_or(first.min(end));
        let mut size = 0;
        for file in files {
            size += fs::metadata(path(folder, file))?.len();
        }
        Ok(Self { folder: folder.to_owned(), bound, taken, end, size, last: None })
    }

    /// Puts lines at the end, as many as fit; says how many. They are on the disk then.
    pub(crate) fn put(&mut self, lines: &[String]) -> io::Result<usize> {
        let mut fitted = 0;
        for line in lines {
            let length = line.len() as u64 + 1;
            if self.size + length > self.bound || length > LINE {
                break;
            }
            if self.end.bytes >= FILE.min(self.bound / 8).max(1) {
                self.flush()?;
                (self.end, self.last) = (Mark { file: self.end.file + 1, bytes: 0 }, None);
            }
            let whole = format!("{line}\n");
            let bytes = self.end.bytes;
            let file = self.file()?;
            if let Err(error) = file.write_all(whole.as_bytes()) {
                // A full disk: what was written of it goes again.
                let _ = file.set_len(bytes);
                self.last = None;
                return if fitted > 0 { Ok(fitted) } else { Err(error) };
            }
            self.end.bytes += length;
            self.size += length;
            fitted += 1;
        }
        self.flush()?;
        Ok(fitted)
    }

    /// The oldest lines, at most so many, and up to where they reach.
    pub(crate) fn oldest(&self, most: usize) -> io::Result<(Vec<String>, Mark)> {
        let (mut lines, mut at) = (Vec::new(), self.taken);
        while lines.len() < most && at < self.end {
            let mut file = match File::open(path(&self.folder, at.file)) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    at = Mark { file: at.file + 1, bytes: 0 };
                    continue;
                }
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(at.bytes))?;
            let mut reader = BufReader::new(file);
            while lines.len() < most && at < self.end {
                let mut line = Vec::new();
                let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line)?;
                if read == 0 {
                    break;
                }
                at.bytes += read as u64;
                line.pop();
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
            if at.file < self.end.file && reader.fill_buf()?.is_empty() {
                at = Mark { file: at.file + 1, bytes: 0 };
            }
        }
        Ok((lines, at))
    }

    /// Everything up to here was taken.
    pub(crate) fn taken(&mut self, to: Mark) -> io::Result<()> {
        if to <= self.taken {
            return Ok(());
        }
        for file in self.taken.file..to.file {
            self.remove(file)?;
        }
        self.taken = to;
        if self.taken == self.end && self.end.bytes > 0 {
            // Nothing waits: the file is of no use any more.
            self.remove(self.end.file)?;
            self.end = Mark { file: self.end.file + 1, bytes: 0 };
            (self.taken, self.last) = (self.end, None);
        }
        let (new, name) = (self.folder.join("taken.new"), self.folder.join("taken"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        write!(file, "{} {}", self.taken.file, self.taken.bytes)?;
        file.sync_data()?;
        fs::rename(new, name)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken >= self.end
    }

    /// The bytes on disk.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    fn remove(&mut self, file: u64) -> io::Result<()> {
        let path = path(&self.folder, file);
        let length = fs::metadata(&path).map_or(0, |file| file.len());
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.size = self.size.saturating_sub(length);
                Ok(())
            }
        }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.last.take() {
            Some(file) => file,
            None => {
                let path = path(&self.folder, self.end.file);
                OpenOptions::new().create(true).append(true).mode(0o600).open(path)?
            }
        };
        Ok(self.last.insert(file))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.last.as_ref().map_or(Ok(()), File::sync_data)
    }
}

fn path(folder: &Path, file: u64) -> PathBuf {
    folder.join(format!("{file:016}.jsonl"))
}

/// The numbers of the files, in order.
fn files(folder: &Path) -> io::Result<Vec<u64>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        files
            .extend(number.filter(|number| number.len() == 16).and_then(|number| number.parse::<u64>().ok()));
    }
    files.sort_unstable();
    Ok(files)
}

/// The bytes of a file up to its last whole line; the rest is cut off.
fn whole(path: &Path) -> io::Result<u64> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&file).take(LINE).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|b| *b == b'\n').map_or(from, |at| from + at as u64 + 1);
    if end < length {
        file.set_len(end)?;
    }
    Ok(end)
}

/// What the file `taken` says; nothing if it says nothing that can be read.
fn mark(folder: &Path) -> io::Result<Option<Mark>> {
    let mut text = String::new();
    match File::open(folder.join("taken")) {
        Ok(file) => file.take(64).read_to_string(&mut text).map(drop).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut numbers = text.split(' ').map(str::parse::<u64>);
    Ok(match (numbers.next(), numbers.next()) {
        (Some(Ok(file)), Some(Ok(bytes))) => Some(Mark { file, bytes }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(n: usize) -> String {
        format!("line {n}")
    }

    #[test]
    fn the_oldest_stays_when_it_is_full_and_there_is_room_again_when_it_was_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 64).unwrap();
        let lines: Vec<String> = (0..20).map(line).collect();
        let fitted = spool.put(&lines).unwrap();
        assert!((8..10).contains(&fitted), "{fitted}");
        assert!(spool.size() <= 64);
        assert_eq!(spool.put(&[line(99)]).unwrap(), 0);
        let (oldest, mark) = spool.oldest(3).unwrap();
        assert_eq!(oldest, lines[..3]);
        spool.taken(mark).unwrap();
        assert_eq!(spool.put(&[line(98)]).unwrap(), 1);
        let (rest, mark) = spool.oldest(100).unwrap();
        assert_eq!(rest.first(), Some(&line(3)));
        assert_eq!(rest.last(), Some(&line(98)));
        spool.taken(mark).unwrap();
        assert!(spool.is_empty());
        assert_eq!(spool.size(), 0);
    }

    #[test]
    fn what_a_crash_cut_off_is_dropped_and_the_rest_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.put(&[line(1), line(2)]).unwrap();
        drop(spool);
        let file = folder.path().join("0000000000000000.jsonl");
        let mut half = OpenOptions::new().append(true).open(file).unwrap();
        half.write_all(b"half a li").unwrap();
        let mut spool = Spool::open(folder.path(), 1 << 20).unwrap();
        spool.put(&[line(3)]).unwrap();
        assert_eq!(spool.oldest(9).unwrap().0, [line(1), line(2), line(3)]);
        fs::write(folder.path().join("taken"), "nonsense").unwrap();
        let spool = Spool::open(folder.path(), 1 << 20).unwrap();
        assert_eq!(spool.oldest(9).unwrap().0.len(), 3, "rather twice than not at all");
    }

    proptest! {
        // Each act waits for the disk.
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn each_line_comes_once_and_in_order_whatever_is_restarted(
            acts in prop::collection::vec((0u8..4, 1usize..9), 1..80),
            bound in 40u64..600,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::open(folder.path(), bound).unwrap();
            let (mut next, mut wanted, mut got) = (0, Vec::new(), Vec::new());
            for (act, n) in acts {
                match act {
                    0 => {
                        let lines: Vec<String> = (next..next + n).map(line).collect();
                        let fitted = spool.put(&lines).unwrap();
                        wanted.extend_from_slice(&lines[..fitted]);
                        next += n;
                    }
                    1 | 2 => {
                        let (lines, mark) = spool.oldest(n).unwrap();
                        prop_assert!(lines.len() <= n);
                        prop_assert_eq!(lines.is_empty(), spool.is_empty());
                        spool.taken(mark).unwrap();
                        got.extend(lines);
                    }
                    _ => spool = Spool::open(folder.path(), bound).unwrap(),
                }
                let on_disk: u64 = files(folder.path()).unwrap().iter()
                    .map(|n| fs::metadata(path(folder.path(), *n)).unwrap().len()).sum();
                prop_assert_eq!(on_disk, spool.size());
                prop_assert!(on_disk <= bound);
            }
            let (lines, mark) = spool.oldest(usize::MAX).unwrap();
            spool.taken(mark).unwrap();
            got.extend(lines);
            prop_assert_eq!(got, wanted);
            prop_assert!(spool.is_empty());
        }
    }
}
