//! Accepts one client certificate.

use p521::ecdsa::signature::Verifier;
use p521::ecdsa::{Signature, VerifyingKey};
use p521::pkcs8::DecodePublicKey;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
};

/// The certificate that Terraform has handed over. The usual verification does not apply: it is an authority of its own, which may
/// not be used as a client's, and its key is on the curve P-521, which `ring` does not have. So its bytes are compared, and the
/// signature is verified by `p521`.
#[derive(Debug)]
pub(super) struct PinnedCertificate(CertificateDer<'static>);

impl PinnedCertificate {
    pub(super) fn new(certificate: CertificateDer<'static>) -> Self {
        Self(certificate)
    }
}

impl ClientCertVerifier for PinnedCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // A certificate is public, so the comparison need not take the same time for all.
        if certificate.as_ref() == self.0.as_ref() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // TLS 1.2 is not offered.
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let is_valid = signed.scheme == SignatureScheme::ECDSA_NISTP521_SHA512 && {
            let parsed = ParsedCertificate::try_from(certificate)?;
            is_signed_by(&parsed.subject_public_key_info(), message, signed.signature())
        };
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP521_SHA512]
    }
}

/// Whether the holder of a key on P-521, as SPKI, has signed a message.
fn is_signed_by(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = p521::PublicKey::from_public_key_der(public_key).ok();
    let key = key.and_then(|key| VerifyingKey::from_affine(*key.as_affine()).ok());
    let signature = Signature::from_der(signature).ok();
    key.zip(signature).is_some_and(|(key, signature)| key.verify(message, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// A key that OpenSSL has made, and its signature of `message`.
    const PUBLIC_KEY: &str = "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQACv/bzFa9bntLQoUTgkLvzM/du2tKy/GLlIBE6b51YpmGzWPBp8mGfse1hGUo\
        w5IfvIuXXmdZvqAAZRx7k8bhorAAC408SJtW/l2BNMQ7qA34OkXafSImdnlbk6kbWYw6rLNrZ+mLKEksyEROjD3yPYVHP6Uc\
        sMsV1Ehsq/Q1Vaecc9o=";
    const SIGNATURE: &str = "MIGGAkEhLw6K3eDApiIMPVdZxN67rDn1ldkXa7QzDPtrWNhqBnQg6zo9z12OSdMshTMU1wugMADhOlCEXrsdYKhugj5UngJB\
        FeVwTpDG5PheTn5b7mV0RjE2+h7k3LeMNZGhLxfe4jh8l8DVDtE1fy59HLsu4ou9xQTarFhsssgbmZqXpToGdrM=";

    #[test]
    fn signature_of_the_key_is_valid_and_no_other() {
        let [key, signature] = [PUBLIC_KEY, SIGNATURE].map(|text| STANDARD.decode(text).unwrap());
        assert!(is_signed_by(&key, b"message", &signature));
        assert!(!is_signed_by(&key, b"another", &signature));
        assert!(!is_signed_by(b"no key", b"message", &signature));
        assert!(!is_signed_by(&key, b"message", b"no signature"));
    }

    #[test]
    fn certificate_is_compared_byte_by_byte() {
        let pinned = PinnedCertificate::new(CertificateDer::from(vec![1, 2, 3]));
        let accepts = |certificate: &[u8]| {
            pinned.verify_client_cert(&CertificateDer::from(certificate), &[], UnixTime::now()).is_ok()
        };
        assert!(accepts(&[1, 2, 3]) && !accepts(&[1, 2, 4]) && !accepts(&[]));
    }
}
