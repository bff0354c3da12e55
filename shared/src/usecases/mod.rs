//! What a function does, once, for every facade. A use case takes the caller and plain domain values, and reads top
//! to bottom as its first sentence.

mod accept;
mod access_keys;
mod answer_all;
mod carry_out;
mod directory;
mod earlier;
mod failures;
mod images;
mod job_status;
mod key_grants;
mod list_images;
mod members;
mod membership;
mod older_work;
mod permission;
mod quota;
mod refusal;
mod respond;
mod share;
mod stamps;
mod sweep;
mod unshare;
mod vaults;

pub use self::access_keys::{
    AccessKeyPage, KeyRefusal, NewAccessKey, create_access_key, create_access_key_once, disable_access_key,
    list_access_keys,
};
pub use self::carry_out::{abandon, carry_out};
pub use self::directory::{
    DirectoryRefusal, EntryPage, delete_tenant, find_project, find_tenant, list_tenants, own_entry,
    put_tenant, show_tenant,
};
pub use self::images::{
    NewImage, delete_image, register_image, register_image_once, show_image, update_image,
};
pub use self::job_status::job_status;
pub use self::key_grants::{
    Dependents, GrantPage, GrantRefusal, dependents, grant_key, list_key_grants, show_key_grant,
    withdraw_key_grant,
};
pub use self::list_images::{
    Direction, Exact, ImagePage, ImageQuery, Marker, Row, Seen, Shown, Sort, SortKey, find_images,
    list_images,
};
pub use self::members::{MemberPage, list_members, show_member};
pub use self::membership::{add_member, add_member_once, answer_as_member, remove_member};
pub use self::permission::{Effect, change_permissions};
pub use self::quota::{Quota, quota};
pub use self::refusal::{Excess, Refusal};
pub use self::respond::{respond, respond_to_all};
pub use self::share::share;
pub use self::sweep::{Swept, sweep, unblock_lines};
pub use self::unshare::unshare;
pub use self::vaults::{VaultPage, VaultRefusal, delete_vault, list_vaults, put_vault, show_vault};
