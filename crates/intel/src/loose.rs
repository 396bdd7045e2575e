//! Fields whose type a feed may get wrong, without spoiling the entry.

use std::borrow::Cow;
use std::fmt;

use chatward_message::UnixMillis;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// So many of a list are looked at.
const LONGEST_LIST: usize = 256;

/// A field of any type.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Loose<'a> {
    /// Not there, or null.
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Flag(bool),
    Number(f64),
    /// A list or an object.
    Odd,
}

impl Loose<'_> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A flag, which MISP also writes as `"1"` and 1.
    pub(crate) fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Number(n) => Some(*n != 0.0),
            Self::Text(text) => match text.as_ref() {
                "1" | "true" => Some(true),
                "0" | "false" => Some(false),
                _ => None,
            },
            Self::Missing | Self::Odd => None,
        }
    }

    /// A time as RFC 3339 has it. `Ok(None)` if the field is missing.
    pub(crate) fn time(&self) -> Result<Option<UnixMillis>, ()> {
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) => time(text).map(Some).ok_or(()),
            _ => Err(()),
        }
    }
}

/// A time as RFC 3339 has it, as milliseconds since 1970; what was before is 1970.
pub(crate) fn time(text: &str) -> Option<UnixMillis> {
    let at = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
    Some(UnixMillis(u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)))
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Flag(flag))
    }

    fn visit_i64<E: Error>(self, n: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(n as f64))
    }

    fn visit_u64<E: Error>(self, n: u64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(n as f64))
    }

    fn visit_f64<E: Error>(self, n: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(n))
    }

    fn visit_unit<E: Error>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Odd)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

/// A list, of which the first entries are kept. What is no list has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Few<T>(pub(crate) Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct AnyList<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyList<T> {
    type Value = Few<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
        let mut few = Vec::new();
        while few.len() < LONGEST_LIST {
            match seq.next_element()? {
                Some(next) => few.push(next),
                None => return Ok(Few(few)),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Few(few))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Few<T>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Few::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Few<T>, E> {
        Ok(Few::default())
    }

    fn visit_unit<E: Error>(self) -> Result<Few<T>, E> {
        Ok(Few::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyList(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_type_is_read() {
        let read = |text: &'static str| serde_json::from_str::<Loose<'_>>(text).unwrap();
        assert_eq!(read("\"1\"").flag(), Some(true));
        assert_eq!(read("0").flag(), Some(false));
        assert_eq!(read("{\"a\":[1]}"), Loose::Odd);
        assert_eq!(read("null"), Loose::Missing);
        assert_eq!(read("\"a\\u0062\"").text(), Some("ab"));
        assert_eq!(read("\"2026-09-01T00:00:00.000Z\"").time(), Ok(Some(UnixMillis(1_788_220_800_000))));
        assert!(read("\"yesterday\"").time().is_err() && read("7").time().is_err());
        let long = format!("[{}1]", "1,".repeat(5000));
        let few: Few<Loose<'_>> = serde_json::from_str(&long).unwrap();
        assert_eq!(few.0.len(), LONGEST_LIST);
        for none in ["{}", "7", "\"x\"", "null", "true", "-1", "0.5"] {
            assert!(serde_json::from_str::<Few<Loose<'_>>>(none).unwrap().0.is_empty());
        }
    }
}
