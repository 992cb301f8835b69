//! The return address as a pair of `CustomAttributes`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use super::{NOBODY, ReplyTo, ReturnAddress};
use crate::pending::PendingKey;

/// Behind it comes the return address.
const PAIR: &str = "bridge=";
const TO: &str = "to";
const TASK: &str = "task";
const CALLBACK: &str = "callback";
const GROUP: &str = "group";
const TRACE: &str = "trace";
const SENT: &str = "sent";
const PENDING: &str = "pending";
/// What ends a value or a pair, and what no header carries at its end or JSON not as it is.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b',').add(b';').add(b'"').add(b'\\');

impl ReturnAddress {
    /// The pair; empty for one that says nothing.
    pub(super) fn pair(&self) -> String {
        let to = match &self.to {
            ReplyTo::ResultsQueue => None,
            ReplyTo::Nobody => Some((TO, NOBODY)),
            ReplyTo::Named(route) => Some((TO, route.as_str())),
            ReplyTo::Task(token) => Some((TASK, token.as_str())),
            ReplyTo::Callback(id) => Some((CALLBACK, id.as_str())),
        };
        let group = self.group_id.as_ref().map(|group_id| (GROUP, group_id.as_str()));
        let trace = self.trace_header.as_ref().map(|header| (TRACE, header.as_str()));
        let sent = self.sent_timestamp.map(|time| time.to_string());
        let sent = sent.as_ref().map(|time| (SENT, time.as_str()));
        let pending = self.pending.as_ref().map(|key| (PENDING, key.as_str()));
        let mut pair = String::new();
        for (name, value) in [to, group, trace, sent, pending].into_iter().flatten() {
            pair.push_str(if pair.is_empty() { PAIR } else { ";" });
            pair.push_str(name);
            pair.push(':');
            pair.extend(utf8_percent_encode(value, ENCODED));
        }
        pair
    }

    /// Reads what follows `bridge=`. `None` when it was not written here. What a later version may add is not looked at.
    fn parse(text: &str) -> Option<Self> {
        let mut address = Self::default();
        for part in text.split(';') {
            let (name, value) = part.split_once(':')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            let to = match name {
                TO if value == NOBODY => ReplyTo::Nobody,
                TO => ReplyTo::Named(value.parse().ok()?),
                TASK => ReplyTo::Task(value.parse().ok()?),
                CALLBACK => ReplyTo::Callback(value.parse().ok()?),
                GROUP => {
                    address.group_id = Some(value.parse().ok()?);
                    continue;
                }
                TRACE => {
                    address.trace_header = Some(value.parse().ok()?);
                    continue;
                }
                SENT => {
                    address.sent_timestamp = Some(value.parse().ok()?);
                    continue;
                }
                PENDING => {
                    address.pending = Some(value.parse().ok()?);
                    continue;
                }
                _ => continue,
            };
            if address.to != ReplyTo::ResultsQueue {
                return None;
            }
            address.to = to;
        }
        Some(address)
    }
}

/// Whether there is such a pair among a caller's own.
pub(super) fn is_in(custom_attributes: &str) -> bool {
    custom_attributes.split(',').any(|pair| pair.trim_start().starts_with(PAIR))
}

/// Takes the return address off `CustomAttributes` as a notification has them: the caller's own, if there are any, and it. `None` where
/// there is none that was written here.
pub(crate) fn split(custom_attributes: &str) -> Option<(Option<&str>, ReturnAddress)> {
    let (callers, last) = match custom_attributes.rsplit_once(',') {
        Some((callers, last)) => (Some(callers), last),
        None => (None, custom_attributes),
    };
    Some((callers, ReturnAddress::parse(last.strip_prefix(PAIR)?)?))
}

/// `CustomAttributes` whose return address has this key and no other.
pub(crate) fn with_pending(custom_attributes: Option<&str>, key: PendingKey) -> String {
    let found = custom_attributes.and_then(split);
    let (callers, address) = found.unwrap_or((custom_attributes, ReturnAddress::default()));
    let pair = ReturnAddress { pending: Some(key), ..address }.pair();
    match callers.filter(|callers| !callers.is_empty()) {
        Some(callers) => format!("{callers},{pair}"),
        None => pair,
    }
}

/// The return address in a notification's text. Most have none, and are not read for it.
pub(crate) fn in_notification(text: &str) -> ReturnAddress {
    // Some writers of JSON escape an equals sign.
    if text.contains(PAIR) || text.contains("bridge\\u003") {
        read_from(text).unwrap_or_default()
    } else {
        ReturnAddress::default()
    }
}

fn read_from(text: &str) -> Option<ReturnAddress> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Notification<'a> {
        #[serde(borrow)]
        request_parameters: RequestParameters<'a>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RequestParameters<'a> {
        #[serde(borrow)]
        custom_attributes: Cow<'a, str>,
    }
    let notification: Notification<'_> = serde_json::from_str(text).ok()?;
    split(&notification.request_parameters.custom_attributes).map(|(_, address)| address)
}
