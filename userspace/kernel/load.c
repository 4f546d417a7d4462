/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading. See load.h.
 */
#include "kernel/load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/problem.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

/* Not worth a key: interfaces, and addresses of this relay. */
#define MAX_DEVICES 256
#define MAX_OWNED   1024

#define LOG_SIZE       8192
/* The kernel's BPF_LOG_STATS, which its interface header lacks. */
#define LOG_STATISTICS 4

static int set_sizes(struct turnpike_bpf *program, const struct kernel_options *options)
{
	const struct {
		struct bpf_map *map;
		uint32_t size;
	} sizes[] = {
		/* Either family may get all of the slots. */
		{program->maps.flows4, options->slots},
		{program->maps.flows6, options->slots},
		{program->maps.slots, options->slots},
		{program->maps.traffic, options->slots},
		{program->maps.nexthops, options->next_hops},
		{program->maps.devices, MAX_DEVICES},
		{program->maps.owned, MAX_OWNED},
		/* No map is empty. */
		{program->maps.buckets, MAX(options->buckets, 1U)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int err = bpf_map__set_max_entries(sizes[i].map, sizes[i].size);

		if (err)
			return err;
	}
	return 0;
}

/* An array map as memory; the kernel rounds its size up to pages. */
static int map_array(const struct bpf_map *map, size_t value_size, void **ret, size_t *ret_len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t len = (value_size * bpf_map__max_entries(map) + page - 1) / page * page;
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	*ret_len = len;
	return 0;
}

static int map_arrays(struct kernel *kernel)
{
	void *slots = NULL, *hops = NULL, *buckets = NULL;
	int err = map_array(kernel->program->maps.slots, sizeof(struct flow_slot), &slots,
			    &kernel->slots_len);

	kernel->slots = slots;
	if (!err)
		err = map_array(kernel->program->maps.nexthops, sizeof(struct flow_next_hop), &hops,
				&kernel->next_hop_len);
	kernel->next_hop_map = hops;
	if (!err)
		err = map_array(kernel->program->maps.buckets, sizeof(struct flow_bucket), &buckets,
				&kernel->buckets_len);
	kernel->buckets = buckets;
	if (!err)
		err = next_hops_new(hops, kernel->options.next_hops, &kernel->next_hops);
	kernel->wanted_hops = calloc(kernel->options.next_hops, sizeof(*kernel->wanted_hops));
	kernel->generations = calloc(kernel->options.slots, sizeof(*kernel->generations));
	if (!err && (!kernel->generations || !kernel->wanted_hops))
		err = -ENOMEM;
	return err;
}

static int describe(const struct kernel *kernel)
{
	struct flow_about about = {
		.abi_version = FLOW_ABI_VERSION,
		.slots = kernel->options.slots,
		.nexthops = kernel->options.next_hops,
		.workers = kernel->options.workers,
	};
	uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(kernel->program->maps.about), &zero, &about,
				   BPF_ANY);
}

/*
 * Asks for errors and statistics only, not for each instruction: the log is short, and there with
 * the first attempt. It stays empty if loading fails before, for lack of memory for the maps.
 */
static int load(struct turnpike_bpf *program, char *log, size_t size)
{
	int err = bpf_program__set_log_buf(program->progs.turnpike_xdp, log, size);

	log[0] = '\0';
	if (!err)
		err = bpf_program__set_log_level(program->progs.turnpike_xdp, LOG_STATISTICS);
	return err ? err : turnpike_bpf__load(program);
}

int load_program(struct kernel *kernel, struct kernel_problem *ret_problem)
{
	char log[LOG_SIZE] = "";
	int err;

	problem_listen_to_libbpf();
	kernel->program = turnpike_bpf__open();
	err = kernel->program ? set_sizes(kernel->program, &kernel->options) : -errno;
	if (!err)
		err = load(kernel->program, log, sizeof(log));
	if (!err)
		err = map_arrays(kernel);
	if (!err)
		err = describe(kernel);
	if (err) {
		load_undo(kernel);
		return problem_of_load(ret_problem, err, kernel->options.slots, log);
	}
	return 0;
}

void load_undo(struct kernel *kernel)
{
	next_hops_free(&kernel->next_hops);
	if (kernel->slots)
		munmap(kernel->slots, kernel->slots_len);
	if (kernel->next_hop_map)
		munmap(kernel->next_hop_map, kernel->next_hop_len);
	if (kernel->buckets)
		munmap(kernel->buckets, kernel->buckets_len);
	free(kernel->generations);
	free(kernel->wanted_hops);
	turnpike_bpf__destroy(kernel->program);
	kernel->slots = NULL;
	kernel->next_hop_map = NULL;
	kernel->buckets = NULL;
	kernel->generations = NULL;
	kernel->wanted_hops = NULL;
	kernel->program = NULL;
}
