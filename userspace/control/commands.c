/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the control socket's commands.
 */
#include "control/commands.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"

static const struct {
	const char *name, *help;
} commands[CONTROL_COMMAND_MAX] = {
#define X(constant, name, what) {name, what},
	CONTROL_COMMANDS(X)
#undef X
};

const char *control_command_name(enum control_command command)
{
	return commands[command].name;
}

const char *control_command_help(enum control_command command)
{
	return commands[command].help;
}

int control_command_parse(const char *name)
{
	for (int i = 0; i < CONTROL_COMMAND_MAX; i++)
		if (strcmp(name, commands[i].name) == 0)
			return i;
	return -EINVAL;
}

const char *control_command_list(char ret[static CONTROL_COMMAND_LIST_MAX])
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands) && used < CONTROL_COMMAND_LIST_MAX; i++)
		used += (size_t)snprintf(ret + used, CONTROL_COMMAND_LIST_MAX - used, "%s%s",
					 i ? ", " : "", commands[i].name);
	return ret;
}
