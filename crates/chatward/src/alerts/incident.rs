//! Incidents: alerts that belong together, and who looks after them. Kept as sealed records of the house.

use chatward_message::{AccountId, Action, Event, Facts, Severity, UnixMillis};
use chatward_store::record::{Handle, HandleKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{Activity, Alert, MOST, Report, Word};
use crate::identity::secret::SecretText;

/// How an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IncidentState")]
pub enum State {
    /// Nobody looks after it.
    Open,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Closed,
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "IncidentOutcome")]
pub enum Outcome {
    /// An attack.
    Attack,
    /// None: somebody or something was taken for one.
    FalseAlarm,
    /// A test of the house's own.
    Test,
    /// Nobody can say.
    Unclear,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::FalseAlarm => "false-alarm",
            Self::Test => "test",
            Self::Unclear => "unclear",
        }
    }
}

/// Somebody looks after it: nobody is told of more of the same before `until`, but if it becomes worse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// Who.
    pub by: AccountId,
    /// Since when.
    pub at: UnixMillis,
    /// Why, in words.
    pub why: SecretText,
    /// Until when.
    pub until: UnixMillis,
}

/// It is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// Who said so.
    pub by: AccountId,
    /// When.
    pub at: UnixMillis,
    /// Why, in words.
    pub why: SecretText,
    /// What it was.
    pub outcome: Outcome,
}

/// An incident as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// When the first alert came.
    pub first: UnixMillis,
    /// When the last alert came.
    pub last: UnixMillis,
    /// How many came.
    pub count: u64,
    /// The worst of them.
    pub severity: Severity,
    /// Which rules, and how often. The first sixteen.
    pub rules: Vec<(Word, u64)>,
    /// The newest alert.
    pub alert: Alert,
    /// Who looks after it.
    pub acknowledged: Option<Acknowledged>,
    /// That it is over.
    pub closed: Option<Closed>,
}

impl Incident {
    /// A new one.
    pub(crate) fn begun(alert: Alert) -> Self {
        Self {
            first: alert.at,
            last: alert.at,
            count: 1,
            severity: alert.severity,
            rules: vec![(alert.rule.clone(), 1)],
            alert,
            acknowledged: None,
            closed: None,
        }
    }

    /// How it stands at this time: what is acknowledged is open again when that time is over.
    #[must_use]
    pub fn state(&self, now: UnixMillis) -> State {
        match (&self.closed, &self.acknowledged) {
            (Some(_), _) => State::Closed,
            (None, Some(acknowledged)) if now < acknowledged.until => State::Acknowledged,
            _ => State::Open,
        }
    }

    /// Whether an alert of the same family at this time belongs to it: because it is near, or somebody looks after it.
    pub(crate) fn takes(&self, at: UnixMillis, group: std::time::Duration) -> bool {
        let group = u64::try_from(group.as_millis()).unwrap_or(u64::MAX);
        let near = at.0 <= self.last.0.saturating_add(group);
        self.closed.is_none() && (near || self.state(at) == State::Acknowledged)
    }

    /// One more; whether receivers are to hear of it. They do if it became worse, or at ten times as many; if it is acknowledged,
    /// only if it became worse.
    pub(crate) fn add(&mut self, alert: Alert) -> bool {
        let worse = alert.severity > self.severity;
        let before = self.count;
        self.count = self.count.saturating_add(1);
        self.severity = self.severity.max(alert.severity);
        (self.first, self.last) = (self.first.min(alert.at), self.last.max(alert.at));
        if let Some((_, count)) = self.rules.iter_mut().find(|(rule, _)| *rule == alert.rule) {
            *count = count.saturating_add(1);
        } else if self.rules.len() < MOST {
            self.rules.push((alert.rule.clone(), 1));
        }
        let many = self.count.ilog10() > before.max(1).ilog10();
        let quiet = self.state(alert.at) == State::Acknowledged;
        self.alert = alert;
        worse || (many && !quiet)
    }

    /// As receivers are told of it.
    pub(crate) fn report(
        &self,
        activity: Activity,
        ids: (&[u8], &[u8; 16]),
        tenant: &str,
        at: UnixMillis,
    ) -> Report {
        let (id, report) = ids;
        Report {
            v: Report::VERSION,
            activity,
            incident: Word::forced(&crate::rights::consent::hex(id)),
            id: Word::forced(&crate::rights::consent::hex(report)),
            tenant: Word::forced(tenant),
            at,
            first: self.first,
            last: self.last,
            count: self.count,
            severity: self.severity,
            rules: self.rules.clone(),
            alert: self.alert.clone(),
        }
    }

    /// Under what the open incident of a family is found: a hash under a key of the house.
    pub(crate) fn handle(alert: &Alert, hash: impl FnOnce(&[&[u8]]) -> [u8; 32]) -> Handle {
        let (family, threat, scope, subject) = alert.family();
        let parts: [&[u8]; 4] =
            [family.as_bytes(), threat.name().as_bytes(), scope.name().as_bytes(), &subject.to_be_bytes()];
        Handle { kind: HandleKind::Incident, hash: hash(&parts) }
    }

    /// The entry of the audit log about it: words and counts.
    pub(crate) fn event(&self, action: Action, tenant: &chatward_message::TenantId, at: UnixMillis) -> Event {
        let rows = u32::try_from(self.count).unwrap_or(u32::MAX);
        let facts = Facts { reason: Some(self.alert.threat.name()), rows, ..Facts::default() };
        Event { at, tenant: tenant.clone(), action, turn: self.alert.turn, subject: None, facts }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chatward_message::{Response, SignInfo, Threat};

    use super::super::record::Scope;
    use super::*;

    fn alert(at: u64, severity: Severity) -> Alert {
        let info =
            SignInfo { id: "behaviour.x".into(), threat: Threat::Takeover, severity, tags: Box::new([]) };
        let mut alert = Alert::of_house(&info, UnixMillis(at));
        (alert.scope, alert.subject, alert.response) = (Scope::Account, 7, Response::Flag);
        alert
    }

    fn acknowledged(until: u64) -> Option<Acknowledged> {
        let by = AccountId::from_bytes([1; 16]);
        Some(Acknowledged { by, at: UnixMillis(0), why: SecretText::new("seen"), until: UnixMillis(until) })
    }

    #[test]
    fn receivers_hear_of_the_worse_and_of_the_many() {
        let mut incident = Incident::begun(alert(0, Severity::Medium));
        let told: Vec<u64> = (2..=100).filter(|n| incident.add(alert(*n, Severity::Medium))).collect();
        assert_eq!(told, [10, 100]);
        assert!(incident.add(alert(101, Severity::Critical)));
        assert_eq!((incident.count, incident.severity), (101, Severity::Critical));
    }

    #[test]
    fn what_is_acknowledged_is_quiet_until_it_is_worse_and_open_again_later() {
        let mut incident = Incident::begun(alert(0, Severity::Medium));
        incident.acknowledged = acknowledged(1000);
        assert_eq!(incident.state(UnixMillis(999)), State::Acknowledged);
        assert_eq!(incident.state(UnixMillis(1000)), State::Open);
        assert!((2..=50).all(|n| !incident.add(alert(n, Severity::Low))));
        assert!(incident.add(alert(51, Severity::High)));
    }

    #[test]
    fn alerts_belong_together_while_each_is_near_the_one_before() {
        let hour = Duration::from_secs(3600);
        let mut incident = Incident::begun(alert(0, Severity::Medium));
        assert!(incident.takes(UnixMillis(3_600_000), hour));
        assert!(!incident.takes(UnixMillis(3_600_001), hour));
        incident.add(alert(3_000_000, Severity::Medium));
        assert!(incident.takes(UnixMillis(6_600_000), hour));
        // Whoever looks after it is not told of it as of something new.
        incident.acknowledged = acknowledged(90_000_000);
        assert!(incident.takes(UnixMillis(89_999_999), hour));
        assert!(!incident.takes(UnixMillis(90_000_000), hour));
        incident.acknowledged = None;
        let by = AccountId::from_bytes([1; 16]);
        let why = SecretText::new("x");
        incident.closed = Some(Closed { by, at: UnixMillis(1), why, outcome: Outcome::FalseAlarm });
        assert!(!incident.takes(UnixMillis(2), hour));
    }
}
