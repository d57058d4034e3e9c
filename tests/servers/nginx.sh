#!/bin/sh
# nginx.sh PORT DIRECTORY: nginx with two workers that serves DIRECTORY/site, until SIGTERM. DIRECTORY is made anew.
set -e
port=$1 dir=$2
mkdir -p "$dir/site" "$dir/temp"
chmod -R a+rwX "$dir"
printf 'hello from nginx\n' >"$dir/site/index.html"
seq 1 40000 >"$dir/site/numbers"
cat >"$dir/conf" <<END
worker_processes 2;
daemon off;
pid $dir/pid;
error_log $dir/errors;
events { worker_connections 256; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	client_body_temp_path $dir/temp/body;
	proxy_temp_path $dir/temp/proxy;
	fastcgi_temp_path $dir/temp/fastcgi;
	uwsgi_temp_path $dir/temp/uwsgi;
	scgi_temp_path $dir/temp/scgi;
	server {
		listen $port reuseport backlog=128;
		root $dir/site;
		location /again { proxy_pass http://127.0.0.1:$port/numbers; }
	}
}
END
nginx -p "$dir" -c "$dir/conf" -e "$dir/errors" &
server=$!
trap 'kill -QUIT $server' TERM
until [ -s "$dir/pid" ]; do sleep 0.1; done
echo ready
wait $server || true
wait $server || true
grep -E 'alert|emerg|crit' "$dir/errors" || echo "no errors"
