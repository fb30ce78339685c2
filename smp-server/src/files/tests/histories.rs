//! Random histories of records: `used` is what is uploaded, and nothing is left of chunks that are gone.

use proptest::prelude::*;

use super::*;
use crate::files::index::{Index, Room};

#[derive(Debug, Clone)]
enum Step {
    Create,
    Begin(prop::sample::Index),
    Finish(prop::sample::Index),
    Abandon(prop::sample::Index),
    Delete(prop::sample::Index),
    Acknowledge(prop::sample::Index),
    Expire(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let any = || any::<prop::sample::Index>();
    prop_oneof![
        2 => Just(Step::Create),
        2 => any().prop_map(Step::Begin),
        2 => any().prop_map(Step::Finish),
        1 => any().prop_map(Step::Abandon),
        1 => any().prop_map(Step::Delete),
        1 => any().prop_map(Step::Acknowledge),
        1 => (0..40_u64).prop_map(Step::Expire),
    ]
}

fn picked<'a, T>(items: &'a mut [T], index: &prop::sample::Index) -> Option<&'a mut T> {
    let length = items.len();
    items.get_mut(if length == 0 { 0 } else { index.index(length) })
}

proptest! {
    #[test]
    fn used_bytes_are_those_of_uploaded_chunks(steps in prop::collection::vec(step(), 0..60)) {
        let settings = FileSettings { quota: 3 * u64::from(SIZE), chunks: 8, ..settings(Path::new("/")) };
        let index = Index::new(&settings);
        let mut rng = rand::rng();
        let XftpCommand::New(new) = Chunk::new(1).command(SIZE) else { panic!() };
        let mut chunks: Vec<(ChunkSenderId, Vec<ChunkRecipientId>, bool)> = Vec::new();
        let mut rooms: Vec<(ChunkSenderId, Room)> = Vec::new();
        for (now, step) in (0_u64..).zip(steps) {
            match step {
                Step::Create => match index.create(&new, now, &mut rng) {
                    Ok((id, recipients)) => chunks.push((id, recipients.into_vec(), false)),
                    Err(error) => prop_assert_eq!((error, chunks.len()), (XftpError::Quota, 8)),
                },
                Step::Begin(at) => if let Some((id, _, is_uploaded)) = picked(&mut chunks, &at) {
                    match index.begin_upload(id) {
                        Ok(upload) => {
                            prop_assert_eq!(upload.room.is_none(), *is_uploaded);
                            rooms.extend(upload.room.map(|room| (id.clone(), room)));
                        }
                        Err(error) => prop_assert_eq!((error, index.used()), (XftpError::Quota, settings.quota)),
                    }
                },
                Step::Finish(at) => if !rooms.is_empty() {
                    let (id, room) = rooms.remove(at.index(rooms.len()));
                    match chunks.iter_mut().find(|(other, ..)| *other == id) {
                        Some((.., is_uploaded)) => {
                            let first = !std::mem::replace(is_uploaded, true);
                            prop_assert_eq!(room.take(), Ok(first));
                        }
                        None => prop_assert_eq!(room.take(), Err(XftpError::Auth)),
                    }
                },
                Step::Abandon(at) => if !rooms.is_empty() {
                    rooms.remove(at.index(rooms.len()));
                },
                Step::Delete(at) => if !chunks.is_empty() {
                    let (id, ..) = chunks.remove(at.index(chunks.len()));
                    prop_assert_eq!(index.delete(&id), Ok(()));
                    prop_assert_eq!(index.delete(&id), Err(XftpError::Auth));
                },
                Step::Acknowledge(at) => if let Some((_, recipients, _)) = picked(&mut chunks, &at)
                    && let Some(id) = recipients.pop()
                {
                    prop_assert_eq!(index.acknowledge(&id), Ok(()));
                    prop_assert_eq!(index.to_download(&id).err(), Some(XftpError::Auth));
                },
                Step::Expire(age) => {
                    let gone = index.expire(now.saturating_sub(age), 2);
                    chunks.retain(|(id, ..)| !gone.contains(id));
                }
            }
            let there = chunks.iter().filter(|(.., is_uploaded)| *is_uploaded).count() + rooms.len();
            prop_assert_eq!(index.used(), there as u64 * u64::from(SIZE));
        }
        drop(rooms);
        for (id, recipients, is_uploaded) in chunks {
            let expected = if is_uploaded { None } else { Some(XftpError::NoFile) };
            for recipient in recipients {
                prop_assert_eq!(index.to_download(&recipient).err(), expected);
            }
            prop_assert_eq!(index.delete(&id), Ok(()));
        }
        prop_assert_eq!(index.used(), 0);
    }
}
