//! The methods of [`Table`](imageshare::table::Table) that a table of a test passes on unchanged.

/// Implements the named methods of [`Table`](imageshare::table::Table) by those of the field `table`, within the `impl`
/// of a table that wraps another one.
#[macro_export]
macro_rules! delegate_to_table {
    ($($method:ident),+ $(,)?) => {
        $($crate::delegate_to_table! { @ $method })+
    };
    (@ get_item) => {
        fn get_item<'a>(
            &'a self,
            key: &'a ::imageshare::table::Key,
        ) -> ::imageshare::table::TableFuture<'a, ::imageshare::table::ReadOutput> {
            self.table.get_item(key)
        }
    };
    (@ batch_get_item) => {
        fn batch_get_item<'a>(
            &'a self,
            read: &'a ::imageshare::table::BatchRead,
        ) -> ::imageshare::table::TableFuture<'a, ::imageshare::table::ReadOutput> {
            self.table.batch_get_item(read)
        }
    };
    (@ query) => {
        fn query<'a>(
            &'a self,
            query: &'a ::imageshare::table::Query,
        ) -> ::imageshare::table::TableFuture<'a, ::imageshare::table::Page> {
            self.table.query(query)
        }
    };
    (@ write_item) => {
        fn write_item<'a>(
            &'a self,
            write: &'a ::imageshare::table::Write,
        ) -> ::imageshare::table::TableFuture<'a, ::imageshare::table::WriteOutput> {
            self.table.write_item(write)
        }
    };
    (@ transact_write_items) => {
        fn transact_write_items<'a>(
            &'a self,
            writes: &'a [::imageshare::table::Write],
            token: ::imageshare::table::TransactionToken,
        ) -> ::imageshare::table::TableFuture<'a, ::imageshare::table::WriteOutput> {
            self.table.transact_write_items(writes, token)
        }
    };
}
