//! The certificate authority.

use ssh_key::HashAlg;
use ssh_key::certificate::{Builder, CertType};
use ssh_key::private::{Ed25519Keypair, KeypairData, PrivateKey};

use crate::{PublicKey, Seed, SshError};

/// Longest name, option or command in a certificate.
const MAX_TEXT: usize = 1024;

/// Signs certificates with one key.
pub struct Authority {
    key: PrivateKey,
}

/// What a certificate lets a user do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCertificate<'a> {
    /// What the server logs.
    pub key_id: &'a str,
    /// Never 0; unique for each authority.
    pub serial: u64,
    /// The names it opens; never none, which would open all.
    pub principals: &'a [String],
    /// Unix seconds from which it is good.
    pub valid_after: u64,
    /// Unix seconds at which it ends.
    pub valid_before: u64,
    /// Addresses and networks it is good from.
    pub source_address: Option<&'a str>,
    /// What runs, whatever the client asks for.
    pub force_command: Option<&'a str>,
    /// `permit-pty` and the like. What is not named is not permitted.
    pub extensions: &'a [&'a str],
}

/// What a certificate says of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate<'a> {
    /// What the client shows.
    pub key_id: &'a str,
    /// Never 0; unique for each authority.
    pub serial: u64,
    /// The names the host answers to; never none.
    pub principals: &'a [String],
    /// Unix seconds from which it is good.
    pub valid_after: u64,
    /// Unix seconds at which it ends.
    pub valid_before: u64,
}

impl Authority {
    /// The authority with the key of this seed.
    pub fn new(seed: &Seed) -> Result<Self, SshError> {
        let pair = Ed25519Keypair::from_seed(seed.bytes());
        let key = PrivateKey::new(KeypairData::Ed25519(pair), "chancery").map_err(|error| refused(&error))?;
        Ok(Self { key })
    }

    /// Its public key, as OpenSSH writes it.
    pub fn public_key(&self) -> Result<String, SshError> {
        self.key.public_key().to_openssh().map_err(|error| refused(&error))
    }

    /// `SHA256:…` of its public key.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint(HashAlg::Sha256).to_string()
    }

    /// A certificate for a user's key.
    pub fn certify_user(
        &self,
        key: &PublicKey,
        certificate: &UserCertificate<'_>,
        nonce: [u8; 32],
    ) -> Result<String, SshError> {
        let UserCertificate { key_id, serial, principals, valid_after, valid_before, .. } = certificate;
        let host = HostCertificate {
            key_id,
            serial: *serial,
            principals,
            valid_after: *valid_after,
            valid_before: *valid_before,
        };
        let mut builder = begun(key, CertType::User, &host, nonce)?;
        let options = [("force-command", certificate.force_command), ("source-address", certificate.source_address)];
        for (name, value) in options {
            if let Some(value) = value {
                bounded(value)?;
                builder.critical_option(name, value).map_err(|error| refused(&error))?;
            }
        }
        let mut extensions = certificate.extensions.to_vec();
        extensions.sort_unstable();
        for extension in extensions {
            builder.extension(extension, "").map_err(|error| refused(&error))?;
        }
        self.sign(builder)
    }

    /// A certificate for a host's key.
    pub fn certify_host(
        &self,
        key: &PublicKey,
        certificate: &HostCertificate<'_>,
        nonce: [u8; 32],
    ) -> Result<String, SshError> {
        self.sign(begun(key, CertType::Host, certificate, nonce)?)
    }

    fn sign(&self, builder: Builder) -> Result<String, SshError> {
        let certificate = builder.sign(&self.key).map_err(|error| refused(&error))?;
        certificate.to_openssh().map_err(|error| refused(&error))
    }
}

/// A certificate with what users' and hosts' have in common.
fn begun(
    key: &PublicKey,
    kind: CertType,
    certificate: &HostCertificate<'_>,
    nonce: [u8; 32],
) -> Result<Builder, SshError> {
    let HostCertificate { key_id, serial, principals, valid_after, valid_before } = certificate;
    if *serial == 0 || principals.is_empty() || valid_before <= valid_after {
        return Err(SshError::Certificate("it needs a serial, a principal and an end".to_owned()));
    }
    let failed = |error: ssh_key::Error| refused(&error);
    let mut builder = Builder::new(nonce, key.0.key_data().clone(), *valid_after, *valid_before).map_err(failed)?;
    builder.serial(*serial).map_err(failed)?;
    builder.cert_type(kind).map_err(failed)?;
    bounded(key_id)?;
    builder.key_id(*key_id).map_err(failed)?;
    for principal in *principals {
        bounded(principal)?;
        builder.valid_principal(principal).map_err(failed)?;
    }
    Ok(builder)
}

/// What is written into a log or read by a shell stays one line.
fn bounded(text: &str) -> Result<(), SshError> {
    if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        return Err(SshError::Certificate(format!("a text in it must have 1 to {MAX_TEXT} bytes on one line")));
    }
    Ok(())
}

fn refused(error: &ssh_key::Error) -> SshError {
    SshError::Certificate(error.to_string())
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").field(&self.fingerprint()).finish()
    }
}
