//! Typed identifiers. Two ids of different meaning never have the same type.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {wanted} id")]
pub struct IdError {
    /// What was expected: `turn`, `tenant`, …
    pub wanted: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id made of these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0u8; 32];
                for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
                    pair.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
                }
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = IdError { wanted: $prefix };
                let hex = text.strip_prefix(concat!($prefix, "_")).ok_or(wrong.clone())?.as_bytes();
                let mut bytes = [0u8; 16];
                if hex.len() != 32 {
                    return Err(wrong);
                }
                for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
                    let [high, low] = pair else { return Err(wrong) };
                    let (Some(high), Some(low)) = (unhex(*high), unhex(*low)) else { return Err(wrong) };
                    *byte = high << 4 | low;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

const fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

id! {
    /// One turn: a request of a customer and the answer to it. Random.
    TurnId, "turn"
}
id! {
    /// One conversation, keyed by its caller: HMAC(caller, the id the caller gave), or random.
    ConversationId, "conv"
}
id! {
    /// One customer of one tenant, keyed by its caller: HMAC(caller, the id the caller gave), or random.
    CustomerId, "cust"
}
id! {
    /// The place of a customer's wrapped key in the keyring. Time and random bytes, never used for two customers.
    KeySlot, "slot"
}
id! {
    /// A customer's pseudonym in the audit log: an HMAC under a key derived from the customer's key, so that it
    /// means nothing once that key is gone.
    Subject, "subj"
}

id! {
    /// One account: of a customer or of a member of staff. Random; it is also the user handle of its passkeys.
    AccountId, "acct"
}
id! {
    /// One browser that is signed in to an account. Random.
    DeviceId, "dev"
}
id! {
    /// One service account. Random.
    ServiceId, "svc"
}

id! {
    /// One request to break the glass. Random.
    BreakGlassId, "glass"
}

/// The tenant a value belongs to: 1 to 63 of `a-z 0-9 -`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The tenant of an installation that has only one.
    pub fn default_tenant() -> Self {
        Self(Arc::from("default"))
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(Arc::from(text))) } else { Err(IdError { wanted: "tenant" }) }
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_write() {
        let id = TurnId::from_bytes(*b"\x00\x01\x7f\x80\xff\xfe0123456789");
        assert_eq!(id.to_string().parse::<TurnId>(), Ok(id));
        assert!(id.to_string().starts_with("turn_00017f80fffe"));
    }

    #[test]
    fn ids_refuse_other_shapes() {
        let good = TurnId::from_bytes([7; 16]).to_string();
        for bad in [
            "",
            "turn_",
            "conv_07070707070707070707070707070707",
            &good[..good.len() - 1],
            &format!("{good}0"),
        ] {
            assert!(bad.parse::<TurnId>().is_err(), "{bad}");
        }
        assert!(good.to_uppercase().parse::<TurnId>().is_err());
        assert!("turn_é7070707070707070707070707070707".parse::<TurnId>().is_err());
    }

    #[test]
    fn tenants_have_plain_names() {
        assert!("shop-1".parse::<TenantId>().is_ok());
        for bad in ["", "Shop", "a b", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
