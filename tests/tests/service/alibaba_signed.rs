//! Requests signed as Alibaba's SDKs sign them, over HTTP: both kinds of signature in every kind of request, and the
//! errors in the words that the SDKs look for.

use std::time::Duration;

use imageshare::domain::{Role, Timestamp};
use imageshare_tests::api::{Api, ApiRequest, ApiResponse};
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};
use serde_json::{Value, json};

const OWNER: &str = "1001";

/// A server with an image and an access key of its owner.
struct Fixture {
    api: Api,
    signer: Signer,
    image: String,
}

impl Fixture {
    async fn start() -> Self {
        let api = Api::start(&[]).await;
        let token = api.token(OWNER, Role::Member);
        let image =
            api.send(&ApiRequest::new("POST", "/v2/images").token(&token).json(&json!({"name": "a"}))).await;
        let image = image.body["id"].as_str().unwrap().to_owned();
        let key = ApiRequest::new("POST", "/v1/access-keys").token(&token).json(&json!({"name": "sdk"}));
        let key = api.send(&key).await.body;
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let signer = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };
        Self { api, signer, image }
    }

    fn modify_parameters(&self, accounts: &[(&str, &str)]) -> Vec<(String, String)> {
        let fixed = [("RegionId", "local"), ("ImageId", &self.image)];
        let all = fixed.iter().chain(accounts);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As the new SDK sends it: the action in headers, all of them signed.
    fn sign_acs3(&self, signer: &Signer, accounts: &[(&str, &str)], nonce: &str) -> WireRequest {
        let request =
            UnsignedRequest { query: self.modify_parameters(accounts), ..UnsignedRequest::new("POST", "/") };
        let request = request
            .header("x-acs-action", "ModifyImagePermission")
            .header("x-acs-version", "2020-09-30")
            .header("user-agent", "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2")
            .header("accept", "application/json");
        signer.sign_acs3(&request, &["accept", "host", "user-agent"], nonce)
    }

    /// As the old SDK sends it: everything among the parameters.
    fn sign_rpc(
        &self,
        signer: &Signer,
        method: &str,
        accounts: &[(&str, &str)],
        nonce: &str,
    ) -> Vec<(String, String)> {
        let mut parameters = self.modify_parameters(accounts);
        for (name, value) in
            [("Action", "ModifyImagePermission"), ("Version", "2020-09-30"), ("Format", "JSON")]
        {
            parameters.push((name.to_owned(), value.to_owned()));
        }
        signer.sign_rpc(method, &parameters, nonce)
    }

    async fn list_accounts(&self) -> Value {
        let target = format!(
            "/?Action=DescribeImagePermission&Version=2020-09-30&RegionId=local&ImageId={}",
            self.image
        );
        let response =
            self.api.send(&ApiRequest::new("GET", target).token(&self.api.token(OWNER, Role::Reader))).await;
        response.body["AliUids"].clone()
    }

    async fn send(&self, wire: &WireRequest) -> ApiResponse {
        self.api.send(&wire.to_api_request()).await
    }
}

fn query_request(method: &str, query: Vec<(String, String)>) -> WireRequest {
    UnsignedRequest { query, ..UnsignedRequest::new(method, "/") }.to_wire()
}

fn form_request(parameters: Vec<(String, String)>) -> WireRequest {
    let written = query_request("POST", parameters);
    let body = written.query.into_bytes();
    let mut wire = WireRequest { query: String::new(), body, ..written };
    wire.set_header("Content-Type", "application/x-www-form-urlencoded");
    wire
}

#[tokio::test]
async fn sdk_signed_call_takes_effect() {
    let world = Fixture::start().await;
    let signer = &world.signer;
    let add = |account| [("AddAccount.1", account)];
    for wire in [
        world.sign_acs3(signer, &add("2001"), "nonce-1"),
        query_request("POST", world.sign_rpc(signer, "POST", &add("2002"), "nonce-2")),
        query_request("GET", world.sign_rpc(signer, "GET", &add("2003"), "nonce-3")),
        form_request(world.sign_rpc(signer, "POST", &add("2004"), "nonce-4")),
    ] {
        world.send(&wire).await.expect_status(200);
    }
    assert_eq!(world.list_accounts().await, json!(["2001", "2002", "2003", "2004"]));
}

#[tokio::test]
async fn badly_signed_call_is_rejected_and_changes_nothing() {
    let world = Fixture::start().await;
    let signer = &world.signer;
    let add = [("AddAccount.1", "2001")];
    let used = world.sign_acs3(signer, &[("AddAccount.1", "2000")], "used");
    world.send(&used).await.expect_status(200);
    let before = world.api.dump_when_idle().await;

    let late = Signer { date: Timestamp::now().minus(Duration::from_mins(16)), ..signer.clone() };
    let unknown = Signer { key_id: "nobody".to_owned(), ..signer.clone() };
    let wrong = Signer { secret: "another".to_owned(), ..signer.clone() };
    let changed = |mut wire: WireRequest, from: &str, to: &str| {
        wire.query = wire.query.replace(from, to);
        wire
    };
    let with = |mut wire: WireRequest, name: &str, value: &str| {
        wire.set_header(name, value);
        wire
    };
    let without = |mut wire: WireRequest, name: &str| {
        wire.remove_header(name);
        wire
    };
    let acs3 = |signer: &Signer| world.sign_acs3(signer, &add, "new");
    let rpc = |signer: &Signer| query_request("POST", world.sign_rpc(signer, "POST", &add, "new"));
    let mut other_body = form_request(world.sign_rpc(signer, "POST", &add, "new"));
    other_body.body.extend_from_slice(b"&AddAccount.2=2002");
    for (what, wire, status, code) in [
        ("a nonce", used, 400, "SignatureNonceUsed"),
        ("the key", acs3(&unknown), 404, "InvalidAccessKeyId.NotFound"),
        ("the key", rpc(&unknown), 404, "InvalidAccessKeyId.NotFound"),
        ("the secret", acs3(&wrong), 400, "SignatureDoesNotMatch"),
        ("the secret", rpc(&wrong), 400, "SignatureDoesNotMatch"),
        ("the date", acs3(&late), 400, "InvalidTimeStamp.Expired"),
        ("the date", rpc(&late), 400, "InvalidTimeStamp.Expired"),
        ("the date's form", with(acs3(signer), "x-acs-date", "yesterday"), 400, "InvalidTimeStamp.Format"),
        (
            "the query",
            changed(acs3(signer), "Account.1=2001", "Account.1=2002"),
            400,
            "SignatureDoesNotMatch",
        ),
        ("the query", changed(rpc(signer), "Account.1=2001", "Account.1=2002"), 400, "SignatureDoesNotMatch"),
        ("a blank value", changed(rpc(signer), "SignatureType=&", ""), 400, "SignatureDoesNotMatch"),
        ("the form", other_body, 400, "SignatureDoesNotMatch"),
        ("a header", with(acs3(signer), "x-acs-action", "DescribeImages"), 400, "SignatureDoesNotMatch"),
        ("the nonce", with(acs3(signer), "x-acs-signature-nonce", "other"), 400, "SignatureDoesNotMatch"),
        (
            "the nonce",
            changed(rpc(signer), "SignatureNonce=new", "SignatureNonce=other"),
            400,
            "SignatureDoesNotMatch",
        ),
        ("a header that is left out", without(acs3(signer), "user-agent"), 400, "SignatureDoesNotMatch"),
        ("a header that is not signed", with(acs3(signer), "x-acs-more", "a"), 400, "IncompleteSignature"),
        (
            "the hash of the body",
            with(acs3(signer), "x-acs-content-sha256", "0"),
            400,
            "SignatureDoesNotMatch",
        ),
        (
            "the algorithm",
            with(acs3(signer), "Authorization", "ACS3-HMAC-SM3 Credential=a"),
            400,
            "IncompleteSignature",
        ),
        ("the version", changed(rpc(signer), "HMAC-SHA1", "HMAC-SHA256"), 400, "IncompleteSignature"),
        (
            "the method",
            query_request("GET", world.sign_rpc(signer, "POST", &add, "new")),
            400,
            "SignatureDoesNotMatch",
        ),
        ("no signature", changed(rpc(signer), "&Signature=", "&Other="), 400, "IncompleteSignature"),
        (
            "a token beside it",
            with(acs3(signer), "X-Auth-Token", &world.api.token(OWNER, Role::Admin)),
            401,
            "InvalidSecurityToken",
        ),
    ] {
        let response = world.send(&wire).await.in_case(what);
        response.expect_error(status, code);
        assert!(!response.body.to_string().contains(&signer.secret), "{response:?}");
    }
    assert_eq!(world.api.dump(), before, "something was written");
}

#[tokio::test]
async fn request_signed_with_disabled_key_is_rejected() {
    let world = Fixture::start().await;
    let token = world.api.token(OWNER, Role::Member);
    let disable = ApiRequest::new("DELETE", format!("/v1/access-keys/{}", world.signer.key_id)).token(&token);
    world.api.send(&disable).await.expect_status(204);
    let response = world.send(&world.sign_acs3(&world.signer, &[("AddAccount.1", "2001")], "n")).await;
    response.expect_error(400, "InvalidAccessKeyId.Inactive");
    assert_eq!(world.list_accounts().await, json!([]));
}

#[tokio::test]
async fn access_key_cannot_share_an_image_of_another_project() {
    let world = Fixture::start().await;
    let stranger = world.api.token("9001", Role::Member);
    let key = ApiRequest::new("POST", "/v1/access-keys").token(&stranger).json(&json!({"name": "sdk"}));
    let key = world.api.send(&key).await.body;
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let signer = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };
    let response = world.send(&world.sign_acs3(&signer, &[("AddAccount.1", "9001")], "n")).await;
    response.expect_error(404, "InvalidImageId.NotFound");
    let named = {
        let mut wire = world.sign_acs3(&signer, &[("AddAccount.1", "9001")], "m");
        wire.set_header("X-Project-Id", OWNER);
        wire
    };
    world.send(&named).await.expect_error(403, "Forbidden.RAM");
    assert_eq!(world.list_accounts().await, json!([]));
}
