//! `List…`: filters, order and pages, the same for every kind of resource.

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::error::ControlError;
use crate::input::Input;

/// SageMaker's page where a request names no MaxResults.
const DEFAULT_PAGE: u32 = 10;

/// A resource in a list.
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
    /// Of endpoints.
    pub(crate) status: &'static str,
    pub(crate) summary: Value,
}

/// A page of a list, and the token of the next.
pub(crate) fn page(input: &Input<'_>, items: Vec<Item>) -> Result<(Vec<Value>, Option<String>), ControlError> {
    let size = input.count("MaxResults")?.unwrap_or(DEFAULT_PAGE);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let sort_by = input.text("SortBy")?.unwrap_or("CreationTime");
    let is_descending = input.text("SortOrder")? != Some("Ascending");
    let after = input.text("NextToken")?.map(read_token).transpose()?;
    let is_wanted = filter(input)?;
    let key = |item: &Item| match sort_by {
        "Name" => item.name.clone(),
        "Status" => format!("{} {}", item.status, item.name),
        _ => format!("{:020} {}", micros(item.created), item.name),
    };
    let mut items: Vec<(String, Item)> =
        items.into_iter().filter(|item| is_wanted(item)).map(|item| (key(&item), item)).collect();
    items.sort_by(|(a, _), (b, _)| if is_descending { b.cmp(a) } else { a.cmp(b) });
    // The token is the last key given: what is created or deleted between two pages shifts nothing.
    let is_after =
        |key: &String| after.as_ref().is_none_or(|after| if is_descending { key < after } else { key > after });
    let mut items = items.into_iter().filter(|(key, _)| is_after(key));
    let page: Vec<(String, Item)> = items.by_ref().take(size).collect();
    let has_more = items.next().is_some();
    let token = page.last().filter(|_| has_more).map(|(key, _)| BASE64_URL_SAFE_NO_PAD.encode(key));
    Ok((page.into_iter().map(|(_, item)| item.summary).collect(), token))
}

fn filter<'a>(input: &Input<'a>) -> Result<impl Fn(&Item) -> bool + 'a, ControlError> {
    let contains = input.text("NameContains")?;
    let status = input.text("StatusEquals")?;
    let created = (input.time("CreationTimeAfter")?, input.time("CreationTimeBefore")?);
    let modified = (input.time("LastModifiedTimeAfter")?, input.time("LastModifiedTimeBefore")?);
    let lies_in = |time: SystemTime, (after, before): (Option<SystemTime>, Option<SystemTime>)| {
        after.is_none_or(|after| time > after) && before.is_none_or(|before| time < before)
    };
    Ok(move |item: &Item| {
        contains.is_none_or(|text| item.name.to_lowercase().contains(&text.to_lowercase()))
            && status.is_none_or(|status| status == item.status)
            && lies_in(item.created, created)
            && lies_in(item.modified, modified)
    })
}

fn read_token(token: &str) -> Result<String, ControlError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    key.ok_or_else(|| ControlError::validation("Invalid NextToken."))
}

fn micros(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros()
}
