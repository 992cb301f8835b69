//! Room in memory for outputs: each has some from its first byte until its result is handed to a call.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The outputs that may be on their way from S3, or wait for a call, at once.
const OUTPUTS_LIMIT_BYTES: u32 = 8 * 1_048_576;

/// The memory that all outputs of one event share.
pub(super) struct Memory(Semaphore);

/// Room for one output, given back when it is dropped. The default is none.
#[derive(Default)]
pub(super) struct Room<'a>(Option<SemaphorePermit<'a>>);

impl Memory {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(OUTPUTS_LIMIT_BYTES as usize))
    }

    /// Waits until there is room for `bytes`, in the order of those who ask.
    pub(super) async fn room_for(&self, bytes: u64) -> Room<'_> {
        let bytes = u32::try_from(bytes).unwrap_or(OUTPUTS_LIMIT_BYTES).min(OUTPUTS_LIMIT_BYTES);
        // The only error is that the semaphore was closed, and nobody closes it.
        Room(self.0.acquire_many(bytes).await.ok())
    }
}

impl Room<'_> {
    /// Gives back what an output of `bytes` does not need.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        if let Some(permit) = &mut self.0 {
            let surplus = permit.num_permits().saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX));
            drop(permit.split(surplus));
        }
    }
}
