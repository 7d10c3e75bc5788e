/* platform.h: what a confined process can still do, each call in a process of its own. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "tap.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static char outside[] = "/tmp/left4me-platform.XXXXXX";

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int read_below(void) { return opens("below/file", O_RDONLY); }
static int read_here(void) { return opens("file", O_RDONLY); }
static int read_link_out(void) { return opens("link", O_RDONLY); }
static int read_outside(void) { return opens(outside, O_RDONLY); }
static int read_passwd(void) { return opens("/etc/passwd", O_RDONLY); }
static int read_above(void) { return opens("../file", O_RDONLY); }
static int read_proc(void) { return opens("/proc/self/maps", O_RDONLY); }
static int list_here(void) { return opens(".", O_RDONLY | O_DIRECTORY); }
static int write_here(void) { return opens("file", O_WRONLY); }
static int read_and_write_here(void) { return opens("file", O_RDWR); }
static int create_here(void) { return opens("new", O_RDONLY | O_CREAT); }
static int truncate_here(void) { return opens("file", O_RDONLY | O_TRUNC); }
static int create_unnamed(void) { return opens(".", O_TMPFILE | O_RDWR); }
static int truncate_it(void) { return truncate("file", 0); }
static int unlink_here(void) { return unlink("file"); }
static int rename_here(void) { return rename("file", "other"); }
static int link_here(void) { return link("file", "other"); }
static int symlink_here(void) { return symlink("file", "other"); }
static int make_directory(void) { return mkdir("new", 0700); }
static int make_node(void) { return mkfifo("new", 0600); }
static int change_mode(void) { return chmod("file", 0666); }
static int change_owner(void) { return chown("file", 1, 1); }
static int change_directory(void) { return chdir("/"); }
static int change_limits(void) { return (int) syscall(SYS_prlimit64, 0, 7, NULL, NULL); }
static int start_process(void) { return (int) syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static int run_program(void) { return execl("/bin/true", "true", NULL); }
static int send_signal(void) { return kill(getppid(), 0); }
static int trace_parent(void) { return (int) ptrace(PTRACE_SEIZE, getppid(), NULL, NULL); }
static int unix_socket(void) { return socket(AF_UNIX, SOCK_STREAM, 0); }
static int inet_socket(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int netlink_socket(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }
static int socket_pair(void) { int fds[2]; return socketpair(AF_UNIX, SOCK_STREAM, 0, fds); }
static int new_namespace(void) { return unshare(CLONE_NEWUSER); }
static int mount_it(void) { return mount("none", "below", "tmpfs", 0, NULL); }
static int become_root(void) { return (int) syscall(SYS_setuid, 0); }
static int set_capabilities(void) { return (int) syscall(SYS_capset, NULL, NULL); }
static int use_bpf(void) { return (int) syscall(SYS_bpf, 0, NULL, 0); }
static int use_io_uring(void) { return (int) syscall(425, 1, NULL); }
static int use_perf(void) { return (int) syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0); }
static int use_userfaultfd(void) { return (int) syscall(SYS_userfaultfd, 0); }
static int use_keyring(void) { return (int) syscall(SYS_keyctl, 0, -3, 1); }
static int make_memfd(void) { return (int) syscall(SYS_memfd_create, "x", 0); }
static int read_memory_of_parent(void) { return (int) syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0); }
static int open_by_openat2(void) { return (int) syscall(437, AT_FDCWD, "file", NULL, 0); }
static int lift_the_filter(void) { return prctl(PR_SET_SECCOMP, 0, NULL); }

static int map_memory(void)
{
	return mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static int look_outside(void)
{
	struct stat st;

	return stat("/etc", &st);
}

/* What a confined process gets for what it may not: of Landlock and for openat() EACCES, for other calls ENOSYS. */
static bool is_refusal(int error)
{
	return error == EACCES || error == ENOSYS;
}

/*
 * Runs one of them confined: 0 if it succeeded, -1 if it was refused, -3 if it failed otherwise, as calls with such
 * arguments may without any filter, -2 if it was killed.
 */
static int run(int (*call)(void))
{
	int status;
	pid_t pid;

	(void) fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (chdir(outside) < 0 || chdir("here") < 0 || platform_confine() < 0)
			_exit(9);
		_exit(call() >= 0 ? 0 : is_refusal(errno) ? 1 : 3);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) : -2;
}

static const struct {
	const char *name;
	int (*call)(void);
	bool is_allowed, needs_landlock;
} rows[] = {
	{ "read a file in the directory", read_here, true, false },
	{ "read one below it", read_below, true, false },
	{ "look at a file outside", look_outside, true, false },
	{ "map memory", map_memory, true, false },
	{ "read a file above the directory", read_above, false, true },
	{ "read a directory outside", read_outside, false, true },
	{ "read a file through a link that leads out", read_link_out, false, true },
	{ "read /etc/passwd", read_passwd, false, true },
	{ "read /proc", read_proc, false, true },
	{ "list the directory", list_here, false, true },
	{ "write a file", write_here, false, false },
	{ "open one for reading and writing", read_and_write_here, false, false },
	{ "create one", create_here, false, false },
	{ "create one without a name", create_unnamed, false, false },
	{ "truncate one as it is opened", truncate_here, false, false },
	{ "truncate one", truncate_it, false, false },
	{ "remove one", unlink_here, false, false },
	{ "rename one", rename_here, false, false },
	{ "link one", link_here, false, false },
	{ "make a symbolic link", symlink_here, false, false },
	{ "make a directory", make_directory, false, false },
	{ "make a FIFO", make_node, false, false },
	{ "change a mode", change_mode, false, false },
	{ "change an owner", change_owner, false, false },
	{ "go to another directory", change_directory, false, false },
	{ "change its limits", change_limits, false, false },
	{ "start a process", start_process, false, false },
	{ "run a program", run_program, false, false },
	{ "send a signal", send_signal, false, false },
	{ "trace another process", trace_parent, false, false },
	{ "read another process's memory", read_memory_of_parent, false, false },
	{ "make a UNIX socket", unix_socket, false, false },
	{ "make an IPv4 socket", inet_socket, false, false },
	{ "make a netlink socket", netlink_socket, false, false },
	{ "make a pair of sockets", socket_pair, false, false },
	{ "make a namespace", new_namespace, false, false },
	{ "mount", mount_it, false, false },
	{ "become root", become_root, false, false },
	{ "set capabilities", set_capabilities, false, false },
	{ "use bpf", use_bpf, false, false },
	{ "use io_uring", use_io_uring, false, false },
	{ "use perf events", use_perf, false, false },
	{ "use userfaultfd", use_userfaultfd, false, false },
	{ "use keyrings", use_keyring, false, false },
	{ "make a file in memory", make_memfd, false, false },
	{ "open a file by another call", open_by_openat2, false, false },
	{ "lift the filter", lift_the_filter, false, false },
};

static void write_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write_all(fd, "text", 4) < 0 || close(fd) < 0)
		abort();
}

static void make_files(void)
{
	if (!mkdtemp(outside) || chdir(outside) < 0 || mkdir("here", 0755) < 0 || mkdir("here/below", 0755) < 0 ||
	    symlink("/etc/passwd", "here/link") < 0)
		abort();
	write_file("file");
	write_file("here/file");
	write_file("here/below/file");
}

static void remove_files(void)
{
	static const char *const files[] = { "here/below/file", "here/file", "here/link", "here/new", "here/other", "file" };

	if (chdir(outside) < 0)
		return;
	for (size_t i = 0; i < ELEMENTS(files); i++)
		(void) unlink(files[i]);
	(void) rmdir("here/new");
	(void) rmdir("here/below");
	(void) rmdir("here");
	(void) rmdir(outside);
}

int main(void)
{
	bool has_landlock = syscall(444, NULL, 0, 1) > 0;

	if (SANITIZED) {
		skip("a sanitizer needs calls of its own", "confinement");
		return done_testing();
	}
	make_files();
	for (size_t i = 0; i < ELEMENTS(rows); i++)
		if (rows[i].is_allowed)
			ok(run(rows[i].call) == 0, "a confined process can %s", rows[i].name);
		else if (rows[i].needs_landlock && !has_landlock)
			skip("this kernel has no Landlock", rows[i].name);
		else
			ok(run(rows[i].call) == -1, "a confined process cannot %s", rows[i].name);
	remove_files();
	return done_testing();
}
