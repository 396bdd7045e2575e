//! Who reads a page: nobody who is known, somebody who chatted in this browser, or somebody who is signed in.

use chatward_message::CustomerId;
use chatward_policy::access::{Record, act};
use http::HeaderMap;

use crate::api::call::Stated;
use crate::api::noted::note;
use crate::api::{Api, Noted, Who, me, who};
use crate::caller::PageCookie;
use crate::directory::Failed;
use crate::problem::Problem;

/// How well a reader is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Not at all.
    Nobody,
    /// By the cookie of the chat in this browser, or by the program they speak through.
    Nameless,
    /// Signed in.
    SignedIn,
}

/// Somebody whose data can be listed: the decision that it may be is in the audit log.
pub(super) struct Reader {
    /// Who it is.
    pub(super) who: Who,
    noted: Noted<act::List>,
}

impl Reader {
    /// Finds out who reads. Whoever is not known, or may not see their own data, reads what everybody may.
    ///
    /// # Errors
    /// If that cannot be found out: the fault is ours.
    pub(super) async fn of(api: &Api, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let outside = |problem: Problem| match problem.code().status_number() {
            500.. => Err(problem),
            _ => Ok(None),
        };
        let who = match who::who(api, headers).await {
            Ok(who) => who,
            Err(problem) => return outside(problem),
        };
        let record = match me::own(api, &who) {
            Ok(record) => record,
            Err(problem) => return outside(problem),
        };
        match note::<act::List>(api, &who, record, Stated::default()).await {
            Ok(noted) => Ok(Some(Self { who, noted })),
            Err(problem) => outside(problem),
        }
    }

    /// Whose data it is.
    pub(super) fn customer(&self) -> CustomerId {
        self.noted.target().customer
    }

    /// What the policies are asked about.
    pub(super) fn record(&self) -> &Record {
        self.noted.target()
    }

    /// How well they are known.
    pub(super) fn known(&self) -> Known {
        match self.who {
            Who::Customer(_) => Known::SignedIn,
            _ => Known::Nameless,
        }
    }

    /// The token of their forms.
    pub(super) fn form(&self) -> String {
        match &self.who {
            Who::Customer(present) => present.session.form_token(),
            _ => String::new(),
        }
    }

    /// Whether a second factor was shown that is fresh enough to see values in clear.
    pub(super) fn is_fresh(&self, api: &Api) -> bool {
        let Who::Customer(present) = &self.who else { return false };
        let (rules, now) = (api.directory.rules(), api.directory.now());
        present.session.second_factor_since(rules, now).is_some()
    }

    /// Whether a passkey could show one.
    pub(super) fn has_passkey(&self) -> bool {
        matches!(&self.who, Who::Customer(present) if !present.account.passkeys().is_empty())
    }

    /// Whether something was written in this browser before its user signed in, and is nobody's yet.
    pub(super) async fn has_unclaimed(&self, api: &Api, headers: &HeaderMap) -> Result<bool, Problem> {
        let Who::Customer(_) = &self.who else { return Ok(false) };
        let gate = &api.gate;
        let nameless = PageCookie::caller(headers, api.tls, gate.keyed());
        let Some(id) = nameless.and_then(|caller| caller.page_customer(gate.keyed())) else {
            return Ok(false);
        };
        let wrote = gate.store.customer(&gate.tenant, id).await.map_err(Failed::from)?.is_some();
        Ok(wrote && gate.claimed_by(id).await?.is_none())
    }
}
