/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rtnetlink socket for questions: send a request, read its answers to the end. Knows the
 * envelope of messages, not what they say.
 */
#ifndef TURNPIKE_NET_NETLINK_H
#define TURNPIKE_NET_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

/* Dumps come in pieces of up to 32 KiB; a link with many virtual functions needs more. */
#define NETLINK_BUFFER_SIZE  (64 * 1024)
#define NETLINK_REQUEST_SIZE 512

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	char *buffer;
};

/* Zero a struct netlink before; netlink_close takes one that was never opened. 0 or -errno. */
int netlink_open(struct netlink *ret);
void netlink_close(struct netlink *nl);

/* Called for each answer. */
typedef void (*netlink_answer)(void *ctx, const struct nlmsghdr *answer);

/*
 * Sends the request (its flags say whether it is a dump) and reads all answers. Returns 0, or
 * -errno from the kernel or the socket; -EAGAIN for a dump that was overtaken by changes, which
 * netlink_dump retries.
 */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_answer answer, void *ctx);

/*
 * A dump, repeated until it is of one piece, a few times at most: answers may be seen twice.
 * restart, if not NULL, is called before each attempt so that the caller can begin anew.
 */
int netlink_dump(struct netlink *nl, struct nlmsghdr *request, void (*restart)(void *ctx),
		 netlink_answer answer, void *ctx);

/* Attributes by type; those above max are left out. Entries that are not there are NULL. */
void netlink_attributes(const struct nlmsghdr *message, size_t header_len,
			const struct nlattr **ret, unsigned int max);
void netlink_nested(const struct nlattr *parent, const struct nlattr **ret, unsigned int max);

/* 0 if the attribute is not there or too short. */
uint16_t netlink_u16(const struct nlattr *attribute);
uint32_t netlink_u32(const struct nlattr *attribute);
/* False, and nothing written, if the attribute is not an address of that AF_ family. */
bool netlink_addr(const struct nlattr *attribute, int family, struct addr *ret);

/* AF_INET or AF_INET6. */
int netlink_family(const struct addr *a);

#define _cleanup_netlink_ CLEANUP(netlink_close)

#endif
