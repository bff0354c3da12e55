//! Every rule in a race: what a plan was made from changes between its snapshot and its commit.
//!
//! If a rule's verdict has guards, the commit has to be a conflict, and the request is decided by the new state. If
//! it has none, the commit has to succeed, for the reason that the rule gives. A new rule without races does not
//! compile.

use std::future::Future;

use imageshare::App;
use imageshare::domain::{
    Bypass, Clock, ImageId, Limits, Outcome, PermissionChange, Protection, Rule, Status, VaultDetails,
    VaultStatus, Visibility,
};
use imageshare::store::Store;
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{self, DryRun, UseCaseError};
use imageshare_tests::local_service::{LocalService, caller, tenant};
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
    let change = |image: &mut imageshare::domain::Image| -> Result<(), UseCaseError> {
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
    let make_full_ecs = async move {
        let change = |image: &mut imageshare::domain::Image| -> Result<(), UseCaseError> {
            let properties = FULL_ECS.map(|(name, value)| (name.to_owned(), value.to_owned()));
            image.details.properties.extend(properties);
            Ok(())
        };
        usecases::update_image(&direct, &caller("owner"), &changed, change).await.unwrap();
    };
    let add = PermissionChange::new([tenant("a")].into(), [].into()).unwrap();
    let owner = caller("owner");
    let request = usecases::change_permissions(&world.local.service, &owner, &image, &add, DryRun::Off);
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
