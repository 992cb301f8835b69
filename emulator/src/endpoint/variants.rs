//! The production variants of an endpoint: their weights and instances, which a call can change apart from the configuration.

use serde::{Deserialize, Serialize};

use super::Core;
use super::deployment::Deployment;

/// A variant's part of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Of the traffic, in proportion to the other weights.
    pub weight: f64,
    /// Instances.
    pub instances: u32,
}

impl Deployment {
    /// Instances of all variants together.
    #[must_use]
    pub fn all_instances(&self) -> u32 {
        self.others.iter().fold(self.instances, |sum, other| sum.saturating_add(other.instances))
    }

    /// The shares of all variants.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let first = Share { weight: self.weight, instances: self.instances };
        std::iter::once(first).chain(self.other_shares()).collect()
    }

    /// Gives the variants these shares, in their order.
    pub(crate) fn set_shares(&mut self, shares: &[Share]) {
        let Some((first, others)) = shares.split_first() else { return };
        (self.weight, self.instances) = (first.weight, first.instances);
        for (variant, share) in self.others.iter_mut().zip(others) {
            (variant.weight, variant.instances) = (share.weight, share.instances);
        }
    }

    /// The shares of the variants behind the first.
    pub(super) fn other_shares(&self) -> Vec<Share> {
        self.others.iter().map(|other| Share { weight: other.weight, instances: other.instances }).collect()
    }
}

impl Core {
    /// Instances that all variants together should have.
    #[must_use]
    pub fn all_desired(&self) -> u32 {
        self.others.iter().fold(self.desired, |sum, other| sum.saturating_add(other.instances))
    }

    /// Each variant's name and share.
    #[must_use]
    pub fn shares(&self) -> Vec<(String, Share)> {
        let first = (self.deployment.variant.clone(), Share { weight: self.weight, instances: self.desired });
        let others = self.deployment.others.iter().zip(&self.others);
        std::iter::once(first).chain(others.map(|(other, share)| (other.name.clone(), *share))).collect()
    }

    /// `RetainAllVariantProperties`: the variants of a new deployment whose names are deployed already keep what they have.
    /// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html>
    pub fn retain(&self, deployment: &mut Deployment, instances: bool, weights: bool) {
        for (name, share) in self.shares() {
            let (own_instances, own_weight) = if deployment.variant == name {
                (&mut deployment.instances, &mut deployment.weight)
            } else {
                let Some(other) = deployment.others.iter_mut().find(|other| other.name == name) else { continue };
                (&mut other.instances, &mut other.weight)
            };
            if instances {
                *own_instances = share.instances;
            }
            if weights {
                *own_weight = share.weight;
            }
        }
    }
}
