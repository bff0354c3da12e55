//! A tenant that owns 12,000 images, one that has received all of them, and functions whose calls to the table are counted.

use std::sync::LazyLock;

use imageshare::Service;
use imageshare::domain::{Details, Image, ImageId, Limits, Status, Timestamp, Visibility};
use imageshare::function::Function;
use imageshare::store::{Created, Store};
use imageshare::usecases::{self, Refusal};
use imageshare_tests::counted_table::CountedTable;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{Answer, send};
use imageshare_tests::service::{LocalService, caller, tenant};
use imageshare_tests::world::{World as Tokens, authenticator};
use serde_json::Value;
use tokio::sync::OnceCell;

/// How many images `own` has, where the environment names no other number (`LONG_LIST_IMAGES`, no multiple of 7).
const IMAGES: usize = 12_000;

/// How many images `own` has.
pub fn image_count() -> usize {
    static COUNT: LazyLock<usize> = LazyLock::new(|| {
        std::env::var("LONG_LIST_IMAGES").map_or(IMAGES, |count| count.parse().expect("a number"))
    });
    *COUNT
}

/// The number in the name of an image of `own`, whose order is another than that of registration.
pub fn name_number(number: usize) -> usize {
    number * 7 % image_count()
}

/// Every so manieth image was renamed and tagged since.
pub const RENAMED: usize = 600;

pub struct World {
    pub local: LocalService,
}

/// The world of those tests that change nothing.
pub async fn many() -> &'static World {
    static MANY: OnceCell<World> = OnceCell::const_new();
    MANY.get_or_init(World::with_many).await
}

/// The id of an image of `own`; a later one was registered later.
pub fn id(number: usize) -> ImageId {
    format!("i-{number:07}").parse().unwrap()
}

impl World {
    pub fn start() -> Self {
        let limits =
            Limits { pending_per_tenant: u32::MAX, pending_per_owner: u32::MAX, ..Limits::default() };
        Self { local: LocalService::start(limits) }
    }

    async fn with_many() -> Self {
        let world = Self::start();
        for number in 0..image_count() {
            let tags = if number == 7 { vec!["hay", "needle"] } else { vec!["hay"] };
            let name = format!("image-{:07}", name_number(number));
            world.put("own", id(number).as_str(), &name, &tags, 10 + number).await;
        }
        world.put("other", "o-1", "other", &["needle"], 1).await;
        world.put("other", "o-2", "waiting", &["needle"], 2).await;
        world.put("other", "o-3", "image-0000007", &["public"], 3).await;
        let ids: Vec<_> = (0..image_count()).map(id).collect();
        for images in ids.chunks(100) {
            world.share("own", images).await;
        }
        world.share("other", &["o-1".parse().unwrap()]).await;
        world.local.work().await;
        let (me, all) = (caller("me"), (Status::Accepted, None));
        usecases::respond_to_all(&world.local.service, &me, me.tenant.clone(), all, None).await.unwrap();
        world.local.work().await;
        world.share("other", &["o-2".parse().unwrap()]).await;
        for number in (0..image_count()).step_by(RENAMED) {
            world
                .change("own", &id(number), |image| {
                    image.details.name = Some(format!("renamed-{number:07}"));
                    image.details.tags.insert("renamed".to_owned());
                })
                .await;
        }
        let admin = imageshare::domain::Caller { role: imageshare::domain::Role::Admin, ..caller("other") };
        let publish = |image: &mut Image| {
            image.visibility = Visibility::Public;
            Ok::<_, Refusal>(())
        };
        usecases::update_image(&world.local.service, &admin, &"o-3".parse().unwrap(), publish).await.unwrap();
        world.local.work().await;
        world
    }

    /// Registers an image past all limits, `age` milliseconds after the first moment of these tests.
    pub async fn put(&self, owner: &str, id: &str, name: &str, tags: &[&str], age: usize) {
        let created = Timestamp::from_unix_millis(1_700_000_000_000 + i64::try_from(age).unwrap());
        let image = Image {
            id: id.parse().unwrap(),
            owner: tenant(owner),
            visibility: Visibility::Shared,
            details: Details {
                name: Some(name.to_owned()),
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                disk_format: (age <= 10).then(|| "raw".to_owned()),
                ..Details::default()
            },
            created,
            updated: created,
            revision: 1,
        };
        assert_eq!(self.local.service.store.create_image(&image, u32::MAX, None).await, Ok(Created::Yes));
    }

    /// Shares images with `me`.
    pub async fn share(&self, owner: &str, images: &[ImageId]) {
        let with = vec![tenant("me")];
        usecases::share(&self.local.service, &caller(owner), images.to_vec(), with, None).await.unwrap();
        self.local.work().await;
    }

    pub async fn answer(&self, images: &[ImageId], status: Status) {
        let (me, images) = (caller("me"), images.to_vec());
        let to = me.tenant.clone();
        usecases::respond(&self.local.service, &me, to, images, (status, None), None).await.unwrap();
        self.local.work().await;
    }

    /// Changes an image; what that makes of the lists of its members is left to a worker.
    pub async fn change(&self, owner: &str, image: &ImageId, change: impl Fn(&mut Image)) {
        let change = |image: &mut Image| {
            change(image);
            Ok::<_, Refusal>(())
        };
        usecases::update_image(&self.local.service, &caller(owner), image, change).await.unwrap();
    }

    /// Asks as a project. Returns the answer, and how many calls and read units it took.
    pub async fn get(&self, project: &str, target: &str) -> (Answer, (u64, u64)) {
        let path = target.split('?').next().unwrap_or_default();
        let event = HttpEvent::new(&format!("GET {path}"), target).token(&Tokens::token(project, "member"));
        let (table, calls) = CountedTable::new(self.local.table.clone());
        let service = Service {
            store: Store::new(table, self.local.service.clock().clone()),
            ..self.local.service.clone()
        };
        let function = Function::new(service, authenticator());
        let answer = send(&function, &event, None).await;
        (answer, calls.counted())
    }

    /// The ids of the images of a list, in their order.
    pub async fn ids(&self, project: &str, target: &str) -> String {
        let (answer, _) = self.get(project, target).await;
        assert_eq!(answer.status, 200, "{target} {answer:?}");
        ids(&answer.body).join(" ")
    }
}

/// The ids of the images of a page of any facade.
pub fn ids(page: &Value) -> Vec<String> {
    let images = page.get("images").or(page.get("Images")).unwrap().as_array().unwrap();
    let id = |image: &Value| image.get("id").or(image.get("ImageId")).unwrap().as_str().unwrap().to_owned();
    images.iter().map(id).collect()
}
