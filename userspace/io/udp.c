/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets and batches over them. See udp.h.
 */
#include "io/udp.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"

/* Sets an option that must work for the socket to be what its caller asked for. */
static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/*
 * RFC 8656 15: what the relay sends may be fragmented unless the client asked otherwise, and the
 * kernel must not answer with a learned path MTU by setting DF.
 */
static int set_fragmentation(int fd, uint8_t family, bool dont_fragment)
{
	if (family == ADDR_IPV4)
		return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER,
				  dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	return set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
			  dont_fragment ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);
}

int udp_open(const struct addr *local, bool shared, int buffer_bytes)
{
	int family = local->family == ADDR_IPV4 ? AF_INET : AF_INET6;
	_cleanup_close_ int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage name;
	socklen_t name_len = addr_to_sockaddr(local, &name);
	int err;

	if (fd < 0)
		return -errno;
	/* An IPv6 socket is for IPv6 alone: the IPv4 address has a socket of its own. */
	if (family == AF_INET6) {
		err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		if (err < 0)
			return err;
	}
	if (shared) {
		err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
		if (err < 0)
			return err;
	}
	err = set_fragmentation(fd, local->family, false);
	if (err < 0)
		return err;
	/* Larger buffers are a wish: without privilege the system's limit holds. */
	if (buffer_bytes > 0) {
		if (set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes) < 0)
			set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
		if (set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes) < 0)
			set_option(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
	}
	if (bind(fd, (struct sockaddr *)&name, name_len) < 0)
		return -errno;
	return TAKE_FD(fd);
}

void udp_batch_init(struct udp_batch *batch)
{
	batch->count = 0;
	memset(batch->messages, 0, sizeof(batch->messages));
	for (size_t i = 0; i < UDP_BATCH; i++) {
		batch->iov[i].iov_base = batch->buffers[i];
		batch->iov[i].iov_len = sizeof(batch->buffers[i]);
		batch->messages[i].msg_hdr.msg_name = &batch->names[i];
		batch->messages[i].msg_hdr.msg_iov = &batch->iov[i];
		batch->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

int udp_receive(int fd, struct udp_batch *batch)
{
	int received;

	batch->count = 0;
	for (size_t i = 0; i < UDP_BATCH; i++)
		batch->messages[i].msg_hdr.msg_namelen = sizeof(batch->names[i]);
	do {
		received = recvmmsg(fd, batch->messages, UDP_BATCH, MSG_DONTWAIT, NULL);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (int i = 0; i < received; i++) {
		const struct msghdr *header = &batch->messages[i].msg_hdr;

		if (addr_from_sockaddr(header->msg_name, header->msg_namelen,
				       &batch->items[batch->count].from) < 0)
			continue;
		batch->items[batch->count++].data = span_make(batch->buffers[i],
							      batch->messages[i].msg_len);
	}
	return (int)batch->count;
}

void udp_queue_init(struct udp_queue *queue)
{
	memset(queue->messages, 0, sizeof(queue->messages));
	queue->fd = -1;
	queue->count = 0;
	queue->sent = queue->dropped = 0;
	for (size_t i = 0; i < UDP_BATCH; i++) {
		queue->messages[i].msg_hdr.msg_name = &queue->names[i];
		queue->messages[i].msg_hdr.msg_iov = queue->iov[i];
	}
}

void udp_queue_send(struct udp_queue *queue, int fd, const struct addr *to,
		    const struct span parts[static UDP_PARTS])
{
	if (queue->count == UDP_BATCH || (queue->count > 0 && queue->fd != fd))
		udp_queue_flush(queue);

	size_t at = queue->count++;
	struct msghdr *header = &queue->messages[at].msg_hdr;

	ASSERT(parts[0].len <= UDP_COPY_MAX);
	queue->fd = fd;
	header->msg_namelen = addr_to_sockaddr(to, &queue->names[at]);
	header->msg_iovlen = 0;
	for (size_t i = 0; i < UDP_PARTS; i++) {
		struct iovec *iov = &queue->iov[at][header->msg_iovlen];

		if (parts[i].len == 0)
			continue;
		iov->iov_base = (void *)(uintptr_t)parts[i].data;
		iov->iov_len = parts[i].len;
		if (i == 0)
			iov->iov_base = memcpy(queue->copies[at], parts[0].data, parts[0].len);
		header->msg_iovlen++;
	}
}

/*
 * A datagram that cannot be sent is lost, as on any network: the ones behind it still go out. An
 * error here may also be an earlier ICMP error that the kernel reports late; then the datagram
 * itself was not tried, so it is tried once more.
 */
void udp_queue_flush(struct udp_queue *queue)
{
	size_t done = 0;
	bool retried = false;

	while (done < queue->count) {
		int sent = sendmmsg(queue->fd, queue->messages + done,
				    (unsigned int)(queue->count - done), MSG_DONTWAIT);

		if (sent > 0) {
			queue->sent += (uint64_t)sent;
			done += (size_t)sent;
			retried = false;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno != EAGAIN && !retried) {
			retried = true;
			continue;
		}
		queue->dropped++;
		done++;
		retried = false;
	}
	queue->count = 0;
	queue->fd = -1;
}

int udp_send_dont_fragment(int fd, const struct addr *to, struct span data)
{
	struct sockaddr_storage name;
	socklen_t name_len = addr_to_sockaddr(to, &name);
	int err = set_fragmentation(fd, to->family, true);

	if (err < 0)
		return err;
	if (sendto(fd, data.data, data.len, MSG_DONTWAIT, (struct sockaddr *)&name, name_len) < 0)
		err = -errno;
	set_fragmentation(fd, to->family, false);
	return err;
}
