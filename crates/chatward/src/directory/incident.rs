//! Incidents of the house: one record each, under the house's key. The open one of a family is found by a keyed hash, so that
//! two gateways add to the same.

use std::time::Duration;

use chatward_message::{AccountId, Action, Subject, UnixMillis};
use chatward_store::StoreError;
use chatward_store::record::{Put, Record, RecordKind};

use super::{Directory, Failed, PAGE, TRIES};
use crate::alerts::{Acknowledged, Activity, Alert, Closed, Incident, Outcome, Report, State};
use crate::identity::account::StoredError;
use crate::identity::secret::SecretText;

/// An incident as it is kept.
#[derive(Debug, Clone)]
pub struct KeptIncident {
    /// Its id: the newer, the smaller.
    pub id: [u8; 16],
    /// What is known of it.
    pub incident: Incident,
    revision: u64,
}

/// Who did something, with the pseudonym for the audit log.
pub type By = (AccountId, Subject);

impl Directory {
    /// Puts alerts of one family to its open incident, or begins one; what receivers are to be told, if anything. How near
    /// alerts of one incident are, and for how long it is kept, is the configuration's.
    ///
    /// # Errors
    /// The store's and the keys'.
    pub async fn count_alerts(
        &self,
        alerts: &[Alert],
        (group, keep): (Duration, Duration),
    ) -> Result<Option<Report>, Failed> {
        let Some((alert, more)) = alerts.split_first() else { return Ok(None) };
        let handle = Incident::handle(alert, |parts| {
            let half = self.0.gate.vault.name_key(self.tenant(), "incident", parts).unwrap_or_default();
            let mut whole = [0; 32];
            whole[..16].copy_from_slice(&half);
            whole[16..].copy_from_slice(&half);
            whole
        });
        for _ in 0..TRIES {
            let found = self.0.gate.store.record_by(self.tenant(), handle).await?;
            let old = match found {
                Some(record) => self.read_incident(record).await?,
                None => None,
            };
            let (mut puts, activity);
            let kept = match old {
                Some(mut kept) if kept.incident.takes(alert.at, group) => {
                    let mut told = false;
                    for alert in alerts {
                        told |= kept.incident.add(alert.clone());
                    }
                    activity = told.then_some(Activity::Updated);
                    puts = vec![self.put_incident(&kept, Some(kept.revision), keep).await?];
                    kept
                }
                old => {
                    activity = Some(Activity::Opened);
                    let mut incident = Incident::begun(alert.clone());
                    for alert in more {
                        incident.add(alert.clone());
                    }
                    let id = incident_id(alert.at, super::fresh_id()?);
                    let kept = KeptIncident { id, incident, revision: 0 };
                    puts = Vec::new();
                    if let Some(old) = old {
                        // Its time is over: the handle goes over to the new one.
                        let mut put = self.put_incident(&old, Some(old.revision), keep).await?;
                        put.handles = Some(Vec::new());
                        puts.push(put);
                    }
                    let mut put = self.put_incident(&kept, None, keep).await?;
                    put.handles = Some(vec![handle]);
                    puts.push(put);
                    kept
                }
            };
            let now = self.now();
            // The log hears of what receivers hear of: an attack of ten thousand alerts is not as many entries.
            let events = match activity {
                Some(Activity::Opened) => {
                    vec![kept.incident.event(Action::IncidentOpened, self.tenant(), now)]
                }
                Some(_) => vec![kept.incident.event(Action::IncidentGrew, self.tenant(), now)],
                None => Vec::new(),
            };
            match self.0.gate.store.change(self.changes(puts, events)).await {
                Ok(_) => {
                    return activity.map(|activity| self.reported(&kept, activity)).transpose();
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// Somebody looks after it until then.
    ///
    /// # Errors
    /// [`Failed::Unknown`] if there is none of this id, or it is closed; the store's.
    pub async fn acknowledge_incident(
        &self,
        id: [u8; 16],
        by: By,
        why: SecretText,
        until: UnixMillis,
        keep: Duration,
    ) -> Result<(KeptIncident, Report), Failed> {
        self.change_incident(id, by.1, keep, Activity::Acknowledged, |incident, at| {
            incident.acknowledged = Some(Acknowledged { by: by.0, at, why: why.clone(), until });
        })
        .await
    }

    /// It is over.
    ///
    /// # Errors
    /// [`Failed::Unknown`] if there is none of this id, or it is closed already; the store's.
    pub async fn close_incident(
        &self,
        id: [u8; 16],
        by: By,
        why: SecretText,
        outcome: Outcome,
        keep: Duration,
    ) -> Result<(KeptIncident, Report), Failed> {
        self.change_incident(id, by.1, keep, Activity::Closed, |incident, at| {
            incident.closed = Some(Closed { by: by.0, at, why: why.clone(), outcome });
        })
        .await
    }

    async fn change_incident(
        &self,
        id: [u8; 16],
        by: Subject,
        keep: Duration,
        activity: Activity,
        change: impl Fn(&mut Incident, UnixMillis),
    ) -> Result<(KeptIncident, Report), Failed> {
        let action = match activity {
            Activity::Closed => Action::IncidentClosed,
            _ => Action::IncidentAcknowledged,
        };
        for _ in 0..TRIES {
            let mut kept = self.incident(id).await?.ok_or(Failed::Unknown)?;
            let now = self.now();
            if kept.incident.state(now) == State::Closed {
                return Err(Failed::Unknown);
            }
            change(&mut kept.incident, now);
            let mut put = self.put_incident(&kept, Some(kept.revision), keep).await?;
            if activity == Activity::Closed {
                put.handles = Some(Vec::new());
            }
            let mut event = kept.incident.event(action, self.tenant(), now);
            event.facts.actor = Some(by);
            match self.0.gate.store.change(self.changes(vec![put], vec![event])).await {
                Ok(_) => {
                    let report = self.reported(&kept, activity)?;
                    return Ok((kept, report));
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// The incident of this id.
    ///
    /// # Errors
    /// The store's and the keys'.
    pub async fn incident(&self, id: [u8; 16]) -> Result<Option<KeptIncident>, Failed> {
        match self.0.gate.store.record(self.tenant(), RecordKind::Incident, &id).await? {
            Some(record) => self.read_incident(record).await,
            None => Ok(None),
        }
    }

    /// Incidents, those that began last first, of which `wanted` holds.
    ///
    /// # Errors
    /// The store's and the keys'.
    pub async fn incidents(
        &self,
        after: Option<[u8; 16]>,
        limit: usize,
        wanted: impl Fn(&Incident) -> bool,
    ) -> Result<Vec<KeptIncident>, Failed> {
        let (mut all, mut from) = (Vec::new(), after.map(Vec::from));
        while all.len() < limit {
            let store = &self.0.gate.store;
            let page = store.records(self.tenant(), RecordKind::Incident, from.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            from = page.last().map(|record| record.id.to_vec());
            for record in page {
                if let Some(kept) = self.read_incident(record).await?
                    && all.len() < limit
                    && wanted(&kept.incident)
                {
                    all.push(kept);
                }
            }
            if last {
                break;
            }
        }
        Ok(all)
    }

    fn reported(&self, kept: &KeptIncident, activity: Activity) -> Result<Report, Failed> {
        let (id, tenant) = (super::fresh_id()?, self.tenant().to_string());
        Ok(kept.incident.report(activity, (&kept.id, &id), &tenant, self.now()))
    }

    async fn read_incident(&self, record: Record) -> Result<Option<KeptIncident>, Failed> {
        let opened = self.open(&record).await?;
        let wrong = || Failed::from(StoredError::NotAnAccount);
        let incident = serde_json::from_slice(&opened.plain).map_err(|_| wrong())?;
        let id = <[u8; 16]>::try_from(&*record.id).map_err(|_| wrong())?;
        Ok(Some(KeptIncident { id, incident, revision: record.revision }))
    }

    async fn put_incident(
        &self,
        kept: &KeptIncident,
        was: Option<u64>,
        keep: Duration,
    ) -> Result<Put, Failed> {
        let plain = serde_json::to_vec(&kept.incident).map_err(|_| StoredError::NotAnAccount)?;
        let key = self.house_key().await?;
        let revision = was.unwrap_or(0).saturating_add(1);
        let mut record = self.seal(&key, RecordKind::Incident, kept.id.to_vec(), revision, &plain)?;
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        record.until = Some(UnixMillis(kept.incident.last.0.saturating_add(keep)));
        Ok(Put { record, was, handles: None })
    }
}

/// An id by which the newest comes first.
fn incident_id(at: UnixMillis, random: [u8; 16]) -> [u8; 16] {
    let mut id = random;
    if let Some(head) = id.first_chunk_mut() {
        *head = (u64::MAX - at.0).to_be_bytes();
    }
    id
}
