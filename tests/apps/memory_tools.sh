#!/bin/sh
# What reads the memory files: pmap, free, vmstat, top, ps, and readers like smem and page-types. Figures differ, so they are checked; labels are shown.
squeeze() { tr -s ' ' | sed 's/^ //; s/ $//'; }
labels() { squeeze | sed 's/[0-9][0-9.,]*/N/g'; }
sleep 100 &
pid=$!
trap 'kill $pid' EXIT
until grep -q sleep /proc/$pid/comm; do :; done
sleep 0.1

echo "--- pmap"
pmap -X $pid | sed -n 2p | squeeze
pmap -X $pid | sed -n '3,$p' | awk '
	/^=/ { next }
	length($1) >= 12 && $2 ~ /^[r-]/ { rss += $7; size += $6; lines++ }
	$1 ~ /^[0-9]+$/ && $3 ~ /^[0-9]+$/ { total = $1; total_rss = $2 }
	END { print (lines > 10), (size == total), (rss == total_rss) }'
pmap -XX $pid | sed -n 2p | squeeze
pmap -x $pid | sed -n 2p | squeeze
pmap -x $pid | tail -n 1 | labels
pmap $pid | grep -c -e libc -e '\[ stack \]' | awk '{ print ($1 > 3) }'
pmap -p -q $pid | grep -o '/usr/bin/sleep' | sort -u
pmap -d $pid | tail -n 1 | labels
pmap 999999; echo "status $?"

echo "--- free"
free | labels
free -w -t -m | labels
free -h | awk '{ print $1 == "Mem:" ? "Mem" : $1 == "Swap:" ? "Swap" : "head" }'
free -b | awk '/Mem/ { print ($2 > 0 && $4 <= $2 && $7 <= $2 && $3 < $2) }'
free -k -s 0.1 -c 2 | grep -c Mem

echo "--- vmstat"
vmstat | sed -n 1,2p | squeeze
vmstat -a | sed -n 2p | squeeze
vmstat -w | sed -n 2p | squeeze
vmstat -n 1 2 | wc -l
vmstat -s | labels
vmstat -f | labels
vmstat -S M | wc -l

echo "--- top"
COLUMNS=120 top -b -n 1 -p $pid | sed -n '2p;4,5p;7p' | labels
top -b -n 1 | awk -v pid=$pid '$1 == pid { print $NF, ($6 > 0), ($5 >= $6) }'
top -b -n 2 -d 0.1 -p $pid | grep -c sleep

echo "--- ps"
ps -o rss,vsz,size,sz,trs,drs,maj_flt,min_flt,pmem,wchan,comm -p $pid | sed -n 1p | squeeze
ps -o rss=,vsz=,sz=,min_flt=,maj_flt= -p $pid | awk '{ print ($1 > 100), ($2 > $1), ($3 * 4 == $2), ($4 > 10), ($5 >= 0) }'
ps v -p $pid | sed -n 1p | squeeze
ps -eo pid,rss,vsz | awk 'NR > 1 && $2 > $3 { print "more resident than there is" }'

echo "--- files"
sed -n 's/^\(Vm[A-Za-z]*\|Rss[A-Za-z]*\):.*kB$/\1/p' /proc/$pid/status
awk '{ print NF, ($1 >= $2), ($2 >= $3) }' /proc/$pid/statm
# Like smem: the sum of an area's shares, and the kernel's own sum. Who else shares may come or go between the two.
awk '/^Pss:/ { pss += $2 } /^Rss:/ { rss += $2 } /^Private/ { own += $2 } /^Shared/ { shared += $2 }
	END { print (rss == own + shared), (pss <= rss) }' /proc/$pid/smaps
awk 'FNR == NR { if ($1 == "Rss:") rss += $2; if ($1 == "Pss:") pss += $2; next }
	$1 == "Rss:" { print (rss == $2) } $1 == "Pss:" { print (pss <= $2 + 100 && pss >= $2 - 100) }' \
	/proc/$pid/smaps /proc/$pid/smaps_rollup
grep -c '^VmFlags' /proc/$pid/smaps | awk '{ print ($1 > 10) }'
# Like page-types: where each page of the stack is, and what kind of page it is.
[ "$(id -u)" != 0 ] || python3 - $pid <<'END'
import struct, sys
for line in open(f"/proc/{sys.argv[1]}/maps"):
    if line.rstrip().endswith("[stack]"):
        start, end = (int(x, 16) // 4096 for x in line.split()[0].split("-"))
frames = 0
with open(f"/proc/{sys.argv[1]}/pagemap", "rb") as pagemap, open("/proc/kpageflags", "rb") as flags, open("/proc/kpagecount", "rb") as counts:
    pagemap.seek(start * 8)
    for (entry,) in struct.iter_unpack("Q", pagemap.read((end - start) * 8)):
        if not entry >> 63:
            continue
        frames += 1
        frame = entry & (1 << 55) - 1
        flags.seek(frame * 8)
        counts.seek(frame * 8)
        (flag,), (count,) = struct.unpack("Q", flags.read(8)), struct.unpack("Q", counts.read(8))
        if not flag >> 12 & 1 or not flag >> 11 & 1 or count < 1:
            print("no anonymous, mapped page:", hex(flag), count)
print("stack pages" if frames > 1 else "no stack")
END
echo 1 >/proc/$pid/clear_refs && awk '/^Referenced/ { n += $2 } END { print (n < 200) }' /proc/$pid/smaps
