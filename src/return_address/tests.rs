use std::borrow::Cow;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;

use super::*;
use crate::fault::FaultKind;

/// A request's parameters, and what came with its message.
#[derive(Default)]
struct Request {
    parameters: Vec<(&'static str, String)>,
    group_id: Option<&'static str>,
    trace_header: Option<&'static str>,
}

impl ParameterSource for Request {
    fn get(&self, parameter: Parameter) -> Result<Option<Cow<'_, str>>, Fault> {
        let found = self.parameters.iter().find(|(name, _)| *name == parameter.name);
        Ok(found.map(|(_, value)| Cow::Borrowed(value.as_str())))
    }

    fn group_id(&self) -> Option<&str> {
        self.group_id
    }

    fn trace_header(&self) -> Option<&str> {
        self.trace_header
    }
}

fn routes() -> Vec<Route> {
    ["team-a", "team-b.fifo"].map(|name| format!("arn:aws:sqs:eu-west-1:1:{name}").parse().unwrap()).into()
}

fn read(parameters: &[(&'static str, &str)]) -> Result<ReturnAddress, Fault> {
    let parameters = parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    ReturnAddress::read(&Request { parameters, ..Request::default() }, &routes())
}

fn header(text: &str) -> Option<HeaderText> {
    Some(text.parse().unwrap())
}

/// What a model and a notification see.
fn sent(address: ReturnAddress, callers: Option<&str>) -> Option<String> {
    address.append_to(callers.and_then(header)).unwrap().map(String::from)
}

fn named(name: &str) -> ReturnAddress {
    ReturnAddress { to: ReplyTo::Named(name.parse().unwrap()), ..ReturnAddress::default() }
}

#[test]
fn a_request_gives_one_return_address_or_none() {
    assert_eq!(read(&[]).unwrap(), ReturnAddress::default());
    assert_eq!(read(&[("ReplyTo", "team-b.fifo")]).unwrap(), named("team-b.fifo"));
    assert_eq!(read(&[("ReplyTo", "none")]).unwrap().to, ReplyTo::Nobody);
    assert_eq!(read(&[("TaskToken", "AQC+/=")]).unwrap().to, ReplyTo::Task("AQC+/=".parse().unwrap()));
    assert_eq!(read(&[("CallbackId", "Ab+/==")]).unwrap().to, ReplyTo::Callback("Ab+/==".parse().unwrap()));
    for two in [["ReplyTo", "TaskToken"], ["ReplyTo", "CallbackId"], ["TaskToken", "CallbackId"]] {
        let fault = read(&two.map(|name| (name, "none"))).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Validation);
        assert!(fault.message().ends_with("give at most one"), "{fault}");
    }
}

#[test]
fn an_unknown_route_is_refused_with_the_names_that_are_allowed() {
    for name in ["team-c", "TEAM-A", "", " team-a", "None"] {
        let fault = read(&[("ReplyTo", name)]).unwrap_err();
        assert_eq!(fault.to_string(), "ValidationError: ReplyTo must be `team-a`, `team-b.fifo` or `none`");
    }
    let request = Request { parameters: vec![("ReplyTo", "team-a".to_owned())], ..Request::default() };
    let fault = ReturnAddress::read(&request, &[]).unwrap_err();
    assert_eq!(fault.message(), "ReplyTo must be `none`; BRIDGE_REPLY_TO_ARNS is not set");
}

#[test]
fn a_token_or_id_that_its_service_would_not_take_is_refused_and_not_repeated() {
    for (name, value) in [
        ("TaskToken", String::new()),
        ("TaskToken", "secret token".to_owned()),
        ("TaskToken", "s".repeat(2049)),
        ("CallbackId", "secret!".to_owned()),
        ("CallbackId", "===".to_owned()),
        ("CallbackId", "s".repeat(1025)),
    ] {
        let fault = read(&[(name, &value)]).unwrap_err();
        assert!(fault.message().starts_with(&format!("{name} must be 1 to ")), "{fault}");
        assert!(!fault.message().contains("secret"), "{fault}");
    }
    let secret = read(&[("TaskToken", "secret")]).unwrap();
    assert!(!format!("{secret:?}").contains("secret"), "{secret:?}");
}

#[test]
fn it_stands_behind_the_callers_own_pairs() {
    assert_eq!(sent(named("team-a"), None).as_deref(), Some("bridge=to:team-a"));
    assert_eq!(sent(named("team-a"), Some("")).as_deref(), Some("bridge=to:team-a"));
    assert_eq!(sent(named("team-a"), Some("accept_eula=true")).as_deref(), Some("accept_eula=true,bridge=to:team-a"));
    assert_eq!(sent(ReturnAddress::default(), Some("a=b")).as_deref(), Some("a=b"));
    assert_eq!(sent(ReturnAddress::default(), None), None);
}

#[test]
fn a_pair_of_this_name_is_not_the_callers_to_give() {
    for callers in ["bridge=to:team-a", "a=b,bridge=", "a=b, bridge=to:none,c=d", "bridge=x,a=b"] {
        for address in [ReturnAddress::default(), named("team-a")] {
            let fault = address.append_to(header(callers)).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Validation, "{callers}");
            assert!(fault.message().contains("`bridge=`"), "{fault}");
        }
    }
    for callers in ["bridges=1", "a=bridge=b", "bridge", "Bridge=x"] {
        assert!(ReturnAddress::default().append_to(header(callers)).is_ok(), "{callers}");
    }
}

#[test]
fn what_is_too_long_together_is_refused_and_the_fault_says_by_how_much() {
    let task = |chars: usize| ReturnAddress { to: ReplyTo::Task("t".repeat(chars).parse().unwrap()), ..named("x") };
    let behind = "bridge=task:".len();
    assert_eq!(sent(task(1024 - behind), None).unwrap().len(), 1024);
    assert_eq!(sent(task(1024 - behind - 4), Some("a=b")).unwrap().len(), 1024);
    let fault = task(1024 - behind).append_to(header("a=b")).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "ValidationError: CustomAttributes and the return address have 1028 characters together; SageMaker takes 1024: 4 too many"
    );
}

#[test]
fn what_the_requests_message_had_is_left_out_where_there_is_no_room_for_it() {
    let request = Request { group_id: Some("tenant"), trace_header: Some("Root=1-5;Sampled=1"), ..Request::default() };
    let address = ReturnAddress::read(&request, &[]).unwrap();
    let kept = |callers: usize| sent(address.clone(), Some(&"c".repeat(callers))).unwrap()[callers..].to_owned();
    assert_eq!(kept(10), ",bridge=group:tenant;trace:Root=1-5%3BSampled=1");
    assert_eq!(kept(1000), ",bridge=group:tenant");
    assert_eq!(kept(1010), "");
    let odd = Request { group_id: Some(""), trace_header: Some("\u{1}"), ..Request::default() };
    assert_eq!(ReturnAddress::read(&odd, &[]).unwrap(), ReturnAddress::default());
}

#[test]
fn only_a_last_pair_that_was_written_here_is_taken_off() {
    assert_eq!(split("a=b,bridge=to:team-a"), Some((Some("a=b"), named("team-a"))));
    assert_eq!(split("bridge=to:team-a;later:1"), Some((None, named("team-a"))));
    for foreign in [
        "",
        "a=b",
        "bridge=to:team-a,a=b",
        " bridge=to:team-a",
        "bridge=",
        "bridge=yes",
        "bridge=to:",
        "bridge=to:a b",
        "bridge=to:a%FFb",
        "bridge=to:a;to:b",
        "bridge=to:a;task:b",
        "bridge=group:",
        "bridge=callback:!",
    ] {
        assert_eq!(split(foreign), None, "{foreign}");
    }
}

#[test]
fn a_notification_tells_it_wherever_else_the_pair_may_stand() {
    let notification = json!({
        "invocationStatus": "Completed",
        "responseBody": {"content": "bridge=to:team-b.fifo"},
        "requestParameters": {"customAttributes": "a=\"b\",bridge=to:team-a", "endpointName": "e"},
    });
    assert_eq!(in_notification(&notification.to_string()), named("team-a"));
    let escaped = notification.to_string().replace('=', "\\u003d");
    assert_eq!(in_notification(&escaped), named("team-a"));
    for text in [
        "bridge=to:team-a",
        r#"{"customAttributes":"bridge=to:team-a"}"#,
        r#"{"requestParameters":{"customAttributes":["bridge=to:team-a"]}}"#,
        r#"{"requestParameters":{"endpointName":"bridge=to:team-a"}}"#,
        r#"{"requestParameters":{"customAttributes":"bridge=to:team-a,x"}}"#,
    ] {
        assert_eq!(in_notification(text), ReturnAddress::default(), "{text}");
    }
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn it_comes_back_as_it_was_and_so_do_the_callers_attributes(
        callers in prop::option::of("[ -~]{1,80}"),
        token in "[!-~]{1,200}",
        group in prop::option::of("[!-~]{1,128}"),
        trace in prop::option::of("[ -~]{1,100}"),
    ) {
        let callers = callers.filter(|callers| !pair::is_in(callers));
        let address = ReturnAddress {
            sent_timestamp: Some(1_700_000_000_000),
            pending: None,
            to: ReplyTo::Task(token.parse().unwrap()),
            group_id: group.map(|group| group.parse().unwrap()),
            trace_header: trace.map(|trace| trace.parse().unwrap()),
        };
        // Encoded, the three may be longer than SageMaker takes.
        if address.pair().len() <= 900 {
            let sent = sent(address.clone(), callers.as_deref()).unwrap();
            prop_assert!(sent.len() <= 1024 && !sent.ends_with(' '));
            prop_assert_eq!(split(&sent), Some((callers.as_deref(), address)));
        }
    }

    #[test]
    fn no_pair_makes_it_fail(text in "\\PC*", pair in "bridge=[a-z:;,%=]{0,30}") {
        let _ = split(&text);
        if let Some((_, address)) = split(&pair) {
            prop_assert_eq!(split(&address.pair()).map(|(_, address)| address).unwrap_or_default(), address);
        }
    }
}

#[test]
fn a_trace_is_found_by_its_root() {
    for (header, id) in
        [("Root=1-5;Parent=6;Sampled=1", Some("1-5")), ("Sampled=1; Root=1-5", Some("1-5")), ("Self=1", None)]
    {
        let header: TraceHeader = header.parse().unwrap();
        assert_eq!(header.trace_id(), id);
    }
}
