//! What threat intelligence lists of a text: single addresses, and what patterns say of several together.

use std::net::IpAddr;
use std::sync::Arc;

use chatward_detect::indicator::Value;
use chatward_detect::link::{HostKind, How, JudgedLink, Link};
use chatward_intel::pattern::{Fact, Observation, Property};
use chatward_message::{Channel, Sign, Threat, View};

use super::{Look, Threats};
use crate::intel::Listed;

/// The rule that says so.
pub(super) const LISTED: &str = "intel.listed";
/// Of one text, so many addresses are what patterns are asked about: each of some thousand patterns is asked about each.
const MOST: usize = 64;

/// Something listed that turned up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What was seen.
    pub(crate) value: Value,
    /// Who lists it.
    pub(crate) listed: Listed,
}

impl Threats {
    /// That a feed lists the address now.
    pub(super) fn listed(&self, look: Look<'_>, text: &str, link: &Link) -> Option<Sign> {
        let Seen { listed, .. } = seen(look, text, link)?;
        self.sign(&listed, Some(link))
    }

    /// That a pattern fits what stands in a text. Where one of its addresses shows it alone, the sign is at its place.
    pub(super) fn patterned(&self, look: Look<'_>, text: &str, links: &[JudgedLink]) -> Option<Sign> {
        let links = links.get(..MOST).unwrap_or(links);
        let listed = fits(look, text, links.iter().map(|judged| &judged.link))?;
        let alone = links.iter().find(|judged| fits(look, text, [&judged.link]).is_some());
        self.sign(&listed, alone.map(|judged| &judged.link))
    }

    /// That a pattern fits one address, where others are not known yet.
    pub(super) fn patterned_alone(&self, look: Look<'_>, text: &str, link: &Link) -> Option<Sign> {
        self.sign(&fits(look, text, [link])?, Some(link))
    }

    /// What is listed of that of which a sign was found in a text.
    pub(super) fn seen_in(&self, look: Look<'_>, (text, channel): (&str, Channel), sign: &Sign) -> Vec<Seen> {
        let Some(part) =
            sign.span.filter(|_| &*sign.info.id == LISTED).and_then(|span| text.get(span.start..span.end))
        else {
            return Vec::new();
        };
        let links = self.links.text(part, channel, &[]).links;
        links.iter().filter_map(|judged| seen(look, part, &judged.link)).collect()
    }

    /// The sign of what is listed, at the place of an address if it is of one.
    pub(super) fn sign(&self, listed: &Listed, link: Option<&Link>) -> Option<Sign> {
        let threat = listed.record.threat.unwrap_or(Threat::Phishing);
        let info = Arc::clone(self.listed.get(threat as usize)?);
        Some(Sign { info, score: listed.score(), span: link.map(|link| link.span), view: View::Plain })
    }
}

/// What of an address is listed now.
pub(super) fn seen(look: Look<'_>, text: &str, link: &Link) -> Option<Seen> {
    let value = match (link.how, mailbox(text, link)) {
        (How::Mail, Some(mailbox)) => Value::email(&mailbox),
        (How::Mail, None) => Value::domain(link.url.host()),
        _ => Value::url(link.url.as_str()),
    };
    let value = value.ok()?;
    let listed = look.intel.lookup(&value, look.now)?;
    Some(Seen { value, listed })
}

/// The pattern that these addresses fit when they are seen together.
fn fits<'a>(look: Look<'_>, text: &str, links: impl IntoIterator<Item = &'a Link>) -> Option<Listed> {
    if !look.intel.has_patterns() {
        return None;
    }
    let parts: Vec<(Property, String)> = links.into_iter().flat_map(|link| parts(text, link)).collect();
    let facts: Vec<Fact<'_>> = parts.iter().map(|(what, text)| Fact::new(*what, text)).collect();
    look.intel.matches(&[Observation { at: look.now, facts: &facts }], look.now)
}

/// The e-mail address whose domain the link is.
fn mailbox(text: &str, link: &Link) -> Option<String> {
    let local = text.get(link.span.start..link.target.start)?.strip_suffix('@')?;
    Some(format!("{}@{}", local.to_lowercase(), link.url.host()))
}

/// What patterns can be asked about an address.
fn parts(text: &str, link: &Link) -> Vec<(Property, String)> {
    let mut parts = Vec::new();
    if link.how == How::Mail {
        parts.extend(mailbox(text, link).map(|mailbox| (Property::Email, mailbox)));
        parts.push((Property::Domain, link.url.host().to_owned()));
        return parts;
    }
    parts.push((Property::Url, link.url.as_str().to_owned()));
    let address = match link.url.host_kind() {
        HostKind::Name => {
            parts.push((Property::Domain, link.url.host().to_owned()));
            return parts;
        }
        HostKind::V4(address) => IpAddr::from(address),
        HostKind::V6(address) => IpAddr::from(address),
        HostKind::None => return parts,
    };
    let property = if address.is_ipv4() { Property::Ipv4 } else { Property::Ipv6 };
    parts.push((property, address.to_string()));
    parts
}
