//! Key revocation lists as OpenSSH reads them (`PROTOCOL.krl`): the serials of certificates, by authority.

use std::collections::{BTreeMap, BTreeSet};

use crate::{PublicKey, SshError};

const MAGIC: u64 = 0x5353_484b_524c_0a00;
const FORMAT_VERSION: u32 = 1;
const SECTION_CERTIFICATES: u8 = 1;
const SERIAL_LIST: u8 = 0x20;

/// Certificates that are good no more.
#[derive(Debug, Clone, Default)]
pub struct RevocationList {
    /// By the authority's key, as it is on the wire.
    serials: BTreeMap<Vec<u8>, BTreeSet<u64>>,
}

impl RevocationList {
    /// Takes back the certificate with this serial of an authority.
    pub fn revoke(&mut self, authority: &PublicKey, serial: u64) -> Result<(), SshError> {
        let key = authority.0.to_bytes().map_err(|error| SshError::NotAKey(error.to_string()))?;
        self.serials.entry(key).or_default().insert(serial);
        Ok(())
    }

    /// The list as a file for `RevokedKeys`. `version` grows with every list, `generated` is in Unix seconds.
    pub fn encode(&self, version: u64, generated: u64) -> Vec<u8> {
        let mut list = Vec::new();
        list.extend(MAGIC.to_be_bytes());
        list.extend(FORMAT_VERSION.to_be_bytes());
        list.extend(version.to_be_bytes());
        list.extend(generated.to_be_bytes());
        // No flags; a reserved text; a comment.
        list.extend(0_u64.to_be_bytes());
        text(&mut list, b"");
        text(&mut list, b"chancery");
        for (authority, serials) in &self.serials {
            let mut section = Vec::new();
            text(&mut section, authority);
            text(&mut section, b"");
            section.push(SERIAL_LIST);
            // The serial 0 stands for certificates without one, which a list cannot name.
            let numbers: Vec<u8> =
                serials.iter().filter(|serial| **serial != 0).flat_map(|n| n.to_be_bytes()).collect();
            text(&mut section, &numbers);
            list.push(SECTION_CERTIFICATES);
            text(&mut list, &section);
        }
        list
    }
}

/// A length and as many bytes.
fn text(list: &mut Vec<u8>, bytes: &[u8]) {
    list.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    list.extend(bytes);
}
