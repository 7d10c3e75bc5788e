"""fill.py DIRECTORY: as a server's user, fills the file system in each way there is, by copy-up of `copied` last.
Prints how each way ended, one a line."""
import errno
import mmap
import os
import resource
import sys

PAGE = 4096


def write_all(top):
    fd = os.open(f"{top}/written", os.O_CREAT | os.O_WRONLY)
    while True:
        os.write(fd, bytes(1 << 16))


def allocate(top):
    os.posix_fallocate(os.open(f"{top}/allocated", os.O_CREAT | os.O_WRONLY), 0, 20 << 20)


def map_holes(top):
    """Pages of a file that has no blocks yet: the kernel looks for room when they are first written."""
    fd = os.open(f"{top}/mapped", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 30 << 20)
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with mmap.mmap(fd, 30 << 20) as pages:
            for at in range(0, 30 << 20, PAGE):
                pages[at] = 1
        os._exit(0)
    if os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        raise OSError(errno.ENOSPC, "a signal")


def make_directories(top):
    for number in range(100000):
        os.mkdir(f"{top}/directory{number}")


def make_small_files(top):
    for number in range(100000):
        fd = os.open(f"{top}/small{number}", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"x" * PAGE)
        os.close(fd)


def set_attributes(top):
    for number in range(100000):
        os.setxattr(f"{top}/mapped", f"user.a{number}", b"x" * 3000)


def copy_up(top):
    for name in sorted(os.listdir(f"{top}/copied")):
        with open(f"{top}/copied/{name}", "ab") as file:
            file.write(b"x")


def main():
    for way in (write_all, allocate, map_holes, make_directories, make_small_files, set_attributes, copy_up):
        try:
            way(sys.argv[1])
            print(f"{way.__name__}: does not end")
        except OSError as error:
            print(f"{way.__name__}: {errno.errorcode[error.errno]}")


main()
