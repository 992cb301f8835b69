//! Calls that never end, on tokio's paused clock: each holds only what it carries.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::aws::{Seen, lazy, only_sqs, remember};
use crate::{collect_result, http_client};

/// When calls were answered.
type Answered = Seen<Instant>;

/// Clients of services that answer every call but those that carry the word `hangs`.
fn clients(aws: &Aws, answered: &Answered) -> Clients {
    let answered = answered.clone();
    let answer = move |carried: String| {
        let answered = answered.clone();
        async move {
            if carried.contains("hangs") {
                std::future::pending::<()>().await;
            }
            remember(&answered, Instant::now());
            http_client::ok("{}")
        }
    };
    Clients {
        sfn: Arc::new(lazy(http_client::sfn(answer.clone()))),
        lambda: Arc::new(lazy(http_client::lambda(answer))),
        ..only_sqs(aws.sqs())
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_and_a_callback_whose_calls_hang_come_back_and_all_others_end_at_once() {
    let aws = collect_result::aws();
    let mut notifications = Vec::new();
    for n in 0..50 {
        let name = if n == 0 { "hangs" } else { "ends" };
        for kind in ["task", "callback"] {
            let address = format!("{kind}:{name}{n}");
            notifications.push(notification("completed.json", &address, &format!("{kind} {n}")));
        }
    }
    let (start, answered) = (Instant::now(), Answered::default());
    let back = returned(&aws, &clients(&aws, &answered), &[], &notifications).await;
    assert_eq!(back, ids(&["task 0", "callback 0"]));
    let answered = answered.lock().unwrap();
    assert_eq!((answered.len(), aws.sent().len()), (98, 0));
    let last = *answered.iter().max().unwrap() - start;
    assert!(last < Duration::from_secs(1), "{last:?}");
}
