//! A request for a page by someone who is signed in.

use std::ops::Deref;

use imageshare::domain::{JobId, authorize_write};
use imageshare::http::{AuthenticatedRequest, Listing};
use imageshare::store::IdempotencyRequest;
use imageshare::usecases;

use crate::fields::Fields;
use crate::texts::Texts;
use crate::wording::Refusal;

/// A request for a page. Derefs to the [`AuthenticatedRequest`].
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    request: &'a AuthenticatedRequest,
    /// The fields of the query.
    pub(crate) query: Fields,
    /// The fields of the form; none with GET.
    pub(crate) form: Fields,
    /// The texts of the visitor's language.
    pub(crate) texts: &'static Texts,
}

impl<'a> Visit<'a> {
    /// Reads the fields of a request.
    ///
    /// # Errors
    /// [`Refusal`] if the query or the form cannot be decoded.
    pub(crate) fn new(request: &'a AuthenticatedRequest, texts: &'static Texts) -> Result<Self, Refusal> {
        let query = Fields::parse(request.raw_query().as_bytes()).map_err(|_| Refusal::MalformedForm)?;
        let form = Fields::parse(request.body()).map_err(|_| Refusal::MalformedForm)?;
        Ok(Self { request, query, form, texts })
    }

    /// Whether the request sends a form.
    pub(crate) fn is_form(&self) -> bool {
        self.method() == "POST"
    }

    /// Whether the visitor's role allows to change something. Others see no buttons.
    pub(crate) fn may_write(&self) -> bool {
        authorize_write(self.caller()).is_ok()
    }

    /// The list that a page shows, for the markers of its pages.
    pub(crate) fn listing(&self, name: &str) -> Listing {
        Listing::new(name, self.caller())
    }

    /// The digests of the form, and of its content with the key that it carries, so that the form is carried out once however
    /// often it is sent. With another content, after the visitor went back to it, it is another request. `None` if it has no
    /// key.
    pub(crate) fn idempotency(&self) -> Option<IdempotencyRequest> {
        self.idempotency_of(0)
    }

    /// The job of the form, if it was sent before: since then, what the form was about may have changed. Costs one read if the
    /// form has a key.
    ///
    /// # Errors
    /// [`Refusal`] if the table failed.
    pub(crate) async fn earlier_job(&self) -> Result<Option<JobId>, Refusal> {
        match self.idempotency() {
            Some(request) => Ok(usecases::find_earlier_job(&self.app, &request).await?),
            None => Ok(None),
        }
    }

    /// The digests for one of several requests that the form makes, by its number.
    pub(crate) fn idempotency_of(&self, number: usize) -> Option<IdempotencyRequest> {
        let key = self.form.text(FORM_KEY);
        let content = (self.path(), self.body(), number);
        (!key.is_empty()).then(|| {
            let number = number.to_string();
            let parts = [key.as_bytes(), self.path().as_bytes(), number.as_bytes(), self.body()];
            IdempotencyRequest::new(self.caller().tenant.clone(), &parts.join(&b'\n'), &content)
        })
    }
}

/// The name of the field that has a form's key.
pub(crate) const FORM_KEY: &str = "form";

/// A new key for a form that is shown.
pub(crate) fn new_form_key() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

impl Deref for Visit<'_> {
    type Target = AuthenticatedRequest;

    fn deref(&self) -> &AuthenticatedRequest {
        self.request
    }
}
