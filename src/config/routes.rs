//! The routes of `BRIDGE_REPLY_TO_ARNS`: what a request's `ReplyTo` may name.

use std::str::FromStr;

use super::QueueUrl;
use super::variables::Variables;
use crate::return_address::{NOBODY, RouteName};

/// A queue, topic or event bus, and the name by which a request asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The resource's own name.
    pub name: RouteName,
    /// What is there.
    pub target: Target,
    region: String,
}

/// What a route leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An SQS queue.
    Queue(QueueUrl),
    /// The ARN of an SNS topic.
    Topic(String),
    /// The ARN of an event bus.
    EventBus(String),
}

const MUST_BE: &str = "must be the ARN of an SQS queue, an SNS topic or an event bus, as in \
                       arn:aws:sqs:eu-west-1:123456789012:team-a";

impl FromStr for Route {
    type Err = &'static str;

    fn from_str(arn: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else { return Err(MUST_BE) };
        if [partition, region, account].iter().any(|part| part.is_empty()) {
            return Err(MUST_BE);
        }
        let (name, target) = match service {
            "sqs" => (resource, Target::Queue(QueueUrl::of(partition, region, account, resource))),
            "sns" => (resource, Target::Topic(arn.to_owned())),
            "events" => (resource.strip_prefix("event-bus/").ok_or(MUST_BE)?, Target::EventBus(arn.to_owned())),
            _ => return Err(MUST_BE),
        };
        let name = name.parse().map_err(|_| MUST_BE)?;
        Ok(Self { name, target, region: region.to_owned() })
    }
}

impl Variables<'_> {
    /// The routes, each with a name that means it alone. All are in this function's region, since its clients are.
    pub(super) fn routes(&mut self, variable: &str) -> Vec<Route> {
        let routes = self.list(variable, Route::from_str).unwrap_or_default();
        if routes.is_empty() {
            return routes;
        }
        let region = self.text("AWS_REGION");
        for (index, route) in routes.iter().enumerate() {
            let name = route.name.as_str();
            if name == NOBODY {
                self.problems.push(format!(
                    "{variable}: `{NOBODY}` is reserved: it means that no result is sent, so a route needs another name"
                ));
            }
            if routes.iter().take(index).any(|other| other.name == route.name) {
                self.problems
                    .push(format!("{variable}: `{name}` is the name of two of them: each needs a name of its own"));
            }
            if let Some(region) = region.as_ref().filter(|region| **region != route.region) {
                self.problems.push(format!(
                    "{variable}: `{name}` must be in this function's region, {region}; it is in {}",
                    route.region
                ));
            }
        }
        routes
    }
}
