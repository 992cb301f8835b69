//! The emulator over HTTP, driven by the AWS SDK's own client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod container;
mod control;
mod described;
mod embedded;
mod faults;
mod invoke;
mod large;
mod real_time;
mod running;
mod s3_keys;
mod services;
mod state;
mod tags;
