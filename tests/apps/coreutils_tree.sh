#!/bin/sh
# coreutils and tar over a generated tree: find, sort, sha256sum, tar, cp, ls, and what changes it again.
set -e
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
umask 022
mkdir tree && cd tree
for a in alpha beta gamma; do
	for b in 1 2 3; do
		mkdir -p "$a/$b/empty"
		for c in x y z; do seq 1 $((b * 700)) | sed "s/^/$a $c /" >"$a/$b/$c.txt"; done
	done
	ln -s "../$a/1/x.txt" "$a/link"
	ln "$a/1/x.txt" "$a/hard"
done
: >"a name with spaces"
: >"$(printf 'newline\nin name')"
printf '#!/bin/sh\necho run\n' >script && chmod 755 script
chmod 600 alpha/2/y.txt && chmod 1777 beta/3/empty
find . -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +
cd ..

echo "-- find"
find tree | LC_ALL=C sort | sha256sum
find tree -type f -size +4k -name '*.txt' | sort
find tree -type l -printf '%p -> %l\n' | sort
find tree -empty | sort
find tree -newermt 2021-01-01 | wc -l
find tree -links 2 -type f | sort
echo "-- sha256sum"
find tree -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
(cd tree && find . -name '?.txt' -exec sha256sum {} + | sort -k2 >../sums && sha256sum -c --quiet ../sums && echo verified)
echo "-- ls"
ls_plain() { ls -lR --time-style=+%Y-%m-%dT%H:%M:%S "$1" | awk '/^total/ { next } /^d/ { $2 = $5 = "-" } { print }'; }
ls_plain tree
ls -i tree/alpha/hard tree/alpha/1/x.txt | awk '{ print $1 }' | uniq | wc -l
echo "-- tar"
mkdir out && tar cf - tree | tar xf - -C out
diff -r tree out/tree && echo "the same"
ls_plain tree >a && (cd out && ls_plain tree) >b && cmp a b && echo "with the same modes and times"
tar czf tree.tgz tree && tar tzf tree.tgz | wc -l
echo "-- cp"
cp -a tree copy && diff -r tree copy && (cd copy && find . -links 2 -type f | sort)
cp -r tree/alpha plain && find plain | sort | sha256sum
echo "-- changes"
mv copy/alpha copy/moved && rm -r copy/beta && ls copy
find copy -name '*.txt' -delete && find copy -type f | sort
rmdir copy/moved/1/empty && find copy -type d | wc -l
du -s --apparent-size -B 1000000 tree/gamma/3 | cut -f1
sort -R --random-source=/dev/zero tree/alpha/3/x.txt | sort -n -k3 | cmp - tree/alpha/3/x.txt && echo sorted
cat tree/*/*/*.txt | wc
truncate -s 1M sparse && stat -c '%s %F' sparse
install -D -m 640 tree/script bin/sub/script && stat -c '%a %s' bin/sub/script
tree/script
