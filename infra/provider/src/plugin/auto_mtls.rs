//! go-plugin's AutoMTLS: each side makes a certificate at the start and accepts only that of the other.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

use super::handshake::StartError;
use super::pinned::PinnedCertificate;

/// The server's side of TLS.
pub(super) struct Tls {
    pub(super) acceptor: TlsAcceptor,
    /// Our certificate, as DER.
    pub(super) certificate: Vec<u8>,
}

/// Makes a certificate, and accepts only clients with the one in this PEM.
pub(super) fn accept_only(client_pem: &str) -> Result<Tls, StartError> {
    let client = CertificateDer::from_pem_slice(client_pem.as_bytes())
        .map_err(|problem| StartError::ClientCertificate(problem.to_string()))?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = parameters()?.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(Arc::new(PinnedCertificate::new(client)))
        .with_single_cert(vec![certificate.der().clone()], private)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), certificate: certificate.der().to_vec() })
}

/// What go-plugin's client checks: the name, and that the certificate is its own authority.
fn parameters() -> Result<CertificateParams, StartError> {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()])?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyAgreement,
        KeyUsagePurpose::KeyCertSign,
    ];
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}
