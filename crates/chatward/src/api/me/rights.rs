//! `/me/v1/{consents,requests,export,restriction,values,erase,certificates}`: what customers decide, and what the law gives them.

use axum::body::Body;
use chatward_message::{Class, ConversationId};
use chatward_policy::access::{Record, Value, act};
use futures_util::StreamExt as _;
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::super::call::{Nothing, Stated};
use super::super::noted::note;
use super::super::{Api, Asks, Call, Noted, Open, Reply, Route, Routes, Who};
use super::own;
use crate::directory::Failed;
use crate::problem::{Code, Problem};
use crate::rights::consent::{Decision, Stand, Way};
use crate::rights::request::{From, Law, Message, Request, Right, State, Step, Urgency};
use crate::rights::standing::Change;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes.asks::<Consents>().asks::<Decide>().asks::<Receipts>();
    let routes = routes.asks::<FileOne>().asks::<Filed>().asks::<Say>();
    let routes = routes.asks::<Export>().asks::<Restrict>().asks::<Correct>().asks::<EraseMe>();
    routes.open::<Certificate>()
}

/// One purpose, and where one stands to it.
#[derive(Debug, Serialize, JsonSchema)]
struct PurposeShown {
    /// Its name.
    purpose: String,
    /// `contract`, `consent` or `legitimate-interest`.
    basis: &'static str,
    /// `needed`, `counts`, `agreed`, `other-words` (the words changed: please say again), `refused` or `not-asked`.
    stand: &'static str,
    /// The version of the words.
    version: String,
    /// The words, by language.
    text: std::collections::BTreeMap<String, String>,
    /// For how many days each class of data is kept for it.
    days: std::collections::BTreeMap<&'static str, u64>,
}

/// All purposes of the house.
#[derive(Debug, Serialize, JsonSchema)]
struct ConsentsShown {
    /// How often one decided.
    revision: u64,
    /// The purposes.
    purposes: Vec<PurposeShown>,
}

/// `GET /me/v1/consents`
struct Consents;

impl Route for Consents {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/consents";
    const WHAT: &'static str = "What one's data may be used for, in which words, and where one stands";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = ConsentsShown;
}

impl Asks for Consents {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        const DAY: u64 = 24 * 3600 * 1000;
        let gate = &api.gate;
        let standing = gate.store.standing(&gate.tenant, noted.target().customer).await;
        let standing = standing.map_err(Failed::from)?;
        let force = gate.force.load_full();
        let purposes = force.config.purposes.iter().map(|terms| {
            let basis = force.basis_for(terms);
            let owned = |(language, text): &(std::sync::Arc<str>, std::sync::Arc<str>)| {
                (language.to_string(), text.to_string())
            };
            PurposeShown {
                purpose: terms.name.to_string(),
                basis: crate::rights::consent::basis_name(basis),
                stand: Stand::of(terms, basis, &standing).name(),
                version: terms.version.to_string(),
                text: terms.texts.iter().map(owned).collect(),
                days: terms.keep.iter().map(|(class, time)| (class.name(), time.div_ceil(DAY))).collect(),
            }
        });
        Ok(Reply::json(ConsentsShown { revision: standing.revision, purposes: purposes.collect() }))
    }
}

/// A purpose in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfPurpose {
    /// Its name.
    purpose: String,
}

/// Yes or no.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct YesOrNo {
    /// Whether one agrees.
    agreed: bool,
    /// The language in which one was asked.
    #[serde(default)]
    language: Option<String>,
}

/// `PUT /me/v1/consents/{purpose}`
struct Decide;

impl Route for Decide {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/me/v1/consents/{purpose}";
    const WHAT: &'static str =
        "Say yes or no to a purpose; it counts from the next message, and a receipt comes back";
    type Path = OfPurpose;
    type Query = Nothing;
    type Body = YesOrNo;
    type Answer = serde_json::Value;
}

impl Asks for Decide {
    type Act = act::Consent;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let decision = Decision {
            purpose: &call.path.purpose,
            agreed: call.body.agreed,
            language: call.body.language.as_deref(),
            way: Way::Customer,
        };
        Ok(Reply::json(api.gate.decide(noted.target().customer, decision).await?))
    }
}

/// `GET /me/v1/receipts`
struct Receipts;

impl Route for Receipts {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/receipts";
    const WHAT: &'static str = "The signed receipts of all one ever decided, oldest first";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Vec<serde_json::Value>;
}

impl Asks for Receipts {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(api.gate.receipts(noted.target().customer).await?))
    }
}

/// A request, as its customer and the house see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RightsRequest")]
pub(in crate::api) struct RequestShown {
    /// Its id.
    id: String,
    /// What is asked for.
    right: Right,
    /// Whose dates count.
    law: Law,
    /// Where it is.
    state: State,
    /// When it came, in milliseconds since 1970.
    received: u64,
    /// By when it has to be answered.
    due: u64,
    /// Whether it was prolonged.
    extended: bool,
    /// How soon that is.
    urgency: Urgency,
    /// When it was done or refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<u64>,
    /// What was written about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Message>>,
}

impl RequestShown {
    /// Its id.
    pub(in crate::api) fn id(&self) -> &str {
        &self.id
    }

    /// With what was written, or without.
    pub(in crate::api) fn of(api: &Api, filed: &crate::rights::request::Filed, whole: bool) -> Self {
        let request = &filed.request;
        Self {
            id: crate::rights::consent::hex(&filed.id),
            right: request.right,
            law: request.law,
            state: request.state,
            received: request.received,
            due: request.due,
            extended: request.extended,
            urgency: request.urgency(api.gate.clock.now()),
            closed: request.closed,
            messages: whole.then(|| request.messages.clone()),
        }
    }
}

/// What one asks for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Which right.
    right: Right,
    /// Whose dates count.
    #[serde(default)]
    law: Law,
    /// What it is about, in one's own words.
    #[serde(default)]
    text: String,
}

/// How old the second factor of somebody may be who need not show more, in seconds: as the policies have it.
const FRESH: u32 = 600;

/// Whether it is shown who asks: whoever showed a second factor just now need not show more.
pub(in crate::api) fn identified(api: &Api, who: &Who) -> bool {
    who.second_factor(api).is_some_and(|age| age <= FRESH)
}

/// Whoever asks, if they filed this request; another's is told like one that never was.
pub(in crate::api) async fn filed_by(api: &Api, who: &Who, of: &OfRequest) -> Result<Record, Problem> {
    let own = own(api, who)?;
    let filed = of.filed(api).await?;
    if filed.customer != own.customer {
        return Err(Code::NotFound.into());
    }
    Ok(own)
}

/// `POST /me/v1/requests`
struct FileOne;

impl Route for FileOne {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/me/v1/requests";
    const WHAT: &'static str = "Ask the house for what the law gives";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Wanted;
    type Answer = RequestShown;
}

impl Asks for FileOne {
    type Act = act::Request;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let Wanted { right, law, text } = &call.body;
        let request = Request::new(*right, *law, text, identified(api, &who), api.gate.clock.now());
        let filed = api.gate.file(noted.target().customer, request.map_err(Problem::new)?).await?;
        Ok(Reply::json(RequestShown::of(api, &filed, true)))
    }
}

/// `GET /me/v1/requests`
struct Filed;

impl Route for Filed {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/requests";
    const WHAT: &'static str = "One's own requests, and what became of them";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Vec<RequestShown>;
}

impl Asks for Filed {
    type Act = act::List;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let all = api.gate.requests_of(noted.target().customer).await?;
        Ok(Reply::json(all.iter().map(|filed| RequestShown::of(api, filed, true)).collect()))
    }
}

/// A request in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::api) struct OfRequest {
    /// Its id.
    pub(in crate::api) id: String,
}

impl OfRequest {
    /// The request of this id.
    pub(in crate::api) async fn filed(&self, api: &Api) -> Result<crate::rights::request::Filed, Problem> {
        let id = crate::rights::erasure::unhex(&self.id).ok_or_else(|| Problem::new(Code::NotFound))?;
        Ok(api.gate.request(&id).await?)
    }
}

/// Something to write about a request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Words {
    /// At most 4000 characters.
    text: String,
}

/// `POST /me/v1/requests/{id}/messages`
struct Say;

impl Route for Say {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/me/v1/requests/{id}/messages";
    const WHAT: &'static str = "Write something about a request of one's own";
    const STATUS: u16 = 201;
    type Path = OfRequest;
    type Query = Nothing;
    type Body = Words;
    type Answer = RequestShown;
}

impl Asks for Say {
    type Act = act::Request;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Record, Problem> {
        filed_by(api, who, &call.path).await
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let filed = call.path.filed(api).await?;
        let filed = api.gate.step(filed, &Step::Say(From::Customer, call.body.text.clone())).await?;
        Ok(Reply::json(RequestShown::of(api, &filed, true)))
    }
}

/// `GET /me/v1/export`
struct Export;

/// The classes of which a copy holds values in clear: about each of them the policies are asked.
const IN_CLEAR: [Class; 3] = [Class::Interaction, Class::Special, Class::Payment];

impl Route for Export {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/export";
    const WHAT: &'static str = "Everything that is kept of one, readable and for programs, as a zip";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for Export {
    type Act = act::Export;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Value, Problem> {
        Ok(Value { of: own(api, who)?, class: Class::Identity, kind: None })
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        exported(api, &noted, &who).await
    }
}
/// The copy of everything that is kept of one, on its way. About the classes that are in it in clear the policies are asked too.
pub(in crate::api) async fn exported<T: Serialize>(
    api: &Api,
    noted: &Noted<act::Export>,
    who: &Who,
) -> Result<Reply<T>, Problem> {
    let of = noted.target().of.clone();
    for class in IN_CLEAR {
        let value = Value { of: of.clone(), class, kind: None };
        let _noted = note::<act::Export>(api, who, value, Stated::default()).await?;
    }
    let (gate, customer) = (std::sync::Arc::clone(&api.gate), of.customer);
    // A few conversations ahead of whoever takes it, and no further.
    let (send, mut pieces) = mpsc::channel(4);
    let done = tokio::spawn(async move { gate.exported(customer, send).await });
    // An error breaks the answer off, so that nobody takes half a copy for a whole one.
    let end = futures_util::stream::once(async move {
        match done.await {
            Ok(Ok(())) => Ok(bytes::Bytes::new()),
            _ => Err(std::io::Error::other("the copy could not be made")),
        }
    });
    let pieces = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
    let body = Body::from_stream(pieces.map(Ok).chain(end));
    Ok(Reply::stream("application/zip", body)
        .header(http::header::CONTENT_DISPOSITION, "attachment; filename=\"my-data.zip\""))
}

/// Whether one's data is frozen.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Frozen {
    /// Whether nobody of the house may look at it.
    restricted: bool,
}

/// Where one stands now.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::api) struct StandingShown {
    /// How often it changed.
    pub(in crate::api) revision: u64,
}

/// `PUT /me/v1/restriction`
struct Restrict;

impl Route for Restrict {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/me/v1/restriction";
    const WHAT: &'static str = "Freeze one's data, so that nobody of the house may look at it, or end that";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Frozen;
    type Answer = StandingShown;
}

impl Asks for Restrict {
    type Act = act::Restrict;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let change = Change::Restrict(call.body.restricted);
        let revision = api.gate.restand(noted.target().customer, &change).await?;
        Ok(Reply::json(StandingShown { revision }))
    }
}

/// A value in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfValue {
    /// `conv_…`
    conversation: String,
    /// Its placeholder: `EMAIL_1`.
    label: String,
}

/// What a value really is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct RightValue {
    /// At most 500 characters.
    #[schemars(with = "String", length(min = 1, max = 500))]
    pub(in crate::api) value: crate::identity::secret::SecretText,
}

/// A value of one's own that is to be corrected. Another's is told like one that never was.
pub(in crate::api) async fn correctable(
    api: &Api,
    who: &Who,
    conversation: &str,
    label: &str,
) -> Result<Value, Problem> {
    let unknown = || Problem::new(Code::NotFound);
    let own = own(api, who)?;
    let gate = &api.gate;
    let id: ConversationId = conversation.parse().map_err(|_| unknown())?;
    let known = gate.store.conversation(&gate.tenant, id).await.map_err(Failed::from)?.ok_or_else(unknown)?;
    if known.customer != own.customer && gate.claimed_by(known.customer).await? != Some(own.customer) {
        return Err(unknown());
    }
    let listed = gate.listed(&known).await?;
    let (_, class, kind) = listed.into_iter().find(|(known, ..)| known == label).ok_or_else(unknown)?;
    Ok(Value { of: own, class, kind: Some(kind) })
}

/// `PUT /me/v1/conversations/{conversation}/values/{label}`
struct Correct;

impl Route for Correct {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/me/v1/conversations/{conversation}/values/{label}";
    const WHAT: &'static str =
        "Put the right value in place of a wrong one; the placeholder stands for it from now on";
    const STATUS: u16 = 204;
    type Path = OfValue;
    type Query = Nothing;
    type Body = RightValue;
    type Answer = ();
}

impl Asks for Correct {
    type Act = act::Correct;

    async fn target(api: &Api, who: &mut Who, call: &Call<Self>) -> Result<Value, Problem> {
        correctable(api, who, &call.path.conversation, &call.path.label).await
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let id: ConversationId = call.path.conversation.parse().map_err(|_| Problem::new(Code::NotFound))?;
        let customer = noted.target().of.customer;
        api.gate.correct(customer, id, &call.path.label, call.body.value.expose()).await?;
        Ok(Reply::json(()))
    }
}

/// `POST /me/v1/erase`
struct EraseMe;

impl Route for EraseMe {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/me/v1/erase";
    const WHAT: &'static str = "Destroy one's key and delete all that is kept of one; there is no way back. A certificate comes back";
    type Path = Nothing;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Asks for EraseMe {
    type Act = act::Erase;

    async fn target(api: &Api, who: &mut Who, _call: &Call<Self>) -> Result<Record, Problem> {
        own(api, who)
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        _who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let customer = noted.target().customer;
        let slot = api.directory.slot_of(customer).await?.ok_or(Code::CustomerNotFound)?;
        Ok(Reply::json(api.gate.erase_with_proof(customer, slot).await?.document))
    }
}

/// `GET /me/v1/certificates/{id}`
struct Certificate;

impl Route for Certificate {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/me/v1/certificates/{id}";
    const WHAT: &'static str = "The certificate of an erasure";
    type Path = OfRequest;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = serde_json::Value;
}

impl Open for Certificate {
    const WHY: &'static str =
        "who was erased cannot sign in any more; the id is known to them alone, and nobody is named.";

    async fn answer(
        api: &Api,
        _browser: super::super::Browser,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(Reply::json(api.gate.fetch_certificate(&call.path.id).await?))
    }
}
