/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synchronous questions about this host, each over a socket of its own. Keeps nothing.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "net/link.h"
#include "net/net.h"
#include "net/netlink.h"
#include "net/route.h"

struct address_list {
	struct net_address *items;
	size_t count;
	size_t size;
	int err;
};

static void list_restart(void *ctx)
{
	struct address_list *list = ctx;

	list->count = 0;
}

static struct net_address *list_grow(struct address_list *list)
{
	if (list->count == list->size) {
		size_t size = list->size ? 2 * list->size : 16;
		struct net_address *items = reallocarray(list->items, size, sizeof(*items));

		if (!items) {
			list->err = -ENOMEM;
			return NULL;
		}
		list->items = items;
		list->size = size;
	}
	return &list->items[list->count];
}

static void take_address(void *ctx, const struct nlmsghdr *answer)
{
	const uint32_t unusable = IFA_F_TENTATIVE | IFA_F_DEPRECATED | IFA_F_DADFAILED;
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(answer);
	const struct nlattr *tb[IFA_FLAGS + 1];
	struct address_list *list = ctx;
	struct net_address *item = list_grow(list);
	uint32_t flags;

	if (!item || mnl_nlmsg_get_payload_len(answer) < sizeof(*info))
		return;
	netlink_attributes(answer, sizeof(*info), tb, IFA_FLAGS);
	*item = (struct net_address){.ifindex = info->ifa_index, .prefix_len = info->ifa_prefixlen};
	netlink_addr(tb[IFA_BROADCAST], info->ifa_family, &item->broadcast);
	/* On a point-to-point link IFA_ADDRESS is the other end's and IFA_LOCAL ours. */
	if (!netlink_addr(tb[IFA_LOCAL], info->ifa_family, &item->addr) &&
	    !netlink_addr(tb[IFA_ADDRESS], info->ifa_family, &item->addr))
		return;
	if (netlink_addr(tb[IFA_ADDRESS], info->ifa_family, &item->far_end) &&
	    addr_same_ip(&item->far_end, &item->addr))
		item->far_end = (struct addr){0};
	flags = tb[IFA_FLAGS] ? netlink_u32(tb[IFA_FLAGS]) : info->ifa_flags;
	item->global = info->ifa_scope == RT_SCOPE_UNIVERSE && !(flags & unusable);
	list->count++;
}

static void add_link_facts(void *ctx, const struct link_facts *link)
{
	struct address_list *list = ctx;

	for (size_t i = 0; i < list->count; i++) {
		struct net_address *item = &list->items[i];

		if (item->ifindex != link->link.ifindex)
			continue;
		memcpy(item->ifname, link->link.name, sizeof(item->ifname));
		item->up = link->link.up;
	}
}

static struct nlmsghdr *address_request(char *buffer)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *info;

	request->nlmsg_type = RTM_GETADDR;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifa_family = AF_UNSPEC;
	return request;
}

int net_list_addresses(struct net_address **ret, size_t *ret_count)
{
	_cleanup_netlink_ struct netlink nl = {0};
	char buffer[NETLINK_REQUEST_SIZE];
	struct address_list list = {0};
	int err = netlink_open(&nl);

	if (err)
		return err;
	err = netlink_dump(&nl, address_request(buffer), list_restart, take_address, &list);
	if (!err)
		err = link_dump(&nl, add_link_facts, &list);
	if (!err)
		err = list.err;
	if (err) {
		free(list.items);
		return err;
	}
	*ret = list.items;
	*ret_count = list.count;
	return 0;
}

int net_query_route(const struct addr *src, const struct addr *dst, unsigned int *ret_ifindex,
		    struct addr *ret_source)
{
	_cleanup_netlink_ struct netlink nl = {0};
	struct route_facts route;
	int err = netlink_open(&nl);

	if (!err)
		err = route_query(&nl, src, dst, &route);
	if (err)
		return err;
	*ret_ifindex = route.ifindex;
	*ret_source = route.source;
	return 0;
}

int net_query_bottom_link(const char *name, struct net_link *ret)
{
	_cleanup_netlink_ struct netlink nl = {0};
	struct link_facts facts;
	int err = netlink_open(&nl);

	if (!err)
		err = link_query(&nl, name, 0, &facts);
	for (int level = 0; !err && facts.vlan; level++) {
		if (level == NET_TAGS_MAX)
			err = -ELOOP;
		else if (!facts.below)
			err = -EXDEV;
		else
			err = link_query(&nl, NULL, facts.below, &facts);
	}
	if (!err)
		*ret = facts.link;
	return err;
}

int net_query_link(const char *name, struct net_link *ret)
{
	_cleanup_netlink_ struct netlink nl = {0};
	struct link_facts facts;
	int err = netlink_open(&nl);

	if (!err)
		err = link_query(&nl, name, 0, &facts);
	if (!err)
		*ret = facts.link;
	return err;
}
