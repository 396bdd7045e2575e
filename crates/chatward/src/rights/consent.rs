//! Consents: what a customer agreed to, in which words, since when; and the receipts for it (ISO/IEC TS 27560, as far as its public
//! summaries and W3C's DPV guide to it tell).
//!
//! Saying yes and no is one call each, and counts from the very next message: the store takes a message only under the standing
//! that it was looked at under.

use std::sync::Arc;

use chatward_message::{Action, CustomerId, Event, Facts, Purpose, Purposes, Standing, UnixMillis};
use chatward_policy::{Basis, Terms};
use chatward_store::StoreError;
use chatward_store::record::{Changes, NewStanding, Put, Record, RecordKind};
use chatward_vault::random_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{RightsError, moment, pseudonym, signed};
use crate::dpv::{self, Term};
use crate::problem::Code;
use crate::turn::{Force, Gate};

/// How often a decision begins anew because others came first.
const TRIES: usize = 8;

/// What a customer decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    /// About which purpose, by its name in the configuration.
    pub(crate) purpose: &'a str,
    /// Yes or no.
    pub(crate) agreed: bool,
    /// The language in which they were asked.
    pub(crate) language: Option<&'a str>,
    /// By which way they said so.
    pub(crate) way: Way,
}

/// By which way a customer said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// Themselves, over our own routes or pages.
    Customer,
    /// The house wrote down what they said elsewhere.
    House,
}

/// One decision, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) at: UnixMillis,
    pub(crate) purpose: u8,
    pub(crate) name: String,
    pub(crate) basis: String,
    pub(crate) version: String,
    pub(crate) language: String,
    /// The very words.
    pub(crate) text: String,
    pub(crate) agreed: bool,
    pub(crate) way: Way,
    /// The revision of the standing that it made.
    pub(crate) standing: u64,
    /// The hash of the privacy notice that was published then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notice: Option<String>,
}

/// Where a customer stands on one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// It needs nobody's word.
    Needed,
    /// It counts until they object.
    Counts,
    /// They agreed to the words in force.
    Agreed,
    /// They agreed, but to other words: it does not count until they are asked anew.
    OtherWords,
    /// They said no, objected or took their consent back.
    Refused,
    /// They were never asked.
    NotAsked,
}

impl Stand {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::Counts => "counts",
            Self::Agreed => "agreed",
            Self::OtherWords => "other-words",
            Self::Refused => "refused",
            Self::NotAsked => "not-asked",
        }
    }

    pub(crate) fn of(terms: &Terms, basis: Basis, standing: &Standing) -> Self {
        let refused = standing.refused.contains(terms.purpose);
        match basis {
            Basis::Contract => Self::Needed,
            Basis::LegitimateInterest if refused => Self::Refused,
            Basis::LegitimateInterest => Self::Counts,
            Basis::Consent if standing.agreed(terms.purpose, &terms.wording) => Self::Agreed,
            Basis::Consent if refused => Self::Refused,
            Basis::Consent if standing.given.iter().any(|(of, _)| *of == terms.purpose) => Self::OtherWords,
            Basis::Consent => Self::NotAsked,
        }
    }
}

impl Force {
    /// The basis on which customers stand to a purpose. For answering it is that of the bot that needs most.
    pub(crate) fn basis_for(&self, terms: &Terms) -> Basis {
        if terms.purpose != Purpose::SERVICE {
            return terms.basis;
        }
        let bots = self.config.upstreams.iter().map(|bot| bot.basis);
        let weight = |basis: &Basis| match basis {
            Basis::Contract => 0,
            Basis::LegitimateInterest => 1,
            Basis::Consent => 2,
        };
        bots.max_by_key(weight).unwrap_or(terms.basis)
    }
}

impl Gate {
    /// Notes what a customer decided. With a no, what is kept of them is not for that purpose any more, in the same moment.
    ///
    /// # Errors
    /// [`Code::UnknownPurpose`]; [`Code::NotOptional`] for a no to what a contract needs.
    pub(crate) async fn decide(
        &self,
        customer: CustomerId,
        decision: Decision<'_>,
    ) -> Result<Value, RightsError> {
        let force = self.force.load_full();
        let terms = force.config.purposes.named(decision.purpose);
        let terms = terms.ok_or(RightsError::Told(Code::UnknownPurpose))?;
        let basis = force.basis_for(terms);
        if basis == Basis::Contract {
            return Err(RightsError::Told(Code::NotOptional));
        }
        let (slot, key) = self.key_of(customer).await?;
        let subject = self.vault.subject(&key)?;
        let (language, text) = words(terms, decision.language);
        for _ in 0..TRIES {
            let was = self.store.standing(&self.tenant, customer).await?;
            let mut to = Standing { revision: was.revision + 1, ..was };
            let withdrawn = if decision.agreed {
                to.give(terms.purpose, terms.wording);
                Purposes::NONE
            } else {
                to.refuse(terms.purpose);
                terms.purpose.into()
            };
            let at = self.clock.now();
            let kept = Kept {
                at,
                purpose: terms.purpose.number(),
                name: terms.name.to_string(),
                basis: basis_name(basis).to_owned(),
                version: terms.version.to_string(),
                language: language.to_string(),
                text: text.to_string(),
                agreed: decision.agreed,
                way: decision.way,
                standing: to.revision,
                notice: Some(self.published.load().hash().to_string()),
            };
            let id: [u8; 16] = random_id().map_err(chatward_vault::VaultError::from)?;
            let sealed = self.sealed_record(&key, (RecordKind::Consent, &id), &kept)?;
            let record = Record {
                kind: RecordKind::Consent,
                id: id.into(),
                revision: 1,
                slot,
                customer: Some(customer),
                until: None,
                purposes: Purposes::SERVICE,
                sealed,
            };
            let facts = Facts { purposes: terms.purpose.into(), standing: to.revision, ..Facts::default() };
            let action = if decision.agreed { Action::ConsentGiven } else { Action::ConsentWithdrawn };
            let event =
                Event { at, tenant: self.tenant.clone(), action, turn: None, subject: Some(subject), facts };
            let changes = Changes {
                tenant: self.tenant.clone(),
                removals: Vec::new(),
                puts: vec![Put { record, was: None, handles: None }],
                events: vec![event],
                about: Some(customer),
                standing: Some(NewStanding { customer, to, withdrawn }),
            };
            match self.store.change(changes).await {
                Ok(receipt) => {
                    if !decision.agreed {
                        self.sweeper.notify_one();
                    }
                    let index = receipt.map(|receipt| receipt.index()).unwrap_or_default();
                    return self.receipt(&force, (customer, subject), &id, &kept, Some(index)).await;
                }
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Told(Code::Busy))
    }

    /// The hash of the privacy notice under which a customer last agreed to something.
    pub(crate) async fn notice_agreed(&self, customer: CustomerId) -> Result<Option<String>, RightsError> {
        let mut last: Option<Kept> = None;
        for record in self.store.records_of(&self.tenant, RecordKind::Consent, customer).await? {
            let kept: Kept = self.read_record(&record).await?;
            if kept.agreed && last.as_ref().is_none_or(|last| last.standing < kept.standing) {
                last = Some(kept);
            }
        }
        Ok(last.and_then(|kept| kept.notice))
    }

    /// The receipts of all a customer ever decided, oldest first.
    pub(crate) async fn receipts(&self, customer: CustomerId) -> Result<Vec<Value>, RightsError> {
        let force = self.force.load_full();
        let mut all = Vec::new();
        for record in self.store.records_of(&self.tenant, RecordKind::Consent, customer).await? {
            all.push((record.id.clone(), self.read_record::<Kept>(&record).await?));
        }
        all.sort_by_key(|(_, kept)| kept.standing);
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let (_, key) = self.key_of(customer).await?;
        let subject = self.vault.subject(&key)?;
        let indexes = self.decided_at(customer).await?;
        let mut receipts = Vec::with_capacity(all.len());
        for (id, kept) in &all {
            let index = indexes.iter().find(|(revision, _)| *revision == kept.standing);
            let index = index.map(|(_, index)| *index);
            receipts.push(self.receipt(&force, (customer, subject), id, kept, index).await?);
        }
        Ok(receipts)
    }

    /// Where in the log a customer's decisions stand, by the revision that each made.
    async fn decided_at(&self, customer: CustomerId) -> Result<Vec<(u64, u64)>, RightsError> {
        #[derive(Deserialize)]
        struct Event {
            action: String,
            standing: Option<u64>,
        }
        const PAGE: usize = 200;
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = self.store.trail(&self.tenant, customer, before, PAGE).await?;
            for trace in &page {
                let event: Event = serde_json::from_str(&trace.event)
                    .map_err(|_| RightsError::Inside("an event cannot be read"))?;
                if let ("consent-given" | "consent-withdrawn", Some(revision)) =
                    (event.action.as_str(), event.standing)
                {
                    all.push((revision, trace.index));
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.index),
                _ => return Ok(all),
            }
        }
    }

    async fn receipt(
        &self,
        force: &Force,
        (customer, subject): (CustomerId, chatward_message::Subject),
        id: &[u8],
        kept: &Kept,
        index: Option<u64>,
    ) -> Result<Value, RightsError> {
        let first = match index {
            Some(index) => self.store.first_turn_after(&self.tenant, customer, index).await?,
            None => None,
        };
        let controller = &force.config.controller;
        let state = if kept.agreed { Term::ConsentGiven } else { Term::ConsentWithdrawn };
        let data: Vec<Value> = (force.config.purposes.named(&kept.name).into_iter())
            .flat_map(|terms| terms.classes().iter().collect::<Vec<_>>())
            .map(|class| Term::of_class(class).node())
            .collect();
        let recipients: Vec<Value> =
            force.config.upstreams.iter().map(|bot| json!({ "dpv:hasName": &*bot.name })).collect();
        let document = json!({
            "@context": dpv::context(),
            "@type": "chatward:ConsentRecord",
            "dct:identifier": hex(id),
            "dct:conformsTo": "ISO/IEC TS 27560:2023",
            "dct:issued": moment(kept.at),
            "dpv:hasDataSubject": { "@type": "dpv:DataSubject", "dpv:hasIdentifier": pseudonym(subject) },
            "dpv:hasDataController": {
                "@type": "dpv:DataController",
                "dpv:hasName": controller.name,
                "dpv:hasContact": controller.contact,
            },
            "dpv:hasProcess": {
                "@type": "dpv:PersonalDataProcess",
                "dpv:hasPurpose": {
                    "@type": Term::of_purpose(&kept.name).compact(),
                    "dct:title": kept.name,
                },
                "dpv:hasLegalBasis": basis_term(&kept.basis).node(),
                "dpv:hasPersonalData": data,
                "dpv:hasRecipient": recipients,
            },
            "dpv:hasNotice": {
                "@type": "dpv:ConsentNotice",
                "dct:hasVersion": kept.version,
                "dct:language": kept.language,
                "dct:description": kept.text,
                "chatward:noticeHash": kept.notice,
            },
            "dpv:hasConsentStatus": state.node(),
            "dpv:isIndicatedAtTime": moment(kept.at),
            "dpv:hasIndicationMethod": match kept.way {
                Way::Customer => "said by the person over the house's own routes",
                Way::House => "written down by the house",
            },
            "chatward:revision": kept.standing,
            "chatward:logIndex": index,
            "chatward:firstMessage": first.map(|turn| turn.to_string()),
        });
        signed(document, &*self.vault.signer())
    }
}

/// The words of a purpose in this language, or in the house's own.
pub(crate) fn words(terms: &Terms, language: Option<&str>) -> (Arc<str>, Arc<str>) {
    let asked = language.and_then(|asked| terms.texts.iter().find(|(of, _)| &**of == asked));
    let (language, text) = asked.or_else(|| terms.texts.first()).cloned().unwrap_or_default();
    (language, text)
}

pub(crate) const fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Contract => "contract",
        Basis::Consent => "consent",
        Basis::LegitimateInterest => "legitimate-interest",
    }
}

fn basis_term(name: &str) -> Term {
    match name {
        "contract" => Term::GdprContract,
        "legitimate-interest" => Term::GdprLegitimateInterest,
        _ => Term::GdprConsent,
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
