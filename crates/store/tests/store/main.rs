//! The store as its callers see it: turns and failures, the published log under attack, crashes. Everything but what looks
//! into the files of the embedded store runs on both stores, as the environment says (`server.rs`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod backup;
mod embedded;
mod kill;
mod log;
mod on_server;
mod records;
mod retention;
mod server;
mod turns;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use chatward_message::{
    Action, Class, Classes, ConversationId, CustomerId, Event, Facts, KeySlot, Purposes, Sealed, Subject,
    TenantId, TurnId, UnixMillis,
};
use chatward_store::log::Signer;
use chatward_store::{CloseTurn, IssuedRow, OpenTurn, Postgres, Store, StoreError, StoreOptions, TurnState};

use crate::server::Database;

struct Key(Ed25519KeyPair);

impl Key {
    fn of(seed: u8) -> Arc<dyn Signer> {
        Arc::new(Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()))
    }
}

impl Signer for Key {
    fn name(&self) -> &str {
        "chatward.test/log"
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

/// The store of this folder: embedded, or a database of its own on the server.
fn options(dir: &Path) -> StoreOptions {
    StoreOptions {
        postgres: server::server().map(|_| postgres(&Database::of(dir, "store"))),
        signer: Some(Key::of(1)),
        publish_every: Duration::from_millis(20),
        ..StoreOptions::default()
    }
}

fn postgres(database: &Database) -> Postgres {
    Postgres::new(&database.serving).unwrap().with_owner(&database.owner).unwrap()
}

fn open(dir: &Path) -> Store {
    open_with(dir, options(dir))
}

/// Opens a store that was just closed. Another test that starts a program has a copy of the lock's file for the moment
/// between its fork and its exec.
fn open_with(dir: &Path, options: StoreOptions) -> Store {
    for _ in 0..200 {
        match Store::open(dir, options.clone()) {
            Err(StoreError::InUse { .. }) => std::thread::sleep(Duration::from_millis(20)),
            opened => return opened.unwrap(),
        }
    }
    panic!("{} stays in use", dir.display())
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

/// 16 bytes that say what they are for.
fn id(what: u8, n: u64) -> [u8; 16] {
    let mut id = [what; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    id
}

fn event(action: Action, turn: Option<TurnId>) -> Event {
    Event {
        at: UnixMillis(1_700_000_000_000),
        tenant: tenant(),
        action,
        turn,
        subject: Some(Subject::from_bytes([5; 16])),
        facts: Facts { upstream: Some("shop".into()), ..Facts::default() },
    }
}

/// Turn `n` of customer `c`, in that customer's only conversation.
fn opening(c: u64, n: u64) -> OpenTurn {
    let turn = TurnId::from_bytes(id(1, n));
    OpenTurn {
        tenant: tenant(),
        turn,
        conversation: ConversationId::from_bytes(id(2, c)),
        customer: CustomerId::from_bytes(id(3, c)),
        slot: KeySlot::from_bytes(id(4, c)),
        upstream: "shop".into(),
        at: UnixMillis(1_700_000_000_000 + n),
        purposes: Purposes::SERVICE,
        standing: 0,
        issued: None,
        received: Sealed::from_bytes(format!("received {c} {n}").into_bytes()),
        event: event(Action::TurnOpened, Some(turn)),
    }
}

fn closing(n: u64) -> CloseTurn {
    let turn = TurnId::from_bytes(id(1, n));
    CloseTurn {
        tenant: tenant(),
        turn,
        at: UnixMillis(1_700_000_000_500 + n),
        state: TurnState::Closed,
        reply: Some(Sealed::from_bytes(format!("reply {n}").into_bytes())),
        history_tags: vec![id(6, n)],
        event: event(Action::TurnClosed, Some(turn)),
    }
}

/// Placeholders of a turn whose conversation had `first` before.
fn issued(first: u32, value: &str) -> Option<IssuedRow> {
    Some(IssuedRow {
        first,
        classes: Classes::NONE.with(Class::Identity),
        sealed: Sealed::from_bytes(value.as_bytes()),
    })
}

/// Turn `n` of somebody who is known by the one conversation `c` alone.
fn opening_alone(c: u64, n: u64) -> OpenTurn {
    OpenTurn { customer: CustomerId::from_bytes(id(2, c)), ..opening(c, n) }
}

/// Waits until everything is under a checkpoint.
async fn signed(store: &Store) -> u64 {
    for _ in 0..2000 {
        let stats = store.stats();
        if stats.signed_size == stats.log_size {
            return stats.signed_size;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no checkpoint came: {:?}", store.stats());
}
