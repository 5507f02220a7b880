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
    /// What is left of the worth of a document with this metadata, from 1 down to 0; `now` is in seconds since 1970. `None`
    /// where it does not say when it is from; what is of the future is worth what it was.
    #[must_use]
    pub fn left(&self, metadata: &Metadata, now: f64) -> Option<f64> {
        let then = metadata.get(&self.field).and_then(seconds)?;
        let age = (now - then).max(0.0);
        let half_life = self.half_life.as_secs_f64();
        let left = (-(age / half_life)).exp2();
        Some(if left.is_nan() { 1.0 } else { left })
    }

    /// What is left of the oldest of these; `None` where none says when it is from.
    #[must_use]
    pub fn oldest(&self, passages: &[Passage], now: f64) -> Option<f64> {
        passages.iter().filter_map(|passage| self.left(&passage.chunk.metadata, now)).min_by(f64::total_cmp)
    }

    /// Ranks passages anew by what is left of their scores, those of the same score as they were. What does not say when
    /// it is from is taken to be as old as the `oldest`: to be without a date is no advantage.
    pub fn apply(&self, passages: &mut [Passage], now: f64, oldest: f64) {
        for passage in &mut *passages {
            passage.score = decayed(passage.score, self.left(&passage.chunk.metadata, now).unwrap_or(oldest));
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
    use crate::document::Chunk;
    use crate::merge::Scores;

    const DAY: u64 = 86_400;

    fn left(value: &Value, now: f64) -> f64 {
        let freshness = Freshness { field: "at".to_owned(), half_life: Duration::from_secs(DAY) };
        freshness.left(json!({"at": value}).as_object().unwrap(), now).unwrap_or(f64::NAN)
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
    fn what_says_no_time_is_as_old_as_the_oldest() {
        for then in [json!(null), json!("yesterday"), json!(""), json!([1]), json!("2023-13-45"), json!(true)] {
            assert!(left(&then, 1e9).is_nan(), "{then}");
        }
        assert!((left(&json!(1e300), 1e9) - 1.0).abs() < f64::EPSILON);
        let never = Freshness { field: "at".to_owned(), half_life: Duration::ZERO };
        assert_eq!(never.left(json!({"at": 5}).as_object().unwrap(), 5.0), Some(1.0));

        let passage = |id: &str, metadata: Value, score: f32| {
            let chunk = json!({"document_id": id, "chunk": 0, "text": "t", "span": {"start": 0, "end": 1}, "metadata": metadata});
            let chunk: Chunk = serde_json::from_value(chunk).unwrap();
            Passage::new(uuid::Uuid::from_u128(1).into(), chunk, score, Scores::default())
        };
        let freshness = Freshness { field: "at".to_owned(), half_life: Duration::from_secs(DAY) };
        let now = 10.0 * DAY as f64;
        let mut passages = vec![
            passage("undated", json!({"other": 1}), 1.0),
            passage("old", json!({"at": 7 * DAY}), 0.9),
            passage("new", json!({"at": 10 * DAY}), 0.2),
        ];
        let oldest = freshness.oldest(&passages, now).unwrap();
        assert!((oldest - 0.125).abs() < 1e-9);
        freshness.apply(&mut passages, now, oldest);
        let ranked: Vec<(&str, f32)> = passages.iter().map(|one| (one.chunk.document_id.as_str(), one.score)).collect();
        assert_eq!(ranked, [("new", 0.2), ("undated", 0.125), ("old", 0.9 / 8.0)]);
        assert_eq!(freshness.oldest(&passages[1..2], now), None);
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
            let left = left(&json!(text), 1e9);
            prop_assert!(left.is_nan() || (0.0..=1.0).contains(&left));
        }
    }
}
