//! Hands an input of libFuzzer's to the target of that name. What the targets do stands in `tests/src/fuzz`, so that the
//! ordinary tests do it too.

use imageshare_tests::fuzz::target;
use libfuzzer_sys::Corpus;

/// Runs a target. An input of which it makes nothing is not worth keeping.
pub fn run(name: &str, input: &[u8]) -> Corpus {
    if (target(name).run)(input) { Corpus::Keep } else { Corpus::Reject }
}
