//! The variant that a request names, in the one namespace and the one dimension that there are.

use serde::{Deserialize, Serialize};

use super::error::ScalingError;
use super::{DIMENSION, NAMESPACE};
use crate::input::Input;

/// `endpoint/NAME/variant/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) variant: String,
}

impl Resource {
    /// The resource of a request, in the one namespace and the one dimension that there are.
    pub(super) fn of(input: &Input<'_>) -> Result<Self, ScalingError> {
        namespace(input)?;
        let id = input.needed("ResourceId", &(1..=1600))?;
        input.needed("ScalableDimension", &(1..=255))?;
        dimension(input)?;
        match id.split('/').collect::<Vec<_>>()[..] {
            ["endpoint", endpoint, "variant", variant] if !endpoint.is_empty() && !variant.is_empty() => {
                Ok(Self { id: id.to_owned(), endpoint: endpoint.to_owned(), variant: variant.to_owned() })
            }
            _ => Err(ScalingError::validation(
                "Unsupported service namespace, resource type or scalable dimension: the ResourceId has to be \
                 endpoint/ENDPOINT/variant/VARIANT.",
            )),
        }
    }

    pub(super) fn not_registered(&self) -> ScalingError {
        ScalingError::not_found(format!(
            "No scalable target registered for service namespace: {NAMESPACE}, resource ID: {}, scalable dimension: {DIMENSION}",
            self.id
        ))
    }
}

/// `ServiceNamespace`, which has to be there.
pub(super) fn namespace(input: &Input<'_>) -> Result<(), ScalingError> {
    match input.needed("ServiceNamespace", &(1..=255))? {
        NAMESPACE => Ok(()),
        other => Err(ScalingError::validation(format!(
            "The emulator scales the service namespace {NAMESPACE} alone, not {other}."
        ))),
    }
}

/// `ScalableDimension`, where it is given.
pub(super) fn dimension(input: &Input<'_>) -> Result<(), ScalingError> {
    match input.text("ScalableDimension")? {
        None | Some(DIMENSION) => Ok(()),
        Some(other) => {
            Err(ScalingError::validation(format!("The emulator scales the dimension {DIMENSION} alone, not {other}.")))
        }
    }
}
