//! Every rule in a race: what a plan was made from changes between its snapshot and its commit.
//!
//! If a rule's verdict has guards, the commit has to be a conflict, and the request is decided by the new state. If
//! it has none, the commit has to succeed, for the reason that the rule gives. A new rule without races does not
//! compile, nor does a new reason to refuse a share at once.

use std::future::Future;

use imageshare::App;
use imageshare::domain::{
    Bypass, Clock, Denied, Details, Image, ImageId, Limits, NotShared, Outcome, PermissionChange, Policy,
    Protection, Rule, ShareRequestError, Status, Task, VaultDetails, VaultStatus, Visibility,
};
use imageshare::store::Store;
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, DryRun, NewImage, UseCaseError};
use imageshare_tests::local_service::{LocalService, caller, job_at, tenant};
use imageshare_tests::racing_table::{Race, Raced, RacingTable};

use super::FULL_ECS;

const ENCRYPTED: [(&str, &str); 1] = [("__system__cmkid", "key")];

/// A service whose transactions can be raced.
struct World {
    local: LocalService,
    race: Race,
    /// The same service without the race.
    direct: App,
}

impl World {
    fn start(limits: Limits) -> Self {
        let race = Race::default();
        let local = LocalService::start_with_table(limits, |lane| RacingTable::new(lane, race.clone()));
        let store = Store::new(local.table.clone(), Clock::for_server());
        let direct = App { store, ..local.service.clone() };
        Self { local, race, direct }
    }

    async fn image(&self, properties: &[(&str, &str)]) -> ImageId {
        self.local.create_image_with("owner", properties).await
    }

    /// Makes a request, with an action just before its first transaction. Returns the results of that transaction and
    /// of the request.
    async fn race<T>(
        &self,
        meanwhile: impl Future<Output = ()> + Send + 'static,
        request: impl Future<Output = T>,
    ) -> (Raced, T) {
        self.race.arm(meanwhile);
        let result = request.await;
        (self.race.result().expect("a transaction"), result)
    }

    async fn share(&self, image: &ImageId, recipient: &str) -> Result<Outcome, UseCaseError> {
        share(&self.local.service, image, recipient).await
    }

    async fn respond(
        &self,
        image: &ImageId,
        recipient: &str,
        vault: Option<&str>,
    ) -> Result<Outcome, UseCaseError> {
        accept(&self.local.service, image, recipient, vault).await
    }

    async fn status(&self, image: &ImageId, recipient: &str) -> Option<Status> {
        let (_, member) = self.direct.store.image_and_member(image, &tenant(recipient)).await.unwrap();
        member.map(|member| member.status)
    }
}

async fn outcome(app: &App, job: imageshare::domain::JobId) -> Outcome {
    let report = app.store.report(job).await.unwrap().unwrap().bypass(Bypass::Test);
    let outcomes: Vec<_> = report.outcomes().map(|(_, _, outcome)| outcome).collect();
    assert_eq!(outcomes.len(), 1, "executed at once");
    outcomes[0]
}

async fn share(app: &App, image: &ImageId, recipient: &str) -> Result<Outcome, UseCaseError> {
    let recipients = vec![tenant(recipient)];
    let job = usecases::share(app, &caller("owner"), vec![image.clone()], recipients, None).await?;
    Ok(outcome(app, job).await)
}

async fn unshare(app: &App, image: &ImageId, recipient: &str) {
    let recipients = vec![tenant(recipient)];
    let job = usecases::unshare(app, &caller("owner"), vec![image.clone()], recipients, None).await.unwrap();
    assert_eq!(outcome(app, job).await, Outcome::Done);
}

async fn accept(
    app: &App,
    image: &ImageId,
    recipient: &str,
    vault: Option<&str>,
) -> Result<Outcome, UseCaseError> {
    let decision = (Status::Accepted, vault.map(|id| id.parse().unwrap()));
    let (by, images) = (caller(recipient), vec![image.clone()]);
    let job = usecases::respond(app, &by, tenant(recipient), images, decision, None).await?;
    Ok(outcome(app, job).await)
}

/// Shares an image without the recipient's consent.
async fn share_auto_accepted(app: &App, image: &ImageId, recipient: &str) -> Result<(), UseCaseError> {
    let add = PermissionChange::new([tenant(recipient)].into(), [].into()).unwrap();
    usecases::change_permissions(app, &caller("owner"), image, &add, DryRun::Off).await
}

async fn set_properties(app: &App, image: &ImageId, properties: &[(&str, &str)]) {
    let change = |image: &mut Image| -> Result<(), UseCaseError> {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        image.details.properties.extend(properties);
        Ok(())
    };
    usecases::update_image(app, &caller("owner"), image, change).await.unwrap();
}

async fn grant_key(app: &App) {
    usecases::grant_key(app, &caller("owner"), "key".parse().unwrap(), tenant("a")).await.unwrap();
}

async fn revoke_key_grant(app: &App) {
    usecases::revoke_key_grant(app, &caller("owner"), "key".parse().unwrap(), tenant("a"), 1).await.unwrap();
}

async fn put_vault(app: &App, status: VaultStatus, capacity_gib: u32) {
    let details = VaultDetails { protection: Protection::Backup, status, capacity_gib };
    usecases::put_vault(app, &caller("a"), "v".parse().unwrap(), &details).await.unwrap();
}

async fn set_visibility(app: &App, image: &ImageId, visibility: Visibility) {
    let change = |image: &mut Image| -> Result<(), UseCaseError> {
        image.visibility = visibility;
        Ok(())
    };
    usecases::update_image(app, &caller("owner"), image, change).await.unwrap();
}

async fn put_region(table: &impl Table, region: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = [("pk".to_owned(), text("T#a")), ("sk".to_owned(), text("A"))].into();
    let write = Write::update(key, "SET account = :account, #region = :region")
        .name("#region", "region")
        .value(":account", text("a"))
        .value(":region", text(region));
    table.write_item(&write).await.unwrap();
}

#[tokio::test]
async fn every_rule_holds_through_a_race() {
    for rule in Rule::ALL {
        match rule {
            Rule::ImageExists => image_exists().await,
            Rule::Shareable => shareable().await,
            Rule::AutoAccept => auto_accept().await,
            Rule::MemberLimit => member_limit().await,
            Rule::KeyGrant => key_grant().await,
            Rule::Region => region().await,
            Rule::PendingLimit => pending_limit().await,
            Rule::ActiveMember => active_member().await,
            Rule::Vault => vault().await,
            Rule::NotHidden => not_hidden().await,
            Rule::OwnerPolicy => owner_policy().await,
        }
    }
}

async fn image_exists() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let deleted = image.clone();
    let delete = async move { usecases::delete_image(&direct, &caller("owner"), &deleted).await.unwrap() };
    let (commit, result) = world.race(delete, world.share(&image, "a")).await;
    assert_eq!((commit, result.is_err()), (Raced::Conflict, true));
    assert_eq!(world.status(&image, "a").await, None);

    // A decision needs no guard: the deletion's own job ends the membership.
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    world.share(&image, "a").await.unwrap();
    let deleted = image.clone();
    let delete = async move { usecases::delete_image(&direct, &caller("owner"), &deleted).await.unwrap() };
    let (commit, outcome) = world.race(delete, world.respond(&image, "a", None)).await;
    assert_eq!((commit, outcome), (Raced::Committed, Ok(Outcome::Done)));
    world.local.run_open_work().await;
    assert_eq!(world.status(&image, "a").await, None);
}

async fn shareable() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let hidden = image.clone();
    let hide = async move { set_visibility(&direct, &hidden, Visibility::Private).await };
    let (commit, result) = world.race(hide, world.share(&image, "a")).await;
    assert_eq!((commit, result.is_err()), (Raced::Conflict, true));
    assert_eq!(world.status(&image, "a").await, None);
}

async fn auto_accept() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let changed = image.clone();
    let make_full_ecs = async move { set_properties(&direct, &changed, &FULL_ECS).await };
    let request = share_auto_accepted(&world.local.service, &image, "a");
    let (commit, result) = world.race(make_full_ecs, request).await;
    assert_eq!((commit, result.is_err()), (Raced::Conflict, true));
    assert_eq!(world.status(&image, "a").await, None);
}

async fn member_limit() {
    let world = World::start(Limits { members_per_image: 1, ..Limits::default() });
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let filled = image.clone();
    let fill = async move { assert_eq!(share(&direct, &filled, "b").await, Ok(Outcome::Done)) };
    let (commit, outcome) = world.race(fill, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::MemberLimit)));

    // When the plan is committed, the image is full because of the recipient itself.
    let (direct, filled) = (world.direct.clone(), image.clone());
    let replace = async move {
        unshare(&direct, &filled, "b").await;
        share(&direct, &filled, "a").await.unwrap();
    };
    let (commit, outcome) = world.race(replace, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));
}

async fn key_grant() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&ENCRYPTED).await, world.direct.clone());
    grant_key(&world.direct).await;
    let (commit, outcome) =
        world.race(async move { revoke_key_grant(&direct).await }, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::KeyNotGranted)));

    // When the plan is committed, the recipient is a member, without a key grant.
    let (direct, shared) = (world.direct.clone(), image.clone());
    let share_meanwhile = async move {
        grant_key(&direct).await;
        share(&direct, &shared, "a").await.unwrap();
        revoke_key_grant(&direct).await;
    };
    let (commit, outcome) = world.race(share_meanwhile, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));
}

async fn region() {
    let world = World::start(Limits::default());
    let image = world.image(&[]).await;
    let table = world.local.table.clone();
    let move_away = async move { put_region(&table, "elsewhere").await };
    // A recipient that changes its region just after the commit keeps the image, too.
    let (commit, outcome) = world.race(move_away, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Committed, Ok(Outcome::Done)));
    assert_eq!(world.status(&image, "a").await, Some(Status::Pending));

    // When the plan is committed, the recipient is a member in another region.
    let image = world.image(&[]).await;
    let (table, direct, shared) = (world.local.table.clone(), world.direct.clone(), image.clone());
    let share_meanwhile = async move {
        put_region(&table, "local").await;
        share(&direct, &shared, "a").await.unwrap();
        put_region(&table, "elsewhere").await;
    };
    let (commit, outcome) = world.race(share_meanwhile, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));
}

async fn pending_limit() {
    let world = World::start(Limits { pending_per_tenant: 1, ..Limits::default() });
    let (image, other, direct) = (world.image(&[]).await, world.image(&[]).await, world.direct.clone());
    let fill = async move { assert_eq!(share(&direct, &other, "a").await, Ok(Outcome::Done)) };
    // Approximate by design (decision 12).
    let (commit, outcome) = world.race(fill, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Committed, Ok(Outcome::Done)));
}

async fn active_member() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    world.share(&image, "a").await.unwrap();
    let shared = image.clone();
    let withdraw = async move { unshare(&direct, &shared, "a").await };
    let (commit, outcome) = world.race(withdraw, world.respond(&image, "a", None)).await;
    assert_eq!(commit, Raced::Conflict);
    assert_ne!(outcome, Ok(Outcome::Done));
    assert_eq!(world.status(&image, "a").await, None);

    // When the plan is committed, the recipient is a member.
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let shared = image.clone();
    let share_meanwhile = async move { assert_eq!(share(&direct, &shared, "b").await, Ok(Outcome::Done)) };
    let (commit, outcome) = world.race(share_meanwhile, world.respond(&image, "b", None)).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));
    assert_eq!(world.status(&image, "b").await, Some(Status::Accepted));
}

async fn vault() {
    let world = World::start(Limits::default());
    put_vault(&world.direct, VaultStatus::Available, 100).await;
    let (image, other) = (world.image(&FULL_ECS).await, world.image(&FULL_ECS).await);
    for image in [&image, &other] {
        world.share(image, "a").await.unwrap();
    }
    let direct = world.direct.clone();
    let fill = async move { assert_eq!(accept(&direct, &other, "a", Some("v")).await, Ok(Outcome::Done)) };
    let (commit, outcome) = world.race(fill, world.respond(&image, "a", Some("v"))).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::VaultFull)));

    // Before the plan is committed, its owner enlarges the vault and accepts the very image.
    let (direct, accepted) = (world.direct.clone(), image.clone());
    let accept_meanwhile = async move {
        put_vault(&direct, VaultStatus::Available, 200).await;
        assert_eq!(accept(&direct, &accepted, "a", Some("v")).await, Ok(Outcome::Done));
        put_vault(&direct, VaultStatus::Frozen, 200).await;
    };
    let (commit, outcome) = world.race(accept_meanwhile, world.respond(&image, "a", Some("v"))).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));

    // The vault cannot be used any more when the plan is committed.
    let another = world.image(&FULL_ECS).await;
    world.share(&another, "a").await.unwrap();
    put_vault(&world.direct, VaultStatus::Available, 200).await;
    let direct = world.direct.clone();
    let freeze = async move { put_vault(&direct, VaultStatus::Frozen, 200).await };
    let (commit, outcome) = world.race(freeze, world.respond(&another, "a", Some("v"))).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::VaultUnavailable)));
}

async fn not_hidden() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    world.share(&image, "a").await.unwrap();
    let hidden = image.clone();
    let hide = async move { set_visibility(&direct, &hidden, Visibility::Private).await };
    // An image that is hidden just after the commit stays accepted, too.
    let (commit, outcome) = world.race(hide, world.respond(&image, "a", None)).await;
    assert_eq!((commit, outcome), (Raced::Committed, Ok(Outcome::Done)));

    // The image is not hidden any more when the plan is committed: at its snapshot it was.
    let (direct, shown) = (world.direct.clone(), image.clone());
    let show = async move { set_visibility(&direct, &shown, Visibility::Shared).await };
    let (commit, outcome) = world.race(show, world.respond(&image, "a", None)).await;
    assert_eq!((commit, outcome), (Raced::Committed, Ok(Outcome::NotAMember)));
}

async fn owner_policy() {
    let world = World::start(Limits::default());
    let image = async || world.image(&[]).await;
    let set = async |policy: Option<Policy>| set_policy(&world.direct, policy).await;
    let later = |policy: Option<Policy>| {
        let direct = world.direct.clone();
        async move { set_policy(&direct, policy).await }
    };
    let trusted = || Some(Policy::Trusted { vault: None });

    // Nothing is accepted by a policy that its recipient has withdrawn, or has turned into its opposite.
    for (meanwhile, outcome, status) in
        [(None, Outcome::Done, Some(Status::Pending)), (Some(Policy::Blocked), Outcome::OwnerBlocked, None)]
    {
        let image = image().await;
        set(trusted()).await;
        let (commit, result) = world.race(later(meanwhile), world.share(&image, "a")).await;
        assert_eq!((commit, result), (Raced::Conflict, Ok(outcome)));
        assert_eq!(world.status(&image, "a").await, status);
    }

    // A policy that is set just after the commit leaves the membership, too.
    for (meanwhile, before) in [(Some(Policy::Blocked), None), (trusted(), None), (trusted(), Some("other"))]
    {
        let image = image().await;
        set(None).await;
        if let Some(owner) = before {
            let by = caller("a");
            usecases::put_owner_policy(&world.direct, &by, tenant(owner), Policy::Blocked).await.unwrap();
        }
        let (commit, result) = world.race(later(meanwhile), world.share(&image, "a")).await;
        assert_eq!((commit, result), (Raced::Committed, Ok(Outcome::Done)));
        assert_eq!(world.status(&image, "a").await, Some(Status::Pending));
    }

    // When the plan is committed, the recipient is a member, although the owner is blocked.
    let image = image().await;
    set(Some(Policy::Blocked)).await;
    let (direct, shared) = (world.direct.clone(), image.clone());
    let share_meanwhile = async move {
        set_policy(&direct, None).await;
        share(&direct, &shared, "a").await.unwrap();
        set_policy(&direct, Some(Policy::Blocked)).await;
    };
    let (commit, outcome) = world.race(share_meanwhile, world.share(&image, "a")).await;
    assert_eq!((commit, outcome), (Raced::Conflict, Ok(Outcome::Done)));
    assert_eq!(world.status(&image, "a").await, Some(Status::Pending));
}

/// Sets or removes the policy of `a` on the owner.
async fn set_policy(app: &App, policy: Option<Policy>) {
    let (by, owner) = (caller("a"), tenant("owner"));
    match policy {
        Some(policy) => drop(usecases::put_owner_policy(app, &by, owner, policy).await.unwrap()),
        None => usecases::delete_owner_policy(app, &by, owner).await.unwrap(),
    }
}

#[tokio::test]
async fn share_refused_at_once_is_also_refused_after_a_race() {
    let image: ImageId = "image".parse().unwrap();
    let not_shared = NotShared { image: image.clone(), visibility: Visibility::Private };
    for refusal in [
        ShareRequestError::NotShared(not_shared),
        ShareRequestError::Encrypted(image),
        ShareRequestError::SelfShare(tenant("owner")),
    ] {
        match refusal {
            ShareRequestError::NotShared(_) => not_shared_request().await,
            ShareRequestError::Encrypted(_) => encrypted_request().await,
            ShareRequestError::SelfShare(_) => self_share_request().await,
        }
    }
}

async fn not_shared_request() {
    let world = World::start(Limits::default());
    let refusal = |image: &ImageId| {
        let problem = NotShared { image: image.clone(), visibility: Visibility::Private };
        UseCaseError::from(ShareRequestError::NotShared(problem))
    };
    for is_auto_accepted in [false, true] {
        let (image, direct) = (world.image(&[]).await, world.direct.clone());
        let hidden = image.clone();
        let hide = async move { set_visibility(&direct, &hidden, Visibility::Private).await };
        let (commit, result) = if is_auto_accepted {
            world.race(hide, share_auto_accepted(&world.local.service, &image, "a")).await
        } else {
            let (commit, result) = world.race(hide, world.share(&image, "a")).await;
            (commit, result.map(drop))
        };
        assert_eq!((commit, result), (Raced::Conflict, Err(refusal(&image))));
        assert_eq!(world.status(&image, "a").await, None);
    }

    // A queued share is accepted before the image changes, and checked again when it is executed.
    let image = world.image(&[]).await;
    let stamp = world.direct.clock().stamp();
    let job = job_at(stamp, "owner", Task::Share, vec![image.clone()], vec![tenant("a")]);
    world.local.queue_job(&job).await;
    set_visibility(&world.direct, &image, Visibility::Private).await;
    world.local.run_open_work().await;
    assert_eq!(outcome(&world.direct, job.id).await, Outcome::NotShareable);
    assert_eq!(world.status(&image, "a").await, None);
}

/// Only an auto-accepted share is refused because the image is encrypted, and that is never queued.
async fn encrypted_request() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let changed = image.clone();
    let encrypt = async move { set_properties(&direct, &changed, &ENCRYPTED).await };
    let request = share_auto_accepted(&world.local.service, &image, "a");
    let (commit, result) = world.race(encrypt, request).await;
    let refusal = ShareRequestError::Encrypted(image.clone());
    assert_eq!((commit, result), (Raced::Conflict, Err(refusal.into())));
    assert_eq!(world.status(&image, "a").await, None);
}

/// An image cannot get another owner, not even by another registration of its id. So the check needs no repetition.
async fn self_share_request() {
    let world = World::start(Limits::default());
    let (image, direct) = (world.image(&[]).await, world.direct.clone());
    let taken = image.clone();
    let take_over = async move {
        usecases::delete_image(&direct, &caller("owner"), &taken).await.unwrap();
        let (id, details) = (Some(taken.clone()), Details::default());
        let new = NewImage { id, owner: None, visibility: Visibility::Shared, details };
        let registered = usecases::register_image(&direct, &caller("a"), new, None).await;
        assert_eq!(registered, Err(UseCaseError::IdTaken(taken)));
    };
    let (commit, result) = world.race(take_over, world.share(&image, "a")).await;
    let refusal = Denied::ImageNotFound(image.clone());
    assert_eq!((commit, result), (Raced::Conflict, Err(refusal.into())));
}
