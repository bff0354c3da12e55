//! The deployment that the facades' targets send requests to: gateway, functions, and a table with items of every
//! kind. No request changes it.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use imageshare::App;
use imageshare::auth::{Keyring, MasterKeys};
use imageshare::domain::{
    Caller, Details, DirectoryEntry, Limits, Policy, Protection, Role, Status, Timestamp, VaultDetails,
    VaultStatus, Visibility,
};
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use imageshare::usecases::{
    NewAccessKey, NewImage, add_member, create_access_key, decide_as_member, grant_key, put_owner_policy,
    put_tenant, put_vault, register_image, share,
};
use imageshare_local::functions;
use imageshare_local::gateway::{Gateway, Health, OPENAPI};
use tokio::runtime::Runtime;

use super::table::DiscardingTable;
use crate::deployment::authenticator;
use crate::local_service::{LocalService, caller, create_message, tenant};

/// The deployment.
pub struct Fixture {
    /// Its table.
    pub table: DiscardingTable,
    runtime: Runtime,
    gateway: Gateway,
    /// Placeholders of inputs, each with its value in this deployment.
    placeholders: [(&'static str, String); 5],
}

/// The one deployment of the process.
pub static FIXTURE: LazyLock<Fixture> = LazyLock::new(Fixture::start);

/// The images: id, owner, visibility, properties, and each member with its decision.
type ImageSpecs = [(
    &'static str,
    &'static str,
    Visibility,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, Status)],
); 9];

/// A full-ECS image.
const FULL_ECS_PROPERTIES: [(&str, &str); 3] =
    [("__whole_image", "true"), ("__backup_id", "b-1"), ("__system_disk_backup_gib", "40")];

const IMAGES: ImageSpecs = {
    use Status::{Accepted, Pending, Rejected};
    use Visibility::{Community, Private, Public, Shared};
    [
        (
            "11111111-1111-1111-1111-111111111111",
            "own1",
            Shared,
            &[("hw_disk_bus", "scsi"), ("__os_type", "Linux"), ("a/b~c", "d")],
            &[("mem1", Pending), ("mem2", Accepted), ("mem3", Rejected)],
        ),
        ("m-gx2x1dhsmusr2abcd", "own1", Shared, &[], &[("118272523431003", Accepted)]),
        ("private", "own1", Private, &[("__isregistered", "true")], &[]),
        ("pending", "other", Shared, &[("__os_version", "Ubuntu")], &[("own1", Pending)]),
        ("accepted", "other", Shared, &[], &[("own1", Accepted), ("mem1", Accepted)]),
        ("public", "admin", Public, &[("__imagetype", "gold")], &[]),
        ("community", "other", Community, &[], &[]),
        ("sealed", "own1", Shared, &[("__system__cmkid", "k-1")], &[("mem1", Pending)]),
        ("whole", "other", Shared, &FULL_ECS_PROPERTIES, &[("own1", Pending)]),
    ]
};

impl Fixture {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let LocalService { service, table, .. } = LocalService::start(Limits::default());
        let masters = format!("test:{}", STANDARD.encode("a secret that every reader of this test knows"));
        let masters = MasterKeys::parse(&masters).expect("a master key");
        let authenticator = authenticator().with_master_keys(masters);
        let fillings = runtime.block_on(populate(&service, authenticator.keyring()));

        let table = DiscardingTable::new(table);
        let store = Store::new(table.clone(), imageshare::domain::Clock::for_server());
        let functions = functions::handlers(HttpFunction::new(App { store, ..service }, authenticator));
        let healthy = Arc::new(|| Box::pin(async { Health::Healthy }) as _);
        let domain = "images.example".to_owned();
        let gateway = Gateway::new(OPENAPI, &functions, healthy, domain).expect("the routes");
        Self { table, runtime, gateway, placeholders: fillings }
    }

    /// Replaces the placeholders of an input.
    pub fn fill_placeholders(&self, input: &[u8]) -> Vec<u8> {
        let mut filled = input.to_vec();
        for (name, value) in &self.placeholders {
            while let Some(offset) = filled.windows(name.len()).position(|window| window == name.as_bytes()) {
                filled.splice(offset..offset + name.len(), value.bytes());
            }
        }
        filled
    }

    /// The gateway's response to a request.
    pub fn send(&self, request: Request<Bytes>, client: SocketAddr) -> Response<Bytes> {
        self.runtime.block_on(async {
            let (head, body) = self.gateway.handle(request.map(Full::from), client).await.into_parts();
            Response::from_parts(head, body.collect().await.expect("a whole body").to_bytes())
        })
    }
}

async fn populate(service: &App, keyring: &Keyring) -> [(&'static str, String); 5] {
    let own1 = caller("own1");
    for to in ["mem1", "mem2"] {
        grant_key(service, &own1, "k-1".parse().expect("an id"), tenant(to)).await.expect("granted");
    }
    for (id, capacity_gib) in [("v-1", 100), ("v-2", 10)] {
        let (protection, status) = (Protection::Backup, VaultStatus::Available);
        let details = VaultDetails { protection, status, capacity_gib };
        put_vault(service, &own1, id.parse().expect("an id"), &details).await.expect("a vault");
    }
    for (owner, policy) in [("own2", Policy::Trusted { vault: None }), ("own3", Policy::Blocked)] {
        put_owner_policy(service, &own1, tenant(owner), policy).await.expect("a policy");
    }
    for (id, owner, visibility, properties, members) in IMAGES {
        let owner = Caller { role: Role::Admin, ..caller(owner) };
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let details = Details {
            name: Some(id.to_owned()),
            tags: ["t".to_owned()].into(),
            properties: properties.collect(),
            ..Details::default()
        };
        let id = id.parse().expect("an id");
        let new = NewImage { id: Some(id), owner: None, visibility, details };
        let id = register_image(service, &owner, new, None).await.expect("an image").id;
        for (member, status) in members {
            add_member(service, &owner, &id, &tenant(member), None).await.expect("a member");
            let decision = (Ok(*status), None);
            decide_as_member(service, &caller(member), &id, &tenant(member), decision)
                .await
                .expect("a decision");
        }
    }
    let admin = Caller { role: Role::Admin, ..caller("admin") };
    for (id, account, project) in
        [("mem1", "acme", "web"), ("mem2", "acme", "shop"), ("mem3", "solo", "only")]
    {
        let (account, project) = (account.parse().expect("a name"), project.parse().expect("a name"));
        let region = service.settings.region.parse().expect("a region");
        let entry = DirectoryEntry {
            tenant: tenant(id),
            account,
            project,
            region,
            organization: None,
            cloud_account: None,
        };
        put_tenant(service, &admin, &entry).await.expect("entered");
    }
    let images = vec!["m-gx2x1dhsmusr2abcd".parse().expect("an id")];
    let job = share(service, &own1, images, vec![tenant("mem1")], None).await.expect("a job");
    let new =
        NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member], expires_at: None, secret: None };
    let (key, secret) = create_access_key(service, keyring, &own1, new, None).await.expect("an access key");
    let token = keyring.issue_token(&key, Timestamp::now()).expect("a token").token;
    let message = create_message(&service.store, "own1", "other").await;
    [
        ("@MESSAGE@", message.to_string()),
        ("@JOB@", job.to_string()),
        ("@KEY@", key.id.to_string()),
        ("@SECRET@", secret.reveal().to_owned()),
        ("@TOKEN@", token),
    ]
}
