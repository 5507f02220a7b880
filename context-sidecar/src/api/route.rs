//! What is served: one table, by which requests find what answers them, and which the OpenAPI document is made of.

use std::{future::Future, pin::Pin, sync::Arc};

use http::{Method, Response};
use percent_encoding::percent_decode_str;
use schemars::{Schema, SchemaGenerator};

use super::{App, asked::Asked, collections, context, conversations, documents, openapi, retrieve};
use crate::{body::Body, doors, failure::Failure};

/// What answers, on its way.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Failure>> + Send>>;

/// A schema, made where it is needed.
pub(crate) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// Something that is served.
#[derive(Debug)]
pub(crate) struct Route {
    /// By which method.
    pub(crate) method: Method,
    /// Where; a segment in braces stands for any text.
    pub(crate) path: &'static str,
    /// Its name, for machines and for metrics.
    pub(crate) name: &'static str,
    /// What it does, for people.
    pub(crate) about: &'static str,
    /// Whether it is nobody's: it has nothing of anybody.
    pub(crate) open: bool,
    /// Whether it writes, which can be switched off.
    pub(crate) writes: bool,
    /// What may stand behind the `?`.
    pub(crate) query: &'static [Parameter],
    /// The body that it takes.
    pub(crate) takes: Option<Shape>,
    /// The body that it gives; `None` where that is not JSON of ours.
    pub(crate) gives: Option<Shape>,
    /// What answers.
    pub(crate) answer: fn(Arc<App>, Asked) -> Answering,
}

/// Something that may stand behind the `?`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) about: &'static str,
    /// Of which kind it is.
    pub(crate) kind: Parameters,
}

/// Kinds of what may stand behind the `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameters {
    /// Any text.
    Text,
    /// A whole number, from 1 to this.
    UpTo(usize),
}

impl Parameter {
    /// Any text.
    pub(crate) const fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, about, kind: Parameters::Text }
    }

    /// A whole number, from 1 to `most`.
    pub(crate) const fn up_to(most: usize, name: &'static str, about: &'static str) -> Self {
        Self { name, about, kind: Parameters::UpTo(most) }
    }
}

/// Tables, each in the file of what answers.
const TABLES: [&[Route]; 8] = [
    retrieve::ROUTES,
    context::ROUTES,
    documents::ROUTES,
    collections::ROUTES,
    conversations::ROUTES,
    openapi::ROUTES,
    doors::openai::ROUTES,
    doors::mcp::ROUTES,
];

/// All that is served.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.into_iter().flatten()
}

/// The routes at a path, with the text that stands for a name in it.
pub(super) fn at(path: &str) -> Vec<(&'static Route, Option<String>)> {
    all().filter_map(|route| Some((route, fits(route.path, path)?))).collect()
}

/// Whether a path fits a route's; and then the text that stands for the name, if it has one.
#[allow(clippy::option_option, reason = "whether it fits, and with what")]
fn fits(pattern: &str, path: &str) -> Option<Option<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut id = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some(name), Some(text)) if name.starts_with('{') => {
                let text = percent_decode_str(text).decode_utf8().ok().filter(|text| !text.is_empty())?;
                id = Some(text.into_owned());
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_segment_by_segment() {
        for (pattern, path, id) in [
            ("/v1/a", "/v1/a", Some(None)),
            ("/v1/a", "/v1/a/", None),
            ("/v1/a", "/v1/b", None),
            ("/v1/a/{id}", "/v1/a/x%2Fy%20z", Some(Some("x/y z"))),
            ("/v1/a/{id}", "/v1/a/", None),
            ("/v1/a/{id}", "/v1/a/x/y", None),
            ("/v1/a/{id}", "/v1/a/%ff", None),
            ("/v1/a/{id}/b", "/v1/a/x/b", Some(Some("x"))),
        ] {
            assert_eq!(fits(pattern, path), id.map(|id| id.map(str::to_owned)), "{pattern} {path}");
        }
    }

    #[test]
    fn no_two_routes_are_the_same_or_have_one_name() {
        let mut names: Vec<_> = all().map(|route| route.name).collect();
        let mut paths: Vec<_> = all().map(|route| (route.path, route.method.as_str())).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!((names.len(), paths.len()), (count, count));
    }
}
