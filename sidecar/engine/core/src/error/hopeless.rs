//! Why nobody can be reached where another try would end the same: somebody has to change something first.

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hopeless {
    /// DNS answered that there is no such name.
    NoSuchName,
    /// All its addresses are such as no provider has (SSRF).
    Barred,
    /// The certificate's time is over.
    CertificateExpired,
    /// The certificate is for another name.
    CertificateName,
    /// Nobody whom we trust has signed the certificate.
    CertificateIssuer,
    /// The certificate is bad in another way.
    CertificateInvalid,
}

impl Hopeless {
    /// Name in records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoSuchName => "no_such_name",
            Self::Barred => "barred_address",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateName => "certificate_name",
            Self::CertificateIssuer => "certificate_issuer",
            Self::CertificateInvalid => "certificate_invalid",
        }
    }

    /// What is wrong, for messages: completes "the model's provider …".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::NoSuchName => "has a host name that does not exist in DNS",
            Self::Barred => "has a host name that leads to an address where no provider may be",
            Self::CertificateExpired => "shows a certificate that has expired",
            Self::CertificateName => "shows a certificate for another host name",
            Self::CertificateIssuer => "shows a certificate of an authority that is not trusted",
            Self::CertificateInvalid => "shows a certificate that is not valid",
        }
    }
}
