//! One value in clear, for those who may see it; and what there is, for those who may list it.

use std::sync::Arc;

use chatward_message::{Class, Kind};
use chatward_store::Conversation;
use chatward_vault::Placeholders;
use zeroize::Zeroizing;

use super::{Gate, TurnError};
use crate::api::Revealing;
use crate::problem::Code;

/// A value of a conversation.
pub(crate) struct Placed {
    /// How many placeholders were made before it.
    pub(crate) place: usize,
    pub(crate) label: String,
    pub(crate) class: Class,
    /// In clear, where that was decided.
    pub(crate) value: Option<Zeroizing<String>>,
}

impl Gate {
    /// What is behind the labels of a conversation, without the values.
    pub(crate) async fn listed(&self, known: &Conversation) -> Result<Vec<(String, Class, Kind)>, TurnError> {
        let table = self.table(known).await?;
        Ok(table.listed().map(|(label, class, kind)| (label, class, kind.clone())).collect())
    }

    /// What is behind the labels of a conversation, for the customer whose it is: of the classes that were noted the values
    /// too.
    pub(crate) async fn shown_to_owner(
        &self,
        known: &Conversation,
        noted: &[Revealing],
    ) -> Result<Vec<Placed>, TurnError> {
        let table = self.table(known).await?;
        let clear = |class| noted.iter().any(|noted| noted.target().class == class);
        let placed = table.placed().map(|(place, label, class, _)| {
            let value = if clear(class) { table.value(&label) } else { None };
            Placed { place, label, class, value }
        });
        Ok(placed.collect())
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
