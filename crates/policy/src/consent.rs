//! What a message may be used for: the purposes of a house, and those in force for one customer at one moment.

use std::sync::Arc;

use chatward_message::{Class, Classes, Purpose, Purposes, Standing, Wording};
use serde::{Deserialize, Serialize};

use crate::Basis;

/// What allows special categories of personal data (health, religion, politics, sexuality, union membership) without the
/// customer's explicit consent (GDPR article 9(2), all but (a)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpecialGround {
    /// Employment, social security and social protection law (b).
    EmploymentLaw,
    /// Vital interests of somebody who cannot consent (c).
    VitalInterests,
    /// Members of a foundation, association or other body that is not for profit (d).
    Membership,
    /// The customer manifestly made it public (e).
    MadePublic,
    /// Legal claims and courts (f).
    LegalClaims,
    /// Substantial public interest, by law (g).
    PublicInterest,
    /// Health or social care, under professional secrecy (h).
    HealthCare,
    /// Public health (i).
    PublicHealth,
    /// Archives, research and statistics (j).
    Research,
}

impl SpecialGround {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmploymentLaw => "employment-law",
            Self::VitalInterests => "vital-interests",
            Self::Membership => "membership",
            Self::MadePublic => "made-public",
            Self::LegalClaims => "legal-claims",
            Self::PublicInterest => "public-interest",
            Self::HealthCare => "health-care",
            Self::PublicHealth => "public-health",
            Self::Research => "research",
        }
    }

    /// The letter of article 9(2).
    pub const fn letter(self) -> char {
        match self {
            Self::EmploymentLaw => 'b',
            Self::VitalInterests => 'c',
            Self::Membership => 'd',
            Self::MadePublic => 'e',
            Self::LegalClaims => 'f',
            Self::PublicInterest => 'g',
            Self::HealthCare => 'h',
            Self::PublicHealth => 'i',
            Self::Research => 'j',
        }
    }
}

/// A purpose as a house has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Which.
    pub purpose: Purpose,
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// On which legal basis. That of [`Purpose::SERVICE`] is each bot's own; what stands here is for those that say none.
    pub basis: Basis,
    /// The version of what customers are told about it.
    pub version: Arc<str>,
    /// What they are told, by language; the first is the house's own. Empty if nobody is asked.
    pub texts: Vec<(Arc<str>, Arc<str>)>,
    /// Tells this wording from others.
    pub wording: Wording,
    /// Whether data is sold or shared for it: a browser's opt-out signal turns it off.
    pub sold_or_shared: bool,
    /// What allows special categories for it, if not that the customer agreed.
    pub special: Option<SpecialGround>,
    /// For how long each class of data is kept for it, in milliseconds; what is not named is not kept for it.
    pub keep: Vec<(Class, u64)>,
}

impl Terms {
    /// For how long data of this class is kept for it.
    pub fn kept(&self, class: Class) -> Option<u64> {
        self.keep.iter().find(|(of, _)| *of == class).map(|(_, time)| *time)
    }

    /// Which classes are kept for it.
    pub fn classes(&self) -> Classes {
        self.keep.iter().map(|(class, _)| *class).collect()
    }
}

/// The purposes of a house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    terms: Vec<Terms>,
}

/// Why a register cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Two purposes with one number or name.
    #[error("`{name}` is there twice, or has the number of another purpose")]
    Twice {
        /// Its name.
        name: Arc<str>,
    },
    /// Answering is always a purpose.
    #[error("the purpose `service` is missing")]
    NoService,
    /// Values of a class are kept longer than the conversation that they stand in.
    #[error("`{name}` keeps {} longer than the conversation itself (class interaction)", .class.name())]
    Outlives {
        /// The purpose.
        name: Arc<str>,
        /// The class.
        class: Class,
    },
}

impl Register {
    /// The purposes, in order of their numbers.
    pub fn new(mut terms: Vec<Terms>) -> Result<Self, RegisterError> {
        terms.sort_by_key(|terms| terms.purpose);
        for pair in terms.windows(2) {
            if let [a, b] = pair
                && (a.purpose == b.purpose || a.name == b.name)
            {
                return Err(RegisterError::Twice { name: Arc::clone(&b.name) });
            }
        }
        if terms.first().is_none_or(|first| first.purpose != Purpose::SERVICE) {
            return Err(RegisterError::NoService);
        }
        for one in &terms {
            let conversation = one.kept(Class::Interaction).unwrap_or(0);
            if let Some((class, _)) = one.keep.iter().find(|(_, time)| *time > conversation) {
                return Err(RegisterError::Outlives { name: Arc::clone(&one.name), class: *class });
            }
        }
        Ok(Self { terms })
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Terms> {
        self.terms.iter()
    }

    /// One.
    pub fn get(&self, purpose: Purpose) -> Option<&Terms> {
        self.terms.iter().find(|terms| terms.purpose == purpose)
    }

    /// The one of this name.
    pub fn named(&self, name: &str) -> Option<&Terms> {
        self.terms.iter().find(|terms| &*terms.name == name)
    }

    /// What may be done with a message that a customer who stands there sends now. `service` is the basis on which the bot is
    /// asked, `signal` whether the browser says that nothing may be sold or shared (`Sec-GPC: 1`).
    ///
    /// A contract needs nobody's word. A legitimate interest counts until the customer objects. Everything else needs that they
    /// agreed to the very words in force. The signal turns off what is for selling or sharing, whatever was agreed to before,
    /// and counts as an objection to what rests on an interest.
    pub fn in_force(&self, service: Basis, standing: &Standing, signal: bool) -> InForce {
        let counts = |terms: &Terms| {
            let own = terms.purpose == Purpose::SERVICE;
            let basis = if own { service } else { terms.basis };
            if signal && !own && (terms.sold_or_shared || basis == Basis::LegitimateInterest) {
                return false;
            }
            match basis {
                Basis::Contract => true,
                Basis::LegitimateInterest => !standing.refused.contains(terms.purpose),
                Basis::Consent => standing.agreed(terms.purpose, &terms.wording),
            }
        };
        let purposes = self.terms.iter().filter(|terms| counts(terms)).map(|terms| terms.purpose).collect();
        let special = |terms: &&Terms| {
            let own = terms.purpose == Purpose::SERVICE;
            let agreed = if own { service } else { terms.basis } == Basis::Consent;
            counts(terms) && terms.kept(Class::Special).is_some() && (agreed || terms.special.is_some())
        };
        let special = self.terms.iter().filter(special).map(|terms| terms.purpose).collect();
        InForce { purposes, special, service, standing: standing.revision }
    }
}

/// What a message may be used for. Only [`Register::in_force`] says so.
///
/// ```compile_fail,E0451
/// use chatward_policy::{Basis, InForce};
/// let all = InForce { purposes: Default::default(), special: Default::default(), service: Basis::Contract, standing: 0 };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce {
    purposes: Purposes,
    special: Purposes,
    service: Basis,
    standing: u64,
}

impl InForce {
    /// The purposes. A message that may not even be answered has none but those.
    pub fn purposes(self) -> Purposes {
        self.purposes
    }

    /// Those of them for which special categories (GDPR article 9) may be kept. Where there is none, such data goes nowhere.
    pub fn special(self) -> Purposes {
        self.special
    }

    /// Whether the customer may be answered.
    pub fn may_serve(self) -> bool {
        self.purposes.contains(Purpose::SERVICE)
    }

    /// The basis of answering.
    pub fn basis(self) -> Basis {
        self.service
    }

    /// The revision of the standing that was looked at.
    pub fn standing(self) -> u64 {
        self.standing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn terms(purpose: Purpose, basis: Basis, sold_or_shared: bool) -> Terms {
        Terms {
            purpose,
            name: purpose.word().into(),
            basis,
            version: "1".into(),
            texts: vec![("en".into(), "May we?".into())],
            wording: [purpose.number(); 8],
            sold_or_shared,
            special: None,
            keep: vec![(Class::Interaction, 10), (Class::Identity, 10)],
        }
    }

    fn house() -> Register {
        Register::new(vec![
            terms(Purpose::MARKETING, Basis::Consent, true),
            terms(Purpose::SERVICE, Basis::Contract, false),
            terms(Purpose::QUALITY, Basis::LegitimateInterest, false),
            terms(Purpose::TRAINING, Basis::Consent, false),
        ])
        .unwrap()
    }

    #[test]
    fn a_register_that_contradicts_itself_is_refused() {
        let service = || terms(Purpose::SERVICE, Basis::Contract, false);
        assert_eq!(Register::new(vec![]), Err(RegisterError::NoService));
        assert!(matches!(Register::new(vec![service(), service()]), Err(RegisterError::Twice { .. })));
        let mut long = service();
        long.keep = vec![(Class::Interaction, 10), (Class::Payment, 11)];
        let outlives = RegisterError::Outlives { name: "service".into(), class: Class::Payment };
        assert_eq!(Register::new(vec![long]), Err(outlives));
    }

    #[test]
    fn nothing_said_is_no_consent_and_no_objection() {
        let force = house().in_force(Basis::Contract, &Standing::default(), false);
        assert_eq!(force.purposes(), Purposes::SERVICE.with(Purpose::QUALITY));
        assert!(!house().in_force(Basis::Consent, &Standing::default(), false).may_serve());
    }

    #[test]
    fn other_words_need_another_consent() {
        let mut standing = Standing::default();
        standing.give(Purpose::TRAINING, [9; 8]);
        let force = |standing: &Standing| house().in_force(Basis::Contract, standing, false);
        assert!(!force(&standing).purposes().contains(Purpose::TRAINING));
        standing.give(Purpose::TRAINING, [Purpose::TRAINING.number(); 8]);
        assert!(force(&standing).purposes().contains(Purpose::TRAINING));
    }

    #[test]
    fn special_categories_need_a_consent_or_a_ground_that_is_named() {
        let with = |purpose, basis, ground| Terms {
            special: ground,
            keep: vec![(Class::Interaction, 10), (Class::Special, 10)],
            ..terms(purpose, basis, false)
        };
        let house = |ground| {
            let service = with(Purpose::SERVICE, Basis::Contract, ground);
            let training = with(Purpose::TRAINING, Basis::Consent, None);
            let quality = with(Purpose::QUALITY, Basis::LegitimateInterest, None);
            Register::new(vec![service, training, quality]).unwrap()
        };
        let nobody = Standing::default();
        let mut agreed = Standing::default();
        agreed.give(Purpose::TRAINING, [Purpose::TRAINING.number(); 8]);
        agreed.give(Purpose::SERVICE, [Purpose::SERVICE.number(); 8]);
        let special = |house: Register, basis, standing| house.in_force(basis, standing, false).special();
        assert_eq!(special(house(None), Basis::Contract, &nobody), Purposes::NONE);
        assert_eq!(special(house(None), Basis::Contract, &agreed), Purpose::TRAINING.into());
        assert_eq!(special(house(None), Basis::Consent, &nobody), Purposes::NONE);
        let both = Purposes::SERVICE.with(Purpose::TRAINING);
        assert_eq!(special(house(None), Basis::Consent, &agreed), both);
        let care = Some(SpecialGround::HealthCare);
        assert_eq!(special(house(care), Basis::Contract, &nobody), Purposes::SERVICE);
        // A ground allows what would be kept; what is not kept needs none.
        assert_eq!(special(super::tests::house(), Basis::Contract, &agreed), Purposes::NONE);
    }

    proptest! {
        #[test]
        fn whatever_was_said(given in 0_u32..32, refused in 0_u32..32, signal: bool, consent: bool) {
            let mut standing = Standing::default();
            Purposes::from_bits(given).iter().for_each(|p| standing.give(p, [p.number(); 8]));
            Purposes::from_bits(refused).iter().for_each(|p| standing.refuse(p));
            let basis = if consent { Basis::Consent } else { Basis::Contract };
            let force = house().in_force(basis, &standing, signal).purposes();
            // Nothing that was refused is in force, save what a contract needs.
            let (force, refused) = (force, Purposes::from_bits(refused));
            prop_assert!(force.and(refused).without(Purposes::SERVICE).is_empty());
            // A consent is needed where it is the basis, and the signal wins.
            for purpose in [Purpose::TRAINING, Purpose::MARKETING] {
                prop_assert!(!force.contains(purpose) || standing.given.iter().any(|(of, _)| *of == purpose));
            }
            prop_assert!(!signal || !force.contains(Purpose::MARKETING) && !force.contains(Purpose::QUALITY));
            prop_assert!(force.contains(Purpose::SERVICE) || consent);
            // The same once more, and no house's purpose that is not there.
            prop_assert_eq!(force.and(Purposes::from_bits(u32::MAX)), force);
            prop_assert!(!force.contains(Purpose::ANALYTICS));
        }
    }
}
