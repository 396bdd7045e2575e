//! Who is known here: accounts, sessions and programs as they are kept.
//!
//! [`identity`](crate::identity) says what an account is and what may be done with it; this joins it with store and
//! vault. Every operation reads the account, does its work on the value, and writes account, events, sessions and what the
//! account is found by in one transaction, if nobody else wrote in between; otherwise it begins anew with what is there
//! now. Whatever came of it is told only after that.
//!
//! A member of staff's account is sealed under a key of its own, a customer's under that customer's key: erasing the
//! customer makes account and sessions unreadable too.

mod glass;
mod incident;
mod passage;
mod roster;
mod seen;
mod told;

use std::sync::Arc;

use chatward_detect::behaviour::{Signal, Signals};
use chatward_message::{
    AccountId, Action, Channel, CustomerId, Event, Factor, Facts, KeySlot, Place, Purposes, Response, Sealed,
    Subject, TenantId, UnixMillis,
};
use chatward_store::StoreError;
use chatward_store::record::{Changes, Handle, HandleKind, Put, Record, RecordKind, Removal};
use chatward_vault::{CustomerKey, VaultError};
use zeroize::Zeroizing;

use crate::alerts::Alert;
use crate::caller::{Caller, NoRandom};
use crate::identity::account::StoredError;
use crate::identity::ceremony::CeremonyKey;
use crate::identity::claim::{self, Begun};
use crate::identity::outcome::{Next, Refused, Why};
use crate::identity::secret::{Random as _, Secret, SecretText, SystemRandom, Token, TokenHash, TokenKind};
use crate::identity::service::{Service, ServiceCaller};
use crate::identity::session::{Arrival, SignedIn};
use crate::identity::sso::SsoLink;
use crate::identity::staff::{Administrator, Others};
use crate::identity::{Account, Change, Holder, Newcomer, Role, Rules, Session, State, With};
use crate::turn::Gate;

pub use glass::{Approval, Glass, KeptGlass};
pub use incident::{By, KeptIncident};
pub use roster::Roster;
pub use seen::Seen;

/// How often a change begins anew because others came first.
const TRIES: usize = 8;
/// A session that was used is written back when its last mark is older than this.
const MARK_AFTER: u64 = 15_000;

/// Why something about an account could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It may not be done; the reason says what to do next.
    #[error("refused: {}", .0.why.code())]
    Refused(Refused),
    /// There is no such thing, or none of this house.
    #[error("there is nothing of that id")]
    Unknown,
    /// What was read was no longer the newest when it was to be written, again and again.
    #[error("others changed it at the same time, {TRIES} times over")]
    Busy,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is kept cannot be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// There are no random numbers.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Accounts, sessions and programs of one house. A handle: clones share everything.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    gate: Arc<Gate>,
    rules: Rules,
    ceremonies: CeremonyKey,
    /// The slot of the house's own key, once it is known.
    house: tokio::sync::OnceCell<KeySlot>,
}

/// An account as it was read, with the slot of its key.
#[derive(Debug, Clone)]
pub struct Held {
    /// The account.
    pub account: Account,
    slot: KeySlot,
}

impl Held {
    /// The slot of the key that it is sealed under.
    pub fn slot(&self) -> KeySlot {
        self.slot
    }
}

/// Somebody who is signed in: made only by [`Directory::session`], which has seen that the session counts.
#[derive(Debug, Clone)]
pub struct Present {
    /// The account.
    pub account: Account,
    /// The session.
    pub session: Session,
}

/// What an operation on an account gives besides the account: a session to keep, perhaps.
pub trait Outcome {
    /// The session that was begun.
    fn signed_in(&self) -> Option<&SignedIn> {
        None
    }
}

impl Outcome for () {}
impl Outcome for Token {}
impl Outcome for crate::identity::app::AppSetup {}
impl Outcome for crate::identity::recovery::ShownCodes {}
impl Outcome for webauthn_rs::prelude::CredentialID {}
impl Outcome for SignedIn {
    fn signed_in(&self) -> Option<&SignedIn> {
        Some(self)
    }
}

/// A record that was opened.
struct Opened {
    plain: Zeroizing<Vec<u8>>,
    revision: u64,
    slot: KeySlot,
}

impl Directory {
    /// The directory of the gate's house, under these rules.
    ///
    /// # Errors
    /// [`Failed::Vault`] if the keys cannot be used.
    pub fn new(gate: Arc<Gate>, rules: Rules) -> Result<Self, Failed> {
        // The same in every process that shares the keys: what one began another can finish.
        let half = |n: &[u8]| gate.vault.name_key(&gate.tenant, "ceremonies", &[n]);
        let mut secret = Zeroizing::new([0; 32]);
        let (first, second) = secret.split_at_mut(16);
        first.copy_from_slice(&half(b"1")?);
        second.copy_from_slice(&half(b"2")?);
        let ceremonies = CeremonyKey::new(&Secret::copy_of(&secret))?;
        let house = tokio::sync::OnceCell::new();
        Ok(Self(Arc::new(Inner { gate, rules, ceremonies, house })))
    }

    /// The rules in force.
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// The key that what was begun is sealed with.
    pub fn ceremonies(&self) -> &CeremonyKey {
        &self.0.ceremonies
    }

    /// The house.
    pub fn tenant(&self) -> &TenantId {
        &self.0.gate.tenant
    }

    /// The time.
    pub fn now(&self) -> UnixMillis {
        self.0.gate.clock.now()
    }

    /// Does something that an operation is told the facts of the moment for.
    pub fn with<T>(&self, work: impl FnOnce(&mut With<'_>) -> T) -> T {
        let mut random = SystemRandom;
        work(&mut With { now: self.now(), rules: &self.0.rules, random: &mut random })
    }

    // Reading.

    /// The account of this id.
    pub async fn account(&self, id: AccountId) -> Result<Option<Held>, Failed> {
        let found = self.0.gate.store.record(self.tenant(), RecordKind::Account, id.as_bytes()).await?;
        match found {
            Some(record) => self.held(&record).await.map(Some),
            None => Ok(None),
        }
    }

    /// The account of staff with this name to sign in with.
    pub async fn staff_named(&self, name: &str) -> Result<Option<Held>, Failed> {
        self.found_by(self.handle(HandleKind::StaffName, &[plain_name(name).as_bytes()])?).await
    }

    /// The customer's account with this name to sign in with.
    pub async fn customer_named(&self, name: &str) -> Result<Option<Held>, Failed> {
        self.found_by(self.handle(HandleKind::CustomerName, &[plain_name(name).as_bytes()])?).await
    }

    /// The account of this customer.
    pub async fn account_of(&self, customer: CustomerId) -> Result<Option<Held>, Failed> {
        self.found_by(self.handle(HandleKind::Customer, &[customer.as_bytes()])?).await
    }

    /// The account that this invitation is for.
    pub async fn invited(&self, token: &str) -> Result<Option<Held>, Failed> {
        let hash = TokenHash::of(TokenKind::Invitation, token);
        self.found_by(self.handle(HandleKind::Invitation, &[hash.as_bytes()])?).await
    }

    /// The account that is linked with this one at the identity provider.
    pub async fn linked(&self, link: &SsoLink) -> Result<Option<Held>, Failed> {
        self.found_by(self.handle(HandleKind::Provider, &link.key_parts())?).await
    }

    /// The slot of a customer's key; none if nothing of them is kept.
    pub async fn slot_of(&self, customer: CustomerId) -> Result<Option<KeySlot>, Failed> {
        if let Some(slot) = self.0.gate.store.customer(self.tenant(), customer).await? {
            return Ok(Some(slot));
        }
        // Somebody with an account who never wrote. It need not be readable: what is half erased is erased to its end.
        let handle = self.handle(HandleKind::Customer, &[customer.as_bytes()])?;
        let found = self.0.gate.store.record_by(self.tenant(), handle).await?;
        Ok(found.filter(|record| record.kind == RecordKind::Account).map(|record| record.slot))
    }

    /// Every account of staff, in order of id.
    pub async fn staff(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Held>, Failed> {
        let mut all = Vec::new();
        let mut from = after.map(|id| id.as_bytes().to_vec());
        while all.len() < limit {
            let page =
                self.0.gate.store.records(self.tenant(), RecordKind::Account, from.as_deref(), PAGE).await?;
            let last = page.len() < PAGE;
            from = page.last().map(|record| record.id.to_vec());
            for record in page.iter().filter(|record| record.customer.is_none()) {
                if all.len() < limit {
                    all.push(self.held(record).await?);
                }
            }
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Who is signed in with this cookie, if anybody is. That it was used is noted.
    pub async fn session(&self, token: &str) -> Result<Present, Failed> {
        let ended = || Failed::Refused(Refused::new(Why::NoSession, Next::SignIn));
        let hash = TokenHash::of(TokenKind::Session, token);
        let found = self.0.gate.store.record(self.tenant(), RecordKind::Session, hash.as_bytes()).await?;
        let record = found.ok_or_else(ended)?;
        let opened = match self.open(&record).await {
            Ok(opened) => opened,
            // Its customer was erased.
            Err(Failed::Vault(VaultError::NoKey { .. })) => return Err(ended()),
            Err(failed) => return Err(failed),
        };
        let session = Session::from_bytes(&opened.plain)?;
        let held = self.account(session.account()).await?.ok_or_else(ended)?;
        let now = self.now();
        let used = session.used(&held.account, &self.0.rules, now)?;
        if now.0.saturating_sub(session.seen().0) >= MARK_AFTER {
            let mark = self.session_put(&used, &held, Some(opened.revision)).await?;
            let changes = self.changes(vec![mark], Vec::new());
            match self.0.gate.store.change(changes).await {
                // Another request of the same browser was as quick, or signed out.
                Ok(_) | Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Present { account: held.account, session: used })
    }

    /// The program that shows this key.
    pub async fn program(&self, key: &str) -> Result<ServiceCaller, Failed> {
        let hash = TokenHash::of(TokenKind::Service, key);
        let handle = self.handle(HandleKind::ServiceKey, &[hash.as_bytes()])?;
        let unknown = || Refused::new(Why::ServiceKeyUnknown, Next::AskForKey);
        let record = self.0.gate.store.record_by(self.tenant(), handle).await?.ok_or_else(unknown)?;
        let service = self.read_service(&record).await?;
        Ok(service.caller(key, self.now())?)
    }

    /// All programs, in order of id.
    pub async fn programs(&self) -> Result<Vec<Service>, Failed> {
        let (mut all, mut from) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let store = &self.0.gate.store;
            let page = store.records(self.tenant(), RecordKind::Service, from.as_deref(), PAGE).await?;
            for record in &page {
                all.push(self.read_service(record).await?);
            }
            if page.len() < PAGE {
                return Ok(all);
            }
            from = page.last().map(|record| record.id.to_vec());
        }
    }

    /// Who administers the house, and who else there is.
    pub async fn roster(&self) -> Result<Roster, Failed> {
        Ok(self.read_roster().await?.map(|(roster, _)| roster).unwrap_or_default())
    }

    // Writing.

    /// Does an operation on an account and keeps what came of it. `work` may be called several times, each time with the
    /// account as it is then, and is told how many others can administer the house.
    pub async fn change<T: Outcome>(
        &self,
        id: AccountId,
        mut work: impl FnMut(Account, Others, &mut With<'_>) -> Change<T>,
    ) -> Result<(Account, T), Failed> {
        for _ in 0..TRIES {
            let held = self.account(id).await?.ok_or(Failed::Unknown)?;
            let before = held.account.revision();
            let roster = if held.account.is_staff() { self.read_roster().await? } else { None };
            let others = Others(roster.as_ref().map_or(0, |(roster, _)| roster.other_admins(id)));
            let Change { account, outcome, events } =
                self.with(|with| work(held.account.clone(), others, with));
            if account.revision() == before {
                return Ok((account, outcome?));
            }
            let told = happened(&held.account, &account, &events);
            let held = Held { account, slot: held.slot };
            let signed_in = outcome.as_ref().ok().and_then(T::signed_in);
            let puts = self.puts(&held, Some(before), roster, signed_in).await?;
            let mut changes = self.changes(puts, events);
            changes.removals = signed_in.map(ended).unwrap_or_default();
            match self.0.gate.store.change(changes).await {
                Ok(_) => {
                    self.count_behaviour(&held.account, told);
                    return Ok((held.account, outcome?));
                }
                Err(StoreError::Overtaken) => {}
                Err(StoreError::HandleTaken) => {
                    return Err(Refused::new(Why::AlreadySetUp, Next::StartOver).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// What happened with a customer's account counts as behaviour.
    fn count_behaviour(&self, account: &Account, signals: Signals) {
        let gate = &self.0.gate;
        let Some(customer) = account.customer().filter(|_| !signals.is_empty()) else { return };
        self.note_behaviour(gate.conduct.happened(gate, customer, signals));
    }

    /// A try to sign in from this address failed: `whom` is the name that it was made with, or the same for all that have none.
    pub fn failed_from(&self, peer: std::net::IpAddr, whom: &[u8]) {
        let gate = &self.0.gate;
        self.note_behaviour(gate.conduct.failed_from(gate, peer, whom));
    }

    /// Tells the staff what shows in what happens with accounts. It has happened: nothing more is done.
    fn note_behaviour(&self, incidents: Vec<chatward_detect::behaviour::Incident>) {
        let gate = &self.0.gate;
        for incident in incidents.into_iter().filter(|incident| !incident.again) {
            let wish = &gate.force.load().config.threats;
            let response = wish.response_to_behaviour(&incident, Channel::Customer).min(Response::Flag);
            gate.metrics.threat(incident.info.threat, response);
            if response >= Response::Flag {
                gate.alerts.raise(Alert::of_behaviour(&incident, response));
            }
        }
    }

    /// Writes down that somebody tried a name that nobody has: an operator sees when names are being tried out. It does what a
    /// failed try of a known name does, to a record that stands for nobody, so that it takes as long.
    pub async fn nobody(&self, factor: Factor) -> Result<(), Failed> {
        let facts = Facts { factor: Some(factor), reason: Some(Why::UnknownName.code()), ..Facts::default() };
        let (at, tenant) = (self.now(), self.tenant().clone());
        let event = Event { at, tenant, action: Action::SignInFailed, turn: None, subject: None, facts };
        let handles = vec![self.handle(HandleKind::StaffName, &[b"", b"nobody"])?];
        for _ in 0..TRIES {
            let store = &self.0.gate.store;
            let found = store.record(self.tenant(), RecordKind::House, &NOBODY).await?;
            let (was, slot, plain) = match &found {
                Some(record) => (Some(record.revision), record.slot, self.open(record).await?.plain),
                None => (None, self.fresh_slot().await?.0, Zeroizing::new(vec![b' '; NOBODYS_SIZE])),
            };
            let _like_a_known_one = self.read_roster().await?;
            let key = self.0.gate.vault.customer_key(slot).await?;
            let revision = was.unwrap_or(0).saturating_add(1);
            let record = self.seal(&key, RecordKind::House, NOBODY.to_vec(), revision, &plain)?;
            let put = Put { record, was, handles: Some(handles.clone()) };
            match store.change(self.changes(vec![put], vec![event.clone()])).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// Opens an account for a customer who has nothing to show yet, and signs them in: with a name to sign in with.
    pub async fn sign_up(&self, name: &str, arrival: &Arrival) -> Result<(Account, SignedIn), Failed> {
        let customer = CustomerId::from_bytes(fresh_id()?);
        let (slot, subject) = self.fresh_slot().await?;
        let newcomer = self.newcomer(subject, name);
        let (account, opened) = self.with(|with| Account::open(newcomer, customer, with.random, with.now))?;
        let Change { account, outcome, events } = self.with(|with| account.begin_on_page(arrival, with));
        let signed_in = outcome?;
        let events = [vec![opened], events].concat();
        Ok((self.put_new(Held { account, slot }, Some(&signed_in), events).await?, signed_in))
    }

    /// Signs in the customer whom the host site's token names; opens the account if there is none yet.
    pub async fn sign_in_from_host(
        &self,
        host: &crate::identity::host::HostCustomer,
        caller: &Caller,
        arrival: &Arrival,
    ) -> Result<(Account, SignedIn), Failed> {
        let keyed = self.0.gate.keyed();
        let customer = host.customer(caller, keyed);
        let mut name = Zeroizing::new(host.id().expose().to_owned());
        for _ in 0..TRIES {
            if let Some(held) = self.account_of(customer).await? {
                return self
                    .change(held.account.id(), |account, _, with| {
                        account.sign_in_from_host(host, caller, keyed, arrival, with)
                    })
                    .await;
            }
            // What the customer wrote before the account is under a key already.
            let (slot, subject) = match self.0.gate.store.customer(self.tenant(), customer).await? {
                Some(slot) => (slot, self.subject(slot).await?),
                None => self.fresh_slot().await?,
            };
            let newcomer = self.newcomer(subject, &name);
            let (account, opened) =
                self.with(|with| Account::open(newcomer, customer, with.random, with.now))?;
            let Change { account, outcome, events } =
                self.with(|with| account.sign_in_from_host(host, caller, keyed, arrival, with));
            let signed_in = outcome?;
            let events = [vec![opened], events].concat();
            match self.put_new(Held { account, slot }, Some(&signed_in), events).await {
                Ok(account) => return Ok((account, signed_in)),
                // Opened in another tab at the same moment; or a stranger signed up under this customer's name, which must
                // keep nobody out: the name to sign in with is another one then, and the page shows it.
                Err(Failed::Refused(refused)) if refused.why == Why::AlreadySetUp => {
                    let [a, b, ..] = fresh_id()?;
                    name = Zeroizing::new(format!("{}-{a:02x}{b:02x}", host.id().expose()));
                }
                Err(failed) => return Err(failed),
            }
        }
        Err(Failed::Busy)
    }

    /// Invites somebody to the staff. The token is for the link, and is not kept.
    pub async fn invite(
        &self,
        by: &Administrator,
        name: &str,
        roles: std::collections::BTreeSet<Role>,
    ) -> Result<(Account, Token), Failed> {
        let (slot, subject) = self.fresh_slot().await?;
        let newcomer = self.newcomer(subject, name);
        let (account, token, event) = self.with(|with| by.invite(newcomer, roles, with))?;
        Ok((self.put_new(Held { account, slot }, None, vec![event]).await?, token))
    }

    /// Takes over what was written in this browser without a name. True if the browser is to get a new cookie: whoever sits
    /// there next does not read on.
    pub async fn claim(&self, present: &Present, cookie: Option<&Caller>) -> Result<bool, Failed> {
        let gate = &self.0.gate;
        let no = || Refused::new(Why::NotYourConversation, Next::StartOver);
        let caller = cookie.ok_or_else(no)?;
        let nameless = caller.page_customer(gate.keyed()).ok_or_else(no)?;
        let slot = gate.store.customer(self.tenant(), nameless).await?.ok_or_else(no)?;
        let held = gate.store.record(self.tenant(), RecordKind::Claim, nameless.as_bytes()).await?;
        let claimed = held.and_then(|record| record.customer);
        let begun = Begun { tenant: self.tenant().clone(), caller: *caller.identity(), claimed };
        let (rules, now) = (&self.0.rules, self.now());
        let claimed = claim::claim(&begun, cookie, &present.account, &present.session, rules, now)?;
        let Some(event) = claimed.event else { return Ok(false) };
        let record = Record {
            kind: RecordKind::Claim,
            id: nameless.as_bytes().to_vec().into(),
            revision: 1,
            slot,
            customer: Some(claimed.customer),
            until: None,
            purposes: Purposes::SERVICE,
            sealed: Sealed::from_bytes(Vec::new()),
        };
        let put = Put { record, was: None, handles: None };
        match gate.store.change(self.changes(vec![put], vec![event])).await {
            Ok(_) => Ok(claimed.new_cookie),
            Err(StoreError::Overtaken) => Err(no().into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an account for a program.
    pub async fn make_program(&self, name: &str, by: &Administrator) -> Result<Service, Failed> {
        let (service, event) = self.with(|with| Service::new(SecretText::new(name), by, with))?;
        let (slot, _) = self.fresh_slot().await?;
        let put = self.service_put(&service, slot, None).await?;
        self.0.gate.store.change(self.changes(vec![put], vec![event])).await?;
        Ok(service)
    }

    /// Changes a program's account.
    pub async fn change_program<T>(
        &self,
        id: chatward_message::ServiceId,
        mut work: impl FnMut(Service, &mut With<'_>) -> Result<(Service, T, Event), Refused>,
    ) -> Result<(Service, T), Failed> {
        for _ in 0..TRIES {
            let store = &self.0.gate.store;
            let found = store.record(self.tenant(), RecordKind::Service, id.as_bytes()).await?;
            let record = found.ok_or(Failed::Unknown)?;
            let service = self.read_service(&record).await?;
            let (service, given, event) = self.with(|with| work(service, with))?;
            let put = self.service_put(&service, record.slot, Some(record.revision)).await?;
            match store.change(self.changes(vec![put], vec![event])).await {
                Ok(_) => return Ok((service, given)),
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// Forgets the session of this cookie, whoever's it is.
    pub async fn forget_session(&self, session: &Session) -> Result<(), Failed> {
        let mut changes = self.changes(Vec::new(), Vec::new());
        changes.removals.push(session_removal(session.token()));
        self.0.gate.store.change(changes).await?;
        Ok(())
    }

    /// The key of the house itself, for what is nobody's and is kept for a while: made once.
    pub async fn house_key(&self) -> Result<CustomerKey, Failed> {
        let slot = self.0.house.get_or_try_init(|| self.house_slot()).await?;
        Ok(self.0.gate.vault.customer_key(*slot).await?)
    }

    async fn house_slot(&self) -> Result<KeySlot, Failed> {
        for _ in 0..TRIES {
            let store = &self.0.gate.store;
            if let Some(record) = store.record(self.tenant(), RecordKind::House, &HOUSE).await? {
                return Ok(record.slot);
            }
            let (slot, key) = self.0.gate.vault.fresh_customer().await?;
            let record = self.seal(&key, RecordKind::House, HOUSE.to_vec(), 1, b"")?;
            let put = Put { record, was: None, handles: None };
            match store.change(self.changes(vec![put], Vec::new())).await {
                Ok(_) => return Ok(slot),
                // Another process was as quick.
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    /// Drops what has ended of itself: sessions that are over, old answers.
    pub async fn tidy(&self) -> Result<u64, Failed> {
        Ok(self.0.gate.store.drop_ended(self.tenant(), self.now()).await?)
    }

    /// The operator of this machine, for the bootstrap and for a house that lost its last administrator.
    pub fn operator(&self) -> Result<Administrator, Failed> {
        let subject = self.0.gate.vault.name_key(self.tenant(), "operator", &[])?;
        Ok(Administrator::operator(self.tenant().clone(), Subject::from_bytes(subject)))
    }

    // Inside.

    async fn found_by(&self, handle: Handle) -> Result<Option<Held>, Failed> {
        match self.0.gate.store.record_by(self.tenant(), handle).await? {
            Some(record) if record.kind == RecordKind::Account => self.held(&record).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn held(&self, record: &Record) -> Result<Held, Failed> {
        let opened = self.open(record).await?;
        let account = Account::from_bytes(&opened.plain, self.tenant())?;
        // A value that stands in another row, or under another revision, is not this account.
        if account.id().as_bytes()[..] != *record.id || account.revision() != record.revision {
            return Err(StoredError::NotAnAccount.into());
        }
        Ok(Held { account, slot: record.slot })
    }

    async fn read_service(&self, record: &Record) -> Result<Service, Failed> {
        let opened = self.open(record).await?;
        let service = Service::from_bytes(&opened.plain, self.tenant())?;
        if service.id().as_bytes()[..] != *record.id {
            return Err(StoredError::NotAnAccount.into());
        }
        Ok(service)
    }

    async fn read_roster(&self) -> Result<Option<(Roster, Opened)>, Failed> {
        let found = self.0.gate.store.record(self.tenant(), RecordKind::House, &ROSTER).await?;
        let Some(record) = found else { return Ok(None) };
        let opened = self.open(&record).await?;
        Ok(Some((Roster::from_bytes(&opened.plain)?, opened)))
    }

    /// A new account, found by nothing that another is found by.
    async fn put_new(
        &self,
        held: Held,
        signed_in: Option<&SignedIn>,
        events: Vec<Event>,
    ) -> Result<Account, Failed> {
        for _ in 0..TRIES {
            let roster = if held.account.is_staff() { self.read_roster().await? } else { None };
            let puts = self.puts(&held, None, roster, signed_in).await?;
            let mut changes = self.changes(puts, events.clone());
            changes.removals = signed_in.map(ended).unwrap_or_default();
            match self.0.gate.store.change(changes).await {
                Ok(_) => return Ok(held.account),
                Err(StoreError::Overtaken) => {}
                Err(StoreError::HandleTaken) => {
                    return Err(Refused::new(Why::AlreadySetUp, Next::StartOver).into());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failed::Busy)
    }

    fn changes(&self, puts: Vec<Put>, events: Vec<Event>) -> Changes {
        let (removals, about, standing) = (Vec::new(), None, None);
        Changes { tenant: self.tenant().clone(), removals, puts, events, about, standing }
    }

    /// What is to be written of an account that was changed: itself, its place in the roster, its new session.
    async fn puts(
        &self,
        held: &Held,
        was: Option<u64>,
        roster: Option<(Roster, Opened)>,
        signed_in: Option<&SignedIn>,
    ) -> Result<Vec<Put>, Failed> {
        let Held { account, slot } = held;
        let key = self.0.gate.vault.customer_key(*slot).await?;
        let plain = account.to_bytes()?;
        let id = account.id().as_bytes().to_vec();
        let mut record = self.seal(&key, RecordKind::Account, id, account.revision(), &plain)?;
        record.customer = account.customer();
        let mut puts = vec![Put { record, was, handles: Some(self.handles_of(account)?) }];
        if let Some(signed_in) = signed_in {
            puts.push(self.session_put(&signed_in.session, held, None).await?);
        }
        if account.is_staff() {
            puts.extend(self.roster_put(account, roster).await?);
        }
        Ok(puts)
    }

    async fn roster_put(
        &self,
        account: &Account,
        found: Option<(Roster, Opened)>,
    ) -> Result<Option<Put>, Failed> {
        let (before, was, slot) = match found {
            Some((roster, opened)) => (roster, Some(opened.revision), opened.slot),
            None => (Roster::default(), None, self.fresh_slot().await?.0),
        };
        let mut roster = before.clone();
        roster.enter(account);
        if was.is_some() && roster == before {
            return Ok(None);
        }
        let key = self.0.gate.vault.customer_key(slot).await?;
        let revision = was.unwrap_or(0).saturating_add(1);
        let record = self.seal(&key, RecordKind::House, ROSTER.to_vec(), revision, &roster.to_bytes()?)?;
        Ok(Some(Put { record, was, handles: None }))
    }

    async fn session_put(&self, session: &Session, held: &Held, was: Option<u64>) -> Result<Put, Failed> {
        let key = self.0.gate.vault.customer_key(held.slot).await?;
        let revision = was.unwrap_or(0).saturating_add(1);
        let id = session.token().as_bytes().to_vec();
        let mut record = self.seal(&key, RecordKind::Session, id, revision, &session.to_bytes()?)?;
        record.customer = held.account.customer();
        record.until = Some(session.ends_at(&self.0.rules));
        Ok(Put { record, was, handles: None })
    }

    async fn service_put(&self, service: &Service, slot: KeySlot, was: Option<u64>) -> Result<Put, Failed> {
        let key = self.0.gate.vault.customer_key(slot).await?;
        let id = service.id().as_bytes().to_vec();
        let record = self.seal(&key, RecordKind::Service, id, service.revision(), &service.to_bytes()?)?;
        let handle = |key: &crate::identity::service::ServiceKey| {
            self.handle(HandleKind::ServiceKey, &[key.hash().as_bytes()])
        };
        let handles = service.keys().iter().map(handle).collect::<Result<_, _>>()?;
        Ok(Put { record, was, handles: Some(handles) })
    }

    fn handles_of(&self, account: &Account) -> Result<Vec<Handle>, Failed> {
        let name = plain_name(account.name().expose());
        let mut all = Vec::new();
        match account.holder() {
            Holder::Staff { .. } if *account.state() == State::Closed => {}
            Holder::Staff { .. } => all.push(self.handle(HandleKind::StaffName, &[name.as_bytes()])?),
            Holder::Customer { customer } => {
                all.push(self.handle(HandleKind::Customer, &[customer.as_bytes()])?);
                all.push(self.handle(HandleKind::CustomerName, &[name.as_bytes()])?);
            }
        }
        for entry in account.passkeys() {
            all.push(self.handle(HandleKind::Passkey, &[entry.id().as_slice()])?);
        }
        if let Some(link) = account.sso() {
            all.push(self.handle(HandleKind::Provider, &link.key_parts())?);
        }
        if let State::Invited { token: Some(token), .. } = account.state() {
            all.push(self.handle(HandleKind::Invitation, &[token.as_bytes()])?);
        }
        Ok(all)
    }

    /// The keyed hash under which something is found: it tells nobody what it was made of.
    fn handle(&self, kind: HandleKind, parts: &[&[u8]]) -> Result<Handle, Failed> {
        let (vault, tenant) = (&self.0.gate.vault, self.tenant());
        let half = |half: &[u8]| {
            let all: Vec<&[u8]> = [&[half, kind.name().as_bytes()][..], parts].concat();
            vault.name_key(tenant, "handle", &all)
        };
        let mut hash = [0; 32];
        let (first, second) = hash.split_at_mut(16);
        first.copy_from_slice(&half(b"1")?);
        second.copy_from_slice(&half(b"2")?);
        Ok(Handle { kind, hash })
    }

    fn newcomer(&self, subject: Subject, name: &str) -> Newcomer {
        Newcomer { tenant: self.tenant().clone(), subject, name: SecretText::new(name.trim()) }
    }

    async fn fresh_slot(&self) -> Result<(KeySlot, Subject), Failed> {
        let (slot, key) = self.0.gate.vault.fresh_customer().await?;
        Ok((slot, self.0.gate.vault.subject(&key)?))
    }

    async fn subject(&self, slot: KeySlot) -> Result<Subject, Failed> {
        let key = self.0.gate.vault.customer_key(slot).await?;
        Ok(self.0.gate.vault.subject(&key)?)
    }

    /// A record with its value sealed for its place: kind, id and revision. Put elsewhere, or back, it does not open.
    fn seal(
        &self,
        key: &CustomerKey,
        kind: RecordKind,
        id: Vec<u8>,
        revision: u64,
        plain: &[u8],
    ) -> Result<Record, Failed> {
        let row = row(&id, revision);
        let place = Place { tenant: self.tenant(), table: "records", column: kind.name(), row: &row };
        let sealed = self.0.gate.vault.seal(key, place, plain)?;
        let id = id.into_boxed_slice();
        let (slot, purposes) = (key.slot(), Purposes::SERVICE);
        Ok(Record { kind, id, revision, slot, customer: None, until: None, purposes, sealed })
    }

    async fn open(&self, record: &Record) -> Result<Opened, Failed> {
        let key = self.0.gate.vault.customer_key(record.slot).await?;
        let row = row(&record.id, record.revision);
        let place = Place { tenant: self.tenant(), table: "records", column: record.kind.name(), row: &row };
        let plain = self.0.gate.vault.open_sealed(&key, place, &record.sealed)?;
        Ok(Opened { plain, revision: record.revision, slot: record.slot })
    }
}

/// What events of an account say about the behaviour of whoever is at it.
fn happened(before: &Account, after: &Account, events: &[Event]) -> Signals {
    let signal = |event: &Event| match event.action {
        Action::SignInFailed => Some(Signal::FailedFactor),
        Action::FactorAdded | Action::FactorRemoved => Some(Signal::CredentialChange),
        Action::SignedIn if (1..after.devices().len()).contains(&before.devices().len()) => {
            Some(Signal::NewDevice)
        }
        _ => None,
    };
    events.iter().filter_map(signal).collect()
}

/// So many records are read at once.
const PAGE: usize = 100;
/// The id of the house's roster among its records.
const ROSTER: [u8; 16] = [0; 16];
/// The id of the record that the house's own key stands with.
const HOUSE: [u8; 16] = [1; 16];

/// The id of the record that stands for nobody, and its size: about that of an account.
const NOBODY: [u8; 16] = [2; 16];
const NOBODYS_SIZE: usize = 2048;

fn row(id: &[u8], revision: u64) -> Vec<u8> {
    [id, &revision.to_be_bytes()].concat()
}

/// The sessions that a new one replaces.
fn ended(signed_in: &SignedIn) -> Vec<Removal> {
    signed_in.ends.iter().map(session_removal).collect()
}

fn session_removal(token: &TokenHash) -> Removal {
    Removal { kind: RecordKind::Session, id: token.as_bytes().to_vec().into() }
}

/// A name to sign in with is the same name however it is spaced and capitalised.
fn plain_name(name: &str) -> Zeroizing<String> {
    use unicode_normalization::UnicodeNormalization as _;
    Zeroizing::new(name.trim().nfkc().flat_map(char::to_lowercase).collect())
}

fn fresh_id() -> Result<[u8; 16], NoRandom> {
    let mut id = [0; 16];
    SystemRandom.fill(&mut id)?;
    Ok(id)
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Directory({})", self.tenant())
    }
}
