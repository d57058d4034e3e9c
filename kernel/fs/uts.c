/*
 * uts.c - the host and domain names: the command's at start, changed by programs that may.
 */
#include "fs/uts.h"

#include <linux/capability.h>

#include "dev/device.h"
#include "lib/lock.h"
#include "lib/string.h"
#include "proc/proc.h"

static struct spinlock uts_lock = SPINLOCK_INIT(RANK_FS);
static char names[2][UTS_NAME_MAX + 1] = {
	[UTS_HOSTNAME] = "coppice", [UTS_DOMAINNAME] = "(none)"
}; /* uts_lock */

const char *uts_command_line = "";

void uts_init(void)
{
	if (launch.hostname && launch.hostname[0])
		string_copy(names[UTS_HOSTNAME], launch.hostname, sizeof(names[UTS_HOSTNAME]));
}

void uts_get(enum uts_name which, char out[UTS_NAME_MAX + 1])
{
	spin_lock(&uts_lock);
	memcpy(out, names[which], UTS_NAME_MAX + 1);
	spin_unlock(&uts_lock);
}

int uts_set(enum uts_name which, const char *name, size_t n)
{
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EPERM;
	if (n > UTS_NAME_MAX)
		return -EINVAL;
	spin_lock(&uts_lock);
	memset(names[which], 0, sizeof(names[which]));
	memcpy(names[which], name, n);
	spin_unlock(&uts_lock);
	return 0;
}
