//! Purposes, standings, sweeps and values that are put in anew.

use chatward_message::{Class, Classes, Purpose, Purposes, Standing};
use chatward_store::record::{NewStanding, Record, RecordKind};
use chatward_store::{Changes, End, Put, Rewrite, Sweep, Swept};

use super::*;

const DAY: u64 = 86_400_000;
const START: u64 = 1_700_000_000_000;

fn customer(c: u64) -> CustomerId {
    CustomerId::from_bytes(id(3, c))
}

/// Turn `n` of customer `c`, opened that many days after the start, under an id that begins with the time.
fn turn(c: u64, n: u64, day: u64, purposes: Purposes) -> (OpenTurn, CloseTurn) {
    let at = UnixMillis(START + day * DAY);
    let mut name = [n as u8; 16];
    name[..6].copy_from_slice(&at.0.to_be_bytes()[2..]);
    let turn = TurnId::from_bytes(name);
    let opened = OpenTurn { turn, at, purposes, ..opening(c, n) };
    (opened, CloseTurn { turn, at, ..closing(n) })
}

async fn keep(store: &Store, (opened, closed): (OpenTurn, CloseTurn)) -> TurnId {
    let turn = opened.turn;
    store.open_turn(opened).await.unwrap();
    store.close_turn(closed).await.unwrap();
    turn
}

fn stands(customer: CustomerId, to: Standing, withdrawn: Purposes) -> Changes {
    let standing = Some(NewStanding { customer, to, withdrawn });
    let events = vec![event(Action::ConsentWithdrawn, None)];
    Changes { tenant: tenant(), removals: vec![], puts: vec![], events, about: Some(customer), standing }
}

fn sweep(day: u64, ends: &[(Purpose, u64)]) -> Sweep {
    let before = |after: u64| UnixMillis(START + (day * DAY).saturating_sub(after * DAY));
    Sweep {
        tenant: tenant(),
        now: UnixMillis(START + day * DAY),
        ends: ends.iter().map(|(of, days)| End { of: *of, before: before(*days) }).collect(),
        most: 3,
        event: event(Action::RetentionSwept, None),
    }
}

/// Sweeps until nothing is left to do; the sum of all steps.
async fn swept(store: &Store, day: u64, ends: &[(Purpose, u64)]) -> Swept {
    let mut all = Swept::default();
    loop {
        let step = store.sweep(sweep(day, ends)).await.unwrap();
        all.narrowed += step.narrowed;
        all.turns += step.turns;
        all.rows += step.rows;
        all.slots.extend(step.slots);
        if !step.more {
            return all;
        }
    }
}

async fn purposes_of(store: &Store, turn: TurnId) -> Option<Purposes> {
    store.turn(&tenant(), turn).await.unwrap().map(|row| row.purposes)
}

#[tokio::test]
async fn nothing_is_kept_without_a_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (opened, _) = turn(1, 1, 0, Purposes::NONE);
    assert!(matches!(store.open_turn(opened).await, Err(StoreError::NoPurpose)));
    let record = Record {
        kind: RecordKind::Look,
        id: id(7, 1).into(),
        revision: 1,
        slot: KeySlot::from_bytes(id(4, 1)),
        customer: None,
        until: None,
        purposes: Purposes::NONE,
        sealed: Sealed::from_bytes(&b"x"[..]),
    };
    let puts = vec![Put { record, was: None, handles: None }];
    let change =
        Changes { tenant: tenant(), removals: vec![], puts, events: vec![], about: None, standing: None };
    assert!(matches!(store.change(change).await, Err(StoreError::NoPurpose)));
    assert_eq!(store.stats().log_size, 0);
}

#[tokio::test]
async fn a_message_is_taken_under_the_standing_it_was_looked_at_under() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let both = Purposes::SERVICE.with(Purpose::ANALYTICS);
    let first = keep(&store, turn(1, 1, 0, both)).await;
    let late = turn(1, 2, 1, both).0;

    let mut standing = store.standing(&tenant(), customer(1)).await.unwrap();
    assert_eq!(standing, Standing::default());
    standing.revision = 1;
    standing.give(Purpose::TRAINING, [7; 8]);
    standing.refuse(Purpose::ANALYTICS);
    standing.held_until = Some(UnixMillis(5));
    store.change(stands(customer(1), standing.clone(), Purpose::ANALYTICS.into())).await.unwrap();
    assert_eq!(store.standing(&tenant(), customer(1)).await.unwrap(), standing);
    let what = chatward_store::Recall {
        tenant: tenant(),
        customer: Some(customer(9)),
        conversation: Some(ConversationId::from_bytes(id(2, 1))),
        history: None,
    };
    assert_eq!(store.recall(what.clone()).await.unwrap().standing, standing, "of the conversation's owner");
    let nobody = chatward_store::Recall { conversation: None, ..what };
    assert_eq!(store.recall(nobody).await.unwrap().standing, Standing::default());

    // What is kept is not for what was withdrawn any more; a message looked at before is not kept at all.
    assert_eq!(purposes_of(&store, first).await, Some(Purposes::SERVICE));
    assert!(matches!(store.open_turn(late.clone()).await, Err(StoreError::StandingChanged)));
    assert_eq!(purposes_of(&store, late.turn).await, None);
    store.open_turn(OpenTurn { standing: 1, purposes: Purposes::SERVICE, ..late }).await.unwrap();
    // Somebody else changed it in between.
    let again = store.change(stands(customer(1), standing.clone(), Purposes::NONE)).await;
    assert!(matches!(again, Err(StoreError::Overtaken)));
    standing.revision = 2;
    store.change(stands(customer(1), standing, Purposes::NONE)).await.unwrap();
    let trail = store.trail(&tenant(), customer(1), None, 10).await.unwrap();
    assert_eq!(trail.len(), 2);
}

#[tokio::test]
async fn a_turn_goes_when_its_last_purpose_ended_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let both = Purposes::SERVICE.with(Purpose::TRAINING);
    let mut turns = Vec::new();
    for n in 0..8 {
        let purposes = if n % 2 == 0 { both } else { Purposes::SERVICE };
        turns.push(keep(&store, turn(1, n, n, purposes)).await);
    }
    let (opened, _) = turn(1, 50, 0, Purposes::SERVICE);
    let under_way = opened.turn;
    store.open_turn(opened).await.unwrap();
    let ends = [(Purpose::SERVICE, 10), (Purpose::TRAINING, 30)];
    let none = swept(&store, 10, &ends).await;
    assert_eq!((none.narrowed, none.turns, none.rows), (0, 0, 0), "ten days are not over for the first");

    let some = swept(&store, 14, &ends).await;
    assert_eq!((some.narrowed, some.turns), (4, 2), "days 0 to 3; those for training stay");
    let left: Vec<_> = futures(&store, &turns).await;
    let training = Purposes::from(Purpose::TRAINING);
    let service = Some(Purposes::SERVICE);
    assert_eq!(left, [Some(training), None, Some(training), None, Some(both), service, Some(both), service]);
    assert_eq!(purposes_of(&store, under_way).await, service, "it has not ended");

    let rest = swept(&store, 60, &ends).await;
    assert_eq!(rest.turns, 6);
    assert!(rest.slots.is_empty(), "a named customer keeps the key");
    assert_eq!(
        store.conversation_by_history(&tenant(), id(6, 1)).await.unwrap(),
        chatward_store::HistoryMatch::None
    );
    store.close_turn(CloseTurn { turn: under_way, ..closing(50) }).await.unwrap();
    assert_eq!(swept(&store, 61, &ends).await.turns, 1);
    let conversation = ConversationId::from_bytes(id(2, 1));
    assert_eq!(store.conversation(&tenant(), conversation).await.unwrap(), None);
    assert!(store.customer(&tenant(), customer(1)).await.unwrap().is_some());
}

async fn futures(store: &Store, turns: &[TurnId]) -> Vec<Option<Purposes>> {
    let mut all = Vec::new();
    for turn in turns {
        all.push(purposes_of(store, *turn).await);
    }
    all
}

#[tokio::test]
async fn who_is_known_by_one_conversation_goes_with_it_key_and_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (opened, closed) = turn(1, 1, 0, Purposes::SERVICE);
    let nameless = CustomerId::from_bytes(id(2, 1));
    keep(&store, (OpenTurn { customer: nameless, ..opened }, closed)).await;
    let mut standing = Standing { revision: 1, ..Standing::default() };
    standing.refuse(Purpose::QUALITY);
    store.change(stands(nameless, standing, Purposes::NONE)).await.unwrap();
    let gone = swept(&store, 9, &[(Purpose::SERVICE, 3)]).await;
    assert_eq!((gone.turns, gone.slots), (1, vec![KeySlot::from_bytes(id(4, 1))]));
    assert_eq!(store.customer(&tenant(), nameless).await.unwrap(), None);
    assert_eq!(store.standing(&tenant(), nameless).await.unwrap(), Standing::default());
    assert!(store.trail(&tenant(), nameless, None, 10).await.unwrap().is_empty());
    let after = signed(&store).await;
    let event = store.event(after - 1).await.unwrap().unwrap();
    assert!(event.contains("retention-swept") && event.contains("\"rows\":"), "{event}");
}

#[tokio::test]
async fn a_hold_or_a_restriction_keeps_everything_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (held, frozen) = (keep(&store, turn(1, 1, 0, Purposes::SERVICE)).await, customer(2));
    let second = keep(&store, turn(2, 2, 0, Purposes::SERVICE)).await;
    let until = UnixMillis(START + 20 * DAY);
    let hold = Standing { revision: 1, held_until: Some(until), ..Standing::default() };
    store.change(stands(customer(1), hold, Purposes::NONE)).await.unwrap();
    let mut freeze = Standing { revision: 1, restricted: true, ..Standing::default() };
    store.change(stands(frozen, freeze.clone(), Purposes::NONE)).await.unwrap();
    let ends = [(Purpose::SERVICE, 3)];
    assert_eq!(swept(&store, 19, &ends).await, Swept::default());
    let mut erasing = event(Action::CustomerErased, None);
    erasing.at = UnixMillis(START + 19 * DAY);
    let refused = store.delete_customer(&tenant(), customer(1), erasing.clone()).await;
    assert!(matches!(refused, Err(StoreError::Held)), "{refused:?}");
    assert_eq!(swept(&store, 21, &ends).await.turns, 1);
    assert_eq!(futures(&store, &[held, second]).await, [None, Some(Purposes::SERVICE)]);
    (freeze.revision, freeze.restricted) = (2, false);
    store.change(stands(frozen, freeze, Purposes::NONE)).await.unwrap();
    assert_eq!(swept(&store, 21, &ends).await.turns, 1);
    store.delete_customer(&tenant(), customer(2), erasing).await.unwrap();
    assert_eq!(store.standing(&tenant(), frozen).await.unwrap(), Standing::default());
}

#[tokio::test]
async fn values_are_put_in_anew_only_in_the_place_of_what_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let analytics = Purposes::SERVICE.with(Purpose::ANALYTICS);
    for (n, first) in [(1, 0), (2, 3)] {
        let (mut opened, closed) = turn(1, n, n, analytics);
        opened.issued = issued(first, &format!("values {n}"));
        keep(&store, (opened, closed)).await;
    }
    let at = |day: u64| UnixMillis(START + day * DAY);
    let found = store.values_before(&tenant(), at(5), at(2), None, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    let all = store.values_before(&tenant(), at(5), at(3), None, 10).await.unwrap();
    assert_eq!(all.iter().map(|values| values.row.first).collect::<Vec<_>>(), [0, 3]);
    assert!(all.iter().all(|values| values.purposes == analytics && values.customer == customer(1)));
    let place = (all[0].conversation, all[0].row.first);
    assert_eq!(store.values_before(&tenant(), at(5), at(3), Some(place), 10).await.unwrap(), all[1..]);
    assert_eq!(store.values_before(&tenant(), at(5), at(3), None, 1).await.unwrap(), all[..1]);

    for values in &all {
        let to = IssuedRow {
            classes: Classes::NONE,
            sealed: Sealed::from_bytes(&b"less"[..]),
            ..values.row.clone()
        };
        let rewrite = Rewrite {
            tenant: tenant(),
            conversation: values.conversation,
            was: values.row.sealed.clone(),
            to: Some(to.clone()),
            first: values.row.first,
            purposes: Some(Purposes::SERVICE),
            events: vec![event(Action::RetentionSwept, None)],
            about: Some(customer(1)),
        };
        store.rewrite(rewrite.clone()).await.unwrap().unwrap();
        assert!(matches!(store.rewrite(rewrite).await, Err(StoreError::Overtaken)));
        let known = store.conversation(&tenant(), values.conversation).await.unwrap().unwrap();
        assert!(known.issued.contains(&to), "{known:?}");
    }
    assert!(store.values_before(&tenant(), at(5), at(3), None, 10).await.unwrap().is_empty());
    assert_eq!(store.trail(&tenant(), customer(1), None, 10).await.unwrap().len(), 2);
    let row = Classes::NONE.with(Class::Identity);
    assert_eq!(all[0].row.classes, row);
}
