//! Jobs that are still open when the time of an operation has run out.

use imageshare_tests::api::Api;
use imageshare_tests::held_table::Hold;
use imageshare_tests::terraform::{Project, Release};
use serde_json::json;

use crate::world::World;

/// More pairs than a request carries out itself.
const IMAGES: usize = 4;
const PROJECTS: usize = 100;

fn share(images: &[String], projects: usize) -> String {
    let projects: Vec<String> = (0..projects).map(|number| format!("p{number}")).collect();
    format!(
        "resource \"imageshare_share\" \"s\" {{\n  image_ids   = {images:?}\n  project_ids = {projects:?}\n  timeouts = {{\n    \
         create = \"1s\"\n    update = \"1s\"\n    delete = \"1s\"\n  }}\n}}\n"
    )
}

/// A server whose workers a test holds.
async fn held_world() -> Option<(World, Hold, Vec<String>)> {
    let project = Project::new(Release::Installed).await?;
    let hold = Hold::default();
    let world = World::over(Api::start_held(&[], false, hold.clone()).await, project);
    let mut images = Vec::new();
    for number in 0..IMAGES {
        images.push(world.image(json!({"name": format!("image-{number}")})).await);
    }
    Some((world, hold, images))
}

#[tokio::test]
async fn share_whose_time_runs_out_is_kept_and_completed() {
    let Some((world, hold, images)) = held_world().await else { return };
    hold.begin();
    world.write(&share(&images, PROJECTS));
    let ended = world.project.apply().await;
    ended.expect_output(&[
        "Images are still being shared with projects",
        "not finished within the time that timeouts permits; it goes on",
    ]);
    // What is shared is in the state and nothing else; the resource is not to be replaced.
    assert!(!world.project.stored_state().contains("tainted"));
    assert_eq!(world.project.state("imageshare_share.s").await["members"], json!({}));
    // What the job has not done yet is no drift: nothing is requested twice.
    let jobs = world.job_kinds();
    world.project.expect_no_changes().await;
    world.project.apply().await;
    assert_eq!(world.job_kinds(), jobs);

    hold.end();
    world.api.wait_until_idle().await;
    world.project.apply().await;
    let members = world.project.state("imageshare_share.s").await["members"].clone();
    assert_eq!(members.as_object().map(serde_json::Map::len), Some(IMAGES * PROJECTS));
    world.project.expect_no_changes().await;
}

#[tokio::test]
async fn update_whose_time_runs_out_shows_what_is_shared() {
    let Some((world, hold, images)) = held_world().await else { return };
    world.apply(&share(&images, 1)).await;
    hold.begin();
    world.write(&share(&images, PROJECTS));
    world.project.apply().await.expect_output(&["Images are still being shared with projects"]);
    let members = world.project.state("imageshare_share.s").await["members"].clone();
    assert_eq!(members.as_object().map(serde_json::Map::len), Some(IMAGES));
    world.project.expect_no_changes().await;
    hold.end();
    world.api.wait_until_idle().await;
    world.project.expect_no_changes().await;
    assert_eq!(world.members(&images[0]).await.len(), PROJECTS);
}

#[tokio::test]
async fn destroy_whose_time_runs_out_says_what_goes_on() {
    let Some((world, hold, images)) = held_world().await else { return };
    world.write(&share(&images, PROJECTS));
    world.project.apply().await;
    world.api.wait_until_idle().await;
    hold.begin();
    world.project.destroy().await.expect_output(&[
        "Images are still being unshared from projects",
        "not finished within the time that timeouts permits; it goes on",
    ]);
    assert_eq!(world.members(&images[0]).await.len(), PROJECTS);
    hold.end();
    world.api.wait_until_idle().await;
    assert_eq!(world.members(&images[0]).await, [""; 0]);
}
