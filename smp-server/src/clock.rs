//! The relay's clock: the time, and how much of it has been seen to pass.
//!
//! Invariant: nothing that the relay keeps grows old by more than the time that it has seen pass. The wall clock of a machine
//! jumps: one without a battery boots in 1970 or at its last shutdown, and is put right a moment later; a wrong server sets it
//! months ahead. Messages and queues that expire by such a clock are gone for good.
//!
//! So a wall clock that is ahead of the monotonic one by more than [`BOUND`] is believed for what is stamped from now on, but the jump is
//! remembered, and subtracted from the age of everything that may have been stamped before: until as much time has been seen to pass as
//! that age. If the clock comes back the jump is forgotten. A clock that is behind what the relay has seen is not believed: the relay counts on by
//! itself. All that survives restarts, for which the store keeps a line of text. A relay that was stopped for longer than the bound cannot tell that
//! from a jump: what it keeps lives longer by the time that it was stopped.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use smp_transport::surroundings::Time;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::sync::lock;

/// Seconds by which the wall clock may be off from what the monotonic clock says: leap seconds, a slow oscillator, a time zone taken
/// for UTC, a restart that took some hours.
const BOUND: u64 = 86_400;

/// Jumps that are remembered; older ones are joined.
const JUMPS: usize = 16;

/// Seconds after which the store is told again what time it is.
const SAVED_EVERY: u64 = 3_600;

/// How often the clocks are compared when nobody asks for the time.
pub(crate) const COMPARED_EVERY: Duration = Duration::from_secs(60);

/// The relay's clock. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Inner>);

struct Inner {
    source: Time,
    state: Mutex<State>,
}

/// The last reading, with the jumps before it.
#[derive(Debug, Clone)]
struct State {
    /// Seconds since 1970.
    time: u64,
    /// When that was.
    at: Instant,
    /// Seconds that have been seen to pass, over all runs of the relay.
    seen: u64,
    /// By how much the clock has jumped ahead, and what `seen` was then.
    jumps: VecDeque<Jump>,
    /// The clock is behind, and somebody was told so.
    is_behind: bool,
    /// Of `seen`, when the store was told last; `None` if it has to be told.
    saved: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Jump {
    seen: u64,
    by: u64,
}

impl Clock {
    /// Reads these clocks from now on.
    pub(crate) fn new(source: Time) -> Self {
        let state = State {
            time: source.unix_seconds(),
            at: source.monotonic(),
            seen: 0,
            jumps: VecDeque::new(),
            is_behind: false,
            saved: None,
        };
        Self(Arc::new(Inner { source, state: Mutex::new(state) }))
    }

    /// Seconds since 1970. Does not go back, except from a jump that was none.
    pub(crate) fn now(&self) -> u64 {
        self.read().time
    }

    /// The same as a date.
    pub(crate) fn date(&self) -> OffsetDateTime {
        let seconds = i64::try_from(self.now()).unwrap_or(i64::MAX);
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// It is not earlier than this, whatever the machine believes.
    pub(crate) fn not_before(&self, time: OffsetDateTime) {
        let time = u64::try_from(time.unix_timestamp()).unwrap_or(0);
        let mut state = lock(&self.0.state);
        if state.time < time {
            state.time = time;
        }
    }

    /// The time before which stamps (seconds since 1970) have reached this age.
    pub(crate) fn older_than(&self, age: Duration) -> u64 {
        let state = self.read();
        let recent = state.jumps.iter().filter(|jump| state.seen - jump.seen < age.as_secs());
        let jumped = recent.fold(0, |sum: u64, jump| sum.saturating_add(jump.by));
        state.time.saturating_sub(jumped).saturating_sub(age.as_secs())
    }

    fn read(&self) -> State {
        let (wall, now) = (self.0.source.unix_seconds(), self.0.source.monotonic());
        let mut state = lock(&self.0.state);
        let passed = now.saturating_duration_since(state.at).as_secs();
        // Whole seconds only: else nothing would pass while somebody asks all the time.
        state.at += Duration::from_secs(passed);
        state.advance(wall, passed);
        state.clone()
    }

    /// Goes on where the relay was when this text was made; any other text says nothing.
    pub(crate) fn restore(&self, text: &str) {
        let Some((time, seen, jumps)) = parse(text) else { return };
        let wall = self.0.source.unix_seconds();
        let mut state = lock(&self.0.state);
        // A certificate may be younger than what was saved.
        let wall = wall.max(state.time);
        *state = State { time, seen, jumps, ..state.clone() };
        state.advance(wall, 0);
    }

    /// The text to be kept for [`restore`](Self::restore).
    pub(crate) fn to_text(&self) -> String {
        self.read().to_text()
    }

    /// The text to be kept, if that was not asked for lately.
    pub(crate) fn due_text(&self) -> Option<String> {
        let state = self.read();
        let is_due = state.saved.is_none_or(|saved| state.seen - saved >= SAVED_EVERY);
        is_due.then(|| state.to_text())
    }

    /// It was kept.
    pub(crate) fn kept(&self) {
        let mut state = lock(&self.0.state);
        state.saved = Some(state.seen);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("state", &*lock(&self.0.state)).finish_non_exhaustive()
    }
}

impl State {
    /// The wall clock says this, and the monotonic one that so many seconds have passed.
    fn advance(&mut self, wall: u64, passed: u64) {
        let expected = self.time.saturating_add(passed);
        let (seen, was_behind) = (self.seen, self.is_behind);
        self.is_behind = false;
        self.seen += passed;
        if wall > expected.saturating_add(BOUND) {
            self.jump(wall, wall - expected);
        } else if wall.saturating_add(BOUND) >= expected {
            let time = self.time.max(wall);
            self.seen = self.seen.max(seen + (time - self.time));
            self.time = time;
        } else if !self.undo(wall, expected) {
            self.time = expected;
            self.is_behind = true;
            if !was_behind {
                tracing::warn!(
                    "the clock of this machine is {} behind what this relay has seen: it counts by itself until the clock is right",
                    days(expected - wall)
                );
            }
        }
    }

    fn jump(&mut self, wall: u64, by: u64) {
        tracing::warn!(
            "the clock of this machine has gone ahead by {}, or the relay was stopped for so long: nothing expires earlier for that; \
             check the clock",
            days(by)
        );
        self.jumps.push_back(Jump { seen: self.seen, by });
        if self.jumps.len() > JUMPS
            && let (Some(oldest), Some(next)) = (self.jumps.pop_front(), self.jumps.front_mut())
        {
            next.by = next.by.saturating_add(oldest.by);
        }
        self.time = wall;
        self.saved = None;
    }

    /// Whether the clock is back where it would be without its last jumps.
    fn undo(&mut self, wall: u64, expected: u64) -> bool {
        let mut sum = 0;
        for place in (0..self.jumps.len()).rev() {
            sum += self.jumps[place].by;
            if wall.abs_diff(expected.saturating_sub(sum)) <= BOUND {
                self.jumps.truncate(place);
                self.time = wall;
                self.saved = None;
                tracing::warn!("the clock of this machine is back where it was before it had gone ahead");
                return true;
            }
        }
        false
    }

    fn to_text(&self) -> String {
        let jumps = self.jumps.iter().map(|jump| format!(" {}+{}", jump.seen, jump.by));
        format!("{} {}{}", self.time, self.seen, jumps.collect::<String>())
    }
}

/// Reads what [`State::to_text`] has written; `None` if it is anything else.
fn parse(text: &str) -> Option<(u64, u64, VecDeque<Jump>)> {
    let mut words = text.split(' ');
    let time = words.next()?.parse().ok()?;
    let seen = words.next()?.parse().ok()?;
    let jump = |word: &str| {
        let (at, by) = word.split_once('+')?;
        let at: u64 = at.parse().ok()?;
        Some(Jump { seen: at.min(seen), by: by.parse().ok()? })
    };
    Some((time, seen, words.map(jump).collect::<Option<_>>()?))
}

fn days(seconds: u64) -> String {
    format!("{} days", seconds.div_ceil(86_400))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use smp_transport::surroundings::TimeSource;

    use super::*;

    const DAY: u64 = 86_400;
    /// 2026-11-30.
    const TODAY: u64 = 1_795_996_800;
    const KEPT: Duration = Duration::from_secs(21 * DAY);

    /// Clocks that stand where they are put.
    #[derive(Clone)]
    pub(crate) struct Hands {
        wall: Arc<AtomicU64>,
        passed: Arc<AtomicU64>,
        start: Instant,
    }

    impl Hands {
        pub(crate) fn at(wall: u64) -> Self {
            let passed = Arc::default();
            Self { wall: Arc::new(AtomicU64::new(wall)), passed, start: Instant::now() }
        }

        /// Time passes.
        pub(crate) fn pass(&self, seconds: u64) {
            self.wall.fetch_add(seconds, Ordering::Relaxed);
            self.passed.fetch_add(seconds, Ordering::Relaxed);
        }

        /// Somebody sets the clock.
        pub(crate) fn set(&self, wall: u64) {
            self.wall.store(wall, Ordering::Relaxed);
        }

        fn wall_now(&self) -> u64 {
            self.wall.load(Ordering::Relaxed)
        }
    }

    impl TimeSource for Hands {
        fn wall(&self) -> Duration {
            Duration::from_secs(self.wall_now())
        }

        fn monotonic(&self) -> Instant {
            self.start + Duration::from_secs(self.passed.load(Ordering::Relaxed))
        }
    }

    /// Whether what was stamped then expires now.
    fn expires(clock: &Clock, stamp: u64) -> bool {
        stamp < clock.older_than(KEPT)
    }

    #[test]
    fn time_that_passes_is_believed() {
        let hands = Hands::at(TODAY);
        let clock = Clock::new(Time::new(hands.clone()));
        let stamp = clock.now();
        for _ in 0..21 {
            assert!(!expires(&clock, stamp));
            hands.pass(DAY);
            assert_eq!(clock.now(), hands.wall_now());
        }
        assert!(!expires(&clock, stamp));
        hands.pass(1);
        assert!(expires(&clock, stamp));
        // By hand, a little.
        hands.set(hands.wall_now() - 3_600);
        let before = clock.now();
        hands.pass(1_800);
        assert_eq!(clock.now(), before);
        hands.pass(3_600);
        assert_eq!(clock.now(), hands.wall_now());
    }

    #[test]
    fn a_clock_that_is_set_right_makes_nothing_old() {
        let hands = Hands::at(30);
        let clock = Clock::new(Time::new(hands.clone()));
        let early = clock.now();
        hands.pass(300);
        let later = clock.now();
        hands.set(TODAY);
        assert_eq!(clock.now(), TODAY);
        let right = clock.now();
        for _ in 0..20 {
            for stamp in [early, later, right] {
                assert!(!expires(&clock, stamp));
            }
            hands.pass(DAY);
        }
        hands.pass(DAY - 299);
        assert!(!expires(&clock, later) && !expires(&clock, right));
        hands.pass(300);
        assert!(expires(&clock, early) && expires(&clock, later) && expires(&clock, right));
    }

    #[test]
    fn a_clock_that_goes_ahead_and_comes_back_leaves_no_trace() {
        let hands = Hands::at(TODAY);
        let clock = Clock::new(Time::new(hands.clone()));
        let stamp = clock.now();
        hands.pass(60);
        hands.set(TODAY + 60 * DAY);
        assert!(!expires(&clock, stamp));
        let ahead = clock.now();
        assert_eq!(ahead, TODAY + 60 * DAY);
        hands.pass(5 * DAY);
        assert!(!expires(&clock, stamp));
        hands.set(TODAY + 5 * DAY);
        assert_eq!(clock.now(), TODAY + 5 * DAY);
        assert!(!expires(&clock, stamp) && !expires(&clock, ahead));
        hands.pass(16 * DAY);
        assert!(!expires(&clock, stamp));
        hands.pass(60);
        assert!(expires(&clock, stamp), "at its time, not later");
        assert!(!expires(&clock, ahead), "it lives longer");
    }

    #[test]
    fn a_clock_that_is_behind_is_not_believed() {
        let hands = Hands::at(TODAY);
        let clock = Clock::new(Time::new(hands.clone()));
        clock.now();
        hands.set(1_000);
        hands.pass(500);
        assert_eq!(clock.now(), TODAY + 500);
        for _ in 0..10 {
            hands.pass(1);
            clock.now();
        }
        assert_eq!(clock.now(), TODAY + 510);
        hands.set(TODAY + 520);
        assert_eq!(clock.now(), TODAY + 520);

        let clock = Clock::new(Time::new(Hands::at(5)));
        clock.not_before(OffsetDateTime::from_unix_timestamp(TODAY as i64).unwrap());
        assert_eq!(clock.now(), TODAY);
    }

    fn restarted(text: &str, wall: u64) -> (Clock, Hands) {
        let hands = Hands::at(wall);
        let clock = Clock::new(Time::new(hands.clone()));
        clock.restore(text);
        (clock, hands)
    }

    #[test]
    fn what_was_seen_survives_a_restart() {
        let hands = Hands::at(TODAY);
        let clock = Clock::new(Time::new(hands.clone()));
        let stamp = clock.now();
        hands.pass(3 * DAY);
        let text = clock.read().to_text();
        assert_eq!(parse(&text).map(|(time, seen, _)| (time, seen)), Some((TODAY + 3 * DAY, 3 * DAY)));

        // Stopped for some hours.
        let (clock, _) = restarted(&text, TODAY + 3 * DAY + 7_200);
        assert_eq!(clock.now(), TODAY + 3 * DAY + 7_200);
        // Started with a clock that is ahead, and again with one that is right.
        let (clock, hands) = restarted(&clock.read().to_text(), TODAY + 63 * DAY);
        assert!(!expires(&clock, stamp));
        hands.pass(DAY);
        assert!(!expires(&clock, stamp));
        let (clock, hands) = restarted(&clock.read().to_text(), TODAY + 4 * DAY);
        assert_eq!(clock.now(), TODAY + 4 * DAY);
        // Started without a clock.
        let (clock, _) = restarted(&clock.read().to_text(), 20);
        assert_eq!(clock.now(), TODAY + 4 * DAY);
        drop(hands);
        let (clock, hands) = restarted(&clock.read().to_text(), TODAY + 5 * DAY);
        assert!(!expires(&clock, stamp));
        hands.pass(17 * DAY);
        assert!(expires(&clock, stamp));
    }

    #[test]
    fn many_jumps_are_joined_and_none_is_forgotten() {
        let hands = Hands::at(10);
        let clock = Clock::new(Time::new(hands.clone()));
        let stamp = clock.now();
        for _ in 0..3 * JUMPS {
            hands.set(hands.wall_now() + 10 * DAY);
            assert!(!expires(&clock, stamp));
            hands.pass(1);
        }
        let state = clock.read();
        assert_eq!(state.jumps.len(), JUMPS);
        assert_eq!(parse(&state.to_text()), Some((state.time, state.seen, state.jumps)));
        for text in ["", "x", "5", "5 x", "5 6 7", "5 6 7+", "5 6 1+2 "] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
