/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read from link messages, made by hand: most of these links no test machine has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "base/macros.h"
#include "net/link.h"
#include "support/guard.h"

#define VLAN_PROTOCOL_8021AD 0x88a8

struct message {
	_Alignas(8) char bytes[1024];
	struct nlmsghdr *header;
};

/* An Ethernet link that is up, number 7, over number 3. */
static void begin_link(struct message *m)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	struct ifinfomsg *info;

	m->header = mnl_nlmsg_put_header(m->bytes);
	m->header->nlmsg_type = RTM_NEWLINK;
	info = mnl_nlmsg_put_extra_header(m->header, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_type = ARPHRD_ETHER;
	info->ifi_index = 7;
	info->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(m->header, IFLA_IFNAME, "tp-v");
	mnl_attr_put_u32(m->header, IFLA_MTU, 1496);
	mnl_attr_put(m->header, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u32(m->header, IFLA_LINK, 3);
}

struct vlan {
	const char *kind;
	uint16_t id;
	uint16_t protocol; /* 0: the attribute is not there */
	const struct ifla_vlan_qos_mapping *egress;
	size_t egress_count;
};

static void add_vlan(struct message *m, const struct vlan *vlan)
{
	struct nlattr *info = mnl_attr_nest_start(m->header, IFLA_LINKINFO), *data, *egress;

	mnl_attr_put_strz(m->header, IFLA_INFO_KIND, vlan->kind);
	data = mnl_attr_nest_start(m->header, IFLA_INFO_DATA);
	mnl_attr_put_u16(m->header, IFLA_VLAN_ID, vlan->id);
	if (vlan->protocol)
		mnl_attr_put_u16(m->header, IFLA_VLAN_PROTOCOL, htons(vlan->protocol));
	if (vlan->egress_count) {
		egress = mnl_attr_nest_start(m->header, IFLA_VLAN_EGRESS_QOS);
		for (size_t i = 0; i < vlan->egress_count; i++)
			mnl_attr_put(m->header, IFLA_VLAN_QOS_MAPPING, sizeof(vlan->egress[i]),
				     &vlan->egress[i]);
		mnl_attr_nest_end(m->header, egress);
	}
	mnl_attr_nest_end(m->header, data);
	mnl_attr_nest_end(m->header, info);
}

static struct link_facts parse(const struct message *m)
{
	struct link_facts facts;

	assert_true(link_parse(m->header, &facts));
	return facts;
}

static void a_vlan_has_a_tag_and_a_link_below(void **state)
{
	static const struct ifla_vlan_qos_mapping gold[] = {{.from = 6, .to = 7},
							    {.from = 0, .to = 5}};
	static const struct {
		struct vlan vlan;
		struct net_tag expected;
	} rows[] = {
		{{.kind = "vlan", .id = 100, .protocol = 0x8100}, {0x8100, 100}},
		{{.kind = "vlan", .id = 4094, .protocol = VLAN_PROTOCOL_8021AD}, {0x88a8, 4094}},
		{{.kind = "vlan", .id = 1}, {0x8100, 1}},
		/* Only priority 0 is ours. */
		{{.kind = "vlan", .id = 2, .egress = gold, .egress_count = 1}, {0x8100, 2}},
		{{.kind = "vlan", .id = 2, .egress = gold, .egress_count = 2}, {0x8100, 0xa002}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct link_facts facts;
		struct message m;

		begin_link(&m);
		add_vlan(&m, &rows[i].vlan);
		facts = parse(&m);
		assert_true(facts.vlan);
		assert_int_equal(facts.below, 3);
		assert_int_equal(facts.tag.protocol, rows[i].expected.protocol);
		assert_int_equal(facts.tag.tci, rows[i].expected.tci);
		assert_int_equal(facts.link.ifindex, 7);
		assert_int_equal(facts.link.mtu, 1496);
		assert_string_equal(facts.link.name, "tp-v");
		assert_true(facts.link.up);
		assert_true(facts.ethernet);
	}
}

static void links_of_other_kinds_are_no_vlans_whatever_they_lead_to(void **state)
{
	static const char *const kinds[] = {"veth", "macvlan", "vxlan", "bond", "vlanx", "vla", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct vlan vlan = {.kind = kinds[i], .id = 9};
		struct link_facts facts;
		struct message m;

		begin_link(&m);
		add_vlan(&m, &vlan);
		facts = parse(&m);
		assert_false(facts.vlan);
		assert_int_equal(facts.below, 0);
		assert_int_equal(facts.tag.tci, 0);
	}
}

static void a_vlan_over_a_link_of_another_namespace_has_none_below(void **state)
{
	const struct vlan vlan = {.kind = "vlan", .id = 9};
	struct link_facts facts;
	struct message m;

	(void)state;
	begin_link(&m);
	mnl_attr_put_u32(m.header, IFLA_LINK_NETNSID, 0);
	add_vlan(&m, &vlan);
	facts = parse(&m);
	assert_true(facts.vlan);
	assert_int_equal(facts.below, 0);
}

static void a_message_cut_anywhere_is_read_within_its_end(void **state)
{
	static const struct ifla_vlan_qos_mapping map[] = {{.from = 0, .to = 5}};
	const struct vlan vlan = {
		.kind = "vlan", .id = 9, .protocol = 0x8100, .egress = map, .egress_count = 1};
	struct message m;

	(void)state;
	begin_link(&m);
	add_vlan(&m, &vlan);
	/* The kernel pads to four bytes, so a message begins at such an address. */
	for (uint32_t len = m.header->nlmsg_len; len >= sizeof(*m.header); len -= 4) {
		struct link_facts facts;
		struct span copy;

		m.header->nlmsg_len = len;
		copy = guard_copy((struct span){(const uint8_t *)m.bytes, len});
		link_parse((const struct nlmsghdr *)(const void *)copy.data, &facts);
		guard_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vlan_has_a_tag_and_a_link_below),
		cmocka_unit_test(links_of_other_kinds_are_no_vlans_whatever_they_lead_to),
		cmocka_unit_test(a_vlan_over_a_link_of_another_namespace_has_none_below),
		cmocka_unit_test(a_message_cut_anywhere_is_read_within_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
