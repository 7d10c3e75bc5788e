/*
 * Ports that are in use on this host, as the kernel lists them: looking at them binds and changes nothing, and anybody may.
 */
#pragma once

#include "base.h"

struct port_in_use {
	unsigned port;
	const char *protocol;          /* "UDP" or "TCP", which listens */
	unsigned uid;                  /* of the process that made the socket */
};

struct sockets {
	struct port_in_use *list;
	size_t count;
};

/* Those that keep a server from an IPv4 port within first..last. The caller frees them. */
void sockets_read(unsigned first, unsigned last, struct sockets *ret_sockets);

void sockets_done(struct sockets *sockets);
