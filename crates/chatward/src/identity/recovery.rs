//! Recovery codes: ten at a time, eighty random bits each, kept as keyed hashes, each good for once.
//!
//! A recovery code never stands for a second factor. Who comes in with one alone may set up a new passkey or app, but it
//! counts only after three days (customers: time for the owner to see it and sign everybody out) or once an
//! administrator has confirmed it (staff). With a code of the app beside it, it is as good as any other sign-in.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chatward_message::{AccountId, Action, Factor, TenantId, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::account::Account;
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::With;
use super::secret::Secret;
use super::session::{Arrival, Need, Session, Shown, SignedIn};
use crate::caller::KeyedHash;

/// So many codes are made at a time.
pub const CODES: usize = 10;
/// How long a customer's new factor waits that was set up after a recovery.
pub const WAIT: u64 = 72 * 60 * 60_000;

/// Crockford's base32: no letter that is read as another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Random bytes of a code, and the letters that they make.
const CODE_BYTES: usize = 10;
const CODE_LETTERS: usize = 16;

/// What is kept of the codes that are left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodes {
    left: Vec<Secret<16>>,
    made: UnixMillis,
}

impl RecoveryCodes {
    /// How many are left.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Uses up the code with this hash. All are compared, whichever it is.
    fn take(&mut self, hash: &Secret<16>) -> bool {
        let mut place = None;
        for (n, kept) in self.left.iter().enumerate() {
            if verify_slices_are_equal(kept.expose(), hash.expose()).is_ok() {
                place = Some(n);
            }
        }
        place.map(|n| self.left.remove(n)).is_some()
    }
}

/// Codes as they are shown, once.
pub struct ShownCodes(Vec<Zeroizing<String>>);

impl ShownCodes {
    /// The codes: for their owner, and for nobody else.
    pub fn expose(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|code| code.as_str())
    }
}

impl std::fmt::Debug for ShownCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShownCodes({})", self.0.len())
    }
}

impl Account {
    /// Makes ten codes; those before are gone.
    pub fn make_recovery_codes(
        self,
        session: &Session,
        keyed: impl KeyedHash,
        with: &mut With<'_>,
    ) -> Change<ShownCodes> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Fresh, &draft.account, with.rules, with.now)?;
            let mut codes = Vec::with_capacity(CODES);
            let mut left = Vec::with_capacity(CODES);
            for _ in 0..CODES {
                let code = spell(&Secret::random(with.random)?);
                left.push(hash(&draft.account.tenant, draft.account.id, &code, &keyed)?);
                codes.push(grouped(&code));
            }
            draft.account.recovery = Some(RecoveryCodes { left, made: with.now });
            draft.account.tries.forget(Factor::RecoveryCode);
            draft.note_factor(Action::FactorAdded, Factor::RecoveryCode);
            Ok(ShownCodes(codes))
        })
    }

    /// Comes in with a recovery code.
    pub fn sign_in_with_recovery_code(
        self,
        code: &str,
        arrival: &Arrival,
        keyed: impl KeyedHash,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            use_code(draft, code, keyed, with)?;
            draft.account.open_for_sign_in().map_err(|no| draft.failed(Factor::RecoveryCode, no))?;
            let shown = Shown::first(Factor::RecoveryCode, with.now);
            let signed_in = Session::begin(draft, shown, arrival, with)?;
            draft.account.forgive(&signed_in.session);
            draft.note_factor(Action::SignedIn, Factor::RecoveryCode);
            Ok(signed_in)
        })
    }

    /// Shows a recovery code in a session that was begun with something else, because the second factor is lost.
    pub fn recover(
        self,
        code: &str,
        session: &Session,
        keyed: impl KeyedHash,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Security, &draft.account, with.rules, with.now)?;
            use_code(draft, code, keyed, with)?;
            let stepped = session.step_up(draft, Shown::first(Factor::RecoveryCode, with.now), with)?;
            draft.note_factor(Action::SignedIn, Factor::RecoveryCode);
            Ok(stepped)
        })
    }
}

/// Uses up a code, or counts a failed try.
fn use_code(draft: &mut Draft, code: &str, keyed: impl KeyedHash, with: &With<'_>) -> Result<(), Refused> {
    draft.account.may_guess(with.rules, with.now).map_err(|no| draft.failed(Factor::RecoveryCode, no))?;
    // The hash is made also where there are no codes, so that this takes as long.
    let given = hash(&draft.account.tenant, draft.account.id, &read(code), &keyed)?;
    if !draft.account.recovery.as_mut().is_some_and(|codes| codes.take(&given)) {
        return Err(draft.wrong(Factor::RecoveryCode, Why::WrongRecoveryCode));
    }
    draft.keep();
    Ok(())
}

/// A keyed hash, so that a stolen store tells nobody what to try.
fn hash(
    tenant: &TenantId,
    account: AccountId,
    code: &str,
    keyed: &impl KeyedHash,
) -> Result<Secret<16>, Refused> {
    let mut hash = keyed.hash(tenant, "recovery-code", &[account.as_bytes(), code.as_bytes()]);
    let kept = Secret::copy_of(&hash);
    hash.zeroize();
    Ok(kept)
}

fn spell(secret: &Secret<CODE_BYTES>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(CODE_LETTERS));
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in secret.expose() {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let letter = LETTERS.get((held >> bits & 31) as usize).copied().unwrap_or(b'0');
            text.push(char::from(letter));
        }
    }
    text
}

/// In groups of four, as people read them out.
fn grouped(code: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(CODE_LETTERS + 3));
    for (n, letter) in code.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

/// As people type them: in either case, with or without dashes and spaces, with the letters that the alphabet leaves
/// out for the digits that they look like.
fn read(code: &str) -> Zeroizing<String> {
    let letters = code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(CODE_LETTERS + 1);
    let mut text = Zeroizing::new(String::with_capacity(CODE_LETTERS + 4));
    for letter in letters {
        text.push(match letter.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        });
    }
    text
}

impl Drop for ShownCodes {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// For the refusal of a name that nobody has: like a wrong code.
pub fn unknown_name() -> Refused {
    Refused::new(Why::UnknownName, Next::TryAgain)
}
