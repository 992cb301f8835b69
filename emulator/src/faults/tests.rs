use serde_json::json;

use super::*;

fn faults(seed: u64) -> Faults {
    let rules =
        json!({"throttling": 0.3, "lost-notification": 0.1, "latency-p50-seconds": 0.1, "latency-p99-seconds": 1});
    let plan = json!({"seed": seed, "all": rules});
    Faults::new(serde_json::from_value(plan).unwrap())
}

/// What a run of calls meets, by inference id.
fn run(faults: &Faults, ids: impl Iterator<Item = u32>) -> BTreeMap<u32, (bool, bool, Duration)> {
    let met = |draw: Draw| (draw.meets(Fault::Throttling), draw.meets(Fault::LostNotification), draw.latency());
    ids.map(|id| (id, met(faults.draw("demo", Some(&id.to_string()))))).collect()
}

#[test]
fn the_same_seed_gives_the_same_faults_twice_in_whatever_order_the_calls_come() {
    let first = run(&faults(7), 0..1000);
    assert_eq!(run(&faults(7), 0..1000), first);
    assert_eq!(run(&faults(7), (0..1000).rev()), first);
    assert_ne!(run(&faults(8), 0..1000), first);
    let throttled = first.values().filter(|(throttled, ..)| *throttled).count();
    assert!((250..350).contains(&throttled), "{throttled}");
}

#[test]
fn a_call_without_inference_id_is_told_by_its_number() {
    let numbers =
        |faults: &Faults| (0..500).map(|_| faults.draw("demo", None).meets(Fault::Throttling)).collect::<Vec<_>>();
    assert_eq!(numbers(&faults(7)), numbers(&faults(7)));
}

#[test]
fn a_retry_draws_anew_and_endpoints_and_faults_are_decided_apart() {
    let faults = faults(7);
    let draw = |endpoint: &str| faults.draw(endpoint, Some("i"));
    let (first, second, other) = (draw("demo"), draw("demo"), draw("other"));
    assert!(first != second && first != other && second != other);
    assert_ne!(first.fraction(Fault::Throttling.name()), first.fraction(Fault::LostNotification.name()));
}

#[test]
fn a_new_plan_begins_from_the_start_again() {
    let faults = faults(7);
    let first = run(&faults, 0..100);
    assert_ne!(run(&faults, 0..100), first);
    faults.count(Fault::Throttling);
    faults.replace(faults.report().0);
    assert_eq!((run(&faults, 0..100), faults.report().1.len()), (first, 0));
}

#[test]
fn an_endpoints_own_rules_stand_in_for_those_of_all() {
    let faults = faults(7);
    faults.replace_endpoint("quiet", Some(Rules::default()));
    assert!((0..200).all(|_| !faults.draw("quiet", None).meets(Fault::Throttling)));
    faults.replace_endpoint("quiet", None);
    assert!((0..200).any(|_| faults.draw("quiet", None).meets(Fault::Throttling)));
}

#[test]
fn latencies_follow_the_quantiles() {
    let rules: Rules = serde_json::from_value(json!({"latency-p50-seconds": 0.1, "latency-p99-seconds": 1.1})).unwrap();
    let at = |at: f64| rules.latency(at).as_secs_f64();
    let near = |actual: f64, expected: f64| assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
    near(at(0.0), 0.0);
    near(at(0.5), 0.1);
    near(at(0.745), 0.6);
    near(at(0.999), 1.1);
    assert_eq!(Rules::default().latency(0.999), Duration::ZERO);
}

#[test]
fn a_bad_plan_says_what_is_allowed() {
    for (plan, expected) in [
        (json!({"all": {"throttling": 1.5}}), "from 0 to 1"),
        (json!({"all": {"throtling": 0.5}}), "unknown field `throtling`"),
        (json!({"endpoints": {"a": {"delay-seconds": -1}}}), "from 0 to 86400"),
        (json!({"sed": 1}), "unknown field `sed`"),
    ] {
        let error = serde_json::from_value::<FaultPlan>(plan).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} / {expected}");
    }
}

#[test]
fn the_ids_that_are_remembered_are_bounded() {
    let faults = Faults::default();
    for id in 0..REMEMBERED_IDS + 10 {
        let _ = faults.draw("demo", Some(&id.to_string()));
    }
    faults.with(|state| assert_eq!(state.calls["demo"].by_id.len(), REMEMBERED_IDS));
}
