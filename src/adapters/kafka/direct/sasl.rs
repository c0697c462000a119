//! Logging in on a connection of our own: PLAIN, SCRAM (RFC 5802) and OAUTHBEARER (RFC 7628).

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::bytes::{Reader, Writer};
use super::{Line, exchange};
use crate::adapters::kafka::token::TokenSource;
use crate::adapters::secret::{Secret, Secrets};
use crate::ports::settings::{Sasl, SaslMechanism};
use crate::step::StepError;

const HANDSHAKE: i16 = 17;
const AUTHENTICATE: i16 = 36;

/// The most rounds that a broker may ask for: each costs time.
const MOST_ROUNDS: u32 = 1_000_000;

/// Who we are.
pub(super) enum Login {
    /// User name and password.
    Named { mechanism: SaslMechanism, user: String, password: Secret },
    /// A token.
    Token(Arc<TokenSource>),
}

impl Login {
    pub fn new(
        sasl: &Sasl,
        token: Option<&Arc<TokenSource>>,
        secrets: &dyn Secrets,
        invalid: &dyn Fn(String) -> StepError,
    ) -> Result<Self, StepError> {
        let lacks = |field: &str| invalid(format!("`sasl.{field}` is missing, and {} needs it", sasl.mechanism.as_str()));
        if sasl.mechanism == SaslMechanism::OauthBearer {
            return Ok(Self::Token(Arc::clone(token.ok_or_else(|| lacks("token"))?)));
        }
        let user = sasl.username.clone().ok_or_else(|| lacks("username"))?;
        let password = secrets.resolve(sasl.password.as_ref().ok_or_else(|| lacks("password"))?)?;
        Ok(Self::Named { mechanism: sasl.mechanism, user, password })
    }

    pub fn log_in(&self, line: &mut dyn Line) -> io::Result<()> {
        match self {
            Self::Token(source) => {
                let token = source.token().map_err(io::Error::other)?;
                begin(line, SaslMechanism::OauthBearer)?;
                let answer = say(line, format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", token.value.expose()).as_bytes())?;
                // Why: a broker that refuses a token answers with the reason instead of with nothing.
                if answer.is_empty() { Ok(()) } else { Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned())) }
            }
            Self::Named { mechanism: SaslMechanism::Plain, user, password } => {
                begin(line, SaslMechanism::Plain)?;
                say(line, format!("\0{user}\0{}", password.expose()).as_bytes()).map(drop)
            }
            Self::Named { mechanism, user, password } => {
                begin(line, *mechanism)?;
                let hash = if *mechanism == SaslMechanism::ScramSha512 { Hash::Sha512 } else { Hash::Sha256 };
                let nonce = uuid::Uuid::new_v4().simple().to_string();
                let user = user.replace('=', "=3D").replace(',', "=2C");
                let first = format!("n={user},r={nonce}");
                let challenge = text(say(line, format!("n,,{first}").as_bytes())?)?;
                let proof = hash.answer(password.expose(), &first, &nonce, &challenge)?;
                let last = text(say(line, proof.message.as_bytes())?)?;
                if last.split(',').any(|part| part.strip_prefix("v=") == Some(&proof.expected)) {
                    Ok(())
                } else {
                    Err(io::Error::other("the broker does not know our password either"))
                }
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn begin(line: &mut dyn Line, mechanism: SaslMechanism) -> io::Result<()> {
    let mut request = Writer::default();
    request.text(mechanism.as_str());
    let answer = exchange(line, HANDSHAKE, 1, &request.done())?;
    match Reader::new(&answer).i16()? {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("the broker does not know {} here", mechanism.as_str()))),
    }
}

fn say(line: &mut dyn Line, what: &[u8]) -> io::Result<Vec<u8>> {
    let mut request = Writer::default();
    request.bytes(what);
    let answer = exchange(line, AUTHENTICATE, 1, &request.done())?;
    let mut answer = Reader::new(&answer);
    let error = answer.i16()?;
    let told = answer.text()?;
    if error == 0 { Ok(answer.bytes()?.to_vec()) } else { Err(io::Error::other(told.unwrap_or_else(|| format!("error {error}")))) }
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

/// What we say last, and what the broker has to answer to that.
struct Proof {
    message: String,
    expected: String,
}

impl Hash {
    fn code(self, key: &[u8], what: &[u8]) -> io::Result<Vec<u8>> {
        fn of<M: Mac + hmac::digest::KeyInit>(key: &[u8], what: &[u8]) -> io::Result<Vec<u8>> {
            let mut code = <M as Mac>::new_from_slice(key).map_err(io::Error::other)?;
            code.update(what);
            Ok(code.finalize().into_bytes().to_vec())
        }
        match self {
            Self::Sha256 => of::<Hmac<Sha256>>(key, what),
            Self::Sha512 => of::<Hmac<Sha512>>(key, what),
        }
    }

    fn digest(self, what: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(what).to_vec(),
            Self::Sha512 => Sha512::digest(what).to_vec(),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> io::Result<Vec<u8>> {
        let mut last = self.code(password, &[salt, &1_u32.to_be_bytes()].concat())?;
        let mut sum = last.clone();
        for _ in 1..rounds {
            last = self.code(password, &last)?;
            sum.iter_mut().zip(&last).for_each(|(sum, last)| *sum ^= last);
        }
        Ok(sum)
    }

    fn answer(self, password: &str, first: &str, nonce: &str, challenge: &str) -> io::Result<Proof> {
        let part = |name: &str| challenge.split(',').find_map(|part| part.strip_prefix(name));
        let wrong = || io::Error::other("the broker's challenge cannot be read");
        let joint = part("r=").filter(|joint| joint.starts_with(nonce)).ok_or_else(wrong)?;
        let salt = STANDARD.decode(part("s=").ok_or_else(wrong)?).map_err(io::Error::other)?;
        let rounds: u32 = part("i=").and_then(|rounds| rounds.parse().ok()).filter(|rounds| *rounds <= MOST_ROUNDS).ok_or_else(wrong)?;
        let salted = self.salted(password.as_bytes(), &salt, rounds)?;
        let mut message = format!("c=biws,r={joint}");
        let signed = format!("{first},{challenge},{message}");
        let key = self.code(&salted, b"Client Key")?;
        let signature = self.code(&self.digest(&key), signed.as_bytes())?;
        let proof: Vec<u8> = key.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        let _ = write!(message, ",p={}", STANDARD.encode(proof));
        let expected = STANDARD.encode(self.code(&self.code(&salted, b"Server Key")?, signed.as_bytes())?);
        Ok(Proof { message, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let (first, nonce) = ("n=user,r=rOprNGfwEbeRWgbNEkqO", "rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = Hash::Sha256.answer("pencil", first, nonce, challenge).unwrap();
        assert!(proof.message.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{}", proof.message);
        assert_eq!(proof.expected, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_challenge_that_makes_no_sense_is_refused() {
        for challenge in ["", "r=other,s=,i=1", "r=n1,s=AA==,i=0x", "r=n1,s=AA==,i=4000000000", "r=n1,s=%,i=1"] {
            assert!(Hash::Sha512.answer("p", "n=u,r=n", "n", challenge).is_err(), "{challenge}");
        }
    }
}
