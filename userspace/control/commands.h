/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the control socket's commands, for both of its ends.
 */
#ifndef TURNPIKE_CONTROL_COMMANDS_H
#define TURNPIKE_CONTROL_COMMANDS_H

#include "turnpike/control.h"

const char *control_command_name(enum control_command command);
/* What the command answers, for people. */
const char *control_command_help(enum control_command command);
/* Returns the command or -EINVAL. */
int control_command_parse(const char *name);

/* "status, stats, …" */
#define CONTROL_COMMAND_LIST_MAX 256
const char *control_command_list(char ret[static CONTROL_COMMAND_LIST_MAX]);

#endif
