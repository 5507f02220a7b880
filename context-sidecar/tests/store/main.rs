//! What every store does, held against each of them: `embedded` always, `qdrant` against the server that `QDRANT_URL`
//! names, else against a stand-in made of the official client's local mode.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking"
)]

mod alike;
mod alone;
mod cases;
mod data;
mod durable;
mod faults;
mod filters;
mod legs;
mod naive;
mod scripted;
mod server;
#[path = "../support/qdrant.rs"]
mod support;
mod tenants;

use context_sidecar::store::embedded::Embedded;
use data::Names;

/// Each case for the embedded store on its own; all of them for Qdrant one after another, since it takes a moment to
/// start.
macro_rules! suite {
    ($($module:ident::$case:ident),* $(,)?) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $case() {
                    let directory = tempfile::tempdir().unwrap();
                    let store = super::Embedded::open(directory.path()).unwrap();
                    super::$module::$case(&store, &super::Names::new(stringify!($case))).await;
                }
            )*
        }

        #[tokio::test]
        async fn qdrant_does_all_of_it() {
            let Some(server) = server::Server::start() else { e2e::skip!("{}", server::ABSENT) };
            let store = server.store();
            $(
                eprintln!("{}", stringify!($case));
                let names = Names::new(stringify!($case));
                $module::$case(&store, &names).await;
                server.tidy(&names).await;
            )*
        }
    };
}

suite![
    cases::a_collection_is_what_it_was_made_for,
    cases::what_is_not_there_is_said_not_to_be_there,
    cases::what_was_put_is_there_as_it_was_put,
    cases::what_has_the_same_id_is_replaced,
    cases::what_is_deleted_is_gone_and_counted,
    legs::both_legs_score_as_they_should,
    legs::ties_go_by_id,
    legs::a_leg_finds_only_what_it_can,
    legs::a_thousand_can_be_found,
    cases::documents_come_in_pages,
    cases::chunks_come_in_order,
    cases::what_has_expired_goes_in_every_scope,
    legs::vectors_that_are_none_are_refused,
    cases::many_may_write_at_once,
    filters::filters_hold_as_they_should,
    filters::whatever_the_filter_the_same_is_found,
    tenants::tenants_see_their_own_and_nothing_else,
];
