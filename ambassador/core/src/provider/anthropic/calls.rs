//! The calls of one turn of the model: what each is called when it is sent, and which are answered.
//!
//! Everything here is looked up, never searched for: a turn may hold thousands of calls, and whoever sends them must not
//! be able to keep a processor busy with it.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, VecDeque},
};

use super::ids::plain;

/// The calls of a turn.
#[derive(Default)]
pub(super) struct Calls<'a> {
    all: Vec<Call<'a>>,
    /// The calls that are to be answered, first ones first, by the id that the caller has for them. Engines exist that
    /// number calls anew in every turn, or give all the same id.
    waiting: BTreeMap<&'a str, VecDeque<usize>>,
    /// The ids as sent.
    sent: BTreeSet<Cow<'a, str>>,
    /// The number that an id was last given where another already had it.
    numbers: BTreeMap<Cow<'a, str>, u64>,
    /// How many calls from the first on are answered.
    settled: usize,
}

struct Call<'a> {
    /// Its id as sent.
    sent: Cow<'a, str>,
    /// Which message made it.
    message: usize,
    answered: bool,
}

/// Why an answer has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// No call has the id.
    Unknown,
    /// Every call that has the id is answered.
    Answered,
}

impl<'a> Calls<'a> {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a call that `message` made, and gives it an id that no other call of the turn has.
    pub(super) fn add(&mut self, id: &'a str, message: usize) -> Cow<'a, str> {
        let sent = self.unique(plain(id));
        self.sent.insert(sent.clone());
        self.waiting.entry(id).or_default().push_back(self.all.len());
        self.all.push(Call { sent: sent.clone(), message, answered: false });
        sent
    }

    /// The id as sent of the call that an answer to `id` is for; the call is answered from then on.
    ///
    /// # Errors
    /// When no such call waits.
    pub(super) fn answer(&mut self, id: &str) -> Result<Cow<'a, str>, Misplaced> {
        let waiting = self.waiting.get_mut(id).ok_or(Misplaced::Unknown)?;
        let call = waiting.pop_front().and_then(|at| self.all.get_mut(at)).ok_or(Misplaced::Answered)?;
        call.answered = true;
        Ok(call.sent.clone())
    }

    /// The message whose call is the first to wait for its answer.
    pub(super) fn unanswered(&mut self) -> Option<usize> {
        while self.all.get(self.settled).is_some_and(|call| call.answered) {
            self.settled += 1;
        }
        self.all.get(self.settled).map(|call| call.message)
    }

    /// `id`, numbered where another already has it.
    fn unique(&mut self, id: Cow<'a, str>) -> Cow<'a, str> {
        if !self.sent.contains(&id) {
            return id;
        }
        let number = self.numbers.entry(id.clone()).or_insert(1);
        loop {
            // There are fewer calls than numbers.
            *number = number.saturating_add(1);
            let numbered = format!("{id}-{number}");
            if !self.sent.contains(numbered.as_str()) {
                return Cow::Owned(numbered);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_taken_is_numbered() {
        let mut calls = Calls::default();
        let sent: Vec<_> = ["a", "a-2", "a", "a", "a-2"].into_iter().map(|id| calls.add(id, 0)).collect();
        assert_eq!(sent, ["a", "a-2", "a-3", "a-4", "a-2-2"]);
    }

    #[test]
    fn answers_find_the_calls_of_an_id_in_order_and_no_more_of_them() {
        let mut calls = Calls::default();
        for (id, message) in [("a", 1), ("b", 1), ("a", 2)] {
            calls.add(id, message);
        }
        assert_eq!(calls.answer("c"), Err(Misplaced::Unknown));
        assert_eq!((calls.answer("a"), calls.unanswered()), (Ok("a".into()), Some(1)));
        assert_eq!((calls.answer("b"), calls.unanswered()), (Ok("b".into()), Some(2)));
        assert_eq!((calls.answer("a"), calls.unanswered()), (Ok("a-2".into()), None));
        assert_eq!(calls.answer("a"), Err(Misplaced::Answered));
    }
}
