//! Who failed to log in too often: an address or a name waits, longer each time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Failures within [`WINDOW`] that are borne; one more locks.
const FAILURES_BORNE: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);

/// How long the first lock lasts; each further one lasts twice as long.
const LOCK_FIRST: Duration = Duration::from_secs(30);
const LOCK_LONGEST: Duration = Duration::from_secs(15 * 60);

/// After this long without a failure, earlier locks are forgotten.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// The most addresses and names that are remembered.
const SUSPECTS_MAX: usize = 10_000;

/// What failures are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Suspect {
    Peer(IpAddr),
    Name(String),
}

#[derive(Debug)]
struct Record {
    /// The newest failures, oldest first.
    failures: Vec<Instant>,
    locks: u32,
    locked_until: Option<Instant>,
    last: Instant,
}

/// Failed logins of all doors.
#[derive(Debug, Default)]
pub(super) struct Lockout(HashMap<Suspect, Record>);

impl Lockout {
    /// How long whoever comes from there with that name still has to wait, if at all.
    pub(super) fn wait(&self, name: &str, peer: Option<IpAddr>, now: Instant) -> Option<Duration> {
        suspects(name, peer)
            .filter_map(|suspect| self.0.get(&suspect)?.locked_until?.checked_duration_since(now))
            .filter(|left| !left.is_zero())
            .max()
    }

    /// Counts a failure.
    pub(super) fn failed(&mut self, name: &str, peer: Option<IpAddr>, now: Instant) {
        for suspect in suspects(name, peer) {
            if self.0.len() >= SUSPECTS_MAX && !self.0.contains_key(&suspect) {
                self.forget_one(now);
            }
            self.0.entry(suspect).or_insert_with(|| Record::new(now)).fail(now);
        }
    }

    /// Whoever knows the secret is no suspect.
    pub(super) fn succeeded(&mut self, name: &str, peer: Option<IpAddr>) {
        for suspect in suspects(name, peer) {
            self.0.remove(&suspect);
        }
    }

    /// Forgets the oldest; one that is locked only when all are, or a flood of names would set it free.
    fn forget_one(&mut self, now: Instant) {
        let is_locked = |record: &Record| record.locked_until.is_some_and(|until| until > now);
        let oldest = self.0.iter().min_by_key(|(_, record)| (is_locked(record), record.last));
        if let Some(suspect) = oldest.map(|(suspect, _)| suspect.clone()) {
            self.0.remove(&suspect);
        }
    }
}

impl Record {
    fn new(now: Instant) -> Self {
        Self { failures: Vec::new(), locks: 0, locked_until: None, last: now }
    }

    fn fail(&mut self, now: Instant) {
        if now.duration_since(self.last) > FORGIVEN_AFTER {
            self.locks = 0;
        }
        self.last = now;
        self.failures.retain(|failure| now.duration_since(*failure) < WINDOW);
        self.failures.push(now);
        if self.failures.len() > FAILURES_BORNE {
            self.failures.clear();
            let length = LOCK_FIRST.saturating_mul(2_u32.saturating_pow(self.locks));
            self.locked_until = now.checked_add(length.min(LOCK_LONGEST));
            self.locks += 1;
        }
    }
}

fn suspects(name: &str, peer: Option<IpAddr>) -> impl Iterator<Item = Suspect> {
    let name = (!name.is_empty()).then(|| Suspect::Name(name.to_owned()));
    peer.map(|peer| Suspect::Peer(network_of(peer))).into_iter().chain(name)
}

/// The address that stands for all that one subscriber has: of IPv6, that is a network.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(peer) => peer.into(),
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_sixth_failure_within_a_minute_locks_the_name_and_the_address() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        for _ in 0..5 {
            lockout.failed("li", peer(1), start);
        }
        assert_eq!(lockout.wait("li", peer(1), start), None);
        lockout.failed("li", peer(1), start);
        assert_eq!(lockout.wait("li", peer(2), start), Some(LOCK_FIRST));
        assert_eq!(lockout.wait("wang", peer(1), start), Some(LOCK_FIRST));
        assert_eq!(lockout.wait("wang", peer(2), start), None);
        assert_eq!(lockout.wait("li", peer(1), start + LOCK_FIRST), None);
    }

    #[test]
    fn failures_that_are_far_apart_lock_nobody() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        for count in 0..50 {
            let now = start + seconds(13 * count);
            lockout.failed("li", peer(1), now);
            assert_eq!(lockout.wait("li", peer(1), now), None);
        }
    }

    #[test]
    fn each_lock_is_twice_as_long_up_to_a_quarter_of_an_hour_and_an_hour_of_quiet_forgives() {
        let (mut lockout, mut now) = (Lockout::default(), Instant::now());
        let mut lock = |now: Instant| {
            (0..6).for_each(|_| lockout.failed("li", None, now));
            lockout.wait("li", None, now).unwrap()
        };
        let mut lengths = Vec::new();
        for _ in 0..7 {
            let length = lock(now);
            lengths.push(length.as_secs());
            now += length;
        }
        assert_eq!(lengths, [30, 60, 120, 240, 480, 900, 900]);
        assert_eq!(lock(now + FORGIVEN_AFTER + seconds(1)), LOCK_FIRST);
    }

    #[test]
    fn a_success_clears_the_name_and_the_address() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        (0..5).for_each(|_| lockout.failed("li", peer(1), now));
        lockout.succeeded("li", peer(1));
        (0..5).for_each(|_| lockout.failed("li", peer(1), now));
        assert_eq!(lockout.wait("li", peer(1), now), None);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let (mut lockout, now) = (Lockout::default(), Instant::now());
        for host in 0..6 {
            let peer = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host);
            lockout.failed("", Some(peer.into()), now);
        }
        let (same, other) = (Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 9, 9, 9, 9), Ipv6Addr::LOCALHOST);
        assert!(lockout.wait("", Some(same.into()), now).is_some());
        assert!(lockout.wait("", Some(other.into()), now).is_none());
    }

    #[test]
    fn a_flood_of_names_takes_bounded_memory_and_sets_nobody_free() {
        let (mut lockout, start) = (Lockout::default(), Instant::now());
        (0..6).for_each(|_| lockout.failed("li", None, start));
        for count in 0..SUSPECTS_MAX + 10 {
            let now = start + Duration::from_micros(count as u64);
            lockout.failed(&format!("name-{count}"), None, now);
        }
        assert_eq!(lockout.0.len(), SUSPECTS_MAX);
        assert!(lockout.wait("li", None, start + seconds(1)).is_some());
        assert!(!lockout.0.contains_key(&Suspect::Name("name-0".to_owned())), "the oldest went");
    }
}
