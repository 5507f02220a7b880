//! YAML, by the rules that our own configuration files are read by.

use chassis::config::Problems;

use super::problems;
use crate::failure::Failure;

/// Checks that a text is one YAML document: no key twice, no aliases that explode, no second document.
///
/// # Errors
/// What is wrong, with its line and column.
pub fn check(text: &str) -> Result<(), Failure> {
    let found: Problems = chassis::config::check_yaml(text);
    problems::refuse(&found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        check(text).map_or_else(|failure| failure.message, |()| "fine".to_owned())
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_column() {
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n";
        let table = [
            ("- a\n- b: 1\n", "fine"),
            ("just words", "fine"),
            ("", "fine"),
            ("1: a\ntrue: b\n", "fine"),
            ("a: .nan\nb: .inf\n", "fine"),
            ("a: !Ref b\nc: !!binary aGVsbG8=\nd: 2026-01-01\n", "fine"),
            ("base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n", "fine"),
            ("a: 18446744073709551616\nb: -9223372036854775809\n", "fine"),
            ("? [a, b]\n: c\n", "fine"),
            ("{a: {b: 1, b: 2}}", "line 1, column 12: the key `b` is there twice"),
            ("a: 1\nb: 2\na: 3\n", "line 3, column 1: the key `a` is there twice"),
        ];
        for (text, expected) in table {
            assert_eq!(told(text), expected, "{text}");
        }
        for text in [bomb, "a: 1\n---\nb: 2\n", "a: [", "a: *nowhere"] {
            assert_ne!(told(text), "fine", "{text}");
            assert!(!told(text).contains('\n'), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_yaml_or_a_failure(text: String) {
            let _ = check(&text);
        }
    }
}
