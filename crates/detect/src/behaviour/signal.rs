//! What can be observed in a message: closed lists, so that counters have fixed places.

use serde::Deserialize;

/// Something that a message does, or that happened with it. Told by [`super::Reader`] or by the caller, who knows of
/// factors and devices. The order is part of the saved form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// A message of the customer. Counted by the engine; decays within minutes.
    Message,
    /// A kibibyte of the customer's text. Counted by the engine; decays within minutes.
    Kibibyte,
    /// The bot would not do what it was asked.
    Refusal,
    /// A request that comes again after it was refused, in other words. Told by the engine.
    Rephrase,
    /// The bot asks for proof of who writes.
    VerificationAsked,
    /// Who writes was verified.
    VerificationPassed,
    /// What was given as proof was wrong.
    VerificationFailed,
    /// The customer wants it without proof.
    VerificationSkipped,
    /// E-mail, phone or address of the account shall be another.
    ContactChange,
    /// Money shall go to a new place: another account, a gift card, a wallet.
    Payout,
    /// Money shall come back.
    Refund,
    /// The customer wants a one-time code told in the chat or sent to another place.
    CodeDiverted,
    /// The customer reads out a one-time code.
    CodeGiven,
    /// The bot wants the customer to pass on a one-time code.
    CodeWanted,
    /// The customer claims more to be than before. Told by the engine.
    PersonaRaised,
    /// Haste and threats.
    Pressure,
    /// Records of many, lists of others, exports, the next page of them.
    RecordsWanted,
    /// A record in an answer.
    Record,
    /// An answer with clearly more records than any before. Told by the engine.
    RecordsGrown,
    /// The bot says that there is nothing under this number or address.
    NotFound,
    /// Signed in from a device that the account does not know. Told by the caller.
    NewDevice,
    /// A password, code or passkey that was wrong. Told by the caller.
    FailedFactor,
    /// A password, factor or recovery code was replaced. Told by the caller.
    CredentialChange,
    /// What other detection thinks of the text, where that alone is not enough: 1 for a whole suspicion.
    Suspicion,
}

impl Signal {
    /// How many there are.
    pub const COUNT: usize = 24;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Message,
        Self::Kibibyte,
        Self::Refusal,
        Self::Rephrase,
        Self::VerificationAsked,
        Self::VerificationPassed,
        Self::VerificationFailed,
        Self::VerificationSkipped,
        Self::ContactChange,
        Self::Payout,
        Self::Refund,
        Self::CodeDiverted,
        Self::CodeGiven,
        Self::CodeWanted,
        Self::PersonaRaised,
        Self::Pressure,
        Self::RecordsWanted,
        Self::Record,
        Self::RecordsGrown,
        Self::NotFound,
        Self::NewDevice,
        Self::FailedFactor,
        Self::CredentialChange,
        Self::Suspicion,
    ];

    /// Its name in rules and evidence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Kibibyte => "kibibyte",
            Self::Refusal => "refusal",
            Self::Rephrase => "rephrase",
            Self::VerificationAsked => "verification-asked",
            Self::VerificationPassed => "verification-passed",
            Self::VerificationFailed => "verification-failed",
            Self::VerificationSkipped => "verification-skipped",
            Self::ContactChange => "contact-change",
            Self::Payout => "payout",
            Self::Refund => "refund",
            Self::CodeDiverted => "code-diverted",
            Self::CodeGiven => "code-given",
            Self::CodeWanted => "code-wanted",
            Self::PersonaRaised => "persona-raised",
            Self::Pressure => "pressure",
            Self::RecordsWanted => "records-wanted",
            Self::Record => "record",
            Self::RecordsGrown => "records-grown",
            Self::NotFound => "not-found",
            Self::NewDevice => "new-device",
            Self::FailedFactor => "failed-factor",
            Self::CredentialChange => "credential-change",
            Self::Suspicion => "suspicion",
        }
    }

    /// Whether its counter decays within minutes: what is a matter of rate, not of what was said.
    pub(crate) const fn is_quick(self) -> bool {
        matches!(self, Self::Message | Self::Kibibyte)
    }

    /// What a customer would not want done again in other words after a no.
    pub(crate) const fn is_sensitive(self) -> bool {
        matches!(
            self,
            Self::ContactChange
                | Self::Payout
                | Self::CodeDiverted
                | Self::VerificationSkipped
                | Self::RecordsWanted
        )
    }
}

/// A set of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Signals(u32);

impl Signals {
    /// None.
    pub const NONE: Self = Self(0);

    /// With this one too.
    #[must_use]
    pub const fn with(self, signal: Signal) -> Self {
        Self(self.0 | 1 << signal as u32)
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether this one is among them.
    pub const fn contains(self, signal: Signal) -> bool {
        self.0 & 1 << signal as u32 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// A bit for each, in order.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// Each, in order.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |signal| self.contains(*signal))
    }

    /// The sensitive ones among them.
    pub(crate) fn sensitive(self) -> Self {
        self.iter().filter(|signal| signal.is_sensitive()).collect()
    }
}

impl FromIterator<Signal> for Signals {
    fn from_iter<T: IntoIterator<Item = Signal>>(all: T) -> Self {
        all.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The kinds of values whose number matters. The order is part of the saved form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ValueKind {
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// The number of an order, a booking, a parcel, an invoice, or what looks like one ([`super::references`]).
    Order,
    /// The number of a payment card.
    Card,
    /// IBAN, account number, wallet.
    Account,
    /// The number of an identity paper, an insurance, a tax office.
    Identity,
    /// A date of birth.
    BirthDate,
    /// A name of a person.
    Name,
    /// A code that is valid once, a PIN, an answer to a security question.
    Code,
    /// Who writes: an account, as the network or a text sees it.
    Customer,
    /// From where: a network, as an account sees it.
    Network,
}

impl ValueKind {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Email,
        Self::Phone,
        Self::Order,
        Self::Card,
        Self::Account,
        Self::Identity,
        Self::BirthDate,
        Self::Name,
        Self::Code,
        Self::Customer,
        Self::Network,
    ];

    /// Its name in rules and evidence.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Order => "order",
            Self::Card => "card",
            Self::Account => "account",
            Self::Identity => "identity",
            Self::BirthDate => "birth-date",
            Self::Name => "name",
            Self::Code => "code",
            Self::Customer => "customer",
            Self::Network => "network",
        }
    }

    /// What a recogniser with this entity type and kind finds (`rules/*.toml`); nothing for what is not counted.
    pub fn of(entity: &str, kind: &str) -> Option<Self> {
        match (entity, kind) {
            (_, "one_time_code" | "pin" | "security_answer") => Some(Self::Code),
            (_, "bare_number") => Some(Self::Order),
            (_, "birth_date") => Some(Self::BirthDate),
            ("EMAIL", _) => Some(Self::Email),
            ("PHONE", _) => Some(Self::Phone),
            ("CREDIT_CARD", _) => Some(Self::Card),
            ("IBAN" | "BANK_ACCOUNT" | "CRYPTO_WALLET", _) => Some(Self::Account),
            ("NATIONAL_ID" | "US_SSN" | "PASSPORT" | "DRIVER_LICENSE" | "MEDICAL_ID", _) => {
                Some(Self::Identity)
            }
            ("PERSON", _) => Some(Self::Name),
            _ => None,
        }
    }
}

/// Whom somebody claims to be, by how much it would open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Persona {
    /// Nobody in particular.
    #[default]
    None,
    /// Owner of the account, or close to the owner.
    Owner,
    /// Of the house's staff, or its partner's.
    Staff,
    /// Manager, director, head of the house.
    Manager,
    /// Police, court, supervisor; the bot's maker or administrator.
    Authority,
}

impl Persona {
    /// From its number in the saved form; the highest for anything above.
    pub(crate) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Owner,
            2 => Self::Staff,
            3 => Self::Manager,
            _ => Self::Authority,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_names_are_those_of_the_lists() {
        for (at, signal) in Signal::ALL.into_iter().enumerate() {
            assert_eq!(signal as usize, at);
            let read: Signal = serde_json::from_value(serde_json::json!(signal.name())).unwrap();
            assert_eq!(read, signal);
        }
        for (at, kind) in ValueKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            let read: ValueKind = serde_json::from_value(serde_json::json!(kind.name())).unwrap();
            assert_eq!(read, kind);
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: Signals = [Signal::Refusal, Signal::Payout].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Signal::Refusal, Signal::Payout]);
        assert_eq!(set.sensitive(), Signals::NONE.with(Signal::Payout));
    }
}
