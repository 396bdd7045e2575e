//! The Privacy Centre: `/privacy`, on the public listener.
//!
//! Pages that show and do what `/me/v1` has as routes for programs; both call the same functions. Every page can be read by
//! anybody, in general words; who is signed in, or chatted in this browser without a name, sees their own data, and the
//! policies are asked first. Everything works without JavaScript; with it, some things take a click less.

mod consents;
mod data;
mod erase;
mod guides;
mod leak;
mod look;
mod looks;
mod messages;
mod notice;
mod overview;
mod passage;
mod reader;
mod requests;
mod say;
mod verify;
mod way;

use super::Routes;

pub(super) use look::{Link, PAGES};
pub(super) use way::back_cookie;
pub(super) use way::taken as way_back;

/// A page of the centre.
macro_rules! page {
    (
        $(#[$doc:meta])*
        $name:ident: $method:ident $path:literal, $what:literal, $body:ty
        $(, in $at:ty)? $(, asked $query:ty)? $(, back $back:literal)?
    ) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl $crate::api::Route for $name {
            const METHOD: http::Method = http::Method::$method;
            const PATH: &'static str = $path;
            const WHAT: &'static str = $what;
            const PAGE: bool = true;
            $(const BACK: &'static str = $back;)?
            type Path = page!(@or $($at)?);
            type Query = page!(@or $($query)?);
            type Body = $body;
            type Answer = $crate::api::call::Nothing;
        }
    };
    (@or) => { $crate::api::call::Nothing };
    (@or $at:ty) => { $at };
}

use page;

/// What a page of the centre answers.
type Answered = Result<super::Reply<super::call::Nothing>, crate::problem::Problem>;

/// Adds the routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes.open::<overview::Overview>().open::<notice::Notice>().open::<notice::Gpc>();
    let routes = routes
        .open::<consents::Consents>()
        .asks::<consents::Decide>()
        .asks::<consents::Receipts>()
        .asks::<consents::OneReceipt>();
    let routes = routes
        .open::<data::Data>()
        .asks::<data::Correct>()
        .asks::<data::Download>()
        .asks::<data::Restrict>()
        .own::<data::Claim>()
        .asks::<messages::Message>();
    let routes = routes.open::<erase::Ask>().asks::<erase::Erase>();
    let routes = routes.open::<requests::Requests>().asks::<requests::File>().asks::<requests::Say>();
    let routes = routes.open::<looks::Looks>().open::<leak::Leak>();
    let routes = routes.open::<verify::Verify>().open::<verify::Check>();
    let routes = routes.open::<guides::Guides>().open::<guides::Guide>().open::<guides::Try>();
    routes.open::<way::Enter>().open::<passage::Enter>()
}
