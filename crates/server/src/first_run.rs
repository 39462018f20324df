//! What a person sees at the first start.

use std::path::Path;

use crate::console::line;
use crate::demo::Demonstration;

/// Says where the server listens, gives the platform token, and the next three commands.
pub(crate) fn welcome(public_url: &str, token: &str, token_file: &Path) {
    line("");
    line("  Countersign is running.");
    line("");
    line(&format!("    Address         {public_url}"));
    line(&format!("    Platform token  {token}"));
    line(&format!(
        "                    (valid 30 days, shown once; also in {})",
        token_file.display()
    ));
    line("");
    line("  Next, in another terminal:");
    line("");
    for export in environment(public_url, token_file) {
        line(&format!("    {export}"));
    }
    line("");
    line("    countersign org create \"Acme Bank\"");
    line("    countersign keygen --out acme");
    line("    countersign config create --key acme.pub.pem");
    line("");
}

/// Says where the server listens.
pub(crate) fn running(public_url: &str) {
    line(&format!("Countersign is running at {public_url}"));
}

/// What the demonstration has made, with commands that return a token when pasted.
pub(crate) fn demonstration(made: &Demonstration, public_url: &str) {
    let who = format!(
        "--url {public_url} --org {} --config {} --key {}",
        made.tenant_id,
        made.configuration,
        quoted(&made.private_key)
    );
    let setup = search_path()
        .map(|export| format!("{export}\n    "))
        .unwrap_or_default();
    line("  Demonstration");
    line("");
    line(&format!(
        "    Organization    {}  ({})",
        made.tenant_id, made.name
    ));
    line(&format!("    Configuration   {}", made.configuration));
    line(&format!(
        "    Private key     {}",
        made.private_key.display()
    ));
    line("");
    line("  Get an access token (paste into another terminal):");
    line("");
    line(&format!("    {setup}countersign token {who}"));
    line("");
    line("  The same with curl:");
    line("");
    line(&format!(
        "    {setup}curl -s {public_url}/t/{}/token -d grant_type=client_credentials \\\n      \
         -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\\n      \
         --data-urlencode client_assertion=\"$(countersign assertion {who})\"",
        made.tenant_id,
    ));
    line("");
}

fn environment(public_url: &str, token_file: &Path) -> Vec<String> {
    let mut exports: Vec<String> = search_path().into_iter().collect();
    exports.extend([
        format!("export COUNTERSIGN_URL={public_url}"),
        format!("export COUNTERSIGN_TOKEN=$(cat {})", quoted(token_file)),
    ]);
    exports
}

/// The line that makes `countersign` a command, where it is not one yet.
#[expect(
    clippy::disallowed_methods,
    reason = "only to print commands that work when pasted"
)]
pub(crate) fn search_path() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let directories = std::env::var("PATH").unwrap_or_default();
    let known =
        std::env::split_paths(&directories).any(|directory| directory.join("countersign").exists());
    (!known).then(|| {
        format!(
            "export PATH={}:$PATH",
            quoted(program.parent().unwrap_or(&program))
        )
    })
}

/// A path as one word of a shell command.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
