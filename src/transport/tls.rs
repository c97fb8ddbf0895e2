//! TLS for clients.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
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
    /// What rustls is set up with.
    ///
    /// # Errors
    ///
    /// A sentence that names the option that is unusable.
    pub fn config(&self) -> Result<ClientConfig, Unusable> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let verifier: Arc<dyn ServerCertVerifier> = if self.reject_unauthorized {
            Arc::new(self.authorities(provider)?)
        } else {
            Arc::new(Anyone(provider))
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates("cert", cert)?, private_key(key)?)
                .map_err(|error| format!("`cert` and `key` cannot be used: {error}")),
            _ => Err("`cert` and `key` must be given together".to_owned()),
        }
    }

    fn authorities(&self, provider: Arc<CryptoProvider>) -> Result<Authorities, Unusable> {
        let mut roots = RootCertStore::empty();
        if self.ca.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let mut given = Vec::new();
        for ca in &self.ca {
            given.extend(certificates("ca", ca)?);
        }
        for certificate in &given {
            roots
                .add(certificate.clone())
                .map_err(|error| format!("`ca` cannot be used: {error}"))?;
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| format!("`ca` cannot be used: {error}"))?;
        Ok(Authorities { chains, given })
    }

    /// The name that the server at `host` has to prove.
    ///
    /// # Errors
    ///
    /// A sentence, if there can be no such name.
    pub fn name(&self, host: &str) -> Result<ServerName<'static>, Unusable> {
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

/// Takes what the given authorities have signed, and the given certificates themselves: a
/// self-signed one that calls itself an authority, as most tools make them, is its own proof.
#[derive(Debug)]
struct Authorities {
    chains: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Whether all is well with a certificate but that it is one of an authority, used as a
    /// server's. That is found out after its dates were checked, before its name is.
    fn is_only_an_authority(
        &self,
        error: &rustls::Error,
        certificate: &CertificateDer<'_>,
    ) -> bool {
        let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
            return false;
        };
        matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
            && self.given.iter().any(|given| given == certificate)
    }
}

impl ServerCertVerifier for Authorities {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.chains.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(error) if self.is_only_an_authority(&error, certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Self-signed for `localhost`, CA:TRUE, valid from 2026-11-22 to 2126-10-29; made with
    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500
    /// -subj /CN=localhost -addext subjectAltName=DNS:localhost`.
    const SELF_SIGNED: &[u8] = include_bytes!("../../vectors/self-signed.pem");
    /// The same, for another key.
    const OTHER: &[u8] = include_bytes!("../../vectors/self-signed-other.pem");

    fn verify(ca: &[u8], name: &str, year: u64) -> Result<(), String> {
        let options = TlsOptions { ca: vec![ca.to_vec()], ..TlsOptions::default() };
        let authorities = options.authorities(Arc::new(ring::default_provider())).unwrap();
        let certificate = certificates("ca", SELF_SIGNED).unwrap().remove(0);
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952));
        authorities
            .verify_server_cert(&certificate, &[], &name, &[], now)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_trusted_certificate_is_its_own_proof() {
        assert_eq!(verify(SELF_SIGNED, "localhost", 2050), Ok(()));
    }

    #[test]
    fn s39_a_trusted_certificate_still_needs_its_name_its_time_and_its_key() {
        assert!(verify(SELF_SIGNED, "elsewhere", 2050).unwrap_err().contains("not valid for name"));
        assert!(verify(SELF_SIGNED, "localhost", 2200).unwrap_err().contains("expired"));
        assert!(verify(SELF_SIGNED, "localhost", 2020).unwrap_err().contains("not valid yet"));
        assert!(verify(OTHER, "localhost", 2050).is_err());
    }
}
