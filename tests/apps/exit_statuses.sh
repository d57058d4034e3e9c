#!/bin/sh
# What a shell says of programs that are killed, missing, or no programs.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
true; echo "true $?"
false; echo "false $?"
sh -c 'kill -SEGV $$' 2>/dev/null; echo "SIGSEGV $?"
sh -c 'kill -KILL $$' 2>/dev/null; echo "SIGKILL $?"
sh -c 'kill -PIPE $$' 2>/dev/null; echo "SIGPIPE $?"
./missing 2>/dev/null; echo "missing $?"
missing-from-the-path 2>/dev/null; echo "not in the path $?"
echo 'echo ran' >script
./script 2>/dev/null; echo "not executable $?"
chmod 755 script
./script; echo "without #! $?"
mkdir directory
./directory 2>/dev/null; echo "directory $?"
printf '\177ELF\2\1\1' >broken && chmod 755 broken
./broken 2>/dev/null; echo "broken $?"
printf '#!/nonexistent/interpreter\n' >no-interpreter && chmod 755 no-interpreter
./no-interpreter 2>/dev/null; echo "no interpreter $?"
sh -c 'exit 255'; echo "255: $?"
sh -c 'exit 256' 2>/dev/null; echo "256: $?"
cat <&- 2>/dev/null; echo "closed stdin $?"
echo text 2>/dev/null >&-; echo "closed stdout $?"
cat /nonexistent 2>&- ; echo "closed stderr $?"
cat </dev/null; echo "empty stdin $?"
(ulimit -v 100000; python3 -c 'x = bytearray(1 << 30)' 2>/dev/null); echo "no memory $?"
(ulimit -f 1; exec yes >file 2>/dev/null); echo "file size $?"
