//! Whole batches against the naive models.

#[cfg(target_pointer_width = "64")]
use super::super::model::ledger;
use super::super::model::{Code, Setting, bytes};
use proptest::prelude::*;

fn codes() -> impl Strategy<Value = Vec<Code>> {
    prop::collection::vec(any::<Code>(), 1..60)
}

fn setting() -> impl Strategy<Value = Setting> {
    any::<u8>().prop_map(Setting::decode)
}

proptest! {
    #[test]
    fn every_byte_once_and_every_owner_once(setting in setting(), codes in codes()) {
        bytes::run(setting, &codes);
    }

    // Their memory is thought to lie beyond 4 GiB.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn entries_of_any_size(setting in setting(), codes in codes()) {
        ledger::run(setting, &codes);
    }
}
