/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What leads to this host itself, kept true while addresses come and go, and given to the workers'
 * peer policies. Belongs to the main thread.
 */
#ifndef TURNPIKE_DAEMON_OWN_ADDRESSES_H
#define TURNPIKE_DAEMON_OWN_ADDRESSES_H

#include <event2/event.h>
#include <stddef.h>

#include "base/addr.h"
#include "daemon/worker.h"

struct own_addresses;

/*
 * Reads them, and watches from before that, so that none is missed. workers is borrowed: it has
 * room for `count` of them and may be filled later; those that are NULL are left out. 0 or -errno.
 */
int own_addresses_open(struct event_base *base, struct worker *const *workers, size_t count,
		       struct own_addresses **ret);
/* Takes NULL. */
void own_addresses_close(struct own_addresses **own);

/* As they were last read; valid until events are served. */
const struct addr *own_addresses_list(const struct own_addresses *own, size_t *ret_count);

#endif
