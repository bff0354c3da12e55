//! The table capacity that each call uses, by DynamoDB's own accounting.

use imageshare_tests::budget;

pub async fn run() {
    println!("{:<52} {:>11} {:>11} {:>12}", "call", "round trips", "read units", "write units");
    for row in budget::measure_calls().await {
        let (call, used) = (row.call, row.usage);
        println!("{call:<52} {:>11} {:>11} {:>12}", used.round_trips, used.read_units, used.write_units);
    }
    println!();
}
