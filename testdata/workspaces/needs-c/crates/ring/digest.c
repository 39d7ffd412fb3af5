/* Needs no header, so any C compiler for the target will do. */
int digest(void) { return 42; }
