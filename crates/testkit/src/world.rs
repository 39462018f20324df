//! A valid world: organizations, their configurations, and the keys of their servers.

use countersign_domain::configurations::{Configuration, ConfigurationEdit};
use countersign_domain::ids::{ConfigurationId, TenantId};
use countersign_domain::organizations::OrganizationEdit;
use countersign_service::{
    Caller, ChangeConfigurationStatus, ChangeOrganizationStatus, CreateConfiguration,
    CreateOrganization, OrganizationStatusChange, RotateConfiguration, ServiceError, StatusChange,
};
use countersign_store::Arg;

use crate::assertion::Assertion;
use crate::keys::TestKey;
use crate::server::{Setup, TestServer};

/// An organization.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its ID.
    pub id: TenantId,
    /// Its issuer.
    pub issuer: String,
}

impl Tenant {
    /// The path of one of its endpoints.
    #[must_use]
    pub fn path(&self, endpoint: &str) -> String {
        format!("/t/{}/{endpoint}", self.id)
    }
}

/// A configuration together with the private key that belongs to it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its organization.
    pub tenant: Tenant,
    /// Its ID.
    pub id: ConfigurationId,
    /// The private key of its server.
    pub key: TestKey,
    /// The name of the key.
    pub kid: String,
    /// What its assertions carry in `iss`.
    pub issuer: String,
    /// What its assertions carry in `sub`.
    pub subject: String,
    /// What its assertions carry in `aud`.
    pub audience: String,
}

/// A configuration to be created.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// The private key.
    pub key: TestKey,
    /// The name of the key; its thumbprint when left out.
    pub kid: Option<String>,
    /// How the public key is given, when not as PEM.
    pub public_key: Option<String>,
    /// Further fields.
    pub fields: ConfigurationEdit,
}

impl NewClient {
    /// A configuration with this key and every default.
    #[must_use]
    pub fn with_key(key: &TestKey) -> Self {
        Self {
            key: key.clone(),
            kid: None,
            public_key: None,
            fields: ConfigurationEdit::default(),
        }
    }

    /// A configuration with a new P-256 key in a certificate that ends at [`crate::MIDNIGHT`].
    #[must_use]
    pub fn with_certificate() -> Self {
        let key = TestKey::es256();
        Self {
            public_key: Some(key.certificate((2027, 1, 16))),
            ..Self::with_key(&key)
        }
    }

    /// A configuration with a new P-256 key and these fields.
    #[must_use]
    pub fn with_fields(fields: ConfigurationEdit) -> Self {
        Self {
            fields,
            ..Self::with_key(&TestKey::es256())
        }
    }
}

/// Two organizations; the first has two configurations, the second one.
pub struct World {
    /// The server.
    pub server: TestServer,
    /// The first organization.
    pub acme: Tenant,
    /// The second organization.
    pub bob: Tenant,
    /// The first configuration of the first organization.
    pub a1: Client,
    /// The second configuration of the first organization.
    pub a2: Client,
    /// The configuration of the second organization.
    pub b1: Client,
}

impl World {
    /// The permission groups of both organizations.
    pub const GROUPS: [&'static str; 3] = [
        "cards-v1:cards:rw",
        "payments-v1:accounts:r",
        "payments-v1:accounts:rw",
    ];

    /// The world on SQLite in memory.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// The world on a server as described.
    pub async fn with(setup: Setup) -> Self {
        let server = TestServer::with(setup).await;
        let acme = server.create_organization("Acme", &Self::GROUPS).await;
        let bob = server.create_organization("Bob", &Self::GROUPS).await;
        let mut clients = Vec::new();
        for tenant in [&acme, &acme, &bob] {
            let new = NewClient::with_key(&TestKey::es256());
            clients.push(server.create_client(tenant, new).await.unwrap());
        }
        let [a1, a2, b1] = clients.try_into().unwrap();
        Self {
            server,
            acme,
            bob,
            a1,
            a2,
            b1,
        }
    }

    /// A valid assertion of the first client.
    #[must_use]
    pub fn assertion(&self) -> Assertion {
        Assertion::new(&self.a1, self.server.now())
    }

    /// A valid assertion of any client.
    #[must_use]
    pub fn assertion_of(&self, client: &Client) -> Assertion {
        Assertion::new(client, self.server.now())
    }

    /// The world after its server was killed and started again.
    pub async fn restarted(self) -> Self {
        Self {
            server: self.server.restarted().await,
            ..self
        }
    }
}

impl TestServer {
    /// Creates an organization that is entitled to these permission groups.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn create_organization(&self, name: &str, groups: &[&str]) -> Tenant {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        let act = CreateOrganization {
            name: name.to_owned(),
            fields: OrganizationEdit {
                permission_groups: Some(groups),
                ..OrganizationEdit::default()
            },
        };
        let organization = self.execute(&act).await.unwrap();
        let settings = self.service().settings();
        Tenant {
            id: organization.tenant_id,
            issuer: settings
                .public_url
                .issuer(organization.tenant_id)
                .to_string(),
        }
    }

    /// Creates a configuration.
    ///
    /// # Errors
    /// As it is refused.
    pub async fn create_client(
        &self,
        tenant: &Tenant,
        new: NewClient,
    ) -> Result<Client, ServiceError> {
        let text = new
            .public_key
            .unwrap_or_else(|| new.key.public_key().to_owned());
        let caller = Caller::operator();
        let import = self.service().import_key(&caller, tenant.id, text).await?;
        let act = CreateConfiguration {
            tenant_id: tenant.id,
            fields: new.fields,
            keys: import.keys,
            algorithm: Some(new.key.algorithm()),
            kid: new.kid,
        };
        let Configuration { id, state, .. } = self.execute(&act).await?;
        Ok(Client {
            tenant: tenant.clone(),
            id,
            key: new.key,
            kid: state.keys[0].kid.as_str().to_owned(),
            issuer: state.verifier_issuer.to_string(),
            subject: state.verifier_subject.to_string(),
            audience: state.verifier_audience.to_string(),
        })
    }

    /// Gives a configuration a new current key; the old one is accepted for `retire_after` seconds more, seven days when
    /// nothing is said.
    ///
    /// # Errors
    /// As it is refused.
    pub async fn rotate(
        &self,
        client: &Client,
        key: &TestKey,
        kid: Option<&str>,
        retire_after: Option<u32>,
    ) -> Result<(), ServiceError> {
        let (caller, tenant_id) = (Caller::operator(), client.tenant.id);
        let text = key.public_key().to_owned();
        let import = self.service().import_key(&caller, tenant_id, text).await?;
        let act = RotateConfiguration {
            tenant_id,
            id: client.id,
            expected_version: None,
            keys: import.keys,
            algorithm: Some(key.algorithm()),
            kid: kid.map(str::to_owned),
            as_next: false,
            retire_after,
        };
        self.execute(&act).await.map(drop)
    }

    /// Suspends, restores or deactivates a configuration.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn change_status(&self, client: &Client, change: StatusChange) {
        let act = ChangeConfigurationStatus {
            tenant_id: client.tenant.id,
            id: client.id,
            expected_version: None,
            change,
            reason: None,
        };
        self.execute(&act).await.unwrap();
    }

    /// Suspends or restores an organization.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn change_organization(&self, tenant: &Tenant, suspend: bool) {
        let act = ChangeOrganizationStatus {
            tenant_id: tenant.id,
            expected_version: None,
            change: match suspend {
                false => OrganizationStatusChange::Restore,
                true => OrganizationStatusChange::Suspend,
            },
            reason: None,
        };
        self.execute(&act).await.unwrap();
    }

    /// Writes into the stored state of a configuration by hand, past the program.
    ///
    /// # Panics
    /// When the text to be replaced is not there.
    pub async fn tamper_with(&self, client: &Client, from: &str, to: &str) {
        let id = client.id.to_string();
        let find = "SELECT state FROM configurations WHERE id = $1";
        let state = self
            .database()
            .read_text(find, vec![Arg::from(id.as_str())], "state")
            .await;
        assert!(state.contains(from), "{from} is not in {state}");
        let args = vec![Arg::from(state.replace(from, to)), Arg::from(id)];
        let write = "UPDATE configurations SET state = $1 WHERE id = $2";
        assert_eq!(self.database().tamper(write, args).await, 1);
    }
}
