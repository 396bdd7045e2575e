//! The journey of a turn, in order.
//!
//! [`turn`] is one function read top to bottom: arrive, authenticate, consent, inspect, mask, policy, commit 1, bot, inspect
//! reply, restore, commit 2, answer. Each step makes a value that only its room can make, and the next step takes only
//! that. Nothing leaves before it is written down, and nothing is written down in clear.

mod answer;
mod erasing;
mod received;
mod shown;
mod told;
pub(crate) mod waiting;
mod whose;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use axum::body::Body;
use bytes::Bytes;
use chatward_detect::{Before, Context as About, Detector, Heeded, Text, Window};
use chatward_message::{
    Action, Class, Classes, Clock, Count, Destination, Event, Facts, Operator, Place, Purposes,
    Response as Done, Subject, TenantId, TurnId,
};
use chatward_policy::{Admitted, Basis, HandlingTable, InForce, Policy, Reason, Refused, TurnFacts};
use chatward_store::{CloseTurn, OpenTurn, Receipt, Store, StoreError, TurnState};
use chatward_vault::{Labels, Masked, Vault, VaultError, random_id};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::{Notify, Semaphore};

use crate::caller::{Caller, Callers, KeyedHash, Origin};
use crate::chat::ANSWERS_HEADER;
use crate::conduct::Who;
use crate::config::{Config, RefusalStyle};
use crate::files::{self, Files};
use crate::larger;
use crate::notice::Notice;
use crate::openai::{self, FieldKind, Problem, Request, Role};
use crate::problem::Code;
use crate::rights::telling::Recipient;
use crate::seeing::{Direction, Health, Metrics, RequestLine, Route, Stage, TraceContext};
use crate::threats::answer::Sight;
use crate::threats::{self, Look, Threats, Watched};
use crate::upstream::{Upstream, UpstreamError, Upstreams};
use crate::witness::Witness;

use answer::{Closing, StreamBody};
pub(crate) use received::WholeConversation;
pub(crate) use shown::Placed;
use told::Told;
pub(crate) use whose::Conversations;
use whose::{History, Names, Rooms};

/// The turn's id, on every reply.
pub const TURN_HEADER: HeaderName = HeaderName::from_static("chatward-turn");
/// How many values the bot did not see.
pub const PROTECTED_HEADER: HeaderName = HeaderName::from_static("chatward-protected");
/// Kinds that were removed and should not be sent at all (passwords, card codes).
pub const REMOVED_HEADER: HeaderName = HeaderName::from_static("chatward-removed");
/// Attacks that were recognised in the message or the answer, where the house wants the caller to know: `jailbreak; warn`.
pub const THREATS_HEADER: HeaderName = HeaderName::from_static("chatward-threats");

/// How often a turn is begun anew because another process was quicker.
const OVERTAKEN: u32 = 5;

/// What is in force for a turn: loaded once, so that a reload in its middle changes nothing.
pub struct Force {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The compiled rule set.
    pub detector: Arc<Detector>,
    /// The placeholder words of that rule set.
    pub labels: Arc<Labels>,
    /// What is done with findings.
    pub table: Arc<HandlingTable>,
    /// The same for messages whose special categories nothing allows to keep.
    pub table_without_special: Arc<HandlingTable>,
    /// Whether something is done with names in answers. If not, they are not looked for there: what may be a name would
    /// have to be held back until the next words tell.
    pub names_in_answers: bool,
    /// The rules by whose findings an answer changes: what may be one of theirs is held back in a pause too.
    pub heeded: Arc<Heeded>,
    /// The house's own callers.
    pub callers: Callers,
    /// The bots.
    pub upstreams: Upstreams,
    /// Who is told what became of a customer's data.
    pub recipients: Vec<Recipient>,
    /// What recognises attacks.
    pub threats: Threats,
    /// What looks into files.
    pub files: Arc<Files>,
}

impl Force {
    fn limits(&self) -> openai::Limits {
        let server = &self.config.server;
        openai::Limits { body: server.max_body_bytes, messages: server.max_messages, ..Default::default() }
    }

    /// The window through which a text of an answer is watched.
    pub(crate) fn answer_window(&self) -> Window {
        let (detector, about) = (Arc::clone(&self.detector), About::default());
        if self.names_in_answers { Window::new(detector, about) } else { Window::of_rules(detector, about) }
    }

    /// What is done with findings, depending on whether special categories may be kept.
    pub(crate) fn table_for(&self, special: bool) -> &Arc<HandlingTable> {
        if special { &self.table } else { &self.table_without_special }
    }

    /// On what basis this bot answers.
    fn basis_of(&self, upstream: &Upstream) -> Basis {
        let named = |bot: &&Arc<crate::config::Upstream>| bot.name == upstream.name;
        // Every bot comes from the configuration; should one not, only consent would do, and nobody gave it.
        self.config.upstreams.iter().find(named).map_or(Basis::Consent, |bot| bot.basis)
    }
}

impl Gate {
    /// Keyed hashes under the tenant's pepper. Should the pepper fail, a random one: then nothing matches anything.
    pub(crate) fn keyed(&self) -> impl KeyedHash + Copy + '_ {
        |tenant: &TenantId, purpose: &'static str, parts: &[&[u8]]| {
            self.vault.name_key(tenant, purpose, parts).unwrap_or_else(|_| random_id().unwrap_or_default())
        }
    }
}

/// Everything a turn needs, for as long as the program runs.
pub struct Gate {
    /// In whose house; one until tenants arrive.
    pub tenant: TenantId,
    /// Replaced whole on reload.
    pub force: ArcSwap<Force>,
    /// Keys and placeholders.
    pub vault: Vault,
    /// What is kept.
    pub store: Store,
    /// Decisions.
    pub policy: Policy,
    /// The privacy notice that was published last.
    pub published: ArcSwap<Notice>,
    /// Counters and timings.
    pub metrics: Arc<Metrics>,
    /// Whether the house is fit for work.
    pub health: Arc<Health>,
    /// Time is an argument.
    pub clock: Arc<dyn Clock>,
    /// Since when the program runs.
    pub started: Instant,
    /// Turns under way.
    pub(crate) open: AtomicU64,
    /// Places for turns that a larger model reads.
    pub(crate) readers: Arc<Semaphore>,
    /// Binds turn ids to their callers.
    pub(crate) turn_key: hmac::Key,
    pub(crate) conversations: Conversations,
    /// Answers of the chat page that are being given.
    pub(crate) running: crate::chat::Running,
    /// Wakes what deletes by itself.
    pub(crate) sweeper: Arc<Notify>,
    /// Where signs of attacks go.
    pub alerts: crate::alerts::Alerts,
    /// Wakes who tells recipients.
    pub(crate) teller: Arc<Notify>,
    /// Notes every renewal of the keys.
    pub(crate) witness: Witness,
    /// What feeds of threat intelligence list.
    pub intel: Arc<crate::intel::Intel>,
    /// How customers behave.
    pub conduct: crate::conduct::Conduct,
}

/// A request that arrived over a listener, its caller known.
#[derive(Clone)]
pub struct Arrival {
    /// Who speaks: only the authentication of `caller` makes it.
    pub caller: Caller,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The whole body, within its limit.
    pub body: Bytes,
    /// Who is to answer.
    pub to: To,
    /// The customer's own address, where the request comes from their browser.
    pub peer: Option<std::net::IpAddr>,
}

/// Who answers a message.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// The bot.
    #[default]
    Bot,
    /// Somebody of the house, in their own time: the message is kept, and goes to no bot.
    Person,
}

impl To {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Person => "person",
        }
    }
}

/// Stands in the place of a bot's name where a person answers. No bot can be called so.
pub(crate) const PERSON: &str = "(person)";

/// What went wrong in a turn: outside a code, inside the cause.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The request is not what the protocol says.
    #[error("the request was refused: {}", .0.code())]
    Request(Problem),
    /// A header or a name cannot be used, or the caller may not.
    #[error("{0}")]
    Told(Code),
    /// The policy says no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nothing can be written down.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// Keys fail.
    #[error("vault: {0}")]
    Vault(#[from] VaultError),
    /// The bot fails.
    #[error("bot: {0}")]
    Upstream(#[from] UpstreamError),
    /// A fault of ours.
    #[error("{0}")]
    Internal(&'static str),
}

impl From<Problem> for TurnError {
    fn from(problem: Problem) -> Self {
        Self::Request(problem)
    }
}

impl TurnError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Request(problem) => Code::of_request(problem),
            Self::Told(code) => *code,
            Self::Refused(refused) => Code::from(refused.reason()),
            Self::Store(error) => Code::from(error),
            Self::Vault(_) => Code::KeysUnavailable,
            Self::Upstream(error) => Code::from(error),
            Self::Internal(_) => Code::Internal,
        }
    }

    /// The error in the protocol's own shape, for the outside.
    fn edge(&self) -> Problem {
        match self {
            Self::Request(problem) => problem.clone(),
            // It may go on later: a program has to tell it from what never will.
            Self::Refused(refused) if refused.reason() != Reason::Held => {
                let code = Code::from(refused.reason());
                Problem::refused(format!("{}. {}", code.title(), code.advice()))
            }
            other => edge_problem(other.code()),
        }
    }
}

/// A code in the protocol's own error shape.
pub(crate) fn edge_problem(code: Code) -> Problem {
    Problem::from_code(code)
}

/// Takes one chat-completions request through the house and answers it. Every answer names its turn.
pub async fn turn(gate: &Arc<Gate>, arrival: Arrival) -> Response<Body> {
    match new_turn_id(gate, &arrival.caller) {
        Ok(turn) => turn_as(gate, turn, arrival).await,
        Err(error) => plain(error.edge().status(), error.edge().body()),
    }
}

/// The same under an id that [`turn_of_key`] made.
pub(crate) async fn turn_as(gate: &Arc<Gate>, turn: TurnId, mut arrival: Arrival) -> Response<Body> {
    let started = Instant::now();
    let mut failed = None;
    let trace = TraceContext::of(&arrival.headers).ok();
    if let Some(trace) = &trace {
        trace.write(&mut arrival.headers);
    }
    let mut response = match journey_of(gate, turn, arrival).await {
        Ok(response) => response,
        Err(error) => {
            let code = error.code();
            tracing::warn!(turn = %turn, code = code.as_str(), cause = %error, "turn failed");
            let problem = error.edge();
            let mut response = plain(problem.status(), problem.body());
            if let Some(seconds) = problem.retry_after() {
                response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            failed = Some(code);
            response
        }
    };
    name(&mut response, turn);
    if let Some(code) = failed {
        response.extensions_mut().insert(code);
    }
    let status = response.status().as_u16();
    gate.metrics.request(Route::ChatCompletions, status);
    if let Some(trace) = &trace {
        let (route, took, turn) = (Route::ChatCompletions, started.elapsed(), Some(turn));
        RequestLine { route, status, code: failed, took, turn, trace }.write();
    }
    response
}

/// Names the turn on its answer.
pub(crate) fn name(response: &mut Response<Body>, turn: TurnId) {
    if let Ok(id) = HeaderValue::from_str(&turn.to_string()) {
        response.headers_mut().insert(TURN_HEADER, id);
    }
}

/// The journey, begun anew where somebody else wrote to the same conversation or customer first (another process, or the
/// customer who changed what they agree to): nothing was written then, and nothing went to the bot.
async fn journey_of(gate: &Arc<Gate>, turn: TurnId, arrival: Arrival) -> Result<Response<Body>, TurnError> {
    for _ in 0..OVERTAKEN {
        match journey(gate, turn, &arrival).await {
            Err(TurnError::Store(error)) if error.was_overtaken() => {}
            done => return done,
        }
    }
    journey(gate, turn, &arrival).await
}

/// The journey itself.
// long: all steps of a turn in their order, read from top to bottom.
async fn journey(gate: &Arc<Gate>, turn: TurnId, arrival: &Arrival) -> Result<Response<Body>, TurnError> {
    let force = gate.force.load_full();
    let Arrival { caller, headers, body, to, peer } = arrival;

    // Arrive: size and shape. What we do not know stays as it is, byte for byte.
    let mut clock = Instant::now();
    let mut request = Request::parse(body.clone(), &force.limits())?;
    let upstream = force.upstreams.choose(request.model(), caller).map_err(TurnError::Told)?;

    // Files: nobody gets one that was not looked into.
    let files = files::of_request(gate, &force, &request).await?;

    // Whose conversation: ids count only inside the caller.
    let names = Names::of(gate, &force, (caller, headers), &request)?;
    let history = History::of(&request);
    let rooms = Rooms { gate, labels: &force.labels };
    let mut entered = gate.conversations.enter(rooms, &names, &history).await?;
    if !files.is_empty() {
        let subject = gate.vault.subject(&entered.state()?.key)?;
        files::tell(gate, Some(turn), (Some(subject), entered.id), &files).await?;
    }
    gate.metrics.overhead(Stage::Arrive, lap(&mut clock));

    // Consent: the purposes in force for this very message. The store takes it only while the customer stands where this was
    // looked at.
    let basis = force.basis_of(&upstream);
    let in_force = force.config.purposes.in_force(basis, entered.standing(), opted_out(headers));

    // Watch: attacks in what the customer wrote and in what documents and tools say.
    let look = Look { wish: &force.config.threats, intel: &gate.intel, now: gate.clock.now() };
    let mut watched = threats::doubt::watch(gate, &force, turn, look, request.fields()).await?;
    let sight = Sight::new(gate, &force, request.fields());
    let who = Who::of(gate, entered.id, names.is_named().then_some(entered.customer), *peer);
    let new = threats::new_of_customer(request.fields());
    let may_wait = force.config.threats.holds().then(|| {
        let name = waiting::Name::of(gate, (caller, &names), entered.id, request.fields());
        (name, threats::new_fields(request.fields()))
    });
    watched.take_out(&mut request);
    gate.metrics.overhead(Stage::Watch, lap(&mut clock));

    // Inspect: every text of the request, by a named rule set.
    let inspected = larger::inspect(gate, &force, turn, with_context(&mut request)).await?;
    watched.behaved(look, gate, who, &new, &inspected);
    watched.tell(gate, turn, &upstream.name, entered.id);
    let rules = Arc::clone(inspected.rules());
    let table = force.table_for(!in_force.special().is_empty());
    let handling = table.handle(inspected.texts().map(|(_, found)| found), Destination::Bot);
    gate.metrics.overhead(Stage::Inspect, lap(&mut clock));

    // Mask: every finding becomes what the handling table says.
    let (id, customer, scope) = (entered.id, entered.customer, entered.scope);
    let state = entered.state()?;
    let masked = gate.vault.mask(&gate.tenant, inspected, &handling, &mut state.table)?;
    gate.metrics.overhead(Stage::Mask, lap(&mut clock));

    // Policy: a decision with a reason.
    let found = masked.counts().to_vec();
    for count in &found {
        gate.metrics.findings(&count.kind, Direction::ToBot, u64::from(count.n));
    }
    let told = Told::of(&masked, &watched);
    let subject = gate.vault.subject(&state.key)?;
    let slot = state.slot;
    let key = state.key.clone();
    let mut response = watched.response(*caller.origin() == Origin::Page);
    let mut holding = None;
    if response == Done::Hold
        && let Some((name, new)) = may_wait
    {
        let stand = gate.stand_of(name).await?;
        response = stand.response();
        holding = stand.holding(&masked, &new, &watched.recognised());
    }
    let handed_over = *to == To::Bot && response == Done::HandOver;
    let to = if handed_over { To::Person } else { *to };
    let answerer = if to == To::Person { Arc::from(PERSON) } else { Arc::clone(&upstream.name) };
    let written = Written { turn, subject, answerer, in_force, rules, force: &force, watched };
    let decision = gate.policy.admit(TurnFacts { handling: &handling, in_force, response }, masked);
    gate.metrics.overhead(Stage::Policy, lap(&mut clock));
    let admitted = match decision {
        Ok(admitted) => admitted,
        Err(refused) => {
            let open = written.opening(gate, id, customer, slot, None, &key, &[], found)?;
            let style =
                if *caller.origin() == Origin::Page { RefusalStyle::Error } else { force.config.refusal };
            let refusal = Box::pin(refuse(gate, style, written, open, &request, refused)).await;
            if matches!(&refusal, Err(TurnError::Store(error)) if error.was_overtaken()) {
                entered.unload();
            } else if refused.reason() == Reason::Held
                && let Some(holding) = holding
            {
                gate.hold_back((turn, &upstream.name), (id, customer), holding).await?;
            }
            let mut response = refusal?;
            told.name_threats(response.headers_mut());
            return Ok(response);
        }
    };
    let outbound = fill(gate, (caller, &names), &request, admitted)?;

    // Commit 1: placeholders, what the bot will see (sealed) and the event become durable together.
    let issued = gate.vault.new_entries(&key, &gate.tenant, id, &mut state.table, table)?;
    let kept = kept_of(issued.as_ref(), &found);
    let open = written.opening(gate, id, customer, slot, issued, &key, outbound.get(), found)?;
    gate.hold_against_notice(kept, &upstream.name);
    let purposes = open.purposes;
    let restorer = state.table.restorer(scope, |_| true);
    let closing = Closing {
        gate: Arc::clone(gate),
        under_way: UnderWay::begin(gate),
        force: Arc::clone(&force),
        turn,
        subject,
        key,
        upstream: Arc::clone(&written.answerer),
        special: purposes.without(in_force.special()).is_empty(),
        restorer,
        sight,
        conversation: id,
        who,
        history: names.by_history().then_some((names, history.whole)),
    };
    // On a task of its own: a client that leaves now neither frees the conversation before its new placeholders are
    // durable nor leaves a turn open that nobody closes.
    let opening = {
        let gate = Arc::clone(gate);
        tokio::spawn(async move {
            match gate.store.open_turn(open).await {
                Ok(receipt) => {
                    drop(entered);
                    Ok((receipt, Unanswered(Some(closing))))
                }
                Err(error) => {
                    entered.unload();
                    Err(error)
                }
            }
        })
    };
    let (receipt, closing) = opening.await.map_err(|_| TurnError::Internal("commit 1 was stopped"))??;
    let took = lap(&mut clock);
    gate.metrics.overhead(Stage::Commit1, took);
    gate.metrics.commit(took);

    if to == To::Person {
        if handed_over {
            gate.hand_over(id, To::Person).await?;
        }
        let mut response = closing.take()?.for_a_person().await?;
        response.headers_mut().insert(ANSWERS_HEADER, HeaderValue::from_static(to.name()));
        told.write(response.headers_mut());
        return Ok(response);
    }

    // Bot: only what was admitted, and only with a receipt.
    let mut response = ask(&upstream, caller, headers, outbound, &receipt, request.stream(), closing).await?;
    told.write(response.headers_mut());
    Ok(response)
}

/// The classes of which something is kept: in the text itself, and behind placeholders.
fn kept_of(issued: Option<&chatward_store::IssuedRow>, found: &[Count]) -> Classes {
    let stays = |count: &&Count| {
        !count.operator.reversible() && !matches!(count.operator, Operator::Drop | Operator::Block)
    };
    let in_text: Classes = found.iter().filter(stays).map(|count| count.class).collect();
    let values = issued.map_or(Classes::NONE, |row| row.classes);
    Classes::from_bits(in_text.bits() | values.bits())
}

/// The bot is asked; from here on the answer closes the turn, whatever happens.
async fn ask(
    upstream: &Upstream,
    caller: &Caller,
    headers: &HeaderMap,
    outbound: Admitted<Bytes>,
    _durable: &Receipt,
    stream: bool,
    closing: Unanswered,
) -> Result<Response<Body>, TurnError> {
    let asked = Instant::now();
    let passed_on = *caller.origin() == Origin::PassedOn;
    let credential = passed_on.then(|| headers.get(http::header::AUTHORIZATION)).flatten();
    let reply = upstream.chat(credential, headers, outbound.into_inner(), stream).await;
    if let Some(closing) = &closing.0 {
        closing.gate.metrics.overhead(Stage::Bot, asked.elapsed());
    }
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            closing.take()?.failed(Code::from(&error)).await?;
            return Err(error.into());
        }
    };
    let (status, kept) = (reply.status, reply.headers.clone());
    let mut response = if status.is_success() && reply.is_event_stream() {
        let mut response = Response::new(Body::new(StreamBody::new(reply.into_body(), closing.take()?)));
        for (name, value) in openai::stream::HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    } else {
        let body = reply.collect().await;
        whole(status, body, closing.take()?).await?
    };
    for (name, value) in &kept {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    Ok(response)
}

/// Counts a turn as under way for as long as it lives.
pub(super) struct UnderWay(Arc<Gate>);

impl UnderWay {
    fn begin(gate: &Arc<Gate>) -> Self {
        gate.open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gate))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client that leaves before the bot's whole answer is here must not leave a turn half-made until the next start.
struct Unanswered(Option<Closing>);

impl Unanswered {
    fn take(mut self) -> Result<Closing, TurnError> {
        self.0.take().ok_or(TurnError::Internal("a turn was closed twice"))
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(closing) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(closing.abandoned());
        }
    }
}

/// A whole body of the bot: an answer, an error in the protocol's shape, or neither.
async fn whole(
    status: StatusCode,
    body: Result<Bytes, UpstreamError>,
    closing: Closing,
) -> Result<Response<Body>, TurnError> {
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            closing.failed(Code::from(&error)).await?;
            return Err(error.into());
        }
    };
    if status.is_success() {
        return match openai::Reply::parse(body) {
            Ok(reply) => {
                let (body, told) = closing.plain(reply).await?;
                let mut response = plain(status, body);
                told.name_threats(response.headers_mut());
                Ok(response)
            }
            Err(_) => {
                closing.failed(Code::UpstreamBadReply).await?;
                Err(TurnError::Told(Code::UpstreamBadReply))
            }
        };
    }
    match openai::Reply::parse_error(body) {
        Ok(reply) => Ok(plain(status, closing.error(reply).await?)),
        Err(_) => {
            closing.failed(Code::UpstreamError).await?;
            Err(TurnError::Request(Problem::from_upstream(status)))
        }
    }
}

/// What the opening event and row of a turn have in common.
struct Written<'a> {
    turn: TurnId,
    subject: Subject,
    /// The bot's name, or [`PERSON`].
    answerer: Arc<str>,
    in_force: InForce,
    rules: Arc<str>,
    force: &'a Force,
    watched: Watched,
}

impl Written<'_> {
    #[expect(clippy::too_many_arguments, reason = "one row, its columns")]
    fn opening(
        &self,
        gate: &Gate,
        conversation: chatward_message::ConversationId,
        customer: chatward_message::CustomerId,
        slot: chatward_message::KeySlot,
        issued: Option<chatward_store::IssuedRow>,
        key: &chatward_vault::CustomerKey,
        received: &[u8],
        found: Vec<Count>,
    ) -> Result<OpenTurn, TurnError> {
        let at = gate.clock.now();
        let place =
            Place { tenant: &gate.tenant, table: "turns", column: "received", row: self.turn.as_bytes() };
        let told = |count: &Count| count.class == Class::Special && count.operator == Operator::Pass;
        let purposes = if received.is_empty() {
            // That a message was refused is kept for answering, too; its text is not.
            self.in_force.purposes().or(Purposes::SERVICE)
        } else if found.iter().any(told) {
            // The text tells it: the whole of it is kept only for what allows that.
            self.in_force.special()
        } else {
            self.in_force.purposes()
        };
        let config = Some(Arc::clone(self.force.config.hash()));
        let facts = Facts { found, threats: self.watched.recognised(), config, ..self.facts() };
        Ok(OpenTurn {
            tenant: gate.tenant.clone(),
            turn: self.turn,
            conversation,
            customer,
            slot,
            upstream: Arc::clone(&self.answerer),
            at,
            purposes,
            standing: self.in_force.standing(),
            issued,
            received: gate.vault.seal(key, place, received)?,
            event: self.event(gate, Action::TurnOpened, facts),
        })
    }

    fn facts(&self) -> Facts {
        Facts {
            upstream: Some(Arc::clone(&self.answerer)),
            basis: Some(self.in_force.basis().for_service()),
            purposes: self.in_force.purposes(),
            standing: self.in_force.standing(),
            rules: Some(Arc::clone(&self.rules)),
            ..Facts::default()
        }
    }

    fn event(&self, gate: &Gate, action: Action, facts: Facts) -> Event {
        Event {
            at: gate.clock.now(),
            tenant: gate.tenant.clone(),
            action,
            turn: Some(self.turn),
            subject: Some(self.subject),
            facts,
        }
    }
}

/// A refusal walks the same last steps: it is written down, and then told.
async fn refuse(
    gate: &Gate,
    style: RefusalStyle,
    written: Written<'_>,
    open: OpenTurn,
    request: &Request,
    refused: Refused,
) -> Result<Response<Body>, TurnError> {
    let code = Code::from(refused.reason());
    gate.store.open_turn(open).await?;
    let facts = Facts { reason: Some(code.as_str()), ..written.facts() };
    gate.store
        .close_turn(CloseTurn {
            tenant: gate.tenant.clone(),
            turn: written.turn,
            at: gate.clock.now(),
            state: TurnState::Refused,
            reply: None,
            history_tags: Vec::new(),
            event: written.event(gate, Action::TurnRefused, facts),
        })
        .await?;
    gate.metrics.blocked(code);
    if style == RefusalStyle::Error {
        return Err(refused.into());
    }
    let text = format!("{}. {}", code.title(), code.advice());
    let id = format!("chatcmpl-{}", written.turn);
    let form =
        openai::Refused { id: &id, model: request.model(), created: gate.clock.now().0 / 1000, text: &text };
    if request.stream() {
        let mut response = plain(StatusCode::OK, form.events(request.include_usage()));
        for (name, value) in openai::stream::HEADERS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        return Ok(response);
    }
    Ok(plain(StatusCode::OK, form.body()))
}

/// Each text with what was said before it: a customer's bare "4577" is told by the bot's question, a value inside the
/// arguments of a tool by its key.
fn with_context(request: &mut Request) -> Vec<Text> {
    let mut asked = None;
    let before: Vec<Before> = request
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| match (field.role, field.kind) {
            (_, FieldKind::ToolArguments(_) | FieldKind::FunctionArguments) => {
                at.checked_sub(1).map_or(Before::Nothing, Before::Text)
            }
            (Role::Assistant, FieldKind::Content | FieldKind::Part(_)) => {
                asked = Some(at);
                Before::Nothing
            }
            (Role::User, _) => asked.map_or(Before::Nothing, Before::Text),
            _ => Before::Nothing,
        })
        .collect();
    request.take_texts().into_iter().zip(before).map(|(text, before)| Text { text, before }).collect()
}

/// Whether the browser says that nothing may be sold or shared (Global Privacy Control).
pub(crate) fn opted_out(headers: &HeaderMap) -> bool {
    headers.get("sec-gpc").is_some_and(|value| value.as_bytes() == b"1")
}

/// The body that may go to the bot: masked texts in their places, identifiers as keyed hashes.
fn fill(
    gate: &Gate,
    (caller, names): (&Caller, &Names),
    request: &Request,
    admitted: Admitted<Masked>,
) -> Result<Admitted<Bytes>, TurnError> {
    let keyed = gate.keyed();
    let hash = |key: &str, value: &str| {
        if let Some(name) = names.outside(gate, value) {
            return name;
        }
        let parts: [&[u8]; 3] = [caller.identity(), key.as_bytes(), value.as_bytes()];
        hex("cw_", &keyed.hash(&gate.tenant, "forwarded", &parts))
    };
    let body = request
        .fill(admitted.get().texts(), hash)
        .map_err(|_| TurnError::Internal("a request lost a text"))?;
    Ok(admitted.map(|_| body))
}

fn plain(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn hex(prefix: &str, bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(prefix.len() + bytes.len() * 2);
    text.push_str(prefix);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn lap(clock: &mut Instant) -> std::time::Duration {
    let now = Instant::now();
    let took = now.duration_since(*clock);
    *clock = now;
    took
}

/// 6 bytes of time (milliseconds), 5 random bytes, 5 bytes of an HMAC over these and the caller: the turn's owner can be
/// checked without a column, and ids that grow with time keep the store's indexes compact.
fn new_turn_id(gate: &Gate, caller: &Caller) -> Result<TurnId, TurnError> {
    let mut id = [0; 16];
    let [.., a, b, c, d, e, f] = gate.clock.now().0.to_be_bytes();
    let random: [u8; 5] = random_id().map_err(VaultError::from)?;
    if let Some(head) = id.first_chunk_mut::<11>() {
        let [g, h, i, j, k] = random;
        *head = [a, b, c, d, e, f, g, h, i, j, k];
    }
    if let Some((head, tail)) = id.split_at_mut_checked(11) {
        tail.copy_from_slice(&owner_mark(gate, caller, head));
    }
    Ok(TurnId::from_bytes(id))
}

/// The id of the turn that this caller names by a key of its own: the same each time, so that a message that is sent once more is
/// told from a new one without asking anywhere but for the turn itself.
pub(crate) fn turn_of_key(gate: &Gate, caller: &Caller, key: &crate::chat::Key) -> TurnId {
    let mut id = [0; 16];
    let mut input = b"message\0".to_vec();
    input.extend_from_slice(caller.identity());
    input.extend_from_slice(key.bytes());
    let mac = hmac::sign(&gate.turn_key, &input);
    let head = key.time_of_turn().into_iter().chain(mac.as_ref().iter().copied().take(5));
    id.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    if let Some((head, tail)) = id.split_at_mut_checked(11) {
        tail.copy_from_slice(&owner_mark(gate, caller, head));
    }
    TurnId::from_bytes(id)
}

/// The id of a request that does not become a turn (no caller, no body): random, so that its log line can be found.
pub(crate) fn stray_id() -> TurnId {
    TurnId::from_bytes(random_id().unwrap_or_default())
}

/// Whether this caller made this turn.
pub(crate) fn owns(gate: &Gate, caller: &Caller, turn: TurnId) -> bool {
    let Some((head, tail)) = turn.as_bytes().split_at_checked(11) else { return false };
    aws_lc_rs::constant_time::verify_slices_are_equal(tail, &owner_mark(gate, caller, head)).is_ok()
}

fn owner_mark(gate: &Gate, caller: &Caller, head: &[u8]) -> [u8; 5] {
    let mut input = head.to_vec();
    input.extend_from_slice(caller.identity());
    let mac = hmac::sign(&gate.turn_key, &input);
    mac.as_ref().first_chunk().copied().unwrap_or_default()
}
