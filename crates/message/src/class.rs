//! Risk classes of data and what may be done with them (`ARCHITECTURE.md`, "Classes and default handling").

use serde::{Deserialize, Serialize};

/// The risk class of a kind of data. The order is from least to most dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// IP, MAC, URL, user name, order number, place, time, organisation, the text itself.
    Interaction,
    /// Name, e-mail, phone, address, birth date, national id, passport, licence, tax, medical id, vehicle.
    Identity,
    /// Health, religion, politics, sexuality, union membership (GDPR article 9).
    Special,
    /// Card number, IBAN, account, routing number, wallet.
    Payment,
    /// Password, one-time code, API key, private key.
    Secret,
    /// Card code, PIN, track data: never kept (PCI DSS 4.0.1, 3.3.1).
    PaymentNeverKept,
}

impl Class {
    /// Every class, least dangerous first.
    pub const ALL: [Self; 6] = [
        Self::Interaction,
        Self::Identity,
        Self::Special,
        Self::Payment,
        Self::Secret,
        Self::PaymentNeverKept,
    ];

    /// How bad it is when data of this class gets out.
    pub const fn risk(self) -> Risk {
        match self {
            Self::Interaction => Risk::Medium,
            Self::Identity | Self::Special => Risk::High,
            Self::Payment | Self::Secret | Self::PaymentNeverKept => Risk::Critical,
        }
    }

    /// The name used in configuration, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Identity => "identity",
            Self::Special => "special",
            Self::Payment => "payment",
            Self::Secret => "secret",
            Self::PaymentNeverKept => "payment-never-kept",
        }
    }
}

/// A set of classes: which a stored item holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Classes(u8);

impl Classes {
    /// None.
    pub const NONE: Self = Self(0);

    /// Those whose bits are set, in the order of [`Class::ALL`].
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b11_1111)
    }

    /// A bit for each.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// With this one too.
    #[must_use]
    pub const fn with(self, class: Class) -> Self {
        Self(self.0 | 1 << class as u8)
    }

    /// Without this one.
    #[must_use]
    pub const fn without(self, class: Class) -> Self {
        Self(self.0 & !(1 << class as u8))
    }

    /// Whether this one is among them.
    pub const fn contains(self, class: Class) -> bool {
        self.0 & 1 << class as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each, least dangerous first.
    pub fn iter(self) -> impl Iterator<Item = Class> {
        Class::ALL.into_iter().filter(move |class| self.contains(*class))
    }
}

impl FromIterator<Class> for Classes {
    fn from_iter<T: IntoIterator<Item = Class>>(all: T) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

/// How bad a loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// A nuisance.
    Medium,
    /// Harms a person.
    High,
    /// Costs money or opens doors at once.
    Critical,
}

/// Where data is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// To the bot: out of the house.
    Bot,
    /// To the customer: what a bot's answer contains that the customer did not write.
    Customer,
    /// Into the store.
    Kept,
    /// Before the eyes of staff.
    Staff,
}

impl Destination {
    /// Every destination.
    pub const ALL: [Self; 4] = [Self::Bot, Self::Customer, Self::Kept, Self::Staff];

    /// The name used in configuration, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bot => "bot",
            Self::Customer => "customer",
            Self::Kept => "kept",
            Self::Staff => "staff",
        }
    }
}

/// What is done with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Goes through unchanged (and is still counted).
    Pass,
    /// Replaced by a placeholder that is restored in the answer.
    Token,
    /// Replaced by a plausible invented value that is restored in the answer.
    Surrogate,
    /// Replaced by stars, save the last four characters where the kind allows it.
    Mask,
    /// Replaced by something coarser (a birth date by its year, an IP address by its network).
    Generalise,
    /// Replaced by a keyed hash: the same value gives the same hash, nobody can go back.
    Hash,
    /// Removed; a note stands in its place and the value is kept nowhere.
    Drop,
    /// The whole message is refused.
    Block,
}

impl Operator {
    /// The name used in configuration, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Token => "token",
            Self::Surrogate => "surrogate",
            Self::Mask => "mask",
            Self::Generalise => "generalise",
            Self::Hash => "hash",
            Self::Drop => "drop",
            Self::Block => "block",
        }
    }

    /// Whether the value can be put back into an answer.
    pub const fn reversible(self) -> bool {
        matches!(self, Self::Token | Self::Surrogate)
    }
}
