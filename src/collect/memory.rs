//! Room in memory for outputs: each has some from its first byte until its result is handed to a call.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The outputs that may be on their way from S3, or wait for a call, at once.
const OUTPUTS_LIMIT_BYTES: u32 = 8 * 1_048_576;

/// What a flow has at least, though others have the rest: room for the output of one result.
const FLOW_LIMIT_BYTES: u32 = 1_048_576;

/// The memory that all outputs of one flow share.
pub(super) struct Memory {
    free: Semaphore,
    limit_bytes: u32,
}

/// Room for one output, given back when it is dropped. The default is none.
#[derive(Default)]
pub(super) struct MemoryReservation<'a>(Option<SemaphorePermit<'a>>);

impl Memory {
    /// The part of one of `flows` flows, all of one event.
    pub(super) fn shared_by(flows: usize) -> Self {
        let flows = u32::try_from(flows).unwrap_or(u32::MAX).max(1);
        let limit_bytes = (OUTPUTS_LIMIT_BYTES / flows).max(FLOW_LIMIT_BYTES);
        Self { free: Semaphore::new(limit_bytes as usize), limit_bytes }
    }

    /// Waits until there is room for `bytes`, in the order of those who ask.
    pub(super) async fn reserve(&self, bytes: u64) -> MemoryReservation<'_> {
        let bytes = u32::try_from(bytes).unwrap_or(self.limit_bytes).min(self.limit_bytes);
        // The only error is that the semaphore was closed, and nobody closes it.
        MemoryReservation(self.free.acquire_many(bytes).await.ok())
    }
}

impl MemoryReservation<'_> {
    /// Gives back what an output of `bytes` does not need.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        if let Some(permit) = &mut self.0 {
            let surplus = permit.num_permits().saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX));
            drop(permit.split(surplus));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn flows_share_the_room_of_one_and_each_has_room_for_a_result() {
        for (flows, megabytes) in [(0, 8), (1, 8), (2, 4), (8, 1), (100, 1)] {
            let memory = Memory::shared_by(flows);
            assert_eq!(memory.free.available_permits(), megabytes << 20, "{flows}");
            // More than there is at all is all there is.
            let all = memory.reserve(u64::MAX).await;
            assert_eq!(memory.free.available_permits(), 0, "{flows}");
            drop(all);
        }
    }
}
