/* setgroups(2), prctl(2), O_TMPFILE, realpath(3) */
#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Neither is there where another C library is all that can be included: then the process is not confined. */
#if defined(__linux__) && __has_include(<linux/seccomp.h>)
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif
#endif

unsigned platform_online_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? (unsigned) cpus : 1;
}

unsigned platform_terminal_columns(int fd)
{
#ifdef TIOCGWINSZ
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		return size.ws_col;
#else
	(void) fd;
#endif
	return 0;
}

int64_t platform_birth_time(int directory, const char *name)
{
#ifdef STATX_BTIME
	struct statx state;

	if (statx(directory, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &state) == 0 && (state.stx_mask & STATX_BTIME))
		return state.stx_btime.tv_sec;
#else
	(void) directory, (void) name;
#endif
	return 0;
}

char *platform_real_path(const char *path)
{
	return realpath(path, NULL);
}

int platform_become(uid_t uid, gid_t gid)
{
	/* for root, setgid() and setuid() set the real, effective and saved id (setuid(2)) */
	if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -errno;
	if (uid != 0 && setuid(0) == 0)
		return -EPERM;
#ifdef __linux__
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
#endif
	return 0;
}

int platform_open_unnamed(int directory, mode_t mode)
{
#ifdef O_TMPFILE
	return openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
#else
	(void) directory, (void) mode;
	return -1;
#endif
}

int platform_give_name(int fd, int directory, const char *path)
{
#ifdef AT_EMPTY_PATH
	char nameless[40];

	if (linkat(fd, "", directory, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	/* without CAP_DAC_READ_SEARCH by the detour that linkat(2) names */
	(void) snprintf(nameless, sizeof(nameless), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, nameless, directory, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
#else
	(void) fd, (void) directory, (void) path;
	return -ENOENT;
#endif
}

void platform_die_with_parent(void)
{
#ifdef __linux__
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
}

#ifdef ARCHITECTURE

/* linux/landlock.h as of Linux 6.12, since the headers of older distributions have only a part of it. */
enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD = 445, LANDLOCK_RESTRICT = 446, VERSION_FLAG = 1, PATH_BENEATH = 1 };
enum { ACCESS_READ_FILE = 1 << 2 };
struct ruleset {
	uint64_t files, network, scopes;
};
struct path_rule {
	uint64_t access;
	int32_t directory;
} __attribute__((packed));

/* Everything that this kernel can deny; what it does not know must be 0. */
static struct ruleset everything(long version)
{
	static const unsigned file_rights[] = { 0, 13, 14, 15, 15, 16 };
	static const long newest = sizeof(file_rights) / sizeof(file_rights[0]) - 1;

	return (struct ruleset){
		.files = (1ULL << file_rights[version < newest ? version : newest]) - 1,
		.network = version >= 4 ? 3 : 0,       /* bind and connect with TCP */
		.scopes = version >= 6 ? 3 : 0,        /* abstract sockets and signals outside */
	};
}

static int restrict_files(void)
{
	long version = syscall(LANDLOCK_CREATE, NULL, 0, VERSION_FLAG);
	struct ruleset denied;
	struct path_rule rule = { .access = ACCESS_READ_FILE };
	int ruleset, r = 0;

	if (version <= 0)
		return 0;
	denied = everything(version);
	ruleset = (int) syscall(LANDLOCK_CREATE, &denied, sizeof(denied), 0);
	if (ruleset < 0)
		return -errno;
	rule.directory = open(".", O_PATH | O_CLOEXEC);
	if (rule.directory < 0 || syscall(LANDLOCK_ADD, ruleset, PATH_BENEATH, &rule, 0) < 0 ||
	    syscall(LANDLOCK_RESTRICT, ruleset, 0) < 0)
		r = -errno;
	if (rule.directory >= 0)
		(void) close(rule.directory);
	(void) close(ruleset);
	return r;
}

/* What SQLite, the C library's allocator and an answer into a pipe need; the frequent ones first. */
static const unsigned allowed_calls[] = {
	SYS_pread64, SYS_read, SYS_fcntl, SYS_close, SYS_fstat, SYS_newfstatat, SYS_write, SYS_lseek,
	SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise,
	SYS_clock_gettime, SYS_gettimeofday, SYS_clock_nanosleep, SYS_nanosleep, SYS_restart_syscall,
	SYS_getcwd, SYS_readlinkat, SYS_faccessat, SYS_statx, SYS_getpid, SYS_gettid, SYS_geteuid, SYS_getuid,
	SYS_getegid, SYS_getgid, SYS_getrandom, SYS_futex, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction,
	SYS_sigaltstack, SYS_exit, SYS_exit_group,
#ifdef SYS_faccessat2
	SYS_faccessat2,
#endif
#ifdef SYS_stat
	SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_time,
#endif
};

enum { ALLOWED = sizeof(allowed_calls) / sizeof(allowed_calls[0]), PROGRAM_MAX = 2 * ALLOWED + 16 };

struct program {
	struct sock_filter list[PROGRAM_MAX];
	unsigned short length;
};

static void load(struct program *program, size_t offset)
{
	program->list[program->length++] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned) offset);
}

static void leave(struct program *program, unsigned action)
{
	program->list[program->length++] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action);
}

/* The next instruction is for `value` only, or, with `unless`, for any other one. */
static void when(struct program *program, unsigned value, bool unless)
{
	program->list[program->length++] = (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, unless, !unless);
}

/*
 * ENOSYS, so that the C library falls back to an older call where it has one. openat() for reading only: whatever
 * else may be written for want of Landlock, no file is. Of its flags the lower half counts, on these architectures
 * the first one.
 */
static int restrict_calls(void)
{
	struct program program = { .length = 0 };
	struct sock_fprog filter = { .filter = program.list };

	load(&program, offsetof(struct seccomp_data, arch));
	when(&program, ARCHITECTURE, true);
	leave(&program, SECCOMP_RET_KILL_PROCESS);
	load(&program, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++) {
		when(&program, allowed_calls[i], false);
		leave(&program, SECCOMP_RET_ALLOW);
	}
	when(&program, SYS_openat, true);
	leave(&program, SECCOMP_RET_ERRNO | ENOSYS);
	load(&program, offsetof(struct seccomp_data, args[2]));
	program.list[program.length++] = (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC);
	when(&program, O_RDONLY, true);
	leave(&program, SECCOMP_RET_ERRNO | EACCES);
	leave(&program, SECCOMP_RET_ALLOW);
	filter.len = program.length;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0 || errno == EINVAL)       /* no such mode */
		return 0;
	return -errno;
}

int platform_confine(void)
{
	int r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : restrict_files();

	return r < 0 ? r : restrict_calls();
}

#else

int platform_confine(void)
{
	return 0;
}

#endif
