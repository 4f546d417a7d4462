/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A relay without a configuration file: a made-up credential, everything else found on the host,
 * and what a person needs to use it.
 */
#ifndef TURNPIKE_DAEMON_AUTOMATIC_H
#define TURNPIKE_DAEMON_AUTOMATIC_H

#include <stdio.h>

#include "config/config.h"
#include "daemon/plan.h"

/* Fills an initialised config. 0 or -errno. */
int automatic_configure(struct config *config);

/*
 * Prints an iceServers entry to paste, and how to look at the relay: program is how turnpiked was
 * called, and turnpikectl is expected beside it. To be called once the relay serves: what is said
 * of the kernel path is what is there by then.
 */
void automatic_print(const struct config *config, const struct plan *plan, const char *program,
		     FILE *out);

#endif
