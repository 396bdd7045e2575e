//! Telling recipients what became of a customer's data (GDPR article 19): by webhook, until it is taken.
//!
//! What is to be told is a record before anything is sent, and goes when it was taken; so a crash or a receiver that is away
//! delays it and loses nothing. It may be told twice, under the same id. A customer is named to recipients as to the bots: by a
//! keyed hash, `cw_…`, which is what stands in place of `user`, `safety_identifier` or the customer's field of `metadata`.

use std::sync::Arc;
use std::time::Duration;

use chatward_message::{Action, CustomerId, Event, Facts, KeySlot, Purposes, Sealed, UnixMillis};
use chatward_store::StoreError;
use chatward_store::record::{Changes, Put, Record, RecordKind, Removal};
use chatward_vault::{VaultError, random_id};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;

use super::consent::hex;
use super::{RightsError, moment};
use crate::caller::KeyedHash as _;
use crate::config::Tell;
use crate::turn::Gate;
use crate::webhook::{Webhook, WebhookError};

/// Customers of one message at most.
pub(crate) const AT_ONCE: usize = 500;
/// A message that was just made is tried by who made it; the others wait so long, in milliseconds.
const FIRST: u64 = 5_000;
/// Between the first two tries of the others, in milliseconds; four times as long after each.
const AGAIN: u64 = 30_000;
/// The longest time between two tries, in milliseconds: six hours.
const SELDOM: u64 = 6 * 3600 * 1000;
/// For how long it is tried, in milliseconds: thirty days.
const LONGEST: u64 = 30 * 24 * 3600 * 1000;
/// How long somebody who waits for a certificate waits for the recipients.
const NOW: Duration = Duration::from_secs(3);
/// How often it is looked whether another process left something to tell.
const LOOK: Duration = Duration::from_secs(60);

/// Somebody who is told, as the configuration in force has them.
pub struct Recipient {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What they are told of.
    pub tell: Vec<Tell>,
    pub(crate) webhook: Webhook,
}

/// What became of a customer's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum News {
    /// It is gone.
    Erased,
    /// A value is another one.
    Corrected,
    /// It is frozen.
    Restricted,
    /// It is frozen no longer.
    Unrestricted,
}

impl News {
    const fn tell(self) -> Tell {
        match self {
            Self::Erased => Tell::Erased,
            Self::Corrected => Tell::Corrected,
            Self::Restricted | Self::Unrestricted => Tell::Restricted,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Erased => "customer.erased",
            Self::Corrected => "customer.corrected",
            Self::Restricted => "customer.restricted",
            Self::Unrestricted => "customer.unrestricted",
        }
    }
}

/// A message for one recipient, as it is kept. Not sealed: it names nobody but to who has been told the same name before.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notice {
    recipient: Arc<str>,
    news: News,
    at: UnixMillis,
    customers: Vec<String>,
    tries: u32,
    next: UnixMillis,
}

impl Notice {
    fn body(&self) -> Arc<str> {
        let timestamp = moment(self.at);
        let data = json!({ "customers": self.customers });
        json!({ "type": self.news.name(), "timestamp": timestamp, "data": data }).to_string().into()
    }

    /// After a try that failed.
    fn again(self, now: UnixMillis) -> Self {
        let wait = AGAIN.saturating_mul(4_u64.saturating_pow(self.tries)).min(SELDOM);
        Self { tries: self.tries + 1, next: UnixMillis(now.0 + wait), ..self }
    }
}

/// A recipient who is to be told, for a certificate.
#[derive(Debug, Clone)]
pub(crate) struct ToTell {
    pub(crate) recipient: Arc<str>,
    /// The id of the message.
    pub(crate) id: [u8; 16],
    /// When it was taken, if it was.
    pub(crate) told: Option<UnixMillis>,
}

impl ToTell {
    /// The id as the recipient gets it.
    pub(crate) fn message(&self) -> String {
        message_id(&self.id)
    }
}

fn message_id(id: &[u8]) -> String {
    format!("msg_{}", hex(id))
}

impl Gate {
    /// The name of a customer towards bots and recipients.
    pub(crate) fn name_outside(&self, customer: CustomerId) -> String {
        format!("cw_{}", hex(&self.keyed().hash(&self.tenant, "outside", &[customer.as_bytes()])))
    }

    /// The names of a customer and of who they were before they signed in.
    pub(crate) async fn names_outside(&self, customer: CustomerId) -> Result<Vec<String>, RightsError> {
        Ok(self.selves(customer).await?.into_iter().map(|customer| self.name_outside(customer)).collect())
    }

    /// One message for each recipient who wants to know, to be written with what it tells of.
    pub(crate) fn notices(
        &self,
        news: News,
        customers: &[String],
    ) -> Result<Vec<(ToTell, Put)>, RightsError> {
        let force = self.force.load();
        let wants = force.recipients.iter().filter(|one| one.tell.contains(&news.tell()));
        let at = self.clock.now();
        wants
            .map(|one| {
                let id: [u8; 16] = random_id().map_err(VaultError::from)?;
                let recipient = Arc::clone(&one.name);
                let next = UnixMillis(at.0 + FIRST);
                let customers = customers.to_vec();
                let notice =
                    Notice { recipient: Arc::clone(&recipient), news, at, customers, tries: 0, next };
                let put = Put { record: record(&id, 1, &notice)?, was: None, handles: None };
                Ok((ToTell { recipient, id, told: None }, put))
            })
            .collect()
    }

    /// Notes what is to be told.
    pub(crate) async fn note_notices(
        &self,
        news: News,
        customers: &[String],
    ) -> Result<Vec<ToTell>, RightsError> {
        let (told, puts): (Vec<ToTell>, Vec<Put>) = self.notices(news, customers)?.into_iter().unzip();
        if !puts.is_empty() {
            self.store.change(self.quiet(puts, Vec::new(), Vec::new())).await?;
            self.teller.notify_one();
        }
        Ok(told)
    }

    /// Tries at once, for a moment; what nobody took is tried again later.
    pub(crate) async fn tell_now(&self, told: Vec<ToTell>) -> Vec<ToTell> {
        let tries = told.into_iter().map(|mut one| async move {
            let tried = tokio::time::timeout(NOW, self.tell(&one.id)).await;
            if matches!(tried, Ok(Ok(true))) {
                one.told = Some(self.clock.now());
            }
            one
        });
        join_all(tries).await
    }

    /// Tries one message; whether it was taken.
    async fn tell(&self, id: &[u8]) -> Result<bool, RightsError> {
        match self.store.record(&self.tenant, RecordKind::Notice, id).await? {
            Some(record) => self.try_notice(&record).await,
            None => Ok(false),
        }
    }

    async fn try_notice(&self, record: &Record) -> Result<bool, RightsError> {
        let notice: Notice = serde_json::from_slice(record.sealed.as_bytes())
            .map_err(|_| RightsError::Inside("a message for a recipient cannot be read"))?;
        let force = self.force.load_full();
        let now = self.clock.now();
        // One that is not in the configuration may be back, or be in that of another gateway, which was loaded later.
        let recipient = force.recipients.iter().find(|one| one.name == notice.recipient);
        let tried = match recipient {
            Some(one) => one.webhook.tell(&message_id(&record.id), now, &notice.body()).await,
            None => Err(WebhookError::Nobody),
        };
        match tried {
            Ok(()) => {
                self.end_notice(record, &notice, Action::RecipientTold).await?;
                Ok(true)
            }
            Err(error) if now.0.saturating_sub(notice.at.0) > LONGEST => {
                tracing::error!(recipient = &*notice.recipient, cause = %error, "was not told, for thirty days");
                self.end_notice(record, &notice, Action::RecipientNotTold).await?;
                Ok(false)
            }
            Err(error) => {
                tracing::warn!(recipient = &*notice.recipient, cause = %error, "could not be told; tried again later");
                let revision = record.revision + 1;
                let again = self::record(&record.id, revision, &notice.again(now))?;
                let put = Put { record: again, was: Some(record.revision), handles: None };
                match self.store.change(self.quiet(vec![put], Vec::new(), Vec::new())).await {
                    // Another try was quicker.
                    Ok(_) | Err(StoreError::Overtaken) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    async fn end_notice(&self, record: &Record, notice: &Notice, action: Action) -> Result<(), RightsError> {
        let rows = u32::try_from(notice.customers.len()).unwrap_or(u32::MAX);
        let facts = Facts { recipient: Some(Arc::clone(&notice.recipient)), rows, ..Facts::default() };
        let tenant = self.tenant.clone();
        let event = Event { at: self.clock.now(), tenant, action, turn: None, subject: None, facts };
        let removal = Removal { kind: RecordKind::Notice, id: record.id.clone() };
        self.store.change(self.quiet(Vec::new(), vec![removal], vec![event])).await?;
        Ok(())
    }

    pub(super) fn quiet(&self, puts: Vec<Put>, removals: Vec<Removal>, events: Vec<Event>) -> Changes {
        let (about, standing) = (None, None);
        Changes { tenant: self.tenant.clone(), removals, puts, events, about, standing }
    }

    /// Tries everything that is due; how long nothing is.
    async fn tell_due(&self) -> Result<Duration, RightsError> {
        let mut after: Option<Box<[u8]>> = None;
        let mut wait = LOOK;
        loop {
            let page = self.store.records(&self.tenant, RecordKind::Notice, after.as_deref(), 100).await?;
            for record in &page {
                after = Some(record.id.clone());
                let Ok(notice) = serde_json::from_slice::<Notice>(record.sealed.as_bytes()) else { continue };
                let left = notice.next.0.saturating_sub(self.clock.now().0);
                if left == 0 {
                    self.try_notice(record).await?;
                } else {
                    wait = wait.min(Duration::from_millis(left));
                }
            }
            if page.len() < 100 {
                return Ok(wait);
            }
        }
    }

    /// Tells recipients, until the stop.
    pub(crate) async fn tell_for_ever(&self, mut stop: watch::Receiver<bool>) {
        loop {
            // A try that is cut off counts as none: it is made again after the next start.
            let told = tokio::select! {
                told = self.tell_due() => told,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let wait = told.unwrap_or_else(|error| {
                tracing::warn!(cause = %error, "recipients wait to be told");
                LOOK
            });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.teller.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}

fn record(id: &[u8], revision: u64, notice: &Notice) -> Result<Record, RightsError> {
    let plain = serde_json::to_vec(notice).map_err(|_| RightsError::Inside("a message has no form"))?;
    Ok(Record {
        kind: RecordKind::Notice,
        id: id.into(),
        revision,
        slot: KeySlot::from_bytes([0; 16]),
        customer: None,
        until: None,
        purposes: Purposes::SERVICE,
        sealed: Sealed::from_bytes(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_seldom() {
        let mut notice = Notice {
            recipient: "crm".into(),
            news: News::Erased,
            at: UnixMillis(0),
            customers: vec!["cw_1".into()],
            tries: 0,
            next: UnixMillis(FIRST),
        };
        let mut waits = Vec::new();
        for _ in 0..8 {
            let now = notice.next;
            notice = notice.again(now);
            waits.push((notice.next.0 - now.0) / 1000);
        }
        assert_eq!(waits, [30, 120, 480, 1920, 7680, 21_600, 21_600, 21_600]);
    }
}
