//! What the functions do to the table is what `infra/aws/permissions.json` lists, and nothing else is in it.

use std::fs;

use imageshare_routes::Document;
use imageshare_tests::journey::record_journey;
use imageshare_tests::permissions::{MODULE_PERMISSIONS, permissions_file};

#[tokio::test(flavor = "multi_thread")]
async fn permissions_are_what_the_functions_do() {
    let is_update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let recorded = record_journey(is_update).await.permissions;
    let document = Document::load().unwrap();
    assert!(recorded.functions().eq(document.functions()), "the journey leads through every function");
    if is_update {
        fs::write(permissions_file(), recorded.to_json()).unwrap();
    } else {
        assert_eq!(MODULE_PERMISSIONS.missing_from(&recorded), [""; 0], "no step of the journey needs these");
        assert_eq!(recorded.missing_from(&MODULE_PERMISSIONS), [""; 0]);
    }
}
