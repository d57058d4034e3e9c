#!/bin/sh
# bash's subshells, substitutions and pipelines.
exec bash --norc --noprofile <<'SCRIPT'
x=1
(x=2; echo "inside $x"; (x=3; echo "deeper $x"); echo "still $x")
echo "outside $x"
echo "$(echo "$(echo "$(echo nested)")")"
echo "status of a substitution: $(exit 7)$?"
true | false | (exit 9); echo "pipeline ${PIPESTATUS[*]}"
set -o pipefail
false | true; echo "pipefail $?"
seq 1 100000 | head -n 1; echo "head ${PIPESTATUS[*]}"
diff <(seq 1 5) <(seq 1 4; echo 6)
cat <(echo one) <(echo two)
echo "written" | tee >(sed 's/^/first /' >&2) | cat 2>&1
sleep 0.2
coproc SORT { sort; }
printf 'c\na\nb\n' >&"${SORT[1]}"
eval "exec ${SORT[1]}>&-"
cat <&"${SORT[0]}"
wait
mapfile -t lines < <(seq 1 1000)
echo "${#lines[@]} lines, the last ${lines[999]}"
f() { return 5; }
f; echo "function $?"
(f); echo "in a subshell $?"
exec 5>&1
echo "to descriptor 5" >&5
exec 5>&-
echo "closed" >&5
{ echo out; echo err >&2; } 2>&1 | sort
{ { echo out; echo err >&2; } 3>&2 2>&1 1>&3 | sed 's/^/swapped /'; } 2>&1 | sort
cd / && pwd && (cd /usr && pwd) && pwd
for i in 1 2 3 4 5 6 7 8; do (echo "$i" & wait); done | sort
printf '%s\n' {a..e}{1..3} | paste -sd' '
SCRIPT
