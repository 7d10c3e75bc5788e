/*
 * Whether a process of this unit can reach the host itself (facts in left4me-fetch-script(8), "What it refuses").
 */
#pragma once

/*
 * Sends one empty datagram to each address of each interface, loopback included. 0 when the kernel refused every
 * one of them; 1 when it did not, then *ret_address says which; -errno when the addresses cannot be listed.
 */
int probe_own_addresses(char **ret_address);
