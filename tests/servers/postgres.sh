#!/bin/sh
# PostgreSQL: a new cluster, pgbench's tables and load, a crash in the middle of a load, and recovery. Prints facts that are the same on every system.
# postgres.sh [TRANSACTIONS [SCALE]]: for each of 4 clients. Started as root, it goes on as `postgres`, since the server refuses to run as root.
set -e
transactions=${1:-20} scale=${2:-1}
if [ "$(id -u)" = 0 ]; then
	exec setpriv --reuid postgres --regid postgres --init-groups sh "$0" "$transactions" "$scale"
fi
PATH=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1):$PATH
dir=$(mktemp -d)
server=
trap 'kill -QUIT $server 2>/dev/null && wait $server; rm -rf "$dir"' EXIT
export PGHOST="$dir" PGPORT=5441 PGDATABASE=postgres PGCONNECT_TIMEOUT=60 LC_ALL=C
# The server is this script's child, so that it can be waited for.
start() {
	postgres -D "$dir/data" -p $PGPORT -c unix_socket_directories="$dir" -c listen_addresses=127.0.0.1 >>"$dir/log" 2>&1 &
	server=$!
	until pg_isready -q; do
		kill -0 $server 2>/dev/null || { cat "$dir/log"; exit 1; }
		sleep 0.2
	done
}
sql() {
	psql -XAtq -c "$1"
}
balanced() {
	sql "select count(*) > 0,
		(select sum(abalance) from pgbench_accounts) = (select coalesce(sum(delta), 0) from pgbench_history),
		(select sum(tbalance) from pgbench_tellers) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts"
}

initdb -D "$dir/data" -A trust -E UTF8 --locale=C >"$dir/initdb" 2>&1 || { cat "$dir/initdb"; exit 1; }
echo "initdb: done"
start
echo "version: $(sql 'show server_version_num' | cut -c 1-2)"
pgbench -i -s "$scale" >/dev/null 2>&1
echo "accounts: $(sql 'select count(*) from pgbench_accounts')"

pgbench -c 4 -t "$transactions" -n >"$dir/bench" 2>&1 || cat "$dir/bench"
grep -E 'processed|failed' "$dir/bench"
echo "history: $(sql 'select count(*) from pgbench_history')"
echo "balanced: $(balanced)"
pgbench -h 127.0.0.1 -c 4 -t "$transactions" -n -S >"$dir/bench" 2>&1 || cat "$dir/bench"
echo "over TCP: $(grep processed "$dir/bench")"

# A crash: every process of the server killed at once, in the middle of a load.
pgbench -c 4 -T 600 -n >/dev/null 2>&1 &
bench=$!
before=$(sql 'select count(*) from pgbench_history')
while [ "$(sql 'select count(*) from pgbench_history')" -lt $((before + 10)) ]; do sleep 0.2; done
committed=$(sql 'select count(*) from pgbench_history')
pkill -9 -u "$(id -u)" -x postgres
# Whether the shell says that the server was killed depends on which of the two ends first.
wait $bench 2>/dev/null || true
wait $server 2>/dev/null || echo "the server ended with $?"
echo "crashed"
start
grep -o 'database system was not properly shut down' "$dir/log"
echo "nothing committed was lost: $([ "$(sql 'select count(*) from pgbench_history')" -ge "$committed" ] && echo yes)"
echo "balanced: $(balanced)"
kill -INT $server
wait $server
echo "stopped: $?"
server=
pg_controldata "$dir/data" | grep 'cluster state'
