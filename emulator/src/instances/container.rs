//! What a model says of its container: `ContainerDefinition`, as far as a process can have it.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html>

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// `Environment`.
    pub environment: BTreeMap<String, String>,
    /// What lies in `/opt/ml/model` of a container.
    pub data: Option<ModelData>,
    /// `ModelDataDownloadTimeoutInSeconds` of its production variant.
    pub download_timeout: Option<Duration>,
}

/// `ModelDataUrl` or `ModelDataSource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelData {
    /// Where it lies.
    pub url: String,
    /// In which form.
    pub form: Form,
}

/// In which form model data lies in S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A tar archive, compressed by gzip.
    Archive,
    /// One file.
    Object,
    /// All objects under a prefix.
    Prefix,
}

impl Container {
    /// From `PrimaryContainer`, or one of `Containers`.
    #[must_use]
    pub fn new(definition: &Map<String, Value>) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let environment = definition.get("Environment").and_then(Value::as_object).into_iter().flatten();
        Self {
            environment: environment.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect(),
            data: data(definition),
            download_timeout: None,
        }
    }

    /// The variables of an instance's process, in which a container finds its port and paths, and then the model's own.
    ///
    /// A container has its model in `/opt/ml/model` and listens on port 8080. Programs written with the SageMaker inference toolkit read
    /// `SAGEMAKER_BASE_DIR` and `SAGEMAKER_BIND_TO_PORT` in their place:
    /// <https://github.com/aws/sagemaker-inference-toolkit/blob/master/src/sagemaker_inference/parameters.py>. `SM_MODEL_DIR` is the
    /// training toolkit's name for the same directory, which scripts that train and serve read.
    #[must_use]
    pub fn variables(&self, port: u16, base: &Path, region: &str) -> BTreeMap<String, String> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let given = [
            ("SAGEMAKER_BIND_TO_PORT", port.to_string()),
            ("SAGEMAKER_BASE_DIR", path(base)),
            ("SM_MODEL_DIR", path(&base.join("model"))),
            ("AWS_REGION", region.to_owned()),
            ("AWS_DEFAULT_REGION", region.to_owned()),
            // Otherwise Python's lines come in blocks, and late.
            ("PYTHONUNBUFFERED", "1".to_owned()),
        ];
        let mut variables: BTreeMap<String, String> =
            given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        variables.extend(self.environment.clone());
        variables
    }
}

fn data(definition: &Map<String, Value>) -> Option<ModelData> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let source = definition.get("ModelDataSource").and_then(|source| source.get("S3DataSource"));
    let Some(source) = source.filter(|source| source.is_object()) else {
        let url = definition.get("ModelDataUrl").and_then(Value::as_str)?.to_owned();
        return Some(ModelData { url, form: Form::Archive });
    };
    let is_archive = text(source, "CompressionType").as_deref() == Some("Gzip");
    let form = match text(source, "S3DataType").as_deref() {
        Some("S3Prefix") => Form::Prefix,
        _ if is_archive => Form::Archive,
        _ => Form::Object,
    };
    Some(ModelData { url: text(source, "S3Uri")?, form })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(definition: &Value) -> Container {
        Container::new(definition.as_object().unwrap())
    }

    #[test]
    fn model_data_is_an_archive_an_object_or_a_prefix() {
        let source = |kind: &str, compression: &str| {
            let source = json!({"S3Uri": "s3://b/x", "S3DataType": kind, "CompressionType": compression});
            json!({"ModelDataSource": {"S3DataSource": source}})
        };
        for (definition, form) in [
            (json!({"ModelDataUrl": "s3://b/x"}), Form::Archive),
            (source("S3Object", "Gzip"), Form::Archive),
            (source("S3Object", "None"), Form::Object),
            (source("S3Prefix", "None"), Form::Prefix),
        ] {
            assert_eq!(
                container(&definition).data,
                Some(ModelData { url: "s3://b/x".to_owned(), form }),
                "{definition}"
            );
        }
        assert_eq!(container(&json!({"Image": "x", "ModelDataSource": null})).data, None);
    }

    #[test]
    fn the_models_environment_counts_more_than_what_is_given() {
        let container = container(&json!({"Environment": {"AWS_REGION": "mars-1", "A": "b"}}));
        let variables = container.variables(9000, Path::new("/x"), "eu-west-1");
        let expected = [
            ("A", "b"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_REGION", "mars-1"),
            ("PYTHONUNBUFFERED", "1"),
            ("SAGEMAKER_BASE_DIR", "/x"),
            ("SAGEMAKER_BIND_TO_PORT", "9000"),
            ("SM_MODEL_DIR", "/x/model"),
        ];
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables, expected);
    }
}
