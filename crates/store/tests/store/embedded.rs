//! What looks into the files of the embedded store.

use std::fs;
use std::time::Duration;

use chatward_message::{Action, CustomerId};
use chatward_store::{HistoryMatch, Store, StoreError, StoreOptions, TurnState};

use crate::log::grown;
use crate::turns::{found, turn_id};
use crate::{Key, closing, event, id, open, opening, options, tenant};

#[tokio::test]
async fn what_was_acknowledged_is_in_the_files_without_a_goodbye() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..300 {
        store.open_turn(opening(n % 20, n)).await.unwrap();
        store.close_turn(closing(n)).await.unwrap();
    }
    // A copy of the files as they are opens with all of it.
    let copy = tempfile::tempdir().unwrap();
    for name in ["chatward.db", "chatward.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let again = Store::open(copy.path(), StoreOptions::default()).unwrap();
    for n in 0..300 {
        assert_eq!(again.turn(&tenant(), turn_id(n)).await.unwrap().unwrap().state, TurnState::Closed);
    }
    assert_eq!(again.interrupted(), 0);
}

#[tokio::test]
async fn an_erasure_waits_for_readers_and_says_when_they_take_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(
        dir.path(),
        StoreOptions { truncate_within: Duration::from_millis(300), ..options(dir.path()) },
    )
    .unwrap();
    store.open_turn(opening(1, 1)).await.unwrap();
    let reader = rusqlite::Connection::open(dir.path().join("chatward.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM turns").unwrap();
    let asked = store
        .delete_customer(&tenant(), CustomerId::from_bytes(id(3, 1)), event(Action::CustomerErased, None))
        .await;
    assert!(matches!(asked, Err(StoreError::NotTruncated)), "{asked:?}");
    // Others went on meanwhile.
    store.open_turn(opening(2, 2)).await.unwrap();
    reader.execute_batch("COMMIT").unwrap();
    store.truncate().await.unwrap();
    assert!(!found(dir.path(), b"received 1 1"));
}

#[tokio::test]
async fn a_start_refuses_a_database_that_went_back_or_changed() {
    let dir = tempfile::tempdir().unwrap();
    let store = grown(dir.path(), 100).await;
    store.close().await;
    let old = fs::read(dir.path().join("chatward.db")).unwrap();
    let store = grown(dir.path(), 150).await;
    store.close().await;
    let new = fs::read(dir.path().join("chatward.db")).unwrap();

    fs::write(dir.path().join("chatward.db"), &old).unwrap();
    let refused = Store::open(dir.path(), options(dir.path())).unwrap_err();
    assert!(matches!(refused, StoreError::LogDisagrees { .. }), "{refused}");
    assert!(refused.to_string().contains("move the log folder"), "{refused}");

    fs::write(dir.path().join("chatward.db"), &new).unwrap();
    let db = rusqlite::Connection::open(dir.path().join("chatward.db")).unwrap();
    db.execute(
        "UPDATE log_entries SET data = replace(CAST(data AS TEXT), 'started', 'STARTED') WHERE idx = 77",
        [],
    )
    .unwrap_err();
    db.execute("UPDATE log_entries SET data = CAST(replace(CAST(data AS TEXT), 'started', 'STARTED') AS BLOB) WHERE idx = 77", []).unwrap();
    drop(db);
    let refused = Store::open(dir.path(), options(dir.path())).unwrap_err();
    assert!(matches!(refused, StoreError::LogDisagrees { .. } | StoreError::LogUnusable { .. }), "{refused}");

    // Another key is not this log's.
    fs::write(dir.path().join("chatward.db"), &new).unwrap();
    let refused = Store::open(dir.path(), StoreOptions { signer: Some(Key::of(9)), ..options(dir.path()) })
        .unwrap_err();
    assert!(matches!(refused, StoreError::LogUnusable { .. }), "{refused}");
    // The way out: the log folder moved away, it is published anew.
    fs::rename(dir.path().join("log"), dir.path().join("evidence")).unwrap();
    let store = open(dir.path());
    assert_eq!(store.signed_size(), 150);
}

/// Thousands of customers begin with the same word: what is kept of that in memory must not grow with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_thousands_share_goes_to_the_index_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let tasks: Vec<_> = (0..50)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in (0..4300).skip(client).step_by(50) {
                    store.open_turn(opening(n, n)).await.unwrap();
                    let mut shared = closing(n);
                    shared.history_tags = vec![[9; 16]];
                    store.close_turn(shared).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let db = rusqlite::Connection::open(dir.path().join("chatward.db")).unwrap();
    let indexed: u64 = db.query_row("SELECT count(*) FROM history_tags", [], |row| row.get(0)).unwrap();
    assert!((4000..=4300).contains(&indexed), "{indexed} indexed");
    assert_eq!(store.conversation_by_history(&tenant(), [9; 16]).await.unwrap(), HistoryMatch::Many);
}
