//! Files inside of requests: bytes as base64, in a `data:` URL (RFC 2397) or bare.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// With or without padding, and whatever stands in the bits that are left over: as those read it who come after us.
const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// A file inside of a request, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline<'a> {
    /// What it is called, if it says so.
    pub name: Option<Cow<'a, str>>,
    /// The media type that stands beside it, if one does and it is not in the URL.
    pub media_type: Option<Cow<'a, str>>,
    /// The string that holds it.
    pub text: Cow<'a, str>,
    /// Whether it stands where addresses do: `image_url` and its like.
    pub of_addresses: bool,
    /// Where it stands, for errors: `messages[2].content[0].file.file_data`.
    pub path: String,
}

/// Its media type, and its bytes.
pub type Opened = (Option<String>, Bytes);

impl Inline<'_> {
    /// Its bytes. `Ok(None)` for an address elsewhere: then there are none here.
    ///
    /// # Errors
    /// If it is neither an address nor base64 as some server reads it.
    pub fn open(&self) -> Result<Option<Opened>, NotBytes> {
        let text = self.text.trim();
        let declared = self.media_type.as_deref().map(str::to_owned);
        let Some(rest) = strip_scheme(text) else {
            let elsewhere = if self.of_addresses { is_address(text) } else { is_of_web(text) };
            if elsewhere {
                return Ok(None);
            }
            return Ok(Some((declared, decoded(text)?)));
        };
        let (head, data) = rest.split_once(',').ok_or(NotBytes)?;
        let mut words = head.split(';').map(str::trim);
        let media_type = words.next().filter(|word| word.contains('/')).map(str::to_owned).or(declared);
        let is_base64 = head.split(';').any(|word| word.trim().eq_ignore_ascii_case("base64"));
        let unescaped = Cow::from(percent_decode_str(data));
        let bytes = if is_base64 {
            decoded(std::str::from_utf8(&unescaped).map_err(|_| NotBytes)?)?
        } else {
            // Servers that look for `;base64,` wherever it stands would read something else.
            let other = rest.to_ascii_lowercase().find(";base64,").and_then(|at| rest.get(at + 8..));
            if other.is_some_and(|other| decoded(other).is_ok()) {
                return Err(NotBytes);
            }
            unescaped.into_owned().into()
        };
        Ok(Some((media_type, bytes)))
    }
}

/// It is neither base64 nor an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither base64 nor an address")]
pub struct NotBytes;

fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    scheme.trim().eq_ignore_ascii_case("data").then_some(rest)
}

fn is_address(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Where bytes are meant to stand, some servers take an address of the web, others decode it: there it has to be one beyond doubt.
fn is_of_web(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) && host.contains(['.', ':'])
}

/// What base64 stands for, as the most patient of servers read it.
pub(crate) fn decoded(text: &str) -> Result<Bytes, NotBytes> {
    let bare: Cow<'_, str> = if text.contains(|c: char| c.is_ascii_whitespace()) {
        Cow::Owned(text.split_ascii_whitespace().collect())
    } else {
        Cow::Borrowed(text)
    };
    let engine = if bare.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    engine.decode(bare.as_bytes()).map(Bytes::from).map_err(|_| NotBytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Option<Opened>, NotBytes> {
        at(true, text)
    }

    fn at(of_addresses: bool, text: &str) -> Result<Option<Opened>, NotBytes> {
        Inline { name: None, media_type: None, text: text.into(), of_addresses, path: String::new() }.open()
    }

    #[test]
    fn every_way_in_which_servers_read_bytes_is_read() {
        let hello = |media_type: Option<&str>| {
            Ok(Some((media_type.map(str::to_owned), Bytes::from_static(b"hello?>"))))
        };
        assert_eq!(opened("data:image/png;base64,aGVsbG8/Pg=="), hello(Some("image/png")));
        assert_eq!(opened(" DATA:image/png;name=a;Base64,aGVsbG8/Pg"), hello(Some("image/png")));
        assert_eq!(opened("data:;base64,aGVsbG8_Pg"), hello(None));
        assert_eq!(opened("data:;base64,aGVs%62G8%2FPg%3D%3D"), hello(None));
        assert_eq!(opened("data:text/plain,hello%3f%3E"), hello(Some("text/plain")));
        assert_eq!(opened("aGVs\nbG8/Pg=="), hello(None));
        assert_eq!(opened("aGVsbG8_Pg"), hello(None));
        assert_eq!(opened("https://a.example/b.png"), Ok(None));
        for bad in ["data:image/png;base64", "data:;base64,a*b", "not base64!", "data:;base64,aGVsb"] {
            assert_eq!(opened(bad), Err(NotBytes), "{bad}");
        }
    }

    #[test]
    fn what_servers_would_read_in_two_ways_is_not_read() {
        assert_eq!(opened("data:image/png,;base64,aGVsbG8/Pg=="), Err(NotBytes));
        assert_eq!(opened("data:text/plain,a,;BASE64,aGVsbG8/Pg=="), Err(NotBytes));
        let drawing = "data:image/svg+xml,<svg><image href='data:image/png;base64,aGVsbG8='/></svg>";
        assert!(opened(drawing).is_ok());
        // Bytes that begin like an address, for a server that passes over what is no base64.
        assert_eq!(at(false, "xx://aGVsbG8/Pg=="), Err(NotBytes));
        assert_eq!(at(false, "https://aGVsbG8/Pg=="), Err(NotBytes));
        assert_eq!(at(false, "https://a.example/b.pdf"), Ok(None));
        assert_eq!(opened("gs://bucket/b.pdf"), Ok(None));
    }
}
