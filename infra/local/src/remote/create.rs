//! `imageshare table create`: creates the table as the Terraform module does.
//!
//! The keys and indexes are those of the store's definition; the rest is as in `infra/aws/table.tf`, which a test
//! compares with this file. Each step is made only if it is needed, so the command can be repeated.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    BillingMode, GlobalSecondaryIndex, PointInTimeRecoverySpecification, PointInTimeRecoveryStatus,
    Projection, ProjectionType, StreamSpecification, StreamViewType, Tag, TimeToLiveDescription,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use imageshare::store::TTL;
use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::error::RemoteError;
use super::shape::TableShape;
use super::{describe, no_table, reject_difference, unready_states};
use crate::cli::CreateTableArguments;
use crate::progress::Stage;

/// How long a table may take to become ready. DynamoDB needs seconds.
const MAX_WAIT_MINUTES: u64 = 10;

/// The pause between two looks at a table.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The stream that a deployment on AWS reads.
const STREAM: StreamViewType = StreamViewType::NewAndOldImages;

/// The codes of services that speak DynamoDB's API and do not have the call.
const UNKNOWN_CALL: [&str; 3] = ["UnknownOperationException", "UnknownOperation", "NotImplemented"];

/// The steps of the command.
struct Creation<'a> {
    arguments: &'a CreateTableArguments,
    connection: Connection,
    client: Client,
    /// What was done, a sentence each.
    report: Vec<String>,
}

/// Creates the table, or completes one that exists, and waits until it can be used. Returns the lines to print.
///
/// # Errors
/// [`RemoteError`] if the table exists and differs, or DynamoDB refuses or does not respond.
pub async fn create(arguments: &CreateTableArguments, report: &dyn Fn(Stage)) -> Result<String, RemoteError> {
    let connection = Connection::open(&arguments.table, &arguments.endpoint, None).await?;
    let client = connection.admin_client();
    let mut creation = Creation { arguments, connection, client, report: Vec::new() };
    creation.create_or_check().await?;
    report(Stage::WaitingForTable);
    creation.wait_until_active().await?;
    creation.protect_from_deletion().await?;
    creation.expire_items().await?;
    creation.enable_recovery().await?;
    creation.wait_until_active().await?;
    let Creation { connection, mut report, .. } = creation;
    report.push(format!("the table {} in {} is ready\n", connection.table, connection.place()));
    Ok(report.join("\n"))
}

impl Creation<'_> {
    /// Creates the table unless it exists, and rejects one that differs.
    async fn create_or_check(&mut self) -> Result<(), RemoteError> {
        if let Some(described) = describe(&self.connection, &self.client).await? {
            reject_difference(&self.connection, &described)?;
            self.report.push("the table exists".to_owned());
            return Ok(());
        }
        match self.create_call().send().await {
            Ok(_) => self.report.push("the table was created".to_owned()),
            // Another process was faster; the wait checks what it has made.
            Err(error) if code(&error) == Some("ResourceInUseException") => {}
            Err(error) => return Err(self.connection.call_error("CreateTable", &error)),
        }
        Ok(())
    }

    fn create_call(&self) -> CreateTableFluentBuilder {
        // A definition that cannot be read makes a call that DynamoDB rejects; a test excludes it.
        let shape = TableShape::wanted().ok();
        let indexes = shape.iter().flat_map(|shape| &shape.indexes).filter_map(|(name, index)| {
            let projection = ProjectionType::from(index.projection.as_str());
            GlobalSecondaryIndex::builder()
                .index_name(name)
                .set_key_schema(Some(index.keys.to_schema()))
                .projection(Projection::builder().projection_type(projection).build())
                .build()
                .ok()
        });
        let tags = self
            .arguments
            .tags
            .iter()
            .filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
        let tags: Vec<_> = tags.collect();
        let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(STREAM).build();
        self.client
            .create_table()
            .table_name(self.connection.table.as_str())
            .billing_mode(BillingMode::PayPerRequest)
            .set_key_schema(shape.as_ref().map(|shape| shape.keys.to_schema()))
            .set_attribute_definitions(shape.as_ref().map(TableShape::attribute_definitions))
            .set_global_secondary_indexes(Some(indexes.collect()))
            .set_stream_specification(stream.ok())
            .deletion_protection_enabled(self.arguments.deletion_protection)
            .set_tags((!tags.is_empty()).then_some(tags))
    }

    /// Waits until the table and its indexes can be used, and checks them again.
    async fn wait_until_active(&self) -> Result<(), RemoteError> {
        let end = Instant::now() + Duration::from_mins(MAX_WAIT_MINUTES);
        loop {
            let described = describe(&self.connection, &self.client).await?;
            let described = described.ok_or_else(|| no_table(&self.connection))?;
            let Some(states) = unready_states(&described) else {
                return reject_difference(&self.connection, &described);
            };
            self.pause_until(end, states).await?;
        }
    }

    async fn pause_until(&self, end: Instant, states: String) -> Result<(), RemoteError> {
        if Instant::now() >= end {
            let (table, place) = (self.connection.table.clone(), self.connection.place().to_owned());
            return Err(RemoteError::TooSlow { table, place, minutes: MAX_WAIT_MINUTES, states });
        }
        sleep(POLL_INTERVAL).await;
        Ok(())
    }

    /// Switches deletion protection on, if it is wanted and off. It is never switched off.
    async fn protect_from_deletion(&mut self) -> Result<(), RemoteError> {
        let described = describe(&self.connection, &self.client).await?;
        let is_on = described.and_then(|table| table.deletion_protection_enabled()).unwrap_or_default();
        if is_on || !self.arguments.deletion_protection {
            return Ok(());
        }
        let call = self.client.update_table().table_name(self.connection.table.as_str());
        let result = call.deletion_protection_enabled(true).send().await;
        self.record("deletion protection", "UpdateTable", result.map(drop))
    }

    /// Makes items expire by their attribute `ttl`.
    async fn expire_items(&mut self) -> Result<(), RemoteError> {
        let name = self.connection.table.as_str();
        let found = match self.client.describe_time_to_live().table_name(name).send().await {
            Ok(output) => output.time_to_live_description,
            Err(error) => return self.record("expiry of items", "DescribeTimeToLive", Err(error)),
        };
        if is_expiring(found.as_ref()) {
            return self.reject_other_ttl(found.as_ref());
        }
        let specification = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
        let call = self.client.update_time_to_live().table_name(name);
        let result = call.set_time_to_live_specification(specification.ok()).send().await;
        self.record("expiry of items", "UpdateTimeToLive", result.map(drop))
    }

    fn reject_other_ttl(&self, found: Option<&TimeToLiveDescription>) -> Result<(), RemoteError> {
        match found.and_then(TimeToLiveDescription::attribute_name) {
            Some(other) if other != TTL => Err(RemoteError::Different {
                table: self.connection.table.clone(),
                place: self.connection.place().to_owned(),
                differences: vec![format!("its items expire by the attribute {other}, not {TTL}")],
            }),
            _ => Ok(()),
        }
    }

    /// Switches point-in-time recovery on, if it is wanted and off. It is never switched off.
    async fn enable_recovery(&mut self) -> Result<(), RemoteError> {
        const WHAT: &str = "point-in-time recovery";
        if self.arguments.recovery_days == 0 {
            return Ok(());
        }
        let name = self.connection.table.as_str();
        match self.client.describe_continuous_backups().table_name(name).send().await {
            Ok(output) => {
                let status = output.continuous_backups_description.and_then(|backups| {
                    backups.point_in_time_recovery_description?.point_in_time_recovery_status
                });
                if status == Some(PointInTimeRecoveryStatus::Enabled) {
                    return Ok(());
                }
            }
            Err(error) => return self.record(WHAT, "DescribeContinuousBackups", Err(error)),
        }
        let end = Instant::now() + Duration::from_mins(MAX_WAIT_MINUTES);
        loop {
            let specification = PointInTimeRecoverySpecification::builder()
                .point_in_time_recovery_enabled(true)
                .recovery_period_in_days(self.arguments.recovery_days);
            let call = self.client.update_continuous_backups().table_name(self.connection.table.as_str());
            let call = call.set_point_in_time_recovery_specification(specification.build().ok());
            match call.send().await {
                // DynamoDB is still preparing the backups of a new table.
                Err(error) if code(&error) == Some("ContinuousBackupsUnavailableException") => {
                    self.pause_until(end, format!("{WHAT} is not available yet")).await?;
                }
                result => return self.record(WHAT, "UpdateContinuousBackups", result.map(drop)),
            }
        }
    }

    /// Records that something was switched on, or that this service does not have it.
    fn record<E>(
        &mut self,
        what: &str,
        call: &'static str,
        result: Result<(), SdkError<E, aws_smithy_runtime_api::http::Response>>,
    ) -> Result<(), RemoteError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match result {
            Ok(()) => self.report.push(format!("{what} was switched on")),
            Err(error) if code(&error).is_some_and(|code| UNKNOWN_CALL.contains(&code)) => {
                self.report.push(format!("{what} is not offered by {}", self.connection.place()));
            }
            Err(error) => return Err(self.connection.call_error(call, &error)),
        }
        Ok(())
    }
}

/// The code of an error of the service.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn is_expiring(found: Option<&TimeToLiveDescription>) -> bool {
    let status = found.and_then(TimeToLiveDescription::time_to_live_status);
    matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Arguments, Command, TableCommand};
    use crate::remote::shape::IndexShape;

    /// A file of the module, with one space where it has several.
    fn module(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn terraform_module_makes_the_same_table() {
        let table = module(include_str!("../../../aws/table.tf"));
        let shape = TableShape::wanted().unwrap();
        let name = |name: &Option<String>| name.clone().unwrap();
        for (index, IndexShape { keys, .. }) in &shape.indexes {
            let (partition, sort) = (name(&keys.partition), name(&keys.sort));
            let line = format!("{index} = {{ partition = \"{partition}\", sort = \"{sort}\" }}");
            assert!(table.contains(&line), "{line}");
        }
        assert_eq!(table.matches("{ partition = ").count(), shape.indexes.len());
        for (setting, value) in [
            ("hash_key", name(&shape.keys.partition).as_str()),
            ("range_key", &name(&shape.keys.sort)),
            ("billing_mode", BillingMode::PayPerRequest.as_str()),
            ("stream_view_type", STREAM.as_str()),
            ("attribute_name", TTL),
        ] {
            assert!(table.contains(&format!("{setting} = \"{value}\"")), "{setting} = {value}");
        }
        for index in shape.indexes.values() {
            assert!(table.contains(&format!("projection_type = \"{}\"", index.projection)));
        }
        assert!(shape.attributes.values().all(|kind| table.contains(&format!("type = \"{kind}\""))));
    }

    #[test]
    fn protections_have_the_defaults_of_the_module() {
        let line = ["imageshare", "table", "create", "--table", "imageshare"];
        let Ok(Command::Table(TableCommand::Create(arguments))) =
            Arguments::try_parse_from(line).map(Arguments::into_command)
        else {
            panic!("{line:?}")
        };
        let variables = module(include_str!("../../../aws/variables.tf"));
        for line in [
            format!("deletion_protection = optional(bool, {})", arguments.deletion_protection),
            format!("recovery_days = optional(number, {})", arguments.recovery_days),
        ] {
            assert!(variables.contains(&line), "{line}");
        }
    }
}
