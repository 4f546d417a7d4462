/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP rows: every path from form to form and family to family, and what keeps a packet from it.
 */
#include "rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "rows_paths.h"

/* The paths that a row is for, as bits. */
#define FROM(form)     (1U << (form))
#define TO(form)       (8U << (form))
#define FROM_CLIENT    (FROM(FLOW_FORM_CHANNEL) | FROM(FLOW_FORM_INDICATION))
#define TO_CLIENT      (TO(FLOW_FORM_CHANNEL) | TO(FLOW_FORM_INDICATION))
#define TO_PEER	       TO(FLOW_FORM_UDP)
#define FROM_ANY       (FROM_CLIENT | FROM(FLOW_FORM_UDP))
#define TO_ANY	       (TO_CLIENT | TO_PEER)
#define TO_ALLOCATION  64U
#define NOT_ALLOCATION 128U

struct path_row {
	const char *what;
	unsigned int paths; /* 0: all */
	void (*arrange)(struct rig *rig, struct path *path);
	enum flow_verdict verdict; /* 0 (to_peer): carried, as the path's verdict says */
};

static bool is_for(const struct path_row *row, const struct path *path)
{
	const unsigned int all = FROM_ANY | TO_ANY;
	unsigned int paths = row->paths ?: all;

	if (!(paths & FROM_ANY))
		paths |= FROM_ANY;
	if (!(paths & TO_ANY))
		paths |= TO_ANY;
	if ((paths & TO_ALLOCATION && !path->to_allocation) ||
	    (paths & NOT_ALLOCATION && path->to_allocation))
		return false;
	return paths & FROM(path->from) && paths & TO(path->to);
}

/* paths_for_each takes no argument for the check. */
static const struct path_row *current_row;
static size_t paths_of_row;

static void check_row(struct rig *rig, struct path *path)
{
	char name[sizeof(rig->doing)];

	if (!is_for(current_row, path))
		return;
	paths_of_row++;
	memcpy(name, rig->doing, sizeof(name));
	snprintf(rig->doing, sizeof(rig->doing), "%s: %.120s", current_row->what, name);
	if (current_row->arrange)
		current_row->arrange(rig, path);
	path_check(rig, path, current_row->verdict ?: path_verdict(path));
}

static void run_rows(struct rig *rig, const struct path_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		current_row = &rows[i];
		paths_of_row = 0;
		paths_for_each(rig, check_row);
		rig->program->bss->generic = false;
		if (!paths_of_row)
			fail_msg("%s: for no path", rows[i].what);
	}
}

#define ARRANGE(name, ...)                                                            \
	static void name(struct rig *rig, struct path *path)                          \
	{                                                                             \
		struct rig_flow *first = &path->flows[PATH_FIRST];                    \
		struct rig_flow *last = path_last(path);                              \
		struct flow_next_hop_entry *hop = &path_hop_flow(path)->hop.entry[0]; \
		struct frame *frame = &path->frame;                                   \
                                                                                      \
		(void)rig;                                                            \
		(void)first;                                                          \
		(void)last;                                                           \
		(void)hop;                                                            \
		(void)frame;                                                          \
		__VA_ARGS__                                                           \
	}

ARRANGE(no_data, frame->size = 0;)
ARRANGE(one_byte, frame->size = 1;)
ARRANGE(two_bytes, frame->size = 2;)
ARRANGE(three_bytes, frame->size = 3;)
ARRANGE(odd_data, frame->size = 1163;)
ARRANGE(trailer, frame->size = 1; frame->trailer = 17;)
ARRANGE(long_trailer, frame->trailer = 3;)
ARRANGE(pseudo, frame->sum = FRAME_SUM_PSEUDO;)
ARRANGE(pseudo_odd, frame->sum = FRAME_SUM_PSEUDO; frame->size = 7;)
ARRANGE(pseudo_no_data, frame->sum = FRAME_SUM_PSEUDO; frame->size = 0;)
ARRANGE(wrong, frame->sum = FRAME_SUM_WRONG;)
ARRANGE(wrong_odd, frame->sum = FRAME_SUM_WRONG; frame->size = 33;)
ARRANGE(no_sum, if (path->from_family == FLOW_IPV4) frame->sum = FRAME_SUM_NONE;)
ARRANGE(no_sum_odd, if (path->from_family == FLOW_IPV4) frame->sum = FRAME_SUM_NONE;
	frame->size = 301;)
ARRANGE(channel_padding, frame->padding = 3; frame->size = 97;)
ARRANGE(last_hop, frame->ttl = 2;)
ARRANGE(class, frame->traffic_class = 0xbb;)
ARRANGE(may_fragment, frame->dont_fragment = false;)
ARRANGE(data_first, frame->message.kind = FRAME_SEND_DATA_FIRST;)
ARRANGE(fingerprint, frame->message.kind = FRAME_SEND_FINGERPRINT;)
ARRANGE(data_first_fingerprint, frame->message.kind = FRAME_SEND_DATA_FIRST_FINGERPRINT;)
ARRANGE(odd_fingerprint, frame->message.kind = FRAME_SEND_FINGERPRINT; frame->size = 5;)
ARRANGE(odd_data_first, frame->message.kind = FRAME_SEND_DATA_FIRST; frame->size = 5;)
ARRANGE(data_first_pseudo, frame->message.kind = FRAME_SEND_DATA_FIRST_FINGERPRINT; frame->size = 9;
	frame->sum = FRAME_SUM_PSEUDO;)
ARRANGE(first_byte, frame->patches[0] = (struct frame_patch){FRAME_PAYLOAD, 24, 1, {0x77}};)
ARRANGE(to_other_port, frame->message.port = htons(6000);)
ARRANGE(from_other_port, frame->leg.sport = htons(6001); path->shown.port = htons(6001);)
ARRANGE(like_send, frame->size = 64;
	frame->patches[0] = (struct frame_patch){
		FRAME_DATA, 0, 8, {0, 0x16, 0, 44, 0x21, 0x12, 0xa4, 0x42}};)
ARRANGE(like_channel, frame->patches[0] = (struct frame_patch){FRAME_DATA, 0, 4, {0x40, 1, 0, 96}};)

static void tag(struct frame *frame, uint8_t count)
{
	const struct flow_tag tags[] = {{htons(0x88a8), htons(0x0123)},
					{htons(0x8100), htons(0xe456)},
					{htons(0x8100), htons(0x0789)}};

	frame->tags = count;
	memcpy(frame->tag, tags, sizeof(tags));
}

static void tag_hop(struct flow_next_hop_entry *hop, uint8_t count)
{
	hop->tags = count;
	hop->tag[0] = (struct flow_tag){htons(0x8100), htons(0x6001)};
	hop->tag[1] = (struct flow_tag){htons(0x8100), htons(0x0fff)};
}

ARRANGE(tag_in, tag(frame, 1);)
ARRANGE(old_tag_in, tag(frame, 2); frame->tag[0].protocol = htons(0x9100);)
ARRANGE(tags_in, tag(frame, 2);)
ARRANGE(tag_out, tag_hop(hop, 1);)
ARRANGE(tags_out, tag_hop(hop, 2);)
ARRANGE(tag_both, tag(frame, 1); tag_hop(hop, 1);)
ARRANGE(tags_to_none, tag(frame, 2); frame->size = 3; frame->trailer = 1;)
ARRANGE(tags_to_tag, tag(frame, 2); tag_hop(hop, 1);)
ARRANGE(tag_to_tags, tag(frame, 1); tag_hop(hop, 2);)

/* A whole one, to a peer that is permitted: a client of another relay behind this one. */
static void whole_send(struct rig *rig, struct path *path)
{
	static uint8_t bytes[FRAME_MAX];
	struct frame send = path->frame;

	(void)rig;
	send.size = 41;
	send.leg.form = FLOW_FORM_INDICATION;
	send.message = path->shown;
	send.message.kind = FRAME_SEND_DATA_FIRST_FINGERPRINT;
	path->frame.size = (uint16_t)(frame_build(&send, bytes) -
				      frame_offset(&send, FRAME_PAYLOAD));
	path->frame.data = bytes + frame_offset(&send, FRAME_PAYLOAD);
}

static const struct path_row carried_rows[] = {
	{"100 bytes", 0, NULL, 0},
	{"no data", 0, no_data, 0},
	{"one byte", 0, one_byte, 0},
	{"two bytes", 0, two_bytes, 0},
	{"three bytes", 0, three_bytes, 0},
	{"odd data", 0, odd_data, 0},
	{"trailer", 0, trailer, 0},
	{"trailer as long as padding", 0, long_trailer, 0},
	{"pseudo-header's sum", 0, pseudo, 0},
	{"pseudo-header's sum, odd data", 0, pseudo_odd, 0},
	{"pseudo-header's sum, no data", 0, pseudo_no_data, 0},
	{"wrong checksum", 0, wrong, 0},
	{"wrong checksum, odd data", 0, wrong_odd, 0},
	{"no checksum", 0, no_sum, 0},
	{"no checksum, odd data", 0, no_sum_odd, 0},
	{"padding", FROM(FLOW_FORM_CHANNEL), channel_padding, 0},
	{"TTL 2", 0, last_hop, 0},
	{"traffic class", 0, class, 0},
	{"without DF", 0, may_fragment, 0},
	{"data first", FROM(FLOW_FORM_INDICATION), data_first, 0},
	{"FINGERPRINT", FROM(FLOW_FORM_INDICATION), fingerprint, 0},
	{"data first, FINGERPRINT", FROM(FLOW_FORM_INDICATION), data_first_fingerprint, 0},
	{"odd data, FINGERPRINT", FROM(FLOW_FORM_INDICATION), odd_fingerprint, 0},
	{"odd data first", FROM(FLOW_FORM_INDICATION), odd_data_first, 0},
	{"odd data first, pseudo-header's sum", FROM(FLOW_FORM_INDICATION), data_first_pseudo, 0},
	{"the address's first byte is ignored", FROM(FLOW_FORM_INDICATION), first_byte, 0},
	{"another port of the peer", FROM(FLOW_FORM_INDICATION) | TO_PEER, to_other_port, 0},
	{"another port of the peer", FROM(FLOW_FORM_UDP) | TO(FLOW_FORM_INDICATION),
	 from_other_port, 0},
	{"a peer's data like a Send indication", FROM(FLOW_FORM_UDP), like_send, 0},
	{"a peer's data that is a Send indication", FROM(FLOW_FORM_UDP), whole_send, 0},
	{"data like ChannelData", 0, like_channel, 0},
	{"one VLAN tag comes", 0, tag_in, 0},
	{"two VLAN tags come", 0, tags_in, 0},
	{"one VLAN tag leaves", 0, tag_out, 0},
	{"two VLAN tags leave", 0, tags_out, 0},
	{"a VLAN tag for a VLAN tag", 0, tag_both, 0},
	{"two VLAN tags for none, short", 0, tags_to_none, 0},
	{"one VLAN tag for two", 0, tags_to_tag, 0},
	{"two VLAN tags for one", 0, tag_to_tags, 0},
};

void every_path_is_carried_byte_for_byte(void **state)
{
	run_rows(*state, carried_rows, ARRAY_SIZE(carried_rows));
}

ARRANGE(first_absent, first->absent = true;)
ARRANGE(first_expired, first->slot.expires_ns = 1;)
ARRANGE(first_stale, first->slot.generation ^= 1;)
ARRANGE(first_from_self, first->slot.from_self = 1;)
ARRANGE(unfinished, rig->program->bss->generic = true; frame->sum = FRAME_SUM_PSEUDO;)
ARRANGE(finished, rig->program->bss->generic = true;)
ARRANGE(no_sum_generic, rig->program->bss->generic = true;
	if (path->from_family == FLOW_IPV4) frame->sum = FRAME_SUM_NONE;)
ARRANGE(first_to_nowhere, first->slot.out.family = 5;)
ARRANGE(first_form, first->slot.out.form = FLOW_FORM_INDICATION;)
ARRANGE(first_to_bare, first->slot.out.form = FLOW_FORM_UDP;)
ARRANGE(first_form_unknown, first->slot.out.form = 3;)
ARRANGE(sender_of_other_family, first->slot.out.family ^= FLOW_IPV4 ^ FLOW_IPV6;)
ARRANGE(permission_absent, path->flows[PATH_PERMISSION].absent = true;)
ARRANGE(permission_expired, path->flows[PATH_PERMISSION].slot.expires_ns = 1;)
ARRANGE(permission_stale, path->flows[PATH_PERMISSION].slot.in.dport ^= htons(1);)
ARRANGE(permission_no_hop, path->flows[PATH_PERMISSION].slot.peer_hop = 0;)
ARRANGE(second_absent, last->absent = true;)
ARRANGE(second_expired, last->slot.expires_ns = 1;)
ARRANGE(second_stale, last->slot.in.src.v6[1] ^= 1;)
ARRANGE(second_to_nowhere, last->slot.out.family = 0;)
ARRANGE(second_to_bare, last->slot.out.form = FLOW_FORM_UDP;)
ARRANGE(second_form_unknown, last->slot.out.form = 77;)
ARRANGE(second_again, last->slot.next_hop = FLOW_NEXT_HOP_SELF;)
ARRANGE(first_to_itself, first->slot.next_hop = FLOW_NEXT_HOP_SELF;)
ARRANGE(hop_gone, hop->valid = 0;)
ARRANGE(hop_unknown, hop->ifindex = rig->unknown;)
ARRANGE(three_tags_out, hop->tags = 3;)
ARRANGE(three_tags_in, tag(frame, 3);)
ARRANGE(no_hops_left, frame->ttl = 1;)
ARRANGE(largest, hop->mtu = (uint16_t)path_ip_len(path, 100);)
ARRANGE(too_large, hop->mtu = (uint16_t)(path_ip_len(path, 100) - 1);)
ARRANGE(tagged_largest, tag_hop(hop, 2); hop->mtu = (uint16_t)path_ip_len(path, 100);)

/* The slot of an earlier channel is still there, and its permission too. */
static void channel_expired(struct rig *rig, struct path *path)
{
	(void)rig;
	path->has[PATH_SECOND] = true;
	path->flows[PATH_SECOND] = path->flows[PATH_FIRST];
	path->flows[PATH_SECOND].slot_number++;
	path->flows[PATH_SECOND].ref.slot++;
	path->flows[PATH_SECOND].key = path->frame.leg;
	path->flows[PATH_SECOND].slot.in = path->frame.leg;
	path->flows[PATH_SECOND].slot.out.form = FLOW_FORM_CHANNEL;
	path->flows[PATH_SECOND].slot.out.channel = htons(0x4001);
	path->flows[PATH_SECOND].slot.expires_ns = 1;
}

static const struct path_row refused_rows[] = {
	{"no flow", NOT_ALLOCATION | FROM(FLOW_FORM_CHANNEL), first_absent, FLOW_VERDICT_NO_FLOW},
	{"no flow", FROM(FLOW_FORM_UDP), first_absent, FLOW_VERDICT_NO_FLOW},
	{"no sender", FROM(FLOW_FORM_INDICATION), first_absent, FLOW_VERDICT_NO_FLOW},
	{"expired", 0, first_expired, FLOW_VERDICT_EXPIRED},
	{"stale", 0, first_stale, FLOW_VERDICT_STALE_SLOT},
	{"to no family", 0, first_to_nowhere, FLOW_VERDICT_UNSUPPORTED},
	{"a client's data to a client", FROM_CLIENT, first_form, FLOW_VERDICT_UNSUPPORTED},
	{"a peer's data to a peer", FROM(FLOW_FORM_UDP), first_to_bare, FLOW_VERDICT_UNSUPPORTED},
	{"unknown form", 0, first_form_unknown, FLOW_VERDICT_UNSUPPORTED},
	{"a sender of the other family", FROM(FLOW_FORM_INDICATION), sender_of_other_family,
	 FLOW_VERDICT_UNSUPPORTED},
	{"no permission", FROM(FLOW_FORM_INDICATION), permission_absent,
	 FLOW_VERDICT_NO_PERMISSION},
	{"expired permission", FROM(FLOW_FORM_INDICATION), permission_expired,
	 FLOW_VERDICT_EXPIRED},
	{"stale permission", FROM(FLOW_FORM_INDICATION), permission_stale, FLOW_VERDICT_STALE_SLOT},
	{"permission without a hop", FROM(FLOW_FORM_INDICATION), permission_no_hop,
	 FLOW_VERDICT_NO_NEXT_HOP},
	{"expired channel, live permission", FROM(FLOW_FORM_UDP) | TO(FLOW_FORM_INDICATION),
	 channel_expired, FLOW_VERDICT_EXPIRED},
	{"not permitted there", TO_ALLOCATION, second_absent, FLOW_VERDICT_NO_FLOW},
	{"no longer permitted there", TO_ALLOCATION, second_expired, FLOW_VERDICT_EXPIRED},
	{"stale there", TO_ALLOCATION, second_stale, FLOW_VERDICT_STALE_SLOT},
	{"to no family there", TO_ALLOCATION, second_to_nowhere, FLOW_VERDICT_UNSUPPORTED},
	{"to a peer there", TO_ALLOCATION, second_to_bare, FLOW_VERDICT_UNSUPPORTED},
	{"unknown form there", TO_ALLOCATION, second_form_unknown, FLOW_VERDICT_UNSUPPORTED},
	{"on to a third allocation", TO_ALLOCATION, second_again, FLOW_VERDICT_NO_NEXT_HOP},
	{"a peer's data to an allocation", FROM(FLOW_FORM_UDP), first_to_itself,
	 FLOW_VERDICT_NO_NEXT_HOP},
	{"unfinished checksum, generic mode", 0, unfinished, FLOW_VERDICT_UNFINISHED},
	{"whole checksum, generic mode", 0, finished, 0},
	{"no checksum, generic mode", 0, no_sum_generic, 0},
	{"unresolved", 0, hop_gone, FLOW_VERDICT_NO_NEXT_HOP},
	{"interface without the program", 0, hop_unknown, FLOW_VERDICT_NO_DEVICE},
	{"three VLAN tags leave", 0, three_tags_out, FLOW_VERDICT_NO_NEXT_HOP},
	{"three VLAN tags come", 0, three_tags_in, FLOW_VERDICT_NOT_IP},
	{"an outer VLAN tag that Linux has not", 0, old_tag_in, FLOW_VERDICT_NOT_IP},
	{"from an address of the relay", FROM(FLOW_FORM_UDP), first_from_self,
	 FLOW_VERDICT_FORGED_SOURCE},
	{"TTL 1", 0, no_hops_left, FLOW_VERDICT_TTL},
	{"as large as may be", 0, largest, 0},
	{"tags are not in the MTU", 0, tagged_largest, 0},
	{"one byte too large", 0, too_large, FLOW_VERDICT_MTU},
};

void packets_that_a_path_refuses_are_passed_up(void **state)
{
	run_rows(*state, refused_rows, ARRAY_SIZE(refused_rows));
}

#define SEND_ROW(name, what, verdict)                           \
	{                                                       \
		what, FROM(FLOW_FORM_INDICATION), name, verdict \
	}
#define PATCHED(name, offset_, len_, ...)                       \
	ARRANGE(name, frame->patches[0] = (struct frame_patch){ \
			      FRAME_PAYLOAD, (offset_), (len_), {__VA_ARGS__}};)
/* Where the second attribute begins when the address comes first. */
#define SECOND_ATTRIBUTE (path->relay_family == FLOW_IPV4 ? 32 : 44)

PATCHED(send_request, 0, 2, 0, 6)
PATCHED(data_indication, 0, 2, 0, 0x17)
PATCHED(other_cookie, 7, 1, 0x43)
PATCHED(shorter_length, 3, 1, 96)
PATCHED(longer_length, 3, 1, 252)
PATCHED(odd_length, 3, 1, 97)
PATCHED(software, 20, 2, 0x80, 0x22)
PATCHED(dont_fragment, 20, 2, 0, 0x1a)
PATCHED(wrong_address_length, 23, 1, 12)
PATCHED(address_length_beyond, 22, 2, 0xff, 0xfe)
PATCHED(no_family, 25, 1, 0)
PATCHED(port_zero, 26, 2, 0x21, 0x12)
ARRANGE(other_family, frame->patches[0] = (struct frame_patch){
			      FRAME_PAYLOAD, 25, 1, {path->relay_family == FLOW_IPV4 ? 2 : 1}};)
ARRANGE(twice_address, frame->patches[0] = (struct frame_patch){
			       FRAME_PAYLOAD, (uint16_t)SECOND_ATTRIBUTE, 2, {0, 0x12}};)
ARRANGE(no_address, frame->message.kind = FRAME_SEND_FINGERPRINT;
	frame->patches[0] = (struct frame_patch){FRAME_PAYLOAD, 20, 2, {0, 0x13}};)
ARRANGE(data_length_beyond, frame->patches[0] = (struct frame_patch){
				    FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 101}};)
ARRANGE(data_length_far, frame->patches[0] = (struct frame_patch){
				 FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0xff, 0xff}};)
ARRANGE(data_length_short,
	frame->patches[0] =
		(struct frame_patch){FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 96}};
	frame->patches[1] = (struct frame_patch){FRAME_DATA, 96, 4, {0x80, 0x22, 0, 0}};)
ARRANGE(rest_is_no_attribute,
	frame->patches[0] =
		(struct frame_patch){FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 96}};
	frame->patches[1] = (struct frame_patch){FRAME_DATA, 96, 4, {0x80, 0x22, 0, 4}};)
ARRANGE(fingerprint_length, frame->message.kind = FRAME_SEND_FINGERPRINT;
	frame->patches[0] = (struct frame_patch){FRAME_DATA, 103, 1, {3}};)
ARRANGE(fingerprint_empty, frame->size = 96;
	frame->patches[0] =
		(struct frame_patch){FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 92}};
	frame->patches[1] = (struct frame_patch){FRAME_DATA, 92, 4, {0x80, 0x28, 0, 0}};)
ARRANGE(fingerprint_first, frame->message.kind = FRAME_SEND_DATA_FIRST; frame->size = 4;
	frame->patches[0] = (struct frame_patch){FRAME_PAYLOAD, 20, 2, {0x80, 0x28}};)
ARRANGE(two_fingerprints, frame->message.kind = FRAME_SEND_FINGERPRINT;
	frame->patches[0] =
		(struct frame_patch){FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 92}};
	frame->patches[1] = (struct frame_patch){FRAME_DATA, 92, 8, {0x80, 0x28, 0, 4}};)
ARRANGE(four_attributes, frame->message.kind = FRAME_SEND_FINGERPRINT;
	frame->patches[0] =
		(struct frame_patch){FRAME_PAYLOAD, (uint16_t)(SECOND_ATTRIBUTE + 2), 2, {0, 92}};
	frame->patches[1] = (struct frame_patch){FRAME_DATA, 92, 8, {0x00, 0x13, 0, 4}};)
ARRANGE(integrity, frame->message.kind = FRAME_SEND_FINGERPRINT;
	frame->patches[0] = (struct frame_patch){FRAME_DATA, 100, 2, {0, 8}};)

static const struct path_row send_rows[] = {
	SEND_ROW(send_request, "a request of that method", FLOW_VERDICT_CONTROL),
	SEND_ROW(data_indication, "a Data indication from a client", FLOW_VERDICT_CONTROL),
	SEND_ROW(other_cookie, "another cookie", FLOW_VERDICT_CONTROL),
	SEND_ROW(shorter_length, "a length short of the datagram", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(longer_length, "a length beyond the datagram", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(odd_length, "a length of no whole words", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(software, "an optional attribute", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(dont_fragment, "DONT-FRAGMENT", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(integrity, "MESSAGE-INTEGRITY", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(wrong_address_length, "an address of 12 bytes", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(address_length_beyond, "an address without end", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(no_family, "no family", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(other_family, "the other family", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(port_zero, "port 0", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(twice_address, "two addresses", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(no_address, "no address", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(data_length_beyond, "data beyond the message", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(data_length_far, "data without end", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(data_length_short, "an empty attribute at the end", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(rest_is_no_attribute, "an attribute without end", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(fingerprint_length, "a FINGERPRINT of 3 bytes", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(fingerprint_empty, "an empty FINGERPRINT", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(fingerprint_first, "FINGERPRINT first", FLOW_VERDICT_BAD_LENGTH),
	SEND_ROW(two_fingerprints, "two FINGERPRINTs", FLOW_VERDICT_OTHER_ATTRIBUTES),
	SEND_ROW(four_attributes, "data twice", FLOW_VERDICT_OTHER_ATTRIBUTES),
};

void uncommon_send_indications_are_passed_up(void **state)
{
	run_rows(*state, send_rows, ARRAY_SIZE(send_rows));
}
