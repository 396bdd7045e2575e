//! Who it is that asks.

use chatward_message::CustomerId;
use chatward_policy::access::{Action, Actor, Role as PolicyRole};
use http::request::Parts;
use http::{HeaderMap, header};

use super::call::single;
use super::{Api, Side};
use crate::caller::{CUSTOMER_HEADER, Caller, GivenId, Origin, PageCookie};
use crate::directory::{Failed, Present};
use crate::identity::Holder;
use crate::identity::secret::{TokenHash, TokenKind};
use crate::identity::service::ServiceCaller;
use crate::identity::session::{Arrival, DeviceName, PRE_SESSION_COOKIE, session_cookie};
use crate::identity::site::{self, From};
use crate::problem::{Code, Problem};

/// Who asks, as far as it was shown.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// A member of staff who is signed in.
    Staff(Present),
    /// A customer who is signed in.
    Customer(Present),
    /// A program with a key.
    Service(ServiceCaller),
    /// Whoever holds the token of the first start, as long as nobody can administer the house by signing in.
    Bootstrap,
    /// Somebody without a name: the browser with this cookie, or the program with this API key.
    Nameless {
        /// Which.
        caller: Caller,
        /// The customer whom they have shown to be: of the page by the cookie, of a program by an id that only its key
        /// could have brought about.
        customer: Option<CustomerId>,
    },
}

impl Who {
    /// As the policies know them. `action` is what they ask for: the operator of a house without staff has no role, and is
    /// taken for whoever may do it alone.
    pub(super) fn actor(&self, api: &Api, action: Action) -> Actor {
        let tenant = api.directory.tenant().clone();
        match self {
            Self::Staff(present) => {
                let roles = match present.account.holder() {
                    Holder::Staff { roles, .. } => roles.iter().copied().collect(),
                    Holder::Customer { .. } => Vec::new(),
                };
                Actor::Staff { id: present.account.id(), tenant: present.account.tenant().clone(), roles }
            }
            Self::Customer(present) => {
                let (account, tenant) = (&present.account, present.account.tenant().clone());
                match account.customer() {
                    Some(id) => Actor::Customer { id, tenant, anonymous: false },
                    None => Actor::Staff { id: account.id(), tenant, roles: Vec::new() },
                }
            }
            Self::Service(program) => Actor::Service {
                id: program.id(),
                tenant: program.tenant().clone(),
                scopes: program.scopes().collect(),
            },
            Self::Bootstrap => {
                let role = match action {
                    Action::List | Action::ReadReceived => PolicyRole::Analyst,
                    _ => PolicyRole::Admin,
                };
                let id = chatward_message::AccountId::from_bytes([0; 16]);
                Actor::Staff { id, tenant, roles: vec![role] }
            }
            Self::Nameless { caller, customer } => {
                let id = customer.unwrap_or_else(nobody);
                Actor::Customer { id, tenant: caller.tenant().clone(), anonymous: true }
            }
        }
    }

    /// Seconds since the second factor of this session, if one was shown.
    pub(super) fn second_factor(&self, api: &Api) -> Option<u32> {
        match self {
            Self::Staff(present) | Self::Customer(present) => {
                let shown = present.session.second_factor_at()?;
                let age = api.directory.now().0.saturating_sub(shown.0) / 1000;
                Some(u32::try_from(age).unwrap_or(u32::MAX))
            }
            // The file is on the machine, and nobody else can read it.
            Self::Bootstrap => Some(0),
            Self::Service(_) | Self::Nameless { .. } => None,
        }
    }

    /// Their pseudonym in the audit log, where they have one.
    pub(super) fn pseudonym(&self) -> Option<chatward_message::Subject> {
        match self {
            Self::Staff(present) | Self::Customer(present) => Some(present.account.subject()),
            _ => None,
        }
    }

    /// The id of their account, for members of staff and programs.
    pub(super) fn account_bytes(&self) -> Option<[u8; 16]> {
        match self {
            Self::Staff(present) => Some(*present.account.id().as_bytes()),
            Self::Service(program) => Some(*program.id().as_bytes()),
            Self::Customer(_) | Self::Bootstrap | Self::Nameless { .. } => None,
        }
    }

    /// What tells them from anybody else: what they are kept under where they leave something.
    pub(super) fn mark(&self) -> Vec<u8> {
        match self {
            Self::Staff(present) | Self::Customer(present) => present.account.id().as_bytes().to_vec(),
            Self::Service(program) => program.id().as_bytes().to_vec(),
            Self::Bootstrap => b"bootstrap".to_vec(),
            Self::Nameless { caller, .. } => caller.identity().to_vec(),
        }
    }

    /// Holds a request that changes something against what another site could have a browser send.
    pub(super) fn sent_it(&self, api: &Api, headers: &HeaderMap, form: Option<&str>) -> Result<(), Problem> {
        match self {
            Self::Staff(present) | Self::Customer(present) => {
                own_page(api, headers)?;
                Ok(present.session.check_form(form.unwrap_or_default())?)
            }
            // The page may be asked for under another name than the one that passkeys are made for.
            Self::Nameless { caller, .. } if *caller.origin() == Origin::Page => match same_origin(headers) {
                Some(true) => Ok(()),
                _ => own_page(api, headers),
            },
            Self::Nameless { .. } | Self::Service(_) | Self::Bootstrap => Ok(()),
        }
    }

    /// Whether it is somebody without a name, known by the cookie of a page.
    pub(super) fn is_browser(&self) -> bool {
        matches!(self, Self::Nameless { caller, .. } if *caller.origin() == Origin::Page)
    }
}

/// The id of no customer.
fn nobody() -> CustomerId {
    CustomerId::from_bytes([0; 16])
}

/// Finds out who asks. A key that was sent counts, whatever cookies came with it.
pub(super) async fn who(api: &Api, headers: &HeaderMap) -> Result<Who, Problem> {
    match (api.side, headers.contains_key(header::AUTHORIZATION)) {
        (Side::Private, true) => with_key(api, headers).await,
        (Side::Public, true) => {
            let force = api.gate.force.load_full();
            let caller = force.callers.authenticate(headers)?;
            // A trusted program speaks for the customers whom it names.
            let named = GivenId::from_header(headers, CUSTOMER_HEADER)?;
            let customer = named.map(|id| caller.customer(&id, api.gate.keyed())).transpose()?;
            Ok(Who::Nameless { caller, customer })
        }
        (side, false) => match cookie(headers, session_cookie(side == Side::Private)) {
            Some(token) => {
                let present = api.directory.session(token).await?;
                match (side, present.account.is_staff()) {
                    (Side::Private, true) => Ok(Who::Staff(present)),
                    (Side::Public, false) => Ok(Who::Customer(present)),
                    // A session counts on its own listener alone.
                    _ => Err(Code::SignInNeeded.into()),
                }
            }
            None if side == Side::Public => {
                let keyed = api.gate.keyed();
                // Where the house has no keys of its own, a program may come without any.
                let caller = match PageCookie::caller(headers, api.tls, keyed) {
                    Some(caller) => caller,
                    None => {
                        let known = api.gate.force.load_full().callers.authenticate(headers);
                        known.map_err(|_| Problem::new(Code::SignInNeeded))?
                    }
                };
                let customer = caller.page_customer(keyed);
                Ok(Who::Nameless { caller, customer })
            }
            None if api.directory.roster().await?.has_admin() => Err(Code::SignInNeeded.into()),
            None => Err(Code::MissingToken.into()),
        },
    }
}

async fn with_key(api: &Api, headers: &HeaderMap) -> Result<Who, Problem> {
    let key = single(headers, header::AUTHORIZATION)
        .and_then(|value| {
            value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("bearer ")).map(|_| value)
        })
        .and_then(|value| value.get(7..))
        .map(str::trim);
    if let Some(key) = key.filter(|key| key.starts_with("cws_")) {
        return Ok(Who::Service(api.directory.program(key).await?));
    }
    let opens = api.bootstrap.as_ref().is_some_and(|token| token.opens(headers));
    if opens && !api.directory.roster().await?.has_admin() {
        return Ok(Who::Bootstrap);
    }
    Err(if opens { Code::SignInNeeded } else { Code::MissingToken }.into())
}

/// Whether a request comes from a page at the very address that it goes to; nothing if the browser does not say. What a browser
/// keeps for one address it sends to no other, so for somebody who is known by the page's cookie alone that is enough.
pub(crate) fn same_origin(headers: &HeaderMap) -> Option<bool> {
    if let Some(site) = headers.get("sec-fetch-site") {
        return if site == "none" { None } else { Some(site == "same-origin") };
    }
    let (origin, host) = (single(headers, header::ORIGIN)?, single(headers, header::HOST)?);
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    Some(rest == Some(host))
}

/// Whether a request comes from our own pages.
pub(super) fn own_page(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    let from = From {
        origin: single(headers, header::ORIGIN),
        fetch_site: single(headers, http::HeaderName::from_static("sec-fetch-site")),
    };
    Ok(site::own_page(from, &api.origin)?)
}

/// A cookie's value, if it stands there once.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = lines.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    });
    let one = found.next()?;
    found.next().is_none().then_some(one)
}

/// A browser that is nobody yet.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    before: Option<TokenHash>,
    session: Option<TokenHash>,
    device: DeviceName,
    peer: Option<std::net::IpAddr>,
}

impl Browser {
    pub(super) fn of(api: &Api, parts: &Parts) -> Self {
        let headers = &parts.headers;
        let hash = |name, kind| cookie(headers, name).map(|token| TokenHash::of(kind, token));
        Self {
            before: hash(PRE_SESSION_COOKIE, TokenKind::PreSession),
            session: hash(session_cookie(api.side == Side::Private), TokenKind::Session),
            device: DeviceName::of(single(headers, header::USER_AGENT).unwrap_or_default()),
            peer: parts.extensions.get::<crate::serve::Peer>().map(|peer| peer.0.ip()),
        }
    }

    /// From where it asks, as far as this machine sees.
    pub(crate) const fn peer(&self) -> Option<std::net::IpAddr> {
        self.peer
    }

    /// As identity knows it. What is begun in a browser is bound to a cookie that it was given before.
    pub(crate) fn arrival(&self) -> Result<Arrival, Problem> {
        Ok(self.arriving_with(self.before.ok_or_else(|| Problem::new(Code::StartOver))?))
    }

    /// The same with another cookie than it brought: for what is not begun and finished later.
    pub(crate) fn arriving_with(&self, pre_session: TokenHash) -> Arrival {
        Arrival { pre_session, session: self.session, device: self.device }
    }

    /// The cookie that what is begun is bound to, if it has one.
    pub(crate) fn before(&self) -> Option<TokenHash> {
        self.before
    }
}

impl std::convert::From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refused) => refused.into(),
            Failed::Unknown => Code::NotFound.into(),
            Failed::Busy => Code::Busy.into(),
            Failed::Store(error) => {
                tracing::error!(cause = %error, "accounts cannot be read or written");
                Code::from(&error).into()
            }
            Failed::Vault(error) => {
                tracing::error!(cause = %error, "an account's key cannot be used");
                Code::KeysUnavailable.into()
            }
            Failed::Stored(error) => {
                tracing::error!(cause = %error, "an account cannot be read");
                Code::Internal.into()
            }
            Failed::NoRandom(error) => {
                tracing::error!(cause = %error, "no random numbers");
                Code::Internal.into()
            }
        }
    }
}
