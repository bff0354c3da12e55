//! Lists of 12,000 images: a search finds an image wherever it is, sorted lists cost what they return, and a search
//! that did not look everywhere does not report that nothing was found.

mod console;
mod entries;
mod world;

use std::collections::HashMap;

use self::world::{
    RENAME_INTERVAL, World, image_count, image_id, image_ids_on, name_number, read_only_world,
};

/// More owners than lists that are each read for a whole page.
const SHARING_OWNERS: usize = 150;

/// The limit of table calls of any search.
const MAX_CALLS: u64 = 5;

#[tokio::test]
async fn exact_filter_takes_at_most_five_table_calls() {
    let world = read_only_world().await;
    let ecd = "/?Action=DescribeImages&Version=2020-09-30&RegionId=local";
    let named_1 = image_id((0..image_count()).find(|number| name_number(*number) == 1).unwrap());
    let named_1 = named_1.as_str();
    for (project, target, expected) in [
        ("own", "/v2/images?name=image-0000001", named_1),
        ("own", "/v2/images?name=image-0000001&sort_key=name&sort_dir=asc", named_1),
        ("own", "/v2/images?name=image-0000001&sort_key=id&sort_dir=asc", named_1),
        ("own", "/v2/images?id=i-0000007", "i-0000007"),
        ("own", "/v2/images?tag=needle", "i-0000007"),
        ("own", "/v2/images?owner=own&name=image-0000001", named_1),
        ("own", "/v2/images?visibility=all&name=image-0000001", named_1),
        ("own", "/v2/images?name=nothing", ""),
        ("own", "/v2/images?owner=other", "o-3"),
        ("me", "/v2/images?name=image-0000001", named_1),
        ("me", "/v2/images?name=image-0000007", "i-0000001 o-3"),
        ("me", "/v2/images?name=renamed-0000600", "i-0000600"),
        ("me", "/v2/images?id=i-0000007", "i-0000007"),
        ("me", "/v2/images?tag=needle&owner=other", "o-1"),
        ("me", "/v2/images?owner=other", "o-3 o-1"),
        ("me", "/v2/images?owner=other&sort_key=name&sort_dir=asc", "o-3 o-1"),
        ("me", "/v2/images?visibility=shared&member_status=pending&name=waiting", "o-2"),
        ("me", "/v2/images?visibility=shared&member_status=pending&owner=other", "o-2"),
        ("own", "/v2/cloudimages?name=image-0000001", named_1),
        ("own", "/v2/cloudimages?name=image-0000001&sort_key=name&sort_dir=asc", named_1),
        ("own", "/v2/cloudimages?id=i-0000007", "i-0000007"),
        ("own", "/v2/cloudimages?tag=needle", "i-0000007"),
        ("own", "/v2/cloudimages?__imagetype=shared&owner=own&name=image-0000001", named_1),
        ("own", "/v2/cloudimages?__imagetype=private&owner=own&name=image-0000001", ""),
        ("own", "/v2/cloudimages?__imagetype=gold&name=image-0000007", "o-3"),
        ("me", "/v2/cloudimages?name=image-0000001", named_1),
        ("me", "/v2/cloudimages?id=i-0000007", "i-0000007"),
        ("me", "/v2/cloudimages?__imagetype=shared&name=image-0000001", named_1),
        ("me", "/v2/cloudimages?__imagetype=shared&member_status=accepted&name=image-0000001", named_1),
        ("me", "/v2/cloudimages?__imagetype=shared&tag=needle", "i-0000007 o-1"),
        ("me", "/v2/cloudimages?owner=other", "o-3 o-1"),
        ("me", "/v2/cloudimages?__imagetype=shared&member_status=pending&name=waiting", "o-2"),
        ("me", "/v2/cloudimages?__imagetype=shared&member_status=pending&tag=needle", "o-2"),
        ("me", "/v2/cloudimages?__imagetype=shared&member_status=pending&owner=other", "o-2"),
        ("me", "/v2/cloudimages?__imagetype=shared&member_status=rejected&name=waiting", ""),
        ("own", &format!("{ecd}&ImageName=image-0000001"), named_1),
        ("me", &format!("{ecd}&ImageName=image-0000001"), named_1),
        ("me", &format!("{ecd}&ImageId.1=i-0000007"), "i-0000007"),
    ] {
        let (response, (calls, _)) = world.get(project, target).await;
        response.expect_status(200);
        assert_eq!(image_ids_on(&response.body).join(" "), expected, "{project} {target}");
        assert!(response.body.get("next").is_none(), "{project} {target}");
        assert!(calls <= MAX_CALLS, "{calls} calls: {project} {target}");
    }
}

/// Two owners have shared with `me`. Their lists are read concurrently, as is each list for several names; with
/// several tags, the rarest is found first, in each list.
#[tokio::test]
async fn names_tags_and_owners_are_queried_concurrently() {
    let world = read_only_world().await;
    for (project, query, expected, more) in [
        ("me", "tag=needle", "i-0000007 o-1", 1),
        ("own", "tag=hay&tag=needle", "i-0000007", 3),
        ("own", "name=in:image-0000014,image-0000007", "i-0000002 i-0000001 o-3", 2),
        ("me", "tag=hay&tag=needle", "i-0000007", 9),
    ] {
        let (response, (calls, _)) = world.get(project, &format!("/v2/images?{query}")).await;
        assert_eq!(image_ids_on(&response.body).join(" "), expected, "{query}");
        assert!(calls <= MAX_CALLS + more, "{calls} calls: {query}");
    }
}

/// This many owners have shared with `me`: their lists are merged a part at a time.
#[tokio::test]
async fn shares_of_many_owners_are_found_by_tag_and_name() {
    let world = World::start();
    let mut newest_first = Vec::new();
    for number in 0..2 * SHARING_OWNERS {
        let (owner, id) = (format!("owner-{}", number % SHARING_OWNERS), image_id(number));
        let tags: &[&str] = if number == 7 { &["linux", "needle"] } else { &["linux"] };
        world
            .create_image(&owner, id.as_str(), if number == 9 { "rare" } else { "golden" }, tags, 10 + number)
            .await;
        world.share(&owner, std::slice::from_ref(&id)).await;
        newest_first.insert(0, id.to_string());
    }
    let pending = "/v2/images?visibility=shared&member_status=pending";
    let calls_at_most = SHARING_OWNERS as u64 + 10;
    for (filter, found) in [("tag=needle", 7), ("name=rare", 9)] {
        let (response, (calls, _)) = world.get("me", &format!("{pending}&{filter}")).await;
        assert_eq!(image_ids_on(&response.body), [image_id(found).as_str()], "{filter}");
        assert!(calls <= calls_at_most, "{filter}: {calls} calls");
    }
    let (mut target, mut shown) = (format!("{pending}&tag=linux&limit=50"), Vec::new());
    loop {
        let (response, (calls, units)) = world.get("me", &target).await;
        shown.extend(image_ids_on(&response.body));
        assert!(calls <= calls_at_most && units <= calls_at_most, "{calls} calls, {units} units");
        let Some(next) = response.body["next"].as_str() else { break };
        next.clone_into(&mut target);
    }
    assert_eq!(shown, newest_first);
}

/// If an owner has more images than are read one by one, they are found in the list of keys: 8,000 in a call.
#[tokio::test]
async fn received_images_are_filtered_by_an_owner_of_many() {
    let world = read_only_world().await;
    let (response, (calls, units)) = world.get("me", "/v2/images?owner=own&limit=2&sort_dir=asc").await;
    assert_eq!(image_ids_on(&response.body), ["i-0000000", "i-0000001"]);
    assert!(calls <= MAX_CALLS && units < 60, "{calls} calls, {units} units");
}

#[tokio::test]
async fn sorted_list_costs_a_small_multiple_of_what_it_returns() {
    let world = read_only_world().await;
    let number = |id: &String| id[2..].parse::<usize>().unwrap();
    let is_renamed =
        |id: &str| id.starts_with("i-") && number(&id.to_owned()).is_multiple_of(RENAME_INTERVAL);
    let name = |id: &String| match id.as_str() {
        "o-1" => "other".to_owned(),
        "o-3" => "image-0000007".to_owned(),
        id if is_renamed(id) => format!("renamed-{}", &id[2..]),
        _ => format!("image-{:07}", name_number(number(id))),
    };
    let created = |id: &String| if id.starts_with('o') { number(id) } else { 10 + number(id) };
    // Read from the table: two updates may have been made in the same millisecond.
    let mut update_times = HashMap::new();
    for number in (0..image_count()).step_by(RENAME_INTERVAL) {
        update_times.insert(image_id(number).to_string(), world.update_time("own", &image_id(number)).await);
    }
    update_times.insert("o-3".to_owned(), world.update_time("other", &"o-3".parse().unwrap()).await);
    // An image that was never updated sorts by its creation, which was before every update.
    let updated = |id: &String| update_times.get(id).copied();
    let mut expected: Vec<_> = (0..image_count()).map(|number| image_id(number).to_string()).collect();
    expected.extend(["o-1".to_owned(), "o-3".to_owned()]);
    for (key, direction) in [
        ("created_at", "asc"),
        ("name", "asc"),
        ("name", "desc"),
        ("updated_at", "asc"),
        ("updated_at", "desc"),
    ] {
        match key {
            "name" => expected.sort_by_key(|id| (name(id), created(id))),
            "updated_at" => expected.sort_by_key(|id| (updated(id), created(id))),
            _ => expected.sort_by_key(created),
        }
        if direction == "desc" {
            expected.reverse();
        }
        let mut target = format!("/v2/images?sort_key={key}&sort_dir={direction}&limit=1000");
        let (mut shown, mut pages) = (Vec::new(), 0);
        loop {
            let (response, (calls, units)) = world.get("me", &target).await;
            response.expect_status(200);
            let page = image_ids_on(&response.body);
            // A batch read of 100, half a unit for each image, and the keys of each list.
            let most = 600 + page.len() as u64 * 11 / 20;
            assert!(calls <= 30 && units <= most, "{target}: {calls} calls, {units} units");
            shown.extend(page);
            pages += 1;
            let Some(next) = response.body["next"].as_str() else { break };
            next.clone_into(&mut target);
        }
        assert_eq!(pages, expected.len().div_ceil(1000), "{key} {direction}");
        let differs = shown.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!((differs, shown.len()), (None, expected.len()), "{key} {direction}");
    }
}

#[tokio::test]
async fn inbox_is_sorted_by_name_for_an_owner_of_many() {
    let world = read_only_world().await;
    let target = "/v2/images?visibility=shared&member_status=pending&sort_key=name&sort_dir=desc&limit=1";
    assert_eq!(world.image_ids("me", target).await, "o-2");
}

#[tokio::test]
async fn unindexed_order_is_rejected_for_too_many_images() {
    let world = read_only_world().await;
    for target in ["/v2/images?sort_key=id", "/v2/cloudimages?sort_key=disk_format"] {
        let (response, (calls, _)) = world.get("me", target).await;
        response.expect_status(400);
        assert!(
            response.body.to_string().contains("More than 10000 images: only sort_key=created_at"),
            "{response:?}"
        );
        assert!(calls < 150, "{calls}");
    }
}

#[tokio::test]
async fn narrow_filter_error_contains_a_marker_to_continue() {
    let world = read_only_world().await;
    let ecd = "/?Action=DescribeImages&Version=2020-09-30&RegionId=local";
    for (target, marker, expected) in [
        ("/v2/images?disk_format=raw".to_owned(), "marker", "i-0000000 o-3 o-1"),
        ("/v2/images?disk_format=raw&name=in:".to_owned() + &"x,".repeat(30) + "other", "marker", "o-1"),
        ("/v2/cloudimages?disk_format=raw".to_owned(), "marker", "i-0000000 o-3 o-1"),
        (format!("{ecd}&OsType=Windows"), "NextToken", ""),
    ] {
        let (first, _) = world.get("me", &target).await;
        let body_text = first.body.to_string();
        assert!(
            first.status == 400 && body_text.contains("None of the first 10000 images matches"),
            "{first:?}"
        );
        let (_, rest) = body_text.split_once(&format!("go on with {marker}=")).unwrap();
        let next = rest.split(['"', '.', ' ']).next().unwrap();
        let (mut found, mut next) = (Vec::new(), Some(next.to_owned()));
        while let Some(marker_of_page) = next {
            let (page, _) = world.get("me", &format!("{target}&{marker}={marker_of_page}")).await;
            page.expect_status(200);
            found.extend(image_ids_on(&page.body));
            let body = &page.body;
            let marker_or_link = body.pointer("/next").or(body.pointer("/page_info/next_marker"));
            let marker_or_link = marker_or_link.or(body.get("NextToken")).and_then(|next| next.as_str());
            let marker_or_link = marker_or_link
                .map(|next| next.split_once("marker=").map_or(next, |(_, marker)| marker).to_owned());
            next = marker_or_link.filter(|next| !next.is_empty());
        }
        assert_eq!(found.join(" "), expected, "{target}");
    }
}
