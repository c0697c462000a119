//! Certificates of an authority that lives as long as the tests, written as PEM files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    directory: PathBuf,
    /// Its own certificate.
    pub file: PathBuf,
}

/// A certificate and its key, each in a file, and both in one.
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub both: PathBuf,
}

impl Authority {
    pub fn new(directory: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let file = directory.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), directory: directory.to_owned(), file }
    }

    /// One that is good for a day.
    pub fn identity(&self, common: &str, names: &[&str]) -> Identity {
        self.sign(common, names, OffsetDateTime::now_utc() + Duration::days(1))
    }

    /// One that was good until yesterday.
    pub fn expired(&self, common: &str, names: &[&str]) -> Identity {
        self.sign(common, names, OffsetDateTime::now_utc() - Duration::days(1))
    }

    fn sign(&self, common: &str, names: &[&str], ends: OffsetDateTime) -> Identity {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.not_before = ends - Duration::days(3);
        params.not_after = ends;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let file = |suffix: &str, text: String| {
            let path = self.directory.join(format!("{common}{suffix}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        Identity {
            both: file("-both.pem", format!("{}{certificate}", key.serialize_pem())),
            key: file("-key.pem", key.serialize_pem()),
            certificate: file(".pem", certificate),
        }
    }
}
