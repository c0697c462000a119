//! Certificates: what TLS is told to trust and to show, and what a failed handshake means for people. Knows no protocol above TLS.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::secret::Secrets;
use crate::ports::settings::Tls;
use crate::step::StepError;

/// The client's side of TLS as the settings say it. With `ca` given, the system's own store is not trusted.
///
/// # Errors
/// [`StepError::NoSecret`] for a missing key; else `invalid` of what cannot be read, which never repeats a line of it.
pub(super) fn client(tls: &Tls, secrets: &dyn Secrets, invalid: &dyn Fn(String) -> StepError) -> Result<Arc<ClientConfig>, StepError> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            for authority in certificates("ca", path, invalid)? {
                roots.add(authority).map_err(|error| invalid(format!("`tls.ca`: {path} holds something that is no authority: {error}")))?;
            }
        }
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| invalid(error.to_string()))?.with_root_certificates(roots);
    let config = match (&tls.certificate, &tls.key) {
        (Some(path), Some(key)) => {
            let secret = secrets.resolve(key)?;
            // Why: the library's reason may repeat a line of the key.
            let unfit = || invalid(format!("`tls`: {path} and the key {key} are not a certificate and its key in PEM"));
            let shown = PrivateKeyDer::from_pem_slice(secret.expose().as_bytes()).map_err(|_| unfit())?;
            builder.with_client_auth_cert(certificates("certificate", path, invalid)?, shown).map_err(|_| unfit())?
        }
        (Some(_), None) => return Err(invalid("`tls.certificate` needs `tls.key`".to_owned())),
        (None, Some(_)) => return Err(invalid("`tls.key` needs `tls.certificate`".to_owned())),
        (None, None) => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn certificates(field: &str, path: &str, invalid: &dyn Fn(String) -> StepError) -> Result<Vec<CertificateDer<'static>>, StepError> {
    let bytes = std::fs::read(Path::new(path)).map_err(|error| invalid(format!("`tls.{field}`: {path} cannot be read: {error}")))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    if found.is_empty() { Err(invalid(format!("`tls.{field}`: {path} holds no certificate in PEM"))) } else { Ok(found) }
}

/// What a failed handshake means and how to mend it, when it is one of the usual mistakes. `whose` is the other side, for
/// instance `the broker`.
pub(super) fn advice(error: &rustls::Error, whose: &str, ours: Option<&Tls>) -> Option<String> {
    use rustls::Error::{AlertReceived, InvalidCertificate};
    let trusted = ours.and_then(|tls| tls.ca.as_ref());
    let shown = ours.is_some_and(|tls| tls.certificate.is_some());
    Some(match error {
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            format!("{whose}'s certificate has expired; it has to be renewed there, and if it was, the clock of this machine is wrong")
        }
        InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            format!("{whose}'s certificate is not valid yet; the clock of this machine or of that one is wrong")
        }
        InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => format!(
            "{whose}'s certificate is not for `{}` but for {}; write the name that the certificate has, or have one issued for this name",
            expected.to_str(),
            if presented.is_empty() { "no name at all".to_owned() } else { presented.join(", ") }
        ),
        InvalidCertificate(CertificateError::NotValidForName) => {
            format!("{whose}'s certificate is for another name; write the name that the certificate has, or have one issued for this name")
        }
        InvalidCertificate(CertificateError::UnknownIssuer) => match trusted {
            Some(path) => format!(
                "{whose}'s certificate is not signed by an authority in {path}; put the authority that signed it into that file of `tls.ca`"
            ),
            None => {
                format!("{whose}'s certificate is signed by an authority that this machine does not know; name a file with it as `tls.ca`")
            }
        },
        AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure | AlertDescription::BadCertificate)
            if !shown =>
        {
            format!("{whose} wants a certificate from us; set `tls.certificate` and `tls.key`")
        }
        AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied),
        ) => format!("{whose} does not accept our certificate ({alert:?}); see `tls.certificate` and `tls.key`"),
        _ => return None,
    })
}

/// The error of TLS inside another one, however deep; I/O errors do not show what they wrap as their source.
pub(super) fn inside<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let wrapped = wrapped.and_then(|wrapped| inside(wrapped));
    wrapped.or_else(|| error.source().and_then(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_tls_is_found_however_deep_it_is_wrapped() {
        let tls = || rustls::Error::General("no".to_owned());
        assert!(inside(&tls()).is_some());
        assert!(inside(&io::Error::other(io::Error::other(tls()))).is_some());
        assert!(inside(&io::Error::other("reset")).is_none());
    }

    #[test]
    fn the_usual_mistakes_have_a_way_out() {
        let tls = Tls { ca: Some("/etc/ca.pem".to_owned()), ..Tls::default() };
        let told = |error| advice(&rustls::Error::InvalidCertificate(error), "the broker", Some(&tls)).unwrap();
        assert!(told(CertificateError::Expired).contains("expired"));
        assert!(told(CertificateError::UnknownIssuer).contains("/etc/ca.pem"));
        assert!(told(CertificateError::NotValidForName).contains("another name"));
        assert_eq!(advice(&rustls::Error::DecryptError, "the broker", None), None);
    }
}
