//! Warning lists: what no feed may make a sign of an attack, because everybody uses it.
//!
//! Feeds list the hosts of forms, pages and files again and again by mistake, and a feed in wrong hands lists a bank. So
//! lists of such names are applied when a set is built.

use std::collections::HashSet;
use std::net::IpAddr;

use chatward_suffix::divide;

use super::value::{FileHash, Host, Network, Value};

/// The shortest blocks that are taken.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 19;
/// Hosts below a busy site that are its own, and no customer's of it.
const OWN_LABELS: &[&str] = &[
    "accounts",
    "account",
    "admin",
    "api",
    "app",
    "auth",
    "blog",
    "cdn",
    "developer",
    "docs",
    "help",
    "id",
    "login",
    "m",
    "mail",
    "mobile",
    "my",
    "news",
    "online",
    "pay",
    "portal",
    "secure",
    "shop",
    "signin",
    "sso",
    "static",
    "store",
    "support",
    "web",
    "webmail",
    "www",
];
/// The same below a host that rents names out: few, for its customers choose the others.
const LANDLORD_LABELS: &[&str] = &["api", "m", "mobile", "www"];

/// Why an indicator is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stopped {
    /// A site that very many people use, or one of its own hosts.
    BusySite,
    /// A host that very many people put things on; only places on it can be listed.
    SharedHost,
    /// Not a name that somebody registered, but one below which everybody can (public suffix list).
    PublicSuffix,
    /// The house's own.
    Own,
    /// An address that is nobody's on the internet: private, local, multicast.
    ReservedAddress,
    /// A block of too many addresses.
    TooWide,
    /// A host or block that is known to be harmless, such as a sinkhole.
    HarmlessAddress,
    /// A file that is everywhere, such as the empty one.
    HarmlessFile,
}

impl Stopped {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::BusySite,
        Self::SharedHost,
        Self::PublicSuffix,
        Self::Own,
        Self::ReservedAddress,
        Self::TooWide,
        Self::HarmlessAddress,
        Self::HarmlessFile,
    ];

    /// Its name in reports and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BusySite => "busy-site",
            Self::SharedHost => "shared-host",
            Self::PublicSuffix => "public-suffix",
            Self::Own => "own",
            Self::ReservedAddress => "reserved-address",
            Self::TooWide => "too-wide",
            Self::HarmlessAddress => "harmless-address",
            Self::HarmlessFile => "harmless-file",
        }
    }
}

/// What no feed may list. Names are in the form of [`Value::Domain`]; what is not a name is left out.
#[derive(Debug, Clone, Default)]
pub struct WarningLists {
    busy: HashSet<Box<str>>,
    whole: HashSet<Box<str>>,
    shared: HashSet<Box<str>>,
    landlords: HashSet<Box<str>>,
    own: HashSet<Box<str>>,
    networks: Vec<Network>,
    files: HashSet<FileHash>,
}

impl WarningLists {
    /// A busy site: the name, and the hosts below it that such sites use themselves (`www.`, `login.`, …).
    pub fn busy(&mut self, name: &str) {
        put(&mut self.busy, name);
    }

    /// A busy site whose hosts are all its own: the name and everything below it.
    pub fn whole(&mut self, name: &str) {
        put(&mut self.whole, name);
    }

    /// A host that many put things on, told apart by path: forms, files, shortened links.
    pub fn shared(&mut self, name: &str) {
        put(&mut self.shared, name);
    }

    /// A host below which many have names of their own, which can be listed.
    pub fn landlord(&mut self, name: &str) {
        put(&mut self.landlords, name);
    }

    /// A domain of the house. Nothing on or below it is ever taken.
    pub fn own(&mut self, name: &str) {
        put(&mut self.own, name);
    }

    /// An address or a block that is harmless. What is neither is left out.
    pub fn network(&mut self, text: &str) {
        if let Ok(Value::Network(network)) = Value::network(text) {
            self.networks.push(network);
        }
    }

    /// A file that is harmless, by its hash. What is no hash that is looked for is left out.
    pub fn file(&mut self, text: &str) {
        if let Ok(Value::File(hash)) = Value::file(text) {
            self.files.insert(hash);
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        let Self { busy, whole, shared, landlords, own, networks, files } = self;
        let names = busy.len() + whole.len() + shared.len() + landlords.len() + own.len();
        names + networks.len() + files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an indicator of this may be taken.
    ///
    /// # Errors
    /// Says which list stops it.
    pub fn judge(&self, value: &Value) -> Result<(), Stopped> {
        match value {
            Value::Domain(name) => self.judge_name(name),
            Value::Url(place) => match place.host() {
                Host::Name(name) if self.is_own(name) => Err(Stopped::Own),
                Host::Address(address) if is_reserved(*address) => Err(Stopped::ReservedAddress),
                Host::Name(_) | Host::Address(_) => Ok(()),
            },
            Value::Network(network) => self.judge_network(*network),
            Value::File(hash) if self.files.contains(hash) => Err(Stopped::HarmlessFile),
            Value::Email(address) if self.is_own(address.rsplit('@').next().unwrap_or_default()) => {
                Err(Stopped::Own)
            }
            Value::File(_) | Value::Email(_) => Ok(()),
        }
    }

    /// Whether a place on this host counts only as exactly what it names.
    pub(super) fn is_common(&self, host: &Host) -> bool {
        match host {
            Host::Name(name) => self.judge_name(name).is_err(),
            Host::Address(_) => false,
        }
    }

    fn judge_name(&self, name: &str) -> Result<(), Stopped> {
        let bare = name.strip_prefix("www.").unwrap_or(name);
        let (label, parent) = name.split_once('.').unwrap_or(("", name));
        if self.is_own(name) {
            Err(Stopped::Own)
        } else if self.shared.contains(bare)
            || self.shared.contains(name)
            || self.landlords.contains(name)
            || self.landlords.contains(parent) && LANDLORD_LABELS.contains(&label)
        {
            Err(Stopped::SharedHost)
        } else if divide(name).is_none_or(|of| of.registered.is_none()) {
            Err(Stopped::PublicSuffix)
        } else if parents(parent).any(|parent| self.landlords.contains(parent)) {
            // A tenant's own name.
            Ok(())
        } else if self.busy.contains(name)
            || self.busy.contains(parent) && OWN_LABELS.contains(&label)
            || parents(name).any(|parent| self.whole.contains(parent))
        {
            Err(Stopped::BusySite)
        } else {
            Ok(())
        }
    }

    fn judge_network(&self, network: Network) -> Result<(), Stopped> {
        let widest = if network.address().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
        if network.length() < widest {
            Err(Stopped::TooWide)
        } else if is_reserved(network.address()) {
            Err(Stopped::ReservedAddress)
        } else if self.networks.iter().any(|harmless| harmless.holds(network)) {
            Err(Stopped::HarmlessAddress)
        } else {
            Ok(())
        }
    }

    fn is_own(&self, name: &str) -> bool {
        !self.own.is_empty() && parents(name).any(|parent| self.own.contains(parent))
    }
}

fn put(into: &mut HashSet<Box<str>>, name: &str) {
    if let Ok(Value::Domain(name)) = Value::domain(name) {
        into.insert(name);
    }
}

/// A name and the names above it.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent))
}

/// Nobody's on the internet. Addresses for documentation are not among them: they harm nobody, and tests use them.
fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let [first, second, ..] = a.octets();
            a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_multicast()
                || a.is_broadcast()
                || first == 0
                || first >= 240
                || first == 100 && second & 0xc0 == 64
        }
        IpAddr::V6(a) => {
            a.is_loopback()
                || a.is_unspecified()
                || a.is_multicast()
                || a.is_unique_local()
                || a.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lists: &WarningLists, text: &str) -> Result<(), Stopped> {
        lists.judge(&Value::guess(text).unwrap())
    }

    fn lists() -> WarningLists {
        let mut lists = WarningLists::default();
        lists.busy("bank.example");
        lists.whole("google.com");
        lists.shared("docs.google.com");
        lists.landlord("000webhostapp.com");
        lists.own("shop.example");
        lists.network("104.244.12.0/22");
        lists.file("d41d8cd98f00b204e9800998ecf8427e");
        lists
    }

    #[test]
    fn what_everybody_uses_is_not_taken() {
        for (text, why) in [
            ("bank.example", Stopped::BusySite),
            ("http://www.bank.example/", Stopped::BusySite),
            ("login.bank.example", Stopped::BusySite),
            ("google.com", Stopped::BusySite),
            ("http://anything.at.all.google.com", Stopped::BusySite),
            ("https://docs.google.com", Stopped::SharedHost),
            ("000webhostapp.com", Stopped::SharedHost),
            ("www.000webhostapp.com", Stopped::SharedHost),
            ("co.uk", Stopped::PublicSuffix),
            ("github.io", Stopped::PublicSuffix),
            ("a.shop.example", Stopped::Own),
            ("https://shop.example/login", Stopped::Own),
            ("help@shop.example", Stopped::Own),
            ("10.0.0.0/8", Stopped::ReservedAddress),
            ("http://127.0.0.1/x", Stopped::ReservedAddress),
            ("::1", Stopped::ReservedAddress),
            ("0.0.0.0/0", Stopped::TooWide),
            ("2000::/3", Stopped::TooWide),
            ("104.244.13.9", Stopped::HarmlessAddress),
            ("d41d8cd98f00b204e9800998ecf8427e", Stopped::HarmlessFile),
        ] {
            assert_eq!(judged(&lists(), text), Err(why), "{text}");
        }
    }

    #[test]
    fn what_is_somebodys_is_taken() {
        for text in [
            "evil.bank.example",
            "evil-bank.example",
            "login.000webhostapp.com",
            "evil.github.io",
            "https://docs.google.com/forms/d/x",
            "198.51.100.0/24",
            "notshop.example",
        ] {
            assert_eq!(judged(&lists(), text), Ok(()), "{text}");
        }
    }
}
