//! `docs/errors.md` is made here, out of the code. `UPDATE_GOLDEN=1` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use countersign_domain::assertion::Reason;
use countersign_domain::configurations::ConfigurationRefusal;
use countersign_domain::identifier::MalformedIdentifier;
use countersign_domain::organizations::OrganizationRefusal;
use countersign_domain::text::MalformedText;
use countersign_testkit::crypto::import::{ImportRefusal, PrivateKeyForm, Repair};

/// Lists every variant once; a variant that is missing does not compile.
macro_rules! every {
    ($type:ident: $($variant:ident $(($($value:expr),*))? $({$($field:ident: $of:expr),*})?,)*) => {{
        #[expect(dead_code, reason = "only compiled: a match without wildcard")]
        fn complete(one: &$type) {
            match one { $($type::$variant { .. } => {})* }
        }
        vec![$($type::$variant $(($($value),*))? $({$($field: $of),*})?,)*]
    }};
}

/// What the admin API itself refuses: code, status, and what it means.
const PROBLEMS: [(&str, u16, &str); 31] = [
    (
        "api_token_required",
        401,
        "There is no valid API token in `Authorization: Bearer cst_…`, or it has expired or been revoked.",
    ),
    (
        "base_moved",
        412,
        "The resource has changed since it was read: read it again and repeat the change with its new `ETag`.",
    ),
    (
        "body_invalid",
        422,
        "The body is JSON, but not what the endpoint takes; `errors` says where. Members that are not documented are refused.",
    ),
    ("body_too_large", 413, "The body is larger than 256 KiB."),
    (
        "body_unreadable",
        400,
        "The body ended early or is damaged; send it again.",
    ),
    (
        "change_request_pending",
        409,
        "Another change of the resource waits for approval.",
    ),
    (
        "cursor_invalid",
        400,
        "`cursor` is not the `next_cursor` of a page of this list.",
    ),
    (
        "expiry_out_of_range",
        422,
        "`expires_in_days` must be between 1 and 365.",
    ),
    (
        "idempotency_key_malformed",
        400,
        "`Idempotency-Key` must be sent once, with 1 to 255 visible ASCII characters.",
    ),
    (
        "idempotency_key_reused",
        422,
        "The `Idempotency-Key` was used for another request; use a new one.",
    ),
    (
        "idempotency_not_supported",
        400,
        "An answer with a secret is not kept, so the request cannot be repeated under an `Idempotency-Key`.",
    ),
    (
        "if_match_malformed",
        400,
        "`If-Match` must be one `ETag` that was read here, such as `\"3\"`.",
    ),
    (
        "if_match_required",
        428,
        "Send `If-Match` with the `ETag` of the version that was read, so that no change of somebody else is lost.",
    ),
    (
        "internal_error",
        500,
        "Something went wrong here. The log has the cause under the correlation ID.",
    ),
    (
        "body_malformed",
        400,
        "The body is not JSON, or an object in it has a member twice.",
    ),
    (
        "json_required",
        415,
        "Send the body as JSON with `Content-Type: application/json`.",
    ),
    (
        "jti_malformed",
        422,
        "`jti` must be that of an access token: 1 to 64 visible ASCII characters.",
    ),
    ("limit_invalid", 400, "`limit` must be between 1 and 200."),
    (
        "method_not_allowed",
        405,
        "The address does not take this method; see `Allow`.",
    ),
    (
        "not_found",
        404,
        "There is nothing at this address, or it belongs to somebody else: both answers are equal.",
    ),
    (
        "platform_scope_required",
        403,
        "This needs an API token of the platform.",
    ),
    (
        "query_invalid",
        400,
        "A parameter of the query cannot be read.",
    ),
    (
        "query_unknown",
        400,
        "The query has a parameter that the endpoint does not take.",
    ),
    (
        "rate_limited",
        429,
        "The organization has used up its request budget; see `Retry-After`.",
    ),
    (
        "request_timeout",
        408,
        "The request took too long to arrive or to be answered.",
    ),
    (
        "role_not_allowed",
        403,
        "The role of the API token does not allow this.",
    ),
    (
        "rsa_shared_factor",
        422,
        "The RSA key shares a prime with another key, so both private keys can be computed: make a new key pair.",
    ),
    (
        "tenant_id_mismatch",
        422,
        "`tenant_id` belongs to the scope `organization`, and only to it.",
    ),
    (
        "text_malformed",
        422,
        "A text is empty, too long, or has control or text-direction characters.",
    ),
    (
        "unavailable",
        503,
        "The service cannot do this right now; try again after the time in `Retry-After`.",
    ),
    (
        "verifier_values_taken",
        409,
        "Another configuration of the organization has the same issuer, subject and audience.",
    ),
];

/// RFC 6749 §5.2, RFC 7009, RFC 7662: error, status, and when.
const OAUTH: [(&str, u16, &str); 11] = [
    (
        "invalid_client",
        401,
        "The client has not proven who it is. The true reason is in the organization's activity under the correlation ID.",
    ),
    (
        "invalid_grant",
        400,
        "The assertion of the jwt-bearer grant is refused. The true reason is in the activity likewise.",
    ),
    (
        "invalid_request",
        400,
        "The form is malformed, has a parameter twice, or lacks one.",
    ),
    ("invalid_request", 405, "The endpoint takes POST only."),
    ("invalid_request", 413, "The body is larger than 64 KiB."),
    (
        "invalid_scope",
        400,
        "The scope is malformed, unknown or not granted.",
    ),
    (
        "invalid_target",
        400,
        "`resource` is not an audience that the configuration's tokens have (RFC 8707).",
    ),
    (
        "server_error",
        500,
        "Something went wrong here. The log has the cause under the correlation ID.",
    ),
    (
        "temporarily_unavailable",
        429,
        "The organization has used up its request budget; see `Retry-After`.",
    ),
    (
        "temporarily_unavailable",
        503,
        "Nothing can be issued right now; see `Retry-After`.",
    ),
    (
        "unsupported_grant_type",
        400,
        "Only `client_credentials` and `urn:ietf:params:oauth:grant-type:jwt-bearer` are offered.",
    ),
];

/// Whether the page has a problem with this status and code.
pub(crate) fn is_documented(status: u16, code: &str) -> bool {
    static KNOWN: OnceLock<BTreeSet<(u16, String)>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let rows = problems().into_iter();
        rows.map(|(code, (status, _))| (status, code.to_owned()))
            .collect()
    });
    known.contains(&(status, code.to_owned()))
}

/// Every problem of the admin API: code, status, meaning.
fn problems() -> BTreeMap<&'static str, (u16, String)> {
    let mut rows = BTreeMap::new();
    for refusal in configuration_refusals() {
        let status = if refusal.is_conflict() { 409 } else { 422 };
        rows.insert(refusal.code(), (status, sentence(&refusal.to_string())));
    }
    for refusal in organization_refusals() {
        let status = if refusal.pointer().is_some() {
            422
        } else {
            409
        };
        let text = sentence(&refusal.to_string());
        let row = rows.entry(refusal.code()).or_insert((status, text));
        assert_eq!(row.0, status, "{} has two statuses", refusal.code());
    }
    for refusal in import_refusals() {
        rows.insert(refusal.code(), (422, sentence(&refusal.to_string())));
    }
    for (code, status, text) in PROBLEMS {
        let before = rows.insert(code, (status, text.to_owned()));
        assert!(
            before.is_none_or(|(before, _)| before == status),
            "{code} has two statuses"
        );
    }
    rows.insert("identifier_malformed", (422, identifier_rules()));
    rows
}

fn configuration_refusals() -> Vec<ConfigurationRefusal> {
    let any = || "…".to_owned();
    every![ConfigurationRefusal:
        AccessTokenLifetime, AlgorithmDoesNotFit, AlreadySuspended, AssertionLifetime, AudienceNotExclusive,
        CopiedClaim(any()), Deactivated, ExpiryInPast, GroupMalformed(any()), GroupNotEntitled(any()),
        GroupsOnStandard, Identifier { field: "…", cause: MalformedIdentifier::Empty }, IdentifierOfAnother("`verifier_issuer` or `verifier_subject`"), KeyAlreadyRegistered,
        KeyIdMalformed, KeyIdTaken, NoKey, NoNextKey, NotASingleKey("`kid` or `algorithm`"), NotSuspended, NothingToChange, RetireAfter, SignerAudience,
        Text { field: "…", cause: MalformedText::Empty }, TooManyCopiedClaims, TooManyKeys, TripleTaken,
    ]
}

fn organization_refusals() -> Vec<OrganizationRefusal> {
    every![OrganizationRefusal:
        AlreadySuspended, GroupMalformed("…".to_owned()), Name(MalformedText::Empty), NotSuspended,
        NothingToChange, TooManyGroups,
    ]
}

fn identifier_rules() -> String {
    let rules = every![MalformedIdentifier: Character, Empty, PrivateKey, TooLong, Uri,];
    let texts: Vec<String> = rules.iter().map(ToString::to_string).collect();
    sentence(&format!(
        "an issuer, subject or audience {}",
        texts.join("; or ")
    ))
}

fn import_refusals() -> Vec<ImportRefusal> {
    every![ImportRefusal:
        CertificateCriticalExtension, CertificateExpired, CertificateIsAuthority, CertificateKeyUsage,
        CertificateMalformed, CertificateNotYetValid, CertificateSerialInvalid, CertificateSignatureWeak,
        CertificateTooLarge, CertificateTrailingData, CertificateVersion, CertificatesSeveral,
        DerMalformed, DerTrailingData, EcCoordinateLength, EcCurveUnknown, EcExplicitParameters,
        EcPointAtInfinity, EcPointCompressed, EcPointNotOnCurve, Ed25519Length, Ed25519MixedOrder,
        Ed25519NotCanonical, Ed25519NotOnCurve, Ed25519SmallOrder, FormatUnknown, InputEmpty, InputNotText,
        InputTooLarge, JsonMalformed, JwkAlgorithmMismatch, JwkAlgorithmUnknown, JwkBase64Invalid,
        JwkCertificateMismatch, JwkKeyOpsDuplicate, JwkKeyOpsWithoutVerify, JwkKidInvalid, JwkLeadingZero,
        JwkMemberInvalid, JwkMemberMissing, JwkUseNotSignature, JwksDuplicateKid, JwksEmpty, JwksTooCostly,
        JwksTooManyKeys, KeyDuplicate, KeyTypeUnsupported, KeysSeveral,
        KnownSampleKey { source_name: "…" }, PemMalformed, PemUnsupported,
        PrivateKeyRefused(PrivateKeyForm::Pem), RsaExponentEven, RsaExponentOne, RsaExponentTooLarge,
        RsaExponentTooSmall, RsaIntegerInvalid, RsaModulusBiased, RsaModulusEven, RsaModulusPattern,
        RsaModulusPayload, RsaModulusPrime, RsaModulusSquare, RsaModulusTooLarge, RsaModulusTooSmall,
        RsaModulusZero, RsaPrimesClose, RsaRoca, RsaSharedFactor, RsaSmallFactor, SshKeyMalformed,
        SshKeyTypeUnsupported, SymmetricKeyRefused,
    ]
}

fn repairs() -> Vec<Repair> {
    every![Repair:
        Base64Wrapped, ByteOrderMark, DamagedArmour, EscapedNewlines, IgnoredUnknownKeyType, Indentation,
        LineBreaks, LineEndings, MissingArmour, Quotes, SurroundingSpace, SurroundingText, WrongLabel,
    ]
}

/// With a capital and a full stop, and fit for a table; a name of a field stays as it is.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let rest = &text[word.len()..];
    let (initial, others) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
    let name = word.trim_end_matches(':');
    let word = match name.contains('_') || name == "kid" {
        true => format!("`{name}`{}", &word[name.len()..]),
        false => format!("{}{others}", initial.to_uppercase()),
    };
    let text = format!("{word}{rest}").replace('|', "\\|");
    if text.ends_with('.') {
        text
    } else {
        format!("{text}.")
    }
}

fn page() -> String {
    let mut page = "# Errors\n\nMade out of the code by a test of `crates/http` (`UPDATE_GOLDEN=1 cargo test -p countersign-http --test admin_api`); \
        do not edit. Codes are stable: programs may depend on them, texts may change.\n\n".to_owned();
    page.push_str("## Problems of the admin API\n\n`application/problem+json` (RFC 9457). `type` is `https://countersign.dev/errors#` and the code. \
        Where a member of the request is to blame, `errors` has its JSON pointer.\n\n| code | status | meaning |\n|---|---|---|\n");
    for (code, (status, text)) in problems() {
        writeln!(
            page,
            "| <a id=\"{code}\"></a>`{code}` | {status} | {text} |"
        )
        .unwrap();
    }
    page.push_str("\n## OAuth errors\n\nThe token, introspection and revocation endpoints answer in the form of RFC 6749 §5.2.\n\n| error | status | when |\n|---|---|---|\n");
    for (error, status, text) in OAUTH {
        writeln!(page, "| `{error}` | {status} | {text} |").unwrap();
    }
    page.push_str("\n## Reasons of refused assertions\n\nIn the organization's activity and in `explain`, always; in the answer (`reason`) only from check 8 on, \
        when the signature has proven who asks.\n\n| reason | check | told | meaning |\n|---|---|---|---|\n");
    for reason in Reason::ALL {
        let (number, name) = (reason.check().number(), reason.check().title());
        let told = if reason.is_disclosed() { "yes" } else { "no" };
        let text = sentence(reason.sentence());
        writeln!(
            page,
            "| `{}` | {number} {name} | {told} | {text} |",
            reason.code()
        )
        .unwrap();
    }
    page.push_str("\n## Repairs\n\nWhat the import of a public key puts right, and reports in `repairs`. It never changes which key results.\n\n\
        | code | meaning |\n|---|---|\n");
    for repair in repairs() {
        writeln!(page, "| `{}` | {} |", repair.code(), repair.sentence()).unwrap();
    }
    page
}

#[test]
fn the_page_of_errors_is_what_the_code_says() {
    let path = root().join("docs/errors.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn every_code_in_the_source_is_on_the_page_and_every_problem_on_the_page_is_in_the_source() {
    let mut found = BTreeSet::new();
    let crates = root().join("crates");
    for file in [
        "json",
        "conditional",
        "front",
        "idempotency",
        "pagination",
        "problem",
    ] {
        codes_of(&crates.join(format!("http/src/{file}.rs")), &mut found);
    }
    for directory in [
        "http/src/admin",
        "http/src/admin/configurations",
        "service/src",
    ] {
        for entry in fs::read_dir(crates.join(directory)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                codes_of(&path, &mut found);
            }
        }
    }
    assert!(
        found.len() > 20,
        "the codes are written in another way now: {found:?}"
    );
    let known = problems();
    for code in &found {
        assert!(
            known.contains_key(code.as_str()),
            "{code} is not on the page"
        );
    }
    let generated: BTreeSet<&str> = import_refusals()
        .iter()
        .map(|refusal| refusal.code())
        .chain(
            configuration_refusals()
                .iter()
                .map(ConfigurationRefusal::code),
        )
        .chain(
            organization_refusals()
                .iter()
                .map(OrganizationRefusal::code),
        )
        .collect();
    for (code, _, _) in PROBLEMS {
        assert!(
            found.contains(code) || generated.contains(code),
            "{code} is nowhere in the source"
        );
    }
}

#[test]
fn every_oauth_error_in_the_source_is_on_the_page_and_no_other() {
    let mut found = BTreeSet::new();
    codes_of(&root().join("crates/http/src/oauth_error.rs"), &mut found);
    let listed: BTreeSet<String> = OAUTH
        .iter()
        .map(|(error, _, _)| (*error).to_owned())
        .collect();
    assert_eq!(found, listed);
}

/// The codes that a source file gives to problems and refusals, as they are written there.
fn codes_of(path: &Path, found: &mut BTreeSet<String>) {
    let source = fs::read_to_string(path).unwrap();
    let source = source.split("#[cfg(test)]").next().unwrap();
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let dense = lines.concat().replace(", \"", ",\"").replace(": \"", ":\"");
    let before = [
        "bad_request(\"",
        "forbidden(\"",
        "conflict(\"",
        "precondition_failed(\"",
        "unprocessable(\"",
        "invalid_member(\"",
        "refuse(\"",
        "invalid(\"",
        "code:\"",
    ];
    for start in before {
        found.extend(dense.split(start).skip(1).filter_map(code));
    }
    for start in ["StatusCode::", "RefusedKind::"] {
        let named = dense.split(start).skip(1).filter_map(|rest| {
            let (name, rest) = rest.split_once(",\"")?;
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_name.then(|| code(rest)).flatten()
        });
        found.extend(named);
    }
}

/// The code at the beginning of a text, if it is one and not a sentence.
fn code(text: &str) -> Option<String> {
    let code = text.split('"').next()?;
    let sound = !code.is_empty()
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    sound.then(|| code.to_owned())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
