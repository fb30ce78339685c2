//! Commands and messages as they stand in the vectors.

use std::borrow::Cow;

use serde_json::Value;
use smp_crypto::Nonce;
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::certificate::{CertificateChain, CertifiedKey};
use smp_protocol::command::{
    Command, IdsHash, LinkData, LinkRequest, MessageFlags, NewQueue, NotifierCredentials, QueueMode,
    QueueRequest, ServiceQueues, SubscriptionMode,
};
use smp_protocol::encoding::{Encode, LargeString, NonEmpty, ShortString, UtcTime, from_bytes, to_bytes};
use smp_protocol::id::LinkId;
use smp_protocol::message::{
    BrokerMessage, MessageInfo, MessageKind, QueueIds, QueueInfo, RelayNotifierCredentials, SubscriptionInfo,
    SubscriptionThread,
};

use super::errors::error;
use super::{auth_key, bytes, dh_key, flag, id, number, optional, text, version, version_range};

pub fn command(value: &Value) -> Command<'static> {
    match text(&value["command"]) {
        "NEW" => Command::New(Box::new(new_queue(value))),
        "SUB" => Command::Subscribe,
        "SUBS" => Command::SubscribeAll(ServiceQueues::UNKNOWN),
        "KEY" => Command::Secure(auth_key(&value["sender_key"])),
        "RKEY" => {
            let keys = value["recipient_keys"].as_array().unwrap().iter().map(auth_key).collect();
            Command::SetRecipientKeys(NonEmpty::new(keys).unwrap())
        }
        "LSET" => Command::SetLink(id(&value["link_id"]), link_data(&value["link_data"])),
        "LDEL" => Command::DeleteLink,
        "NKEY" => Command::SetNotifier(auth_key(&value["notifier_key"]), dh_key(&value["dh_key_der"])),
        "NDEL" => Command::DeleteNotifier,
        "GET" => Command::Get,
        "ACK" => Command::Acknowledge(id(&value["message_id"])),
        "OFF" => Command::Suspend,
        "DEL" => Command::Delete,
        "QUE" => Command::QueueInfo,
        "SKEY" => Command::SenderSecure(auth_key(&value["sender_key"])),
        "SEND" => Command::Send(flags(&value["flags"]), owned(&value["body"])),
        "PING" => Command::Ping,
        "LKEY" => Command::SecureAndGetLink(auth_key(&value["sender_key"])),
        "LGET" => Command::GetLink,
        "NSUB" => Command::SubscribeNotifications,
        "NSUBS" => Command::SubscribeAllNotifications(ServiceQueues::UNKNOWN),
        "PRXY" => Command::ProxySession {
            relay: Box::new(relay(&value["server"])),
            password: optional(&value["basic_auth"], password),
        },
        "PFWD" => Command::ProxyForward {
            version: version(&value["relay_version"]),
            key: dh_key(&value["command_key_der"]),
            transmission: owned(&value["encrypted"]),
        },
        "RFWD" => Command::RelayForward(owned(&value["encrypted"])),
        other => panic!("unknown command {other}"),
    }
}

fn new_queue(value: &Value) -> NewQueue<'static> {
    let subscribe = flag(&value["subscribe"]);
    NewQueue {
        auth_key: auth_key(&value["recipient_auth_key"]),
        dh_key: dh_key(&value["recipient_dh_key_der"]),
        password: optional(&value["basic_auth"], password),
        subscription: if subscribe { SubscriptionMode::Subscribe } else { SubscriptionMode::OnlyCreate },
        request: optional(&value["queue_request"], queue_request),
        notifier: optional(&value["notification_creds"], |credentials| NotifierCredentials {
            auth_key: auth_key(&credentials["auth_key"]),
            dh_key: dh_key(&credentials["dh_key_der"]),
        }),
    }
}

fn queue_request(value: &Value) -> QueueRequest<'static> {
    let request =
        |link: &Value| LinkRequest { sender_id: id(&link["sender_id"]), data: link_data(&link["link_data"]) };
    match queue_mode(&value["mode"]) {
        QueueMode::Messaging => QueueRequest::Messaging(optional(&value["link"], request)),
        QueueMode::Contact => QueueRequest::Contact(optional(&value["link"], |link| {
            (id::<LinkId>(&link["link_id"]), request(link))
        })),
    }
}

fn queue_mode(value: &Value) -> QueueMode {
    match text(value) {
        "messaging" => QueueMode::Messaging,
        "contact" => QueueMode::Contact,
        other => panic!("unknown mode {other}"),
    }
}

fn link_data(value: &Value) -> LinkData<'static> {
    let part = |name: &str| LargeString::new(bytes(&value[name])).unwrap();
    LinkData { fixed: part("fixed_data"), user: part("user_data") }
}

pub fn flags(value: &Value) -> MessageFlags {
    MessageFlags { notification: flag(&value["notification"]) }
}

/// Passwords are hex, and not always UTF-8: they are read as they are sent.
fn password(value: &Value) -> Password {
    from_bytes(&to_bytes(&ShortString::new(bytes(value)).unwrap())).unwrap()
}

fn relay(value: &Value) -> RelayAddress {
    let hosts = value["hosts"].as_array().unwrap().iter().map(|host| text(host).parse().unwrap());
    RelayAddress {
        fingerprint: bytes(&value["key_hash"]).try_into().unwrap(),
        hosts: NonEmpty::new(hosts.collect()).unwrap(),
        port: match text(&value["port"]) {
            "" => None,
            port => Some(port.parse().unwrap()),
        },
        password: None,
    }
}

fn owned(value: &Value) -> Cow<'static, [u8]> {
    Cow::Owned(bytes(value))
}

pub fn message(value: &Value) -> BrokerMessage<'static> {
    match text(&value["message"]) {
        "IDS" => BrokerMessage::QueueIds(Box::new(queue_ids(value))),
        "LNK" => BrokerMessage::Link(id(&value["sender_id"]), link_data(&value["link_data"])),
        "SOK" => BrokerMessage::Subscribed(optional(&value["service_id"], id)),
        "SOKS" => BrokerMessage::SubscribedAll(count(value)),
        "MSG" => BrokerMessage::Message(id(&value["message_id"]), owned(&value["encrypted_body"])),
        "NID" => BrokerMessage::NotifierId(id(&value["notifier_id"]), dh_key(&value["server_dh_key_der"])),
        "NMSG" => BrokerMessage::Notification(
            Nonce::from_bytes(bytes(&value["nonce"]).try_into().unwrap()),
            ShortString::new(bytes(&value["encrypted_meta"])).unwrap(),
        ),
        "PKEY" => BrokerMessage::ProxySessionKey {
            session_id: id(&value["session_id"]),
            versions: version_range(&value["version_range"]),
            key: Box::new(certified_key(&value["certificates_der"], &value["signed_key_der"])),
        },
        "RRES" => BrokerMessage::RelayResponse(owned(&value["encrypted"])),
        "PRES" => BrokerMessage::ProxyResponse(owned(&value["encrypted"])),
        "END" => BrokerMessage::End,
        "ENDS" => BrokerMessage::EndAll(count(value)),
        "DELD" => BrokerMessage::Deleted,
        "INFO" => BrokerMessage::QueueInfo(Box::new(queue_info(&value["info"]))),
        "OK" => BrokerMessage::Ok,
        "ERR" => BrokerMessage::Error(error(&value["error"])),
        "PONG" => BrokerMessage::Pong,
        other => panic!("unknown message {other}"),
    }
}

pub fn chain(certificates_der: &Value) -> CertificateChain {
    CertificateChain::new(certificates_der.as_array().unwrap().iter().map(bytes).collect()).unwrap()
}

fn certified_key(certificates_der: &Value, signed_key_der: &Value) -> CertifiedKey {
    let mut encoded = to_bytes(&chain(certificates_der));
    LargeString::new(bytes(signed_key_der)).unwrap().encode(&mut encoded);
    from_bytes(&encoded).unwrap()
}

fn count(value: &Value) -> ServiceQueues {
    ServiceQueues { count: number(&value["count"]), ids_hash: IdsHash::default() }
}

fn queue_ids(value: &Value) -> QueueIds {
    QueueIds {
        recipient_id: id(&value["recipient_id"]),
        sender_id: id(&value["sender_id"]),
        dh_key: dh_key(&value["server_dh_key_der"]),
        mode: optional(&value["queue_mode"], queue_mode),
        link_id: optional(&value["link_id"], id),
        service_id: optional(&value["service_id"], id),
        notifier: optional(&value["notification_creds"], |credentials| RelayNotifierCredentials {
            notifier_id: id(&credentials["notifier_id"]),
            dh_key: dh_key(&credentials["server_dh_key_der"]),
        }),
    }
}

fn queue_info(value: &Value) -> QueueInfo {
    QueueInfo {
        sender_secured: flag(&value["sender_secured"]),
        notifications: flag(&value["notifications"]),
        subscription: optional(&value["subscription"], |subscription| SubscriptionInfo {
            thread: match text(&subscription["thread"]) {
                "QNoSub" => SubscriptionThread::NoSub,
                "QSubPending" => SubscriptionThread::SubPending,
                "QSubThread" => SubscriptionThread::SubThread,
                "QProhibitSub" => SubscriptionThread::ProhibitSub,
                other => panic!("unknown state {other}"),
            },
            delivered: optional(&subscription["delivered"], |id| text(id).to_owned()),
        }),
        size: number(&value["size"]),
        message: optional(&value["message"], |message| MessageInfo {
            id: text(&message["id"]).to_owned(),
            time: UtcTime::new(
                number(&message["unix_time"]),
                u32::try_from(number(&message["nanoseconds"])).unwrap(),
            )
            .unwrap(),
            kind: match text(&message["type"]) {
                "MTMessage" => MessageKind::Message,
                "MTQuota" => MessageKind::Quota,
                other => panic!("unknown kind {other}"),
            },
        }),
    }
}
