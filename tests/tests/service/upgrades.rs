//! During an upgrade, older and newer functions work over one table: an older one has to read, change and finish what a newer one has
//! written with attributes that it does not know.

use dynoxide::types::AttributeValue as Stored;
use imageshare::domain::{ImageId, JobId, JobStatus, Limits, Status, Task};
use imageshare::table::{AttributeValue, Table, Write};
use imageshare::usecases::{JobQuery, list_jobs};
use imageshare_local::effects::{next_batch, remove};
use imageshare_tests::local_service::{LocalService, all_items, caller, job_at, tenant};
use serde_json::{Map, Value};

/// The name that no function knows.
const LATER: &str = "later";

/// Adds a member to a JSON object, below the name of a variant if it is one.
fn with_later_member(mut object: Map<String, Value>) -> Map<String, Value> {
    let is_variant = object.len() == 1 && object.keys().all(|name| name.starts_with(char::is_uppercase));
    if !is_variant {
        object.insert(LATER.to_owned(), 1.into());
        return object;
    }
    let below = |value| match value {
        Value::Object(object) => Value::Object(with_later_member(object)),
        other => other,
    };
    object.into_iter().map(|(name, value)| (name, below(value))).collect()
}

/// Writes an attribute that no function knows into every item of the table, and a member that none knows into each of
/// its JSON attributes. Returns the number of these members.
async fn add_what_no_function_knows(world: &LocalService) -> usize {
    let mut members = 0;
    for item in all_items(&world.embedded) {
        let text = |name: &str| match &item[name] {
            Stored::S(text) => AttributeValue::S(text.clone()),
            other => panic!("a key that is no text: {other:?}"),
        };
        let key = ["pk", "sk"].map(|name| (name.to_owned(), text(name))).into();
        let mut item = world.table.get_item(&key).await.unwrap().items.remove(0);
        for value in item.values_mut() {
            let json = value.as_s().ok().and_then(|text| serde_json::from_str(text).ok());
            if let Some(Value::Object(object)) = json {
                *value = AttributeValue::S(Value::Object(with_later_member(object)).to_string());
                members += 1;
            }
        }
        item.insert(LATER.to_owned(), AttributeValue::N("1".to_owned()));
        world.table.write_item(&Write::put(item)).await.unwrap();
    }
    members
}

/// Queues a job, changes every item as a later version might have written it, and has the job done.
async fn run_job(world: &LocalService, creator: &str, task: Task, image: &ImageId) -> JobId {
    let (images, tenants) = (vec![image.clone()], vec![tenant("guest")]);
    let job = job_at(world.service.clock().stamp(), creator, task, images, tenants);
    world.queue_job(&job).await;
    assert!(add_what_no_function_knows(world).await >= 3, "the job, the image and its record");
    world.run_open_work().await;
    job.id
}

#[tokio::test]
async fn items_with_more_than_is_known_are_read() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let accept = Task::Respond { status: Status::Accepted, vault: None };
    for (creator, task, members) in
        [("owner", Task::Share, 1), ("guest", accept, 1), ("owner", Task::Unshare, 0)]
    {
        let job = run_job(&world, creator, task, &image).await;
        assert_eq!(world.job_report(job).await.status(), JobStatus::Success);
        assert_eq!(world.member_count(&image).await, members);
    }
    add_what_no_function_knows(&world).await;
    assert_eq!(world.read_image(&image).await.id, image);
}

/// A work item of an older function has no transitions, and one that it has continued has only some.
#[tokio::test]
async fn work_items_without_transitions_are_read_and_continued() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let tenants: Vec<_> = (0..120).map(|number| tenant(&format!("p{number:03}"))).collect();
    let job = job_at(world.service.clock().stamp(), "owner", Task::Share, vec![image], tenants);
    world.queue_job(&job).await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let key = world.open_work_items().await[0].primary_key();
    let number = |number: u32| AttributeValue::N(number.to_string());
    let continued = Write::update(key, "SET outcomes = :outcomes, done = :done")
        .value(":outcomes", text(&".".repeat(10)))
        .value(":done", number(10));
    world.table.write_item(&continued).await.unwrap();
    world.run_open_work().await;
    let report = world.job_report(job.id).await;
    let known: Vec<_> = report.results().map(|result| result.transition.is_some()).collect();
    assert_eq!((report.status(), known), (JobStatus::Success, [vec![false; 10], vec![true; 110]].concat()));
}

/// A job of a release before the list of jobs has no entry. It is found by its id, and listed is what came after it.
#[tokio::test]
async fn job_without_an_entry_is_found_by_its_id_only() {
    let world = LocalService::start(Limits::default());
    let image = world.create_image("owner").await;
    let earlier = run_job(&world, "owner", Task::Share, &image).await;
    // An older function has handled these changes, and written no entry.
    while let Some(batch) = next_batch(&world.embedded, "local").await.unwrap() {
        remove(&world.embedded, &batch).await.unwrap();
    }
    let later = run_job(&world, "owner", Task::Unshare, &image).await;
    world.carry_out_effects().await;
    add_what_no_function_knows(&world).await;
    let owner = caller("owner");
    let query = JobQuery::all(owner.tenant.clone());
    let page = list_jobs(&world.service, &owner, &query, None, 10).await.unwrap();
    assert_eq!(page.items.iter().map(|report| report.job.id).collect::<Vec<_>>(), [later]);
    assert_eq!(world.job_report(earlier).await.status(), JobStatus::Success);
}
