//! Members of CloudWatch's requests: metrics and periods.

use super::error::CloudWatchError;
use super::metrics::Metric;
use crate::control::error::ControlError;
use crate::input::Input;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Metric.html>
const MAX_DIMENSIONS: usize = 30;

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
