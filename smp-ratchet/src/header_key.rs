//! Header keys: they hide which chain a message belongs to, and its number.

use smp_crypto::aes_gcm::{AesIv, AesKey};
use smp_protocol::padding::{pad, unpad};
use smp_protocol::version::RatchetVersion;
use zeroize::Zeroizing;

use crate::associated_data::AssociatedData;
use crate::envelope::EncryptedHeader;
use crate::error::EncryptError;

smp_crypto::secret_bytes! {
    /// `HKs`, and as next key `NHKs`: encrypts the headers of one chain that we send. 32 bytes.
    ///
    /// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
    SendingHeaderKey, 32
}

smp_crypto::secret_bytes! {
    /// `HKr`, and as next key `NHKr`: opens the headers of one chain that we receive. 32 bytes.
    ///
    /// Skipped message keys are kept under the header key of their chain.
    ///
    /// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
    ReceivingHeaderKey, 32
}

impl SendingHeaderKey {
    /// Pads and encrypts a header.
    pub(crate) fn seal(
        &self,
        version: RatchetVersion,
        iv: AesIv,
        associated_data: &AssociatedData,
        header: &[u8],
        padded_length: usize,
    ) -> Result<EncryptedHeader, EncryptError> {
        let too_long = |_| EncryptError::TooLong { padded_length };
        let mut body = pad(header, padded_length).map_err(|_| EncryptError::TooLong { padded_length })?;
        let tag = AesKey::from_bytes(self.0)
            .seal_in_place(&iv, associated_data.as_bytes(), &mut body)
            .map_err(too_long)?;
        Ok(EncryptedHeader { version, iv, tag, body })
    }
}

impl ReceivingHeaderKey {
    /// The header, if it was encrypted with this key.
    pub(crate) fn open(
        &self,
        header: &EncryptedHeader,
        associated_data: &AssociatedData,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = Zeroizing::new(header.body.clone());
        AesKey::from_bytes(self.0)
            .open_in_place(&header.iv, associated_data.as_bytes(), &mut text, &header.tag)
            .ok()?;
        Some(Zeroizing::new(unpad(&text).ok()?.to_vec()))
    }
}
