//! Whom TLS connections trust, and what is said of a certificate that is not trusted.

use crate::config::home_path;
use crate::domain::harmless::harmless_within;
use crate::domain::{Certificate, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What decides whom a connection trusts and who it says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trust {
    pub(crate) ca: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) skip_verify: bool,
}

impl From<&crate::config::Client> for Trust {
    fn from(client: &crate::config::Client) -> Self {
        Self {
            ca: client.ca.clone(),
            cert: client.cert.clone(),
            key: client.key.clone(),
            skip_verify: client.skip_verify,
        }
    }
}

/// A trust whose files have been read.
#[derive(Clone, Debug)]
pub(crate) struct Trusted {
    verifier: Arc<Verifier>,
    /// For connections that carry a request.
    config: ClientConfig,
    /// For a look at the certificate alone: accepts anything.
    pub(crate) looking: Arc<ClientConfig>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Trust {
    /// Reads the files it names, and the system's authorities where it names none.
    /// Blocks on the disk.
    pub(crate) fn read(&self) -> Result<Trusted, String> {
        let named = match &self.ca {
            Some(path) => certificates(path)?,
            None if self.skip_verify => Vec::new(),
            None => rustls_native_certs::load_native_certs().certs,
        };
        self.with(named)
    }

    fn with(&self, named: Vec<CertificateDer<'static>>) -> Result<Trusted, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(named.iter().cloned());
        let pinned = if self.ca.is_some() { named } else { Vec::new() };
        let inner = if roots.is_empty() {
            None
        } else {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().ok()
        };
        let verifier = Arc::new(Verifier { inner, pinned, provider: provider() });
        let any = Arc::new(AcceptAny(provider()));
        let mut config = if self.skip_verify {
            self.config(Arc::clone(&any) as Arc<dyn ServerCertVerifier>)?
        } else {
            self.config(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>)?
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let looking = Arc::new(self.config(any)?);
        Ok(Trusted { verifier, config, looking })
    }

    fn config(&self, verifier: Arc<dyn ServerCertVerifier>) -> Result<ClientConfig, String> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let secret = PrivateKeyDer::from_pem_file(home_path(key))
            .map_err(|error| format!("key {key}: {}", pem_words(&error)))?;
        builder
            .with_client_auth_cert(certificates(cert)?, secret)
            .map_err(|error| format!("cert {cert} does not fit key {key}: {error}"))
    }
}

/// A client that will only ever speak plain HTTP needs no authorities.
pub(crate) fn nobody() -> Result<ClientConfig, String> {
    let verifier = Arc::new(Verifier { inner: None, pinned: Vec::new(), provider: provider() });
    Trust::default().config(verifier)
}

fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(home_path(path))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{path}: {}", pem_words(&error)))?;
    if read.is_empty() {
        return Err(format!("{path}: there is no certificate in it"));
    }
    Ok(read)
}

fn pem_words(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound => "no such file".into(),
        Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            "no permission to read it".into()
        }
        Error::NoItemsFound => "there is nothing of this kind in it".into(),
        other => format!("not a PEM file that can be used: {other}"),
    }
}

/// Trusts authorities as browsers do, and beside that exactly those certificates
/// that the config names, even where they sign themselves.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.pinned.iter().any(|pinned| pinned == leaf) {
            let parsed = rustls::server::ParsedCertificate::try_from(leaf)?;
            rustls::client::verify_server_name(&parsed, name)?;
            return in_time(leaf, now).map(|()| ServerCertVerified::assertion());
        }
        match &self.inner {
            Some(inner) => inner.verify_server_cert(leaf, chain, name, ocsp, now),
            None => Err(rustls::Error::General(NO_AUTHORITIES.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Said where this host has no authorities to trust.
const NO_AUTHORITIES: &str = "no CA store on this host; name one with `ca`";

fn in_time(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let bad = |error| rustls::Error::InvalidCertificate(error);
    let (_, parsed) =
        X509Certificate::from_der(leaf).map_err(|_| bad(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if parsed.validity().not_after.timestamp() < now {
        return Err(bad(CertificateError::Expired));
    }
    if parsed.validity().not_before.timestamp() > now {
        return Err(bad(CertificateError::NotValidYet));
    }
    Ok(())
}

/// Accepts any certificate: for a look at it, and where the config says so.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl Trusted {
    /// For requests; fails where there is nobody to trust.
    pub(crate) fn for_requests(&self, trust: &Trust) -> Result<ClientConfig, String> {
        let nobody = self.verifier.inner.is_none() && self.verifier.pinned.is_empty();
        if nobody && !trust.skip_verify {
            return Err(NO_AUTHORITIES.into());
        }
        Ok(self.config.clone())
    }

    /// Reads the leaf of a chain as a server showed it, and judges it at `now`.
    pub(crate) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: Timestamp,
    ) -> Result<Certificate, String> {
        let leaf = chain.first().ok_or("the server showed no certificate")?;
        let mut certificate = read_leaf(leaf)?;
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        let at = UnixTime::since_unix_epoch(Duration::from_millis(millis));
        if let Err(error) = self.verifier.verify_server_cert(leaf, &chain[1..], name, &[], at) {
            certificate.problem = Some(problem(&error, Some(leaf), now));
        }
        Ok(certificate)
    }
}

/// Reads a leaf certificate without judging it.
pub(crate) fn read_leaf(der: &[u8]) -> Result<Certificate, String> {
    let unreadable = |_| "the server's certificate cannot be read".to_owned();
    let (_, leaf) = X509Certificate::from_der(der).map_err(unreadable)?;
    let moment = |at: x509_parser::time::ASN1Time| {
        Timestamp::from_millis(at.timestamp().saturating_mul(1_000))
    };
    Ok(Certificate {
        subject: common_name(leaf.subject())
            .or_else(|| names(&leaf).into_iter().next())
            .unwrap_or_default(),
        issuer: common_name(leaf.issuer()).unwrap_or_default(),
        not_before: moment(leaf.validity().not_before),
        not_after: moment(leaf.validity().not_after),
        problem: None,
    })
}

/// The common name, or else the organization.
fn common_name(name: &x509_parser::x509::X509Name<'_>) -> Option<String> {
    name.iter_common_name()
        .chain(name.iter_organization())
        .find_map(|value| value.as_str().ok())
        .map(|text| harmless_within(text, 80))
}

/// The names that a certificate is for.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = leaf.subject_alternative_name() else { return Vec::new() };
    extension
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(harmless_within(name, 80)),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            GeneralName::IPAddress(bytes) => {
                let sixteen: [u8; 16] = (*bytes).try_into().ok()?;
                Some(std::net::Ipv6Addr::from(sixteen).to_string())
            }
            _ => None,
        })
        .collect()
}

/// Why a certificate is not trusted, in words.
pub(crate) fn problem(
    error: &rustls::Error,
    leaf: Option<&CertificateDer<'_>>,
    now: Timestamp,
) -> String {
    let parsed = leaf.and_then(|der| X509Certificate::from_der(der).ok()).map(|(_, leaf)| leaf);
    let rustls::Error::InvalidCertificate(error) = error else {
        return match error {
            rustls::Error::General(text) => text.clone(),
            other => harmless_within(&other.to_string(), 160),
        };
    };
    let self_signed = parsed.as_ref().is_some_and(|leaf| leaf.subject() == leaf.issuer());
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            match parsed.map(|leaf| leaf.validity().not_after.timestamp()) {
                Some(end) => format!("certificate expired {} ago", days(end, now)),
                None => "certificate expired".into(),
            }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            match parsed.map(|leaf| leaf.validity().not_before.timestamp()) {
                Some(start) => format!("certificate is not valid yet, for {}", days(start, now)),
                None => "certificate is not valid yet".into(),
            }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            match parsed.map(|l| names(&l)) {
                Some(names) if !names.is_empty() => {
                    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
                    format!("certificate is for {} and not for this name", shown.join(", "))
                }
                _ => "certificate is not for this name".into(),
            }
        }
        _ if self_signed => "certificate is self-signed".into(),
        CertificateError::UnknownIssuer => match parsed.and_then(|l| common_name(l.issuer())) {
            Some(issuer) => format!("certificate's issuer {issuer} is not trusted"),
            None => "certificate's issuer is not trusted".into(),
        },
        CertificateError::Revoked => "certificate was revoked".into(),
        CertificateError::BadEncoding => "certificate cannot be read".into(),
        other => harmless_within(&format!("certificate is not accepted: {other}"), 160),
    }
}

/// The time between two moments in whole days, or hours where it is less than two days.
fn days(moment_s: i64, now: Timestamp) -> String {
    let seconds = (moment_s - now.millis() / 1_000).unsigned_abs();
    match seconds / 86_400 {
        0 | 1 => format!("{} h", seconds / 3_600),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_authorities_says_so_and_asks_nobody() {
        let trust = Trust::default();
        let nobody = trust.with(Vec::new()).unwrap();
        assert!(nobody.for_requests(&trust).unwrap_err().starts_with("no CA store"));
        let any = Trust { skip_verify: true, ..Trust::default() };
        assert!(any.with(Vec::new()).unwrap().for_requests(&any).is_ok());
    }

    #[test]
    fn files_that_are_no_certificates_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, "hello").unwrap();
        let trust = Trust { ca: Some(path.display().to_string()), ..Trust::default() };
        assert!(trust.read().unwrap_err().ends_with("there is no certificate in it"));
        let trust = Trust { ca: Some("/no/such.pem".into()), ..Trust::default() };
        assert_eq!(trust.read().unwrap_err(), "/no/such.pem: no such file");
    }

    #[test]
    fn times_are_told_in_days_and_below_two_in_hours() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        assert_eq!(days(1_000_000_000 - 3 * 86_400 - 60, now), "3 days");
        assert_eq!(days(1_000_000_000 + 7_200, now), "2 h");
    }
}
