//! `serve --demo`: an organization with a configuration, through the same change path as everything else.

use std::fs;
use std::path::PathBuf;

use countersign_crypto::{SigningAlgorithm, SigningKey};
use countersign_domain::configurations::ConfigurationEdit;
use countersign_domain::organizations::OrganizationEdit;
use countersign_service::{
    Act, Caller, CreateConfiguration, CreateOrganization, Executed, Execution, Service,
};

use crate::data_dir::{DataDir, write_private};
use crate::failure::ServerFailure;

/// The organization's name.
const NAME: &str = "Acme Bank (demonstration)";

/// What the demonstration has made.
#[derive(Debug)]
pub(crate) struct Demonstration {
    pub(crate) name: &'static str,
    pub(crate) tenant_id: String,
    pub(crate) configuration: String,
    pub(crate) private_key: PathBuf,
}

/// Makes the demonstration, or finds the one that was made before.
///
/// # Errors
/// When the store is unavailable or the key cannot be written.
pub(crate) async fn make(
    service: &Service,
    data: &DataDir,
) -> Result<Demonstration, ServerFailure> {
    let directory =
        fs::canonicalize(data.path()).map_err(|error| ServerFailure::local(data.path(), &error))?;
    let private_key = directory.join("demo-key.pem");
    let remembered = directory.join("demo");
    if let Ok(text) = fs::read_to_string(&remembered)
        && let Some((tenant_id, configuration)) = text.trim().split_once(' ')
        && private_key.exists()
    {
        return Ok(demonstration(
            tenant_id.to_owned(),
            configuration.to_owned(),
            private_key,
        ));
    }
    let organization = execute(
        service,
        &CreateOrganization {
            name: NAME.to_owned(),
            fields: OrganizationEdit::default(),
        },
    )
    .await?;
    let key = SigningKey::generate(SigningAlgorithm::Es256);
    let caller = Caller::operator();
    let import = service
        .import_key(&caller, organization.tenant_id, key.public_key().to_pem())
        .await?;
    let create = CreateConfiguration {
        tenant_id: organization.tenant_id,
        fields: ConfigurationEdit {
            name: Some("Demonstration server".to_owned()),
            ..ConfigurationEdit::default()
        },
        keys: import.keys,
        algorithm: None,
        kid: None,
    };
    let configuration = execute(service, &create).await?;
    write_private(&private_key, key.to_pkcs8_pem().as_bytes())
        .map_err(|error| ServerFailure::local(&private_key, &error))?;
    let (tenant_id, configuration) = (
        organization.tenant_id.to_string(),
        configuration.id.to_string(),
    );
    write_private(
        &remembered,
        format!("{tenant_id} {configuration}\n").as_bytes(),
    )
    .map_err(|error| ServerFailure::local(&remembered, &error))?;
    Ok(demonstration(tenant_id, configuration, private_key))
}

async fn execute<A: Act>(service: &Service, act: &A) -> Result<A::Output, ServerFailure> {
    let caller = Caller::operator();
    let correlation_id = countersign_service::new_correlation_id();
    let run = Execution {
        caller: &caller,
        correlation_id,
        dry_run: false,
        keep: None,
    };
    match service.execute(act, &run).await? {
        Executed::Done(output) => Ok(output),
        Executed::Repeated(_) => Err(ServerFailure::new("the demonstration was repeated")),
    }
}

fn demonstration(tenant_id: String, configuration: String, private_key: PathBuf) -> Demonstration {
    Demonstration {
        name: NAME,
        tenant_id,
        configuration,
        private_key,
    }
}
