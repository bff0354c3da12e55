//! Runs every input of the fuzz targets' corpus as the fuzzers do, so that the targets keep working and fixed bugs
//! stay fixed.

use std::path::Path;

use imageshare_tests::fuzz::TARGETS;

#[test]
fn the_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for target in TARGETS {
        let inputs = std::fs::read_dir(corpus.join(target.name)).unwrap();
        let inputs: Vec<_> = inputs.map(|input| input.unwrap().path()).collect();
        for input in &inputs {
            println!("{}", input.display());
            assert!((target.run)(&std::fs::read(input).unwrap()), "{} makes nothing of it", target.name);
        }
        assert!(inputs.len() >= 8, "{} has a corpus", target.name);
    }
}

#[test]
fn every_fuzz_target_has_a_fuzzer_and_a_corpus() {
    let fuzzers = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets")).unwrap();
    let mut named: Vec<_> =
        fuzzers.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    named.sort();
    assert_eq!(named, TARGETS.map(|target| target.name));
}
