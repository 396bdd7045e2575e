//! A table for analytics, written to a file of this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::control::Answer;
use crate::numbers::NumbersError;
use crate::numbers::export::{self, Table, Wanted};
use crate::problem::{Code, Problem};
use crate::turn::Gate;

/// Parts of a table that wait to be written.
const WAITING: usize = 16;

/// Writes the table to `file` and what it is beside it. Until it is whole it has another name, and what is not whole is removed.
pub(super) async fn export(gate: &Gate, file: &Path, wanted: &Wanted) -> Answer {
    let manifest = beside(file, ".manifest.json");
    if !file.is_absolute() || file.exists() || manifest.exists() {
        return Answer::refused(Code::BadRequest, format!("{}: something stands there", file.display()));
    }
    let table = match export::prepare(gate, wanted, "operator", None).await {
        Ok(table) => table,
        Err(error) => return without(error).answer(),
    };
    let part = beside(file, ".part");
    let written = match create(&part) {
        Ok(to) => rows(gate, &table, to).await,
        Err(error) => Err(unwritable(&part, &error)),
    };
    let done = written
        .and_then(|()| finish(&table, file, &part, &manifest).map_err(|error| unwritable(file, &error)));
    match done {
        Ok(()) => {
            let number = |name: &str| table.manifest()[name].as_u64();
            Answer::Exported {
                rows: number("chatward:rows").unwrap_or(0),
                suppressed: number("chatward:rowsSuppressed").unwrap_or(0),
                smallest: number("chatward:smallestClass").and_then(|n| u32::try_from(n).ok()),
                manifest: manifest.display().to_string(),
            }
        }
        Err(refused) => {
            // What could not be made need not be there.
            let _ = fs::remove_file(&part);
            refused.answer()
        }
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Why there is no table.
struct Refused(Code, String);

impl Refused {
    fn answer(self) -> Answer {
        Answer::refused(self.0, self.1)
    }
}

fn without(error: NumbersError) -> Refused {
    let message = error.to_string();
    Refused(Problem::from(error).code(), message)
}

fn unwritable(file: &Path, error: &io::Error) -> Refused {
    Refused(Code::BadRequest, format!("{}: {error}", file.display()))
}

fn create(file: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)
}

async fn rows(gate: &Gate, table: &Table, to: File) -> Result<(), Refused> {
    let (give, mut take) = mpsc::channel::<Bytes>(WAITING);
    let writing = tokio::task::spawn_blocking(move || {
        let mut to = BufWriter::new(to);
        while let Some(part) = take.blocking_recv() {
            to.write_all(&part)?;
        }
        to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    let made = table.write(gate, &give).await;
    drop(give);
    let written = writing.await.map_err(io::Error::other).and_then(|written| written);
    // That the disk is full says more than that nobody takes the rows any more.
    written.map_err(|error| {
        let full = error.kind() == io::ErrorKind::StorageFull;
        Refused(if full { Code::DiskFull } else { Code::BadRequest }, error.to_string())
    })?;
    made.map_err(without)
}

fn finish(table: &Table, file: &Path, part: &Path, manifest: &Path) -> io::Result<()> {
    let mut to = create(manifest)?;
    to.write_all(serde_json::to_string_pretty(table.manifest())?.as_bytes())?;
    to.write_all(b"\n")?;
    to.sync_all()?;
    fs::rename(part, file)
}
