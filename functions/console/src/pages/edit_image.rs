//! *Register image* and *Edit image*: name, formats, tags and visibility, and what follows from it.
//!
//! The page costs what the frame costs, and two batch reads for an image that is there; its form what registering or an update
//! costs.

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;
use imageshare::domain::{BadDetail, Details, Image, ImageId, Visibility, authorize_write};
use imageshare::usecases::{self, NewImage, UseCaseError};

use crate::fields::Fields;
use crate::frame::{Frame, Section};
use crate::owned;
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::{Texts, plural};
use crate::visit::{self, FORM_KEY, Visit};
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "edit_image.html")]
struct EditImage {
    frame: Frame,
    form_key: String,
    title: &'static str,
    action: String,
    cancel: String,
    /// The revision that is edited; 0 for a new image.
    revision: u64,
    is_new: bool,
    draft: Draft,
    visibilities: Vec<Choice>,
    problems: Problems,
}

/// A visibility to choose, and what follows.
struct Choice {
    value: &'static str,
    name: &'static str,
    hint: String,
    is_chosen: bool,
}

/// What the form has.
#[derive(Default)]
struct Draft {
    name: String,
    disk_format: String,
    container_format: String,
    min_disk: String,
    tags: String,
    visibility: String,
    is_protected: bool,
}

/// Shows the form for a new image.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let draft = Draft { visibility: Visibility::Shared.as_str().to_owned(), ..Draft::default() };
    draft.render(visit, None, visit::new_form_key(), Problems::default()).await
}

/// Registers an image.
pub(crate) async fn register(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let draft = Draft::read(&visit.form);
    let mut problems = Problems::default();
    let mut details = Details::default();
    draft.apply(&mut details, visit.texts, &mut problems);
    let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    details.disk_format = optional(&draft.disk_format);
    details.container_format = optional(&draft.container_format);
    match draft.min_disk.as_str() {
        "" => {}
        text => match text.parse() {
            Ok(gib) => details.min_disk_gib = gib,
            Err(_) => problems.add("min_disk", visit.texts.own.bad_number),
        },
    }
    let visibility = draft.visibility(&mut problems, visit.texts);
    let form_key = visit.form.text(FORM_KEY).to_owned();
    let (Some(visibility), true) = (visibility, problems.is_empty()) else {
        return draft.render(visit, None, form_key, problems).await;
    };
    let new = NewImage { id: None, owner: None, visibility, details };
    match usecases::register_image(&visit.app, visit.caller(), new, visit.idempotency().as_ref()).await {
        Ok(image) => Ok(Reply::redirect(format!("{}?done=saved", owned::image_path(&image.id)))),
        Err(UseCaseError::InvalidDetail(problem)) => {
            add(&mut problems, &problem, visit.texts);
            draft.render(visit, None, form_key, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows the form for an image.
pub(crate) async fn show(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let images = owned::find(visit, std::slice::from_ref(&id)).await?;
    let visible = images.found.first().ok_or(Refusal::NoSuchPage)?;
    let draft = Draft::of(&visible.image);
    let subject = Some((&visible.image, visible.members));
    draft.render(visit, subject, visit::new_form_key(), Problems::default()).await
}

/// Changes an image, if nothing has changed it since the form was shown.
pub(crate) async fn save(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: ImageId = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    let draft = Draft::read(&visit.form);
    let revision: u64 = visit.form.text("revision").parse().map_err(|_| Refusal::MalformedForm)?;
    let mut problems = Problems::default();
    draft.apply(&mut Details::default(), visit.texts, &mut problems);
    if let (Some(visibility), true) = (draft.visibility(&mut problems, visit.texts), problems.is_empty()) {
        let changed = usecases::update_image(&visit.app, visit.caller(), &id, |image| {
            // Sent twice, the second finds the image as it is wanted.
            let is_wanted = image.visibility == visibility && Draft::of(image).same_details(&draft);
            if image.revision != revision && !is_wanted {
                return Err(UseCaseError::Stale(image.id.clone()));
            }
            image.visibility = visibility;
            draft.apply(&mut image.details, visit.texts, &mut Problems::default());
            Ok(())
        });
        match changed.await {
            Ok(image) => return Ok(Reply::redirect(format!("{}?done=saved", owned::image_path(&image.id)))),
            Err(UseCaseError::InvalidDetail(problem)) => add(&mut problems, &problem, visit.texts),
            Err(UseCaseError::Stale(_)) => problems.add("name", visit.texts.own.image_changed_meanwhile),
            Err(error) => return Err(owned::refusal(error)),
        }
    }
    let images = owned::find(visit, std::slice::from_ref(&id)).await?;
    let visible = images.found.first().ok_or(Refusal::NoSuchPage)?;
    let form_key = visit.form.text(FORM_KEY).to_owned();
    draft.render(visit, Some((&visible.image, visible.members)), form_key, problems).await
}

/// Adds what is wrong with the details, at the field if the form has one.
fn add(problems: &mut Problems, problem: &BadDetail, texts: &Texts) {
    match problem.field.as_str() {
        "name" => problems.add("name", texts.own.bad_image_name),
        "disk_format" => problems.add("disk_format", texts.own.bad_image_name),
        "container_format" => problems.add("container_format", texts.own.bad_image_name),
        _ => problems.add("tags", texts.own.bad_tags),
    }
}

impl Draft {
    fn read(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self {
            name: text("name"),
            disk_format: text("disk_format"),
            container_format: text("container_format"),
            min_disk: text("min_disk"),
            tags: text("tags"),
            visibility: text("visibility"),
            is_protected: fields.has("protected"),
        }
    }

    fn of(image: &Image) -> Self {
        let details = &image.details;
        Self {
            name: details.name.clone().unwrap_or_default(),
            tags: details.tags.iter().cloned().collect::<Vec<_>>().join("\n"),
            visibility: image.visibility.as_str().to_owned(),
            is_protected: details.protected,
            ..Self::default()
        }
    }

    fn tags(&self) -> BTreeSet<String> {
        let lines = self.tags.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(ToOwned::to_owned).collect()
    }

    /// Whether another draft has the same details, without those that are only set on a new image.
    fn same_details(&self, other: &Self) -> bool {
        (self.name.trim(), self.tags(), self.is_protected)
            == (other.name.as_str(), other.tags(), other.is_protected)
    }

    /// Sets what both forms have on the details of an image.
    fn apply(&self, details: &mut Details, texts: &Texts, problems: &mut Problems) {
        // A name with white space around it stays as it is while its form is sent unchanged.
        if details.name.as_deref().unwrap_or_default().trim() != self.name {
            details.name = (!self.name.is_empty()).then(|| self.name.clone());
        }
        details.tags = self.tags();
        details.protected = self.is_protected;
        let checked =
            Details { name: details.name.clone(), tags: details.tags.clone(), ..Details::default() };
        if let Err(problem) = checked.validate() {
            add(problems, &problem, texts);
        }
    }

    fn visibility(&self, problems: &mut Problems, texts: &Texts) -> Option<Visibility> {
        let visibility = self.visibility.parse().ok();
        if visibility.is_none() {
            problems.add("visibility", texts.own.choose_visibility);
        }
        visibility
    }

    /// The page with the form: for an image with that many members, or a new one.
    async fn render(
        self,
        visit: &Visit<'_>,
        subject: Option<(&Image, u32)>,
        form_key: String,
        problems: Problems,
    ) -> Result<Reply, Refusal> {
        let texts = visit.texts;
        let frame = Frame::load(visit, Some(Section::PrivateImages)).await?;
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let (title, action, cancel) = if let Some((image, _)) = subject {
            let path = owned::image_path(&image.id);
            (texts.own.edit_image, format!("{path}/edit"), path)
        } else {
            let list = Section::PrivateImages.path().to_owned();
            (texts.own.register_image, "/console/new-image".to_owned(), list)
        };
        let page = EditImage {
            frame,
            form_key,
            title,
            action,
            cancel,
            revision: subject.map_or(0, |(image, _)| image.revision),
            is_new: subject.is_none(),
            visibilities: choices(&self.visibility, subject, texts),
            draft: self,
            problems,
        };
        Ok(Reply::with_status(status, &page))
    }
}

/// The visibilities to choose from: private, shared, and the one that the image has.
fn choices(chosen: &str, subject: Option<(&Image, u32)>, texts: &'static Texts) -> Vec<Choice> {
    let members = subject.map_or(0, |(_, members)| usize::try_from(members).unwrap_or(usize::MAX));
    let current = subject.map(|(image, _)| image.visibility);
    let is_offered = |visibility: &Visibility| {
        matches!(visibility, Visibility::Private | Visibility::Shared) || Some(*visibility) == current
    };
    let hint = |visibility| match visibility {
        Visibility::Private if members > 0 && current == Some(Visibility::Shared) => {
            plural(members, texts.own.private_hides_one, texts.own.private_hides_many)
        }
        Visibility::Private => texts.own.private_hint.to_owned(),
        Visibility::Shared if members > 0 && current != Some(Visibility::Shared) => {
            plural(members, texts.own.shared_shows_one, texts.own.shared_shows_many)
        }
        Visibility::Shared => texts.own.shared_hint.to_owned(),
        Visibility::Community => texts.own.community_hint.to_owned(),
        Visibility::Public => texts.own.public_hint.to_owned(),
    };
    let choice = |visibility: Visibility| Choice {
        value: visibility.as_str(),
        name: owned::visibility_name(visibility, texts),
        hint: hint(visibility),
        is_chosen: visibility.as_str() == chosen,
    };
    Visibility::ALL.into_iter().filter(is_offered).map(choice).collect()
}
