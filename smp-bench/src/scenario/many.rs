//! Many queues over some connections at once, with which several scenarios begin.

use std::time::{Duration, Instant};

use anyhow::Result;
use smp_protocol::command::SubscriptionMode;
use tokio::task::JoinSet;

use crate::driver::{BlockCounts, KeyPool, Link, Queue, Target, create, delete};
use crate::progress::Progress;

/// Queues that are created before the bar moves.
const STEP: usize = 1000;

/// Connects so many times at once.
pub(super) async fn connect(target: &Target, connections: usize, counts: &BlockCounts) -> Result<Vec<Link>> {
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let (target, counts) = (target.clone(), counts.clone());
        tasks.spawn(async move { target.connect(&counts).await });
    }
    tasks.join_all().await.into_iter().collect()
}

/// Creates queues to which nobody is subscribed, and closes the connections. The queues of each connection are apart.
pub(super) async fn create_queues(
    target: &Target,
    queues: usize,
    connections: usize,
) -> Result<Vec<Vec<Queue>>> {
    let progress = Progress::new("creating queues", queues as u64);
    let mut left = parts(queues, connections);
    let links = connect(target, left.len(), &BlockCounts::default()).await?;
    let mut all: Vec<(Link, Vec<Queue>)> = links.into_iter().map(|link| (link, Vec::new())).collect();
    while left.iter().any(|left| *left > 0) {
        let mut tasks = JoinSet::new();
        for ((mut link, mut queues), left) in all.drain(..).zip(&mut left) {
            let now = STEP.min(*left);
            *left -= now;
            let target = target.clone();
            tasks.spawn(async move {
                let pool = KeyPool::new(target.auth);
                let keys = (0..now).map(|_| pool.new_keys()).collect();
                queues.extend(create(&mut link, &target, keys, SubscriptionMode::OnlyCreate).await?);
                Ok::<_, anyhow::Error>((link, queues))
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (link, queues) = done??;
            all.push((link, queues));
        }
        // whoever has less left must still get less
        left.sort_unstable_by(|a, b| b.cmp(a));
        all.sort_by_key(|(_, queues)| queues.len());
        progress.set(all.iter().map(|(_, queues)| queues.len() as u64).sum());
    }
    Ok(all.into_iter().map(|(_, queues)| queues).collect())
}

/// Deletes the queues if the relay goes on without us.
pub(super) async fn clean_up(target: &Target, queues: &[Vec<Queue>]) -> Result<()> {
    if target.clean_up {
        let mut link = target.connect(&BlockCounts::default()).await?;
        for queues in queues {
            delete(&mut link, queues).await?;
        }
    }
    Ok(())
}

/// Runs something on each of these at once, and says how long it took until all were done. Results are in the order of
/// `each`.
pub(super) async fn timed<T, U, F>(
    each: Vec<T>,
    run: impl Fn(T) -> F + Clone + Send + 'static,
) -> Result<(Vec<U>, Duration)>
where
    T: Send + 'static,
    U: Send + 'static,
    F: Future<Output = Result<U>> + Send + 'static,
{
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for (position, one) in each.into_iter().enumerate() {
        let run = run(one);
        tasks.spawn(async move { (position, run.await) });
    }
    let mut done = tasks.join_all().await;
    let took = begin.elapsed();
    done.sort_by_key(|(position, _)| *position);
    Ok((done.into_iter().map(|(_, done)| done).collect::<Result<_>>()?, took))
}

/// So many things in so many parts that differ by one at most; no empty parts.
pub(super) fn parts(things: usize, parts: usize) -> Vec<usize> {
    let parts = parts.clamp(1, things.max(1));
    (0..parts).map(|part| things / parts + usize::from(part < things % parts)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test]
    async fn results_keep_their_order() {
        let (done, _) = timed((0..20).collect(), |number: u64| async move {
            tokio::time::sleep(Duration::from_millis(20 - number)).await;
            Ok(number)
        })
        .await
        .unwrap();
        assert_eq!(done, (0..20).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn parts_are_even(things in 0_usize..1000, count in 0_usize..50) {
            let parts = parts(things, count);
            prop_assert_eq!(parts.iter().sum::<usize>(), things);
            prop_assert!(parts.iter().max().unwrap() - parts.iter().min().unwrap() <= 1);
            prop_assert!(things == 0 || !parts.contains(&0));
        }
    }
}
