//! One-time codes of authenticator apps: TOTP (RFC 6238) with SHA-1, six digits and 30 seconds, which every app knows.

use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::{constant_time_eq, random_bytes};

/// Octets of a secret: as many as SHA-1 gives (RFC 4226 §4, R6).
const SECRET_LEN: usize = 20;
/// Seconds for which a code is shown.
const PERIOD: i64 = 30;
/// Steps that a clock may be off, in either direction (RFC 6238 §5.2).
const WINDOW: i64 = 1;
const DIGITS: usize = 6;

/// The period of 30 seconds, since 1970, that a code belongs to. Keep the last one used: a code of the same or an
/// earlier step was seen before (RFC 6238 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotpStep(i64);

impl TotpStep {
    /// Wraps a number that was stored.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// The secret that an authenticator app shares with us. Seal it at rest. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_LEN]>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(redacted)")
    }
}

impl TotpSecret {
    /// Generates a secret.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// Wraps octets read back from storage.
    #[must_use]
    pub const fn from_bytes(octets: Zeroizing<[u8; SECRET_LEN]>) -> Self {
        Self(octets)
    }

    /// The octets to seal.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }

    /// The secret as people type it: base32 (RFC 4648 §6), 32 characters. It wipes itself.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bit = |place: usize| usize::from(self.0[place / 8] >> (7 - place % 8) & 1);
        let characters = (0..SECRET_LEN * 8).step_by(5).map(|start| {
            let index = (start..start + 5).fold(0, |index, place| index << 1 | bit(place));
            char::from(ALPHABET[index])
        });
        Zeroizing::new(characters.collect())
    }

    /// What stands in the picture that an app reads. `issuer` and `account` are what it shows beside the code. It wipes
    /// itself.
    #[must_use]
    pub fn to_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.to_base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={PERIOD}",
            *secret
        ))
    }

    /// What the app shows at a time, in Unix seconds.
    #[must_use]
    pub fn code_at(&self, now: i64) -> String {
        self.code(TotpStep(now.div_euclid(PERIOD)))
    }

    /// The step of this code, when it is that of `now` (in Unix seconds) or of one step before or after; the latest one
    /// if there are several. Each is compared in constant time. Refuse a step that is not after the last one used.
    #[must_use]
    pub fn verify(&self, code: &str, now: i64) -> Option<TotpStep> {
        let current = now.div_euclid(PERIOD);
        // All are compared, whichever fits.
        (current - WINDOW..=current + WINDOW)
            .map(TotpStep)
            .fold(None, |found, step| {
                match constant_time_eq(self.code(step).as_bytes(), code.as_bytes()) {
                    true => Some(step),
                    false => found,
                }
            })
    }

    /// HOTP of the step (RFC 4226 §5.3).
    fn code(&self, step: TotpStep) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_slice());
        let tag = hmac::sign(&key, &step.0.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag[tag.len() - 1] & 0xf);
        let number = tag[offset..offset + 4]
            .iter()
            .fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
        format!("{:0DIGITS$}", (number & 0x7fff_ffff) % 1_000_000)
    }
}

/// Everything but the unreserved characters of RFC 3986 §2.3 as `%` and two digits.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(octet));
            }
            _ => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 4226, appendix D, and RFC 6238, appendix B.
    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(Zeroizing::new(*b"12345678901234567890"))
    }

    #[test]
    fn the_codes_are_those_of_rfc_4226() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(secret().code(TotpStep(step)), code);
        }
    }

    /// RFC 6238 shows eight digits; these are the last six.
    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret().code_at(now), code);
            let step = TotpStep::from_number(now / 30);
            assert_eq!(secret().verify(code, now), Some(step));
        }
    }

    #[test]
    fn a_code_serves_one_step_early_or_late_and_no_more() {
        let now = 1_234_567_890;
        let code = secret().code_at(now);
        let step = Some(TotpStep(now / 30));
        for later in [-30, -1, 0, 29, 30, 59] {
            assert_eq!(secret().verify(&code, now + later), step, "{later}");
        }
        for later in [-90, -31, 60, 90] {
            assert_eq!(secret().verify(&code, now + later), None, "{later}");
        }
        // The same step however often it is asked: that it serves once is the caller's to refuse.
        assert_eq!(
            secret().verify(&code, now),
            secret().verify(&code, now + 30)
        );
    }

    #[test]
    fn a_code_is_six_digits_and_nothing_else() {
        let now = 59;
        for code in [
            "",
            "28708",
            "2870820",
            "94287082",
            " 287082",
            "287 082",
            "２８７０８２",
            "000000",
        ] {
            assert_eq!(secret().verify(code, now), None, "{code}");
        }
        assert_eq!(TotpSecret::generate().code_at(0).len(), 6);
        assert_eq!(secret().verify("287082", -1), None);
    }

    #[test]
    fn the_secret_is_written_as_apps_read_it() {
        let text = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(*secret().to_base32(), text);
        assert_eq!(
            *secret().to_uri("Countersign & Söhne", "ana@example.com"),
            format!(
                "otpauth://totp/Countersign%20%26%20S%C3%B6hne:ana%40example.com?secret={text}\
                 &issuer=Countersign%20%26%20S%C3%B6hne&algorithm=SHA1&digits=6&period=30"
            )
        );
        assert!(!format!("{:?}", secret()).contains("GEZ"));
        assert_ne!(
            TotpSecret::generate().as_bytes(),
            TotpSecret::generate().as_bytes()
        );
    }
}
