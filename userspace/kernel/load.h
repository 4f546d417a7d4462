/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loading the XDP program with maps of the configured sizes, and mapping what is written by
 * stores. Knows no pins and no interfaces.
 */
#ifndef TURNPIKE_KERNEL_LOAD_H
#define TURNPIKE_KERNEL_LOAD_H

#include "kernel/kernel.h"

/* Fills in kernel->program, slots, next hops and generations; options are set. 0 or -errno. */
int load_program(struct kernel *kernel, struct kernel_problem *ret_problem);
void load_undo(struct kernel *kernel);

#endif
