/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets and batches over them. See udp.h.
 */
#include "io/udp.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"

/* Sets an option that must work for the socket to be what its caller asked for. */
static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/*
 * RFC 8656 14: what the relay sends may be fragmented unless the client asked otherwise, and the
 * kernel must not answer with a learned path MTU by setting DF. Over IPv4 both OMIT and DONT leave
 * DF clear, but with DONT the kernel keeps "fragmentation needed" to itself, which the kernel path
 * and DONT-FRAGMENT can cause; and with OMIT it does not believe a forged one. Over IPv6 nobody on
 * the way fragments, so there the learned MTU is needed, and DONT reports as well.
 */
static int set_fragmentation(int fd, uint8_t family, bool dont_fragment)
{
	if (family == ADDR_IPV4)
		return set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER,
				  dont_fragment ? IP_PMTUDISC_DO : IP_PMTUDISC_OMIT);
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

int udp_report_errors(int fd, enum addr_family family)
{
	return family == ADDR_IPV4 ? set_option(fd, IPPROTO_IP, IP_RECVERR, 1)
				   : set_option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

/* The kernel's account of an error in a message from the error queue; NULL if there is none. */
static const struct sock_extended_err *extended_error(struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			return (const struct sock_extended_err *)(const void *)CMSG_DATA(c);
	return NULL;
}

/* RFC 792 and RFC 4443: how a router says that a datagram is too large. */
static bool is_too_large(const struct udp_error *e)
{
	return e->to.family == ADDR_IPV4 ? e->type == 3 && e->code == 4 : e->type == 2;
}

static bool read_error(struct msghdr *header, struct udp_error *ret)
{
	const struct sock_extended_err *e = extended_error(header);

	if (!e || addr_from_sockaddr(header->msg_name, header->msg_namelen, &ret->to) < 0)
		return false;
	ret->local = e->ee_origin == SO_EE_ORIGIN_LOCAL;
	if (ret->local && e->ee_errno == EMSGSIZE) {
		ret->type = ret->to.family == ADDR_IPV4 ? 3 : 2;
		ret->code = ret->to.family == ADDR_IPV4 ? 4 : 0;
	} else if (e->ee_origin == SO_EE_ORIGIN_ICMP || e->ee_origin == SO_EE_ORIGIN_ICMP6) {
		ret->type = e->ee_type;
		ret->code = e->ee_code;
	} else {
		return false;
	}
	ret->mtu = is_too_large(ret) ? e->ee_info : 0;
	return true;
}

int udp_receive_errors(int fd, struct udp_errors *ret)
{
	/* The error, and the address of who told it. */
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct sock_extended_err) +
					 sizeof(struct sockaddr_in6))];
	} control[UDP_ERRORS];
	struct sockaddr_storage names[UDP_ERRORS];
	struct mmsghdr messages[UDP_ERRORS] = {0};
	int received;

	ret->count = 0;
	for (size_t i = 0; i < UDP_ERRORS; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
						      .msg_namelen = sizeof(names[i]),
						      .msg_control = &control[i],
						      .msg_controllen = sizeof(control[i])};
	do {
		received = recvmmsg(fd, messages, UDP_ERRORS, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == EAGAIN ? 0 : -errno;
	for (int i = 0; i < received; i++)
		if (read_error(&messages[i].msg_hdr, &ret->items[ret->count]))
			ret->count++;
	return received;
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
	/* An error that is about an earlier datagram comes once, as in udp_queue_flush. */
	for (int attempt = 0; attempt < 2; attempt++) {
		ssize_t sent = sendto(fd, data.data, data.len, MSG_DONTWAIT,
				      (struct sockaddr *)&name, name_len);

		err = sent < 0 ? -errno : 0;
		if (err == 0 || err == -EAGAIN || err == -EMSGSIZE)
			break;
	}
	set_fragmentation(fd, to->family, false);
	return err;
}
