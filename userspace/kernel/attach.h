/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: attaching, taking over, letting go. Public: kernel_attach and its kin of kernel.h.
 */
#ifndef TURNPIKE_KERNEL_ATTACH_H
#define TURNPIKE_KERNEL_ATTACH_H

#include <stdbool.h>

struct kernel;

/* Takes charge of the links that an earlier daemon left pinned. */
void attach_inherit(struct kernel *kernel);
/* Detaches everything, inherited links too, and removes their pins. */
void attach_release_all(struct kernel *kernel);
/* Forgets everything and leaves it as it is. */
void attach_leave_all(struct kernel *kernel);

#endif
