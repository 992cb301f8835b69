//! SageMaker's words for an endpoint that can serve nobody. It calls that a `ValidationError`, as it calls a bad request, but whoever
//! runs the endpoint has to fix it, and then the same request succeeds.
//!
//! No page of AWS lists these words. The table holds what has been published; any other `ValidationError` stays the caller's.
//! InvokeEndpointAsync takes no variant, so there are no words for a variant that is missing.

/// The words, and what they mean for a caller. `*` stands for one word, `…` for whatever follows. The words have to begin the
/// message: further on, SageMaker may repeat what a caller wrote, and no caller must be able to make a bad request look like this.
const ENDPOINT_WORDS: [(&str, &str); 4] = [
    // Also said while an endpoint is being created, or under a name with other capital letters.
    // <https://github.com/aws/amazon-sagemaker-examples/issues/293>, 559 and 1477 there
    ("Endpoint * of account * not found.", "the endpoint does not exist, or is not in service"),
    // <https://github.com/strands-agents/harness-sdk/issues/1969>, of a synchronous call to an asynchronous endpoint
    ("Endpoint * does not support this inference type.", "the endpoint is not asynchronous"),
    // <https://aws.amazon.com/blogs/machine-learning/unlock-cost-savings-with-the-new-scale-down-to-zero-feature-in-amazon-sagemaker-inference/>
    ("Inference Component has no capacity to process this request. …", "the endpoint has no instances"),
    // <https://github.com/aws-samples/amazon-kendra-langchain-extensions/issues/64>
    (
        "Inference Component Name header is required for …",
        "the endpoint serves inference components, which an asynchronous invocation cannot name",
    ),
];

/// What is wrong with the endpoint, if that is what SageMaker's message speaks of.
pub(super) fn endpoint_problem(message: &str) -> Option<&'static str> {
    ENDPOINT_WORDS.iter().find(|(words, _)| matches_words(message, words)).map(|(_, problem)| *problem)
}

/// Whether a message says these words, without looking at capitals and full stops.
fn matches_words(message: &str, words: &str) -> bool {
    let mut message_words = message.split_ascii_whitespace();
    for expected in words.split(' ') {
        match (expected, message_words.next()) {
            ("…", _) => return true,
            ("*", Some(_)) => {}
            (expected, Some(word)) if without_full_stop(expected).eq_ignore_ascii_case(without_full_stop(word)) => {}
            _ => return false,
        }
    }
    message_words.next().is_none()
}

fn without_full_stop(word: &str) -> &str {
    word.trim_end_matches('.')
}
