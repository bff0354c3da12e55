//! Events of images, from a cloud account that is bound to a tenant.

use serde_json::{Value, json};

use super::{Journey, Stage};

const ACCOUNT: &str = "777788889999";

impl<S: Stage> Journey<S> {
    pub(super) async fn follow_image_events(&mut self) {
        let entry = json!({"account": "cloud", "project": "own9", "cloud_account": ACCOUNT});
        self.call("ops PUT /v1/tenants/own9", entry, 200).await;
        let ignored = self
            .image_event("aws.ec2", "000000000001", json!({"ImageId": "ami-1", "State": "available"}))
            .await;
        assert!(ignored["ignored"].is_string(), "{ignored}");

        let described = json!({"ami_id": "ami-1", "name": "golden", "tags": ["golden"]});
        let registered = self.image_event("imageshare.pipeline", ACCOUNT, described.clone()).await;
        let image = registered["images"][0]["id"].as_str().expect("an id").to_owned();
        self.image_event("imageshare.pipeline", ACCOUNT, json!({"ami_id": "ami-1", "tags": ["later"]})).await;
        for (state, outcome) in
            [("available", "changed"), ("disabled", "withdrawn"), ("available", "changed")]
        {
            if state == "disabled" {
                self.batch("own9 POST", json!({"images": [image], "projects": ["mem1", "mem2"]}), 200).await;
            }
            let response = self.ami_event("ami-1", state).await;
            assert_eq!(response["images"][0]["outcome"], outcome, "{state}: {response}");
            self.run_open_work().await;
        }
        self.ami_event("ami-1", "deregistered").await;
        self.run_open_work().await;
        let late = self.ami_event("ami-1", "available").await;
        assert_eq!(late["images"][0]["outcome"], "unchanged");
        self.ami_event("ami-2", "deregistered").await;
    }

    /// Delivers the event of an AMI, a second after the one before.
    async fn ami_event(&mut self, ami: &str, state: &str) -> Value {
        self.image_event("aws.ec2", ACCOUNT, json!({"ImageId": ami, "State": state})).await
    }

    async fn image_event(&mut self, source: &str, account: &str, detail: Value) -> Value {
        let detail_type = if source == "aws.ec2" { "EC2 AMI State Change" } else { "Image Registered" };
        self.seconds += 1;
        let event = json!({
            "version": "0",
            "id": "6f1c2a34-5b6d-4e7f-8091-a2b3c4d5e6f7",
            "detail-type": detail_type,
            "source": source,
            "account": account,
            "time": format!("2026-01-01T00:{:02}:{:02}Z", self.seconds / 60, self.seconds % 60),
            "region": "eu-west-1",
            "resources": [],
            "detail": detail,
        });
        self.stage.invoke("image-events", &event).await
    }
}
