//! `smp listen`: receive until told to stop.

use tokio::time::Instant;

use super::notices::explain;
use super::stop::{Stop, never};
use super::texts::show_new_texts;
use super::tidy::Tidy;
use crate::args::ListenArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};

pub(crate) async fn run(args: &ListenArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let deadline = args.duration.map_or_else(never, |duration| Instant::now() + duration);
    let wanted = args.count.unwrap_or(u64::MAX);
    let mut stop = Stop::new()?;
    let mut tidy = Tidy::new();
    let mut shown = show_new_texts(session, output).await?;
    while shown < wanted {
        let notice = tokio::select! {
            notice = session.next() => notice?,
            () = tokio::time::sleep_until(deadline) => break,
            () = stop.wait() => break,
            () = tidy.wait() => {
                tidy.run(session).await?;
                continue;
            }
        };
        explain(&notice, output);
        if matches!(notice, Notice::Text) {
            shown += show_new_texts(session, output).await?;
        }
    }
    let complete = args.count.is_none() || shown >= wanted;
    Ok(if complete { Exit::DONE } else { Exit::NOT_YET })
}
