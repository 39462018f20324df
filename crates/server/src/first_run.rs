//! What a person sees at the first start.

use std::path::Path;

use crate::console::line;

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
pub(crate) fn demonstration(made: &crate::demo::Demonstration, public_url: &str) {
    let key = made.private_key.display();
    line("  Demonstration");
    line("");
    line(&format!(
        "    Organization    {}  ({})",
        made.tenant_id, made.name
    ));
    line(&format!("    Configuration   {}", made.configuration));
    line(&format!("    Private key     {key}"));
    line("");
    line("  Get an access token (paste into another terminal):");
    line("");
    line(&format!(
        "    {} token --url {public_url} --org {} --config {} --key {key}",
        made.program.display(),
        made.tenant_id,
        made.configuration,
    ));
    line("");
    line("  The same with curl:");
    line("");
    line(&format!(
        "    curl -s {public_url}/t/{}/token -d grant_type=client_credentials \\\n      \
         -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \\\n      \
         --data-urlencode client_assertion=\"$({} assertion --url {public_url} --org {} --config {} --key {key})\"",
        made.tenant_id,
        made.program.display(),
        made.tenant_id,
        made.configuration,
    ));
    line("");
}

fn environment(public_url: &str, token_file: &Path) -> Vec<String> {
    vec![
        format!("export COUNTERSIGN_URL={public_url}"),
        format!("export COUNTERSIGN_TOKEN=$(cat {})", token_file.display()),
    ]
}
