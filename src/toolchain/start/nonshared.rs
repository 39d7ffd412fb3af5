//! Compiled by the user's rustc, no module of rbuild: the functions that glibc keeps out of its shared library, as in
//! `libc_nonshared.a` of glibc 2.34 and later. Each belongs to the object that calls it, so it is hidden and must never be exported.

#![no_std]

use core::ffi::{c_int, c_void};
use core::ptr::{addr_of, null_mut};

type Plain = Option<unsafe extern "C" fn()>;
type Taking = Option<unsafe extern "C" fn(*mut c_void)>;

extern "C" {
    static __dso_handle: c_void;
    fn __cxa_atexit(call: Taking, with: *mut c_void, object: *const c_void) -> c_int;
    fn __cxa_at_quick_exit(call: Taking, object: *const c_void) -> c_int;
    fn __register_atfork(before: Plain, parent: Plain, child: Plain, object: *const c_void)
    -> c_int;
}

core::arch::global_asm!(
    ".hidden atexit",
    ".hidden at_quick_exit",
    ".hidden pthread_atfork"
);

#[no_mangle]
unsafe extern "C" fn atexit(call: Taking) -> c_int {
    __cxa_atexit(call, null_mut(), addr_of!(__dso_handle))
}

#[no_mangle]
unsafe extern "C" fn at_quick_exit(call: Taking) -> c_int {
    __cxa_at_quick_exit(call, addr_of!(__dso_handle))
}

#[no_mangle]
unsafe extern "C" fn pthread_atfork(before: Plain, parent: Plain, child: Plain) -> c_int {
    __register_atfork(before, parent, child, addr_of!(__dso_handle))
}

// The kernel's helper at 0xffff0fe0, which every ARM since ARMv4 has.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".globl __aeabi_read_tp",
    ".hidden __aeabi_read_tp",
    ".type __aeabi_read_tp, %function",
    ".p2align 2",
    ".arm",
    "__aeabi_read_tp:",
    "mvn r0, #0xf000",
    "sub pc, r0, #31",
    ".size __aeabi_read_tp, . - __aeabi_read_tp"
);
