#!/bin/sh
# bash's traps, and how it ends.
exec bash --norc --noprofile <<'SCRIPT'
bash -c 'trap "echo exit \$?" EXIT; exit 3'; echo "status $?"
bash -c 'trap "echo int" INT; kill -INT $$; echo after'; echo "status $?"
bash -c 'trap "echo term; exit 4" TERM; kill -TERM $$; echo never'; echo "status $?"
bash -c 'trap "" TERM; kill -TERM $$; echo ignored'; echo "status $?"
bash -c 'trap - TERM; kill -TERM $$; echo never'; echo "status $?"
bash -c 'trap "echo err at \$?" ERR; false; true; (exit 6)'; echo "status $?"
bash -c 'trap "echo debug" DEBUG; :; :'
bash -c 'trap "echo return" RETURN; f() { :; }; declare -ft f; f'
bash -c 'trap "echo child" CHLD; sleep 0.01 & wait; :'
bash -c 'trap "echo usr1" USR1; (sleep 0.1; kill -USR1 $$) & wait; echo "wait gave $?"; wait'
bash -c 'trap "echo outer" EXIT; (trap "echo inner" EXIT; exit 1); echo "subshell $?"'
bash -c 'set -e; trap "echo leaving" EXIT; false; echo never'; echo "status $?"
{ bash -c 'kill -SEGV $$'; } 2>/dev/null; echo "status $?"
{ bash -c 'kill -KILL $$'; } 2>/dev/null; echo "status $?"
bash -c 'exec true'; echo "status $?"
bash -c 'trap "echo pipe" PIPE; seq 1 100000 | true; echo done'
bash -c 'trap "echo alarm" ALRM; perl -e "alarm 0; kill ALRM, getppid"; echo after'
SCRIPT
