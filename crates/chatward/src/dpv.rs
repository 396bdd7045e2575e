//! Words of the W3C Data Privacy Vocabulary (DPV 2.2), in which receipts, exports and records say what they mean to other
//! programs.
//!
//! A document is JSON-LD: it carries [`context`], and its keys and values are terms with a prefix (`dpv:hasPurpose`). Every
//! [`Term`] stands in `vectors/dpv/terms.tsv`, which is read from the published vocabulary, and [`faults`] finds what in a document
//! is in no list: a term that does not exist says nothing to anybody, and JSON-LD drops it without a word.
//!
//! Limits: this is the vocabulary, not its meaning. Whether a purpose really is `dpv:Marketing` is for who wrote the configuration.

use chatward_message::Class;
use chatward_policy::Basis;
use serde_json::{Map, Value, json};

/// The version of the vocabulary.
pub const VERSION: &str = "2.2";

/// The prefixes that our documents use, and what they stand for.
pub const PREFIXES: &[(&str, &str)] = &[
    ("dpv", "https://w3id.org/dpv#"),
    ("pd", "https://w3id.org/dpv/pd#"),
    ("eu-gdpr", "https://w3id.org/dpv/legal/eu/gdpr#"),
    ("dct", "http://purl.org/dc/terms/"),
    ("xsd", "http://www.w3.org/2001/XMLSchema#"),
    // Ours, for what the vocabulary has no word for.
    ("chatward", "urn:chatward:"),
];

/// The terms of Dublin Core that our documents use (DCMI Metadata Terms, 2020).
pub const DUBLIN_CORE: &[&str] = &[
    "accessRights",
    "conformsTo",
    "created",
    "description",
    "extent",
    "format",
    "hasPart",
    "hasVersion",
    "identifier",
    "isPartOf",
    "issued",
    "language",
    "modified",
    "provenance",
    "publisher",
    "references",
    "source",
    "subject",
    "temporal",
    "title",
    "type",
    "valid",
];

macro_rules! terms {
    ($($(#[$of:meta])* $name:ident = $term:literal,)+) => {
        /// A term of the vocabulary.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "the vocabulary documents them; the name here is the name there")]
        pub enum Term { $($(#[$of])* $name,)+ }

        impl Term {
            /// Every one that we use.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The term with its prefix, as it stands in a document.
            pub const fn compact(self) -> &'static str {
                match self { $(Self::$name => $term,)+ }
            }
        }
    };
}

terms! {
    // Sorts of documents and things.
    Process = "dpv:Process",
    PersonalDataProcess = "dpv:PersonalDataProcess",
    RecordOfProcessing = "dpv:ROPA",
    RecordsOfActivities = "dpv:RecordsOfActivities",
    PersonalDataAudit = "dpv:PersonalDataAudit",
    ConsentNotice = "dpv:ConsentNotice",
    PrivacyNotice = "dpv:PrivacyNotice",
    RightExerciseRecord = "dpv:RightExerciseRecord",
    RightFulfilmentNotice = "dpv:RightFulfilmentNotice",
    AccessNotice = "eu-gdpr:SARNotice",
    RecipientsNotice = "eu-gdpr:RightsRecipientsNotice",
    DataBreachReport = "eu-gdpr:DataBreachReport",
    DataBreach = "eu-gdpr:DataBreach",
    ConfidentialityBreach = "eu-gdpr:ConfidentialityBreach",
    // Properties.
    HasProcess = "dpv:hasProcess",
    HasPersonalDataProcess = "dpv:hasPersonalDataProcess",
    HasPurpose = "dpv:hasPurpose",
    HasLegalBasis = "dpv:hasLegalBasis",
    HasPersonalData = "dpv:hasPersonalData",
    HasData = "dpv:hasData",
    HasProcessing = "dpv:hasProcessing",
    HasRecipient = "dpv:hasRecipient",
    HasDataController = "dpv:hasDataController",
    HasDataProtectionOfficer = "dpv:hasDataProtectionOfficer",
    HasDataSubject = "dpv:hasDataSubject",
    HasDataSource = "dpv:hasDataSource",
    HasName = "dpv:hasName",
    HasContact = "dpv:hasContact",
    HasAddress = "dpv:hasAddress",
    HasRepresentative = "dpv:hasRepresentative",
    HasIdentifier = "dpv:hasIdentifier",
    HasTechnicalMeasure = "dpv:hasTechnicalMeasure",
    HasOrganisationalMeasure = "dpv:hasOrganisationalMeasure",
    HasStorageCondition = "dpv:hasStorageCondition",
    HasDuration = "dpv:hasDuration",
    HasConsentStatus = "dpv:hasConsentStatus",
    HasConsentControl = "dpv:hasConsentControl",
    HasNotice = "dpv:hasNotice",
    HasRight = "dpv:hasRight",
    HasScope = "dpv:hasScope",
    HasOutcome = "dpv:hasOutcome",
    HasJustification = "dpv:hasJustification",
    HasAlgorithmicLogic = "dpv:hasAlgorithmicLogic",
    HasHumanInvolvement = "dpv:hasHumanInvolvement",
    IsIndicatedBy = "dpv:isIndicatedBy",
    IsIndicatedAtTime = "dpv:isIndicatedAtTime",
    HasIndicationMethod = "dpv:hasIndicationMethod",
    IsExercisedAt = "dpv:isExercisedAt",
    // Who.
    DataController = "dpv:DataController",
    DataProcessor = "dpv:DataProcessor",
    DataProtectionOfficer = "dpv:DataProtectionOfficer",
    Representative = "dpv:Representative",
    Recipient = "dpv:Recipient",
    ThirdParty = "dpv:ThirdParty",
    DataSubject = "dpv:DataSubject",
    Customer = "dpv:Customer",
    DataSubjectDataSource = "dpv:DataSubjectDataSource",
    // What for.
    Purpose = "dpv:Purpose",
    RequestedServiceProvision = "dpv:RequestedServiceProvision",
    CommunicationForCustomerCare = "dpv:CommunicationForCustomerCare",
    ImproveExistingProductsAndServices = "dpv:ImproveExistingProductsAndServices",
    ServiceUsageAnalytics = "dpv:ServiceUsageAnalytics",
    ResearchAndDevelopment = "dpv:ResearchAndDevelopment",
    Marketing = "dpv:Marketing",
    EnforceSecurity = "dpv:EnforceSecurity",
    LegalCompliance = "dpv:LegalCompliance",
    RecordManagement = "dpv:RecordManagement",
    RightsFulfilment = "dpv:RightsFulfilment",
    // On which basis.
    LegalBasis = "dpv:LegalBasis",
    Consent = "dpv:Consent",
    ExpressedConsent = "dpv:ExpressedConsent",
    GdprConsent = "eu-gdpr:A6-1-a",
    GdprContract = "eu-gdpr:A6-1-b",
    GdprLegalObligation = "eu-gdpr:A6-1-c",
    GdprLegitimateInterest = "eu-gdpr:A6-1-f",
    GdprExplicitConsent = "eu-gdpr:A9-2-a",
    // The state of a consent.
    ConsentGiven = "dpv:ConsentGiven",
    ConsentRefused = "dpv:ConsentRefused",
    ConsentWithdrawn = "dpv:ConsentWithdrawn",
    ConsentExpired = "dpv:ConsentExpired",
    ConsentRequested = "dpv:ConsentRequested",
    ConsentUnknown = "dpv:ConsentUnknown",
    RenewedConsentGiven = "dpv:RenewedConsentGiven",
    WithdrawConsent = "dpv:WithdrawConsent",
    ProvideConsent = "dpv:ProvideConsent",
    // Rights.
    RightToBeInformed = "eu-gdpr:A13",
    RightOfAccess = "eu-gdpr:A15",
    RightToRectification = "eu-gdpr:A16",
    RightToErasure = "eu-gdpr:A17",
    RightToRestriction = "eu-gdpr:A18",
    RightToNotification = "eu-gdpr:A19",
    RightToPortability = "eu-gdpr:A20",
    RightToObject = "eu-gdpr:A21",
    RightAboutAutomatedDecisions = "eu-gdpr:A22",
    RightToWithdrawConsent = "eu-gdpr:A7-3",
    RightToComplain = "eu-gdpr:A77",
    // What is done.
    Collect = "dpv:Collect",
    Analyse = "dpv:Analyse",
    Store = "dpv:Store",
    Transmit = "dpv:Transmit",
    Pseudonymise = "dpv:Pseudonymise",
    Anonymise = "dpv:Anonymise",
    Aggregate = "dpv:Aggregate",
    Export = "dpv:Export",
    Erase = "dpv:Erase",
    Modify = "dpv:Modify",
    Restrict = "dpv:Restrict",
    Retrieve = "dpv:Retrieve",
    // How long.
    StorageCondition = "dpv:StorageCondition",
    StorageDuration = "dpv:StorageDuration",
    StorageDeletion = "dpv:StorageDeletion",
    StorageLocation = "dpv:StorageLocation",
    TemporalDuration = "dpv:TemporalDuration",
    UntilEventDuration = "dpv:UntilEventDuration",
    EndlessDuration = "dpv:EndlessDuration",
    // How it is guarded.
    EncryptionAtRest = "dpv:EncryptionAtRest",
    EncryptionInTransfer = "dpv:EncryptionInTransfer",
    PostQuantumCryptography = "dpv:PostQuantumCryptography",
    CryptographicKeyManagement = "dpv:CryptographicKeyManagement",
    DigitalSignatures = "dpv:DigitalSignatures",
    MessageAuthentication = "dpv:HashMessageAuthenticationCode",
    AccessControl = "dpv:AccessControlMethod",
    MultiFactorAuthentication = "dpv:MultiFactorAuthentication",
    Pseudonymisation = "dpv:Pseudonymisation",
    DataRedaction = "dpv:DataRedaction",
    ActivityMonitoring = "dpv:ActivityMonitoring",
    DataBackup = "dpv:DataBackupProtocols",
    DifferentialPrivacy = "dpv:DifferentialPrivacy",
    Deidentification = "dpv:Deidentification",
    PrivacyByDefault = "dpv:PrivacyByDefault",
    // Sorts of data.
    PersonalData = "dpv:PersonalData",
    SpecialCategory = "dpv:SpecialCategoryPersonalData",
    PseudonymisedData = "dpv:PseudonymisedData",
    AnonymisedData = "dpv:AnonymisedData",
    StatisticalData = "dpv:DerivedData",
    Name = "pd:Name",
    EmailAddress = "pd:EmailAddress",
    TelephoneNumber = "pd:TelephoneNumber",
    PhysicalAddress = "pd:PhysicalAddress",
    PostalCode = "pd:PostalCode",
    BirthDate = "pd:BirthDate",
    Age = "pd:Age",
    OfficialId = "pd:OfficialID",
    Passport = "pd:Passport",
    Tax = "pd:Tax",
    HealthRecord = "pd:HealthRecord",
    Health = "pd:Health",
    Genetic = "pd:Genetic",
    Religion = "pd:Religion",
    PoliticalOpinion = "pd:PoliticalOpinion",
    Sexual = "pd:Sexual",
    EthnicOrigin = "pd:EthnicOrigin",
    TradeUnionMembership = "pd:TradeUnionMembership",
    PaymentCard = "pd:PaymentCard",
    PaymentCardNumber = "pd:PaymentCardNumber",
    PaymentCardExpiry = "pd:PaymentCardExpiry",
    FinancialAccount = "pd:FinancialAccount",
    FinancialAccountNumber = "pd:FinancialAccountNumber",
    Password = "pd:Password",
    PinCode = "pd:PINCode",
    SecretText = "pd:SecretText",
    Authenticating = "pd:Authenticating",
    AuthenticationHistory = "pd:AuthenticationHistory",
    IpAddress = "pd:IPAddress",
    MacAddress = "pd:MACAddress",
    DeviceBased = "pd:DeviceBased",
    Username = "pd:Username",
    Identifier = "pd:Identifier",
    Identifying = "pd:Identifying",
    Communication = "pd:Communication",
    CommunicationsMetadata = "pd:CommunicationsMetadata",
    Location = "pd:Location",
    VehicleLicence = "pd:VehicleLicense",
    VehiclePlate = "pd:VehicalLicenseRegistration",
    PrivacyPreference = "pd:PrivacyPreference",
}

impl Term {
    /// The whole IRI.
    pub fn iri(self) -> String {
        expanded(self.compact()).unwrap_or_default()
    }

    /// A reference to it, as the value of a property.
    pub fn node(self) -> Value {
        json!({ "@id": self.compact() })
    }

    /// The legal basis.
    pub const fn of_basis(basis: Basis) -> Self {
        match basis {
            Basis::Contract => Self::GdprContract,
            Basis::Consent => Self::GdprConsent,
            Basis::LegitimateInterest => Self::GdprLegitimateInterest,
        }
    }

    /// The purpose with this name in the configuration. One of the house's own is a `dpv:Purpose`, and its text says more.
    pub fn of_purpose(name: &str) -> Self {
        match name {
            "service" => Self::RequestedServiceProvision,
            "quality" => Self::ImproveExistingProductsAndServices,
            "analytics" => Self::ServiceUsageAnalytics,
            "training" => Self::ResearchAndDevelopment,
            "marketing" => Self::Marketing,
            _ => Self::Purpose,
        }
    }

    /// The sort of data that a class stands for, where the kind is not told.
    pub const fn of_class(class: Class) -> Self {
        match class {
            Class::Interaction => Self::Communication,
            Class::Identity => Self::Identifying,
            Class::Special => Self::SpecialCategory,
            Class::Payment => Self::FinancialAccount,
            Class::Secret => Self::Authenticating,
            Class::PaymentNeverKept => Self::PaymentCard,
        }
    }

    /// The sort of data that a kind is. National numbers of all countries are `pd:OfficialID`; what has no word of its own is told
    /// by its class.
    pub fn of_kind(kind: &str, class: Class) -> Self {
        match kind {
            "person_name" => Self::Name,
            "email" => Self::EmailAddress,
            "phone" => Self::TelephoneNumber,
            "street_address" | "relative_address" => Self::PhysicalAddress,
            "postcode" => Self::PostalCode,
            "place" => Self::Location,
            "birth_date" => Self::BirthDate,
            "age" => Self::Age,
            "passport" => Self::Passport,
            "medical_id" => Self::HealthRecord,
            "health" => Self::Health,
            "genetic_biometric" => Self::Genetic,
            "religion" => Self::Religion,
            "politics" => Self::PoliticalOpinion,
            "sexuality" => Self::Sexual,
            "ethnic_origin" => Self::EthnicOrigin,
            "union_membership" => Self::TradeUnionMembership,
            "card" => Self::PaymentCardNumber,
            "card_expiry" => Self::PaymentCardExpiry,
            "card_code" | "card_track" => Self::PaymentCard,
            "iban" | "bank_account" | "aba_routing" | "sort_code" | "au_bsb" | "mx_clabe" => {
                Self::FinancialAccountNumber
            }
            "pin" => Self::PinCode,
            "password" => Self::Password,
            "security_answer" => Self::SecretText,
            "ip_address" => Self::IpAddress,
            "mac_address" => Self::MacAddress,
            "imei" | "iccid" | "advertising_id" => Self::DeviceBased,
            "user_name" => Self::Username,
            "vin" => Self::VehicleLicence,
            "licence_plate" => Self::VehiclePlate,
            "eu_vat" | "us_itin" | "us_ein" | "uk_utr" | "de_tax_id" => Self::Tax,
            "driving_licence" | "national_id_unverified" => Self::OfficialId,
            _ if class == Class::Identity => Self::OfficialId,
            _ => Self::of_class(class),
        }
    }
}

/// The `@context` of our documents: the prefixes, and nothing that would have to be fetched.
pub fn context() -> Value {
    let prefixes: Map<String, Value> =
        PREFIXES.iter().map(|(prefix, iri)| ((*prefix).to_owned(), Value::from(*iri))).collect();
    Value::Object(prefixes)
}

/// What in a document is said in words that nobody knows. Empty if all is well.
///
/// `terms` is the list (`vectors/dpv/terms.tsv`). Looked at are all keys, and all values that are terms by their form: a known prefix
/// and a colon, or a whole IRI of the vocabulary. Keys that are not `@…` must have a known prefix and, where the vocabulary
/// has them, be properties; values of `@type` must be classes.
pub fn faults(document: &Value, terms: &str) -> Vec<String> {
    let mut found = Vec::new();
    if document["@context"] != context() {
        found.push("the @context is not ours".to_owned());
    }
    look(document, terms, &mut found);
    found
}

fn look(value: &Value, terms: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                match key.as_str() {
                    "@context" => continue,
                    "@type" => types(inner, terms, found),
                    key if key.starts_with('@') => {}
                    key => found.extend(fault(key, terms, Some("property"))),
                }
                look(inner, terms, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| look(item, terms, found)),
        Value::String(text) if is_term(text) => found.extend(fault(text, terms, None)),
        _ => {}
    }
}

fn types(value: &Value, terms: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| types(item, terms, found)),
        Value::String(text) if text.starts_with("xsd:") => {}
        Value::String(text) => found.extend(fault(text, terms, Some("class"))),
        _ => found.push("an @type is not a text".to_owned()),
    }
}

/// Whether a text is a term by its form.
fn is_term(text: &str) -> bool {
    text.starts_with("https://w3id.org/dpv") || expanded(text).is_some()
}

/// The whole IRI of a term with one of our prefixes. What follows the colon must look like a name: a text such as `dpv: see below`
/// is none.
fn expanded(compact: &str) -> Option<String> {
    let (prefix, name) = compact.split_once(':')?;
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let (_, iri) = PREFIXES.iter().find(|(known, _)| *known == prefix)?;
    named.then(|| format!("{iri}{name}"))
}

fn fault(term: &str, terms: &str, sort: Option<&str>) -> Option<String> {
    let Some(iri) = expanded(term).or_else(|| term.starts_with("https://").then(|| term.to_owned())) else {
        return Some(format!("`{term}` has no known prefix"));
    };
    if iri.starts_with("urn:chatward:") || iri.starts_with("http://www.w3.org/2001/XMLSchema#") {
        return None;
    }
    if let Some(name) = iri.strip_prefix("http://purl.org/dc/terms/") {
        return (!DUBLIN_CORE.contains(&name))
            .then(|| format!("`{term}` is no term of Dublin Core that we use"));
    }
    let listed = terms.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = line.split('\t');
        let (prefix, name, listed) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, base) = PREFIXES.iter().find(|(known, _)| *known == prefix)?;
        (iri.strip_prefix(base) == Some(name)).then_some(listed)
    });
    match (listed, sort) {
        (None, _) => Some(format!("`{term}` is not in the vocabulary")),
        (Some(listed), Some(sort)) if listed != sort => Some(format!("`{term}` is a {listed}, not a {sort}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list that every document of the program is held against.
    const TERMS: &str = include_str!("../../../vectors/dpv/terms.tsv");

    #[test]
    fn every_term_that_we_use_is_in_the_vocabulary() {
        let faults: Vec<String> =
            Term::ALL.iter().filter_map(|term| fault(term.compact(), TERMS, None)).collect();
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn terms_are_distinct_and_expand() {
        let names: std::collections::BTreeSet<&str> = Term::ALL.iter().map(|term| term.compact()).collect();
        assert_eq!(names.len(), Term::ALL.len());
        assert_eq!(Term::GdprConsent.iri(), "https://w3id.org/dpv/legal/eu/gdpr#A6-1-a");
        assert_eq!(Term::EmailAddress.iri(), "https://w3id.org/dpv/pd#EmailAddress");
    }

    #[test]
    fn what_is_in_no_list_is_found() {
        let right = json!({
            "@context": context(),
            "@type": "dpv:ROPA",
            "dct:issued": { "@type": "xsd:dateTime", "@value": "2026-11-26T00:00:00Z" },
            "dpv:hasPurpose": [Term::Marketing.node(), { "@id": "https://w3id.org/dpv#ServiceProvision" }],
            "chatward:note": "dpv: is a prefix, and this is a sentence",
        });
        assert_eq!(faults(&right, TERMS), Vec::<String>::new());
        let with = |key: &str, value: Value| {
            let mut wrong = right.clone();
            wrong[key] = value;
            faults(&wrong, TERMS)
        };
        assert_eq!(with("dpv:hasPurposes", json!(1)), ["`dpv:hasPurposes` is not in the vocabulary"]);
        assert_eq!(with("dpv:Marketing", json!(1)), ["`dpv:Marketing` is a class, not a property"]);
        assert_eq!(with("purpose", json!(1)), ["`purpose` has no known prefix"]);
        assert_eq!(with("dct:author", json!(1)), ["`dct:author` is no term of Dublin Core that we use"]);
        assert_eq!(with("@type", json!("dpv:hasPurpose")).len(), 1);
        assert_eq!(
            with("dct:type", json!({ "@id": "pd:Emailaddress" })),
            ["`pd:Emailaddress` is not in the vocabulary"]
        );
        assert_eq!(with("dct:type", json!("https://w3id.org/dpv/pd#Nothing")).len(), 1);
        assert_eq!(with("@context", json!({})), ["the @context is not ours"]);
    }

    #[test]
    fn purposes_bases_and_classes_have_terms() {
        assert_eq!(Term::of_purpose("analytics"), Term::ServiceUsageAnalytics);
        assert_eq!(Term::of_purpose("house-newsletter"), Term::Purpose);
        assert_eq!(Term::of_basis(Basis::Consent).compact(), "eu-gdpr:A6-1-a");
        assert_eq!(Term::of_kind("de_tax_id", Class::Identity), Term::Tax);
        assert_eq!(Term::of_kind("pl_pesel", Class::Identity), Term::OfficialId);
        assert_eq!(Term::of_kind("card_code", Class::PaymentNeverKept), Term::PaymentCard);
        assert_eq!(Term::of_kind("unheard_of", Class::Special), Term::SpecialCategory);
    }
}
