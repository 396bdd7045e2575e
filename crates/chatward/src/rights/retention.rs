//! What was kept long enough goes: turns, conversations and keys when their last purpose ended, values of a class when that class
//! has no purpose left. A sweep may stop anywhere: each step is one transaction, and the next sweep goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use chatward_message::{Action, Class, Classes, Event, Facts, Purposes, UnixMillis};
use chatward_policy::Register;
use chatward_store::{End, Rewrite, StoreError, Sweep, Values};
use chatward_vault::{Revision, VaultError};
use tokio::sync::watch;

use super::RightsError;
use crate::turn::Gate;

/// How often it is swept; once more after each time that somebody withdrew a consent.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// An erasure that began so lately is being done: it is not taken for one that a crash left.
const UNDER_WAY: Duration = Duration::from_secs(600);
/// Turns touched in one transaction.
const TURNS_AT_ONCE: u32 = 500;
/// Rows of values read at once.
const VALUES_AT_ONCE: usize = 200;

/// What a sweep did, or what the next one would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Swept {
    /// Turns deleted.
    pub(crate) turns: u64,
    /// Turns that are kept for less than before.
    pub(crate) narrowed: u64,
    /// Rows deleted in all.
    pub(crate) rows: u64,
    /// Rows of values of which some went.
    pub(crate) values: u64,
    /// Keys destroyed.
    pub(crate) keys: u64,
}

/// Which classes of some values have no purpose left, and for what the rest is kept.
///
/// A class is kept for a purpose from when the value was stored until as long after as the purpose says for that class.
pub(crate) fn ended(register: &Register, values: &Values, now: UnixMillis) -> (Classes, Purposes) {
    let age = now.0.saturating_sub(values.at.0);
    let counts = |class: Class, purpose| {
        let kept = register.get(purpose).and_then(|terms| terms.kept(class));
        values.purposes.contains(purpose) && kept.is_some_and(|kept| age <= kept)
    };
    let all: Vec<_> = register.iter().map(|terms| terms.purpose).collect();
    let gone = values.row.classes.iter().filter(|class| !all.iter().any(|of| counts(*class, *of))).collect();
    let left = all.iter().copied().filter(|of| values.row.classes.iter().any(|class| counts(class, *of)));
    (gone, left.collect())
}

impl Gate {
    /// Deletes what has been kept long enough.
    pub(crate) async fn sweep(&self) -> Result<Swept, RightsError> {
        let register = self.force.load().config.purposes.clone();
        let now = self.clock.now();
        let mut all = Swept::default();
        self.sweep_values(&register, now, &mut all).await?;
        let ends: Vec<End> = register
            .iter()
            .map(|terms| {
                let kept = terms.kept(Class::Interaction).unwrap_or(0);
                End { of: terms.purpose, before: UnixMillis(now.0.saturating_sub(kept)) }
            })
            .collect();
        // What is kept for a purpose that this house no longer has is kept for nothing.
        let known: Purposes = register.iter().map(|terms| terms.purpose).collect();
        let gone = Purposes::from_bits(u32::MAX).without(known);
        let ends: Vec<End> = ends.into_iter().chain(gone.iter().map(|of| End { of, before: now })).collect();
        loop {
            let sweep = Sweep {
                tenant: self.tenant.clone(),
                now,
                ends: ends.clone(),
                most: TURNS_AT_ONCE,
                event: self.sweep_event(known),
            };
            let step = self.store.sweep(sweep).await?;
            all.turns += step.turns;
            all.narrowed += step.narrowed;
            all.rows += step.rows;
            if !step.slots.is_empty() {
                all.keys += step.slots.len() as u64;
                self.forget_keys(&step.slots).await?;
            }
            if !step.more {
                break;
            }
        }
        if all.rows > 0 || all.values > 0 {
            // What is in memory of it goes too; whoever writes next loads what is left.
            self.conversations.unload_all().await;
            self.store.truncate().await?;
        }
        Ok(all)
    }

    async fn sweep_values(
        &self,
        register: &Register,
        now: UnixMillis,
        all: &mut Swept,
    ) -> Result<(), RightsError> {
        let mut after = None;
        loop {
            let page = self.store.values_before(&self.tenant, now, now, after, VALUES_AT_ONCE).await?;
            for values in &page {
                after = Some((values.conversation, values.row.first));
                let (gone, purposes) = ended(register, values, now);
                if gone.is_empty() && purposes == values.purposes {
                    continue;
                }
                all.values += u64::from(self.rewrite_values(values, gone, purposes).await?);
            }
            if page.len() < VALUES_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Whether some went.
    async fn rewrite_values(
        &self,
        values: &Values,
        gone: Classes,
        purposes: Purposes,
    ) -> Result<bool, RightsError> {
        let to = if gone.is_empty() {
            None
        } else {
            let key = match self.vault.customer_key(values.slot).await {
                Ok(key) => key,
                // Erased in this moment.
                Err(VaultError::NoKey { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let change = Revision::Forget(gone);
            let revised = self.vault.revise(&key, &self.tenant, values.conversation, &values.row, &change)?;
            // Rows of before classes were written down say "any": those that are there are known from now on.
            revised.or_else(|| {
                let classes = Classes::from_bits(values.row.classes.bits() & !gone.bits());
                Some(chatward_store::IssuedRow { classes, ..values.row.clone() })
            })
        };
        let some = to.as_ref().is_some_and(|to| to.sealed != values.row.sealed);
        let rewrite = Rewrite {
            tenant: self.tenant.clone(),
            conversation: values.conversation,
            was: values.row.sealed.clone(),
            to,
            first: values.row.first,
            purposes: Some(purposes),
            events: if some { vec![self.sweep_event(values.purposes)] } else { Vec::new() },
            about: None,
        };
        match self.store.rewrite(rewrite).await {
            Ok(_) => Ok(some),
            // Somebody corrected a value at the same moment: the next sweep sees to it.
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sweep_event(&self, purposes: Purposes) -> Event {
        let facts = Facts { purposes, ..Facts::default() };
        Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action: Action::RetentionSwept,
            turn: None,
            subject: None,
            facts,
        }
    }

    /// What goes until then, if nothing changes: values by their classes, and turns.
    pub(crate) async fn due(&self, until: UnixMillis) -> Result<Due, RightsError> {
        let register = self.force.load().config.purposes.clone();
        let mut due = Due::default();
        let mut after = None;
        loop {
            let now = self.clock.now();
            let page = self.store.values_before(&self.tenant, now, now, after, VALUES_AT_ONCE).await?;
            for values in &page {
                after = Some((values.conversation, values.row.first));
                let (gone, _) = ended(&register, values, until);
                gone.iter().for_each(|class| *due.values.entry(class).or_default() += 1);
            }
            if page.len() < VALUES_AT_ONCE {
                break;
            }
        }
        let ends: Vec<(chatward_message::Purpose, UnixMillis)> = register
            .iter()
            .map(|terms| {
                let kept = terms.kept(Class::Interaction).unwrap_or(0);
                (terms.purpose, UnixMillis(until.0.saturating_sub(kept)))
            })
            .collect();
        due.turns = self.store.turns_due(&self.tenant, self.clock.now(), &ends).await?;
        Ok(due)
    }

    /// Sweeps now, then every hour and whenever a consent was withdrawn, until the stop.
    pub(crate) async fn sweep_for_ever(&self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.finish_erasures(UNDER_WAY).await {
                tracing::warn!(cause = %error, "an erasure that was begun waits");
            }
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::info!(
                    turns = swept.turns,
                    rows = swept.rows,
                    values = swept.values,
                    keys = swept.keys,
                    "what was kept long enough is deleted"
                ),
                Err(error) => tracing::warn!(cause = %error, "what was kept long enough stays for now"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP_EVERY) => {}
                () = self.sweeper.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

/// What goes next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Due {
    /// Turns of which nothing is left.
    pub(crate) turns: u64,
    /// Rows of values, by class.
    pub(crate) values: BTreeMap<Class, u64>,
}

#[cfg(test)]
mod tests {
    use chatward_message::{ConversationId, CustomerId, KeySlot, Purpose, Sealed};
    use chatward_policy::{Basis, Terms};
    use chatward_store::IssuedRow;

    use super::*;

    fn terms(purpose: Purpose, keep: &[(Class, u64)]) -> Terms {
        Terms {
            purpose,
            name: purpose.word().into(),
            basis: Basis::Consent,
            version: "1".into(),
            texts: Vec::new(),
            wording: [0; 8],
            sold_or_shared: false,
            special: None,
            keep: keep.to_vec(),
        }
    }

    #[test]
    fn a_class_goes_when_its_last_purpose_ended() {
        let register = Register::new(vec![
            terms(
                Purpose::SERVICE,
                &[(Class::Interaction, 100), (Class::Identity, 50), (Class::Payment, 10)],
            ),
            terms(Purpose::TRAINING, &[(Class::Interaction, 200), (Class::Identity, 200)]),
        ])
        .unwrap();
        let classes: Classes = [Class::Identity, Class::Payment].into_iter().collect();
        let values = |purposes| Values {
            conversation: ConversationId::from_bytes([1; 16]),
            customer: CustomerId::from_bytes([1; 16]),
            slot: KeySlot::from_bytes([1; 16]),
            at: UnixMillis(1000),
            purposes,
            row: IssuedRow { first: 0, classes, sealed: Sealed::from_bytes(Vec::new()) },
        };
        let gone =
            |purposes: Purposes, after: u64| ended(&register, &values(purposes), UnixMillis(1000 + after));
        let both = Purposes::SERVICE.with(Purpose::TRAINING);
        let payment = Classes::NONE.with(Class::Payment);
        assert_eq!(gone(both, 10), (Classes::NONE, both), "to the end of its time");
        assert_eq!(gone(both, 11), (payment, both));
        assert_eq!(gone(both, 51), (payment, Purpose::TRAINING.into()));
        assert_eq!(gone(Purposes::SERVICE, 51), (classes, Purposes::NONE));
        assert_eq!(gone(both, 201), (classes, Purposes::NONE));
        // What is kept for nothing goes at once.
        assert_eq!(gone(Purposes::NONE, 0), (classes, Purposes::NONE));
    }
}
