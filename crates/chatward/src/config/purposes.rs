//! `[purposes]`: what data is used for, in which words customers are asked, and for how long what is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use chatward_message::{Class, Destination, Operator, Purpose, Wording};
use chatward_policy::{Basis, HandlingTable, Register, Terms};

use super::Fault;
use super::load::fault;
use super::raw::{Raw, RawBasis, RawPurpose, Span};

/// For how long things are kept for answering, if nobody says otherwise: 90 days.
const SERVICE_DAYS: u64 = 90;
/// For how long for anything else: 30 days.
const OTHER_DAYS: u64 = 30;
const DAY: u64 = 24 * 3600 * 1000;
/// Longer than this is for ever, and that is not a length of time.
const LONGEST: u64 = 100 * 366 * DAY;
/// Longest text, in characters.
const LONGEST_TEXT: usize = 4000;
/// Classes of which nothing is ever kept.
const NEVER: [Class; 2] = [Class::PaymentNeverKept, Class::Secret];

/// The purposes of the house. Answering is always one.
pub(super) fn purposes(
    raw: &Raw,
    handling: &HandlingTable,
    faults: &mut Vec<Fault>,
) -> Option<Arc<Register>> {
    let before = faults.len();
    let service = RawPurpose::default();
    let named = raw.purposes.iter().map(|(name, raw)| (name.as_str(), raw));
    let all = named.chain((!raw.purposes.contains_key("service")).then_some(("service", &service)));
    let terms: Vec<Terms> = all.filter_map(|(name, raw)| terms(name, raw, faults)).collect();
    if faults.len() > before {
        return None;
    }
    special_in_texts(&terms, handling, faults);
    for class in Class::ALL {
        let operator = handling.class_operator(class, Destination::Kept);
        // Special categories without a purpose are dropped message by message.
        let kept = !NEVER.contains(&class)
            && class != Class::Special
            && !matches!(operator, Operator::Drop | Operator::Block);
        if kept && !terms.iter().any(|terms| terms.kept(class).is_some()) {
            faults.push(fault(
                "purposes",
                format!(
                    "data of class `{name}` is kept, but for no purpose: name it under `keep` of one, or say `operator = \
                     \"drop\"` for `class = \"{name}\"`, `to = \"kept\"` in `[[handling]]`",
                    name = class.name()
                ),
            ));
        }
    }
    if faults.len() > before {
        return None;
    }
    match Register::new(terms) {
        Ok(register) => Some(Arc::new(register)),
        Err(error) => {
            faults.push(fault("purposes", error.to_string()));
            None
        }
    }
}

/// Special categories that the bot may see stand in the text itself, and stay as long as that.
fn special_in_texts(all: &[Terms], handling: &HandlingTable, faults: &mut Vec<Fault>) {
    if handling.class_operator(Class::Special, Destination::Bot) != Operator::Pass {
        return;
    }
    for terms in all {
        let (special, text) = (terms.kept(Class::Special), terms.kept(Class::Interaction));
        if special.is_some() && special != text {
            faults.push(fault(
                &format!("purposes.{}.keep.special", terms.name),
                "must be as long as `keep.interaction`: what the bot is told stands in the text itself. Or say `operator = \
                 \"token\"` for `class = \"special\"`, `to = \"bot\"` in `[[handling]]`",
            ));
        }
    }
}

fn terms(name: &str, raw: &RawPurpose, faults: &mut Vec<Fault>) -> Option<Terms> {
    let at = |key: &str| format!("purposes.{name}.{key}");
    let before = faults.len();
    let purpose = match (Purpose::built_in(name), raw.number) {
        (Some(purpose), None) => Some(purpose),
        (Some(_), Some(_)) => {
            faults.push(fault(&at("number"), "this purpose has a number of its own: leave it out"));
            None
        }
        (None, number) => {
            let own = number.and_then(Purpose::own);
            if own.is_none() {
                faults.push(fault(
                    &at("number"),
                    "a purpose of the house's own needs a number from 8 to 30, which it keeps for ever",
                ));
            }
            own
        }
    };
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(good) {
        faults.push(fault(&format!("purposes.{name}"), "a name has 1 to 63 of a-z, 0-9 and -"));
    }
    let service = purpose == Some(Purpose::SERVICE);
    let basis = match raw.basis {
        None if service => Basis::Contract,
        None | Some(RawBasis::Consent) => Basis::Consent,
        Some(RawBasis::Contract) => Basis::Contract,
        Some(RawBasis::LegitimateInterest) => Basis::LegitimateInterest,
    };
    if basis == Basis::Consent && !service && raw.text.is_empty() {
        faults
            .push(fault(&at("text"), "missing: customers are asked for consent in these words, by language"));
    }
    for (language, text) in &raw.text {
        let tag = language.len() >= 2
            && language.len() <= 16
            && language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !tag {
            faults
                .push(fault(&at("text"), format!("`{language}` is no language: write `en`, `de`, `pt-BR`")));
        }
        if text.trim().is_empty() || text.chars().count() > LONGEST_TEXT {
            faults.push(fault(&at(&format!("text.{language}")), "has 1 to 4000 characters"));
        }
    }
    let keep = keep(name, raw, service, faults);
    if raw.special.is_none() && basis != Basis::Consent && keep.iter().any(|(of, _)| *of == Class::Special) {
        faults.push(fault(
            &at("keep.special"),
            "needs the customer's consent (`basis = \"consent\"`), or that `special` names what allows it: `health-care`, \
             `legal-claims`, …",
        ));
    }
    let purpose = purpose.filter(|_| faults.len() == before)?;
    Some(Terms {
        purpose,
        name: name.into(),
        basis,
        version: raw.version.as_str().into(),
        texts: raw
            .text
            .iter()
            .map(|(language, text)| (language.as_str().into(), text.as_str().into()))
            .collect(),
        wording: wording(name, &raw.version, &raw.text),
        special: raw.special,
        sold_or_shared: raw.sold_or_shared.unwrap_or(purpose == Purpose::MARKETING),
        keep,
    })
}

fn keep(name: &str, raw: &RawPurpose, service: bool, faults: &mut Vec<Fault>) -> Vec<(Class, u64)> {
    let default = || {
        let days =
            Span(std::time::Duration::from_millis(DAY * if service { SERVICE_DAYS } else { OTHER_DAYS }));
        let of = if service {
            &[Class::Interaction, Class::Identity, Class::Payment][..]
        } else {
            &[Class::Interaction]
        };
        of.iter().map(|class| (*class, days)).collect::<BTreeMap<_, _>>()
    };
    let all = raw.keep.clone().unwrap_or_else(default);
    let mut kept = Vec::new();
    for (class, time) in all {
        let path = format!("purposes.{name}.keep.{}", class.name());
        if NEVER.contains(&class) {
            faults.push(fault(&path, "nothing of this class is ever kept: leave it out"));
        }
        match u64::try_from(time.0.as_millis()) {
            Ok(time) if time > 0 && time <= LONGEST => kept.push((class, time)),
            _ => faults.push(fault(&path, "must be more than nothing and at most 100 years")),
        }
    }
    kept
}

/// Whoever agreed, agreed to these words.
fn wording(name: &str, version: &str, texts: &BTreeMap<String, String>) -> Wording {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    add(name);
    add(version);
    for (language, text) in texts {
        add(language);
        add(text);
    }
    hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
}
