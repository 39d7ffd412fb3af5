@ int __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end), the last three on the stack; r0 holds rtld_fini.
    .globl _start
    .type _start, %function
    .p2align 2
    .arm
_start:
    .fnstart
    .cantunwind
    mov fp, #0
    mov lr, #0
    pop {r1}
    mov r2, sp
    push {r2}
    push {r0}
    mov r3, #0
    push {r3}
    ldr r0, 1f
2:  add r0, pc, r0
    ldr r0, [r0]
    bl __libc_start_main
    udf #0
    .p2align 2
1:  .long main(GOT_PREL) - ((2b + 8) - 1b)
    .fnend
    .size _start, . - _start
