//! What only a server has: walls between tenants, roles, several processes, connections that break.

use std::time::Duration;

use chatward_message::{Action, CustomerId, KeySlot, TenantId, UnixMillis};
use chatward_store::log::verify::verify;
use chatward_store::{
    ChannelSeed, ChannelSeen, OpenTurn, Postgres, Store, StoreError, StoreOptions, TurnState,
};

use crate::log::grown;
use crate::server::{Database, psql};
use crate::turns::turn_id;
use crate::{
    closing, event, id, issued, open, open_with, opening, opening_alone, options, records, signed, tenant,
};

fn database(dir: &tempfile::TempDir) -> Database {
    Database::of(dir.path(), "store")
}

fn other() -> TenantId {
    "other".parse().unwrap()
}

/// A turn of another tenant.
fn of_other(c: u64, n: u64) -> OpenTurn {
    let turn = opening(c, n);
    let mut event = turn.event.clone();
    event.tenant = other();
    OpenTurn { tenant: other(), event, ..turn }
}

/// A second process's store on the same database: a folder of its own.
fn beside(dir: &tempfile::TempDir) -> (tempfile::TempDir, Store) {
    let second = tempfile::tempdir().unwrap();
    let store = Store::open(second.path(), options(dir.path())).unwrap();
    (second, store)
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_tenant_sees_and_changes_nothing_of_another_even_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for mut turn in [opening(1, 1), of_other(2, 2), of_other(2, 3)] {
        turn.issued = issued(if turn.turn == turn_id(3) { 1 } else { 0 }, "sealed");
        let tenant = turn.tenant.clone();
        let n = turn.turn;
        store.open_turn(turn).await.unwrap();
        let mut close = closing(u64::from_be_bytes(n.as_bytes()[..8].try_into().unwrap()));
        close.tenant = tenant;
        store.close_turn(close).await.unwrap();
    }
    for tenant in [tenant(), other()] {
        store.change(records::of_everything(tenant)).await.unwrap();
    }
    let database = database(&dir);
    // A placeholder of an older version, too, so that no table is empty.
    psql(
        &database.superuser,
        "INSERT INTO chatward.entries VALUES ('other', '\\x02', 1, 'CARD_1', '\\x00', 'card', 't', '\\xff'),
         ('default', '\\x02', 1, 'CARD_1', '\\x00', 'card', 't', '\\xff')",
    )
    .unwrap();
    let with_tenant = "SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'chatward'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant' ORDER BY 1";
    let tables = psql(&database.superuser, with_tenant).unwrap();
    let tables: Vec<&str> = tables.lines().collect();
    assert_eq!(
        tables,
        [
            "closings",
            "conversations",
            "customers",
            "entries",
            "handles",
            "history_tags",
            "issued",
            "records",
            "standings",
            "trail",
            "turns"
        ]
    );
    let as_tenant = |tenant: &str, sql: &str| {
        psql(
            &database.serving,
            &format!(
                "SET search_path = chatward; BEGIN; SET LOCAL chatward.tenant = '{tenant}'; {sql}; COMMIT"
            ),
        )
    };
    let all = |table: &str| {
        psql(&database.superuser, &format!("SELECT * FROM chatward.{table} ORDER BY 1, 2")).unwrap()
    };
    for table in &tables {
        let count = |tenant: &str| {
            as_tenant(tenant, &format!("SELECT count(*) FROM {table} WHERE tenant <> '{tenant}'"))
        };
        assert_eq!((count("default").unwrap(), count("other").unwrap()), ("0".into(), "0".into()), "{table}");
        let own = as_tenant("other", &format!("SELECT count(*) > 0 FROM {table}")).unwrap();
        assert_eq!(own, "t", "{table} shows a tenant its own rows");
        // Without a tenant nothing is seen at all.
        let none = psql(&database.serving, &format!("SELECT count(*) FROM chatward.{table}")).unwrap();
        assert_eq!(none, "0", "{table}");
        // The owner of the tables sees nothing either.
        assert_eq!(
            psql(&database.owner, &format!("SELECT count(*) FROM chatward.{table}")).unwrap(),
            "0",
            "{table}"
        );

        let before = all(table);
        as_tenant("default", &format!("DELETE FROM {table} WHERE tenant = 'other'")).unwrap();
        assert_eq!(all(table), before, "{table}: another tenant's rows were deleted");
        as_tenant("other", &format!("UPDATE {table} SET tenant = 'default'")).unwrap_err();
        let planted = format!("INSERT INTO {table} SELECT * FROM {table}");
        let planted =
            planted.replace("SELECT *", "SELECT (jsonb_populate_record(x, '{\"tenant\": \"default\"}')).*");
        let refused =
            as_tenant("other", &planted.replace(&format!("FROM {table}"), &format!("FROM {table} AS x")));
        assert!(refused.is_err(), "{table}: a row was planted with another tenant");
        assert_eq!(all(table), before, "{table}");
    }
    // Nobody who serves gets round it.
    for sql in [
        "SET row_security = off; SELECT count(*) FROM chatward.turns",
        "ALTER TABLE chatward.turns DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_tenant ON chatward.turns",
        "SET ROLE chatward_owner",
        "UPDATE chatward.log_entries SET data = '\\x00'",
        "DELETE FROM chatward.log_entries",
        "TRUNCATE chatward.log_entries",
    ] {
        psql(&database.serving, sql).unwrap_err();
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_role_that_could_get_round_the_walls_does_not_serve() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).close().await;
    let database = database(&dir);
    for url in [&database.superuser, &database.owner] {
        let server = Some(Postgres::new(url).unwrap());
        let refused = Store::open(dir.path(), StoreOptions { postgres: server, ..options(dir.path()) });
        assert!(matches!(refused, Err(StoreError::RoleTooStrong { .. })), "{refused:?}");
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn versions_go_up_down_and_up_again_with_what_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..3 {
        store.open_turn(opening_alone(n, n)).await.unwrap();
    }
    store.open_turn(of_other(8, 8)).await.unwrap();
    store.close_turn(closing(1)).await.unwrap();
    store.close().await;
    let database = database(&dir);
    let version = || psql(&database.superuser, "SELECT max(version) FROM chatward.schema_versions").unwrap();
    let rows = || {
        // The columns that were there from the first version on.
        [
            ("turns", "seq, tenant, id, conversation, subject, upstream, at, log, received, later"),
            ("closings", "*"),
            ("conversations", "tenant, id, customer, slot, opened, turn, issued"),
            ("history_tags", "*"),
            ("log_entries", "*"),
        ]
        .map(|(table, columns)| {
            psql(&database.superuser, &format!("SELECT {columns} FROM chatward.{table} ORDER BY 1, 2"))
                .unwrap()
        })
    };
    let (before, newest) = (rows(), version());
    assert_eq!(newest, "5");
    let to = |version| {
        let options = options(dir.path());
        Store::migrate(dir.path(), options.postgres, version)
    };
    to(Some(1)).unwrap();
    assert_eq!((rows(), version()), (before.clone(), "1".to_owned()));
    // A program that needs version 2 says so where it may not migrate itself.
    let server = Some(Postgres::new(&database.serving).unwrap());
    let refused = Store::open(dir.path(), StoreOptions { postgres: server, ..options(dir.path()) });
    assert!(matches!(refused, Err(StoreError::OlderSchema { found: 1, known: 5, .. })), "{refused:?}");
    let lossy = to(Some(0));
    assert!(matches!(lossy, Err(StoreError::WouldLose { from: 1, to: 0 })), "{lossy:?}");
    to(None).unwrap();
    assert_eq!((rows(), version()), (before, newest));
    let store = open(dir.path());
    assert_eq!(store.interrupted(), 3, "open turns are known again, of every tenant");
    assert_eq!(store.turn(&other(), turn_id(8)).await.unwrap().unwrap().state, TurnState::Interrupted);
    // What versions 3 and 2 have no place for, of any tenant.
    store.change(records::of_everything(other())).await.unwrap();
    store.close().await;
    let lossy = to(Some(3));
    assert!(matches!(lossy, Err(StoreError::WouldLose { from: 4, to: 3 })), "{lossy:?}");
    psql(&database.superuser, "DELETE FROM chatward.standings").unwrap();
    for one in ["DELETE FROM chatward.trail", "DELETE FROM chatward.records"] {
        let lossy = to(Some(2));
        assert!(matches!(lossy, Err(StoreError::WouldLose { from: 3, to: 2 })), "{lossy:?}");
        psql(&database.superuser, one).unwrap();
    }
    // A refused step leaves the walls as they were.
    let forced = "SELECT bool_and(relforcerowsecurity) FROM pg_class
        WHERE relnamespace = 'chatward'::regnamespace AND relname IN ('records', 'handles', 'trail', 'standings', 'turns')";
    assert_eq!(psql(&database.superuser, forced).unwrap(), "t");
    to(Some(2)).unwrap();
    to(None).unwrap();

    psql(&database.superuser, "INSERT INTO chatward.schema_versions VALUES (9)").unwrap();
    let refused = Store::open(dir.path(), options(dir.path()));
    assert!(matches!(refused, Err(StoreError::NewerSchema { found: 9, known: 5, .. })), "{refused:?}");

    // An empty one goes all the way down, and up again.
    let empty = tempfile::tempdir().unwrap();
    let server = options(empty.path()).postgres;
    Store::migrate(empty.path(), server.clone(), None).unwrap();
    Store::migrate(empty.path(), server, Some(0)).unwrap();
    let there = psql(&Database::of(empty.path(), "store").superuser, "SELECT to_regclass('chatward.turns')");
    assert_eq!(there.unwrap(), "");
    open(empty.path()).close().await;
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_start_refuses_a_database_that_went_back_or_changed() {
    let dir = tempfile::tempdir().unwrap();
    grown(dir.path(), 150).await.close().await;
    let database = database(&dir);
    let as_superuser = |sql: &str| psql(&database.superuser, sql).unwrap();
    as_superuser("CREATE TABLE kept AS SELECT * FROM chatward.log_entries WHERE idx >= 100");
    as_superuser("DELETE FROM chatward.log_entries WHERE idx >= 100; UPDATE chatward.head SET size = 100");
    let refused = Store::open(dir.path(), options(dir.path())).unwrap_err();
    assert!(matches!(refused, StoreError::LogDisagrees { .. }), "{refused}");
    as_superuser("INSERT INTO chatward.log_entries SELECT * FROM kept; UPDATE chatward.head SET size = 150");
    open(dir.path()).close().await;
    as_superuser("UPDATE chatward.log_entries SET data = set_byte(data, 9, 65) WHERE idx = 77");
    let refused = Store::open(dir.path(), options(dir.path())).unwrap_err();
    assert!(matches!(refused, StoreError::LogDisagrees { .. } | StoreError::LogUnusable { .. }), "{refused}");
    // A process with an empty folder finds out by the checkpoint that stands in the database.
    let new = tempfile::tempdir().unwrap();
    let refused = Store::open(new.path(), options(dir.path())).unwrap_err();
    assert!(matches!(refused, StoreError::LogDisagrees { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn two_processes_write_one_log_and_show_one_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let (second_dir, second) = beside(&dir);
    assert_eq!(second.interrupted(), 0);
    let tasks: Vec<_> = (0..8)
        .map(|client| {
            let (open, close) = if client % 2 == 0 { (&first, &second) } else { (&second, &first) };
            let (open, close) = (open.clone(), close.clone());
            tokio::spawn(async move {
                let mut indexes = Vec::new();
                for n in (client..200).step_by(8) {
                    // One conversation each, opened by one process and closed by the other.
                    indexes.push(open.open_turn(opening(client, n)).await.unwrap().index());
                    indexes.push(close.close_turn(closing(n)).await.unwrap().index());
                    let read = open.turn(&tenant(), turn_id(n)).await.unwrap().unwrap();
                    assert_eq!(
                        read.state,
                        TurnState::Closed,
                        "what the other process acknowledged is seen at once"
                    );
                }
                indexes
            })
        })
        .collect();
    let mut indexes = Vec::new();
    for task in tasks {
        indexes.extend(task.await.unwrap());
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (0..400).collect::<Vec<u64>>(), "every event has a number of its own, without a gap");
    let mut sizes = [0; 2];
    for _ in 0..1000 {
        for (store, seen) in [&first, &second].into_iter().zip(&mut sizes) {
            let size = store.signed_size();
            assert!(size >= *seen, "a checkpoint shrank from {seen} to {size}");
            *seen = size;
        }
        if sizes == [400, 400] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sizes, [400, 400]);
    assert_eq!(first.checkpoint(), second.checkpoint());
    for folder in [&dir, &second_dir] {
        let report = verify(&folder.path().join("log"), None, &[]).unwrap();
        assert!(report.is_clean() && report.proven == 400, "{:?}", report.faults);
    }
    // The one that signed goes; the other takes its place.
    first.close().await;
    second.append(vec![event(Action::Started, None)]).await.unwrap();
    assert_eq!(signed(&second).await, 401);
    assert!(verify(&second_dir.path().join("log"), None, &[]).unwrap().is_clean());
    // And what it wrote alone comes to the first again.
    let first = open(dir.path());
    assert_eq!(first.signed_size(), 401);
    assert!(verify(&dir.path().join("log"), None, &[]).unwrap().is_clean());
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn turns_of_a_process_that_lives_stay_open() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    first.open_turn(opening(1, 1)).await.unwrap();
    first.open_turn(opening(2, 2)).await.unwrap();
    let (_second_dir, second) = beside(&dir);
    assert_eq!(second.interrupted(), 0, "they are under way");
    first.close_turn(closing(1)).await.unwrap();
    first.close().await;
    // Nobody starts; the other process closes what is left.
    let mut state = TurnState::Open;
    for _ in 0..1000 {
        state = second.turn(&tenant(), turn_id(2)).await.unwrap().unwrap().state;
        if state != TurnState::Open {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(state, TurnState::Interrupted);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn broken_connections_are_made_anew_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let database = database(&dir);
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'chatward'";
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    for n in 0..30 {
        if n % 10 == 5 {
            psql(&database.superuser, cut).unwrap();
        }
        match store.open_turn(opening(n, n)).await {
            Ok(_) => acknowledged.push(n),
            Err(StoreError::Away { .. }) => failed += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(acknowledged.len() >= 27, "{failed} failed");
    for n in &acknowledged {
        // A reader may hold a connection that was just cut: asked again, it makes a new one.
        let mut row = store.turn(&tenant(), turn_id(*n)).await;
        if matches!(row, Err(StoreError::Away { .. })) {
            row = store.turn(&tenant(), turn_id(*n)).await;
        }
        assert_eq!(row.unwrap().unwrap().state, TurnState::Open);
    }
    signed(&store).await;
    assert!(store.is_reachable());
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn an_erased_key_does_not_come_back_with_a_turn_of_another_process() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let (_second_dir, second) = beside(&dir);
    first.open_turn(opening(1, 1)).await.unwrap();
    first.open_turn(opening_alone(2, 2)).await.unwrap();
    for customer in [CustomerId::from_bytes(id(3, 1)), CustomerId::from_bytes(id(2, 2))] {
        first.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await.unwrap();
    }
    // The second process still has the old keys in mind.
    for late in [opening(1, 10), opening_alone(2, 11)] {
        let refused = second.open_turn(late.clone()).await;
        assert!(matches!(refused, Err(StoreError::SlotErased)), "{refused:?}");
        assert_eq!(second.conversation(&tenant(), late.conversation).await.unwrap(), None);
        second.open_turn(OpenTurn { slot: KeySlot::from_bytes([9; 16]), ..late }).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn records_are_one_for_all_processes_and_none_is_made_under_a_key_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let (_second_dir, second) = beside(&dir);
    records::one_of_many_wins(&[first.clone(), second.clone()]).await;
    let customer = CustomerId::from_bytes(id(3, 1));
    first.change(records::account_of(1)).await.unwrap();
    first.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await.unwrap();
    // The second process still has the old key in mind.
    let late = second.change(records::account_of(1)).await;
    assert!(matches!(late, Err(StoreError::SlotErased)), "{late:?}");
    assert_eq!(second.slots_of(&tenant(), customer).await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn a_copy_is_not_gone_on_with_when_records_changed_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir).await;
    let target = tempfile::tempdir().unwrap();
    let server = options(target.path()).postgres.unwrap();
    let stopped = loop {
        let stop = std::panic::AssertUnwindSafe(|| {
            Store::copy(dir.path(), &server, &mut |progress| {
                assert_eq!(progress.done, 0, "stopped on purpose")
            })
        });
        match std::panic::catch_unwind(stop) {
            Ok(Err(StoreError::InUse { .. })) => tokio::time::sleep(Duration::from_millis(20)).await,
            stopped => break stopped.unwrap(),
        }
    };
    assert!(matches!(stopped, Err(StoreError::Inside { .. })), "{stopped:?}");
    // As many rows and the same log as before, so that only the record itself tells.
    let db = rusqlite::Connection::open(dir.path().join("chatward.db")).unwrap();
    assert_eq!(db.execute("UPDATE records SET sealed = x'ff' WHERE revision = 2", []).unwrap(), 1);
    drop(db);
    let refused = copied_once_free(dir.path(), &server);
    assert!(matches!(refused, Err(StoreError::TargetNotEmpty { .. })), "{refused:?}");
}

/// A file of the embedded store as it is after some days: customers with and without names, open turns, erased ones, two
/// tenants, records with handles and trails.
async fn filled(dir: &tempfile::TempDir) {
    let embedded = StoreOptions { postgres: None, ..options(dir.path()) };
    let store = open_with(dir.path(), embedded);
    for n in 0..120 {
        let mut turn = match n % 3 {
            0 => opening(n % 12, n),
            1 => opening_alone(100 + n % 12, n),
            _ => of_other(200 + n % 12, n),
        };
        turn.issued =
            (n < 36).then(|| issued(u32::try_from(n / 12).unwrap(), &format!("sealed {n}"))).flatten();
        let tenant = turn.tenant.clone();
        store.open_turn(turn).await.unwrap();
        if n % 10 != 9 {
            let mut close = closing(n);
            close.tenant = tenant;
            store.close_turn(close).await.unwrap();
        }
    }
    records::fill(&store, [tenant(), other()]).await;
    let gone = CustomerId::from_bytes(id(3, 3));
    store.delete_customer(&tenant(), gone, event(Action::CustomerErased, None)).await.unwrap();
    signed(&store).await;
    // As a killed process leaves it: what is open stays open.
    let copy = tempfile::tempdir().unwrap();
    for name in ["chatward.db", "chatward.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    store.close().await;
    for name in ["chatward.db", "chatward.db-wal"] {
        std::fs::copy(copy.path().join(name), dir.path().join(name)).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn an_embedded_store_moves_over_whole_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir).await;
    let before = std::fs::read(dir.path().join("chatward.db")).unwrap();
    let target = tempfile::tempdir().unwrap();
    let server = options(target.path()).postgres.unwrap();
    let mut seen = Vec::new();
    // Stopped on the way, again and again: each time a panic where a process would have been killed.
    for stop in [0, 1, 3, 5] {
        let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut steps = 0;
            Store::copy(dir.path(), &server, &mut |_| {
                steps += 1;
                assert!(steps <= stop + 1, "stopped on purpose");
            })
        }));
        let held = matches!(stopped, Ok(Err(StoreError::InUse { .. })));
        assert!(held || matches!(stopped, Ok(Err(StoreError::Inside { .. }))), "{stopped:?}");
        if held && stop == 0 {
            // Nothing was begun; see `open_with`.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let unfinished = Store::open(target.path(), options(target.path()));
        assert!(matches!(unfinished, Err(StoreError::UnfinishedCopy { .. })), "{unfinished:?}");
    }
    // Another store's copy is not gone on with.
    let another = tempfile::tempdir().unwrap();
    filled(&another).await;
    let embedded = StoreOptions { postgres: None, ..options(another.path()) };
    open_with(another.path(), embedded).close().await;
    let refused = copied_once_free(another.path(), &server);
    assert!(matches!(refused, Err(StoreError::TargetNotEmpty { .. })), "{refused:?}");

    let copied = loop {
        seen.clear();
        match Store::copy(dir.path(), &server, &mut |progress| seen.push(progress)) {
            Err(StoreError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            copied => break copied.unwrap(),
        }
    };
    assert!(seen[0].done > 0, "it began anew");
    assert!(
        seen.windows(2).all(|two| two[0].done <= two[1].done) && seen.last().unwrap().done == copied.rows
    );
    assert_eq!(std::fs::read(dir.path().join("chatward.db")).unwrap(), before, "the source was changed");
    let again = copied_once_free(dir.path(), &server);
    assert!(matches!(again, Err(StoreError::TargetNotEmpty { .. })), "{again:?}");

    let held = chatward_store::log::verify::Held {
        name: "of the source".into(),
        bytes: std::fs::read(dir.path().join("log/checkpoint")).unwrap(),
    };
    // Both as they are after a start: the same rows, the same log.
    let here = open_with(dir.path(), StoreOptions { postgres: None, ..options(dir.path()) });
    let there = open(target.path());
    // Twelve were open; two of them went with their customer.
    assert_eq!((here.interrupted(), there.interrupted()), (10, 10));
    assert_eq!(here.stats().log_size, there.stats().log_size);
    assert_eq!(copied.events + 10, there.stats().log_size);
    for n in 0..120 {
        for tenant in [tenant(), other()] {
            let (a, b) = (
                here.turn(&tenant, turn_id(n)).await.unwrap(),
                there.turn(&tenant, turn_id(n)).await.unwrap(),
            );
            assert_eq!(a.as_ref().map(comparable), b.as_ref().map(comparable), "turn {n}");
            let (a, b) = (
                here.conversation_by_history(&tenant, id(6, n)),
                there.conversation_by_history(&tenant, id(6, n)),
            );
            assert_eq!(a.await.unwrap(), b.await.unwrap(), "history of turn {n}");
            let conversation = chatward_message::ConversationId::from_bytes(id(2, n + n % 3 * 100));
            let (a, b) =
                (here.conversation(&tenant, conversation), there.conversation(&tenant, conversation));
            assert_eq!(a.await.unwrap(), b.await.unwrap());
        }
    }
    for tenant in [tenant(), other()] {
        let (a, b) = (records::all(&here, &tenant).await, records::all(&there, &tenant).await);
        assert_eq!(a, b);
        assert!(!a.is_empty());
    }
    signed(&there).await;
    drop(here);
    let report = verify(&target.path().join("log"), None, &[held]).unwrap();
    assert!(report.is_clean(), "{:?}", report.faults);
    there.open_turn(opening(999, 999)).await.unwrap();
    there.close_turn(closing(999)).await.unwrap();
}

/// Copies as soon as nobody holds the folder or the database any more (see `open_with`).
fn copied_once_free(from: &std::path::Path, to: &Postgres) -> Result<chatward_store::Copied, StoreError> {
    loop {
        match Store::copy(from, to, &mut |_| {}) {
            Err(StoreError::InUse { .. }) => std::thread::sleep(Duration::from_millis(20)),
            copied => return copied,
        }
    }
}

/// What of a turn does not depend on which open turn was closed first at the start.
fn comparable(row: &chatward_store::TurnRow) -> impl std::fmt::Debug + PartialEq + use<> {
    let interrupted = row.state == TurnState::Interrupted;
    let closed = if interrupted { (None, None) } else { (row.closed_index, row.closed_event.clone()) };
    (
        row.id,
        row.conversation,
        row.customer,
        row.slot,
        row.subject,
        row.upstream.clone(),
        row.state,
        row.opened,
        row.received.clone(),
        row.reply.clone(),
        (row.opened_index, row.opened_event.clone(), closed),
    )
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server (cargo xtask test)"]
async fn gateways_share_the_channels_seeds_and_what_was_seen_and_a_lost_seed_lets_nothing_in() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let (_folder, second) = beside(&dir);
    let seed = |number: u64, sealed: &[u8]| ChannelSeed {
        number,
        sealed: sealed.to_vec(),
        made: UnixMillis(10),
        ends: UnixMillis(1000 + number),
    };
    // Both offer one of the same number: both get the same.
    let (a, b) = tokio::join!(
        first.channel_seeds(UnixMillis(10), Some(seed(1, b"a"))),
        second.channel_seeds(UnixMillis(10), Some(seed(1, b"b")))
    );
    let kept = first.channel_seeds(UnixMillis(10), None).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!([a.unwrap(), b.unwrap()].iter().all(|all| all.is_empty() || *all == kept), "{kept:?}");

    let seen = async |store: &Store, key, tag: u8| {
        store.channel_seen(key, &[tag; 32], UnixMillis(900)).await.unwrap()
    };
    let key = Some((1, UnixMillis(10)));
    assert_eq!(seen(&first, key, 1).await, ChannelSeen::New);
    assert_eq!(seen(&second, key, 1).await, ChannelSeen::Repeated);
    assert_eq!(seen(&second, None, 2).await, ChannelSeen::New);
    assert_eq!(seen(&first, None, 2).await, ChannelSeen::Repeated);
    // Of many at once, over both, one counts.
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { first.clone() } else { second.clone() };
        racing.spawn(async move { store.channel_seen(key, &[3; 32], UnixMillis(900)).await.unwrap() });
    }
    let won = racing.join_all().await;
    assert_eq!(won.iter().filter(|one| **one == ChannelSeen::New).count(), 1, "{won:?}");
    // A key that the server does not know, or another one of this number: nobody relies on what is noted.
    assert_eq!(seen(&first, Some((2, UnixMillis(10))), 4).await, ChannelSeen::NoKey);
    assert_eq!(seen(&first, Some((1, UnixMillis(11))), 4).await, ChannelSeen::NoKey);

    let database = database(&dir);
    let persistence = "SELECT string_agg(relpersistence::text, '') FROM pg_class
        WHERE relnamespace = 'chatward'::regnamespace AND relkind IN ('r', 'i') AND relname LIKE 'channel%'";
    assert!(
        psql(&database.superuser, persistence).unwrap().chars().all(|kind| kind == 'u'),
        "never in the log"
    );
    // After its end nothing is left.
    assert!(first.channel_seeds(UnixMillis(2000), None).await.unwrap().is_empty());
    let left =
        "SELECT (SELECT count(*) FROM chatward.channel_seeds) + (SELECT count(*) FROM chatward.channel_seen)";
    assert_eq!(psql(&database.superuser, left).unwrap(), "0");
}
