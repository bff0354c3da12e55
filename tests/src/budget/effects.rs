//! What follows from a change of a membership: the messages of a share and of a decision.

use imageshare::domain::{Limits, Status};
use imageshare::usecases;

use super::{Measurement, measurement, metered_service, typical_image};
use crate::local_service::{LocalService, caller, tenant};

/// Shares of one image, and a decision on one; neither side has share rules.
pub(super) async fn effects_calls() -> Vec<Measurement> {
    let (world, mut rows) = (LocalService::start(Limits::default()), Vec::new());
    for (call, recipients) in
        [("what follows from a share with 1 project", 1), ("what follows from a share with 5 projects", 5)]
    {
        let image = typical_image(&world, "owner").await;
        world.carry_out_effects().await;
        let tenants: Vec<_> = (0..recipients).map(|number| tenant(&format!("{number:032x}"))).collect();
        usecases::share(&world.service, &caller("owner"), vec![image], tenants, None).await.expect("a job");
        rows.push(carry_out(&world, call).await);
    }
    let (image, recipient) = (typical_image(&world, "owner").await, caller("mem1"));
    let one = vec![image];
    usecases::share(&world.service, &caller("owner"), one.clone(), vec![recipient.tenant.clone()], None)
        .await
        .expect("a job");
    world.carry_out_effects().await;
    let accepted = (Status::Accepted, None);
    usecases::respond(&world.service, &recipient, recipient.tenant.clone(), one, accepted, None)
        .await
        .expect("a job");
    rows.push(carry_out(&world, "what follows from accepting 1 image").await);
    rows
}

/// Carries out what follows from the changes so far, all in one batch.
async fn carry_out(world: &LocalService, call: &'static str) -> Measurement {
    let service = metered_service(world);
    let event = world.changes().await.event().expect("changes of interest").clone();
    let changes = effects::read_changes(event).expect("an event of the stream");
    let events = usecases::derive_events(&service, &changes).await.expect("events");
    usecases::deliver_messages(&service, &events).await.expect("written");
    usecases::list_accepted_jobs(&service, &changes).await.expect("listed");
    for change in &changes {
        usecases::apply_share_rules(&service, change).await.expect("applied");
    }
    let used = measurement(call, &service);
    world.carry_out_effects().await;
    used
}
