use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(text: &str) -> String {
    match read(text) {
        Err(failure) => failure.message,
        Ok((_, warnings)) => format!("fine {}", warnings.join("; ")).trim_end().to_owned(),
    }
}

fn told_of(value: &Value) -> String {
    told(&value.to_string())
}

fn anthropic(name: &str) -> Value {
    json!({"name": name, "input_schema": {"type": "object"}})
}

/// What is told of a tool with these arguments.
fn told_of_schema(schema: &Value) -> String {
    told_of(&json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]))
}

#[test]
fn each_shape_gives_the_same_tool() {
    let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]});
    let endpoint =
        json!({"url": "http://search.tools:8080/run?v=1", "timeout": "5s", "idempotent": true, "method": "GET"});
    let expected = Tool {
        name: "search".to_owned(),
        description: Some("Finds.".to_owned()),
        schema: schema.clone(),
        endpoint: Some(Endpoint {
            url: "http://search.tools:8080/run?v=1".to_owned(),
            method: Method::Get,
            timeout: chassis::units::Span::seconds(5),
            idempotent: true,
        }),
    };
    let function = json!({"name": "search", "description": "Finds.", "parameters": schema, "strict": true});
    let mut within = function.clone();
    within["x-endpoint"] = endpoint.clone();
    let shapes = [
        json!([{"type": "function", "function": function, "x-endpoint": endpoint}]),
        json!([{"type": "function", "function": within}]),
        json!({"tools": [{"type": "function", "name": "search", "description": "Finds.", "parameters": schema, "x-endpoint": endpoint}]}),
        json!([{"name": "search", "description": "Finds.", "input_schema": schema, "x-endpoint": endpoint, "cache_control": {"type": "ephemeral"}}]),
        json!([{"type": "custom", "name": "search", "description": "Finds.", "input_schema": schema, "x-endpoint": endpoint}]),
        json!({"tools": [{"name": "search", "description": "Finds.", "inputSchema": schema, "annotations": {"readOnlyHint": true}, "x-endpoint": endpoint}], "nextCursor": "x"}),
    ];
    for shape in shapes {
        let (tools, warnings) = read(&shape.to_string()).unwrap();
        assert_eq!(tools.tools, std::slice::from_ref(&expected), "{shape}");
        assert_eq!(warnings, [] as [&str; 0], "{shape}");
    }
}

#[test]
fn an_endpoint_has_defaults() {
    let (tools, _) =
        read(r#"[{"name": "f", "input_schema": {"type": "object"}, "x-endpoint": {"url": "https://f"}}]"#).unwrap();
    let endpoint = tools.tools[0].endpoint.clone().unwrap();
    assert_eq!(
        (endpoint.method, endpoint.timeout, endpoint.idempotent),
        (Method::Post, chassis::units::Span::seconds(30), false)
    );
}

#[test]
fn what_is_no_list_of_tools_is_told() {
    let table = [
        (json!("x"), "there is no list of tools (write [ … ], or { \"tools\": [ … ] })"),
        (json!({"tool": []}), "there is no list of tools (write [ … ], or { \"tools\": [ … ] })"),
        (json!({"tools": {}}), "tools: is no list (write [ … ], or { \"tools\": [ … ] })"),
        (json!({"tools": [1]}), "tools[0]: is no tool: a mapping is due"),
        (json!([]), "fine has no tool in it (leave the file out if the agent has none)"),
        (
            json!({"tools": [anthropic("a")], "model": "m"}),
            "fine model: is beside `tools`, and nobody reads it (remove it)",
        ),
    ];
    for (value, expected) in table {
        assert_eq!(told_of(&value), expected, "{value}");
    }
    assert!(told("[{]").starts_with("is not strict JSON: line 1, column 3: "));
}

#[test]
fn a_tool_that_lacks_something_is_told() {
    let schema_hint = "(the schema is in function.parameters (OpenAI), input_schema (Anthropic) or inputSchema (MCP))";
    let missing =
        "is missing: a tool needs a schema (write {\"type\": \"object\", \"properties\": {}} if it has no arguments)";
    let table = [
        (json!([{}]), format!("[0]: is no tool: it has neither a name nor a schema {schema_hint}")),
        (json!([{"name": "f", "description": "d"}]), format!("[0]: `f` has no schema {schema_hint}")),
        (json!([{"type": "function", "function": {"name": "f"}}]), format!("[0].function.parameters: {missing}")),
        (json!([{"type": "function", "name": "f"}]), format!("[0].parameters: {missing}")),
        (json!([{"name": "f", "input_schema": null}]), format!("[0].input_schema: {missing}")),
        (json!([{"input_schema": {"type": "object"}}]), "[0].name: is missing".to_owned()),
        (json!([{"name": "", "input_schema": {"type": "object"}}]), "[0].name: is empty".to_owned()),
        (json!([{"name": 1, "input_schema": {"type": "object"}}]), "[0].name: is no text".to_owned()),
        (json!([{"type": "function", "function": []}]), "[0].function: is no mapping".to_owned()),
        (
            json!([{"function": {"name": "f", "parameters": {"type": "object"}}}]),
            "[0].type: is missing (write \"type\": \"function\")".to_owned(),
        ),
        (
            json!([{"type": "functoin", "function": {"name": "f", "parameters": {"type": "object"}}}]),
            "[0].type: is `functoin`, and the rest has the shape of OpenAI's chat completions (write \"function\")"
                .to_owned(),
        ),
        (
            json!([{"name": "f", "description": 1, "strict": "yes", "input_schema": {"type": "object"}}]),
            "[0].description: is no text; [0].strict: is neither true nor false".to_owned(),
        ),
        (
            json!([{"type": "web_search_20250305", "name": "web_search"}]),
            "fine [0]: `web_search_20250305` is run by the provider: it was not checked (look into the provider's documentation)"
                .to_owned(),
        ),
    ];
    for (value, expected) in table {
        assert_eq!(told_of(&value), expected, "{value}");
    }
}

#[test]
fn names_are_those_that_providers_take() {
    let refused = "would be refused by OpenAI and Anthropic (they take up to 64 letters, digits, `_` and `-`)";
    let gemini = "would be refused by Gemini (there a name begins with a letter or `_`)";
    let long = "n".repeat(65);
    let too_long = "N".repeat(129);
    let no_name = "is no name of a tool (MCP takes up to 128 letters, digits, `_`, `-`, `.` and `/`)";
    let mcp = |name: &str| json!([{"name": name, "inputSchema": {"type": "object"}}]);
    let table = [
        (json!([anthropic("get_weather-2")]), "fine".to_owned()),
        (json!([anthropic("get.weather")]), format!("[0].name: `get.weather` {refused}")),
        (json!([anthropic("wetter für")]), format!("[0].name: `wetter für` {refused}")),
        (json!([anthropic(&long)]), format!("[0].name: `nnnnnn…` {refused}")),
        (json!([anthropic(&long[1..])]), "fine".to_owned()),
        (json!([anthropic("2fa")]), format!("fine [0].name: `2fa` {gemini}")),
        (mcp("fs/read.file"), format!("fine [0].name: `fs/read.file` {refused}")),
        (mcp("fs read"), format!("[0].name: `fs read` {no_name}")),
        (mcp(&too_long), format!("[0].name: `NNNNNN…` {no_name}")),
        (
            json!({"tools": [anthropic("a"), anthropic("b"), anthropic("a")]}),
            "tools[2].name: `a` is the name of tools[0] as well (a model could not tell them apart)".to_owned(),
        ),
    ];
    for (value, expected) in table {
        assert_eq!(told_of(&value), expected, "{value}");
    }
}

#[test]
fn the_odd_one_out_is_named() {
    let chat = json!({"type": "function", "function": {"name": "c", "parameters": {"type": "object"}}});
    let flat = json!({"type": "function", "name": "r", "parameters": {"type": "object"}});
    let mcp = json!({"name": "m", "inputSchema": {"type": "object"}});
    let hosted = json!({"type": "web_search"});
    let end = "(a file has tools of one shape)";
    assert_eq!(
        told_of(&json!([mcp, anthropic("a"), anthropic("b")])),
        format!("[0]: has the shape of MCP, and the others that of Anthropic's messages {end}")
    );
    assert_eq!(
        told_of(&json!([chat, flat])),
        format!("[1]: has the shape of OpenAI's responses, and the others that of OpenAI's chat completions {end}")
    );
    assert!(told_of(&json!([chat, hosted])).starts_with("fine"));
}

#[test]
fn every_schema_is_one() {
    let deep = json!({"type": "object", "properties": {"x": {"type": "strng"}, "y": {"minimum": "1"}}});
    let types = "is no type of JSON Schema (the types are array, boolean, integer, null, number, object and string)";
    let remote = "refers to something outside of the schema (copy it into $defs)";
    let at = "[0].function.parameters";
    let draft7 = "http://json-schema.org/draft-07/schema#";
    let table = [
        (json!([]), format!("{at}: is no mapping (write {{\"type\": \"object\", \"properties\": {{ … }}}})")),
        (json!({}), format!("{at}.type: is missing (write \"type\": \"object\")")),
        (json!({"type": "string"}), format!("{at}.type: is not `object`, which arguments are (write \"object\")")),
        (deep, format!("{at}.properties.x.type: {types}; {at}.properties.y.minimum: it is not of type \"number\"")),
        (json!({"type": "object", "required": "q"}), format!("{at}.required: it is not of type \"array\"")),
        (
            json!({"type": "object", "properties": {"x": {"$ref": "https://example.com/x.json"}}}),
            format!("{at}.properties.x.$ref: {remote}"),
        ),
        (
            json!({"type": "object", "properties": {"x": {"$ref": "file:///etc/passwd"}}}),
            format!("{at}.properties.x.$ref: {remote}"),
        ),
        (
            json!({"type": "object", "properties": {"default": {"$ref": "other.json"}}}),
            format!("{at}.properties.default.$ref: {remote}"),
        ),
        (json!({"type": "object", "default": {"$ref": "only data"}}), "fine".to_owned()),
        (json!({"type": "object", "properties": {"$ref": {"type": "string"}}}), "fine".to_owned()),
        (
            json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": true}}),
            "fine".to_owned(),
        ),
        (
            json!({"$schema": draft7, "type": "object", "definitions": {"y": {}}, "properties": {"x": {"$ref": "#/definitions/y"}}}),
            "fine".to_owned(),
        ),
        // Draft 7 has lists of schemas where 2020-12 has one schema.
        (json!({"$schema": draft7, "type": "object", "properties": {"x": {"items": [{}]}}}), "fine".to_owned()),
        (
            json!({"$schema": "https://example.com/mine", "type": "object"}),
            format!(
                "{at}.$schema: is no draft that is known here (leave it out, or write https://json-schema.org/draft/2020-12/schema or {draft7})"
            ),
        ),
    ];
    for (schema, expected) in table {
        assert_eq!(told_of_schema(&schema), expected, "{schema}");
    }
    let recursive = json!({"type": "object", "properties": {"x": {"$ref": "#"}, "y": {"$ref": "#/properties/y"}}});
    assert_eq!(told_of_schema(&recursive), "fine");
    for odd in [
        json!({"type": "object", "$id": 5}),
        json!({"type": "object", "$ref": 5}),
        json!({"type": "object", "$anchor": "1 2"}),
        json!({"type": "object", "patternProperties": {"(": {}}}),
        json!({"type": "object", "properties": {"x": {"pattern": "(x{1000}){1000}{1000}"}}}),
        json!({"type": "object", "properties": {"x": true, "y": 5}}),
        json!({"type": "object", "properties": {"x": {"enum": "a"}}}),
        json!({"type": "object", "properties": {"x": {"type": ["string", "nul"]}}}),
    ] {
        let told = told_of_schema(&odd);
        assert!(told.starts_with(at) && !told.contains("fine"), "{odd}: {told}");
    }
    let nowhere = told_of_schema(&json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/y"}}}));
    assert!(nowhere.contains("has a reference that leads nowhere"), "{nowhere}");
    let pattern = told_of_schema(&json!({"type": "object", "properties": {"x": {"pattern": "a(b"}}}));
    assert!(pattern.contains("is no regular expression"), "{pattern}");
    let list = told_of_schema(&json!({"type": "object", "properties": {"x": {"items": [{}]}}}));
    assert!(list.starts_with(&format!("{at}.properties.x.items: ")), "{list}");
}

#[test]
fn an_endpoint_is_checked() {
    let told_of_endpoint = |endpoint: Value| {
        told_of(&json!([{"name": "f", "input_schema": {"type": "object"}, "x-endpoint": endpoint}]))
            .replace("[0].x-endpoint", "@")
    };
    let table = [
        (json!("http://f"), "@: is no mapping (write {\"url\": \"http://…\"})"),
        (json!({}), "@.url: is missing (write where the tool runs)"),
        (
            json!({"url": "ftp://f"}),
            "@.url: is not an http(s) URL (write, for instance, http://vllm.inference:8000/v1)",
        ),
        (json!({"url": "http://me:secret@f/"}), "@.url: has credentials in it (keys go where keys are configured)"),
        (json!({"url": "http://f/?a=1#b"}), "@.url: has a fragment (cut off what begins with `#`)"),
        (json!({"url": "http://f", "methd": "GET"}), "@.methd: unknown key (did you mean `method`?)"),
        (json!({"url": "http://f", "timeout": "0s"}), "@.timeout: must be above 0 (leave it out for 30s)"),
        (
            json!({"url": "http://f", "idempotent": "yes"}),
            "@.idempotent: expected a boolean, found a string (write true or false)",
        ),
        (
            json!({"url": "http://f", "method": "HEAD"}),
            "@.method: expected one of GET, POST, PUT, PATCH, DELETE, found `HEAD`",
        ),
    ];
    for (endpoint, expected) in table {
        assert_eq!(told_of_endpoint(endpoint.clone()), expected, "{endpoint}");
    }
    let timeout = told_of_endpoint(json!({"url": "http://f", "timeout": 30}));
    assert!(timeout.starts_with("@.timeout: "), "{timeout}");
    let twice = json!([{"type": "function", "x-endpoint": {"url": "http://f"},
        "function": {"name": "f", "parameters": {"type": "object"}, "x-endpoint": {"url": "http://f"}}}]);
    assert_eq!(told_of(&twice), "[0].function.x-endpoint: is at [0].x-endpoint as well: one of them is enough");
    let other = json!([{"name": "f", "input_schema": {"type": "object"}, "x-endpont": {}}]);
    assert_eq!(
        told_of(&other),
        "fine [0].x-endpont: is no extension that is known here (the one that is known is x-endpoint)"
    );
}

/// Any JSON, with the keys that mean something here more often than others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        "(object|function|string|#/x|http://x|\\PC{0,4})".prop_map(Value::from),
    ];
    let key = "(tools|name|type|function|parameters|input_schema|inputSchema|properties|\\$ref|items|pattern|x-endpoint|url|[a-z]{0,2})";
    leaf.prop_recursive(6, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::hash_map(key, inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_tools_or_a_failure(value in any_json()) {
        let _ = read(&value.to_string());
        let _ = read(&json!([{"name": "f", "input_schema": value}]).to_string());
    }
}
