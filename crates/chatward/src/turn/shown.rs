//! One value in clear, for those who may see it; and what there is, for those who may list it.

use std::sync::Arc;

use chatward_message::{Class, Kind};
use chatward_store::Conversation;
use chatward_vault::Placeholders;
use zeroize::Zeroizing;

use super::{Gate, TurnError};
use crate::api::Revealing;
use crate::problem::Code;

impl Gate {
    /// What is behind the labels of a conversation, without the values.
    pub(crate) async fn listed(&self, known: &Conversation) -> Result<Vec<(String, Class, Kind)>, TurnError> {
        let table = self.table(known).await?;
        Ok(table.listed().map(|(label, class, kind)| (label, class, kind.clone())).collect())
    }

    /// The value behind one label. It takes the decision and uses it up: one event in the audit log, one value.
    pub(crate) async fn reveal(
        &self,
        known: &Conversation,
        label: &str,
        noted: Revealing,
    ) -> Result<Zeroizing<String>, TurnError> {
        let gone = || TurnError::Told(Code::NotFound);
        let table = self.table(known).await?;
        let (_, class, kind) = table.listed().find(|(known, ..)| known == label).ok_or_else(gone)?;
        let allowed = noted.target();
        // The decision was about this class and this kind, and about nothing else.
        if class != allowed.class || Some(kind) != allowed.kind.as_ref() {
            return Err(gone());
        }
        table.value(label).ok_or_else(gone)
    }

    async fn table(&self, known: &Conversation) -> Result<Placeholders, TurnError> {
        let labels = Arc::clone(&self.force.load().labels);
        let key = self.vault.customer_key(known.slot).await?;
        Ok(self.vault.open_entries(&key, &self.tenant, labels, known)?)
    }
}
