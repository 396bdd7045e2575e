//! `/admin/v1/incidents`: what was recognised of attacks, and who looks after it.

use chatward_message::{AccountId, Subject, UnixMillis};
use chatward_policy::access::{House, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Wanted, house, record_id, written};
use crate::alerts::{Alert, Outcome, Scope, State};
use crate::api::call::{Nothing, Page, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::directory::KeptIncident;
use crate::identity::secret::SecretText;
use crate::problem::{Code, Problem};
use crate::rights::consent::hex;

/// Longest words about an incident, in characters.
const LONGEST: usize = 1000;
/// The longest time that somebody looks after one without saying so again, in milliseconds: 30 days.
const LONG: u64 = 30 * 24 * 3600 * 1000;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes.asks::<All>().asks::<One>().asks::<Acknowledge>().asks::<Close>()
}

/// How often a rule held.
#[derive(Debug, Serialize, JsonSchema)]
struct Counted {
    /// The rule, or what was counted.
    name: String,
    /// How often.
    count: u64,
}

/// Who looks after an incident.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "IncidentAcknowledged")]
struct Handled {
    /// The account.
    by: String,
    /// Since when, in milliseconds since 1970.
    at: u64,
    /// Why, in words.
    why: String,
    /// Until when, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// An incident.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Incident")]
struct Shown {
    /// Its id.
    id: String,
    /// How it stands.
    state: State,
    /// What it is a sign of: `takeover`, `enumeration`, …
    threat: &'static str,
    /// The worst of its alerts.
    severity: &'static str,
    /// What it is about.
    scope: Scope,
    /// Whom, as a keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// When the first alert came, in milliseconds since 1970.
    first: u64,
    /// When the last alert came, in milliseconds since 1970.
    last: u64,
    /// How many came.
    count: u64,
    /// Which rules held.
    rules: Vec<Counted>,
    /// What the newest alert counted.
    counts: Vec<Counted>,
    /// How sure the newest alert is, from 0 to 1.
    score: f32,
    /// What was done about the newest alert.
    response: &'static str,
    /// In which turn it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<String>,
    /// Towards which bot.
    #[serde(skip_serializing_if = "Option::is_none")]
    bot: Option<String>,
    /// Techniques of MITRE ATLAS and risks of the OWASP list.
    tags: Vec<String>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Handled>,
    /// Who said that it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<Handled>,
}

impl Shown {
    fn of(kept: &KeptIncident, now: UnixMillis) -> Self {
        let KeptIncident { id, incident, .. } = kept;
        let Alert { threat, scope, subject, score, response, turn, bot, tags, counts, .. } = &incident.alert;
        Self {
            id: hex(id),
            state: incident.state(now),
            threat: threat.name(),
            severity: incident.severity.name(),
            scope: *scope,
            subject: (*scope != Scope::House).then(|| format!("{subject:016x}")),
            first: incident.first.0,
            last: incident.last.0,
            count: incident.count,
            rules: incident
                .rules
                .iter()
                .map(|(rule, n)| Counted { name: rule.to_string(), count: *n })
                .collect(),
            counts: counts
                .iter()
                .map(|(name, n)| Counted { name: name.to_string(), count: (*n).into() })
                .collect(),
            score: *score,
            response: response.name(),
            turn: turn.map(|turn| turn.to_string()),
            bot: bot.as_ref().map(ToString::to_string),
            tags: tags.iter().map(ToString::to_string).collect(),
            acknowledged: incident.acknowledged.as_ref().map(|one| Handled {
                by: one.by.to_string(),
                at: one.at.0,
                why: one.why.expose().to_owned(),
                until: Some(one.until.0),
                outcome: None,
            }),
            closed: incident.closed.as_ref().map(|one| Handled {
                by: one.by.to_string(),
                at: one.at.0,
                why: one.why.expose().to_owned(),
                until: None,
                outcome: Some(one.outcome),
            }),
        }
    }
}

/// `GET /admin/v1/incidents`
struct All;

impl Route for All {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/incidents";
    const WHAT: &'static str = "Incidents, those that began last first";
    type Path = Nothing;
    type Query = Wanted<State>;
    type Body = Nothing;
    type Answer = Page<Shown>;
}

impl Asks for All {
    type Act = act::IncidentRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.query.limit()?;
        call.query.after()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (limit, now) = (call.query.limit()?, api.directory.now());
        let state = call.query.state;
        let wanted =
            |incident: &crate::alerts::Incident| state.is_none_or(|state| incident.state(now) == state);
        let found = api.directory.incidents(call.query.after()?, limit.saturating_add(1), wanted).await?;
        let items = found.iter().map(|kept| Shown::of(kept, now)).collect();
        Ok(Reply::json(Page::cut(items, limit, |incident| incident.id.clone())))
    }
}

/// An incident in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfIncident {
    /// 32 hexadecimal digits.
    id: String,
}

impl OfIncident {
    fn id(&self) -> Result<[u8; 16], Problem> {
        record_id(&self.id).ok_or_else(|| Code::NotFound.into())
    }

    async fn kept(&self, api: &Api) -> Result<KeptIncident, Problem> {
        api.directory.incident(self.id()?).await?.ok_or_else(|| Code::NotFound.into())
    }
}

/// `GET /admin/v1/incidents/{id}`
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/incidents/{id}";
    const WHAT: &'static str = "One incident";
    type Path = OfIncident;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Shown;
}

impl Asks for One {
    type Act = act::IncidentRead;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        call.path.kept(api).await?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(Shown::of(&call.path.kept(api).await?, api.directory.now())))
    }
}

/// Who of the staff it is: looking after something is a person's.
fn person(who: &Who) -> Result<(AccountId, Subject), Problem> {
    match who {
        Who::Staff(present) => Ok((present.account.id(), present.account.subject())),
        _ => Err(Problem::new(Code::NotAllowed).because("not-staff")),
    }
}

fn why(text: &str) -> Result<SecretText, Problem> {
    let text = text.trim();
    if !(1..=LONGEST).contains(&text.chars().count()) {
        return Err(Problem::new(Code::BadRequest).at("why"));
    }
    Ok(SecretText::new(text))
}

fn stated(why: &String) -> Stated {
    Stated { reason: written(Some(why)), ..Stated::default() }
}

/// That somebody looks after it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AcknowledgeIncident")]
struct Acknowledging {
    /// Why, in words.
    why: String,
    /// Until when, in milliseconds since 1970; at most 30 days from now. Until then nobody is told of more of the same, unless it
    /// becomes worse.
    until: u64,
}

/// `POST /admin/v1/incidents/{id}/acknowledge`
struct Acknowledge;

impl Route for Acknowledge {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/incidents/{id}/acknowledge";
    const WHAT: &'static str = "Say that one looks after an incident, why, and until when";
    type Path = OfIncident;
    type Query = Nothing;
    type Body = Acknowledging;
    type Answer = Shown;
}

impl Asks for Acknowledge {
    type Act = act::IncidentHandle;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        why(&call.body.why)?;
        let now = api.directory.now().0;
        if call.body.until <= now || call.body.until > now.saturating_add(LONG) {
            return Err(Problem::new(Code::BadRequest).at("until"));
        }
        call.path.kept(api).await?;
        Ok(house(api))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        Ok(stated(&call.body.why))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (by, why, until) = (person(&who)?, why(&call.body.why)?, UnixMillis(call.body.until));
        let (_, keep) = api.gate.alerts.times();
        let done = api.directory.acknowledge_incident(call.path.id()?, by, why, until, keep).await?;
        told(api, done).await
    }
}

/// That it is over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CloseIncident")]
struct Closing {
    /// Why, in words.
    why: String,
    /// What it was.
    outcome: Outcome,
}

/// `POST /admin/v1/incidents/{id}/close`
struct Close;

impl Route for Close {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/incidents/{id}/close";
    const WHAT: &'static str = "Say that an incident is over, why, and what it was";
    type Path = OfIncident;
    type Query = Nothing;
    type Body = Closing;
    type Answer = Shown;
}

impl Asks for Close {
    type Act = act::IncidentHandle;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<House, Problem> {
        why(&call.body.why)?;
        call.path.kept(api).await?;
        Ok(house(api))
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        Ok(stated(&call.body.why))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let (by, why) = (person(&who)?, why(&call.body.why)?);
        let (_, keep) = api.gate.alerts.times();
        let done = api.directory.close_incident(call.path.id()?, by, why, call.body.outcome, keep).await?;
        told(api, done).await
    }
}

/// Receivers hear of it too.
async fn told(
    api: &Api,
    (kept, report): (KeptIncident, crate::alerts::Report),
) -> Result<Reply<Shown>, Problem> {
    let now = api.directory.now();
    api.gate.alerts.report(vec![report], now).await;
    Ok(Reply::json(Shown::of(&kept, now)))
}
