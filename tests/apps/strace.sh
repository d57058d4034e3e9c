#!/bin/sh
# strace: calls, signals and exits of a program and its children.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

trace() { strace -o trace "$@" >out 2>err; echo "status $?"; cat out err; }

trace -e trace=write,chdir,exit_group sh -c 'cd /; echo hello; exit 3'
cat trace
trace -f -e trace=execve,exit_group -e signal=all sh -c 'true; /bin/echo one; /bin/false; kill -USR1 $$'
sed -E 's/^[0-9]+ +//; s/0x[0-9a-f]+ .*vars/ENVIRONMENT/; s/si_(pid|utime|stime)=[0-9]+( \/\* [0-9.]+ s \*\/)?/si_\1=N/g' trace
trace -c -e trace=read cat /etc/hostname
grep -c read trace

# Attached to who runs, and gone again.
sleep 1000 &
pid=$!
strace -p $pid -o trace 2>err &
tracer=$!
until grep -q attached err && [ "$(awk '/^TracerPid/ { print $2 }' /proc/$pid/status)" = $tracer ]; do sleep 0.05; done
grep -q '^State:.S' /proc/$pid/status && echo sleeps on
kill -INT $tracer
wait $tracer
awk '/^TracerPid/ { print $2 }' /proc/$pid/status
{ kill $pid; wait $pid; status=$?; } 2>/dev/null # the shell may say how it ended
echo "status $status"
sed 's/[0-9][0-9]*/N/g' err
