//! An S3 that keeps what is put, checks the conditions of writes as S3 does, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectInput, GetObjectOutput};
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectInput, PutObjectOutput};
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::error::NoSuchKey;
use aws_smithy_mocks::{MockResponse, RuleMode, mock, mock_client};
use aws_smithy_types::DateTime;
use aws_smithy_types::error::ErrorMetadata;
use sagemaker_async_bridge::aws::Lazy;
use tokio::time::Instant;

/// An object, and from when on it is there.
#[derive(Clone)]
struct Object {
    bytes: Vec<u8>,
    content_type: Option<String>,
    version: usize,
    from: Instant,
    /// Larger than what is in `bytes`: such a body must not be read.
    length: Option<i64>,
    /// Seconds since 1970.
    modified: i64,
    encoding: Option<&'static str>,
}

/// How a PUT goes wrong.
#[derive(Clone, Copy)]
pub enum Mishap {
    /// It is written and answered, the answer is lost, and the SDK's second try meets what the first one wrote.
    AnswerLost,
    /// Another write is under way: nothing is written.
    Conflict,
    /// S3 fails.
    Fails,
    /// All is well, but it takes a second of the clock on the wall.
    TakesASecond,
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// After every acceptance of a test, also of one that comes after the object was put here: an older object is no output.
fn newest() -> i64 {
    now() + 3_600
}

#[derive(Clone, Default)]
pub struct Bucket {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    calls: Arc<Mutex<Vec<String>>>,
    denied: Arc<Mutex<Option<&'static str>>>,
    mishaps: Arc<Mutex<VecDeque<Option<Mishap>>>>,
}

impl Bucket {
    pub fn with(self, location: &str, bytes: &[u8], content_type: &str) -> Self {
        self.put(location, bytes, content_type, Instant::now());
        self
    }

    pub fn put(&self, location: &str, bytes: &[u8], content_type: &str, from: Instant) {
        let content_type = Some(content_type.to_owned()).filter(|text| !text.is_empty());
        let bytes = bytes.to_vec();
        let object = Object { bytes, content_type, version: 0, from, length: None, modified: newest(), encoding: None };
        self.objects.lock().unwrap().insert(location.to_owned(), object);
    }

    /// An object of which no byte can be read.
    pub fn with_unreadable(self, location: &str, length: i64) -> Self {
        self.put(location, b"", "text/plain", Instant::now());
        self.objects.lock().unwrap().get_mut(location).unwrap().length = Some(length);
        self
    }

    /// Makes an object so many seconds old.
    pub fn age(&self, location: &str, seconds: i64) {
        self.objects.lock().unwrap().get_mut(location).unwrap().modified = now() - seconds;
    }

    pub fn encode(&self, location: &str, encoding: &'static str) {
        self.objects.lock().unwrap().get_mut(location).unwrap().encoding = Some(encoding);
    }

    /// What becomes of the next PUTs; `None` is no mishap.
    pub fn next_puts(&self, mishaps: &[Option<Mishap>]) {
        *self.mishaps.lock().unwrap() = mishaps.iter().copied().collect();
    }

    /// Every call from now on is answered with this error code; `None` ends it.
    pub fn deny(&self, code: Option<&'static str>) {
        *self.denied.lock().unwrap() = code;
    }

    /// The calls so far: `GET s3://…`, `PUT s3://…`.
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    /// Location and text of each object under a prefix.
    pub fn texts(&self, prefix: &str) -> Vec<(String, String)> {
        let objects = self.objects.lock().unwrap();
        let under = objects.iter().filter(|(location, _)| location.starts_with(prefix));
        under.map(|(location, object)| (location.clone(), String::from_utf8(object.bytes.clone()).unwrap())).collect()
    }

    pub fn client(&self) -> Lazy<Client> {
        let (of_get, of_put) = (self.clone(), self.clone());
        let get = mock!(Client::get_object).then_compute_response(move |input| of_get.answer_get(input));
        let put = mock!(Client::put_object).then_compute_response(move |input| of_put.answer_put(input));
        // Presigning asks the rules too, and takes nothing of their answers.
        let head = mock!(Client::head_object).then_output(|| HeadObjectOutput::builder().build());
        let client = mock_client!(aws_sdk_s3, RuleMode::MatchAny, [&get, &put, &head], |config| {
            config.retry_config(aws_config::retry::RetryConfig::disabled())
        });
        LazyLock::new(Box::new(move || client))
    }

    fn note(&self, method: &str, bucket: Option<&str>, key: Option<&str>) -> (String, Option<ErrorMetadata>) {
        let location = format!("s3://{}/{}", bucket.unwrap(), key.unwrap());
        self.calls.lock().unwrap().push(format!("{method} {location}"));
        let denied = *self.denied.lock().unwrap();
        (location, denied.map(|code| ErrorMetadata::builder().code(code).build()))
    }

    fn answer_get(&self, input: &GetObjectInput) -> MockResponse<GetObjectOutput, GetObjectError> {
        let (location, denied) = self.note("GET", input.bucket(), input.key());
        if let Some(error) = denied {
            return MockResponse::Error(GetObjectError::generic(error));
        }
        let objects = self.objects.lock().unwrap();
        let Some(object) = objects.get(&location).filter(|object| object.from <= Instant::now()) else {
            return MockResponse::Error(GetObjectError::NoSuchKey(NoSuchKey::builder().build()));
        };
        let body = match object.length {
            Some(_) => ByteStream::new(SdkBody::taken()),
            None => ByteStream::from(object.bytes.clone()),
        };
        let length = object.length.unwrap_or_else(|| i64::try_from(object.bytes.len()).unwrap());
        MockResponse::Output(
            GetObjectOutput::builder()
                .body(body)
                .content_length(length)
                .e_tag(format!("\"{}\"", object.version))
                .set_content_type(object.content_type.clone())
                .set_content_encoding(object.encoding.map(str::to_owned))
                .last_modified(DateTime::from_secs(object.modified))
                .build(),
        )
    }

    fn answer_put(&self, input: &PutObjectInput) -> MockResponse<PutObjectOutput, PutObjectError> {
        let (location, denied) = self.note("PUT", input.bucket(), input.key());
        if let Some(error) = denied {
            return MockResponse::Error(PutObjectError::generic(error));
        }
        let refused = |code: &str| {
            let error = ErrorMetadata::builder().code(code).build();
            MockResponse::Error(PutObjectError::generic(error))
        };
        let mishap = self.mishaps.lock().unwrap().pop_front().flatten();
        match mishap {
            Some(Mishap::Conflict) => return refused("ConditionalRequestConflict"),
            Some(Mishap::Fails) => return refused("InternalError"),
            Some(Mishap::TakesASecond) => std::thread::sleep(Duration::from_secs(1)),
            Some(Mishap::AnswerLost) | None => {}
        }
        let mut objects = self.objects.lock().unwrap();
        let version = objects.get(&location).map(|object| object.version);
        let is_met = match (input.if_none_match(), input.if_match()) {
            (Some("*"), None) => version.is_none(),
            (None, Some(etag)) => version.is_some_and(|version| etag == format!("\"{version}\"")),
            (None, None) => true,
            conditions => panic!("{conditions:?}"),
        };
        if !is_met {
            return refused("PreconditionFailed");
        }
        let version = version.unwrap_or_default() + 1;
        let bytes = input.body().bytes().unwrap().to_vec();
        let content_type = input.content_type().map(str::to_owned);
        let from = Instant::now();
        let object = Object { bytes, content_type, version, from, length: None, modified: newest(), encoding: None };
        objects.insert(location, object);
        if matches!(mishap, Some(Mishap::AnswerLost)) {
            return refused("PreconditionFailed");
        }
        MockResponse::Output(PutObjectOutput::builder().e_tag(format!("\"{version}\"")).build())
    }
}
