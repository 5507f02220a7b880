//! Tests that need something which this machine may lack.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Ends the test with the reason for not having run it; with `REQUIRE_ALL=1`, as a failure.
///
/// # Panics
///
/// With `REQUIRE_ALL=1`, which a machine sets that is to have everything.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        $crate::skip::report(module_path!(), &format!($($reason)*));
        return;
    }};
}

/// Says that a test was skipped: on stderr, and in the file that `SKIPPED_TESTS` names, since runners swallow the
/// output of tests that pass.
pub fn report(test: &str, reason: &str) {
    let line = format!("skipped, {test}: {reason}\n");
    let required = std::env::var("REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "{line}");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
