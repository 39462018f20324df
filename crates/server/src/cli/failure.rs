//! Why a client command ends without doing its work, what it says then, and its exit code.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

/// Done.
pub(crate) const DONE: u8 = 0;
/// Refused by the server (4xx), or an explained assertion would be refused.
pub(crate) const REFUSED: u8 = 1;
/// The command line is wrong or ambiguous; clap ends with the same code.
pub(crate) const USAGE: u8 = 2;
/// The server cannot be reached.
pub(crate) const UNREACHABLE: u8 = 3;
/// The server failed (5xx), or its answer makes no sense.
pub(crate) const SERVER_FAULT: u8 = 4;
/// A local file or key cannot be used.
pub(crate) const LOCAL: u8 = 5;

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What the server sent is not an answer of this API.
    #[error(
        "the server at {url} answered {status} with something else than JSON: is it Countersign?"
    )]
    AnswerUnreadable {
        /// The address asked.
        url: String,
        /// Its HTTP status.
        status: u16,
    },
    /// The file named for the authority of an https server has no certificate.
    #[error("{}: no certificate in it: give the authority's certificate in PEM", .0.display())]
    AuthorityMissing(PathBuf),
    /// There is no list of trusted certificates for https.
    #[error(
        "no trusted certificates found for https: install the package ca-certificates, or name a PEM file in SSL_CERT_FILE"
    )]
    CertificatesMissing,
    /// The file to be made is already there.
    #[error("{} exists and is never overwritten: choose another name", .0.display())]
    FileExists(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    FileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {cause}", path.display())]
    FileUnwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A key file holds nothing that can be used here.
    #[error("{}: {sentence}", path.display())]
    KeyUnacceptable {
        /// The file.
        path: PathBuf,
        /// The code of the condition.
        code: &'static str,
        /// What to do about it.
        sentence: String,
    },
    /// An edit without a single field.
    #[error("nothing to change: give at least one field, for example --name \"payments service\"")]
    NothingToChange,
    /// An ID was left out, but there is not exactly one to choose.
    #[error("{flag} is needed: there {}", found(*.count, .noun))]
    NotExactlyOne {
        /// The argument to give.
        flag: &'static str,
        /// What it names, in the plural.
        noun: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The server refused, or failed, and said so.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The access token to revoke is none.
    #[error(
        "this is no access token of Countersign (a JWT with jti and exp): paste the whole token, or give --jti and --expires-at"
    )]
    TokenUnreadable,
    /// Nobody answers.
    #[error("cannot reach the server at {url}: {cause}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The address of the server is none.
    #[error("{0:?} is no address of a server: give http://HOST:PORT or https://HOST")]
    UrlUnusable(String),
}

fn found(count: usize, noun: &str) -> String {
    match count {
        0 => format!("are no {noun} yet"),
        _ => format!("are several {noun}"),
    }
}

impl Failure {
    /// The stable name of the condition; the server's own when it refused.
    pub(crate) fn code(&self) -> &str {
        match self {
            Self::AnswerUnreadable { .. } => "answer_unreadable",
            Self::AuthorityMissing(_) => "authority_missing",
            Self::CertificatesMissing => "certificates_missing",
            Self::FileExists(_) => "file_exists",
            Self::FileUnreadable { .. } => "file_unreadable",
            Self::FileUnwritable { .. } => "file_unwritable",
            Self::KeyUnacceptable { code, .. } => code,
            Self::NothingToChange => "nothing_to_change",
            Self::NotExactlyOne { .. } => "not_exactly_one",
            Self::Problem(problem) => &problem.code,
            Self::TokenUnreadable => "token_unreadable",
            Self::Unreachable { .. } => "server_unreachable",
            Self::UrlUnusable(_) => "url_unusable",
        }
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NothingToChange
            | Self::NotExactlyOne { .. }
            | Self::TokenUnreadable
            | Self::UrlUnusable(_) => USAGE,
            Self::Unreachable { .. } => UNREACHABLE,
            Self::AnswerUnreadable { .. } => SERVER_FAULT,
            Self::Problem(problem) if problem.status < 500 => REFUSED,
            Self::Problem(_) => SERVER_FAULT,
            Self::AuthorityMissing(_)
            | Self::CertificatesMissing
            | Self::FileExists(_)
            | Self::FileUnreadable { .. }
            | Self::FileUnwritable { .. }
            | Self::KeyUnacceptable { .. } => LOCAL,
        }
    }

    /// What is printed on stderr: a sentence, the code, the correlation ID if there is one, and what may help.
    pub(crate) fn report(&self) -> String {
        let mut lines = vec![format!("error: {self}")];
        if let Self::Problem(problem) = self {
            let places = problem.errors.iter();
            lines.extend(places.map(|(pointer, detail)| format!("  {pointer}: {detail}")));
        }
        lines.push(format!("code: {}", self.code()));
        if let Self::Problem(problem) = self {
            lines.extend(
                problem
                    .correlation_id
                    .as_ref()
                    .map(|id| format!("correlation id: {id}")),
            );
            lines.extend(problem.hint.iter().map(|hint| format!("hint: {hint}")));
        }
        lines.join("\n")
    }
}

/// What a refusing or failing server said: problem details (RFC 9457) or an OAuth error (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// HTTP status.
    pub(crate) status: u16,
    /// Stable code.
    pub(crate) code: String,
    /// The sentence for people.
    pub(crate) sentence: String,
    /// Finds the entry in the activity log.
    pub(crate) correlation_id: Option<String>,
    /// Places in the request that are wrong: JSON pointer and sentence.
    pub(crate) errors: Vec<(String, String)>,
    /// What the user may do next.
    pub(crate) hint: Option<String>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Problem {
    /// Reads the body of an answer that is no success.
    pub(crate) fn new(status: u16, body: &Value) -> Self {
        let text = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| body[*name].as_str());
            found.next().map(str::to_owned)
        };
        let errors = body["errors"].as_array().into_iter().flatten();
        Self {
            status,
            code: text(&["code", "reason", "error"]).unwrap_or_else(|| format!("http_{status}")),
            sentence: text(&["detail", "error_description", "title"])
                .unwrap_or_else(|| format!("the server answered {status} without a reason")),
            correlation_id: text(&["correlation_id"]),
            errors: errors
                .map(|error| {
                    let member = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                    (member("pointer"), member("detail"))
                })
                .collect(),
            hint: None,
        }
    }

    /// The same with something the user may do next.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_problem_prints_sentence_code_and_correlation_id() {
        let body = json!({
            "status": 422, "title": "Unprocessable", "detail": "The key is too short.",
            "code": "rsa_modulus_too_short", "correlation_id": "c-1",
            "errors": [{"pointer": "/public_key", "code": "x", "detail": "1024 bits"}],
        });
        let failure = Failure::Problem(Box::new(
            Problem::new(422, &body).with_hint("make a longer one"),
        ));
        assert_eq!(
            failure.report(),
            "error: The key is too short.\n  /public_key: 1024 bits\n\
             code: rsa_modulus_too_short\ncorrelation id: c-1\nhint: make a longer one"
        );
        assert_eq!(failure.exit_code(), REFUSED);
    }

    #[test]
    fn an_oauth_error_prints_its_reason_when_the_server_tells_it() {
        let body = json!({
            "error": "invalid_grant", "error_description": "exp is in the past.",
            "reason": "assertion_expired", "correlation_id": "c-2",
        });
        let report = Failure::Problem(Box::new(Problem::new(400, &body))).report();
        assert_eq!(
            report,
            "error: exp is in the past.\ncode: assertion_expired\ncorrelation id: c-2"
        );
    }

    #[test]
    fn each_class_of_failure_has_its_exit_code() {
        let problem = |status| Failure::Problem(Box::new(Problem::new(status, &Value::Null)));
        let url = || "http://h".to_owned();
        let cases = [
            (problem(404), REFUSED),
            (problem(503), SERVER_FAULT),
            (Failure::NothingToChange, USAGE),
            (Failure::UrlUnusable(url()), USAGE),
            (
                Failure::Unreachable {
                    url: url(),
                    cause: String::new(),
                },
                UNREACHABLE,
            ),
            (
                Failure::AnswerUnreadable {
                    url: url(),
                    status: 200,
                },
                SERVER_FAULT,
            ),
            (Failure::FileExists(PathBuf::new()), LOCAL),
        ];
        for (failure, code) in cases {
            assert_eq!(failure.exit_code(), code, "{failure:?}");
        }
    }
}
