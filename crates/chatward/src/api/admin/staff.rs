//! `/admin/v1/staff`: who is there, invited, given roles, locked, seen off.
//!
//! Looking is an access review: who is on the staff and with which roles is what a review is about, and it needs no reason.
//! Changing is managing staff, with a reason or a ticket, and each role that is given or taken is asked about by itself.

use std::collections::BTreeSet;

use chatward_message::AccountId;
use chatward_policy::access::{self, Role, act};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Why, administrator, house};
use crate::api::call::{Nothing, Page, Paging, Stated};
use crate::api::{Api, Asks, Call, Noted, Reply, Route, Routes, Who};
use crate::identity::secret::SecretText;
use crate::identity::{Account, Holder};
use crate::problem::{Code, Problem};

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .asks::<Everybody>()
        .asks::<Invite>()
        .asks::<One>()
        .asks::<Roles>()
        .asks::<Lock>()
        .asks::<Unlock>()
        .asks::<Close>()
        .asks::<InviteAgain>()
        .asks::<Confirm>()
        .asks::<Custodian>()
}

/// Somebody who has no account yet, in a question about managing accounts.
pub(super) const NEWCOMER: AccountId = AccountId::from_bytes([0xff; 16]);
/// The longest name, in characters.
const NAME_MAX: usize = 100;

/// A member of staff.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Person {
    /// `acct_…`
    pub(super) id: String,
    /// The name to sign in with.
    #[schemars(with = "String")]
    pub(super) name: SecretText,
    /// `invited`, `active`, `locked` or `closed`.
    pub(super) state: &'static str,
    /// The roles.
    pub(super) roles: Vec<&'static str>,
    /// Whether this person keeps keys.
    pub(super) custodian: bool,
    /// How many passkeys are set up.
    pub(super) passkeys: usize,
    /// Whether an authenticator app is set up.
    pub(super) app: bool,
    /// Whether a password is set.
    pub(super) password: bool,
    /// How many recovery codes are left.
    pub(super) recovery_codes: usize,
    /// When somebody last signed in, in milliseconds since 1970; absent if nobody is in any browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_sign_in: Option<u64>,
}

impl Person {
    pub(crate) fn of(account: &Account) -> Self {
        let (roles, custodian) = match account.holder() {
            Holder::Staff { roles, custodian } => {
                (roles.iter().map(|role| role.name()).collect(), *custodian)
            }
            Holder::Customer { .. } => (Vec::new(), false),
        };
        Self {
            id: account.id().to_string(),
            name: account.name().clone(),
            state: account.state().name(),
            roles,
            custodian,
            passkeys: account.passkeys().len(),
            app: account.app().is_some(),
            password: account.has_password(),
            recovery_codes: account.recovery_codes_left().unwrap_or_default(),
            last_sign_in: account.devices().iter().map(|device| device.last_seen.0).max(),
        }
    }
}

fn tag(account: &Account) -> String {
    format!("\"{}\"", account.revision())
}

fn told(account: &Account) -> Reply<Person> {
    Reply::json(Person::of(account)).tagged(&tag(account))
}

/// An account in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct OfAccount {
    /// `acct_…`
    id: String,
}

impl OfAccount {
    /// The account of staff of this id; a customer's is as unknown as one that never was.
    async fn account(&self, api: &Api) -> Result<Account, Problem> {
        let id: AccountId = self.id.parse().map_err(|_| Problem::new(Code::NotFound))?;
        let held = api.directory.account(id).await?.filter(|held| held.account.is_staff());
        held.map(|held| held.account).ok_or_else(|| Code::NotFound.into())
    }

    async fn target(&self, api: &Api) -> Result<access::Account, Problem> {
        let account = self.account(api).await?;
        Ok(access::Account {
            tenant: account.tenant().clone(),
            staff: account.id(),
            roles: roles_of(&account).into_iter().collect(),
        })
    }
}

fn roles_of(account: &Account) -> BTreeSet<Role> {
    match account.holder() {
        Holder::Staff { roles, .. } => roles.clone(),
        Holder::Customer { .. } => BTreeSet::new(),
    }
}

/// The questions that lead from these roles to those: first what is taken away, then what is given, each about the account
/// as it is by then.
fn grants(api: &Api, staff: AccountId, from: &BTreeSet<Role>, to: &BTreeSet<Role>) -> Vec<access::Grant> {
    let mut roles = from.clone();
    let mut all = Vec::new();
    let mut ask = |roles: &BTreeSet<Role>, role: Role| {
        let tenant = api.gate.tenant.clone();
        let to = access::Account { tenant, staff, roles: roles.iter().copied().collect() };
        all.push(access::Grant { to, role });
    };
    for role in from.difference(to) {
        roles.remove(role);
        ask(&roles, *role);
    }
    for role in to.difference(from) {
        ask(&roles, *role);
        roles.insert(*role);
    }
    all
}

/// `GET /admin/v1/staff`
struct Everybody;

impl Route for Everybody {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/staff";
    const WHAT: &'static str = "Every account of staff";
    type Path = Nothing;
    type Query = Paging;
    type Body = Nothing;
    type Answer = Page<Person>;
}

impl Asks for Everybody {
    type Act = act::AccessReview;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::House, Problem> {
        call.query.limit()?;
        call.query.after::<AccountId>()?;
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let limit = call.query.limit()?;
        let held = api.directory.staff(call.query.after()?, limit.saturating_add(1)).await?;
        let people = held.iter().map(|held| Person::of(&held.account)).collect();
        Ok(Reply::json(Page::cut(people, limit, |person| person.id.clone())))
    }
}

/// `GET /admin/v1/staff/{id}`
struct One;

impl Route for One {
    const METHOD: Method = Method::GET;
    const PATH: &'static str = "/admin/v1/staff/{id}";
    const WHAT: &'static str = "One account of staff, with the tag that changing its roles needs";
    type Path = OfAccount;
    type Query = Nothing;
    type Body = Nothing;
    type Answer = Person;
}

impl Asks for One {
    type Act = act::AccessReview;

    async fn target(api: &Api, _who: &mut Who, _call: &Call<Self>) -> Result<access::House, Problem> {
        Ok(house(api))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        _who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        Ok(told(&call.path.account(api).await?))
    }
}

/// Somebody to be invited.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Invited {
    /// The name to sign in with: 1 to 100 characters.
    #[schemars(with = "String", length(min = 1, max = 100))]
    name: SecretText,
    /// The roles; there may be none yet.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    roles: BTreeSet<Role>,
    /// Why, in words.
    #[serde(default)]
    reason: Option<String>,
    /// The number of a request or an incident.
    #[serde(default)]
    ticket: Option<String>,
}

/// An invitation. The token stands in this answer and nowhere else.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Invitation {
    /// The account.
    account: Person,
    /// For the link: it sets the account up, once, within three days.
    #[schemars(with = "String")]
    token: SecretText,
}

/// A name to sign in with, or why it is none.
pub(crate) fn fit_name(name: &str) -> Result<(), Problem> {
    let name = name.trim();
    let fits = (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Problem::new(Code::BadRequest).at("name")) }
}

/// `POST /admin/v1/staff`
struct Invite;

impl Route for Invite {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/staff";
    const WHAT: &'static str = "Invite somebody to the staff";
    const STATUS: u16 = 201;
    const REPEATS: bool = true;
    type Path = Nothing;
    type Query = Nothing;
    type Body = Invited;
    type Answer = Invitation;
}

impl Asks for Invite {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        fit_name(call.body.name.expose())?;
        Ok(access::Account { tenant: api.gate.tenant.clone(), staff: NEWCOMER, roles: Vec::new() })
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let Invited { reason, ticket, .. } = &call.body;
        Ok(Why { reason: reason.clone(), ticket: ticket.clone() }.stated())
    }

    async fn grants(api: &Api, _who: &Who, call: &Call<Self>) -> Result<Vec<access::Grant>, Problem> {
        Ok(grants(api, NEWCOMER, &BTreeSet::new(), &call.body.roles))
    }

    async fn answer(
        api: &Api,
        _noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let by = administrator(api, &who)?;
        let roles = call.granted.onto(&BTreeSet::new());
        let (account, token) = api.directory.invite(&by, call.body.name.expose(), roles).await?;
        let invitation = Invitation { account: Person::of(&account), token: SecretText::new(token.expose()) };
        Ok(Reply::json(invitation).tagged(&tag(&account)))
    }
}

/// The roles that an account is to have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRoles {
    /// All of them.
    #[schemars(with = "Vec<String>")]
    roles: BTreeSet<Role>,
    /// Why, in words.
    #[serde(default)]
    reason: Option<String>,
    /// The number of a request or an incident.
    #[serde(default)]
    ticket: Option<String>,
}

/// `PUT /admin/v1/staff/{id}/roles`
struct Roles;

impl Route for Roles {
    const METHOD: Method = Method::PUT;
    const PATH: &'static str = "/admin/v1/staff/{id}/roles";
    const WHAT: &'static str = "Give an account other roles; its sessions end";
    type Path = OfAccount;
    type Query = Nothing;
    type Body = NewRoles;
    type Answer = Person;
}

impl Asks for Roles {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        let NewRoles { reason, ticket, .. } = &call.body;
        Ok(Why { reason: reason.clone(), ticket: ticket.clone() }.stated())
    }

    async fn grants(api: &Api, _who: &Who, call: &Call<Self>) -> Result<Vec<access::Grant>, Problem> {
        let account = call.path.account(api).await?;
        Ok(grants(api, account.id(), &roles_of(&account), &call.body.roles))
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let by = administrator(api, &who)?;
        let (now, mut seen) = (api.directory.now(), None);
        let held: BTreeSet<Role> = noted.target().roles.iter().copied().collect();
        let roles = call.granted.onto(&held);
        let work = |account: Account, others, _: &mut crate::identity::With<'_>| {
            // What was asked about is what is changed: the roles of that moment, under the tag that was sent.
            let fits = call.must_match(&tag(&account));
            let same = fits.and_then(|()| {
                if roles_of(&account) == held { Ok(()) } else { Err(Code::PreconditionFailed.into()) }
            });
            match same {
                Ok(()) => account.give_roles(roles.clone(), &by, others, now),
                Err(problem) => {
                    seen = Some(problem);
                    let nothing = crate::identity::Refused::new(
                        crate::identity::Why::Unavailable,
                        crate::identity::Next::TryAgain,
                    );
                    crate::identity::Change { account, outcome: Err(nothing), events: Vec::new() }
                }
            }
        };
        let changed = api.directory.change(noted.target().staff, work).await;
        if let Some(problem) = seen {
            return Err(problem);
        }
        Ok(told(&changed?.0))
    }
}

/// Routes that do one thing to an account.
macro_rules! deeds {
    ($($name:ident, $path:literal, $what:literal, |$account:ident, $by:ident, $others:ident, $with:ident| $deed:expr;)+) => {$(
        #[doc = concat!("`POST /admin/v1/staff/{id}/", $path, "`")]
        struct $name;

        impl Route for $name {
            const METHOD: Method = Method::POST;
            const PATH: &'static str = concat!("/admin/v1/staff/{id}/", $path);
            const WHAT: &'static str = $what;
            type Path = OfAccount;
            type Query = Nothing;
            type Body = Why;
            type Answer = Person;
        }

        impl Asks for $name {
            type Act = act::ManageStaff;

            async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
                call.path.target(api).await
            }

            async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
                Ok(call.body.stated())
            }

            async fn answer(
                api: &Api,
                noted: Noted<Self::Act>,
                who: Who,
                _call: Call<Self>,
            ) -> Result<Reply<Self::Answer>, Problem> {
                let $by = &administrator(api, &who)?;
                let work = |$account: Account, $others, $with: &mut crate::identity::With<'_>| $deed;
                Ok(told(&api.directory.change(noted.target().staff, work).await?.0))
            }
        }
    )+};
}

deeds! {
    Lock, "lock", "Lock an account: its sessions end, nothing signs in",
        |account, by, others, with| account.lock(by, others, with.now);
    Unlock, "unlock", "Open a locked account again, and let it try again",
        |account, by, _others, with| account.unlock(by, with.now);
    Close, "close", "The person leaves: what signs in is wiped, and there is no way back",
        |account, by, others, with| account.close(by, others, with.now);
    Confirm, "confirm", "Confirm what was set up after a recovery: it is the same person",
        |account, by, _others, with| account.confirm_factors(by, with.now);
    Custodian, "custodian", "Make somebody a keeper of keys: that takes a passkey that cannot leave its device",
        |account, by, _others, with| account.make_custodian(by, with.now);
}

/// `POST /admin/v1/staff/{id}/invite-again`
struct InviteAgain;

impl Route for InviteAgain {
    const METHOD: Method = Method::POST;
    const PATH: &'static str = "/admin/v1/staff/{id}/invite-again";
    const WHAT: &'static str = "Invite the same person anew: what signed in is wiped, sessions end";
    const REPEATS: bool = true;
    type Path = OfAccount;
    type Query = Nothing;
    type Body = Why;
    type Answer = Invitation;
}

impl Asks for InviteAgain {
    type Act = act::ManageStaff;

    async fn target(api: &Api, _who: &mut Who, call: &Call<Self>) -> Result<access::Account, Problem> {
        call.path.target(api).await
    }

    async fn given(_api: &Api, _who: &Who, call: &Call<Self>) -> Result<Stated, Problem> {
        Ok(call.body.stated())
    }

    async fn answer(
        api: &Api,
        noted: Noted<Self::Act>,
        who: Who,
        _call: Call<Self>,
    ) -> Result<Reply<Self::Answer>, Problem> {
        let by = administrator(api, &who)?;
        let work =
            |account: Account, _, with: &mut crate::identity::With<'_>| account.invite_again(&by, with);
        let (account, token) = api.directory.change(noted.target().staff, work).await?;
        let invitation = Invitation { account: Person::of(&account), token: SecretText::new(token.expose()) };
        Ok(Reply::json(invitation).tagged(&tag(&account)))
    }
}
