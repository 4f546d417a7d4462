/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP payloads for the differential test, in every form, right and wrong. The writer is large
 * enough for all of them: TWIN_PAYLOAD_MAX.
 */
#ifndef TURNPIKE_TESTS_TWIN_PAYLOAD_H
#define TURNPIKE_TESTS_TWIN_PAYLOAD_H

#include "base/addr.h"
#include "base/cursor.h"
#include "twin_random.h"

size_t twin_draw_size(struct twin_random *random);
void twin_put_any(struct twin_random *random, struct writer *w, size_t len);
void twin_put_channel_data(struct twin_random *random, struct writer *w, uint16_t channel);
/* Bare data, which may look like anything. */
void twin_put_peer_data(struct twin_random *random, struct writer *w);
/* Returns whether it is as clients send them. */
bool twin_put_send_indication(struct twin_random *random, struct writer *w,
			      const struct addr *peer);
void twin_put_stun(struct twin_random *random, struct writer *w);

#endif
