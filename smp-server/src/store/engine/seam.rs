//! `Faults`: the seam at which tests let writing fail.

use std::sync::Mutex;

use crate::store::StorageFault;
use crate::sync::lock;

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Stage {
    Append,
    Remove,
    Change,
    Commit,
}

pub(in crate::store) type Script = Box<dyn FnMut(Stage) -> Option<StorageFault> + Send>;

#[derive(Default)]
pub(in crate::store) struct Faults(Mutex<Option<Script>>);

impl Faults {
    pub(in crate::store) fn set(&self, script: impl FnMut(Stage) -> Option<StorageFault> + Send + 'static) {
        *lock(&self.0) = Some(Box::new(script));
    }

    pub(in crate::store) fn clear(&self) {
        *lock(&self.0) = None;
    }

    /// Takes the script, for another store.
    pub(in crate::store) fn take(&self) -> Option<Script> {
        lock(&self.0).take()
    }

    pub(in crate::store) fn put(&self, script: Option<Script>) {
        *lock(&self.0) = script;
    }

    pub(in crate::store) fn check(&self, stage: Stage) -> Result<(), StorageFault> {
        lock(&self.0).as_mut().and_then(|script| script(stage)).map_or(Ok(()), Err)
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faults")
    }
}
