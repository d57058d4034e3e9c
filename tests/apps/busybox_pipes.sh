#!/bin/sh
# busybox's shell and tools, in pipes.
exec busybox sh <<'SCRIPT'
seq 1 1000 | busybox awk '{ s += $1 } END { print s }'
echo "b a c" | busybox tr ' ' '\n' | busybox sort | busybox tr '\n' ' '; echo
busybox yes | busybox head -n 3
busybox seq 1 20000 | busybox gzip | busybox gunzip | busybox md5sum
busybox seq 1 20000 | busybox sort -rn | busybox uniq | busybox wc -l
x=$(busybox echo one; busybox echo two); echo "$x" | busybox sed 's/^/got /'
d=$(busybox mktemp -d) && cd "$d" || exit 1
busybox mkdir -p a/b/c
for i in 1 2 3; do echo "file $i" >"a/b/$i"; done
busybox find . | busybox sort
busybox tar cf - a | busybox tar tf - | busybox sort
busybox cp -r a copy && busybox diff -r a copy && echo same
busybox grep -r "file 2" . | busybox sort
(busybox sleep 100 & echo started; kill $!; wait $!; echo "status $?")
busybox dd if=/dev/zero bs=1k count=64 2>/dev/null | busybox sha256sum
busybox cat <<END | busybox rev
here
END
false || echo "false gave $?"
busybox sh -c 'exit 42'; echo "status $?"
cd / && busybox rm -r "$d" && echo removed
SCRIPT
