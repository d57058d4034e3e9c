#!/bin/sh
# bash with job control: background jobs, stopping and continuing them, waiting for them.
exec bash --norc --noprofile <<'SCRIPT'
set -m
sleep 100 &
echo "running: $(jobs -r | wc -l)"
kill -STOP %1
while [ "$(jobs -s | wc -l)" -eq 0 ]; do sleep 0.05; done
echo "stopped: $(jobs -s | wc -l), running: $(jobs -r | wc -l)"
bg %1 >/dev/null
echo "running again: $(jobs -r | wc -l)"
kill %1
wait %1 2>/dev/null
echo "status $?"
(exit 3) & (exit 4) & (exit 5) &
wait %1; echo "first $?"
wait %2; echo "second $?"
wait %3; echo "third $?"
sleep 0.05 & sleep 100 &
wait -n; echo "one of two: $?"
kill -9 %2; wait %2 2>/dev/null; echo "killed: $?"
{ sleep 0.1; echo from the background; } | cat &
wait
# Each job is a process group of its own.
sleep 100 & a=$!
sleep 100 & b=$!
group() { cut -d' ' -f5 "/proc/$1/stat"; }
[ "$(group $a)" = "$a" ] && [ "$(group $b)" = "$b" ] && echo "each has its group"
[ "$(group $$)" != "$a" ] && echo "which is not the shell's"
kill $a $b
wait 2>/dev/null
set +m
sleep 100 & c=$!
[ "$(group $c)" = "$(group $$)" ] && echo "without job control it is the shell's"
kill $c
wait $c 2>/dev/null; echo "status $?"
disown -a
echo "end"
SCRIPT
