//! Passkeys (WebAuthn): set up and shown, with `webauthn-rs` for what the standard asks.
//!
//! A passkey checks its user (a PIN, a finger) before it signs, so it is two factors in one; an answer without that
//! check is refused. Challenges hold no credentials: an answer is always held against the passkeys that the account has
//! at that moment. A counter that did not move on means that there are two of a passkey; it signs in no more.

use std::fmt;

use chatward_message::{AccountId, Action, Factor, TenantId, UnixMillis};
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::{
    CreationChallengeResponse, Credential, CredentialID, DiscoverableAuthentication, Passkey,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse, Url,
    Uuid, WebauthnError,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::{AllowCredentials, ResidentKeyRequirement};

use super::account::{Account, State, Trust};
use super::ceremony::{Bound, CEREMONY_LIFE, CeremonyKey, Opened, Purpose, SealedCeremony};
use super::choices;
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::With;
use super::secret::{SecretText, TokenHash};
use super::session::{Arrival, Need, Session, Shown, SignedIn};
use super::staff::set_up_at_last;
use crate::caller::{KeyedHash, NoRandom};

/// So many passkeys an account may have.
pub const PASSKEYS_MAX: usize = 16;
/// A browser's answer is not longer, in bytes.
pub const ANSWER_MAX: usize = 64 * 1024;
/// A passkey's label is not longer, in characters.
pub const LABEL_MAX: usize = 64;

/// A passkey of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyEntry {
    key: Passkey,
    label: SecretText,
    added: UnixMillis,
    last_used: Option<UnixMillis>,
    /// Whether it may be copied to other devices, as it said when it was set up. It may not change its mind.
    backup_eligible: bool,
    counter: u32,
    pub(super) trust: Trust,
    cloned: Option<UnixMillis>,
}

impl PartialEq for PasskeyEntry {
    fn eq(&self, other: &Self) -> bool {
        // The key itself is compared by its id, as its library does.
        self.key == other.key
            && self.label == other.label
            && (self.added, self.last_used) == (other.added, other.last_used)
            && (self.counter, self.trust, self.cloned) == (other.counter, other.trust, other.cloned)
    }
}

impl PasskeyEntry {
    /// Its id, as the device names it.
    pub fn id(&self) -> &CredentialID {
        self.key.cred_id()
    }

    /// What its owner calls it.
    pub fn label(&self) -> &SecretText {
        &self.label
    }

    /// Since when.
    pub fn added(&self) -> UnixMillis {
        self.added
    }

    /// When it was last shown.
    pub fn last_used(&self) -> Option<UnixMillis> {
        self.last_used
    }

    /// Whether it cannot leave its device.
    pub fn is_device_bound(&self) -> bool {
        !self.backup_eligible
    }

    /// Whether it was found to be copied.
    pub fn is_cloned(&self) -> bool {
        self.cloned.is_some()
    }

    /// From when on it counts as a second factor.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether it signs in.
    pub(super) fn works(&self) -> bool {
        self.cloned.is_none()
    }

    pub(super) fn waits_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        match self.trust {
            Trust::From(then) if then > now && self.works() => Some(then),
            _ => None,
        }
    }
}

/// A fault of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Not an address of a web site.
    #[error("the origin must be `https://` and a name (`http://localhost` for a trial)")]
    Origin,
    /// The site's name is not the origin's host or a domain above it.
    #[error("the passkeys' site must be the origin's host, or a domain above it")]
    Site,
}

/// The site that passkeys are made for. Its name (`rpId`) can never be changed: all passkeys would be lost.
#[derive(Debug, Clone)]
pub struct Passkeys {
    webauthn: Webauthn,
}

/// What was begun: options for the browser, and a state to be given back with its answer.
pub struct Begun<T> {
    /// For `navigator.credentials`, as JSON.
    pub options: T,
    /// To be brought back.
    pub sealed: SealedCeremony,
}

impl<T> fmt::Debug for Begun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

/// What a browser comes back with: its answer, and the sealed state of what it answers.
#[derive(Debug)]
pub struct Answered<'a, T> {
    /// The answer.
    pub answer: &'a T,
    /// The state.
    pub sealed: &'a SealedCeremony,
}

impl<T> Copy for Answered<'_, T> {}

impl<T> Clone for Answered<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A browser's answer to a challenge.
#[derive(Debug)]
pub struct Assertion(PublicKeyCredential);

impl Assertion {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`Why::BadAnswer`] for anything else.
    pub fn parse(json: &[u8]) -> Result<Self, Refused> {
        parse(json).map(Self)
    }

    /// Whose passkey it claims to be: which account to read. Nothing is proven yet.
    ///
    /// # Errors
    ///
    /// [`Why::PasskeyUnknown`] if it does not say.
    pub fn whose(&self) -> Result<AccountId, Refused> {
        let unknown = || Refused::new(Why::PasskeyUnknown, Next::StartOver);
        let handle = self.0.get_user_unique_id().ok_or_else(unknown)?;
        let bytes: [u8; 16] = handle.try_into().map_err(|_| unknown())?;
        Ok(AccountId::from_bytes(bytes))
    }
}

/// A browser's answer to the wish for a new passkey.
#[derive(Debug)]
pub struct Attestation(RegisterPublicKeyCredential);

impl Attestation {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// [`Why::BadAnswer`] for anything else.
    pub fn parse(json: &[u8]) -> Result<Self, Refused> {
        parse(json).map(Self)
    }
}

fn parse<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, Refused> {
    let bad = || Refused::new(Why::BadAnswer, Next::StartOver);
    if json.len() > ANSWER_MAX {
        return Err(bad());
    }
    serde_json::from_slice(json).map_err(|_| bad())
}

/// The key under which storage keeps, in the same transaction, that this passkey belongs to this account and to no
/// other (WebAuthn, 7.1, step 26).
pub fn passkey_key(tenant: &TenantId, id: &CredentialID, keyed: impl KeyedHash) -> [u8; 16] {
    keyed.hash(tenant, "passkey", &[id.as_slice()])
}

impl Passkeys {
    /// For this site (`rpId`, a domain), at this origin, called so in the browser's dialog.
    ///
    /// # Errors
    ///
    /// [`SiteError`] for a fault of the configuration.
    pub fn new(site: &str, origin: &str, name: &str) -> Result<Self, SiteError> {
        let origin = Url::parse(origin).map_err(|_| SiteError::Origin)?;
        let trial = origin.scheme() == "http" && origin.domain() == Some("localhost");
        if origin.scheme() != "https" && !trial {
            return Err(SiteError::Origin);
        }
        let webauthn = WebauthnBuilder::new(site, &origin)
            .and_then(|builder| {
                builder.rp_name(name).timeout(std::time::Duration::from_millis(CEREMONY_LIFE)).build()
            })
            .map_err(|_| SiteError::Site)?;
        Ok(Self { webauthn })
    }

    /// Begins to set up a passkey, in this session.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the session is not good enough for it.
    pub fn begin_registration(
        &self,
        account: &Account,
        session: &Session,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Result<Begun<CreationChallengeResponse>, Refused> {
        account.may_add_factor(session, with)?;
        if account.passkeys.len() >= PASSKEYS_MAX {
            return Err(Refused::new(Why::TooMany, Next::RemoveOne));
        }
        let known = account.passkeys.iter().map(|entry| entry.id().clone()).collect();
        let handle = Uuid::from_bytes(*account.id.as_bytes());
        let name = account.name.expose();
        let (mut options, state) =
            self.webauthn.start_passkey_registration(handle, name, name, Some(known)).map_err(library)?;
        // To be found without a name where the device can do that, and not refused where it cannot.
        if let Some(selection) = &mut options.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Preferred);
        }
        let bound = account.bound(Purpose::Register, session.token());
        let sealed = key.seal(bound, &state, with.now, with.random)?;
        Ok(Begun { options, sealed })
    }

    /// Begins to sign in, in this browser: nobody is known yet, and the device itself finds the passkey.
    ///
    /// # Errors
    ///
    /// [`Refused`] if something on our side does not work.
    pub fn begin_sign_in(
        &self,
        tenant: &TenantId,
        pre_session: &TokenHash,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Result<Begun<RequestChallengeResponse>, Refused> {
        let (mut options, state) = self.webauthn.start_discoverable_authentication().map_err(library)?;
        // The page says whether the browser offers passkeys by itself.
        options.mediation = None;
        let bound = Bound { purpose: Purpose::SignIn, tenant, browser: pre_session, account: None };
        let sealed = key.seal(bound, &state, with.now, with.random)?;
        Ok(Begun { options, sealed })
    }

    /// Begins to show a passkey within a session.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the session is over, or there is no passkey to show.
    pub fn begin_step_up(
        &self,
        account: &Account,
        session: &Session,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Result<Begun<RequestChallengeResponse>, Refused> {
        session.meets(Need::Security, account, with.rules, with.now)?;
        let (mut options, state) = self.webauthn.start_discoverable_authentication().map_err(library)?;
        options.mediation = None;
        options.public_key.allow_credentials = account
            .passkeys
            .iter()
            .filter(|entry| entry.works())
            .map(|entry| AllowCredentials {
                type_: "public-key".to_owned(),
                id: entry.id().as_slice().to_vec(),
                transports: Credential::from(entry.key.clone()).transports,
            })
            .collect();
        if options.public_key.allow_credentials.is_empty() {
            return Err(account.nothing_set_up(session, with));
        }
        let sealed =
            key.seal(account.bound(Purpose::StepUp, session.token()), &state, with.now, with.random)?;
        Ok(Begun { options, sealed })
    }
}

impl Account {
    /// Sets up a passkey. Storage keeps its [`passkey_key`] in the same transaction, where no other account may have it.
    pub fn finish_registration(
        self,
        passkeys: &Passkeys,
        answered: Answered<'_, Attestation>,
        label: &str,
        session: &Session,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Change<CredentialID> {
        Draft::run(self, with.now, |draft| {
            draft.account.may_add_factor(session, with)?;
            let bound = draft.account.bound(Purpose::Register, session.token());
            let opened: Opened<PasskeyRegistration> = key.open(bound, answered.sealed, with.now)?;
            draft.account.use_up(opened.id, opened.until)?;
            let made = passkeys
                .webauthn
                .finish_passkey_registration(&answered.answer.0, &opened.state)
                .map_err(|fault| draft.failed(Factor::Passkey, refused(&fault)))?;
            if draft.account.passkeys.iter().any(|entry| entry.id() == made.cred_id()) {
                return Err(Refused::new(Why::PasskeyKnown, Next::StartOver));
            }
            if draft.account.passkeys.len() >= PASSKEYS_MAX {
                return Err(Refused::new(Why::TooMany, Next::RemoveOne));
            }
            let id = made.cred_id().clone();
            let credential = Credential::from(made.clone());
            draft.account.passkeys.push(PasskeyEntry {
                key: made,
                label: SecretText::new(
                    label.chars().filter(|c| !c.is_control()).take(LABEL_MAX).collect::<String>(),
                ),
                added: with.now,
                last_used: None,
                backup_eligible: credential.backup_eligible,
                counter: credential.counter,
                trust: draft.account.trust_of_new(session, with),
                cloned: None,
            });
            draft.note_factor(Action::FactorAdded, Factor::Passkey);
            set_up_at_last(draft);
            Ok(id)
        })
    }

    /// Signs in with a passkey.
    pub fn sign_in_with_passkey(
        self,
        passkeys: &Passkeys,
        answered: Answered<'_, Assertion>,
        arrival: &Arrival,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            let tenant = draft.account.tenant.clone();
            let bound = Bound {
                purpose: Purpose::SignIn,
                tenant: &tenant,
                browser: &arrival.pre_session,
                account: None,
            };
            let opened = key.open(bound, answered.sealed, with.now)?;
            if answered.answer.whose()? != draft.account.id {
                return Err(Refused::new(Why::PasskeyUnknown, Next::StartOver));
            }
            let shown = show(draft, passkeys, answered.answer, opened)?;
            draft.keep();
            draft.account.open_for_sign_in().map_err(|no| draft.failed(Factor::Passkey, no))?;
            let signed_in = Session::begin(draft, shown, arrival, with)?;
            draft.note_factor(Action::SignedIn, Factor::Passkey);
            Ok(signed_in)
        })
    }

    /// Shows a passkey within a session.
    pub fn step_up_with_passkey(
        self,
        passkeys: &Passkeys,
        answered: Answered<'_, Assertion>,
        session: &Session,
        key: &CeremonyKey,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Security, &draft.account, with.rules, with.now)?;
            let opened =
                key.open(draft.account.bound(Purpose::StepUp, session.token()), answered.sealed, with.now)?;
            // A device that has many passkeys may say whose it shows; then it must be this account's.
            if answered.answer.0.get_user_unique_id().is_some()
                && answered.answer.whose()? != draft.account.id
            {
                return Err(Refused::new(Why::PasskeyUnknown, Next::StartOver));
            }
            let shown = show(draft, passkeys, answered.answer, opened)?;
            draft.keep();
            let stepped = session.step_up(draft, shown, with)?;
            draft.account.forgive(&stepped.session);
            draft.note_factor(Action::SteppedUp, Factor::Passkey);
            Ok(stepped)
        })
    }

    /// Removes a passkey.
    pub fn remove_passkey(self, id: &[u8], session: &Session, with: &mut With<'_>) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Fresh, &draft.account, with.rules, with.now)?;
            if !draft.account.passkeys.iter().any(|entry| entry.id().as_slice() == id) {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            }
            draft.account.passkeys.retain(|entry| entry.id().as_slice() != id);
            draft.account.still_complete(with.now)?;
            draft.note_factor(Action::FactorRemoved, Factor::Passkey);
            Ok(())
        })
    }

    pub(super) fn bound<'a>(&'a self, purpose: Purpose, browser: &'a TokenHash) -> Bound<'a> {
        Bound { purpose, tenant: &self.tenant, browser, account: Some(self.id) }
    }

    /// Whether something that signs in may be set up in this session: with a fresh second factor; without one only
    /// where there is none yet, or after a recovery, and then it has to wait.
    pub(super) fn may_add_factor(&self, session: &Session, with: &With<'_>) -> Result<(), Refused> {
        session.meets(Need::Security, self, with.rules, with.now)?;
        let invited = matches!(self.state, State::Invited { .. });
        if invited || !self.has_second_factor() || session.recovered {
            return Ok(());
        }
        session.meets(Need::Fresh, self, with.rules, with.now)
    }

    /// From when on something counts that is set up in this session.
    pub(super) fn trust_of_new(&self, session: &Session, with: &With<'_>) -> Trust {
        match (session.recovered, self.is_staff()) {
            (false, _) => Trust::Now,
            (true, true) => Trust::Unconfirmed,
            (true, false) => Trust::From(super::rules::after(with.now, super::recovery::WAIT)),
        }
    }

    /// There is nothing of the kind to show: what there is instead.
    pub(super) fn nothing_set_up(&self, session: &Session, with: &With<'_>) -> Refused {
        let left = choices::to_step_up(self, session, with.rules, with.now);
        let next = if left.is_empty() { Next::SetUpSecondFactor } else { Next::Show(left) };
        Refused::new(Why::NotSetUp, next)
    }
}

/// Holds an answer against the passkeys of the account as they are now.
fn show(
    draft: &mut Draft,
    passkeys: &Passkeys,
    answer: &Assertion,
    opened: Opened<DiscoverableAuthentication>,
) -> Result<Shown, Refused> {
    draft.account.use_up(opened.id, opened.until).map_err(|no| draft.failed(Factor::Passkey, no))?;
    let now = draft.now;
    let id = answer.0.get_credential_id();
    let place = draft.account.passkeys.iter().position(|entry| entry.id().as_slice() == id);
    let unknown = || Refused::new(Why::PasskeyUnknown, Next::StartOver);
    let Some(entry) = place.and_then(|place| draft.account.passkeys.get_mut(place)) else {
        return Err(draft.failed(Factor::Passkey, unknown()));
    };
    let stored = Credential::from(entry.key.clone());
    let result = passkeys.webauthn.finish_discoverable_authentication_v2(&answer.0, opened.state, stored);
    let result = match result {
        Ok(result) => result,
        Err(fault) => {
            // The signature was right, so this is the key itself, or a copy of it.
            let cloned = matches!(fault, WebauthnError::CredentialPossibleCompromise) && entry.works();
            if cloned {
                entry.cloned = Some(now);
                draft.note_factor(Action::PasskeyCloned, Factor::Passkey);
                draft.keep();
            }
            return Err(draft.failed(Factor::Passkey, refused(&fault)));
        }
    };
    let (moved_on, verified) = (result.counter() > entry.counter, result.user_verified());
    let same_kind = result.backup_eligible() == entry.backup_eligible;
    let fault = if entry.cloned.is_some() || (entry.counter > 0 && !moved_on) {
        Some(Why::PasskeyCloned)
    } else if !verified {
        Some(Why::PasskeyUnverified)
    } else if !same_kind {
        Some(Why::PasskeyChanged)
    } else {
        None
    };
    if let Some(why) = fault {
        return Err(draft.failed(Factor::Passkey, Refused::new(why, Next::Show(vec![choices::Choice::Help]))));
    }
    // The library panics where the kind changes, which was ruled out above.
    entry.key.update_credential(&result);
    entry.counter = result.counter();
    entry.last_used = Some(now);
    Ok(Shown {
        factor: Factor::Passkey,
        at: now,
        trusted: entry.trust.holds(now),
        device_bound: entry.is_device_bound(),
    })
}

/// What the library found, in our words.
fn refused(fault: &WebauthnError) -> Refused {
    let why = match fault {
        WebauthnError::InvalidRPOrigin => Why::PasskeyOrigin,
        WebauthnError::InvalidRPIDHash => Why::PasskeySite,
        WebauthnError::UserNotVerified | WebauthnError::UserNotPresent => Why::PasskeyUnverified,
        WebauthnError::CredentialNotFound => Why::PasskeyUnknown,
        WebauthnError::CredentialPossibleCompromise => Why::PasskeyCloned,
        WebauthnError::CredentialBackupEligibilityInconsistent
        | WebauthnError::CredentialMayNotBeHardwareBound => Why::PasskeyChanged,
        WebauthnError::MismatchedChallenge => Why::OtherCeremony,
        _ => Why::PasskeyForged,
    };
    let next = match why {
        Why::PasskeyCloned | Why::PasskeyChanged => Next::Show(vec![choices::Choice::Help]),
        _ => Next::StartOver,
    };
    Refused::new(why, next)
}

fn library(_: WebauthnError) -> Refused {
    Refused::from(NoRandom)
}
