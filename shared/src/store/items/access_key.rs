//! The item of an access key.

use std::time::Duration;

use crate::domain::{AccessKey, Role, SealedSecret, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, GPK, GSK, PK, TTL};

/// How long an access key is kept after it was disabled or has expired.
pub const ENDED_KEY_RETENTION: Duration = Duration::from_hours(90 * 24);

pub fn access_key_item(key: &AccessKey) -> Item {
    let roles: Vec<_> = key.roles.iter().map(|role| role.name()).collect();
    let millis = |time: Timestamp| item::number(time.unix_millis());
    let attributes = [
        (GPK, Some(item::text(keys::access_key_partition(&key.project)))),
        (GSK, Some(item::text(&key.id))),
        ("name", Some(item::text(&key.name))),
        ("project", Some(item::text(&key.project))),
        ("account", key.account.as_ref().map(item::text)),
        ("user", key.user.as_ref().map(item::text)),
        ("roles", Some(item::text(roles.join(" ")))),
        ("master", Some(item::text(&key.master_key_id))),
        ("sealed_secret", key.sealed_secret.as_ref().map(|sealed| item::text(sealed.as_str()))),
        ("created", Some(millis(key.created))),
        ("expires_at", key.expires_at.map(millis)),
        ("disabled_at", key.disabled_at.map(millis)),
        (TTL, key.expires_at.map(|end| item::number(end.plus(ENDED_KEY_RETENTION).unix_seconds()))),
    ];
    let set = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let by_expiry = key.expires_at.map(|end| keys::expiring_key_attributes(&key.project, &key.id, end));
    let by_expiry = by_expiry.into_iter().flatten().map(|(name, value)| (name, item::text(value)));
    item::item(keys::access_key(&key.id), set.chain(by_expiry))
}

pub fn parse(found: &Item) -> Result<AccessKey, StoreError> {
    let id =
        keys::parse_access_key_partition(item::get_text(found, PK)?).ok_or(StoreError::Unreadable(PK))?;
    let optional = |name| found.contains_key(name).then(|| item::get_text(found, name).map(str::to_owned));
    let time = |name| item::find_number(found, name).map(|found| found.map(Timestamp::from_unix_millis));
    let roles = item::get_text(found, "roles")?.split(' ').map(Role::from_name);
    Ok(AccessKey {
        id,
        name: item::get_text(found, "name")?.to_owned(),
        project: item::get_parsed(found, "project")?,
        account: optional("account").transpose()?,
        user: optional("user").transpose()?,
        roles: roles.collect::<Option<_>>().ok_or(StoreError::Unreadable("roles"))?,
        master_key_id: item::get_text(found, "master")?.to_owned(),
        sealed_secret: optional("sealed_secret").transpose()?.map(SealedSecret::new),
        created: Timestamp::from_unix_millis(item::get_number(found, "created")?),
        expires_at: time("expires_at")?,
        disabled_at: time("disabled_at")?,
    })
}
