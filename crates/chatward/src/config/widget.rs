//! `[widget]`: the chat page, and the same page inside of other sites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Upstreams;
use super::load::fault;
use super::{Fault, FaultSort};

/// The largest file that customers may attach if nobody says, in bytes.
const FILE_MAX: u64 = 4 << 20;

/// `[widget]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawWidget {
    /// Whether `/chat` is served. Default: only in front of the built-in bot.
    pub enabled: Option<bool>,
    /// The model that is asked, as the bots know it. With the built-in bot: its own.
    pub model: Option<String>,
    /// What customers read as the bot's name. Default: "Support bot" in their language.
    pub bot_name: Option<String>,
    /// Sites that may show the chat inside of their pages, as browsers name them: `https://shop.example`. With none, the
    /// chat is a page of its own only.
    pub host_origins: Vec<String>,
    /// The largest file that customers may attach, in bytes; 0: none.
    pub max_file_bytes: u64,
}

impl Default for RawWidget {
    fn default() -> Self {
        Self {
            enabled: None,
            model: None,
            bot_name: None,
            host_origins: Vec::new(),
            max_file_bytes: FILE_MAX,
        }
    }
}

/// `[widget]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widget {
    /// Whether it is served; nobody said so: with the built-in bot only.
    pub enabled: Option<bool>,
    /// The model that is asked.
    pub model: Option<String>,
    /// The bot's name.
    pub bot_name: Option<String>,
    /// Sites that may embed it, each an origin.
    pub host_origins: Vec<String>,
    /// The largest file.
    pub max_file_bytes: usize,
}

/// Checks it.
pub(super) fn widget(raw: &RawWidget, bots: &Upstreams, faults: &mut Vec<Fault>) -> Widget {
    for (at, origin) in raw.host_origins.iter().enumerate() {
        let path = format!("widget.host_origins[{at}]");
        match sort_of(origin) {
            Some(true) => {}
            Some(false) => faults.push(Fault {
                sort: FaultSort::Unsafe,
                ..fault(
                    &path,
                    "a page without TLS can be changed by everybody on the way: use https (http only for localhost)",
                )
            }),
            None => faults.push(fault(
                &path,
                "not an origin: write scheme, host and (if not the usual one) port, like \"https://shop.example\"",
            )),
        }
    }
    let on = raw.enabled == Some(true);
    match &raw.model {
        None if on && !bots.is_empty() => {
            faults.push(fault("widget.model", "missing: the model that the chat page asks"));
        }
        Some(model) if !bots.is_empty() && bots.for_model(model).is_none() => {
            faults.push(fault("widget.model", "no upstream serves this model"));
        }
        _ => {}
    }
    let name = raw.bot_name.as_deref().map(str::trim);
    if name.is_some_and(|name| {
        name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control)
    }) {
        faults.push(fault("widget.bot_name", "1 to 60 characters"));
    }
    if raw.max_file_bytes > 32 << 20 {
        faults.push(fault("widget.max_file_bytes", "at most 33554432 (32 MiB)"));
    }
    Widget {
        enabled: raw.enabled,
        model: raw.model.clone(),
        bot_name: name.map(str::to_owned),
        host_origins: raw.host_origins.clone(),
        max_file_bytes: usize::try_from(raw.max_file_bytes).unwrap_or(0),
    }
}

/// Whether a text is an origin as browsers write it, and if so, whether nobody on the way can change its pages.
fn sort_of(origin: &str) -> Option<bool> {
    let (scheme, rest) = origin.split_once("://")?;
    let authority: http::uri::Authority = rest.parse().ok()?;
    let host = authority.host();
    let plain = authority.as_str() == rest
        && !rest.contains('@')
        && host == host.to_lowercase()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'[' | b']' | b':'))
        && !matches!((scheme, authority.port_u16()), ("https", Some(443)) | ("http", Some(80)));
    match scheme {
        _ if !plain => None,
        "https" => Some(true),
        "http" => Some(matches!(host, "localhost" | "127.0.0.1" | "[::1]")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browsers_call_an_origin_is_one() {
        for (origin, sort) in [
            ("https://shop.example", Some(true)),
            ("https://shop.example:8443", Some(true)),
            ("http://localhost:3000", Some(true)),
            ("http://shop.example", Some(false)),
            ("https://shop.example/", None),
            ("https://shop.example:443", None),
            ("https://Shop.example", None),
            ("https://*.example", None),
            ("https://a@shop.example", None),
            ("https://shop.example; script-src *", None),
            ("shop.example", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(sort_of(origin), sort, "{origin}");
        }
    }
}
