/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChannelData messages, RFC 8656 12.4 and 12.5.
 */
#ifndef TURNPIKE_WIRE_CHANNEL_DATA_H
#define TURNPIKE_WIRE_CHANNEL_DATA_H

#include "base/span.h"
#include "turnpike/wire.h"

/*
 * Reads one ChannelData datagram. *ret_data points into it, without the padding. Up to three
 * bytes behind the data are padding, which is legal over UDP too.
 * Returns 0, -EBADMSG if the length does not fit the datagram, if more than padding follows, or
 * if the number is not one of a channel.
 */
int channel_data_parse(struct span datagram, uint16_t *ret_channel, struct span *ret_data);

/* Writes the header for len (at most 65535) bytes of data. */
void channel_data_header(uint16_t channel, size_t len, uint8_t ret[static CHANNEL_DATA_HEADER_LEN]);

#endif
