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
        let waited = wait(busy_lock, None, || told.set(told.get() + 1));
        assert_eq!(waited.expect("no error"), Waited::Locked);
    };
    wait_for(0);
    wait_for(SILENT_PAUSES - 1);
    assert_eq!(told.get(), 0);
    wait_for(SILENT_PAUSES + 3);
    assert_eq!(told.get(), 1);
}

#[test]
fn n05_a_wait_ends_after_the_time_that_the_user_allows() {
    for (timeout, most) in [(0, 1), (19, 1), (20, 2), (100, 6)] {
        let (tries, needed) = (Cell::new(0), Cell::new(u32::MAX));
        let busy_lock = || {
            tries.set(tries.get() + 1);
            match tries.get() >= needed.get() {
                true => Ok(()),
                false => Err(TryLockError::WouldBlock),
            }
        };
        let timeout = Some(Duration::from_millis(timeout));
        let waited = || wait(busy_lock, timeout, || ()).expect("no error");
        assert_eq!(waited(), Waited::TooLong, "{timeout:?}");
        assert_eq!(tries.replace(0), most, "{timeout:?}");
        needed.set(most);
        assert_eq!(waited(), Waited::Locked, "{timeout:?}");
    }
}

#[test]
fn c21_a_file_system_without_locks_is_lived_with() {
    for code in [Errno::NOTSUP, Errno::NOSYS, Errno::NOLCK] {
        let waited = wait(|| Err(TryLockError::Error(code.into())), None, || ());
        assert_eq!(waited.expect("no error"), Waited::Unsupported, "{code}");
    }
}

#[test]
fn any_other_error_ends_the_wait() {
    let broken = || Err(TryLockError::Error(Errno::IO.into()));
    let error = wait(broken, None, || ()).expect_err("broken");
    assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
}
