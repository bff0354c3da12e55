//! Lists of images, in each order and with each filter, since each has its index.

use serde_json::{Value, json};

use super::{Journey, Stage};

impl<S: Stage> Journey<S> {
    pub(super) async fn list_images(&mut self) {
        let pending = self.create_image("own1", json!({"name": "wanted", "tags": ["a", "b"]})).await;
        let accepted = self.create_image("own1", json!({"name": "wanted", "tags": ["a", "b"]})).await;
        self.batch("own1 POST", json!({"images": [pending, accepted], "projects": ["list"]}), 200).await;
        let accept = json!({"images": [accepted], "project_id": "list", "status": "accepted"});
        self.batch("list PUT", accept, 200).await;
        let own = self.create_image("list", json!({"name": "wanted", "tags": ["a", "b"]})).await;
        let second = self.create_image("list", json!({"name": "second"})).await;
        for lists in ["", "&visibility=shared&member_status=pending", "&visibility=public"] {
            for order in ["created_at", "name", "updated_at", "size"] {
                for filter in ["", "&name=wanted", "&tag=a", "&tag=a&tag=b", "&owner=own1"] {
                    let query = format!("sort_key={order}{filter}{lists}");
                    self.call(&format!("list GET /v2/images?{query}"), Value::Null, 200).await;
                }
            }
        }
        for query in [
            format!("id=in:{own}"),
            format!("id=in:{own},{second}"),
            format!("limit=1&marker={own}"),
            format!("marker={accepted}&sort_key=name"),
        ] {
            self.call(&format!("list GET /v2/images?{query}"), Value::Null, 200).await;
        }
        for query in ["", "?name=wanted", "?__imagetype=shared&member_status=pending", "?sort_key=name"] {
            self.call(&format!("list GET /v2/cloudimages{query}"), Value::Null, 200).await;
        }
        self.call("list GET /v1/cloudimages/quota", Value::Null, 200).await;
        self.call(&format!("own1 GET /v1/own1/cloudimages/{pending}/members"), Value::Null, 200).await;
        self.call(&format!("list GET /v1/list/cloudimages/{pending}/members/list"), Value::Null, 200).await;
        self.call(&format!("str1 GET /v1/str1/cloudimages/{pending}/members"), Value::Null, 400).await;
        for body in [json!({}), json!({"images": [pending]}), json!({"projects": ["list"]})] {
            self.call("own1 POST /v1/own1/memberships/query", body, 200).await;
        }
        for mut body in [json!({}), json!({"images": [pending, accepted]}), json!({"owners": ["own1"]})] {
            body["role"] = "recipient".into();
            self.call("list POST /v1/list/memberships/query", body, 200).await;
        }
    }
}
