//! What an operation answers, before a protocol has written it: the protocols differ in how they write times, numbers and lists.

use std::borrow::Cow;

use ciborium::Value as Cbor;
use serde_json::{Map, Value as Json, json};

/// The tag of seconds since 1970: <https://www.rfc-editor.org/rfc/rfc8949#section-3.4.2>.
pub(super) const EPOCH_TAG: u64 = 1;

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Text(String),
    Double(f64),
    Whole(u64),
    Flag(bool),
    /// Seconds since 1970.
    Time(f64),
    List(Vec<Self>),
    Structure(Vec<(Cow<'static, str>, Self)>),
}

impl Answer {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A structure of the members that there are.
    pub(crate) fn of(members: impl IntoIterator<Item = (&'static str, Option<Self>)>) -> Self {
        Self::Structure(members.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect())
    }

    pub(super) fn json(&self) -> Json {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Double(number) | Self::Time(number) => json!(number),
            Self::Whole(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Structure(members) => {
                members.iter().map(|(name, value)| (name.to_string(), value.json())).collect::<Map<_, _>>().into()
            }
        }
    }

    pub(super) fn cbor(&self) -> Cbor {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Double(number) => (*number).into(),
            Self::Whole(number) => (*number).into(),
            Self::Flag(flag) => (*flag).into(),
            Self::Time(seconds) => Cbor::Tag(EPOCH_TAG, Box::new((*seconds).into())),
            Self::List(list) => Cbor::Array(list.iter().map(Self::cbor).collect()),
            Self::Structure(members) => {
                Cbor::Map(members.iter().map(|(name, value)| (name.as_ref().into(), value.cbor())).collect())
            }
        }
    }

    /// The content of an element.
    pub(super) fn xml(&self) -> String {
        match self {
            Self::Text(text) => escaped(text),
            Self::Double(number) => number.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Time(seconds) => iso(*seconds),
            Self::List(list) => list.iter().map(|item| format!("<member>{}</member>", item.xml())).collect(),
            Self::Structure(members) => {
                members.iter().map(|(name, value)| format!("<{name}>{}</{name}>", value.xml())).collect()
            }
        }
    }
}

impl From<&Json> for Answer {
    /// What a request said, said again; no null is asked for.
    fn from(value: &Json) -> Self {
        match value {
            Json::Null => Self::text(""),
            Json::Bool(flag) => Self::Flag(*flag),
            Json::Number(number) => match number.as_u64() {
                Some(number) => Self::Whole(number),
                None => Self::Double(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::text(text),
            Json::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            Json::Object(members) => {
                let there = members.iter().filter(|(_, value)| !value.is_null());
                Self::Structure(there.map(|(name, value)| (name.clone().into(), Self::from(value))).collect())
            }
        }
    }
}

/// A time as `2026-01-31T12:00:00.5Z`.
pub(super) fn iso(seconds: f64) -> String {
    use aws_smithy_types::date_time::{DateTime, Format};
    // To the millisecond: what a double has beyond is noise.
    let time = DateTime::from_secs_f64((seconds * 1e3).round() / 1e3);
    time.fmt(Format::DateTime).unwrap_or_default()
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_written_as_each_protocol_has_it() {
        let answer = Answer::of([
            ("Label", Some(Answer::text("a<b & c"))),
            ("Left", None),
            ("Times", Some(Answer::List(vec![Answer::Time(1_767_225_600.5)]))),
            ("Sum", Some(Answer::Double(2.0))),
            ("Period", Some(Answer::Whole(60))),
            ("Enabled", Some(Answer::Flag(true))),
        ]);
        assert_eq!(
            answer.json(),
            json!({"Label": "a<b & c", "Times": [1_767_225_600.5], "Sum": 2.0, "Period": 60, "Enabled": true})
        );
        assert_eq!(
            answer.xml(),
            "<Label>a&lt;b &amp; c</Label><Times><member>2026-01-01T00:00:00.5Z</member></Times><Sum>2</Sum>\
             <Period>60</Period><Enabled>true</Enabled>"
        );
        let Cbor::Map(members) = answer.cbor() else { panic!() };
        let time = Cbor::Tag(1, Box::new(Cbor::Float(1_767_225_600.5)));
        assert!(members.contains(&("Times".into(), Cbor::Array(vec![time]))));
        assert!(members.contains(&("Sum".into(), Cbor::Float(2.0))));
    }
}
