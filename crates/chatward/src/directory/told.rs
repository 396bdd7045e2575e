//! How much was told in counts with noise: one record of the house, so that no restart and no second gateway forgets it.

use chatward_message::{Action, Event, Facts, UnixMillis};
use chatward_policy::numbers::Epsilon;
use chatward_policy::numbers::budget::{Budget, Exhausted, Limit};
use chatward_store::StoreError;
use chatward_store::record::{Put, RecordKind};

use super::{Directory, Failed};
use crate::identity::account::StoredError;

/// The id of the one account.
const ACCOUNT: [u8; 16] = [0; 16];
/// How often spending begins anew because others spent at the same moment: more of them than a house has askers.
const TRIES: usize = 64;

impl Directory {
    /// The account of what was told.
    pub async fn told(&self) -> Result<Budget, Failed> {
        let found = self.0.gate.store.record(self.tenant(), RecordKind::Budget, &ACCOUNT).await?;
        match found {
            Some(record) => read(&self.open(&record).await?.plain),
            None => Ok(Budget::default()),
        }
    }

    /// Spends this much, durably and with its event, before anything is answered: what fails later has cost it. Gives the account
    /// after it, or says that there is not enough left; then nothing is spent.
    pub async fn tell(
        &self,
        limit: Limit,
        epsilon: Epsilon,
        rows: u32,
    ) -> Result<Result<Budget, Exhausted>, Failed> {
        for _ in 0..TRIES {
            let now = self.now();
            let found = self.0.gate.store.record(self.tenant(), RecordKind::Budget, &ACCOUNT).await?;
            let (before, was) = match &found {
                Some(record) => (read(&self.open(record).await?.plain)?, Some(record.revision)),
                None => (Budget::default(), None),
            };
            let after = match before.spend(limit, now, epsilon) {
                Ok(after) => after,
                Err(exhausted) => return Ok(Err(exhausted)),
            };
            let plain = serde_json::to_vec(&after).map_err(|_| StoredError::NotAnAccount)?;
            let key = self.house_key().await?;
            let revision = was.unwrap_or(0).saturating_add(1);
            let record = self.seal(&key, RecordKind::Budget, ACCOUNT.to_vec(), revision, &plain)?;
            let put = Put { record, was, handles: None };
            let changes = self.changes(vec![put], vec![self.asked(now, epsilon, rows)]);
            match self.0.gate.store.change(changes).await {
                Ok(_) => return Ok(Ok(after)),
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    fn asked(&self, at: UnixMillis, epsilon: Epsilon, rows: u32) -> Event {
        let facts = Facts { rows, epsilon: epsilon.millionths(), ..Facts::default() };
        let (tenant, action) = (self.tenant().clone(), Action::StatisticsAsked);
        Event { at, tenant, action, turn: None, subject: None, facts }
    }
}

fn read(plain: &[u8]) -> Result<Budget, Failed> {
    Ok(serde_json::from_slice(plain).map_err(|_| StoredError::NotAnAccount)?)
}
