/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. See options.h.
 */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>

#include "config/config.h"

static void print_help(FILE *out)
{
	fprintf(out,
		"Usage: turnpiked --config FILE [--check-config]\n"
		"       turnpiked --auto\n"
		"\n"
		"A TURN relay whose media path is in the kernel. Stays in the foreground, logs to\n"
		"stderr, and says \"ready\" once it serves.\n"
		"\n"
		"  -c, --config FILE   read the configuration from this YAML file\n"
		"  -t, --check-config  read it, print what is wrong with it, exit 0 or 1\n"
		"  -a, --auto          no file: serve on this host's own addresses with a random\n"
		"                      credential, and print how to use it\n"
		"      --help-config   list every configuration key with its default\n"
		"  -h, --help          this text\n"
		"  -V, --version       version\n");
}

enum options_outcome options_parse(int argc, char *argv[], struct options *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 't'},
		{"auto", no_argument, NULL, 'a'},
		{"help-config", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	struct options o = {0};
	int c;

	while ((c = getopt_long(argc, argv, "c:tahV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.config_path = optarg;
			break;
		case 't':
			o.check_config = true;
			break;
		case 'a':
			o.automatic = true;
			break;
		case 'k':
			config_print_schema(stdout);
			return OPTIONS_DONE;
		case 'h':
			print_help(stdout);
			return OPTIONS_DONE;
		case 'V':
			printf("turnpiked %s\n", TURNPIKE_VERSION);
			return OPTIONS_DONE;
		default:
			fputs("Try 'turnpiked --help'.\n", stderr);
			return OPTIONS_WRONG;
		}
	}
	if (optind < argc || (o.config_path != NULL) == o.automatic ||
	    (o.check_config && !o.config_path)) {
		fputs(optind < argc ? "turnpiked: it takes no arguments beside its options\n"
				    : "turnpiked: either --config FILE or --auto is needed\n",
		      stderr);
		fputs("Try 'turnpiked --help'.\n", stderr);
		return OPTIONS_WRONG;
	}
	*ret = o;
	return OPTIONS_RUN;
}
