//! The closed lists of words that questions are made of. A test holds them against `policies/schema.cedarschema`.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$of])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every one, in the order of the documents.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in policies, recorded facts and documents.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one with this word.
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == word)
            }
        }
    };
}

words! {
    /// What a member of staff is there for.
    Role {
        /// Sees attacks, helps customers.
        Analyst = "analyst",
        /// Fulfils requests of customers.
        PrivacyOfficer = "privacy-officer",
        /// Makes lessons out of masked cases.
        Trainer = "trainer",
        /// Reads what was done.
        Auditor = "auditor",
        /// Keys, accounts, policies.
        Admin = "admin",
    }
}

words! {
    /// What a service account's key may be used for.
    Scope {
        /// Listing what there is, masked.
        List = "list",
        /// Reading the audit log.
        AuditRead = "audit-read",
        /// Reading who could see what.
        AccessReview = "access-review",
        /// Reading the policies in force.
        PolicyRead = "policy-read",
        /// Counts with noise, and tables in which nobody is named.
        Analytics = "analytics",
    }
}

words! {
    /// What a look at stored data is for. (What a message may be used for is
    /// [`chatward_message::Purpose`].)
    Purpose {
        /// Helping this customer.
        Support = "support",
        /// Looking into an attack.
        Security = "security",
        /// Fulfilling a customer's request (GDPR articles 15 to 21).
        PrivacyRequest = "privacy-request",
        /// Making a lesson.
        Training = "training",
        /// Proving something to an auditor.
        Audit = "audit",
        /// Running the service.
        Operation = "operation",
        /// Finding out how the service is used, without looking at anybody.
        Analytics = "analytics",
    }
}

words! {
    /// What is asked for.
    Action {
        /// See what there is, masked.
        List = "list",
        /// See what the bot received.
        ReadReceived = "read-received",
        /// Find a customer by a value.
        Search = "search",
        /// See one value in clear.
        Reveal = "reveal",
        /// Take out everything of one class in clear.
        Export = "export",
        /// Put another value in place of one.
        Correct = "correct",
        /// Freeze a customer's data, or end that.
        Restrict = "restrict",
        /// Destroy a customer's key and data.
        Erase = "erase",
        /// Ask to see what one's role does not show.
        BreakGlass = "break-glass",
        /// Approve another's request to break the glass.
        ApproveBreakGlass = "approve-break-glass",
        /// Renew keys.
        Rotate = "rotate",
        /// Invite, block and reset staff accounts.
        ManageStaff = "manage-staff",
        /// Give a role, or take it away.
        Grant = "grant",
        /// Read the policies in force.
        PolicyRead = "policy-read",
        /// Change the house's own policies.
        PolicyEdit = "policy-edit",
        /// Read the audit log.
        AuditRead = "audit-read",
        /// See who could see what.
        AccessReview = "access-review",
        /// Agree to what data is used for, or no longer.
        Consent = "consent",
        /// Ask for what the law gives.
        Request = "request",
        /// Take a customer's request further.
        Fulfil = "fulfil",
        /// Forbid for a while that anything of a customer is deleted, for a legal reason.
        Hold = "hold",
        /// Answer a customer instead of the bot, or let the bot answer again.
        HandOver = "hand-over",
        /// See incidents: what was recognised of attacks, without anything that anybody wrote.
        IncidentRead = "incident-read",
        /// Say that one looks after an incident, or that it is over.
        IncidentHandle = "incident-handle",
        /// Counts over all customers, with noise.
        Statistics = "statistics",
        /// Take out a table about all customers in which nobody is named.
        ExportAnalytics = "export-analytics",
    }
}

/// What an action is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum About {
    /// One customer, as a whole.
    Record,
    /// One value of a customer, or all of one class.
    Value,
    /// A staff account.
    Account,
    /// The house.
    House,
}

impl Action {
    /// What the action is about.
    pub(crate) const fn about(self) -> About {
        match self {
            Self::Search | Self::Reveal | Self::Export | Self::Correct => About::Value,
            Self::List
            | Self::ReadReceived
            | Self::Restrict
            | Self::Erase
            | Self::BreakGlass
            | Self::ApproveBreakGlass
            | Self::Consent
            | Self::Request
            | Self::Fulfil
            | Self::Hold
            | Self::HandOver => About::Record,
            Self::ManageStaff | Self::Grant => About::Account,
            Self::Rotate
            | Self::PolicyRead
            | Self::PolicyEdit
            | Self::AuditRead
            | Self::AccessReview
            | Self::IncidentRead
            | Self::IncidentHandle
            | Self::Statistics
            | Self::ExportAnalytics => About::House,
        }
    }
}
