//! Where values come from: a statistic of a metric, or an expression of several. `GetMetricData` asks for them, alarms watch them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::CloudWatchError;
use super::input::{metric, period};
use super::math::Expression;
use super::metrics::{Metric, Metrics, Statistic};
use crate::input::Input;

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
const MAX_QUERIES: usize = 500;
/// What all expressions of a request name together, each as often as it is named: a chain in which each expression names the two before
/// it doubles with every link.
const MAX_NAMED: usize = 2_000;

/// Gives a value for each period.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    Statistic { metric: Metric, statistic: Statistic, minutes: u64 },
    Expression { expression: Expression, sources: BTreeMap<String, Source> },
}

/// A `MetricDataQuery`.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) id: String,
    pub(super) label: String,
    pub(crate) is_returned: bool,
    pub(crate) source: Source,
}

impl Source {
    /// The period.
    pub(crate) fn minutes(&self) -> u64 {
        match self {
            Self::Statistic { minutes, .. } => *minutes,
            Self::Expression { sources, .. } => sources.values().map(Self::minutes).max().unwrap_or(1),
        }
    }

    /// The value of the period that begins with a minute; `None` if it is missing.
    pub(crate) fn value(&self, metrics: &Metrics, from: u64) -> Option<f64> {
        match self {
            Self::Statistic { metric, statistic, minutes } => {
                metrics.over(metric, from..from.saturating_add(*minutes)).map(|values| values.get(*statistic))
            }
            Self::Expression { expression, sources } => {
                expression.value(&|id| sources.get(id).and_then(|source| source.value(metrics, from)))
            }
        }
    }
}

/// The statistic of a name.
pub(crate) fn statistic(name: &str) -> Result<Statistic, CloudWatchError> {
    Statistic::named(name).ok_or_else(|| {
        let names = Statistic::NAMES.join(", ");
        CloudWatchError::value(format!("The statistic {name} is not one of those that the emulator keeps: {names}."))
    })
}

/// A list of `MetricDataQuery`s, each of which may name others.
pub(crate) fn queries(list: &[Value]) -> Result<Vec<Query>, CloudWatchError> {
    if list.is_empty() || list.len() > MAX_QUERIES {
        let message = format!("MetricDataQueries must have 1 to {MAX_QUERIES} members.");
        return Err(CloudWatchError::validation(message));
    }
    let inputs: Vec<Input<'_>> =
        list.iter().map(|value| Input::of(value, "metricDataQueries.1.member.")).collect::<Result<_, _>>()?;
    let mut known: BTreeMap<&str, (Input<'_>, Option<Expression>)> = BTreeMap::new();
    for input in inputs {
        let id = input.needed("Id", &(1..=255))?;
        if !id.starts_with(|first: char| first.is_ascii_lowercase()) {
            let message =
                format!("The value {id} for parameter Id is invalid: it has to begin with a lower case letter.");
            return Err(CloudWatchError::validation(message));
        }
        let expression = input.sized("Expression", &(1..=2048))?.map(Expression::parse).transpose();
        let expression = expression
            .map_err(|problem| CloudWatchError::validation(format!("Error in expression '{id}': {problem}.")))?;
        if known.insert(id, (input, expression)).is_some() {
            return Err(CloudWatchError::validation(format!("The values for parameter id are not unique: {id}.")));
        }
    }
    let mut left = MAX_NAMED;
    list.iter().map(|value| query(&Input::of(value, "metricDataQueries.1.member.")?, &known, &mut left)).collect()
}

type Known<'a> = BTreeMap<&'a str, (Input<'a>, Option<Expression>)>;

fn query(input: &Input<'_>, known: &Known<'_>, left: &mut usize) -> Result<Query, CloudWatchError> {
    let id = input.needed("Id", &(1..=255))?;
    let source = resolve(id, known, known.len(), left)?;
    let label = match (input.text("Label")?, &source) {
        (Some(label), _) => label,
        (None, Source::Statistic { metric, .. }) => &metric.name,
        (None, Source::Expression { .. }) => id,
    };
    Ok(Query {
        id: id.to_owned(),
        label: label.to_owned(),
        is_returned: input.flag("ReturnData")?.unwrap_or(true),
        source,
    })
}

/// What a query asks for, with all that its expression names. Among so many queries a chain of names is no longer than `depth`,
/// unless it comes back to where it was.
fn resolve(id: &str, known: &Known<'_>, depth: usize, left: &mut usize) -> Result<Source, CloudWatchError> {
    let (input, expression) = known.get(id).ok_or_else(|| {
        CloudWatchError::validation(format!("An expression names {id}, which is the Id of no query."))
    })?;
    match (input.get("MetricStat"), expression) {
        (Some(stat), None) => metric_stat(&Input::of(stat, "metricDataQueries.1.member.metricStat.")?),
        (None, Some(_)) if depth == 0 => {
            Err(CloudWatchError::validation(format!("The expression {id} depends on itself.")))
        }
        (None, Some(expression)) => {
            let ids: BTreeSet<&str> = expression.ids().into_iter().collect();
            *left = left.checked_sub(ids.len()).ok_or_else(|| {
                CloudWatchError::validation(format!("The expressions name more than {MAX_NAMED} queries together."))
            })?;
            let sources = ids.into_iter().map(|id| Ok((id.to_owned(), resolve(id, known, depth - 1, left)?)));
            let sources = sources.collect::<Result<_, CloudWatchError>>()?;
            Ok(Source::Expression { expression: expression.clone(), sources })
        }
        _ => Err(CloudWatchError::validation(format!("The query {id} must have one of MetricStat and Expression."))),
    }
}

/// `MetricStat`; a scaling policy's has no period: it is a minute.
fn metric_stat(input: &Input<'_>) -> Result<Source, CloudWatchError> {
    let metric = metric(&Input::of(input.required("Metric")?, "metricDataQueries.1.member.metricStat.metric.")?)?;
    let statistic = statistic(input.needed("Stat", &(1..=255))?)?;
    Ok(Source::Statistic { metric, statistic, minutes: period(input)?.unwrap_or(1) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::metrics::Statistics;
    use super::*;

    fn stat(id: &str, name: &str) -> Value {
        let metric = json!({"Namespace": "N", "MetricName": name});
        json!({"Id": id, "MetricStat": {"Metric": metric, "Stat": "Sum", "Period": 60}, "ReturnData": false})
    }

    fn math(id: &str, expression: &str) -> Value {
        json!({"Id": id, "Expression": expression})
    }

    #[test]
    fn an_expression_of_metrics_has_a_value_where_all_of_them_have() {
        let list = [stat("a", "A"), math("half", "a / 2"), math("whole", "half + b"), stat("b", "B")];
        let queries = queries(&list).unwrap();
        let mut metrics = Metrics::default();
        let metric = |name: &str| Metric { namespace: "N".into(), name: name.into(), dimensions: BTreeMap::new() };
        metrics.add(metric("A"), "Count", 1, Statistics::of(6.0, 1.0)).unwrap();
        metrics.add(metric("B"), "Count", 1, Statistics::of(4.0, 1.0)).unwrap();
        metrics.add(metric("A"), "Count", 2, Statistics::of(6.0, 1.0)).unwrap();
        let values = |minute| queries.iter().map(|query| query.source.value(&metrics, minute)).collect::<Vec<_>>();
        assert_eq!(values(1), [Some(6.0), Some(3.0), Some(7.0), Some(4.0)]);
        assert_eq!(values(2), [Some(6.0), Some(3.0), None, None]);
        assert_eq!(queries.iter().filter(|query| query.is_returned).count(), 2);
    }

    #[test]
    fn a_chain_that_doubles_with_every_link_is_refused() {
        let link = |number: usize| math(&format!("e{number}"), &format!("e{} + e{}", number - 1, number - 2));
        let chain: Vec<Value> = [math("e0", "1"), math("e1", "1")].into_iter().chain((2..100).map(link)).collect();
        assert!(queries(&chain).unwrap_err().message.contains("more than 2000 queries"));
        assert!(queries(&chain[..10]).is_ok());
    }

    #[test]
    fn queries_that_cannot_be_answered_are_refused() {
        for (list, expected) in [
            (vec![], "1 to 500"),
            (vec![math("a", "b")], "names b, which is the Id of no query"),
            (vec![math("a", "b"), math("b", "a")], "depends on itself"),
            (vec![math("a", "1"), math("a", "1")], "not unique"),
            (vec![math("A", "1")], "lower case"),
            (vec![math("a", "1 +")], "Error in expression 'a'"),
            (vec![json!({"Id": "a"})], "one of MetricStat and Expression"),
        ] {
            let message = queries(&list).unwrap_err().message;
            assert!(message.contains(expected), "{message}");
        }
    }
}
