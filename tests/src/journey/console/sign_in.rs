//! Signing in to the console with an access key and with a link, and signing out.

use imageshare::auth::MasterKeys;
use imageshare::domain::{Caller, Role, Timestamp};
use serde_json::json;

use crate::deployment::master_keys;
use crate::events::HttpEvent;
use crate::journey::{Journey, Stage};
use crate::visitor::Visitor;

impl<S: Stage> Journey<S> {
    /// Begins sessions and ends them.
    pub(super) async fn sign_in_and_out(&mut self) {
        let key = self.call("own1 POST /v1/access-keys", json!({"name": "session"}), 201).await;
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let fields = [("access_key", text("id")), ("secret", text("secret"))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        self.begin_and_end_session("sign-in", &fields).await;

        let keys = MasterKeys::parse(&master_keys()).expect("good master keys");
        let tenant = "own1".parse().expect("a project");
        let caller = Caller { tenant, account: None, user: None, access_key: None, role: Role::Member };
        let link = keys.issue_link(&caller, Timestamp::now()).expect("a link").token;
        self.begin_and_end_session("sign-in/link", &[("link", &link)]).await;
    }

    async fn begin_and_end_session(&mut self, page: &str, fields: &[(&str, &str)]) {
        let form = Visitor::form(page, fields).header("sec-fetch-site", "same-origin");
        let signed_in = self.send("console", form, 303).await;
        let cookie = signed_in["cookies"][0].as_str().unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let images = HttpEvent::new("GET /console/{page+}", "/console/images").header("cookie", &cookie);
        self.send("console", images, 200).await;
        let sign_out = Visitor::form("sign-out", &[]).header("sec-fetch-site", "same-origin");
        self.send("console", sign_out.header("cookie", &cookie), 303).await;
    }
}
