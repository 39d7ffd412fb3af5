//! As much of a certificate (RFC 5280) as is needed to tell a person about it: who issued it and when it holds.
//!
//! Nothing here decides about trust, except for a certificate that is trusted byte for byte.

/// The issuer as `CN=…, O=…`; empty when it cannot be read.
pub(super) fn issuer(certificate: &[u8]) -> String {
    let parts = fields(certificate)
        .map(|fields| name(fields.issuer))
        .unwrap_or_default();
    parts.join(", ")
}

/// From when until when, as `YYYYMMDDhhmmss`.
pub(super) fn validity(certificate: &[u8]) -> Option<(String, String)> {
    let (from_tag, from, rest) = element(fields(certificate)?.validity)?;
    let (until_tag, until, _) = element(rest)?;
    Some((moment(from_tag, from)?, moment(until_tag, until)?))
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

struct Fields<'a> {
    issuer: &'a [u8],
    validity: &'a [u8],
}

/// Certificate, `TBSCertificate`: perhaps a version, serial, algorithm, issuer, validity, …
fn fields(certificate: &[u8]) -> Option<Fields<'_>> {
    let (_, certificate, _) = element_of(certificate, &[SEQUENCE])?;
    let (_, mut body, _) = element_of(certificate, &[SEQUENCE])?;
    if body.first() == Some(&VERSION) {
        body = element(body)?.2;
    }
    let (_, _, rest) = element(body)?;
    let (_, _, rest) = element(rest)?;
    let (_, issuer, rest) = element_of(rest, &[SEQUENCE])?;
    let (_, validity, _) = element_of(rest, &[SEQUENCE])?;
    Some(Fields { issuer, validity })
}

/// Common name, organisation and unit, in the order in which they stand.
fn name(mut names: &[u8]) -> Vec<String> {
    let mut parts = Vec::new();
    while let Some((_, set, rest)) = element_of(names, &[SET]) {
        parts.extend(attribute(set));
        names = rest;
    }
    parts
}

fn attribute(set: &[u8]) -> Option<String> {
    let (_, pair, _) = element_of(set, &[SEQUENCE])?;
    let (_, oid, rest) = element_of(pair, &[OID])?;
    let (_, value, _) = element(rest)?;
    let label = match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        _ => return None,
    };
    Some(format!("{label}={}", String::from_utf8_lossy(value)))
}

/// Two digits of a year below 50 are of this century (RFC 5280, 4.1.2.5.1).
fn moment(tag: u8, text: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    match (tag, digits.len(), is_number) {
        (TIME, 14, true) => Some(digits.to_owned()),
        (UTC_TIME, 12, true) => Some(format!(
            "{}{digits}",
            if digits < "50" { "20" } else { "19" }
        )),
        _ => None,
    }
}

type Element<'a> = (u8, &'a [u8], &'a [u8]);

fn element_of<'a>(input: &'a [u8], tags: &[u8]) -> Option<Element<'a>> {
    element(input).filter(|(tag, ..)| tags.contains(tag))
}

/// Tag, content, and what follows (X.690, lengths of up to four bytes).
fn element(input: &[u8]) -> Option<Element<'_>> {
    let (tag, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=0x7f => (short, rest),
        long @ 0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
            (
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: i32, until: i32) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in [
            (DnType::CommonName, "Korp Röot"),
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Korp"),
        ] {
            params.distinguished_name.push(kind, value);
        }
        (params.not_before, params.not_after) =
            (date_time_ymd(from, 3, 1), date_time_ymd(until, 12, 31));
        let key = KeyPair::generate().expect("a key");
        params
            .self_signed(&key)
            .expect("a certificate")
            .der()
            .to_vec()
    }

    #[test]
    fn r34_issuer_and_validity_are_read() {
        let read = certificate(1999, 2051);
        assert_eq!(issuer(&read), "CN=Korp Röot, O=Korp");
        let (from, until) = validity(&read).expect("both");
        assert_eq!(
            (from.as_str(), until.as_str()),
            ("19990301000000", "20511231000000")
        );
        let (from, until) = validity(&certificate(2000, 2049)).expect("both");
        assert_eq!(
            (from.as_str(), until.as_str()),
            ("20000301000000", "20491231000000")
        );
    }

    #[test]
    fn what_is_cut_or_altered_is_read_as_nothing_and_never_panics() {
        let whole = certificate(2020, 2030);
        for length in 0..whole.len() {
            assert_eq!(validity(&whole[..length]), None);
            assert_eq!(issuer(&whole[..length]), "");
        }
        for at in 0..whole.len().min(300) {
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut altered = whole.clone();
                altered[at] = byte;
                let _ = (issuer(&altered), validity(&altered));
            }
        }
    }
}
