/* Whether a process of this unit can reach the host itself: left4me-fetch-script(8), "What it refuses". */
#pragma once

/*
 * Sends an empty datagram to each address of each interface, loopback included. Returns 0 if the kernel refused all of
 * them; 1 with the first one that it let pass, "ADDRESS of INTERFACE", owned by the caller; -errno if the addresses
 * cannot be listed.
 */
int probe_own_addresses(char **ret_address);
