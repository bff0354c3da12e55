//! A tenant that owns 12,000 images, one that has received all of them, and functions whose calls to the table are counted.

use std::sync::LazyLock;

use imageshare::App;
use imageshare::domain::{Details, Image, ImageId, Limits, Status, Timestamp, Visibility};
use imageshare::function::HttpFunction;
use imageshare::store::{CreateOutcome, Store};
use imageshare::usecases::{self, UseCaseError};
use imageshare_tests::counting_table::{CallCounter, CountingTable};
use imageshare_tests::deployment::{Deployment as Tokens, authenticator};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, send_event};
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::visitor::Visitor;
use serde_json::Value;
use tokio::sync::OnceCell;

/// The default number of images of `own` (`LONG_LIST_IMAGES` sets another one, which must be no multiple of 7).
const DEFAULT_IMAGE_COUNT: usize = 12_000;

/// The number of images of `own`.
pub fn image_count() -> usize {
    static COUNT: LazyLock<usize> = LazyLock::new(|| {
        std::env::var("LONG_LIST_IMAGES")
            .map_or(DEFAULT_IMAGE_COUNT, |count| count.parse().expect("a number"))
    });
    *COUNT
}

/// The number in the name of an image of `own`. Names are in another order than registrations.
pub fn name_number(number: usize) -> usize {
    number * 7 % image_count()
}

/// The interval between images that were renamed and tagged after their registration.
pub const RENAME_INTERVAL: usize = 600;

pub struct World {
    pub local: LocalService,
    /// The pages of the console that were opened while every image waited for an answer, with what each cost.
    pub console: Vec<CountedPage>,
}

/// A page of the console, with the number of calls and read units.
pub type CountedPage = (ApiResponse, (u64, u64));

/// The pages that are opened while images wait.
pub const PENDING_PAGES: [&str; 2] = ["shared", "shared/accept?all=1"];

/// The fixture of tests that change nothing.
pub async fn read_only_world() -> &'static World {
    static MANY: OnceCell<World> = OnceCell::const_new();
    MANY.get_or_init(World::start_with_many_images).await
}

/// The id of an image of `own`; ids are in the order of registration.
pub fn image_id(number: usize) -> ImageId {
    format!("i-{number:07}").parse().unwrap()
}

impl World {
    pub fn start() -> Self {
        let limits =
            Limits { pending_per_tenant: u32::MAX, pending_per_owner: u32::MAX, ..Limits::default() };
        Self { local: LocalService::start(limits), console: Vec::new() }
    }

    async fn start_with_many_images() -> Self {
        let mut world = Self::start();
        for number in 0..image_count() {
            let tags = if number == 7 { vec!["hay", "needle"] } else { vec!["hay"] };
            let name = format!("image-{:07}", name_number(number));
            world.create_image("own", image_id(number).as_str(), &name, &tags, 10 + number).await;
        }
        world.create_image("other", "o-1", "other", &["needle"], 1).await;
        world.create_image("other", "o-2", "waiting", &["needle"], 2).await;
        world.create_image("other", "o-3", "image-0000007", &["public"], 3).await;
        let ids: Vec<_> = (0..image_count()).map(image_id).collect();
        for images in ids.chunks(100) {
            world.share("own", images).await;
        }
        world.share("other", &["o-1".parse().unwrap()]).await;
        world.local.run_open_work().await;
        world.console = world.open_pending_pages().await;
        world.console.push(world.open_pending_page_again().await);
        world.accept_all_on_the_console().await;
        world.share("other", &["o-2".parse().unwrap()]).await;
        for number in (0..image_count()).step_by(RENAME_INTERVAL) {
            world
                .update_image("own", &image_id(number), |image| {
                    image.details.name = Some(format!("renamed-{number:07}"));
                    image.details.tags.insert("renamed".to_owned());
                })
                .await;
        }
        let admin = imageshare::domain::Caller { role: imageshare::domain::Role::Admin, ..caller("other") };
        let publish = |image: &mut Image| {
            image.visibility = Visibility::Public;
            Ok::<_, UseCaseError>(())
        };
        usecases::update_image(&world.local.service, &admin, &"o-3".parse().unwrap(), publish).await.unwrap();
        world.local.run_open_work().await;
        world
    }

    /// Registers an image regardless of limits, `age` milliseconds after the first moment of these tests.
    pub async fn create_image(&self, owner: &str, id: &str, name: &str, tags: &[&str], age: usize) {
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
        assert_eq!(
            self.local.service.store.create_image(&image, u32::MAX, None).await,
            Ok(CreateOutcome::Created)
        );
    }

    /// Shares images with `me`.
    pub async fn share(&self, owner: &str, images: &[ImageId]) {
        let with = vec![tenant("me")];
        usecases::share(&self.local.service, &caller(owner), images.to_vec(), with, None).await.unwrap();
        self.local.run_open_work().await;
    }

    pub async fn decide(&self, images: &[ImageId], status: Status) {
        let (me, images) = (caller("me"), images.to_vec());
        let to = me.tenant.clone();
        usecases::respond(&self.local.service, &me, to, images, (status, None), None).await.unwrap();
        self.local.run_open_work().await;
    }

    /// Updates an image; the lists of its members are left to a worker.
    pub async fn update_image(&self, owner: &str, image: &ImageId, change: impl Fn(&mut Image)) {
        let change = |image: &mut Image| {
            change(image);
            Ok::<_, UseCaseError>(())
        };
        usecases::update_image(&self.local.service, &caller(owner), image, change).await.unwrap();
    }

    /// The time of an image's last update.
    pub async fn update_time(&self, owner: &str, image: &ImageId) -> Timestamp {
        usecases::show_image(&self.local.service, &caller(owner), image).await.unwrap().updated
    }

    /// Opens the pages of the console that show what waits for `me`.
    pub async fn open_pending_pages(&self) -> Vec<CountedPage> {
        let mut pages = Vec::new();
        for page in PENDING_PAGES {
            let event = HttpEvent::new("GET /console/{page+}", &format!("/console/{page}"));
            pages.push(self.send_counted(&event.header("cookie", &cookie())).await);
        }
        pages
    }

    /// Sends the form of *Accept All*, as the page has it.
    async fn accept_all_on_the_console(&self) {
        let (page, _) = &self.console[1];
        let html = page.body.as_str().unwrap();
        let (_, seen) = html.split_once("name=\"seen\" value=\"").unwrap();
        let seen = seen.split('"').next().unwrap();
        let fields = [("form", "1"), ("all", "1"), ("seen", seen), ("vault", "")];
        let event = Visitor::form("shared/accept", &fields).header("sec-fetch-site", "same-origin");
        let (accepted, _) = self.send_counted(&event.header("cookie", &cookie())).await;
        accepted.expect_status(303);
        self.local.run_open_work().await;
    }

    /// Sends a request as a project. Returns the response, and the number of calls and read units.
    pub async fn get(&self, project: &str, target: &str) -> (ApiResponse, (u64, u64)) {
        let path = target.split('?').next().unwrap_or_default();
        let event = HttpEvent::new(&format!("GET {path}"), target).token(&Tokens::token(project, "member"));
        self.send_counted(&event).await
    }

    async fn send_counted(&self, event: &HttpEvent) -> CountedPage {
        let (function, calls) = self.counted_function();
        let response = send_event(&function, event, None).await;
        (response, calls.calls_and_read_units())
    }

    /// Opens the page of what waits for `me` twice in one process. Returns the second, with what it cost alone.
    pub async fn open_pending_page_again(&self) -> CountedPage {
        let (function, calls) = self.counted_function();
        let event = HttpEvent::new("GET /console/{page+}", &format!("/console/{}", PENDING_PAGES[0]));
        let event = event.header("cookie", &cookie());
        send_event(&function, &event, None).await.expect_status(200);
        let first = calls.calls_and_read_units();
        let second = send_event(&function, &event, None).await;
        let both = calls.calls_and_read_units();
        (second, (both.0 - first.0, both.1 - first.1))
    }

    /// A function that starts, and the counters of its calls.
    fn counted_function(&self) -> (HttpFunction, CallCounter) {
        let (table, calls) = CountingTable::new(self.local.table.clone());
        let service = App {
            store: Store::new(table, self.local.service.clock().clone()),
            ..self.local.service.clone()
        };
        (HttpFunction::new(service, authenticator()), calls)
    }

    /// The ids of a list's images, in order.
    pub async fn image_ids(&self, project: &str, target: &str) -> String {
        let (response, _) = self.get(project, target).await;
        response.expect_status(200);
        image_ids_on(&response.body).join(" ")
    }
}

/// The session of a member of `me`.
fn cookie() -> String {
    format!("__Host-imageshare={}", Tokens::token("me", "member"))
}

/// The ids of the images on a page of any facade.
pub fn image_ids_on(page: &Value) -> Vec<String> {
    let images = page.get("images").or(page.get("Images")).unwrap().as_array().unwrap();
    let id = |image: &Value| image.get("id").or(image.get("ImageId")).unwrap().as_str().unwrap().to_owned();
    images.iter().map(id).collect()
}
