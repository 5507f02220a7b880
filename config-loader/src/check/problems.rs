//! Problems of one file as one line.

use std::fmt::Write as _;

use chassis::config::Problems;

use crate::failure::Failure;

/// As many as anybody reads, and as a termination message holds.
const TOLD: usize = 20;

/// What is to be done about any.
const CORRECT: &str = "correct it where it is kept; `config-loader lint` checks a file before it is published";

/// Refuses a file with any problem, and tells them all in one line.
pub(super) fn refuse(problems: &Problems) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = problems.iter().take(TOLD).map(|problem| problem.to_string().replace('\n', " ")).collect();
    let mut message = told.join("; ");
    if problems.len() > TOLD {
        // Writing to a string cannot fail.
        let _ = write!(message, "; and {} more", problems.len() - TOLD);
    }
    let failure = Failure::data(message);
    // Most of them say themselves what to do.
    let told = problems.iter().take(TOLD).any(|problem| problem.hint.is_some());
    Err(if told { failure } else { failure.with_hint(CORRECT) })
}

/// The warnings, one a line.
pub(super) fn warnings(problems: &Problems) -> Vec<String> {
    problems.warnings().iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_told_as_far_as_anybody_reads() {
        let mut problems = Problems::new();
        assert_eq!(refuse(&problems), Ok(()));
        problems.push("[0].name", "is missing");
        assert_eq!(refuse(&problems).unwrap_err().to_string(), format!("[0].name: is missing; {CORRECT}"));
        problems.push_hint("[1]", "is odd", "look");
        problems.warn("[2]", "is strange", "look again");
        assert_eq!(refuse(&problems).unwrap_err().message, "[0].name: is missing; [1]: is odd (look)");
        assert_eq!(refuse(&problems).unwrap_err().hint, None);
        assert_eq!(warnings(&problems), ["[2]: is strange (look again)"]);
        (0..30).for_each(|_| problems.push("", "x"));
        assert!(refuse(&problems).unwrap_err().message.ends_with("; x; and 12 more"));
    }
}
