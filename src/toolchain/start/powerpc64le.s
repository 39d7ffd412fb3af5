# int __libc_start_main(argc, argv, envp, auxiliary vector, rtld_fini, stinfo, stack): the loader has set r3 to r7 already;
# stinfo is a table of { 0, main, init, fini }.
    .abiversion 2
    .section .data.rel.ro, "aw"
    .p2align 3
1:  .quad 0
    .quad main
    .quad 0
    .quad 0
    .text
    .globl _start
    .type _start, @function
    .p2align 2
_start:
0:  addis 2, 12, .TOC.-0b@ha
    addi 2, 2, .TOC.-0b@l
    .localentry _start, .-_start
    .cfi_startproc
    .cfi_undefined 65
    mr 9, 1
    clrrdi 1, 1, 4
    li 0, 0
    stdu 0, -128(1)
    mtlr 0
    std 0, 0(1)
    addis 8, 2, 1b@toc@ha
    addi 8, 8, 1b@toc@l
    bl __libc_start_main
    nop
    trap
    .cfi_endproc
    .size _start, . - _start
