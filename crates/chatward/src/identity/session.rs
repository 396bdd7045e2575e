//! Sessions: who is signed in, with what, since when.
//!
//! A browser holds an opaque token of 256 random bits; what is stored is its hash, and with it this value. The token is
//! new after every sign-in and every second factor, so a token that somebody planted in a browser never becomes a
//! session. A session lives as long as its account lets it: while its epoch is the account's and its browser is in the
//! account's list.

use chatward_message::{AccountId, Action, DeviceId, Factor, TenantId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::account::{Account, State, StoredError};
use super::choices;
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::{Rules, With};
use super::secret::{Random, Secret, Token, TokenHash, TokenKind, id};
use crate::caller::NoRandom;

/// The cookie of a session. Only we can set a cookie of this name, and only over TLS (RFC 6265bis, 4.1.3.2).
pub const SESSION_COOKIE: &str = "__Host-chatward-session";
/// The same of staff. Cookies do not know ports: with one name, who is signed in to both listeners of one machine would be
/// signed out of the other by each.
pub const STAFF_SESSION_COOKIE: &str = "__Host-chatward-staff";
/// The cookie of a browser that is about to sign in.
pub const PRE_SESSION_COOKIE: &str = "__Host-chatward-before";
/// So many browsers are signed in to one account at most; a further one signs out the one seen longest ago.
pub const DEVICES_MAX: usize = 20;

/// One factor that was shown in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    pub(super) factor: Factor,
    pub(super) at: UnixMillis,
    /// Whether it counts as a second factor: not if it was set up after a recovery and still waits.
    pub(super) trusted: bool,
    /// A passkey that cannot leave its device.
    pub(super) device_bound: bool,
}

impl Shown {
    pub(super) fn first(factor: Factor, at: UnixMillis) -> Self {
        Self { factor, at, trusted: false, device_bound: false }
    }
}

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    tenant: TenantId,
    account: AccountId,
    token: TokenHash,
    form: Secret<32>,
    staff: bool,
    begun: UnixMillis,
    seen: UnixMillis,
    epoch: u64,
    device: DeviceId,
    shown: Vec<Shown>,
    /// Begun with a recovery code, and no second factor was shown since.
    pub(super) recovered: bool,
}

/// A browser that is signed in to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its id, to sign it out by.
    pub id: DeviceId,
    /// What it is, coarsely.
    pub name: DeviceName,
    /// Since when.
    pub first_seen: UnixMillis,
    /// When it last showed a factor.
    pub last_seen: UnixMillis,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$of])* $variant,)+ }

        impl $name {
            /// The word for it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Which browser.
    Browser {
        /// Microsoft's.
        Edge = "Edge",
        /// Opera.
        Opera = "Opera",
        /// Mozilla's.
        Firefox = "Firefox",
        /// Google's, or one built on it.
        Chrome = "Chrome",
        /// Apple's.
        Safari = "Safari",
        /// Any other.
        Other = "Browser",
    }
}

words! {
    /// Which system.
    System {
        /// iPhone and iPad.
        Ios = "iOS",
        /// Android.
        Android = "Android",
        /// Windows.
        Windows = "Windows",
        /// macOS.
        Mac = "macOS",
        /// ChromeOS.
        ChromeOs = "ChromeOS",
        /// Linux.
        Linux = "Linux",
        /// Any other.
        Other = "unknown system",
    }
}

/// What a browser is, as coarsely as its owner needs it to tell two apart. No version, no model: words of two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceName {
    /// Which browser.
    pub browser: Browser,
    /// Which system.
    pub system: System,
}

impl DeviceName {
    /// Read from a `User-Agent`.
    pub fn of(agent: &str) -> Self {
        // Browsers name those they descend from; so the order matters.
        let browser = [
            ("Edg", Browser::Edge),
            ("OPR/", Browser::Opera),
            ("Firefox/", Browser::Firefox),
            ("FxiOS/", Browser::Firefox),
            ("Chrome/", Browser::Chrome),
            ("CriOS/", Browser::Chrome),
            ("Safari/", Browser::Safari),
        ];
        let system = [
            ("iPhone", System::Ios),
            ("iPad", System::Ios),
            ("Android", System::Android),
            ("Windows", System::Windows),
            ("CrOS", System::ChromeOs),
            ("Mac OS X", System::Mac),
            ("Linux", System::Linux),
        ];
        let find = |word: &str| agent.contains(word);
        Self {
            browser: browser.iter().find(|(word, _)| find(word)).map_or(Browser::Other, |(_, b)| *b),
            system: system.iter().find(|(word, _)| find(word)).map_or(System::Other, |(_, s)| *s),
        }
    }
}

/// The browser that signs in, or shows a second factor.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The hash of the pre-session cookie that it sent.
    pub pre_session: TokenHash,
    /// The hash of the session cookie that it sent, if any: that session ends.
    pub session: Option<TokenHash>,
    /// What it is.
    pub device: DeviceName,
}

/// Somebody is signed in: what to store, what to send, what to drop.
#[derive(Debug)]
pub struct SignedIn {
    /// To be stored under its token's hash.
    pub session: Session,
    /// For the browser's cookie.
    pub token: Token,
    /// The sessions that this one replaces: to be dropped in the same transaction.
    pub ends: Vec<TokenHash>,
}

/// What a session is good enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The page on which factors are set up and shown.
    Security,
    /// Everything that touches no stored personal data.
    Pages,
    /// Stored personal data, and changes to how one signs in: a second factor within the last minutes.
    Fresh,
    /// Keys: such a second factor that cannot leave its device.
    DeviceBound,
}

impl Session {
    /// Begins a session in this account, in a browser that is new to it.
    pub(super) fn begin(
        draft: &mut Draft,
        shown: Shown,
        arrival: &Arrival,
        with: &mut With<'_>,
    ) -> Result<SignedIn, Refused> {
        let account = &mut draft.account;
        let device = DeviceId::from_bytes(id(with.random)?);
        if account.devices.len() >= DEVICES_MAX {
            let longest = account.devices.iter().enumerate().min_by_key(|(_, device)| device.last_seen);
            if let Some((index, _)) = longest {
                account.devices.remove(index);
            }
        }
        let (first_seen, last_seen) = (with.now, with.now);
        account.devices.push(Device { id: device, name: arrival.device, first_seen, last_seen });
        let (token, hash) = Token::new(TokenKind::Session, with.random)?;
        let session = Self {
            tenant: account.tenant.clone(),
            account: account.id,
            token: hash,
            form: Secret::random(with.random)?,
            staff: account.is_staff(),
            begun: with.now,
            seen: with.now,
            epoch: account.epoch,
            device,
            shown: vec![shown],
            recovered: shown.factor == Factor::RecoveryCode,
        };
        Ok(SignedIn { session, token, ends: arrival.session.into_iter().collect() })
    }

    /// The same session after another factor was shown: under a new token, as old as before.
    pub(super) fn step_up(
        &self,
        draft: &mut Draft,
        shown: Shown,
        with: &mut With<'_>,
    ) -> Result<SignedIn, Refused> {
        let (token, hash) = Token::new(TokenKind::Session, with.random)?;
        let mut session = self.clone();
        session.token = hash;
        session.form = Secret::random(with.random)?;
        session.seen = with.now;
        session.shown.retain(|before| before.factor != shown.factor);
        session.shown.push(shown);
        session.recovered = (self.recovered || shown.factor == Factor::RecoveryCode) && !shown.trusted;
        if let Some(device) = draft.account.devices.iter_mut().find(|device| device.id == self.device) {
            device.last_seen = with.now;
        }
        Ok(SignedIn { session, token, ends: vec![self.token] })
    }

    /// In whose house.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Whose account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The hash of the token, under which the session is stored.
    pub fn token(&self) -> &TokenHash {
        &self.token
    }

    /// Whether it is a member of staff's.
    pub fn is_staff(&self) -> bool {
        self.staff
    }

    /// The browser.
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The factors shown so far.
    pub fn factors(&self) -> impl Iterator<Item = Factor> {
        self.shown.iter().map(|shown| shown.factor)
    }

    /// Since when.
    pub fn begun(&self) -> UnixMillis {
        self.begun
    }

    /// When it was last used, as far as was noted.
    pub fn seen(&self) -> UnixMillis {
        self.seen
    }

    /// Whether it was begun with a recovery code and nothing better was shown since.
    pub fn is_recovered(&self) -> bool {
        self.recovered
    }

    /// The stored form, in clear: for the vault to seal.
    ///
    /// # Errors
    ///
    /// [`StoredError::NotAnAccount`] if it cannot be written, which no session can bring about.
    pub fn to_bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, StoredError> {
        serde_json::to_vec(self).map(zeroize::Zeroizing::new).map_err(|_| StoredError::NotAnAccount)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// [`StoredError::NotAnAccount`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredError> {
        serde_json::from_slice(bytes).map_err(|_| StoredError::NotAnAccount)
    }

    /// When it ends at the latest.
    pub fn ends_at(&self, rules: &Rules) -> UnixMillis {
        UnixMillis(self.begun.0.saturating_add(rules.lifetimes(self.staff).absolute))
    }

    /// Whether the session counts now, and what to store in its place: it was used a moment ago.
    ///
    /// # Errors
    ///
    /// [`Refused`], with what ended it.
    pub fn used(&self, account: &Account, rules: &Rules, now: UnixMillis) -> Result<Self, Refused> {
        self.lives(account, rules, now)?;
        let seen = self.seen.max(now);
        Ok(Self { seen, ..self.clone() })
    }

    /// Whether the session counts now.
    ///
    /// # Errors
    ///
    /// [`Refused`], with what ended it.
    pub fn lives(&self, account: &Account, rules: &Rules, now: UnixMillis) -> Result<(), Refused> {
        let over = |why| Err(Refused::new(why, Next::SignIn));
        if self.account != account.id || self.tenant != account.tenant || self.staff != account.is_staff() {
            return over(Why::NoSession);
        }
        if matches!(account.state, State::Locked | State::Closed) {
            return account.open_for_sign_in();
        }
        if self.epoch != account.epoch || !account.devices.iter().any(|device| device.id == self.device) {
            return over(Why::SessionEnded);
        }
        // A clock that was set back makes no session younger than it was.
        let now = now.max(self.seen);
        let limits = rules.lifetimes(self.staff);
        if now.0.saturating_sub(self.begun.0) >= limits.absolute {
            return over(Why::SessionOver);
        }
        if now.0.saturating_sub(self.seen.0) >= limits.idle {
            return over(Why::SessionIdle);
        }
        Ok(())
    }

    /// Whether the session counts, and is good enough for this.
    ///
    /// # Errors
    ///
    /// [`Refused`], with what is missing and how to come by it.
    pub fn meets(
        &self,
        need: Need,
        account: &Account,
        rules: &Rules,
        now: UnixMillis,
    ) -> Result<(), Refused> {
        self.lives(account, rules, now)?;
        if need == Need::Security {
            return Ok(());
        }
        account.open_for_sign_in()?;
        if need == Need::Pages && !account.must_have_second_factor() {
            return Ok(());
        }
        let shown = self.strongest();
        if need == Need::Pages && shown.is_some() {
            return Ok(());
        }
        let fresh = self.fresh_factors(rules, now);
        if need != Need::Pages && fresh.clone().any(|s| need == Need::Fresh || s.device_bound) {
            return Ok(());
        }
        let why = match (need, shown) {
            (Need::DeviceBound, _) if fresh.clone().next().is_some() => Why::NeedDeviceBound,
            (_, Some(_)) => Why::NeedFreshFactor,
            (_, None) => Why::NeedSecondFactor,
        };
        Err(self.missing(why, account, rules, now))
    }

    /// What somebody can do to come by a second factor.
    fn missing(&self, why: Why, account: &Account, rules: &Rules, now: UnixMillis) -> Refused {
        // Shown already, but it has to wait: then another one, or time, or somebody else.
        let waits = self.shown.iter().any(|shown| shown.factor == Factor::Passkey && !shown.trusted);
        let mut left = choices::to_step_up(account, self, rules, now);
        if waits {
            left.retain(|choice| *choice != choices::Choice::Passkey);
            if let Some(until) = account.waits_until(now) {
                return Refused::new(Why::FactorWaits, Next::Wait { until, meanwhile: left });
            }
            if account.is_staff() {
                return Refused::new(Why::FactorUnconfirmed, Next::AskAdministrator);
            }
        }
        if !account.has_second_factor() {
            return Refused::new(why, Next::SetUpSecondFactor);
        }
        if why == Why::NeedDeviceBound {
            return Refused::new(why, Next::AskAdministrator);
        }
        let next = if left.is_empty() { Next::AskAdministrator } else { Next::Show(left) };
        Refused::new(why, next)
    }

    /// When a second factor was last shown, if that was a moment ago.
    pub fn second_factor_since(&self, rules: &Rules, now: UnixMillis) -> Option<UnixMillis> {
        self.fresh_factors(rules, now).map(|shown| shown.at).max()
    }

    /// When a second factor was last shown in this session, however long ago.
    pub fn second_factor_at(&self) -> Option<UnixMillis> {
        self.strongest().map(|shown| shown.at)
    }

    fn fresh_factors(&self, rules: &Rules, now: UnixMillis) -> impl Iterator<Item = &Shown> + Clone {
        let fresh = rules.fresh;
        let now = now.max(self.seen);
        self.seconds().filter(move |shown| now.0.saturating_sub(shown.at.0) < fresh)
    }

    /// What counts as a second factor: a passkey, which is two in one; a code of the app, if something else was shown
    /// as well. A recovery code never does.
    fn seconds(&self) -> impl Iterator<Item = &Shown> + Clone {
        let first = self.has_first_factor();
        self.shown.iter().filter(move |shown| match shown.factor {
            Factor::Passkey => shown.trusted,
            Factor::App => shown.trusted && first,
            // A provider that is trusted to have asked for a second factor itself.
            Factor::SingleSignOn => shown.trusted,
            _ => false,
        })
    }

    fn strongest(&self) -> Option<&Shown> {
        self.seconds().max_by_key(|shown| shown.at)
    }

    /// Whether something was shown that a code of the app can stand beside.
    pub(super) fn has_first_factor(&self) -> bool {
        self.shown.iter().any(|shown| shown.factor != Factor::App)
    }

    /// The token that every form of this session carries.
    pub fn form_token(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.form.expose())
    }

    /// Whether a form carries it.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it does not.
    pub fn check_form(&self, token: &str) -> Result<(), Refused> {
        let expected = zeroize::Zeroizing::new(self.form_token());
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), token.as_bytes())
            .map_err(|_| Refused::new(Why::FormToken, Next::StartOver))
    }
}

impl Account {
    /// Begins the first session of an account that was opened on the page a moment ago, by somebody who had nothing to show.
    /// A factor of its own is set up next; until then the account is only this browser's.
    pub fn begin_on_page(self, arrival: &Arrival, with: &mut With<'_>) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            // Only where nobody could lose anything: later it would be a way in without a factor.
            if draft.account.is_staff() || draft.account.revision > 1 {
                return Err(Refused::new(Why::AlreadySetUp, Next::SignIn));
            }
            let signed_in = Session::begin(draft, Shown::first(Factor::Page, with.now), arrival, with)?;
            draft.note_factor(Action::SignedIn, Factor::Page);
            Ok(signed_in)
        })
    }

    /// Ends one browser's session: its own, or another of the list.
    pub fn sign_out(self, session: &Session, device: DeviceId, rules: &Rules, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            session.meets(Need::Security, &draft.account, rules, now)?;
            let before = draft.account.devices.len();
            draft.account.devices.retain(|other| other.id != device);
            if draft.account.devices.len() == before {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            }
            draft.note(Action::SignedOut, chatward_message::Facts::default());
            Ok(())
        })
    }

    /// Ends every session of the account, this one too.
    pub fn sign_out_everywhere(self, session: &Session, rules: &Rules, now: UnixMillis) -> Change<()> {
        Draft::run(self, now, |draft| {
            session.meets(Need::Security, &draft.account, rules, now)?;
            draft.account.end_sessions();
            draft.note(Action::SignedOutEverywhere, chatward_message::Facts::default());
            Ok(())
        })
    }

    /// Until when the first of the passkeys that wait has to wait.
    fn waits_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.passkeys.iter().filter_map(|entry| entry.waits_until(now)).min()
    }

    /// The factors of a whole sign-in were shown: what failed with them before no longer counts.
    pub(super) fn forgive(&mut self, session: &Session) {
        if session.strongest().is_some() || !self.must_have_second_factor() {
            session.factors().for_each(|factor| self.tries.forget(factor));
        }
    }

    /// What to do when a try is refused because too many failed.
    pub(super) fn may_guess(&self, rules: &Rules, now: UnixMillis) -> Result<(), Refused> {
        use super::tries::Standing;
        let meanwhile = choices::to_sign_in(self, rules, now);
        match self.tries.standing(now) {
            Standing::Open => Ok(()),
            Standing::Paused(until) => Err(Refused::new(Why::Paused, Next::Wait { until, meanwhile })),
            Standing::UsedUp if meanwhile.is_empty() => {
                Err(Refused::new(Why::TriesUsedUp, Next::AskAdministrator))
            }
            Standing::UsedUp => Err(Refused::new(Why::TriesUsedUp, Next::Show(meanwhile))),
        }
    }
}

/// A browser that is about to sign in: what its cookie holds, and the hash to which what it begins is bound.
///
/// # Errors
///
/// [`NoRandom`] if there are no random numbers.
pub fn pre_session(random: &mut dyn Random) -> Result<(Token, TokenHash), NoRandom> {
    Token::new(TokenKind::PreSession, random)
}

/// The name of the cookie of a session: of staff's, or of a customer's.
pub const fn session_cookie(staff: bool) -> &'static str {
    if staff { STAFF_SESSION_COOKIE } else { SESSION_COOKIE }
}

/// The hash of a pre-session cookie that came back: what was begun in its browser is bound to it.
pub fn pre_session_hash(token: &str) -> TokenHash {
    TokenHash::of(TokenKind::PreSession, token)
}

/// The `Set-Cookie` of a token: out of reach of scripts, sent to us only, over TLS only, and not with what another site
/// has a browser do behind its user's back. It is gone when the browser closes.
pub fn set_cookie(name: &'static str, token: &Token) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(format!("{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.expose()))
}

/// The `Set-Cookie` that takes one away.
pub fn drop_cookie(name: &'static str) -> String {
    format!("{name}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}
