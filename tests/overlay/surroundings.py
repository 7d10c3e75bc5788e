"""surroundings.py [WORD...]: prints what a process inherits, executed behind WORD... by uid 980 in surroundings of an odd kind."""
import os
import resource
import signal
import subprocess
import sys

STATUS = ("Umask", "TracerPid", "Uid", "Gid", "Groups", "SigPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm",
          "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed")
LOOK = r"""
import os
print([line for line in open("/proc/self/status") if line.split(":")[0] in %r])
for name in "environ", "limits", "cmdline", "oom_score_adj", "timerslack_ns", "personality":
    try:
        print(name, open("/proc/self/" + name).read().replace("\0", "|").replace(os.environ["PID"], "PID"))
    except OSError:
        pass
for fd in sorted(os.listdir("/proc/self/fd"), key=int):
    try:
        print(fd, os.readlink("/proc/self/fd/" + fd).split(":")[0], open("/proc/self/fdinfo/" + fd).read().split("\n")[1])
    except OSError:
        pass
print(os.getcwd(), os.getpriority(os.PRIO_PROCESS, 0), os.getsid(0) == os.getpid(), os.getpid() == int(os.environ["PID"]))
""" % (STATUS,)


def prepare():
    os.chdir("/usr")
    os.umask(0o137)
    resource.setrlimit(resource.RLIMIT_NOFILE, (777, 888))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 12345))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, signal.SIGALRM})
    os.nice(3)
    os.setgroups([])
    os.setresgid(981, 981, 981)
    os.setresuid(980, 980, 980)


read, write = os.pipe()
os.dup2(read, 41)
command = [*sys.argv[1:], "/usr/bin/python3", "-I", "-S", "-c", LOOK]
script = 'PID=$$; export PID; exec "$@"'
environment = {"L4D2_PORT": "27015", "LC_ALL": "xx_YY", "EMPTY": "", "PATH": "/nowhere", "LIBMOUNT_DEBUG": "all"}
done = subprocess.run(["/bin/sh", "-c", script, "sh", *command], env=environment, pass_fds=[0, 41], preexec_fn=prepare,
                      start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
print(done.stdout.decode())
