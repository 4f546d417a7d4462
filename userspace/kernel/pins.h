/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin folder: bpffs, its mount, names in it. Knows paths, not what is pinned.
 */
#ifndef TURNPIKE_KERNEL_PINS_H
#define TURNPIKE_KERNEL_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/kernel.h"

#define PINS_BPFFS "/sys/fs/bpf"

/*
 * Makes the folder, with mode 0700, on a bpffs. One that should be at /sys/fs/bpf and is not is
 * mounted there, and stays: other programs may come to use it. 0 or -errno and a problem.
 */
int pins_prepare(const char *folder, struct kernel_problem *ret_problem);

/*
 * Prepares the folder and holds it until the descriptor is closed, or the process dies in whatever
 * way: nobody else can hold it then, in no network or mount namespace that has this bpffs. 0;
 * -EBUSY if somebody does, and nothing was touched; another -errno. A problem in either case.
 */
int pins_hold(const char *folder, int *ret_fd, struct kernel_problem *ret_problem);
/* If the path still leads to the folder that fd holds; -1 holds none. */
bool pins_are_held(const char *folder, int fd);

/* FOLDER/NAME. 0 or -ENAMETOOLONG. */
int pins_path(const char *folder, const char *name, char ret[static PATH_MAX]);
/* FOLDER/link-IFNAME; bpffs reserves dots in names, so that eth0.7 becomes eth0:7. */
int pins_link_path(const char *folder, const char *ifname, char ret[static PATH_MAX]);

/* Pins fd under the name, in place of what an earlier daemon left there. 0 or -errno. */
int pins_replace(const char *folder, const char *name, int fd);
void pins_remove(const char *folder, const char *name);
/* Removes the folder if it is empty. */
void pins_remove_folder(const char *folder);

/* Calls each with the path of every link pin; it may remove the pin. */
void pins_each_link(const char *folder, void (*each)(void *ctx, const char *path), void *ctx);

#endif
