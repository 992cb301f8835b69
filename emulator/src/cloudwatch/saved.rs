//! Alarms as they are written down.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::alarm::Alarm;
use super::alarms::Alarms;
use super::error::CloudWatchError;
use super::evaluation::State;

/// An alarm: the request that made it, and its state.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedAlarm {
    request: Map<String, Value>,
    state: String,
    reason: String,
    configured: f64,
    transitioned: f64,
    are_actions_enabled: bool,
}

impl SavedAlarm {
    fn of(alarm: &Alarm) -> Self {
        Self {
            request: alarm.request.clone(),
            state: alarm.state.name().to_owned(),
            reason: alarm.reason.clone(),
            configured: alarm.configured,
            transitioned: alarm.transitioned,
            are_actions_enabled: alarm.are_actions_enabled,
        }
    }

    fn read(self) -> Result<Alarm, CloudWatchError> {
        let mut alarm = Alarm::read(self.request, self.configured)?;
        (alarm.state, alarm.reason) = (State::named(&self.state), self.reason);
        (alarm.transitioned, alarm.are_actions_enabled) = (self.transitioned, self.are_actions_enabled);
        Ok(alarm)
    }
}

impl Alarms {
    pub(super) fn saved(&self) -> Vec<SavedAlarm> {
        self.by_name.values().map(SavedAlarm::of).collect()
    }

    pub(super) fn restore(&mut self, saved: Vec<SavedAlarm>) {
        for alarm in saved {
            match alarm.read() {
                Ok(alarm) => drop(self.by_name.insert(alarm.name.clone(), alarm)),
                Err(error) => tracing::error!(error = error.message(), "an alarm is not there any more"),
            }
        }
    }
}
