# int __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end), all on the stack; edx holds rtld_fini.
    .globl _start
    .type _start, @function
_start:
    .cfi_startproc
    .cfi_undefined %eip
    xorl %ebp, %ebp
    popl %esi
    movl %esp, %ecx
    andl $-16, %esp
    pushl %eax
    pushl %esp
    pushl %edx
    calll 2f
2:  popl %ebx
    addl $_GLOBAL_OFFSET_TABLE_+(.-2b), %ebx
    pushl $0
    pushl $0
    pushl %ecx
    pushl %esi
    pushl main@GOT(%ebx)
    calll __libc_start_main@PLT
    hlt
    .cfi_endproc
    .size _start, . - _start
