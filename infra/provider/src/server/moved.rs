//! A resource of another kind that a `moved` block turns into one of this provider.

use crate::value::RawState;

/// Where it comes from.
pub struct Moved {
    /// The address of its provider, such as `registry.terraform.io/terraform-provider-openstack/openstack`.
    pub provider: String,
    /// Its kind, such as `openstack_images_image_access_v2`.
    pub type_name: String,
    /// The version of its schema.
    pub version: i64,
    /// Its state.
    pub state: RawState,
}

impl Moved {
    /// A text of its state; `None` if there is no such attribute or it is no text.
    pub fn str(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.state.get(name)?.get()).ok()
    }
}
