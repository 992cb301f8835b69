//! How an alarm's state follows from its datapoints. Arithmetic alone.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>

/// The evaluation range: so many more periods than `EvaluationPeriods` are looked at where some are missing. AWS does not publish
/// the number; its tables look at five for three.
pub(crate) const MORE_PERIODS: usize = 2;

/// `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Breaching,
    NotBreaching,
    Ignore,
    Unknown,
}

impl Missing {
    pub(crate) const NAMES: [&'static str; 4] = ["breaching", "notBreaching", "ignore", "missing"];

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "breaching" => Self::Breaching,
            "notBreaching" => Self::NotBreaching,
            "ignore" => Self::Ignore,
            _ => Self::Unknown,
        }
    }
}

/// `StateValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    Alarm,
    InsufficientData,
}

impl State {
    pub(crate) const NAMES: [&'static str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        match name {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            _ => Self::InsufficientData,
        }
    }
}

/// The state of an alarm that needs `needed` breaching datapoints of `periods`; `None`: the state that it has. The newest datapoint
/// comes first: whether it is breaching, `None` where it is missing.
pub(crate) fn evaluate_range(range: &[Option<bool>], periods: usize, needed: usize, missing: Missing) -> Option<State> {
    let real: Vec<bool> = range.iter().flatten().take(periods).copied().collect();
    let breaching = real.iter().filter(|is_breaching| **is_breaching).count();
    let filled = periods.saturating_sub(real.len());
    let alarm_if = |is_alarm: bool| Some(if is_alarm { State::Alarm } else { State::Ok });
    if breaching >= needed || filled == 0 {
        return alarm_if(breaching >= needed);
    }
    let is_all_breaching = breaching == real.len();
    match missing {
        Missing::Breaching => alarm_if(breaching + filled >= needed),
        Missing::NotBreaching => Some(State::Ok),
        Missing::Ignore if is_all_breaching => None,
        Missing::Ignore => Some(State::Ok),
        Missing::Unknown if real.is_empty() => Some(State::InsufficientData),
        Missing::Unknown => alarm_if(is_all_breaching && age_of_oldest(range, periods) >= needed),
    }
}

/// AWS's "premature alarm state": one breaching datapoint is enough once it is old and nothing but silence has followed.
fn age_of_oldest(range: &[Option<bool>], periods: usize) -> usize {
    range.iter().take(periods).rposition(Option::is_some).map_or(0, |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREATMENTS: [Missing; 4] = [Missing::Unknown, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];

    /// As AWS's tables have it: the newest on the right, `X` breaches, `-` is missing.
    fn states(text: &str, periods: usize, needed: usize) -> [Option<State>; 4] {
        let point = |letter: &str| match letter {
            "X" => Some(true),
            "0" => Some(false),
            _ => None,
        };
        let range: Vec<_> = text.split(' ').rev().map(point).collect();
        TREATMENTS.map(|missing| evaluate_range(&range, periods, needed, missing))
    }

    const OK: Option<State> = Some(State::Ok);
    const ALARM: Option<State> = Some(State::Alarm);
    const UNKNOWN: Option<State> = Some(State::InsufficientData);
    const RETAINED: Option<State> = None;

    #[test]
    fn three_of_three_is_as_in_awss_table() {
        for (range, expected) in [
            ("0 - X - X", [OK, OK, OK, OK]),
            ("0 - - - -", [OK, OK, OK, OK]),
            ("- - - - -", [UNKNOWN, RETAINED, ALARM, OK]),
            ("0 X X - X", [ALARM, ALARM, ALARM, ALARM]),
            ("- - X - -", [ALARM, RETAINED, ALARM, OK]),
        ] {
            assert_eq!(states(range, 3, 3), expected, "{range}");
        }
    }

    #[test]
    fn two_of_three_is_as_in_awss_table() {
        for (range, expected) in [
            ("0 - X - X", [ALARM, ALARM, ALARM, ALARM]),
            ("0 0 X 0 X", [ALARM, ALARM, ALARM, ALARM]),
            ("0 - X - -", [OK, OK, ALARM, OK]),
            ("- - - - 0", [OK, OK, ALARM, OK]),
            ("- - - X -", [ALARM, RETAINED, ALARM, OK]),
        ] {
            assert_eq!(states(range, 3, 2), expected, "{range}");
        }
    }

    #[test]
    fn one_datapoint_after_silence_is_no_alarm_yet() {
        for range in ["- - - - X", "- - - X -", "- - - X 0", "- - X - 0"] {
            assert_ne!(states(range, 3, 3)[0], ALARM, "{range}");
        }
    }

    #[test]
    fn a_low_alarm_of_target_tracking_needs_fifteen_minutes() {
        let range = |breaching: usize| {
            let mut range = vec![Some(true); breaching];
            range.resize(15 + MORE_PERIODS, Some(false));
            range
        };
        assert_eq!(evaluate_range(&range(14), 15, 15, Missing::Unknown), OK);
        assert_eq!(evaluate_range(&range(15), 15, 15, Missing::Unknown), ALARM);
    }
}
