//! Times as the interface writes them: RFC 3339 in UTC.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// A time from Unix milliseconds.
#[must_use]
pub fn at(unix_millis: i64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_millis) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}
