#!/bin/sh
# bash's here-documents and here-strings, small and large.
exec bash --norc --noprofile <<'SCRIPT'
name=value
cat <<END
expanded: $name $((6 * 7)) $(echo inside)
	a tab, and a backslash: \$name
END
cat <<'END'
not expanded: $name $((6 * 7))
END
cat <<-END
	tabs are removed
		all of them
	END
cat <<<"a here-string: $name"
while read -r a b; do echo "[$b] [$a]"; done <<END
one two
three four five
END
cat <<A; cat <<B
the first
A
the second
B
f() { cat; }
f <<END
into a function
END
# Larger than a pipe holds.
large=$(seq 1 30000)
wc -c <<<"$large"
sha256sum <<END
$large
END
(cat; cat <&3) <<END 3<<END3
from 0
END
from 3
END3
SCRIPT
