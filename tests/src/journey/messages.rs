//! Messages.

use serde_json::{Value, json};

use super::{Journey, Stage};
use crate::local_service::create_message;

impl<S: Stage> Journey<S> {
    pub(super) async fn use_messages(&mut self) {
        let id = create_message(&self.stage.app().store, "mem1", "own1").await;
        let message = format!("/v1/messages/{id}");
        self.call("mem1 GET /v1/messages", Value::Null, 200).await;
        self.call("mem1 GET /v1/messages?unread=true", Value::Null, 200).await;
        self.call(&format!("mem1 GET {message}"), Value::Null, 200).await;
        for is_read in [true, false] {
            self.call(&format!("mem1 PUT {message}"), json!({"read": is_read}), 200).await;
        }
        let list = self.call("mem1 GET /v1/messages", Value::Null, 200).await;
        self.call("mem1 PUT /v1/messages", json!({"read_up_to": list["as_of"]}), 204).await;
    }
}
