//! Hands libFuzzer's inputs to a target. What the targets do stands in `tests/src/fuzz`, so that the ordinary tests do it too.

pub use {imageshare_tests, libfuzzer_sys};

/// Makes a binary of the target of that path in `imageshare_tests::fuzz`. An input of which it makes nothing is not kept.
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
