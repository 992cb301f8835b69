use std::time::Duration;

use super::*;
use crate::invocation::Parameters;

fn invocation(body: Option<usize>, ttl: u64) -> Invocation {
    Invocation {
        region: "us-east-1".to_owned(),
        endpoint_name: "demo".to_owned(),
        inference_id: "i".to_owned(),
        parameters: Parameters { request_ttl: Some(Duration::from_secs(ttl)), ..Parameters::default() },
        body: body.map(|bytes| Bytes::from(vec![0; bytes])),
        received: SystemTime::now(),
        output_location: "s3://bucket/x".parse().ok(),
        failure_location: None,
        draw: Arc::default(),
    }
}

fn ledger() -> Ledger {
    Ledger::new(Limits { waiting: 3, waiting_bytes: 100, ended: 2, ended_bytes: 50 })
}

fn completed() -> Ending {
    Ending { status: Status::Completed, reason: None, has_output: true }
}

#[test]
fn invocations_start_in_the_order_in_which_they_came() {
    let (mut ledger, now) = (ledger(), Instant::now());
    for expected in 1..=3 {
        assert_eq!(ledger.enqueue(invocation(Some(1), 60), now), Ok(expected));
    }
    let started: Vec<_> = std::iter::from_fn(|| ledger.start()).map(|record| record.number).collect();
    assert_eq!((started, ledger.waiting(), ledger.running()), (vec![1, 2, 3], 0, 3));
}

#[test]
fn a_queue_is_full_by_number_and_by_bytes() {
    let (mut ledger, now) = (ledger(), Instant::now());
    assert_eq!(ledger.enqueue(invocation(Some(60), 60), now), Ok(1));
    assert_eq!(ledger.enqueue(invocation(Some(60), 60), now), Err(QueueFull));
    for _ in 0..2 {
        assert!(ledger.enqueue(invocation(None, 60), now).is_ok());
    }
    assert_eq!(ledger.enqueue(invocation(None, 60), now), Err(QueueFull));
    ledger.start();
    assert!(ledger.enqueue(invocation(Some(60), 60), now).is_ok());
}

#[test]
fn what_waits_too_long_expires_and_the_rest_stays() {
    let (mut ledger, now) = (ledger(), Instant::now());
    ledger.enqueue(invocation(None, 100), now).unwrap();
    ledger.enqueue(invocation(Some(1), 60), now).unwrap();
    assert_eq!(ledger.next_deadline(), Some(now + Duration::from_secs(60)));
    assert!(ledger.expire(now + Duration::from_secs(59)).is_none());
    let expired = ledger.expire(now + Duration::from_secs(60)).unwrap();
    assert_eq!((expired.number, expired.status), (2, Status::Expired));
    assert_eq!((ledger.waiting(), ledger.running(), ledger.totals.expired_requests), (1, 0, 1));
    assert_eq!(ledger.start().unwrap().number, 1);
    assert_eq!(ledger.next_deadline(), None);
}

#[test]
fn the_ended_are_forgotten_beyond_a_number_and_their_payloads_beyond_a_size() {
    let (mut ledger, now) = (ledger(), Instant::now());
    for bytes in [30, 30, 10] {
        let number = ledger.enqueue(invocation(Some(bytes), 60), now).unwrap();
        ledger.start();
        ledger.end(number, completed());
    }
    assert!(ledger.get(1).is_none());
    let kept: Vec<_> = ledger.newest_first().map(|record| (record.number, record.can_retry())).collect();
    assert_eq!(kept, [(3, true), (2, true)]);
    let number = ledger.enqueue(invocation(Some(45), 60), now).unwrap();
    ledger.start();
    ledger.end(number, completed());
    let kept: Vec<_> = ledger.newest_first().map(|record| (record.number, record.can_retry())).collect();
    assert_eq!(kept, [(4, true), (3, false)]);
    assert_eq!((ledger.kept_bytes, ledger.totals.completed, ledger.totals.processed), (45, 4, 4));
}

#[test]
fn clearing_the_queue_leaves_what_runs() {
    let (mut ledger, now) = (ledger(), Instant::now());
    ledger.enqueue(invocation(None, 60), now).unwrap();
    ledger.start();
    ledger.enqueue(invocation(Some(10), 60), now).unwrap();
    assert_eq!((ledger.clear_queue(), ledger.waiting(), ledger.running()), (1, 0, 1));
    assert_eq!((ledger.next_deadline(), ledger.waiting_bytes), (None, 0));
}

#[test]
fn one_of_an_earlier_run_keeps_its_number_and_the_time_that_it_has_waited() {
    let (mut ledger, now) = (Ledger::new(Limits { waiting: 0, ..Limits::default() }), Instant::now());
    let waited = |seconds| {
        let received = SystemTime::now() - Duration::from_secs(seconds);
        Invocation { received, ..invocation(Some(1), 3_600) }
    };
    ledger.restore(7, waited(3_601), now);
    ledger.restore(9, waited(1_800), now);
    assert_eq!((ledger.expire(now).map(|record| record.number), ledger.expire(now).is_none()), (Some(7), true));
    assert!(ledger.next_deadline().unwrap() <= now + Duration::from_secs(1_800));
    assert_eq!((ledger.waiting(), ledger.not_notified()), (1, 1));
    ledger.notified();
    assert_eq!((ledger.start().unwrap().number, ledger.not_notified()), (9, 0));
}

#[test]
fn one_that_is_withdrawn_leaves_nothing() {
    let mut ledger = ledger();
    let number = ledger.enqueue(invocation(Some(1), 60), Instant::now()).unwrap();
    ledger.withdraw(number);
    assert!(ledger.get(number).is_none() && ledger.next_deadline().is_none() && ledger.start().is_none());
}
