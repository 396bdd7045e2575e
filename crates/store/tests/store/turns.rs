//! Turns, erasures and failures.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chatward_message::{Action, ConversationId, CustomerId, KeySlot, TenantId, TurnId};
use chatward_store::{
    Fault, FaultPoint, Faults, HistoryMatch, Recall, Store, StoreError, StoreOptions, TurnState,
};

use crate::{closing, event, id, issued, open, opening, opening_alone, options, tenant};

pub(crate) fn turn_id(n: u64) -> TurnId {
    TurnId::from_bytes(id(1, n))
}

#[tokio::test]
async fn a_turn_is_kept_as_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut turn = opening(1, 10);
    turn.issued = issued(0, "a");
    let opened = store.open_turn(turn.clone()).await.unwrap();
    assert_eq!(opened.index(), 0);
    let row = store.turn(&tenant(), turn.turn).await.unwrap().unwrap();
    assert_eq!((row.state, row.reply.clone(), row.closed_index), (TurnState::Open, None, None));
    assert_eq!(store.close_turn(closing(10)).await.unwrap().index(), 1);

    let row = store.turn(&tenant(), turn.turn).await.unwrap().unwrap();
    assert_eq!(row.received, turn.received);
    assert_eq!((row.customer, row.conversation, row.slot), (turn.customer, turn.conversation, turn.slot));
    assert_eq!((row.state, row.reply), (TurnState::Closed, closing(10).reply));
    assert_eq!((row.opened_index, row.closed_index), (0, Some(1)));
    assert!(row.opened_event.contains(r#""action":"turn-opened""#), "{}", row.opened_event);
    assert_eq!(store.event(1).await.unwrap(), row.closed_event);

    let asked = Recall {
        tenant: tenant(),
        customer: Some(turn.customer),
        conversation: None,
        history: Some(id(6, 10)),
    };
    let found = store.recall(asked).await.unwrap();
    assert_eq!(found.slot, Some(turn.slot));
    assert_eq!(found.history, HistoryMatch::One(turn.conversation));
    let kept = found.conversation.unwrap();
    assert_eq!((kept.issued, kept.entries), (turn.issued.into_iter().collect(), Vec::new()));
    assert_eq!(store.turns_of(&tenant(), turn.conversation).await.unwrap().len(), 1);

    // Another tenant sees nothing of it.
    let other: TenantId = "other".parse().unwrap();
    assert_eq!(store.turn(&other, turn.turn).await.unwrap(), None);
    assert_eq!(store.conversation(&other, turn.conversation).await.unwrap(), None);
    assert_eq!(store.customer(&other, turn.customer).await.unwrap(), None);
    assert_eq!(store.conversation_by_history(&other, id(6, 10)).await.unwrap(), HistoryMatch::None);
}

#[tokio::test]
async fn a_history_known_in_two_conversations_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 1..=2 {
        store.open_turn(opening(n, n)).await.unwrap();
        let mut close = closing(n);
        close.history_tags = vec![[9; 16], [9; 16]];
        store.close_turn(close).await.unwrap();
    }
    assert_eq!(store.conversation_by_history(&tenant(), [9; 16]).await.unwrap(), HistoryMatch::Many);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_are_recognised_over_a_start_and_forgotten_with_their_customer() {
    let dir = tempfile::tempdir().unwrap();
    let of = |c| HistoryMatch::One(ConversationId::from_bytes(id(2, c)));
    let known = async |store: &Store, n| store.conversation_by_history(&tenant(), id(6, n)).await.unwrap();
    // The embedded store gathers some thousands before it indexes them; a server indexes each at once.
    let embedded = crate::server::server().is_none();
    let count = if embedded { 5000 } else { 600 };
    let indexed = || {
        let db = rusqlite::Connection::open(dir.path().join("chatward.db")).unwrap();
        db.query_row("SELECT count(*) FROM history_tags", [], |row| row.get::<_, u64>(0)).unwrap()
    };
    let store = open(dir.path());
    // One turn stays open all the while: its tag comes last, long after those of later turns were indexed.
    store.open_turn(opening(7, 0)).await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in (1..count).skip(client).step_by(50) {
                    store.open_turn(opening(n % 50, n)).await.unwrap();
                    store.close_turn(closing(n)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    store.close_turn(closing(0)).await.unwrap();
    assert!(!embedded || (4000..5000).contains(&indexed()), "{} indexed", indexed());
    for n in 1..count {
        assert_eq!(known(&store, n).await, of(n % 50), "{n}");
    }
    store.close().await;
    let store = open(dir.path());
    for n in (1..count).step_by(7).chain([count - 1]) {
        assert_eq!(known(&store, n).await, of(n % 50), "{n} after a start");
    }
    assert_eq!(known(&store, 0).await, of(7));
    // An erasure takes tags of both places.
    let customer = CustomerId::from_bytes(id(3, 9));
    store.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await.unwrap();
    for n in 0..count {
        let wanted = if n == 0 {
            of(7)
        } else if n % 50 == 9 {
            HistoryMatch::None
        } else {
            of(n % 50)
        };
        assert_eq!(known(&store, n).await, wanted, "{n} after an erasure");
    }
    assert!(!embedded || indexed() == 4900);
}

#[tokio::test]
async fn refused_jobs_leave_their_neighbours_alone_and_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut first = opening(1, 1);
    first.issued = issued(0, "a");
    store.open_turn(first).await.unwrap();

    let mut slot = opening(1, 2);
    slot.slot = KeySlot::from_bytes([8; 16]);
    let mut stolen = opening(2, 3);
    stolen.conversation = ConversationId::from_bytes(id(2, 1));
    let twice = opening(3, 1);
    let mut numbers = opening(1, 4);
    numbers.issued = issued(0, "b");
    let fine = |n| store.open_turn(opening(n, n));
    let (a, slot, b, stolen, twice, c, numbers, unknown, d) = tokio::join!(
        fine(10),
        store.open_turn(slot),
        fine(11),
        store.open_turn(stolen),
        store.open_turn(twice),
        fine(12),
        store.open_turn(numbers),
        store.close_turn(closing(99)),
        fine(13)
    );
    assert!(matches!(slot, Err(StoreError::SlotTaken { slot }) if slot == KeySlot::from_bytes(id(4, 1))));
    assert!(matches!(stolen, Err(StoreError::NotYours)));
    assert!(matches!(twice, Err(StoreError::Exists { .. })));
    assert!(matches!(numbers, Err(StoreError::Exists { .. })));
    assert!(matches!(unknown, Err(StoreError::NotOpen)));
    let mut indexes: Vec<u64> = [a, b, c, d].into_iter().map(|r| r.unwrap().index()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [1, 2, 3, 4], "the log has no gap");
    assert_eq!(store.customer(&tenant(), CustomerId::from_bytes(id(3, 3))).await.unwrap(), None);
    let kept = store.conversation(&tenant(), ConversationId::from_bytes(id(2, 1))).await.unwrap().unwrap();
    assert_eq!(kept.issued.len(), 1, "nothing of a refused job stays");
    // Closed once is closed.
    store.close_turn(closing(1)).await.unwrap();
    assert!(matches!(store.close_turn(closing(1)).await, Err(StoreError::NotOpen)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_turns_share_a_commit_and_all_are_durable() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut tasks = Vec::new();
    for n in 0..300 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            store.open_turn(opening(n % 20, n)).await.unwrap();
            store.close_turn(closing(n)).await.unwrap().index()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let stats = store.stats();
    assert_eq!((stats.jobs, stats.log_size), (600, 600));
    assert!(stats.commits < 400, "{stats:?}");
    for n in 0..300 {
        assert_eq!(store.turn(&tenant(), turn_id(n)).await.unwrap().unwrap().state, TurnState::Closed);
    }
}

#[tokio::test]
async fn half_made_turns_are_closed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..5 {
        store.open_turn(opening(n, n)).await.unwrap();
    }
    store.close_turn(closing(3)).await.unwrap();
    store.close().await;
    let store = open(dir.path());
    assert_eq!(store.interrupted(), 4);
    for n in 0..5 {
        let row = store.turn(&tenant(), turn_id(n)).await.unwrap().unwrap();
        if n == 3 {
            assert_eq!(row.state, TurnState::Closed);
        } else {
            assert_eq!(row.state, TurnState::Interrupted);
            let event = row.closed_event.unwrap();
            assert!(event.contains("turn-interrupted") && event.contains(&turn_id(n).to_string()), "{event}");
            assert!(event.contains(r#""subject":"subj_"#), "{event}");
        }
    }
    assert!(matches!(store.close_turn(closing(1)).await, Err(StoreError::NotOpen)));
    store.close().await;
    assert_eq!(open(dir.path()).interrupted(), 0);
}

#[tokio::test]
async fn somebody_known_by_one_conversation_alone_is_found_and_erased_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (conversation, customer) = (ConversationId::from_bytes(id(2, 1)), CustomerId::from_bytes(id(2, 1)));
    for n in 0..3 {
        let mut turn = opening_alone(1, n);
        turn.issued = issued(u32::try_from(n).unwrap(), &format!("sealed {n}"));
        store.open_turn(turn).await.unwrap();
        store.close_turn(closing(n)).await.unwrap();
    }
    store.open_turn(opening_alone(2, 10)).await.unwrap();
    let slot = KeySlot::from_bytes(id(4, 1));
    let kept = store.conversation(&tenant(), conversation).await.unwrap().unwrap();
    assert_eq!((kept.customer, kept.slot), (customer, slot));
    let numbers: Vec<u32> = kept.issued.iter().map(|row| row.first).collect();
    assert_eq!(numbers, [0, 1, 2]);
    assert_eq!(store.customer(&tenant(), customer).await.unwrap(), Some(slot));
    let ids: Vec<TurnId> =
        store.turns_of(&tenant(), conversation).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(ids, [turn_id(0), turn_id(1), turn_id(2)]);
    let row = store.turn(&tenant(), turn_id(1)).await.unwrap().unwrap();
    assert_eq!((row.customer, row.slot), (customer, slot));

    // Nobody gives them another key, neither here nor in a second conversation, and nobody takes the conversation.
    let mut other = opening_alone(1, 20);
    other.slot = KeySlot::from_bytes(id(4, 9));
    assert!(matches!(store.open_turn(other).await, Err(StoreError::SlotTaken { slot: s }) if s == slot));
    let mut second = opening(7, 21);
    second.customer = customer;
    assert!(
        matches!(store.open_turn(second.clone()).await, Err(StoreError::SlotTaken { slot: s }) if s == slot)
    );
    assert!(matches!(store.open_turn(opening(1, 22)).await, Err(StoreError::NotYours)));
    second.slot = slot;
    store.open_turn(second).await.unwrap();
    let second = store.conversation(&tenant(), ConversationId::from_bytes(id(2, 7))).await.unwrap().unwrap();
    assert_eq!((second.customer, second.slot), (customer, slot));
    assert_eq!(store.turn(&tenant(), turn_id(21)).await.unwrap().unwrap().slot, slot);

    let deleted =
        store.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await.unwrap();
    assert_eq!(deleted.slots, [slot]);
    let rows = [
        ("entries", 0),
        ("issued", 2),
        ("history_tags", 3),
        ("closings", 3),
        ("turns", 4),
        ("conversations", 2),
        ("customers", 0),
        ("handles", 0),
        ("records", 0),
        ("trail", 0),
        ("standings", 0),
    ];
    assert_eq!(deleted.rows, rows);
    for canary in [&b"sealed 0"[..], b"sealed 2", b"received 1 0", b"reply 2", &id(2, 1), &id(4, 1)] {
        assert!(!found(dir.path(), canary), "{:?} is still there", String::from_utf8_lossy(canary));
    }
    assert_eq!(
        store.customer(&tenant(), CustomerId::from_bytes(id(2, 2))).await.unwrap(),
        Some(KeySlot::from_bytes(id(4, 2)))
    );
}

#[tokio::test]
async fn two_turns_made_from_one_table_do_not_both_issue() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let turn = |n, first| {
        let mut turn = opening(1, n);
        turn.issued = issued(first, &format!("sealed {n}"));
        turn
    };
    // The conversation's row has none: they go to a place of their own, the first as well.
    store.open_turn(opening(1, 0)).await.unwrap();
    store.open_turn(turn(1, 0)).await.unwrap();
    assert!(matches!(store.open_turn(turn(2, 0)).await, Err(StoreError::Exists { .. })));
    store.open_turn(turn(3, 2)).await.unwrap();
    assert!(matches!(store.open_turn(turn(4, 2)).await, Err(StoreError::Exists { .. })));
    let kept = store.conversation(&tenant(), ConversationId::from_bytes(id(2, 1))).await.unwrap().unwrap();
    assert_eq!(kept.issued, [issued(0, "sealed 1").unwrap(), issued(2, "sealed 3").unwrap()]);
    assert_eq!(store.turns_of(&tenant(), kept.id).await.unwrap().len(), 3);
}

/// Whether the bytes stand in any file below the folder or in its database.
pub(crate) fn found(dir: &Path, canary: &[u8]) -> bool {
    let on_server = crate::server::server().is_some();
    in_files(dir, canary) || on_server && crate::server::Database::of(dir, "store").holds(canary)
}

fn in_files(dir: &Path, canary: &[u8]) -> bool {
    // The log is being published meanwhile: a partial tile may go away between the listing and the look.
    let gone = |e: std::io::Error| assert_eq!(e.kind(), std::io::ErrorKind::NotFound);
    let Ok(entries) = std::fs::read_dir(dir).map_err(gone) else { return false };
    entries.into_iter().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return in_files(&path, canary);
        }
        std::fs::read(path).map_err(gone).is_ok_and(|bytes| bytes.windows(canary.len()).any(|w| w == canary))
    })
}

#[tokio::test]
async fn an_erased_customer_is_gone_from_every_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..40 {
        let mut turn = opening(n % 2, n);
        turn.issued = issued(u32::try_from(n).unwrap() / 2, &format!("sealed entry {n} of {}", n % 2));
        store.open_turn(turn).await.unwrap();
        if n != 7 {
            store.close_turn(closing(n)).await.unwrap();
        }
    }
    let customer = CustomerId::from_bytes(id(3, 1));
    let canaries: Vec<Vec<u8>> = vec![
        b"received 1 ".to_vec(),
        b"reply 13".to_vec(),
        b"sealed entry 1 of 1".to_vec(),
        b"sealed entry 39 of 1".to_vec(),
        id(2, 1).to_vec(),
        id(3, 1).to_vec(),
        id(4, 1).to_vec(),
        id(6, 13).to_vec(),
    ];
    for canary in &canaries {
        assert!(found(dir.path(), canary), "{canary:?} was never written");
    }
    let deleted =
        store.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await.unwrap();
    for canary in &canaries {
        assert!(!found(dir.path(), canary), "{:?} is still there", String::from_utf8_lossy(canary));
    }
    assert_eq!(deleted.slots, [KeySlot::from_bytes(id(4, 1))]);
    let rows = [
        ("entries", 0),
        ("issued", 19),
        ("history_tags", 19),
        ("closings", 19),
        ("turns", 20),
        ("conversations", 1),
        ("customers", 1),
        ("handles", 0),
        ("records", 0),
        ("trail", 0),
        ("standings", 0),
    ];
    assert_eq!(deleted.rows, rows);
    let written = store.event(deleted.receipt.index()).await.unwrap().unwrap();
    assert!(written.contains(r#""rows":79"#), "{written}");
    // A turn that was under way finds nothing any more, and leaves nothing.
    assert!(matches!(store.close_turn(closing(7)).await, Err(StoreError::NotOpen)));
    // The neighbour is whole.
    assert_eq!(store.turns_of(&tenant(), ConversationId::from_bytes(id(2, 0))).await.unwrap().len(), 20);
    let again = store.delete_customer(&tenant(), customer, event(Action::CustomerErased, None)).await;
    assert!(matches!(again, Err(StoreError::NoCustomer)));
}

#[derive(Debug)]
pub(crate) struct Planned(Mutex<VecDeque<Option<Fault>>>, FaultPoint);

impl Planned {
    pub(crate) fn at(point: FaultPoint, faults: &[Option<Fault>]) -> Option<Arc<dyn Faults>> {
        Some(Arc::new(Self(Mutex::new(faults.iter().copied().collect()), point)))
    }
}

impl Faults for Planned {
    fn at(&self, point: FaultPoint) -> Option<Fault> {
        if point == self.1 { self.0.lock().unwrap().pop_front().flatten() } else { None }
    }
}

#[tokio::test]
async fn a_failed_commit_is_an_error_for_all_and_the_store_goes_on() {
    for (fault, persisted) in [(Fault::NotPersisted, false), (Fault::PersistedButReportedFailed, true)] {
        let dir = tempfile::tempdir().unwrap();
        let faults = Planned::at(FaultPoint::Commit, &[None, Some(fault)]);
        let store = Store::open(dir.path(), StoreOptions { faults, ..options(dir.path()) }).unwrap();
        store.open_turn(opening(1, 1)).await.unwrap();
        assert!(matches!(store.open_turn(opening(2, 2)).await, Err(StoreError::Io { .. })));
        assert_eq!(store.turn(&tenant(), turn_id(2)).await.unwrap().is_some(), persisted);
        // It works again without a restart, and the log has no gap and nothing twice.
        let index = store.open_turn(opening(3, 3)).await.unwrap().index();
        assert_eq!(index, if persisted { 2 } else { 1 });
        store.close_turn(closing(1)).await.unwrap();
        if persisted {
            // Known again: whoever tries to make up for it can.
            store.close_turn(closing(2)).await.unwrap();
        }
        crate::signed(&store).await;
        store.close().await;
        let store = open(dir.path());
        assert_eq!(store.interrupted(), 1);
        assert_eq!(store.turn(&tenant(), turn_id(2)).await.unwrap().is_some(), persisted);
        crate::signed(&store).await;
        let report = chatward_store::log::verify::verify(&dir.path().join("log"), None, &[]).unwrap();
        assert!(report.is_clean(), "{:?}", report.faults);
    }
}

#[tokio::test]
async fn a_failed_publication_is_made_up_for() {
    for point in [FaultPoint::Tile, FaultPoint::Checkpoint] {
        for fault in [Fault::NotPersisted, Fault::PersistedButReportedFailed] {
            let dir = tempfile::tempdir().unwrap();
            let faults = Planned::at(point, &[None, Some(fault), None, Some(fault)]);
            let store = Store::open(dir.path(), StoreOptions { faults, ..options(dir.path()) }).unwrap();
            for n in 0..4 {
                store.open_turn(opening(n, n)).await.unwrap();
                crate::signed(&store).await;
                let report = chatward_store::log::verify::verify(&dir.path().join("log"), None, &[]).unwrap();
                assert!(report.is_clean(), "{point:?} {fault:?}: {:?}", report.faults);
            }
            assert!(!store.stats().publish_failing);
            store.close().await;
            open(dir.path());
        }
    }
}

#[tokio::test]
async fn too_much_waiting_is_refused_and_a_closed_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions { queue: 3, ..options(dir.path()) }).unwrap();
    // One thread: nothing is answered before all have been asked, save what the writer takes meanwhile.
    let results = {
        let mut tasks = Vec::new();
        for n in 0..200 {
            tasks.push(tokio::spawn({
                let store = store.clone();
                async move { store.open_turn(opening(n, n)).await }
            }));
        }
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    };
    assert!(results.iter().any(|r| matches!(r, Err(StoreError::Overloaded))));
    assert!(results.iter().any(Result::is_ok));
    let other = store.clone();
    store.close().await;
    assert!(matches!(other.open_turn(opening(1, 999)).await, Err(StoreError::Closed)));
    // The folder is free although a handle is left.
    open(dir.path());
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    assert!(matches!(Store::open(dir.path(), options(dir.path())), Err(StoreError::InUse { .. })));
}
