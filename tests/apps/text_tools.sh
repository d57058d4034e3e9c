#!/bin/sh
# Filters in long pipes, and files larger than any buffer.
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
seq 1 200000 >numbers
sha256sum numbers | cut -c1-64
sort -rn numbers | head -n 3
shuf --random-source=/dev/zero numbers | sort -n | cmp - numbers && echo "shuffled and sorted"
awk '{ n[$1 % 7]++ } END { for (i = 0; i < 7; i++) print i, n[i] }' numbers
grep -c '7' numbers
sed -n '/^1000*$/p' numbers
gzip -k numbers && zcat numbers.gz | cmp - numbers && echo "packed and unpacked"
split -n l/4 numbers part. && cat part.* | cmp - numbers && ls part.* | wc -l
tac numbers | tac | cmp - numbers && echo "turned twice"
join numbers numbers | wc -l
comm -12 numbers numbers 2>/dev/null | wc -l || true
cut -c1-2 numbers | sort | uniq -c | sort -rn | head -n 3
dd if=/dev/zero of=zeroes bs=64k count=40 2>/dev/null && wc -c <zeroes
cmp -n 1000000 zeroes /dev/zero && echo "all zero"
od -An -tx1 -N8 zeroes
base64 numbers | base64 -d | cmp - numbers && echo "there and back"
xargs -n 1000 <numbers | wc -l
seq 1 20 | xargs -P 4 -I{} sh -c 'echo {}' | sort -n | paste -sd' '
printf '%s\n' one two three | tee copy | nl
cat copy copy | tr a-z A-Z | rev
yes | head -c 1000000 | wc -c
diff copy numbers >/dev/null || echo "diff $?"
timeout 0.2 sleep 10 || echo "timeout $?"
env -i A=1 sh -c 'echo "$A"'
id -u >/dev/null && echo "id"
date -u -d @0 +%Y-%m-%dT%H:%M:%S
printf 'a\0b' | od -An -c
mkfifo pipe && (seq 1 5 >pipe &) && paste -sd, <pipe
