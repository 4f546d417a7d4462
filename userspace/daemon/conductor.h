/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The conductor: reads datagrams from sockets, gives them to the state machine with time and
 * entropy, and carries its actions out on sockets and kernel flows, in order. It decides nothing
 * itself. One per worker.
 */
#ifndef TURNPIKE_DAEMON_CONDUCTOR_H
#define TURNPIKE_DAEMON_CONDUCTOR_H

#include <event2/event.h>

#include "daemon/flows.h"
#include "turn/turn.h"

/* X(name, meaning) */
#define CONDUCTOR_COUNTERS(X)                                                             \
	X(received, "datagrams read from sockets")                                        \
	X(sent, "datagrams handed to sockets")                                            \
	X(send_failures, "datagrams that a socket did not take: buffer full or no route") \
	X(too_large, "datagrams that DONT-FRAGMENT kept from leaving")                    \
	X(path_errors, "ICMP errors read from relay sockets")                             \
	X(receive_failures, "errors of reading a socket")                                 \
	X(relay_binds_refused, "relay ports that could not be bound")

struct conductor_counters {
#define X(name, meaning) uint64_t name;
	CONDUCTOR_COUNTERS(X)
#undef X
};

/*
 * The last descriptors that the process may have are not for relay ports: what clients can use up
 * would keep the control socket, and whatever else opens a file now and then, from working.
 */
#define CONDUCTOR_DESCRIPTOR_RESERVE 32

struct conductor;

/*
 * turn and flows are borrowed and must outlive the conductor's sockets. Returns 0 or -ENOMEM.
 */
int conductor_new(struct event_base *base, struct turn *turn, struct flows *flows,
		  struct conductor **ret);
/* Closes listeners and relays. Takes NULL. */
void conductor_free(struct conductor **conductor);

/* Serves clients on a bound socket, which it then owns (on failure too). 0 or -errno. */
int conductor_listen(struct conductor *conductor, const struct addr *local, int fd);

/* Expiry and what flows need; to be called several times a second. */
void conductor_tick(struct conductor *conductor);

/* Replaces the host's own addresses, and ends what is permitted to new ones. 0 or -ENOMEM. */
int conductor_set_own(struct conductor *conductor, const struct addr *own, size_t count);

const struct conductor_counters *conductor_counters(struct conductor *conductor);

#endif
