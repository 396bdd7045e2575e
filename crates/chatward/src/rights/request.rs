//! What customers ask for by right, as a small machine: received → identified → in work → done or refused, with the dates that the
//! law sets (GDPR article 12(3): one month, two more if it says why; CCPA § 7021: ten business days to acknowledge, 45 days, 45
//! more). Others' forms (`OpenDSR`, Data Rights Protocol) map onto it: their `open`, `in_progress`, `fulfilled`, `denied`.

use chatward_message::{Action, CustomerId, Event, Facts, Purposes, UnixMillis};
use chatward_store::record::{Put, Record, RecordKind};
use chatward_vault::{VaultError, random_id};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, Weekday};

use super::RightsError;
use crate::problem::Code;
use crate::turn::Gate;

const DAY: u64 = 24 * 3600 * 1000;
/// Longest message, in characters.
const LONGEST: usize = 4000;
/// Most messages of one request.
const MOST: usize = 100;
/// How long a closed request is kept as evidence that it was answered: three years.
const EVIDENCE: u64 = 3 * 365 * DAY;
/// Before its date, a request that is still open is called urgent.
const URGENT: u64 = 7 * DAY;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Right")]
pub(crate) enum Right {
    /// To see what is kept (GDPR 15).
    Access,
    /// To take it along (GDPR 20).
    Portability,
    /// To have it corrected (GDPR 16).
    Rectify,
    /// To have it frozen (GDPR 18).
    Restrict,
    /// To have something stopped (GDPR 21).
    Object,
    /// To have it erased (GDPR 17).
    Erase,
}

impl Right {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Rectify => "rectify",
            Self::Restrict => "restrict",
            Self::Object => "object",
            Self::Erase => "erase",
        }
    }
}

/// Whose dates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Law")]
pub(crate) enum Law {
    /// The European regulation.
    #[default]
    Gdpr,
    /// California's.
    Ccpa,
}

/// Where a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "RequestState")]
pub(crate) enum State {
    /// It is here; who asks has not been shown.
    Received,
    /// It is the customer who asks.
    Identified,
    /// Somebody works on it.
    InWork,
    /// It was done.
    Done,
    /// It was refused, with a reason.
    Refused,
}

impl State {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Identified => "identified",
            Self::InWork => "in-work",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing more comes.
    pub(crate) const fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Refused)
    }
}

/// Who wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum From {
    /// The customer.
    Customer,
    /// The house.
    House,
}

/// Something that was written about a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RequestMessage")]
pub(crate) struct Message {
    /// When, in milliseconds since 1970.
    pub(crate) at: u64,
    /// By whom.
    pub(crate) from: From,
    /// What.
    pub(crate) text: String,
}

/// A request, as it is kept: sealed under the customer's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) right: Right,
    pub(crate) law: Law,
    pub(crate) state: State,
    pub(crate) received: u64,
    /// By when its receipt has to be acknowledged.
    pub(crate) acknowledge_by: u64,
    pub(crate) acknowledged: Option<u64>,
    pub(crate) due: u64,
    pub(crate) extended: bool,
    pub(crate) closed: Option<u64>,
    pub(crate) messages: Vec<Message>,
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was shown that the customer asks.
    Identify,
    /// Somebody takes it on.
    Begin,
    /// It takes longer, for this reason; once.
    Extend(String),
    /// It was done.
    Finish(String),
    /// It is not done, for this reason.
    Refuse(String),
    /// Something is written.
    Say(From, String),
}

impl Request {
    /// A request that arrives now. `identified`: its sender showed a second factor just now.
    pub(crate) fn new(
        right: Right,
        law: Law,
        text: &str,
        identified: bool,
        now: UnixMillis,
    ) -> Result<Self, Code> {
        let (due, acknowledge_by) = match law {
            Law::Gdpr => (months(now, 1), months(now, 1)),
            Law::Ccpa => (now.0.saturating_add(45 * DAY), business_days(now, 10)),
        };
        let state = if identified { State::Identified } else { State::Received };
        let mut new = Self {
            right,
            law,
            state,
            received: now.0,
            acknowledge_by,
            acknowledged: identified.then_some(now.0),
            due,
            extended: false,
            closed: None,
            messages: Vec::new(),
        };
        if !text.trim().is_empty() {
            new.say(From::Customer, text, now)?;
        }
        Ok(new)
    }

    /// The request after a step.
    ///
    /// # Errors
    /// [`Code::RequestClosed`] once it was done or refused, [`Code::RequestOrder`] for a step that does not come next,
    /// [`Code::BadRequest`] for a reason or message that is empty or too long.
    pub(crate) fn after(mut self, step: &Step, now: UnixMillis) -> Result<Self, Code> {
        if self.state.is_closed() {
            return Err(Code::RequestClosed);
        }
        match (step, self.state) {
            (Step::Identify, State::Received) => self.state = State::Identified,
            (Step::Begin, State::Identified) => self.state = State::InWork,
            (Step::Extend(why), _) if !self.extended && now.0 <= self.due => {
                self.say(From::House, why, now)?;
                self.extended = true;
                self.due = match self.law {
                    Law::Gdpr => months(UnixMillis(self.due), 2),
                    Law::Ccpa => self.due.saturating_add(45 * DAY),
                };
            }
            (Step::Finish(note), State::InWork) => {
                self.say(From::House, note, now)?;
                self.close(State::Done, now);
            }
            (Step::Refuse(why), _) => {
                self.say(From::House, why, now)?;
                self.close(State::Refused, now);
            }
            (Step::Say(from, text), _) => self.say(*from, text, now)?,
            _ => return Err(Code::RequestOrder),
        }
        if !matches!(step, Step::Say(From::Customer, _)) {
            self.acknowledged.get_or_insert(now.0);
        }
        Ok(self)
    }

    fn say(&mut self, from: From, text: &str, now: UnixMillis) -> Result<(), Code> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > LONGEST || self.messages.len() >= MOST {
            return Err(Code::BadRequest);
        }
        self.messages.push(Message { at: now.0, from, text: text.to_owned() });
        Ok(())
    }

    fn close(&mut self, state: State, now: UnixMillis) {
        self.state = state;
        self.closed = Some(now.0);
    }

    /// Whether its date has passed, or comes soon, and nobody has answered.
    pub(crate) fn urgency(&self, now: UnixMillis) -> Urgency {
        if self.state.is_closed() {
            return Urgency::None;
        }
        let first = if self.acknowledged.is_none() { self.acknowledge_by.min(self.due) } else { self.due };
        if now.0 > first {
            Urgency::Overdue
        } else if first - now.0 <= URGENT {
            Urgency::Soon
        } else {
            Urgency::None
        }
    }
}

/// How soon a request has to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Urgency {
    /// There is time, or nothing to do.
    None,
    /// Within a week.
    Soon,
    /// The date has passed.
    Overdue,
}

fn date(at: UnixMillis) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(at.0 / 1000).ok()?).ok()
}

fn millis(time: OffsetDateTime) -> u64 {
    u64::try_from(time.unix_timestamp()).unwrap_or(0) * 1000
}

/// The same day so many months later; the last one of a month that is shorter.
fn months(at: UnixMillis, count: u8) -> u64 {
    let later = || {
        let time = date(at)?;
        let (mut year, mut month) = (time.year(), time.month());
        for _ in 0..count {
            if month == time::Month::December {
                year += 1;
            }
            month = month.next();
        }
        let day = time.day().min(month.length(year));
        Some(millis(time.replace_date(Date::from_calendar_date(year, month, day).ok()?)))
    };
    later().unwrap_or(at.0.saturating_add(u64::from(count) * 28 * DAY))
}

/// So many working days later (Monday to Friday; holidays are not known here, so it is never later than the law says).
fn business_days(at: UnixMillis, count: u32) -> u64 {
    let without_calendar = at.0.saturating_add(u64::from(count) * DAY);
    let Some(mut time) = date(at) else { return without_calendar };
    let mut left = count;
    while left > 0 {
        let Some(next) = time.checked_add(time::Duration::DAY) else { return without_calendar };
        time = next;
        if !matches!(time.weekday(), Weekday::Saturday | Weekday::Sunday) {
            left -= 1;
        }
    }
    millis(time)
}

/// A request with its id and place.
#[derive(Debug, Clone)]
pub(crate) struct Filed {
    pub(crate) id: Box<[u8]>,
    pub(crate) customer: CustomerId,
    pub(crate) request: Request,
    record: Record,
}

impl Gate {
    /// Files a request.
    pub(crate) async fn file(&self, customer: CustomerId, request: Request) -> Result<Filed, RightsError> {
        let (slot, key) = self.key_of(customer).await?;
        let id: [u8; 16] = random_id().map_err(VaultError::from)?;
        let record = Record {
            kind: RecordKind::Request,
            id: id.into(),
            revision: 1,
            slot,
            customer: Some(customer),
            until: None,
            purposes: Purposes::SERVICE,
            sealed: self.sealed_record(&key, (RecordKind::Request, &id), &request)?,
        };
        let event = self.request_event(&key, &request, Action::RequestReceived)?;
        let put = Put { record: record.clone(), was: None, handles: None };
        self.put_about(customer, put, event).await?;
        Ok(Filed { id: id.into(), customer, request, record })
    }

    /// Takes a request a step further.
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::Busy`] if somebody else did so at the same moment, and those of [`Request::after`].
    pub(crate) async fn step(&self, filed: Filed, step: &Step) -> Result<Filed, RightsError> {
        let Filed { id, customer, request, mut record } = filed;
        let request = request.after(step, self.clock.now()).map_err(RightsError::Told)?;
        let key = self.vault.customer_key(record.slot).await?;
        let was = record.revision;
        record.revision += 1;
        record.sealed = self.sealed_record(&key, (RecordKind::Request, &id), &request)?;
        record.until = request.closed.map(|at| UnixMillis(at + EVIDENCE));
        let event = self.request_event(&key, &request, Action::RequestMoved)?;
        let put = Put { record: record.clone(), was: Some(was), handles: None };
        self.put_about(customer, put, event).await?;
        Ok(Filed { id, customer, request, record })
    }

    fn request_event(
        &self,
        key: &chatward_vault::CustomerKey,
        request: &Request,
        action: Action,
    ) -> Result<Event, RightsError> {
        let facts = Facts {
            right: Some(request.right.name()),
            reason: Some(request.state.name()),
            ..Facts::default()
        };
        Ok(Event {
            at: self.clock.now(),
            tenant: self.tenant.clone(),
            action,
            turn: None,
            subject: Some(self.vault.subject(key)?),
            facts,
        })
    }

    /// One customer's requests, the oldest first.
    pub(crate) async fn requests_of(&self, customer: CustomerId) -> Result<Vec<Filed>, RightsError> {
        let mut all = Vec::new();
        for record in self.store.records_of(&self.tenant, RecordKind::Request, customer).await? {
            all.extend(self.filed(record).await?);
        }
        all.sort_by_key(|filed| filed.request.received);
        Ok(all)
    }

    /// Requests of all customers in order of their ids, from the one after `after`.
    pub(crate) async fn requests(
        &self,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Filed>, RightsError> {
        let mut all = Vec::new();
        for record in self.store.records(&self.tenant, RecordKind::Request, after, limit).await? {
            all.extend(self.filed(record).await?);
        }
        Ok(all)
    }

    /// One request.
    pub(crate) async fn request(&self, id: &[u8]) -> Result<Filed, RightsError> {
        let record = self.store.record(&self.tenant, RecordKind::Request, id).await?;
        let filed = match record {
            Some(record) => self.filed(record).await?,
            None => None,
        };
        filed.ok_or(RightsError::Told(Code::NotFound))
    }

    /// None if its customer was erased in this moment.
    async fn filed(&self, record: Record) -> Result<Option<Filed>, RightsError> {
        let Some(customer) = record.customer else { return Ok(None) };
        match self.read_record(&record).await {
            Ok(request) => Ok(Some(Filed { id: record.id.clone(), customer, request, record })),
            Err(RightsError::Vault(VaultError::NoKey { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMillis {
        let time = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap();
        UnixMillis(millis(time))
    }

    fn due(law: Law, text: &str) -> (String, String) {
        let new = Request::new(Right::Access, law, "", false, at(text)).unwrap();
        (super::super::moment(UnixMillis(new.due)), super::super::moment(UnixMillis(new.acknowledge_by)))
    }

    #[test]
    fn the_law_sets_the_dates() {
        assert_eq!(due(Law::Gdpr, "2026-11-26T10:00:00Z").0, "2026-12-26T10:00:00Z");
        assert_eq!(due(Law::Gdpr, "2027-01-31T10:00:00Z").0, "2027-02-28T10:00:00Z");
        assert_eq!(due(Law::Gdpr, "2028-01-31T10:00:00Z").0, "2028-02-29T10:00:00Z");
        assert_eq!(due(Law::Gdpr, "2026-12-15T10:00:00Z").0, "2027-01-15T10:00:00Z");
        let (due, acknowledge) = due(Law::Ccpa, "2026-11-26T10:00:00Z");
        assert_eq!(due, "2027-01-10T10:00:00Z");
        assert_eq!(acknowledge, "2026-12-10T10:00:00Z", "ten days without two weekends");
    }

    #[test]
    fn there_are_dates_to_the_end_of_time() {
        let calendar_ends = at("9999-12-31T23:59:59Z");
        for law in [Law::Gdpr, Law::Ccpa] {
            for now in [calendar_ends, UnixMillis(u64::MAX)] {
                let new = Request::new(Right::Access, law, "", false, now).unwrap();
                assert!(new.due >= now.0 && new.acknowledge_by >= now.0);
                let longer = new.after(&Step::Extend("it takes longer".into()), now).unwrap();
                assert!(longer.due >= now.0);
            }
        }
    }

    #[test]
    fn it_goes_on_in_order_and_ends_once() {
        let now = at("2026-11-26T10:00:00Z");
        let new = || Request::new(Right::Rectify, Law::Gdpr, " my name is wrong ", false, now).unwrap();
        assert_eq!(new().messages[0].text, "my name is wrong");
        for early in [Step::Begin, Step::Finish("done".into())] {
            assert_eq!(new().after(&early, now).unwrap_err(), Code::RequestOrder);
        }
        let identified = new().after(&Step::Identify, now).unwrap();
        assert_eq!(identified.acknowledged, Some(now.0));
        assert_eq!(identified.clone().after(&Step::Identify, now).unwrap_err(), Code::RequestOrder);
        let longer = identified.after(&Step::Extend("it is a lot".into()), now).unwrap();
        assert_eq!(super::super::moment(UnixMillis(longer.due)), "2027-02-26T10:00:00Z");
        let again = Step::Extend("still".into());
        assert_eq!(longer.clone().after(&again, now).unwrap_err(), Code::RequestOrder, "once only");
        let done =
            longer.after(&Step::Begin, now).unwrap().after(&Step::Finish("it is right now".into()), now);
        let done = done.unwrap();
        assert_eq!((done.state, done.closed), (State::Done, Some(now.0)));
        for late in [Step::Refuse("no".into()), Step::Say(From::Customer, "thanks".into())] {
            assert_eq!(done.clone().after(&late, now).unwrap_err(), Code::RequestClosed);
        }
        let refused = new().after(&Step::Refuse(String::new()), now);
        assert_eq!(refused.unwrap_err(), Code::BadRequest, "never without a reason");
    }

    #[test]
    fn what_nobody_answers_becomes_urgent() {
        let now = at("2026-11-26T10:00:00Z");
        let new = Request::new(Right::Erase, Law::Gdpr, "", true, now).unwrap();
        let later = |days| new.urgency(UnixMillis(now.0 + days * DAY));
        assert_eq!([later(0), later(24), later(31)], [Urgency::None, Urgency::Soon, Urgency::Overdue]);
        let closed = new.clone().after(&Step::Refuse("not you".into()), now).unwrap();
        assert_eq!(closed.urgency(UnixMillis(now.0 + 90 * DAY)), Urgency::None);
        let ccpa = Request::new(Right::Erase, Law::Ccpa, "", false, now).unwrap();
        assert_eq!(ccpa.urgency(UnixMillis(now.0 + 20 * DAY)), Urgency::Overdue, "it was never acknowledged");
    }
}
