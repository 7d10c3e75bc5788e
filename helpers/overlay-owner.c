#include "overlay-owner.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "overlay-say.h"

/* setfsuid(2) and setfsgid(2) report no error; a call with -1 returns the present value. */
static bool act_as(uid_t uid, gid_t gid)
{
	(void) setfsgid(gid);
	(void) setfsuid(uid);
	return (gid_t) setfsgid((gid_t) -1) == gid && (uid_t) setfsuid((uid_t) -1) == uid;
}

/* Makes these the effective capabilities, as far as they are permitted. */
static void set_capabilities(uint64_t wanted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		die(EXIT_FAILED, errno, "cannot ask for the capabilities");
	sets[0].effective = sets[0].permitted & (uint32_t) wanted;
	sets[1].effective = sets[1].permitted & (uint32_t) (wanted >> 32);
	if (syscall(SYS_capset, &header, sets) < 0)
		die(EXIT_FAILED, errno, "cannot set the capabilities");
}

void use_rights_of(int directory, uint64_t capabilities)
{
	struct stat owner;

	if (fstat(directory, &owner) < 0 || !act_as(owner.st_uid, owner.st_gid))
		die(EXIT_FAILED, 0, "cannot use the file system as the owner of the directory");
	set_capabilities(capabilities);         /* setfsuid(2) has taken most of them away */
}

void use_own_rights(void)
{
	set_capabilities(UINT64_MAX);
	if (!act_as(0, 0))
		die(EXIT_FAILED, 0, "cannot become root again");
}
