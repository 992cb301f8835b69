//! Members of requests that SageMaker's control plane has none of.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::error::CloudWatchError;
use super::metrics::Metric;
use crate::control::error::ControlError;
use crate::input::Input;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html>
const MAX_DIMENSIONS: usize = 30;

impl<'a> Input<'a> {
    pub(crate) fn double(&self, member: &str) -> Result<Option<f64>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.error(member, "be a number"))
    }

    pub(crate) fn flag(&self, member: &str) -> Result<Option<bool>, ControlError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.error(member, "be true or false"))
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
        self.required(member)?;
        self.sized(member, lengths)?.ok_or_else(|| self.error(member, "not be null"))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, member: &str) -> Result<Vec<String>, ControlError> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts: Option<Vec<_>> = self.list(member)?.iter().map(text).collect();
        texts.ok_or_else(|| self.error(member, "be a list of strings"))
    }
}

/// `Namespace`, `MetricName` and `Dimensions`.
pub(crate) fn metric(input: &Input<'_>) -> Result<Metric, CloudWatchError> {
    let namespace = input.needed("Namespace", &(1..=255))?.to_owned();
    metric_of(namespace, input)
}

/// `MetricName` and `Dimensions`, in a namespace.
pub(super) fn metric_of(namespace: String, input: &Input<'_>) -> Result<Metric, CloudWatchError> {
    let name = input.needed("MetricName", &(1..=255))?.to_owned();
    let list = input.list("Dimensions")?;
    if list.len() > MAX_DIMENSIONS {
        return Err(CloudWatchError::value(format!("A metric has at most {MAX_DIMENSIONS} dimensions.")));
    }
    let dimension = |value| {
        let dimension = Input::of(value, "dimensions.1.member.")?;
        let name = dimension.needed("Name", &(1..=255))?.to_owned();
        Ok((name, dimension.needed("Value", &(1..=1024))?.to_owned()))
    };
    let dimensions = list.iter().map(dimension).collect::<Result<_, ControlError>>()?;
    Ok(Metric { namespace, name, dimensions })
}

/// `Period` in minutes: a multiple of 60 seconds, or one of those of high resolution, which are a minute here.
pub(crate) fn period(input: &Input<'_>) -> Result<Option<u64>, CloudWatchError> {
    match input.integer("Period", &(1..=86_400))? {
        None => Ok(None),
        Some(1 | 5 | 10 | 20 | 30) => Ok(Some(1)),
        Some(seconds) if seconds % 60 == 0 => Ok(Some(u64::from(seconds / 60))),
        Some(_) => {
            Err(CloudWatchError::value("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60 seconds."))
        }
    }
}
