//! Why there is no connection, and whether another try could change that.

use std::io;

use rustls::{CertificateError, Error};

use crate::error::Hopeless;

/// No connection; nothing was sent.
#[derive(Debug, Clone)]
pub struct Unreached {
    /// A sentence without user data.
    pub why: String,
    /// Another try would end the same, and why.
    pub hopeless: Option<Hopeless>,
}

impl From<String> for Unreached {
    /// It may go better the next time.
    fn from(why: String) -> Self {
        Self { why, hopeless: None }
    }
}

/// What getaddrinfo says of a name that does not exist (`EAI_NONAME`), in glibc's words and in musl's: the
/// standard library passes the words on, not the code. For servers that do not answer it has others.
const NO_SUCH_NAME: [&str; 2] = ["Name or service not known", "Name does not resolve"];

/// Of a lookup that failed.
pub(super) fn of_lookup(error: &io::Error) -> Option<Hopeless> {
    let said = error.to_string();
    NO_SUCH_NAME.iter().any(|words| said.ends_with(words)).then_some(Hopeless::NoSuchName)
}

/// Of a TLS handshake that failed.
pub(super) fn of_handshake(error: &io::Error) -> Option<Hopeless> {
    let Some(Error::InvalidCertificate(wrong)) = error.get_ref()?.downcast_ref::<Error>() else {
        return None;
    };
    Some(match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Hopeless::CertificateExpired
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Hopeless::CertificateName
        }
        CertificateError::UnknownIssuer => Hopeless::CertificateIssuer,
        _ => Hopeless::CertificateInvalid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_told_from_a_server_that_does_not_answer() {
        let said = |words: &str| {
            io::Error::other(["failed to lookup address information: ", words].concat())
        };
        for (words, found) in [
            ("Name or service not known", Some(Hopeless::NoSuchName)),
            ("Name does not resolve", Some(Hopeless::NoSuchName)),
            ("Temporary failure in name resolution", None),
            ("Try again", None),
            ("Non-recoverable failure in name resolution", None),
            ("No address associated with hostname", None),
        ] {
            assert_eq!(of_lookup(&said(words)), found, "{words}");
        }
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_word_and_other_faults_of_tls_have_none() {
        let of = |error: Error| of_handshake(&io::Error::other(error));
        for (wrong, found) in [
            (CertificateError::Expired, Hopeless::CertificateExpired),
            (CertificateError::NotValidForName, Hopeless::CertificateName),
            (CertificateError::UnknownIssuer, Hopeless::CertificateIssuer),
            (CertificateError::NotValidYet, Hopeless::CertificateInvalid),
            (CertificateError::BadSignature, Hopeless::CertificateInvalid),
        ] {
            assert_eq!(of(Error::InvalidCertificate(wrong)), Some(found));
        }
        assert_eq!(of(Error::HandshakeNotComplete), None);
        assert_eq!(of_handshake(&io::ErrorKind::ConnectionReset.into()), None);
    }
}
