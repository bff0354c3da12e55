//! Why a table in DynamoDB cannot be used or created, with what an operator can do.

use imageshare::store::StoreError;

use crate::cli::TableName;

/// Why a table in DynamoDB cannot be used or created.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nothing says which region the table is in.
    #[error("the table {table} needs a region: set AWS_REGION or --table-region")]
    NoRegion {
        /// The table.
        table: TableName,
    },
    /// There are no credentials.
    #[error(
        "no AWS credentials were found ({problem}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or \
         give the container or the instance a role. An endpoint that checks none takes any"
    )]
    NoCredentials {
        /// What the last source reported.
        problem: String,
    },
    /// The table does not exist.
    #[error(
        "there is no table {table} in {place}: create it with `imageshare table create --table {table}` and the same \
         --endpoint-url and --table-region, or correct these"
    )]
    NoTable {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
    },
    /// The table is not as this service needs it.
    #[error(
        "the table {table} in {place} is not a table of this service: {}. Create one of another name with `imageshare \
         table create --table NAME`",
        .differences.join("; ")
    )]
    Different {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// How it differs.
        differences: Vec<String>,
    },
    /// The table, or one of its indexes, is being created, changed or deleted.
    #[error("the table {table} in {place} cannot be used yet: {states}. Start again when it is ACTIVE")]
    NotActive {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// What is in which state.
        states: String,
    },
    /// DynamoDB does not let these credentials make a call.
    #[error("{place} refuses {call} of the table {table}: {problem}. Check the credentials and their policy")]
    Denied {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// The call.
        call: &'static str,
        /// The service's own message.
        problem: String,
    },
    /// DynamoDB rejects a call for another reason.
    #[error("{place} rejects {call} of the table {table}: {problem}")]
    Rejected {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// The call.
        call: &'static str,
        /// The service's own message.
        problem: String,
    },
    /// There is no response.
    #[error(
        "DynamoDB does not answer for the table {table} in {place}: {problem}. Check the region, --endpoint-url and the \
         network"
    )]
    Unreachable {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// The root cause.
        problem: String,
    },
    /// The table has no stream, or one without the items before and after a change.
    #[error(
        "the table {table} in {place} has no stream of new and old images, which --effects needs: enable it \
         (aws dynamodb update-table --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES)"
    )]
    NoStream {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
    },
    /// A wait took too long.
    #[error(
        "the table {table} in {place} is not ready after {minutes} minutes: {states}. Repeat the command"
    )]
    TooSlow {
        /// The table.
        table: TableName,
        /// Its region or address.
        place: String,
        /// How long it was waited for.
        minutes: u64,
        /// What was waited for.
        states: String,
    },
    /// Another server of this table has another key of the same id.
    #[error(
        "the master key {id} differs from the one that another server of this table has under this id: give all servers \
         the same keys (--keys), and a new key a new id"
    )]
    OtherMasterKey {
        /// The id of the key.
        id: String,
    },
    /// The table cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
