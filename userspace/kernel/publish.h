/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the program may use to send: next hops, as the daemon says them and if they lead over an
 * interface that carries the program; devices to redirect to. Remembers hops that have to wait for
 * their interface, as either may come first. Public: kernel_set_next_hop and kernel_settle of
 * kernel.h.
 */
#ifndef TURNPIKE_KERNEL_PUBLISH_H
#define TURNPIKE_KERNEL_PUBLISH_H

struct kernel;

/* After interfaces were attached or let go: hops become valid or invalid with them. */
void publish_interfaces(struct kernel *kernel);

#endif
