//! The item of an access key.

use crate::domain::{AccessKey, Role, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, GPK, GSK, PK};

pub fn access_key_item(key: &AccessKey) -> Item {
    let roles: Vec<_> = key.roles.iter().map(|role| role.name()).collect();
    let attributes = [
        (GPK, Some(item::text(keys::access_key_partition(&key.project)))),
        (GSK, Some(item::text(&key.id))),
        ("name", Some(item::text(&key.name))),
        ("project", Some(item::text(&key.project))),
        ("account", key.account.as_ref().map(item::text)),
        ("user", key.user.as_ref().map(item::text)),
        ("roles", Some(item::text(roles.join(" ")))),
        ("master", Some(item::text(&key.master_key_id))),
        ("created", Some(item::number(key.created.unix_millis()))),
        ("disabled_at", key.disabled_at.map(|time| item::number(time.unix_millis()))),
    ];
    let set = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    item::item(keys::access_key(&key.id), set)
}

pub fn parse(found: &Item) -> Result<AccessKey, StoreError> {
    let id =
        keys::parse_access_key_partition(item::get_text(found, PK)?).ok_or(StoreError::Unreadable(PK))?;
    let optional = |name| found.contains_key(name).then(|| item::get_text(found, name).map(str::to_owned));
    let roles = item::get_text(found, "roles")?.split(' ').map(Role::from_name);
    let disabled = item::find_number(found, "disabled_at")?;
    Ok(AccessKey {
        id,
        name: item::get_text(found, "name")?.to_owned(),
        project: item::get_parsed(found, "project")?,
        account: optional("account").transpose()?,
        user: optional("user").transpose()?,
        roles: roles.collect::<Option<_>>().ok_or(StoreError::Unreadable("roles"))?,
        master_key_id: item::get_text(found, "master")?.to_owned(),
        created: Timestamp::from_unix_millis(item::get_number(found, "created")?),
        disabled_at: disabled.map(Timestamp::from_unix_millis),
    })
}
