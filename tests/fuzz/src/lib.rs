//! Passes libFuzzer's inputs to a target. The targets are in `tests/src/fuzz`, so that the ordinary tests run them
//! too.

pub use {imageshare_tests, libfuzzer_sys};

/// Defines the `main` of a target, given its path in `imageshare_tests::fuzz`. Inputs that the target cannot use are
/// not kept.
#[macro_export]
macro_rules! feed {
    ($($target:ident)::+) => {
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| -> $crate::libfuzzer_sys::Corpus {
            if $crate::imageshare_tests::fuzz::$($target)::+(input) {
                $crate::libfuzzer_sys::Corpus::Keep
            } else {
                $crate::libfuzzer_sys::Corpus::Reject
            }
        });
    };
}
