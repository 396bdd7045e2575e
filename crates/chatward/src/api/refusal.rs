//! Refusals of identity and of the policies as problems, and problems as pages.

use axum::response::Response;
use chatward_policy::access;

use super::{Api, Side, Who};
use crate::identity::choices::{self, Audience};
use crate::identity::outcome::{Next, Refused, Why};
use crate::problem::{Code, Problem};

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(code_of(refused.why)).because(refused.why.code()).then(refused.next)
    }
}

/// The code that goes with a reason.
fn code_of(why: Why) -> Code {
    match why {
        Why::NoSession | Why::SessionIdle | Why::SessionOver | Why::SessionEnded => Code::SignInNeeded,
        Why::NeedSecondFactor
        | Why::NeedFreshFactor
        | Why::NeedDeviceBound
        | Why::FactorWaits
        | Why::FactorUnconfirmed => Code::SecondFactorNeeded,
        Why::NotAdministrator | Why::OwnAccount | Why::NotStaff | Why::ServiceScope => Code::NotAllowed,
        Why::OtherTenant | Why::NotSetUp | Why::NotYourConversation => Code::NotFound,
        Why::InvitationUnknown | Why::InvitationExpired => Code::InvitationOver,
        Why::AlreadySetUp
        | Why::TooMany
        | Why::LastSecondFactor
        | Why::LastAdministrator
        | Why::PasskeyKnown => Code::NotNow,
        Why::PasswordShort
        | Why::PasswordLong
        | Why::PasswordBreached
        | Why::PasswordName
        | Why::PasswordsOff
        | Why::ServiceLifetime => Code::NotAccepted,
        Why::CrossSite => Code::OriginNotAllowed,
        Why::FormToken => Code::FormToken,
        Why::ServiceKeyUnknown | Why::ServiceKeyExpired => Code::UnknownKey,
        Why::Unavailable => Code::Internal,
        _ => Code::SignInFailed,
    }
}

/// What the policies refused. What is another's is as if it were not there.
pub(super) fn of_policies(api: &Api, who: &Who, code: access::Code) -> Problem {
    let missing = match code {
        access::Code::OtherTenant | access::Code::NotOwnData => return Code::NotFound.into(),
        access::Code::SignInNeeded => return Problem::new(Code::SignInNeeded).because(code.as_str()),
        access::Code::SecondFactorMissing => Why::NeedSecondFactor,
        access::Code::SecondFactorStale => Why::NeedFreshFactor,
        access::Code::PolicyError => {
            tracing::error!("a policy could not be evaluated: what it might forbid is refused");
            return Problem::new(Code::NotAllowed).because(code.as_str());
        }
        _ => return Problem::new(Code::NotAllowed).because(code.as_str()),
    };
    let next = match who {
        Who::Staff(present) | Who::Customer(present) => {
            let (rules, now) = (api.directory.rules(), api.directory.now());
            match choices::to_step_up(&present.account, &present.session, rules, now) {
                left if left.is_empty() => Next::SetUpSecondFactor,
                left => Next::Show(left),
            }
        }
        _ => Next::SignIn,
    };
    Problem::new(Code::SecondFactorNeeded).because(missing.code()).then(next)
}

/// What somebody who is nobody yet may be told of a refusal: nothing that depends on whether a name is known.
pub(super) fn outward(api: &Api, problem: Problem) -> Problem {
    let told = |why: &Why| Some(why.code()) == problem.reason() && why.outward() != why.code();
    if !Why::ALL.iter().any(told) {
        return problem;
    }
    let audience = match api.side {
        Side::Public => Audience::Customers,
        Side::Private => Audience::Staff,
    };
    let anyone = choices::for_anyone(audience, api.directory.rules());
    Problem::new(Code::SignInFailed).because("sign-in-failed").then(Next::Show(anyone))
}

/// A problem as a page. Who is not signed in is shown where one signs in, and comes `back` from there.
pub(super) fn page(api: &Api, problem: &Problem, back: &'static str) -> Response {
    match super::account::problem_page(api, problem, back) {
        Ok(response) => response,
        Err(unshown) => axum::response::IntoResponse::into_response(unshown),
    }
}
