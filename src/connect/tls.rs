//! TLS as libpq does it: `require` encrypts, and checks the certificate only against given authorities; `verify-ca`
//! checks who signed the certificate, `verify-full` also its host name.
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>

use std::path::{Path, PathBuf};
use std::sync::Arc;

use holdfast_core::diagnose::connection::{CertificateCheck, RDS_AUTHORITIES};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why `--ca-file` can't be used.
#[derive(Debug, thiserror::Error)]
#[error("--ca-file {}: {why}; that of RDS is at {RDS_AUTHORITIES}", path.display())]
pub struct AuthoritiesError {
    path: PathBuf,
    why: Unusable,
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    Read(#[from] std::io::Error),
    #[error("no PEM file of certificates ({0})")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("a certificate in it can't be used ({0})")]
    Certificate(#[from] Error),
    #[error("it holds no certificate")]
    Empty,
}

/// The certificates of authorities, from a PEM file.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// If it can't be read, or has no certificate.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        read_roots(path)
            .map(|roots| Self(Arc::new(roots)))
            .map_err(|why| AuthoritiesError {
                path: path.to_owned(),
                why,
            })
    }
}

fn read_roots(path: &Path) -> Result<RootCertStore, Unusable> {
    let text = std::fs::read(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err(Unusable::Empty);
    }
    Ok(roots)
}

/// How to protect a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Without TLS.
    Plain,
    /// With TLS if the server has it.
    IfOffered,
    /// With TLS and any certificate.
    Encrypted,
    /// With TLS and a certificate from a given authority.
    Authority,
    /// With TLS and a certificate from a given authority for this host.
    Host,
}

impl Mode {
    /// The meaning of an `sslmode`. If there are authorities, `require` checks the certificate, as libpq does. `allow`
    /// is treated as `prefer`: with both, the connection ends up with what the server accepts.
    pub(super) fn of(sslmode: Option<&str>, authorities: bool) -> Self {
        match sslmode {
            Some("disable") => Self::Plain,
            Some("require") if authorities => Self::Authority,
            Some("require" | "no-verify") => Self::Encrypted,
            Some("verify-ca") => Self::Authority,
            Some("verify-full") => Self::Host,
            _ => Self::IfOffered,
        }
    }

    /// What is checked of the certificate.
    pub(super) fn checked(self) -> CertificateCheck {
        match self {
            Self::Plain | Self::IfOffered | Self::Encrypted => CertificateCheck::Nothing,
            Self::Authority => CertificateCheck::Authority,
            Self::Host => CertificateCheck::Host,
        }
    }
}

/// The TLS configuration of the client. `None` if the mode needs authorities and there are none.
pub(super) fn client(mode: Mode, authorities: Option<&Authorities>) -> Result<Option<ClientConfig>, Error> {
    // Explicit: the default of the process depends on what else is linked.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = |authorities: &Authorities| {
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&authorities.0), Arc::clone(&provider))
            .build()
            .map_err(|e| Error::General(e.to_string()))
    };
    let verifier: Arc<dyn ServerCertVerifier> = match (mode, authorities) {
        (Mode::Authority | Mode::Host, None) => return Ok(None),
        (Mode::Host, Some(authorities)) => roots(authorities)?,
        (Mode::Authority, Some(authorities)) => Arc::new(PartialVerifier {
            chain: Some(roots(authorities)?),
            provider: Arc::clone(&provider),
        }),
        (Mode::Plain | Mode::IfOffered | Mode::Encrypted, _) => Arc::new(PartialVerifier {
            chain: None,
            provider: Arc::clone(&provider),
        }),
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Some(client))
}

/// Checks who signed a certificate but not its host name, or nothing at all.
#[derive(Debug)]
struct PartialVerifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PartialVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked last, so the chain is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_libpq() {
        for (word, authorities, mode) in [
            (None, false, Mode::IfOffered),
            (Some("disable"), true, Mode::Plain),
            (Some("allow"), false, Mode::IfOffered),
            (Some("prefer"), true, Mode::IfOffered),
            (Some("require"), false, Mode::Encrypted),
            (Some("require"), true, Mode::Authority),
            (Some("no-verify"), true, Mode::Encrypted),
            (Some("verify-ca"), false, Mode::Authority),
            (Some("verify-full"), true, Mode::Host),
        ] {
            assert_eq!(Mode::of(word, authorities), mode, "{word:?} {authorities}");
        }
        assert!(client(Mode::Host, None).is_ok_and(|c| c.is_none()));
        assert!(client(Mode::Encrypted, None).is_ok_and(|c| c.is_some()));
    }
}
