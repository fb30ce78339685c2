//! The file in which notifications that wait survive a restart: written when the relay stops, read and removed when it starts.
//!
//! The first line names the format; each other line is a notification: notifier ID, time (seconds since 1970), nonce and box,
//! in base64url, separated by spaces. A crash loses what waits: the next message of the queue notifies again.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    path::Path,
};

use smp_crypto::{Nonce, base64url};
use smp_protocol::{encoding::ShortString, id::NotifierId};
use smp_transport::durable::{self, Access, Unfinished};

use super::notifications::Notification;

/// Name of the file in the directory of the store.
const NOTIFICATIONS: &str = "notifications";

const FORMAT: &str = "smp-server notifications 1";

/// More bytes than a line has: two IDs or boxes of 255 bytes at most, in base64url, a nonce and a number.
const MAX_LINE: u64 = 1_024;

/// Writes the file; it gets its name when it is complete.
pub(crate) struct NotificationWriter {
    lines: BufWriter<Unfinished>,
}

impl NotificationWriter {
    /// Begins a file in the directory of a store.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let mut lines = BufWriter::new(Unfinished::create(&dir.join(NOTIFICATIONS), Access::Owner)?);
        writeln!(lines, "{FORMAT}")?;
        Ok(Self { lines })
    }

    /// Adds a notification.
    pub(crate) fn push(&mut self, notifier: &NotifierId, notification: &Notification) -> io::Result<()> {
        let Notification { timestamp, nonce, meta } = notification;
        let text = |bytes: &[u8]| base64url::encode(bytes);
        writeln!(
            self.lines,
            "{} {timestamp} {} {}",
            text(notifier.as_bytes()),
            text(nonce.as_bytes()),
            text(meta.as_bytes())
        )
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.lines.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
    }
}

/// Takes what the file in the directory of a store holds, at most so many notifications, and removes it. Damaged lines are
/// passed over: they are hints, and the messages themselves are in the store.
pub(crate) fn take(
    dir: &Path,
    max: usize,
    mut each: impl FnMut(&NotifierId, Notification),
) -> io::Result<()> {
    let path = dir.join(NOTIFICATIONS);
    let file = match fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let limit = MAX_LINE.saturating_mul(max as u64 + 1);
    let mut lines = BufReader::new(file.take(limit)).split(b'\n');
    if lines.next().transpose()?.as_deref() == Some(FORMAT.as_bytes()) {
        for line in lines.take(max) {
            if let Some((notifier, notification)) = parse(&line?) {
                each(&notifier, notification);
            }
        }
    }
    fs::remove_file(&path)?;
    durable::sync(dir)
}

fn parse(line: &[u8]) -> Option<(NotifierId, Notification)> {
    let mut fields = std::str::from_utf8(line).ok()?.split(' ');
    let bytes = |text: Option<&str>| base64url::decode(text?).ok();
    let notifier = NotifierId::new(&bytes(fields.next())?).ok()?;
    let timestamp = fields.next()?.parse().ok()?;
    let nonce = Nonce::from_bytes(bytes(fields.next())?.try_into().ok()?);
    let meta = ShortString::new(bytes(fields.next())?).ok()?;
    fields.next().is_none().then_some((notifier, Notification { timestamp, nonce, meta }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(byte: u8) -> (NotifierId, Notification) {
        let meta = ShortString::new(vec![byte; 144]).unwrap();
        ([byte; 24].into(), Notification { timestamp: 7, nonce: Nonce::from_bytes([byte; 24]), meta })
    }

    fn taken(dir: &Path) -> Vec<(NotifierId, Notification)> {
        let mut taken = Vec::new();
        take(dir, 10, |notifier, notification| taken.push((notifier.clone(), notification))).unwrap();
        taken
    }

    #[test]
    fn what_is_written_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(taken(dir.path()).is_empty(), "there is no file");
        for round in [1, 2] {
            let all = [notification(round), notification(round + 1)];
            // As if the relay had been killed while it wrote another one.
            fs::write(dir.path().join("notifications.new"), "half").unwrap();
            let mut writer = NotificationWriter::create(dir.path()).unwrap();
            all.iter().for_each(|(notifier, notification)| writer.push(notifier, notification).unwrap());
            writer.finish().unwrap();
            assert!(taken(dir.path()) == all);
            assert!(taken(dir.path()).is_empty());
        }
    }

    #[test]
    fn damaged_lines_and_other_files_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = NotificationWriter::create(dir.path()).unwrap();
        let (notifier, one) = notification(1);
        writer.push(&notifier, &one).unwrap();
        writer.finish().unwrap();
        let path = dir.path().join(NOTIFICATIONS);
        let good = fs::read_to_string(&path).unwrap();
        let line = good.lines().nth(1).unwrap();
        for damaged in ["", "x", "AAAA 7 AAAA AAAA", &line[1..], &format!("{line} more"), "\u{ff} 1 1 1"] {
            fs::write(&path, format!("{FORMAT}\n{damaged}\n{line}\n")).unwrap();
            assert_eq!(taken(dir.path()).len(), 1, "{damaged}");
        }
        fs::write(&path, format!("another format\n{line}\n")).unwrap();
        assert!(taken(dir.path()).is_empty());
        fs::write(&path, format!("{good}{}", format!("{line}\n").repeat(100))).unwrap();
        assert_eq!(taken(dir.path()).len(), 10, "bounded");
    }
}
