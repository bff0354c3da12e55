//! The use cases over an embedded table, without functions around them: for tests of what is written and what it costs.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use imageshare::domain::{
    Caller, Details, Image, ImageId, JobId, Limits, Report, Role, TenantId, Visibility,
};
use imageshare::store::{OPEN_SHARDS, PieceKey, Store};
use imageshare::usecases::{NewImage, carry_out, register_image};
use imageshare::{Service, Settings};
use imageshare_local::table::{EmbeddedTable, Lane};

use crate::world::TABLE;

/// A service over a table of its own, in memory.
pub struct LocalService {
    /// The service.
    pub service: Service,
    /// Its table, for looking behind the service's back.
    pub client: Client,
}

impl LocalService {
    /// A service over an empty table.
    pub async fn start(limits: Limits) -> Self {
        let client = EmbeddedTable::open(None).expect("a database in memory").client(Lane::Request);
        let store = Store::new(client.clone(), TABLE);
        store.create_table().await.expect("a new table");
        let settings = Arc::new(Settings { region: "local".to_owned(), public_url: None, limits });
        Self { service: Service { store, settings }, client }
    }

    /// Registers an image that can be shared.
    pub async fn image(&self, owner: &str) -> ImageId {
        let new =
            NewImage { id: None, owner: None, visibility: Visibility::Shared, details: Details::default() };
        register_image(&self.service, &caller(owner), new).await.expect("an image").id
    }

    /// The pieces that are open, in the order of their requests.
    pub async fn open_pieces(&self) -> Vec<PieceKey> {
        let mut pieces = Vec::new();
        for shard in 0..OPEN_SHARDS {
            pieces.extend(self.service.store.open_pieces(shard, None, 1000).await.expect("the index"));
        }
        pieces.sort();
        pieces
    }

    /// Carries out everything that is open.
    pub async fn work(&self) {
        for key in self.open_pieces().await {
            carry_out(&self.service, key).await.expect("a piece carried out");
        }
    }

    /// A job and its pieces.
    pub async fn report(&self, id: JobId) -> Report {
        self.service.store.report(id).await.expect("the table").expect("the job")
    }

    /// An image as the table has it.
    pub async fn read_image(&self, id: &ImageId) -> Image {
        self.service.store.image(id).await.expect("the table").expect("the image")
    }
}

/// A caller who acts for that project.
pub fn caller(project: &str) -> Caller {
    Caller { tenant: tenant(project), account: None, user: None, role: Role::Member }
}

/// A tenant's id.
pub fn tenant(id: &str) -> TenantId {
    id.parse().expect("an id")
}
