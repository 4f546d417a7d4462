/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turnpiked: a TURN relay whose media path is in the kernel. Here: command line, configuration,
 * signals, readiness. Everything else is relay_server.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/automatic.h"
#include "daemon/options.h"
#include "daemon/relay_server.h"

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	log_notice("daemon: stopping signal=%s", sigabbrev_np((int)number));
	event_base_loopbreak(arg);
}

static int add_signals(struct event_base *base, struct event *ret[2])
{
	static const int numbers[] = {SIGINT, SIGTERM};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		ret[i] = evsignal_new(base, numbers[i], on_signal, base);
		if (!ret[i] || event_add(ret[i], NULL) < 0)
			return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	/* A closed terminal does not end calls; what reload means is not decided by accident. */
	signal(SIGHUP, SIG_IGN);
	return 0;
}

static int run(struct event_base *base, const struct config *config, const struct plan *plan,
	       const char *automatic_program)
{
	struct relay_server *server = NULL;
	struct event *signals[2] = {NULL};
	int err = add_signals(base, signals);

	if (err == 0)
		err = relay_server_start(base, config, plan, &server);
	if (err == 0) {
		for (size_t i = 0; i < plan->listen_count; i++)
			log_info("listen: serving clients addr=udp:%s",
				 ADDR_TEXT(&plan->listen[i]));
		if (automatic_program)
			automatic_print(config, plan, automatic_program, stdout);
		log_notice("daemon: ready version=%s workers=%u", TURNPIKE_VERSION, plan->workers);
		sd_notify(0, "READY=1");
		event_base_dispatch(base);
		sd_notify(0, "STOPPING=1");
	}
	relay_server_stop(&server);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i])
			event_free(signals[i]);
	if (err == 0)
		log_notice("daemon: stopped");
	return err;
}

static int read_config(const struct options *options, struct config *config)
{
	int err;

	if (options->automatic)
		err = automatic_configure(config);
	else
		err = config_read(options->config_path, stderr, config);
	if (err < 0 && options->automatic)
		log_error("daemon: no configuration can be made err=%s", strerror(-err));
	return err;
}

int main(int argc, char *argv[])
{
	struct options options;
	struct config config;
	struct plan plan = {0};
	enum options_outcome outcome = options_parse(argc, argv, &options);
	int err;

	if (outcome != OPTIONS_RUN)
		return outcome == OPTIONS_DONE ? EXIT_SUCCESS : 2;
	config_init(&config);
	err = read_config(&options, &config);
	if (err == 0)
		log_configure(config.log.level, config.log.format);
	if (err == 0)
		err = plan_make(&config, options.config_path, stderr, &plan);
	if (err == 0 && !options.check_config) {
		struct event_base *base = event_base_new();

		err = base ? run(base, &config, &plan, options.automatic ? argv[0] : NULL)
			   : -ENOMEM;
		if (base)
			event_base_free(base);
	} else if (err == 0) {
		printf("%s: ok\n", options.config_path);
	}
	config_free(&config);
	libevent_global_shutdown();
	return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
