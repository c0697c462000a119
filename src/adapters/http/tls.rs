//! Certificates for HTTP: which authorities to trust, who we are, and telling distrust from silence.

use std::error::Error;
use std::io;
use std::sync::Once;

use reqwest::{Certificate, ClientBuilder, Identity};

use crate::adapters::secret::Secrets;
use crate::ports::settings::Tls;
use crate::step::StepError;

/// Makes ring the one provider of cryptography in this process.
pub(super) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Why: somebody who linked us may have chosen a provider before, and that one is fine, too.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Adds the authorities and our identity. With `ca` given, the system's own store is not trusted.
pub(super) fn apply(
    mut builder: ClientBuilder,
    tls: Option<&Tls>,
    secrets: &dyn Secrets,
    invalid: &dyn Fn(String) -> StepError,
) -> Result<ClientBuilder, StepError> {
    install_provider();
    let Some(tls) = tls else { return Ok(builder) };
    if let Some(path) = &tls.ca {
        let authorities = Certificate::from_pem_bundle(&read("ca", path, invalid)?)
            .map_err(|error| invalid(format!("`tls.ca`: the file {path} holds no certificates in PEM: {error}")))?;
        if authorities.is_empty() {
            return Err(invalid(format!("`tls.ca`: the file {path} holds no certificate in PEM")));
        }
        builder = builder.tls_certs_only(authorities);
    }
    match (&tls.certificate, &tls.key) {
        (None, None) => {}
        (Some(path), Some(key)) => {
            let mut pem = read("certificate", path, invalid)?;
            pem.push(b'\n');
            pem.extend_from_slice(secrets.resolve(key)?.expose().as_bytes());
            pem.push(b'\n');
            // Why: the library's reason may repeat a line of the key.
            let identity = Identity::from_pem(&pem)
                .map_err(|_| invalid(format!("`tls`: the file {path} and the key {key} are not a certificate and its key in PEM")))?;
            builder = builder.identity(identity);
        }
        (Some(_), None) => return Err(invalid("`tls.certificate` needs `tls.key`".to_owned())),
        (None, Some(_)) => return Err(invalid("`tls.key` needs `tls.certificate`".to_owned())),
    }
    Ok(builder)
}

fn read(field: &str, path: &str, invalid: &dyn Fn(String) -> StepError) -> Result<Vec<u8>, StepError> {
    std::fs::read(path).map_err(|error| invalid(format!("`tls.{field}`: the file {path} cannot be read: {error}")))
}

/// Whether a failure means that one side does not trust the other.
pub(super) fn is_distrust(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if holds_tls_error(inner) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// Whether an error is one of TLS, or an I/O error around one; I/O errors do not show what they wrap as their source.
fn holds_tls_error(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.is_some_and(|wrapped| holds_tls_error(wrapped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distrust_is_found_however_deep_it_is_wrapped() {
        let tls = || rustls::Error::General("no".to_owned());
        assert!(holds_tls_error(&tls()));
        assert!(holds_tls_error(&io::Error::other(tls())));
        assert!(holds_tls_error(&io::Error::other(io::Error::other(tls()))));
        assert!(!holds_tls_error(&io::Error::other("reset")));
    }
}
