//! Waiting for the lock, with locks that do as they are told.

use std::cell::Cell;

use super::*;

#[test]
fn n05_a_wait_is_silent_for_a_second_and_then_told_once() {
    let (tries, told) = (Cell::new(0), Cell::new(0));
    let wait_for = |busy: u32| {
        tries.set(0);
        let busy_lock = || {
            tries.set(tries.get() + 1);
            match tries.get() > busy {
                true => Ok(()),
                false => Err(TryLockError::WouldBlock),
            }
        };
        wait(busy_lock, || told.set(told.get() + 1)).expect("locked")
    };
    assert!(wait_for(0));
    assert!(wait_for(SILENT_PAUSES - 1));
    assert_eq!(told.get(), 0);
    assert!(wait_for(SILENT_PAUSES + 3));
    assert_eq!(told.get(), 1);
}

#[test]
fn c21_a_file_system_without_locks_is_lived_with() {
    for code in [Errno::NOTSUP, Errno::NOSYS, Errno::NOLCK] {
        let locked = wait(|| Err(TryLockError::Error(code.into())), || ());
        assert!(!locked.expect("no error"), "{code}");
    }
}

#[test]
fn any_other_error_ends_the_wait() {
    let error = wait(|| Err(TryLockError::Error(Errno::IO.into())), || ()).expect_err("broken");
    assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
}
