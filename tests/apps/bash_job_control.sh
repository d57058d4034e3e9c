#!/bin/sh
# bash with job control: background jobs, stopping and continuing them, waiting for them. What bash says of jobs on stderr comes when it comes.
exec bash --norc --noprofile 2>/dev/null <<'SCRIPT'
set -m
sleep 100 & a=$!
echo "running: $(jobs -r | wc -l)"
kill -STOP %1
while [ "$(jobs -s | wc -l)" -eq 0 ]; do sleep 0.05; done
echo "stopped: $(jobs -s | wc -l), running: $(jobs -r | wc -l)"
bg %1 >/dev/null
echo "running again: $(jobs -r | wc -l)"
kill %1
wait $a
echo "status $?"
(exit 3) & a=$!
(exit 4) & b=$!
(exit 5) & c=$!
wait $a; echo "first $?"
wait $b; echo "second $?"
wait $c; echo "third $?"
sleep 100 & a=$!
(sleep 0.1; exit 6) &
wait -n; echo "one of two: $?"
kill -9 $a; wait $a; echo "killed: $?"
{ sleep 0.1; echo from the background; } | cat &
wait
# Each job is a process group of its own.
sleep 100 & a=$!
sleep 100 & b=$!
group() { cut -d' ' -f5 "/proc/$1/stat"; }
[ "$(group $a)" = "$a" ] && [ "$(group $b)" = "$b" ] && echo "each has its group"
[ "$(group $$)" != "$a" ] && echo "which is not the shell's"
kill $a $b
wait
set +m
sleep 100 & c=$!
[ "$(group $c)" = "$(group $$)" ] && echo "without job control it is the shell's"
kill $c
wait $c; echo "status $?"
disown -a
echo "end"
SCRIPT
