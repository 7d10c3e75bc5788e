#include "fetch-probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "privileged.h"

static void free_addresses(struct ifaddrs **addresses)
{
	freeifaddrs(*addresses);
}

/*
 * The filters of a unit (IPAddressDeny=, RestrictNetworkInterfaces=; systemd.resource-control(5)) refuse a datagram when it
 * is sent, with EPERM. TCP would tell nothing: the packets are dropped and connect(2) waits. EADDRNOTAVAIL comes from an
 * IPv6 address that has not passed duplicate address detection, as long as its interface has no carrier; the host does
 * not answer on it. Any other error proves no filter.
 */
static bool is_refused(int family, const struct sockaddr *address, socklen_t size)
{
	cleanup_close int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && sendto(fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL, address, size) < 0 &&
	       (errno == EPERM || (errno == EADDRNOTAVAIL && family == AF_INET6));
}

static bool may_be_reached(const struct sockaddr *address, char *text, size_t size)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	switch (address->sa_family) {
	case AF_INET:
		memcpy(&in, address, sizeof(in));
		in.sin_port = htons(DISCARD_PORT);
		(void) inet_ntop(AF_INET, &in.sin_addr, text, (socklen_t) size);
		return !is_refused(AF_INET, (struct sockaddr *) &in, sizeof(in));
	case AF_INET6:
		memcpy(&in6, address, sizeof(in6));
		in6.sin6_port = htons(DISCARD_PORT);
		(void) inet_ntop(AF_INET6, &in6.sin6_addr, text, (socklen_t) size);
		return !is_refused(AF_INET6, (struct sockaddr *) &in6, sizeof(in6));
	default:
		return false;
	}
}

int probe_own_addresses(char **ret_address)
{
	cleanup(free_addresses) struct ifaddrs *addresses = NULL;

	if (getifaddrs(&addresses) < 0)
		return -errno;
	for (const struct ifaddrs *a = addresses; a; a = a->ifa_next) {
		char text[INET6_ADDRSTRLEN] = "";

		if (a->ifa_addr && may_be_reached(a->ifa_addr, text, sizeof(text))) {
			*ret_address = xasprintf("%s of %s", text, a->ifa_name);
			return 1;
		}
	}
	return 0;
}
