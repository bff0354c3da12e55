//! The client: settings, and one call from beginning to end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::batch::Batch;
use super::sender::{Sender, error_of, unreadable};
use super::session::Session;
use super::transport::Response;
use super::{
    ApiError, Call, Credential, ErrorKind, Image, IssuedToken, Membership, Pair, RetryPolicy, Secret, Service,
};

/// How a client reaches the service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of the service, `https://…`, or `http://` of this machine.
    pub endpoint: Uri,
    /// The credential.
    pub credential: Credential,
    /// The project to act for, if it is not the credential's own.
    pub project_id: Option<String>,
    /// When and how often calls are tried again.
    pub retries: RetryPolicy,
    /// How long one response may take.
    pub exchange_timeout: Duration,
    /// How long one call may take with its retries.
    pub call_timeout: Duration,
}

impl Settings {
    /// Settings with the default time-outs and retries.
    pub fn new(endpoint: Uri, credential: Credential) -> Self {
        Self {
            endpoint,
            credential,
            project_id: None,
            retries: RetryPolicy::default(),
            exchange_timeout: Duration::from_mins(1),
            call_timeout: Duration::from_mins(5),
        }
    }
}

/// A client of one server, with one credential. Its clones share connections, token and joined reads.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    sender: Sender,
    session: Session,
    configured_project: Option<String>,
    project: OnceCell<String>,
    service: OnceCell<Service>,
    images: Arc<Batch<String, Image>>,
    own_memberships: Arc<Batch<String, Membership>>,
    pairs: Arc<Batch<Pair, Membership>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("project", &self.known_project()).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client. Sends nothing.
    ///
    /// # Errors
    /// A text for the user if there is no way to connect: the system has no certificate authorities, or its proxy is of
    /// a kind that cannot be used.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let Settings { endpoint, credential, project_id, retries, exchange_timeout, call_timeout } = settings;
        let sender = Sender::new(&endpoint, retries, exchange_timeout, call_timeout)?;
        Ok(Self {
            inner: Arc::new(Inner {
                sender,
                session: Session::new(credential),
                configured_project: project_id,
                project: OnceCell::new(),
                service: OnceCell::new(),
                images: Arc::default(),
                own_memberships: Arc::default(),
                pairs: Arc::default(),
            }),
        })
    }

    /// The project that the client acts for: the configured one, or the credential's. Costs at most one call the first
    /// time, and two if the server does not say what it is.
    pub async fn project(&self) -> Result<String, ApiError> {
        if let Some(project) = &self.inner.configured_project {
            return Ok(project.clone());
        }
        match self.service().await {
            Ok(service) => Ok(service.project_id.clone()),
            Err(error) if error.kind == ErrorKind::Unsupported => {
                let Inner { session, sender, .. } = &*self.inner;
                self.inner.project.get_or_try_init(|| session.project(sender)).await.cloned()
            }
            Err(error) => Err(error),
        }
    }

    /// The project, if it is known already.
    fn known_project(&self) -> Option<&String> {
        let Inner { configured_project, service, project, .. } = &*self.inner;
        let of_service = service.get().map(|service| &service.project_id);
        configured_project.as_ref().or(of_service).or(project.get())
    }

    /// What the server is, and what it permits. Costs one call the first time.
    pub async fn service(&self) -> Result<&Service, ApiError> {
        self.inner.service.get_or_try_init(|| super::service::read(self)).await
    }

    /// Has the service issue a token for an access key, which need not be the client's own. Costs one call.
    pub async fn issue_token(&self, id: &str, secret: &Secret) -> Result<IssuedToken, ApiError> {
        super::session::issue(id, secret, &self.inner.sender).await
    }

    /// Has the service issue another token for the client's own access key. Costs one call.
    ///
    /// # Errors
    /// [`ApiError`], also if the client has no access key but a token.
    pub async fn issue_own_token(&self) -> Result<IssuedToken, ApiError> {
        self.inner.session.issue_another(&self.inner.sender).await
    }

    /// Sends a call, and returns the body of its response.
    pub async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<T, ApiError> {
        let response = self.response(call).await?;
        serde_json::from_slice(&response.body).map_err(|problem| unreadable(&problem, &response, call))
    }

    /// Sends a call whose response has no body.
    pub async fn send_for_nothing(&self, call: &Call) -> Result<(), ApiError> {
        self.response(call).await.map(drop)
    }

    /// Sends a call, and returns the body of its response; `None` if what it is about does not exist.
    pub async fn find<T: DeserializeOwned>(&self, call: &Call) -> Result<Option<T>, ApiError> {
        match self.send(call).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes something, also if it is already gone.
    pub async fn remove(&self, call: &Call) -> Result<(), ApiError> {
        match self.send_for_nothing(call).await {
            Err(error) if !error.is_missing() => Err(error),
            _ => Ok(()),
        }
    }

    async fn response(&self, call: &Call) -> Result<Response, ApiError> {
        let Inner { sender, session, .. } = &*self.inner;
        let token = session.token(sender).await?;
        let mut attempts = sender.begin(call);
        let mut response = attempts.send(Some(&token)).await?;
        if response.status == StatusCode::UNAUTHORIZED
            && let Some(token) = session.replace(&token, sender).await?
        {
            response = attempts.send(Some(&token)).await?;
        }
        if response.status.is_success() {
            return Ok(response);
        }
        Err(error_of(&response, call, self.known_project().cloned()))
    }

    pub(super) fn images(&self) -> &Arc<Batch<String, Image>> {
        &self.inner.images
    }

    pub(super) fn own_memberships(&self) -> &Arc<Batch<String, Membership>> {
        &self.inner.own_memberships
    }

    pub(super) fn pairs(&self) -> &Arc<Batch<Pair, Membership>> {
        &self.inner.pairs
    }
}
