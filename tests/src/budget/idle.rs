//! What a service without requests costs.

use std::time::Duration;

use imageshare::domain::Limits;
use imageshare::usecases;

use super::{Measurement, measurement, metered_service};
use crate::local_service::LocalService;

/// A sweep that finds no open work.
pub(super) async fn measure_sweep() -> Measurement {
    let service = metered_service(&LocalService::start(Limits::default()));
    let deadline = service.clock().now().plus(Duration::from_secs(45));
    let report = usecases::sweep(&service, deadline).await.expect("swept");
    assert_eq!(report, usecases::SweepReport::default());
    measurement("sweep without open work", &service)
}
