//! Certificates for HTTP: which authorities to trust, who we are, and telling distrust from silence.

use std::sync::Once;

use reqwest::{Certificate, ClientBuilder, Identity};

use crate::adapters::secret::Secrets;
use crate::adapters::trust;
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

/// Why one side does not trust the other, when that is what a failure means; with how to mend it.
pub(super) fn distrust(error: &reqwest::Error, said: &str, ours: Option<&Tls>) -> Option<String> {
    let found = trust::inside(error)?;
    Some(trust::advice(found, "the server", ours).unwrap_or_else(|| said.to_owned()))
}
