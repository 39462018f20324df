//! A client command's way to the server: the address, the API token, and what is said about them.

use std::fs;
use std::path::Path;

use super::args::Connection;
use super::client::{Authorities, Client, ServerUrl};
use super::failure::Failure;
use super::output;

/// Where the first platform token is, seen from the directory in which the server was started.
const PLATFORM_TOKEN: &str = "countersign-data/platform-token";

impl Connection {
    /// Prepares to speak to the server.
    ///
    /// # Errors
    /// When the address is none, or the file with the API token cannot be read.
    pub(crate) fn open(&self) -> Result<Client, Failure> {
        self.open_near(Path::new("."))
    }

    /// [`Self::open`], looking for the server's data below `place`.
    fn open_near(&self, place: &Path) -> Result<Client, Failure> {
        let url = ServerUrl::parse(&self.url)?;
        let token = self.api_token(&url, place)?;
        if token.is_some() && url.is_plain() {
            output::note("warning: the API token travels unencrypted; use https");
        }
        Client::new(url, token, self.authorities())
    }

    fn authorities(&self) -> Authorities<'_> {
        match (&self.ca_certificate, &self.system_certificates) {
            (Some(file), _) => Authorities::Only(file),
            (None, Some(file)) => Authorities::System(Some(Path::new(file))),
            (None, None) => Authorities::System(None),
        }
    }

    fn api_token(&self, url: &ServerUrl, place: &Path) -> Result<Option<String>, Failure> {
        if let Some(file) = &self.token_file {
            let text = fs::read_to_string(file).map_err(|cause| Failure::FileUnreadable {
                path: file.clone(),
                cause,
            })?;
            return Ok(Some(text.trim().to_owned()));
        }
        let given = self.token.as_deref().map(str::trim);
        if let Some(token) = given.filter(|token| !token.is_empty()) {
            return Ok(Some(token.to_owned()));
        }
        let near = place.join(PLATFORM_TOKEN);
        // The token of a server on this machine is of no use, and no business, to any other server.
        let text = url
            .is_loopback()
            .then(|| fs::read_to_string(&near).ok())
            .flatten();
        if text.is_some() {
            self.say(&format!("using the API token in {}", near.display()));
        }
        Ok(text.map(|text| text.trim().to_owned()))
    }

    /// Says something on stderr, if the user wants to know.
    pub(crate) fn say(&self, line: &str) {
        if self.reporting.verbose {
            output::note(line);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::args::Reporting;
    use super::*;

    pub(crate) fn connection(url: &str) -> Connection {
        Connection {
            url: url.to_owned(),
            token: None,
            token_file: None,
            ca_certificate: None,
            system_certificates: None,
            reporting: Reporting::default(),
        }
    }

    fn directory_with_token() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("countersign-data")).unwrap();
        fs::write(place.path().join(PLATFORM_TOKEN), "cst_local\n").unwrap();
        place
    }

    fn token(connection: &Connection, place: &Path) -> Option<String> {
        let url = ServerUrl::parse(&connection.url).unwrap();
        connection.api_token(&url, place).unwrap()
    }

    #[test]
    fn the_local_platform_token_is_for_a_server_on_this_machine_only() {
        let place = directory_with_token();
        let local = token(&connection("http://127.0.0.1:8080"), place.path());
        assert_eq!(local.as_deref(), Some("cst_local"));
        assert_eq!(
            token(&connection("https://auth.example.com"), place.path()),
            None
        );
    }

    #[test]
    fn a_token_file_wins_over_a_token_which_wins_over_the_local_one() {
        let place = directory_with_token();
        let mut connection = connection("http://127.0.0.1:8080");
        connection.token = Some("cst_given".to_owned());
        assert_eq!(
            token(&connection, place.path()).as_deref(),
            Some("cst_given")
        );
        let file = place.path().join("mine");
        fs::write(&file, " cst_file \n").unwrap();
        connection.token_file = Some(file);
        assert_eq!(
            token(&connection, place.path()).as_deref(),
            Some("cst_file")
        );
    }

    #[test]
    fn a_token_file_that_cannot_be_read_is_a_local_failure() {
        let mut connection = connection("http://127.0.0.1:8080");
        connection.token_file = Some("/nonexistent/token".into());
        let failure = connection.open().err().unwrap();
        assert_eq!(failure.code(), "file_unreadable");
    }
}
