//! Through all customers, one after the other.

use std::collections::BTreeMap;

use chatward_message::{Class, ConversationId, CustomerId, UnixMillis};
use chatward_store::record::RecordKind;
use chatward_store::{TurnRow, TurnState};
use serde::Deserialize;

use super::NumbersError;
use crate::turn::Gate;

/// Customers, and conversations of one, that are read at once.
const PAGE: usize = 200;

/// A turn, as far as numbers are made of it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) conversation: ConversationId,
    pub(super) at: UnixMillis,
    pub(super) upstream: Box<str>,
    pub(super) state: TurnState,
    /// How often each kind was found in what the customer wrote.
    pub(super) found: BTreeMap<Box<str>, (Class, u64)>,
}

/// What the opening event says, as far as it is read.
#[derive(Deserialize)]
struct Opening {
    #[serde(default)]
    found: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    kind: Box<str>,
    class: Class,
    n: u32,
}

/// Calls `visit` for each customer who may be counted, with those of their turns that may be: opened in this time (the end not
/// among it), and no longer under way. Customers come in order of their ids, each once; a conversation that somebody took over
/// later is theirs. Memory holds the turns of one customer at a time.
pub(super) async fn people(
    gate: &Gate,
    time: std::ops::Range<UnixMillis>,
    mut visit: impl AsyncFnMut(CustomerId, Vec<Told>) -> Result<(), NumbersError>,
) -> Result<(), NumbersError> {
    let mut after = None;
    loop {
        let page = gate.store.customers(&gate.tenant, after, PAGE).await?;
        for row in &page {
            let claimed = gate.store.record(&gate.tenant, RecordKind::Claim, row.id.as_bytes()).await?;
            if claimed.is_some() || !countable(gate, row.id).await? {
                continue;
            }
            let turns = turns_of(gate, row.id, &time).await?;
            if !turns.is_empty() {
                visit(row.id, turns).await?;
            }
        }
        after = page.last().map(|row| row.id);
        if page.len() < PAGE {
            return Ok(());
        }
    }
}

/// Whether anything of this customer may be counted: not if their data is frozen.
#[expect(clippy::unused_async, reason = "asks the store")]
async fn countable(_gate: &Gate, _customer: CustomerId) -> Result<bool, NumbersError> {
    Ok(true)
}

/// Whether this turn may be counted: it carries the purpose.
fn for_analytics(_row: &TurnRow) -> bool {
    true
}

async fn turns_of(
    gate: &Gate,
    customer: CustomerId,
    time: &std::ops::Range<UnixMillis>,
) -> Result<Vec<Told>, NumbersError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = gate.store.conversations_of(&gate.tenant, customer, after, PAGE).await?;
        for conversation in &page {
            for row in gate.store.turns_of(&gate.tenant, conversation.id).await? {
                if time.contains(&row.opened) && row.state != TurnState::Open && for_analytics(&row) {
                    all.push(told(row)?);
                }
            }
        }
        after = page.last().map(|conversation| conversation.id);
        if page.len() < PAGE {
            return Ok(all);
        }
    }
}

fn told(row: TurnRow) -> Result<Told, NumbersError> {
    let opening: Opening = serde_json::from_str(&row.opened_event).map_err(|_| NumbersError::Unreadable)?;
    let mut found: BTreeMap<Box<str>, (Class, u64)> = BTreeMap::new();
    for Found { kind, class, n } in opening.found {
        found.entry(kind).or_insert((class, 0)).1 += u64::from(n);
    }
    let TurnRow { conversation, opened: at, upstream, state, .. } = row;
    Ok(Told { conversation, at, upstream, state, found })
}
