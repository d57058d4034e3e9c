#!/bin/sh
# gdb: breakpoints, steps, registers, calls, a software watchpoint, and a program under its control to the end.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

cat >program.c <<'SOURCE'
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
static int counter;
static double half(double x)
{
	counter++;
	return x / 2;
}
int main(int argc, char **argv)
{
	double x = 100;
	int status;
	for (int i = 0; i < 5; i++)
		x = half(x);
	if (fork() == 0)
		_exit(7);
	wait(&status);
	printf("%g %d\n", x, WEXITSTATUS(status));
	return argc;
}
SOURCE
gcc -g -O0 -no-pie -o program program.c
cat >commands <<'COMMANDS'
set pagination off
set debuginfod enabled off
set can-use-hw-watchpoints 0
break half if counter == 3
run
backtrace
print x
print counter
print $xmm0.v2_double[0]
stepi
nexti
finish
set var counter = 40
print half(5)
watch counter
continue
info watchpoints
delete
catch fork
continue
delete
continue
COMMANDS
gdb -q -nx -batch -x commands ./program 2>&1 | grep -v '^warning\|^Using host\|^\[Thread debugging\|^[0-9]*	\.\./\|^[0-9]*	in ' |
	sed -E 's/(0x[0-9a-f]+)|(process [0-9]+)/N/g; s/__?[a-z_]*fork[a-z_]* \(.*//; s/^arch_fork.*//'
