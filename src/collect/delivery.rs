//! A notification on its way to becoming a result, wherever it came from.

use crate::fault::Fault;

/// A notification that was delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    id: String,
    notification: Result<String, Fault>,
}

impl Delivery {
    /// The notification of this text, in a message of this id.
    pub(super) const fn new(id: String, notification: String) -> Self {
        Self { id, notification: Ok(notification) }
    }

    /// A message that has no notification that could be read.
    pub(super) const fn unreadable(id: String, fault: Fault) -> Self {
        Self { id, notification: Err(fault) }
    }

    /// The id of the message that it came in, SQS's or SNS's. By it a message of SQS is given back.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The notification's text.
    ///
    /// # Errors
    /// What kept it from being read.
    pub(super) fn notification(&self) -> Result<&str, Fault> {
        self.notification.as_deref().map_err(Fault::shared)
    }
}
