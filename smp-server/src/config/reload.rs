//! `Changes`: settings that a running relay takes over, and settings that need a restart.

use super::Config;

/// Differences found when the settings were read again. Names of settings, never values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In force now; limits of one connection from the next connection on.
    pub applied: Vec<&'static str>,
    /// In force after a restart.
    pub after_restart: Vec<&'static str>,
}

macro_rules! settings {
    ($($when:ident $section:ident . $field:ident,)+) => {
        impl Config {
            /// Takes over from `new` what can change while the relay runs; the rest stays.
            pub(crate) fn take_over(&mut self, new: Config) -> Changes {
                let mut changes = Changes::default();
                $(if self.$section.$field != new.$section.$field {
                    settings!(@$when self, new, changes, $section.$field);
                })+
                changes
            }
        }

        /// All settings, as they are written in the file: section and name.
        #[cfg(test)]
        const SETTINGS: &[(&str, &str)] = &[$((stringify!($section), stringify!($field)),)+];
    };
    (@now $old:ident, $new:ident, $changes:ident, $section:ident . $field:ident) => {
        $old.$section.$field = $new.$section.$field;
        $changes.applied.push(concat!(stringify!($section), ".", stringify!($field)));
    };
    (@restart $old:ident, $new:ident, $changes:ident, $section:ident . $field:ident) => {
        $changes.after_restart.push(concat!(stringify!($section), ".", stringify!($field)));
    };
}

settings! {
    now server.hosts,
    now server.port,
    restart server.listen,
    now server.proxy_protocol,
    restart server.control_socket,
    now server.min_version,
    now server.max_version,
    now server.coalesce,
    restart identity.path,
    now queues.new_queues,
    now queues.create_password,
    restart queues.quota,
    now queues.expire_messages,
    now queues.expire_notifications,
    now queues.delete_idle,
    now queues.expiry_interval,
    restart store.kind,
    restart store.path,
    restart store.url,
    restart store.synchronous_commit,
    restart store.lease,
    restart store.durability,
    restart store.queue_cache_mib,
    restart store.body_cache_mib,
    restart store.pending_mib,
    restart store.ack_wait,
    restart store.readers,
    restart store.reserve_mib,
    restart store.overwrite_deleted,
    restart files.enabled,
    restart files.path,
    restart files.listen,
    now files.port,
    now files.quota_mib,
    now files.quota_mib_network,
    now files.expire,
    now files.chunk_sizes_kib,
    now files.new_files,
    now files.create_password,
    now files.new_chunks_per_minute,
    now files.new_chunks_per_minute_network,
    now files.new_chunks_per_minute_total,
    now files.max_chunks,
    now files.max_recipients,
    now files.max_connections,
    restart files.max_transfers,
    now files.max_requests,
    now files.idle_timeout,
    now files.transfer_timeout,
    restart cluster.listen,
    restart cluster.address,
    now proxy.enabled,
    now proxy.client_concurrency,
    now proxy.new_relays_per_minute,
    now proxy.new_relays_per_minute_network,
    now proxy.new_relays_per_minute_total,
    restart proxy.timeout,
    restart proxy.retry_interval,
    restart proxy.idle_timeout,
    restart proxy.max_relays,
    restart proxy.max_client_relays,
    restart proxy.allow_private_hosts,
    restart proxy.ports,
    restart proxy.socks,
    restart proxy.socks_mode,
    restart proxy.host_mode,
    restart proxy.required_host_mode,
    restart proxy.own_domains,
    restart page.listen,
    now page.tls_certificate,
    now page.tls_key,
    now page.max_connections,
    now page.max_connections_per_address,
    now page.operator,
    now page.operator_country,
    now page.website,
    now page.contact_email,
    now page.contact_simplex,
    now page.complaints_email,
    now page.complaints_simplex,
    now page.hosting,
    now page.hosting_country,
    now page.conditions,
    now page.source_code,
    now limits.max_connections,
    now limits.max_connections_per_address,
    now limits.max_connections_per_site,
    now limits.max_connections_per_network,
    now limits.count_loopback,
    now limits.handshake_timeout,
    now limits.idle_timeout,
    now limits.first_command_timeout,
    now limits.idle_check_interval,
    now limits.block_timeout,
    now limits.max_pending_commands,
    now limits.max_pending_kib,
    now limits.max_forwarded_kib,
    now limits.max_pending_total_mib,
    now limits.max_batch,
    now limits.max_outgoing,
    now limits.new_queues_per_minute,
    now limits.new_queues_per_minute_network,
    now limits.new_queues_per_minute_total,
    now limits.max_queues,
    now limits.failed_authorizations_per_minute,
    now limits.failed_authorizations_per_minute_network,
    now limits.failed_authorizations_per_minute_total,
    now limits.max_recipient_keys,
    restart limits.max_pending_notifications,
    restart limits.max_pending_notifications_total,
    restart limits.min_free_disk_mib,
    now limits.drain_timeout,
    now limits.shutdown_timeout,
    restart metrics.listen,
    now log.level,
    restart log.format,
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::template;

    #[test]
    fn every_setting_of_the_file_is_listed() {
        let text = template(&Config::default().server.hosts, 5223, None, None, false);
        let mut section = String::new();
        let mut count = 0;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
            }
            let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
            if !section.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                assert!(SETTINGS.contains(&(&section, name)), "{section}.{name} is not in reload.rs");
                count += 1;
            }
        }
        assert_eq!(count, SETTINGS.len());
    }

    #[test]
    fn every_bound_is_documented() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md");
        let text = std::fs::read_to_string(file).unwrap();
        let (_, rest) = text.split_once("### Bounds").unwrap();
        let (bounds, _) = rest.split_once("### ").unwrap();
        for (section, name) in SETTINGS.iter().filter(|(section, _)| *section == "limits") {
            let named = [format!("`{section}.{name}`"), format!("`{name}`")];
            assert!(named.iter().any(|named| bounds.contains(named)), "{section}.{name}");
        }
    }

    #[test]
    fn what_needs_a_restart_stays_and_is_named() {
        let mut config = Config::default();
        let mut new = config.clone();
        new.queues.new_queues = false;
        new.store.path = PathBuf::from("/elsewhere");
        let changes = config.take_over(new.clone());
        assert_eq!(changes.applied, ["queues.new_queues"]);
        assert_eq!(changes.after_restart, ["store.path"]);
        assert!(!config.queues.new_queues);
        assert_eq!(config.store.path, Config::default().store.path);
        assert_eq!(config.take_over(new).applied, [""; 0], "only what is different is named");
    }
}
