//! Tools and the choice among them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use serde_json::{Map, Value, json};

use super::{
    Dropped,
    grammar::{Allowance, Grammar},
    ids::is_name,
    inexpressible,
    input_schema::input_schema,
};
use crate::{
    chat::{self, ToolChoice},
    provider::Inexpressible,
    wire::anthropic as wire,
};

/// The tools as sent.
pub(super) fn tools<'a>(
    tools: &'a [chat::Tool],
    allowance: &mut Allowance,
    dropped: &mut Dropped,
) -> Result<Vec<wire::Tool<'a>>, Inexpressible> {
    let mut sent: Vec<wire::Tool<'a>> = Vec::with_capacity(tools.len());
    let mut known: BTreeMap<&str, &chat::Tool> = BTreeMap::new();
    for (i, tool) in tools.iter().enumerate() {
        match known.entry(&tool.name) {
            // The API refuses the same name twice. The same tool twice is no loss, another of the same name is.
            Entry::Occupied(first) => {
                if *first.get() != tool {
                    dropped.add("tools");
                }
                continue;
            }
            Entry::Vacant(place) => place.insert(tool),
        };
        if !is_name(&tool.name) {
            let param = format!("tools[{i}].function.name");
            let message = format!("'{param}' must be 1 to 128 letters, digits, underscores or dashes.");
            return Err(inexpressible(param, message));
        }
        let (mut input_schema, narrowed) = match &tool.parameters {
            None => (Cow::Owned(no_arguments()), false),
            Some(parameters) => input_schema(parameters).ok_or_else(|| {
                let param = format!("tools[{i}].function.parameters");
                let message = format!("'{param}' must be a schema of type 'object': arguments are always an object.");
                inexpressible(param, message)
            })?,
        };
        if narrowed {
            dropped.add("tools");
        }
        let mut strict = tool.strict == Some(true);
        if strict {
            let grammar = Grammar::of(&input_schema).filter(|grammar| {
                grammar.schema.get("type").is_some_and(|kind| kind == "object") && allowance.take_tool(grammar)
            });
            match grammar {
                Some(grammar) => {
                    if grammar.weakened {
                        dropped.add("tools");
                    }
                    input_schema = Cow::Owned(grammar.schema);
                }
                // Better a tool that is called with the usual care than a request that is refused.
                None => {
                    dropped.add("tools");
                    strict = false;
                }
            }
        }
        sent.push(wire::Tool {
            name: Cow::Borrowed(&tool.name),
            description: tool.description.as_deref(),
            input_schema,
            strict,
        });
    }
    Ok(sent)
}

/// Stand-ins for tools that were called earlier in a conversation and are not offered any more: the API refuses calls in
/// the history of a request that has no tools.
pub(super) fn stand_ins(called: Vec<Cow<'_, str>>) -> Vec<wire::Tool<'_>> {
    let tool = |name| wire::Tool { name, description: None, input_schema: Cow::Owned(any_arguments()), strict: false };
    called.into_iter().map(tool).collect()
}

/// The choice as sent, for a request that has tools. `None` leaves it to the provider, whose default is `auto`.
pub(super) fn choice(request: &chat::Request) -> Result<Option<wire::ToolChoice<'_>>, Inexpressible> {
    let one_at_most = request.parallel_tool_calls == Some(false);
    let choice = |kind| wire::ToolChoice { kind, name: None, disable_parallel_tool_use: one_at_most };
    Ok(match &request.tool_choice {
        // The limit to one call has its place in the choice, so that there must be one.
        None => one_at_most.then(|| choice("auto")),
        Some(ToolChoice::Auto) => Some(choice("auto")),
        Some(ToolChoice::Required) => Some(choice("any")),
        Some(ToolChoice::None) => Some(no_choice()),
        Some(ToolChoice::Named(name)) => {
            if !request.tools.iter().any(|tool| tool.name == *name) {
                return Err(inexpressible("tool_choice", "'tool_choice' names a function that is not among 'tools'."));
            }
            Some(wire::ToolChoice { name: Some(name), ..choice("tool") })
        }
    })
}

/// The choice of no tool at all.
pub(super) fn no_choice() -> wire::ToolChoice<'static> {
    wire::ToolChoice { kind: "none", name: None, disable_parallel_tool_use: false }
}

fn no_arguments() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), json!({}))])
}

fn any_arguments() -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!("object"))])
}
