//! Reading the members of CloudWatch's and Application Auto Scaling's requests, with the constraints of their API models.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::control::error::ControlError;

/// A structure of a request, and where in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    members: &'a Map<String, Value>,
    /// Empty at the top, else ending in a dot.
    path: &'a str,
}

impl<'a> Input<'a> {
    /// A whole request.
    pub(crate) const fn new(members: &'a Map<String, Value>) -> Self {
        Self { members, path: "" }
    }

    /// A structure at a path such as `asyncInferenceConfig.`.
    pub(crate) fn of(value: &'a Value, path: &'a str) -> Result<Self, ControlError> {
        let members = value.as_object();
        let members = members.ok_or_else(|| ControlError::constraint(path.trim_end_matches('.'), "be a structure"))?;
        Ok(Self { members, path })
    }

    /// A member that is there and not null.
    pub(crate) fn get(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member).filter(|value| !value.is_null())
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

    pub(crate) fn integer(&self, member: &str, allowed: &RangeInclusive<u32>) -> Result<Option<u32>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| allowed.contains(number)).map(Some).ok_or_else(|| {
            self.error(member, &format!("be a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    pub(crate) fn list(&self, member: &str) -> Result<&'a [Value], ControlError> {
        match self.get(member) {
            None => Ok(&[]),
            Some(Value::Array(list)) => Ok(list),
            Some(_) => Err(self.error(member, "be a list")),
        }
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

    /// The error of a member.
    pub(crate) fn error(&self, member: &str, constraint: &str) -> ControlError {
        let mut chars = member.chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        let member: String = first.into_iter().chain(chars).collect();
        ControlError::constraint(&format!("{}{member}", self.path), constraint)
    }
}
