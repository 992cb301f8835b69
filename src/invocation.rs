//! One request to an asynchronous endpoint: parameters by name become an [`Invocation`] that has nothing left to be checked.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::checked_text::InvalidText;
use crate::config::SubmitConfig;
use crate::fault::Fault;
use crate::location::{S3Prefix, S3Uri};
use crate::parameter::{
    ACCEPT, CONTENT_TYPE, CUSTOM_ATTRIBUTES, ENDPOINT_NAME, EndpointName, FILENAME, Filename, HeaderText, INFERENCE_ID,
    INPUT_LOCATION, INVOCATION_TIMEOUT, INVOCATION_TIMEOUT_SECONDS, InferenceId, Parameter, ParameterSource,
    REQUEST_TTL, REQUEST_TTL_SECONDS, S3_OUTPUT_PATH_EXTENSION, S3OutputPathExtension,
};
use crate::pending::{self, PendingKey};
use crate::return_address::{ReturnAddress, TraceHeader};

const MAX_INPUT_LOCATION_CHARS: usize = 1024;

/// The parameters of an invocation, checked, with the bridge's defaults filled in. What is `None` is not sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The endpoint, one that this request may name.
    pub endpoint_name: EndpointName,
    /// The input's content type.
    pub content_type: HeaderText,
    /// The output's wanted content type.
    pub accept: Option<HeaderText>,
    /// Passed to the model and back in the notification, untouched; the return address is the last of them.
    pub custom_attributes: Option<HeaderText>,
    /// The caller's inference id.
    pub inference_id: Option<InferenceId>,
    /// The caller's input, one that it may name.
    pub input_location: Option<S3Uri>,
    /// Path under the endpoint's output path.
    pub s3_output_path_extension: Option<S3OutputPathExtension>,
    /// Name of the output file.
    pub filename: Option<Filename>,
    /// How long the request may wait in the endpoint's queue, in seconds.
    pub request_ttl_seconds: Option<i32>,
    /// How long the model may take, in seconds.
    pub invocation_timeout_seconds: Option<i32>,
    /// The key under which the request is remembered until it is answered; also part of its return address.
    pub pending: Option<PendingKey>,
    /// X-Ray's header, for the log. It travels in `custom_attributes` where there is room.
    pub trace_header: Option<TraceHeader>,
}

/// What the model gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Bytes in hand.
    Payload(Vec<u8>),
    /// An object in S3 that the endpoint reads by itself.
    Location(S3Uri),
}

impl Input {
    /// Its length, where the bytes are in hand.
    pub(crate) const fn payload_bytes(&self) -> Option<usize> {
        match self {
            Self::Payload(payload) => Some(payload.len()),
            Self::Location(_) => None,
        }
    }
}

/// A request that has nothing left to be checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Everything but the input.
    pub parameters: Parameters,
    /// The input.
    pub input: Input,
}

impl Parameters {
    /// Reads and checks every parameter.
    ///
    /// # Errors
    /// A validation [`Fault`] that names the parameter and what it must be, or an access [`Fault`] for an endpoint or a
    /// location that this bridge does not serve.
    pub fn read(source: &impl ParameterSource, config: &SubmitConfig) -> Result<Self, Fault> {
        let request_ttl_seconds = seconds(source, REQUEST_TTL, REQUEST_TTL_SECONDS)?.or(config.request_ttl_seconds);
        let invocation_timeout_seconds =
            seconds(source, INVOCATION_TIMEOUT, INVOCATION_TIMEOUT_SECONDS)?.or(config.invocation_timeout_seconds);
        let last_moment =
            || pending::last_moment(pending::now_ms() / 1_000, request_ttl_seconds, invocation_timeout_seconds);
        let key = || PendingKey::new(last_moment().saturating_add(config.answer_grace_seconds));
        let pending = config.pending_location.is_some().then(key).transpose()?;
        let return_address = ReturnAddress { pending: pending.clone(), ..return_address(source, config)? };
        Ok(Self {
            trace_header: return_address.trace_header.clone(),
            endpoint_name: endpoint_name(source, config)?,
            content_type: text(source, CONTENT_TYPE)?.unwrap_or_else(|| config.content_type.clone()),
            accept: text(source, ACCEPT)?,
            custom_attributes: return_address.append_to(text(source, CUSTOM_ATTRIBUTES)?)?,
            inference_id: text(source, INFERENCE_ID)?,
            input_location: input_location(source, config)?,
            s3_output_path_extension: text(source, S3_OUTPUT_PATH_EXTENSION)?,
            filename: text(source, FILENAME)?,
            request_ttl_seconds,
            invocation_timeout_seconds,
            pending,
        })
    }
}

/// The time at which a request was sent is of use to metrics only.
fn return_address(source: &impl ParameterSource, config: &SubmitConfig) -> Result<ReturnAddress, Fault> {
    let sent_timestamp = source.sent_timestamp().filter(|_| config.metrics).and_then(|time| time.parse().ok());
    Ok(ReturnAddress { sent_timestamp, ..ReturnAddress::read(source, &config.reply_to)? })
}

fn text<T: FromStr<Err = InvalidText>>(
    source: &impl ParameterSource,
    parameter: Parameter,
) -> Result<Option<T>, Fault> {
    let Some(value) = source.get(parameter)? else { return Ok(None) };
    value.parse().map(Some).map_err(|error| Fault::validation(format!("{} {error}", parameter.name)))
}

fn seconds(
    source: &impl ParameterSource,
    parameter: Parameter,
    allowed: RangeInclusive<i32>,
) -> Result<Option<i32>, Fault> {
    let Some(value) = source.get(parameter)? else { return Ok(None) };
    value.trim().parse().ok().filter(|seconds| allowed.contains(seconds)).map(Some).ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        Fault::validation(format!("{} must be a whole number from {least} to {most}", parameter.name))
    })
}

fn endpoint_name(source: &impl ParameterSource, config: &SubmitConfig) -> Result<EndpointName, Fault> {
    let Some(name) = text::<EndpointName>(source, ENDPOINT_NAME)? else { return Ok(config.endpoint_name.clone()) };
    if name == config.endpoint_name || config.allowed_endpoints.contains(&name) {
        return Ok(name);
    }
    Err(Fault::access_denied(format!("EndpointName {} is not one that this bridge may invoke", name.as_str())))
}

fn input_location(source: &impl ParameterSource, config: &SubmitConfig) -> Result<Option<S3Uri>, Fault> {
    let Some(value) = source.get(INPUT_LOCATION)? else { return Ok(None) };
    let location = value.parse().map_err(|error| Fault::validation(format!("InputLocation {error}")))?;
    allowed_input(location, &config.allowed_input_locations).map(Some)
}

/// Lets a location pass that a caller may name. What is sent on is this parsed form, so that what was checked is what is read.
///
/// # Errors
/// A validation [`Fault`] for one that no header can carry, an access [`Fault`] for any other.
pub fn allowed_input(location: S3Uri, allowed: &[S3Prefix]) -> Result<S3Uri, Fault> {
    let text = location.to_string();
    let is_carried = !text.chars().any(char::is_control) && !text.ends_with(' ');
    if text.chars().count() > MAX_INPUT_LOCATION_CHARS || !is_carried {
        let problem = "InputLocation must have at most 1024 characters, no control characters and no space at the end";
        return Err(Fault::validation(problem));
    }
    if allowed.iter().any(|prefix| prefix.contains(&location)) {
        return Ok(location);
    }
    Err(Fault::access_denied("InputLocation is not under a prefix that this bridge may use"))
}

#[cfg(test)]
mod tests;
