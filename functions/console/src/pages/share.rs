//! *Share Image* (seed 000): the images that were selected, the projects to share them with, and what comes of it.
//!
//! The page is a form that every button sends as a whole: *Add* and *Remove* change the list of projects in it, and *OK* makes
//! one job. Shows what cannot be shared, and leaves that out only if the visitor has seen it.
//!
//! Costs what the frame costs, one batch read for every 50 images and one for their recipients, one batch read for every 100
//! key grants, and what the button does.

use std::collections::BTreeSet;

use askama::Template;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use http::StatusCode;
use imageshare::domain::{
    Denied, Encryption, ImageId, JobId, KeyGrant, KeyId, TenantId, Visibility, authorize_write,
};
use imageshare::usecases::{self, KeyGrantError, UseCaseError, VisibleImage};

use crate::frame::{Frame, Section};
use crate::owned::{self, OwnedImages};
use crate::problems::Problems;
use crate::recipients::{Naming, RECIPIENT, Recipient};
use crate::reply::Reply;
use crate::show;
use crate::texts::{fill, plural};
use crate::visit::{self, FORM_KEY, Visit};
use crate::wording::Refusal;

/// The most images, and the most projects, of one share.
const MOST: usize = 100;

/// The most key grants that are written concurrently.
const MAX_CONCURRENT_GRANTS: usize = 16;

#[derive(Template)]
#[template(path = "share.html")]
struct ShareImage {
    frame: Frame,
    form_key: String,
    problems: Problems,
    notice: &'static str,
    naming: Naming,
    images: Vec<ImageRow>,
    recipients: Vec<RecipientRow>,
    grant: Option<GrantOffer>,
    summary: String,
    can_share: bool,
}

struct ImageRow {
    id: String,
    name: String,
    kind: &'static str,
    recipients: String,
    /// Why it cannot be shared; empty if it can.
    obstacle: String,
    /// The label of the button that makes it one that can be shared; empty without a button.
    set_shared: String,
}

struct RecipientRow {
    /// The value of the hidden field.
    value: String,
    id: String,
    names: Option<(String, String)>,
    remove: String,
}

struct GrantOffer {
    label: String,
    is_checked: bool,
}

/// What the form has.
struct Draft {
    images: Vec<ImageId>,
    recipients: Vec<Recipient>,
    naming: Naming,
    grants_keys: bool,
    /// The images that the visitor was told cannot be shared.
    left_out: BTreeSet<ImageId>,
    form_key: String,
}

/// Shows the page for the images in the query.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let images = selected(visit.query.parsed("image"))?;
    let draft = Draft {
        images,
        recipients: Vec::new(),
        naming: Naming::default(),
        grants_keys: false,
        left_out: BTreeSet::new(),
        form_key: visit::new_form_key(),
    };
    draft.render(visit, Problems::default(), "").await
}

/// Does what the pressed button says.
pub(crate) async fn submit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let form = &visit.form;
    let mut draft = Draft {
        images: selected(form.parsed("image"))?,
        recipients: form.parsed(RECIPIENT),
        naming: Naming::read(form),
        grants_keys: form.has("grant"),
        left_out: form.parsed("left_out").into_iter().collect(),
        form_key: form.text(FORM_KEY).to_owned(),
    };
    draft.recipients.truncate(MOST);
    let mut problems = Problems::default();
    let is_ok = form.text("do") == "share";
    if let Some(image) = form.parsed::<ImageId>("set_shared").first() {
        set_shared(visit, image).await?;
    } else if form.has("remove") {
        draft.recipients.retain(|recipient| recipient.id.as_str() != form.text("remove"));
    } else if is_ok && draft.naming.is_empty() {
        match draft.share(visit, &mut problems).await? {
            Some(job) => return Ok(Reply::redirect(draft.destination(job))),
            None => return draft.render(visit, problems, "").await,
        }
    } else {
        draft.naming.add_to(visit, &mut draft.recipients, MOST, &mut problems).await?;
    }
    // OK with a project that was not in the list yet: the visitor has not seen which one it is.
    let notice = if is_ok && problems.is_empty() { visit.texts.own.check_projects } else { "" };
    draft.render(visit, problems, notice).await
}

/// The selected images: at least one, and at most [`MOST`].
fn selected(images: Vec<ImageId>) -> Result<Vec<ImageId>, Refusal> {
    match images.len() {
        0 => Err(Refusal::NothingSelected),
        1..=MOST => Ok(images),
        _ => Err(Refusal::TooManySelected { most: MOST }),
    }
}

/// Sets a private image of the project to shared. Any other stays as it is.
async fn set_shared(visit: &Visit<'_>, image: &ImageId) -> Result<(), Refusal> {
    let changed = usecases::update_image(&visit.app, visit.caller(), image, |image| {
        if image.visibility == Visibility::Private {
            image.visibility = Visibility::Shared;
        }
        Ok::<_, UseCaseError>(())
    });
    changed.await.map(drop).map_err(owned::refusal)
}

impl Draft {
    /// Shares the images with the projects. Returns the job, or that of the same form before; `None` if there are problems, and
    /// nothing was shared.
    async fn share(&self, visit: &Visit<'_>, problems: &mut Problems) -> Result<Option<JobId>, Refusal> {
        let texts = visit.texts;
        let images = owned::find(visit, &self.images).await?;
        let (can, cannot) = divide(visit, &images);
        if self.recipients.is_empty() {
            problems.add("account", texts.own.name_a_project);
        }
        let left_out: BTreeSet<_> = cannot.iter().map(|(image, _)| image.image.id.clone()).collect();
        if images.missing > 0 || left_out != self.left_out {
            problems.add("images", texts.own.changed_meanwhile);
        } else if can.is_empty() {
            problems.add("images", texts.own.nothing_to_share);
        }
        let missing = self.missing_grants(visit, &can).await?;
        if !missing.is_empty() && !self.grants_keys {
            problems.add("grant", texts.own.grant_needed);
        }
        if !problems.is_empty() {
            // Of a form that is sent again, the images may be as they are because of the first time.
            return visit.earlier_job().await;
        }
        grant_keys(visit, missing).await?;
        let ids = can.iter().map(|image| image.image.id.clone()).collect();
        let tenants: Vec<TenantId> = self.recipients.iter().map(|recipient| recipient.id.clone()).collect();
        match usecases::share(&visit.app, visit.caller(), ids, tenants, visit.idempotency()).await {
            Ok(job) => Ok(Some(job)),
            Err(UseCaseError::ProjectNameAsId { named, tenant }) => {
                let names = [("name", named.as_str()), ("id", tenant.as_str())];
                problems.add("ids", fill(texts.own.name_as_id, &names));
                Ok(None)
            }
            // Another request has changed an image since it was read here.
            Err(
                UseCaseError::ShareRequest(_)
                | UseCaseError::Denied(Denied::ImageNotFound(_) | Denied::NotShared(_)),
            ) => {
                problems.add("images", texts.own.changed_meanwhile);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The grants of the images' keys that the projects lack.
    async fn missing_grants(
        &self,
        visit: &Visit<'_>,
        images: &[&VisibleImage],
    ) -> Result<Vec<KeyGrant>, Refusal> {
        let keys: BTreeSet<KeyId> = images.iter().filter_map(|image| key(image)).collect();
        let tenants: Vec<_> = self.recipients.iter().map(|recipient| recipient.id.clone()).collect();
        if keys.is_empty() || tenants.is_empty() {
            return Ok(Vec::new());
        }
        Ok(usecases::list_missing_key_grants(&visit.app, visit.caller(), &keys, &tenants).await?)
    }

    /// The page that shows what the job does.
    fn destination(&self, job: JobId) -> String {
        match self.images.as_slice() {
            [image] => format!("{}?job={job}", owned::image_path(image)),
            _ => format!("{}?job={job}", Section::PrivateImages.path()),
        }
    }

    /// The page with the form.
    async fn render(
        self,
        visit: &Visit<'_>,
        mut problems: Problems,
        notice: &'static str,
    ) -> Result<Reply, Refusal> {
        let texts = visit.texts;
        let (frame, images) = tokio::try_join!(
            Frame::load(visit, Some(Section::PrivateImages)),
            owned::find(visit, &self.images)
        )?;
        if images.found.is_empty() {
            return Err(Refusal::NoSuchPage);
        }
        if images.missing > 0 && !problems.has("images") {
            problems.add("images", plural(images.missing, texts.own.missing_one, texts.own.missing_many));
        }
        let (can, cannot) = divide(visit, &images);
        let missing = self.missing_grants(visit, &can).await?;
        let grant = (!missing.is_empty())
            .then(|| GrantOffer { label: grant_label(visit, &missing), is_checked: self.grants_keys });
        let summary = summary(visit, can.len(), self.recipients.len(), cannot.len());
        let can_share = !can.is_empty();
        let rows = images.found.iter().map(|image| ImageRow::new(visit, image)).collect();
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let page = ShareImage {
            frame,
            form_key: self.form_key,
            problems,
            notice,
            naming: self.naming,
            images: rows,
            recipients: self.recipients.iter().map(|each| RecipientRow::new(visit, each)).collect(),
            grant,
            summary,
            can_share,
        };
        Ok(Reply::with_status(status, &page))
    }
}

/// The images that can be shared, and those that cannot, with why.
fn divide<'a>(
    visit: &Visit<'_>,
    images: &'a OwnedImages,
) -> (Vec<&'a VisibleImage>, Vec<(&'a VisibleImage, String)>) {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for image in &images.found {
        match owned::obstacle(visit, image) {
            Some(why) => cannot.push((image, why)),
            None => can.push(image),
        }
    }
    (can, cannot)
}

/// The key of the project that encrypts an image.
fn key(image: &VisibleImage) -> Option<KeyId> {
    match image.image.details.encryption() {
        Encryption::Key(key) => Some(key),
        Encryption::None | Encryption::DefaultKey => None,
    }
}

/// Grants keys, one write each.
async fn grant_keys(visit: &Visit<'_>, grants: Vec<KeyGrant>) -> Result<(), KeyGrantError> {
    let grant = |KeyGrant { key, tenant, .. }| usecases::grant_key(&visit.app, visit.caller(), key, tenant);
    let grants = stream::iter(grants).map(grant).buffer_unordered(MAX_CONCURRENT_GRANTS);
    grants.try_for_each(|_| future::ready(Ok(()))).await
}

/// What is granted to how many projects.
fn grant_label(visit: &Visit<'_>, missing: &[KeyGrant]) -> String {
    let keys: BTreeSet<_> = missing.iter().map(|grant| grant.key.as_str()).collect();
    let tenants: BTreeSet<_> = missing.iter().map(|grant| &grant.tenant).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let texts = visit.texts;
    let projects = plural(tenants.len(), texts.own.projects_one, texts.own.projects_many);
    fill(texts.own.grant_keys, &[("keys", &keys.join(", ")), ("projects", &projects)])
}

/// How many shares the form makes, and what follows.
fn summary(visit: &Visit<'_>, images: usize, projects: usize, left_out: usize) -> String {
    let texts = visit.texts;
    let shares = fill(
        texts.own.shares_of,
        &[
            ("images", &plural(images, texts.own.images_one, texts.own.images_many)),
            ("tenants", &plural(projects, texts.own.tenants_one, texts.own.tenants_many)),
            ("shares", &plural(images * projects, texts.own.shares_one, texts.own.shares_many)),
        ],
    );
    match left_out {
        0 => shares,
        _ => format!("{shares} {}", plural(left_out, texts.own.left_out_one, texts.own.left_out_many)),
    }
}

impl ImageRow {
    fn new(visit: &Visit<'_>, visible: &VisibleImage) -> Self {
        let image = &visible.image;
        let name = show::image_name(image).to_owned();
        let is_private = image.visibility == Visibility::Private;
        Self {
            id: image.id.to_string(),
            kind: show::kind_name(image.details.kind(), visit.texts),
            recipients: owned::recipients(visit, visible),
            obstacle: owned::obstacle(visit, visible).unwrap_or_default(),
            set_shared: if is_private {
                fill(visit.texts.own.set_shared_of, &[("name", &name)])
            } else {
                String::new()
            },
            name,
        }
    }
}

impl RecipientRow {
    fn new(visit: &Visit<'_>, recipient: &Recipient) -> Self {
        let names =
            recipient.names.as_ref().map(|(account, project)| (account.to_string(), project.to_string()));
        let shown = names
            .as_ref()
            .map_or_else(|| recipient.id.to_string(), |(account, project)| format!("{account} / {project}"));
        Self {
            value: recipient.to_string(),
            id: recipient.id.to_string(),
            remove: fill(visit.texts.own.remove_of, &[("name", &shown)]),
            names,
        }
    }
}
