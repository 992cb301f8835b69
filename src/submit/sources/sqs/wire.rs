//! Messages as Lambda hands them over.

use std::collections::HashMap;

use serde::Deserialize;

/// The fields of a message that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SqsMessage {
    pub(super) message_id: Option<String>,
    pub(super) body: Option<String>,
    pub(super) attributes: HashMap<String, String>,
    pub(super) message_attributes: HashMap<String, SqsMessageAttribute>,
    #[serde(rename = "eventSourceARN")]
    pub(super) event_source_arn: Option<String>,
}

/// A message attribute.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SqsMessageAttribute {
    pub(super) data_type: Option<String>,
    pub(super) string_value: Option<String>,
    /// In base64.
    pub(super) binary_value: Option<String>,
}
