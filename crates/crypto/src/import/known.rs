//! Keys whose private half is printed in public documentation, so that anybody can sign with them.
//!
//! The list holds digests: the SHA-256 of the canonical `SubjectPublicKeyInfo`, computed from the source named.

use crate::KeyFingerprint;

const SAMPLE_KEYS: [(&str, &str); 18] = [
    (
        "302e26c098cfde2db131e9a3b12ce4c41bbdb0c21e19fdaa4a44273664bc581e",
        "jwt.io for ES384",
    ),
    (
        "f56c8b01227f62ddbc16eb29a6ac0b310e276760a5e06302fa881a35146f6bc7",
        "jwt.io for RS256 and PS256",
    ),
    (
        "a40f0f2e2974dc76a82df6ffe08ed0d79955c79e7ad0c20d97ae8f9246ade1c1",
        "jwt.io for ES256",
    ),
    (
        "09ab66acb0ae05afe423754c7de99b427ba0b556ae377e57b8721144666e5f36",
        "jwt.io for ES512",
    ),
    (
        "6fd13c2435a361e7c588cd17f55f5ad3df0177a66c1727a6a200845f4d7ab88c",
        "RFC 7515 appendix A.2",
    ),
    (
        "2bd1bb0c44a897c30a7aa0991cde38d8062fe441de50da0f46825344f602e827",
        "RFC 7515 appendix A.3",
    ),
    (
        "9146ce73d6abeda5e0ab6926e7bd9b563f2f2258b488d520534a0b84ba5871df",
        "RFC 7515 appendix A.4",
    ),
    (
        "51b944cdfa544d4c3273aa6bf350625a7dd53bbb6a71723274f538b19a207760",
        "RFC 7517 appendix A.1",
    ),
    (
        "ad32320cf6c596d884b05381ba573aba8ddd5749b4de8f4a23a79f9a89ddaeb2",
        "RFC 7517 appendix A.1",
    ),
    (
        "3dfaa4f7ccf9d74989e4c8e518f0d3b6c2aded2ceb24df03f99ecff4f058e4b7",
        "RFC 7517 appendix B",
    ),
    (
        "c6479a15a50ac4cd9b6414e27c69bf37345dc1046dc648875c4898fbd35cc74b",
        "RFC 7520 section 3.1",
    ),
    (
        "627771f25da426d1f9ae315e42106d700b1529850eee1592acf39603959d795d",
        "RFC 7520 section 3.3",
    ),
    (
        "deb2ded39dc26fce0e6085b6fc34bf6b5941913bbfe2ea614113cff9e004c170",
        "RFC 8032 section 7.1",
    ),
    (
        "8d39ba50abe50f77b6bb8ae7b6927aff7ffbeba35ad2837c0e51e82bcbcc60d5",
        "RFC 8032 section 7.1",
    ),
    (
        "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9",
        "RFC 8037 appendix A.1",
    ),
    (
        "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f",
        "RFC 8410 section 10.1",
    ),
    (
        "34571606cb7a0d71be377e671ddcccae2a169ed7733598214129231cd30c4a3c",
        "RFC 9421 appendix B.1.4",
    ),
    (
        "55f96361b78cbb84f1fc604b0718e82bd91abb46d8fc25ae871b35fbbf8b7974",
        "RFC 9421 appendix B.1.3",
    ),
];

/// Where the key with this fingerprint is published, if it is a known sample.
pub(super) fn source_of(fingerprint: &KeyFingerprint) -> Option<&'static str> {
    let digest = fingerprint.to_string();
    SAMPLE_KEYS
        .iter()
        .find(|(sample, _)| *sample == digest)
        .map(|(_, source)| *source)
}
