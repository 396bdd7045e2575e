//! Keys and what is done with them: wrapping, deriving, sealing, naming.
//!
//! Every cipher of data at rest is in this file: AES-KW (RFC 3394) wraps customer keys, HKDF-SHA256 (RFC 5869) derives
//! field keys, AES-256-GCM (SP 800-38D) seals values, HMAC-SHA256 names them. All of it is aws-lc. No I/O.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use aws_lc_rs::{constant_time, hkdf, hmac, rand};
use chatward_message::{KeySlot, Place, Sealed, Subject, TenantId};
use zeroize::{Zeroize, Zeroizing};

/// First byte of everything sealed: the layout `version, nonce (12), ciphertext, tag (16)`.
const SEALED_V1: u8 = 1;
/// Length of an AES-GCM tag.
const TAG_LEN: usize = 16;
/// How often one field key in memory seals at most. Random 96-bit nonces allow 2^32 uses (SP 800-38D, 8.3); a customer
/// who gets this far is a fault, and a key that is taken from the keyring again starts anew, hence the wide margin.
const MAX_USES: u64 = 1 << 24;

/// A cipher said no. It does not say which check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// Wrong key, wrong place, altered or cut bytes: sealed data has one answer to all of them.
    #[error("sealed data does not open here")]
    DoesNotOpen,
    /// The customer was erased: the key is gone.
    #[error("the key was destroyed")]
    Destroyed,
    /// The key has sealed as often as it may.
    #[error("the key is used up")]
    UsedUp,
    /// The operating system gives no random numbers, or the cipher library refuses.
    #[error("the cipher library failed")]
    Library,
}

impl From<aws_lc_rs::error::Unspecified> for CipherError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Library
    }
}

/// 32 secret bytes: boxed so that moves leave no copies, wiped when dropped, compared in constant time.
pub(crate) struct Secret(Box<[u8; 32]>);

impl Secret {
    /// Fresh random bytes.
    pub(crate) fn random() -> Result<Self, CipherError> {
        let mut secret = Self(Box::new([0; 32]));
        rand::fill(&mut secret.0[..])?;
        Ok(secret)
    }

    /// As many as asked for, drawn at once: a call of the generator costs more than its bytes.
    pub(crate) fn randoms(count: usize) -> Result<Vec<Self>, CipherError> {
        let mut bytes = Zeroizing::new(vec![[0; 32]; count]);
        if count > 0 {
            rand::fill(bytes.as_flattened_mut())?;
        }
        Ok(bytes.iter().map(Self::copy_of).collect())
    }

    /// Copies the bytes; the caller wipes its own.
    pub(crate) fn copy_of(bytes: &[u8; 32]) -> Self {
        Self(Box::new(*bytes))
    }

    /// Takes 32 bytes of a slice, or nothing.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::copy_of)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A secret derived for one use: HKDF-SHA256 with a length-prefixed list of names. The parent is uniformly random,
    /// so that the extract step may be left out (RFC 5869, 3.3).
    pub(crate) fn derive(&self, names: &[&[u8]]) -> Result<Self, CipherError> {
        derive(&hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &self.0[..]), names)
    }
}

impl Clone for Secret {
    fn clone(&self) -> Self {
        Self::copy_of(&self.0)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0[..], &other.0[..]).is_ok()
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("Secret")
    }
}

fn derive(parent: &hkdf::Prk, names: &[&[u8]]) -> Result<Secret, CipherError> {
    let info = prefixed(names);
    let mut child = Secret(Box::new([0; 32]));
    parent.expand(&[&info], hkdf::HKDF_SHA256)?.fill(&mut child.0[..])?;
    Ok(child)
}

/// The parts with their lengths before them, so that no two lists give the same bytes.
fn prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::with_capacity(parts.iter().map(|p| p.len() + 4).sum());
    for part in parts {
        all.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}

/// A key that seals values of one column of one tenant for one customer.
struct FieldKey {
    cipher: LessSafeKey,
    uses: AtomicU64,
}

impl FieldKey {
    fn new(secret: &Secret) -> Result<Self, CipherError> {
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &secret.bytes()[..])?);
        Ok(Self { cipher, uses: AtomicU64::new(0) })
    }

    fn seal(&self, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, CipherError> {
        if self.uses.fetch_add(1, Ordering::Relaxed) >= MAX_USES {
            self.uses.fetch_sub(1, Ordering::Relaxed);
            return Err(CipherError::UsedUp);
        }
        let mut nonce = [0u8; NONCE_LEN];
        crate::random::fill(&mut nonce)?;
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + TAG_LEN);
        out.push(SEALED_V1);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (_, body) = out.split_at_mut(1 + NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.cipher.seal_in_place_separate_tag(nonce, Aad::from(aad), body)?;
        out.extend_from_slice(tag.as_ref());
        Ok(out)
    }

    fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let Some((&SEALED_V1, rest)) = sealed.split_first() else { return Err(CipherError::DoesNotOpen) };
        let Some((nonce, body)) = rest.split_first_chunk::<NONCE_LEN>() else {
            return Err(CipherError::DoesNotOpen);
        };
        let mut plain = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.cipher.open_in_place(nonce, Aad::from(aad), &mut plain);
        let length = opened.map_err(|_| CipherError::DoesNotOpen)?.len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl fmt::Debug for FieldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cipher: _, uses: _ } = self;
        f.write_str("FieldKey")
    }
}

/// Seals bytes under a secret outside of any customer (the seal file).
pub(crate) fn seal_under(secret: &Secret, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, CipherError> {
    FieldKey::new(secret)?.seal(aad, plain)
}

/// Opens what [`seal_under`] made.
pub(crate) fn open_under(
    secret: &Secret,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    FieldKey::new(secret)?.open(aad, sealed)
}

/// Wraps a customer key under an epoch key (AES-KW, RFC 3394): 40 bytes.
pub(crate) fn wrap(epoch: &Secret, key: &Secret) -> Result<[u8; 40], CipherError> {
    let mut out = [0u8; 40];
    AesKek::new(&AES_256, &epoch.bytes()[..])?.wrap(&key.bytes()[..], &mut out)?;
    Ok(out)
}

/// Unwraps what [`wrap`] made.
pub(crate) fn unwrap(epoch: &Secret, wrapped: &[u8]) -> Result<Secret, CipherError> {
    if wrapped.len() != 40 {
        return Err(CipherError::DoesNotOpen);
    }
    // The library wants room for a whole wrapped key.
    let mut out = Zeroizing::new([0u8; 40]);
    let key = AesKek::new(&AES_256, &epoch.bytes()[..])?
        .unwrap(wrapped, &mut out[..])
        .map_err(|_| CipherError::DoesNotOpen)?;
    Secret::from_slice(key).ok_or(CipherError::DoesNotOpen)
}

/// A key for names: HMAC-SHA256 cut to 16 bytes.
///
/// Both halves of the key are hashed once; clones share them.
#[derive(Clone)]
pub(crate) struct NameKey(Arc<hmac::Key>);

impl NameKey {
    pub(crate) fn new(secret: &Secret) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &secret.bytes()[..])))
    }

    /// The name of these parts; each stands with its length, so that `("ab","c")` and `("a","bc")` differ.
    pub(crate) fn name(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        let mut feed = |part: &[u8]| {
            context.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(part);
        };
        feed(purpose.as_bytes());
        for part in parts {
            feed(part);
        }
        let tag = context.sign();
        let mut name = [0u8; 16];
        for (to, from) in name.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        name
    }
}

impl fmt::Debug for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("NameKey")
    }
}

/// One customer's key. Cheap to clone; all clones die together when the customer is erased: from then on every use
/// says [`CipherError::Destroyed`], also in a turn that is still running.
///
/// ```
/// fn place(key: &chatward_vault::CustomerKey) -> chatward_message::KeySlot {
///     key.slot()
/// }
/// ```
///
/// Only the vault makes one, and nobody sees its bytes:
///
/// ```compile_fail,E0624
/// fn forge(slot: chatward_message::KeySlot) {
///     chatward_vault::CustomerKey::new(slot, &unimplemented!());
/// }
/// ```
///
/// ```compile_fail,E0616
/// fn peek(key: &chatward_vault::CustomerKey) {
///     let _life = &key.0;
/// }
/// ```
#[derive(Clone)]
pub struct CustomerKey(Arc<Life>);

/// The life of a customer key: present until it is destroyed.
pub(crate) struct Life {
    slot: KeySlot,
    material: RwLock<Option<Material>>,
}

struct Material {
    parent: hkdf::Prk,
    /// A customer's data lies in a handful of columns: a list is faster than a map.
    fields: Vec<Field>,
    names: Option<NameKey>,
}

struct Field {
    tenant: TenantId,
    table: &'static str,
    column: &'static str,
    key: Arc<FieldKey>,
}

impl CustomerKey {
    pub(crate) fn new(slot: KeySlot, secret: &Secret) -> Self {
        let parent = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret.bytes()[..]);
        let material = Material { parent, fields: Vec::new(), names: None };
        Self(Arc::new(Life { slot, material: RwLock::new(Some(material)) }))
    }

    /// The place of this key in the keyring.
    pub fn slot(&self) -> KeySlot {
        self.0.slot
    }

    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.0
    }

    pub(crate) fn of_life(life: Arc<Life>) -> Self {
        Self(life)
    }

    /// Wipes the key in all clones.
    pub(crate) fn destroy(&self) {
        self.0.destroy();
    }

    pub(crate) fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Sealed, CipherError> {
        let sealed = self.field(place)?.seal(&associated(place), plain)?;
        Ok(Sealed::from_bytes(sealed))
    }

    pub(crate) fn open(&self, place: Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        self.field(place)?.open(&associated(place), sealed.as_bytes())
    }

    /// A name for a value that only holders of this customer's key can make or compare.
    pub(crate) fn name(&self, purpose: &str, parts: &[&[u8]]) -> Result<[u8; 16], CipherError> {
        Ok(self.names()?.name(purpose, parts))
    }

    /// The customer's pseudonym in the audit log.
    pub(crate) fn subject(&self) -> Result<Subject, CipherError> {
        Ok(Subject::from_bytes(self.name("subject", &[self.0.slot.as_bytes()])?))
    }

    /// First bytes of a hash of the key, in hex: says which key was destroyed without saying anything of it.
    pub(crate) fn fingerprint(&self) -> Result<Box<str>, CipherError> {
        let name = self.name("fingerprint", &[self.0.slot.as_bytes()])?;
        Ok(name.iter().take(8).map(|b| format!("{b:02x}")).collect())
    }

    fn names(&self) -> Result<NameKey, CipherError> {
        {
            let held = self.0.material.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(names) = &held.as_ref().ok_or(CipherError::Destroyed)?.names {
                return Ok(names.clone());
            }
        }
        let mut held = self.0.material.write().unwrap_or_else(PoisonError::into_inner);
        let material = held.as_mut().ok_or(CipherError::Destroyed)?;
        let names = NameKey::new(&derive(&material.parent, &[b"names", b"v1"])?);
        material.names = Some(names.clone());
        Ok(names)
    }

    fn field(&self, place: Place<'_>) -> Result<Arc<FieldKey>, CipherError> {
        let Place { tenant, table, column, row: _ } = place;
        let find = |material: &Material| {
            let same = |f: &&Field| f.table == table && f.column == column && f.tenant == *tenant;
            material.fields.iter().find(same).map(|f| Arc::clone(&f.key))
        };
        {
            let held = self.0.material.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = find(held.as_ref().ok_or(CipherError::Destroyed)?) {
                return Ok(key);
            }
        }
        let mut held = self.0.material.write().unwrap_or_else(PoisonError::into_inner);
        let material = held.as_mut().ok_or(CipherError::Destroyed)?;
        if let Some(key) = find(material) {
            return Ok(key);
        }
        let names =
            [&b"field"[..], tenant.as_str().as_bytes(), table.as_bytes(), column.as_bytes(), &[SEALED_V1]];
        let key = Arc::new(FieldKey::new(&derive(&material.parent, &names)?)?);
        material.fields.push(Field { tenant: tenant.clone(), table, column, key: Arc::clone(&key) });
        Ok(key)
    }
}

impl Life {
    pub(crate) fn destroy(&self) {
        // `Prk` and the ciphers wipe themselves when dropped.
        *self.material.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_hidden) = self;
        f.write_str("CustomerKey")
    }
}

/// The associated data of a place: moved elsewhere, a value does not open.
fn associated(place: Place<'_>) -> Vec<u8> {
    let Place { tenant, table, column, row } = place;
    prefixed(&[
        b"chatward",
        &[SEALED_V1],
        tenant.as_str().as_bytes(),
        table.as_bytes(),
        column.as_bytes(),
        row,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> CustomerKey {
        CustomerKey::new(KeySlot::from_bytes([n; 16]), &Secret::copy_of(&[n; 32]))
    }

    fn place<'a>(tenant: &'a TenantId, row: &'a [u8]) -> Place<'a> {
        Place { tenant, table: "turns", column: "received", row }
    }

    #[test]
    fn secrets_show_nothing_in_debug() {
        let customer = key(7);
        customer.seal(place(&TenantId::default_tenant(), b"r"), b"x").unwrap();
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Secret::copy_of(&[7; 32]),
            customer,
            NameKey::new(&Secret::copy_of(&[7; 32])),
            FieldKey::new(&Secret::copy_of(&[7; 32])).unwrap()
        );
        assert_eq!(shown, "Secret CustomerKey NameKey FieldKey");
    }

    #[test]
    fn aes_kw_gives_the_vector_of_rfc_3394() {
        // RFC 3394, 4.6: 256 bits of key data with a 256-bit KEK.
        let kek: Vec<u8> = (0..32).collect();
        let data: Vec<u8> = (0u8..16).map(|n| n * 0x11).chain(0..16).collect();
        let wrapped = wrap(&Secret::from_slice(&kek).unwrap(), &Secret::from_slice(&data).unwrap()).unwrap();
        let hex: String = wrapped.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
        assert!(
            unwrap(&Secret::from_slice(&kek).unwrap(), &wrapped).unwrap()
                == Secret::from_slice(&data).unwrap()
        );
    }

    #[test]
    fn a_wrapped_key_does_not_open_under_another_epoch_or_altered() {
        let (epoch, key) = (Secret::copy_of(&[1; 32]), Secret::copy_of(&[2; 32]));
        let wrapped = wrap(&epoch, &key).unwrap();
        assert_eq!(unwrap(&Secret::copy_of(&[3; 32]), &wrapped), Err(CipherError::DoesNotOpen));
        assert_eq!(unwrap(&epoch, &wrapped[..39]), Err(CipherError::DoesNotOpen));
        for i in 0..wrapped.len() {
            let mut altered = wrapped;
            altered[i] ^= 1;
            assert_eq!(unwrap(&epoch, &altered), Err(CipherError::DoesNotOpen));
        }
    }

    #[test]
    fn sealed_values_open_only_where_they_were_sealed() {
        let (tenant, other) = (TenantId::default_tenant(), "other".parse::<TenantId>().unwrap());
        let here = place(&tenant, b"row-1");
        let sealed = key(1).seal(here, b"value").unwrap();
        assert_eq!(&**key(1).open(here, &sealed).unwrap(), b"value");
        let elsewhere = [
            place(&other, b"row-1"),
            place(&tenant, b"row-2"),
            Place { table: "entries", ..here },
            Place { column: "reply", ..here },
        ];
        for there in elsewhere {
            assert_eq!(key(1).open(there, &sealed).unwrap_err(), CipherError::DoesNotOpen, "{there:?}");
        }
        assert_eq!(key(2).open(here, &sealed).unwrap_err(), CipherError::DoesNotOpen);
    }

    #[test]
    fn every_altered_or_cut_byte_is_refused() {
        let tenant = TenantId::default_tenant();
        let here = place(&tenant, b"row");
        let sealed = key(1).seal(here, b"some value").unwrap();
        for i in 0..sealed.as_bytes().len() {
            let mut altered = sealed.as_bytes().to_vec();
            altered[i] ^= 0x40;
            assert!(key(1).open(here, &Sealed::from_bytes(altered)).is_err());
            assert!(key(1).open(here, &Sealed::from_bytes(&sealed.as_bytes()[..i])).is_err());
        }
    }

    #[test]
    fn the_same_value_never_seals_to_the_same_bytes() {
        let tenant = TenantId::default_tenant();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..2_000 {
            let sealed = key(1).seal(place(&tenant, b"row"), b"v").unwrap();
            assert!(seen.insert(sealed.as_bytes()[..13].to_vec()), "a nonce came twice");
        }
    }

    #[test]
    fn a_field_key_stops_at_its_limit() {
        let field = FieldKey::new(&Secret::copy_of(&[1; 32])).unwrap();
        field.uses.store(MAX_USES - 1, Ordering::Relaxed);
        assert!(field.seal(b"", b"x").is_ok());
        assert_eq!(field.seal(b"", b"x").unwrap_err(), CipherError::UsedUp);
        assert_eq!(field.seal(b"", b"x").unwrap_err(), CipherError::UsedUp);
        const { assert!(MAX_USES < 1 << 32) }
    }

    #[test]
    fn a_destroyed_key_is_gone_in_every_clone() {
        let tenant = TenantId::default_tenant();
        let (one, two) = (key(1), key(1));
        let clone = one.clone();
        let sealed = clone.seal(place(&tenant, b"r"), b"v").unwrap();
        one.destroy();
        assert_eq!(clone.open(place(&tenant, b"r"), &sealed).unwrap_err(), CipherError::Destroyed);
        assert_eq!(clone.seal(place(&tenant, b"r"), b"v").unwrap_err(), CipherError::Destroyed);
        assert_eq!(clone.subject().unwrap_err(), CipherError::Destroyed);
        assert!(two.open(place(&tenant, b"r"), &sealed).is_ok());
    }

    #[test]
    fn names_depend_on_every_part_and_its_length() {
        let key = NameKey::new(&Secret::copy_of(&[9; 32]));
        let all = [
            key.name("a", &[b"b", b"c"]),
            key.name("a", &[b"bc"]),
            key.name("ab", &[b"c"]),
            key.name("a", &[b"b", b"c", b""]),
            key.name("a", &[b"", b"b", b"c"]),
        ];
        let unlike: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(unlike.len(), all.len());
        assert_eq!(key.name("a", &[b"b"]), key.name("a", &[b"b"]));
    }
}
