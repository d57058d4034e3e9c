#!/bin/sh
# gcc: compile, link and run, in one step and in several, dynamic and static.
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >hello.c <<'END'
#include <stdio.h>
int answer(void);
int main(int argc, char **argv)
{
	printf("hello, %s: %d\n", argc > 1 ? argv[1] : "world", answer());
	return 3;
}
END
cat >answer.c <<'END'
int answer(void) { return 42; }
END
gcc hello.c answer.c
status=0; ./a.out || status=$?
echo "status $status"
gcc -O2 -g -c hello.c && gcc -c answer.c && gcc -o hello hello.o answer.o && ./hello objects || true
gcc -static -o hello-static hello.o answer.o && ./hello-static statically || true
gcc -shared -fPIC -o libanswer.so answer.c && gcc -o hello-shared hello.o -L. -lanswer
LD_LIBRARY_PATH=. ./hello-shared "with a library" || true
./hello-shared 2>/dev/null || echo "without it: $?"
echo 'int main(void) { return undeclared; }' >wrong.c
gcc wrong.c 2>errors || echo "gcc gives $?"
grep -c 'undeclared' errors
gcc -E -P - <<END
#define TWICE(x) x x
TWICE(preprocessed)
END
cat >makefile <<'END'
all: a.o b.o
	@echo linked $^
%.o: %.c
	@$(CC) -c $<
	@echo compiled $<
END
echo 'int a;' >a.c && echo 'int b;' >b.c
make -j2 | sort && make
