/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets that are measured. See forms.h.
 */
#include "forms.h"

#include <string.h>

#include "base/cursor.h"
#include "base/macros.h"
#include "bpf/twin_frame.h"
#include "bpf/twin_host.h"
#include "wire/stun.h"
#include "world.h"

_Static_assert(FORMS_FRAME_MAX == TWIN_FRAME_MAX, "buffers are handed on");

/* Names of columns: how the data comes and how it leaves. */
#define UP   "ChannelData -> UDP"
#define DOWN "UDP -> ChannelData"
#define SEND "Send indication -> UDP"
#define DATA "UDP -> Data indication"

/* A row of the table: what arrives from `src` at `dst`. */
#define CHANNEL(name, families, verdict, bare, number, src, dst)                                \
	{                                                                                       \
		name, families, FLOW_VERDICT_##verdict, FORMS_##bare, FORMS_CHANNEL, 0, number, \
			src, dst, 0                                                             \
	}
#define PLAIN(name, families, verdict, bare, src, dst)                                            \
	{                                                                                         \
		name, families, FLOW_VERDICT_##verdict, FORMS_##bare, FORMS_DATA, 0, 0, src, dst, \
			0                                                                         \
	}
#define SENDING(name, families, verdict, bare, src, dst, peer)                                    \
	{                                                                                         \
		name, families, FLOW_VERDICT_##verdict, FORMS_##bare, FORMS_SEND, 0, 0, src, dst, \
			peer                                                                      \
	}

const struct form forms[] = {
	CHANNEL(UP, "4-4", TO_PEER, BARE_UP4, CHANNEL_PLAIN, CLIENT4, LISTEN4),
	PLAIN(DOWN, "4-4", TO_CLIENT, BARE_DOWN4, PEER4, RELAY44),
	CHANNEL(UP, "6-6", TO_PEER, BARE_UP6, CHANNEL_PLAIN, CLIENT6, LISTEN6),
	PLAIN(DOWN, "6-6", TO_CLIENT, BARE_DOWN6, PEER6, RELAY66),
	CHANNEL(UP, "4-6", TO_PEER, BARE_UP4, CHANNEL_MIXED, CLIENT4, LISTEN4),
	PLAIN(DOWN, "6-4", TO_CLIENT, BARE_DOWN6, PEER6, RELAY46),
	CHANNEL(UP, "6-4", TO_PEER, BARE_UP6, CHANNEL_MIXED, CLIENT6, LISTEN6),
	PLAIN(DOWN, "4-6", TO_CLIENT, BARE_DOWN4, PEER4, RELAY64),
	CHANNEL(UP ", other interface", "4-4", TO_PEER, BARE_ACROSS4, CHANNEL_ACROSS, CLIENT4,
		LISTEN4),
	CHANNEL(UP ", bandwidth limit", "4-4", TO_PEER, BARE_UP4, CHANNEL_LIMITED, CLIENT4,
		LISTEN4),
	SENDING(SEND, "4-4", TO_PEER, BARE_UP4, CLIENT4, LISTEN4, PERMITTED4),
	{SEND ", FINGERPRINT", "4-4", FLOW_VERDICT_TO_PEER, FORMS_BARE_UP4, FORMS_SEND_FINGERPRINT,
	 8, 0, CLIENT4, LISTEN4, PERMITTED4},
	SENDING(SEND, "6-6", TO_PEER, BARE_UP6, CLIENT6, LISTEN6, PERMITTED6),
	SENDING(SEND, "4-6", TO_PEER, BARE_UP4, CLIENT4, LISTEN4, PERMITTED6),
	SENDING(SEND, "6-4", TO_PEER, BARE_UP6, CLIENT6, LISTEN6, PERMITTED4),
	PLAIN(DATA, "4-4", TO_CLIENT, BARE_DOWN4, PERMITTED4, RELAY44),
	PLAIN(DATA, "6-6", TO_CLIENT, BARE_DOWN6, PERMITTED6, RELAY66),
	PLAIN(DATA, "6-4", TO_CLIENT, BARE_DOWN6, PERMITTED6, RELAY46),
	PLAIN(DATA, "4-6", TO_CLIENT, BARE_DOWN4, PERMITTED4, RELAY64),
	CHANNEL("hairpin, channel -> channel", "4-4", TO_ALLOCATION, BARE_UP4, CHANNEL_HAIRPIN,
		CLIENT4, LISTEN4),
	CHANNEL("hairpin, channel -> channel", "6-6", TO_ALLOCATION, BARE_UP6, CHANNEL_HAIRPIN,
		CLIENT6, LISTEN6),
	CHANNEL("hairpin, channel -> channel", "4-6", TO_ALLOCATION, BARE_UP4, CHANNEL_HAIRPIN_46,
		CLIENT4, LISTEN4),
	CHANNEL("hairpin, channel -> Data", "4-4", TO_ALLOCATION, BARE_UP4, CHANNEL_HAIRPIN_DI,
		CLIENT4, LISTEN4),
	SENDING("hairpin, Send -> channel", "4-4", TO_ALLOCATION, BARE_UP4, CLIENT4, LISTEN4,
		OTHER_CHANNEL4),
	SENDING("hairpin, Send -> Data", "4-4", TO_ALLOCATION, BARE_UP4, CLIENT4, LISTEN4,
		OTHER_INDICATION4),

	CHANNEL("miss: a channel that is not bound", "4", NO_FLOW, NO_REFERENCE, 0x4fff, CLIENT4,
		LISTEN4),
	CHANNEL("miss: a channel that is not bound", "6", NO_FLOW, NO_REFERENCE, 0x4fff, CLIENT6,
		LISTEN6),
	PLAIN("miss: a stranger at a relayed port", "4", NO_FLOW, NO_REFERENCE, "203.0.113.99:99",
	      RELAY44),
	PLAIN("not ours: UDP for the host", "4", NOT_OWNED, NO_REFERENCE, "203.0.113.99:53",
	      "192.0.2.1:5353"),
	{"control: a Binding request", "4", FLOW_VERDICT_CONTROL, FORMS_NO_REFERENCE, FORMS_BINDING,
	 0, 0, CLIENT4, LISTEN4, 0},
	{"control: a Binding request", "6", FLOW_VERDICT_CONTROL, FORMS_NO_REFERENCE, FORMS_BINDING,
	 0, 0, CLIENT6, LISTEN6, 0},
};

const size_t forms_count = ARRAY_SIZE(forms);

const struct form forms_references[FORMS_REFERENCE_MAX] = {
	[FORMS_BARE_UP4] = CHANNEL(UP, "4-4", TO_PEER, BARE_UP4, CHANNEL_PLAIN, CLIENT4, LISTEN4),
	[FORMS_BARE_DOWN4] = PLAIN(DOWN, "4-4", TO_CLIENT, BARE_DOWN4, PEER4, RELAY44),
	[FORMS_BARE_UP6] = CHANNEL(UP, "6-6", TO_PEER, BARE_UP6, CHANNEL_PLAIN, CLIENT6, LISTEN6),
	[FORMS_BARE_DOWN6] = PLAIN(DOWN, "6-6", TO_CLIENT, BARE_DOWN6, PEER6, RELAY66),
	[FORMS_BARE_ACROSS4] = CHANNEL(UP ", other interface", "4-4", TO_PEER, BARE_ACROSS4,
				       CHANNEL_ACROSS, CLIENT4, LISTEN4),
};

static const uint8_t transaction_id[STUN_TRANSACTION_ID_LEN] = "turnpike-tx!";

bool forms_is_carried(const struct form *form)
{
	return form->bare != FORMS_NO_REFERENCE;
}

static const uint8_t *data(void)
{
	static uint8_t bytes[FORMS_DATA_LEN];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x85 + i * 37);
	return bytes;
}

static void put_stun(struct writer *w, const struct form *form)
{
	const struct addr peer = world_addr(form->peer);
	bool request = form->payload == FORMS_BINDING;

	stun_begin(w, request ? STUN_METHOD_BINDING : STUN_METHOD_SEND,
		   request ? STUN_CLASS_REQUEST : STUN_CLASS_INDICATION, transaction_id);
	if (!request)
		stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	/* A Binding request has SOFTWARE, so that its frame is long enough to be put back. */
	stun_put(w, request ? STUN_ATTR_SOFTWARE : STUN_ATTR_DATA,
		 span_make(data(), FORMS_DATA_LEN));
	if (form->payload == FORMS_SEND_FINGERPRINT)
		stun_put_fingerprint(w);
	ASSERT(stun_end(w) > 0);
}

size_t forms_build(const struct form *form, uint8_t ret[static FORMS_FRAME_MAX])
{
	const struct twin_shape shape = {
		.dst_mac = {2, 0x31, 0, 0, 0, 1},
		.src_mac = {2, 0x41, 0, 0, 0, 1},
		.dont_fragment = true,
		.ttl = 64,
	};
	const struct addr src = world_addr(form->src), dst = world_addr(form->dst);
	uint8_t payload[TWIN_PAYLOAD_MAX];
	struct writer w = writer_make(payload, sizeof(payload));

	if (form->payload == FORMS_CHANNEL) {
		writer_u16(&w, form->channel);
		writer_u16(&w, FORMS_DATA_LEN);
	}
	if (form->payload == FORMS_CHANNEL || form->payload == FORMS_DATA)
		writer_bytes(&w, data(), FORMS_DATA_LEN);
	else
		put_stun(&w, form);
	ASSERT(!w.failed);
	return twin_frame_build(&shape, &src, &dst, span_make(payload, w.len), ret);
}

bool forms_is_sound(const uint8_t *frame, size_t len)
{
	struct twin_datagram datagram = {0};

	if (twin_host_read(span_make(frame, len), &datagram) != TWIN_HOST_DELIVERED)
		return false;
	return datagram.end == len && !datagram.partial && datagram.payload.len >= FORMS_DATA_LEN &&
	       memcmp(frame + len - FORMS_DATA_LEN, data(), FORMS_DATA_LEN) == 0;
}
