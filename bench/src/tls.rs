//! A certificate authority and a server certificate of this run's own, and a bundle of real size that holds the authority.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::Result;
use crate::function::TrustedCertificates;

/// Where systems keep their bundle: Amazon Linux 2023 and its relatives, Debian and its.
const SYSTEM_BUNDLES: [&str; 2] = ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// TLS for the backend, and what its clients need to trust it.
pub(crate) struct Tls {
    /// Speaks for 127.0.0.1.
    pub(crate) acceptor: TlsAcceptor,
    /// The system's certificates and the authority's own, and that alone.
    pub(crate) trust: TrustedCertificates,
}

impl Tls {
    /// Makes both; the certificates to trust lie in `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        // OpenSSL takes a certificate whose issuer has its own name for a self-signed one.
        params.distinguished_name.push(DnType::CommonName, "bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &authority)?;

        let private_key = PrivateKeyDer::try_from(key.serialize_der())?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private_key)?;

        let system = SYSTEM_BUNDLES.iter().find(|path| Path::new(path).exists());
        let system = system.ok_or("no certificate bundle of the system: install its ca-certificates")?;
        let bundle = directory.join("bench-ca-bundle.crt");
        fs::write(&bundle, fs::read_to_string(system)? + &authority.pem())?;
        let alone = directory.join("bench-authority.crt");
        fs::write(&alone, authority.pem())?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            trust: TrustedCertificates { bundle, authority: alone },
        })
    }
}
