//! What the pages of the console cost a visitor who has signed in with a token. An access key costs one read more, once in a
//! while.

use imageshare::domain::Limits;
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use imageshare::usecases;

use super::{Measurement, typical_image};
use crate::counting_table::CountingTable;
use crate::deployment::{Deployment, authenticator};
use crate::events::HttpEvent;
use crate::in_process::send_event;
use crate::local_service::{LocalService, caller, tenant};
use crate::priced_table::PricedTable;

/// The rows of a page of a list.
const ROWS: usize = 25;

/// Opens pages with 25 rows, each in a function that starts.
pub(super) async fn measure() -> Vec<Measurement> {
    let world = LocalService::start(Limits::default());
    let mut images = Vec::new();
    for _ in 0..=ROWS {
        images.push(typical_image(&world, "owner").await);
    }
    let recipients: Vec<_> = (0..ROWS).map(|number| tenant(&format!("{number:032x}"))).collect();
    let recipient = recipients.first().expect("a recipient").to_string();
    usecases::share(&world.service, &caller("owner"), images.clone(), recipients, None).await.expect("a job");
    world.run_open_work().await;
    let image = images.first().expect("an image");
    let pages = [
        ("console: page of 25 own images", "owner", "images".to_owned()),
        ("console: page of an image with 25 members", "owner", format!("images/{image}")),
        ("console: Share Image, for 1 image", "owner", format!("share-images?image={image}")),
        ("console: page of 25 pending images", recipient.as_str(), "shared".to_owned()),
    ];
    let mut rows = Vec::new();
    for (call, project, page) in pages {
        rows.push(open(&world, call, project, &page).await);
    }
    rows
}

async fn open(world: &LocalService, call: &'static str, project: &str, page: &str) -> Measurement {
    let (table, counter) = CountingTable::new(PricedTable::new(world.table.clone()));
    let mut app = world.service.clone();
    app.store = Store::new(table, app.clock().clone());
    let function = HttpFunction::new(app, authenticator());
    let cookie = format!("__Host-imageshare={}", Deployment::token(project, "member"));
    let event = HttpEvent::new("GET /console/{page+}", &format!("/console/{page}")).header("cookie", &cookie);
    send_event(&function, &event, None).await.expect_status(200);
    Measurement { call, usage: counter.usage() }
}
