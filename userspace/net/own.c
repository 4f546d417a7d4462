/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Destinations that lead to this host itself. See own.h.
 */
#include "net/own.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* The address with all bits beyond len set, or cleared. */
static struct addr with_host_bits(struct addr a, unsigned int len, bool set)
{
	for (unsigned int bit = len; bit < 8 * addr_ip_len(&a); bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if (set)
			a.ip[bit / 8] |= mask;
		else
			a.ip[bit / 8] &= (uint8_t)~mask;
	}
	return a;
}

static size_t prefix_forms(const struct addr *a, unsigned int len, struct addr ret[static 2])
{
	/* A /31 or /127 joins two hosts and has neither; a /32 or /128 is one. */
	if (len + 2 > 8 * addr_ip_len(a))
		return 0;
	ret[0] = with_host_bits(*a, len, false);
	/* IPv6 has no broadcast: all ones are an address like others. */
	if (a->family == ADDR_IPV6)
		return 1;
	ret[1] = with_host_bits(*a, len, true);
	return 2;
}

size_t own_forms(const struct net_address *address, struct addr ret[static OWN_FORMS_MAX])
{
	size_t count = 0;

	ret[count++] = address->addr;
	if (address->broadcast.family != ADDR_NONE)
		ret[count++] = address->broadcast;
	count += prefix_forms(&address->addr, address->prefix_len, ret + count);
	if (address->far_end.family != ADDR_NONE)
		count += prefix_forms(&address->far_end, address->prefix_len, ret + count);
	return count;
}

int net_list_own(struct addr **ret, size_t *ret_count)
{
	_cleanup_free_ struct net_address *addresses = NULL;
	struct addr *own;
	size_t count, used = 0;
	int err = net_list_addresses(&addresses, &count);

	if (err < 0)
		return err;
	own = calloc(count + 1, OWN_FORMS_MAX * sizeof(*own));
	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		used += own_forms(&addresses[i], own + used);
	*ret = own;
	*ret_count = used;
	return 0;
}
