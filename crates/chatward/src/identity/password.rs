//! Passwords of staff, where the house allows them: Argon2id, twelve characters, none that is known from a breach.
//!
//! A password is checked in two steps. [`check`] does the costly part: exactly one call of Argon2, whether or not anybody
//! has the name, has a password, or has to wait. What it found is then held against the account as it is.

use std::io::{self, Read, Seek, SeekFrom};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chatward_message::{Action, Factor};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::account::{Account, State};
use super::choices::{Audience, for_anyone};
use super::outcome::{Change, Draft, Next, Refused, Why};
use super::rules::{Rules, With};
use super::secret::{Secret, SecretText};
use super::session::{Arrival, Need, Session, Shown, SignedIn};
use crate::caller::NoRandom;

/// Characters, at least (NIST SP 800-63B-4, 3.1.1.2 asks for eight beside a second factor; PCI DSS 8.3.6 for twelve).
pub const PASSWORD_MIN: usize = 12;
/// Characters, at most.
pub const PASSWORD_MAX: usize = 256;

/// What a hash costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What a new hash costs: 19 MiB, two passes, one lane.
    pub const NOW: Self = Self { memory: 19 * 1024, passes: 2, lanes: 1 };
}

/// The hash of a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordHash {
    cost: Cost,
    salt: Secret<16>,
    hash: Secret<32>,
}

/// The function that hashes passwords: an argument, so that a test can count its calls.
pub trait Hasher {
    /// The hash of this password, with this salt, at this cost.
    ///
    /// # Errors
    ///
    /// [`NoRandom`] if there is not enough memory for it.
    fn hash(&self, password: &[u8], salt: &[u8; 16], cost: Cost) -> Result<Secret<32>, NoRandom>;
}

/// Argon2id, version 1.3.
#[derive(Debug, Clone, Copy, Default)]
pub struct Argon2id;

impl Hasher for Argon2id {
    fn hash(&self, password: &[u8], salt: &[u8; 16], cost: Cost) -> Result<Secret<32>, NoRandom> {
        let Cost { memory, passes, lanes } = cost;
        let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| NoRandom)?;
        let mut out = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password, salt, &mut out[..])
            .map_err(|_| NoRandom)?;
        Ok(Secret::copy_of(&out))
    }
}

/// What [`check`] found.
#[derive(Debug, Clone)]
pub struct Checked {
    against: Option<PasswordHash>,
    right: bool,
}

/// Checks a password against this account's, or against nothing at the same cost.
///
/// # Errors
///
/// [`Refused`] if something on our side does not work.
pub fn check(account: Option<&Account>, password: &str, hasher: &impl Hasher) -> Result<Checked, Refused> {
    let against = account.and_then(|account| account.password.clone());
    let (cost, salt) = match &against {
        Some(stored) => (stored.cost, stored.salt.clone()),
        None => (Cost::NOW, Secret::copy_of(b"nobody has a one")),
    };
    // Longer than any password we took; it is cut, so that a huge one costs nothing more.
    let typed: String = password.chars().take(PASSWORD_MAX + 1).collect();
    let hash = hasher.hash(normal(&Zeroizing::new(typed)).as_bytes(), salt.expose(), cost)?;
    let expected = against.as_ref().map_or([0; 32], |stored| *stored.hash.expose());
    let same = verify_slices_are_equal(hash.expose(), &expected).is_ok();
    let right = same && against.is_some();
    Ok(Checked { against, right })
}

/// The refusal of a name that nobody has, after [`check`] found nothing.
pub fn unknown_name(_checked: Checked, rules: &Rules) -> Refused {
    Refused::new(Why::UnknownName, Next::Show(for_anyone(Audience::Staff, rules)))
}

/// One password however it was typed: letters and their accents are put together (NIST SP 800-63B-4, 3.1.1.2).
fn normal(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfc().collect())
}

impl Account {
    /// Signs in with name and password. Members of staff then show a second factor.
    pub fn sign_in_with_password(
        self,
        checked: Checked,
        arrival: &Arrival,
        with: &mut With<'_>,
    ) -> Change<SignedIn> {
        Draft::run(self, with.now, |draft| {
            let factor = Factor::Password;
            let no = |why| Refused::new(why, Next::Show(for_anyone(Audience::Staff, with.rules)));
            if !with.rules.passwords || !draft.account.is_staff() {
                return Err(draft.failed(factor, no(Why::PasswordsOff)));
            }
            draft.account.may_guess(with.rules, with.now).map_err(|no| draft.failed(factor, no))?;
            draft.account.open_for_sign_in().map_err(|no| draft.failed(factor, no))?;
            if draft.account.password.is_none() {
                return Err(draft.failed(factor, no(Why::NoPassword)));
            }
            // It was changed while this one was checked.
            let same = checked.against == draft.account.password;
            if !same || !checked.right {
                return Err(draft.wrong(factor, Why::WrongPassword));
            }
            let signed_in = Session::begin(draft, Shown::first(factor, with.now), arrival, with)?;
            draft.note_factor(Action::SignedIn, factor);
            Ok(signed_in)
        })
    }

    /// Sets the password, or another one. Every session ends but this one's.
    pub fn set_password(
        self,
        password: &str,
        session: &Session,
        hasher: &impl Hasher,
        breached: &mut dyn BreachList,
        with: &mut With<'_>,
    ) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            let invited = matches!(draft.account.state, State::Invited { .. });
            let need = if invited { Need::Security } else { Need::Fresh };
            session.meets(need, &draft.account, with.rules, with.now)?;
            if !draft.account.is_staff() {
                return Err(Refused::new(Why::NotStaff, Next::Show(vec![super::choices::Choice::Passkey])));
            }
            if !with.rules.passwords {
                return Err(Refused::new(Why::PasswordsOff, Next::AddAnother));
            }
            acceptable(password, &draft.account.name, breached)?;
            let salt = Secret::random(with.random)?;
            let hash = hasher.hash(normal(password).as_bytes(), salt.expose(), Cost::NOW)?;
            draft.account.password = Some(PasswordHash { cost: Cost::NOW, salt, hash });
            draft.account.devices.retain(|device| device.id == session.device());
            draft.account.tries.forget(Factor::Password);
            draft.note_factor(Action::FactorAdded, Factor::Password);
            super::staff::set_up_at_last(draft);
            Ok(())
        })
    }

    /// Removes the password.
    pub fn remove_password(self, session: &Session, with: &mut With<'_>) -> Change<()> {
        Draft::run(self, with.now, |draft| {
            session.meets(Need::Fresh, &draft.account, with.rules, with.now)?;
            if draft.account.password.take().is_none() {
                return Err(Refused::new(Why::NotSetUp, Next::StartOver));
            }
            draft.account.still_complete(with.now)?;
            draft.note_factor(Action::FactorRemoved, Factor::Password);
            Ok(())
        })
    }
}

/// Whether a password may be taken. No rules about capitals and digits: length, and that nobody else is known to have it.
fn acceptable(password: &str, name: &SecretText, breached: &mut dyn BreachList) -> Result<(), Refused> {
    let other = |why| Err(Refused::new(why, Next::ChooseAnother));
    let password = normal(password);
    match password.chars().count() {
        n if n < PASSWORD_MIN => return other(Why::PasswordShort),
        n if n > PASSWORD_MAX => return other(Why::PasswordLong),
        _ => {}
    }
    let folded = Zeroizing::new(password.to_lowercase());
    let name = Zeroizing::new(name.expose().to_lowercase());
    // The part before the @ of an address is its owner's name.
    let name = name.split('@').next().unwrap_or_default();
    if (name.chars().count() >= 4 && folded.contains(name)) || folded.contains("chatward") {
        return other(Why::PasswordName);
    }
    match breached.knows(&password) {
        Ok(false) => Ok(()),
        Ok(true) => other(Why::PasswordBreached),
        Err(_) => Err(Refused::new(Why::Unavailable, Next::TryLater)),
    }
}

/// Passwords that are known from breaches.
pub trait BreachList {
    /// Whether this one is.
    ///
    /// # Errors
    ///
    /// If the list cannot be read: then no password is taken.
    fn knows(&mut self, password: &str) -> io::Result<bool>;
}

/// The list that ships: common passwords of at least twelve characters (`common-passwords.txt` says where from).
#[derive(Debug, Clone, Copy, Default)]
pub struct ShippedList;

const SHIPPED: &str = include_str!("common-passwords.txt");

impl BreachList for ShippedList {
    fn knows(&mut self, password: &str) -> io::Result<bool> {
        let folded = Zeroizing::new(password.to_lowercase());
        Ok(SHIPPED.lines().any(|line| !line.starts_with('#') && line == folded.as_str()))
    }
}

/// The operator's own list: SHA-1 hashes in hex, one a line and in order, each with or without `:` and a count, as "Have I
/// Been Pwned" gives them. It is searched where it lies; it may be many gigabytes long.
#[derive(Debug)]
pub struct HashList<F> {
    file: F,
    length: u64,
}

/// Letters of a hash.
const HASH: usize = 40;
/// No line is longer.
const LINE_MAX: usize = 128;

impl<F: Read + Seek> HashList<F> {
    /// A list in this file.
    ///
    /// # Errors
    ///
    /// If its length cannot be told.
    pub fn new(mut file: F) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, length })
    }

    /// The first line that begins at or after this place: where it begins, and its hash.
    fn line_from(&mut self, place: u64) -> io::Result<Option<(u64, [u8; HASH])>> {
        let from = place.saturating_sub(1);
        let mut bytes = Vec::with_capacity(2 * LINE_MAX);
        self.file.seek(SeekFrom::Start(from))?;
        self.file.by_ref().take(2 * LINE_MAX as u64).read_to_end(&mut bytes)?;
        let skip = if place == 0 {
            0
        } else {
            match bytes.iter().position(|b| *b == b'\n') {
                Some(end) => end + 1,
                None if bytes.len() < 2 * LINE_MAX => return Ok(None),
                None => return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end")),
            }
        };
        let rest = bytes.get(skip..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let hash = rest.first_chunk::<HASH>().filter(|hash| hash.iter().all(u8::is_ascii_hexdigit));
        let hash = hash.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a line of hashes"))?;
        let begins = from.saturating_add(u64::try_from(skip).unwrap_or(u64::MAX));
        Ok(Some((begins, hash.to_ascii_uppercase().try_into().unwrap_or([0; HASH]))))
    }

    fn holds(&mut self, wanted: &[u8; HASH]) -> io::Result<bool> {
        // The wanted line, if it is there, begins at or after `low` and before `high`.
        let (mut low, mut high) = (0, self.length);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.line_from(middle)? {
                Some((begins, hash)) if begins < high => match hash.cmp(wanted) {
                    std::cmp::Ordering::Equal => return Ok(true),
                    std::cmp::Ordering::Less => low = begins + 1,
                    std::cmp::Ordering::Greater => high = middle,
                },
                _ => high = middle,
            }
        }
        Ok(false)
    }
}

impl<F: Read + Seek> BreachList for HashList<F> {
    fn knows(&mut self, password: &str) -> io::Result<bool> {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let mut wanted = [0; HASH];
        for (pair, byte) in wanted.chunks_exact_mut(2).zip(hash.as_ref()) {
            pair.copy_from_slice(format!("{byte:02X}").as_bytes());
        }
        self.holds(&wanted)
    }
}
