//! `wait_for_turn`: a command waits until it may be done from where its client is.

use smp_protocol::error::ErrorType;

use super::context::Context;
use crate::{
    admission::{Rates, TooOften},
    config::Rate,
};

/// Takes a turn, and waits for it.
///
/// # Errors
///
/// `too_often` if it is too far away; then none is taken.
pub(super) async fn wait_for_turn(
    cx: &Context<'_>,
    rates: &Rates,
    rate: Rate,
    too_often: impl FnOnce() -> ErrorType,
) -> Result<(), ErrorType> {
    match rates.turn(&cx.caller.guest, rate, cx.node.now()) {
        Ok(wait) => {
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            Ok(())
        }
        Err(TooOften { limit, per_minute }) => {
            cx.node.metrics.refusals.note(limit, per_minute.into());
            Err(too_often())
        }
    }
}
