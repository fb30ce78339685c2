//! The log, on standard error.

use std::io::IsTerminal as _;

use smp_server::config::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

/// Only what this project writes gets into the log: it is known to hold nothing about clients.
const TARGETS: [&str; 2] = ["smp_server", "smp_transport"];

/// Changes the level of the log.
pub(super) struct Level(reload::Handle<Targets, Registry>);

impl Level {
    pub(super) fn set(&self, level: LogLevel) {
        // It fails only when there is no log any more.
        let _ = self.0.reload(targets(level));
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new().with_targets(TARGETS.map(|target| (target, level)))
}

pub(super) fn start(log: &Log) -> Level {
    let (ours, level) = reload::Layer::new(targets(log.level));
    let color = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(color);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
    Level(level)
}
