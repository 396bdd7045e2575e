//! Whether a turn may go on.
//!
//! A forbidding rule that cannot be evaluated refuses: facts that are missing are errors of the caller's types, not
//! silent permissions, and every verdict carries its reason.

use std::fmt;

use chatward_message::Response;
use serde::{Deserialize, Serialize};

use crate::{Handling, InForce};

/// On which legal basis (GDPR article 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A contract with the customer needs it (6(1)(b)).
    Contract,
    /// The customer agreed (6(1)(a)).
    Consent,
    /// A legitimate interest (6(1)(f)).
    LegitimateInterest,
}

impl Basis {
    /// Purpose and basis as the audit log names them.
    pub const fn for_service(self) -> &'static str {
        match self {
            Self::Contract => "service/contract",
            Self::Consent => "service/consent",
            Self::LegitimateInterest => "service/legitimate-interest",
        }
    }
}

/// Why a turn was refused. The codes are public and stable (`docs/errors.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The handling table says `block` for something that was found.
    BlockedContent,
    /// The basis for answering is consent, and none was given.
    NoConsent,
    /// It looks like an attack, and the house blocks such ones.
    Attack,
    /// It looks like an attack, and one of the staff decides whether it goes on.
    Held,
}

impl Reason {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BlockedContent => "blocked-content",
            Self::NoConsent => "no-consent",
            Self::Attack => "attack-refused",
            Self::Held => "held-for-review",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlockedContent => "the message holds something this service does not accept",
            Self::NoConsent => "answering needs a consent that was not given",
            Self::Attack => "the message looks like an attack on this service",
            Self::Held => "the message waits until one of the staff has looked at it",
        })
    }
}

/// What is known of a turn when it is decided. No text.
#[derive(Debug, Clone, Copy)]
pub struct TurnFacts<'a> {
    /// How the findings will be handled.
    pub handling: &'a Handling,
    /// What the message may be used for.
    pub in_force: InForce,
    /// What is to be done about attacks in it.
    pub response: Response,
}

/// The rules in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {}

impl Policy {
    /// Decides on one turn. What is admitted comes back wrapped: the next step takes only that.
    pub fn admit<T>(&self, facts: TurnFacts<'_>, value: T) -> Result<Admitted<T>, Refused> {
        if facts.handling.blocks() {
            return Err(Refused { reason: Reason::BlockedContent });
        }
        if facts.response == Response::Block {
            return Err(Refused { reason: Reason::Attack });
        }
        if !facts.in_force.may_serve() {
            return Err(Refused { reason: Reason::NoConsent });
        }
        // Last: what would be refused anyway need not be looked at, and is not kept for that.
        if facts.response == Response::Hold {
            return Err(Refused { reason: Reason::Held });
        }
        Ok(Admitted { value })
    }
}

/// Something that a decision let through. Only [`Policy::admit`] makes it.
#[derive(Debug)]
pub struct Admitted<T> {
    value: T,
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// Gives up the proof and hands out what was admitted.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Turns what was admitted into another shape of the same thing (a masked text into the body that carries it).
    pub fn map<U>(self, shape: impl FnOnce(T) -> U) -> Admitted<U> {
        Admitted { value: shape(self.value) }
    }
}

/// A decision against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {reason}")]
pub struct Refused {
    reason: Reason,
}

impl Refused {
    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chatward_message::{
        Class, Destination, Evidence, Finding, Kind, Operator, Purpose, RuleInfo, Span, Standing,
    };

    use super::*;
    use crate::{HandlingTable, Register, Terms};

    fn in_force(basis: Basis, consented: bool) -> InForce {
        let service = Terms {
            purpose: Purpose::SERVICE,
            name: "service".into(),
            basis,
            version: "1".into(),
            texts: Vec::new(),
            wording: [1; 8],
            sold_or_shared: false,
            special: None,
            keep: vec![(Class::Interaction, 1)],
        };
        let mut standing = Standing::default();
        if consented {
            standing.give(Purpose::SERVICE, [1; 8]);
        }
        Register::new(vec![service]).unwrap().in_force(basis, &standing, false)
    }

    fn finding() -> Finding {
        let rule = RuleInfo {
            id: "card-number".into(),
            kind: Kind::new("credit_card"),
            entity: "CREDIT_CARD".into(),
            class: Class::Payment,
            label: "CARD".into(),
            last_four: true,
        };
        Finding { span: Span::new(0, 4), rule: Arc::new(rule), score: 1.0, evidence: Evidence::default() }
    }

    #[test]
    fn block_refuses_and_nothing_else_does() {
        let findings = [finding()];
        for (operator, admitted) in
            [(Operator::Token, true), (Operator::Pass, true), (Operator::Block, false)]
        {
            let mut table = HandlingTable::new();
            table.set_class(Class::Payment, Destination::Bot, operator).unwrap();
            let handling = table.handle([&findings[..]].into_iter(), Destination::Bot);
            let facts = TurnFacts {
                handling: &handling,
                in_force: in_force(Basis::Contract, false),
                response: Response::Warn,
            };
            assert_eq!(Policy::default().admit(facts, ()).is_ok(), admitted);
        }
    }

    #[test]
    fn an_attack_is_refused_where_the_house_blocks_it_or_has_it_wait_and_only_there() {
        let handling = HandlingTable::new().handle(std::iter::empty(), Destination::Bot);
        for response in Response::ALL {
            let facts =
                TurnFacts { handling: &handling, in_force: in_force(Basis::Contract, false), response };
            let refused = Policy::default().admit(facts, ()).err().map(|refused| refused.reason());
            let expected = match response {
                Response::Block => Some(Reason::Attack),
                Response::Hold => Some(Reason::Held),
                _ => None,
            };
            assert_eq!(refused, expected, "{response:?}");
        }
    }

    #[test]
    fn what_may_not_be_answered_does_not_wait_for_somebody_to_look_at_it() {
        let handling = HandlingTable::new().handle(std::iter::empty(), Destination::Bot);
        let in_force = in_force(Basis::Consent, false);
        let facts = TurnFacts { handling: &handling, in_force, response: Response::Hold };
        assert_eq!(Policy::default().admit(facts, ()).unwrap_err().reason(), Reason::NoConsent);
    }

    #[test]
    fn a_basis_of_consent_needs_consent() {
        let handling = HandlingTable::new().handle(std::iter::empty(), Destination::Bot);
        let facts = |consented| TurnFacts {
            handling: &handling,
            in_force: in_force(Basis::Consent, consented),
            response: Response::Observe,
        };
        assert_eq!(Policy::default().admit(facts(false), ()).unwrap_err().reason(), Reason::NoConsent);
        assert!(Policy::default().admit(facts(true), ()).is_ok());
    }
}
