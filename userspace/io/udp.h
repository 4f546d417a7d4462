/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets and batches over them: recvmmsg in, sendmmsg out. Knows nothing of STUN.
 */
#ifndef TURNPIKE_IO_UDP_H
#define TURNPIKE_IO_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/span.h"

#define UDP_BATCH	 64
#define UDP_DATAGRAM_MAX 65535
/* Bytes of a datagram's own that udp_queue copies: any STUN message we build, any header. */
#define UDP_COPY_MAX	 1600
#define UDP_PARTS	 3

/*
 * Opens a non-blocking socket bound to local (port 0: any). `shared` sets SO_REUSEPORT. DF is
 * clear on what is sent. Returns the descriptor or -errno.
 */
int udp_open(const struct addr *local, bool shared, int buffer_bytes);

/*
 * ICMP errors about what the socket sent, or what was sent in its name, can be read from now on:
 * udp_receive_errors. The next call on the socket may fail once for such an error, and the socket
 * polls as readable while there is one. 0 or -errno.
 */
int udp_report_errors(int fd, enum addr_family family);

#define UDP_ERRORS 16

struct udp_error {
	struct addr to; /* where the datagram went; port 0 where the kernel does not say */
	/* True: this host found it too large, nothing left. Type, code and MTU are then those that
	 * a router would have answered. */
	bool local;
	uint8_t type, code; /* of ICMP or ICMPv6, by the family of `to` */
	uint32_t mtu;	    /* of the next hop, if the datagram was too large for it; else 0 */
};

struct udp_errors {
	size_t count;
	struct udp_error items[UDP_ERRORS];
};

/* Reads what is there, at most UDP_ERRORS. Returns how many were there, 0 for none, or -errno;
 * those that are neither ICMP nor about a size are read and left out of *ret. */
int udp_receive_errors(int fd, struct udp_errors *ret);

/* One batch of datagrams; big, so it lives in its worker. */
struct udp_batch {
	size_t count;
	struct {
		struct addr from;
		struct span data;
	} items[UDP_BATCH];
	struct mmsghdr messages[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct sockaddr_storage names[UDP_BATCH];
	uint8_t buffers[UDP_BATCH][UDP_DATAGRAM_MAX + 1];
};

void udp_batch_init(struct udp_batch *batch);
/*
 * Reads what is there, at most UDP_BATCH datagrams, into batch->items. Returns how many, 0 if
 * there is none, or -errno (with udp_report_errors also that of an ICMP error, once).
 */
int udp_receive(int fd, struct udp_batch *batch);

/*
 * Datagrams waiting to leave through one socket at a time. Parts are borrowed until the flush,
 * but bytes up to UDP_COPY_MAX in the first part are copied.
 */
struct udp_queue {
	int fd; /* of what is queued, -1 if empty */
	size_t count;
	struct mmsghdr messages[UDP_BATCH];
	struct iovec iov[UDP_BATCH][UDP_PARTS];
	struct sockaddr_storage names[UDP_BATCH];
	uint8_t copies[UDP_BATCH][UDP_COPY_MAX];
	uint64_t sent, dropped; /* datagrams; dropped: the socket's buffer was full, or an error */
};

void udp_queue_init(struct udp_queue *queue);
/* Queues one datagram; flushes first if fd differs or the queue is full. */
void udp_queue_send(struct udp_queue *queue, int fd, const struct addr *to,
		    const struct span parts[static UDP_PARTS]);
void udp_queue_flush(struct udp_queue *queue);

/* Sends one datagram with DF set, at once. 0 or -errno (-EMSGSIZE: larger than the MTU, which
 * udp_receive_errors then tells). */
int udp_send_dont_fragment(int fd, const struct addr *to, struct span data);

#endif
