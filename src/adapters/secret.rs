//! Secrets: found where `cutover.yaml` points when they are needed, carried in a type that does not print, and scrubbed from every
//! text that leaves the program. It owns no copy on disk and knows no system that uses a secret.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::ports::settings::SecretRef;
use crate::step::StepError;

/// What stands in place of a secret.
pub const REDACTED: &str = "[secret]";

/// Shorter secrets are not looked for in texts: they would blot out ordinary words.
const SHORTEST: usize = 6;

/// The shortest line of a secret of several lines that is looked for.
const SHORTEST_LINE: usize = 8;

/// A secret value. It prints as `[secret]`, compares and serialises not at all.
#[derive(Clone)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self(Arc::from(value))
    }

    /// The value itself, for the one call that hands it to the system that asks for it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Finds secrets.
pub trait Secrets: Send + Sync {
    /// The value behind a reference, as it is now.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when there is none; an empty value counts as none.
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, StepError>;

    /// What takes the secrets that were handed out here out of texts; nothing is known to it where nobody keeps one.
    fn redactor(&self) -> Arc<Redactor> {
        Arc::default()
    }
}

/// The secrets of this process: its environment and the files that it may read. What it hands out, the redactor learns.
#[derive(Clone, Debug, Default)]
pub struct ProcessSecrets {
    redactor: Arc<Redactor>,
}

impl ProcessSecrets {
    /// Secrets whose values `redactor` will scrub from now on.
    #[must_use]
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor }
    }
}

impl Secrets for ProcessSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, StepError> {
        let found = match reference {
            SecretRef::Env(name) => std::env::var(name).ok(),
            SecretRef::File(path) => std::fs::read_to_string(path).ok().map(without_last_line_feed),
        };
        let value = found.filter(|value| !value.is_empty()).ok_or_else(|| StepError::NoSecret { reference: reference.to_string() })?;
        self.redactor.learn(&value);
        Ok(Secret::new(&value))
    }

    fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

fn without_last_line_feed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// Takes known secrets out of texts.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Every form that is looked for.
    forms: RwLock<Forms>,
}

/// Longest first, so that no form hides a longer one that holds it.
#[derive(Default)]
struct Forms(Vec<String>);

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} forms", self.0.len())
    }
}

impl Redactor {
    /// Remembers a value and the forms in which it usually travels: base64 at any place within a longer text, percent encoding,
    /// JSON escapes, and each line of a value that has several. Values of fewer than six characters are not remembered.
    pub fn learn(&self, value: &str) {
        if value.chars().count() < SHORTEST {
            return;
        }
        let mut new = forms_of(value);
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        new.extend(forms.0.drain(..));
        forms.0 = new.into_iter().collect();
        forms.0.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// Forgets a value that is of no use to anybody any more, such as a token that has expired.
    pub fn forget(&self, value: &str) {
        let old = forms_of(value);
        self.forms.write().unwrap_or_else(PoisonError::into_inner).0.retain(|form| !old.contains(form));
    }

    /// The text with `[secret]` in place of every known form.
    #[must_use]
    pub fn scrub(&self, text: &str) -> String {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for form in &forms.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), REDACTED);
            }
        }
        text
    }
}

fn forms_of(value: &str) -> BTreeSet<String> {
    let mut forms = BTreeSet::from([value.to_owned()]);
    for shift in 0..3 {
        forms.extend(base64_core(value.as_bytes(), shift, &STANDARD_NO_PAD));
        forms.extend(base64_core(value.as_bytes(), shift, &URL_SAFE_NO_PAD));
    }
    let upper = percent_encoded(value);
    forms.insert(upper.replace("%20", "+"));
    forms.insert(upper.to_lowercase());
    forms.insert(upper);
    if let Ok(json) = serde_json::to_string(value) {
        forms.insert(json.trim_matches('"').to_owned());
    }
    if value.contains('\n') {
        // Why: a key in PEM is often printed line by line; its first and last line are no secret.
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
        forms.extend(lines.map(str::to_owned));
    }
    forms.retain(|form| form.chars().count() >= SHORTEST);
    forms
}

/// The base64 characters that depend on nothing but the secret when `shift` bytes (mod 3) stand before it, as in `user:password`.
fn base64_core(secret: &[u8], shift: usize, engine: &impl Engine) -> Option<String> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret);
    let encoded = engine.encode(&bytes);
    let first = (shift * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    encoded.get(first..last).filter(|core| core.len() >= SHORTEST).map(str::to_owned)
}

fn percent_encoded(value: &str) -> String {
    use fmt::Write;
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2-hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
        assert_eq!(secret.expose(), "hunter2-hunter2");
    }

    #[test]
    fn a_file_is_read_when_asked_and_loses_its_last_line_feed_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("password");
        let reference = SecretRef::File(path.display().to_string());
        let redactor = Arc::new(Redactor::default());
        let secrets = ProcessSecrets::new(Arc::clone(&redactor));

        let missing = secrets.resolve(&reference).unwrap_err();
        assert_eq!(missing, StepError::NoSecret { reference: reference.to_string() });
        std::fs::write(&path, "\n").unwrap();
        assert!(secrets.resolve(&reference).is_err(), "an empty file is no secret");
        std::fs::write(&path, "first line\nsecond line\r\n").unwrap();
        assert_eq!(secrets.resolve(&reference).unwrap().expose(), "first line\nsecond line");
        std::fs::write(&path, "rotated value").unwrap();
        assert_eq!(secrets.resolve(&reference).unwrap().expose(), "rotated value");
        assert_eq!(redactor.scrub("it was rotated value"), "it was [secret]");
    }

    #[test]
    fn the_environment_is_read_and_a_missing_variable_is_named() {
        let secrets = ProcessSecrets::default();
        assert!(secrets.resolve(&SecretRef::Env("PATH".to_owned())).is_ok());
        let missing = secrets.resolve(&SecretRef::Env("CUTOVER_TEST_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
        assert!(missing.to_string().contains("env:CUTOVER_TEST_NO_SUCH_VARIABLE"), "{missing}");
    }

    #[test]
    fn every_usual_form_is_scrubbed() {
        let redactor = Redactor::default();
        let value = "p@ss \"wörd\"/1";
        redactor.learn(value);
        let carriers = [
            value.to_owned(),
            STANDARD.encode(format!("user:{value}")),
            STANDARD.encode(format!("userx:{value}")),
            STANDARD.encode(format!("userxy:{value}, and more")),
            URL_SAFE_NO_PAD.encode(value),
            percent_encoded(value),
            percent_encoded(value).to_lowercase(),
            serde_json::to_string(value).unwrap(),
        ];
        for carrier in carriers {
            let scrubbed = redactor.scrub(&format!("before {carrier} after"));
            assert!(scrubbed.contains(REDACTED), "{carrier} -> {scrubbed}");
            assert!(scrubbed.starts_with("before ") && scrubbed.ends_with(" after"), "{scrubbed}");
        }
    }

    #[test]
    fn a_longer_secret_is_taken_out_whole_and_a_short_one_is_left() {
        let redactor = Redactor::default();
        redactor.learn("secret-one");
        redactor.learn("secret-one-and-two");
        redactor.learn("kafka");
        assert_eq!(redactor.scrub("kafka secret-one-and-two secret-one"), "kafka [secret] [secret]");
    }

    #[test]
    fn what_is_forgotten_is_not_looked_for_any_more() {
        let redactor = Redactor::default();
        redactor.learn("the-first-token");
        redactor.learn("the-second-token");
        redactor.forget("the-first-token");
        assert_eq!(redactor.scrub("the-first-token the-second-token"), "the-first-token [secret]");
    }

    #[test]
    fn lines_of_a_key_are_scrubbed_one_by_one() {
        let redactor = Redactor::default();
        redactor.learn("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----");
        assert_eq!(redactor.scrub("line kqhkiG9w0BAQEF of it"), "line [secret] of it");
    }
}
