//! Through all customers, one after the other.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use chatward_message::{Class, ConversationId, CustomerId, Purpose, UnixMillis};
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

/// Through the customers who may be counted, with those of their turns that may be: opened in this time (the end not among it),
/// and no longer under way. Customers come in order of their ids, each once; a conversation that somebody took over later is
/// theirs. Memory holds the turns of one customer at a time.
pub(super) struct Walk<'a> {
    gate: &'a Gate,
    time: Range<UnixMillis>,
    page: VecDeque<CustomerId>,
    after: Option<CustomerId>,
    last: bool,
}

impl<'a> Walk<'a> {
    /// One that has not begun.
    pub(super) fn new(gate: &'a Gate, time: Range<UnixMillis>) -> Self {
        Self { gate, time, page: VecDeque::new(), after: None, last: false }
    }

    /// The next customer who wrote in this time, with at least one turn; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(CustomerId, Vec<Told>)>, NumbersError> {
        loop {
            let Some(customer) = self.page.pop_front() else {
                if self.last {
                    return Ok(None);
                }
                self.turn_page().await?;
                continue;
            };
            if !countable(self.gate, customer).await? {
                continue;
            }
            let turns = turns_of(self.gate, customer, &self.time).await?;
            if !turns.is_empty() {
                return Ok(Some((customer, turns)));
            }
        }
    }

    async fn turn_page(&mut self) -> Result<(), NumbersError> {
        let rows = self.gate.store.customers(&self.gate.tenant, self.after, PAGE).await?;
        self.last = rows.len() < PAGE;
        self.after = rows.last().map(|row| row.id);
        self.page.extend(rows.iter().map(|row| row.id));
        Ok(())
    }
}

/// Whether anything of this customer may be counted under this id: not if their data is frozen, not if they refused or objected
/// since, and not if it is that of somebody without a name whose conversation another took over.
async fn countable(gate: &Gate, customer: CustomerId) -> Result<bool, NumbersError> {
    let claimed = gate.store.record(&gate.tenant, RecordKind::Claim, customer.as_bytes()).await?;
    if claimed.is_some() {
        return Ok(false);
    }
    let standing = gate.store.standing(&gate.tenant, customer).await?;
    Ok(!standing.restricted && !standing.refused.contains(Purpose::ANALYTICS))
}

async fn turns_of(
    gate: &Gate,
    customer: CustomerId,
    time: &Range<UnixMillis>,
) -> Result<Vec<Told>, NumbersError> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = gate.store.conversations_of(&gate.tenant, customer, after, PAGE).await?;
        for conversation in &page {
            for row in gate.store.turns_of(&gate.tenant, conversation.id).await? {
                if time.contains(&row.opened)
                    && row.state != TurnState::Open
                    && row.purposes.contains(Purpose::ANALYTICS)
                {
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
