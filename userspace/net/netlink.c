/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the kernel over rtnetlink. See netlink.h.
 *
 * The message loop is our own and not mnl_cb_run: that one stops in the middle of a dump which
 * was interrupted, and the rest would be taken for answers to the next question.
 */
#include "net/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_ATTEMPTS 5

int netlink_open(struct netlink *ret)
{
	struct netlink nl = {.buffer = malloc(NETLINK_BUFFER_SIZE)};

	if (!nl.buffer)
		return -ENOMEM;
	nl.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl.socket || mnl_socket_bind(nl.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int err = -errno;

		netlink_close(&nl);
		return err;
	}
	*ret = nl;
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl->buffer);
	*nl = (struct netlink){0};
}

struct conversation {
	netlink_answer answer;
	void *ctx;
	uint32_t sequence;
	bool interrupted;
};

/* The error code that NLMSG_ERROR and, since Linux 5.0 or so, NLMSG_DONE begin with. */
static int message_status(const struct nlmsghdr *message)
{
	int status;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(status))
		return message->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&status, mnl_nlmsg_get_payload(message), sizeof(status));
	return status;
}

/* 1: more to come. 0 or -errno: this was the end. */
static int take_messages(struct conversation *talk, const char *buffer, int len)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)buffer;

	for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len)) {
		if (message->nlmsg_seq != talk->sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			talk->interrupted = true;
		switch (message->nlmsg_type) {
		case NLMSG_NOOP:
			break;
		case NLMSG_ERROR:
			return message_status(message);
		case NLMSG_DONE:
			return talk->interrupted ? -EAGAIN : message_status(message);
		default:
			if (talk->answer)
				talk->answer(talk->ctx, message);
		}
	}
	return 1;
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_answer answer, void *ctx)
{
	struct conversation talk = {.answer = answer, .ctx = ctx, .sequence = ++nl->sequence};
	int err;

	request->nlmsg_seq = talk.sequence;
	request->nlmsg_flags |= NLM_F_REQUEST;
	/* A dump ends with NLMSG_DONE; an acknowledgement ends everything else. */
	if ((request->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t n = mnl_socket_recvfrom(nl->socket, nl->buffer, NETLINK_BUFFER_SIZE);

		if (n < 0 && errno == EINTR)
			err = 1;
		else if (n < 0)
			err = -errno;
		else
			err = take_messages(&talk, nl->buffer, (int)n);
	} while (err == 1);
	return err;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *request, void (*restart)(void *ctx),
		 netlink_answer answer, void *ctx)
{
	int err = -EAGAIN;

	request->nlmsg_flags |= NLM_F_DUMP;
	for (int i = 0; i < DUMP_ATTEMPTS && err == -EAGAIN; i++) {
		if (restart)
			restart(ctx);
		err = netlink_ask(nl, request, answer, ctx);
	}
	return err;
}

static void take_attribute(const struct nlattr *attribute, const struct nlattr **ret,
			   unsigned int max)
{
	unsigned int type = mnl_attr_get_type(attribute);

	if (type <= max)
		ret[type] = attribute;
}

void netlink_attributes(const struct nlmsghdr *message, size_t header_len,
			const struct nlattr **ret, unsigned int max)
{
	const struct nlattr *attribute;

	memset(ret, 0, (max + 1) * sizeof(*ret));
	mnl_attr_for_each(attribute, message, header_len) take_attribute(attribute, ret, max);
}

void netlink_nested(const struct nlattr *parent, const struct nlattr **ret, unsigned int max)
{
	const struct nlattr *attribute;

	memset(ret, 0, (max + 1) * sizeof(*ret));
	if (!parent)
		return;
	mnl_attr_for_each_nested(attribute, parent) take_attribute(attribute, ret, max);
}

uint16_t netlink_u16(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(uint16_t))
		return 0;
	return mnl_attr_get_u16(attribute);
}

uint32_t netlink_u32(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
		return 0;
	return mnl_attr_get_u32(attribute);
}

bool netlink_addr(const struct nlattr *attribute, int family, struct addr *ret)
{
	const uint8_t *bytes = attribute ? mnl_attr_get_payload(attribute) : NULL;
	size_t len = attribute ? mnl_attr_get_payload_len(attribute) : 0;

	if (family == AF_INET && len == 4)
		*ret = addr_make_v4(bytes, 0);
	else if (family == AF_INET6 && len == 16)
		*ret = addr_make_v6(bytes, 0);
	else
		return false;
	return true;
}

int netlink_family(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? AF_INET : AF_INET6;
}
