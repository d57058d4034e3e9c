#!/bin/sh
# git: init, add, commit, branch, merge, log, diff, in $RWDIR, a directory of the host's.
set -e
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME=/nonexistent GIT_PAGER=cat
export GIT_AUTHOR_NAME=Author GIT_AUTHOR_EMAIL=author@example.org GIT_AUTHOR_DATE='2021-03-04T05:06:07 +0000'
export GIT_COMMITTER_NAME=Committer GIT_COMMITTER_EMAIL=committer@example.org GIT_COMMITTER_DATE='2021-03-04T05:06:08 +0000'
cd "${RWDIR:?}"
git init -q -b main repository
cd repository
for i in 1 2 3 4 5; do mkdir -p "dir$i"; seq 1 $((i * 100)) >"dir$i/file"; done
git add . && git commit -q -m "The first commit"
echo changed >>dir1/file && ln -s dir1/file link && git add link && git commit -q -a -m "A change"
git checkout -q -b side && echo side >side && git add side && git commit -q -m "On a branch"
git checkout -q main && git rm -q -r dir5 && git commit -q -m "A removal"
git merge -q -m "A merge" side
git log --format='%H %an %ad %s' --date=iso --graph
git ls-tree -r HEAD
git diff HEAD~1 --stat
echo local >>dir2/file && git status --short && git diff | sed 1,2d
git stash -q && git status --short && git stash pop -q && git checkout -q -- .
git tag -a -m "A tag" v1 && git describe
git gc -q && git fsck && git count-objects -v | grep '^in-pack'
git clone -q . ../clone && git -C ../clone log --oneline | wc -l
git grep -c '^10' -- dir3 dir4
git blame -s dir1/file | tail -n 1 | cut -d' ' -f1 | wc -c
