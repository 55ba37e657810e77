//! TLS as libpq does it: `require` encrypts and checks nothing unless authorities are given, `verify-ca` checks who
//! signed the certificate, `verify-full` also whom it is for.
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use holdfast_core::diagnose::connection::{CertificateCheck, RDS_AUTHORITIES};

/// Certificates of authorities, from a PEM file.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// If it can't be read, or holds no certificate.
    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |why: String| {
            format!(
                "--ca-file {}: {why}; that of RDS is at {RDS_AUTHORITIES}",
                path.display()
            )
        };
        let text = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&text) {
            let certificate = certificate.map_err(|e| wrong(format!("no PEM file of certificates ({e})")))?;
            roots
                .add(certificate)
                .map_err(|e| wrong(format!("a certificate in it can't be used ({e})")))?;
        }
        if roots.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
        Ok(Self(Arc::new(roots)))
    }
}

/// How a connection is to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not at all.
    Plain,
    /// With TLS where the server has it.
    IfOffered,
    /// With TLS, whatever the certificate.
    Encrypted,
    /// With TLS and a certificate that a given authority signed.
    Authority,
    /// And that is for this host.
    Host,
}

impl Mode {
    /// What an `sslmode` means. With authorities at hand `require` checks them, as libpq does where it finds some.
    /// `allow` is taken for `prefer`: both end up with whatever the server lets in.
    pub fn of(sslmode: Option<&str>, authorities: bool) -> Self {
        match sslmode {
            Some("disable") => Self::Plain,
            Some("require") if authorities => Self::Authority,
            Some("require" | "no-verify") => Self::Encrypted,
            Some("verify-ca") => Self::Authority,
            Some("verify-full") => Self::Host,
            _ => Self::IfOffered,
        }
    }

    pub fn checked(self) -> CertificateCheck {
        match self {
            Self::Plain | Self::IfOffered | Self::Encrypted => CertificateCheck::Nothing,
            Self::Authority => CertificateCheck::Authority,
            Self::Host => CertificateCheck::Host,
        }
    }
}

/// The client's side of TLS. `None` if the mode wants authorities and there are none.
pub(super) fn client(mode: Mode, authorities: Option<&Authorities>) -> Result<Option<ClientConfig>, Error> {
    // Named, and not the process's default: which one that is depends on what else is linked in.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = |authorities: &Authorities| {
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&authorities.0), Arc::clone(&provider))
            .build()
            .map_err(|e| Error::General(e.to_string()))
    };
    let verifier: Arc<dyn ServerCertVerifier> = match (mode, authorities) {
        (Mode::Authority | Mode::Host, None) => return Ok(None),
        (Mode::Host, Some(authorities)) => roots(authorities)?,
        (Mode::Authority, Some(authorities)) => Arc::new(Lenient {
            chain: Some(roots(authorities)?),
            provider: Arc::clone(&provider),
        }),
        (Mode::Plain | Mode::IfOffered | Mode::Encrypted, _) => Arc::new(Lenient {
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

/// Checks less of a certificate than a browser would: who signed it, or nothing.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
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
            // The name is looked at last, so the chain is good.
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
