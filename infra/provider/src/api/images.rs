//! Images, by Glance's API.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ApiError, Call, Client, Status};

/// How many images one call reads by their ids: what fits into a request line.
const IDS_PER_CALL: usize = 150;

/// An image.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// The project that owns it.
    pub owner: String,
    /// Its status, such as `active`.
    pub status: String,
    /// `private`, `shared`, `community` or `public`.
    pub visibility: String,
    /// Whether it cannot be deleted.
    #[serde(default)]
    pub protected: bool,
    /// Whether lists leave it out.
    #[serde(default)]
    pub os_hidden: bool,
    /// The least disk of a server, in GiB.
    #[serde(default)]
    pub min_disk: i64,
    /// The least memory of a server, in MiB.
    #[serde(default)]
    pub min_ram: i64,
    /// The format of the disk.
    #[serde(default)]
    pub disk_format: Option<String>,
    /// The format of the container.
    #[serde(default)]
    pub container_format: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeSet<String>,
    /// When it was registered.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// All other members: free properties, those of IMS, and those that no image of this service has, such as `size`.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl Image {
    /// The properties that a user sets: texts, without those that the service sets itself.
    pub fn properties(&self) -> BTreeMap<String, String> {
        let is_own = |name: &str| !SET_BY_SERVICE.contains(&name);
        let own = self.others.iter().filter(|(name, _)| is_own(name));
        own.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    }
}

/// The members of an image that are texts, and that no user sets.
const SET_BY_SERVICE: [&str; 3] = ["self", "file", "schema"];

/// A new image.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewImage {
    /// Its id, chosen by the client so that the call can be repeated.
    pub id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its visibility.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<String>,
    /// Whether it cannot be deleted.
    pub protected: bool,
    /// Whether lists leave it out.
    pub os_hidden: bool,
    /// The least disk of a server, in GiB.
    pub min_disk: i64,
    /// The least memory of a server, in MiB.
    pub min_ram: i64,
    /// The format of the disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_format: Option<String>,
    /// The format of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_format: Option<String>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// Its properties.
    #[serde(flatten)]
    pub properties: BTreeMap<String, String>,
}

/// One operation of a JSON patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOperation {
    /// Sets a member that may not be there.
    Add {
        /// `/` and its name.
        path: String,
        /// Its value.
        value: Value,
    },
    /// Sets a member that is there.
    Replace {
        /// `/` and its name.
        path: String,
        /// Its value.
        value: Value,
    },
    /// Removes a member.
    Remove {
        /// `/` and its name.
        path: String,
    },
}

/// Which images to list: those that match all of it.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// Exactly this name.
    pub name: Option<String>,
    /// Of this owner.
    pub owner: Option<String>,
    /// With this visibility.
    pub visibility: Option<String>,
    /// Of those that are shared with the caller, the ones with this status; the accepted ones, if it is `None`.
    pub member_status: Option<Status>,
    /// With all of these tags.
    pub tags: Vec<String>,
}

#[derive(Deserialize)]
struct Page {
    images: Vec<Image>,
    #[serde(default)]
    next: Option<String>,
}

impl Client {
    /// Registers an image. Its id makes the call repeatable.
    pub async fn create_image(&self, image: &NewImage) -> Result<Image, ApiError> {
        self.send(&Call::post("/v2/images", &[]).body(image).idempotent()).await
    }

    /// Reads an image. `None` if it does not exist, or the caller cannot see it. Reads at the same time are joined.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, ApiError> {
        let client = self.clone();
        self.images().get(id.to_owned(), |ids| async move { client.load_images(ids).await }).await
    }

    /// Changes an image.
    pub async fn update_image(&self, id: &str, patch: &[PatchOperation]) -> Result<Image, ApiError> {
        self.send(&Call::patch("/v2/images/{}", &[id]).json_patch(patch)).await
    }

    /// Deletes an image, with its memberships; `unless_shared` refuses that while it has any. Succeeds, too, if it is
    /// gone.
    pub async fn delete_image(&self, id: &str, unless_shared: bool) -> Result<(), ApiError> {
        let condition = unless_shared.then_some("true");
        self.remove(&Call::delete("/v2/images/{}", &[id]).query_if("unless_shared", condition)).await
    }

    /// Lists images, all pages. Costs a call for each 1,000.
    pub async fn list_images(&self, filter: &ImageFilter) -> Result<Vec<Image>, ApiError> {
        let mut call = Call::get("/v2/images", &[])
            .query("limit", "1000")
            .query_if("name", filter.name.as_deref())
            .query_if("owner", filter.owner.as_deref())
            .query_if("visibility", filter.visibility.as_deref())
            .query_if("member_status", filter.member_status.map(Status::as_str));
        for tag in &filter.tags {
            call = call.query("tag", tag);
        }
        self.pages_of_images(call).await
    }

    async fn load_images(&self, ids: Vec<String>) -> Result<HashMap<String, Image>, ApiError> {
        let mut found = HashMap::new();
        if ids.len() > 1 {
            for ids in ids.chunks(IDS_PER_CALL) {
                let call = Call::get("/v2/images", &[])
                    .query("limit", "1000")
                    .query("visibility", "all")
                    .query("member_status", "all")
                    .query("id", &format!("in:{}", ids.join(",")));
                found.extend(
                    self.pages_of_images(call).await?.into_iter().map(|image| (image.id.clone(), image)),
                );
            }
        }
        // A list leaves out what is hidden.
        for id in ids {
            if !found.contains_key(&id) {
                let image: Option<Image> = self.find(&Call::get("/v2/images/{}", &[&id])).await?;
                found.extend(image.map(|image| (id, image)));
            }
        }
        Ok(found)
    }

    async fn pages_of_images(&self, first: Call) -> Result<Vec<Image>, ApiError> {
        let (mut all, mut call) = (Vec::new(), first);
        loop {
            let Page { images, next } = self.send(&call).await?;
            all.extend(images);
            match next {
                Some(next) if next != call.target => call = Call::get(&next, &[]),
                _ => return Ok(all),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_are_those_that_a_user_sets() {
        let image: Image = serde_json::from_value(json!({
            "id": "a", "name": null, "owner": "own1", "status": "active", "visibility": "shared", "protected": false,
            "min_disk": 0, "min_ram": 0, "tags": ["t"], "created_at": "c", "updated_at": "u", "size": 0, "checksum": null,
            "self": "/v2/images/a", "file": "/v2/images/a/file", "schema": "/v2/schemas/image", "team": "platform",
            "__os_type": "Linux"
        }))
        .expect("an image");
        let properties: Vec<(String, String)> = image.properties().into_iter().collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(properties, [pair("__os_type", "Linux"), pair("team", "platform")]);
    }

    #[test]
    fn patch_is_written_as_a_json_patch() {
        let patch = [
            PatchOperation::Replace { path: "/name".to_owned(), value: json!("b") },
            PatchOperation::Remove { path: "/team".to_owned() },
        ];
        assert_eq!(
            serde_json::to_value(patch).expect("JSON"),
            json!([{"op": "replace", "path": "/name", "value": "b"}, {"op": "remove", "path": "/team"}])
        );
    }
}
