/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options, one question to the daemon, its answer as text or JSON.
 */
#include "turnpikectl/run.h"

#include <errno.h>
#include <getopt.h>

#include "control/client.h"
#include "control/commands.h"
#include "turnpikectl/render.h"

static const renderer renderers[] = {
	[CONTROL_STATUS] = render_status,
	[CONTROL_STATS] = render_stats,
	[CONTROL_ALLOCATIONS] = render_allocations,
};
_Static_assert(sizeof(renderers) / sizeof(renderers[0]) == CONTROL_COMMAND_MAX,
	       "a renderer for each command");

struct options {
	const char *socket;
	bool json, help, version;
	struct render_options render;
	enum control_command command;
};

static void print_help(FILE *out)
{
	fputs("usage: turnpikectl [OPTION...] COMMAND\n\ncommands:\n", out);
	for (int i = 0; i < CONTROL_COMMAND_MAX; i++)
		fprintf(out, "  %-17s %s\n", control_command_name((enum control_command)i),
			control_command_help((enum control_command)i));
	fputs("\noptions:\n"
	      "  -s, --socket PATH the daemon's control socket (" CONTROL_SOCKET_DEFAULT ")\n"
	      "  -j, --json        the daemon's answer as JSON, for programs\n"
	      "  -a, --all         stats: counters that are zero, too\n"
	      "  -h, --help        this text\n"
	      "  -V, --version     the version\n"
	      "\nexit status: 0, 1 if there is no answer, 2 for a mistake in the command line\n",
	      out);
}

/* Reads the command behind the options. 0 or -EINVAL. */
static int parse_command(int argc, char **argv, FILE *errors, enum control_command *ret)
{
	char list[CONTROL_COMMAND_LIST_MAX];
	int command;

	if (optind + 1 != argc) {
		fprintf(errors, "turnpikectl: %s; give one command of: %s\n",
			optind == argc ? "no command" : "too many words",
			control_command_list(list));
		return -EINVAL;
	}
	command = control_command_parse(argv[optind]);
	if (command < 0) {
		fprintf(errors, "turnpikectl: there is no command \"%s\"; allowed: %s\n",
			argv[optind], control_command_list(list));
		return -EINVAL;
	}
	*ret = (enum control_command)command;
	return 0;
}

static int parse_options(int argc, char **argv, FILE *errors, struct options *ret)
{
	static const struct option long_options[] = {
		{"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'a'},	  {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	  {0},
	};
	int option;

	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "s:jahV", long_options, NULL)) >= 0) {
		if (option == 's')
			ret->socket = optarg;
		else if (option == 'j')
			ret->json = true;
		else if (option == 'a')
			ret->render.all = true;
		else if (option == 'h')
			ret->help = true;
		else if (option == 'V')
			ret->version = true;
		else {
			fprintf(errors,
				"turnpikectl: %s: unknown option, or without its value; "
				"see turnpikectl --help\n",
				argv[optind - 1]);
			return -EINVAL;
		}
	}
	if (ret->help || ret->version)
		return 0;
	return parse_command(argc, argv, errors, &ret->command);
}

static const char *remedy(int err)
{
	if (err == -ENOENT || err == -ECONNREFUSED)
		return "; start it with turnpiked --config FILE, or name its socket with "
		       "--socket PATH";
	if (err == -EACCES || err == -EPERM)
		return "; ask as root, or as a member of the socket's group";
	return "";
}

/* What was written must have arrived: a full disk is no success. */
static int finish(FILE *out, FILE *errors)
{
	if (fflush(out) == 0 && !ferror(out))
		return RUN_OK;
	fputs("turnpikectl: the output could not be written\n", errors);
	return RUN_NO_ANSWER;
}

int run(int argc, char **argv, FILE *out, FILE *errors)
{
	struct options options = {.socket = CONTROL_SOCKET_DEFAULT};
	char error[CONTROL_ERROR_MAX];
	json_t *result = NULL;
	int err;

	if (parse_options(argc, argv, errors, &options) < 0)
		return RUN_USAGE;
	if (options.help || options.version) {
		if (options.help)
			print_help(out);
		else
			fprintf(out, "turnpikectl %s\n", TURNPIKE_VERSION);
		return finish(out, errors);
	}
	err = control_ask(options.socket, options.command, &result, error);
	if (err < 0) {
		fprintf(errors, "turnpikectl: %s%s\n", error, remedy(err));
		return RUN_NO_ANSWER;
	}
	if (options.json) {
		json_dumpf(result, out, JSON_INDENT(2));
		fputc('\n', out);
	} else {
		renderers[options.command](result, &options.render, out);
	}
	json_decref(result);
	return finish(out, errors);
}
