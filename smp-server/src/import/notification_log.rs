//! `smp-server-ntfs.log`: notifications that nobody had taken when the relay was stopped, one in a line behind the ID of its
//! notifier.

use std::{fs::File, io, io::BufReader, path::Path};

use smp_crypto::Nonce;
use smp_protocol::{encoding::ShortString, id::NotifierId};

use super::{
    fields::{Fields, Result as LineResult, Wrong, bytes, id, number},
    lines::{Line, Lines},
    report::{Damaged, ImportError},
};
use crate::{
    broker::{Notification, NotificationWriter},
    store::{QueueId, Store},
};

/// Reads a whole file, if there is one, into the file from which the new relay takes them. Those of notifiers that the store
/// does not have are left out. Returns how many there are.
pub(super) async fn import(
    path: &Path,
    store: &dyn Store,
    store_dir: &Path,
    damaged: &mut Damaged,
) -> Result<u64, ImportError> {
    let failed = |error| ImportError::Read(path.to_path_buf(), error);
    let not_written = |error| ImportError::Write(store_dir.to_path_buf(), error);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(failed)?,
    };
    let mut lines = Lines::new(BufReader::new(file));
    let mut writer = NotificationWriter::create(store_dir).map_err(not_written)?;
    let mut count = 0;
    while let Some(line) = lines.advance().map_err(failed)? {
        let record = match line {
            Line::Whole if lines.line().is_empty() => continue,
            Line::Whole => read(lines.line()),
            Line::TooLong => Err(Wrong("the line is too long")),
            Line::CutOff => Err(Wrong("the line is cut off")),
        };
        if let Some((notifier, notification)) = damaged.check(path, lines.number(), record)?
            && store.find_queue(QueueId::Notifier(&notifier)).await?.is_some()
        {
            writer.push(&notifier, &notification).map_err(not_written)?;
            count += 1;
        }
    }
    writer.finish().map_err(not_written)?;
    Ok(count)
}

fn read(line: &[u8]) -> LineResult<(NotifierId, Notification)> {
    let mut fields = Fields::of(line);
    if fields.next()? != b"v1" {
        return Err(Wrong("unknown version of the record"));
    }
    let notifier = id(fields.next()?)?;
    // The message's, which is in the box too.
    bytes(fields.next()?)?;
    let timestamp = number(fields.next()?)?;
    let nonce =
        bytes(fields.next()?)?.try_into().map_err(|_| Wrong("a nonce has another length than 24 bytes"))?;
    let meta = ShortString::new(bytes(fields.next()?)?).map_err(|_| Wrong("a notification is too long"))?;
    fields.end()?;
    Ok((notifier, Notification { timestamp, nonce: Nonce::from_bytes(nonce), meta }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_have_a_version_a_notifier_and_a_notification() {
        let nonce = "A".repeat(32);
        let (notifier, notification) = read(format!("v1 BBBB AAAA 7 {nonce} AQI=").as_bytes()).unwrap();
        assert_eq!((notifier.as_bytes().len(), notification.timestamp), (3, 7));
        assert_eq!(notification.meta.as_bytes(), [1, 2]);
        for line in [
            String::new(),
            format!("v2 BBBB AAAA 7 {nonce} AQI="),
            "v1 BBBB AAAA 7 AAAA AQI=".to_owned(),
            format!("v1 BBBB AAAA x {nonce} AQI="),
            format!("v1 BBBB AAAA 7 {nonce}"),
            format!("v1 BBBB AAAA 7 {nonce} AQI= more"),
        ] {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = read(&[b"v1 ", &bytes[..]].concat());
        }
    }
}
