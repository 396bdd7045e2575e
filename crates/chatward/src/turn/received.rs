//! What the bot received, for those who may ask.

use std::sync::Arc;

use chatward_message::{Action, ConversationId, CustomerId, Event, Facts, Place, Standing, TurnId};
use chatward_policy::access::act;
use chatward_store::TurnRow;
use zeroize::Zeroizing;

use super::whose::{self, Names, Rooms, State};
use super::{Gate, TurnError};
use crate::api::Noted;
use crate::caller::{Caller, GivenId};
use crate::problem::Code;

/// All that is kept of a conversation, still sealed.
pub(crate) struct WholeConversation {
    /// Its id.
    pub(crate) id: ConversationId,
    /// Its turns, the oldest first.
    pub(crate) turns: Vec<TurnRow>,
    /// What opens them.
    pub(crate) state: State,
}

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

    /// Whose and which conversation it is that this caller names.
    pub(crate) fn conversation_named(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(ConversationId, Option<CustomerId>), TurnError> {
        let [given, _] = GivenId::named(name).map_err(TurnError::Told)?;
        let customer = caller.page_customer(self.keyed());
        Ok((Names::conversation_of(self, caller, customer.as_ref(), &given), customer))
    }

    /// All turns of a conversation that this caller names, with the conversation's key and table.
    pub(crate) async fn whole_conversation(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<WholeConversation>, TurnError> {
        let force = self.force.load_full();
        let (id, _) = self.conversation_named(caller, name)?;
        let Some(known) = self.store.conversation(&self.tenant, id).await? else { return Ok(None) };
        let rooms = Rooms { gate: self, labels: &force.labels };
        let state = whose::load(rooms, &known, Standing::default()).await?;
        let turns = self.store.turns_of(&self.tenant, id).await?;
        Ok(Some(WholeConversation { id, turns, state }))
    }

    /// The turn's row; not found is told like any other stranger's turn.
    pub(crate) async fn row(&self, turn: TurnId) -> Result<TurnRow, TurnError> {
        self.store.turn(&self.tenant, turn).await?.ok_or(TurnError::Told(Code::TurnNotFound))
    }
}
