//! Why a key was not imported: one flat list, each with a stable code and a sentence that says what to do.

use super::private::PrivateKeyForm;
use crate::PublicKeyRejected;

/// Why a key was refused at registration (`conformance.md` K1 to K11).
///
/// Neither `Debug` nor `Display` contains anything of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// It has a critical extension that we cannot process (RFC 5280 §4.2).
    #[error(
        "the certificate has a critical extension that is not understood here: register the \
         public key alone (openssl x509 -in cert.pem -noout -pubkey)"
    )]
    CertificateCriticalExtension,
    /// Its notAfter lies in the past.
    #[error(
        "the certificate has expired: renew it, or register the public key alone (openssl \
         x509 -in cert.pem -noout -pubkey)"
    )]
    CertificateExpired,
    /// basicConstraints says CA:TRUE.
    #[error(
        "this is the certificate of an authority (CA:TRUE): register the certificate of the \
         key that signs your assertions, not its issuer's"
    )]
    CertificateIsAuthority,
    /// keyUsage is present without digitalSignature (RFC 5280 §4.2.1.3).
    #[error(
        "the certificate's keyUsage does not allow digitalSignature: have it issued for \
         signatures, or register the public key alone"
    )]
    CertificateKeyUsage,
    /// Not a DER-encoded certificate (RFC 5280 §4.1).
    #[error(
        "the certificate cannot be parsed: export it again (openssl x509 -in cert.cer -out \
         cert.pem)"
    )]
    CertificateMalformed,
    /// Its notBefore lies in the future.
    #[error(
        "the certificate is not valid yet: register it once it is, and check the clock of \
         the machine that issued it"
    )]
    CertificateNotYetValid,
    /// A negative serial number, or one longer than 20 octets (RFC 5280 §4.1.2.2).
    #[error(
        "the certificate's serial number is negative or longer than 20 octets: have the \
         certificate issued again"
    )]
    CertificateSerialInvalid,
    /// Signed with SHA-1, MD5 or older.
    #[error(
        "the certificate is signed with SHA-1 or MD5: have it issued with SHA-256, or \
         register the public key alone"
    )]
    CertificateSignatureWeak,
    /// More than 16 KiB.
    #[error(
        "the certificate has more than 16 KiB: register the public key alone (openssl x509 \
         -in cert.pem -noout -pubkey)"
    )]
    CertificateTooLarge,
    /// Octets follow the certificate.
    #[error(
        "octets follow the end of the certificate: export it alone (openssl x509 -in \
         cert.pem -out leaf.pem)"
    )]
    CertificateTrailingData,
    /// Not version 3.
    #[error(
        "the certificate is not an X.509 version 3 certificate: have it issued again, or \
         register the public key alone"
    )]
    CertificateVersion,
    /// A chain or bundle.
    #[error(
        "several certificates were given: paste only the one of the key that signs your \
         assertions, without its chain"
    )]
    CertificatesSeveral,
    /// Neither a key nor a certificate in DER.
    #[error(
        "the content is not a DER-encoded public key or certificate; it may have been cut \
         off: copy the whole file again"
    )]
    DerMalformed,
    /// Octets follow the key.
    #[error(
        "octets follow the end of the key: export the public key again (openssl pkey -pubin \
         -in key.pem -pubout)"
    )]
    DerTrailingData,
    /// A coordinate has another length than its curve (RFC 7518 §6.2.1.2).
    #[error(
        "an EC coordinate has the wrong length: it must have exactly 32 (P-256), 48 (P-384) \
         or 66 (P-521) octets, leading zeros included"
    )]
    EcCoordinateLength,
    /// Not P-256, P-384 or P-521.
    #[error(
        "the EC curve is not accepted: generate a key on P-256, P-384 or P-521 (openssl \
         ecparam -name prime256v1 -genkey)"
    )]
    EcCurveUnknown,
    /// The curve is spelled out instead of named (RFC 5480 §2.1.1).
    #[error(
        "the EC key spells out its curve parameters: export it with the named curve (openssl \
         ec -pubin -in key.pem -param_enc named_curve)"
    )]
    EcExplicitParameters,
    /// The neutral element is nobody's key.
    #[error("the EC point is the point at infinity, which is no key: export the public key again")]
    EcPointAtInfinity,
    /// A compressed or hybrid point.
    #[error(
        "the EC point is compressed: export it uncompressed (openssl ec -pubin -in key.pem \
         -conv_form uncompressed)"
    )]
    EcPointCompressed,
    /// The coordinates satisfy no curve equation.
    #[error("the EC point is not on its curve: export the public key again")]
    EcPointNotOnCurve,
    /// Not 32 octets.
    #[error("an Ed25519 public key has exactly 32 octets: export the public key again")]
    Ed25519Length,
    /// The point has a component of small order.
    #[error(
        "the Ed25519 key is not in the prime-order group, so no honest software made it: \
         generate a new key"
    )]
    Ed25519MixedOrder,
    /// The y coordinate is not reduced (RFC 8032 §5.1.3).
    #[error("the Ed25519 key is not in canonical form: export the public key again")]
    Ed25519NotCanonical,
    /// No point has this y coordinate.
    #[error("the Ed25519 key is not a point of the curve: export the public key again")]
    Ed25519NotOnCurve,
    /// One of the eight points with which a signature fits many messages.
    #[error("the Ed25519 key is a point of small order, which proves nothing: generate a new key")]
    Ed25519SmallOrder,
    /// Nothing that looks like a key.
    #[error(
        "this is no key that we recognise: paste a PEM public key, an X.509 certificate, a \
         JWK or JWKS, or an OpenSSH public key line"
    )]
    FormatUnknown,
    /// Nothing but white space.
    #[error(
        "the key is empty: paste a PEM public key, an X.509 certificate, a JWK or JWKS, or \
         an OpenSSH public key line"
    )]
    InputEmpty,
    /// Neither DER nor text.
    #[error(
        "the input is neither DER nor UTF-8 text: upload the file as it is, or paste its PEM \
         text"
    )]
    InputNotText,
    /// More than 64 KiB.
    #[error("the input has more than 64 KiB: register only the keys in use")]
    InputTooLarge,
    /// Not JSON, not an object, or a member appears twice.
    #[error(
        "the JSON is malformed, is no object, or has a member twice: paste one JWK, or a \
         JWKS of the form {{\"keys\": [...]}}"
    )]
    JsonMalformed,
    /// `alg` does not fit the key (RFC 7517 §4.4).
    #[error("the JWK's \"alg\" does not fit its key type or curve: correct or remove \"alg\"")]
    JwkAlgorithmMismatch,
    /// `alg` is not in the closed list.
    #[error(
        "the JWK's \"alg\" is not an accepted signature algorithm: use RS256/384/512, \
         PS256/384/512, ES256/384/512 or EdDSA, or remove \"alg\""
    )]
    JwkAlgorithmUnknown,
    /// A member is not canonical base64url (RFC 7515 §2).
    #[error("a JWK member is not unpadded base64url: use A-Z a-z 0-9 - _ and no \"=\"")]
    JwkBase64Invalid,
    /// `x5c` or `x5t#S256` belong to another key (RFC 7517 §4.7).
    #[error(
        "the certificate in the JWK's \"x5c\" does not contain the JWK's key: remove \"x5c\" \
         or correct it"
    )]
    JwkCertificateMismatch,
    /// `key_ops` names an operation twice (RFC 7517 §4.3).
    #[error("the JWK's \"key_ops\" names an operation twice: write [\"verify\"] or remove it")]
    JwkKeyOpsDuplicate,
    /// `key_ops` is present without `verify`.
    #[error("the JWK's \"key_ops\" does not contain \"verify\": write [\"verify\"] or remove it")]
    JwkKeyOpsWithoutVerify,
    /// `kid` is empty, longer than 256 octets, or has control characters.
    #[error("the JWK's \"kid\" must have 1 to 256 octets and no control characters")]
    JwkKidInvalid,
    /// A number has leading zero octets (RFC 7518 §2, Base64urlUInt).
    #[error(
        "\"n\" or \"e\" of the JWK begins with a zero octet: encode the number with as few \
         octets as possible"
    )]
    JwkLeadingZero,
    /// A member has another JSON type than RFC 7517 and 7518 give it.
    #[error(
        "a member of the JWK has the wrong JSON type: \"kty\", \"crv\", \"alg\", \"use\", \
         \"kid\", \"n\", \"e\", \"x\", \"y\" are strings, \"key_ops\" and \"x5c\" are arrays \
         of strings"
    )]
    JwkMemberInvalid,
    /// `kty` or a member that its type requires is missing.
    #[error(
        "the JWK is incomplete: it needs \"kty\", and \"n\" and \"e\" (RSA), \"crv\", \"x\" \
         and \"y\" (EC), or \"crv\" and \"x\" (OKP)"
    )]
    JwkMemberMissing,
    /// `use` is not `sig` (RFC 7517 §4.2).
    #[error("the JWK's \"use\" is not \"sig\": register the signature key, not the encryption key")]
    JwkUseNotSignature,
    /// Two keys of a set have one `kid`.
    #[error("two keys of the JWKS have the same \"kid\": give each its own")]
    JwksDuplicateKid,
    /// A set without a usable key.
    #[error("the JWKS contains no key of a supported type: add an RSA, EC or Ed25519 key")]
    JwksEmpty,
    /// RSA keys so long that checking them all costs too much.
    #[error(
        "the RSA keys of the JWKS are too long together: use moduli of at most 4096 bits, or \
         register fewer keys at once"
    )]
    JwksTooCostly,
    /// More than 20 keys.
    #[error("the JWKS has more than 20 keys: register only the keys in use")]
    JwksTooManyKeys,
    /// One key appears twice.
    #[error("the same key was given twice: give each key once")]
    KeyDuplicate,
    /// Not RSA, P-256, P-384, P-521 or Ed25519.
    #[error(
        "the key type is not supported: use RSA, P-256, P-384, P-521 or Ed25519 (X25519 and \
         X448 cannot sign; DSA, Ed448 and id-RSASSA-PSS keys are not accepted)"
    )]
    KeyTypeUnsupported,
    /// Several keys that are not a JWKS.
    #[error("several keys were given: paste one, or put them into a JWKS")]
    KeysSeveral,
    /// A key whose private part is published.
    #[error(
        "this is the sample key of {source_name}, whose private part everybody has: \
         generate your own"
    )]
    KnownSampleKey {
        /// Where it is published.
        source_name: &'static str,
    },
    /// Armour or base64 is damaged beyond repair.
    #[error(
        "the PEM text is damaged: copy the whole file again, from the BEGIN line to the END \
         line"
    )]
    PemMalformed,
    /// A certificate request, PKCS#7 bundle, parameters or SSH2 file.
    #[error(
        "this file holds neither a public key nor one certificate: for a request use openssl \
         req -in req.pem -noout -pubkey, for an SSH2 file ssh-keygen -i -f key.pub, for \
         PKCS#7 openssl pkcs7 -print_certs"
    )]
    PemUnsupported,
    /// A private key, in whatever form it came. Nothing of it is kept.
    #[error(
        "this is a private key, which never belongs here; it was not stored. {0}. If others \
         may have seen it, generate a new key pair"
    )]
    PrivateKeyRefused(PrivateKeyForm),
    /// Even, or zero.
    #[error(
        "the RSA exponent is even, which no RSA key has: generate a new key (openssl genrsa \
         3072)"
    )]
    RsaExponentEven,
    /// With e = 1 a signature is its own message.
    #[error(
        "the RSA exponent is 1, so that anybody can sign: generate a new key (openssl genrsa \
         3072)"
    )]
    RsaExponentOne,
    /// Above 2^33: costs us time, and hides small private exponents.
    #[error(
        "the RSA exponent is larger than 2^33: generate a new key with exponent 65537 \
         (openssl genrsa 3072)"
    )]
    RsaExponentTooLarge,
    /// Below 65537 (FIPS 186-5).
    #[error("the RSA exponent is smaller than 65537: generate a new key (openssl genrsa 3072)")]
    RsaExponentTooSmall,
    /// A negative number or one with superfluous leading octets (X.690 §8.3).
    #[error(
        "the RSA modulus or exponent is negative or not minimally encoded: export the public \
         key again"
    )]
    RsaIntegerInvalid,
    /// Far too few or too many one bits.
    #[error(
        "the RSA modulus is not random: far too few or too many of its bits are set; \
         generate a new key with a maintained tool (openssl genrsa 3072)"
    )]
    RsaModulusBiased,
    /// Divisible by 2.
    #[error("the RSA modulus is even: generate a new key (openssl genrsa 3072)")]
    RsaModulusEven,
    /// Octets that repeat.
    #[error(
        "the RSA modulus contains a repeating pattern, so it is not random: generate a new \
         key with a maintained tool (openssl genrsa 3072)"
    )]
    RsaModulusPattern,
    /// Shaped like the payload of the xz backdoor (CVE-2024-3094).
    #[error(
        "the RSA modulus has the form of an attack payload (CVE-2024-3094): generate a new \
         key (openssl genrsa 3072)"
    )]
    RsaModulusPayload,
    /// A prime modulus gives its private key away.
    #[error(
        "the RSA modulus is a prime number, so anybody can compute the private key: generate \
         a new key (openssl genrsa 3072)"
    )]
    RsaModulusPrime,
    /// p = q.
    #[error(
        "the RSA modulus is a perfect square, so anybody can compute the private key: \
         generate a new key (openssl genrsa 3072)"
    )]
    RsaModulusSquare,
    /// More than 8192 bits.
    #[error(
        "the RSA modulus has more than 8192 bits: generate a key of 2048 to 8192 bits \
         (openssl genrsa 3072)"
    )]
    RsaModulusTooLarge,
    /// Fewer than 2048 bits (RFC 7518 §3.3).
    #[error(
        "the RSA modulus has fewer than 2048 bits: generate a key of at least 2048 (openssl \
         genrsa 3072)"
    )]
    RsaModulusTooSmall,
    /// Zero.
    #[error("the RSA modulus is zero: export the public key again")]
    RsaModulusZero,
    /// Fermat's method factors it at once.
    #[error(
        "the two primes of the RSA key are so close that anybody can compute the private \
         key: generate a new key (openssl genrsa 3072)"
    )]
    RsaPrimesClose,
    /// Made by the faulty library of CVE-2017-15361.
    #[error(
        "the RSA key was made by a chip with the ROCA fault (CVE-2017-15361), so its private \
         key can be computed: generate a new key in software, or replace the device"
    )]
    RsaRoca,
    /// Two keys given together share a prime.
    #[error(
        "the RSA key shares a prime with another key, so both private keys can be computed: \
         generate new keys on a machine with a working random generator"
    )]
    RsaSharedFactor,
    /// Divisible by a prime up to 65537.
    #[error(
        "the RSA modulus has a small factor; it may have been damaged in copying: export the \
         public key again, or generate a new key (openssl genrsa 3072)"
    )]
    RsaSmallFactor,
    /// Not the wire format of RFC 4253 §6.6.
    #[error("the OpenSSH key is damaged: copy the whole line again, from ssh- or ecdsa- on")]
    SshKeyMalformed,
    /// DSA, security keys, SSH certificates.
    #[error(
        "the OpenSSH key type is not supported: use ssh-ed25519, ssh-rsa or \
         ecdsa-sha2-nistp256/384/521, not an SSH certificate, security key or DSA key"
    )]
    SshKeyTypeUnsupported,
    /// `kty` is `oct`, or a shared secret in a set.
    #[error(
        "this is a symmetric key, a shared secret: Countersign accepts public keys only; \
         generate a key pair (openssl genpkey -algorithm ed25519)"
    )]
    SymmetricKeyRefused,
}

impl ImportRefusal {
    /// The stable name of the condition.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::CertificateCriticalExtension => "certificate_critical_extension",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateIsAuthority => "certificate_is_authority",
            Self::CertificateKeyUsage => "certificate_key_usage",
            Self::CertificateMalformed => "certificate_malformed",
            Self::CertificateNotYetValid => "certificate_not_yet_valid",
            Self::CertificateSerialInvalid => "certificate_serial_invalid",
            Self::CertificateSignatureWeak => "certificate_signature_weak",
            Self::CertificateTooLarge => "certificate_too_large",
            Self::CertificateTrailingData => "certificate_trailing_data",
            Self::CertificateVersion => "certificate_version",
            Self::CertificatesSeveral => "certificates_several",
            Self::DerMalformed => "der_malformed",
            Self::DerTrailingData => "der_trailing_data",
            Self::EcCoordinateLength => "ec_coordinate_length",
            Self::EcCurveUnknown => "ec_curve_unknown",
            Self::EcExplicitParameters => "ec_explicit_parameters",
            Self::EcPointAtInfinity => "ec_point_at_infinity",
            Self::EcPointCompressed => "ec_point_compressed",
            Self::EcPointNotOnCurve => "ec_point_not_on_curve",
            Self::Ed25519Length => "ed25519_length",
            Self::Ed25519MixedOrder => "ed25519_mixed_order",
            Self::Ed25519NotCanonical => "ed25519_not_canonical",
            Self::Ed25519NotOnCurve => "ed25519_not_on_curve",
            Self::Ed25519SmallOrder => "ed25519_small_order",
            Self::FormatUnknown => "format_unknown",
            Self::InputEmpty => "input_empty",
            Self::InputNotText => "input_not_text",
            Self::InputTooLarge => "input_too_large",
            Self::JsonMalformed => "json_malformed",
            Self::JwkAlgorithmMismatch => "jwk_algorithm_mismatch",
            Self::JwkAlgorithmUnknown => "jwk_algorithm_unknown",
            Self::JwkBase64Invalid => "jwk_base64_invalid",
            Self::JwkCertificateMismatch => "jwk_certificate_mismatch",
            Self::JwkKeyOpsDuplicate => "jwk_key_ops_duplicate",
            Self::JwkKeyOpsWithoutVerify => "jwk_key_ops_without_verify",
            Self::JwkKidInvalid => "jwk_kid_invalid",
            Self::JwkLeadingZero => "jwk_leading_zero",
            Self::JwkMemberInvalid => "jwk_member_invalid",
            Self::JwkMemberMissing => "jwk_member_missing",
            Self::JwkUseNotSignature => "jwk_use_not_signature",
            Self::JwksDuplicateKid => "jwks_duplicate_kid",
            Self::JwksEmpty => "jwks_empty",
            Self::JwksTooCostly => "jwks_too_costly",
            Self::JwksTooManyKeys => "jwks_too_many_keys",
            Self::KeyDuplicate => "key_duplicate",
            Self::KeyTypeUnsupported => "key_type_unsupported",
            Self::KeysSeveral => "keys_several",
            Self::KnownSampleKey { .. } => "known_sample_key",
            Self::PemMalformed => "pem_malformed",
            Self::PemUnsupported => "pem_unsupported",
            Self::PrivateKeyRefused(_) => "private_key_refused",
            Self::RsaExponentEven => "rsa_exponent_even",
            Self::RsaExponentOne => "rsa_exponent_one",
            Self::RsaExponentTooLarge => "rsa_exponent_too_large",
            Self::RsaExponentTooSmall => "rsa_exponent_too_small",
            Self::RsaIntegerInvalid => "rsa_integer_invalid",
            Self::RsaModulusBiased => "rsa_modulus_biased",
            Self::RsaModulusEven => "rsa_modulus_even",
            Self::RsaModulusPattern => "rsa_modulus_pattern",
            Self::RsaModulusPayload => "rsa_modulus_payload",
            Self::RsaModulusPrime => "rsa_modulus_prime",
            Self::RsaModulusSquare => "rsa_modulus_square",
            Self::RsaModulusTooLarge => "rsa_modulus_too_large",
            Self::RsaModulusTooSmall => "rsa_modulus_too_small",
            Self::RsaModulusZero => "rsa_modulus_zero",
            Self::RsaPrimesClose => "rsa_primes_close",
            Self::RsaRoca => "rsa_roca",
            Self::RsaSharedFactor => "rsa_shared_factor",
            Self::RsaSmallFactor => "rsa_small_factor",
            Self::SshKeyMalformed => "ssh_key_malformed",
            Self::SshKeyTypeUnsupported => "ssh_key_type_unsupported",
            Self::SymmetricKeyRefused => "symmetric_key_refused",
        }
    }
}

impl From<PublicKeyRejected> for ImportRefusal {
    fn from(rejected: PublicKeyRejected) -> Self {
        match rejected {
            PublicKeyRejected::EcCoordinateLength => Self::EcCoordinateLength,
            PublicKeyRejected::EcPointNotOnCurve => Self::EcPointNotOnCurve,
            PublicKeyRejected::Ed25519NotCanonical => Self::Ed25519NotCanonical,
            PublicKeyRejected::Ed25519NotOnCurve => Self::Ed25519NotOnCurve,
            PublicKeyRejected::Ed25519SmallOrder => Self::Ed25519SmallOrder,
            PublicKeyRejected::KeyTypeUnsupported => Self::KeyTypeUnsupported,
            PublicKeyRejected::RsaExponentUnacceptable => Self::RsaExponentTooSmall,
            PublicKeyRejected::RsaModulusEven => Self::RsaModulusEven,
            PublicKeyRejected::RsaModulusTooLarge { .. } => Self::RsaModulusTooLarge,
            PublicKeyRejected::RsaModulusTooSmall { .. } => Self::RsaModulusTooSmall,
            PublicKeyRejected::SpkiMalformed => Self::DerMalformed,
        }
    }
}
