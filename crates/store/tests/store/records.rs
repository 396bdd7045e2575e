//! Records, handles, trails, the lists, and what an erasure takes of them.

use chatward_message::{
    Action, ConversationId, CustomerId, Event, KeySlot, Purposes, Sealed, Standing, TenantId, UnixMillis,
};
use chatward_store::log::verify::verify;
use chatward_store::{
    Changes, Fault, FaultPoint, Handle, HandleKind, NewStanding, Put, Record, RecordKind, Removal, Store,
    StoreError, StoreOptions,
};

use crate::turns::{Planned, found};
use crate::{closing, event, id, issued, open, opening, opening_alone, options, signed, tenant};

const ACCOUNT: RecordKind = RecordKind::Account;
const SESSION: RecordKind = RecordKind::Session;

fn other() -> TenantId {
    "other".parse().unwrap()
}

fn customer(n: u64) -> CustomerId {
    CustomerId::from_bytes(id(3, n))
}

/// Somebody known by conversation `n` alone.
fn nameless(n: u64) -> CustomerId {
    CustomerId::from_bytes(id(2, n))
}

fn conversation(n: u64) -> ConversationId {
    ConversationId::from_bytes(id(2, n))
}

fn slot(n: u64) -> KeySlot {
    KeySlot::from_bytes(id(4, n))
}

fn handle(kind: HandleKind, n: u64) -> Handle {
    Handle { kind, hash: [id(9, n), id(9, n)].concat().try_into().unwrap() }
}

fn name(n: u64) -> Handle {
    handle(HandleKind::CustomerName, n)
}

/// Record `n` of a kind, new, of nobody.
fn new(kind: RecordKind, n: u64) -> Put {
    let record = Record {
        kind,
        id: id(7, n).into(),
        revision: 1,
        slot: slot(900 + n),
        customer: None,
        until: None,
        purposes: Purposes::SERVICE,
        sealed: Sealed::from_bytes(format!("record {n} at 1").into_bytes()),
    };
    Put { record, was: None, handles: None }
}

/// The record after this one.
fn next(was: &Record) -> Put {
    let revision = was.revision + 1;
    let sealed = Sealed::from_bytes(format!("changed at {revision}").into_bytes());
    Put { record: Record { revision, sealed, ..was.clone() }, was: Some(was.revision), handles: None }
}

fn with(handles: &[Handle], put: Put) -> Put {
    Put { handles: Some(handles.to_vec()), ..put }
}

fn of(c: CustomerId, at: KeySlot, mut put: Put) -> Put {
    put.record.customer = Some(c);
    put.record.slot = at;
    put
}

/// Conversation `n` is this customer's from now on; sealed under the key in slot `c`.
fn claim(c: u64, n: u64) -> Put {
    let mut put = of(customer(c), slot(c), new(RecordKind::Claim, n));
    put.record.id = id(2, n).into();
    put
}

fn changes(puts: Vec<Put>) -> Changes {
    let (events, about, standing) = (Vec::new(), None, None);
    Changes { tenant: tenant(), removals: Vec::new(), puts, events, about, standing }
}

fn removal(record: &Record) -> Removal {
    Removal { kind: record.kind, id: record.id.clone() }
}

fn happened(tenant: &TenantId) -> Event {
    Event { tenant: tenant.clone(), ..event(Action::SignedIn, None) }
}

async fn put(store: &Store, puts: Vec<Put>) -> Result<(), StoreError> {
    store.change(changes(puts)).await.map(|receipt| assert_eq!(receipt, None))
}

async fn kept(store: &Store, kind: RecordKind, n: u64) -> Option<Record> {
    store.record(&tenant(), kind, &id(7, n)).await.unwrap()
}

async fn by(store: &Store, handle: Handle) -> Option<Record> {
    store.record_by(&tenant(), handle).await.unwrap()
}

/// A record with a handle and an event in a trail: a row in every table of this file.
pub(crate) fn of_everything(tenant: TenantId) -> Changes {
    let put = with(&[name(1)], of(customer(1), slot(1), new(ACCOUNT, 1)));
    let events = vec![happened(&tenant)];
    let to = Standing { revision: 1, ..Standing::default() };
    let standing = Some(NewStanding { customer: customer(1), to, withdrawn: Purposes::NONE });
    Changes { tenant, puts: vec![put], events, about: Some(customer(1)), standing, ..changes(Vec::new()) }
}

/// Customer `n` opens an account.
pub(crate) fn account_of(n: u64) -> Changes {
    changes(vec![with(&[name(n)], of(customer(n), slot(n), new(ACCOUNT, n)))])
}

/// Many change one record from the same revision, spread over these handles of one database: one of them wins.
pub(crate) async fn one_of_many_wins(stores: &[Store]) {
    let first = new(SESSION, 500);
    put(&stores[0], vec![first.clone()]).await.unwrap();
    let mut was = first.record;
    for round in 0..5 {
        let tasks: Vec<_> = (0..16)
            .map(|n| {
                let store = stores[n % stores.len()].clone();
                let mut change = next(&was);
                change.record.sealed = Sealed::from_bytes(format!("round {round} of {n}").into_bytes());
                tokio::spawn(async move { put(&store, vec![change.clone()]).await.map(|()| change.record) })
            })
            .collect();
        let mut won = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(record) => won.push(record),
                Err(StoreError::Overtaken) => {}
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}");
        was = won.remove(0);
        assert_eq!(kept(&stores[0], SESSION, 500).await, Some(was.clone()));
    }
}

/// Records of all kinds with handles and trails, in each of these houses.
pub(crate) async fn fill(store: &Store, tenants: [TenantId; 2]) {
    for tenant in tenants {
        let mut puts = Vec::new();
        for (n, kind) in (0..).zip(RecordKind::ALL.iter().filter(|kind| **kind != RecordKind::Claim)) {
            let mut one = with(&[name(n), handle(HandleKind::Passkey, n)], new(*kind, n));
            one.record.until = (n % 2 == 0).then_some(UnixMillis(1000 + n));
            one.record.customer = (n % 3 == 0).then_some(customer(n));
            puts.push(one);
        }
        puts.push(claim(0, 106));
        let again = next(&puts[0].record);
        let events = vec![happened(&tenant), happened(&tenant)];
        let change =
            Changes { tenant: tenant.clone(), puts, events, about: Some(customer(0)), ..changes(vec![]) };
        store.change(change).await.unwrap();
        // Without an event: once, so that exactly one record of all tenants is at its second revision.
        if tenant == other() {
            store.change(Changes { tenant, ..changes(vec![again]) }).await.unwrap();
        }
    }
}

/// All that one can ask about in this house.
pub(crate) async fn all(store: &Store, tenant: &TenantId) -> Vec<String> {
    let mut all = Vec::new();
    for kind in RecordKind::ALL {
        let records = store.records(tenant, *kind, None, 1000).await.unwrap();
        all.extend(records.iter().map(|record| format!("{record:?} {:?}", record.sealed.as_bytes())));
    }
    for n in 0..20 {
        let found = store.record_by(tenant, name(n)).await.unwrap();
        all.extend(found.map(|record| format!("{n}: {:?}", record.id)));
    }
    let trail = store.trail(tenant, customer(0), None, 1000).await.unwrap();
    all.extend(trail.iter().map(|trace| format!("{trace:?}")));
    let conversations = store.conversations_of(tenant, customer(0), None, 1000).await.unwrap();
    all.extend(conversations.iter().map(|row| format!("{row:?}")));
    let customers = store.customers(tenant, None, 1000).await.unwrap();
    all.extend(customers.iter().map(|row| format!("{row:?}")));
    all
}

#[tokio::test]
async fn a_record_is_kept_as_it_was_given_and_changed_by_who_read_it_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(kept(&store, ACCOUNT, 1).await, None);
    let mut first = of(customer(1), slot(1), new(ACCOUNT, 1));
    first.record.until = Some(UnixMillis(77));
    let mut long = new(ACCOUNT, 2);
    long.record.id = vec![8; 32].into();
    put(&store, vec![first.clone(), long.clone(), new(SESSION, 1)]).await.unwrap();
    assert_eq!(kept(&store, ACCOUNT, 1).await, Some(first.record.clone()));
    assert_eq!(store.record(&tenant(), ACCOUNT, &[8; 32]).await.unwrap(), Some(long.record));
    assert_eq!(kept(&store, SESSION, 1).await, Some(new(SESSION, 1).record), "a kind has its own ids");

    let mut second = next(&first.record);
    (second.record.customer, second.record.until, second.record.slot) = (None, None, slot(2));
    put(&store, vec![second.clone()]).await.unwrap();
    assert_eq!(kept(&store, ACCOUNT, 1).await, Some(second.record.clone()));
    // Revisions may leave numbers out.
    let mut third = next(&second.record);
    third.record.revision = 40;
    put(&store, vec![third.clone()]).await.unwrap();

    for late in [new(ACCOUNT, 1), next(&first.record), next(&second.record), next(&new(ACCOUNT, 3).record)] {
        let refused = put(&store, vec![late.clone()]).await;
        assert!(matches!(refused, Err(StoreError::Overtaken)), "{late:?}: {refused:?}");
    }
    assert_eq!(kept(&store, ACCOUNT, 1).await, Some(third.record.clone()));
    assert_eq!(kept(&store, ACCOUNT, 3).await, None);

    let gone = Changes { removals: vec![removal(&third.record)], ..changes(vec![]) };
    store.change(gone.clone()).await.unwrap();
    assert_eq!(kept(&store, ACCOUNT, 1).await, None);
    store.change(gone).await.unwrap();
    assert!(matches!(put(&store, vec![next(&third.record)]).await, Err(StoreError::Overtaken)));

    // Mistakes of whoever calls.
    let mut wrong = [next(&first.record), new(ACCOUNT, 5), new(ACCOUNT, 5)];
    wrong[0].was = Some(wrong[0].record.revision);
    wrong[1].record.id = vec![1; 15].into();
    wrong[2].record.id = vec![1; 33].into();
    for wrong in wrong {
        assert!(matches!(put(&store, vec![wrong]).await, Err(StoreError::Inside { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_of_one_revision_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    one_of_many_wins(&[open(dir.path())]).await;
}

#[tokio::test]
async fn a_handle_finds_one_record_and_goes_where_it_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (new(ACCOUNT, 1), new(ACCOUNT, 2));
    put(&store, vec![with(&[name(1), name(2), name(2)], one.clone())]).await.unwrap();
    assert_eq!(by(&store, name(1)).await, Some(one.record.clone()));
    assert_eq!(by(&store, name(2)).await, Some(one.record.clone()));
    assert_eq!(by(&store, name(3)).await, None);
    // The same hash in another kind is another handle.
    let passkey = handle(HandleKind::Passkey, 1);
    assert_eq!(by(&store, passkey).await, None);

    let taken = put(&store, vec![with(&[name(2), name(5)], two.clone())]).await;
    assert!(matches!(taken, Err(StoreError::HandleTaken)), "{taken:?}");
    assert_eq!((kept(&store, ACCOUNT, 2).await, by(&store, name(5)).await), (None, None));
    // Of another kind of record with the same id, too.
    let taken = put(&store, vec![with(&[name(2)], new(SESSION, 1))]).await;
    assert!(matches!(taken, Err(StoreError::HandleTaken)), "{taken:?}");
    put(&store, vec![with(&[passkey], two.clone())]).await.unwrap();
    assert_eq!(by(&store, passkey).await, Some(two.record.clone()));

    // Left as they are; then given up; then another's.
    let one = next(&one.record);
    put(&store, vec![one.clone()]).await.unwrap();
    assert_eq!(by(&store, name(2)).await, Some(one.record.clone()));
    let one = next(&one.record);
    put(&store, vec![with(&[name(1)], one.clone())]).await.unwrap();
    assert_eq!(by(&store, name(2)).await, None);
    assert_eq!(by(&store, name(1)).await, Some(one.record.clone()));
    let two = next(&two.record);
    put(&store, vec![with(&[passkey, name(2)], two.clone())]).await.unwrap();
    assert_eq!(by(&store, name(2)).await, Some(two.record.clone()));

    // From one record to the other in one change, in the order in which it is written.
    let (freed, takes) = (with(&[], next(&one.record)), with(&[name(1), name(2)], next(&two.record)));
    let refused = put(&store, vec![takes.clone(), freed.clone()]).await;
    assert!(matches!(refused, Err(StoreError::HandleTaken)), "{refused:?}");
    put(&store, vec![freed, takes.clone()]).await.unwrap();
    assert_eq!(by(&store, name(1)).await, Some(takes.record.clone()));
    assert_eq!(by(&store, passkey).await, None);
}

#[tokio::test]
async fn removals_come_first_and_take_the_handles_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = new(ACCOUNT, 1);
    put(&store, vec![with(&[name(1), name(2)], old.clone())]).await.unwrap();
    // The same id begins anew, and its handle goes to another one. What is not there is no obstacle.
    let mut anew = old.clone();
    anew.record.sealed = Sealed::from_bytes(&b"anew"[..]);
    let change = Changes {
        removals: vec![removal(&old.record), removal(&new(ACCOUNT, 99).record)],
        ..changes(vec![anew.clone(), with(&[name(1)], new(ACCOUNT, 2))])
    };
    store.change(change).await.unwrap();
    assert_eq!(kept(&store, ACCOUNT, 1).await, Some(anew.record));
    assert_eq!(by(&store, name(1)).await, Some(new(ACCOUNT, 2).record));
    assert_eq!(by(&store, name(2)).await, None);
}

#[tokio::test]
async fn a_change_that_does_not_fit_leaves_nothing_and_harms_no_neighbour() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, passkey) = (with(&[name(1)], new(ACCOUNT, 1)), handle(HandleKind::Passkey, 50));
    put(&store, vec![one.clone(), new(ACCOUNT, 2), with(&[passkey], new(SESSION, 50))]).await.unwrap();
    // All of it would do, but for the last.
    let doomed = |last: Put| Changes {
        removals: vec![removal(&new(ACCOUNT, 2).record)],
        events: vec![event(Action::AccountOpened, None)],
        about: Some(customer(1)),
        ..changes(vec![with(&[name(8)], new(ACCOUNT, 8)), with(&[name(9)], next(&one.record)), last])
    };
    let good = |n| {
        let events = vec![event(Action::SignedIn, None)];
        store.change(Changes { events, about: Some(customer(n)), ..changes(vec![new(SESSION, n)]) })
    };
    let (a, late, b, taken, turn, c) = tokio::join!(
        good(11),
        store.change(doomed(new(SESSION, 50))),
        good(12),
        store.change(doomed(with(&[passkey], new(ACCOUNT, 9)))),
        store.open_turn(opening(5, 5)),
        good(13)
    );
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    assert!(matches!(taken, Err(StoreError::HandleTaken)), "{taken:?}");
    let mut indexes = vec![turn.unwrap().index()];
    indexes.extend([a, b, c].map(|done| done.unwrap().unwrap().index()));
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 1, 2, 3], "the log has no gap");
    for n in [11, 12, 13] {
        assert_eq!(kept(&store, SESSION, n).await, Some(new(SESSION, n).record));
    }

    let late = store.change(doomed(next(&new(ACCOUNT, 77).record))).await;
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    let twice = store.change(doomed(with(&[name(8)], new(ACCOUNT, 9)))).await;
    assert!(matches!(twice, Err(StoreError::HandleTaken)), "{twice:?}");

    assert_eq!(store.stats().log_size, 4);
    assert_eq!(store.trail(&tenant(), customer(1), None, 100).await.unwrap(), []);
    assert_eq!(kept(&store, ACCOUNT, 1).await, Some(one.record.clone()));
    assert_eq!(kept(&store, ACCOUNT, 2).await, Some(new(ACCOUNT, 2).record), "it was not removed");
    assert_eq!((kept(&store, ACCOUNT, 8).await, kept(&store, ACCOUNT, 9).await), (None, None));
    assert_eq!(by(&store, name(1)).await, Some(one.record));
    assert_eq!((by(&store, name(8)).await, by(&store, name(9)).await), (None, None));
    assert_eq!(by(&store, passkey).await, Some(new(SESSION, 50).record));
}

#[tokio::test]
async fn events_of_a_change_are_in_the_log_and_in_the_trail() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.append(vec![event(Action::Started, None)]).await.unwrap();
    let events = vec![event(Action::AccountOpened, None), event(Action::SignedIn, None)];
    let change = Changes { events, about: Some(customer(1)), ..changes(vec![new(ACCOUNT, 1)]) };
    assert_eq!(store.change(change).await.unwrap().unwrap().index(), 2);
    let events = vec![event(Action::SignedIn, None)];
    let quiet = Changes { events, ..changes(vec![new(ACCOUNT, 2)]) };
    assert_eq!(store.change(quiet).await.unwrap().unwrap().index(), 3, "about nobody");
    let shown = vec![event(Action::ReceivedShown, None), event(Action::ReceivedShown, None)];
    assert_eq!(store.append_about(tenant(), customer(1), shown.clone()).await.unwrap().index(), 5);
    assert_eq!(store.append_about(tenant(), customer(2), shown).await.unwrap().index(), 7);
    assert!(store.append_about(tenant(), customer(1), Vec::new()).await.is_err());
    assert!(store.change(changes(vec![])).await.unwrap().is_none());

    let trail = async |before, limit| {
        let traces = store.trail(&tenant(), customer(1), before, limit).await.unwrap();
        for trace in &traces {
            assert_eq!(store.event(trace.index).await.unwrap(), Some(trace.event.clone()));
        }
        traces.iter().map(|trace| trace.index).collect::<Vec<_>>()
    };
    assert_eq!(trail(None, 100).await, [5, 4, 2, 1], "the newest first");
    assert_eq!(trail(None, 3).await, [5, 4, 2]);
    assert_eq!(trail(Some(4), 100).await, [2, 1]);
    assert_eq!(trail(Some(u64::MAX), 1).await, [5]);
    assert_eq!(trail(Some(1), 100).await, [0u64; 0]);
    assert_eq!(trail(None, 0).await, [0u64; 0]);
    let traces = store.trail(&tenant(), customer(1), None, 100).await.unwrap();
    assert!(traces[0].event.contains("received-shown") && traces[3].event.contains("account-opened"));
    assert_eq!(signed(&store).await, 8);
    assert!(verify(&dir.path().join("log"), None, &[]).unwrap().is_clean());
}

#[tokio::test]
async fn a_house_sees_and_changes_nothing_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ours = of_everything(tenant());
    let was = ours.puts[0].record.clone();
    store.change(ours).await.unwrap();
    store.open_turn(chatward_store::OpenTurn { standing: 1, ..opening(1, 1) }).await.unwrap();
    let before = all(&store, &tenant()).await;

    let other = other();
    assert_eq!(store.record(&other, ACCOUNT, &was.id).await.unwrap(), None);
    assert_eq!(store.record_by(&other, name(1)).await.unwrap(), None);
    assert_eq!(store.records(&other, ACCOUNT, None, 10).await.unwrap(), []);
    assert_eq!(store.records_of(&other, ACCOUNT, customer(1)).await.unwrap(), []);
    assert_eq!(store.trail(&other, customer(1), None, 10).await.unwrap(), []);
    assert_eq!(store.conversations_of(&other, customer(1), None, 10).await.unwrap(), []);
    assert_eq!(store.customers(&other, None, 10).await.unwrap(), []);
    assert_eq!(store.slots_of(&other, customer(1)).await.unwrap(), []);

    let theirs = |removals, puts| Changes { tenant: other.clone(), removals, ..changes(puts) };
    let late = store.change(theirs(vec![], vec![next(&was)])).await;
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    store.change(theirs(vec![removal(&was)], vec![])).await.unwrap();
    let erased = store.delete_customer(&other, customer(1), event(Action::CustomerErased, None)).await;
    assert!(matches!(erased, Err(StoreError::NoCustomer)), "{erased:?}");
    // The same ids and handles are free there, and stay ours here.
    let mut new = with(&[name(1)], of(customer(1), slot(50), new(ACCOUNT, 1)));
    new.record.until = Some(UnixMillis(1));
    store.change(theirs(vec![], vec![new.clone()])).await.unwrap();
    assert_eq!(store.record_by(&other, name(1)).await.unwrap(), Some(new.record.clone()));
    assert_eq!(store.drop_ended(&other, UnixMillis(10)).await.unwrap(), 1);
    assert_eq!(store.record_by(&other, name(1)).await.unwrap(), None);
    store.change(theirs(vec![], vec![new])).await.unwrap();
    store.append_about(other.clone(), customer(1), vec![happened(&other)]).await.unwrap();
    store.delete_customer(&other, customer(1), event(Action::CustomerErased, None)).await.unwrap();
    assert_eq!(store.record_by(&other, name(1)).await.unwrap(), None);
    assert_eq!(all(&store, &tenant()).await, before);
}

#[tokio::test]
async fn records_are_listed_by_pages_and_by_customer() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut puts: Vec<Put> = (0..25).map(|n| of(customer(n % 4), slot(n % 4), new(SESSION, n))).collect();
    puts.reverse();
    puts.extend((0..3).map(|n| of(customer(1), slot(1), new(ACCOUNT, n))));
    puts.push(new(SESSION, 25));
    put(&store, puts).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None::<Box<[u8]>>);
    loop {
        let page = store.records(&tenant(), SESSION, after.as_deref(), 7).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 7);
        after = Some(last.id.clone());
        seen.extend(page);
    }
    let ids: Vec<_> = seen.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids, (0..26).map(|n| id(7, n).into()).collect::<Vec<Box<[u8]>>>());
    assert!(seen.iter().all(|record| record.kind == SESSION));
    assert_eq!(store.records(&tenant(), SESSION, None, 0).await.unwrap(), []);
    let theirs = store.records_of(&tenant(), SESSION, customer(1)).await.unwrap();
    let ids: Vec<_> = theirs.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids, [1, 5, 9, 13, 17, 21].map(|n| id(7, n).into()));
    assert_eq!(store.records_of(&tenant(), RecordKind::Service, customer(1)).await.unwrap(), []);
}

#[tokio::test]
async fn what_ended_is_dropped_with_its_handles() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.drop_ended(&tenant(), UnixMillis(u64::MAX)).await.unwrap(), 0);
    let until = |n, at| {
        let mut put = with(&[handle(HandleKind::Invitation, n)], new(SESSION, n));
        put.record.until = at;
        put
    };
    put(&store, vec![until(1, Some(UnixMillis(99))), until(2, Some(UnixMillis(100))), until(3, None)])
        .await
        .unwrap();
    // More than go at once, in two houses, each by itself.
    for tenant in [tenant(), other()] {
        let puts = (10..710).map(|n| until(n, Some(UnixMillis(n % 50)))).collect();
        store.change(Changes { tenant, ..changes(puts) }).await.unwrap();
    }
    let size = store.stats().log_size;
    assert_eq!(store.drop_ended(&tenant(), UnixMillis(100)).await.unwrap(), 701);
    assert_eq!(store.drop_ended(&tenant(), UnixMillis(100)).await.unwrap(), 0, "not before it ended");
    assert_eq!(store.stats().log_size, size, "no event");
    for n in [1, 10, 300, 709] {
        assert_eq!(kept(&store, SESSION, n).await, None);
        assert_eq!(by(&store, handle(HandleKind::Invitation, n)).await, None);
    }
    for n in [2, 3] {
        assert!(kept(&store, SESSION, n).await.is_some());
        assert!(by(&store, handle(HandleKind::Invitation, n)).await.is_some());
    }
    assert_eq!(store.records(&other(), SESSION, None, 1000).await.unwrap().len(), 700);
    assert_eq!(store.drop_ended(&other(), UnixMillis(40)).await.unwrap(), 560);
    let left = store.records(&other(), SESSION, None, 1000).await.unwrap();
    assert!(left.len() == 140 && left.iter().all(|record| record.until >= Some(UnixMillis(40))));
    // Its id is free again, and its handle for any other.
    put(&store, vec![new(SESSION, 1), with(&[handle(HandleKind::Invitation, 1)], new(SESSION, 4))])
        .await
        .unwrap();
}

#[tokio::test]
async fn conversations_and_customers_are_listed_with_claimed_and_nameless_ones() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Customer 1 has conversations 1, 11 and 12, and claims 21 and 22; customer 2 has 2, and a claim on 23 that is not
    // somebody's without a name; 24 is nobody's.
    store.open_turn(opening(1, 1)).await.unwrap();
    for n in [11, 12] {
        let turn = opening(n, n);
        store
            .open_turn(chatward_store::OpenTurn { customer: customer(1), slot: slot(1), ..turn })
            .await
            .unwrap();
    }
    store.open_turn(opening(2, 2)).await.unwrap();
    store.open_turn(opening(23, 23)).await.unwrap();
    for n in [21, 22, 24] {
        store.open_turn(opening_alone(n, n)).await.unwrap();
    }
    put(&store, vec![claim(1, 22), claim(1, 21), claim(2, 23), claim(2, 99)]).await.unwrap();
    // Nobody claims what is claimed.
    assert!(matches!(put(&store, vec![claim(2, 21)]).await, Err(StoreError::Overtaken)));

    let of = async |c, after: Option<u64>, limit| {
        let after = after.map(conversation);
        store.conversations_of(&tenant(), c, after, limit).await.unwrap()
    };
    let ids = |rows: &[chatward_store::ConversationRow]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    let rows = of(customer(1), None, 100).await;
    assert_eq!(ids(&rows), [1, 11, 12, 21, 22].map(conversation));
    assert_eq!(rows.iter().map(|row| row.slot).collect::<Vec<_>>(), [1, 1, 1, 21, 22].map(slot));
    assert_eq!((rows[0].customer, rows[3].customer), (customer(1), nameless(21)));
    assert_eq!(rows[1].opened, opening(11, 11).at);
    assert_eq!(ids(&of(customer(1), None, 2).await), [1, 11].map(conversation));
    assert_eq!(ids(&of(customer(1), Some(11), 2).await), [12, 21].map(conversation));
    assert_eq!(ids(&of(customer(1), Some(22), 2).await), []);
    assert_eq!(ids(&of(customer(2), None, 100).await), [conversation(2)], "23 is another customer's");
    assert_eq!(ids(&of(nameless(21), None, 100).await), [conversation(21)]);
    assert_eq!(ids(&of(customer(9), None, 100).await), []);

    let mut wanted: Vec<(CustomerId, KeySlot)> = [1, 2, 23].map(|n| (customer(n), slot(n))).to_vec();
    wanted.extend([21, 22, 24].map(|n| (nameless(n), slot(n))));
    wanted.sort_unstable();
    for limit in [1, 2, 3, 4, 6, 100] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = store.customers(&tenant(), after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit);
            after = Some(last.id);
            seen.extend(page.iter().map(|row| (row.id, row.slot)));
        }
        assert_eq!(seen, wanted, "{limit} at once");
    }
    assert_eq!(store.customers(&tenant(), None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn an_erasure_takes_records_trail_and_claimed_conversations() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Conversation 1 is customer 1's; 21 to 23 began without a name. Customer 1 claimed 21 and 22, customer 2 claimed 23.
    for n in 0..4 {
        let mut turn = opening(1, n);
        turn.issued = issued(u32::try_from(n).unwrap(), &format!("placeholders {n}"));
        store.open_turn(turn).await.unwrap();
        store.close_turn(closing(n)).await.unwrap();
    }
    for c in 21..24 {
        for n in 0..3 {
            let mut turn = opening_alone(c, 100 * c + n);
            turn.issued = issued(u32::try_from(n).unwrap(), &format!("of nobody {c} {n}"));
            store.open_turn(turn).await.unwrap();
            if n != 2 {
                store.close_turn(closing(100 * c + n)).await.unwrap();
            }
        }
    }
    // A second conversation of the nameless one of 22.
    let more = chatward_store::OpenTurn { customer: nameless(22), slot: slot(22), ..opening(30, 3000) };
    store.open_turn(more).await.unwrap();
    let mut session = of(customer(1), slot(70), with(&[handle(HandleKind::Passkey, 5)], new(SESSION, 1)));
    session.record.sealed = Sealed::from_bytes(&b"what the session says"[..]);
    let account = of(customer(1), slot(1), with(&[name(1), name(3)], new(ACCOUNT, 1)));
    let neighbour = of(customer(2), slot(2), with(&[name(2)], new(ACCOUNT, 2)));
    let nobodys = with(&[handle(HandleKind::StaffName, 1)], new(ACCOUNT, 3));
    let puts = vec![account, session, neighbour, nobodys, claim(1, 21), claim(1, 22), claim(2, 23)];
    put(&store, puts).await.unwrap();
    for c in [1, 2] {
        let shown = vec![event(Action::ReceivedShown, None)];
        store.append_about(tenant(), customer(c), shown.clone()).await.unwrap();
        store.append_about(tenant(), nameless(20 + c), shown).await.unwrap();
    }
    let canaries: Vec<Vec<u8>> = vec![
        b"what the session says".to_vec(),
        b"of nobody 21 0".to_vec(),
        b"of nobody 22 2".to_vec(),
        b"received 21 2101".to_vec(),
        b"received 30 3000".to_vec(),
        b"reply 2200".to_vec(),
        id(2, 21).to_vec(),
        id(2, 22).to_vec(),
        id(3, 1).to_vec(),
        id(4, 21).to_vec(),
        id(4, 70).to_vec(),
        id(6, 2101).to_vec(),
        name(3).hash.to_vec(),
    ];
    for canary in &canaries {
        assert!(found(dir.path(), canary), "{canary:?} was never written");
    }
    let slots = vec![slot(1), slot(70), slot(21), slot(22)];
    assert_eq!(store.slots_of(&tenant(), customer(1)).await.unwrap(), slots);
    let size = store.stats().log_size;
    let deleted =
        store.delete_customer(&tenant(), customer(1), event(Action::CustomerErased, None)).await.unwrap();
    for canary in &canaries {
        assert!(!found(dir.path(), canary), "{:?} is still there", String::from_utf8_lossy(canary));
    }
    assert_eq!((deleted.slots, deleted.receipt.index()), (slots, size));
    let rows = [
        ("entries", 0),
        ("issued", 7),
        ("history_tags", 8),
        ("closings", 8),
        ("turns", 11),
        ("conversations", 4),
        ("customers", 1),
        ("handles", 3),
        ("records", 4),
        ("trail", 3),
        ("standings", 0),
    ];
    assert_eq!(deleted.rows, rows);
    let written = store.event(size).await.unwrap().unwrap();
    assert!(written.contains(r#""rows":49"#), "{written}");
    for late in [2102, 2202, 3000] {
        assert!(matches!(store.close_turn(closing(late)).await, Err(StoreError::NotOpen)));
    }
    assert_eq!(
        store.conversation_by_history(&tenant(), id(6, 2100)).await.unwrap(),
        chatward_store::HistoryMatch::None
    );
    assert_eq!(store.trail(&tenant(), customer(1), None, 10).await.unwrap(), []);
    assert_eq!(store.conversations_of(&tenant(), customer(1), None, 10).await.unwrap(), []);
    let again = store.delete_customer(&tenant(), customer(1), event(Action::CustomerErased, None)).await;
    assert!(matches!(again, Err(StoreError::NoCustomer)));

    // The neighbours are whole.
    assert_eq!(by(&store, name(2)).await.unwrap().customer, Some(customer(2)));
    assert!(by(&store, handle(HandleKind::StaffName, 1)).await.is_some());
    assert_eq!(store.turns_of(&tenant(), conversation(23)).await.unwrap().len(), 3);
    assert_eq!(store.conversations_of(&tenant(), customer(2), None, 10).await.unwrap().len(), 1);
    assert_eq!(store.trail(&tenant(), customer(2), None, 10).await.unwrap().len(), 1);
    store.close_turn(closing(2302)).await.unwrap();
    // The freed handles are anybody's.
    put(&store, vec![with(&[name(1), name(3)], new(ACCOUNT, 9))]).await.unwrap();
}

#[tokio::test]
async fn who_never_wrote_can_be_erased_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let erase = async |c| store.delete_customer(&tenant(), c, event(Action::CustomerErased, None)).await;
    put(
        &store,
        vec![
            of(customer(1), slot(1), with(&[name(1)], new(ACCOUNT, 1))),
            of(customer(1), slot(1), new(SESSION, 1)),
        ],
    )
    .await
    .unwrap();
    assert_eq!(store.customer(&tenant(), customer(1)).await.unwrap(), None);
    let deleted = erase(customer(1)).await.unwrap();
    assert_eq!(deleted.slots, [slot(1)], "each once");
    assert_eq!((kept(&store, ACCOUNT, 1).await, by(&store, name(1)).await), (None, None));
    assert!(matches!(erase(customer(1)).await, Err(StoreError::NoCustomer)));

    // Nothing but a trail.
    store.append_about(tenant(), customer(2), vec![event(Action::ReceivedShown, None)]).await.unwrap();
    assert_eq!(erase(customer(2)).await.unwrap().slots, []);
    assert_eq!(store.trail(&tenant(), customer(2), None, 10).await.unwrap(), []);
    assert!(matches!(erase(customer(2)).await, Err(StoreError::NoCustomer)));

    // Somebody without a name whose conversation was claimed: the claim goes along, the claimer's key stays.
    store.open_turn(opening_alone(21, 1)).await.unwrap();
    put(&store, vec![of(customer(3), slot(3), new(ACCOUNT, 3)), claim(3, 21)]).await.unwrap();
    let deleted = erase(nameless(21)).await.unwrap();
    assert_eq!(deleted.slots, [slot(21)]);
    assert_eq!(store.records_of(&tenant(), RecordKind::Claim, customer(3)).await.unwrap(), []);
    assert!(!found(dir.path(), &id(2, 21)));
    assert_eq!(erase(customer(3)).await.unwrap().slots, [slot(3)]);

    // A claim that outlived its conversation is no obstacle.
    put(&store, vec![claim(4, 22)]).await.unwrap();
    assert_eq!(erase(customer(4)).await.unwrap().slots, [slot(4)]);
}

#[tokio::test]
async fn a_failed_commit_leaves_nothing_of_a_change() {
    for (fault, persisted) in [(Fault::NotPersisted, false), (Fault::PersistedButReportedFailed, true)] {
        let dir = tempfile::tempdir().unwrap();
        let faults = Planned::at(FaultPoint::Commit, &[None, Some(fault)]);
        let store = Store::open(dir.path(), StoreOptions { faults, ..options(dir.path()) }).unwrap();
        put(&store, vec![with(&[name(1)], new(ACCOUNT, 1))]).await.unwrap();
        let change = Changes {
            removals: vec![removal(&new(ACCOUNT, 1).record)],
            events: vec![event(Action::AccountOpened, None)],
            about: Some(customer(1)),
            ..changes(vec![with(&[name(1), name(2)], new(ACCOUNT, 2))])
        };
        let failed = store.change(change).await;
        assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
        for _ in 0..2 {
            assert_eq!(kept(&store, ACCOUNT, 1).await.is_some(), !persisted);
            assert_eq!(kept(&store, ACCOUNT, 2).await.is_some(), persisted);
            assert_eq!(by(&store, name(2)).await.is_some(), persisted);
            assert_eq!(by(&store, name(1)).await.unwrap().id, id(7, if persisted { 2 } else { 1 }).into());
            let trail = store.trail(&tenant(), customer(1), None, 10).await.unwrap();
            assert_eq!(trail.len(), usize::from(persisted));
        }
        // It goes on without a restart, and the log has no gap.
        let index = store.append(vec![event(Action::Started, None)]).await.unwrap().index();
        assert_eq!(index, u64::from(persisted));
        let next = next(&new(ACCOUNT, if persisted { 2 } else { 1 }).record);
        put(&store, vec![next]).await.unwrap();
        signed(&store).await;
        assert!(verify(&dir.path().join("log"), None, &[]).unwrap().is_clean());
    }
}

#[tokio::test]
async fn all_of_it_is_there_after_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.open_turn(opening(0, 1)).await.unwrap();
    store.close_turn(closing(1)).await.unwrap();
    fill(&store, [tenant(), other()]).await;
    let before = (all(&store, &tenant()).await, all(&store, &other()).await);
    assert!(before.0.len() > 10 && before.1.len() > 10);
    store.close().await;
    let store = open(dir.path());
    assert_eq!((all(&store, &tenant()).await, all(&store, &other()).await), before);
    let was = store.records(&other(), ACCOUNT, None, 1).await.unwrap().remove(0);
    assert_eq!(was.revision, 2);
    store.change(Changes { tenant: other(), ..changes(vec![next(&was)]) }).await.unwrap();
    let late = store.change(Changes { tenant: other(), ..changes(vec![next(&was)]) }).await;
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
}
