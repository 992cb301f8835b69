//! What capacity a policy asks for. Arithmetic alone.
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html>,
//! <https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html>

use serde::{Deserialize, Serialize};

/// Of SageMaker's variants, where a policy says nothing.
pub(super) const DEFAULT_COOLDOWN_SECONDS: u32 = 300;

/// `AdjustmentType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Adjustment {
    Change,
    Percent,
    Exact,
}

/// `StepAdjustment`: bounds are distances of the metric from the alarm's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) lower: Option<f64>,
    pub(super) upper: Option<f64>,
    pub(super) adjustment: i32,
}

/// The time after a scaling activity in which its policy holds back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cooldown {
    /// Scaled seconds.
    pub(super) until: f64,
    pub(super) is_out: bool,
    /// The capacity before that activity.
    pub(super) base: u32,
}

/// What a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WantedCapacity {
    pub(super) wanted: u32,
    pub(super) is_tracking: bool,
}

/// Target tracking: the capacity at which the metric, shared among it, would be at the target. Rounded up, so that it is not above.
pub(super) fn tracked(current: u32, metric: f64, target: f64) -> u32 {
    // A metric by instance is that of one where there is none.
    let wanted = f64::from(current.max(1)) * metric / target;
    whole((wanted - 1e-9).ceil())
}

/// Step scaling: the capacity that the step for a metric so far from the threshold leads to; `None` where no step is for it.
pub(super) fn stepped(base: u32, distance: f64, steps: &[Step], kind: Adjustment, at_least: u32) -> Option<u32> {
    let step = steps.iter().find(|step| step.holds(distance))?;
    let adjustment = f64::from(step.adjustment);
    let wanted = match kind {
        Adjustment::Exact => adjustment,
        Adjustment::Change => f64::from(base) + adjustment,
        Adjustment::Percent => f64::from(base) + percent(f64::from(base) * adjustment / 100.0, at_least),
    };
    Some(whole(wanted))
}

/// "Values greater than 1 are rounded down", those between 0 and 1 to 1; negative ones likewise towards zero, and to -1.
fn percent(change: f64, at_least: u32) -> f64 {
    if change == 0.0 {
        return 0.0;
    }
    change.trunc().abs().max(1.0).max(f64::from(at_least)).copysign(change)
}

impl Step {
    /// Above the threshold the lower bound is in and the upper is out, below it is the other way round.
    fn holds(&self, distance: f64) -> bool {
        let (lower, upper) = (self.lower.unwrap_or(f64::NEG_INFINITY), self.upper.unwrap_or(f64::INFINITY));
        if distance >= 0.0 { lower <= distance && distance < upper } else { lower < distance && distance <= upper }
    }
}

/// A policy's wish under its cooldown. After scaling out "a larger scale out" alone counts, reckoned from the capacity before it;
/// after scaling in no other scaling in.
pub(super) fn cooled(
    current: u32,
    cooldown: Option<Cooldown>,
    now: f64,
    of: impl Fn(u32) -> Option<u32>,
) -> Option<u32> {
    let cooldown = cooldown.filter(|cooldown| cooldown.until > now);
    let wanted = of(current)?;
    match cooldown {
        Some(Cooldown { is_out: true, base, .. }) if wanted > current => of(base).filter(|wanted| *wanted > current),
        Some(_) if wanted < current => None,
        _ => Some(wanted).filter(|wanted| *wanted != current),
    }
}

/// Of several wishes the largest capacity. Target tracking scales in only if all such policies are ready to.
pub(super) fn chosen(current: u32, min: u32, max: u32, wishes: &[WantedCapacity], may_track_in: bool) -> Option<u32> {
    let is_allowed = |wish: &&WantedCapacity| wish.wanted > current || !wish.is_tracking || may_track_in;
    let wanted = wishes.iter().filter(is_allowed).map(|wish| wish.wanted).max()?;
    // A wish to grow never shrinks what lies above the maximum, nor the other way round.
    let bounded = if wanted > current { wanted.min(max).max(current) } else { wanted.max(min).min(current) };
    (bounded != current).then_some(bounded)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a capacity; saturates")]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_tracking_keeps_the_metric_at_the_target() {
        for (current, metric, expected) in [
            (1, 5.0, 1),
            (1, 5.1, 2),
            (2, 12.0, 5),
            (4, 4.0, 4),
            (4, 0.0, 0),
            (10, 4.5, 9),
            // From zero, where the metric is the whole backlog.
            (0, 6.0, 2),
            (0, 0.0, 0),
            (1, 1e300, u32::MAX),
        ] {
            assert_eq!(tracked(current, metric, 5.0), expected, "{current} × {metric} / 5");
        }
    }

    #[test]
    fn the_capacity_that_divides_evenly_is_not_rounded_up() {
        assert_eq!(tracked(3, 0.1, 0.1), 3);
        assert_eq!(tracked(3, 0.7, 0.1), 21);
    }

    /// The scale-out policy of AWS's page: 60 to 70 nothing, 70 to 80 ten percent, above 80 thirty percent.
    const OUT: [Step; 3] = [
        Step { lower: Some(0.0), upper: Some(10.0), adjustment: 0 },
        Step { lower: Some(10.0), upper: Some(20.0), adjustment: 10 },
        Step { lower: Some(20.0), upper: None, adjustment: 30 },
    ];
    /// And its scale-in policy: 40 to 30 nothing, 30 to 20 ten percent, below 20 thirty percent.
    const IN: [Step; 3] = [
        Step { lower: Some(-10.0), upper: Some(0.0), adjustment: 0 },
        Step { lower: Some(-20.0), upper: Some(-10.0), adjustment: -10 },
        Step { lower: None, upper: Some(-20.0), adjustment: -30 },
    ];

    #[test]
    fn steps_are_those_of_awss_example() {
        for (base, distance, steps, expected) in [
            (10, 0.0, &OUT, 10),
            (10, 10.0, &OUT, 11),
            (10, 19.9, &OUT, 11),
            (10, 20.0, &OUT, 13),
            (10, -10.0, &IN, 9),
            (10, -9.9, &IN, 10),
            (10, -20.0, &IN, 7),
        ] {
            assert_eq!(stepped(base, distance, steps, Adjustment::Percent, 0), Some(expected), "{distance}");
        }
    }

    #[test]
    fn a_distance_that_no_step_is_for_asks_for_nothing() {
        let steps = [Step { lower: Some(0.0), upper: Some(10.0), adjustment: 1 }];
        for (distance, expected) in [(0.0, Some(1)), (9.9, Some(1)), (10.0, None), (-1.0, None)] {
            assert_eq!(stepped(0, distance, &steps, Adjustment::Change, 0), expected, "{distance}");
        }
    }

    #[test]
    fn adjustments_change_by_number_by_percent_and_to_a_number() {
        let step = |adjustment| [Step { lower: None, upper: None, adjustment }];
        for (base, adjustment, kind, at_least, expected) in [
            (0, 1, Adjustment::Change, 0, 1),
            (3, -5, Adjustment::Change, 0, 0),
            (3, 7, Adjustment::Exact, 0, 7),
            // "12.7 is rounded to 12", ".67 to 1", "-.58 to -1", "-6.67 to -6".
            (127, 10, Adjustment::Percent, 0, 139),
            (67, 1, Adjustment::Percent, 0, 68),
            (58, -1, Adjustment::Percent, 0, 57),
            (667, -1, Adjustment::Percent, 0, 661),
            // "25 percent of 4 is 1. However, … MinAdjustmentMagnitude of 2 … scales out by 2."
            (4, 25, Adjustment::Percent, 2, 6),
            (4, 0, Adjustment::Percent, 2, 4),
        ] {
            assert_eq!(stepped(base, 0.0, &step(adjustment), kind, at_least), Some(expected), "{base} {adjustment}");
        }
    }

    #[test]
    fn after_scaling_out_only_a_larger_scale_out_counts() {
        // AWS's example: 2 were added, then a step of 3 comes: 1 more.
        let cooldown = Some(Cooldown { until: 100.0, is_out: true, base: 10 });
        let by = |more: u32| move |base: u32| Some(base + more);
        assert_eq!(cooled(12, cooldown, 50.0, by(3)), Some(13));
        assert_eq!(cooled(12, cooldown, 50.0, by(2)), None);
        assert_eq!(cooled(12, cooldown, 100.0, by(2)), Some(14));
    }

    #[test]
    fn after_scaling_in_no_other_scaling_in_counts_but_scaling_out_does() {
        let cooldown = Some(Cooldown { until: 100.0, is_out: false, base: 10 });
        assert_eq!(cooled(9, cooldown, 50.0, |base| Some(base - 1)), None);
        assert_eq!(cooled(9, cooldown, 100.0, |base| Some(base - 1)), Some(8));
        assert_eq!(cooled(9, cooldown, 50.0, |base| Some(base + 1)), Some(10));
    }

    fn wanted_capacity(wanted: u32, is_tracking: bool) -> WantedCapacity {
        WantedCapacity { wanted, is_tracking }
    }

    #[test]
    fn the_policy_with_the_largest_capacity_wins() {
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(13, true), wanted_capacity(30, false)], true), Some(30));
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(7, true), wanted_capacity(9, true)], true), Some(9));
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(7, true), wanted_capacity(12, false)], true), Some(12));
        assert_eq!(chosen(10, 0, 100, &[], true), None);
    }

    #[test]
    fn target_tracking_scales_in_only_if_all_such_policies_are_ready() {
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(7, true)], false), None);
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(7, true), wanted_capacity(8, false)], false), Some(8));
        assert_eq!(chosen(10, 0, 100, &[wanted_capacity(12, true)], false), Some(12));
    }

    #[test]
    fn capacity_stays_between_its_bounds() {
        assert_eq!(chosen(3, 2, 5, &[wanted_capacity(9, true)], true), Some(5));
        assert_eq!(chosen(3, 2, 5, &[wanted_capacity(0, true)], true), Some(2));
        assert_eq!(chosen(5, 2, 5, &[wanted_capacity(9, true)], true), None);
        assert_eq!(chosen(7, 2, 5, &[wanted_capacity(9, true)], true), None);
        assert_eq!(chosen(1, 0, 5, &[wanted_capacity(0, true)], true), Some(0));
    }
}
