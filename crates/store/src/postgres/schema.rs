//! The tables on a server, how they came to be, and who may do what with them.
//!
//! Two roles: the owner makes and changes tables and serves nothing; the role that serves owns nothing. Row-level security
//! is forced on every table with a tenant column, also for the owner, and a transaction sees the rows of one tenant, which
//! it names first. Entries of the log cannot be changed or deleted by the role that serves.

use tokio_postgres::Error;

use super::session::{Postgres, Session, failed};
use crate::StoreError;

/// Where the store's tables are.
pub(super) const STORE_SCHEMA: &str = "chatward";
/// Where the keyring's tables are.
pub(super) const KEYS_SCHEMA: &str = "chatward_keys";

/// The first half of all our advisory locks; the second says which. Those of a gateway are its number.
pub(super) const LOCK_GATEWAYS: i32 = 0x4348_5701;
pub(super) const LOCKS: i32 = 0x4348_5702;
/// Who publishes the log.
pub(super) const LOCK_PUBLISHER: i32 = 1;
/// Who copies a store into this database.
pub(super) const LOCK_COPY: i32 = 3;
/// Who brings the tables up to date.
const LOCK_MIGRATION: i64 = 0x4348_5703;

/// A step of the schema, both ways. One that was released is never changed.
pub(super) struct Migration {
    up: &'static str,
    down: &'static str,
    /// What the role that serves may do after the step.
    grants: &'static [(&'static str, &'static str)],
    /// Gives how much would be lost on the way down. More than nothing: it is refused.
    loses: Option<&'static str>,
    /// Run before that: forced security hides rows from the owner, too. It ends with the transaction, or the tables do.
    unveils: &'static str,
}

/// One database's tables.
pub(super) struct Schema {
    pub(super) name: &'static str,
    pub(super) steps: &'static [Migration],
}

/// The tables of the store. They have the shapes of the embedded store's (see there for why), and the tenant stands in every
/// table with data of customers.
pub(super) const STORE: Schema = Schema {
    name: STORE_SCHEMA,
    steps: &[
        Migration {
            up: "
-- The end of the log and of the turns. Whoever writes holds this row until the commit: one writer at a time, over all
-- processes, so that the log has no gap and no fork.
CREATE TABLE head (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size     bigint NOT NULL,
    turns    bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO head VALUES (true, 0, 0);

CREATE TABLE log_entries (
    idx  bigint PRIMARY KEY,
    data bytea NOT NULL
);

CREATE TABLE customers (
    tenant text NOT NULL,
    id     bytea NOT NULL,
    slot   bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE conversations (
    tenant   text NOT NULL,
    id       bytea NOT NULL,
    customer bytea,
    slot     bytea,
    opened   bigint NOT NULL,
    turn     bigint,
    issued   bytea,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX conversations_of_customer ON conversations (tenant, customer) WHERE customer IS NOT NULL;

CREATE TABLE entries (
    tenant       text NOT NULL,
    conversation bytea NOT NULL,
    seq          bigint NOT NULL,
    label        text NOT NULL,
    tag          bytea NOT NULL,
    kind         text NOT NULL,
    token        text NOT NULL,
    value        bytea NOT NULL,
    PRIMARY KEY (tenant, conversation, label)
);

CREATE TABLE issued (
    tenant       text NOT NULL,
    conversation bytea NOT NULL,
    first        bigint NOT NULL,
    sealed       bytea NOT NULL,
    PRIMARY KEY (tenant, conversation, first)
);

CREATE TABLE turns (
    seq          bigint PRIMARY KEY,
    tenant       text NOT NULL,
    id           bytea NOT NULL,
    conversation bytea NOT NULL,
    subject      bytea,
    upstream     text NOT NULL,
    at           bigint NOT NULL,
    log          bigint NOT NULL,
    received     bytea NOT NULL,
    later        boolean NOT NULL
);
CREATE UNIQUE INDEX turns_by_id ON turns (tenant, id);
CREATE INDEX turns_of_conversation ON turns (tenant, conversation) WHERE later;

CREATE TABLE closings (
    turn   bigint PRIMARY KEY,
    tenant text NOT NULL,
    state  bigint NOT NULL,
    at     bigint NOT NULL,
    log    bigint NOT NULL,
    tags   bytea[] NOT NULL,
    reply  bytea
);

CREATE TABLE history_tags (
    tenant       text NOT NULL,
    tag          bytea NOT NULL,
    conversation bytea NOT NULL,
    PRIMARY KEY (tenant, tag, conversation)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['customers', 'conversations', 'entries', 'issued', 'turns', 'closings', 'history_tags'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY of_tenant ON %I USING (tenant = current_setting(''chatward.tenant'', true))
             WITH CHECK (tenant = current_setting(''chatward.tenant'', true))', name);
    END LOOP;
END $$;
",
            down: "
DROP TABLE history_tags, closings, turns, issued, entries, conversations, customers, log_entries, head;
",
            grants: &[
                ("head", "SELECT, UPDATE"),
                ("log_entries", "SELECT, INSERT"),
                ("customers", "SELECT, INSERT, DELETE"),
                ("conversations", "SELECT, INSERT, DELETE"),
                ("entries", "SELECT, INSERT, DELETE"),
                ("issued", "SELECT, INSERT, DELETE"),
                ("turns", "SELECT, INSERT, DELETE"),
                ("closings", "SELECT, INSERT, DELETE"),
                ("history_tags", "SELECT, INSERT, DELETE"),
            ],
            loses: Some("SELECT count(*) FROM (SELECT 1 FROM log_entries LIMIT 1) AS kept"),
            unveils: "",
        },
        Migration {
            up: "
-- Several processes. A turn that is under way belongs to one of them, which holds an advisory lock of its number.
CREATE SEQUENCE gateways AS integer CYCLE;
CREATE TABLE open_turns (
    seq     bigint PRIMARY KEY,
    gateway integer NOT NULL
) WITH (fillfactor = 50);
-- Turns of before belong to nobody who is still there. The owner sees them only while security is not forced.
ALTER TABLE turns NO FORCE ROW LEVEL SECURITY;
ALTER TABLE closings NO FORCE ROW LEVEL SECURITY;
INSERT INTO open_turns SELECT seq, 0 FROM turns WHERE NOT EXISTS (SELECT 1 FROM closings WHERE turn = seq);

-- Whose rows there are: names only.
CREATE TABLE tenants (name text PRIMARY KEY);
INSERT INTO tenants SELECT DISTINCT tenant FROM turns;
ALTER TABLE turns FORCE ROW LEVEL SECURITY;
ALTER TABLE closings FORCE ROW LEVEL SECURITY;

-- Hashes of key slots that are gone. A process that did not hear of an erasure yet cannot bring the customer back under a dead key.
CREATE TABLE erased (slot bytea PRIMARY KEY);

-- The newest checkpoint that any process signed.
CREATE TABLE signed (
    only_one   boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    size       bigint NOT NULL,
    checkpoint bytea NOT NULL
);

-- A copy of an embedded store that is not finished, and how far it is.
CREATE TABLE copying (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    source   bytea NOT NULL,
    step     bigint NOT NULL,
    done     bigint NOT NULL
);
",
            down: "
DROP TABLE open_turns, tenants, erased, signed, copying;
DROP SEQUENCE gateways;
",
            grants: &[
                ("SEQUENCE gateways", "USAGE"),
                ("open_turns", "SELECT, INSERT, DELETE"),
                ("tenants", "SELECT, INSERT"),
                ("erased", "SELECT, INSERT"),
                ("signed", "SELECT, INSERT, UPDATE"),
                ("copying", "SELECT, INSERT, UPDATE, DELETE"),
            ],
            loses: None,
            unveils: "",
        },
        Migration {
            up: "
-- Sealed values under an id and a revision: accounts, sessions, keys of programs, requests.
CREATE TABLE records (
    tenant   text NOT NULL,
    kind     bigint NOT NULL,
    id       bytea NOT NULL,
    revision bigint NOT NULL,
    slot     bytea NOT NULL,
    customer bytea,  -- erased with this one
    until    bigint, -- later it may be dropped
    sealed   bytea NOT NULL,
    PRIMARY KEY (tenant, kind, id)
);
CREATE INDEX records_of_customer ON records (tenant, customer, kind) WHERE customer IS NOT NULL;
CREATE INDEX records_by_end ON records (tenant, until) WHERE until IS NOT NULL;

-- Keyed hashes under which records are found.
CREATE TABLE handles (
    tenant      text NOT NULL,
    kind        bigint NOT NULL,
    hash        bytea NOT NULL,
    record_kind bigint NOT NULL,
    record_id   bytea NOT NULL,
    PRIMARY KEY (tenant, kind, hash)
);
CREATE INDEX handles_of_record ON handles (tenant, record_kind, record_id);

-- Which events of the log are about a customer.
CREATE TABLE trail (
    tenant   text NOT NULL,
    customer bytea NOT NULL,
    log      bigint NOT NULL,
    PRIMARY KEY (tenant, customer, log)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['records', 'handles', 'trail'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY of_tenant ON %I USING (tenant = current_setting(''chatward.tenant'', true))
             WITH CHECK (tenant = current_setting(''chatward.tenant'', true))', name);
    END LOOP;
END $$;
",
            down: "DROP TABLE trail, handles, records;",
            grants: &[
                ("records", "SELECT, INSERT, UPDATE, DELETE"),
                ("handles", "SELECT, INSERT, DELETE"),
                ("trail", "SELECT, INSERT, DELETE"),
            ],
            // A handle is never without its record.
            loses: Some("SELECT (SELECT count(*) FROM records) + (SELECT count(*) FROM trail)"),
            unveils: "
ALTER TABLE records NO FORCE ROW LEVEL SECURITY;
ALTER TABLE trail NO FORCE ROW LEVEL SECURITY;
",
        },
        Migration {
            up: "
-- What everything is kept for: a bit for each purpose, 1 for answering. Nothing else was kept before.
ALTER TABLE turns ADD COLUMN purposes bigint NOT NULL DEFAULT 1;
CREATE INDEX turns_ended ON turns (tenant) WHERE purposes = 0;
ALTER TABLE records ADD COLUMN purposes bigint NOT NULL DEFAULT 1;
-- Values that are sealed together: for what, of which classes (63: any), since when.
ALTER TABLE issued ADD COLUMN purposes bigint NOT NULL DEFAULT 1, ADD COLUMN classes bigint NOT NULL DEFAULT 63,
    ADD COLUMN at bigint NOT NULL DEFAULT 0;
-- The same of the first turn's.
ALTER TABLE conversations ADD COLUMN purposes bigint NOT NULL DEFAULT 1, ADD COLUMN classes bigint NOT NULL DEFAULT 63;

-- What customers agreed to, and what that means for their data. Who has no row said nothing.
CREATE TABLE standings (
    tenant     text NOT NULL,
    customer   bytea NOT NULL,
    revision   bigint NOT NULL,
    given      bytea NOT NULL, -- for each consent the purpose's number and 8 bytes that tell the wording
    refused    bigint NOT NULL,
    restricted boolean NOT NULL,
    held_until bigint,
    PRIMARY KEY (tenant, customer)
);
ALTER TABLE standings ENABLE ROW LEVEL SECURITY;
ALTER TABLE standings FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON standings USING (tenant = current_setting('chatward.tenant', true))
    WITH CHECK (tenant = current_setting('chatward.tenant', true));

-- Rows of before are as old as their conversations. The owner sees those of all tenants for the moment.
ALTER TABLE issued NO FORCE ROW LEVEL SECURITY;
ALTER TABLE conversations NO FORCE ROW LEVEL SECURITY;
UPDATE issued AS i SET at = v.opened FROM conversations AS v WHERE v.tenant = i.tenant AND v.id = i.conversation;
ALTER TABLE issued FORCE ROW LEVEL SECURITY;
ALTER TABLE conversations FORCE ROW LEVEL SECURITY;
",
            down: "
DROP TABLE standings;
ALTER TABLE conversations DROP COLUMN purposes, DROP COLUMN classes;
ALTER TABLE issued DROP COLUMN purposes, DROP COLUMN classes, DROP COLUMN at;
ALTER TABLE records DROP COLUMN purposes;
DROP INDEX turns_ended;
ALTER TABLE turns DROP COLUMN purposes;
ALTER TABLE turns FORCE ROW LEVEL SECURITY;
",
            grants: &[
                ("standings", "SELECT, INSERT, UPDATE, DELETE"),
                ("turns", "UPDATE"),
                ("issued", "UPDATE"),
                ("conversations", "UPDATE"),
            ],
            loses: Some(
                "SELECT (SELECT count(*) FROM standings) + (SELECT count(*) FROM turns WHERE purposes <> 1)",
            ),
            unveils: "
ALTER TABLE standings NO FORCE ROW LEVEL SECURITY;
ALTER TABLE turns NO FORCE ROW LEVEL SECURITY;
",
        },
        Migration {
            up: "
-- The encrypted channel, where several gateways serve it. Not logged: neither is ever in the write-ahead log or in a copy made of
-- it, and after a crash of the server both are empty together. What is deleted is cleared away at once.
CREATE UNLOGGED TABLE channel_seeds (
    number bigint PRIMARY KEY,
    sealed bytea NOT NULL, -- by the vault, for this number
    made   bigint NOT NULL,
    ends   bigint NOT NULL
) WITH (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0);
-- Hashes of what was sealed to those keys, and of counters of sessions.
CREATE UNLOGGED TABLE channel_seen (
    tag  bytea PRIMARY KEY,
    ends bigint NOT NULL
);
CREATE INDEX channel_seen_by_end ON channel_seen (ends);
",
            down: "DROP TABLE channel_seeds, channel_seen;",
            grants: &[
                ("channel_seeds", "SELECT, INSERT, DELETE"),
                ("channel_seen", "SELECT, INSERT, DELETE"),
            ],
            loses: None,
            unveils: "",
        },
    ],
};

/// The tables of the keyring.
pub(super) const KEYS: Schema = Schema {
    name: KEYS_SCHEMA,
    steps: &[Migration {
        up: "
CREATE TABLE keys (
    slot    bytea PRIMARY KEY,
    epoch   bigint NOT NULL,
    wrapped bytea NOT NULL
);
CREATE TABLE meta (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
-- The epoch under which all keys are wrapped; 0 while there is none.
CREATE TABLE state (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    epoch    bigint NOT NULL
);
INSERT INTO state VALUES (true, 0);
-- Whose keys were destroyed, for the processes that may still have them in memory.
CREATE TABLE destroyed (
    slot  bytea PRIMARY KEY,
    epoch bigint NOT NULL,
    at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX destroyed_by_epoch ON destroyed (epoch);
",
        down: "DROP TABLE keys, meta, state, destroyed;",
        grants: &[
            ("keys", "SELECT, INSERT, UPDATE, DELETE"),
            ("meta", "SELECT, INSERT, UPDATE"),
            ("state", "SELECT, UPDATE"),
            ("destroyed", "SELECT, INSERT, UPDATE, DELETE"),
        ],
        loses: Some("SELECT count(*) FROM (SELECT 1 FROM keys LIMIT 1) AS kept"),
        unveils: "",
    }],
};

/// Brings the tables up to date if the owner is known, then looks whether they are what this program needs, and whether
/// the role that serves can do no more than it should.
pub(super) async fn prepare(server: &Postgres, schema: &Schema) -> Result<(), StoreError> {
    if server.has_owner() {
        migrate(server, schema, schema.steps.len()).await?;
    }
    let label = server.label();
    let mut session = server.connect(schema.name).await?;
    let failed = |e: Error| failed(&label, "look at the tables", &e);
    let known = number(schema.steps.len())?;
    let found = version(&mut session, schema).await.map_err(failed)?;
    if found > known {
        return Err(StoreError::NewerSchema { path: server.server().into(), found, known });
    }
    if found < known {
        return Err(StoreError::OlderSchema { server: label, found, known });
    }
    let strong = session
        .row(
            "SELECT rolsuper OR rolbypassrls,
             EXISTS (SELECT 1 FROM pg_class WHERE relowner = pg_roles.oid AND relnamespace = $1::text::regnamespace)
             FROM pg_roles WHERE rolname = current_user",
            &[&schema.name],
        )
        .await
        .map_err(failed)?;
    let (above, owns) =
        strong.map_or(Ok((true, true)), |row| Ok((row.try_get(0)?, row.try_get(1)?))).map_err(failed)?;
    if above || owns {
        let why = if above { "it is a superuser or has BYPASSRLS" } else { "it owns the tables" };
        return Err(StoreError::RoleTooStrong { server: label, why });
    }
    Ok(())
}

/// Brings the tables to this version, up or down, each step in a transaction of its own.
pub(super) async fn migrate(server: &Postgres, schema: &Schema, to: usize) -> Result<(), StoreError> {
    let label = server.label();
    let failed = |e: Error| failed(&label, "migrate", &e);
    let Some(mut owner) = server.connect_owner(schema.name).await? else {
        return Err(StoreError::BadAddress { detail: "migrations need the owner's URL".into() });
    };
    let known = number(schema.steps.len())?;
    loop {
        // The lock first, in a statement of its own: who waited for it must see what the other one did.
        owner.run_all("BEGIN").await.map_err(failed)?;
        owner.run("SELECT pg_advisory_xact_lock($1)", &[&LOCK_MIGRATION]).await.map_err(failed)?;
        let begin = format!(
            "CREATE SCHEMA IF NOT EXISTS {0};
             CREATE TABLE IF NOT EXISTS {0}.schema_versions (version bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
             GRANT USAGE ON SCHEMA {0} TO {1}; GRANT SELECT ON {0}.schema_versions TO {1}",
            schema.name,
            quoted(server.role())
        );
        owner.run_all(&begin).await.map_err(failed)?;
        let found = version(&mut owner, schema).await.map_err(failed)?;
        if found > known {
            return Err(StoreError::NewerSchema { path: server.server().into(), found, known });
        }
        let at = usize::try_from(found).unwrap_or(0);
        if at == to {
            return owner.run_all("COMMIT").await.map_err(failed);
        }
        if at < to {
            let Some(step) = schema.steps.get(at) else { return Err(StoreError::inside("no such version")) };
            owner.run_all(step.up).await.map_err(failed)?;
            for (what, may) in step.grants {
                let grant = format!("GRANT {may} ON {what} TO {}", quoted(server.role()));
                owner.run_all(&grant).await.map_err(failed)?;
            }
            let next = number(at + 1)?;
            owner.run("INSERT INTO schema_versions (version) VALUES ($1)", &[&next]).await.map_err(failed)?;
        } else {
            let Some(step) = schema.steps.get(at - 1) else {
                return Err(StoreError::inside("no such version"));
            };
            if let Some(sql) = step.loses {
                owner.run_all(step.unveils).await.map_err(failed)?;
                let lost = owner.row(sql, &[]).await.map_err(failed)?;
                let lost: i64 = lost.map_or(Ok(0), |row| row.try_get(0)).map_err(failed)?;
                if lost > 0 {
                    return Err(StoreError::WouldLose { from: found, to: found - 1 });
                }
            }
            owner.run_all(step.down).await.map_err(failed)?;
            owner.run("DELETE FROM schema_versions WHERE version = $1", &[&found]).await.map_err(failed)?;
        }
        owner.run_all("COMMIT").await.map_err(failed)?;
    }
}

/// The version of the tables; 0 if there are none.
async fn version(session: &mut Session, schema: &Schema) -> Result<i64, Error> {
    let there = session
        .row("SELECT to_regclass($1::text || '.schema_versions') IS NOT NULL", &[&schema.name])
        .await?;
    if !there.map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(0);
    }
    let row = session.row("SELECT coalesce(max(version), 0) FROM schema_versions", &[]).await?;
    row.map_or(Ok(0), |row| row.try_get(0))
}

fn number(n: usize) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(StoreError::inside)
}

/// A name as an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// SQL: the conversations of customer `$2`.
macro_rules! conversations {
    () => {
        "SELECT id FROM conversations WHERE tenant = $1 AND customer = $2
         UNION ALL SELECT id FROM conversations WHERE tenant = $1 AND id = $2 AND customer IS NULL"
    };
}

/// SQL: the turns of customer `$2`.
macro_rules! turns {
    () => {
        concat!(
            "SELECT turn FROM conversations WHERE tenant = $1 AND turn IS NOT NULL AND id IN (",
            conversations!(),
            ") UNION ALL SELECT seq FROM turns WHERE tenant = $1 AND later AND conversation IN (",
            conversations!(),
            ")"
        )
    };
}

/// SQL: whether a record is of customer `$2`, or (kind 7, [`RecordKind::Claim`](crate::RecordKind::Claim)) claims the
/// conversation that they are known by alone.
macro_rules! records {
    () => {
        "tenant = $1 AND (customer = $2 OR kind = 7 AND id = $2)"
    };
}

/// Every table with data of customers, in the order in which an erasure goes through them (who is asked for others comes
/// last), and how the rows of customer `$2` are deleted from it. A test fails when a table with a tenant column is missing.
pub(super) const OF_CUSTOMERS: &[(&str, &str)] = &[
    (
        "entries",
        concat!("DELETE FROM entries WHERE tenant = $1 AND conversation IN (", conversations!(), ")"),
    ),
    ("issued", concat!("DELETE FROM issued WHERE tenant = $1 AND conversation IN (", conversations!(), ")")),
    // By conversation and not by tag alone: the same beginning may have been said in somebody else's conversation.
    (
        "history_tags",
        concat!(
            "DELETE FROM history_tags AS h USING closings AS c, turns AS t, unnest(c.tags) AS said (tag)
             WHERE h.tenant = $1 AND c.tenant = $1 AND t.tenant = $1 AND t.seq = c.turn AND c.turn IN (",
            turns!(),
            ") AND h.tag = said.tag AND h.conversation = t.conversation"
        ),
    ),
    ("closings", concat!("DELETE FROM closings WHERE tenant = $1 AND turn IN (", turns!(), ")")),
    ("turns", concat!("DELETE FROM turns WHERE tenant = $1 AND seq IN (", turns!(), ")")),
    (
        "conversations",
        concat!("DELETE FROM conversations WHERE tenant = $1 AND id IN (", conversations!(), ")"),
    ),
    ("customers", "DELETE FROM customers WHERE tenant = $1 AND id = $2"),
    (
        "handles",
        concat!(
            "DELETE FROM handles WHERE tenant = $1 AND (record_kind, record_id) IN (SELECT kind, id FROM records WHERE ",
            records!(),
            ")"
        ),
    ),
    ("records", concat!("DELETE FROM records WHERE ", records!())),
    ("trail", "DELETE FROM trail WHERE tenant = $1 AND customer = $2"),
    ("standings", "DELETE FROM standings WHERE tenant = $1 AND customer = $2"),
];

/// Turns of the customer that are still under way: they find no place for their answers any more.
pub(super) const CLOSE_OF_CUSTOMER: &str = concat!("DELETE FROM open_turns WHERE seq IN (", turns!(), ")");
/// The turns of conversation `$2`.
macro_rules! turns_of_conversation {
    () => {
        "SELECT turn FROM conversations WHERE tenant = $1 AND id = $2 AND turn IS NOT NULL
         UNION ALL SELECT seq FROM turns WHERE tenant = $1 AND conversation = $2 AND later"
    };
}
pub(super) use turns_of_conversation;
/// The first turn of customer `$2` after event `$3`.
pub(super) const FIRST_TURN_AFTER: &str = concat!(
    "SELECT t.id FROM turns AS t WHERE t.tenant = $1 AND t.log > $3 AND t.seq IN (",
    turns!(),
    ") ORDER BY t.log LIMIT 1"
);
/// The slot of customer `$2`: of their own row, or of the conversation that they are known by alone.
pub(super) const SLOT_OF_CUSTOMER: &str = "SELECT slot FROM customers WHERE tenant = $1 AND id = $2
     UNION ALL SELECT slot FROM conversations WHERE tenant = $1 AND id = $2 AND customer IS NULL LIMIT 1";
