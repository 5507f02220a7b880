//! Scripts to send to `/_control` by hand, and what each does: for whoever has a terminal and wants to see a failure.

pub const RECIPES: [(&str, &str); 4] = [
    (r#"{"rules": []}"#, "mends it"),
    (r#"{"rules": [{"repeat": true, "steps": [{"fault": {"status": {"code": 503}}}]}]}"#, "breaks it: 503"),
    (r#"{"rules": [{"repeat": true, "steps": [{"fault": "hang_before_head"}]}]}"#, "lets it hang"),
    (
        r#"{"rules": [{"repeat": true, "steps": [{"fault": {"stream": {"after": 3, "ending": "reset"}}}]}]}"#,
        "cuts its streams in the middle",
    ),
];
