//! The directory: the names of projects and accounts.

use serde::{Deserialize, Serialize};

use super::{AccountName, ApiError, Call, Client};

/// A project in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tenant {
    /// Its id.
    pub project_id: String,
    /// The name of its account.
    pub account: String,
    /// Its own name.
    pub project: String,
    /// Its region.
    pub region: String,
    /// Its organization; only an admin sees it.
    #[serde(default)]
    pub organization: Option<String>,
    /// The account at AWS that it is bound to; only an admin sees it.
    #[serde(default)]
    pub cloud_account: Option<String>,
}

/// What a directory entry is to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewTenant {
    /// The name of its account.
    pub account: String,
    /// Its own name.
    pub project: String,
    /// Its region; that of the service, if it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Its organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The account at AWS that it is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_account: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    tenant: Tenant,
}

#[derive(Deserialize)]
struct Found {
    tenants: Vec<Tenant>,
}

impl Client {
    /// Creates or changes a directory entry. For an admin.
    pub async fn put_tenant(&self, id: &str, tenant: &NewTenant) -> Result<Tenant, ApiError> {
        Ok(self.send::<Body>(&Call::put("/v1/tenants/{}", &[id]).body(tenant)).await?.tenant)
    }

    /// Reads a directory entry. `None` if there is no such entry. For an admin, or the project itself.
    pub async fn tenant(&self, id: &str) -> Result<Option<Tenant>, ApiError> {
        let body: Option<Body> = self.find(&Call::get("/v1/tenants/{}", &[id])).await?;
        Ok(body.map(|body| body.tenant))
    }

    /// Finds the project of an account by their exact names. `None` if there is no such account or project.
    ///
    /// # Errors
    /// [`ApiError`], also if the account has several projects and the name does not say which.
    pub async fn find_tenant(&self, name: &AccountName) -> Result<Option<Tenant>, ApiError> {
        let call = Call::get("/v1/tenants", &[])
            .query("account", &name.name)
            .query_if("project", name.project.as_deref());
        let found: Option<Found> = self.find(&call).await?;
        Ok(found.and_then(|found| found.tenants.into_iter().next()))
    }

    /// Removes a directory entry, also if it is gone. For an admin.
    pub async fn delete_tenant(&self, id: &str) -> Result<(), ApiError> {
        self.remove(&Call::delete("/v1/tenants/{}", &[id])).await
    }
}
