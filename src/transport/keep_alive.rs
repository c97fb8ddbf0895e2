//! When to ping, and when a silent peer counts as gone. Pure: the caller passes the clock in.

use std::time::{Duration, Instant};

/// The two times of the keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// A ping goes out after this much silence from the peer. Zero turns the keep-alive off.
    pub interval: Duration,
    /// A peer that stays silent for this much longer is gone.
    pub timeout: Duration,
}

impl Default for KeepAlive {
    /// 30 s and 30 s: below the 60 s after which common proxies cut a silent connection.
    fn default() -> Self {
        Self { interval: Duration::from_secs(30), timeout: Duration::from_secs(30) }
    }
}

/// What the keep-alive asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Send a ping.
    Ping,
    /// Nothing; ask again later.
    Wait,
    /// The peer has been silent for too long.
    Gone,
}

/// The state of one connection's keep-alive.
#[derive(Debug)]
pub(super) struct Heart {
    times: KeepAlive,
    heard: Instant,
    pinged: bool,
}

impl Heart {
    pub(super) fn new(times: KeepAlive, now: Instant) -> Self {
        Self { times, heard: now, pinged: false }
    }

    /// The longest silence in all.
    pub(super) fn patience(&self) -> Duration {
        self.times.interval + self.times.timeout
    }

    /// Something came from the peer.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = false;
    }

    /// When to call [`Heart::beat`] next; `None` if the keep-alive is off.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.times.interval.is_zero() {
            return None;
        }
        let silence =
            self.times.interval + if self.pinged { self.times.timeout } else { Duration::ZERO };
        Some(self.heard + silence)
    }

    /// What to do now. `excused` says that silence means nothing at the moment: the peer asked
    /// for a pause, or we are the ones who do not read it or cannot write to it.
    pub(super) fn beat(&mut self, now: Instant, excused: bool) -> Pulse {
        if self.next().is_none_or(|next| now < next) {
            return Pulse::Wait;
        }
        if self.pinged && !excused {
            return Pulse::Gone;
        }
        if self.pinged {
            // Start over, so that the peer gets a whole period once it is no longer excused.
            self.heard = now;
        }
        self.pinged = !self.pinged;
        if self.pinged { Pulse::Ping } else { Pulse::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: KeepAlive =
        KeepAlive { interval: Duration::from_secs(30), timeout: Duration::from_secs(10) };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_peer_is_pinged_then_given_up() {
        let start = Instant::now();
        let mut heart = Heart::new(TIMES, start);
        assert_eq!(heart.beat(after(start, 29), false), Pulse::Wait);
        assert_eq!(heart.next(), Some(after(start, 30)));
        assert_eq!(heart.beat(after(start, 30), false), Pulse::Ping);
        assert_eq!(heart.beat(after(start, 39), false), Pulse::Wait);
        assert_eq!(heart.next(), Some(after(start, 40)));
        assert_eq!(heart.beat(after(start, 40), false), Pulse::Gone);
    }

    #[test]
    fn an_answer_starts_over() {
        let start = Instant::now();
        let mut heart = Heart::new(TIMES, start);
        assert_eq!(heart.beat(after(start, 30), false), Pulse::Ping);
        heart.heard(after(start, 31));
        assert_eq!(heart.beat(after(start, 45), false), Pulse::Wait);
        assert_eq!(heart.beat(after(start, 61), false), Pulse::Ping);
    }

    #[test]
    fn an_excused_peer_is_not_given_up() {
        let start = Instant::now();
        let mut heart = Heart::new(TIMES, start);
        assert_eq!(heart.beat(after(start, 30), true), Pulse::Ping);
        assert_eq!(heart.beat(after(start, 40), true), Pulse::Wait);
        assert_eq!(heart.beat(after(start, 70), true), Pulse::Ping);
        assert_eq!(heart.beat(after(start, 80), false), Pulse::Gone);
    }

    #[test]
    fn an_interval_of_zero_turns_it_off() {
        let start = Instant::now();
        let mut heart = Heart::new(KeepAlive { interval: Duration::ZERO, ..TIMES }, start);
        assert_eq!(heart.next(), None);
        assert_eq!(heart.beat(after(start, 1000), false), Pulse::Wait);
    }
}
