//! `Load`: whether the threads of the relay are busy for more than half of the time.
//!
//! Work that costs a client a moment and saves the relay some is done only then.

use std::{sync::Mutex, time::Duration};

use smp_transport::surroundings::Time;
use tokio::{runtime::Handle, time::Instant};

use crate::sync::lock;

/// How long is looked back at least. A thread that never waits says so only after 61 steps, which take tens of milliseconds.
const WINDOW: Duration = Duration::from_millis(100);

/// Tells whether the threads of the relay had something to do for more than half of the time.
///
/// A thread that the system does not let go on with what it has begun counts as busy: so other programs that take the processors
/// are noticed too.
pub(crate) struct Load {
    time: Time,
    sample: Mutex<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Instant,
    /// Busy time of all threads until then, together.
    busy: Duration,
    is_high: bool,
}

impl Load {
    pub(crate) fn new(time: Time) -> Self {
        let sample = Sample { at: time.monotonic(), busy: Duration::ZERO, is_high: false };
        Self { sample: Mutex::new(sample), time }
    }

    /// Whether it was high when it was measured last; measures again if that is long ago. To be called in a task.
    pub(crate) fn is_high(&self) -> bool {
        let mut sample = lock(&self.sample);
        let now = self.time.monotonic();
        if now.duration_since(sample.at) >= WINDOW {
            let metrics = Handle::current().metrics();
            let threads = metrics.num_workers();
            let busy = (0..threads).map(|thread| metrics.worker_total_busy_duration(thread)).sum();
            *sample = sample.next(now, busy, threads);
        }
        sample.is_high
    }
}

#[cfg(test)]
impl Load {
    /// Makes it stay as it is told, whatever happens.
    pub(crate) fn stay(&self, is_high: bool) {
        let at = self.time.monotonic() + Duration::from_secs(3_600);
        *lock(&self.sample) = Sample { at, busy: Duration::ZERO, is_high };
    }
}

impl Sample {
    fn next(self, at: Instant, busy: Duration, threads: usize) -> Self {
        let available = at.duration_since(self.at).as_secs_f64() * threads as f64;
        let used = busy.saturating_sub(self.busy).as_secs_f64();
        Self { at, busy, is_high: used > available / 2.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_half_of_all_threads_time_is_much() {
        let start = Instant::now();
        let sample = Sample { at: start, busy: Duration::from_secs(7), is_high: false };
        let after =
            |busy| sample.next(start + Duration::from_secs(1), Duration::from_millis(busy), 2).is_high;
        assert_eq!([7_000, 8_000, 8_010, 9_000].map(after), [false, false, true, true]);
    }

    #[test]
    fn a_thread_that_is_always_busy_is_noticed_and_one_that_waits_too() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let load = std::sync::Arc::new(Load::new(Time::machine()));
        let until = |high: bool, busy: Duration| {
            let load = load.clone();
            let task = async move {
                for _ in 0..100 {
                    if load.is_high() == high {
                        return;
                    }
                    std::thread::sleep(busy);
                    tokio::time::sleep(4 * WINDOW / 3 - busy).await;
                }
                panic!("the load does not become {high}");
            };
            runtime.block_on(async { runtime.spawn(task).await.unwrap() });
        };
        until(true, WINDOW);
        until(false, Duration::ZERO);
    }
}
