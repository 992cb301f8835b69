//! The return address: where a request wants its result. It travels to `collect` as the last pair of `CustomAttributes`, which SageMaker
//! repeats in its notification:
//!
//! ```text
//! accept_eula=true,bridge=to:team-a;group:tenant-1;sent:1767225600000
//! └ the caller's ┘ └ a name and a value each; what would end one is percent-encoded
//! ```

mod pair;
mod values;

use crate::config::Route;
use crate::fault::Fault;
use crate::parameter::{CUSTOM_ATTRIBUTES, HeaderText, Parameter, ParameterSource};
use crate::pending::PendingKey;
pub(crate) use pair::{in_notification, split, with_pending};
pub use values::{CallbackId, GroupId, NOBODY, RouteName, TaskToken, TraceHeader};

/// The parameter that names a route, or [`NOBODY`].
pub const REPLY_TO: Parameter = Parameter { name: "ReplyTo", header: "x-bridge-reply-to" };
/// The parameter for a task of Step Functions. No header: a state machine does not come by HTTP.
pub const TASK_TOKEN: Parameter = Parameter { name: "TaskToken", header: "" };
/// The parameter for a callback of a durable function; without a header too.
pub const CALLBACK_ID: Parameter = Parameter { name: "CallbackId", header: "" };
/// The parameters of the return address, of which a request may give one.
pub const RETURN_PARAMETERS: [Parameter; 3] = [REPLY_TO, TASK_TOKEN, CALLBACK_ID];

/// Longest `CustomAttributes`.
/// <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpointAsync.html>
const CUSTOM_ATTRIBUTES_LIMIT_CHARS: usize = 1024;

/// Where a result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReplyTo {
    /// To the results queue, as of all requests that say nothing.
    #[default]
    ResultsQueue,
    /// Nowhere: its caller polls.
    Nobody,
    /// To one of `BRIDGE_REPLY_TO_ARNS`.
    Named(RouteName),
    /// It ends a task of Step Functions.
    Task(TaskToken),
    /// It ends a callback of a Lambda durable function.
    Callback(CallbackId),
}

/// Where a result goes, and what its message has of its request's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnAddress {
    /// Where it goes.
    pub to: ReplyTo,
    /// The message group of a request from a standard queue, by which SQS is fair to tenants.
    pub group_id: Option<GroupId>,
    /// X-Ray's header.
    pub trace_header: Option<TraceHeader>,
    /// When the request was sent, in milliseconds since 1970.
    pub sent_timestamp: Option<u64>,
    /// The key under which the request is remembered until its result is sent.
    pub pending: Option<PendingKey>,
}

impl ReturnAddress {
    /// The return address that a request gives; `known` are the routes that it may name.
    ///
    /// # Errors
    /// A validation [`Fault`] when it gives more than one, one that is none, or a route that is not known.
    pub fn read(source: &impl ParameterSource, known: &[Route]) -> Result<Self, Fault> {
        // What came with the message was not chosen by whoever wrote the request: what cannot be kept is no reason to refuse that.
        let group_id = source.group_id().and_then(|group_id| group_id.parse().ok());
        let trace_header = source.trace_header().and_then(|header| header.parse().ok());
        let to = Self { to: ReplyTo::read(source, known)?, ..Self::default() };
        // One that no request can send is wrong by itself.
        let length = to.pair().len();
        if length > CUSTOM_ATTRIBUTES_LIMIT_CHARS {
            Err(too_long(length))
        } else {
            Ok(Self { group_id, trace_header, ..to })
        }
    }

    /// The caller's `CustomAttributes` with this behind them. Where not all of it fits, what the request's own message had is left out.
    ///
    /// # Errors
    /// A validation [`Fault`] when the caller's have such a pair themselves, or leave no room.
    pub fn append_to(self, custom_attributes: Option<HeaderText>) -> Result<Option<HeaderText>, Fault> {
        let callers = custom_attributes.as_ref().map_or("", HeaderText::as_str);
        if pair::is_in(callers) {
            let problem =
                "CustomAttributes must not have a pair `bridge=`: the bridge uses that name for the return address";
            return Err(Fault::validation(problem));
        }
        let length = |pair: &str| callers.len() + usize::from(!callers.is_empty()) + pair.len();
        let fits = |pair: &String| length(pair) <= CUSTOM_ATTRIBUTES_LIMIT_CHARS;
        let whole = self.pair();
        let pair = if fits(&whole) { whole } else { Self { sent_timestamp: None, ..self.clone() }.pair() };
        let address = Self { sent_timestamp: None, trace_header: None, ..self };
        let pair = if fits(&pair) { pair } else { address.pair() };
        let pair = if fits(&pair) { pair } else { Self { group_id: None, ..address }.pair() };
        if pair.is_empty() {
            return Ok(custom_attributes);
        }
        if !fits(&pair) {
            return Err(too_long(length(&pair)));
        }
        let joined = if callers.is_empty() { pair } else { format!("{callers},{pair}") };
        joined.parse().map(Some).map_err(|error| Fault::internal(format!("{} {error}", CUSTOM_ATTRIBUTES.name)))
    }
}

impl ReplyTo {
    fn read(source: &impl ParameterSource, known: &[Route]) -> Result<Self, Fault> {
        let (route, token, id) = (source.get(REPLY_TO)?, source.get(TASK_TOKEN)?, source.get(CALLBACK_ID)?);
        let bad = |parameter: Parameter, error| Fault::validation(format!("{} {error}", parameter.name));
        match (route.as_deref(), token.as_deref(), id.as_deref()) {
            (None, None, None) => Ok(Self::ResultsQueue),
            (Some(NOBODY), None, None) => Ok(Self::Nobody),
            (Some(name), None, None) => {
                let route = known.iter().find(|route| route.name.as_str() == name);
                route.map(|route| Self::Named(route.name.clone())).ok_or_else(|| unknown_route(known))
            }
            (None, Some(token), None) => token.parse().map(Self::Task).map_err(|error| bad(TASK_TOKEN, error)),
            (None, None, Some(id)) => id.parse().map(Self::Callback).map_err(|error| bad(CALLBACK_ID, error)),
            _ => Err(Fault::validation(
                "the request has more than one of ReplyTo, TaskToken and CallbackId: give at most one",
            )),
        }
    }
}

fn too_long(chars: usize) -> Fault {
    Fault::validation(format!(
        "{} and the return address have {chars} characters together; SageMaker takes {CUSTOM_ATTRIBUTES_LIMIT_CHARS}: {} too many",
        CUSTOM_ATTRIBUTES.name,
        chars - CUSTOM_ATTRIBUTES_LIMIT_CHARS
    ))
}

/// The names that are allowed stand in the stack's parameters, which whoever may send requests is no stranger to.
fn unknown_route(known: &[Route]) -> Fault {
    let names: String = known.iter().map(|route| format!("`{}`, ", route.name.as_str())).collect();
    let end = if known.is_empty() { "; BRIDGE_REPLY_TO_ARNS is not set" } else { "" };
    let names = names.trim_end_matches(", ");
    let list = if known.is_empty() { String::new() } else { format!("{names} or ") };
    Fault::validation(format!("ReplyTo must be {list}`{NOBODY}`{end}"))
}

#[cfg(test)]
mod tests;
