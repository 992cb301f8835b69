use super::*;

/// 2026-11-26T09:11:30Z.
const HALF_PAST: u64 = 1_795_684_290;

fn key(last_moment: u64) -> PendingKey {
    PendingKey::new(last_moment).unwrap()
}

#[test]
fn a_key_begins_with_the_first_minute_that_has_not_begun_when_the_last_moment_is_over() {
    for (last_moment, minute) in [
        (HALF_PAST, "20261126T0912Z-"),
        (HALF_PAST + 29, "20261126T0912Z-"),
        (HALF_PAST + 30, "20261126T0912Z-"),
        (HALF_PAST + 31, "20261126T0913Z-"),
    ] {
        let key = key(last_moment);
        assert!(key.as_str().starts_with(minute), "{last_moment}: {key}");
        assert_eq!(key.as_str().parse(), Ok(key.clone()));
        assert!(!key.is_overdue(last_moment - 1) && key.is_overdue(last_moment + 60), "{key}");
    }
    assert_eq!(key(HALF_PAST).overdue_since(), "2026-11-26T09:12:00.000Z");
    assert_ne!(key(HALF_PAST), key(HALF_PAST));
}

#[test]
fn keys_sort_by_the_minute_and_what_was_given_up_behind_them() {
    let location: S3Prefix = "s3://bucket/pending".parse().unwrap();
    let (sooner, later) = (key(HALF_PAST), key(HALF_PAST + 60));
    assert!(sooner < later);
    let last = record_at(&location, &key(253_402_300_000)).unwrap();
    assert!(last.key() < given_up_at(&location, &sooner).unwrap().key());
    for (name, expected) in [("0", true), (later.as_str(), false), ("unanswered/", false), ("20261126T0912", true)] {
        assert_eq!(comes_no_later(name, HALF_PAST + 30), expected, "{name}");
    }
}

#[test]
fn what_is_no_key_is_not_taken_for_one() {
    let good = key(HALF_PAST).to_string();
    let wrong = [
        String::new(),
        good.to_uppercase().replace('Z', "z"),
        good.replace('-', "/"),
        good.replace('T', "t"),
        format!("{good}0"),
        good[..good.len() - 1].to_owned(),
        format!("../{}", &good[3..]),
        format!("unanswered/{good}"),
        good.replace("2026", "２"),
    ];
    for text in wrong {
        assert_eq!(text.parse::<PendingKey>(), Err(InvalidKey), "{text}");
    }
}

#[test]
fn an_answer_is_overdue_after_ttl_and_timeout_or_what_sagemaker_takes_for_them() {
    assert_eq!(last_moment(1_000, None, None), 1_000 + 21_600 + 900);
    assert_eq!(last_moment(1_000, Some(60), Some(1)), 1_061);
}

#[test]
fn a_time_always_has_milliseconds() {
    assert_eq!(timestamp(HALF_PAST * 1_000), "2026-11-26T09:11:30.000Z");
    assert_eq!(timestamp(HALF_PAST * 1_000 + 50), "2026-11-26T09:11:30.050Z");
}
