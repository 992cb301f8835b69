//! `DescribeEndpoint`: what was deployed, told as it was given, with what became of it.
//! <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html>

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::epoch;
use super::resolve::without_nulls;
use crate::endpoint::{Core, Endpoint};

/// An endpoint.
pub(super) fn endpoint(endpoint: &Endpoint, core: &Core, arn: &str) -> Value {
    let deployment = &core.deployment;
    let given = |member: &str| deployment.config.get(member).cloned();
    without_nulls(json!({
        "EndpointName": endpoint.name,
        "EndpointArn": arn,
        "EndpointConfigName": deployment.config_name,
        "ProductionVariants": variants(core),
        "ShadowProductionVariants": shadows(core),
        "DataCaptureConfig": given("DataCaptureConfig").map(|config| data_capture(&config)),
        "EndpointStatus": core.status.name(),
        "FailureReason": core.failure_reason,
        "CreationTime": epoch(core.created),
        "LastModifiedTime": epoch(core.modified),
        "LastDeploymentConfig": deployment.policy,
        "AsyncInferenceConfig": given("AsyncInferenceConfig"),
        "ExplainerConfig": given("ExplainerConfig"),
        "MetricsConfig": given("MetricsConfig"),
    }))
}

fn variants(core: &Core) -> Vec<Value> {
    let deployment = &core.deployment;
    let first = (&deployment.variant, &deployment.image, core.weight, core.instances, core.desired);
    let others = deployment.others.iter().zip(&core.others);
    let others =
        others.map(|(other, share)| (&other.name, &other.image, share.weight, share.instances, share.instances));
    let given = deployment.config.get("ProductionVariants").and_then(Value::as_array).into_iter().flatten();
    let summary = |((name, image, weight, instances, desired), given): ((&String, &String, f64, u32, u32), &Value)| {
        summary(name, image, given, core, json!({"weight": weight, "current": instances, "desired": desired}))
    };
    std::iter::once(first).chain(others).zip(given).map(summary).collect()
}

/// `ProductionVariantSummary`.
fn summary(name: &str, image: &str, given: &Value, core: &Core, numbers: Value) -> Value {
    let member = |member: &str| given.get(member).cloned();
    let serverless = member("ServerlessConfig").filter(|config| !config.is_null());
    let number = |name: &str| numbers.get(name).filter(|_| serverless.is_none()).cloned();
    json!({
        "VariantName": name,
        "DeployedImages": [{
            "SpecifiedImage": image,
            "ResolvedImage": resolved(image),
            "ResolutionTime": epoch(core.modified),
        }],
        "CurrentWeight": numbers.get("weight"),
        "DesiredWeight": numbers.get("weight"),
        "CurrentInstanceCount": number("current"),
        "DesiredInstanceCount": number("desired"),
        "CurrentServerlessConfig": serverless,
        "ManagedInstanceScaling": member("ManagedInstanceScaling"),
        "RoutingConfig": member("RoutingConfig"),
        "CapacityReservationConfig": member("CapacityReservationConfig"),
    })
}

/// Shadow variants run nowhere here; they are told as they were configured.
fn shadows(core: &Core) -> Option<Vec<Value>> {
    let given = core.deployment.config.get("ShadowProductionVariants")?.as_array()?;
    let summary = |given: &Value| {
        let number = |member: &str, default: Value| given.get(member).cloned().unwrap_or(default);
        let (weight, instances) =
            (number("InitialVariantWeight", json!(1.0)), number("InitialInstanceCount", json!(1)));
        json!({
            "VariantName": given.get("VariantName"),
            "CurrentWeight": weight,
            "DesiredWeight": weight,
            "CurrentInstanceCount": instances,
            "DesiredInstanceCount": instances,
        })
    };
    Some(given.iter().map(summary).collect())
}

/// `DataCaptureConfigSummary`. No data is captured here.
fn data_capture(config: &Value) -> Value {
    let is_enabled = config.get("EnableCapture").and_then(Value::as_bool).unwrap_or_default();
    json!({
        "EnableCapture": is_enabled,
        "CaptureStatus": if is_enabled { "Started" } else { "Stopped" },
        "CurrentSamplingPercentage": config.get("InitialSamplingPercentage"),
        "DestinationS3Uri": config.get("DestinationS3Uri"),
        "KmsKeyId": config.get("KmsKeyId").cloned().unwrap_or_else(|| "".into()),
    })
}

/// The image by its digest. No registry is asked: this is the digest of the image's name, which stays the same as long as that does.
fn resolved(image: &str) -> String {
    let (repository, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    // The last colon may be that of a registry's port.
    let repository = if tag.contains('/') { image } else { repository };
    let digest: String = Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect();
    if image.contains("@sha256:") { image.to_owned() } else { format!("{repository}@sha256:{digest}") }
}
