/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link messages. See link.h.
 */
#include "net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* Not in the headers of all the systems we build on. */
#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define VLAN_ID_MASK	    0x0fff
#define VLAN_PRIORITY_SHIFT 13

static uint32_t parse_xdp_program(const struct nlattr *attribute)
{
	/* With programs of several modes on one link there is no IFLA_XDP_PROG_ID. */
	static const unsigned int ids[] = {IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID,
					   IFLA_XDP_HW_PROG_ID, IFLA_XDP_SKB_PROG_ID};
	const struct nlattr *xdp[IFLA_XDP_MAX + 1];
	uint32_t id = 0;

	netlink_nested(attribute, xdp, IFLA_XDP_MAX);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]) && !id; i++)
		id = netlink_u32(xdp[ids[i]]);
	return id;
}

static uint32_t parse_mtu6(const struct nlattr *attribute)
{
	const struct nlattr *families[AF_INET6 + 1], *inet6[IFLA_INET6_MAX + 1];
	int32_t conf[DEVCONF_MTU6 + 1];

	netlink_nested(attribute, families, AF_INET6);
	netlink_nested(families[AF_INET6], inet6, IFLA_INET6_MAX);
	if (!inet6[IFLA_INET6_CONF] ||
	    mnl_attr_get_payload_len(inet6[IFLA_INET6_CONF]) < sizeof(conf))
		return 0;
	memcpy(conf, mnl_attr_get_payload(inet6[IFLA_INET6_CONF]), sizeof(conf));
	return conf[DEVCONF_MTU6] > 0 ? (uint32_t)conf[DEVCONF_MTU6] : 0;
}

/*
 * Tagged by the egress map of the VLAN device as packets of a socket that sets no priority: theirs
 * is 0.
 */
static uint16_t parse_vlan_priority(const struct nlattr *egress)
{
	struct ifla_vlan_qos_mapping mapping;
	const struct nlattr *attribute;

	if (!egress)
		return 0;
	mnl_attr_for_each_nested(attribute, egress)
	{
		if (mnl_attr_get_payload_len(attribute) < sizeof(mapping))
			continue;
		memcpy(&mapping, mnl_attr_get_payload(attribute), sizeof(mapping));
		if (mapping.from == 0)
			return (uint16_t)((mapping.to & 7) << VLAN_PRIORITY_SHIFT);
	}
	return 0;
}

/* What the message says of a VLAN device; nothing for other kinds of links. */
static void parse_vlan(const struct nlattr *const *tb, struct link_facts *facts)
{
	const struct nlattr *info[IFLA_INFO_DATA + 1], *vlan[IFLA_VLAN_PROTOCOL + 1];
	const struct nlattr *kind;

	netlink_nested(tb[IFLA_LINKINFO], info, IFLA_INFO_DATA);
	kind = info[IFLA_INFO_KIND];
	if (!kind || mnl_attr_get_payload_len(kind) < sizeof("vlan") - 1 ||
	    strncmp(mnl_attr_get_str(kind), "vlan", mnl_attr_get_payload_len(kind)) != 0)
		return;
	netlink_nested(info[IFLA_INFO_DATA], vlan, IFLA_VLAN_PROTOCOL);
	facts->vlan = true;
	facts->tag.protocol = vlan[IFLA_VLAN_PROTOCOL]
				      ? ntohs(netlink_u16(vlan[IFLA_VLAN_PROTOCOL]))
				      : ETH_P_8021Q;
	facts->tag.tci = (netlink_u16(vlan[IFLA_VLAN_ID]) & VLAN_ID_MASK) |
			 parse_vlan_priority(vlan[IFLA_VLAN_EGRESS_QOS]);
	/* An index is of the namespace it is said to be of. */
	if (!tb[IFLA_LINK_NETNSID])
		facts->below = netlink_u32(tb[IFLA_LINK]);
}

bool link_parse(const struct nlmsghdr *message, struct link_facts *ret)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *tb[IFLA_XDP + 1];
	struct link_facts facts = {0};
	const unsigned int up = IFF_UP | IFF_RUNNING;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ifi_family != AF_UNSPEC ||
	    info->ifi_index <= 0)
		return false;
	netlink_attributes(message, sizeof(*info), tb, IFLA_XDP);
	facts.link.ifindex = (unsigned int)info->ifi_index;
	facts.link.up = (info->ifi_flags & up) == up;
	facts.link.mtu = netlink_u32(tb[IFLA_MTU]);
	facts.link.xdp_program = parse_xdp_program(tb[IFLA_XDP]);
	facts.mtu6 = parse_mtu6(tb[IFLA_AF_SPEC]);
	facts.ethernet = info->ifi_type == ARPHRD_ETHER;
	parse_vlan(tb, &facts);
	if (tb[IFLA_IFNAME])
		snprintf(facts.link.name, sizeof(facts.link.name), "%.*s",
			 (int)mnl_attr_get_payload_len(tb[IFLA_IFNAME]),
			 mnl_attr_get_str(tb[IFLA_IFNAME]));
	if (tb[IFLA_ADDRESS] && mnl_attr_get_payload_len(tb[IFLA_ADDRESS]) == 6)
		memcpy(facts.link.mac, mnl_attr_get_payload(tb[IFLA_ADDRESS]), 6);
	*ret = facts;
	return true;
}

static struct nlmsghdr *link_request(char *buffer, unsigned int ifindex)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	request->nlmsg_type = RTM_GETLINK;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)ifindex;
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return request;
}

static void take_one(void *ctx, const struct nlmsghdr *answer)
{
	link_parse(answer, ctx);
}

int link_query(struct netlink *nl, const char *name, unsigned int ifindex, struct link_facts *ret)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct nlmsghdr *request = link_request(buffer, name ? 0 : ifindex);
	struct link_facts facts = {0};
	int err;

	if (name && (!name[0] || strlen(name) >= IF_NAMESIZE))
		return -ENODEV;
	if (name)
		mnl_attr_put_strz(request, IFLA_IFNAME, name);
	err = netlink_ask(nl, request, take_one, &facts);
	if (err)
		return err;
	if (!facts.link.ifindex)
		return -ENODEV;
	*ret = facts;
	return 0;
}

struct each_link {
	void (*each)(void *ctx, const struct link_facts *link);
	void *ctx;
};

static void take_each(void *ctx, const struct nlmsghdr *answer)
{
	const struct each_link *e = ctx;
	struct link_facts facts;

	if (link_parse(answer, &facts))
		e->each(e->ctx, &facts);
}

int link_dump(struct netlink *nl, void (*each)(void *ctx, const struct link_facts *link), void *ctx)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct each_link e = {.each = each, .ctx = ctx};

	return netlink_dump(nl, link_request(buffer, 0), NULL, take_each, &e);
}
