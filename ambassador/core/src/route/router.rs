//! The router: which upstreams may answer for a model, and what each is asked for.

use super::{Candidate, Plan, Route, Rules, Upstream, draw::in_order};
use crate::{catalog, provider::Operation, timeouts::Timeouts};

/// Knows the ways.
#[derive(Debug, Clone)]
pub struct Router {
    upstreams: Vec<Upstream>,
    rules: Rules,
    timeouts: Timeouts,
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRoute {
    /// No route names the model.
    #[error("The model '{0}' does not exist: no route of this ambassador names it.")]
    UnknownModel(String),
    /// None of the providers on the model's route can do what is asked.
    #[error("No provider of the model '{0}' serves this endpoint.")]
    NotServed(String),
}

impl Router {
    /// A router over `upstreams`, whose order is the order of preference under [`Rules::Families`]. `timeouts` hold
    /// where no route or target says otherwise.
    #[must_use]
    pub fn new(upstreams: Vec<Upstream>, rules: Rules, timeouts: Timeouts) -> Self {
        Self { upstreams, rules, timeouts }
    }

    /// The configured providers.
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// The time-outs that hold where no route or target says otherwise.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The ways to an answer by `model`. `draw` is a random number that decides among the targets of a tier.
    ///
    /// # Errors
    /// When there is none.
    pub fn plan(&self, operation: Operation, model: &str, draw: u64) -> Result<Plan, NoRoute> {
        let named = self.named_upstream(model);
        let (mut candidates, timeouts) = match &self.rules {
            Rules::Families => (self.by_family(operation, named, model), Timeouts::default()),
            Rules::Table(routes) => self.by_table(routes, named, model, draw)?,
        };
        candidates.retain(|candidate| {
            self.upstreams.get(candidate.upstream).is_some_and(|it| it.provider.path(operation).is_some())
        });
        if candidates.is_empty() {
            return Err(NoRoute::NotServed(model.to_owned()));
        }
        let timeouts = timeouts.over(self.timeouts);
        let total = timeouts.total.unwrap_or(Timeouts::REQUEST);
        Ok(Plan { candidates, timeouts: Timeouts { total: None, ..timeouts }, total })
    }

    /// The models worth listing, each with the provider that is asked first.
    #[must_use]
    pub fn models(&self) -> Vec<(String, String)> {
        let mut models: Vec<(String, String)> = Vec::new();
        let mut add = |model: &str, owner: &str| {
            if !models.iter().any(|(known, _)| known == model) {
                models.push((model.to_owned(), owner.to_owned()));
            }
        };
        match &self.rules {
            Rules::Families => {
                for upstream in &self.upstreams {
                    let family = catalog::models(upstream.provider.kind());
                    for model in upstream.model.as_deref().into_iter().chain(family.iter().copied()) {
                        add(model, &upstream.name);
                    }
                }
            }
            Rules::Table(routes) => {
                for route in routes {
                    let Some(target) = route.tiers.iter().flatten().next() else { continue };
                    let Some(upstream) = self.upstreams.get(target.upstream) else { continue };
                    let Some(prefix) = route.model.strip_suffix('*') else {
                        add(&route.model, &upstream.name);
                        continue;
                    };
                    // A prefix is no name: what is listed are names that are known and that it takes.
                    let family = catalog::models(upstream.provider.kind()).iter().copied();
                    for model in target.model.as_deref().into_iter().chain(family) {
                        if model.starts_with(prefix) {
                            add(model, &upstream.name);
                        }
                    }
                }
            }
        }
        models
    }

    /// The file's routes, in its order; none without a file.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        match &self.rules {
            Rules::Families => &[],
            Rules::Table(routes) => routes,
        }
    }

    /// The models that the routes' targets and the upstreams name.
    #[must_use]
    pub fn target_models(&self) -> Vec<String> {
        let of_upstreams = self.upstreams.iter().filter_map(|upstream| upstream.model.clone());
        let of_targets = match &self.rules {
            Rules::Families => Vec::new(),
            Rules::Table(routes) => routes
                .iter()
                .flat_map(|route| &route.tiers)
                .flatten()
                .filter_map(|target| target.model.clone())
                .collect(),
        };
        of_upstreams.chain(of_targets).collect()
    }

    /// The model that a name asks for, without the provider that it may name.
    #[must_use]
    pub fn bare_model<'m>(&self, model: &'m str) -> &'m str {
        let routed = self.routes().iter().any(|route| route.model == model);
        if routed { model } else { self.named_upstream(model).map_or(model, |(_, model)| model) }
    }

    /// The upstream and the model of a name written `provider/model`. A slash alone says nothing: engines serve
    /// models whose own names have one.
    fn named_upstream<'m>(&self, model: &'m str) -> Option<(usize, &'m str)> {
        let (name, rest) = catalog::split_provider(model)?;
        let upstream = self.upstreams.iter().position(|upstream| upstream.name == name)?;
        Some((upstream, rest))
    }

    fn by_family(&self, operation: Operation, named: Option<(usize, &str)>, model: &str) -> Vec<Candidate> {
        let first = named.map(|(upstream, model)| candidate(upstream, model.to_owned()));
        let first_upstream = first.as_ref().map(|candidate| candidate.upstream);
        let model = named.map_or(model, |(_, model)| model);
        let others = self.upstreams.iter().enumerate().filter(|(i, _)| Some(*i) != first_upstream);
        let others = others.filter_map(|(i, upstream)| {
            let kind = upstream.provider.kind();
            let asked = match operation {
                _ if catalog::is_of_family(kind, model) => model,
                Operation::Chat => upstream.model.as_deref().or_else(|| catalog::default_model(kind)).unwrap_or(model),
                // Vectors of two models do not compare: an embedding is never quietly made by another one.
                Operation::Embeddings if catalog::default_model(kind).is_some() => return None,
                Operation::Embeddings => model,
            };
            Some(candidate(i, asked.to_owned()))
        });
        first.into_iter().chain(others).collect()
    }

    fn by_table(
        &self,
        routes: &[Route],
        named: Option<(usize, &str)>,
        model: &str,
        draw: u64,
    ) -> Result<(Vec<Candidate>, Timeouts), NoRoute> {
        if let Some(route) = best(routes, model) {
            return Ok((in_order(route, model, draw), route.timeouts));
        }
        let Some((upstream, model)) = named else { return Err(NoRoute::UnknownModel(model.to_owned())) };
        let first = candidate(upstream, model.to_owned());
        let Some(route) = best(routes, model) else { return Ok((vec![first], Timeouts::default())) };
        let rest = in_order(route, model, draw).into_iter().filter(|other| other.upstream != upstream);
        Ok((std::iter::once(first).chain(rest).collect(), route.timeouts))
    }
}

fn candidate(upstream: usize, model: String) -> Candidate {
    Candidate { upstream, model, timeouts: Timeouts::default() }
}

/// The route that names `model`: exactly, else by the longest prefix.
fn best<'r>(routes: &'r [Route], model: &str) -> Option<&'r Route> {
    routes.iter().find(|route| route.model == model).or_else(|| {
        let by_prefix = routes.iter().filter_map(|route| {
            let prefix = route.model.strip_suffix('*')?;
            model.starts_with(prefix).then_some((prefix.len(), route))
        });
        by_prefix.max_by_key(|(length, _)| *length).map(|(_, route)| route)
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Target, mix},
        *,
    };
    use crate::provider::by_kind;

    fn upstream(name: &str, kind: &str, model: Option<&str>) -> Upstream {
        Upstream { name: name.into(), provider: by_kind(kind).unwrap(), model: model.map(Into::into) }
    }

    fn pair() -> Router {
        let upstreams = vec![
            upstream("anthropic", "anthropic", None),
            upstream("openai", "openai", Some("gpt-4o-mini")),
            upstream("vllm", "openai-compatible", None),
        ];
        Router::new(upstreams, Rules::Families, Timeouts::default())
    }

    fn ways(router: &Router, operation: Operation, model: &str) -> Vec<(usize, String)> {
        let plan = router.plan(operation, model, 7).unwrap();
        plan.candidates.into_iter().map(|candidate| (candidate.upstream, candidate.model)).collect()
    }

    #[test]
    fn without_a_file_each_is_asked_for_what_it_serves() {
        let ways = |model| ways(&pair(), Operation::Chat, model);
        let to = |names: [&str; 3]| names.map(str::to_owned).into_iter().enumerate().collect::<Vec<_>>();
        assert_eq!(ways("claude-haiku-4-5"), to(["claude-haiku-4-5", "gpt-4o-mini", "claude-haiku-4-5"]));
        assert_eq!(ways("gpt-4o"), to(["claude-sonnet-4-5", "gpt-4o", "gpt-4o"]));
        assert_eq!(ways("my/own"), to(["claude-sonnet-4-5", "gpt-4o-mini", "my/own"]));
    }

    #[test]
    fn a_named_provider_comes_first() {
        let ways = ways(&pair(), Operation::Chat, "openai/gpt-5");
        assert_eq!(ways[0], (1, "gpt-5".to_owned()));
        assert_eq!(ways.len(), 3);
    }

    #[test]
    fn an_embedding_never_changes_its_model() {
        let ways = |model| ways(&pair(), Operation::Embeddings, model);
        assert_eq!(
            ways("text-embedding-3-small"),
            [(1, "text-embedding-3-small".into()), (2, "text-embedding-3-small".into())]
        );
        assert_eq!(ways("bge-m3"), [(2, "bge-m3".into())]);
        let alone = Router::new(vec![upstream("a", "anthropic", None)], Rules::Families, Timeouts::default());
        assert_eq!(alone.plan(Operation::Embeddings, "x", 0), Err(NoRoute::NotServed("x".into())));
    }

    /// A tier of a test: upstreams and their weights.
    type Tier = &'static [(usize, f64)];

    fn table(routes: &[(&str, &[Tier])]) -> Router {
        let routes = routes.iter().map(|(model, tiers)| Route {
            model: (*model).into(),
            tiers: tiers
                .iter()
                .map(|tier| {
                    let target = |(upstream, weight): &(usize, f64)| Target {
                        upstream: *upstream,
                        model: None,
                        weight: *weight,
                        timeouts: Timeouts::default(),
                    };
                    tier.iter().map(target).collect()
                })
                .collect(),
            timeouts: Timeouts::default(),
        });
        Router { rules: Rules::Table(routes.collect()), ..pair() }
    }

    #[test]
    fn the_exact_name_wins_then_the_longest_prefix() {
        let router = table(&[("*", &[&[(0, 1.0)]]), ("gpt-*", &[&[(1, 1.0)]]), ("gpt-4o", &[&[(2, 1.0)]])]);
        let first = |model| ways(&router, Operation::Chat, model)[0].0;
        assert_eq!([first("gpt-4o"), first("gpt-4o-mini"), first("llama")], [2, 1, 0]);
    }

    #[test]
    fn what_is_listed_can_be_asked_for_and_a_prefix_lists_what_it_takes() {
        let mut router = table(&[("fast-*", &[&[(1, 1.0)]]), ("claude-*", &[&[(0, 1.0)]]), ("mine", &[&[(2, 1.0)]])]);
        if let Rules::Table(routes) = &mut router.rules {
            routes[0].tiers[0][0].model = Some("gpt-4o-mini".to_owned());
        }
        let listed = router.models();
        for (model, _) in &listed {
            assert!(router.plan(Operation::Chat, model, 0).is_ok(), "{model} is listed and has no route");
        }
        let has = |model: &str| listed.iter().any(|(known, _)| known == model);
        assert_eq!([has("mine"), has("claude-sonnet-4-5"), has("gpt-4o-mini")], [true, true, false]);
    }

    #[test]
    fn a_model_without_a_route_is_unknown_but_for_a_named_provider() {
        let router = table(&[("gpt-4o", &[&[(1, 1.0)], &[(2, 1.0)]])]);
        assert_eq!(router.plan(Operation::Chat, "llama", 0), Err(NoRoute::UnknownModel("llama".into())));
        assert_eq!(ways(&router, Operation::Chat, "vllm/llama"), [(2, "llama".into())]);
        assert_eq!(ways(&router, Operation::Chat, "vllm/gpt-4o"), [(2, "gpt-4o".into()), (1, "gpt-4o".into())]);
    }

    #[test]
    fn a_tier_shares_by_weight_and_a_lower_one_waits() {
        let router = table(&[("m", &[&[(0, 3.0), (1, 1.0)], &[(2, 1.0)]])]);
        let mut first = [0; 3];
        for draw in 0..4_000 {
            let plan = router.plan(Operation::Chat, "m", mix(draw)).unwrap();
            assert_eq!(plan.candidates[2].upstream, 2);
            first[plan.candidates[0].upstream] += 1;
        }
        assert!((2_850..3_150).contains(&first[0]), "{first:?}");
    }
}
