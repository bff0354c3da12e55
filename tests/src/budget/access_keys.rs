//! What access keys cost.

use std::time::Duration;

use imageshare::auth::{Keyring, MasterKeys};
use imageshare::domain::{Limits, Role};
use imageshare::usecases::{self, NewAccessKey};

use super::{Measurement, measurement, metered_service};
use crate::deployment::master_key;
use crate::local_service::{LocalService, caller};

/// The calls on access keys, one after the other.
pub(super) async fn measure() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let keyring = Keyring::new(MasterKeys::parse(&format!("m:{}", master_key())).expect("a master key"));
    let owner = caller("owner");
    let mut rows = Vec::new();
    let end = world.service.clock().now().plus(Duration::from_hours(1));
    for (call, expires_at) in
        [("create an access key", None), ("create an access key that expires", Some(end))]
    {
        let new = NewAccessKey { name: "ci".to_owned(), roles: vec![Role::Member], expires_at, secret: None };
        let service = metered_service(&world);
        let (key, _) =
            usecases::create_access_key(&service, &keyring, &owner, new, None).await.expect("an access key");
        rows.push(measurement(call, &service));
        if expires_at.is_some() {
            continue;
        }
        let service = metered_service(&world);
        usecases::show_access_key(&service, &owner, &key.id).await.expect("the access key");
        rows.push(measurement("show an access key", &service));
        let service = metered_service(&world);
        usecases::rename_access_key(&service, &owner, &key.id, "run".to_owned()).await.expect("renamed");
        rows.push(measurement("rename an access key", &service));
        let service = metered_service(&world);
        usecases::disable_access_key(&service, &keyring, &owner, &key.id).await.expect("disabled");
        rows.push(measurement("disable an access key", &service));
    }
    rows
}
