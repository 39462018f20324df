//! A certificate authority for the TLS listener of a test.

use std::ops::Range;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

/// An authority that nobody trusts who is not told to.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate for `localhost` and `127.0.0.1`, and its private key; both in PEM.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate alone.
    pub certificate: String,
    /// The private key, P-256.
    pub key: String,
}

impl Authority {
    /// A new authority.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Its own certificate, in PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate that is valid now.
    #[must_use]
    pub fn issue(&self) -> IssuedCertificate {
        self.issue_for(2020..2999)
    }

    /// A certificate from the first day of one year up to that of another.
    #[must_use]
    pub fn issue_for(&self, years: Range<i32>) -> IssuedCertificate {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let mut params = CertificateParams::new(names.to_vec()).unwrap();
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        let key = KeyPair::generate().unwrap();
        IssuedCertificate {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
