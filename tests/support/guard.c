/* SPDX-License-Identifier: BSD-2-Clause */
#include "support/guard.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t readable_bytes(size_t len)
{
	return (len + page_size() - 1) / page_size() * page_size();
}

struct span guard_copy(struct span data)
{
	size_t room = readable_bytes(data.len);
	uint8_t *pages = mmap(NULL, room + page_size(), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(pages != MAP_FAILED);
	ASSERT(mprotect(pages + room, page_size(), PROT_NONE) == 0);
	if (data.len)
		memcpy(pages + room - data.len, data.data, data.len);
	return span_make(pages + room - data.len, data.len);
}

void guard_free(struct span copy)
{
	size_t room = readable_bytes(copy.len);
	uint8_t *pages = (uint8_t *)(uintptr_t)copy.data + copy.len - room;

	ASSERT(munmap(pages, room + page_size()) == 0);
}

void guard_each_prefix(struct span data, void (*check)(void *ctx, struct span prefix), void *ctx)
{
	for (size_t len = 0; len <= data.len; len++) {
		struct span copy = guard_copy(span_make(data.data, len));

		check(ctx, copy);
		guard_free(copy);
	}
}

size_t hex_bytes(const char *hex, uint8_t *ret, size_t size)
{
	size_t len = 0;

	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		ASSERT(len < size && sscanf(hex, "%2x", &byte) == 1);
		ret[len++] = (uint8_t)byte;
		hex++;
	}
	return len;
}
