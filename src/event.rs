//! Events as Lambda hands them over, and how the sources of both functions tell which are theirs.
//!
//! An event is told by its shape: the names of its fields, and of its first record's. Nothing is decoded for that, and of a record no
//! more is read than comes before the name, which in AWS's events comes before the body.

use std::borrow::Cow;
use std::fmt;

use futures_util::future::BoxFuture;
use lambda_runtime::Context;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::deadline::Deadline;
use crate::fault::{Fault, json_problem};

/// A way into `Function`: the events of one kind.
pub(crate) trait Source<Function: Handler>: Sync {
    /// What its events look like, for the error that names all shapes.
    fn shape(&self) -> &'static str;

    /// Whether an event is one of its own.
    fn recognises(&self, shape: &Shape<'_>) -> bool;

    /// Reads the requests or notifications of an event, and gives the work that ends with its answer. The work owns what it needs of
    /// the event, which is dropped before it begins.
    ///
    /// # Errors
    /// A [`Fault`] when the event cannot be answered at all; Lambda then treats the whole of it as failed.
    fn read<'f>(&self, function: &'f Function, shape: Shape<'_>, call: Call) -> Result<Answering<'f, Function>, Fault>;
}

/// A function of the bridge.
pub(crate) trait Handler {
    /// What it answers to Lambda.
    type Answer;
}

/// The work that ends with an event's answer.
pub(crate) type Answering<'f, Function> = BoxFuture<'f, Result<<Function as Handler>::Answer, Fault>>;

/// What Lambda says of the invocation that brought an event.
pub(crate) struct Call {
    /// Lambda's id of it.
    pub(crate) request_id: String,
    pub(crate) deadline: Deadline,
    /// X-Ray's header, if the invocation is traced.
    pub(crate) trace_header: Option<String>,
}

impl From<Context> for Call {
    fn from(context: Context) -> Self {
        // Lambda gives one to each invocation, also where tracing is off. One that is not sampled leads to no trace.
        let sampled = |header: &String| header.split(';').any(|field| field == "Sampled=1");
        Self {
            deadline: Deadline::at(context.deadline()),
            request_id: context.request_id,
            trace_header: context.xray_trace_id.filter(sampled),
        }
    }
}

/// Finds the source that recognises an event, and has it read the event.
///
/// # Errors
/// The source's, or a validation [`Fault`] that names the shapes of all sources when none of them recognises the event.
pub(crate) fn read<'f, Function: Handler>(
    sources: &[&dyn Source<Function>],
    function: &'f Function,
    payload: &RawValue,
    call: Call,
) -> Result<Answering<'f, Function>, Fault> {
    let unknown = |problem: &str| {
        let shapes: Vec<&str> = sources.iter().map(|source| source.shape()).collect();
        Fault::validation(format!("the event must be {}{problem}", shapes.join(", or ")))
    };
    let shape = Shape::read(payload).map_err(|error| unknown(&format!(": {}", json_problem(&error))))?;
    let source = sources.iter().find(|source| source.recognises(&shape)).ok_or_else(|| unknown(""))?;
    source.read(function, shape, call)
}

/// An event, of which nothing is read but where its parts begin and end.
pub(crate) struct Shape<'a> {
    whole: &'a RawValue,
    /// The records of an event that has a list of them, or is one, as EventBridge Pipes gives it.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html>
    records: Option<Vec<&'a RawValue>>,
    fields: Fields<'a>,
}

/// The fields of a JSON object, none of them read.
#[derive(Default)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Shape<'a> {
    /// # Errors
    /// What is wrong with a text that is no object and no list.
    pub(crate) fn read(payload: &'a RawValue) -> Result<Self, serde_json::Error> {
        let (records, fields) = serde_json::Deserializer::from_str(payload.get()).deserialize_any(TopLevel)?;
        Ok(Self { whole: payload, records, fields })
    }

    /// The event's whole text.
    pub(crate) const fn whole(&self) -> &'a RawValue {
        self.whole
    }

    /// Its fields, without its records.
    pub(crate) const fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    /// Its records; none where it has no list of them.
    pub(crate) fn into_records(self) -> Vec<&'a RawValue> {
        self.records.unwrap_or_default()
    }

    /// Whether it has records whose first one has a field of this name, or a list of none.
    pub(crate) fn has_records_with(&self, name: &str) -> bool {
        self.records.as_ref().is_some_and(|records| records.first().is_none_or(|record| has_field(record, name)))
    }
}

impl<'a> Fields<'a> {
    /// The JSON of a field; of two with the same name, the last one's.
    pub(crate) fn json(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, json)| *json)
    }
}

/// Reads an object's fields or a list's records.
struct TopLevel;

impl<'a> Visitor<'a> for TopLevel {
    type Value = (Option<Vec<&'a RawValue>>, Fields<'a>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut records = Vec::new();
        while let Some(record) = list.next_element()? {
            records.push(record);
        }
        Ok((Some(records), Fields::default()))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let (mut records, mut fields) = (None, Vec::new());
        while let Some(Name(name)) = object.next_key()? {
            if name == "Records" {
                records = Some(object.next_value()?);
            } else {
                fields.push((name, object.next_value()?));
            }
        }
        Ok((records, Fields(fields)))
    }
}

/// A field's name, uncopied where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether a JSON object has a field of this name. Reads no further than to it.
fn has_field(json: &RawValue, name: &str) -> bool {
    let mut search = FieldSearch { name, is_found: false };
    // It ends with an error where it ends early.
    let _ = search.deserialize(&mut serde_json::Deserializer::from_str(json.get()));
    search.is_found
}

struct FieldSearch<'n> {
    name: &'n str,
    is_found: bool,
}

impl<'a> DeserializeSeed<'a> for &mut FieldSearch<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for &mut FieldSearch<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = object.next_key()? {
            if name == self.name {
                self.is_found = true;
                return Err(A::Error::custom("found"));
            }
            object.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_list_and_the_field_records_are_both_records() {
        for text in [r#"[{"a":1},5]"#, r#"{"x":"y","Records":[{"a":1},5]}"#] {
            let json = json(text);
            let shape = Shape::read(&json).unwrap();
            assert!(shape.has_records_with("a") && !shape.has_records_with("b"), "{text}");
            assert_eq!(shape.into_records().iter().map(|record| record.get()).collect::<Vec<_>>(), [r#"{"a":1}"#, "5"]);
        }
    }

    #[test]
    fn an_empty_list_of_records_may_be_anybodys_and_none_is_nobodys() {
        for (text, expected) in [("[]", true), (r#"{"Records":[]}"#, true), ("{}", false), ("[5]", false)] {
            assert_eq!(Shape::read(&json(text)).unwrap().has_records_with("a"), expected, "{text}");
        }
    }

    #[test]
    fn a_field_is_found_without_reading_on_behind_it() {
        assert!(has_field(&json(r#"{"body":"x","messageId":"m","rest":1}"#), "messageId"));
        // No value follows: it was not even looked at.
        let broken = r#"{"messageId":"#;
        let mut search = FieldSearch { name: "messageId", is_found: false };
        let _ = search.deserialize(&mut serde_json::Deserializer::from_str(broken));
        assert!(search.is_found);
    }

    #[test]
    fn of_two_fields_with_one_name_the_last_one_counts() {
        let json = json(r#"{"Body":"a","Body":"b","\u0042ody2":1}"#);
        let shape = Shape::read(&json).unwrap();
        assert_eq!(shape.fields().json("Body").unwrap().get(), r#""b""#);
        assert_eq!(shape.fields().json("Body2").unwrap().get(), "1");
        assert!(shape.fields().json("InputLocation").is_none());
    }

    #[test]
    fn what_is_no_object_and_no_list_has_no_shape() {
        for text in ["5", "null", r#""Records""#, r#"{"Records":{}}"#] {
            assert!(Shape::read(&json(text)).is_err(), "{text}");
        }
    }
}
