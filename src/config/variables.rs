//! Reading of single variables.

use std::fmt;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{ConfigErrors, DEFAULT_CONCURRENCY, MAX_CONCURRENCY, RESULT_FORMAT, RESULT_LOCATION, ResultFormat};
use crate::location::S3Prefix;

/// Reads variables and gathers what is wrong with them.
pub(super) struct Variables<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    pub(super) problems: Vec<String>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    pub(super) fn finish<T>(self, config: T) -> Result<T, ConfigErrors> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigErrors(self.problems)) }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|error| self.problems.push(format!("{name}: {error}; it is `{text}`"))).ok()
    }

    pub(super) fn required<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.text(name).is_none() {
            self.problems.push(format!("{name}: is required and not set"));
        }
        self.optional(name, parse)
    }

    /// A comma list; `None` when unset.
    pub(super) fn list<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let parse_item = |item: &str| parse(item).map_err(|error| format!("`{item}` {error}"));
        self.optional(name, |text| {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items = items.map(parse_item).collect::<Result<Vec<T>, _>>()?;
            // A list that was meant to allow something must not silently become the default.
            if items.is_empty() { Err("must name at least one item".to_owned()) } else { Ok(items) }
        })
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let parsed = self.optional(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be `true` or `false`"),
        });
        parsed.unwrap_or(false)
    }

    pub(super) fn number<T>(&mut self, name: &str, allowed: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        self.optional(name, |text| {
            text.parse::<T>()
                .ok()
                .filter(|number| allowed.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", allowed.start(), allowed.end()))
        })
    }

    pub(super) fn concurrency(&mut self) -> NonZeroUsize {
        self.number(MAX_CONCURRENCY, 1..=1000).and_then(NonZeroUsize::new).unwrap_or(DEFAULT_CONCURRENCY)
    }

    pub(super) fn result_format(&mut self) -> Option<ResultFormat> {
        let raw = self.optional(RESULT_FORMAT, |text| match text {
            "notification" => Ok(false),
            "raw" => Ok(true),
            _ => Err("must be `notification` or `raw`"),
        });
        if raw == Some(true) {
            let result_location = self.required(RESULT_LOCATION, S3Prefix::from_str)?;
            return Some(ResultFormat::Raw { result_location });
        }
        self.optional(RESULT_LOCATION, S3Prefix::from_str);
        Some(ResultFormat::Notification)
    }
}
