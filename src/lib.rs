//! The bridge between event-driven systems and Amazon SageMaker AI Async Inference.
//!
//! ```text
//! event ─▶ submit/sources/ ─▶ Invocation ─▶ InvokeEndpointAsync ─▶ endpoint ─▶ SNS topics
//!                             submit/invoke.rs                                    │
//! destinations/ ◀─ ResultMessage ◀─ Notification + output ◀─ collect/sources/ ◀───┘
//!                  collect/message.rs          collect/output.rs
//! ```
//!
//! A way in is a source, a way out a destination, a file each (docs/design.md).
//!
//! Requests look like `InvokeEndpointAsync`, results like SageMaker's notifications, completed with the output.

pub mod aws;
mod batch;
pub mod checked_text;
pub mod collect;
pub mod config;
mod deadline;
mod destinations;
mod event;
pub mod fault;
mod hash;
pub mod invocation;
pub mod location;
pub mod metrics;
mod notification;
mod object;
pub mod parameter;
pub mod pending;
mod pointer;
pub mod return_address;
pub mod submit;
pub mod telemetry;
