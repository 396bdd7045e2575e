//! The table of expected answers: every route × whoever may come × own and another house's ids × a fresh and a stale second
//! factor, asked over real sockets. What is expected stands in `doors.tsv`; a route that does not stand there fails.
//!
//! `CHATWARD_WRITE_DOORS=1` writes the table anew out of what is answered. Whoever does that reads the difference: the rules
//! below hold for any table, and say nothing of who is to be let in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use chatward::alerts::Alert;
use chatward::api::{Door, Entry, tables};
use chatward::directory::Glass;
use chatward::identity::Role;
use chatward::identity::secret::SecretText;
use chatward::identity::service::Scope;
use chatward::identity::session::Need;
use chatward_message::{
    AccountId, Action, ConversationId, CustomerId, Event, Facts, KeySlot, Place, Purposes, Severity,
    SignInfo, Subject, Threat, TurnId,
};
use chatward_policy::access::{self, Purpose};
use chatward_store::OpenTurn;
use chatward_store::record::{Changes, Put, Record, RecordKind};
use http::Method;
use serde_json::{Value, json};

use super::admin::{Wrote, wrote};
use super::harness::{Answer, Bot};
use super::inside::{At, Somebody, Within};

const FILE: &str = "tests/program/doors.tsv";
/// Longer than a second factor is fresh, shorter than a session waits.
const STALE: u64 = 11 * 60;

/// Whoever comes.
#[derive(Clone)]
enum Who {
    /// With a session.
    Person(Somebody),
    /// With this as `Authorization`.
    Key(String),
    /// With nothing.
    Nobody,
}

/// Whose ids are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Own,
    Foreign,
    /// Ids that never were: told like another house's, to the byte.
    Missing,
}

/// Ids that another house's rows have, or no row.
struct Ids {
    account: String,
    service: String,
    glass: String,
    customer: String,
    conversation: String,
    turn: String,
    request: String,
    incident: String,
}

impl Ids {
    fn of(n: u8) -> Self {
        let hex = format!("{n:02x}").repeat(16);
        let id = |sort: &str| format!("{sort}_{hex}");
        Self {
            account: id("acct"),
            service: id("svc"),
            glass: id("glass"),
            customer: id("cust"),
            conversation: id("conv"),
            turn: id("turn"),
            request: hex.clone(),
            incident: hex,
        }
    }
}

/// Puts rows of another house into the store.
async fn foreign(house: &Within) -> Ids {
    const N: u8 = 0xab;
    let gate = &house.inside.gate;
    let tenant: chatward_message::TenantId = "other".parse().unwrap();
    let (slot, key) = gate.vault.fresh_customer().await.unwrap();
    let sealed = |table: &'static str| {
        let place = Place { tenant: &tenant, table, column: "x", row: &[N] };
        gate.vault.seal(&key, place, b"another house's").unwrap()
    };
    let at = gate.clock.now();
    let event = Event {
        at,
        tenant: tenant.clone(),
        action: Action::TurnOpened,
        turn: None,
        subject: None,
        facts: Facts::default(),
    };
    let opened = OpenTurn {
        tenant: tenant.clone(),
        turn: TurnId::from_bytes([N; 16]),
        conversation: ConversationId::from_bytes([N; 16]),
        customer: CustomerId::from_bytes([N; 16]),
        slot,
        upstream: "bot".into(),
        at,
        purposes: Purposes::SERVICE,
        standing: 0,
        issued: None,
        received: sealed("turns"),
        event,
    };
    gate.store.open_turn(opened).await.unwrap();
    let record = |kind| record(kind, N, slot, sealed("records"));
    let puts = [
        RecordKind::Account,
        RecordKind::Service,
        RecordKind::BreakGlass,
        RecordKind::Incident,
        RecordKind::Waiting,
    ];
    let puts = puts.map(record).into();
    let (removals, events, about, standing) = (Vec::new(), Vec::new(), None, None);
    let changes = Changes { tenant, removals, puts, events, about, standing };
    gate.store.change(changes).await.unwrap();
    Ids::of(N)
}

fn record(kind: RecordKind, n: u8, slot: KeySlot, sealed: chatward_message::Sealed) -> Put {
    let id = vec![n; 16].into();
    let purposes = Purposes::SERVICE;
    let record = Record { kind, id, revision: 1, slot, customer: None, until: None, purposes, sealed };
    Put { record, was: None, handles: Some(Vec::new()) }
}

/// What a request is about: made anew for each, so that none finds what another left.
async fn fresh_ids(house: &Within, own: &Wrote, request: &str, entry: &Entry) -> Ids {
    let directory = house.directory();
    let by = directory.operator().unwrap();
    let mut ids = Ids::of(0);
    ids.customer = own.customer.clone();
    ids.conversation = own.conversation.clone();
    ids.turn = own.turn.clone();
    ids.request = request.to_owned();
    if ["/lock", "/unlock", "/custodian"].iter().any(|deed| entry.path.ends_with(deed)) {
        ids.account = house.active().await.to_string();
    } else if entry.path.starts_with("/admin/v1/staff/{id}") {
        let name = format!("colleague {}", house.next());
        let (account, _) = directory.invite(&by, &name, [Role::Trainer].into()).await.unwrap();
        ids.account = account.id().to_string();
    } else if entry.path.starts_with("/admin/v1/programs/{id}") {
        ids.service = program(house, Scope::List).await.0;
    } else if entry.path.starts_with("/admin/v1/break-glass/{id}") {
        let glass = Glass {
            customer: own.customer.parse().unwrap(),
            purpose: Purpose::Security,
            reason: SecretText::new("r"),
            ticket: SecretText::new("t"),
            requested_by: AccountId::from_bytes([3; 16]),
            requested: directory.now(),
            approved: None,
        };
        let kept = directory.ask_to_break_glass(glass, Subject::from_bytes([3; 16])).await.unwrap();
        ids.glass = kept.id.to_string();
    } else if entry.path.starts_with("/admin/v1/incidents/{id}") {
        ids.incident = incident(house).await;
    } else if entry.path.starts_with("/admin/v1/waiting/{id}") {
        ids.incident = waiting(house, own).await;
    } else if entry.path.ends_with("/erase") && entry.path.starts_with("/admin/") {
        ids.customer = house.new_customer().await.to_string();
    }
    ids
}

/// An incident that nobody looks after yet.
async fn incident(house: &Within) -> String {
    let info = SignInfo {
        id: "behaviour.test".into(),
        threat: Threat::Takeover,
        severity: Severity::High,
        tags: Box::new([]),
    };
    let mut alert = Alert::of_house(&info, house.directory().now());
    alert.subject = u64::from(house.next());
    let day = Duration::from_secs(24 * 60 * 60);
    let report = house.directory().count_alerts(&[alert], (day, day)).await.unwrap().unwrap();
    report.incident.to_string()
}

/// A message that nobody decided about yet.
async fn waiting(house: &Within, own: &Wrote) -> String {
    let gate = &house.inside.gate;
    let customer: CustomerId = own.customer.parse().unwrap();
    let slot = gate.store.customer(&gate.tenant, customer).await.unwrap().unwrap();
    let key = gate.vault.customer_key(slot).await.unwrap();
    let id = u128::from(house.next()).to_be_bytes();
    let says = json!({"turn": own.turn, "conversation": own.conversation, "bot": "bot", "at": 1, "state": "waiting",
        "against": [], "text": "t"});
    let place = Place { tenant: &gate.tenant, table: "records", column: "waiting", row: &id };
    let sealed = gate.vault.seal(&key, place, says.to_string().as_bytes()).unwrap();
    let Put { mut record, was, handles } = record(RecordKind::Waiting, 0, slot, sealed);
    (record.id, record.customer) = (id.into(), Some(customer));
    let (tenant, puts) = (gate.tenant.clone(), vec![Put { record, was, handles }]);
    let (removals, events, about, standing) = (Vec::new(), Vec::new(), None, None);
    gate.store.change(Changes { tenant, removals, puts, events, about, standing }).await.unwrap();
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A request that a customer filed.
async fn requested(house: &Within) -> String {
    let customer = house.customers(1).await.remove(0);
    let body = json!({"right": "access"});
    let filed = house.by(&customer, At::Public, Method::POST, "/me/v1/requests", &[], Some(&body)).await;
    filed.json()["id"].as_str().unwrap().to_owned()
}

/// A program with a key of this scope: its id, the key.
async fn program(house: &Within, scope: Scope) -> (String, String) {
    let directory = house.directory();
    let by = directory.operator().unwrap();
    let made = directory.make_program("reports", &by).await.unwrap();
    let day = 24 * 60 * 60_000;
    let (service, token) = directory
        .change_program(made.id(), |service, with| service.make_key([scope].into(), day, &by, with))
        .await
        .unwrap();
    (service.id().to_string(), token.expose().to_owned())
}

/// The path and body of a request. Whatever can be stated is stated, so that what decides is who asks.
async fn filled(house: &Within, entry: &Entry, ids: &Ids) -> (String, Option<Value>) {
    let id = if entry.path.contains("/staff/") {
        &ids.account
    } else if entry.path.contains("/programs/") {
        &ids.service
    } else if entry.path.contains("/break-glass/") {
        &ids.glass
    } else if entry.path.contains("/incidents/") || entry.path.contains("/waiting/") {
        &ids.incident
    } else if entry.path.contains("/requests/") || entry.path.contains("/certificates/") {
        &ids.request
    } else if entry.path.contains("/turns/") || entry.path.contains("/messages/") {
        &ids.turn
    } else if entry.path.contains("/conversations/") {
        &ids.conversation
    } else {
        &ids.customer
    };
    let mut path = entry.path.replace("{id}", id).replace("{name}", "processing");
    path = path.replace("{purpose}", "service").replace("{label}", "EMAIL_1");
    path = path
        .replace("{conversation}", &ids.conversation)
        .replace("{guide}", "consent")
        .replace("{page}", "data");
    if path.contains("{key}") {
        let service = house.directory().programs().await.unwrap();
        let of = service.iter().find(|service| service.id().to_string() == ids.service);
        let hash = of.map_or([0; 8], |of| of.keys()[0].hash().as_bytes()[..8].try_into().unwrap());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        path = path.replace("{key}", &hex);
    }
    let why = json!({"reason": "r", "ticket": "t"});
    let body = match (entry.method.as_str(), entry.path) {
        ("GET", "/admin/v1/customers") => {
            write!(path, "?customer={}&purpose=security", ids.customer).unwrap();
            None
        }
        ("GET", "/admin/v1/customers/{id}" | "/admin/v1/turns/{id}/received" | "/admin/v1/waiting/{id}") => {
            path.push_str("?purpose=security");
            None
        }
        ("GET", "/admin/v1/requests/{id}" | "/admin/v1/customers/{id}/consents") => {
            path.push_str("?purpose=privacy-request&ticket=t");
            None
        }
        ("GET", _) => None,
        (_, "/privacy/consents") => Some(json!({"purpose": "service", "agreed": "yes"})),
        (_, "/privacy/requests") => Some(json!({"right": "access"})),
        (_, "/privacy/requests/{id}") => Some(json!({"text": "hello"})),
        (_, "/privacy/data/freeze") => Some(json!({"frozen": "no"})),
        (_, "/privacy/data/correct") => {
            Some(json!({"conversation": ids.conversation, "label": "EMAIL_1", "value": "a@b.example"}))
        }
        (_, "/privacy/verify") => Some(json!({"document": "{}"})),
        (_, "/privacy/guides/try") => Some(json!({"text": "hello"})),
        (_, "/privacy/open") => Some(json!({"code": "x", "to": "data"})),
        (_, "/me/v1/consents/{purpose}") => Some(json!({"agreed": true})),
        (_, "/me/v1/flags") => Some(json!({"turn": ids.turn, "reason": "other"})),
        (_, "/admin/v1/conversations/{id}/handover") => Some(json!({"to": "person", "purpose": "support"})),
        (_, "/admin/v1/conversations/{id}/messages") => Some(json!({"text": "hello", "purpose": "support"})),
        (_, "/me/v1/requests") => Some(json!({"right": "access"})),
        (_, "/me/v1/requests/{id}/messages") => Some(json!({"text": "hello"})),
        (_, "/me/v1/restriction") => Some(json!({"restricted": false})),
        (_, "/me/v1/conversations/{conversation}/values/{label}") => Some(json!({"value": "a@b.example"})),
        (_, "/admin/v1/requests/{id}/steps") => {
            Some(json!({"step": "begin", "purpose": "privacy-request", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/customers/{id}/restriction") => {
            Some(json!({"restricted": false, "purpose": "privacy-request", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/customers/{id}/hold") => {
            Some(json!({"until": null, "purpose": "privacy-request", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/staff") => {
            let name = format!("newcomer {}", house.next());
            Some(json!({"name": name, "roles": ["trainer"], "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/staff/{id}/roles") => {
            Some(json!({"roles": ["analyst"], "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/programs") => Some(json!({"name": "p", "reason": "r", "ticket": "t"})),
        ("POST", "/admin/v1/programs/{id}/keys") => {
            Some(json!({"scopes": ["list"], "days": 1, "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/customers/{id}/erase") => {
            Some(json!({"purpose": "privacy-request", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/break-glass") => {
            let customer = &ids.customer;
            Some(json!({"customer": customer, "purpose": "security", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/reveals") => {
            let (customer, conversation) = (&ids.customer, &ids.conversation);
            Some(json!({"customer": customer, "conversation": conversation, "label": "EMAIL_1",
                "purpose": "security", "reason": "r", "ticket": "t"}))
        }
        (_, "/admin/v1/incidents/{id}/acknowledge") => {
            Some(json!({"why": "w", "until": house.clock_millis() + 60_000}))
        }
        (_, "/admin/v1/waiting/{id}/decision") => {
            Some(json!({"decision": "let-go", "purpose": "security", "reason": "r"}))
        }
        (_, "/admin/v1/incidents/{id}/close") => Some(json!({"why": "w", "outcome": "unclear"})),
        (_, "/admin/v1/statistics") => {
            let question = json!({"measures": ["turns"], "weeks": 1, "epsilon": "0.01"});
            Some(json!({"question": question, "purpose": "analytics", "reason": "r"}))
        }
        (_, "/admin/v1/exports") => Some(json!({"purpose": "analytics", "reason": "r"})),
        (_, "/admin/v1/policies/try") => Some(json!({"recorded": []})),
        (_, path) if !matches!(entry.door, Door::Asks(_)) => Some(of_account(house, &entry.method, path)),
        (_, path) if path.starts_with("/admin/v1/staff/") || path.starts_with("/admin/v1/programs/") => {
            Some(why)
        }
        _ => Some(json!({})),
    };
    (path, body)
}

/// What is sent to routes about one's own account: well-formed, and nothing that signs in.
fn of_account(house: &Within, method: &Method, path: &str) -> Value {
    let ends = |all: &[&str]| all.iter().any(|end| path.ends_with(end));
    let name = format!("newcomer {}", house.next());
    if *method == Method::DELETE {
        json!({})
    } else if ends(&["sign-in/password", "/staff/sign-in", "/account/sign-in"]) {
        json!({"name": "nobody here", "password": "nobody has set this one"})
    } else if ends(&["sign-in/recovery-code", "/help"]) {
        json!({"name": "nobody here", "code": "aaaa-aaaa-aaaa-aaaa"})
    } else if ends(&["step-up/app", "app/confirm", "step-up/recovery-code", "/v1/app"]) {
        json!({"code": "000000"})
    } else if ends(&["/invitation", "sign-in/host"]) {
        json!({"token": "cwi_none"})
    } else if ends(&["/sign-up", "/me/v1/account"]) {
        json!({"name": name})
    } else if ends(&["/password"]) {
        json!({"password": "eleven green herons wade"})
    } else if ends(&["passkeys/remove", "devices/sign-out"]) {
        json!({"id": "none"})
    } else {
        json!({})
    }
}

/// Whether a route names anything that could be another's.
fn names_things(entry: &Entry) -> bool {
    let by_body = ["/admin/v1/reveals", "/admin/v1/break-glass", "/admin/v1/customers"];
    ["{name}", "{purpose}", "{guide}", "{page}"]
        .iter()
        .fold(entry.path.to_owned(), |path, part| path.replace(part, ""))
        .contains('{')
        || (by_body.contains(&entry.path)
            && (entry.method == Method::POST || entry.path == "/admin/v1/customers"))
}

async fn ask(house: &Within, who: &Who, at: At, entry: &Entry, ids: &Ids) -> Answer {
    let (path, body) = filled(house, entry, ids).await;
    let more: &[(&str, &str)] = if entry.method == Method::PUT { &[("if-match", "\"1\"")] } else { &[] };
    let method = entry.method.clone();
    match who {
        Who::Person(person) => house.by(person, at, method, &path, more, body.as_ref()).await,
        Who::Key(key) => {
            let headers = [&[("authorization", key.as_str())], more].concat();
            house.plain(at, method, &path, &headers, body.as_ref()).await
        }
        Who::Nobody => house.plain(at, method, &path, more, body.as_ref()).await,
    }
}

/// An answer as it stands in the table: the status, and of a refusal code and reason.
fn word(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let part = |name: &str| body[name].as_str().map(|text| format!("/{text}")).unwrap_or_default();
    if answer.status / 100 == 3 {
        return format!("{} {}", answer.status, answer.header("location"));
    }
    if answer.status < 400 {
        answer.status.to_string()
    } else {
        format!("{}{}{}", answer.status, part("code"), part("reason"))
    }
}

type Key = (String, String);
/// Own fresh, own stale, another house's fresh, another house's stale; `-` where a route names nothing.
type Cells = [String; 4];

struct Walk<'a> {
    house: &'a Within,
    own: Wrote,
    /// A customer's request.
    request: String,
    foreign: Ids,
    /// For what may end a session, or change what signs in: somebody new each time.
    spare: (Vec<Somebody>, Vec<Somebody>),
    table: BTreeMap<Key, Cells>,
}

/// Whether a route may end the session of whoever asks, or change what signs in: signing in anew ends it too.
fn changes_oneself(entry: &Entry) -> bool {
    (!matches!(entry.door, Door::Asks(_)) && entry.method != Method::GET)
        || ["/me/v1/erase", "/privacy/erase"].contains(&entry.path)
}

/// Whether anybody may use it, also with the other listener's session.
fn is_open(entry: &Entry) -> bool {
    matches!(entry.door, Door::Open(_))
}

/// Who else comes: their names in the table of routes about one's own account, where roles and scopes make no difference.
fn plain(name: &str) -> Option<&str> {
    match name {
        "trainer" => Some("staff"),
        "program:list" => Some("program"),
        "customer" | "first-token" | "first-token-after" | "api-key" | "nobody" => Some(name),
        _ => None,
    }
}

impl Walk<'_> {
    /// People who are there for one request each.
    async fn more(&mut self) {
        let [public, private] = tables();
        let count = |here: &[Entry], there: &[Entry]| {
            let harmed = here.iter().filter(|entry| changes_oneself(entry)).count();
            harmed + there.iter().filter(|entry| changes_oneself(entry) && is_open(entry)).count()
        };
        let trainer: &[Role] = &[Role::Trainer];
        let customers = self.house.customers(count(&public, &private)).await;
        let staff = self.house.staff(&vec![trainer; count(&private, &public)]).await;
        self.spare = (staff, customers);
    }

    /// Asks every route as everybody.
    async fn all(&mut self, people: &[(&str, Who)], stale: bool) {
        let [public, private] = tables();
        let sides = [(At::Public, public), (At::Private, private)];
        for (at, entries) in &sides {
            for entry in entries {
                for (name, who) in people {
                    let asks = matches!(entry.door, Door::Asks(_));
                    let Some(name) = (if asks { Some(*name) } else { plain(name) }) else { continue };
                    let harmed = changes_oneself(entry);
                    let another = match (at, name) {
                        (At::Private, "staff") if harmed => self.spare.0.pop(),
                        (At::Public, "customer") if harmed => self.spare.1.pop(),
                        (_, "staff") if harmed && is_open(entry) => self.spare.0.pop(),
                        (_, "customer") if harmed && is_open(entry) => self.spare.1.pop(),
                        _ => None,
                    };
                    let who = another.map_or_else(|| who.clone(), Who::Person);
                    self.one(*at, entry, name, &who, stale).await;
                }
            }
        }
    }

    async fn one(&mut self, at: At, entry: &Entry, name: &str, who: &Who, stale: bool) {
        let side = if at == At::Public { "public" } else { "private" };
        let key = (format!("{side} {} {}", entry.method, entry.path), name.to_owned());
        let named = names_things(entry);
        let mut found: BTreeMap<&str, (String, Answer)> = BTreeMap::new();
        for whose in [Whose::Own, Whose::Foreign, Whose::Missing] {
            if whose != Whose::Own && !named {
                continue;
            }
            let ids = match whose {
                Whose::Own => fresh_ids(self.house, &self.own, &self.request, entry).await,
                Whose::Foreign => Ids { ..copy(&self.foreign) },
                Whose::Missing => Ids::of(0xcd),
            };
            let answer = ask(self.house, who, at, entry, &ids).await;
            assert!(answer.status < 500, "{key:?} {whose:?}: {}", answer.text());
            let label = match whose {
                Whose::Own => "own",
                Whose::Foreign => "foreign",
                Whose::Missing => "missing",
            };
            found.insert(label, (word(&answer), answer));
        }
        if let (Some((_, foreign)), Some((_, missing))) = (found.get("foreign"), found.get("missing")) {
            assert_eq!(
                (foreign.status, foreign.text()),
                (missing.status, missing.text()),
                "{key:?}: another house's is told like what never was"
            );
        }
        let cell = |label: &str| found.get(label).map_or_else(|| "-".to_owned(), |(word, _)| word.clone());
        let row = self.table.entry(key).or_default();
        let step = usize::from(stale);
        row[step] = cell("own");
        row[2 + step] = cell("foreign");
    }
}

fn copy(ids: &Ids) -> Ids {
    Ids {
        account: ids.account.clone(),
        service: ids.service.clone(),
        glass: ids.glass.clone(),
        customer: ids.customer.clone(),
        conversation: ids.conversation.clone(),
        turn: ids.turn.clone(),
        request: ids.request.clone(),
        incident: ids.incident.clone(),
    }
}

async fn walk() -> BTreeMap<Key, Cells> {
    let bot = Bot::new().await;
    // Before anybody can administer the house.
    let house = Within::new(&bot).await;
    let (own, elsewhere) = (wrote(&house, "sk-own").await, foreign(&house).await);
    let request = requested(&house).await;
    let spare = Default::default();
    let mut walk = Walk { house: &house, own, request, foreign: elsewhere, spare, table: BTreeMap::new() };
    let first = [("first-token", Who::Key(house.bootstrap()))];
    walk.all(&first, false).await;
    house.clock.wait(STALE);
    walk.all(&first, true).await;
    let mut table = walk.table;
    house.inside.stop().await.unwrap();

    let house = Within::new(&bot).await;
    let (own, elsewhere) = (wrote(&house, "sk-own").await, foreign(&house).await);
    let request = requested(&house).await;
    let roles: Vec<Vec<Role>> = Role::ALL.iter().map(|role| vec![*role]).chain([Vec::new()]).collect();
    let roles: Vec<&[Role]> = roles.iter().map(Vec::as_slice).collect();
    let customer = house.customers(1).await.remove(0);
    let staff = house.staff(&roles).await;
    let names = Role::ALL.iter().map(|role| role.name()).chain(["no-role"]);
    let mut people: Vec<(&str, Who)> = names.zip(staff.into_iter().map(Who::Person)).collect();
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        keys.push((format!("program:{}", scope.name()), program(&house, *scope).await.1));
    }
    people.extend(keys.iter().map(|(name, key)| (name.as_str(), Who::Key(format!("Bearer {key}")))));
    people.push(("first-token-after", Who::Key(house.bootstrap())));
    people.push(("customer", Who::Person(customer)));
    people.push(("api-key", Who::Key("Bearer sk-other".to_owned())));
    people.push(("nobody", Who::Nobody));
    let spare = Default::default();
    let mut walk = Walk { house: &house, own, request, foreign: elsewhere, spare, table: BTreeMap::new() };
    walk.more().await;
    walk.all(&people, false).await;
    walk.more().await;
    house.clock.wait(STALE);
    walk.all(&people, true).await;
    table.extend(walk.table);
    house.inside.stop().await.unwrap();
    table
}

fn written(table: &BTreeMap<Key, Cells>) -> String {
    let mut text = String::from(
        "# route\twho\town, fresh factor\town, stale factor\tanother house's, fresh\tanother house's, stale\n",
    );
    for ((route, who), cells) in table {
        writeln!(text, "{route}\t{who}\t{}", cells.join("\t")).unwrap();
    }
    text
}

/// What holds whatever the table says.
fn rules(table: &BTreeMap<Key, Cells>) -> Vec<String> {
    let [public, private] = tables();
    let entries: Vec<(String, Entry)> = [("public", public), ("private", private)]
        .into_iter()
        .flat_map(|(side, all)| {
            all.into_iter().map(move |entry| (format!("{side} {} {}", entry.method, entry.path), entry))
        })
        .collect();
    let shipped = access::Rules::shipped().rules.unwrap();
    let mut faults = Vec::new();
    for ((route, who), [fresh, stale, other, other_stale]) in table {
        let entry = &entries.iter().find(|(name, _)| name == route).unwrap().1;
        // A page leads whoever is not let in to where one signs in.
        let away = |cell: &str| ["/sign-in", "/step-up", "/set-up"].iter().any(|page| cell.ends_with(page));
        let good = |cell: &str| cell.starts_with('2') || (cell.starts_with('3') && !away(cell));
        let mut rule = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{what}: {route} as {who}: {fresh} {stale} {other} {other_stale}"));
            }
        };
        rule(!good(other) && !good(other_stale), "another house's thing was reached");
        let has_account = ["staff", "customer"].contains(&who.as_str());
        if let Door::Own(need) = entry.door {
            rule(has_account || !fresh.starts_with('2'), "who has no account had something of one's own");
            rule(
                !matches!(need, Need::Fresh | Need::DeviceBound) || !stale.starts_with('2'),
                "a stale second factor was enough for one's own account",
            );
        }
        let Door::Asks(action) = entry.door else { continue };
        let lacks = ["nobody", "no-role", "first-token-after"].contains(&who.as_str());
        rule(!lacks || !good(fresh), "who is nothing was let in");
        rule(
            !who.starts_with("program:")
                || !good(fresh)
                || entry.method == Method::GET
                || route.ends_with("/try")
                // It spends from the budget, and changes nothing of anybody's.
                || matches!(action, access::Action::Statistics | access::Action::ExportAnalytics),
            "a program changed something",
        );
        let steps_up = ![
            access::Action::List,
            access::Action::PolicyRead,
            access::Action::AuditRead,
            access::Action::AccessReview,
            // Nothing is shown by them.
            access::Action::Consent,
            access::Action::Request,
            access::Action::HandOver,
            access::Action::IncidentRead,
        ]
        .contains(&action);
        let actor = |roles: BTreeSet<Role>| access::ActorFacts::Staff {
            id: AccountId::from_bytes([1; 16]),
            tenant: chatward_message::TenantId::default_tenant(),
            roles,
        };
        if let Some(role) = Role::named(who) {
            let rights = access::rights(&shipped, &actor([role].into()), Some(action), None);
            rule(!(good(fresh) && rights.is_empty()), "let in without a right");
        }
        let is_person = Role::ALL.iter().any(|role| role.name() == who) || who == "customer";
        rule(!(steps_up && is_person && good(stale)), "a stale second factor was enough");
        rule(steps_up || good(fresh) == good(stale), "a look without a step-up asked for one");
    }
    faults
}

#[tokio::test]
async fn every_route_answers_everybody_as_the_table_says() {
    let found = walk().await;
    let faults = rules(&found);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let text = written(&found);
    if std::env::var_os("CHATWARD_WRITE_DOORS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), text.lines().collect());
    let missing =
        found.iter().filter(|line| !expected.contains(line)).map(|line| format!("answered: {line}"));
    let gone = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("expected: {line}"));
    let mut differing: Vec<String> = missing.chain(gone).collect();
    differing.sort_by_key(|line| line.split_once(": ").map(|(_, rest)| rest.to_owned()));
    assert!(differing.is_empty(), "{} lines differ:\n{}", differing.len(), differing.join("\n"));
    assert!(found.len() > 400, "{} lines", found.len());
}
