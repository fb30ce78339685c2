//! `Validity`: the time in which the page's certificate is valid, and what there is to say about it.

use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use smp_transport::identity;
use time::OffsetDateTime;

const DAY: i64 = 86_400;
/// The end is near when this part of the certificate's time is left: whatever renews certificates has done it long before.
const LAST_PART: i64 = 6;
/// It is near at this time before it at the earliest, in seconds.
const NEAR_AT_MOST: i64 = 14 * DAY;
/// Longest and shortest times that a calendar can say.
const YEARS: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// The time in which all certificates of a chain are valid, in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(super) file: PathBuf,
    from: i64,
    until: i64,
}

/// The page's certificate, for `smp-server status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCertificate {
    /// `page.tls_certificate`
    pub file: PathBuf,
    /// End of its validity, in seconds since 1970.
    pub valid_until: i64,
    /// How that is now.
    pub state: CertificateState,
    /// A sentence that says so.
    pub says: String,
}

/// Whether a certificate can be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateState {
    /// Valid.
    Valid,
    /// Valid, and not for long.
    ExpiresSoon,
    /// Its time is over.
    Expired,
    /// Its time has not begun, by this machine's clock.
    NotYetValid,
}

impl Validity {
    /// `None` if no certificate of the chain says when it is valid.
    pub(super) fn of(file: PathBuf, chain: &[CertificateDer<'_>]) -> Option<Self> {
        let times = chain.iter().filter_map(|certificate| identity::validity(certificate).ok());
        let (from, until) = times
            .map(|time| (*time.start(), *time.end()))
            .reduce(|all, one| (all.0.max(one.0), all.1.min(one.1)))?;
        Some(Self { file, from, until })
    }

    /// Whether this one is valid longer than another one.
    pub(super) fn outlasts(&self, other: &Self) -> bool {
        self.until > other.until
    }

    /// The state of the certificate at a time in seconds since 1970.
    pub(crate) fn at(&self, now: i64) -> PageCertificate {
        let Self { file, from, until } = self;
        let near = (until.saturating_sub(*from) / LAST_PART).min(NEAR_AT_MOST);
        let renew = "renew it, and have the relay take it up (`systemctl reload smp-server`, or SIGHUP)";
        let (state, says) = if now < *from {
            let says = format!("valid from {} on only: check the clock of this machine", date(*from));
            (CertificateState::NotYetValid, says)
        } else if now > *until {
            let says = format!(
                "EXPIRED {} ago, at {}: browsers refuse the page; {renew}",
                span(now.saturating_sub(*until)),
                date(*until)
            );
            (CertificateState::Expired, says)
        } else if until.saturating_sub(now) <= near {
            let says =
                format!("expires in {}, at {}: {renew}", span(until.saturating_sub(now)), date(*until));
            (CertificateState::ExpiresSoon, says)
        } else {
            (CertificateState::Valid, format!("valid until {}", date(*until)))
        };
        PageCertificate { file: file.clone(), valid_until: *until, state, says }
    }
}

fn date(seconds: i64) -> String {
    let seconds = seconds.clamp(*YEARS.start(), *YEARS.end());
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, hour, minute) = (time.date(), time.hour(), time.minute());
    format!("{}-{:02}-{:02} {hour:02}:{minute:02} UTC", date.year(), u8::from(date.month()), date.day())
}

/// The largest unit that is reached.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        DAY.. => (seconds / DAY, "day"),
        3_600.. => (seconds / 3_600, "hour"),
        _ => (seconds / 60, "minute"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validity(from: i64, until: i64) -> Validity {
        Validity { file: "page/fullchain.pem".into(), from, until }
    }

    #[test]
    fn each_time_has_its_own_words() {
        // 90 days, from 2026-01-01 on.
        let from = 1_767_225_600;
        let until = from + 90 * DAY;
        let validity = validity(from, until);
        for (now, state, words) in [
            (0, CertificateState::NotYetValid, "valid from 2026-01-01 00:00 UTC on only: check the clock"),
            (from, CertificateState::Valid, "valid until 2026-04-01 00:00 UTC"),
            (until - 14 * DAY - 1, CertificateState::Valid, "valid until"),
            (until - 14 * DAY, CertificateState::ExpiresSoon, "expires in 14 days, at 2026-04-01"),
            (until, CertificateState::ExpiresSoon, "expires in 0 minutes"),
            (until + 1, CertificateState::Expired, "EXPIRED 0 minutes ago"),
            (
                until + DAY,
                CertificateState::Expired,
                "EXPIRED 1 day ago, at 2026-04-01 00:00 UTC: browsers refuse",
            ),
            (i64::MAX, CertificateState::Expired, "renew it, and have the relay take it up"),
        ] {
            let said = validity.at(now);
            assert_eq!(said.state, state, "{now}");
            assert!(said.says.contains(words), "{now}: {}", said.says);
        }
    }

    #[test]
    fn certificates_of_any_length_are_told_of_in_time() {
        // Six days: on the last one.
        let short = validity(0, 6 * DAY);
        assert_eq!(short.at(5 * DAY - 1).state, CertificateState::Valid);
        assert_eq!(short.at(5 * DAY).state, CertificateState::ExpiresSoon);
        for (from, until) in [(i64::MIN, i64::MAX), (5, 5), (9, 3), (i64::MAX, i64::MIN)] {
            for now in [i64::MIN, 0, 4, 7, i64::MAX] {
                let _ = validity(from, until).at(now);
            }
        }
    }
}
