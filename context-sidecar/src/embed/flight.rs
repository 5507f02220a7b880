//! Who makes which vector right now: equal texts that are asked for at once are embedded once.
//!
//! Nothing is spawned for it. Whoever comes first makes it and tells those who wait; when it goes away untold (its caller
//! hung up, its deadline was shorter), the next of them makes it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::memory::Key;
use crate::http::Trouble;

/// What became of it; `None` while it is under way.
type News = Option<Result<Arc<[f32]>, Trouble>>;

#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, watch::Receiver<News>>>);

pub(super) enum Place<'f> {
    /// It is for us to make it.
    Ours(Pilot<'f>),
    /// Somebody does.
    Theirs(watch::Receiver<News>),
}

/// Makes a vector. Whoever waits for it goes on when this is dropped.
pub(super) struct Pilot<'f> {
    flights: &'f Flights,
    key: Key,
    tell: watch::Sender<News>,
}

impl Flights {
    pub(super) fn board(&self, key: Key) -> Place<'_> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return Place::Theirs(flight.clone());
        }
        let (tell, hear) = watch::channel(None);
        flights.insert(key, hear);
        Place::Ours(Pilot { flights: self, key, tell })
    }
}

impl Pilot<'_> {
    pub(super) fn tell(self, news: Result<Arc<[f32]>, Trouble>) {
        self.tell.send_replace(Some(news));
    }
}

impl Drop for Pilot<'_> {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// What becomes of somebody else's; `None` where it was given up.
pub(super) async fn wait(mut flight: watch::Receiver<News>) -> News {
    flight.wait_for(Option::is_some).await.ok().and_then(|news| news.clone())
}
