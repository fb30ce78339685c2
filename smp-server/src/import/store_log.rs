//! `smp-server-store.log`: what happened to queues and services, one record in a line. A relay that starts replaces it by
//! the records of what there is.

use smp_crypto::PublicAuthKey;
use smp_protocol::{
    certificate::CertificateChain,
    encoding::{Reader, to_bytes},
    error::ErrorType,
    id::{LinkId, RecipientId, SenderId, ServiceId},
};

use super::fields::{Fields, Result, Wrong, bytes, id, key, keys, number, secret};
use crate::store::{
    Day, LinkData, NewQueue, NewService, Notifier, QueueChange, QueueLink, QueueMode, QueueRecord,
    QueueStatus, ServiceRole,
};

/// Content of a line.
#[derive(Debug)]
pub(super) enum Record {
    /// A queue was created, or is there.
    Create(Box<NewQueue>),
    /// A queue was changed.
    Change(RecipientId, QueueChange),
    /// A queue was deleted.
    Delete(RecipientId),
    /// A service was registered.
    Service(NewService),
    /// Something that we do not keep.
    Other,
}

impl Record {
    pub(super) fn read(line: &[u8]) -> Result<Self> {
        let mut fields = Fields::of(line);
        let tag = fields.next()?;
        let record = match tag {
            b"CREATE" => Record::Create(Box::new(create(&mut fields)?)),
            b"NEW_SERVICE" => service(&mut fields)?,
            b"DELETE" => Record::Delete(id(fields.next()?)?),
            _ => {
                let queue = id(fields.next()?)?;
                Record::Change(queue, change(tag, &mut fields)?)
            }
        };
        fields.end()?;
        Ok(record)
    }
}

fn create(fields: &mut Fields<'_>) -> Result<NewQueue> {
    let recipient_id: RecipientId = id(fields.named("rid=")?)?;
    let recipient_keys = keys(fields.named("rk=")?)?;
    let recipient_dh = secret(fields.named("rdh=")?)?;
    let sender_id: SenderId = id(fields.named("sid=")?)?;
    let sender_key = Some(fields.named("sk=")?).filter(|text| !text.is_empty()).map(key).transpose()?;
    let mode = mode(fields)?;
    let (link, link_data) = match fields.optional("link_id=").map(id::<LinkId>).transpose()? {
        Some(id) => {
            let data = link_data(fields.named("queue_data=")?, fields.next()?)?;
            (Some(QueueLink::new(id, &data)), Some(data))
        }
        None => (None, None),
    };
    let notifier = fields.optional("notifier=").map(|first| notifier(first, fields)).transpose()?;
    let updated = fields.optional("updated_at=").map(number).transpose()?.map(Day::of);
    let status = fields.optional("status=").map_or(Ok(QueueStatus::Active), status)?;
    let recipient_service = fields.optional("rsrv=").map(id).transpose()?;
    let record = QueueRecord {
        recipient_id,
        recipient_keys,
        recipient_dh,
        sender_id,
        sender_key,
        mode,
        link,
        notifier,
        status,
        updated,
        recipient_service,
    };
    Ok(NewQueue { record, link_data })
}

/// Logs of older relays say only whether the sender may secure the queue, or nothing.
fn mode(fields: &mut Fields<'_>) -> Result<Option<QueueMode>> {
    if let Some(text) = fields.optional("sndSecure=") {
        return match text {
            b"T" => Ok(Some(QueueMode::Messaging)),
            b"F" => Ok(Some(QueueMode::Contact)),
            _ => Err(Wrong("unknown mode of the queue")),
        };
    }
    match fields.optional("queue_mode=") {
        None => Ok(None),
        Some(b"M") => Ok(Some(QueueMode::Messaging)),
        Some(b"C") => Ok(Some(QueueMode::Contact)),
        Some(_) => Err(Wrong("unknown mode of the queue")),
    }
}

fn link_data(fixed: &[u8], user: &[u8]) -> Result<LinkData> {
    Ok(LinkData { fixed: bytes(fixed)?, user: bytes(user)? })
}

fn notifier(first: &[u8], fields: &mut Fields<'_>) -> Result<Notifier> {
    Ok(Notifier {
        id: id(first)?,
        key: key(fields.next()?)?,
        dh: secret(fields.next()?)?,
        service: fields.optional("nsrv=").map(id).transpose()?,
    })
}

fn status(text: &[u8]) -> Result<QueueStatus> {
    match text {
        b"active" => Ok(QueueStatus::Active),
        b"off" => Ok(QueueStatus::Suspended),
        _ => blocked(text.strip_prefix(b"blocked,").ok_or(Wrong("unknown status of the queue"))?),
    }
}

/// Why a queue is blocked is written as on the wire.
fn blocked(text: &[u8]) -> Result<QueueStatus> {
    let error = [b"BLOCKED ", text].concat();
    let mut input = Reader::new(&error);
    match ErrorType::decode(&mut input) {
        Ok(ErrorType::Blocked(info)) => Ok(QueueStatus::Blocked(info.to_string().into_bytes().into())),
        _ => Err(Wrong("unknown reason for blocking the queue")),
    }
}

fn change(tag: &[u8], fields: &mut Fields<'_>) -> Result<QueueChange> {
    Ok(match tag {
        b"LINK" => {
            let link = id(fields.next()?)?;
            QueueChange::SetLink(link, link_data(fields.next()?, fields.next()?)?)
        }
        b"LDELETE" => QueueChange::ClearLink,
        b"SECURE" => QueueChange::Secure(sender_key(fields)?),
        b"KEYS" => QueueChange::RecipientKeys(keys(fields.next()?)?),
        b"NOTIFIER" => QueueChange::SetNotifier(notifier(fields.next()?, fields)?),
        b"NDELETE" => QueueChange::ClearNotifier,
        b"SUSPEND" => QueueChange::Status(QueueStatus::Suspended),
        b"BLOCK" => QueueChange::Status(blocked(fields.next()?)?),
        b"UNBLOCK" => QueueChange::Status(QueueStatus::Active),
        b"TIME" => QueueChange::Used(Day::of(number(fields.next()?)?)),
        b"QUEUE_SERVICE" => queue_service(fields)?,
        _ => return Err(Wrong("unknown kind of record")),
    })
}

fn sender_key(fields: &mut Fields<'_>) -> Result<PublicAuthKey> {
    key(fields.next()?)
}

fn queue_service(fields: &mut Fields<'_>) -> Result<QueueChange> {
    let party = fields.next()?;
    let service: Option<ServiceId> =
        fields.next().ok().filter(|text| !text.is_empty()).map(id).transpose()?;
    match party {
        b"R" => Ok(QueueChange::RecipientService(service)),
        b"N" => Ok(QueueChange::NotifierService(service)),
        _ => Err(Wrong("unknown kind of service")),
    }
}

/// The hash in the log is not needed: what tells services apart follows from the certificates.
fn service(fields: &mut Fields<'_>) -> Result<Record> {
    let id = id(fields.named("service_id=")?)?;
    let role = match fields.named("role=")? {
        b"M" => Some(ServiceRole::Messaging),
        b"N" => Some(ServiceRole::Notifier),
        b"P" => None,
        _ => return Err(Wrong("unknown role of the service")),
    };
    let certificates = fields.named("cert=")?.split(|byte| *byte == b',').map(bytes);
    let certificates = CertificateChain::new(certificates.collect::<Result<_>>()?);
    let certificates = certificates.map_err(|_| Wrong("too many or too large certificates"))?;
    let fingerprint = certificates.service_fingerprint().ok_or(Wrong("wrong number of certificates"))?;
    bytes(fields.named("cert_hash=")?)?;
    let created = Day::of(number(fields.named("created_at=")?)?);
    Ok(role.map_or(Record::Other, |role| {
        let certificates = to_bytes(&certificates);
        Record::Service(NewService { id, role, certificates, fingerprint: fingerprint.to_vec(), created })
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "MCowBQYDK2VwAyEAPwqwn10wKiUj8ULQomihlzJ6kvPD7piNLQdx17OY0CA=";
    const SECRET: &str = "4gtUSOwStF8H5rWZd25VBVLW5HVbIk8iEnct6hEN8w0=";
    const ID: &str = "9-MN_rAeF0gMJ4marAoRmkHmCLjSXYlg";

    fn create(text: &str) -> Result<NewQueue> {
        let line = format!("CREATE rid={ID} rk={KEY} rdh={SECRET} sid=AAAA{text}");
        match Record::read(line.as_bytes())? {
            Record::Create(queue) => Ok(*queue),
            other => panic!("{other:?}"),
        }
    }

    fn change(text: &str) -> Result<QueueChange> {
        match Record::read(text.as_bytes())? {
            Record::Change(_, change) => Ok(change),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_queue_has_everything_that_can_stand_there() {
        let text = format!(
            " sk={KEY} queue_mode=C link_id=BBBB queue_data=AQ== Ag== notifier=CCCC {KEY} {SECRET} nsrv=DDDD \
             updated_at=1795305600 status=blocked,reason=spam,notice={{\"ttl\":60}} rsrv=EEEE"
        );
        let NewQueue { record, link_data } = create(&text).unwrap();
        assert_eq!(record.sender_key.as_ref(), record.recipient_keys.first());
        assert_eq!(record.mode, Some(QueueMode::Contact));
        assert_eq!(link_data, Some(LinkData { fixed: vec![1], user: vec![2] }));
        assert!(record.link.is_some() && record.recipient_service.is_some());
        assert!(record.notifier.unwrap().service.is_some());
        assert_eq!(record.updated, Some(Day(20_779)));
        let info = br#"reason=spam,notice={"ttl":60}"#.to_vec();
        assert_eq!(record.status, QueueStatus::Blocked(info.into()));
    }

    #[test]
    fn a_queue_of_an_old_relay_has_less() {
        let record = create(" sk=").unwrap().record;
        assert_eq!((record.mode, record.updated, record.status), (None, None, QueueStatus::Active));
        assert_eq!(create(" sk= sndSecure=T").unwrap().record.mode, Some(QueueMode::Messaging));
        assert_eq!(create(" sk= sndSecure=F").unwrap().record.mode, Some(QueueMode::Contact));
    }

    #[test]
    fn each_change_is_read() {
        for text in ["LDELETE", "NDELETE", "SUSPEND", "UNBLOCK"] {
            change(&format!("{text} {ID}")).unwrap();
        }
        for (tag, rest) in [
            ("LINK", "BBBB AQ== Ag=="),
            ("SECURE", KEY),
            ("KEYS", &format!("{KEY},{KEY}")),
            ("NOTIFIER", &format!("CCCC {KEY} {SECRET}")),
            ("NOTIFIER", &format!("CCCC {KEY} {SECRET} nsrv=DDDD")),
            ("BLOCK", "reason=content"),
            ("TIME", "1795305600"),
            ("QUEUE_SERVICE", "R EEEE"),
            ("QUEUE_SERVICE", "N "),
        ] {
            change(&format!("{tag} {ID} {rest}")).unwrap();
            if tag != "QUEUE_SERVICE" {
                change(&format!("{tag} {ID}")).unwrap_err();
            }
        }
        assert!(matches!(Record::read(format!("DELETE {ID}").as_bytes()), Ok(Record::Delete(_))));
    }

    #[test]
    fn a_service_is_known_by_its_certificates() {
        let line = "NEW_SERVICE service_id=EEEE role=M cert=AQ==,Ag== cert_hash=AAAA created_at=1795305600";
        let Ok(Record::Service(service)) = Record::read(line.as_bytes()) else { panic!() };
        assert_eq!(service.fingerprint, smp_crypto::hash::sha256(&[2]));
        let other = line.replace("role=M", "role=P");
        assert!(matches!(Record::read(other.as_bytes()), Ok(Record::Other)));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for text in [
            "",
            "CREATE",
            "NOTHING AAAA",
            "SECURE",
            "DELETE",
            "DELETE AAAA more",
            "SUSPEND AAA",
            "TIME AAAA x",
        ] {
            assert!(Record::read(text.as_bytes()).is_err(), "{text}");
        }
        for text in
            ["", " sk=AAAA", " sk= queue_mode=X", " sk= link_id=AAAA", " sk= status=gone", " sk= what=ever"]
        {
            assert!(create(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes: Vec<u8>) {
            let _ = Record::read(&bytes);
        }

        #[test]
        fn almost_right_lines_do_no_harm(
            text in "(CREATE|LINK|SECURE|KEYS|NOTIFIER|BLOCK|TIME|NEW_SERVICE|QUEUE_SERVICE)( (rid=|rk=|sk=|status=)?[A-Za-z0-9_=,-]{0,60}){0,12}"
        ) {
            let _ = Record::read(text.as_bytes());
        }

        #[test]
        fn a_damaged_byte_is_refused_or_read_as_another_queue(at in 0usize..200, byte: u8) {
            let mut line = format!("CREATE rid={ID} rk={KEY} rdh={SECRET} sid=AAAA sk={KEY} queue_mode=M").into_bytes();
            let at = at % line.len();
            line[at] = byte;
            let _ = Record::read(&line);
        }
    }
}
