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
 * there is none, or -errno (ICMP errors on unconnected sockets are not reported here).
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

/* Sends one datagram with DF set, at once. 0 or -errno (-EMSGSIZE: larger than the path's MTU). */
int udp_send_dont_fragment(int fd, const struct addr *to, struct span data);

#endif
