//! `smp-server status`

use anyhow::Result;
use clap::Args;
use smp_server::{
    config,
    control::{FileStatus, Refused, Status, StoreStatus, ask_status},
};

use super::{Place, queue};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let status = ask_status(&queue::control_socket(&options.place)?)?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{}", table(&status));
    }
    Ok(())
}

fn table(status: &Status) -> String {
    let listens_on: Vec<String> = status.listens_on.iter().map(ToString::to_string).collect();
    let store = &status.store;
    let mut rows = vec![
        ("version", status.version.clone()),
        ("running for", format!("{} (process {})", uptime(status.uptime_seconds), status.process)),
        ("listens on", listens_on.join(", ")),
        ("connections", format!("{} of {}", status.connections, status.max_connections)),
        ("in flight", size(status.pending_bytes)),
        (
            "subscriptions",
            format!("{}, to notifications {}", status.subscriptions, status.notification_subscriptions),
        ),
        ("queues", status.queues.to_string()),
        ("messages held", status.messages.to_string()),
        ("store", format!("{}, {} on disk", store.durability, size(store.disk_bytes))),
        ("disk", disk(store)),
        (
            "waiting for disk",
            format!("{} operations, {} of messages", store.waiting_operations, size(store.waiting_bytes)),
        ),
        ("memory", status.memory_bytes.map_or_else(|| "unknown".to_owned(), size)),
    ];
    rows.extend(status.files.iter().map(|files| ("files", file_line(files))));
    rows.extend(status.other_processes.map(|count| ("other processes", format!("{count} alive"))));
    rows.extend(status.page_certificate.iter().map(|page| ("page certificate", page.says.clone())));
    rows.extend(status.refused.iter().map(|refused| ("limit reached", limit_reached(refused))));
    rows.iter().map(|(name, value)| format!("{name:<18}{value}\n")).collect()
}

fn file_line(FileStatus { chunks, bytes, quota_bytes, transfers }: &FileStatus) -> String {
    format!("{chunks} chunks, {} of {}, {transfers} transfers", size(*bytes), size(*quota_bytes))
}

fn limit_reached(Refused { setting, what, count, last_seconds_ago }: &Refused) -> String {
    format!("{setting}: {count} {what}, the last {} ago", uptime(*last_seconds_ago))
}

fn disk(store: &StoreStatus) -> String {
    match store.free_bytes {
        _ if store.is_full => format!(
            "FULL: free at least {}; messages and new queues are refused, receiving goes on",
            size(store.to_be_freed_bytes)
        ),
        Some(free) => format!("{} free", size(free)),
        None => "unknown".to_owned(),
    }
}

/// The two largest units.
fn uptime(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// How to make a relay that may be running read its files again, for what other commands print.
pub(super) fn reload_hint(config: &config::Config) -> String {
    let status = config.server.control_socket.as_deref().map(ask_status);
    match status {
        Some(Ok(Status { process, .. })) => {
            format!(
                "The running relay takes it up when told to: kill -HUP {process} (systemctl reload smp-server)"
            )
        }
        _ => "A running relay takes it up on SIGHUP (systemctl reload smp-server).".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(uptime(59), "59 s");
        assert_eq!(uptime(61), "1 min 1 s");
        assert_eq!(uptime(3_661), "1 h 1 min");
        assert_eq!(uptime(3 * 86_400 + 7_200), "3 d 2 h");
        assert_eq!(size(1_023), "1023 B");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(5 << 30), "5.0 GiB");
    }
}
