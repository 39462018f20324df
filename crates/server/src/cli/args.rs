//! What the command line accepts: the program, its commands, and the arguments of the server's own commands.
//!
//! The arguments of a client command stand beside its code, in the file named after it.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    activity::ActivityArgs, api_tokens::ApiTokenArgs, assertion::AssertionArgs,
    completions::CompletionsArgs, config::ConfigArgs, explain::ExplainArgs, instance::InstanceArgs,
    keygen::KeygenArgs, keys::KeysArgs, org::OrgArgs, requests::RequestsArgs, revoke::RevokeArgs,
    token::TokenArgs,
};

/// What `--help` says after the commands.
const AFTER_HELP: &str = "\
Start here:
  countersign serve --demo

Environment:
  COUNTERSIGN_URL    where the server is (default http://127.0.0.1:8080)
  COUNTERSIGN_TOKEN  the API token; for a server on this machine, the file
                     ./countersign-data/platform-token serves when it is unset
  COUNTERSIGN_CA_CERTIFICATE
                     PEM file of a private authority that vouches for an https server

Exit codes:
  0  done
  1  refused by the server (4xx), or an explained assertion would be refused
  2  the command line is wrong or ambiguous
  3  the server cannot be reached
  4  the server failed (5xx) or its answer makes no sense
  5  a local file or key cannot be used";

/// The authorization server for servers, and its command line.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command: those of the server process first, then those that speak to a running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server
    Serve(ServeArgs),
    /// Bring the database to the form this program needs, and stop
    Migrate(MigrateArgs),
    /// Write a consistent copy of the embedded database, also while serving
    Backup(BackupArgs),
    /// Put a backup in the place of the database
    Restore(RestoreArgs),
    /// Look for what would keep the server from working
    Doctor(DoctorArgs),
    /// Print the OpenAPI document
    Openapi(OpenapiArgs),
    /// A command that speaks to a running server, or works on local files only.
    #[command(flatten)]
    Client(ClientCommand),
}

/// The commands that [`super::run`] performs.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Organizations: create, list, show, suspend, restore
    Org(OrgArgs),
    /// Authentication configurations: create, list, show, edit, rotate, suspend, …
    Config(ConfigArgs),
    /// Make a key pair for a server that will sign assertions
    Keygen(KeygenArgs),
    /// Sign an assertion and print it
    Assertion(AssertionArgs),
    /// Exchange a fresh assertion for an access token, and print it
    Token(TokenArgs),
    /// Say why an assertion is accepted or refused, check by check
    Explain(ExplainArgs),
    /// The keys that an organization's access tokens are signed with
    Keys(KeysArgs),
    /// Revoke an access token
    Revoke(RevokeArgs),
    /// API tokens: create, list, revoke
    ApiToken(ApiTokenArgs),
    /// Change requests: list, show
    Requests(RequestsArgs),
    /// What happened in an organization: refusals and administrative acts
    Activity(ActivityArgs),
    /// The instance: version, and whether it issues tokens
    Instance(InstanceArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
}

/// Where the server keeps its data.
#[derive(Args, Clone, Debug)]
pub(crate) struct StoreArgs {
    /// Directory of the embedded database, the keys and the first platform token; made if missing
    #[arg(
        long,
        value_name = "DIR",
        env = "COUNTERSIGN_DATA",
        default_value = "./countersign-data"
    )]
    pub(crate) data: PathBuf,
    /// Database instead of the embedded one: postgres://… or sqlite://…
    #[arg(
        long,
        value_name = "URL",
        env = "COUNTERSIGN_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
}

/// The certificate that the listener shows.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TlsArgs {
    /// Speak TLS with this certificate: PEM, followed by what leads to its authority; read again when it changes
    #[arg(
        long = "tls-certificate",
        value_name = "FILE",
        env = "COUNTERSIGN_TLS_CERTIFICATE",
        requires = "tls_key"
    )]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Private key of the certificate: PEM, not readable by others
    #[arg(
        long = "tls-key",
        value_name = "FILE",
        env = "COUNTERSIGN_TLS_KEY",
        requires = "tls_certificate"
    )]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Arguments of `serve`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  countersign serve --public-url https://auth.example.com --log-format json"
)]
pub(crate) struct ServeArgs {
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDR",
        env = "COUNTERSIGN_LISTEN",
        default_value = "127.0.0.1:8080"
    )]
    pub(crate) listen: SocketAddr,
    /// Where the database and the keys are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Certificate and key of the listener.
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// Address under which callers reach it, part of every issuer [default: http://LISTEN, or https://LISTEN with TLS]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_PUBLIC_URL")]
    pub(crate) public_url: Option<String>,
    /// Address for /metrics, or off
    #[arg(
        long,
        value_name = "ADDR",
        env = "COUNTERSIGN_METRICS_LISTEN",
        default_value = "127.0.0.1:9090"
    )]
    pub(crate) metrics_listen: MetricsListen,
    /// How log lines look
    #[arg(
        long,
        value_enum,
        env = "COUNTERSIGN_LOG_FORMAT",
        default_value = "pretty"
    )]
    pub(crate) log_format: LogFormat,
    /// Which log lines are written: error, warn, info, debug, trace, or a filter such as info,sqlx=warn
    #[arg(
        long,
        value_name = "LEVEL",
        env = "COUNTERSIGN_LOG_LEVEL",
        default_value = "info"
    )]
    pub(crate) log_level: String,
    /// Token requests per second that one organization may make; 0 for no limit
    #[arg(
        long,
        value_name = "N",
        env = "COUNTERSIGN_RATE_LIMIT",
        default_value_t = 5000
    )]
    pub(crate) rate_limit: u32,
    /// Threads that serve requests [default: one per processor]
    #[arg(long, value_name = "N", env = "COUNTERSIGN_WORKERS")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// Make an organization with a configuration, and print commands that return a token
    #[arg(long)]
    pub(crate) demo: bool,
}

impl ServeArgs {
    /// The address under which callers reach the server, without a slash at its end.
    pub(crate) fn public_url(&self) -> String {
        match (&self.public_url, &self.tls.tls_certificate) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(_)) => format!("https://{}", self.listen),
            (None, None) => format!("http://{}", self.listen),
        }
    }
}

/// Arguments of `migrate`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  countersign migrate --database postgres://localhost/countersign"
)]
pub(crate) struct MigrateArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Arguments of `backup`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  countersign backup /var/backups/countersign.db")]
pub(crate) struct BackupArgs {
    /// File to write; it must not exist
    pub(crate) file: PathBuf,
    /// Where the database is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Arguments of `restore`.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  countersign restore /var/backups/countersign.db --data ./countersign-data"
)]
pub(crate) struct RestoreArgs {
    /// Backup to put in place
    pub(crate) file: PathBuf,
    /// Where the database is.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// Arguments of `doctor`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  countersign doctor --data /var/lib/countersign")]
pub(crate) struct DoctorArgs {
    /// Where the database and the keys are.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Certificate and key of the listener.
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// Arguments of `openapi`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:\n  countersign openapi > openapi.json")]
pub(crate) struct OpenapiArgs {}

/// Where `/metrics` listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsListen {
    /// On this address.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl FromStr for MetricsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            address => address
                .parse()
                .map(Self::At)
                .map_err(|_| "give an address such as 127.0.0.1:9090, or off".to_owned()),
        }
    }
}

impl fmt::Display for MetricsListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => write!(f, "{address}"),
            Self::Off => f.write_str("off"),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Pretty,
    /// One JSON object a line, for programs
    Json,
}

/// How a client command answers.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Reporting {
    /// Print JSON, for programs
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Say on stderr what is done
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
}

/// How a client command reaches the server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connection {
    /// Where the server is
    #[arg(
        long,
        global = true,
        help_heading = "Connection",
        value_name = "URL",
        env = "COUNTERSIGN_URL",
        default_value = "http://127.0.0.1:8080",
        hide_env_values = true
    )]
    pub(crate) url: String,
    /// API token; prefer the environment or --token-file, which other users of the machine cannot see
    #[arg(
        long,
        global = true,
        help_heading = "Connection",
        value_name = "TOKEN",
        env = "COUNTERSIGN_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// File that holds the API token; it wins over --token
    #[arg(long, global = true, help_heading = "Connection", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// PEM file of the only authorities that may vouch for an https server [default: those of this system]
    #[arg(
        long,
        global = true,
        help_heading = "Connection",
        value_name = "FILE",
        env = "COUNTERSIGN_CA_CERTIFICATE",
        hide_env_values = true
    )]
    pub(crate) ca_certificate: Option<PathBuf>,
    /// PEM file of the authorities of this system, where it is not at one of the usual places
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SSL_CERT_FILE",
        hide = true
    )]
    pub(crate) system_certificates: Option<OsString>,
    /// How to answer.
    #[command(flatten)]
    pub(crate) reporting: Reporting,
}

/// Which organization a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct InOrganization {
    /// The organization (tn-…); may be left out when there is only one
    #[arg(long, value_name = "TENANT", env = "COUNTERSIGN_ORG")]
    pub(crate) org: Option<String>,
}

/// Which part of a list to show.
#[derive(Args, Clone, Debug)]
pub(crate) struct Page {
    /// How many to show, 1 to 200
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) limit: u16,
    /// Where to go on, as the page before said
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// Its query parameters.
    pub(crate) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.cursor.clone().map(|cursor| ("cursor", cursor)));
        query
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words.split(' '))
    }

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_has_the_documented_defaults() {
        let Command::Serve(args) = parse("countersign serve").unwrap().command else {
            panic!("serve parses as serve")
        };
        assert_eq!(args.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(args.store.data, PathBuf::from("./countersign-data"));
        assert_eq!(args.public_url(), "http://127.0.0.1:8080");
        assert_eq!(args.metrics_listen.to_string(), "127.0.0.1:9090");
        assert_eq!(args.log_format, LogFormat::Pretty);
        assert_eq!((args.rate_limit, args.workers), (5000, None));
        assert!(!args.demo);
    }

    #[test]
    fn the_public_url_loses_its_final_slash() {
        let Command::Serve(args) = parse("countersign serve --public-url https://a.example/")
            .unwrap()
            .command
        else {
            panic!("serve parses as serve")
        };
        assert_eq!(args.public_url(), "https://a.example");
    }

    #[test]
    fn a1_with_a_certificate_the_public_url_is_https_and_half_a_pair_is_refused() {
        let serve = |words: &str| match parse(&format!("countersign serve {words}")) {
            Ok(Cli {
                command: Command::Serve(args),
            }) => Ok(args.public_url()),
            Ok(_) => panic!("serve parses as serve"),
            Err(error) => Err(error.to_string()),
        };
        let pair = "--tls-certificate c --tls-key k";
        assert_eq!(serve(pair).as_deref(), Ok("https://127.0.0.1:8080"));
        let named = serve(&format!("{pair} --public-url http://a.example"));
        assert_eq!(named.as_deref(), Ok("http://a.example"));
        assert!(
            serve("--tls-certificate c")
                .unwrap_err()
                .contains("--tls-key")
        );
        assert!(
            serve("--tls-key k")
                .unwrap_err()
                .contains("--tls-certificate")
        );
    }

    #[test]
    fn metrics_can_be_switched_off_and_nothing_else_is_taken_for_an_address() {
        assert_eq!("off".parse(), Ok(MetricsListen::Off));
        assert!("9090".parse::<MetricsListen>().is_err());
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &mut clap::Command, name: &str) {
            let leaves: Vec<String> = command
                .get_subcommands()
                .map(|child| child.get_name().to_owned())
                .collect();
            for leaf in &leaves {
                let child = command.find_subcommand_mut(leaf).expect("just listed");
                check(child, &format!("{name} {leaf}"));
            }
            if leaves.is_empty() {
                let help = command.render_long_help().to_string();
                assert!(help.contains("Example:"), "{name} has no example");
            }
        }
        check(&mut Cli::command(), "countersign");
    }

    #[test]
    fn the_api_token_of_the_environment_never_shows_in_help() {
        let help = Cli::command()
            .find_subcommand_mut("token")
            .expect("it exists")
            .render_long_help()
            .to_string();
        assert!(
            help.contains("COUNTERSIGN_TOKEN]"),
            "only the name is printed: {help}"
        );
    }

    #[test]
    fn what_speaks_to_the_server_takes_the_connection_before_and_after_its_verb() {
        for words in [
            "countersign org --url http://h list",
            "countersign org list --url http://h",
            "countersign org list --url http://h --json -v",
        ] {
            let Command::Client(ClientCommand::Org(args)) = parse(words).unwrap().command else {
                panic!("org parses as org")
            };
            assert_eq!(args.connection.url, "http://h");
        }
    }
}
