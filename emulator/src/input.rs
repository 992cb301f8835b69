//! Reading the members of requests, with the constraints of their API models. Of SageMaker's requests `control/shapes.rs` has checked
//! what the model says before.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::control::error::ControlError;

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

    /// A structure at a path such as `asyncInferenceConfig.`.
    pub(crate) fn of(value: &'a Value, path: &'a str) -> Result<Self, ControlError> {
        let members = value.as_object();
        let members = members.ok_or_else(|| ControlError::constraint(path.trim_end_matches('.'), "be a structure"))?;
        Ok(Self { members: Some(members), path })
    }

    /// A member that is a structure, at its own path; it need not be there.
    pub(crate) fn structure(&self, member: &str, path: &'a str) -> Result<Self, ControlError> {
        match self.get(member) {
            Some(value) => Self::of(value, path),
            None => Ok(Self { members: None, path }),
        }
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, member: &str) -> Option<&'a Value> {
        self.members?.get(member).filter(|value| !value.is_null())
    }

    /// A member that has to be there.
    pub(crate) fn required(&self, member: &str) -> Result<&'a Value, ControlError> {
        self.get(member).ok_or_else(|| self.error(member, "not be null"))
    }

    pub(crate) fn text(&self, member: &str) -> Result<Option<&'a str>, ControlError> {
        match self.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.error(member, "be a string")),
        }
    }

    /// A text whose length the model bounds.
    pub(crate) fn sized(&self, member: &str, lengths: &RangeInclusive<usize>) -> Result<Option<&'a str>, ControlError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        let length = text.chars().count();
        if length < *lengths.start() {
            return Err(self.error(member, &format!("have length greater than or equal to {}", lengths.start())));
        }
        if length > *lengths.end() {
            return Err(self.error(member, &format!("have length less than or equal to {}", lengths.end())));
        }
        Ok(Some(text))
    }

    /// A text that has to be there.
    pub(crate) fn needed(&self, member: &str, lengths: &RangeInclusive<usize>) -> Result<&'a str, ControlError> {
        self.sized(member, lengths)?.ok_or_else(|| self.error(member, "not be null"))
    }

    /// The name of a resource, which has to be there.
    pub(crate) fn name(&self, member: &str) -> Result<String, ControlError> {
        self.needed(member, &(0..=usize::MAX)).map(str::to_owned)
    }

    pub(crate) fn integer(&self, member: &str, allowed: &RangeInclusive<u32>) -> Result<Option<u32>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| allowed.contains(number)).map(Some).ok_or_else(|| {
            self.error(member, &format!("be a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    /// A whole number without further bounds.
    pub(crate) fn count(&self, member: &str) -> Result<Option<u32>, ControlError> {
        self.integer(member, &(0..=u32::MAX))
    }

    pub(crate) fn double(&self, member: &str) -> Result<Option<f64>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.error(member, "be a number"))
    }

    pub(crate) fn flag(&self, member: &str) -> Result<Option<bool>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.error(member, "be true or false"))
    }

    pub(crate) fn list(&self, member: &str) -> Result<&'a [Value], ControlError> {
        match self.get(member) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.error(member, "be a list")),
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, member: &str) -> Result<Vec<String>, ControlError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts: Option<Vec<_>> = self.list(member)?.iter().map(text).collect();
        texts.ok_or_else(|| self.error(member, "be a list of strings"))
    }

    /// One of a few values.
    pub(crate) fn one_of(&self, member: &str, allowed: &[&'static str]) -> Result<Option<&'static str>, ControlError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        let found = allowed.iter().find(|allowed| **allowed == text);
        found
            .copied()
            .map(Some)
            .ok_or_else(|| self.error(member, &format!("satisfy enum value set: [{}]", allowed.join(", "))))
    }

    /// What has a type of its own that says what it must be.
    pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, member: &str) -> Result<Option<T>, ControlError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
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
    pub(crate) fn error(&self, member: &str, constraint: &str) -> ControlError {
        let mut chars = member.chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        let member: String = first.into_iter().chain(chars).collect();
        ControlError::constraint(&format!("{}{member}", self.path), constraint)
    }
}
