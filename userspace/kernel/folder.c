/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin folder of one struct kernel. See folder.h.
 */
#include "kernel/folder.h"

#include <bpf/libbpf.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel/pins.h"
#include "kernel/problem.h"
#include "kernel/state.h"
#include "turnpike.skel.h"

/* A map's pin is called as the map is. */
static int pin_maps(const struct kernel *kernel, struct kernel_problem *ret_problem)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, kernel->program->obj)
	{
		int err;

		if (bpf_map__is_internal(map))
			continue;
		err = pins_replace(kernel->pin_path, bpf_map__name(map), bpf_map__fd(map));
		if (err)
			return problem_set(ret_problem, err, "cannot pin %s in %.100s: %s",
					   bpf_map__name(map), kernel->pin_path, strerror(-err));
	}
	return 0;
}

int folder_take(struct kernel *kernel, struct kernel_problem *ret_problem)
{
	int err;

	cleanup_close(&kernel->folder);
	err = pins_hold(kernel->pin_path, &kernel->folder, ret_problem);
	return err ? err : pin_maps(kernel, ret_problem);
}

bool folder_is_ours(const struct kernel *kernel)
{
	return pins_are_held(kernel->pin_path, kernel->folder);
}

void folder_clear(struct kernel *kernel)
{
	const struct bpf_map *map;

	/* In a folder that is not ours these names may be somebody's files. */
	if (!folder_is_ours(kernel))
		return;
	bpf_object__for_each_map(map, kernel->program->obj) if (!bpf_map__is_internal(map))
		pins_remove(kernel->pin_path, bpf_map__name(map));
	pins_remove_folder(kernel->pin_path);
}
