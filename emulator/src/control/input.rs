//! Reading a request's members. What the API model says of them was checked before: see `shapes.rs`.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::error::ControlError;

/// A structure of a request, and where in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// `None`: it is not there, and neither are its members.
    members: Option<&'a Map<String, Value>>,
    /// Empty at the top, else ending in a dot.
    path: &'a str,
}

impl<'a> Input<'a> {
    /// A whole request.
    pub(crate) const fn new(members: &'a Map<String, Value>) -> Self {
        Self { members: Some(members), path: "" }
    }

    /// A structure at a path such as `asyncInferenceConfig.`, if it is there.
    pub(crate) fn of(value: Option<&'a Value>, path: &'a str) -> Self {
        Self { members: value.and_then(Value::as_object), path }
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, member: &str) -> Option<&'a Value> {
        self.members?.get(member).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, member: &str) -> Option<&'a str> {
        self.get(member)?.as_str()
    }

    /// The name of a resource, which has to be there.
    pub(crate) fn name(&self, member: &str) -> Result<String, ControlError> {
        self.text(member).map(str::to_owned).ok_or_else(|| self.error(member, "not be null"))
    }

    pub(crate) fn integer(&self, member: &str) -> Option<u32> {
        self.get(member)?.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(crate) fn number(&self, member: &str) -> Option<f64> {
        self.get(member)?.as_f64()
    }

    pub(crate) fn is_true(&self, member: &str) -> bool {
        self.get(member).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(crate) fn list(&self, member: &str) -> &'a [Value] {
        self.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// What has a type of its own that says what it must be.
    pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, member: &str) -> Result<Option<T>, ControlError> {
        let Some(text) = self.text(member) else { return Ok(None) };
        let problem = |error: T::Err| self.error(member, error.to_string().trim_start_matches("must "));
        text.parse().map(Some).map_err(problem)
    }

    /// A time: seconds since 1970, with fractions.
    pub(crate) fn time(&self, member: &str) -> Result<Option<SystemTime>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let since = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let time = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        time.map(Some).ok_or_else(|| self.error(member, "be a timestamp"))
    }

    /// The error of a member.
    fn error(&self, member: &str, constraint: &str) -> ControlError {
        let mut chars = member.chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        let member: String = first.into_iter().chain(chars).collect();
        ControlError::constraint(&format!("{}{member}", self.path), constraint)
    }
}
