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
    fn each_byte_is_sent_once_and_each_owned_entry_released_once(setting in setting(), codes in codes()) {
        bytes::run(setting, &codes);
    }

    // Their memory is thought to lie beyond 4 GiB.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn batches_with_entries_of_any_size_agree_with_the_model(setting in setting(), codes in codes()) {
        ledger::run(setting, &codes);
    }
}
