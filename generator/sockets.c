#include "sockets.h"

#include <string.h>

/* As proc_net_tcp.txt of the kernel's documentation calls it. */
enum { LISTENING = 0x0A };

struct line {
	char address[33];              /* as many digits as the family has */
	unsigned port, state, uid;
};

/* "SLOT: ADDRESS:PORT REMOTE:PORT STATE QUEUES TIMER:WHEN RETRANSMITS UID ...", numbers in hexadecimal but for the uid. */
static bool parse_line(const char *text, struct line *ret_line)
{
	return sscanf(text, " %*[^:]: %32[0-9A-F]:%x %*s %x %*s %*s %*s %u", ret_line->address, &ret_line->port,
		      &ret_line->state, &ret_line->uid) == 4;
}

/* Any address of IPv4; of IPv6 the one that stands for all of both, and those of IPv4 in its form. */
static bool is_in_the_way(const char *address)
{
	static const char any[] = "00000000000000000000000000000000", mapped[] = "0000000000000000FFFF0000";

	return strlen(address) == 8 || strcmp(address, any) == 0 || strncmp(address, mapped, sizeof(mapped) - 1) == 0;
}

static void read_list(const char *path, bool tcp, unsigned first, unsigned last, struct sockets *sockets)
{
	cleanup_fclose FILE *list = fopen(path, "re");
	cleanup_free char *text = NULL;
	struct line line;
	size_t size = 0;

	while (list && getline(&text, &size, list) > 0) {
		if (!parse_line(text, &line))
			continue;
		if (tcp && line.state != LISTENING)    /* behind the listening ones come connections, maybe very many */
			break;
		if (line.port < first || line.port > last || !is_in_the_way(line.address))
			continue;
		sockets->list = grow_array(sockets->list, sockets->count, sizeof(*sockets->list));
		sockets->list[sockets->count++] = (struct port_in_use){ line.port, tcp ? "TCP" : "UDP", line.uid };
	}
}

void sockets_read(unsigned first, unsigned last, struct sockets *ret_sockets)
{
	*ret_sockets = (struct sockets){ NULL, 0 };
	read_list("/proc/net/udp", false, first, last, ret_sockets);
	read_list("/proc/net/udp6", false, first, last, ret_sockets);
	read_list("/proc/net/tcp", true, first, last, ret_sockets);
	read_list("/proc/net/tcp6", true, first, last, ret_sockets);
}

void sockets_done(struct sockets *sockets)
{
	free(sockets->list);
	*sockets = (struct sockets){ NULL, 0 };
}
