#!/bin/sh
# gcc and make, two jobs at a time: a project of 50 files, built, changed, and built again.
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for n in $(seq 50); do
	cat >"part$n.c" <<END
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "parts.h"
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
long part$n(long x)
{
	int v[$n + 3];
	char text[64];
	for (int i = 0; i < $n + 3; i++)
		v[i] = (int)((x * (i + $n)) % 97);
	qsort(v, $n + 3, sizeof(v[0]), compare);
	snprintf(text, sizeof(text), "%d-%ld", v[$n / 2], x);
	return (long)strlen(text) + v[$n / 2];
}
END
	echo "long part$n(long x);" >>parts.h
	echo "	sum += part$n(sum % 1000 + $n);" >>calls
done
cat >main.c <<END
#include <stdio.h>
#include "parts.h"
int main(void)
{
	long sum = 1;
$(cat calls)
	printf("sum %ld\\n", sum);
	return 0;
}
END
cat >makefile <<'END'
PARTS := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
program: $(PARTS)
	@$(CC) -o $@ $^
%.o: %.c parts.h
	@$(CC) -O1 -c -o $@ $<
	@echo "compiled $<"
END
make -j2 >first && sort first
./program
touch -d '2001-01-01' part7.o
make -j2
./program
make -j2
size=$(wc -c <program); test "$size" -gt 10000 && echo linked
