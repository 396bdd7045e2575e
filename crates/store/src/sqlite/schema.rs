//! The file on disk: how it is opened, its tables and how they came to be.
//!
//! Limits: one SQLite file per folder, one process at a time (the lock file says so).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::StoreError;
use crate::folder::sync_folder;

/// The steps of a schema, in order. The place of one in the list, counted from 1, is the version it leads to; one that was
/// released is never changed.
pub(crate) type Migrations = &'static [Migration];

/// What a step does, both ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    up: &'static str,
    down: &'static str,
    /// Counts what would be lost on the way down. More than nothing: it is refused.
    loses: Option<&'static str>,
}

/// The tables of the store.
///
/// Shapes follow the cost of a commit, which is the number of pages it dirties: a turn only ever adds rows at the end of
/// `turns`, `closings` and `log_entries` (an open turn is one without a closing, so that nothing is rewritten), and large
/// sealed values stand last in their rows. A conversation's row holds what its first turn brings along: the customer, if
/// nothing else is known of them, and the placeholders; most conversations have no more. Only what comes later, names and
/// history tags go to places of their own.
pub(crate) const STORE: Migrations = &[
    Migration {
        up: "
CREATE TABLE customers (
    tenant TEXT NOT NULL,
    id     BLOB NOT NULL,
    slot   BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    tenant   TEXT NOT NULL,
    id       BLOB NOT NULL,
    customer BLOB NOT NULL,
    opened   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversations_of_customer ON conversations (tenant, customer);

CREATE TABLE entries (
    tenant       TEXT NOT NULL,
    conversation BLOB NOT NULL,
    seq          INTEGER NOT NULL,
    label        TEXT NOT NULL,
    tag          BLOB NOT NULL,
    kind         TEXT NOT NULL,
    token        TEXT NOT NULL,
    value        BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation, label)
) STRICT, WITHOUT ROWID;

CREATE TABLE turns (
    seq          INTEGER PRIMARY KEY,
    tenant       TEXT NOT NULL,
    id           BLOB NOT NULL,
    conversation BLOB NOT NULL,
    subject      BLOB,
    upstream     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    log          INTEGER NOT NULL,
    received     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX turns_by_id ON turns (tenant, id);
CREATE INDEX turns_of_conversation ON turns (tenant, conversation);

CREATE TABLE closings (
    turn  INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    log   INTEGER NOT NULL,
    tags  BLOB NOT NULL,
    reply BLOB
) STRICT;

CREATE TABLE history_tags (
    tenant       TEXT NOT NULL,
    tag          BLOB NOT NULL,
    conversation BLOB NOT NULL,
    PRIMARY KEY (tenant, tag, conversation)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_entries (
    idx  INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;",
        down: "
DROP TABLE meta; DROP TABLE log_entries; DROP TABLE history_tags; DROP TABLE closings; DROP TABLE turns;
DROP TABLE entries; DROP TABLE conversations; DROP TABLE customers;
",
        loses: Some("SELECT count(*) FROM (SELECT 1 FROM log_entries LIMIT 1)"),
    },
    Migration {
        up: "
-- Tags of turns from here on are looked for in `closings` at a start; those before are in `history_tags`.
INSERT INTO meta SELECT 'tags_from', ifnull(max(seq) + 1, 0) FROM turns;",
        down: "
-- All tags go into their index: version 1 looks nowhere else.
WITH RECURSIVE cut (turn, tags, at) AS (
    SELECT turn, tags, 0 FROM closings
    WHERE turn >= (SELECT value FROM meta WHERE name = 'tags_from') AND length(tags) > 0
    UNION ALL SELECT turn, tags, at + 16 FROM cut WHERE at + 16 < length(tags)
)
INSERT OR IGNORE INTO history_tags
SELECT t.tenant, substr(cut.tags, cut.at + 1, 16), t.conversation FROM cut JOIN turns AS t ON t.seq = cut.turn;
DELETE FROM meta WHERE name = 'tags_from';
",
        loses: None,
    },
    Migration {
        up: "
-- One row for a conversation, its first turn's placeholders, and its customer if that one has no name of its own.
ALTER TABLE conversations RENAME TO conversations_2;
DROP INDEX conversations_of_customer;
CREATE TABLE conversations (
    tenant   TEXT NOT NULL,
    id       BLOB NOT NULL,
    customer BLOB,    -- none: somebody who has the conversation's id, and the slot that stands here
    slot     BLOB,
    opened   INTEGER NOT NULL,
    turn     INTEGER, -- its first turn; none: all its turns are marked as later ones
    issued   BLOB,    -- the placeholders of the first turn
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
INSERT INTO conversations SELECT tenant, id, customer, NULL, opened, NULL, NULL FROM conversations_2;
DROP TABLE conversations_2;
CREATE INDEX conversations_of_customer ON conversations (tenant, customer) WHERE customer IS NOT NULL;

ALTER TABLE turns ADD COLUMN later INTEGER NOT NULL DEFAULT 1;
DROP INDEX turns_of_conversation;
CREATE INDEX turns_of_conversation ON turns (tenant, conversation) WHERE later;

-- Placeholders of later turns. Those in `entries` stay where they are: only their customer's key could move them.
CREATE TABLE issued (
    tenant       TEXT NOT NULL,
    conversation BLOB NOT NULL,
    first        INTEGER NOT NULL,
    sealed       BLOB NOT NULL,
    PRIMARY KEY (tenant, conversation, first)
) STRICT, WITHOUT ROWID;",
        down: "
ALTER TABLE conversations RENAME TO conversations_3;
DROP INDEX conversations_of_customer;
CREATE TABLE conversations (
    tenant   TEXT NOT NULL,
    id       BLOB NOT NULL,
    customer BLOB NOT NULL,
    opened   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
INSERT INTO conversations SELECT tenant, id, ifnull(customer, id), opened FROM conversations_3;
INSERT INTO customers SELECT tenant, id, slot FROM conversations_3 WHERE customer IS NULL;
DROP TABLE conversations_3;
CREATE INDEX conversations_of_customer ON conversations (tenant, customer);

DROP INDEX turns_of_conversation;
ALTER TABLE turns DROP COLUMN later;
CREATE INDEX turns_of_conversation ON turns (tenant, conversation);
DROP TABLE issued;
",
        // Placeholders that are sealed together have no place in version 2.
        loses: Some(
            "SELECT (SELECT count(*) FROM issued) + (SELECT count(*) FROM conversations WHERE issued IS NOT NULL)",
        ),
    },
    Migration {
        up: "
-- Sealed values under an id and a revision: accounts, sessions, keys of programs, requests.
CREATE TABLE records (
    tenant   TEXT NOT NULL,
    kind     INTEGER NOT NULL,
    id       BLOB NOT NULL,
    revision INTEGER NOT NULL,
    slot     BLOB NOT NULL,
    customer BLOB,    -- erased with this one
    until    INTEGER, -- later it may be dropped
    sealed   BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_of_customer ON records (tenant, customer, kind) WHERE customer IS NOT NULL;
CREATE INDEX records_by_end ON records (tenant, until) WHERE until IS NOT NULL;

-- Keyed hashes under which records are found.
CREATE TABLE handles (
    tenant      TEXT NOT NULL,
    kind        INTEGER NOT NULL,
    hash        BLOB NOT NULL,
    record_kind INTEGER NOT NULL,
    record_id   BLOB NOT NULL,
    PRIMARY KEY (tenant, kind, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX handles_of_record ON handles (tenant, record_kind, record_id);

-- Which events of the log are about a customer.
CREATE TABLE trail (
    tenant   TEXT NOT NULL,
    customer BLOB NOT NULL,
    log      INTEGER NOT NULL,
    PRIMARY KEY (tenant, customer, log)
) STRICT, WITHOUT ROWID;",
        down: "DROP TABLE trail; DROP TABLE handles; DROP TABLE records;",
        // A handle is never without its record.
        loses: Some("SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM trail)"),
    },
    Migration {
        up: "
-- What everything is kept for: a bit for each purpose, 1 for answering. Nothing else was kept before.
ALTER TABLE turns ADD COLUMN purposes INTEGER NOT NULL DEFAULT 1;
CREATE INDEX turns_ended ON turns (tenant) WHERE purposes = 0;
ALTER TABLE records ADD COLUMN purposes INTEGER NOT NULL DEFAULT 1;
-- Values that are sealed together: for what, of which classes (63: any), since when.
ALTER TABLE issued ADD COLUMN purposes INTEGER NOT NULL DEFAULT 1;
ALTER TABLE issued ADD COLUMN classes INTEGER NOT NULL DEFAULT 63;
ALTER TABLE issued ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
UPDATE issued SET at = ifnull((SELECT opened FROM conversations AS v
    WHERE v.tenant = issued.tenant AND v.id = issued.conversation), 0);
-- The same of the first turn's.
ALTER TABLE conversations ADD COLUMN purposes INTEGER NOT NULL DEFAULT 1;
ALTER TABLE conversations ADD COLUMN classes INTEGER NOT NULL DEFAULT 63;

-- What customers agreed to, and what that means for their data. Who has no row said nothing.
CREATE TABLE standings (
    tenant     TEXT NOT NULL,
    customer   BLOB NOT NULL,
    revision   INTEGER NOT NULL,
    given      BLOB NOT NULL,    -- for each consent the purpose's number and 8 bytes that tell the wording
    refused    INTEGER NOT NULL,
    restricted INTEGER NOT NULL,
    held_until INTEGER,
    PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;",
        down: "
DROP TABLE standings;
ALTER TABLE conversations DROP COLUMN classes;
ALTER TABLE conversations DROP COLUMN purposes;
ALTER TABLE issued DROP COLUMN at;
ALTER TABLE issued DROP COLUMN classes;
ALTER TABLE issued DROP COLUMN purposes;
ALTER TABLE records DROP COLUMN purposes;
DROP INDEX turns_ended;
ALTER TABLE turns DROP COLUMN purposes;",
        loses: Some(
            "SELECT (SELECT count(*) FROM standings) + (SELECT count(*) FROM turns WHERE purposes <> 1)",
        ),
    },
];

/// The tables of the keyring.
pub(crate) const KEYRING: Migrations = &[Migration {
    up: "
CREATE TABLE keys (
    slot    BLOB PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
",
    down: "DROP TABLE keys; DROP TABLE meta;",
    loses: Some("SELECT count(*) FROM (SELECT 1 FROM keys LIMIT 1)"),
}];

/// SQL: the conversations of customer `?2`.
macro_rules! conversations {
    () => {
        "SELECT id FROM conversations WHERE tenant = ?1 AND customer = ?2
         UNION ALL SELECT id FROM conversations WHERE tenant = ?1 AND id = ?2 AND customer IS NULL"
    };
}

/// SQL: the turns of customer `?2`.
macro_rules! turns {
    () => {
        concat!(
            "SELECT turn FROM conversations WHERE tenant = ?1 AND turn IS NOT NULL AND id IN (",
            conversations!(),
            ") UNION ALL SELECT seq FROM turns WHERE tenant = ?1 AND later AND conversation IN (",
            conversations!(),
            ")"
        )
    };
}

/// A table that holds data of customers, and how the rows of one conversation (or customer) are deleted from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CustomerTable {
    pub(crate) name: &'static str,
    /// Takes `?1` tenant and `?2` customer, if nothing else is said.
    pub(crate) delete: &'static str,
}

/// Every table with data of customers, in the order in which an erasure goes through them (who is asked for others comes
/// last). A test fails when a table of [`STORE`] stands neither here nor in [`NOT_OF_CUSTOMERS`].
pub(crate) const OF_CUSTOMERS: &[CustomerTable] = &[
    CustomerTable {
        name: "entries",
        delete: concat!("DELETE FROM entries WHERE tenant = ?1 AND conversation IN (", conversations!(), ")"),
    },
    CustomerTable {
        name: "issued",
        delete: concat!("DELETE FROM issued WHERE tenant = ?1 AND conversation IN (", conversations!(), ")"),
    },
    // Takes tag and conversation, and not a tag alone: the same beginning may have been said in somebody else's conversation.
    CustomerTable {
        name: "history_tags",
        delete: "DELETE FROM history_tags WHERE tenant = ?1 AND tag = ?2 AND conversation = ?3",
    },
    CustomerTable {
        name: "closings",
        delete: concat!("DELETE FROM closings WHERE turn IN (", turns!(), ")"),
    },
    CustomerTable { name: "turns", delete: concat!("DELETE FROM turns WHERE seq IN (", turns!(), ")") },
    CustomerTable {
        name: "conversations",
        delete: concat!("DELETE FROM conversations WHERE tenant = ?1 AND id IN (", conversations!(), ")"),
    },
    CustomerTable { name: "customers", delete: "DELETE FROM customers WHERE tenant = ?1 AND id = ?2" },
    CustomerTable { name: "handles", delete: HANDLES_OF_RECORD_GO },
    CustomerTable { name: "records", delete: RECORD_GOES },
    CustomerTable { name: "trail", delete: "DELETE FROM trail WHERE tenant = ?1 AND customer = ?2" },
    CustomerTable { name: "standings", delete: "DELETE FROM standings WHERE tenant = ?1 AND customer = ?2" },
];

/// Deletes the handles of a record: `?2` its kind, `?3` its id.
pub(crate) const HANDLES_OF_RECORD_GO: &str =
    "DELETE FROM handles WHERE tenant = ?1 AND record_kind = ?2 AND record_id = ?3";
/// Deletes a record: `?2` its kind, `?3` its id.
pub(crate) const RECORD_GOES: &str = "DELETE FROM records WHERE tenant = ?1 AND kind = ?2 AND id = ?3";
/// The records of customer `?2`, and the slots they are sealed under.
pub(crate) const RECORDS_OF_CUSTOMER: &str =
    "SELECT kind, id, slot FROM records INDEXED BY records_of_customer WHERE tenant = ?1 AND customer = ?2";
/// Whether customer `?2` has a trail.
pub(crate) const HAS_TRAIL: &str = "SELECT EXISTS (SELECT 1 FROM trail WHERE tenant = ?1 AND customer = ?2)";

/// The conversations of customer `?2`: those that name them, and the one that they are known by alone.
pub(crate) const CONVERSATIONS_OF_CUSTOMER: &str = conversations!();
/// The turns of conversation `?2`.
pub(crate) const TURNS_OF_CONVERSATION: &str =
    "SELECT turn FROM conversations WHERE tenant = ?1 AND id = ?2 AND turn IS NOT NULL
     UNION ALL SELECT seq FROM turns WHERE tenant = ?1 AND conversation = ?2 AND later";
/// The turns of customer `?2`.
pub(crate) const TURNS_OF_CUSTOMER: &str = turns!();
/// The slot of customer `?2`: of their own row, or of the conversation that they are known by alone.
pub(crate) const SLOT_OF_CUSTOMER: &str = "SELECT slot FROM customers WHERE tenant = ?1 AND id = ?2
     UNION ALL SELECT slot FROM conversations WHERE tenant = ?1 AND id = ?2 AND customer IS NULL LIMIT 1";

/// The other tables. The log's subjects are pseudonyms that mean nothing once the customer's key is gone.
#[cfg(test)]
pub(crate) const NOT_OF_CUSTOMERS: &[&str] = &["log_entries", "meta", "schema_versions"];

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) durable: bool,
    pub(crate) migrations: Migrations,
}

/// How long another connection's lock is waited for.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// Opens the file for writing: makes it if needed, checks it, brings its tables up to date.
pub(crate) fn open_writer(path: &Path, how: Opening) -> Result<Connection, StoreError> {
    // Made here and not by SQLite, so that it is never readable by others, not even for a moment. The `-wal` and `-shm`
    // files take their mode from it.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|e| StoreError::io(path, &e))?;
    let mode = file.metadata().map_err(|e| StoreError::io(path, &e))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(|e| StoreError::io(path, &e))?;
    }
    // The folder entries of the database and its folder survive a power cut, too.
    if let Some(dir) = path.parent() {
        sync_folder(dir)?;
    }
    let failed = |doing: &'static str| move |e: rusqlite::Error| StoreError::sql(path, doing, &e);
    let mut db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed("open"))?;
    settle(&db, path)?;
    // Of a new file only, and before anything else: rows of turns are long, and fewer pages a commit cost less.
    db.execute_batch("PRAGMA page_size = 8192").map_err(failed("set the size of pages"))?;
    let mode: String = db
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(failed("switch to a write-ahead log"))?;
    if mode != "wal" {
        return Err(StoreError::inside(format_args!("journal mode is {mode}, not wal")));
    }
    db.execute_batch(if how.durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = OFF" })
        .map_err(failed("set durability"))?;
    // Checkpoints are run by the writer between batches, after the callers were answered. The cache is small on purpose:
    // a commit that split a page walks all of it.
    db.execute_batch(
        "PRAGMA secure_delete = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -1024",
    )
    .map_err(failed("set options"))?;
    check(&db, path)?;
    migrate(&mut db, path, how.migrations)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Opens the file for reading. The writer has been opened before.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let failed = |e: rusqlite::Error| StoreError::sql(path, "open for reading", &e);
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    settle(&db, path)?;
    // A commit of the writer makes what is in a reader's cache worthless: no use in a large one.
    db.execute_batch("PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -512")
        .map_err(failed)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

fn settle(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |e: rusqlite::Error| StoreError::sql(path, "set options", &e);
    db.busy_timeout(BUSY).map_err(failed)?;
    // Nothing of ours ever goes to a temporary file.
    db.execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF")
        .map_err(failed)
}

/// Looks for damage. `quick_check` reads every page, so a large file gets only the check of its head and its schema at a
/// start (any page that turns out bad later is reported where it is met); the full check is `chatward doctor`'s.
fn check(db: &Connection, path: &Path) -> Result<(), StoreError> {
    const FULL_CHECK_BELOW: u64 = 64 << 20;
    let size = fs::metadata(path).map_or(0, |m| m.len());
    let failed = |e: rusqlite::Error| StoreError::sql(path, "check for damage", &e);
    if size > FULL_CHECK_BELOW {
        return db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed);
    }
    let verdict: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged { path: path.to_owned(), detail: verdict.into() })
    }
}

fn migrate(db: &mut Connection, path: &Path, migrations: Migrations) -> Result<(), StoreError> {
    let failed = |e: rusqlite::Error| StoreError::sql(path, "migrate", &e);
    let known = i64::try_from(migrations.len()).map_err(StoreError::inside)?;
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    tx.execute_batch("CREATE TABLE IF NOT EXISTS schema_versions (version INTEGER PRIMARY KEY) STRICT")
        .map_err(failed)?;
    let found: i64 = tx
        .query_row("SELECT max(version) FROM schema_versions", [], |row| row.get::<_, Option<i64>>(0))
        .optional()
        .map_err(failed)?
        .flatten()
        .unwrap_or(0);
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    for (version, step) in (1i64..).zip(migrations).skip_while(|(version, _)| *version <= found) {
        tx.execute_batch(step.up).map_err(failed)?;
        tx.execute("INSERT INTO schema_versions VALUES (?1)", [version]).map_err(failed)?;
    }
    tx.commit().map_err(failed)
}

/// Takes a file that no process has open back to an older version, all steps in one transaction.
pub(crate) fn step_back(path: &Path, to: usize, migrations: Migrations) -> Result<(), StoreError> {
    let mut db = open_writer(path, Opening { durable: true, migrations })?;
    let failed = |e: rusqlite::Error| StoreError::sql(path, "migrate", &e);
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    for (version, step) in (1i64..).zip(migrations).skip(to).collect::<Vec<_>>().into_iter().rev() {
        if let Some(sql) = step.loses {
            let lost: i64 = tx.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
            if lost > 0 {
                return Err(StoreError::WouldLose { from: version, to: version - 1 });
            }
        }
        tx.execute_batch(step.down).map_err(failed)?;
        tx.execute("DELETE FROM schema_versions WHERE version = ?1", [version]).map_err(failed)?;
    }
    tx.commit().map_err(failed)
}

/// Empties the write-ahead log into the database and cuts it to nothing. `false` if a reader or writer was in the way.
pub(crate) fn truncate_wal(db: &Connection, wait: Duration) -> rusqlite::Result<bool> {
    db.busy_timeout(wait)?;
    let busy: rusqlite::Result<i64> = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    db.busy_timeout(BUSY)?;
    match busy {
        Ok(busy) => Ok(busy == 0),
        Err(e)
            if matches!(
                e.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENING: Opening = Opening { durable: true, migrations: STORE };

    const fn up(sql: &'static str) -> Migration {
        Migration { up: sql, down: "", loses: None }
    }

    fn tables(db: &Connection) -> Vec<String> {
        let mut ask =
            db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
        ask.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn every_table_is_known_to_the_erasure_or_named_as_not_of_customers() {
        let dir = tempfile::tempdir().unwrap();
        let db = open_writer(&dir.path().join("a.db"), OPENING).unwrap();
        for table in tables(&db) {
            let listed = OF_CUSTOMERS.iter().any(|t| t.name == table);
            assert_ne!(listed, NOT_OF_CUSTOMERS.contains(&table.as_str()), "table {table}");
        }
        assert_eq!(tables(&db).len(), OF_CUSTOMERS.len() + NOT_OF_CUSTOMERS.len());
    }

    #[test]
    fn files_are_for_this_user_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/a.db");
        crate::folder::make_folder(path.parent().unwrap()).unwrap();
        let db = open_writer(&path, OPENING).unwrap();
        db.execute_batch("INSERT INTO meta VALUES ('x', 1)").unwrap();
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            assert_eq!(
                entry.as_ref().unwrap().metadata().unwrap().permissions().mode() & 0o777,
                0o600,
                "{entry:?}"
            );
        }
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn options_are_what_they_should_be() {
        let dir = tempfile::tempdir().unwrap();
        let db = open_writer(&dir.path().join("a.db"), OPENING).unwrap();
        for (pragma, value) in
            [("synchronous", 2), ("secure_delete", 1), ("foreign_keys", 1), ("wal_autocheckpoint", 0)]
        {
            assert_eq!(
                db.query_row(&format!("PRAGMA {pragma}"), [], |r| r.get::<_, i64>(0)).unwrap(),
                value,
                "{pragma}"
            );
        }
    }

    #[test]
    fn migrations_run_once_and_in_order_and_newer_files_are_refused() {
        const OLD: Migrations = &[up("CREATE TABLE a (x INTEGER) STRICT")];
        const NEW: Migrations =
            &[up("CREATE TABLE a (x INTEGER) STRICT"), up("ALTER TABLE a ADD COLUMN y INTEGER")];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        open_writer(&path, Opening { durable: true, migrations: OLD })
            .unwrap()
            .execute_batch("INSERT INTO a VALUES (7)")
            .unwrap();
        for _ in 0..2 {
            let db = open_writer(&path, Opening { durable: true, migrations: NEW }).unwrap();
            assert_eq!(
                db.query_row("SELECT x, y FROM a", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap(),
                (7, None::<i64>)
            );
        }
        let refused = open_writer(&path, Opening { durable: true, migrations: OLD });
        assert!(matches!(refused, Err(StoreError::NewerSchema { found: 2, known: 1, .. })), "{refused:?}");
    }

    #[test]
    fn a_failed_migration_leaves_the_file_as_it_was() {
        const GOOD: Migrations = &[up("CREATE TABLE a (x INTEGER) STRICT")];
        const BAD: Migrations = &[
            up("CREATE TABLE a (x INTEGER) STRICT"),
            up("CREATE TABLE b (x INTEGER) STRICT"),
            up("CREATE TABLE oops"),
        ];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        drop(open_writer(&path, Opening { durable: true, migrations: GOOD }).unwrap());
        assert!(open_writer(&path, Opening { durable: true, migrations: BAD }).is_err());
        let db = open_writer(&path, Opening { durable: true, migrations: GOOD }).unwrap();
        assert_eq!(tables(&db), ["a", "schema_versions"]);
    }

    /// A file of version 2 with two conversations of one customer, and one of another.
    const VERSION_2: &str = "
        INSERT INTO customers VALUES ('default', x'03', x'04'), ('default', x'13', x'14');
        INSERT INTO conversations VALUES ('default', x'02', x'03', 7), ('default', x'22', x'03', 8),
            ('default', x'12', x'13', 9);
        INSERT INTO turns VALUES (0, 'default', x'01', x'02', NULL, 'shop', 7, 0, x'aa'),
            (1, 'default', x'11', x'12', NULL, 'shop', 9, 1, x'bb'),
            (2, 'default', x'21', x'22', NULL, 'shop', 8, 2, x'cc'),
            (3, 'default', x'31', x'02', NULL, 'shop', 9, 3, x'dd');
        INSERT INTO closings VALUES (0, 1, 8, 4, x'', x'ee');
        INSERT INTO entries VALUES ('default', x'02', 1, 'CARD_1', x'', 'card', 'card_1', x'ff'),
            ('default', x'12', 2, 'CARD_1', x'', 'card', 'card_2', x'ff');
        INSERT INTO log_entries VALUES (0, x'30'), (1, x'31'), (2, x'32'), (3, x'33'), (4, x'34');";

    #[test]
    fn conversations_of_version_2_come_over_and_can_be_erased() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let old = Opening { durable: true, migrations: STORE.get(..2).unwrap() };
        open_writer(&path, old).unwrap().execute_batch(VERSION_2).unwrap();
        let db = open_writer(&path, OPENING).unwrap();
        let ask = |sql: &str, which: &[u8]| -> Vec<i64> {
            let mut ask = db.prepare(sql).unwrap();
            ask.query_map(("default", which), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(ask(TURNS_OF_CONVERSATION, &[2]), [0, 3]);
        assert_eq!(ask(TURNS_OF_CONVERSATION, &[0x22]), [2]);
        let number = |sql: String| db.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("SELECT count(*) FROM conversations WHERE customer = x'03'".into()), 2);
        let mut gone = Vec::new();
        for table in OF_CUSTOMERS.iter().filter(|table| !table.delete.contains("?3")) {
            let n = db.execute(table.delete, ("default", [3u8])).unwrap();
            gone.push((table.name, n, number(format!("SELECT count(*) FROM {}", table.name))));
        }
        let left = [
            ("entries", 1, 1),
            ("issued", 0, 0),
            ("closings", 1, 0),
            ("turns", 3, 1),
            ("conversations", 2, 1),
            ("customers", 1, 1),
            ("trail", 0, 0),
            ("standings", 0, 0),
        ];
        assert_eq!(gone, left);
    }

    /// Everything in a file, table by table.
    fn contents(db: &Connection) -> Vec<String> {
        let mut all = Vec::new();
        for table in tables(db) {
            let mut ask = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = ask.column_count();
            let mut rows = ask.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<String> =
                    (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap())).collect();
                all.push(format!("{table}: {}", values.join(" ")));
            }
        }
        all
    }

    #[test]
    fn versions_go_up_down_and_up_again_with_what_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let old = Opening { durable: true, migrations: STORE.get(..2).unwrap() };
        let db = open_writer(&path, old).unwrap();
        db.execute_batch(VERSION_2).unwrap();
        // A tag that is not in its index yet.
        let tags = [[7u8; 16], [8; 16]].concat();
        db.execute("UPDATE closings SET tags = ?1", [&tags]).unwrap();
        let at_2 = contents(&db);
        drop(db);
        let at_3 = contents(&open_writer(&path, OPENING).unwrap());
        step_back(&path, 2, STORE).unwrap();
        assert_eq!(contents(&open_writer(&path, old).unwrap()), at_2);
        assert_eq!(contents(&open_writer(&path, OPENING).unwrap()), at_3);

        step_back(&path, 1, STORE).unwrap();
        let first = Opening { durable: true, migrations: STORE.get(..1).unwrap() };
        let db = open_writer(&path, first).unwrap();
        let mut ask = db.prepare("SELECT tag FROM history_tags ORDER BY tag").unwrap();
        let found: Vec<[u8; 16]> = ask.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, [[7; 16], [8; 16]]);
        drop(ask);
        drop(db);

        // Somebody known by one conversation alone, and placeholders that version 2 has no place for.
        let db = open_writer(&path, OPENING).unwrap();
        db.execute_batch(
            "INSERT INTO conversations VALUES ('default', x'42', NULL, x'43', 7, 9, NULL, 1, 63);
             INSERT INTO turns VALUES (9, 'default', x'44', x'42', NULL, 'shop', 7, 5, x'aa', 0, 1)",
        )
        .unwrap();
        drop(db);
        step_back(&path, 2, STORE).unwrap();
        let db = open_writer(&path, OPENING).unwrap();
        let slot: Vec<u8> = db.query_row(SLOT_OF_CUSTOMER, ("default", [0x42u8]), |row| row.get(0)).unwrap();
        assert_eq!(slot, [0x43]);
        db.execute_batch("INSERT INTO issued VALUES ('default', x'42', 0, x'ff', 1, 63, 7)").unwrap();
        let before = contents(&db);
        drop(db);
        let refused = step_back(&path, 2, STORE);
        assert!(matches!(refused, Err(StoreError::WouldLose { from: 3, to: 2 })), "{refused:?}");
        assert_eq!(contents(&open_writer(&path, OPENING).unwrap()), before);

        // Purposes and standings are things that version 4 does not know.
        for kept in [
            "INSERT INTO standings VALUES ('default', x'03', 1, x'', 0, 0, NULL)",
            "DELETE FROM standings; UPDATE turns SET purposes = 5",
        ] {
            open_writer(&path, OPENING).unwrap().execute_batch(kept).unwrap();
            let refused = step_back(&path, 4, STORE);
            assert!(matches!(refused, Err(StoreError::WouldLose { from: 5, to: 4 })), "{refused:?}");
        }
        open_writer(&path, OPENING).unwrap().execute_batch("UPDATE turns SET purposes = 1").unwrap();

        // Records and trails are things that version 3 does not know.
        for kept in [
            "INSERT INTO records VALUES ('default', 1, x'01', 1, x'02', NULL, NULL, x'ff', 1)",
            "DELETE FROM records; INSERT INTO trail VALUES ('default', x'03', 4)",
        ] {
            open_writer(&path, OPENING).unwrap().execute_batch(kept).unwrap();
            let refused = step_back(&path, 3, STORE);
            assert!(matches!(refused, Err(StoreError::WouldLose { from: 4, to: 3 })), "{refused:?}");
        }
        open_writer(&path, OPENING).unwrap().execute_batch("DELETE FROM trail").unwrap();
        step_back(&path, 3, STORE).unwrap();
        let third = Opening { durable: true, migrations: STORE.get(..3).unwrap() };
        assert!(!tables(&open_writer(&path, third).unwrap()).contains(&"records".to_owned()));
        assert_eq!(contents(&open_writer(&path, OPENING).unwrap()), before);
    }

    #[test]
    fn erasures_and_turns_of_a_conversation_are_found_by_indexes() {
        let dir = tempfile::tempdir().unwrap();
        let db = open_writer(&dir.path().join("a.db"), OPENING).unwrap();
        let plan = |sql: &str, values: usize| -> Vec<String> {
            let mut ask = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let values = rusqlite::params_from_iter(vec!["x"; values]);
            ask.query_map(values, |row| row.get(3)).unwrap().map(Result::unwrap).collect()
        };
        let asked = [
            CONVERSATIONS_OF_CUSTOMER,
            TURNS_OF_CONVERSATION,
            SLOT_OF_CUSTOMER,
            RECORDS_OF_CUSTOMER,
            HAS_TRAIL,
        ];
        let deleted = OF_CUSTOMERS.iter().map(|table| table.delete);
        let read = crate::sqlite::record::READS.iter().chain(crate::sqlite::standing::READS);
        let read = read.chain(crate::sqlite::sweep::READS).copied();
        for sql in asked.into_iter().chain(deleted).chain(read) {
            let plan = plan(sql, (1..9).rev().find(|n| sql.contains(&format!("?{n}"))).unwrap());
            let all = |line: &String| {
                let small = ["who", "mine", "CONSTANT", "(subquery"];
                let whole =
                    line.strip_prefix("SCAN ").is_some_and(|of| !small.iter().any(|s| of.starts_with(s)));
                whole || line.ends_with("(tenant=?)")
            };
            assert!(!plan.iter().any(all), "{sql}: {plan:#?}");
        }
    }

    #[test]
    fn damage_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        fs::write(&path, b"this is no database, but it is long enough to be read as one ....................................................").unwrap();
        let refused = open_writer(&path, OPENING);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");

        let path = dir.path().join("b.db");
        let db = open_writer(&path, OPENING).unwrap();
        db.execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500)
            INSERT INTO log_entries SELECT i, zeroblob(300) FROM n",
        )
        .unwrap();
        assert!(truncate_wal(&db, BUSY).unwrap());
        drop(db);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        let refused = open_writer(&path, OPENING);
        assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    }
}
