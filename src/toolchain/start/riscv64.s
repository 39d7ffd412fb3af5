# int __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end); a0 holds rtld_fini.
    .globl _start
    .type _start, %function
_start:
    .cfi_startproc
    .cfi_undefined ra
    .option push
    .option norelax
    lla gp, __global_pointer$
    .option pop
    mv a5, a0
    la a0, main
    ld a1, 0(sp)
    addi a2, sp, 8
    andi sp, sp, -16
    li a3, 0
    li a4, 0
    mv a6, sp
    call __libc_start_main
    ebreak
    .cfi_endproc
    .size _start, . - _start
