//! Advice to an operator about an error: each cause has its own.

use std::{io, path::Path};

use smp_transport::{
    identity::{CertificateRole, ChainError, IdentityError},
    owner,
};

/// About a file that cannot be read or written.
pub(crate) fn of_file(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => match owner::explain_denied(path) {
            unknown if unknown.is_empty() => "check who owns it".to_owned(),
            explained => explained,
        },
        io::ErrorKind::NotFound => "check the path, and whether its disk is mounted".to_owned(),
        io::ErrorKind::StorageFull => "free some space".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "it is on a file system that is mounted read-only".to_owned(),
        _ => "check the disk".to_owned(),
    }
}

/// About the relay's certificates and keys. It is never to set up another relay: that would have another address.
pub(crate) fn of_identity(error: &IdentityError) -> String {
    match error {
        IdentityError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            "restore it from a backup of this relay, or mount its disk: with other certificates it would have another address".into()
        }
        IdentityError::File { path, source } => of_file(path, source),
        IdentityError::Chain(ChainError::NotYetValid(_)) => "check the clock of this machine".into(),
        IdentityError::Chain(ChainError::Expired(0)) => {
            "check the clock of this machine; if it is right, make a new one with `smp-server cert rotate`".into()
        }
        IdentityError::Chain(ChainError::Expired(_)) => {
            "check the clock of this machine; if it is right, clients refuse this relay from now on: set up another one".into()
        }
        IdentityError::KeyMismatch(CertificateRole::Leaf) => {
            "restore server.crt and server.key from the same backup, or make new ones with `smp-server cert rotate`".into()
        }
        IdentityError::FingerprintMismatch { .. } => {
            "restore ca.crt, server.crt, server.key and fingerprint from the same backup".into()
        }
        IdentityError::Pem { .. }
        | IdentityError::UnsupportedKey
        | IdentityError::KeyMismatch(_)
        | IdentityError::Chain(_) => "the file is damaged, or another one: restore it from a backup".into(),
        _ => "see docs/operating.md".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_advice() {
        let file = |kind: io::ErrorKind| IdentityError::File { path: "/etc".into(), source: kind.into() };
        let advice = [
            file(io::ErrorKind::NotFound),
            file(io::ErrorKind::PermissionDenied),
            file(io::ErrorKind::StorageFull),
            IdentityError::Chain(ChainError::NotYetValid(0)),
            IdentityError::Chain(ChainError::Expired(0)),
            IdentityError::Chain(ChainError::Expired(1)),
            IdentityError::Chain(ChainError::NotSigned(0)),
            IdentityError::KeyMismatch(CertificateRole::Leaf),
            IdentityError::FingerprintMismatch { recorded: String::new(), actual: String::new() },
        ];
        let mut advice: Vec<_> = advice.iter().map(of_identity).collect();
        assert!(advice.iter().all(|advice| !advice.is_empty() && !advice.contains("init")));
        advice.sort();
        advice.dedup();
        assert_eq!(advice.len(), 9);
    }
}
