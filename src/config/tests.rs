use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;

type Pairs<'a> = &'a [(&'a str, &'a str)];

const SUBMIT: Pairs = &[(ENDPOINT_NAME, "summarizer"), (INPUT_LOCATION, "s3://bucket/input/")];
const COLLECT: Pairs = &[(RESULTS_QUEUE_URL, "https://sqs.eu-west-1.amazonaws.com/123456789012/results")];

fn lookup<'a>(base: Pairs<'a>, more: Pairs<'a>) -> impl Fn(&str) -> Option<String> {
    move |name| more.iter().chain(base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

fn submit(more: Pairs<'_>) -> Result<SubmitConfig, ConfigErrors> {
    SubmitConfig::from_lookup(lookup(SUBMIT, more))
}

fn collect(more: Pairs<'_>) -> Result<CollectConfig, ConfigErrors> {
    CollectConfig::from_lookup(lookup(COLLECT, more))
}

#[test]
fn only_the_required_variables_are_needed() {
    let config = submit(&[]).unwrap();
    assert_eq!(config.allowed_endpoints, vec![config.endpoint_name.clone()]);
    assert_eq!(config.allowed_input_locations, vec![config.input_location.clone()]);
    assert_eq!(config.upload_location.to_string(), "s3://bucket/input/uploads/");
    assert_eq!(config.inline_limit_bytes, 128_000);
    assert_eq!(config.content_type.as_str(), "application/json");
    assert_eq!((config.request_ttl_seconds, config.invocation_timeout_seconds), (None, None));
    assert_eq!((config.max_concurrency.get(), config.max_wait_seconds), (64, 20));
    assert!(config.output_locations.is_empty() && config.results_queue_url.is_none());
    assert_eq!(config.idempotency_location, Some("s3://bucket/idempotency/".parse().unwrap()));
    assert!(config.api_url.is_none() && !config.deduplicate && config.dead_letter_queue_url.is_none());

    let config = collect(&[]).unwrap();
    assert_eq!(config.result_format, ResultFormat::Notification);
    assert_eq!((config.result_body_limit_bytes, config.max_concurrency.get()), (262_144, 64));
    assert_eq!(config.allowed_endpoints, None);
}

#[test]
fn uploads_may_always_be_named_as_input() {
    let config = submit(&[(ALLOWED_INPUT_LOCATIONS, "s3://other/a/")]).unwrap();
    assert_eq!(config.allowed_input_locations, vec!["s3://other/a/".parse().unwrap(), config.upload_location]);
}

#[test]
fn records_are_never_kept_where_callers_can_name_locations() {
    for more in
        [(INPUT_LOCATION, "s3://bucket/"), (OUTPUT_LOCATIONS, "s3://bucket/"), (ALLOWED_INPUT_LOCATIONS, "s3://bucket")]
    {
        assert_eq!(submit(&[more]).unwrap().idempotency_location, None, "{more:?}");
    }
}

#[test]
fn a_bad_value_is_refused_by_name_with_what_is_allowed() {
    let cases: [(Pairs, &str); 24] = [
        (&[(ENDPOINT_NAME, "-x")], "BRIDGE_ENDPOINT_NAME: must be"),
        (&[(ALLOWED_ENDPOINTS, "a,b_c")], "BRIDGE_ALLOWED_ENDPOINTS: `b_c` must be"),
        (&[(INPUT_LOCATION, "bucket/input")], "BRIDGE_INPUT_LOCATION: must be s3://"),
        (&[(ALLOWED_INPUT_LOCATIONS, "s3://bucket/a, https://x")], "BRIDGE_ALLOWED_INPUT_LOCATIONS: `https://x` must"),
        (&[(INLINE_LIMIT, "128001")], "BRIDGE_INLINE_LIMIT_BYTES: must be a whole number from 0 to 128000"),
        (&[(CONTENT_TYPE, "text/plain\n")], ""),
        (&[(CONTENT_TYPE, "käse")], "BRIDGE_CONTENT_TYPE: must be"),
        (&[(REQUEST_TTL, "59")], "BRIDGE_REQUEST_TTL_SECONDS: must be a whole number from 60 to 21600"),
        (&[(INVOCATION_TIMEOUT, "1h")], "BRIDGE_INVOCATION_TIMEOUT_SECONDS: must be a whole number from 1 to 3600"),
        (&[(MAX_CONCURRENCY, "0")], "BRIDGE_MAX_CONCURRENCY: must be a whole number from 1 to 1000"),
        (&[(MAX_WAIT, "29")], "BRIDGE_MAX_WAIT_SECONDS: must be a whole number from 0 to 28"),
        (&[(OUTPUT_LOCATIONS, "/out")], "BRIDGE_OUTPUT_LOCATIONS: `/out` must be s3://"),
        (&[(OUTPUT_LOCATIONS, ", ,")], "BRIDGE_OUTPUT_LOCATIONS: must name at least one item"),
        (&[(INPUT_LOCATION, "s3://bucket/a/../b")], "BRIDGE_INPUT_LOCATION: must have no `.` or `..` segment"),
        (&[(API_URL, "api.example.com")], "BRIDGE_API_URL: must be a URL"),
        (&[(API_URL, "https://api.example.com/?stage=x")], "BRIDGE_API_URL: must be a URL without query"),
        (&[(DEDUPLICATE, "yes")], "BRIDGE_DEDUPLICATE: must be `true` or `false`"),
        (&[(S3_EVENT_QUEUE_ARN, "https://x/1/q")], "BRIDGE_S3_EVENT_QUEUE_ARN: must be the ARN of an SQS queue"),
        (&[(DEAD_LETTER_QUEUE_URL, "dead-letters")], "BRIDGE_DEAD_LETTER_QUEUE_URL: must be the URL"),
        (
            &[(DEAD_LETTER_QUEUE_URL, "https://x/1/q"), (RESULTS_QUEUE_URL, "https://x/1/q")],
            "BRIDGE_DEAD_LETTER_QUEUE_URL: must not be the same queue as BRIDGE_RESULTS_QUEUE_URL",
        ),
        (&[(INPUT_LOCATION, "s3://bucket/")], ""),
        (
            &[(OUTPUT_LOCATIONS, "s3://bucket/"), (DEDUPLICATE, "true")],
            "BRIDGE_DEDUPLICATE: needs BRIDGE_IDEMPOTENCY_LOCATION",
        ),
        (&[(IDEMPOTENCY_LOCATION, "s3://bucket/input/records/")], "BRIDGE_IDEMPOTENCY_LOCATION: must not overlap"),
        (&[(IDEMPOTENCY_LOCATION, "s3://other/records")], ""),
    ];
    for (more, expected) in cases {
        match submit(more) {
            Err(errors) => assert!(!expected.is_empty() && errors.to_string().contains(expected), "{errors}"),
            Ok(_) => assert_eq!(expected, "", "{more:?} was taken"),
        }
    }
    let cases: [(Pairs, &str); 6] = [
        (&[(ALLOWED_ENDPOINTS, "summarizer,-asr")], "BRIDGE_ALLOWED_ENDPOINTS: `-asr` must be"),
        (&[(RESULTS_QUEUE_URL, "results")], "BRIDGE_RESULTS_QUEUE_URL: must be the URL"),
        (&[(RESULT_BODY_LIMIT, "1000001")], "BRIDGE_RESULT_BODY_LIMIT_BYTES: must be a whole number from 0 to 1000000"),
        (&[(RESULT_FORMAT, "json")], "BRIDGE_RESULT_FORMAT: must be `notification` or `raw`"),
        (&[(RESULT_FORMAT, "raw")], "BRIDGE_RESULT_LOCATION: is required"),
        (&[(RESULT_LOCATION, "x")], "BRIDGE_RESULT_LOCATION: must be s3://"),
    ];
    for (more, expected) in cases {
        let errors = collect(more).expect_err(expected).to_string();
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let errors = SubmitConfig::from_lookup(lookup(&[], &[(MAX_WAIT, "x"), (REQUEST_TTL, "1")])).unwrap_err();
    for name in [ENDPOINT_NAME, INPUT_LOCATION, MAX_WAIT, REQUEST_TTL] {
        assert!(errors.to_string().contains(name), "{errors}");
    }
    assert_eq!(format!("{errors:?}"), errors.to_string());
}

#[test]
fn a_queue_is_known_by_its_arn() {
    let url: QueueUrl = "https://sqs.eu-west-1.amazonaws.com/123456789012/requests".parse().unwrap();
    assert!(url.is_of_arn("arn:aws:sqs:eu-west-1:123456789012:requests"));
    for other in
        ["arn:aws:sqs:eu-west-1:123456789012:quests", "arn:aws:sqs:eu-west-1:210987654321:requests", "requests", ""]
    {
        assert!(!url.is_of_arn(other), "{other}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let config = submit(&[(ALLOWED_ENDPOINTS, " "), (RESULTS_QUEUE_URL, ""), (REQUEST_TTL, "")]).unwrap();
    assert_eq!(config.allowed_endpoints, vec![config.endpoint_name.clone()]);
    assert!(config.results_queue_url.is_none() && config.request_ttl_seconds.is_none());
}

#[test]
fn collect_passes_on_only_what_is_listed_and_an_empty_list_is_none() {
    let listed = collect(&[(ALLOWED_ENDPOINTS, "summarizer, asr")]).unwrap().allowed_endpoints;
    assert_eq!(listed, Some(vec!["summarizer".parse().unwrap(), "asr".parse().unwrap()]));
    assert_eq!(collect(&[(ALLOWED_ENDPOINTS, "")]).unwrap().allowed_endpoints, None);
}

fn routes(arns: &str) -> Result<Vec<Route>, ConfigErrors> {
    let region = ("AWS_REGION", "eu-west-1");
    let of_collect = collect(&[(REPLY_TO_ARNS, arns), region]).map(|config| config.reply_to);
    let of_submit = submit(&[(REPLY_TO_ARNS, arns), region]).map(|config| config.reply_to);
    assert_eq!(of_collect.as_ref().ok(), of_submit.as_ref().ok());
    of_collect
}

#[test]
fn a_route_has_its_resources_name() {
    let arns = "arn:aws:sqs:eu-west-1:1:team-a, arn:aws:sqs:eu-west-1:2:team-b.fifo";
    let named: Vec<_> = routes(arns).unwrap().into_iter().map(|route| (route.name, route.target)).collect();
    let queue = |url: &str| Target::Queue(url.parse().unwrap());
    let expected = [
        ("team-a".parse().unwrap(), queue("https://sqs.eu-west-1.amazonaws.com/1/team-a")),
        ("team-b.fifo".parse().unwrap(), queue("https://sqs.eu-west-1.amazonaws.com/2/team-b.fifo")),
    ];
    assert_eq!(named, expected);
    assert_eq!(routes("").unwrap(), []);
    let arns = "arn:aws:sns:eu-west-1:1:t.fifo,arn:aws:events:eu-west-1:1:event-bus/default,arn:aws:sqs:eu-west-1:1:q";
    let names: Vec<_> = routes(arns).unwrap().into_iter().map(|route| route.name.as_str().to_owned()).collect();
    assert_eq!(names, ["t.fifo", "default", "q"]);
    let of = |arn: &str| arn.parse::<Route>().unwrap();
    let china = queue("https://sqs.cn-north-1.amazonaws.com.cn/1/q");
    assert_eq!(of("arn:aws-cn:sqs:cn-north-1:1:q").target, china);
    assert_eq!(of("arn:aws:sns:eu-west-1:1:t").target, Target::Topic("arn:aws:sns:eu-west-1:1:t".to_owned()));
    let bus = "arn:aws:events:eu-west-1:1:event-bus/team/a";
    assert_eq!((of(bus).name.as_str(), of(bus).target), ("team/a", Target::EventBus(bus.to_owned())));
}

#[test]
fn routes_that_a_request_could_not_tell_apart_or_that_are_none_are_refused() {
    for (arns, problem) in [
        ("arn:aws:sqs:eu-west-1:1:a,arn:aws:sqs:eu-west-1:2:a", "`a` is the name of two of them"),
        ("arn:aws:sqs:eu-west-1:1:none", "`none` is reserved"),
        ("arn:aws:sqs:us-east-1:1:a", "`a` must be in this function's region, eu-west-1; it is in us-east-1"),
        ("arn:aws:sqs:eu-west-1:1:", "must be the ARN of"),
        ("arn:aws:sqs::1:a", "must be the ARN of"),
        ("arn:aws:s3:eu-west-1:1:a", "must be the ARN of"),
        ("arn:aws:events:eu-west-1:1:rule/a", "must be the ARN of"),
        ("https://sqs.eu-west-1.amazonaws.com/1/a", "must be the ARN of"),
        ("team-a", "must be the ARN of"),
    ] {
        let errors = routes(arns).unwrap_err().to_string();
        assert!(errors.contains(REPLY_TO_ARNS) && errors.contains(problem), "{arns}: {errors}");
    }
}

#[test]
fn the_table_of_variables_is_what_the_functions_read() {
    for (function, base) in [("submit", SUBMIT), ("collect", COLLECT)] {
        let read = RefCell::new(BTreeSet::new());
        let spy = |name: &str| {
            read.borrow_mut().insert(name.to_owned());
            lookup(base, &[(RESULT_FORMAT, "raw")])(name)
        };
        let _ = if function == "submit" {
            SubmitConfig::from_lookup(spy).map(drop)
        } else {
            CollectConfig::from_lookup(spy).map(drop)
        };
        let listed: BTreeSet<String> = VARIABLES
            .iter()
            .filter(|(_, reader, _)| *reader == function || *reader == "both")
            .map(|(name, ..)| (*name).to_owned())
            .collect();
        assert_eq!(read.into_inner(), listed, "{function}");
    }
}
