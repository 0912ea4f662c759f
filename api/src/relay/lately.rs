//! What a robot was sent lately: what it has had already, and whether it takes more now. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use blake3::Hash;

/// How long it is remembered what a robot has taken. Alertmanager tries again for some minutes; what it repeats on
/// purpose (`repeat_interval`) comes later than this.
const REMEMBERED_FOR: Duration = Duration::from_secs(60 * 60);

/// The most messages that are remembered of a robot: more than it takes within that time.
const REMEMBERED_MAX: usize = 5_000;

/// What a robot's limit counts.
const MINUTE: Duration = Duration::from_secs(60);

/// What a robot was sent lately.
#[derive(Debug)]
pub(super) struct Lately {
    per_minute: usize,
    /// When something was sent, within the last minute.
    sent: VecDeque<Instant>,
    /// What was taken, and when.
    taken: VecDeque<(Instant, Hash)>,
    rests_until: Option<Instant>,
}

impl Lately {
    /// Nothing yet.
    pub(super) fn new(per_minute: u32) -> Self {
        Self {
            per_minute: per_minute as usize,
            sent: VecDeque::new(),
            taken: VecDeque::new(),
            rests_until: None,
        }
    }

    /// Whether it has taken this message.
    pub(super) fn has_taken(&self, key: &Hash, now: Instant) -> bool {
        self.taken
            .iter()
            .any(|(at, taken)| taken == key && now.duration_since(*at) < REMEMBERED_FOR)
    }

    /// How long it takes nothing, for it has had too much.
    pub(super) fn wait(&mut self, now: Instant) -> Option<Duration> {
        let rest = self.rests_until.filter(|until| *until > now);
        while self.sent.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            self.sent.pop_front();
        }
        let place = self.sent.len().checked_sub(self.per_minute).and_then(|at| self.sent.get(at));
        let place = place.map(|at| *at + MINUTE);
        rest.max(place).map(|until| until.duration_since(now))
    }

    /// It is sent something.
    pub(super) fn send(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    /// It has taken a message.
    pub(super) fn take(&mut self, key: Hash, now: Instant) {
        while self.taken.len() >= REMEMBERED_MAX
            || self.taken.front().is_some_and(|(at, _)| now.duration_since(*at) >= REMEMBERED_FOR)
        {
            self.taken.pop_front();
        }
        self.taken.push_back((now, key));
    }

    /// It says that it has had too much.
    pub(super) fn rest(&mut self, rest: Duration, now: Instant) {
        self.rests_until = Some(now + rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn no_more_is_sent_within_any_minute_than_the_robot_takes() {
        let start = Instant::now();
        let mut lately = Lately::new(2);
        lately.send(start);
        assert_eq!(lately.wait(start + seconds(10)), None);
        lately.send(start + seconds(10));
        assert_eq!(lately.wait(start + seconds(20)), Some(seconds(40)));
        assert_eq!(lately.wait(start + seconds(60)), None);
        lately.send(start + seconds(60));
        assert_eq!(lately.wait(start + seconds(61)), Some(seconds(9)));
    }

    #[test]
    fn a_robot_that_says_it_has_too_much_is_left_alone() {
        let start = Instant::now();
        let mut lately = Lately::new(2);
        lately.rest(seconds(600), start);
        assert_eq!(lately.wait(start + seconds(599)), Some(seconds(1)));
        assert_eq!(lately.wait(start + seconds(600)), None);
    }

    #[test]
    fn what_was_taken_is_known_for_an_hour_and_the_memory_is_bounded() {
        let start = Instant::now();
        let mut lately = Lately::new(1);
        let key = |number: usize| blake3::hash(&number.to_le_bytes());
        lately.take(key(0), start);
        assert!(lately.has_taken(&key(0), start + seconds(3_599)));
        assert!(!lately.has_taken(&key(0), start + seconds(3_600)));
        assert!(!lately.has_taken(&key(1), start));
        for number in 1..=REMEMBERED_MAX {
            lately.take(key(number), start);
        }
        assert_eq!(lately.taken.len(), REMEMBERED_MAX);
        assert!(!lately.has_taken(&key(0), start) && lately.has_taken(&key(1), start));
        lately.take(key(0), start + seconds(3_600));
        assert_eq!(lately.taken.len(), 1);
    }
}
