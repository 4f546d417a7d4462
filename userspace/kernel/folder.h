/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin folder of one struct kernel: held for as long as it lives, with its maps pinned in it.
 * Two daemons with one folder would take each other's links and remove each other's pins. Knows
 * no interfaces.
 */
#ifndef TURNPIKE_KERNEL_FOLDER_H
#define TURNPIKE_KERNEL_FOLDER_H

#include <stdbool.h>

struct kernel;
struct kernel_problem;

/*
 * Takes the folder, or makes it again if it vanished, and pins the maps in place of what a dead
 * daemon left there. 0; -EBUSY if another daemon has it, or -errno; a problem in either case.
 */
int folder_take(struct kernel *kernel, struct kernel_problem *ret_problem);
/* What is at the path is ours. False if it vanished, even if another made one there since. */
bool folder_is_ours(const struct kernel *kernel);
/* Unpins the maps and removes the folder if it is empty; still holds it. */
void folder_clear(struct kernel *kernel);

#endif
