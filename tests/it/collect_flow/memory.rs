//! The outputs that a batch may hold in memory.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::Frame;
use sagemaker_async_bridge::collect::Collect;
use tokio::time::Instant;

use super::{FETCH, batch, hundred, queue, set};
use crate::aws::only_sqs;
use crate::results_queue::ResultsQueue;
use crate::submit_sqs::failures;
use crate::{collect_result, event, http_client};

const LARGE: [(&str, &str); 1] = [("BRIDGE_RESULT_BODY_LIMIT_BYTES", "1000000")];

#[tokio::test(start_paused = true)]
async fn while_calls_hang_no_more_outputs_are_fetched_than_memory_has_room_for() {
    let queue = ResultsQueue { hanging_calls: 100, ..queue() };
    let fetched = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetched);
    let s3 = http_client::s3(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { http_client::ok("x".repeat(1_000_000)) }
    });
    let collect = Collect::with_clients(collect_result::config(&LARGE), s3, &only_sqs(queue.client()));
    let batch = event(&batch(&["n"; 50]));
    let after = async |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        (queue.under_way().len(), fetched.load(Ordering::SeqCst))
    };
    let (_, at_first, at_last) = tokio::join!(collect.handle(batch), after(1), after(30));
    // 8 MiB hold eight outputs of a megabyte.
    assert_eq!(at_first, (5, 5 + 8), "calls of 4 MiB and the one that passes them");
    assert_eq!(at_last, (13, 13 + 8), "those that hang are passed over, until they hold 12 MiB");
}

#[tokio::test(start_paused = true)]
async fn a_small_output_takes_no_more_room_than_it_needs() {
    let queue = ResultsQueue { latency: Duration::from_secs(5), ..queue() };
    let s3 = http_client::s3(async |_| {
        tokio::time::sleep(FETCH).await;
        http_client::ok("{}")
    });
    let collect = Collect::with_clients(collect_result::config(&LARGE), s3, &only_sqs(queue.client()));
    let start = Instant::now();
    collect.handle(event(&batch(&["n"; 100]))).await.unwrap();
    assert_eq!(queue.taken().len(), 100);
    assert!(start.elapsed() < Duration::from_secs(6), "all calls are under way at once: {:?}", start.elapsed());
}

/// A body of which no byte comes.
struct Stalled;

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn outputs_that_stall_after_their_headers_give_their_room_to_others() {
    let s3 = http_client::s3(async |url: String| {
        if !url.contains("stalls") {
            return http_client::ok("{}");
        }
        let mut response = http_client::ok("");
        *response.body_mut() = SdkBody::from_body_1_x(Stalled);
        response.headers_mut().insert("content-length", "1000000");
        response
    });
    let (start, queue) = (Instant::now(), queue());
    let collect = Collect::with_clients(collect_result::config(&LARGE), s3, &only_sqs(queue.client()));
    let stalls: Vec<String> = (0..9).map(|n| format!("stalls{n}")).collect();
    let stalls: Vec<&str> = stalls.iter().map(String::as_str).collect();
    let answer = collect.handle(event(&hundred(&stalls))).await.unwrap();
    let back: BTreeSet<String> = failures(&serde_json::to_value(answer).unwrap()).into_iter().collect();
    assert_eq!(back, set(&stalls));
    let taken = queue.taken();
    assert_eq!(taken.len(), 91);
    assert!(taken[90].0 - start < Duration::from_secs(11), "{:?}", taken[90].0 - start);
}
