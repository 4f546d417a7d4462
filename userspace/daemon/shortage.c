/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ran out, in words. See shortage.h.
 */
#include "daemon/shortage.h"

#define INTERVAL_MS 60000

void shortage_init(struct shortage *shortage, uint16_t first_port, uint16_t last_port,
		   uint32_t allocations_max)
{
	*shortage = (struct shortage){.first_port = first_port,
				      .last_port = last_port,
				      .allocations_max = allocations_max};
	for (int i = 0; i < SHORTAGE_MAX; i++)
		shortage->kinds[i].limit = (struct log_limit){.interval_ms = INTERVAL_MS,
							      .burst = 1};
}

static void tell(const struct shortage *s, enum shortage_kind kind, uint64_t refused)
{
	if (kind == SHORTAGE_ALLOCATIONS)
		log_warning("relay: no more allocations limits.allocations=%u refused=%llu "
			    "remedy=\"raise limits.allocations\"",
			    s->allocations_max, (unsigned long long)refused);
	else
		log_warning("relay: no free port family=%s ports=%u-%u refused=%llu "
			    "remedy=\"widen relay.ports or add relay.addresses\"",
			    kind == SHORTAGE_PORTS_IPV6 ? "ipv6" : "ipv4", s->first_port,
			    s->last_port, (unsigned long long)refused);
}

void shortage_report(struct shortage *s, const struct turn_counters *counters, uint64_t now_ns)
{
	const uint64_t counted[] = {
		[SHORTAGE_PORTS_IPV4] = counters->refused_ports_ipv4,
		[SHORTAGE_PORTS_IPV6] = counters->refused_ports_ipv6,
		[SHORTAGE_ALLOCATIONS] = counters->refused_allocations,
	};

	for (unsigned int i = 0; i < SHORTAGE_MAX; i++) {
		uint64_t suppressed;

		if (counted[i] == s->kinds[i].told ||
		    !log_limit_allow(&s->kinds[i].limit, now_ns, &suppressed))
			continue;
		/* What was held back is in the number: nothing is lost by the limit. */
		tell(s, i, counted[i] - s->kinds[i].told);
		s->kinds[i].told = counted[i];
	}
}
