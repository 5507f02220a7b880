//! What is kept: looked at, listed, removed, and gone when its time has come.

use std::sync::atomic::{AtomicBool, Ordering};

use context_core::{
    document::{Chunk, Document},
    filter::Filter,
    point::Point,
    scope::{Collection, Scope, Tenant},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Listed, OfTenant, Page, Stored, Target, current, valid};
use crate::{
    failure::{Failure, Kind as Why},
    http::Call,
    pipeline::{Pipeline, seconds, users},
    store::Which,
};

/// Collections that are counted at once.
const AT_ONCE: usize = 16;

/// Documents of a page, at most.
const MOST_LISTED: usize = 1_000;

impl Pipeline {
    /// A document.
    ///
    /// # Errors
    /// There is none of this id, and what may be wrong with a store.
    pub async fn get(&self, scope: &Scope, id: &str, call: &Call) -> Result<Stored, Failure> {
        users(scope)?;
        let none = || Failure::new(Why::NotFound, "there is no document of this id in the collection").about("id");
        if valid::bad_id(id).is_some() {
            return Err(none());
        }
        let points = self.ask("chunks", call, self.store.chunks(scope, &[id.to_owned()], seconds())).await?;
        stored(points).ok_or_else(none)
    }

    /// Documents after `after`, at most `limit` (and at most 1,000).
    ///
    /// # Errors
    /// There is no such collection, and what may be wrong with a store.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        call: &Call,
    ) -> Result<Page, Failure> {
        users(scope)?;
        let limit = limit.clamp(1, MOST_LISTED);
        self.keyed(scope, filter, call).await?;
        let mut found =
            self.ask("documents", call, self.store.documents(scope, filter, after, limit + 1, seconds())).await?;
        let is_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| is_more).map(|(id, _)| id.clone());
        let documents = found.into_iter().map(|(id, chunks)| Listed { id, chunks }).collect();
        Ok(Page { documents, next })
    }

    /// The collections in which a tenant has anything, in the order of their names. What others have is not told, not even
    /// that it is there.
    ///
    /// # Errors
    /// What may be wrong with a store.
    pub async fn collections(&self, tenant: &Tenant, call: &Call) -> Result<Vec<OfTenant>, Failure> {
        let names = self.ask("collections", call, self.store.collections()).await?;
        let now = seconds();
        let looks: Vec<_> = names.into_iter().map(|name| self.of_tenant(tenant, name, now, call)).collect();
        let found: Vec<Option<OfTenant>> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn of_tenant(
        &self,
        tenant: &Tenant,
        collection: Collection,
        now: u64,
        call: &Call,
    ) -> Result<Option<OfTenant>, Failure> {
        let scope = Scope { tenant: tenant.clone(), collection };
        if users(&scope).is_err() {
            return Ok(None);
        }
        let chunks = match self.ask("count", call, self.store.count(&scope, now)).await {
            Ok(0) | Err(Failure { kind: Why::NotFound, .. }) => return Ok(None),
            chunks => chunks?,
        };
        // One that another program has made is none of ours, whatever it has in it.
        let Some(kind) = self.look(&scope.collection, call).await? else { return Ok(None) };
        let model = kind.dense.map(|(model, _)| model);
        Ok(Some(OfTenant { name: scope.collection.as_str().to_owned(), chunks, model }))
    }

    /// Removes documents, from what is remembered for outages too, and says how many chunks that were.
    ///
    /// # Errors
    /// There is no such collection, and what may be wrong with a store.
    pub async fn delete(&self, scope: &Scope, target: &Target, call: &Call) -> Result<u64, Failure> {
        users(scope)?;
        if let Target::Where(filter) = target {
            self.keyed(scope, Some(filter), call).await?;
        }
        self.remove(scope, target, call).await
    }

    /// The same, in any collection.
    pub(crate) async fn remove(&self, scope: &Scope, target: &Target, call: &Call) -> Result<u64, Failure> {
        let ids: &[String] = if let Target::Documents(ids) = target { ids } else { &[] };
        let held = call.within(self.locks.hold(scope, ids.iter().map(String::as_str))).await;
        let _held = held.ok_or_else(|| Failure::new(Why::Late, "others write the same documents: give more time"))?;
        let removing = Removing { pipeline: self, scope, is_asked: AtomicBool::new(false) };
        let which = match target {
            Target::Documents(ids) => Which::Documents(ids.clone()),
            Target::Where(filter) => Which::Where(filter.clone()),
            Target::All => Which::All,
        };
        let work = async {
            removing.begins();
            self.store.delete(scope, &which).await
        };
        let removed = self.ask("delete", call, work).await;
        drop(removing);
        if let Err(Failure { kind: Why::NotFound, .. }) = &removed {
            self.kinds.forget(&scope.collection);
        }
        removed
    }

    /// Removes what has expired by `now` (seconds since 1970) from all collections of the store. To be called every minute
    /// or so; it never fails louder than in the log. What has expired is not read from the store anyway; answers that are
    /// remembered may still have it in them until this has removed it.
    pub async fn sweep(&self, now: u64, call: &Call) {
        let names = match self.ask("collections", call, self.store.collections()).await {
            Ok(names) => names,
            Err(failure) => {
                tracing::warn!(error = %failure, "which collections there are is not known: those in use are swept");
                self.kinds.names().into_iter().chain(crate::conversations::collection()).collect()
            }
        };
        for name in names {
            // A collection that is not ours is left alone, whatever is in it.
            let removed = async {
                match self.look(&name, call).await? {
                    Some(_) => self.ask("expire", call, self.store.expire(&name, now)).await,
                    None => Ok(Vec::new()),
                }
            };
            match removed.await {
                Ok(tenants) => {
                    for tenant in tenants {
                        let scope = Scope { tenant, collection: name.clone() };
                        // The epoch first: what is being answered from before is not remembered then.
                        self.caches.epochs.bump(&scope);
                        self.caches.results.forget(&scope);
                    }
                }
                Err(Failure { kind: Why::NotFound, .. }) => {}
                Err(failure) => {
                    tracing::warn!(error = %failure, collection = name.as_str(), "what has expired is not removed yet");
                }
            }
        }
    }
}

/// Documents may be gone from here on, whatever the store says, and whether or not the caller stays to hear it: nothing that
/// was answered of the scope is kept, not even for outages. A delete that the store was not asked for (it is being left
/// alone) removes nothing, and what was answered before stays for the outage that this is.
struct Removing<'r> {
    pipeline: &'r Pipeline,
    scope: &'r Scope,
    is_asked: AtomicBool,
}

impl Removing<'_> {
    fn begins(&self) {
        self.is_asked.store(true, Ordering::Relaxed);
        self.forget();
    }

    fn forget(&self) {
        // The epoch first: what is being answered from before is not remembered then.
        self.pipeline.caches.epochs.bump(self.scope);
        self.pipeline.caches.results.forget(self.scope);
    }
}

impl Drop for Removing<'_> {
    fn drop(&mut self) {
        if self.is_asked.load(Ordering::Relaxed) {
            self.forget();
        }
    }
}

/// A document of its chunks. In the middle of a replacement there are some of two: it is the newest that is whole.
pub(crate) fn stored(points: Vec<Point>) -> Option<Stored> {
    let points = current(points);
    let last = points.iter().max_by_key(|point| (point.written, point.id))?;
    let (written, expires) = (last.written, last.expires);
    let Chunk { document_id: id, title, url, metadata, .. } = last.chunk.clone();
    let chunks = points.len();
    let mut parts: Vec<(u64, Chunk)> = points.into_iter().map(|point| (point.written, point.chunk)).collect();
    parts.sort_by(|(early, one), (late, other)| one.span.start.cmp(&other.span.start).then(late.cmp(early)));
    let (mut text, mut end) = (String::new(), None);
    for (_, chunk) in parts {
        let known = end.map_or(0, |end: usize| end.saturating_sub(chunk.span.start));
        if end.is_none_or(|end| chunk.span.end > end) {
            // White space that is longer than a chunk is in none: spans count it all the same.
            let gap = chunk.span.start.saturating_sub(end.unwrap_or_default());
            text.extend(std::iter::repeat_n(' ', gap));
            text.extend(chunk.text.chars().skip(known));
            end = Some(chunk.span.end);
        }
    }
    let document = Document { id, title, text, url, metadata };
    Some(Stored { document, chunks, written, expires })
}
