# Swapping by util-linux, in a guest that was given 64 MiB of it. What it prints is tools.expected.
exec 2>&1
quiet_uuid() { sed 's/UUID=[-0-9a-f"]*/UUID=.../'; }
show() { swapon --show=NAME,TYPE,SIZE,PRIO --noheadings; }

echo "- from the start"
show
free -m | sed -n 's/^Swap: *\([0-9]*\) .*/free: \1 MiB/p'
lsblk -o NAME,SIZE,TYPE,MOUNTPOINTS /dev/vda
blkid -p -o value -s TYPE -s USAGE /dev/vda
cat /sys/block/vda/serial

echo "- in use"
swapon /dev/vda
mkswap /dev/vda
dd if=/dev/zero of=/dev/vda bs=4096 count=1 2>&1 | sed -n 's/.*: //p'

echo "- off, made anew, on"
swapoff /dev/vda; echo $?
show
swapoff /dev/vda
mkswap -L again /dev/vda | quiet_uuid
swapon -p 7 /dev/vda; echo $?
show
cat /proc/swaps
swapon --show=UUID,LABEL --noheadings | sed 's/^[-0-9a-f]\{36\} /uuid /'
swapoff -L again; echo $?

echo "- a header that is none"
dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=notrunc,fsync 2>/dev/null
swapon /dev/vda 2>&1
mkswap -q /dev/vda && swapon -d /dev/vda; echo $?
show
swapoff -a; echo $?
show
