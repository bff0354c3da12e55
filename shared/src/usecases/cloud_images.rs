//! Images that follow the events of their cloud: registered when they become available there, out of sharing when they
//! are disabled, and removed when they are gone.
//!
//! Events arrive late, twice and out of order, so the image keeps, in its properties, its state in the cloud and the time
//! of the event that said so. An event is applied only if it is later. Of two at the same time, the one that ends sharing
//! wins, since a cloud's times are whole seconds. An image that is gone leaves a tombstone, even if it was never
//! registered, so that a late event cannot bring it back.

use std::collections::BTreeMap;

use super::UseCaseError;
use super::images::{ChangedImage, NewImage, change_image, delete_image, register_image};
use crate::App;
use crate::domain::{Caller, Denied, Details, Image, ImageId, Role, Task, TenantId, Timestamp, Visibility};

/// The property that has an image's state in its cloud: a name of [`CloudState`].
pub const CLOUD_STATE: &str = "cloud_state";
/// The property that has the time of the event that the state is from.
pub const CLOUD_STATE_TIME: &str = "cloud_state_time";
/// The property that has the time of the event that the details are from.
pub const CLOUD_DETAILS_TIME: &str = "cloud_details_time";

/// What an event says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudImage {
    /// The image's id: derived from its place in the cloud, so that every event of it has the same.
    pub id: ImageId,
    /// Its new state.
    pub state: CloudState,
    /// When it came into that state.
    pub at: Timestamp,
    /// The visibility that it is registered with.
    pub visibility: Visibility,
    /// Its name, if it is registered without one.
    pub default_name: Option<String>,
    /// The properties that say where it is.
    pub origin: BTreeMap<String, String>,
    /// Its name, formats, tags and other properties; `None` if the event does not have them.
    pub details: Option<Details>,
}

/// The state of an image in its cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudState {
    /// It can be used.
    Available,
    /// It cannot be used until it is available again.
    Disabled,
    /// It is removed, or its creation has failed.
    Gone,
}

impl CloudState {
    /// Its name, as in the property.
    pub fn name(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Disabled => "disabled",
            Self::Gone => "gone",
        }
    }
}

/// What an event has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudImageOutcome {
    /// The image is registered.
    Registered,
    /// The image has changed.
    Changed,
    /// The image is private, and its memberships end.
    Withdrawn,
    /// The image is deleted, and its memberships end.
    Deleted,
    /// Nothing: the image was in that state, or a later event came first.
    Unchanged,
}

impl CloudImageOutcome {
    /// Its name, for the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Changed => "changed",
            Self::Withdrawn => "withdrawn",
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Applies an event to the image of a tenant, as if the tenant itself registered, updated or deleted it.
///
/// A disabled image becomes private, and its memberships end: a cloud withdraws it from its accounts too. A protected image
/// that is gone is not deleted, but withdrawn in the same way. When a disabled image is available again, it can be shared
/// again, and is with nobody.
///
/// Costs one transaction for a new image; for another, one batch read and one transaction more, or only the read if the
/// event changes nothing. With members, one query more. All but the first again after a conflict.
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed, unless the table leaves that in doubt
/// ([`InDoubt`](crate::store::StoreError::InDoubt)). [`UseCaseError::IdTaken`] if another tenant has an image of this id.
pub async fn follow_cloud_image(
    app: &App,
    tenant: &TenantId,
    event: &CloudImage,
) -> Result<CloudImageOutcome, UseCaseError> {
    let caller =
        Caller { tenant: tenant.clone(), account: None, user: None, access_key: None, role: Role::Member };
    let result = match event.state {
        CloudState::Gone => remove(app, &caller, event).await,
        CloudState::Available | CloudState::Disabled => match register(app, &caller, event).await {
            Err(UseCaseError::IdTaken(_)) => change(app, &caller, event).await,
            result => result,
        },
    };
    match result {
        Err(UseCaseError::Denied(Denied::NotOwner(id) | Denied::ImageNotFound(id))) => {
            missing(app, event, id).await
        }
        result => result,
    }
}

async fn register(app: &App, caller: &Caller, event: &CloudImage) -> Result<CloudImageOutcome, UseCaseError> {
    let visibility =
        if event.state == CloudState::Available { event.visibility } else { Visibility::Private };
    let mut details = event.apply(&Details::default()).unwrap_or_default();
    if details.name.is_none() {
        details.name.clone_from(&event.default_name);
    }
    let new = NewImage { id: Some(event.id.clone()), owner: None, visibility, details };
    register_image(app, caller, new, None).await.map(|_| CloudImageOutcome::Registered)
}

/// Changes an image that exists.
async fn change(app: &App, caller: &Caller, event: &CloudImage) -> Result<CloudImageOutcome, UseCaseError> {
    let update = |image: &mut Image| -> Result<(), UseCaseError> {
        event.update(image);
        Ok(())
    };
    let (members, outcome) = match event.state {
        CloudState::Available => (Task::Refresh, CloudImageOutcome::Changed),
        CloudState::Disabled | CloudState::Gone => (Task::Unshare, CloudImageOutcome::Withdrawn),
    };
    Ok(match change_image(app, caller, &event.id, update, members).await? {
        ChangedImage::Changed(_) => outcome,
        ChangedImage::Unchanged(_) => CloudImageOutcome::Unchanged,
    })
}

async fn remove(app: &App, caller: &Caller, event: &CloudImage) -> Result<CloudImageOutcome, UseCaseError> {
    match delete_image(app, caller, &event.id).await {
        Ok(()) => Ok(CloudImageOutcome::Deleted),
        Err(UseCaseError::Protected(_)) => change(app, caller, event).await,
        Err(other) => Err(other),
    }
}

/// The outcome for an image that the tenant does not have: it was deleted, it never existed, or it is another tenant's.
async fn missing(app: &App, event: &CloudImage, id: ImageId) -> Result<CloudImageOutcome, UseCaseError> {
    if app.store.head(&id).await?.is_some() {
        return Err(UseCaseError::IdTaken(id));
    }
    if event.state == CloudState::Gone {
        app.store.bury_image(&id).await?;
    }
    Ok(CloudImageOutcome::Unchanged)
}

impl CloudImage {
    /// Applies the event to an image.
    fn update(&self, image: &mut Image) {
        let was_disabled = image.details.property(CLOUD_STATE) == Some(CloudState::Disabled.name());
        let Some(details) = self.apply(&image.details) else { return };
        let state = details.property(CLOUD_STATE);
        if state == Some(CloudState::Available.name()) {
            if was_disabled {
                image.visibility = self.visibility;
            }
        } else if state == Some(self.state.name()) {
            image.visibility = Visibility::Private;
        }
        image.details = details;
    }

    /// Returns an image's details after the event; `None` if it changes nothing.
    fn apply(&self, current: &Details) -> Option<Details> {
        let mut details = current.clone();
        let time = |name: &str| current.property(name).and_then(Timestamp::parse_iso);
        let at = self.at.to_iso_millis();
        if let Some(new) = &self.details
            && time(CLOUD_DETAILS_TIME).is_none_or(|known| known < self.at)
        {
            merge(&mut details, new);
            details.properties.insert(CLOUD_DETAILS_TIME.to_owned(), at.clone());
        }
        let known = time(CLOUD_STATE_TIME);
        let is_later = match self.state {
            CloudState::Available => known.is_none_or(|known| known < self.at),
            CloudState::Disabled | CloudState::Gone => known.is_none_or(|known| known <= self.at),
        };
        if is_later && current.property(CLOUD_STATE) != Some(CloudState::Gone.name()) {
            details.properties.extend(self.origin.clone());
            details.properties.insert(CLOUD_STATE.to_owned(), self.state.name().to_owned());
            details.properties.insert(CLOUD_STATE_TIME.to_owned(), at);
        }
        (details != *current).then_some(details)
    }
}

/// Adds what an event has to the details of an image. What it does not have stays, and so do formats that are set.
fn merge(details: &mut Details, new: &Details) {
    let Details { name, disk_format, container_format, min_disk_gib, min_ram_mib, tags, properties, .. } =
        new;
    if name.is_some() {
        details.name.clone_from(name);
    }
    if details.disk_format.is_none() {
        details.disk_format.clone_from(disk_format);
    }
    if details.container_format.is_none() {
        details.container_format.clone_from(container_format);
    }
    if *min_disk_gib > 0 {
        details.min_disk_gib = *min_disk_gib;
    }
    if *min_ram_mib > 0 {
        details.min_ram_mib = *min_ram_mib;
    }
    details.tags.extend(tags.iter().cloned());
    details.properties.extend(properties.clone());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(state: CloudState, seconds: i64) -> CloudImage {
        CloudImage {
            id: "i".parse().unwrap(),
            state,
            at: Timestamp::from_unix_millis(seconds * 1000),
            visibility: Visibility::Shared,
            default_name: None,
            origin: BTreeMap::from([("ami_id".to_owned(), "ami-1".to_owned())]),
            details: None,
        }
    }

    fn image(first: &CloudImage) -> Image {
        let details = first.apply(&Details::default()).unwrap();
        let now = Timestamp::from_unix_millis(0);
        Image {
            id: first.id.clone(),
            owner: "t".parse().unwrap(),
            visibility: if first.state == CloudState::Available {
                Visibility::Shared
            } else {
                Visibility::Private
            },
            details,
            created: now,
            updated: now,
            revision: 1,
        }
    }

    #[test]
    fn later_state_wins_in_any_order_of_arrival() {
        use CloudState::{Available, Disabled, Gone};
        for (events, state, visibility) in [
            ([(Available, 1), (Disabled, 2), (Available, 3)], Available, Visibility::Shared),
            ([(Available, 1), (Available, 3), (Disabled, 2)], Available, Visibility::Shared),
            ([(Disabled, 2), (Available, 1), (Available, 1)], Disabled, Visibility::Private),
            ([(Disabled, 2), (Available, 3), (Disabled, 2)], Available, Visibility::Shared),
            ([(Available, 2), (Disabled, 2), (Available, 2)], Disabled, Visibility::Private),
            ([(Available, 2), (Gone, 3), (Available, 4)], Gone, Visibility::Private),
        ] {
            let [first, rest @ ..] = events.map(|(state, at)| event(state, at));
            let mut image = image(&first);
            for event in rest {
                event.update(&mut image);
            }
            assert_eq!(image.details.property(CLOUD_STATE), Some(state.name()), "{events:?}");
            assert_eq!(image.visibility, visibility, "{events:?}");
        }
    }

    #[test]
    fn visibility_that_the_owner_chose_survives_events() {
        let mut image = image(&event(CloudState::Available, 1));
        image.visibility = Visibility::Private;
        event(CloudState::Available, 2).update(&mut image);
        assert_eq!(image.visibility, Visibility::Private);
    }

    #[test]
    fn details_are_applied_once_and_only_if_later() {
        let details = |name: &str| Some(Details { name: Some(name.to_owned()), ..Details::default() });
        let mut image = image(&event(CloudState::Available, 5));
        let first = CloudImage { details: details("a"), ..event(CloudState::Available, 5) };
        first.update(&mut image);
        assert_eq!(image.details.name.as_deref(), Some("a"), "a state of the same second was known");
        image.details.name = Some("by its owner".to_owned());
        first.update(&mut image);
        CloudImage { details: details("late"), ..event(CloudState::Available, 4) }.update(&mut image);
        assert_eq!(image.details.name.as_deref(), Some("by its owner"));
    }

    proptest! {
        #[test]
        fn repeated_event_changes_nothing(events in prop::collection::vec((0..3_u8, 0..5_i64), 1..8)) {
            let events: Vec<_> = events.into_iter().map(|(state, at)| {
                let states = [CloudState::Available, CloudState::Disabled, CloudState::Gone];
                event(states[usize::from(state)], at)
            }).collect();
            let mut image = image(&events[0]);
            for event in &events {
                event.update(&mut image);
                let after = image.clone();
                event.update(&mut image);
                prop_assert_eq!(&image, &after);
            }
        }
    }
}
