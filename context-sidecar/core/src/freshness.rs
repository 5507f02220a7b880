//! What is older is worth less: half of it after each half-life.

use std::time::Duration;

use serde_json::Value;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use crate::document::Metadata;
use crate::merge::Passage;

/// By which age, and how fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// The metadata that says when: a date or a time as in RFC 3339, or seconds since 1970.
    pub field: String,
    /// After which time half of the worth is left; longer than nothing.
    pub half_life: Duration,
}

impl Freshness {
    /// What is left of the worth of a document with this metadata, from 1 down to 0; `now` is in seconds since 1970. What
    /// does not say when it is from, is worth what it was; so is what is of the future.
    #[must_use]
    pub fn left(&self, metadata: &Metadata, now: f64) -> f64 {
        let Some(then) = metadata.get(&self.field).and_then(seconds) else { return 1.0 };
        let age = (now - then).max(0.0);
        let half_life = self.half_life.as_secs_f64();
        let left = (-(age / half_life)).exp2();
        if left.is_nan() { 1.0 } else { left }
    }

    /// Ranks passages anew by what is left of their scores, those of the same score as they were.
    pub fn apply(&self, passages: &mut [Passage], now: f64) {
        for passage in &mut *passages {
            passage.score = decayed(passage.score, self.left(&passage.chunk.metadata, now));
        }
        passages.sort_by(|one, other| other.score.total_cmp(&one.score));
    }
}

/// Less of a score. Below 0 less worth is more below: half of it is twice as far.
fn decayed(score: f32, left: f64) -> f32 {
    let score = f64::from(score);
    let decayed = if score >= 0.0 { score * left } else { score / left };
    decayed.max(f64::from(f32::MIN)) as f32
}

/// Seconds since 1970.
#[allow(clippy::cast_precision_loss, reason = "a second in 285 million years")]
fn seconds(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let text = text.trim();
            let time = OffsetDateTime::parse(text, &Rfc3339)
                .ok()
                // Without an offset it is taken for UTC, without a time for the beginning of the day.
                .or_else(|| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).ok().map(PrimitiveDateTime::assume_utc))
                .or_else(|| Some(Date::parse(text, &Iso8601::DATE).ok()?.with_time(Time::MIDNIGHT).assume_utc()));
            let digits = || text.parse::<u64>().ok().map(|seconds| seconds as f64);
            time.map(|time| time.unix_timestamp() as f64).or_else(digits)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DAY: u64 = 86_400;

    fn left(value: &Value, now: f64) -> f64 {
        let freshness = Freshness { field: "at".to_owned(), half_life: Duration::from_secs(DAY) };
        freshness.left(json!({"at": value}).as_object().unwrap(), now)
    }

    #[test]
    fn half_is_left_after_a_half_life() {
        let now = 1_700_000_000.0 + DAY as f64;
        for then in [
            json!(1_700_000_000),
            json!(1_700_000_000.0),
            json!("1700000000"),
            json!("2023-11-14T22:13:20Z"),
            json!("2023-11-15T00:13:20+02:00"),
            json!("2023-11-14T22:13:20"),
        ] {
            assert!((left(&then, now) - 0.5).abs() < 1e-9, "{then}");
        }
        let day = left(&json!("2023-11-14"), 1_699_920_000.0 + 2.0 * DAY as f64);
        assert!((day - 0.25).abs() < 1e-9, "{day}");
    }

    #[test]
    fn what_says_no_time_is_worth_what_it_was() {
        for then in
            [json!(null), json!("yesterday"), json!(""), json!([1]), json!("2023-13-45"), json!(true), json!(1e300)]
        {
            assert!((left(&then, 1e9) - 1.0).abs() < f64::EPSILON, "{then}");
        }
        let freshness = Freshness { field: "other".to_owned(), half_life: Duration::from_secs(1) };
        assert!((freshness.left(json!({"at": 0}).as_object().unwrap(), 1e9) - 1.0).abs() < f64::EPSILON);
        let never = Freshness { field: "at".to_owned(), half_life: Duration::ZERO };
        assert!((never.left(json!({"at": 5}).as_object().unwrap(), 5.0) - 1.0).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn what_is_older_is_never_worth_more(score in -100.0_f32..100.0, age in 0.0_f64..1e7, more in 0.0_f64..1e7) {
            let (young, old) = (left(&json!(0), age), left(&json!(0), age + more));
            prop_assert!((0.0..=1.0).contains(&old) && old <= young);
            prop_assert!(decayed(score, old) <= decayed(score, young) && decayed(score, young) <= score);
            prop_assert!(decayed(score, old).is_finite());
        }

        #[test]
        fn any_text_is_a_time_or_none(text in "\\PC{0,40}|[0-9TZ:+. -]{0,30}") {
            prop_assert!((0.0..=1.0).contains(&left(&json!(text), 1e9)));
        }
    }
}
