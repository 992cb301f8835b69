//! `submit` on what HTTP callers do after, around and instead of a POST: `GET /invocations/{token}` and what else
//! the routes have.

use sagemaker_async_bridge::config::SubmitConfig;
use sagemaker_async_bridge::submit::Submit;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{Aws, only_sqs};
use crate::bucket::Bucket;
use crate::{event, sample};

/// Where the mocked SageMaker says that outputs go.
pub const OUTPUT: &str = "s3://models-bucket/output/x.out";
pub const FAILURE: &str = "s3://models-bucket/failure/x";
const API: &str = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com";

pub fn handler(aws: &Aws, bucket: &Bucket, more: &[(&str, &str)]) -> Submit {
    let base = [
        ("BRIDGE_ENDPOINT_NAME", "summarizer"),
        ("BRIDGE_INPUT_LOCATION", "s3://models-bucket/input/"),
        ("BRIDGE_OUTPUT_LOCATIONS", "s3://models-bucket/output/,s3://models-bucket/failure/"),
        ("BRIDGE_IDEMPOTENCY_LOCATION", "s3://models-bucket/idempotency/"),
    ];
    let lookup = |name: &str| more.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
    Submit::with_clients(
        SubmitConfig::from_lookup(lookup).unwrap(),
        aws.sagemaker(),
        bucket.client(),
        &only_sqs(aws.sqs()),
    )
}

pub async fn answer(submit: &Submit, request: &Value) -> Value {
    serde_json::to_value(submit.handle(event(request)).await.unwrap()).unwrap()
}

/// A POST of `body` with these headers added.
pub fn post(body: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = sample("submit/http-api.json");
    request["body"] = json!(body);
    for (name, value) in headers {
        request["headers"][*name] = json!(value);
    }
    request
}

pub fn call(method: &str, path: &str) -> Value {
    let mut request = sample("submit/http-api-token.json");
    request["rawPath"] = json!(path);
    request["requestContext"]["http"]["method"] = json!(method);
    request
}

/// The path of the invocation that a POST made.
pub async fn accepted(submit: &Submit) -> String {
    let answer = answer(submit, &post("{}", &[])).await;
    assert_eq!((&answer["statusCode"], &answer["headers"]["retry-after"]), (&json!(202), &json!("2")));
    let location = answer["headers"]["location"].as_str().unwrap();
    location.strip_prefix(API).unwrap_or_else(|| panic!("{location}")).to_owned()
}

pub fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[tokio::test]
async fn an_invocation_is_in_progress_until_its_output_is_there() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let submit = handler(&aws, &bucket, &[]);
    let path = accepted(&submit).await;
    let running = answer(&submit, &call("GET", &path)).await;
    assert_eq!((&running["statusCode"], &running["headers"]["retry-after"]), (&json!(202), &json!("2")));
    assert_eq!(body(&running), json!({"InferenceId": "from-sagemaker", "Status": "InProgress"}));
    assert_eq!(bucket.calls(), [format!("GET {OUTPUT}"), format!("GET {FAILURE}")]);

    bucket.put(OUTPUT, b"{\"summary\": \"k\xc3\xa4se\"}", "application/json", Instant::now());
    let done = answer(&submit, &call("GET", &path)).await;
    assert_eq!((&done["statusCode"], &done["isBase64Encoded"]), (&json!(200), &json!(false)));
    assert_eq!(done["body"], "{\"summary\": \"käse\"}");
    assert_eq!(done["headers"]["content-type"], "application/json");
    assert_eq!(done["headers"]["x-amzn-sagemaker-inference-id"], "from-sagemaker");
    assert_eq!(done["headers"]["cache-control"], "no-store");
    assert_eq!(bucket.calls().len(), 3, "a finished invocation costs one request");
}

#[tokio::test]
async fn the_sample_token_names_the_sample_output() {
    let bucket = Bucket::default().with(OUTPUT, b"done", "text/plain");
    for event in ["submit/http-api-token.json", "submit/rest-api-token.json"] {
        let done = answer(&handler(&Aws::default(), &bucket, &[]), &sample(event)).await;
        assert_eq!((&done["statusCode"], &done["body"]), (&json!(200), &json!("done")));
        assert_eq!(done["headers"]["x-amzn-sagemaker-inference-id"], "order 4711");
    }
}

#[tokio::test]
async fn a_binary_output_goes_to_the_gateway_in_base64() {
    let bucket = Bucket::default().with(OUTPUT, b"\x89PNG\x00", "image/png");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    let done = answer(&submit, &call("GET", &path)).await;
    assert_eq!((&done["body"], &done["isBase64Encoded"]), (&json!("iVBORwA="), &json!(true)));
    assert_eq!(done["headers"]["content-type"], "image/png");
}

#[tokio::test]
async fn an_output_without_or_with_a_bad_content_type_has_a_safe_one() {
    for stored in ["", "json", "text/plain\r\nx: y"] {
        let bucket = Bucket::default().with(OUTPUT, b"x", stored);
        let submit = handler(&Aws::default(), &bucket, &[]);
        let path = accepted(&submit).await;
        let done = answer(&submit, &call("GET", &path)).await;
        assert_eq!(done["headers"]["content-type"], "application/octet-stream", "{stored}");
        assert_eq!(done["headers"]["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn an_output_that_no_answer_can_carry_is_redirected_to_and_never_read() {
    let bucket = Bucket::default().with_unreadable(OUTPUT, 200_000_000);
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    let mut urls = vec![];
    for method in ["GET", "HEAD"] {
        let redirect = answer(&submit, &call(method, &path)).await;
        assert_eq!((&redirect["statusCode"], &redirect["body"]), (&json!(303), &json!("")));
        let url = redirect["headers"]["location"].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://models-bucket.s3.us-east-1.amazonaws.com/output/x.out?"), "{url}");
        assert!(url.contains("X-Amz-Expires=300") && url.contains("X-Amz-Signature="), "{url}");
        urls.push(url);
    }
    let operation = |url: &str| url.contains("x-id=GetObject");
    assert!(operation(&urls[0]) && !operation(&urls[1]), "a presigned URL is for one method: {urls:?}");
}

#[tokio::test]
async fn an_output_that_only_escaping_makes_too_large_is_redirected_to() {
    let bucket = Bucket::default().with(OUTPUT, &vec![0xff; 5_000_000], "application/octet-stream");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 303);
    bucket.put(OUTPUT, &vec![b'x'; 6_000_000], "text/plain", Instant::now());
    assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 200);
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_invocation_left_under_the_same_filename_is_no_output_of_this_one() {
    for location in [OUTPUT, FAILURE] {
        let bucket = Bucket::default().with(location, b"stale", "text/plain");
        bucket.age(location, 5);
        let submit = handler(&Aws::default(), &bucket, &[]);
        let path = accepted(&submit).await;
        assert_eq!(answer(&submit, &call("GET", &path)).await["statusCode"], 202, "{location}");
        let waited = answer(&submit, &post("{}", &[("prefer", "wait=1")])).await;
        assert_eq!(waited["statusCode"], 202, "{location}");
        bucket.put(OUTPUT, b"fresh", "text/plain", Instant::now());
        assert_eq!(answer(&submit, &call("GET", &path)).await["body"], "fresh", "{location}");
    }
}

#[tokio::test]
async fn an_encoded_output_says_so() {
    let bucket = Bucket::default().with(OUTPUT, b"\x1f\x8b", "application/json");
    bucket.encode(OUTPUT, "gzip");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    assert_eq!(answer(&submit, &call("GET", &path)).await["headers"]["content-encoding"], "gzip");
}

#[tokio::test]
async fn a_failed_invocation_is_a_model_error_with_the_failure_output() {
    let bucket = Bucket::default().with(FAILURE, b"{\"error\": \"out of memory\"}", "application/json");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    let failed = answer(&submit, &call("GET", &path)).await;
    assert_eq!((&failed["statusCode"], &failed["headers"]["x-amzn-errortype"]), (&json!(424), &json!("ModelError")));
    assert_eq!(body(&failed), json!({"Message": "{\"error\": \"out of memory\"}"}));

    let bucket = Bucket::default().with_unreadable(FAILURE, 65_537);
    let submit = handler(&Aws::default(), &bucket, &[]);
    let large = answer(&submit, &call("GET", &path)).await;
    assert_eq!(large["statusCode"], 424);
    assert!(body(&large)["Message"].as_str().unwrap().contains(FAILURE));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let bucket = Bucket::default().with(OUTPUT, b"done", "text/plain");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    for path in [path.as_str(), "/invocations/x", "/invocations", "/nowhere"] {
        let (get, head) = (answer(&submit, &call("GET", path)).await, answer(&submit, &call("HEAD", path)).await);
        assert_eq!((&get["statusCode"], &get["headers"]), (&head["statusCode"], &head["headers"]), "{path}");
        assert_eq!(head["body"], "", "{path}");
        assert_ne!(get["body"], "", "{path}");
    }
}

#[tokio::test]
async fn a_token_that_this_bridge_did_not_give_is_not_found_and_costs_no_request() {
    let bucket = Bucket::default().with(OUTPUT, b"done", "text/plain");
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    let elsewhere = [("BRIDGE_OUTPUT_LOCATIONS", "s3://models-bucket/output/live/,s3://models-bucket/failure/")];
    let narrowed = handler(&Aws::default(), &bucket, &elsewhere);
    let unset = handler(&Aws::default(), &bucket, &[("BRIDGE_OUTPUT_LOCATIONS", "")]);
    let altered = path.replace("/invocations/", "/invocations/A");
    let truncated = path[..path.len() - 1].to_owned();
    let dots = "/invocations/../../input/secret".to_owned();
    for (submit, path) in [
        (&submit, &altered),
        (&submit, &truncated),
        (&submit, &"/invocations/".to_owned()),
        (&submit, &"/invocations/..".to_owned()),
        (&submit, &"/invocations/%2e%2e".to_owned()),
        (&submit, &dots),
        (&narrowed, &path),
        (&unset, &path),
    ] {
        let missing = answer(submit, &call("GET", path)).await;
        assert_eq!(missing["statusCode"], 404, "{path}");
        assert!(body(&missing)["Message"].is_string());
    }
    assert_eq!(bucket.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn an_output_that_is_not_read_here_has_no_location() {
    let elsewhere = [("BRIDGE_OUTPUT_LOCATIONS", "s3://other-bucket/")];
    let submit = handler(&Aws::default(), &Bucket::default(), &elsewhere);
    let answer = answer(&submit, &post("{}", &[("prefer", "wait=5")])).await;
    assert_eq!(answer["statusCode"], 202);
    for header in ["location", "retry-after", "preference-applied"] {
        assert_eq!(answer["headers"][header], Value::Null, "{header}");
    }
}

#[tokio::test]
async fn s3_denying_a_read_is_an_error_and_no_running_model() {
    let bucket = Bucket::default();
    let submit = handler(&Aws::default(), &bucket, &[]);
    let path = accepted(&submit).await;
    for (code, status) in [("AccessDenied", 500), ("SlowDown", 429), ("ServiceUnavailable", 503)] {
        bucket.deny(Some(code));
        let denied = answer(&submit, &call("GET", &path)).await;
        assert_eq!(denied["statusCode"], status, "{code}");
    }
}

#[tokio::test]
async fn the_location_is_where_callers_reach_the_api() {
    let (aws, bucket) = (Aws::default(), Bucket::default());
    let own = [("BRIDGE_API_URL", "https://api.example.com/models/")];
    for (more, path, base) in [
        (&[][..], "submit/http-api.json", API),
        (&own[..], "submit/http-api.json", "https://api.example.com/models"),
        (&[], "submit/rest-api.json", "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod"),
        (&[], "submit/function-url.json", "https://abc.lambda-url.eu-west-1.on.aws"),
    ] {
        let mut more = more.to_vec();
        more.push(("BRIDGE_ALLOWED_ENDPOINTS", "asr"));
        let answer = answer(&handler(&aws, &bucket, &more), &sample(path)).await;
        let location = answer["headers"]["location"].as_str().unwrap();
        assert!(location.starts_with(&format!("{base}/invocations/")), "{path}: {location}");
    }
}

#[tokio::test]
async fn each_route_says_which_methods_it_has() {
    let submit = handler(&Aws::default(), &Bucket::default(), &[]);
    for (path, allow) in [
        ("/invocations", "POST, OPTIONS"),
        ("/endpoints/summarizer/async-invocations", "POST, OPTIONS"),
        ("/uploads", "POST, OPTIONS"),
        ("/invocations/x", "GET, HEAD, OPTIONS"),
    ] {
        for (method, status) in [("DELETE", 405), ("PUT", 405), ("PATCH", 405), ("OPTIONS", 204)] {
            let answer = answer(&submit, &call(method, path)).await;
            assert_eq!((&answer["statusCode"], &answer["headers"]["allow"]), (&json!(status), &json!(allow)), "{path}");
        }
    }
    let cancel = answer(&submit, &call("DELETE", "/invocations/x")).await;
    assert!(body(&cancel)["Message"].as_str().unwrap().contains("no way to cancel"));
}
