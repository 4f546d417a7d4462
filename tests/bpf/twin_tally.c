/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting what was seen. See twin_tally.h. Judges nothing.
 */
#include "twin_tally.h"

#include <stdio.h>

#include "base/macros.h"
#include "rig.h"
#include "turnpike/wire.h"

/* X(constant, name) */
#define WAYS(X)                     \
	X(TO_PEER, "to a peer")     \
	X(TO_CLIENT, "to a client") \
	X(HAIRPIN, "to another allocation's client")

enum way {
#define X(constant, name) WAY_##constant,
	WAYS(X)
#undef X
	WAY_MAX,
};

_Static_assert(TWIN_FORMS == WAY_MAX * 16, "a number for each form");

static const char *const way_names[] = {
#define X(constant, name) name,
	WAYS(X)
#undef X
};

/* From which form and family into which a packet was carried. */
struct form {
	enum way way;
	bool indication_in, indication_out;
	uint8_t family_in, family_out;
};

/* A number for each, dense. */
static size_t form_number(const struct form *form)
{
	return (size_t)form->way * 16 + form->indication_in * 8U + form->indication_out * 4U +
	       (form->family_in == ADDR_IPV6) * 2U + (form->family_out == ADDR_IPV6);
}

static struct form form_of_number(size_t number)
{
	return (struct form){
		.way = (enum way)(number / 16),
		.indication_in = number & 8,
		.indication_out = number & 4,
		.family_in = number & 2 ? ADDR_IPV6 : ADDR_IPV4,
		.family_out = number & 1 ? ADDR_IPV6 : ADDR_IPV4,
	};
}

/* Peers send and get bare data. */
static bool form_exists(const struct form *form)
{
	return !(form->way == WAY_TO_PEER && form->indication_out) &&
	       !(form->way == WAY_TO_CLIENT && form->indication_in);
}

static bool is_indication(struct span payload, uint8_t type)
{
	return payload.len >= STUN_HEADER_LEN && payload.data[0] == 0 && payload.data[1] == type;
}

static void count_carried(struct twin_tally *tally, const struct twin_outcome *daemon)
{
	const struct form form = {
		.way = daemon->hairpin	   ? WAY_HAIRPIN
		       : daemon->to_client ? WAY_TO_CLIENT
					   : WAY_TO_PEER,
		.indication_in = is_indication(daemon->in.payload, 0x16) &&
				 (daemon->hairpin || !daemon->to_client),
		.indication_out = is_indication(span_make(daemon->payload, daemon->len), 0x17) &&
				  daemon->to_client,
		.family_in = daemon->in.src.family,
		.family_out = daemon->dst.family,
	};

	tally->spoofed += daemon->spoofed && daemon->in.src.family == ADDR_IPV4;
	tally->damaged_sums += daemon->host == TWIN_HOST_BAD_SUM;
	ASSERT(form_exists(&form));
	tally->carried[form_number(&form)]++;
}

void twin_tally_add(struct twin_tally *tally, struct twin_world *world,
		    const struct twin_packet *packet, const struct twin_result *result,
		    const struct twin_outcome *daemon)
{
	struct twin_fate *fate = &tally->fates[result->verdict];

	tally->kinds[packet->kind]++;
	tally->eligible += twin_eligible(world, packet, daemon);
	fate->packets++;
	if (daemon->host == TWIN_HOST_HELD)
		fate->unknown++;
	else if (daemon->relayed && daemon->host == TWIN_HOST_DELIVERED)
		fate->relayed++;
	else
		fate->dropped++;
	if (rig_verdict_kind(result->verdict) == FLOW_KIND_CARRIED)
		count_carried(tally, daemon);
}

static void print_counts(const struct twin_tally *tally)
{
	printf("%-18s %9s %15s %14s %9s\n", "verdict", "packets", "daemon relays", "daemon drops",
	       "unknown");
	for (int i = 0; i < FLOW_VERDICT_MAX; i++) {
		const struct twin_fate *t = &tally->fates[i];

		printf("%-18s %9llu %15llu %14llu %9llu\n", rig_verdict_name((enum flow_verdict)i),
		       (unsigned long long)t->packets, (unsigned long long)t->relayed,
		       (unsigned long long)t->dropped, (unsigned long long)t->unknown);
	}
	for (int i = 0; i < TWIN_KIND_MAX; i++)
		printf("%9llu %s\n", (unsigned long long)tally->kinds[i],
		       twin_kind_name((enum twin_kind)i));
	printf("%9llu that the kernel path had to carry\n", (unsigned long long)tally->eligible);
	printf("%9llu carried with their wrong checksum\n",
	       (unsigned long long)tally->damaged_sums);
	printf("%9llu carried from an IPv4 address of this host\n",
	       (unsigned long long)tally->spoofed);
}

static void print_form(const struct form *form, uint64_t packets)
{
	printf("%9llu %s, IPv%d %s to IPv%d %s\n", (unsigned long long)packets,
	       way_names[form->way], form->family_in,
	       form->way == WAY_TO_CLIENT ? "data"
	       : form->indication_in	  ? "indication"
					  : "channel",
	       form->family_out,
	       form->way == WAY_TO_PEER ? "data"
	       : form->indication_out	? "indication"
					: "channel");
}

size_t twin_tally_print(const struct twin_tally *tally)
{
	size_t missing = 0;

	print_counts(tally);
	for (size_t i = 0; i < TWIN_FORMS; i++) {
		struct form form = form_of_number(i);

		if (!form_exists(&form))
			continue;
		print_form(&form, tally->carried[i]);
		missing += !tally->carried[i];
	}
	return missing;
}
