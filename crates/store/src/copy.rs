//! Moving an embedded store to a server.
//!
//! The source is opened read-only, and its lock is held. Rows go over in an order that does not change, some thousands a
//! transaction, and the target notes in the same transaction how far it is: whoever was stopped goes on from there. At the
//! end the logs of both have the same root hash and every table as many rows, or the copy is not finished.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256, digest};
use chatward_message::KeySlot;

use crate::log::{root_of, verify};
use crate::{KeyringError, Postgres, StoreError, WrappedKey, folder, postgres, sqlite};

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows in the target.
    pub done: u64,
    /// Rows in the source.
    pub all: u64,
}

/// A copy that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Rows copied.
    pub rows: u64,
    /// Events in the log.
    pub events: u64,
    /// The root hash over all events, the same in the source and in the copy.
    pub root: [u8; 32],
}

/// A table on its way: how it is read from a file, and how many of its rows are put in at once on a server.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Reads the file, in an order that does not change.
    pub(crate) select: &'static str,
    /// What its columns hold.
    pub(crate) columns: &'static [Column],
    /// Which of them is the tenant, if its rows are seen by one tenant only.
    pub(crate) tenant: Option<usize>,
    /// Takes an array for each column.
    pub(crate) insert: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Number,
    Text,
    Bytes,
}

/// One column of many rows.
#[derive(Debug)]
pub(crate) enum Values {
    Number(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// Every table, in the order in which they are copied. What is not here follows from what is.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "log_entries",
        select: "SELECT idx, data FROM log_entries ORDER BY idx",
        columns: &[Column::Number, Column::Bytes],
        tenant: None,
        insert: "INSERT INTO log_entries SELECT * FROM unnest($1::bigint[], $2::bytea[])",
    },
    Table {
        name: "tenants",
        select: "SELECT tenant FROM turns UNION SELECT tenant FROM records UNION SELECT tenant FROM trail UNION SELECT tenant FROM standings
            ORDER BY tenant",
        columns: &[Column::Text],
        tenant: None,
        insert: "INSERT INTO tenants SELECT * FROM unnest($1::text[])",
    },
    Table {
        name: "customers",
        select: "SELECT tenant, id, slot FROM customers ORDER BY tenant, id",
        columns: &[Column::Text, Column::Bytes, Column::Bytes],
        tenant: Some(0),
        insert: "INSERT INTO customers SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[])",
    },
    Table {
        name: "conversations",
        select: "SELECT tenant, id, customer, slot, opened, turn, issued, purposes, classes FROM conversations ORDER BY tenant, id",
        columns: &[
            Column::Text,
            Column::Bytes,
            Column::Bytes,
            Column::Bytes,
            Column::Number,
            Column::Number,
            Column::Bytes,
            Column::Number,
            Column::Number,
        ],
        tenant: Some(0),
        insert: "INSERT INTO conversations SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[],
            $5::bigint[], $6::bigint[], $7::bytea[], $8::bigint[], $9::bigint[])",
    },
    Table {
        name: "entries",
        select: "SELECT tenant, conversation, seq, label, tag, kind, token, value FROM entries
            ORDER BY tenant, conversation, label",
        columns: &[
            Column::Text,
            Column::Bytes,
            Column::Number,
            Column::Text,
            Column::Bytes,
            Column::Text,
            Column::Text,
            Column::Bytes,
        ],
        tenant: Some(0),
        insert: "INSERT INTO entries SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[],
            $5::bytea[], $6::text[], $7::text[], $8::bytea[])",
    },
    Table {
        name: "issued",
        select: "SELECT tenant, conversation, first, sealed, purposes, classes, at FROM issued
            ORDER BY tenant, conversation, first",
        columns: &[
            Column::Text,
            Column::Bytes,
            Column::Number,
            Column::Bytes,
            Column::Number,
            Column::Number,
            Column::Number,
        ],
        tenant: Some(0),
        insert: "INSERT INTO issued SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[],
            $6::bigint[], $7::bigint[])",
    },
    Table {
        name: "turns",
        select: "SELECT seq, tenant, id, conversation, subject, upstream, at, log, received, later, purposes FROM turns
            ORDER BY seq",
        columns: &[
            Column::Number,
            Column::Text,
            Column::Bytes,
            Column::Bytes,
            Column::Bytes,
            Column::Text,
            Column::Number,
            Column::Number,
            Column::Bytes,
            Column::Number,
            Column::Number,
        ],
        tenant: Some(1),
        insert: "INSERT INTO turns
            SELECT seq, tenant, id, conversation, subject, upstream, at, log, received, later <> 0, purposes
            FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::text[], $7::bigint[],
                $8::bigint[], $9::bytea[], $10::bigint[], $11::bigint[])
            AS t (seq, tenant, id, conversation, subject, upstream, at, log, received, later, purposes)",
    },
    // With the tags of their histories, which stand in one piece in the file, 16 bytes each.
    Table {
        name: "closings",
        select: "SELECT c.turn, t.tenant, c.state, c.at, c.log, c.tags, c.reply, t.conversation
            FROM closings AS c JOIN turns AS t ON t.seq = c.turn ORDER BY c.turn",
        columns: &[
            Column::Number,
            Column::Text,
            Column::Number,
            Column::Number,
            Column::Number,
            Column::Bytes,
            Column::Bytes,
            Column::Bytes,
        ],
        tenant: Some(1),
        insert: "WITH closed AS (
                SELECT c.*, ARRAY(SELECT substring(c.tags FROM 16 * i + 1 FOR 16)
                    FROM generate_series(0, length(c.tags) / 16 - 1) AS i) AS list
                FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[],
                    $8::bytea[]) AS c (turn, tenant, state, at, log, tags, reply, conversation)
            ), said AS (
                INSERT INTO history_tags SELECT DISTINCT tenant, one.tag, conversation FROM closed, unnest(list) AS one (tag)
                ON CONFLICT DO NOTHING
            )
            INSERT INTO closings SELECT turn, tenant, state, at, log, list, reply FROM closed",
    },
    // Of a process that is gone: the first start on the server closes them.
    Table {
        name: "open_turns",
        select: "SELECT seq FROM turns WHERE NOT EXISTS (SELECT 1 FROM closings WHERE turn = seq) ORDER BY seq",
        columns: &[Column::Number],
        tenant: None,
        insert: "INSERT INTO open_turns SELECT seq, 0 FROM unnest($1::bigint[]) AS seq",
    },
    Table {
        name: "records",
        select: "SELECT tenant, kind, id, revision, slot, customer, until, sealed, purposes FROM records ORDER BY tenant, kind, id",
        columns: &[
            Column::Text,
            Column::Number,
            Column::Bytes,
            Column::Number,
            Column::Bytes,
            Column::Bytes,
            Column::Number,
            Column::Bytes,
            Column::Number,
        ],
        tenant: Some(0),
        insert: "INSERT INTO records SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[],
            $5::bytea[], $6::bytea[], $7::bigint[], $8::bytea[], $9::bigint[])",
    },
    Table {
        name: "handles",
        select: "SELECT tenant, kind, hash, record_kind, record_id FROM handles ORDER BY tenant, kind, hash",
        columns: &[Column::Text, Column::Number, Column::Bytes, Column::Number, Column::Bytes],
        tenant: Some(0),
        insert: "INSERT INTO handles SELECT * FROM
            unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[])",
    },
    Table {
        name: "trail",
        select: "SELECT tenant, customer, log FROM trail ORDER BY tenant, customer, log",
        columns: &[Column::Text, Column::Bytes, Column::Number],
        tenant: Some(0),
        insert: "INSERT INTO trail SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[])",
    },
    Table {
        name: "standings",
        select: "SELECT tenant, customer, revision, given, refused, restricted, held_until FROM standings
            ORDER BY tenant, customer",
        columns: &[
            Column::Text,
            Column::Bytes,
            Column::Number,
            Column::Bytes,
            Column::Number,
            Column::Number,
            Column::Number,
        ],
        tenant: Some(0),
        insert: "INSERT INTO standings SELECT tenant, customer, revision, given, refused, restricted <> 0, held_until
            FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[])
            AS s (tenant, customer, revision, given, refused, restricted, held_until)",
    },
];

/// Tables whose rows change without an event: the log's root hash does not tell of their state.
const UNLOGGED: &[&str] = &["records", "handles", "standings"];

/// Copies the embedded store in a folder, which no process may have open, into a database that holds nothing else.
pub(crate) fn store(
    from: &Path,
    to: &Postgres,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Copied, StoreError> {
    let path = from.join("chatward.db");
    folder::is_there(&path)?;
    let _lock = folder::take_lock(&from.join("lock"))?;
    let source = sqlite::Source::store(&path)?;
    let signed = checkpoint(&from.join("log"))?;
    let here = root_of(&source, signed.as_ref().map_or(0, |(_, signed)| signed.size))?;
    let (events, root) = (here.size, here.root);
    if let Some((_, signed)) = &signed
        && here.earlier != Some(signed.root)
    {
        let detail = format!("the first {} events hash differently", signed.size).into();
        return Err(StoreError::LogDisagrees { path: from.join("log"), detail });
    }
    let counts = TABLES.iter().map(|table| source.count(table)).collect::<Result<Vec<u64>, _>>()?;
    let all = counts.iter().sum();
    let turns = source.next_turn()?;
    // The same rows in the same state: an unfinished copy of anything else is not gone on with.
    let unlogged = unlogged(&source)?;
    let name = digest(&SHA256, format!("{root:?} {events} {counts:?} {turns} {unlogged:?}").as_bytes());
    let target = postgres::Target::open(to, name.as_ref())?;
    let (first, put) = target.place()?;
    let mut done = counts.iter().take(first).sum::<u64>() + put;
    progress(Progress { done, all });
    for (step, table) in TABLES.iter().enumerate().skip(first) {
        let mut here = if step == first { put } else { 0 };
        source.each(table, here, &mut |rows, values| {
            here += rows;
            target.put(step, here, table, &values)?;
            done += rows;
            progress(Progress { done, all });
            Ok(())
        })?;
        target.begin_step(step + 1)?;
    }
    target.close_books(events, turns, signed.as_ref().map(|(bytes, signed)| (signed.size, &**bytes)))?;
    let there = root_of(&target, 0)?;
    if (events, root) != (there.size, there.root) {
        return Err(StoreError::CopyDiffers { detail: "the logs have different root hashes".into() });
    }
    for (table, here) in TABLES.iter().zip(&counts) {
        let there = target.count(table)?;
        if *here != there {
            let detail = format!("{}: {here} rows in the source, {there} in the copy", table.name);
            return Err(StoreError::CopyDiffers { detail: detail.into() });
        }
    }
    target.finish()?;
    Ok(Copied { rows: all, events, root })
}

/// A hash over all that can change without an event.
fn unlogged(source: &sqlite::Source) -> Result<[u8; 32], StoreError> {
    let mut hash = Context::new(&SHA256);
    let mut add = |bytes: Option<&[u8]>| {
        hash.update(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        hash.update(bytes.unwrap_or_default());
    };
    for table in TABLES.iter().filter(|table| UNLOGGED.contains(&table.name)) {
        source.each(table, 0, &mut |rows, values| {
            add(Some(&rows.to_le_bytes()));
            for column in &values {
                match column {
                    Values::Number(all) => {
                        all.iter().for_each(|n| add(n.map(i64::to_le_bytes).as_ref().map(|n| &n[..])))
                    }
                    Values::Text(all) => all.iter().for_each(|text| add(text.as_ref().map(String::as_bytes))),
                    Values::Bytes(all) => all.iter().for_each(|bytes| add(bytes.as_deref())),
                }
            }
            Ok(())
        })?;
    }
    hash.finish().as_ref().try_into().map_err(StoreError::inside)
}

/// The signed checkpoint of a log folder, if it was ever published.
fn checkpoint(log: &Path) -> Result<Option<(Vec<u8>, verify::Checkpoint)>, StoreError> {
    let unusable = |detail: String| StoreError::LogUnusable { path: log.to_owned(), detail: detail.into() };
    let read = |name: &str| match std::fs::read(log.join(name)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(StoreError::io(&log.join(name), &e)),
    };
    let (Some(bytes), Some(key)) = (read("checkpoint")?, read("vkey")?) else { return Ok(None) };
    let key =
        String::from_utf8_lossy(&key).parse::<verify::Vkey>().map_err(|e| unusable(format!("vkey: {e}")))?;
    let signed = verify::Checkpoint::open(&bytes, &key).map_err(|e| unusable(format!("checkpoint: {e}")))?;
    Ok(Some((bytes, signed)))
}

/// Copies the keyring in a folder, which no process may have open, into a database that holds nothing else. Gives the number
/// of keys. May be run again after it was stopped.
pub(crate) async fn keyring(from: &Path, to: &Postgres) -> Result<u64, KeyringError> {
    let path = from.join("keyring.db");
    folder::is_there(&path)?;
    let _lock = folder::take_lock(&from.join("keyring.lock"))?;
    let source = sqlite::Source::keyring(&path)?;
    let keys = source.keys()?;
    if keys.iter().any(|(_, key)| Some(key.epoch) != keys.first().map(|(_, first)| first.epoch)) {
        let detail = "a renewal of the keys was interrupted: start the program on this folder once".into();
        return Err(StoreError::CopyDiffers { detail }.into());
    }
    let target = postgres::Keys::open(to.clone()).await?;
    let is_ours = |all: &[(KeySlot, WrappedKey)]| {
        all.iter()
            .all(|key| keys.binary_search_by(|k| k.0.cmp(&key.0)).is_ok_and(|at| keys.get(at) == Some(key)))
    };
    if !is_ours(&target.all().await?) {
        return Err(StoreError::TargetNotEmpty { server: to.label() }.into());
    }
    target.put(&keys).await?;
    for (name, value) in source.meta()? {
        target.set_meta(&name, value).await?;
    }
    let copied = target.all().await?;
    if copied.len() != keys.len() || !is_ours(&copied) {
        return Err(StoreError::CopyDiffers { detail: "not every key of the keyring arrived".into() }.into());
    }
    Ok(keys.len() as u64)
}
