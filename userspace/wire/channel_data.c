/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ChannelData headers to numbers and back. See channel_data.h. Knows nothing of which channels
 * are bound.
 */
#include "wire/channel_data.h"

#include <errno.h>

#include "base/cursor.h"
#include "base/macros.h"

int channel_data_parse(struct span datagram, uint16_t *ret_channel, struct span *ret_data)
{
	struct reader r = reader_make(datagram.data, datagram.len);
	uint16_t channel = reader_u16(&r);
	uint16_t len = reader_u16(&r);
	struct span data = reader_take(&r, len);

	if (r.failed || channel < CHANNEL_NUMBER_MIN || channel > CHANNEL_NUMBER_MAX)
		return -EBADMSG;
	/* RFC 8656 12.5: over UDP padding is not required, but it may be there. */
	if (r.left >= CHANNEL_DATA_ALIGN)
		return -EBADMSG;
	*ret_channel = channel;
	*ret_data = data;
	return 0;
}

void channel_data_header(uint16_t channel, size_t len, uint8_t ret[static CHANNEL_DATA_HEADER_LEN])
{
	ASSERT(len <= UINT16_MAX);
	ret[0] = (uint8_t)(channel >> 8);
	ret[1] = (uint8_t)channel;
	ret[2] = (uint8_t)(len >> 8);
	ret[3] = (uint8_t)len;
}
