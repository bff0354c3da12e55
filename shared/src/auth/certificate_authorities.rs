//! The certificate authorities that a deployment trusts when it asks the issuers of its tokens: besides those of the
//! system, the private one that many a Keystone has its certificate from.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_smithy_http_client::tls::TrustStore;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificateAuthorities {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no certificate.
    #[error(
        "no certificate: expected PEM, -----BEGIN CERTIFICATE----- and so on, or the path of a file of it"
    )]
    Empty,
    /// One of them cannot be read.
    #[error("certificate {place} cannot be used: {problem}")]
    Certificate {
        /// Which of them, from 1.
        place: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// Certificates of authorities that are trusted besides those of the system.
#[derive(Clone, Default)]
pub struct CertificateAuthorities {
    pem: String,
    count: usize,
}

impl CertificateAuthorities {
    /// Reads them from a file.
    ///
    /// # Errors
    /// [`BadCertificateAuthorities`] says what is wrong with the file.
    pub fn from_file(path: &Path) -> Result<Self, BadCertificateAuthorities> {
        let text = fs::read_to_string(path);
        Self::from_pem(
            text.map_err(|source| BadCertificateAuthorities::File { path: path.to_owned(), source })?,
        )
    }

    /// Checks each: the TLS library takes them without a way to refuse.
    fn from_pem(pem: String) -> Result<Self, BadCertificateAuthorities> {
        let mut roots = RootCertStore::empty();
        for (place, certificate) in (1..).zip(CertificateDer::pem_slice_iter(pem.as_bytes())) {
            let refuse = |problem: String| BadCertificateAuthorities::Certificate { place, problem };
            let certificate = certificate.map_err(|problem| refuse(problem.to_string()))?;
            roots.add(certificate).map_err(|problem| refuse(problem.to_string()))?;
        }
        let count = roots.len();
        if count == 0 { Err(BadCertificateAuthorities::Empty) } else { Ok(Self { pem, count }) }
    }

    /// These and those of the system.
    pub(super) fn trust_store(&self) -> TrustStore {
        let system = TrustStore::default();
        if self.count == 0 { system } else { system.with_pem_certificate(self.pem.as_bytes()) }
    }
}

/// Certificates in PEM, or the path of a file of them.
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
        write!(f, "Authorities({})", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_certificate_is_rejected_at_startup() {
        let pem =
            |base64: &str| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        for (text, told) in [
            (pem("AAAA"), "certificate 1 cannot be used"),
            (pem("?"), "certificate 1 cannot be used"),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned(), "no certificate"),
            ("/nowhere/ca.pem".to_owned(), "cannot read /nowhere/ca.pem"),
        ] {
            let refused = text.parse::<CertificateAuthorities>().unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        }
    }
}
