//! Requests of the query protocol: `Dimensions.member.1.Name=EndpointName` and the like, everything as text.

use aws_smithy_types::date_time::{DateTime, Format};
use serde_json::{Map, Value};

use super::error::CloudWatchError;

/// Members that are numbers. `Value` is one too, but of a dimension.
const NUMBERS: [&str; 14] = [
    "Counts",
    "DatapointsToAlarm",
    "EvaluationPeriods",
    "MaxDatapoints",
    "MaxRecords",
    "Maximum",
    "Minimum",
    "Period",
    "SampleCount",
    "StorageResolution",
    "Sum",
    "Threshold",
    "Value",
    "Values",
];
const FLAGS: [&str; 2] = ["ActionsEnabled", "ReturnData"];
const TIMES: [&str; 3] = ["StartTime", "EndTime", "Timestamp"];
/// No request of CloudWatch's is deeper than `MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name`.
const MAX_DEPTH: usize = 16;

/// The action of a form, and its members as the other protocols have them.
pub(super) fn read(body: &[u8]) -> Result<(String, Map<String, Value>), CloudWatchError> {
    let mut action = String::new();
    let mut members = Map::new();
    for (name, text) in form_urlencoded::parse(body) {
        match name.as_ref() {
            "Action" => action = text.into_owned(),
            "Version" => {}
            // An empty list, or a text that is as good as none.
            _ if text.is_empty() => {}
            _ => {
                let path: Vec<&str> = name.split('.').collect();
                if path.len() > MAX_DEPTH {
                    return Err(CloudWatchError::unreadable(format!("the parameter {name} is too deep")));
                }
                insert(&mut members, &path, leaf(&path, &text)?)?;
            }
        }
    }
    Ok((action, members.into_iter().map(|(name, value)| (name, with_lists(value))).collect()))
}

fn insert(members: &mut Map<String, Value>, path: &[&str], leaf: Value) -> Result<(), CloudWatchError> {
    let [name, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        members.insert((*name).to_owned(), leaf);
        return Ok(());
    }
    match members.entry(*name).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(inner) => insert(inner, rest, leaf),
        _ => Err(CloudWatchError::unreadable(format!("the parameter {name} is both a value and a structure"))),
    }
}

/// A value of the type that its member has.
fn leaf(path: &[&str], text: &str) -> Result<Value, CloudWatchError> {
    let is_name = |part: &&&str| **part != "member" && part.parse::<u32>().is_err();
    let name = path.iter().rev().find(is_name).copied().unwrap_or_default();
    let bad = |what: &str| CloudWatchError::value(format!("The parameter {} must be {what}.", path.join(".")));
    if NUMBERS.contains(&name) && !path.contains(&"Dimensions") {
        if let Ok(number) = text.parse::<u64>() {
            return Ok(number.into());
        }
        let number = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        return number.map(Value::Number).ok_or_else(|| bad("a number"));
    }
    if FLAGS.contains(&name) {
        return text.parse::<bool>().map(Value::Bool).map_err(|_| bad("true or false"));
    }
    if TIMES.contains(&name) {
        let time = DateTime::from_str(text, Format::DateTimeWithOffset)
            .map_err(|_| bad("a time such as 2026-01-31T12:00:00Z"))?;
        return Ok(time.as_secs_f64().into());
    }
    Ok(text.into())
}

/// `{"member": {"1": …, "2": …}}` is a list.
fn with_lists(value: Value) -> Value {
    let Value::Object(mut members) = value else { return value };
    if members.len() == 1
        && let Some(Value::Object(items)) = members.get_mut("member")
    {
        let mut items: Vec<(u32, Value)> = std::mem::take(items)
            .into_iter()
            .map(|(number, item)| (number.parse().unwrap_or(u32::MAX), with_lists(item)))
            .collect();
        items.sort_by_key(|(number, _)| *number);
        return items.into_iter().map(|(_, item)| item).collect();
    }
    members.into_iter().map(|(name, value)| (name, with_lists(value))).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_becomes_what_json_would_have_said() {
        let form = "Action=PutMetricData&Version=2010-08-01&Namespace=N&MetricData.member.2.MetricName=b\
                    &MetricData.member.1.MetricName=a%20b&MetricData.member.1.Value=1.5\
                    &MetricData.member.1.Timestamp=2026-01-01T00%3A00%3A00Z\
                    &MetricData.member.1.Dimensions.member.1.Name=x&MetricData.member.1.Dimensions.member.1.Value=7\
                    &MetricData.member.2.Values.member.1=3&Empty=";
        let (action, members) = read(form.as_bytes()).unwrap();
        assert_eq!(action, "PutMetricData");
        let expected = json!({
            "Namespace": "N",
            "MetricData": [
                {
                    "MetricName": "a b",
                    "Value": 1.5,
                    "Timestamp": 1_767_225_600.0,
                    "Dimensions": [{"Name": "x", "Value": "7"}],
                },
                {"MetricName": "b", "Values": [3]},
            ],
        });
        assert_eq!(Value::Object(members), expected);
    }

    #[test]
    fn a_form_that_is_not_what_it_must_be_is_told_what_it_must_be() {
        for (form, expected) in [
            ("Period=x", "The parameter Period must be a number."),
            ("StartTime=yesterday", "The parameter StartTime must be a time such as 2026-01-31T12:00:00Z."),
            ("ActionsEnabled=yes", "The parameter ActionsEnabled must be true or false."),
            ("A=1&A.member.1=2", "the parameter A is both a value and a structure"),
            (&format!("A{}=1", ".a".repeat(1000)), "is too deep"),
        ] {
            let message = read(form.as_bytes()).unwrap_err().message;
            assert!(message.contains(expected), "{message}");
        }
    }
}
