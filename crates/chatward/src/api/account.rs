//! Signing in, and one's own account: for customers on the public listener, for staff on the private one.
//!
//! Both have the same routes, under `/me/v1` and `/admin/v1`, and the same pages, under `/account` and `/staff`: each is one
//! type with `STAFF` in it. What they do stands in [`doing`]; the pages work without JavaScript, except for passkeys.

mod doing;
mod factors;
mod host;
mod look;
mod page_forms;
mod pages;
mod session;
mod sign_in;

use super::Routes;

pub(crate) use host::HostDoor;
pub(crate) use look::Look;
pub(super) use look::{When, problem_page, show};
pub(super) use session::claimed;

/// A route of one's own account, for both sides.
macro_rules! route {
    (
        $(#[$doc:meta])*
        $name:ident: $method:ident $path:literal, $what:literal, $body:ty => $answer:ty
        $(, in $at:ty)? $(, status $status:literal)?
    ) => {
        $(#[$doc])*
        pub(super) struct $name<const STAFF: bool>;

        impl<const STAFF: bool> $crate::api::Route for $name<STAFF> {
            const METHOD: http::Method = http::Method::$method;
            const PATH: &'static str =
                if STAFF { concat!("/admin/v1/", $path) } else { concat!("/me/v1/", $path) };
            const WHAT: &'static str = $what;
            $(const STATUS: u16 = $status;)?
            type Path = route!(@or $($at)?);
            type Query = $crate::api::call::Nothing;
            type Body = $body;
            type Answer = $answer;
        }
    };
    (@or) => { $crate::api::call::Nothing };
    (@or $at:ty) => { $at };
}

/// A page of one's own account, for both sides.
macro_rules! page {
    ($(#[$doc:meta])* $name:ident: $method:ident $path:literal, $what:literal, $body:ty) => {
        $(#[$doc])*
        pub(super) struct $name<const STAFF: bool>;

        impl<const STAFF: bool> $crate::api::Route for $name<STAFF> {
            const METHOD: http::Method = http::Method::$method;
            const PATH: &'static str =
                if STAFF { concat!("/staff/", $path) } else { concat!("/account/", $path) };
            const WHAT: &'static str = $what;
            const PAGE: bool = true;
            type Path = $crate::api::call::Nothing;
            type Query = $crate::api::call::Nothing;
            type Body = $body;
            type Answer = $crate::api::call::Nothing;
        }
    };
}

use {page, route};

/// For customers.
pub(super) fn customers(routes: Routes) -> Routes {
    both::<false>(routes)
        .open::<sign_in::FromHost>()
        .open::<sign_in::SignUp>()
        .own::<session::Claim>()
        .open::<pages::SignUp<false>>()
        .open::<page_forms::SignUp<false>>()
}

/// For staff.
pub(super) fn staff(routes: Routes) -> Routes {
    both::<true>(routes)
        .open::<sign_in::WithPassword<true>>()
        .open::<sign_in::Invitation<true>>()
        .own::<factors::SetPassword<true>>()
        .own::<factors::RemovePassword<true>>()
        .open::<pages::Invitation<true>>()
        .open::<page_forms::Invitation<true>>()
        .open::<page_forms::WithPassword<true>>()
        .own::<page_forms::SetPassword<true>>()
        .own::<page_forms::RemovePassword<true>>()
}

fn both<const STAFF: bool>(routes: Routes) -> Routes {
    let routes = routes
        .own::<session::Show<STAFF>>()
        .own::<session::SignOut<STAFF>>()
        .own::<session::SignOutEverywhere<STAFF>>()
        .own::<session::Devices<STAFF>>()
        .own::<session::SignOutDevice<STAFF>>()
        .open::<sign_in::BeginPasskey<STAFF>>()
        .open::<sign_in::WithPasskey<STAFF>>()
        .open::<sign_in::WithRecoveryCode<STAFF>>()
        .own::<sign_in::BeginStepUp<STAFF>>()
        .own::<sign_in::StepUpPasskey<STAFF>>()
        .own::<sign_in::StepUpApp<STAFF>>()
        .own::<sign_in::StepUpRecoveryCode<STAFF>>()
        .own::<factors::BeginPasskey<STAFF>>()
        .own::<factors::AddPasskey<STAFF>>()
        .own::<factors::Passkeys<STAFF>>()
        .own::<factors::RemovePasskey<STAFF>>()
        .own::<factors::BeginApp<STAFF>>()
        .own::<factors::ConfirmApp<STAFF>>()
        .own::<factors::RemoveApp<STAFF>>()
        .own::<factors::RecoveryCodes<STAFF>>();
    routes
        .own::<pages::Home<STAFF>>()
        .open::<pages::SignIn<STAFF>>()
        .open::<pages::Help<STAFF>>()
        .own::<pages::StepUp<STAFF>>()
        .own::<pages::SetUp<STAFF>>()
        .own::<pages::Security<STAFF>>()
        .own::<pages::Done<STAFF>>()
        .open::<page_forms::WithRecoveryCode<STAFF>>()
        .own::<page_forms::StepUpApp<STAFF>>()
        .own::<page_forms::StepUpRecoveryCode<STAFF>>()
        .own::<page_forms::BeginApp<STAFF>>()
        .own::<page_forms::ConfirmApp<STAFF>>()
        .own::<page_forms::RemoveApp<STAFF>>()
        .own::<page_forms::RemovePasskey<STAFF>>()
        .own::<page_forms::RecoveryCodes<STAFF>>()
        .own::<page_forms::SignOutDevice<STAFF>>()
        .own::<page_forms::SignOut<STAFF>>()
        .own::<page_forms::SignOutEverywhere<STAFF>>()
}
