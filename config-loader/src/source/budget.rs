//! How much all sources of a set may hold in memory together, while they come: fifty files of fifteen megabytes each are
//! within the limit of a file, and beyond what a pod has.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chassis::units::Size;

use crate::failure::Failure;

/// What is left, shared by those who take of it. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct Budget(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    most: u64,
    left: AtomicU64,
}

/// What one fetch has taken. It is given back unless it is kept: a try that failed holds nothing.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    taken: u64,
}

impl Budget {
    /// Without a limit: where one source is fetched by itself.
    pub const NONE: Self = Self(None);

    /// So many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        Self(Some(Arc::new(Shared { most: bytes, left: AtomicU64::new(bytes) })))
    }

    pub(super) fn charge(&self) -> Charge {
        Charge { budget: self.clone(), taken: 0 }
    }
}

impl Charge {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// There are not so many left.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let Some(shared) = &self.budget.0 else { return Ok(()) };
        let taken = shared.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_err() {
            let most = Size::bytes(shared.most);
            return Err(Failure::data(format!("the files of the set are larger than {most} in all"))
                .with_hint("make them smaller, or raise limits.set"));
        }
        self.taken = self.taken.saturating_add(bytes);
        Ok(())
    }

    /// What was taken stays so.
    pub(super) fn keep(mut self) {
        self.taken = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(shared) = &self.budget.0 {
            shared.left.fetch_add(self.taken, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_given_back_and_no_more_is_taken_than_there_is() {
        let budget = Budget::of(10);
        let (mut one, mut two) = (budget.charge(), budget.charge());
        assert!(one.take(6).is_ok() && two.take(4).is_ok());
        assert!(two.take(1).unwrap_err().message.contains("larger than 10 in all"));
        drop(two);
        assert!(one.take(4).is_ok());
        one.keep();
        assert!(budget.charge().take(1).is_err());
        assert!(Budget::NONE.charge().take(usize::MAX).is_ok());
    }
}
