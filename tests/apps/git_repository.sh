#!/bin/sh
# git on a real repository, the one that these tests lie in: clone, fsck, gc, a merge, a bundle, and back again.
set -e
here=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export HOME="$dir" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global safe.directory '*'
git config --global user.email test@example.org
git config --global user.name Test
git config --global init.defaultBranch main
git config --global advice.detachedHead false
# An unpacked release is no repository: then one is made of it.
if ! git -C "$here" rev-parse -q --verify HEAD >/dev/null 2>&1; then
	git init -q "$dir/source"
	cp -r "$here/kernel" "$here/cli" "$here/docs" "$dir/source"
	here=$dir/source
	git -C "$here" add . && git -C "$here" commit -q -m "A release"
fi

git clone -q --no-local --depth 20 "file://$here" "$dir/clone"
cd "$dir/clone"
git fsck --full --strict 2>&1 | grep -v '^warning' || true
echo "files $(git ls-files | wc -l) tree $(git rev-parse 'HEAD^{tree}')"
git status --short
git gc -q --aggressive --prune=now
git count-objects -v | grep -E '^(count|packs|garbage)'
git fsck --full --no-progress

git checkout -q -b side
echo side >side && git add side && git commit -q -m side
git checkout -q -
echo main >main && git add main && git commit -q -m main
git merge -q -m merge side
git show --stat --format=%s HEAD~1 | cat
git bundle create -q "$dir/bundle" HEAD
git clone -q "$dir/bundle" "$dir/again"
echo "the same tree again: $(test "$(git rev-parse 'HEAD^{tree}')" = "$(git -C "$dir/again" rev-parse 'HEAD^{tree}')" && echo yes)"
git -C "$dir/again" grep -c space_fork -- kernel/mm/space.c
git archive HEAD kernel/lib | sha256sum
