/*
 * inject p|c NUMBER KIND COMMAND...
 *
 * Runs COMMAND with one fault: the NUMBER-th system call of its process (p) or of its child (c) is not made but fails with
 * the KIND-th of the errors below; with KIND 0 that process is killed in its place. Prints one line: 1 when there was such a
 * call and such an error, the call's name, the errno value, COMMAND's exit status (128 + N after signal N), and 1 when a
 * process was still there PATIENCE_MS after it. Exit status 0, or 2 when it could not be tried.
 *
 * By seccomp's user notifications (seccomp_unotify(2)): each call of both processes stops in the kernel until this
 * process has answered. So the calls of libc and of the dynamic linker are seen too, which a preloaded library does not
 * see, and a stop costs a tenth of what it costs under strace. The filter lets sendmsg(2) pass, by which it gets here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ERRORS_MAX = 5, PATIENCE_MS = 3000, LIMIT_SECONDS = 60 };

/* EINTR only where a signal without SA_RESTART can give it; what is not here can only be denied. */
static const struct call {
	int number;
	const char *name;
	int errors[ERRORS_MAX];
} calls[] = {
	{ SYS_read, "read", { EIO, EINTR } },
	{ SYS_pread64, "pread64", { EIO, EINTR } },
	{ SYS_write, "write", { EIO, ENOSPC, EDQUOT, EINTR } },
	{ SYS_pwrite64, "pwrite64", { EIO, ENOSPC, EDQUOT, EINTR } },
	{ SYS_openat, "openat", { EIO, EMFILE } },
	{ SYS_close, "close", { EIO, ENOSPC, EINTR } },
	{ SYS_newfstatat, "newfstatat", { EIO } },
	{ SYS_fstat, "fstat", { EIO } },
	{ SYS_statx, "statx", { EIO } },
#ifdef SYS_stat
	{ SYS_open, "open", { EIO, EMFILE } },
	{ SYS_stat, "stat", { EIO } },
	{ SYS_lstat, "lstat", { EIO } },
	{ SYS_access, "access", { EIO } },
	{ SYS_poll, "poll", { EINTR, ENOMEM } },
	{ SYS_mkdir, "mkdir", { ENOSPC, EDQUOT, EIO } },
	{ SYS_rename, "rename", { ENOSPC, EDQUOT, EIO } },
	{ SYS_rmdir, "rmdir", { EIO } },
	{ SYS_unlink, "unlink", { EIO } },
	{ SYS_readlink, "readlink", { EIO } },
	{ SYS_pipe, "pipe", { EMFILE } },
	{ SYS_fork, "fork", { EAGAIN, ENOMEM } },
	{ SYS_arch_prctl, "arch_prctl", { EINVAL } },
	{ SYS_alarm, "alarm", { EPERM } },
#endif
	{ SYS_faccessat, "faccessat", { EIO } },
	{ SYS_ppoll, "ppoll", { EINTR, ENOMEM } },
	{ SYS_mkdirat, "mkdirat", { ENOSPC, EDQUOT, EIO } },
	{ SYS_linkat, "linkat", { ENOSPC, EDQUOT, ENOENT } },
	{ SYS_symlinkat, "symlinkat", { ENOSPC, EDQUOT, EIO } },
	{ SYS_renameat, "renameat", { ENOSPC, EDQUOT, EIO } },
	{ SYS_unlinkat, "unlinkat", { EIO } },
	{ SYS_getdents64, "getdents64", { EIO } },
	{ SYS_lseek, "lseek", { EIO } },
	{ SYS_fcntl, "fcntl", { EIO, ENOLCK, EINTR } },
	{ SYS_flock, "flock", { EINTR, ENOLCK, EWOULDBLOCK } },
	{ SYS_chdir, "chdir", { EIO } },
	{ SYS_getcwd, "getcwd", { ENOENT } },
	{ SYS_fchmod, "fchmod", { EPERM } },
	{ SYS_fchown, "fchown", { EPERM } },
	{ SYS_fsync, "fsync", { EIO, ENOSPC } },
	{ SYS_fdatasync, "fdatasync", { EIO, ENOSPC } },
	{ SYS_ftruncate, "ftruncate", { EIO, EINTR } },
	{ SYS_brk, "brk", { ENOMEM } },
	{ SYS_mmap, "mmap", { ENOMEM } },
	{ SYS_mremap, "mremap", { ENOMEM } },
	{ SYS_mprotect, "mprotect", { ENOMEM } },
	{ SYS_munmap, "munmap", { ENOMEM } },
	{ SYS_madvise, "madvise", { ENOMEM } },
	{ SYS_pipe2, "pipe2", { EMFILE } },
	{ SYS_clone, "clone", { EAGAIN, ENOMEM } },
	{ SYS_wait4, "wait4", { EINTR, ECHILD } },
	{ SYS_kill, "kill", { ESRCH } },
	{ SYS_setuid, "setuid", { EPERM } },
	{ SYS_setgid, "setgid", { EPERM } },
	{ SYS_setgroups, "setgroups", { EPERM } },
	{ SYS_prctl, "prctl", { EPERM } },
	{ SYS_prlimit64, "prlimit64", { EPERM } },
	{ SYS_setitimer, "setitimer", { EINVAL } },
	{ SYS_rt_sigaction, "rt_sigaction", { EINVAL } },
	{ SYS_clock_nanosleep, "clock_nanosleep", { EINTR } },
	{ SYS_getrandom, "getrandom", { EINTR, ENOSYS } },
	{ SYS_execve, "execve", { ENOMEM } },
	{ SYS_set_tid_address, "set_tid_address", { 0 } },       /* this and the next cannot fail */
	{ SYS_set_robust_list, "set_robust_list", { 0 } },
	{ SYS_rseq, "rseq", { ENOSYS } },
	{ SYS_umask, "umask", { 0 } },
	{ SYS_geteuid, "geteuid", { 0 } },
	{ SYS_getpid, "getpid", { 0 } },
	{ SYS_exit_group, "exit_group", { 0 } },
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

/* In the command's process: after this nothing but sendmsg(2) passes without an answer. */
static int install_filter(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("PR_SET_NO_NEW_PRIVS");
	return (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Sends `fd` when it is not negative, else receives one. */
static int pass_descriptor(int socket, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

	if (fd < 0) {
		if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message))
			return -1;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
		return fd;
	}
	control.header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

/* Starts the command under the filter; gives its pid and the descriptor of the notifications. */
static pid_t start(char **command, int *ret_listener)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	pid = fork();
	if (pid == 0) {
		int listener = install_filter();

		if (listener < 0 || pass_descriptor(ends[1], listener) < 0)
			syscall(SYS_exit_group, 2);
		execv(command[0], command);
		_exit(127);
	}
	close(ends[1]);
	*ret_listener = pass_descriptor(ends[0], -1);
	close(ends[0]);
	if (*ret_listener < 0) {
		(void) fprintf(stderr, "inject: no seccomp notifications here\n");
		exit(2);
	}
	return pid;
}

static const struct call *find(int number)
{
	static const struct call other = { 0, "other", { EPERM } };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return &calls[i];
	return &other;
}

/* 0 when the call has no such error. */
static int kind_of_error(const struct call *call, const struct seccomp_data *data, int kind)
{
	int creating[] = { ENOSPC, EDQUOT };
	int count = 0;

	while (count < ERRORS_MAX && call->errors[count])
		count++;
	if (kind <= count)
		return call->errors[kind - 1];
	kind -= count + 1;
	return call->number == SYS_openat && (data->args[2] & O_CREAT) && kind < 2 ? creating[kind] : 0;
}

struct fault {
	bool in_child;
	int number, kind;
	pid_t command, child;
	int made[2];                   /* calls so far, of the command and of the child */
	bool reached;
	int error;
	const char *call;
};

static void answer(int listener, struct fault *fault, const struct seccomp_notif *notif)
{
	struct seccomp_notif_resp response = { .id = notif->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
	bool of_child = (pid_t) notif->pid != fault->command;

	if (of_child)
		fault->child = (pid_t) notif->pid;
	if (++fault->made[of_child] == fault->number && of_child == fault->in_child) {
		const struct call *call = find(notif->data.nr);

		fault->call = call->name;
		fault->reached = true;
		if (fault->kind == 0) {
			(void) kill((pid_t) notif->pid, SIGKILL);
			return;
		}
		fault->error = kind_of_error(call, &notif->data, fault->kind);
		fault->reached = fault->error != 0;
		if (fault->reached) {
			response.flags = 0;
			response.error = -fault->error;
		}
	}
	/* ENOENT: the process has been killed meanwhile */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0 && errno != ENOENT)
		die("SECCOMP_IOCTL_NOTIF_SEND");
}

static long long now_ms(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Answers until the last process under the filter has ended; returns how many had to be ended here. */
static int serve(int listener, struct fault *fault, int *ret_status)
{
	struct pollfd poller = { .fd = listener, .events = POLLIN };
	long long ended = 0;

	for (;;) {
		int ready = poll(&poller, 1, 50);

		if (ready == 0 && !ended && waitpid(fault->command, ret_status, WNOHANG) == fault->command)
			ended = now_ms();
		if (ready > 0 && (poller.revents & POLLIN)) {
			struct seccomp_notif notif = { 0 };

			if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0)
				answer(listener, fault, &notif);
			continue;
		}
		if (ready > 0 && (poller.revents & POLLHUP))
			break;
		if (ended && now_ms() - ended > PATIENCE_MS) {
			(void) kill(fault->child, SIGKILL);
			return 1;
		}
	}
	if (!ended)
		(void) waitpid(fault->command, ret_status, 0);
	return 0;
}

int main(int argc, char **argv)
{
	struct fault fault = { .call = "none" };
	int listener, left, status = 0;

	if (argc < 5)
		return 2;
	fault.in_child = argv[1][0] == 'c';
	fault.number = atoi(argv[2]);
	fault.kind = atoi(argv[3]);
	(void) alarm(LIMIT_SECONDS);
	fault.command = start(argv + 4, &listener);
	left = serve(listener, &fault, &status);
	printf("%d %s %d %d %d\n", fault.reached, fault.call, fault.error,
	       WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), left);
	return 0;
}
