//! Memberships: which images are shared with which projects, and what these decided.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rectangles::{Rectangle, cover};
use super::{ApiError, Call, Client, Limits, Pair};

/// How many pairs, images or projects one call reads.
const PAIRS_PER_CALL: usize = 1000;
/// How many calls of one read are sent at the same time.
const CALLS_AT_A_TIME: usize = 4;

/// An image that is shared with a project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Membership {
    /// The image.
    pub image_id: String,
    /// Its name.
    #[serde(default)]
    pub image_name: Option<String>,
    /// The project that owns the image.
    pub owner: String,
    /// The project that the image is shared with.
    pub project_id: String,
    /// What that project decided.
    pub status: Status,
    /// When the image was shared.
    #[serde(default)]
    pub shared_at: Option<String>,
    /// When the project decided.
    #[serde(default)]
    pub answered_at: Option<String>,
    /// The vault that a full-ECS image was accepted into; only the recipient sees it.
    #[serde(default)]
    pub vault_id: Option<String>,
}

/// What a project decided about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing yet.
    Pending,
    /// It uses the image.
    Accepted,
    /// It does not want the image.
    Rejected,
}

impl Status {
    /// The status as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The side of a share that a caller is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It shares.
    #[default]
    Owner,
    /// Images are shared with it.
    Recipient,
}

/// Which memberships to read: those that match all of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MembershipQuery {
    /// Those of the caller as this.
    pub role: Role,
    /// Those of these images; of all, if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Those with these projects; with all, if empty. Only for an owner.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Those of the images of these owners; of all, if empty. Only for a recipient.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// Those with one of these statuses; with any, if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Status>,
}

impl Client {
    /// Reads memberships, all pages. A query with images has at most 1,000, and with projects too at most 1,000 pairs.
    /// Costs one call for each 1,000 memberships, and at least one.
    pub async fn memberships(&self, query: &MembershipQuery) -> Result<Vec<Membership>, ApiError> {
        let project = self.project().await?;
        let call = Call::post("/v1/{}/memberships/query", &[&project]);
        let body = serde_json::to_value(query).unwrap_or_default();
        self.all_pages("memberships", |marker| {
            let mut body = body.clone();
            if let Value::Object(members) = &mut body {
                members.insert("limit".to_owned(), PAIRS_PER_CALL.into());
                members.extend(marker.map(|marker| ("marker".to_owned(), marker.into())));
            }
            // It reads, so it can be repeated as with a key.
            call.clone().json(&body).idempotent()
        })
        .await
    }

    /// Reads the memberships of every one of these images with every one of these projects. Costs one call for each
    /// 1,000 pairs.
    pub async fn memberships_between(
        &self,
        images: &BTreeSet<String>,
        projects: &BTreeSet<String>,
    ) -> Result<Vec<Membership>, ApiError> {
        let pair =
            |image: &String, project: &String| Pair { image_id: image.clone(), project_id: project.clone() };
        let pairs = images.iter().flat_map(|image| projects.iter().map(move |project| pair(image, project)));
        self.memberships_in(&cover(&pairs.collect(), &read_limits())).await
    }

    /// Reads all members of these images. Costs one call for each 1,000 images, and for each 1,000 members of them.
    pub async fn members_of(&self, images: &BTreeSet<String>) -> Result<Vec<Membership>, ApiError> {
        let images: Vec<String> = images.iter().cloned().collect();
        let mut all = Vec::new();
        for images in images.chunks(PAIRS_PER_CALL) {
            let query = MembershipQuery { images: images.to_vec(), ..MembershipQuery::default() };
            all.extend(self.memberships(&query).await?);
        }
        Ok(all)
    }

    /// Reads the membership of a pair as its owner. `None` if the image is not shared with the project. Reads at the
    /// same time are one call.
    pub async fn membership(&self, pair: Pair) -> Result<Option<Membership>, ApiError> {
        let client = self.clone();
        self.pairs().get(pair, |pairs| async move { client.load_pairs(pairs).await }).await
    }

    /// Reads the caller's own membership of an image. `None` if the image is not shared with its project. Reads at the
    /// same time are one call.
    pub async fn own_membership(&self, image: &str) -> Result<Option<Membership>, ApiError> {
        let client = self.clone();
        let load = |images| async move { client.load_own(images).await };
        self.own_memberships().get(image.to_owned(), load).await
    }

    async fn load_own(&self, images: Vec<String>) -> Result<HashMap<String, Membership>, ApiError> {
        let mut found = HashMap::new();
        for images in images.chunks(PAIRS_PER_CALL) {
            let query = MembershipQuery {
                role: Role::Recipient,
                images: images.to_vec(),
                ..MembershipQuery::default()
            };
            let memberships = self.memberships(&query).await?;
            found.extend(memberships.into_iter().map(|one| (one.image_id.clone(), one)));
        }
        Ok(found)
    }

    async fn load_pairs(&self, pairs: Vec<Pair>) -> Result<HashMap<Pair, Membership>, ApiError> {
        let pairs: BTreeSet<Pair> = pairs.into_iter().collect();
        let images: BTreeSet<&String> = pairs.iter().map(|pair| &pair.image_id).collect();
        let projects: BTreeSet<&String> = pairs.iter().map(|pair| &pair.project_id).collect();
        // A few pairs more in one call cost less than another call.
        let rectangles = if images.len() * projects.len() <= PAIRS_PER_CALL {
            let owned = |ids: BTreeSet<&String>| ids.into_iter().cloned().collect();
            vec![Rectangle { images: owned(images), projects: owned(projects) }]
        } else {
            cover(&pairs, &read_limits())
        };
        let found = self.memberships_in(&rectangles).await?;
        Ok(found.into_iter().map(|one| (one.pair(), one)).collect())
    }

    async fn memberships_in(&self, rectangles: &[Rectangle]) -> Result<Vec<Membership>, ApiError> {
        let read = |one: &Rectangle| {
            let query = MembershipQuery {
                images: one.images.clone(),
                projects: one.projects.clone(),
                ..MembershipQuery::default()
            };
            async move { self.memberships(&query).await }
        };
        let reads = rectangles.iter().map(read).collect::<Vec<_>>();
        let parts: Vec<Vec<Membership>> =
            stream::iter(reads).buffer_unordered(CALLS_AT_A_TIME).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }
}

impl Membership {
    /// The image and the project.
    pub fn pair(&self) -> Pair {
        Pair { image_id: self.image_id.clone(), project_id: self.project_id.clone() }
    }
}

fn read_limits() -> Limits {
    Limits {
        images_per_request: PAIRS_PER_CALL,
        projects_per_request: PAIRS_PER_CALL,
        pairs_per_job: PAIRS_PER_CALL,
        ..Limits::default()
    }
}
