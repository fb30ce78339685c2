//! `Schedule`: the times at which messages of an open loop are due. It does not depend on how fast the relay is: a late one is measured from when
//! it was due, so that a relay that stalls cannot hide what would have been sent meanwhile.

use std::time::{Duration, Instant};

/// Messages at a fixed rate, handed to queues in turn.
#[derive(Debug, Clone)]
pub struct Schedule {
    rate: f64,
    queues: u32,
    total: u64,
    next: u64,
}

/// One message that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// When, from the beginning.
    pub at: Duration,
    /// To which queue.
    pub queue: u32,
}

impl Schedule {
    /// `rate` messages a second for so long. A rate that is not positive gives none.
    #[must_use]
    pub fn new(rate: f64, queues: u32, duration: Duration) -> Self {
        let total = if rate > 0.0 { (rate * duration.as_secs_f64()).floor() as u64 } else { 0 };
        Self { rate, queues: queues.max(1), total, next: 0 }
    }

    /// How many messages there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let number = self.next;
        if number >= self.total {
            return None;
        }
        self.next += 1;
        let queue = (number % u64::from(self.queues)) as u32;
        // from the number and not by adding intervals: errors of rounding would add up
        Some(Due { at: Duration::from_secs_f64(number as f64 / self.rate), queue })
    }
}

/// Calls `send` for each message when it is due, or at once if that is past. Blocks the thread: timers of an
/// asynchronous runtime have a resolution of a millisecond, which is longer than a relay needs.
///
/// # Errors
/// The first one of `send`, which ends it.
pub fn pace<E>(
    schedule: Schedule,
    start: Instant,
    mut send: impl FnMut(u32, Instant) -> Result<(), E>,
) -> Result<(), E> {
    for due in schedule {
        let at = start + due.at;
        let now = Instant::now();
        if at > now {
            std::thread::sleep(at - now);
        }
        send(due.queue, at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_queues() {
        let schedule = Schedule::new(4.0, 3, Duration::from_secs(1));
        assert_eq!(schedule.total(), 4);
        let due: Vec<_> = schedule.map(|due| (due.at.as_millis(), due.queue)).collect();
        assert_eq!(due, [(0, 0), (250, 1), (500, 2), (750, 0)]);
    }

    #[test]
    fn rounding_does_not_add_up() {
        let last = Schedule::new(3000.0, 1, Duration::from_secs(100)).last().unwrap();
        let expected = Duration::from_secs_f64(299_999.0 / 3000.0);
        assert!(last.at.abs_diff(expected) < Duration::from_micros(1));
    }

    #[test]
    fn no_rate_is_no_message() {
        assert_eq!(Schedule::new(0.0, 1, Duration::from_secs(9)).count(), 0);
        assert_eq!(Schedule::new(f64::NAN, 1, Duration::from_secs(9)).count(), 0);
    }

    #[test]
    fn who_is_late_is_measured_from_when_it_was_due() {
        let start = Instant::now() - Duration::from_secs(10);
        let mut late = Vec::new();
        let ended = pace(Schedule::new(2.0, 1, Duration::from_secs(2)), start, |_, due| {
            late.push(due.duration_since(start));
            if late.len() < 3 { Ok(()) } else { Err("enough") }
        });
        assert_eq!(ended, Err("enough"));
        assert_eq!(late, [0, 500, 1000].map(Duration::from_millis));
    }
}
