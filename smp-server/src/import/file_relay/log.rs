//! `file-server-store.log`: one record in a line, in the order in which they came.

use std::path::PathBuf;

use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};

use super::super::fields::{Fields, Result, Wrong, bytes, id, key, number};
use crate::files::{Change, ChunkRecipient, ChunkRecord};

/// A record of the log.
#[derive(Debug, Clone)]
pub(super) enum Record {
    /// A change that is the same here.
    Change(Change),
    /// The file of a chunk is there.
    Uploaded(ChunkSenderId, PathBuf),
    /// A chunk was deleted.
    Deleted(ChunkSenderId),
    /// A chunk was blocked: it is not taken over.
    Blocked(ChunkSenderId),
}

pub(super) fn read(line: &[u8]) -> Result<Record> {
    let mut fields = Fields::of(line);
    let record = match fields.next()? {
        b"FNEW" => created(&mut fields)?,
        b"FADD" => {
            let sender_id = id(fields.next()?)?;
            let recipients = fields.next()?.split(|byte| *byte == b',').map(recipient);
            let recipients = recipients.collect::<Result<_>>()?;
            Record::Change(Change::AddRecipients(sender_id, recipients, usize::MAX))
        }
        b"FPUT" => {
            let sender_id = id(fields.next()?)?;
            let path = String::from_utf8(bytes(fields.next()?)?);
            let path = path.ok().filter(|path| !path.is_empty());
            Record::Uploaded(sender_id, path.ok_or(Wrong("a path is empty or not UTF-8"))?.into())
        }
        b"FDEL" => Record::Deleted(id(fields.next()?)?),
        b"FACK" => Record::Change(Change::Acknowledge(id::<ChunkRecipientId>(fields.next()?)?)),
        b"FBLK" => {
            let sender_id = id(fields.next()?)?;
            fields.next()?;
            Record::Blocked(sender_id)
        }
        _ => return Err(Wrong("unknown record")),
    };
    fields.end()?;
    Ok(record)
}

fn created(fields: &mut Fields<'_>) -> Result<Record> {
    let sender_id: ChunkSenderId = id(fields.next()?)?;
    let sender_key = key(fields.next()?)?;
    let size = u32::try_from(number(fields.next()?)?).map_err(|_| Wrong("a chunk is too large"))?;
    let digest = bytes(fields.next()?)?.try_into().map_err(|_| Wrong("a digest has another length"))?;
    let created = number(fields.next()?)?;
    // Older versions have none.
    let status = fields.next().unwrap_or(b"active");
    if size == 0 {
        return Err(Wrong("a chunk is empty"));
    }
    if status != b"active" {
        return Ok(Record::Blocked(sender_id));
    }
    let record = ChunkRecord { sender_id, sender_key, size, digest, created, is_uploaded: false };
    Ok(Record::Change(Change::Create(record, Vec::new())))
}

fn recipient(text: &[u8]) -> Result<ChunkRecipient> {
    let colon = text.iter().position(|byte| *byte == b':').ok_or(Wrong("a recipient without a key"))?;
    Ok(ChunkRecipient { id: id(&text[..colon])?, key: key(&text[colon + 1..])? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines of the log of a relay of 6.5.5.
    const NEW: &str = "FNEW VmRSoWiFrPO1sHeqMTbE4g== MCowBQYDK2VwAyEAdEICdZdA6W9DMgN46uZDoTcIZX1dKdg_q_KmDpcYQmU= 65536 \
        9iS1BiekgkORUuYrTvr7YR1TPVoOO-TaSce5sslhJq8= 1795993200 active";
    const ADD: &str = "FADD VmRSoWiFrPO1sHeqMTbE4g== \
        -G-ZSE2E_E9ZaQlDTFYSdg==:MCowBQYDK2VwAyEAHHgrEUQPFZ0qHpuWkHfqlMUBcZuH5PjCzCAnKE5SiAw=,\
        Mi0FFb9b8yBjzZ_0deDAqQ==:MCowBQYDK2VwAyEAf3KxK5PA_SaH7IGGbIcydCrXQaNbBXJod6myMt0aWQU=";
    const PUT: &str =
        "FPUT VmRSoWiFrPO1sHeqMTbE4g== L3RtcC90YXBwL3hmMS9maWxlcy9WbVJTb1dpRnJQTzFzSGVxTVRiRTRnPT0=";

    #[test]
    fn recorded_lines_are_read() {
        let Ok(Record::Change(Change::Create(chunk, recipients))) = read(NEW.as_bytes()) else { panic!() };
        assert_eq!((chunk.size, chunk.created, chunk.is_uploaded), (65_536, 1_795_993_200, false));
        assert_eq!((chunk.sender_id.as_bytes().len(), chunk.digest[0], recipients.len()), (16, 0xf6, 0));
        let Ok(Record::Change(Change::AddRecipients(to, recipients, _))) = read(ADD.as_bytes()) else {
            panic!()
        };
        assert_eq!((to, recipients.len()), (chunk.sender_id.clone(), 2));
        let Ok(Record::Uploaded(of, path)) = read(PUT.as_bytes()) else { panic!() };
        assert_eq!(
            (of, path.file_name().unwrap().to_str()),
            (chunk.sender_id, Some("VmRSoWiFrPO1sHeqMTbE4g=="))
        );
        assert!(matches!(read(b"FACK -G-ZSE2E_E9ZaQlDTFYSdg=="), Ok(Record::Change(Change::Acknowledge(_)))));
        assert!(matches!(read(b"FDEL VmRSoWiFrPO1sHeqMTbE4g=="), Ok(Record::Deleted(_))));
        assert!(matches!(read(b"FBLK VmRSoWiFrPO1sHeqMTbE4g== reason=spam"), Ok(Record::Blocked(_))));
        let blocked = NEW.replace(" active", " blocked,reason=content");
        assert!(matches!(read(blocked.as_bytes()), Ok(Record::Blocked(_))));
        assert!(matches!(read(NEW.replace(" active", "").as_bytes()), Ok(Record::Change(_))));
    }

    #[test]
    fn lines_that_are_cut_off_or_unknown_are_refused() {
        for line in [NEW, ADD, PUT] {
            for length in 0..line.len() - 7 {
                let cut = read(&line.as_bytes()[..length]);
                // The status may be missing, and so may further recipients and the end of a path; that the line is cut off is known all the same.
                let is_whole = line == NEW && length > 132 || line != NEW && length > 30;
                assert!(cut.is_err() || is_whole, "{length}: {cut:?}");
            }
        }
        for line in
            ["", "FOLD VmRSoWiFrPO1sHeqMTbE4g==", "FDEL", "FDEL ==", "FDEL AAAA more", "FADD AAAA AAAA"]
        {
            assert!(read(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = read(&bytes);
            let _ = read(&[b"FADD ", &bytes[..]].concat());
        }
    }
}
