/* exec_program.h - a whole run of a program of the system. */
#ifndef BENCH_EXEC_PROGRAM_H
#define BENCH_EXEC_PROGRAM_H

/* The result is how long fork, exec of argv[0] and the wait for its end took; skips the benchmark where there is no such program. */
void exec_program_measure(char **argv);

#endif
