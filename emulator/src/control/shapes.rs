//! What SageMaker's API model says of requests: types, required members, enums, bounds and patterns, each checked by the model
//! itself. `shapes.json` holds what botocore's copy of it says; `tests/emulator/shapes.py` makes the file.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use fancy_regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ControlError;

static TABLE: LazyLock<Table> = LazyLock::new(|| serde_json::from_str(include_str!("shapes.json")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
struct Table {
    /// The shape of each operation's request.
    operations: BTreeMap<String, String>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    /// Of a list.
    member: Option<String>,
    /// Of a map.
    key: Option<String>,
    value: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    /// Of a number its value, of anything else its length.
    min: Option<f64>,
    max: Option<f64>,
    pattern: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    Map,
    String,
    Integer,
    Float,
    Boolean,
    Timestamp,
}

/// Checks an operation's request.
pub(super) fn check(operation: &str, request: &Map<String, Value>) -> Result<(), ControlError> {
    let shape = TABLE.operations.get(operation).and_then(|name| TABLE.shapes.get(name));
    let mut problems = Vec::new();
    if let Some(shape) = shape {
        shape.check_members(request, "", &mut problems);
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(ControlError::validation(format!("1 validation error detected: {}", problems.concat()))),
        count => Err(ControlError::validation(format!("{count} validation errors detected: {}", problems.join("; ")))),
    }
}

/// In the words of AWS's services.
fn problem(value: &Value, path: &str, constraint: &str) -> String {
    let value = match value {
        Value::Null => " null".to_owned(),
        Value::String(text) => format!(" '{text}'"),
        Value::Number(_) | Value::Bool(_) => format!(" '{value}'"),
        Value::Array(_) | Value::Object(_) => String::new(),
    };
    format!("Value{value} at '{path}' failed to satisfy constraint: Member must {constraint}")
}

impl Shape {
    fn check(&self, value: &Value, path: &str, problems: &mut Vec<String>) {
        match (self.kind, value) {
            (Kind::Structure, Value::Object(members)) => self.check_members(members, path, problems),
            (Kind::List, Value::Array(list)) => {
                self.check_bounds(value, list.len(), path, problems);
                for (n, value) in list.iter().enumerate() {
                    check_part(self.member.as_ref(), value, &format!("{path}.{}.member", n + 1), problems);
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                self.check_bounds(value, entries.len(), path, problems);
                for (key, value) in entries {
                    check_part(self.key.as_ref(), &Value::String(key.clone()), &format!("{path}.key"), problems);
                    check_part(self.value.as_ref(), value, &format!("{path}.{key}"), problems);
                }
            }
            (Kind::String, Value::String(text)) => self.check_text(value, text, path, problems),
            (Kind::Integer, Value::Number(number)) if !number.is_f64() => self.check_number(value, path, problems),
            (Kind::Float, Value::Number(_)) => self.check_number(value, path, problems),
            (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp, Value::Number(_)) => {}
            (kind, _) => problems.push(problem(value, path, kind.words())),
        }
    }

    fn check_members(&self, members: &Map<String, Value>, path: &str, problems: &mut Vec<String>) {
        let path_of = |member: &str| {
            let mut chars = member.chars();
            let first = chars.next().map(|first| first.to_ascii_lowercase());
            let member: String = first.into_iter().chain(chars).collect();
            if path.is_empty() { member } else { format!("{path}.{member}") }
        };
        for member in &self.required {
            if members.get(member).is_none_or(Value::is_null) {
                problems.push(problem(&Value::Null, &path_of(member), "not be null"));
            }
        }
        // A member that the model does not know is passed over, as SageMaker does.
        for (member, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            check_part(self.members.get(member), value, &path_of(member), problems);
        }
    }

    fn check_text(&self, value: &Value, text: &str, path: &str, problems: &mut Vec<String>) {
        self.check_bounds(value, text.chars().count(), path, problems);
        if !self.values.is_empty() && !self.values.iter().any(|allowed| allowed == text) {
            problems.push(problem(value, path, &format!("satisfy enum value set: [{}]", self.values.join(", "))));
        }
        if let Some(pattern) = &self.pattern
            && !self.matches(pattern, text)
        {
            problems.push(problem(value, path, &format!("satisfy regular expression pattern: {pattern}")));
        }
    }

    /// Java's patterns have to match the whole text. One that takes too long to tell, or none at all, matches.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        let regex = self.compiled.get_or_init(|| Regex::new(&format!("^(?:{pattern})$")).ok());
        regex.as_ref().is_none_or(|regex| regex.is_match(text).unwrap_or(true))
    }

    fn check_bounds(&self, value: &Value, length: usize, path: &str, problems: &mut Vec<String>) {
        #[expect(clippy::cast_precision_loss, reason = "a request is far shorter than 2^52")]
        let length = length as f64;
        self.check_range(value, length, "have length", path, problems);
    }

    fn check_number(&self, value: &Value, path: &str, problems: &mut Vec<String>) {
        self.check_range(value, value.as_f64().unwrap_or_default(), "have value", path, problems);
    }

    fn check_range(&self, value: &Value, number: f64, words: &str, path: &str, problems: &mut Vec<String>) {
        if let Some(min) = self.min.filter(|min| number < *min) {
            problems.push(problem(value, path, &format!("{words} greater than or equal to {min}")));
        }
        if let Some(max) = self.max.filter(|max| number > *max) {
            problems.push(problem(value, path, &format!("{words} less than or equal to {max}")));
        }
    }
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Structure => "be a structure",
            Self::List => "be a list",
            Self::Map => "be a map",
            Self::String => "be a string",
            Self::Integer => "be an integer",
            Self::Float => "be a number",
            Self::Boolean => "be true or false",
            Self::Timestamp => "be a timestamp",
        }
    }
}

fn check_part(shape: Option<&String>, value: &Value, path: &str, problems: &mut Vec<String>) {
    if let Some(shape) = shape.and_then(|name| TABLE.shapes.get(name)) {
        shape.check(value, path, problems);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_pattern_of_the_model_can_be_checked() {
        let patterns: Vec<_> = TABLE.shapes.values().filter_map(|shape| shape.pattern.as_ref()).collect();
        assert!(patterns.len() > 40, "{}", patterns.len());
        for pattern in patterns {
            Regex::new(&format!("^(?:{pattern})$")).unwrap();
        }
    }

    #[test]
    fn each_kind_of_constraint_is_checked_and_named() {
        let variant = |member: &str, value: Value| {
            let variant = json!({"VariantName": "a", "ModelName": "m", "InitialInstanceCount": 1, member: value});
            ("CreateEndpointConfig", json!({"EndpointConfigName": "c", "ProductionVariants": [variant]}))
        };
        let model = |member: &str, value: Value| {
            ("CreateModel", json!({"ModelName": "m", "PrimaryContainer": {"Image": "i", member: value}}))
        };
        for ((operation, request), expected) in [
            (
                variant("InstanceType", json!("ml.bogus.large")),
                "Value 'ml.bogus.large' at 'productionVariants.1.member.instanceType' failed to satisfy constraint: Member must satisfy enum value set: [ml.t2.medium, ",
            ),
            (
                variant("InitialVariantWeight", json!(-1)),
                "initialVariantWeight' failed to satisfy constraint: Member must have value greater than or equal to 0",
            ),
            (
                variant("VolumeSizeInGB", json!(0)),
                "volumeSizeInGB' failed to satisfy constraint: Member must have value greater than or equal to 1",
            ),
            (variant("ModelDataDownloadTimeoutInSeconds", json!(3601)), "have value less than or equal to 3600"),
            (variant("InitialInstanceCount", json!(1.5)), "be an integer"),
            (
                variant("VariantName", json!(null)),
                "Value null at 'productionVariants.1.member.variantName' failed to satisfy constraint: Member must not be null",
            ),
            (
                model("ModelDataUrl", json!("ftp://x")),
                "Value 'ftp://x' at 'primaryContainer.modelDataUrl' failed to satisfy constraint: Member must satisfy regular expression pattern: (https|s3)",
            ),
            (model("Environment", json!({"a-b": "c"})), "Value 'a-b' at 'primaryContainer.environment.key'"),
            (
                model("Environment", json!({"A": 1})),
                "Value '1' at 'primaryContainer.environment.A' failed to satisfy constraint: Member must be a string",
            ),
            (model("Mode", json!("Both")), "satisfy enum value set: [SingleModel, MultiModel]"),
            (
                ("ListEndpoints", json!({"StatusEquals": "Nope", "MaxResults": 101})),
                "2 validation errors detected: Value 'Nope' at 'statusEquals'",
            ),
            (
                ("CreateEndpoint", json!({"EndpointName": "x".repeat(64), "EndpointConfigName": "c"})),
                "have length less than or equal to 63",
            ),
            (("DescribeEndpoint", json!({"EndpointName": []})), "Value at 'endpointName'"),
        ] {
            let error = check(operation, request.as_object().unwrap()).unwrap_err();
            assert!(error.message().contains(expected), "{} / {expected}", error.message());
        }
    }

    #[test]
    fn what_the_model_allows_passes() {
        let variant = json!({
            "VariantName": "a", "ModelName": "m", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 1, "InitialVariantWeight": 0.5,
            "OfTomorrow": "x", "VolumeSizeInGB": null,
        });
        let request =
            json!({"EndpointConfigName": "c", "ProductionVariants": [variant], "Tags": [{"Key": "ä b", "Value": ""}]});
        check("CreateEndpointConfig", request.as_object().unwrap()).unwrap();
    }
}
