// int __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end); x0 holds rtld_fini. The hint is `bti c`.
    .globl _start
    .type _start, %function
_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #34
    mov x29, #0
    mov x30, #0
    mov x5, x0
    ldr x1, [sp]
    add x2, sp, #8
    mov x6, sp
    adrp x0, :got:main
    ldr x0, [x0, :got_lo12:main]
    mov x3, #0
    mov x4, #0
    bl __libc_start_main
    brk #0
    .cfi_endproc
    .size _start, . - _start
