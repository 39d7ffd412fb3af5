# int __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end), the last two on the stack; r14 holds rtld_fini.
    .globl _start
    .type _start, %function
_start:
    .cfi_startproc
    .cfi_undefined %r14
    la %r4, 8(%r15)
    lg %r3, 0(%r15)
    lghi %r0, -16
    ngr %r15, %r0
    aghi %r15, -176
    xc 0(8, %r15), 0(%r15)
    stmg %r14, %r15, 160(%r15)
    lgrl %r2, main@GOTENT
    lghi %r5, 0
    lghi %r6, 0
    brasl %r14, __libc_start_main@PLT
    j .+2
    .cfi_endproc
    .size _start, . - _start
