//! When a certificate ends: the one field of X.509 that TLS libraries tell of nobody's own certificate.

use rustls::pki_types::CertificateDer;
use yasna::tags::TAG_UTCTIME;
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag};

/// Unix time in milliseconds from which on it is not valid any more; `None`: it is no certificate.
pub(super) fn ends_ms(certificate: &CertificateDer<'_>) -> Option<i64> {
    let parsed = yasna::parse_der(certificate, |whole| {
        whole.read_sequence(|whole| {
            let ends_s = whole.next().read_sequence(signed_part)?;
            rest(whole)?;
            Ok(ends_s)
        })
    });
    // It is valid within its last second, too (RFC 5280, 4.1.2.5).
    parsed.ok().map(|ends_s| (ends_s + 1) * 1_000)
}

/// Version, serial number, algorithm, issuer, then the validity.
fn signed_part(part: &mut BERReaderSeq<'_, '_>) -> ASN1Result<i64> {
    part.read_optional(|version| version.read_tagged(Tag::context(0), |it| it.read_der()))?;
    for _ in ["serial number", "algorithm", "issuer"] {
        part.next().read_der()?;
    }
    let ends_s = part.next().read_sequence(|validity| {
        validity.next().read_der()?;
        unix_s(validity.next())
    })?;
    rest(part)?;
    Ok(ends_s)
}

/// Years to 2049 have two digits, later ones four.
fn unix_s(time: BERReader<'_, '_>) -> ASN1Result<i64> {
    if time.lookahead_tag()? == TAG_UTCTIME {
        time.read_utctime().map(|it| it.datetime().unix_timestamp())
    } else {
        time.read_generalized_time().map(|it| it.datetime().unix_timestamp())
    }
}

/// What follows says nothing of the end.
fn rest(sequence: &mut BERReaderSeq<'_, '_>) -> ASN1Result<()> {
    while sequence.read_optional(|it| it.read_tagged_der())?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn until(year: i32) -> Option<i64> {
        let mut params = CertificateParams::new(vec!["gateway.a.svc".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 3, 1);
        ends_ms(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der())
    }

    #[test]
    fn the_end_is_read_in_either_form_of_years() {
        assert_eq!(until(2027), Some(1_803_859_201_000));
        assert_eq!(until(2061), Some(2_876_860_801_000));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for bytes in [&b""[..], b"garbage", &[0x30, 0x02, 0x30, 0x00]] {
            assert_eq!(ends_ms(&CertificateDer::from(bytes)), None);
        }
    }
}
