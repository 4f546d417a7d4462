/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a struct kernel, its null twin, and what the daemon tells the program. See kernel.h.
 */
#include "kernel/kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "kernel/attach.h"
#include "kernel/folder.h"
#include "kernel/load.h"
#include "kernel/problem.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

static const char *const mode_names[] = {
#define X(constant, name) [KERNEL_MODE_##constant] = name,
	KERNEL_MODES(X)
#undef X
};

const char *kernel_mode_name(enum kernel_mode mode)
{
	return mode < KERNEL_MODE_MAX ? mode_names[mode] : "?";
}

bool kernel_is_null(const struct kernel *kernel)
{
	return !kernel->program;
}

static int check_options(const struct kernel_options *options, struct kernel_problem *ret_problem)
{
	if (options->slots < options->workers || !options->workers)
		return problem_set(ret_problem, -EINVAL, "%u flows are too few for %u workers",
				   options->slots, options->workers);
	if (options->next_hops < 2)
		return problem_set(ret_problem, -EINVAL, "%u next hops are too few, 0 is never one",
				   options->next_hops);
	return 0;
}

int kernel_open_null(struct kernel **ret)
{
	struct kernel *kernel = calloc(1, sizeof(*kernel));

	if (!kernel)
		return -ENOMEM;
	kernel->folder = -1;
	pthread_mutex_init(&kernel->hops_lock, NULL);
	*ret = kernel;
	return 0;
}

int kernel_open(const struct kernel_options *options, struct kernel **ret,
		struct kernel_problem *ret_problem)
{
	struct kernel *kernel;
	int err = options->mode == KERNEL_MODE_OFF ? 0 : check_options(options, ret_problem);

	if (err)
		return err;
	if (kernel_open_null(&kernel) < 0)
		return problem_set(ret_problem, -ENOMEM, "out of memory");
	kernel->options = *options;
	if (options->mode == KERNEL_MODE_OFF) {
		*ret = kernel;
		return 0;
	}
	kernel->options.pin_path = kernel->pin_path = strdup(options->pin_path);
	if (!kernel->pin_path)
		err = problem_set(ret_problem, -ENOMEM, "out of memory");
	if (!err)
		err = load_program(kernel, ret_problem);
	if (!err)
		err = folder_take(kernel, ret_problem);
	if (err) {
		kernel_close(&kernel);
		return err;
	}
	attach_inherit(kernel);
	*ret = kernel;
	return 0;
}

static void release(struct kernel *kernel)
{
	if (!kernel_is_null(kernel))
		load_undo(kernel);
	pthread_mutex_destroy(&kernel->hops_lock);
	free(kernel->carriers);
	free(kernel->pin_path);
	/* Last: from here on it may be another's. */
	cleanup_close(&kernel->folder);
	free(kernel);
}

void kernel_close(struct kernel **pointer)
{
	struct kernel *kernel = *pointer;

	*pointer = NULL;
	if (!kernel)
		return;
	attach_release_all(kernel);
	if (kernel->folder >= 0)
		folder_clear(kernel);
	release(kernel);
}

void kernel_leave(struct kernel **pointer)
{
	struct kernel *kernel = *pointer;

	*pointer = NULL;
	if (!kernel)
		return;
	attach_leave_all(kernel);
	release(kernel);
}

static int add_listen_port(struct flow_own *own, uint16_t port)
{
	for (int i = 0; i < FLOW_LISTEN_PORTS; i++) {
		if (own->listen_ports[i] == port)
			return 0;
		if (own->listen_ports[i])
			continue;
		own->listen_ports[i] = port;
		return 0;
	}
	return -ENOSPC;
}

static int add_relay_range(struct flow_own *own, uint16_t first, uint16_t last)
{
	if (!own->relay_first) {
		own->relay_first = first;
		own->relay_last = last;
	}
	return own->relay_first == first && own->relay_last == last ? 0 : -EEXIST;
}

int kernel_own(struct kernel *kernel, const struct addr *ip, uint16_t listen_port,
	       uint16_t relay_first, uint16_t relay_last)
{
	struct flow_own_key key = {.family = ip->family};
	struct flow_own own = {0};
	int fd, err = 0;

	if (!addr_ip_len(ip) || relay_first > relay_last || (!relay_first && relay_last))
		return -EINVAL;
	if (kernel_is_null(kernel))
		return 0;
	fd = bpf_map__fd(kernel->program->maps.owned);
	memcpy(key.ip.v6, ip->ip, addr_ip_len(ip));
	/* What was said of this address before stays. */
	if (bpf_map_lookup_elem(fd, &key, &own) < 0 && errno != ENOENT)
		return -errno;
	if (listen_port)
		err = add_listen_port(&own, listen_port);
	if (!err && relay_first)
		err = add_relay_range(&own, relay_first, relay_last);
	if (!err)
		err = bpf_map_update_elem(fd, &key, &own, BPF_ANY);
	return err == -E2BIG ? -ENOSPC : err;
}

/* What 1024 bytes cost; rounded up, so that the rate is never more than was asked for. */
static uint32_t cost_of_kib(uint64_t bits_per_second)
{
	const uint64_t one_per_second = 1024 * 8 * NSEC_PER_SEC;
	uint64_t cost;

	if (!bits_per_second)
		return 0;
	cost = one_per_second / bits_per_second + (one_per_second % bits_per_second != 0);
	return (uint32_t)MIN(cost, (uint64_t)UINT32_MAX);
}

void kernel_set_bucket(struct kernel *kernel, uint32_t id, uint64_t bits_per_second,
		       uint32_t burst_ms)
{
	struct flow_bucket *bucket;

	if (kernel_is_null(kernel))
		return;
	ASSERT(kernel->buckets && id > 0 && id < kernel->options.buckets);
	bucket = &kernel->buckets[id];
	__atomic_store_n(&bucket->ns_per_kib, cost_of_kib(bits_per_second), __ATOMIC_RELAXED);
	__atomic_store_n(&bucket->burst_ms, burst_ms, __ATOMIC_RELAXED);
	/* Times that are long past: nothing is owed. */
	__atomic_store_n(&bucket->to_peer_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&bucket->to_client_ns, 0, __ATOMIC_RELAXED);
}

int kernel_read_stats(const struct kernel *kernel, struct flow_stats *ret)
{
	_cleanup_free_ struct flow_stats *cpus = NULL;
	struct flow_stats sum = {0};
	int count = libbpf_num_possible_cpus(), err;
	uint64_t *to = (uint64_t *)&sum;
	uint32_t zero = 0;

	if (!kernel_is_null(kernel)) {
		if (count < 0)
			return count;
		cpus = calloc((size_t)count, sizeof(*cpus));
		if (!cpus)
			return -ENOMEM;
		err = bpf_map_lookup_elem(bpf_map__fd(kernel->program->maps.stats), &zero, cpus);
		if (err)
			return err;
		for (int cpu = 0; cpu < count; cpu++) {
			const uint64_t *from = (const uint64_t *)&cpus[cpu];

			for (size_t i = 0; i < sizeof(sum) / sizeof(*to); i++)
				to[i] += from[i];
		}
	}
	*ret = sum;
	return 0;
}
