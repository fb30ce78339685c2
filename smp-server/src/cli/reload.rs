//! `SIGHUP`: reads settings and certificate again.

use std::path::Path;

use smp_server::{
    Reloaded, RunningRelay, StartError,
    config::{self, Overrides},
};

use super::log::Level;

/// Reads the file and the certificate again. The log says what was taken over, by name; if something is wrong everything
/// stays as it was.
pub(super) fn reload(relay: &mut RunningRelay, file: &Path, overrides: &Overrides, level: &Level) {
    match try_reload(relay, file, overrides, level) {
        Ok(reloaded) => report(&reloaded),
        Err(error) => tracing::error!("nothing was reloaded, the relay goes on as before: {error}"),
    }
}

fn try_reload(
    relay: &mut RunningRelay,
    file: &Path,
    overrides: &Overrides,
    level: &Level,
) -> Result<Reloaded, StartError> {
    let config = config::load(file, overrides)?;
    let log_level = config.log.level;
    let reloaded = relay.reload(config)?;
    level.set(log_level);
    Ok(reloaded)
}

fn report(Reloaded { certificate, page_certificate, settings }: &Reloaded) {
    let mut applied = settings.applied.clone();
    if *page_certificate {
        applied.insert(0, "the certificate of the page");
    }
    if *certificate {
        applied.insert(0, "the certificate");
    }
    match applied.is_empty() {
        true => tracing::info!("reloaded: nothing has changed"),
        false => tracing::info!("reloaded: {}", applied.join(", ")),
    }
    if !settings.after_restart.is_empty() {
        tracing::warn!("changed, but only after a restart: {}", settings.after_restart.join(", "));
    }
}
