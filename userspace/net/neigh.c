/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbour messages. See neigh.h.
 */
#include "net/neigh.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

bool neigh_parse(const struct nlmsghdr *message, struct neigh_facts *ret)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *tb[NDA_LLADDR + 1];
	struct neigh_facts facts = {0};

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || (info->ndm_flags & NTF_PROXY) ||
	    info->ndm_ifindex <= 0)
		return false;
	netlink_attributes(message, sizeof(*info), tb, NDA_LLADDR);
	if (!netlink_addr(tb[NDA_DST], info->ndm_family, &facts.key.addr))
		return false;
	facts.key.ifindex = (uint32_t)info->ndm_ifindex;
	facts.state = message->nlmsg_type == RTM_DELNEIGH ? 0 : info->ndm_state;
	if (tb[NDA_LLADDR] && mnl_attr_get_payload_len(tb[NDA_LLADDR]) == 6)
		memcpy(facts.mac, mnl_attr_get_payload(tb[NDA_LLADDR]), 6);
	*ret = facts;
	return true;
}

bool neigh_is_usable(const struct neigh_facts *neigh)
{
	static const uint8_t none[6];

	/* NOARP entries of groups have group addresses; those are no next hops. */
	return (neigh->state & NUD_USABLE) && !(neigh->mac[0] & 1) &&
	       memcmp(neigh->mac, none, sizeof(none)) != 0;
}

bool neigh_wants_probe(const struct neigh_facts *neigh)
{
	return neigh->state == 0 || (neigh->state & (NUD_STALE | NUD_FAILED));
}

static struct nlmsghdr *neigh_request(char *buffer, uint16_t type, int family, uint32_t ifindex)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *info;

	request->nlmsg_type = type;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ndm_family = (uint8_t)family;
	info->ndm_ifindex = (int)ifindex;
	return request;
}

static struct nlmsghdr *neigh_request_one(char *buffer, uint16_t type, const struct neigh_key *key)
{
	struct nlmsghdr *request = neigh_request(buffer, type, netlink_family(&key->addr),
						 key->ifindex);

	mnl_attr_put(request, NDA_DST, addr_ip_len(&key->addr), key->addr.ip);
	return request;
}

static void take_one(void *ctx, const struct nlmsghdr *answer)
{
	neigh_parse(answer, ctx);
}

int neigh_query(struct netlink *nl, const struct neigh_key *key, struct neigh_facts *ret)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct neigh_facts facts = {0};
	int err = netlink_ask(nl, neigh_request_one(buffer, RTM_GETNEIGH, key), take_one, &facts);

	if (err && err != -ENOENT)
		return err;
	facts.key = *key;
	*ret = facts;
	return 0;
}

struct each_neigh {
	void (*each)(void *ctx, const struct neigh_facts *neigh);
	void *ctx;
};

static void take_each(void *ctx, const struct nlmsghdr *answer)
{
	const struct each_neigh *e = ctx;
	struct neigh_facts facts;

	if (neigh_parse(answer, &facts))
		e->each(e->ctx, &facts);
}

int neigh_dump(struct netlink *nl, void (*each)(void *ctx, const struct neigh_facts *neigh),
	       void *ctx)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct each_neigh e = {.each = each, .ctx = ctx};
	int err = netlink_dump(nl, neigh_request(buffer, RTM_GETNEIGH, AF_INET, 0), NULL, take_each,
			       &e);

	if (!err)
		err = netlink_dump(nl, neigh_request(buffer, RTM_GETNEIGH, AF_INET6, 0), NULL,
				   take_each, &e);
	return err;
}

int neigh_probe(struct netlink *nl, const struct neigh_key *key)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct nlmsghdr *request;
	struct neigh_facts now;
	struct ndmsg *info;
	int err = neigh_query(nl, key, &now);

	/*
	 * NTF_USE takes NUD_PERMANENT away from an entry that has it (Linux 5.16 and later), and an
	 * administrator may have just made this one permanent: look before asking.
	 */
	if (err || !neigh_wants_probe(&now))
		return err;
	request = neigh_request_one(buffer, RTM_NEWNEIGH, key);
	request->nlmsg_flags |= NLM_F_CREATE;
	info = mnl_nlmsg_get_payload(request);
	info->ndm_flags = NTF_USE;
	return netlink_ask(nl, request, NULL, NULL);
}
