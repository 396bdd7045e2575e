//! Going on with keys that are older than the data knows, because there are no newer ones any more.

use std::path::Path;
use std::sync::Arc;

use chatward_message::{Action, Event, Facts};

use super::keeper;
use super::start::{self, Outside};
use crate::cli;
use crate::config::Flags;
use crate::control::{self, ControlError, Request};
use crate::witness::WitnessError;

/// What became of it.
pub(crate) enum Accepted {
    /// The keys are not older than the data knows.
    Needless,
    /// They were renewed past all that the data knows, and are the newest from now on.
    Renewed {
        /// Their epoch.
        epoch: u64,
        /// How many customers' keys there are.
        keys: u64,
    },
}

/// Makes older keys the newest ones of this data. It stands in the log. Nothing may be running on the data.
pub(crate) async fn accept(file: Option<&Path>, data: &Path, keys: &Path) -> anyhow::Result<Accepted> {
    match control::ask(data, &Request::Status).await {
        Err(ControlError::NobodyThere) => {}
        // It started: its keys are those that the data knows.
        answer => return answer.map(|_| Accepted::Needless).map_err(Into::into),
    }
    let flags = Flags { data: Some(data.to_owned()), keys: Some(keys.to_owned()), ..Flags::default() };
    let (config, detector) = cli::load_without_model(file, &flags)?;
    keeper::holds_data(&config, data)?;
    let found = start::find_rooms(&config, &Outside::default(), &mut Vec::new()).await?;
    let newest = match found.judged().await {
        Ok(()) => None,
        // Anything else is no reason to take these keys for the newest.
        Err(error)
            if matches!(
                error.downcast_ref(),
                Some(WitnessError::Older { .. } | WitnessError::Other { .. })
            ) =>
        {
            Some(found.newest().await?)
        }
        Err(error) => {
            found.close().await;
            return Err(error);
        }
    };
    let Some(newest) = newest else {
        found.close().await;
        return Ok(Accepted::Needless);
    };
    let gate = Arc::new(found.open().await?.gate(start::force(config, detector, None)?)?);
    // Written down first: after a crash in between these keys would be the newest, and nobody would know why.
    let event = Event {
        at: gate.clock.now(),
        tenant: gate.tenant.clone(),
        action: Action::OlderKeysAccepted,
        turn: None,
        subject: None,
        facts: Facts { epoch: newest.saturating_add(1), ..Facts::default() },
    };
    gate.store.append(vec![event]).await?;
    let rotation = gate.renew_keys(newest).await?;
    gate.vault.close().await?;
    gate.store.clone().close().await;
    Ok(Accepted::Renewed { epoch: rotation.to, keys: rotation.rewrapped })
}
