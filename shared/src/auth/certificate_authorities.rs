//! The certificate authorities that a deployment trusts when it connects to the issuers of its tokens: those of the
//! system, and private ones, which often sign the certificate of a Keystone.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_smithy_http_client::tls::TrustStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why certificate authorities cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificateAuthorities {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The text contains no certificate.
    #[error(
        "no certificate: expected PEM, beginning with -----BEGIN CERTIFICATE-----, or the path of a PEM file"
    )]
    Empty,
    /// A certificate is malformed, or not one of an authority.
    #[error("certificate {place} cannot be used: {problem}")]
    Certificate {
        /// The position of the certificate, from 1.
        place: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Authorities that are trusted besides those of the system. The default has none.
#[derive(Clone, Default)]
pub struct CertificateAuthorities {
    pem: String,
    count: usize,
}

impl CertificateAuthorities {
    /// Reads certificates from a PEM file.
    ///
    /// # Errors
    /// [`BadCertificateAuthorities`] if the file cannot be read, or has no certificate or an invalid one.
    pub fn from_file(path: &Path) -> Result<Self, BadCertificateAuthorities> {
        let text = fs::read_to_string(path);
        Self::from_pem(
            text.map_err(|source| BadCertificateAuthorities::File { path: path.to_owned(), source })?,
        )
    }

    /// Checks each certificate here, since the TLS library does not report an invalid one.
    fn from_pem(pem: String) -> Result<Self, BadCertificateAuthorities> {
        let mut roots = RootCertStore::empty();
        for (place, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem.as_bytes())) {
            let bad_certificate = |problem: String| BadCertificateAuthorities::Certificate { place, problem };
            let certificate = certificate.map_err(|problem| bad_certificate(problem.to_string()))?;
            roots.add(certificate).map_err(|problem| bad_certificate(problem.to_string()))?;
        }
        let count = roots.len();
        if count == 0 { Err(BadCertificateAuthorities::Empty) } else { Ok(Self { pem, count }) }
    }

    /// Returns these authorities and those of the system.
    pub(super) fn trust_store(&self) -> TrustStore {
        let system = TrustStore::default();
        if self.count == 0 { system } else { system.with_pem_certificate(self.pem.as_bytes()) }
    }
}

/// Parses certificates in PEM, or the path of a PEM file.
impl FromStr for CertificateAuthorities {
    type Err = BadCertificateAuthorities;

    fn from_str(text: &str) -> Result<Self, BadCertificateAuthorities> {
        if text.contains("-----BEGIN") {
            Self::from_pem(text.to_owned())
        } else {
            Self::from_file(text.as_ref())
        }
    }
}

impl fmt::Debug for CertificateAuthorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateAuthorities({})", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_certificate_is_rejected_at_startup() {
        let pem =
            |base64: &str| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        for (text, expected) in [
            (pem("AAAA"), "certificate 1 cannot be used"),
            (pem("?"), "certificate 1 cannot be used"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(), "no certificate"),
            ("/nowhere/ca.pem".to_owned(), "cannot read /nowhere/ca.pem"),
        ] {
            let error = text.parse::<CertificateAuthorities>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
