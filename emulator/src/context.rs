//! What every endpoint uses.

use crate::account::Account;
use crate::body::Spool;
use crate::durable::Durable;
use crate::endpoint::ledger::Limits;
use crate::faults::Faults;
use crate::notifier::Notifier;
use crate::settings::Settings;
use crate::store::Store;

/// Services, faults and bounds, shared by the endpoints.
#[derive(Debug)]
pub struct Context {
    /// For ARNs and notifications.
    pub account: Account,
    /// For inputs and outputs.
    pub store: Store,
    /// For inputs and outputs that are too large for memory.
    pub spool: Spool,
    /// For queues and what is created, where they outlive the emulator.
    pub durable: Option<Durable>,
    /// For notifications.
    pub notifier: Notifier,
    /// For containers.
    pub http: reqwest::Client,
    /// On demand.
    pub faults: Faults,
    /// Of each endpoint's memory.
    pub limits: Limits,
}

impl Context {
    /// With the services that there are and the faults that the settings name.
    #[must_use]
    pub fn new(settings: &Settings, store: Store, notifier: Notifier) -> Self {
        Self {
            account: settings.account.clone(),
            store,
            spool: Spool::default(),
            durable: None,
            notifier,
            http: reqwest::Client::new(),
            faults: Faults::new(settings.plan.clone()),
            limits: settings.limits,
        }
    }
}
