//! The corpus of the fuzz target `border`, without a fuzzer. A process of its own, because the programs in it count on
//! nobody else opening or closing descriptors.

#[path = "../border/mod.rs"]
mod border;

use std::fs;

#[test]
fn corpus_of_border() {
    let mut files = 0;
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus/border")).unwrap() {
        let file = file.unwrap().path();
        let input = fs::read(&file).unwrap();
        // A crash ends the process without another word.
        println!("{}", file.display());
        border::run(&input);
        files += 1;
    }
    assert!(files > 10, "{files} files");
}
