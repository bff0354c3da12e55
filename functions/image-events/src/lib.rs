//! The function `image-events`: images follow the events of the cloud that they are in.
//!
//! It gets one event of EventBridge at a time: as Lambda delivers it on AWS, and from `POST /events` on one machine. Each
//! source is one file, which reads the event's `detail` and decides nothing:
//!
//! | source | detail type | what becomes of the image |
//! |---|---|---|
//! | `aws.ec2` ([`ec2`]) | `EC2 AMI State Change` | registered, withdrawn or removed, as the state says |
//! | `aws.imagebuilder` ([`image_builder`]) | `EC2 Image Builder Image State Change` | nothing: the event names no AMI, and each AMI has an event of its own |
//! | `imageshare.pipeline` ([`pipeline`]) | `Image Registered`, `Image Removed` | registered or described, removed |
//! | `openstack.glance` ([`glance`]) | the notification's `event_type` | `image.activate`: registered; `image.delete`: removed |
//! | `hashicorp.packer` ([`packer`]) | any: HCP Packer's webhook body is the detail | `complete`: its AMIs registered and described |
//!
//! An event is believed because of how it came, by the bus, and because its `account`, which the bus sets, is bound to a
//! tenant in the directory. It acts as that tenant and can do nothing that the tenant could not do itself. An event of
//! an unbound account, or of another kind, is logged and ignored; so are the service's own events, of the source
//! `imageshare`, so that none of them can cause another. A malformed event is an error that names the field, which
//! Lambda keeps with the event in the dead-letter queue.

mod ec2;
mod envelope;
mod fields;
mod glance;
mod image_builder;
mod packer;
mod pipeline;

use imageshare::App;
use imageshare::domain::TenantId;
use imageshare::store::StoreError;
use imageshare::usecases::{CloudImage, UseCaseError, follow_cloud_image};
use serde_json::{Value, json};

use self::envelope::Envelope;

/// Why an event was not handled. Lambda delivers it again, and keeps it in the dead-letter queue after the last attempt.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A field of the event is missing or malformed.
    #[error("{field}: expected {expected}")]
    Malformed {
        /// The field, with the names of the objects that it is in.
        field: String,
        /// What a valid value looks like.
        expected: &'static str,
    },
    /// The image cannot be registered, changed or removed.
    #[error("image {image}: {problem}")]
    Image {
        /// The image's id here.
        image: String,
        /// Why not.
        problem: Box<UseCaseError>,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EventError {
    /// Whether the same event may succeed if it is delivered again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Malformed { .. } => false,
            Self::Image { problem, .. } => match problem.as_ref() {
                UseCaseError::Store(problem) => problem.is_transient(),
                other => matches!(other, UseCaseError::Conflict(_)),
            },
            Self::Store(problem) => problem.is_transient(),
        }
    }
}

/// What an event says.
#[derive(Debug)]
enum Detail {
    /// The new states of images, not many.
    Images(Vec<CloudImage>),
    /// Nothing that concerns this service, for that reason.
    Ignored(&'static str),
}

type Parser = fn(&Envelope<'_>, &TenantId) -> Result<Detail, EventError>;

/// The source that the service's own events have.
pub const OWN_SOURCE: &str = "imageshare";

/// Handles one event.
///
/// Returns `{"images":[{"id":…,"outcome":…}]}`, or `{"ignored":…}` with the reason. An event can be delivered again, and
/// in another order: the later one wins. Costs one read for the account, and what
/// [`follow_cloud_image`] costs for each image.
///
/// # Errors
/// [`EventError`]. Images of the event before the one that failed are done.
pub async fn handle(app: &App, event: Value) -> Result<Value, EventError> {
    let app = App { store: app.store.metered(), ..app.clone() };
    let event = Envelope::parse(&event, app.clock().now())?;
    let Some(parse) = parser(&event) else {
        return Ok(ignore(&event, "no event of images"));
    };
    let account = event.account()?;
    let Some(tenant) = app.store.tenant_of_cloud_account(&account).await? else {
        return Ok(ignore(&event, "its account is bound to no tenant"));
    };
    let images = match parse(&event, &tenant)? {
        Detail::Images(images) => images,
        Detail::Ignored(reason) => return Ok(ignore(&event, reason)),
    };
    let app = App { store: app.store.for_tenant(&tenant), ..app };
    let mut outcomes = Vec::with_capacity(images.len());
    for image in &images {
        let outcome = follow_cloud_image(&app, &tenant, image).await.map_err(|problem| {
            EventError::Image { image: image.id.to_string(), problem: Box::new(problem) }
        })?;
        tracing::info!(
            %tenant,
            image = %image.id,
            source = event.source,
            state = image.state.name(),
            outcome = outcome.name(),
            "image event"
        );
        outcomes.push(json!({"id": image.id.as_str(), "outcome": outcome.name()}));
    }
    Ok(json!({ "images": outcomes }))
}

/// The parser for an event's detail; `None` if the event is of another kind.
fn parser(event: &Envelope<'_>) -> Option<Parser> {
    match (event.source, event.detail_type) {
        (ec2::SOURCE, ec2::DETAIL_TYPE) => Some(ec2::parse),
        (image_builder::SOURCE, image_builder::DETAIL_TYPE) => Some(image_builder::parse),
        (pipeline::SOURCE, pipeline::REGISTERED | pipeline::REMOVED) => Some(pipeline::parse),
        (glance::SOURCE, _) => Some(glance::parse),
        (packer::SOURCE, _) => Some(packer::parse),
        _ => None,
    }
}

fn ignore(event: &Envelope<'_>, reason: &'static str) -> Value {
    tracing::info!(
        event = event.id,
        account = event.account,
        source = event.source,
        detail_type = event.detail_type,
        reason,
        "event ignored"
    );
    json!({ "ignored": reason })
}
