//! Beginning anew: with another backend, and after a shutdown.

use super::*;
use crate::mode::Mode;

#[test]
fn t20_with_a_new_backend_known_descriptors_are_no_new_connections() {
    let (rig, fake) = rig(0);
    let set_up = || {
        rig.state().just_set = Some(fd(0));
        let flags = Flags { mode: Some(Mode::Nonblocking), ..Flags::default() };
        rig.state().register(fd(0), flags).unwrap();
    };
    set_up();
    rig.register(fd(1), false);
    (0..2).for_each(|n| rig.state().want(fd(n), Read));
    rig.state().table.get(fd(0)).unwrap().cookie = 7;
    assert!(sleeps(&rig, &fake));
    rig.state().renew_backend().unwrap();
    set_up();
    assert_eq!(rig.state().table.get(fd(0)).unwrap().cookie, 7);
}

#[test]
fn a_wait_that_ends_after_the_shutdown_leaves_no_memory() {
    let (rig, _fake) = rig(1);
    rig.wait(Limit::Now).unwrap();
    assert!(rig.state().spare.is_some());
    drop(rig.state().shut_down());
    rig.wait(Limit::Now).unwrap();
    assert!(rig.state().spare.is_none());
}
