//! What the bot received, for those who may ask.

use std::sync::Arc;

use chatward_message::{Action, Event, Facts, Place, Standing, TurnId};
use chatward_policy::access::act;
use chatward_store::TurnRow;
use zeroize::Zeroizing;

use super::whose::{self, Names, Rooms, State};
use super::{Gate, TurnError};
use crate::api::Noted;
use crate::caller::{Caller, GivenId};
use crate::problem::Code;

impl Gate {
    /// The body that went to the bot in this turn, byte for byte. The look is in the audit log before the value is given, and
    /// so is the decision that allowed it.
    pub(crate) async fn received(
        &self,
        turn: TurnId,
        _allowed: &Noted<act::ReadReceived>,
    ) -> Result<Zeroizing<Vec<u8>>, TurnError> {
        let row = self.row(turn).await?;
        let key = self.vault.customer_key(row.slot).await?;
        let at = self.clock.now();
        self.store
            .append(vec![Event {
                at,
                tenant: self.tenant.clone(),
                action: Action::ReceivedShown,
                turn: Some(turn),
                subject: Some(self.vault.subject(&key)?),
                facts: Facts { upstream: Some(Arc::from(&*row.upstream)), ..Facts::default() },
            }])
            .await?;
        let place = Place { tenant: &self.tenant, table: "turns", column: "received", row: turn.as_bytes() };
        Ok(self.vault.open_sealed(&key, place, &row.received)?)
    }

    /// The newest turn of a conversation that this caller names, with the conversation's key and table.
    pub(crate) async fn last_turn(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<(TurnRow, State)>, TurnError> {
        let force = self.force.load_full();
        let [given, _] = GivenId::named(name).map_err(TurnError::Told)?;
        let id = Names::conversation_of(self, caller, caller.page_customer(self.keyed()).as_ref(), &given);
        let Some(known) = self.store.conversation(&self.tenant, id).await? else { return Ok(None) };
        let rooms = Rooms { gate: self, labels: &force.labels };
        let state = whose::load(rooms, &known, Standing::default()).await?;
        let last = self.store.turns_of(&self.tenant, id).await?.pop();
        Ok(last.map(|row| (row, state)))
    }

    /// The turn's row; not found is told like any other stranger's turn.
    pub(crate) async fn row(&self, turn: TurnId) -> Result<TurnRow, TurnError> {
        self.store.turn(&self.tenant, turn).await?.ok_or(TurnError::Told(Code::TurnNotFound))
    }
}
