//! How an endpoint's instances and backlog went, for the page's chart.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use super::Core;

/// Older points are forgotten, and of as many as have been each second none is missing in the last quarter of an hour.
const KEPT: Duration = Duration::from_secs(3_600);
const MOST: usize = 1_000;

/// An endpoint at some moment, and as long as no later point follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub time: SystemTime,
    /// Instances that served.
    pub instances: u32,
    /// Instances that should have.
    pub desired: u32,
    /// Invocations that waited or ran.
    pub backlog: usize,
}

/// Points in the order of time; where nothing changes there are none.
#[derive(Debug, Default)]
pub struct History(VecDeque<Point>);

impl History {
    fn add(&mut self, point: Point) {
        let numbers = |point: &Point| (point.instances, point.desired, point.backlog);
        if self.0.back().is_none_or(|last| numbers(last) != numbers(&point)) {
            self.0.push_back(point);
        }
        let oldest = point.time.checked_sub(KEPT);
        // One that began before the first moment that is kept holds in it.
        while self.0.len() > MOST || self.0.get(1).is_some_and(|second| Some(second.time) <= oldest) {
            self.0.pop_front();
        }
    }

    /// All that are remembered.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.0.iter()
    }
}

impl Core {
    /// Notes how it is.
    pub fn note_history(&mut self, time: SystemTime) {
        let backlog = self.ledger.waiting() + self.ledger.running();
        self.history.add(Point { time, instances: self.instances, desired: self.desired, backlog });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: u64, backlog: usize) -> Point {
        Point { time: SystemTime::UNIX_EPOCH + Duration::from_secs(second), instances: 1, desired: 1, backlog }
    }

    #[test]
    fn only_changes_are_remembered() {
        let mut history = History::default();
        for (second, backlog) in [(0, 0), (1, 0), (2, 5), (3, 5), (4, 0)] {
            history.add(point(second, backlog));
        }
        assert_eq!(history.points().copied().collect::<Vec<_>>(), [point(0, 0), point(2, 5), point(4, 0)]);
    }

    #[test]
    fn what_is_old_is_forgotten_but_what_still_held_then() {
        let mut history = History::default();
        history.add(point(0, 0));
        history.add(point(100, 1));
        history.add(point(3_700, 2));
        assert_eq!(history.points().copied().collect::<Vec<_>>(), [point(100, 1), point(3_700, 2)]);
        for second in 0..5_000 {
            history.add(point(4_000 + second / 10, usize::try_from(second).unwrap()));
        }
        assert_eq!(history.points().count(), MOST);
    }
}
