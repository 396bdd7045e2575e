//! Why a look was refused, as stable codes. The first of several is the one to act on.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $code:literal, $title:literal, $todo:literal;)+) => {
        /// Why a look was refused, in the order in which the reasons count. The list only grows; a code never changes its
        /// meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is documented by its title in the table, which `docs/access.md` is made of")]
        pub enum Code { $(#[serde(rename = $code)] $name,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code as written in policies (`@reason`), events and answers.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it means, in half a sentence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// What to do next.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $todo,)+ }
            }
        }
    };
}

codes! {
    PolicyError, "policy_error", "A forbidding policy could not be evaluated", "The operator mends the policy that the decision names; until then everything it might forbid is refused.";
    OtherTenant, "other_tenant", "The data belongs to another tenant", "Nothing: to whoever asks it is as if it were not there.";
    NotOwnData, "not_own_data", "The data belongs to another customer", "Nothing: to whoever asks it is as if it were not there.";
    NeverKept, "never_kept", "Data of this class is never kept", "Do not look for it: passwords and card codes are not in the store.";
    CustomerRestricted, "customer_restricted", "The customer's data is frozen", "Wait until the restriction ends; the customer can still read it.";
    ToOneself, "to_oneself", "Nobody grants to, or manages, the own account", "Ask another admin.";
    DutiesConflict, "duties_conflict", "One account would hold duties that must be apart", "Use, or make, another account: an admin's account holds no other role and sees no data.";
    RoleMissing, "role_missing", "No role of this account allows it", "Ask somebody whose role it is, or an admin for the role.";
    SignInNeeded, "sign_in_needed", "The customer is known by a cookie alone", "Sign in first; then the conversation can be claimed.";
    SecondFactorMissing, "second_factor_missing", "No second factor was shown", "Show a passkey or a code of the authenticator app.";
    SecondFactorStale, "second_factor_stale", "The second factor is older than ten minutes", "Show it again.";
    PurposeMissing, "purpose_missing", "No purpose was stated", "State what the look is for.";
    PurposeNotAllowed, "purpose_not_allowed", "The role does not allow it for this purpose", "State the true purpose if it was another; else ask somebody whose task it is.";
    ReasonMissing, "reason_missing", "Neither a reason nor a ticket was given", "Write a reason; the customer will see it.";
    TicketMissing, "ticket_missing", "The number of the request is missing", "Give the number of the customer's request or of the incident.";
    NeedsSecondPerson, "needs_second_person", "Another person has to approve it", "Ask to break the glass; a privacy officer or an admin approves, then it is open for an hour.";
    HouseRule, "house_rule", "A policy of the house forbids it", "Ask the operator about the policy that the decision names.";
}

impl Code {
    /// The code written like this.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}
