//! A database of its own for each test, on the server that `cargo xtask test` starts.
//!
//! With `CHATWARD_TEST_POSTGRES` set (the URL of a superuser, without a database) all tests of the store run on that server;
//! without it they run on the embedded store.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Where the server is.
const SERVER: &str = "CHATWARD_TEST_POSTGRES";

/// The server, if the tests run on one.
pub(crate) fn server() -> Option<String> {
    std::env::var(SERVER).ok().filter(|url| !url.is_empty())
}

/// A test's database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    name: String,
    /// For the role that serves.
    pub(crate) serving: String,
    /// For the owner of its tables.
    pub(crate) owner: String,
    /// For who may do everything.
    pub(crate) superuser: String,
}

impl Database {
    /// The database that belongs to this folder, made at first. `which`: a folder may have several.
    pub(crate) fn of(folder: &Path, which: &str) -> Self {
        static MADE: Mutex<Option<HashSet<String>>> = Mutex::new(None);
        let server = server().unwrap_or_else(|| {
            panic!("{SERVER} is not set: this test needs a server (cargo xtask test, or cargo xtask postgres COMMAND)")
        });
        let folder = folder.file_name().unwrap().as_encoded_bytes();
        let name = format!("t_{which}_{}", folder.iter().map(|b| format!("{b:02x}")).collect::<String>());
        let url = |role: &str| {
            let (_, rest) = server.split_once('@').unwrap();
            format!("postgres://{role}@{rest}/{name}")
        };
        let database = Self {
            serving: url("chatward"),
            owner: url("chatward_owner"),
            superuser: format!("{server}/{name}"),
            name,
        };
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if made.get_or_insert_default().insert(database.name.clone()) {
            let maintenance = format!("{server}/postgres");
            let there = format!("SELECT 1 FROM pg_database WHERE datname = '{}'", database.name);
            if psql(&maintenance, &there).unwrap().is_empty() {
                psql(&maintenance, &format!("CREATE DATABASE {} OWNER chatward_owner", database.name))
                    .unwrap();
            }
        }
        database
    }

    /// Everything in it as text. Bytes stand in it as hex digits.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let done = Command::new("pg_dump").arg(&self.superuser).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Whether these bytes stand in a dump of it.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let dump = self.dump();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        [bytes, hex.as_bytes()].iter().any(|wanted| dump.windows(wanted.len()).any(|w| w == *wanted))
    }
}

/// What the statements print, one line a row; or what the server said instead.
pub(crate) fn psql(url: &str, sql: &str) -> Result<String, String> {
    let done = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            url,
            "--command",
            sql,
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }
}
