//! A seal whose key never leaves a token or a hardware module (PKCS#11 2.40): an AES key on it wraps the operator's key with
//! AES-GCM, and the kind of seal and the check value of the operator's key are bound to it.
//!
//! The session is opened when the operator's key is asked for, once at every start, and closed again. Tested with SoftHSM 2.6;
//! not with real hardware.

use std::path::PathBuf;

use chatward_vault::{SealError, Wrapper};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

/// The word for this kind of seal.
const KIND: &str = "pkcs11";
/// Length of a nonce, in bytes.
const NONCE: usize = 12;
/// Length of an authentication tag, in bits.
const TAG_BITS: u64 = 128;

/// Which key on which token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The library of the token's maker.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label of an AES key (256 bits) on it, made to encrypt and decrypt, and best not extractable.
    pub key: String,
}

/// A key on a token.
pub struct Token {
    settings: Settings,
    pin: Zeroizing<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, pin: _ } = self;
        write!(f, "Token({}, {})", settings.token, settings.key)
    }
}

fn failed(what: &str) -> impl Fn(cryptoki::error::Error) -> SealError + '_ {
    move |error| SealError::Service { kind: KIND, why: format!("{what}: {error}") }
}

fn wrong(why: String) -> SealError {
    SealError::Service { kind: KIND, why }
}

impl Token {
    /// The key of these settings, for whoever knows the PIN of the token's user.
    pub fn new(settings: Settings, pin: Zeroizing<String>) -> Self {
        Self { settings, pin }
    }

    /// Works with the key in a session of its own.
    fn with<T>(
        &self,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, SealError>,
    ) -> Result<T, SealError> {
        let Settings { module, token, key } = &self.settings;
        let library = Pkcs11::new(module).map_err(failed("the module cannot be loaded"))?;
        library
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(failed("the module does not start"))?;
        let slots = library.get_slots_with_token().map_err(failed("the tokens cannot be listed"))?;
        let slot = slots.into_iter().find(|slot| {
            // A token that cannot be asked is not the one.
            library.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == token)
        });
        let slot = slot.ok_or_else(|| wrong(format!("there is no token with the label {token}")))?;
        let done = {
            let session = library.open_ro_session(slot).map_err(failed("no session with the token"))?;
            let pin = AuthPin::from(self.pin.as_str());
            session.login(UserType::User, Some(&pin)).map_err(failed("the token refuses the PIN"))?;
            let wanted = [
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::Label(key.as_bytes().to_vec()),
            ];
            let found = session.find_objects(&wanted).map_err(failed("the keys cannot be listed"))?;
            match found.as_slice() {
                [one] => work(&session, *one),
                [] => Err(wrong(format!("there is no AES key with the label {key} on the token"))),
                _ => Err(wrong(format!("there are several AES keys with the label {key} on the token"))),
            }
        };
        // What was worked out stays so, however the module ends.
        let _ = library.finalize();
        done
    }
}

impl Wrapper for Token {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn wrap(&self, key: &[u8; 32], about: &str) -> Result<(String, Vec<u8>), SealError> {
        self.with(|session, handle| {
            let mut nonce = [0; NONCE];
            session.generate_random_slice(&mut nonce).map_err(failed("the token gives no random numbers"))?;
            let mut wrapped = nonce.to_vec();
            let gcm = gcm(&mut nonce, about)?;
            let sealed = session.encrypt(&Mechanism::AesGcm(gcm), handle, key);
            wrapped.extend(sealed.map_err(failed("the token does not encrypt"))?);
            Ok(("aes-gcm".to_owned(), wrapped))
        })
    }

    fn unwrap(&self, with: &str, about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if with != "aes-gcm" {
            return Err(wrong(
                "the operator's key is wrapped in a way that this version does not know".into(),
            ));
        }
        let Some((nonce, sealed)) = wrapped.split_first_chunk::<NONCE>() else {
            return Err(wrong("the wrapped operator's key is cut".into()));
        };
        self.with(|session, handle| {
            let mut nonce = *nonce;
            let gcm = gcm(&mut nonce, about)?;
            let key = session.decrypt(&Mechanism::AesGcm(gcm), handle, sealed);
            key.map(Zeroizing::new).map_err(failed("the key on the token does not open the operator's key"))
        })
    }
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE], about: &'a str) -> Result<GcmParams<'a>, SealError> {
    GcmParams::new(nonce, about.as_bytes(), TAG_BITS.into()).map_err(failed("AES-GCM"))
}
