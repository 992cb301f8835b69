//! Faults on demand, decided by a seed.
//!
//! No random number is drawn from a shared source, because the order in which concurrent calls draw is chance. Each decision is a
//! hash of the seed, the endpoint, the fault's name and the call: its inference id and how often that came before, or, without
//! one, its number at the endpoint. The same calls with the same seed meet the same faults, however they overlap.

pub mod rules;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use rules::Rules;

/// Inference ids whose repetitions are counted, for each endpoint.
const REMEMBERED_IDS: usize = 100_000;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The call is answered with ThrottlingException.
    Throttling,
    /// The call is answered with InternalFailure or ServiceUnavailable.
    ServerError,
    /// The connection is closed without an answer, and nothing is accepted.
    DroppedBeforeAcceptance,
    /// The connection is closed without an answer, though the invocation is accepted.
    DroppedAfterAcceptance,
    /// The call is answered late.
    Latency,
    /// The output is not stored, though the notification names it.
    MissingOutput,
    /// The notification is sent twice.
    DuplicateNotification,
    /// The notification is sent late.
    DelayedNotification,
    /// The notification is sent after the next one.
    ReorderedNotification,
    /// The notification is not sent.
    LostNotification,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Throttling => "throttling",
            Self::ServerError => "server-error",
            Self::DroppedBeforeAcceptance => "dropped-before-acceptance",
            Self::DroppedAfterAcceptance => "dropped-after-acceptance",
            Self::Latency => "latency",
            Self::MissingOutput => "missing-output",
            Self::DuplicateNotification => "duplicate-notification",
            Self::DelayedNotification => "delayed-notification",
            Self::ReorderedNotification => "reordered-notification",
            Self::LostNotification => "lost-notification",
        }
    }
}

/// Which faults there are: the document of the runtime API.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Decides all of them.
    pub seed: u64,
    /// For endpoints that have no rules of their own.
    pub all: Rules,
    /// For these endpoints.
    pub endpoints: BTreeMap<String, Rules>,
}

/// The plan in force, and how often each endpoint and inference id was called under it.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    plan: FaultPlan,
    calls: HashMap<String, Calls>,
    injected: BTreeMap<Fault, u64>,
}

#[derive(Debug, Default)]
struct Calls {
    anonymous: u64,
    by_id: HashMap<u64, u64>,
    /// In order of first appearance.
    ids: VecDeque<u64>,
}

/// The lot of one call.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Draw {
    lot: u64,
    rules: Rules,
}

impl Faults {
    /// With a plan from the command line or the configuration.
    #[must_use]
    pub fn new(plan: FaultPlan) -> Self {
        Self(Mutex::new(State { plan, ..State::default() }))
    }

    /// The plan in force and how many of each fault there were under it.
    #[must_use]
    pub fn report(&self) -> (FaultPlan, BTreeMap<Fault, u64>) {
        self.with(|state| (state.plan.clone(), state.injected.clone()))
    }

    /// Puts a plan in force and counts calls from the start again, so that a run can be repeated.
    pub fn replace(&self, plan: FaultPlan) {
        self.with(|state| *state = State { plan, ..State::default() });
    }

    /// Puts an endpoint's rules in force, or takes them away; counts its calls from the start again.
    pub fn replace_endpoint(&self, endpoint: &str, rules: Option<Rules>) {
        self.with(|state| {
            state.calls.remove(endpoint);
            match rules {
                Some(rules) => state.plan.endpoints.insert(endpoint.to_owned(), rules),
                None => state.plan.endpoints.remove(endpoint),
            };
        });
    }

    /// The rules in force for an endpoint.
    #[must_use]
    pub fn rules(&self, endpoint: &str) -> Rules {
        self.with(|state| state.plan.rules(endpoint).clone())
    }

    /// Draws the lot of a call; it counts as one.
    #[must_use]
    pub fn draw(&self, endpoint: &str, inference_id: Option<&str>) -> Draw {
        self.with(|state| {
            let rules = state.plan.rules(endpoint).clone();
            let calls = match state.calls.get_mut(endpoint) {
                Some(calls) => calls,
                None => state.calls.entry(endpoint.to_owned()).or_default(),
            };
            let call = calls.count(inference_id);
            let seed = state.plan.seed.to_le_bytes();
            Draw { lot: hash(&[&seed, endpoint.as_bytes(), &call.to_le_bytes()]), rules }
        })
    }

    /// Counts a fault that a call has met.
    pub fn count(&self, fault: Fault) {
        self.with(|state| *state.injected.entry(fault).or_default() += 1);
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FaultPlan {
    fn rules(&self, endpoint: &str) -> &Rules {
        self.endpoints.get(endpoint).unwrap_or(&self.all)
    }
}

impl Calls {
    /// What tells this call from every other one.
    fn count(&mut self, inference_id: Option<&str>) -> u64 {
        let Some(id) = inference_id else {
            self.anonymous += 1;
            return hash(&[b"number", &self.anonymous.to_le_bytes()]);
        };
        let id = hash(&[b"id", id.as_bytes()]);
        if !self.by_id.contains_key(&id) {
            self.ids.push_back(id);
            if self.ids.len() > REMEMBERED_IDS {
                self.ids.pop_front().map(|oldest| self.by_id.remove(&oldest));
            }
        }
        let times = self.by_id.entry(id).or_default();
        *times += 1;
        hash(&[&id.to_le_bytes(), &times.to_le_bytes()])
    }
}

impl Draw {
    /// Whether the call meets this fault.
    #[must_use]
    pub fn meets(&self, fault: Fault) -> bool {
        self.fraction(fault.name()) < self.rules.rate(fault)
    }

    /// How late the call is answered.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.rules.latency(self.fraction("latency"))
    }

    /// How late a delayed notification is.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.rules.delay()
    }

    /// Of two kinds of a fault, which one: the first?
    #[must_use]
    pub fn is_first_kind(&self) -> bool {
        self.fraction("kind") < 0.5
    }

    /// A number from 0 to 1, without 1, for a purpose.
    fn fraction(&self, purpose: &str) -> f64 {
        let bits = hash(&[&self.lot.to_le_bytes(), purpose.as_bytes()]) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
        let fraction = bits as f64 / (1_u64 << 53) as f64;
        fraction
    }
}

/// FNV-1a, finished as splitmix64 does: the same on every machine and in every version, which the standard library's is not.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // The separator keeps ("ab", "c") from ("a", "bc").
        for byte in part.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests;
