/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Route look-ups. See route.h.
 */
#include "net/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

/* A gateway of the other family: two bytes of family, then the address. */
static void parse_via(const struct nlattr *attribute, struct addr *ret)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);
	size_t len = mnl_attr_get_payload_len(attribute);

	if (len == sizeof(*via) + 4 && via->rtvia_family == AF_INET)
		*ret = addr_make_v4(via->rtvia_addr, 0);
	else if (len == sizeof(*via) + 16 && via->rtvia_family == AF_INET6)
		*ret = addr_make_v6(via->rtvia_addr, 0);
}

static void parse_route(void *ctx, const struct nlmsghdr *answer)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(answer);
	const struct nlattr *tb[RTA_ENCAP_TYPE + 1], *metrics[RTAX_MTU + 1];
	struct route_facts *ret = ctx;

	if (answer->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(answer) < sizeof(*info))
		return;
	netlink_attributes(answer, sizeof(*info), tb, RTA_ENCAP_TYPE);
	netlink_nested(tb[RTA_METRICS], metrics, RTAX_MTU);
	ret->type = info->rtm_type;
	ret->ifindex = netlink_u32(tb[RTA_OIF]);
	ret->mtu = netlink_u32(metrics[RTAX_MTU]);
	ret->encapsulated = tb[RTA_ENCAP_TYPE] != NULL;
	netlink_addr(tb[RTA_PREFSRC], info->rtm_family, &ret->source);
	if (tb[RTA_VIA])
		parse_via(tb[RTA_VIA], &ret->gateway);
	else
		netlink_addr(tb[RTA_GATEWAY], info->rtm_family, &ret->gateway);
}

static struct nlmsghdr *route_request(char *buffer, const struct addr *src, const struct addr *dst)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	uint8_t bits = (uint8_t)(8 * addr_ip_len(dst));
	struct rtmsg *info;

	request->nlmsg_type = RTM_GETROUTE;
	info = mnl_nlmsg_put_extra_header(request, sizeof(*info));
	info->rtm_family = (unsigned char)netlink_family(dst);
	info->rtm_dst_len = bits;
	mnl_attr_put(request, RTA_DST, addr_ip_len(dst), dst->ip);
	mnl_attr_put_u8(request, RTA_IP_PROTO, IPPROTO_UDP);
	if (dst->port)
		mnl_attr_put_u16(request, RTA_DPORT, htons(dst->port));
	if (!src)
		return request;
	if (!addr_is_any(src)) {
		info->rtm_src_len = bits;
		mnl_attr_put(request, RTA_SRC, addr_ip_len(src), src->ip);
	}
	if (src->port)
		mnl_attr_put_u16(request, RTA_SPORT, htons(src->port));
	return request;
}

int route_query(struct netlink *nl, const struct addr *src, const struct addr *dst,
		struct route_facts *ret)
{
	char buffer[NETLINK_REQUEST_SIZE];
	struct route_facts facts = {0};
	int err;

	if (!addr_ip_len(dst) || (src && src->family != dst->family))
		return -EAFNOSUPPORT;
	err = netlink_ask(nl, route_request(buffer, src, dst), parse_route, &facts);
	/*
	 * What the kernel says where a route forbids: EINVAL for a blackhole (and for a source that
	 * is not this host's), EHOSTUNREACH for unreachable, EACCES for prohibit.
	 */
	if (err == -EINVAL || err == -EHOSTUNREACH || err == -EACCES || err == -ENETUNREACH)
		return -ENETUNREACH;
	if (err)
		return err;
	if (facts.type == RTN_BLACKHOLE || facts.type == RTN_UNREACHABLE ||
	    facts.type == RTN_PROHIBIT || !facts.ifindex)
		return -ENETUNREACH;
	if (src && !addr_is_any(src))
		facts.source = *src;
	facts.source.port = 0;
	*ret = facts;
	return 0;
}
