//! The handling table: kind or class × destination → operator.
//!
//! The defaults are those of `ARCHITECTURE.md`, "Classes and default handling". An operator of the house may deviate by kind
//! or by class; every deviation is named, so that the log can name it. What PCI DSS 4.0.1 (3.3.1) forbids cannot be
//! configured: card codes, PINs and track data are dropped on the way to the bot and to the store, whatever the table says.

use std::collections::HashMap;

use chatward_message::{Class, Destination, Finding, Kind, Operator};

/// A row of the table that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// PCI DSS 4.0.1 (3.3.1): sensitive authentication data is never stored, and never needed by a bot.
    #[error("`{subject}` must be dropped or blocked on the way to `{}`: card codes, PINs and track data are never kept", .destination.name())]
    NeverKept {
        /// Kind or class.
        subject: String,
        /// Where it would have gone.
        destination: Destination,
    },
    /// An operator that makes no sense there: a placeholder shown to a customer could never be restored.
    #[error("operator `{}` cannot be used towards `{}`", .operator.name(), .destination.name())]
    Senseless {
        /// What was asked.
        operator: Operator,
        /// Where.
        destination: Destination,
    },
}

/// A row that differs from the defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// `kind credit_card` or `class payment`.
    pub subject: String,
    /// Towards whom.
    pub destination: Destination,
    /// What the defaults say.
    pub default: Operator,
    /// What this house does.
    pub operator: Operator,
}

/// Which operator for which finding towards which destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HandlingTable {
    kinds: HashMap<(Kind, Destination), Operator>,
    classes: HashMap<(Class, Destination), Operator>,
    no_special: bool,
}

impl HandlingTable {
    /// The defaults of the house.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is done with this class towards this destination if nobody says otherwise.
    pub const fn default_for(class: Class, to: Destination) -> Operator {
        match (class, to) {
            (Class::PaymentNeverKept | Class::Secret, _) => Operator::Drop,
            (Class::Payment | Class::Identity, Destination::Bot | Destination::Kept) => Operator::Token,
            (Class::Payment, Destination::Customer | Destination::Staff) => Operator::Mask,
            // A bot's own contact data (a help line, a support address) is part of its job; what is leaked is counted.
            (Class::Identity, Destination::Customer) => Operator::Pass,
            (Class::Identity | Class::Special | Class::Interaction, Destination::Staff) => Operator::Mask,
            (Class::Special | Class::Interaction, _) => Operator::Pass,
        }
    }

    /// Handles a whole class differently.
    pub fn set_class(&mut self, class: Class, to: Destination, operator: Operator) -> Result<(), TableError> {
        if class == Class::PaymentNeverKept {
            never_kept(class.name(), to, operator)?;
        }
        sensible(to, operator)?;
        self.classes.insert((class, to), operator);
        Ok(())
    }

    /// Handles one kind differently. `class` is the kind's class.
    pub fn set_kind(
        &mut self,
        kind: &Kind,
        class: Class,
        to: Destination,
        operator: Operator,
    ) -> Result<(), TableError> {
        if class == Class::PaymentNeverKept {
            never_kept(kind.as_str(), to, operator)?;
        }
        sensible(to, operator)?;
        self.kinds.insert((kind.clone(), to), operator);
        Ok(())
    }

    /// The same table for messages of somebody for whom no purpose in force lets special categories be kept
    /// ([`InForce::special`](crate::InForce::special)): they reach neither the bot nor the store.
    #[must_use]
    pub fn without_special(&self) -> Self {
        Self { no_special: true, ..self.clone() }
    }

    /// What is done with a value of this kind and class on its way to `to`.
    pub fn operator(&self, kind: &Kind, class: Class, to: Destination) -> Operator {
        let said = self.said(kind, class, to);
        let stopped = self.no_special
            && class == Class::Special
            && matches!(to, Destination::Bot | Destination::Kept)
            && said != Operator::Block;
        if stopped { Operator::Drop } else { said }
    }

    /// What the rows say.
    fn said(&self, kind: &Kind, class: Class, to: Destination) -> Operator {
        if !self.kinds.is_empty()
            && let Some(operator) = self.kinds.get(&(kind.clone(), to))
        {
            return *operator;
        }
        self.class_operator(class, to)
    }

    /// What is done with values of a class on their way to `to`, save those of kinds that are named.
    pub fn class_operator(&self, class: Class, to: Destination) -> Operator {
        self.classes.get(&(class, to)).copied().unwrap_or_else(|| Self::default_for(class, to))
    }

    /// Decides for every finding of every text, in their order.
    pub fn handle<'a>(&self, texts: impl Iterator<Item = &'a [Finding]>, to: Destination) -> Handling {
        let operators = texts
            .map(|findings| findings.iter().map(|f| self.operator(&f.rule.kind, f.rule.class, to)).collect())
            .collect();
        Handling { to, operators }
    }

    /// Every row that differs from the defaults, in a stable order.
    pub fn deviations(&self) -> Vec<Deviation> {
        let of_class = self.classes.iter().map(|((class, to), operator)| Deviation {
            subject: format!("class {}", class.name()),
            destination: *to,
            default: Self::default_for(*class, *to),
            operator: *operator,
        });
        let of_kind = self.kinds.iter().map(|((kind, to), operator)| Deviation {
            subject: format!("kind {kind}"),
            destination: *to,
            default: Operator::Pass,
            operator: *operator,
        });
        let mut all: Vec<_> = of_class.filter(|d| d.operator != d.default).chain(of_kind).collect();
        all.sort_by(|a, b| (&a.subject, a.destination).cmp(&(&b.subject, b.destination)));
        all
    }
}

fn never_kept(subject: &str, to: Destination, operator: Operator) -> Result<(), TableError> {
    if matches!(operator, Operator::Drop | Operator::Block) {
        return Ok(());
    }
    Err(TableError::NeverKept { subject: subject.to_owned(), destination: to })
}

fn sensible(to: Destination, operator: Operator) -> Result<(), TableError> {
    let never_restored = matches!(to, Destination::Customer | Destination::Staff) && operator.reversible();
    // An answer is already on its way when something is found in it: it can be cut out, not refused as a whole.
    let too_late = matches!(to, Destination::Customer) && operator == Operator::Block;
    if never_restored || too_late { Err(TableError::Senseless { operator, destination: to }) } else { Ok(()) }
}

/// The operators decided for the findings of one inspected piece of work. Only [`HandlingTable::handle`] makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handling {
    to: Destination,
    operators: Vec<Vec<Operator>>,
}

impl Handling {
    /// Towards whom.
    pub fn destination(&self) -> Destination {
        self.to
    }

    /// The operators for the findings of text number `text`, in the findings' order; nothing if there is no such text.
    pub fn of_text(&self, text: usize) -> &[Operator] {
        self.operators.get(text).map_or(&[], Vec::as_slice)
    }

    /// Whether any finding asks for the whole message to be refused.
    pub fn blocks(&self) -> bool {
        self.operators.iter().flatten().any(|o| *o == Operator::Block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_follow_the_design() {
        let table = HandlingTable::new();
        let op = |class, to| table.operator(&Kind::new("x"), class, to);
        assert_eq!(op(Class::Payment, Destination::Bot), Operator::Token);
        assert_eq!(op(Class::PaymentNeverKept, Destination::Bot), Operator::Drop);
        assert_eq!(op(Class::PaymentNeverKept, Destination::Kept), Operator::Drop);
        assert_eq!(op(Class::Secret, Destination::Bot), Operator::Drop);
        assert_eq!(op(Class::Identity, Destination::Bot), Operator::Token);
        assert_eq!(op(Class::Interaction, Destination::Bot), Operator::Pass);
        assert_eq!(op(Class::Payment, Destination::Customer), Operator::Mask);
    }

    #[test]
    fn special_categories_go_nowhere_without_a_purpose() {
        let mut table = HandlingTable::new();
        let kind = Kind::new("health");
        table.set_kind(&kind, Class::Special, Destination::Bot, Operator::Token).unwrap();
        let op = |table: &HandlingTable, to| table.operator(&kind, Class::Special, to);
        let without = table.without_special();
        assert_eq!(op(&table, Destination::Bot), Operator::Token);
        assert_eq!(op(&without, Destination::Bot), Operator::Drop);
        assert_eq!(op(&without, Destination::Kept), Operator::Drop);
        // What the bot says is still said to the customer, and refusing stays refusing.
        assert_eq!(op(&without, Destination::Customer), Operator::Pass);
        table.set_class(Class::Special, Destination::Bot, Operator::Block).unwrap();
        let other = Kind::new("religion");
        let said = table.without_special().operator(&other, Class::Special, Destination::Bot);
        assert_eq!(said, Operator::Block);
        let email = without.operator(&Kind::new("email"), Class::Identity, Destination::Bot);
        assert_eq!(email, Operator::Token);
    }

    #[test]
    fn a_kind_wins_over_its_class_and_is_named_as_a_deviation() {
        let mut table = HandlingTable::new();
        let email = Kind::new("email");
        table.set_class(Class::Identity, Destination::Bot, Operator::Hash).unwrap();
        table.set_kind(&email, Class::Identity, Destination::Bot, Operator::Surrogate).unwrap();
        assert_eq!(table.operator(&email, Class::Identity, Destination::Bot), Operator::Surrogate);
        assert_eq!(table.operator(&Kind::new("phone"), Class::Identity, Destination::Bot), Operator::Hash);
        assert_eq!(table.deviations().len(), 2);
    }

    #[test]
    fn card_codes_can_never_be_let_through() {
        for to in Destination::ALL {
            for operator in [Operator::Pass, Operator::Token, Operator::Mask, Operator::Hash] {
                let mut table = HandlingTable::new();
                assert!(table.set_class(Class::PaymentNeverKept, to, operator).is_err());
                assert!(
                    table.set_kind(&Kind::new("card_code"), Class::PaymentNeverKept, to, operator).is_err()
                );
                assert_eq!(table, HandlingTable::new());
            }
        }
    }
}
