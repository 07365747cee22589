//! OpenSSH certificates: an [`Authority`] signs them, a [`RevocationList`] takes them back.
//!
//! Pure: keys follow from a secret and a name, time and random numbers are passed in. What comes out is what OpenSSH
//! reads as it is: certificates, `TrustedUserCAKeys`, `@cert-authority` lines, and the binary lists of `RevokedKeys`.
//!
//! INVARIANT: a user certificate names at least one principal, ends, and has a serial that is not 0.

mod authority;
mod key;
mod pair;
mod revocation;
mod seed;
#[cfg(test)]
mod tests;

pub use authority::{Authority, HostCertificate, UserCertificate};
pub use key::PublicKey;
pub use pair::KeyPair;
pub use revocation::RevocationList;
pub use seed::{SEED_BYTES, Seed};

/// Why there is no key or certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// It is no public key in OpenSSH's form.
    #[error("it is not a public key as OpenSSH writes it: {0}")]
    NotAKey(String),
    /// It is one that is not certified.
    #[error("keys of the kind {0} are not certified; use ssh-ed25519, or RSA of 3072 bits at least")]
    Weak(String),
    /// A certificate cannot have this.
    #[error("the certificate cannot be made: {0}")]
    Certificate(String),
}
