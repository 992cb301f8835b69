//! The bridge between event-driven systems and Amazon SageMaker AI Async Inference.
//!
//! ```text
//! SQS, API Gateway ─▶ submit ─▶ Invocation ─▶ InvokeEndpointAsync ─▶ endpoint ─▶ SNS topics
//!                     submit/{sqs,http}.rs    submit.rs                              │
//! results queue ◀─ ResultMessage ◀─ Notification + output ◀─ collect ◀───────────────┘
//!                  results.rs       notification.rs, collect/output.rs
//! ```
//!
//! Requests look like `InvokeEndpointAsync`, results like SageMaker's notifications, completed with the output.

pub mod aws;
mod batch;
pub mod collect;
pub mod config;
mod deadline;
pub mod fault;
pub mod invocation;
pub mod location;
mod notification;
mod object;
mod pointer;
mod results;
pub mod submit;
pub mod telemetry;
