/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpiked's command line.
 */
#ifndef TURNPIKE_DAEMON_OPTIONS_H
#define TURNPIKE_DAEMON_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *config_path; /* NULL with automatic */
	bool check_config;
	bool automatic; /* no file: find everything on this host, make up a credential */
};

enum options_outcome {
	OPTIONS_RUN,
	OPTIONS_DONE,  /* --help and the like were answered */
	OPTIONS_WRONG, /* the error is on stderr */
};

enum options_outcome options_parse(int argc, char *argv[], struct options *ret);

#endif
