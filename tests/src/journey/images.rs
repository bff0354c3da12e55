//! Images: registering, changing and deleting them.

use serde_json::{Value, json};

use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    pub(super) async fn use_images(&mut self) {
        let image = self.create_image("own1", json!({"name": "first", "tags": ["golden"]})).await;
        for _ in ["new", "replayed"] {
            self.call_with("image-1", "own1 POST /v2/images", json!({"name": "keyed"}), 201).await;
        }
        self.call(&format!("own1 GET /v2/images/{image}"), Value::Null, 200).await;
        // Not visible, so its membership is read.
        self.call(&format!("str1 PATCH /v2/images/{image}"), json!([]), 404).await;
        self.call(&format!("own1 PUT /v2/images/{image}/tags/linux"), Value::Null, 204).await;
        self.call(&format!("own1 DELETE /v2/images/{image}/tags/linux"), Value::Null, 204).await;
        self.call(&format!("own1 PUT /v2/images/{image}/file"), Value::Null, 204).await;
        self.call(&format!("own1 DELETE /v2/images/{image}"), Value::Null, 204).await;
        self.publish_an_image().await;
        self.rename_a_shared_image().await;
    }

    /// Leaves a public image of `ops`.
    async fn publish_an_image(&mut self) {
        let open = json!({"name": "open", "visibility": "public", "tags": ["golden"]});
        self.create_image("ops", open.clone()).await;
        let closed = self.create_image("ops", open).await;
        let hide = json!([{"op": "replace", "path": "/visibility", "value": "private"}]);
        self.call(&format!("ops PATCH /v2/images/{closed}"), hide, 200).await;
        let show = json!([{"op": "replace", "path": "/visibility", "value": "public"}]);
        self.call(&format!("ops PATCH /v2/images/{closed}"), show, 200).await;
        self.call(&format!("ops DELETE /v2/images/{closed}?unless_shared=true"), Value::Null, 204).await;
    }

    /// A change of a shared image reaches its members by a job, as its deletion does.
    async fn rename_a_shared_image(&mut self) {
        let image = self.create_image("own1", json!({"name": "before"})).await;
        let members = json!({"images": [image], "projects": ["mem1", "mem2"]});
        self.batch("own1 POST", members, 200).await;
        let rename = json!([{"op": "replace", "path": "/name", "value": "after"}]);
        self.call(&format!("own1 PATCH /v2/images/{image}"), rename, 200).await;
        self.run_open_work().await;
        self.call(&format!("own1 DELETE /v2/images/{image}"), Value::Null, 204).await;
        self.run_open_work().await;
    }
}
