//! The keys from which a ratchet is agreed, as the other side sends them.

use std::sync::OnceLock;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use smp_protocol::agent::{
    AnyKem, ProposedKem, RatchetParametersUri, ReceivedRatchetParameters, SentRatchetParameters,
};
use smp_protocol::encoding::from_bytes;
use smp_protocol::version::RatchetVersion;
use smp_ratchet::{JoiningKeys, OfferedKeys, RatchetVersions};

use crate::check::settles;
use crate::seeds::Vectors;

/// The keys that we have offered.
fn offered() -> &'static OfferedKeys {
    static KEYS: OnceLock<OfferedKeys> = OnceLock::new();
    KEYS.get_or_init(|| OfferedKeys::generate(RatchetVersion(3), true, &mut ChaCha8Rng::seed_from_u64(1)))
}

/// Reads the keys as an answer and as an offer, and agrees a ratchet with them.
pub fn run(data: &[u8]) {
    settles!(SentRatchetParameters, data);
    settles!(ReceivedRatchetParameters, data);
    settles!(RatchetParametersUri<ProposedKem>, data);
    settles!(RatchetParametersUri<AnyKem>, data);
    let versions = RatchetVersions { current: RatchetVersion(2), max_supported: RatchetVersion(3) };
    if let Ok(answer) = from_bytes::<SentRatchetParameters>(data) {
        let _ = offered().ratchet(&answer, versions, true);
    }
    if let Ok(offer) = from_bytes::<ReceivedRatchetParameters>(data) {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let keys = JoiningKeys::generate(&offer, data.len().is_multiple_of(2), &mut rng);
        let ratchet = keys.ratchet(&offer, versions, &mut rng);
        assert!(ratchet.is_ok_and(|ratchet| ratchet.can_send()));
    }
}

/// Keys of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = vectors.bytes("agent_messages", &["e2e_params"], "encoded");
    seeds.extend(vectors.bytes(
        "agent_messages",
        &["read_e2e_params", "read_e2e_params_proposed_only"],
        "input",
    ));
    seeds.extend(vectors.bytes("links", &["e2e_params_uri"], "smp_encoded"));
    for field in ["alice_params_encoded", "bob_params_encoded"] {
        seeds.extend(vectors.bytes("ratchet_x3dh", &["agreement"], field));
    }
    seeds
}
