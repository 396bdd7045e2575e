//! A house that serves inside of the test's own process, over real sockets: its clock is the test's, and its rooms can be
//! reached past every door.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use chatward::caller::NoRandom;
use chatward::cli::ServeArgs;
use chatward::directory::Directory;
use chatward::identity::password::{self, Cost, Hasher, ShippedList};
use chatward::identity::secret::{Secret, SystemRandom};
use chatward::identity::session::{Arrival, DeviceName, pre_session, session_cookie};
use chatward::identity::{Account, Role, SignedIn, With};
use chatward::serve::{Inside, Outside};
use chatward_message::{AccountId, Clock, CustomerId, SystemClock, UnixMillis};
use chatward_store::{Fault, FaultPoint, Faults};
use http::Method;
use serde_json::Value;
use tokio::net::TcpStream;

use super::harness::{Answer, Bot, Home, exchange, request, soon};

/// A clock that stands still until it is moved.
pub(crate) struct Hands(AtomicU64);

impl Hands {
    pub(crate) fn wait(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// Commits fail while it is told so.
#[derive(Default)]
pub(crate) struct Failing(pub(crate) AtomicBool);

impl fmt::Debug for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failing")
    }
}

impl Faults for Failing {
    fn at(&self, point: FaultPoint) -> Option<Fault> {
        let fails = point == FaultPoint::Commit && self.0.load(Ordering::SeqCst);
        fails.then_some(Fault::NotPersisted)
    }
}

/// The house.
pub(crate) struct Within {
    pub(crate) home: Home,
    pub(crate) inside: Inside,
    pub(crate) clock: Arc<Hands>,
    pub(crate) failing: Arc<Failing>,
    counter: AtomicU32,
}

/// Which listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Public,
    Private,
}

/// Somebody who is signed in, with a second factor shown at the moment of signing in.
#[derive(Clone)]
pub(crate) struct Somebody {
    pub(crate) account: AccountId,
    pub(crate) customer: Option<CustomerId>,
    cookie: String,
    form: String,
    app: totp_rs::Totp,
}

/// A password's hash that costs nothing: what it costs in earnest is tested elsewhere.
struct Quick;

impl Hasher for Quick {
    fn hash(&self, password: &[u8], salt: &[u8; 16], _: Cost) -> Result<Secret<32>, NoRandom> {
        let hash = digest(&SHA256, &[&salt[..], password].concat());
        Ok(Secret::copy_of(hash.as_ref().try_into().unwrap()))
    }
}

const PASSWORD: &str = "seven green herons wade";

fn browser() -> Arrival {
    let (_, pre_session) = pre_session(&mut SystemRandom).unwrap();
    Arrival { pre_session, session: None, device: DeviceName::of("Firefox/140 (X11; Linux)") }
}

/// Set up, and signed in but for the second factor.
struct Half {
    account: AccountId,
    customer: Option<CustomerId>,
    first: SignedIn,
    app: totp_rs::Totp,
}

impl Within {
    /// A house in front of this bot.
    pub(crate) async fn new(bot: &Bot) -> Self {
        Self::configured(bot, "").await
    }

    /// The same with this in its configuration, too.
    pub(crate) async fn configured(bot: &Bot, more: &str) -> Self {
        Self::with(Some(bot.url()), more).await
    }

    /// A house with the built-in bot, and so with the chat page.
    pub(crate) async fn with_page(more: &str) -> Self {
        Self::with(None, more).await
    }

    async fn with(upstream: Option<String>, more: &str) -> Self {
        let home = Home::new();
        home.configure(&format!(
            "{}{more}[identity]\npasswords = true\n[limits]\nper_address = 0\n",
            home.databases()
        ));
        let (clock, failing) = (Arc::new(Hands(AtomicU64::new(SystemClock.now().0))), Arc::default());
        let args = ServeArgs {
            data: Some(home.data()),
            keys: Some(home.keys()),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            private: Some("127.0.0.1:0".parse().unwrap()),
            upstream,
            config: Some(home.path("chatward.toml")),
            unsafe_plain_http: false,
        };
        let faults: Arc<Failing> = Arc::clone(&failing);
        let outside = Outside { clock: Arc::clone(&clock) as Arc<dyn Clock>, faults: Some(faults) };
        let inside = Inside::start(&args, &outside).await.unwrap();
        Self { home, inside, clock, failing, counter: AtomicU32::new(0) }
    }

    /// The same house after a stop and a start; its clock stands where it stood.
    pub(crate) async fn restarted(self) -> Self {
        let Self { home, inside, clock, failing, counter } = self;
        inside.stop().await.unwrap();
        let args = ServeArgs {
            data: Some(home.data()),
            keys: Some(home.keys()),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            private: Some("127.0.0.1:0".parse().unwrap()),
            config: Some(home.path("chatward.toml")),
            ..ServeArgs::default()
        };
        let outside = Outside { clock: Arc::clone(&clock) as Arc<dyn Clock>, faults: None };
        let inside = Inside::start(&args, &outside).await.unwrap();
        Self { home, inside, clock, failing, counter }
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.inside.directory
    }

    /// The time of the house, in milliseconds since 1970.
    pub(crate) fn clock_millis(&self) -> u64 {
        self.clock.now().0
    }

    /// A number that was not used yet.
    pub(crate) fn next(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::SeqCst)
    }

    /// Members of staff with these roles, all of whom have shown a second factor just now.
    pub(crate) async fn staff(&self, all: &[&[Role]]) -> Vec<Somebody> {
        let mut half = Vec::new();
        for roles in all {
            half.push(self.half_staff(roles.iter().copied().collect()).await);
        }
        self.stepped_up(half).await
    }

    /// So many customers with accounts, all of whom have shown a second factor just now.
    pub(crate) async fn customers(&self, n: usize) -> Vec<Somebody> {
        let mut half = Vec::new();
        for _ in 0..n {
            let name = format!("customer {}", self.next());
            let (account, first) = self.directory().sign_up(&name, &browser()).await.unwrap();
            let app = self.app(account.id(), &first).await;
            half.push(Half { account: account.id(), customer: account.customer(), first, app });
        }
        self.stepped_up(half).await
    }

    /// A customer with an account and nothing set up.
    pub(crate) async fn new_customer(&self) -> CustomerId {
        let name = format!("customer {}", self.next());
        let (account, _) = self.directory().sign_up(&name, &browser()).await.unwrap();
        account.customer().unwrap()
    }

    /// A member of staff who can sign in.
    pub(crate) async fn active(&self) -> AccountId {
        self.half_staff([Role::Trainer].into()).await.account
    }

    async fn half_staff(&self, roles: BTreeSet<Role>) -> Half {
        let (directory, arrival) = (self.directory(), browser());
        let by = directory.operator().unwrap();
        let (account, token) =
            directory.invite(&by, &format!("member {}", self.next()), roles).await.unwrap();
        let id = account.id();
        let (_, invited) = directory
            .change(id, |account, _, with| account.accept_invitation(token.expose(), &arrival, with))
            .await
            .unwrap();
        directory
            .change(id, |account, _, with| {
                account.set_password(PASSWORD, &invited.session, &Quick, &mut ShippedList, with)
            })
            .await
            .unwrap();
        let app = self.app(id, &invited).await;
        Half { account: id, customer: None, first: self.with_password(id).await, app }
    }

    async fn with_password(&self, id: AccountId) -> SignedIn {
        let arrival = browser();
        let work = |account: Account, _, with: &mut With<'_>| {
            let checked = password::check(Some(&account), PASSWORD, &Quick).unwrap();
            account.sign_in_with_password(checked, &arrival, with)
        };
        self.directory().change(id, work).await.unwrap().1
    }

    /// The same member of staff, signed in anew.
    pub(crate) async fn again(&self, who: &Somebody) -> Somebody {
        let first = self.with_password(who.account).await;
        let half = Half { account: who.account, customer: None, first, app: who.app.clone() };
        self.stepped_up(vec![half]).await.remove(0)
    }

    async fn app(&self, id: AccountId, first: &SignedIn) -> totp_rs::Totp {
        let directory = self.directory();
        let (_, setup) = directory
            .change(id, |account, _, with| account.begin_app("Shop", &first.session, with))
            .await
            .unwrap();
        let app = totp_rs::Totp::from_url(setup.uri.as_str()).unwrap();
        let code = app.generate(self.clock.now().0 / 1000).to_string();
        directory
            .change(id, |account, _, with| account.confirm_app(&code, &first.session, with))
            .await
            .unwrap();
        app
    }

    /// A code counts once: half a minute later there is another.
    async fn stepped_up(&self, all: Vec<Half>) -> Vec<Somebody> {
        self.clock.wait(30);
        let mut people = Vec::new();
        for Half { account, customer, first, app } in all {
            let code = app.generate(self.clock.now().0 / 1000).to_string();
            let (_, stepped) = self
                .directory()
                .change(account, |account, _, with| account.step_up_with_app(&code, &first.session, with))
                .await
                .unwrap();
            let cookie = format!("{}={}", session_cookie(customer.is_none()), stepped.token.expose());
            people.push(Somebody { account, customer, cookie, form: stepped.session.form_token(), app });
        }
        people
    }

    fn address(&self, at: At) -> SocketAddr {
        match at {
            At::Public => self.inside.public,
            At::Private => self.inside.private,
        }
    }

    /// One request, with these headers and no others.
    pub(crate) async fn plain(
        &self,
        at: At,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request(method, path, &headers, body);
        let socket = TcpStream::connect(self.address(at)).await.unwrap();
        soon("an answer", async { Answer::of(exchange(Box::new(socket), request).await).await }).await
    }

    /// One request of somebody's browser, from our own page.
    pub(crate) async fn by(
        &self,
        who: &Somebody,
        at: At,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let origin = format!("http://localhost:{}", self.address(at).port());
        let mut headers = vec![
            ("cookie", who.cookie.as_str()),
            ("origin", &origin),
            ("sec-fetch-site", "same-origin"),
            ("chatward-form", &who.form),
        ];
        headers.extend(more);
        self.plain(at, method, path, &headers, body).await
    }

    /// The cookie of the chat page, in a browser that opens it now.
    pub(crate) async fn page(&self) -> String {
        let page = self.plain(At::Public, Method::GET, "/chat", &[], None).await;
        page.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// A signed-in customer's message on the chat page, in a conversation of its own.
    pub(crate) async fn writes(&self, who: &Somebody, text: &str) -> Answer {
        self.writes_on(&self.page().await, who, text).await
    }

    /// The same on a page that is open already.
    pub(crate) async fn writes_on(&self, page: &str, who: &Somebody, text: &str) -> Answer {
        let answer = self.sends(page, who, text, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    /// The same, whatever is answered.
    pub(crate) async fn sends(
        &self,
        page: &str,
        who: &Somebody,
        text: &str,
        more: &[(&str, &str)],
    ) -> Answer {
        let cookies = format!("{}; {page}", who.cookie);
        let origin = format!("http://localhost:{}", self.address(At::Public).port());
        let mut headers =
            vec![("cookie", cookies.as_str()), ("origin", &origin), ("sec-fetch-site", "same-origin")];
        headers.extend(more);
        let body = serde_json::json!({ "text": text });
        self.plain(At::Public, Method::POST, "/chat/v1/messages", &headers, Some(&body)).await
    }

    /// What the page is told, with a customer signed in to it.
    pub(crate) async fn by_page(&self, page: &str, who: &Somebody, path: &str) -> Value {
        let cookies = format!("{}; {page}", who.cookie);
        let headers = [("cookie", cookies.as_str()), ("sec-fetch-site", "same-origin")];
        let answer = self.plain(At::Public, Method::GET, path, &headers, None).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// `GET` on the private listener.
    pub(crate) async fn get(&self, who: &Somebody, path: &str) -> Answer {
        self.by(who, At::Private, Method::GET, path, &[], None).await
    }

    /// `POST` on the private listener.
    pub(crate) async fn post(&self, who: &Somebody, path: &str, body: &Value) -> Answer {
        self.by(who, At::Private, Method::POST, path, &[], Some(body)).await
    }

    /// The token of the first start, as a header's value.
    pub(crate) fn bootstrap(&self) -> String {
        let token = std::fs::read_to_string(self.home.keys().join("admin.token")).unwrap();
        format!("Bearer {}", token.trim())
    }

    /// One number of `/metrics`; 0 if it is not there.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let bearer = self.bootstrap();
        let text = self
            .plain(At::Private, Method::GET, "/metrics", &[("authorization", &bearer)], None)
            .await
            .text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }

    /// Something said to the bot by the program with this key; the turn.
    pub(crate) async fn said(&self, key: &str, text: &str) -> String {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("chatward-conversation", "c")];
        let body = super::harness::ask("echo", text);
        let answer =
            self.plain(At::Public, Method::POST, "/v1/chat/completions", &headers, Some(&body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.turn()
    }
}
