/* srcds_linux: stand-in for the game's server, a program for i386 (or x86-64) with no library.
 *
 * Prints what it sees of its directory, binds +hostport over UDP and TCP, ends with 0 on SIGINT. Like the real one it
 * makes memory executable that was written to. With -stubborn it has no handler. Lines go to standard output:
 *
 *   srcds_linux: pid 2, bits 32
 *   srcds_linux: argument +map
 *   srcds_linux: file left4dead2/cfg/server.cfg: first line of the file
 *   srcds_linux: text relocation possible
 *   srcds_linux: bound udp 27015
 *   srcds_linux: ready
 */

#ifdef __i386__
enum { SYS_EXIT = 1, SYS_READ = 3, SYS_WRITE = 4, SYS_OPEN = 5, SYS_CLOSE = 6, SYS_GETPID = 20, SYS_PAUSE = 29,
	SYS_MPROTECT = 125, SYS_GETDENTS64 = 220, SYS_SIGACTION = 174, SYS_SIGRETURN = 173,
	SYS_SOCKET = 359, SYS_BIND = 361, SYS_LISTEN = 363 };

static long call4(long number, long a, long b, long c, long d)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return result;
}
#else
enum { SYS_EXIT = 60, SYS_READ = 0, SYS_WRITE = 1, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_GETPID = 39, SYS_PAUSE = 34,
	SYS_MPROTECT = 10, SYS_GETDENTS64 = 217, SYS_SIGACTION = 13, SYS_SIGRETURN = 15,
	SYS_SOCKET = 41, SYS_BIND = 49, SYS_LISTEN = 50 };

static long call4(long number, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#endif

enum { SIGINT = 2, SA_RESTORER = 0x04000000, O_DIRECTORY = 0200000, DT_DIR = 4, DT_REG = 8, AF_INET = 2,
	STREAM = 1, DATAGRAM = 2, DEPTH_MAX = 6 };

struct action {
	void (*handler)(int number);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long long mask;
};

struct entry {
	unsigned long long inode, offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

struct address {
	unsigned short family, port;
	unsigned int address;
	char padding[8];
};

/* The compiler may ask for these two even without a library. */
void *memset(void *to, int value, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((char *) to)[i] = (char) value;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		((char *) to)[i] = ((const char *) from)[i];
	return to;
}

static char line[8192];
static unsigned long used;

static void put(const char *text)
{
	while (*text && used < sizeof(line) - 1)
		line[used++] = *text++;
}

static void put_number(unsigned long value)
{
	char digits[24], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = (char) ('0' + value % 10);
	while ((value /= 10) > 0);
	put(p);
}

/* One write a line, so that lines of several processes do not mix. */
static void begin(const char *text)
{
	used = 0;
	put("srcds_linux: ");
	put(text);
}

static void end(void)
{
	line[used++] = '\n';
	(void) call4(SYS_WRITE, 1, (long) line, (long) used, 0);
}

static void __attribute__((noreturn)) quit(int status)
{
	for (;;)
		(void) call4(SYS_EXIT, status, 0, 0, 0);
}

static int same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return *a == *b;
}

static void on_interrupt(int number)
{
	(void) number;
	begin("ends on SIGINT");
	end();
	quit(0);
}

void restore(void);
#ifdef __i386__
__asm__(".text\nrestore: movl $173, %eax\nint $0x80");
#else
__asm__(".text\nrestore: movl $15, %eax\nsyscall");
#endif

static void handle_interrupt(void)
{
	struct action action = { on_interrupt, SA_RESTORER, restore, 0 };

	(void) call4(SYS_SIGACTION, SIGINT, (long) &action, 0, 8);
}

static void show_file(const char *path)
{
	char text[200];
	long fd = call4(SYS_OPEN, (long) path, 0, 0, 0), n;

	begin("file ");
	put(path);
	if (fd >= 0) {
		n = call4(SYS_READ, fd, (long) text, sizeof(text) - 1, 0);
		(void) call4(SYS_CLOSE, fd, 0, 0, 0);
		put(": ");
		for (long i = 0; i < n && text[i] >= ' ' && text[i] <= '~'; i++)
			if (used < sizeof(line) - 1)
				line[used++] = text[i];
	}
	end();
}

static void show_directory(const char *path, int depth)
{
	char entries[4096], name[512];
	long fd = call4(SYS_OPEN, (long) path, O_DIRECTORY, 0, 0), n;

	if (fd < 0 || depth > DEPTH_MAX)
		return;
	while ((n = call4(SYS_GETDENTS64, fd, (long) entries, sizeof(entries), 0)) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *entry = (const struct entry *) (entries + at);
			unsigned long length = 0;
			const char *parts[] = { path, "/", entry->name };

			at += entry->length;
			if (same(entry->name, ".") || same(entry->name, ".."))
				continue;
			for (int i = same(path, ".") ? 2 : 0; i < 3; i++)
				for (const char *p = parts[i]; *p && length < sizeof(name) - 1; p++)
					name[length++] = *p;
			name[length] = '\0';
			if (entry->type == DT_DIR)
				show_directory(name, depth + 1);
			else if (entry->type == DT_REG)
				show_file(name);
		}
	}
	(void) call4(SYS_CLOSE, fd, 0, 0, 0);
}

static char page[4096 * 2];

static void relocate_text(void)
{
	unsigned long start = ((unsigned long) page + 4095) & ~4095ul;

	*(char *) start = (char) 0xc3;        /* ret */
	if (call4(SYS_MPROTECT, (long) start, 4096, 1 | 4, 0) == 0) {
		((void (*)(void)) start)();
		begin("text relocation possible");
	} else {
		begin("text relocation refused");
	}
	end();
}

static void bind_port(const char *name, int type, unsigned long port)
{
	struct address address = { AF_INET, (unsigned short) (port << 8 | port >> 8), 0, { 0 } };
	long fd = call4(SYS_SOCKET, AF_INET, type, 0, 0);
	long r = fd < 0 ? fd : call4(SYS_BIND, fd, (long) &address, sizeof(address), 0);

	if (r == 0 && type == STREAM)
		r = call4(SYS_LISTEN, fd, 8, 0, 0);
	begin(r == 0 ? "bound " : "cannot bind ");
	put(name);
	put(" ");
	put_number(port);
	if (r < 0) {
		put(": error ");
		put_number((unsigned long) -r);
	}
	end();
	if (r < 0)
		quit(1);
}

static int __attribute__((used)) run(int count, char **arguments)
{
	unsigned long port = 27015;
	int stubborn = 0;

	for (int i = 1; i < count; i++) {
		if (same(arguments[i], "-stubborn"))
			stubborn = 1;
		if (same(arguments[i], "-version"))
			quit(0);
	}
	if (!stubborn)
		handle_interrupt();
	begin("pid ");
	put_number((unsigned long) call4(SYS_GETPID, 0, 0, 0, 0));
	put(", bits ");
	put_number(sizeof(long) * 8);
	end();
	for (int i = 1; i < count; i++) {
		begin("argument ");
		put(arguments[i]);
		end();
		if (same(arguments[i], "+hostport") && i + 1 < count) {
			port = 0;
			for (const char *p = arguments[i + 1]; *p >= '0' && *p <= '9'; p++)
				port = port * 10 + (unsigned long) (*p - '0');
		}
	}
	show_directory(".", 0);
	relocate_text();
	bind_port("udp", DATAGRAM, port);
	bind_port("tcp", STREAM, port);
	begin("ready");
	end();
	for (;;)
		(void) call4(SYS_PAUSE, 0, 0, 0, 0);
}

#ifdef __i386__
__asm__(".globl _start\n_start: movl (%esp), %eax\nleal 4(%esp), %ecx\nandl $-16, %esp\nsubl $8, %esp\n"
	"pushl %ecx\npushl %eax\ncall run");
#else
__asm__(".globl _start\n_start: movq (%rsp), %rdi\nleaq 8(%rsp), %rsi\nandq $-16, %rsp\ncall run");
#endif
