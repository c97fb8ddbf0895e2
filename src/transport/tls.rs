//! TLS for clients.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};

/// How a `wss:` connection is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Certificates to trust, each PEM (one or more) or DER. Empty: those that browsers trust.
    pub ca: Vec<Vec<u8>>,
    /// The client's certificate chain, PEM or DER; needs `key`.
    pub cert: Option<Vec<u8>>,
    /// The client's private key, PEM or DER, not encrypted; needs `cert`.
    pub key: Option<Vec<u8>>,
    /// Whether a server that cannot prove who it is is refused. Default `true`.
    pub reject_unauthorized: bool,
    /// The name to ask for and to check; default the URL's host.
    pub server_name: Option<String>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { ca: Vec::new(), cert: None, key: None, reject_unauthorized: true, server_name: None }
    }
}

/// A sentence that says which option is unusable, and why.
type Unusable = String;

impl TlsOptions {
    pub(super) fn config(&self) -> Result<ClientConfig, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.reject_unauthorized {
            builder.with_root_certificates(self.roots()?)
        } else {
            let anyone = Arc::new(Anyone(provider));
            builder.dangerous().with_custom_certificate_verifier(anyone)
        };
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates("cert", cert)?, private_key(key)?)
                .map_err(|error| format!("`cert` and `key` cannot be used: {error}")),
            _ => Err("`cert` and `key` must be given together".to_owned()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, Unusable> {
        let mut roots = RootCertStore::empty();
        if self.ca.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for given in &self.ca {
            for certificate in certificates("ca", given)? {
                roots.add(certificate).map_err(|error| format!("`ca` cannot be used: {error}"))?;
            }
        }
        Ok(roots)
    }

    pub(super) fn name(&self, host: &str) -> Result<ServerName<'static>, Unusable> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        ServerName::try_from(name.to_owned())
            .map_err(|_| format!("`{name}` is neither a host name nor an address"))
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(10).any(|window| window == b"-----BEGIN")
}

fn certificates(option: &str, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    if !is_pem(bytes) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("`{option}` holds no readable PEM certificate")),
    }
}

fn private_key(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, Unusable> {
    if is_pem(bytes) {
        return PrivateKeyDer::from_pem_slice(bytes).map_err(|_| {
            "`key` holds no readable PEM key (encrypted ones are not supported)".into()
        });
    }
    PrivateKeyDer::try_from(bytes.to_vec())
        .map_err(|error| format!("`key` is not a readable DER key: {error}"))
}

/// Takes any certificate: what `rejectUnauthorized: false` asks for. Signatures are still
/// checked, so the connection is private to whoever answers.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
